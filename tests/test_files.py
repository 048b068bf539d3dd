"""Files and folders appear whole or not at all."""

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from devid_lib import files
from devid_lib.errors import DevidError, ParameterError
from devid_lib.files import atomic_path, locked, read_json, sweep, write_json


class Stop(Exception):
    """Something went wrong in the block."""


def names(folder):
    return sorted(os.listdir(folder))


def write_folder(folder, **content):
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_text(text)


def test_file_is_written(tmp_path):
    path = tmp_path / "new" / "deep" / "table.csv"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".csv"  # writers choose the format by it
        assert temporary.name.startswith(".")  # a scan of the folder passes it by
        temporary.write_text("a,b\n")
        assert not path.exists()
    assert path.read_text() == "a,b\n"
    assert names(path.parent) == ["table.csv"]


def test_path_may_be_text(tmp_path):
    with atomic_path(str(tmp_path / "x.txt")) as temporary:
        assert isinstance(temporary, Path)
        temporary.write_text("x")
    assert names(tmp_path) == ["x.txt"]


def test_file_is_replaced(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_folder_is_written_and_replaced(tmp_path):
    folder = tmp_path / "dataset"
    for version in ("one", "two"):
        with atomic_path(folder) as temporary:
            write_folder(temporary, **{version: version})
    assert names(tmp_path) == ["dataset"]
    assert names(folder) == ["two"]


@pytest.mark.parametrize("error", [Stop, ParameterError, KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("old", [False, True])
def test_failed_file_leaves_nothing_new(tmp_path, error, old):
    path = tmp_path / "table.csv"
    if old:
        path.write_text("old")
    with pytest.raises(error) as caught, atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error("in the block")
    assert caught.type is error  # not wrapped
    assert names(tmp_path) == (["table.csv"] if old else [])
    assert not old or path.read_text() == "old"


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
@pytest.mark.parametrize("old", [False, True])
def test_failed_folder_leaves_nothing_new(tmp_path, error, old):
    folder = tmp_path / "dataset"
    if old:
        write_folder(folder, X="old")
    with pytest.raises(error), atomic_path(folder) as temporary:
        write_folder(temporary, X="half", y="half")
        raise error
    assert names(tmp_path) == (["dataset"] if old else [])
    assert not old or (names(folder) == ["X"] and (folder / "X").read_text() == "old")


def test_failure_before_anything_is_written(tmp_path):
    with pytest.raises(Stop), atomic_path(tmp_path / "x"):
        raise Stop
    assert names(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_names_the_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(DevidError, match=r"table\.csv: .*No space left") as caught, atomic_path(path) as temporary:
        temporary.write_text("half")
        with open("/dev/full", "w") as full:
            full.write("the rest")
    assert str(path) in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert names(tmp_path) == ["table.csv"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_refused_rename_names_the_file(tmp_path, monkeypatch, code):
    def refuse(source, target):
        raise OSError(code, os.strerror(code), str(source))

    monkeypatch.setattr(files.os, "replace", refuse)
    path = tmp_path / "model.keras"
    with pytest.raises(DevidError, match=os.strerror(code)) as caught, atomic_path(path) as temporary:
        temporary.write_bytes(b"whole")
    assert str(caught.value).startswith(str(path))
    assert names(tmp_path) == []


def test_error_without_a_number_keeps_its_words(tmp_path):
    with pytest.raises(DevidError, match="100 requested and 60 written"), atomic_path(tmp_path / "X.npy"):
        raise OSError("100 requested and 60 written")  # as numpy says it when the disk is full


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(DevidError, match=r"x\.txt: cannot be written"), atomic_path(tmp_path / "x.txt"):
        pass


def test_parent_that_is_a_file(tmp_path):
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(DevidError, match="runs.x.csv: cannot be written"):
        with atomic_path(tmp_path / "runs" / "x.csv") as temporary:
            temporary.write_text("x")
    assert (tmp_path / "runs").read_text() == "not a folder"


def test_two_files_at_once(tmp_path):
    with atomic_path(tmp_path / "a") as a, atomic_path(tmp_path / "b") as b:
        a.write_text("a")
        b.write_text("b")
    assert names(tmp_path) == ["a", "b"]


def test_the_same_file_at_once_from_two_threads(tmp_path):
    """One process, one name: the temporary names differ all the same."""
    with atomic_path(tmp_path / "a.csv") as first, atomic_path(tmp_path / "a.csv") as second:
        first.write_text("first")
        second.write_text("second")
    assert names(tmp_path) == ["a.csv"]


def test_the_content_is_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda file: steps.append("fsync") or fsync(file))
    monkeypatch.setattr(files.os, "replace", lambda *paths: steps.append("rename") or replace(*paths))
    with atomic_path(tmp_path / "x.csv") as temporary:
        temporary.write_text("x")
    with atomic_path(tmp_path / "dataset") as temporary:
        write_folder(temporary, X="X", y="y")
    assert steps == ["fsync", "rename", "fsync", "fsync", "rename"]


# --- What killed processes left --------------------------------------------------------------------------------------
KILLED = """
import os, signal, sys
from devid_lib.files import atomic_path
with atomic_path(sys.argv[1] + "/deep/dataset") as folder, atomic_path(sys.argv[1] + "/table.csv") as file:
    folder.mkdir()
    (folder / "X").write_text("half")
    file.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_what_a_killed_process_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=60, check=False)
    assert len([path for path in tmp_path.rglob("*") if path.name.startswith(".tmp")]) == 2
    with atomic_path(tmp_path / "deep" / "own.csv") as own:
        own.write_text("own")
        sweep(tmp_path)
        assert [path.name for path in tmp_path.rglob(".tmp*")] == [own.name]
    assert names(tmp_path / "deep") == ["own.csv"]


@pytest.mark.parametrize(
    ("name", "age", "kept"),
    [
        (".tmp{host}-{process}-0.csv", 0, True),
        (".tmp{host}-{process}-0.csv", 3600, False),  # the number is another process's by now
        (".tmp00000000-1-0.csv", 3600, True),  # another machine's: its processes are not known here
        (".tmp00000000-1-0.csv", 90000, False),
        (".tmpfile-of-yours", 90000, True),
        ("tmp-1-0.csv", 90000, True),
    ],
)
def test_whose_temporary_files_are_swept(tmp_path, monkeypatch, name, age, kept):
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: time.time() - 1800)
    name = name.format(host=files.HOST, process=os.getpid())
    (tmp_path / name).write_text("half")
    os.utime(tmp_path / name, (time.time() - age,) * 2)
    sweep(tmp_path)
    assert names(tmp_path) == [name] * kept


# --- What is believed ------------------------------------------------------------------------------------------------
CONTENT = {"name": "Ünits \udcff", "n": 3, "x": [0.1, None, True, float("inf")], "deep": {"10": "a", "9": "b"}}


def test_json_reads_back_equal(tmp_path):
    write_json(tmp_path / "run.json", CONTENT | {"shape": (3, 4), "path": Path("a"), "by": {10: 1, 9: 2}})
    expected = CONTENT | {"shape": [3, 4], "path": "a", "by": {"10": 1, "9": 2}}
    assert read_json(tmp_path / "run.json") == expected


def damages(whole):
    """Yield ever other bytes than these: cut, changed, foreign."""
    yield from (whole[:n] for n in range(len(whole)))
    for place in range(len(whole)):
        yield whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    yield from (b"[1, 2]", b"{}", b"5", b"null", b'"text"', b"[" * 100_000, b"\x80\x04]q\x00.", b'{"checksum": 1}')


def test_no_damaged_json_is_believed(tmp_path):
    write_json(tmp_path / "run.json", {"seed": 1, "name": "ash"})
    whole = (tmp_path / "run.json").read_bytes()
    for damaged in damages(whole):
        (tmp_path / "run.json").write_bytes(damaged)
        try:  # a blank for a line's end changes nothing
            assert read_json(tmp_path / "run.json") == {"seed": 1, "name": "ash"}
            assert damaged.split() == whole.split()
        except DevidError as error:
            assert str(error).startswith(f"{tmp_path / 'run.json'}: ")


# --- One at a time ---------------------------------------------------------------------------------------------------
def test_a_lock_lets_one_in_at_a_time(tmp_path):
    inside, most = [], []

    def work():
        with locked(tmp_path / "new" / "x.lock"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 4


def test_where_no_lock_can_be_written_nobody_waits(tmp_path):
    (tmp_path / "file").write_text("")
    with locked(tmp_path / "file" / "x.lock"):
        pass
