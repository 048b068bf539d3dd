# %% [markdown]
# # 06 · Model averaging
#
# **Do two half-segments through two networks help?**
#
# | | |
# |---|---|
# | you will learn | how to build a network with two branches, what its joined layer really does, what cutting a segment in two costs and brings |
# | it needs | a corpus; the perceptrons of notebook 04, or it trains them |
# | it makes | table IV, a test for every depth |
# | it takes | half a minute; at paper size one minute |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
noise: str = "wavelet"  # noise extraction, wavelet or none
recipe: str = "default"  # default, or published (selects on the test set)

# %%
import numpy as np
import pandas as pd
from scipy.special import softmax

from devid_lib import evaluation, models, plots
from devid_lib.errors import DevidError
from devid_lib.workbook import describe, differences, joined, show, signed, start, told
from devid_lib.workbook.paper import PAPER

session = start("06_model_averaging", globals())
p = session.params
keras = models.import_keras()

# %% [markdown]
# ## Inputs
#
# The same segments as before, cut into two halves; each half gets its own noise extraction and spectrum.

# %%
recordings = session.recordings()
dataset = session.dataset(recordings, representation="halves")
devices, samplerate = list(dataset.devices), int(recordings["samplerate"].iloc[0])
n_parts, n_features = dataset.X.shape[1:]
print(f"{int(dataset.mask('train').sum())} training segments, {n_parts} halves of {n_features} frequencies")
for name, samples in {"segment": p["segment_length"], "half": p["segment_length"] // 2}.items():
    print(f"{name}: {1000 * samples / samplerate:.0f} ms, a frequency every {samplerate / samples:.1f} Hz")

# %% [markdown]
# Half the time, half the resolution: two spectra of a half have about as many numbers as one of the whole, but they show
# coarser frequencies at two moments in place of finer ones at one.
#
# ## Two branches in Keras
#
# Each half $x_a, x_b$ runs through hidden layers of its own; the two last hidden layers stand side by side before the
# softmax (figure 4):
#
# $$ P(y = k \mid x_a, x_b) = \mathrm{softmax}_k\left(W \begin{bmatrix} h_a(x_a) \\ h_b(x_b) \end{bmatrix} + b\right) $$
#
# A `Sequential` cannot fork. In Keras's *functional* style a layer is called on what another one returned, and a `Model`
# is everything between an input and an output:

# %%
keras.utils.set_random_seed(p["seed"])
inputs = keras.Input((n_parts, n_features))
a, b = inputs[:, 0], inputs[:, 1]
for units in (60, 30):
    a = keras.layers.Dense(units, "tanh")(a)
    b = keras.layers.Dense(units, "tanh")(b)
side_by_side = keras.layers.Concatenate()([a, b])
outputs = keras.layers.Dense(len(devices), "softmax")(side_by_side)
net = keras.Model(inputs, outputs)

twin = models.averaged_mlp(n_features, len(devices), hidden=(60, 30))
layers = [f"part{part}_hidden{i}" for i in (1, 2) for part in (1, 2)] + ["device"]
for ours, name in zip([layer for layer in net.layers if layer.weights], layers, strict=True):
    twin.get_layer(name).set_weights(ours.get_weights())
x = np.array(dataset.X[:64])
np.testing.assert_allclose(net.predict_on_batch(x), twin.predict_on_batch(x), atol=1e-5)

# %%
hidden = models.SYSTEMS["averaged-mlp-3"].hidden
boxes = [("half spectrum", n_features), *((f"tanh {i}", units) for i, units in enumerate(hidden, 1))]
ax = plots.network([*boxes, ("joined", 2 * hidden[-1]), ("devices", len(devices))], branches=2)
session.save_figure(ax, "network", "Model averaging with three hidden layers a half, after figure 4 of the paper.")

# %% [markdown]
# ## Fitted

# %%
system = "averaged-mlp-3"
model, history = session.fitted(system, recordings)
axes = plots.learning_curve(history)
session.save_figure(axes, "learning-curve", "Model averaging with three hidden layers a half, while it is fitted.")
print(describe(history))
plain = models.mlp(p["segment_length"] // 2 + 1, len(devices))
print(f"weights: {model.count_params():,}; the plain perceptron on whole segments has {plain.count_params():,}")

# %% [markdown]
# ## What is averaged?
#
# Cut the last weight matrix where the halves meet, $W = [W_a\ W_b]$. Then the scores are a sum, and nothing else:
#
# $$ W \begin{bmatrix} h_a \\ h_b \end{bmatrix} + b = \underbrace{W_a h_a}_{\text{scores of one half}} + \underbrace{W_b h_b}_{\text{scores of the other}} + b $$
#
# So each half votes on its own, and their scores are added. That multiplies their probabilities (and makes them add up
# to one again). Notebook 07 adds probabilities instead. The difference to two separate networks is only that these
# were trained for their sum. With the fitted weights:

# %%
test = np.flatnonzero(dataset.mask("test", draw=0))
h = models.last_hidden(model).predict(np.array(dataset.X[test]), batch_size=len(test), verbose=0)
W, bias = model.get_layer("device").get_weights()
h_a, h_b = np.split(h, 2, axis=1)
W_a, W_b = np.split(W, 2)

first, second = softmax(h_a @ W_a + bias, axis=1), softmax(h_b @ W_b + bias, axis=1)
both = softmax(h_a @ W_a + h_b @ W_b + bias, axis=1)
product = first * second / softmax(bias)  # the bias counts once
np.testing.assert_allclose(both, product / product.sum(axis=1, keepdims=True), atol=1e-4)
np.testing.assert_allclose(both, model.get_layer("device")(h), atol=1e-4)

# %% [markdown]
# Who is right when the halves disagree? With the posteriors of both at hand, other rules cost nothing (Kittler et al. 1998):
# the product trusts that the halves are independent given the device, and one sure *no* overrules the other half; the sum
# forgives it; the larger posterior of any half decides alone.

# %%
rules = {"first half": first, "second half": second, "product": both, "sum": first + second, "larger": np.maximum(first, second)}
y = dataset.y[test]
right = pd.DataFrame({name: posterior.argmax(axis=1) == y for name, posterior in rules.items()})
agree = first.argmax(axis=1) == second.argmax(axis=1)
table = pd.DataFrame({"the halves agree": right[agree].mean(), "they do not": right[~agree].mean(), "all": right.mean()})
ax = (100 * table).plot.bar(rot=0, figsize=(8, 3.4), color=["C2", "C1", "C0"])
ax.set(ylabel="segments named right [%]", ylim=(0, 100), title=f"the halves agree on {agree.mean():.0%} of the segments")
ax.legend(bbox_to_anchor=(1, 1), loc="upper left")
session.save_figure(ax, "halves", "What each half of a segment names alone, and both together by three rules.")

# %% [markdown]
# Each half alone is a network that hears half as long. What both together gain over one is what a second voter brings,
# and that is decided where the halves disagree. Whether it makes up for the coarser spectra is the question of table IV.
# That table cannot tell averaging from size: the layers of a half are half as wide as those of the plain perceptron or narrower,
# and the weights fewer (counted above).
#
# ## Result
#
# Table IV sets averaging beside the plain perceptron with the same number of layers.

# %%
posteriors, rows = {}, []
for depth in (1, 2, 3):
    for system in (f"averaged-mlp-{depth}", f"mlp-{depth}"):
        posteriors[system] = session.predictions(system, recordings)
        rows.append(session.score(posteriors[system], system=system, table="IV", variant=session.variant))
probe = session.score_probe(recordings)
show(*rows, probe)

# %%
ax = plots.accuracy_bars(joined(*rows, probe))
session.save_figure(ax, "accuracy", "Model averaging beside the plain perceptrons, chance, the probe and the paper.")

# %% [markdown]
# Both networks have heard the same test segments, so they are compared recording by recording. Three depths are three
# tests, and their p-values are adjusted for it (Holm).


# %%
alone = {name: evaluation.voted(table, unit="segment") for name, table in posteriors.items()}
tests = evaluation.compared({depth: (alone[f"averaged-mlp-{depth}"], alone[f"mlp-{depth}"]) for depth in (1, 2, 3)})
tests["in the paper"] = [
    PAPER["IV", f"averaged-mlp-{depth}", "wavelet", "segment"] - PAPER["IV", f"mlp-{depth}", "wavelet", "segment"]
    for depth in tests.index
]
signed(tests.rename_axis("hidden layers")).format("{:+.1%}", subset="in the paper")

# %% [markdown]
# ## What can go wrong
#
# An odd number of samples has no halves.

# %%
try:
    session.dataset(recordings, representation="halves", segment_length=4095)
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
against = [f"{p['noise']}, against mlp-{depth}" for depth in tests.index]
systems = [f"averaged-mlp-{depth}" for depth in tests.index]
of_tests = differences(tests, system=systems, variant=against, unit="segment")
own = session.finish(*rows, session.figures(of_tests), probe)
own[["table", "system", "variant", "unit", "value", "low", "high", "paper"]]

# %% [markdown]
# ## What we saw

# %%
said = [
    f"With {depth} hidden layer{'s' * (depth > 1)}, against mlp-{depth}, averaging {row['verdict']} ({told(row)}, adjusted; in the paper "
    f"{100 * row['in the paper']:+.0f} points)."
    for depth, row in tests.iterrows()
]
alone_right, by_rule = right.mean().iloc[:2], right.mean().iloc[2:]
session.saw(
    *said,
    f"The joined layer adds the scores of the halves: {alone_right.iloc[0]:.1%} and {alone_right.iloc[1]:.1%} of the segments "
    f"are named right by one half alone, {by_rule['product']:.1%} by both; adding posteriors instead gives "
    f"{by_rule['sum']:.1%}, the larger one {by_rule['larger']:.1%}.",
    f"The halves agree on {agree.mean():.0%} of the segments; where they do, {table.loc['product', 'the halves agree']:.1%} "
    "are named right.",
)

# %% [markdown]
# ## Exercises
#
# 1. Let both halves run through the *same* hidden layers. How is that built in Keras, how many weights does it save, and
#    what should it change?
# 2. Cut the segment into four quarters. What is traded for what?
#
# Worked answers: [solutions](solutions/06_model_averaging.ipynb)
#
# Next: [07 · Voting](07_voting.ipynb)
