# %% [markdown]
# # 01 · Build the dataset
#
# **From recordings to 18000 + 900 labelled feature vectors: what goes into the classifiers, and what must not?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | how segments are cut, what a row of the dataset is, how training and test are kept apart, what a leakage probe is | a corpus | the dataset (cached), the probe's figures, three figures | half a minute, then seconds from the cache |
#
# [Open in Colab](https://colab.research.google.com/github/) (choose this notebook from your copy of the repository).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a folder or a CSV of recordings
run_dir: str = "runs/lab"  # folder for results, from the project"s folder
data_dir: str = "data"  # folder for the simulated corpus and the cache
seed: int = 0  # one seed gives one result
recording_minutes: float = 6.5  # length of a simulated recording [min]
segment_length: int = 4096  # [samples]
train_segments: int = 1000  # segments per training recording
test_segments: int = 100  # segments per test recording and voter
samplerate: int = 0  # common rate [Hz], 0 for the lowest in the corpus
noise: str = "wavelet"  # noise extraction, wavelet or none
wavelet: str = "sym8"  # any discrete wavelet of PyWavelets
level: int = 17  # levels of the wavelet transform
threshold: str = "minimaxi"  # rigrsure, heursure, sqtwolog or minimaxi
mode: str = "soft"  # soft or hard
rescale: str = "sln"  # noise level, one, sln (finest level) or mln (each level)
recipe: str = "default"  # default, or published (selects on the test set)
epochs: int = 0  # 0 for what the recipe says
batch_size: int = 0  # 0 for what the recipe says
voters: int = 5  # independent sets of test segments
test_recordings: str = ""  # names held out for every device, separated by commas
predictions: str = ""  # for notebook 11, folder of the authors predictions, or download
on_error: str = "raise"  # skip leaves bad recordings out and lists them

# %%
import numpy as np

from devid_lib import notebook as nb
from devid_lib import plots
from devid_lib.dataset import held_out_stretch
from devid_lib.errors import DevidError
from devid_lib.segments import random_segments, regular_segments

session = nb.start("01_build_dataset", globals())

# %% [markdown]
# ## Inputs

# %%
recordings = nb.load_recordings(session)
recordings[["device", "recording", "split", "duration_s"]].head(3)

# %% [markdown]
# ## Segments
#
# The paper cuts segments of $n = 4096$ samples (93 ms at 44.1 kHz) at uniformly random places; they may overlap.
# A training recording gives 1000 of them, a test recording 100. Let us cut one recording.

# %%
y, samplerate = nb.load(recordings.iloc[0])
segments, starts = random_segments(y, n=5, length=session.params["segment_length"], rng=session.params["seed"])
print(f"{len(y)} samples -> {segments.shape}, starts {starts}")

# %% [markdown]
# Regular segments follow one another without overlap and cover the whole recording. They serve to identify a
# questioned recording from all of its samples.

# %%
regular, regular_starts = regular_segments(y, length=session.params["segment_length"])
print(f"{len(y)} samples -> {regular.shape}, starts {regular_starts[:3]} ...")

# %% [markdown]
# ## The dataset
#
# `build_dataset` does this for every recording and turns each segment into its feature vector (notebook 02 explains
# it): one row of `X` per segment. Beside it stands a table that says where every row comes from.

# %%
dataset = nb.load_dataset(session, recordings)
train, test = dataset.mask("train"), dataset.mask("test", draw=0)
print(f"X: {dataset.X[train].shape} for training, {dataset.X[test].shape} for testing, {dataset.X.dtype}")
dataset.segments.head(3)

# %% [markdown]
# `draw` numbers independent sets of test segments: draw 0 is the test set, the others are the further voters of
# notebook 07. Where do the segments of one device lie?

# %%
device = dataset.devices[0]
ax = plots.segment_places(dataset.segments, samplerate=samplerate, device=device)
ax.set_title(f"Segments of {device}")
nb.save_figure(session, ax, "segment-places", f"Where the random segments of {device} lie in its recordings.")

# %% [markdown]
# Training segments overlap a good deal: 1000 segments are by no means 1000 independent looks at the device.
# That is why this workbook counts uncertainty over recordings, never over segments.
#
# One picture of the whole input: each line is the feature vector of a segment, sorted by device. Horizontal bands
# that differ are what a classifier can use.

# %%
sample = np.flatnonzero(test)[:: max(1, test.sum() // 450)]
ax = plots.feature_matrix(dataset.X[sample], dataset.segments["device"].to_numpy()[sample])
ax.set_title("Features of test segments")
nb.save_figure(session, ax, "feature-matrix", "Feature vectors of test segments, sorted by device.")

# %% [markdown]
# ## Three sets of segments, not two
#
# The authors chose the epoch to keep by the accuracy on the *test* set, which makes their figures optimistic. By
# default this workbook judges epochs on a **held-out stretch** of every training recording: a tenth of its length,
# in one piece. Segments overlap, so a random tenth of the segments would be near copies of the rest.

# %%
fit, validation = held_out_stretch(dataset, seed=session.params["seed"])
print(f"{fit.sum()} segments to fit, {validation.sum()} to judge epochs, {test.sum()} to test")
print(f"{train.sum() - fit.sum() - validation.sum()} reach over the edge of a stretch and are not used")

# %% [markdown]
# ## Is there an easier answer? The leakage probe
#
# A classifier may be right for a trivial reason: one device is simply louder, or pads its files with zeros. The probe
# gets six such numbers of an excerpt (level, three percentiles of the noise floor, share of exact zeros, DC offset)
# and nothing else. An accuracy worth printing stands well above the probe's.

# %%
probe = nb.score_probe(session, dataset)
nb.show(probe)

# %% [markdown]
# ## What can go wrong
#
# A recording that is shorter than one segment has no place to cut.

# %%
try:
    random_segments(y[:1000], n=5, length=session.params["segment_length"], rng=0)
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
sizes = {"training segments": train.sum(), "test segments": test.sum(), "features": dataset.X.shape[1]}
sizes = nb.figures(session, [{"system": "dataset", "metric": name, "value": value} for name, value in sizes.items()])
nb.finish(session, sizes, probe)[["system", "unit", "metric", "value"]]

# %% [markdown]
# ## What we saw

# %%
table, length = dataset.segments, session.params["segment_length"]
sides = table.groupby(["device", "recording"])["split"].nunique()
cover = length * train.sum() / table[train].drop_duplicates(["device", "recording"])["n_samples"].sum()
nb.saw(
    session,
    f"{train.sum()} training and {test.sum()} test segments, {dataset.X.shape[1]} features each; "
    f"{(sides > 1).sum()} recordings are on both sides.",
    f"End to end the training segments are {cover:.1f} times as long as the recordings they were cut from"
    f"{': they overlap.' if cover > 1 else ', yet random places make some of them overlap.'}",
    f"Six trivial numbers identify {probe['value'].iloc[-1]:.0%} of the test recordings (chance "
    f"{probe['chance'].iloc[-1]:.0%}): the mark that every classifier here has to beat.",
)

# %% [markdown]
# ## Exercises
#
# 1. Print the rows of `dataset.segments` of one test recording in order of `start`. How many overlap?
# 2. Halve `segment_length`. What happens to the number of features, and to the frequency step between them?
# 3. Which of the six trivial numbers helps the probe most? `dataset.probe` holds them.
#
# Next: [02 · The noise fingerprint](02_noise_fingerprint.ipynb)
