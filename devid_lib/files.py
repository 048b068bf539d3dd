"""Write a file or a folder whole or not at all; send chatter to a file."""

import os
import shutil
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import DevidError


@contextmanager
def atomic_path(path):
    """Yield a temporary path beside ``path`` and rename it to ``path`` when the block ends well.

    Parameters
    ----------
    path : str or Path
        The file or folder to be. Missing parent folders are made.

    Yields
    ------
    temporary : Path
        Same folder and same suffix as ``path``; the block writes a file or makes a folder there.

    Raises
    ------
    DevidError
        If the operating system refuses to write, for one because the disk is full. Names ``path``.

    Notes
    -----
    Whatever happens in the block (an error, Ctrl-C), the temporary file or folder is removed.
    """
    path = Path(path)
    temporary = path.with_name(f".tmp{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(temporary)  # a killed process of the same number may have left one
        yield temporary
        if temporary.is_dir() and path.is_dir():
            shutil.rmtree(path)  # a folder cannot be renamed onto a folder that has files
        os.replace(temporary, path)
    except OSError as error:
        raise DevidError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        remove(temporary)


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
