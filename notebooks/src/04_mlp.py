# %% [markdown]
# # 04 · Multilayer perceptron
#
# **Do hidden layers help, and how many?**
#
# | | |
# |---|---|
# | you will learn | what a network computes, how its inputs are prepared, how to compare networks whose training is random |
# | it needs | a corpus |
# | it makes | the perceptrons' rows of table II, a strip plot over seeds, a test of every step |
# | it takes | a minute; at paper size two |

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
import seaborn as sns
from scipy.special import softmax

from devid_lib import evaluation, models, plots
from devid_lib.errors import DevidError
from devid_lib.whitening import SHARES, whitening
from devid_lib.workbook import describe, differences, joined, show, signed, start, told
from devid_lib.workbook.paper import PAPER

session = start("04_mlp", globals())
p = session.params
keras = models.import_keras()

# %% [markdown]
# ## Inputs
#
# The same spectra as in notebook 03. For what we do by hand, some segments of every training recording are enough.

# %%
recordings = session.recordings()
dataset = session.dataset(recordings)
devices, samplerate = list(dataset.devices), int(recordings["samplerate"].iloc[0])
train = dataset.segments[dataset.mask("train")]
some = max(5, (600 if p["size"] == "quick" else 900) // train.groupby(["device", "recording"]).ngroups)  # of every one
few = train.groupby(["device", "recording"]).head(some).index
X, y = np.asarray(dataset.X[few]), dataset.y[few]
print(f"{len(train)} training segments of {X.shape[1]} frequencies, {len(devices)} devices; by hand {len(few)} of them")

# %% [markdown]
# ## Hidden layers
#
# A hidden layer mixes all frequencies into new features and bends them:
#
# $$ h^{(1)} = \tanh\left(W^{(1)} x + b^{(1)}\right), \qquad h^{(2)} = \tanh\left(W^{(2)} h^{(1)} + b^{(2)}\right), \dots $$
#
# The last layer is softmax regression (notebook 03) on $h$ in place of $x$. Without the tanh all layers together
# would be one linear layer again. The largest of the paper's perceptrons (figure 2):

# %%
hidden = models.SYSTEMS["mlp-3"].hidden
layers = [("spectrum", X.shape[1]), *((f"tanh {i}", units) for i, units in enumerate(hidden, 1)), ("devices", len(devices))]
print("units in hidden layers:", {name: models.SYSTEMS[name].hidden for name in ("mlp-1", "mlp-2", "mlp-3")})
ax = plots.network(layers)
session.save_figure(ax, "network", "The perceptron with three hidden layers, after figure 2 of the paper.")

# %% [markdown]
# ## What goes in
#
# Log spectra swing together: where the noise gets louder, all features rise. How loud it is may tell of the device, but
# so large a swing drives every hidden unit from the first step on, and drowns the small ones, of which there are many.
# *Whitening* makes them equal (what that is worth is exercise 1). First every feature gets mean zero and variance one,
# $z = (x - \mu) / \sigma$. The correlation matrix of $z$ has eigenvectors $U$, the directions in which features swing
# together, and eigenvalues $v_i$, how much. Each direction is shrunk by what it swings:
#
# $$ x' = U \,\mathrm{diag}\left(\frac{1}{\sqrt{v_i + v_0}}\right) U^\top z $$
#
# Directions with $v_i \gg v_0$ come down to one size. Those far below keep their proportion: blown up, they would name a
# little more in the same session and much less in another. $v_0$ is a small share of all variance, chosen on development
# data, and smaller for noise than for whole segments. In the end all is scaled to an average variance of one.


# %%
def white_map(x, share):
    """Return mean and matrix, so that (x - mean) @ matrix is white, eigenvalues and directions."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.maximum(deviation, 0.01 * np.median(deviation) + 1e-6)  # of a frequency that never changes
    z = (x - mean) / deviation
    v, U = np.linalg.eigh(z.T @ z / len(z))
    matrix = U / np.sqrt(np.maximum(v, 0) + share * v.sum()) @ U.T
    matrix /= np.std(z @ matrix)
    return mean, matrix / deviation[:, np.newaxis], v, U


share, every8th = SHARES[p["noise"]], X[:, ::8]  # quick to check
for ours, library in zip(white_map(every8th, share), whitening(every8th, share=share), strict=False):
    np.testing.assert_allclose(ours, library, rtol=1e-3, atol=1e-4)

mean, matrix, v, U = white_map(X, share)
white = (X - mean) @ matrix
shares = {"spectra": v / v.sum(), "whitened": v / (v + share * v.sum())}
shares = {name: np.sort(values)[::-1] / values.sum() for name, values in shares.items()}
largest = pd.DataFrame(white @ U[:, :-5:-1])  # how far each segment goes in the four largest directions
shares["between devices"] = largest.groupby(y).transform("mean").var() / largest.var()
table = pd.DataFrame({name: values[:4] for name, values in shares.items()})
table.set_axis(range(1, len(table) + 1)).rename_axis("direction").style.format("{:.1%}")

# %% [markdown]
# In the first direction lies the swing in common, that of loudness. The last column says how much of a direction's
# variance is differences between devices: those that follow hold little of all that varies, but the device may say more
# in them. How the frequencies correlate:

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (name, values) in zip(axes, {"spectra": X, "whitened": white}.items(), strict=True):
    corner = [0, samplerate / 2000, samplerate / 2000, 0]
    correlation = np.corrcoef(values[:, ::16].T)
    image = ax.imshow(correlation, vmin=-1, vmax=1, cmap="RdBu_r", extent=corner)
    ax.set(title=f"{name}, median {np.median(correlation):.2f}", xlabel="frequency [kHz]", ylabel="frequency [kHz]")
    ax.grid(False)
figure.colorbar(image, ax=axes, label="correlation", shrink=0.8)
session.save_figure(axes, "whitening", "How frequencies of the training segments swing together, before and after whitening.")

# %% [markdown]
# Left, the redder, the more one frequency tells of another. Right, each goes its own way, and a network can weigh them
# one by one. (With noise extraction a second diagonal may show. It joins frequencies that mirror each other at a quarter
# of the sample rate: a threshold in the finest octave of the wavelet transform leaves aliases.)
#
# ## A perceptron, built, compiled and fitted
#
# One hidden layer of 200 units. The last layer starts near zero, as published, so that at first all devices are about
# equally likely. `compile` names the cost and the way downhill, `fit` goes: it takes a batch of segments, follows the
# chain rule back from the cost to every weight (*backpropagation*), moves the weights a little, and takes the next
# batch. An epoch is once through all segments.

# %%
keras.utils.set_random_seed(p["seed"])
near_zero = keras.initializers.RandomNormal(stddev=0.01)
net = keras.Sequential([
    keras.Input((X.shape[1],)),
    keras.layers.Dense(200, activation="tanh"),
    keras.layers.Dense(len(devices), activation="softmax", kernel_initializer=near_zero),
])
net.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
curve = net.fit(white, y, batch_size=64, epochs=5, verbose=0)
pd.DataFrame(curve.history, index=range(1, 6)).rename_axis("epoch").T.style.format("{:.3f}")

# %% [markdown]
# What has been fitted is a handful of matrices, and what it answers is two lines of numpy. The library's `models.mlp`
# is the same network. And since whitening is linear, it can be folded into the first layer, $W^{(1)} x' = W^{(1)}
# M^\top (x - \mu)$, $M$ being the matrix of `white_map`: then the network takes spectra as they are. The library does
# that, too.


# %%
def forward(x, weights):
    """Return the posterior: tanh layers, then softmax."""
    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = np.tanh(x @ W + b)
    return softmax(x @ weights[-2] + weights[-1], axis=1)


W1, b1, W2, b2 = net.get_weights()
by_hand = forward(white, [W1, b1, W2, b2])

twin = models.mlp(X.shape[1], len(devices), hidden=(200,))
twin.set_weights(net.get_weights())
folded = models.mlp(X.shape[1], len(devices), hidden=(200,))
folded.set_weights([matrix @ W1, b1 - mean @ matrix @ W1, W2, b2])

np.testing.assert_allclose(by_hand, net.predict_on_batch(white), atol=1e-4)
np.testing.assert_allclose(by_hand, twin.predict_on_batch(white), atol=1e-4)
np.testing.assert_allclose(by_hand, folded.predict_on_batch(X), atol=1e-3)

# %% [markdown]
# ## Training
#
# The paper's largest perceptron on all training segments. When training accuracy goes on rising and validation does
# not, the network learns its segments by heart. So one training recording of each device is left out (or a stretch of its
# only one), and after every epoch the validation loss is measured there, on some thousand segments at most. Then the network
# is fitted anew to all, for as many epochs as were best there. The loss that is drawn holds the weight decay, too.

# %%
model, history = session.fitted("mlp-3", recordings)
axes = plots.learning_curve(history)
session.save_figure(axes, "learning-curve", "Cost and accuracy of the perceptron with three hidden layers.")
print(describe(history))

# %% [markdown]
# ## How many layers?
#
# A fit starts from random weights and takes the segments in random order. Another seed gives another network and
# another accuracy. So one fit each of one, two and three layers says little: the next seed may turn their order round.
#
# We train every network from several seeds, all on the same small training set for the same number of epochs. Without a
# hidden layer it is softmax regression. For so few segments the layers are a quarter as wide as published.
#
# In the same way we try equation (6). The paper's text writes the cost of a segment as half the squared distance
# between the posterior, there called $y$, and the unit vector $d$ of the true device, summed over the devices $i$; its
# program minimises the cross-entropy of equation (5).
#
# $$ \varepsilon = \frac{1}{2} \sum_i (d_i - y_i)^2 $$


# %%
def squared_error(d, y):
    """Return equation (6)."""
    return 0.5 * keras.ops.sum(keras.ops.square(d - y), axis=-1)


def perceptron(hidden, number):
    """Return a perceptron whose first weights are drawn with seed ``number``."""
    keras.utils.set_random_seed(number)
    decay, small = keras.regularizers.L2(1e-4), keras.initializers.RandomNormal(stddev=0.01)
    layers = [keras.layers.Dense(units, "tanh", kernel_regularizer=decay) for units in hidden]
    last = keras.layers.Dense(len(devices), "softmax", kernel_initializer=small, kernel_regularizer=decay)
    return keras.Sequential([keras.Input((X.shape[1],)), *layers, last])


def epoch(net, rng):
    """Take all segments once, in random order, in batches of 64: what `fit` does, without its bookkeeping."""
    batch = min(64, len(white))
    for rows in rng.permutation(len(white))[: len(white) // batch * batch].reshape(-1, batch):
        net.train_on_batch(white[rows], np.eye(len(devices))[y[rows]])


# %%
test = np.flatnonzero(dataset.mask("test", draw=0))
white_test = (np.asarray(dataset.X[test]) - mean) @ matrix


def from_seeds(hidden, loss, numbers):
    """Train a perceptron from every seed; return its prediction tables of the test segments."""
    net, tables = perceptron(hidden, 0), []
    net.compile(keras.optimizers.Adam(3e-3), loss)
    net.optimizer.build(net.trainable_variables)
    blank = [variable.numpy() for variable in net.optimizer.variables]
    for number in numbers:
        net.set_weights(perceptron(hidden, number).get_weights())
        for variable, value in zip(net.optimizer.variables, blank, strict=True):
            variable.assign(value)  # the optimiser forgets, too; to compile a new one takes longer than to train
        rng = np.random.default_rng(number)
        for _ in range(5):
            epoch(net, rng)
        posterior = forward(white_test, net.get_weights())
        tables.append(evaluation.predictions_table(posterior, dataset.segments.iloc[test], devices))
    return tables


systems = ("softmax", "mlp-1", "mlp-2", "mlp-3")
numbers = range(p["seed"], p["seed"] + 5)
hidden = {system: [units // 4 for units in models.SYSTEMS[system].hidden] for system in systems}
answers = {system: from_seeds(hidden[system], "categorical_crossentropy", numbers) for system in systems}
answers["mlp-1, squared error"] = from_seeds(hidden["mlp-1"], squared_error, numbers)

# %%
right = pd.DataFrame({name: [evaluation.correct(table).mean() for table in tables] for name, tables in answers.items()})
ax = sns.stripplot(100 * right, orient="h", jitter=0.15, alpha=0.8, palette="colorblind")
sns.pointplot(100 * right, orient="h", errorbar=None, linestyle="none", marker="|", markersize=25, color="0.25", ax=ax)
ax.figure.set_size_inches(8, 3)
ax.set(xlabel=f"test segments named right [%], {len(few)} training segments", title="a point is a seed, a bar the mean")
session.save_figure(ax, "seeds", "Perceptrons of several depths, each trained from several seeds on the same small set.")

# %% [markdown]
# The spread along a row is what a seed can do. Other test recordings would move whole rows, and that is the larger
# doubt. So the test pairs two networks recording by recording, over all their seeds. Of several tests one may come out
# by luck: the p-values are adjusted for their number (Holm), and an interval reaches to zero where the adjusted p is above
# 5 %. *Not told apart* means that it may be luck, not that there is none.


# %%
together = {name: pd.concat(tables) for name, tables in answers.items()}
steps = [("mlp-1", "softmax"), ("mlp-2", "mlp-1"), ("mlp-3", "mlp-2"), ("mlp-1, squared error", "mlp-1")]
wording = {"better": "beats", "worse": "loses to"}
tests = evaluation.compared({f"{b} against {a}": (together[b], together[a]) for b, a in steps}, **wording)
signed(tests)

# %% [markdown]
# ## Result
#
# Table II: all training segments, layers as wide as published, one seed. Softmax regression of notebook 03 stands
# beside.

# %%
posteriors = {system: session.predictions(system, recordings) for system in systems}
rows = [
    session.score(posteriors[system], system=system, table="" if system == "softmax" else "II", variant=session.variant)
    for system in systems
]
probe = session.score_probe(recordings)
show(*rows, probe)

# %%
ax = plots.accuracy_bars(joined(*rows, probe))
session.save_figure(ax, "accuracy", "Perceptrons beside softmax regression, chance, the leakage probe and the paper.")

# %%
alone = {system: evaluation.voted(table, unit="segment") for system, table in posteriors.items()}
full = {f"{b} against {a}": (alone[b], alone[a]) for b, a in (*steps[:3], ("mlp-3", "softmax"))}
full = evaluation.compared(full, **wording)
signed(full)

# %% [markdown]
# ## What can go wrong
#
# A network trained on whitened spectra accepts others without complaint. Nothing says how much worse its answers are
# then. A network whose hidden layer has no unit is refused.

# %%
forgotten = forward(np.asarray(dataset.X[test]), net.get_weights()).argmax(axis=1) == dataset.y[test]
minded = forward(white_test, net.get_weights()).argmax(axis=1) == dataset.y[test]
print(f"whitened: {minded.mean():.1%} of the test segments; whitening forgotten: {forgotten.mean():.1%}")

try:
    models.mlp(X.shape[1], len(devices), hidden=(1000, 0))
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
variant = f"{p['noise']}, {len(few)} training segments, {len(numbers)} seeds"
seeds = [
    {"system": name, "variant": variant, "unit": "segment", "metric": metric, "value": value, "n": len(test)}
    for name, values in right.items()
    for metric, value in {"mean accuracy": values.mean(), "s.d. between seeds": values.std()}.items()
]
later, against = zip(*steps, strict=True)
of_tests = differences(tests, system=later, variant=[f"{variant}, against {a}" for a in against], unit="segment")
own = session.finish(*rows[1:], session.figures(seeds + of_tests), probe)
own[["table", "system", "variant", "unit", "value", "low", "high", "paper"]].head(6)

# %% [markdown]
# ## What we saw

# %%
said = [
    f"{name.replace('against', row['verdict']).replace('apart', 'apart from')} ({told(row)})"
    for name, row in [*tests.iterrows(), *full.tail(1).iterrows()]
]
depth = pd.concat([tests[:-1], full])["verdict"].value_counts()
paper = {system: PAPER["II", system, "wavelet", "segment"] for system in ("mlp-3", "softmax")}
session.saw(
    f"One direction holds {shares['spectra'][0]:.0%} of the variance of the spectra, after whitening "
    f"{shares['whitened'][0]:.1%}.",
    f"Trained from {len(numbers)} seeds on {len(few)} segments, layers a quarter as wide as published (p adjusted for "
    f"several tests): {'; '.join(said[:-1])}.",
    f"A seed alone moves the accuracy by {100 * right.std().max():.1f} points (largest s.d. between seeds).",
    f"On all {len(train)} training segments, one seed, {said[-1]}; the paper prints {paper['mlp-3']:.0%} against "
    f"{paper['softmax']:.0%}.",
    f"Do hidden layers help, and how many? Of {depth.sum()} comparisons of a deeper network with a shallower one, the deeper "
    f"wins {depth.get('beats', 0)}, loses {depth.get('loses to', 0)}, and {depth.get('is not told apart', 0)} are not told apart by "
    f"{full['n'].iloc[0]:.0f} test recordings.",
)

# %% [markdown]
# ## Exercises
#
# 1. Train the perceptron of 200 units on spectra that are standardised but not whitened, and with Keras's own start for
#    the last layer in place of one near zero. What are the two worth, alone and together?
# 2. Dropout switches hidden units off at random while the network learns. Put `keras.layers.Dropout(0.5)` behind the
#    hidden layer. What becomes of the gap between training and validation?
#
# Worked answers: [solutions](solutions/04_mlp.ipynb)
#
# Next: [05 · Without noise extraction](05_without_noise_extraction.ipynb)
