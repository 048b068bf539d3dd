"""What every notebook does the same way: check its parameters, load its inputs, score and save."""

import ast
import difflib
import logging
import os
import re
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from . import evaluation, models, results, training
from .audio import load_recording
from .corpus import SIMULATED, corpus_checksum, load_corpus
from .dataset import build_dataset
from .errors import ParameterError
from .files import atomic_path
from .segments import regular_segments

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
    "threshold": (
        "minimaxi",
        ("rigrsure", "heursure", "sqtwolog", "minimaxi"),
        "rigrsure, heursure, sqtwolog or minimaxi",
    ),
    "mode": ("soft", ("soft", "hard"), "soft or hard"),
    "rescale": ("sln", ("one", "sln", "mln"), "noise level, one, sln (finest level) or mln (each level)"),
    "recipe": ("default", tuple(training.RECIPES), "default, or published (selects on the test set)"),
    "epochs": (0, 0, "0 for what the recipe says"),
    "batch_size": (0, 0, "0 for what the recipe says"),
    "voters": (5, 1, "independent sets of test segments"),
    "test_recordings": ("", None, "names held out for every device, separated by commas"),
    "predictions": ("", None, "for notebook 11, folder of the authors predictions, or download"),
    "on_error": ("raise", ("raise", "skip"), "skip leaves bad recordings out and lists them"),
}
PAPER_SYSTEMS = ("softmax", "mlp-1", "mlp-2", "mlp-3", "averaged-mlp-3", "cnn")
VOTING = "mlp-3"  # whose segments vote, as in table V
DATASET = (
    "segment_length",
    "train_segments",
    "test_segments",
    "noise",
    "wavelet",
    "level",
    "threshold",
    "mode",
    "rescale",
    "seed",
)
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
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it comments on every new length of excerpt
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
        if kind is float and not np.isfinite(value):
            raise ParameterError(f"{name}={value!r} is not a finite number")
        if name == "seed" and value >= 2**32:
            raise ParameterError(f"{name}={value!r} is not below 2^32")
        if isinstance(allowed, (int, float)) and value < allowed:
            raise ParameterError(f"{name}={value!r} is below {allowed}")
    return params


def workspace():
    """Return the project's folder: ``DEVID_HOME``, the nearest one upwards that holds ``devid_lib``, or this one."""
    if os.environ.get("DEVID_HOME"):
        return Path(os.environ["DEVID_HOME"])
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "devid_lib").is_dir()), here)


def in_workspace(path):
    """Return a path as given if absolute, else below the project's folder."""
    return workspace() / path


def corpus_source(source):
    """Return the corpus as given if it is a name or exists from here, else seen from the project's folder."""
    if source in SIMULATED or Path(source).exists():
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
    print(
        f"{recordings.attrs['name']}: {recordings['device'].nunique()} devices, {sides['train']} training and "
        f"{sides['test']} test recordings, none on both sides"
    )
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
            "skipped": [
                {"path": "/".join(Path(entry["path"]).parts[-2:]), "reason": entry["reason"]}
                for entry in recordings.attrs["skipped"]
            ],
        },
    )
    return recordings


def load_dataset(session, recordings, *, cached=True, **changes):
    """Build the dataset that the parameters describe, or load it from the cache.

    Parameters
    ----------
    session : Session
    recordings : pandas.DataFrame
    cached : bool
        Keep it on disk, for the next notebook.
    **changes
        Arguments of `dataset.build_dataset` that differ from the parameters, for one ``noise="none"``.

    Returns
    -------
    dataset : Dataset
    """
    params = session.params
    options = {name: params[name] for name in DATASET}
    length = changes.get("segment_length", params["segment_length"])
    length //= 2 if changes.get("representation") == "halves" else 1
    options |= {"draws": params["voters"], "scale": training.feature_scale(params["recipe"], length)}
    data_dir = in_workspace(params["data_dir"]) if cached else None
    return build_dataset(recordings, data_dir=data_dir, **(options | changes))


def representation(system):
    """Return what a system takes in: the spectrum of a segment, of its two halves, or its samples."""
    return "waveform" if system.startswith("cnn") else "halves" if system.startswith("averaged") else "spectrum"


def evaluated(session, recordings, system, *, loss="crossentropy", **changes):
    """Fit one of the paper's systems, or load it where the same settings made it, and predict the test segments.

    Parameters
    ----------
    session : Session
    recordings : pandas.DataFrame
        From `load_recordings`.
    system : str
        A key of `models.SYSTEMS`.
    loss : {"crossentropy", "squared_error"}
        As in `training.fit`.
    **changes
        As in `load_dataset`.

    Returns
    -------
    model : keras.Model
    history : pandas.DataFrame
        The learning curve, see `training.fit`.
    predictions : pandas.DataFrame
        Test segments of all draws, see `training.predict`.
    """
    dataset = load_dataset(session, recordings, representation=representation(system), **changes)
    model, history = fitted(session, system, dataset, loss=loss)
    return model, history, training.predict(model, dataset)


def fitted(session, system, dataset, *, loss="crossentropy"):
    """Return a fitted model of one of the paper's systems, from the run folder where the same settings made it.

    Parameters
    ----------
    session : Session
    system : str
        A key of `models.SYSTEMS`.
    dataset : Dataset
    loss : {"crossentropy", "squared_error"}
        As in `training.fit`.

    Returns
    -------
    model : keras.Model
    history : pandas.DataFrame
        The learning curve, see `training.fit`.
    """
    params = session.params
    options = {name: params[name] for name in ("recipe", "seed", "epochs", "batch_size")} | {"loss": loss}
    sizes = {name: params[name] for name in ("epochs", "batch_size")}
    recipe = asdict(training.recipe_for(system, params["recipe"], **sizes))
    settings, name = dataset.settings | options | {"fit": recipe}, f"{system}-{dataset.settings['noise']}-{loss}"
    if (saved := results.load_model(session.run, name, settings)) is not None:
        return saved
    model = models.build(
        system,
        dataset.X.shape[1:],
        len(dataset.devices),
        seed=params["seed"],
        **training.model_options(params["recipe"]),
    )
    history = training.fit(model, dataset, **options)
    results.save_model(session.run, name, model, history, settings)
    return model, history


def paper_systems(session, recordings, *, names=PAPER_SYSTEMS):
    """Return the paper's networks, trained in this run, as systems on excerpts.

    Parameters
    ----------
    session : Session
    recordings : pandas.DataFrame
    names : sequence of str
        Keys of `models.SYSTEMS`.

    Returns
    -------
    systems : dict
        "paper <name>": `systems.paper.PaperSystem`, fitted, which sums the posteriors of all segments of an excerpt;
        and one of them with only ``voters`` segments, as "paper voting".
    seconds : dict
        How long each took to train.
    """
    from .systems.paper import PaperSystem

    systems, seconds = {}, {}
    for name in names:
        noise = "none" if name.startswith("cnn") else session.params["noise"]
        dataset = load_dataset(session, recordings, representation=representation(name), noise=noise)
        model, history = fitted(session, name, dataset)
        options = {"segment_length": session.params["segment_length"], "recipe": session.params["recipe"]}
        systems[f"paper {name}"] = PaperSystem(system=name, noise=noise, fitted=model, **options)
        seconds[f"paper {name}"] = history.attrs["seconds"]
        if name == VOTING:
            label = f"paper voting, {session.params['voters']} x {name}"
            systems[label] = PaperSystem(
                system=name, noise=noise, fitted=model, voters=session.params["voters"], **options
            )
            seconds[label] = history.attrs["seconds"]
    return systems, seconds


def slug(name):
    """Return a name as part of a file name: lower case, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def score(
    session, predictions, *, system, table="", variant="wavelet", units=("segment", "recording"), rule="sum", save=True
):
    """Score predictions per unit, beside the paper's figure, and save them in the run folder.

    Parameters
    ----------
    session : Session
    predictions : pandas.DataFrame
        Segments of all draws, from `training.predict`.
    system, table, variant : str
        Names for ``results.csv``; the variant is the noise extraction.
    units, rule
        As in `evaluation.accuracies`.
    save : bool
        Also save the predictions.

    Returns
    -------
    rows : pandas.DataFrame
        One row per unit, in the columns of ``results.csv``.
    """
    if save:
        results.save_predictions(session.run, session.notebook, f"{system}-{variant}", predictions)
    rows = evaluation.accuracies(predictions, units=units, rule=rule)
    return label(session, rows, system=system, table=table, variant=variant)


def label(session, rows, *, system, table="", variant="", corpus=None):
    """Put the columns of ``results.csv`` on rows of figures; the corpus is that of the run unless given."""
    paper = [results.PAPER.get((str(table), str(system), str(variant), unit)) for unit in rows["unit"]]
    if corpus is None:
        corpus = results.read_json(session.run / "run.json").get("corpus", {}).get("name", "")
    names = {"notebook": session.notebook, "table": table, "system": system, "variant": variant, "corpus": corpus}
    rows = rows.assign(**names, paper=pd.array(paper, "Float64"), seed=session.params["seed"])
    return rows.reindex(columns=results.COLUMNS)


def figures(session, records, *, corpus=None):
    """Return other figures as rows of ``results.csv``.

    Parameters
    ----------
    session : Session
    records : sequence of dict
        system, metric, value, and what else of the columns is known.
    corpus : str, optional
        Where the figures come from, if not from the corpus of the run.

    Returns
    -------
    rows : pandas.DataFrame
    """
    rows = pd.DataFrame(records).assign(paper=pd.NA)
    rows = rows.assign(**{name: "" for name in ("unit", "system", "variant", "table") if name not in rows})
    names = {name: rows[name] for name in ("system", "variant", "table")}
    return label(session, rows, **names, corpus=corpus).fillna(
        {"unit": "", "variant": ""}
    )


def score_devices(session, predictions, *, system, variant):
    """Return `evaluation.device_report` as rows of ``results.csv``, beside the average that the paper prints."""
    report = evaluation.device_report(predictions).rename_axis("device").reset_index()
    rows = report.melt(["device", "n"], ["precision", "recall", "f1"], var_name="metric").assign(unit="segment")
    rows = label(session, rows, system=system, table="VI", variant=[f"device:{name}" for name in rows["device"]])
    average = rows["variant"] == "device:average"
    if variant == "wavelet":
        paper = results.PAPER_TABLE_VI.loc["average"]
        rows.loc[average, "paper"] = [paper[metric] for metric in rows.loc[average, "metric"]]
    return rows


def score_probe(session, dataset):
    """Score the leakage probe of a dataset: what six trivial numbers alone give away."""
    predictions = evaluation.leakage_probe(dataset.probe, seed=session.params["seed"])
    rows = evaluation.accuracies(predictions, units=("segment", "recording"))
    return label(session, rows.replace({"unit": {"segment": "excerpt"}}), system="leakage probe")


def joined(*rows):
    """Join rows of ``results.csv``."""
    return pd.concat([part.astype({"paper": "Float64"}) for part in rows], ignore_index=True)


def show(*rows):
    """Return rows of ``results.csv`` as a table for the eye: percent, interval, chance, and the paper's figure."""
    rows = joined(*rows)
    percent = (100 * rows[["value", "low", "high", "chance", "paper"]].astype(float)).round(1)
    columns = {
        "accuracy [%]": percent["value"],
        "95 % interval": [f"{low:.1f} - {high:.1f}" for low, high in zip(percent["low"], percent["high"], strict=True)],
        "chance [%]": percent["chance"],
        "paper [%]": [f"{value:.0f}" if value == value else "" for value in percent["paper"]],
        "n": rows["n"].astype(int),
    }
    table = rows[["table", "system", "variant", "unit"]].assign(**columns)
    return table.style.format(precision=1).hide(axis="index")


def percent(table):
    """Return a table for the eye, its fractions in percent."""
    return table.style.format("{:.1%}", subset=table.select_dtypes("number").columns).hide(axis="index")


def effect(points):
    """Say in a word what a change of accuracy by some percentage points means; half a point is called little."""
    return "changes little" if abs(points) < 0.5 else "helps" if points > 0 else "hurts"


def describe(history):
    """Say in a sentence how a fit went.

    Parameters
    ----------
    history : pandas.DataFrame
        From `training.fit`.

    Returns
    -------
    sentence : str
    """
    kept, last = history.attrs["epoch"], history.iloc[history.attrs["epoch"] - 1]
    where = {
        "validation": "held-out stretches of the training recordings",
        "test": "the test segments (optimistic, as the authors did)",
        "nothing": "no segments: the cost was minimised to the end",
    }[history.attrs["select_on"]]
    validation = last.get("val_accuracy", np.nan)
    judged = f", {validation:.1%} there" if pd.notna(validation) else ""
    return (
        f"Epoch {kept} of {len(history)} was kept, selected on {where}; accuracy {last['accuracy']:.1%} on the "
        f"segments fitted{judged}; fitting took {history.attrs['seconds']:.0f} s."
    )


def load(row):
    """Return the samples and the sample rate of a row of the table of recordings."""
    return load_recording(row.path, samplerate=int(row.samplerate))


def middle(row, *, seconds):
    """Return some seconds from the middle of a recording, and its sample rate."""
    y, samplerate = load(row)
    n = min(len(y), int(seconds * samplerate))
    start = (len(y) - n) // 2
    return np.asarray(y[start : start + n]), samplerate


def loud_segment(session, row):
    """Return the segment with the most energy of a recording, and the sample rate."""
    y, samplerate = load(row)
    segments, _ = regular_segments(y, length=session.params["segment_length"])
    return np.asarray(segments[np.argmax(np.square(segments).sum(axis=1))]), samplerate


def some(devices):
    """Return the devices to colour in a figure: three of many; up to ten all have a colour anyway."""
    return (devices[0], devices[len(devices) // 2], devices[-1]) if len(devices) > 10 else ()


def noise_settings(session):
    """Return the parameters of `noise.wavelet_noise`."""
    return {name: session.params[name] for name in ("wavelet", "level", "threshold", "mode", "rescale")}


def spectral_weights(model, *, samplerate, devices, smooth_hz=200):
    """Return the weights of softmax regression over frequency, smoothed by a moving average.

    Parameters
    ----------
    model : keras.Model
        From `models.softmax`.
    samplerate : int
        Rate of the recordings [Hz].
    devices : sequence of str
    smooth_hz : float
        Width of the average [Hz].

    Returns
    -------
    weights : pandas.DataFrame
        Index frequency [Hz], one column per device.
    """
    weights = model.get_layer("device").get_weights()[0]
    frequency = pd.Index(np.linspace(0, samplerate / 2, len(weights)), name="frequency [Hz]")
    width = max(1, round(smooth_hz / (samplerate / 2) * len(weights)))
    return pd.DataFrame(weights, frequency, list(devices)).rolling(width, center=True, min_periods=1).mean()


def saw(session, *bullets):
    """Show what a notebook found, computed from its run, and keep it for the report: ``conclusions/<notebook>.txt``."""
    from IPython.display import Markdown

    with atomic_path(session.run / "conclusions" / f"{session.notebook}.txt") as temporary:
        temporary.write_text("\n".join(bullets) + "\n", encoding="utf-8")
    return Markdown("\n".join(f"- {bullet}" for bullet in bullets))


def save_figure(session, ax, name, caption=""):
    """Save the figure that ``ax`` belongs to, with a caption for the report."""
    figure = np.ravel(ax)[0].figure
    results.save_figure(session.run, session.notebook, name, figure, caption=caption)


def finish(session, *rows):
    """Save the notebook's metrics, its time and its memory; return all rows of this notebook."""
    own = joined(*rows)
    results.save_metrics(session.run, session.notebook, own)
    timing = {"seconds": round(time.perf_counter() - session.started, 1), "peak_gib": peak_memory()}
    results.update_run(session.run, timings={session.notebook: timing})
    return own


def peak_memory():
    """Return the largest resident memory of this process so far [GiB], or None on Windows, which has no such count."""
    try:
        import resource
    except ImportError:
        return None
    unit = 2**30 if sys.platform == "darwin" else 2**20  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 2)
