# %% [markdown]
# # 00 · Start here: answers
#
# Worked answers to the exercises of [00 · Start here](../00_start_here.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import librosa
import librosa.display
import matplotlib.pyplot as plt
import numpy as np
from scipy.signal import welch

from devid_lib import plots
from devid_lib.audio import load_recording
from devid_lib.corpus import load_corpus
from devid_lib.workbook import start

session = start("00_start_here-answers", globals())
recordings = session.recordings()

# %% [markdown]
# **1. Load a recording at half its own sample rate. What becomes of the spectrogram, and how much of the recording's
# energy is lost?**

# %%
row = recordings.iloc[-1]
y, rate = load_recording(row["path"])
loaded = [(y, rate), load_recording(row["path"], samplerate=rate // 2)]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for ax, (signal, at) in zip(axes, loaded, strict=True):
    power = np.abs(librosa.stft(np.array(signal[: 3 * at]), n_fft=1024, hop_length=256))
    axis = {"x_axis": "time", "y_axis": "linear", "sr": at, "hop_length": 256}
    librosa.display.specshow(librosa.amplitude_to_db(power), cmap="magma", ax=ax, **axis)
    ax.set(title=f"{plots.label(row['device'])} at {at} Hz", xlabel="time [s]", ylabel="frequency [Hz]")
    ax.grid(False)
session.save_figure(axes, "rates", "The same three seconds at the recording's own rate and at half of it.")

# %%
frequency, density = welch(y, rate, nperseg=4096)
lost = density[frequency >= rate / 4].sum() / density.sum()
print(f"Above {rate // 4} Hz the recording has {lost:.3%} of its energy, and half of its features.")

# %% [markdown]
# Half the sample rate is the highest frequency that a recording can hold. The ear misses little, since most of speech
# is low. A classifier may miss more: what the recorder adds is there as well, and little speech hides it.
#
# **2. Write a CSV that trains on the last recording of every device and tests on the first. Load it.**

# %%
place = recordings.groupby("device").cumcount()
last = recordings.groupby("device")["path"].transform("size") - 1
chosen = recordings[(place == 0) | (place == last)]
with TemporaryDirectory() as folder:
    table = chosen[["device", "recording"]].assign(
        path=chosen["path"].map(lambda path: Path(path).absolute()),
        split=np.where(place[chosen.index] == 0, "test", "train"),
    )
    table.to_csv(Path(folder) / "turned.csv", index=False)
    turned = load_corpus(Path(folder) / "turned.csv", data_dir=folder)
print(f"{(turned['split'] == 'train').sum()} recordings for training, {(turned['split'] == 'test').sum()} for the test")
turned[["device", "recording", "split", "duration_s"]].head(4)
