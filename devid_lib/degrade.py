"""What happens to recordings: noise, rooms, gains, bands, real codecs, denoisers, gates (notebook 13).

Every function takes samples and their rate and returns as many samples at the same rate, float32, in step with what
came in: delays of codecs are taken out. `degrade` does it by name, also several one after the other.
"""

from functools import partial

import numpy as np
import scipy.signal
import soxr
from scipy.ndimage import maximum_filter1d, uniform_filter, uniform_filter1d

from .encoders import CODECS, fitted, lacking, rounded, samples, transcode
from .errors import check_name
from .soundfield import speech

TALKERS = 8  # of babble
FRAME_S = 0.02  # frame of the gate [s]


# --- Noise and room --------------------------------------------------------------------------------------------------
def add_noise(y, samplerate, *, snr_db, kind="white", seed=0):
    """Add noise at a signal-to-noise ratio.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], real
        Recording, full scale = 1.
    samplerate : int
        Its rate [Hz].
    snr_db : float
        Power of the recording, all of it, over that of the noise [dB].
    kind : {"white", "babble", "traffic"}
        Gaussian noise; eight synthetic talkers at once; or a rumble whose power falls by 12 dB an octave above 200 Hz,
        while cars come and go every few seconds.
    seed : int or sequence of int
        Of the noise.

    Returns
    -------
    noisy : np.ndarray [shape=(n,)], float32

    Examples
    --------
    >>> tone = np.sin(np.arange(8000))
    >>> noise = add_noise(tone, 8000, snr_db=20) - tone
    >>> round(float(10 * np.log10(tone.var() / noise.var())), 2)
    20.0
    """
    y = samples(y)
    check_name("kind", kind, ("white", "babble", "traffic"))
    rng, n = np.random.default_rng(seed), len(y)
    if kind == "white":
        noise = rng.standard_normal(n, np.float32)
    elif kind == "babble":
        noise = np.zeros(n, np.float32)
        for pace in 2 ** rng.uniform(-0.4, 0.4, TALKERS):  # the voices at hand, slower and faster
            voice = speech(int(pace * n) + 2, rng=rng, samplerate=samplerate)
            noise += np.interp(pace * np.arange(n), np.arange(len(voice)), voice).astype(np.float32)
    else:
        sos = scipy.signal.butter(2, min(200, 0.4 * samplerate), fs=samplerate, output="sos")
        noise = scipy.signal.sosfilt(sos, rng.standard_normal(n))
        knots = 10 ** (rng.normal(0, 6, n // samplerate + 3) / 20)  # one a second
        noise *= np.interp(np.arange(n) / samplerate, np.arange(len(knots)), knots)
    wanted = np.mean(np.square(y - y.mean()), dtype=float) * 10 ** (-snr_db / 10)
    return y + (noise * np.sqrt(wanted / max(np.mean(np.square(noise), dtype=float), 1e-30))).astype(np.float32)


def add_room(y, samplerate, *, rt60, seed=0):
    """Play a recording in a room: the direct sound, then as much noise that dies away. The level stays.

    ``rt60`` is the time in which the reverberation falls by 60 dB [s]; ``seed`` is that of the room.

    >>> int(add_room(np.eye(1, 8000)[0], 8000, rt60=0.3).argmax())  # the direct sound is not delayed
    0
    """
    y, t = samples(y), np.arange(1, round(rt60 * samplerate)) / samplerate
    tail = np.random.default_rng(seed).standard_normal(len(t)) * 10 ** (-3 * t / rt60)
    response = np.append(1.0, tail / np.linalg.norm(tail)).astype(np.float32)
    wet = scipy.signal.oaconvolve(y, response)[: len(y)]
    return wet * np.float32(np.sqrt(np.mean(y**2) / max(np.mean(wet**2), 1e-30)))


# --- Level, band, editing --------------------------------------------------------------------------------------------
def change_level(y, samplerate, *, gain_db):
    """Amplify, or attenuate, and store as 16 bit: what is too loud is clipped, what is too quiet is rounded away.

    >>> change_level(np.array([0.5, 0.001]), 8000, gain_db=-80).tolist()
    [6.103515625e-05, 0.0]
    """
    return rounded(samples(y) * 10 ** (gain_db / 20))


def clip_peaks(y, samplerate, *, percent):
    """Turn up the gain until that share of the samples reaches full scale, is clipped and stored as 16 bit.

    >>> clip_peaks(np.array([0.125, -0.25, 0.5, -1]), 8000, percent=50).round(3)
    array([ 0.333, -0.667,  1.   , -1.   ], dtype=float32)
    """
    y = samples(y)
    return rounded(y / max(np.quantile(np.abs(y), 1 - percent / 100), 1e-9))


def change_rate(y, samplerate, *, rate):
    """Resample to another rate [Hz] and back: above half of the lower one nothing is left.

    >>> tone = np.sin(np.arange(32000))  # 5.1 kHz
    >>> bool(np.abs(change_rate(tone, 32000, rate=8000)[1000:-1000]).max() < 1e-3)
    True
    """
    y = samples(y)
    return fitted(soxr.resample(soxr.resample(y, samplerate, rate), rate, samplerate), len(y))


def limit_band(y, samplerate, *, low=300.0, high=3400.0):
    """Keep a band, by default that of an analogue telephone: edges in Hz, 48 dB an octave, no delay.

    >>> tone = np.sin(2 * np.pi * 100 * np.arange(16000) / 16000)
    >>> bool(np.abs(limit_band(tone, 16000)).max() < 0.02)
    True
    """
    y = samples(y)
    edges, kind = ([low, high], "bandpass") if high < samplerate / 2 else (low, "highpass")
    sos = scipy.signal.butter(4, edges, kind, fs=samplerate, output="sos")
    return scipy.signal.sosfiltfilt(sos, y, padlen=min(len(y) - 1, samplerate // 10)).astype(np.float32)


def remove_noise(y, samplerate, *, reduction_db):
    """Gate the spectrum: of what does not rise above a bin's own noise, ``reduction_db`` are taken away.

    As denoisers of sound editors do it: frames of 32 ms, a threshold per bin 12 dB above its 20th percentile over time,
    the decisions smoothed over 40 ms and five bins.

    >>> noise = np.random.default_rng(0).normal(0, 0.01, 16000)
    >>> bool(np.std(remove_noise(noise, 16000, reduction_db=20)) < 0.005)
    True
    """
    y = samples(y)
    size = 2 ** round(np.log2(0.032 * samplerate))
    frames = scipy.signal.ShortTimeFFT(scipy.signal.windows.hann(size, sym=False), size // 4, samplerate)
    spectrum = frames.stft(np.pad(y, (0, max(0, size - len(y)))))
    level = 20 * np.log10(np.abs(spectrum) + 1e-9)
    speaks = level > np.percentile(level, 20, axis=1, keepdims=True) + 12
    gain = 10 ** (-reduction_db / 20 * (1 - uniform_filter(speaks.astype(np.float32), (5, 5))))
    return frames.istft(spectrum * gain, k1=max(len(y), size))[: len(y)].astype(np.float32)


def gate_pauses(y, samplerate, *, range_db):
    """Mute what a voice-activity detector takes for a pause: zeros where nothing comes near the level of speech.

    Frames of 20 ms whose level is ``range_db`` [dB] below the 95th percentile of all are pauses, unless within 0.1 s of
    speech. Ramps of 10 ms join the parts.

    >>> word = np.r_[np.zeros(8000), np.ones(8000), np.full(16000, 1e-4)]
    >>> gated = gate_pauses(word, 16000, range_db=30)
    >>> gated[12000].item(), gated[-1].item()
    (1.0, 0.0)
    """
    y = samples(y)
    frame = max(1, round(FRAME_S * samplerate))
    power = np.square(np.pad(y, (0, -len(y) % frame))).reshape(-1, frame).mean(axis=1)
    speaks = power > np.percentile(power, 95) * 10 ** (-range_db / 10)
    gate = np.repeat(maximum_filter1d(speaks, 11), frame)[: len(y)].astype(np.float32)
    return y * uniform_filter1d(gate, frame // 2)


# --- All by name -----------------------------------------------------------------------------------------------------
def _named():
    """Return the table of all degradations."""
    table = {}
    for kind, severities in {"white": (30, 20, 10), "babble": (20, 10), "traffic": (20, 10)}.items():
        table |= {f"{kind}-{snr}": partial(add_noise, kind=kind, snr_db=snr) for snr in severities}
    table |= {f"room-{rt60}": partial(add_room, rt60=rt60) for rt60 in (0.3, 0.8)}
    table |= {f"level-{db}": partial(change_level, gain_db=-db) for db in (20, 40)}
    table |= {f"clip-{percent}": partial(clip_peaks, percent=percent) for percent in (1, 10)}
    table |= {f"rate-{khz}": partial(change_rate, rate=1000 * khz) for khz in (16, 8)}
    table |= {"phone-3.4": limit_band}
    table |= {f"denoise-{db}": partial(remove_noise, reduction_db=db) for db in (12, 30)}
    table |= {f"gate-{db}": partial(gate_pauses, range_db=db) for db in (35, 20)}
    table |= {name: partial(transcode, codec=name) for name in ("mulaw", "alaw", "gsm")}
    rates = {"g723": (6.3,), "amr": (12.2, 4.75), "amrwb": (12.65,), "mp3": (128, 64, 32, 16), "aac": (64, 32, 16)}
    for codec, values in (rates | {"opus": (32, 16, 6), "vorbis": (5, 0)}).items():
        table |= {f"{codec}-{value}": partial(transcode, codec=codec, bit_rate=value) for value in values}
    return table


DEGRADATIONS = _named()
"""Function (y, samplerate) -> y by name, a condition and its severity: noise and SNR [dB], room and T60 [s], level and
attenuation [dB], clip and share [%], rate [kHz], phone and upper edge [kHz], denoise and reduction [dB], gate and range
[dB], codec and bit rate [kbit/s] (Vorbis: quality)."""
SEEDED = ("white", "babble", "traffic", "room")


def degrade(y, samplerate, *, condition, seed=0):
    """Do to a recording what a name says; CodecError says that this machine lacks the encoder.

    Parameters
    ----------
    y, samplerate, seed
        As in `add_noise`; give every recording a seed of its own.
    condition : str
        "clean", a key of `DEGRADATIONS`, or several joined by "+", done one after the other.

    Returns
    -------
    degraded : np.ndarray [shape=(n,)], float32

    Examples
    --------
    >>> tone = 0.1 * np.sin(np.arange(32000))
    >>> twice = degrade(tone, 32000, condition="mp3-64+mulaw")
    >>> bool(np.array_equal(twice, degrade(degrade(tone, 32000, condition="mp3-64"), 32000, condition="mulaw")))
    True
    """
    y = samples(y)
    for name in condition.split("+") if condition != "clean" else ():
        check_name("condition", name, DEGRADATIONS)
        random = {"seed": seed} if name.split("-")[0] in SEEDED else {}
        y = DEGRADATIONS[name](y, samplerate, **random)
    return y


def able(conditions):
    """Return the conditions that this machine's encoders can do, a tuple, and a list of a sentence on each other one.

    >>> able(["white-10", "mp3-64+mulaw"])
    (('white-10', 'mp3-64+mulaw'), [])
    """
    reasons = {}
    for condition in conditions:
        codecs = [name.split("-")[0] for name in condition.split("+")]
        reasons[condition] = "; ".join(filter(None, [lacking(codec) for codec in codecs if codec in CODECS]))
    said = [f"Left out, {condition}: {reason}." for condition, reason in reasons.items() if reason]
    return tuple(condition for condition, reason in reasons.items() if not reason), said


# --- Multi-condition training ----------------------------------------------------------------------------------------
AUGMENT = ("white-10", "rate-16", "rate-8", "gsm", "g723-6.3", "vorbis-0")
"""What training recordings go through with ``augment="multi"``: chosen by tools/choose_conditions.py. Noise, two bands,
two speech codecs and a transform codec; MP3, AAC, Opus, AMR, G.711, rooms, gates, denoisers are left for the test."""


def versions(y, samplerate, *, conditions=AUGMENT, seconds=10.0, seed=0):
    """Return a part of a training recording as it is, and a part after each condition.

    Parameters
    ----------
    y, samplerate, seed
        As in `add_noise`.
    conditions : sequence of str
        As in `degrade`.
    seconds : float
        Least length of a part, where the recording has it [s].

    Returns
    -------
    parts : list of np.ndarray [shape=(m,)], float32
        One more than conditions, evenly spread over the recording. Together they are as long as it, unless that were
        less than ``seconds`` each: then they overlap, and of a shorter recording each is a copy of all.

    Examples
    --------
    >>> [len(part) for part in versions(np.ones(80000), 8000, conditions=["rate-8", "mulaw", "gsm"])]
    [80000, 80000, 80000, 80000]
    """
    y, names = samples(y), ("clean", *conditions)
    length = min(len(y), max(len(y) // len(names), round(seconds * samplerate)))
    starts = np.linspace(0, len(y) - length, len(names)).astype(int)
    parts = zip(names, starts, strict=True)
    return [degrade(y[start : start + length], samplerate, condition=name, seed=seed) for name, start in parts]
