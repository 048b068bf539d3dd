"""Features: what the classifiers see of a segment, equations (2) and (3) of the paper."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
import scipy.fft

from .errors import ParameterError
from .noise import check_name, check_settings, check_signal, extract_noise, map_chunks

NOISES = ("wavelet", "none")
WINDOWS = ("none", "hann")

FRAME_S = 0.02  # frame of the leakage probe [s]
EXCERPT_S = 0.5  # shortest excerpt of the leakage probe [s]
SILENCE_DB = -120.0  # lowest level that the leakage probe tells apart [dBFS]


def fourier_features(x, *, scale=1.0, window="none"):
    """Return the logarithm of the magnitude spectrum.

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
        log(scale * abs(FFT(x)) + 1) of bins 0 to n // 2, equation (3).

    Raises
    ------
    ParameterError
        If ``x`` has fewer than 2 samples or is not finite, or ``scale`` is not positive.

    Notes
    -----
    Notebook 02. Equations (2) and (3).

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
    """Return the features of the noise of segments: noise extraction, FFT and logarithm in one go.

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

    Raises
    ------
    ParameterError
        If ``segments`` has fewer than 2 samples or is not finite, or a parameter is not allowed.

    Notes
    -----
    Notebook 02. Equations (1) to (3).

    Examples
    --------
    >>> extract_features(np.zeros((3, 4096)), scale=55.4).shape
    (3, 2049)
    """
    check_name("noise", noise, NOISES)
    check_name("window", window, WINDOWS)
    if not isinstance(scale, Real) or not 0 < scale < np.inf:
        raise ParameterError(f"scale must be a positive number, not {scale!r}")
    settings = check_settings(wavelet=wavelet, level=level, threshold=threshold, mode=mode, rescale=rescale)
    x = check_signal(segments)
    n = x.shape[-1]
    w = None if window == "none" else (np.sqrt(2 / 3) * (1 - np.cos(2 * np.pi * np.arange(n) / n))).astype(np.float32)

    def work(chunk, out):
        from . import kernels

        e = extract_noise(chunk, **settings) if noise == "wavelet" else chunk
        kernels.log1p(np.abs(scipy.fft.rfft(e if w is None else e * w)), scale, out)

    return map_chunks(work, x, np.empty((*x.shape[:-1], n // 2 + 1), np.float32))


def trivial_features(y, *, samplerate=44100, excerpts=10):
    """Return six trivial numbers of a recording, which tell nothing of the device but how it was set and stored.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)], real
        Recording, full scale = 1. Of a memory-mapped one, one excerpt is read at a time.
    samplerate : number > 0
        Rate of ``y`` [Hz]. It makes the frames 20 ms and an excerpt at least 0.5 s long.
    excerpts : int >= 1
        Consecutive excerpts of equal length; fewer where the recording is shorter than 0.5 s for each.

    Returns
    -------
    table : pandas.DataFrame
        One row per excerpt, float64: rms_db, the level; floor_p5_db, floor_p10_db, floor_p50_db, percentiles of the
        frames' levels; all in dB of full scale (a full-scale square wave is 0), not below -120, offset included.
        zero_share, the share of samples that are exactly 0; dc_offset, the mean. Excerpts are whole frames, so up to
        ``excerpts`` frames at the end of the recording are not looked at.

    Raises
    ------
    ParameterError
        If ``y`` is not one channel of real numbers, is empty or not finite, or a parameter is not positive.

    Notes
    -----
    Notebook 01, for `evaluation.leakage_probe`.

    Examples
    --------
    >>> trivial_features(np.full(44100, 0.1))[["rms_db", "dc_offset"]].round(3).iloc[0].to_dict()
    {'rms_db': -20.0, 'dc_offset': 0.1}
    """
    y = check_signal(y, shortest=1)
    if y.ndim != 1:
        raise ParameterError(f"a recording has one dimension, (n_samples,); this one has shape {y.shape}")
    if not isinstance(samplerate, Real) or not 0 < samplerate < np.inf:
        raise ParameterError(f"samplerate must be a positive number, not {samplerate!r}")
    if isinstance(excerpts, bool) or not isinstance(excerpts, Integral) or excerpts < 1:
        raise ParameterError(f"excerpts must be an integer of at least 1, not {excerpts!r}")
    frame = min(max(1, round(FRAME_S * samplerate)), len(y))
    n = min(excerpts, max(1, len(y) // max(frame, round(EXCERPT_S * samplerate))))
    length = len(y) // n // frame * frame
    return pd.DataFrame([_trivial_numbers(y[i * length : (i + 1) * length].reshape(-1, frame)) for i in range(n)])


def _trivial_numbers(frames):
    """Return the six numbers of one excerpt, cut into frames [shape=(n_frames, frame)]."""
    power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / frames.shape[1]  # no copy of the samples
    if not np.isfinite(power).all():
        raise ParameterError("a signal must be finite; this one has NaN or infinite samples")
    p5, p10, p50 = np.percentile(_level_db(power), [5, 10, 50])
    return {
        "rms_db": _level_db(power.mean()),
        "floor_p5_db": p5,
        "floor_p10_db": p10,
        "floor_p50_db": p50,
        "zero_share": 1 - np.count_nonzero(frames) / frames.size,
        "dc_offset": frames.mean(dtype=np.float64),
    }


def _level_db(power):
    """Return the level of a mean square [dBFS]."""
    return 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10)))
