"""[7], [8]: random projections and sketches of mean spectra, and sparse representation (notebook 10b)."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import orthogonal_mp
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.random_projection import GaussianRandomProjection

from ..errors import ParameterError, check_name
from .spectra import (
    N_FFT,
    NearestOfClass,
    VectorSystem,
    feature_matrix,
    mean_log_spectrum,
    mean_spectrum,
    pairwise_machine,
)


def src_residuals(train, codes, test, *, n_nonzero=5):
    """Return how badly each class represents each vector by sparse representation [shape=(n, n_classes)], float64.

    Training vectors [shape=(n_train, n_features)] of classes ``codes`` [shape=(n_train,)], 0 to n_classes - 1, are the
    columns of the dictionary, once they are made unit vectors; ``n_nonzero`` of them represent a test vector. A
    residual is the length of what is left of the unit test vector [shape=(n, n_features)] when only the coefficients of
    one class are kept: 1 where it has none. All are 0 for a vector of zeros.

    Wright, Yang, Ganesh, Sastry & Ma, "Robust face recognition via sparse representation", IEEE TPAMI 31(2), 210-227,
    2009; their minimum of the l1 norm is approximated by orthogonal matching pursuit.
    """
    dictionary, x = normalize(train).T.astype(np.float64), normalize(test).T.astype(np.float64)
    n_nonzero = min(n_nonzero, *dictionary.shape)
    with warnings.catch_warnings():  # it stops early where a vector is represented exactly, which is what we want
        warnings.filterwarnings("ignore", message=".*Orthogonal matching pursuit ended prematurely.*")
        coefficients = orthogonal_mp(dictionary, x, n_nonzero_coefs=n_nonzero, precompute=False)
    coefficients = coefficients.reshape(dictionary.shape[1], -1)
    own = (codes == k for k in range(codes.max() + 1))
    return np.stack([np.linalg.norm(x - dictionary[:, k] @ coefficients[k], axis=0) for k in own], axis=1)


def stable_vectors(n_features, n_components, *, p, random_state):
    """Return vectors with independent components of a p-stable distribution [shape=(n_features, n_components)].

    ``p`` is 1, Cauchy, or 2, Gaussian. The inner product of x - y with such a vector is distributed as one component
    times the l_p distance of x and y, so that a few products keep the distances (Indyk 2006; notebook 10b).
    """
    if p not in (1, 2):
        raise ParameterError(f"p={p!r} is neither 1 (Cauchy) nor 2 (Gaussian)")
    rng = np.random.default_rng(random_state)
    return (rng.standard_cauchy if p == 1 else rng.standard_normal)((n_features, n_components))


def equal_weights(sketches):
    """Give the components of Cauchy sketches [shape=(n, n_components)] equal weights in a distance: -1 to 1.

    The median of the magnitudes estimates the l1 norm of what was sketched (Indyk 2006); divided by it, the components
    are standard Cauchy variables, and that distribution's function makes them uniform.
    """
    norms = np.median(np.abs(sketches), axis=1, keepdims=True)
    return 2 / np.pi * np.arctan(sketches / np.where(norms > 0, norms, 1))


class SparseRepresentation(NearestOfClass):
    """Sparse representation classification: the scores are minus `src_residuals`."""

    def __init__(self, n_nonzero=5):
        self.n_nonzero = n_nonzero

    def decision_function(self, x):
        """Return the scores [shape=(n, n_classes)]."""
        return -src_residuals(self.x_, self.codes_, x, n_nonzero=self.n_nonzero)


@dataclass(eq=False, repr=False, kw_only=True)
class ProjectionSystem(VectorSystem):
    """What [7] and [8] share: spectra projected on random vectors, made unit vectors, and one of three classifiers.

    A subclass has ``feature``, the spectrum, and ``_draw(n_features)``, which draws the vectors.
    """

    classifier: str = "src"  # sparse representation, or "svm", or "nn"
    n_components: int = 128  # random vectors
    n_fft: int = N_FFT  # frame [samples]
    n_nonzero: int = 5  # training excerpts that represent another
    random_state: int = 0  # seed of the random vectors

    def learns(self, unit):
        """Return "3 s" for whole recordings: there have to be more columns than numbers in each."""
        return "3 s" if unit == "recording" else unit

    def _sketch(self, excerpts):
        return feature_matrix(excerpts, self.feature, n_fft=self.n_fft).astype(np.float64) @ self.drawn_

    def vectors(self, excerpts):
        return normalize(self._sketch(excerpts))

    def _fit(self, excerpts, codes):
        self.drawn_ = self._draw(self.n_fft // 2 + 1)
        super()._fit(excerpts, codes)

    def _classifier(self):
        svm = make_pipeline(StandardScaler(), pairwise_machine(kernel="linear", C=1.0))
        known = {"src": SparseRepresentation(self.n_nonzero), "svm": svm, "nn": NearestOfClass()}
        check_name("classifier", self.classifier, known)
        return known[self.classifier]


class RandomSpectralFeatures(ProjectionSystem):
    """[7] Random spectral features: mean log-spectrum, Gaussian random projection, sparse representation.

    Y. Panagakis, C. Kotropoulos, "Automatic telephone handset identification by sparse representation of random
    spectral features", ACM MM&Sec 2012, 91-96, doi:10.1145/2361407.2361422.

    As published: the logarithm of the spectrogram averaged over time, projected on Gaussian vectors; sparse
    representation, a linear support vector machine or the nearest neighbour: 95.55 % on eight handsets.

    Adapted: the publication was not read whole, frame and number of vectors are ours. The minimum of the l1 norm
    is approximated by orthogonal matching pursuit, see `src_residuals`.
    """

    feature = staticmethod(mean_log_spectrum)

    def _draw(self, n_features):
        projection = GaussianRandomProjection(self.n_components, random_state=self.random_state)
        return projection.fit(np.zeros((1, n_features))).components_.T


@dataclass(eq=False, repr=False, kw_only=True)
class SpectralSketches(ProjectionSystem):
    """[8] Sketches of spectral features: mean spectrogram, p-stable vectors, sparse representation.

    C. Kotropoulos, "Telephone handset identification using sparse representations of spectral feature sketches",
    IWBF 2013, doi:10.1109/IWBF.2013.6547326.

    As published: the spectrogram averaged over time, and its inner products with vectors whose components are drawn
    from a p-stable distribution, Gaussian for p = 2 and Cauchy for p = 1; sparse representation: above 95 % on
    eight handsets.

    Adapted: only the abstract was read; frame and number of vectors are ours. Orthogonal matching pursuit as in
    `RandomSpectralFeatures`. A Cauchy sketch keeps l1 distances, for an estimator that takes medians. Sparse
    representation measures in l2, where the few largest of the heavy-tailed components outweigh all others, so the
    components of p = 1 are given `equal_weights` first; ``plain=True`` leaves them as they are.
    """

    p: int = 2  # Gaussian, or 1, Cauchy
    plain: bool = False  # take the inner products with Cauchy vectors as they are

    feature = staticmethod(mean_spectrum)

    def _draw(self, n_features):
        return stable_vectors(n_features, self.n_components, p=self.p, random_state=self.random_state)

    def _sketch(self, excerpts):
        sketches = super()._sketch(excerpts)
        return equal_weights(sketches) if self.p == 1 and not self.plain else sketches
