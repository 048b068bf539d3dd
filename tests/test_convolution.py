"""The fast convolution: Keras's own numbers, forward and backward, and nothing but the variables of the model."""

import numpy as np
import pytest

from devid_lib import convolution, models, noise


@pytest.fixture(scope="module")
def pair():
    model = models.cnn(600, 3, filters=7, kernel=31, pool=50, hidden=(5,), dropout=0.0, start="random")
    rng = np.random.default_rng(0)
    model.set_weights([0.3 * rng.standard_normal(w.shape) for w in model.get_weights()])
    return model, convolution.quick(model)


def segments(kind):
    rng = np.random.default_rng(1)
    return {
        "noise": rng.standard_normal((9, 600)),
        "constant": np.full((9, 600), 0.5),  # every answer is the largest
        "silence": np.zeros((9, 600)),
        "clicks": np.eye(9, 600, 40),
    }[kind].astype(np.float32)


def cost_and_gradients(model, x):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        cost = tf.reduce_sum(tf.math.log(model(x)) * np.arange(1, 4))
    return [cost.numpy(), *(g.numpy() for g in tape.gradient(cost, model.trainable_variables))]


@pytest.mark.parametrize("kind", ["noise", "constant", "silence", "clicks"])
@pytest.mark.parametrize("threads", [1, 4])
def test_cost_and_gradients_are_those_of_keras(pair, kind, threads, monkeypatch):
    monkeypatch.setattr(noise, "THREADS", threads)
    for plain, quick in zip(*(cost_and_gradients(model, segments(kind)) for model in pair), strict=True):
        np.testing.assert_allclose(quick, plain, rtol=1e-3, atol=1e-4 * np.abs(plain).max())


def test_places_are_those_of_the_largest_answers():
    x, filters = segments("noise"), np.random.default_rng(2).standard_normal((4, 31)).astype(np.float32)
    largest, places = convolution.largest_answers(x, filters, pool=60)
    assert largest.shape == places.shape == (9, 9, 4)  # 570 answers, of which 30 are left over
    answers = np.lib.stride_tricks.sliding_window_view(x.astype(float), 31, axis=1) @ filters.T.astype(float)
    answers = answers[:, :540].reshape(9, 9, 60, 4)
    np.testing.assert_allclose(largest, answers.max(axis=2), atol=1e-4)
    np.testing.assert_array_equal(places, answers.argmax(axis=2) + 60 * np.arange(9)[:, np.newaxis])


def test_what_is_learned_fast_is_in_the_model(pair):
    model, quick = pair
    x, y = segments("noise"), np.arange(9) % 3
    before = model.get_weights()
    quick.compile("sgd", "sparse_categorical_crossentropy")
    quick.fit(x, y, batch_size=4, verbose=0)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    np.testing.assert_allclose(quick.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)


def test_other_models_are_left_alone():
    for system, shape in {"mlp-1": (33,), "filterbank": (1100,)}.items():
        model = models.build(system, shape, 3)
        assert convolution.quick(model) is model
