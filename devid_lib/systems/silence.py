"""[6]: the Fourier coefficient histogram of near-silence."""

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ..errors import ParameterError
from .base import System
from .spectra import POWER_FLOOR, feature_matrix, fit_quietly, framed, spectra_in_chunks
from .warnings import NearSilenceWarning

SHARE = 0.5  # of the windows taken as near-silent when no threshold is given: fewer let the room, not the device, speak


def near_silent(frames, *, threshold=None, share=SHARE):
    """Return which windows are near-silent.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_frames, length)], real
    threshold : float or None
        Largest amplitude of a near-silent window, full scale = 1. Where no window stays below, the quietest is taken,
        with a `NearSilenceWarning`. ``None``: the threshold is set at the recording's own level, such that
        ``share`` of its windows are near-silent, at least one.
    share : float in (0, 1]

    Returns
    -------
    quiet : np.ndarray [shape=(n_frames,)], bool
        At least one is true.
    """
    peaks = np.maximum(frames.max(axis=1), -frames.min(axis=1))
    if threshold is None:
        return peaks <= np.sort(peaks)[max(1, round(share * len(peaks))) - 1]
    if peaks.min() > threshold:
        message = f"no window of {frames.shape[1]} samples stays below {threshold:g} (the quietest peaks at "
        warnings.warn(f"{message}{peaks.min():.3g}); the quietest is used", NearSilenceWarning, stacklevel=3)
        return peaks == peaks.min()
    return peaks <= threshold


def silence_histogram(y, samplerate, *, n_coefficients=2048, threshold=None, share=SHARE):
    """Return the Fourier coefficient histogram of the near-silent windows of a recording.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], real
        Excerpt, full scale = 1. One shorter than a window is filled up with zeros, with a `ShortExcerptWarning`.
    samplerate : int
        Not used: windows are counted in samples.
    n_coefficients : int >= 1
        Coefficients from 0 Hz on; a window has twice as many samples, and windows do not overlap.
    threshold, share
        As in `near_silent`.

    Returns
    -------
    histogram : np.ndarray [shape=(n_coefficients,)], float32
        Sum of the FFT magnitudes of the near-silent windows, divided by their number: the sum alone would tell how
        long the recording is.

    Notes
    -----
    Notebook 10. Buchholz, Kraetzer & Dittmann (2009).
    """
    frames = framed(y, length=2 * n_coefficients, hop=2 * n_coefficients)
    quiet = frames[near_silent(frames, threshold=threshold, share=share)]
    total = sum(np.abs(chunk).sum(axis=0, dtype=np.float64) for chunk in spectra_in_chunks(quiet, window="hamming"))
    return (total[:n_coefficients] / len(quiet)).astype(np.float32)


class SilenceHistogram(System):
    """[6] Fourier coefficient histogram of near-silence, linear logistic regression.

    R. Buchholz, C. Kraetzer, J. Dittmann, "Microphone classification using Fourier coefficients", Information Hiding
    2009, LNCS 5806, 235-246, doi:10.1007/978-3-642-04431-1_17.

    As published: windows whose largest amplitude stays under a threshold (nine were tried); their FFT magnitudes, 256
    or 2048 coefficients, summed over the recording; six classifiers of Weka, linear logistic regression the
    best: 93.5 % on seven microphones.

    Adapted: only the abstract was read. The nine thresholds, absolute amplitudes there, suit the authors' recordings
    and not those of a phone with automatic gain; by default the threshold follows the recording's own level, so that
    half the windows of every recording are near-silent, and ``threshold`` gives an absolute one. The sum is divided
    by the number of windows. Its logarithm is taken and standardised over the training recordings, since the
    coefficients of a recording span 60 dB. The window function is Hamming's, which the abstract leaves open. The
    regression is scikit-learn's, multinomial with a quadratic penalty, where Weka's is boosted.

    Probabilities are the regression's own.

    Parameters
    ----------
    n_coefficients : int
        256 or 2048 in the publication; a window has twice as many samples.
    threshold : float or None
        Largest amplitude of a near-silent window, full scale = 1; ``None`` = by ``share``.
    share : float in (0, 1]
        Share of the windows that are near-silent when ``threshold`` is ``None``.
    C : float
        Inverse strength of the penalty.
    """

    def __init__(self, *, n_coefficients=2048, threshold=None, share=SHARE, C=1.0):
        self.n_coefficients = n_coefficients
        self.threshold = threshold
        self.share = share
        self.C = C

    def _features(self, excerpts):
        if not 0 < self.share <= 1:
            raise ParameterError(f"share={self.share!r} is not above 0 and at most 1")
        if self.threshold is not None and not self.threshold > 0:
            raise ParameterError(f"threshold={self.threshold!r} is not above 0")
        options = {"n_coefficients": self.n_coefficients, "threshold": self.threshold, "share": self.share}
        histograms = feature_matrix(excerpts, silence_histogram, **options)
        return np.log(np.maximum(histograms, np.float32(np.sqrt(POWER_FLOOR))))

    def _fit(self, excerpts, codes):
        x = self._features(excerpts)
        self.scaler_ = StandardScaler().fit(x)
        regression = LogisticRegression(C=self.C, max_iter=500)
        self.regression_ = fit_quietly(regression, self.scaler_.transform(x), codes)

    def _proba(self, excerpts):
        return self.regression_.predict_proba(self.scaler_.transform(self._features(excerpts)))
