"""What all systems have in common."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from ..errors import ParameterError
from .excerpts import Excerpt

WHOLE = {"n_fft": 4, "n_coefficients": 1, "n_components": 1, "n_clusters": 1, "n_estimators": 1, "n_features": 1,
         "n_nonzero": 1, "n_steps": 1, "size": 3, "segment_length": 64, "train_segments": 1, "epochs": 0, "voters": 0,
         "random_state": 0}  # parameter: least value allowed, wherever a system has a parameter of that name
ABOVE_ZERO = {"C", "gamma", "over", "piece_s", "nu", "share"}
SHARES = {"nu", "share"}  # at most 1
NOT_BELOW_ZERO = {"relevance"}


class System(ClassifierMixin, BaseEstimator):
    """A device identification system: ``fit(excerpts, devices)``, ``predict_proba(excerpts)``.

    A system implements ``_fit(excerpts, codes)`` with class numbers and ``_proba(excerpts)``; its ``__init__`` stores
    its parameters and does nothing else, so that `sklearn.base.clone` works. Whatever is random takes
    ``random_state``.

    Attributes
    ----------
    classes_ : np.ndarray of str
        Devices in the order of the columns of ``predict_proba``.
    """

    def fit(self, excerpts, devices):
        """Fit on training excerpts.

        Parameters
        ----------
        excerpts : sequence of Excerpt
        devices : sequence of str
            The true device of each.

        Returns
        -------
        self : System

        Raises
        ------
        ParameterError
            If a parameter is out of its range, there are fewer than two devices, or not one device per excerpt.
        """
        excerpts, devices = checked(excerpts), np.asarray([str(device) for device in devices])
        check_parameters(self.get_params(deep=False))
        if len(devices) != len(excerpts):
            raise ParameterError(f"{len(excerpts)} excerpts need as many devices, not {len(devices)}")
        self.classes_, codes = np.unique(devices, return_inverse=True)
        if len(self.classes_) < 2:
            raise ParameterError(f"at least two devices are needed to tell apart, not {str(self.classes_[0])!r} alone")
        self._fit(excerpts, codes)
        return self

    def predict_proba(self, excerpts):
        """Return the probability of every device.

        Parameters
        ----------
        excerpts : sequence of Excerpt

        Returns
        -------
        probabilities : np.ndarray [shape=(n, n_devices)], float64
            Rows are finite, not negative and sum to one.

        Raises
        ------
        ParameterError
            If there are no excerpts, or the system has not been fitted.
        """
        if not hasattr(self, "classes_"):
            raise ParameterError(f"{type(self).__name__} has not been fitted: call fit(excerpts, devices) first")
        proba = np.asarray(self._proba(checked(excerpts)), np.float64)
        proba = np.clip(proba, 1e-12, None)
        return proba / proba.sum(axis=1, keepdims=True)

    def predict(self, excerpts):
        """Return the most probable device of every excerpt."""
        return self.classes_[self.predict_proba(excerpts).argmax(axis=1)]


def checked(excerpts):
    """Return excerpts as a list that is not empty and holds nothing else."""
    excerpts = list(excerpts)
    if not excerpts:
        raise ParameterError("excerpts is empty: there is nothing to learn from or to name")
    for excerpt in excerpts:
        if not isinstance(excerpt, Excerpt):
            raise ParameterError(f"a {type(excerpt).__name__} is not an excerpt: use Excerpt(y, samplerate)")
    return excerpts


def check_parameters(params):
    """Raise ParameterError for the first parameter of a system that is out of its range."""
    for name, value in params.items():
        number = isinstance(value, Real) and not isinstance(value, bool)
        if name in WHOLE and not (number and isinstance(value, Integral) and value >= WHOLE[name]):
            raise ParameterError(f"{name}={value!r} is not a whole number of at least {WHOLE[name]}")
        if name in ABOVE_ZERO and not (number and 0 < value <= (1 if name in SHARES else np.inf)):
            raise ParameterError(f"{name}={value!r} is not above 0{' and at most 1' if name in SHARES else ''}")
        if name in NOT_BELOW_ZERO and not (number and value >= 0):
            raise ParameterError(f"{name}={value!r} is not a number of at least 0")


def softmax(scores, *, temperature=1.0):
    """Return scores [shape=(n, n_devices)] as probabilities."""
    z = np.asarray(scores, np.float64) / temperature
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)
