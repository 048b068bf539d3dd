# %% [markdown]
# # 04 · Multilayer perceptron
#
# **Do hidden layers help, and how many?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | what hidden layers add, how to read a learning curve, what the cost function changes | a corpus | three rows of table II, four figures | two to three minutes |
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
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from devid_lib import models, plots
from devid_lib import notebook as nb
from devid_lib.errors import DevidError
from devid_lib.training import whitening

session = nb.start("04_mlp", globals())

# %% [markdown]
# ## Inputs

# %%
recordings = nb.load_recordings(session)
dataset = nb.load_dataset(session, recordings)
print(f"X {dataset.X.shape}, {len(dataset.devices)} devices")
dataset.segments.head(3)

# %% [markdown]
# ## Hidden layers
#
# A hidden layer mixes all frequencies into new features and bends them:
#
# $$ h^{(1)} = \tanh\left(W^{(1)} x + b^{(1)}\right), \qquad h^{(2)} = \tanh\left(W^{(2)} h^{(1)} + b^{(2)}\right), \dots $$
#
# The last layer is softmax regression on $h$ in place of $x$. The paper's sizes are 1000, 1000-1000 and
# 1000-1000-500 (figure 2):

# %%
layers = [("spectrum", dataset.X.shape[1]), *((f"tanh {i + 1}", n) for i, n in enumerate(models.MLP_HIDDEN[3]))]
ax = plots.network([*layers, ("devices", len(dataset.devices))])
nb.save_figure(session, ax, "network", "The perceptron with three hidden layers, after figure 2 of the paper.")

# %% [markdown]
# ## What goes in
#
# Log spectra swing together: when the speaker gets louder, all features rise. Such a swing says nothing of the device,
# and yet it drives every hidden unit from the first step on. The default recipe takes common swings out before
# training. With the eigenvectors $U$ and eigenvalues $\lambda_i$ of the correlation matrix of the training segments,
#
# $$ x' = U \,\mathrm{diag}\left(\frac{1}{\sqrt{\lambda_i + \lambda_0}}\right) U^\top\, \frac{x - \mu}{\sigma} $$
#
# Components larger than $\lambda_0$ shrink to the size of the rest. The map is linear, so after training it is folded
# into the first layer and the network takes spectra as they are. The share of the five largest components:

# %%
train = np.asarray(dataset.X[dataset.mask("train")][::5])
mean, matrix = whitening(train)
values = {"before": (train - mean) / train.std(axis=0), "after": (train - mean) @ matrix}
shares = {name: PCA(5, random_state=0).fit(x).explained_variance_ratio_ for name, x in values.items()}
pd.DataFrame(shares, index=[f"component {i}" for i in range(1, 6)]).style.format("{:.1%}")

# %%
model, history, predictions = nb.evaluated(session, recordings, "mlp-3")
model.summary(line_length=80)

# %% [markdown]
# ## Training
#
# When training accuracy goes on rising and validation does not, the network learns its segments by heart. The epoch
# with the smallest validation loss is kept.

# %%
axes = plots.learning_curve(history)
nb.save_figure(session, axes, "learning-curve", "Cost and accuracy of the perceptron with three hidden layers.")
print(nb.describe(history))

# %% [markdown]
# ## One, two, three layers
#
# Same data, same recipe, fewer layers.

# %%
rows = [nb.score(session, predictions, system="mlp-3", table="II", variant=session.params["noise"])]
for system in ("mlp-2", "mlp-1"):
    smaller = nb.evaluated(session, recordings, system)[2]
    rows.insert(0, nb.score(session, smaller, system=system, table="II", variant=session.params["noise"]))

# %% [markdown]
# ## Squared error, equation (6)
#
# The paper's text writes the cost of the perceptron as half the squared distance between the posterior and the true
# device's unit vector; its program minimises cross-entropy. We train the smallest network with the text's version:
#
# $$ J = \frac{1}{2m} \sum_{i=1}^{m} \left\| \hat y^{(i)} - y^{(i)} \right\|^2 $$

# %%
squared = nb.evaluated(session, recordings, "mlp-1", loss="squared_error")[2]
variant = f"{session.params['noise']}, squared error"
rows.append(nb.score(session, squared, system="mlp-1", variant=variant))

# %% [markdown]
# ## Result

# %%
probe = nb.score_probe(session, dataset)
softmax = nb.score(session, nb.evaluated(session, recordings, "softmax")[2], system="softmax", variant=session.params["noise"])
nb.show(softmax, *rows, probe)

# %%
ax = plots.accuracy_bars(nb.joined(softmax, *rows, probe))
nb.save_figure(session, ax, "accuracy", "Perceptrons beside softmax regression, chance, the leakage probe and the paper.")

# %% [markdown]
# ## What can go wrong
#
# A network whose hidden layer has no unit cannot be built.

# %%
try:
    models.mlp(dataset.X.shape[1], len(dataset.devices), hidden=(1000, 0))
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
segments = nb.joined(softmax, *rows[:-1]).query("unit == 'segment'").set_index("system")
best = segments["value"].astype(float).idxmax()
gain = 100 * (segments.loc["mlp-3", "value"] - segments.loc["softmax", "value"])
nb.saw(
    session,
    f"One component holds {shares['before'][0]:.0%} of the variance of the features, after whitening "
    f"{shares['after'][0]:.1%}.",
    f"Of softmax regression and the three perceptrons, {best} names most segments: {segments.loc[best, 'value']:.1%}.",
    f"Three hidden layers change the accuracy of softmax regression by {gain:+.1f} points per segment; the paper prints 93 "
    "% against 87 %.",
    f"The squared error of equation (6) gives {rows[-1]['value'].iloc[0]:.1%} with one hidden layer, cross-entropy "
    f"{segments.loc['mlp-1', 'value']:.1%}.",
)

# %% [markdown]
# ## Exercises
#
# 1. Set `epochs` to 3. How much of the accuracy is there already?
# 2. Build `models.mlp(..., dropout=0.5)` and fit it with `training.fit`. What happens to the gap between the curves?
# 3. Set `train_segments` to 100. Which system suffers most?
#
# Next: [05 · Without noise extraction](05_without_noise_extraction.ipynb)
