# %% [markdown]
# # 00 · Start here
#
# **Which device made this recording?**
#
# A recording holds more than speech. The speech belongs to the speaker. Part of the noise belongs to the recorder: its
# microphone, its amplifier, its converter, its codec. This workbook takes the speech away, looks at the spectrum of
# what is left, and asks classifiers to name the recorder, after Qi, Huang, Li and Shi, *Audio Recording Device
# Identification Based on Deep Learning* (2016).
#
# | | |
# |---|---|
# | you will learn | what the workbook does, what recordings look and sound like, how to use your own, which notebook answers which question |
# | it needs | a corpus (simulated if you have none) |
# | it makes | a table of the recordings, pictures, recordings to listen to |
# | it takes | less than a minute, the first time too |
#
# You only want to find your way? [The map](#The-map) is further down.

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
data_dir: str = "data"  # folder for the simulated corpus and the cache, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
test_recordings: str = ""  # names held out for every device, separated by commas

# %%
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import librosa
import librosa.display
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Audio, display

from devid_lib import plots
from devid_lib.audio import load_recording
from devid_lib.corpus import load_corpus
from devid_lib.errors import DevidError
from devid_lib.workbook import start

session = start("00_start_here", globals())

# %% [markdown]
# The first code cell holds the *parameters* of this notebook. In JupyterLab change a value there and run the notebook
# again. From a terminal, papermill and the project's own command put values in without touching the file:
#
# ```
# papermill notebooks/00_start_here.ipynb out.ipynb -p corpus my_folder -p size paper
# devid run --corpus my_folder --preset quick -p wavelet db4
# ```
#
# Papermill adds a cell behind ours, whose values win. `devid run` does that for all notebooks and writes a report.
# There are more parameters than one notebook lists, such as `recording_minutes` or `train_segments`; each can be set in
# each notebook, and `devid run --help` explains them all. A misspelt name is refused.
#
# ## Inputs
#
# `recordings` is a table with one row per recording. The paper's recordings were never published, so the default corpus
# is **simulated**: nine fictional recorders of seven models; of two models there are two specimens, two *units*. All nine
# record on three days, each day in another room, every device in a place of its own; the third day is the test, with voices and sentences
# that training has not. Ranges of the constants come from datasheets or were assumed, and are held against real phones by
# `tools/calibrate_simulator.py`; no real device made these recordings. Size `quick` makes short recordings, size `paper`
# recordings of six to seven minutes, as in the paper. Three more corpora, by name, are controls: `simulated-control` (nine
# copies of one device, so nobody can tell them apart on another day), `simulated-one-model` (nine units of one model) and
# `simulated-one-session` (every device on one day and in one place: easy, and for the wrong reason). In `simulated-micirp`
# the recorders have the responses of measured microphones, which `devid corpora get micirp` brings.

# %%
recordings = session.recordings()
recordings[["device", "model", "recording", "split", "session", "speaker", "duration_s"]].head(6)

# %% [markdown]
# Some recordings of each device are for training (`train`), others, whole ones, are held out for the test (`test`). How
# much is there of each device?

# %%
seconds = recordings.pivot_table(index="device", columns="split", values="duration_s", aggfunc="sum")[["train", "test"]]
every = 1 + len(seconds) // 60  # of many devices, name every second, third ...
ax = seconds.plot.barh(stacked=True, width=0.8, figsize=(8, min(1.2 + 0.27 * len(seconds), 12)))
ax.set_yticks(range(0, len(seconds), every), [plots.label(name) for name in seconds.index[::every]], fontsize=8)
ax.set(xlabel="recorded time [s]", ylabel="")
ax.invert_yaxis()
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "durations", "Recorded time of every device, training and test.")

# %% [markdown]
# ## Listen
#
# Three seconds from the middle of a test recording, of the first and of the last device. One may be louder than the
# other, and the ear takes louder for different. So both are divided by their root mean square (RMS):
#
# $$ \mathrm{rms}(s) = \sqrt{\frac{1}{N} \sum_{n=0}^{N-1} s(n)^2} $$
#
# Listen to the pauses, not to the words.

# %%
rows = list(recordings[recordings["split"] == "test"].drop_duplicates("device").iloc[[0, -1]].itertuples())
rate, clips = int(rows[0].samplerate), []
for row in rows:
    y, _ = load_recording(row.path, samplerate=rate)
    middle = len(y) // 2
    clip = np.array(y[max(0, middle - 3 * rate // 2) : middle + 3 * rate // 2])
    clips.append(clip / (np.sqrt(np.mean(clip**2)) + 1e-9))  # equal RMS; a silent clip stays silent
peak = max(1e-9, *(np.abs(clip).max() for clip in clips))
for row, clip in zip(rows, clips, strict=True):
    print(f"{row.device}, recording {row.recording}")
    display(Audio(0.9 * clip / peak, rate=rate, normalize=False))  # one factor for both: they stay equally loud

# %% [markdown]
# ## Look
#
# A spectrogram cuts a recording into short pieces and shows how strong each frequency is in each piece. Both pictures
# have one scale of colours, so that they can be compared.

# %%
figure, axes = plt.subplots(len(clips), 1, figsize=(9, 6), sharex=True, layout="constrained")
for ax, row, clip in zip(axes, rows, clips, strict=True):
    spectrum = np.abs(librosa.stft(clip, n_fft=1024, hop_length=256))
    level_db = librosa.amplitude_to_db(spectrum, ref=1024**0.5, top_db=None)  # white noise of RMS one: near 0 dB
    axis = {"x_axis": "time", "y_axis": "linear", "sr": rate, "hop_length": 256}
    image = librosa.display.specshow(level_db, ax=ax, vmin=-70, vmax=20, cmap="magma", **axis)
    ax.set(title=plots.label(row.device), xlabel="", ylabel="frequency [Hz]")
    ax.grid(False)
axes[-1].set_xlabel("time [s]")
figure.colorbar(image, ax=axes, label="level [dB]")
session.save_figure(axes, "spectrograms", "Three seconds of a test recording of two devices, at equal loudness.")

# %% [markdown]
# Speech is a stack of stripes that comes and goes. (The voices of the simulated corpus are synthetic and end
# between 10 and 12 kHz.) What is there in the pauses, too, comes from the room and the recorder: how bright the floor is,
# where it ends at the top, in other recordings the thin line of a hum. The room's part changes from one recording to the
# next. The recorder's part should not: that is what we are after.
#
# ## The idea, in one line
#
# $$ \text{recording}\; s = \text{speech}\; f + \text{noise}\; e \qquad\Rightarrow\qquad e = s - \hat f $$
#
# Wavelet denoising estimates the speech $\hat f$. What it removes, $e$, is taken as the fingerprint of the device, and
# its spectrum goes to a classifier. Several segments of a recording vote. This is the paper's figure 1:

# %%
steps = {
    "recording": "speech + noise",
    "segments": f"{session.params['segment_length']} samples",
    "noise": "wavelets: e = s - f",
    "spectrum": "log(1 + |FFT|)",
    "classifier": "softmax, MLP, CNN",
    "vote": "name of the device",
}
_, ax = plt.subplots(figsize=(10, 1.3))
box = {"boxstyle": "round,pad=0.5", "fc": (*plots.BLUE, 0.15), "ec": plots.BLUE}
for place, (step, how) in enumerate(steps.items()):
    ax.text(place, 0, f"$\\bf{{{step}}}$\n{how}", ha="center", va="center", fontsize=8.5, bbox=box)
    if place:
        ax.annotate("", (place - 0.43, 0), (place - 0.57, 0), arrowprops={"arrowstyle": "-|>", "color": plots.DARK})
ax.set(xlim=(-0.5, len(steps) - 0.5), ylim=(-0.6, 0.6))
ax.axis("off")
session.save_figure(ax, "overview", "From a recording to the name of a device, after figure 1 of the paper.")

# %% [markdown]
# ## The map
#
# | | question | in the paper | answers to the exercises |
# |---|---|---|---|
# | 00 Start here | what is this, and how do I use it? | fig. 1 | [00](solutions/00_start_here.ipynb) |
# | [01 Build the dataset](01_build_dataset.ipynb) | how do recordings become labelled vectors, and what must not slip in? | II, III-A/B | [01](solutions/01_build_dataset.ipynb) |
# | [02 The noise fingerprint](02_noise_fingerprint.ipynb) | what is left without the speech, and why does it name the device? | eq. 1-3 | [02](solutions/02_noise_fingerprint.ipynb) |
# | [03 Softmax regression](03_softmax.ipynb) | how far does one linear layer get? | eq. 4-5, table II | [03](solutions/03_softmax.ipynb) |
# | [04 Multilayer perceptron](04_mlp.ipynb) | do hidden layers help, and how many? | eq. 6, table II | [04](solutions/04_mlp.ipynb) |
# | [05 Without noise extraction](05_without_noise_extraction.ipynb) | is the extraction needed, and what does a network find by itself? | table III | [05](solutions/05_without_noise_extraction.ipynb) |
# | [06 Model averaging](06_model_averaging.ipynb) | do two half-segments through two networks help? | table IV | [06](solutions/06_model_averaging.ipynb) |
# | [07 Voting](07_voting.ipynb) | how fast do errors vanish when segments vote? | table V | [07](solutions/07_voting.ipynb) |
# | [08 Confusion matrix](08_confusion_matrix.ipynb) | which devices are confused, and how sure are we? | table VI, fig. 6 | [08](solutions/08_confusion_matrix.ipynb) |
# | [09 t-SNE](09_tsne.ipynb) | what does the classifier's space look like? | fig. 7 | [09](solutions/09_tsne.ipynb) |
# | [10 Cited systems](10_cited_systems.ipynb) | how do the systems that the paper cites compare? your own system in ten lines | references | [10](solutions/10_cited_systems.ipynb) |
# | [10a Cepstra and mixtures](10a_cepstra_and_mixtures.ipynb) | how do those work that borrow from speaker recognition? | | [10a](solutions/10a_cepstra_and_mixtures.ipynb) |
# | [10b Spectra, sketches and sparse codes](10b_spectra_sketches_sparse_codes.ipynb) | how do those work that average spectra? | | [10b](solutions/10b_spectra_sketches_sparse_codes.ipynb) |
# | [10c Noise residuals and one class](10c_noise_residuals_and_one_class.ipynb) | how do those work that take the speech away first? | | [10c](solutions/10c_noise_residuals_and_one_class.ipynb) |
# | [11 Published predictions](11_published_predictions.ipynb) | what do the authors' own outputs say? | tables V-VI, fig. 7 | [11](solutions/11_published_predictions.ipynb) |
# | [12 Across sessions](12_across_sessions.ipynb) | does a fingerprint survive another day, room, position? | | [12](solutions/12_across_sessions.ipynb) |
# | [13 Conditions](13_conditions.ipynb) | what do codecs, noise and bands do, and what can training mend? | | [13](solutions/13_conditions.ipynb) |
# | [14 Unknown device](14_unknown_device.ipynb) | may the answer be "none of these"? | | [14](solutions/14_unknown_device.ipynb) |
# | [15 Likelihood ratio](15_likelihood_ratio.ipynb) | how strong is the evidence, and is the number honest? | | [15](solutions/15_likelihood_ratio.ipynb) |
# | [16 Splices](16_splices.ipynb) | where in a recording does another device begin? | | [16](solutions/16_splices.ipynb) |
# | [20 The questioned recording](20_questioned_recording.ipynb) | a case: which of these devices made it, or none, and how sure may one be? | | [20](solutions/20_questioned_recording.ipynb) |
# | [90 Speed](90_speed.ipynb) | how fast and how large is it? | | [90](solutions/90_speed.ipynb) |
# | [91 Sweeps](91_sweep.ipynb) | how does a result hang on a parameter, and how much is luck? | | [91](solutions/91_sweep.ipynb) |
# | [99 The report](99_report.ipynb) | what did a run find, on one page? | | |
#
# Three ways through it. Each notebook runs alone, so you may also start anywhere.
#
# - **Learner**, who wants to understand the method: [01](01_build_dataset.ipynb), [02](02_noise_fingerprint.ipynb),
#   [03](03_softmax.ipynb), [04](04_mlp.ipynb), [07](07_voting.ipynb), [08](08_confusion_matrix.ipynb),
#   [09](09_tsne.ipynb), then the two questions beside the way, [05](05_without_noise_extraction.ipynb) and
#   [06](06_model_averaging.ipynb), and at the end what all of it is worth on another day, [12](12_across_sessions.ipynb).
#   Do the exercises; their answers are notebooks, too (last column).
# - **Researcher**, who wants to compare or to build: [02](02_noise_fingerprint.ipynb),
#   [05](05_without_noise_extraction.ipynb), [10](10_cited_systems.ipynb), [10a](10a_cepstra_and_mixtures.ipynb),
#   [10b](10b_spectra_sketches_sparse_codes.ipynb), [10c](10c_noise_residuals_and_one_class.ipynb),
#   [11](11_published_predictions.ipynb), [12](12_across_sessions.ipynb), [13](13_conditions.ipynb),
#   [14](14_unknown_device.ipynb), [15](15_likelihood_ratio.ipynb), [16](16_splices.ipynb), [90](90_speed.ipynb),
#   [91](91_sweep.ipynb).
# - **Examiner**, who wants to know what such an answer is worth: [01](01_build_dataset.ipynb) (easier answers than the
#   device), [07](07_voting.ipynb) (whole recordings), [08](08_confusion_matrix.ipynb) (how sure),
#   [10](10_cited_systems.ipynb) (device or recording?), [12](12_across_sessions.ipynb) (another day),
#   [13](13_conditions.ipynb) (messengers and calls), [14](14_unknown_device.ipynb) (none of these),
#   [15](15_likelihood_ratio.ipynb) (how strong the evidence is), [16](16_splices.ipynb) (where another device begins),
#   [20](20_questioned_recording.ipynb) (the case), [99](99_report.ipynb) (every recording with its decision).
#
# ## Your own recordings
#
# Make a folder with one sub-folder per device, and at least two recordings in each:
#
# ```
# my_folder/phone_a/1.wav   my_folder/phone_a/2.m4a   my_folder/phone_b/interview.mp3   ...
# ```
#
# or name the files as in the paper, `phone_a-1.wav`, without sub-folders. The last session of a device that has several,
# else its last recording, becomes the test; `test_sessions` or `test_recordings` hold out others. If the files lie
# elsewhere, write a CSV with the columns `path` and `device`, and, if you like, `recording`, `split`, `session`,
# `speaker` and `model`. Set `corpus` above to the folder or the CSV. Best are recordings of the same devices on several days
# (notebook 12 says why).
#
# No recordings of your own? In a terminal, `devid corpora` lists public ones, with what each can show and what not;
# `devid corpora get NAME` downloads one, if you say so, and `NAME` is then a corpus as well.
#
# Here is such a CSV, made of recordings of two devices:

# %%
temporary = TemporaryDirectory()
folder = Path(temporary.name)
two = recordings["device"].isin(recordings["device"].unique()[:2])
chosen = recordings[two].groupby(["device", "split"]).head(1)
own = chosen[["path", "device", "recording", "split"]].assign(
    path=[f"{number}{Path(path).suffix}" for number, path in enumerate(chosen["path"])]
)
for path, name in zip(chosen["path"], own["path"], strict=True):
    shutil.copy(path, folder / name)
own.to_csv(folder / "own.csv", index=False)
print((folder / "own.csv").read_text(encoding="utf-8"))
load_corpus(folder / "own.csv", data_dir=folder)[["device", "recording", "split", "samplerate", "duration_s"]]

# %% [markdown]
# Every file is read before anything else happens. Refused, with the name of the file and the reason, are files that are
# missing, empty, truncated, digitally silent, not audio, or shorter than one segment; a device without a training or a
# test recording; the same audio under two devices, or in training and test. `on_error="skip"` leaves such files out and
# lists them. A note warns of what may be learnt instead of the device: other sample rates, several channels, file
# codings that differ between devices, very unequal lengths.
#
# ## What can go wrong
#
# A folder that is not there, and one recording that was filed under two devices.

# %%
first, last = own.iloc[0], own.iloc[-1]
shutil.copy(folder / first["path"], folder / f"copy of {first['path']}")
twice = first.to_frame().T.assign(path=f"copy of {first['path']}", device=last["device"], recording="copy")
pd.concat([own, twice]).to_csv(folder / "twice.csv", index=False)
for source in ("no_such_folder", folder / "twice.csv"):
    try:
        load_corpus(source, data_dir=folder)
    except DevidError as error:
        print(type(error).__name__, "-", f"{error}".replace(f"{folder}/", ""))
temporary.cleanup()

# %% [markdown]
# ## Results of this notebook

# %%
hours = recordings["duration_s"].sum() / 3600
sizes = {"devices": recordings["device"].nunique(), "recordings": len(recordings), "hours": hours}
rows_of_run = session.figures([{"system": "corpus", "metric": name, "value": value} for name, value in sizes.items()])
session.finish(rows_of_run)[["metric", "value"]].style.format("{:.4g}", subset="value").hide(axis="index")

# %% [markdown]
# ## What we saw

# %%
is_test = recordings["split"] == "test"
shortest, longest = recordings["duration_s"].min(), recordings["duration_s"].max()
session.saw(
    f"The corpus `{recordings.attrs['name']}` holds {recordings['device'].nunique()} devices and {len(recordings)} "
    f"recordings, {60 * hours:.1f} minutes in all.",
    f"{is_test.sum()} whole recordings are held out for the test, {(~is_test).sum()} are for training; none is on both "
    "sides.",
    f"Recordings last from {shortest:.1f} to {longest:.1f} seconds and are brought to {rate} Hz and one channel.",
)

# %% [markdown]
# ## Exercises
#
# 1. Load a recording at half its own sample rate. What becomes of the spectrogram, and how much of the recording's
#    energy is lost?
# 2. Write a CSV that trains on the last recording of every device and tests on the first. Load it.
#
# Worked answers: [solutions](solutions/00_start_here.ipynb)
#
# Next: [01 · Build the dataset](01_build_dataset.ipynb)
