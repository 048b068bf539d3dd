"""Segments: where they lie, what they hold, what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devid_lib.errors import ParameterError
from devid_lib.segments import random_segments, regular_segments

property_test = settings(max_examples=40, deadline=None, derandomize=True)


@property_test
@given(n=st.integers(1, 30), length=st.integers(1, 50), extra=st.integers(0, 60), seed=st.integers(0, 2**32 - 1))
def test_random_segments_are_pieces_of_the_recording(n, length, extra, seed):
    y = np.arange(length + extra, dtype=np.float32)
    segments, starts = random_segments(y, n=n, length=length, rng=seed)
    assert segments.shape == (n, length)
    assert segments.dtype == np.float32
    assert segments.flags.c_contiguous
    assert starts.shape == (n,)
    assert starts.dtype == np.int64
    assert starts.min() >= 0
    assert starts.max() <= extra
    np.testing.assert_array_equal(segments, starts[:, np.newaxis] + np.arange(length))


def test_every_start_is_drawn_equally_often():
    _, starts = random_segments(np.zeros(13), n=40_000, length=4, rng=0)
    counts = np.bincount(starts)
    assert len(counts) == 10  # 0 to 13 - 4, the last one included
    assert abs(counts - 4000).max() < 5 * np.sqrt(4000)


def test_random_segments_follow_the_seed():
    y = np.random.default_rng(0).standard_normal(5000)
    first, starts = random_segments(y, n=20, length=100, rng=7)
    again, same = random_segments(y, n=20, length=100, rng=np.random.default_rng(7))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(starts, same)
    assert not np.array_equal(starts, random_segments(y, n=20, length=100, rng=8)[1])
    rng = np.random.default_rng(7)  # a generator goes on: independent draws
    draws = [random_segments(y, n=20, length=100, rng=rng)[1] for _ in range(2)]
    assert not np.array_equal(*draws)


def test_random_segments_are_a_copy():
    y = np.zeros(100, np.float32)
    segments, _ = random_segments(y, n=3, length=10, rng=0)
    segments += 1
    assert not y.any()


def test_integers_are_converted_as_they_are():
    segments, _ = random_segments(np.array([1000, -1000], np.int16), n=1, length=2, rng=0)
    assert segments.tolist() == [[1000, -1000]]
    assert segments.dtype == np.float32


@pytest.mark.parametrize(("samples", "length", "expected"), [(10, 4, [0, 4]), (12, 4, [0, 4, 8]), (4, 4, [0])])
def test_regular_segments(samples, length, expected):
    y = np.arange(samples, dtype=np.float64)
    segments, starts = regular_segments(y, length=length)
    assert starts.tolist() == expected
    assert starts.dtype == np.int64
    assert segments.dtype == y.dtype
    np.testing.assert_array_equal(segments, np.array(expected)[:, np.newaxis] + np.arange(length))


def test_regular_segments_put_together_are_the_recording():
    y = np.random.default_rng(0).standard_normal(1000)
    segments, _ = regular_segments(y, length=90)
    np.testing.assert_array_equal(segments.ravel(), y[:990])


def test_regular_segments_are_a_read_only_view():
    y = np.zeros(100, np.float32)
    segments, _ = regular_segments(y, length=10)
    assert np.shares_memory(segments, y)
    with pytest.raises(ValueError, match="read-only"):
        segments[0, 0] = 1


def test_memory_maps_are_taken(tmp_path):
    np.save(tmp_path / "y.npy", np.arange(1000, dtype=np.float32))
    y = np.load(tmp_path / "y.npy", mmap_mode="r")
    segments, starts = random_segments(y, n=5, length=100, rng=0)
    np.testing.assert_array_equal(segments[:, 0], starts)
    assert np.shares_memory(regular_segments(y, length=100)[0], y)


def test_default_length_is_that_of_the_paper():
    y = np.zeros(10_000)
    assert random_segments(y, n=1, rng=0)[0].shape == (1, 4096)
    assert regular_segments(y)[0].shape == (2, 4096)


@pytest.mark.parametrize(
    ("y", "options", "reason"),
    [
        (np.zeros(9), {"length": 10}, r"10 samples.*\(9,\)"),
        (np.zeros((2, 50)), {}, r"\(2, 50\)"),
        (np.zeros(0), {}, r"10 samples.*\(0,\)"),
        (np.zeros(50, complex), {}, "complex"),
        (np.zeros(50, bool), {}, "bool"),
        (["a"] * 50, {}, "real numbers"),
        (np.zeros(50), {"length": 0}, "length=0"),
        (np.zeros(50), {"length": 5.0}, "length=5.0"),
        (np.zeros(50), {"length": True}, "length=True"),
    ],
)
def test_bad_recordings_and_lengths_are_refused(y, options, reason):
    options = {"length": 10} | options
    with pytest.raises(ParameterError, match=reason):
        regular_segments(y, **options)
    with pytest.raises(ParameterError, match=reason):
        random_segments(y, n=1, rng=0, **options)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n", 0), ("n", -3), ("n", 2.0), ("n", "2"), ("rng", None), ("rng", -1), ("rng", 1.5), ("rng", True)],
)
def test_bad_draws_are_refused(name, value):
    with pytest.raises(ParameterError, match=f"{name}={value!r}"):
        random_segments(np.zeros(50), **{"n": 2, "length": 10, "rng": 0, name: value})
