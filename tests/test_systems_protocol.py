"""One protocol for all systems: excerpts, judging, McNemar's test, the registry and the paper's networks."""

import pickle

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

    system = PaperSystem("softmax", segment_length=256, train_segments=60, epochs=5)
    train = excerpts(("1", "2"), 1.0)
    system = clone(system).fit(train, [x.device for x in train])
    test = excerpts(("3", "4"), 0.5)
    assert system.predict(test).tolist() == [x.device for x in test]
    proba = system.predict_proba([*test, Excerpt(np.zeros(100, np.float32), RATE)])  # shorter than a segment
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(system)).predict_proba(test), proba[:-1], atol=1e-6)
