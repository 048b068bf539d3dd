"""Features: what classifiers see of a segment (notebook 02), and `splices` of a block of a recording (notebook 16).

Segments that are not 2 or more finite real numbers, and parameters that are not allowed, raise ParameterError.
"""

import numpy as np
import scipy.fft

from .errors import ParameterError, check_name, check_positive, check_signal
from .noise import check_settings, extract_noise, map_chunks

FRAME_S, BLOCK_S = 0.032, 0.064  # frame of a spectrum, half overlapping; block over which log spectra are averaged [s]
ROUNDING = 2.0**-30 / 12  # power of the rounding noise of 16 bit, full scale = 1
CHUNK_S = 60  # sound taken at a time [s]
NOISES = ("wavelet", "none")
WINDOWS = ("none", "hann")


def fourier_features(x, *, scale=1.0, window="none"):
    """Return the logarithm of the magnitude spectrum, equations (2) and (3).

    Parameters
    ----------
    x : np.ndarray [shape=(..., n)], real
        Noise of segments, full scale = 1.
    scale : float > 0
        Factor on the magnitudes; 1 = as published. log(m + 1) is nearly linear for small m, so a larger scale brings
        out quiet components.
    window : {"none", "hann"}
        What ``x`` is multiplied by before the FFT: nothing, as published, or a Hann window of mean square 1, which
        keeps loud bins from leaking over all others.

    Returns
    -------
    features : np.ndarray [shape=(..., n // 2 + 1)], float32
        log(scale * abs(FFT(x)) + 1) of bins 0 to n // 2.

    Examples
    --------
    >>> fourier_features(np.array([1.0, 0, 0, 0])).round(3)  # an impulse: magnitude 1 in every bin
    array([0.693, 0.693, 0.693], dtype=float32)
    """
    return extract_features(x, noise="none", scale=scale, window=window)


def extract_features(
    segments,
    *,
    noise="wavelet",
    window="none",
    scale=1.0,
    wavelet="sym8",
    level=17,
    threshold="minimaxi",
    mode="soft",
    rescale="sln",
):
    """Return the features of the noise of segments: noise extraction, FFT and logarithm, equations (1) to (3).

    Parameters
    ----------
    segments : np.ndarray [shape=(..., n)], real
        Segments, full scale = 1.
    noise : {"wavelet", "none"}
        Noise extraction; "none" is the paper's baseline, the spectrum of the segment itself.
    window, scale
        As in `fourier_features`.
    wavelet, level, threshold, mode, rescale
        As in `noise.wavelet_noise`.

    Returns
    -------
    features : np.ndarray [shape=(..., n // 2 + 1)], float32
        The same as ``fourier_features(wavelet_noise(segments))``, without keeping the noise.

    Examples
    --------
    >>> extract_features(np.zeros((3, 4096)), scale=55.4).shape
    (3, 2049)
    """
    check_name("noise", noise, NOISES)
    check_name("window", window, WINDOWS)
    check_positive("scale", scale)
    settings = check_settings(wavelet=wavelet, level=level, threshold=threshold, mode=mode, rescale=rescale)
    x = check_signal(segments, shortest=2)
    n = x.shape[-1]
    w = None if window == "none" else _hann(n)

    def work(chunk, out):
        from . import kernels

        e = extract_noise(chunk, **settings) if noise == "wavelet" else chunk
        kernels.log1p(np.abs(scipy.fft.rfft(e if w is None else e * w)), scale, out)

    return map_chunks(work, x, np.empty((*x.shape[:-1], n // 2 + 1), np.float32))


def log_spectra(y, samplerate):
    """Return the log power spectra of the blocks of a recording [shape=(n_blocks, bins)], and a block's duration [s].

    ``y`` [shape=(n_samples,)] is the recording, full scale = 1, ``samplerate`` its rate [Hz]; one shorter than a block
    or not one channel raises ParameterError. Spectra are means over the frames of a block. Levels are counted
    from the level that a tenth of the blocks exceed, so a gain of the whole recording cancels.

    >>> x, step = log_spectra(np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32), 16000)
    >>> x.shape, step
    ((15, 257), 0.064)
    """
    y = np.asarray(y)
    hop = 2 ** round(np.log2(FRAME_S * samplerate)) // 2
    per = max(1, round(BLOCK_S * samplerate / hop))  # frames of a block
    n = 2 * hop
    number = (len(y) - n + hop) // (hop * per)
    if y.ndim != 1 or number < 1:
        raise ParameterError(f"a recording needs {n + hop * (per - 1)} samples for one block, this one is {y.shape}")
    frames = np.lib.stride_tricks.sliding_window_view(y, n)[::hop]
    blocks = []
    for start in range(0, number, round(CHUNK_S / BLOCK_S)):
        part = frames[start * per : min(start + round(CHUNK_S / BLOCK_S), number) * per]
        power = np.square(np.abs(scipy.fft.rfft(part * _hann(n)))) + np.float32(n * ROUNDING)
        blocks.append(np.log(power).reshape(-1, per, n // 2 + 1).mean(axis=1))
    x = np.concatenate(blocks).astype(np.float64)
    return x - np.percentile(x.mean(axis=1), 90), hop * per / samplerate


def _hann(n):
    """Return a periodic Hann window of mean square 1 [shape=(n,)], float32."""
    return (np.sqrt(2 / 3) * (1 - np.cos(2 * np.pi * np.arange(n) / n))).astype(np.float32)
