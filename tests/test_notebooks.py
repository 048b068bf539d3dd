"""The notebooks: their form, and every one of them run headless by papermill."""

import ast
import json
import os
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from devid_lib import results, run
from devid_lib.notebook import PAPER_SYSTEMS, PARAMETERS
from devid_lib.systems import registry
from tools import make_notebooks

NOTEBOOKS = sorted(run.NOTEBOOKS.glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
TINY = {
    "recording_minutes": 0.1,
    "train_segments": 40,
    "test_segments": 20,
    "segment_length": 1024,
    "epochs": 2,
    "voters": 3,
}
RUN = [name for name in NAMES if name not in run.NEEDS_PREDICTIONS]
PUBLISHED = os.environ.get("DEVID_PUBLISHED_PREDICTIONS", "")
REAL = os.environ.get("DEVID_TEST_CORPUS", "")


def read(path):
    return nbformat.read(path, as_version=4)


def text(cell):
    return cell.source


# --- form ------------------------------------------------------------------------------------------------------------
def test_all_notebooks_are_there():
    numbers = [name[:2] for name in NAMES]
    assert numbers == ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "90"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_paired_with_its_source(path):
    made = make_notebooks.make_notebook(run.NOTEBOOKS / "src" / f"{path.stem}.py")
    assert json.loads(nbformat.writes(made)) == json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_stripped(path):
    for cell in read(path).cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
    assert "papermill" not in read(path).metadata


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_one_parameters_cell_like_the_table(path):
    cells = [cell for cell in read(path).cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(cells) == 1
    lines = text(cells[0]).splitlines()
    assert [line.split(":")[0] for line in lines] == list(PARAMETERS)
    for line in lines:  # papermill's inspection skips a second = and |
        assert re.fullmatch(r"\w+: (str|int|float) = [^=|]+  # [^=|]+", line), line
    namespace = {}
    exec(text(cells[0]), namespace)
    assert {name: namespace[name] for name in PARAMETERS} == {name: spec[0] for name, spec in PARAMETERS.items()}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_reads_like_the_template(path):
    cells = read(path).cells
    headings = [line for cell in cells if cell.cell_type == "markdown" for line in text(cell).splitlines()]
    titles = [line for line in headings if line.startswith("# ")]
    assert len(titles) == 1 and titles[0].startswith(f"# {path.stem[:2]} · ")
    assert text(cells[0]).startswith(titles[0])
    for wanted in ("What can go wrong", "Results of this notebook", "What we saw", "Exercises"):
        assert sum(line == f"## {wanted}" for line in headings) == 1, wanted
    most = 64 if path.stem == "10_cited_systems" else 42  # it has a section for each of twelve systems
    assert 15 <= len(cells) <= most
    assert len({cell.id for cell in cells}) == len(cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_code_cells_are_short(path):
    for cell in read(path).cells:
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
            assert len(text(cell).splitlines()) <= 22, text(cell)
            for node in ast.walk(ast.parse(text(cell))):
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    assert node.end_lineno - node.lineno < 10, text(cell)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_every_formula_precedes_code_and_links_exist(path):
    for link in re.findall(r"\]\((\d\d_\w+\.ipynb)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link


# --- run -------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, data_dir):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    failed = run.run(preset="quick", out=folder, parameters=TINY | {"data_dir": str(data_dir)})
    return folder, failed


def test_every_notebook_runs_headless(tiny_run):
    folder, failed = tiny_run
    assert failed == {}
    assert sorted(path.stem for path in (folder / "notebooks").glob("*.ipynb")) == RUN
    assert (folder / "report" / "index.html").stat().st_size > 10_000


def test_results_hold_every_table(tiny_run):
    table = pd.read_csv(tiny_run[0] / "results.csv")
    assert list(table.columns) == results.COLUMNS
    assert set(table["notebook"]) == set(RUN)
    expected = {
        "II": {"softmax", "mlp-1", "mlp-2", "mlp-3"},
        "III": {"softmax", "mlp-3", "cnn", "cnn-random"},
        "IV": {f"{kind}mlp-{depth}" for kind in ("", "averaged-") for depth in (1, 2, 3)},
        "V": {"mlp-3"},
        "VI": {"mlp-3"},
    }
    for name, systems in expected.items():
        assert set(table.loc[table["table"] == name, "system"]) == systems
    assert set(table["corpus"]) == {"simulated"} and set(table["seed"]) == {0}


def test_accuracies_are_fractions_with_interval_chance_and_n(tiny_run):
    table = pd.read_csv(tiny_run[0] / "results.csv")
    rows = table[(table["metric"] == "accuracy") & table["table"].isin(["II", "III", "IV", "V"])]
    assert len(rows) >= 20
    assert rows[["value", "low", "high", "n", "chance"]].notna().all().all()
    assert ((rows["low"] <= rows["value"]) & (rows["value"] <= rows["high"])).all()
    assert np.allclose(rows["chance"], 1 / 9)
    segments = rows[rows["unit"] == "segment"]
    assert (segments["n"] == 9 * TINY["test_segments"]).all() and (rows[rows["unit"] == "recording"]["n"] == 9).all()


def test_paper_figures_stand_beside_ours(tiny_run):
    table = pd.read_csv(tiny_run[0] / "results.csv")
    rows = table[table["paper"].notna()]
    found = {(row.table, row.system, row.variant, row.unit): row.paper for row in rows.itertuples()}
    expected = {key: value for key, value in results.PAPER.items() if key[3] not in ("vote4", "vote5")}  # 3 voters here
    assert expected.items() <= found.items()


def test_run_json_tells_what_made_it(tiny_run):
    content = json.loads((tiny_run[0] / "run.json").read_text())
    assert content["parameters"]["train_segments"] == TINY["train_segments"]
    assert content["corpus"]["name"] == "simulated" and content["corpus"]["recordings"] == 27
    assert {"python", "numpy", "keras"} <= set(content["versions"])
    assert set(content["timings"]) >= set(RUN) and set(content["finished"]) == set(RUN)


def test_every_notebook_says_what_it_saw(tiny_run):
    for name in RUN:
        lines = (tiny_run[0] / "conclusions" / f"{name}.txt").read_text().splitlines()
        assert len(lines) >= 3
        executed = read(tiny_run[0] / "notebooks" / f"{name}.ipynb")
        assert lines[0] in json.dumps([cell.get("outputs") for cell in executed.cells], ensure_ascii=False)


def test_leaderboard_holds_every_system(tiny_run):
    table = pd.read_csv(tiny_run[0] / "results.csv").query("table == 'leaderboard' and metric == 'accuracy'")
    expected = {*registry.systems(), *(f"paper {name}" for name in PAPER_SYSTEMS), "yours: spectral correlation"}
    expected |= {f"paper voting, {TINY['voters']} x mlp-3"}
    assert set(table["system"]) == expected and len(table) == 4 * len(expected)
    assert table[["value", "low", "high", "n", "chance"]].notna().all().all()
    published = table[table["paper"].notna()].set_index("system")["paper"]
    assert published["[7] random spectral features, SRC"] == 0.9555 and (table["paper"].notna().sum() == len(published))


def test_every_cited_system_has_a_section_an_equation_and_a_picture():
    cells = read(run.NOTEBOOKS / "10_cited_systems.ipynb").cells
    starts = {
        f"[{k}]": next(i for i, cell in enumerate(cells) if re.search(rf"^### \[{k}\] ", text(cell), re.MULTILINE))
        for k in range(1, 13)
    }
    assert list(starts.values()) == sorted(starts.values())
    for name, start in starts.items():
        assert "$$" in text(cells[start]), name
        code = "".join(text(cell) for cell in cells[start + 1 : start + 3])
        assert "nb.save_figure" in code, name


def test_predictions_hold_one_column_per_device(tiny_run):
    table = pd.read_parquet(tiny_run[0] / "predictions" / "04_mlp-mlp-3-wavelet.parquet")
    devices = [name for name in table.columns if name not in ("device", "recording", "draw", "start")]
    assert sorted(set(table["device"])) == devices and len(devices) == 9
    assert np.allclose(table[devices].sum(axis=1), 1, atol=1e-4)
    assert len(table) == 9 * TINY["voters"] * TINY["test_segments"]


def test_finished_notebooks_are_not_run_again(tiny_run, data_dir, capsys):
    before = (tiny_run[0] / "notebooks" / "03_softmax.ipynb").stat().st_mtime_ns
    failed = run.run(preset="quick", out=tiny_run[0], only=["03"], parameters=TINY | {"data_dir": str(data_dir)})
    assert failed == {} and "already finished" in capsys.readouterr().out
    assert (tiny_run[0] / "notebooks" / "03_softmax.ipynb").stat().st_mtime_ns == before


def test_one_seed_gives_one_result(tiny_run, data_dir, tmp_path):
    only = ["03", "04"]
    assert (
        run.run(preset="quick", out=tmp_path / "again", only=only, parameters=TINY | {"data_dir": str(data_dir)}) == {}
    )
    for name in ("03_softmax", "04_mlp"):
        again = (tmp_path / "again" / "metrics" / f"{name}.csv").read_bytes()
        assert again == (tiny_run[0] / "metrics" / f"{name}.csv").read_bytes()


def test_a_failing_notebook_is_kept_and_the_rest_still_run(data_dir, tmp_path, monkeypatch):
    folder = tmp_path / "notebooks"
    shutil.copytree(run.NOTEBOOKS, folder)
    broken = read(folder / "00_start_here.ipynb")
    broken.cells[-2].source = "raise ValueError('planted')"
    nbformat.write(broken, folder / "00_start_here.ipynb")
    monkeypatch.setattr(run, "NOTEBOOKS", folder)
    parameters = TINY | {"data_dir": str(data_dir)}
    failed = run.run(preset="quick", out=tmp_path / "run", only=["00", "01"], parameters=parameters)
    assert list(failed) == ["00_start_here"] and "planted" in failed["00_start_here"]
    content = json.loads((tmp_path / "run" / "run.json").read_text())
    assert content["failed"] == failed and list(content["finished"]) == ["01_build_dataset"]
    assert "planted" in (tmp_path / "run" / "report" / "index.html").read_text()


def test_an_unknown_papermill_parameter_is_refused(data_dir, tmp_path):
    import papermill

    parameters = TINY | {"data_dir": str(data_dir), "run_dir": str(tmp_path), "recipy": "default"}
    with pytest.raises(papermill.PapermillExecutionError, match="did you mean 'recipe'"):
        papermill.execute_notebook(
            run.NOTEBOOKS / "00_start_here.ipynb",
            tmp_path / "out.ipynb",
            parameters,
            kernel_name="python3",
            progress_bar=False,
        )


# --- the control and real recordings ---------------------------------------------------------------------------------
def accuracy(folder, system, unit):
    table = pd.read_csv(folder / "results.csv")
    rows = table.query("system == @system and unit == @unit and metric == 'accuracy' and table == ['II', 'V']")
    return float(rows["value"].iloc[0])


def test_nine_copies_of_one_recorder_come_out_at_chance(data_dir, tmp_path):
    parameters = {"recording_minutes": 0.5, "train_segments": 100, "test_segments": 100, "epochs": 5, "voters": 1}
    parameters |= {"data_dir": str(data_dir)}
    failed = run.run(
        preset="quick", corpus="simulated-control", out=tmp_path / "run", only=["03", "04"], parameters=parameters
    )
    assert failed == {}
    table = pd.read_csv(tmp_path / "run" / "results.csv")
    rows = table[(table["metric"] == "accuracy") & (table["unit"] == "segment") & (table["table"] == "II")]
    assert set(rows["system"]) == {"softmax", "mlp-1", "mlp-2", "mlp-3"}
    # Nine test recordings are nine observations: at chance, four or more right ones have a probability of 1 %.
    assert (rows["value"] < 4 / 9).all() and rows["value"].mean() < 0.3


@pytest.mark.skipif(not PUBLISHED, reason="DEVID_PUBLISHED_PREDICTIONS names no folder")
def test_published_predictions_give_the_known_figures(data_dir, tmp_path):
    parameters = TINY | {"data_dir": str(data_dir), "predictions": PUBLISHED}
    assert run.run(preset="quick", out=tmp_path / "run", only=["11"], parameters=parameters) == {}
    table = pd.read_csv(tmp_path / "run" / "results.csv")
    figures = table[table["metric"] == "accuracy"].set_index("variant")
    expected = {"model 1": 0.9222, "model 2": 0.9256, "model 3": 0.9156, "sum": 0.9767}
    expected["majority, ties to the first device"] = 0.9656
    for name, value in expected.items():
        assert figures.loc[name, "value"] == pytest.approx(value, abs=5e-5)
    assert figures.loc["model 1", ["low", "high"]].tolist() == pytest.approx([0.874, 0.964], abs=0.01)
    errors = table[table["metric"] == "expected calibration error"].set_index("variant")["value"]
    assert errors.round(3).to_dict() == {"model 1": 0.029, "model 2": 0.109, "model 3": 0.095, "sum": 0.162}


def test_without_predictions_the_notebook_says_what_to_do(data_dir, tmp_path):
    failed = run.run(preset="quick", out=tmp_path / "run", only=["11"], parameters=TINY | {"data_dir": str(data_dir)})
    assert "download" in failed["11_published_predictions"] and "predy1.npy" in failed["11_published_predictions"]


@pytest.mark.skipif(not REAL, reason="DEVID_TEST_CORPUS names no folder of real recordings")
def test_real_phones_are_told_apart(data_dir, tmp_path):
    parameters = {"train_segments": 200, "test_segments": 100, "epochs": 0, "data_dir": str(data_dir)}
    parameters |= {"test_recordings": "clip3,clip4,clip5"}
    failed = run.run(preset="paper", corpus=REAL, out=tmp_path / "run", only=["03", "04", "07"], parameters=parameters)
    assert failed == {}
    assert Path(REAL).name == json.loads((tmp_path / "run" / "run.json").read_text())["corpus"]["name"]
    assert accuracy(tmp_path / "run", "softmax", "segment") >= 0.90
    assert accuracy(tmp_path / "run", "mlp-3", "segment") >= 0.94
    assert accuracy(tmp_path / "run", "mlp-3", "vote5") >= 0.99
    assert accuracy(tmp_path / "run", "mlp-3", "recording") == 1
