"""Where a recording should end: what WAV, AIFF, CAF, Ogg, Matroska, WMA, MP3 ... say of their own size."""

import io
import mmap
import re
import struct
from functools import partial

# Containers that are rows of chunks: where the first begins, bytes of its name and of its size, byte order, padding,
# how many bytes of its head the size counts, and the name of the chunk of sound (none = every chunk).
_CHUNKS = {
    b"RIFF": (12, 4, 4, "little", 2, 0, b"data"), b"RIFX": (12, 4, 4, "big", 2, 0, b"data"),
    b"RF64": (12, 4, 4, "little", 2, 0, b"data"), b"BW64": (12, 4, 4, "little", 2, 0, b"data"),
    b"FORM": (12, 4, 4, "big", 2, 0, b"SSND"), b"riff": (40, 16, 8, "little", 8, 24, b"data"),  # AIFF, Wave64
    b"caff": (8, 4, 8, "big", 1, 0, b"data"), b"Crea": (26, 1, 3, "little", 1, 0, b""),  # Core Audio, Creative Voice
}
_MOST_CHUNKS = 10_000  # before the sound; zeros, where storage was reserved and power lost, read as empty chunks
_NEXT_CHUNK = re.compile(rb"\0?[A-Za-z][\w ]{3}|ID3|TAG")  # what may follow after the sound: a chunk or a tag
# Sizes that programs write where they cannot go back and fill in the real one: about 2 GiB, 4 GiB, 2**63 or 2**64.
_PLACEHOLDERS = ((0x7F000000, 0x81000000), (0xFF000000, 1 << 32), (1 << 62, 1 << 65))
_OGG_PAGE = 27 + 255 + 255 * 255  # largest size of a page [bytes]
_MATROSKA_SIZE = re.compile(rb"\x1a\x45\xdf\xa3.*?\x18\x53\x80\x67\x01(.{7})", re.DOTALL)
_ASF_SIZE = re.compile(rb"0&\xb2u.*?\xa1\xdc\xab\x8c\x47\xa9.{34}(.{8}).{40}(.)", re.DOTALL)  # and whether streamed
_MP3_SIZE = re.compile(rb"\xff.{3,99}?(?:Xing|Info)(.{12})", re.DOTALL)  # what the encoder left in the first frame


def promised_end(file):
    """Return where the sound in an open binary file, or the whole file, should end by its own header.

    Returns
    -------
    end : int or None
        Position [bytes]: beyond the end of the file where it is truncated; 0 where its kind need not say; ``None``
        where it should and does not, as when it was written into a pipe.

    ValueError says that its header leads to no sound, sound goes on after its declared end, or recordings are chained.

    >>> promised_end(io.BytesIO(b"RIFF" + bytes(4) + b"WAVEdata" + (1000).to_bytes(4, "little") + bytes(10)))
    1020
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(1 << 16)
    little, big = (partial(int.from_bytes, byteorder=order) for order in ("little", "big"))
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _sound_end(file, size, 8, little(head[4:8]) or 1 << 62)
    if head[:4] in _CHUNKS:
        return _chunk_end(file, size, *_CHUNKS[head[:4]])
    if head[:4] == b".snd":
        return _sound_end(file, size, big(head[4:8]), big(head[8:12]))
    if head[:4] == b"OggS":
        return _ogg_end(file, size)
    if found := _MATROSKA_SIZE.match(head):
        return found.end() + big(found[1]) if found[1] != b"\xff" * 7 else 0
    if found := _ASF_SIZE.match(head):  # FFmpeg trusts the disk instead
        return 0 if found[2][0] & 1 else little(found[1])
    tag = 10 + int("".join(f"{byte:07b}" for byte in head[6:10]), 2) if head[:3] == b"ID3" else 0
    file.seek(tag)
    found = _MP3_SIZE.match(file.read(256))
    flags, first, second = struct.unpack(">3I", found[1]) if found else (0, 0, 0)
    promise = {2: first, 3: second}.get(flags & 3, 0)
    return tag + promise if promise > (size - tag) * 1.01 else 0  # some encoders count their own tags


def _chunk_end(file, size, at, name_bytes, size_bytes, order, padding, counted, sound):
    """Return where the chunk of sound ends that a walk from chunk to chunk leads to."""
    size64 = 0
    for _ in range(_MOST_CHUNKS):
        start = at + name_bytes + size_bytes
        if start > size:
            break
        file.seek(at)
        name, length = file.read(name_bytes), int.from_bytes(file.read(size_bytes), order) - counted
        if name == b"\0":  # that is how a Creative Voice file ends
            break
        if name == b"ds64":  # RF64: the real size of the chunk of sound that follows
            size64 = int.from_bytes(file.read(16)[8:], order)
        if name[:4] == sound:
            return _sound_end(file, size, start, size64 or length)
        at = start + max(0, length)
        at += -at % padding
    if sound:
        raise ValueError("not audio, or damaged: its header leads to no sound")
    return at


def _sound_end(file, size, start, length):
    """Return where a chunk of sound ends, ``None`` where its length is none; refuse sound that goes on after it."""
    end = start + length
    if end > size:
        return None if any(low <= length < high for low, high in _PLACEHOLDERS) else end
    file.seek(end)
    rest = file.read(1 << 20)
    more = size - end > length // 100 and rest.strip(b"\0") and not _NEXT_CHUNK.match(rest)
    if length and more:
        raise ValueError(f"its header says {length} bytes of sound, but {size - end} more follow: a size that was "
                         "not brought up to date, or that wrapped at 4 GiB")
    if not length and not more:
        raise ValueError("empty, holds no samples")
    return end if length else None


def _ogg_end(file, size):
    """Return where the last page of an Ogg file should end: its length is the sum of up to 255 bytes in its head."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        begins = [flags[0] & 2 for flags in re.findall(rb"OggS\0(.)", content, re.DOTALL)]
        if begins != sorted(begins, reverse=True):
            raise ValueError("several recordings one after the other in one file (chained Ogg): split it")
        page = max(0, content.rfind(b"OggS", max(0, size - 2 * _OGG_PAGE)))
        head = content[page : page + 27 + 255]
    lengths = head[27:][: head[26]] if len(head) > 26 else b""
    return page + 27 + head[26] + sum(lengths) if lengths else 0
