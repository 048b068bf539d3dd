# %% [markdown]
# # 16 · Splices
#
# **Where in a recording does another device begin?**
#
# | | |
# |---|---|
# | you will learn | how to ask for a change without knowing what changed, why what is said must be told from what says it, how to count finds and false alarms |
# | it needs | a corpus of several devices |
# | it makes | F1 of made splices, false alarms an hour on untouched recordings, what a room, a door, a gain do |
# | it takes | half a minute; at size `paper` some minutes |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soxr
from scipy.stats import chi2, multivariate_normal

from devid_lib import montage, plots, recorders, simulate, soundfield, splices, strips
from devid_lib.audio import load_recording
from devid_lib.errors import DevidError
from devid_lib.intervals import holm
from devid_lib.workbook import start

session = start("16_splices", globals())
p = session.params

# %% [markdown]
# ## Inputs
#
# Splices are made here, so that the truth is known: pieces of two to four devices, cut at random, brought to one level, hard or
# cross-faded, then compressed again or not. Where recordings of one name hold the same speech, it goes on across the cut.
#
# Devices are *left out*: what searches a recording has learnt from training recordings of other devices only. So it knows
# neither device on the two sides of a cut, as in most cases. The threshold comes from untouched training recordings, each
# searched the same way. Of every recording the first seconds are used.

# %%
longest, number = {"quick": (16, 9), "paper": (40, 28)}[p["size"]]
recordings = session.recordings()
rate = int(recordings["samplerate"].iloc[0])
signals = [np.array(load_recording(path, samplerate=rate)[0][: longest * rate]) for path in recordings["path"]]
devices = sorted(set(recordings["device"]))
groups = 4 if p["size"] == "paper" else 3
left_out = [devices[i::groups] for i in range(min(groups, len(devices)))]
train, test = ((recordings["split"] == side).to_numpy() for side in ("train", "test"))

# %%
models, refused = [], ""
try:
    own = [signals[i] for i in np.flatnonzero(train)]
    models = splices.fit_left_out(own, recordings["device"][train], rate, groups=left_out, seed=p["seed"])
    print(f"a change must reach a score of {models[0].threshold:.1f}")
except DevidError as error:
    refused = f"{recordings.attrs['name']}: {error}. Nothing was searched for splices."
    print(refused)

# %% [markdown]
# ## The idea
#
# Spectra change all the time, because something is said. To tell a change of device from a change of sound, every block $x_t$
# of some 64 ms, a log spectrum in 40 principal axes, is first shared out among kinds $k$ of sound (a pause, a vowel, a hiss)
# by a Gaussian mixture, $\gamma_{tk}$. Within a kind, a recording differs from the mean by a few numbers $h$:
#
# $$ x_t = m_k + L_k h + \text{noise}, \qquad h \sim \mathcal N(0, I), \quad \text{noise} \sim \mathcal N(0, \Sigma_k) $$
#
# Speaker recognition calls this *total variability* (Dehak et al. 2011). A pause alone says something of $h$ through
# $L_\text{pause}$ and nothing through the others, so a pause followed by speech is no change. With $W_k W_k^\top = \Sigma_k^{-1}$,
# $T_k = W_k^\top L_k$, and $\alpha = 0.3$ because neighbouring blocks are alike, a stretch of sound $S$ has
#
# $$ P_S = \alpha \sum_{t \in S} \sum_k \gamma_{tk} T_k^\top T_k, \quad u_S = \alpha \sum_{t \in S} \sum_k \gamma_{tk} T_k^\top W_k^\top (x_t - m_k), \quad
# \log p(S) = \tfrac12 u_S^\top (I + P_S)^{-1} u_S - \tfrac12 \log |I + P_S| + \dots $$
#
# and a cut at $c$ the likelihood ratio of two devices (or places of one) against one, its log10 the *score* (the dots cancel):
#
# $$ \log \mathrm{LR}(c) = \log p(a..c) + \log p(c..b) - \log p(a..b) $$


# %%
def plain_evidence(x, model):
    """Return the log likelihood of one stretch of blocks, term by term."""
    states, factors = len(model.weights), model.loadings.shape[2]
    precision, direction = np.zeros((factors, factors)), np.zeros(factors)
    for block in (x - model.mean) @ model.axes:
        known = block[: model.centres.shape[1]]
        kinds = [multivariate_normal(model.centres[k], np.diag(model.variances[k])).logpdf(known) for k in range(states)]
        share = model.weights * np.exp(np.array(kinds) - max(kinds))
        share /= share.sum()
        for k, T in enumerate(model.loadings):
            precision += splices.INDEPENDENT * share[k] * T.T @ T
            direction += splices.INDEPENDENT * share[k] * T.T @ model.whiten[k].T @ (block - model.means[k])
    P = np.eye(factors) + precision
    return 0.5 * direction @ np.linalg.solve(P, direction) - 0.5 * np.linalg.slogdet(P)[1]


if models:
    x = splices.log_spectra(signals[0], rate)[0][:60]
    cut = len(x) // 2
    ratio = plain_evidence(x[:cut], models[0]) + plain_evidence(x[cut:], models[0]) - plain_evidence(x, models[0])
    evidence = splices.Evidence(x, models[0])
    np.testing.assert_allclose(splices.cut_score(evidence, 0, cut, len(x)), ratio / np.log(10), rtol=1e-6, atol=1e-8)

# %% [markdown]
# $h$, $L_k$, $\Sigma_k$ are found by expectation and maximisation, `splices.fit_left_out`, from the recordings and from a copy of
# each that went through MP3, since bands that a codec empties look like no sound that was learnt. `splices.change_points` takes the peaks
# of the curve of ratios as candidates and keeps those between which the pieces say most in sum, when every cut costs the
# threshold. It drops a cut that one device with two gains explains as well; or that does not show in the sound just before and
# after it, as when a noise suppressor settles over seconds; or that what is louder than a pause does not bear out by itself, with
# a score of 5, since a gate or a fan changes pauses, and another device speech as well. (The quietest kind of sound is taken for
# the pauses, unless most of the recording is of that kind.)
#
# The threshold comes from the untouched training recordings, each searched by what *other* devices taught. Let $t_i$ be the
# least threshold at which recording $i$ raises no alarm. What exceeds a floor of 5 is taken for exponential, and one excess of 5
# is added, since recordings that are all silent do not show that none will. With $n$ excesses of mean $\bar e$ in $H$ hours, one
# alarm an hour is expected at
#
# $$ \theta = 5 + \bar e \, \max\left(0, \log \frac{n}{H}\right), \qquad \bar e = \frac1n \Big(5 + \sum_{t_i > 5} (t_i - 5)\Big) $$
#
# These ratios are large, since hundreds of blocks count as if each were news of its own: scores to put a threshold to, no
# evidence to be reported.


# %%
def tested(names):
    """Return rows and samples of the test recordings of some devices."""
    own = np.flatnonzero(test & recordings["device"].isin(names).to_numpy())
    return recordings.iloc[own], [signals[i] for i in own]


def made(shortest_s):
    """Return montages of the devices left out, each with what searches it."""
    found = []
    for i, (names, model) in enumerate(zip(left_out, models, strict=False)):
        rows, own = tested(names)
        options = {"n": -(-number // len(left_out)), "shortest_s": shortest_s, "seed": [p["seed"], i]}
        try:
            found += [(model, one) for one in montage.montages(own, rows, rate, **options)]
        except DevidError as error:
            print(f"pieces of {shortest_s} s, {names[0]} ...: {error}")
    return found


corpora = {shortest_s: made(shortest_s) for shortest_s in (2, 3, 4)}
pd.DataFrame({f"{key} s": {"montages": len(of), "cuts": sum(len(one["cuts"]) for _, one in of)} for key, of in corpora.items()})

# %% [markdown]
# ## One recording
#
# With references, the strip says which of the known devices made each second (given that one of them did); the curve needs
# none. Dashed: the cuts that were made. Dots: the changes found. (It is the recording of which most cuts were found, so that
# there is something to see; the table further down counts them all.)

# %%
def references(name):
    """Return the training recordings of a device."""
    return [signals[i] for i in np.flatnonzero(train & (recordings["device"] == name).to_numpy())]


def blind(model, one):
    """Return changes found without knowing the devices."""
    return splices.change_points(one["y"], rate, model=model)["time_s"]


# %%
shown = next((of for of in (corpora[3], corpora[2], corpora[4]) if of), [])
fig, axes = plt.subplots(3, 1, figsize=(10, 5), sharex=True, height_ratios=[1, 0.9, 1.2], layout="constrained")
if shown:
    model, one = max(shown, key=lambda pair: montage.matched(blind(*pair), pair[1]["cuts"])[0])
    known = sorted(set(one["devices"]) | set(devices[:4]))
    vectors = strips.device_vectors(map(references, known), rate, model=model)
    times, posterior, path = strips.device_strip(one["y"], rate, model=model, vectors=vectors)
    changes, curve = splices.search(one["y"], rate, model=model)
    loudest = np.abs(one["y"][: len(one["y"]) // 256 * 256]).reshape(-1, 256).max(axis=1)
    axes[0].fill_between(np.arange(len(loudest)) * 256 / rate, -loudest, loudest, lw=0, color=plots.DARK)
    axes[1].pcolormesh(times, np.arange(len(known)), posterior.T, cmap="Blues", vmin=0, vmax=1, rasterized=True)
    axes[1].set_yticks(range(len(known)), [plots.label(name) for name in known], fontsize=8)
    axes[2].set_yscale("symlog", linthresh=10)
    axes[2].plot(*curve, color=plots.BLUE)
    axes[2].plot(changes["time_s"], changes["score"], "o", color=plots.ORANGE)
    axes[2].axhline(model.threshold, color=plots.DARK, lw=0.8, ls=":")
    for ax in axes:
        for cut in one["cuts"]:
            ax.axvline(cut, color="crimson", ls="--", lw=1)
    print("made:", *one["devices"], "at", *one["cuts"].round(2), "s,", one["condition"], "| found:", *changes["time_s"].round(2))
    axes[0].set_xlim(0, len(one["y"]) / rate)
axes[0].set(ylabel="sample")
axes[1].set(ylabel="device")
axes[2].set(ylabel="score", xlabel="time [s]")
session.save_figure(axes, "splice", "A montage: its samples, which known device made each second, and the score of a change, with cuts made and found.")

# %% [markdown]
# A dot may lie higher than the curve: the curve compares two seconds on either side and a dot the two whole pieces. The
# dotted line is the threshold; where neither is in sight, nothing came near it and no change was found. A peak elsewhere is
# another change of the sound, which the rule did not take for one of device. The strip is sure of itself even where it is wrong: it takes for granted that one of the known
# devices made the sound, in a place where it has heard it (notebooks 12 and 14).
#
# ## The experiment
#
# A find within 0.25 s of a cut counts, each once. $F_1$ is the harmonic mean of *precision*, the share of finds that are
# cuts, and *recall*, the share of cuts that were found. Its interval is a bootstrap over montages; chance is as many finds
# thrown at random. Untouched recordings of the same devices give false alarms an hour, with Clopper and Pearson's relative
# for counts (Garwood): nothing in $h$ hours still allows $3.7 / h$ an hour.


# %%
def counts(of, find):
    """Return finds, false finds and misses of montages [shape=(n, 3)]."""
    return np.array([montage.matched(find(model, one), one["cuts"]) for model, one in of]).reshape(-1, 3)


def summed(rows):
    """Return F1, precision and recall of counts."""
    hit, false, missed = rows.sum(axis=-2).T
    return np.array([2 * hit / np.maximum(2 * hit + false + missed, 1), hit / np.maximum(hit + false, 1), hit / np.maximum(hit + missed, 1)])


rng = np.random.default_rng(p["seed"])


def thrown(model, one):
    """Return as many times as there are cuts, at random."""
    return rng.uniform(0, len(one["y"]) / rate, len(one["cuts"]))


# %%
vectors = {id(model): strips.device_vectors(map(references, devices), rate, model=model) for model in models}


def informed(model, one):
    """Return changes found with references of all devices."""
    times, _, path = strips.device_strip(one["y"], rate, model=model, vectors=vectors[id(model)])
    steps = np.flatnonzero(np.diff(path))
    return (times[steps] + times[steps + 1]) / 2


results, figures = {}, []
for shortest_s, of in corpora.items():
    for name, find in {"without references": blind, "with references": informed}.items() if of else ():
        results[shortest_s, name] = rows = counts(of, find)
        f1, precision, recall = summed(rows)
        drawn = summed(rows[rng.integers(len(rows), size=(1000, len(rows)))])[0]
        low, high = np.quantile(drawn, [0.025, 0.975])
        of_all = {"variant": f"pieces of {shortest_s} s and more, {name}", "metric": "F1", "value": f1, "low": low, "high": high}
        of_all |= {"n": len(rows), "chance": summed(counts(of, thrown))[0]}
        figures.append(of_all | {"system": "splices", "precision": precision, "recall": recall})
table = pd.DataFrame(figures, columns=["variant", "value", "low", "high", "chance", "precision", "recall", "n"])
table.rename(columns={"value": "F1", "n": "montages"}).style.format("{:.2f}", subset=["F1", "low", "high", "chance", "precision", "recall"])


# %%
def alarms(found, hours):
    """Return an hour's false alarms and their interval."""
    low = chi2.ppf(0.025, 2 * found) / 2 if found else 0.0
    return {"value": found / hours, "low": low / hours, "high": chi2.ppf(0.975, 2 * found + 2) / 2 / hours, "n": found}


untouched, hours = 0, 0.0
for names, model in zip(left_out, models, strict=False):
    rows, own = tested(names)
    for row, y in zip(rows.itertuples(), own, strict=True):
        found = splices.change_points(y, rate, model=model)
        untouched, hours = untouched + len(found), hours + len(y) / rate / 3600
        for at, score in found.itertuples(index=False):
            print(f"{row.device}, {row.recording}: a change at {at:.1f} s that nobody made, score {score:.1f}")
if models:
    rate_of_alarms = alarms(untouched, hours)
    figures.append({"system": "splices", "variant": "untouched", "metric": "false alarms per hour"} | rate_of_alarms)
    print(f"untouched: {untouched} in {60 * hours:.1f} min, an hour {rate_of_alarms['value']:.1f} ({rate_of_alarms['low']:.1f}-{rate_of_alarms['high']:.1f})")

# %% [markdown]
# ## What can go wrong
#
# Something else changes, and not the device. Decoys, made of the untouched recordings: from some time on a gain of 6 dB, a
# reverberant room; a door that slams; a second that was cut out, so that the device goes on and the speech does not. And another
# speaker: for this, whatever the corpus, simulated recorders are used, each in its place on its day, where from some time on
# another voice speaks.


# %%
def two_voices(number):
    """Return a recording of one device in one place in which another voice goes on, and from when on [s]."""
    rng = np.random.default_rng([p["seed"], 16, number])
    device = recorders.device(list(recorders.DESIGNS)[number % len(recorders.DESIGNS)], 1, seed=1000 + p["seed"] + number)
    day = soundfield.draw_session(rng)
    scene = {"n_samples": 10 * soundfield.SAMPLERATE, "session": day, "place": soundfield.draw_place(day, rng), "side": "test", "rng": rng}
    spoken = [simulate.recording(device, voices=[voice], **scene) / 2**15 for voice in soundfield.VOICES["test"][:2]]
    at = rng.uniform(4, 6)
    y = montage.splice(spoken, soundfield.SAMPLERATE, cuts=[at], fade_s=0.05)
    return soxr.resample(y, soundfield.SAMPLERATE, rate), at


# %%
def raised(y, at, model):
    """Return whether a change is found within half a second of a time, and whether anywhere."""
    found = splices.change_points(y, rate, model=model)["time_s"]
    return (abs(found - at) <= 0.5).any(), len(found) > 0


speakers, each = {"quick": (1, 2), "paper": (3, 6)}[p["size"]]  # recordings for every model
tricked = {"speaker": [raised(*two_voices(i), models[i % len(models)]) for i in range(len(models) * speakers)]} if models else {}
for names, model in zip(left_out, models, strict=False):
    for y in tested(names)[1][:each]:
        for kind in montage.DECOYS if len(y) >= 2 * rate else ():
            tricked.setdefault(kind, []).append(raised(*montage.decoy(y, rate, kind=kind, rng=rng), model))
alarmed = {kind: [*np.sum(rows, axis=0), len(rows)] for kind, rows in tricked.items()}
fooled = pd.DataFrame(alarmed, index=["at the decoy", "anywhere", "recordings"]).T
fooled

# %% [markdown]
# References are recordings of other days. Where a day changes as much as a device does (notebook 12), the strip follows the
# wrong device, while the curve compares a recording with itself. Where days differ little, references can tell more than the
# few seconds on the other side of a cut.
#
# That a change of room is found is no error: another room is another $h$, as another desk is (notebook 12). A change that
# is found says "something in the way from the mouth to the file is different from here on", and whether it is the device
# takes references or other evidence. What is not found proves nothing either: two units of one model in one place may be
# too alike.
#
# ## Results of this notebook

# %%
columns = ["system", "variant", "metric", "value", "low", "high", "n", "chance"]
rows = session.figures(pd.DataFrame(figures, columns=columns).assign(unit="recording"))
own = session.finish(rows)
own[["variant", "metric", "value", "low", "high", "n", "chance"]]

# %% [markdown]
# ## What we saw

# %%
def words(one):
    """Return an F1 with what it is made of, beside chance, as words."""
    better = "above" if one["low"] > one["chance"] else "not told apart from"
    made_of = "F1 {value:.2f} ({low:.2f}-{high:.2f}), precision {precision:.2f}, recall {recall:.2f}".format(**one)
    return f"{made_of}, {better} chance ({one['chance']:.2f})"


def swapped_p(a, b):
    """Return how often F1 differs as much where the counts of each montage change places at random (Yeh 2000)."""
    swap = rng.random((4000, len(a), 1)) < 0.5
    swap[0] = False
    apart = np.abs(summed(np.where(swap, b, a))[0] - summed(np.where(swap, a, b))[0])
    return np.mean(apart > apart[0] - 1e-9)


# %%
said, names = [refused] if refused else [], ("with references", "without references")
made = {shortest_s: of for shortest_s, of in corpora.items() if of}
p_values = holm([swapped_p(*(results[shortest_s, name] for name in names)) for shortest_s in made])
for (shortest_s, of), p_value in zip(made.items(), p_values, strict=True):
    without, informed_by = (one for one in figures if one["variant"].startswith(f"pieces of {shortest_s} s"))
    drawn = rng.integers(len(of), size=(1000, len(of)))
    low, high = np.quantile(np.subtract(*(summed(results[shortest_s, name][drawn])[0] for name in names)), [0.025, 0.975])
    verdict = "are not told apart from none" if p_value > 0.05 or low <= 0 <= high else "help" if low > 0 else "hurt"
    said.append(f"Pieces of {shortest_s} s and more, {len(of)} montages: without references {words(without)}; with references "
                f"{words(informed_by)}. References {verdict}: F1 by {low:+.2f} to {high:+.2f}, p = {p_value:.2g} (swaps, Holm).")  # fmt: skip
if models:
    said.append(f"Untouched: {untouched} false alarms in {60 * hours:.1f} minutes; up to {rate_of_alarms['high']:.1f} an hour are not excluded.")
    said.append("Decoys that raise an alarm in their place: " + ", ".join(f"{kind} {row['at the decoy']} of {row['recordings']}" for kind, row in fooled.iterrows()) + ".")
while len(said) < 3:
    said.append("No splice was made: whether one would be found cannot be told here.")
session.saw(*said)

# %% [markdown]
# ## Exercises
#
# 1. Does a cross-fade hide a cut? Compare the recall of hard and of faded cuts.
# 2. How much sound does the curve need? Draw it from 0.5, 1, 2 and 4 s on either side of a cut.
#
# Worked answers: [solutions](solutions/16_splices.ipynb)
#
# Next: [20 · The questioned recording](20_questioned_recording.ipynb)
