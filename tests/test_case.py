"""A case: what is measured of a file, which conditions are declined, what is answered, and all that may be wrong."""

import json
import os
import re
import shutil
import signal
import sys
import time
import zlib
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import soxr
from bs4 import BeautifulSoup
from scipy.signal import lfilter

from devid_lib import intake
from devid_lib.corpus import load_corpus, load_references
from devid_lib.errors import CorpusError, DevidError, ParameterError
from devid_lib.workbook import case_page, command, execution, folder
from devid_lib.workbook.case import load_case, open_case, save_case, unlikeness
from devid_lib.workbook.questions import ANSWERS, FAR, Asked, _checked, answer, answers_table, ask, find_files

RATE, SECONDS = 16000, 4.0
OPTIONS = {"segment_length": 1024}
KNOWN, OTHERS = ["ash", "beech", "cedar"], [f"other{i}" for i in range(7)]


def spoken(device, take, *, seconds=SECONDS, samplerate=RATE):
    """Return noise that comes and goes like words, coloured by a device, over the device's noise floor."""
    own = np.random.default_rng(zlib.crc32(device.encode()))
    rng = np.random.default_rng(zlib.crc32(f"{device}/{take}".encode()))
    n = int(seconds * samplerate)
    words = np.repeat(rng.uniform(0, 1, n // 800 + 1) ** 3, 800)[:n] * rng.standard_normal(n)
    words = lfilter([1], [1, -0.9], words)
    return np.float32(0.02 * np.convolve(words, own.standard_normal(24) / 5, "same") + 0.0005 * rng.standard_normal(n))


def write(path, y, samplerate=RATE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, y, samplerate, **options)
    return path


def opened(references, *background, data_dir, rates=()):
    """Return a case of folders, or of tables."""
    tables = [place if isinstance(place, pd.DataFrame) else load_references(place, data_dir=data_dir, **OPTIONS)
              for place in (references, *background)]  # fmt: skip
    return open_case(tables, rates=rates, **OPTIONS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """References and background, two recordings of each device."""
    folder = tmp_path_factory.mktemp("case")
    for name, devices in {"references": KNOWN, "background": OTHERS}.items():
        for device in devices:
            for take in (1, 2):
                write(folder / name / device / f"{take}.wav", spoken(device, take))
    return folder


@pytest.fixture(scope="module")
def case(folders, tmp_path_factory):
    return opened(folders / "references", folders / "background", data_dir=tmp_path_factory.mktemp("data"))


@pytest.fixture
def quick(monkeypatch):
    """Leave out of a case what takes time and is looked at by other tests."""
    monkeypatch.setattr("devid_lib.verification.DRAWS", 5)
    monkeypatch.setattr("devid_lib.workbook.validation.DRAWS", 5)
    monkeypatch.setattr("devid_lib.workbook.case.ALTERED", ())
    monkeypatch.setattr("devid_lib.workbook.case.AUGMENT", ())
    monkeypatch.setattr("devid_lib.workbook.case.MOST_SEARCHED", 4)


@pytest.fixture
def asked(case, tmp_path):
    """A function that writes samples to a file and asks about it."""
    def asked(y, samplerate=RATE, name="question.wav", **options):
        return ask(case, write(tmp_path / name, y, samplerate, **options))

    return asked


# --- what is measured ------------------------------------------------------------------------------------------------
def test_measures_of_a_signal_with_known_properties():
    rng, n = np.random.default_rng(0), 4 * RATE
    y = np.float32(0.1 * rng.standard_normal(n))
    y[: n // 2] *= 0.01
    facts = intake.measure(y, RATE)
    assert facts["dynamics_db"] == pytest.approx(40, abs=2) and facts["floor_dbfs"] == pytest.approx(-60, abs=1.5)
    assert facts["rms_dbfs"] == pytest.approx(-23, abs=0.2) and facts["clipped"] == facts["silent"] == 0
    assert facts["bandwidth_hz"] == pytest.approx(RATE / 2, rel=0.01)
    y[n // 2 :] = np.clip(10 * y[n // 2 :], -0.5, 0.5)
    y[: n // 4] = 0
    facts = intake.measure(y, RATE)
    assert facts["silent"] == pytest.approx(0.25, abs=0.01) and 0.1 < facts["clipped"] < 0.4


def test_bandwidth_of_what_was_upsampled():
    low = np.float32(0.1 * np.random.default_rng(0).standard_normal(2 * 8000))
    facts = intake.measure(soxr.resample(low, 8000, 44100), 44100)
    assert facts["bandwidth_hz"] == pytest.approx(4000, rel=0.05)


def test_a_long_recording_is_measured_in_blocks(monkeypatch):
    y = spoken("ash", 1)
    whole = intake.measure(y, RATE)
    monkeypatch.setattr(intake, "BLOCK", 5000)
    parts = intake.measure(y, RATE)
    for name in set(whole) - {"bands_db"}:
        assert parts[name] == pytest.approx(whole[name], rel=1e-5, abs=1e-7), name


def test_header_and_tags_are_told(tmp_path):
    path = write(tmp_path / "a.flac", spoken("ash", 1))
    facts, y = intake.examine(path)
    assert (facts["codec"], facts["coding"], facts["rate"], facts["channels"]) == (
        "FLAC (Free Lossless Audio Codec)", "PCM", RATE, 1)  # fmt: skip
    assert facts["duration_s"] == SECONDS and len(facts["sha256"]) == 64 and facts["bytes"] == path.stat().st_size
    assert intake.examine(write(tmp_path / "a.mp3", spoken("ash", 1)))[0]["coding"].startswith("MP3")


def test_the_conditions_check_shows_the_limits_that_it_applies():
    told = {"coding": "PCM", "rate": RATE, "duration_s": SECONDS}
    facts = [told | intake.measure(spoken(device, 1), RATE) for device in OTHERS]
    validated = intake.validated_ranges(facts, OTHERS)
    for gain in (1e-3, 1, 0.2, 5):  # too quiet, as they are, at the margin, too loud
        asked = told | intake.measure(np.float32(gain) * spoken("ash", 1), RATE)
        checks = intake.check_conditions(asked, validated, samplerate=RATE, least_s=1.0, resampled=False)
        for row in checks.iloc[: len(intake.CHECKS)].itertuples():
            value = float(row.file.split(" ")[0].rstrip("%"))
            ends = [float(number) for number in re.findall(r"-?[0-9.]+(?=[ %])", row.validated)]
            low = -np.inf if row.validated.startswith("up to") else ends[0]
            high = np.inf if row.validated.endswith(" on") else ends[-1]
            assert (row.verdict == "within") == (low <= value <= high), row


# --- answers ---------------------------------------------------------------------------------------------------------
def test_known_and_unknown_devices(case, asked):
    one, two = asked(spoken("beech", 3)), asked(spoken("stranger", 1))
    assert one.answer == "beech" and two.answer == "none of these"
    table = answers_table([one, two])
    assert list(table.columns) == ANSWERS and len(table) == 2 * len(KNOWN)
    assert list(table["answer"]) == ["beech"] * len(KNOWN) + ["none of these"] * len(KNOWN)
    low, high = case.comparison.bounds
    assert table["log10_lr"].between(low - 1e-4, high + 1e-4).all()
    assert (table["low"] <= table["log10_lr"]).all() and (table["log10_lr"] <= table["high"]).all()


def test_bounds_below_the_threshold_hide_no_device(case, tmp_path):
    path, low = write(tmp_path / "a.wav", spoken("beech", 3)), case.rule["threshold"] / 2
    one = ask(replace(case, comparison=replace(case.comparison, bounds=(-low, low))), path)
    assert one.answer == "beech" and one.ratios["log10_lr"].max() == low < one.unbounded["beech"]
    one = ask(replace(case, rule=case.rule | {"threshold": 99.0}), path)
    assert one.answer == "no answer" and "named from 99.00 (before bounds) on, which " in one.reason


def test_recordings_of_two_devices_get_no_answer(asked):
    one = asked(np.concatenate([spoken("ash", 5), spoken("cedar", 5)]))
    assert one.answer == "no answer" and "something else begins" in one.reason
    assert one.ratios["log10_lr"].isna().all() and len(set(one.strip.idxmax(axis=1))) == 2
    assert list(one.changes["time_s"]) == pytest.approx([SECONDS], abs=0.25) and one.changes["score"].min() > 0


def test_sounds_of_no_device_are_declined(case):
    table = case_page.impostors(case)
    assert (table["answer"] == "no answer").all() and table["largest log10 ratio"].isna().all()


def test_a_telephone_call_is_compared_by_what_copies_taught(case, asked):
    y = soxr.resample(spoken("ash", 4), RATE, 8000)
    one = asked(y, 8000, subtype="ULAW")
    assert one.answer in ("ash", "no answer") and "copies" in one.reason and "8000 Hz" in one.reason
    assert one.by is case.copies and one.by.comparison.validation.pairs()[0].size
    again = asked(soxr.resample(y, 8000, RATE))  # also where its header hides it
    assert again.by is case.copies and "bandwidth" in again.reason
    assert asked(soxr.resample(spoken("stranger", 4), RATE, 8000), 8000).answer not in KNOWN


def test_without_copies_a_telephone_call_is_declined(case, asked):
    one = Asked(asked(soxr.resample(spoken("ash", 4), RATE, 8000), 8000).facts, case.no_ratios(), y=spoken("ash", 4))
    answer(replace(case, copies=None), one)
    assert one.answer == "no answer" and "bandwidth" in one.reason and one.ratios["log10_lr"].isna().all()


def test_another_rate_is_brought_down_and_said(case, folders, quick, tmp_path):
    path = write(tmp_path / "a.wav", soxr.resample(spoken("ash", 6), RATE, 48000), 48000)
    assert "sample rate 48000 Hz" in ask(case, path).reason and ask(case, path).answer == "no answer"
    again = opened(folders / "references", folders / "background", data_dir=tmp_path, rates=[48000])
    assert ask(again, path).answer == "ash" and "sample rate 48000 Hz" in ask(again, path).reason


def test_an_unseen_codec_is_compared_by_what_copies_taught(case, asked):
    one = asked(spoken("ash", 7), subtype="ULAW")
    assert one.by is case.copies and "for its coding PCM mu-law" in one.reason and one.answer in ("ash", "no answer")
    assert one.checks.set_index("property").loc["coding", "verdict"] == "noted"
    one = Asked(one.facts, case.no_ratios(), y=one.y)
    answer(replace(case, copies=None), one)
    assert one.answer == "no answer" and one.reason.startswith("not validated for this: coding PCM mu-law")


def test_recordings_as_they_are_are_within_what_copies_beside_them_are(case):
    """What differs from the known recordings in its coding alone is near them, be it near a copy or not."""
    far = []
    for i, row in case.validated.iterrows():
        checks = case.copies.check(row.to_dict() | {"coding": "MP3", "duration_s": SECONDS}).set_index("property")
        assert checks.loc["distance to the nearest validated spectrum", "file"] == "0.0 dB"
        sides = case.vectors[case.of == i]
        far.append(unlikeness(case.copies, sides, without=case.known["device"][i]) / case.copies.rule["unlikeness"])
    assert np.quantile(far, 0.9) <= FAR


@pytest.mark.parametrize("offset", [0.2, -0.5])
def test_an_offset_that_no_converter_has_says_nothing(asked, offset):
    y = spoken("beech", 15)
    y -= y.mean()
    one, two = asked(y, subtype="FLOAT"), asked(y + np.float32(offset), subtype="FLOAT")
    assert one.answer == two.answer == "beech" and two.facts["dc"] == pytest.approx(offset, abs=1e-3)
    np.testing.assert_allclose(one.unbounded, two.unbounded, atol=1e-3)
    assert one.checks["verdict"].equals(two.checks["verdict"])


def test_none_of_these_has_to_stand_in_other_conditions(case, asked, monkeypatch):
    y = spoken("stranger", 1)
    assert asked(y).answer == "none of these"
    monkeypatch.setitem(case.copies.rule, "threshold", -99.0)
    one = asked(y)
    assert one.answer == "no answer" and one.ratios["log10_lr"].isna().all()
    assert re.search("none of these as recorded, (ash|beech|cedar) by what copies", one.reason)


def test_where_references_differ_in_coding_copies_compare_and_it_is_said(folders, monkeypatch, tmp_path):
    monkeypatch.setattr("devid_lib.workbook.case.MOST_SEARCHED", 4)
    for take in (1, 2):
        y, _ = sf.read(folders / "references" / "ash" / f"{take}.wav")
        write(tmp_path / "references" / "ash" / f"{take}.wav", y, subtype="ULAW")
        write(tmp_path / "references" / "beech" / f"{take}.wav", spoken("beech", take))
    case = opened(tmp_path / "references", folders / "background", data_dir=tmp_path)
    assert any("No coding of files is common" in note for note in case.notes)
    one = ask(case, write(tmp_path / "a.wav", spoken("ash", 16)))
    assert one.by is case.copies and one.answer in ("ash", "no answer")


@pytest.mark.parametrize(("y", "reason"), [
    (spoken("ash", 8, seconds=0.05), "length"),
    (np.zeros(RATE), "silence"),
    (spoken("ash", 8, seconds=0.005), "less than a frame"),
])  # fmt: skip
def test_what_is_too_short_or_silent(asked, y, reason):
    one = asked(y)
    assert one.answer == "no answer" and reason in one.reason and one.ratios["log10_lr"].isna().all()


def test_a_copy_of_a_reference_is_found_by_its_samples(case, folders, tmp_path):
    for suffix in (".wav", ".flac"):
        y, _ = sf.read(folders / "references" / "ash" / "1.wav", dtype="int16")
        one = ask(case, write(tmp_path / f"renamed{suffix}", y))
        assert one.answer == "no answer" and "ash/1 (reference)" in one.reason


def test_a_damaged_file_among_many(case, folders, tmp_path):
    write(tmp_path / "a.wav", spoken("ash", 9))
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:5000])
    (tmp_path / "c.wav").write_text("not audio")
    (tmp_path / "._a.wav").write_text("what another system puts beside a file")
    table = answers_table([ask(case, path) for path in find_files([tmp_path])])
    answers = dict(zip(table["file"], table["answer"], strict=True))
    assert answers == {"a.wav": "ash", "b.wav": "no answer", "c.wav": "no answer"}
    assert "truncated" in table.set_index("file").loc["b.wav", "reason"].iloc[0]
    assert table["sha256"].str.len().eq(64).all()


def test_where_bounds_make_ratios_equal_the_most_alike_comes_first(case, tmp_path):
    case = replace(case, comparison=replace(case.comparison, bounds=(-9.0, -8.0)))
    one = ask(case, write(tmp_path / "a.wav", spoken("cedar", 12)))
    assert one.answer == "cedar" and set(one.ratios["log10_lr"]) == {-8.0}
    assert case_page.summary([one], case).data["most alike"].item() == "cedar"
    assert case_page.ratios(one).data["reference device"][0] == "cedar"


@pytest.mark.skipif(sys.platform != "linux", reason="no such names")
def test_a_name_in_another_character_set(case, folders, tmp_path, capsys):
    path = shutil.copy(folders / "references" / "ash" / "1.wav", tmp_path / os.fsdecode(b"caf\xe9.wav"))
    one = ask(case, path)
    assert (one.facts["file"], one.answer) == (r"caf\xe9.wav", "no answer") and one.reason.startswith("its name is not")
    assert command.main(["identify", str(path), "--references", "simulated", "--out", str(tmp_path / "out")]) == 2
    assert r"caf\xe9.wav: its name is not valid UTF-8" in capsys.readouterr().err


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(ParameterError, match="no such file"):
        find_files([tmp_path / "nothing.wav"])
    (tmp_path / "._1.wav").write_bytes(b"what a Mac leaves beside 1.wav")
    with pytest.raises(ParameterError, match="no audio"):
        find_files([tmp_path])


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "<img src=x onerror=alert(1)>", r"$\foo$", "_x", "x" * 300,
                                  "מכשיר", "手机 😀", "`` `a` *b* [l](javascript:1)", "line\nbreak"])  # fmt: skip
def test_names_are_data_on_the_page(case, name):
    case = replace(case, known=case.known.assign(device=case.known["device"].replace({"ash": name})))
    ratios = case.no_ratios()
    ratios.loc[name] = 1.0, 0.5, 1.5
    facts, told = {"file": f"{name}.wav", "sha256": ""}, {"answer": name, "reason": f"also {name}"}
    one = Asked(facts, ratios, unbounded=ratios["log10_lr"], **told)
    tables = [case_page.summary([one], case), case_page.ratios(one), case_page.intake(one)]
    html = [case_page.heading(1, one, case), *(table.to_html() for table in tables)]
    page = BeautifulSoup("".join(html), "html.parser")
    assert not page(["img", "em", "a", "code"]) and len(page(class_="tex2jax_ignore")) == 4
    assert page.h3.text == f"1. {name}.wav" and page.strong.text.endswith(name)
    cells = [cell.text for cell in page("td")]
    assert cells.count(name) == cells.count(f"{name}.wav") == 2


# --- the known recordings --------------------------------------------------------------------------------------------
def test_one_reference_device_is_a_verification(folders, quick, tmp_path):
    shutil.copytree(folders / "references" / "ash", tmp_path / "one" / "ash")
    case = opened(tmp_path / "one", folders / "background", data_dir=tmp_path)
    assert case.devices == ["ash"]
    assert ask(case, write(tmp_path / "a.wav", spoken("ash", 10))).answer == "ash"
    assert ask(case, write(tmp_path / "b.wav", spoken("stranger", 2))).answer == "none of these"


def test_without_a_background_there_is_no_ratio_and_a_reason(folders, tmp_path):
    case = opened(folders / "references", data_dir=tmp_path)
    one = ask(case, write(tmp_path / "a.wav", spoken("ash", 11)))
    assert case.comparison is None and one.answer == "no answer" and one.ratios["log10_lr"].isna().all()
    assert "3 devices" in one.reason


def test_one_recording_is_a_case_without_a_ratio(quick, tmp_path):
    write(tmp_path / "references" / "ash" / "1.wav", spoken("ash", 1))
    assert "1 devices" in opened(tmp_path / "references", data_dir=tmp_path).reason


def test_a_reference_device_in_the_background_is_left_out(case, folders, quick, tmp_path):
    shutil.copytree(folders / "background", tmp_path / "background")
    shutil.copytree(folders / "references" / "ash", tmp_path / "background" / "renamed")
    write(tmp_path / "background" / "beech" / "1.wav", spoken("another of this name", 1))
    write(tmp_path / "background" / "beech" / "2.wav", spoken("another of this name", 2))
    again = opened(folders / "references", tmp_path / "background", data_dir=tmp_path)
    devices = set(again.known["device"][again.known["role"] == "background"])
    assert devices == {*OTHERS, "beech (background 1)"} and any("renamed" in note for note in again.notes)


def test_sessions_count_where_there_are_some(folders, quick, tmp_path):
    references = load_references(folders / "references", data_dir=tmp_path, segment_length=1024)
    assert set(references["split"]) == {"reference"}
    case = opened(references.assign(session="one"), folders / "background", data_dir=tmp_path)
    assert any("sessions that are told" in note for note in case.notes) and set(case.comparison.sessions) == {"1", "2"}


def test_units_of_one_model_are_no_two_models(folders, quick, tmp_path):
    table = load_references(folders / "background", data_dir=tmp_path, segment_length=1024)
    case = opened(table.assign(model="one"), data_dir=tmp_path)
    assert case.comparison is None and "all 7 are of one" in case.reason
    table["model"] = ["one" if device < "other4" else "" for device in table["device"]]
    assert opened(table, data_dir=tmp_path).rule["n_references"] == 3  # other than the four units of one model


def test_the_matrix_holds_all_six_characteristics(case):
    table = case.matrix
    assert set(table["characteristic"]) == {"accuracy", "discrimination", "calibration", "robustness", "coherence",
                                            "generalisation"}  # fmt: skip
    values = table.set_index("measure")["value"]
    assert values["Cllr"] - values["Cllr_min"] == pytest.approx(values["Cllr_cal"], abs=1e-9) and values["AUROC"] > 0.9
    assert case.rule["threshold"] >= 0
    verdicts = table.set_index("measure")["verdict"]
    assert verdicts["AUROC"] == ("met" if values["AUROC"] >= 0.95 else "not met")
    assert table["pairs"].str.fullmatch(r"\d+ \+ \d+").all()


def test_conditions_that_mislead_and_may_pass_unnoticed_are_said(case):
    rows = case.matrix.query("characteristic == 'robustness' and value > 1 and not verdict.str.contains('100%')")
    (note,) = [note for note in case.notes if "ratios mislead" in note]
    assert len(rows) and all(measure.split(", ")[1] in note for measure in rows["measure"])


def test_a_form_of_recordings_without_another_session_is_not_judged(folders, quick, monkeypatch, tmp_path):
    monkeypatch.setattr("devid_lib.workbook.case.MOST_ALTERED", 1)
    write(tmp_path / "references" / "alone" / "1.wav", spoken("alone", 1))
    case = opened(tmp_path / "references", folders / "background", data_dir=tmp_path)
    row = case.matrix.set_index("measure").loc["Cllr, half a side"]
    assert row["verdict"] == "too few devices to tell" and np.isnan(row["value"]) and len(case.matrix) > 6


def test_units_and_models_apart(folders, quick, tmp_path):
    """Units of one model that are copies of each other are not told apart; their models are."""
    for unit in (1, 2):
        for device in ("other0", "other1"):
            for take in (1, 2):
                write(tmp_path / "b" / f"{device} no. {unit}" / f"{take}.wav", spoken(device, 10 * unit + take))
    table = load_references(tmp_path / "b", data_dir=tmp_path, segment_length=1024)
    table["model"] = [device.split(" no.")[0] for device in table["device"]]
    assert len(table) == 8
    case = opened(table, folders / "references", folders / "background", data_dir=tmp_path)
    values = case.matrix.set_index("measure")["value"]
    assert values["AUROC, models"] > 0.95 and values["AUROC, units of one model"] < 0.85
    assert values["AUROC, a model by another unit"] > 0.95
    assert "another unit of a model is found, too: AUROC" in case_page.other_units(case)
    case.matrix.loc[case.matrix["measure"] == "AUROC, a model by another unit", "verdict"] = "not met"
    assert "another unit of a model is not found" in case_page.other_units(case)


def test_a_small_ratio_speaks_against_a_device_not_its_model(case):
    assert case_page.in_words(1.2) == "moderate support for the same model"
    assert case_page.in_words(-1.2) == "moderate support for another device"
    assert "whether another unit would be found is not known" in case_page.other_units(case)  # no models are told


def test_the_limit_that_is_shown_decides(case, asked, monkeypatch):
    facts, far = asked(spoken("cedar", 12)).facts, unlikeness(case, case.vectors[:1])
    for share, verdict in ((1.01, "within"), (0.99, "beyond")):
        monkeypatch.setitem(case.rule, "unlikeness", share * far / FAR)
        checks = _checked(case, Asked(facts, None), lambda: (None, case.vectors[:1]))
        assert checks.iloc[-1].tolist()[1:] == [f"{far:.1f}", f"up to {share * far:.1f}", verdict]


def test_the_legend_of_many_devices_names_the_most_alike():
    values = pd.Series(np.arange(30.0), index=[f"d{i}" for i in range(30)])
    one = Asked({"duration_s": 2.0}, None, unbounded=values, strip=pd.DataFrame([values, values], index=[0.5, 1.5]))
    _, ax = plt.subplots()
    case_page.strip(one, dict.fromkeys(values.index, "k"), ax)
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == [f"d{i}" for i in range(29, 17, -1)] + ["and 18 less alike"] and len(ax.lines) == 32
    plt.close("all")


# --- kept for later --------------------------------------------------------------------------------------------------
def test_a_saved_case_answers_the_same(case, asked, tmp_path):
    save_case(case, tmp_path / "kept")
    again, path = load_case(tmp_path / "kept"), write(tmp_path / "a.wav", spoken("cedar", 12))
    one, two = ask(case, path), ask(again, path)
    pd.testing.assert_frame_equal(one.ratios, two.ratios)
    pd.testing.assert_frame_equal(one.checks, two.checks)
    assert one.answer == two.answer == "cedar" and again.settings == case.settings and again.devices == KNOWN
    pd.testing.assert_frame_equal(again.matrix, case.matrix, check_dtype=False)


def test_a_saved_case_of_several_rates(folders, quick, tmp_path):
    shutil.copytree(folders / "references", tmp_path / "references")
    for take in (1, 2):
        write(tmp_path / "references" / "slow" / f"{take}.wav", spoken("slow", take, samplerate=8000), 8000)
    case = opened(tmp_path / "references", data_dir=tmp_path)
    save_case(case, tmp_path / "kept")
    again = load_case(tmp_path / "kept")
    assert len({len(bands) for bands in case.validated["bands_db"]}) == 2
    pd.testing.assert_frame_equal(again.validated, case.validated)


@pytest.mark.parametrize("name", ["case.json", "vectors.npz", "comparison.npz"])
def test_a_saved_case_that_was_changed_is_refused(case, tmp_path, name):
    save_case(case, tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DevidError, match=name):
        load_case(tmp_path)


def test_there_is_no_case_to_load(tmp_path):
    with pytest.raises(DevidError, match="no such case"):
        load_case(tmp_path)


# --- questioned in a corpus ------------------------------------------------------------------------------------------
def test_a_folder_of_questioned_recordings(folders, tmp_path):
    shutil.copytree(folders / "references", tmp_path / "c")
    write(tmp_path / "c" / "Questioned" / "x.wav", spoken("ash", 13))
    for load in (load_corpus, load_references):
        table = load(tmp_path / "c", data_dir=tmp_path)
        assert set(table["device"]) == set(KNOWN)
        assert table.attrs["questioned"] == [str(tmp_path / "c" / "Questioned" / "x.wav")]
    assert any("asked about" in note for note in load_corpus(tmp_path / "c", data_dir=tmp_path).attrs["notes"])


@pytest.mark.parametrize("row", ["q.wav,,", "q.wav,,questioned", "q.wav,ash,Questioned"])
def test_a_questioned_row_of_a_csv(folders, tmp_path, row):
    lines = [f"{folders}/references/{device}/{take}.wav,{device},{side}" for device in KNOWN
             for take, side in ((1, "train"), (2, "test"))]  # fmt: skip
    (tmp_path / "list.csv").write_text("\n".join(["path,device,split", *lines, row]) + "\n")
    table = load_corpus(tmp_path / "list.csv", data_dir=tmp_path)
    assert len(table) == 6 and table.attrs["questioned"] == [str(tmp_path / "q.wav")]


def test_only_questioned_recordings(tmp_path):
    write(tmp_path / "c" / "questioned" / "x.wav", spoken("ash", 13))
    with pytest.raises(CorpusError, match="a device is needed, found none"):
        load_references(tmp_path / "c", data_dir=tmp_path)


# --- the command -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("arguments", "words"), [
    (["identify", "no such file.wav", "--references", "simulated"], "no such file"),
    (["identify", "--references", "no such folder"], "no such folder"),
    (["identify", "--run", "no such folder"], "no such"),
    (["identify", "--run", "."], "nothing is asked"),
    (["identify", __file__, "--run", "."], "case.json: no such case"),
    (["identify", "empty", "--references", "simulated"], "empty: no audio in this folder"),
    (["validate", "simulated", "-p", "epoch", "3"], "epochs"),
    (["validate", "simulated", "-p", "run_dir", "x"], "use --out"),
])  # fmt: skip
def test_the_command_refuses(arguments, words, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DEVID_HOME", str(tmp_path))
    (tmp_path / "empty").mkdir()
    assert command.main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err


def test_from_the_command_to_the_page(folders, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DEVID_HOME", str(tmp_path))
    write(tmp_path / "q" / "a <b>.wav", spoken("ash", 14))
    (tmp_path / "q" / "broken.wav").write_text("not audio")
    known = ["--references", str(folders / "references"), "--background", str(folders / "background")]
    out, options = tmp_path / "out", ["-p", "segment_length", "1024"]
    assert command.main(["identify", str(tmp_path / "q"), *known, "--out", str(out), *options]) == 0
    table = pd.read_csv(out / "answers.csv")
    assert list(table.columns) == ANSWERS and list(table["answer"].unique()) == ["ash", "no answer"]
    page = (out / "index.html").read_text()
    assert "a &lt;b&gt;.wav" in page and "<script" not in page and "data:audio/flac" in page and "Exercises" not in page
    assert page.count("data:image/png") == 2  # the validation, and the file that can be read
    assert "note: Fewer than three devices have several sessions" in capsys.readouterr().out
    assert json.loads((out / "run.json").read_text())["timings"]
    assert folder.damaged(out, ["answers.csv"]) == []
    again = ["--run", str(out), "--out", str(tmp_path / "again")]
    assert command.main(["identify", str(tmp_path / "q" / "a <b>.wav"), *again, *options]) == 0
    second = pd.read_csv(tmp_path / "again" / "answers.csv")
    first = table[table["file"] == "a <b>.wav"].reset_index(drop=True)
    pd.testing.assert_frame_equal(second, first, check_dtype=False)
    (out / "answers.csv").write_text((out / "answers.csv").read_text().replace("ash", "beech"))
    assert folder.damaged(out, ["answers.csv"]) == ["answers.csv"]


def test_a_second_case_in_one_folder_is_refused_while_the_first_is_at_work(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DEVID_HOME", str(tmp_path))
    monkeypatch.setattr(command, "warm_up", lambda *_: None)
    with folder.claimed(tmp_path / "out"):
        assert command.main(["identify", "--references", "simulated", "--out", str(tmp_path / "out")]) == 2
    assert f"another devid run is at work there (process {os.getpid()}" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [["identify", "--references", "simulated"], ["validate", "simulated"]])
def test_ctrl_c_ends_a_case_with_130(asked, monkeypatch, tmp_path, capsys):
    def interrupted(*_, **__):
        os.kill(os.getpid(), signal.SIGINT)  # as a terminal tells the process
        time.sleep(0.5)
        return "Ctrl-C"

    monkeypatch.setenv("DEVID_HOME", str(tmp_path))
    monkeypatch.setattr(execution, "papermill", interrupted)
    assert command.main([*asked, "--out", str(tmp_path / "out")]) == 130
    assert "interrupted" in capsys.readouterr().err and not (tmp_path / "out" / "answers.csv").exists()
