"""Real encoders: a recording is written to a file in memory and read again (notebook 13)."""

import functools
import io
from dataclasses import dataclass
from numbers import Real

import av
import numpy as np
import scipy.signal
import soundfile as sf
import soxr

from .errors import CodecError, ParameterError, check_finite, check_name, check_signal
from .soundfield import speech

BLOCK = 1 << 15  # samples given to libsndfile at a time: its Vorbis encoder overruns its stack on long blocks
VOICE_RATE = 24000  # of the sentences that ship with the library [Hz]: read once, then brought to a codec's rate
LONGEST_DELAY = 4096  # of a codec, and the longest start that one swallows [samples]


@dataclass(frozen=True)
class Codec:
    """A real encoder: which one, what it knows, and what file it writes."""

    encoder: str  # FFmpeg's name, or libsndfile's for its subtype
    container: str
    rates: tuple = ()  # sample rates [Hz]; empty = any
    bit_rates: tuple | range = ()  # [kbit/s]; empty = it has none to choose from
    narrow: tuple = (0, 0)  # up to this bit rate, recordings are brought down to this sample rate, as encoders do
    options: tuple = ()  # pairs for FFmpeg
    soundfile: bool = False


MPEG_RATES = (16000, 22050, 24000, 32000, 44100, 48000)  # MPEG-2 and MPEG-1: all bit rates below are of one of them
CODECS = {
    "mulaw": Codec("pcm_mulaw", "wav", (8000,)),  # G.711
    "alaw": Codec("pcm_alaw", "wav", (8000,)),
    "gsm": Codec("GSM610", "WAV", (8000,), soundfile=True),
    "g723": Codec("g723_1", "wav", (8000,), (6.3,)),
    "amr": Codec("libopencore_amrnb", "amr", (8000,), (4.75, 5.15, 5.9, 6.7, 7.4, 7.95, 10.2, 12.2)),
    "amrwb": Codec("libvo_amrwbenc", "amr", (16000,), (6.6, 8.85, 12.65, 14.25, 15.85, 18.25, 19.85, 23.05, 23.85)),
    "mp3": Codec("libmp3lame", "mp3", MPEG_RATES, (16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160), (24, 24000)),
    "aac": Codec("aac", "mp4", MPEG_RATES, range(12, 257)),
    "opus": Codec("libopus", "ogg", (16000, 48000), range(6, 257), (16, 16000), (("application", "voip"),)),
    "ac3": Codec("ac3", "ac3", (32000, 44100, 48000), range(32, 385, 32)),
    "wma": Codec("wmav2", "asf", (16000, 22050, 32000, 44100, 48000), range(32, 193, 16)),
    "adpcm": Codec("adpcm_ima_wav", "wav"),
    "vorbis": Codec("VORBIS", "OGG", bit_rates=range(11), soundfile=True),  # quality instead of a bit rate
}


def transcode(y, samplerate, *, codec, bit_rate=0):
    """Encode a recording to a file in memory, and decode it.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], real; samplerate : int
        Recording, full scale = 1, and its rate [Hz].
    codec : str
        A key of `CODECS`.
    bit_rate : float
        [kbit/s]; the quality, 0 to 10, of Vorbis; 0 where there is nothing to choose (G.711, GSM).

    Returns
    -------
    decoded : np.ndarray [shape=(n,)], float32

    Raises
    ------
    CodecError
        If this build of FFmpeg or libsndfile lacks the encoder or the decoder.

    Notes
    -----
    Recordings are brought to the lowest sample rate of the codec that keeps their band, else to its highest, stored as
    16 bit, encoded, decoded, and brought back. What a codec delays by is measured once with a known sound.

    Examples
    --------
    >>> transcode(np.array([0.5, 0.25, -0.001]), 8000, codec="mulaw").round(3)
    array([ 0.512,  0.254, -0.001], dtype=float32)
    >>> transcode(np.zeros(80), 8000, codec="amr", bit_rate=13)
    Traceback (most recent call last):
    devid_lib.errors.ParameterError: amr knows no bit_rate=13, only 4.75, 5.15, 5.9, 6.7, 7.4, 7.95, 10.2, 12.2
    """
    y = samples(y)
    check_name("codec", codec, CODECS)
    if reason := lacking(codec):
        raise CodecError(reason)
    spec = CODECS[codec]
    known = spec.bit_rates or (0,)
    if not isinstance(bit_rate, Real) or bit_rate not in known:
        listed = f"{known[0]} to {known[-1]}" if isinstance(known, range) else ", ".join(map(str, known))
        raise ParameterError(f"{codec} knows no bit_rate={bit_rate!r}, only {listed}")
    rates = spec.rates or (samplerate,)
    wanted = min(samplerate, spec.narrow[1]) if bit_rate <= spec.narrow[0] else samplerate
    rate = next((known for known in rates if known >= wanted), rates[-1])
    sound = soxr.resample(y, samplerate, rate)
    delay = _delay(codec, bit_rate, rate)
    decoded = _through_file(np.pad(sound, (LONGEST_DELAY, delay + rate // 10)), rate, codec, bit_rate)[delay:]
    decoded = fitted(decoded, len(sound))
    return fitted(soxr.resample(decoded, rate, samplerate), len(y))


def lacking(codec):
    """Return what this machine cannot do of a codec, a key of `CODECS`; an empty string where it can do all.

    >>> lacking("mulaw")
    ''
    """
    spec = CODECS[codec]
    if spec.soundfile:
        there = sf.check_format(spec.container, spec.encoder)
        return "" if there else f"{codec}: this machine's libsndfile has no encoder {spec.encoder!r}"
    what, name = "encoder", spec.encoder
    try:
        what, name = "decoder of", av.Codec(name, "w").canonical_name
        av.Codec(name, "r")
    except av.codec.codec.UnknownCodecError:
        return f"{codec}: this machine's FFmpeg has no {what} {name!r}"
    return ""


@functools.cache
def _delay(codec, bit_rate, rate):
    """Return where in what is decoded the sound begins that had LONGEST_DELAY zeros before it: where it fits best."""
    y = soxr.resample(speech(3 * VOICE_RATE, rng=np.random.default_rng(0), samplerate=VOICE_RATE), VOICE_RATE, rate)
    decoded = _through_file(np.pad(y, (LONGEST_DELAY, LONGEST_DELAY)), rate, codec, bit_rate)
    decoded = fitted(decoded, len(y) + 2 * LONGEST_DELAY)
    return int(scipy.signal.correlate(np.diff(decoded), np.diff(y), "valid").argmax())


def _through_file(y, rate, codec, bit_rate):
    """Return what is decoded from a file in memory, at the rate that went in."""
    spec, file = CODECS[codec], io.BytesIO()
    if spec.soundfile:
        extra = {"compression_level": 1 - bit_rate / 10} if spec.bit_rates else {}
        with sf.SoundFile(file, "w", rate, 1, spec.encoder, format=spec.container, **extra) as out:
            for start in range(0, len(y), BLOCK):
                out.write(y[start : start + BLOCK])
        file.seek(0)
        return sf.read(file, dtype="float32")[0]
    with av.open(file, "w", format=spec.container) as out:
        stream = out.add_stream(spec.encoder, rate=rate, layout="mono", options=dict(spec.options))
        if bit_rate:
            stream.bit_rate = round(1000 * bit_rate)
        frame = av.AudioFrame.from_ndarray((rounded(y) * 2**15).astype(np.int16)[np.newaxis], "s16", "mono")
        frame.sample_rate = rate
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as read:
        resampler = av.AudioResampler(format="fltp", layout="mono")
        parts = [part for frame in read.decode(audio=0) for part in resampler.resample(frame)]
        found = np.concatenate([part.to_ndarray()[0] for part in parts])
        return soxr.resample(found, parts[0].sample_rate, rate)


# --- Small tools -----------------------------------------------------------------------------------------------------
def samples(y):
    """Return a recording as float32, or refuse it."""
    return check_finite(check_signal(y, single=True).astype(np.float32, copy=False))


def rounded(y):
    """Return samples as 16 bit hold them, full scale = 1."""
    return np.clip(np.rint(y * np.float32(2**15)), -(2**15), 2**15 - 1).astype(np.float32) / np.float32(2**15)


def fitted(y, n):
    """Return samples cut, or filled up with zeros, to ``n``."""
    return np.pad(y[:n], (0, max(0, n - len(y))))
