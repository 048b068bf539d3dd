"""[1]: the recording channel, estimated blindly with a model of clean speech."""

import functools
from dataclasses import dataclass

import numpy as np
import scipy.special

from ..errors import ParameterError
from ..simulate import speech
from .base import System
from .cepstra import HOP_S, Mixture, cepstra, fit_background, fit_svm, log_joint, pieces, svm_proba
from .excerpts import Excerpt
from .frames import common_samplerate, power_spectra, rasta_filter
from .spectra import log_power

FRAME_S = 0.02  # as the frames of the MFCC [s]
BAND_HZ = (50.0, 11000.0)  # where the shipped speech, made at 24 kHz, has a spectrum
SPEECH_S = 150.0  # of clean speech [s]
PAUSE_DB = 40.0  # frames this much below the loudest are pauses: synthetic ones are digitally silent


@dataclass(frozen=True)
class CleanSpeech:
    """What is known of clean speech.

    Attributes
    ----------
    mixture : Mixture
        Of its RASTA-filtered MFCC.
    spectra : np.ndarray [shape=(k, n_bins)]
        Mean log power spectrum of the frames of each component, after the mean over the band was taken off each frame.
    """

    mixture: Mixture
    spectra: np.ndarray


def band_log_spectra(y, samplerate):
    """Return the natural logarithm of the short-time power spectra within ``BAND_HZ``.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], float
        Samples, full scale = 1.
    samplerate : int
        [Hz]

    Returns
    -------
    spectra : np.ndarray [shape=(n_frames, n_bins)], float32

    Raises
    ------
    ParameterError
        If no bin is in the band.
    """
    power = power_spectra(y, samplerate, frame_s=FRAME_S, hop_s=HOP_S["mfcc"], preemphasis=0.0)
    f = np.linspace(0.0, samplerate / 2, power.shape[1])
    band = (f >= BAND_HZ[0]) & (f <= BAND_HZ[1])
    if not band.any():
        raise ParameterError(f"samplerate={samplerate!r} Hz leaves no bin between {BAND_HZ[0]:g} and {BAND_HZ[1]:g}")
    return log_power(power[:, band])


def mean_band_log_spectra(y, samplerate, *, piece_s):
    """Return the mean over all frames, then the means over the frames of each piece, of `band_log_spectra`."""
    spectra = band_log_spectra(y, samplerate)
    return means_of_pieces(spectra, piece_s=piece_s)


def means_of_pieces(rows, *, piece_s):
    """Return the mean of all rows (one per frame), then those of the pieces."""
    parts = pieces(rows, length=max(1, round(piece_s / HOP_S["mfcc"])))
    return np.stack([part.mean(axis=0) for part in (rows, *parts)])


def rasta_mfcc(excerpt, *, n_coefficients):
    """Return RASTA-filtered MFCC, in which a fixed channel leaves no trace."""
    return rasta_filter(cepstra(excerpt, n_coefficients=n_coefficients))


@functools.lru_cache(maxsize=4)
def clean_speech(samplerate, *, n_components=64, n_coefficients=12, random_state=0):
    """Model the clean speech that ships with the library.

    Parameters
    ----------
    samplerate : int
        [Hz]
    n_components, n_coefficients : int
        Of the mixture, and of the MFCC that it models.
    random_state : int
        Seed of the order of the sentences and of the mixture.

    Returns
    -------
    model : CleanSpeech

    Notes
    -----
    Notebook 10.
    """
    y = speech(round(SPEECH_S * samplerate), rng=np.random.default_rng(random_state), samplerate=samplerate)
    spectra = band_log_spectra(y, samplerate)
    loudness = scipy.special.logsumexp(spectra, axis=1)
    active = loudness > loudness.max() - np.log(10) * PAUSE_DB / 10
    x = rasta_mfcc(Excerpt(y, samplerate), n_coefficients=n_coefficients)[active]
    mixture = fit_background([x], n_components=n_components, random_state=random_state)
    posteriors = scipy.special.softmax(log_joint(mixture, mixture.standardised(x)), axis=1)
    spectra = spectra[active] - spectra[active].mean(axis=1, keepdims=True)
    return CleanSpeech(mixture, posteriors.T @ spectra / (posteriors.sum(axis=0)[:, None] + 1e-9))


def channel(log_spectrum, posteriors, ideal):
    """Return the log magnitude response of a recording channel, but for its gain.

    Parameters
    ----------
    log_spectrum : np.ndarray [shape=(..., n_bins)]
        Mean over frames of the log power spectrum.
    posteriors : np.ndarray [shape=(..., k)]
        Mean over frames of the probability of each class of clean speech.
    ideal : np.ndarray [shape=(k, n_bins)]
        Log power spectrum of each class.

    Returns
    -------
    response : np.ndarray [shape=(..., n_bins)]
        Natural logarithm of the power response, with zero mean over the bins.

    Notes
    -----
    Notebook 10. The mean over frames of log spectrum minus expected clean log spectrum; both are linear in what is
    averaged, so that the means do.
    """
    response = log_spectrum - posteriors @ ideal
    return response - response.mean(axis=-1, keepdims=True)


class BlindChannel(System):
    """[1] Blind estimate of the channel's frequency response, and an RBF support vector machine.

    L. Cuccovillo, S. Mann, M. Tagliasacchi and P. Aichroth, "Audio tampering detection via microphone classification",
    MMSP 2013, 10.1109/MMSP.2013.6659284.

    As published: the channel is the mean over frames of log spectrum minus the log spectrum of ideal clean speech that
    is expected from the frame's RASTA-filtered MFCC and a Gaussian mixture of clean speech; zero mean; RBF support
    vector machine. Above 95 % on PCM, AAC and MP3. It also finds splices.

    Adapted: written from the abstract and recollection. The clean speech is the synthetic speech of one voice that
    ships with the library, without its pauses, and so ends at 11 kHz. 12 MFCC and spectra of frames of 20 ms every
    10 ms, 64 components. Training recordings are described in pieces of a quarter of a second; an excerpt by all of
    its frames, speech and pause. The features are centred, and scaled by one number, so that bins keep their
    proportions.

    Probabilities are the softmax of the one-against-rest form of the pairwise decisions.

    Parameters
    ----------
    n_components : int
        Classes of clean speech.
    n_coefficients : int
        MFCC, without the zeroth.
    piece_s : float
        Length of a piece of a training recording [s].
    C : float
        Cost of an error.
    random_state : int
    """

    def __init__(self, *, n_components=64, n_coefficients=12, piece_s=0.25, C=10.0, random_state=0):
        self.n_components = n_components
        self.n_coefficients = n_coefficients
        self.piece_s = piece_s
        self.C = C
        self.random_state = random_state

    def channels(self, excerpt):
        """Return the channel of an excerpt, then those of its pieces, as an array [shape=(1 + n_pieces, n_bins)]."""
        x = self.speech_.mixture.standardised(rasta_mfcc(excerpt, n_coefficients=self.n_coefficients))
        posteriors = scipy.special.softmax(log_joint(self.speech_.mixture, x), axis=1)
        spectra = excerpt.feature(mean_band_log_spectra, piece_s=self.piece_s)
        return channel(spectra, means_of_pieces(posteriors, piece_s=self.piece_s), self.speech_.spectra)

    def _fit(self, excerpts, codes):
        self.samplerate_ = common_samplerate(excerpts)
        self.speech_ = clean_speech(self.samplerate_, n_components=self.n_components,
                                    n_coefficients=self.n_coefficients, random_state=self.random_state)
        vectors = [self.channels(excerpt)[1:] for excerpt in excerpts]
        self.centre_ = np.concatenate(vectors).mean(axis=0)
        self.scale_ = max(float(np.concatenate(vectors).std()), 1e-9)
        self.svm_ = fit_svm([(v - self.centre_) / self.scale_ for v in vectors], codes, kernel="rbf", C=self.C)

    def _proba(self, excerpts):
        common_samplerate(excerpts, expected=self.samplerate_)
        return svm_proba(self.svm_, [(self.channels(e)[:1] - self.centre_) / self.scale_ for e in excerpts])
