"""Segments: cut a recording into pieces of equal length, at random as in the paper or regularly."""

from numbers import Integral

import numpy as np

from .errors import ParameterError


def random_segments(y, *, n, length=4096, rng):
    """Cut segments at uniformly random places; they may overlap.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)], real
        Recording, full scale = 1; integers are converted as they are. A memory-mapped file is read only where
        a segment lies.
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

    Raises
    ------
    ParameterError
        If ``y`` is not one channel of real numbers or is shorter than one segment, ``n`` or ``length`` is not a
        positive integer, or ``rng`` is neither a generator nor a seed.

    Notes
    -----
    Notebook 01. Section II of the paper: 1000 segments of 4096 samples from each training recording, 100 from each
    test recording.

    Examples
    --------
    >>> segments, starts = random_segments(np.arange(10.0), n=2, length=3, rng=0)
    >>> starts
    array([6, 5])
    >>> segments[0]
    array([6., 7., 8.], dtype=float32)
    """
    windows = _windows(y, length)
    _check_count("n", n)
    starts = _generator(rng).integers(len(windows), size=n)
    return np.ascontiguousarray(windows[starts], dtype=np.float32), starts


def regular_segments(y, *, length=4096, step=None):
    """Cut segments at regular places, from the first sample on; an incomplete last one is left out.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)], real
        Recording, full scale = 1.
    length : int >= 1
        Length of a segment [samples].
    step : int >= 1 or None
        Distance between two starts [samples]; ``None`` = ``length``, so that segments do not overlap.

    Returns
    -------
    segments : np.ndarray [shape=(n, length)], dtype of ``y``
        A read-only view of ``y``, nothing is copied: a memory-mapped file is not read here.
    starts : np.ndarray [shape=(n,)], int64
        First sample of each segment.

    Raises
    ------
    ParameterError
        If ``y`` is not one channel of real numbers or is shorter than one segment, or ``length`` or ``step`` is not
        a positive integer.

    Notes
    -----
    Notebook 01. The paper draws at random; regular segments serve to walk through a whole recording.

    Examples
    --------
    >>> regular_segments(np.arange(10.0), length=3)[0]
    array([[0., 1., 2.],
           [3., 4., 5.],
           [6., 7., 8.]])
    """
    step = length if step is None else step
    windows = _windows(y, length)
    _check_count("step", step)
    return windows[::step], np.arange(0, len(windows), step, dtype=np.int64)


def _windows(y, length):
    """Return every window of ``length`` samples of ``y`` as a view [shape=(n_samples - length + 1, length)]."""
    y = np.asarray(y)
    _check_count("length", length)
    if y.ndim != 1:
        raise ParameterError(f"a recording has one dimension, (n_samples,); this one has shape {y.shape}")
    if y.dtype.kind not in "fiu":
        raise ParameterError(f"a recording holds real numbers; this one holds {y.dtype}")
    if len(y) < length:
        raise ParameterError(f"the recording has {len(y)} samples, fewer than one segment of {length}")
    return np.lib.stride_tricks.sliding_window_view(y, length)


def _generator(rng):
    """Return ``rng`` as a generator; ``None`` is refused, since segments must be reproducible."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, Integral) or rng < 0:
        raise ParameterError(f"rng must be a np.random.Generator or a seed of at least 0, not {rng!r}")
    return np.random.default_rng(rng)


def _check_count(name, value):
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ParameterError(f"{name} must be an integer of at least 1, not {value!r}")
