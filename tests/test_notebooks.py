"""The notebooks: their form, and every one of them run headless by papermill, their solutions too."""

import ast
import json
import os
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest

from devid_lib.systems import registry
from devid_lib.workbook import command, folder, paper
from devid_lib.workbook.parameters import PARAMETERS
from tools import make_notebooks

SOURCES = make_notebooks.sources()
NOTEBOOKS = [path for path in SOURCES.values() if path.parent == command.NOTEBOOKS]
SOLUTIONS = [path for path in SOURCES.values() if path.parent != command.NOTEBOOKS]
NAMES = [path.stem for path in NOTEBOOKS]
TINY = {
    "recording_minutes": 0.1,
    "train_segments": 40,
    "test_segments": 20,
    "segment_length": 1024,
    "epochs": 2,
    "voters": 3,
}
OWN_NAMES = ast.FunctionDef | ast.Lambda | ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp
RUN = [name for name in NAMES if name not in (*command.NEEDS_PREDICTIONS, command.REPORT)]
PUBLISHED = os.environ.get("DEVID_PUBLISHED_PREDICTIONS", "")
REAL = os.environ.get("DEVID_TEST_CORPUS", "")


def read(path):
    return nbformat.read(path, as_version=4)


def code(path):
    """Return the code cells of a notebook, but for its parameters."""
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    return [cell.source for cell in cells if "parameters" not in cell.metadata.get("tags", [])]


def prose(path):
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def parameters(path):
    (cell,) = [cell for cell in read(path).cells if "parameters" in cell.metadata.get("tags", [])]
    return cell.source


every = pytest.mark.parametrize("path", [*NOTEBOOKS, *SOLUTIONS], ids=lambda path: f"{path.parent.name}/{path.stem}")
taught = pytest.mark.parametrize("path", NOTEBOOKS[:-1], ids=NAMES[:-1])  # the report has a form of its own


# --- form ------------------------------------------------------------------------------------------------------------
def test_all_notebooks_are_there():
    numbers = [name.split("_")[0] for name in NAMES]
    expected = [*(f"{i:02}" for i in range(11)), "10a", "10b", "10c", *map(str, range(11, 17)), "20", "90", "91", "99"]
    assert numbers == expected
    assert [path.stem for path in SOLUTIONS] == NAMES[:-1]
    assert sorted(command.NOTEBOOKS.rglob("*.ipynb")) == sorted(SOURCES.values())


@pytest.mark.parametrize(("source", "notebook"), SOURCES.items(), ids=[path.stem for path in SOURCES])
def test_paired_with_its_source(source, notebook):
    text = source.read_text(encoding="utf-8")
    assert make_notebooks.filled(text) == text, "tools/make_notebooks.py has not been run"
    made = make_notebooks.make_notebook(source)
    assert json.loads(nbformat.writes(made)) == json.loads(notebook.read_text(encoding="utf-8"))


@every
def test_stripped(path):
    for cell in read(path).cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
    assert "papermill" not in read(path).metadata


@every
def test_parameters_are_few_and_papermill_can_read_them(path):
    lines = parameters(path).splitlines()
    assert 1 <= len(lines) <= 12
    for line in lines:  # papermill's inspection skips a second = and |
        assert re.fullmatch(r"\w+: (str|int|float) = [^=|]+  # [^=|]+", line), line
    namespace = {}
    exec(parameters(path), namespace)
    for name in [line.split(":")[0] for line in lines]:
        assert namespace[name] == PARAMETERS[name].default


@every
def test_no_cell_gives_a_parameter_another_meaning(path):
    """What is called like a parameter of the notebook would be taken for it when the start cell is run again in Lab."""
    own = set(re.findall(r"^\w+", parameters(path), re.MULTILINE))
    for cell in code(path):
        for node in ast.parse(cell).body:
            owners = [f for f in ast.walk(node) if isinstance(f, OWN_NAMES)]
            inner = {n.id for f in owners for n in ast.walk(f) if isinstance(n, ast.Name)}
            assigned = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            assert not (assigned - inner) & own, cell


@taught
def test_reads_like_the_template(path):
    cells = read(path).cells
    headings = [line for line in prose(path).splitlines() if line.startswith("#")]
    titles = [line for line in headings if line.startswith("# ")]
    assert len(titles) == 1 and titles[0].startswith(f"# {path.stem.split('_')[0]} · ")
    assert cells[0].source.startswith(titles[0])
    for wanted in ("What can go wrong", "Results of this notebook", "What we saw", "Exercises"):
        assert sum(line == f"## {wanted}" for line in headings) == 1, wanted
    assert cells[-1].cell_type == "markdown" and f"solutions/{path.name}" in cells[-1].source
    assert len({cell.id for cell in cells}) == len(cells)


@every
def test_code_cells_are_short(path):
    for cell in code(path):
        assert sum(bool(line.strip()) for line in cell.splitlines()) <= 25, cell
        for node in ast.walk(ast.parse(cell)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 16, cell


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if "02" <= path.stem < "11"], ids=lambda path: path.stem)
def test_the_algorithm_in_sight_equals_the_library(path):
    assert "assert_allclose" in "".join(code(path)) or "assert_array_equal" in "".join(code(path))


def test_every_notebook_is_on_the_map_and_leads_to_the_next():
    for path in [*NOTEBOOKS, *SOLUTIONS]:
        for link in re.findall(r"\]\(([\w/.]+\.ipynb)\)", prose(path)):
            assert (path.parent / link).exists(), link
    on_map = prose(NOTEBOOKS[0])
    for path, after in zip(NOTEBOOKS, [*NOTEBOOKS[1:], None], strict=True):
        assert path is NOTEBOOKS[0] or f"({path.name})" in on_map, path.name
        if after and after.stem != command.REPORT:
            assert f"({after.name})" in read(path).cells[-1].source, path.name


# --- run -------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, data_dir):
    run = tmp_path_factory.mktemp("runs") / "tiny"
    failed = command.run(preset="quick", out=run, parameters=TINY | {"data_dir": str(data_dir)})
    return run, failed


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solutions_run(path, tiny_run, data_dir, tmp_path):
    if path.stem in command.NEEDS_PREDICTIONS and not PUBLISHED:
        pytest.skip("DEVID_PUBLISHED_PREDICTIONS names no folder")
    given = {"run_dir": str(tmp_path / "run"), "data_dir": str(data_dir), "predictions": PUBLISHED}
    given |= {"recording_minutes": 0.2, "train_segments": 60, "test_segments": 20}
    papermill.execute_notebook(path, tmp_path / "out.ipynb", given, kernel_name="python3", progress_bar=False)


def test_every_notebook_runs_headless(tiny_run):
    run, failed = tiny_run
    assert failed == {}
    assert sorted(path.stem for path in (run / "notebooks").glob("*.ipynb")) == sorted([*RUN, command.REPORT])
    assert (run / "report" / "index.html").stat().st_size > 10_000
    pages = {path.stem for path in (run / "report" / "notebooks").glob("*.html")}
    assert pages == set(RUN)


def test_results_hold_every_table(tiny_run):
    table = pd.read_csv(tiny_run[0] / "results.csv")
    assert list(table.columns) == folder.COLUMNS
    assert set(table["notebook"]) == set(RUN)
    expected = {
        "II": {"softmax", "mlp-1", "mlp-2", "mlp-3"},
        "III": {"ridge", "softmax", "mlp-3", "filterbank", "cnn"},
        "IV": {f"{kind}mlp-{depth}" for kind in ("", "averaged-") for depth in (1, 2, 3)},
        "V": {"mlp-3"},
        "VI": {"mlp-3"},
    }
    for name, systems in expected.items():
        assert set(table.loc[table["table"] == name, "system"]) == systems
    assert table.loc[table["system"] == "cnn", "paper"].isna().all()  # of few epochs: not held against the paper's
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
    without = {"vote4", "vote5", "cnn"}  # three voters here, and a CNN of few epochs
    expected = {key: value for key, value in paper.PAPER.items() if not without & set(key)}
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
    assert set(registry.systems()) < set(table["system"]) and not table["system"].str.startswith("yours").any()
    assert "paper mlp-3" in set(table["system"])
    assert (table.groupby("system")["unit"].nunique() == 4).all()
    assert table[["value", "low", "high", "n", "chance"]].notna().all().all()
    published = table[table["paper"].notna()].set_index("system")["paper"]
    assert published["[7] random spectral features, SRC"] == 0.9555 and (table["paper"].notna().sum() == len(published))


def test_every_cited_system_has_a_section_an_equation_and_a_picture():
    cells = [cell for path in NOTEBOOKS if path.stem[:3] in ("10a", "10b", "10c") for cell in read(path).cells]
    for k in range(1, 13):
        start = next(i for i, cell in enumerate(cells) if re.search(rf"^### \[{k}\] ", cell.source, re.MULTILINE))
        stop = next((i for i in range(start + 1, len(cells)) if re.match("##", cells[i].source)), len(cells))
        section = "\n".join(cell.source for cell in cells[start:stop])
        assert "$$" in section and "save_figure" in section and "assert_allclose" in section, k


def test_predictions_hold_one_column_per_device(tiny_run):
    table = pd.read_parquet(tiny_run[0] / "predictions" / "04_mlp-mlp-3-wavelet.parquet")
    devices = [name for name in table.columns if name not in ("device", "recording", "draw", "start")]
    assert sorted(set(table["device"])) == devices and len(devices) == 9
    assert np.allclose(table[devices].sum(axis=1), 1, atol=1e-4)
    assert len(table) == 9 * TINY["voters"] * TINY["test_segments"]


def test_finished_notebooks_are_not_run_again(tiny_run, data_dir, capsys):
    before = (tiny_run[0] / "notebooks" / "03_softmax.ipynb").stat().st_mtime_ns
    failed = command.run(preset="quick", out=tiny_run[0], only=["03"], parameters=TINY | {"data_dir": str(data_dir)})
    assert failed == {} and "already finished" in capsys.readouterr().out
    assert (tiny_run[0] / "notebooks" / "03_softmax.ipynb").stat().st_mtime_ns == before


def test_one_seed_gives_one_result(tiny_run, data_dir, tmp_path):
    given = {"only": ["03", "04"], "jobs": 1, "parameters": TINY | {"data_dir": str(data_dir)}}
    assert command.run(preset="quick", out=tmp_path / "again", **given) == {}
    for name in ("03_softmax", "04_mlp"):
        again = (tmp_path / "again" / "metrics" / f"{name}.csv").read_bytes()
        assert again == (tiny_run[0] / "metrics" / f"{name}.csv").read_bytes()


def test_a_failing_notebook_is_kept_and_the_rest_still_run(data_dir, tmp_path, monkeypatch):
    copies = tmp_path / "notebooks"
    shutil.copytree(command.NOTEBOOKS, copies)
    broken = read(copies / "00_start_here.ipynb")
    broken.cells[-2].source = "raise ValueError('planted')"
    nbformat.write(broken, copies / "00_start_here.ipynb")
    monkeypatch.setattr(command, "NOTEBOOKS", copies)
    given, out = TINY | {"data_dir": str(data_dir)}, tmp_path / "case {17}"  # braces mean something to papermill
    failed = command.run(preset="quick", out=out, only=["00", "01"], parameters=given)
    assert list(failed) == ["00_start_here"] and "planted" in failed["00_start_here"]
    content = json.loads((out / "run.json").read_text())
    assert content["failed"] == failed and list(content["finished"]) == ["01_build_dataset"]
    assert "planted" in (out / "report" / "index.html").read_text()


def test_an_unknown_papermill_parameter_is_refused(data_dir, tmp_path):
    parameters = TINY | {"data_dir": str(data_dir), "run_dir": str(tmp_path), "recipy": "default"}
    with pytest.raises(papermill.PapermillExecutionError, match="did you mean 'recipe'"):
        papermill.execute_notebook(
            command.NOTEBOOKS / "00_start_here.ipynb",
            tmp_path / "out.ipynb",
            parameters,
            kernel_name="python3",
            progress_bar=False,
        )


# --- the control and real recordings ---------------------------------------------------------------------------------
def accuracy(run, system, unit):
    table = pd.read_csv(run / "results.csv")
    rows = table.query("system == @system and unit == @unit and metric == 'accuracy' and table == ['II', 'V']")
    return float(rows["value"].iloc[0])


def test_nine_copies_of_one_recorder_come_out_at_chance(data_dir, tmp_path):
    parameters = {"recording_minutes": 0.5, "train_segments": 100, "test_segments": 100, "epochs": 5, "voters": 1}
    parameters |= {"data_dir": str(data_dir)}
    failed = command.run(
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
    assert command.run(preset="quick", out=tmp_path / "run", only=["11"], parameters=parameters) == {}
    table = pd.read_csv(tmp_path / "run" / "results.csv")
    figures = table[table["metric"] == "accuracy"].set_index("variant")
    expected = {"model 1": 0.9222, "model 2": 0.9256, "model 3": 0.9156, "sum": 0.9767}
    expected["majority, ties to the first device"] = 0.9656
    for name, value in expected.items():
        assert figures.loc[name, "value"] == pytest.approx(value, abs=5e-5)
    assert figures.loc["model 1", ["low", "high"]].tolist() == pytest.approx([0.842, 0.963], abs=0.001)
    errors = table[table["metric"] == "expected calibration error"].set_index("variant")["value"]
    assert errors.round(3).to_dict() == {"model 1": 0.029, "model 2": 0.109, "model 3": 0.095, "sum": 0.162}


def test_without_predictions_the_notebook_says_what_to_do(data_dir, tmp_path):
    given = TINY | {"data_dir": str(data_dir)}
    failed = command.run(preset="quick", out=tmp_path / "run", only=["11"], parameters=given)
    assert "download" in failed["11_published_predictions"] and "predy1.npy" in failed["11_published_predictions"]


@pytest.mark.skipif(not REAL, reason="DEVID_TEST_CORPUS names no folder of real recordings")
def test_real_phones_are_told_apart(data_dir, tmp_path):
    given = {"train_segments": 200, "test_segments": 100, "epochs": 0, "data_dir": str(data_dir)}
    given |= {"test_recordings": "clip3,clip4,clip5"}
    failed = command.run(preset="paper", corpus=REAL, out=tmp_path / "run", only=["03", "04", "07"], parameters=given)
    assert failed == {}
    assert Path(REAL).name == json.loads((tmp_path / "run" / "run.json").read_text())["corpus"]["name"]
    assert accuracy(tmp_path / "run", "softmax", "segment") >= 0.90
    assert accuracy(tmp_path / "run", "mlp-3", "segment") >= 0.94
    assert accuracy(tmp_path / "run", "mlp-3", "vote5") >= 0.99
    assert accuracy(tmp_path / "run", "mlp-3", "recording") == 1
