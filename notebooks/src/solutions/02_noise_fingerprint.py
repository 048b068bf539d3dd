# %% [markdown]
# # 02 · The noise fingerprint: answers
#
# Worked answers to the exercises of [02 · The noise fingerprint](../02_noise_fingerprint.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pywt
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from devid_lib import evaluation, plots
from devid_lib.audio import load_recording
from devid_lib.noise import wavelet_noise
from devid_lib.recorders import RECORDERS
from devid_lib.segments import regular_segments
from devid_lib.workbook import start, told

session = start("02_noise_fingerprint-answers", globals())
recordings = session.recordings()
row, n = recordings.iloc[0], session.params["segment_length"]
y, rate = load_recording(row["path"], samplerate=int(row["samplerate"]))
segments = regular_segments(y[: 500 * n], length=n)[0].astype(float)


# %%
def answers(**changes):
    """Return what ridge regression on standardised features says of the test segments, as a table of predictions."""
    dataset = session.dataset(recordings, **changes)
    train, test = dataset.mask("train"), dataset.mask("test", draw=0)
    model = make_pipeline(StandardScaler(), RidgeClassifier(0.1 * train.sum(), solver="cholesky"))
    model.fit(dataset.X[train], dataset.segments["device"][train])
    named = model.predict(dataset.X[test])[:, np.newaxis] == np.array(dataset.devices)
    return evaluation.predictions_table(named, dataset.segments[test], dataset.devices)


def compared(changed, usual):
    """Say how many segments are right with a changed and with the usual setting, and whether that is a difference."""
    test = evaluation.paired_difference(changed, usual)
    right = [evaluation.correct(table).mean() for table in (changed, usual)]
    words = f"the change {evaluation.verdict(test)} ({told(test)})"
    return f"{right[0]:.1%} of the test segments are right, {right[1]:.1%} with the usual setting: {words}."


usual = answers(noise="wavelet")

# %% [markdown]
# **1. Set the thresholding to `hard`. What does the noise look like then, and does a linear classifier notice?**

# %%
loudest = segments[np.argmax((segments**2).sum(axis=1))]
fig, axes = plt.subplots(2, 1, figsize=(9, 4), sharex=True, sharey=True, layout="constrained")
for ax, kind in zip(axes, ("soft", "hard"), strict=True):
    taken = wavelet_noise(loudest, **session.wavelet | {"mode": kind})
    ax.plot(1000 * np.arange(n) / rate, taken, color=plots.ORANGE, lw=0.7)
    ax.set(title=f"{kind}: {np.sum(taken**2) / np.sum(loudest**2):.3%} of the energy", ylabel="noise")
axes[1].set_xlabel("time [ms]")
session.save_figure(axes, "hard", "The noise of one segment with soft and with hard thresholding.")

# %%
hard = answers(noise="wavelet", mode="hard")
print("Hard:", compared(hard, usual))

# %% [markdown]
# Hard thresholding takes nothing at all from a coefficient above the threshold. So where speech is, the noise has
# holes, in time and in frequency; soft thresholding fills them with plus or minus the threshold.
#
# **2. Set `rescale` to `mln`, a noise level for each level. What is clipped now, and does it help?**

# %%
factor = 0.3936 + 0.1829 * np.log2(n)
levels = pywt.dwt_max_level(n, pywt.Wavelet(session.wavelet["wavelet"]).dec_len)
details = pywt.wavedec(segments, session.wavelet["wavelet"], mode="symmetric", level=levels, axis=-1)[:0:-1]
sigmas = [np.median(np.abs(d), axis=1, keepdims=True) / 0.6745 for d in details]
clipped = pd.DataFrame(
    {
        "sln: noise level of the finest": [np.mean(np.abs(d) > factor * sigmas[0]) for d in details],
        "mln: each its own": [np.mean(np.abs(d) > factor * own) for d, own in zip(details, sigmas, strict=True)],
    },
    index=pd.RangeIndex(1, levels + 1, name="level"),
)
ax = (100 * clipped).plot.bar(figsize=(8, 3.2), rot=0, width=0.8)
ax.set(ylabel="clipped coefficients [%]")
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "clipped", "Share of clipped coefficients, for two ways to measure the noise level.")

# %%
each = answers(noise="wavelet", rescale="mln")
print("mln:", compared(each, usual))

# %% [markdown]
# Each level now keeps its own strength, since the threshold grows with it. But where a level is full of speech, the
# median is one of speech and no longer of noise, and more of the speech is taken for noise.
#
# **3. Up to which frequency does the spectrum of each device reach? Does its codec explain the end?**
#
# We take the last frequency at which the mean noise spectrum is no more than 20 dB below its median between 5 and 15 kHz.

# %%
dataset = session.dataset(recordings, noise="wavelet")
frequency, train = np.fft.rfftfreq(n, 1 / rate), dataset.mask("train")
ends = {}
for i, device in enumerate(dataset.devices):
    magnitudes = np.expm1(dataset.X[train & (dataset.y == i)]).mean(axis=0)
    db = pd.Series(20 * np.log10(magnitudes + 1e-6), frequency / 1000).rolling(9, center=True, min_periods=1).mean()
    ends[device] = db.index[db > db[5:15].median() - 20].max()
codec = {recorder.name: recorder.design.codec for recorder in RECORDERS}
table = pd.DataFrame({"reaches to [kHz]": ends, "codec": {device: codec.get(device, "not known") for device in ends}})
table.sort_values("reaches to [kHz]").style.format(precision=1)

# %% [markdown]
# Codecs that leave out what nobody hears, such as MP3, AC-3, AAC, WMA and Opus, end early, each at a place of its own. Without
# one (`none`) the filter before the converter ends the spectrum. ADPCM has few bits, and its rounding noise fills the spectrum
# to the top. A codec does that in every recording of a device: hence steps in the curve of what devices differ by.
