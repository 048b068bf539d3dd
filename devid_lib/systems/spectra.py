"""Mean spectra, what systems on vectors share, and the simple baselines (notebook 10b).

A system may describe a recording by several vectors, those of its pieces. They are handed on as a list with one array
[shape=(n_pieces, n_features)] per recording; its decision is the mean over them.
"""

import functools
import itertools
import warnings
from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.signal import get_window
from scipy.spatial.distance import cdist
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import SVC

from ..features import trivial_features
from .base import System
from .warnings import ShortExcerptWarning

N_FFT = 2048  # frame of a mean spectrum [samples], hop a half: an excerpt of 4096 samples has three
POWER_FLOOR = 1e-12  # -120 dB of full scale, 19 dB below the rounding noise of 16 bits: keeps the logarithm finite
CHUNK = 512  # frames transformed at a time
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
    weights = unit_window(window, frames.shape[1])
    for start in range(0, len(frames), CHUNK):
        yield scipy.fft.rfft(frames[start : start + CHUNK] * weights, n_fft, axis=1)


@functools.lru_cache(maxsize=16)
def unit_window(name, length):
    """Return a window whose squares sum to one, float32."""
    weights = get_window(name, length)
    return (weights / np.sqrt(np.sum(weights**2))).astype(np.float32)


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


def pieces_scores(model, pieces):
    """Return the decision function's one-against-rest form, averaged over the pieces of each recording."""
    return pooled(decision_scores(model, np.concatenate(pieces)), pieces)


def pairwise_machine(*, kernel, C):
    """Return a support vector machine for every pair of classes, not fitted; `decision_scores` counts their votes."""
    return SVC(kernel=kernel, C=C, decision_function_shape="ovo")


def decision_scores(model, x):
    """Return one score per class of a fitted classifier [shape=(n, n_classes)], also where there are two.

    Of support vector machines, one for each pair of classes, it is the mean of the pairs' soft votes, tanh(margin):
    hard votes take few values, of which no temperature makes probabilities.
    """
    scores, machine = model.decision_function(x), model[-1] if hasattr(model, "steps") else model
    if scores.ndim == 1:
        return np.stack([-scores, scores], axis=1)
    if not isinstance(machine, SVC):
        return scores
    votes = np.zeros((len(x), len(machine.classes_)))
    for vote, (i, j) in zip(np.tanh(scores).T, itertools.combinations(range(votes.shape[1]), 2), strict=True):
        votes[:, i] += vote
        votes[:, j] -= vote
    return votes / (votes.shape[1] - 1)


def pooled(scores, pieces):
    """Return the means over each recording's pieces of scores [shape=(n_all_pieces, n_classes)]."""
    counts = np.array([len(rows) for rows in pieces])
    return np.add.reduceat(scores, np.cumsum(counts) - counts, axis=0) / counts[:, None]


def nearest_scores(train, codes, test):
    """Return minus the squared distance of each vector to the nearest training vector of each class.

    The noise of a short excerpt adds the same to all its squared distances, and so cancels in a softmax.
    """
    distances = cdist(test, train, "sqeuclidean")
    return -np.stack([distances[:, codes == k].min(axis=1) for k in range(codes.max() + 1)], axis=1)


# --- The baselines ---------------------------------------------------------------------------------------------------
@dataclass(eq=False, repr=False, kw_only=True)
class MeanSpectrumNearest(System):
    """Baseline: mean log-spectrum and its nearest neighbour."""

    n_fft: int = N_FFT  # frame [samples]

    feature = staticmethod(mean_log_spectrum)

    def _fit(self, excerpts, codes):
        self.train_, self.codes_ = feature_matrix(excerpts, self.feature, n_fft=self.n_fft), codes

    def _scores(self, excerpts):
        return nearest_scores(self.train_, self.codes_, feature_matrix(excerpts, self.feature, n_fft=self.n_fft))


class DifferenceNearest(MeanSpectrumNearest):
    """Baseline: first difference of the mean log-spectrum and its nearest neighbour."""

    feature = staticmethod(difference_spectrum)


@dataclass(eq=False, repr=False, kw_only=True)
class DifferenceSVM(System):
    """Baseline: first difference of the mean log-spectrum and a linear support vector machine.

    Features are centred, and their mean variance is made one over their number.
    """

    n_fft: int = N_FFT  # frame [samples]
    C: float = 1.0  # cost of an error

    def _fit(self, excerpts, codes):
        x = feature_matrix(excerpts, difference_spectrum, n_fft=self.n_fft)
        self.mean_ = x.mean(axis=0)
        self.scale_ = np.sqrt(((x - self.mean_) ** 2).sum(axis=1).mean()) + 1e-12
        self.svm_ = fit_quietly(pairwise_machine(kernel="linear", C=self.C), (x - self.mean_) / self.scale_, codes)

    def _scores(self, excerpts):
        x = feature_matrix(excerpts, difference_spectrum, n_fft=self.n_fft)
        return decision_scores(self.svm_, (x - self.mean_) / self.scale_)


@dataclass(eq=False, repr=False, kw_only=True)
class DifferenceRidge(System):
    """Differences over frequency of the mean log-spectrum, scaled bin by bin, and ridge regression on +-1: notebook 13.

    A bin's variance and the mean of all variances are its squared scale: bins that conditions leave alone are heard
    beside those which they move, and none whose variance is small by chance is blown up. Constants chosen by
    tools/choose_conditions.py.
    """

    n_fft: int = 4096  # frame [samples]
    step: int = 4  # bins from one to the other: small steps tell fine ripple, wide ones the coarse shape
    alpha: float = 1.0  # penalty of squared weights, per training excerpt

    def _features(self, excerpts):
        x = feature_matrix(excerpts, mean_log_spectrum, n_fft=self.n_fft)
        return x[:, self.step :] - x[:, : -self.step]

    def _fit(self, excerpts, codes):
        x = self._features(excerpts)
        variance = x.var(axis=0)
        self.mean_, self.scale_ = x.mean(axis=0), np.sqrt(variance + variance.mean()) + 1e-12
        self.ridge_ = fit_quietly(RidgeClassifier(self.alpha * len(x)), (x - self.mean_) / self.scale_, codes)

    def _scores(self, excerpts):
        return decision_scores(self.ridge_, (self._features(excerpts) - self.mean_) / self.scale_)


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

    n_estimators: int = 50  # trees
    random_state: int = 0

    def _fit(self, excerpts, codes):
        forest = RandomForestClassifier(self.n_estimators, random_state=self.random_state)
        self.forest_ = fit_pieces(forest, [excerpt.feature(trivial_numbers) for excerpt in excerpts], codes)

    def _scores(self, excerpts):
        pieces = [excerpt.feature(trivial_numbers) for excerpt in excerpts]
        shares = pooled(self.forest_.predict_proba(np.concatenate(pieces)), pieces)
        return np.log(shares + 1 / self.n_estimators)  # no vote at all is not impossible
