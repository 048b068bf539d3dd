"""Mean spectra, what systems on vectors share, and the simple baselines (notebook 10b)."""

import functools
import itertools
import warnings
from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.signal import get_window
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ..leakage import trivial_features
from .base import System
from .warnings import ShortExcerptWarning

N_FFT = 2048  # frame of a mean spectrum [samples], hop a half: an excerpt of 4096 samples has three
POWER_FLOOR = 1e-12  # -120 dB of full scale, 19 dB below the rounding noise of 16 bits: keeps the logarithm finite
CHUNK = 512  # frames transformed at a time
MOST_VOTES = 2_000_000  # of pairs of classes in memory at a time
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
    """Yield the spectra of frames [shape=(n_frames, length)], float32, some hundreds at a time, which saves memory.

    They are [shape=(<=512, n_fft // 2 + 1)], complex64, and scaled so that the mean square of white noise is its power
    in every bin. ``window`` is one of `scipy.signal.get_window`; ``n_fft`` [samples], if not ``length``, the
    transform's.
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
    """Return the magnitude spectrum of samples [shape=(n,)] averaged over time [shape=(n_fft // 2 + 1,)], float32.

    This is the mean spectrogram of Kotropoulos (2013). Frames have ``n_fft`` samples, Hann window, hop a half, whatever
    the sample rate is.
    """
    return _mean_over_frames(np.abs, y, n_fft)


def mean_log_spectrum(y, samplerate, *, n_fft=N_FFT):
    """Return the logarithm of the magnitude spectrum averaged over time (Panagakis & Kotropoulos, 2012).

    A device multiplies the spectrum of what it records, so it adds to the logarithm; the mean over time takes out what
    changes, the speech. Arguments and shape as in `mean_spectrum`; not below -120 dB of full scale.
    """
    return _mean_over_frames(lambda spectra: log_power(power(spectra)) / 2, y, n_fft)


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
    """Return how far apart devices are, in units of the distance between recordings of one device, float.

    That is the mean distance between ``vectors`` [shape=(n, n_features)], one per recording, of different devices over
    that of the same device: 1 where they do not know the device, NaN where no device has two recordings.

    >>> separation([[0.0], [1.0], [10.0], [11.0]], ["a", "a", "b", "b"])
    10.0
    """
    distances, devices = cdist(vectors, vectors), np.asarray(devices)
    same = devices[:, None] == devices[None, :]
    others = ~np.eye(len(devices), dtype=bool)
    if not (same & others).any() or same.all():
        return float("nan")
    return float(distances[~same].mean() / max(distances[same & others].mean(), 1e-30))


# --- Classifiers on vectors ------------------------------------------------------------------------------------------
class VectorSystem(System):
    """A system that describes excerpts by vectors, which a classifier of scikit-learn tells apart.

    It implements ``vectors(excerpts)``, one vector for every excerpt or several, those of its pieces, whose decisions
    are averaged; and ``_classifier()``, not fitted, with ``decision_function``. ``classifier_`` is the fitted one.
    """

    def _fit(self, excerpts, codes):
        pieces = self._pieces(excerpts)
        with warnings.catch_warnings():  # devices with one recording each are no regression problem
            warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
            self.classifier_ = self._classifier().fit(np.concatenate(pieces), np.repeat(codes, list(map(len, pieces))))

    def _scores(self, excerpts):
        pieces = self._pieces(excerpts)
        return pooled(decision_scores(self.classifier_, np.concatenate(pieces)), pieces)

    def _pieces(self, excerpts):
        return [np.atleast_2d(rows) for rows in self.vectors(excerpts)]


class NearestOfClass(ClassifierMixin, BaseEstimator):
    """Nearest neighbour, whose scores are minus the squared distances to the nearest training vector of each class.

    The noise of a short excerpt adds the same to all its squared distances, and so cancels in a softmax.
    """

    def fit(self, x, codes):
        """Keep training vectors [shape=(n, n_features)] and their classes, 0 to n_classes - 1."""
        self.x_, self.codes_, self.classes_ = x, codes, np.unique(codes)
        return self

    def decision_function(self, x):
        """Return the scores [shape=(n, n_classes)]."""
        distances = cdist(x, self.x_, "sqeuclidean")
        return -np.stack([distances[:, self.codes_ == k].min(axis=1) for k in self.classes_], axis=1)


def pairwise_machine(*, kernel, C, **options):
    """Return a support vector machine for every pair of classes, not fitted; `decision_scores` counts their votes."""
    return SVC(kernel=kernel, C=C, decision_function_shape="ovo", **options)


def decision_scores(model, x):
    """Return one score per class of a fitted classifier [shape=(n, n_classes)], also where there are two.

    Of support vector machines, one for each pair of classes, it is the mean of the pairs' soft votes, tanh(margin):
    hard votes take few values, of which no temperature makes probabilities.
    """
    n = len(model.classes_)
    if n > 2 and isinstance(model[-1] if hasattr(model, "steps") else model, SVC):
        pairs = np.array(list(itertools.combinations(range(n), 2)))  # 19,900 for 200 devices
        ends = np.arange(0, 2 * len(pairs) + 1, 2)
        votes = csr_array((np.tile([1.0, -1.0], len(pairs)), pairs.ravel(), ends))  # [shape=(n_pairs, n_classes)]
        blocks = np.array_split(x, 1 + len(x) * len(pairs) // MOST_VOTES)
        return np.concatenate([np.tanh(model.decision_function(rows)) @ votes for rows in blocks]) / (n - 1)
    scores = model.decision_function(x)
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


def pooled(scores, pieces):
    """Return the means over the pieces of each recording of scores [shape=(n_all_pieces, n_classes)]."""
    counts = np.array([len(rows) for rows in pieces])
    return np.add.reduceat(scores, np.cumsum(counts) - counts, axis=0) / counts[:, None]


# --- The baselines ---------------------------------------------------------------------------------------------------
@dataclass(eq=False, repr=False, kw_only=True)
class MeanSpectrumNearest(VectorSystem):
    """Baseline: mean log-spectrum and its nearest neighbour."""

    n_fft: int = N_FFT  # frame [samples]

    def vectors(self, excerpts):
        return feature_matrix(excerpts, mean_log_spectrum, n_fft=self.n_fft)

    def _classifier(self):
        return NearestOfClass()


class DifferenceNearest(MeanSpectrumNearest):
    """Baseline: first difference of the mean log-spectrum along frequency and its nearest neighbour.

    A gain drops out, and the slope of the speech nearly so; what is left are the edges and ripples of the device.
    """

    def vectors(self, excerpts):
        return np.diff(super().vectors(excerpts))


@dataclass(eq=False, repr=False, kw_only=True)
class DifferenceSVM(DifferenceNearest):
    """Baseline: first difference of the mean log-spectrum and a linear support vector machine.

    Features are centred, and inner products divided by their mean squared length.
    """

    C: float = 1.0  # cost of an error

    def _classifier(self):
        machine = pairwise_machine(kernel="poly", degree=1, C=self.C)  # linear, and scaled as the other kernels are
        return make_pipeline(StandardScaler(with_std=False), machine)


@dataclass(eq=False, repr=False, kw_only=True)
class DifferenceRidge(VectorSystem):
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
        self.n_, self.mean_, self.scale_ = len(x), x.mean(axis=0), np.sqrt(variance + variance.mean()) + 1e-12
        super()._fit(excerpts, codes)

    def vectors(self, excerpts):
        return (self._features(excerpts) - self.mean_) / self.scale_

    def _classifier(self):
        return RidgeClassifier(self.alpha * self.n_)


def trivial_numbers(y, samplerate):
    """Return the six numbers of the leakage probe as an array [shape=(<=10, 6)], see `trivial_features`."""
    y = y if len(y) else np.zeros(1, np.float32)
    return trivial_features(y, samplerate=samplerate, excerpts=10).to_numpy()


@dataclass(eq=False, repr=False, kw_only=True)
class TrivialForest(VectorSystem):
    """Baseline: the six trivial numbers of the leakage probe and a random forest.

    Level, three percentiles of the frames' levels, share of exact zeros, DC offset: what a recording gives away
    without being listened to. Training recordings and excerpts are described by up to ten stretches of at least
    half a second each; the forest's probabilities are averaged over the stretches.
    """

    n_estimators: int = 50  # trees
    random_state: int = 0

    def vectors(self, excerpts):
        return [excerpt.feature(trivial_numbers) for excerpt in excerpts]

    def _classifier(self):
        return RandomForestClassifier(self.n_estimators, random_state=self.random_state)

    def _scores(self, excerpts):
        pieces = self._pieces(excerpts)
        shares = pooled(self.classifier_.predict_proba(np.concatenate(pieces)), pieces)
        return np.log(shares + 1 / self.n_estimators)  # no vote at all is not impossible
