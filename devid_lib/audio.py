"""Read one recording: any format, checked, one channel, streamed in blocks (notebooks 00 and 01)."""

import errno
import hashlib
import itertools
import numbers
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile as sf
import soxr

from .errors import AudioError, ParameterError

AUDIO_SUFFIXES = frozenset(
    ".wav .wave .rf64 .w64 .au .flac .mp2 .mp3 .ogg .oga .opus .aif .aiff .aifc .caf "
    ".m4a .mp4 .mov .aac .amr .awb .3gp .3gpp .3g2 .wma .asf .mka .webm .dss .ds2".split()
)
"""Suffixes, in lower case, of the files that a folder scan takes as recordings."""

BLOCK = 1 << 18  # frames read at a time: large enough to be fast, small enough to stay in the processor's cache
LONG_RECORDING = 600 * 44100  # samples; what is longer lives in a temporary file, so that its pages can be dropped

# Sizes that programs write when they cannot go back and fill in the real one: recording into a pipe, or power lost.
_SIZE_UNKNOWN = {0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF}
_BYTE_ORDERS = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">", b"FORM": ">"}
_DURATION_SLACK = 0.25  # seconds by which encoder delay and padding may shorten what an m4a or WMA header declares
_OGG_PAGE = 27 + 255 + 255 * 255  # largest size of a page [bytes]
_ASF_MAGIC = b"0&\xb2u"
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c 47a9cf11 8ee400c0 0c205365")
_MALFORMED = 3  # libsndfile's SF_ERR_MALFORMED_FILE
_DECODE_ERRORS = (sf.LibsndfileError, av.FFmpegError, ValueError)


@dataclass(frozen=True)
class _Header:
    samplerate: int
    channels: int
    frames: int  # as declared; 0 where the format declares none that can be relied on
    format: str
    subtype: str
    read: Callable  # read(path) yields blocks [shape=(channels, frames)]


def load_recording(path, *, samplerate=None):
    """Return the samples of one recording, reduced to one channel.

    Parameters
    ----------
    path : str or Path
        WAV, FLAC, MP3, Ogg, Opus, AIFF, CAF, m4a/AAC, AMR, WMA, 3GP ...
    samplerate : int or None
        Rate to resample to [Hz]; ``None`` keeps the recording's own.

    Returns
    -------
    y : np.ndarray [shape=(n,)], float32
        Samples of the louder channel, full scale = 1. Above ``LONG_RECORDING`` samples a memory map of an unnamed
        temporary file that disappears with the array.
    sr : int
        Sample rate of ``y`` [Hz].

    Raises
    ------
    AudioError
        If the file is missing, empty, truncated, silent, not audio, or has samples that are not finite.
    ParameterError
        If ``samplerate`` is not a positive number.

    Notes
    -----
    Notebooks 00 and 01. One channel is chosen, not averaged, because averaging cancels the noise that is looked for:
    the one with the most energy about its mean, since an unused input can have a DC offset louder than speech.

    Examples
    --------
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     sf.write(file.name, np.array([[0.5, 0.0], [-0.5, 0.0]]), 8000)  # the right channel is silent
    ...     y, samplerate = load_recording(file.name)
    >>> y, samplerate
    (array([ 0.5, -0.5], dtype=float32), 8000)
    """
    path, target = Path(path), check_samplerate(samplerate)
    header = _read_header(path)
    channel = _louder_channel(path, header)
    blocks = (block[channel] for block in _checked_blocks(path, header))
    target = target or header.samplerate
    if target != header.samplerate:
        blocks = _resampled(blocks, header.samplerate, target)
    return _gathered(path, blocks), target


def inspect_recording(path):
    """Return what one pass over a recording tells, without keeping its samples.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    info : dict
        ``samplerate`` [Hz], ``channels``, ``frames``, ``duration_s`` [s], ``format``, ``subtype``; ``peak`` (full
        scale = 1) and ``checksum`` (SHA-256) of the louder channel's float32 samples at their own rate, so that the
        same audio has one checksum under every name and in every lossless container.

    Raises
    ------
    AudioError
        As `load_recording`.

    Examples
    --------
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     sf.write(file.name, np.array([0.5, -0.25]), 8000)
    ...     info = inspect_recording(file.name)
    >>> info["frames"], info["peak"], info["subtype"]
    (2, 0.5, 'PCM_16')
    """
    path = Path(path)
    header = _read_header(path)
    frames, energies, peaks = 0, np.zeros(header.channels), np.zeros(header.channels)
    hashes = [hashlib.sha256() for _ in range(header.channels)]
    for block in _checked_blocks(path, header):
        frames += block.shape[1]
        energies += _energies(block)
        for c, samples in enumerate(block):
            hashes[c].update(samples)
            peaks[c] = max(peaks[c], samples.max(), -samples.min())
    loudest = int(np.argmax(energies))
    return {
        "samplerate": header.samplerate,
        "channels": header.channels,
        "frames": frames,
        "duration_s": frames / header.samplerate,
        "format": header.format,
        "subtype": header.subtype,
        "peak": float(peaks[loudest]),
        "checksum": hashes[loudest].hexdigest(),
    }


def check_samplerate(samplerate):
    """Return a sample rate as an integer [Hz], or ``None`` for ``None``; refuse what is no positive whole number."""
    if samplerate is None:
        return None
    number = isinstance(samplerate, numbers.Real) and not isinstance(samplerate, bool)
    if not (number and samplerate > 0 and samplerate % 1 == 0):
        raise ParameterError(f"samplerate={samplerate!r} must be a positive whole number of hertz, or None")
    return int(samplerate)


def _read_header(path):
    """Return the header of a recording and the function that reads its blocks."""
    _check_file(path)
    try:
        header = _soundfile_header(path)
        # libsndfile stops an MP3 at the length it guesses from the first frame, which can be a third of the recording,
        # and cannot seek in a FLAC that was streamed without a length.
        return _pyav_header(path) if header.format == "MP3" or not header.frames else header
    except sf.LibsndfileError as error:
        if error.code == _MALFORMED:  # known but broken: FFmpeg would read on to the break
            raise AudioError(f"{path}: truncated or damaged: {_reason(error)}") from None
    except TypeError:  # soundfile asks for the parameters of a headerless file
        pass
    except _DECODE_ERRORS as error:
        raise AudioError(f"{path}: truncated or damaged: {_reason(error)}") from None
    try:
        return _pyav_header(path)
    except (*_DECODE_ERRORS, OSError) as error:
        raise AudioError(f"{path}: not audio, or damaged beyond reading: {_reason(error)}") from None


def _reason(error):
    """Return the readable part of a decoder's error."""
    return getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)


def _check_file(path):
    """Refuse what is no file, has no bytes, or has fewer than its header promises."""
    if not path.exists():
        raise AudioError(f"{path}: no such file")
    if not path.is_file():
        raise AudioError(f"{path}: not a file")
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            missing = _missing_bytes(file, size)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror}") from None
    if size == 0:
        raise AudioError(f"{path}: empty file (0 bytes)")
    if missing:
        raise AudioError(f"{path}: truncated, its header promises {missing} bytes of sound that are not there")


def _missing_bytes(file, size):
    """Return how many bytes of sound a WAV, AIFF, Ogg, WMA or MP3 file promises beyond its end."""
    head = file.read(12)
    if head[:4] in _BYTE_ORDERS:
        return max(0, _chunk_end(file, _BYTE_ORDERS[head[:4]]) - size)
    if head[:4] == b"OggS":
        return max(0, _last_page_end(file, size) - size)
    if head[:4] == _ASF_MAGIC:
        return max(0, _asf_end(file) - size)
    tag = 10 + int("".join(f"{byte:07b}" for byte in head[6:10]), 2) if head[:3] == b"ID3" else 0
    missing = _first_frame_promise(file, tag) - (size - tag)
    return missing if missing > size // 100 else 0  # some encoders count their own tags


def _chunk_end(file, order):
    """Return where the sound of a WAV or AIFF file should end; 0 where its header does not say."""
    size64 = 0
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack(f"{order}4sI", head)
        start = file.tell()
        if name == b"ds64":  # RF64: the real size of the data chunk that follows
            size64 = int.from_bytes(file.read(16)[8:], "little")
        if name in (b"data", b"SSND"):
            return start + (size64 or (0 if size in _SIZE_UNKNOWN else size))
        file.seek(start + size + size % 2)
    return 0


def _last_page_end(file, size):
    """Return where the last page of an Ogg file should end: its length is the sum of up to 255 bytes in its head."""
    file.seek(max(0, size - 2 * _OGG_PAGE))
    tail = file.read()
    page = tail.rfind(b"OggS")
    lengths = tail[page + 27 :][: tail[page + 26]] if 0 <= page < len(tail) - 26 else b""
    return size - len(tail) + page + 27 + tail[page + 26] + sum(lengths) if lengths else 0


def _asf_end(file):
    """Return where a WMA file says that it ends; 0 where it was streamed. FFmpeg trusts the disk instead."""
    head = file.read(1 << 16)
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or len(head) < at + 92 or head[at + 88] & 1:
        return 0
    return int.from_bytes(head[at + 40 : at + 48], "little")


def _first_frame_promise(file, start):
    """Return how many bytes of MP3 the encoder noted in the first frame, where it left a Xing or Info field; else 0."""
    file.seek(start)
    head = file.read(256)
    field = max(head.find(b"Xing"), head.find(b"Info"))
    if head[:1] != b"\xff" or field < 0 or len(head) < field + 16:
        return 0
    flags, first, second = struct.unpack(">3I", head[field + 4 : field + 16])
    return {2: first, 3: second}.get(flags & 3, 0)


def _soundfile_header(path):
    info = sf.info(path)
    frames = info.frames if info.frames < 1 << 62 else 0  # a streamed FLAC declares none
    return _Header(info.samplerate, info.channels, frames, info.format, info.subtype, _soundfile_blocks)


def _soundfile_blocks(path):
    with sf.SoundFile(path) as file:
        while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
            yield np.ascontiguousarray(block.T)


def _pyav_header(path):
    """Return a header from the first decoded frame, since an AAC header may state half the real rate."""
    with _pyav_open(path) as container:
        if not container.streams.audio:
            raise ValueError("it holds pictures or data, no sound")
        stream = container.streams.audio[0]
        name, codec = container.format.name.split(",")[0], stream.codec_context.name
        seconds = float((stream.duration or 0) * stream.time_base) if name in ("mov", "asf") else 0
    frames = _pyav_frames(path)
    first = next(frames, None)
    frames.close()
    if first is None:
        raise ValueError("no sound in it can be decoded")
    declared = max(0, int((seconds - _DURATION_SLACK) * first.sample_rate))
    return _Header(first.sample_rate, first.layout.nb_channels, declared, name, codec, _pyav_blocks)


def _pyav_open(path):
    # A playlist under an audio suffix must not reach into the network.
    # Names of singers in some old character set are no reason to refuse the sound.
    return av.open(str(path.absolute()), options={"protocol_whitelist": "file"}, metadata_errors="ignore")


def _pyav_frames(path):
    with _pyav_open(path) as container:
        for packet in container.demux(container.streams.audio[0]):
            try:
                yield from packet.decode()
            except av.InvalidDataError:
                if container.format.name != "mp3":  # in an MP3 tags and padding lie between frames
                    raise


def _pyav_blocks(path):
    resampler = av.AudioResampler(format="fltp")  # full-scale floats, one row per channel; the rate stays
    converted = (part.to_ndarray() for frame in _pyav_frames(path) for part in resampler.resample(frame))
    parts, n = [], 0
    for part in converted:
        parts.append(part)
        n += part.shape[1]
        if n >= BLOCK:
            yield np.concatenate(parts, axis=1)
            parts, n = [], 0
    if parts:
        yield np.concatenate(parts, axis=1)


def _checked_blocks(path, header):
    """Yield the blocks of a recording [shape=(channels, frames)], refusing what no device records."""
    frames, low, high = 0, np.full(header.channels, np.inf), np.full(header.channels, -np.inf)
    try:
        for block in header.read(path):
            low, high = np.minimum(low, block.min(axis=1)), np.maximum(high, block.max(axis=1))
            if not np.isfinite([low, high]).all():  # a NaN anywhere is both
                raise AudioError(f"{path}: NaN or infinite samples near {frames / header.samplerate:.1f} s")
            frames += block.shape[1]
            yield block
    except _DECODE_ERRORS as error:
        raise AudioError(f"{path}: truncated or damaged: {_reason(error)}") from None
    if frames == 0:
        raise AudioError(f"{path}: empty, holds no samples")
    if frames < header.frames:
        raise AudioError(f"{path}: truncated, {frames} samples instead of the {header.frames} that its header promises")
    if (low == high).all():
        raise AudioError(f"{path}: digital silence, every sample is {low[0]:g}")


def _louder_channel(path, header):
    """Return the index of the channel with the most energy about its mean over the whole recording."""
    if header.channels == 1:
        return 0
    energies = np.zeros(header.channels)
    for block in _checked_blocks(path, header):
        energies += _energies(block)
    return int(np.argmax(energies))


def _energies(block):
    """Return the energy of every channel about its mean; with one channel nobody asks."""
    return block.shape[1] * block.var(axis=1, dtype=np.float64) if len(block) > 1 else 0.0


def _resampled(blocks, rate, target):
    stream = soxr.ResampleStream(rate, target, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _gathered(path, blocks):
    """Return blocks as one array: in memory, or in a temporary file when there are many."""
    head, n = [], 0
    for block in blocks:
        head.append(block)
        n += len(block)
        if n > LONG_RECORDING:
            return _spilled(path, itertools.chain(head, blocks))
    return np.concatenate(head)


def _spilled(path, blocks):
    """Return blocks as a memory map of an unnamed temporary file."""
    try:
        with tempfile.TemporaryFile() as file:
            for block in blocks:
                file.write(block.data)
            file.flush()
            return np.memmap(file, dtype=np.float32, mode="r+")
    except OSError as error:
        reason = "no disk space" if error.errno == errno.ENOSPC else error.strerror
        raise AudioError(f"{path}: cannot be unpacked into {tempfile.gettempdir()}: {reason}") from error
