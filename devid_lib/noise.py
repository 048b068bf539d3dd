"""Noise extraction: what wavelet shrinkage takes out of a signal, e = s - f, equation (1) of the paper (notebook 02).

MATLAB's ``wden`` and ``thselect``, after Donoho & Johnstone (1994, 1995); `kernels` holds the transform. Signals that
are not finite real numbers, and names that are not listed, raise ParameterError.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pywt

from .errors import check_count, check_finite, check_name, check_signal

RULES = ("rigrsure", "heursure", "sqtwolog", "minimaxi")
MODES = ("soft", "hard")
RESCALES = ("one", "sln", "mln")

CHUNK = 64  # segments that one thread treats at a time
THREADS = min(4, os.cpu_count() or 1)

INEXACT = ("dmey",)  # filters cut short, which reconstruct a signal to 0.3 % only


def wavelet_noise(x, *, wavelet="sym8", level=17, threshold="minimaxi", mode="soft", rescale="sln"):
    """Return the noise that wavelet shrinkage takes out of a signal.

    MATLAB ``wden`` semantics: half-point symmetric extension, approximation kept as it is. The transform is linear and
    reconstructs perfectly, so the noise is the inverse transform of what the threshold takes from the details, with a
    zero approximation. For soft thresholds that is the details clipped to +-threshold.

    Of sqtwolog and minimaxi, n is the length of the signal. MATLAB counts all coefficients, which for 4096 samples,
    sym8 and level 17 makes 4342 and a minimaxi threshold of 2.604 instead of 2.588.

    Parameters
    ----------
    x : np.ndarray [shape=(..., n)], real, n >= 2
        Segments, full scale = 1.
    wavelet : str
        Any discrete wavelet of PyWavelets, orthogonal or biorthogonal.
    level : int >= 1
        Number of decompositions. As in MATLAB it may be deeper than is useful: the deepest bands then stay at
        about the length of the filter.
    threshold : {"rigrsure", "heursure", "sqtwolog", "minimaxi"}
        Threshold rule, see `select_threshold`.
    mode : {"soft", "hard"}
        Soft: detail coefficients shrink by the threshold. Hard: those up to the threshold are set to zero.
    rescale : {"one", "sln", "mln"}
        Noise level that multiplies the threshold: 1, or the median of the absolute detail coefficients / 0.6745, of
        the finest level for all levels (sln) or of each level (mln).

    Returns
    -------
    e : np.ndarray [shape=(..., n)], dtype of ``x`` (float32 where ``x`` is neither float32 nor float64)
        x - denoised(x), equation (1).

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal(4096)  # nothing but noise: nearly all of it is taken out
    >>> round(float(np.sum(wavelet_noise(x) ** 2) / np.sum(x**2)), 2)
    0.99
    """
    x = check_signal(x, shortest=2)
    settings = check_settings(wavelet=wavelet, level=level, threshold=threshold, mode=mode, rescale=rescale)
    out = np.empty(x.shape, float_type(x))
    return map_chunks(lambda chunk, e: np.copyto(e, extract_noise(chunk, **settings)), x, out)


def wavelet_denoise(x, *, wavelet="sym8", level=17, threshold="minimaxi", mode="soft", rescale="sln"):
    """Return a signal without its noise, by wavelet shrinkage.

    Parameters
    ----------
    x, wavelet, level, threshold, mode, rescale
        As in `wavelet_noise`.

    Returns
    -------
    f : np.ndarray [shape=(..., n)], dtype of ``x`` (float32 where ``x`` is neither float32 nor float64)
        x - noise(x), equation (1).

    Raises
    ------
    ParameterError
        As in `wavelet_noise`.

    Notes
    -----
    Notebook 02. MATLAB ``wden(x, threshold, mode, rescale, level, wavelet)``.

    Examples
    --------
    >>> x = np.sin(np.arange(4096) / 50)
    >>> bool(np.allclose(wavelet_denoise(x) + wavelet_noise(x), x))
    True
    """
    e = wavelet_noise(x, wavelet=wavelet, level=level, threshold=threshold, mode=mode, rescale=rescale)
    return np.subtract(x, e, out=e, casting="same_kind")


def select_threshold(x, *, rule):
    """Return the threshold that a rule chooses for coefficients in unit white noise.

    Donoho & Johnstone (1994) for sqtwolog and minimaxi, (1995) for the others.

    Parameters
    ----------
    x : np.ndarray [shape=(..., n)], real
        Coefficients, divided by their noise level.
    rule : {"rigrsure", "heursure", "sqtwolog", "minimaxi"}
        rigrsure: minimum of Stein's unbiased estimate of the risk of soft thresholding, over the \\|x\\|.
        sqtwolog: universal, sqrt(2 ln n).
        heursure: universal where the signal is too weak for the estimate, else the smaller of the two.
        minimaxi: 0.3936 + 0.1829 log2 n, and 0 for n <= 32.

    Returns
    -------
    threshold : float or np.ndarray [shape=(...)], float64
        One threshold for each row of ``x``.

    Examples
    --------
    >>> round(float(select_threshold(np.zeros(4096), rule="minimaxi")), 4)
    2.5884
    """
    check_name("rule", rule, RULES)
    x = check_finite(check_signal(x).astype(np.float64))
    if rule in UNIVERSAL:
        return np.full(x.shape[:-1], UNIVERSAL[rule](x.shape[-1]))[()]
    return ADAPTIVE[rule](x)[()]


def rigrsure(x):
    """Return the threshold of least estimated risk for each row of ``x``."""
    n = x.shape[-1]
    squares = np.sort(x * x, axis=-1)
    k = np.arange(1, n + 1)  # coefficients up to the threshold, if it is the k-th smallest
    risk = n - 2 * k + np.cumsum(squares, axis=-1) + (n - k) * squares
    best = np.argmin(risk, axis=-1, keepdims=True)
    return np.sqrt(np.take_along_axis(squares, best, axis=-1))[..., 0]


def heursure(x):
    """Return the universal threshold for rows of little energy above the noise, else at most that of `rigrsure`."""
    n = x.shape[-1]
    universal, excess = UNIVERSAL["sqtwolog"](n), np.mean(x * x, axis=-1) - 1
    return np.where(excess < math.log2(n) ** 1.5 / math.sqrt(n), universal, np.minimum(rigrsure(x), universal))


UNIVERSAL = {  # from the number of coefficients alone
    "sqtwolog": lambda n: math.sqrt(2 * math.log(n)),
    "minimaxi": lambda n: 0.3936 + 0.1829 * math.log2(n) if n > 32 else 0.0,
}
ADAPTIVE = {"rigrsure": rigrsure, "heursure": heursure}


def check_settings(*, wavelet, level, threshold, mode, rescale):
    """Return the settings of `wavelet_noise` as a dictionary, checked, with the filters of the wavelet."""
    check_name("wavelet", wavelet, pywt.wavelist(kind="discrete"))
    check_name("threshold", threshold, RULES)
    check_name("mode", mode, MODES)
    check_name("rescale", rescale, RESCALES)
    check_count("level", level)
    return dict(wavelet=pywt.Wavelet(wavelet), level=level, threshold=threshold, mode=mode, rescale=rescale)


def extract_noise(x, *, wavelet, level, threshold, mode, rescale):
    """Return the noise of one chunk of segments [shape=(k, n)]."""
    from . import kernels

    n, dtype = x.shape[-1], x.dtype
    # In float32 rounding moves a hard or adaptive threshold across coefficients, and adds up over the levels: of a loud
    # tone or an offset more than 1e-4 would stand in the spectrum of the noise.
    x = x.astype(np.float64)
    coefficients, lengths = kernels.analysis(x, wavelet, level)
    *details, _ = np.split(coefficients, np.cumsum(lengths)[:-1], axis=1)
    t = np.zeros((len(x), len(lengths)), x.dtype)  # of the approximation nothing is noise
    sigma = np.ones((len(x), 1))
    for i, d in enumerate(details):
        if rescale == "mln" or (rescale == "sln" and i == 0):
            sigma = _robust_sigma(d)
        t[:, i : i + 1] = thresholds(d, sigma, threshold, n)
    if mode == "hard":
        t *= 1 + 1e-12  # one of rigrsure is a coefficient: divided and multiplied by sigma, it must still reach it
    e = kernels.synthesis(coefficients, lengths, t, wavelet, mode, n)
    if wavelet.name in INEXACT:
        e += x - kernels.synthesis(coefficients, lengths, np.full_like(t, np.inf), wavelet, "soft", n)
    return e.astype(dtype, copy=False)


def _robust_sigma(d):
    """Return median(abs(d)) / 0.6745 of each row, the standard deviation of Gaussian noise (MATLAB ``wnoisest``)."""
    a = np.abs(d)
    half = d.shape[-1] // 2
    a.partition(half, axis=-1)  # asking for both middle values at once is ten times slower
    upper = a[:, half : half + 1]
    lower = upper if d.shape[-1] % 2 else a[:, :half].max(axis=-1, keepdims=True)
    return (lower + upper) / (2 * 0.6745)


def thresholds(d, sigma, rule, n):
    """Return the threshold of each row of the detail band ``d`` in segments of ``n`` samples."""
    if rule in UNIVERSAL:
        return sigma * UNIVERSAL[rule](n)
    # MATLAB: a band that towers over the noise level (sigma may be rounding error, or zero) is left as it is
    usable = (sigma > 0) & (sigma >= np.sqrt(np.finfo(np.float64).eps) * np.abs(d).max(axis=-1, keepdims=True))
    scaled = d / np.where(usable, sigma, 1)
    return np.where(usable, sigma * ADAPTIVE[rule](scaled)[:, np.newaxis], 0)


def map_chunks(function, x, out):
    """Fill ``out`` by ``function(x, out)``, some rows at a time so that they stay in the cache, on some threads."""
    x, rows = x.reshape(-1, x.shape[-1]), out.reshape(-1, out.shape[-1])

    def work(start):
        part = slice(start, start + CHUNK)
        function(check_finite(x[part].astype(float_type(x), copy=False)), rows[part])

    in_threads(work, range(0, len(x), CHUNK))
    return out


def in_threads(function, items):
    """Call a function for every item, on some threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(function, items))


def float_type(x):
    """Return float64 for float64, else float32."""
    return np.float64 if x.dtype == np.float64 else np.float32
