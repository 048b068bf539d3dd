"""[10]: one one-class classifier per device, on representative instances (notebook 10c)."""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from .base import System
from .spectra import framed, log_power, one_second_pieces, pooled, power, spectra_in_chunks


def noise_spectra(y, samplerate):
    """Return the spectrum of the background noise in every second [shape=(n_pieces, 513)], float32.

    It is the mean natural logarithm of the power of the half of the frames that has least energy. Samples ``y``
    [shape=(n,)] are cut as in `spectra.one_second_pieces`; frames have 1024 samples, Hann window, hop a half.
    """
    spectra = []
    for piece in one_second_pieces(y, samplerate):
        frames = framed(piece, length=1024, hop=512)
        x = np.concatenate([power(chunk) for chunk in spectra_in_chunks(frames)])
        quiet = np.argsort(x.sum(axis=1), kind="stable")[: max(1, round(len(x) / 2))]
        spectra.append(log_power(x[quiet]).mean(axis=0))
    return np.array(spectra, np.float32)


def representatives(x, *, n_clusters, random_state):
    """Return the k-means centroids of instances, or the distinct instances where they are not more than that."""
    distinct = np.unique(x, axis=0)
    if len(distinct) <= n_clusters:
        return distinct
    return KMeans(n_clusters, n_init=4, random_state=random_state).fit(x).cluster_centers_


@dataclass(eq=False, repr=False, kw_only=True)
class RepresentativeOneClass(System):
    """[10] Noise spectra, representative instances, one one-class support vector machine per device.

    H. Q. Vu, S. Liu, X. Yang, Z. Li, Y. Ren, "Identifying microphone from noisy recordings by using representative
    instance one class-classification approach", Journal of Networks 7(6), 908-917, 2012.

    As published: one-class classification of microphones, trained on one device at a time, so that a new one is added
    without touching the others; representative instances stand for the noisy ones of a class. They improve one-class
    accuracy.

    Adapted: only the abstract was read. An instance is the noise spectrum of one second, the mean log-spectrum of its
    quieter half; the representatives of a device are its k-means centroids; the classifier is a one-class support
    vector machine with a Gaussian kernel. A closed set needs one answer: the device whose machine scores highest
    relative to its own threshold, on average over the instances of an excerpt. Features are standardised over all
    training recordings, the only step that sees more than one device. Scores are logarithms of score / threshold;
    above 0 a machine accepts the instance.
    """

    n_clusters: int = 8  # representatives of a device
    nu: float = 0.1  # share of the representatives that a machine may reject
    gamma: float = 10.0  # kernel exp(-gamma d^2), d^2 being the squared distance divided by the number of features
    random_state: int = 0  # seed of k-means

    def _instances(self, excerpts):
        return [excerpt.feature(noise_spectra) for excerpt in excerpts]

    def _fit(self, excerpts, codes):
        instances = self._instances(excerpts)
        labels = np.repeat(codes, [len(rows) for rows in instances])
        self.scaler_ = StandardScaler()
        x, options = self.scaler_.fit_transform(np.concatenate(instances)), {"n_clusters": self.n_clusters}
        chosen = [representatives(x[labels == k], random_state=self.random_state, **options) for k in np.unique(codes)]
        self.machines_ = [OneClassSVM(nu=self.nu, gamma=self.gamma / x.shape[1]).fit(rows) for rows in chosen]

    def _scores(self, excerpts):
        instances = self._instances(excerpts)
        x = self.scaler_.transform(np.concatenate(instances))
        return pooled(np.stack([acceptance(m, x) for m in self.machines_], axis=1), instances)


def acceptance(machine, x):
    """Return log(score / threshold) of instances: not below 0 where the one-class machine accepts them."""
    return np.log(np.maximum(machine.score_samples(x) / machine.offset_, 1e-300))
