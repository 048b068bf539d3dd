"""Files and folders appear whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from devid_lib import files
from devid_lib.errors import DevidError, ParameterError
from devid_lib.files import atomic_path


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


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_process_left_is_no_obstacle(tmp_path, folder):
    """A process that is killed outright leaves its temporary folder, and process numbers come again (in containers)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "remove", lambda path: None)
        with pytest.raises(Stop), atomic_path(tmp_path / "dataset") as temporary:
            write_folder(temporary, half="half") if folder else temporary.write_text("half")
            raise Stop
    with atomic_path(tmp_path / "dataset") as temporary:
        write_folder(temporary, X="whole")
    assert names(tmp_path / "dataset") == ["X"]
