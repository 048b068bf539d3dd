"""Bring a file here, going on where it broke off, and unpack it where it can do no harm."""

import errno
import functools
import hashlib
import lzma
import os
import re
import shutil
import stat
import tarfile
import time
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..errors import CorpusError
from ..progress import progress

ATTEMPTS, PAUSE_S = 5, 2.0  # at most so many without a byte more, and the time between two
BLOCK = 2**20  # bytes
MEMBERS = 100_000  # no corpus has more files
DOCUMENTS = re.compile(r"(licen[cs]e|readme|copying)(\.\w+)?", re.IGNORECASE)  # unpacked too
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError)  # last: a secret
NO_DISK = (None, errno.EINVAL)  # errors of the operating system that are none of the disk's: readers raise them, too


def fetch(url, path, *, checksum="", limit):
    """Download a file; a second try goes on where the first broke off.

    What has arrived so far is kept beside the file to be, with ``.part`` at its end. ``checksum`` is as pooch takes it,
    for example ``md5:...``; empty = the file is not checked. CorpusError says that the server refuses, breaks off
    several times, sends more than ``limit`` [bytes] or something else, or that the disk is full.
    """
    import pooch  # these two take half a second to import
    import requests

    path = Path(path)
    part = path.with_name(path.name + ".part")
    pooch.get_logger().setLevel("WARNING")
    try:
        options = {"fname": path.name, "path": path.parent, "downloader": _resuming(part, limit)}
        pooch.retrieve(url, checksum or None, **options)
    except requests.RequestException as error:
        there = f"; {megabytes(_size(part))} are here, the same command goes on from there" if _size(part) else ""
        raise CorpusError(f"{url}: cannot be downloaded: {error}{there}") from error
    except ValueError:
        raise CorpusError(f"{url}: what arrived does not have the checksum {checksum}: it was thrown away") from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be written: {error.strerror or error}; what has arrived is kept, the same "
                          "command goes on from there") from error


def _resuming(part, limit):
    """Return a downloader for pooch that appends to ``part`` and gives it its name when it is whole."""
    import requests

    def go_on(url):
        """Ask for what is missing; raise RequestException where less came than was announced."""
        have = _size(part)
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
            told = answer.headers.get("Content-Range", "")
            if answer.status_code == 416 and told == f"bytes */{have}":
                return  # nothing comes after what is there: it is whole
            if answer.status_code == 416 or (answer.status_code == 206 and not told.startswith(f"bytes {have}-")):
                part.unlink(missing_ok=True)
                raise requests.ConnectionError(f"what is here does not belong to what the server has ({told})")
            answer.raise_for_status()
            have = have if answer.status_code == 206 else 0  # from the start, where the server cannot do otherwise
            length = answer.headers.get("Content-Length", "")
            total = have + int(length) if length.isdecimal() else None
            answer.raw.enforce_content_length = False  # else the block in which it breaks off is lost; counted below
            _append(answer, part, have=have, total=total, limit=limit)
        if total is not None and _size(part) < total:
            raise requests.ConnectionError(f"{_size(part)} of {total} bytes arrived")

    def download(url, output_file, _):
        tries, furthest = 0, 0
        while True:
            try:
                go_on(url)
                break
            except requests.RequestException as error:
                refused = error.response is not None and error.response.status_code < 500
                tries = tries + 1 if _size(part) <= furthest else 1
                furthest = max(furthest, _size(part))
                if refused or tries >= ATTEMPTS:
                    raise
                time.sleep(PAUSE_S)
        os.replace(part, output_file)

    return download


def _append(answer, part, *, have, total, limit):
    """Write what arrives behind the first bytes of a file, or refuse what is more than the limit."""
    blocks = -(-((total or limit) - have) // BLOCK)
    with open(part, "ab" if have else "wb") as file:
        for block in progress(answer.iter_content(BLOCK), label=f"{part.stem} [MiB]", total=blocks):
            have += len(block)
            if have > limit:
                break
            file.write(block)
    if have > limit:
        part.unlink()
        raise CorpusError(f"{answer.url}: sends more than the {megabytes(limit)} that it should have")


def unpack(archive, folder, *, keep, strip=0, limit):
    """Unpack the wanted files of a ZIP or tar archive, after all its members have been looked at.

    ``keep`` is a regular expression of their paths without the first ``strip`` folders; licence and README are wanted
    too. CorpusError says that the archive is damaged, or that a member is a link or a device, has an absolute path or
    one that leads out of the folder, or the name of another, or that they are too many, or more than ``limit`` [bytes]:
    nothing is written then.
    """
    try:
        with _opened(archive) as members:
            seen, wanted, total = set(), [], 0
            for count, (name, kind, size, read) in enumerate(members):
                if reason := _harm(name, kind) or ("is there twice" if name in seen else ""):
                    raise CorpusError(f"{archive}: {ascii(name)} {reason}: nothing was unpacked")
                seen.add(name)
                path = PurePosixPath(*PurePosixPath(unicodedata.normalize("NFC", name)).parts[strip:])
                if kind == "file" and (re.fullmatch(keep, str(path)) or DOCUMENTS.fullmatch(str(path))):
                    wanted.append((Path(folder, *path.parts), read))
                    total += size
                if total > limit or count >= MEMBERS:
                    raise CorpusError(f"{archive}: holds more than {megabytes(limit)} or {MEMBERS} members: "
                                      "nothing was unpacked")
            for path, read in progress(wanted, label="unpacking, files"):
                path.parent.mkdir(parents=True, exist_ok=True)
                with read() as source, open(path, "xb") as file:
                    shutil.copyfileobj(source, file, BLOCK)
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno not in NO_DISK:
            raise
        raise CorpusError(f"{archive}: is damaged: {error or type(error).__name__}") from error


@contextmanager
def _opened(archive):
    """Yield the members of an archive, one after the other: name, kind, size [bytes] and what opens it."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            yield (_zip_member(file, info) for info in file.infolist())
    else:
        with tarfile.open(archive) as file:
            yield (_tar_member(file, info) for info in file)


def _zip_member(file, info):
    mode = info.external_attr >> 16
    plain = stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR)
    kind = "folder" if info.is_dir() else "file" if plain else "other"
    return info.filename, kind, info.file_size, functools.partial(file.open, info)


def _tar_member(file, info):
    kind = "folder" if info.isdir() else "file" if info.isreg() and not info.issparse() else "other"
    return info.name, kind, info.size, functools.partial(file.extractfile, info)


def _harm(name, kind):
    """Return why a member of an archive is refused, or an empty string."""
    if kind == "other":
        return "is a link or a device"
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return "is an absolute path"
    if ".." in PurePosixPath(name).parts or "\\" in name or not name.isprintable():
        return "is no path inside the folder"
    return ""


def contents(folder, keep):
    """Return the SHA-256 of what files contain: of sorted lines "<git's name of the content> <path>".

    ``keep`` is a regular expression of paths seen from the folder. ``git ls-tree -r`` has the same lines for a commit,
    so that it can be checked without the files. The archives that GitHub makes have no checksum that stays.
    """
    lines = []
    for path in progress([path for path in Path(folder).rglob("*") if path.is_file()], label="checking, files"):
        name = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
        if re.fullmatch(keep, name):
            content = path.read_bytes()
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            lines.append(f"{blob} {name}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def megabytes(size):
    """Return a number of bytes in words.

    >>> megabytes(521_400_000), megabytes(16_060_000_000)
    ('521 MB', '16.1 GB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size} bytes"


def _size(path):
    return path.stat().st_size if path.exists() else 0
