"""What all systems have in common."""

from numbers import Real

import numpy as np
import scipy.special
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, ClassifierMixin

from ..errors import ParameterError, check_count
from .excerpts import Excerpt

# What the parameters of systems may be, by their names: whole numbers of at least so much; numbers above 0 of at most.
LEAST = {"n_fft": 4, "n_coefficients": 1, "n_components": 1, "n_clusters": 1, "n_estimators": 1, "n_features": 1,
         "n_nonzero": 1, "n_steps": 1, "frames_each": 1, "step": 1, "random_state": 0}  # fmt: skip
MOST = {"C": np.inf, "alpha": np.inf, "gamma": np.inf, "piece_s": np.inf, "above_db": np.inf, "nu": 1}


class System(ClassifierMixin, BaseEstimator):
    """A device identification system: ``fit(excerpts, devices)``, ``calibrate``, ``predict_proba``, ``predict``.

    A system implements ``_fit(excerpts, codes)`` with class numbers and ``_scores(excerpts)`` [shape=(n, n_devices)],
    which are larger for likelier devices, on whatever scale; its ``__init__`` stores its parameters and does nothing
    else, so that `sklearn.base.clone` works: ``@dataclass(eq=False, repr=False, kw_only=True)`` writes it. Whatever is
    random takes ``random_state``. Notebook 10 builds one in ten lines.

    Fitted, it has ``classes_``, the devices in the order of the columns of ``predict_proba``, ``samplerate_``, that of
    all excerpts [Hz], and ``temperature_``, by which scores are divided before they become probabilities: 1 until
    ``calibrate`` has been called.
    """

    def learns(self, unit):
        """Return of which length the excerpts are that it learns from when asked for this one: the same."""
        return unit

    def fit(self, excerpts, devices):
        """Fit on training excerpts, whose true ``devices`` are a sequence of names; return the system.

        A parameter out of its range, fewer than two devices, several sample rates, or not one device per excerpt raise
        ParameterError.
        """
        excerpts, devices = checked(excerpts), np.asarray([str(device) for device in devices])
        check_parameters(self.get_params(deep=False))
        if len(devices) != len(excerpts):
            raise ParameterError(f"{len(excerpts)} excerpts need as many devices, not {len(devices)}")
        self.classes_, codes = np.unique(devices, return_inverse=True)
        if len(self.classes_) < 2:
            raise ParameterError(f"at least two devices are needed to tell apart, not {str(self.classes_[0])!r} alone")
        self.temperature_, self.samplerate_ = 1.0, excerpts[0].samplerate
        self._fit(excerpts, codes)
        return self

    def decision_function(self, excerpts):
        """Return the score of every device [shape=(n, n_devices)], float64; one that is not finite is refused."""
        if not hasattr(self, "classes_"):
            raise ParameterError(f"{type(self).__name__} has not been fitted: call fit(excerpts, devices) first")
        excerpts = checked(excerpts, self.samplerate_)
        scores, expected = np.asarray(self._scores(excerpts), np.float64), (len(excerpts), len(self.classes_))
        if scores.shape != expected:
            raise ParameterError(f"{type(self).__name__}: scores of shape {scores.shape} instead of {expected}")
        for i, k in np.argwhere(~np.isfinite(scores)):
            what = f"score of device {str(self.classes_[k])!r} for {excerpts[i].name}"
            raise ParameterError(f"{type(self).__name__}: the {what} is {scores[i, k]}, not a finite number")
        return scores

    def calibrate(self, excerpts, devices):
        """Fit the temperature on excerpts that were *not* learned, as long as those to be asked; return the system.

        `best_temperature` says how. Their ``devices`` must be among those learned; others raise ParameterError.
        """
        scores, devices = self.decision_function(excerpts), np.asarray([str(device) for device in devices])
        if len(strange := np.setdiff1d(devices, self.classes_)):
            raise ParameterError(f"device {str(strange[0])!r} was not learned, only {', '.join(self.classes_)}")
        n = len({(x.device, x.recording) for x in excerpts})
        self.temperature_ = best_temperature(scores, np.searchsorted(self.classes_, devices), n=n)
        return self

    def predict_proba(self, excerpts):
        """Return the probability of every device [shape=(n, n_devices)], float64; rows are finite and sum to one."""
        return scipy.special.softmax(self.decision_function(excerpts) / self.temperature_, axis=1)

    def predict(self, excerpts):
        """Return the most probable device of every excerpt."""
        return self.classes_[self.decision_function(excerpts).argmax(axis=1)]


def best_temperature(scores, codes, *, n):
    """Return the temperature that makes the best probabilities of scores [shape=(n, n_devices)]: least log-loss.

    The excerpts, whose class numbers ``codes`` are, were not learned, and come from ``n`` recordings. The truth is
    taken to be the true device with (n + 1) / (n + 2) only (Laplace; Platt, 1999): n recordings without an error do not
    show that there never is one, and T stays above 0. Notebook 10. Guo, Pleiss, Sun & Weinberger, "On calibration of
    modern neural networks", ICML 2017.

    >>> scores, codes = np.array([[2.0, 0], [2, 0], [2, 0], [2, 0]]), np.array([0, 0, 0, 1])  # three of four are right
    >>> round(best_temperature(scores, codes, n=1000), 2), round(float(2 / np.log(3)), 2)
    (1.82, 1.82)
    """
    wrong = 1 / (n + 2)
    target = np.full(scores.shape, wrong / (scores.shape[1] - 1))
    target[np.arange(len(scores)), codes] = 1 - wrong
    spread = np.median(scores.max(axis=1) - scores.mean(axis=1))
    if not spread > 0:
        return 1.0  # a system that finds all devices equally likely, at any temperature

    def loss(log_t):
        return -np.mean(np.sum(target * scipy.special.log_softmax(scores / np.exp(log_t), axis=1), axis=1))

    middle = np.log(spread)
    return float(np.exp(minimize_scalar(loss, bounds=(middle - 8, middle + 8), method="bounded").x))


def checked(excerpts, *samplerate):
    """Return excerpts as a list that is not empty, holds nothing else and has one sample rate, this if one is given."""
    excerpts = list(excerpts)
    if not excerpts:
        raise ParameterError("excerpts is empty: there is nothing to learn from or to name")
    for excerpt in excerpts:
        if not isinstance(excerpt, Excerpt):
            raise ParameterError(f"a {type(excerpt).__name__} is not an excerpt: use Excerpt(y, samplerate)")
    if len(rates := {excerpt.samplerate for excerpt in excerpts}.union(samplerate)) > 1:
        raise ParameterError(f"excerpts have different sample rates, which cannot be compared: {sorted(rates)} Hz")
    return excerpts


def check_parameters(params):
    """Raise ParameterError for the first parameter of a system that is out of its range."""
    for name, value in params.items():
        number = isinstance(value, Real) and not isinstance(value, bool)
        if name in LEAST:
            check_count(name, value, least=LEAST[name])
        if name in MOST and not (number and 0 < value <= MOST[name]):
            raise ParameterError(f"{name}={value!r} is not above 0{' and at most 1' * (MOST[name] == 1)}")
        if name == "relevance" and not (number and value >= 0):
            raise ParameterError(f"{name}={value!r} is not a number of at least 0")
