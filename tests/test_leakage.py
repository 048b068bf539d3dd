"""The leakage probe: the six trivial numbers by hand, of every recording, and what a forest makes of them."""

import itertools
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from sklearn.ensemble import RandomForestClassifier

from devid_lib.errors import ParameterError
from devid_lib.evaluation import KEYS, accuracies, accuracy, device_names
from devid_lib.leakage import TRIVIAL_NUMBERS, leakage_probe, probe_table, trivial_features

SAMPLERATE = 8000


def test_trivial_numbers_of_a_square_wave_with_an_offset():
    y = np.tile([0.75, -0.25], 5000)  # mean 0.25, mean square (0.5625 + 0.0625)/2 = 0.3125, 10 log10 of it -5.05150
    table = trivial_features(y, samplerate=1000)
    assert list(table.columns) == TRIVIAL_NUMBERS
    assert table.shape == (10, 6)
    np.testing.assert_allclose(table[[name for name in TRIVIAL_NUMBERS if name.endswith("_db")]], -5.05150, atol=1e-5)
    np.testing.assert_allclose(table["dc_offset"], 0.25)
    assert (table["zero_share"] == 0).all()


def test_trivial_numbers_of_silence():
    table = trivial_features(np.zeros(1000, np.float32), samplerate=1000, excerpts=2)
    assert table.to_numpy().tolist() == [[-120, -120, -120, -120, 1, 0]] * 2


def test_trivial_percentiles_and_level_by_hand():
    # 21 frames of 20 samples (20 ms) at 0, -1 ... -20 dB, in a mixed order: 5 % of 20 steps is one step from below
    levels = np.random.default_rng(0).permutation(-np.arange(21.0))
    y = np.repeat(10 ** (levels / 20), 20) * np.tile([1, -1], 210)
    row = trivial_features(y, samplerate=1000, excerpts=1).iloc[0]
    np.testing.assert_allclose(row[["floor_p5_db", "floor_p10_db", "floor_p50_db"]], [-19, -18, -10])
    # geometric series: (1 - q^21) / (1 - q) / 21 with q = 10^-0.1 is 0.22966
    assert row["rms_db"] == pytest.approx(10 * np.log10(0.22966), abs=1e-3)


def test_trivial_zeros_and_excerpts_are_consecutive():
    # three excerpts of a second: all zeros, a quarter zeros, none
    second = np.full(1000, 0.1)
    quarter = second.copy()
    quarter[::4] = 0
    table = trivial_features(np.concatenate([0 * second, quarter, -second]), samplerate=1000, excerpts=3)
    np.testing.assert_allclose(table["zero_share"], [1, 0.25, 0])
    np.testing.assert_allclose(table["dc_offset"], [0, 0.075, -0.1])
    np.testing.assert_allclose(table["rms_db"], [-120, 10 * np.log10(0.0075), -20])


@pytest.mark.parametrize(
    ("seconds", "excerpts", "rows"), [(60, 10, 10), (5, 10, 10), (4.9, 10, 9), (0.6, 10, 1), (0.01, 10, 1), (60, 3, 3)]
)
def test_a_short_recording_has_fewer_excerpts(seconds, excerpts, rows):
    y = np.random.default_rng(0).standard_normal(int(seconds * 8000))
    table = trivial_features(y, samplerate=8000, excerpts=excerpts)
    assert len(table) == rows
    assert np.isfinite(table.to_numpy()).all()


@pytest.mark.parametrize("samplerate", [0.5, 1, 60, 44100, 1e9])
def test_trivial_numbers_at_any_rate(samplerate):
    for n in (1, 3, 100):
        table = trivial_features(np.full(n, 0.1), samplerate=samplerate)
        np.testing.assert_allclose(table["rms_db"], -20)


def test_trivial_numbers_do_not_depend_on_the_type():
    y = (1000 * np.random.default_rng(0).standard_normal(20000)).astype(np.int16)
    for dtype in (np.float32, np.float64, np.int32):
        np.testing.assert_allclose(trivial_features(y.astype(dtype)), trivial_features(y), rtol=1e-6)


def test_trivial_numbers_of_a_memory_map_are_streamed(tmp_path):
    y = np.memmap(tmp_path / "y.raw", np.float32, "w+", shape=8_000_000)  # 32 MB
    y[::3] = 0.5
    tracemalloc.start()
    try:
        table = trivial_features(y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2e6
    np.testing.assert_allclose(table["zero_share"], 2 / 3, atol=1e-6)
    np.testing.assert_allclose(table["rms_db"], 10 * np.log10(0.25 / 3), atol=1e-4)


@pytest.mark.parametrize(
    ("y", "options", "reason"),
    [
        (np.zeros(0), {}, "samples"),
        (np.zeros((2, 50)), {}, r"\(2, 50\)"),
        (np.array([1.0, np.nan]), {}, "finite"),
        (np.array([1.0, np.inf]), {}, "finite"),
        (np.ones(9, complex), {}, "real"),
        (np.ones(9), {"samplerate": 0}, "samplerate"),
        (np.ones(9), {"samplerate": "44100"}, "'44100'"),
        (np.ones(9), {"excerpts": 0}, "excerpts"),
        (np.ones(9), {"excerpts": 2.0}, "2.0"),
    ],
)
def test_trivial_features_refuses(y, options, reason):
    with pytest.raises(ParameterError, match=reason):
        trivial_features(y, **options)


@pytest.fixture
def corpus(tmp_path):
    """Two devices with two recordings each."""
    rows, rng = [], np.random.default_rng(0)
    for i, (device, split) in enumerate(itertools.product("ab", ("train", "test"))):
        sf.write(tmp_path / f"{i}.wav", rng.normal(0, 0.02 * (i + 1), 12000), SAMPLERATE, subtype="FLOAT")
        rows.append((str(tmp_path / f"{i}.wav"), device, split, split, SAMPLERATE))
    return pd.DataFrame(rows, columns=["path", "device", "recording", "split", "samplerate"])


def test_probe_has_the_trivial_numbers_of_every_recording(corpus):
    probe = probe_table(corpus)
    assert set(TRIVIAL_NUMBERS) <= set(probe.columns)
    keys = ["device", "recording", "split"]
    assert set(probe[keys].itertuples(index=False, name=None)) == set(corpus[keys].itertuples(index=False, name=None))
    levels = probe.groupby(keys)["rms_db"].mean()
    for row in corpus.itertuples():
        y = sf.read(row.path, dtype="float32")[0]
        expected = 10 * np.log10(np.mean(np.square(y, dtype=np.float64)))
        assert levels[row.device, row.recording, row.split] == pytest.approx(expected, abs=0.1)


def test_probe_counts_its_frames_at_the_rate_of_the_recordings(corpus):
    y = sf.read(corpus["path"][0], dtype="float32")[0]
    expected = trivial_features(y, samplerate=SAMPLERATE)
    probe = probe_table(corpus)
    found = probe[(probe["device"] == corpus["device"][0]) & (probe["recording"] == corpus["recording"][0])]
    np.testing.assert_allclose(found[TRIVIAL_NUMBERS], expected[TRIVIAL_NUMBERS])


def planted(*, step=0.0, column="rms_db", excerpts=20):
    """Return a probe of 4 devices x 3 recordings of noise, one column shifted by ``step`` from device to device."""
    rng = np.random.default_rng(0)
    keys = pd.MultiIndex.from_product([list("ABCD"), ["r1", "r2", "r3"], range(excerpts)])
    keys = keys.to_frame(index=False, name=["device", "recording", "excerpt"]).drop(columns="excerpt")
    numbers = pd.DataFrame(rng.standard_normal((len(keys), 6)), columns=TRIVIAL_NUMBERS)
    numbers[column] += step * keys["device"].map("ABCD".index)
    return keys.assign(split=np.where(keys["recording"] == "r3", "test", "train")).join(numbers)


@pytest.mark.parametrize("column", ["rms_db", "dc_offset"])
def test_leakage_probe_finds_a_planted_difference(column):
    predictions = leakage_probe(planted(step=6, column=column))
    assert list(predictions.columns) == [*KEYS, "A", "B", "C", "D"]
    assert len(predictions) == 4 * 20
    assert (predictions["recording"] == "r3").all()  # trained on the others
    rows = accuracies(predictions).set_index("unit")
    assert rows.loc["segment", "value"] > 0.95
    assert rows.loc["recording", "value"] == 1
    assert rows.loc["segment", "chance"] == 0.25


def test_leakage_probe_is_at_chance_without_a_difference():
    figures = accuracy(leakage_probe(planted(excerpts=50)))
    assert figures["value"] == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / figures["n"]))


def test_leakage_probe_is_a_random_forest():
    probe = planted()
    train, test = (probe[probe["split"] == side] for side in ("train", "test"))
    forest = RandomForestClassifier(200, random_state=3).fit(train[TRIVIAL_NUMBERS], train["device"])
    found = leakage_probe(probe, seed=3)[list(forest.classes_)]
    np.testing.assert_allclose(found, forest.predict_proba(test[TRIVIAL_NUMBERS]), atol=1e-6)


def test_devices_may_have_odd_names():
    names = {"A": "average", "B": "nan", "C": "rms_db", "D": "$n$"}
    found = leakage_probe(planted().assign(device=lambda t: t["device"].map(names)))
    assert set(device_names(found)) == set(names.values())


def test_leakage_probe_looks_at_the_six_numbers_only():
    probe = planted()
    named = probe.assign(answer=probe["device"].map("ABCD".index), samplerate=0)
    pd.testing.assert_frame_equal(leakage_probe(named), leakage_probe(probe))
