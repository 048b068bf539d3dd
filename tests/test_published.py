"""The authors' released predictions: what is refused, and how files become a table."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from devid_lib.corpora import download
from devid_lib.errors import DevidError
from devid_lib.workbook import published


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of made-up files that pass for the published ones."""
    import pooch

    rng, labels = np.random.default_rng(0), np.repeat(np.arange(9), 2)
    for name in published.FILES:
        np.save(tmp_path / name, labels if name == published.LABELS else rng.dirichlet(np.ones(9), 18).astype("f4"))
    hashes = {name: pooch.file_hash(str(tmp_path / name)) for name in published.FILES}
    monkeypatch.setattr(published, "FILES", hashes)
    return tmp_path


def test_files_become_one_table(folder):
    table = published.load_published(folder, data_dir=folder)
    assert len(table) == 54 and table["draw"].tolist() == [0] * 18 + [1] * 18 + [2] * 18
    assert table["device"].iloc[:4].tolist() == ["aigo", "aigo", "Allbar", "Allbar"]
    np.testing.assert_array_equal(
        table.loc[table["draw"] == 1, list(published.DEVICES)], np.load(folder / "predy2.npy")
    )


def test_nothing_given_says_what_to_do(tmp_path):
    with pytest.raises(DevidError, match=r"predy1\.npy.*'download'"):
        published.load_published("", data_dir=tmp_path)


def test_a_missing_or_changed_file_is_named(folder):
    (folder / "predy3.npy").unlink()
    with pytest.raises(DevidError, match=r"predy3\.npy: no such file"):
        published.load_published(folder, data_dir=folder)
    np.save(folder / "predy3.npy", np.zeros((18, 9)))
    with pytest.raises(DevidError, match=r"predy3\.npy: is not the file"):
        published.load_published(folder, data_dir=folder)


def test_download_keeps_to_the_checksums(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PAUSE_S", 0)
    monkeypatch.setattr(published, "ADDRESS", folder.as_uri() + "/")  # which cannot be fetched: a clear error
    with pytest.raises(DevidError, match=r"predy1\.npy: cannot be downloaded"):
        published.load_published("download", data_dir=tmp_path / "elsewhere")


@pytest.fixture
def served(folder, monkeypatch):
    """The files on a server of this machine, in the place of the authors' repository; what was asked of it."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(published, "ADDRESS", f"http://127.0.0.1:{server.server_port}/")
    yield asked
    server.shutdown()
    server.server_close()


def test_files_are_downloaded_once(served, tmp_path):
    table = published.load_published("download", data_dir=tmp_path / "data")
    assert len(table) == 54 and sorted(served) == sorted(f"/{name}" for name in published.FILES)
    published.load_published("download", data_dir=tmp_path / "data")
    assert len(served) == 4


def test_a_download_that_differs_is_refused_and_leaves_nothing(served, folder, tmp_path):
    (folder / "predy2.npy").write_bytes(b"something else")
    with pytest.raises(DevidError, match=r"predy2\.npy: what arrived does not have the checksum"):
        published.load_published("download", data_dir=tmp_path / "data")
    assert not (tmp_path / "data" / "published_predictions" / "predy2.npy").exists()


def test_downloaded_files_are_used(folder, tmp_path, monkeypatch):
    import shutil

    target = tmp_path / "data" / "published_predictions"
    target.mkdir(parents=True)
    for name in published.FILES:
        shutil.copy(folder / name, target / name)
    assert len(published.load_published("download", data_dir=tmp_path / "data")) == 54
