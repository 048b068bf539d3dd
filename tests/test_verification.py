"""verification: sides, two covariances, calibration on devices left out, none of these, saved and read again."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from scipy.fft import dct
from scipy.stats import multivariate_normal

from devid_lib import likelihood, verification
from devid_lib.covariances import fit_two_covariance
from devid_lib.errors import ParameterError
from devid_lib.sides import corpus_sides, side_vectors
from devid_lib.verification import (
    Validation,
    compare_corpus,
    crossed,
    fit_comparison,
    load_comparison,
    of_one_model,
    open_set_threshold,
)


def made_up(n=12, sessions=3, per=3, *, d=129, device=1.0, session=0.5, rest=0.3, seed=0):
    """Return sides whose devices, sessions and rests have these spreads, and the names of devices and sessions."""
    rng = np.random.default_rng(seed)
    of_device = np.repeat(rng.normal(0, device, (n, d)), sessions * per, axis=0)
    of_session = np.repeat(rng.normal(0, session, (n * sessions, d)), per, axis=0)
    names = np.repeat([f"d{i:02}" for i in range(n)], sessions * per)
    vectors = 3 + of_device + of_session + rng.normal(0, rest, of_device.shape)
    return vectors, names, np.tile(np.repeat([*"12345"][:sessions], per), n)


@pytest.fixture(scope="module")
def comparison():
    """A comparison trained on all but the first two devices, and the sides of these."""
    vectors, devices, sessions = made_up(14)
    known = devices > "d01"
    trained = fit_comparison(vectors[known], devices[known], sessions=sessions[known])
    return SimpleNamespace(trained=trained, vectors=vectors, devices=devices, sessions=sessions)


# Sides.


def test_a_side_is_the_cosine_transform_of_mean_log_spectra_of_segments_and_of_their_sixteenths():
    y = np.random.default_rng(0).normal(0, 0.01, 45 * 256 + 17).astype(np.float32)
    sides, shorter = (side_vectors(y, segment_length=256, per=20, edge=edge) for edge in (1, 0.75))
    assert sides.dtype == np.float32 and sides.shape == (2, 128 + 8)  # 45 segments: 23 and 22
    assert shorter.shape == (2, 95 + 5)  # 96 of 129 bins, 6 of 9
    expected = []
    for n in (256, 16):
        rows, window = y[: 23 * 256].reshape(-1, n), np.sqrt(2 / 3) * (1 - np.cos(2 * np.pi * np.arange(n) / n))
        log = np.log1p(np.abs(np.fft.rfft(rows * window)) * 2**15 * np.sqrt(12 / n)).mean(axis=0)
        expected += [*dct(log, norm="ortho")[1:] / np.sqrt(len(log))]
    np.testing.assert_allclose(sides[0], expected, rtol=1e-3, atol=1e-5)


def test_digital_silence_is_zero_and_a_recording_shorter_than_a_segment_is_refused():
    assert not side_vectors(np.zeros(4096, np.float32)).any()
    with pytest.raises(ParameterError, match="100,"):
        side_vectors(np.zeros(100, np.float32))


def test_a_gain_does_not_count_nor_an_offset_that_no_converter_has():
    y = np.random.default_rng(0).normal(0, 0.1, 4 * 4096)
    y -= y.mean()
    np.testing.assert_allclose(side_vectors(y), side_vectors(2 * y), atol=2e-4)
    np.testing.assert_allclose(side_vectors(y), side_vectors(y + 0.2), atol=2e-4)
    assert np.abs(side_vectors(0.01 * y) - side_vectors(0.01 * y + 4e-4)).max() > 1e-3


def test_sides_of_a_corpus_know_their_recordings_and_are_spread_evenly(tmp_path):
    rows = []
    for name, seconds in {"short": 0.1, "long": 2.0}.items():
        y = np.random.default_rng(1).normal(0, np.linspace(0.001, 0.1, int(seconds * 8000)))
        sf.write(tmp_path / f"{name}.wav", y, 8000, subtype="FLOAT")
        rows.append({"path": tmp_path / f"{name}.wav", "device": "d", "recording": name, "samplerate": 8000})
    vectors, table = corpus_sides(pd.DataFrame(rows), segment_length=256, per=10, most=3)
    assert table["recording"].tolist() == ["short", "long", "long", "long"] and len(vectors) == 4
    every = side_vectors(np.random.default_rng(1).normal(0, np.linspace(0.001, 0.1, 16000)), segment_length=256, per=10)
    np.testing.assert_allclose(vectors[[1, 3]], every[[0, -1]], atol=1e-4)
    assert not np.allclose(vectors[2], vectors[1]) and not np.allclose(vectors[2], vectors[3])


# Two covariances.


def test_one_side_of_each_device_is_refused():
    vectors, devices, sessions = made_up(8, d=12, sessions=1, per=1)
    with pytest.raises(ParameterError, match="one side of each of 8 devices"):
        fit_two_covariance(vectors, devices, sessions)


def test_the_score_is_the_ratio_of_gaussian_densities():
    vectors, devices, sessions = made_up(8, d=12)
    x = vectors
    model = fit_two_covariance(x, devices, sessions)
    inverse = np.linalg.inv(model.basis)
    W, B = inverse.T @ inverse, inverse.T @ np.diag(model.between) @ inverse
    for r, q in ((x[0], x[4]), (x[0], x[40])):
        joint = multivariate_normal(np.tile(model.mean, 2), np.block([[B + W, B], [B, B + W]]))
        alone = multivariate_normal(model.mean, B + W)
        expected = joint.logpdf(np.concatenate([r, q])) - alone.logpdf(r) - alone.logpdf(q)
        np.testing.assert_allclose(model.score(r[np.newaxis], q[np.newaxis])[0, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(model.score(x[:2], x[5:9]), model.score(x[5:9], x[:2]).T)  # whichever is questioned


def test_covariances_are_found_again():
    vectors, devices, sessions = made_up(300, d=9, device=1.0, session=0.5, rest=0.5)
    model = fit_two_covariance(vectors, devices, sessions)
    inverse = np.linalg.inv(model.basis)
    W = np.diag(inverse.T @ inverse)
    B = np.diag(inverse.T @ np.diag(model.between) @ inverse)
    np.testing.assert_allclose(B, 1.0, rtol=0.25)
    np.testing.assert_allclose(W, 0.25 + 0.25, rtol=0.2)


def test_devices_of_one_session_do_not_make_sessions_look_small():
    vectors, devices, sessions = made_up(40, d=9, session=1.0, rest=0.1)
    lonely = (devices > "d09") & (sessions != "1")
    some = fit_two_covariance(vectors[~lonely], devices[~lonely], sessions[~lonely])
    every = fit_two_covariance(vectors, devices, sessions)
    spread = [np.trace(np.linalg.inv(model.basis).T @ np.linalg.inv(model.basis)) for model in (some, every)]
    assert 0.7 < spread[0] / spread[1] < 1.4


def test_more_sides_of_a_session_tell_no_more_of_sessions():
    """With sessions far apart and sides all alike, means of many sides are as unsure as those of few."""
    vectors, devices, sessions = made_up(60, d=9, per=8, session=1.0, rest=0.5)
    few = np.arange(len(vectors)) % 8 == 0
    x = vectors
    within, between = [], []
    for rows in (few, slice(None)):
        model = fit_two_covariance(x[rows], devices[rows], sessions[rows])
        inverse = np.linalg.inv(model.basis)
        within.append(np.trace(inverse.T @ inverse))
        between.append(np.trace(inverse.T @ np.diag(model.between) @ inverse))
    np.testing.assert_allclose(within[1] / within[0], 1, atol=0.1)
    np.testing.assert_allclose(between[1] / between[0], 1, atol=0.15)


# The comparison.


def test_what_is_crossed_is_the_session_where_enough_devices_have_two():
    table = pd.DataFrame({"device": np.repeat([*"abcd"], 2), "recording": [*"12345678"], "session": ["x", "y"] * 4})
    assert crossed(table).equals(table["session"]) and crossed(table).name == "session"
    table.loc[7, "session"] = ""
    assert crossed(table).tolist() == ["x", "y"] * 3 + ["x", "8"]
    few = crossed(table.assign(session=["x", "y", "x", "y", "x", "x", "x", "x"]))
    assert few.name == "recording" and few.equals(table["recording"])


def test_a_corpus_is_compared_across_its_sessions(tmp_path, monkeypatch):
    monkeypatch.setattr(verification, "DRAWS", 2)
    rng, rows = np.random.default_rng(0), []
    for device in "abcdef":
        colour = rng.normal(size=8)
        for day in "12":
            y = np.convolve(rng.normal(0, 0.01, 4000), colour, "same")
            sf.write(tmp_path / f"{device}{day}.wav", y, 8000, subtype="FLOAT")
            rows.append({"path": tmp_path / f"{device}{day}.wav", "device": device, "recording": device + day})
    table = pd.DataFrame(rows).assign(session=[*"12"] * 6, samplerate=8000)
    compared, vectors, of = compare_corpus(table, segment_length=256, per=5, most=2)
    assert len(vectors) == len(of) == 24 and of["crossed"].tolist() == [*"1122"] * 6
    np.testing.assert_array_equal(compared.sessions, of["crossed"])
    assert likelihood.auroc(*compared.validation.pairs()[:2]) > 0.8
    with pytest.raises(ParameterError, match="2 devices"):
        compare_corpus(table[:4], segment_length=256, per=5)


def test_units_of_one_model_are_found_among_pairs():
    named = {"different_devices": np.array([["a", "b"], ["a", "c"], ["c", "d"], ["d", "c"]])}
    model = {"a": "X", "b": "X", "c": "", "d": ""}
    assert of_one_model(named, model).tolist() == [True, False, False, False]


def test_new_devices_are_told_apart_within_bounds(comparison):
    one = comparison
    same, different = [], []
    for device in ("d00", "d01"):
        references = one.vectors[(one.devices == device) & (one.sessions != "3")]
        same += [one.trained.log10_lr(references, side[np.newaxis])
                 for side in one.vectors[(one.devices == device) & (one.sessions == "3")]]  # fmt: skip
        different += [one.trained.log10_lr(references, side[np.newaxis])
                      for side in one.vectors[(one.devices != device) & (one.sessions == "3")]]  # fmt: skip
    same, different = np.array(same), np.array(different)
    low, high = one.trained.bounds
    assert -np.log10(13) - 1e-9 <= low < 0 < high <= np.log10(12) + 1e-9
    for values in (same, different):
        assert (low <= values[:, 1]).all() and (values[:, 2] <= high).all()
        assert (values[:, 1] <= values[:, 0]).all() and (values[:, 0] <= values[:, 2]).all()
    assert (same[:, 0] > 0).all() and (different[:, 0] < 0).mean() > 0.95


def test_several_questioned_sides_count_as_their_mean(comparison):
    references, questioned = comparison.vectors[:3], comparison.vectors[30:34]
    mean = questioned.mean(axis=0, keepdims=True)
    one, two = (comparison.trained.log10_lr(references, x)[0] for x in (questioned, mean))
    assert one == pytest.approx(two)


def test_a_reference_device_that_was_trained_on_is_left_out(comparison):
    trained, own = comparison.trained, comparison.devices == "d05"
    sides = comparison.vectors[own]
    with_it, without = (trained.model(name).score(*(x for x in (sides[:3], sides[6:])))
                        for name in ("", "d05"))  # fmt: skip
    assert not np.allclose(with_it, without)
    known = comparison.devices[~own] > "d01"
    others = fit_two_covariance(*(x[~own][known] for x in (comparison.vectors.astype(np.float32),
                                                           comparison.devices, comparison.sessions)))  # fmt: skip
    np.testing.assert_allclose(without, others.score(sides[:3], sides[6:]), rtol=1e-3)
    assert trained.log10_lr(sides[:3], sides[6:], device="nobody") == trained.log10_lr(sides[:3], sides[6:])


def test_no_pair_was_scored_or_calibrated_by_its_own_devices():
    """Sides of one device are changed: what other devices' scorers knew of it must not change its own scores."""
    vectors, devices, sessions = made_up(8)
    x = vectors
    scores, names, group = verification._left_out(x, devices, sessions, copied=np.zeros(len(x), bool), seed=0)
    i, j = 2, 5
    mine = np.isin(devices, names[np.isin(group, group[[i, j]])])
    model = fit_two_covariance(x[~mine], devices[~mine], sessions[~mine])
    side = np.flatnonzero((devices == names[j]) & (sessions == "2"))[0]
    reference = x[(devices == names[i]) & (sessions == "1")].mean(axis=0, keepdims=True)
    np.testing.assert_allclose(scores[side, i], model.score(reference, x[side : side + 1])[0, 0], rtol=1e-6)
    log10_lr = verification._calibrated(scores, np.searchsorted(names, devices), group)
    rows, columns = ~np.isin(devices, names[[i, j]]), ~np.isin(np.arange(len(names)), [i, j])
    same = devices[:, np.newaxis] == names
    wanted = rows[:, np.newaxis] & columns
    line = likelihood.calibrate(scores[same & wanted], scores[~same & wanted])
    np.testing.assert_allclose(log10_lr[side, i], line([scores[side, i]])[0], rtol=1e-6)


def test_few_devices_of_several_sessions_are_left_out_in_different_groups(monkeypatch):
    monkeypatch.setattr(verification, "DRAWS", 2)
    vectors, devices, sessions = made_up(16, d=20, per=1)
    kept = (devices < "d03") | (sessions == "1")  # with this seed two groups held all three, and left no pair of one
    assert fit_comparison(vectors[kept], devices[kept], sessions=sessions[kept], seed=0).bounds[1] > 0


@pytest.mark.parametrize("called", ["12345", ["day 1", "day 2", "day 9", "day 10", "day 11"]])
def test_neighbours_of_the_questioned_session_are_no_references(called):
    vectors, devices, sessions = made_up(6, sessions=5, per=1)
    sessions = np.array([called[int(name) - 1] for name in sessions])
    x = vectors
    scores, names, group = verification._left_out(x, devices, sessions, copied=np.zeros(len(x), bool), seed=0)
    for asked, held in {0: [2, 3, 4], 2: [0, 4], 4: [0, 1, 2]}.items():
        side = np.flatnonzero((devices == names[0]) & (sessions == called[asked]))[0]
        known = ~np.isin(devices, names[group == group[0]])
        model = fit_two_covariance(x[known], devices[known], sessions[known])
        own = (devices == names[0]) & np.isin(sessions, [called[i] for i in held])
        expected = model.score(x[own].mean(axis=0, keepdims=True), x[side : side + 1])[0, 0]
        np.testing.assert_allclose(scores[side, 0], expected, rtol=1e-6)


def test_ratios_of_new_devices_are_calibrated_and_cost_no_more_than_the_validation_says(monkeypatch):
    monkeypatch.setattr(verification, "DRAWS", 2)  # no interval is asked for
    told, new, best = [], [], []
    for seed in range(3):
        vectors, devices, sessions = made_up(70, d=33, device=0.6, session=0.6, seed=seed)
        first = devices < "d30"
        trained = fit_comparison(vectors[first], devices[first], sessions=sessions[first])
        x, names, asked = vectors[~first], devices[~first], sessions[~first] == "3"
        references = np.stack([x[(names == name) & ~asked].mean(axis=0) for name in np.unique(names)])
        scores, same = trained.model("").score(references, x[asked]), np.unique(names)[:, np.newaxis] == names[asked]
        slope, offset = trained.lines[0]
        told.append(likelihood.cllr(*trained.validation.pairs()[:2]))
        new.append(likelihood.cllr(slope * scores[same] + offset, slope * scores[~same] + offset))
        line = likelihood.calibrate(scores[same], scores[~same])
        best.append(likelihood.cllr(line(scores[same]), line(scores[~same])))
    assert 0.1 < np.mean(best) < np.mean(new) < np.mean(best) + 0.1
    assert np.mean(new) < np.mean(told) + 0.05


def test_more_sources_allow_stronger_ratios(monkeypatch):
    monkeypatch.setattr(verification, "DRAWS", 2)
    bounds = []
    for n in (8, 16):
        vectors, devices, sessions = made_up(n, per=1, device=3.0)
        bounds.append(fit_comparison(vectors, devices, sessions=sessions).bounds)
    assert bounds[0] == pytest.approx((-np.log10(9), np.log10(8))) and bounds[1][1] == pytest.approx(np.log10(16))


def test_devices_without_another_session_have_no_pair_of_their_own():
    vectors, devices, sessions = made_up(9, per=1)
    kept = (devices != "d04") | (sessions == "1")
    trained = fit_comparison(vectors[kept], devices[kept], sessions=sessions[kept])
    table = trained.validation.log10_lr
    own = trained.validation.questioned[:, np.newaxis] == trained.validation.references
    assert np.isnan(table[own & (trained.validation.questioned == "d04")[:, np.newaxis]]).all()
    assert np.isfinite(table[~own]).all() and np.isnan(table).sum() == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda v, d, s: (v[d < "d05"], d[d < "d05"], s[d < "d05"]), "5 devices"),
        (lambda v, d, s: (v, d, ["1"] * len(d)), "0 of them with two sessions"),
        (lambda v, d, s: (v[:, 0], d, s), r"\(81,\) for 81 devices"),
        (lambda v, d, s: (v[1:], d, s), "for 81 devices"),
        (lambda v, d, s: (np.where(v > 4, np.nan, v), d, s), "finite"),
    ],
)
def test_what_tells_nothing_is_refused(wrong, message):
    vectors, devices, sessions = wrong(*made_up(9))
    with pytest.raises(ParameterError, match=message):
        fit_comparison(vectors, devices, sessions=sessions)


@pytest.mark.parametrize("wrong", [np.ones((2, 64)), np.ones(129), np.ones((0, 129)), np.full((1, 129), np.nan)])
def test_sides_of_another_kind_are_refused(comparison, wrong):
    for pair in ((wrong, comparison.vectors[:1]), (comparison.vectors[:1], wrong)):
        with pytest.raises(ParameterError, match="references|questioned"):
            comparison.trained.log10_lr(*pair)


# Kept for years.


def test_saved_and_read_again_it_says_the_same(comparison, tmp_path):
    comparison.trained.save(tmp_path / "new" / "comparison.npz")
    again = load_comparison(tmp_path / "new" / "comparison.npz")
    pair = comparison.vectors[:3], comparison.vectors[6:7]
    assert again.log10_lr(*pair) == comparison.trained.log10_lr(*pair)
    assert again.bounds == comparison.trained.bounds
    for one, two in zip(again.validation.pairs()[:2], comparison.trained.validation.pairs()[:2], strict=True):
        np.testing.assert_array_equal(one, two)
    assert open_set_threshold(again.validation, n_references=4) == open_set_threshold(
        comparison.trained.validation, n_references=4)  # fmt: skip


# None of these.


def test_the_rule_lets_its_share_pass_and_more_references_ask_for_more():
    rng = np.random.default_rng(0)
    questioned, names = np.repeat([f"d{i:02}" for i in range(40)], 5), np.array([f"d{i:02}" for i in range(40)])
    own = questioned[:, np.newaxis] == names
    table = rng.normal(np.where(own, 2.0, -2.0), 1.0)
    rules = [open_set_threshold(Validation(table, table, questioned, names), n_references=n) for n in (1, 5, 39)]
    assert rules[0]["threshold"] < rules[1]["threshold"] < rules[2]["threshold"]
    for rule in rules:
        value, low, high = rule["unknown_named"]
        assert low <= value <= high and value == pytest.approx(0.05, abs=0.03)
    best = np.where(own, -np.inf, table).max(axis=1)
    assert rules[2]["threshold"] == pytest.approx(np.quantile(best, 0.95), abs=0.2)
    known = (table[own] < rules[2]["threshold"]) & (best < rules[2]["threshold"])
    assert rules[2]["known_declined"][0] == pytest.approx(known.mean(), abs=0.01)


def test_units_of_the_unknown_model_are_no_references():
    names = np.array([*"abcdef"])
    model = dict(zip(names, ["X", "X", "Y", "Y", "", ""], strict=True))
    kind = np.array(["X", "X", "Y", "Y", "e", "f"])
    table = np.where(kind[:, np.newaxis] == kind, 3.0, -3.0)  # units of a model look alike
    rule = open_set_threshold(Validation(table, table, names, names), n_references=6, models=model)
    assert rule["threshold"] == 0 and rule["n_references"] == 4  # devices, where two models have two units
    assert open_set_threshold(Validation(table, table, names, names), n_references=6)["threshold"] > 3
    with pytest.raises(ParameterError, match="devices of two models, all 6 are of one"):
        open_set_threshold(Validation(table, table, names, names), n_references=6, models=dict.fromkeys(names, "X"))


def test_a_unit_without_another_session_is_asked_about_in_no_rule():
    names = np.array([*"abcd"])
    table = np.where(np.eye(4) * [1, 0, 0, 0], np.nan, np.where(np.eye(4), 3.0, -3.0))
    rule = open_set_threshold(Validation(table, table, names, names), n_references=9, models={"a": "X", "b": "X"})
    assert rule["n_references"] == 2 and rule["known_declined"][0] == 0


def test_the_rates_of_a_device_are_those_of_a_rule_that_others_made():
    questioned, names = np.repeat([*"abcdefghij"], 2), np.array([*"abcdefghij"])
    table = np.where(questioned[:, np.newaxis] == names, 3.0, -3.0)
    table[:2, 1] = 5.0  # both sides of a look like b
    rule = open_set_threshold(Validation(table, table, questioned, names), n_references=9)
    assert rule["threshold"] > 5
    assert rule["unknown_named"][0] == pytest.approx(0.1)  # counted at the threshold of all, nobody would be named


def test_a_rule_never_names_what_the_ratio_speaks_against():
    table = np.where(np.eye(6, dtype=bool), 3.0, -3.0)
    rule = open_set_threshold(Validation(table, table, np.array([*"abcdef"]), np.array([*"abcdef"])), n_references=99)
    assert rule["threshold"] == 0 and rule["n_references"] == 5
    assert rule["unknown_named"][0] == rule["known_declined"][0] == rule["known_misnamed"][0] == 0


def test_a_rule_needs_devices_of_two_sessions():
    table = np.where(np.eye(6, dtype=bool), np.nan, -3.0)
    with pytest.raises(ParameterError, match="another session"):
        open_set_threshold(Validation(table, table, np.array([*"abcdef"]), np.array([*"abcdef"])), n_references=2)
