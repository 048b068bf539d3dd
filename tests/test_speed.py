"""Speed: the plain definition equals the fast one, and the table of ratios; how fast it is stands in notebook 90."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from devid_lib import models, speed, training
from devid_lib.errors import DevidError
from devid_lib.features import extract_features
from devid_lib.noise import MODES, RESCALES, RULES

WAVELET = {"wavelet": "sym8", "level": 17, "threshold": "minimaxi", "mode": "soft", "rescale": "sln"}


@pytest.fixture(scope="module")
def segments():
    """Noise with something to keep in it: a tone that fades in, float32, full scale = 1."""
    rng, t = np.random.default_rng(0), np.arange(1024)
    noise = np.array([[0.001], [0.01], [0.05], [0.2]]) * rng.standard_normal((4, 1024))
    return (noise + 0.3 * np.sin(t / 20) * (t > 500)).astype(np.float32)


@pytest.fixture
def recordings(tmp_path):
    """A table with one training and one test recording of each of two devices."""
    rows = []
    for i, (device, split) in enumerate(itertools.product(("ash", "beech"), ("test", "train"))):
        path = tmp_path / f"{device}-{split}.wav"
        sf.write(path, np.random.default_rng(i).uniform(-0.1, 0.1, 4000), 8000)
        rows.append({"path": str(path), "device": device, "recording": split, "split": split, "samplerate": 8000})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("rule", "mode", "rescale"), list(itertools.product(RULES, MODES, RESCALES)))
def test_features_equal_their_plain_definition(segments, rule, mode, rescale):
    settings = WAVELET | {"threshold": rule, "mode": mode, "rescale": rescale}
    assert speed.largest_error(segments, **settings) < 1e-5
    plain = np.stack([speed.plain_features(x, **settings) for x in segments])
    np.testing.assert_allclose(extract_features(segments, **settings), plain, atol=1e-5)
    assert plain.max() > 0.05  # there is something to compare


@pytest.mark.parametrize("rule", RULES)
def test_plain_definition_of_digital_silence_is_silence(rule):
    silent = np.zeros((1, 1024), np.float32)
    assert speed.largest_error(silent, **(WAVELET | {"threshold": rule})) == 0


def test_largest_error_sees_a_difference(segments, monkeypatch):
    def off(x, **settings):
        features = extract_features(x, **settings)
        features[2, 7] += 0.25
        return features

    monkeypatch.setattr(speed, "extract_features", off)
    assert speed.largest_error(segments, **WAVELET) == pytest.approx(0.25, abs=1e-4)


def test_plain_features_of_nothing_but_noise_extraction_by_hand():
    """One level of the Haar wavelet on an alternating signal: it is all detail, the minimaxi threshold takes all."""
    x = np.tile([0.5, -0.5], 32)  # details sqrt(0.5), sigma sqrt(0.5) / 0.6745, threshold 1.491 x 1.048
    settings = WAVELET | {"wavelet": "haar", "level": 1}
    expected = np.zeros(33)
    expected[32] = np.log(64 * 0.5 + 1)
    np.testing.assert_allclose(speed.plain_features(x, **settings), expected, atol=1e-9)


def test_seconds_of_a_call_that_is_really_made():
    calls = []
    assert 0 < speed.seconds(lambda: calls.append(1)) < 60
    assert calls == [1]


def test_some_segments_come_from_the_first_training_recording(recordings):
    found = speed.some_segments(recordings, n=7, length=64, seed=1)
    assert found.shape == (7, 64)
    y = sf.read(recordings["path"][1], dtype="float32")[0]
    windows = np.lib.stride_tricks.sliding_window_view(y, 64)
    assert all((windows == segment).all(axis=1).any() for segment in found)
    np.testing.assert_array_equal(found, speed.some_segments(recordings, n=7, length=64, seed=1))


def test_extraction_rates_count_segments_per_second(segments, monkeypatch):
    clock = itertools.cycle([2.0, 0.5])  # ours takes 2 s, the peer half a second
    monkeypatch.setattr(speed, "seconds", lambda function: (function(), next(clock))[1])
    table = speed.extraction_rates(np.tile(segments, (5, 1)), repeats=2, **WAVELET)
    np.testing.assert_allclose(table["segments per second"], [20 / 2, 2 / 0.5])  # the peer gets a tenth of them
    assert "scikit-image" in table["task"][1]


def test_ratios_stand_beside_their_targets():
    extraction = pd.DataFrame({"task": ["ours", "peer"], "segments per second": [18000.0, 2000.0]})
    recipes = pd.DataFrame({"recipe": ["published", "default"], "seconds": [120.0, 8.0]})  # in any order
    table = speed.ratios(extraction, recipes, pd.DataFrame({"times real time": [750.0]}))
    assert table.columns.tolist() == ["task", "value", "target", "unit"]
    assert table["task"].tolist() == list(speed.TARGETS)
    assert table["value"].tolist() == [18000, 9, 15, 750]
    assert table["target"].tolist() == [15000, 6, 10, 500]


# --- With a model ----------------------------------------------------------------------------------------------------
@pytest.fixture
def session(monkeypatch, tmp_path):
    """Parameters, and a dataset of two devices in place of a built one; a small network in place of the published."""
    rng, tables = np.random.default_rng(0), []
    for device, (split, n) in itertools.product(("ash", "beech"), (("train", 40), ("test", 10))):
        start = rng.integers(0, 4000 - 64, n)
        tables.append(pd.DataFrame({"device": device, "recording": split, "split": split, "draw": 0, "start": start,
                                    "n_samples": 4000}))
    table = pd.concat(tables, ignore_index=True)
    X = rng.standard_normal((100, 33)).astype(np.float32) + 4 * table["device"].eq("beech").to_numpy()[:, None]
    seen = []

    def load_dataset(session, recordings, **changes):
        from devid_lib.dataset import Dataset

        seen.append(changes)
        settings = WAVELET | {"segment_length": 64, "noise": "wavelet", "scale": 1.0, "representation": "spectrum"}
        return Dataset(X.astype(np.float32), table, ("ash", "beech"), settings, pd.DataFrame())

    def build(system, input_shape, n_devices, *, seed, **options):
        return models.mlp(input_shape[0], n_devices, hidden=(6,), seed=seed)

    monkeypatch.setattr(speed, "load_dataset", load_dataset)
    monkeypatch.setattr(speed.models, "build", build)
    params = {"segment_length": 64, "seed": 0, "epochs": 5, "batch_size": 0}
    return SimpleNamespace(params=params, run=tmp_path, seen=seen)


def test_compare_recipes_fits_both_from_the_start(session, recordings):
    table, histories, predictions = speed.compare_recipes(session, recordings, system="mlp-1")
    assert table["recipe"].tolist() == ["default", "published"]
    assert table["selected on"].tolist() == ["validation", "test"]
    assert (table["seconds"] > 0).all()
    assert table["accuracy"].between(0, 1).all()
    assert [len(histories[name]) for name in table["recipe"]] == table["epochs"].tolist()
    assert [len(predictions[name]) for name in table["recipe"]] == [20, 20]
    assert [changes["scale"] for changes in session.seen] == [training.feature_scale("default", 64), 1.0]


def test_identification_rate_of_a_long_recording(session, recordings, monkeypatch):
    asked = []

    def identify(model, path, **options):
        asked.append(sf.info(path))
        assert options["samplerate"] == 8000
        return pd.Series({"beech": 0.7, "ash": 0.3})

    monkeypatch.setattr(speed, "fitted", lambda *args: (None, None))
    monkeypatch.setattr(speed.training, "identify", identify)
    (row,) = speed.identification_rate(session, recordings, minutes=0.05).to_dict("records")
    assert {info.frames for info in asked} == {24000}  # 3 s of a recording of half a second, repeated
    assert row["times real time"] == pytest.approx(3 / row["seconds"])
    assert (row["decision"], row["true device"], row["minutes"]) == ("beech", "ash", 0.05)


def test_a_recording_that_went_missing_is_named(recordings, tmp_path):
    gone = recordings.assign(path=str(tmp_path / "gone.wav"))
    with pytest.raises(DevidError, match=r"gone\.wav"):
        speed.some_segments(gone, n=2, length=64, seed=0)
