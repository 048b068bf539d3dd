"""The sound field that a simulated recorder is put into: voices, a room, a place in it, and what else is heard there.

Three levels, each drawn from a generator of its own: a *session* is a day and a room, with its background; a *place* is
where one device stands on that day, with what is near it; a *recording* is who says what, while the background wanders.
"""

import functools
import io
import json
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import scipy.fft
import soundfile as sf
import soxr
from scipy import signal
from scipy.ndimage import gaussian_filter1d

from .errors import ParameterError, check_count, check_name

# --- Constants -------------------------------------------------------------------------------------------------------
# Ranges, (low, high), are the ends of a uniform distribution. "Assumed" is what no source was found for; those of the
# place were set by the ripple table of tools/calibrate_simulator.py, and by no classifier.

SAMPLERATE = 44100  # [Hz]

# The recording.
SPEECH_SPL = (57.0, 63.0)  # a talker at 1 m [dB SPL]; 60 is normal effort (ISO 9921)
UTTERANCE_DB = 3.0  # standard deviation of a sentence's level around that [dB]; assumed
PAUSE_S = (0.2, 2.0)  # between two sentences [s]; assumed
AMBIENT_WANDER_DB = 3.0  # standard deviation of a background's level within a recording [dB]; assumed
AMBIENT_WANDER_S = 2.0  # time constant of that [s]; assumed

# The session: a furnished room, and the noise in it.
ROOM_M = ((3.0, 8.0), (2.5, 6.0), (2.4, 3.2))  # length, width, height [m]; assumed: offices and living rooms
ABSORPTION = (0.15, 0.45)  # of the walls; assumed, for reverberation times of furnished rooms, some 0.2 to 0.8 s
IMAGES = 3  # times a pair of walls mirrors the talker, to either side (Allen & Berkley 1979, 10.1121/1.382599)
WALL_HZ = 6000.0  # from here on walls, and a head that looks elsewhere, take more away [Hz]; assumed
AMBIENT_SPL = (28.0, 40.0)  # of each background source [dB SPL]: quiet rooms; assumed
AMBIENT_SOURCES = 2  # as in traffic outside and a fan inside; assumed
AMBIENT_SLOPE_DB = (-6.0, -2.0)  # tilt of its spectrum [dB per octave]; assumed
AMBIENT_COLOUR_DB = 3.0  # standard deviation of its random deviation at octave distances [dB]; assumed

# The place.
DISTANCE_M = (0.3, 1.2)  # from the talker's mouth [m]; assumed
REFLECTIONS = 4  # from near by: the desk, what the device leans on, a screen or a wall; assumed
REFLECTION_S = (0.1e-3, 5e-3)  # how much later than the direct sound they come, log-uniform [s]; assumed
REFLECTION_DB = (-12.0, -3.0)  # their level against it [dB]; assumed
MOVED_S = 6e-6  # standard deviation of that delay between recordings of one place, by some millimetres [s]; assumed
TURNED_DB = 5.0  # deviation of what is said, by how talker and device are turned, far above TURNED_HZ [dB]: heads and
TURNED_HZ = 6000.0  # housings are in the way of what is shorter than themselves [Hz] (Chu & Warnock 2002, NRC-CNRC
# IRC-RR-104; Monson, Hunter & Story 2012, 10.1121/1.4725963, measured heads). The figures are assumed
TURNED_ALIKE_HZ = 3000.0  # over so many hertz it is alike (length of a Gaussian process) [Hz]; assumed
GAIN_DB = (-3.0, 3.0)  # the user's setting of the recorder's input gain [dB]; assumed

GRID = 2049  # points of a response, from 0 Hz to 22.05 kHz
_SOUND = 343.0  # speed of sound [m/s]
_FRAME = 441  # step of everything that varies slowly: 10 ms
_KNOTS = np.arange(5.0, 15.0)  # where the colour of a background is given: octaves, 32 Hz to 16 kHz
_SPEECH_DBFS = -26.0  # RMS of the sentences that ship with the library


@dataclass(frozen=True)
class Session:
    """A day: a room [m], what its walls absorb, the talker [m], colours [dB] and levels [dB SPL] of the noise."""

    room: np.ndarray
    absorption: float
    talker: np.ndarray
    colours: tuple
    levels: tuple


@dataclass(frozen=True)
class Place:
    """Where a device stands: microphone [m], delays [s] and factors of reflections, the user's gain [dB]."""

    microphone: np.ndarray
    delays: np.ndarray
    gains: np.ndarray
    gain_db: float
    tail: int  # seed of the late part of the room's response, which is another one half a metre away


def draw_session(rng):
    """Return a session drawn from a generator."""
    room = np.array([rng.uniform(*side) for side in ROOM_M])
    talker = np.array([*(room[:2] * rng.uniform(0.3, 0.7, 2)), 1.2])  # sitting
    colours = tuple(rng.uniform(*AMBIENT_SLOPE_DB) * _KNOTS + AMBIENT_COLOUR_DB * rng.standard_normal(len(_KNOTS))
                    for _ in range(AMBIENT_SOURCES))
    return Session(room, rng.uniform(*ABSORPTION), talker, colours, tuple(rng.uniform(*AMBIENT_SPL, AMBIENT_SOURCES)))


def draw_place(session, rng):
    """Return a place of a device in a session, drawn from a generator."""
    distance, direction = rng.uniform(*DISTANCE_M), rng.uniform(0, 2 * np.pi)
    height = -min(0.4, 0.8 * distance)  # on a desk, below the mouth
    away = np.sqrt(distance**2 - height**2)
    microphone = session.talker + [away * np.cos(direction), away * np.sin(direction), height]
    microphone = np.clip(microphone, 0.1, session.room - 0.1)
    delays = np.exp(rng.uniform(*np.log(REFLECTION_S), REFLECTIONS))
    gains = 10 ** (rng.uniform(*REFLECTION_DB, REFLECTIONS) / 20)
    return Place(microphone, delays, gains, rng.uniform(*GAIN_DB), int(rng.integers(2**32)))


# --- The field -------------------------------------------------------------------------------------------------------
def sound_field(n_samples, *, rng, session, place, side="train", voices=None, said=None):
    """Return what reaches the microphone: speech in a room, and background noise.

    That is the sound pressure at 44.1 kHz [Pa], [shape=(n_samples,)], float32. ``rng`` draws everything that belongs to
    the recording; ``side`` and ``voices`` are those of `speech`, whose ``said`` is given, [shape=(n_samples,)], when
    several devices are to hear the same.
    """
    level = _pascal(rng.uniform(*SPEECH_SPL)) / _amplitude(_SPEECH_DBFS)
    said = speech(n_samples, rng=rng, side=side, voices=voices) if said is None else said
    room, turned = room_response(session, place), turned_response(rng=rng)
    y = filtered(level * said, signal.convolve(room, turned))
    for colour, loudness in zip(session.colours, session.levels, strict=True):
        y += _ambient(n_samples, colour, loudness, rng)
    return filtered(y, near_response(place, rng=rng))


def speech(n_samples, *, rng, samplerate=SAMPLERATE, side="train", voices=None):
    """Return sentences, which are synthetic (assets/speech.txt), in random order with random pauses.

    Parameters
    ----------
    n_samples, samplerate : int > 0
        Length [samples] and sample rate [Hz] wanted.
    rng : np.random.Generator
        Draws order, pauses and levels of the sentences.
    side : {"train", "test"}
        Training and test have sentences and voices of their own.
    voices : sequence of str, optional
        Some of ``VOICES[side]``, who take turns; all of them by default.

    Returns
    -------
    y : np.ndarray [shape=(n_samples,)], float32
        Speech without any background, sentences at -26 dBFS RMS, give or take ``UTTERANCE_DB``.

    Examples
    --------
    >>> speech(8000, rng=np.random.default_rng(0), samplerate=8000, side="test").shape
    (8000,)
    """
    check_name("side", side, VOICES)
    voices = VOICES[side] if voices is None else voices
    if not voices or set(voices) - set(VOICES[side]):
        raise ParameterError(f"voices must be some of {', '.join(VOICES[side])}, not {voices!r}")
    spoken = _sentences(check_count("samplerate", samplerate))
    sentences = [y for y, voice, its in spoken if its == side and voice in voices]
    y = np.zeros(check_count("n_samples", n_samples), np.float32)
    position = 0
    while position < n_samples:
        for i in rng.permutation(len(sentences)):
            position += int(rng.uniform(*PAUSE_S) * samplerate)
            gain = _amplitude(UTTERANCE_DB * rng.standard_normal())
            part = y[position : position + len(sentences[i])]
            part += gain * sentences[i][: len(part)]
            position += len(sentences[i])
    return y


def room_response(session, place):
    """Return the impulse response from the talker to a place: direct sound, early reflections, a tail that dies away.

    The early part is that of image sources in a shoebox (Allen & Berkley 1979); the tail is noise, its decay that of
    Eyring's formula and its level that of a diffuse field. The direct sound is the first sample of the response,
    [shape=(taps,)], float32; at 1 m it is 1.

    >>> rng = np.random.default_rng(0)
    >>> session = draw_session(rng)
    >>> place = draw_place(session, rng)
    >>> response = room_response(session, place)
    >>> bool(np.isclose(response[0] * np.linalg.norm(session.talker - place.microphone), 1, atol=1e-6))
    True
    """
    volume, surface = np.prod(session.room), 2 * np.sum(np.prod(session.room) / session.room)
    absorbing = -surface * np.log(1 - session.absorption)
    t60 = 0.161 * volume / absorbing
    n = np.arange(-IMAGES, IMAGES + 1)
    offsets = [np.concatenate([2 * k * size + s - m, 2 * k * size - s - m])  # even, then odd numbers of reflections
               for k, size, s, m in zip([n] * 3, session.room, session.talker, place.microphone, strict=True)]
    bounces = np.concatenate([2 * abs(n), abs(2 * n - 1)])
    distance = np.sqrt(sum(np.square(o) for o in np.ix_(*offsets))).ravel()
    count = sum(np.ix_(bounces, bounces, bounces)).ravel()
    direct = np.linalg.norm(session.talker - place.microphone)
    delay, gain = (distance - direct) / _SOUND, (1 - session.absorption) ** (count / 2) / distance
    mixing = 0.03  # [s], from here on the tail alone
    early = (count > 0) & (delay < mixing)
    response = np.zeros(int((mixing + t60) * SAMPLERATE), np.float32)
    _add_taps(response, delay[early], gain[early])
    start = int(mixing * SAMPLERATE)
    t = np.arange(start, len(response)) / SAMPLERATE
    tail = np.random.default_rng(place.tail).standard_normal(len(t)) * 10 ** (-3 * t / t60)
    energy = 16 * np.pi / absorbing * 10 ** (-6 * mixing / t60)  # of a diffuse field from then on
    response[start:] += np.sqrt(energy) * tail / np.linalg.norm(tail)
    response = signal.sosfilt(signal.butter(1, WALL_HZ, fs=SAMPLERATE, output="sos"), response).astype(np.float32)
    response[0] = 1 / direct
    return response


def turned_response(*, rng):
    """Return what becomes of speech by how talker and device are turned: a filter, [shape=(2048,)], float32.

    Heads and housings let low frequencies pass; what they take away of high ones, or reflect, depends on the angle.
    A simplification: the angle is one for a recording, and for what the walls send back, too. It is drawn, as it were,
    as a smooth deviation above `TURNED_HZ`, of minimum phase.

    >>> db = 20 * np.log10(abs(np.fft.rfft(turned_response(rng=np.random.default_rng(0)))))
    >>> bool(np.ptp(db[:100]) < 0.3 and np.ptp(db[500:]) > 5)  # up to 2 kHz, from 11 kHz on
    True
    """
    f = np.linspace(0, SAMPLERATE / 2, GRID)
    return minimum_phase(TURNED_DB * smooth_process(TURNED_ALIKE_HZ, rng) * f**4 / (f**4 + TURNED_HZ**4))


def near_response(place, *, rng):
    """Return the impulse response of what is near a device, [shape=(taps,)], float32.

    A simplification: whatever arrives, from wherever, is reflected with the same delays. By how much device and talker
    have moved since the last recording is drawn.
    """
    delays = place.delays + MOVED_S * rng.standard_normal(len(place.delays))
    response = np.zeros(int(max(delays) * SAMPLERATE) + 2, np.float32)
    response[0] = 1
    _add_taps(response, delays, place.gains)
    return response


def _add_taps(response, delays, gains):
    """Add an impulse at each delay [s], shared by the two samples around it."""
    position = delays * SAMPLERATE
    whole = position.astype(int)
    part = position - whole
    np.add.at(response, whole, gains * (1 - part))
    np.add.at(response, whole + 1, gains * part)


def _ambient(n_samples, colour, loudness, rng):
    """Return one source of background noise [Pa]: its colour is given, its level wanders."""
    noise = coloured_noise(n_samples, lambda f: _amplitude(np.interp(np.log2(f), _KNOTS, colour)), rng)
    noise *= _pascal(loudness)
    pole = np.exp(-_FRAME / SAMPLERATE / AMBIENT_WANDER_S)
    steps = rng.standard_normal(n_samples // _FRAME + 2) * np.sqrt(1 - pole**2)
    steps[0] /= np.sqrt(1 - pole**2)
    noise *= slowly(_amplitude(AMBIENT_WANDER_DB * signal.lfilter([1], [1, -pole], steps)), n_samples)
    return noise


# --- Small tools -----------------------------------------------------------------------------------------------------
def _amplitude(db):
    """Return decibels as a factor."""
    return np.float32(10) ** (np.asarray(db, np.float32) / np.float32(20))


def _pascal(spl):
    """Return a sound pressure level [dB SPL] in pascal."""
    return _amplitude(spl) * np.float32(2e-5)


def coloured_noise(n_samples, magnitude, rng):
    """Return Gaussian noise of RMS 1 whose spectrum has a magnitude: a function of the frequency [Hz]."""
    taps = 4096
    f = np.fft.rfftfreq(taps, 1 / SAMPLERATE)
    response = np.append(0.0, magnitude(f[1:]))
    fir = np.roll(np.fft.irfft(response), taps // 2) * np.hanning(taps)
    fir /= np.linalg.norm(fir)
    white = rng.standard_normal(n_samples + taps - 1, np.float32)
    return filtered(white, fir.astype(np.float32))[taps - 1 :]  # no fade at either end


def filtered(y, fir):
    """Return the start of the convolution of two arrays of float32, as long as ``y``.

    By overlap-save, a few blocks at a time, which stay in the processor's cache.

    >>> filtered(np.float32([1, 2, 4]), np.float32([1, 0.5])).round(3)
    array([1. , 2.5, 5. ], dtype=float32)
    """
    size = max(16384, scipy.fft.next_fast_len(2 * len(fir), real=True))
    step, out = size - len(fir) + 1, np.empty_like(y)
    response, padded = scipy.fft.rfft(fir, size), np.pad(y, (len(fir) - 1, step))
    blocks = np.lib.stride_tricks.sliding_window_view(padded, size)[::step]
    for i in range(0, len(blocks), 8):
        spectra = scipy.fft.rfft(blocks[i : i + 8])
        spectra *= response
        part = scipy.fft.irfft(spectra, size, overwrite_x=True)[:, len(fir) - 1 :].reshape(-1)
        place = out[i * step : i * step + len(part)]
        place[:] = part[: len(place)]
    return out


def smooth_process(length_hz, rng):
    """Return a Gaussian process over frequency, [shape=(2049,)], from 0 Hz to 22.05 kHz.

    Its standard deviation is 1, its correlation exp(-(f / length_hz)**2 / 2).
    """
    sigma = length_hz / (SAMPLERATE / 2 / (GRID - 1)) / np.sqrt(2)
    white = rng.standard_normal(3 * GRID)
    return np.sqrt(2 * np.sqrt(np.pi) * sigma) * gaussian_filter1d(white, sigma)[GRID : 2 * GRID]


def minimum_phase(db):
    """Return the filter of minimum phase, [shape=(n,)], that has a magnitude (Oppenheim & Schafer, by the cepstrum).

    ``db``, [shape=(n + 1,)], goes from 0 Hz to half the sample rate [dB].

    >>> minimum_phase(np.full(5, 20.0)).round(3)
    array([10.,  0.,  0.,  0.], dtype=float32)
    """
    cepstrum = scipy.fft.irfft(np.log(10) / 20 * db)
    half = len(db) - 1
    cepstrum[1:half] *= 2  # the causal part alone
    cepstrum[half + 1 :] = 0
    return scipy.fft.irfft(np.exp(scipy.fft.rfft(cepstrum)))[:half].astype(np.float32)


def slowly(values, n_samples):
    """Return one value per 10 ms as one value per sample, with straight lines between."""
    ramp = np.arange(_FRAME, dtype=np.float32) / _FRAME
    values = np.asarray(values, np.float32)
    return (values[:-1, None] + np.diff(values)[:, None] * ramp).reshape(-1)[:n_samples]


def asset(name):
    return (files("devid_lib") / "assets" / name).read_bytes()


@functools.lru_cache(maxsize=2)
def _sentences(samplerate):
    """Return the sentences that ship with the library as (samples, voice, side), at a sample rate."""
    y, rate = sf.read(io.BytesIO(asset("speech.ogg")), dtype="float32")
    return [(soxr.resample(y[start:stop], rate, samplerate), voice, side) for start, stop, voice, side in _SPOKEN]


_SPOKEN = json.loads(asset("speech.json"))["utterances"]  # first and last sample, voice and side of each
VOICES = {side: tuple(dict.fromkeys(voice for *_, voice, its in _SPOKEN if its == side)) for side in ("train", "test")}
