"""The run folder: recordings, metrics, predictions, models, figures and where they come from."""

import json
import os
import platform
import time
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from .. import files
from ..errors import DevidError
from ..evaluation import KEYS
from ..files import atomic_path, read_json, sealed, sha256_of, write_json
from ..models import import_keras

COLUMNS = ["notebook", "table", "system", "variant", "corpus", "unit", "metric", "value", "low", "high", "n", "chance",
           "paper", "seed"]  # fmt: skip
PACKAGES = ["numpy", "scipy", "pandas", "PyWavelets", "soundfile", "soxr", "av", "scikit-learn", "tensorflow-cpu",
            "tensorflow", "keras"]  # fmt: skip
MODEL = (".keras", "-history.csv", ".parquet", ".json")  # what a fitted model is kept in
FOLDERS = ("metrics", "predictions", "figures", "models", "notebooks", "report", "conclusions")


@contextmanager
def claimed(run):
    """Hold a run folder for one ``devid run`` while the block runs; a second one is refused and told of the first.

    The folder is made where it is missing and removed where the block leaves it empty. Raises DevidError if another
    process holds it, or it cannot be made.
    """
    lock, owner = FileLock(run / ".lock", blocking=False), run / ".owner"  # the lock's own content gets lost
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        owner.write_text(f"process {os.getpid()} on {platform.node()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
    except Timeout:
        first = owner.read_text() if owner.exists() else "just started"
        raise DevidError(f"{run}: another devid run is at work there ({first})") from None
    except OSError as error:
        raise DevidError(f"{run}: cannot make the run folder: {error.strerror}") from error
    try:
        yield
    finally:
        files.remove(owner)
        with suppress(OSError):  # somebody has removed the folder
            if [path.name for path in run.iterdir()] == [".lock"]:
                files.remove(run / ".lock")
        lock.release()
        with suppress(OSError):  # it is not empty
            run.rmdir()


def set_aside(run):
    """Move a run whose ``run.json`` cannot be believed out of the way, so that nothing of it gets into the next."""
    try:
        if read_json(run / "run.json") or not any((run / "metrics").glob("[!.]*")):
            return
        reason = f"{run}: has tables, and no run.json that says of what"
    except DevidError as error:
        reason = error
    aside = run / f"damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    aside.mkdir()
    for path in [run / name for name in (*FOLDERS, "run.json", "results.csv", "recordings.csv")]:
        if path.exists():
            os.replace(path, aside / path.name)
    print(f"Note: {reason}: what was there is in {aside.name}, everything is made again", flush=True)


def locked(run, name):
    """Let one process at a time do something in a run folder; the others wait until it has been done."""
    return files.locked(run / "models" / f".{name}.lock")


@contextmanager
def kept(run, notebook, name):
    """Yield a temporary path for a file of a run; ``run.json`` then knows who made it, and its SHA-256.

    ``notebook`` is who makes it, empty for what is not a notebook's own; ``name`` a path in the folder, with slashes.
    """
    with atomic_path(run / name) as temporary:
        yield temporary
        digest = sha256_of(temporary)
    update_run(run, files={name: [notebook, digest]})


def damaged(run, names):
    """Return those files of a run that are not as `kept` left them: changed, gone, or not known to ``run.json``."""
    known = read_json(run / "run.json").get("files", {})
    found = []
    for name in names:
        try:
            files.check(run / name, known.get(name, ["", ""])[1])
        except DevidError:
            found.append(name)
    return found


def believed(run, *names):
    """Return whether files of a run are there as `kept` left them; say so where they are there and are not."""
    broken = damaged(run, names)
    if broken and (run / names[-1]).exists():
        print(f"Note: {run / broken[0]}: is not as it was written: made again", flush=True)
    return not broken


def save_metrics(run, notebook, rows):
    """Write the metric rows of one notebook in place of its earlier ones; return those of all, see `gather`.

    ``rows`` is a pandas.DataFrame with (some of) the `COLUMNS`.
    """
    rows = rows.assign(notebook=notebook).reindex(columns=COLUMNS)
    with kept(run, notebook, f"metrics/{notebook}.csv") as temporary:
        rows.to_csv(temporary, index=False)
    return gather(run)


def gather(run):
    """Write ``results.csv``, the metrics of all notebooks that are as they were written, and return it."""
    with locked(run, "results"):
        names = [f"metrics/{path.name}" for path in sorted((run / "metrics").glob("[!.]*.csv"))]
        broken = damaged(run, names)
        parts = [read_table(run / name) for name in names if name not in broken] or [pd.DataFrame(columns=COLUMNS)]
        results = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
        with kept(run, "", "results.csv") as temporary:
            results.to_csv(temporary, index=False)
    return results


def read_table(path):
    """Read a table of metrics; empty text stays empty text."""
    numbers = {name: [""] for name in ("value", "low", "high", "n", "chance", "paper", "seed")}
    words = {name: str for name in COLUMNS if name not in numbers}
    try:
        return pd.read_csv(path, dtype=words, keep_default_na=False, na_values=numbers)
    except (OSError, ValueError) as error:
        raise DevidError(f"{path}: cannot be read: {error}") from error


def save_predictions(run, notebook, system, predictions):
    """Write a prediction table as ``predictions/<notebook>-<system>.parquet``."""
    with kept(run, notebook, f"predictions/{notebook}-{system}.parquet") as temporary:
        predictions.to_parquet(temporary)


def save_model(run, notebook, name, model, history, predictions, settings):
    """Write a trained model, its learning curve, its test predictions and, last, what made it and what it takes.

    ``name`` is a file name without suffix, one for each set of ``settings``; ``notebook`` is who fitted it.
    """
    content = {"settings": settings, "devices": [name for name in predictions if name not in KEYS]}
    content |= {"input_shape": model.input_shape, "output_shape": model.output_shape, "history": history.attrs}
    writers = (
        model.save,
        lambda path: history.to_csv(path, index=False),
        predictions.to_parquet,
        lambda path: path.write_text(sealed(content)),
    )
    for ending, write in zip(MODEL, writers, strict=True):
        with kept(run, notebook, f"models/{name}{ending}") as temporary:
            write(temporary)


def has_model(run, name, settings):
    """Return whether the run folder holds a model that these settings made, whole."""
    if not believed(run, *(f"models/{name}{ending}" for ending in MODEL)):
        return False
    return read_json(run / "models" / f"{name}.json")["settings"] == json.loads(json.dumps(settings, default=str))


def load_model(run, name):
    """Return a saved model and its learning curve. Keras's safe mode runs no code from the file.

    If this version of Keras cannot open it, or it takes or gives other shapes than were saved, DevidError is raised.
    """
    path, content = run / "models" / f"{name}.keras", read_json(run / "models" / f"{name}.json")
    history = pd.read_csv(run / "models" / f"{name}-history.csv")
    history.attrs |= content["history"]
    try:
        model = import_keras().saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its parts raise
        raise DevidError(f"{path}: cannot be opened: {error}") from error
    if [list(model.input_shape), list(model.output_shape)] != [content["input_shape"], content["output_shape"]]:
        raise DevidError(f"{path}: takes {model.input_shape} and gives {model.output_shape}, unlike what was saved")
    return model, history


def save_recordings(run, recordings):
    """Write ``recordings.csv``, what was trained on and tested, with every file's SHA-256; once in a run folder."""
    columns = ["path", "device", "recording", "split", "samplerate", "duration_s", "session", "checksum"]
    with locked(run, "recordings"):
        if not believed(run, "recordings.csv"):
            digests = [sha256_of(path) for path in recordings["path"]]
            short = ["/".join(Path(path).parts[-2:]) for path in recordings["path"]]
            with kept(run, "", "recordings.csv") as temporary:
                recordings[columns].assign(path=short, file_sha256=digests).to_csv(temporary, index=False)


def save_figure(run, notebook, name, figure, *, caption=""):
    """Write a figure as PNG and SVG, and its caption as text: ``figures/<notebook>-<name>``; return the PNG's path."""
    with kept(run, notebook, f"figures/{notebook}-{name}.txt") as temporary:
        temporary.write_text(caption, encoding="utf-8")
    for suffix in ("png", "svg"):
        with kept(run, notebook, f"figures/{notebook}-{name}.{suffix}") as temporary:
            undated = {"Date": None} if suffix == "svg" else None
            figure.savefig(temporary, dpi=130, bbox_inches="tight", metadata=undated)
        figure.set_layout_engine("none")  # laid out once, it stays as it is: again for every format takes as long
    return run / f"figures/{notebook}-{name}.png"


def versions():
    """Return the versions of Python and of the packages that make the numbers."""
    found = {"python": platform.python_version(), "devid": version("devid")}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # tensorflow or tensorflow-cpu, whichever is not installed
            continue
    return found


def update_run(run, **content):
    """Merge into ``run.json``: dictionaries are merged one level deep, the rest is replaced."""
    with locked(run, "run"):
        saved = read_json(run / "run.json")
        for key, value in content.items():
            saved[key] = saved.get(key, {}) | value if isinstance(value, dict) else value
        write_json(run / "run.json", saved)
    return saved
