"""How sides of recordings differ between devices, and within one across sessions: two-covariance PLDA (notebook 14).

Constants were chosen on clips 1-2 of 45 phones (ccnu_mobile) and on rounds 01-13 of 16 recording chains (rounds),
devices left out, for Cllr_min and the area under the ROC of "none of these".
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from threadpoolctl import ThreadpoolController

from .errors import ParameterError

WITHIN_SHRINKAGE, BETWEEN_SHRINKAGE = 0.5, 0.15  # how much of what is off the diagonal is not believed
LIBRARIES = ThreadpoolController()  # of linear algebra; to find them takes a fifth as long as a fit


@dataclass(frozen=True, eq=False)
class TwoCovariance:
    """What devices have in common: sides are mean + device + rest, in a basis where the rest has unit variance."""

    mean: np.ndarray  # [shape=(k,)]
    basis: np.ndarray  # [shape=(k, k)]
    between: np.ndarray  # [shape=(k,)], variance of devices along each axis

    def score(self, references, questioned):
        """Return the natural log likelihood ratios [shape=(m, n)] that sides are of one device and not of two.

        ``references`` [shape=(m, k)], ``questioned`` [shape=(n, k)].
        """
        r, q = ((np.asarray(x, np.float64) - self.mean) @ self.basis for x in (references, questioned))
        gain = self.between / (self.between + 1)  # of the device that the reference promises
        one, two = gain + 1, self.between + 1  # variances of the other side, given the reference and without it
        alone = (q**2 * (1 / one - 1 / two)).sum(axis=1) + np.log(one / two).sum()
        return r @ (q * gain / one).T - 0.5 * ((gain * r) ** 2 / one).sum(axis=1)[:, np.newaxis] - 0.5 * alone


@LIBRARIES.wrap(limits=1)  # matrices this small take several times longer on several threads
def fit_two_covariance(x, devices, sessions):
    """Return the `TwoCovariance` of sides ``x`` [shape=(n, k)] by the names [length n] of their devices and sessions.

    Devices of one session tell nothing of sessions: they count for the covariance between devices alone. Where each has
    one, sides stand for sessions. If no device has two sides, ParameterError is raised.

    Means of sessions scatter about their device's by what sessions differ by, and by what sides differ by over the
    number of sides; the rest of the latter is how sides scatter about their session's mean. What both add to the
    scatter of the devices' means is taken off it. All is shrunk towards its diagonal: cosine coefficients of spectra
    are nearly uncorrelated, and there are many more of them than devices.
    Source: Brümmer & de Villiers, "The speaker partitioning problem", Odyssey 2010.

    >>> rng = np.random.default_rng(0)
    >>> device, session = np.repeat(np.arange(40), 6), np.tile([0, 0, 0, 1, 1, 1], 40)
    >>> devices, sessions, rest = (rng.normal(size=(n, 1)) for n in (40, 80, 240))
    >>> x = 3 * devices[device] + sessions[2 * device + session] + rest
    >>> model = fit_two_covariance(x, device, session)
    >>> (model.score([[3.0]], [[3.0], [-3.0]]) > 0).tolist()  # alike, and not
    [[True, False]]
    """
    names, device = np.unique(devices, return_inverse=True)
    pairs = np.stack([np.asarray(devices, str), np.asarray(sessions, str)], axis=1)
    held, session = np.unique(pairs, axis=0, return_inverse=True)
    session = session.ravel()
    if len(held) == len(names):  # nothing tells of sessions: sides stand for them
        session = np.arange(len(x))
    middles = np.stack([x[session == i].mean(axis=0) for i in range(session.max() + 1)])
    of = device[np.unique(session, return_index=True)[1]]
    n_sessions = np.bincount(of)
    means = np.stack([middles[of == i].mean(axis=0) for i in range(len(names))])
    several = n_sessions > 1
    if not several.any():
        raise ParameterError(f"one side of each of {len(names)} devices does not tell what sides of one differ by")
    apart, inner = (middles - means[of])[several[of]], x - middles[session]
    across = _shrunk(apart.T @ apart / (len(apart) - several.sum()), WITHIN_SHRINKAGE)
    inside = _shrunk(inner.T @ inner / max(1, len(x) - len(middles)), WITHIN_SHRINKAGE)
    within = across + (1 - len(middles) / len(x)) * inside
    between = _shrunk(np.cov(means.T) - across * np.mean(1 / n_sessions), BETWEEN_SHRINKAGE)
    between[np.diag_indices_from(between)] = np.maximum(np.diag(between), 0.05 * np.diag(within))
    variances, basis = scipy.linalg.eigh(between, within)
    return TwoCovariance(means.mean(axis=0), basis, np.maximum(variances, 0))


def _shrunk(covariance, share):
    return (1 - share) * covariance + share * np.diag(np.diag(covariance))
