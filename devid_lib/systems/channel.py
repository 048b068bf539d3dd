"""[1]: the recording channel, estimated blindly with a model of clean speech (notebook 10a)."""

import functools
from dataclasses import dataclass

import numpy as np
import scipy.special
from sklearn.svm import SVC

from ..errors import ParameterError
from ..simulate import speech
from .base import System
from .cepstra import Mixture, cut_pieces, fit_background, posteriors
from .excerpts import Excerpt
from .frames import FRAME_S, HOP_S, cepstra, common_samplerate, power_spectra, rasta_filter
from .spectra import fit_pieces, log_power, pieces_proba

BAND_HZ = (50.0, 11000.0)  # where the shipped speech, made at 24 kHz, has a spectrum
SPEECH_S = 150.0  # of clean speech [s]
PAUSE_DB = 40.0  # frames this much below the loudest are pauses: synthetic ones are digitally silent


@dataclass(frozen=True)
class CleanSpeech:
    """What is known of clean speech: a mixture of its RASTA-filtered MFCC, and a spectrum for each component."""

    mixture: Mixture
    spectra: np.ndarray  # [shape=(k, n_bins)], mean log power spectrum, each frame's mean over the band taken off


def band_log_spectra(y, samplerate):
    """Return the natural logarithm of the power spectra of the frames of the MFCC, [shape=(n_frames, n_bins)], float32.

    Only the bins within ``BAND_HZ``; ParameterError where there is none.
    """
    power = power_spectra(y, samplerate, frame_s=FRAME_S["mfcc"], hop_s=HOP_S["mfcc"], preemphasis=False)
    f = np.linspace(0.0, samplerate / 2, power.shape[1])
    band = (f >= BAND_HZ[0]) & (f <= BAND_HZ[1])
    if not band.any():
        raise ParameterError(f"samplerate={samplerate!r} Hz leaves no bin between {BAND_HZ[0]:g} and {BAND_HZ[1]:g}")
    return log_power(power[:, band])


def mean_band_log_spectra(y, samplerate, *, piece_s):
    """Return `means_of_pieces` of `band_log_spectra`."""
    return means_of_pieces(band_log_spectra(y, samplerate), piece_s=piece_s)


def means_of_pieces(rows, *, piece_s):
    """Return the mean of all rows (one per frame), then those of the pieces."""
    parts = cut_pieces(rows, length=max(1, round(piece_s / HOP_S["mfcc"])))
    return np.stack([part.mean(axis=0) for part in (rows, *parts)])


def rasta_mfcc(excerpt, *, n_coefficients):
    """Return RASTA-filtered MFCC, in which a fixed channel leaves no trace."""
    return rasta_filter(cepstra(excerpt, n_coefficients=n_coefficients))


@functools.lru_cache(maxsize=4)
def clean_speech(samplerate, *, n_components=64, n_coefficients=12, random_state=0):
    """Return a `CleanSpeech`: a model of the speech that ships with the library.

    ``n_components`` are the mixture's, ``n_coefficients`` those of the MFCC that it models; ``random_state`` is the
    seed of the order of the sentences and of the mixture.
    """
    y = speech(round(SPEECH_S * samplerate), rng=np.random.default_rng(random_state), samplerate=samplerate)
    spectra = band_log_spectra(y, samplerate)
    loudness = scipy.special.logsumexp(spectra, axis=1)
    active = loudness > loudness.max() - np.log(10) * PAUSE_DB / 10
    x = rasta_mfcc(Excerpt(y, samplerate), n_coefficients=n_coefficients)[active]
    mixture = fit_background([x], n_components=n_components, random_state=random_state)
    shares = posteriors(mixture, mixture.standardised(x))
    spectra = spectra[active] - spectra[active].mean(axis=1, keepdims=True)
    return CleanSpeech(mixture, shares.T @ spectra / (shares.sum(axis=0)[:, None] + 1e-9))


def channel(log_spectrum, shares, ideal):
    """Return the natural logarithm of a channel's power response [shape=(..., n_bins)], of mean zero over the bins.

    It is the mean over frames of log spectrum minus expected clean log spectrum. Both are linear in what is averaged,
    so that the means do: ``log_spectrum`` [shape=(..., n_bins)], and ``shares`` [shape=(..., k)], the probabilities of
    the classes of clean speech, whose log power spectra ``ideal`` [shape=(k, n_bins)] holds.
    """
    response = log_spectrum - shares @ ideal
    return response - response.mean(axis=-1, keepdims=True)


@dataclass(eq=False, repr=False, kw_only=True)
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
    """

    n_components: int = 64  # classes of clean speech
    n_coefficients: int = 12  # MFCC, without the zeroth
    piece_s: float = 0.25  # length of a piece of a training recording [s]
    C: float = 10.0  # cost of an error
    random_state: int = 0

    def channels(self, excerpt):
        """Return the channel of an excerpt, then those of its pieces, as an array [shape=(1 + n_pieces, n_bins)]."""
        mixture = self.speech_.mixture
        x = mixture.standardised(rasta_mfcc(excerpt, n_coefficients=self.n_coefficients))
        shares = means_of_pieces(posteriors(mixture, x), piece_s=self.piece_s)
        return channel(excerpt.feature(mean_band_log_spectra, piece_s=self.piece_s), shares, self.speech_.spectra)

    def _fit(self, excerpts, codes):
        self.samplerate_ = common_samplerate(excerpts)
        self.speech_ = clean_speech(self.samplerate_, n_components=self.n_components,
                                    n_coefficients=self.n_coefficients, random_state=self.random_state)  # fmt: skip
        vectors = [self.channels(excerpt)[1:] for excerpt in excerpts]
        self.centre_ = np.concatenate(vectors).mean(axis=0)
        self.scale_ = max(float(np.concatenate(vectors).std()), 1e-9)
        self.svm_ = fit_pieces(SVC(C=self.C), [(v - self.centre_) / self.scale_ for v in vectors], codes)

    def _proba(self, excerpts):
        common_samplerate(excerpts, expected=self.samplerate_)
        return pieces_proba(self.svm_, [(self.channels(e)[:1] - self.centre_) / self.scale_ for e in excerpts])
