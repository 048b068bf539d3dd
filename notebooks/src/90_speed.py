# %% [markdown]
# # 90 · Speed
#
# **How fast is it, measured against a peer in the same run?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | how to measure speed on a noisy machine, what the authors' recipe costs, how long an identification takes | a corpus; the perceptron of notebook 04, or it trains it | a table of ratios, two figures | five to eight minutes, most of it the authors' recipe |
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
import os

import numpy as np

from devid_lib import features, plots, speed
from devid_lib import notebook as nb
from devid_lib.errors import DevidError

session = nb.start("90_speed", globals())
print(f"{os.cpu_count()} cores")

# %% [markdown]
# ## Inputs

# %%
recordings = nb.load_recordings(session)
wavelet = nb.noise_settings(session)
segments = speed.some_segments(recordings, n=2000, length=session.params["segment_length"], seed=session.params["seed"])
print(f"{segments.shape} segments, {segments.dtype}")
recordings[["device", "recording", "split", "duration_s"]].head(3)

# %% [markdown]
# ## Measuring
#
# Seconds on one machine say little about another, and on a shared machine little about the next minute. So each task
# is timed *alternately* with a peer that does the same work, several times, and the ratio of the medians is kept:
#
# $$ r = \frac{\mathrm{median}(t_\text{peer})}{\mathrm{median}(t_\text{ours})} $$
#
# ## Features
#
# Noise extraction, FFT and logarithm, against scikit-image's `denoise_wavelet` called segment by segment (one core, as
# it works on one signal at a time). The rate is given in segments per second.

# %%
extraction = speed.extraction_rates(segments, repeats=5, **wavelet)
extraction

# %% [markdown]
# Fast must not mean different: the same features, computed plainly in double precision.

# %%
error = speed.largest_error(segments[:200], **wavelet)
print(f"largest difference {error:.1e}")

# %% [markdown]
# ## Recipes
#
# The authors trained for 300 epochs in minibatches of 9000, looking at the *test* set every fifth epoch and keeping the
# best, which is optimistic. The default recipe never sees it. Both train the perceptron with one hidden layer here,
# one after the other.

# %%
recipes, histories, predictions = speed.compare_recipes(session, recordings, system="mlp-1")
recipes

# %%
axes = plots.learning_curve(histories["published"])
nb.save_figure(session, axes, "published-recipe", "The authors' recipe; the validation curve is on the test set.")
print(nb.describe(histories["published"]))

# %% [markdown]
# ## Identification
#
# A ten-minute recording: read, cut into regular segments, noise, features, perceptron, vote. The model is loaded and
# called once before; the clock starts after that.

# %%
identification = speed.identification_rate(session, recordings, minutes=10)
identification

# %% [markdown]
# ## All ratios

# %%
ratios = speed.ratios(extraction, recipes, identification)
ax = plots.speed_bars(ratios)
nb.save_figure(session, ax, "ratios", "Measured rates and ratios beside their targets.")
ratios

# %% [markdown]
# ## What can go wrong
#
# A single sample that is not a number would poison a whole segment's spectrum; it is refused.

# %%
broken = segments[:1].copy()
broken[0, 7] = np.nan
try:
    features.extract_features(broken, **wavelet)
except DevidError as error_message:
    print(type(error_message).__name__, "-", error_message)

# %% [markdown]
# ## Results of this notebook

# %%
rows = [{"system": row.task, "metric": row.unit, "value": row.value} for row in ratios.itertuples()]
rows += [
    {"system": "mlp-1", "variant": f"{row.recipe} recipe", "metric": "seconds", "value": row.seconds}
    for row in recipes.itertuples()
]
rows.append({"system": "features", "metric": "largest difference from the plain definition", "value": error})
accuracies = [
    nb.score(session, predictions, system="mlp-1", variant=f"wavelet, {recipe} recipe", units=["segment"], save=False)
    for recipe, predictions in predictions.items()
]
own = nb.finish(session, nb.figures(session, rows), *accuracies)
own[["system", "variant", "metric", "value"]]

# %% [markdown]
# ## What we saw

# %%
rate = ratios.set_index("task")["value"]
accuracy = recipes.set_index("recipe")["accuracy"]
kept = recipes.set_index("recipe")["seconds"]
nb.saw(
    session,
    f"Features: {rate['features, segments per second']:.0f} segments per second, {rate['features, against scikit-image']:.1f} "
    f"times scikit-image; largest difference from the plain definition {error:.0e}.",
    f"The default recipe takes {kept['default']:.0f} s and reaches {accuracy['default']:.1%} of the test segments; the "
    f"published one {kept['published']:.0f} s and {accuracy['published']:.1%}, with the epoch chosen on the test set.",
    f"A ten-minute recording is identified {rate['identification, times real time']:.0f} times faster than it was recorded.",
    f"Peak memory of this notebook: {nb.peak_memory()} GiB.",
)

# %% [markdown]
# ## Exercises
#
# 1. Set `noise.THREADS` to 1. How much do two threads bring?
# 2. Which takes longer, the wavelet transform or the FFT? Time `features.fourier_features` alone.
# 3. Which share of the published recipe's time brings the last point of accuracy?
#
# Back to [00 · Start here](00_start_here.ipynb)
