# %% [markdown]
# # 04 · Multilayer perceptron: answers
#
# Worked answers to the exercises of [04 · Multilayer perceptron](../04_mlp.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from devid_lib import evaluation, models
from devid_lib.dataset import held_out
from devid_lib.whitening import SHARES, whitening
from devid_lib.workbook import signed, start, told

session = start("04_mlp-answers", globals())
recordings = session.recordings()
dataset = session.dataset(recordings)
keras = models.import_keras()
layers, segments = keras.layers, dataset.segments

# %%
fitted, left_out = (np.flatnonzero(mask) for mask in held_out(dataset))
few = np.random.default_rng(0).permutation(fitted)[:800]
test = np.flatnonzero(dataset.mask("test", draw=0))
X, y = {name: np.asarray(dataset.X[rows]) for name, rows in {"few": few, "held out": left_out, "test": test}.items()}, dataset.y
mean, matrix = whitening(X["few"], share=SHARES["wavelet"])
deviation = np.maximum(X["few"].std(axis=0), 1e-3)
inputs = {
    "standardised": {name: (x - mean) / deviation for name, x in X.items()},
    "whitened": {name: (x - mean) @ matrix for name, x in X.items()},
}


def trained(x, between=(), last="near zero"):
    """Return the curve of a perceptron of 200 units, and what it says of the test segments."""
    keras.utils.set_random_seed(session.params["seed"])
    start_of_last = keras.initializers.RandomNormal(stddev=0.01) if last == "near zero" else "glorot_uniform"
    output = layers.Dense(len(dataset.devices), "softmax", kernel_initializer=start_of_last)
    net = keras.Sequential([keras.Input((x["few"].shape[1],)), layers.Dense(200, "tanh"), *between, output])
    net.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    judge = (x["held out"], y[left_out])
    fit = net.fit(x["few"], y[few], validation_data=judge, batch_size=64, epochs=6, verbose=0)
    answer = evaluation.predictions_table(net.predict_on_batch(x["test"]), segments.iloc[test], dataset.devices)
    return pd.DataFrame(fit.history, index=range(1, 7)), answer


# %% [markdown]
# **1. Train the perceptron of 200 units on spectra that are standardised but not whitened, and with Keras's own start for
# the last layer in place of one near zero. What are the two worth, alone and together?**

# %%
ways = list(product(inputs, ("near zero", "Keras's own")))
results = {way: trained(inputs[way[0]], last=way[1]) for way in ways}
rows = {", ".join(way): [curve["accuracy"].iloc[0], evaluation.correct(answer).mean()] for way, (curve, answer) in results.items()}
pd.DataFrame(rows, index=["segments fitted, first epoch", "test segments"]).T.style.format("{:.1%}")

# %%
best = results["whitened", "near zero"][1]
against = [way for way in ways if way != ("whitened", "near zero")]
pairs = {f"against {', '.join(way)}": (best, results[way][1]) for way in against}
signed(evaluation.compared(pairs, better="is ahead", worse="is behind"))

# %% [markdown]
# Once a network names all the segments that it is shown, little moves it any more, and what its last layer happened to say at the
# start is never unlearned. Started near zero, that layer says nothing that the segments have not taught it. Whether that and the whitening
# are worth more than luck, only the tests can say.
#
# **2. Dropout switches hidden units off at random while the network learns. Put `keras.layers.Dropout(0.5)` behind the
# hidden layer. What becomes of the gap between training and validation?**

# %%
dropped = trained(inputs["whitened"], between=[layers.Dropout(0.5)])
pair = {"without dropout": results["whitened", "near zero"], "with dropout": dropped}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
for ax, (name, (curve, _)) in zip(axes, pair.items(), strict=True):
    (100 * curve[["accuracy", "val_accuracy"]]).plot(ax=ax, legend=ax is axes[0], marker="o")
    ax.set(title=name, xlabel="epoch", ylabel="accuracy [%]")
session.save_figure(axes, "dropout", "Accuracy on fitted and held-out segments, without and with dropout.")
gaps = [curve["val_loss"].iloc[-1] - curve["loss"].iloc[-1] for curve, _ in pair.values()]
comparison = evaluation.paired_difference(dropped[1], best)
print(
    f"In the last epoch the loss on the segments held out is larger than that on those fitted by {gaps[0]:.2f} without, by "
    f"{gaps[1]:.2f} with dropout. On test segments dropout {evaluation.verdict(comparison)} "
    f"({told(comparison)})."
)

# %% [markdown]
# The training curve is drawn with half of the units off, the validation curve with all on: with dropout the first lies too
# low, and a smaller gap alone does not say that less was learned by heart. Only test recordings say whether it helped.
