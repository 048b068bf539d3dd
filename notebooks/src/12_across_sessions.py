# %% [markdown]
# # 12 · Across sessions
#
# **Does a fingerprint survive another day, another room, another position?**
#
# | | |
# |---|---|
# | you will learn | how to ask a classifier about another session than it learnt from, which features travel, how to split a variance into device and session |
# | it needs | a corpus, best one whose column `session` says what was recorded together |
# | it makes | accuracy in the same, the next and a far session, shares of variance over frequency |
# | it takes | half a minute; at size `paper` some minutes |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
segment_length: int = 4096  # length of a segment [samples]
recipe: str = "default"  # default, or published (selects on the test set)

# %%
import zlib
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from devid_lib import evaluation, plots, training
from devid_lib.audio import load_recording
from devid_lib.corpus import load_corpus, natural_key
from devid_lib.errors import DevidError
from devid_lib.features import extract_features
from devid_lib.segments import random_segments
from devid_lib.sessions import shared_sessions
from devid_lib.workbook import differences, signed, start, told

session = start("12_across_sessions", globals())
p = session.params

# %% [markdown]
# ## Inputs
#
# A *session* is what was recorded together: one day, one room, the device in one place. All recordings take part, and what
# is training and what is test is set anew below: the split of the other notebooks plays no part, and nothing is tuned here.
#
# Devices are compared in the sessions that they share (`sessions.shared_sessions`). Where names of sessions belong to one
# device each, its first is put beside the first of the others, and so on. Where devices have one session each, recordings
# stand in for sessions. Simulated devices share three days: the room of a day is the same for all, the place in it, with
# what reflects nearby, is not.

# %%
recordings = session.recordings()
table, said_of_sessions = shared_sessions(recordings, least_samples=4 * p["segment_length"])
devices, units = sorted(set(table["device"])), sorted(set(table["unit"]), key=natural_key)
enough = len(units) > 1
for line in said_of_sessions:
    print(line)
if not enough:
    print("No two sessions are shared by two devices, nothing can be compared: what follows stays empty.")
pd.crosstab(table["device"], table["unit"]).reindex(columns=units)

# %% [markdown]
# ## Equal seconds
#
# Let $T$ be half of the shortest session. The first $T$ seconds of every session are to learn from, the last $T$ seconds to
# be asked about. So a device is always learnt from as many seconds, and the same segments are asked whichever session was
# learnt: also within a session no sample is on both sides. Only the session that was learnt differs.
#
# $$ \text{learnt: } 0 \le t < T \text{ of session } a, \qquad \text{asked: } D_b - T \le t < D_b \text{ of session } b $$


# %%
def halves(row, seconds, numbers):
    """Return segments of the first and of the last seconds of a recording, and their rows of a table."""
    y, _ = load_recording(row.path, samplerate=row.samplerate)
    edge = max(int(seconds * row.samplerate), p["segment_length"])
    rng = np.random.default_rng([p["seed"], zlib.crc32(f"{row.device}/{row.recording}".encode())])
    keys = {"device": row.device, "recording": row.recording, "unit": row.unit, "draw": 0}
    segments, rows = [], []
    for part, (left, number) in {"learnt": (0, numbers[0]), "asked": (len(y) - edge, numbers[1])}.items():
        found, starts = random_segments(y[left : left + edge], n=number, length=p["segment_length"], rng=rng)
        segments.append(found)
        rows.append(pd.DataFrame(keys | {"part": part, "start": starts + left}))
    return np.concatenate(segments), pd.concat(rows)


together = table.groupby(["device", "unit"])["duration_s"].agg(["size", "min"])  # of several recordings each gives a share
T = (together["size"] * together["min"]).min() / 2
most = {"quick": 600, "paper": 4000}[p["size"]] // max(1, len(devices))
numbers = min(p["train_segments"], most), min(p["test_segments"], most)
cut = []
for row in table.itertuples():
    share = together.loc[(row.device, row.unit), "size"]
    cut.append(halves(row, T / share, [max(1, number // share) for number in numbers]))

# %%
columns = ["device", "recording", "unit", "draw", "part", "start"]
s = np.concatenate([np.empty((0, p["segment_length"]), np.float32), *(segments for segments, _ in cut)])
pieces = pd.concat([pd.DataFrame(columns=columns), *(rows for _, rows in cut)], ignore_index=True)
pieces["place"] = pieces["unit"].map(units.index)
y = pieces["device"].map(devices.index).to_numpy(int)
learnt, asked = (pieces["part"] == part for part in ("learnt", "asked"))
loud = pd.Series(np.einsum("ij,ij->i", s, s))
quiet = loud <= loud.groupby([pieces[name] for name in ("device", "recording", "part")]).transform("median")
del cut
if enough:
    print(f"{len(devices)} devices, {len(units)} sessions, T = {T:.1f} s; {numbers[0]} segments of it are learnt, {numbers[1]} asked")

# %% [markdown]
# ## Features that might travel
#
# - **raw**, **noise**, each without and with a **window**: as in notebook 05.
# - **quiet parts**: raw with a window, but only the quieter half of the segments of every recording, to learn and to ask.
#   There is less speech in them, and more of the device's own noise (and of the room's).
# - **ripple**: frames $S_q$ of some 8 ms, too short to show the partials of a voice, windowed; their log spectra averaged;
#   and of that the *difference* of neighbouring frequencies. A gain cancels, and most of what is broad, such as a tilt:
#
# $$ r(k) = \bar x(k + 1) - \bar x(k), \qquad \bar x(k) = \operatorname{mean}_q \log\left(|S_q(k)|^2 + \varepsilon\right) $$


# %%
def ripple(s):
    """Return the differences over frequency of the mean log spectra of segments."""
    frame = min(2 ** int(np.log2(0.008 * recordings["samplerate"].iloc[0])), s.shape[1])
    window, rows = np.hanning(frame).astype(np.float32), []
    for block in np.array_split(s, 1 + len(s) // 500):
        frames = np.lib.stride_tricks.sliding_window_view(block, frame, axis=1)[:, :: frame // 2] * window
        power = np.square(np.abs(np.fft.rfft(frames))) + frame * 2.0**-30 / 12  # the rounding noise of 16 bit
        rows.append(np.diff(np.log(power).mean(axis=1)).astype(np.float32))
    return np.concatenate(rows)


def spectrum(noise, window):
    """Return what makes log spectra of segments."""
    scale = training.feature_scale(p["recipe"], p["segment_length"])
    return lambda s: extract_features(s, noise=noise, window=window, scale=scale, **session.wavelet)


features = {
    "raw": spectrum("none", "none"),
    "noise": spectrum("wavelet", "none"),
    "raw, window": spectrum("none", "hann"),
    "noise, window": spectrum("wavelet", "hann"),
    "quiet parts": spectrum("none", "hann"),
    "ripple": ripple,
    "ripple, nearest mean": ripple,
}

# %% [markdown]
# The reader is ridge regression, equation and all in notebook 02: quick, and nothing in it is random. Ripple is also read in
# the simplest way there is, by the device whose mean is nearest.


# %%
def answers(x, known, wanted, nearest=False):
    """Learn from some segments and return what is said of others, of devices that were learnt."""
    reader = NearestCentroid() if nearest else RidgeClassifier(alpha=0.1 * known.sum(), solver="cholesky")
    reader = make_pipeline(StandardScaler(), reader).fit(x[known], y[known])
    wanted = wanted & pieces["device"].isin(set(pieces["device"][known]))
    decided = np.eye(len(devices))[reader.predict(x[wanted])]
    return evaluation.predictions_table(decided, pieces[wanted], devices).set_index(pieces.index[wanted])


last = len(units) - 1
far = max(2, len(units) // 2)
near = {"same": (0, 0), "next": (1, 1), "far": (far, last)}  # from, to sessions away
near |= {"one other": (1, last)} if last > 1 else {}
if enough:
    print(f"far is at least {far} sessions away, in the order of their names: {', '.join(units)}")

# %% [markdown]
# ## The experiment
#
# Every session is learnt alone, and all are asked. Then all but one are learnt together and that one is asked, with a share
# of each so small that it is as many segments as before: from every session its first ones, so it is about $T$ seconds, too.

# %%
place, found, keep = pieces["place"], {}, {}
of_recording = [pieces[name] for name in ("device", "recording", "part")]
for name, feature in features.items() if enough else ():
    x = keep["ripple"] if name == "ripple, nearest mean" else feature(s)
    chosen = quiet if name == "quiet parts" else np.ones(len(s), bool)
    nearest, known, wanted = "nearest" in name, learnt & chosen, asked & chosen
    order = pieces["start"].where(chosen).groupby(of_recording).rank(method="first")
    few = order <= np.maximum(1, order.groupby(of_recording).transform("max") // last)
    for a in range(len(units)):
        one = answers(x, known & (place == a), wanted, nearest)
        steps = (place[one.index] - a).abs()
        parts = {where: one[steps.between(*reach)] for where, reach in near.items()}
        if last > 1:
            parts["all others"] = answers(x, known & few & (place != a), wanted & (place == a), nearest)
        for where, part in parts.items():
            found.setdefault((name, where), []).extend([part] if len(part) else [])
    if name in ("raw, window", "ripple"):
        keep[name] = x

# %%
variants = ("none", "wavelet", "none+hann", "wavelet+hann", "none+hann, quiet parts", "ripple", "ripple")
variants = dict(zip(features, variants, strict=True))
places = {"same": "same session", "next": "next session", "far": "far session", "one other": "one other session"}
places["all others"] = "all other sessions"
found = {key: tables for key, tables in found.items() if tables}
alone = {key: pd.concat(tables) for key, tables in found.items()}
whole = {key: pd.concat([evaluation.voted(one, unit="recording") for one in tables]) for key, tables in found.items()}
figures = [
    {"system": "nearest mean" if "nearest" in name else "ridge", "variant": f"{variants[name]}, {places[where]}"}
    | {"unit": unit, "metric": "accuracy"}
    | evaluation.accuracy(tables[name, where])
    for unit, tables in {"segment": alone, "recording": whole}.items()
    for name, where in tables
]
rows = session.figures(figures or pd.DataFrame(columns=["unit", "metric", "value", "low", "high", "n", "chance"]))
right = pd.DataFrame({key: evaluation.accuracy(one) for key, one in alone.items()}, index=["value", "low", "high", "chance"])
text = {where: {} for where in places.values()}
keys = [(unit, *key) for unit in ("segment", "recording") for key in alone]
for row, (unit, name, where) in zip(figures, keys, strict=True):
    text[places[where]][unit, name] = f"{100 * row['value']:.1f} ({100 * row['low']:.0f}-{100 * row['high']:.0f})"
pd.DataFrame(text).dropna(axis=1)

# %%
panels = [("same", "next", "far"), ("one other", "all others")][: 1 + (last > 1)]
fig, axes = plt.subplots(1, len(panels), figsize=(10, 4.4), sharex=True, sharey=True, squeeze=False, layout="constrained")
looks = {"same": "o", "next": "s", "far": "D", "one other": "s", "all others": "*"}
colors = dict(zip(looks, plots.PALETTE, strict=False))
for ax, wanted in zip(axes[0], panels, strict=True):
    for shift, where in zip((-0.22, 0, 0.22), wanted, strict=False):
        for i, name in enumerate(features):
            if (name, where) in right:
                value, low, high, _ = 100 * right[name, where]
                ax.hlines(i + shift, low, high, color=colors[where], lw=2)
                named_once = places[where] if name == "raw" else ""
                ax.plot(value, i + shift, looks[where], color=colors[where], label=named_once, clip_on=False, zorder=3)
    ax.axvline(100 * right.loc["chance"].mean() if len(right.columns) else 0, color=plots.DARK, ls="--", lw=1)
    ax.set(xlabel="segments named right [%]", xlim=(0, 101), ylim=(len(features) - 0.5, -0.5))
    ax.legend(title="learnt from", loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=9)
axes[0, 0].set_yticks(range(len(features)), list(features))
session.save_figure(axes, "sessions", "Segments named right, learnt from the same, the next, a far session, one or all others.")

# %% [markdown]
# Left, one session was learnt: the distance from the first to the last marker of a row is what another day costs. Right, the
# same number of segments from one other session, whichever, and from all others together. Dashed is chance. Lines are 95 %
# intervals; where no segment is wrong they are those of so many whole recordings, and wide (notebook 07).
#
# What is told apart? Recordings are compared in pairs, and the p-values adjusted for their number (Holm), as in notebook 05.
# (A session in the middle may have no far one. Each test takes the recordings that both of its sides were asked about.)


# %%
def of_both(pair):
    """Return a pair of prediction tables, each cut to the recordings that both were asked about."""
    names = [evaluation.recording_names(one) for one in pair]
    return [one[np.isin(own, np.intersect1d(*names))] for one, own in zip(pair, names, strict=True)]


away = "far" if ("raw", "far") in alone else "next"
steps = [("noise", "raw"), ("raw, window", "raw"), ("raw, window", "noise"), ("noise, window", "raw, window")]
steps += [(name, "raw, window") for name in ("quiet parts", "ripple")] + [("ripple, nearest mean", "ripple")]
pairs = {(b, a): of_both((alone[b, away], alone[a, away])) for b, a in steps if alone}
tests = evaluation.compared(pairs, names=["features", "against"])
print(f"learnt from the {places[away]}")
signed(tests)

# %%
changes = []
for b, a in [(away, "same"), ("all others", "one other")][: 1 + (last > 1)]:  # two questions, adjusted each for itself
    pairs = {(name, b, a): of_both((alone[name, b], alone[name, a])) for name in features if alone}
    names = ["features", "learnt", "against"]
    changes.append(evaluation.compared(pairs, names=names, better="gains", worse="loses"))
changes = pd.concat(changes)
signed(changes)

# %% [markdown]
# ## How much is device, how much session?
#
# At one frequency let $x_{dst}$ be the feature of segment $t$ in session $s$ of device $d$, and take it for a sum of a mean,
# something of the device, something of this session of it, and something of the segment:
#
# $$ x_{dst} = \mu + a_d + b_{ds} + c_{dst}, \qquad \operatorname{var} x = \sigma_a^2 + \sigma_b^2 + \sigma_c^2 $$
#
# With $D$ devices, $S_d$ sessions of device $d$, $C = \sum_d S_d$ and $n$ segments in each, the mean squares are
#
# $$ M_a = \frac{n}{D - 1} \sum_d S_d (\bar x_d - \bar x)^2, \qquad M_b = \frac{n}{C - D} \sum_{d,s} (\bar x_{ds} - \bar x_d)^2,
# \qquad M_c = \frac{1}{C (n - 1)} \sum_{d,s,t} (x_{dst} - \bar x_{ds})^2 $$
#
# A session's mean of few segments varies by itself, a device's mean of few sessions, too. Each mean square expects
# what lies below it and a multiple of its own, so differences of them are unbiased (below zero counts as zero):
#
# $$ \hat\sigma_c^2 = M_c, \quad \hat\sigma_b^2 = \frac{M_b - M_c}{n}, \quad \hat\sigma_a^2 = \frac{M_a - M_b}{n S_0}, \quad
# S_0 = \frac{1}{D - 1} \left(C - \frac{1}{C} \sum_d S_d^2\right) $$

# %%
cell = pieces[["device", "unit"]].agg("\t".join, axis=1)[learnt]
n = int(cell.value_counts().min()) if enough else 0
cells = {key: cell.index[cell == key][:n] for key in sorted(set(cell))}
owner = pd.Series([key.split("\t")[0] for key in cells], dtype=object)
S = owner.value_counts()
D, C = len(S), len(owner)


def mean_squares(x):
    """Return M_a, M_b and M_c of features, np.ndarray [shape=(3, features)]."""
    means = pd.DataFrame([x[rows].mean(axis=0, dtype=float) for rows in cells.values()])
    of_device = means.groupby(owner.to_numpy()).transform("mean")
    M_a = n * ((of_device - means.to_numpy().mean(axis=0)) ** 2).sum() / (D - 1)
    M_b = n * ((means - of_device) ** 2).sum() / (C - D)
    M_c = np.mean([x[rows].var(axis=0, ddof=1, dtype=float) for rows in cells.values()], axis=0)
    return np.array([M_a, M_b, M_c])


def components(x):
    """Return the variances of device, session and segment, np.ndarray [shape=(3, features)]."""
    M_a, M_b, M_c = mean_squares(x)
    S_0 = (C - (S**2).sum() / C) / (D - 1)
    return np.maximum([(M_a - M_b) / (n * S_0), (M_b - M_c) / n, M_c], 0)


# %% [markdown]
# Nothing may get lost on the way: the three sums of squares, each a mean square times what it was divided by, add up to that
# of all segments around the mean of all.

# %%
if enough:
    x = keep["raw, window"][np.concatenate(list(cells.values()))].astype(float)
    parted = np.array([D - 1, C - D, C * (n - 1)]) @ mean_squares(keep["raw, window"])
    np.testing.assert_allclose(parted, ((x - x.mean(axis=0)) ** 2).sum(axis=0), rtol=1e-6, atol=1e-6)

# %%
parts = {}
if enough:
    windowed = keep["raw, window"]
    parts["log spectrum, window"] = components(windowed)
    parts["its level taken off"] = components(windowed - windowed.mean(axis=1, keepdims=True))
    parts["ripple"] = components(keep["ripple"])
sources = ["device", "session", "segment"]
shares = pd.DataFrame({name: part.sum(axis=1) / part.sum() for name, part in parts.items()}, index=sources)
lasting = pd.Series({name: part[0].sum() / part[:2].sum() for name, part in parts.items()}, dtype=float)
shares.T.assign(**{"device, of device and session": lasting}).style.format("{:.0%}")

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharex=True, sharey=True, layout="constrained")
khz = int(recordings["samplerate"].iloc[0]) / 2000
for ax, (name, part) in zip(axes, parts.items(), strict=False):
    wide = max(1, part.shape[1] // 100)
    smooth = pd.DataFrame(part.T / part.sum(axis=0)[:, None]).rolling(wide, center=True, min_periods=1).mean()
    colors = [plots.BLUE, plots.ORANGE, "0.85"]
    ax.stackplot(np.linspace(0, khz, len(smooth)), 100 * smooth.T, colors=colors, labels=sources, lw=0)
    ax.set(title=name, xlabel="frequency [kHz]", xlim=(0, khz), ylim=(0, 100))
    ax.grid(False)
axes[0].set_ylabel("share of variance [%]")
axes[-1].legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(axes, "variance", "Shares of device, session and segment in the variance of features, over frequency.")

# %% [markdown]
# Blue is what all sessions of a device have in common, orange what changes from one of its sessions to another: room, place,
# gain, and also what was said and who spoke, as far as that differs. Grey is what segments of one session differ by. Votes
# of many segments take the grey away, but not the orange: where it is wide, no number of segments of one session will do,
# and it takes other sessions. (If a device was always used by the same person or in the same place, these are blue, too.)
#
# ## What can go wrong
#
# Learn one device from another session than all others. A session is then on one side only, with that device, and
# whatever belongs to the session is a mark of it. Of the *other* devices' segments from that session, how many get its
# name, beside what it gets when all devices were learnt from one session?

# %%
drawn = {}
for device in devices[:: max(1, len(devices) // 6)][:6] if enough else ():
    of_device = pieces["device"] == device
    for name, odd in {"all from one session": 0, "this one from another": last}.items():
        known = learnt & (place == np.where(of_device, odd, 0))
        if known.any() and (wanted := asked & ~of_device & (place == last)).any() and of_device[known].any():
            said_of = answers(keep["raw, window"], known, wanted)
            drawn[device, name] = np.mean(evaluation.decisions(said_of) == device)
drawn = pd.Series(drawn, dtype=float)
drawn.rename("share").to_frame().style.format("{:.1%}")

# %% [markdown]
# A corpus in which a session belongs to a single device is made that way throughout, which is why such sessions were left
# out above, by name. So are devices that are left with one:

# %%
names = pd.DataFrame({"device": [*"AAABBBC"], "session": ["may", "june", "july", "may", "june", "", "may"]})
names["recording"], names["duration_s"], names["samplerate"] = names["session"] + "-1", 60.0, 16000
print(*shared_sessions(names)[1], sep="\n")
with TemporaryDirectory() as folder:
    recordings[["path", "device", "recording", "session"]].to_csv(f"{folder}/own.csv", index=False)
    try:
        load_corpus(f"{folder}/own.csv", data_dir=folder, test_sessions="someday")
    except DevidError as error:
        print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
against = [(b, f"against {variants[a]}, {places[away]}") for b, a in tests.index]
against += [(name, f"{places[b]} against {places[a]}") for name, b, a in changes.index]
systems = ["nearest mean" if "nearest" in name else "ridge" for name, _ in against]
of_tests = [f"{variants[name]}, {words}" for name, words in against]
of_tests = differences(pd.concat([tests, changes]), system=systems, variant=of_tests, unit="segment")
rows_of_tests = session.figures(of_tests) if of_tests else rows.iloc[:0]
own = session.finish(rows, rows_of_tests)
own[["system", "variant", "unit", "metric", "value", "low", "high", "chance"]]

# %% [markdown]
# ## What we saw

# %%
def verdicts(compared, words):
    """Return in words which pairs of a table of tests are told apart, and how many are not."""
    apart = compared[~compared["verdict"].str.endswith("told apart")].to_dict("index")
    lines = [f"{words.format(*key)} {row['verdict']} ({told(row)})" for key, row in apart.items()]
    rest = len(compared) - len(apart)
    return "; ".join(lines + [f"{rest} of {len(compared)} pairs are not told apart"] * (rest > 0))


def of_features():
    """Return sentences on where the features stand, the tests between them, and several sessions."""
    stand = {where: right.loc["value"].xs(where, level=1) for where in ("same", "next", "far") if ("raw", where) in right}
    ends = [f"{x.min():.1%} ({x.idxmin()}) to {x.max():.1%} ({x.idxmax()}) from the {places[where]}" for where, x in stand.items()]
    yield f"Segments named right, by the worst feature and by the best: {'; '.join(ends)}."
    lost = changes[changes.index.isin([(name, away, "same") for name in features])]
    yield f"From the {places[away]}, against the same: {verdicts(lost, '{}')}."
    yield f"Learnt from the {places[away]}: {verdicts(tests, '{}, against {},')}."
    gained = changes[changes.index.get_level_values(1) == "all others"]
    if len(gained):
        yield f"{last} other sessions in place of one, as many segments in all: {verdicts(gained, '{}')}."


# %%
said = [" ".join(said_of_sessions)] if said_of_sessions else []
if not enough:
    said += ["No two sessions are shared by two devices: whether a fingerprint survives cannot be told here."]
    said += ["Nothing was learnt.", "Nothing was asked."]
else:
    said += of_features()
    of_device = ", ".join(f"{share:.0%} ({name})" for name, share in lasting.items())
    said.append(f"Of the variance that no vote within a session takes away, {of_device} is of the device, the rest of the session.")
    drew = drawn.groupby(level=1, sort=False).mean()
    said.append(
        f"A device that is learnt from another session than all others gets {drew.iloc[-1]:.1%} of the others' segments of that "
        f"session, and {drew.iloc[0]:.1%} when all are learnt from one session (mean of {len(drawn) // 2} devices)."
    )
session.saw(*said)

# %% [markdown]
# ## Exercises
#
# 1. Do more sessions help because they are several, or would more of one do? Learn a whole session, half of it, and a
#    quarter of each of two.
# 2. What of a voice travels? Compare ripple with the differences of the log spectrum of shorter and of longer frames.
#
# Worked answers: [solutions](solutions/12_across_sessions.ipynb)
#
# Next: [13 · Conditions](13_conditions.ipynb)
