# %% [markdown]
# # 10b · Spectra, sketches and sparse codes
#
# **How do the systems work that average the spectrum of a recording and compare what comes out?**
#
# | | |
# |---|---|
# | you will learn | why a mean log spectrum holds the device; what near-silence, random projections, p-stable sketches and sparse representation do with it |
# | it needs | a corpus |
# | it makes | each algorithm in plain numpy, beside the one in the leaderboard; a picture of each |
# | it takes | less than a minute |
#
# [Notebook 10](10_cited_systems.ipynb) lets the twelve systems that the paper cites compete. This notebook opens the
# baselines that they are held against, and [6], [7] and [8].

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import warnings

import librosa
import matplotlib.pyplot as plt
import numpy as np
from scipy.signal import get_window
from scipy.spatial.distance import cdist, pdist
from sklearn.linear_model import orthogonal_mp

from devid_lib import plots
from devid_lib.systems import silence, sparse, spectra
from devid_lib.systems.excerpts import cut_excerpts, pieces, whole_recordings
from devid_lib.workbook import start

session = start("10b_spectra_sketches_sparse_codes", globals())
p = session.params

# %% [markdown]
# ## Inputs
#
# Ten seconds of every training recording. Up to two recordings of three devices serve for the pictures: a feature is
# good when what belongs to one device lies together and what belongs to different devices apart.

# %%
recordings = session.recordings()
ten_seconds = {"seconds": 10, "n": 1, "seed": p["seed"]}
train = cut_excerpts(whole_recordings(recordings, "train"), **ten_seconds)
owners, names = [x.device for x in train], sorted({x.device for x in train})
three = list(dict.fromkeys((names[0], names[len(names) // 2], names[-1])))
sounding = sorted(train, key=lambda x: not np.ptp(x.y))  # before excerpts of nothing but digital silence
shown = [x for name in three for x in [e for e in sounding if e.device == name][:2]]
devices, sr = [x.device for x in shown], shown[0].samplerate
asked = cut_excerpts([next(whole_recordings(recordings, "test"))], **ten_seconds)[0]

# %% [markdown]
# Under some pictures stands one number over *all* training recordings: how many times as far two devices are apart as
# two recordings of one device. One means that the feature does not know the device.

# %%
found = {}


def apart(what, vectors):
    """Note how far devices are apart, in units of the distance between two recordings of one device."""
    ratio = spectra.separation(vectors, owners)
    if np.isnan(ratio):
        print(f"{what}: no device has two training recordings to compare")
        return
    found[what] = ratio
    print(f"{what}: two devices are {ratio:.2f} times as far apart as two recordings of one device")


# %% [markdown]
# ## The systems
#
# ### Baselines: the mean spectrum and its first difference
#
# A recorder multiplies the spectrum of the speech by its response, $S_t(k) = H(k)\, F_t(k)$. The logarithm makes a sum
# of it, and the mean over time leaves of the speech only what all its sounds have in common:
#
# $$ \bar x(k) = \frac{1}{T}\sum_t \log |S_t(k)| = \log |H(k)| + \frac{1}{T}\sum_t \log |F_t(k)|, \qquad \Delta \bar x(k) = \bar x(k+1) - \bar x(k) $$

# %%
y = shown[0].y
window = get_window("hann", spectra.N_FFT)
windowed = librosa.util.frame(y, frame_length=2048, hop_length=1024, axis=0) * window
S = np.abs(np.fft.rfft(windowed / np.sqrt(np.sum(window**2))))  # white noise has its own power in every bin

log_spectrum = np.log(np.maximum(S, 1e-6)).mean(axis=0)  # not below -120 dB of full scale
np.testing.assert_allclose(S.mean(axis=0), spectra.mean_spectrum(y, sr), rtol=1e-3, atol=1e-6 * S.max())
np.testing.assert_allclose(log_spectrum, spectra.mean_log_spectrum(y, sr), atol=1e-3)
baselines = {"Mean log spectrum": spectra.MeanSpectrumNearest(), "Difference spectrum": spectra.DifferenceNearest()}
np.testing.assert_allclose(np.diff(log_spectrum), baselines["Difference spectrum"].vectors(shown)[0], atol=1e-3)

# %%
figure, axes = plt.subplots(2, 1, figsize=(10, 6))
for ax, (what, baseline) in zip(axes, baselines.items(), strict=True):
    curves = baseline.vectors(shown)
    plots.curves(curves, devices, x=np.linspace(0, sr / 2000, curves.shape[1]), ax=ax)
    ax.set(title=what, xlabel="frequency [kHz]", ylabel="nat")
    apart(what, baseline.vectors(train))
axes[1].set(xlim=(1, min(4, sr / 2000)), ylim=(-0.4, 0.4))  # the ripple is too fine for all of it
session.save_figure(axes, "mean-spectra", "Mean log spectrum and first difference of some recordings.")

# %% [markdown]
# The difference, of which a part is drawn, drops the level and the broad shape, which loudness and voice make, and keeps
# the fine ripple. That may be the device's; but reflections in a room ripple just as finely, and chance does from bin to
# bin. The separation tells: near one, curves of one colour run together no more than others.
#
# The baseline takes the *nearest neighbour*. The distance to a device is that to its nearest training recording; its square
# is, with a minus, the device's score, of which a temperature $T$ makes a probability (notebook 10):
#
# $$ d_c = \min_{i \in c} \|x - x_i\|, \qquad P(c \mid x) \propto \exp\left(-d_c^2 / T\right) $$

# %%
vectors, question = (np.diff(spectra.feature_matrix(x, spectra.mean_log_spectrum)) for x in (train, [asked]))
codes = np.searchsorted(names, owners)

nearest = np.array([cdist(question, vectors[codes == k]).min() for k in range(len(names))])
system = spectra.DifferenceNearest().fit(train, owners)
np.testing.assert_allclose(-(nearest**2), system.decision_function([asked])[0], rtol=1e-3, atol=1e-4)
first, second = np.sort(nearest)[:2]
print(f"A test recording of {asked.device}: nearest is {names[nearest.argmin()]} at {first:.2f}, the next at {second:.2f}")
tests = cut_excerpts(whole_recordings(recordings, "test"), **ten_seconds)
hits = (system.predict(tests) == np.array([x.device for x in tests])).sum()
print(f"Of all {len(tests)} test recordings it names {hits} right; chance is 1 in {len(names)}")

# %% [markdown]
# ### [6] Near-silence
#
# R. Buchholz, C. Kraetzer and J. Dittmann, *Microphone classification using Fourier coefficients*, Information Hiding 2009.
# Where the speaker pauses, the recorder speaks. Windows whose largest amplitude is under a threshold $\theta$ are kept,
# and the magnitudes of their spectra summed: the Fourier coefficient histogram. Here $\theta$ lies 20 dB over the floor of
# the recording itself, the amplitude that a twentieth of its windows do not exceed:
#
# $$ h(k) = \sum_{t:\, \max |s_t| \le \theta} |S_t(k)|, \qquad \theta = 10^{20 / 20}\, Q_{0.05}(\max |s_t|) $$

# %%
cut = y[: len(y) // 512 * 512].reshape(-1, 512)  # 256 coefficients: windows of 512 samples, side by side
peaks = np.abs(cut).max(axis=1)
limit = 10 ** (silence.ABOVE_DB / 20) * max(np.quantile(peaks, 0.05, method="lower"), 2**-15)  # at least one step of 16 bits

window = get_window("hamming", 512)
quiet = cut[peaks <= limit] * window / np.sqrt(np.sum(window**2))
histogram = np.abs(np.fft.rfft(quiet)).mean(axis=0)[:256]  # the mean, as a sum would tell how long the recording is
np.testing.assert_allclose(histogram, silence.silence_histogram(y, sr, n_coefficients=256), rtol=1e-3, atol=1e-6 * histogram.max())
print(f"{len(quiet)} of {len(cut)} windows stay below {20 * np.log10(limit):.0f} dB of full scale")

# %%
figure, axes = plt.subplots(1, 2, figsize=(13, 3.6))
options = {"n_coefficients": 256, "above_db": silence.ABOVE_DB, "threshold": None}
plots.curves(silence.log_histograms(shown, **options), devices, x=np.linspace(0, sr / 2000, 256), ax=axes[0])
axes[0].set(xlabel="frequency [kHz]", ylabel="log of mean magnitude")
axes[0].get_legend().remove()
thresholds = np.geomspace(2**-12, 2**-4, 9)  # nine, as the publication tried
decibels = 20 * np.log10(thresholds)
loudest = [silence.window_peaks(spectra.framed(x.y, length=4096, hop=4096)) for x in shown]
kept = [[100 * (one <= limit).mean() for limit in thresholds] for one in loudest]
plots.curves(kept, devices, x=decibels, ax=axes[1])
axes[1].set(xlabel="threshold [dB of full scale]", ylabel="windows kept [%]")
widest = np.ptp(kept, axis=0).argmax()
low, high = (extreme([one[widest] for one in kept]) for extreme in (min, max))
print(f"Under {decibels[widest]:.0f} dB lie {low:.0f} % of the windows of one recording, {high:.0f} % of another")
session.save_figure(axes, "silence", "[6] Fourier coefficient histograms, and windows under each of nine thresholds.")
apart("Fourier histogram", silence.log_histograms(train, **options))

# %% [markdown]
# The right picture shows what the publication's *absolute* threshold does: the farther apart two curves are, the more
# windows it keeps of the one recording than of the other, and the more speech. That can be the recorder's doing, but
# another room or a louder voice does it as well.
#
# *Adapted:* so the threshold follows the recording's own floor; 20 dB were chosen on training recordings
# (tools/choose_systems.py), where, against the idea, *all* windows did better still. The logarithm of the histogram is
# taken, and a linear logistic regression decides, as in the publication, where it was the best of six.
#
# ### [7] Random projections and sparse representation
#
# Y. Panagakis and C. Kotropoulos, *Automatic telephone handset identification by sparse representation of random spectral
# features*, MM&Sec 2012. The mean log spectrum is projected on 128 Gaussian vectors: many random shadows of a vector
# keep its distances to others. All are brought to length one, which takes out part of what differs between recordings of
# one device, so the separation changes. Then a test vector $a$ is written with as few training vectors, the columns of $A$, as
# possible, and the class whose vectors alone leave the smallest residual wins (Wright et al., 2009):
#
# $$ \min \|b\|_1 \;\text{ subject to }\; a = A b, \qquad \hat c = \arg\min_c \|a - A\, \delta_c(b)\| $$
#
# $\delta_c(b)$ keeps the coefficients of class $c$. Many $b$ fit $a = A b$, and the sparsest is wanted: there have to be more
# training vectors than each has numbers. So the recordings are cut into seconds, and a second is asked.

# %%
seconds = [second for x in train for second in pieces(x, seconds=1)]
whose = [x.device for x in seconds]
drawn = np.random.RandomState(p["seed"]).normal(scale=1 / np.sqrt(128), size=(128, 1025))
shadows = spectra.feature_matrix(seconds, spectra.mean_log_spectrum).astype(float) @ drawn.T
shadows /= np.linalg.norm(shadows, axis=1, keepdims=True)

system = sparse.RandomSpectralFeatures(random_state=p["seed"]).fit(seconds, whose)
np.testing.assert_allclose(shadows, system.vectors(seconds), atol=1e-6)
apart("Random projection", system.vectors(train))

# %% [markdown]
# *Orthogonal matching pursuit* finds a sparse $b$ greedily, counting columns in place of $\|b\|_1$: take the column most like what is left, fit all columns taken
# so far by least squares, go on with the new rest. Five columns are allowed.

# %%
A, a, codes = shadows.T, system.vectors(pieces(asked, seconds=1)[:1])[0], np.searchsorted(names, whose)
taken, left = [], a
for _ in range(min(5, A.shape[1])):
    taken.append(np.abs(A.T @ left).argmax())
    fitted = np.linalg.lstsq(A[:, taken], a, rcond=None)[0]
    left = a - A[:, taken] @ fitted
b = np.zeros(A.shape[1])
b[taken] = fitted
np.testing.assert_allclose(b, orthogonal_mp(A, a, n_nonzero_coefs=len(taken)), atol=1e-6)

residuals = np.array([np.linalg.norm(a - A[:, codes == k] @ b[codes == k]) for k in range(len(names))])
np.testing.assert_allclose(residuals, sparse.src_residuals(shadows, codes, a[None])[0], atol=1e-6)
everything = np.linalg.norm(a - A @ np.linalg.lstsq(A, a, rcond=None)[0])
rest = np.linalg.norm(left)
print(f"{len(taken)} columns leave {rest:.3f} of the test vector, all {A.shape[1]} leave {everything:.3f}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 3.6))
axes[0].bar(range(len(taken)), b[taken], color=["C1" if whose[i] == asked.device else "0.7" for i in taken])
axes[0].set_xticks(range(len(taken)), [plots.label(whose[i]) for i in taken], rotation=30, ha="right")
axes[0].set(title="columns taken, in their order", ylabel="coefficient")
order = residuals.argsort()[:20]
axes[1].bar(range(len(order)), residuals[order], color=["C1" if names[k] == asked.device else "0.7" for k in order])
turned = {"rotation": 90} if len(order) > 10 else {"rotation": 30, "ha": "right"}
axes[1].set_xticks(range(len(order)), [plots.label(names[k]) for k in order], **turned)
axes[1].set(title="residual of each device", ylabel="length of what is left")
for ax in axes:
    ax.grid(False, axis="x")
session.save_figure(axes, "src", "[7] A second of a test recording as a sum of training seconds; its own device is coloured.")

# %% [markdown]
# Left, the training seconds that the test second is written with; a negative one is taken away. Right, what is left
# when only one device's may speak: the smallest wins. Where no second of a device was taken, all of the vector is
# left, and one that was only taken away leaves even more.
#
# *Adapted:* asked whole recordings, the system learns from pieces of three seconds, so that there are enough columns. The
# publication was not read whole; 128 vectors and five columns are ours.
#
# ### [8] Sketches
#
# C. Kotropoulos, *Telephone handset identification using sparse representations of spectral feature sketches*, IWBF 2013.
# The mean spectrum, this time of magnitudes, is multiplied with vectors of $p$-stable components. A sum of $p$-stable
# variables, weighted by $x - y$, is one such variable times the $l_p$ distance, so a few products tell it:
#
# $$ \langle x - y, r \rangle \sim \|x - y\|_p\, r_1, \qquad r_i \sim \text{Gauss } (p = 2) \text{ or Cauchy } (p = 1) $$
#
# The distance is the root mean square of the differences for $p = 2$. A Cauchy variable has no variance; the median of
# its magnitude is one, so for $p = 1$ the median is taken (Indyk, 2006).

# %%
x = spectra.feature_matrix(train, spectra.mean_spectrum).astype(float)
rng = {q: np.random.default_rng(p["seed"]) for q in (1, 2)}
R = {1: rng[1].standard_cauchy((x.shape[1], 128)), 2: rng[2].standard_normal((x.shape[1], 128))}
sketches = {q: x @ R[q] for q in (1, 2)}

i, j = np.triu_indices(len(x), 1)
estimated = {
    1: np.median(np.abs(sketches[1][i] - sketches[1][j]), axis=1),
    2: np.sqrt(np.mean((sketches[2][i] - sketches[2][j]) ** 2, axis=1)),
}
true = {1: pdist(x, "cityblock"), 2: pdist(x)}
relative = {q: estimated[q] / np.maximum(true[q], 1e-30) - 1 for q in (1, 2)}
error = {q: np.median(np.abs(relative[q])) for q in (1, 2)}
for q in (1, 2):
    print(f"p = {q}: half of all distances are right to {error[q]:.1%}; {(relative[q] > 0).mean():.0%} are estimated too large")

system = sparse.SpectralSketches(p=2, random_state=p["seed"]).fit(train, owners)
unit = sketches[2] / np.linalg.norm(sketches[2], axis=1, keepdims=True)
np.testing.assert_allclose(unit, system.vectors(train), atol=1e-6)

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4))
for ax, q in zip(axes, (1, 2), strict=True):
    some = slice(None, None, max(1, len(i) // 2000))
    ax.scatter(true[q][some], estimated[q][some], s=8, alpha=0.5, lw=0)
    ax.axline((0, 0), slope=1, color="0.3", lw=1)
    ax.set(title=f"p = {q}", xlabel=f"$l_{q}$ distance of mean spectra", ylabel="estimated from the sketches")
session.save_figure(axes, "sketches", "[8] Distances of pairs of training recordings, true and from sketches.")
apart("Mean spectrum", x)
apart("Gaussian sketch", unit)

# %% [markdown]
# Each dot is a pair of training recordings: the nearer the line, the better 128 numbers stand for the whole spectrum.
# One random draw serves all pairs, so their errors go together: many dots may lie on one side.
#
# Sparse representation then decides as in [7], but it measures lengths by *squares*. That suits Gaussian sketches. Of a
# Cauchy sketch the few largest components outweigh all others:

# %%
norms = np.median(np.abs(sketches[1]), axis=1, keepdims=True)  # the l1 norm of each spectrum
weighted = 2 / np.pi * np.arctan(sketches[1] / norms)  # the Cauchy distribution's function: uniform in -1..1
system = sparse.SpectralSketches(p=1, random_state=p["seed"]).fit(train, owners)
unit = weighted / np.linalg.norm(weighted, axis=1, keepdims=True)
np.testing.assert_allclose(unit, system.vectors(train), atol=1e-6)

figure, ax = plt.subplots(figsize=(8, 3.6))
most = {}
for what, one in (("p = 2", sketches[2]), ("p = 1", sketches[1]), ("p = 1, equal weights", weighted)):
    share = np.cumsum(np.sort(one**2, axis=1)[:, ::-1], axis=1) / np.sum(one**2, axis=1, keepdims=True)
    ax.plot(np.arange(1, 129), 100 * share.mean(axis=0), label=what)
    most[what] = share[:, 2].mean()
ax.set(xscale="log", xlabel="components, the largest first", ylabel="share of the squared length [%]", ylim=(0, 101))
ax.legend()
session.save_figure(ax, "tails", "[8] How much of a sketch's squared length its largest components hold.")
apart("Cauchy sketch, equal weights", unit)

# %% [markdown]
# *Adapted:* so the components of a Cauchy sketch are first sent through their own distribution function, which makes
# them uniform; `SpectralSketches(p=1, plain=True)` leaves them as they are.
#
# ## What can go wrong
#
# A recording without a near-silent window gets a warning by name, and an answer from its quietest window.

# %%
with warnings.catch_warnings(record=True) as given:
    warnings.simplefilter("always")
    silence.silence_histogram(y + 0.1, sr, threshold=1e-3)  # an offset alone lifts every window over the threshold
print(given[0].category.__name__, "-", given[0].message)

# %% [markdown]
# ## Results of this notebook
#
# The separations go into the run's table. How often each system is *right* is told in
# [notebook 10](10_cited_systems.ipynb): far apart on average is not yet identified.

# %%
numbers = {"Fourier histogram": "[6]", "Random projection": "[7]", "Mean spectrum": "[8]", "Gaussian sketch": "[8]",
           "Cauchy sketch, equal weights": "[8]"}  # fmt: skip
shared = {"table": "features", "metric": "separation", "n": len(train)}
rows = session.figures([
    shared | {"system": f"{numbers.get(what, 'baseline')} {what}", "value": value} for what, value in found.items()
])
own = session.finish(rows)
own[["system", "metric", "value", "n"]]

# %% [markdown]
# ## What we saw

# %%
ends = [f"{found[what]:.2f} ({what})" for what in sorted(found, key=found.get)]
session.saw(
    f"Over {len(train)} training recordings of {len(names)} devices, two devices are {ends[0]} to {ends[-1]} times as "
    "far apart as two recordings of one. The measure weighs each feature's own numbers: it describes them and does not rank systems."
    if found else "No device has two training recordings: how far devices are apart cannot be told.",
    f"128 random products stand for a spectrum of {x.shape[1]} bins: half of all distances are right to {error[2]:.1%} "
    f"with Gaussian and to {error[1]:.1%} with Cauchy vectors. Errors go together: {(relative[2] > 0).mean():.0%} and "
    f"{(relative[1] > 0).mean():.0%} are estimated too large.",
    f"Three of 128 components hold {most['p = 1']:.0%} of a Cauchy sketch's squared length, {most['p = 2']:.0%} of a "
    "Gaussian one's.",
    f"By the first difference the nearest training recording names {hits} of {len(tests)} test recordings right; chance is "
    f"1 in {len(names)}.",
    f"Sparse representation writes a test second with {len(taken)} of {A.shape[1]} training seconds and leaves "
    f"{rest:.3f} of it; all together leave {everything:.3f}.",
)

# %% [markdown]
# ## Exercises
#
# 1. Let near-silence in [6] reach 6, 20 and 200 dB over the floor, at which every window counts. What does that do to the
#    separation, and why?
# 2. Let 1, 5 and 15 training seconds represent a test second in [7]. What becomes of the gap between the right
#    device and the best wrong one?
#
# Worked answers in [solutions](solutions/10b_spectra_sketches_sparse_codes.ipynb).
#
# Next: [10c · Noise residuals and one-class machines](10c_noise_residuals_and_one_class.ipynb)
