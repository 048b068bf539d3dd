"""What the notebooks share: where parameters come from, inputs, fits, scores, sentences, the run folder."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from papermill.translators import PythonTranslator

from devid_lib import degrade, encoders, evaluation, progress, training
from devid_lib.errors import CorpusError, DevidError, ParameterError
from devid_lib.workbook import describe, folder, joined, percent, session, show
from devid_lib.workbook.parameters import check_params

DEVICES = ("ash", "beech", "cedar")
SAMPLERATE = 8000
SMALL = {"segment_length": 256, "train_segments": 30, "test_segments": 10, "voters": 3, "level": 4, "epochs": 2}


@pytest.fixture(scope="module")
def phones(tmp_path_factory):
    """Three devices with noise of their own colour, three recordings each, 16 bit WAV."""
    phones = tmp_path_factory.mktemp("phones")
    for i, device in enumerate(DEVICES):
        for j in range(3):
            noise = np.random.default_rng([i, j]).standard_normal(8000)
            y = 0.02 * np.convolve(noise, [1, (0.9, 0, -0.9)[i]], "same")
            path = phones / device / f"clip{j + 1}.wav"
            path.parent.mkdir(exist_ok=True)
            sf.write(path, y, SAMPLERATE, subtype="PCM_16")
    return phones


def new_session(phones, base, **changes):
    """Return a session as `start` makes it, without its prints."""
    values = SMALL | {"corpus": str(phones), "run_dir": str(base / "run"), "data_dir": str(base / "data")} | changes
    return session.Session("04_mlp", check_params(values), headless=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def small(phones, base):
    return new_session(phones, base)


@pytest.fixture(scope="module")
def recordings(small):
    return small.recordings()


@pytest.fixture(scope="module")
def predictions():
    """Three draws of ten segments of one recording a device; the first device's second half is taken for the second."""
    rows = [(device, "clip3", draw, 100 * i) for device in DEVICES for draw in range(3) for i in range(10)]
    table = pd.DataFrame(rows, columns=["device", "recording", "draw", "start"])
    p = np.full((90, 3), 0.1)
    decided = table["device"].map(DEVICES.index).to_numpy() + (table["device"].eq("ash") & table["start"].ge(500))
    p[np.arange(90), decided] = 0.8
    return evaluation.predictions_table(p, table, DEVICES)


# --- Window ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("given", "variant"), [
    ({}, "wavelet"),
    ({"noise": "none"}, "none+hann"),
    ({"noise": "none", "recipe": "published"}, "none"),
    ({"noise": "none", "window": "none"}, "none"),
    ({"window": "hann"}, "wavelet+hann"),
])
def test_recipe_says_the_window_unless_it_is_given(phones, tmp_path, given, variant):
    one = new_session(phones, tmp_path, **given)
    assert one.variant == variant
    settings = one.dataset(one.recordings()).settings
    assert settings["window"] == ("hann" if variant.endswith("hann") else "none")
    assert one.dataset(one.recordings(), window="none").settings["window"] == "none"


# --- Parameters ------------------------------------------------------------------------------------------------------
def papermill_cell(parameters):
    return PythonTranslator.codify(parameters, comment="Parameters")


def test_injected_names_are_those_that_papermill_writes():
    cell = papermill_cell({"epochs": 3, "corpus": "a 'b'\n# Parameters", "seed": -1, "samplrate": None, "flag": True})
    history = ["", "epochs: int = 0  # 0 for what the recipe says\nlocal = 3", cell, "# Parameters\nother = 1"]
    assert session.injected_names({"In": history}) == ["epochs", "corpus", "seed", "samplrate", "flag"]
    assert session.injected_names({"In": ["", "import os\nx = 1", "y = 2  # Parameters"]}) == []


def started(namespace, injected=None):
    """Start a session as a notebook does, in which papermill injected some parameters."""
    cell = "\n".join(f"{name}: {type(value).__name__} = {value!r}  # help" for name, value in namespace.items())
    cells = ["", cell, papermill_cell(injected)] if injected else ["", cell]
    others = {"In": [*cells, "samplerate = 44100"], "np": np, "samplerate": 44100}  # a variable of the notebook's own
    return session.start("03_softmax", namespace | (injected or {}) | others)


def test_start_notes_parameters_seed_and_versions(tmp_path, capsys):
    found = started({"run_dir": str(tmp_path / "run")}, {"seed": 7, "epochs": 2})  # epochs is in no parameters cell
    assert (found.notebook, found.run, found.headless) == ("03_softmax", tmp_path / "run", True)
    assert found.params == check_params({"run_dir": str(tmp_path / "run"), "seed": 7, "epochs": 2})
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (info["seed"], info["parameters"]) == (7, found.params)
    assert {"python", "numpy", "keras"} <= set(info["versions"])
    assert f"numpy {np.__version__}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("injected", "message"),
    [({"seeds": 7}, "unknown parameter 'seeds': did you mean 'seed'"), ({"epochs": "7"}, "not a whole number")],
)
def test_start_refuses_before_it_writes(tmp_path, injected, message):
    with pytest.raises(ParameterError, match=message):
        started({"run_dir": str(tmp_path / "run")}, injected)
    assert not (tmp_path / "run").exists()


def test_other_parameters_go_to_a_folder_of_their_own(tmp_path, capsys):
    place = {"run_dir": str(tmp_path / "lab")}
    assert started(place).run.name == "lab"
    assert started(place | {"level": 3}).run.name == "lab-2"
    assert "holds a run with another level" in capsys.readouterr().out
    assert started(place | {"seed": 3}).run.name == "lab-3"
    assert started(place | {"level": 3}).run.name == "lab-2"
    assert started(place | {"data_dir": str(tmp_path)}).run.name == "lab"  # makes no other figures


@pytest.mark.parametrize("content", ["{", "[1]", '{"parameters": 5}', ""])
def test_a_damaged_run_folder_is_left_alone(tmp_path, capsys, content):
    place = {"run_dir": str(tmp_path / "lab")}
    started(place)
    (tmp_path / "lab" / "run.json").write_text(content)
    assert started(place).run.name == "lab-2"
    assert "damaged" in capsys.readouterr().out


def test_other_recordings_go_to_a_folder_of_their_own(make_recordings, tmp_path):
    corpus = make_recordings(tmp_path / "phones")
    found = new_session(corpus, tmp_path)
    found.recordings()
    make_recordings(corpus, recordings=("clip9",))
    again = new_session(corpus, tmp_path)
    again.recordings()
    assert (found.run.name, again.run.name) == ("run", "run-2")


# --- Where things are ------------------------------------------------------------------------------------------------
def test_workspace_is_the_project_from_everywhere(monkeypatch, tmp_path):
    monkeypatch.delenv("DEVID_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert session.in_workspace("runs/lab") == session.PROJECT / "runs" / "lab"
    assert session.in_workspace("/elsewhere") == Path("/elsewhere")
    monkeypatch.setattr(session, "PROJECT", tmp_path / "site-packages")
    assert session.in_workspace("") == tmp_path  # installed without its notebooks: this folder
    monkeypatch.setenv("DEVID_HOME", str(tmp_path / "home"))
    assert session.in_workspace("") == tmp_path / "home"


@pytest.mark.parametrize("name", ["phones", "simulated-phones"])
def test_source_is_looked_for_here_then_in_the_project(monkeypatch, tmp_path, name):
    monkeypatch.setenv("DEVID_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / name).mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert session.source_path(name) == str(tmp_path / "home" / name)
    (tmp_path / "here" / name).mkdir()
    assert session.source_path(name) == str(tmp_path / "here" / name)
    assert session.source_path(name, names=("download", name)) == name


@pytest.mark.parametrize("name", ["simulated", "simulated-control", ""])
def test_simulated_corpora_are_names_even_where_a_folder_is_called_so(monkeypatch, tmp_path, name):
    monkeypatch.setenv("DEVID_HOME", str(tmp_path))
    (tmp_path / name).mkdir(exist_ok=True)
    assert session.source_path(name) == name


# --- Inputs ----------------------------------------------------------------------------------------------------------
def test_recordings_say_what_was_found(phones, tmp_path, capsys):
    for path in phones.rglob("*.wav"):
        copy = tmp_path / "phones" / path.relative_to(phones)
        copy.parent.mkdir(exist_ok=True, parents=True)
        copy.write_bytes(path.read_bytes())
    sf.write(tmp_path / "phones" / "ash" / "broken.wav", np.zeros(5000), SAMPLERATE)
    with pytest.raises(Exception, match=r"broken\.wav"):
        new_session(tmp_path / "phones", tmp_path).recordings()
    found = new_session(tmp_path / "phones", tmp_path, on_error="skip", samplerate=4000)
    table = found.recordings()
    said = capsys.readouterr().out
    assert "Left out: " in said and "broken.wav" in said
    assert "3 devices, 6 training and 3 test recordings" in said
    assert "Note: " in said  # brought to 4000 Hz
    assert table["samplerate"].eq(4000).all()
    noted = folder.read_json(found.run / "run.json")["corpus"]
    assert (noted["name"], noted["devices"], noted["recordings"], noted["samplerate"]) == ("phones", 3, 9, 4000)
    assert noted["hours"] == pytest.approx(9 / 3600, abs=1e-3)
    assert noted["skipped"][0]["path"] == "ash/broken.wav"  # a report shows no private folders
    kept = pd.read_csv(found.run / "recordings.csv", dtype=str)
    assert kept["path"].tolist()[0] == "ash/clip1.wav" and kept["file_sha256"].str.len().eq(64).all()


@pytest.mark.parametrize(("recordings", "size", "said"), [
    (89, "quick", []), (5000, "quick", ["train_segments 1 takes"]), (288, "paper", ["train_segments 62 takes"]),
])  # fmt: skip
def test_many_short_recordings_are_said_to_take_long(recordings, size, said):
    table = pd.DataFrame({"split": ["train"] * recordings + ["test"] * 9})
    notes = session.out_of_proportion(table, check_params({"size": size}))
    assert len(notes) == len(said) and all(words in note for words, note in zip(said, notes, strict=True))


def test_parameters_reach_the_corpus(phones, tmp_path):
    table = new_session(phones, tmp_path, test_recordings="clip1").recordings()
    assert table[table["split"] == "test"]["recording"].tolist() == ["clip1"] * 3
    with pytest.raises(CorpusError, match="nowhere"):
        new_session(tmp_path / "nowhere", tmp_path).recordings()


def test_parameters_reach_the_dataset(small, recordings):
    plain = small.dataset(recordings)
    expected = {name: small.params[name] for name in session.DATASET}
    assert plain.settings.items() >= (expected | {"draws": 3, "representation": "spectrum"}).items()
    assert plain.settings["scale"] == training.feature_scale("default", 256)
    assert plain.X.shape == (3 * (2 * 30 + 3 * 10), 129)
    assert isinstance(plain.X, np.memmap)
    halves = small.dataset(recordings, representation="halves", noise="none")
    assert halves.settings["scale"] == training.feature_scale("default", 128)
    assert (halves.X.shape[1:], halves.settings["noise"]) == ((2, 65), "none")


def test_multi_condition_training_is_a_parameter(phones, base, recordings):
    multi = new_session(phones, base, augment="multi", voters=1).dataset(recordings, noise="none")
    assert multi.settings["augment"] == list(degrade.AUGMENT)
    assert multi.segments.loc[multi.mask("train"), "n_samples"].eq(8000 * (1 + len(degrade.AUGMENT))).all()


def test_multi_condition_training_goes_on_without_an_encoder(phones, base, recordings, monkeypatch, capsys):
    monkeypatch.setitem(encoders.CODECS, "gsm", replace(encoders.CODECS["gsm"], encoder="NOBODY"))
    one = new_session(phones, base, augment="multi", voters=1).dataset(recordings, noise="none")
    assert one.settings["augment"] == [name for name in degrade.AUGMENT if name != "gsm"]
    assert "Left out, gsm: gsm: this machine's libsndfile has no encoder 'NOBODY'." in capsys.readouterr().out


def test_published_recipe_leaves_the_features_as_published(phones, base, recordings):
    published = new_session(phones, base, recipe="published")
    assert published.dataset(recordings).settings["scale"] == 1.0


# --- Fitting ---------------------------------------------------------------------------------------------------------
def test_a_model_is_fitted_once_and_loaded_where_the_same_settings_made_it(phones, base, recordings, monkeypatch):
    first = new_session(phones, base, run_dir=str(base / "fitted"))
    _, history = first.fitted("softmax", recordings)
    predictions = first.predictions("softmax", recordings)
    assert len(history) == 2
    assert predictions.columns.tolist() == ["device", "recording", "draw", "start", *DEVICES]
    assert len(predictions) == 90
    again = new_session(phones, base, run_dir=str(base / "fitted"))

    def refuse(*args, **kwargs):
        raise AssertionError("the saved model was not used")

    monkeypatch.setattr(session.training, "fit", refuse)
    model, same_history = again.fitted("softmax", recordings)
    pd.testing.assert_frame_equal(again.predictions("softmax", recordings), predictions)
    pd.testing.assert_frame_equal(same_history, history)
    assert describe(same_history) == describe(history)
    pd.testing.assert_frame_equal(training.predict(model, again.dataset(recordings)), predictions)
    with pytest.raises(AssertionError):
        again.predictions("softmax", recordings, noise="none")
    with pytest.raises(AssertionError):
        again.predictions("mlp-1", recordings)
    again.params["seed"] = 1
    with pytest.raises(AssertionError):
        again.predictions("softmax", recordings)


def test_a_model_of_another_version_is_fitted_again(phones, base, recordings, monkeypatch, capsys):
    found = new_session(phones, base, run_dir=str(base / "version"))
    before = found.predictions("softmax", recordings)
    load, calls = folder.load_model, []

    def stumble(*args):
        calls.append(args)
        if len(calls) == 1:
            raise DevidError("softmax.keras: cannot be opened")
        return load(*args)

    monkeypatch.setattr(folder, "load_model", stumble)
    model, _ = found.fitted("softmax", recordings)
    assert "softmax.keras: cannot be opened: fitted again" in capsys.readouterr().out
    pd.testing.assert_frame_equal(training.predict(model, found.dataset(recordings)), before)


# --- Scores ----------------------------------------------------------------------------------------------------------
def test_score_stands_beside_the_papers_figure(small, recordings, predictions, phones):
    units = ("segment", "vote3", "recording")
    rows = small.score(predictions, system="mlp-3", table="II", variant="wavelet", units=units)
    assert rows.columns.tolist() == folder.COLUMNS
    assert rows["unit"].tolist() == list(units)
    assert rows["value"].tolist() == pytest.approx([25 / 30, 25 / 30, 1.0])
    assert rows["n"].tolist() == [30, 30, 3]
    assert rows["chance"].tolist() == pytest.approx([1 / 3] * 3)
    assert rows["paper"].isna().tolist() == [False, True, True]
    assert rows["paper"][0] == 0.93  # of segments; the paper has no such figure of recordings
    assert set(rows["corpus"]) == {phones.name}
    saved = pd.read_parquet(small.run / "predictions" / "04_mlp-mlp-3-wavelet.parquet")
    pd.testing.assert_frame_equal(saved, predictions)


@pytest.mark.parametrize(
    ("system", "table", "variant", "unit", "paper"),
    [
        ("softmax", "II", "wavelet", "segment", 0.87),
        ("cnn", "III", "none", "segment", 0.90),
        ("mlp-3", "V", "wavelet", "vote3", 0.96),
        ("softmax", "II", "none", "segment", None),
        ("cnn-random", "III", "none", "segment", None),
        ("mlp-3", "", "wavelet", "segment", None),
    ],
)
def test_the_papers_figure_is_only_beside_what_the_paper_did(small, predictions, system, table, variant, unit, paper):
    rows = small.score(predictions, system=system, table=table, variant=variant, units=(unit,), save=False)
    assert rows["paper"][0] == paper if paper else rows["paper"].isna().all()


def test_majority_rule_reaches_the_votes(small, predictions):
    torn = predictions.copy()
    ash = torn["device"] == "ash"
    torn.loc[ash, list(DEVICES)] = np.float32([0.4, 0.45, 0.15])
    torn.loc[ash & torn["draw"].eq(0), list(DEVICES)] = np.float32([0.9, 0.05, 0.05])  # one sure voter of three
    options = {"system": "mlp-3", "units": ("vote3",), "save": False}
    assert small.score(torn, rule="sum", **options)["value"][0] == 1
    assert small.score(torn, rule="majority", **options)["value"][0] == pytest.approx(2 / 3)


def test_figures_become_rows(small, recordings):
    rows = small.figures(
        [
            {"system": "corpus", "metric": "hours", "value": 2.5},
            {"system": "mlp-3", "metric": "seconds", "value": 7, "variant": "default recipe"},
        ]
    )
    assert rows.columns.tolist() == folder.COLUMNS
    assert rows["value"].tolist() == [2.5, 7]
    assert rows["variant"].tolist() == ["", "default recipe"]
    assert rows["unit"].tolist() == ["", ""]
    assert rows["paper"].isna().all()
    assert set(rows["notebook"]) == {"04_mlp"}


def test_probe_is_fitted_once_and_scored_per_excerpt_and_per_recording(small, recordings, monkeypatch):
    rows = small.score_probe(recordings)
    assert rows["unit"].tolist() == ["excerpt", "recording"]
    assert set(rows["system"]) == {"leakage probe"}
    assert rows["n"].tolist()[1] == 3
    assert rows["value"].between(0, 1).all()
    with monkeypatch.context() as patch:
        patch.setattr(session.leakage, "leakage_probe", None)
        pd.testing.assert_frame_equal(small.score_probe(recordings), rows)
    path = small.run / "predictions" / "leakage-probe.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    pd.testing.assert_frame_equal(small.score_probe(recordings), rows)


# --- For the eye -----------------------------------------------------------------------------------------------------
def test_show_prints_percent_beside_the_paper(small, predictions):
    rows = small.score(predictions, system="mlp-3", table="II", save=False)
    shown = show(rows, rows.assign(system="<b>", paper=pd.NA))
    html = shown.to_html()
    assert "83.3" in html and "&lt;b&gt;" in html
    assert shown.data["paper [%]"].tolist() == ["93", "", "", ""]
    assert shown.data["chance [%]"].tolist() == pytest.approx([33.3] * 4)


def test_joined_keeps_order_and_types(small, predictions):
    rows = small.score(predictions, system="mlp-3", table="II", save=False)
    table = joined(rows, small.figures([{"system": "x", "metric": "n", "value": 1}]), rows)
    assert table["system"].tolist() == ["mlp-3", "mlp-3", "x", "mlp-3", "mlp-3"]
    assert table["paper"].dtype == "Float64"
    assert table.index.tolist() == list(range(5))


def test_percent_formats_numbers_alone():
    html = percent(pd.DataFrame({"feature": ["plain"], "accuracy": [0.1234]})).to_html()
    assert "12.3%" in html and "plain" in html


@pytest.mark.parametrize(
    ("select_on", "words"),
    [
        ("validation", "Epoch 2 of 3 cost least for left-out training recordings, 70.0% of them right; fitted anew"),
        ("test", "Epoch 2 of 3 was best for the test segments, 70.0% of them right, and was kept (optimistic"),
        ("nothing", "The cost was minimised in 3 evaluations; 90.0% of the segments fitted right; 61 s."),
    ],
)
def test_describe_a_fit(select_on, words):
    history = pd.DataFrame({"accuracy": [0.5, 0.9, 1.0]})
    if select_on != "nothing":
        history["val_accuracy"] = [0.4, 0.7, 0.6]
    history.attrs |= {"epoch": 2, "select_on": select_on, "seconds": 61.4}
    assert words in describe(history)


def test_saw_shows_and_keeps_its_sentences(small):
    shown = small.saw("Ünits vote: 97.5 % right.", "So does this.")
    assert shown.data == "- Ünits vote: 97.5 % right.\n- So does this."
    kept = (small.run / "conclusions" / "04_mlp.txt").read_text(encoding="utf-8")
    assert kept == "Ünits vote: 97.5 % right.\nSo does this.\n"


def test_interact_draws_once_where_nobody_watches(small):
    import ipywidgets

    drawn = []
    controls = {"k": (0, 10), "rule": ["sum", "majority"], "x": ipywidgets.FloatSlider(0.5, min=0, max=1)}
    small.interact(lambda **values: drawn.append(values), **controls)
    assert drawn == [{"k": 5, "rule": "sum", "x": 0.5}]


# --- The end of a notebook -------------------------------------------------------------------------------------------
def test_figures_are_saved_with_their_caption_and_shown_as_they_were_saved(small, monkeypatch):
    shown, axes = [], plt.subplots(1, 2, figsize=(5, 2))[1]
    monkeypatch.setattr("IPython.display.display", shown.append)
    small.save_figure(axes, "curve", "What it shows.")
    small.save_figure(axes[0], "single")
    for name, caption in (("curve", "What it shows."), ("single", "")):
        assert (small.run / "figures" / f"04_mlp-{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (small.run / "figures" / f"04_mlp-{name}.svg").read_text()
        assert (small.run / "figures" / f"04_mlp-{name}.txt").read_text() == caption
    assert shown[0].data == (small.run / "figures" / "04_mlp-curve.png").read_bytes()
    assert shown[0].width == pytest.approx(500, rel=0.1)  # pixels of the screen, 100 an inch
    assert not plt.get_fignums()  # nothing is left to be drawn again


def test_finish_saves_metrics_time_and_memory(small, predictions):
    rows = small.score(predictions, system="mlp-3", table="II", save=False)
    own = small.finish(rows, small.figures([{"system": "x", "metric": "hours", "value": 1.5}]))
    table = folder.read_table(small.run / "results.csv")
    assert table["system"].tolist() == ["mlp-3", "mlp-3", "x"]
    assert table.columns.tolist() == folder.COLUMNS
    assert table["value"].tolist() == pytest.approx(own["value"].tolist())
    timing = folder.read_json(small.run / "run.json")["timings"]["04_mlp"]
    assert timing["seconds"] > 0
    assert 0.05 < timing["peak_gib"] < 100


def test_peak_memory_where_the_system_does_not_count_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert session.peak_memory() is None


@pytest.mark.parametrize(
    ("clock", "said"), [([0, 1, 20, 29], ""), ([0, 1, 40, 40, 41, 41], "letters: 2 of 3\nletters: 3 of 3\n")]
)
def test_lines_of_progress_are_for_what_takes_long(clock, said, monkeypatch, capsys):
    monkeypatch.setattr(progress, "STYLE", "lines")
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=iter(clock).__next__))
    assert list(progress.progress("abc", label="letters")) == [*"abc"]
    assert capsys.readouterr().out == said
