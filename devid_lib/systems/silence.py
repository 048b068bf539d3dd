"""[6]: the Fourier coefficient histogram of near-silence (notebook 10b)."""

import warnings
from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..errors import ParameterError
from .base import System
from .spectra import POWER_FLOOR, feature_matrix, fit_quietly, framed, spectra_in_chunks
from .warnings import NearSilenceWarning

THRESHOLDS = tuple(float(t) for t in np.geomspace(2**-12, 2**-4, 9))  # nine, as in the publication: -72 to -24 dBFS
SHARE = 0.5  # of the windows taken as near-silent when no threshold is given: fewer let the room, not the device, speak


def window_peaks(frames):
    """Return the largest amplitude of each window [shape=(n_frames,)]."""
    return np.maximum(frames.max(axis=1), -frames.min(axis=1))


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
    peaks = window_peaks(frames)
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
    """
    frames = framed(y, length=2 * n_coefficients, hop=2 * n_coefficients)
    quiet = frames[near_silent(frames, threshold=threshold, share=share)]
    total = sum(np.abs(chunk).sum(axis=0, dtype=np.float64) for chunk in spectra_in_chunks(quiet, window="hamming"))
    return (total[:n_coefficients] / len(quiet)).astype(np.float32)


def log_histograms(excerpts, **options):
    """Return the logarithm of `silence_histogram` of every excerpt [shape=(n, n_coefficients)], float32."""
    histograms = feature_matrix(excerpts, silence_histogram, **options)
    return np.log(np.maximum(histograms, np.float32(np.sqrt(POWER_FLOOR))))


def chosen_threshold(excerpts, codes, *, n_coefficients):
    """Choose one of ``THRESHOLDS`` on training recordings, whose class numbers ``codes`` are.

    It is the one with which most training recordings have their nearest neighbour, among the other training recordings,
    in their own device; of equals the middle one. Windows that no threshold keeps give a `NearSilenceWarning` for the
    threshold that is chosen, when it is used, and none while choosing.
    """
    right = []
    for threshold in THRESHOLDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NearSilenceWarning)
            x = log_histograms(excerpts, n_coefficients=n_coefficients, threshold=threshold)
        distances = cdist(x, x)
        np.fill_diagonal(distances, np.inf)
        right.append(np.mean(codes[distances.argmin(axis=1)] == codes))
    best = np.flatnonzero(np.array(right) == max(right))
    return THRESHOLDS[best[len(best) // 2]]


@dataclass(eq=False, repr=False, kw_only=True)
class SilenceHistogram(System):
    """[6] Fourier coefficient histogram of near-silence, linear logistic regression.

    R. Buchholz, C. Kraetzer, J. Dittmann, "Microphone classification using Fourier coefficients", Information Hiding
    2009, LNCS 5806, 235-246, doi:10.1007/978-3-642-04431-1_17.

    As published: windows whose largest amplitude stays under a threshold (nine were tried); their FFT magnitudes, 256
    or 2048 coefficients, summed over the recording; six classifiers of Weka, linear logistic regression the
    best: 93.5 % on seven microphones.

    Adapted: only the abstract was read. The nine thresholds, absolute amplitudes there, suit the authors' recordings
    and not those of a phone with automatic gain; by default the threshold follows the recording's own level, so that
    half the windows of every recording are near-silent. ``threshold`` gives an absolute one, or chooses among nine on
    the training recordings, see `chosen_threshold`. The sum is divided by the number of windows. Its logarithm is taken
    and standardised over the training recordings, since the coefficients of a recording span 60 dB. The window function
    is Hamming's, which the abstract leaves open. The regression is scikit-learn's, multinomial with a quadratic
    penalty, where Weka's is boosted.

    Probabilities are the regression's own.
    """

    n_coefficients: int = 2048  # 256 or 2048 in the publication; a window has twice as many samples
    threshold: float | str | None = None  # of near-silence, full scale = 1, or "chosen"; None = by `share`
    share: float = SHARE  # of the windows that are near-silent where there is no threshold
    C: float = 1.0  # inverse strength of the penalty

    def _features(self, excerpts):
        options = {"n_coefficients": self.n_coefficients, "threshold": self.threshold_, "share": self.share}
        return log_histograms(excerpts, **options)

    def _fit(self, excerpts, codes):
        self.threshold_ = self.threshold
        if self.threshold == "chosen":
            self.threshold_ = chosen_threshold(excerpts, codes, n_coefficients=self.n_coefficients)
        elif self.threshold is not None and not (isinstance(self.threshold, Real) and self.threshold > 0):
            raise ParameterError(f"threshold={self.threshold!r} is neither above 0 nor 'chosen' nor None")
        regression = make_pipeline(StandardScaler(), LogisticRegression(C=self.C, max_iter=500))
        self.regression_ = fit_quietly(regression, self._features(excerpts), codes)

    def _proba(self, excerpts):
        return self.regression_.predict_proba(self._features(excerpts))
