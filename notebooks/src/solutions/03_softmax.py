# %% [markdown]
# # 03 · Softmax regression: answers
#
# Worked answers to the exercises of [03 · Softmax regression](../03_softmax.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from devid_lib import evaluation
from devid_lib.workbook import start

session = start("03_softmax-answers", globals())
recordings = session.recordings()
dataset = session.dataset(recordings)
samplerate, n_devices = int(recordings["samplerate"].iloc[0]), len(dataset.devices)

# %% [markdown]
# **1. Minimise equation (5) with $\lambda$ from $10^{-5}$ to $1$. What becomes of the weights, and of the accuracy on the
# segments fitted and on test segments?**


# %%
def cost(theta, x, y, decay):
    """Return equation (5) and its gradient; column 0 of x is one."""
    theta = theta.reshape(x.shape[1], -1)
    truth = np.eye(theta.shape[1])[y]
    log_posterior = log_softmax(x @ theta, axis=1)
    value = -np.mean(np.sum(truth * log_posterior, axis=1)) + decay / 2 * np.sum(theta**2)
    return value, (x.T @ (np.exp(log_posterior) - truth) / len(x) + decay * theta).ravel()


x = np.column_stack([np.ones(len(dataset.X)), dataset.X])
few = np.random.default_rng(0).permutation(np.flatnonzero(dataset.mask("train")))[:500]
test = np.flatnonzero(dataset.mask("test", draw=0))
options, results = {"method": "L-BFGS-B", "jac": True, "options": {"maxiter": 60}}, {}
for decay in 10.0 ** np.arange(-5, 1):
    with threadpool_limits(1):  # on vectors this short, several threads wait for each other
        theta = minimize(cost, np.zeros(x.shape[1] * n_devices), (x[few], dataset.y[few], decay), **options).x
    theta = theta.reshape(x.shape[1], -1)
    right = {name: (x[rows] @ theta).argmax(axis=1) == dataset.y[rows] for name, rows in {"fitted": few, "test": test}.items()}
    results[decay] = {"size of the weights": np.linalg.norm(theta)} | {name: values.mean() for name, values in right.items()}
table = pd.DataFrame(results).T.rename_axis("decay")

# %%
ax = (100 * table[["fitted", "test"]]).plot(logx=True, marker="o", figsize=(7, 3.4))
ax.set(xlabel="λ", ylabel="accuracy [%]", title="softmax regression on 500 segments")
session.save_figure(ax, "decay", "Accuracy of softmax regression against the weight decay.")
table.style.format("{:.1%}", subset=["fitted", "test"]).format("{:.2f}", subset="size of the weights")

# %%
best = table["test"].idxmax()
print(
    f"From λ = {table.index[0]:g} to {table.index[-1]:g} the weights shrink by a factor of "
    f"{table['size of the weights'].iloc[0] / table['size of the weights'].iloc[-1]:.0f}. The largest decay fits "
    f"{table['fitted'].iloc[-1]:.1%} of its own segments, the smallest {table['fitted'].iloc[0]:.1%}. Test segments are "
    f"named best at λ = {best:g} ({table['test'].max():.1%}), worst at {table['test'].idxmin():g} ({table['test'].min():.1%}). "
    "To *choose* λ, look at held-out training segments: the test segments may be looked at once."
)

# %% [markdown]
# **2. Set the weights above 8 kHz (at low sample rates, above 4 kHz) to zero and predict again. How much of the answer is up there? Is that what the pattern
# says?**
#
# We do it for four bands, and also keep one band alone. A weight of zero is no neutral place: the score loses what
# those frequencies said on average, too. So frequencies are set to their mean over the training segments, which takes
# away their differences only.

# %%
model, _ = session.fitted("softmax", recordings)
W, b = model.get_weights()
X, mean = np.asarray(dataset.X[test]), dataset.X[dataset.mask("train")].mean(axis=0)
frequency = np.linspace(0, samplerate / 2, X.shape[1])
edges = [0, 1000, 4000, 8000, samplerate / 2 + 1] if samplerate > 16000 else [0, 1000, 2000, 4000, samplerate / 2 + 1]


def named(x):
    """Return the decisions of the fitted layer as a prediction table."""
    posterior = np.exp(log_softmax(x @ W + b, axis=1))
    return evaluation.predictions_table(posterior, dataset.segments.iloc[test], dataset.devices)


whole, rows, pairs = named(X), {}, {}
for low, high in zip(edges[:-1], edges[1:], strict=True):
    band = (frequency >= low) & (frequency < high)
    without, alone = (named(np.where(kept, X, mean)) for kept in (~band, band))
    named_right = {"without": evaluation.correct(without).mean(), "alone": evaluation.correct(alone).mean()}
    share = {"squared weights": np.sum(W[band] ** 2) / np.sum(W**2)}
    name = f"{low / 1000:g} to {min(high, samplerate / 2) / 1000:g} kHz"
    rows[name], pairs[name] = named_right | share, (without, whole)
tests = evaluation.compared(pairs, names=["band"]).rename(columns={"verdict": "leaving it out"})
bands = pd.DataFrame(rows).T.join(tests[["difference", "p", "leaving it out"]])
bands.style.format("{:.1%}", subset=[*named_right, *share, "difference"])

# %%
top = bands.index[-1]
print(
    f"All frequencies: {evaluation.correct(whole).mean():.1%}. Without {top}: {bands.loc[top, 'without']:.1%}, {top} alone: "
    f"{bands.loc[top, 'alone']:.1%}; it holds {bands.loc[top, 'squared weights']:.0%} of the squared weights. Zero weights instead of "
    f"mean frequencies: {evaluation.correct(named(np.where(band, 0, X))).mean():.1%}."
)

# %% [markdown]
# A band with large weights need not be a band that the answer needs, and the weights of the other bands were fitted in
# its company: trained without it, they would be others. The pattern says where the devices differ, this table says where
# *this* layer looks. To know what a band is worth, train without it.
