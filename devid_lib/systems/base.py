"""What all systems have in common."""

from numbers import Integral, Real

import numpy as np
import scipy.special
from sklearn.base import BaseEstimator, ClassifierMixin

from ..errors import ParameterError
from .excerpts import Excerpt

# What the parameters of systems may be, by their names: whole numbers of at least so much; numbers above 0 of at most.
LEAST = {"n_fft": 4, "n_coefficients": 1, "n_components": 1, "n_clusters": 1, "n_estimators": 1, "n_features": 1,
         "n_nonzero": 1, "n_steps": 1, "size": 3, "voters": 1, "random_state": 0}  # fmt: skip
MOST = {"C": np.inf, "gamma": np.inf, "over": np.inf, "piece_s": np.inf, "nu": 1, "share": 1}


class System(ClassifierMixin, BaseEstimator):
    """A device identification system: ``fit(excerpts, devices)``, ``predict_proba(excerpts)``, ``predict(excerpts)``.

    A system implements ``_fit(excerpts, codes)`` with class numbers and ``_proba(excerpts)``; its ``__init__`` stores
    its parameters and does nothing else, so that `sklearn.base.clone` works: ``@dataclass(eq=False, repr=False,
    kw_only=True)`` writes it. Whatever is random takes ``random_state``. Notebook 10 builds one in ten lines.

    Attributes
    ----------
    classes_ : np.ndarray of str
        Devices in the order of the columns of ``predict_proba``.
    """

    def fit(self, excerpts, devices):
        """Fit on training excerpts, whose true ``devices`` are a sequence of names; return the system.

        A parameter out of its range, fewer than two devices, or not one device per excerpt raise ParameterError.
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
        """Return the probability of every device [shape=(n, n_devices)], float64; rows are finite and sum to one."""
        if not hasattr(self, "classes_"):
            raise ParameterError(f"{type(self).__name__} has not been fitted: call fit(excerpts, devices) first")
        proba = np.clip(np.asarray(self._proba(checked(excerpts)), np.float64), 1e-12, None)
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
        if name in LEAST and not (number and isinstance(value, Integral) and value >= LEAST[name]):
            raise ParameterError(f"{name}={value!r} is not a whole number of at least {LEAST[name]}")
        if name in MOST and not (number and 0 < value <= MOST[name]):
            raise ParameterError(f"{name}={value!r} is not above 0{' and at most 1' * (MOST[name] == 1)}")
        if name == "relevance" and not (number and value >= 0):
            raise ParameterError(f"{name}={value!r} is not a number of at least 0")


def softmax(scores, *, temperature=1.0):
    """Return scores [shape=(n, n_devices)] as probabilities.

    >>> softmax([[0.0, 0.0], [0.0, 1.0]], temperature=0.1).round(3).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    return scipy.special.softmax(np.asarray(scores, np.float64) / temperature, axis=1)
