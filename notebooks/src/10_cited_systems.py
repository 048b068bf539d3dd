# %% [markdown]
# # 10 · Cited systems
#
# **How do the twelve systems that the paper cites compare, on the same recordings?**
#
# | | |
# |---|---|
# | you will learn | how systems are compared fairly, how scores become probabilities, when a difference is one, what a system may know instead of the device, how to add your own |
# | it needs | a corpus |
# | it makes | the leaderboard as table and picture, the paper's network against each cited work, device or recording |
# | it takes | half a minute; at size `paper` some minutes |
#
# The paper compares itself with nobody: its twelve references appear in the introduction and in none of its tables.
# Here each of them is an estimator with `fit(excerpts, devices)` and `predict_proba(excerpts)`, judged on the same
# recordings as the paper's own networks and simple baselines. How they work, algorithm by algorithm, is in
# [10a](10a_cepstra_and_mixtures.ipynb) ([1] to [5]), [10b](10b_spectra_sketches_sparse_codes.ipynb) ([6] to [8],
# baselines) and [10c](10c_noise_residuals_and_one_class.ipynb) ([9] to [12]).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.special
from sklearn.base import clone

from devid_lib import evaluation, plots, training
from devid_lib.errors import DevidError
from devid_lib.intervals import FLIPS
from devid_lib.progress import progress
from devid_lib.systems import protocol, registry, residual, spectra
from devid_lib.systems.base import System
from devid_lib.systems.excerpts import whole_recordings
from devid_lib.systems.paper import PaperNetwork
from devid_lib.workbook import differences, percent, signed, start
from devid_lib.workbook.folder import save_predictions
from devid_lib.workbook.session import slug

session = start("10_cited_systems", globals())
p = session.params

# %% [markdown]
# ## Inputs

# %%
recordings = session.recordings()
entries = registry.registry(seed=p["seed"])
systems = registry.systems(seed=p["seed"])
works = [entry for entry in entries if entry.year]
baselines = [name for name in systems if name.startswith("baseline")]
print(f"{len(works)} cited works in {len(systems) - len(baselines)} variants, {len(baselines)} baselines")
table = [(e.number, e.citation, e.year or "", e.reported, "; ".join(e.variants)) for e in entries]
pd.DataFrame(table, columns=["", "citation", "year", "reported", "variants"]).style.hide(axis="index")

# %% [markdown]
# All cited works are *adapted*: rebuilt from an abstract or made for another purpose. The docstring of each class says
# what was changed, for one `help(registry.BlindChannel)`.
#
# ## The protocol: equal seconds, equal lengths
#
# A comparison is fair if all systems learn from the same seconds and are asked the same excerpts. Of every training
# recording $t$ seconds are learned, in pieces of three seconds from all over its first four fifths; the last fifth is kept
# back. Test excerpts lie at random places: single segments of $L$ samples as in notebooks 03 to 09, one second, three
# seconds, and for a whole recording $t$ seconds from all over it.
#
# A statistic of three seconds scatters less than one of a segment. A system that is asked three seconds therefore learns
# from the same $t$ seconds cut into pieces of three seconds,
#
# $$ n = \lfloor t / \ell \rfloor \text{ pieces of length } \ell \text{ each}, \qquad \ell \in \{L / f_s,\; 1\text{ s},\; 3\text{ s},\; t\}, $$
#
# and is fitted anew for every length. Networks take segments and nothing else; of a longer excerpt all segments vote.

# %%
t = {"quick": 6.0, "paper": 30.0}[p["size"]]
sizes = {name: p[name] for name in ("segment_length", "test_segments", "seed")}
material = protocol.protocol_material(recordings, learned_s=t, **sizes)

first = next(whole_recordings(recordings, "train"))
sr, y = first.samplerate, first.y[: max(round(0.8 * len(first.y)), min(len(first.y), 2 * p["segment_length"]))]
length, n = 3 * sr, int(np.ceil(t / 3))
if n * length < len(y):
    rows = y[: len(y) // length * length].reshape(-1, length)
    y = np.concatenate(rows[np.linspace(0, len(rows) - 1, n).round().astype(int)])
if (recordings.query("split == 'train'")["device"] == first.device).sum() > 1:  # an only one is cut in two, a half held out
    np.testing.assert_array_equal(material.learned["recording"][0].y, y)
    np.testing.assert_array_equal(material.learned["3 s"][0].y, y[:length])

# %%
counted = {"learned": material.learned, "asked": material.tests}
table = pd.DataFrame({what: {unit: len(x) for unit, x in parts.items()} for what, parts in counted.items()})
table["seconds each"] = [np.median([len(x.y) for x in material.tests[unit]]) / sr for unit in table.index]
table["learned [s]"] = [sum(len(x.y) for x in material.learned[unit]) / sr for unit in table.index]
table["held out to calibrate"] = [int(material.held_out[unit].sum()) for unit in table.index]
table.style.format("{:.2f}", subset=["seconds each"]).format("{:.0f}", subset=["learned [s]"])

# %% [markdown]
# Background models, scalers and selections see what is learned, nothing else.
#
# ## The protocol: scores become probabilities
#
# Distances, votes, likelihood ratios, residuals: every system has scores $s_c$ on a scale of its own. A *temperature* $T$
# puts all of them on one (Guo et al., 2017):
#
# $$ P(c \mid x) = \frac{e^{s_c / T}}{\sum_k e^{s_k / T}}, \qquad T = \arg\min_T\; -\frac{1}{N} \sum_i \sum_c q_{ic} \log P(c \mid x_i), \qquad
# q_{ic} = \begin{cases} \frac{m + 1}{m + 2} & c = y_i \\ \frac{1}{(m + 2)(C - 1)} & \text{else} \end{cases} $$
#
# It must not be fitted to what the system has learned (there it is too sure) nor to the test. So one training session or
# recording of each of the $C$ devices is held out, and $T$ fitted to what a system says of them that has not heard them.
# Then it is fitted to everything and keeps this $T$, a cautious one, since the first fit has learned less. Each length
# has its own. The targets $q$ are Laplace's: $m$ recordings held out, all named right, do not show that the next one will be.

# %%
name, unit = "[4] SVM, MFCC", "1 s"
learned, out = material.learned[unit], material.held_out[unit]
known, unheard = ([x for x, o in zip(learned, out, strict=True) if o == side] for side in (False, True))
system = clone(systems[name]).fit(known, [x.device for x in known])
of_many = spectra.evenly(np.arange(len(unheard)), max(protocol.MOST_HELD_OUT, len(system.classes_)))  # are enough
unheard = [unheard[i] for i in of_many]
scores = system.decision_function(unheard)
codes = np.searchsorted(system.classes_, [x.device for x in unheard])

m = len({(x.device, x.recording) for x in unheard})
q = np.full(scores.shape, 1 / (m + 2) / (scores.shape[1] - 1))
q[np.arange(len(q)), codes] = (m + 1) / (m + 2)


def log_loss(scores, q, T):
    """Return the mean cross-entropy of q and of the probabilities at temperature T [nat]."""
    return -np.mean(np.sum(q * scipy.special.log_softmax(scores / T, axis=1), axis=1))


middle = np.median(scores.max(axis=1) - scores.mean(axis=1))
temperatures = middle * np.geomspace(1e-2, 1e2, 2001)
T = temperatures[np.argmin([log_loss(scores, q, one) for one in temperatures])]
np.testing.assert_allclose(system.calibrate(unheard, [x.device for x in unheard]).temperature_, T, rtol=0.02)

# %% [markdown]
# What does the temperature that held-out recordings ask for do to *test* recordings? Below, the log-loss of the true device
# at every temperature. Left of the minimum the system is too sure and pays for its errors; far to the right it says
# that all devices are equally likely. The targets $q$, more careful than the truth, move $T$ to the right.

# %%
final = clone(systems[name]).fit(learned, [x.device for x in learned])
asked = material.tests[unit]
truth = np.searchsorted(final.classes_, [x.device for x in asked])
test_scores, hit = final.decision_function(asked), np.eye(len(final.classes_))
curves = {"held-out recordings": (scores, hit[codes]), "test recordings": (test_scores, hit[truth])}
fig, ax = plt.subplots(figsize=(8, 3.6))
for (what, (s, one_hot)), color in zip(curves.items(), (plots.ORANGE, plots.BLUE), strict=True):
    ax.plot(temperatures, [log_loss(s, one_hot, one) for one in temperatures], color=color, label=what)
ax.axvline(T, color="0.3", lw=1, label="T, from what was held out")
ax.axhline(np.log(len(hit)), color="0.3", ls="--", label="all devices equally likely")
ax.set(xscale="log", ylim=(0, 2 * np.log(len(hit))), xlabel="temperature", ylabel="log-loss [nat]", title=f"{name}, {unit}")
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "temperature", "Log-loss by temperature, of recordings held out and of test recordings.")

# %% [markdown]
# ## The protocol: what is counted
#
# Accuracy is the share of excerpts whose most probable device is the true one, $y_i$. Macro F1 gives every device the same
# weight. Log-loss asks how much probability the truth was given. There was $\log C$ to know; the multiclass Cllr (Brümmer
# and van Leeuwen, 2006) is the share left unknown: 0 is perfect, 1 worth nothing, and above 1 the probabilities mislead.
#
# $$ F_1 = \frac{1}{C} \sum_c \frac{2\, TP_c}{2\, TP_c + FP_c + FN_c}, \qquad \ell = -\frac{1}{N} \sum_i \log P_i(y_i), \qquad
# C_{\mathrm{llr}} = \frac{1}{C \log C} \sum_c \frac{-1}{N_c} \sum_{i:\, y_i = c} \log P_i(c) $$

# %%
probabilities = scipy.special.softmax(test_scores / T, axis=1)
decided, C = probabilities.argmax(axis=1), len(final.classes_)
accuracy = np.mean(decided == truth)
hits = [2 * np.sum((decided == c) & (truth == c)) for c in range(C)]
f1 = np.mean([hit / max(1, np.sum(decided == c) + np.sum(truth == c)) for c, hit in enumerate(hits)])
cost = -np.log(probabilities[np.arange(len(truth)), truth])
cllr = np.mean([cost[truth == c].mean() for c in set(truth)]) / np.log(C)

judged = {name: protocol.judge(systems[name], material)}
rows = judged[name][0].query("unit == @unit").set_index("metric")["value"]
np.testing.assert_allclose(rows[["accuracy", "macro F1"]], [accuracy, f1], rtol=1e-6)
np.testing.assert_allclose(rows[["log-loss", "Cllr"]], [cost.mean(), cllr], rtol=0.02)  # our T is from a grid
print(f"{name}, {unit}: accuracy {accuracy:.1%} (chance {1 / C:.1%}), macro F1 {f1:.2f}, log-loss {cost.mean():.2f}, Cllr {cllr:.2f}")

# %% [markdown]
# Excerpts of one recording are no independent trials, they share its room and its level. So the interval of an accuracy is
# taken over recordings (`evaluation.accuracy`; for whole recordings Clopper and Pearson's, as anywhere in this workbook).
#
# ## The leaderboard
#
# The paper's perceptron learns the same pieces, from the noise of their segments as published; at size `paper` so do its
# softmax, softmax on windowed spectra and the filter bank of notebook 05. Here they have fewer segments than in the
# notebooks before, so their figures differ from those.

# %%
made = {"segment_length": p["segment_length"], **session.wavelet}
made["scale"] = training.feature_scale("default", p["segment_length"])
extracted, windowed = made | {"noise": "wavelet", "window": "none"}, made | {"noise": "none", "window": "hann"}
chosen = {"paper mlp-3": ("mlp-3", extracted)}
if p["size"] == "paper":
    chosen |= {"paper softmax": ("softmax", extracted), "softmax, window": ("softmax", windowed)}
    chosen |= {"filter bank": ("filterbank", windowed)}
networks = {
    name: PaperNetwork(network=network, settings=settings, random_state=p["seed"]) for name, (network, settings) in chosen.items()
}
everyone = systems | networks
with protocol.gathered_warnings():
    for name in progress([name for name in everyone if name not in judged], label="judging systems"):
        judged[name] = protocol.judge(everyone[name], material)
scores = pd.concat([judged[name][0].assign(system=name) for name in everyone], ignore_index=True)
probe = session.score_probe(recordings)
asked_whole = scores.query("unit == 'recording' and metric == 'accuracy'").set_index("system").astype({"value": float})


# %%
def shown(board, rows):
    """Format a leaderboard for the eye, with the 95 % intervals of whole recordings."""
    whole = rows.query("unit == 'recording' and metric == 'accuracy'").set_index("system").loc[board.index]
    intervals = [f"{low:.0%} to {high:.0%}" for low, high in zip(whole["low"], whole["high"], strict=True)]
    shares, rest = board.columns[:4], board.columns[4:]
    table = board.assign(**{"95 % interval": intervals})[[*shares, "95 % interval", *rest]]
    return table.style.format("{:.1%}", subset=shares).format("{:.2f}", subset=rest).format("{:.4f}", subset=rest[-1:])


board = protocol.leaderboard(scores)
chance = asked_whole["chance"].iloc[0]
for line in probe[["unit", "value", "low", "high"]].to_dict("records"):
    print(f"leakage probe, {line['unit']}: {line['value']:.1%} ({line['low']:.1%} to {line['high']:.1%}); chance {chance:.1%}")
shown(board, scores)

# %% [markdown]
# The best on whole recordings come first; of equal ones the best on 3 s, on 1 s, on segments. The interval is that of whole
# recordings; macro F1, log-loss, Cllr and seconds an excerpt are those of three seconds, where there are errors to measure.
# Features are computed once and shared, and who asks first pays for them: only large differences in seconds mean something.

# %%
fig, ax = plt.subplots(figsize=(9, 0.26 * len(board) + 1.6))
y, whole = np.arange(len(board)), asked_whole.loc[board.index]
ax.hlines(y, 100 * whole["low"].astype(float), 100 * whole["high"].astype(float), color="0.85", lw=7)
for area, unit in zip((90, 55, 28, 10), ("recording", "3 s", "1 s", "segment"), strict=True):
    ax.scatter(100 * board[unit], y, area, color=plots.UNITS[unit], ec="white", lw=0.5, label=unit, zorder=3, clip_on=False)
ax.axvline(100 * chance, color="0.25", ls="--", label="chance")
ax.axvline(100 * probe.set_index("unit")["value"]["recording"], color="0.25", ls=":", label="leakage probe")
ax.set(xlim=(0, 100), ylim=(len(board) - 0.4, -0.6), xlabel="accuracy [%]")
ax.set_yticks(y, board.index)
ax.set_title(f"All systems on one protocol, corpus {plots.label(recordings.attrs['name'])}")
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "leaderboard", "Accuracy of every system by length of excerpt; grey: 95 % interval of whole recordings.")

# %% [markdown]
# Small dots are short excerpts; from the small to the large dot is what more time changes. The grey bars show how little
# whole recordings tell when there are few of them. Chance and the leakage probe (six trivial numbers) are for whole
# recordings.
#
# ## Which differences are differences?
#
# Neighbours of a sorted table always differ by little. So each cited work is compared with *one* system that was chosen
# beforehand: the paper's perceptron with three hidden layers. Of each work the variant that comes first in the registry
# counts, on single segments, which is what the paper decides by. For every test recording $r$ take the difference
# $d_r$ of the two accuracies. If the systems were alike, its sign would be a toss of a coin:
#
# $$ p = \Pr\left(\left|\textstyle\sum_r \pm d_r\right| \ge \left|\sum_r d_r\right|\right), \qquad
#    p_{(i)}^{\text{Holm}} = \max_{j \le i}\, \min(1,\, (m - j + 1)\, p_{(j)}) $$
#
# $m$ tests give $m$ chances of a false alarm, so the $p$-values, sorted, are adjusted after Holm, and an interval reaches
# to zero where the adjusted $p$ is above 5 %. A system stands ahead or behind if its interval excludes zero.

# %%
reference, unit = "paper mlp-3", "segment"
first = [f"{entry.number} {next(iter(entry.variants))}" for entry in works]
theirs = judged[reference][1][unit]
pairs = {name: (judged[name][1][unit], theirs) for name in first}
compared = evaluation.compared(pairs, names=["system"], better="stands ahead", worse="stands behind")
signed(compared)

# %%
n = int(compared["n"].iloc[0])
least = min(1.0, len(first) * max(2.0 ** (1 - n), 1 / FLIPS))
print(f"{n} recordings and {len(first)} tests: no adjusted p can be below {least:.2g}.")
if least > 0.05:
    print("So nothing can be told apart here, however large the difference.")

# %% [markdown]
# ## Against their own figures
#
# What the authors report on their own recordings, beside what the same idea reaches here on whole recordings. Their
# figure is *above*, *below* or *within* our interval; of one printed as a lower bound (>) only *above* can be said. These
# are other devices, and other numbers of them.

# %%
against = asked_whole[["value", "low", "high"]].astype(float).rename(columns={"value": "ours"})
against.insert(0, "published", against.index.map(registry.published_accuracy))
against = against.dropna(subset="published")
bound = against.index.str.split().str[0].isin([entry.number for entry in works if entry.reported.startswith(">")])
cases = [against["published"] > against["high"], bound, against["published"] < against["low"]]
against["published is"] = np.select(cases, ["above", "a lower bound", "below"], "within")
printed = [f"{'> ' * is_bound}{100 * value:.4g}%" for value, is_bound in zip(against["published"], bound.tolist(), strict=True)]
percent(against.assign(published=printed).rename_axis("system").reset_index())

# %% [markdown]
# ## Device, or recording?
#
# All systems are also asked for seconds of the last fifth of their *training* recordings. They have not learned these, but
# device, room, level, voice and day are those that they have. What is reached there and lost on test recordings belongs to the
# recording: to its room, its level, its background.

# %%
second = scores[scores["unit"] == protocol.SAME].astype({"value": float}).set_index("system")
columns = {"same recording": "same-recording accuracy", "another recording": "accuracy"}
both = pd.DataFrame({title: second.loc[second["metric"] == metric, "value"] for title, metric in columns.items()})
both["lost"] = both["same recording"] - both["another recording"]
both = both.sort_values("another recording", ascending=False)
percent(both.rename_axis("system").reset_index())

# %%
fig, ax = plt.subplots(figsize=(8, 0.26 * len(both) + 1.3))
y = np.arange(len(both))
ax.hlines(y, *(100 * both[column] for column in columns), color="0.8", lw=3)
for column, color in zip(columns, (plots.ORANGE, plots.BLUE), strict=True):
    ax.scatter(100 * both[column], y, s=60 if column == "same recording" else 25, color=color, label=column, zorder=3, clip_on=False)
ax.axvline(100 * chance, color="0.25", ls="--", label="chance")
ax.set(xlim=(0, 100), ylim=(len(both) - 0.5, -0.5), xlabel=f"accuracy, {protocol.SAME} [%]")
ax.set_yticks(y, both.index)
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "device-or-recording", "Unheard seconds of the training recordings, and seconds of other recordings.")

# %% [markdown]
# The grey bar is what is lost on another recording. A corpus with one session per device cannot show it: training and test
# share room and day, and even perfect accuracy proves nothing about devices. It needs several sessions of every device,
# held out whole: see [notebook 12](12_across_sessions.ipynb). And with `corpus = "simulated-control"`, nine
# copies of one unit, whoever identifies anything has recognised rooms.
#
# ## Your own system
#
# Ten lines: a feature of an excerpt, scores, and the system stands in the table, calibrated like the others. It stays out
# of the results of the run.


# %%
class SpectralCorrelation(System):
    """Correlation of the mean log spectrum with that of each device, what all have in common taken off."""

    def _fit(self, excerpts, codes):
        x = spectra.feature_matrix(excerpts, spectra.mean_log_spectrum)
        self.common_ = x.mean(axis=0)
        self.templates_ = np.stack([x[codes == k].mean(axis=0) for k in range(len(self.classes_))]) - self.common_

    def _scores(self, excerpts):
        return residual.correlations(spectra.feature_matrix(excerpts, spectra.mean_log_spectrum) - self.common_, self.templates_)


# %%
mine = "yours: spectral correlation"
with_mine = pd.concat([scores, protocol.judge(SpectralCorrelation(), material)[0].assign(system=mine)])
extended = protocol.leaderboard(with_mine)
place = extended.index.get_loc(mine)
print(f"Place {place + 1} of {len(extended)}, with its neighbours in the table:")
shown(extended.iloc[max(0, place - 3) : place + 4], with_mine)

# %% [markdown]
# ## What can go wrong
#
# A recording without a near-silent window, or one shorter than a frame, gets a named warning and an answer all the
# same. A parameter out of its range is refused, and so is a system whose score is no number: a careless one would
# name the first device.

# %%
class Careless(SpectralCorrelation):
    """Takes a logarithm of what may be negative."""

    def _scores(self, excerpts):
        with np.errstate(invalid="ignore"):
            return np.log(super()._scores(excerpts))


names = [x.device for x in material.learned["3 s"]]
for system in (clone(systems["[5] supervector SVM"]).set_params(n_components=0), Careless()):
    try:
        print(system.fit(material.learned["3 s"], names).predict(material.tests["3 s"]))
    except DevidError as error:
        print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
apart = scores["metric"] == "same-recording accuracy"
rows = session.figures(scores[~apart].assign(table="leaderboard").to_dict("records"))
is_whole = rows["metric"].eq("accuracy") & rows["unit"].eq("recording")
rows["paper"] = rows["system"].map(registry.published_accuracy).where(is_whole).astype("Float64")
same_rows = session.figures(scores[apart].assign(table="device or recording").to_dict("records"))
of_tests = differences(compared, system=first, variant=f"against {reference}", unit=unit)
own = session.finish(rows, same_rows, session.figures(of_tests), probe)
for name, (_, tables) in judged.items():
    save_predictions(session.run, session.notebook, slug(name), tables["recording"])
own[["system", "unit", "metric", "value", "low", "high"]].head(6)

# %% [markdown]
# ## What we saw


# %%
def named(found):
    """Return names of systems as an enumeration, their numbers alone where they are many."""
    found = list(found)
    found = found if len(found) < 4 else list(dict.fromkeys(name.split()[0] for name in found))
    return ", ".join(found) or "none"


def placed(where):
    """Return how many published figures lie there, and of which works."""
    found = against.index[against["published is"] == where]
    return f"{len(found)}" + f" ({', '.join(dict.fromkeys(found.str.split().str[0]))})" * (len(found) > 0)


verdicts = {text: compared.index[compared["verdict"] == text] for text in ("stands ahead", "stands behind", "is not told apart")}
cited = board[board.index.str.startswith("[")]
highest = cited.index[cited["recording"] == cited["recording"].max()]
least_sure = asked_whole.loc[highest[0]]
noise, raw = (judged[f"[12] centroids, {source}, SVM"][1]["3 s"] for source in ("noise", "raw"))
extraction = evaluation.paired_difference(noise, raw)
told = evaluation.verdict(extraction, better="is ahead of", worse="is behind").replace("apart", "apart from")
gain = np.subtract(*(registry.PUBLISHED[f"[12] centroids, {source}, SVM"] for source in ("noise", "raw")))

# %%
session.saw(
    f"All systems, the networks too, learned the same {table['learned [s]'].max():.0f} s of {(recordings['split'] == 'train').sum()} training "
    f"recordings. Of {len(cited)} cited systems and variants {len(highest)} share the highest figure on whole recordings, {cited['recording'].max():.1%}, which with "
    f"{len(material.tests['recording'])} recordings may be anything from {least_sure['low']:.0%} to {least_sure['high']:.0%}; the lowest is "
    f"{cited['recording'].min():.1%} ({cited['recording'].idxmin()}).",
    f"Of {len(first)} works, {unit} by {unit}: ahead of {reference} ({board.loc[reference, unit]:.1%}) stand "
    f"{named(verdicts['stands ahead'])}; behind it {named(verdicts['stands behind'])}; not told apart from it "
    f"{named(verdicts['is not told apart'])}.",
    f"Calibrated on held-out training recordings, {(board['Cllr'] < 1).sum()} of {len(board)} systems know something of three seconds of a test "
    f"recording (Cllr below 1), {board['Cllr'].idxmin()} most ({board['Cllr'].min():.2f}).",
    f"For {len(against)} variants there is a published figure. In our interval lie {placed('within')}, above it "
    f"{placed('above')}, below it {placed('below')}; of {placed('a lower bound')} only a lower bound is printed.",
    f"[12] on the noise {told} [12] on the raw recording, 3 s by 3 s: {100 * extraction['difference']:+.1f} points "
    f"({100 * extraction['low']:+.1f} to {100 * extraction['high']:+.1f}). Its authors found {100 * gain:+.1f}.",
    f"On average the systems name {both['same recording'].mean():.1%} of unheard seconds of the recordings that they know, "
    f"and {both['another recording'].mean():.1%} of seconds of other recordings; "
    + (f"{both['lost'].idxmax()} loses most, {100 * both['lost'].max():.0f} points." if both["lost"].max() > 0 else "none of them loses."),
)

# %% [markdown]
# ## Exercises
#
# 1. Take the first difference of the mean log spectrum in `SpectralCorrelation`. Does it name more segments? Test it.
# 2. What do matched lengths matter? Let the baseline `mean log spectrum, 1-NN` learn from whole recordings whatever it is
#    asked for, by overriding its method `learns`. For which length of excerpt does that hurt?
#
# Worked answers: [solutions](solutions/10_cited_systems.ipynb)
#
# Next: [10a · Cepstra and mixtures](10a_cepstra_and_mixtures.ipynb)
