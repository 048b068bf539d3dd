"""What the notebooks share: parameters and where they come from, inputs, scores, sentences, the run folder."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from papermill.translators import PythonTranslator

import devid_lib
from devid_lib import evaluation, models, results, training
from devid_lib import notebook as nb
from devid_lib.errors import CorpusError, ParameterError

DEVICES = ("ash", "beech", "cedar")
SAMPLERATE = 8000
SMALL = {"segment_length": 256, "train_segments": 30, "test_segments": 10, "voters": 3, "level": 4, "epochs": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three devices with noise of their own colour, three recordings each, 16 bit WAV."""
    folder = tmp_path_factory.mktemp("phones")
    for i, device in enumerate(DEVICES):
        for j in range(3):
            noise = np.random.default_rng([i, j]).standard_normal(8000)
            y = 0.02 * np.convolve(noise, [1, (0.9, 0, -0.9)[i]], "same")
            path = folder / device / f"clip{j + 1}.wav"
            path.parent.mkdir(exist_ok=True)
            sf.write(path, y, SAMPLERATE, subtype="PCM_16")
    return folder


def new_session(folder, base, **changes):
    """Return a session as `nb.start` makes it, without its prints."""
    values = SMALL | {"corpus": str(folder), "run_dir": str(base / "run"), "data_dir": str(base / "data")} | changes
    params = nb.check_params(values)
    return nb.Session("04_mlp", results.open_run(params["run_dir"]), params, 0.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def session(folder, base):
    return new_session(folder, base)


@pytest.fixture(scope="module")
def recordings(session):
    return nb.load_recordings(session)


@pytest.fixture(scope="module")
def predictions():
    """Three draws of ten segments of one recording a device; the first device's second half is taken for the second."""
    rows = [(device, "clip3", draw, 100 * i) for device in DEVICES for draw in range(3) for i in range(10)]
    table = pd.DataFrame(rows, columns=["device", "recording", "draw", "start"])
    p = np.full((90, 3), 0.1)
    decided = table["device"].map(DEVICES.index).to_numpy() + (table["device"].eq("ash") & table["start"].ge(500))
    p[np.arange(90), decided] = 0.8
    return evaluation.predictions_table(p, table, DEVICES)


# --- Parameters ------------------------------------------------------------------------------------------------------
def test_defaults_are_allowed_and_complete():
    assert nb.check_params({}) == {name: default for name, (default, _, _) in nb.PARAMETERS.items()}
    assert {"corpus", "run_dir", "seed", "segment_length", "train_segments", "test_segments", "samplerate", "noise",
            "wavelet", "level", "threshold", "mode", "rescale", "recipe", "epochs", "batch_size", "voters",
            "test_recordings"} <= set(nb.PARAMETERS)  # the contract of every notebook and preset
    assert set(nb.DATASET) | set(nb.CORPUS) <= set(nb.PARAMETERS)


def test_every_choice_is_allowed():
    for name, (_, allowed, _) in nb.PARAMETERS.items():
        for value in allowed if isinstance(allowed, tuple) else ():
            assert nb.check_params({name: value})[name] == value


@pytest.mark.parametrize(("name", "smallest"), [("seed", 0), ("recording_minutes", 0.02), ("segment_length", 64),
                                                ("train_segments", 1), ("epochs", 0), ("voters", 1), ("level", 1)])
def test_smallest_value_is_allowed_and_nothing_below(name, smallest):
    assert nb.check_params({name: smallest})[name] == smallest
    below = smallest - (1 if isinstance(smallest, int) else 0.001)
    with pytest.raises(ParameterError, match=f"^{name}={below!r} is below {smallest}$"):
        nb.check_params({name: below})


def test_whole_numbers_serve_as_fractions_and_nothing_else_is_converted():
    minutes = nb.check_params({"recording_minutes": 2})["recording_minutes"]
    assert (minutes, type(minutes)) == (2.0, float)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epochs", "5", r"epochs='5' is a str, not a int"),  # papermill -r passes text
        ("epochs", 5.0, r"epochs=5.0 is a float, not a int"),
        ("epochs", True, r"epochs=True is a bool, not a int"),
        ("corpus", None, r"corpus=None is a NoneType, not a str"),
        ("corpus", Path("x"), r"is a \w*Path, not a str"),
        ("noise", "wiener", r"noise='wiener' is not one of wavelet, none"),
        ("mode", "Soft", r"mode='Soft' is not one of soft, hard"),
        ("recipe", "fast", r"recipe='fast' is not one of published, default|default, published"),
        ("on_error", "", r"on_error='' is not one of raise, skip"),
        ("threshold", "sure", r"threshold='sure' is not one of rigrsure, heursure, sqtwolog, minimaxi"),
        ("recording_minutes", float("nan"), r"recording_minutes=nan"),
        ("recording_minutes", float("inf"), r"recording_minutes=inf"),
        ("seed", 2**32, r"seed=4294967296"),
    ],
)
def test_values_that_are_not_allowed(name, value, message):
    with pytest.raises(ParameterError, match=message):
        nb.check_params({name: value})


@pytest.mark.parametrize(("name", "hint"), [("epoch", "did you mean 'epochs'"), ("reciepe", "did you mean 'recipe'"),
                                            ("xyzzy", "known are corpus, run_dir")])
def test_unknown_names(name, hint):
    for check in (lambda: nb.check_names(["seed", name]), lambda: nb.check_params({name: 1})):
        with pytest.raises(ParameterError, match=f"unknown parameter '{name}': {hint}"):
            check()


def papermill_cell(parameters):
    return PythonTranslator.codify(parameters, comment="Parameters")


def test_injected_names_are_those_that_papermill_writes():
    cell = papermill_cell({"epochs": 3, "corpus": "a 'b'\n# Parameters", "seed": -1, "samplrate": None, "flag": True})
    history = ["", "epochs: int = 0  # 0 for what the recipe says\nlocal = 3", cell, "# Parameters\nother = 1"]
    assert nb.injected_names({"In": history}) == ["epochs", "corpus", "seed", "samplrate", "flag"]


@pytest.mark.parametrize("namespace", [{}, {"In": []}, {"In": ["", "import os\nx = 1", "y = 2  # Parameters"]}])
def test_nothing_is_injected_in_jupyterlab(namespace):
    assert nb.injected_names(namespace) == []


def started(monkeypatch, namespace, parameters=None):
    """Start a session as a notebook does, in which papermill injected some parameters."""
    plots = SimpleNamespace(set_style=lambda: None)
    monkeypatch.setitem(sys.modules, "devid_lib.plots", plots)
    monkeypatch.setattr(devid_lib, "plots", plots, raising=False)
    defaults = {name: default for name, (default, _, _) in nb.PARAMETERS.items()}
    cells = ["", papermill_cell(parameters)] if parameters else [""]
    return nb.start("03_softmax", defaults | namespace | (parameters or {}) | {"In": cells, "np": np, "x": 3})


def test_start_notes_parameters_seed_and_versions(monkeypatch, tmp_path, capsys):
    session = started(monkeypatch, {"run_dir": str(tmp_path / "run")}, {"seed": 7, "epochs": 2})
    assert (session.notebook, session.run) == ("03_softmax", tmp_path / "run")
    assert session.params == nb.check_params({"run_dir": str(tmp_path / "run"), "seed": 7, "epochs": 2})
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (info["seed"], info["parameters"]) == (7, session.params)
    assert {"python", "numpy", "keras"} <= set(info["versions"])
    assert f"numpy {np.__version__}" in capsys.readouterr().out


@pytest.mark.parametrize(("parameters", "message"), [({"seeds": 7}, "unknown parameter 'seeds': did you mean 'seed'"),
                                                     ({"epochs": "7"}, "epochs='7' is a str")])
def test_start_refuses_before_it_writes(monkeypatch, tmp_path, parameters, message):
    with pytest.raises(ParameterError, match=message):
        started(monkeypatch, {"run_dir": str(tmp_path / "run")}, parameters)
    assert not (tmp_path / "run").exists()


# --- Where things are ------------------------------------------------------------------------------------------------
def test_workspace_is_the_nearest_folder_with_the_library(monkeypatch, tmp_path):
    monkeypatch.delenv("DEVID_HOME", raising=False)
    (tmp_path / "project" / "devid_lib").mkdir(parents=True)
    (tmp_path / "project" / "notebooks" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "notebooks" / "deep")
    assert nb.workspace() == tmp_path / "project"
    assert nb.in_workspace("runs/lab") == tmp_path / "project" / "runs" / "lab"
    assert nb.in_workspace("/elsewhere") == Path("/elsewhere")
    monkeypatch.chdir(tmp_path)
    assert nb.workspace() == tmp_path  # no project above: this folder
    monkeypatch.setenv("DEVID_HOME", str(tmp_path / "home"))
    assert nb.workspace() == tmp_path / "home"


@pytest.mark.parametrize("name", ["phones", "simulated-phones"])
def test_corpus_source_is_looked_for_here_then_in_the_project(monkeypatch, tmp_path, name):
    monkeypatch.setenv("DEVID_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / name).mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert nb.corpus_source(name) == str(tmp_path / "home" / name)
    assert nb.corpus_source("nowhere") == "nowhere"
    (tmp_path / "here" / name).mkdir()
    assert nb.corpus_source(name) == name


@pytest.mark.parametrize("name", ["simulated", "simulated-control"])
def test_simulated_corpora_are_names_even_where_a_folder_is_called_so(monkeypatch, tmp_path, name):
    monkeypatch.setenv("DEVID_HOME", str(tmp_path))
    (tmp_path / name).mkdir()
    assert nb.corpus_source(name) == name


# --- Inputs ----------------------------------------------------------------------------------------------------------
def test_load_recordings_says_what_it_found(folder, tmp_path, capsys):
    (tmp_path / "phones").mkdir()
    for path in folder.rglob("*.wav"):
        copy = tmp_path / "phones" / path.relative_to(folder)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    sf.write(tmp_path / "phones" / "ash" / "broken.wav", np.zeros(5000), SAMPLERATE)
    with pytest.raises(Exception, match=r"broken\.wav"):
        nb.load_recordings(new_session(tmp_path / "phones", tmp_path))
    session = new_session(tmp_path / "phones", tmp_path, on_error="skip", samplerate=4000)
    capsys.readouterr()
    table = nb.load_recordings(session)
    said = capsys.readouterr().out
    assert "Left out: " in said
    assert "broken.wav" in said
    assert "3 devices, 6 training and 3 test recordings" in said
    assert "Note: " in said  # brought to 4000 Hz
    assert table["samplerate"].eq(4000).all()
    noted = results.read_json(session.run / "run.json")["corpus"]
    assert (noted["name"], noted["devices"], noted["recordings"], noted["samplerate"]) == ("phones", 3, 9, 4000)
    assert noted["hours"] == pytest.approx(9 / 3600, abs=1e-3)
    assert noted["checksum"] == nb.corpus_checksum(table)
    assert noted["skipped"][0]["path"].endswith("broken.wav")
    assert str(tmp_path) not in noted["skipped"][0]["path"]  # a report shows no private folders


def test_parameters_reach_the_corpus(folder, tmp_path):
    table = nb.load_recordings(new_session(folder, tmp_path, test_recordings="clip1"))
    assert table[table["split"] == "test"]["recording"].tolist() == ["clip1"] * 3
    with pytest.raises(CorpusError, match="nowhere"):
        nb.load_recordings(new_session(tmp_path / "nowhere", tmp_path))


def test_parameters_reach_the_dataset(session, recordings):
    plain = nb.load_dataset(session, recordings)
    expected = {name: session.params[name] for name in nb.DATASET}
    assert plain.settings.items() >= (expected | {"draws": 3, "representation": "spectrum"}).items()
    assert plain.settings["scale"] == training.feature_scale("default", 256)
    assert plain.X.shape == (3 * (2 * 30 + 3 * 10), 129)
    assert isinstance(plain.X, np.memmap)
    halves = nb.load_dataset(session, recordings, representation="halves", noise="none", cached=False)
    assert halves.settings["scale"] == training.feature_scale("default", 128)
    assert (halves.X.shape[1:], halves.settings["noise"]) == ((2, 65), "none")
    assert not isinstance(halves.X, np.memmap)
    short = nb.load_dataset(session, recordings, segment_length=128, cached=False)
    assert short.settings["scale"] == training.feature_scale("default", 128)


def test_published_recipe_leaves_the_features_as_published(folder, base, recordings):
    published = new_session(folder, base, recipe="published")
    assert nb.load_dataset(published, recordings, cached=False).settings["scale"] == 1.0


@pytest.mark.parametrize("system", models.SYSTEMS)
def test_representation_suits_the_system(system):
    dimensions = {"spectrum": (129,), "halves": (2, 65), "waveform": (512,)}
    model = models.build(system, dimensions[nb.representation(system)], 3)
    assert model.output_shape == (None, 3)
    assert nb.representation(system) == {"c": "waveform", "a": "halves"}.get(system[0], "spectrum")


# --- Fitting ---------------------------------------------------------------------------------------------------------
def refuse(*args, **kwargs):
    raise AssertionError("the saved model was not used")


def test_a_model_is_fitted_once_and_loaded_where_the_same_settings_made_it(folder, base, recordings, monkeypatch):
    session = new_session(folder, base, run_dir=str(base / "fitted"))
    model, history, predictions = nb.evaluated(session, recordings, "softmax")
    assert len(history) == 2
    assert predictions.columns.tolist() == ["device", "recording", "draw", "start", *DEVICES]
    assert len(predictions) == 90
    again = new_session(folder, base, run_dir=str(base / "fitted"))
    with monkeypatch.context() as patch:
        patch.setattr(nb.training, "fit", refuse)
        _, same_history, same_predictions = nb.evaluated(again, recordings, "softmax")
        for changes in ({"epochs": 3}, {"batch_size": 7}, {"recipe": "published"}, {"seed": 1}, {"mode": "hard"}):
            other = new_session(folder, base, run_dir=str(base / "fitted"), **changes)
            with pytest.raises(AssertionError):
                nb.evaluated(other, recordings, "softmax")
        for changes in ({"noise": "none"}, {"loss": "squared_error"}):
            with pytest.raises(AssertionError):
                nb.evaluated(again, recordings, "softmax", **changes)
        with pytest.raises(AssertionError):
            nb.evaluated(again, recordings, "mlp-1")
    pd.testing.assert_frame_equal(same_predictions, predictions)
    pd.testing.assert_frame_equal(same_history, history)
    assert same_history.attrs["epoch"] == history.attrs["epoch"]
    assert nb.describe(same_history) == nb.describe(history)


def test_models_with_and_without_noise_extraction_are_kept_side_by_side(folder, base, recordings, monkeypatch):
    session = new_session(folder, base, run_dir=str(base / "side"), epochs=1)
    for noise in ("wavelet", "none"):
        nb.evaluated(session, recordings, "softmax", noise=noise)
    monkeypatch.setattr(nb.training, "fit", refuse)
    for noise in ("wavelet", "none"):
        nb.evaluated(session, recordings, "softmax", noise=noise)


# --- Scores ----------------------------------------------------------------------------------------------------------
def test_score_stands_beside_the_papers_figure(session, recordings, predictions, folder):
    units = ("segment", "vote3", "recording")
    rows = nb.score(session, predictions, system="mlp-3", table="II", variant="wavelet", units=units)
    assert rows.columns.tolist() == results.COLUMNS
    assert rows["unit"].tolist() == list(units)
    assert rows["value"].tolist() == pytest.approx([25 / 30, 25 / 30, 1.0])
    assert rows["n"].tolist() == [30, 30, 3]
    assert rows["chance"].tolist() == pytest.approx([1 / 3] * 3)
    assert rows["paper"].isna().tolist() == [False, True, True]
    assert rows["paper"][0] == 0.93  # of segments; the paper has no such figure of recordings
    assert set(rows["corpus"]) == {folder.name}
    assert set(rows[["notebook", "seed", "metric", "system"]].itertuples(index=False, name=None)) == {
        ("04_mlp", 0, "accuracy", "mlp-3")}
    saved = pd.read_parquet(session.run / "predictions" / "04_mlp-mlp-3-wavelet.parquet")
    pd.testing.assert_frame_equal(saved, predictions)


@pytest.mark.parametrize(("system", "table", "variant", "unit", "paper"), [
    ("softmax", "II", "wavelet", "segment", 0.87), ("softmax", "III", "none", "segment", 0.79),
    ("cnn", "III", "none", "segment", 0.90), ("averaged-mlp-2", "IV", "wavelet", "segment", 0.92),
    ("mlp-3", "V", "wavelet", "vote3", 0.96), ("softmax", "II", "none", "segment", None),
    ("cnn-random", "III", "none", "segment", None), ("mlp-3", "", "wavelet", "segment", None)])
def test_the_papers_figure_is_only_beside_what_the_paper_did(session, predictions, system, table, variant, unit, paper):
    rows = nb.score(session, predictions, system=system, table=table, variant=variant, units=(unit,), save=False)
    assert rows["paper"][0] == paper if paper else rows["paper"].isna().all()
    assert not (session.run / "predictions" / f"04_mlp-{system}-{variant}.parquet").exists() or system == "mlp-3"


def test_majority_rule_reaches_the_votes(session, predictions):
    torn = predictions.copy()
    ash = torn["device"] == "ash"
    torn.loc[ash, list(DEVICES)] = np.float32([0.4, 0.45, 0.15])
    torn.loc[ash & torn["draw"].eq(0), list(DEVICES)] = np.float32([0.9, 0.05, 0.05])  # one sure voter of three
    options = {"system": "mlp-3", "units": ("vote3",), "save": False}
    assert nb.score(session, torn, rule="sum", **options)["value"][0] == 1
    assert nb.score(session, torn, rule="majority", **options)["value"][0] == pytest.approx(2 / 3)


def test_figures_become_rows(session, recordings):
    rows = nb.figures(session, [{"system": "corpus", "metric": "hours", "value": 2.5},
                                {"system": "mlp-3", "metric": "seconds", "value": 7, "variant": "default recipe"}])
    assert rows.columns.tolist() == results.COLUMNS
    assert rows["value"].tolist() == [2.5, 7]
    assert rows["variant"].tolist() == ["", "default recipe"]
    assert rows["unit"].tolist() == ["", ""]
    assert rows["system"].tolist() == ["corpus", "mlp-3"]
    assert rows["paper"].isna().all()
    assert set(rows["notebook"]) == {"04_mlp"}


def test_device_scores_stand_beside_the_average_of_table_vi(session, predictions):
    segments = evaluation.voted(predictions, unit="segment")
    rows = nb.score_devices(session, segments, system="mlp-3", variant="wavelet")
    assert rows.columns.tolist() == results.COLUMNS
    assert set(rows["table"]) == {"VI"}
    value = rows.set_index(["variant", "metric"])["value"]
    assert value["device:ash", "recall"] == pytest.approx(0.5)
    assert value["device:ash", "precision"] == 1
    assert value["device:beech", "precision"] == pytest.approx(10 / 15)
    assert value["device:cedar", "f1"] == 1
    assert value["device:average", "recall"] == pytest.approx(25 / 30)
    paper = rows.dropna(subset="paper").set_index(["variant", "metric"])["paper"].to_dict()
    assert paper == {("device:average", metric): 0.93 for metric in ("precision", "recall", "f1")}
    assert nb.score_devices(session, segments, system="mlp-3", variant="none")["paper"].isna().all()


def test_probe_is_scored_per_excerpt_and_per_recording(session, recordings):
    dataset = nb.load_dataset(session, recordings)
    rows = nb.score_probe(session, dataset)
    assert rows["unit"].tolist() == ["excerpt", "recording"]
    assert set(rows["system"]) == {"leakage probe"}
    assert rows["n"].tolist() == [len(dataset.probe[dataset.probe["split"] == "test"]), 3]
    assert rows["value"].between(0, 1).all()
    assert rows["paper"].isna().all()


# --- For the eye -----------------------------------------------------------------------------------------------------
def test_show_prints_percent_beside_the_paper(session, predictions):
    rows = nb.score(session, predictions, system="mlp-3", table="II", save=False)
    shown = nb.show(rows, rows.assign(system="softmax", paper=pd.NA))
    html = shown.to_html()
    assert "83.3" in html
    assert "93" in shown.data["paper [%]"].tolist()
    assert shown.data["paper [%]"].tolist() == ["93", "", "", ""]
    assert shown.data["chance [%]"].tolist() == pytest.approx([33.3] * 4)
    assert shown.data["95 % interval"][1] == "100.0 - 100.0"


def test_joined_keeps_order_and_types(session, predictions):
    rows = nb.score(session, predictions, system="mlp-3", table="II", save=False)
    table = nb.joined(rows, nb.figures(session, [{"system": "x", "metric": "n", "value": 1}]), rows)
    assert table["system"].tolist() == ["mlp-3", "mlp-3", "x", "mlp-3", "mlp-3"]
    assert table["paper"].dtype == "Float64"
    assert table.index.tolist() == list(range(5))


def test_percent_formats_numbers_alone():
    html = nb.percent(pd.DataFrame({"feature": ["plain"], "accuracy": [0.1234]})).to_html()
    assert "12.3%" in html
    assert "plain" in html


@pytest.mark.parametrize(("points", "word"), [
    (0, "changes little"), (0.49, "changes little"), (-0.49, "changes little"), (0.5, "helps"), (7, "helps"),
    (-0.5, "hurts"), (-30, "hurts")])
def test_effect_in_a_word(points, word):
    assert nb.effect(points) == word


@pytest.mark.parametrize(("select_on", "words"), [
    ("validation", "held-out stretches of the training recordings; accuracy 90.0% on the segments fitted, 70.0% there"),
    ("test", "the test segments (optimistic, as the authors did); accuracy 90.0% on the segments fitted, 70.0% there"),
    ("nothing", "no segments: the cost was minimised to the end; accuracy 90.0% on the segments fitted")])
def test_describe_a_fit(select_on, words):
    history = pd.DataFrame({"accuracy": [0.5, 0.9, 1.0]})
    if select_on != "nothing":
        history["val_accuracy"] = [0.4, 0.7, 0.6]
    history.attrs |= {"epoch": 2, "select_on": select_on, "seconds": 61.4}
    assert nb.describe(history) == f"Epoch 2 of 3 was kept, selected on {words}; fitting took 61 s."


def test_saw_shows_and_keeps_its_sentences(session):
    shown = nb.saw(session, "Ünits vote: 97.5 % right.", "So does this.")
    assert shown.data == "- Ünits vote: 97.5 % right.\n- So does this."
    kept = (session.run / "conclusions" / "04_mlp.txt").read_text(encoding="utf-8")
    assert kept == "Ünits vote: 97.5 % right.\nSo does this.\n"


# --- Recordings ------------------------------------------------------------------------------------------------------
def test_middle_of_a_recording(recordings):
    row = next(recordings.itertuples())
    y, samplerate = nb.load(row)
    clip, same = nb.middle(row, seconds=0.25)
    assert (samplerate, same, len(clip)) == (SAMPLERATE, SAMPLERATE, 2000)
    np.testing.assert_array_equal(clip, y[3000:5000])
    np.testing.assert_array_equal(nb.middle(row, seconds=60)[0], y)


def test_loud_segment_has_the_most_energy(session, recordings, tmp_path):
    y = 0.01 * np.random.default_rng(0).standard_normal(256 * 8)
    y[5 * 256 : 6 * 256] *= 10
    sf.write(tmp_path / "loud.wav", y, SAMPLERATE, subtype="FLOAT")
    row = next(recordings.iloc[:1].assign(path=str(tmp_path / "loud.wav")).itertuples())
    segment, samplerate = nb.loud_segment(session, row)
    np.testing.assert_allclose(segment, y[5 * 256 : 6 * 256], rtol=1e-5)
    assert samplerate == SAMPLERATE


def test_noise_settings_are_what_wavelet_noise_takes(session):
    from devid_lib.noise import wavelet_noise

    settings = nb.noise_settings(session)
    assert settings == {"wavelet": "sym8", "level": 4, "threshold": "minimaxi", "mode": "soft", "rescale": "sln"}
    assert wavelet_noise(np.random.default_rng(0).standard_normal(256), **settings).shape == (256,)


def test_spectral_weights_over_frequency():
    model = models.softmax(5, 2)
    model.get_layer("device").set_weights([np.arange(10.0).reshape(5, 2), np.zeros(2)])
    plain = nb.spectral_weights(model, samplerate=8000, devices=("ash", "beech"), smooth_hz=1)
    assert plain.index.tolist() == [0, 1000, 2000, 3000, 4000]
    assert plain["beech"].tolist() == [1, 3, 5, 7, 9]
    smooth = nb.spectral_weights(model, samplerate=8000, devices=("ash", "beech"), smooth_hz=2400)  # three bins
    assert smooth["ash"].tolist() == [1, 2, 4, 6, 7]


# --- The end of a notebook -------------------------------------------------------------------------------------------
def test_figures_are_saved_with_their_caption(session):
    axes = plt.subplots(1, 2)[1]
    nb.save_figure(session, axes, "curve", "What it shows.")
    nb.save_figure(session, axes[0], "single")
    for name, caption in (("curve", "What it shows."), ("single", "")):
        assert (session.run / "figures" / f"04_mlp-{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (session.run / "figures" / f"04_mlp-{name}.svg").read_text()
        assert (session.run / "figures" / f"04_mlp-{name}.txt").read_text() == caption
    plt.close("all")


def test_finish_saves_metrics_time_and_memory(session, predictions):
    rows = nb.score(session, predictions, system="mlp-3", table="II", save=False)
    own = nb.finish(session, rows, nb.figures(session, [{"system": "x", "metric": "hours", "value": 1.5}]))
    assert len(own) == 3
    table = results.read_table(session.run / "results.csv")
    assert table["system"].tolist() == ["mlp-3", "mlp-3", "x"]
    assert table.columns.tolist() == results.COLUMNS
    assert table["value"].tolist() == pytest.approx(own["value"].tolist())
    timing = results.read_json(session.run / "run.json")["timings"]["04_mlp"]
    assert timing["seconds"] > 0
    assert 0.05 < timing["peak_gib"] < 100


def test_peak_memory_where_the_system_does_not_count_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert nb.peak_memory() is None
