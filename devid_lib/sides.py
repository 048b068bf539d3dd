"""One side of a comparison: the mean log spectrum of a handful of consecutive segments (notebooks 14, 15 and 20)."""

import numpy as np
import scipy.fft

from .audio import load_recording
from .features import fourier_features
from .progress import progress
from .segments import regular_segments
from .training import feature_scale

SEGMENT_LENGTH, PER = 4096, 20  # [samples], segments of a side
VIEWS = ((1, 400), (16, 60))  # what a side is described by: parts of a segment, cosine coefficients kept of their mean


def side_vectors(y, *, segment_length=SEGMENT_LENGTH, per=PER, most=None, edge=1.0):
    """Return the sides of a recording: cosine coefficients of mean log spectra of consecutive segments.

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
    edge : float
        Share of the band that is described, from 0 Hz on.

    Returns
    -------
    vectors : np.ndarray [shape=(n_sides, d)], float32
        The first cosine coefficients of the mean of log(1 + m / m0), without the zeroth, the level: of whole segments,
        then of their sixteenths. m are the magnitudes after a Hann window, m0 what the rounding of 16 bit gives them,
        so that digital silence is 0.

    Raises
    ------
    ParameterError
        If the recording is shorter than a segment or not one channel of real numbers.

    Notes
    -----
    Whole segments tell of ripples; their sixteenths, shorter than a syllable, of the balance of the band in speech and
    in pauses. Of rounds 01-03 against 08 and 13 (rounds, devices left out, 40 and 20 segments) both together had a
    Cllr_min of .015 and .040, whole segments alone .041 and .059.

    Examples
    --------
    >>> side_vectors(np.random.default_rng(0).normal(0, 0.01, 50 * 4096)).shape
    (2, 458)
    """
    segments, _ = regular_segments(y, length=segment_length)
    parts = np.array_split(segments, max(1, len(segments) // per))
    chosen = np.linspace(0, len(parts) - 1, min(most or len(parts), len(parts))).round().astype(int)
    sides = [np.concatenate([_view(parts[i], *view, edge) for view in VIEWS]) for i in chosen]
    return np.array(sides, np.float32)


def _view(segments, cut, kept, edge):
    """Return the cosine coefficients of the mean log spectrum of equal parts of segments."""
    n = segments.shape[1] // cut
    pieces = np.ascontiguousarray(segments[:, : n * cut].reshape(-1, n), np.float32)
    x = fourier_features(pieces, scale=feature_scale("default", n), window="hann").mean(axis=0)
    x = x[: int(edge * len(x))]
    return scipy.fft.dct(x, norm="ortho")[1:kept] / np.sqrt(len(x))


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
    vectors : np.ndarray [shape=(n_sides, d)], float32
    table : pandas.DataFrame [n_sides rows]
        The row of ``recordings`` that each side is from.
    """
    parts = []
    for row in progress(list(recordings.itertuples()), label="describing, recordings"):
        y, _ = load_recording(row.path, samplerate=row.samplerate)
        parts.append(side_vectors(y, segment_length=segment_length, per=per, most=most))
    rows = np.repeat(np.arange(len(recordings)), [len(part) for part in parts])
    return np.concatenate(parts), recordings.iloc[rows].reset_index(drop=True)
