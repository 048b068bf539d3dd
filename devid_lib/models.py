"""The paper's networks, and the filter bank beside its convolution: Keras builders (notebooks 03 to 06).

Models are uncompiled, `training.fit` compiles them; outputs are probabilities. Layers of tanh units are named
``hidden1`` ..., the last one ``device``. The sum of squared weights but biases, times `WEIGHT_DECAY` as published, is
added to the cost; softmax regression has a penalty of its own. In every builder names that are not listed, sizes below
1 and segments too short for one answer (of a filter bank, two averages) raise ParameterError.
"""

import functools
import logging
import os
from dataclasses import dataclass

import numpy as np

from .errors import ParameterError, check_count, check_name
from .features import ROUNDING as POWER_FLOOR  # below the powers of a filter bank
from .files import stderr_to


@dataclass(frozen=True)
class Network:
    """One of the paper's networks: all that the workbook knows of it."""

    label: str  # its name in tables, as the paper calls it
    family: str  # which builder makes it, and which recipe of `training.RECIPES` fits it
    representation: str  # what it takes in, see `dataset.build_dataset`
    hidden: tuple = ()  # units of its hidden layers (of one half where it has two)
    start: str = ""  # how the filters of a convolution start: sine or random


SYSTEMS = {
    "softmax": Network("Softmax", "softmax", "spectrum"),
    "mlp-1": Network("MLP, 1 hidden layer", "mlp", "spectrum", (1000,)),
    "mlp-2": Network("MLP, 2 hidden layers", "mlp", "spectrum", (1000, 1000)),
    "mlp-3": Network("MLP, 3 hidden layers", "mlp", "spectrum", (1000, 1000, 500)),
    "averaged-mlp-1": Network("Averaged MLP, 1 hidden layer", "averaged", "halves", (500,)),
    "averaged-mlp-2": Network("Averaged MLP, 2 hidden layers", "averaged", "halves", (500, 500)),
    "averaged-mlp-3": Network("Averaged MLP, 3 hidden layers", "averaged", "halves", (500, 500, 100)),
    "cnn": Network("CNN, sine-wave start", "cnn", "waveform", (500, 500, 500), "sine"),
    "cnn-random": Network("CNN, random start", "cnn", "waveform", (500, 500, 500), "random"),
    "filterbank": Network("Filter bank", "filterbank", "waveform", (300,)),
}
WEIGHT_DECAY = 1e-4  # of all networks but softmax regression


def keras_environment():
    """Choose TensorFlow, and its chatter off, before Keras is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


@functools.cache
def import_keras():
    """Import Keras on TensorFlow with its start-up chatter off: 4-7 s, so only where a model is needed."""
    keras_environment()
    with stderr_to(os.devnull):  # TensorFlow writes there before it has read its log level
        import keras

        keras.ops.zeros(1)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # after the import, which sets a level of its own
    if gpus := keras.distribution.list_devices("gpu"):
        print(f"Keras computes on {', '.join(gpus)}: the last digits of sums may differ from run to run", flush=True)
    return keras


def softmax(n_features, n_devices, *, weight_decay=1e-3, seed=0):
    """Build softmax regression: one linear layer, the posterior of equation (4). Notebook 03, section III-C1.

    Parameters
    ----------
    n_features, n_devices : int
        Length of a feature vector, number of classes.
    weight_decay : float >= 0
        lambda of equation (5); the penalty is lambda / 2 times the sum of squares.
    seed : int
        Seed of the starting weights.

    Returns
    -------
    model : keras.Model [input (n, n_features), output (n, n_devices)]

    Examples
    --------
    >>> softmax(2049, 9).count_params()  # a weight for every bin and device, and a bias for every device
    18450
    """
    keras = import_keras()
    check_sizes(n_features=n_features, n_devices=n_devices)
    inputs = keras.Input((n_features,), name="features")
    decay = keras.regularizers.L2(weight_decay / 2)
    start = keras.initializers.RandomNormal(stddev=0.005, seed=seed)
    options = {"kernel_initializer": start, "kernel_regularizer": decay, "bias_regularizer": decay}
    outputs = keras.layers.Dense(n_devices, "softmax", name="device", **options)(inputs)
    return keras.Model(inputs, outputs, name="softmax")


def mlp(n_features, n_devices, *, hidden=(1000, 1000, 500), seed=0):
    """Build a multilayer perceptron: tanh layers under a softmax output. Notebook 04, section III-C2 and figure 2.

    Parameters
    ----------
    n_features, n_devices : int
        As in `softmax`.
    hidden : tuple of int
        Units of each hidden layer; as published 1000, 1000-1000, 1000-1000-500.
    seed : int
        Seed of the starting weights (Glorot uniform).

    Returns
    -------
    model : keras.Model [input (n, n_features), output (n, n_devices)]
        Named ``mlp-<number of hidden layers>``.

    Examples
    --------
    >>> [layer.units for layer in mlp(2049, 9).layers[1:]]
    [1000, 1000, 500, 9]
    """
    keras = import_keras()
    check_sizes(n_features=n_features, n_devices=n_devices, hidden=min(hidden, default=0))
    inputs = keras.Input((n_features,), name="features")
    outputs = device_layer(keras, hidden_layers(keras, inputs, hidden, seed=seed), n_devices, seed=seed)
    return keras.Model(inputs, outputs, name=f"mlp-{len(hidden)}")


def averaged_mlp(n_features, n_devices, *, hidden=(500, 500, 100), n_parts=2, seed=0):
    """Build the model-averaging network: each part of the segment has hidden layers of its own.

    Notebook 06, section III-C4 and figure 4.

    Parameters
    ----------
    n_features, n_devices : int
        Length of the feature vector of one part, number of classes.
    hidden : tuple of int
        Units of each hidden layer of one part; as published 500, 500-500, 500-500-100.
    n_parts : int
        Parts that a segment is cut into.
    seed : int
        As in `mlp`.

    Returns
    -------
    model : keras.Model [input (n, n_parts, n_features), output (n, n_devices)]
        Named ``averaged-mlp-<number of hidden layers>``; the last hidden layers are concatenated.

    Examples
    --------
    >>> averaged_mlp(1025, 9).input_shape
    (None, 2, 1025)
    """
    keras = import_keras()
    check_sizes(n_features=n_features, n_devices=n_devices, n_parts=n_parts, hidden=min(hidden, default=0))
    inputs = keras.Input((n_parts, n_features), name="features")
    parts = [
        hidden_layers(keras, inputs[:, part], hidden, seed=seed + 100 * part, prefix=f"part{part + 1}_")
        for part in range(n_parts)
    ]
    x = keras.layers.Concatenate(name="last_hidden")(parts)
    return keras.Model(inputs, device_layer(keras, x, n_devices, seed=seed), name=f"averaged-mlp-{len(hidden)}")


def cnn(
    n_samples,
    n_devices,
    *,
    filters=100,
    kernel=197,
    pool=100,
    hidden=(500, 500, 500),
    start="sine",
    dropout=0.5,
    seed=0,
):
    """Build the convolutional network that takes the raw samples of a segment. Notebook 05, section III-C3.

    The first of 100 filters has a period of 4 samples (11 kHz at 44.1 kHz), the last of 103 (428 Hz).
    `convolution.quick` trains it in about half the time.

    Parameters
    ----------
    n_samples, n_devices : int
        Samples of a segment, number of classes.
    filters, kernel, pool : int
        One convolution of ``filters`` filters of ``kernel`` taps, then the maximum over ``pool`` samples.
    hidden : tuple of int
        Units of the tanh layers behind the convolution.
    start : {"sine", "random"}
        Starting filters: sine waves of period 4, 5, 6 ... samples as published, or Glorot uniform.
    dropout : float in [0, 1)
        Share of units switched off after each hidden layer while training.
    seed : int
        Seed of the starting weights and of dropout.

    Returns
    -------
    model : keras.Model [input (n, n_samples), output (n, n_devices)]
        Named ``cnn`` (sine) or ``cnn-random``.

    Examples
    --------
    >>> cnn(4096, 9).get_layer("pool").output.shape  # 39 stretches of 100 samples, 100 filters
    (None, 39, 100)
    """
    keras = import_keras()
    check_name("start", start, ("sine", "random"))
    check_sizes(n_devices=n_devices, hidden=min(hidden, default=1), filters=filters, kernel=kernel, pool=pool)
    if n_samples < kernel + pool - 1:
        raise ParameterError(f"n_samples={n_samples} is below {kernel + pool - 1}, which {kernel} taps and a pool need")
    inputs = keras.Input((n_samples,), name="samples")
    x = keras.layers.Reshape((n_samples, 1))(inputs)
    random = keras.initializers.GlorotUniform(seed=seed)
    x = keras.layers.Conv1D(filters, kernel, kernel_initializer=random, name="filters")(x)
    x = keras.layers.MaxPooling1D(pool, name="pool")(x)
    x = keras.layers.Flatten()(keras.layers.Activation("tanh")(x))
    x = hidden_layers(keras, x, hidden, dropout=dropout, seed=seed + 1)
    outputs = device_layer(keras, x, n_devices, seed=seed)
    model = keras.Model(inputs, outputs, name="cnn" if start == "sine" else "cnn-random")
    if start == "sine":
        model.get_layer("filters").set_weights([sine_filters(filters, kernel), np.zeros(filters, np.float32)])
    return model


def filterbank(n_samples, n_devices, *, filters=256, kernel=0, stride=0, pool=8, hidden=(300,), dropout=0.5, seed=0):
    """Build a network on samples that hears power in bands: windowed cosines, power, logarithm, statistics over time.

    Notebook 05. What the network of section III-C3 lacks: narrow bands that cover the spectrum, power in place of the
    largest answer, and a logarithm, which turns the gain of a device into a sum.

    Parameters
    ----------
    n_samples, n_devices : int
        Samples of a segment, number of classes.
    filters, kernel, stride : int
        Number of filters, their taps and their step [samples], 0 for an eighth and the 128th part of a segment:
        Hann-windowed cosines whose frequencies cover the band evenly. They are fixed (``filters`` is a layer that is
        not trainable) until one says otherwise.
    pool : int
        Steps whose powers are averaged before the logarithm.
    hidden : tuple of int
        Units of the tanh layers behind the mean and the standard deviation over time.
    dropout, seed
        As in `cnn`.

    Returns
    -------
    model : keras.Model [input (n, n_samples), output (n, n_devices)]
        Named ``filterbank``; its layer ``statistics`` has 2 x ``filters`` outputs.

    Examples
    --------
    >>> filterbank(4096, 9).get_layer("statistics").output.shape
    (None, 512)
    """
    keras = import_keras()
    kernel, stride = kernel or max(1, n_samples // 8), stride or max(1, n_samples // 128)
    sizes = {"filters": filters, "kernel": kernel, "stride": stride, "pool": pool}
    check_sizes(n_devices=n_devices, hidden=min(hidden, default=1), **sizes)
    least = kernel + stride * (2 * pool - 1)
    if n_samples < least:
        raise ParameterError(f"n_samples={n_samples} is below {least}, which two averages of {pool} steps need")
    inputs = keras.Input((n_samples,), name="samples")
    x = keras.layers.Reshape((n_samples, 1))(inputs)
    x = keras.layers.Conv1D(filters, kernel, strides=stride, use_bias=False, trainable=False, name="filters")(x)
    x = keras.layers.AveragePooling1D(pool, name="power")(keras.ops.square(x))
    x = keras.ops.log(x + POWER_FLOOR)
    x = keras.layers.Concatenate(name="statistics")([keras.ops.mean(x, axis=1), keras.ops.std(x, axis=1)])
    x = hidden_layers(keras, x, hidden, dropout=dropout, seed=seed)
    model = keras.Model(inputs, device_layer(keras, x, n_devices, seed=seed), name="filterbank")
    model.get_layer("filters").set_weights([cosine_filters(filters, kernel)])
    return model


def build(system, input_shape, n_devices, *, dropout=0.5, seed=0):
    """Build one of the paper's systems by its name, a key of `SYSTEMS`; arguments and result as in its own builder.

    ``input_shape`` is the shape of one row of the dataset: (n_features,), (2, n_features) or (n_samples,). ``dropout``
    is that of the convolutional network, see `training.DROPOUT`.

    >>> build("averaged-mlp-1", (2, 1025), 9).name
    'averaged-mlp-1'
    """
    check_name("system", system, SYSTEMS)
    network, n_inputs = SYSTEMS[system], input_shape[-1]
    if network.family == "softmax":
        return softmax(n_inputs, n_devices, seed=seed)
    options = {"hidden": network.hidden, "seed": seed}
    if network.family == "mlp":
        return mlp(n_inputs, n_devices, **options)
    if network.family == "averaged":
        return averaged_mlp(n_inputs, n_devices, n_parts=input_shape[0], **options)
    if network.family == "filterbank":
        return filterbank(n_inputs, n_devices, **options)
    return cnn(n_inputs, n_devices, start=network.start, dropout=dropout, **options)


def sine_filters(filters=100, kernel=197):
    """Return the published starting filters [shape=(kernel, 1, filters)]: filter k is a sine of period k + 4 samples.

    >>> sine_filters()[:5, 0, 0].round(3) + 0.0  # the first has a period of four samples
    array([ 0.,  1.,  0., -1.,  0.], dtype=float32)
    """
    periods = np.arange(filters) + 4
    return np.sin(2 * np.pi * np.arange(kernel)[:, None] / periods).astype(np.float32)[:, None, :]


def cosine_filters(filters, kernel):
    """Return the filters of `filterbank` [shape=(kernel, 1, filters)]: Hann-windowed cosines of norm one.

    Their frequencies are the centres of equal parts of the band.

    >>> magnitude = np.abs(np.fft.rfft(cosine_filters(256, 512)[:, 0], 1024, axis=0))
    >>> (magnitude.argmax(axis=0)[[0, 100, 255]] / 1024).round(4).tolist()  # of the sample rate: about (k + 1/2) / 512
    [0.0, 0.1963, 0.498]
    """
    frequency = (np.arange(filters) + 0.5) / (2 * filters)  # of the sample rate
    time = np.arange(kernel)[:, np.newaxis] - (kernel - 1) / 2
    weights = np.hanning(kernel + 2)[1:-1, np.newaxis] * np.cos(2 * np.pi * frequency * time)
    return (weights / np.linalg.norm(weights, axis=0)).astype(np.float32)[:, np.newaxis]


def last_hidden(model):
    """Return the model from the input to the last hidden layer, for looking into it (notebook 09).

    >>> last_hidden(mlp(2049, 9)).output_shape
    (None, 500)
    """
    return import_keras().Model(model.inputs, model.get_layer("device").input, name=f"{model.name}-last-hidden")


def hidden_layers(keras, x, hidden, *, seed, dropout=0.0, prefix=""):
    """Stack tanh layers; layer i takes seed + i."""
    for i, units in enumerate(hidden):
        start, decay = keras.initializers.GlorotUniform(seed=seed + i), keras.regularizers.L2(WEIGHT_DECAY)
        options = {"kernel_initializer": start, "kernel_regularizer": decay, "name": f"{prefix}hidden{i + 1}"}
        x = keras.layers.Dense(units, "tanh", **options)(x)
        if dropout:
            x = keras.layers.Dropout(dropout, seed=seed + i)(x)
    return x


def device_layer(keras, x, n_devices, *, seed):
    """Return the softmax output, started near zero as published."""
    start = keras.initializers.RandomNormal(stddev=0.01, seed=seed + 50)
    options = {"kernel_initializer": start, "kernel_regularizer": keras.regularizers.L2(WEIGHT_DECAY)}
    return keras.layers.Dense(n_devices, "softmax", name="device", **options)(x)


def check_sizes(**sizes):
    """Raise ParameterError for the first size that is no whole number of at least 1."""
    for name, value in sizes.items():
        check_count(name, value)
