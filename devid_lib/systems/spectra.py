"""Mean spectra, what systems on vectors share, and the simple baselines (notebook 10b).

A system may describe a recording by several vectors, those of its pieces. They are handed on as a list with one array
[shape=(n_pieces, n_features)] per recording; its decision is the mean over them.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.signal import get_window
from scipy.spatial.distance import cdist
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from ..features import trivial_features
from .base import System, softmax
from .warnings import ShortExcerptWarning

N_FFT = 2048  # frame of a mean spectrum [samples], hop a half: an excerpt of 4096 samples has three
POWER_FLOOR = 1e-12  # -120 dB of full scale, 19 dB below the rounding noise of 16 bits: keeps the logarithm finite
CHUNK = 512  # frames transformed at a time
TEMPERATURE = 0.1  # of nearest-neighbour scores, in squared distances between neighbouring devices; chosen, not fitted
MOST_SECONDS = 60  # pieces of one second that are looked at in a recording


# --- Frames and spectra ----------------------------------------------------------------------------------------------
def framed(y, *, length, hop):
    """Return the whole frames of a signal [shape=(n_frames, length)], float32, a read-only view.

    One shorter than a frame is filled up with zeros, with a `ShortExcerptWarning`, so that there is at least one row.
    """
    y = np.asarray(y, np.float32)
    if len(y) < length:
        message = f"an excerpt of {len(y)} samples is shorter than a frame of {length}; filled up with zeros"
        warnings.warn(message, ShortExcerptWarning, stacklevel=3)
        y = np.pad(y, (0, length - len(y)))
    return np.lib.stride_tricks.sliding_window_view(y, length)[::hop]


def spectra_in_chunks(frames, *, window="hann", n_fft=None):
    """Yield the spectra of frames, some hundreds at a time, so that a long recording costs little memory.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_frames, length)], float32
    window : str
        Any name that `scipy.signal.get_window` knows.
    n_fft : int or None
        Length of the transform [samples]; ``None`` = ``length``.

    Yields
    ------
    spectra : np.ndarray [shape=(<=512, n_fft // 2 + 1)], complex64
        Scaled so that the mean square of white noise is its power in every bin.
    """
    weights = get_window(window, frames.shape[1])
    weights = (weights / np.sqrt(np.sum(weights**2))).astype(np.float32)
    for start in range(0, len(frames), CHUNK):
        yield scipy.fft.rfft(frames[start : start + CHUNK] * weights, n_fft, axis=1)


def power(spectra):
    """Return abs(spectra)^2, float32."""
    return spectra.real**2 + spectra.imag**2


def log_power(power):
    """Return the natural logarithm of a power, floored at -120 dB of full scale."""
    return np.log(np.maximum(power, np.float32(POWER_FLOOR)))


def mean_spectrum(y, samplerate, *, n_fft=N_FFT):
    """Return the magnitude spectrum averaged over time: the mean spectrogram of Kotropoulos (2013).

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], real
        Excerpt, full scale = 1.
    samplerate : int
        Not used: bins are counted in samples.
    n_fft : int
        Length of a frame [samples], Hann window, hop a half.

    Returns
    -------
    spectrum : np.ndarray [shape=(n_fft // 2 + 1,)], float32
    """
    return _mean_over_frames(np.abs, y, n_fft)


def mean_log_spectrum(y, samplerate, *, n_fft=N_FFT):
    """Return the logarithm of the magnitude spectrum averaged over time (Panagakis & Kotropoulos, 2012).

    A device multiplies the spectrum of what it records, so it adds to the logarithm; the mean over time takes out what
    changes, the speech. Arguments and shape as in `mean_spectrum`; not below -120 dB of full scale.
    """
    return _mean_over_frames(lambda spectra: log_power(power(spectra)) / 2, y, n_fft)


def difference_spectrum(y, samplerate, *, n_fft=N_FFT):
    """Return the first difference along frequency of `mean_log_spectrum` [shape=(n_fft // 2,)].

    A gain drops out, and the slope of the speech nearly so; what is left are the edges and ripples of the device.
    """
    return np.diff(mean_log_spectrum(y, samplerate, n_fft=n_fft))


def _mean_over_frames(function, y, n_fft):
    """Return the mean over frames of a function of their spectra, float32."""
    frames = framed(y, length=n_fft, hop=n_fft // 2)
    total = sum(function(chunk).sum(axis=0, dtype=np.float64) for chunk in spectra_in_chunks(frames))
    return (total / len(frames)).astype(np.float32)


# --- Vectors of recordings -------------------------------------------------------------------------------------------
def evenly(rows, n):
    """Return at most ``n`` rows, evenly spaced."""
    return rows if len(rows) <= n else rows[np.linspace(0, len(rows) - 1, n).round().astype(int)]


def one_second_pieces(y, samplerate):
    """Return the whole seconds of a signal, 60 evenly spread ones if there are more; all of it if there is none."""
    return evenly(framed(y, length=samplerate, hop=samplerate), MOST_SECONDS) if len(y) >= samplerate else [y]


def feature_matrix(excerpts, function, **params):
    """Return one feature vector per excerpt as an array [shape=(n, n_features)], float32."""
    return np.stack([excerpt.feature(function, **params) for excerpt in excerpts]).astype(np.float32, copy=False)


def separation(vectors, devices):
    """Return how far apart devices are, in units of the distance between recordings of one device.

    Parameters
    ----------
    vectors : array_like [shape=(n, n_features)]
        One per recording.
    devices : sequence of str

    Returns
    -------
    ratio : float
        Mean distance between recordings of different devices over that between recordings of the same one; 1 where
        the vectors do not know the device, NaN where no device has two recordings.
    """
    distances, devices = cdist(vectors, vectors), np.asarray(devices)
    same = devices[:, None] == devices[None, :]
    others = ~np.eye(len(devices), dtype=bool)
    if not (same & others).any() or same.all():
        return float("nan")
    return float(distances[~same].mean() / max(distances[same & others].mean(), 1e-30))


# --- Classifiers on vectors ------------------------------------------------------------------------------------------
def fit_quietly(model, x, codes):
    """Fit a classifier without being asked whether devices with one recording each are a regression problem."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
        return model.fit(x, codes)


def fit_pieces(model, pieces, codes):
    """Fit a classifier to the pieces of training recordings, whose class numbers ``codes`` are."""
    return fit_quietly(model, np.concatenate(pieces), np.repeat(codes, [len(rows) for rows in pieces]))


def pieces_proba(model, pieces):
    """Return probabilities: softmax of the decision function's one-against-rest form, averaged over the pieces."""
    return softmax(pooled(decision_scores(model, np.concatenate(pieces)), pieces))


def decision_scores(model, x):
    """Return the decision function of a fitted classifier with one column per class, also where there are two."""
    scores = model.decision_function(x)
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


def pooled(scores, pieces):
    """Return the means over each recording's pieces of scores [shape=(n_all_pieces, n_classes)]."""
    counts = np.array([len(rows) for rows in pieces])
    return np.add.reduceat(scores, np.cumsum(counts) - counts, axis=0) / counts[:, None]


def nearest_proba(train, codes, test):
    """Return probabilities by 1-NN: softmax of minus the squared distances, in tenths of the squared spacing.

    The spacing is the median distance from a training vector to the nearest one of another class. The noise of a short
    excerpt adds the same to all its squared distances, and so cancels.
    """
    between, distances = cdist(train, train), cdist(test, train)
    between[codes[:, None] == codes] = np.inf
    spacing = np.median(between.min(axis=1))
    nearest = np.stack([distances[:, codes == k].min(axis=1) for k in range(codes.max() + 1)], axis=1)
    return softmax(-((nearest / (spacing if 0 < spacing < np.inf else 1.0)) ** 2), temperature=TEMPERATURE)


# --- The baselines ---------------------------------------------------------------------------------------------------
@dataclass(eq=False, repr=False, kw_only=True)
class MeanSpectrumNearest(System):
    """Baseline: mean log-spectrum and its nearest neighbour; probabilities as in `nearest_proba`."""

    n_fft: int = N_FFT  # frame [samples]

    feature = staticmethod(mean_log_spectrum)

    def _fit(self, excerpts, codes):
        self.train_, self.codes_ = feature_matrix(excerpts, self.feature, n_fft=self.n_fft), codes

    def _proba(self, excerpts):
        return nearest_proba(self.train_, self.codes_, feature_matrix(excerpts, self.feature, n_fft=self.n_fft))


class DifferenceNearest(MeanSpectrumNearest):
    """Baseline: first difference of the mean log-spectrum and its nearest neighbour; probabilities likewise."""

    feature = staticmethod(difference_spectrum)


@dataclass(eq=False, repr=False, kw_only=True)
class DifferenceSVM(System):
    """Baseline: first difference of the mean log-spectrum and a linear support vector machine.

    Features are centred, and their mean variance is made one over their number. Probabilities are the softmax of the
    one-against-rest form of the pairwise decisions.
    """

    n_fft: int = N_FFT  # frame [samples]
    C: float = 1.0  # cost of an error

    def _fit(self, excerpts, codes):
        x = feature_matrix(excerpts, difference_spectrum, n_fft=self.n_fft)
        self.mean_ = x.mean(axis=0)
        self.scale_ = np.sqrt(((x - self.mean_) ** 2).sum(axis=1).mean()) + 1e-12
        self.svm_ = fit_quietly(SVC(kernel="linear", C=self.C), (x - self.mean_) / self.scale_, codes)

    def _proba(self, excerpts):
        x = feature_matrix(excerpts, difference_spectrum, n_fft=self.n_fft)
        return softmax(decision_scores(self.svm_, (x - self.mean_) / self.scale_))


def trivial_numbers(y, samplerate):
    """Return the six numbers of the leakage probe as an array [shape=(<=10, 6)], see `trivial_features`."""
    y = y if len(y) else np.zeros(1, np.float32)
    return trivial_features(y, samplerate=samplerate, excerpts=10).to_numpy()


@dataclass(eq=False, repr=False, kw_only=True)
class TrivialForest(System):
    """Baseline: the six trivial numbers of the leakage probe and a random forest.

    Level, three percentiles of the frames' levels, share of exact zeros, DC offset: what a recording gives away
    without being listened to. Training recordings and excerpts are described by up to ten stretches of at least
    half a second each; the forest's probabilities are averaged over the stretches.
    """

    n_estimators: int = 200  # trees
    random_state: int = 0

    def _fit(self, excerpts, codes):
        forest = RandomForestClassifier(self.n_estimators, random_state=self.random_state)
        self.forest_ = fit_pieces(forest, [excerpt.feature(trivial_numbers) for excerpt in excerpts], codes)

    def _proba(self, excerpts):
        pieces = [excerpt.feature(trivial_numbers) for excerpt in excerpts]
        return pooled(self.forest_.predict_proba(np.concatenate(pieces)), pieces)
