"""Cepstra of frames, which several systems share: plain functions (y, samplerate, ...) for `Excerpt.feature`.

Every function returns one row per frame. Frames are whole: what is left at the end of an excerpt is dropped, and an
excerpt shorter than one frame is filled up with zeros, with a `ShortExcerptWarning`. No function takes a mean away:
in speech recognition that removes the recording channel, which is what is looked for here.
"""

import functools
import warnings

import librosa
import numpy as np
import scipy.fft
from scipy import ndimage, signal

from ..errors import ParameterError, check_name
from .spectra import POWER_FLOOR, framed, log_power, power, spectra_in_chunks

N_COEFFICIENTS = 23
FRAME_S = {"mfcc": 0.02, "lfcc": 0.02, "gtcc": 0.03, "pncc": 0.0256}  # [s]
HOP_S = {"mfcc": 0.01, "lfcc": 0.01, "gtcc": 0.015, "pncc": 0.01}  # distance of frames [s]
RASTA_POLE = 0.98  # of the publication; 0.94 is often seen too


# --- Frames ----------------------------------------------------------------------------------------------------------
def power_spectra(y, samplerate, *, frame_s, hop_s, preemphasis=True, filters=None):
    """Return the power spectra of the frames of a signal [shape=(n_frames, n_bins)], float32.

    Or its energies in the bands of a filter bank [shape=(n_frames, n_filters)]: ``filters`` [shape=(n_filters, n_bins)]
    weigh the bins. White noise of variance v has v in every bin. ``frame_s`` and ``hop_s`` are length and distance of
    the Hamming windows [s]; ``preemphasis`` filters with y[n] - 0.97 y[n - 1] first.
    """
    length, hop, n_fft = frame_sizes(samplerate, frame_s=frame_s, hop_s=hop_s)
    y = np.asarray(y, np.float32)
    if preemphasis and len(y):
        y = np.append(y[:1] * np.float32(1 - 0.97), y[1:] - np.float32(0.97) * y[:-1])
    chunks = map(power, spectra_in_chunks(framed(y, length=length, hop=hop), window="hamming", n_fft=n_fft))
    if filters is None:
        return np.concatenate(list(chunks))
    weights = np.asarray(filters, np.float32).T
    return np.concatenate([x @ weights for x in chunks])


def frame_sizes(samplerate, *, frame_s, hop_s):
    """Return length and distance of frames, and the length of their transforms, the next power of two [samples]."""
    length, hop = round(frame_s * samplerate), round(hop_s * samplerate)
    if length < 2 or hop < 1:
        raise ParameterError(f"frame_s={frame_s!r}, hop_s={hop_s!r} are too short at samplerate={samplerate!r} Hz")
    return length, hop, 1 << (length - 1).bit_length()


# --- Cepstra ---------------------------------------------------------------------------------------------------------
def mfcc(y, samplerate, *, spacing="mel"):
    """Return mel frequency cepstral coefficients [shape=(n_frames, 23)], float32, without the zeroth, the level.

    Samples ``y`` [shape=(n,)] have full scale = 1, ``samplerate`` is in Hz. Davis & Mermelstein (1980) with 40 filters,
    HTK's, and pre-emphasis 0.97; Hamming windows of 20 ms every 10 ms. With ``spacing="linear"`` the filters have equal
    widths in frequency, not on the mel scale.
    """
    options = {"frame_s": FRAME_S["mfcc"], "hop_s": HOP_S["mfcc"]}
    filters = triangular_filters(samplerate, n_fft=frame_sizes(samplerate, **options)[2], n_filters=40, spacing=spacing)
    energies = power_spectra(y, samplerate, filters=filters, **options)
    return cepstrum(log_power(energies), n_coefficients=N_COEFFICIENTS)


def gtcc(y, samplerate):
    """Return gammatone cepstral coefficients; arguments and shape as in `mfcc`.

    After Valero & Alias (2012): 48 gammatones of 4th order on the ERB scale from 20 Hz, log energy, cosine transform;
    windows of 30 ms every 15 ms, no pre-emphasis. The filters act on the power spectra of the frames.
    """
    options = {"frame_s": FRAME_S["gtcc"], "hop_s": HOP_S["gtcc"]}
    filters = gammatone_filters(samplerate, n_fft=frame_sizes(samplerate, **options)[2], n_filters=48, fmin=20.0)
    energies = power_spectra(y, samplerate, preemphasis=False, filters=filters, **options)
    return cepstrum(log_power(energies), n_coefficients=N_COEFFICIENTS)


def pncc(y, samplerate):
    """Return power-normalised cepstral coefficients; arguments and shape as in `mfcc`.

    Kim & Stern (2016): pre-emphasis, power of 40 gammatones from 200 Hz in windows of 25.6 ms every 10 ms,
    `power_normalised`, power law with exponent 1/15 in place of the logarithm, cosine transform. Their filters end at 8
    kHz, with speech at 16 kHz; here at half the sample rate. Their last step, taking the mean away, is left out.
    """
    options = {"frame_s": FRAME_S["pncc"], "hop_s": HOP_S["pncc"]}
    n_fft = frame_sizes(samplerate, **options)[2]
    filters = gammatone_filters(samplerate, n_fft=n_fft, n_filters=40, fmin=200.0, cut=0.005)
    energies = power_spectra(y, samplerate, filters=filters, **options)
    return cepstrum(power_normalised(energies) ** (1 / 15), n_coefficients=N_COEFFICIENTS)


FEATURES = {"mfcc": (mfcc, {}), "lfcc": (mfcc, {"spacing": "linear"}), "pncc": (pncc, {}), "gtcc": (gtcc, {})}


def cepstra(excerpt, *, feature="mfcc", n_coefficients=N_COEFFICIENTS):
    """Return the cepstra of an excerpt's frames, computed once for all systems [shape=(n_frames, n_coefficients)].

    ``feature`` is "mfcc", "lfcc" (the same with linear-frequency filters), "pncc" or "gtcc", see there; of the 23
    coefficients the first ones are taken.
    """
    check_name("feature", feature, FEATURES)
    if not 1 <= n_coefficients <= N_COEFFICIENTS:
        raise ParameterError(f"n_coefficients={n_coefficients!r} is not in 1..{N_COEFFICIENTS}")
    function, params = FEATURES[feature]
    return excerpt.feature(function, **params)[:, :n_coefficients]


def cepstrum(log_energies, *, n_coefficients):
    """Return coefficients 1 to ``n_coefficients`` of the orthonormal type 2 cosine transform along the last axis."""
    transform = scipy.fft.dct(log_energies, type=2, norm="ortho", axis=1)
    return transform[:, 1 : n_coefficients + 1].astype(np.float32)


def rasta_filter(x):
    """Return features [shape=(n_frames, n)], 10 ms apart, band-pass filtered along time.

    Hermansky & Morgan (1994): 0.1 (2 + z^-1 - z^-3 - 2 z^-4) / (1 - 0.98 z^-1), without the advance by four frames. A
    constant, that is, a fixed channel, gives exactly nothing: the filter starts as if the first frame had always been
    there. The cosine transform is linear, so that filtering cepstra is filtering log energies.
    """
    x = np.asarray(x)
    change = (x - x[:1]).astype(np.float64)  # so that the start has no transient: the filter passes no constant
    return signal.lfilter([0.2, 0.1, 0.0, -0.1, -0.2], [1.0, -RASTA_POLE], change, axis=0).astype(x.dtype)


# --- Filter banks ----------------------------------------------------------------------------------------------------
@functools.lru_cache(maxsize=8)
def triangular_filters(samplerate, *, n_fft, n_filters, spacing="mel"):
    """Return triangular filters of height one, overlapping by half [shape=(n_filters, n_fft // 2 + 1)].

    They reach from 0 to half the sample rate and have equal widths on HTK's mel scale, 2595 log10(1 + f / 700), or in
    frequency (``spacing="linear"``).
    """
    check_name("spacing", spacing, ("mel", "linear"))
    if spacing == "mel":
        with warnings.catch_warnings():  # librosa's "empty filters": at low rates a filter can fall between two bins
            warnings.simplefilter("ignore", UserWarning)
            return librosa.filters.mel(sr=samplerate, n_fft=n_fft, n_mels=n_filters, htk=True, norm=None)
    centres, step = np.linspace(0, samplerate / 2, n_filters + 2, retstep=True)
    distance = np.abs(np.fft.rfftfreq(n_fft, 1 / samplerate) - centres[1:-1, None])
    return np.maximum(0.0, 1 - distance / step)


@functools.lru_cache(maxsize=8)
def gammatone_filters(samplerate, *, n_fft, n_filters, fmin, cut=0.0):
    """Return the squared magnitude responses of 4th-order gammatone filters [shape=(n_filters, n_fft // 2 + 1)].

    Centres are equally spaced in 21.4 log10(4.37 f / 1000 + 1), from ``fmin`` [Hz] to half the sample rate; abs(H)^2 =
    (1 + ((f - fc) / (1.019 ERB(fc)))^2)^-4 with ERB(f) = 24.7 (4.37 f / 1000 + 1) Hz, Glasberg & Moore (1990); the
    mirror image at negative frequencies is left out. Magnitudes below the share ``cut`` of the largest are zero; each
    response has the sum one.
    """
    if fmin >= samplerate / 2:
        raise ParameterError(f"samplerate={samplerate!r} Hz leaves nothing above the lowest filter at {fmin:g} Hz")
    warped = np.geomspace(4.37 * fmin / 1000 + 1, 4.37 * samplerate / 2000 + 1, n_filters)[:, None]
    bandwidth, centre = 24.7 * warped, 1000 * (warped - 1) / 4.37
    f = np.fft.rfftfreq(n_fft, 1 / samplerate)
    gain = (1 + ((f - centre) / (1.019 * bandwidth)) ** 2) ** -4.0
    gain[gain < cut**2 * gain.max(axis=1, keepdims=True)] = 0.0
    return gain / gain.sum(axis=1, keepdims=True)


# --- Power normalisation ---------------------------------------------------------------------------------------------
def power_normalised(energies):
    """Return gammatone powers after noise suppression, temporal masking, smoothing and mean power normalisation.

    Takes and returns [shape=(n_frames, n_filters)], frames 10 ms apart: U of Kim & Stern (2016) with k = 1, sections
    III-B to III-E; names and constants are theirs: M = 2, N = 4, lambda_a = 0.999, lambda_b = 0.5, lambda_t = 0.85,
    mu_t = 0.2, c = 2, lambda_mu = 0.999. At both ends the medium-time mean repeats the end frame; the running mean
    power starts from that of the first half second instead of that of a training corpus.
    """
    P = np.maximum(np.asarray(energies, np.float64), POWER_FLOOR)
    Q = ndimage.uniform_filter1d(P, 5, axis=0, mode="nearest")  # medium-time power, M = 2
    Q_le = asymmetric_lowpass(Q)
    Q_0 = np.maximum(Q - Q_le, 0.0)
    Q_f = asymmetric_lowpass(Q_0)
    R = np.where(Q >= 2 * Q_le, np.maximum(temporal_masking(Q_0), Q_f), Q_f)
    band = np.arange(P.shape[1])
    near = (np.abs(band[:, None] - band) <= 4).astype(float)  # N = 4
    T = P * ((R / Q) @ (near / near.sum(axis=0)))
    mean = np.maximum(T.mean(axis=1), POWER_FLOOR**2)
    mu, _ = signal.lfilter([0.001], [1, -0.999], mean, zi=[0.999 * mean[:50].mean()])
    return T / mu[:, None]


def asymmetric_lowpass(x):
    """Return the lower envelope along time: it follows a rise slowly and a fall fast.

    Kim & Stern (2016), equation (5): out = l out + (1 - l) x, where l is 0.999 if x >= out and 0.5 if not. It starts at
    0.9 x[0].
    """
    envelope = np.empty_like(x)
    envelope[0] = level = 0.9 * x[0]
    for row, target in zip(envelope[1:], x[1:], strict=True):
        step = target - level
        level += np.minimum((1 - 0.999) * step, 0.5 * step)  # the first is smaller for steps up
        row[:] = level
    return envelope


def temporal_masking(x):
    """Return what is left of powers after those that a louder onset masks have been lowered.

    Kim & Stern (2016), equations (9) and (10): the peak is p = max(0.85 p, x); x stays where it reaches the decayed
    peak, and becomes 0.2 times the peak before where not.
    """
    masked = x.copy()
    peak = x[0].copy()
    for row, value in zip(masked[1:], x[1:], strict=True):
        decayed = 0.85 * peak
        row[:] = np.where(value >= decayed, value, 0.2 * peak)
        np.maximum(decayed, value, out=peak)
    return masked
