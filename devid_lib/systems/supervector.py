"""[5]: supervectors of adapted Gaussian mixtures."""

import numpy as np

from .base import System
from .cepstra import HOP_S, cepstra, fit_background, fit_svm, map_adapt, pieces, statistics, svm_proba, warn_thin
from .frames import common_samplerate


def supervector(background, x, *, relevance=16.0):
    """Return the supervector of frames.

    Parameters
    ----------
    background : Mixture
    x : np.ndarray [shape=(n, d)]
        Standardised frames.
    relevance : float
        Relevance factor of the adaptation [frames].

    Returns
    -------
    vector : np.ndarray [shape=(k * d,)]
        Shift of the adapted means from the background's, times sqrt(weight) / sigma, of length one (zero where
        nothing has shifted).

    Notes
    -----
    Notebook 10. The scaling makes the inner product of two supervectors that of Campbell, Sturim & Reynolds (2006),
    which bounds the divergence of the two mixtures. The length says how many frames there were rather than which
    device it was, so that it is divided out.
    """
    counts, first, _ = statistics(background, x)
    shift = map_adapt(background, counts, first, relevance=relevance).means - background.means
    vector = (np.sqrt(background.weights)[:, None] / np.sqrt(background.variances) * shift).ravel()
    return vector / max(np.linalg.norm(vector), 1e-9)


class SupervectorSVM(System):
    """[5] Supervector of adapted mixture means, and a linear support vector machine.

    D. Garcia-Romero and C. Y. Espy-Wilson, "Automatic acquisition device identification from speech recordings",
    ICASSP 2010.

    As published: MFCC and linear-frequency cepstra; a universal background model, its means adapted to each recording
    by maximum a posteriori, stacked and scaled by sqrt(weight) / sigma; a linear support vector machine. Above 90 % on
    8 handsets and on 8 microphones.

    Adapted: 23 coefficients, 64 components and relevance factor 16, within the ranges (32 to 256, 5 to 20) that Jiang &
    Leung found to work (IEEE TIFS 14(11):2875, 2019). The background's means are taken off and supervectors are brought
    to length one, so that excerpts of all lengths can be compared. Training recordings are cut into pieces as long as
    an utterance.

    Probabilities are the softmax of the one-against-rest form of the pairwise decisions.

    Parameters
    ----------
    feature : {"mfcc", "lfcc", "pncc", "gtcc"}
        See `cepstra.cepstra`.
    n_coefficients : int
        Cepstral coefficients, without the zeroth.
    n_components : int
        Components of the background model.
    relevance : float
        Relevance factor [frames].
    piece_s : float
        Length of a piece of a training recording [s].
    C : float
        Cost of an error.
    random_state : int
    """

    def __init__(self, *, feature="mfcc", n_coefficients=23, n_components=64, relevance=16.0, piece_s=3.0, C=10.0,
                 random_state=0):
        self.feature = feature
        self.n_coefficients = n_coefficients
        self.n_components = n_components
        self.relevance = relevance
        self.piece_s = piece_s
        self.C = C
        self.random_state = random_state

    def _frames(self, excerpts):
        return [cepstra(e, feature=self.feature, n_coefficients=self.n_coefficients) for e in excerpts]

    def _vector(self, x):
        return supervector(self.background_, self.background_.standardised(x), relevance=self.relevance)

    def _fit(self, excerpts, codes):
        self.samplerate_ = common_samplerate(excerpts)
        frames = self._frames(excerpts)
        self.background_ = fit_background(frames, n_components=self.n_components, random_state=self.random_state)
        length = max(1, round(self.piece_s / HOP_S[self.feature]))
        cut = [pieces(x, length=length) for x in frames]
        warn_thin([len(part) for parts in cut for part in parts], len(self.background_.weights))
        vectors = [np.stack([self._vector(part) for part in parts]) for parts in cut]
        self.svm_ = fit_svm(vectors, codes, kernel="linear", C=self.C)

    def _proba(self, excerpts):
        common_samplerate(excerpts, expected=self.samplerate_)
        return svm_proba(self.svm_, [self._vector(x)[None] for x in self._frames(excerpts)])
