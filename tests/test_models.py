"""Models: the published sizes, numbers worked out by hand, seeds, and files that load in Keras's safe mode."""

import subprocess
import sys

import numpy as np
import pytest

from devid_lib import models
from devid_lib.errors import ParameterError

FULL = {"softmax": (2049,), "mlp": (2049,), "averaged": (2, 1025), "cnn": (4096,), "filterbank": (4096,)}
SMALL = {"softmax": (33,), "mlp": (33,), "averaged": (2, 17), "cnn": (400,), "filterbank": (1100,)}


def family(system):
    return system.split("-")[0]


def some_rows(system, n=6, seed=0):
    return np.random.default_rng(seed).standard_normal((n, *SMALL[family(system)])).astype(np.float32)


def small(system, **options):
    return models.build(system, SMALL[family(system)], 4, **options)


def weights(model, name):
    return [w.astype(np.float64) for w in model.get_layer(name).get_weights()]


def softmax_by_hand(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def dense(x, model, name):
    W, b = weights(model, name)
    return x @ W + b


# --- As published ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("system", "units", "parameters"),
    [
        ("softmax", (), 18_450),
        ("mlp-1", (1000,), 2_059_009),
        ("mlp-2", (1000, 1000), 3_060_009),
        ("mlp-3", (1000, 1000, 500), 3_556_009),
        ("averaged-mlp-1", (500,), 1_035_009),
        ("averaged-mlp-2", (500, 500), 1_536_009),
        ("averaged-mlp-3", (500, 500, 100), 1_629_009),
        ("cnn", (500, 500, 500), 2_475_809),  # 19 800 in 100 filters of 197 taps, then 39 x 100 inputs
        ("cnn-random", (500, 500, 500), 2_475_809),
        ("filterbank", (300,), 287_681),  # 131 072 in 256 filters of 512 taps, which are fixed, then 512 inputs
    ],
)
def test_published_sizes(system, units, parameters):
    model = models.build(system, FULL[family(system)], 9)
    assert model.name == system
    assert not model.compiled
    assert model.input_shape == (None, *FULL[family(system)])
    assert model.output_shape == (None, 9)
    assert model.count_params() == parameters
    parts = ("part1_", "part2_") if system.startswith("averaged") else ("",)
    names = [f"{part}hidden{i + 1}" for part in parts for i in range(len(units))]
    hidden = [layer for layer in model.layers if "hidden" in layer.name and layer.name != "last_hidden"]
    assert sorted(layer.name for layer in hidden) == sorted(names)
    for layer in hidden:
        assert layer.units == units[int(layer.name[-1]) - 1]
        assert layer.activation.__name__ == "tanh"
    assert model.get_layer("device").activation.__name__ == "softmax"
    dropouts = [layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"]
    assert dropouts == {"cnn": [0.5] * 3, "filterbank": [0.5]}.get(family(system), [])


def test_every_listed_system_is_tested_above():
    assert set(models.SYSTEMS) == {"softmax", *(f"mlp-{i}" for i in (1, 2, 3)),
                                   *(f"averaged-mlp-{i}" for i in (1, 2, 3)), "cnn", "cnn-random", "filterbank"}


def test_convolution_as_published():
    model = models.build("cnn", (4096,), 9)
    filters, pool = model.get_layer("filters"), model.get_layer("pool")
    assert (filters.filters, filters.kernel_size, filters.strides, pool.pool_size) == (100, (197,), (1,), (100,))
    assert filters.output.shape == (None, 3900, 100)
    assert pool.output.shape == (None, 39, 100)
    np.testing.assert_array_equal(filters.get_weights()[0], models.sine_filters())
    assert not filters.get_weights()[1].any()
    random = models.build("cnn-random", (4096,), 9).get_layer("filters").get_weights()[0]
    assert np.abs(random).max() <= np.sqrt(6 / (197 + 197 * 100))  # Glorot's limit


def test_sine_filters_by_hand():
    found = models.sine_filters(3, 5)
    assert found.shape == (5, 1, 3)
    assert found.dtype == np.float32
    half, fifth = np.sqrt(3) / 2, np.sin(2 * np.pi / 5)
    np.testing.assert_allclose(found[:, 0, 0], [0, 1, 0, -1, 0], atol=1e-6)  # period 4
    np.testing.assert_allclose(found[:2, 0, 1], [0, fifth], atol=1e-6)  # period 5
    np.testing.assert_allclose(found[:, 0, 2], [0, half, half, 0, -half], atol=1e-6)  # period 6
    last = models.sine_filters()[:, 0, 99]  # period 103
    np.testing.assert_allclose(last[103:], last[:94], atol=1e-5)


def with_random_weights(model):
    rng = np.random.default_rng(0)
    model.set_weights([rng.standard_normal(w.shape) for w in model.get_weights()])
    return model


def test_weight_decay_of_softmax_is_that_of_equation_5():
    model = with_random_weights(models.softmax(5, 3, weight_decay=0.3))
    W, b = weights(model, "device")
    assert float(sum(model.losses)) == pytest.approx(0.3 / 2 * (np.square(W).sum() + np.square(b).sum()), rel=1e-5)


@pytest.mark.parametrize("build", [models.mlp, models.averaged_mlp])
def test_weight_decay_of_perceptrons_leaves_biases_alone(build):
    model = with_random_weights(build(5, 3, hidden=(4, 2)))
    matrices = [w for w in model.get_weights() if w.ndim == 2]
    assert float(sum(model.losses)) == pytest.approx(1e-4 * sum(np.square(w).sum() for w in matrices), rel=1e-5)


@pytest.mark.parametrize("system", models.SYSTEMS)
def test_published_weight_decay(system):
    model = small(system)
    l2 = {layer.name: float(layer.kernel_regularizer.l2) for layer in model.layers
          if getattr(layer, "kernel_regularizer", None) is not None}
    assert "device" in l2
    assert all(value == pytest.approx(5e-4 if system == "softmax" else 1e-4) for value in l2.values())
    assert all(layer.name in l2 for layer in model.layers if type(layer).__name__ == "Dense")


def test_filter_bank_by_hand():
    model = models.filterbank(600, 3, filters=16, kernel=64, stride=10, pool=5)
    x = np.random.default_rng(0).standard_normal(600)
    answers = np.array([[x[i : i + 64] @ w for w in models.cosine_filters(16, 64)[:, 0].T] for i in range(0, 537, 10)])
    log_power = np.log((answers[:50] ** 2).reshape(10, 5, 16).mean(axis=1) + 2.0**-30 / 12)
    front = models.import_keras().Model(model.inputs, model.get_layer("statistics").output)
    expected = np.concatenate([log_power.mean(axis=0), log_power.std(axis=0)])
    np.testing.assert_allclose(front.predict(x[np.newaxis], verbose=0)[0], expected, atol=1e-4)
    assert not model.get_layer("filters").trainable


@pytest.mark.parametrize(("n", "options"), [(633, {"kernel": 64, "stride": 30, "pool": 10}), (15, {})])
def test_filter_bank_of_a_segment_that_is_too_short(n, options):
    with pytest.raises(ParameterError, match=f"n_samples={n} is below"):
        models.filterbank(n, 3, **options)


# --- Forward, by hand ------------------------------------------------------------------------------------------------
def test_softmax_is_equation_4():
    model = models.softmax(4, 3, seed=1)
    x = np.random.default_rng(0).standard_normal((5, 4))
    model.get_layer("device").set_weights([np.arange(12).reshape(4, 3) / 5, np.array([0.5, -1, 2])])
    W, b = weights(model, "device")
    expected = [[np.exp(W[:, j] @ row + b[j]) / sum(np.exp(W[:, l] @ row + b[l]) for l in range(3)) for j in range(3)]
                for row in x]
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4)


def test_mlp_by_hand():
    model = models.mlp(6, 3, hidden=(5, 4), seed=2)
    x = np.random.default_rng(0).standard_normal((7, 6))
    h = np.tanh(dense(np.tanh(dense(x, model, "hidden1")), model, "hidden2"))
    np.testing.assert_allclose(model.predict(x, verbose=0), softmax_by_hand(dense(h, model, "device")), rtol=1e-4)


def test_averaged_mlp_by_hand():
    model = models.averaged_mlp(6, 3, hidden=(5, 4), n_parts=3, seed=2)
    x = np.random.default_rng(0).standard_normal((7, 3, 6))
    parts = [np.tanh(dense(np.tanh(dense(x[:, i], model, f"part{i + 1}_hidden1")), model, f"part{i + 1}_hidden2"))
             for i in range(3)]
    expected = softmax_by_hand(dense(np.concatenate(parts, axis=1), model, "device"))
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4)


def test_cnn_by_hand():
    model = models.cnn(40, 3, filters=3, kernel=5, pool=4, hidden=(6,), seed=2)
    x = np.random.default_rng(0).standard_normal((2, 40))
    W = models.sine_filters(3, 5).astype(np.float64)
    convolved = np.array([[[row[t : t + 5] @ W[:, 0, k] for k in range(3)] for t in range(36)] for row in x])
    pooled = np.tanh(convolved.reshape(2, 9, 4, 3).max(axis=2)).reshape(2, -1)
    expected = softmax_by_hand(dense(np.tanh(dense(pooled, model, "hidden1")), model, "device"))
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-3)


# --- Promises of every system ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("system", models.SYSTEMS)
def test_outputs_are_probabilities(system):
    p = small(system, seed=3).predict(10 * some_rows(system), verbose=0)
    assert p.shape == (6, 4)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("system", models.SYSTEMS)
def test_one_seed_gives_one_model(system):
    first, again, other = (small(system, seed=seed).get_weights() for seed in (7, 7, 8))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != c).any() for a, c in zip(first, other, strict=True))


def test_no_two_layers_start_alike():
    model = models.averaged_mlp(8, 8, hidden=(8, 8), n_parts=2)
    kernels = [layer.get_weights()[0] for layer in model.layers if "hidden" in layer.name and layer.get_weights()]
    assert len({kernel.tobytes() for kernel in kernels}) == 4


@pytest.mark.parametrize("system", models.SYSTEMS)
def test_saved_model_loads_in_safe_mode_and_predicts_the_same(system, tmp_path):
    model, x = small(system, seed=4), some_rows(system)
    model.save(tmp_path / "model.keras")
    loaded = models.import_keras().saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    hidden = [models.last_hidden(m).predict(x, verbose=0) for m in (model, loaded)]
    np.testing.assert_array_equal(*hidden)


@pytest.mark.parametrize("system", models.SYSTEMS)
def test_last_hidden_is_what_the_output_layer_sees(system):
    model, x = small(system, seed=5), some_rows(system)
    h = models.last_hidden(model).predict(x, verbose=0)
    units = {"softmax": 33, "mlp-1": 1000, "mlp-2": 1000, "mlp-3": 500, "averaged-mlp-1": 1000, "averaged-mlp-2": 1000,
             "averaged-mlp-3": 200, "cnn": 500, "cnn-random": 500, "filterbank": 300}[system]
    assert h.shape == (6, units)
    np.testing.assert_allclose(softmax_by_hand(dense(h, model, "device")), model.predict(x, verbose=0), atol=1e-5)


def test_dropout_is_off_when_predicting():
    x = some_rows("cnn")
    plain, dropped = (small("cnn", dropout=rate, seed=1) for rate in (0.0, 0.9))
    np.testing.assert_array_equal(plain.predict(x, verbose=0), dropped.predict(x, verbose=0))


# --- What is refused -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.softmax(0, 3), "n_features=0"),
        (lambda: models.softmax(5, 0), "n_devices=0"),
        (lambda: models.mlp(-1, 3), "n_features=-1"),
        (lambda: models.mlp(5, 3, hidden=(4, 0)), "hidden=0"),
        (lambda: models.mlp(5, 3, hidden=()), "hidden=0"),
        (lambda: models.averaged_mlp(5, 3, n_parts=0), "n_parts=0"),
        (lambda: models.averaged_mlp(5, 0), "n_devices=0"),
        (lambda: models.averaged_mlp(5, 3, hidden=(0,)), "hidden=0"),
        (lambda: models.cnn(4096, 0), "n_devices=0"),
        (lambda: models.cnn(4096, 3, filters=0), "filters=0"),
        (lambda: models.cnn(4096, 3, pool=0), "pool=0"),
        (lambda: models.cnn(4096, 3, start="cosine"), "start='cosine'"),
        (lambda: models.build("svm", (5,), 3), "system='svm'"),
    ],
)
def test_sizes_and_names_that_are_not_allowed(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


@pytest.mark.parametrize("n_samples", [0, 64, 196, 197, 256, 295])
def test_segments_too_short_for_the_convolution(n_samples):
    with pytest.raises(ParameterError, match=f"n_samples={n_samples} .*296"):  # 197 taps, then 100 samples to pool
        models.cnn(n_samples, 3)


def test_shortest_segment_for_the_convolution():
    assert models.cnn(296, 3, filters=2, hidden=(3,)).get_layer("pool").output.shape == (None, 1, 2)


def test_convolution_without_hidden_units():
    with pytest.raises(ParameterError, match="hidden=0"):
        models.cnn(4096, 3, hidden=(500, 0))


def test_importing_the_library_does_not_import_what_is_slow():
    code = ("import sys, devid_lib.models, devid_lib.training, devid_lib.workbook.command; "
            "print({'keras', 'tensorflow', 'numba', 'sklearn', 'matplotlib', 'papermill'} & set(sys.modules))")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "set()"
