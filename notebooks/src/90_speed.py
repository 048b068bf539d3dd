# %% [markdown]
# # 90 · Speed
#
# **How fast is it, and the features against a peer in the same run?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | how to measure speed on a noisy machine, how long an identification takes, at size `paper` what the authors' recipe costs and whether memory stays flat | a corpus; the perceptron of notebook 04, or it trains it | a table of rates and ratios, a learning curve | half a minute at size `quick`; at size `paper` several, most of them for the authors' recipe |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a folder or a CSV of recordings
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import os
import tempfile
import threading
import time
import warnings

import numpy as np
import pandas as pd
import psutil
import pywt
import soundfile as sf
from skimage.restoration import denoise_wavelet

from devid_lib import evaluation, features, models, plots, training
from devid_lib.audio import load_recording
from devid_lib.dataset import build_dataset
from devid_lib.errors import DevidError
from devid_lib.noise import select_threshold
from devid_lib.segments import random_segments
from devid_lib.workbook import describe, start
from devid_lib.workbook.session import in_workspace

session = start("90_speed", globals())
p = session.params
print(f"{os.cpu_count()} cores")

# %% [markdown]
# ## Inputs

# %%
recordings = session.recordings()
row = recordings[recordings["split"] == "train"].iloc[0]
y, rate = load_recording(row.path, samplerate=int(row.samplerate))
segments, _ = random_segments(y, n=2000, length=p["segment_length"], rng=p["seed"])
print(f"{segments.shape} segments, {segments.dtype}")

# %% [markdown]
# ## Measuring
#
# Seconds on one machine say little about another, and on a shared machine little about the next minute. So the features
# are timed *alternately* with a peer, several times, and the ratio of the medians for as many segments is kept:
#
# $$ r = \frac{\mathrm{median}(t_\text{peer})}{\mathrm{median}(t_\text{ours})} $$


# %%
def seconds(function):
    """Return how long a call takes [s]."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


# %% [markdown]
# ## Features
#
# Noise extraction, FFT and logarithm, against scikit-image's `denoise_wavelet`, which only denoises, with a threshold of
# its own, segment by segment (on one core, while ours uses two; it gets a tenth of the segments).

# %%
few = segments[: len(segments) // 10]
features.extract_features(segments, **session.wavelet)  # once before, so that nobody pays for the first call
ours, peer = [], []
for _ in range(5):
    ours.append(seconds(lambda: features.extract_features(segments, **session.wavelet)))
    peer.append(seconds(lambda: [denoise_wavelet(x, wavelet=p["wavelet"]) for x in few]))
per_second = pd.Series(
    {"noise, FFT, logarithm": len(segments) / np.median(ours), "scikit-image": len(few) / np.median(peer)}
)
per_second.round().to_frame("segments per second")

# %% [markdown]
# Fast must not mean different. Here are the paper's equations (1) to (3), the wavelet transform and its thresholds, in double precision, one segment at a
# time; the largest difference over a hundred segments stands below. (Notebook 02 takes this apart.)


# %%
def plain(x):
    with warnings.catch_warnings(action="ignore"):  # PyWavelets warns of levels deeper than useful
        approximation, *details = pywt.wavedec(x, p["wavelet"], "symmetric", p["level"])
    finest = details[-1]
    for i, d in enumerate(details):
        sigma = {"one": 1.0}.get(p["rescale"], np.median(np.abs(d if p["rescale"] == "mln" else finest)) / 0.6745)
        adaptive = p["threshold"] in ("rigrsure", "heursure")
        t = sigma * select_threshold(d / sigma if adaptive else x, rule=p["threshold"])
        details[i] = np.sign(d) * np.maximum(np.abs(d) - t, 0) if p["mode"] == "soft" else d * (np.abs(d) > t)
    e = x - pywt.waverec([approximation, *details], p["wavelet"], "symmetric")[: len(x)]
    return np.log(np.abs(np.fft.rfft(e)) + 1)


# %%
reference = np.array([plain(x) for x in segments[:100].astype(np.float64)])
error = float(np.abs(features.extract_features(segments[:100], **session.wavelet) - reference).max())
print(f"largest difference {error:.1e}")

# %% [markdown]
# ## Recipes
#
# The authors trained for 300 epochs in minibatches of 9000, looking at the *test* set every fifth epoch and keeping the
# best, which is optimistic. The default recipe never sees it. It trains the perceptron with one hidden layer here, and at
# size `paper` the authors' recipe after it, which is run in full or not at all.

# %%
compared, histories, predicted = [], {}, {}
for name in ("default", "published") if p["size"] == "paper" else ("default",):
    factor = training.feature_scale(name, p["segment_length"])
    dataset = session.dataset(recordings, noise="wavelet", draws=1, scale=factor)
    model = models.build("mlp-1", dataset.X.shape[1:], len(dataset.devices), seed=p["seed"])
    histories[name] = training.fit(model, dataset, recipe=name, seed=p["seed"])
    predicted[name] = training.predict(model, dataset)
    fit = histories[name].attrs
    told = {"recipe": name, "selected on": fit["select_on"], "epochs": len(histories[name]), "kept": fit["epoch"]}
    compared.append(told | {"seconds": fit["seconds"], "accuracy": evaluation.correct(predicted[name]).mean()})
recipes = pd.DataFrame(compared).set_index("recipe")
recipes.style.format({"seconds": "{:.1f}", "accuracy": "{:.1%}"})

# %%
for name, history in histories.items():
    axes = plots.learning_curve(history)
    axes[0].figure.suptitle(f"{name} recipe")
    session.save_figure(axes, f"{name}-recipe", f"The perceptron with one hidden layer, {name} recipe.")
    print(f"{name}:", describe(history))

# %% [markdown]
# ## Identification
#
# A ten-minute recording (a test recording, repeated): read, cut into regular segments, noise, features, perceptron,
# vote. The model is loaded and called once before; the clock starts after that.

# %%
dataset = session.dataset(recordings, noise="wavelet")
model, _ = session.fitted("mlp-3", recordings, noise="wavelet")
row = recordings[recordings["split"] == "test"].iloc[0]
y, rate = load_recording(row.path, samplerate=int(row.samplerate))
options = {"devices": dataset.devices, "settings": dataset.settings, "samplerate": rate}
with tempfile.TemporaryDirectory() as place:
    questioned = os.path.join(place, "questioned.wav")
    sf.write(questioned, np.resize(y, 600 * rate), rate, subtype="PCM_16")
    posterior = training.identify(model, questioned, **options)
    taken = np.median([seconds(lambda: training.identify(model, questioned, **options)) for _ in range(3)])
print(f"{taken:.2f} s for 600 s of audio; decided {posterior.index[0]!r}, true device {row.device!r}")

# %% [markdown]
# ## Size
#
# A million segments are 8 GB of spectra. So a dataset is written and read in blocks; what is more than half a gigabyte is
# whitened, fitted and predicted from the file, in batches drawn from pools of neighbours (`streams`), and memory must not
# grow with the number of segments $n$, time only in proportion. At size `paper` that is measured here for one epoch of the
# perceptron (fitted twice: for the choice of the epoch, and anew to all).


# %%
def watched(function):
    """Return what a call returns, how long it takes [s] and the memory that it adds at most [GiB]."""
    seen, done = [psutil.Process().memory_info().rss], threading.Event()

    def look():
        while not done.wait(0.02):
            seen.append(psutil.Process().memory_info().rss)

    threading.Thread(target=look, daemon=True).start()
    begun = time.perf_counter()
    returned = function()
    spent = time.perf_counter() - begun
    done.set()
    return returned, spent, (max(seen) - seen[0]) / 2**30


# %%
sides = recordings.groupby("split").size()
share = {"train_segments": 0.9 / sides["train"], "test_segments": 0.1 / sides["test"]}
made = {"scale": training.feature_scale("default", 4096), "seed": p["seed"]}


def large(n, place):
    """Return seconds and memory of every step with n segments."""
    numbers, steps = {name: round(n * part) for name, part in share.items()}, {}
    dataset, *steps["features"] = watched(lambda: build_dataset(recordings, data_dir=place, **numbers, **made))
    model = models.build("mlp-1", dataset.X.shape[1:], len(dataset.devices), seed=p["seed"])
    _, *steps["training"] = watched(lambda: training.fit(model, dataset, epochs=1, seed=p["seed"]))
    said, *steps["prediction"] = watched(lambda: training.predict(model, dataset))
    _, *steps["evaluation"] = watched(lambda: evaluation.accuracies(said, units=("segment", "recording")))
    return pd.DataFrame({(len(dataset.X), name): step for name, step in steps.items()}, ["seconds", "GiB added"]).T


# %%
sizes = (20_000, 100_000) if p["size"] == "paper" else ()
with tempfile.TemporaryDirectory(dir=in_workspace(p["data_dir"]), ignore_cleanup_errors=True) as place:
    tables = [large(n, place) for n in sizes]
scale = pd.concat(tables) if tables else pd.DataFrame(columns=["seconds", "GiB added"])
print("segments, step" if sizes else "at size paper only")
scale.style.format("{:.2f}")

# %% [markdown]
# ## All rates and ratios
#
# The target is what this workbook promises on two cores that have nothing else to do.

# %%
ratios = pd.DataFrame(
    [
        ("features, segments per second", per_second.iloc[0], 15000, "segments per second"),
        ("features, against scikit-image", per_second.iloc[0] / per_second.iloc[1], 6, "ratio"),
        ("identification, times real time", 600 / taken, 500, "ratio"),
    ],
    columns=["task", "value", "target", "metric"],
)
if "published" in recipes.index:
    faster = recipes.loc["published", "seconds"] / recipes.loc["default", "seconds"]
    ratios.loc[len(ratios)] = ["default recipe, against the published", faster, 10, "ratio"]
ratios.style.format({"value": "{:,.1f}", "target": "{:,.0f}"}).hide(axis="index")

# %%
ax = (ratios["value"] / ratios["target"]).set_axis(ratios["task"]).plot.barh(figsize=(8, 0.6 * len(ratios) + 1))
ax.axvline(1, color="0.25", ls="--", label="target")
ax.set(xlabel="measured, as a multiple of the target", ylabel="")
ax.invert_yaxis()
ax.legend(loc="lower right")
session.save_figure(ax, "ratios", "Measured rates and ratios as multiples of their targets.")

# %% [markdown]
# ## What can go wrong
#
# A single sample that is not a number would poison a whole segment's spectrum; it is refused.

# %%
broken = segments[:1].copy()
broken[0, 7] = np.nan
try:
    features.extract_features(broken, **session.wavelet)
except DevidError as refused:
    print(type(refused).__name__, "-", refused)

# %% [markdown]
# ## Results of this notebook

# %%
records = ratios.rename(columns={"task": "system"}).drop(columns="target").to_dict("records")
names = [{"system": "mlp-1", "variant": f"wavelet, {name} recipe"} for name in recipes.index]
records += [
    part | {"metric": "seconds", "value": value} for part, value in zip(names, recipes["seconds"], strict=True)
]
records.append({"system": "features", "metric": "largest difference from the plain definition", "value": error})
records += [
    {"system": f"{n} segments", "variant": step, "metric": metric, "value": value}
    for (n, step), row in scale.iterrows()
    for metric, value in row.items()
]
accuracies = [
    session.score(predicted[name], **part, units=["segment"], save=False)
    for name, part in zip(recipes.index, names, strict=True)
]
own = session.finish(session.figures(records), *accuracies)
own[["system", "variant", "metric", "value"]]

# %% [markdown]
# ## What we saw

# %%
value = ratios.set_index("task")["value"]
missed = ratios.loc[ratios["value"] < ratios["target"], "task"]
bullets = [
    f"Features: {value.iloc[0]:.0f} segments per second, {value.iloc[1]:.1f} times scikit-image; largest difference from "
    f"the plain definition {error:.1e}.",
    f"A ten-minute recording is identified {value.iloc[2]:.0f} times faster than it was recorded.",
    f"The default recipe takes {recipes.loc['default', 'seconds']:.0f} s and reaches "
    f"{recipes.loc['default', 'accuracy']:.1%} of the test segments.",
    f"Targets, for two idle cores, that were missed: {'; '.join(missed) or 'none'}.",
]
if "published" in recipes.index:
    epochs_run, took = recipes.loc["published", ["epochs", "seconds"]]
    test = evaluation.paired_difference(predicted["published"], predicted["default"])
    word = evaluation.verdict(test, better="is ahead", worse="is behind")
    bullets.append(
        f"The authors' recipe takes {took:.0f} s for {epochs_run} epochs and reaches "
        f"{recipes.loc['published', 'accuracy']:.1%}, with the epoch chosen on the test set: it {word} "
        f"({100 * test['difference']:+.1f} points, p = {test['p']:.3f})."
    )

# %%
if sizes:
    spent, most = scale["seconds"].groupby(level=0).sum(), scale["GiB added"].groupby(level=0).max()
    few, many = spent.index
    bullets.append(
        f"{many} segments take {spent[many] / spent[few]:.1f} times as long as {few} ({many / few:.1f} times as many), and add "
        f"{most[many]:.2f} GiB of memory at most, against {most[few]:.2f}."
    )
session.saw(*bullets)

# %% [markdown]
# ## Exercises
#
# 1. Set `noise.THREADS` to 1. How much do two threads bring?
# 2. Which takes longer, the wavelet transform or the FFT? Time `features.fourier_features` alone.
#
# Worked answers: [solutions](solutions/90_speed.ipynb)
#
# Next: [91 · Sweeps](91_sweep.ipynb)
