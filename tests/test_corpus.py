"""The table of recordings: sources, split, sample rate, cache, and every corpus that cannot be used."""

import json
import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from devid_lib import corpora, corpus, simulate
from devid_lib.corpus import COLUMNS, corpus_checksum
from devid_lib.errors import AudioError, CorpusError, ParameterError
from devid_lib.files import write_json
from devid_lib.listing import SIMULATED


@pytest.fixture
def load_corpus(tmp_path):
    """`corpus.load_corpus` with a cache of its own."""
    def load(source, **options):
        return corpus.load_corpus(source, **{"data_dir": tmp_path / "data", **options})

    return load


@pytest.fixture
def folder(tmp_path, make_recordings):
    """Two devices with three recordings each."""
    return make_recordings(tmp_path / "phones")


def sides(table):
    """Return {device: {recording: split}}."""
    return {device: rows.set_index("recording")["split"].to_dict() for device, rows in table.groupby("device")}


def write_csv(file, rows, columns="path,device"):
    file.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return file


# --- Sources ---------------------------------------------------------------------------------------------------------
def test_folder_of_devices(load_corpus, folder):
    table = load_corpus(folder)
    assert list(table.columns) == COLUMNS
    assert sides(table) == {d: {"clip1": "train", "clip2": "train", "clip3": "test"} for d in ("ash", "beech")}
    assert set(table["samplerate"]) == set(table["native_samplerate"]) == {16000}
    assert set(table["channels"]) == {1} and set(table["duration_s"]) == {0.5}
    assert table["checksum"].is_unique and set(table["session"]) == set(table["speaker"]) == set(table["model"]) == {""}
    assert table["path"][0] == str(folder / "ash" / "clip1.wav")
    assert table.attrs["name"] == "phones" and table.attrs["skipped"] == []


def test_flat_folder_as_in_the_paper(load_corpus, tmp_path, make_recordings):
    make_recordings(tmp_path / "flat", devices=("aigo", "LG-2"), recordings=("1", "2", "10"), flat=True)
    table = load_corpus(tmp_path / "flat")
    assert sides(table) == {d: {"1": "train", "2": "train", "10": "test"} for d in ("aigo", "LG-2")}


def test_csv_with_all_columns(load_corpus, tmp_path, folder):
    rows = [f"phones/{device}/clip{n}.wav,{device.upper()},take {n},{split},s{n},anna,M1"
            for device in ("ash", "beech") for n, split in ((1, "test"), (2, "Train "), (3, "train"))]
    file = write_csv(tmp_path / "list.csv", rows, "path, device, recording, split, session, speaker, model")
    table = load_corpus(file)
    assert set(table["model"]) == {"M1"}
    assert sides(table)["ASH"] == {"take 1": "test", "take 2": "train", "take 3": "train"}
    assert list(table["session"][:3]) == ["s1", "s2", "s3"] and set(table["speaker"]) == {"anna"}
    assert table.attrs["name"] == "list" and table.attrs["notes"] == []


@pytest.mark.parametrize("direct", [True, False])
def test_manifest_in_a_folder(load_corpus, folder, direct):
    rows = [f"{d}/clip{n}.wav,{d}" for d in ("ash", "beech") for n in (1, 2)]
    file = write_csv(folder / "manifest.csv", rows)
    table = load_corpus(file if direct else folder)
    assert sides(table) == {d: {"clip1": "train", "clip2": "test"} for d in ("ash", "beech")}
    assert table.attrs["name"] == "phones"
    assert any("last recording" in note for note in table.attrs["notes"])
    assert any("2 audio files" in note for note in table.attrs["notes"]) is not direct


def test_csv_of_a_spreadsheet(load_corpus, tmp_path, folder):
    """Byte order mark, carriage returns, an empty column without a name, empty lines at the end."""
    lines = [f"{folder / d / f'clip{n}.wav'},{d},," for d in ("ash", "beech") for n in (1, 2)]
    (tmp_path / "list.csv").write_bytes("\r\n".join(["\ufeffpath,device,", *lines, "", ""]).encode())
    with pytest.warns(pd.errors.ParserWarning, match="Length of header"):
        assert len(load_corpus(tmp_path / "list.csv")) == 4


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_with_semicolons_or_tabs(load_corpus, tmp_path, folder, separator):
    """As spreadsheets write it where a comma is a decimal point; a path may hold commas."""
    shutil.copytree(folder, tmp_path / "a, b, c, d")
    lines = [f'"a, b, c, d/{d}/clip{n}.wav"{separator}{d}, old{separator}' for d in ("ash", "beech") for n in (1, 2)]
    if separator == ",":
        lines = [line.replace(", old", " old") for line in lines]
    file = write_csv(tmp_path / "list.csv", lines, "\ufeff" + separator.join(["path", "device", "model"]))
    devices = set(load_corpus(file)["device"])
    assert devices == ({"ash old", "beech old"} if separator == "," else {"ash, old", "beech, old"})


@pytest.mark.parametrize(("name", "share"), SIMULATED.items())
def test_simulated_corpora_have_their_own_folders(load_corpus, tmp_path, folder, monkeypatch, name, share):
    calls = []

    def simulate_corpus(target, **options):
        calls.append((target, options))
        shutil.copytree(folder, target)
        write_csv(target / "manifest.csv", [f"{d}/clip{n}.wav,{d}" for d in ("ash", "beech") for n in (1, 2, 3)])
        return target

    monkeypatch.setattr(simulate, "simulate_corpus", simulate_corpus, raising=False)
    monkeypatch.setattr(corpora, "impulse_responses", lambda **_: "measured")
    table = load_corpus(name, seed=3, recording_minutes=0.5)
    options = {"seed": 3, "minutes": 0.5, "share": share}
    options["responses"] = "measured" if name == "simulated-micirp" else None
    assert calls == [(tmp_path / "data" / f"{name}-seed3-0.5min", options)]
    assert table.attrs["name"] == name and len(table) == 6


def test_other_files_are_ignored(load_corpus, folder):
    before = corpus_checksum(load_corpus(folder))
    for name in ("readme.md", ".hidden.wav", "ash/.DS_Store", "ash/._clip1.wav", "ash/notes.txt", "beech/photo.JPG",
                 ".git/clip1.wav", "ash/.trash/clip9.wav", "ash/scans/page.pdf"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"no recording")
    assert corpus_checksum(load_corpus(folder)) == before


def test_folder_without_audio_beside_devices_is_said(load_corpus, folder):
    (folder / "papers").mkdir()
    assert any("papers" in note for note in load_corpus(folder).attrs["notes"])


def test_files_of_unknown_suffixes_are_counted_in_the_notes(load_corpus, folder):
    for name in ("ash/a.msv", "ash/b.MSV", "beech/c.dvf", "beech/d", "ash/.hidden"):
        (folder / name).write_bytes(b"no recording")
    note, = notes_with(load_corpus(folder), "suffixes")
    assert note.startswith("4 files ") and note.endswith(": 2 .msv, 1 .dvf, 1 without a suffix.")
    for path in folder.rglob("*.wav"):
        path.unlink()
    with pytest.raises(CorpusError, match="no audio in this folder, only 2 .msv, 1 .dvf"):
        load_corpus(folder)


@pytest.mark.parametrize("suffix", ["qta", "mkv", "m4b", "snd", "spx", "voc", "OPUS"])
def test_suffixes_of_recorders_are_known(load_corpus, folder, suffix):
    for path in folder.rglob("*.wav"):
        path.rename(path.with_suffix(f".{suffix}"))
    table = load_corpus(folder)
    assert len(table) == 6 and not notes_with(table, "suffixes")


def test_what_is_odd_about_a_file_is_said(load_corpus, folder):
    paths = sorted(folder.rglob("*.wav"))
    for path in paths[:5]:
        content = path.read_bytes()
        path.write_bytes(content[:40] + b"\xff" * 4 + content[44:])
    note, = notes_with(load_corpus(folder), "no true length")
    assert note.startswith(f"{', '.join(map(str, paths[:3]))} and 2 more: its header")


def test_suffixes_in_capitals_and_names_in_unicode(load_corpus, tmp_path, make_recordings):
    make_recordings(tmp_path / "c", devices=(unicodedata.normalize("NFD", "Gerät Ö"), "录音机"), suffix=".WAV")
    table = load_corpus(tmp_path / "c", test_recordings="clip1")
    assert set(table["device"]) == {"Gerät Ö", "录音机"}
    assert all(Path(path).exists() for path in table["path"])


def test_linked_device_folders_are_followed(load_corpus, tmp_path, folder):
    (tmp_path / "linked").mkdir()
    for device in ("ash", "beech"):
        os.symlink(folder / device, tmp_path / "linked" / device)
    assert len(load_corpus(tmp_path / "linked")) == 6


# --- Split -----------------------------------------------------------------------------------------------------------
def test_last_recording_in_natural_order_is_the_test(load_corpus, tmp_path, make_recordings):
    make_recordings(tmp_path / "c", recordings=("clip9", "clip10", "Clip2"))
    table = load_corpus(tmp_path / "c")
    assert list(table["recording"]) == ["Clip2", "clip9", "clip10"] * 2
    assert list(table["split"]) == ["train", "train", "test"] * 2


@pytest.mark.parametrize("names", ["clip1,clip3", " clip3 , clip1,", ["clip1", "clip3"], ("clip3", "clip1")])
def test_named_recordings_are_held_out(load_corpus, folder, names):
    assert list(load_corpus(folder, test_recordings=names)["split"]) == ["test", "train", "test"] * 2


def test_names_that_are_numbers(load_corpus, tmp_path, make_recordings):
    make_recordings(tmp_path / "c", recordings=("0", "1", "2"), flat=True)
    assert list(load_corpus(tmp_path / "c", test_recordings=0)["split"]) == ["test", "train", "train"] * 2


def test_split_column_wins_unless_recordings_are_named(load_corpus, folder):
    rows = [f"{d}/clip{n}.wav,{d},{s}" for d in ("ash", "beech") for n, s in ((1, "test"), (2, "train"), (3, "train"))]
    write_csv(folder / "manifest.csv", rows, "path,device,split")
    assert list(load_corpus(folder)["split"]) == ["test", "train", "train"] * 2
    table = load_corpus(folder, test_recordings="clip2")
    assert list(table["split"]) == ["train", "test", "train"] * 2
    assert any("test_recordings=clip2" in note for note in table.attrs["notes"])


def with_sessions(folder, **of_device):
    rows = [f"{d}/clip{i}.wav,{d},{s}" for d, names in of_device.items() for i, s in enumerate(names, 1)]
    write_csv(folder / "manifest.csv", rows, "path,device,session")


@pytest.mark.parametrize(("ash", "beech", "split", "note"), [
    (("s2", "s10", "s2"), ("s1", "s2", "s2"), "train test train train test test", "by name (s2, s10), is the test"),
    (("s1", "s1", "s1"), ("s1", "s2", "s1"), "train train test train test train", "has one session"),
    (("7.1.2020", "3.12.2019", "1.3.2019"), ("1.3.2019", "2.3.2019", "10.2.2019"), "test train train train test train",
     "by name (2.3.2019, 7.1.2020), is the test"),
    (("", "s1", "s2"), ("", "", ""), "train train test train train test", "has one session"),
    (("s1", "s1", "s1"), ("", "s9", "s9"), "train train test train train test", "the last recording of"),
])  # fmt: skip
def test_last_session_is_the_test_where_there_are_several(load_corpus, folder, ash, beech, split, note):
    with_sessions(folder, ash=ash, beech=beech)
    table = load_corpus(folder)
    assert list(table["split"]) == split.split()
    assert any(note in one for one in table.attrs["notes"])


def test_named_sessions_are_held_out(load_corpus, folder):
    with_sessions(folder, ash=("mon", "tue", "mon"), beech=("tue", "wed", "mon"))
    assert list(load_corpus(folder, test_sessions="mon,wed")["split"]) == "test train test train test test".split()
    with pytest.raises(CorpusError, match="test_sessions: no device has a session named sun; there are mon, tue, wed"):
        load_corpus(folder, test_sessions="sun")
    with pytest.raises(CorpusError, match="ash: no test recording"):
        load_corpus(folder, test_sessions="wed")
    with_sessions(folder, ash=("", "", ""), beech=("", "", ""))
    with pytest.raises(CorpusError, match="named mon; there are none"):
        load_corpus(folder, test_sessions="mon")
    with pytest.raises(ParameterError, match="give one of them"):
        load_corpus(folder, test_sessions="mon", test_recordings="clip1")


def test_unknown_name_is_refused(load_corpus, folder):
    with pytest.raises(CorpusError, match="clip7.*clip1, clip2, clip3"):
        load_corpus(folder, test_recordings="clip1,clip7")


def test_devices_that_lack_what_is_needed_are_named(load_corpus, folder):
    (folder / "ash" / "clip1.wav").unlink()
    with pytest.raises(CorpusError, match="ash: no recording named clip1"):
        load_corpus(folder, test_recordings="clip1")
    with pytest.raises(CorpusError, match="ash: no training recording") as error:
        load_corpus(folder, test_recordings="clip2,clip3")
    assert "beech" not in str(error.value)


def test_device_with_one_recording_is_named(load_corpus, folder):
    (folder / "ash" / "clip1.wav").unlink()
    (folder / "ash" / "clip2.wav").unlink()
    with pytest.raises(CorpusError, match="ash: one recording only"):
        load_corpus(folder)


@pytest.mark.parametrize("side", ["train", "test"])
def test_split_column_with_one_side_only(load_corpus, folder, side):
    rows = [f"ash/clip1.wav,ash,{side}", f"ash/clip2.wav,ash,{side}", "beech/clip1.wav,beech,test"]
    rows += ["beech/clip2.wav,beech,train"]
    write_csv(folder / "manifest.csv", rows, "path,device,split")
    with pytest.raises(CorpusError, match=f"ash: no {'training' if side == 'test' else 'test'} recording"):
        load_corpus(folder)


# --- Sample rate and notes -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("asked", "rate"), [(None, 16000), (0, 16000), (8000, 8000), (44100, 44100)])
def test_common_rate_is_the_lowest_or_the_one_asked_for(load_corpus, tmp_path, folder, make_recordings, asked, rate):
    make_recordings(folder, devices=("cedar",), samplerate=22050)
    table = load_corpus(folder, samplerate=asked, segment_length=1024)
    assert set(table["samplerate"]) == {rate}
    assert table["native_samplerate"].value_counts().to_dict() == {16000: 6, 22050: 3}
    note = next(note for note in table.attrs["notes"] if "brought to" in note)
    assert f"brought to {rate} Hz" in note and "6 recordings at 16000 Hz" in note
    assert ("stays empty" in note) is (rate > 16000) and ("upper edge" in note) is (rate <= 16000)


def test_one_rate_is_not_worth_a_note(load_corpus, folder):
    assert not any("Hz" in note for note in load_corpus(folder).attrs["notes"])
    table = load_corpus(folder, samplerate=8000, segment_length=1024)
    assert any("16000 Hz: all were brought to 8000 Hz" in note for note in table.attrs["notes"])


def notes_with(table, words):
    return [note for note in table.attrs["notes"] if words in note]


def test_coding_that_differs_by_device_or_side_is_said(load_corpus, folder):
    assert not notes_with(load_corpus(folder), "coding")
    y, sr = sf.read(folder / "ash" / "clip1.wav")
    (folder / "ash" / "clip1.wav").unlink()
    sf.write(folder / "ash" / "clip1.ogg", y, sr)
    notes = notes_with(load_corpus(folder), "coding")
    assert ["devices" in note for note in notes] == [True, True] and "5 PCM_16, 1 vorbis" in notes[0]
    assert "between training and test" in notes[1]


def test_channels_and_lengths_that_differ_are_said(load_corpus, folder, make_recordings):
    assert not notes_with(load_corpus(folder), "length") + notes_with(load_corpus(folder), "channels")
    make_recordings(folder, devices=("cedar",), channels=2, seconds=4)
    table = load_corpus(folder)
    assert notes_with(table, "3 of 9 recordings have several channels")
    assert notes_with(table, "unequal length, 0.5 to 4.0 s")


def test_sessions_on_both_sides_are_said(load_corpus, folder):
    rows = ["ash/clip1.wav,ash,one", "ash/clip2.wav,ash,two", "beech/clip1.wav,beech,one", "beech/clip2.wav,beech,one"]
    write_csv(folder / "manifest.csv", rows, "path,device,session")
    assert notes_with(load_corpus(folder), "1 of 3 sessions")


# --- Bad recordings --------------------------------------------------------------------------------------------------
def spoil(path, how):
    """Make a recording unusable and return the reason to expect."""
    y, sr = sf.read(path, dtype="float32")
    if how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:9000])
    elif how == "not audio":
        path.write_bytes(b"this is a text\n" * 500)
    elif how == "short":
        sf.write(path, y[:4000], sr)
        return "4000 samples at 16000 Hz, shorter than one segment of 4096"
    elif how == "silence":
        sf.write(path, 0 * y, sr)
    else:
        y[77] = float(how)
        sf.write(path, y, sr, subtype="FLOAT")
        return "NaN or infinite"
    return how


BAD = ["empty", "truncated", "not audio", "short", "silence", "nan", "inf"]


@pytest.mark.parametrize("how", BAD)
def test_bad_recordings_are_refused_or_left_out(load_corpus, folder, how):
    path = folder / "ash" / "clip2.wav"
    reason = spoil(path, how)
    with pytest.raises(AudioError, match=reason) as error:
        load_corpus(folder)
    assert f"{path}: " in str(error.value) and str(error.value).count(str(path)) == 1
    table = load_corpus(folder, on_error="skip")
    assert sides(table) == {"ash": {"clip1": "train", "clip3": "test"},
                            "beech": {"clip1": "train", "clip2": "train", "clip3": "test"}}
    assert [entry["path"] for entry in table.attrs["skipped"]] == [str(path)]
    assert reason in table.attrs["skipped"][0]["reason"]
    assert table["native_samplerate"].dtype == table["channels"].dtype == np.int64


def test_all_bad_recordings_are_in_one_message(load_corpus, tmp_path, make_recordings):
    folder = make_recordings(tmp_path / "c", recordings=[f"clip{n}" for n in range(9)])
    bad = [path for n, path in enumerate(sorted(folder.rglob("*.wav"))) if n % 4]
    for n, path in enumerate(bad):
        spoil(path, BAD[n % len(BAD)])
    with pytest.raises(AudioError, match=f"and {len(bad) - 10} more") as error:
        load_corpus(folder)
    assert all(str(path) in str(error.value) for path in bad[:10]) and str(bad[10]) not in str(error.value)


def test_device_left_without_recordings_is_left_out_too(load_corpus, folder, make_recordings):
    make_recordings(folder, devices=("cedar",))
    for name in ("clip1.wav", "clip3.wav"):
        spoil(folder / "ash" / name, "truncated")
    table = load_corpus(folder, on_error="skip")
    assert set(table["device"]) == {"beech", "cedar"}
    skipped = {Path(entry["path"]).name: entry["reason"] for entry in table.attrs["skipped"]}
    assert set(skipped) == {"clip1.wav", "clip2.wav", "clip3.wav"}
    assert "device ash was left with one recording only" in skipped["clip2.wav"]


def test_nothing_is_left_to_compare(load_corpus, folder):
    for name in ("clip1.wav", "clip2.wav"):
        spoil(folder / "ash" / name, "truncated")
    with pytest.raises(CorpusError, match="two devices are needed, found beech") as error:
        load_corpus(folder, on_error="skip")
    assert str(folder / "ash" / "clip2.wav") in str(error.value)
    for path in folder.rglob("*.wav"):
        spoil(path, "empty")
    with pytest.raises(CorpusError, match="two devices are needed, found none"):
        load_corpus(folder, on_error="skip")


def test_held_out_recording_that_is_bad(load_corpus, folder, make_recordings):
    make_recordings(folder, devices=("cedar",))
    spoil(folder / "ash" / "clip3.wav", "truncated")
    table = load_corpus(folder, test_recordings="clip2,clip3", on_error="skip")
    assert sides(table)["ash"] == {"clip1": "train", "clip2": "test"}
    table = load_corpus(folder, test_recordings="clip3", on_error="skip")
    assert set(table["device"]) == {"beech", "cedar"}


def test_short_is_measured_at_the_common_rate(load_corpus, folder):
    assert len(load_corpus(folder, segment_length=8000)) == 6  # 0.5 s at 16 kHz, to the sample
    with pytest.raises(AudioError, match="8000 samples at 16000 Hz, shorter than one segment of 8001"):
        load_corpus(folder, segment_length=8001)
    with pytest.raises(AudioError, match="4000 samples at 8000 Hz"):
        load_corpus(folder, samplerate=8000)


def test_short_recording_does_not_set_the_common_rate(load_corpus, folder):
    sf.write(folder / "ash" / "clip0.wav", np.random.default_rng(0).standard_normal(800) / 10, 4000)
    assert set(load_corpus(folder, on_error="skip")["samplerate"]) == {16000}


# --- Bad folders and tables ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("source", ["nowhere", "simulated-contrl", "", "nowhere/list.csv"])
def test_missing_source(load_corpus, source):
    with pytest.raises(CorpusError, match="no such folder or CSV.*simulated"):
        load_corpus(source)


def test_source_that_is_one_recording(load_corpus, folder):
    with pytest.raises(CorpusError, match="clip1.wav: neither a folder nor a CSV"):
        load_corpus(folder / "ash" / "clip1.wav")


def test_folder_without_audio(load_corpus, tmp_path):
    (tmp_path / "c" / "ash").mkdir(parents=True)
    with pytest.raises(CorpusError, match="c: no audio in this folder"):
        load_corpus(tmp_path / "c")
    (tmp_path / "c" / "ash" / "notes.txt").write_text("x")
    with pytest.raises(CorpusError, match="no audio"):
        load_corpus(tmp_path / "c")


def test_one_device_only(load_corpus, folder):
    shutil.rmtree(folder / "beech")
    with pytest.raises(CorpusError, match="phones: two devices are needed, found ash"):
        load_corpus(folder)


def test_mixed_naming_styles(load_corpus, folder, make_recordings):
    make_recordings(folder, devices=("cedar",), recordings=("1", "2"), flat=True)
    with pytest.raises(CorpusError, match="cedar-1.wav lies beside device folders"):
        load_corpus(folder)


@pytest.mark.parametrize("place", ["ash/caf\udce9.wav", "caf\udce9/clip1.wav"])
def test_names_that_are_not_utf8(load_corpus, folder, place):
    (folder / place).parent.mkdir(exist_ok=True)
    shutil.copy(folder / "ash" / "clip1.wav", folder / place)
    with pytest.raises(CorpusError, match=r"/caf\\xe9.*: its name is not valid UTF-8"):
        load_corpus(folder)
    table = load_corpus(folder, on_error="skip")
    assert len(table) == 6 and r"/caf\xe9" in table.attrs["skipped"][0]["path"]
    json.dumps(table.attrs, ensure_ascii=False).encode()
    with pytest.raises(CorpusError, match=r"xe9: its name is not valid UTF-8"):
        load_corpus(folder.rename(folder.with_name("caf\udce9")))


@pytest.mark.parametrize(("source", "reason"), [("x" * 300, "File name too long"), ("a\0b", "no such folder or CSV")])
def test_names_that_no_file_can_have(load_corpus, folder, source, reason):
    with pytest.raises(CorpusError, match=reason):
        load_corpus(source)
    if "\0" not in source:
        write_csv(folder / "manifest.csv", [f"{source}.wav,ash", "beech/clip1.wav,beech"])
        with pytest.raises(AudioError, match=f"{source}.wav: {reason}"):
            load_corpus(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
@pytest.mark.parametrize("place", ["", "ash"])
def test_folders_that_cannot_be_searched(load_corpus, folder, place, mode):
    (folder / place).chmod(mode)
    try:
        with pytest.raises((CorpusError, AudioError), match=f"{folder / place}.*: .*Permission denied"):
            load_corpus(folder)
    finally:
        (folder / place).chmod(0o755)


def test_folder_that_the_system_refuses_to_list(load_corpus, folder, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(CorpusError, match="phones: cannot be read: Permission denied"):
        load_corpus(folder)


def test_flat_names_without_a_number(load_corpus, tmp_path, make_recordings):
    folder = make_recordings(tmp_path / "c", recordings=("1", "2"), flat=True)
    for name in ("intro.wav", "ash-last.wav"):
        shutil.copy(folder / "ash-1.wav", folder / name)
    with pytest.raises(CorpusError) as error:
        load_corpus(folder)
    assert "intro.wav: its name is not <device>-<n>" in str(error.value) and "ash-last.wav" in str(error.value)
    assert len(load_corpus(folder, on_error="skip").attrs["skipped"]) == 2


def test_deeper_folders(load_corpus, folder):
    (folder / "ash" / "more").mkdir()
    (folder / "ash" / "clip1.wav").rename(folder / "ash" / "more" / "clip1.wav")
    with pytest.raises(CorpusError, match="more/clip1.wav: lies deeper than"):
        load_corpus(folder)
    assert len(load_corpus(folder, on_error="skip")) == 5


def test_two_recordings_with_one_name(load_corpus, folder):
    y, sr = sf.read(folder / "ash" / "clip1.wav")
    sf.write(folder / "ash" / "clip1.flac", -y, sr)
    with pytest.raises(CorpusError, match="same name.*\n.*ash, clip1: .*clip1.flac, .*clip1.wav"):
        load_corpus(folder)


@pytest.mark.parametrize("name", ["device", "recording", "draw", "start", "no answer", "none of these"])
def test_a_device_named_as_a_column_of_predictions_or_as_an_answer_is_refused(load_corpus, folder, name):
    next(folder.iterdir()).rename(folder / name)
    with pytest.raises(CorpusError, match=f"a device cannot be named '{name}'"):
        load_corpus(folder)



def test_rows_of_nothing_but_separators_are_no_recordings(load_corpus, make_recordings, tmp_path):
    make_recordings(tmp_path, devices=("ash", "beech"), recordings=("1", "2"))
    lines = [f"{device}/{n}.wav,{device},," for device in ("ash", "beech") for n in (1, 2)]
    (tmp_path / "list.csv").write_text("\n".join(["path,device,split,session", *lines[:2], ",,,", *lines[2:], ",,,\n"]))
    assert len(load_corpus(tmp_path / "list.csv")) == 4


@pytest.mark.parametrize(("text", "reason"), [
    ("", "cannot be read"),
    ("path,device\n", "lists no recordings"),
    ("path,device\n,\n", "lists no recordings"),
    ("path,label\nash/clip1.wav,ash\n", "no column device, only path, label"),
    ("file;phone\nash/clip1.wav;ash\n", "no column path and no column device, only file, phone"),
    ("path,device\nash/clip1.wav,ash\n,ash\n", "row 2 has no path"),
    ("path,device,split\nash/clip1.wav, ,train\n", "row 1 has no path or no device"),
    ("path,device,split\nash/clip1.wav,ash,train\nash/clip2.wav,ash,dev\n", "not 'dev'"),
    ("path,device,split\nash/clip1.wav,ash,train\nash/clip2.wav,ash,\n", "not ''"),
    ("path,device\nash/clip1.wav,ash\nbeech/../ash/clip1.wav,beech\n", "twice:\n  .*ash/clip1.wav"),
    ('path,device\n"ash/clip1.wav,ash\n', "cannot be read"),
    ("path,device\nash/clip1.wav,ash\nash/\0.wav,ash\n", "row 2 holds a NUL byte"),
])
def test_bad_csv(load_corpus, folder, text, reason):
    file = folder / "manifest.csv"
    file.write_text(text)
    with pytest.raises(CorpusError, match=reason) as error:
        load_corpus(folder)
    assert str(file) in str(error.value)


def test_csv_that_is_none(load_corpus, tmp_path):
    (tmp_path / "list.csv").write_bytes(np.random.default_rng(0).bytes(3000))
    with pytest.raises(CorpusError, match="list.csv: cannot be read"):
        load_corpus(tmp_path / "list.csv")


def test_paths_that_do_not_exist(load_corpus, folder):
    rows = [f"{d}/clip{n}.wav,{d}" for d in ("ash", "beech") for n in (1, 2, 8, 9)]
    write_csv(folder / "manifest.csv", rows)
    with pytest.raises(AudioError, match="clip8.wav: no such file") as error:
        load_corpus(folder)
    assert str(error.value).count("no such file") == 4
    table = load_corpus(folder, on_error="skip")
    assert len(table) == 4 and len(table.attrs["skipped"]) == 4


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_same_audio_on_both_sides_or_under_two_devices(load_corpus, folder, on_error):
    y, sr = sf.read(folder / "ash" / "clip1.wav", dtype="int16")
    sf.write(folder / "ash" / "clip4.flac", y, sr)
    with pytest.raises(CorpusError, match="in training and in test: .*clip1.wav, .*clip4.flac"):
        load_corpus(folder, on_error=on_error)
    (folder / "ash" / "clip4.flac").rename(folder / "beech" / "clip2b.flac")
    with pytest.raises(CorpusError, match="under two devices: .*ash/clip1.wav, .*beech/clip2b.flac"):
        load_corpus(folder, on_error=on_error)


def test_same_audio_twice_on_one_side_is_said(load_corpus, folder):
    shutil.copy(folder / "ash" / "clip1.wav", folder / "ash" / "clip1 copy.wav")
    assert notes_with(load_corpus(folder), "ash: the same audio more than once in train: clip1, clip1 copy")


@pytest.mark.parametrize("option", [
    {"on_error": "ignore"}, {"samplerate": -1}, {"samplerate": "fast"}, {"segment_length": 0}, {"segment_length": 1.5},
    {"segment_length": True}, {"recording_minutes": "long"},
])
def test_unknown_values_are_refused(load_corpus, folder, option):
    with pytest.raises(ParameterError, match=next(iter(option))):
        load_corpus(folder, **option)


# --- Cache and checksum ----------------------------------------------------------------------------------------------
@pytest.fixture
def inspected(monkeypatch):
    """The list of the names of the files that were really read."""
    names, inspect = [], corpus.inspect_recording
    monkeypatch.setattr(corpus, "inspect_recording", lambda path: names.append(Path(path).name) or inspect(path))
    return names


def test_files_are_read_once(load_corpus, tmp_path, folder, inspected):
    first = load_corpus(folder)
    assert len(inspected) == 6
    pd.testing.assert_frame_equal(load_corpus(folder), first)
    assert len(inspected) == 6
    y, sr = sf.read(folder / "ash" / "clip2.wav")
    sf.write(folder / "ash" / "clip2.wav", -y, sr)
    os.utime(folder / "ash" / "clip2.wav", ns=(1, 1))
    changed = load_corpus(folder)
    assert inspected[6:] == ["clip2.wav"]
    assert list(changed["checksum"] != first["checksum"]) == [False, True, False, False, False, False]
    assert [file.name for file in (tmp_path / "data" / "cache").iterdir()] == ["recordings.json"]


def test_another_file_of_the_same_size_and_time_is_read(load_corpus, folder, inspected):
    path, first = folder / "ash" / "clip2.wav", load_corpus(folder)
    before, (y, sr) = path.stat(), sf.read(path)
    sf.write(path, -y, sr)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert (load_corpus(folder)["checksum"] != first["checksum"]).sum() == 1 and inspected[6:] == ["clip2.wav"]


def test_errors_are_not_cached(load_corpus, folder, inspected):
    good = (folder / "ash" / "clip2.wav").read_bytes()
    spoil(folder / "ash" / "clip2.wav", "silence")
    for _ in range(2):
        with pytest.raises(AudioError):
            load_corpus(folder)
    assert inspected.count("clip2.wav") == 3 and len(inspected) == 7  # each name is there twice, once per device
    (folder / "ash" / "clip2.wav").write_bytes(good)
    assert len(load_corpus(folder)) == 6


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe\x00", b'{"a": 3}', "entries"])
def test_damaged_cache_is_rewritten(load_corpus, tmp_path, folder, inspected, content):
    first, file = load_corpus(folder), tmp_path / "data" / "cache" / "recordings.json"
    whole = json.loads(file.read_text())
    if content == "entries":
        entries = {path: entry for path, entry in whole.items() if path != "checksum"}
        write_json(file, {path: {"stamp": entry["stamp"]} for path, entry in entries.items()})
    else:
        file.write_bytes(content)
    pd.testing.assert_frame_equal(load_corpus(folder), first)
    assert len(inspected) == 12 and json.loads(file.read_text()).items() >= whole.items()


def test_cache_that_cannot_be_written_is_no_error(load_corpus, tmp_path, folder, capsys):
    (tmp_path / "file").touch()
    assert len(load_corpus(folder, data_dir=tmp_path / "file")) == 6
    assert capsys.readouterr().out.endswith("done without\n")


@pytest.mark.parametrize("field", ["frames", "samplerate", "checksum"])
def test_an_edited_cache_is_not_believed(load_corpus, tmp_path, folder, field, capsys):
    first, file = load_corpus(folder), tmp_path / "data" / "cache" / "recordings.json"
    content = json.loads(file.read_text())
    for entry in content.values():
        if isinstance(entry, dict):
            entry[field] *= 2
    file.write_text(json.dumps(content))
    pd.testing.assert_frame_equal(load_corpus(folder), first)
    assert "recordings.json: cannot be read: not as it was written" in capsys.readouterr().out


def test_an_interrupted_inspection_keeps_what_it_learnt(load_corpus, folder, monkeypatch, inspected):
    real = corpus.inspect_recording

    def interrupted(path):
        if len(inspected) >= 3:
            raise KeyboardInterrupt
        return real(path)

    monkeypatch.setattr(corpus, "inspect_recording", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_corpus(folder)
    done = len(inspected)
    monkeypatch.setattr(corpus, "inspect_recording", real)
    load_corpus(folder)
    assert 3 <= done < 6 and len(inspected) == 6


def test_checksum_depends_on_content_and_not_on_place_or_order(load_corpus, tmp_path, folder):
    table = load_corpus(folder)
    reference = corpus_checksum(table)
    assert len(reference) == 16 and int(reference, 16) >= 0
    assert corpus_checksum(table.sample(frac=1, random_state=1)) == reference
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert corpus_checksum(load_corpus(tmp_path / "elsewhere")) == reference
    assert corpus_checksum(load_corpus(folder, test_recordings="clip1")) != reference
    assert corpus_checksum(load_corpus(folder, samplerate=12000, segment_length=1024)) != reference
    for column in ("device", "recording", "split", "session", "samplerate", "checksum"):
        other = table.copy()
        other[column] = other[column].map(lambda value: f"{value}0")
        assert corpus_checksum(other) != reference
    assert corpus_checksum(table.assign(native_samplerate=8000)) != reference  # the same samples sound different
    for column in ("path", "speaker", "duration_s"):
        assert corpus_checksum(table.drop(columns=column)) == reference
