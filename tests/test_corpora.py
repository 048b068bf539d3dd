"""Public recordings: downloads that break, archives that mean harm, folders as their authors pack them."""

import dataclasses
import hashlib
import io
import re
import shutil
import stat
import tarfile
import threading
import zipfile
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile as sf

from devid_lib import corpora, simulate
from devid_lib.corpora import download, layouts
from devid_lib.corpus import load_corpus
from devid_lib.errors import CorpusError, DevidError, ParameterError
from devid_lib.files import read_json
from devid_lib.recorders import input_filter
from devid_lib.simulate import simulate_corpus
from devid_lib.workbook import command
from devid_lib.workbook.session import source_path

PROJECT = Path(__file__).resolve().parents[1]
CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = f"md5:{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"


# --- Downloads -------------------------------------------------------------------------------------------------------
class Server:
    """Files on this machine; ``cuts`` holds after how many bytes the answers to come break off."""

    def __init__(self):
        self.files, self.cuts, self.asked, self.ranges = {"/file.zip": CONTENT}, [], [], True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                asked = self.headers.get("Range", "")
                outer.asked.append(asked)
                content = outer.files.get(self.path)
                if content is None:
                    return self.send_error(404)
                start = int(re.match(r"bytes=(\d+)-", asked)[1]) if asked and outer.ranges else 0
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                self.wfile.write(content[start:][: outer.cuts.pop(0) if outer.cuts else None])

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "PAUSE_S", 0)
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def fetch(server, tmp_path):
    def fetch(name="file.zip", **options):
        path = tmp_path / "got" / name
        download.fetch(f"{server.base}/{name}", path, **{"checksum": MD5, "limit": 400_000} | options)
        return path.read_bytes()

    return fetch


def left(tmp_path):
    """Return what a download has left."""
    return sorted(path.name for path in (tmp_path / "got").iterdir())


def test_a_download_goes_on_where_it_broke_off(server, fetch, tmp_path):
    server.cuts = [100_000, 50_000]
    assert fetch() == CONTENT
    assert server.asked == ["", "bytes=100000-", "bytes=150000-"] and left(tmp_path) == ["file.zip"]
    assert fetch() == CONTENT and len(server.asked) == 3  # it is there


def test_a_download_that_does_not_get_further_says_so_and_goes_on_next_time(server, fetch, tmp_path):
    server.cuts = [200_000, *[0] * download.ATTEMPTS]
    with pytest.raises(CorpusError, match=r"file\.zip: cannot be downloaded.*200000 bytes are here.*goes on"):
        fetch()
    assert left(tmp_path) == ["file.zip.part"]
    server.cuts, server.asked = [], []
    assert fetch() == CONTENT and server.asked == ["bytes=200000-"]


def test_a_server_that_knows_no_ranges_begins_again(server, fetch):
    server.cuts, server.ranges = [100_000], False
    assert fetch() == CONTENT and server.asked == ["", "bytes=100000-"]


def test_what_is_left_of_a_larger_file_is_thrown_away(server, fetch, tmp_path):
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "file.zip.part").write_bytes(CONTENT + b"more")
    assert fetch() == CONTENT


def test_what_is_whole_is_not_asked_for_again(server, fetch, tmp_path):
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "file.zip.part").write_bytes(CONTENT)  # killed between the last byte and its name
    assert fetch() == CONTENT and server.asked == ["bytes=300000-"]


def test_another_content_is_refused_and_leaves_nothing(server, fetch, tmp_path):
    server.files["/file.zip"] = CONTENT[::-1]
    with pytest.raises(CorpusError, match=rf"file\.zip: what arrived does not have the checksum {MD5}"):
        fetch()
    assert left(tmp_path) == []


def test_more_than_announced_is_refused_and_leaves_nothing(server, fetch, tmp_path):
    with pytest.raises(CorpusError, match=r"sends more than the 1000 bytes"):
        fetch(limit=1000)
    assert left(tmp_path) == []


def test_a_file_that_is_not_there_is_asked_for_once(server, fetch):
    with pytest.raises(CorpusError, match=r"none\.zip: cannot be downloaded: 404"):
        fetch("none.zip")
    assert len(server.asked) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named(fetch, tmp_path):
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "file.zip.part").symlink_to("/dev/full")
    with pytest.raises(CorpusError, match=r"file\.zip: cannot be written: No space left on device"):
        fetch()


# --- Archives --------------------------------------------------------------------------------------------------------
def make_zip(path, members, **kinds):
    """Write a ZIP of {name: content}; ``kinds`` says which names are links."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members if isinstance(members, list) else members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (kinds.get(name, stat.S_IFREG) | 0o644) << 16
            file.writestr(info, content)
    return path


def make_tar(path, members):
    """Write a tar.gz of (name, type, content or target)."""
    with tarfile.open(path, "w:gz") as file:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content) if kind == tarfile.REGTYPE else 0
            info.linkname = "" if kind == tarfile.REGTYPE else content.decode()
            file.addfile(info, io.BytesIO(content) if kind == tarfile.REGTYPE else None)
    return path


def unpacked(archive, tmp_path, **options):
    """Return what comes out of an archive, as {path: content}."""
    folder = tmp_path / "out"
    folder.mkdir()
    download.unpack(archive, folder, **{"keep": r".*\.wav", "limit": 10_000} | options)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_what_is_wanted_is_unpacked(tmp_path, kind):
    members = {"top/a/1.wav": b"one", "top/README.md": b"read", "top/a/1.exe": b"no", "top/b/LICENSE": b"no"}
    archive = (make_zip(tmp_path / "x.zip", members) if kind == "zip" else
               make_tar(tmp_path / "x.tgz", [(name, tarfile.REGTYPE, text) for name, text in members.items()]))
    assert unpacked(archive, tmp_path, strip=1) == {"a/1.wav": b"one", "README.md": b"read"}


@pytest.mark.parametrize("name, reason", [
    ("/etc/1.wav", "absolute path"), ("C:/1.wav", "absolute path"), ("a/../../1.wav", "no path inside"),
    ("..", "no path inside"), ("a\\..\\1.wav", "no path inside"), ("a/\n1.wav", "no path inside"),
])
def test_a_path_that_leads_out_is_refused(tmp_path, name, reason):
    for archive in (make_zip(tmp_path / "x.zip", {"1.wav": b"1", name: b"2"}),
                    make_tar(tmp_path / "x.tgz", [("1.wav", tarfile.REGTYPE, b"1"), (name, tarfile.REGTYPE, b"2")])):
        with pytest.raises(CorpusError, match=reason):
            unpacked(archive, tmp_path)
        assert list((tmp_path / "out").iterdir()) == []
        (tmp_path / "out").rmdir()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    archive = make_tar(tmp_path / "x.tgz", [("1.wav", tarfile.REGTYPE, b"1"), ("2.wav", kind, b"/etc/passwd")])
    with pytest.raises(CorpusError, match=r"'2\.wav' is a link or a device: nothing was unpacked"):
        unpacked(archive, tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_link_in_a_zip_is_refused(tmp_path):
    archive = make_zip(tmp_path / "x.zip", {"1.wav": b"1", "2.wav": b"/etc/passwd"}, **{"2.wav": stat.S_IFLNK})
    with pytest.raises(CorpusError, match=r"'2\.wav' is a link or a device"):
        unpacked(archive, tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_too_much_or_twice_the_same_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="holds more than 10000 bytes"):
        unpacked(make_zip(tmp_path / "bomb.zip", {f"{n}.wav": bytes(4000) for n in range(3)}), tmp_path)
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(CorpusError, match=r"'1\.wav' is there twice"):
        unpacked(make_zip(tmp_path / "x.zip", [("1.wav", b"1"), ("1.wav", b"2")]), tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("spoil", [lambda whole: whole[:200], lambda whole: b"<html>", lambda whole: b"",
                                   lambda whole: whole.replace(CONTENT[:60], CONTENT[60:120])])
def test_a_damaged_archive_is_named(tmp_path, spoil):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("1.wav", CONTENT[:900])
    (tmp_path / "x.zip").write_bytes(spoil((tmp_path / "x.zip").read_bytes()))
    with pytest.raises(CorpusError, match=r"x\.zip: is damaged"):
        unpacked(tmp_path / "x.zip", tmp_path)


@pytest.mark.parametrize("coding", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_stream_of_any_coding_is_no_matter_of_the_disk(tmp_path, coding):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", coding) as file:
        file.writestr("1.wav", CONTENT[:9000])
    whole = (tmp_path / "x.zip").read_bytes()
    (tmp_path / "x.zip").write_bytes(whole[:500] + bytes(500) + whole[1000:])
    with pytest.raises(CorpusError, match=r"x\.zip: is damaged"):
        unpacked(tmp_path / "x.zip", tmp_path)


def test_contents_are_what_git_calls_them(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.wav").write_bytes(b"hello\n")
    (tmp_path / "b.txt").write_bytes(b"not asked for")
    line = b"ce013625030ba8dba906f756967f9e9ca394464a a/1.wav"  # git hash-object
    assert download.contents(tmp_path, r".*\.wav") == hashlib.sha256(line).hexdigest()


# --- Folders as their authors pack them ------------------------------------------------------------------------------
def noise(path, *, seconds=0.5, samplerate=16000, subtype="PCM_16"):
    """Write noise of its own to a WAV file and return its samples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y = np.random.default_rng(zlib.crc32(str(path).encode())).integers(-9000, 9000, int(seconds * samplerate))
    y = y.astype("int16")
    sf.write(path, y, samplerate, subtype=subtype)
    return y


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A function that puts a small corpus in the place of a public one, and returns the data folder."""
    def make(name, paths, **facts):
        expected = {"devices": 2, "files": None}
        monkeypatch.setitem(corpora.CORPORA, name, dataclasses.replace(corpora.CORPORA[name], **expected | facts))
        for path in paths:
            noise(tmp_path / "data" / "corpora" / name / "files" / path)
        return tmp_path / "data"

    return make


LAYOUTS = {  # name: files below any folder, and the device, recording, session and speaker of one of them
    "ccnu-mobile": (
        ["IPHONE6(1)_1.wav", "IPHONE6(1)_2.wav", "vivo x7_1.wav", "vivo x7_2.wav"],
        ["IPHONE6(1)", "clip2", "", ""],
    ),
    "mobiphone": (
        ["LG L3/speaker1.wav", "LG L3/speaker2.wav", "iPhone5/speaker1.wav", "iPhone5/speaker2.wav"],
        ["LG L3", "speaker2", "", "speaker2"],
    ),
    "dspspeech-20": (
        [f"speech_data/{name}/{name}-{word}-{index}.wav"
         for name in ("15300", "16300") for word in ("00", "01") for index in ("01", "02")],
        ["chain02", "round02", "round02", "speaker02"],
    ),
    "put-keystrokes": (
        ["Main/digits/8/train_2023-04-28_21-46-18.wav", "Main/digits/8/train_2023-04-28_21-48-58.wav",
         "G213/letters/k/test_2023-10-22_02-06-38.wav", "CA_tb14/digits/0/test_2023-11-01_19-36-26.wav",
         "CA_tb14/letters/a/train_2023-11-02_10-11-31.wav", "G213/outtakes/letters/e/test_2023-10-22_01-59-34.wav"],
        ["Blue Yeti", "G213 letters k test_2023-10-22_02-06-38", "2023-10-22 G213", ""],
    ),
    "microphone-level-logger": (
        [f"20230212/Local/2023-02-12_{take}/マイク (USB).wav"
         for take in ("170145_H111_L", "170412_H111_B", "175501_Recon Air_L", "175539_Recon Air_S", "180003_tusq_L")]
        + ["20230212/Local/2023-02-12_170412_H111_B/マイク配列 (Realtek).wav"],
        ["Recon Air", "2023-02-12 S", "2023-02-12", ""],
    ),
    "daps": (
        [f"daps/{place}/{who}_script{n}_{place}.wav" for n in (1, 2)
         for place in ("ipad_office1", "ipadflat_office1", "iphone_balcony1") for who in ("f1", "m10")]
        + ["daps/clean/f1_script1_clean.wav", "daps/ipad_office1/._f1_script1_ipad_office1.wav"],
        ["ipad", "flat office1 m10", "flat office1", "m10"],
    ),
    "libriadapt": (
        [f"en-us/clean/{mic}/{side}/{name}.wav" for mic in ("pseye", "usb") for side in ("train", "test")
         for name in ("19-198-0001", "19-198-0002", "other")],
        ["usb", "en-us test 19", "en-us", "19"],
    ),
    "tau-mobile": (
        [f"TAU/audio/{place}-{n}-{device}.wav" for place in ("park-paris-7", "metro_station-oslo-12") for n in (0, 1)
         for device in ("a", "b", "s1")],
        ["B", "metro_station-oslo-12", "metro_station-oslo-12", ""],
    ),
}


@pytest.mark.parametrize("deeper", ["", "as unpacked by hand/"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_loader_reads_its_layout(made, name, deeper):
    files, expected = LAYOUTS[name]
    data = made(name, [deeper + file for file in files])
    table = load_corpus(name, data_dir=data)
    rows = table[["device", "recording", "session", "speaker"]].to_numpy().tolist()
    assert expected in rows and table["device"].nunique() == 2 and not table.duplicated(["device", "recording"]).any()
    assert table.attrs["name"] == name and table.attrs["notes"][0].endswith(f"{corpora.CORPORA[name].citation}.")
    assert corpora.CORPORA[name].licence in table.attrs["notes"][0]


def test_dr_vctk_follows_its_lists(made):
    name, top = "dr-vctk", "DR-VCTK/DR-VCTK"
    data = made(name, [f"{top}/device-recorded_{side}set_wav_16k/p{who}_{n:03d}.wav"
                       for side, who in (("train", 226), ("test", 232)) for n in (1, 2, 3)])
    lists = data / "corpora" / name / "files" / top / "configurations"
    lists.mkdir()
    head = "File Name\tMain Source\tChannel Idx\n"
    closed, opened = "DR-VCTK_Office1_ClosedWindow", "DR-VCTK_Office1_OpenedWindow"
    train = [("p226_001.wav", closed, 1), ("p226_002.wav", closed, 1), ("p226_003.wav", opened, 2)]
    test = [("p232_001.wav", closed, 3), ("p232_002.wav", opened, 3)]
    for side, rows in (("train", train), ("test", test)):
        text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        (lists / f"{side}_ch_log.txt").write_text(("\n" if side == "train" else "") + head + text)
    with pytest.raises(CorpusError, match=r"p232_003\.wav: is not in test_ch_log\.txt"):
        load_corpus(name, data_dir=data)
    (lists / "test_ch_log.txt").write_text(head + text + f"p232_003.wav\t{opened}\t3\n")
    table = load_corpus(name, data_dir=data)
    rows = table[["device", "recording", "session", "duration_s"]].to_numpy().tolist()
    assert rows == [["Apogee MiC", "windows closed ch3 p232", "windows closed", 0.5],
                    ["Apogee MiC", "windows open ch3 p232", "windows open", 1.0],
                    ["MacBook Air", "windows closed ch1 p226", "windows closed", 1.0],
                    ["MacBook Air", "windows open ch2 p226", "windows open", 0.5]]
    shutil.rmtree(data / "corpora" / name / f"prepared-{corpora.FORMAT}")
    (lists.parent / "device-recorded_trainset_wav_16k" / "p226_002.wav").unlink()
    with pytest.raises(CorpusError, match=r"half there: 1 of 3 files in train_ch_log\.txt are missing, p226_002\.wav"):
        load_corpus(name, data_dir=data)
    (lists / "train_ch_log.txt").unlink()
    with pytest.raises(CorpusError, match=r"holds no train_ch_log\.txt"):
        list(layouts.dr_vctk(data / "corpora" / name / "files"))


def test_clips_are_joined_to_the_sample_and_copies_left_out(made):
    data = made("dspspeech-20", LAYOUTS["dspspeech-20"][0])
    folder = data / "corpora" / "dspspeech-20" / "files" / "speech_data" / "15300"
    shutil.copyfile(folder / "15300-00-01.wav", folder / "15300-00-03.wav")
    shutil.copyfile(folder / "15300-01-01.wav", folder / "15300-01-03.wav")
    table = load_corpus("dspspeech-20", data_dir=data)
    rows = table[table["device"] == "chain01"]
    assert rows["recording"].tolist() == ["round01", "round02"]
    y, _ = sf.read(rows["path"].iloc[0], dtype="int16")
    clips = [sf.read(folder / f"15300-{word}-01.wav", dtype="int16")[0] for word in ("00", "01")]
    np.testing.assert_array_equal(y, np.concatenate(clips))
    assert any("4 recordings are 8 clips laid end to end" in note for note in table.attrs["notes"])
    assert "15300" not in table.to_csv()  # student numbers get into no report


def test_a_full_disk_while_joining_is_named(made, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    data = made("dspspeech-20", LAYOUTS["dspspeech-20"][0])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(DevidError, match=r"prepared-\d: cannot be written: No space left on device"):
            load_corpus("dspspeech-20", data_dir=data)
    assert len(load_corpus("dspspeech-20", data_dir=data)) == 4


def test_joined_recordings_are_bounded(made):
    data = made("tau-mobile", LAYOUTS["tau-mobile"][0], seconds=0.7)
    assert set(load_corpus("tau-mobile", data_dir=data)["duration_s"]) == {0.7}


@pytest.mark.parametrize("spoil, reason", [
    (lambda path: noise(path, samplerate=8000), r"15300-01-01\.wav: its rate, channels or coding"),
    (lambda path: noise(path, subtype="FLOAT"), r"15300-01-01\.wav: its rate, channels or coding"),
    (lambda path: path.write_bytes(b"RIFF"), r"15300: cannot be read: .*15300-01-01\.wav"),
])
def test_clips_that_do_not_belong_together_are_named(made, spoil, reason):
    data = made("dspspeech-20", LAYOUTS["dspspeech-20"][0])
    spoil(data / "corpora" / "dspspeech-20" / "files" / "speech_data" / "15300" / "15300-01-01.wav")
    with pytest.raises(CorpusError, match=reason):
        load_corpus("dspspeech-20", data_dir=data)
    assert not (data / "corpora" / "dspspeech-20" / f"prepared-{corpora.FORMAT}").exists()


def test_a_folder_that_is_half_there_is_refused(made):
    files = LAYOUTS["ccnu-mobile"][0]
    with pytest.raises(CorpusError, match=r"half there, .*: 1 of 2 devices, 2 audio files"):
        load_corpus("ccnu-mobile", data_dir=made("ccnu-mobile", files[:2]))
    with pytest.raises(CorpusError, match=r"half there, .*: 2 of 2 devices, 3 of 4 audio files"):
        load_corpus("ccnu-mobile", data_dir=made("ccnu-mobile", files[:3], files=4))
    data = made("ccnu-mobile", files, files=4)
    load_corpus("ccnu-mobile", data_dir=data)
    (data / "corpora" / "ccnu-mobile" / "files" / files[0]).unlink()
    with pytest.raises(DevidError, match=r"IPHONE6\(1\)_1\.wav: no such file"):
        load_corpus("ccnu-mobile", data_dir=data)


@pytest.fixture
def micirp(made):
    """Nine microphones in the place of MicIRP: each a peak at another frequency."""
    data = made("micirp", [], files=9)
    folder, t = data / "corpora" / "micirp" / "files" / "dirs", np.arange(4000) / 44100
    folder.mkdir(parents=True)
    for k in range(9):
        h = 0.3 * np.exp(-t * 800) * np.sin(2 * np.pi * 1000 * (k + 1) * t)
        h[0] += 0.05 * (k + 1)
        sf.write(folder / f"IR_mic{k}.wav", np.pad(h, (70, 9000)), 44100, subtype="PCM_24")
    return data


def test_responses_of_microphones_have_the_level_of_speech(micirp):
    found = corpora.impulse_responses(data_dir=micirp)
    f = np.fft.rfftfreq(4096, 1 / 44100)
    for k, (name, response) in enumerate(found.items()):
        assert name == f"mic{k}" and response.shape == (2049,) and response.min() >= -60
        assert np.mean(10 ** (response[(f >= 300) & (f <= 3400)] / 10)) == pytest.approx(1)
        assert abs(f[response.argmax()] - 1000 * (k + 1)) < 300
    next((micirp / "corpora" / "micirp").rglob("*.wav")).unlink()
    with pytest.raises(CorpusError, match=r"8 of 9 impulse responses; .*CC BY-SA 4\.0.*devid corpora get micirp"):
        corpora.impulse_responses(data_dir=micirp)
    with pytest.raises(CorpusError, match="micirp: holds impulse responses, .*simulated-micirp"):
        load_corpus("micirp", data_dir=micirp)


def test_measured_microphones_are_devices_of_the_simulator(micirp, monkeypatch):
    def hiss(recorder, *, n_samples, rng, **_):  # instead of a voice in a room, which takes time
        noise = scipy.signal.fftconvolve(rng.normal(0, 1000, n_samples), input_filter(recorder), "same")
        return noise.astype(np.int16)

    monkeypatch.setattr(simulate, "recording", hiss)
    table = load_corpus("simulated-micirp", data_dir=micirp, recording_minutes=0.02)
    assert sorted(set(table["model"])) == [f"mic{k}" for k in range(9)] and len(table) == 27
    assert "CC BY-SA 4.0" in table.attrs["notes"][0] and any("booth" in note for note in table.attrs["notes"])
    for row in table.itertuples():
        f, power = scipy.signal.welch(sf.read(row.path)[0], 44100, nperseg=1024)
        assert abs(f[power.argmax()] - 1000 * (int(row.model[-1]) + 1)) < 300


@pytest.mark.parametrize("share, n", [("unit", 9), ("nothing", 8)])
def test_microphones_are_nine_and_share_nothing(tmp_path, share, n):
    with pytest.raises(ParameterError, match=f"share='{share}' with {n} responses"):
        simulate_corpus(tmp_path / "x", share=share, responses={f"mic{k}": np.zeros(2049) for k in range(n)})


# --- From asking to loading ------------------------------------------------------------------------------------------
@pytest.fixture
def offered(server, tmp_path, monkeypatch):
    """A small CCNU_Mobile on a server of this machine; a function that offers it with other facts."""
    top, members = "CCNU_Mobile_dataset-4283", {}
    for file in LAYOUTS["ccnu-mobile"][0]:
        noise(tmp_path / "source" / file)
        members[f"{top}/{file}"] = (tmp_path / "source" / file).read_bytes()
    server.files["/x/4283.zip"] = make_zip(tmp_path / "x.zip", members | {f"{top}/README.md": b"read"}).read_bytes()
    contents = download.contents(tmp_path / "source", r".*\.wav")

    def offer(**facts):
        base = {"archives": {"/x/4283.zip": ""}, "base": server.base, "contents": contents, "devices": 2, "files": 4}
        known = dataclasses.replace(corpora.CORPORA["ccnu-mobile"], **base | {"unpacked": 100_000} | facts)
        monkeypatch.setitem(corpora.CORPORA, "ccnu-mobile", known)
        return tmp_path / "data"

    return offer


def test_nothing_is_downloaded_unless_asked_for(server, offered):
    data = offered()
    with pytest.raises(CorpusError, match=r"(?s)not in .*100000 bytes to .*licence: none stated.*devid corpora get"):
        load_corpus("ccnu-mobile", data_dir=data)
    assert not server.asked and not (data / "corpora").exists()


def test_what_is_asked_for_is_downloaded_once_and_loads(server, offered):
    data = offered()
    folder = corpora.get("ccnu-mobile", data_dir=data)
    assert folder == data / "corpora" / "ccnu-mobile" / "files" and (folder / "README.md").read_text() == "read"
    assert load_corpus("ccnu-mobile", data_dir=data)["device"].unique().tolist() == ["IPHONE6(1)", "vivo x7"]
    assert read_json(folder.parent / "source.json")["licence"].startswith("none stated")
    assert not (folder.parent / "archives").exists()
    corpora.get("ccnu-mobile", data_dir=data)
    assert len(server.asked) == 1


@pytest.mark.parametrize("facts, reason", [
    ({"contents": "0" * 64}, r"4283\.zip: what arrived is not what it should be"),
    ({"unpacked": 1000, "size": 10**6}, r"4283\.zip: holds more than 1050 bytes"),
    ({"archives": {"/x/4283.zip": MD5}}, r"4283\.zip: what arrived does not have the checksum"),
    ({"unpacked": 10**18}, r"ccnu-mobile: .* are free, ccnu-mobile needs 2000000000\.0 GB"),
])
def test_what_is_not_as_it_should_be_leaves_no_folder(offered, facts, reason):
    data = offered(**facts)
    with pytest.raises(CorpusError, match=reason):
        corpora.get("ccnu-mobile", data_dir=data)
    assert not list((data / "corpora").rglob("*.zip")) and not list((data / "corpora").rglob("*.wav"))


def test_a_full_disk_while_unpacking_keeps_the_archive(server, offered, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    data = offered()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        with pytest.raises(DevidError, match=r"files: cannot be written: No space left on device"):
            corpora.get("ccnu-mobile", data_dir=data)
    assert not (data / "corpora" / "ccnu-mobile" / "files").exists()
    corpora.get("ccnu-mobile", data_dir=data)
    assert len(server.asked) == 1  # the archive was still there


def test_what_comes_by_hand_says_how(tmp_path):
    for ask in (corpora.get, corpora.listed):
        with pytest.raises(CorpusError, match=r"(?s)mobiphone.*ask its authors.*<1 to 24>.*Put them into .*files"):
            ask("mobiphone", data_dir=tmp_path)


# --- The registry ----------------------------------------------------------------------------------------------------
def test_every_fact_has_a_source_and_every_download_a_checksum():
    for name, corpus in corpora.CORPORA.items():
        assert re.fullmatch("[a-z0-9-]+", name) and corpus.checked and corpus.licence and corpus.citation
        assert bool(corpus.archives) != bool(corpus.by_hand)
        assert not corpus.layout or hasattr(layouts, corpus.layout)
        for tail, checksum in corpus.archives.items():
            assert (corpus.base + tail).startswith("https://") and corpus.unpacked and corpus.keep
            assert re.fullmatch("md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", checksum) or len(corpus.contents) == 64


def test_the_readme_has_the_table_of_the_registry():
    import importlib.util

    spec = importlib.util.spec_from_file_location("update_readme", PROJECT / "tools" / "update_readme.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.corpora_table() in (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_command_lists_shows_and_gets(capsys, monkeypatch):
    assert command.main(["corpora"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(corpora.CORPORA)
    assert command.main(["corpora", "daps"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("CC BY-NC 4.0", "16.1 GB", "zenodo.org", corpora.CORPORA["daps"].citation))
    monkeypatch.setattr(corpora, "get", lambda name, data_dir: f"{data_dir}/{name}")
    assert command.main(["corpora", "get", "daps"]) == 0
    assert "CC BY-NC 4.0" in (out := capsys.readouterr().out) and out.rstrip().endswith("data/daps")
    for words, reason in (("get", "'get': is not NAME"), ("dap", "unknown corpus 'dap'"), ("a b", "'a b': is not")):
        assert command.main(["corpora", *words.split()]) == 2
        assert reason in capsys.readouterr().err


def test_names_of_public_recordings_are_no_paths():
    assert source_path("dspspeech-20") == "dspspeech-20" and Path(source_path("./dspspeech-20")).is_absolute()
    with pytest.raises(ParameterError, match=r"unknown corpus 'x': known are ccnu-mobile"):
        corpora.known("x")
