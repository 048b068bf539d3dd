"""What every notebook does the same way: check its parameters, load its inputs, score and save."""

import ast
import difflib
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from . import evaluation, models, results, training
from .corpus import corpus_checksum, load_corpus
from .dataset import build_dataset
from .errors import ParameterError

# name: (default, allowed values or smallest value, help). The parameters cell of every notebook is made from this.
PARAMETERS = {
    "corpus": ("simulated", None, "simulated, simulated-control, a folder or a CSV of recordings"),
    "run_dir": ("runs/lab", None, "folder for results, from the project's folder"),
    "data_dir": ("data", None, "folder for the simulated corpus and the cache"),
    "seed": (0, 0, "one seed gives one result"),
    "recording_minutes": (6.5, 0.02, "length of a simulated recording [min]"),
    "segment_length": (4096, 64, "[samples]"),
    "train_segments": (1000, 1, "segments per training recording"),
    "test_segments": (100, 1, "segments per test recording and voter"),
    "samplerate": (0, 0, "common rate [Hz], 0 for the lowest in the corpus"),
    "noise": ("wavelet", ("wavelet", "none"), "noise extraction, wavelet or none"),
    "wavelet": ("sym8", None, "any discrete wavelet of PyWavelets"),
    "level": (17, 1, "levels of the wavelet transform"),
    "threshold": ("minimaxi", ("rigrsure", "heursure", "sqtwolog", "minimaxi"), "rigrsure, heursure, sqtwolog or minimaxi"),
    "mode": ("soft", ("soft", "hard"), "soft or hard"),
    "rescale": ("sln", ("one", "sln", "mln"), "noise level, one, sln (finest level) or mln (each level)"),
    "recipe": ("default", tuple(training.RECIPES), "default, or published (selects on the test set)"),
    "epochs": (0, 0, "0 for the recipe's own"),
    "batch_size": (0, 0, "0 for the recipe's own"),
    "voters": (5, 1, "independent sets of test segments"),
    "test_recordings": ("", None, "names held out for every device, separated by commas"),
    "on_error": ("raise", ("raise", "skip"), "skip leaves bad recordings out and lists them"),
}
DATASET = ("segment_length", "train_segments", "test_segments", "noise", "wavelet", "level", "threshold", "mode", "rescale", "seed")
CORPUS = ("samplerate", "test_recordings", "segment_length", "on_error", "seed", "recording_minutes")


@dataclass(frozen=True)
class Session:
    """What a notebook was started with: its name, its run folder, its checked parameters, and when."""

    notebook: str
    run: Path
    params: dict
    started: float


def start(notebook, namespace):
    """Check the parameters, open the run folder, set the figure style and print the versions.

    Parameters
    ----------
    notebook : str
        Name of the notebook without suffix.
    namespace : dict
        The notebook's ``globals()``.

    Returns
    -------
    session : Session

    Raises
    ------
    ParameterError
        For a parameter that papermill injected under an unknown name, or a value that is not allowed.
    """
    from . import plots

    check_names(injected_names(namespace))
    params = check_params({name: namespace[name] for name in PARAMETERS if name in namespace})
    warnings.filterwarnings("ignore", message=".*IProgress.*")
    plots.set_style()
    session = Session(notebook, results.open_run(in_workspace(params["run_dir"])), params, time.perf_counter())
    found = results.versions()
    results.update_run(session.run, parameters=params, seed=params["seed"], versions=found)
    print(", ".join(f"{name} {number}" for name, number in found.items()))
    return session


def injected_names(namespace):
    """Return the names that papermill's injected cell assigns (its first line is ``# Parameters``)."""
    cells = [cell for cell in namespace.get("In", []) if cell.startswith("# Parameters")]
    return [node.targets[0].id for node in ast.parse("\n".join(cells[:1])).body if isinstance(node, ast.Assign)]


def check_names(names):
    """Raise ParameterError for the first unknown parameter name and say which one may have been meant."""
    for name in names:
        if name not in PARAMETERS:
            near = difflib.get_close_matches(name, PARAMETERS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(PARAMETERS)}"
            raise ParameterError(f"unknown parameter {name!r}: {hint}")


def check_params(values):
    """Return all parameters, defaults filled in, after checking types and values.

    Parameters
    ----------
    values : dict
        Some of the `PARAMETERS`.

    Returns
    -------
    params : dict

    Raises
    ------
    ParameterError
        Naming the parameter, its value and what is allowed.
    """
    check_names(values)
    params = {name: default for name, (default, _, _) in PARAMETERS.items()} | values
    for name, value in params.items():
        default, allowed, _ = PARAMETERS[name]
        kind = type(default)
        if kind is float and type(value) is int:
            params[name] = value = float(value)
        if type(value) is not kind:
            raise ParameterError(f"{name}={value!r} is a {type(value).__name__}, not a {kind.__name__}")
        if isinstance(allowed, tuple) and value not in allowed:
            raise ParameterError(f"{name}={value!r} is not one of {', '.join(allowed)}")
        if isinstance(allowed, (int, float)) and value < allowed:
            raise ParameterError(f"{name}={value!r} is below {allowed}")
    return params


def workspace():
    """Return the project's folder: ``DEVID_HOME``, or the nearest folder upwards that holds ``devid_lib``, or the current one."""
    if os.environ.get("DEVID_HOME"):
        return Path(os.environ["DEVID_HOME"])
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "devid_lib").is_dir()), here)


def in_workspace(path):
    """Return a path as given if absolute, else below the project's folder."""
    return workspace() / path


def corpus_source(source):
    """Return the corpus as given if it is a name or exists from here, else seen from the project's folder."""
    if source.startswith("simulated") or Path(source).exists():
        return source
    return str(in_workspace(source)) if in_workspace(source).exists() else source


def load_recordings(session):
    """Load the corpus that the parameters name, say what was changed or left out, and note its checksum.

    Parameters
    ----------
    session : Session

    Returns
    -------
    recordings : pandas.DataFrame
        From `corpus.load_corpus`.
    """
    params = session.params
    options = {name: params[name] for name in CORPUS}
    recordings = load_corpus(corpus_source(params["corpus"]), data_dir=in_workspace(params["data_dir"]), **options)
    for note in recordings.attrs["notes"]:
        print("Note:", note)
    for entry in recordings.attrs["skipped"]:
        print(f"Left out: {entry['path']}: {entry['reason']}")
    sides = recordings.groupby("split").size()
    print(f"{recordings.attrs['name']}: {recordings['device'].nunique()} devices, {sides['train']} training and "
          f"{sides['test']} test recordings, none on both sides")
    results.update_run(
        session.run,
        corpus={
            "name": recordings.attrs["name"],
            "checksum": corpus_checksum(recordings),
            "devices": int(recordings["device"].nunique()),
            "recordings": len(recordings),
            "hours": round(recordings["duration_s"].sum() / 3600, 3),
            "samplerate": int(recordings["samplerate"].iloc[0]),
            "notes": recordings.attrs["notes"],
            "skipped": [{"path": Path(entry["path"]).name, "reason": entry["reason"]} for entry in recordings.attrs["skipped"]],
        },
    )
    return recordings


def load_dataset(session, recordings, **changes):
    """Build the dataset that the parameters describe, or load it from the cache.

    Parameters
    ----------
    session : Session
    recordings : pandas.DataFrame
    **changes
        Arguments of `dataset.build_dataset` that differ from the parameters, for one ``noise="none"``.

    Returns
    -------
    dataset : Dataset
    """
    params = session.params
    options = {name: params[name] for name in DATASET}
    length = params["segment_length"] // (2 if changes.get("representation") == "halves" else 1)
    options |= {"draws": params["voters"], "scale": training.feature_scale(params["recipe"], length)}
    return build_dataset(recordings, data_dir=in_workspace(params["data_dir"]), **(options | changes))


def fitted(session, system, dataset):
    """Return a fitted model of one of the paper's systems, from the run folder where the same settings made it.

    Parameters
    ----------
    session : Session
    system : str
        A key of `models.SYSTEMS`.
    dataset : Dataset

    Returns
    -------
    model : keras.Model
    history : pandas.DataFrame
        The learning curve, see `training.fit`.
    """
    params = session.params
    options = {name: params[name] for name in ("recipe", "seed", "epochs", "batch_size")}
    settings, name = dataset.settings | options, f"{system}-{dataset.settings['noise']}"
    if (saved := results.load_model(session.run, name, settings)) is not None:
        return saved
    model = models.build(
        system, dataset.X.shape[1:], len(dataset.devices), seed=params["seed"], **training.model_options(params["recipe"])
    )
    history = training.fit(model, dataset, **options)
    results.save_model(session.run, name, model, history, settings)
    return model, history


def score(session, predictions, *, system, table="", variant="wavelet", units=("segment", "recording"), save=True):
    """Score predictions per unit, beside the paper's figure, and save them in the run folder.

    Parameters
    ----------
    session : Session
    predictions : pandas.DataFrame
        Segments of all draws, from `training.predict`.
    system, table, variant : str
        Names for ``results.csv``; the variant is the noise extraction.
    units : sequence of str
        As in `evaluation.voted`.
    save : bool
        Also save the predictions.

    Returns
    -------
    rows : pandas.DataFrame
        One row per unit, in the columns of ``results.csv``.
    """
    if save:
        results.save_predictions(session.run, session.notebook, f"{system}-{variant}", predictions)
    rows = evaluation.accuracies(predictions, units=units)
    return label(session, rows, system=system, table=table, variant=variant)


def label(session, rows, *, system, table="", variant=""):
    """Put the columns of ``results.csv`` on rows of figures."""
    paper = [results.PAPER.get((table, system, variant, unit)) for unit in rows["unit"]]
    corpus = results.read_json(session.run / "run.json").get("corpus", {}).get("name", "")
    names = {"notebook": session.notebook, "table": table, "system": system, "variant": variant, "corpus": corpus}
    rows = rows.assign(**names, paper=pd.array(paper, "Float64"), seed=session.params["seed"])
    return rows.reindex(columns=results.COLUMNS)


def score_probe(session, dataset):
    """Score the leakage probe of a dataset: what six trivial numbers alone give away."""
    predictions = evaluation.leakage_probe(dataset.probe, seed=session.params["seed"])
    rows = evaluation.accuracies(predictions, units=("segment", "recording"))
    return label(session, rows.replace({"unit": {"segment": "excerpt"}}), system="leakage probe")


def show(rows):
    """Return rows of ``results.csv`` as a table for the eye: percent, interval, chance, and the paper's figure."""
    percent = (100 * rows[["value", "low", "high", "chance", "paper"]].astype(float)).round(1)
    table = rows[["table", "system", "variant", "unit"]].assign(**{
        "accuracy [%]": percent["value"],
        "95 % interval": [f"{low:.1f} - {high:.1f}" for low, high in zip(percent["low"], percent["high"], strict=True)],
        "chance [%]": percent["chance"],
        "paper [%]": [f"{value:.0f}" if value == value else "" for value in percent["paper"]],
        "n": rows["n"].astype(int),
    })
    return table.style.format(precision=1).hide(axis="index")


def save_figure(session, ax, name):
    """Save the figure that ``ax`` belongs to in the run folder."""
    figure = ax.figure if hasattr(ax, "figure") else ax.flat[0].figure
    results.save_figure(session.run, session.notebook, name, figure)


def finish(session, *rows):
    """Save the notebook's metrics and its time; return all rows of this notebook."""
    own = pd.concat([part.astype({"paper": "Float64"}) for part in rows], ignore_index=True)
    results.save_metrics(session.run, session.notebook, own)
    seconds = round(time.perf_counter() - session.started, 1)
    results.update_run(session.run, timings={session.notebook: {"seconds": seconds}})
    return own
