"""Mean spectra, and the simple baselines that every cited system is held against."""

import warnings

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


def framed(y, *, length, hop):
    """Cut a signal into frames; an incomplete last one is left out.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], real
        Excerpt. One shorter than a frame is filled up with zeros, with a `ShortExcerptWarning`.
    length, hop : int >= 1
        Length of a frame and distance between two starts [samples].

    Returns
    -------
    frames : np.ndarray [shape=(n_frames, length)], float32
        A read-only view, at least one row.
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


def mean_spectrum(y, samplerate, *, n_fft=N_FFT):
    """Return the magnitude spectrum averaged over time.

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

    Notes
    -----
    Notebook 10. The mean spectrogram of Kotropoulos (2013).
    """
    frames = framed(y, length=n_fft, hop=n_fft // 2)
    total = sum(np.abs(chunk).sum(axis=0, dtype=np.float64) for chunk in spectra_in_chunks(frames))
    return (total / len(frames)).astype(np.float32)


def mean_log_spectrum(y, samplerate, *, n_fft=N_FFT):
    """Return the logarithm of the magnitude spectrum averaged over time.

    Parameters
    ----------
    y, samplerate, n_fft
        As in `mean_spectrum`.

    Returns
    -------
    spectrum : np.ndarray [shape=(n_fft // 2 + 1,)], float32
        Natural logarithm of magnitudes, not below -120 dB of full scale.

    Notes
    -----
    Notebook 10. A device multiplies the spectrum of what it records, so it adds to the logarithm; the mean over time
    takes out what changes, the speech. Panagakis & Kotropoulos (2012).
    """
    frames = framed(y, length=n_fft, hop=n_fft // 2)
    total = sum(log_power(power(chunk)).sum(axis=0, dtype=np.float64) for chunk in spectra_in_chunks(frames))
    return (total / len(frames) / 2).astype(np.float32)


def log_power(power):
    """Return the natural logarithm of a power, floored at -120 dB of full scale."""
    return np.log(np.maximum(power, np.float32(POWER_FLOOR)))


def difference_spectrum(y, samplerate, *, n_fft=N_FFT):
    """Return the first difference along frequency of `mean_log_spectrum` [shape=(n_fft // 2,)].

    A gain drops out, and the slope of the speech nearly so; what is left are the edges and ripples of the device.
    """
    return np.diff(mean_log_spectrum(y, samplerate, n_fft=n_fft))


def trivial_numbers(y, samplerate, *, excerpts=10):
    """Return the six numbers of the leakage probe as an array [shape=(<=excerpts, 6)], see `trivial_features`."""
    y = y if len(y) else np.zeros(1, np.float32)
    return trivial_features(y, samplerate=samplerate, excerpts=excerpts).to_numpy()


def evenly(rows, n):
    """Return at most ``n`` rows, evenly spaced."""
    return rows if len(rows) <= n else rows[np.linspace(0, len(rows) - 1, n).round().astype(int)]


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


def nearest_distances(train, codes, test, n_classes):
    """Return the distance of every test vector to the nearest training vector of each class, [shape=(n, n_classes)]."""
    distances = cdist(test, train)
    return np.stack([distances[:, codes == k].min(axis=1) for k in range(n_classes)], axis=1)


def neighbour_spacing(train, codes):
    """Return the median distance from a training vector to the nearest one of another class, 1 if that is zero."""
    distances = cdist(train, train)
    distances[codes[:, None] == codes[None, :]] = np.inf
    spacing = np.median(distances.min(axis=1))
    return float(spacing) if 0 < spacing < np.inf else 1.0


def nearest_proba(train, codes, test, n_classes):
    """Return probabilities by 1-NN: softmax of minus the squared distances, in tenths of the squared spacing.

    The noise of a short excerpt adds the same to all its squared distances, and so cancels.
    """
    distances = nearest_distances(train, codes, test, n_classes) / neighbour_spacing(train, codes)
    return softmax(-(distances**2), temperature=TEMPERATURE)


def fit_quietly(model, x, codes):
    """Fit a classifier without being asked whether devices with one recording each are a regression problem."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
        return model.fit(x, codes)


def decision_scores(model, x):
    """Return the decision function of a fitted classifier with one column per class, also where there are two."""
    scores = model.decision_function(x)
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


def pooled_proba(scores, counts):
    """Average scores over the instances of each excerpt and return them as probabilities.

    Parameters
    ----------
    scores : np.ndarray [shape=(sum(counts), n_classes)]
        Of the instances of all excerpts, one excerpt after the other.
    counts : sequence of int >= 1
        Instances of each excerpt.

    Returns
    -------
    probabilities : np.ndarray [shape=(len(counts), n_classes)]
    """
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return softmax(np.add.reduceat(scores, starts, axis=0) / np.asarray(counts)[:, None])


class MeanSpectrumNearest(System):
    """Baseline: mean log-spectrum and its nearest neighbour.

    Probabilities are the softmax of minus the squared distance to each device's nearest recording, in tenths of the
    usual squared distance between two devices.

    Parameters
    ----------
    n_fft : int
        Frame [samples].
    """

    feature = staticmethod(mean_log_spectrum)

    def __init__(self, *, n_fft=N_FFT):
        self.n_fft = n_fft

    def _fit(self, excerpts, codes):
        self.train_, self.codes_ = feature_matrix(excerpts, self.feature, n_fft=self.n_fft), codes

    def _proba(self, excerpts):
        test = feature_matrix(excerpts, self.feature, n_fft=self.n_fft)
        return nearest_proba(self.train_, self.codes_, test, len(self.classes_))


class DifferenceNearest(MeanSpectrumNearest):
    """Baseline: first difference of the mean log-spectrum and its nearest neighbour.

    Probabilities as in `MeanSpectrumNearest`.
    """

    feature = staticmethod(difference_spectrum)


class DifferenceSVM(System):
    """Baseline: first difference of the mean log-spectrum and a linear support vector machine.

    Probabilities are the softmax of the one-against-rest form of the pairwise decisions.

    Parameters
    ----------
    n_fft : int
        Frame [samples].
    C : float
        Cost of an error; features are centred and their mean variance is made one over their number.
    """

    def __init__(self, *, n_fft=N_FFT, C=1.0):
        self.n_fft = n_fft
        self.C = C

    def _fit(self, excerpts, codes):
        x = feature_matrix(excerpts, difference_spectrum, n_fft=self.n_fft)
        self.mean_ = x.mean(axis=0)
        self.scale_ = np.sqrt(((x - self.mean_) ** 2).sum(axis=1).mean()) + 1e-12
        self.svm_ = fit_quietly(SVC(kernel="linear", C=self.C), (x - self.mean_) / self.scale_, codes)

    def _proba(self, excerpts):
        x = feature_matrix(excerpts, difference_spectrum, n_fft=self.n_fft)
        return softmax(decision_scores(self.svm_, (x - self.mean_) / self.scale_))


class TrivialForest(System):
    """Baseline: the six trivial numbers of the leakage probe and a random forest.

    Level, three percentiles of the frames' levels, share of exact zeros, DC offset: what a recording gives away
    without being listened to. Training recordings and excerpts are described by up to ten stretches of at least
    half a second each; the forest's probabilities are averaged over the stretches.

    Parameters
    ----------
    n_estimators : int
        Trees.
    random_state : int
        Seed of the forest.
    """

    def __init__(self, *, n_estimators=200, random_state=0):
        self.n_estimators = n_estimators
        self.random_state = random_state

    def _fit(self, excerpts, codes):
        rows = [excerpt.feature(trivial_numbers) for excerpt in excerpts]
        forest = RandomForestClassifier(self.n_estimators, random_state=self.random_state)
        self.forest_ = fit_quietly(forest, np.concatenate(rows), np.repeat(codes, [len(r) for r in rows]))

    def _proba(self, excerpts):
        rows = [excerpt.feature(trivial_numbers) for excerpt in excerpts]
        proba = self.forest_.predict_proba(np.concatenate(rows))
        starts = np.concatenate([[0], np.cumsum([len(r) for r in rows])[:-1]])
        return np.add.reduceat(proba, starts, axis=0) / np.array([len(r) for r in rows])[:, None]
