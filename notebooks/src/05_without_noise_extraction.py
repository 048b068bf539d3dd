# %% [markdown]
# # 05 · Without noise extraction
#
# **Is the noise extraction needed, and what does a convolutional network find by itself?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | how to test whether a processing step helps, what a CNN on raw samples learns | a corpus | table III, five figures | four to six minutes |
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
from devid_lib import models, plots
from devid_lib import notebook as nb
from devid_lib.errors import DevidError

session = nb.start("05_without_noise_extraction", globals())

# %% [markdown]
# ## Inputs

# %%
recordings = nb.load_recordings(session)
dataset = nb.load_dataset(session, recordings, noise="none")
print(f"X {dataset.X.shape}, noise extraction: {dataset.settings['noise']}")
dataset.segments.head(3)

# %% [markdown]
# ## The same spectra, speech and all
#
# Equation (3) is applied to the segment $s$ itself instead of its noise $e$:
#
# $$ x(k) = \log\left(c\,|S(k)| + 1\right) $$
#
# Everything else stays: same segments, same networks, same recipe. Only then does a difference belong to the extraction.

# %%
rows = []
for system in ("softmax", "mlp-3"):
    for noise in ("wavelet", "none"):
        history, predictions = nb.evaluated(session, recordings, system, noise=noise)[1:]
        table = "III" if noise == "none" else ""
        rows.append(nb.score(session, predictions, system=system, table=table, variant=noise))

# %%
axes = plots.learning_curve(history)
nb.save_figure(session, axes, "learning-curve-mlp", "The perceptron with three hidden layers on raw spectra.")
print(nb.describe(history))

# %% [markdown]
# ## A network on raw samples
#
# A convolutional network makes its own features: 100 filters $w_j$ of 197 samples slide over the segment, and the
# largest response in each stretch of 100 samples goes on to three hidden layers (figure 3).
#
# $$ h_j(p) = \tanh\left(\max_{n \in \text{stretch } p} \sum_{m=0}^{196} w_j(m)\, s(n + m) + b_j\right) $$

# %%
length = session.params["segment_length"]
layers = [("samples", length), ("filters", 100), ("maximum", 100), *(("tanh", 500),) * 3]
ax = plots.network([*layers, ("devices", len(dataset.devices))])
nb.save_figure(session, ax, "cnn", "The convolutional network, after figure 3 of the paper.")

# %% [markdown]
# The filters start as sine waves of rising period, as published. We also start them at random. The authors trained for
# up to 3000 epochs; the default recipe stops at ten, when the curve still rises, so that the notebook ends in minutes.
# Set `epochs` to see how far it goes.

# %%
cnn, history, predictions = nb.evaluated(session, recordings, "cnn", noise="none")
rows.append(nb.score(session, predictions, system="cnn", table="III", variant="none"))
axes = plots.learning_curve(history)
nb.save_figure(session, axes, "learning-curve-cnn", "The convolutional network, its filters started as sine waves.")

# %%
predictions = nb.evaluated(session, recordings, "cnn-random", noise="none")[2]
rows.append(nb.score(session, predictions, system="cnn-random", table="III", variant="none"))
print(nb.describe(history))

# %% [markdown]
# What became of the sine waves? Each column is the spectrum of one filter.

# %%
samplerate = recordings["samplerate"].iloc[0]
after = cnn.get_layer("filters").get_weights()[0]
axes = plots.filter_spectra(models.sine_filters(), after, samplerate=samplerate)
nb.save_figure(session, axes, "filters", "Spectra of the filters before and after training.")

# %% [markdown]
# ## Result

# %%
probe = nb.score_probe(session, dataset)
nb.show(*rows, probe)

# %%
ax = plots.accuracy_bars(nb.joined(*rows, probe))
nb.save_figure(session, ax, "accuracy", "With and without noise extraction, beside chance, the probe and the paper.")

# %% [markdown]
# ## What can go wrong
#
# The filters must fit into a segment.

# %%
try:
    models.cnn(128, len(dataset.devices), kernel=197)
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
own = nb.finish(session, *rows, probe)
own[["table", "system", "variant", "unit", "value", "low", "high", "paper"]]

# %% [markdown]
# ## What we saw

# %%
segments = own.query("unit == 'segment'").set_index(["system", "variant"])["value"].astype(float)
gain = {system: 100 * (segments[system, "wavelet"] - segments[system, "none"]) for system in ("softmax", "mlp-3")}
nb.saw(
    session,
    f"For softmax regression noise extraction {nb.effect(gain['softmax'])} ({gain['softmax']:+.1f} points per segment; in "
    "the paper +8).",
    f"For the perceptron with three hidden layers it {nb.effect(gain['mlp-3'])} ({gain['mlp-3']:+.1f} points; in the paper "
    "+9).",
    f"The convolutional network on raw samples reaches {segments['cnn', 'none']:.1%} when its filters start as sine waves "
    f"and {segments['cnn-random', 'none']:.1%} when they start at random, after {len(history)} epochs (the paper's 90 % "
    "took up to 3000).",
)

# %% [markdown]
# ## Exercises
#
# 1. Set `threshold` to `sqtwolog`, a larger threshold: more of the speech stays in the noise. What changes?
# 2. Plot `after` for one filter as a wave (`plots.filters`). Is it still a sine?
# 3. Is the difference between two systems larger than their intervals? What would you need to decide?
#
# Next: [06 · Model averaging](06_model_averaging.ipynb)
