"""Training: which segments are looked at, what is kept, and the cost functions worked out by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from devid_lib import descent, models, streams, training
from devid_lib.dataset import Dataset, held_out
from devid_lib.errors import ParameterError
from devid_lib.training import Recipe
from devid_lib.whitening import KNOWN, SHARES, known_whitening, whitening

LENGTH = 256
DEVICES = ("ash", "beech", "cedar")
SHAPES = {"softmax": (12,), "mlp": (12,), "averaged": (2, 9), "cnn": (LENGTH,), "filterbank": (LENGTH,)}


def toy(family="mlp", *, train=60, test=20, draws=1, spread=1.5, seed=0):
    """Return a dataset without recordings: rows scatter about a point of each device."""
    rng, tables, rows = np.random.default_rng(seed), [], []
    for device in DEVICES:
        centre = rng.standard_normal(SHAPES[family])
        for recording, split, n in (("one", "train", train), ("two", "train", train), ("three", "test", draws * test)):
            start = rng.integers(0, 20000 - LENGTH, n)
            table = {"device": device, "recording": recording, "split": split, "start": start, "n_samples": 20000}
            draw = np.arange(n) // test if split == "test" else np.zeros(n, int)
            tables.append(pd.DataFrame(table).assign(draw=draw, session=""))
            rows.append(centre + spread * rng.standard_normal((n, *SHAPES[family])))
    X, segments = np.concatenate(rows).astype(np.float32), pd.concat(tables, ignore_index=True)
    return Dataset(X, segments, DEVICES, {"segment_length": LENGTH, "representation": "spectrum"})


def tiny(family="mlp", **options):
    """Return a small model of a family, so that a fit takes a second."""
    if family == "softmax":
        return models.softmax(12, 3, **options)
    if family == "averaged":
        return models.averaged_mlp(9, 3, hidden=(6,), **options)
    if family == "cnn":
        return models.cnn(LENGTH, 3, filters=4, kernel=17, pool=20, hidden=(6,), **options)
    if family == "filterbank":
        return models.filterbank(LENGTH, 3, filters=12, kernel=64, stride=8, pool=4, hidden=(6,), **options)
    return models.mlp(12, 3, hidden=(8,), **options)


def poisoned(dataset, rows):
    """Return the dataset with NaN in some rows: whoever looks at them gets NaN."""
    X = dataset.X.copy()
    X[rows] = np.nan
    return replace(dataset, X=X)


def same_weights(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def judged(model, dataset, rows):
    """Return mean cross-entropy and accuracy on some rows, in double precision."""
    p = model.predict(dataset.X[rows], verbose=0).astype(np.float64)
    y = dataset.y[rows]
    return -np.log(p[np.arange(len(y)), y]).mean(), (p.argmax(axis=1) == y).mean()


# --- Recipes ---------------------------------------------------------------------------------------------------------
def test_published_recipes():
    published = training.RECIPES["published"]
    softmax, mlp, cnn = published["softmax"], published["mlp"], published["cnn"]
    assert softmax.optimizer == "lbfgs"
    assert (mlp.optimizer, mlp.learning_rate, mlp.batch_size, mlp.epochs) == ("rmsprop", 1e-4, 9000, 300)
    assert (cnn.optimizer, cnn.learning_rate, cnn.batch_size, cnn.epochs) == ("rmsprop", 1e-4, 500, 3000)
    for name in ("mlp", "averaged", "cnn"):
        assert (published[name].optimizer, published[name].select_on) == ("rmsprop", "test")
    model = tiny()
    training.compile_model(model, mlp)
    settings = model.optimizer.get_config()
    assert training.DROPOUT == {"published": 0.5, "default": 0.0}
    assert (settings["rho"], settings["momentum"], settings["epsilon"], settings["centered"]) == (0.95, 0.9, 1e-4, True)
    assert settings["learning_rate"] == pytest.approx(1e-4)


def test_default_recipes_never_select_on_the_test_set():
    assert set(training.RECIPES) == {"default", "published"}
    assert {recipe.select_on for recipe in training.RECIPES["default"].values()} == {"validation"}


@pytest.mark.parametrize("recipe", ["default", "published"])
@pytest.mark.parametrize("system", models.SYSTEMS)
def test_every_system_has_a_recipe(system, recipe):
    family = models.SYSTEMS[system].family
    plain = training.recipe_for(family, recipe)
    assert isinstance(plain, Recipe)
    changed = training.recipe_for(family, recipe, epochs=7, batch_size=11)
    assert (changed.epochs, changed.batch_size) == (7, 11)
    assert replace(changed, epochs=plain.epochs, batch_size=plain.batch_size) == plain


@pytest.mark.parametrize("call", [
    lambda: training.recipe_for("mlp", "secret"),
    lambda: training.feature_scale("secret", 4096),
    lambda: training.fit(tiny(), toy(), recipe="secret"),
])
def test_unknown_recipe(call):
    with pytest.raises(ParameterError, match="recipe='secret' is not one of published, default"):
        call()


def test_model_of_a_name_without_recipe():
    keras = models.import_keras()
    inputs = keras.Input((12,))
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="device")(inputs), name="transformer")
    with pytest.raises(ParameterError, match="model.name='transformer' is not one of softmax"):
        training.fit(model, toy())
    with pytest.raises(ParameterError, match="family='transformer'"):
        training.recipe_for("transformer", "default")


@pytest.mark.parametrize(("length", "expected"), [(4096, 1773.6209), (2048, 2508.2788), (12, 32768.0)])
def test_feature_scale_by_hand(length, expected):
    """2^15 sqrt(12 / n): 32768 x 0.0541266 for n = 4096."""
    assert training.feature_scale("default", length) == pytest.approx(expected, rel=1e-6)
    assert training.feature_scale("published", length) == 1.0


def test_feature_scale_makes_rounding_noise_one():
    noise = (np.random.default_rng(0).uniform(-0.5, 0.5, (200, 1024))) / 2**15
    magnitude = training.feature_scale("default", 1024) * np.abs(np.fft.rfft(noise)[:, 1:-1])
    assert np.sqrt(np.square(magnitude).mean()) == pytest.approx(1, rel=0.02)


# --- Which segments are looked at ------------------------------------------------------------------------------------
@pytest.mark.parametrize("family", SHAPES)
def test_default_recipe_never_looks_at_test_segments(family):
    clean = toy(family, train=30)
    dataset, model = poisoned(clean, clean.mask("test")), tiny(family)
    history = training.fit(model, dataset, seed=3, epochs=2)
    assert history.attrs["select_on"] == "validation"
    assert np.isfinite(history[["loss", "val_loss"]]).all(axis=None)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    if family == "mlp":
        fitted_on_clean = tiny(family)
        training.fit(fitted_on_clean, clean, seed=3, epochs=2)
        assert same_weights(model, fitted_on_clean)


@pytest.fixture
def fits(monkeypatch):
    """What every call of `fit_epochs` fitted, judged, was set to, and the weights it ended with."""
    calls, plain = [], training.fit_epochs

    def spy(model, family, X, y, rows, settings, **options):
        history = plain(model, family, X, y, rows, settings, **options)
        calls.append({"rows": rows, "settings": settings, "weights": model.get_weights(), "history": history})
        return history

    monkeypatch.setattr(training, "fit_epochs", spy)
    return calls


@pytest.mark.parametrize("family", SHAPES)
def test_default_recipe_judges_its_epochs_on_the_left_out_recordings(family, fits):
    """The model of the kept epoch, fed with inputs as they are, does what the history says of it."""
    dataset, model = toy(family), tiny(family)
    dataset.X[:] = 3 * dataset.X + 5  # whatever is done to the inputs while training has to be undone
    history = training.fit(model, dataset, seed=2, epochs=3)
    kept = history.iloc[history.attrs["epoch"] - 1]
    assert kept["epoch"] == history.attrs["epoch"]
    assert kept["val_loss"] == history["val_loss"].min()
    left_out = held_out(dataset)[1]
    np.testing.assert_array_equal(fits[0]["rows"], held_out(dataset))
    weights = fits[0]["weights"]
    model.set_weights([*model.get_weights()[: -len(weights)], *weights])  # those of fixed layers come first
    assert (kept["val_loss"], kept["val_accuracy"]) == pytest.approx(judged(model, dataset, left_out), rel=1e-3)


def test_of_many_left_out_segments_some_of_every_device_judge(monkeypatch):
    dataset, settings = toy(), training.RECIPES["default"]["mlp"]
    fitted, left_out = held_out(dataset)
    monkeypatch.setattr(training, "JUDGES", 10)
    train, judge = training.training_masks(dataset, settings, seed=0)
    np.testing.assert_array_equal(train, fitted)
    assert 5 <= judge.sum() <= 10 < left_out.sum() and not (judge & ~left_out).any()
    assert set(dataset.y[judge]) == {0, 1, 2}
    monkeypatch.setattr(training, "JUDGES", left_out.sum() + 1)
    np.testing.assert_array_equal(training.training_masks(dataset, settings, seed=0), [fitted, left_out])


def test_default_recipe_then_fits_anew_to_all_training_segments(fits):
    dataset, model = toy(spread=3), tiny()
    start = model.get_weights()
    history = training.fit(model, dataset, seed=1, epochs=6)
    first, second = fits
    assert second["settings"] == replace(first["settings"], epochs=history.attrs["epoch"])
    np.testing.assert_array_equal(second["rows"], [dataset.mask("train"), np.zeros(len(dataset.X), bool)])
    assert all(np.array_equal(*pair) for pair in zip(second["weights"], model.get_weights(), strict=True))
    one_step = tiny()  # both fits start from the same weights: a fit of no size changes nothing
    one_step.set_weights(start)
    training.compile_model(one_step, first["settings"])
    begun = training.state(one_step)
    one_step.fit(dataset.X, dataset.y, epochs=1, verbose=0)
    training.restore(one_step, begun)
    assert all(np.array_equal(*pair) for pair in zip(one_step.get_weights(), start, strict=True))
    assert int(one_step.optimizer.iterations) == 0


@pytest.mark.parametrize("recipe", ["default", "published"])
def test_a_device_left_without_training_segments_is_named(recipe):
    dataset = toy()
    dataset.segments.loc[dataset.segments["device"] == dataset.devices[1], "split"] = "test"
    with pytest.raises(ParameterError, match=f"'{dataset.devices[1]}' is left without training segments"):
        training.fit(tiny(), dataset, recipe=recipe, epochs=1)


def test_features_that_are_constant_tell_nothing_and_break_nothing():
    dataset, model = toy(), tiny()
    dataset.X[:] = 1
    history = training.fit(model, dataset, epochs=2)
    assert np.isfinite(history[["loss", "val_loss"]]).all(axis=None)
    proba = model.predict(dataset.X[:2], verbose=0)
    assert np.isfinite(proba).all() and np.ptp(proba, axis=0).max() == 0


def test_left_out_rows_choose_the_epoch_and_nothing_else(fits):
    clean = toy()
    with pytest.raises(np.linalg.LinAlgError):  # when it is fitted anew to all
        training.fit(tiny(), poisoned(clean, held_out(clean)[1]), epochs=2)
    assert np.isfinite(fits[0]["history"]["loss"]).all()
    assert fits[0]["history"]["val_loss"].isna().all()


@pytest.mark.parametrize("family", ["mlp", "averaged"])
def test_published_recipe_judges_its_epochs_on_the_first_test_set(family):
    dataset, model = toy(family, train=20, draws=2), tiny(family)
    history = training.fit(model, dataset, recipe="published", epochs=5)
    assert (history.attrs["select_on"], history.attrs["recipe"], history.attrs["epoch"]) == ("test", "published", 5)
    loss, accuracy = judged(model, dataset, dataset.mask("test", draw=0))
    last = history.iloc[-1]
    assert (last["val_loss"], last["val_accuracy"]) == pytest.approx((loss, accuracy), rel=1e-4)


def test_published_recipe_fits_all_training_segments_and_validates_every_fifth_epoch():
    dataset, model = toy(draws=2), tiny()
    history = training.fit(model, dataset, recipe="published", epochs=12)
    assert history["epoch"].tolist() == list(range(1, 13))
    assert history["val_loss"].notna().tolist() == [epoch % 5 == 0 for epoch in range(1, 13)]
    assert history.attrs["epoch"] in (5, 10)
    train, judge = training.training_masks(dataset, training.RECIPES["published"]["mlp"], seed=0)
    np.testing.assert_array_equal(train, dataset.mask("train"))
    np.testing.assert_array_equal(judge, dataset.mask("test", draw=0))


def test_published_recipe_shuffles_once(fits):
    """Batches of segments that are sorted by device would hold one device each."""
    dataset = toy()
    training.fit(tiny(), dataset, recipe="published", epochs=1, seed=3)
    rows = fits[0]["rows"][0]
    assert sorted(rows) == np.flatnonzero(dataset.mask("train")).tolist() != rows.tolist()
    assert set(dataset.y[rows[:30]]) == {0, 1, 2}


@pytest.mark.parametrize("epochs", [1, 3])
def test_published_recipe_with_fewer_epochs_than_one_validation_takes(epochs):
    history = training.fit(tiny(), toy(), recipe="published", epochs=epochs)
    assert len(history) == history.attrs["epoch"] == epochs
    assert {"val_loss", "val_accuracy"} <= set(history.columns)


def test_published_softmax_selects_on_nothing():
    clean = toy("softmax")
    fits = []
    for dataset in (clean, poisoned(clean, clean.mask("test"))):
        fits.append(tiny("softmax"))
        history = training.fit(fits[-1], dataset, recipe="published")
        assert history.attrs["select_on"] == "nothing"
    assert same_weights(*fits)


# --- What is kept ----------------------------------------------------------------------------------------------------
@pytest.fixture
def hasty(monkeypatch):
    """A recipe that overshoots at once, so that it stops early."""
    recipe = Recipe("adam", 0.3, 16, 50, patience=3)
    monkeypatch.setitem(training.RECIPES["default"], "mlp", recipe)
    return recipe


def test_training_stops_early_at_the_best_epoch(hasty, fits):
    dataset, model = toy(spread=3), tiny()
    history = training.fit(model, dataset, seed=1)
    best = int(history["val_loss"].idxmin()) + 1
    assert history.attrs["epoch"] == best
    assert len(history) == best + hasty.patience < hasty.epochs
    model.set_weights(fits[0]["weights"])
    loss, accuracy = judged(model, dataset, held_out(dataset)[1])
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-3)
    assert loss < history["val_loss"].iloc[-1] - 1e-3
    assert accuracy == pytest.approx(history["val_accuracy"][best - 1])


def test_published_recipe_keeps_the_epoch_with_the_best_test_accuracy(monkeypatch):
    recipe = Recipe("rmsprop", 0.05, 20, 30, validate_every=2, patience=4, select_on="test", shuffle="once")
    monkeypatch.setitem(training.RECIPES["published"], "mlp", recipe)
    dataset, model = toy(spread=0.5), tiny()
    history = training.fit(model, dataset, recipe="published", seed=1)
    assert (history["val_accuracy"] == history["val_accuracy"].max()).sum() > 1
    assert history.attrs["epoch"] == history["val_accuracy"].idxmax() + 1  # the first of equals
    assert judged(model, dataset, dataset.mask("test"))[1] == pytest.approx(history["val_accuracy"].max())
    assert len(history) == min(30, history.attrs["epoch"] + 2 * recipe.patience)


def test_history_has_one_row_per_epoch():
    history = training.fit(tiny(), toy(), epochs=3)
    assert {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"} <= set(history.columns)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert (np.diff(history["seconds"]) > 0).all()
    assert history.attrs["seconds"] >= history["seconds"].iloc[-1]
    assert history.attrs["recipe"] == "default"


def test_epochs_and_batch_size_replace_the_recipe(fits):
    assert len(training.fit(tiny(), toy(), epochs=2, batch_size=50)) == 2
    assert (fits[0]["settings"].epochs, fits[0]["settings"].batch_size) == (2, 50)


@pytest.mark.parametrize("family", ["mlp", "cnn"])
def test_one_seed_gives_one_fit(family):
    dataset, fits = toy(family, train=40), []
    for seed in (4, 4, 5):
        model = tiny(family)
        history = training.fit(model, dataset, seed=seed, epochs=2)
        fits.append((model, history.drop(columns="seconds"), training.predict(model, dataset)))
    (first, curve, predictions), (again, same_curve, same_predictions), (other, _, _) = fits
    assert same_weights(first, again)
    assert not same_weights(first, other)
    pd.testing.assert_frame_equal(curve, same_curve)
    pd.testing.assert_frame_equal(predictions, same_predictions)


# --- What is too large for memory ------------------------------------------------------------------------------------
@pytest.fixture
def streamed(monkeypatch):
    """Nothing fits into memory: everything is read from disk, a few rows at a time."""
    for name, value in {"IN_MEMORY": 0, "BLOCK": 16, "POOL": 48, "RUN": 4}.items():
        monkeypatch.setattr(streams, name, value)
    monkeypatch.setattr(descent, "BLOCK", 16)


def on_disk(dataset, folder):
    np.save(folder / "X.npy", dataset.X)
    return replace(dataset, X=np.load(folder / "X.npy", mmap_mode="r"))


@pytest.mark.parametrize(
    ("family", "recipe"), [*((family, "default") for family in SHAPES), ("softmax", "published"), ("mlp", "published")]
)
def test_streamed_rows_teach_what_rows_in_memory_teach(family, recipe, tmp_path, monkeypatch, request):
    """In whole batches the order of rows means nothing, and the two ways are one and the same computation."""
    dataset, found = toy(family, train=30), []
    options = {"recipe": recipe, "seed": 3, "epochs": 2 if recipe == "default" else 5, "batch_size": 1000}
    for way in ("in memory", "streamed"):
        if way == "streamed":
            request.getfixturevalue("streamed")
            dataset = on_disk(dataset, tmp_path)
        model = tiny(family, **({"dropout": 0.0} if family in ("cnn", "filterbank") else {}))
        history = training.fit(model, dataset, **options)
        found.append((history.drop(columns="seconds", errors="ignore"), training.predict(model, dataset)))
    for first, second in zip(*found, strict=True):
        for name in [name for name in first if first[name].dtype.kind == "f"]:
            border = 0.02 if name.endswith("accuracy") else 2e-4  # a segment that rounding takes over the border
            np.testing.assert_allclose(second[name], first[name], rtol=2e-3, atol=border)


def test_one_seed_gives_one_streamed_fit(streamed, tmp_path):
    dataset, fits = on_disk(toy(), tmp_path), []
    for seed in (4, 4, 5):
        fits.append(tiny())
        training.fit(fits[-1], dataset, seed=seed, epochs=3, batch_size=16)
    assert same_weights(*fits[:2]) and not same_weights(*fits[1:])


@pytest.mark.parametrize("seed", [None, 0])
def test_every_epoch_reads_every_row_once(streamed, tmp_path, seed):
    """In the order that was asked for, or in another one every time, devices mixed."""
    X, y = np.arange(400.0).reshape(200, 2), np.arange(200)
    np.save(tmp_path / "X.npy", X)
    rows = np.r_[10:90, 100:167]
    read = streams.batches(np.load(tmp_path / "X.npy", mmap_mode="r"), y, rows, lambda x: x, batch_size=20, seed=seed)
    orders = []
    for _ in range(3):
        pairs = [read[i] for i in range(len(read))]
        assert [len(x) for x, _ in pairs] == [20] * 7 + [7]
        orders.append(np.concatenate([known for _, known in pairs]))
        np.testing.assert_array_equal(np.concatenate([x for x, _ in pairs]), X[orders[-1]])
        assert sorted(orders[-1]) == rows.tolist()
        read.on_epoch_end()
    if seed is None:
        np.testing.assert_array_equal(orders, [rows] * 3)
    else:
        assert (orders[0] != orders[1]).any() and (orders[1] != orders[2]).any()
        assert np.std(pairs[0][1]) > 20  # of 20 in a row it would be 6


def test_what_was_read_from_a_file_is_let_go(tmp_path):
    """The map of a file that was read through counts as memory of the process, until it is given back."""
    psutil = pytest.importorskip("psutil")
    if not hasattr(psutil.Process().memory_info(), "shared"):
        pytest.skip("this system does not say how much of its memory a process shares with files")
    np.save(tmp_path / "X.npy", np.ones((16, 2**20), np.float32))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    before = psutil.Process().memory_info().shared
    assert X.sum() == 2**24 and psutil.Process().memory_info().shared - before > 60 * 2**20
    assert streams.taken(X[:, :8], np.arange(3)).shape == (3, 8)
    assert psutil.Process().memory_info().shared - before < 4 * 2**20


def test_whitening_takes_out_the_common_swing():
    rng = np.random.default_rng(0)
    level = 4 * rng.standard_normal((600, 1))  # what all bins share
    x = (rng.standard_normal((600, 500)) + level + 100).astype(np.float32)
    mean, matrix = whitening(x)
    z = (x - mean) @ matrix
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-3)
    assert z.var(axis=0).mean() == pytest.approx(1, rel=0.01)
    shares = [np.linalg.eigvalsh(np.cov(part.T))[-1] / np.trace(np.cov(part.T)) for part in (x, z)]
    assert shares[0] > 0.9
    assert shares[1] < 0.5


@pytest.mark.parametrize("n", [60, 300])
def test_whitening_of_few_and_of_many_segments_is_what_notebook_04_writes(n):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((n, 100)) * rng.uniform(0.5, 2, 100) + rng.standard_normal((n, 1))).astype(np.float32)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    v, U = np.linalg.eigh(np.cov(z.T, bias=True))
    matrix = U / np.sqrt(np.maximum(v, 0) + SHARES["none"] * v.sum()) @ U.T
    matrix *= 1 / np.std(z @ matrix)
    np.testing.assert_allclose(whitening(x)[1], matrix / x.std(axis=0)[:, np.newaxis], rtol=1e-3, atol=1e-4)


def test_whitening_is_remembered_for_the_same_segments_only():
    x = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
    first = known_whitening(x, None, 0.03)
    assert known_whitening(x.copy(), None, 0.03) is first
    for other, share in ((2 * x, 0.03), (x, 0.003)):
        *found, after = known_whitening(other, None, share)
        mean, matrix = whitening(other, share=share)
        np.testing.assert_array_equal(found[0], mean)
        np.testing.assert_array_equal(found[1], matrix)
        np.testing.assert_array_equal(after, (other - mean) @ matrix)
    for i in range(9):
        known_whitening(x + i, None, 0.03)
    assert len(KNOWN) <= 4


def test_what_whitening_spares_follows_what_the_features_hold():
    shares = {noise: training.recipe_for("mlp", "default", noise=noise).whiten for noise in SHARES}
    assert shares == SHARES
    assert training.recipe_for("mlp", "published", noise="wavelet").whiten == 0
    assert training.recipe_for("filterbank", "default", noise="wavelet").whiten == SHARES["none"]  # hears samples


# --- Cost functions --------------------------------------------------------------------------------------------------
def cost_by_hand(W, b, x, y, decay):
    """Equation (5) and its gradient, in double precision, segment by segment."""
    cost, dW, db = 0.0, decay * W, decay * b
    for row, label in zip(x.astype(np.float64), y, strict=True):
        e = np.exp(row @ W + b)
        p = e / e.sum()  # equation (4)
        cost -= np.log(p[label]) / len(x)
        error = (p - np.eye(3)[label]) / len(x)
        dW, db = dW + np.outer(row, error), db + error
    return cost + decay / 2 * (np.square(W).sum() + np.square(b).sum()), np.concatenate([dW.ravel(), db])


@pytest.fixture(scope="module")
def minimised():
    """Softmax regression after the published recipe, its dataset, history and weight decay."""
    dataset, decay = toy("softmax", spread=2), 1e-2
    model = models.softmax(12, 3, weight_decay=decay)
    return model, dataset, training.fit(model, dataset, recipe="published"), decay


def test_lbfgs_minimises_equation_5(minimised):
    model, dataset, history, decay = minimised
    W, b = (w.astype(np.float64) for w in model.get_layer("device").get_weights())
    train = dataset.mask("train")
    cost, gradient = cost_by_hand(W, b, dataset.X[train], dataset.y[train], decay)
    assert np.abs(gradient).max() < 1e-4
    assert history["loss"].iloc[-1] == pytest.approx(cost, abs=1e-5)
    assert history["loss"].iloc[0] > history["loss"].iloc[-1] + 0.1
    assert history["accuracy"].iloc[-1] == pytest.approx(judged(model, dataset, train)[1])


def test_lbfgs_equals_scikit_learn(minimised):
    from sklearn.linear_model import LogisticRegression

    model, dataset, _, decay = minimised
    train = dataset.mask("train")
    x = np.column_stack([dataset.X[train], np.ones(train.sum())])  # the bias is penalised too: one more weight
    C = 1 / (decay * len(x))  # scikit-learn minimises C sum(cost) + |theta|^2 / 2
    peer = LogisticRegression(C=C, fit_intercept=False, tol=1e-8, max_iter=5000).fit(x, dataset.y[train])
    W, b = model.get_layer("device").get_weights()
    np.testing.assert_allclose(np.vstack([W, b]), peer.coef_.T, atol=2e-3)
    np.testing.assert_allclose(model.predict(dataset.X[train], verbose=0), peer.predict_proba(x), atol=1e-3)


def test_posterior_is_equation_4(minimised):
    model, dataset, _, _ = minimised
    W, b = (w.astype(np.float64) for w in model.get_layer("device").get_weights())
    found = training.predict(model, dataset)
    for row, x in zip(found[list(DEVICES)].to_numpy(), dataset.X[dataset.mask("test")].astype(np.float64), strict=True):
        e = [np.exp(W[:, j] @ x + b[j]) for j in range(3)]
        assert row == pytest.approx(np.array(e) / sum(e), abs=1e-5)


# --- Predictions -----------------------------------------------------------------------------------------------------
def test_predictions_stand_beside_their_segments():
    dataset, model = toy(draws=3), tiny()
    rows, keys = dataset.mask("test"), ["device", "recording", "draw", "start"]
    found = training.predict(model, dataset)
    assert found.columns.tolist() == [*keys, *DEVICES]
    pd.testing.assert_frame_equal(found[keys], dataset.segments[rows][keys].reset_index(drop=True))
    np.testing.assert_array_equal(found[list(DEVICES)], model.predict(dataset.X[rows], batch_size=2048, verbose=0))
