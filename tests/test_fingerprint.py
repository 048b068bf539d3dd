"""The fingerprint's figures against planted ones: a tone, levels, and a difference of devices."""

import numpy as np
import pandas as pd
import pytest
import pywt

from devid_lib import fingerprint
from devid_lib.dataset import Dataset
from devid_lib.errors import ParameterError
from devid_lib.features import extract_features

LENGTH, SAMPLERATE = 256, 8000
WAVELET = {"wavelet": "sym4", "level": 4, "threshold": "minimaxi", "mode": "soft", "rescale": "sln"}


def waveforms(make, *, devices, train=30, test=15, seed=0):
    """Return a dataset of waveforms: ``make(device, rng)`` gives one segment."""
    rng, rows, tables = np.random.default_rng(seed), [], []
    for device in devices:
        for split, draw, n in (("train", 0, train), ("test", 0, test), ("test", 1, test)):
            rows += [make(device, rng) for _ in range(n)]
            tables.append(pd.DataFrame({"device": device, "recording": split, "split": split, "draw": draw,
                                        "start": np.arange(n)}))
    settings = {"segment_length": LENGTH, "representation": "waveform", "scale": 1.0}
    table = pd.concat(tables, ignore_index=True)
    return Dataset(np.array(rows, np.float32), table, tuple(devices), settings, pd.DataFrame())


def spectra_of(dataset, *, scale):
    """Return the dataset of spectra of a dataset of waveforms."""
    X = extract_features(dataset.X, noise="none", scale=scale)
    settings = dataset.settings | {"representation": "spectrum", "scale": scale}
    return Dataset(X, dataset.segments, dataset.devices, settings, dataset.probe)


LEVELS = {"loud": 0.3, "middle": 0.03, "quiet": 0.003}


@pytest.fixture(scope="module")
def levels():
    """Three devices with white noise of 0.3, 0.03 and 0.003 of full scale."""
    return waveforms(lambda device, rng: LEVELS[device] * rng.standard_normal(LENGTH), devices=sorted(LEVELS))


@pytest.mark.parametrize("rescale", ["one", "sln", "mln"])
def test_detail_bands_are_the_finest_first_with_their_threshold(rescale):
    x = np.random.default_rng(0).standard_normal(LENGTH)
    details, thresholds = fingerprint.detail_bands(x, **(WAVELET | {"rescale": rescale}))
    expected = pywt.wavedec(x, "sym4", "symmetric", 4)[:0:-1]
    minimaxi = 0.3936 + 0.1829 * 8  # of 256 = 2^8 samples
    sigmas = [1 if rescale == "one" else np.median(np.abs(d if rescale == "mln" else expected[0])) / 0.6745
              for d in expected]
    assert len(details) == 4
    for d, e in zip(details, expected, strict=True):
        np.testing.assert_allclose(d, e, atol=1e-12)
    np.testing.assert_allclose(thresholds, minimaxi * np.array(sigmas))


def test_detail_bands_follow_the_rule():
    x = np.random.default_rng(0).standard_normal(LENGTH)
    rules = [fingerprint.detail_bands(x, **(WAVELET | {"threshold": rule}))[1] for rule in ("sqtwolog", "rigrsure")]
    assert len(set(np.round(rules[0], 9))) == 1  # one noise level, one threshold
    assert len(set(np.round(rules[1], 9))) == 4  # each scale its own
    with pytest.raises(ParameterError, match="wavelet"):
        fingerprint.detail_bands(x, wavelet="sym99")


@pytest.mark.parametrize("scale", [1.0, 5000.0])
def test_noise_spectra_recover_a_planted_tone(scale):
    t = np.arange(LENGTH) / SAMPLERATE
    tones = {"high": (2000.0, 0.05), "low": (500.0, 0.01)}  # whole numbers of periods in a segment

    def tone(device, rng):
        frequency, amplitude = tones[device]
        y = amplitude * np.sin(2 * np.pi * frequency * t + rng.uniform(0, 2 * np.pi))
        return y + 1e-5 * rng.standard_normal(LENGTH)

    spectra = fingerprint.noise_spectra(spectra_of(waveforms(tone, devices=sorted(tones)), scale=scale),
                                        samplerate=SAMPLERATE)
    assert spectra.columns.tolist() == ["high", "low"]
    assert spectra.index.name == "frequency [Hz]"
    np.testing.assert_allclose(spectra.index, np.arange(129) * 31.25)
    for device, (frequency, amplitude) in tones.items():
        assert spectra[device].idxmax() == frequency
        assert spectra[device].max() == pytest.approx(20 * np.log10(amplitude * LENGTH / 2), abs=0.05)


def test_noise_spectra_are_the_mean_magnitude_of_the_training_segments(levels):
    dataset = spectra_of(levels, scale=100.0)
    dataset.X[dataset.mask("test")] = np.nan  # never looked at
    found = fingerprint.noise_spectra(dataset, samplerate=SAMPLERATE)
    for device in levels.devices:
        rows = levels.mask("train") & levels.segments["device"].eq(device).to_numpy()
        expected = 20 * np.log10(np.abs(np.fft.rfft(levels.X[rows])).mean(axis=0))
        np.testing.assert_allclose(found[device], expected, atol=0.01)


def test_noise_spectra_of_waveforms_are_refused(levels):
    with pytest.raises(ParameterError, match="representation='waveform'"):
        fingerprint.noise_spectra(levels, samplerate=SAMPLERATE)


def test_level_spans_name_the_quietest_and_the_loudest_device_in_this_order(levels):
    spans = fingerprint.level_spans(spectra_of(levels, scale=5000.0), share=0.9)
    assert list(spans) == ["quiet", "loud"]
    for device, (low, high) in spans.items():
        # abs(FFT) of white noise is Rayleigh distributed about sigma sqrt(n): its quantiles are known.
        expected = [10 * np.log10(-np.log(1 - q) * LEVELS[device] ** 2 * LENGTH) for q in (0.05, 0.95)]
        assert (low, high) == pytest.approx(expected, abs=0.5)
        assert isinstance(low, float)


def test_level_spans_widen_with_their_share(levels):
    dataset = spectra_of(levels, scale=5000.0)
    narrow, wide = (fingerprint.level_spans(dataset, share=share)["quiet"] for share in (0.5, 0.98))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_device_levels_are_in_decibels_of_full_scale(levels):
    found = fingerprint.device_levels(levels)
    assert found.index.tolist() == ["quiet", "middle", "loud"]
    np.testing.assert_allclose(found, 20 * np.log10([0.003, 0.03, 0.3]), atol=0.3)


def coloured(device, rng):
    """Return noise whose colour tells "red" from "blue", and nothing tells "twin 1" from "twin 2"."""
    y = np.convolve(rng.standard_normal(LENGTH + 2), {"red": [1, 0.9], "blue": [1, -0.9]}.get(device, [1, 0]), "valid")
    return {"red": 0.01, "blue": 0.02}.get(device, 0.1) * y[:LENGTH]


def test_compare_features_finds_a_planted_difference():
    data = waveforms(coloured, devices=["blue", "red", "twin 1", "twin 2"], train=60, test=40)
    features = {"plain": (1.0, False), "scaled": (5000.0, True)}
    table = fingerprint.compare_features(data, features=features, quieter_db=20, **WAVELET)
    assert table.columns.tolist() == ["feature", "noise", "accuracy", "quiet third", "loud third", "20 dB quieter"]
    assert list(zip(table["noise"], table["feature"], strict=True)) == [
        ("wavelet", "plain"), ("wavelet", "scaled"), ("none", "plain"), ("none", "scaled")]
    shares = table.drop(columns=["feature", "noise"])
    assert shares.ge(0).all(axis=None)
    assert shares.le(1).all(axis=None)
    scaled = table.set_index(["noise", "feature"]).loc["none", "scaled"]
    assert scaled["quiet third"] > 0.95  # red has a colour of its own
    assert 0.2 < scaled["loud third"] < 0.8  # one of the twins
    assert scaled["accuracy"] == pytest.approx(0.75, abs=0.1)  # two certain, two guessed


def test_compare_features_judges_on_the_first_test_set_and_plays_it_back_quieter():
    data = waveforms(coloured, devices=["blue", "red", "white"], train=60, test=40)
    data.X[data.mask("test", draw=1)] = np.nan  # another draw is never looked at
    table = fingerprint.compare_features(data, features={"f": (1.0, False)}, quieter_db=0, **WAVELET)
    np.testing.assert_array_equal(table["accuracy"], table["0 dB quieter"])
    silent = fingerprint.compare_features(data, features={"f": (1.0, False)}, quieter_db=300, **WAVELET)
    np.testing.assert_array_equal(silent["accuracy"], table["accuracy"])
    np.testing.assert_allclose(silent["300 dB quieter"], 1 / 3)  # nothing left to hear: one device for all


@pytest.mark.filterwarnings("error")
def test_compare_features_of_two_devices_has_a_quiet_and_a_loud_one():
    data = waveforms(lambda device, rng: LEVELS[device] * rng.standard_normal(LENGTH), devices=["loud", "quiet"])
    table = fingerprint.compare_features(data, features={"f": (1.0, True)}, **WAVELET)
    np.testing.assert_allclose((table["quiet third"] + table["loud third"]) / 2, table["accuracy"])


def test_ridge_does_not_depend_on_the_unit_of_a_feature():
    rng = np.random.default_rng(0)
    names = np.repeat(["a", "b"], 50)
    x = (rng.standard_normal((100, 4)) + 3 * (names == "b")[:, None]).astype(np.float32)
    unit = np.array([1, 1000, 0.001, 30], np.float32)
    decisions = [fingerprint.ridge(x * u, names, True)(x * u) for u in (np.float32(1), unit)]
    np.testing.assert_array_equal(*decisions)
    assert (decisions[0] == names).mean() > 0.95
