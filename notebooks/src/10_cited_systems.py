# %% [markdown]
# # 10 · Cited systems
#
# **How do the twelve systems that the paper cites compare, on the same recordings?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | what each family of systems listens to, how they compare on one protocol, how to add your own | a corpus; the networks of notebooks 03-06, or it trains them | the leaderboard as table and plot, fifteen figures | five to ten minutes |
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
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from devid_lib import notebook as nb
from devid_lib import plots, results

session = nb.start("10_cited_systems", globals())

# %%
from devid_lib.errors import DevidError
from devid_lib.systems import (
    cepstra,
    channel,
    oneclass,
    protocol,
    registry,
    residual,
    silence,
    sparse,
    spectra,
    supervector,
)
from devid_lib.systems.excerpts import cut_excerpts

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
# ## What each of them listens to
#
# Two training recordings of three devices serve for the pictures: a feature is good when the curves of one device lie
# together and those of different devices apart. Under some pictures stands one number over *all* training recordings:
# how many times as far two devices are apart as two recordings of one device.

# %%
names = sorted({excerpt.device for excerpt in train})
three = dict.fromkeys((names[0], names[len(names) // 2], names[-1]))
shown = [x for name in three for x in [e for e in train if e.device == name][:2]]
devices = [x.device for x in shown]
khz = shown[0].samplerate / 2000
print([f"{x.device}/{x.recording}" for x in shown])


def apart(vectors, *, of=train, what=""):
    ratio = spectra.separation(vectors, [x.device for x in of])
    print(f"{what}Two devices are {ratio:.2f} times as far apart as two recordings of one device (1 = no fingerprint).")


# %% [markdown]
# ### Baselines: the mean spectrum and its first difference
#
# $$ \bar x(k) = \frac{1}{T}\sum_t \log |S_t(k)|^2, \qquad \Delta \bar x(k) = \bar x(k+1) - \bar x(k) $$
#
# The difference drops the level and the broad shape, and keeps the fine ripple: of the device, and of the room.

# %%
figure, axes = plt.subplots(2, 1, figsize=(10, 6), layout="constrained")
for ax, function in zip(axes, (spectra.mean_log_spectrum, spectra.difference_spectrum), strict=True):
    vectors = spectra.feature_matrix(train, function, n_fft=spectra.N_FFT)
    plots.curves([x.feature(function, n_fft=spectra.N_FFT) for x in shown], devices, x=np.linspace(0, khz, vectors.shape[1]), ax=ax)
    ax.set(title=function.__name__.replace("_", " "), xlabel="frequency [kHz]", ylabel="natural logarithm")
    apart(vectors, what=f"{ax.get_title().capitalize()}. ")
nb.save_figure(session, axes, "mean-spectra", "Mean log spectrum and first difference, two recordings of three devices.")

# %% [markdown]
# ### [1] The channel, estimated blindly
#
# Each frame's clean log spectrum is guessed from what survives any fixed channel (RASTA-filtered MFCC) and a mixture of
# clean speech; what remains on average is the channel $H$:
#
# $$ \log |H(k)|^2 = \frac{1}{T} \sum_t \left( \log |S_t(k)|^2 - \mathrm{E}\left[\log |F_t(k)|^2\right] \right) $$

# %%
system = registry.BlindChannel(random_state=session.params["seed"]).fit(shown, devices)
channels = [system.channels(x)[0] for x in shown]
ax = plots.curves(channels, devices, x=np.linspace(channel.BAND_HZ[0] / 1000, min(khz, channel.BAND_HZ[1] / 1000), len(channels[0])))
ax.set(xlabel="frequency [kHz]", ylabel="log response")
nb.save_figure(session, ax, "channel", "[1] Blind estimate of the recording channel, two recordings of three devices.")
apart(channels, of=shown)

# %% [markdown]
# ### [2] A mixture for each recording
#
# Frames of cepstra scatter in clouds. A Gaussian mixture describes them by weights, means and variances:
#
# $$ p(x) = \sum_{k} w_k\, \mathcal{N}(x;\, \mu_k, \sigma_k^2) $$
#
# Means and variances in a row are the template of the recording. Here two of 23 coefficients and four components.

# %%
mfcc = [cepstra.cepstra(x) for x in shown]
background = cepstra.fit_background(mfcc, n_components=4, random_state=session.params["seed"])
x = [background.standardised(frames_) for frames_ in mfcc]
mixtures = [cepstra.refitted(background, frames_, n_steps=2) for frames_ in x]
ellipses = [(m.means[:, :2], np.sqrt(m.variances[:, :2])) for m in mixtures]

# %%
ax = plots.plane([frames_[:: max(1, len(frames_) // 300), :2] for frames_ in x], devices, ellipses=ellipses)
ax.set(xlabel="MFCC 1, standardised", ylabel="MFCC 2, standardised")
nb.save_figure(session, ax, "mixtures", "[2] Frames and the mixtures fitted to them: half axes are standard deviations.")

# %% [markdown]
# ### [3] Likelihood ratios against a background
#
# One mixture of all devices, the background, is adapted to each device. A recording is scored by how much more
# likely the device's mixture makes its frames:
#
# $$ \Lambda_c = \sum_t \log \frac{p(x_t \mid \text{device } c)}{p(x_t \mid \text{background})} $$
#
# Evidence adds up over time, so that the right curve should pull away from the others.

# %%
system = registry.AdaptedMixtures(random_state=session.params["seed"]).fit(shown, devices)
asked = next(x for x in tests["3 s"] if x.device == names[0])
parts = np.array_split(cepstra.cepstra(asked), min(30, len(cepstra.cepstra(asked))))
ratios = [len(x) * cepstra.likelihood_ratios(system.background_, system.means_, x) for x in parts]
time_s = np.linspace(0, len(asked.y) / asked.samplerate, len(parts) + 1)[1:]

# %%
ax = plots.curves(np.cumsum(ratios, axis=0).T, list(system.classes_), x=time_s)
ax.set(xlabel="time [s]", ylabel="summed log-likelihood ratio [nat]", title=f"a test recording of {asked.device}")
nb.save_figure(session, ax, "likelihood-ratios", f"[3] Evidence for three devices in a test excerpt of {asked.device}.")

# %% [markdown]
# ### [4] Which cepstra?
#
# A cepstrum is the cosine transform of log energies in bands $E_b$: mel-spaced triangles for MFCC, gammatones on the
# ERB scale for GTCC. PNCC, which [3] compares with MFCC, takes a power law after suppressing what is stationary:
#
# $$ c_n = \sum_b \log E_b \cos\left(\pi n (b + \tfrac12) / B\right) $$

# %%
three_s = cut_excerpts(shown[:1], seconds=3, n=1, seed=session.params["seed"])[0]
figure, axes = plt.subplots(1, 3, figsize=(13, 3), layout="constrained")
for ax, feature in zip(axes, ("mfcc", "gtcc", "pncc"), strict=True):
    ax.imshow(cepstra.cepstra(three_s, feature=feature).T, aspect="auto", origin="lower", cmap="magma")
    ax.set(title=feature.upper(), xlabel="frame", ylabel="coefficient")
    ax.grid(False)
    apart([cepstra.cepstra(x, feature=feature).mean(axis=0) for x in train], what=f"Mean {feature.upper()}. ")
nb.save_figure(session, axes, "cepstra", f"[3], [4] Cepstra of three seconds of {three_s.device}.")

# %% [markdown]
# ### [5] Supervectors
#
# Only the means of the background are adapted to a recording; stacked and scaled they are one long vector, whose inner
# product compares whole distributions:
#
# $$ v = \left[ \frac{\sqrt{w_1}}{\sigma_1} (\mu_1 - \mu_1^{\text{bg}}), \ldots, \frac{\sqrt{w_K}}{\sigma_K} (\mu_K - \mu_K^{\text{bg}}) \right] $$
#
# Bright blocks on the diagonal are recordings of one device; blocks elsewhere are devices that are alike.

# %%
mfcc = [cepstra.cepstra(x) for x in train]
background = cepstra.fit_background(mfcc, n_components=16, random_state=session.params["seed"])
vectors = np.stack([supervector.supervector(background, background.standardised(x)) for x in mfcc])
ax = plots.similarity(vectors @ vectors.T, [x.device for x in train])
nb.save_figure(session, ax, "supervectors", "[5] Inner products of the supervectors of all training recordings.")
apart(vectors)

# %% [markdown]
# ### [6] Near-silence
#
# Where the speaker pauses, the recorder speaks. Windows whose largest amplitude is under a threshold $\theta$ are kept,
# and the magnitudes of their spectra summed: the Fourier coefficient histogram.
#
# $$ h(k) = \sum_{t:\, \max |s_t| \le \theta} |S_t(k)| $$
#
# The right picture shows what an absolute threshold does: where curves of devices are far apart, one threshold keeps
# everything of one recorder and nothing of another.

# %%
figure, axes = plt.subplots(1, 2, figsize=(14, 3.6), layout="constrained")
histograms = silence.log_histograms(train, n_coefficients=256, threshold=None, share=silence.SHARE)
rows = [i for i, x in enumerate(train) if x in shown]
plots.curves(histograms[rows], devices, x=np.linspace(0, khz, 256), ax=axes[0])
peaks = [silence.window_peaks(spectra.framed(x.y, length=4096, hop=4096)) for x in shown]
kept = [[100 * (p <= threshold).mean() for threshold in silence.THRESHOLDS] for p in peaks]
plots.curves(kept, devices, x=20 * np.log10(silence.THRESHOLDS), ax=axes[1])
axes[0].set(xlabel="frequency [kHz]", ylabel="log of summed magnitude")
axes[1].set(xlabel="threshold [dB of full scale]", ylabel="windows kept [%]")
nb.save_figure(session, axes, "silence", "[6] Fourier coefficient histograms, and windows under each of nine thresholds.")
apart(histograms)

# %% [markdown]
# ### [7] Random projections and sparse representation
#
# The mean log spectrum is projected on a few hundred Gaussian vectors. Then a test vector $a$ is written with as few
# training vectors, the columns of $A$, as possible, and the class whose vectors alone leave the smallest residual wins:
#
# $$ \min \|b\|_1 \;\text{ subject to }\; a = A b, \qquad \hat c = \arg\min_c \|a - A\, \delta_c(b)\| $$

# %%
test = tests["recording"][0]
system = registry.RandomSpectralFeatures(random_state=session.params["seed"]).fit(train, [x.device for x in train])
left = sparse.src_residuals(system.train_, system.codes_, system.project([test]), len(names))[0]
ax = plots.named_bars(left, names, highlight=[test.device])
ax.set_ylabel("residual")
nb.save_figure(session, ax, "src", f"[7] Residual of every device for a test recording of {test.device} (coloured).")
apart(system.train_)

# %% [markdown]
# ### [8] Sketches
#
# Inner products with vectors of $p$-stable components keep the $l_p$ distances of what was projected:
#
# $$ \langle x - y, r \rangle \sim \|x - y\|_p\, r_1, \qquad r_i \sim \text{Gauss } (p = 2) \text{ or Cauchy } (p = 1) $$
#
# Each dot is a pair of training recordings: the nearer the line, the better 256 numbers stand for the whole spectrum.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
vectors = spectra.feature_matrix(train, spectra.mean_spectrum, n_fft=spectra.N_FFT).astype(float)
for ax, p in zip(axes, (1, 2), strict=True):
    drawn = sparse.stable_vectors(vectors.shape[1], 256, p=p, random_state=session.params["seed"])
    true, estimated = sparse.sketch_distances(vectors, drawn, p=p)
    ax.scatter(true, estimated, s=8, alpha=0.5, lw=0)
    ax.axline((0, 0), slope=1, color="0.3", lw=1)
    ax.set(title=f"p = {p}", xlabel="distance of mean spectra", ylabel="estimated from the sketches")
nb.save_figure(session, axes, "sketches", "[8] Distances of all pairs of training recordings, true and from sketches.")
apart(vectors)

# %% [markdown]
# ### [9] The leakage signal
#
# Spectral subtraction estimates the speech; what it removes is the noise and, leaked into it, some speech. Bins near
# the harmonics $m f_0$ of voiced frames are left out of the average:
#
# $$ \log \bar E(k) = \frac{1}{T_k} \sum_{t:\, k \ne m f_{0,t}} \log \left(|S_t(k)| - |\hat F_t(k)|\right)^2 $$

# %%
options = {"n_fft": spectra.N_FFT, "over": 2.0, "periodicity": 0.5, "harmonics": True}
vectors = spectra.feature_matrix(train, residual.residual_spectrum, **options)
ax = plots.curves(vectors[rows], devices, x=np.linspace(0, khz, vectors.shape[1]))
ax.set(xlabel="frequency [kHz]", ylabel="log power of the residual")
nb.save_figure(session, ax, "residual", "[9] What spectral subtraction removes, without harmonics of speech.")
apart(vectors)

# %% [markdown]
# ### [10] One device at a time
#
# Each device has a one-class machine that has never seen another device: it accepts a spectrum $x$ when the kernel
# puts it near enough to a few representatives $r_i$ of the device,
#
# $$ \sum_i \alpha_i \exp\left(-\gamma \|x - r_i\|^2\right) \ge \rho. $$
#
# The representatives are to cover the device's noise without the odd seconds.

# %%
mine = [x for x in shown if x.device == shown[0].device]
seconds_ = np.concatenate([x.feature(oneclass.noise_spectra, n_fft=1024, share=0.5) for x in mine])
chosen = oneclass.representatives(seconds_, n_clusters=8, random_state=session.params["seed"])
kinds = ["a second each"] * len(seconds_) + ["representatives"] * len(chosen)
ax = plots.curves([*seconds_, *chosen], kinds, x=np.linspace(0, khz, seconds_.shape[1]))
ax.set(xlabel="frequency [kHz]", ylabel="log power", title=shown[0].device)
nb.save_figure(session, ax, "representatives", f"[10] Noise spectra of seconds of {shown[0].device}, and their representatives.")

# %% [markdown]
# ### [11] Which descriptors to keep
#
# What a Wiener filter removes is described second by second by 46 numbers; those are kept whose variance $\sigma^2$
# lies most between the devices and least within them:
#
# $$ \text{share} = \sigma^2_{\text{between}} / (\sigma^2_{\text{between}} + \sigma^2_{\text{within}}) $$

# %%
windows = [x.feature(residual.wiener_descriptors, size=15, n_fft=1024) for x in train]
labels = np.repeat([x.device for x in train], [len(x) for x in windows])
between = residual.distinctiveness(np.concatenate(windows), labels)
chosen = residual.most_distinctive(np.concatenate(windows), labels, n_features=30)
ax = plots.named_bars(between, residual.TEXTURE_NAMES, highlight=[residual.TEXTURE_NAMES[i] for i in chosen])
ax.set_ylabel("share of variance")
nb.save_figure(session, ax, "descriptors", "[11] How much of each descriptor's variance lies between devices; coloured are kept.")
print(f"Most of it lies between the devices in {residual.TEXTURE_NAMES[between.argmax()]}: {between.max():.0%}.")

# %% [markdown]
# ### [12] Centroids of the raw recording, and of its noise
#
# $$ e = s - \hat f, \qquad \min_{c_1 \ldots c_k} \sum_t \min_j \|\mathrm{MFCC}(e_t) - c_j\|^2 $$
#
# Multi-band spectral subtraction gives the noise $e$, k-means the centroids of its cepstra. The authors find
# the noise far better than the raw recording; the clouds show how much of that is left here.

# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
for ax, source in zip(axes, ("raw", "noise"), strict=True):
    options = {"source": source, "n_clusters": 32, "random_state": session.params["seed"]}
    plots.plane([x.feature(residual.noise_centroids, **options)[:, :2] for x in shown], devices, ax=ax)
    ax.set(title=source, xlabel="MFCC 1", ylabel="MFCC 2")
nb.save_figure(session, axes, "centroids", "[12] Centroids of the cepstra of recordings, raw and of their noise.")

# %% [markdown]
# ## The leaderboard
#
# Every system is fitted on the same recordings and judged on the same excerpts. The paper's networks come from this
# run's earlier notebooks. Features are computed once and shared; who asks first pays for them in the seconds below.

# %%
networks, seconds = nb.paper_systems(session, recordings)
judged = {}
with protocol.gathered_warnings():
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
# ## Against their own figures
#
# What the authors report on their own recordings, beside what the same idea reaches here on whole recordings. "Below"
# means that the published figure is above our interval.

# %%
against = protocol.against_published(scores)
nb.percent(against.rename_axis("system").reset_index())

# %% [markdown]
# ## Device, or recording?
#
# Whoever stays behind is examined, and the baselines with them: trained on the *first halves* of the training
# recordings, asked for their *second halves*, where device, room, level and day are all the same. What is reached here
# and lost on another recording belongs to the recording: to its room, its level, its background.

# %%
behind = list(against.index[against["ours"] < against["published"]])
candidates = registry.systems(seed=session.params["seed"])
asked = {name: s for name, s in candidates.items() if name in behind or name.startswith("baseline")}
with protocol.gathered_warnings():
    same = protocol.same_recording(asked, train)
accuracy = scores.query("unit == 'recording' and metric == 'accuracy'").set_index("system")["value"]
halves = pd.DataFrame({"same recording": same, "another recording": accuracy[same.index]}).rename_axis("system")
nb.percent(halves.reset_index())

# %% [markdown]
# The proof that this can happen without any device at all: nine recordings of *one* simulated recorder in nine rooms.
# There is no device to tell apart, and whoever "identifies" them has recognised the room and its background.

# %%
copies = protocol.copies_of_one_recorder(seed=session.params["seed"])
twins = protocol.same_recording({name: s for name, s in asked.items() if name.startswith("baseline")}, copies)
rest = 1 / len(copies)
print("; ".join(f"{name.removeprefix('baseline ')} {value:.0%}" for name, value in twins.items()), f"(chance {rest:.0%})")

# %% [markdown]
# So a corpus with one session per device, where training and test share room and day, proves nothing about devices by
# accuracy alone, however high. A corpus needs several sessions of every device, held out whole.

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
place = board.index.get_loc(mine)
nearby = board.iloc[max(0, place - 3) : place + 4]
print(f"Place {place + 1} of {len(board)}, with its neighbours in the table:")
nearby.style.apply(lambda row: ["font-weight: bold" if row.name == mine else ""] * len(row), axis=1).format({**dict.fromkeys(board.columns[:5], "{:.1%}"), "log-loss": "{:.2f}", "fit seconds": "{:.1f}", "seconds per excerpt": "{:.3f}"})

# %% [markdown]
# ## What can go wrong
#
# A recording without a near-silent window, or one shorter than a frame, gets a named warning and an answer all the
# same. A parameter that does not exist is refused.

# %%
try:
    cepstra.cepstra(three_s, feature="mfc")
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
probe = nb.score_probe(session, nb.load_dataset(session, recordings))
rows = nb.figures(session, scores.assign(table="leaderboard").to_dict("records"))
whole_rows = rows["metric"].eq("accuracy") & rows["unit"].eq("recording")
rows.loc[whole_rows, "paper"] = rows.loc[whole_rows, "system"].map(registry.published_accuracy)
records = [{"system": name, "metric": "same-recording accuracy", "value": value, "n": len(train)} for name, value in same.items()]
halves_rows = nb.figures(session, [row | {"table": "device or recording"} for row in records])
own = nb.finish(session, rows, halves_rows, probe)
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
undecided = (compared["p"] > 0.05).sum()
n = len(tests["recording"])
nb.saw(
    session,
    f"On whole recordings {perfect} of {len(cited)} cited systems and variants make no error; the best is {cited.index[0]} "
    f"({cited['recording'].iloc[0]:.1%}), the last {cited['recording'].idxmin()} ({cited['recording'].min():.1%}).",
    f"A first difference and one nearest neighbour reach {baseline['recording']:.1%} of recordings and "
    f"{baseline['segment']:.1%} of single segments.",
    f"On single segments the best of the paper's networks is {network.idxmax()} with {network.max():.1%}; the best cited "
    f"system is {cited['segment'].idxmax()} with {cited['segment'].max():.1%}.",
    f"{(against['verdict'] == 'below').sum()} of {len(against)} systems with a published figure stay clearly below it. On the "
    f"same recordings the {len(asked)} examined ones name {same.mean():.1%} on average, on others {accuracy[same.index].mean():.1%}.",
    f"The first difference names {halves.loc[baseline.name, 'same recording']:.1%} of the second halves of recordings it has heard "
    f"the first halves of, {halves.loc[baseline.name, 'another recording']:.1%} of other recordings, and "
    f"{twins[baseline.name]:.0%} of nine recordings of one and the same simulated recorder: it may know rooms, not devices.",
    f"McNemar's test finds no difference (p > 0.05) between {undecided} of {len(compared)} neighbours in the table: with {n} test "
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
