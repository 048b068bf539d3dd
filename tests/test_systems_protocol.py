"""One protocol for all systems: excerpts, judging, leaderboard, the registry and the paper's networks."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from devid_lib.corpus import load_corpus
from devid_lib.errors import ParameterError
from devid_lib.systems import protocol, registry
from devid_lib.systems.base import System, best_temperature
from devid_lib.systems.excerpts import Excerpt, cut_excerpts, pieces
from devid_lib.systems.paper import PaperNetwork
from devid_lib.systems.warnings import DevidWarning, NearSilenceWarning

RATE = 16000


class Level(System):
    """A system worked by hand: the device whose training level is nearest."""

    def _fit(self, excerpts, codes):
        levels = np.array([np.std(x.y) for x in excerpts])
        self.levels_ = np.array([levels[codes == k].mean() for k in np.unique(codes)])

    def _scores(self, excerpts):
        return [-10 * np.abs(np.log(np.std(x.y) / self.levels_)) for x in excerpts]


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
    for params in ({"power": 3}, {}, {"power": 4}):  # the three that were asked for last are kept
        excerpt.feature(feature, **params)
    assert calls == [1, 2, 3, 4] and len(excerpt.kept) == 3
    excerpt.feature(feature, power=2)
    assert calls == [1, 2, 3, 4, 2]


def test_excerpts_larger_than_their_recording_share_its_samples():
    whole = recordings()[0]  # of two seconds
    few, many = (cut_excerpts([whole], seconds=0.5, n=n, seed=np.random.default_rng(0)) for n in (3, 5))
    assert not any(np.shares_memory(x.y, whole.y) for x in few) and all(np.shares_memory(x.y, whole.y) for x in many)
    assert all(np.shares_memory(x.y, whole.y) for x in pieces(whole, seconds=0.5))


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


def material(whole, **tests):
    """Return recordings 1 and 2 to learn from, 2 held out to calibrate, at every length the same."""
    learned = recordings()
    out = np.array([x.recording == "2" for x in learned])
    asked = tests or dict.fromkeys(("segment", "1 s", "3 s", "recording"), whole)
    return protocol.Material(dict.fromkeys(asked, learned), dict.fromkeys(asked, out), asked, learned)


def test_judging_a_system_worked_by_hand():
    whole = [*recordings(names=("3",), seed=1), *recordings(devices=("soft",), names=("4",), seed=2)]  # the last lies
    rows, predictions = protocol.judge(Level(), material(whole))
    figures = rows[rows["unit"] == "1 s"].set_index("metric")["value"]
    assert figures["accuracy"] == pytest.approx(2 / 3) and figures["same-recording accuracy"] == 1
    assert rows.loc[rows["metric"] == "accuracy", "n"].tolist() == [3] * 4
    assert figures["macro F1"] == pytest.approx((2 / 3 + 2 / 3) / 2)  # loud: P 1/2, R 1; soft: P 1, R 1/2
    proba = predictions["1 s"][["loud", "soft"]].to_numpy()
    cost = -np.log([proba[0, 0], proba[1, 1], proba[2, 1]])
    assert figures["log-loss"] == pytest.approx(cost.mean(), rel=1e-4)
    assert figures["Cllr"] == pytest.approx((cost[0] + cost[1:].mean()) / 2 / np.log(2), rel=1e-4)


def test_the_temperature_comes_from_what_was_held_out_and_not_from_the_test():
    whole = recordings(names=("3",), seed=1)
    (_, system), *_ = protocol.calibrated(Level(), material(whole))
    known, held = ([x for x in recordings() if x.recording == name] for name in "12")
    apart = Level().fit(known, ["loud", "soft"]).calibrate(held, ["loud", "soft"])
    assert system.temperature_ == apart.temperature_
    other = next(protocol.calibrated(Level(), material(recordings(devices=("soft", "loud"), names=("3",)))))[1]
    assert other.temperature_ == system.temperature_


class Unmatched(Level):
    """Learns from recordings, whatever it is asked; notes how often it is fitted."""

    fits = []

    def learns(self, unit):
        return "recording"

    def _fit(self, excerpts, codes):
        self.fits.append(len(excerpts))
        super()._fit(excerpts, codes)


def test_a_system_is_fitted_twice_for_every_length_that_it_learns_from():
    Unmatched.fits.clear()
    protocol.judge(Unmatched(), material(recordings(names=("3",))))
    assert Unmatched.fits == [2, 4]


# --- calibration -----------------------------------------------------------------------------------------------------
def test_temperature_does_not_depend_on_the_scale_of_scores():
    rng = np.random.default_rng(0)
    codes = rng.integers(4, size=200)
    scores = rng.standard_normal((200, 4)) + 2 * np.eye(4)[codes]
    found = best_temperature(scores, codes, n=20)
    assert best_temperature(1e-3 * scores + 7, codes, n=20) == pytest.approx(1e-3 * found, rel=0.01)
    assert best_temperature(np.ones((3, 4)), np.array([0, 1, 2]), n=3) == 1


def test_nothing_wrong_in_a_few_recordings_is_not_certainty():
    scores, codes = 50 * np.eye(3), np.arange(3)
    for n in (3, 30):
        proba = np.exp(scores / best_temperature(scores, codes, n=n))
        proba /= proba.sum(axis=1, keepdims=True)
        assert proba.max(axis=1) == pytest.approx(np.full(3, (n + 1) / (n + 2)), rel=1e-3)


def test_scores_that_are_no_numbers_are_refused_by_name():
    system = Level().fit(recordings(), [x.device for x in recordings()])
    system.levels_[1] = np.nan
    for ask in (system.predict, system.predict_proba, lambda x: system.calibrate(x, ["loud", "loud"])):
        with pytest.raises(ParameterError, match="Level: the score of device 'soft' for loud/3 is nan"):
            ask(recordings(names=("3",))[:1] * 2)
    system.levels_ = np.ones(3)
    with pytest.raises(ParameterError, match=r"scores of shape \(4, 3\) instead of \(4, 2\)"):
        system.predict(recordings())


def test_a_strange_device_calibrates_nothing():
    system = Level().fit(recordings(), [x.device for x in recordings()])
    with pytest.raises(ParameterError, match="'elm' was not learned"):
        system.calibrate(recordings()[:1], ["elm"])


def test_multiclass_cllr_gives_devices_the_same_weight():
    proba = np.array([[0.25, 0.75], [1, 0], [1, 0], [1, 0]])
    assert protocol.multiclass_cllr(proba, np.array([1, 0, 0, 0])) == pytest.approx(-np.log2(0.75) / 2)
    assert protocol.multiclass_cllr(proba, np.array([0, 0, 0, 0])) == pytest.approx(2 / 4)


def test_leaderboard_has_the_longest_excerpts_first():
    right, _ = protocol.judge(Level(), material(recordings(names=("3",), seed=1)))
    wrong = right.assign(value=np.where(right["metric"] == "accuracy", 0.5, right["value"]))
    better = wrong.assign(value=np.where(wrong["unit"] == "3 s", right["value"], wrong["value"]))
    rows = pd.concat([wrong.assign(system="last"), better.assign(system="middle"), right.assign(system="first")])
    board = protocol.leaderboard(rows)
    assert board.index.tolist() == ["first", "middle", "last"]
    assert board.columns.tolist() == ["segment", "1 s", "3 s", "recording", "macro F1", "log-loss", "Cllr",
                                      "fit seconds", "seconds per excerpt"]  # fmt: skip
    assert board.loc["first", "fit seconds"] == right.loc[right["metric"] == "fit seconds", "value"].item()


def test_the_registry_has_twelve_cited_systems_and_the_variants_of_the_text():
    numbers = [entry.number for entry in registry.registry() if entry.number.startswith("[")]
    assert numbers == [f"[{i}]" for i in range(1, 13)]
    names = list(registry.systems())
    assert len(names) == len(set(names))
    for text in ("MFCC", "PNCC", "GTCC", "256", "2048", "SRC", "SVM", "NN", "p = 1", "p = 2", "raw", "noise"):
        assert any(text in name for name in names), text


@pytest.mark.parametrize("name", list(registry.systems()))
def test_every_system_clones_and_names_its_citation(name):
    system = registry.systems()[name]
    assert clone(system).get_params() == system.get_params()
    if name.startswith("["):
        text = type(system).__doc__
        assert "As published" in text and "Adapted" in text and name.split()[0] in text


# --- the paper's networks --------------------------------------------------------------------------------------------
SETTINGS = {"segment_length": 256, "noise": "wavelet", "window": "none", "scale": 50.0, "wavelet": "sym8", "level": 5,
            "threshold": "minimaxi", "mode": "soft", "rescale": "sln"}  # fmt: skip


def coloured(names, seconds=2.0, seed=0):
    """Return noise of two colours, device by device."""
    rng = np.random.default_rng(seed)
    signals = [(device, name, np.convolve(rng.standard_normal(int(seconds * RATE)), [1, last]) / 50)
               for device, last in (("ash", 1), ("beech", -1)) for name in names]  # fmt: skip
    return [Excerpt(y.astype(np.float32), RATE, device, name) for device, name, y in signals]


@pytest.mark.parametrize("network", ["softmax", "averaged-mlp-1"])
def test_papers_network_as_an_estimator(network):
    train, test = coloured("12"), coloured("3", seed=1)
    system = clone(PaperNetwork(network=network, settings=SETTINGS)).fit(train, [x.device for x in train])
    assert system.predict(test).tolist() == ["ash", "beech"]
    first = pieces(test[0], seconds=256 / RATE)
    each = np.exp(system.decision_function(first))
    np.testing.assert_allclose(each.sum(axis=1), 1, rtol=1e-5)
    whole = np.exp(system.decision_function([test[0].part(0, 256 * len(first))]))[0]
    np.testing.assert_allclose(whole, each.mean(axis=0), rtol=1e-4)  # posteriors are summed, as published
    short = Excerpt(np.zeros(100, np.float32), RATE)  # shorter than a segment
    assert np.isfinite(system.decision_function([short])).all()
    assert system.learns("3 s") == "segment"


def test_a_network_that_does_not_exist():
    with pytest.raises(ParameterError, match="network='mlp-9'"):
        PaperNetwork(network="mlp-9", settings=SETTINGS).fit(coloured("1"), ["a", "b"])


# --- what is learned, and what is asked ------------------------------------------------------------------------------
def test_pieces_come_one_after_the_other():
    whole = Excerpt(np.arange(25, dtype=np.float32), 10, "ash", "1", start=100)
    found = pieces(whole, seconds=1)
    assert [(x.y[0], len(x.y), x.start, x.device) for x in found] == [(0, 10, 100, "ash"), (10, 10, 110, "ash")]
    assert pieces(whole, seconds=3) == [whole]


def test_what_is_learned_comes_from_all_over_the_recording():
    whole = Excerpt(np.arange(100 * 10, dtype=np.float32), 10, "ash", "1")  # 100 s at 10 Hz
    some = protocol.thinned(whole, seconds=7)
    assert len(some.y) == 90 and some.device == "ash"  # three pieces of three seconds
    assert some.y[[0, 29, 30, 59, 60, 89]].tolist() == [0, 29, 480, 509, 960, 989]
    assert protocol.thinned(whole, seconds=99.5) is whole


@pytest.fixture
def corpus(make_recordings, tmp_path):
    return load_corpus(make_recordings(tmp_path, seconds=8.0), data_dir=tmp_path, segment_length=1600)


def test_every_length_learns_the_same_seconds(corpus):
    sizes = {"segment_length": 1600, "test_segments": 40}
    found = protocol.protocol_material(corpus, learned_s=5, **sizes)
    assert {unit: len(x) for unit, x in found.learned.items()} == {"segment": 240, "1 s": 24, "3 s": 8, "recording": 4}
    whole = [x.y for x in found.learned["recording"]]
    for parts in found.learned.values():
        np.testing.assert_array_equal(np.concatenate([x.y for x in parts]), np.concatenate(whole))
        assert not set(x.recording for x in parts) & set(x.recording for x in found.tests["1 s"])
    assert {unit: len(x) for unit, x in found.tests.items()} == {"segment": 16, "1 s": 8, "3 s": 4, "recording": 2}
    assert [len(x[0].y) / RATE for x in found.tests.values()] == [0.1, 1, 3, 6]
    again, other = (protocol.protocol_material(corpus, learned_s=5, seed=seed, **sizes) for seed in (0, 1))
    starts = [[x.start for x in one.tests["1 s"]] for one in (found, again, other)]
    assert starts[0] == starts[1] != starts[2]


def test_the_end_of_a_training_recording_is_asked_for_and_not_learned(corpus):
    found = protocol.protocol_material(corpus, segment_length=1600, test_segments=40)
    assert {len(x.y) for x in found.learned["recording"]} == {round(0.8 * 8 * RATE)}
    assert min(x.start for x in found.same) >= 0.8 * 8 * RATE and {len(x.y) for x in found.same} == {RATE}


@pytest.mark.parametrize(("sessions", "expected"), [(("", ""), {"2"}), (("b", "a"), {"2"}), (("a", "a"), {"2"})])
def test_held_out_is_the_last_of_every_device(corpus, sessions, expected):
    train = corpus["split"] == "train"
    corpus.loc[train, "recording"] = ["1", "2"] * 2
    corpus.loc[train, "session"] = list(sessions) * 2
    found = protocol.protocol_material(corpus, segment_length=1600, test_segments=40)
    for unit, parts in found.learned.items():
        assert {x.recording for x, out in zip(parts, found.held_out[unit], strict=True) if out} == expected


def test_of_a_single_training_recording_the_second_half_is_held_out(corpus):
    alone = corpus.drop(index=corpus[corpus["split"] == "train"].index[0])
    found = protocol.protocol_material(alone, segment_length=1600, test_segments=40)
    parts = [x for x in found.learned["recording"] if x.device == alone["device"].iloc[0]]
    assert [x.start for x in parts] == [0, len(parts[0].y)]
    assert found.held_out["recording"][:2].tolist() == [False, True]


def test_a_device_without_a_training_recording_is_named(corpus):
    name = corpus["device"].iloc[0]
    lost = corpus[(corpus["device"] != name) | (corpus["split"] == "test")]
    with pytest.raises(ParameterError, match=f"'{name}' is to be named, but has no training recording"):
        protocol.protocol_material(lost, segment_length=1600, test_segments=40)


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


def test_several_sample_rates_are_refused():
    train, slow = recordings(), [Excerpt(NOISE, RATE // 2)]
    with pytest.raises(ParameterError, match=r"\[8000, 16000\] Hz"):
        Level().fit(train + slow, list("aabbb"))
    with pytest.raises(ParameterError, match="different sample rates"):
        Level().fit(train, list("aabb")).predict(slow)


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


@pytest.mark.parametrize("name", list(registry.systems()))
def test_features_that_are_constant_say_nothing_and_break_nothing(name):
    same = [Excerpt(np.zeros(RATE, np.float32), RATE) for _ in range(4)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DevidWarning)  # nothing but named warnings
        system = registry.systems()[name].fit(same, ["a", "a", "b", "b"])
        proba = system.calibrate(same, ["a", "a", "b", "b"]).predict_proba([*same[:1], *recordings()[:1]])
    assert proba[0] == pytest.approx([0.5, 0.5], abs=0.01) and np.isfinite(proba).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_fft", 0), ("n_fft", 2.5), ("n_components", "8"), ("C", 0), ("C", float("nan")), ("nu", 2),
     ("relevance", -1), ("piece_s", 0), ("random_state", -1), ("n_clusters", True), ("threshold", -0.1),
     ("above_db", 0), ("frames_each", 0)],
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
