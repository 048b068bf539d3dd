"""Simulated recorders: what a maker decides for a model, what a unit of it adds, and how it writes a sound field.

A model is a telephone, a dictation recorder, a headset or a camcorder, with a frequency response, processing and a
codec. A unit has the model's, and small deviations of its own. Nothing here belongs to a room or a day: that is in
`soundfield`.
"""

import functools
from dataclasses import dataclass, replace

import numpy as np
import soxr

from .encoders import transcode
from .errors import ParameterError, check_name
from .soundfield import GRID, SAMPLERATE, coloured_noise, filtered, minimum_phase, slowly, smooth_process

# --- Constants -------------------------------------------------------------------------------------------------------
# Of datasheets, with their source, or "assumed". The assumed scales of the responses were set by the ripple table of
# tools/calibrate_simulator.py on real phones, and by no classifier.

MODEL_DB = 2.5  # standard deviation of a model's response [dB]; 3GPP TS 26.131 allows a telephone some +-5
MODEL_HZ = 800.0  # over so many hertz it is alike (length of a Gaussian process) [Hz]; assumed
UNIT_DB = 1.0  # standard deviation of a unit's response around its model's [dB]; assumed, at most 1
UNIT_HZ = 300.0  # the same length [Hz]; assumed
MEMS_DB, ELECTRET_DB = 1.0, 4.0  # tolerance of the sensitivity, +- [dB]: datasheets of capsules
CORNER_HZ, CORNER_FACTOR = 55.0, 1.3  # low corner of a capsule: log-normal [Hz]: datasheets
PORT_HZ, PORT_Q = (12e3, 22e3), (2.0, 6.0)  # resonance of the sound port; assumed
PORT_SPREAD = 0.02  # standard deviation of a unit's port resonance, as a share of the model's; assumed
TONE_DB = 3.0  # standard deviation of the level of a unit's spurious tones [dB]; assumed
DC = 1e-4  # standard deviation of a unit's DC offset [full scale]; assumed
DC_DRIFT = 1e-4  # the same between recordings of a unit; assumed


@dataclass(frozen=True)
class Design:
    """What the maker of a model decided, but for its response. Levels in dBFS are those of a sine's or noise's RMS."""

    name: str
    level_dbfs: float = -29.0  # of speech at 60 dB SPL
    snr_db: float = 64.0  # of the capsule, at 94 dB SPL [dB]: MEMS 62 to 66 dBA in datasheets
    tolerance_db: float = MEMS_DB  # of its sensitivity, +-
    noise_corner: float = 200.0  # below this [Hz] the 1/f part of the self-noise is the stronger
    highpass: float = 20.0  # wind filter, second order [Hz]
    tones: tuple = ()  # spurious tones of clocks, buses and mains: (frequency [Hz], level [dBFS]) each
    agc: float = 0.0  # share of a level difference that the automatic gain takes out, 0..1
    gate_db: float = 0.0  # what noise suppression takes off in pauses
    ceiling: float = 1.0  # where the limiter bends [full scale]
    bits: int = 16  # of the converter
    rate: int = SAMPLERATE  # of the converter [Hz]
    resampler: str = "HQ"  # quality with which it comes to 44.1 kHz where it is another: one of soxr's, QQ is cubic
    codec: str = "none"  # or a key of `encoders.CODECS`
    bit_rate: float = 0  # of the codec [kbit/s]


_USB = tuple((1000.0 * k, -100.0 - k) for k in range(1, 9))  # USB sends a frame every millisecond
_MAINS = ((50.0, -94.0), (150.0, -100.0), (250.0, -106.0))
_ELECTRET = dict(tolerance_db=ELECTRET_DB, snr_db=60.0)  # the signal-to-noise ratio is assumed
DESIGNS = {  # levels, corners and tones: assumed, as for such devices
    design.name: design for design in (
        Design("phone A", level_dbfs=-27, snr_db=65, agc=0.3, codec="aac", bit_rate=96),
        Design("phone B", level_dbfs=-31, snr_db=63, highpass=100, gate_db=8, rate=48000, resampler="MQ"),
        Design("headset", **_ELECTRET, level_dbfs=-30, highpass=80, tones=_USB + _MAINS, agc=0.4, gate_db=4,
               rate=48000, codec="opus", bit_rate=24),
        Design("camcorder", **_ELECTRET, level_dbfs=-33, noise_corner=400, tones=((11025.0, -97.0),), agc=0.5,
               rate=48000, resampler="LQ", codec="ac3", bit_rate=96),
        Design("dictation A", **_ELECTRET, level_dbfs=-26, highpass=120, ceiling=0.5, tones=((12000.0, -96.0),),
               bits=14, codec="adpcm"),
        Design("dictation B", **_ELECTRET, level_dbfs=-28, noise_corner=300, agc=0.4, rate=32000,
               codec="mp3", bit_rate=96),
        Design("dictation C", **_ELECTRET, level_dbfs=-30, highpass=60, tones=((8000.0, -95.0), (16000.0, -99.0)),
               bits=15, codec="wma", bit_rate=64),
    )
}  # fmt: skip
_FRAME = 441  # step of everything that varies slowly: 10 ms


@dataclass(frozen=True, eq=False)
class Recorder:
    """One device: a unit of a model."""

    name: str
    design: Design
    response_db: np.ndarray  # of capsule and housing, model and unit, [shape=(2049,)] from 0 Hz to 22.05 kHz
    sensitivity_db: float = 0.0  # the unit's
    tones: tuple = ()  # the unit's: (frequency [Hz], level [dBFS])
    dc: float = 0.0  # DC offset of the converter [full scale]

    @property
    def model(self):
        return self.design.name


def draw_model(design, *, rng):
    """Return a model, for `draw_unit`: the response [dB] and the port that all its units share."""
    port = rng.uniform(*PORT_HZ), rng.uniform(*PORT_Q)
    return {"design": design, "response_db": MODEL_DB * smooth_process(MODEL_HZ, rng), "port": port}


def draw_unit(name, model, *, rng):
    """Return a unit, with the name of a device, of a model from `draw_model`.

    >>> rng = np.random.default_rng(0)
    >>> model = draw_model(DESIGNS["phone A"], rng=rng)
    >>> one, other = (draw_unit(name, model, rng=rng) for name in ("one", "other"))
    >>> float(np.std(one.response_db - other.response_db)) < 3 < float(np.ptp(one.response_db))
    True
    """
    design, (port, q) = model["design"], model["port"]
    f = np.linspace(0, SAMPLERATE / 2, GRID)
    corner = CORNER_HZ * CORNER_FACTOR ** rng.standard_normal()
    port *= 1 + PORT_SPREAD * rng.standard_normal()
    response = model["response_db"] + UNIT_DB * smooth_process(UNIT_HZ, rng)
    response = response - 10 * np.log10(1 + (corner / np.maximum(f, 1)) ** 2)
    response -= 10 * np.log10((1 - (f / port) ** 2) ** 2 + (f / port / q) ** 2)
    tones = tuple((frequency, level + TONE_DB * rng.standard_normal()) for frequency, level in design.tones)
    sensitivity = rng.uniform(-design.tolerance_db, design.tolerance_db)
    return Recorder(name, design, response, sensitivity, tones, DC * rng.standard_normal())


# --- What a recorder writes ------------------------------------------------------------------------------------------
def record(clean, recorder, *, rng, gain_db=0.0):
    """Return what a `Recorder` makes of a sound field: capsule, self-noise, gain, processing, converter, codec.

    ``clean`` is the sound pressure at 44.1 kHz [Pa], [shape=(n,)], ``gain_db`` the user's setting of the input gain
    [dB]; ``rng`` draws self-noise, drift and dither. The recording, [shape=(n,)], int16, is at 44.1 kHz, not delayed.
    """
    clean, design = np.asarray(clean, np.float32), recorder.design
    if clean.ndim != 1 or not clean.size or not np.isfinite(clean).all():
        raise ParameterError(f"clean must be one finite channel, not of shape {clean.shape}")
    n_samples = len(clean)
    noise = coloured_noise(n_samples, lambda f: np.sqrt(1 + design.noise_corner / f), rng)
    noise *= np.float32(10 ** (-design.snr_db / 20))  # equivalent input noise, as in datasheets; 94 dB SPL are 1 Pa
    noise += clean
    y = filtered(noise, input_filter(recorder))
    del noise
    level = design.level_dbfs + recorder.sensitivity_db + gain_db + 34  # 60 dB SPL are 34 dB under 1 Pa
    y *= np.float32(10 ** (level / 20))
    if design.agc or design.gate_db:
        y *= _dynamics(y, design)
    y = np.float32(design.ceiling) * np.tanh(y / np.float32(design.ceiling))
    y += np.float32(recorder.dc + DC_DRIFT * rng.standard_normal())
    _add_tones(y, recorder.tones, rng)
    if design.rate != SAMPLERATE:
        y = soxr.resample(y, SAMPLERATE, design.rate, design.resampler)
    y = _quantised(y, design.bits, rng).astype(np.float32) / 2 ** (design.bits - 1)
    if design.codec != "none":
        y = transcode(y, design.rate, codec=design.codec, bit_rate=design.bit_rate)
    if design.rate != SAMPLERATE:
        y = soxr.resample(y, design.rate, SAMPLERATE, design.resampler)
    y = np.pad(y[:n_samples], (0, max(0, n_samples - len(y))), mode="edge" if len(y) else "constant")
    return _quantised(y, 16, rng).astype(np.int16)


def input_filter(recorder):
    """Return what lies before the converter as a filter of minimum phase, np.ndarray [shape=(2048,)], float32.

    Capsule, housing, wind filter, and a low-pass that keeps the converter from folding what it cannot write.
    """
    f = np.linspace(0, SAMPLERATE / 2, GRID)
    with np.errstate(divide="ignore"):
        wind = -10 * np.log10(1 + (recorder.design.highpass / np.maximum(f, 1)) ** 4)
    low_pass = -10 * np.log10(1 + (f / 20_000) ** 16)
    return minimum_phase(recorder.response_db + wind + low_pass)


def _add_tones(y, tones, rng):
    """Add sines: sin(a + b) = sin a cos b + cos a sin b, a where a frame begins and b within it."""
    frequency, level = np.array(tones, np.float64).reshape(-1, 2).T
    turns, frames = frequency / SAMPLERATE, np.arange(-(-len(y) // _FRAME))[:, None]
    a = 2 * np.pi * (turns * _FRAME * frames % 1 + rng.uniform(size=len(tones)))
    b = 2 * np.pi * turns[:, None] * np.arange(_FRAME)
    size = np.sqrt(2) * 10 ** (level / 20)
    starts, within = np.hstack([size * np.sin(a), size * np.cos(a)]), np.vstack([np.cos(b), np.sin(b)])
    y += (starts.astype(np.float32) @ within.astype(np.float32)).reshape(-1)[: len(y)]


def _dynamics(y, design):
    """Return the gain of noise suppression and automatic gain.

    The level is held: up at once, down by 10 dB a second for the automatic gain, which brings it nearer to -26 dBFS,
    and by 60 dB a second for noise suppression, which takes off up to ``gate_db`` from 20 to 30 dB below normal speech.
    """
    frames = y[: max(1, len(y) // _FRAME) * _FRAME]
    frames = frames.reshape(-1, min(_FRAME, len(frames)))
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-9)
    slow, fast = _held(level, 10.0), _held(level, 60.0)
    gain = design.agc * (-26.0 - slow) - design.gate_db * np.clip((design.level_dbfs - 20 - fast) / 10, 0, 1)
    return slowly(10 ** (np.array([gain[0], *gain, gain[-1]]) / 20), len(y))


def _held(level, fall):
    """Return a level that rises at once and falls by so many dB a second."""
    held, step = level.tolist(), fall * _FRAME / SAMPLERATE
    for i in range(1, len(held)):
        held[i] = max(held[i], held[i - 1] - step)
    return np.array(held)


def _quantised(y, bits, rng):
    """Return whole numbers of ``bits`` bits: with triangular dither, so that nothing is digitally silent."""
    dither = rng.random(len(y), np.float32)
    dither -= rng.random(len(y), np.float32)
    dither += y * np.float32(2 ** (bits - 1))
    return np.clip(np.rint(dither, out=dither), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, out=dither)


# --- The nine --------------------------------------------------------------------------------------------------------
DEVICES = {  # name: model and number of the unit
    "Alder": ("phone A", 1), "Aspen": ("camcorder", 1), "Birch": ("phone B", 1), "Cedar": ("headset", 1),
    "Elm": ("dictation A", 1), "Hazel": ("dictation B", 1), "Larch": ("dictation C", 1),
    "Maple": ("phone A", 2), "Rowan": ("phone B", 2),
}  # fmt: skip
CONTROL = "Birch"  # the recorder of which a control corpus has nine copies, or nine more units of its model


@functools.lru_cache(maxsize=32)
def device(model, unit, *, seed=0, name=""):
    """Return a unit, of any number, of one of the simulated models, a key of `DESIGNS`: a `Recorder`.

    ``seed`` is that of the corpus: with another one all responses are others. The ``name`` of the device is that of the
    model and the number by default.

    >>> device("phone A", 3).name
    'phone A 3'
    """
    check_name("model", model, DESIGNS)
    number = list(DESIGNS).index(model)
    drawn = draw_model(DESIGNS[model], rng=np.random.default_rng([seed, 1, number]))
    return draw_unit(name or f"{model} {unit}", drawn, rng=np.random.default_rng([seed, 2, number, unit]))


def recorders(*, seed=0, share="nothing", responses=None):
    """Return the nine recorders of a simulated corpus, in alphabetical order.

    ``share`` is a key of `simulate.SHARED`: with "model" all are units of one model, with "unit" copies of one unit. Of
    the ``responses`` of microphones, a dict of np.ndarray [shape=(2049,)] from 0 Hz to 22.05 kHz [dB] as from
    `corpora.impulse_responses`, nine, by the seed, take the place of the recorders' own, and their names the models'.

    >>> [recorder.name for recorder in recorders() if recorder.model == "phone A"]
    ['Alder', 'Maple']
    """
    model, unit = DEVICES[CONTROL]
    if share == "unit":
        return tuple(replace(device(model, unit, seed=seed), name=name) for name in DEVICES)
    if share == "model":
        return tuple(device(model, number, seed=seed, name=name) for number, name in enumerate(DEVICES, 1))
    nine = tuple(device(*which, seed=seed, name=name) for name, which in DEVICES.items())
    if not responses:
        return nine
    drawn = np.random.default_rng([seed, 7]).permutation(sorted(responses))[: len(nine)].tolist()
    return tuple(replace(one, response_db=responses[name], design=replace(one.design, name=name))
                 for one, name in zip(nine, drawn, strict=True))


RECORDERS = recorders()
