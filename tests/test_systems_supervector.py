"""The supervector against a hand-worked case, and the system on planted devices."""

import numpy as np
import pytest
from sklearn.base import clone
from test_systems_cepstra import check_system, devices_of, mixture, planted

from devid_lib.systems.cepstra import SupervectorSVM, map_adapt, statistics, supervector
from devid_lib.systems.warnings import FewFramesWarning


@pytest.mark.parametrize("system", [SupervectorSVM(n_components=8), SupervectorSVM(feature="lfcc", n_components=8)],
                         ids=repr)  # fmt: skip
def test_system(system):
    check_system(system)


def test_supervector_by_hand():
    """16 frames each move both means half way: by 0.5 and by 2; the scaling gives 0.5 : 2 / 2 times sqrt(weights)."""
    background = mixture([[0.0], [100.0]], [[1.0], [4.0]], [0.64, 0.36])
    x = np.repeat([[1.0], [104.0]], 16, axis=0)
    expected = np.array([0.8 * 0.5 / 1.0, 0.6 * 2.0 / 2.0])
    np.testing.assert_allclose(supervector(background, x), expected / np.linalg.norm(expected), rtol=1e-9)


def test_inner_product_is_that_of_the_divergence_bound():
    """Campbell, Sturim & Reynolds (2006): sum of weight * (m_a - m)' (m_b - m) / variance, here over the lengths."""
    rng = np.random.default_rng(0)
    background = mixture(rng.standard_normal((3, 2)), rng.uniform(0.5, 2, (3, 2)), [0.2, 0.3, 0.5])
    a, b = rng.standard_normal((40, 2)) + 1, rng.standard_normal((60, 2)) - [1, 0]
    shifts = [map_adapt(background, *statistics(background, x)[:2]).means - background.means for x in (a, b)]

    def inner(p, q):
        return (background.weights[:, None] * p * q / background.variances).sum()

    expected = inner(*shifts) / np.sqrt(inner(shifts[0], shifts[0]) * inner(shifts[1], shifts[1]))
    assert supervector(background, a) @ supervector(background, b) == pytest.approx(expected)


def test_length_of_an_excerpt_does_not_change_the_direction():
    background = mixture([[0.0, 0.0]], [[1.0, 1.0]])
    x = np.array([[1.0, 2.0]])
    np.testing.assert_allclose(supervector(background, x), supervector(background, np.repeat(x, 1000, axis=0)))


def test_frames_like_the_background_give_zero():
    assert not supervector(mixture([[0.0]], [[1.0]]), np.zeros((5, 1))).any()


def test_few_frames_are_named():
    train = planted("1", "2", seconds=0.2)
    with pytest.warns(FewFramesWarning, match="fewer frames than components"):
        system = clone(SupervectorSVM(n_components=64)).fit(train, devices_of(train))
    assert np.isfinite(system.predict_proba(planted("3", seconds=0.05))).all()
