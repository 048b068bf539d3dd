"""One side of a comparison: the mean log spectrum of a handful of consecutive segments (notebooks 14, 15 and 20)."""

import numpy as np
import scipy.fft

from .audio import load_recording
from .features import fourier_features
from .progress import progress
from .segments import regular_segments
from .training import feature_scale

SEGMENT_LENGTH, PER = 4096, 20  # [samples], segments of a side
OFFSET = 1e-3  # largest mean of a recording that may be its converter's: of ccnu_mobile and rounds 4e-4 [full scale]
VIEWS = ((1, 400), (16, 60))  # what a side is described by: parts of a segment, cosine coefficients kept of their mean


def side_vectors(y, *, segment_length=SEGMENT_LENGTH, per=PER, most=None, edge=1.0):
    """Return the sides of a recording: cosine coefficients of mean log spectra of consecutive segments.

    Whole segments tell of ripples; their sixteenths, shorter than a syllable, of the balance of the band in speech and
    in pauses. Of rounds 01-03 against 08 and 13 (rounds, devices left out, 40 and 20 segments) both together had a
    Cllr_min of .015 and .040, whole segments alone .041 and .059.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)], real
        Recording, full scale = 1, at the rate that all sides of a comparison share. Other arrays, and one that is
        shorter than a segment, raise ParameterError.
    segment_length : int
        [samples]; segments do not overlap.
    per : int
        Segments of a side, at least. A recording of fewer is one side; what is left over is spread over the sides.
    most : int, optional
        Sides; of more, this many, evenly spread.
    edge : float
        Share of the band that is described, from 0 Hz on.

    Returns
    -------
    vectors : np.ndarray [shape=(n_sides, d)], float32
        The first cosine coefficients of the mean of log(1 + m / m0), without the zeroth, the level: of whole segments,
        then of their sixteenths. m are the magnitudes after a Hann window, m0 what the rounding of 16 bit gives them,
        so that digital silence is 0. A recording's offset is taken off before if it is larger than ``OFFSET``.

    Examples
    --------
    >>> side_vectors(np.random.default_rng(0).normal(0, 0.01, 50 * 4096)).shape
    (2, 458)
    """
    segments, _ = regular_segments(y, length=segment_length)
    parts = np.array_split(segments, max(1, len(segments) // per))
    chosen = np.linspace(0, len(parts) - 1, min(most or len(parts), len(parts))).round().astype(int)
    offset = np.float32(np.mean(y))
    offset *= abs(offset) > OFFSET
    sides = [np.concatenate([_view(parts[i] - offset, *view, edge) for view in VIEWS]) for i in chosen]
    return np.array(sides, np.float32)


def _view(segments, cut, kept, edge):
    """Return the cosine coefficients of the mean log spectrum of equal parts of segments."""
    n = segments.shape[1] // cut
    pieces = np.ascontiguousarray(segments[:, : n * cut].reshape(-1, n), np.float32)
    x = fourier_features(pieces, scale=feature_scale("default", n), window="hann").mean(axis=0)
    x = x[: int(edge * len(x))]
    return scipy.fft.dct(x, norm="ortho")[1:kept] / np.sqrt(len(x))


def corpus_sides(recordings, *, most=12, **options):
    """Return the `side_vectors` of a corpus [shape=(n_sides, d)], and a table with the row that each side is from.

    ``recordings`` is from `corpus.load_corpus`, or holds path, samplerate and whatever else is wanted of each side.
    """
    parts = []
    for row in progress(list(recordings.itertuples()), label="describing, recordings"):
        y, _ = load_recording(row.path, samplerate=row.samplerate)
        parts.append(side_vectors(y, most=most, **options))
    rows = np.repeat(np.arange(len(recordings)), [len(part) for part in parts])
    return np.concatenate(parts), recordings.iloc[rows].reset_index(drop=True)
