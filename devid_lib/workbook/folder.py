"""The run folder: recordings, metrics, predictions, models, figures and where they come from."""

import hashlib
import json
import platform
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
from filelock import FileLock

from ..errors import DevidError
from ..files import atomic_path
from ..models import import_keras

COLUMNS = [
    "notebook",
    "table",
    "system",
    "variant",
    "corpus",
    "unit",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "chance",
    "paper",
    "seed",
]
PACKAGES = [
    "numpy",
    "scipy",
    "pandas",
    "PyWavelets",
    "soundfile",
    "soxr",
    "av",
    "scikit-learn",
    "tensorflow-cpu",
    "tensorflow",
    "keras",
]

FOLDERS = ("metrics", "predictions", "figures", "models", "notebooks", "report", "conclusions")


def open_run(run_dir):
    """Make the run folder and its sub-folders where they are missing; return its path."""
    run = Path(run_dir)
    try:
        for name in FOLDERS:
            (run / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DevidError(f"{run}: cannot make the run folder: {error.strerror}") from error
    return run


@contextmanager
def locked(run, name):
    """Let one process at a time do something in a run folder; the others wait until it has been done."""
    with FileLock(run / "models" / f".{name}.lock"):
        yield


def save_metrics(run, notebook, rows):
    """Write the metric rows of one notebook and gather those of all into ``results.csv``.

    Parameters
    ----------
    run : Path
        Run folder.
    notebook : str
        Name without suffix; rows saved earlier under the same name are replaced.
    rows : pandas.DataFrame
        With (some of) the `COLUMNS`.

    Returns
    -------
    results : pandas.DataFrame
        All rows of the run, by notebook.
    """
    rows = rows.assign(notebook=notebook).reindex(columns=COLUMNS)
    with atomic_path(run / "metrics" / f"{notebook}.csv") as temporary:
        rows.to_csv(temporary, index=False)
    with locked(run, "results"):
        parts = [read_table(path) for path in sorted((run / "metrics").glob("[!.]*.csv"))]
        results = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
        with atomic_path(run / "results.csv") as temporary:
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
    with atomic_path(run / "predictions" / f"{notebook}-{system}.parquet") as temporary:
        predictions.to_parquet(temporary)


def save_model(run, name, model, history, predictions, settings):
    """Write a trained model, its learning curve, its test predictions and the settings that made it, which come last.

    Parameters
    ----------
    run : Path
        Run folder.
    name : str
        File name without suffix, one for each set of settings.
    model : keras.Model
    history : pandas.DataFrame
        From `training.fit`.
    predictions : pandas.DataFrame
        From `training.predict`.
    settings : dict
    """
    folder = run / "models"
    with atomic_path(folder / f"{name}.keras") as temporary:
        model.save(temporary)
    with atomic_path(folder / f"{name}-history.csv") as temporary:
        history.to_csv(temporary, index=False)
    with atomic_path(folder / f"{name}.parquet") as temporary:
        predictions.to_parquet(temporary)
    write_json(folder / f"{name}.json", {"settings": settings, "history": history.attrs})


def has_model(run, name, settings):
    """Return whether the run folder holds a model that these settings made."""
    saved = read_json(run / "models" / f"{name}.json").get("settings")
    return saved is not None and saved == json.loads(json.dumps(settings, default=str))


def load_model(run, name):
    """Return a saved model and its learning curve. Keras's safe mode runs no code from the file."""
    folder = run / "models"
    history = pd.read_csv(folder / f"{name}-history.csv")
    history.attrs |= read_json(folder / f"{name}.json")["history"]
    return import_keras().saving.load_model(folder / f"{name}.keras", compile=False, safe_mode=True), history


def load_predictions(run, name):
    """Return the test predictions of a saved model, without TensorFlow."""
    return pd.read_parquet(run / "models" / f"{name}.parquet")


def save_recordings(run, recordings):
    """Write ``recordings.csv``, what was trained on and tested, with every file's SHA-256; once in a run folder."""
    columns = ["path", "device", "recording", "split", "samplerate", "duration_s", "session", "checksum"]
    with locked(run, "recordings"):
        if not (run / "recordings.csv").exists():
            digests = [sha256_of(path) for path in recordings["path"]]
            short = ["/".join(Path(path).parts[-2:]) for path in recordings["path"]]
            with atomic_path(run / "recordings.csv") as temporary:
                recordings[columns].assign(path=short, file_sha256=digests).to_csv(temporary, index=False)


def sha256_of(path):
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_figure(run, notebook, name, figure, *, caption=""):
    """Write a figure as PNG and SVG, and its caption as text: ``figures/<notebook>-<name>``."""
    with atomic_path(run / "figures" / f"{notebook}-{name}.txt") as temporary:
        temporary.write_text(caption, encoding="utf-8")
    for suffix in ("png", "svg"):
        with atomic_path(run / "figures" / f"{notebook}-{name}.{suffix}") as temporary:
            figure.savefig(
                temporary, dpi=130, bbox_inches="tight", metadata={"Date": None} if suffix == "svg" else None
            )
        figure.set_layout_engine("none")  # laid out once, it stays as it is: again for every format takes as long


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


def write_json(path, content):
    """Write JSON whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, default=str))


def read_json(path):
    """Read JSON; a missing file is an empty dictionary."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise DevidError(f"{path}: cannot be read: {error}") from error
