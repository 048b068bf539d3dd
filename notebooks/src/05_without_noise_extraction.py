# %% [markdown]
# # 05 · Without noise extraction
#
# **Is the noise extraction needed, or would a window do? And what does a network find in raw samples?**
#
# | | |
# |---|---|
# | you will learn | how to test whether a processing step helps, what a convolution computes, what a network on samples needs |
# | it needs | a corpus |
# | it makes | table III, tests of extraction and window, filters as waves and spectra, a filter bank |
# | it takes | a minute; at paper size some minutes |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
recipe: str = "default"  # default, or published (selects on the test set)
epochs: int = 0  # passes over the training segments, 0 for what the recipe says

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from devid_lib import convolution, evaluation, models, plots
from devid_lib.errors import DevidError
from devid_lib.workbook import describe, differences, joined, show, signed, start
from devid_lib.workbook.paper import PAPER
from devid_lib.workbook.session import PROJECT

session = start("05_without_noise_extraction", globals())
p = session.params

# %% [markdown]
# ## Inputs
#
# The samples of the segments, as they were recorded: speech, room and noise together.

# %%
recordings = session.recordings()
waves = session.dataset(recordings, representation="waveform", noise="none")
devices, samplerate, length = list(waves.devices), int(recordings["samplerate"].iloc[0]), waves.X.shape[1]
n_train = int(waves.mask("train").sum())
print(f"{n_train} training segments of {length} samples, {len(devices)} devices")

# %% [markdown]
# ## The same spectra, speech and all
#
# Equation (3) is applied to the segment $s$ itself instead of its noise $e$, and once more after a Hann window $w$:
#
# $$ x(k) = \log\left(c\,|S(k)| + 1\right), \qquad S(k) = \sum_{n=0}^{N-1} w(n)\, s(n)\, e^{-2 \pi i k n / N}, \qquad
# w(n) = \sqrt{\tfrac{2}{3}} \left(1 - \cos \tfrac{2 \pi n}{N}\right) $$
#
# The paper has no window, $w(n) = 1$. Then a segment begins and ends with a jump, and the FFT smears its loud low
# frequencies over all others. A window stops that; to take the speech out removes part of what is smeared. So where
# extraction helps, a window might have done it. Everything else stays: same segments, networks, recipe; and quick ridge
# regression, the *linear reader*, reads them, too. (The square root keeps the power; $c$ is that of notebook 02.)

# %%
features = {
    "raw": {"noise": "none", "window": "none"},
    "noise": {"noise": "wavelet", "window": "none"},
    "raw, window": {"noise": "none", "window": "hann"},
    "noise, window": {"noise": "wavelet", "window": "hann"},
}


def ridge(options):
    """Return what the linear reader of standardised features decides: quick, and nothing in it is random."""
    dataset = session.dataset(recordings, **options)
    train, test = dataset.mask("train"), dataset.mask("test", draw=0)
    reader = make_pipeline(StandardScaler(), RidgeClassifier(alpha=100.0)).fit(dataset.X[train], dataset.y[train])
    decided = np.eye(len(devices))[reader.predict(dataset.X[test])]
    return evaluation.predictions_table(decided, dataset.segments[test], dataset.devices)


posteriors = {("ridge", name): ridge(options) for name, options in features.items()}
if p["size"] == "paper":
    wanted = [(system, name) for name in features for system in ("softmax", "mlp-3")]  # both while their inputs are at hand
else:
    wanted = [("softmax", "raw"), ("mlp-3", "raw"), ("softmax", "noise")]
found = {(system, name): session.predictions(system, recordings, **features[name]) for system, name in wanted}
posteriors |= dict(sorted(found.items(), key=lambda item: item[0][0], reverse=True))  # softmax before mlp-3
readers = [system for system, name in posteriors if name == "noise"]
alone = {key: evaluation.voted(table, unit="segment") for key, table in posteriors.items()}

# %%
per_recording = {
    key: pd.Series(evaluation.correct(table)).groupby(evaluation.recording_names(table)).mean()
    for key, table in alone.items()
}
figure, axes = plt.subplots(1, len(readers), figsize=(3.4 * len(readers), 3.8), sharey=True, layout="constrained")
for ax, system in zip(axes, readers, strict=True):
    for name, marker in {"noise": "o", "raw, window": "^"}.items():
        found = 100 * per_recording.get((system, name), pd.Series(dtype=float))
        ax.scatter(100 * per_recording[system, "raw"].loc[found.index], found, marker=marker, alpha=0.6, label=name)
    ax.axline((0, 0), slope=1, color="0.25", ls="--", lw=1.2)
    ax.set(title=system, xlabel="raw [%]", aspect="equal", xlim=(-3, 103), ylim=(-3, 103))
axes[0].set_ylabel("noise, or raw with a window [%]")
axes[0].legend(loc="lower right")
session.save_figure(axes, "recordings", "Segments named right in every test recording: noise, and a window, against raw.")

# %% [markdown]
# A point is a test recording. Above the dashed line extraction, or the window, helped it, below it hurt. That is all a
# paired test looks at: one difference for every recording, is their mean clear of zero? Of several tests one may come out
# by luck, so the p-values are adjusted for their number (Holm), and an interval reaches to zero where p is above 5 %. Told
# apart are those whose interval is clear of zero.


# %%
steps = [("noise", "raw"), ("raw, window", "raw"), ("raw, window", "noise"), ("noise, window", "noise")]
pairs = {(system, b, a): (alone[system, b], alone[system, a]) for system in readers for b, a in steps if (system, b) in alone}
tests = evaluation.compared(pairs, names=["reader", "features", "against"])
signed(tests)

# %% [markdown]
# ## A network on raw samples
#
# A convolutional network makes its own features. A filter $w_j$ of 197 samples slides along the segment. At every place
# its *answer* $a_j(n)$ is a dot product: large where the samples look like the filter. Of every 100 answers the largest
# goes on, bent by a tanh, to three hidden layers (figure 3):
#
# $$ h_j(q) = \tanh\left(\max_{100 q \,\le\, n \,<\, 100 (q + 1)} a_j(n)\right), \qquad a_j(n) = \sum_{m=0}^{196} w_j(m)\, s(n + m) + b_j $$
#
# By hand, with the 100 filters that the authors start from, sine waves of period 4, 5, ... 103 samples:


# %%
def answers(s, w, b, step=1):
    """Return the answers of the filters, shape (positions, filters): one dot product for each place of the window."""
    windows = np.lib.stride_tricks.sliding_window_view(s, len(w))[::step]
    return windows @ w + b


def largest(a, pool):
    """Return the largest answer of every ``pool`` neighbours; what is left at the end is dropped."""
    n = len(a) // pool
    return a[: n * pool].reshape(n, pool, -1).max(axis=1)


loudest = np.argmax(np.square(waves.X[:500]).sum(axis=1))
s = np.array(waves.X[loudest])
cnn = models.cnn(length, len(devices), seed=p["seed"])
w, b = cnn.get_layer("filters").get_weights()
w = w[:, 0]  # one channel
a = answers(s, w, b)
h = np.tanh(largest(a, 100))

x = s[np.newaxis]
for layer in cnn.layers[1:5]:  # reshape, convolution, maximum, tanh
    x = layer(x)
np.testing.assert_allclose(h, x[0], atol=1e-4)
print(f"answers {a.shape[0]} positions x {a.shape[1]} filters; after the maximum {h.shape[0]} x {h.shape[1]} = {h.size}")

# %%
figure, axes = plt.subplots(3, 1, figsize=(9, 5), sharex=True, layout="constrained")
ms = 1000 / samplerate
axes[0].plot(ms * np.arange(length), s, lw=0.7)
axes[0].set_ylabel("amplitude")
for ax, j in zip(axes[1:], (16, 56), strict=True):
    ax.plot(ms * np.arange(len(a)), a[:, j], lw=0.7, color="0.6")
    ax.step(ms * 100 * np.arange(len(h) + 1), [*largest(a, 100)[:, j], np.nan], where="post", color="C1")
    ax.set_ylabel(f"answer,\nperiod {j + 4}")
axes[2].set_xlabel("time [ms]")
axes[1].set_title("grey: the answer of one filter at every place, orange: the maxima that go on", fontsize=10)
session.save_figure(axes, "convolution", "A segment, the answers of two filters, and what the maximum keeps of them.")

# %%
layers = [("samples", length), ("answers", a.size), ("maxima", h.size), *(("tanh", n) for n in models.SYSTEMS["cnn"].hidden)]
ax = plots.network([*layers, ("devices", len(devices))])
session.save_figure(ax, "cnn", "The convolutional network, after figure 3 of the paper.")

# %% [markdown]
# What does an error teach the filters? Of 100 answers one goes on, so a filter is moved by the stretch of samples that it
# answered most to, times the error behind it, and the 99 others count for nothing:
#
# $$ \frac{\partial C}{\partial w_j(m)} = \sum_q \frac{\partial C}{\partial a_j(n_q)}\, s(n_q + m), \qquad
# n_q = \operatorname*{arg\,max}_{100 q \,\le\, n \,<\, 100 (q + 1)} a_j(n) $$
#
# Keras works out the products of all places again. `convolution` keeps to one place in 100, and takes the answers by
# FFT, to save time.

# %%
maxima, places = convolution.largest_answers(s[np.newaxis], np.ascontiguousarray(w.T), pool=100)
np.testing.assert_allclose(maxima[0] + b, largest(a, 100), atol=1e-4)
errors = np.random.default_rng(p["seed"]).standard_normal(maxima.shape).astype(np.float32)
stretches = np.lib.stride_tricks.sliding_window_view(s, len(w))[places[0]]  # position, filter, tap
by_hand = np.einsum("qj,qjm->jm", errors[0], stretches)
found = convolution.filter_gradient(s[np.newaxis], places, errors, taps=len(w))
np.testing.assert_allclose(found, by_hand, atol=1e-4 * np.abs(by_hand).max())
print(f"{places.size} of {a.size} answers move the filters")

# %% [markdown]
# ## Trained
#
# The filters start as sine waves, as published (`cnn-random` starts at random: exercise 3). The authors trained for up to
# 3000 epochs. The default recipe stops after a few, so that the notebook ends, and in so short a time does without dropout
# (`training.DROPOUT`); set `epochs` to see how far it goes. How far the authors' own recipe goes in hours, judged on the
# test set (as they did) and on left-out sessions (validation), stands in `figures/published_recipe.csv` and is drawn below
# (`tools/published_recipe.py`, simulated corpus at the paper's size; notebook 90 tells more).

# %%
fits = {"cnn": session.fitted("cnn", recordings, noise="none", draws=1)}
history = fits["cnn"][1]
print(describe(history))

# %%
axes = plots.learning_curve(history)
session.save_figure(axes, "learning-curve", "Cost and accuracy of the convolutional network while it is fitted.")

# %%
table = PROJECT / "figures" / "published_recipe.csv"
hours = pd.read_csv(table) if table.exists() else pd.DataFrame(columns=["system", "judged", "cpu_s", "accuracy"])
hours = hours[hours["system"] == "cnn"]
if len(hours):
    curves = hours.assign(minutes=hours["cpu_s"] / 60, percent=100 * hours["accuracy"])
    ax = sns.lineplot(curves, x="minutes", y="percent", hue="judged", ax=plt.subplots(figsize=(6, 3.4))[1])
    ax.axhline(100 * PAPER["III", "cnn", "none", "segment"], color="0.25", ls="--", lw=1.2, label="the paper")
    ax.set(xlabel="CPU minutes", ylabel="segments named right [%]", ylim=(0, 100))
    ax.legend()
    session.save_figure(ax, "published-recipe", "The convolutional network, fitted for hours by the authors' recipe.")

# %% [markdown]
# What became of the filters? First as waves: grey before, coloured after training, each brought to length one. The number
# in a panel is their cosine: 1 if training has changed nothing but the size.

# %%
trained = fits["cnn"][0].get_layer("filters").get_weights()[0][:, 0]
before, after = (kernel / np.linalg.norm(kernel, axis=0) for kernel in (w, trained))
cosine = np.sum(before * after, axis=0)
figure, axes = plt.subplots(1, 4, figsize=(12, 2.4), sharey=True, layout="constrained")
for ax, j in zip(axes, (1, 16, 56, 96), strict=True):
    ax.plot(before[:, j], color="0.6", lw=2.5)
    ax.plot(after[:, j], color="C0", lw=1)
    ax.set(yticks=[], title=f"filter {j + 1}: {cosine[j]:.3f}", xlabel="tap [samples]")
session.save_figure(axes, "filters-waves", "Filters of the convolutional network before and after training.")

# %% [markdown]
# Then as spectra: a column is a filter, bright where it lets through, in dB below its own maximum.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True, layout="constrained")
for ax, (when, kernels) in zip(axes, {"before": before, "after": after}.items(), strict=True):
    magnitude = np.abs(np.fft.rfft(kernels, 1024, axis=0))
    db = 20 * np.log10(np.maximum(magnitude / magnitude.max(axis=0), 1e-2))
    image = ax.imshow(db, origin="lower", aspect="auto", extent=[0.5, 100.5, 0, samplerate / 2000], vmin=-40, vmax=0)
    ax.set(title=f"{when} training", xlabel="filter")
    ax.grid(False)
axes[0].set_ylabel("frequency [kHz]")
figure.colorbar(image, ax=axes, label="magnitude [dB]")
session.save_figure(axes, "filters-spectra", "Spectra of the filters before and after training.")

# %% [markdown]
# A sine wave hears one narrow band. The shortest period is four samples, so no filter starts above a quarter of the
# sample rate, and the next ones leave gaps:

# %%
bands = samplerate / np.arange(4, 104)
print("the first five sine waves hear", ", ".join(f"{band / 1000:.2f}" for band in bands[:5]), "kHz, the last one", end=" ")
print(f"{bands[-1]:.0f} Hz; {np.mean(np.linspace(0, samplerate / 2, length) > bands[0]):.0%} of the band lie above all of them")

# %% [markdown]
# ## What to read from a filter
#
# Gaps are one weakness. Two more: the network takes the largest answer in place of the power, and a tanh in place of a
# logarithm. The linear reader tells them apart without training any filters: three readings of the sine filters, and
# one of as many windowed cosines that cover the band.

# %%
rows = np.flatnonzero(waves.mask("train"))
rows = np.concatenate([rows[:: max(1, len(rows) // 2000)], np.flatnonzero(waves.mask("test", draw=0))])
s_unit, is_test = waves.X[rows] / np.std(waves.X[rows]), waves.mask("test")[rows]


def read(filters, reading):
    """Return how many test segments a linear reader names by what is read from the answers of some filters."""
    filters = filters / np.linalg.norm(filters, axis=0)
    x = np.array([reading(answers(one, filters, 0, 16)).ravel() for one in s_unit])
    reader = make_pipeline(StandardScaler(), RidgeClassifier(alpha=100.0)).fit(x[~is_test], waves.y[rows][~is_test])
    return reader.score(x[is_test], waves.y[rows][is_test])


sines, cosines = models.sine_filters()[:, 0], models.cosine_filters(100, length // 8)[:, 0]
readings = {
    "sine waves, tanh of the maximum": read(sines, lambda a: np.tanh(a.max(axis=0))),
    "sine waves, log of the maximum": read(sines, lambda a: np.log(np.maximum(a.max(axis=0), 1e-4))),
    "sine waves, log of the power": read(sines, lambda a: np.log(np.square(a).mean(axis=0) + 1e-9)),
    "windowed cosines, log of the power": read(cosines, lambda a: np.log(np.square(a).mean(axis=0) + 1e-9)),
}
pd.Series(readings, name="test segments named right").to_frame().style.format("{:.1%}")

# %% [markdown]
# ## A filter bank
#
# So a network on samples needs narrow bands that cover the spectrum, power and a logarithm. `models.filterbank` has 256
# Hann-windowed cosines $w_j$, an eighth of a segment long, in steps of its 128th part. Eight squared answers are averaged
# to $P_j(q)$. Mean and standard deviation of $\log (P_j + \varepsilon)$ over time go to one hidden layer:
#
# $$ h = \left(\operatorname{mean}_q \log (P_j(q) + \varepsilon),\ \operatorname{std}_q \log (P_j(q) + \varepsilon)\right)_j $$

# %%
bank = models.cosine_filters(256, length // 8)[:, 0]
squared = np.square(answers(s, bank, 0, length // 128))
n = len(squared) // 8
levels = np.log(squared[: 8 * n].reshape(n, 8, -1).mean(axis=1) + models.POWER_FLOOR)
network = models.filterbank(length, len(devices), seed=p["seed"])
front = models.import_keras().Model(network.inputs, network.get_layer("statistics").output)
np.testing.assert_allclose([*levels.mean(axis=0), *levels.std(axis=0)], front.predict(s[np.newaxis], verbose=0)[0], atol=0.01)

# %%
ax = sns.heatmap(10 / np.log(10) * levels.T[::-1], cmap="magma", cbar_kws={"label": "level [dB]"}, yticklabels=False)
ax.set(xlabel=f"time [columns of {8000 * (length // 128) / samplerate:.1f} ms]", ylabel=f"bands, 0 to {samplerate / 2000:g} kHz", title="a segment behind the filter bank")
session.save_figure(ax, "filterbank", "What the filter bank hands on of a segment, before mean and standard deviation.")

# %% [markdown]
# The filters stay as they are, so their answers are worked out once and only what lies behind is trained, in seconds. Does
# it pay to train the filters, too? From where the network stands, slowly, once through some of the segments:

# %%
fits["filterbank"] = session.fitted("filterbank", recordings, noise="none")
print(describe(fits["filterbank"][1]))
tuned, _ = session.fitted("filterbank", recordings, noise="none")
tuned.get_layer("filters").trainable = True
tuned.compile(models.import_keras().optimizers.Adam(1e-5), "sparse_categorical_crossentropy")
some = np.flatnonzero(waves.mask("train"))[:: 1 + n_train // 6000]
tuned.fit(np.asarray(waves.X[some]), waves.y[some], batch_size=64, verbose=0)
test = waves.mask("test", draw=0)
learned = evaluation.predictions_table(tuned.predict(waves.X[test], verbose=0), waves.segments[test], devices)

# %% [markdown]
# ## Result
#
# Chance, interval and probe as in notebook 03; the variant `none` is raw, `wavelet` noise, and `+hann` a window. The paper's
# figure for the convolutional network, which belongs to up to 3000 epochs, stands beside ours after 100 epochs or more.
# Where their recipe stands after hours is drawn above, and told in notebook 90.

# %%
variants = {"raw": "none", "noise": "wavelet", "raw, window": "none+hann", "noise, window": "wavelet+hann"}
for system in fits:
    draws = {"draws": 1} if system == "cnn" else {}
    posteriors[system, "raw"] = session.predictions(system, recordings, noise="none", **draws)
    alone[system, "raw"] = evaluation.voted(posteriors[system, "raw"], unit="segment")
rows = {}
for (system, name), posterior in posteriors.items():
    table = "" if name == "noise" and system != "ridge" else "III"  # noise: in table II
    rows[system, name] = session.score(posterior, system=system, table=table, variant=variants[name])
if history.attrs["epoch"] < 100:  # after so few epochs the network is not held against the paper's
    rows["cnn", "raw"]["paper"] = pd.NA
probe = session.score_probe(recordings)
show(*rows.values(), probe)

# %%
ax = plots.accuracy_bars(joined(*rows.values(), probe))
session.save_figure(ax, "accuracy", "Features and networks, beside chance, the probe and the paper.")

# %%
best = "softmax" if ("softmax", "raw, window") in alone else "ridge"
networks = {
    ("cnn", "mlp-3"): (alone["cnn", "raw"], alone["mlp-3", "raw"]),
    ("filterbank", "cnn"): (alone["filterbank", "raw"], alone["cnn", "raw"]),
    ("filterbank", f"{best}, window"): (alone["filterbank", "raw"], alone[best, "raw, window"]),
    ("filterbank, filters trained", "filterbank"): (learned, alone["filterbank", "raw"]),
}
networks = evaluation.compared(networks, names=["on raw samples", "against"], better="is ahead", worse="is behind")
signed(networks)

# %% [markdown]
# ## What can go wrong
#
# A segment must be long enough for the filter and one maximum.

# %%
try:
    models.cnn(128, len(devices))
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
names = [(system, f"{variants[b]} against {variants[a]}") for system, b, a in tests.index]
names += [(b, f"none, against {a}") for b, a in networks.index]
system, variant = zip(*names, strict=True)
of_tests = differences(pd.concat([tests, networks]), system=system, variant=variant, unit="segment")
own = session.finish(*rows.values(), session.figures(of_tests), probe)
own[["table", "system", "variant", "unit", "value", "low", "high", "paper"]]

# %% [markdown]
# ## What we saw

# %%
worst, finest = min(readings, key=readings.get), max(readings, key=readings.get)
asked = {
    ("noise", "raw"): "Noise extraction, against raw segments,",
    ("raw, window", "raw"): "A window, against none,",
    ("raw, window", "noise"): "A window in place of the extraction",
    ("noise, window", "noise"): "A window after the extraction, against extraction alone,",
}
said = []
for (b, a), what in asked.items():
    part = tests.xs((b, a), level=("features", "against"))
    verdicts = " and ".join(f"{verdict} for {', '.join(own.index)}" for verdict, own in part.groupby("verdict", sort=False))
    right, before = (evaluation.correct(alone["ridge", name]).mean() for name in (b, a))
    said.append(f"{what} {verdicts} ({right:.1%} in place of {before:.1%} of the segments by ridge).")

# %%
against_mlp, against_cnn, against_best, trained_on = networks["verdict"]
(cnn, bank), kept = (rows[system, "raw"].iloc[0] for system in fits), history.attrs["epoch"]
ends = {"test": "the test set", "validation": "left-out sessions"}
long_runs = [
    f"{part['accuracy'].max():.1%} in {part['epoch'].iloc[-1]} epochs (judged by {ends.get(judged, judged)})"
    for judged, part in hours.groupby("judged")
]
session.saw(
    *said,
    f"The convolutional network names {cnn['value']:.1%} of the segments ({cnn['low']:.1%} to {cnn['high']:.1%}; chance "
    f"{cnn['chance']:.1%}) after {kept} epoch{'s' * (kept > 1)} on {n_train} segments; against the perceptron mlp-3 on raw "
    f"spectra it {against_mlp}.",
    f"The filter bank names {bank['value']:.1%} ({bank['low']:.1%} to {bank['high']:.1%}): against the convolutional network "
    f"it {against_cnn}, against {best} with a window it {against_best}; with its filters trained, against fixed ones, it "
    f"{trained_on}.",
    f"The linear reader names {readings[worst]:.1%} of the test segments by {worst}; {readings[finest]:.1%} by {finest}. "
    f"Training has left the filters of the convolutional network a median cosine of {np.median(cosine):.3f} with their start.",
    f"The paper's {PAPER['III', 'cnn', 'none', 'segment']:.0%} for the convolutional network took up to 3000 epochs on 18000 "
    f"segments, the epoch chosen on the test set."
    + (f" Here, on simulated recorders, their recipe came to {' and '.join(long_runs)}." if long_runs else ""),
)

# %% [markdown]
# ## Exercises
#
# 1. Is it the window, or this window? Compare none, Hamming's and Blackman's with Hann's on raw segments, with the linear
#    reader.
# 2. How many filters does the filter bank need? Read 32, 64, 128 and 256 windowed cosines with the linear reader.
# 3. Do the sine waves help? Train `cnn-random` on the same segments for as long, and test the difference.
#
# Worked answers: [solutions](solutions/05_without_noise_extraction.ipynb)
#
# Next: [06 · Model averaging](06_model_averaging.ipynb)
