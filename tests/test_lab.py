"""The working copy that JupyterLab opens: refreshed without losing changes."""

import json

from devid_lib.workbook import lab


def write(path, *sources, outputs=()):
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"cell_type": "code", "source": text, "outputs": list(outputs)} for text in sources]
    path.write_text(json.dumps({"cells": cells}))


def text(path):
    return json.loads(path.read_text())["cells"][0]["source"]


def test_a_fresh_copy_holds_every_notebook(tmp_path):
    write(tmp_path / "notebooks" / "00_a.ipynb", "a")
    write(tmp_path / "notebooks" / "solutions" / "00_a.ipynb", "b")
    assert lab.refresh_lab(tmp_path / "notebooks", tmp_path / "lab") == []
    assert text(tmp_path / "lab" / "00_a.ipynb") == "a" and text(tmp_path / "lab" / "solutions" / "00_a.ipynb") == "b"


def test_a_notebook_that_was_run_only_is_replaced_by_a_newer_one(tmp_path):
    source, copy = tmp_path / "notebooks" / "00_a.ipynb", tmp_path / "lab" / "00_a.ipynb"
    write(source, "a")
    lab.refresh_lab(source.parent, copy.parent)
    write(copy, ["a"], outputs=["3"])  # saved by Lab: a list of lines, with output
    write(source, "newer")
    assert lab.refresh_lab(source.parent, copy.parent) == []
    assert text(copy) == "newer"


def test_changes_are_kept_and_a_newer_notebook_lies_beside_them(tmp_path):
    source, copy = tmp_path / "notebooks" / "00_a.ipynb", tmp_path / "lab" / "00_a.ipynb"
    write(source, "a")
    lab.refresh_lab(source.parent, copy.parent)
    write(copy, "mine")
    assert lab.refresh_lab(source.parent, copy.parent) == []
    assert text(copy) == "mine" and not copy.with_name("00_a-new.ipynb").exists()
    write(source, "newer")
    (note,) = lab.refresh_lab(source.parent, copy.parent)
    assert "00_a.ipynb was changed here and in the project" in note
    assert text(copy) == "mine" and text(copy.with_name("00_a-new.ipynb")) == "newer"
    assert lab.refresh_lab(source.parent, copy.parent) == []
    write(source, "newest")  # nobody has touched the newer one
    lab.refresh_lab(source.parent, copy.parent)
    assert text(copy.with_name("00_a-new.ipynb")) == "newest"
    write(copy.with_name("00_a-new.ipynb"), "mine, too")
    write(source, "the last")
    (note,) = lab.refresh_lab(source.parent, copy.parent)
    assert "the project's is 00_a-new1.ipynb" in note and text(copy.with_name("00_a-new1.ipynb")) == "the last"
    assert text(copy) == "mine" and text(copy.with_name("00_a-new.ipynb")) == "mine, too"
    copy.write_text("damaged")
    assert lab.refresh_lab(source.parent, copy.parent) == [] and copy.read_text() == "damaged"
