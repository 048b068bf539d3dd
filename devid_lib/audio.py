"""Read one recording: any format, checked, one channel, streamed in blocks (notebooks 00 and 01)."""

import errno
import hashlib
import itertools
import re
import tempfile
from functools import partial
from pathlib import Path

import av
import numpy as np
import soundfile as sf
import soxr

from .containers import promised_end
from .errors import RATES, AudioError, check_samplerate
from .files import NOT_UTF8, readable

AUDIO_SUFFIXES = frozenset(
    ".wav .wave .rf64 .w64 .au .snd .flac .mp2 .mp3 .ogg .oga .opus .spx .aif .aiff .aifc .caf .m4a .m4b .mp4 .mov "
    ".qta .aac .ac3 .amr .awb .3gp .3gpp .3g2 .wma .asf .mka .mkv .webm .avi .voc .ape .tta .wv .sph .dss .ds2".split()
)
"""Suffixes, in lower case, of the files that a folder scan takes as recordings."""

SILENCE_DB = -120.0  # lowest level that is told apart [dBFS]
BLOCK = 1 << 18  # frames read at a time: large enough to be fast, small enough to stay in the processor's cache
LONG_RECORDING = 600 * 44100  # samples; what is longer lives in a temporary file, so that its pages can be dropped

_BEHIND = 1 << 16  # bytes behind the sound that may hold tags
# What libsndfile decodes: samples stored as numbers, and what FFmpeg cannot. It would begin Opus at the wrong sample,
# end MP3 where the first frame makes it guess, and make a whole block of the pad byte behind GSM.
_SOUNDFILE = "(WAV|WAVEX|RF64|W64|AIFF|AU|CAF|FLAC) (PCM_.*|FLOAT|DOUBLE|ULAW|ALAW|ALAC_.*|NMS_.*|G72.*)"
# Containers that recordings come in. FFmpeg knows hundreds more, some of them scripts that point at other files.
_PYAV = ("aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dss,flac,loas,matroska,mov,mp3,mpegts,nistsphere,ogg,tta,voc,"
         "w64,wav,wv")
# Containers whose declared length FFmpeg passes on, and by how much encoder delay and padding may shorten it [s].
_DECLARED = {"mov": 0.25, "nistsphere": 0.0}


def load_recording(path, *, samplerate=None):
    """Return the samples of one recording, reduced to one channel.

    Parameters
    ----------
    path : str or Path
        WAV, FLAC, MP3, Ogg, Opus, AIFF, CAF, m4a/AAC, AMR, WMA, 3GP ...
    samplerate : int or None
        Rate to resample to [Hz]; ``None`` keeps the recording's own, which is always 48000 for Opus.

    Returns
    -------
    y : np.ndarray [shape=(n,)], float32
        Samples of the louder channel, full scale = 1. Above ``LONG_RECORDING`` samples a memory map of an unnamed
        temporary file that disappears with the array.
    sr : int
        Its rate [Hz].

    Raises
    ------
    AudioError
        If the file is missing, empty, truncated, silent, not audio, in a codec that nobody knows, changes its rate or
        channels in mid-stream, has an implausible rate or samples that are not finite.

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
    info, blocks = _opened(path)
    rate = info["samplerate"]
    channel = int(np.argmax(sum(map(_energies, blocks())))) if info["channels"] > 1 else 0
    samples = (block[channel] for block in blocks())
    if target not in (None, rate):
        samples = _resampled(samples, rate, target)
    return _gathered(path, samples), target or rate


def inspect_recording(path):
    """Return what one pass over a recording tells, without keeping its samples; AudioError as `load_recording`.

    Returns
    -------
    info : dict
        ``samplerate`` [Hz], ``channels``, ``frames``, ``duration_s`` [s], ``format``, ``subtype``; ``peak`` (full
        scale = 1) and ``checksum`` (SHA-256) of the louder channel's float32 samples at their own rate, so that the
        same audio has one checksum under every name and in every lossless container; ``note``, what should be known
        about the file ("" = nothing).

    Examples
    --------
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     sf.write(file.name, np.array([0.5, -0.25]), 8000)
    ...     info = inspect_recording(file.name)
    >>> info["frames"], info["peak"], info["subtype"]
    (2, 0.5, 'PCM_16')
    """
    info, blocks = _opened(Path(path))
    frames, energies, peaks = 0, np.zeros(info["channels"]), np.zeros(info["channels"])
    hashes = [hashlib.sha256() for _ in energies]
    for block in blocks():
        frames += block.shape[1]
        energies += _energies(block)
        for c, samples in enumerate(block):
            hashes[c].update(samples)
            peaks[c] = max(peaks[c], samples.max(), -samples.min())
    loudest = int(np.argmax(energies))
    found = {"frames": frames, "duration_s": frames / info["samplerate"], "peak": float(peaks[loudest])}
    return info | found | {"checksum": hashes[loudest].hexdigest()}


def read_tags(path):
    """Return what a recording that `load_recording` reads says of its making. Anybody can write anything there.

    Returns
    -------
    told : dict
        ``container``, ``codec`` (text, in words); ``lossless`` (bool, whether the codec keeps samples as they are);
        ``bits_per_second`` (0 = not said); ``rate`` [Hz]; ``channels``; ``tags``, dict of str: encoder, times ...

    Examples
    --------
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     sf.write(file.name, np.zeros(800), 8000, subtype="ULAW")
    ...     told = read_tags(file.name)
    >>> told["codec"], told["lossless"]
    ('PCM mu-law / G.711 mu-law', False)
    """
    path = Path(path)
    info, _ = _opened(path)
    told = {"container": info["format"], "codec": info["subtype"], "lossless": False, "bits_per_second": 0}
    told |= {"rate": info["samplerate"], "channels": info["channels"], "tags": {}}
    try:
        with _pyav_open(path, _check_file(path)[1]) as container:
            stream = next(stream for stream in container.streams.audio if stream.codec_context)
            codec = stream.codec_context.codec
            told |= {"container": container.format.long_name, "codec": codec.long_name, "lossless": codec.lossless}
            told |= {"bits_per_second": int(container.bit_rate or 0)}
            told["tags"] = {str(k): str(v) for k, v in (container.metadata | stream.metadata).items()}
    except (av.FFmpegError, ValueError, StopIteration):  # only libsndfile reads it: samples stored as numbers
        told["lossless"] = not re.match("ULAW|ALAW|NMS|G72", info["subtype"])
    return told


def _opened(path):
    """Return what a recording's header says, as `inspect_recording` has it, and a function that yields its blocks.

    ``frames`` are those declared, 0 where the format declares none that can be relied on.
    """
    note, end = _check_file(path)
    try:
        info, read = _soundfile_header(path) or _pyav_header(path, end)
    except AudioError:
        raise
    except Exception as error:  # decoders of damaged files raise whatever their code runs into
        raise AudioError(f"{path}: not audio, or damaged beyond reading: {_reason(error)}") from error
    if not RATES[0] <= info["samplerate"] <= RATES[1]:
        raise AudioError(f"{path}: a sample rate of {info['samplerate']} Hz is implausible")
    info["note"] = "; ".join(filter(None, [note, info["note"]]))
    return info, partial(_checked_blocks, path, info, read)


def _reason(error):
    """Return the readable part of a decoder's error."""
    return getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)


def _check_file(path):
    """Return a note ("" = none) and where the sound ends [bytes], 0 = not said; refuse what contradicts its header."""
    try:
        str(path).encode()
        if not path.is_file():
            raise AudioError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
        if not (size := path.stat().st_size):
            raise AudioError(f"{path}: empty file (0 bytes)")
        with open(path, "rb") as file:
            end = promised_end(file)
    except UnicodeEncodeError:
        raise AudioError(f"{readable(path)}: {NOT_UTF8}") from None
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise AudioError(f"{path}: {error}") from None
    if end is None:
        return "its header gives no true length, as when it was written into a pipe: it was read to its end", 0
    if end > size:
        raise AudioError(f"{path}: truncated, its header promises {end - size} bytes that are not there")
    return "", end


def _soundfile_header(path):
    """Return the header, and the blocks' reader, of what libsndfile should decode; ``None`` for everything else."""
    try:
        info = sf.info(path)
    except (sf.LibsndfileError, TypeError):  # unknown to it, or without a header
        return None
    if not re.fullmatch(_SOUNDFILE, f"{info.format} {info.subtype}") or not 0 < info.frames < 1 << 62:
        return None  # a FLAC that was streamed declares no length, and libsndfile cannot seek in it
    told = {name: getattr(info, name) for name in ("samplerate", "channels", "frames", "format", "subtype")}
    return told | {"note": ""}, partial(_soundfile_blocks, path)


def _soundfile_blocks(path):
    with sf.SoundFile(path) as file:
        while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
            yield np.ascontiguousarray(block.T)


def _pyav_header(path, end):
    """Return header and reader by the first decoded frame, since an AAC header may state half the real rate."""
    with _pyav_open(path, end) as container:
        streams = {stream.index: stream for stream in container.streams.audio}
        if not streams:
            raise ValueError("it holds pictures or data, no sound")
        tracks = [index for index, stream in streams.items() if stream.codec_context]
        if not tracks:
            with open(path, "rb") as file:
                tag = re.search(rb"fmt .{4}(.)(.)", file.read(4096), re.DOTALL)
            raise ValueError(f"no decoder for its codec{f' 0x{tag[2].hex()}{tag[1].hex()}' if tag else ''}")
        sounds = ((index, _pyav_frames(path, end, index)) for index in tracks)
        heard = (index for index, frames in sounds if any(np.ptp(frame.to_ndarray()) for frame in frames))
        track = next(heard, tracks[0]) if len(streams) > 1 else tracks[0]
        name, codec = container.format.name.split(",")[0], streams[track].codec_context.name
        seconds = float((streams[track].duration or 0) * streams[track].time_base) - _DECLARED.get(name, np.inf)
    frames = _pyav_frames(path, end, track)
    first = next(frames, None)
    frames.close()
    if first is None:
        raise ValueError("no sound in it can be decoded")
    rate, channels = first.sample_rate, first.layout.nb_channels
    number = list(streams).index(track) + 1
    note = f"it has {len(streams)} tracks of sound, number {number} was read" if len(streams) > 1 else ""
    told = {"samplerate": rate, "channels": channels, "frames": int(max(0, seconds) * rate)}
    told |= {"format": name, "subtype": codec, "note": note}
    return told, partial(_pyav_blocks, path, end, track, rate, channels)


def _pyav_open(path, end):
    # No container may reach into the network. Names of singers in some old character set are no reason to refuse.
    options = {"protocol_whitelist": "file,subfile", "format_whitelist": _PYAV}
    # In zeros behind the sound, storage that was reserved, FFmpeg would look for chunks, a second for 4 MiB.
    place = f"subfile,,start,0,end,{end + _BEHIND},,:" if 0 < end < path.stat().st_size - _BEHIND else ""
    try:
        return av.open(place + str(path.absolute()), options=options, metadata_errors="ignore")
    except av.ArgumentError:
        raise ValueError("no sound, or in no container that recordings come in") from None


def _pyav_frames(path, end, track):
    with _pyav_open(path, end) as container:
        zeros_decode = container.streams[track].codec_context.name.startswith("amr")  # 8 MiB of them as 3.6 hours
        for packet in container.demux(container.streams[track]):
            if zeros_decode and packet.size and not any(bytes(packet)):
                raise AudioError(f"{path}: truncated or damaged: zeros in place of sound")
            try:
                yield from packet.decode()
            except av.InvalidDataError:
                if container.format.name != "mp3":  # in an MP3 tags and padding lie between frames
                    raise


def _pyav_blocks(path, end, track, rate, channels):
    resampler = av.AudioResampler(format="fltp")  # full-scale floats, one row per channel; the rate stays
    parts, n = [], 0
    for frame in _pyav_frames(path, end, track):
        if (frame.sample_rate, frame.layout.nb_channels) != (rate, channels):
            raise AudioError(f"{path}: changes in mid-stream, {rate} Hz and {frame.sample_rate} Hz, {channels} and "
                             f"{frame.layout.nb_channels} channels are in it: split it there")
        for part in resampler.resample(frame):
            parts.append(part.to_ndarray())
            n += parts[-1].shape[1]
        if n >= BLOCK:
            yield np.concatenate(parts, axis=1)
            parts, n = [], 0
    if parts:
        yield np.concatenate(parts, axis=1)


def _checked_blocks(path, info, read):
    """Yield the blocks of a recording [shape=(channels, frames)], refusing what no device records."""
    frames, low, high = 0, np.full(info["channels"], np.inf), np.full(info["channels"], -np.inf)
    try:
        for block in read():
            low, high = np.minimum(low, block.min(axis=1)), np.maximum(high, block.max(axis=1))
            if not np.isfinite([low, high]).all():  # a NaN anywhere is both
                raise AudioError(f"{path}: NaN or infinite samples near {frames / info['samplerate']:.1f} s")
            frames += block.shape[1]
            yield block
    except AudioError:
        raise
    except Exception as error:  # see _opened
        raise AudioError(f"{path}: truncated or damaged: {_reason(error)}") from error
    if frames == 0:
        raise AudioError(f"{path}: empty, holds no samples")
    if frames < (told := info["frames"]):
        raise AudioError(f"{path}: truncated, {frames} samples instead of the {told} that its header promises")
    if (low == high).all():
        raise AudioError(f"{path}: digital silence, every sample is {low[0]:g}")


def level_db(power):
    """Return the level of a mean square [dBFS], not below `SILENCE_DB`.

    >>> level_db([1, 0.01, 0]).tolist()
    [0.0, -20.0, -120.0]
    """
    return 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10)))


def _energies(block):
    """Return the energy of every channel about its mean; with one channel nobody asks."""
    return block.shape[1] * block.var(axis=1, dtype=np.float64) if len(block) > 1 else 0.0


def _resampled(blocks, rate, target):
    stream = soxr.ResampleStream(rate, target, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _gathered(path, blocks):
    """Return blocks as one array: in memory, or as a memory map of an unnamed temporary file when there are many."""
    head, n = [], 0
    for block in blocks:
        head.append(block)
        n += len(block)
        if n > LONG_RECORDING:
            break
    else:
        return np.concatenate(head)
    try:
        with tempfile.TemporaryFile() as file:
            for block in itertools.chain(head, blocks):
                file.write(block.data)
            file.flush()
            return np.memmap(file, dtype=np.float32, mode="r+")
    except OSError as error:
        reason = "no disk space" if error.errno == errno.ENOSPC else error.strerror
        raise AudioError(f"{path}: cannot be unpacked into {tempfile.gettempdir()}: {reason}") from error
