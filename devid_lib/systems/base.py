"""What all systems have in common."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


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
        """
        self.classes_, codes = np.unique(np.asarray(devices), return_inverse=True)
        self._fit(list(excerpts), codes)
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
        """
        proba = np.asarray(self._proba(list(excerpts)), np.float64)
        proba = np.clip(proba, 1e-12, None)
        return proba / proba.sum(axis=1, keepdims=True)

    def predict(self, excerpts):
        """Return the most probable device of every excerpt."""
        return self.classes_[self.predict_proba(excerpts).argmax(axis=1)]


def softmax(scores, *, temperature=1.0):
    """Return scores [shape=(n, n_devices)] as probabilities."""
    z = np.asarray(scores, np.float64) / temperature
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)
