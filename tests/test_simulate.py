"""Simulated recorders: deterministic, made once, resumed, honest (nothing but the device tells devices apart)."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from scipy.signal import oaconvolve

from devid_lib import recorders, simulate, soundfield
from devid_lib.errors import CorpusError, DevidError, ParameterError
from devid_lib.recorders import DESIGNS, DEVICES, RECORDERS, record
from devid_lib.simulate import recording, simulate_corpus
from devid_lib.soundfield import SAMPLERATE, VOICES, draw_place, draw_session, sound_field, speech

SETTINGS = dict(seed=7, minutes=0.03)
REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return simulate_corpus(tmp_path_factory.mktemp("simulated") / "corpus", **SETTINGS)


@pytest.fixture(scope="module")
def samples(corpus):
    return {path: sf.read(corpus / path)[0] for path in pd.read_csv(corpus / "manifest.csv")["path"]}


@pytest.fixture
def cheap(monkeypatch):
    """Recordings of noise, so that a test of the bookkeeping takes no time; returns the names of those made."""
    made = []

    def noise(recorder, *, n_samples, rng, **_):
        made.append(recorder.name)
        return rng.integers(-99, 99, n_samples, dtype=np.int16)

    monkeypatch.setattr(simulate, "recording", noise)
    return made


def digests(folder):
    """Return the SHA-256 of every file but the marker, which says when they were written."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "simulation.json"}


def temporary_files(folder):
    return list(folder.rglob(".tmp*"))


def finished_recordings(folder):
    return sorted(folder.glob("[!.]*/[!.]*.wav"))


def is_complete(folder):
    return "files" in json.loads((folder / "simulation.json").read_text())


def make_incomplete(folder):
    """Leave the marker as it is while a corpus is being made."""
    marker = json.loads((folder / "simulation.json").read_text())
    del marker["files"]
    (folder / "simulation.json").write_text(json.dumps(marker))


# --- What is made ----------------------------------------------------------------------------------------------------
def test_corpus_is_the_same_for_any_number_of_threads(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(simulate, "_JOBS", 3)
    assert digests(simulate_corpus(tmp_path / "again", **SETTINGS)) == digests(corpus)


def test_manifest_lists_three_recordings_of_nine_devices(corpus):
    table = pd.read_csv(corpus / "manifest.csv")
    assert list(table.columns) == ["path", "device", "recording", "split", "session", "speaker", "model"]
    assert table.groupby("device")["split"].agg(list).tolist() == [["train", "train", "test"]] * 9
    assert set(table["device"]) == {recorder.name for recorder in RECORDERS}
    assert table.groupby("device")["session"].agg(list).tolist() == [["day1", "day2", "day3"]] * 9
    units = table.groupby("model")["device"].nunique()
    assert len(units) == 7 and units[["phone A", "phone B"]].tolist() == [2, 2]


def test_neither_voices_nor_sentences_are_on_both_sides(corpus):
    table = pd.read_csv(corpus / "manifest.csv")
    voices = {side: set("+".join(rows).split("+")) for side, rows in table.groupby("split")["speaker"]}
    assert {side: set(names) for side, names in VOICES.items()} == voices
    assert len(voices["train"]) >= 4 and not voices["train"] & voices["test"]
    days = table[table["split"] == "train"].groupby("session")["speaker"].unique()
    assert all(len(pairs) == 1 for pairs in days) and days["day1"] != days["day2"]
    assert {str(path.relative_to(corpus).as_posix()) for path in finished_recordings(corpus)} == set(table["path"])


def test_marker_tells_settings_and_that_it_is_simulated(corpus):
    marker = json.loads((corpus / "simulation.json").read_text())
    assert (marker["seed"], marker["minutes"], marker["share"]) == (7, 0.03, "nothing")
    assert "no real device" in marker["statement"]
    assert {path.relative_to(corpus).as_posix() for path in finished_recordings(corpus)} < set(marker["files"])


def test_all_files_have_one_format(corpus):
    infos = [sf.info(path) for path in finished_recordings(corpus)]
    assert {(i.format, i.subtype, i.samplerate, i.channels) for i in infos} == {("WAV", "PCM_16", SAMPLERATE, 1)}
    heads = {path.read_bytes()[8:40] for path in finished_recordings(corpus)}  # between the two sizes
    assert len(heads) == 1


def test_lengths_have_one_distribution(corpus):
    seconds = np.array([sf.info(path).duration for path in finished_recordings(corpus)])
    assert np.all(np.abs(seconds / (60 * SETTINGS["minutes"]) - 1) <= simulate.LENGTH_SPREAD + 1e-3)
    assert len(np.unique(seconds)) > 20
    settings = simulate._settings(seed=0, minutes=6.5, share="nothing")
    lengths = np.array([[n for _, _, n, _ in simulate._tasks({**settings, "seed": seed})] for seed in range(40)])
    means = lengths.reshape(40, 9, 3).mean(axis=(0, 2)) / (6.5 * 60 * SAMPLERATE)
    assert np.all(np.abs(means - 1) < 4 * simulate.LENGTH_SPREAD / np.sqrt(3 * 120))


def test_no_recording_has_digital_silence_clips_or_is_off_centre(samples):
    for path, y in samples.items():
        change = np.flatnonzero(np.diff(y))
        assert np.max(np.diff(change, prepend=-1, append=len(y) - 1)) < 50, path  # longest run of one value
        assert np.mean(np.abs(y) > 0.98) < 1e-3, path
        assert abs(np.mean(y)) < 2e-3, path
        assert -56 < 20 * np.log10(np.std(y)) < -15, path  # two seconds may be little but pause


def test_seeds_devices_and_numbers_all_differ(corpus, samples, tmp_path):
    assert len({y[:4096].tobytes() for y in samples.values()}) == 27
    other = simulate_corpus(tmp_path / "other", **{**SETTINGS, "seed": 8})
    assert not set(digests(other).values()) & {v for k, v in digests(corpus).items() if k.endswith(".wav")}


def tasks(share):
    return list(simulate._tasks(simulate._settings(seed=0, minutes=1, share=share)))


def test_control_is_nine_copies_of_one_recorder_with_recordings_of_their_own(cheap, tmp_path):
    made = tasks("unit")
    assert [task[0].name for task in made[::3]] == list(DEVICES)
    assert all(task[0].response_db is made[0][0].response_db and task[0].tones == made[0][0].tones for task in made)
    assert len({task[3].bit_generator.state["state"]["state"] for task in made}) == 27
    folder = simulate_corpus(tmp_path / "control", share="unit", **SETTINGS)
    assert json.loads((folder / "simulation.json").read_text())["share"] == "unit"
    assert len(cheap) == 27 and len({d for p, d in digests(folder).items() if p.endswith(".wav")}) == 27


def test_one_model_has_nine_units_that_differ_less_than_models_do():
    units, devices = ([task[0].response_db for task in tasks(share)[::3]] for share in ("model", "nothing"))
    spread = [np.mean(np.std(responses, axis=0)) for responses in (units, devices)]
    assert 0.5 < spread[0] < 0.6 * spread[1]
    assert len({task[0].model for task in tasks("model")}) == 1


def test_one_session_is_one_room_and_place_per_device_and_elsewhere_a_room_is_shared():
    def scenes(share):
        settings = simulate._settings(seed=0, minutes=1, share=share)
        return [[simulate._scene(settings, device, n) for n in (1, 2, 3)] for device in ("Alder", "Elm")]

    def rooms(share):
        return [[tuple(scene["session"].room) for scene, _ in days] for days in scenes(share)]

    assert [len(set(days)) for days in rooms("session")] == [1, 1] and rooms("session")[0] != rooms("session")[1]
    assert rooms("nothing")[0] == rooms("nothing")[1] and len(set(rooms("nothing")[0])) == 3
    places = [[scene["place"].tail for scene, _ in days] for days in scenes("nothing")]
    assert len({*places[0], *places[1]}) == 6
    assert [[day for _, day in days] for days in scenes("session")] == [["Alder-day"] * 3, ["Elm-day"] * 3]


def test_units_of_a_model_share_its_response_and_another_seed_makes_others():
    one, other = (recorders.device("phone A", unit) for unit in (1, 2))
    assert RECORDERS[0].response_db is not one.response_db  # under another name
    np.testing.assert_array_equal(RECORDERS[0].response_db, one.response_db)
    assert np.std(one.response_db - other.response_db) < 2.5 < np.std(one.response_db)
    assert not np.allclose(one.response_db, recorders.device("phone A", 1, seed=1).response_db)
    with pytest.raises(ParameterError, match="phone Z"):
        recorders.device("phone Z", 1)


# --- The sound field -------------------------------------------------------------------------------------------------
def test_a_room_dies_away_as_its_walls_say():
    session = draw_session(np.random.default_rng(3))
    place = draw_place(session, np.random.default_rng(4))
    response = soundfield.room_response(session, place)
    energy = np.cumsum(response[::-1].astype(float) ** 2)[::-1]  # Schroeder's backward integration
    decay = 10 * np.log10(energy / energy[0])
    start, stop = (np.argmax(decay < level) for level in (-15, -25))
    surface = 2 * np.sum(np.prod(session.room) / session.room)
    eyring = 0.161 * np.prod(session.room) / (-surface * np.log(1 - session.absorption))
    assert 0.7 < 6 * (stop - start) / SAMPLERATE / eyring < 1.3
    assert np.argmax(abs(response)) == 0 and soundfield.room_response(session, place).tobytes() == response.tobytes()


def test_a_reflection_makes_a_ripple_whose_period_is_one_over_its_delay():
    place = draw_place(draw_session(np.random.default_rng(0)), np.random.default_rng(0))
    place = replace(place, delays=np.array([2e-3]), gains=np.array([0.3]))
    response = soundfield.near_response(place, rng=np.random.default_rng(0))
    db = 20 * np.log10(abs(np.fft.rfft(response, 44100)))[:4000]  # bins of 1 Hz
    ripple = np.abs(np.fft.rfft(db))
    assert 4000 / np.argmax(ripple) == pytest.approx(500, rel=0.02)
    assert np.std(db) == pytest.approx(8.686 * 0.3 / np.sqrt(2), rel=0.1)


def test_how_a_device_is_turned_changes_high_frequencies_of_speech_from_recording_to_recording():
    turned = [soundfield.turned_response(rng=np.random.default_rng(n)) for n in range(12)]
    db = np.std([20 * np.log10(abs(np.fft.rfft(fir))) for fir in turned], axis=0)  # bins of 21.5 Hz
    assert db[:100].max() < 0.5  # to 2 kHz
    assert 0.6 * soundfield.TURNED_DB < np.sqrt(np.mean(db[450:] ** 2)) < 1.4 * soundfield.TURNED_DB  # from 10 kHz on


@pytest.mark.parametrize(("n", "taps"), [(1, 2), (441, 3000), (100_000, 2), (100_000, 20_000)])
def test_filtered_is_the_start_of_the_convolution(n, taps):
    rng = np.random.default_rng(0)
    y, fir = rng.standard_normal(n).astype(np.float32), rng.standard_normal(taps).astype(np.float32)
    found = soundfield.filtered(y, fir)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, oaconvolve(y, fir)[:n], atol=1e-4 * taps**0.5 * np.abs(y).max())


def test_several_devices_can_hear_the_same():
    said = np.zeros(SAMPLERATE, np.float32)
    session = replace(draw_session(np.random.default_rng(0)), levels=(-100.0, -100.0))
    said[1000] = 0.5
    place = draw_place(session, np.random.default_rng(0))
    y = [sound_field(len(said), rng=np.random.default_rng(n), session=session, place=place, said=said) for n in (1, 2)]
    assert [int(np.argmax(abs(field))) for field in y] == [1000, 1000] and not np.allclose(*y)


@pytest.mark.parametrize("bad", [dict(side="tset"), dict(voices=["no"]), dict(voices=[]), dict(voices=VOICES["test"])])
def test_speech_refuses_voices_that_are_not_of_the_side(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        speech(1000, rng=np.random.default_rng(0), **bad)


# --- Made once, resumed, never overwritten ---------------------------------------------------------------------------
def test_a_finished_corpus_is_not_touched(cheap, tmp_path):
    simulate_corpus(tmp_path, **SETTINGS)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert simulate_corpus(str(tmp_path), **SETTINGS) == tmp_path
    assert len(cheap) == 27 and {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_a_deleted_and_a_truncated_recording_are_made_again(cheap, tmp_path):
    before = digests(simulate_corpus(tmp_path, **SETTINGS))
    (tmp_path / "Elm" / "2.wav").unlink()
    (tmp_path / "Larch" / "3.wav").write_bytes((tmp_path / "Larch" / "3.wav").read_bytes()[:-100])
    make_incomplete(tmp_path)
    cheap.clear()
    simulate_corpus(tmp_path, **SETTINGS)
    assert sorted(cheap) == ["Elm", "Larch"] and digests(tmp_path) == before


def test_what_a_finished_corpus_lost_is_made_again(cheap, tmp_path):
    before = digests(simulate_corpus(tmp_path, **SETTINGS))
    (tmp_path / "Elm" / "2.wav").unlink()
    (tmp_path / "manifest.csv").unlink()
    simulate_corpus(tmp_path, **SETTINGS)
    assert digests(tmp_path) == before


@pytest.mark.parametrize("unfinished", [False, True])
@pytest.mark.parametrize("other", [dict(seed=8), dict(minutes=0.04), dict(share="unit")])
def test_other_settings_are_refused(cheap, tmp_path, unfinished, other):
    simulate_corpus(tmp_path, **SETTINGS)
    if unfinished:
        make_incomplete(tmp_path)
        (tmp_path / "Elm" / "2.wav").unlink()
    before = digests(tmp_path)
    with pytest.raises(CorpusError, match=f"{next(iter(other))}=") as error:
        simulate_corpus(tmp_path, **{**SETTINGS, **other})
    assert str(tmp_path) in str(error.value) and digests(tmp_path) == before


def test_other_constants_are_refused(cheap, tmp_path, monkeypatch):
    simulate_corpus(tmp_path, **SETTINGS)
    monkeypatch.setattr(soundfield, "AMBIENT_SOURCES", 3)
    with pytest.raises(CorpusError, match="constants="):
        simulate_corpus(tmp_path, **SETTINGS)


@pytest.mark.parametrize("unfinished", [False, True])
def test_what_an_older_version_made_is_made_anew(cheap, tmp_path, capsys, unfinished):
    before = digests(simulate_corpus(tmp_path, **SETTINGS))
    old = json.loads((tmp_path / "simulation.json").read_text()) | {"version": 1, "constants": "0", "identical": False}
    del old["share"]  # version 1 had no such word
    (tmp_path / "simulation.json").write_text(json.dumps(old))
    if unfinished:
        make_incomplete(tmp_path)
    (tmp_path / "Elm" / "2.wav").write_bytes(b"old")
    cheap.clear()
    simulate_corpus(tmp_path, **SETTINGS)
    assert len(cheap) == 27 and digests(tmp_path) == before
    assert capsys.readouterr().out == f"Note: {tmp_path}: simulated by an older version: made again\n"
    assert is_complete(tmp_path)


@pytest.mark.parametrize("other", [dict(version=1, identical=True), dict(version=1, seed=8), dict(version=99)])
def test_another_corpus_of_an_older_or_newer_version_is_refused(cheap, tmp_path, other):
    simulate_corpus(tmp_path, **SETTINGS)
    marker = json.loads((tmp_path / "simulation.json").read_text()) | other
    if "identical" in other:
        del marker["share"]
    (tmp_path / "simulation.json").write_text(json.dumps(marker))
    before = digests(tmp_path)
    with pytest.raises(CorpusError, match="nothing was overwritten"):
        simulate_corpus(tmp_path, **SETTINGS)
    assert digests(tmp_path) == before


def test_a_folder_with_other_files_is_refused(cheap, tmp_path):
    (tmp_path / "Alder").mkdir()
    (tmp_path / "Alder" / "1.wav").write_bytes(b"mine")
    with pytest.raises(CorpusError, match="no simulated corpus"):
        simulate_corpus(tmp_path, **SETTINGS)
    assert digests(tmp_path).keys() == {str(Path("Alder", "1.wav"))} and not cheap
    with pytest.raises(CorpusError, match="not a folder"):
        simulate_corpus(tmp_path / "Alder" / "1.wav", **SETTINGS)


@pytest.mark.parametrize("content", ["", "{", "[1]", "3", '{"files": 3}', '{"files": {"Elm/2.wav": 3}}'])
def test_an_unreadable_marker_is_refused(cheap, tmp_path, content):
    (tmp_path / "simulation.json").write_text(content)
    with pytest.raises(CorpusError, match="simulation.json"):
        simulate_corpus(tmp_path, **SETTINGS)


def test_old_temporary_files_of_a_killed_run_are_removed(cheap, tmp_path):
    simulate_corpus(tmp_path, **SETTINGS)
    (tmp_path / "Elm" / "2.wav").unlink()
    old, new = tmp_path / "Elm" / ".tmp0123abcd-1-2.wav", tmp_path / "Elm" / ".tmp0123abcd-2-3.wav"
    for path in (old, new):
        path.write_bytes(b"")
    os.utime(old, (0, time.time() - 90_000))
    simulate_corpus(tmp_path, **SETTINGS)
    assert not old.exists() and new.exists()


@pytest.mark.parametrize("name", ["Elm/2.wav", "manifest.csv"])
def test_a_changed_file_is_made_again(cheap, tmp_path, capsys, name):
    simulate_corpus(tmp_path, **SETTINGS)
    before, path = digests(tmp_path), tmp_path / name
    content = path.read_bytes()
    status = path.stat()
    path.write_bytes(content[:-20] + b"~" + content[-19:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if nothing had happened
    simulate_corpus(tmp_path, **SETTINGS)
    assert digests(tmp_path) == before
    assert capsys.readouterr().out == f"Note: {path}: is not as it was written: made again\n"
    simulate_corpus(tmp_path, **SETTINGS)
    assert capsys.readouterr().out == ""


def test_a_copied_corpus_is_not_made_again(cheap, tmp_path):
    simulate_corpus(tmp_path / "one", **SETTINGS)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    simulate_corpus(tmp_path / "two", **SETTINGS)
    assert len(cheap) == 27


# --- Interrupted -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_leaves_whole_recordings_and_no_list_of_them(cheap, tmp_path, monkeypatch, error):
    write = simulate.wavfile.write

    def failing(path, rate, y):
        write(path, rate, y)
        if len(finished_recordings(tmp_path)) >= 5:
            Path(path).write_bytes(b"half")
            raise error

    monkeypatch.setattr(simulate.wavfile, "write", failing)
    with pytest.raises(error):
        simulate_corpus(tmp_path, **SETTINGS)
    assert not temporary_files(tmp_path) and 5 <= len(finished_recordings(tmp_path)) < 27
    assert not is_complete(tmp_path) and not (tmp_path / "manifest.csv").exists()
    monkeypatch.setattr(simulate.wavfile, "write", write)
    simulate_corpus(tmp_path, **SETTINGS)
    assert len(finished_recordings(tmp_path)) == 27 and is_complete(tmp_path)
    assert len(cheap) < 2 * 27  # the whole ones were kept


def test_the_list_of_files_comes_last(cheap, tmp_path, monkeypatch):
    def failing(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate, "_write_manifest", failing)
    with pytest.raises(KeyboardInterrupt):
        simulate_corpus(tmp_path, **SETTINGS)
    assert len(finished_recordings(tmp_path)) == 27 and not is_complete(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_leaves_nothing_half_made(tmp_path):
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # ignored in background jobs
    code = f"{listen}; from devid_lib.simulate import simulate_corpus; simulate_corpus({str(tmp_path)!r}, minutes=1.0)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 300  # on a busy machine
    while not finished_recordings(tmp_path) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0 and b"KeyboardInterrupt" in errors
    assert not temporary_files(tmp_path) and not is_complete(tmp_path)
    sizes = {(task[0].name, task[1]): task[2] for task in
             simulate._tasks(simulate._settings(seed=0, minutes=1.0, share="nothing"))}
    found = finished_recordings(tmp_path)
    assert found and all(sf.info(path).frames == sizes[path.parent.name, int(path.stem)] for path in found)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")
def test_no_disk_space_names_the_file(tmp_path):
    code = ("import resource\nfrom devid_lib.simulate import simulate_corpus\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
            f"simulate_corpus({str(tmp_path)!r}, minutes=0.02)")
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, timeout=60)
    last = done.stderr.decode().strip().splitlines()[-1]
    assert last.startswith("devid_lib.errors.DevidError") and str(tmp_path / "Alder") in last and ".wav: cannot" in last
    assert not temporary_files(tmp_path) and not finished_recordings(tmp_path)


# --- Arguments -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("bad", [
    dict(seed=-1), dict(seed=1.5), dict(seed=True), dict(seed="0"), dict(minutes=0), dict(minutes=-1),
    dict(minutes=float("nan")), dict(minutes=float("inf")), dict(minutes="6"), dict(minutes=True),
    dict(share="everything"), dict(share=None),
])  # fmt: skip
def test_bad_arguments_are_refused_and_nothing_is_made(tmp_path, bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        simulate_corpus(tmp_path / "new", **{**SETTINGS, **bad})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("clean", [np.zeros(0), np.zeros((2, 100)), np.array([0.0, np.nan]), np.array([np.inf, 0.0])])
def test_record_refuses_what_is_no_sound_field(clean):
    with pytest.raises(ParameterError, match="clean"):
        record(clean, RECORDERS[0], rng=np.random.default_rng(0))


def test_record_refuses_an_unknown_codec():
    with pytest.raises(ParameterError, match="speex"):
        record(np.zeros(5000), with_codec("speex"), rng=np.random.default_rng(0))


@pytest.mark.parametrize("n_samples", [0, -5, 2.0, True])
def test_lengths_are_checked(n_samples):
    rng = np.random.default_rng(0)
    for make in (lambda: speech(n_samples, rng=rng), lambda: recording(RECORDERS[0], n_samples=n_samples, rng=rng)):
        with pytest.raises(ParameterError, match="n_samples"):
            make()


# --- One recorder ----------------------------------------------------------------------------------------------------
def with_codec(codec, **changes):
    design = replace(RECORDERS[0].design, codec=codec, **changes)
    return replace(RECORDERS[0], design=design, response_db=np.zeros(2049))


@pytest.mark.parametrize("design", DESIGNS.values(), ids=lambda design: design.name)
def test_a_recording_is_as_long_as_its_sound_field_and_not_delayed(design):
    clean = 0.4 * speech(2 * SAMPLERATE, rng=np.random.default_rng(1))
    flat = replace(RECORDERS[0], design=replace(design, agc=0.0, highpass=1.0), response_db=np.zeros(2049))
    y = record(clean, flat, rng=np.random.default_rng(1))
    assert y.shape == clean.shape and y.dtype == np.int16
    lag = np.argmax(np.correlate(y[50000:60000].astype(float), clean[50099:59901], "valid")) - 99
    assert abs(lag) <= 12  # minimum phase: low frequencies come a little later


@pytest.mark.parametrize("recorder", RECORDERS, ids=lambda recorder: recorder.name)
def test_every_recorder_writes_speech_well_above_its_own_noise(recorder):
    clean = speech(2 * SAMPLERATE, rng=np.random.default_rng(1)) * np.float32(0.02 / 0.05)  # 60 dB SPL
    loud, quiet = (record(y, recorder, rng=np.random.default_rng(2)) / 32768 for y in (clean, 0 * clean))
    assert -40 < 20 * np.log10(np.std(loud)) < -15
    assert 5 < 20 * np.log10(np.std(loud) / np.std(quiet)) < 45  # automatic gain lifts a pause


@pytest.mark.parametrize("n_samples", [1, 2, 440, 441, 442, 4096])
def test_short_recordings_work(n_samples):
    for recorder in RECORDERS:
        assert recording(recorder, n_samples=n_samples, rng=np.random.default_rng(0)).shape == (n_samples,)


def test_the_response_and_the_self_noise_are_those_of_the_device():
    rng = np.random.default_rng(0)
    f = np.linspace(0, SAMPLERATE / 2, 2049)
    design = replace(RECORDERS[0].design, agc=0.0, codec="none", snr_db=60.0)
    peak = replace(RECORDERS[0], design=design, response_db=12 * np.exp(-(((f - 4000) / 500) ** 2)), sensitivity_db=0)
    white = rng.standard_normal(10 * SAMPLERATE).astype(np.float32)
    f, power = _spectrum(record(0.05 * white, peak, rng=rng))
    assert 11 < power[np.argmin(abs(f - 4000))] - power[np.argmin(abs(f - 1500))] < 13
    flat = replace(peak, response_db=np.zeros(2049), tones=(), dc=0.0)
    quiet = record(np.zeros(10 * SAMPLERATE), flat, rng=rng) / 32768
    expected = design.level_dbfs + 34 - 60  # 94 dB SPL are 34 dB over 60
    assert 20 * np.log10(np.std(quiet)) == pytest.approx(expected, abs=1.0)


def test_spurious_tones_are_sines_of_their_level():
    y, tones = np.zeros(10_000, np.float32), ((1000.0, -20.0), (12345.6, -30.0))
    recorders._add_tones(y, tones, np.random.default_rng(3))
    phases, t = np.random.default_rng(3).uniform(size=(2, 1)), np.arange(len(y)) / SAMPLERATE
    frequency, db = np.array(tones).T[:, :, None]
    expected = np.sqrt(2) * 10 ** (db / 20) * np.sin(2 * np.pi * (frequency * t + phases))
    np.testing.assert_allclose(y, expected.sum(axis=0), atol=1e-5)


def test_noise_suppression_lowers_pauses_and_not_speech():
    gate = with_codec("none", agc=0.0, gate_db=8.0)
    without = with_codec("none", agc=0.0)
    t = np.arange(4 * SAMPLERATE) / SAMPLERATE
    clean = np.where(t < 2, 0.02, 1e-4) * np.random.default_rng(0).standard_normal(len(t))
    with_it, plain = (record(clean, r, rng=np.random.default_rng(0)) / 32768 for r in (gate, without))
    change = [20 * np.log10(np.std(with_it[part]) / np.std(plain[part]))
              for part in (slice(0, SAMPLERATE), slice(-SAMPLERATE, None))]
    assert abs(change[0]) < 0.1 and -8.5 < change[1] < -5


def _spectrum(y):
    from scipy.signal import welch

    f, power = welch(y / 32768, SAMPLERATE, nperseg=1024)
    return f, 10 * np.log10(power)


def test_an_error_class_that_a_caller_can_catch():
    assert issubclass(CorpusError, DevidError) and issubclass(ParameterError, DevidError)
