# %% [markdown]
# # 10 · Cited systems
#
# **How do the twelve systems that the paper cites compare, on the same recordings?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | how systems are compared fairly, when a difference is one, what a system may know instead of the device, how to add your own | a corpus; the networks of notebooks 03 to 06, or it trains them | the leaderboard as table and picture, the paper's network against each cited work, device or recording | a minute after notebook 06, a few minutes at size paper |
#
# The paper compares itself with nobody: its twelve references appear in the introduction and in none of its tables.
# Here each of them is an estimator with `fit(excerpts, devices)` and `predict_proba(excerpts)`, judged on the same test
# recordings as the paper's own networks and simple baselines. How they work, algorithm by algorithm, is in
# [10a](10a_cepstra_and_mixtures.ipynb) ([1] to [5]), [10b](10b_spectra_sketches_sparse_codes.ipynb) ([6] to [8],
# baselines) and [10c](10c_noise_residuals_and_one_class.ipynb) ([9] to [12]).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a folder or a CSV of recordings
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
voters: int = 5  # independent sets of test segments

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone

from devid_lib import evaluation, plots
from devid_lib.errors import DevidError
from devid_lib.models import SYSTEMS
from devid_lib.progress import progress
from devid_lib.simulate import CONTROL, RECORDERS, SAMPLERATE, recording
from devid_lib.systems import protocol, registry, residual, spectra
from devid_lib.systems.base import System, softmax
from devid_lib.systems.excerpts import Excerpt, halves
from devid_lib.systems.paper import PaperSystem
from devid_lib.workbook import percent, start
from devid_lib.workbook.folder import save_predictions
from devid_lib.workbook.session import slug

session = start("10_cited_systems", globals())
p = session.params

# %% [markdown]
# ## Inputs

# %%
recordings = session.recordings()
sizes = {name: p[name] for name in ("segment_length", "train_segments", "test_segments", "seed")}
train, tests = protocol.protocol_excerpts(recordings, **sizes)
names, sr = [x.device for x in train], train[0].samplerate
seconds = np.mean([len(x.y) for x in train]) / sr
print(f"{len(train)} training excerpts of {seconds:.1f} s;", ", ".join(f"{len(x)} x {unit}" for unit, x in tests.items()))

# %%
entries = registry.registry(seed=p["seed"])
systems = registry.systems(seed=p["seed"])
works = [entry for entry in entries if entry.year]
baselines = [name for name in systems if name.startswith("baseline")]
print(f"{len(works)} cited works in {len(systems) - len(baselines)} variants, {len(baselines)} baselines")
registry.registry_table().style.hide(axis="index")

# %% [markdown]
# All cited works are *adapted*: rebuilt from an abstract or made for another purpose. The docstring of each class says
# what was changed, for one `help(registry.BlindChannel)`.
#
# ## The protocol: what is cut
#
# A comparison is fair if all systems learn from the same seconds and are asked the same excerpts. A network of notebooks
# 03 to 06 is fitted to $n$ random segments of $L$ samples of every training recording, which last
#
# $$ t = n L / f_s $$
#
# seconds at the sample rate $f_s$. So every other system gets $t$ seconds too, rounded up to whole pieces of three seconds
# from all over the recording. Test excerpts lie at random places. Background models, scalers and selections see training
# recordings only.

# %%
whole = tests["recording"][0]  # one recording serves for both
t = p["train_segments"] * p["segment_length"] / sr
length, n = 3 * sr, int(np.ceil(t / 3))
if n * length < len(whole.y):
    pieces = whole.y[: len(whole.y) // length * length].reshape(-1, length)
    learned = np.concatenate(pieces[np.linspace(0, len(pieces) - 1, n).round().astype(int)])
else:
    learned = whole.y
np.testing.assert_array_equal(protocol.thinned(whole, seconds=t).y, learned)

rng, n_seconds = np.random.default_rng(p["seed"]), int(np.ceil(p["test_segments"] / 10))
if len(whole.y) > sr:
    places = np.sort(rng.integers(len(whole.y) - sr + 1, size=n_seconds))
    for place, excerpt in zip(places, tests["1 s"], strict=False):  # those of the first recording come first
        np.testing.assert_array_equal(excerpt.y, whole.y[place : place + sr])
print(f"Of {len(whole.y) / sr:.1f} s, {len(learned) / sr:.1f} s would be learned from; t = {t:.1f} s.")

# %% [markdown]
# ## The protocol: how a system is judged
#
# It is fitted once and gives every test excerpt $i$ of device $y_i$ a probability for each device. Its accuracy is the
# share of excerpts whose most probable device is $y_i$. Macro F1 gives every device the same weight, and log-loss asks
# how much probability the truth was given,
#
# $$ F_1 = \frac{1}{C} \sum_c \frac{2\, TP_c}{2\, TP_c + FP_c + FN_c}, \qquad \ell = -\frac{1}{N} \sum_i \log P_i(y_i). $$
#
# The probabilities are the systems' own, most of them scores put through a softmax and none calibrated: a system can name
# devices well and have a bad log-loss.

# %%
name = "[7] random spectral features, NN"
system = clone(systems[name]).fit(train, names)
probabilities = system.predict_proba(tests["1 s"])

truth = np.array([x.device for x in tests["1 s"]])
decided = system.classes_[probabilities.argmax(axis=1)]
accuracy = np.mean(decided == truth)
hits = [2 * np.sum((decided == c) & (truth == c)) for c in system.classes_]
f1 = np.mean([hit / (np.sum(decided == c) + np.sum(truth == c)) for hit, c in zip(hits, system.classes_, strict=True)])
loss = -np.mean(np.log(probabilities[np.arange(len(truth)), np.searchsorted(system.classes_, truth)]))
print(f"{name}, one second: accuracy {accuracy:.1%}, macro F1 {f1:.2f}, log-loss {loss:.2f}; chance {1 / len(hits):.1%}")

rows, _ = protocol.judge(systems[name], train, {"1 s": tests["1 s"]})
judged = rows.set_index("metric")["value"]
np.testing.assert_allclose(judged[["accuracy", "macro F1", "log-loss"]], [accuracy, f1, loss], rtol=1e-6)

# %% [markdown]
# Excerpts of one recording are no independent trials, they share its room and its level. So the interval of an accuracy is
# taken over recordings (`evaluation.accuracy`; for whole recordings Clopper and Pearson's, as anywhere in this workbook).
#
# ## The leaderboard
#
# The paper's networks come from this run's earlier notebooks, or are trained now. The posteriors of an excerpt's segments
# are summed: of at most as many as stand for a whole recording in those notebooks and, in one more row, of a few. These
# are other segments than those notebooks decided, so a network's figures differ from theirs as chance will have it.

# %%
networks, fitting = {}, {}
for name in ("softmax", "mlp-1", "mlp-2", "mlp-3", "averaged-mlp-3", "cnn"):
    changes = {"representation": SYSTEMS[name].representation}
    changes |= {"noise": "none"} if SYSTEMS[name].family == "cnn" else {}
    model, history = session.fitted(name, recordings, **changes)
    settings = session.dataset(recordings, **changes).settings
    networks[f"paper {name}"] = PaperSystem(model=model, settings=settings, voters=p["voters"] * p["test_segments"])
    fitting[f"paper {name}"] = history.attrs["seconds"]
    if name == "mlp-3":
        voting = f"paper voting, {p['voters']} x {name}"
        networks[voting] = PaperSystem(model=model, settings=settings, voters=p["voters"])
        fitting[voting] = history.attrs["seconds"]

# %%
judged, everyone = {}, systems | networks
with protocol.gathered_warnings():
    for name in progress(list(everyone), label="judging systems"):
        judged[name] = protocol.judge(everyone[name], train, tests)
scores = pd.concat([rows.assign(system=name) for name, (rows, _) in judged.items()], ignore_index=True)
trained = (scores["metric"] == "fit seconds") & scores["system"].isin(list(fitting))
scores.loc[trained, "value"] = scores.loc[trained, "system"].map(fitting)
probe = session.score_probe(recordings)
asked_whole = scores.query("unit == 'recording' and metric == 'accuracy'").set_index("system").astype({"value": float})


# %%
def shown(board, rows):
    """Format a leaderboard for the eye, with the 95 % intervals of whole recordings."""
    whole = rows.query("unit == 'recording' and metric == 'accuracy'").set_index("system").loc[board.index]
    intervals = [f"{low:.0%} to {high:.0%}" for low, high in zip(whole["low"], whole["high"], strict=True)]
    shares, rest = board.columns[:4], board.columns[4:]
    table = board.assign(**{"95 % interval": intervals})[[*shares, "95 % interval", *rest]]
    return table.style.format("{:.1%}", subset=shares).format("{:.2f}", subset=rest).format("{:.3f}", subset=rest[-1:])


board = protocol.leaderboard(scores)
chance = asked_whole["chance"].iloc[0]
for line in probe[["unit", "value", "low", "high"]].to_dict("records"):
    print(f"leakage probe, {line['unit']}: {line['value']:.1%} ({line['low']:.1%} to {line['high']:.1%}); chance {chance:.1%}")
shown(board, scores)

# %% [markdown]
# The best on whole recordings come first, where these are equal on 3 s, on 1 s, on segments. Interval, macro F1, log-loss
# and seconds an excerpt are of whole recordings. Features are computed once and shared, and who asks first pays for them:
# only large differences in seconds mean something.

# %%
fig, ax = plt.subplots(figsize=(9, 0.26 * len(board) + 1.6))
y, whole = np.arange(len(board)), asked_whole.loc[board.index]
ax.hlines(y, 100 * whole["low"].astype(float), 100 * whole["high"].astype(float), color="0.85", lw=7)
for area, unit in zip((90, 55, 28, 10), ("recording", "3 s", "1 s", "segment"), strict=True):
    ax.scatter(100 * board[unit], y, area, plots.UNITS[unit], ec="white", lw=0.5, label=unit, zorder=3, clip_on=False)
ax.axvline(100 * chance, color="0.25", ls="--", label="chance")
ax.axvline(100 * probe.set_index("unit")["value"]["recording"], color="0.25", ls=":", label="leakage probe")
ax.set(xlim=(0, 100), ylim=(len(board) - 0.4, -0.6), xlabel="accuracy [%]")
ax.set_yticks(y, board.index)
ax.set_title(f"All systems on one protocol, corpus {plots.label(recordings.attrs['name'])}")
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "leaderboard", "Accuracy of every system by length of excerpt; grey: 95 % interval of whole recordings.")

# %% [markdown]
# Small dots are short excerpts; from the small to the large dot is what more time changes. [6] to [9] learn one vector from a
# whole recording and have never met anything as short as a segment (exercise 2). The grey bars show how little
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
# $m$ tests give $m$ chances of a false alarm, so the $p$-values, sorted, are adjusted after Holm. A system stands ahead or
# behind if its interval excludes zero and its adjusted $p$ is not above 5 %.

# %%
reference, unit = "paper mlp-3", "segment"
first = [f"{entry.number} {next(iter(entry.variants))}" for entry in works]
theirs = judged[reference][1][unit]
compared = pd.DataFrame({name: evaluation.paired_difference(judged[name][1][unit], theirs) for name in first}).T
compared["p, Holm"] = evaluation.holm(compared["p"])
compared["verdict"] = [
    evaluation.verdict(line, better="stands ahead", worse="stands behind") if line["p, Holm"] <= 0.05 else "is not told apart"
    for line in compared.to_dict("records")
]
compared.style.format("{:+.1%}", subset=["difference", "low", "high"]).format("{:.4f}", subset=["p", "p, Holm"]).format(
    "{:.0f}", subset="n"
)

# %%
n = int(compared["n"].iloc[0])
least = min(1.0, len(first) * max(2.0 ** (1 - n), 1 / evaluation.FLIPS))
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
# Whoever reaches less than its authors is examined, and the baselines with them: trained on the *first halves* of the
# training excerpts, asked for their *second halves*, where device, room, level and day are all the same. What is reached
# here and lost on another recording belongs to the recording: to its room, its level, its background.

# %%
examined = [*against.index[against["ours"] < against["published"]], *baselines]
first_halves, second_halves = halves(train)
with protocol.gathered_warnings():
    same = pd.concat(
        protocol.judge(systems[name], first_halves, {"recording": second_halves})[0].assign(system=name)
        for name in progress(examined, label="same recording")
    )
same = same[same["metric"] == "accuracy"].set_index("system")
columns = {"same recording": same["value"], "another recording": asked_whole.loc[examined, "value"]}
both = pd.DataFrame(columns).sort_values("another recording", ascending=False)
percent(both.rename_axis("system").reset_index())

# %%
fig, ax = plt.subplots(figsize=(8, 0.32 * len(both) + 1.3))
y = np.arange(len(both))
ax.hlines(y, *(100 * both[column] for column in both), color="0.8", lw=3)
for column, color in zip(both, (plots.ORANGE, plots.BLUE), strict=True):
    ax.scatter(100 * both[column], y, s=60 if column == "same recording" else 25, color=color, label=column, zorder=3, clip_on=False)
ax.axvline(100 * chance, color="0.25", ls="--", label="chance")
ax.set(xlim=(0, 100), ylim=(len(both) - 0.5, -0.5), xlabel="accuracy [%]")
ax.set_yticks(y, both.index)
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "device-or-recording", "Second halves of recordings whose first halves were learned, and other recordings.")

# %% [markdown]
# The grey bar is what is lost on another recording, although twice as many seconds were learned from there. That a
# recording can be known again without any device at all, nine recordings of *one* simulated recorder in nine rooms show:
# there is no device to tell apart, and whoever "identifies" them has recognised the room and its background.

# %%
recorder = next(r for r in RECORDERS if r.name == CONTROL)
rngs = np.random.default_rng(p["seed"]).spawn(9)
samples = [recording(recorder, n_samples=12 * SAMPLERATE, rng=rng).astype(np.float32) / 2**15 for rng in rngs]
copies = [Excerpt(y, SAMPLERATE, f"copy {i}", "1") for i, y in enumerate(samples, 1)]
first_parts, second_parts = halves(copies)
twins = {name: protocol.judge(systems[name], first_parts, {"recording": second_parts})[0] for name in baselines}
twins = pd.concat(rows[rows["metric"] == "accuracy"].assign(system=name) for name, rows in twins.items())
percent(twins[["system", "value", "low", "high", "chance"]])

# %% [markdown]
# A corpus with one session per device, where training and test share room and day, proves nothing about devices by
# accuracy alone, however high. It needs several sessions of every device, held out whole.
#
# ## Your own system
#
# Ten lines: a feature of an excerpt, a way to compare, and the system stands in the table. It stays out of the results of
# the run.


# %%
class SpectralCorrelation(System):
    """Correlation of the mean log spectrum with that of each device, what all have in common taken off."""

    def _fit(self, excerpts, codes):
        x = spectra.feature_matrix(excerpts, spectra.mean_log_spectrum)
        self.common_ = x.mean(axis=0)
        self.templates_ = np.stack([x[codes == k].mean(axis=0) for k in range(len(self.classes_))]) - self.common_

    def _proba(self, excerpts):
        x = spectra.feature_matrix(excerpts, spectra.mean_log_spectrum) - self.common_
        return softmax(10 * residual.correlations(x, self.templates_))


# %%
mine = "yours: spectral correlation"
with_mine = pd.concat([scores, protocol.judge(SpectralCorrelation(), train, tests)[0].assign(system=mine)])
extended = protocol.leaderboard(with_mine)
place = extended.index.get_loc(mine)
print(f"Place {place + 1} of {len(extended)}, with its neighbours in the table:")
shown(extended.iloc[max(0, place - 3) : place + 4], with_mine)

# %% [markdown]
# ## What can go wrong
#
# A recording without a near-silent window, or one shorter than a frame, gets a named warning and an answer all the
# same. A parameter out of its range is refused.

# %%
try:
    clone(systems["[5] supervector SVM"]).set_params(n_components=0).fit(train, names)
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
rows = session.figures(scores.assign(table="leaderboard").to_dict("records"))
is_whole = rows["metric"].eq("accuracy") & rows["unit"].eq("recording")
rows["paper"] = rows["system"].map(registry.published_accuracy).where(is_whole).astype("Float64")
other = asked_whole.loc[examined].assign(metric="other-recording accuracy")
halves_rows = pd.concat([same.assign(metric="same-recording accuracy"), other]).reset_index()
halves_rows = session.figures(halves_rows.assign(table="device or recording").to_dict("records"))
tests_rows = compared.rename(columns={"difference": "value"}).rename_axis("system").reset_index()
tests_rows = tests_rows.assign(metric=f"difference to {reference}", unit=unit)[["system", "unit", "metric", "value", "low", "high", "n"]]
own = session.finish(rows, halves_rows, session.figures(tests_rows.to_dict("records")), probe)
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
lost = both["same recording"] - both["another recording"]
rooms = twins[twins["low"] > twins["chance"]]

# %%
session.saw(
    f"The networks learned from {p['train_segments']} random segments, all other systems from {seconds:.1f} s of each of "
    f"{len(train)} training recordings. Of {len(cited)} cited systems and variants {len(highest)} share the highest figure on whole recordings, {cited['recording'].max():.1%}, which with "
    f"{len(tests['recording'])} recordings may be anything from {least_sure['low']:.0%} to {least_sure['high']:.0%}; the lowest is "
    f"{cited['recording'].min():.1%} ({cited['recording'].idxmin()}).",
    f"Of {len(first)} works, {unit} by {unit}: ahead of {reference} ({board.loc[reference, unit]:.1%}) stand "
    f"{named(verdicts['stands ahead'])}; behind it {named(verdicts['stands behind'])}; not told apart from it "
    f"{named(verdicts['is not told apart'])}.",
    f"For {len(against)} variants there is a published figure. In our interval lie {placed('within')}, above it "
    f"{placed('above')}, below it {placed('below')}; of {placed('a lower bound')} only a lower bound is printed.",
    f"The {len(both)} examined systems name {both['same recording'].mean():.1%} of second halves of recordings that they know, "
    f"on average, and {both['another recording'].mean():.1%} of other recordings; "
    + (f"{lost.idxmax()} loses most, {100 * lost.max():.0f} points." if lost.max() > 0 else "none of them loses."),
    f"Of {len(baselines)} baselines {len(rooms)} tell nine recordings of one and the same recorder apart (intervals above chance)"
    + (f": {', '.join(rooms['system'])}. They can be right by the room alone." if len(rooms) else "."),
)

# %% [markdown]
# ## Exercises
#
# 1. Take the first difference of the mean log spectrum in `SpectralCorrelation`. Does it name more segments? Test it.
# 2. [7] learns one vector from a whole training recording, and is asked for single segments. Let it learn from pieces of
#    one second instead. What does that change, and for which length of excerpt?
#
# Worked answers: [solutions](solutions/10_cited_systems.ipynb)
#
# Next: [10a · Cepstra and mixtures](10a_cepstra_and_mixtures.ipynb)
