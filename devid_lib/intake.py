"""What can be seen of a questioned file before any comparison, and whether the comparison was validated for the like.

Notebook 20. All is measured on the samples at the file's own rate; what headers and tags say is only what they say.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.fft

from .audio import level_db, load_recording, read_tags
from .errors import ParameterError
from .features import ROUNDING
from .files import sha256_of

FRAME_S = 0.02  # frame of the levels [s]
FFT = 4096  # frame of the spectrum [samples]
SPECTRA = 2000  # frames that the spectrum is averaged over, evenly spread: more change nothing and cost time in an hour
BLOCK = 1 << 20  # samples looked at at a time, so that a long recording stays on the disk
ABOVE_ROUNDING_DB = 6.0  # a band that stands out of the rounding of 16 bit by this is used; dither is 4.8 dB above
BANDS_HZ = 100 * 2 ** np.arange(0, 8, 1 / 3)  # lower ends of the bands that spectra are compared in
LOSSLESS = "PCM"  # how every codec that stores samples as they are is called


@dataclass(frozen=True)
class Check:
    """A property of the conditions check: how it is called, the margin around the range, what lies beyond it means."""

    label: str
    unit: str
    low: float  # added to the 5th percentile of the validated values; -inf = no lower limit
    high: float  # added to the 95th
    obstacle: bool = True  # no answer beyond; else it is only said


# How far beyond the middle 90 % of the validated recordings a file may lie. Chosen on clips 1 and 2 of ccnu_mobile and
# rounds 01-03, 08 and 13 of rounds, as they are and degraded, and on sounds that no device made.
CHECKS = {
    "bandwidth_hz": Check("bandwidth", "Hz", -1000, np.inf),
    "dynamics_db": Check("dynamics, loud to quiet frames", "dB", -3, 10),
    "likeness_db": Check("distance to the nearest validated spectrum", "dB", -np.inf, 1.0),
    "floor_dbfs": Check("noise floor", "dBFS", -15, 10),
    "clipped": Check("share of samples at the limit", "", -np.inf, 0.001),
    "silent": Check("share of digitally silent frames", "", -np.inf, 0.1),
    "rms_dbfs": Check("level", "dBFS", -10, 10, obstacle=False),
}


def measure(y, samplerate):
    """Return what the samples of a recording, at least one frame of 20 ms, tell without any reference.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], float32; samplerate : int
        Samples, full scale = 1, and their rate [Hz]; a memory map is read in blocks.

    Returns
    -------
    facts : dict
        ``peak_dbfs``, ``rms_dbfs`` [dBFS], the second about the mean, ``dc`` (full scale = 1); ``clipped``, share of
        samples that are at the largest magnitude together with the one before; ``silent``, share of frames of 20 ms of
        equal samples; ``floor_dbfs`` and ``dynamics_db``, the 5th percentile of the frames' levels and how far the 95th
        lies above it;
        ``bandwidth_hz``, up to where the mean spectrum stands out of the rounding noise of 16 bit; ``bands_db``, levels
        in third-octave bands from 100 Hz on, np.ndarray [shape=(n_bands,)], as many as fit below half the rate.

    Examples
    --------
    >>> t = np.arange(16000) / 16000
    >>> facts = measure(np.float32(0.5 * np.sin(2 * np.pi * 440 * t)), 16000)
    >>> round(facts["peak_dbfs"]), round(facts["rms_dbfs"]), round(facts["dynamics_db"])
    (-6, -9, 0)
    """
    n = max(1, round(FRAME_S * samplerate))
    if len(y) < n:
        raise ParameterError(f"{len(y)} samples are less than a frame of {n}")
    levels, total, power, peak, silent = [], 0.0, 0.0, 0.0, 0
    step = BLOCK // n * n
    for start in range(0, len(y), step):
        block = np.asarray(y[start : start + step])
        total += float(block.sum(dtype=np.float64))
        power += float(np.vdot(block, block))
        peak = max(peak, float(block.max()), -float(block.min()))
        frames = block[: len(block) // n * n].reshape(-1, n)
        silent += int((frames.min(axis=1) == frames.max(axis=1)).sum())
        levels.append(frames.var(axis=1))
    clipped = 0
    for start in range(0, len(y), step):
        limit = np.abs(y[start : start + step + 1]) >= 0.999 * peak
        clipped += int(np.count_nonzero(limit[1:] & limit[:-1]))
    levels = level_db(np.concatenate(levels))
    floor, top = np.percentile(levels, [5, 95])
    spectrum = mean_spectrum(y)
    return {
        "peak_dbfs": float(level_db(peak**2)),
        "rms_dbfs": float(level_db(power / len(y) - (total / len(y)) ** 2)),
        "dc": total / len(y),
        "clipped": clipped / len(y),
        "silent": silent / len(levels),
        "floor_dbfs": float(floor),
        "dynamics_db": float(top - floor),
        "bandwidth_hz": _bandwidth(spectrum, samplerate),
        "bands_db": _bands(spectrum, samplerate),
    }


def mean_spectrum(y):
    """Return the mean power in bins of a Hann-windowed FFT [shape=(FFT // 2 + 1,)]; their sum is the power."""
    y = np.asarray(y) if len(y) >= FFT else np.pad(y, (0, FFT - len(y)))
    starts = np.unique(np.linspace(0, len(y) - FFT, min(SPECTRA, 1 + 2 * (len(y) - FFT) // FFT)).astype(int))
    window = np.hanning(FFT).astype(np.float32)
    power = np.zeros(FFT // 2 + 1)
    for part in np.array_split(starts, 1 + len(starts) // 200):
        frames = np.stack([y[start : start + FFT] for start in part])
        frames = (frames - frames.mean(axis=1, keepdims=True)) * window
        power += np.square(np.abs(scipy.fft.rfft(frames))).sum(axis=0)
    return 2 * power / (len(starts) * FFT * np.square(window).sum())


def _bandwidth(spectrum, samplerate):
    """Return up to where a mean spectrum stands out of the rounding noise of 16 bit [Hz], 0 where it nowhere does."""
    wide = max(1, round(200 / samplerate * FFT))
    smooth = np.convolve(spectrum, np.ones(wide) / wide, mode="same")
    above = np.flatnonzero(smooth > ROUNDING * 10 ** (ABOVE_ROUNDING_DB / 10) / (FFT // 2))
    return float(above[-1] * samplerate / FFT) if len(above) else 0.0


def _bands(spectrum, samplerate):
    """Return the levels of a mean spectrum in third-octave bands [dBFS]."""
    edges = BANDS_HZ[BANDS_HZ <= samplerate / 2 * 0.95]
    return level_db(np.add.reduceat(spectrum, np.round(edges / samplerate * FFT).astype(int))[:-1])


def likeness(bands, others):
    """Return how far band levels of `measure`, [shape=(n,)], are from the nearest of others, [shape=(m,)] each [dB].

    That is the root mean square of the differences of the levels in the bands that both have, without the mean
    difference, which is a gain.

    >>> likeness(np.array([0.0, 10]), [np.array([5.0, 15]), np.array([9.0, 3])])
    0.0
    """
    distances = []
    for n in {len(other) for other in others}:
        both = min(n, len(bands))
        apart = bands[:both] - np.array([other[:both] for other in others if len(other) == n])
        distances.append(float(np.std(apart, axis=1).min()))
    return min(distances)


def examine(path):
    """Return what a file is, what its header says and what its samples tell, with the samples.

    Returns
    -------
    facts : dict
        ``file`` (its name), ``sha256``, ``bytes``, ``modified`` (text; some clock), ``tags`` (dict of text, as
        the file states them), ``container``, ``codec``, ``rate`` [Hz], ``channels``, ``duration_s`` [s], ``coding``
        ("PCM" or the codec), and those of `measure`.
    y : np.ndarray [shape=(n,)], float32
        Samples of the louder channel at the file's own rate, from `audio.load_recording`, whose errors are raised.
    """
    path = Path(path)
    y, samplerate = load_recording(path)
    status = path.stat()
    facts = {"file": path.name, "sha256": sha256_of(path), "bytes": status.st_size, "duration_s": len(y) / samplerate}
    facts["modified"] = str(pd.Timestamp(status.st_mtime, unit="s", tz="UTC").floor("s"))
    facts |= read_tags(path)
    facts["coding"] = LOSSLESS if facts["lossless"] else facts["codec"]
    return facts | measure(y, samplerate), y


def validated_ranges(table, devices):
    """Return the measures of validated recordings with their distance to the nearest spectrum of another device.

    ``table`` holds the facts of `examine`, one dict per recording of references and background, ``devices`` who made
    each. The pandas.DataFrame has a row each: the `CHECKS`, ``coding``, ``rate``, ``device`` and ``bands_db``.
    """
    table = pd.DataFrame(table).assign(device=list(devices))
    bands = list(table["bands_db"])
    table["likeness_db"] = [
        likeness(bands[i], [bands[j] for j in np.flatnonzero(table["device"] != device)] or [bands[i]])
        for i, device in enumerate(table["device"])
    ]
    return table[[*CHECKS, "coding", "rate", "device", "bands_db"]]


def shared_codings(validated):
    """Return the codings that every device has recordings in, a set, by a table from `validated_ranges`."""
    return set.intersection(*validated.groupby("device")["coding"].agg(set))


def check_conditions(facts, validated, *, samplerate, least_s, resampled, narrowed=False):
    """Return whether a file is within what a comparison was validated for.

    ``facts`` are from `examine`, ``validated`` from `validated_ranges`. The comparison is at ``samplerate`` [Hz], of
    ``least_s`` [s] or more. If ``resampled``, it leaves out the upper edge of the band, where every resampler is
    another; if ``narrowed``, copies of a narrower band were validated, too, so that a lower rate is no obstacle.

    Returns
    -------
    checks : pandas.DataFrame [one row per property]
        ``property``, ``file`` and ``validated`` (text; limits, margin and all), ``verdict``: "within", "noted" (beyond,
        but said only) or "beyond", which is an obstacle to an answer.
    """
    rows = []
    facts = facts | {"likeness_db": likeness(facts["bands_db"], validated["bands_db"])}
    half = samplerate / 2
    for name, check in CHECKS.items():
        value, known = facts[name], validated[name]
        if name == "bandwidth_hz":  # nothing is compared above half the common rate
            value, known = min(value, half), known.clip(upper=half)
        middle = np.quantile(known, [0.05, 0.95])  # one odd recording among the validated does not make it wide
        low, high = middle + [check.low, check.high]
        beyond = "beyond" if check.obstacle else "noted"
        least, most = _number(low, check.unit), _number(high, check.unit)
        limits = f"from {least} on" if high == np.inf else f"up to {most}" if low == -np.inf else f"{least} to {most}"
        rows.append([check.label, _number(value, check.unit), limits, "within" if low <= value <= high else beyond])
    seconds, verdict = facts["duration_s"], "within" if facts["duration_s"] >= least_s else "beyond"
    rows.append(["length", f"{seconds:.1f} s", f"from {least_s:.1f} s on", verdict])
    rate, verdict = facts["rate"], "within"
    if rate != samplerate:
        verdict = "noted" if (resampled if rate > samplerate else narrowed) else "beyond"
    rows.append(["sample rate", f"{rate} Hz", f"{samplerate} Hz (compared at)", verdict])
    codings = shared_codings(validated)
    verdict = "within" if facts["coding"] in codings else "noted" if narrowed else "beyond"
    rows.append(["coding", facts["coding"], ", ".join(sorted(codings)) or "none that all devices have", verdict])
    return pd.DataFrame(rows, columns=["property", "file", "validated", "verdict"])


def _number(value, unit):
    """Return a measured value as text."""
    digits = {"Hz": ".0f", "": ".2%"}.get(unit, ".1f")
    return f"{value:{digits}} {unit}".strip()
