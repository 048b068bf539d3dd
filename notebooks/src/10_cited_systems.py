# %% [markdown]
# # 10 · Cited systems
#
# **How do the twelve systems that the paper cites compare, on the same recordings?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | what each family of systems listens to, how they compare on one protocol, how to add your own | a corpus; the networks of notebooks 03-06, or it trains them | the leaderboard as table and plot, eight figures | five to ten minutes |
#
# The paper compares itself with nobody: its twelve references appear in the introduction and in none of its tables.
# Here each of them is an estimator with `fit(excerpts, devices)` and `predict_proba(excerpts)`, judged on the same test
# recordings as the paper's own networks and three simple baselines.
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
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from devid_lib import notebook as nb
from devid_lib import plots, results
from devid_lib.errors import DevidError
from devid_lib.systems import cepstra, frames, protocol, registry, residual, silence, sparse, spectra
from devid_lib.systems.excerpts import cut_excerpts
from devid_lib.systems.warnings import DevidWarning

session = nb.start("10_cited_systems", globals())
warnings.simplefilter("once", DevidWarning)

# %% [markdown]
# ## Inputs
#
# Training is on whole recordings. Tests are on excerpts of one segment, one second, three seconds, and on whole
# recordings. All background models, scalers and selections see training recordings only.

# %%
recordings = nb.load_recordings(session)
train, tests = protocol.protocol_excerpts(recordings, segment_length=session.params["segment_length"], seed=session.params["seed"])
print(f"{len(train)} training recordings;", ", ".join(f"{len(x)} x {unit}" for unit, x in tests.items()))
recordings[["device", "recording", "split", "duration_s"]].head(3)

# %%
registry.registry_table().style.hide(axis="index")

# %% [markdown]
# "Adapted" means: rebuilt from an abstract or made for another purpose; the docstring of each class says what was
# changed. `help(registry.BlindChannel)` shows one.
#
# ## What each family listens to
#
# Two training recordings of three devices serve for the pictures: a feature is good when the curves of one device lie
# together and those of different devices apart.

# %%
names = sorted({excerpt.device for excerpt in train})
shown = [x for name in (names[0], names[len(names) // 2], names[-1]) for x in train if x.device == name]
devices = [x.device for x in shown]
one = cut_excerpts(shown[:1], seconds=3, n=1, seed=session.params["seed"])[0]
print([f"{x.device}/{x.recording}" for x in shown])

# %% [markdown]
# ### The mean spectrum and its first difference (baselines)
#
# $$ \bar x(k) = \frac{1}{T}\sum_t \log |S_t(k)|^2, \qquad \Delta \bar x(k) = \bar x(k+1) - \bar x(k) $$
#
# The difference drops the level and the broad shape, which speech and room change, and keeps the fine ripple.

# %%
figure, axes = plt.subplots(2, 1, figsize=(10, 6), layout="constrained")
for ax, function in zip(axes, (spectra.mean_log_spectrum, spectra.difference_spectrum), strict=True):
    plots.curves([x.feature(function) for x in shown], devices, ax=ax)
    ax.set(title=function.__name__.replace("_", " "), xlabel="frequency bin")
nb.save_figure(session, axes, "mean-spectra", "Mean log spectrum and first difference, two recordings of three devices.")

# %% [markdown]
# ### Cepstra and mixtures: [2], [3], [4], [5]
#
# A cepstrum is the cosine transform of log energies in bands $E_b$, mel-spaced for MFCC, gammatone for GTCC,
# power-normalised for PNCC:
#
# $$ c_n = \sum_b \log E_b \cos\left(\pi n (b + \tfrac12) / B\right) $$
#
# A Gaussian mixture describes how the frames of a recording are spread. [2] takes its means and variances as a vector,
# [3] compares likelihoods with a background model, [5] stacks the adapted means $\mu_k$ as
# $\sqrt{w_k}\, \mu_k / \sigma_k$ into a supervector.

# %%
features = {name: one.feature(*call) for name, call in {"MFCC": (frames.mfcc,), "PNCC": (frames.pncc,), "GTCC": (frames.gtcc,)}.items()}
figure, axes = plt.subplots(1, 3, figsize=(13, 3), layout="constrained")
for ax, (name, x) in zip(axes, features.items(), strict=True):
    ax.imshow(x[:, 1:].T, aspect="auto", origin="lower", cmap="magma")
    ax.set(title=name, xlabel="frame", ylabel="coefficient")
    ax.grid(False)
nb.save_figure(session, axes, "cepstra", f"Cepstra of three seconds of {one.device}.")

# %%
ax = plots.curves([x.feature(frames.mfcc)[:, 1:].mean(axis=0) for x in shown], devices)
ax.set(xlabel="coefficient", ylabel="mean MFCC")
nb.save_figure(session, ax, "mean-cepstra", "Mean MFCC, two recordings of three devices.")

# %% [markdown]
# ### The channel, estimated blindly: [1]
#
# Each frame's clean log spectrum is guessed from what survives any fixed channel (RASTA-filtered MFCC) and a mixture of
# clean speech; what remains on average is the channel $H$:
#
# $$ \log |H(k)|^2 = \frac{1}{T} \sum_t \left( \log |S_t(k)|^2 - \mathrm{E}\left[\log |F_t(k)|^2\right] \right) $$

# %%
system = registry.BlindChannel(random_state=session.params["seed"]).fit(shown, devices)
ax = plots.curves([system.channels(x).mean(axis=0) for x in shown], devices)
ax.set(xlabel="frequency bin", ylabel="log response")
nb.save_figure(session, ax, "channel", "Blind estimate of the recording channel, two recordings of three devices.")

# %% [markdown]
# ### Near-silence: [6]
#
# Where the speaker pauses, the recorder speaks. Windows whose largest amplitude is under a threshold are kept, and the
# magnitudes of their spectra summed: the Fourier coefficient histogram. The paper in hand takes the idea up and
# sums over noise instead of silence.

# %%
ax = plots.curves([x.feature(silence.silence_histogram, n_coefficients=256) for x in shown], devices)
ax.set(xlabel="coefficient", ylabel="summed magnitude", yscale="log")
nb.save_figure(session, ax, "silence", "Fourier coefficient histograms of near-silent windows.")

# %% [markdown]
# ### Random projections and sparse representation: [7], [8]
#
# A mean spectrum of thousands of bins is projected on a few hundred random vectors, Gaussian or Cauchy. Then a test
# vector $a$ is written with as few training vectors as possible, and the class whose vectors alone leave the smallest
# residual wins:
#
# $$ \min \|b\|_1 \;\text{ subject to }\; a = A b, \qquad \hat c = \arg\min_c \|a - A\, \delta_c(b)\| $$

# %%
projected = spectra.feature_matrix(train, spectra.mean_log_spectrum)
codes = np.searchsorted(names, [x.device for x in train])
test = tests["recording"][0]
a = spectra.feature_matrix([test], spectra.mean_log_spectrum)
left = sparse.src_residuals(projected - projected.mean(axis=0), codes, a - projected.mean(axis=0), len(names))[0]

# %%
figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
ax.bar(range(len(names)), left, color=["C1" if name == test.device else "0.7" for name in names])
ax.set_xticks(range(len(names)), names, rotation=90 if len(names) > 10 else 0, fontsize=8)
ax.set_ylabel("residual")
nb.save_figure(session, ax, "src", f"Residual of every class for a test recording of {test.device} (coloured): small is near.")

# %% [markdown]
# ### Noise residuals: [9], [11], [12], and one class at a time: [10]
#
# Speech enhancement estimates the speech; what it removes is the noise, $e = s - \hat f$, as in notebook 02, here by
# spectral subtraction or a Wiener filter. [9] also removes the harmonics of speech that leaked into it. [10] learns
# each device by itself, from a few representative noise spectra, and asks of a new one only: is it inside?

# %%
ax = plots.curves([x.feature(residual.residual_spectrum) for x in shown], devices)
ax.set(xlabel="frequency bin", ylabel="residual spectrum")
nb.save_figure(session, ax, "residual", "Spectrum of what spectral subtraction removes, two recordings of three devices.")

# %% [markdown]
# ## The leaderboard
#
# Every system is fitted on the same recordings and judged on the same excerpts. The paper's networks come from this
# run's earlier notebooks. Features are computed once and shared; who asks first pays for them in the seconds below.

# %%
networks, seconds = nb.paper_systems(session, recordings)
judged = {}
for name, system in (registry.systems(seed=session.params["seed"]) | networks).items():
    judged[name] = protocol.judge(system, train, tests)

# %%
scores = pd.concat([rows.assign(system=name) for name, (rows, _) in judged.items()], ignore_index=True)
trained = (scores["metric"] == "fit seconds") & scores["system"].isin(list(seconds))
scores.loc[trained, "value"] = scores.loc[trained, "system"].map(seconds)
board = protocol.leaderboard(scores)
board.style.format({**dict.fromkeys(board.columns[:5], "{:.1%}"), "log-loss": "{:.2f}", "fit seconds": "{:.1f}", "seconds per excerpt": "{:.3f}"})

# %%
whole = scores.query("unit == 'recording' and metric == 'accuracy'").set_index("system")
ax = plots.leaderboard(board.iloc[:, :4], whole, chance=whole["chance"].iloc[0])
ax.set_title(f"All systems on one protocol, {recordings.attrs['name']} corpus")
nb.save_figure(session, ax, "leaderboard", "Accuracy of every system by length of excerpt; grey: 95 % interval over recordings.")

# %% [markdown]
# ## Are neighbours really different?
#
# McNemar's test looks only at recordings that one of two systems names and the other does not. If they are as many on
# either side, the ranking of the two is a coin toss.

# %%
predictions = {name: tables["recording"] for name, (_, tables) in judged.items()}
compared = protocol.neighbours(board, predictions)
compared.style.format({"p": "{:.3f}"}).hide(axis="index")

# %% [markdown]
# ## Your own system
#
# Ten lines: a feature of an excerpt, a way to compare, and the system stands in the table.

# %%
from devid_lib.systems.base import System, softmax


class SpectralCorrelation(System):
    """Correlation of the difference spectrum with the mean of each device."""

    def _fit(self, excerpts, codes):
        x = spectra.feature_matrix(excerpts, spectra.difference_spectrum)
        self.templates_ = np.stack([x[codes == k].mean(axis=0) for k in np.unique(codes)])

    def _proba(self, excerpts):
        return softmax(10 * residual.correlations(spectra.feature_matrix(excerpts, spectra.difference_spectrum), self.templates_))


# %%
mine = "yours: spectral correlation"
judged[mine] = protocol.judge(SpectralCorrelation(), train, tests)
scores = pd.concat([scores, judged[mine][0].assign(system=mine)], ignore_index=True)
board = protocol.leaderboard(scores)
board.loc[[mine]].style.format({**dict.fromkeys(board.columns[:5], "{:.1%}"), "log-loss": "{:.2f}"})

# %% [markdown]
# ## What can go wrong
#
# A recording without a near-silent window, or one shorter than a frame, gets a named warning and an answer all the
# same. A parameter that does not exist is refused.

# %%
try:
    cepstra.cepstra(one, feature="mfc")
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
probe = nb.score_probe(session, nb.load_dataset(session, recordings))
labelled = scores.assign(table="leaderboard", variant=scores["unit"].where(scores["metric"] != "accuracy", ""))
own = nb.finish(session, nb.figures(session, labelled.to_dict("records")), probe)
for name, (_, tables) in judged.items():
    results.save_predictions(session.run, session.notebook, nb.slug(name), tables["recording"])
own[["system", "unit", "metric", "value", "low", "high"]].head(6)

# %% [markdown]
# ## What we saw

# %%
cited = board[board.index.str.startswith("[")]
perfect = (cited["recording"] == 1).sum()
baseline = board.loc["baseline first difference, 1-NN"]
network = board[board.index.str.startswith("paper")]["segment"]
same = (compared["p"] > 0.05).sum()
n = len(tests["recording"])
nb.saw(
    session,
    f"On whole recordings {perfect} of {len(cited)} cited systems and variants make no error; the best is {cited.index[0]} "
    f"({cited['recording'].iloc[0]:.1%}), the last {cited['recording'].idxmin()} ({cited['recording'].min():.1%}).",
    f"A first difference and one nearest neighbour reach {baseline['recording']:.1%} of recordings and "
    f"{baseline['segment']:.1%} of single segments.",
    f"On single segments the best of the paper's networks is {network.idxmax()} with {network.max():.1%}; the best cited "
    f"system is {cited['segment'].idxmax()} with {cited['segment'].max():.1%}.",
    f"McNemar's test finds no difference (p > 0.05) between {same} of {len(compared)} neighbours in the table: with {n} test "
    "recordings most of the ranking is undecided.",
)

# %% [markdown]
# ## Exercises
#
# 1. Replace the first difference in `SpectralCorrelation` by the second. Better on segments, or on recordings?
# 2. Which systems lose most from whole recordings to one second? What do they need time for?
# 3. Give [6] a threshold of 1: every window counts as near-silent. What does that do, and why?
#
# Next: [11 · Published predictions](11_published_predictions.ipynb)
