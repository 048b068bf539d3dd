# %% [markdown]
# # 02 · The noise fingerprint
#
# **What is left when the speech is taken away, and why does it name the device?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | how wavelet shrinkage splits speech and noise, what equations (1)-(3) compute, why the scale before a logarithm matters, what noise extraction does to a classifier | a corpus | spectra of all devices, a table of feature choices, six figures | about a minute |
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

from devid_lib import fingerprint, plots
from devid_lib import notebook as nb
from devid_lib.errors import DevidError
from devid_lib.features import fourier_features
from devid_lib.noise import wavelet_denoise, wavelet_noise
from devid_lib.training import feature_scale

session = nb.start("02_noise_fingerprint", globals())

# %% [markdown]
# ## Inputs

# %%
recordings = nb.load_recordings(session)
wavelet = nb.noise_settings(session)
print(wavelet)
recordings[["device", "recording", "split", "duration_s"]].head(3)

# %% [markdown]
# ## Speech and noise, equation (1)
#
# $$ s(n) = f(n) + e(n), \qquad n = 0 \dots 4095 $$
#
# $s$ is the recording, $f$ the speech, $e$ the noise. We take one loud segment, denoise it, and look at what was
# removed. Mind the three different scales.

# %%
segment, samplerate = nb.loud_segment(session, recordings.iloc[0])
speech, noise = wavelet_denoise(segment, **wavelet), wavelet_noise(segment, **wavelet)
signals = {"recording s": segment, "estimated speech": speech, "noise e": noise}
axes = plots.waveforms(signals, samplerate=samplerate)
nb.save_figure(session, axes, "decomposition", "One segment, the speech that denoising estimates, and what it removes.")

# %% [markdown]
# ## How denoising decides
#
# The wavelet transform splits the segment into *detail coefficients* $d_j$ at scales $j = 1, 2, \dots$ from fine to
# coarse. Noise spreads thinly over all of them, speech sits in a few large ones. So everything below a threshold
# counts as noise:
#
# $$ t = \hat\sigma\,(0.3936 + 0.1829 \log_2 n), \qquad \hat\sigma = \frac{\mathrm{median}\,|d_1|}{0.6745} $$
#
# (rule `minimaxi`, noise level from the finest scale, `sln`). The coloured part of each coefficient, up to the
# threshold, is the noise; what rises above it is speech.

# %%
details, thresholds = fingerprint.detail_bands(segment, **wavelet)
axes = plots.detail_coefficients(details, thresholds)
nb.save_figure(session, axes, "details", "Detail coefficients of one segment and the threshold between noise and speech.")

# %% [markdown]
# *Soft* thresholding moves every coefficient towards zero by the threshold; *hard* keeps large ones whole.

# %%
ax = plots.thresholding(1.0)
nb.save_figure(session, ax, "thresholding", "Soft and hard thresholding: what is kept of a coefficient.")

# %% [markdown]
# ## The feature, equations (2) and (3)
#
# $$ E(k) = \sum_{n=0}^{4095} e(n)\, e^{-2\pi i k n / 4096}, \qquad x(k) = \log\left(|E(k)| + 1\right),
# \quad k = 0 \dots 2048 $$

# %%
x = fourier_features(noise)
print(f"noise {noise.shape} -> feature {x.shape}, from {x.min():.4f} to {x.max():.4f}")

# %% [markdown]
# Summed over the segments of a recording, $|E(k)|$ is the *Fourier coefficient histogram*. Every device has its own.
# Shown is the mean per segment over the training recordings, smoothed over nine bins.

# %%
dataset = nb.load_dataset(session, recordings, noise="wavelet")
spectra = fingerprint.noise_spectra(dataset, samplerate=samplerate)
smooth = spectra.rolling(9, center=True, min_periods=1).mean()
ax = plots.device_spectra(smooth, highlight=nb.some(dataset.devices))
ax.set_title(f"Mean noise spectrum of every device, {recordings.attrs['name']} corpus")
nb.save_figure(session, ax, "device-spectra", "Mean magnitude spectrum of the extracted noise of every device.")

# %% [markdown]
# ## The scale before the logarithm
#
# $\log(1 + m)$ is *linear* for $m \ll 1$ and *logarithmic* only for $m \gg 1$. The published feature takes samples of
# full scale 1, so the noise of a quiet device, with $m$ well below 1, falls in the linear part: its features are tiny, and
# half the level is half the feature. For a loud device a change of level is a mere shift. Quiet and loud devices
# are not treated alike.
#
# The way out is to count magnitudes in a unit below which a file holds nothing: the rounding noise of 16-bit audio.
# Rounding to steps of $2^{-15}$ adds noise of variance $2^{-30}/12$, whose root-mean-square spectrum over $n$ samples is
# $2^{-15}\sqrt{n/12}$. The default feature is
#
# $$ x(k) = \log\left(1 + c\,|E(k)|\right), \qquad c = 2^{15} \sqrt{12 / n} $$
#
# and each feature is standardised with the mean and deviation of the training segments. The published recipe keeps
# $c = 1$ and no standardisation.

# %%
c = feature_scale("default", session.params["segment_length"])
levels = fingerprint.level_spans(dataset)
ax = plots.log_scale(levels, scales={"published, c = 1": 1.0, f"default, c = {c:.0f}": c})
nb.save_figure(session, ax, "log-scale", "The two feature scales, and where the quietest and the loudest device lie.")

# %% [markdown]
# Does it matter? A linear classifier (ridge regression on the devices' indicator vectors, a closed form that trains in
# seconds) sees each version of the feature, with and without noise extraction. It is asked about all test segments,
# about the quietest and the loudest third of the devices apart, and about the same segments played back 20 dB quieter.

# %%
waveforms = nb.load_dataset(session, recordings, representation="waveform", draws=1, cached=False)
features = {"published, c = 1": (1.0, False), "c = 1, standardised": (1.0, True), "default": (c, True)}
comparison = fingerprint.compare_features(waveforms, features=features, **wavelet)
nb.percent(comparison)

# %% [markdown]
# The middle columns tell whether a feature prefers loud or quiet devices. The last one is the sharper test. Where a
# feature is logarithmic, a gain adds the same number to all of it, and a weighted difference of features does not
# notice. Where it is linear, a gain rescales the feature, and every weight is wrong at once.

# %% [markdown]
# ## What can go wrong
#
# A misspelt rule is refused before anything is computed, and so is a signal with samples that are not numbers.

# %%
for bad in ({"threshold": "minimax"}, {"level": 0}):
    try:
        wavelet_noise(segment, **bad)
    except DevidError as error:
        print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
records = comparison.melt(["feature", "noise"], var_name="metric").to_dict("records")
names = {"system": "ridge regression", "unit": "segment", "chance": 1 / len(dataset.devices)}
rows = [{"variant": f"{record.pop('noise')}, {record.pop('feature')}"} | names | record for record in records]
rows = nb.figures(session, rows)
nb.finish(session, rows)[["system", "variant", "metric", "value"]]

# %% [markdown]
# ## What we saw

# %%
energy = float(np.sum(noise**2) / np.sum(segment**2))
effect = comparison.set_index(["feature", "noise"])["accuracy"]
gap = 100 * (comparison["loud third"] - comparison["quiet third"]).groupby(comparison["feature"]).mean()
quieter = comparison[comparison["noise"] == "wavelet"].set_index("feature")["20 dB quieter"]
gain = 100 * (effect["default", "wavelet"] - effect["default", "none"])
nb.saw(
    session,
    f"Of the energy of the segment shown, {energy:.2%} is taken out as noise.",
    f"A linear classifier on the published feature names {effect['published, c = 1', 'wavelet']:.1%} of the test segments "
    f"from extracted noise and {effect['published, c = 1', 'none']:.1%} from the recording itself; on the default feature "
    f"{effect['default', 'wavelet']:.1%} and {effect['default', 'none']:.1%}.",
    f"So on this corpus noise extraction {nb.effect(gain)} ({gain:+.1f} points with the default feature). The paper "
    "reports that it helps: softmax 87 % with, 79 % without.",
    f"Played back 20 dB quieter, {quieter['published, c = 1']:.1%} are still right with the published feature and "
    f"{quieter['default']:.1%} with the default one (extracted noise).",
    f"The loudest third of the devices is ahead of the quietest by {gap['published, c = 1']:+.1f} points with the published "
    f"feature and by {gap['default']:+.1f} points with the default one.",
)

# %% [markdown]
# ## Exercises
#
# 1. Set `mode` to `hard`. What does the noise segment look like now, and what does the comparison say?
# 2. Set `rescale` to `mln`, one noise level per scale. Which scales lose more?
# 3. Take a silent segment instead of a loud one. How much of its energy is called noise?
#
# Next: [03 · Softmax regression](03_softmax.ipynb)
