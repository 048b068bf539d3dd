"""Framewise features that several systems share: plain functions (y, samplerate, **params) for `Excerpt.feature`.

Every function returns one row per frame. Frames are whole: what is left at the end of an excerpt is dropped, and an
excerpt shorter than one frame is filled up with zeros, with a `ShortExcerptWarning`. No function takes a mean away:
in speech recognition that removes the recording channel, which is what is looked for here.
"""

import warnings

import librosa
import numpy as np
import scipy.fft
from scipy import ndimage, signal

from ..errors import ParameterError
from .spectra import POWER_FLOOR, framed, log_power, power, spectra_in_chunks

RASTA_POLE = 0.98  # of the publication; 0.94 is often seen too


# --- Frames ----------------------------------------------------------------------------------------------------------
def power_spectra(y, samplerate, *, frame_s=0.025, hop_s=0.01, preemphasis=0.97, filters=None):
    """Return the short-time power spectra, or the energies in the bands of a filter bank.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], float
        Samples, full scale = 1.
    samplerate : int
        [Hz]
    frame_s, hop_s : float > 0
        Length and distance of the Hamming windows [s].
    preemphasis : float
        Coefficient a of y[n] - a y[n - 1].
    filters : np.ndarray [shape=(n_filters, n_bins)] or None
        Weights of the power spectrum's bins.

    Returns
    -------
    power : np.ndarray [shape=(n_frames, n_bins or n_filters)], float32
        White noise of variance v has v in every bin. The transform has the next power of two samples.

    Notes
    -----
    Notebook 10.
    """
    length, hop, n_fft = frame_sizes(samplerate, frame_s=frame_s, hop_s=hop_s)
    y = np.asarray(y, np.float32)
    if preemphasis and len(y):
        y = np.append(y[:1] * np.float32(1 - preemphasis), y[1:] - np.float32(preemphasis) * y[:-1])
    chunks = spectra_in_chunks(framed(y, length=length, hop=hop), window="hamming", n_fft=n_fft)
    if filters is None:
        return np.concatenate([power(X) for X in chunks])
    weights = np.asarray(filters, np.float32).T
    return np.concatenate([power(X) @ weights for X in chunks])


def frame_sizes(samplerate, *, frame_s, hop_s):
    """Return length and distance of the frames and length of their transforms [samples]."""
    length, hop = round(frame_s * samplerate), round(hop_s * samplerate)
    if length < 2 or hop < 1:
        raise ParameterError(f"frame_s={frame_s!r}, hop_s={hop_s!r} are too short at samplerate={samplerate!r} Hz")
    return length, hop, 1 << (length - 1).bit_length()


def common_samplerate(excerpts, *, expected=None):
    """Return the one sample rate of excerpts [Hz]: spectra at different rates cannot be compared.

    Raises
    ------
    ParameterError
        If the rates differ from each other or from ``expected``.
    """
    rates = {excerpt.samplerate for excerpt in excerpts} | ({expected} if expected else set())
    if len(rates) > 1:
        raise ParameterError(f"excerpts have different sample rates: {sorted(rates)} Hz")
    return rates.pop()


# --- Cepstra ---------------------------------------------------------------------------------------------------------
def mfcc(
    y, samplerate, *, n_coefficients=23, n_filters=40, frame_s=0.02, hop_s=0.01, fmin=0.0, fmax=None, spacing="mel"
):
    """Return mel frequency cepstral coefficients, or linear-frequency ones.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], float
        Samples, full scale = 1.
    samplerate : int
        [Hz]
    n_coefficients, n_filters : int
        Coefficients kept beside the zeroth, and triangular filters.
    frame_s, hop_s : float
        Length and distance of the Hamming windows [s].
    fmin, fmax : float
        Ends of the filter bank [Hz]; None = half the sample rate.
    spacing : {"mel", "linear"}
        Scale on which the filters have equal widths: HTK's mel 2595 log10(1 + f / 700), or frequency.

    Returns
    -------
    coefficients : np.ndarray [shape=(n_frames, n_coefficients + 1)], float32
        The first column is the zeroth coefficient, the level.

    Raises
    ------
    ParameterError
        If ``spacing`` is unknown, there are more coefficients than filters allow, or ``y`` is not one channel.

    Notes
    -----
    Notebook 10. Davis & Mermelstein (1980) with HTK's filters and pre-emphasis 0.97.
    """
    n_fft = frame_sizes(samplerate, frame_s=frame_s, hop_s=hop_s)[2]
    filters = triangular_filters(samplerate, n_fft=n_fft, n_filters=n_filters, fmin=fmin, fmax=fmax, spacing=spacing)
    energies = power_spectra(y, samplerate, frame_s=frame_s, hop_s=hop_s, filters=filters)
    return cepstrum(log_power(energies), n_coefficients=n_coefficients)


def gtcc(y, samplerate, *, n_coefficients=13, n_filters=48, frame_s=0.03, hop_s=0.015, fmin=20.0, fmax=None):
    """Return gammatone cepstral coefficients.

    Parameters
    ----------
    y, samplerate, n_coefficients, n_filters, frame_s, hop_s, fmin, fmax
        As in `mfcc`; the filters are gammatones on the ERB scale.

    Returns
    -------
    coefficients : np.ndarray [shape=(n_frames, n_coefficients + 1)], float32

    Notes
    -----
    Notebook 10. After Valero & Alias (2012): 4th-order gammatone, log energy, cosine transform. The filters act in
    the frequency domain, on the power spectra of the frames; no pre-emphasis.
    """
    n_fft = frame_sizes(samplerate, frame_s=frame_s, hop_s=hop_s)[2]
    filters = gammatone_filters(samplerate, n_fft=n_fft, n_filters=n_filters, fmin=fmin, fmax=fmax)
    energies = power_spectra(y, samplerate, frame_s=frame_s, hop_s=hop_s, preemphasis=0.0, filters=filters)
    return cepstrum(log_power(energies), n_coefficients=n_coefficients)


def pncc(y, samplerate, *, n_coefficients=13, n_filters=40, frame_s=0.0256, hop_s=0.01, fmin=200.0, fmax=None):
    """Return power-normalised cepstral coefficients.

    Parameters
    ----------
    y, samplerate, n_coefficients, n_filters, frame_s, hop_s, fmin, fmax
        As in `mfcc`; the filters are gammatones on the ERB scale.

    Returns
    -------
    coefficients : np.ndarray [shape=(n_frames, n_coefficients + 1)], float32

    Notes
    -----
    Notebook 10. Kim & Stern (2016): pre-emphasis, gammatone power, `power_normalised`, power law with exponent 1/15
    in place of the logarithm, cosine transform. Their filters end at 8 kHz, with speech at 16 kHz; here at half the
    sample rate. Their last step, taking the mean away, is left out.
    """
    n_fft = frame_sizes(samplerate, frame_s=frame_s, hop_s=hop_s)[2]
    filters = gammatone_filters(samplerate, n_fft=n_fft, n_filters=n_filters, fmin=fmin, fmax=fmax, cut=0.005)
    energies = power_spectra(y, samplerate, frame_s=frame_s, hop_s=hop_s, filters=filters)
    return cepstrum(power_normalised(energies) ** (1 / 15), n_coefficients=n_coefficients)


def cepstrum(log_energies, *, n_coefficients):
    """Return coefficients 0 to ``n_coefficients`` of the orthonormal type 2 cosine transform along the last axis."""
    if not 1 <= n_coefficients < log_energies.shape[1]:
        raise ParameterError(f"n_coefficients={n_coefficients!r} is not in 1..{log_energies.shape[1] - 1}")
    transform = scipy.fft.dct(log_energies, type=2, norm="ortho", axis=1)
    return transform[:, : n_coefficients + 1].astype(np.float32)


def with_deltas(x, *, width=2):
    """Return the features with their regression slopes over ``2 * width + 1`` frames; the end frames are repeated.

    Notes
    -----
    Sum of t (x[n + t] - x[n - t]) over 2 sum of t^2, as in HTK: that is a Savitzky-Golay filter of first order.
    """
    slopes = signal.savgol_filter(x, 2 * width + 1, polyorder=1, deriv=1, axis=0, mode="nearest")
    return np.hstack([x, slopes.astype(x.dtype)])


def rasta_filter(x):
    """Return the features band-pass filtered along time.

    Parameters
    ----------
    x : np.ndarray [shape=(n_frames, n)], float
        Log energies, or their cosine transform, 10 ms apart.

    Returns
    -------
    filtered : np.ndarray [shape=(n_frames, n)], dtype of ``x``

    Notes
    -----
    Notebook 10. Hermansky & Morgan (1994): 0.1 (2 + z^-1 - z^-3 - 2 z^-4) / (1 - 0.98 z^-1), without the advance by
    four frames. A constant, that is, a fixed channel, gives exactly nothing: the filter starts as if the first frame
    had always been there. The cosine transform is linear, so that filtering cepstra is filtering log energies.
    """
    b, a = 0.1 * np.array([2.0, 1.0, 0.0, -1.0, -2.0]), np.array([1.0, -RASTA_POLE])
    x = np.asarray(x)
    change = (x - x[:1]).astype(np.float64)  # so that the start has no transient: the filter passes no constant
    return signal.lfilter(b, a, change, axis=0).astype(x.dtype)


# --- Filter banks ----------------------------------------------------------------------------------------------------
def triangular_filters(samplerate, *, n_fft, n_filters, fmin=0.0, fmax=None, spacing="mel"):
    """Return triangular filters of height one, overlapping by half.

    Returns
    -------
    filters : np.ndarray [shape=(n_filters, n_fft // 2 + 1)], float
    """
    fmax = _band_end(samplerate, fmin, fmax)
    if spacing == "mel":
        with warnings.catch_warnings():  # librosa's "empty filters": at low rates a filter can fall between two bins
            warnings.simplefilter("ignore", UserWarning)
            return librosa.filters.mel(sr=samplerate, n_fft=n_fft, n_mels=n_filters, fmin=fmin, fmax=fmax, htk=True,
                                       norm=None)
    if spacing != "linear":
        raise ParameterError(f"spacing must be one of mel, linear, not {spacing!r}")
    centres, step = np.linspace(fmin, fmax, n_filters + 2, retstep=True)
    distance = np.abs(np.fft.rfftfreq(n_fft, 1 / samplerate) - centres[1:-1, None])
    return np.maximum(0.0, 1 - distance / step)


def gammatone_filters(samplerate, *, n_fft, n_filters, fmin, fmax=None, cut=0.0):
    """Return the squared magnitude responses of 4th-order gammatone filters, each with sum one.

    Parameters
    ----------
    samplerate : int
        [Hz]
    n_fft, n_filters : int
        Length of the transform and number of filters.
    fmin, fmax : float
        Lowest and highest centre frequency [Hz]; None = half the sample rate.
    cut : float
        Magnitudes below this share of the largest are set to zero.

    Returns
    -------
    filters : np.ndarray [shape=(n_filters, n_fft // 2 + 1)], float64

    Notes
    -----
    Notebook 10. abs(H)^2 = (1 + ((f - fc) / (1.019 ERB(fc)))^2)^-4 with ERB(f) = 24.7 (4.37 f / 1000 + 1) Hz, Glasberg
    & Moore (1990); the mirror image at negative frequencies is left out.
    """
    fc = erb_space(fmin, _band_end(samplerate, fmin, fmax), n_filters)[:, None]
    f = np.fft.rfftfreq(n_fft, 1 / samplerate)
    gain = (1 + ((f - fc) / (1.019 * erb(fc))) ** 2) ** -4.0
    gain[gain < cut**2 * gain.max(axis=1, keepdims=True)] = 0.0
    return gain / gain.sum(axis=1, keepdims=True)


def erb(f):
    """Return the equivalent rectangular bandwidth [Hz] at a frequency [Hz], Glasberg & Moore (1990)."""
    return 24.7 * (4.37 * np.asarray(f) / 1000 + 1)


def erb_space(low, high, n):
    """Return ``n`` frequencies [Hz], equally spaced on the ERB-rate scale 21.4 log10(4.37 f / 1000 + 1)."""
    rate = np.linspace(*(np.log10(4.37 * f / 1000 + 1) for f in (low, high)), n)
    return 1000 * (10**rate - 1) / 4.37


def _band_end(samplerate, fmin, fmax):
    """Return ``fmax``, or half the sample rate where that is lower or nothing is given."""
    end = samplerate / 2 if fmax is None else min(fmax, samplerate / 2)
    if not 0 <= fmin < end:
        raise ParameterError(f"fmin={fmin!r} Hz is not in 0..{end:g} Hz, the end of the filter bank")
    return end


# --- Power normalisation ---------------------------------------------------------------------------------------------
def power_normalised(energies):
    """Return gammatone powers after noise suppression, temporal masking, smoothing and mean power normalisation.

    Parameters
    ----------
    energies : np.ndarray [shape=(n_frames, n_filters)], float
        Gammatone powers, frames 10 ms apart.

    Returns
    -------
    normalised : np.ndarray [shape=(n_frames, n_filters)], float64
        U of the publication, with k = 1.

    Notes
    -----
    Notebook 10. Kim & Stern (2016), sections III-B to III-E; names and constants are theirs: M = 2, N = 4, lambda_a =
    0.999, lambda_b = 0.5, lambda_t = 0.85, mu_t = 0.2, c = 2, lambda_mu = 0.999. At both ends the medium-time mean
    repeats the end frame; the running mean power starts from that of the first half second instead of that of a
    training corpus.
    """
    P = np.maximum(np.asarray(energies, np.float64), POWER_FLOOR)
    Q = ndimage.uniform_filter1d(P, 5, axis=0, mode="nearest")  # medium-time power, M = 2
    Q_le = asymmetric_lowpass(Q)
    Q_0 = np.maximum(Q - Q_le, 0.0)
    Q_f = asymmetric_lowpass(Q_0)
    R = np.where(Q >= 2 * Q_le, np.maximum(temporal_masking(Q_0), Q_f), Q_f)
    T = P * ((R / Q) @ _neighbour_means(P.shape[1], 4))
    mean = np.maximum(T.mean(axis=1), POWER_FLOOR**2)
    mu, _ = signal.lfilter([0.001], [1, -0.999], mean, zi=[0.999 * mean[:50].mean()])
    return T / mu[:, None]


def asymmetric_lowpass(x, *, rise=0.999, fall=0.5):
    """Return the lower envelope along time: it follows a rise slowly and a fall fast.

    Notes
    -----
    Kim & Stern (2016), equation (5): out = l out + (1 - l) x, where l is ``rise`` if x >= out and ``fall`` if not. It
    starts at 0.9 x[0].
    """
    envelope = np.empty_like(x)
    envelope[0] = level = 0.9 * x[0]
    for row, target in zip(envelope[1:], x[1:], strict=True):
        step = target - level
        level += np.minimum((1 - rise) * step, (1 - fall) * step)  # the first is smaller for steps up
        row[:] = level
    return envelope


def temporal_masking(x, *, decay=0.85, share=0.2):
    """Return what is left of powers after those that a louder onset masks have been lowered.

    Notes
    -----
    Kim & Stern (2016), equations (9) and (10): the peak is p = max(decay p, x); x stays where it reaches the decayed
    peak, and becomes ``share`` times the peak before where not.
    """
    masked = np.empty_like(x)
    peak = x[0].copy()
    masked[0] = x[0]
    for row, value in zip(masked[1:], x[1:], strict=True):
        decayed = decay * peak
        row[:] = np.where(value >= decayed, value, share * peak)
        np.maximum(decayed, value, out=peak)
    return masked


def _neighbour_means(n, reach):
    """Return a matrix [shape=(n, n)] that takes the mean of the channels up to ``reach`` away."""
    i = np.arange(n)
    near = (np.abs(i[:, None] - i) <= reach).astype(float)
    return near / near.sum(axis=0)
