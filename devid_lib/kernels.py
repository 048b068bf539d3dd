"""Inner loops, compiled by numba: wavelet transform and logarithm of many segments, each row by itself.

Importing numba takes half a second, so this module is imported where samples are at hand, not with the library. The
first call after a change of this file compiles for some seconds; later processes find the result in __pycache__, or in
the cache of the user where that cannot be written (NUMBA_CACHE_DIR names another).
"""

import numba
import numpy as np
import pywt

# log(1 + f) = f + f^2 (series of f) (Cephes, logf); ln 2 in two parts, of which multiples of the first are exact
ONE, SQRT_HALF = np.float32(1), np.int32(0x3F3504F3)
LN2 = (np.float32(0.693359375), np.float32(-2.12194440e-4))
SERIES = tuple(
    np.float32([
        7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
        2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1, -0.5,
    ])
)  # fmt: skip


def _compiled(function):
    """Return ``function`` compiled at its first call, kept on disk for other processes; threads run it side by side."""
    options = dict(nogil=True, error_model="numpy", fastmath={"contract"})  # a sum may be rounded once with its product
    compiled = numba.njit(function, **options)
    try:
        cached = numba.njit(function, cache=True, **options)
    except RuntimeError:  # no folder that can be written
        return compiled

    def call(*arguments):
        try:
            cached(*arguments)
        except Exception:  # the cache is damaged, or the disk is full
            compiled(*arguments)

    return call


def analysis(x, wavelet, level):
    """Return the wavelet transform of the rows of ``x`` [shape=(k, n)] as `pywt.wavedec` with mode symmetric.

    The bands stand side by side, details from the finest, then the approximation; their lengths are returned too.

    >>> coefficients, lengths = analysis(np.array([[1.0, 3, 2, 6]]), pywt.Wavelet("haar"), 2)
    >>> coefficients.round(4), lengths
    (array([[-1.4142, -2.8284, -2.    ,  6.    ]]), array([2, 1, 1]))
    """
    lengths = [x.shape[1]]
    for _ in range(level):
        lengths.append(pywt.dwt_coeff_len(lengths[-1], wavelet.dec_len, "symmetric"))
    lengths = np.array([*lengths[1:], lengths[-1]])
    out = np.empty((len(x), lengths.sum()), x.dtype)
    x = np.require(x, requirements="CWE")  # of one type, or numba compiles again
    _analysis(x, _polyphase(wavelet.dec_lo, wavelet.dec_hi, x.dtype), wavelet.dec_len // 2, lengths, out)
    return out, lengths


def synthesis(coefficients, lengths, thresholds, wavelet, mode, n):
    """Return the inverse transform [shape=(k, n)] of what thresholds [shape=(k, bands)] take from the coefficients.

    Soft: coefficients are clipped to +-threshold. Hard: those above the threshold are set to zero.

    >>> w = pywt.Wavelet("haar")
    >>> synthesis(*analysis(np.array([[1.0, 3, 2, 6]]), w, 2), np.full((1, 3), np.inf), w, "soft", 4).round(4)
    array([[1., 3., 2., 6.]])
    """
    out = np.empty((len(coefficients), n), coefficients.dtype)
    taps = _polyphase(wavelet.rec_lo, wavelet.rec_hi, coefficients.dtype)[[1, 3, 0, 2]]  # even samples, then odd ones
    _synthesis(coefficients, taps, wavelet.rec_len // 2, lengths, thresholds, mode == "soft", out)
    return out


def log1p(m, scale, out):
    """Put log(scale * m + 1), m >= 0, into ``out`` [shape=(k, n), dtype=float32].

    >>> out = np.empty((1, 4), np.float32)
    >>> log1p(np.array([[0, 1e-9, 1, np.e - 1]]), 1.0, out)
    >>> out
    array([[0.000000e+00, 1.000000e-09, 6.931472e-01, 1.000000e+00]],
          dtype=float32)
    """
    _log1p(m, m.dtype.type(scale), out)


def _polyphase(lo, hi, dtype):
    """Return the filters back to front, each as its even and its odd taps [shape=(4, number of taps / 2)]."""
    taps = np.concatenate([np.array(h)[::-1].reshape(-1, 2).T for h in (lo, hi)])
    return np.pad(taps, ((0, 0), (0, taps.shape[1] % 2))).astype(dtype, order="C")


@numba.njit(error_model="numpy", fastmath={"contract"})
def _filter(p, q, taps, u, v):
    """Set u to p * taps[0] + q * taps[1] and v to p * taps[2] + q * taps[3], where * correlates.

    Steps along the samples, which is a vector operation, with two taps of each filter at a time.
    """
    n = len(u)
    for i in range(n):
        u[i] = v[i] = 0
    for k in range(0, taps.shape[1], 2):
        p0, p1, q0, q1 = p[k : k + n], p[k + 1 : k + 1 + n], q[k : k + n], q[k + 1 : k + 1 + n]
        a0, b0, c0, d0 = taps[0, k], taps[1, k], taps[2, k], taps[3, k]
        a1, b1, c1, d1 = taps[0, k + 1], taps[1, k + 1], taps[2, k + 1], taps[3, k + 1]
        for i in range(n):
            u[i] += a0 * p0[i] + a1 * p1[i] + b0 * q0[i] + b1 * q1[i]
            v[i] += c0 * p0[i] + c1 * p1[i] + d0 * q0[i] + d1 * q1[i]


@_compiled
def _analysis(x, taps, half, lengths, out):
    size = max(lengths) + taps.shape[1]
    even, odd, a = np.empty(size, x.dtype), np.empty(size, x.dtype), np.empty(size, x.dtype)
    for r in range(len(x)):
        band, start = x[r], 0
        for m in lengths[:-1]:
            first, n = half - 1, len(band)  # the first half - 1 pairs lie before the band
            inner, end = first + n // 2, m + taps.shape[1] - 1
            e, o = even[first:inner], odd[first:inner]
            for i in range(n // 2):
                e[i] = band[2 * i]
                o[i] = band[2 * i + 1]
            for k in range(first + end - inner):  # outside, the band is reflected at its ends, as often as it takes
                i = k if k < first else k - first + inner
                for odds in range(2):
                    j = 2 * (i - first) + odds
                    while j < 0 or j >= n:
                        j = -1 - j if j < 0 else 2 * n - 1 - j
                    (odd if odds else even)[i] = band[j]
            _filter(even, odd, taps, a[:m], out[r, start : start + m])
            band = a[:m]
            start += m
        out[r, start:] = band


@_compiled
def _synthesis(coefficients, taps, half, lengths, thresholds, soft, out):
    size = max(lengths) + taps.shape[1]
    a, d = np.zeros(2 * size, out.dtype), np.zeros(size, out.dtype)
    even, odd = np.empty(size, out.dtype), np.empty(size, out.dtype)
    for r in range(len(out)):
        stop, kept = coefficients.shape[1], a  # the approximation comes first
        for level in range(len(lengths) - 1, -1, -1):
            m, t = lengths[level], thresholds[r, level]
            band = coefficients[r, stop - m : stop]
            stop -= m
            if soft:
                for i in range(m):
                    kept[i] = max(min(band[i], t), -t)
            else:
                for i in range(m):
                    kept[i] = band[i] if abs(band[i]) <= t else 0
            if level < len(lengths) - 1:
                n = m - half + 1
                a[m] = d[m] = 0  # what the last tap of an odd number reads
                _filter(a, d, taps, even[:n], odd[:n])
                for i in range(n):
                    a[2 * i] = even[i]
                    a[2 * i + 1] = odd[i]
            kept = d
        out[r] = a[: out.shape[1]]


@_compiled
def stretches(x, places, errors, out):
    """Add to ``out`` [shape=(filters, taps)] the samples from every place on, times its error, see `convolution`."""
    for i in range(len(x)):
        for q in range(places.shape[1]):
            for j in range(len(out)):
                error, start, total = errors[i, q, j], places[i, q, j], out[j]
                stretch = x[i, start : start + len(total)]
                for k in range(len(total)):
                    total[k] += error * stretch[k]


@_compiled
def _log1p(m, scale, out):
    for r in range(len(m)):
        for i in range(m.shape[1]):
            v = np.float32(scale * m[r, i])
            u = ONE + v
            rest = (v - (u - ONE)) / u  # what rounding took from the sum
            bits = np.float32(u).view(np.int32)
            e = np.int32(np.int32(bits - SQRT_HALF) >> 23)  # u = 2^e (1 + f), 1 + f from sqrt(1/2) to sqrt(2)
            f = np.int32(bits - np.int32(e << 23)).view(np.float32) - ONE
            y = SERIES[0]
            for c in SERIES[1:]:
                y = y * f + c
            out[r, i] = np.float32(e) * LN2[0] + (f + (f * f * y + (np.float32(e) * LN2[1] + rest)))
