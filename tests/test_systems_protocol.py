"""One protocol for all systems: excerpts, judging, leaderboard, the registry and the paper's networks."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from devid_lib import models, training
from devid_lib.corpus import load_corpus
from devid_lib.dataset import build_dataset
from devid_lib.errors import ParameterError
from devid_lib.systems import protocol, registry
from devid_lib.systems.base import System, softmax
from devid_lib.systems.excerpts import Excerpt, cut_excerpts, halves, whole_recordings
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


def test_leaderboard_has_the_longest_excerpts_first():
    train, whole = recordings(), recordings(names=("3",), seed=1)
    right, _ = protocol.judge(Level(), train, {"segment": whole, "1 s": whole, "3 s": whole, "recording": whole})
    wrong = right.assign(value=np.where(right["metric"] == "accuracy", 0.5, right["value"]))
    better = wrong.assign(value=np.where(wrong["unit"] == "3 s", right["value"], wrong["value"]))
    rows = pd.concat([wrong.assign(system="last"), better.assign(system="middle"), right.assign(system="first")])
    board = protocol.leaderboard(rows)
    assert board.index.tolist() == ["first", "middle", "last"]
    assert board.columns.tolist() == ["segment", "1 s", "3 s", "recording", "macro F1", "log-loss", "fit seconds",
                                      "seconds per excerpt"]  # fmt: skip
    assert board.loc["first", "fit seconds"] == right.loc[right["metric"] == "fit seconds", "value"].item()


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


# --- the paper's networks --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["softmax", "averaged-mlp-1"])
def test_papers_network_as_an_estimator(name, make_recordings, tmp_path):
    corpus = load_corpus(make_recordings(tmp_path, seconds=1.0), data_dir=tmp_path, segment_length=256)
    sizes = {"segment_length": 256, "train_segments": 200, "test_segments": 10, "scale": 50.0, "level": 5}
    dataset = build_dataset(corpus, representation=models.SYSTEMS[name].representation, **sizes)
    model = models.build(name, dataset.X.shape[1:], 2)
    training.fit(model, dataset, epochs=10)
    train, test = (list(whole_recordings(corpus, split)) for split in ("train", "test"))
    system = clone(PaperSystem(model=model, settings=dataset.settings, voters=500))
    system.fit(train, [x.device for x in train])
    assert system.predict(test).tolist() == [x.device for x in test]
    segments = cut_excerpts(test, seconds=256 / 16000, n=30)
    own = training.predict(model, dataset)  # the network is asked as in notebooks 03 to 06
    cut = [Excerpt(x.y[i : i + 256], RATE) for x, (_, rows) in zip(test, own.groupby("device"), strict=True)
           for i in rows["start"]]  # fmt: skip
    np.testing.assert_allclose(system.predict_proba(cut), own[["ash", "beech"]], atol=1e-5)
    short = Excerpt(np.zeros(100, np.float32), RATE)  # shorter than a segment
    np.testing.assert_allclose(system.predict_proba([*segments, short]).sum(axis=1), 1)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(system)).predict_proba(cut), own[["ash", "beech"]], atol=1e-5)
    with pytest.raises(ParameterError, match="knows 2 devices, the training recordings are of 3"):
        system.fit([*train, short], [*(x.device for x in train), "elm"])


class Counting:
    """A network that knows nothing, and counts what it is asked."""

    output_shape, asked = (None, 2), 0

    def __call__(self, x, *, training):
        self.asked += len(x)
        return np.tile(np.float32([0.25, 0.75]), (len(x), 1))


@pytest.mark.parametrize(("voters", "expected"), [(3, 3), (1000, 700)])
def test_no_more_segments_vote_than_are_asked_to(voters, expected):
    settings = {"segment_length": 64, "representation": "waveform"}
    system = PaperSystem(model=Counting(), settings=settings, voters=voters).fit(recordings(), ["a", "a", "b", "b"])
    excerpts = [Excerpt(np.ones(700 * 64, np.float32), RATE), Excerpt(np.ones(64, np.float32), RATE)]
    np.testing.assert_allclose(system.predict_proba(excerpts), [[0.25, 0.75]] * 2)
    assert system.model.asked == expected + 1
    with pytest.raises(ParameterError, match="voters=0 is not a whole number of at least 1"):
        system.set_params(voters=0).fit(recordings(), ["a", "a", "b", "b"])


# --- halves, and what is learned from --------------------------------------------------------------------------------
def test_halves_are_all_of_a_recording():
    whole = recordings()
    first, second = halves(whole)
    for a, b, x in zip(first, second, whole, strict=True):
        np.testing.assert_array_equal(np.concatenate([a.y, b.y]), x.y)
        assert (a.device, b.recording, b.start) == (x.device, x.recording, len(a.y))


def test_what_is_learned_comes_from_all_over_the_recording():
    whole = Excerpt(np.arange(100 * 10, dtype=np.float32), 10, "ash", "1")  # 100 s at 10 Hz
    some = protocol.thinned(whole, seconds=7)
    assert len(some.y) == 90 and some.device == "ash"  # three pieces of three seconds
    assert some.y[[0, 29, 30, 59, 60, 89]].tolist() == [0, 29, 480, 509, 960, 989]
    assert protocol.thinned(whole, seconds=99.5) is whole


def test_all_systems_learn_from_as_many_seconds_as_the_networks(make_recordings, tmp_path):
    corpus = load_corpus(make_recordings(tmp_path, seconds=8.0), data_dir=tmp_path, segment_length=1600)
    sizes = {"segment_length": 1600, "train_segments": 40, "test_segments": 40}  # 4 s, so two pieces
    train, tests = protocol.protocol_excerpts(corpus, **sizes)
    assert [len(x.y) / RATE for x in train] == [6.0] * 4
    assert {unit: len(x) for unit, x in tests.items()} == {"segment": 16, "1 s": 8, "3 s": 4, "recording": 2}
    assert [len(x[0].y) / RATE for x in tests.values()] == [0.1, 1, 3, 8]
    again = protocol.protocol_excerpts(corpus, **sizes)[1], protocol.protocol_excerpts(corpus, seed=1, **sizes)[1]
    starts = [[x.start for x in found["1 s"]] for found in (tests, *again)]
    assert starts[0] == starts[1] != starts[2]


def test_published_figures():
    assert registry.published_accuracy("[7] random spectral features, NN") == 0.9555
    assert registry.published_accuracy("[12] centroids, raw, SVM") == 0.508
    assert set(registry.PUBLISHED) <= {e.number for e in registry.registry()} | set(registry.systems())


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


def test_warnings_of_systems_are_gathered_and_others_are_not(capsys):
    with pytest.warns(RuntimeWarning, match="something else") as given, protocol.gathered_warnings():
        for i in range(3):
            warnings.warn(f"recording {i} is loud", NearSilenceWarning, stacklevel=1)
        warnings.warn("something else", RuntimeWarning, stacklevel=1)
    assert capsys.readouterr().out == "NearSilenceWarning, 3 times, the first: recording 0 is loud\n"
    assert [w.category for w in given] == [RuntimeWarning]
