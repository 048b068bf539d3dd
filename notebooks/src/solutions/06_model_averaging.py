# %% [markdown]
# # 06 · Model averaging: answers
#
# Worked answers to the exercises of [06 · Model averaging](../06_model_averaging.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
from dataclasses import replace

import numpy as np

from devid_lib import evaluation, models, training
from devid_lib.features import extract_features
from devid_lib.whitening import SHARES, whitening
from devid_lib.workbook import describe, start, told

session = start("06_model_averaging-answers", globals())
recordings = session.recordings()
halves = session.dataset(recordings, representation="halves")
keras, n_devices, units = models.import_keras(), len(halves.devices), 250

two = models.averaged_mlp(halves.X.shape[2], n_devices, hidden=(units,))
print(describe(training.fit(two, halves)))
of_two = evaluation.voted(training.predict(two, halves), unit="segment")


def against(table, other):
    """Say how accurate two tables of decisions are, and what the paired test finds."""
    test = evaluation.paired_difference(table, other)
    return (
        f"{evaluation.correct(table).mean():.1%} against {evaluation.correct(other).mean():.1%}: {evaluation.verdict(test)} "
        f"({told(test)})"
    )


# %% [markdown]
# **1. Let both halves run through the *same* hidden layers. How is that built in Keras, how many weights does it save, and
# what should it change?**
#
# A layer that is called twice is one layer with one set of weights. The recipe whitens each half with a map of its own; one
# layer for both needs one map for both, so we whiten before and compile and fit in sight.

# %%
train, test = np.flatnonzero(halves.mask("train")), np.flatnonzero(halves.mask("test", draw=0))
mean, matrix = whitening(np.concatenate([halves.X[train, 0], halves.X[train, 1]]), share=SHARES["wavelet"])
white = {name: (np.asarray(halves.X[rows]) - mean) @ matrix for name, rows in {"train": train, "test": test}.items()}

keras.utils.set_random_seed(session.params["seed"])
decay = keras.regularizers.L2(1e-4)
inputs = keras.Input(halves.X.shape[1:])
shared = keras.layers.Dense(units, "tanh", kernel_regularizer=decay)
joined = keras.layers.Concatenate()([shared(inputs[:, 0]), shared(inputs[:, 1])])
one = keras.Model(inputs, keras.layers.Dense(n_devices, "softmax", kernel_regularizer=decay)(joined))
one.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
one.fit(white["train"], halves.y[train], batch_size=512, epochs=8, verbose=0)

# %%
posterior = one.predict(white["test"], batch_size=len(test), verbose=0)
of_one = evaluation.predictions_table(posterior, halves.segments.iloc[test], halves.devices)
print(f"{one.count_params():,} weights in place of {two.count_params():,}; shared against separate: {against(of_one, of_two)}")

# %% [markdown]
# A segment starts anywhere, so its first half is no other kind of thing than its second. Two sets of weights learn the
# same twice, each from half of the examples; one set sees every half. It should do no worse, with half of the weights.
#
# **2. Cut the segment into four quarters. What is traded for what?**

# %%
waves = session.dataset(recordings, representation="waveform", noise="none")
length, params = waves.X.shape[1] // 4 * 4, session.params
quarters = waves.X[:, :length].reshape(len(waves.X), 4, -1)
scale = training.feature_scale(params["recipe"], length // 4)
features = extract_features(quarters, noise=params["noise"], scale=scale, **session.wavelet)
of_quarters = replace(waves, X=features)

four = models.averaged_mlp(features.shape[2], n_devices, hidden=(units // 2,), n_parts=4)
print(describe(training.fit(four, of_quarters)))
of_four = evaluation.voted(training.predict(four, of_quarters), unit="segment")

# %%
rate = int(recordings["samplerate"].iloc[0])
print(
    f"two halves: a frequency every {2 * rate / length:.1f} Hz; four quarters: every {4 * rate / length:.1f} Hz, four votes "
    f"in place of two. Quarters against halves: {against(of_four, of_two)}."
)

# %% [markdown]
# More parts are more voters, but each hears a shorter time and coarser frequencies, and they lie side by side in time, so
# they err together more than voters from anywhere (notebook 07).
