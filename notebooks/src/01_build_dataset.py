# %% [markdown]
# # 01 · Build the dataset
#
# **How do recordings become labelled vectors, and what must not slip in?**
#
# | | |
# |---|---|
# | you will learn | how segments are cut, what a row of the dataset is, how training and test are kept apart, what a leakage probe is |
# | it needs | a corpus |
# | it makes | the dataset (kept for the other notebooks), the probe's figures |
# | it takes | seconds |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
segment_length: int = 4096  # length of a segment [samples]
train_segments: int = 0  # segments per training recording, 0 for what size says
test_segments: int = 0  # segments per test recording and voter, 0 for what size says

# %%
import zlib

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from devid_lib import plots, training
from devid_lib.audio import load_recording
from devid_lib.dataset import held_out
from devid_lib.errors import DevidError
from devid_lib.features import extract_features
from devid_lib.leakage import TRIVIAL_NUMBERS, probe_table, trivial_features
from devid_lib.segments import random_segments, regular_segments
from devid_lib.workbook import show, start

session = start("01_build_dataset", globals())
p = session.params

# %% [markdown]
# ## Inputs

# %%
recordings = session.recordings()
recordings[["device", "recording", "split", "duration_s"]].head(3)

# %% [markdown]
# ## Cut segments
#
# The paper cuts segments of $n = 4096$ samples out of a recording, each at a random place: with a recording of $N$
# samples, the first sample of a segment is a whole number drawn uniformly from $0 \dots N - n$. Segments may overlap.
# By hand these are two lines. The library does the same, so with the same seed it cuts the same segments.

# %%
row = recordings[recordings["split"] == "train"].iloc[0]
y, rate = load_recording(row["path"], samplerate=int(row["samplerate"]))
n = p["segment_length"]

starts = np.random.default_rng(p["seed"]).integers(0, len(y) - n + 1, size=5)
by_hand = np.stack([y[first : first + n] for first in starts])

segments, library_starts = random_segments(y, n=5, length=n, rng=p["seed"])
np.testing.assert_array_equal(starts, library_starts)
np.testing.assert_array_equal(by_hand, segments)
print(f"{len(y)} samples -> {segments.shape[0]} segments of {n} ({1000 * n / rate:.0f} ms), starts {starts}")

# %% [markdown]
# *Regular* segments follow one another instead and cover the whole recording, but for a rest at the end. They serve to
# walk through a recording, for example to identify it from all of its samples.

# %%
regular, regular_starts = regular_segments(y, length=n)
np.testing.assert_array_equal(regular, y[: len(y) // n * n].reshape(-1, n))
print(f"{len(y)} samples -> {len(regular)} regular segments, starts {regular_starts[:3]} ...")

# %% [markdown]
# ## The dataset
#
# `session.dataset` cuts every recording like this and turns each segment into a vector, the log spectrum of its noise
# (notebook 02 shows how). One row of `X` is one segment. Beside `X` stands a table that says where every row comes
# from.

# %%
dataset = session.dataset(recordings)
train, test = dataset.mask("train"), dataset.mask("test", draw=0)
print(f"X: {train.sum()} segments for training, {test.sum()} for the test, {dataset.X.shape[1]} features each")
dataset.segments.head(3)

# %% [markdown]
# There are $n / 2 + 1$ features: the frequencies from zero to half the sample rate. `draw` numbers independent sets of
# test segments. Draw 0 is the test set; the others are for notebook 07, where several segments decide together.
#
# A row can be had by hand. A recording's starts depend on the seed, the draw and the recording's own name alone. So
# nothing changes for the others when a recording is added or left out.

# %%
of_row = (dataset.segments["device"] == row["device"]) & (dataset.segments["recording"] == row["recording"])
own = dataset.segments[of_row]
name = zlib.crc32(f"{row['device']}/{row['recording']}".encode())  # a number made of the name
first = np.random.default_rng([p["seed"], 0, name]).integers(0, len(y) - n + 1)
assert first == own["start"].iloc[0]

c = training.feature_scale(p["recipe"], n)  # notebook 02: the scale before the logarithm
vector = extract_features(y[first : first + n], noise=p["noise"], window=session.window(p["noise"]), scale=c, **session.wavelet)
np.testing.assert_allclose(vector, dataset.X[own.index[0]], atol=1e-4)
vector[:5].round(3)

# %% [markdown]
# Test segments as one picture: each row is a vector, white lines part the devices. Where the bands between them differ,
# a classifier can tell their devices apart.

# %%
shown = np.flatnonzero(test)[:: 1 + test.sum() // 900]
first_lines = pd.Series(np.arange(len(shown))).groupby(dataset.segments["device"].to_numpy()[shown]).min()
image, named = np.array(dataset.X[shown]), first_lines[:: 1 + len(first_lines) // 20]
_, ax = plt.subplots(figsize=(9, 5))
low, high = np.quantile(image, [0.01, 0.99])
drawn = ax.imshow(image, vmin=low, vmax=high, aspect="auto", extent=(0, rate / 2000, len(shown), 0))
ax.hlines(first_lines[1:], 0, rate / 2000, color="white", lw=0.7)
ax.set_yticks(named, [plots.label(device) for device in named.index], va="top", fontsize=8)
ax.set(xlabel="frequency [kHz]")
ax.grid(False)
ax.figure.colorbar(drawn, label="feature")
session.save_figure(ax, "feature-matrix", "Feature vectors of test segments, sorted by device.")

# %% [markdown]
# ## Segments overlap
#
# Each bar is a segment in the first seconds of this recording, in the order of drawing. Bars above one another overlap.

# %%
window = min(len(y), 40 * n)  # samples shown
inside = own["start"][own["start"] < window] / rate
_, ax = plt.subplots(figsize=(9, 3.2))
ax.barh(np.arange(len(inside)), n / rate, left=inside, color=plots.BLUE)
ax.set(xlim=(0, window / rate), xlabel="time [s]", ylabel="segment")
session.save_figure(ax, "overlap", "Where the random segments of a recording lie in its first seconds.")

# %% [markdown]
# Two segments overlap when their starts are less than $n$ samples apart. So a neighbour in the sorted starts decides.

# %%
gaps = np.diff(np.sort(own["start"]))
overlapping = np.append(gaps < n, False) | np.insert(gaps < n, 0, False)  # with the next one, or with the one before
lengths = dataset.segments[train].drop_duplicates(["device", "recording"])["n_samples"]
cover = n * train.sum() / lengths.sum()
print(f"{overlapping.mean():.0%} of this recording's {len(own)} segments share samples with another one.")
print(f"Laid end to end, all training segments are {cover:.2g} times as long as the recordings they come from.")

# %% [markdown]
# Many segments of one recording are not as many independent looks at the device: they share samples, the room, the
# speaker and the day. That is why this workbook counts uncertainty over recordings, never over segments.
#
# ## Three sets of segments, not two
#
# Training goes in epochs, and somebody has to say which epoch to keep. The authors took the one with the best accuracy
# on the *test* set, which makes their figures optimistic. By default this workbook leaves a training recording of every
# device out, the last one, judges epochs on it, and then fits anew to all recordings for as many epochs. A random tenth of
# the *segments* would not do: they overlap with the rest and share its room and level. Of a single training recording a
# tenth is left out, in one piece; segments that reach over its edge wait for the second fit.

# %%
fit, validation = held_out(dataset, seed=p["seed"])
of_device = dataset.segments["device"] == row["device"]
sets = {"fit": fit, "judge epochs": validation, "over the edge": train & ~fit & ~validation, "test": test}
names = list(dict.fromkeys(dataset.segments["recording"][of_device]))
names = names[:: 1 + len(names) // 13]  # of many recordings every second, third ...
of_device &= dataset.segments["recording"].isin(names)
_, ax = plt.subplots(figsize=(9, 1 + 0.5 * len(names)))
for (kind, chosen), color in zip(sets.items(), (plots.BLUE, plots.GREEN, "0.5", plots.ORANGE), strict=True):
    part = dataset.segments[of_device & chosen]
    line = np.array([names.index(recording) for recording in part["recording"]], float)
    ax.vlines(part["start"] / rate, line - 0.4, line + 0.4, color=color, lw=0.8, label=f"{kind}: {chosen.sum()} in all")
ax.set_yticks(range(len(names)), [plots.label(recording) for recording in names])
ax.set(xlabel="start of the segment [s]", ylabel="recording", title=plots.label(row["device"]))
ax.grid(False)
ax.invert_yaxis()
for line in ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1)).get_lines():
    line.set_linewidth(3)
session.save_figure(ax, "segment-places", "What the segments of one device's recordings are used for.")

# %% [markdown]
# ## Is there an easier answer? The leakage probe
#
# A classifier may be right for a trivial reason: one device is simply louder, or pads its files with zeros. The
# *leakage probe* gets six such numbers of an excerpt (a tenth of a recording) and nothing else. Cut it into frames of 20 ms with mean square
# $P_i$, in decibels $L_i = 10 \log_{10} P_i$. The numbers are the level of the whole, three percentiles of the $L_i$
# (quiet frames show the noise floor), the share of samples that are exactly zero, and the mean of all samples, the DC
# offset.

# %%
library = trivial_features(y, samplerate=rate)  # one row for each of some consecutive excerpts
frame = round(0.02 * rate)
length = len(y) // len(library) // frame * frame  # whole frames
excerpt = y[:length].astype(float).reshape(-1, frame)

power = np.maximum((excerpt**2).mean(axis=1), 1e-12)  # nothing below -120 dB
floor = np.percentile(10 * np.log10(power), [5, 10, 50])
six = [10 * np.log10(max(np.mean(excerpt**2), 1e-12)), *floor, np.mean(excerpt == 0), excerpt.mean()]

np.testing.assert_allclose(six, library.iloc[0], rtol=1e-4, atol=1e-7)
library.head(3).style.format(precision=2).format("{:.5f}", subset="dc_offset")

# %% [markdown]
# A random forest reads them: two hundred decision trees vote. Each is grown on excerpts drawn at random, as many as there
# are, so that some come twice and others not at all; and at each fork it may look at two of the six numbers only. It
# learns from the training recordings and is asked about the test recordings, like everybody else.

# %%
table = probe_table(recordings)
learn, ask = table[table["split"] == "train"], table[table["split"] == "test"]
numbers, votes, importance = np.random.RandomState(p["seed"]).randint(2**31 - 1, size=200), 0, 0  # as in scikit-learn
for number in numbers:
    drawn = np.random.RandomState(number).randint(0, len(learn), len(learn), dtype=np.int32)
    drawn = np.bincount(drawn, minlength=len(learn))  # how often each excerpt
    tree = DecisionTreeClassifier(max_features="sqrt", random_state=number)
    tree.fit(learn[TRIVIAL_NUMBERS], learn["device"], sample_weight=drawn)
    votes = votes + tree.predict_proba(ask[TRIVIAL_NUMBERS])
    importance = importance + tree.feature_importances_ / 200
right = tree.classes_[votes.argmax(axis=1)] == ask["device"]
print(f"{right.mean():.1%} of {len(ask)} test excerpts are right")
importance = pd.DataFrame({"importance": importance}, TRIVIAL_NUMBERS)
importance.sort_values("importance").style.bar(color="#b8d4e8", vmin=0).format("{:.2f}")

# %% [markdown]
# The importance of a number is its share in what the trees decide by. The session keeps the probe of a run, because
# every notebook prints it beside its own result. Where the intervals of both overlap, these figures
# alone cannot tell them apart.

# %%
probe = session.score_probe(recordings)
np.testing.assert_allclose(right.mean(), probe["value"].iloc[0])
show(probe)

# %% [markdown]
# ## What can go wrong
#
# A recording that is shorter than one segment has no place to cut.

# %%
try:
    random_segments(y[: n - 1], n=5, length=n, rng=0)
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
sizes = {"training segments": train.sum(), "test segments": test.sum(), "features": dataset.X.shape[1]}
rows = session.figures([{"system": "dataset", "metric": metric, "value": value} for metric, value in sizes.items()])
session.finish(rows, probe)[["system", "unit", "metric", "value"]].style.format("{:,.5g}", subset="value")

# %% [markdown]
# ## What we saw

# %%
sides = dataset.segments.groupby(["device", "recording"])["split"].nunique()
whole = probe.iloc[-1]
session.saw(
    f"{train.sum()} training and {test.sum()} test segments (the paper: 18000 and 900), {dataset.X.shape[1]} features "
    f"each; {(sides > 1).sum()} recordings are on both sides.",
    f"End to end the training segments are {cover:.2g} times as long as the recordings they were cut from; in the "
    f"recording shown {overlapping.mean():.0%} overlap another one.",
    f"{fit.sum()} of the training segments serve to fit, {validation.sum()} to judge epochs, "
    f"{(train & ~fit & ~validation).sum()} reach over an edge.",
    f"Six trivial numbers identify {whole['value']:.0%} of the {whole['n']} test recordings (95 % interval "
    f"{whole['low']:.0%} to {whole['high']:.0%}, chance {whole['chance']:.0%}). A system that does no better may have learnt no more than they tell.",
)

# %% [markdown]
# ## Exercises
#
# 1. Take the segments of one test recording in order of `start`. How many overlap another one, and how many would you
#    expect if starts fall anywhere with equal probability?
# 2. Give the random forest one of the six numbers at a time. Which one alone gives most away?
#
# Worked answers: [solutions](solutions/01_build_dataset.ipynb)
#
# Next: [02 · The noise fingerprint](02_noise_fingerprint.ipynb)
