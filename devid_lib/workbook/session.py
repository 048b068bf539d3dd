"""What every notebook does the same way: check its parameters, load its inputs, train once, score and save."""

import ast
import logging
import os
import re
import sys
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from .. import evaluation, leakage, models, progress, training
from ..corpus import corpus_checksum, load_corpus
from ..dataset import build_dataset, settings_key
from ..degrade import AUGMENT, able
from ..errors import DevidError
from ..files import read_json, remove, sweep
from ..listing import NAMED
from . import folder
from .paper import PAPER, PAPER_TABLE_VI
from .parameters import PARAMETERS, SIZES, check_names, check_params, differing
from .tables import joined

PROJECT = Path(__file__).resolve().parents[2]
CASE, REPORT = "20_questioned_recording", "99_report"  # notebooks that become a page; the second when all others ran
WAVELET = ("wavelet", "level", "threshold", "mode", "rescale")
DATASET = ("segment_length", "train_segments", "test_segments", "noise", *WAVELET, "seed")
MANY_TIMES = 5  # the training segments of the simulated recorders, from which on it is said
CORPUS = ("samplerate", "test_recordings", "test_sessions", "segment_length", "on_error", "seed", "recording_minutes")


def start(notebook, namespace):
    """Return a notebook's `Session`: parameters checked, run folder open, style of figures set, versions printed.

    ``notebook`` is its name without suffix, ``namespace`` its ``globals()``: its parameters cell, and what papermill
    injected. A name that is unknown or a value that is not allowed raises ParameterError.
    """
    from ..plots import set_style

    injected = injected_names(namespace)
    check_names(injected)
    given = {name: namespace[name] for name in [*declared_names(namespace), *injected]}
    session = Session(notebook, check_params(given), headless=bool(injected) or "JPY_SESSION_NAME" not in os.environ)
    progress.STYLE = "lines" if session.headless else "bar"
    warnings.filterwarnings("ignore", message=".*IProgress.*")
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    set_style()
    found = folder.versions()
    folder.update_run(session.run, parameters=session.params, seed=session.params["seed"], versions=found)
    print(", ".join(f"{name} {number}" for name, number in found.items()))
    return session


def declared_names(namespace):
    """Return the parameters that a notebook's parameters cell gives a value: ``name: type = value``, line by line.

    Any other variable that happens to be called like a parameter is none, also when the cell is run again later.
    """
    names = []
    for cell in namespace.get("In", []):
        if re.match(r"\w+: (str|int|float) = ", cell):
            assigned = [node.target.id for node in ast.parse(cell).body if isinstance(node, ast.AnnAssign)]
            names += [name for name in assigned if name in PARAMETERS]
    return names


def injected_names(namespace):
    """Return the names that papermill's injected cell assigns (its first line is ``# Parameters``)."""
    cells = [cell for cell in namespace.get("In", []) if cell.startswith("# Parameters")]
    return [node.targets[0].id for node in ast.parse("\n".join(cells[:1])).body if isinstance(node, ast.Assign)]


def out_of_proportion(recordings, params):
    """Return a note, in a list, where there are many times the training segments that the simulated recorders have."""
    n, each = int((recordings["split"] == "train").sum()), params["train_segments"]
    times = n * each / (18 * SIZES[params["size"]]["train_segments"])
    said = (f"{n} training recordings of {each} segments each make {n * each:,} segments, {times:.0f} times as many as "
            f"of the simulated recorders: train_segments {max(1, round(each / times))} takes about as many.")
    return [said] if times >= MANY_TIMES else []


def in_workspace(path):
    """Return a path as given if absolute, else in ``DEVID_HOME``, the project or (installed elsewhere) this folder."""
    home = PROJECT if (PROJECT / "notebooks").is_dir() else Path.cwd()
    return Path(os.environ.get("DEVID_HOME") or home) / path


def source_path(source, *, names=NAMED):
    """Return a source as given if it is one of the names, else its absolute path, from here or from the project."""
    if source in names or not source.strip():
        return source
    return str((Path(source) if Path(source).exists() else in_workspace(source)).absolute())


class Session:
    """A notebook at work: its name, its checked parameters ``params`` and its run folder ``run``.

    That is the one named by ``run_dir``, or ``<run_dir>-2`` and so on where that holds other parameters. ``headless``
    is true where nobody watches: papermill runs the notebook. ``wavelet`` holds the settings of `noise.wavelet_noise`.
    """

    def __init__(self, notebook, params, *, headless):
        self.notebook, self.params, self.headless = notebook, params, headless
        self.started = time.perf_counter()
        self.wavelet = {name: params[name] for name in WAVELET}
        self._enter()

    def _enter(self, checksum=None):
        """Open the first of <run_dir>, <run_dir>-2 ... that holds no other run, so that no folder mixes runs."""
        wanted, number = in_workspace(self.params["run_dir"]), 1
        self.run = wanted
        while name := self._other(checksum):
            number += 1
            print(f"{self.run.name} holds a run with another {name}: trying {wanted.name}-{number}")
            self.run = wanted.with_name(f"{wanted.name}-{number}")
        sweep(self.run)

    def _other(self, checksum):
        """Return in what the run folder's run is another one, empty where it is not."""
        try:
            found = read_json(self.run / "run.json")
        except DevidError:
            return "version of run.json, or a damaged one"
        if name := differing(found.get("parameters", {}), self.params):
            return name
        changed = checksum and found.get("corpus", {}).get("checksum", checksum) != checksum
        return "corpus: its recordings have changed" if changed else ""

    def recordings(self):
        """Return the corpus that the parameters name, from `corpus.load_corpus`; ``recordings.csv`` keeps it.

        What was changed or left out is said. The run folder is another one from here on if it holds other recordings.
        """
        options = {name: self.params[name] for name in CORPUS}
        data_dir, source = in_workspace(self.params["data_dir"]), source_path(self.params["corpus"])
        recordings = load_corpus(source, data_dir=data_dir, **options)
        name, notes, skipped = (recordings.attrs[key] for key in ("name", "notes", "skipped"))
        for note in notes + out_of_proportion(recordings, self.params):
            print("Note:", note)
        for entry in skipped:
            print(f"Left out: {entry['path']}: {entry['reason']}")
        checksum = corpus_checksum(recordings)
        self._enter(checksum)
        sides = recordings.groupby("split").size()
        print(
            f"{name}: {recordings['device'].nunique()} devices, {sides['train']} training and "
            f"{sides['test']} test recordings, none on both sides"
        )
        folder.save_recordings(self.run, recordings)
        folder.update_run(
            self.run,
            parameters=self.params,
            corpus={
                "name": name,
                "checksum": checksum,
                "devices": int(recordings["device"].nunique()),
                "recordings": len(recordings),
                "hours": round(recordings["duration_s"].sum() / 3600, 3),
                "samplerate": int(recordings["samplerate"].iloc[0]),
                "notes": notes,
                "skipped": [entry | {"path": "/".join(Path(entry["path"]).parts[-2:])} for entry in skipped],
            },
        )
        return recordings

    def dataset(self, recordings, **changes):
        """Return the `Dataset` that the parameters describe, built or from the cache.

        ``changes`` are arguments of `dataset.build_dataset` that differ from the parameters, for one ``noise="none"``.
        """
        options = {name: self.params[name] for name in DATASET}
        options["window"] = self.window(changes.get("noise", options["noise"]))
        length = changes.get("segment_length", self.params["segment_length"])
        length //= 2 if changes.get("representation") == "halves" else 1
        options["augment"], left_out = able(AUGMENT if self.params["augment"] == "multi" else ())
        for line in left_out:
            print(line)
        options |= {"draws": self.params["voters"], "scale": training.feature_scale(self.params["recipe"], length)}
        return build_dataset(recordings, data_dir=in_workspace(self.params["data_dir"]), **(options | changes))

    def window(self, noise):
        """Return the window that the parameters and their recipe put on segments, or on the noise taken from them."""
        given = self.params["window"]
        return training.feature_window(self.params["recipe"], noise) if given == "recipe" else given

    @property
    def variant(self):
        """What the features are made of, as in ``results.csv``: "wavelet", "none", "none+hann", "wavelet+hann"."""
        noise = self.params["noise"]
        return noise + ("+hann" if self.window(noise) == "hann" else "")

    def fitted(self, system, recordings, **changes):
        """Return one of `models.SYSTEMS` and the learning curve of `training.fit`; fitted once in a run folder.

        It is a keras.Model; ``changes`` are those of `dataset`.
        """
        name = self._fit(system, recordings, changes)
        try:
            return folder.load_model(self.run, name)
        except DevidError as error:  # another version of Keras made it
            print(f"Note: {error}: fitted again")
            remove(self.run / "models" / f"{name}.json")
            return folder.load_model(self.run, self._fit(system, recordings, changes))

    def predictions(self, system, recordings, **changes):
        """Return `training.predict` of a network's test segments, all draws; arguments as in `fitted`.

        TensorFlow is needed only where the network has not been fitted before.
        """
        name = self._fit(system, recordings, changes)
        return pd.read_parquet(self.run / "models" / f"{name}.parquet")

    def _fit(self, system, recordings, changes):
        """Fit a network and predict, unless the run folder holds both; return the name they are kept under."""
        dataset = self.dataset(recordings, **{"representation": models.SYSTEMS[system].representation} | changes)
        options = {name: self.params[name] for name in ("recipe", "seed", "epochs", "batch_size")}
        family = models.SYSTEMS[system].family
        sizes = {name: options[name] for name in ("epochs", "batch_size")}
        recipe = training.recipe_for(family, options["recipe"], noise=dataset.settings["noise"], **sizes)
        settings = dataset.settings | options | {"system": system, "fit": asdict(recipe)}
        name = f"{system}-{settings_key(settings)}"
        with folder.locked(self.run, name):  # of several notebooks that want it, one fits it and the others wait
            if not folder.has_model(self.run, name, settings):
                shape, n_devices = dataset.X.shape[1:], len(dataset.devices)
                dropout = training.DROPOUT[options["recipe"]]
                model = models.build(system, shape, n_devices, dropout=dropout, seed=options["seed"])
                history = training.fit(model, dataset, **options)
                predictions = training.predict(model, dataset)
                folder.save_model(self.run, self.notebook, name, model, history, predictions, settings)
        return name

    def score(
        self, predictions, *, system, table="", variant="wavelet", units=("segment", "recording"), rule="sum", save=True
    ):
        """Return the accuracies of predictions as rows of ``results.csv``, one per unit, beside the paper's figures.

        The predictions are those of segments of all draws, and are kept if ``save``; ``system``, ``table`` and
        ``variant``, the noise extraction, are names for ``results.csv``; ``units`` and ``rule`` are those of
        `evaluation.accuracies`.
        """
        if save:
            folder.save_predictions(self.run, self.notebook, f"{system}-{variant}", predictions)
        rows = evaluation.accuracies(predictions, units=units, rule=rule)
        return self._label(rows, system=system, table=table, variant=variant)

    def score_devices(self, report, *, system, variant):
        """Return `evaluation.device_report` as rows of ``results.csv``, table VI, beside the paper's averages."""
        average = evaluation.average_report(report)
        table = pd.concat([report.rename(index="device:{}".format), average.to_frame("average").T])
        rows = table.rename_axis("variant").reset_index().melt(["variant", "n"], var_name="metric")
        rows = self._label(rows.assign(unit="segment"), system=system, table="VI", variant=rows["variant"])
        if variant == "wavelet":
            paper = rows["metric"].map(PAPER_TABLE_VI.loc["average"]).astype("Float64")
            rows["paper"] = paper.where(rows["variant"] == "average")
        return rows

    def score_probe(self, recordings):
        """Return the accuracy of the leakage probe per excerpt and recording; it is fitted once in a run folder."""
        name = "predictions/leakage-probe.parquet"
        with folder.locked(self.run, "leakage-probe"):
            if not folder.believed(self.run, name):
                predictions = leakage.leakage_probe(leakage.probe_table(recordings), seed=self.params["seed"])
                with folder.kept(self.run, self.notebook, name) as temporary:
                    predictions.to_parquet(temporary)
        rows = evaluation.accuracies(pd.read_parquet(self.run / name), units=("segment", "recording"))
        return self._label(rows.replace({"unit": {"segment": "excerpt"}}), system="leakage probe")

    def figures(self, records, *, corpus=None):
        """Return other figures as rows of ``results.csv``.

        ``records`` are dictionaries: system, metric, value, and what else of the columns is known. ``corpus`` says
        where they come from, if not from the corpus of the run.
        """
        rows = pd.DataFrame(records).assign(paper=pd.NA)
        for name in ("unit", "system", "variant", "table"):
            rows[name] = rows[name].fillna("") if name in rows else ""
        names = {name: rows[name] for name in ("system", "variant", "table")}
        return self._label(rows, **names, corpus=corpus)

    def _label(self, rows, *, system, table="", variant="", corpus=None):
        """Put the columns of ``results.csv`` on rows of figures."""
        if corpus is None:
            corpus = read_json(self.run / "run.json").get("corpus", {}).get("name", "")
        names = {"notebook": self.notebook, "table": table, "system": system, "variant": variant, "corpus": corpus}
        rows = rows.assign(**names, seed=self.params["seed"])
        keys = rows[["table", "system", "variant", "unit"]].astype(str).itertuples(index=False, name=None)
        return rows.assign(paper=pd.array([PAPER.get(key) for key in keys], "Float64")).reindex(columns=folder.COLUMNS)

    def save_figure(self, ax, name, caption=""):
        """Save the figure that ``ax`` belongs to, with a caption for the report, and show what was saved."""
        from IPython.display import Image, display
        from matplotlib import pyplot as plt

        figure = np.ravel(ax)[0].figure
        png = folder.save_figure(self.run, self.notebook, name, figure, caption=caption).read_bytes()
        pixels = int.from_bytes(png[16:20])  # wide
        display(Image(png, width=round(pixels / 1.3)))  # 130 of them an inch; Matplotlib itself would show 100
        plt.close(figure)  # or it would be drawn once more, below

    def finish(self, *rows):
        """Save the notebook's metrics, its time and its memory; return all rows of this notebook."""
        own = joined(*rows)
        folder.save_metrics(self.run, self.notebook, own)
        timing = {"seconds": round(time.perf_counter() - self.started, 1), "peak_gib": peak_memory()}
        folder.update_run(self.run, timings={self.notebook: timing})
        return own

    def saw(self, *bullets):
        """Return what a notebook found, sentences computed from its run, as Markdown, and keep it for the report."""
        from IPython.display import Markdown

        with folder.kept(self.run, self.notebook, f"conclusions/{self.notebook}.txt") as temporary:
            temporary.write_text("\n".join(bullets) + "\n", encoding="utf-8")
        return Markdown("\n".join(f"- {bullet}" for bullet in bullets))

    def interact(self, draw, **controls):
        """Let the reader move controls, and draw anew each time; headless, draw once with what they start with.

        ``draw`` takes one argument per control: an ipywidget, a list of choices, or whole numbers (smallest, largest).
        """
        if not self.headless:
            import ipywidgets

            ipywidgets.interact(draw, **controls)
            return
        starts = {tuple: lambda c: c[0] + (c[1] - c[0]) // 2, list: lambda c: c[0]}
        draw(**{name: starts.get(type(c), lambda c: c.value)(c) for name, c in controls.items()})


def peak_memory():
    """Return the largest resident memory of this process so far [GiB], or None on Windows, which has no such count."""
    try:
        import resource
    except ImportError:
        return None
    unit = 2**30 if sys.platform == "darwin" else 2**20  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 2)


def slug(name):
    """Return a name as part of a file name: lower case, digits and hyphens.

    >>> slug("[3] GMM-UBM, MFCC")
    '3-gmm-ubm-mfcc'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
