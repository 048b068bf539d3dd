"""JupyterLab on a working copy of the notebooks: what is run and saved there changes no file of the project."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256

from ..errors import DevidError
from ..files import read_json, write_json
from .session import PROJECT

COPIES = "copies.json"  # what the working copy was when it was made
MAP = "00_start_here.ipynb"


def refresh_lab(notebooks, lab):
    """Bring the working copy of a folder of notebooks up to date without losing changes.

    Returns one sentence for every notebook that was changed on both sides: the new one lies beside it.
    """
    try:
        known, notes = read_json(lab / COPIES), []
    except DevidError as error:
        known, notes = {}, [f"{error}: every notebook counts as changed"]
    for source in sorted([*notebooks.glob("*.ipynb"), *notebooks.glob("solutions/*.ipynb")]):
        name = source.relative_to(notebooks).as_posix()
        copy, new, before = lab / name, sha256(source.read_bytes()).hexdigest(), known.get(name, {})
        if copy.exists() and content(copy) != before.get("content"):
            if before.get("source") == new:
                continue  # changed here, and not in the project
            beside = (copy.with_name(f"{copy.stem}-new{number or ''}.ipynb") for number in itertools.count())
            copy = next(path for path in beside if not path.exists() or content(path) == before.get("content"))
            notes.append(f"{name} was changed here and in the project: the project's is {copy.name}")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
        known[name] = {"source": new, "content": content(source)}
    write_json(lab / COPIES, known)
    return notes


def content(path):
    """Return a checksum of what somebody has written into a notebook: its cells, without what running them adds."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError):
        return "damaged"
    texts = [["".join(cell["source"]), cell["cell_type"]] for cell in cells]
    return sha256(json.dumps(texts).encode()).hexdigest()


def open_lab():
    """Refresh ``lab/`` and open JupyterLab on the map of the notebooks; return its exit status."""
    for note in refresh_lab(PROJECT / "notebooks", PROJECT / "lab"):
        print(note)
    (PROJECT / "runs").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "jupyter", "lab", f"--ServerApp.root_dir={PROJECT}"]
    command += [f"--LabApp.default_url=/lab/tree/lab/{MAP}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # as in containers
    return subprocess.call(command, cwd=PROJECT)
