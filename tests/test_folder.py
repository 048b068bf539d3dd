"""The run folder: tables that read back as they were written, models that only their own settings open."""

import json
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest

from devid_lib.errors import DevidError
from devid_lib.workbook import folder, paper

CONTRACT = "notebook table system variant corpus unit metric value low high n paper seed".split()


@pytest.fixture
def run(tmp_path):
    return tmp_path / "runs" / "today"


def rows(*values, **more):
    """Return one accuracy per value."""
    table = pd.DataFrame({"value": values})
    known = dict(table="II", system="softmax", variant="wavelet", corpus="simulated", unit="segment", metric="accuracy")
    numbers = dict(low=0.1, high=0.9, n=900, chance=1 / 9, paper=0.87, seed=0)
    return table.assign(**known | numbers | more)


def contents(place):
    """Return every file below a folder with its bytes, locks left out."""
    files = [path for path in place.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(place)): path.read_bytes() for path in files}


def test_columns_keep_the_contract(run):
    assert [name for name in folder.COLUMNS if name in CONTRACT] == CONTRACT
    folder.save_metrics(run, "03_softmax", rows(0.5).assign(scratch=1))
    assert list(pd.read_csv(run / "results.csv").columns) == folder.COLUMNS


def test_metrics_of_all_notebooks_are_gathered(run):
    folder.save_metrics(run, "04_mlp", rows(0.92, 0.93))
    table = folder.save_metrics(run, "03_softmax", rows(0.87))
    assert table["notebook"].tolist() == ["03_softmax", "04_mlp", "04_mlp"]
    assert table["value"].tolist() == [0.87, 0.92, 0.93]


def test_metrics_of_one_notebook_are_replaced(run):
    folder.save_metrics(run, "04_mlp", rows(0.1, 0.2, 0.3))
    folder.save_metrics(run, "03_softmax", rows(0.87))
    table = folder.save_metrics(run, "04_mlp", rows(0.92))
    assert table[["notebook", "value"]].to_numpy().tolist() == [["03_softmax", 0.87], ["04_mlp", 0.92]]


def test_metrics_read_back_equal(run):
    written = rows(1 / 3, 0.1 + 0.2, low=np.nan, paper=np.nan, variant="none", table="")
    saved = folder.save_metrics(run, "05", written)
    read = folder.read_table(run / "results.csv")
    pd.testing.assert_frame_equal(read, saved)
    np.testing.assert_allclose(read["value"], written["value"], rtol=1e-14)
    assert read["low"].isna().all()
    assert read["paper"].isna().all()
    assert (read["table"] == "").all()  # no number of a table is no missing value
    assert (read["variant"] == "none").all()
    assert (read["n"] == 900).all()


def test_text_that_looks_like_a_missing_value_stays_text(run):
    read = folder.save_metrics(run, "05_x", rows(0.5, variant="none", system="NA", corpus="null"))
    assert read.loc[0, ["variant", "system", "corpus"]].tolist() == ["none", "NA", "null"]


def test_missing_columns_are_empty(run):
    read = folder.save_metrics(run, "90_speed", pd.DataFrame({"metric": ["ratio"], "value": [7.5]}))
    assert read.loc[0, ["notebook", "metric", "value"]].tolist() == ["90_speed", "ratio", 7.5]
    assert read["paper"].isna().all()
    assert (read["table"] == "").all()


def test_half_written_tables_are_passed_by(run):
    (run / "metrics").mkdir(parents=True)
    rows(0.9, 0.8).reindex(columns=folder.COLUMNS).to_csv(run / "metrics" / ".tmp1-04_mlp.csv", index=False)
    assert len(folder.save_metrics(run, "03_softmax", rows(0.87))) == 1


def test_metrics_are_not_half_written(run, monkeypatch):
    folder.save_metrics(run, "03_softmax", rows(0.87))
    before = contents(run)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.save_metrics(run, "03_softmax", rows(0.5))
    assert contents(run) == before


def predictions():
    table = pd.DataFrame({"device": ["A", "B"], "recording": "r1", "draw": 0, "start": [5, 7]})
    probabilities = np.random.default_rng(0).dirichlet(np.ones(2), 2).astype(np.float32)
    return pd.concat([table, pd.DataFrame(probabilities, columns=["A", "B"])], axis=1)


def test_predictions_read_back_equal(run):
    folder.save_predictions(run, "04_mlp", "mlp-3", predictions())
    pd.testing.assert_frame_equal(pd.read_parquet(run / "predictions" / "04_mlp-mlp-3.parquet"), predictions())


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        run = tmp_path / name
        folder.save_metrics(run, "04_mlp", rows(1 / 3, 0.92))
        folder.save_metrics(run, "03_softmax", rows(0.87))
        folder.save_predictions(run, "04_mlp", "mlp-3", predictions())
        folder.update_run(run, parameters={"seed": 0, "corpus": "simulated"}, seed=0)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(contents(tmp_path / "one")) == 5


def test_figures_are_the_same_twice(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    for name in ("one", "two"):
        with matplotlib.rc_context({"svg.hashsalt": "devid"}):
            figure = Figure()
            figure.subplots().plot([1, 3, 2])
            folder.save_figure(tmp_path / name, "04_mlp", "curve", figure)
    saved = contents(tmp_path / "one")
    assert {"figures/04_mlp-curve.png", "figures/04_mlp-curve.svg"} <= set(saved)
    assert saved == contents(tmp_path / "two")


def test_run_is_merged_one_level_deep(run):
    folder.update_run(run, parameters={"seed": 0, "epochs": 3}, seed=0, timings={"03": 1.5})
    saved = folder.update_run(run, timings={"04": 2.5}, seed=1, parameters={"epochs": 5})
    assert saved == {"parameters": {"seed": 0, "epochs": 5}, "seed": 1, "timings": {"03": 1.5, "04": 2.5}}
    assert folder.read_json(run / "run.json") == saved


def test_missing_json_is_empty(tmp_path):
    assert folder.read_json(tmp_path / "run.json") == {}


def test_run_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(DevidError, match="runs.today: cannot make"), folder.claimed(tmp_path / "runs" / "today"):
        pass
    with pytest.raises(DevidError, match="runs.today.run.json: cannot be written"):
        folder.update_run(tmp_path / "runs" / "today", seed=0)


def test_what_somebody_else_wrote_is_no_metric(run, capsys):
    folder.save_metrics(run, "04_mlp", rows(0.92))
    rows(0.99).reindex(columns=folder.COLUMNS).to_csv(run / "metrics" / "05_other.csv", index=False)
    changed = (run / "metrics" / "04_mlp.csv").read_text().replace("0.92", "0.93")
    (run / "metrics" / "04_mlp.csv").write_text(changed)
    assert folder.save_metrics(run, "03_softmax", rows(0.87))["value"].tolist() == [0.87]


def test_what_is_kept_is_believed_until_it_changes(run, capsys):
    with folder.kept(run, "04_mlp", "predictions/x.txt") as temporary:
        temporary.write_text("0.92")
    assert folder.believed(run, "predictions/x.txt") and not folder.believed(run, "predictions/never.txt")
    assert capsys.readouterr().out == ""
    (run / "predictions" / "x.txt").write_text("0.93")
    assert not folder.believed(run, "predictions/x.txt")
    assert capsys.readouterr().out == f"Note: {run / 'predictions' / 'x.txt'}: is not as it was written: made again\n"


@pytest.mark.parametrize("damage", ["cut", "edited", "gone", "old"])
def test_a_run_that_cannot_be_believed_is_set_aside(run, capsys, damage):
    folder.save_metrics(run, "03_softmax", rows(0.87))
    folder.update_run(run, parameters={"seed": 0})
    text = (run / "run.json").read_text()
    changed = {"cut": text[:99], "edited": text.replace('"seed": 0', '"seed": 1'), "old": '{"parameters": {"seed": 0}}'}
    (run / "run.json").write_text(changed.get(damage, ""))
    if damage == "gone":
        (run / "run.json").unlink()
    folder.set_aside(run)
    (aside,) = run.iterdir()
    assert "damaged" in aside.name and (aside / "metrics" / "03_softmax.csv").exists()
    assert capsys.readouterr().out.count("\n") == 1


def test_a_run_that_can_be_believed_stays(run):
    folder.set_aside(run)
    folder.save_metrics(run, "03_softmax", rows(0.87))
    before = contents(run)
    folder.set_aside(run)
    assert contents(run) == before


def test_no_update_of_run_json_is_lost(run):
    notes = [{"timings": {str(i): i}} for i in range(9)]
    threads = [threading.Thread(target=folder.update_run, args=[run], kwargs=note) for note in notes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folder.read_json(run / "run.json") == {"timings": {str(i): i for i in range(9)}}


HOLDS = """
import sys
from pathlib import Path
from devid_lib.workbook.folder import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_claimed_folder_is_refused_by_the_name_of_who_holds_it(tmp_path):
    run = tmp_path / "runs" / "new"
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(run)], stdin=-1, stdout=-1, text=True) as first:
        assert first.stdout.readline() == "held\n"
        for _ in range(2):
            with pytest.raises(DevidError, match=f"{run}: .*process {first.pid} on .* since 2"), folder.claimed(run):
                pass
        first.kill()
    with folder.claimed(run):  # a killed process holds nothing
        (run / "x").write_text("x")
    assert [path.name for path in run.iterdir() if path.name != ".lock"] == ["x"]


def test_a_folder_in_which_nothing_was_written_is_gone(tmp_path):
    with pytest.raises(DevidError, match="other recordings"), folder.claimed(tmp_path / "run"):
        raise DevidError("other recordings")
    assert not (tmp_path / "run").exists()


def test_versions_name_what_makes_the_numbers():
    found = folder.versions()
    assert {"python", "devid", "numpy", "scipy", "pandas", "PyWavelets", "soundfile", "scikit-learn"} <= set(found)
    assert found["numpy"] == np.__version__
    assert json.loads(json.dumps(found)) == found


def test_figures_of_the_paper():
    assert set(paper.PAPER_TABLE_VI.columns) == {"precision", "recall", "f1"}
    means = paper.PAPER_TABLE_VI.iloc[:9].mean()  # printed to two digits, 100 segments of every device
    np.testing.assert_allclose(paper.PAPER_TABLE_VI.loc["average"], means, atol=0.0101)
    assert {table for table, *_ in paper.PAPER} == {"II", "III", "IV", "V"}
    assert all(0.79 <= value <= 0.99 for value in paper.PAPER.values())


# Models: Keras takes its 4-7 s to import here.


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("keras")
    from devid_lib.models import softmax

    return softmax(4, 2, seed=3)


@pytest.fixture
def history():
    table = pd.DataFrame({"epoch": [1, 2], "loss": [0.7, 0.5]})
    table.attrs = {"best_epoch": 2}
    return table


SETTINGS = {"system": "softmax", "seed": 3, "shape": (4,), "scale": 1.0}


def test_model_is_opened_by_the_settings_that_made_it(run, model, history):
    folder.save_model(run, "03_softmax", "softmax-1", model, history, predictions(), SETTINGS)
    assert folder.has_model(run, "softmax-1", SETTINGS)
    loaded, curve = folder.load_model(run, "softmax-1")
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    pd.testing.assert_frame_equal(curve, history)
    assert curve.attrs == history.attrs
    pd.testing.assert_frame_equal(pd.read_parquet(run / "models" / "softmax-1.parquet"), predictions())


@pytest.mark.parametrize("ending", folder.MODEL)
@pytest.mark.parametrize("damage", ["cut", "changed", "another's", "gone"])
def test_a_damaged_model_is_none(run, model, history, capsys, ending, damage):
    for seed, losses in ((3, history), (4, history.assign(loss=9))):
        table = predictions().assign(A=seed)
        folder.save_model(run, "03_softmax", f"softmax-{seed}", model, losses, table, SETTINGS | {"seed": seed})
    path, other = (run / "models" / f"softmax-{seed}{ending}" for seed in (3, 4))
    content = path.read_bytes()
    half = len(content) // 2
    damages = {"cut": content[:half], "changed": content[:half] + b"~~" + content[half + 2 :]}
    path.write_bytes(damages.get(damage) or other.read_bytes() + b"\0")
    if damage == "gone":
        path.unlink()
    assert not folder.has_model(run, "softmax-3", SETTINGS)
    assert folder.has_model(run, "softmax-4", SETTINGS | {"seed": 4})
    said = capsys.readouterr().out
    assert said == ("" if (damage, ending) == ("gone", ".json") else
                    f"Note: {path}: is not as it was written: made again\n")


def test_a_model_carries_what_it_takes_and_gives(run, model, history):
    folder.save_model(run, "03_softmax", "softmax-1", model, history, predictions(), SETTINGS)
    content = folder.read_json(run / "models" / "softmax-1.json")
    assert content["devices"] == ["A", "B"]
    assert (content["input_shape"], content["output_shape"]) == ([None, 4], [None, 2])


def test_a_model_of_other_shapes_or_none_at_all_is_not_opened(run, model, history):
    from devid_lib.models import softmax

    folder.save_model(run, "03_softmax", "softmax-1", model, history, predictions(), SETTINGS)
    softmax(5, 2).save(run / "models" / "softmax-1.keras")
    with pytest.raises(DevidError, match=r"softmax-1\.keras: takes \(None, 5\) and gives"):
        folder.load_model(run, "softmax-1")
    (run / "models" / "softmax-1.keras").write_bytes(b"of another version")
    with pytest.raises(DevidError, match=r"softmax-1\.keras: cannot be opened"):
        folder.load_model(run, "softmax-1")


@pytest.mark.parametrize("changed", [{"seed": 4}, {"shape": (5,)}, {"scale": 1.5}, {"new": None}, {"system": "mlp-1"}])
def test_model_is_not_opened_by_other_settings(run, model, history, changed):
    folder.save_model(run, "03_softmax", "softmax-1", model, history, predictions(), SETTINGS)
    assert not folder.has_model(run, "softmax-1", SETTINGS | changed)


def test_interrupted_saving_leaves_no_model(run, model, history, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "sealed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.save_model(run, "03_softmax", "softmax-1", model, history, predictions(), SETTINGS)
    assert not folder.has_model(run, "softmax-1", SETTINGS)
