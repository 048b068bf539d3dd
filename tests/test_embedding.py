"""t-SNE: which segments are shown, that clusters stay apart, and purity by hand."""

import numpy as np
import pandas as pd
import pytest

from devid_lib import embedding
from devid_lib.dataset import Dataset
from devid_lib.errors import ParameterError

DEVICES = ("ash", "beech", "cedar")


@pytest.fixture(scope="module")
def dataset():
    """Test segments of three devices in two draws, 40 of each, mixed with training segments."""
    parts = [{"device": device, "recording": "r", "split": split, "draw": draw, "start": range(40)}
             for split, draw in (("train", 0), ("test", 0), ("test", 1)) for device in reversed(DEVICES)]
    table = pd.concat(map(pd.DataFrame, parts)).sample(frac=1, random_state=0).reset_index(drop=True)
    return Dataset(np.zeros((len(table), 1), np.float32), table, DEVICES, {}, pd.DataFrame())


def blobs(n=40, dimensions=5, distance=20.0):
    x = np.random.default_rng(0).standard_normal((2 * n, dimensions)).astype(np.float32)
    x[n:, 0] += distance
    return x, np.repeat([0, 1], n)


@pytest.mark.parametrize(("n", "each"), [(30, 10), (31, 10), (120, 40), (5000, 40), (2, 1)])
def test_sample_rows_takes_the_same_number_of_every_device(dataset, n, each):
    rows = embedding.sample_rows(dataset, n=n)
    table = dataset.segments.iloc[rows]
    assert len(set(rows)) == len(rows) == 3 * each
    assert table["device"].tolist() == [name for name in DEVICES for _ in range(each)]  # in order of devices
    assert table["split"].eq("test").all()
    assert table["draw"].eq(0).all()


def test_sample_rows_depends_on_its_seed_alone(dataset):
    first, again, other = (embedding.sample_rows(dataset, n=30, seed=seed).tolist() for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("dimensions", [5, 80])
def test_tsne_keeps_two_far_clusters_apart_and_is_reproducible(dimensions):
    x, labels = blobs(dimensions=dimensions)
    points = embedding.tsne(x, perplexity=10, seed=3)
    assert points.shape == (80, 2)
    assert points.dtype == np.float32
    centres = np.stack([points[labels == label].mean(axis=0) for label in (0, 1)])
    nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest, labels)
    assert embedding.neighbour_purity(points, labels) == 1
    np.testing.assert_array_equal(points, embedding.tsne(x, perplexity=10, seed=3))


@pytest.mark.parametrize("perplexity", [0, -5, 80, 1000, float("nan")])
def test_perplexity_that_is_not_allowed(perplexity):
    with pytest.raises(ParameterError, match=f"perplexity={perplexity}.*80"):
        embedding.tsne(blobs()[0], perplexity=perplexity)


@pytest.mark.parametrize(("n", "expected"), [(2000, [5, 30, 100]), (400, [5, 30, 100]), (200, [5, 30, 50]),
                                             (27, [5, 6]), (12, [3]), (3, [2])])
def test_perplexities_suit_the_number_of_points(n, expected):
    assert embedding.perplexities(n) == expected
    assert max(expected) < n


def test_neighbour_purity_by_hand():
    x = np.array([[0.0], [1.0], [3.0], [3.5], [10.0]])  # nearest other point: 1, 0, 3, 2, 3
    assert embedding.neighbour_purity(x, ["a", "a", "a", "b", "b"]) == pytest.approx(3 / 5)
    assert embedding.neighbour_purity(x, list("abcde")) == 0


def test_neighbour_purity_does_not_take_a_point_as_its_own_neighbour():
    assert embedding.neighbour_purity(np.zeros((2, 3)), ["a", "b"]) == 0  # the two coincide, yet each sees the other
