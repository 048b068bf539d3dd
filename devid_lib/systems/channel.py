"""[1]: the recording channel, estimated blindly with a model of clean speech (notebook 10a)."""

import functools
from dataclasses import dataclass

import numpy as np
import scipy.special
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..errors import ParameterError
from ..soundfield import speech
from .cepstra import fit_background, posteriors
from .excerpts import Excerpt
from .frames import FRAME_S, HOP_S, cepstra, power_spectra, rasta_filter
from .spectra import VectorSystem, log_power, pairwise_machine

BAND_HZ = (50.0, 11000.0)  # where the shipped speech, made at 24 kHz, has a spectrum
SPEECH_S = 150.0  # of clean speech [s]
PAUSE_DB = 40.0  # frames this much below the loudest are pauses: synthetic ones are digitally silent


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


def mean_band_log_spectrum(y, samplerate):
    """Return the mean over frames of `band_log_spectra`."""
    return band_log_spectra(y, samplerate).mean(axis=0)


def rasta_mfcc(excerpt, *, n_coefficients):
    """Return RASTA-filtered MFCC, in which a fixed channel leaves no trace."""
    return rasta_filter(cepstra(excerpt, n_coefficients=n_coefficients))


@functools.lru_cache(maxsize=4)
def clean_speech(samplerate, *, n_components=64, n_coefficients=12, random_state=0):
    """Return what is known of clean speech: that which ships with the library, of its training voices alone.

    That is a mixture of its RASTA-filtered MFCC (``n_coefficients`` of them) and for each component a mean log power
    spectrum [shape=(k, n_bins)], every frame's mean over the band taken off. ``random_state`` is the seed of the order
    of the sentences and of the mixture.
    """
    rng = np.random.default_rng(random_state)
    y = speech(round(SPEECH_S * samplerate), rng=rng, samplerate=samplerate, side="train")
    spectra = band_log_spectra(y, samplerate)
    loudness = scipy.special.logsumexp(spectra, axis=1)
    active = loudness > loudness.max() - np.log(10) * PAUSE_DB / 10
    x = rasta_mfcc(Excerpt(y, samplerate), n_coefficients=n_coefficients)[active]
    mixture = fit_background([x], n_components=n_components, random_state=random_state)
    shares = posteriors(mixture, mixture.standardised(x))
    spectra = spectra[active] - spectra[active].mean(axis=1, keepdims=True)
    return mixture, shares.T @ spectra / (shares.sum(axis=0)[:, None] + 1e-9)


def channel(log_spectrum, shares, ideal):
    """Return the natural logarithm of a channel's power response [shape=(..., n_bins)], of mean zero over the bins.

    It is the mean over frames of log spectrum minus expected clean log spectrum. Both are linear in what is averaged,
    so that the means do: ``log_spectrum`` [shape=(..., n_bins)], and ``shares`` [shape=(..., k)], the probabilities of
    the classes of clean speech, whose log power spectra ``ideal`` [shape=(k, n_bins)] holds.
    """
    response = log_spectrum - shares @ ideal
    return response - response.mean(axis=-1, keepdims=True)


@dataclass(eq=False, repr=False, kw_only=True)
class BlindChannel(VectorSystem):
    """[1] Blind estimate of the channel's frequency response, and an RBF support vector machine.

    L. Cuccovillo, S. Mann, M. Tagliasacchi and P. Aichroth, "Audio tampering detection via microphone classification",
    MMSP 2013, 10.1109/MMSP.2013.6659284.

    As published: the channel is the mean over frames of log spectrum minus the log spectrum of ideal clean speech that
    is expected from the frame's RASTA-filtered MFCC and a Gaussian mixture of clean speech; zero mean; RBF support
    vector machine. Above 95 % on PCM, AAC and MP3. It also finds splices.

    Adapted: written from the abstract and recollection. The clean speech is the synthetic speech that ships with the
    library, without its pauses: voices and sentences of which none is in a simulated test recording. It ends at 11 kHz.
    12 MFCC and spectra of frames of 20 ms every 10 ms, 64 components. An excerpt is described by all of its frames,
    speech and pause. All bins of it are on one scale, so that they keep their proportions.
    """

    n_components: int = 64  # classes of clean speech
    n_coefficients: int = 12  # MFCC, without the zeroth
    C: float = 10.0  # cost of an error
    random_state: int = 0

    def channel(self, excerpt):
        """Return the estimated channel of an excerpt [shape=(n_bins,)]."""
        mixture, spectra = self.speech_
        x = mixture.standardised(rasta_mfcc(excerpt, n_coefficients=self.n_coefficients))
        shares = posteriors(mixture, x).mean(axis=0)
        return channel(excerpt.feature(mean_band_log_spectrum), shares, spectra)

    def _fit(self, excerpts, codes):
        options = {name: getattr(self, name) for name in ("n_components", "n_coefficients", "random_state")}
        self.speech_ = clean_speech(self.samplerate_, **options)
        super()._fit(excerpts, codes)

    def vectors(self, excerpts):
        return map(self.channel, excerpts)

    def _classifier(self):
        return make_pipeline(StandardScaler(with_std=False), pairwise_machine(kernel="rbf", C=self.C))
