# %% [markdown]
# # 90 · Speed
#
# **How fast is it, alone and beside a peer in the same run?**
#
# | | |
# |---|---|
# | you will learn | how to measure speed on a noisy machine, what features cost above their FFT, how long an identification takes, where the authors' recipe stands after minutes and after hours, at size `paper` what more segments take in time and memory |
# | it needs | a corpus |
# | it makes | a table of rates and ratios, learning curves |
# | it takes | seconds at size `quick`; at size `paper` a minute or two |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import os
import tempfile
import threading
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
import pywt
import scipy.fft
import seaborn as sns
import soundfile as sf
from skimage.restoration import denoise_wavelet

from devid_lib import evaluation, features, models, noise, plots, streams, training
from devid_lib.audio import load_recording
from devid_lib.dataset import build_dataset, represent
from devid_lib.errors import DevidError
from devid_lib.noise import select_threshold
from devid_lib.segments import random_segments, regular_segments
from devid_lib.workbook import describe, start
from devid_lib.workbook.session import PROJECT, in_workspace

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
# are timed *alternately* with a peer, several times, and the ratio for as many segments is kept. Whatever disturbs a
# measurement makes it longer, never shorter, so the shortest of each is nearest to the truth:
#
# $$ r = \frac{\min(t_\text{peer})}{\min(t_\text{ours})} $$


# %%
def seconds(function):
    """Return how long a call takes [s]."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


# %% [markdown]
# ## Features
#
# Two peers. `scipy.fft.rfft` alone, on as many threads, is the floor of a spectrum: nobody takes a logarithm before he has
# an FFT. scikit-image's `denoise_wavelet` is what one would take for the noise, with a threshold of its own, segment by
# segment (on one core; it gets a twentieth of the segments).

# %%
few = segments[: len(segments) // 20]
tasks = {
    "FFT alone, scipy": lambda: scipy.fft.rfft(segments, workers=noise.THREADS),
    "spectrum": lambda: features.fourier_features(segments),
    "spectrum, window": lambda: features.fourier_features(segments, window="hann"),
    "noise": lambda: noise.wavelet_noise(segments, **session.wavelet),
    "noise, spectrum": lambda: features.extract_features(segments, **session.wavelet),
    "noise, scikit-image": lambda: [denoise_wavelet(x, wavelet=p["wavelet"]) for x in few],
}
for task in tasks.values():
    task()  # once before, so that nobody pays for the first call
taken = pd.DataFrame([{name: seconds(task) for name, task in tasks.items()} for _ in range(5)])
per_second = len(segments) / taken.min()
per_second["noise, scikit-image"] *= len(few) / len(segments)
per_second.to_frame("segments per second").style.format("{:,.0f}")

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
# The authors trained perceptrons for 300 epochs in minibatches of 9000, looking at the *test* set every fifth epoch and
# keeping the best, which is optimistic. The default recipe never sees it. Here it trains the perceptron with one hidden
# layer:

# %%
dataset = session.dataset(recordings, noise="wavelet", draws=1)
model = models.build("mlp-1", dataset.X.shape[1:], len(dataset.devices), seed=p["seed"])
cpu = time.process_time()
history = training.fit(model, dataset, seed=p["seed"])
cpu = time.process_time() - cpu  # of all cores together
predicted = training.predict(model, dataset)
axes = plots.learning_curve(history)
session.save_figure(axes, "default-recipe", "The perceptron with one hidden layer, default recipe.")
print(describe(history))
print(f"{cpu:.0f} CPU seconds, {evaluation.correct(predicted).mean():.1%} of the test segments")

# %% [markdown]
# ## The authors' recipe, in full
#
# That takes hours, so it is not run here: `tools/published_recipe.py` runs it on the simulated corpus at the paper's size
# and writes down where it stood, in `figures/published_recipe.csv`. Every network is fitted twice: to all training
# segments, tested as the authors did, and without the last training session of every device, which then judges. So one
# can see what they saw, and what an honest choice of the epoch would have got. Time is that of all cores together, in CPU
# minutes: two idle cores spend two in one.

# %%
table = PROJECT / "figures" / "published_recipe.csv"
known = ["system", "judged", "epoch", "cpu_s", "loss", "accuracy"]
full = pd.read_csv(table) if table.exists() else pd.DataFrame(columns=known)
full["minutes"] = full["cpu_s"] / 60
curves = full[full["system"] != "softmax"].assign(percent=100 * full["accuracy"])  # L-BFGS has been looked at once
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
sns.lineplot(curves[curves["judged"] == "test"], x="minutes", y="loss", hue="system", ax=axes[0], legend=False)
sns.lineplot(curves, x="epoch", y="percent", hue="system", style="judged", ax=axes[1])
axes[0].set(xlabel="CPU minutes", ylabel="training loss")
axes[1].set(xlabel="epoch", ylabel="segments named right [%]")
if len(curves):
    axes[1].legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=9)
session.save_figure(axes, "published-recipe", "The authors' recipe in full: training loss, test and validation accuracy.")

# %%
MOMENTS = {"after 6 CPU min": 6, "after 4 CPU h": 240}  # three minutes and two hours of two cores


def stands(system, part):
    """Return where the curves of a network stand after some time, what either choice of the epoch gets, and the trend."""
    test, validation = (part[part["judged"] == name].set_index("epoch") for name in ("test", "validation"))
    both = test["accuracy"].reindex(validation.index).dropna()
    as_far = len(both) > 0 and both.index.max() == test.index.max()
    honest = both[validation["accuracy"][both.index].idxmax()] if as_far else np.nan
    row = {"epochs": test.index.max(), "CPU h": test["cpu_s"].max() / 3600}
    for name, minutes in MOMENTS.items():
        row[name] = test.loc[test["minutes"] <= minutes, "accuracy"].iloc[-1:].max() if test["minutes"].max() > minutes else np.nan
    row |= {"last": test["accuracy"].iloc[-1], "best on the test set": test["accuracy"].max(), "chosen honestly": honest}
    fifth = len(test) // 5
    rise = test["accuracy"].iloc[-fifth:].mean() - test["accuracy"].iloc[-2 * fifth : -fifth].mean() if fifth else np.nan
    falls = test["loss"].iloc[-1] < test["loss"].iloc[-fifth - 1] if fifth else np.nan
    return pd.Series(row | {"rise": rise, "loss falls": falls}, name=system)


standing = pd.DataFrame([stands(*group) for group in full.groupby("system", sort=False)])
shares = ["last", "best on the test set", "chosen honestly", "rise", *MOMENTS]
standing.style.format({"CPU h": "{:.2f}", "epochs": "{:.0f}"} | dict.fromkeys(shares, "{:.1%}"), na_rep="")

# %% [markdown]
# "Rise" is the mean of the last fifth of the looks less that of the fifth before: whether the curve still goes up. "Loss falls"
# says the same of the cost on the training segments. Where a field is empty, the fit had ended by then or nobody looked;
# an epoch is chosen honestly where the fit that judges has come as far as the other.
#
# ## Identification
#
# A ten-minute recording (a test recording, repeated): read, cut into regular segments, noise, features, perceptron,
# vote. The model is called once before; the clock starts after that.

# %%
row = recordings[recordings["split"] == "test"].iloc[0]
y, rate = load_recording(row.path, samplerate=int(row.samplerate))


def identify(path):
    """Return the device of a recording: all its segments, one after the other, vote."""
    segments, _ = regular_segments(load_recording(path, samplerate=rate)[0], length=dataset.settings["segment_length"])
    posterior = evaluation.vote(model.predict(represent(segments, dataset.settings), batch_size=1024, verbose=0))
    return dataset.devices[posterior.argmax()]


with tempfile.TemporaryDirectory() as place:
    questioned = os.path.join(place, "questioned.wav")
    sf.write(questioned, np.resize(y, 600 * rate), rate, subtype="PCM_16")
    decided = identify(questioned)
    identified = seconds(lambda: identify(questioned))  # the second time: all is compiled
print(f"{identified:.2f} s for 600 s of audio; decided {decided!r}, true device {row.device!r}")

# %% [markdown]
# ## Size
#
# A million segments are 8 GB of spectra. So a dataset is written and read in blocks. One of more than half a gigabyte is
# whitened, fitted and predicted from its file, in batches drawn from pools of neighbours (`streams`), so that it need not fit
# into memory. At size `paper` that is tried here with 4000 and 16 000 segments and one epoch of the perceptron (fitted
# twice: for the choice of the epoch, and anew to all). The limit is 16 MB in place of half a gigabyte, so that both are
# read from the file. Pools, network and optimiser take memory of their own, too, so sizes as small as these cannot show
# whether it stays flat. What was measured with $10^5$ and $10^6$ segments stands in the README.


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
sizes = (4_000, 16_000) if p["size"] == "paper" else ()
limit, streams.IN_MEMORY = streams.IN_MEMORY, 2**24
with tempfile.TemporaryDirectory(dir=in_workspace(p["data_dir"]), ignore_cleanup_errors=True) as place:
    tables = [large(n, place) for n in sizes]
streams.IN_MEMORY = limit
scale = pd.concat(tables) if tables else pd.DataFrame(columns=["seconds", "GiB added"])
print("segments, step" if sizes else "at size paper only")
scale.style.format("{:.2f}")

# %% [markdown]
# ## All rates and ratios
#
# The target is what this workbook promises on two cores that have nothing else to do.

# %%
rate_of = per_second.get
ratios = pd.DataFrame(
    [
        ("spectrum, against its FFT alone", rate_of("spectrum") / rate_of("FFT alone, scipy"), 0.6, "ratio"),
        ("windowed spectrum, against its FFT alone", rate_of("spectrum, window") / rate_of("FFT alone, scipy"), 0.6, "ratio"),
        ("noise, against scikit-image", rate_of("noise") / rate_of("noise, scikit-image"), 16, "ratio"),
        ("noise and spectrum, segments per second", rate_of("noise, spectrum"), 15000, "segments per second"),
        ("identification, times real time", 600 / identified, 500, "ratio"),
    ],
    columns=["task", "value", "target", "metric"],
)
alike = "mlp-1" in standing.index and p["size"] == "paper" and p["corpus"] == "simulated"  # the table is of this corpus
if alike:
    ratios.loc[len(ratios)] = ["default recipe, against the published", 3600 * standing["CPU h"]["mlp-1"] / cpu, 10, "ratio"]
ratios.style.format({"value": "{:,.2f}", "target": "{:,g}"}).hide(axis="index")

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
own_fit = {"system": "mlp-1", "variant": "wavelet, default recipe"}
records.append(own_fit | {"metric": "CPU seconds", "value": cpu})
records.append({"system": "features", "metric": "largest difference from the plain definition", "value": error})
if alike:
    wanted = {"CPU h": "CPU hours", "best on the test set": "accuracy of the best look at the test set"}
    wanted |= {"epochs": "epochs", "chosen honestly": "accuracy of the honestly chosen epoch"}
    records += [
        {"system": system, "variant": "published recipe in full", "metric": metric, "value": row[name]}
        for system, row in standing.iterrows()
        for name, metric in wanted.items()
        if pd.notna(row[name])
    ]
records += [
    {"system": f"{n} segments", "variant": step, "metric": metric, "value": value}
    for (n, step), row in scale.iterrows()
    for metric, value in row.items()
]
scored = session.score(predicted, **own_fit, units=["segment"], save=False)
own = session.finish(session.figures(records), scored)
own[["system", "variant", "metric", "value"]]

# %% [markdown]
# ## What we saw

# %%
value = ratios["value"]
missed = ratios.loc[ratios["value"] < ratios["target"], "task"]
bullets = [
    f"A spectrum reaches {value[0]:.0%} of the rate of its FFT alone, with a window {value[1]:.0%}. Noise is extracted "
    f"{value[2]:.0f} times as fast as by scikit-image, noise and spectrum take {1e6 / value[3]:.0f} microseconds a segment; "
    f"largest difference from the plain definition {error:.1e}.",
    f"A ten-minute recording is identified {value[4]:.0f} times faster than it was recorded.",
    f"The default recipe takes {cpu:.0f} CPU seconds and reaches {scored['value'].iloc[0]:.1%} of the test segments.",
    f"Targets, for two idle cores, that were missed: {'; '.join(missed) or 'none'}.",
]
trends, stood = {1: "still rising", 0: "level", -1: "falling"}, []
for system, row in standing.iterrows():
    trend = trends.get(np.sign(round(row["rise"], 2)), "looked at once")
    stood.append(f"{models.SYSTEMS[system].label} {row['last']:.1%} after {60 * row['CPU h']:.1f} CPU minutes, {trend}")
if stood:
    bullets.append(f"The authors' recipe on the simulated corpus, segments named right: {'; '.join(stood)}.")
    gain = 100 * (standing["best on the test set"] - standing["chosen honestly"]).dropna()
    bullets.append(
        f"The best of its many looks at the test set stands {gain.min():.1f} to {gain.max():.1f} points above an honest choice of "
        f"the epoch ({len(gain)} networks)."
    )

# %%
if sizes:
    spent, most = scale["seconds"].groupby(level=0).sum(), scale["GiB added"].groupby(level=0).max()
    few, many = spent.index
    spectrum = 4 * (4096 // 2 + 1) / 2**30  # of one segment, in single precision [GiB]
    bullets.append(
        f"{many} segments take {spent[many] / spent[few]:.1f} times as long as {few} ({many / few:.1f} times as many), and add "
        f"{most[many]:.2f} GiB of memory at most, against {most[few]:.2f}; their spectra alone would fill "
        f"{many * spectrum:.2f} and {few * spectrum:.2f}."
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
