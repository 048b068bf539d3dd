"""Recipes: how a model is fitted, and with which segments its epochs are judged."""

import time
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import scipy.linalg

from .audio import load_recording
from .dataset import held_out, represent
from .errors import AudioError, ParameterError
from .evaluation import predictions_table, vote
from .models import SYSTEMS, import_keras
from .progress import progress
from .segments import regular_segments
from .streams import BLOCK, batches, held, moments, parts, scratch, taken

DEFAULT_SCALE = 2**15 * 12**0.5
SHRINKAGE = 0.03  # of whitening: components with much more than this share of all variance come down to the rest
ANSWER = 0.2  # standard deviation of a filter's first answers, so that their maxima do not saturate the tanh behind


@dataclass(frozen=True)
class Recipe:
    """How to fit one family of models.

    Attributes
    ----------
    optimizer : {"adam", "rmsprop", "lbfgs"}
    learning_rate : float
    batch_size, epochs : int
        Largest number of epochs (iterations for L-BFGS).
    validate_every : int
        Epochs from one validation to the next.
    patience : int
        Validations without improvement after which training stops.
    select_on : {"validation", "test", "nothing"}
        Which segments choose the epoch: those of a training recording of every device that is left out at first
        (`dataset.held_out`), after which the model is fitted anew to all for as many epochs; or, as the authors did and
        nobody should, the test segments.
    shuffle : {"once", "epoch"}
        Draw an order of the segments before the first epoch, as the authors did, or a new one every epoch.
    whiten : bool
        Train on inputs whose common swings are taken out, see `whitening`; afterwards the map is folded into the first
        layer, and the model takes inputs as they are.
    """

    optimizer: str
    learning_rate: float
    batch_size: int
    epochs: int
    validate_every: int = 1
    patience: int = 1000
    select_on: str = "validation"
    shuffle: str = "epoch"
    whiten: bool = True


AS_PUBLISHED = {"validate_every": 5, "patience": 100, "select_on": "test", "shuffle": "once", "whiten": False}
FILTERBANK = Recipe("adam", 1e-3, 256, 15, patience=3)  # not of the paper
RECIPES = {
    "published": {
        "softmax": Recipe("lbfgs", 1.0, 0, 400, select_on="nothing", whiten=False),
        "mlp": Recipe("rmsprop", 1e-4, 9000, 300, **AS_PUBLISHED),
        "averaged": Recipe("rmsprop", 1e-4, 3000, 500, **AS_PUBLISHED),
        "cnn": Recipe("rmsprop", 1e-4, 500, 3000, **AS_PUBLISHED),
        "filterbank": FILTERBANK,
    },
    "default": {
        "softmax": Recipe("adam", 1e-3, 256, 20, patience=3),
        "mlp": Recipe("adam", 1e-3, 512, 8, patience=3),
        "averaged": Recipe("adam", 1e-3, 512, 8, patience=3),
        "cnn": Recipe("adam", 3e-4, 128, 4, patience=3),  # still rising: a question of time
        "filterbank": FILTERBANK,
    },
}


def model_options(recipe):
    """Return the builder options that belong to a recipe.

    Parameters
    ----------
    recipe : {"default", "published"}

    Returns
    -------
    options : dict
        ``stride`` for `models.build`.
    """
    check_recipe(recipe)
    return {"stride": 10 if recipe == "default" else 1}


def feature_scale(recipe, segment_length):
    """Return the factor on the spectrum's magnitudes before log(1 + .).

    Parameters
    ----------
    recipe : {"default", "published"}
    segment_length : int
        Samples of a segment.

    Returns
    -------
    scale : float
        1 as published. By default magnitudes are counted in units of the rounding noise of 16-bit audio, whose
        root-mean-square spectrum is 2^-15 sqrt(n / 12): below it a 16-bit file holds nothing.

    Notes
    -----
    Notebook 02. log(1 + m) is linear for m << 1 and logarithmic for m >> 1. On full scale = 1 the noise of a quiet
    device falls in the linear part, where a halved level halves the feature; in units of rounding noise both quiet and
    loud devices are in the logarithmic part, where a gain only shifts the feature.

    Examples
    --------
    >>> feature_scale("published", 4096), round(feature_scale("default", 4096))
    (1.0, 1774)
    """
    check_recipe(recipe)
    return 1.0 if recipe == "published" else DEFAULT_SCALE / segment_length**0.5


def feature_window(recipe, noise):
    """Return the window that a recipe puts on a segment before the FFT.

    Parameters
    ----------
    recipe : {"default", "published"}
    noise : {"wavelet", "none"}
        Noise extraction of `features.extract_features`.

    Returns
    -------
    window : {"none", "hann"}
        None as published; by default what names more segments: a window on a spectrum, none on extracted noise.

    Notes
    -----
    Notebook 05. Chosen on training recordings (tools/choose_features.py).

    Examples
    --------
    >>> feature_window("published", "none"), feature_window("default", "none"), feature_window("default", "wavelet")
    ('none', 'hann', 'none')
    """
    check_recipe(recipe)
    return "hann" if recipe == "default" and noise == "none" else "none"


def fit(model, dataset, *, family="", recipe="default", seed=0, epochs=0, batch_size=0, loss="crossentropy"):
    """Compile and fit a model for as many epochs as serve segments best that it has not seen.

    Parameters
    ----------
    model : keras.Model
        From `models`.
    dataset : Dataset
        Only training segments are fitted; test segments are looked at by the published recipe alone, to select the
        epoch, which makes its accuracy optimistic.
    family : {"", "softmax", "mlp", "averaged", "cnn", "filterbank"}
        Whose recipe it is; empty = that of the network named as the model in `models.SYSTEMS`.
    recipe : {"default", "published"}
        A key of `RECIPES`.
    seed : int
        Seed of shuffling, dropout and held-out stretches.
    epochs, batch_size : int
        Replace the recipe's own where not 0.
    loss : {"crossentropy", "squared_error"}
        Cross-entropy as the authors ran, or half the summed squared error of equation (6).

    Returns
    -------
    history : pandas.DataFrame
        One row per epoch: epoch, loss, accuracy, val_loss, val_accuracy, seconds since the start. Losses are without
        weight decay; where a recording was left out, the epochs are those of the fit without it. ``attrs`` holds the
        recipe, what the epoch was selected on, the kept epoch and the seconds in all.

    Raises
    ------
    ParameterError
        If a name is not listed, a device has no training segments, or they are too few to hold some out.

    Notes
    -----
    Notebooks 03 to 06.

    Examples
    --------
    >>> from devid_lib import models
    >>> from devid_lib.dataset import Dataset
    >>> table = pd.DataFrame({"device": ["a", "b"] * 200, "recording": "1", "split": "train", "session": "", "draw": 0})
    >>> table = table.assign(start=np.arange(400) * 10, n_samples=4000)
    >>> X = np.eye(2, 5, dtype=np.float32)[np.arange(400) % 2]
    >>> dataset = Dataset(X, table, ("a", "b"), {"segment_length": 10})
    >>> history = fit(models.softmax(5, 2), dataset, epochs=5)
    >>> history.columns.tolist()
    ['loss', 'accuracy', 'val_loss', 'val_accuracy', 'epoch', 'seconds']
    """
    family = family or family_of(model.name)
    settings = recipe_for(family, recipe, epochs=epochs, batch_size=batch_size)
    import_keras().utils.set_random_seed(seed)
    started = time.perf_counter()
    train, judge = training_masks(dataset, settings, seed=seed)
    if settings.optimizer == "lbfgs":
        if loss != "crossentropy":
            raise ParameterError(f"loss={loss!r}: L-BFGS minimises equation (5), loss='crossentropy' alone")
        history = fit_lbfgs(model, dataset.X, dataset.y, np.flatnonzero(train), iterations=settings.epochs)
    else:
        X, trained = dataset.X, model
        if family == "filterbank":
            X, trained = behind_fixed_layers(model, dataset.X, dataset.mask("train") | judge)
        if settings.shuffle == "once":
            train = np.random.default_rng(seed).permutation(np.flatnonzero(train))
        compile_model(trained, settings, loss=loss)
        start = state(trained)
        history = fit_epochs(trained, family, X, dataset.y, (train, judge), settings, seed=seed)
        if settings.select_on == "validation":
            restore(trained, start)
            every, best = dataset.mask("train"), replace(settings, epochs=history.attrs["epoch"])
            fit_epochs(trained, family, X, dataset.y, (every, every & False), best, seed=seed)
    history.attrs |= {"recipe": recipe, "select_on": settings.select_on, "seconds": time.perf_counter() - started}
    return history


def fit_epochs(model, family, X, y, rows, settings, *, seed=0):
    """Fit a compiled model by gradient descent, epoch by epoch, and keep the weights of the best validation.

    ``rows`` are those of X and y that are fitted, and those that judge; without the latter the last epoch is kept.
    More than memory should hold are read from X batch by batch, in an order that the seed gives.
    """
    fitted, judge = (np.flatnonzero(part) if part.dtype == bool else part for part in rows)
    anew = settings.shuffle == "epoch"
    if held(X, len(fitted) + len(judge)):
        x, judged = np.ascontiguousarray(X[fitted]), np.ascontiguousarray(X[judge])
        maps = input_maps(model, family, x) if settings.whiten else []
        given = {"x": mapped(x, maps), "y": y[fitted], "batch_size": settings.batch_size, "shuffle": anew}
        judged = (mapped(judged, maps), y[judge])
        del x
    else:
        maps = input_maps(model, family, X, fitted) if settings.whiten else []
        change = partial(mapped, maps=maps)
        order = {"batch_size": settings.batch_size, "seed": seed if anew else None}
        given = {"x": batches(X, y, fitted, change, **order), "shuffle": False}
        judged = batches(X, y, judge, change, batch_size=settings.batch_size)
    keep, clock = callbacks(import_keras(), settings)
    curve = model.fit(
        **given,
        epochs=settings.epochs,
        validation_data=judged if len(judge) else None,
        validation_freq=settings.validate_every,
        callbacks=[keep, clock],
        verbose=0,
    ).history
    model.set_weights(keep.weights)
    fold(maps)
    every = settings.validate_every
    history = pd.DataFrame({"loss": curve["cost"], "accuracy": curve["accuracy"]})
    for name, found in {"val_loss": "val_cost", "val_accuracy": "val_accuracy"}.items():
        history.loc[every - 1 :: every, name] = curve.get(found, np.nan)  # none in a very short fit
    history = history.assign(epoch=np.arange(1, len(history) + 1), seconds=clock.seconds)
    history.attrs["epoch"] = keep.epoch
    return history


def state(model):
    """Return the weights of a compiled model and of its optimiser, to start again from them."""
    model.optimizer.build(model.trainable_variables)
    return model.get_weights(), [variable.numpy() for variable in model.optimizer.variables]


def restore(model, start):
    """Set a model and its optimiser back: to compile anew would cost more than many an epoch."""
    weights, optimizer = start
    model.set_weights(weights)
    for variable, value in zip(model.optimizer.variables, optimizer, strict=True):
        variable.assign(value)


def behind_fixed_layers(model, X, rows):
    """Return what a filter bank's fixed layers make of these rows of X, and the layers behind as their own model."""
    keras, at = import_keras(), model.get_layer("statistics")
    inputs = x = keras.Input(at.output.shape[1:])
    for layer in model.layers[model.layers.index(at) + 1 :]:
        x = layer(x)
    fixed, statistics = keras.Model(model.inputs, at.output), scratch((len(X), *at.output.shape[1:]))
    for part in parts(np.flatnonzero(rows)):
        statistics[part] = fixed.predict(taken(X, part), batch_size=128, verbose=0)
    return statistics, keras.Model(inputs, x, name=model.name)


def callbacks(keras, settings):
    """Return the callback that remembers the best weights and stops, and the one that notes the time."""

    class KeepBest(keras.callbacks.Callback):
        best, bad, epoch, weights = np.inf, 0, 0, None

        def on_epoch_end(self, epoch, logs=None):
            judged, last = "val_cost" in logs, epoch + 1 == self.params["epochs"]
            if not judged and not last:
                return
            value = -logs.get("val_accuracy", -np.inf) if settings.select_on == "test" else logs.get("val_cost", np.inf)
            if value < self.best or self.weights is None:
                self.best, self.bad, self.epoch, self.weights = value, 0, epoch + 1, self.model.get_weights()
            else:
                self.bad += 1
            self.model.stop_training = self.bad >= settings.patience

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.start, self.seconds = time.perf_counter(), []
            self.steps = iter(progress(range(settings.epochs), label=f"fitting {self.model.name}, epochs"))
            next(self.steps)

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(time.perf_counter() - self.start)
            next(self.steps, None)

    return KeepBest(), Clock()


def compile_model(model, settings, *, loss):
    """Compile with the recipe's optimiser; RMSProp is Graves's centred form (2013), as in the authors' code."""
    keras = import_keras()
    losses = {"crossentropy": "sparse_categorical_crossentropy", "squared_error": squared_error}
    if loss not in losses:
        raise ParameterError(f"loss={loss!r} is not one of {', '.join(losses)}")
    if settings.optimizer == "adam":
        optimizer = keras.optimizers.Adam(settings.learning_rate)
    else:
        optimizer = keras.optimizers.RMSprop(
            settings.learning_rate, rho=0.95, momentum=0.9, epsilon=1e-4, centered=True
        )
    cost = keras.metrics.MeanMetricWrapper(keras.losses.get(losses[loss]), name="cost")  # without weight decay
    model.compile(optimizer, losses[loss], metrics=["accuracy", cost])


def squared_error(y, probabilities):
    """Half the summed squared error between the posterior and the true device's unit vector, equation (6)."""
    ops = import_keras().ops
    target = ops.one_hot(ops.cast(ops.reshape(y, (-1,)), "int32"), probabilities.shape[-1])
    return 0.5 * ops.sum(ops.square(target - probabilities), axis=-1)


def fit_lbfgs(model, X, y, rows, *, iterations):
    """Minimise equation (5) for softmax regression by L-BFGS, as in the authors' code."""
    from scipy.optimize import minimize

    layer = model.get_layer("device")
    decay, shapes = 2 * float(layer.kernel_regularizer.l2), [w.shape for w in layer.get_weights()]
    unit, split = np.eye(shapes[1][0], dtype=np.float32), int(np.prod(shapes[0]))
    few = held(X, len(rows))
    x_held = np.ascontiguousarray(X[rows]) if few else None

    def cost(theta):
        W, b = theta[:split].reshape(shapes[0]).astype(np.float32), theta[split:].astype(np.float32)
        value, gradient, right = 0.0, 0.0, 0
        for part in parts(rows, len(rows) if few else BLOCK):
            x, target = x_held if few else taken(X, part), unit[y[part]]
            logits = x @ W + b
            logits -= logits.max(axis=1, keepdims=True)
            p = np.exp(logits)
            p /= p.sum(axis=1, keepdims=True)
            error = (p - target) / len(rows)
            value = value - np.log(np.maximum((p * target).sum(axis=1), 1e-30)).sum() / len(rows)
            gradient = gradient + np.concatenate([(x.T @ error).ravel(), error.sum(axis=0)])
            right += int((p.argmax(axis=1) == y[part]).sum())
        value, gradient = value + decay / 2 * theta @ theta, gradient + decay * theta
        curve.append({"loss": float(value), "accuracy": right / len(rows)})
        return float(value), gradient.astype(np.float64)

    curve, start = [], np.concatenate([w.ravel() for w in layer.get_weights()]).astype(np.float64)
    theta = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": iterations}).x.astype(np.float32)
    layer.set_weights([theta[:split].reshape(shapes[0]), theta[split:]])
    history = pd.DataFrame(curve).assign(epoch=np.arange(1, len(curve) + 1))
    history.attrs["epoch"] = len(curve)
    return history


def whitening(x):
    """Return the linear map that takes the common swings out of features.

    Parameters
    ----------
    x : np.ndarray [shape=(n, n_features)]
        Features of the training segments.

    Returns
    -------
    mean : np.ndarray [shape=(n_features,)]
    matrix : np.ndarray [shape=(n_features, n_features)]
        ``(x - mean) @ matrix`` has unit variance on average.

    Notes
    -----
    Notebook 04. More than half of the variance of log spectra is one component, the level of the segment. Left in, it
    drives every hidden unit at random before training has begun. After zero-phase whitening (Bell & Sejnowski, 1997)
    of the standardised features it is one direction among many. Directions of little variance are not blown up: that
    would name a little more within a session, much less in another (tools/choose_features.py).

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((100, 5)) + np.arange(100)[:, None]  # they swing together
    >>> mean, matrix = whitening(x)
    >>> round(float(((x - mean) @ matrix).var(axis=0).mean()), 3)
    1.0
    """
    mean, deviation = x.mean(axis=0), shortened(x.std(axis=0))
    z, root = (x - mean) / deviation, (SHRINKAGE * x.shape[1]) ** 0.5
    few = len(z) < z.shape[1]  # then the Gram matrix is the smaller one, with the same variances
    components, scale, gain = shrunk((z @ z.T if few else z.T @ z) / len(z), x.shape[1])
    if few:
        matrix = -(z.T @ (components / (len(z) * root * scale * (root + scale)))) @ (components.T @ z)
        matrix[np.diag_indices_from(matrix)] += 1 / root
    else:
        matrix = (components / scale) @ components.T
    matrix *= gain
    return mean, matrix / deviation[:, np.newaxis]


def whitening_of(X, rows):
    """Return the same for rows of an array that is read block by block, more of them than features.

    >>> x = np.random.default_rng(0).standard_normal((100, 5)) + np.arange(100)[:, None]
    >>> all(np.allclose(a, b, rtol=1e-3) for a, b in zip(whitening_of(x, np.arange(100)), whitening(x)))
    True
    """
    mean, covariance = moments(X, rows)
    deviation = shortened(np.sqrt(np.diag(covariance)))
    components, scale, gain = shrunk(covariance / np.outer(deviation, deviation), len(mean))
    matrix = (components / scale) @ components.T * gain
    return mean.astype(np.float32), (matrix / deviation[:, np.newaxis]).astype(np.float32)


def shortened(deviation):
    """Return standard deviations that can be divided by."""
    return np.maximum(deviation, 0.01 * np.median(deviation) + np.float32(1e-6))


def shrunk(covariance, n_features):
    """Return components of a covariance matrix (overwritten), what divides each, and what multiplies all at last."""
    variances, components = scipy.linalg.eigh(covariance, driver="evd", overwrite_a=True, check_finite=False)
    variances = np.maximum(variances, 0)
    scale = np.sqrt(variances + SHRINKAGE * n_features)
    left = np.sum(variances / scale**2)
    return components, scale, np.sqrt(n_features / left) if left > 0 else 1  # 0 where all features are constant


def input_maps(model, family, x, rows=None):
    """Return what the default recipe does to the inputs: (first layer, mean, matrix or factor) of every part.

    All of ``x`` is in memory, or ``rows`` of it are read block by block.
    """
    white = whitening if rows is None else partial(whitening_of, rows=rows)
    if family == "averaged":
        return [(model.get_layer(f"part{i + 1}_hidden1"), *white(x[:, i])) for i in range(x.shape[1])]
    if family == "cnn":
        filters = model.get_layer("filters")
        answer = np.linalg.norm(filters.get_weights()[0], axis=0).mean()  # of a filter to white noise of variance one
        if rows is not None:  # two numbers of very many samples: every so manieth row tells them
            x = taken(x, rows[:: 1 + len(rows) // BLOCK])
        return [(filters, x.mean(), ANSWER / (x.std() * answer))]
    return [(next(layer for layer in model.layers if layer.weights), *white(x))]


def mapped(x, maps):
    """Return inputs after their maps, as they are where there are none."""
    if not maps:
        return x
    if x.ndim == 3:
        return np.stack([(x[:, i] - mean) @ matrix for i, (_, mean, matrix) in enumerate(maps)], axis=1)
    _, mean, matrix = maps[0]
    return (x - mean) * matrix if np.ndim(matrix) == 0 else (x - mean) @ matrix


def fold(maps):
    """Fold the maps into the first layers, so that the model takes inputs as they are."""
    for layer, mean, matrix in maps:
        kernel, bias = layer.get_weights()
        kernel = kernel * matrix if np.ndim(matrix) == 0 else matrix @ kernel
        shift = mean * kernel.sum(axis=(0, 1)) if np.ndim(mean) == 0 else mean.astype(np.float64) @ kernel
        layer.set_weights([kernel.astype(np.float32), (bias - shift).astype(np.float32)])


def training_masks(dataset, settings, *, seed):
    """Return which segments are fitted and which choose the epoch; every device must have some that are fitted."""
    masks = dataset.mask("train"), dataset.mask("test", draw=0)
    if settings.select_on == "validation":
        masks = held_out(dataset, seed=seed)
    if len(missing := np.setdiff1d(np.arange(len(dataset.devices)), dataset.y[masks[0]])):
        raise ParameterError(f"device {dataset.devices[missing[0]]!r} is left without training segments")
    return masks


def family_of(system):
    """Return the family of one of the paper's networks."""
    if system not in SYSTEMS:
        raise ParameterError(f"no recipe for a model named {system!r}, only for {', '.join(SYSTEMS)}: name its family")
    return SYSTEMS[system].family


def recipe_for(family, recipe, *, epochs=0, batch_size=0):
    """Return the `Recipe` of a family of networks, with epochs and batch size replaced where not 0."""
    check_recipe(recipe)
    if family not in RECIPES[recipe]:
        raise ParameterError(f"family={family!r} is not one of {', '.join(RECIPES[recipe])}")
    changes = {"epochs": epochs, "batch_size": batch_size}
    return replace(RECIPES[recipe][family], **{key: value for key, value in changes.items() if value})


def check_recipe(recipe):
    """Raise ParameterError unless the recipe is listed."""
    if recipe not in RECIPES:
        raise ParameterError(f"recipe={recipe!r} is not one of {', '.join(RECIPES)}")


def predict(model, dataset, *, split="test", batch_size=2048):
    """Return the class probabilities of a part of the dataset.

    Parameters
    ----------
    model : keras.Model
    dataset : Dataset
    split : {"test", "train"}
    batch_size : int

    Returns
    -------
    predictions : pandas.DataFrame
        device, recording, draw, start, and one probability column per device.

    Examples
    --------
    >>> from devid_lib import models
    >>> from devid_lib.dataset import Dataset
    >>> table = pd.DataFrame({"device": ["a"], "recording": ["1"], "split": ["test"], "draw": [0], "start": [0]})
    >>> predict(models.softmax(5, 2), Dataset(np.zeros((1, 5), np.float32), table, ("a", "b"), {}))
      device recording  draw  start    a    b
    0      a         1     0      0  0.5  0.5
    """
    chosen = np.flatnonzero(dataset.mask(split))
    pieces = parts(chosen, max(1, BLOCK // batch_size) * batch_size)  # batches are the same as of all at once
    probabilities = [model.predict(taken(dataset.X, part), batch_size=batch_size, verbose=0) for part in pieces]
    return predictions_table(np.concatenate(probabilities), dataset.segments.iloc[chosen], dataset.devices)


def identify(model, path, *, devices, settings, samplerate):
    """Name the device of a questioned recording: all its segments, one after the other, vote.

    Parameters
    ----------
    model : keras.Model
        Trained on spectra.
    path : str or Path
        The questioned recording.
    devices : sequence of str
        `Dataset.devices` of the training.
    settings : dict
        `Dataset.settings` of the training.
    samplerate : int
        The rate that the training recordings were brought to [Hz].

    Returns
    -------
    posterior : pandas.Series
        Mean probability of every device, largest first. The true device may be none of them, and the number is no
        measure of that.

    Raises
    ------
    AudioError
        If the recording cannot be used.

    Notes
    -----
    Notebook 90 measures its speed.
    """
    y, _ = load_recording(path, samplerate=samplerate)
    if len(y) < settings["segment_length"]:
        raise AudioError(f"{path}: {len(y)} samples, fewer than one segment of {settings['segment_length']}")
    segments, _ = regular_segments(y, length=settings["segment_length"])
    posterior = vote(model.predict(represent(segments, settings), batch_size=1024, verbose=0))
    return pd.Series(posterior, index=list(devices)).sort_values(ascending=False)
