"""likelihood: costs, calibration, bounds and intervals, against cases worked by hand and against other libraries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score, roc_curve

from devid_lib.errors import ParameterError
from devid_lib.likelihood import (
    auroc,
    bootstrap,
    calibrate,
    cllr,
    cllr_min,
    ece,
    elub,
    equal_error_rate,
    error_rates,
    pav,
    source_bounds,
    verbal,
)

INF = np.inf
METRICS = [cllr, cllr_min, equal_error_rate, auroc]
LOGS = arrays(np.float64, st.integers(1, 12), elements=st.integers(-3, 3).map(float) | st.floats(-6, 6, width=16))


def gaussian(mean, n=400, m=2000, *, seed=0):
    """Return calibrated log10 likelihood ratios: natural ones with means of +-mean and variance 2 mean are."""
    rng, spread = np.random.default_rng(seed), np.sqrt(2 * mean)
    return rng.normal(mean, spread, n) / np.log(10), rng.normal(-mean, spread, m) / np.log(10)


def pairs(n=8, recordings=3, *, seed=0, spread=1.5):
    """Return the pairs of all recordings of n devices: same, different, and the devices of both as a dict."""
    rng = np.random.default_rng(seed)
    places = np.repeat(rng.normal(0, spread, n), recordings) + rng.normal(0, 0.5, n * recordings)
    i, j = np.triu_indices(n * recordings, 1)
    device = np.array([f"d{k}" for k in np.repeat(np.arange(n), recordings)])
    score, same = 1 - np.abs(places[i] - places[j]), device[i] == device[j]
    devices = {"same_devices": device[i][same], "different_devices": np.stack([device[i], device[j]], 1)[~same]}
    return score[same], score[~same], devices


# Costs.


@pytest.mark.parametrize(
    ("same", "different", "cost", "least"),
    [
        ([0], [0], 1, 1),
        ([0, 0, 0], [0], 1, 1),
        ([1], [-1], np.log2(1.1), 0),
        ([-1], [1], np.log2(11), 1),
        ([2, 2], [-1, 1], (np.log2(1.01) + (np.log2(1.1) + np.log2(11)) / 2) / 2, 0),
        ([INF], [-INF], 0, 0),
        ([INF, -INF], [-INF], INF, (np.log2(3) / 2 + np.log2(1.5)) / 2),  # two of -inf: half a side to one, so 1/2
        ([1, 1], [1, 1], (np.log2(1.1) + np.log2(11)) / 2, 1),
        ([0, 2], [-1, 1], ((1 + np.log2(1.01)) + (np.log2(1.1) + np.log2(11))) / 4, 0.5),  # the middle two pooled: 1
        ([0, 9], [-9, 0, 0], 1 / 4 + 1 / 3, np.log2(7 / 3) / 4 + np.log2(7 / 4) / 3),  # three tie, at (1/2) / (2/3)
    ],
)
def test_cllr_by_hand(same, different, cost, least):
    assert cllr(same, different) == pytest.approx(cost)
    assert cllr_min(same, different) == pytest.approx(least, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(LOGS, LOGS)
def test_costs_of_any_ratios(same, different):
    best = cllr_min(same, different)
    assert -1e-12 <= best <= min(cllr(same, different), 1) + 1e-9
    for monotone in (lambda x: 3 * x - 7, lambda x: x**3, np.sinh):
        assert cllr_min(monotone(same), monotone(different)) == best
        assert auroc(monotone(same), monotone(different)) == auroc(same, different)
    assert cllr(np.tile(same, 3), different) == pytest.approx(cllr(same, different))  # no side outvotes the other
    assert cllr_min(-different, -same) == pytest.approx(best)  # nor is one of them special
    assert 0 <= equal_error_rate(same, different) <= 0.5
    wins = (same[:, None] > different).mean() + (same[:, None] == different).mean() / 2
    assert auroc(same, different) == pytest.approx(wins)


def test_pav_is_the_best_calibration_of_these_pairs():
    same, different = gaussian(2, 100, 300)
    shifts = [(slope, offset) for slope in (0.5, 0.8, 1, 1.2, 2) for offset in (-0.5, -0.1, 0, 0.1, 0.5)]
    best = min(cllr(slope * same + offset, slope * different + offset) for slope, offset in shifts)
    assert 0.5 * best < cllr_min(same, different) < best
    steps = pav(same, different)
    assert cllr_min(steps(same), steps(different)) == pytest.approx(cllr(steps(same), steps(different)))


def test_ece_is_cllr_at_even_odds_and_never_more_than_the_prior_where_calibrated():
    same, different = gaussian(2)
    odds = np.linspace(-2, 2, 9)
    cost, steps = ece(same, different, log10_odds=odds), pav(same, different)
    assert cost[4] == cllr(same, different)
    prior = 1 / (1 + 10**-odds)
    entropy = -prior * np.log2(prior) - (1 - prior) * np.log2(1 - prior)
    np.testing.assert_allclose(ece([0, 0], [0], log10_odds=odds), entropy)
    assert (cost < entropy).all()
    assert (ece(steps(same), steps(different), log10_odds=odds) <= cost).all()
    assert (ece(same + 2, different + 2, log10_odds=odds) > entropy)[4:].all()  # overstated: worse than nothing


def test_error_rates_by_hand():
    threshold, accepted, rejected = error_rates([0, 2, INF], [-INF, 1])
    assert threshold.tolist() == [-INF, 0, 1, 2, INF, INF]
    assert accepted.tolist() == [1, 0.5, 0.5, 0, 0, 0]
    np.testing.assert_allclose(rejected, [0, 0, 1 / 3, 1 / 3, 2 / 3, 1])


def test_rates_against_scikit_learn():
    same, different = (side.round(1) for side in gaussian(1, 60, 90))
    truth, scores = np.repeat([1, 0], [60, 90]), np.concatenate([same, different])
    assert auroc(same, different) == pytest.approx(roc_auc_score(truth, scores))
    accept, hit, _ = roc_curve(truth, scores, drop_intermediate=False)
    _, accepted, rejected = error_rates(same, different)
    np.testing.assert_allclose(accepted[::-1], accept)
    np.testing.assert_allclose(1 - rejected[::-1], hit)


@pytest.mark.parametrize("seed", range(6))
def test_against_llreval(seed):
    theirs, roc = pytest.importorskip("llreval.cllr"), pytest.importorskip("llreval.pav_rocch")
    same, different = (side.round(1 + seed) + seed / 5 for side in gaussian(1 + seed, 30 * seed + 1, 50, seed=seed))
    steps = roc.PAV(np.concatenate([same, different]), np.repeat([1, 0], [len(same), len(different)]))
    assert cllr(same, different) == pytest.approx(theirs.cllr(same * np.log(10), different * np.log(10)))
    assert cllr_min(same, different) == pytest.approx(theirs.min_cllr(steps))
    assert equal_error_rate(same, different) == pytest.approx(roc.ROCCH(steps).EER(), abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_against_lir(seed):
    bayeserror, metrics = pytest.importorskip("lir.algorithms.bayeserror"), pytest.importorskip("lir.metrics")
    data = pytest.importorskip("lir.data.models")
    same, different = (side + seed / 5 for side in gaussian(1 + seed, 30 * seed + 5, 50, seed=seed))
    values, truth = np.concatenate([same, different]), np.repeat([1, 0], [len(same), len(different)])
    table = data.LLRData(features=values.copy(), labels=truth)
    assert cllr(same, different) == pytest.approx(metrics.cllr(table))
    assert cllr_min(same, different) == pytest.approx(metrics.cllr_min(table))
    np.testing.assert_allclose(elub(same, different), bayeserror.elub(values, truth, step_size=0.001), atol=0.002)


# Calibration.


@pytest.mark.parametrize("mean", [1, 4, 8])
def test_calibrated_scores_stay(mean):
    same, different = gaussian(mean)
    line = calibrate(same, different)
    assert line.slope == pytest.approx(1, abs=0.15) and line.offset == pytest.approx(0, abs=0.1)
    fresh = gaussian(mean, seed=1)
    assert cllr(*map(line, fresh)) < 1.05 * cllr(*fresh)


@pytest.mark.parametrize(("slope", "offset"), [(0.1, 0), (1e-6, 5), (400, -3e4), (-2, 1)])
def test_calibration_undoes_any_line(slope, offset):
    same, different = gaussian(3, 50, 300)
    line, other = calibrate(same, different), calibrate(slope * same + offset, slope * different + offset)
    np.testing.assert_allclose(other(slope * same + offset), line(same), atol=1e-5)


def test_calibration_leaves_no_prior_odds():
    line = calibrate([1, 2] * 3, [0, 1] * 3000)
    assert line([1]) == pytest.approx(0, abs=0.02)
    for fit in (calibrate, pav):
        assert fit([0.1] * 3, [0.1] * 998)([0.1, 0.2]) == pytest.approx([0, 0], abs=1e-12)  # scores that say nothing


def test_perfect_separation_has_a_finite_line():
    line = calibrate(np.linspace(5, 6, 40), np.linspace(-6, -5, 40))
    assert 1 < line([5.5])[0] < 4
    assert line([0]) == pytest.approx(0, abs=1e-6)


def test_pav_between_its_steps_says_less():
    steps = pav([2, 4], [1, 3])
    assert steps.log10_lr.tolist() == [-INF, 0, 0, INF]
    assert steps([-9, 1, 1.5, 2.5, 3.5, 4, 9, INF]).tolist() == [-INF, -INF, 0, 0, 0, INF, INF, INF]


# Bounds.


@pytest.mark.parametrize(
    ("same", "different", "low", "high"),
    [
        ([INF], [-INF], np.log10(1), np.log10(1)),  # half of the two same-device pairs is kept, one of two accepted
        ([INF] * 9, [-INF] * 9, -np.log10(9), np.log10(9)),
        ([9] * 9, [-9] * 99, -np.log10(9.9), np.log10(90)),
        ([0.5] * 9, [-9] * 99, -np.log10(9.9), 0.5),  # beyond the largest ratio there is nothing to go by
        ([0], [0], 0, 0),
        ([-2], [2], 0, 0),
        ([2] * 9, [-2] * 8 + [2], -np.log10(8 / 10 / 0.1), np.log10(0.9 / 0.2)),
    ],
)
def test_elub_by_hand(same, different, low, high):
    assert elub(same, different) == pytest.approx((low, high), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(LOGS, LOGS)
def test_elub_keeps_decisions_from_costing_more_than_none(same, different):
    low, high = elub(same, different)
    assert max(-np.log10(len(same) + 1), -6) <= low <= 0 <= high <= min(np.log10(len(different) + 1), 6)

    def harm(threshold):
        missed = (1 + (same <= threshold).sum()) / (len(same) + 1)
        accepted = (1 + (different > threshold).sum()) / (len(different) + 1)
        return missed + 10**threshold * accepted - min(1, 10**threshold)

    for bound in (low, high):
        assert all(harm(t) <= 1e-9 for t in np.linspace(0, bound, 50)[1:-1] if bound)
        assert harm(bound + np.sign(bound or 1) * 1e-9) > -1e-6 or bound == 0


def test_bounds_of_sources():
    assert source_bounds(1, 8) == pytest.approx((-np.log10(2), np.log10(9)))


@pytest.mark.parametrize(
    ("log10_lr", "words"),
    [
        (0, "no support for either side"),
        (0.3, "no support for either side"),
        (-0.3, "no support for either side"),
        (np.log10(2), "weak support for the same device"),
        (0.99, "weak support for the same device"),
        (-1, "moderate support for different devices"),
        (2, "moderately strong support for the same device"),
        (-3, "strong support for different devices"),
        (4, "very strong support for the same device"),
        (5.99, "very strong support for the same device"),
        (-INF, "extremely strong support for different devices"),
    ],
)
def test_verbal(log10_lr, words):
    assert verbal(log10_lr) == words


# Intervals.


@pytest.mark.parametrize("metric", METRICS)
def test_bootstrap_over_devices(metric):
    same, different, devices = pairs()
    figures = bootstrap(metric, same, different, **devices, n=100)
    assert figures == bootstrap(metric, same, different, **devices, n=100)
    assert figures["low"] <= figures["value"] == metric(same, different) <= figures["high"]
    assert figures["n"] == 8
    more = pairs(40)
    wide = bootstrap(metric, *more[:2], **more[2], n=50)
    assert wide["high"] - wide["low"] < 0.7 * (figures["high"] - figures["low"])


def test_bootstrap_counts_devices_not_pairs():
    same, different, devices = pairs(recordings=2)
    many = {name: np.repeat(values, 20, axis=0) for name, values in devices.items()}
    few = bootstrap(cllr, same, different, **devices, n=100)
    assert bootstrap(cllr, np.repeat(same, 20), np.repeat(different, 20), **many, n=100) == pytest.approx(few)


def test_bootstrap_draws_pairs_by_the_product_of_their_devices():
    seen = []
    devices = {"same_devices": [*"ABC"], "different_devices": [("A", "B"), ("A", "C"), ("B", "C")]}
    bootstrap(lambda *sides: seen.append(sides) or 0.0, [1, 2, 3], [12, 13, 23], **devices, n=40)
    for same, different in seen[:-1]:  # the last is the metric of all pairs
        times = dict.fromkeys((1, 2, 3), 0) | dict(zip(*np.unique(same, return_counts=True), strict=True))
        assert len(same) == 3
        for i, j in ((1, 2), (1, 3), (2, 3)):
            assert (different == 10 * i + j).sum() == times[i] * times[j]
    assert 20 < len(seen) < 41  # a draw of one device alone has no different pair


def test_bootstrap_of_what_is_undefined_or_infinite():
    same, different, devices = pairs(4)
    nowhere = bootstrap(lambda *_: np.nan, same, different, **devices, n=20)
    assert np.isnan([nowhere[key] for key in ("value", "low", "high")]).all()
    somewhere = bootstrap(lambda a, b: np.nan if len(b) > 50 else 0.5, same, different, **devices, n=50)
    assert somewhere["low"] == somewhere["high"] == 0.5
    endless = bootstrap(cllr, np.append(same[1:], -INF), different, **devices, n=50)
    assert endless["value"] == endless["high"] == INF


# Bad input.


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], r"shape is \(0,\)"),
        (1.0, r"shape is \(\)"),
        ([[1.0], [2.0]], r"shape is \(2, 1\)"),
        ([1, np.nan, 2], "1 of 3 not .*nan at 1"),
        (["high"], "must hold numbers: .*high"),
        (None, r"shape is \(\)"),
    ],
)
@pytest.mark.parametrize("function", [*METRICS, error_rates, calibrate, pav, elub])
def test_bad_sides_are_refused_by_name(function, bad, message):
    with pytest.raises(ParameterError, match=f"same.*{message}"):
        function(bad, [1.0])
    with pytest.raises(ParameterError, match=f"different.*{message}"):
        function([1.0], bad)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: calibrate([1, INF], [0]), "same: 1 of 2 not finite, the first inf at 1"),
        (lambda: calibrate([1], [0])([INF]), "scores: .*inf"),
        (lambda: pav([1], [0])([np.nan]), "scores: .*nan"),
        (lambda: ece([1], [0], log10_odds=[0, INF]), "log10_odds: .*inf"),
        (lambda: ece([1], [0], log10_odds=0), "log10_odds"),
        (lambda: source_bounds(0, 3), "n_same=0"),
        (lambda: source_bounds(3, 2.5), "n_different=2.5"),
        (lambda: source_bounds(np.nan, 2), "n_same=nan"),
        (lambda: verbal(np.nan), "log10_lr: .*nan"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"same_devices": ["A", "B"]}, r"shape \(2,\) for 3"),
        ({"different_devices": ["A", "B", "C"]}, r"\(3,\) for 3"),
        ({"different_devices": [("A", "B"), ("C", "C"), ("A", "C")]}, "different: 1 pairs of one device, .*'C'"),
        ({"same_devices": [*"AAB"]}, "same: pairs of 2 devices"),
        ({"different_devices": [("A", "B")] * 3}, "different: pairs of 2 devices"),
    ],
)
def test_bad_devices_are_refused(change, message):
    devices = {"same_devices": [*"ABC"], "different_devices": [("A", "B"), ("A", "C"), ("B", "C")]}
    with pytest.raises(ParameterError, match=message):
        bootstrap(cllr, [1, 2, 3], [0, -1, -2], **devices | change)


def test_no_function_changes_its_input():
    same, different, devices = pairs(4)
    before = same.copy(), different.copy()
    for function in (*METRICS, error_rates, calibrate, pav, elub):
        function(same, different)
    bootstrap(cllr, same, different, **devices, n=5)
    np.testing.assert_array_equal((*before[0], *before[1]), (*same, *different))
