# %% [markdown]
# # 09 · t-SNE
#
# **What does the classifier's space look like, and how much of such a picture may be believed?**
#
# | | |
# |---|---|
# | you will learn | how t-SNE places points, what perplexity does, which parts of the picture mean something, how neighbours change from layer to layer |
# | it needs | a corpus; the perceptron of notebook 04, or it trains it |
# | it makes | pictures after figure 7, a number for every claim |
# | it takes | less than a minute after notebook 04 |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform
from scipy.stats import entropy, spearmanr
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from devid_lib import evaluation, models, plots
from devid_lib.errors import ParameterError
from devid_lib.workbook import show, start, told

session = start("09_tsne", globals())
p = session.params
_ = threadpool_limits(1)  # the last digit of a sum can change such a picture: the number of cores must not decide it

# %% [markdown]
# ## Inputs
#
# Some hundred test segments, as many of each device, and training segments to compare them with.


# %%
def drawn(split, n):
    """Return row numbers of at most n segments of a split, as many of each device."""
    table = dataset.segments[dataset.mask(split, draw=0)].sample(frac=1, random_state=p["seed"])
    return np.sort(table.groupby("device").head(max(3, n // len(dataset.devices))).index)


recordings = session.recordings()
dataset = session.dataset(recordings)
model, _ = session.fitted("mlp-3", recordings)
test, train = drawn("test", 600), drawn("train", 2000)
segments = dataset.segments.loc[test].reset_index(drop=True)
device = segments["device"].to_numpy()
print(f"{len(test)} test segments, {len(train)} training segments, {len(dataset.devices)} devices")

# %% [markdown]
# Three places to look: the features that go in, the last hidden layer, and the posteriors that come out (figure 7).

# %%
x = np.asarray(dataset.X[np.concatenate([test, train])])
places = {
    "features": x,
    "last hidden layer": models.last_hidden(model).predict(x, verbose=0),
    "posteriors": model.predict(x, verbose=0),
}
train_places = {name: values[len(test) :] for name, values in places.items()}
places = {name: values[: len(test)] for name, values in places.items()}
{name: values.shape for name, values in places.items()}

# %% [markdown]
# ## Who is a neighbour?
#
# t-SNE (van der Maaten & Hinton, 2008) asks each point $i$ which others it would pick as a neighbour, if it picked in
# proportion to a Gaussian around itself:
#
# $$ p_{j|i} = \frac{\exp(-\lVert x_i - x_j \rVert^2 / 2 \sigma_i^2)}{\sum_{k \ne i} \exp(-\lVert x_i - x_k \rVert^2 / 2 \sigma_i^2)},
# \qquad \text{perplexity}(i) = 2^{H(i)}, \quad H(i) = -\sum_j p_{j|i} \log_2 p_{j|i} $$
#
# A point that picks among $m$ others with equal probability has perplexity $m$: it is a number of neighbours. It is the
# same for all points; the width $\sigma_i$ follows from it, narrow in a crowd, wide for a loner. There is no formula for
# $\sigma_i$, but the perplexity grows with it, so halving an interval finds it:


# %%
def neighbour_probabilities(squared, perplexity):
    """Return p_{j|i} [shape=(n, n)] and sigma_i [shape=(n,)] from squared distances, by bisection."""
    others = np.where(np.eye(len(squared), dtype=bool), np.inf, squared)  # nobody is a neighbour of himself
    others = others - others.min(axis=1, keepdims=True)  # cancels in the fraction, and keeps exp from vanishing
    low, high = (np.full((len(squared), 1), factor * np.sqrt(squared.mean())) for factor in (1e-6, 1e3))
    for _ in range(40):
        sigma = np.sqrt(low * high)
        picked = np.exp(-others / (2 * sigma**2))
        picked /= picked.sum(axis=1, keepdims=True)
        narrow = 2 ** entropy(picked, base=2, axis=1)[:, None] < perplexity
        low, high = np.where(narrow, sigma, low), np.where(narrow, high, sigma)
    return picked, sigma[:, 0]


few = places["last hidden layer"][:: max(1, len(test) // 90)].astype(float)
few = np.unique(few, axis=0)  # points in one place have no order among them
n, wanted = len(few), min(15, (len(few) - 1) / 3)
conditional, sigma = neighbour_probabilities(squareform(pdist(few, "sqeuclidean")), wanted)
np.testing.assert_allclose(2 ** entropy(conditional, base=2, axis=1), wanted, rtol=1e-6)
print(f"{n} points, perplexity {wanted:g}: sigma from {sigma.min():.2f} to {sigma.max():.2f}")

# %% [markdown]
# ## Placing the points
#
# Averaged over both directions, $p_{ij} = (p_{j|i} + p_{i|j}) / 2n$. On the plane, two points $y_i$, $y_j$ are neighbours
# with a probability $q_{ij}$ that falls off more slowly than a Gaussian, and the points are moved until both agree:
#
# $$ q_{ij} = \frac{w_{ij}}{\sum_{k \ne l} w_{kl}}, \quad w_{ij} = \frac{1}{1 + \lVert y_i - y_j \rVert^2}, \qquad
# \mathrm{KL} = \sum_{i \ne j} p_{ij} \log \frac{p_{ij}}{q_{ij}}, \qquad
# \frac{\partial\, \mathrm{KL}}{\partial y_i} = 4 \sum_j (p_{ij} - q_{ij}) w_{ij} (y_i - y_j) $$
#
# The sum $\mathrm{KL}$ is large where $p_{ij}$ is large and $q_{ij}$ small: neighbours torn apart. Strangers placed side by
# side add little. So neighbourhoods are kept; what is kept of long distances is measured below. In numpy, by gradient descent with momentum;
# at first $p$ is exaggerated fourfold, so that clusters form before they block each other's way:


# %%
def weights(y):
    """Return w_ij and q_ij of points on the plane."""
    w = 1 / (1 + squareform(pdist(y, "sqeuclidean")))
    np.fill_diagonal(w, 0)
    return w, np.maximum(w / w.sum(), 1e-12)


P = np.maximum((conditional + conditional.T) / (2 * n), 1e-12)
begin = PCA(2).fit_transform(few)
y, step = 1e-4 * begin / begin[:, 0].std(), 0
for t in range(750):
    exaggeration, momentum = (4, 0.5) if t < 100 else (1, 0.8)
    w, Q = weights(y)
    pull = (exaggeration * P - Q) * w
    step = momentum * step - 40 * (pull.sum(axis=1)[:, None] * y - pull @ y)
    y = y + step

library = TSNE(perplexity=wanted, init="pca", method="exact", random_state=p["seed"])
theirs = library.fit_transform(few)
cost = {name: (P * np.log(P / weights(plane)[1])).sum() for name, plane in (("ours", y), ("scikit-learn's", theirs))}
np.testing.assert_allclose(cost["scikit-learn's"], library.kl_divergence_, rtol=0.01)
print("sum of p log p / q:", ", ".join(f"{name} plane {value:.3f}" for name, value in cost.items()))

# %% [markdown]
# scikit-learn reports the same cost for its plane as our $p_{ij}$ give it: the same sum, though the planes may differ. From
# here on its faster Barnes-Hut version places the points, after a reduction to fifty principal components where there are more, as van der
# Maaten and Hinton advise.


# %%
def flattened(values, perplexity):
    """Place points on a plane by t-SNE."""
    if not 0 < perplexity < len(values):
        raise ParameterError(f"perplexity={perplexity!r} is not between 0 and the number of points, {len(values)}")
    values = PCA(min(50, *values.shape), random_state=p["seed"]).fit_transform(values)
    return TSNE(perplexity=perplexity, init="pca", max_iter=500, random_state=p["seed"]).fit_transform(values)


usual = min(30, max(1, (len(test) - 1) // 3))
planes = {name: flattened(values, usual) for name, values in places.items()}
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
few_devices = len(dataset.devices) <= 12  # the names of many need a larger picture, such as the next
for ax, (name, plane) in zip(axes, planes.items(), strict=True):
    plots.points(plane, device, devices=dataset.devices, title=name, legend=few_devices and ax is axes[2], ax=ax)
session.save_figure(
    axes, "places", f"t-SNE of test segments: features, last hidden layer, posteriors (perplexity {usual})."
)

# %%
ax = plots.points(planes["last hidden layer"], device, devices=dataset.devices)
ax.set_title("Last hidden layer of the perceptron, test segments")
session.save_figure(ax, "last-hidden", "t-SNE of the last hidden layer of the perceptron, after figure 7 of the paper.")

# %% [markdown]
# A cloud of one colour is a set of segments that are each other's neighbours. A point of one colour in a cloud of another
# has neighbours of another device, which need not be an error of the classifier: notebook 08 counts those.
#
# ## What perplexity does
#
# The last hidden layer again, with few, some and many neighbours.

# %%
hidden = places["last hidden layer"]
perplexities = sorted({min(5, usual), usual, min(100, 2 * usual, len(test) - 1)})
crowds = {usual: planes["last hidden layer"]}
crowds = {value: crowds[value] if value in crowds else flattened(hidden, value) for value in perplexities}
figure, axes = plt.subplots(1, len(crowds), figsize=(11, 3.6), layout="constrained", squeeze=False)
for ax, (value, plane) in zip(axes[0], crowds.items(), strict=True):
    named = few_devices and ax is axes[0, -1]
    plots.points(plane, device, devices=dataset.devices, title=f"perplexity {value}", legend=named, ax=ax)
session.save_figure(axes, "perplexities", "t-SNE of the last hidden layer at several perplexities.")

# %% [markdown]
# The perplexity sets how far a point looks: the widths $\sigma_i$ follow it, and so does the number of neighbours that share
# most of the probability. Here are the medians over all points:

# %%
reach = {}
for value in perplexities:
    picked, sigma = neighbour_probabilities(squareform(pdist(hidden, "sqeuclidean")), value)
    held = 1 + (np.sort(picked, axis=1)[:, ::-1].cumsum(axis=1) < 0.9).sum(axis=1)
    reach[value] = {"sigma": np.median(sigma), "neighbours that hold 90 %": np.median(held)}
reach = pd.DataFrame(reach).T.rename_axis("perplexity")
reach.round(2)

# %% [markdown]
# What may be read from such a picture? Four questions, each with a number:
#
# - *Are neighbours on the plane neighbours in the space?* Trustworthiness (Venna & Kaski, 2001) is 1 if so.
# - *Are neighbours in the space kept?* The share of a point's nearest others that are so on the plane as well.
# - *Do distances between clouds mean anything?* The rank correlation of the distances between the devices' centres, in
#   the space and on the plane.
# - *Do sizes of clouds?* The rank correlation of the devices' spreads (RMS distance from the centre).


# %%
def nearest(values, k):
    """Return the k nearest others of every point, as a matrix of True and False."""
    return NearestNeighbors(n_neighbors=k).fit(values).kneighbors_graph().toarray() > 0


def clouds(values):
    """Return the distances between the devices' centres, and the devices' spreads."""
    groups = [values[device == name] for name in sorted(set(device))]
    centres = np.array([group.mean(axis=0) for group in groups])
    spreads = [np.sqrt(group.var(axis=0).sum()) for group in groups]
    return pdist(centres), np.array(spreads)


def agreement(plane):
    """Return what a plane keeps of the last hidden layer: neighbours, and how clouds lie and spread."""
    k = max(1, min(10, (len(plane) - 1) // 3))
    pairs = zip(clouds(hidden), clouds(plane), strict=True)
    ranks = [spearmanr(true, shown).statistic if len(true) > 2 else np.nan for true, shown in pairs]
    kept = (nearest(hidden, k) & nearest(plane, k)).sum() / (k * len(plane))
    return trustworthiness(hidden, plane, n_neighbors=k), kept, *ranks


# %%
measured = pd.DataFrame(
    [agreement(plane) for plane in crowds.values()],
    columns=["trustworthiness", "neighbours kept", "distances of clouds", "sizes of clouds"],
    index=pd.Index(perplexities, name="perplexity"),
)
measured.style.format("{:.2f}", na_rep="too few devices")

# %% [markdown]
# The devices of this run lie as they lie. In three clouds made for the purpose the truth is known: A and B are 20 apart,
# C is five times as far from A, and scattered five times as widely.

# %%
cloud = np.repeat([*"ABC"], 60)
centre, spread = np.repeat([[0, 20, 100], [1, 1, 5]], 60, axis=1)
rng = np.random.default_rng(p["seed"])
made = spread[:, None] * rng.standard_normal((180, 50))
made[:, 0] += centre
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
shown = {}
for ax, value in zip(axes, (5, 30, 100), strict=True):
    plane = flattened(made, value)
    a, b, c = (plane[cloud == name] for name in "ABC")
    ab, ac = (np.linalg.norm(a.mean(axis=0) - other.mean(axis=0)) for other in (b, c))
    shown[value] = {"distance AC / AB": ac / ab, "size C / A": np.sqrt(c.var(axis=0).sum() / a.var(axis=0).sum())}
    plots.points(plane, cloud, title=f"perplexity {value}", legend=ax is axes[-1], ax=ax)
session.save_figure(axes, "made-clouds", "Three clouds whose distances and sizes are known, by t-SNE.")
shown = pd.DataFrame(shown).T
pd.concat([pd.DataFrame(5, ["truth"], shown.columns), shown]).rename_axis("perplexity").style.format("{:.1f}")

# %% [markdown]
# ## From layer to layer
#
# Pictures persuade; a number can be checked, and no plane is needed for it. Is the nearest neighbour of a test segment,
# *in the full space*, of the same device? Once among the other test segments, where it may come from the same recording and
# share its room, its speaker and its level; once among the training segments, which are other recordings.


# %%
def neighbour_decisions(place, among):
    """Return the device of every test segment's nearest neighbour, as a table of predictions."""
    search = NearestNeighbors(n_neighbors=1).fit((places if among == "test" else train_places)[place])
    asked = None if among == "test" else places[place]  # None: every test segment, and itself is no neighbour
    found = search.kneighbors(asked, return_distance=False)[:, 0]
    decided = (device if among == "test" else train_device)[found]
    return evaluation.predictions_table(decided[:, None] == np.array(dataset.devices), segments, dataset.devices)


train_device = dataset.segments["device"].to_numpy()[train]
neighbours = {(place, among): neighbour_decisions(place, among) for among in ("test", "training") for place in places}
same = {"system": "mlp-3", "unit": "segment", "metric": "nearest neighbour of the same device"}
rows = session.figures(
    same | {"variant": f"{place}, among {among} segments"} | evaluation.accuracy(table)
    for (place, among), table in neighbours.items()
)
show(rows)

# %% [markdown]
# ## What can go wrong
#
# A perplexity must be smaller than the number of points: nobody has more neighbours than there are others.

# %%
try:
    flattened(hidden[:20], perplexity=30)
except ParameterError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
probe = session.score_probe(recordings)
own = session.finish(rows, probe)
own[["system", "variant", "unit", "metric", "value", "low", "high", "chance"]]

# %% [markdown]
# ## What we saw

# %%
pairs = {among: (neighbours["last hidden layer", among], neighbours["features", among]) for among in ("test", "training")}
tests = evaluation.compared(pairs, better="brings them together", worse="parts them")


# %%
def layers(among):
    """Say how the share of neighbours of the same device changes from the features to the last hidden layer."""
    (after, before), test = pairs[among], tests.loc[among]
    verdict = test["verdict"].replace("told apart", "told apart from the features")
    return (
        f"Among {among} segments the nearest neighbour is of the same device for {evaluation.correct(before).mean():.1%} in the "
        f"features, {evaluation.correct(after).mean():.1%} in the last hidden layer ({told(test)}, adjusted): that layer {verdict}."
    )


def span(values):
    return " to ".join(dict.fromkeys(f"{value:.2f}" for value in (values.min(), values.max())))


# %%
bullets = [
    f"From perplexity {perplexities[0]} to {perplexities[-1]} a point's median width changes by a factor of "
    f"{reach['sigma'].iloc[-1] / reach['sigma'].iloc[0]:.1f}. The planes of the last hidden layer have a trustworthiness of "
    f"{span(measured['trustworthiness'])} and keep {span(measured['neighbours kept'])} of the nearest neighbours.",
    f"Of three clouds made with a ratio of 5 in distance and in size, the planes show {span(shown['distance AC / AB'])} and "
    f"{span(shown['size C / A'])}: "
    + ("here they may be believed." if shown.sub(5).abs().max(axis=None) < 1 else "such ratios are not to be believed."),
]
if measured.notna().all(axis=None):
    bullets.append(
        f"The rank correlation between space and plane is {span(measured['distances of clouds'])} for the distances between "
        f"devices and {span(measured['sizes of clouds'])} for their spreads (1: the same order, 0: none): so far, and no farther, "
        "may the order of clouds be believed."
    )
session.saw(layers("test"), layers("training"), *bullets)

# %% [markdown]
# ## Exercises
#
# 1. Start from random places instead of principal components (`init="random"`), twice with different seeds. What changes,
#    what stays?
# 2. Include training segments. Do the test segments of a device fall into the clouds of its training segments?
#
# Worked answers: [solutions](solutions/09_tsne.ipynb)
#
# Next: [10 · Cited systems](10_cited_systems.ipynb)
