"""``devid sweep``: what a grid is, what is refused before anything runs, and that nothing is lost on the way."""

import os
import signal
from pathlib import Path

import pandas as pd
import pytest
import yaml

from devid_lib import dataset
from devid_lib.errors import DevidError, ParameterError
from devid_lib.files import read_json
from devid_lib.workbook import command, folder, sweep
from devid_lib.workbook.sweep import arguments_of, point_name, points_of, read_grid

GRID = {"seed": [0, 1], "wavelet": ["sym8", "db4"]}
TINY = {"recording_minutes": 0.1, "train_segments": 20, "test_segments": 10, "segment_length": 1024, "voters": 1}


def written(folder, **content):
    """Return the path of a grid's file."""
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


# --- The grid --------------------------------------------------------------------------------------------------------
def test_points_are_all_combinations_or_those_of_a_list():
    assert len(points_of(GRID)) == 4
    assert {tuple(point.values()) for point in points_of(GRID)} == {(s, w) for s in (0, 1) for w in ("sym8", "db4")}
    listed = points_of([{"noise": "none"}, {"noise": "wavelet", "level": [3, 5]}])
    assert [point.get("level") for point in listed] == [None, 3, 5]


def test_names_are_plain_and_unique():
    points = [*points_of(GRID), {"corpus": "/a/b"}, {"corpus": "/a b"}, {"corpus": "/é"}, {"corpus": "x" * 300}]
    names = [point_name(point) for point in points]
    assert len(set(names)) == len(points)
    assert all(len(name) < 100 and name.isascii() and "/" not in name and " " not in name for name in names)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"grid": {"seed": [0], "wavelett": ["db4"]}}, "did you mean 'wavelet'"),
        ({"grid": {"seed": [0, -1]}}, "seed=-1"),
        ({"grid": {"seed": [0], "run_dir": ["x"]}}, "run_dir is not a parameter of a grid"),
        ({"grid": {"seed": []}}, "'seed' has no value"),
        ({"grid": [1, 2]}, "not a mapping"),
        ({"grid": {}}, "holds no grid"),
        ({"grid": GRID, "notebooks": ["03"]}, "unknown key 'notebooks'"),
        ({"grid": GRID, "only": ["33"]}, "unknown notebook '33'"),
        ({"grid": GRID, "preset": "huge"}, "unknown preset 'huge'"),
    ],
)
def test_what_is_not_allowed_is_refused_before_anything_is_run(tmp_path, monkeypatch, capsys, content, said):
    monkeypatch.setattr(sweep, "finished", lambda *_, **__: pytest.fail("something was run"))
    assert command.main(["sweep", str(written(tmp_path, **content)), "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "grid: [", "- 1", "\0"])
def test_a_file_that_is_no_grid(tmp_path, text):
    (tmp_path / "grid.yaml").write_text(text)
    with pytest.raises(ParameterError, match=r"grid\.yaml"):
        read_grid(tmp_path / "grid.yaml")
    with pytest.raises(ParameterError, match=r"none\.yaml"):
        read_grid(tmp_path / "none.yaml")


def test_a_point_gets_preset_common_and_own_parameters():
    content = {"preset": "quick", "only": ["03"], "parameters": {"epochs": 2, "seed": 7}}
    given = arguments_of(content, {"seed": 1})
    assert (given["preset"], given["only"]) == ("quick", ["03"])
    assert (given["parameters"]["epochs"], given["parameters"]["seed"]) == (2, 1)
    assert Path(given["parameters"]["data_dir"]).is_absolute()


# --- The results -----------------------------------------------------------------------------------------------------
def ran(run_dir, seed, value):
    """Write what a run leaves."""
    rows = pd.DataFrame({"system": ["softmax"], "metric": ["accuracy"], "value": [value], "seed": [seed]})
    folder.save_metrics(run_dir, "03_softmax", rows.assign(corpus="simulated"))


def serially(monkeypatch, fails=()):
    """Replace the cluster by a loop, the run by its results; return the names of what was run."""
    names = []

    def fake_run(*, out, jobs, **given):
        names.append(out.name)
        if out.name in fails:
            raise DevidError("no such device\nat all")
        ran(out, given["parameters"]["seed"], given["parameters"]["seed"] / 4)
        return {"04_mlp": "planted"} if given["parameters"]["wavelet"] == "haar" else {}

    monkeypatch.setattr(sweep, "run", fake_run)
    loop = lambda given, out, **_: (sweep.run_point(name, out, one) for name, one in given.items())  # noqa: E731
    monkeypatch.setattr(sweep, "finished", loop)
    return names


def test_the_table_holds_every_point_and_says_what_failed(tmp_path, monkeypatch, capsys):
    grid = {"seed": [0, 1], "wavelet": ["sym8", "haar"]}
    lost = point_name({"seed": 1, "wavelet": "sym8"})
    serially(monkeypatch, fails=[lost])
    failed = sweep.sweep(written(tmp_path, grid=grid), out=tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "sweep.csv", keep_default_na=False)
    assert list(table.columns) == ["point", "wavelet", *folder.COLUMNS, "failed"]
    well = table[table["metric"] == "accuracy"]
    assert dict(zip(well["point"], well["value"].astype(float), strict=True)) == {
        point_name(point): point["seed"] / 4 for point in points_of(grid) if point_name(point) != lost
    }
    assert (well["failed"] == "").all() and set(well["corpus"]) == {"simulated"}
    (row,) = table[table["point"] == lost].to_dict("records")
    assert (row["wavelet"], int(row["seed"]), row["failed"]) == ("sym8", 1, "no such device\nat all")
    assert failed[lost] == {"run": "no such device\nat all"}
    planted = table[table["failed"] == "planted"]
    assert set(planted["notebook"]) == {"04_mlp"} and set(planted["wavelet"]) == {"haar"} and len(planted) == 2
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5 and "no such device at all" in "\n".join(said) and "4 points, 3 failed" in said[-1]
    kept = read_json(tmp_path / "out" / "sweep.json")
    assert kept["grid"]["grid"] == grid and kept["points"][lost]["parameters"] == {"seed": 1, "wavelet": "sym8"}


@pytest.mark.parametrize("name", ["sweep.csv", "sweep.json"])
def test_a_table_is_drawn_only_as_it_was_written(tmp_path, monkeypatch, name):
    serially(monkeypatch)
    sweep.sweep(written(tmp_path, grid=GRID), out=tmp_path / "out")
    table, points = sweep.load_sweep(tmp_path / "out")
    assert len(table) == len(points) == 4 and (table["failed"] == "").all()
    path = tmp_path / "out" / name
    path.write_text(path.read_text().replace("sym8", "sym9"))
    with pytest.raises(DevidError, match=name):
        sweep.load_sweep(tmp_path / "out")
    with pytest.raises(DevidError, match="holds no sweep"):
        sweep.load_sweep(tmp_path)


def test_an_interrupted_sweep_leaves_a_table_of_what_it_has(tmp_path, monkeypatch):
    serially(monkeypatch)
    plain, calls = sweep.run_point, []

    def stumble(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(*args)

    monkeypatch.setattr(sweep, "run_point", stumble)
    with pytest.raises(KeyboardInterrupt):
        sweep.sweep(written(tmp_path, grid=GRID), out=tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "sweep.csv")) == 2
    assert len(sweep.sweep(written(tmp_path, grid=GRID), out=tmp_path / "out")) == 4
    assert len(pd.read_csv(tmp_path / "out" / "sweep.csv")) == 4


def test_what_a_run_prints_is_in_its_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sweep, "run", lambda **_: print("told") or {})
    assert sweep.run_point("one", tmp_path, {})[:2] == ("one", {})
    assert capsys.readouterr().out == "" and (tmp_path / "one" / "sweep.log").read_text() == "told\n"


# --- The cluster -----------------------------------------------------------------------------------------------------
def test_without_dask_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    assert command.main(["sweep", str(written(tmp_path, grid=GRID)), "--out", str(tmp_path / "out")]) == 2
    assert "devid[scale]" in capsys.readouterr().err


def test_no_scheduler_at_the_address(tmp_path, capsys):
    pytest.importorskip("distributed")
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "200ms"}):
        for address in ("tcp://127.0.0.1:9", "nowhere at all"):
            with pytest.raises(DevidError, match=f"scheduler {address}"):
                list(sweep.finished({"a": {}}, tmp_path, scheduler=address, workers=0))
            assert dataset.cluster() is None  # though a client was begun


@pytest.mark.skipif(os.name == "nt", reason="a process cannot be killed that way")
def test_a_worker_that_is_killed_in_the_middle_loses_nothing(tmp_path, monkeypatch, capsys):
    pytest.importorskip("distributed")

    def dies_once(name, out, given, scheduler):  # in a worker process; a function of a test is sent whole
        (out / name).mkdir(exist_ok=True)
        with open(out / name / "visits", "a") as visits:
            visits.write(f"{os.getpid()}\n")
        if given["parameters"]["seed"] == 3 and len((out / name / "visits").read_text().split()) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return name, {"03": "planted"} if given["parameters"]["seed"] == 5 else {}, 0.0

    monkeypatch.setattr(sweep, "run_point", dies_once)
    failed = sweep.sweep(written(tmp_path, grid={"seed": list(range(8))}), out=tmp_path / "out", workers=2)
    visits = {name: (tmp_path / "out" / name / "visits").read_text().split() for name in failed}
    assert len(failed) == 8 and all(visits.values())
    assert {name for name, reasons in failed.items() if reasons} == {point_name({"seed": 5})}
    assert len(set(visits[point_name({"seed": 3})])) == 2  # two processes had it
    said = capsys.readouterr().out
    assert "8 points, 2 workers, dashboard http" in said and "8 of 8" in said


@pytest.mark.slow
def test_a_sweep_gives_what_single_runs_give(tmp_path):
    """And is not run again where it is finished."""
    pytest.importorskip("distributed")
    common = TINY | {"data_dir": str(tmp_path / "data")}
    grid = written(tmp_path, grid={"seed": [0, 1]}, only=["01"], parameters=common)
    assert not any(sweep.sweep(grid, out=tmp_path / "out", workers=2).values())
    table = pd.read_csv(tmp_path / "out" / "sweep.csv", keep_default_na=False)
    executed = tmp_path / "out" / point_name({"seed": 1}) / "notebooks" / "01_build_dataset.ipynb"
    made = executed.stat().st_mtime_ns
    for seed in (0, 1):
        command.run(preset="quick", only=["01"], out=tmp_path / f"run{seed}", parameters=common | {"seed": seed})
        alone = pd.read_csv(tmp_path / f"run{seed}" / "results.csv", keep_default_na=False)
        own = table[table["point"] == point_name({"seed": seed})].reset_index(drop=True)
        pd.testing.assert_frame_equal(own[folder.COLUMNS], alone, check_dtype=False)
    assert not any(sweep.sweep(grid, out=tmp_path / "out", workers=1).values())
    assert executed.stat().st_mtime_ns == made
