# %% [markdown]
# # 08 · Confusion matrix
#
# **Which devices are confused, and how sure are we?**
#
# | | |
# |---|---|
# | you will learn | precision, recall, F1; how to read a confusion matrix; why an interval over segments is too narrow; what calibration is |
# | it needs | a corpus; the perceptron of notebook 04, or it trains it |
# | it makes | table VI, confusion matrices, a simulation of intervals, a reliability diagram |
# | it takes | seconds after notebook 04 |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
voters: int = 5  # independent sets of test segments

# %%
import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from devid_lib import evaluation, plots
from devid_lib.errors import DevidError
from devid_lib.workbook import percent, show, start
from devid_lib.workbook.paper import PAPER_TABLE_VI

session = start("08_confusion_matrix", globals())
p = session.params

# %% [markdown]
# ## Inputs

# %%
recordings = session.recordings()
predictions = session.predictions("mlp-3", recordings)
segments = evaluation.voted(predictions, unit="segment")  # the first set of test segments
names = evaluation.device_names(segments)
print(f"{len(segments)} decisions between {len(names)} devices")
segments.iloc[:3, :8].round(3)

# %% [markdown]
# ## Counting
#
# Entry $C_{ab}$ of the confusion matrix is the number of segments of device $a$ for which device $b$ was decided:
#
# $$ C_{ab} = \sum_i 1\{y_i = a\} \cdot 1\{\hat y_i = b\}, \qquad \hat y_i = \arg\max_c P(y = c \mid x_i) $$

# %%
true = [names.index(device) for device in segments["device"]]
decided = segments[names].to_numpy().argmax(axis=1)
C = np.zeros((len(names), len(names)), int)
for a, b in zip(true, decided, strict=True):
    C[a, b] += 1

np.testing.assert_array_equal(C, confusion_matrix(segments["device"], evaluation.decisions(segments), labels=names))
pd.DataFrame(C, names, names).iloc[:9, :9]

# %% [markdown]
# A row is the true device, a column the decision. scikit-learn's `ConfusionMatrixDisplay` draws the counts as shares of
# their row: each row adds up to 100 %. The darker a cell, the larger the share, and the shade follows its square root, so
# that a few percent show. A classifier without errors has a dark diagonal on white: **look for shaded cells off the
# diagonal**. A pair of them, mirrored, are two devices taken for each other; a shaded row is a device taken for many
# others, a shaded column one that others are taken for.

# %%
ax = plots.confusion_matrix(segments)
ax.set_title("Single segments")
session.save_figure(ax, "confusion", "Confusion matrix per segment, after figure 6 of the paper.")

# %% [markdown]
# The largest of those cells, each beside its mirror image, which tells an exchange from a one-way street:

# %%
share = pd.DataFrame(C / np.maximum(C.sum(axis=1, keepdims=True), 1), names, names)
pairs = evaluation.confused_pairs(segments, n=6)
pairs["the other way"] = [share.loc[b, a] for a, b in zip(pairs["true"], pairs["decided"], strict=True)]
percent(pairs)

# %% [markdown]
# Are units of one model taken for each other? Where the corpus says of which model a device is, count the wrong decisions
# on devices that have a twin, and among them those that name the twin. If errors fell on all other devices alike, it
# would be the share of twins among them.

# %%
model = recordings.groupby("device")["model"].first().reindex(names).fillna("").to_numpy()
twins = (model[:, None] == model) & (model != "") & ~np.eye(len(names), dtype=bool)
paired = twins.any(axis=1)  # devices that have a twin
wrong = C[paired].sum() - np.diag(C)[paired].sum()
by_chance = twins[paired].sum() / max(paired.sum() * (len(names) - 1), 1)
twin_share = C[twins].sum() / wrong if wrong else np.nan
said_of_twins = "No two devices are said to be of one model."
if paired.any():
    said_of_twins = f"{paired.sum()} devices have a twin of the same model; no segment of theirs is named wrong."
if wrong:
    said_of_twins = f"{paired.sum()} devices have a twin of the same model: {C[twins].sum()} of {wrong} wrong decisions on "
    said_of_twins += f"their segments name it ({twin_share:.0%}; errors that fall on all others alike: {by_chance:.0%})."
print(said_of_twins)

# %% [markdown]
# ## Table VI
#
# *Precision* is the share of the decisions for a device that are right: a column's diagonal cell over the column's sum.
# *Recall* is the share of its segments that are found: the same cell over the row's sum. $F_1$ is their harmonic mean:
#
# $$ \text{precision}_b = \frac{C_{bb}}{\sum_a C_{ab}} \qquad \text{recall}_a = \frac{C_{aa}}{\sum_b C_{ab}} \qquad
# F_1 = \frac{2 \cdot \text{precision} \cdot \text{recall}}{\text{precision} + \text{recall}} $$

# %%
hits = np.diag(C)
precision = hits / np.maximum(C.sum(axis=0), 1)
recall = hits / np.maximum(C.sum(axis=1), 1)
f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)

report = evaluation.device_report(segments)
np.testing.assert_allclose(np.stack([precision, recall, f1], axis=1), report[["precision", "recall", "f1"]])
average = evaluation.average_report(report)
pd.concat([report, average.to_frame("average").T]).astype({"n": int}).round(2)

# %% [markdown]
# The paper's table, for its own nine recorders:

# %%
PAPER_TABLE_VI

# %% [markdown]
# ## When segments vote
#
# Voting takes away errors that scatter. Where most segments of a device name the same wrong one, it spreads the error.

# %%
votes = evaluation.voted(predictions, unit=f"vote{p['voters']}")
ax = plots.confusion_matrix(votes)
ax.set_title(f"Votes of {p['voters']} segments")
session.save_figure(ax, "confusion-votes", f"Confusion matrix when {p['voters']} segments vote.")

# %% [markdown]
# ## How sure are we?
#
# Segments of one recording share its room, its speaker, its day. Two intervals treat them as if they did not: Clopper
# and Pearson's, which takes every segment for an independent trial, and a $t$ interval whose groups are the segments. The
# third takes *recordings* as its groups: the spread between their accuracies gives the standard error, and there are as
# many observations as recordings (`evaluation.logit_t_interval`).

# %%
good = evaluation.correct(segments)
recording = evaluation.recording_names(segments)
intervals = pd.DataFrame(
    {
        "segments, Clopper-Pearson": evaluation.clopper_pearson(good.sum(), len(good)),
        "segments, logit-t": evaluation.logit_t_interval(good, range(len(good))),
        "recordings, logit-t": evaluation.logit_t_interval(good, recording),
    },
    index=["low", "high"],
).T
intervals["width"] = intervals["high"] - intervals["low"]
intervals.style.format("{:.1%}")

# %% [markdown]
# Which one is right? Here nobody knows the true accuracy. In a simulation it is known. Recording $r$ has its own accuracy
# $a_r$, drawn from a beta distribution with mean $a$ and standard deviation $\sigma$; its segments are right with
# probability $a_r$. A 95 % interval should hold $a$ in 95 of 100 such tests. Here $a$ is the accuracy of this run (kept
# between 60 and 95 %), and $\sigma$ goes up to that of this run, at least to 0.2.
#
# How far do the recordings of this run differ? Of the variance between their accuracies, the mean of $a_r (1 - a_r) / n$
# comes from having only $n$ segments of each. That is $(a (1 - a) - \sigma^2) / n$; the rest is $\sigma^2$.

# %%
by_recording = pd.Series(good).groupby(recording).agg(["mean", "size"])
a, n = good.mean(), by_recording["size"].mean()
beyond = (by_recording["mean"].var() - a * (1 - a) / n) / (1 - 1 / n) if min(len(by_recording), n) > 1 else 0.0
here = float(np.sqrt(max(beyond, 0)))
print(f"accuracies of the {len(by_recording)} recordings: mean {a:.2f}, standard deviation {here:.2f}")


# %%
def coverage(sigma, *, n_recordings, n_segments, mean, repeats=300):
    """Return how often the true accuracy lies in the interval over segments, and in that over recordings."""
    rng, held = np.random.default_rng(p["seed"]), []
    groups = np.repeat(range(n_recordings), n_segments)
    strength = mean * (1 - mean) / max(sigma, 1e-3) ** 2 - 1
    for _ in range(repeats):
        a = rng.beta(mean * strength, (1 - mean) * strength, n_recordings)
        right = rng.random(len(groups)) < a[groups]
        bounds = [evaluation.logit_t_interval(right, by) for by in (np.arange(len(right)), groups)]
        held.append([low <= mean <= high for low, high in bounds])
    return np.mean(held, axis=0)


setup = {"n_recordings": min(max(len(by_recording), 2), 30), "n_segments": int(by_recording["size"].median())}
setup["mean"] = float(np.clip(a, 0.6, 0.95))
widest = min(max(here, 0.2), 0.95 * np.sqrt(setup["mean"] * (1 - setup["mean"])))  # a beta distribution has no more
sigmas = np.linspace(0, widest, 6).round(3)
covered = [coverage(sigma, **setup) for sigma in sigmas]
covered = pd.DataFrame(covered, columns=["over segments", "over recordings"], index=sigmas)
ax = (100 * covered).plot(marker="o", figsize=(8, 4))
ax.axhline(95, color="0.25", ls="--", lw=1.2, label="promised")
ax.axvline(here, color="0.25", ls=":", lw=1.4, label="this run")
ax.set(xlabel="standard deviation of accuracy between recordings", ylabel="holds the true accuracy [%]", ylim=(0, 102))
ax.legend(loc="lower left")
session.save_figure(ax, "coverage", "How often a 95 % interval holds the true accuracy, simulated; dotted: this run.")

(100 * covered).round(0)

# %% [markdown]
# On the left recordings do not differ, and both intervals may be expected to keep their promise. To the right they differ
# more and more. The interval over segments is then too narrow; more segments of the same recordings make it narrower
# still. That over recordings comes nearer, but few recordings tell their spread only roughly: it may fall short, too.
#
# ## Sure, and right?
#
# A *calibrated* classifier that says 80 % is right in 80 % of such cases. Sort the decisions into ten bins $B$ by their
# largest posterior, and compare in each bin the mean posterior (confidence) with the share that is right (accuracy); $|B|$
# of the $n$ decisions are in bin $B$. The *expected calibration error* (ECE) is the mean gap, weighted by the size of the bin:
#
# $$ \text{ECE} = \sum_B \frac{|B|}{n} \, \bigl| \text{accuracy}(B) - \text{confidence}(B) \bigr| $$

# %%
confidence = segments[names].to_numpy(float).max(axis=1)
bins = np.minimum((10 * confidence).astype(int), 9)
ece = 0
for b in np.unique(bins):
    inside = bins == b
    ece += inside.mean() * abs(good[inside].mean() - confidence[inside].mean())

np.testing.assert_allclose(ece, evaluation.calibration(segments)[1])
print(f"expected calibration error of single segments: {ece:.3f}")

# %% [markdown]
# The reliability diagram shows bin by bin what the number sums up: points below the dashed line are overconfident, points
# above it more often right than they say. A sum of posteriors is flatter than they are: where the vote is more often right,
# its points move up; where the segments of a recording agree on one wrong device, they stay below the line.

# %%
voting = f"{p['voters']} voters"
decisions = {"segment": segments, voting: votes}
calibrations = {name: evaluation.calibration(table) for name, table in decisions.items()}
ax = plots.calibration({name: table for name, (table, _) in calibrations.items()})
session.save_figure(ax, "calibration", "How often a posterior is right, for single segments and for votes.")
gaps = {
    name: table[names].to_numpy(float).max(axis=1).mean() - evaluation.correct(table).mean()
    for name, table in decisions.items()
}
pd.DataFrame({"calibration error": {name: error for name, (_, error) in calibrations.items()}, "overconfidence": gaps})

# %% [markdown]
# ## What can go wrong
#
# A unit of decision that does not exist is refused.

# %%
try:
    evaluation.voted(predictions, unit="file")
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
labels = {"system": "mlp-3", "variant": session.variant}
devices = session.score_devices(report, **labels)
units = dict.fromkeys(["segment", f"vote{p['voters']}", "recording"])
rows = session.score(predictions, units=list(units), **labels)
probe = session.score_probe(recordings)
errors = session.figures(
    {
        "system": "mlp-3",
        "variant": name,
        "metric": "expected calibration error",
        "value": error,
        "n": len(decisions[name]),
    }
    for name, (_, error) in calibrations.items()
)
own = session.finish(devices, rows, errors, probe)
show(rows, probe)

# %% [markdown]
# ## What we saw

# %%
worst = report["f1"].idxmin()
lowest = f", that of `{worst}` the lowest ({report['f1'][worst]:.2f})" if report["f1"][worst] < 1 else ""
confused = "there is no confusion"
if len(pairs):
    confused = f"the most frequent confusion is `{pairs['true'][0]}` taken for `{pairs['decided'][0]}`"
    confused += f" ({pairs['share'][0]:.1%}; the other way {pairs['the other way'][0]:.1%})"
wide, narrow = intervals.loc["recordings, logit-t"], intervals.loc["segments, Clopper-Pearson"]
nearest = covered.index[np.abs(covered.index - here).argmin()]
single, several = (error for _, error in calibrations.values())
session.saw(
    f"The average F1 is {average['f1']:.2f} (the paper's: {PAPER_TABLE_VI.loc['average', 'f1']:.2f}){lowest}; {confused}.",
    said_of_twins,
    f"The interval over recordings is {wide['low']:.1%} to {wide['high']:.1%}, {wide['width'] / narrow['width']:.1f} times "
    f"as wide as the one over segments. The accuracies of recordings have a standard deviation of {here:.2f}; where it was "
    f"{nearest:.2f} in the simulation, the interval over segments held the truth in {covered['over segments'][nearest]:.0%} of "
    f"tests, that over recordings in {covered['over recordings'][nearest]:.0%} (promised: 95%).",
    f"The expected calibration error is {single:.3f} for single segments and {several:.3f} for votes of {p['voters']}; on "
    f"average, confidence minus accuracy is {100 * gaps['segment']:+.1f} points for segments and "
    f"{100 * gaps[voting]:+.1f} for votes.",
)

# %% [markdown]
# ## Exercises
#
# 1. Count the matrix of softmax regression (`session.predictions("softmax", recordings)`). Same confusions?
# 2. Raise the posteriors to a power and normalise. What happens to accuracy, and what to calibration?
#
# Worked answers: [solutions](solutions/08_confusion_matrix.ipynb)
#
# Next: [09 · t-SNE](09_tsne.ipynb)
