"""[2], [3], [4]: cepstra and Gaussian mixtures."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import scipy.special
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ..errors import ParameterError
from .base import System, softmax
from .frames import common_samplerate, gtcc, mfcc, pncc, with_deltas
from .spectra import decision_scores, nearest_proba
from .warnings import FewFramesWarning, SingularCovarianceWarning

VARIANCE_FLOOR = 1e-2  # of a mixture's component, in units of the feature's variance over all training frames
BACKGROUND_FRAMES = 20_000  # drawn from all training recordings in equal shares
HOP_S = 0.01  # of MFCC and PNCC [s]
_CHUNK = 4096  # frames whose densities are computed at once

FEATURES = {
    "mfcc": (mfcc, {"n_coefficients": 23, "n_filters": 40, "frame_s": 0.02, "hop_s": HOP_S}),
    "lfcc": (mfcc, {"n_coefficients": 23, "n_filters": 40, "frame_s": 0.02, "hop_s": HOP_S, "spacing": "linear"}),
    "pncc": (pncc, {"n_coefficients": 23, "n_filters": 40}),
    "gtcc": (gtcc, {"n_coefficients": 23, "n_filters": 48}),
}  # more than most systems take: they share them, and cut


def cepstra(excerpt, *, feature="mfcc", n_coefficients=23, c0=False, deltas=False):
    """Return the cepstra of an excerpt's frames, computed once for all systems.

    Parameters
    ----------
    excerpt : Excerpt
    feature : {"mfcc", "lfcc", "pncc", "gtcc"}
        MFCC, linear-frequency cepstra, `frames.pncc`, `frames.gtcc`.
    n_coefficients : int
        Coefficients kept, up to 23, besides the zeroth.
    c0 : bool
        Keep the zeroth coefficient, which is the level, as well.
    deltas : bool
        Append the slopes along time.

    Returns
    -------
    x : np.ndarray [shape=(n_frames, n)], float32

    Raises
    ------
    ParameterError
        If ``feature`` or ``n_coefficients`` is not one of those.
    """
    if feature not in FEATURES:
        raise ParameterError(f"feature must be one of {', '.join(FEATURES)}, not {feature!r}")
    function, params = FEATURES[feature]
    if not 1 <= n_coefficients <= params["n_coefficients"]:
        raise ParameterError(f"n_coefficients={n_coefficients!r} is not in 1..{params['n_coefficients']}")
    x = excerpt.feature(function, **params)[:, 0 if c0 else 1 : n_coefficients + 1]
    return with_deltas(x) if deltas else x


# --- Gaussian mixtures -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture with diagonal covariances, on features standardised by ``centre`` and ``scale``.

    Attributes
    ----------
    weights : np.ndarray [shape=(k,)]
    means, variances : np.ndarray [shape=(k, d)]
    centre, scale : np.ndarray [shape=(d,)]
        Mean and standard deviation of the background's frames, in units of the features.
    """

    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    centre: np.ndarray
    scale: np.ndarray

    def standardised(self, x):
        """Return frames in the units of the mixture, float32."""
        return ((x - self.centre) / self.scale).astype(np.float32)


def fit_background(frames, *, n_components, random_state, n_frames=BACKGROUND_FRAMES, max_iter=30):
    """Fit a background model to the frames of all training recordings.

    Parameters
    ----------
    frames : sequence of np.ndarray [shape=(n_i, d)]
        Of each recording; equal numbers are drawn from all.
    n_components : int
        Components; fewer where there are fewer frames, with a `FewFramesWarning`.
    random_state : int
        Seed of the draw and of the mixture's start (k-means).
    n_frames : int
        Largest number of frames used.
    max_iter : int
        Iterations of expectation maximisation.

    Returns
    -------
    mixture : Mixture
        With variances of at least ``VARIANCE_FLOOR``; a `SingularCovarianceWarning` says when that was needed.

    Notes
    -----
    Notebook 10. The universal background model of Reynolds, Quatieri & Dunn (2000).
    """
    rng, share = np.random.default_rng(random_state), max(1, n_frames // len(frames))
    drawn = [x if len(x) <= share else x[np.sort(rng.choice(len(x), share, replace=False))] for x in frames]
    drawn = np.concatenate(drawn).astype(np.float64)
    centre, scale = drawn.mean(axis=0), drawn.std(axis=0)
    if (scale < 1e-6).any():
        warn_singular(f"{(scale < 1e-6).sum()} of {len(scale)} features are the same in all training frames")
        scale = np.where(scale < 1e-6, 1.0, scale)
    drawn = ((drawn - centre) / scale).astype(np.float32)
    distinct = len(np.unique(drawn, axis=0))
    if distinct < n_components:
        warn_few(f"{distinct} different training frames for {n_components} components: {distinct} components instead")
    model = GaussianMixture(min(n_components, distinct), covariance_type="diag", reg_covar=1e-4, max_iter=max_iter,
                            random_state=random_state)
    with warnings.catch_warnings():  # it need not have converged: the number of iterations is part of the method
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(drawn)
    mixture = Mixture(model.weights_, model.means_, model.covariances_, centre, scale)
    return floored(mixture, what="the background model")


def floored(mixture, *, what):
    """Return a mixture whose variances are at least ``VARIANCE_FLOOR``, with a warning where that changes any."""
    low = mixture.variances < VARIANCE_FLOOR
    if low.any():
        warn_singular(f"{low.sum()} of {low.size} variances of {what} are below {VARIANCE_FLOOR:g}: raised to it")
    return replace(mixture, variances=np.maximum(mixture.variances, VARIANCE_FLOOR))


def log_joint(mixture, x):
    """Return log(weight * density) of every component.

    Parameters
    ----------
    mixture : Mixture
    x : np.ndarray [shape=(n, d)]
        Standardised frames.

    Returns
    -------
    log_p : np.ndarray [shape=(n, k)], dtype of ``x``
    """
    precisions = 1 / mixture.variances
    constant = np.log(mixture.weights + 1e-30) - 0.5 * (
        np.log(2 * np.pi * mixture.variances) + mixture.means**2 * precisions
    ).sum(axis=1)
    a, b = (-0.5 * precisions.T).astype(x.dtype), (mixture.means * precisions).T.astype(x.dtype)
    return x**2 @ a + x @ b + constant.astype(x.dtype)


def statistics(mixture, x):
    """Return the sufficient statistics of frames.

    Parameters
    ----------
    mixture : Mixture
    x : np.ndarray [shape=(n, d)]
        Standardised frames.

    Returns
    -------
    counts : np.ndarray [shape=(k,)], float64
        Frames that belong to each component, shared by posterior probability.
    first, second : np.ndarray [shape=(k, d)], float64
        Sums of the frames and of their squares.

    Notes
    -----
    Notebook 10. Reynolds, Quatieri & Dunn (2000), equations (7) to (10), before the division by the counts.
    """
    k, d = mixture.means.shape
    counts, first, second = np.zeros(k), np.zeros((k, d)), np.zeros((k, d))
    for start in range(0, len(x), _CHUNK):
        chunk = x[start : start + _CHUNK]
        posteriors = scipy.special.softmax(log_joint(mixture, chunk), axis=1)
        counts += posteriors.sum(axis=0, dtype=np.float64)
        first += posteriors.T @ chunk
        second += posteriors.T @ chunk**2
    return counts, first, second


def map_adapt(mixture, counts, first, second=None, *, relevance=16.0):
    """Adapt a background model to frames: maximum a posteriori estimate of means, or of all parameters.

    Parameters
    ----------
    mixture : Mixture
        Background model.
    counts, first, second : np.ndarray
        From `statistics`. Without ``second`` only the means are adapted.
    relevance : float >= 0
        Frames that weigh as much as the background does. At 0 this is one step of expectation maximisation, but for
        components without frames, which stay as they are.

    Returns
    -------
    adapted : Mixture

    Notes
    -----
    Notebook 10. Reynolds, Quatieri & Dunn (2000), equations (11) to (14): a = n / (n + r), mean = a E[x] + (1 - a) mean,
    variance = a E[x^2] + (1 - a) (variance + mean^2) - new mean^2, and weights likewise, scaled to sum one.
    """
    n = np.maximum(counts, 1e-10)
    a = (counts / (n + relevance))[:, None]
    means = a * first / n[:, None] + (1 - a) * mixture.means
    if second is None:
        return replace(mixture, means=means)
    square = a * second / n[:, None] + (1 - a) * (mixture.variances + mixture.means**2)
    weights = a[:, 0] * counts / counts.sum() + (1 - a[:, 0]) * mixture.weights
    return replace(mixture, weights=weights / weights.sum(), means=means, variances=square - means**2)


def warn_few(text):
    """Warn of too few frames."""
    warnings.warn(text, FewFramesWarning, stacklevel=4)


def warn_singular(text):
    """Warn of a singular covariance."""
    warnings.warn(text, SingularCovarianceWarning, stacklevel=4)


def pieces(x, *, length, most):
    """Cut the frames of a recording into equal consecutive pieces.

    Parameters
    ----------
    x : np.ndarray [shape=(n, d)]
    length : int > 0
        Smallest length of a piece [frames]; a recording shorter than two gives itself.
    most : int > 0
        Largest number of pieces; they become longer instead.

    Returns
    -------
    pieces : list of np.ndarray
    """
    return np.array_split(x, max(1, min(most, len(x) // length)))
