# %% [markdown]
# # 09 · t-SNE
#
# **What does the classifier's space look like?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | what t-SNE shows and what it does not, and how a network pulls devices apart layer by layer | a corpus; the perceptron of notebook 04, or it trains it | two figures, a table | less than a minute after notebook 04 |
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

from devid_lib import embedding, models, plots, training
from devid_lib import notebook as nb
from devid_lib.errors import DevidError

session = nb.start("09_tsne", globals())

# %% [markdown]
# ## Inputs
#
# Test segments only, at most 2000 of them, the same number of each device.

# %%
recordings = nb.load_recordings(session)
dataset = nb.load_dataset(session, recordings)
model, _ = nb.fitted(session, "mlp-3", dataset)
chosen = embedding.sample_rows(dataset, n=2000, seed=session.params["seed"])
x, labels = np.asarray(dataset.X[chosen]), dataset.segments["device"].to_numpy()[chosen]
print(f"{x.shape} of {dataset.mask('test', draw=0).sum()} test segments")

# %% [markdown]
# ## Neighbours on a plane
#
# t-SNE (van der Maaten & Hinton, 2008) turns distances in the high-dimensional space into probabilities $p_{ij}$ that
# $i$ and $j$ are neighbours, and places points on a plane so that their own $q_{ij}$ agree:
#
# $$ \min \sum_{i \ne j} p_{ij} \log \frac{p_{ij}}{q_{ij}} $$
#
# The *perplexity* is about how many neighbours each point looks at. Only neighbourhoods mean something: the distance
# between two clusters, and their sizes, do not.
#
# ## Three places to look
#
# The features that go in, the last hidden layer, and the posteriors that come out (figure 7).

# %%
places = {
    "features": x,
    "last hidden layer": models.last_hidden(model).predict(x, verbose=0),
    "posteriors": model.predict(x, verbose=0),
}
{name: values.shape for name, values in places.items()}

# %% [markdown]
# The same perplexity for all three:

# %%
planes = {name: embedding.tsne(values, perplexity=30, seed=session.params["seed"]) for name, values in places.items()}
figure, axes = plt.subplots(1, 3, figsize=(15, 5))
for ax, (name, points) in zip(axes, planes.items(), strict=True):
    plots.tsne(points, labels, devices=dataset.devices, title=name, legend=ax is axes[-1], ax=ax)
nb.save_figure(session, axes, "places", "t-SNE of test segments: features, last hidden layer, posteriors (perplexity 30).")

# %% [markdown]
# From left to right the clouds of one device should draw together: that is what training does. Points of one colour in
# the cloud of another are the errors of notebook 08.
#
# ## Several perplexities
#
# One picture can mislead. What shows at every perplexity can be believed.

# %%
perplexities = embedding.perplexities(len(x))
figure, axes = plt.subplots(2, len(perplexities), figsize=(15, 9.5))
for row, name in zip(axes, ("last hidden layer", "posteriors"), strict=True):
    for ax, perplexity in zip(row, perplexities, strict=True):
        points = embedding.tsne(places[name], perplexity=perplexity, seed=session.params["seed"])
        plots.tsne(points, labels, devices=dataset.devices, title=f"{name}, {perplexity}", legend=ax is axes[0, -1], ax=ax)
nb.save_figure(session, axes, "perplexities", "t-SNE of the last hidden layer and of the posteriors at three perplexities.")

# %%
figure, ax = plt.subplots(figsize=(7.5, 6))
plots.tsne(planes["last hidden layer"], labels, devices=dataset.devices, ax=ax)
ax.set_title(f"Last hidden layer of the perceptron, test segments, {recordings.attrs['name']} corpus")
nb.save_figure(session, ax, "last-hidden", "t-SNE of the last hidden layer of the perceptron, after figure 7 of the paper.")

# %% [markdown]
# ## A number beside the picture
#
# Pictures persuade; a number can be checked. How often is a segment's nearest neighbour, *in the full space*, of the
# same device (neighbours from the same recording are allowed, so this is no accuracy)?

# %%
purity = {name: embedding.neighbour_purity(values, labels) for name, values in places.items()}
{name: round(value, 3) for name, value in purity.items()}

# %% [markdown]
# ## What can go wrong
#
# A perplexity must be smaller than the number of points.

# %%
try:
    embedding.tsne(x[:20], perplexity=30)
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
rows = nb.score(session, training.predict(model, dataset), system="mlp-3", variant=session.params["noise"], save=False)
probe = nb.score_probe(session, dataset)
chance = float(np.mean([np.mean(labels == label) for label in labels]))
neighbours = nb.figures(
    session,
    [
        {"system": "mlp-3", "variant": name, "unit": "segment", "metric": "nearest neighbour of the same device"}
        | {"value": value, "n": len(labels), "chance": chance}
        for name, value in purity.items()
    ],
)
own = nb.finish(session, neighbours, rows, probe)
own[["system", "variant", "unit", "metric", "value", "chance"]]

# %% [markdown]
# ## What we saw

# %%
nb.saw(
    session,
    f"The nearest neighbour of a test segment is of the same device in {purity['features']:.1%} of cases among the features, "
    f"{purity['last hidden layer']:.1%} in the last hidden layer and {purity['posteriors']:.1%} among the posteriors "
    f"(chance {chance:.1%}).",
    f"From the features to the last hidden layer that measure changes by "
    f"{100 * (purity['last hidden layer'] - purity['features']):+.1f} points. Neighbours of one recording share its room and "
    "level, which helps among the features, and which a network that looks for the device gives up.",
    f"The pictures at perplexities {', '.join(map(str, perplexities))} differ in shape and spacing: only what they share is "
    "a finding.",
)

# %% [markdown]
# ## Exercises
#
# 1. Colour the points by recording instead of device. Are there clouds within clouds?
# 2. Run t-SNE twice with different seeds. What changes, what stays?
# 3. Include training segments. Do test segments of a device fall into the clouds of its training segments?
#
# Next: [90 · Speed](90_speed.ipynb)
