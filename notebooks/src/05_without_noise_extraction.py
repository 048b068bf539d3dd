# %% [markdown]
# # 05 · Without noise extraction
#
# **Is the noise extraction needed, and what does a convolutional network find by itself?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | how to test whether a processing step helps, what a convolution computes, how to look into its filters | a corpus | table III, a test of the extraction, the filters as waves and spectra | half a minute; at paper size three minutes |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a folder or a CSV of recordings
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

from devid_lib import evaluation, models, plots
from devid_lib.errors import DevidError
from devid_lib.workbook import describe, joined, show, start
from devid_lib.workbook.paper import PAPER

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
# Equation (3) is applied to the segment $s$ itself instead of its noise $e$:
#
# $$ x(k) = \log\left(c\,|S(k)| + 1\right) $$
#
# Everything else stays: same segments, same networks, same recipe. Only then does a difference belong to the extraction.

# %%
posteriors = {
    (system, extraction): session.predictions(system, recordings, noise=extraction)
    for system in ("softmax", "mlp-3")
    for extraction in ("wavelet", "none")
}
alone = {key: evaluation.voted(table, unit="segment") for key, table in posteriors.items()}
per_recording = pd.DataFrame(
    {
        key: pd.Series(evaluation.correct(table)).groupby(evaluation.recording_names(table)).mean()
        for key, table in alone.items()
    }
)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharex=True, sharey=True, layout="constrained")
for ax, system in zip(axes, ("softmax", "mlp-3"), strict=True):
    ax.scatter(100 * per_recording[system, "none"], 100 * per_recording[system, "wavelet"], alpha=0.7)
    ax.axline((0, 0), slope=1, color="0.25", ls="--", lw=1.2)
    ax.set(title=system, xlabel="without extraction [%]", aspect="equal", xlim=(-3, 103), ylim=(-3, 103))
axes[0].set_ylabel("with extraction [%]")
session.save_figure(axes, "recordings", "Segments named right in every test recording, with and without noise extraction.")

# %% [markdown]
# A point is a test recording. Above the dashed line the extraction helped it, below it hurt. That is all a paired test
# looks at: one difference for every recording, is their mean clear of zero? Of several tests one may come out by luck, so
# their p-values are adjusted for their number (Holm).


# %%
def compared(pairs, **words):
    """Return what the paired test says of each pair of prediction tables, p adjusted for their number."""
    table = pd.DataFrame({name: evaluation.paired_difference(*pair) for name, pair in pairs.items()}).T
    table["p"] = evaluation.holm(table["p"])
    verdicts = [evaluation.verdict(row, **words) for row in table.to_dict("records")]
    return table.assign(verdict=np.where(table["p"] < 0.05, verdicts, "is not told apart"))


def styled(table):
    """Return such a table for the eye."""
    signed = table.style.format("{:+.1%}", subset=["difference", "low", "high"])
    return signed.format("{:.2g}", subset="p").format("{:.0f}", subset="n")


tests = compared({system: (alone[system, "wavelet"], alone[system, "none"]) for system in ("softmax", "mlp-3")})
styled(tests.rename_axis("with against without extraction"))

# %% [markdown]
# ## A network on raw samples
#
# A convolutional network makes its own features. A filter $w_j$ of 197 samples slides along the segment, and at every
# place its *answer* is a dot product: large where the samples look like the filter. Of every 100 answers the largest goes
# on, bent by a tanh, to three hidden layers (figure 3):
#
# $$ h_j(q) = \tanh\left(\max_{100 q \,\le\, n \,<\, 100 (q + 1)}\ \sum_{m=0}^{196} w_j(m)\, s(n + m) + b_j\right) $$
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
axes[0].set_ylabel("segment")
for ax, j in zip(axes[1:], (16, 56), strict=True):
    ax.plot(ms * np.arange(len(a)), a[:, j], lw=0.7, color="0.6")
    ax.step(ms * 100 * np.arange(len(h) + 1), [*largest(a, 100)[:, j], np.nan], where="post", color="C1")
    ax.set_ylabel(f"period {j + 4}")
axes[2].set_xlabel("time [ms]")
axes[1].set_title("grey: the answer of one filter at every place, orange: the maxima that go on", fontsize=10)
session.save_figure(axes, "convolution", "A segment, the answers of two filters, and what the maximum keeps of them.")

# %%
layers = [("samples", length), ("answers", a.size), ("maxima", h.size), *(("tanh", n) for n in models.SYSTEMS["cnn"].hidden)]
ax = plots.network([*layers, ("devices", len(devices))])
session.save_figure(ax, "cnn", "The convolutional network, after figure 3 of the paper.")

# %% [markdown]
# The default recipe slides in steps of ten samples, which costs a tenth. It is not the same: between two steps a short
# wave comes and goes, and its maximum is missed. How much of the maximum is left?

# %%
loud = waves.X[np.argsort(np.square(waves.X[:500]).sum(axis=1))[-20:]]
ratio = [np.median(largest(answers(s, w, b, 10), 10) / largest(answers(s, w, b), 100), axis=0) for s in loud]
left = pd.Series(np.median(ratio, axis=0), index=pd.RangeIndex(4, 104, name="period [samples]"))
print(f"least is left at period {left.idxmin()}: {left.min():.0%}; median over the filters {left.median():.0%}")

# %% [markdown]
# ## Trained
#
# The filters start as sine waves, as published, or at random. The authors trained for up to 3000 epochs. The default
# recipe stops after a few, at size `quick` after two, so that the notebook ends; set `epochs` to see how far it goes.

# %%
fits = {system: session.fitted(system, recordings, noise="none") for system in ("cnn", "cnn-random")}
for system, (_, history) in fits.items():
    print(f"{models.SYSTEMS[system].label}: {describe(history)}")

# %%
curves = pd.concat([history.assign(start=models.SYSTEMS[system].label) for system, (_, history) in fits.items()])
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for ax, (name, factor) in zip(axes, {"loss": 1, "accuracy": 100}.items(), strict=True):
    table = curves.melt(["epoch", "start"], [name, f"val_{name}"], "segments", "value").dropna()
    table["segments"] = table["segments"].map({name: "training", f"val_{name}": "held out"})
    sns.lineplot(table.assign(value=factor * table["value"]), x="epoch", y="value", hue="start", style="segments", ax=ax)
    ax.set_ylabel(name + (" [%]" if factor > 1 else ""))
    ax.xaxis.get_major_locator().set_params(integer=True)
axes[0].get_legend().remove()
sns.move_legend(axes[1], "upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(axes, "learning-curves", "Cost and accuracy of the two convolutional networks while they are fitted.")

# %% [markdown]
# What became of the filters? First as waves: grey before, coloured after training, each brought to length one. The number
# in a panel is their cosine: 1 if training has changed nothing but the size.

# %%
before, after = {}, {}
for system, (model, _) in fits.items():
    untrained = models.build(system, (length,), len(devices), seed=p["seed"])
    for place, network in ((before, untrained), (after, model)):
        kernel = network.get_layer("filters").get_weights()[0][:, 0]
        place[system] = kernel / np.linalg.norm(kernel, axis=0)
cosine = {system: np.sum(before[system] * after[system], axis=0) for system in fits}

figure, axes = plt.subplots(4, 2, figsize=(10, 6), sharex=True, sharey="row", layout="constrained")
for column, system in enumerate(fits):
    axes[0, column].set_title(models.SYSTEMS[system].label)
    for ax, j in zip(axes[:, column], (1, 16, 56, 96), strict=True):
        ax.plot(before[system][:, j], color="0.6", lw=2.5)
        ax.plot(after[system][:, j], color=f"C{column}", lw=1)
        ax.set(yticks=[], ylabel=f"filter {j + 1}" if column == 0 else "")
        ax.text(0.99, 0.95, f"{cosine[system][j]:.3f}", transform=ax.transAxes, ha="right", va="top", fontsize=9)
    axes[-1, column].set_xlabel("tap [samples]")
session.save_figure(axes, "filters-waves", "Filters of the two convolutional networks before and after training.")

# %% [markdown]
# Then as spectra: a column is a filter, bright where it lets through, in dB below its own maximum.

# %%
figure, axes = plt.subplots(2, 2, figsize=(10, 6), sharex=True, sharey=True, layout="constrained")
for row, system in zip(axes, fits, strict=True):
    for ax, when, kernels in zip(row, ("before", "after"), (before[system], after[system]), strict=True):
        magnitude = np.abs(np.fft.rfft(kernels, 1024, axis=0))
        db = 20 * np.log10(np.maximum(magnitude / magnitude.max(axis=0), 1e-2))
        image = ax.imshow(db, origin="lower", aspect="auto", extent=[0.5, 100.5, 0, samplerate / 2000], vmin=-40, vmax=0)
        ax.set_title(f"{models.SYSTEMS[system].label}, {when} training", fontsize=10)
        ax.grid(False)
    row[0].set_ylabel("frequency [kHz]")
for ax in axes[-1]:
    ax.set_xlabel("filter")
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
# ## Result
#
# Chance, interval and probe as in notebook 03. The paper's figure for the convolutional network stands beside ours only
# at the size of the paper, and belongs to a far longer training even there.

# %%
for system in fits:
    posteriors[system, "none"] = session.predictions(system, recordings, noise="none")
    alone[system, "none"] = evaluation.voted(posteriors[system, "none"], unit="segment")
comparable = {"softmax", "mlp-3"} | (set(fits) if p["size"] == "paper" else set())
rows = {}
for (system, extraction), posterior in posteriors.items():
    table = "III" if extraction == "none" and system in comparable else ""
    rows[system, extraction] = session.score(posterior, system=system, table=table, variant=extraction)
probe = session.score_probe(recordings)
show(*rows.values(), probe)

# %%
ax = plots.accuracy_bars(joined(*rows.values(), probe))
session.save_figure(ax, "accuracy", "With and without noise extraction, beside chance, the probe and the paper.")

# %%
steps = [("cnn", "mlp-3"), ("cnn-random", "cnn")]
pairs = {f"{b} against {a}": (alone[b, "none"], alone[a, "none"]) for b, a in steps}
networks = compared(pairs, better="is ahead", worse="is behind")
styled(networks.rename_axis("without extraction"))

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
variants = [*((system, "wavelet against none") for system in tests.index), *((b, f"none, against {a}") for b, a in steps)]
differences = [
    {"system": system, "variant": variant, "unit": "segment", "metric": "difference of accuracies"}
    | {"value": row["difference"], "low": row["low"], "high": row["high"], "n": row["n"]}
    for (system, variant), row in zip(variants, pd.concat([tests, networks]).to_dict("records"), strict=True)
]
own = session.finish(*rows.values(), session.figures(differences), probe)
own[["table", "system", "variant", "unit", "value", "low", "high", "paper"]]

# %% [markdown]
# ## What we saw

# %%
said = []
for system, row in tests.iterrows():
    gain = PAPER["II", system, "wavelet", "segment"] - PAPER["III", system, "none", "segment"]
    said.append(
        f"For {system} noise extraction {row['verdict']} ({100 * row['difference']:+.1f} points per segment, "
        f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}, adjusted p = {row['p']:.2g}; in the paper {100 * gain:+.0f})."
    )
for system, (_, history) in fits.items():
    segment = rows[system, "none"].iloc[0]
    above = "above chance" if segment["low"] > segment["chance"] else "not told apart from chance"
    said.append(
        f"{models.SYSTEMS[system].label}: {segment['value']:.1%} of the segments after {len(history)} epochs on {n_train} "
        f"segments ({segment['low']:.1%} to {segment['high']:.1%}), {above}, {segment['chance']:.1%}. The median cosine of a "
        f"filter with its start is {np.median(cosine[system]):.3f}."
    )
session.saw(
    *said,
    f"On raw samples {'; '.join(f'{name} {verdict}' for name, verdict in networks['verdict'].items())}.",
    f"The paper's {PAPER['III', 'cnn', 'none', 'segment']:.0%} for the convolutional network took up to 3000 epochs on 18000 "
    "segments, the epoch chosen on the test set: no measure for what was trained here.",
)

# %% [markdown]
# ## Exercises
#
# 1. Multiply the raw segments by a Hann window before the FFT, and extract nothing. Compare raw spectra, noise and window
#    with a quick linear classifier. What else might explain a gain by noise extraction?
# 2. Is it the filters or what comes behind them? Read the untrained sine filters with a linear classifier: once
#    $\tanh(\max)$, once the logarithm of their mean power.
#
# Worked answers: [solutions](solutions/05_without_noise_extraction.ipynb)
#
# Next: [06 · Model averaging](06_model_averaging.ipynb)
