"""Write a file or a folder whole or not at all, believe only what was written, let one do what others wait for."""

import functools
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import sys
import time
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock

from .errors import DevidError

HOST = f"{zlib.crc32(platform.node().encode()):08x}"  # process numbers of other machines on a shared disk mean nothing
FOREIGN_S = 86400.0  # a temporary file of this age belongs to nobody, whatever machine it is from
COUNT = itertools.count()
NOT_UTF8 = "its name is not valid UTF-8 and has to be changed"


@contextmanager
def atomic_path(path):
    """Yield a temporary path beside ``path`` and rename it to ``path`` when the block ends well.

    The block writes a file, or makes a folder, under that path, which has the suffix of ``path``; missing parent
    folders are made. DevidError names ``path`` if the operating system refuses to write. Whatever happens in the block
    (an error, Ctrl-C), what is under the temporary path is removed; what a killed process leaves is for `sweep`. The
    content is on the disk before the name is, so that a power cut leaves no empty file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(f"{folder}/new/table.csv") as temporary:
    ...         _ = temporary.write_text("a,b")
    ...     Path(folder, "new", "table.csv").read_text()
    'a,b'
    """
    path = Path(path)
    temporary = path.with_name(f".tmp{HOST}-{os.getpid()}-{next(COUNT)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        for file in [part for part in temporary.rglob("*") if part.is_file()] if temporary.is_dir() else [temporary]:
            with open(file, "rb+") as written:
                os.fsync(written.fileno())
        if temporary.is_dir():
            remove(path)  # a folder cannot be renamed onto a folder that has files
        os.replace(temporary, path)
    except OSError as error:
        raise DevidError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        remove(temporary)


def sweep(folder):
    """Remove the temporary files and folders, at any depth, whose processes are gone; the folder need not be there."""
    for path in Path(folder).rglob(".tmp*"):
        ours = re.fullmatch(r"\.tmp([0-9a-f]{8})-(\d+)-\d+(\..*)?", path.name)
        with suppress(OSError):  # another process sweeps too
            written = path.stat().st_mtime
            old = time.time() - written > FOREIGN_S
            if ours and (old or (ours[1] == HOST and not _alive(int(ours[2]), written))):
                remove(path)


def _alive(process, written):
    """Return whether a process that wrote at a time still runs; its number may be another's by now."""
    try:
        return psutil.Process(process).create_time() < written + 2  # the two clocks differ a little
    except psutil.Error:
        return False


@contextmanager
def locked(path):
    """Let one process (or thread) at a time into the block; the others wait until it has left.

    Where the lock file cannot be written, as on a read-only disk, nobody waits: nothing can be written there anyway.
    """
    lock = FileLock(path)
    with suppress(OSError):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(poll_interval=0.01)
    try:
        yield
    finally:
        lock.release()


def sha256_of(path):
    """Return the SHA-256 of a file; OSError is raised where it cannot be read."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp(path):
    """Return what the file system changes when a file is written: size, two times [ns], inode (a copy has its own)."""
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def check(path, digest):
    """Raise DevidError unless a file is there and has this SHA-256; read once a process while its stamp stays."""
    try:
        reason = "" if _read_once(path, *stamp(path)) == digest else "is not as it was written"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    if reason:
        raise DevidError(f"{path}: {reason}")


@functools.lru_cache(1000)
def _read_once(path, *_):
    return sha256_of(path)


def write_json(path, content):
    """Write a dictionary as JSON, with a checksum of itself, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(sealed(content), encoding="utf-8")


def sealed(content):
    """Return a dictionary as JSON with a checksum of itself, for `read_json`; what is no JSON becomes text."""
    content = json.loads(json.dumps(content, default=str))
    return json.dumps(content | {"checksum": _checksum(content)}, indent=1)


def read_json(path):
    """Return what `write_json` wrote, an empty dictionary where there is no file.

    DevidError names ``path`` if it is anything else: damaged, edited, another's, or of a version without checksums.

    >>> read_json("nowhere.json")
    {}
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.pop("checksum", None) != _checksum(content):
            raise ValueError("not as it was written, or by another version")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DevidError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return content


def _checksum(content):
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@contextmanager
def stderr_to(path):
    """Append what this process and its children write to standard error to a file while the block runs."""
    sys.stderr.flush()
    before = os.dup(2)
    with open(path, "ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def remove(path):
    """Remove a file or a folder, whichever is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # its folder may be a file, or gone
            path.unlink(missing_ok=True)


def readable(name):
    r"""Return a file's name or path as a text that can be printed, whatever bytes it is made of.

    >>> print(readable(os.fsdecode(b"caf\xe9.wav")))
    caf\xe9.wav
    """
    return os.fsencode(name).decode(errors="backslashreplace")
