"""Mean spectra and the simple baselines; what every system is asked, for the other test files too."""

import pickle
import warnings
import zlib

import numpy as np
import pytest
from scipy.signal import fftconvolve
from sklearn.base import clone

from devid_lib.systems import spectra
from devid_lib.systems.excerpts import Excerpt
from devid_lib.systems.spectra import (
    DifferenceNearest,
    DifferenceRidge,
    DifferenceSVM,
    MeanSpectrumNearest,
    NearestOfClass,
    TrivialForest,
    decision_scores,
    evenly,
    framed,
    mean_log_spectrum,
    mean_spectrum,
    one_second_pieces,
    pairwise_machine,
    pooled,
    power,
    separation,
    spectra_in_chunks,
    trivial_numbers,
)
from devid_lib.systems.warnings import DevidWarning, ShortExcerptWarning

RATE = 16000
DEVICES = ("ash", "beech", "cedar")


def device_noise(device, recording, *, seconds):
    """Return noise with the ripples of a device's response, float32; the samples are the recording's own."""
    response = np.random.default_rng(zlib.crc32(device.encode())).standard_normal(200) * 0.98 ** np.arange(200)
    rng = np.random.default_rng(zlib.crc32(f"{device}/{recording}".encode()))
    return (0.01 * fftconvolve(rng.standard_normal(int(seconds * RATE)), response, mode="same")).astype(np.float32)


def planted(recordings=("clip1", "clip2"), *, seconds=2.0, devices=DEVICES):
    """Return noise whose colour, level and offset are the device's, as whole recordings."""
    excerpts = []
    for number, device in enumerate(devices):
        for recording in recordings:
            y = device_noise(device, recording, seconds=seconds)
            excerpts.append(Excerpt((1 + 0.3 * number) * y + np.float32(1e-3 * number), RATE, device, recording))
    return excerpts


def odd_excerpts():
    """Return excerpts that no method was made for, and two ordinary ones."""
    y = device_noise("ash", "odd", seconds=1.0)
    rounded = np.zeros(RATE, np.float32)
    rounded[:: RATE // 7] = 1 / 32768
    signals = (y, y[:2048], y[:1000], y[:100], y[:1], np.zeros(RATE, np.float32), np.zeros(64, np.float32), rounded,
               np.full(RATE, 0.5, np.float32), np.clip(100 * y, -1, 1))  # fmt: skip
    return [Excerpt(signal, RATE) for signal in signals]


def devices_of(excerpts):
    return [excerpt.device for excerpt in excerpts]


def fitted(system, **options):
    train = planted(**options)
    return clone(system).fit(train, devices_of(train))


def check_system(system):
    """Check what every system promises; return the categories of the warnings that odd excerpts caused."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = fitted(system)
        assert not seen, f"{seen[0].category.__name__} on ordinary recordings: {seen[0].message}"
        test = planted(("clip3", "clip4"))
        assert list(model.predict(test)) == devices_of(test)
        proba = model.predict_proba(odd_excerpts())
    assert all(issubclass(w.category, DevidWarning) for w in seen), [str(w.message) for w in seen]
    assert proba.shape == (len(odd_excerpts()), len(DEVICES)) and np.isfinite(proba).all() and (proba >= 0).all()
    assert proba.sum(axis=1) == pytest.approx(1)

    content = pickle.dumps(model)
    assert b"Excerpt" not in content
    test = planted(("clip3",), seconds=0.5)
    expected = model.predict_proba(test)
    assert np.array_equal(pickle.loads(content).predict_proba(test), expected)
    assert np.array_equal(fitted(system).predict_proba(test), expected)
    alone = np.concatenate([model.predict_proba([excerpt]) for excerpt in test])
    assert alone == pytest.approx(expected, abs=1e-6)  # no excerpt has a say in another's answer
    assert clone(system).get_params() == system.get_params()

    one_each, two = {"recordings": ("clip1",), "devices": DEVICES[:2]}, planted(("clip3",), devices=DEVICES[:2])
    assert list(fitted(system, seconds=4.0, **one_each).predict(two)) == devices_of(two)
    proba = fitted(system, seconds=1.0, **one_each).predict_proba(two)
    assert proba.shape == (2, 2) and np.isfinite(proba).all()
    return {w.category for w in seen}


BASELINES = [MeanSpectrumNearest(), DifferenceNearest(), DifferenceRidge(), DifferenceRidge(step=8), DifferenceSVM()]


@pytest.mark.parametrize("system", BASELINES, ids=repr)
def test_baseline(system):
    assert ShortExcerptWarning in check_system(system)


def test_trivial_forest():
    system = TrivialForest(n_estimators=30)
    check_system(system)
    rows = planted()[0].feature(trivial_numbers)
    assert rows.shape == (4, 6)  # 2 s make four stretches of half a second


def test_frames():
    y = np.arange(10)
    assert framed(y, length=4, hop=2)[:, 0].tolist() == [0, 2, 4, 6]
    with pytest.warns(ShortExcerptWarning, match="10 samples.*16"):
        frames = framed(y, length=16, hop=8)
    assert frames.tolist() == [[*range(10), 0, 0, 0, 0, 0, 0]]


def test_spectra_of_white_noise_have_its_power():
    y = 0.3 * np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    for window in ("hann", "hamming"):
        chunks = list(spectra_in_chunks(framed(y, length=256, hop=128), window=window))
        assert len(chunks) == 4 and chunks[0].shape == (512, 129)
        x = np.concatenate([power(chunk) for chunk in chunks])
        assert x[:, 1:-1].mean() == pytest.approx(0.09, rel=0.02)


def test_mean_spectra_of_an_impulse():
    # One frame of 8, an impulse of height 0.5 in its middle, where Hann's window is 1 and its sum of squares 3.
    y = np.zeros(8)
    y[4] = 0.5
    assert mean_spectrum(y, RATE, n_fft=8) == pytest.approx(np.full(5, 0.5 / np.sqrt(3)))
    assert mean_log_spectrum(y, RATE, n_fft=8) == pytest.approx(np.full(5, np.log(0.5 / np.sqrt(3))), abs=1e-5)


def test_mean_spectra_are_means_over_frames():
    y = np.zeros(12)
    y[[4, 8]] = 0.5, 0.125  # frames 0-7 and 4-11; the window is 0 at their first and 1 at their fifth sample
    assert mean_spectrum(y, RATE, n_fft=8) == pytest.approx(np.full(5, (0.5 + 0.125) / 2 / np.sqrt(3)))
    assert mean_log_spectrum(y, RATE, n_fft=8) == pytest.approx(np.full(5, np.log(0.25 / np.sqrt(3))), abs=1e-5)


def test_mean_log_spectrum_of_silence_is_the_floor():
    assert mean_log_spectrum(np.zeros(4096), RATE) == pytest.approx(np.full(1025, np.log(1e-6)))


def test_first_differences_ignore_gain():
    excerpt = planted()[0]
    loud, soft = DifferenceNearest().vectors([excerpt, Excerpt(0.1 * excerpt.y, RATE)])
    assert soft == pytest.approx(loud, abs=1e-4)
    assert loud == pytest.approx(np.diff(mean_log_spectrum(excerpt.y, RATE)))


def test_nearest_scores_by_hand():
    train, codes = np.array([[0.0, 0], [10, 0], [3, 4]]), np.array([0, 0, 1])
    test = np.array([[3.0, 0], [9, 0]])
    scores = NearestOfClass().fit(train, codes).decision_function(test)
    assert scores == pytest.approx(np.array([[-9, -16], [-1, -52.0]]))


def test_pooling():
    scores = np.array([[0.0, 0], [2, 0], [4, 0], [0, 1]])
    pieces = [np.zeros((3, 1)), np.zeros((1, 1))]
    assert pooled(scores, pieces).tolist() == [[2, 0], [0, 1]]


def test_decision_scores_of_two_classes():
    class Model:
        classes_ = (0, 1)

        def decision_function(self, x):
            return np.array([0.5, -2.0])

    assert decision_scores(Model(), None).tolist() == [[-0.5, 0.5], [2, -2]]


def test_every_pair_of_classes_has_a_soft_vote(monkeypatch):
    x, codes = np.array([[-3.0], [-2], [0], [1], [4], [5]]), np.array([0, 0, 1, 1, 2, 2])
    machine = pairwise_machine(kernel="linear", C=10.0).fit(x, codes)
    (d01, d02, d12), = np.tanh(machine.decision_function([[0.5]]))
    expected = np.array([d01 + d02, d12 - d01, -d02 - d12]) / 2
    assert decision_scores(machine, np.array([[0.5]]))[0] == pytest.approx(expected) and expected.argmax() == 1
    scores = decision_scores(machine, x)
    assert scores.argmax(axis=1).tolist() == codes.tolist()
    monkeypatch.setattr(spectra, "MOST_VOTES", 4)  # an excerpt or two at a time
    np.testing.assert_array_equal(decision_scores(machine, x), scores)
    two = pairwise_machine(kernel="linear", C=10.0).fit(x[:4], codes[:4])
    assert decision_scores(two, x[:4]).argmax(axis=1).tolist() == [0, 0, 1, 1]


def test_one_second_pieces():
    assert [len(x) for x in one_second_pieces(np.arange(25.0), 10)] == [10, 10]
    assert len(one_second_pieces(np.arange(4.0), 10)) == 1 and len(one_second_pieces(np.zeros(1000), 10)) == 60


def test_evenly():
    assert evenly(np.arange(5), 9).tolist() == [0, 1, 2, 3, 4]
    assert evenly(np.arange(101), 3).tolist() == [0, 50, 100]


def test_separation_by_hand():
    vectors = [[0.0], [1.0], [10.0], [11.0]]
    assert separation(vectors, ["a", "a", "b", "b"]) == pytest.approx(10)
    assert np.isnan(separation(vectors, list("abcd"))) and np.isnan(separation(vectors, list("aaaa")))
