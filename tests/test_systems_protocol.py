"""One protocol for all systems: excerpts, judging, McNemar's test, the registry and the paper's networks."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from devid_lib.errors import ParameterError
from devid_lib.evaluation import predictions_table
from devid_lib.systems import protocol, registry
from devid_lib.systems.base import System, softmax
from devid_lib.systems.excerpts import Excerpt, cut_excerpts
from devid_lib.systems.paper import PaperSystem
from devid_lib.systems.warnings import DevidWarning, NearSilenceWarning

RATE = 16000


class Level(System):
    """A system worked by hand: the device whose training level is nearest."""

    def _fit(self, excerpts, codes):
        levels = np.array([np.std(x.y) for x in excerpts])
        self.levels_ = np.array([levels[codes == k].mean() for k in np.unique(codes)])

    def _proba(self, excerpts):
        return softmax([-10 * np.abs(np.log(np.std(x.y) / self.levels_)) for x in excerpts])


def recordings(devices=("loud", "soft"), names=("1", "2"), seconds=2.0, seed=0):
    """Return white noise at a level of 0.1 for the first device, a tenth of that for the next, and so on."""
    rng = np.random.default_rng(seed)
    return [
        Excerpt((0.1 ** (k + 1) * rng.standard_normal(int(seconds * RATE))).astype(np.float32), RATE, device, name)
        for k, device in enumerate(devices)
        for name in names
    ]


def table(right, device="a"):
    """Return predictions for recordings 0, 1, ...: right or wrong."""
    rows = pd.DataFrame({"device": device, "recording": [str(i) for i in range(len(right))], "draw": 0, "start": 0})
    return predictions_table([[0.9, 0.1] if x else [0.1, 0.9] for x in right], rows, ["a", "b"])


def test_a_feature_is_computed_once_for_each_setting():
    calls = []

    def feature(y, samplerate, *, power=1):
        calls.append(power)
        return (y**power).sum()

    excerpt = recordings()[0]
    assert excerpt.feature(feature) == excerpt.feature(feature)
    excerpt.feature(feature, power=2)
    assert calls == [1, 2]


def test_excerpts_are_cut_where_they_say_and_follow_the_seed():
    whole = recordings()
    cut = cut_excerpts(whole, seconds=0.25, n=3, seed=1)
    assert len(cut) == 12
    for excerpt in cut:
        source = next(x for x in whole if (x.device, x.recording) == (excerpt.device, excerpt.recording))
        np.testing.assert_array_equal(excerpt.y, source.y[excerpt.start : excerpt.start + 4000])
    assert [x.start for x in cut] == [x.start for x in cut_excerpts(whole, seconds=0.25, n=3, seed=1)]
    assert [x.start for x in cut] != [x.start for x in cut_excerpts(whole, seconds=0.25, n=3, seed=2)]
    assert cut_excerpts(whole, seconds=10, n=3) == whole
    with pytest.raises(ParameterError, match="seconds=0"):
        cut_excerpts(whole, seconds=0, n=1)


def test_judging_a_system_worked_by_hand():
    train = recordings()
    whole = [*recordings(names=("3",), seed=1), *recordings(devices=("soft",), names=("4",), seed=2)]  # the last lies
    rows, predictions = protocol.judge(Level(), train, {"recording": whole})
    figures = rows.set_index("metric")["value"]
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert rows.loc[rows["metric"] == "accuracy", "n"].tolist() == [3]
    assert figures["macro F1"] == pytest.approx((2 / 3 + 2 / 3) / 2)  # loud: P 1/2, R 1; soft: P 1, R 1/2
    proba = predictions["recording"][["loud", "soft"]].to_numpy()
    assert figures["log-loss"] == pytest.approx(-np.log([proba[0, 0], proba[1, 1], proba[2, 1]]).mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [
        ([1, 1, 1, 1], [1, 1, 1, 1], 1),
        ([1] * 5, [0] * 5, 2 / 2**5),
        ([1, 1, 0, 0], [0, 0, 1, 1], 1),
        ([1, 0], [0, 0], 1),
    ],
)
def test_mcnemar_by_hand(a, b, p):
    assert protocol.mcnemar(table(a), table(b))[0] == pytest.approx(p)
    assert protocol.mcnemar(table(b), table(a))[0] == pytest.approx(p)


def test_mcnemar_compares_the_same_recordings_in_any_order():
    shuffled = table([1, 0, 1]).iloc[[2, 0, 1]].reset_index(drop=True)
    assert protocol.mcnemar(table([1, 0, 1]), shuffled) == (1.0, 0, 0)


def test_leaderboard_and_neighbours():
    train, whole = recordings(), recordings(names=("3",), seed=1)
    tests = {"segment": whole, "1 s": whole, "3 s": whole, "recording": whole}
    right, predictions = protocol.judge(Level(), train, tests)
    wrong = right.assign(value=np.where(right["metric"] == "accuracy", 0.5, right["value"]))
    board = protocol.leaderboard(pd.concat([wrong.assign(system="worse"), right.assign(system="better")]))
    assert board.index.tolist() == ["better", "worse"]
    assert board.columns[:4].tolist() == ["segment", "1 s", "3 s", "recording"]
    compared = protocol.neighbours(board, dict.fromkeys(board.index, predictions["recording"]))
    assert compared.to_numpy().tolist() == [["better", "worse", 0, 0, 1.0]]


def test_the_registry_has_twelve_cited_systems_and_the_variants_of_the_text():
    numbers = [entry.number for entry in registry.registry() if entry.number.startswith("[")]
    assert numbers == [f"[{i}]" for i in range(1, 13)]
    names = list(registry.systems())
    assert len(names) == len(set(names))
    for text in ("MFCC", "PNCC", "GTCC", "256", "2048", "SRC", "SVM", "NN", "p = 1", "p = 2", "raw", "noise"):
        assert any(text in name for name in names), text
    assert len(registry.registry_table()) == len(registry.registry())


@pytest.mark.parametrize("name", list(registry.systems()))
def test_every_system_clones_and_names_its_citation(name):
    system = registry.systems()[name]
    assert clone(system).get_params() == system.get_params()
    if name.startswith("["):
        text = type(system).__doc__
        assert "As published" in text and "Adapted" in text and name.split()[0] in text


def test_papers_network_as_an_estimator():
    rng = np.random.default_rng(0)
    colour = {"flat": [1.0], "dull": [0.5, 0.5]}

    def excerpts(names, seconds):
        return [
            Excerpt(np.convolve(rng.standard_normal(int(seconds * RATE)), c, "same").astype("f4"), RATE, device, name)
            for device, c in colour.items()
            for name in names
        ]

    system = PaperSystem(system="softmax", segment_length=256, train_segments=60, epochs=5)
    train = excerpts(("1", "2"), 1.0)
    system = clone(system).fit(train, [x.device for x in train])
    test = excerpts(("3", "4"), 0.5)
    assert system.predict(test).tolist() == [x.device for x in test]
    proba = system.predict_proba([*test, Excerpt(np.zeros(100, np.float32), RATE)])  # shorter than a segment
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(system)).predict_proba(test), proba[:-1], atol=1e-6)


def test_halves_are_all_of_a_recording():
    whole = recordings()
    first, second = protocol.halves(whole)
    for a, b, x in zip(first, second, whole, strict=True):
        np.testing.assert_array_equal(np.concatenate([a.y, b.y]), x.y)
        assert (a.device, b.recording, b.start) == (x.device, x.recording, len(a.y))


def test_the_same_recording_is_asked_for_its_second_half():
    train = recordings()
    train[0].y[: len(train[0].y) // 2] *= 10  # the first half of "loud 1" is louder still, and its second as it was
    found = protocol.same_recording({"level": Level()}, train)
    assert found.to_dict() == {"level": 1.0}
    swapped = [Excerpt(x.y.copy(), RATE, x.device, x.recording) for x in recordings()]
    for x in swapped:
        half = len(x.y) // 2
        x.y[half:] *= 0.1 if x.device == "loud" else 10  # second halves sound like the other device
    assert protocol.same_recording({"level": Level()}, swapped).to_dict() == {"level": 0.0}


def test_copies_of_one_recorder_differ_in_their_room_alone():
    copies = protocol.copies_of_one_recorder(n=3, seconds=1.0, seed=1)
    assert [x.device for x in copies] == ["copy 1", "copy 2", "copy 3"]
    assert all(len(x.y) == x.samplerate and 0 < np.abs(x.y).max() <= 1 for x in copies)
    assert np.abs(copies[0].y - copies[1].y).max() > 0.001
    again = protocol.copies_of_one_recorder(n=3, seconds=1.0, seed=1)
    np.testing.assert_array_equal(copies[2].y, again[2].y)


def test_published_figures_are_held_against_the_interval():
    def row(system, value, low, high):
        return {"system": system, "unit": "recording", "metric": "accuracy", "value": value, "low": low, "high": high,
                "n": 9}  # fmt: skip

    rows = [row("[6] Fourier histogram, 256", 0.5, 0.3, 0.8), row("[2] GMM per recording, SVM", 1, 1, 1),
            row("[12] centroids, raw, SVM", 0.9, 0.7, 0.95), row("paper mlp-3", 1, 1, 1)]  # fmt: skip
    table = protocol.against_published(pd.DataFrame(rows))
    assert table["verdict"].to_dict() == {
        "[6] Fourier histogram, 256": "below",
        "[2] GMM per recording, SVM": "alike",  # nine of nine do not exclude 97.6 %
        "[12] centroids, raw, SVM": "above",
    }
    assert table.loc["[2] GMM per recording, SVM", "low"] == pytest.approx(1 - 0.283, abs=1e-3)
    assert registry.published_accuracy("[7] random spectral features, NN") == 0.9555
    assert np.isnan(registry.published_accuracy("[10] one-class SVMs"))


# --- bad input -------------------------------------------------------------------------------------------------------
NOISE = np.random.default_rng(0).standard_normal(8000).astype(np.float32) / 10


@pytest.mark.parametrize(
    ("y", "samplerate", "message"),
    [
        (NOISE * np.nan, RATE, "ash/1.*finite"),
        (np.append(NOISE, np.inf).astype("f4"), RATE, "ash/1.*finite"),
        (1e30 * NOISE, RATE, "below 1e.06"),
        (np.stack([NOISE, NOISE]), RATE, r"shape \(2, 8000\)"),
        ((NOISE * 1000).astype(np.int16), RATE, "not int16"),
        (NOISE, 0, "samplerate=0"),
        (NOISE, 16000.5, "samplerate=16000.5"),
    ],
)
def test_no_excerpt_is_made_of_what_is_no_recording(y, samplerate, message):
    with pytest.raises(ParameterError, match=message):
        Excerpt(y, samplerate, "ash", "1")


@pytest.mark.parametrize("name", list(registry.systems()))
def test_every_system_refuses_what_it_cannot_learn_from(name):
    system, train = registry.systems()[name], recordings()
    with pytest.raises(ParameterError, match="not been fitted"):
        system.predict_proba(train)
    with pytest.raises(ParameterError, match="empty"):
        system.fit([], [])
    with pytest.raises(ParameterError, match="4 excerpts .* not 3"):
        system.fit(train, ["a", "b", "a"])
    with pytest.raises(ParameterError, match="'a' alone"):
        system.fit(train, ["a"] * 4)
    with pytest.raises(ParameterError, match="ndarray is not an excerpt"):
        system.fit([x.y for x in train], ["a", "a", "b", "b"])


@pytest.mark.parametrize("name", list(registry.systems()))
@pytest.mark.parametrize("n", [0, 1, 10])
def test_every_system_answers_for_a_few_samples(name, n):
    system = registry.systems()[name].fit(recordings(), ["a", "a", "b", "b"])
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        proba = system.predict_proba([Excerpt(np.ones(n, np.float32), RATE)])
    assert np.isfinite(proba).all() and proba.sum() == pytest.approx(1)
    assert all(issubclass(w.category, DevidWarning) for w in given)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_fft", 0), ("n_fft", 2.5), ("n_components", "8"), ("C", 0), ("C", float("nan")), ("nu", 2), ("share", 1.5),
     ("relevance", -1), ("piece_s", 0), ("random_state", -1), ("n_clusters", True), ("threshold", -0.1)],
)  # fmt: skip
def test_parameters_out_of_range_are_named(name, value):
    owners = [system for system in registry.systems().values() if name in system.get_params()]
    assert owners
    for system in owners:
        with pytest.raises(ParameterError, match=f"{name}={value!r}"):
            clone(system).set_params(**{name: value}).fit(recordings(), ["a", "a", "b", "b"])


def test_few_segments_vote_where_voters_are_given():
    segments = np.random.default_rng(0).standard_normal((10, 256)).astype("f4")

    class Counting:
        asked = 0

        def predict(self, x, **_):
            self.asked += len(x)
            return np.full((len(x), 2), 0.5)

    for voters, expected in ((0, 10), (3, 3), (50, 10)):
        counting = Counting()
        system = PaperSystem(system="softmax", segment_length=256, voters=voters, fitted=counting)
        system.fit(recordings(), ["a", "a", "b", "b"])
        system.predict_proba([Excerpt(segments.ravel(), RATE)])
        assert counting.asked == expected


def test_warnings_of_systems_are_gathered_and_others_are_not(capsys):
    with pytest.warns(RuntimeWarning, match="something else") as given, protocol.gathered_warnings():
        for i in range(3):
            warnings.warn(f"recording {i} is loud", NearSilenceWarning, stacklevel=1)
        warnings.warn("something else", RuntimeWarning, stacklevel=1)
    assert capsys.readouterr().out == "NearSilenceWarning, 3 times, the first: recording 0 is loud\n"
    assert [w.category for w in given] == [RuntimeWarning]


def test_log_loss_of_float32_tables_needs_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dict(protocol.scores(table([1, 1, 0])))["log-loss"] == pytest.approx(-np.log([0.9, 0.9, 0.1]).mean())
