"""[6]: the Fourier coefficient histogram of near-silence (notebook 10b)."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..errors import check_positive
from .spectra import POWER_FLOOR, VectorSystem, feature_matrix, framed, spectra_in_chunks
from .warnings import NearSilenceWarning

ABOVE_DB = 20.0  # chosen on training recordings, tools/choose_systems.py
QUIETEST = 0.05  # of a recording's windows, below whose loudest peak its own floor lies
LEAST_PEAK = 2.0**-15  # one step of 16 bits: what is lower counts as equally quiet


def window_peaks(frames):
    """Return the largest amplitude of each window [shape=(n_frames,)]."""
    return np.maximum(frames.max(axis=1), -frames.min(axis=1))


def near_silent(frames, *, above_db=ABOVE_DB, threshold=None):
    """Return which windows [shape=(n_frames, length)] are near-silent [shape=(n_frames,)], bool; at least one is.

    Their largest amplitude lies at most ``above_db`` over the recording's own floor, the amplitude that a twentieth of
    its windows do not exceed [dB]; or under a ``threshold``, full scale = 1. Where no window stays below that, the
    quietest is taken, with a `NearSilenceWarning`.
    """
    peaks = window_peaks(frames)
    if threshold is None:
        floor = max(np.quantile(peaks, QUIETEST, method="lower"), LEAST_PEAK)
        return peaks <= floor * 10 ** (above_db / 20)
    if peaks.min() > threshold:
        message = f"no window of {frames.shape[1]} samples stays below {threshold:g} (the quietest peaks at "
        warnings.warn(f"{message}{peaks.min():.3g}); the quietest is used", NearSilenceWarning, stacklevel=3)
        return peaks == peaks.min()
    return peaks <= threshold


def silence_histogram(y, samplerate, *, n_coefficients=2048, above_db=ABOVE_DB, threshold=None):
    """Return the Fourier coefficient histogram of a recording [shape=(n_coefficients,)], float32, from 0 Hz on.

    It is the sum of the FFT magnitudes of the windows of samples ``y`` [shape=(n,)] that are `near_silent`, divided by
    their number: the sum alone would tell how long the recording is. Whatever the sample rate, a window has twice as
    many samples as there are coefficients, and windows do not overlap. What is shorter than a window is filled up with
    zeros, with a `ShortExcerptWarning`.
    """
    frames = framed(y, length=2 * n_coefficients, hop=2 * n_coefficients)
    quiet = frames[near_silent(frames, above_db=above_db, threshold=threshold)]
    total = sum(np.abs(chunk).sum(axis=0, dtype=np.float64) for chunk in spectra_in_chunks(quiet, window="hamming"))
    return (total[:n_coefficients] / len(quiet)).astype(np.float32)


def log_histograms(excerpts, **options):
    """Return the logarithm of `silence_histogram` of every excerpt [shape=(n, n_coefficients)], float32."""
    histograms = feature_matrix(excerpts, silence_histogram, **options)
    return np.log(np.maximum(histograms, np.float32(np.sqrt(POWER_FLOOR))))


@dataclass(eq=False, repr=False, kw_only=True)
class SilenceHistogram(VectorSystem):
    """[6] Fourier coefficient histogram of near-silence, linear logistic regression.

    R. Buchholz, C. Kraetzer, J. Dittmann, "Microphone classification using Fourier coefficients", Information Hiding
    2009, LNCS 5806, 235-246, doi:10.1007/978-3-642-04431-1_17.

    As published: windows whose largest amplitude stays under a threshold (nine were tried); their FFT magnitudes, 256
    or 2048 coefficients, summed over the recording; six classifiers of Weka, linear logistic regression the
    best: 93.5 % on seven microphones.

    Adapted: only the abstract was read. The nine thresholds, absolute amplitudes there, suit the authors' recordings
    and not those of a phone with automatic gain: here near-silent is what lies at most ``above_db`` over the quietest
    windows of the excerpt itself, or under a ``threshold``, if one is given. The sum is divided by the number of
    windows. Its logarithm is taken and standardised over the training recordings, since the coefficients of a recording
    span 60 dB. The window function is Hamming's, which the abstract leaves open. The regression is scikit-learn's,
    multinomial with a quadratic penalty, where Weka's is boosted.
    """

    n_coefficients: int = 2048  # 256 or 2048 in the publication; a window has twice as many samples
    above_db: float = ABOVE_DB  # over the quietest windows [dB]
    threshold: float | None = None  # of near-silence, full scale = 1, in place of that
    C: float = 1.0  # inverse strength of the penalty

    def vectors(self, excerpts):
        options = {"n_coefficients": self.n_coefficients, "above_db": self.above_db, "threshold": self.threshold}
        return log_histograms(excerpts, **options)

    def _classifier(self):
        return make_pipeline(StandardScaler(), LogisticRegression(C=self.C, max_iter=500))

    def _fit(self, excerpts, codes):
        if self.threshold is not None:
            check_positive("threshold", self.threshold)
        super()._fit(excerpts, codes)
