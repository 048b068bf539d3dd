"""The run folder: metrics, predictions, models, figures and where they come from."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from .errors import DevidError
from .files import atomic_path

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

# Accuracies printed in the paper, as fractions: (table, system, variant, unit). The variant is the noise extraction.
PAPER = {
    ("II", "softmax", "wavelet", "segment"): 0.87,
    ("II", "mlp-1", "wavelet", "segment"): 0.92,
    ("II", "mlp-2", "wavelet", "segment"): 0.91,
    ("II", "mlp-3", "wavelet", "segment"): 0.93,
    ("III", "softmax", "none", "segment"): 0.79,
    ("III", "mlp-3", "none", "segment"): 0.84,
    ("III", "cnn", "none", "segment"): 0.90,
    ("IV", "mlp-1", "wavelet", "segment"): 0.92,
    ("IV", "mlp-2", "wavelet", "segment"): 0.91,
    ("IV", "mlp-3", "wavelet", "segment"): 0.93,
    ("IV", "averaged-mlp-1", "wavelet", "segment"): 0.92,
    ("IV", "averaged-mlp-2", "wavelet", "segment"): 0.92,
    ("IV", "averaged-mlp-3", "wavelet", "segment"): 0.93,
    ("V", "mlp-3", "wavelet", "vote3"): 0.96,
    ("V", "mlp-3", "wavelet", "vote4"): 0.98,
    ("V", "mlp-3", "wavelet", "vote5"): 0.99,
}
# Table VI of the paper, its nine devices in its own order.
PAPER_TABLE_VI = pd.DataFrame(
    {
        "precision": [0.96, 0.83, 0.98, 0.85, 0.99, 0.98, 0.98, 0.87, 0.93, 0.93],
        "recall": [0.99, 0.95, 0.92, 0.95, 0.89, 0.82, 1.00, 0.81, 1.00, 0.93],
        "f1": [0.98, 0.89, 0.95, 0.90, 0.94, 0.89, 0.99, 0.84, 0.96, 0.93],
    },
    index=["aigo", "Allbar", "HYUNDAI", "JWD", "LG", "OLYMPUS", "PHILIPS", "Shinco", "SONY", "average"],
)


def open_run(run_dir):
    """Make the run folder and its sub-folders where they are missing; return its path."""
    run = Path(run_dir)
    try:
        for name in ("metrics", "predictions", "figures", "models", "notebooks", "report", "conclusions"):
            (run / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DevidError(f"{run}: cannot make the run folder: {error.strerror}") from error
    return run


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
        All rows of the run.
    """
    rows = rows.assign(notebook=notebook).reindex(columns=COLUMNS)
    with atomic_path(run / "metrics" / f"{notebook}.csv") as temporary:
        rows.to_csv(temporary, index=False)
    results = pd.concat([read_table(path) for path in sorted((run / "metrics").glob("[!.]*.csv"))], ignore_index=True)
    with atomic_path(run / "results.csv") as temporary:
        results.to_csv(temporary, index=False)
    return results


def read_table(path):
    """Read a table of metrics; empty text stays empty text."""
    numbers = {name: [""] for name in ("value", "low", "high", "n", "chance", "paper", "seed")}
    words = {name: str for name in COLUMNS if name not in numbers}
    return pd.read_csv(path, dtype=words, keep_default_na=False, na_values=numbers)


def save_predictions(run, notebook, system, predictions):
    """Write a prediction table as ``predictions/<notebook>-<system>.parquet``."""
    with atomic_path(run / "predictions" / f"{notebook}-{system}.parquet") as temporary:
        predictions.to_parquet(temporary)


def save_model(run, system, model, history, settings):
    """Write a trained model, its learning curve and the settings that made it; the settings come last."""
    folder = run / "models"
    (folder / f"{system}.json").unlink(missing_ok=True)  # what is half replaced must not pass for the old one
    with atomic_path(folder / f"{system}.keras") as temporary:
        model.save(temporary)
    with atomic_path(folder / f"{system}-history.csv") as temporary:
        history.to_csv(temporary, index=False)
    write_json(folder / f"{system}.json", {"settings": settings, "history": history.attrs})


def load_model(run, system, settings):
    """Read a model that the same settings made, else return None.

    Parameters
    ----------
    run : Path
        Run folder.
    system : str
        Name it was saved under.
    settings : dict
        Compared with those saved.

    Returns
    -------
    model, history : keras.Model and pandas.DataFrame, or None
        Loaded in Keras's safe mode: no code from the file is run.
    """
    from .models import import_keras

    folder = run / "models"
    saved = read_json(folder / f"{system}.json")
    if saved.get("settings") != json.loads(json.dumps(settings, default=str)):
        return None
    history = pd.read_csv(folder / f"{system}-history.csv")
    history.attrs |= saved["history"]
    return import_keras().saving.load_model(folder / f"{system}.keras", compile=False, safe_mode=True), history


def save_figure(run, notebook, name, figure, *, caption=""):
    """Write a figure as PNG and SVG, and its caption as text: ``figures/<notebook>-<name>``."""
    with atomic_path(run / "figures" / f"{notebook}-{name}.txt") as temporary:
        temporary.write_text(caption, encoding="utf-8")
    for suffix in ("png", "svg"):
        with atomic_path(run / "figures" / f"{notebook}-{name}.{suffix}") as temporary:
            figure.savefig(
                temporary, dpi=130, bbox_inches="tight", metadata={"Date": None} if suffix == "svg" else None
            )


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
