"""[7], [8]: random projections, sketches, sparse representation."""

import warnings

import numpy as np
import pytest
from test_systems_spectra import ShortExcerptWarning, check_system, fitted, planted

from devid_lib.errors import ParameterError
from devid_lib.systems.sparse import (
    RandomSpectralFeatures,
    SpectralSketches,
    equal_weights,
    src_residuals,
    stable_vectors,
)


@pytest.mark.parametrize("classifier", ["src", "svm", "nn"])
def test_random_spectral_features(classifier):
    assert ShortExcerptWarning in check_system(RandomSpectralFeatures(classifier=classifier, n_components=64))


@pytest.mark.parametrize("options", [{"p": 1}, {"p": 2}, {"p": 2, "classifier": "svm"}], ids=repr)
def test_sketches(options):
    assert ShortExcerptWarning in check_system(SpectralSketches(n_components=64, **options))


def test_src_by_hand():
    # (3, 4) in units of its length is 0.6 of the first and 0.8 of the second column, so the first class leaves 0.8
    # of it and the second 0.6; a third class has no part in it and leaves all.
    train, codes = np.array([[2.0, 0, 0], [0, 5, 0], [0, 0, 1]]), np.array([0, 1, 2])
    assert src_residuals(train, codes, np.array([[3.0, 4, 0]]))[0] == pytest.approx([0.8, 0.6, 1])
    # With one column only the best is used.
    assert src_residuals(train, codes, np.array([[3.0, 4, 0]]), n_nonzero=1)[0] == pytest.approx([1, 0.6, 1])


def test_src_uses_all_columns_of_a_class():
    train, codes = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([0, 0, 1])
    residuals = src_residuals(train, codes, np.array([[3.0, 4, 0], [0, 0, -2]]))
    assert residuals == pytest.approx(np.array([[0, 1], [1, 0]]), abs=1e-12)


def test_src_is_quiet_about_zeros_and_duplicates():
    train, codes = np.array([[1.0, 0], [1, 0], [0, 1]]), np.array([0, 1, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        residuals = src_residuals(train, codes, np.array([[0.0, 0], [0, 1]]))
    assert residuals == pytest.approx(np.array([[0, 0], [1, 0]]))


def test_gaussian_sketch_keeps_the_euclidean_distance():
    x = np.array([3.0, 0, -4])
    products = x @ stable_vectors(3, 20_000, p=2, random_state=0)
    assert np.sqrt(np.mean(products**2)) == pytest.approx(5, rel=0.02)


def test_cauchy_sketch_keeps_the_city_block_distance():
    x = np.array([3.0, 0, -4])
    products = x @ stable_vectors(3, 20_000, p=1, random_state=0)
    assert np.median(np.abs(products)) == pytest.approx(7, rel=0.03)  # the median of |Cauchy| is 1


def test_equal_weights():
    sketches = np.array([[-2.0, 0, 2, 1e9, 2], [0, 0, 0, 0, 0]])
    assert equal_weights(sketches) == pytest.approx(np.array([[-0.5, 0, 0.5, 1, 0.5], [0] * 5]), abs=1e-6)
    assert equal_weights(7 * sketches) == pytest.approx(equal_weights(sketches))


def test_plain_cauchy_sketch():
    test = planted(("clip3",))
    plain, weighted = (fitted(SpectralSketches(p=1, plain=plain)) for plain in (True, False))
    assert np.abs(weighted._sketch(test)).max() <= 1 < np.abs(plain._sketch(test)).max()
    assert not np.allclose(*(one.vectors(test) for one in (plain, weighted)))


def test_gain_does_not_matter_to_sketches():
    test = planted(("clip3",))
    for excerpt in test:
        np.multiply(excerpt.y, 0.1, out=excerpt.y)
    model = fitted(SpectralSketches())
    assert model.predict_proba(test) == pytest.approx(model.predict_proba(planted(("clip3",))), abs=1e-3)


def test_seed_matters():
    test = planted(("clip3",))
    first, second = (fitted(RandomSpectralFeatures(random_state=seed)).predict_proba(test) for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    "system, message",
    [
        (RandomSpectralFeatures(classifier="lda"), "classifier='lda'"),
        (RandomSpectralFeatures(n_components=0), "n_components=0"),
        (SpectralSketches(n_nonzero=1.5), "n_nonzero=1.5"),
        (SpectralSketches(p=0.5), "p=0.5"),
    ],
)
def test_refused(system, message):
    with pytest.raises(ParameterError, match=message):
        fitted(system)
