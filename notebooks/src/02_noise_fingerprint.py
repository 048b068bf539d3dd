# %% [markdown]
# # 02 · The noise fingerprint
#
# **What is left when the speech is taken away, and why does it name the device?**
#
# | | |
# |---|---|
# | you will learn | how shrinking wavelet coefficients splits speech and noise, what a threshold rule does, what equations (1) to (3) compute, what leaks without a window, what in the noise belongs to the device |
# | it needs | a corpus |
# | it makes | the noise by hand, seen and heard; spectra of all devices; a test whether extraction helps |
# | it takes | seconds at size `quick` |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
wavelet: str = "sym8"  # any discrete wavelet of PyWavelets
level: int = 17  # levels of the wavelet transform
threshold: str = "minimaxi"  # threshold rule: rigrsure, heursure, sqtwolog, minimaxi
mode: str = "soft"  # thresholding: soft or hard
rescale: str = "sln"  # noise level: sln (from the finest level), mln (from each level) or one (1)

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pywt
from IPython.display import Audio, display
from ipywidgets import IntSlider
from sklearn.feature_selection import f_classif
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from devid_lib import evaluation, plots
from devid_lib.audio import load_recording
from devid_lib.errors import DevidError
from devid_lib.features import fourier_features
from devid_lib.noise import RULES, select_threshold, wavelet_denoise, wavelet_noise
from devid_lib.segments import regular_segments
from devid_lib.workbook import joined, show, signed, start, told
from devid_lib.workbook.paper import PAPER

session = start("02_noise_fingerprint", globals())
p = session.params

# %% [markdown]
# ## Inputs
#
# One recording, cut into segments that follow one another. We look at the loudest of them.

# %%
recordings = session.recordings()
row, n = recordings.iloc[0], p["segment_length"]
y, rate = load_recording(row["path"], samplerate=int(row["samplerate"]))
segments = regular_segments(y[: 500 * n], length=n)[0].astype(float)  # [shape=(segments, n)]
loudest = int(np.argmax((segments**2).sum(axis=1)))
s = segments[loudest]
print(f"{row['device']}, recording {row['recording']}: segment {loudest} of {len(segments)}, {1000 * n / rate:.0f} ms")

# %% [markdown]
# ## Speech and noise, equation (1)
#
# $$ s(\tau) = f(\tau) + e(\tau), \qquad \tau = 0 \dots n-1 $$
#
# $s$ is what was recorded, $f$ the speech, $e$ the noise. Only $s$ is known. The plan: estimate the speech, and call
# what is left the noise.
#
# ## A wavelet transform
#
# It splits a signal into a coarse half, the *approximation* $a$, and the *details* $d$ that this half lacks. Two short
# *filters* do it, a low-pass and a high-pass, of 16 numbers each for the paper's wavelet `sym8`. Of what comes out of
# them every second value is kept. The coarse half is split again, and so on:
#
# $$ s \rightarrow (a_1, d_1), \qquad a_1 \rightarrow (a_2, d_2), \qquad \dots \qquad a_{J-1} \rightarrow (a_J, d_J) $$
#
# $d_1$ holds the upper half of all frequencies, $d_2$ the upper half of the rest: an octave a level, from fine to coarse.
# PyWavelets does it in one call, `wavedec`, which returns the coarsest first: $a_J, d_J, \dots, d_2, d_1$.

# %%
warnings.filterwarnings("ignore", message="Level value of")  # that it is too high: why is told below
coefficients = pywt.wavedec(s, p["wavelet"], mode="symmetric", level=p["level"])
print("numbers of coefficients:", *[len(c) for c in coefficients])

# %% [markdown]
# What does one coefficient stand for? Set it to one and all others to zero, and transform back. It is a short wave at
# one place, the longer, the coarser the level. A coefficient says how much of its wave there is in the signal.

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 2.4), sharey=True, layout="constrained")
for ax, j in zip(axes, (2, 4, 6), strict=True):
    one = [np.zeros(len(c)) for c in pywt.wavedec(s, p["wavelet"], mode="symmetric", level=j)]
    one[1][len(one[1]) // 2] = 1  # the list starts with a_j, d_j
    wave = pywt.waverec(one, p["wavelet"], mode="symmetric")[n // 3 : 2 * n // 3]
    ax.plot(1000 * np.arange(len(wave)) / rate, wave)
    ax.set(title=f"one coefficient of level {j}", xlabel="time [ms]")
axes[0].set_ylabel("amplitude")
session.save_figure(axes, "waves", "What one detail coefficient stands for, at three levels.")

# %% [markdown]
# ## Take the speech away
#
# Speech gathers in a few large coefficients. Noise spreads over all of them, thinly. So a coefficient that is small
# counts as noise, and a large one as speech with some noise on it. What is small? First the noise level, from the
# finest scale, where there is least speech:
#
# $$ \hat\sigma = \frac{\mathrm{median}\,|d_1|}{0.6745} $$
#
# The median does not mind a few large values of speech, and half of all values of Gaussian noise are within 0.6745 standard
# deviations. Then the *threshold*, one for all levels, by the rule that MATLAB calls `minimaxi`, for $n$ samples:
#
# $$ t = \hat\sigma \left( 0.3936 + 0.1829 \log_2 n \right) $$
#
# Every detail coefficient moves towards zero by $t$, and those within $\pm t$ become zero (*soft* thresholding):
#
# $$ d \;\rightarrow\; \mathrm{sign}(d)\, \max(|d| - t,\ 0) $$
#
# Transformed back, that is the estimated speech. The difference to the recording is the noise.


# %%
def estimated_speech(s):
    """Return the speech in s: shrunk details, transformed back (minimaxi, soft, noise level of the finest scale)."""
    approximation, *details = pywt.wavedec(s, p["wavelet"], mode="symmetric", level=p["level"])
    sigma = np.median(np.abs(details[-1])) / 0.6745
    t = sigma * (0.3936 + 0.1829 * np.log2(len(s)))
    shrunk = [np.sign(d) * np.maximum(np.abs(d) - t, 0) for d in details]
    return pywt.waverec([approximation, *shrunk], p["wavelet"], mode="symmetric")[: len(s)]


f = estimated_speech(s)
e = s - f

published = {"wavelet": p["wavelet"], "level": p["level"], "threshold": "minimaxi", "mode": "soft", "rescale": "sln"}
np.testing.assert_allclose(f, wavelet_denoise(s, **published), atol=1e-9)
np.testing.assert_allclose(e, wavelet_noise(s, **published), atol=1e-9)
print(f"{np.sum(e**2) / np.sum(s**2):.2%} of the segment's energy is taken for noise")

# %% [markdown]
# That is the whole extraction, and the library's `wavelet_denoise` and `wavelet_noise` compute the same. Some of the levels
# as they are: orange is taken for noise, at most the threshold of each coefficient; what rises above it, grey, is speech.

# %%
details = coefficients[:0:-1]  # the finest first
sigma = np.median(np.abs(details[0])) / 0.6745
t = sigma * (0.3936 + 0.1829 * np.log2(n))
fig, axes = plt.subplots(2, 2, figsize=(10, 4), sharex=True, layout="constrained")
for ax, j in zip(axes.flat, [j for j in (1, 2, 3, 5) if j <= len(details)], strict=False):
    d = details[j - 1] / max(t, 1e-12)
    place, style = np.linspace(0, 1000 * n / rate, len(d)), {"lw": np.clip(400 / len(d), 0.5, 2), "rasterized": True}
    ax.vlines(place, np.clip(d, -1, 1), d, color="0.6", label="speech", **style)
    ax.vlines(place, 0, np.clip(d, -1, 1), color=plots.ORANGE, label="noise", **style)
    ax.hlines([-1, 1], 0, place[-1], color=plots.DARK, ls="--", lw=0.8, label="threshold")
    ax.set(ylim=(-6, 6), title=f"level {j}, the largest is {np.abs(d).max():.1f} thresholds")
fig.supxlabel("time [ms]", fontsize=10)
fig.supylabel("coefficient [thresholds]", fontsize=10)
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper")
session.save_figure(axes, "details", "Detail coefficients of one segment, and the threshold between noise and speech.")

# %% [markdown]
# The panels end at six thresholds; lines that touch the edge go on. The more speech there is in a level, the more
# coefficients stick out, and only their lowest part is taken.
#
# ## See and hear

# %%
fig, axes = plt.subplots(3, 1, figsize=(9, 5), sharex=True, layout="constrained")
parts = {"recording s": (s, plots.DARK), "estimated speech": (f, plots.BLUE), "noise e": (e, plots.ORANGE)}
for ax, (what, (signal, color)) in zip(axes, parts.items(), strict=True):
    ax.plot(1000 * np.arange(n) / rate, signal, color=color, lw=0.8)
    ax.set(title=what, ylabel="amplitude")
    ax.ticklabel_format(axis="y", scilimits=(-2, 2), useMathText=True)
axes[-1].set_xlabel("time [ms]")
session.save_figure(axes, "decomposition", "One segment, the speech that denoising estimates, and what it removes.")

# %% [markdown]
# Mind the three scales. To hear it takes more than one segment: here are some seconds, segment by segment, each with its own
# threshold, the noise amplified until it is as loud as the speech.

# %%
several = segments[max(0, loudest - 20) :][: int(4 * rate / n)]
taken = wavelet_noise(several, **published).ravel()
left = several.ravel() - taken
gain = np.sqrt(np.mean(left**2) / max(np.mean(taken**2), 1e-20))
peak = max(np.abs(left).max(), gain * np.abs(taken).max())

print("Estimated speech")
display(Audio(0.9 * left / peak, rate=rate, normalize=False))
share = np.mean(taken**2) / np.mean(several**2)
print(f"Noise, in these seconds {share:.2%} of the energy, amplified by {20 * np.log10(gain):.0f} dB")
display(Audio(0.9 * gain * taken / peak, rate=rate, normalize=False))

# %% [markdown]
# Can you still tell when somebody speaks, or even what? Then some of the speech went into the noise. *Which frequencies are
# noise?* below tells how.
#
# ## What a threshold rule does
#
# A *rule* says where the line is between noise and speech, in units of $\hat\sigma$. A coefficient below the line is
# noise. For those above there are two ways. *Soft*, as in the authors' program: with a threshold of 1, a coefficient of 3
# gives 2 to the speech and 1 to the noise. *Hard* leaves it whole: 3 to the speech, nothing to the noise. A coefficient of
# 0.4 is all noise for both.

# %%
d = np.linspace(-3, 3, 601)
taken = pd.DataFrame({kind: d - pywt.threshold(d, 1, kind) for kind in ("soft", "hard")}, d)
ax = taken.plot(style=["-", "--"], lw=2, figsize=(6, 3))
ax.set(xlabel="coefficient [thresholds]", ylabel="taken for noise [thresholds]")
session.save_figure(ax, "thresholding", "What soft and hard thresholding take of a coefficient; the rest is speech.")

# %% [markdown]
# The rules differ in where they draw the line:
#
# - `sqtwolog`: $\sqrt{2 \ln n}$. So high that among $n$ values of pure noise hardly any is above it.
# - `minimaxi`: $0.3936 + 0.1829 \log_2 n$. Lower: the line whose *error*, of the estimated speech against the true one,
#   is smallest in the worst case.
# - `rigrsure`: looks at the coefficients of a level. For every line that could be drawn it estimates that error
#   (Stein's unbiased risk estimate) and takes the best. Where a level is full of speech the line falls to its smallest
#   coefficient, and of the few of a deep level even that may be large.
# - `heursure`: `sqtwolog` at a level that looks like pure noise, else the lower of `sqtwolog` and `rigrsure`.
#
# The higher the line of a level, the more of it goes into the fingerprint. The last two columns add *all* levels up: the
# energy of the noise, in dB of that of the segment. Hard takes less than soft: nothing from what is above the line.

# %%
lines = {}
for rule in RULES:
    lines[rule] = {}
    for j in sorted({1, min(3, len(details))}):
        seen = details[j - 1] / max(sigma, 1e-12) if rule in ("rigrsure", "heursure") else s  # others count samples
        lines[rule][f"line at level {j}"] = float(select_threshold(seen, rule=rule))
    for kind in ("soft", "hard"):
        by_rule = wavelet_noise(s, **published | {"threshold": rule, "mode": kind})
        lines[rule][f"noise, {kind} [dB]"] = 10 * np.log10(np.sum(by_rule**2) / np.sum(s**2))
pd.DataFrame(lines).T.style.format("{:.2f}").format("{:.1f}", subset=["noise, soft [dB]", "noise, hard [dB]"])

# %% [markdown]
# ## Which frequencies are noise?
#
# Level $j$ holds the frequencies from $r / 2^{j+1}$ to $r / 2^j$, $r$ being the sample rate. (Roughly: short filters
# let a band leak into its neighbours.) $\hat\sigma$ is measured in the finest band alone, and the threshold made of it
# is used for *all* bands. Does it fit them? For every level, over the segments of the recording: its own $\hat\sigma_j$
# against that of the finest, in all segments and in the quietest tenth, mostly pauses; the share of coefficients beyond
# the threshold, which are *clipped* to $\pm t$; the share of energy that is taken for noise.

# %%
bands = pywt.wavedec(segments, p["wavelet"], mode="symmetric", level=p["level"], axis=-1)[:0:-1]  # the finest first
sigmas = np.stack([np.median(np.abs(d), axis=1) / 0.6745 for d in bands])  # [shape=(level, segments)]
limits = (sigmas[0] * (0.3936 + 0.1829 * np.log2(n)))[:, np.newaxis]  # one for each segment
loudness = (segments**2).sum(axis=1)
pauses = sigmas[:, loudness <= np.quantile(loudness, 0.1)].mean(axis=1)
j = np.arange(1, p["level"] + 1)
levels = pd.DataFrame({
    "from [Hz]": rate / 2.0 ** (j + 1),
    "to [Hz]": rate / 2.0**j,
    "coefficients": [d.shape[1] for d in bands],
    "sigma": sigmas.mean(axis=1) / max(sigmas[0].mean(), 1e-12),
    "sigma in the quietest tenth": pauses / max(pauses[0], 1e-12),
    "clipped": [np.mean(np.abs(d) > limits) for d in bands],
    "energy taken": [np.sum(np.minimum(np.abs(d), limits) ** 2) / np.sum(d**2) for d in bands],
}, pd.Index(j, name="level"))  # fmt: skip
levels.style.format("{:.1f}").format("{:d}", subset="coefficients").format("{:.2%}", subset=["clipped", "energy taken"])

# %%
filter_length = pywt.Wavelet(p["wavelet"]).dec_len
deepest = pywt.dwt_max_level(n, filter_length)  # see below
heights = 20 * np.log10(levels[["sigma", "sigma in the quietest tenth"]] + 1e-9)
ax = heights.plot(figsize=(9, 3.2), marker="o", xticks=levels.index)
ax.axhline(20 * np.log10(0.3936 + 0.1829 * np.log2(n)), color=plots.DARK, ls="--", lw=1.2, label="threshold")
ax.axvspan(deepest + 0.5, max(deepest, p["level"]) + 0.5, color="0.92", zorder=0, label="deeper than useful")
ax.set(ylabel="sigma [dB, finest = 0]", title=f"level 1: above {rate / 4000:g} kHz, each further level an octave lower")
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "levels", "Sigma of every level against the one threshold, both in dB above the finest level.")

# %% [markdown]
# In a level above the dashed line most coefficients are *clipped*: the noise gets $+t$ or $-t$ of them, hardly more than their
# sign. Where blue stands far above orange, blue is speech. To spare it is right, but its sign goes into the noise, and that
# is how you could hear somebody speak. Where orange, too, is above the line, the threshold is too low: noise of room and
# device is taken for speech, and its strength is cut off at a height that was measured at the highest frequencies. The
# rescaling `mln` measures $\hat\sigma_j$ at every level instead (exercise 2).
#
# ## Why 17 levels?
#
# They are the paper's. A level halves the number of coefficients until the filter is as long as what it filters.
# `pywt.dwt_max_level` says when:

# %%
deep, shallow = (wavelet_noise(segments, **published | {"level": j}) for j in (p["level"], max(1, deepest)))
change = np.sum((deep - shallow) ** 2) / max(np.sum(deep**2), 1e-20)
print(f"{n} samples and a filter of {filter_length}: level {deepest} is the deepest useful one of {p['level']}.")
print(f"Noise of {p['level']} instead of {max(1, deepest)} levels: {change:.1%} of its energy is different.")

# %% [markdown]
# Deeper, the number of coefficients no longer halves: they describe the continuation of the segment beyond its ends
# (`symmetric`: as in a mirror), and the frequencies in the table are names, not facts. What the further levels do to the
# fingerprint: the lowest frequencies, which a shallow transform calls speech, are clipped as well.
#
# ## The spectrum, equations (2) and (3)
#
# $$ E(k) = \sum_{\tau=0}^{n-1} e(\tau)\, \exp\left(-2\pi \mathrm{i}\, k \tau / n\right), \qquad
# x(k) = \log\left(|E(k)| + 1\right), \qquad k = 0 \dots n/2 $$
#
# $|E(k)|$ says how much of the frequency $k\, r / n$ there is in the noise. (The paper's equation (3) leaves out the
# magnitude; the authors' programs take it.)

# %%
E = np.fft.rfft(e)
x = np.log(np.abs(E) + 1)

k = n // 40  # one of them as the sum above
np.testing.assert_allclose(E[k], np.sum(e * np.exp(-2j * np.pi * k * np.arange(n) / n)), atol=1e-9)
np.testing.assert_allclose(x, fourier_features(e), atol=1e-5)
print(f"{n} samples -> {len(x)} features, from {x.min():.4f} to {x.max():.4f}")

# %% [markdown]
# ## What a window does
#
# The FFT takes the segment for one period of a sound without end. Where its end does not meet its beginning there is a
# jump, $h = s(0) - s(n-1)$, which nobody recorded. Alone it would have the spectrum
#
# $$ |J(k)| = \frac{|h|}{2 \sin(\pi k / n)}, $$
#
# never less than half of $h$, up to the highest frequency. Loud low frequencies *leak* that way over all others. A *window*
# $w$ fades the segment in and out, so that both ends meet at zero; Hann's, of mean square 1, is
#
# $$ w(\tau) = \sqrt{2/3}\, \left(1 - \cos(2\pi \tau / n)\right) $$
#
# The authors' programs use none. The same segment and its noise, without and with it:

# %%
frequency, w = np.fft.rfftfreq(n, 1 / rate), np.sqrt(2 / 3) * (1 - np.cos(2 * np.pi * np.arange(n) / n))
np.testing.assert_allclose(np.log(np.abs(np.fft.rfft(w * s)) + 1), fourier_features(s, window="hann"), atol=1e-4)

fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharex=True, sharey=True, layout="constrained")
for ax, (name, x) in zip(axes, (("recording", s), ("noise", e)), strict=True):
    for v, color, what in ((1, "0.6", "no window"), (w, plots.BLUE, "Hann window")):
        ax.plot(frequency / 1000, 20 * np.log10(np.abs(np.fft.rfft(v * x)) + 1e-9), color=color, lw=0.6, label=what)
    alone = abs(x[0] - x[-1]) / (2 * np.sin(np.pi * np.arange(1, len(frequency)) / n))
    ax.plot(frequency[1:] / 1000, 20 * np.log10(alone + 1e-9), "--", color=plots.ORANGE, lw=1.8, label="the jump alone")
    ax.set(title=name, xlabel="frequency [kHz]", xlim=(0, rate / 2000))
axes[0].set(ylabel="magnitude [dB]", ylim=(-75, None))
axes[1].legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(axes, "leakage", "One segment and its noise, without and with a window, and the jump alone.")

# %% [markdown]
# Left, where grey runs along the dashed line high above blue, the feature holds the jump and not what was recorded there.
# Right is what shrinkage did about it. The loud slow part of the segment went into the estimated speech, and most of the
# jump with it: less leaks. In part, extraction does the work of a window. How much of it? For all segments of this
# recording: by how many decibels does leakage lift the spectrum above a quarter of the sample rate?

# %%
lifted = []
for x in (segments, wavelet_noise(segments, **published)):
    plain, faded = (np.abs(np.fft.rfft(v * x)[:, frequency >= rate / 4]) for v in (1, w))
    lifted.append(np.mean(20 * np.log10((plain + 1e-9) / (faded + 1e-9))))
print("recording: {:.1f} dB, noise: {:.1f} dB".format(*lifted))

# %% [markdown]
# Which of the two, extraction or window, names more devices is asked in notebook 05, and on another day in notebook 12.
#
# ## Try it
#
# In JupyterLab move the segment, choose a rule, a wavelet, a number of levels (on a page they stand still). What moves
# in the noise, and what in its spectrum? The player plays the noise of this and the following segments.



# %%
def draw(segment, rule, wavelet, level):
    """Draw the noise of a segment and the spectra of both; play the noise of this and the next segments."""
    chosen = session.wavelet | {"threshold": rule, "wavelet": wavelet, "level": level}
    found = wavelet_noise(segments[segment : segment + 20], **chosen)
    _, axes = plt.subplots(2, 1, figsize=(9, 5), layout="constrained")
    axes[0].plot(1000 * np.arange(n) / rate, found[0], color=plots.ORANGE, lw=0.8)
    axes[0].set(title=f"noise of segment {segment}: {rule}, {wavelet}, {level} levels", xlabel="time [ms]", ylabel="amplitude")
    for signal, color, what in ((segments[segment], "0.6", "recording"), (found[0], plots.ORANGE, "noise")):
        db = 20 * np.log10(np.abs(np.fft.rfft(w * signal)) + 1e-9)
        axes[1].plot(frequency / 1000, db, color=color, lw=0.7, label=what)
    axes[1].axvspan(rate / 4000, rate / 2000, color="0.93", zorder=0, label="the finest band")
    axes[1].set(xlabel="frequency [kHz]", ylabel="magnitude [dB]", title="both spectra, with a Hann window")
    axes[1].legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    if session.headless:
        session.save_figure(axes, "try-it", "Noise of one segment, and its spectrum in that of the segment.")
    display(Audio(found.ravel(), rate=rate))


sliders = {"segment": IntSlider(loudest, 0, len(segments) - 1), "level": IntSlider(p["level"], 1, max(17, p["level"]))}
wavelets = list(dict.fromkeys([p["wavelet"], "haar", "db4", "sym4", "sym8", "coif5"]))
session.interact(draw, rule=list(dict.fromkeys([p["threshold"], *RULES])), wavelet=wavelets, **sliders)

# %% [markdown]
# In the finest band, shaded, little is clipped, and the noise follows the recording. Far below, where the levels are
# clipped to the same $t$, it is flat, whatever the recording does. Where orange is above grey, it is of the method's own
# making: to keep every second value folds other frequencies into a band, and once some bands are clipped and others are
# not, these *aliases* no longer cancel.
#
# ## Why does it name the device?
#
# From here on all recordings. The dataset of notebook 01 holds the noise spectrum of every segment, as
# $\log(1 + c\,|E|)$; the factor $c$ is explained below. First the mean magnitude of every device, over its training
# segments.

# %%
dataset = session.dataset(recordings, noise="wavelet")
c, label_of, devices = dataset.settings["scale"], dataset.segments["device"].to_numpy(), list(dataset.devices)
train, test = dataset.mask("train"), dataset.mask("test", draw=0)
means = {name: np.expm1(dataset.X[train & (label_of == name)]).mean(axis=0) / c for name in devices}
spectra = 20 * np.log10(pd.DataFrame(means, index=pd.Index(frequency, name="frequency [Hz]")) + 1e-9)
few = devices[:: max(1, len(devices) // 3)][:3] if len(devices) > plots.FEW else ()
ax = plots.device_spectra(spectra.rolling(9, center=True, min_periods=1).mean(), highlight=few)
session.save_figure(ax, "device-spectra", "Mean magnitude spectrum of the noise of every device, over nine bins.")

# %% [markdown]
# Where a band is clipped, a curve has the height of the threshold, and so says once more how loud the highest frequencies
# are. Read the curves for what is left beside that: bumps and dips at places of their own, and where a curve falls off.
#
# ## Device or recording?
#
# Do the curves differ because of the devices, or would two recordings of *one* device differ as much? Take at each frequency
# the mean feature $\bar x_{dr}$ of every recording $r$ of every device $d$, the mean $\bar x_d$ of a device's recordings and
# the mean $\bar x$ of all. If $D$ devices have $N$ recordings, the *mean squares* are
#
# $$ B = \frac{1}{D - 1} \sum_{d,r} (\bar x_d - \bar x)^2, \qquad
# W = \frac{1}{N - D} \sum_{d,r} (\bar x_{dr} - \bar x_d)^2 $$
#
# $B$ is made of the differences between devices, $W$ of those between recordings of one device, which move the means of
# devices, too: if the device had no say, $B / W$ (statisticians call it $F$) would be about one. What devices differ by
# is the rest, shared by the $N / D$ recordings of each. As standard deviations:
#
# $$ \text{devices: } \sqrt{(B - W)\, D / N}, \qquad \text{recordings: } \sqrt{W} $$

# %%
groups = dataset.segments[dataset.segments["draw"] == 0].groupby(["device", "recording"]).indices
rows_of = np.flatnonzero(dataset.segments["draw"] == 0)
x_dr = pd.DataFrame({key: dataset.X[rows_of[rows]].mean(axis=0, dtype=float) for key, rows in groups.items()}).T
x_d = x_dr.groupby(level=0).transform("mean")

D, N = len(devices), len(x_dr)
B = ((x_d - x_dr.mean()) ** 2).sum() / (D - 1)
W = ((x_dr - x_d) ** 2).sum() / (N - D)
np.testing.assert_allclose(B / W, f_classif(x_dr, x_dr.index.get_level_values(0))[0], rtol=1e-6, atol=1e-6)

within = np.mean([dataset.X[rows_of[rows]].var(axis=0) for rows in groups.values()], axis=0)
decibel = 20 / np.log(10)  # from the logarithm of a magnitude
spread = pd.DataFrame({
    "devices": decibel * np.sqrt(np.maximum(B - W, 0) * D / N),  # what devices differ by, recordings taken off
    "recordings of one device": decibel * np.sqrt(W),
    "segments of one recording": decibel * np.sqrt(within),
}).set_index(frequency / 1000)  # fmt: skip

# %%
smooth = spread.rolling(max(1, len(frequency) // 100), center=True, min_periods=1).mean()
ax = smooth.plot(figsize=(9, 3.6), color=[plots.BLUE, plots.ORANGE, "0.6"])
ax.set(xlabel="frequency [kHz]", ylabel="standard deviation [dB]", xlim=(0, rate / 2000), ylim=(0, None))
ax.legend(title="differences between", loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "between-within", "How far devices, recordings and segments differ, over frequency.")

# %% [markdown]
# Where blue is above orange, devices differ more than the recordings of one do. (If all recordings of a device were made
# in one place on one day, place and day count as the device here.) What belongs to the device was built into it: the
# resonances of microphone and housing, the filter before the converter, the self-noise of the amplifier, what a codec adds
# and leaves out (exercise 3). What varies from recording to recording is the gain, the room, the traffic outside. Grey is
# what a classifier of single segments has to look through: the higher it stands, the more segments it takes.
#
# ## Which part of the spectrum names it?
#
# Let a classifier see only a part. *Ridge regression* is a linear one that is fitted in a closed form: for every device
# weights $w$ and a constant $b$, so that $w^\top x + b$ is near $1$ for its segments and near $-1$ for the others,
#
# $$ \min_{w, b} \sum_i \left( w^\top x_i + b - y_i \right)^2 + \alpha \|w\|^2, \qquad y_i = \pm 1 $$
#
# The device with the largest value is named. The features are *standardised* before: minus the mean over the training
# segments, divided by the standard deviation. To be quick it learns from at most some 9000 segments, evenly spread.


# %%
learnt = np.flatnonzero(train)[:: 1 + train.sum() // 9001]


def reader(x):
    """Fit ridge regression on training segments; the penalty is a tenth of the variance of a feature."""
    return make_pipeline(StandardScaler(), RidgeClassifier(0.1 * len(x), solver="cholesky")).fit(x, label_of[learnt])


def answers(model, x):
    """Return the decisions on test segments as a table of predictions."""
    named = model.predict(x)[:, np.newaxis] == np.array(devices)
    return evaluation.predictions_table(named, dataset.segments[test], devices)


by_band = {}
for i, part in enumerate(np.array_split(np.arange(len(frequency)), 8)):  # bands of equally many features
    known, asked = (np.array(dataset.X[rows][:, part]) for rows in (learnt, test))
    by_band["noise", i] = evaluation.accuracy(answers(reader(known), asked))
    known, asked = (x - x.mean(axis=1, keepdims=True) for x in (known, asked))
    by_band["noise, its level off", i] = evaluation.accuracy(answers(reader(known), asked))
by_band = pd.DataFrame(by_band).T.rename_axis(["source", "band"])

# %%
table = 100 * by_band[["value", "low", "high"]].astype(float).pivot_table(index="band", columns="source")
table.index = [f"{i * rate / 16000:.1f}-{(i + 1) * rate / 16000:.1f}" for i in table.index]
whiskers = np.stack([table["value"] - table["low"], table["high"] - table["value"]]).transpose(2, 0, 1)
ax = table["value"].plot.bar(yerr=whiskers, color=[plots.ORANGE, plots.BLUE], ecolor=plots.DARK, rot=0, figsize=(9, 3.2))
ax.axhline(100 * by_band["chance"].iloc[0], color=plots.DARK, ls="--", lw=1.2, label="chance")
ax.set(xlabel="band [kHz]", ylabel="accuracy [%]", ylim=(0, 100))
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "bands", "What one eighth of the spectrum tells ridge regression, with 95 % intervals.")

# %% [markdown]
# No single band need tell all devices apart: one has its resonance here, another there. Blue shows what is left when the
# mean of the band is taken off each segment, and with it the gain of the recording.
#
# ## The scale before the logarithm
#
# $\log(1 + m)$ is *linear* for $m \ll 1$, where half the level is half the feature, and *logarithmic* only for $m \gg 1$,
# where a change of level is a mere shift. The published feature takes samples of full scale 1, and few magnitudes of a noise
# are above 1 then. The way out is to count them in a unit below which a file holds nothing: the rounding noise of 16-bit
# audio. Rounding to steps of $2^{-15}$ adds noise of variance $2^{-30}/12$, whose root-mean-square spectrum over $n$ samples
# is $2^{-15}\sqrt{n/12}$. The default feature is
#
# $$ x(k) = \log\left(1 + c\,|E(k)|\right), \qquad c = 2^{15} \sqrt{12 / n} $$
#
# and the published one has $c = 1$.

# %%
unit = 2**15 * np.sqrt(12 / n)
above = pd.Series({name: np.mean(dataset.X[train & (label_of == name)] > np.log1p(c)) for name in devices})
print(f"above 1: from {above.min():.1%} ({above.idxmin()}) to {above.max():.1%} ({above.idxmax()}) of the magnitudes")

# %% [markdown]
# ## Does extraction help? And the scale?
#
# Ridge regression sees each version of the feature, of the noise and of the recording itself (*raw*). The magnitudes come out
# of the dataset by turning the logarithm round, $m = (\exp(x) - 1) / c$. It is asked about the test segments, and about the
# same ones with magnitudes 20 dB lower, as if they were played back more quietly. (With noise levels measured in the segment,
# `sln` or `mln`, a quieter segment has just a quieter noise.) The *leakage probe* in the table gets six trivial numbers of
# an excerpt, such as its level, and no spectrum (notebook 01); `n` counts decisions.

# %%
plain, default = "c=1", f"c={unit:.0f}"
tables = {}
for source, data in (("noise", dataset), ("raw", session.dataset(recordings, noise="none", window="none"))):
    known, asked = (np.expm1(data.X[rows]) / np.float32(c) for rows in (learnt, test))  # magnitudes
    for version, factor in ((plain, 1), (default, unit)):
        model = reader(np.log1p(np.float32(factor) * known))
        for how, gain in (("", 1), (", 20 dB quieter", 0.1)):
            tables[f"{source}, {version}{how}"] = answers(model, np.log1p(np.float32(factor * gain) * asked))

# %%
options = {"system": "ridge", "units": ["segment"], "save": False}
rows = [session.score(table, variant=name, **options) for name, table in tables.items()]
probe = session.score_probe(recordings)
ax = plots.accuracy_bars(joined(*rows))
session.save_figure(ax, "comparison", "Ridge regression on versions of the feature, with and without noise extraction.")
show(*rows, probe)

# %% [markdown]
# Where a feature is linear, a gain makes every weight wrong at once. Where it is logarithmic, a gain adds the same number to
# all of it, and a reader that goes by differences of frequencies hardly notices.
#
# Extraction and scale are judged recording by recording, on the same test recordings; the p-values are adjusted for being
# several (Holm). *Not told apart* means that such a difference may be luck, not that there is none.

# %%
pairs = {
    "extraction, c=1": (f"noise, {plain}", f"raw, {plain}"),
    f"extraction, {default}": (f"noise, {default}", f"raw, {default}"),
    "scale, with extraction": (f"noise, {default}", f"noise, {plain}"),
    "scale, with extraction, 20 dB quieter": (f"noise, {default}, 20 dB quieter", f"noise, {plain}, 20 dB quieter"),
}
comparison = evaluation.compared({what: (tables[one], tables[other]) for what, (one, other) in pairs.items()})
signed(comparison)

# %% [markdown]
# ## What can go wrong
#
# A misspelt rule is refused before anything is computed, and so is a signal with samples that are not numbers.

# %%
for signal, wrong in ((s, {"threshold": "minimax"}), (s, {"level": 0}), (s * np.nan, {})):
    try:
        wavelet_noise(signal, **wrong)
    except DevidError as error:
        print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
variants = [f"{source}, band {i + 1} of 8" for source, i in by_band.index]
records = by_band.reset_index(drop=True).assign(system="ridge", variant=variants, unit="segment", metric="accuracy")
own = session.finish(*rows, session.figures(records), probe)
own[["system", "variant", "metric", "value", "low", "high"]].head(12)

# %% [markdown]
# ## What we saw

# %%
most, shape = (by_band.loc[name, "value"].astype(float) for name in ("noise", "noise, its level off"))
best, worst = most.idxmax(), most.idxmin()
clipped = levels.index[levels["clipped"] > 0.5]
clipped = f"from level {clipped[0]} on more than half of the coefficients are" if len(clipped) else "few coefficients are"
paper = PAPER["II", "softmax", "wavelet", "segment"], PAPER["III", "softmax", "none", "segment"]
extraction, extraction_c, scale, quieter = (f"{row['verdict']} ({told(row)})" for row in comparison.to_dict("records"))
apart = np.mean(spread["devices"] > spread["recordings of one device"])

# %%
session.saw(
    f"The noise level is measured above {rate / 4:.0f} Hz. With the threshold made of it, {clipped} clipped. Level "
    f"{deepest} is the deepest useful one, {p['level']} were asked for.",
    f"Without a window leakage lifts the spectrum above {rate / 4:.0f} Hz by {lifted[0]:.1f} dB in the recording shown, "
    f"by {lifted[1]:.1f} dB in its noise.",
    f"Devices differ more than recordings of one device at {apart:.0%} of the frequencies; the median of B / W is "
    f"{np.median(B / W):.1f}.",
    f"One eighth of the spectrum alone names {most[worst]:.0%} (band {worst + 1}) to {most[best]:.0%} (band {best + 1}; "
    f"{shape[best]:.0%} with its level taken off) of the test segments, all of it "
    f"{evaluation.correct(tables[f'noise, {default}']).mean():.0%}.",
    f"Noise extraction, against none: with {plain} it {extraction}, with {default} it {extraction_c}. The paper, softmax: "
    f"{paper[0]:.0%} with it, {paper[1]:.0%} without.",
    f"On extracted noise {default}, against {plain}, {scale}; played back 20 dB quieter it {quieter}.",
)

# %% [markdown]
# ## Exercises
#
# 1. Set the thresholding to `hard`. What does the noise look like then, and does a linear classifier notice?
# 2. Set `rescale` to `mln`, a noise level for each level. What is clipped now, and does it help?
# 3. Up to which frequency does the spectrum of each device reach? Of the simulated recorders the codec is known
#    (`devid_lib.recorders.RECORDERS`): does it explain the ends?
#
# Worked answers: [solutions](solutions/02_noise_fingerprint.ipynb)
#
# Next: [03 · Softmax regression](03_softmax.ipynb)
