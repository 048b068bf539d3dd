"""Read one recording: any format, checked, one channel, streamed in blocks (notebooks 00 and 01)."""

import errno
import hashlib
import itertools
import numbers
import os
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile as sf
import soxr

from devid_lib.errors import AudioError, ParameterError

AUDIO_SUFFIXES = frozenset(
    ".wav .wave .rf64 .flac .mp3 .ogg .oga .opus .aif .aiff .aifc .caf "
    ".m4a .mp4 .mov .aac .amr .awb .3gp .3gpp .3g2 .wma .asf .mka .webm .dss .ds2".split()
)
"""Suffixes, in lower case, of the files that a folder scan takes as recordings."""

BLOCK = 1 << 18  # frames read at a time: large enough to be fast, small enough to stay in the processor's cache
LONG_RECORDING = 600 * 44100  # samples; what is longer lives in a temporary file, so that its pages can be dropped

# Sizes that programs write when they cannot go back and fill in the real one: recording into a pipe, or power lost.
_SIZE_UNKNOWN = {0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF}
_BYTE_ORDERS = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">", b"FORM": ">"}
_DURATION_SLACK = 0.25  # seconds by which encoder delay and padding may shorten what an m4a or WMA header declares
_MALFORMED = 3  # libsndfile's SF_ERR_MALFORMED_FILE
_DECODE_ERRORS = (sf.LibsndfileError, av.FFmpegError, ValueError)


@dataclass(frozen=True)
class _Header:
    samplerate: int
    channels: int
    frames: int  # as declared; 0 where the format declares none that can be relied on
    format: str
    subtype: str
    read: Callable  # read(path) yields blocks [shape=(frames, channels)]


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
    Notebooks 00 and 01. One channel is chosen, not averaged, because averaging cancels the noise that is looked for.
    """
    path, target = Path(path), check_samplerate(samplerate)
    header = _read_header(path)
    channel = _louder_channel(path, header)
    blocks = (block[:, channel] for block in _checked_blocks(path, header))
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
    """
    path = Path(path)
    header = _read_header(path)
    frames, energies, peaks = 0, np.zeros(header.channels), np.zeros(header.channels)
    hashes = [hashlib.sha256() for _ in range(header.channels)]
    for block in _checked_blocks(path, header):
        frames += len(block)
        for c, samples in enumerate(np.ascontiguousarray(block.T)):
            hashes[c].update(samples)
            energies[c] += np.dot(samples, samples)
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
    except (*_DECODE_ERRORS, IndexError, OSError) as error:
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
        size, missing = path.stat().st_size, _missing_bytes(path)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror}") from None
    if size == 0:
        raise AudioError(f"{path}: empty file (0 bytes)")
    if missing:
        raise AudioError(f"{path}: truncated, its header promises {missing} bytes of sound that are not there")


def _missing_bytes(path):
    """Return how many bytes of sound a WAV or AIFF header promises beyond the end of the file."""
    with open(path, "rb") as file:
        order = _BYTE_ORDERS.get(file.read(12)[:4])
        end, size64 = file.seek(0, os.SEEK_END), 0
        file.seek(12)
        while order and len(head := file.read(8)) == 8:
            name, size = struct.unpack(f"{order}4sI", head)
            start = file.tell()
            if name == b"ds64":  # RF64: the real size of the data chunk that follows
                size64 = int.from_bytes(file.read(16)[8:], "little")
            if name in (b"data", b"SSND"):
                size = size64 or (0 if size in _SIZE_UNKNOWN else size)
                return max(0, start + size - end)
            file.seek(start + size + size % 2)
    return 0


def _soundfile_header(path):
    info = sf.info(path)
    frames = info.frames if info.frames < 1 << 62 else 0  # a streamed FLAC declares none
    return _Header(info.samplerate, info.channels, frames, info.format, info.subtype, _soundfile_blocks)


def _soundfile_blocks(path):
    with sf.SoundFile(path) as file:
        while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
            yield block


def _pyav_header(path):
    """Return a header from the first decoded frame, since an AAC header may state half the real rate."""
    with _pyav_open(path) as container:
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
    return av.open(str(path.absolute()), options={"protocol_whitelist": "file"})


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
            yield np.concatenate(parts, axis=1).T
            parts, n = [], 0
    if parts:
        yield np.concatenate(parts, axis=1).T


def _checked_blocks(path, header):
    """Yield the blocks of a recording [shape=(frames, channels)], refusing what no device records."""
    frames, low, high = 0, np.inf, -np.inf
    try:
        for block in header.read(path):
            lowest, highest = block.min(), block.max()
            if not np.isfinite([lowest, highest]).all():  # a NaN anywhere is both
                raise AudioError(f"{path}: NaN or infinite samples near {frames / header.samplerate:.1f} s")
            low, high, frames = min(low, lowest), max(high, highest), frames + len(block)
            yield block
    except _DECODE_ERRORS as error:
        raise AudioError(f"{path}: truncated or damaged: {_reason(error)}") from None
    if frames == 0:
        raise AudioError(f"{path}: empty, holds no samples")
    if frames < header.frames:
        raise AudioError(f"{path}: truncated, {frames} samples instead of the {header.frames} that its header promises")
    if low == high:
        raise AudioError(f"{path}: digital silence, every sample is {low:g}")


def _louder_channel(path, header):
    """Return the index of the channel with the most energy over the whole recording."""
    if header.channels == 1:
        return 0
    energies = np.zeros(header.channels)
    for block in _checked_blocks(path, header):
        energies += [np.dot(samples, samples) for samples in np.ascontiguousarray(block.T)]
    return int(np.argmax(energies))


def _resampled(blocks, rate, target):
    stream = soxr.ResampleStream(rate, target, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _gathered(path, blocks):
    """Return blocks as one array: in memory, or in a temporary file when there are many."""
    head, n = [], 0
    for block in blocks:
        head.append(np.ascontiguousarray(block))
        n += len(block)
        if n > LONG_RECORDING:
            return _spilled(path, itertools.chain(head, blocks))
    return np.concatenate(head)


def _spilled(path, blocks):
    """Return blocks as a memory map of an unnamed temporary file."""
    try:
        with tempfile.TemporaryFile() as file:
            for block in blocks:
                file.write(np.ascontiguousarray(block).data)
            file.flush()
            return np.memmap(file, dtype=np.float32, mode="r+")
    except OSError as error:
        reason = "no disk space" if error.errno == errno.ENOSPC else error.strerror
        raise AudioError(f"{path}: cannot be unpacked into {tempfile.gettempdir()}: {reason}") from error
