"""The ``devid`` command, with papermill replaced: what it refuses, runs, keeps, resumes and reports."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import yaml

from devid_lib.corpus import corpus_checksum
from devid_lib.errors import DevidError
from devid_lib.workbook import command, execution, folder, pages, parameters, session
from tools import update_readme

NAMES = ["01_first", "02_second", "03_third"]


@pytest.fixture
def project(monkeypatch, tmp_path):
    """A project with three notebooks, in which nothing heavy is run; ``executed`` lists what papermill was asked."""
    monkeypatch.setenv("DEVID_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "notebooks").mkdir()
    for name in NAMES:
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(json.dumps({"cells": [name]}))
    (tmp_path / "notebooks" / "draft.ipynb").write_text("{}")
    monkeypatch.setattr(command, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(execution, "papermill", papermill_stub(executed := []))
    monkeypatch.setattr(command, "warm_up", lambda: None)
    monkeypatch.setattr(command, "load_corpus", corpus_stub(loaded := []))
    monkeypatch.setattr(command.run_folder, "save_recordings", lambda *_: None)
    monkeypatch.setattr(pages, "report", report_stub(reported := []))
    monkeypatch.chdir(tmp_path)
    return SimpleNamespace(path=tmp_path, executed=executed, loaded=loaded, reported=reported)


def papermill_stub(executed, failures=None):
    """Return a function that notes its call and writes a notebook, or fails as told: {name: reason}."""

    def papermill(path, output, run, **_):
        executed.append((path.stem, yaml.safe_load((run / "parameters.yaml").read_text())))
        output.write_text("{}")  # papermill keeps what was run so far
        error = (failures or {}).get(path.stem, "")
        if error in ("Ctrl-C", "SIGTERM"):  # the main thread hears of it, papermill is told to end
            os.kill(os.getpid(), signal.SIGINT if error == "Ctrl-C" else signal.SIGTERM)
            time.sleep(0.5)
        if not error:
            folder.update_run(run, timings={path.stem: {"seconds": 0.5, "peak_gib": 1.5}})
        return error

    return papermill


def corpus_stub(loaded, checksum="c", skipped=()):
    """Return a function that notes its call and returns a table of four recordings."""

    def load_corpus(source, **options):
        loaded.append((source, options))
        table = pd.DataFrame({"device": ["ash", "ash", "beech", "beech"], "recording": ["1", "2", "1", "2"]})
        table.attrs |= {"notes": ["a note"], "skipped": skipped}
        return table.assign(split=["train", "test"] * 2, samplerate=8000, checksum=checksum)

    return load_corpus


def report_stub(reported):
    def report(run):
        reported.append(run)
        return run / "report" / "index.html"

    return report


def fail(monkeypatch, project, **failures):
    monkeypatch.setattr(execution, "papermill", papermill_stub(project.executed, failures))


def names(project):
    return [name for name, _ in project.executed]


def devid(name, *arguments):
    """Run the command, notebooks one after the other unless asked otherwise; return its exit status."""
    jobs = ["--jobs", "1"] if name == "run" and "--jobs" not in arguments else []
    return command.main([name, *jobs, *(str(argument) for argument in arguments)])


# --- A run -----------------------------------------------------------------------------------------------------------
def test_runs_all_notebooks_in_order_with_the_presets_parameters(project, capsys):
    assert devid("run", "--preset", "quick", "--out", "out", "-p", "epochs", "3", "-p", "wavelet", "db4") == 0
    assert names(project) == NAMES
    for _, params in project.executed:  # what differs from the defaults; size quick is one
        given = {"epochs": 3, "wavelet": "db4"} | parameters.SIZES["quick"]
        assert params == given | {"run_dir": str(project.path / "out"), "data_dir": str(project.path / "home" / "data")}
    assert project.reported == [project.path / "out"]
    lines = capsys.readouterr().out.splitlines()
    assert str(project.path / "out") in lines[0]
    for name in NAMES:  # one line per notebook
        assert len([line for line in lines if line.startswith(name)]) == 1
    assert "all well" in lines[-1]


def test_run_json_tells_parameters_preset_and_timings(project):
    devid("run", "--preset", "quick", "--out", "out", "-p", "seed", "7")
    info = json.loads((project.path / "out" / "run.json").read_text())
    assert (info["preset"], info["failed"]) == ("quick", {})
    assert info["parameters"] == parameters.check_params(project.executed[0][1])
    assert set(info["timings"]) == {"corpus", "total", *NAMES}
    assert info["timings"]["01_first"]["peak_gib"] == 1.5  # what the notebook noted of itself
    assert 0 <= info["timings"]["01_first"]["seconds"] < 60  # its whole time, the kernel's start included
    assert set(info["finished"]) == set(NAMES)


def test_a_new_run_folder_is_named_after_time_and_preset(project):
    assert devid("run", "--preset", "quick") == 0
    (run,) = (project.path / "home" / "runs").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}-quick", run.name)


@pytest.mark.parametrize(
    ("only", "expected"), [(["02"], ["02_second"]), (["03_third", "01"], ["01_first", "03_third"])]
)
def test_only_some_notebooks(project, only, expected):
    assert devid("run", "--preset", "quick", "--out", "out", "--only", *only) == 0
    assert names(project) == expected


def test_the_corpus_is_loaded_once_before_the_first_notebook(project):
    phones = project.path / "phones"
    phones.mkdir()
    devid("run", "--preset", "quick", "--corpus", "phones", "--out", "out", "-p", "on_error", "skip")
    ((source, options),) = project.loaded
    assert source == str(phones)  # notebooks run elsewhere
    params = parameters.check_params(project.executed[0][1])
    assert params["corpus"] == str(phones)
    assert options == {name: params[name] for name in session.CORPUS} | {"data_dir": params["data_dir"]}
    assert options["on_error"] == "skip"


def test_a_simulated_corpus_keeps_its_name(project):
    devid("run", "--preset", "quick", "--corpus", "simulated-control", "--out", "out")
    assert project.executed[0][1]["corpus"] == "simulated-control"


def test_a_folder_called_like_a_simulated_corpus_gets_its_whole_path(project):
    (project.path / "simulated-phones").mkdir()
    devid("run", "--preset", "quick", "--corpus", "simulated-phones", "--out", "out")
    assert project.executed[0][1]["corpus"] == str(project.path / "simulated-phones")


@pytest.mark.parametrize("preset", sorted(path.stem for path in command.PRESETS.glob("*.yaml")))
def test_presets_hold_known_parameters_of_allowed_values(preset):
    params = command.merged_parameters(preset, None, {})
    assert params["corpus"] == "simulated"
    assert set(params) == set(parameters.PARAMETERS)


def test_paper_preset_has_the_papers_size():
    params = command.merged_parameters("paper", None, {})
    sizes = [params[name] for name in ("segment_length", "train_segments", "test_segments", "epochs", "noise")]
    assert sizes == [4096, 1000, 100, 0, "wavelet"]
    assert (params["wavelet"], params["level"], params["threshold"]) == ("sym8", 17, "minimaxi")


def test_notebooks_run_side_by_side_and_those_that_measure_time_last(project, monkeypatch):
    monkeypatch.setattr(execution, "ALONE", ("01_first",))
    assert devid("run", "--preset", "quick", "--out", "out", "--jobs", "2") == 0
    assert sorted(names(project)[:2]) == NAMES[1:] and names(project)[2] == NAMES[0]


def test_how_many_files_were_left_out_is_said(project, monkeypatch, capsys):
    skipped = [{"path": f"phone/{i}.wav", "reason": "silent"} for i in range(7)]
    monkeypatch.setattr(command, "load_corpus", corpus_stub([], skipped=skipped))
    assert devid("run", "--preset", "quick", "--out", "out") == 0
    said = capsys.readouterr().out
    assert "7 files were left out: phone/0.wav; " in said and "note: a note" in said


# --- Failures --------------------------------------------------------------------------------------------------------
def test_a_failed_notebook_is_kept_and_the_rest_is_run(project, monkeypatch, capsys):
    fail(monkeypatch, project, **{"02_second": "ValueError: too quiet"})
    assert devid("run", "--preset", "quick", "--out", "out") == 1
    assert names(project) == NAMES
    info = json.loads((project.path / "out" / "run.json").read_text())
    assert info["failed"] == {"02_second": "ValueError: too quiet"}
    assert set(info["finished"]) == {"01_first", "03_third"}
    assert info["timings"]["02_second"]["seconds"] >= 0
    assert (project.path / "out" / "notebooks" / "02_second.ipynb").exists()
    assert project.reported == [project.path / "out"]  # the report lists it
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("02_second") and "FAILED  ValueError: too quiet" in line]
    assert lines[-1] == "1 failed: 02_second"


def test_a_kernel_that_dies_is_a_failure(project, monkeypatch):
    fail(monkeypatch, project, **{"01_first": "RuntimeError: Kernel died"})
    assert devid("run", "--preset", "quick", "--out", "out") == 1
    assert folder.read_json(project.path / "out" / "run.json")["failed"] == {"01_first": "RuntimeError: Kernel died"}
    assert names(project) == NAMES


# --- Going on --------------------------------------------------------------------------------------------------------
def test_finished_notebooks_are_not_run_again(project, monkeypatch, capsys):
    fail(monkeypatch, project, **{"02_second": "ValueError: too quiet"})
    asked = ("run", "--preset", "quick", "--out", "out")
    assert devid(*asked) == 1
    project.executed.clear()
    fail(monkeypatch, project)
    assert devid(*asked) == 0
    assert names(project) == ["02_second"]
    assert capsys.readouterr().out.count("already finished") == 2
    assert folder.read_json(project.path / "out" / "run.json")["failed"] == {}


def test_a_failure_is_not_forgotten_by_a_run_of_other_notebooks(project, monkeypatch):
    fail(monkeypatch, project, **{"02_second": "ValueError: too quiet"})
    devid("run", "--preset", "quick", "--out", "out")
    assert devid("run", "--preset", "quick", "--out", "out", "--only", "03") == 0
    assert set(folder.read_json(project.path / "out" / "run.json")["failed"]) == {"02_second"}


@pytest.mark.parametrize("change", ["edited", "deleted", "damaged", "its metrics damaged"])
def test_a_changed_or_lost_notebook_is_run_again(project, change, capsys):
    asked = ("run", "--preset", "quick", "--out", "out")
    devid(*asked)
    project.executed.clear()
    if change == "edited":
        (project.path / "notebooks" / "03_third.ipynb").write_text("{}")
    elif change == "deleted":
        (project.path / "out" / "notebooks" / "03_third.ipynb").unlink()
    elif change == "damaged":
        (project.path / "out" / "notebooks" / "03_third.ipynb").write_text("{")
    else:
        folder.save_metrics(project.path / "out", "03_third", pd.DataFrame({"value": [0.92]}))
        (project.path / "out" / "metrics" / "03_third.csv").write_text("value\n0.93\n")
    assert devid(*asked) == 0
    assert names(project) == ["03_third"]
    assert ("is not as it was written" in capsys.readouterr().out) == ("damaged" in change)


def test_a_notebook_appears_whole(project, monkeypatch):
    seen = []

    def papermill(path, output, run, **_):
        output.write_text("half")
        seen.extend(path.name for path in (run / "notebooks").iterdir() if not path.name.startswith("."))
        output.write_text("{}")
        return ""

    monkeypatch.setattr(execution, "papermill", papermill)
    assert devid("run", "--preset", "quick", "--out", "out", "--only", "01") == 0
    assert seen == [] and (project.path / "out" / "notebooks" / "01_first.ipynb").read_text() == "{}"


def test_a_run_with_a_damaged_run_json_is_made_again(project, capsys):
    asked = ("run", "--preset", "quick", "--out", "out")
    devid(*asked)
    folder.save_metrics(project.path / "out", "03_third", pd.DataFrame({"value": [0.92]}))
    (project.path / "out" / "run.json").write_text('{"parameters": 5, "timings": [')
    project.executed.clear()
    assert devid(*asked) == 0
    assert names(project) == NAMES and "everything is made again" in capsys.readouterr().out
    assert pd.read_csv(project.path / "out" / "results.csv").empty


def test_a_second_run_is_refused_while_the_first_is_at_work(project, monkeypatch, capsys):
    papermill, asked = execution.papermill, ("run", "--preset", "quick", "--out", "out")

    def twice(*args, **options):
        command_line = [sys.executable, "-m", "devid_lib.workbook.command", *asked]
        second = subprocess.run(command_line, capture_output=True, text=True, check=False, timeout=60)
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr.startswith("devid: ") and f"process {os.getpid()} on " in second.stderr
        return papermill(*args, **options)

    monkeypatch.setattr(execution, "papermill", twice)
    assert devid(*asked, "--only", "01") == 0


def test_a_full_disk_is_said_in_one_line(project, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "kernel.log")

    monkeypatch.setattr(execution, "papermill", full)
    assert devid("run", "--preset", "quick", "--out", "out") == 2
    assert re.fullmatch(r"devid: .*No space left on device.*\n", capsys.readouterr().err)


@pytest.mark.parametrize("other", [("-p", "seed", "1"), ("--corpus", "simulated-control"), ("-p", "epochs", "2")])
def test_other_parameters_in_the_same_folder_are_refused(project, capsys, other):
    devid("run", "--preset", "quick", "--out", "out")
    project.executed.clear()
    before = (project.path / "out" / "run.json").read_bytes()
    capsys.readouterr()
    assert devid("run", "--preset", "quick", "--out", "out", *other) == 2
    said = capsys.readouterr()
    assert re.fullmatch(r"devid: \S+out holds a run with (seed|corpus|epochs)=.*choose another --out\n", said.err)
    assert (names(project), (project.path / "out" / "run.json").read_bytes()) == ([], before)
    assert devid("run", "--preset", "quick", "--out", "elsewhere", *other) == 0


def test_other_recordings_under_the_same_name_are_refused(project, monkeypatch, capsys):
    devid("run", "--preset", "quick", "--out", "out")
    checksum = corpus_checksum(command.load_corpus(""))
    folder.update_run(project.path / "out", corpus={"checksum": checksum})  # as the notebooks note it
    assert devid("run", "--preset", "quick", "--out", "out") == 0
    monkeypatch.setattr(command, "load_corpus", corpus_stub([], checksum="changed"))
    project.executed.clear()
    assert devid("run", "--preset", "quick", "--out", "out") == 2
    assert "other recordings" in capsys.readouterr().err
    assert names(project) == []


def test_ctrl_c_ends_the_run_and_the_same_command_goes_on(project, monkeypatch, capsys):
    fail(monkeypatch, project, **{"02_second": "Ctrl-C"})
    asked = ("run", "--preset", "quick", "--out", "out", "--jobs", "1")
    assert devid(*asked) == 130
    assert names(project) == NAMES[:2]
    assert "interrupted" in capsys.readouterr().err
    info = json.loads((project.path / "out" / "run.json").read_text())
    assert set(info["finished"]) == {"01_first"}
    project.executed.clear()
    fail(monkeypatch, project)
    assert devid(*asked) == 0
    assert names(project) == NAMES[1:]


@pytest.mark.skipif(os.name == "nt", reason="no such signal")
def test_told_to_end_is_like_ctrl_c(project, monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)
    fail(monkeypatch, project, **{"02_second": "SIGTERM"})
    assert devid("run", "--preset", "quick", "--out", "out", "--jobs", "1") == 130
    assert "interrupted" in capsys.readouterr().err and names(project) == NAMES[:2]
    assert signal.getsignal(signal.SIGTERM) == before


def test_ctrl_c_while_the_corpus_is_made(project, monkeypatch):
    def load_corpus(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "load_corpus", load_corpus)
    assert devid("run", "--preset", "quick", "--out", "out") == 130
    assert not (project.path / "out").exists()


# --- What is refused -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "fast"], "unknown preset 'fast': known are paper, quick"),
        (["--only", "17"], "unknown notebook '17': known are 01_first, 02_second, 03_third"),
        (["--only", "01", "third"], "unknown notebook 'third'"),
        (["-p", "epoch", "3"], "unknown parameter 'epoch': did you mean 'epochs'"),
        (["-p", "epochs", "three"], "epochs='three' is not a whole number"),
        (["-p", "epochs", "2.5"], "epochs='2.5' is not a whole number"),
        (["-p", "epochs", "-1"], "epochs=-1 is below 0"),
        (["-p", "recording_minutes", "long"], "recording_minutes='long' is not a number"),
        (["-p", "recording_minutes", "nan"], "recording_minutes=nan"),
        (["-p", "noise", "wiener"], "noise='wiener' is not one of wavelet, none"),
        (["-p", "recipe", "quick"], "recipe='quick' is not one of"),
        (["-p", "run_dir", "elsewhere"], "run_dir"),
    ],
)
def test_refused_with_status_2_and_one_line(project, capsys, arguments, message):
    assert devid("run", "--preset", "quick", "--out", "out", *arguments) == 2
    said = capsys.readouterr()
    assert said.err.startswith("devid: ")
    assert said.err.count("\n") == 1
    assert message in said.err
    assert (names(project), (project.path / "out").exists()) == ([], False)


@pytest.mark.parametrize(
    "arguments", [["--fast"], ["dance"], ["run", "--fast"], ["run", "-p", "epochs"], ["report"], ["run", "--only"]]
)
def test_unknown_options(capsys, arguments):
    with pytest.raises(SystemExit) as error:
        devid(*arguments)
    assert error.value.code == 2
    assert "usage: devid" in capsys.readouterr().err


WRONG_COUNTS = [["run", "--jobs", "-1"], ["run", "--jobs", "two"], ["sweep", "grid.yaml", "--workers", "1.5"]]


@pytest.mark.parametrize("arguments", WRONG_COUNTS)
def test_a_mistyped_count_is_refused_in_words(capsys, arguments):
    with pytest.raises(SystemExit):
        devid(*arguments)
    assert f"{arguments[-1]!r} is not a whole number of at least 0" in capsys.readouterr().err


def test_a_corpus_that_is_not_there_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DEVID_HOME", str(tmp_path))
    arguments = ("--corpus", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert devid("run", "--preset", "quick", *arguments) == 2
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_corpus_of_one_device_is_refused_before_anything_is_run(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DEVID_HOME", str(tmp_path))
    for i in range(3):
        (tmp_path / "phones" / "ash").mkdir(parents=True, exist_ok=True)
        y = 0.1 * np.random.default_rng(i).standard_normal(8000)
        sf.write(tmp_path / "phones" / "ash" / f"{i}.wav", y, 8000)
    arguments = ("--corpus", tmp_path / "phones", "--out", tmp_path / "out")
    assert devid("run", "--preset", "quick", *arguments) == 2
    assert "two devices" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_folder_that_cannot_be_made(project, capsys):
    (project.path / "out").write_text("a file")
    assert devid("run", "--preset", "quick", "--out", "out") == 2
    assert str(project.path / "out") in capsys.readouterr().err


# --- Report and figures ----------------------------------------------------------------------------------------------
def test_report_command(project, capsys):
    assert devid("report", "out") == 0
    assert [str(folder) for folder in project.reported] == ["out"]
    assert "index.html" in capsys.readouterr().out


def test_report_of_a_folder_that_is_no_run(tmp_path, capsys):
    assert devid("report", tmp_path / "nothing") == 2
    assert "nothing" in capsys.readouterr().err


BLOCKS = ("results", "leaderboard", "real results", "real leaderboard")
LEADERBOARD = ("macro F1", "log-loss", "fit seconds", "seconds per excerpt")


@pytest.fixture
def finished(tmp_path):
    """A run folder with what RESULTS.md shows, and a project with that file."""
    (tmp_path / "run" / "figures").mkdir(parents=True)
    for name in update_readme.FIGURES:
        (tmp_path / "run" / "figures" / f"{name}.png").write_bytes(name.encode())
    rows = [
        {
            "table": "II",
            "system": "mlp-3",
            "variant": "wavelet",
            "unit": "segment",
            "metric": "accuracy",
            "value": 0.9217,
            "low": 0.85,
            "high": 0.97,
            "n": 900,
            "chance": 1 / 9,
            "paper": 0.93,
        },
        {
            "table": "II",
            "system": "mlp-3",
            "variant": "wavelet",
            "unit": "recording",
            "metric": "accuracy",
            "value": 1,
            "low": 1,
            "high": 1,
            "n": 9,
            "chance": 1 / 9,
        },
        {"table": "VI", "system": "mlp-3", "variant": "device:LG", "unit": "segment", "metric": "recall", "value": 0.5},
        {"table": "", "system": "leakage probe", "unit": "excerpt", "metric": "accuracy", "value": 0.2},
    ]
    for system, values in {
        "[5] supervector SVM": (0.5, 0.6, 0.7, 0.8),
        "[1] y": (0, 0, 0, 1),
    }.items():
        units = zip(("segment", "1 s", "3 s", "recording"), values, strict=True)
        board = {"table": "leaderboard", "system": system, "seed": 0, "n": 9}
        rows += [board | {"unit": unit, "metric": "accuracy", "value": value} for unit, value in units]
        rows[-1]["paper"] = 0.9 if system.startswith("[5]") else np.nan
        rows += [board | {"unit": "3 s", "metric": name, "value": 0.25} for name in LEADERBOARD]
    pd.DataFrame(rows).reindex(columns=folder.COLUMNS).to_csv(tmp_path / "run" / "results.csv", index=False)
    blocks = [f"<!-- {name} -->\nold\n<!-- end of {name} -->\n" for name in BLOCKS]
    (tmp_path / "RESULTS.md").write_text("\n".join(["# Ünits\n", *blocks, "The end.\n"]), encoding="utf-8")
    return tmp_path


def block(results, name):
    """Return the cells of the table between two marks, and its head."""
    table = results.split(f"<!-- {name} -->\n")[1].split(f"\n<!-- end of {name} -->")[0]
    head, rule, *lines = table.splitlines()
    assert head.count("|") == rule.count("|")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_copy_figures_fills_the_results(finished):
    for _ in range(2):  # again, over what is there
        update_readme.update(finished / "run", project=finished)
    for name in update_readme.FIGURES:
        assert (finished / "figures" / f"{name}.png").read_bytes() == name.encode()
    assert (finished / "figures" / "results.csv").read_bytes() == (finished / "run" / "results.csv").read_bytes()
    results = (finished / "RESULTS.md").read_text(encoding="utf-8")
    assert results.startswith("# Ünits\n\n<!-- results -->") and results.endswith("\nThe end.\n")
    assert block(results, "results") == [
        ["II", "mlp-3", "wavelet", "segment", "92.2", "85.0 - 97.0", "93"],
        ["II", "mlp-3", "wavelet", "recording", "100.0", "100.0 - 100.0", ""],
    ]
    assert block(results, "leaderboard") == [
        ["[1] y", "0.0", "0.0", "0.0", "100.0", "", "0.25"],
        ["[5] supervector SVM", "50.0", "60.0", "70.0", "80.0", "90", "0.25"],
    ]
    assert results.count("\nold\n") == 2  # the tables of real recordings


def test_a_real_run_fills_its_own_tables(finished):
    update_readme.update(finished / "run", finished / "run", project=finished)
    results = (finished / "RESULTS.md").read_text(encoding="utf-8")
    assert block(results, "real results") == block(results, "results")
    assert block(results, "real leaderboard") == block(results, "leaderboard")


@pytest.mark.parametrize("missing", ["results.csv", f"figures/{update_readme.FIGURES[-1]}.png"])
def test_copy_figures_of_an_unfinished_run_changes_nothing(finished, missing):
    (finished / "run" / missing).unlink()
    with pytest.raises(DevidError, match="missing, so this run is not complete"):
        update_readme.update(finished / "run", project=finished)
    assert not (finished / "figures").exists()
    assert "old" in (finished / "RESULTS.md").read_text(encoding="utf-8")


def test_copy_figures_without_the_marks(finished):
    (finished / "RESULTS.md").write_text("# A page\n")
    with pytest.raises(DevidError, match=r"RESULTS\.md: lacks"):
        update_readme.update(finished / "run", project=finished)
    assert (finished / "RESULTS.md").read_text() == "# A page\n"


def test_the_results_have_the_marks_of_all_tables():
    results = (update_readme.PROJECT / "RESULTS.md").read_text(encoding="utf-8")
    assert all(len(block(results, name)) > 20 for name in BLOCKS)


def test_the_readmes_figures_are_made_by_the_notebooks():
    for name in update_readme.FIGURES:
        made_by, figure = re.fullmatch(r"(\d\d_[a-z_]+)-(.+)", name).groups()
        assert f'"{figure}"' in (command.NOTEBOOKS / "src" / f"{made_by}.py").read_text(encoding="utf-8")


def test_the_command_is_installed():
    help_text = subprocess.run(
        [sys.executable, "-m", "devid_lib.workbook.command", "run", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert "--preset" in help_text
    assert "test_recordings" in help_text
