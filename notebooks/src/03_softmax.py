# %% [markdown]
# # 03 · Softmax regression
#
# **How far does one linear layer get?**
#
# | | |
# |---|---|
# | you will learn | what a linear classifier computes, how its cost is minimised, how to see what it has learned |
# | it needs | a corpus |
# | it makes | the first row of table II, the patterns of the devices |
# | it takes | half a minute |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
noise: str = "wavelet"  # noise extraction, wavelet or none
recipe: str = "default"  # default, or published (selects on the test set)

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.linalg import eigvalsh
from scipy.optimize import check_grad, minimize
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from devid_lib import evaluation, models, plots, training
from devid_lib.whitening import SHARES, whitening
from devid_lib.workbook import describe, joined, show, signed, start, told

session = start("03_softmax", globals())
p = session.params

# %% [markdown]
# ## Inputs
#
# One row of $X$ for every segment: the log spectrum of its noise (notebook 02). One number for its device.

# %%
recordings = session.recordings()
dataset = session.dataset(recordings)
devices, samplerate = list(dataset.devices), int(recordings["samplerate"].iloc[0])
X, y = np.asarray(dataset.X[dataset.mask("train")]), dataset.y[dataset.mask("train")]
print(f"{len(X)} training segments of {X.shape[1]} frequencies, {len(devices)} devices")

# %% [markdown]
# ## The posterior, equation (4)
#
# Each device $k$ of $K$ has a weight vector $\theta_k$: one weight for every frequency, and one, $\theta_{k0}$, for a
# constant $x_0 = 1$. The product $\theta_k^\top x$ is the device's *score*. The exponential makes scores positive, the
# sum in the denominator makes them add up to one:
#
# $$ P(y = k \mid x) = \frac{e^{\theta_k^\top x}}{\sum_{l=1}^{K} e^{\theta_l^\top x}} $$
#
# ## The cost, equation (5)
#
# Training looks for the weights that give the true devices $y^{(i)}$ of the $m$ training segments large posteriors. The
# first term is the mean of the negative log posterior of the true device. The second, the *weight decay*, makes large
# weights dear:
#
# $$ J(\theta) = -\frac{1}{m}\sum_{i=1}^{m} \log P(y^{(i)} \mid x^{(i)}) + \frac{\lambda}{2} \sum_{k}\sum_{j} \theta_{kj}^2 $$
#
# Its gradient is short. A weight goes up where the posterior of its device is too small, and down where it is too large
# ($1\{\cdot\}$ is one where the statement in braces holds, else zero):
#
# $$ \frac{\partial J}{\partial \theta_k} =
# \frac{1}{m}\sum_{i=1}^{m} \left( P(k \mid x^{(i)}) - 1\{y^{(i)} = k\} \right) x^{(i)} + \lambda\,\theta_k $$


# %%
def cost(theta, x, y, decay):
    """Return equation (5) and its gradient; column 0 of x is one."""
    theta = theta.reshape(x.shape[1], -1)
    truth = np.eye(theta.shape[1])[y]  # one where device k is the true one
    log_posterior = log_softmax(x @ theta, axis=1)  # logarithm of equation (4)
    value = -np.mean(np.sum(truth * log_posterior, axis=1)) + decay / 2 * np.sum(theta**2)
    gradient = x.T @ (np.exp(log_posterior) - truth) / len(x) + decay * theta
    return value, gradient.ravel()


def with_one(x):
    """Put the constant in front of the features."""
    return np.column_stack([np.ones(len(x)), x])


rng = np.random.default_rng(p["seed"])
few = rng.permutation(len(X))[:1000]
small = with_one(X[few[:50], 100:105]), y[few[:50]], 1e-3
theta = rng.normal(size=6 * len(devices))
error = check_grad(lambda t: cost(t, *small)[0], lambda t: cost(t, *small)[1], theta)
length = np.linalg.norm(cost(theta, *small)[1])
print(f"formula and measured slopes differ by {error / length:.0e} of the length of the gradient")
assert error < 1e-3

# %% [markdown]
# `check_grad` moves every weight a little and measures what the cost does: its slopes. Where they agree with the gradient,
# the formula is right.
#
# ## Downhill
#
# The plainest way down is a step against the gradient, $\theta \leftarrow \theta - \eta\, \partial J / \partial \theta$, again
# and again. How long may it be? No longer than $\eta = 1 / L$, where $L$ bounds how fast the slope changes: with $v_1$, the largest
# eigenvalue of the inputs' $\frac{1}{m} \sum_i x^{(i)} x^{(i)\top}$, it is $L = v_1 / 2 + \lambda$ (Böhning 1992). So the direction
# in which the inputs are largest sets the step for all, and in one whose eigenvalue is $v_j$ a step gets on by about $v_j / v_1$ of
# the way. L-BFGS, which the authors ran, remembers its last steps to guess how the slope bends, and steps farther where it bends little.
#
# We start with weights of zero. Then all devices are equally likely, and the cost is $\log K$. Some of the segments are
# enough to watch it, first on the spectra as they are, then on *whitened* ones, whose common swings are taken out
# (notebook 04 shows how).


# %%
def steps(x, labels, decay=1e-3, n=40):
    """Return the value of equation (5) after every one of n steps against the gradient, and the ten largest v."""
    v = eigvalsh(x @ x.T / len(x), subset_by_index=[len(x) - 10, len(x) - 1])[::-1]  # x.T @ x has the same
    theta, curve = np.zeros(x.shape[1] * len(devices)), []
    for _ in range(n):
        value, gradient = cost(theta, x, labels, decay)
        curve.append(value)
        theta -= gradient / (v[0] / 2 + decay)
    return curve, v


def minimised(x, labels, decay=1e-3):
    """Return where 100 steps of L-BFGS, or fewer, bring the weights, and the value of equation (5) after every step."""
    zeros, curve = np.zeros(x.shape[1] * len(devices)), [np.log(len(devices))]
    options = {"method": "L-BFGS-B", "jac": True, "options": {"maxiter": 100}}
    options["callback"] = lambda intermediate_result: curve.append(intermediate_result.fun)
    found = minimize(cost, zeros, (x, labels, decay), **options)
    return found.x.reshape(x.shape[1], -1), curve


# %%
mean, matrix = whitening(X[few], share=SHARES[p["noise"]])
inputs = {"spectra": with_one(X[few]), "whitened": with_one((X[few] - mean) @ matrix)}
with threadpool_limits(1):  # on vectors this short, several threads wait for each other
    found = {name: minimised(x, y[few]) for name, x in inputs.items()}
    plain = {name: steps(x, y[few]) for name, x in inputs.items()}
raw = found["spectra"][0]
for name, (_, v) in plain.items():
    print(f"{name}: the largest eigenvalue is {v[0] / v[1]:.3g} times the second, {v[0] / v[9]:.3g} times the tenth")

# %%
ax = plt.subplots(figsize=(7, 3.4))[1]
for color, name in zip(("C0", "C1"), inputs, strict=True):
    ax.plot(found[name][1], color=color, label=f"L-BFGS, {name}, {len(found[name][1]) - 1} steps")
    ax.plot(plain[name][0], color=color, ls=":", label=f"gradient, {name}")
ax.set(xlabel="step", ylabel="cost J", yscale="log")
ax.legend(bbox_to_anchor=(1, 1), loc="upper left")
session.save_figure(ax, "downhill", f"The cost of softmax regression on {len(few)} segments, step by step, in two ways.")

# %% [markdown]
# Spectra and whitened spectra are two different problems, since a weight on a whitened spectrum is another weight. But they
# show why inputs matter: where all frequencies rise and fall together, the cost is a narrow valley: the gradient crawls along
# it, and even L-BFGS needs many steps. One that took 100 was stopped on its way.
#
# ## The same in Keras
#
# A softmax regression is a network of one layer. With our weights in it, the layer gives our posterior, and its loss
# plus its penalty is our cost.

# %%
keras = models.import_keras()
layer = models.softmax(X.shape[1], len(devices), weight_decay=1e-3)
layer.set_weights([raw[1:], raw[0]])
posterior = layer.predict(X[few], batch_size=1000, verbose=0)
loss = keras.losses.SparseCategoricalCrossentropy()(y[few], posterior) + sum(layer.losses)

np.testing.assert_allclose(posterior, np.exp(log_softmax(with_one(X[few]) @ raw, axis=1)), atol=1e-4)
np.testing.assert_allclose(float(loss), cost(raw.ravel(), with_one(X[few]), y[few], 1e-3)[0], rtol=1e-3)

# %% [markdown]
# What equation (4) makes of the scores of one segment, the first of these:

# %%
score = (with_one(X[few[:1]]) @ raw)[0]
share = np.exp(score) / np.exp(score).sum()
np.testing.assert_allclose(share, posterior[0], atol=1e-4)
print("true:", devices[y[few[0]]])
pd.DataFrame({"score": score, "exp(score)": np.exp(score), "posterior": share}, devices).style.format("{:.3f}")

# %% [markdown]
# ## The whole training set
#
# From here on the library trains, with a *recipe*. `published` is L-BFGS on equation (5) with up to 400 steps, on all
# training segments (and on spectra with $c = 1$, notebook 02). (There are no epochs among which to select; "selects on
# the test set" is true of the other networks.) The `default` keeps the first term of equation (5) and changes the rest,
# so it does not minimise equation (5):
#
# - The penalty acts on the weights of whitened spectra, $x' = M^\top (x - \mu)$, where $\mu$ is the mean of the
#   training segments and $M$ the matrix that whitens them (notebook 04). With $\theta_k = M \theta'_k$ it is
#   $\frac{\lambda}{2} \sum_k \|M^{-1} \theta_k\|^2$ in place of $\frac{\lambda}{2} \sum_k \|\theta_k\|^2$: a weight is
#   dear where the segments vary much, not everywhere the same. Afterwards $M$ is folded into the weights.
# - Adam goes downhill in small batches, by the gradient alone.
# - It does not go to the bottom. After every epoch the cost is measured on *training* recordings that were left out,
#   one of each device (or a stretch of its only one). Then the layer is fitted anew to all, for as many epochs as were
#   best there.

# %%
model, history = session.fitted("softmax", recordings)
axes = plots.learning_curve(history)
session.save_figure(axes, "learning-curve", "Cost and accuracy of softmax regression while it is fitted.")
print(describe(history))
training.recipe_for("softmax", p["recipe"])

# %% [markdown]
# How far is the fitted layer from where L-BFGS stopped? We put both weights into our function. A larger cost need not
# be a worse answer: the recipe minimised another one, on more segments.

# %%
W, b = model.get_weights()
for name, theta in {"L-BFGS, these segments": raw, f"recipe {p['recipe']}, all segments": np.vstack([b, W])}.items():
    J, first_term = (cost(theta, with_one(X[few]), y[few], decay)[0] for decay in (1e-3, 0))
    print(f"{name}: J = {J:.4f}, first term {first_term:.4f}, weight decay {J - first_term:.4f}")

# %% [markdown]
# ## What has it learned?
#
# It is tempting to plot the weights and to read a large one as "this frequency speaks for the device". That is wrong.
# Two features show why. Both hear the noise $n$, only the first one hears the device $d$. The best weights are $1$ and
# $-1$: the second feature gets a large weight *though it knows nothing of the device*. It knows the noise, and takes it
# out of the first.
#
# What we want is the other direction: what changes in the spectrum when the score goes up. For a linear score that is
# its covariance with every feature (Haufe et al. 2014), the *pattern* of the device. With the $\theta_k$, without their
# constants, as the columns of $W$:
#
# $$ A = \mathrm{cov}(x)\, W, \qquad a_{jk} = \mathrm{cov}(x_j,\ \theta_k^\top x) $$

# %%
d, n = np.random.default_rng(0).normal(size=(2, 10000))
toy = np.column_stack([d + n, n])
w = np.linalg.lstsq(toy, d, rcond=None)[0]
print("weights", w.round(2), " pattern", (np.cov(toy.T) @ w).round(2))


# %%
def patterns(x, W):
    """Return what changes in x when the score of a device rises by one standard deviation."""
    scores = (x - x.mean(axis=0)) @ W
    return (x - x.mean(axis=0)).T @ scores / len(x) / scores.std(axis=0)


frequency = pd.Index(np.linspace(0, samplerate / 2, X.shape[1]), name="frequency [Hz]")
wide = max(1, round(200 / frequency[1]))  # features in 200 Hz
shown = {"weights": W, "pattern": patterns(X, W)}
highlight = devices[:: max(1, len(devices) // 3)][:3]
figure, axes = plt.subplots(2, 1, figsize=(9, 7), sharex=True, layout="constrained")
for ax, (name, values) in zip(axes, shown.items(), strict=True):
    spectra = pd.DataFrame(values, frequency, devices).rolling(wide, center=True, min_periods=1).mean()
    plots.device_spectra(spectra, highlight=highlight, ax=ax)
    ax.set(ylabel=name + " [log magnitude]" * (name == "pattern"), xlabel="frequency [Hz]" if ax is axes[-1] else "")
axes[1].get_legend().remove()
axes[0].set_title("above: how the answer is read out; below: what it is read from; smoothed over 200 Hz")
session.save_figure(axes, "patterns", "Weights of softmax regression, and the patterns they read, over frequency.")

# %% [markdown]
# Above, the curves cross all the time: many weights are there to cancel what the devices have in common. Below stand
# the broad shapes that a device adds or lacks. A curve that stays above zero over its whole length says that the
# device's noise is louder than that of the others: easy to learn, and lost as soon as somebody turns a knob.
#
# Is it true? The mean spectrum of a device minus the mean of all is what the device really looks like. We correlate it
# with its weights and with its pattern, over the frequencies.

# %%
contrast = np.stack([X[y == k].mean(axis=0) for k in range(len(devices))], axis=1) - X.mean(axis=0)[:, np.newaxis]
likeness = pd.DataFrame(
    {name: [np.corrcoef(v, c)[0, 1] for v, c in zip(values.T, contrast.T, strict=True)] for name, values in shown.items()}
)
likeness.agg(["min", "median", "max"]).style.format("{:.2f}")

# %% [markdown]
# ## Result
#
# Chance is what guessing the most frequent device would give. Segments of one recording are not independent, so their
# 95 % interval counts recordings, not segments. The leakage probe knows six trivial numbers of an excerpt (a tenth
# of a recording), such as its level, and no spectrum. What it names needs no fingerprint. Only what stands above it
# speaks for the spectrum.

# %%
posteriors = session.predictions("softmax", recordings)
rows = session.score(posteriors, system="softmax", table="II", variant=session.variant)
probe = session.score_probe(recordings)
ax = plots.accuracy_bars(joined(rows, probe))
session.save_figure(ax, "accuracy", "Softmax regression beside chance, the leakage probe and the paper's figure.")

# %% [markdown]
# The weights that L-BFGS found with some of the segments name the test segments, too. Which of the two is right more
# often, recording by recording? Where the interval holds zero they are *not told apart*: such a difference may be luck.
# $p$ is how often the mean is as large when a coin gives each difference its sign (notebook 10).

# %%
lbfgs = evaluation.voted(training.predict(layer, dataset), unit="segment")
alone = evaluation.voted(posteriors, unit="segment")
pair = f"The recipe {p['recipe']} on all {len(X)} segments", f"L-BFGS on {len(few)} of them"
test = evaluation.compared({pair: (alone, lbfgs)}, names=["", "against"], better="is ahead of", worse="is behind")
signed(test)

# %% [markdown]
# ## What can go wrong
#
# Equation (4) as it stands overflows: `exp` of a score above 709 is infinite, and infinite divided by infinite is not
# a number. Taking the largest score from all of them first changes nothing in the quotient and keeps it finite.

# %%
scores = np.array([1000.0, 999.0, 0.0])
with np.errstate(over="ignore", invalid="ignore"):
    print("as it stands      ", np.exp(scores) / np.exp(scores).sum())
print("largest one is zero", np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum())

# %% [markdown]
# ## Results of this notebook

# %%
extra = {"system": "softmax", "variant": f"{p['noise']}, equation (5), {len(few)} segments", "unit": "segment", "metric": "accuracy"}
show(session.finish(rows, session.figures([extra | evaluation.accuracy(lbfgs)]), probe))

# %% [markdown]
# ## What we saw

# %%
(_, segment), (_, recording) = rows.iterrows()
verdict = test["verdict"].iloc[0].replace("apart", "apart from")
session.saw(
    f"One linear layer names {segment['value']:.1%} of the segments (95 % interval {segment['low']:.1%} to "
    f"{segment['high']:.1%}, chance {segment['chance']:.1%}). When all segments of a recording vote, {recording['value']:.1%} of "
    f"{recording['n']} recordings are right ({recording['low']:.0%} to {recording['high']:.0%}).",
    f"The leakage probe names {probe['value'].iloc[0]:.1%} of the excerpts and {probe['value'].iloc[-1]:.1%} of the "
    "recordings: that much needs no spectrum.",
    f"L-BFGS took {len(found['whitened'][1]) - 1} steps on whitened spectra; on the spectra as they are it had taken "
    f"{len(found['spectra'][1]) - 1} when it stopped (at most 100).",
    f"{pair[0]} {verdict} {pair[1]} ({told(test.iloc[0])}).",
    f"What sets a device's mean spectrum apart looks most like its {likeness.median().idxmax()}: the median correlation is "
    f"{likeness['pattern'].median():.2f} with the pattern, {likeness['weights'].median():.2f} with the weights.",
)

# %% [markdown]
# ## Exercises
#
# 1. Minimise equation (5) with $\lambda$ from $10^{-5}$ to $1$. What becomes of the weights, and of the accuracy on the
#    segments fitted and on test segments?
# 2. Set the weights above 8 kHz (at low sample rates, above 4 kHz) to zero and predict again. How much of the answer is up there? Is that what the pattern
#    says?
#
# Worked answers: [solutions](solutions/03_softmax.ipynb)
#
# Next: [04 · Multilayer perceptron](04_mlp.ipynb)
