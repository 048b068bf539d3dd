# %% [markdown]
# # 12 · Across sessions: answers
#
# Worked answers to the exercises of [12 · Across sessions](../12_across_sessions.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
segment_length: int = 4096  # length of a segment [samples]

# %%
import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from devid_lib import evaluation
from devid_lib.errors import DevidError
from devid_lib.workbook import start, told

# %%
session = start("12_across_sessions-answers", globals())
length = session.params["segment_length"]
recordings = session.recordings()
dataset = session.dataset(recordings.assign(split="train"), noise="none", window="hann")
table, devices = dataset.segments, list(dataset.devices)
unit = "session" if table.groupby("device")["session"].nunique().gt(1).sum() > 1 else "recording"
place = table.groupby("device")[unit].transform(lambda names: pd.factorize(names)[0])  # 0, 1, ... of every device
last = place == place.groupby(table["device"]).transform("max")
ends = (table["start"] + length) / table["n_samples"]
three = table["device"].isin(table["device"][place > 1])  # whose first two sessions are not its last
if not three.any():
    raise DevidError(f"{recordings.attrs['name']}: these exercises need devices of three sessions or recordings")


def answers(x, known):
    """Learn from some segments and return what is said of the last session of every device."""
    reader = make_pipeline(StandardScaler(), RidgeClassifier(alpha=0.1 * known.sum(), solver="cholesky"))
    reader.fit(x[known], dataset.y[known])
    decided = np.eye(len(devices))[reader.predict(x[last & three])]
    return evaluation.predictions_table(decided, table[last & three], devices)


def against(b, a):
    """Return what a paired test says of two tables of answers."""
    row = evaluation.paired_difference(b, a)
    return f"{evaluation.verdict(row)} ({told(row)}, {row['n']} recordings)"


# %% [markdown]
# **1. Do more sessions help because they are several, or would more of one do? Learn a whole session, half of it, and a
# quarter of each of two.**
#
# A quarter of two sessions is as much as half of one. The last session of every device is asked.

# %%
learnt = {
    "a whole session": place == 0,
    "half of it": (place == 0) & (ends <= 0.5),
    "a quarter of two": (place <= 1) & (ends <= 0.25),
}
said = {name: answers(dataset.X, (known & three).to_numpy()) for name, known in learnt.items()}
print("twice as much of one session, against half of it:", against(said["a whole session"], said["half of it"]))
print("a second session, against as much of one:", against(said["a quarter of two"], said["half of it"]))
pd.Series({name: evaluation.accuracy(one)["value"] for name, one in said.items()}, name="accuracy").map("{:.1%}".format)

# %% [markdown]
# More of a session averages out what was said. What belongs to that session, the room and the place of the device, is in
# every second of it, and only another session can tell it from the device.
#
# **2. What of a voice travels? Compare ripple with the differences of the log spectrum of shorter and of longer frames.**

# %%
waves = session.dataset(recordings.assign(split="train"), representation="waveform", noise="none")


def ripple(s, frame):
    """Return the differences over frequency of the mean log spectra of segments."""
    window, rows = np.hanning(frame).astype(np.float32), []
    for block in np.array_split(s, 1 + len(s) // 500):
        frames = np.lib.stride_tricks.sliding_window_view(block, frame, axis=1)[:, :: frame // 2] * window
        power = np.square(np.abs(np.fft.rfft(frames))) + frame * 2.0**-30 / 12
        rows.append(np.diff(np.log(power).mean(axis=1)).astype(np.float32))
    return np.concatenate(rows)


known = (learnt["half of it"] & three).to_numpy()
read = {frame: answers(ripple(waves.X, frame), known) for frame in (64, 128, 256, 512, 1024) if frame <= length}
for frame, one in read.items():
    width = recordings["samplerate"].iloc[0] / frame
    print(f"{frame} samples, {width:.0f} Hz from one frequency to the next: {evaluation.correct(one).mean():.1%}")
shortest, longest = min(read), max(read)
print(f"{longest} samples, against {shortest}: {against(read[longest], read[shortest])}")

# %% [markdown]
# Short frames see only what is broad, in few numbers that are well measured: each is an average of many frames. Long ones
# resolve the comb that a reflection from a desk draws, and the partials of a voice, in many numbers, each of few frames.
