"""Recipes: how a model is fitted, and with which segments its epochs are judged (notebooks 03 to 06)."""

import time
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from .convolution import quick
from .dataset import held_out
from .descent import callbacks, compile_model, fit_lbfgs, restore, state
from .errors import ParameterError, check_name
from .evaluation import predictions_table
from .models import SYSTEMS, import_keras
from .streams import batches, held, parts, scratch, taken
from .whitening import SHARES, fold, input_maps, mapped

DEFAULT_SCALE = 2**15 * 12**0.5
JUDGES = 3000  # segments of left-out recordings that choose the epoch, or fewer, evenly taken: more would cost time


@dataclass(frozen=True)
class Recipe:
    """How to fit one family of models.

    ``select_on`` says which segments choose the epoch: "validation", those of a training recording of every device that
    is left out at first (`dataset.held_out`, `JUDGES` of them), after which the model is fitted anew to all for as many
    epochs; "test", as the authors did and nobody should; or "nothing".

    Inputs that are whitened have no common swings of more than this share of all variance, see `whitening`; afterwards
    the map is folded into the first layer, and the model takes inputs as they are.
    """

    optimizer: str  # adam, rmsprop or lbfgs
    learning_rate: float
    batch_size: int
    epochs: int  # at most (iterations for L-BFGS)
    validate_every: int = 1  # epochs from one validation to the next
    patience: int = 1000  # validations without improvement after which training stops
    select_on: str = "validation"
    shuffle: str = "epoch"  # a new order of the segments every epoch, or "once" before the first, as the authors did
    whiten: float = SHARES["none"]  # 0 = not


AS_PUBLISHED = {"validate_every": 5, "patience": 100, "select_on": "test", "shuffle": "once", "whiten": 0.0}
FILTERBANK = Recipe("adam", 1e-3, 256, 15, patience=3)  # not of the paper
RECIPES = {
    "published": {
        "softmax": Recipe("lbfgs", 1.0, 0, 400, select_on="nothing", whiten=0.0),
        "mlp": Recipe("rmsprop", 1e-4, 9000, 300, **AS_PUBLISHED),
        "averaged": Recipe("rmsprop", 1e-4, 3000, 500, **AS_PUBLISHED),
        "cnn": Recipe("rmsprop", 1e-4, 500, 3000, **AS_PUBLISHED),
        "filterbank": FILTERBANK,
    },
    "default": {
        "softmax": Recipe("adam", 1e-3, 128, 10, patience=2),
        "mlp": Recipe("adam", 1e-3, 512, 8, patience=2),
        "averaged": Recipe("adam", 1e-3, 512, 8, patience=2),
        "cnn": Recipe("adam", 3e-4, 128, 2, patience=3),  # still rising: a question of time
        "filterbank": FILTERBANK,
    },
}


# Of the convolutional network (notebook 05). Dropout is for networks that have learned too much; in the few epochs of
# the default recipe this one has learned too little. 15 phones of ccnu_mobile, 100 segments of clip 1 each, 10 epochs
# of Adam at 3e-4: of clip 2 it names 49 % with and 68 % without; simulated recordings, seed 1000, session 1 for session
# 2: 17 and 21 %. (A logarithm and batch normalisation after the maximum, in place of the tanh, fit faster: 97 % of the
# training segments in place of 84. They name 63 % of clip 2, and 31 % of session 2: no clear gain, so it stays the
# published one.)
DROPOUT = {"published": 0.5, "default": 0.0}


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
    check_name("recipe", recipe, RECIPES)
    return 1.0 if recipe == "published" else DEFAULT_SCALE / segment_length**0.5


def feature_window(recipe, noise):
    """Return the window that a recipe puts on a segment before the FFT: "none" as published.

    By default it is what names more training recordings (tools/choose_features.py): "hann" on a spectrum, where
    ``noise`` is "none", and "none" on extracted noise.

    >>> feature_window("published", "none"), feature_window("default", "none"), feature_window("default", "wavelet")
    ('none', 'hann', 'none')
    """
    check_name("recipe", recipe, RECIPES)
    return "hann" if recipe == "default" and noise == "none" else "none"


def fit(model, dataset, *, recipe="default", seed=0, epochs=0, batch_size=0):
    """Compile and fit a model for as many epochs as serve segments best that it has not seen. Notebooks 03 to 06.

    Names that are not listed, and devices of too few training segments to hold some out, raise ParameterError.

    Parameters
    ----------
    model : keras.Model
        From `models`; its name, a key of `models.SYSTEMS`, says whose recipe it is.
    dataset : Dataset
        Only training segments are fitted; test segments are looked at by the published recipe alone, to select the
        epoch, which makes its accuracy optimistic.
    recipe : {"default", "published"}
        A key of `RECIPES`.
    seed : int
        Seed of shuffling, dropout and held-out stretches.
    epochs, batch_size : int
        Replace the recipe's own where not 0.

    Returns
    -------
    history : pandas.DataFrame
        One row per epoch: epoch, loss, accuracy, val_loss, val_accuracy, seconds since the start. Losses are without
        weight decay; where a recording was left out, the epochs are those of the fit without it. ``attrs`` holds the
        recipe, what the epoch was selected on, the kept epoch and the seconds in all.

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
    check_name("model.name", model.name, SYSTEMS)
    family = SYSTEMS[model.name].family
    settings = recipe_for(family, recipe, noise=dataset.settings.get("noise", ""), epochs=epochs, batch_size=batch_size)
    import_keras().utils.set_random_seed(seed)
    started = time.perf_counter()
    train, judge = training_masks(dataset, settings, seed=seed)
    if settings.optimizer == "lbfgs":
        history = fit_lbfgs(model, dataset.X, dataset.y, np.flatnonzero(train), iterations=settings.epochs)
    else:
        X, trained = dataset.X, quick(model)
        if family == "filterbank":
            X, trained = behind_fixed_layers(model, dataset.X, dataset.mask("train") | judge)
        if settings.shuffle == "once":
            train = np.random.default_rng(seed).permutation(np.flatnonzero(train))
        compile_model(trained, settings)
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
        x, judged = taken(X, fitted), taken(X, judge)
        maps = input_maps(model, family, x, share=settings.whiten) if settings.whiten else []
        given = {"x": mapped(x, maps, own=True), "y": y[fitted], "batch_size": settings.batch_size, "shuffle": anew}
        judged = mapped(judged, maps)
        judges = [(judged[part], y[judge][part]) for part in parts(np.arange(len(judge)), 512)]
        del x
    else:
        maps = input_maps(model, family, X, fitted, share=settings.whiten) if settings.whiten else []
        change = partial(mapped, maps=maps)
        order = {"batch_size": settings.batch_size, "seed": seed if anew else None}
        given = {"x": batches(X, y, fitted, change, **order), "shuffle": False}
        judges = batches(X, y, judge, change, batch_size=settings.batch_size)
    keep, clock = callbacks(import_keras(), settings, judges)
    curve = model.fit(**given, epochs=settings.epochs, callbacks=[keep, clock], verbose=0).history
    model.set_weights(keep.weights)
    fold(maps)
    history = pd.DataFrame({"loss": curve["cost"], "accuracy": curve["accuracy"]})
    judged = pd.DataFrame.from_dict(keep.judged, "index", columns=["val_loss", "val_accuracy"])
    history = history.join(judged).assign(epoch=np.arange(1, len(history) + 1), seconds=clock.seconds)
    history.attrs["epoch"] = keep.epoch
    return history


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


def training_masks(dataset, settings, *, seed):
    """Return which segments are fitted and which choose the epoch; every device must have some that are fitted."""
    masks = dataset.mask("train"), dataset.mask("test", draw=0)
    if settings.select_on == "validation":
        train, left_out = held_out(dataset, seed=seed)
        step = max(1, -(-np.count_nonzero(left_out) // JUDGES))
        masks = train, left_out & (np.cumsum(left_out) % step == 1 % step)
    if len(missing := np.setdiff1d(np.arange(len(dataset.devices)), dataset.y[masks[0]])):
        raise ParameterError(f"device {dataset.devices[missing[0]]!r} is left without training segments")
    return masks


def recipe_for(family, recipe, *, noise="none", epochs=0, batch_size=0):
    """Return the `Recipe` of a family of networks for what the features hold; epochs, batch size replaced if not 0.

    >>> recipe_for("mlp", "published", epochs=7).epochs, recipe_for("mlp", "published").select_on
    (7, 'test')
    """
    check_name("recipe", recipe, RECIPES)
    check_name("family", family, RECIPES[recipe])
    changes = {"epochs": epochs, "batch_size": batch_size}
    if noise == "wavelet" and RECIPES[recipe][family].whiten and family in ("softmax", "mlp", "averaged"):
        changes["whiten"] = SHARES[noise]
    return replace(RECIPES[recipe][family], **{key: value for key, value in changes.items() if value})


def predict(model, dataset):
    """Return the class probabilities of the test segments of a dataset.

    Parameters
    ----------
    model : keras.Model
    dataset : Dataset

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
    chosen = np.flatnonzero(dataset.mask("test"))
    model = quick(model)
    probabilities = [model.predict(taken(dataset.X, part), batch_size=2048, verbose=0) for part in parts(chosen)]
    return predictions_table(np.concatenate(probabilities), dataset.segments.iloc[chosen], dataset.devices)
