# %% [markdown]
# # 00 · Start here
#
# **Which device made this recording?**
#
# Every recording is *speech + noise*. The speech belongs to the speaker; part of the noise belongs to the recorder:
# its microphone capsule, its amplifier, its converter, its codec. This workbook takes the speech away, looks at the
# spectrum of what is left, and asks classifiers to name the recorder, after Qi, Huang, Li and Shi, *Audio Recording
# Device Identification Based on Deep Learning* (2016).
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | what the workbook does, what the recordings look and sound like, how to use your own | a corpus (simulated if you have none) | a table of the recordings, three figures | seconds, and two minutes once to simulate the corpus |
#
# [Open in Colab](https://colab.research.google.com/github/) (choose this notebook from your copy of the repository,
# then run `%pip install -e .` there).

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

# %% [markdown]
# The cell above holds every parameter of the workbook. It is the same in all notebooks, and papermill replaces its
# values: `papermill notebooks/00_start_here.ipynb out.ipynb -p corpus my_folder`.

# %%
from IPython.display import Audio, display

from devid_lib import notebook as nb
from devid_lib import plots
from devid_lib.corpus import load_corpus
from devid_lib.errors import DevidError

session = nb.start("00_start_here", globals())

# %% [markdown]
# ## The recordings
#
# `load_corpus` takes the name `simulated`, a folder or a CSV and returns one row per recording. The paper's
# recordings were never published, so the default corpus is **simulated**: nine fictional recorders, whose constants
# were chosen and not measured on any device. Whole recordings are held out for testing, so that no segment of a test
# recording is ever trained on.

# %%
recordings = nb.load_recordings(session)
columns = ["device", "recording", "split", "duration_s", "native_samplerate", "channels"]
recordings[columns].head(3)

# %% [markdown]
# How much is there of each device? Devices with more material are easier to learn; the bars should be about equal.

# %%
ax = plots.durations(recordings)
ax.set_title("Recorded time of every device")
nb.save_figure(session, ax, "durations", "Recorded time of every device, training and test recordings apart.")

# %% [markdown]
# ## What a recording looks and sounds like
#
# Two seconds from the middle of the test recordings of the first and the last device. The player brings both to the
# same loudness; listen to the pauses, not to the words.

# %%
tests = recordings[recordings["split"] == "test"].drop_duplicates("device")
for row in tests.iloc[[0, -1]].itertuples():
    clip, samplerate = nb.middle(row, seconds=2)
    print(row.device)
    display(Audio(clip, rate=samplerate))

# %% [markdown]
# The spectrogram of the last one. Speech is a stack of harmonics that comes and goes; what stays the same all the
# time, a floor, a hum, a band limit, is what the recorder (and the room) adds.

# %%
ax = plots.spectrogram(clip, samplerate=samplerate)
ax.set_title(f"Two seconds of {row.device}")
nb.save_figure(session, ax, "spectrogram", f"Two seconds of a test recording of {row.device}.")

# %% [markdown]
# ## The idea, in one line
#
# $$ \text{recording}\; s = \text{speech}\; f + \text{noise}\; e \qquad\Rightarrow\qquad e = s - \hat f $$
#
# Wavelet denoising estimates the speech $\hat f$; what it removes, $e$, is taken as the fingerprint of the device.
# Its spectrum goes to a classifier (the paper's figure 1):

# %%
steps = ["recording", ("segment", "4096 samples"), ("noise", "wavelet, e = s - f"), ("feature", "log(1 + |FFT|)")]
ax = plots.flow([*steps, ("classifier", "softmax, MLP, CNN"), ("votes", "several segments")])
nb.save_figure(session, ax, "flow", "From a recording to the name of a device, after figure 1 of the paper.")

# %% [markdown]
# ## The notebooks
#
# | | question | paper |
# |---|---|---|
# | [01](01_build_dataset.ipynb) | from recordings to labelled feature vectors | II, III-A/B |
# | [02](02_noise_fingerprint.ipynb) | what is left when the speech is taken away | eq. 1-3 |
# | [03](03_softmax.ipynb) | how far does one linear layer get | table II |
# | [04](04_mlp.ipynb) | do hidden layers help, and how many | table II |
# | [05](05_without_noise_extraction.ipynb) | is the noise extraction needed | table III |
# | [06](06_model_averaging.ipynb) | do two half-segments help | table IV |
# | [07](07_voting.ipynb) | how fast do errors vanish when segments vote | table V |
# | [08](08_confusion_matrix.ipynb) | which devices are confused, and how sure are we | table VI, fig. 6 |
# | [09](09_tsne.ipynb) | what does the classifier's space look like | fig. 7 |
# | [90](90_speed.ipynb) | how fast is it, measured against a peer | |
#
# ## Your own recordings
#
# Put them in a folder, one sub-folder per device (`phone_a/1.wav`, `phone_a/2.m4a`, `phone_b/...`) or flat as in the
# paper (`phone_a-1.wav`), at least two recordings per device. The last recording of every device becomes the test set;
# `test_recordings="3,4"` holds out others. Then run `devid run --corpus my_folder`, or set `corpus` above.
#
# ## What can go wrong
#
# A folder that does not exist, an empty file, a device with one recording: the message names what was wrong and where.

# %%
try:
    load_corpus("no_such_folder")
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
hours = recordings["duration_s"].sum() / 3600
sizes = {"devices": recordings["device"].nunique(), "recordings": len(recordings), "hours": hours}
rows = nb.figures(session, [{"system": "corpus", "metric": name, "value": value} for name, value in sizes.items()])
nb.finish(session, rows)[["system", "metric", "value"]]

# %% [markdown]
# ## What we saw

# %%
test = recordings["split"] == "test"
longest, shortest = recordings["duration_s"].max(), recordings["duration_s"].min()
nb.saw(
    session,
    f"The corpus *{recordings.attrs['name']}* holds {recordings['device'].nunique()} devices and {len(recordings)} "
    f"recordings, {hours:.2f} hours in all.",
    f"{test.sum()} whole recordings are held out for testing, {(~test).sum()} are for training; none is on both sides.",
    f"Recordings last from {shortest:.0f} to {longest:.0f} seconds and are brought to {samplerate} Hz and one channel.",
)

# %% [markdown]
# ## Exercises
#
# 1. Record the same sentence with two phones, twice each, and give the folder to `corpus`.
# 2. Set `samplerate` to 16000. What becomes of the spectrogram, and what might that cost the classifier?
# 3. Set `corpus` to `simulated-control`: nine copies of one recorder. What should every classifier reach on it?
#
# Next: [01 · Build the dataset](01_build_dataset.ipynb)
