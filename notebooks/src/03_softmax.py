# %% [markdown]
# # 03 · Softmax regression
#
# **How far does one linear layer get?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | what a linear classifier computes, how it is fitted, how to read an accuracy | a corpus | the first row of table II, three figures | less than a minute |
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

session = nb.start("03_softmax", globals())

# %% [markdown]
# ## Inputs

# %%
recordings = nb.load_recordings(session)
dataset = nb.load_dataset(session, recordings)
print(f"X {dataset.X.shape}, {len(dataset.devices)} devices")
dataset.segments.head(3)

# %% [markdown]
# ## The posterior, equation (4)
#
# Each device $k$ has a weight vector $\theta_k$, one weight per frequency. The posterior of device $k$ is
#
# $$ P(y = k \mid x) = \frac{e^{\theta_k^\top x}}{\sum_{l=1}^{K} e^{\theta_l^\top x}} $$
#
# and the decision is the device with the largest posterior. Training minimises equation (5), the mean negative log
# posterior of the true device plus a penalty on large weights:
#
# $$ J(\theta) = -\frac{1}{m}\sum_{i=1}^{m} \log P(y^{(i)} \mid x^{(i)}) + \frac{\lambda}{2}\,\|\theta\|^2 $$

# %%
model, history, predictions = nb.evaluated(session, recordings, "softmax")
model.summary(line_length=80)

# %% [markdown]
# ## Training
#
# The default recipe judges every epoch on held-out stretches of the *training* recordings and keeps the best one.
# (With `recipe="published"` the cost is minimised by L-BFGS on all training segments, as the authors did.)

# %%
axes = plots.learning_curve(history)
nb.save_figure(session, axes, "learning-curve", "Cost and accuracy of softmax regression while it is fitted.")
print(nb.describe(history))

# %% [markdown]
# ## What it looks at
#
# A positive weight means: energy at this frequency speaks for the device.

# %%
samplerate = recordings["samplerate"].iloc[0]
weights = nb.spectral_weights(model, samplerate=samplerate, devices=dataset.devices)
ax = plots.device_spectra(weights, highlight=nb.some(dataset.devices))
ax.set(ylabel="weight", title="Weights of softmax regression, smoothed over 200 Hz")
nb.save_figure(session, ax, "weights", "Weights of softmax regression over frequency, smoothed.")

# %% [markdown]
# ## Result
#
# Chance is what guessing the most frequent device would give. The interval is a 95 % bootstrap over *recordings*,
# since segments of one recording are not independent. The leakage probe knows six trivial numbers and no spectrum.

# %%
rows = nb.score(session, predictions, system="softmax", table="II", variant=session.params["noise"])
probe = nb.score_probe(session, dataset)
nb.show(rows, probe)

# %%
ax = plots.accuracy_bars(nb.joined(rows, probe))
nb.save_figure(session, ax, "accuracy", "Softmax regression beside chance, the leakage probe and the paper's figure.")

# %% [markdown]
# ## What can go wrong
#
# The number of features is fixed when a model is built; one that does not exist is refused.

# %%
try:
    models.build("softmax-2", dataset.X.shape[1:], len(dataset.devices))
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
own = nb.finish(session, rows, probe)
own[["table", "system", "unit", "value", "low", "high", "paper"]]

# %% [markdown]
# ## What we saw

# %%
segment, recording = rows.iloc[0], rows.iloc[-1]
nb.saw(
    session,
    f"One linear layer names {segment['value']:.1%} of the segments (chance {segment['chance']:.1%}; the paper, on its "
    f"own recorders, {segment['paper']:.0%})." if segment["paper"] == segment["paper"] else
    f"One linear layer names {segment['value']:.1%} of the segments (chance {segment['chance']:.1%}).",
    f"When all segments of a recording vote, {recording['value']:.1%} of {recording['n']} recordings are right; the "
    f"leakage probe reaches {probe['value'].iloc[-1]:.1%}.",
    f"{nb.describe(history)}",
)

# %% [markdown]
# ## Exercises
#
# 1. Set `recipe` to `published`. Which epoch is kept now, and on which segments was it chosen?
# 2. Set `noise` to `none`. Does the linear layer need the extraction on this corpus?
# 3. Set the weights above 8 kHz to zero and predict again. How much of the answer is up there?
#
# Next: [04 · Multilayer perceptron](04_mlp.ipynb)
