# %% [markdown]
# # 14 · Unknown device
#
# **May the answer be "none of these"?**
#
# | | |
# |---|---|
# | you will learn | why a softmax cannot decline, what can, how to draw and read ROC and DET curves, how a rule is fixed beforehand and what it costs |
# | it needs | a corpus, best one of many devices |
# | it makes | scores of known and of unknown devices by several systems, AUROC, equal error rate, false acceptances, a rule with its error rates |
# | it takes | a minute; at size `paper` some minutes |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
segment_length: int = 4096  # length of a segment [samples]
train_segments: int = 0  # segments per training recording, 0 for what size says
test_segments: int = 0  # segments per test recording and voter, 0 for what size says
epochs: int = 0  # passes over the training segments, 0 for what the recipe says

# %%
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.fft
import scipy.linalg
from ipywidgets import FloatSlider
from scipy.spatial.distance import cdist
from scipy.special import softmax
from scipy.stats import norm
from sklearn.svm import OneClassSVM

from devid_lib import covariances, likelihood, models, plots, training, verification
from devid_lib.dataset import Dataset
from devid_lib.errors import DevidError
from devid_lib.evaluation import logit_t_interval
from devid_lib.features import fourier_features
from devid_lib.sides import PER
from devid_lib.workbook import start

session = start("14_unknown_device", globals())
p = session.params

# %% [markdown]
# ## Inputs
#
# A classifier of notebooks 03 to 10 always names one of its devices, even for a recording of another one. Here every
# device is an unknown one once: devices are put into groups, one group after the other is left out of everything that is
# learnt, and then asked about together with the next group, which was learnt. So every test recording is asked about
# twice, once as known and once as unknown.
#
# A question is a *side*: 20 segments of a test recording, windowed (notebook 05). All systems see the same segments.

# %%
recordings = session.recordings()
scale = training.feature_scale("default", p["segment_length"])
dataset = session.dataset(recordings, noise="none", window="hann", draws=1, scale=scale)
table, devices = dataset.segments, np.array(dataset.devices)


def described(split):
    """Return the sides of a split: rows of their segments, cosine coefficients, numbers of devices, recordings."""
    groups = table[table["split"] == split].groupby(["device", "recording"]).groups.values()
    sides = [side for rows in groups for side in np.array_split(rows.to_numpy(), max(min(2, len(rows)), len(rows) // PER))]
    means = np.stack([dataset.X[side].mean(axis=0) for side in sides])
    x = scipy.fft.dct(means, norm="ortho")[:, 1:400] / np.sqrt(means.shape[1])
    first = [side[0] for side in sides]
    return sides, x, dataset.y[first], table["recording"].to_numpy()[first]


(_, x_learnt, learnt, recording), (asked_of, x_asked, asked, _) = described("train"), described("test")
n_groups = min(3, len(devices) // 3)
group = np.random.default_rng(p["seed"]).permutation(len(devices)) % max(1, n_groups)
folds = range(n_groups if n_groups > 1 else 0)
print(f"{len(devices)} devices, {len(learnt)} sides to learn from, {len(asked)} to be asked about; {len(folds)} groups")
if not folds:
    print("Six devices are the least of which some can be left out: what follows stays empty.")

# %% [markdown]
# ## Two covariances
#
# Let $x$ be a side, described by its mean log spectrum (of that, the first cosine coefficients without the zeroth, so that
# a gain cancels). Take it for a sum of what all devices have in common, something of the device, and a rest that differs
# from side to side, from one recording or session to the next:
#
# $$ x = \mu + y + e, \qquad y \sim N(0, B), \quad e \sim N(0, W) $$
#
# Two sides of one device share $y$. Two of different devices share nothing but $\mu$. With that, the likelihood ratio of
# the two explanations of a pair $(r, q)$ is a ratio of two Gaussian densities. In speaker recognition, this is two-covariance
# PLDA, probabilistic linear discriminant analysis:
#
# $$ \log \mathrm{LR}(r, q) = \log N\!\left(\begin{bmatrix} r \\ q \end{bmatrix}; \begin{bmatrix} \mu \\ \mu \end{bmatrix},
# \begin{bmatrix} B + W & B \\ B & B + W \end{bmatrix}\right) - \log N(r; \mu, B + W) - \log N(q; \mu, B + W) $$
#
# $B$ and $W$ come from devices that are known. What sets the recordings of a device apart, their means $m_{dr}$ around the
# mean $m_d$ of the device, is one part of $W$; what sides differ by within a recording is the other. ($m_{dr}$ is a mean of
# $k$ sides and holds a $k$-th of that already.) The means $m_d$ of few recordings hold some of the first part, too, so it is
# taken off:
#
# $$ W = \operatorname{cov}(m_{dr} - m_d) + \left(1 - \tfrac1k\right) \operatorname{cov}(x - m_{dr}), \qquad
# B = \operatorname{cov}(m_d) - \tfrac1R \operatorname{cov}(m_{dr} - m_d) $$
#
# There are more coefficients than devices, so a share of what covariances have off their diagonals is not believed
# (`WITHIN_SHRINKAGE`, `BETWEEN_SHRINKAGE`). By hand, on the first side learnt and the first one asked about:


# %%
def shrunk(covariance, share):
    """Return a covariance with less off its diagonal."""
    return (1 - share) * covariance + share * np.diag(np.diag(covariance))


held, r = np.unique(np.stack([learnt.astype(str), recording.astype(str)], axis=1), axis=0, return_inverse=True)
r = r.ravel() if len(held) > len(devices) else np.arange(len(learnt))  # one recording each: sides stand for recordings
m_dr = np.stack([x_learnt[r == i].mean(axis=0) for i in range(r.max() + 1)])
of_r = learnt[np.unique(r, return_index=True)[1]]
R = np.bincount(of_r)
m_d = np.stack([m_dr[of_r == i].mean(axis=0) for i in range(len(devices))])
across, inside = (m_dr - m_d[of_r])[R[of_r] > 1], x_learnt - m_dr[r]
across = shrunk(across.T @ across / (len(across) - (R > 1).sum()), covariances.WITHIN_SHRINKAGE)
inside = shrunk(inside.T @ inside / max(1, len(x_learnt) - len(m_dr)), covariances.WITHIN_SHRINKAGE)
W = across + (1 - len(m_dr) / len(x_learnt)) * inside
B = shrunk(np.cov(m_d.T) - across * np.mean(1 / R), covariances.BETWEEN_SHRINKAGE)
np.fill_diagonal(B, np.maximum(np.diag(B), 0.05 * np.diag(W)))  # of few devices the difference can be negative


# %%
def log_density(x, covariance):
    """Return the logarithm of a Gaussian density of mean zero."""
    return -0.5 * (np.linalg.slogdet(2 * np.pi * covariance)[1] + x @ np.linalg.solve(covariance, x))


variances, axes = scipy.linalg.eigh(B, W)  # in these axes W is the identity, and no variance may be negative
B = (W @ axes * np.maximum(variances, 0)) @ (W @ axes).T
one, other = x_learnt[0] - m_d.mean(axis=0), x_asked[0] - m_d.mean(axis=0)
together = log_density(np.concatenate([one, other]), np.block([[B + W, B], [B, B + W]]))
by_hand = together - log_density(one, B + W) - log_density(other, B + W)
model = covariances.fit_two_covariance(x_learnt, learnt, recording)
scores = model.score(x_learnt[:1], x_asked)[0]
np.testing.assert_allclose(scores[0], by_hand, rtol=1e-4, atol=1e-3)
print(f"log LR of two sides of {devices[learnt[0]]}: {by_hand:.1f}; of one of it and one of {devices[asked[-1]]}: {scores[-1]:.1f}")

# %% [markdown]
# In the axes of the generalised eigenvectors $W$ is the identity and $B$ diagonal, and the ratio of densities becomes a sum
# of one term per axis. That is how the library computes all pairs at once. Do not take the number at its face value, not even
# its sign: it is a score, larger where two sides are more alike, but no honest ratio. Notebook 15 makes one of it.
#
# ## A softmax cannot decline
#
# The posterior of the paper's networks is shared out among the devices that were learnt and adds up to one:
#
# $$ P(d \mid x) = \frac{e^{a_d(x)}}{\sum_c e^{a_c(x)}}, \qquad \sum_d P(d \mid x) = 1 $$
#
# It says which of them is likeliest, not whether it is any of them: how far a segment is from all that was learnt is nowhere
# in it. Here is what a perceptron of notebook 04 (one hidden layer at size `quick`, else three) makes of recordings that no
# device made.


# %%
def taught(known):
    """Return training segments of some devices, evenly spread: what the perceptron and its centres are made of."""
    rows = np.flatnonzero(np.isin(dataset.y, known) & dataset.mask("train"))
    return rows[:: 1 + len(rows) // {"quick": 500, "paper": 5000}[p["size"]]]


def network(known):
    """Return a perceptron that learnt some of the devices, up to its last hidden layer, and its last weights."""
    rows = taught(known)
    some = Dataset(dataset.X[rows], table.iloc[rows].reset_index(drop=True), tuple(devices[known]), dataset.settings)
    name, enough_epochs = ("mlp-1", 6) if p["size"] == "quick" else ("mlp-3", 0)
    model = models.build(name, dataset.X.shape[1:], len(known), seed=p["seed"])
    training.fit(model, some, seed=p["seed"], epochs=p["epochs"] or enough_epochs)
    keras = models.import_keras()
    return keras.Model(model.input, model.layers[-2].output), *model.layers[-1].get_weights()


def logits(x, fitted):
    """Return the last hidden layer and the logits of segments."""
    hidden, weights, bias = fitted
    h = hidden(np.ascontiguousarray(x)).numpy()
    return h, h @ weights + bias


# %%
known_in = {f: np.flatnonzero(group != f) for f in folds}
fitted = {f: network(known_in[f]) for f in folds}
rng, n, t = np.random.default_rng(p["seed"]), p["segment_length"], np.arange(p["segment_length"])
made_up = {
    "white noise": rng.normal(0, 0.2, (PER, n)),
    "silence and dither": rng.integers(-1, 2, (PER, n)) / 2**15,
    "a sine, 1/16 of the rate": 0.1 * np.sin(2 * np.pi * (t / 16 + rng.random((PER, 1)))),
    "clicks": 0.5 * (rng.random((PER, n)) < 0.001),
}
said = {}
for name, y in made_up.items() if folds else ():
    x = fourier_features(y.astype(np.float32), scale=scale, window="hann")
    said[name] = softmax(logits(x, fitted[0])[1], axis=1).mean(axis=0)
sure = pd.DataFrame({name: [devices[known_in[0]][P.argmax()], P.max()] for name, P in said.items()}, ["named", "posterior"]).T
sure

# %%
columns = [plots.label(name) for name in devices[known_in[0]]] if folds else []
_, ax = plt.subplots(figsize=(9, 2.8))
for place, P in enumerate(said.values()):
    color = plots.PALETTE[place]  # of the edge, too: of many devices bars are thinner than a white one
    ax.bar(np.arange(len(P)) + 0.2 * place - 0.3, 100 * P, 0.2, color=color, ec=color, lw=0.7, label=list(said)[place])
few = max(1, len(columns) // 30)
ax.set_xticks(range(0, len(columns), few), columns[::few], rotation=90 if len(columns) > 9 else 20, fontsize=8)
ax.set(ylabel="mean posterior [%]", ylim=(0, 100))
if said:
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    session.save_figure(ax, "named", "What a perceptron says of recordings that no device made: mean posterior of 20 segments.")
plt.close()  # where there was nothing to draw

# %% [markdown]
# Each colour is one made-up recording, and its bars add up to 100 %. Where one bar holds nearly all, the network is as
# sure as it is of its own devices, about something that came out of no device at all.
#
# ## Seven scores
#
# All systems name the device that scores highest, and decline if that score is below a threshold. They differ in what a
# score is; for a side of segments $x_t$:
#
# - **softmax probability**: the mean posterior, $\frac1T \sum_t P(d \mid x_t)$;
# - **largest logit**: the mean of $a_d(x_t)$, so before devices are weighed against each other;
# - **distance, last hidden layer**: minus the distance of the mean hidden vector from the device's mean, each unit measured
#   by its spread within devices (after Lee et al., 2018, without the correlations);
# - **one class**: for each device a one-class support vector machine that saw its sides and no others;
# - **cosine, compensated**: in the axes where the rest $e$ has unit variance (so that what changes from recording to
#   recording counts little), the cosine of the angle between the side and the device's mean;
# - **PLDA**: the logarithm of the ratio above, the covariances learnt from other devices than that of the reference;
# - **PLDA, references seen**: the same, learnt from all known devices. Their own means are then among those that $B$ is made
#   of, and whatever their few recordings have in common may pass for what tells devices apart.


# %%
def mean(values, sides):
    """Return the mean over the segments of each side, of values of all segments, side after side."""
    lengths = np.array([len(side) for side in sides])
    return np.add.reduceat(values, np.cumsum([0, *lengths[:-1]])) / lengths[:, None]


def of_network(known, fitted, sides):
    """Return the scores [shape=(n_sides, n_known)] that a network gives."""
    h, a = logits(dataset.X[np.concatenate(sides)], fitted)
    rows = taught(known)
    learnt_h, place = logits(dataset.X[rows], fitted)[0], np.searchsorted(known, dataset.y[rows])
    centres = np.stack([learnt_h[place == i].mean(axis=0) for i in range(len(known))])
    spread = (learnt_h - centres[place]).std(axis=0) + 1e-9
    distance = cdist(mean(h, sides) / spread, centres / spread) / h.shape[1] ** 0.5
    scores = {"softmax probability": mean(softmax(a, axis=1), sides), "largest logit": mean(a, sides)}
    return scores | {"distance, last hidden layer": -distance}


# %%
def learnt_from(some):
    """Return the two covariances that some devices tell of."""
    own = np.isin(learnt, some)
    return covariances.fit_two_covariance(x_learnt[own], learnt[own], recording[own])


def of_spectra(known, chosen):
    """Return the scores [shape=(n_sides, n_known)] that mean log spectra give."""
    sides, references = x_asked[chosen], np.stack([x_learnt[learnt == i].mean(axis=0) for i in known])
    plda, cosine = np.empty((2, len(sides), len(known)))
    parts = np.array_split(np.random.default_rng(p["seed"]).permutation(len(known)), min(6, len(known)))
    for part in parts:  # their references are compared by what was learnt from the others
        model = learnt_from(np.setdiff1d(known, known[part]))
        plda[:, part] = model.score(references[part], sides).T
        r, q = ((x - model.mean) @ model.basis for x in (references[part], sides))
        cosine[:, part] = q @ r.T / np.outer(np.linalg.norm(q, axis=1), np.linalg.norm(r, axis=1))
    seen = learnt_from(known).score(references, sides).T
    return {"cosine, compensated": cosine, "PLDA, references seen": seen, "PLDA": plda}


# %%
def one_class(known, chosen):
    """Return the scores [shape=(n_sides, n_known)] of one-class support vector machines."""
    spread = np.sqrt(np.mean([x_learnt[learnt == i].var(axis=0) for i in known], axis=0)) + 1e-9
    x, y = x_learnt / spread, x_asked[chosen] / spread
    machines = [OneClassSVM(gamma=0.1 / x.shape[1], nu=0.5).fit(x[learnt == i]) for i in known]
    return {"one class": np.stack([machine.decision_function(y) for machine in machines], axis=1)}


found = []
for f in folds:
    known, chosen = known_in[f], np.flatnonzero(np.isin(group[asked], [f, (f + 1) % n_groups]))
    sides = [asked_of[i] for i in chosen]
    scores = of_network(known, fitted[f], sides) | one_class(known, chosen) | of_spectra(known, chosen)
    for system, s in scores.items():
        best = {"score": s.max(axis=1), "named": devices[known][s.argmax(axis=1)], "device": devices[asked[chosen]]}
        found.append(pd.DataFrame(best).assign(system=system, known=group[asked[chosen]] != f))
columns = ["system", "known", "device", "named", "score"]
found = pd.concat(found)[columns] if found else pd.DataFrame(columns=columns).astype({"known": bool, "score": float})
found["right"] = found["device"] == found["named"]
systems = ["softmax probability", "largest logit", "distance, last hidden layer", "one class", "cosine, compensated"]
systems += ["PLDA, references seen", "PLDA"]
means = found.pivot_table("score", "system", "known").reindex(systems)
means = means.rename(columns={True: "mean score, known", False: "mean score, unknown"}).rename_axis(None, axis=1)
means.assign(**{"known named right": found[found["known"]].groupby("system")["right"].mean()}).style.format("{:.2f}")

# %%
figure, axes = plt.subplots(2, 4, figsize=(10, 4.4))
for ax, system in zip(axes.flat, systems, strict=False):
    one = found[found["system"] == system]
    if len(one):
        low, high = np.quantile(one["score"], [0.02, 1])
        edges = np.linspace(low, high + 1e-9, 25)
        for kind, name, color in ((True, "known", plots.BLUE), (False, "unknown", plots.ORANGE)):
            part = np.clip(one.loc[one["known"] == kind, "score"], low, high)
            ax.hist(part, edges, weights=np.full(len(part), 100 / len(part)), color=color, alpha=0.6, label=name)
    ax.set_title(system, fontsize=9)
    ax.set(yticks=[])
    ax.tick_params(labelsize=8)
for ax in axes[:, 0]:
    ax.set_ylabel("sides [%]", fontsize=9)
axes[1, 3].axis("off")
axes[1, 3].legend(*axes[0, 0].get_legend_handles_labels(), loc="upper left", title="the device was")
figure.supxlabel("score of the device that is named", fontsize=10)
if len(found):
    session.save_figure(axes, "scores", "Scores of the device that is named, for known and for unknown devices, each in percent.")
plt.close()

# %% [markdown]
# Blue are the scores of devices that the system knows, orange those of devices it does not. What matters is not how sure a
# score sounds, but whether a threshold can be put between the colours. (Scores far below the others are drawn at the left
# edge.)
#
# ## Two errors, one threshold
#
# With a threshold $\theta$, an unknown device gets a name if its best score reaches it (false acceptance), and a known one is
# declined if it does not (false rejection):
#
# $$ \mathrm{FA}(\theta) = \frac{1}{m} \sum_{i\,\text{unknown}} 1\{s_i \ge \theta\}, \qquad
# \mathrm{FR}(\theta) = \frac{1}{n} \sum_{i\,\text{known}} 1\{s_i < \theta\} $$
#
# Where the two are equal, they are the equal error rate (EER). The area under the ROC is how often a known device has the
# larger score than an unknown one, ties counting half:
#
# $$ \mathrm{AUROC} = \frac{1}{nm} \sum_{i\,\text{known}} \sum_{j\,\text{unknown}} \left(1\{s_i > s_j\} + \tfrac12 1\{s_i = s_j\}\right) $$

# %%
pairs = {}
for system, one in found.groupby("system", sort=False):
    known, unknown = one[one["known"]], one[~one["known"]]
    of_devices = {"same_devices": known["device"], "different_devices": unknown[["device", "named"]]}
    pairs[system] = known["score"].to_numpy(), unknown["score"].to_numpy(), of_devices

for known, unknown, _ in pairs.values():
    larger = known[:, None] - unknown
    area = ((larger > 0) + 0.5 * (larger == 0)).mean()
    np.testing.assert_allclose(likelihood.auroc(known, unknown), area)
    theta = np.median(unknown)
    thresholds, accepted, rejected = likelihood.error_rates(known, unknown)
    np.testing.assert_allclose(accepted[thresholds == theta], (unknown >= theta).mean())
    np.testing.assert_allclose(rejected[thresholds == theta], (known < theta).mean())

# %% [markdown]
# How sure are these figures? The devices were drawn, not the segments: so intervals come from drawing devices with
# replacement, a known side as often as its device, an unknown one as often as its own device and the one it was taken for.
# (Where every known side scores above every unknown one, no draw of the same devices shows anything else: 100 % to 100 % is
# then not a narrow interval, but none.)

# %%
def false_acceptance(known, unknown, share):
    """Return the least false acceptance rate of all thresholds that falsely reject at most this share."""
    _, accepted, rejected = likelihood.error_rates(known, unknown)
    return accepted[rejected <= share].min()


measures = {"AUROC": likelihood.auroc, "EER": likelihood.equal_error_rate}
for share in (0.05, 0.01):
    measures[f"false acceptance at {share:.0%} false rejection"] = partial(false_acceptance, share=share)
measured = {}
for system, (known, unknown, of_devices) in pairs.items():
    enough_named = of_devices["different_devices"].nunique().min() > 2
    for name, measure in measures.items():
        if enough_named:
            measured[system, name] = likelihood.bootstrap(measure, known, unknown, **of_devices, n={"quick": 100, "paper": 300}[p["size"]])
        else:
            measured[system, name] = {"value": measure(known, unknown), "low": np.nan, "high": np.nan, "n": len(devices)}
    named = found[(found["system"] == system) & found["known"]]
    low, high = logit_t_interval(named["right"], named["device"])
    measured[system, "named right"] = {"value": named["right"].mean(), "low": low, "high": high, "n": named["device"].nunique()}
figures = pd.DataFrame(measured, ["value", "low", "high", "n"]).T
text = [f"{value:.1%} ({low:.0%}-{high:.0%})".replace(" (nan%-nan%)", "") for value, low, high in figures[["value", "low", "high"]].to_numpy(float)]
text = pd.Series(text, figures.index, dtype=object).to_dict()
pd.DataFrame({name: {system: text[system, name] for system in pairs} for name in [*measures, "named right"]})

# %% [markdown]
# An unknown device may be another *unit* of a model that is known, or of a model that nobody has seen. Where the corpus
# tells of models, the unknown sides are parted by that:

# %%
model = recordings.groupby("device")["model"].first()
parted = found[found["device"].map(model).ne("") & ~found["known"]]
twin = pd.Series([(model[devices[known_in[group[i]]]] == model[devices[i]]).any() for i in range(len(devices))] if folds else [],
                 devices if folds else [], dtype=bool)  # fmt: skip
of_unknown = {}
for system, one in parted.groupby("system", sort=False):
    known, _, of_devices = pairs[system]
    has_twin = one["device"].map(twin).astype(bool)
    for name, some in {"units of a known model": one[has_twin], "models never seen": one[~has_twin]}.items():
        named = some[["device", "named"]]
        if named.nunique().min() > 2:
            both = {"same_devices": of_devices["same_devices"], "different_devices": named, "n": 100}
            of_unknown[system, name] = likelihood.bootstrap(likelihood.auroc, known, some["score"], **both)
texts = {key: "{value:.1%} ({low:.0%}-{high:.0%})".format(**row) for key, row in of_unknown.items()}
kinds = dict.fromkeys(name for _, name in texts)
if not texts:
    print("Too few devices, or none whose models are told: this stays empty.")
pd.DataFrame({f"AUROC, {name}": {system: texts.get((system, name), "") for system in pairs} for name in kinds})

# %% [markdown]
# Where the two intervals of a line lie apart, a score hears the model: a unit of a model that is known is taken for its
# twin, and no threshold helps against that. (Nothing stands where sides or names are too few for an interval.)

# %%
_, (roc, det) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
ticks = np.array([0.01, 0.05, 0.2, 0.5, 0.8, 0.95])
for place, system in enumerate(pairs):
    look = {"color": plots.DEVICES[place], "ls": "--" if place % 2 else "-", "lw": 1.6}
    _, accepted, rejected = likelihood.error_rates(*pairs[system][:2])
    roc.step(100 * accepted, 100 - 100 * rejected, where="post", **look)
    det.plot(*norm.ppf(np.clip([accepted, rejected], 1e-3, 1 - 1e-3)), **look, label=system)
for ax, ends in ((roc, (0, 100)), (det, norm.ppf([0.004, 0.98]))):
    ax.plot(ends, ends if ax is roc else norm.ppf([0.996, 0.02]), color=plots.DARK, ls="--", lw=1)
    ax.set(xlabel="unknown devices that get a name [%]", xlim=ends, ylim=ends)
roc.set(ylabel="known devices not declined [%]", title="ROC")
det.set(ylabel="known devices declined [%]", title="DET")
det.set_xticks(norm.ppf(ticks), [f"{100 * tick:g}" for tick in ticks])
det.set_yticks(norm.ppf(ticks), [f"{100 * tick:g}" for tick in ticks])
if pairs:
    det.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    session.save_figure(roc, "curves", "ROC and DET: what a threshold lets through, and what it costs. Dashed: scores that know nothing.")
plt.close()

# %% [markdown]
# One threshold is one point of a curve. In the ROC (receiver operating characteristic) the upper left corner is perfect, in
# the DET (detection error trade-off) the lower left one; the DET's axes are stretched like a normal distribution's tail, so
# that a straight line is what two bells of scores would give, and small errors can be read. Steps are as high as one side is.
#
# ## A rule, fixed beforehand
#
# A rule is made before the case is looked at, from devices that are left out: the best log10 likelihood ratio (notebook 15) of
# several references must reach a threshold that at most 5 % of the unknown sides reach. Rates of a device's sides are counted
# at the threshold that the *other* devices' sides ask for, so that `unknown_named` need not be 5 %. They
# depend on how many references there are: of many, one will resemble the unknown device. Another
# unit of its model is never among them, since it is a model that a case claims (notebook 15). (Sides are described as in
# a case, too: beside the mean log spectrum of segments stands that of their sixteenths, `sides.side_vectors`.)

# %%
rules, options = [], {"segment_length": p["segment_length"], "most": {"quick": 3, "paper": 6}[p["size"]]}
try:
    comparison, _, _ = verification.compare_corpus(recordings, seed=p["seed"], **options)
    v, kind = comparison.validation, model.where(model != "", model.index)
    for n_references in (1, 2, 4, 8, 16, len(v.references)):
        rule = verification.open_set_threshold(v, n_references=n_references, models=kind.to_dict())
        if rule["n_references"] not in [one["n_references"] for one in rules]:
            rules.append(rule)
except DevidError as error:
    print(error)
rates = ["unknown_named", "known_declined", "known_misnamed"]
told = pd.DataFrame(rules, columns=["n_references", "threshold", *rates]).set_index("n_references")
shown = told.style.format("{:.2f}", subset="threshold")
shown.format(lambda rate: "{:.1%} ({:.0%}-{:.0%})".format(*rate), subset=rates)

# %%
def threshold_at(theta):
    """Draw what a threshold on the best log10 ratio of all references does to known and to unknown sides."""
    _, ax = plt.subplots(figsize=(8, 3))
    for name, best in largest.items():
        named = f"{name}: {100 * (best >= theta).mean():.1f} % get a name"
        weights = np.full(len(best), 100 / len(best))
        ax.hist(np.clip(best, -3, 5), np.linspace(-3, 5, 41), weights=weights, alpha=0.6, label=named)
    for bound in bounds:
        ax.axvline(bound, color=plots.GREEN, ls=":", lw=1.6, label="bounds" if bound == bounds[0] else "_")
    ax.axvline(theta, color=plots.DARK, ls="--", lw=1.2, label="threshold")
    ax.set(xlabel="largest log10 likelihood ratio of all references", ylabel="sides [%]")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    if theta == start_at:
        session.save_figure(ax, "threshold", "The best of all references, when the device is among them and when it is not.")


largest, start_at, bounds = {}, 0.0, ()
if rules:
    bounds = comparison.bounds
    whole = np.isfinite(v.log10_lr).all(axis=1)
    own = kind[v.questioned[whole]].to_numpy()[:, np.newaxis] == kind[v.references].to_numpy()
    largest["known"] = v.log10_lr[whole].max(axis=1)
    largest["unknown"] = np.where(own, -np.inf, v.log10_lr[whole]).max(axis=1)
    start_at = rules[-1]["threshold"]
    session.interact(threshold_at, theta=FloatSlider(start_at, min=-3, max=5, step=0.01))

# %% [markdown]
# In Lab, move the threshold: to the right fewer unknown devices get a name, and more known ones lose theirs. The ratios are
# drawn as calibration makes them, those beyond the axis at its edge. Nobody reports such numbers: so few devices can show
# nothing beyond the dotted bounds (notebook 15), and a case tells no ratio that goes further.
#
# ## What can go wrong
#
# The unknown devices on which a threshold is chosen are the ones on which its errors are counted. Half of the devices choose
# the threshold with 5 % false acceptances, and it is measured on them and on the other half:

# %%
half = np.random.default_rng(p["seed"]).permutation(len(devices)) % 2
drawn = {}
for system, one in found[~found["known"]].groupby("system", sort=False):
    of_half = half[np.searchsorted(devices, one["device"])]
    for side in (0, 1):
        theta = np.quantile(one["score"][of_half == side], 0.95, method="higher")
        for name, where in {"on its own devices": side, "on other devices": 1 - side}.items():
            drawn.setdefault((system, name), []).append((one["score"][of_half == where] > theta).mean())
ways = ["on its own devices", "on other devices"]
drawn = pd.DataFrame({way: {system: np.mean(drawn[system, way]) for system in pairs} for way in ways})
drawn.map("{:.1%}".format)

# %% [markdown]
# And fewer devices than a rule needs are refused, with the reason:

# %%
try:
    verification.compare_corpus(recordings[recordings["device"].isin(devices[:4])], **options)
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
chance = {name: 0.5 for name in measures}
chance |= {f"false acceptance at {share:.0%} false rejection": 1 - share for share in (0.05, 0.01)}  # no order at all
chance |= {"named right": 1 / max(1, len(devices) * (n_groups - 1) // max(1, n_groups))}
rows = [
    {"system": system, "variant": f"devices left out, {PER} segments", "unit": "votes"}
    | {"metric": name, "chance": chance.get(name)}
    | row
    for (system, name), row in measured.items()
]
rows += [{"system": system, "variant": name, "unit": "votes", "metric": "AUROC", "chance": 0.5} | row
         for (system, name), row in of_unknown.items()]  # fmt: skip
for rule in rules:
    one = {"system": "PLDA, log10 ratio", "variant": f"none of {rule['n_references']}", "unit": "votes", "n": len(v.references)}
    rows.append(one | {"metric": "threshold", "value": rule["threshold"]})
    rows += [one | {"metric": name.replace("_", " ")} | dict(zip(("value", "low", "high"), rule[name], strict=True)) for name in rates]
own = session.finish(session.figures(rows or [{"system": "PLDA", "metric": "devices", "value": len(devices)}]))
own[["system", "variant", "metric", "value", "low", "high", "chance"]]

# %% [markdown]
# ## What we saw


# %%
def words(system, name):
    """Return a figure with its interval as words."""
    row = measured[system, name]
    return f"{row['value']:.1%} ({row['low']:.0%} to {row['high']:.0%})".replace("nan% to nan%", "from too few devices for an interval")


said_of = []
if not folds:
    said_of = [f"Of {len(devices)} devices none can be left out.", "Nothing was learnt.", "Nothing was asked."]
else:
    surest = sure["posterior"].astype(float)
    said_of.append(
        f"Of what no device made, the perceptron is surest of {surest.idxmax()}: {sure.loc[surest.idxmax(), 'named']}, "
        f"posterior {surest.max():.4f}; least of {surest.idxmin()}, {surest.min():.4f}."
    )
    order = sorted(systems, key=lambda system: -measured[system, "AUROC"]["value"])
    said_of.append(
        f"Area under the ROC, known against unknown devices, {len(devices)} devices left out in turn: from {order[-1]}, "
        f"{words(order[-1], 'AUROC')}, to {order[0]}, {words(order[0], 'AUROC')}; the softmax probability "
        f"{words('softmax probability', 'AUROC')}."
    )
    name = list(measures)[2]
    said_of.append(f"{order[0]}: {name} {words(order[0], name)}, named right {words(order[0], 'named right')}.")

# %%
if folds:
    chosen = drawn.mean()
    said_of.append(
        f"A threshold chosen for 5 % false acceptances lets {chosen['on its own devices']:.1%} pass of the devices that chose it, "
        f"{chosen['on other devices']:.1%} of others (mean of all systems)."
    )
for name in ("units of a known model", "models never seen"):
    areas = {system: row for (system, which), row in of_unknown.items() if which == name}
    if areas:
        system = max(areas, key=lambda system: areas[system]["value"])
        area = "{value:.1%} ({low:.0%} to {high:.0%})".format(**areas[system]).replace("100% to 100%", "no interval")
        said_of.append(f"Known devices against {name}: area under the ROC {area} at best ({system}).")
for rule in rules[-1:]:
    declined = "{:.1%} ({:.0%} to {:.0%})".format(*rule["known_declined"])
    said_of.append(
        f"With {rule['n_references']} references, the rule that lets 5 % of unknown sides get a name asks for a log10 ratio of "
        f"{rule['threshold']:.2f} and declines {declined} of the known ones."
    )
if folds and len(devices) < 20:
    said_of.append(f"All of this is about {len(devices)} devices: that one more behaves as these did is hardly shown by so few.")
session.saw(*said_of)

# %% [markdown]
# ## Exercises
#
# 1. Ask the perceptron about noise that is louder and louder. What becomes of the largest logit, and what of the posterior?
# 2. Leave $W$ out: take the cosine of coefficients as they are, without compensation. What is that worth, and why?
# 3. How long must a recording be? Ask with 2, 5, 10 and 20 segments a side.
#
# Worked answers: [solutions](solutions/14_unknown_device.ipynb)
#
# Next: [15 · Likelihood ratio](15_likelihood_ratio.ipynb)
