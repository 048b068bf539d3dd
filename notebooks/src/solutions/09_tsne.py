# %% [markdown]
# # 09 · t-SNE: answers
#
# Worked answers to the exercises of [09 · t-SNE](../09_tsne.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from devid_lib import models, plots
from devid_lib.workbook import start

session = start("09_tsne-answers", globals())
recordings = session.recordings()
dataset = session.dataset(recordings)
model, _ = session.fitted("mlp-3", recordings)


def drawn(split, n):
    """Return row numbers of at most n segments of a split, as many of each device."""
    table = dataset.segments[dataset.mask(split, draw=0)].sample(frac=1, random_state=session.params["seed"])
    return np.sort(table.groupby("device").head(max(3, n // len(dataset.devices))).index)


# %%

test, train = drawn("test", 300), drawn("train", 300)
rows = np.concatenate([test, train])
hidden = models.last_hidden(model).predict(np.asarray(dataset.X[rows]), verbose=0)
hidden = PCA(min(50, *hidden.shape), random_state=session.params["seed"]).fit_transform(hidden)
device = dataset.segments["device"].to_numpy()[rows]
is_test = np.arange(len(rows)) < len(test)
perplexity = min(30, max(1, (len(test) - 1) // 3))
_ = threadpool_limits(1)  # the same picture on every machine

# %% [markdown]
# **1. Start from random places, twice with different seeds. What changes, what stays?**

# %%
own = device[is_test]
planes = [
    TSNE(perplexity=perplexity, init="random", random_state=seed_of_start).fit_transform(hidden[is_test])
    for seed_of_start in (1, 2)
]
figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for ax, plane, title in zip(axes, planes, ("one start", "another start"), strict=True):
    plots.points(plane, own, devices=dataset.devices, title=title, legend=ax is axes[-1], ax=ax)

# %%
k = max(1, min(10, (len(test) - 1) // 3))
near = [NearestNeighbors(n_neighbors=k).fit(plane).kneighbors_graph().toarray() > 0 for plane in planes]
print(f"of the {k} nearest neighbours {(near[0] & near[1]).sum() / near[0].sum():.0%} are the same on both planes")
centres = [pdist([plane[own == name].mean(axis=0) for name in sorted(set(own))]) for plane in planes]
if len(centres[0]) > 2:
    print(f"distances between devices: rank correlation {spearmanr(*centres).statistic:.2f} between the planes")

# %% [markdown]
# What both planes share is no luck of the start, the rest is. Neither figure makes a picture true: the three made clouds of
# the notebook are drawn again and again with a ratio of sizes that they do not have.
#
# **2. Include training segments. Do the test segments of a device fall into the clouds of its training segments?**

# %%
plane = TSNE(perplexity=perplexity, init="pca", random_state=session.params["seed"]).fit_transform(hidden)
ax = plots.points(plane[~is_test], device[~is_test], devices=dataset.devices, title="filled: training, open circles: test")
colors = plots.device_colors(dataset.devices)
_ = ax.scatter(*plane[is_test].T, s=28, facecolors="none", edgecolors=[colors[name] for name in own])

# %%
for name, values in (("on the plane", plane), ("in the last hidden layer", hidden)):
    search = NearestNeighbors(n_neighbors=1).fit(values[~is_test])
    found = search.kneighbors(values[is_test], return_distance=False)[:, 0]
    print(f"nearest training segment {name}: of the same device for {np.mean(device[~is_test][found] == own):.0%}")

# %% [markdown]
# Training segments of one device lie closely together, for the network has been fitted to them. The share of test segments
# that land elsewhere is close to the share that it misnames (notebook 08) only as far as the plane keeps neighbours; the
# second line asks the space itself.
