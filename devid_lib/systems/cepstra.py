"""[2] to [5]: cepstra and Gaussian mixtures (notebook 10a)."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import scipy.special
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..errors import check_name
from .base import System
from .frames import HOP_S, cepstra
from .spectra import NearestOfClass, VectorSystem, evenly, pairwise_machine
from .warnings import FewFramesWarning, SingularCovarianceWarning

VARIANCE_FLOOR = 1e-2  # of a mixture's component, in units of the feature's variance over all training frames
BACKGROUND_FRAMES = 20_000  # drawn from all training recordings in equal shares
MOST_PIECES = 40  # of a recording, where it is described in pieces
RELEVANCE = 16.0  # of the background model, in frames (Reynolds, Quatieri & Dunn, 2000)
TOP = 5  # components per frame that a likelihood ratio counts
_CHUNK = 1024  # frames whose densities are computed at once


# --- Gaussian mixtures -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture with diagonal covariances, on features standardised by ``centre`` and ``scale``."""

    weights: np.ndarray  # [shape=(k,)]
    means: np.ndarray  # [shape=(k, d)]
    variances: np.ndarray  # [shape=(k, d)]
    centre: np.ndarray  # [shape=(d,)], mean of the background's frames
    scale: np.ndarray  # [shape=(d,)], their standard deviation

    def standardised(self, x):
        """Return frames in the units of the mixture, float32."""
        return ((x - self.centre) / self.scale).astype(np.float32)


def fit_background(frames, *, n_components, random_state):
    """Return the universal background model of Reynolds, Quatieri & Dunn (2000), a `Mixture`, of training recordings.

    Equal numbers of ``frames`` [shape=(n_i, d)] are drawn from all recordings, ``BACKGROUND_FRAMES`` in sum. Where
    there are fewer frames than components, there are fewer components, with a `FewFramesWarning`. Variances are at
    least ``VARIANCE_FLOOR``; a `SingularCovarianceWarning` says when that was needed. ``random_state`` is the seed of
    the draw and of the mixture's start (k-means).
    """
    rng, share = np.random.default_rng(random_state), max(1, BACKGROUND_FRAMES // len(frames))
    drawn = [x if len(x) <= share else x[np.sort(rng.choice(len(x), share, replace=False))] for x in frames]
    drawn = np.concatenate(drawn).astype(np.float64)
    centre, scale = drawn.mean(axis=0), drawn.std(axis=0)
    constant = scale < 1e-6
    if constant.any():
        named = f"{constant.sum()} of {len(scale)} features are the same in all training frames"
        warnings.warn(named, SingularCovarianceWarning, stacklevel=2)
    scale = np.where(constant, 1.0, scale)
    drawn = ((drawn - centre) / scale).astype(np.float32)
    distinct = len(np.unique(drawn, axis=0))
    if distinct < n_components:
        named = f"{distinct} different training frames for {n_components} components: {distinct} components instead"
        warnings.warn(named, FewFramesWarning, stacklevel=2)
    model = GaussianMixture(min(n_components, distinct), covariance_type="diag", reg_covar=1e-4, max_iter=30,
                            random_state=random_state)  # fmt: skip
    with warnings.catch_warnings():  # it need not have converged: the number of iterations is part of the method
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(drawn)
        except ValueError:  # float32 rounds the variance of frames that are all alike to less than nothing
            model.fit(drawn.astype(np.float64))
    variances, low = model.covariances_, model.covariances_ < VARIANCE_FLOOR
    if low.any():
        named = f"{low.sum()} of {low.size} variances of the background model are below {VARIANCE_FLOOR:g}: raised"
        warnings.warn(named, SingularCovarianceWarning, stacklevel=2)
    return Mixture(model.weights_, model.means_, np.maximum(variances, VARIANCE_FLOOR), centre, scale)


def log_joint(mixture, x):
    """Return log(weight * density) of every component [shape=(n, k)] for standardised frames [shape=(n, d)]."""
    precisions = 1 / mixture.variances
    constant = np.log(mixture.weights + 1e-30) - 0.5 * (
        np.log(2 * np.pi * mixture.variances) + mixture.means**2 * precisions
    ).sum(axis=1)
    a, b = (-0.5 * precisions.T).astype(x.dtype), (mixture.means * precisions).T.astype(x.dtype)
    return x**2 @ a + x @ b + constant.astype(x.dtype)


def posteriors(mixture, x):
    """Return the probability of every component [shape=(n, k)] for standardised frames [shape=(n, d)]."""
    return scipy.special.softmax(log_joint(mixture, x), axis=1)


def statistics(mixture, x):
    """Return the sufficient statistics of standardised frames [shape=(n, d)]: counts, sums, sums of squares, float64.

    Counts [shape=(k,)] are the frames of each component, shared by posterior probability, sums [shape=(k, d)] those of
    the frames. Reynolds, Quatieri & Dunn (2000), equations (7) to (10), before the division by the counts.
    """
    k, d = mixture.means.shape
    counts, first, second = np.zeros(k), np.zeros((k, d)), np.zeros((k, d))
    for start in range(0, len(x), _CHUNK):
        chunk = x[start : start + _CHUNK]
        shares = posteriors(mixture, chunk)
        counts += shares.sum(axis=0, dtype=np.float64)
        first += shares.T @ chunk
        second += shares.T @ chunk**2
    return counts, first, second


def map_adapt(mixture, counts, first, second=None, *, relevance=RELEVANCE):
    """Return a background model adapted to frames: maximum a posteriori estimate of means, or of all parameters.

    ``counts``, ``first`` and ``second`` are from `statistics`; without ``second`` only the means are adapted.
    ``relevance`` is how many frames weigh as much as the background does. At 0 this is one step of expectation
    maximisation, but for components without frames, which stay as they are.

    Reynolds, Quatieri & Dunn (2000), equations (11) to (14): a = n / (n + r), mean = a E[x] + (1 - a) mean, variance =
    a E[x^2] + (1 - a) (variance + mean^2) - new mean^2, and weights likewise, scaled to sum one.
    """
    n = np.maximum(counts, 1e-10)
    a = (counts / (n + relevance))[:, None]
    means = a * first / n[:, None] + (1 - a) * mixture.means
    if second is None:
        return replace(mixture, means=means)
    square = a * second / n[:, None] + (1 - a) * (mixture.variances + mixture.means**2)
    weights = a[:, 0] * counts / counts.sum() + (1 - a[:, 0]) * mixture.weights
    return replace(mixture, weights=weights / weights.sum(), means=means, variances=square - means**2)


def warn_thin(counts, n_components):
    """Warn where mixtures fitted to so many frames have fewer of them than components."""
    if thin := sum(count < n_components for count in counts):
        named = f"{thin} of {len(counts)} mixtures of {n_components} components have fewer frames than components (the "
        named += f"least {min(counts)}): components without frames stay as in the background model"
        warnings.warn(named, FewFramesWarning, stacklevel=2)


def cut_pieces(x, *, length):
    """Cut the frames of a recording [shape=(n, d)] into a list of consecutive pieces.

    A piece has ``length`` frames or up to twice as many; a shorter recording gives itself. Of more than
    ``MOST_PIECES`` some at regular distances are taken.
    """
    cut = np.array_split(x, max(1, len(x) // length))
    return [cut[i] for i in evenly(np.arange(len(cut)), MOST_PIECES)]


# --- The systems -----------------------------------------------------------------------------------------------------
@dataclass(eq=False, repr=False, kw_only=True)
class RecordingMixture(VectorSystem):
    """[2] One Gaussian mixture per recording, its means and variances as a vector, and a support vector machine.

    C. Kotropoulos and S. Samaras, "Mobile phone identification using recorded speech signals", DSP 2014,
    10.1109/ICDSP.2014.6900732.

    As published: 23 MFCC of frames of 20 ms every 10 ms; a mixture with diagonal covariances; the template is the
    vector of its means and variances; support vector machines, and RBF and MLP networks beside them. 97.6 % on 21
    phones (MOBIPHONE) with the RBF network.

    Adapted: a mixture's components have no order, so that components of two mixtures cannot be compared number by
    number. Here every mixture starts from one background model of all training excerpts and takes the same number of
    steps of expectation maximisation; a component that gets no frames stays as in the background. The number of
    components was not at hand: there are as many as the shortest training excerpt has frames for.
    """

    n_components: int = 8  # of the mixtures, at most
    frames_each: int = 100  # least number of frames of a training excerpt for each component
    n_steps: int = 2  # of expectation maximisation
    C: float = 10.0  # cost of an error
    random_state: int = 0

    def _fit(self, excerpts, codes):
        frames = [cepstra(excerpt) for excerpt in excerpts]
        n = min(self.n_components, max(1, min(map(len, frames)) // self.frames_each))
        self.background_ = fit_background(frames, n_components=n, random_state=self.random_state)
        super()._fit(excerpts, codes)

    def vectors(self, excerpts):
        frames = [self.background_.standardised(cepstra(excerpt)) for excerpt in excerpts]
        warn_thin([len(x) for x in frames], len(self.background_.weights))
        return [template(self.background_, x, n_steps=self.n_steps) for x in frames]

    def _classifier(self):
        return make_pipeline(StandardScaler(), pairwise_machine(kernel="rbf", C=self.C))


def refitted(background, x, *, n_steps):
    """Return a mixture fitted to standardised frames [shape=(n, d)], its components numbered as in the background.

    Expectation maximisation starts from the background and takes ``n_steps`` steps (notebook 10a). Variances have the
    floor ``VARIANCE_FLOOR``: no warning, few frames warn by themselves.
    """
    mixture = background
    for _ in range(n_steps):
        mixture = map_adapt(mixture, *statistics(mixture, x), relevance=0.0)
        mixture = replace(mixture, variances=np.maximum(mixture.variances, VARIANCE_FLOOR))
    return mixture


def template(background, x, *, n_steps):
    """Return means and variances of `refitted` as a vector [shape=(2 * k * d,)]."""
    mixture = refitted(background, x, n_steps=n_steps)
    return np.concatenate([mixture.means.ravel(), mixture.variances.ravel()])


@dataclass(eq=False, repr=False, kw_only=True)
class AdaptedMixtures(System):
    """[3] Gaussian mixtures adapted from a universal background model, and their likelihood ratios.

    L. Zou et al., ChinaSIP 2014.

    As published: MFCC and PNCC; a universal background model of all devices, adapted to each device by maximum a
    posteriori; the score is the log-likelihood ratio to the background. MFCC did better than PNCC on 14 phones.

    Adapted: written from recollection of the publication, without its settings. The models follow Reynolds, Quatieri
    & Dunn (2000): means only, relevance factor 16. MFCC as in [2]; PNCC after Kim & Stern (2016), up to half the sample
    rate, without their mean subtraction.
    """

    feature: str = "mfcc"  # or "pncc", "lfcc", "gtcc", see `frames.cepstra`
    n_components: int = 64  # of the mixtures
    relevance: float = RELEVANCE  # of the background [frames]
    random_state: int = 0

    def learns(self, unit):
        """Return "recording": a device's frames are gathered from all of its excerpts, however long these are."""
        return "recording"

    def _fit(self, excerpts, codes):
        frames = [cepstra(excerpt, feature=self.feature) for excerpt in excerpts]
        background = fit_background(frames, n_components=self.n_components, random_state=self.random_state)
        devices = [np.concatenate([frames[i] for i in np.flatnonzero(codes == k)]) for k in range(len(self.classes_))]
        warn_thin([len(x) for x in devices], len(background.weights))
        found = [statistics(background, background.standardised(x))[:2] for x in devices]
        self.means_ = np.stack([map_adapt(background, *n_x, relevance=self.relevance).means for n_x in found])
        self.background_ = background

    def _scores(self, excerpts):
        frames = (cepstra(excerpt, feature=self.feature) for excerpt in excerpts)
        return np.stack([likelihood_ratios(self.background_, self.means_, x) for x in frames])


def likelihood_ratios(background, means, x):
    """Return the mean log-likelihood ratio of every device to the background [shape=(n_devices,)]: ln, per frame.

    Adapted mixtures have ``means`` [shape=(n_devices, k, d)], and weights and variances of the background; frames ``x``
    [shape=(n, d)] are not standardised yet. Of each frame only the ``TOP`` components that are most probable in the
    background are counted, in both mixtures: "fast scoring" of Reynolds, Quatieri & Dunn (2000), section 3.5.
    """
    k, d = background.means.shape
    x, top = background.standardised(x), min(TOP, k)
    # An adapted density is the background's times exp(x . shift - offset), since the variances are the same.
    shift = ((means - background.means) / background.variances).reshape(-1, d).T.astype(np.float32)
    offset = 0.5 * ((means**2 - background.means**2) / background.variances).sum(axis=2).astype(np.float32)
    totals = np.zeros(len(means))
    for start in range(0, len(x), _CHUNK):
        chunk = x[start : start + _CHUNK]
        log_p = log_joint(background, chunk)
        best = np.argpartition(log_p, k - top, axis=1)[:, k - top :]
        changes = (chunk @ shift).reshape(len(chunk), -1, k) - offset
        changes = np.take_along_axis(changes, best[:, None, :], axis=2)
        shares = scipy.special.log_softmax(np.take_along_axis(log_p, best, axis=1), axis=1)
        totals += np.logaddexp.reduce(shares[:, None, :] + changes, axis=2).sum(axis=0, dtype=np.float64)
    return totals / len(x)


@dataclass(eq=False, repr=False, kw_only=True)
class CepstralStatistics(VectorSystem):
    """[4] Mean and standard deviation of gammatone cepstra, and nearest neighbour or support vector machine.

    X. Valero and F. Alias, "Gammatone cepstral coefficients: biologically inspired features for non-speech audio
    classification", IEEE Trans. Multimedia 14(6):1684, 2012.

    As published: 4th-order gammatone filters on the ERB scale, log energies, cosine transform; compared with MFCC by
    kNN, a neural network and a support vector machine on sounds that are not speech, where GTCC did better.

    Adapted: that is no work on devices, and what stands here was written from recollection. The statistics are those
    of pieces of a quarter of a second, and a recording gets the mean of the decisions. The number of coefficients is
    that of [2].
    """

    feature: str = "gtcc"  # or "mfcc", "lfcc", "pncc", see `frames.cepstra`
    classifier: str = "svm"  # with RBF kernel, or "knn", the nearest neighbour
    piece_s: float = 0.25  # length of a piece [s]
    C: float = 10.0  # cost of an error

    def vectors(self, excerpts):
        vectors = []
        for excerpt in excerpts:
            x = cepstra(excerpt, feature=self.feature)
            cut = cut_pieces(x, length=max(1, round(self.piece_s / HOP_S[self.feature])))
            vectors.append(np.stack([np.append(part.mean(axis=0), part.std(axis=0)) for part in cut]))
        return vectors

    def _classifier(self):
        known = {"svm": pairwise_machine(kernel="rbf", C=self.C), "knn": NearestOfClass()}
        check_name("classifier", self.classifier, known)
        return make_pipeline(StandardScaler(), known[self.classifier])


@dataclass(eq=False, repr=False, kw_only=True)
class SupervectorSVM(VectorSystem):
    """[5] Supervector of adapted mixture means, and a linear support vector machine.

    D. Garcia-Romero and C. Y. Espy-Wilson, "Automatic acquisition device identification from speech recordings",
    ICASSP 2010.

    As published: MFCC and linear-frequency cepstra; a universal background model, its means adapted to each recording
    by maximum a posteriori, stacked and scaled by sqrt(weight) / sigma; a linear support vector machine. Above 90 % on
    8 handsets and on 8 microphones.

    Adapted: MFCC, 23 coefficients, 32 components and relevance factor 16, within the ranges (32 to 256, 5 to 20) that
    Jiang & Leung found to work (IEEE TIFS 14(11):2875, 2019). The background's means are taken off and supervectors are
    brought to length one, so that excerpts of all lengths can be compared.
    """

    feature: str = "mfcc"  # or "lfcc", "pncc", "gtcc", see `frames.cepstra`
    n_components: int = 32  # of the background model
    relevance: float = RELEVANCE  # of the background [frames]
    C: float = 10.0  # cost of an error
    random_state: int = 0

    def _fit(self, excerpts, codes):
        frames = [cepstra(excerpt, feature=self.feature) for excerpt in excerpts]
        self.background_ = fit_background(frames, n_components=self.n_components, random_state=self.random_state)
        warn_thin(list(map(len, frames)), len(self.background_.weights))
        super()._fit(excerpts, codes)

    def vectors(self, excerpts):
        frames = (cepstra(excerpt, feature=self.feature) for excerpt in excerpts)
        standard = map(self.background_.standardised, frames)
        return [supervector(self.background_, x, relevance=self.relevance) for x in standard]

    def _classifier(self):
        return pairwise_machine(kernel="linear", C=self.C)


def supervector(background, x, *, relevance=RELEVANCE):
    """Return the supervector [shape=(k * d,)] of standardised frames [shape=(n, d)].

    It is the shift of the adapted means from those of the background, times sqrt(weight) / sigma, and has length one
    (zero where nothing has shifted). ``relevance`` is that of `map_adapt`.

    The scaling makes the inner product of two supervectors that of Campbell, Sturim & Reynolds (2006), which bounds the
    divergence of the two mixtures. The length says how many frames there were rather than which device it was, so that
    it is divided out.
    """
    counts, first, _ = statistics(background, x)
    shift = map_adapt(background, counts, first, relevance=relevance).means - background.means
    vector = (np.sqrt(background.weights)[:, None] / np.sqrt(background.variances) * shift).ravel()
    return vector / max(np.linalg.norm(vector), 1e-9)
