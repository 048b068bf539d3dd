"""One side of a comparison: the mean log spectrum of a handful of consecutive segments (notebooks 14, 15 and 20)."""

import numpy as np
import scipy.fft

from .audio import load_recording
from .features import fourier_features
from .progress import progress
from .segments import regular_segments
from .training import feature_scale

SEGMENT_LENGTH, PER = 4096, 20  # [samples], segments of a side
KEPT = 500  # cosine coefficients of a mean log spectrum; the first one, its level, is not used


def side_vectors(y, *, segment_length=SEGMENT_LENGTH, per=PER, most=None):
    """Return the sides of a recording: means of the log spectra of consecutive segments.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)], real
        Recording, full scale = 1, at the rate that all sides of a comparison share.
    segment_length : int
        [samples]; segments do not overlap.
    per : int
        Segments of a side, at least. A recording of fewer is one side; what is left over is spread over the sides.
    most : int, optional
        Sides; of more, this many, evenly spread.

    Returns
    -------
    vectors : np.ndarray [shape=(n_sides, segment_length // 2 + 1)], float32
        Means of log(1 + m / m0), with m the magnitudes of Hann-windowed segments and m0 what the rounding of 16 bit
        gives them, so that digital silence is 0.

    Raises
    ------
    ParameterError
        If the recording is shorter than a segment or not one channel of real numbers.

    Examples
    --------
    >>> side_vectors(np.random.default_rng(0).normal(0, 0.01, 50 * 4096)).shape
    (2, 2049)
    """
    segments, _ = regular_segments(y, length=segment_length)
    parts = np.array_split(segments, max(1, len(segments) // per))
    chosen = np.linspace(0, len(parts) - 1, min(most or len(parts), len(parts))).round().astype(int)
    options = {"scale": feature_scale("default", segment_length), "window": "hann"}
    spectra = (fourier_features(np.ascontiguousarray(parts[i], np.float32), **options) for i in chosen)
    return np.stack([part.mean(axis=0) for part in spectra])


def corpus_sides(recordings, *, segment_length=SEGMENT_LENGTH, per=PER, most=12):
    """Return the sides of all recordings of a corpus.

    Parameters
    ----------
    recordings : pandas.DataFrame
        From `corpus.load_corpus`: path, device, recording, samplerate and whatever else is wanted of each side.
    segment_length, per, most
        As in `side_vectors`.

    Returns
    -------
    vectors : np.ndarray [shape=(n_sides, segment_length // 2 + 1)], float32
    table : pandas.DataFrame [n_sides rows]
        The row of ``recordings`` that each side is from.
    """
    parts = []
    for row in progress(list(recordings.itertuples()), label="describing, recordings"):
        y, _ = load_recording(row.path, samplerate=row.samplerate)
        parts.append(side_vectors(y, segment_length=segment_length, per=per, most=most))
    rows = np.repeat(np.arange(len(recordings)), [len(part) for part in parts])
    return np.concatenate(parts), recordings.iloc[rows].reset_index(drop=True)


def coefficients(vectors):
    """Return the first cosine coefficients of sides without the level, np.ndarray [shape=(n, kept)], float64.

    Parameters
    ----------
    vectors : np.ndarray [shape=(n, d)]

    Examples
    --------
    >>> coefficients(np.ones((3, 2049))).shape, bool(np.allclose(coefficients(np.ones((3, 2049))), 0))
    ((3, 499), True)
    """
    vectors = np.asarray(vectors, np.float64)
    return scipy.fft.dct(vectors, axis=1, norm="ortho")[:, 1:KEPT] / np.sqrt(vectors.shape[1])
