"""Features: what the classifiers see of a segment, equations (2) and (3) of the paper."""

from numbers import Real

import numpy as np
import scipy.fft

from devid_lib.errors import ParameterError
from devid_lib.noise import CHUNK, as_float, check_name, check_settings, check_signal, extract_noise, map_chunks

NOISES = ("wavelet", "none")


def fourier_features(x, *, scale=1.0):
    """Return the logarithm of the magnitude spectrum.

    Parameters
    ----------
    x : np.ndarray [shape=(..., n)], real
        Noise of segments, full scale = 1.
    scale : float > 0
        Factor on the magnitudes; 1 = as published. log(m + 1) is nearly linear for small m, so a larger scale brings
        out quiet components.

    Returns
    -------
    features : np.ndarray [shape=(..., n // 2 + 1)], float32
        log(scale * abs(FFT(x)) + 1) of bins 0 to n // 2, equation (3).

    Raises
    ------
    ParameterError
        If ``x`` has fewer than 2 samples or is not finite, or ``scale`` is not positive.

    Notes
    -----
    Notebook 02. Equations (2) and (3).
    """
    return extract_features(x, noise="none", scale=scale)


def fourier_histogram(x):
    """Return the Fourier coefficient histogram of a recording.

    Parameters
    ----------
    x : np.ndarray [shape=(..., n)], real
        The segments of one recording, or their noise.

    Returns
    -------
    histogram : np.ndarray [shape=(n // 2 + 1,)], float64
        Sum over all segments of abs(FFT(x)) of bins 0 to n // 2, before the logarithm.

    Raises
    ------
    ParameterError
        If ``x`` has fewer than 2 samples or is not finite.

    Notes
    -----
    Notebook 02. Section III-B of the paper; Buchholz, Kraetzer & Dittmann (2009).
    """
    x = check_signal(x)
    x = x.reshape(-1, x.shape[-1])
    histogram = np.zeros(x.shape[-1] // 2 + 1)
    for start in range(0, len(x), CHUNK):
        histogram += np.abs(scipy.fft.rfft(as_float(x[start : start + CHUNK]))).sum(axis=0, dtype=np.float64)
    return histogram


def extract_features(
    segments, *, noise="wavelet", scale=1.0, wavelet="sym8", level=17, threshold="minimaxi", mode="soft", rescale="sln"
):
    """Return the features of the noise of segments: noise extraction, FFT and logarithm in one go.

    Parameters
    ----------
    segments : np.ndarray [shape=(..., n)], real
        Segments, full scale = 1.
    noise : {"wavelet", "none"}
        Noise extraction; "none" is the paper's baseline, the spectrum of the segment itself.
    scale : float > 0
        As in `fourier_features`.
    wavelet, level, threshold, mode, rescale
        As in `noise.wavelet_noise`.

    Returns
    -------
    features : np.ndarray [shape=(..., n // 2 + 1)], float32
        The same as ``fourier_features(wavelet_noise(segments))``, without keeping the noise.

    Raises
    ------
    ParameterError
        If ``segments`` has fewer than 2 samples or is not finite, or a parameter is not allowed.

    Notes
    -----
    Notebook 02. Equations (1) to (3).
    """
    check_name("noise", noise, NOISES)
    if not isinstance(scale, Real) or not 0 < scale < np.inf:
        raise ParameterError(f"scale must be a positive number, not {scale!r}")
    settings = check_settings(wavelet=wavelet, level=level, threshold=threshold, mode=mode, rescale=rescale)
    x = check_signal(segments)

    def work(chunk):
        return _log_spectrum(extract_noise(chunk, **settings) if noise == "wavelet" else chunk, scale)

    return map_chunks(work, x, np.empty((*x.shape[:-1], x.shape[-1] // 2 + 1), np.float32))


def _log_spectrum(x, scale):
    m = np.abs(scipy.fft.rfft(x))
    m *= float(scale)
    return _log1p(m)


def _log1p(m):
    """Return log(m + 1), the same as np.log1p to rounding and five times faster; ``m`` is overwritten."""
    u = m + 1
    m -= u - 1  # what rounding took from the sum
    m /= u
    np.log(u, out=u)
    u += m
    return u
