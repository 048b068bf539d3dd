"""Segments: cut a recording into pieces of equal length, at random as in the paper or regularly (notebook 01).

A recording that is not one channel of real numbers or is shorter than one segment raises ParameterError, as do numbers
of segments and lengths below 1. A memory-mapped recording is read only where a segment is copied from.
"""

import numpy as np

from .errors import check_count, check_signal


def random_segments(y, *, n, length=4096, rng):
    """Cut segments at uniformly random places; they may overlap.

    Section II of the paper: 1000 segments of 4096 samples from each training recording, 100 from each test recording.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)], real
        Recording, full scale = 1; integers are converted as they are.
    n : int >= 1
        Number of segments.
    length : int >= 1
        Length of a segment [samples].
    rng : np.random.Generator or int
        Source of the random starts; an integer is used as a seed.

    Returns
    -------
    segments : np.ndarray [shape=(n, length)], float32
        The segments, in the order in which they were drawn.
    starts : np.ndarray [shape=(n,)], int64
        First sample of each segment, from 0 to ``n_samples - length`` inclusive.

    Examples
    --------
    >>> segments, starts = random_segments(np.arange(10.0), n=2, length=3, rng=0)
    >>> starts
    array([6, 5])
    >>> segments[0]
    array([6., 7., 8.], dtype=float32)
    """
    check_count("n", n)
    if not isinstance(rng, np.random.Generator):
        rng = np.random.default_rng(check_count("rng", rng, least=0))
    windows = _windows(y, length)
    starts = rng.integers(len(windows), size=n)
    return np.ascontiguousarray(windows[starts], dtype=np.float32), starts


def regular_segments(y, *, length=4096):
    """Cut segments one after the other, from the first sample on; an incomplete last one is left out.

    The paper draws at random; regular segments serve to walk through a whole recording.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)], real
        Recording, full scale = 1.
    length : int >= 1
        Length of a segment [samples].

    Returns
    -------
    segments : np.ndarray [shape=(n, length)], dtype of ``y``
        A read-only view of ``y``: nothing is copied.
    starts : np.ndarray [shape=(n,)], int64
        First sample of each segment.

    Examples
    --------
    >>> regular_segments(np.arange(10.0), length=3)[0]
    array([[0., 1., 2.],
           [3., 4., 5.],
           [6., 7., 8.]])
    """
    windows = _windows(y, length)
    return windows[::length], np.arange(0, len(windows), length, dtype=np.int64)


def _windows(y, length):
    """Return every window of ``length`` samples of ``y`` as a view [shape=(n_samples - length + 1, length)]."""
    y = check_signal(y, shortest=check_count("length", length), single=True)
    return np.lib.stride_tricks.sliding_window_view(y, length)
