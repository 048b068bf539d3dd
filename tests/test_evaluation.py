"""Votes, accuracy, comparisons, confusion and calibration, against examples worked by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from devid_lib import evaluation
from devid_lib.errors import ParameterError
from devid_lib.evaluation import (
    KEYS,
    accuracies,
    accuracy,
    average_report,
    calibration,
    clopper_pearson,
    confused_pairs,
    correct,
    decisions,
    device_names,
    device_report,
    holm,
    logit_t_interval,
    paired_difference,
    predictions_table,
    recording_names,
    verdict,
    vote,
    voted,
)


def table(truth, probabilities, *, devices=("A", "B", "C"), recordings=None, draws=0):
    """Return a prediction table of one row per letter of ``truth``."""
    segments = pd.DataFrame({"device": list(truth), "recording": recordings or "r1", "split": "test", "draw": draws})
    segments["start"] = 100 * np.arange(len(segments))
    return predictions_table(probabilities, segments, devices)


def decided(truth, decision, **more):
    """Return a prediction table with the decisions given by letters, all 80 % sure."""
    return table(truth, np.full((len(truth), 3), 0.1) + 0.7 * np.eye(3)[["ABC".index(d) for d in decision]], **more)


# Tables.


def test_predictions_table():
    segments = pd.DataFrame(
        {"device": ["B", "A"], "recording": "x", "split": "test", "draw": [0, 1], "start": [7, 3]}, index=[10, 4]
    )
    predictions = predictions_table(np.array([[0.25, 0.75], [1, 0]]), segments, ("A", "B"))
    assert list(predictions.columns) == [*KEYS, "A", "B"]
    assert predictions.to_numpy().tolist() == [["B", "x", 0, 7, 0.25, 0.75], ["A", "x", 1, 3, 1, 0]]
    assert device_names(predictions) == ["A", "B"]
    assert (predictions.dtypes[["A", "B"]] == np.float32).all()


@pytest.mark.parametrize("shape", [(1, 2), (3, 2), (2, 3), (2,), (2, 2, 2)])
def test_predictions_that_do_not_fit_are_refused(shape):
    segments = pd.DataFrame({"device": ["B", "A"], "recording": "x", "draw": 0, "start": 0})
    with pytest.raises(ParameterError, match=f"shape .*{shape[0]}.*2 segments and 2 devices"):
        predictions_table(np.zeros(shape), segments, ("A", "B"))


@pytest.mark.parametrize("name", KEYS)
def test_device_with_the_name_of_a_column_is_refused(name):
    with pytest.raises(ParameterError, match=repr(name)):
        table("A", [[0.5, 0.5]], devices=("A", name))


def test_devices_may_have_odd_names():
    names = ["average", "nan", "place", "split", "_x", "$n$", "rms_db", "value"]
    predictions = table(names * 2, np.tile(np.eye(8), (2, 1)), devices=names, recordings=["r1"] * 8 + ["r2"] * 8)
    for unit in ("segment", "vote1", "recording"):
        assert correct(voted(predictions, unit=unit)).all()
    assert accuracy(predictions)["value"] == 1
    assert device_names(predictions) == list(device_report(predictions).index) == names
    assert paired_difference(predictions, predictions)["n"] == 16


def test_decisions_and_correct():
    predictions = table("ABC", [[0.5, 0.3, 0.2], [0.5, 0.4, 0.1], [0.3, 0.3, 0.4]])
    assert decisions(predictions).tolist() == ["A", "A", "C"]
    assert correct(predictions).tolist() == [True, False, True]


# Votes.


def test_sum_and_majority_by_hand():
    voters = [[0.51, 0.49], [0.53, 0.47], [0.01, 0.99]]
    np.testing.assert_allclose(vote(voters), [1.05 / 3, 1.95 / 3])  # one sure voter outweighs two unsure ones
    assert np.argmax(vote(voters, rule="majority")) == 0


def test_majority_by_hand():
    # 2 : 1 : 0 votes, each plus half the mean posterior (0.5, 0.4, 0.1), over 3.5
    voters = [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]]
    np.testing.assert_allclose(vote(voters, rule="majority"), np.array([2.25, 1.2, 0.05]) / 3.5)


@pytest.mark.parametrize(
    ("voters", "winner"),
    [
        ([[0.6, 0.4], [0.1, 0.9]], 1),  # one vote each: the sum decides
        ([[0.4, 0.6], [0.9, 0.1]], 0),
        ([[0.6, 0.4], [0.4, 0.6]], 0),  # the sums tie as well: the first device
        ([[0.5, 0.5], [0.5, 0.5]], 0),
        ([[0, 0.52, 0.48], [0, 0.52, 0.48], [1, 0, 0]], 1),  # a sum cannot outweigh a vote
    ],
)
def test_ties_of_the_majority(voters, winner):
    posterior = vote(voters, rule="majority")
    assert np.argmax(posterior) == winner
    assert posterior.sum() == pytest.approx(1)


@pytest.mark.parametrize("rule", ["sum", "majority"])
def test_votes_of_a_batch_are_those_of_each(rule):
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), size=(3, 5, 2))
    posterior = vote(probabilities, rule=rule)
    assert posterior.shape == (5, 2, 4)
    np.testing.assert_allclose(posterior.sum(axis=-1), 1)
    assert (posterior >= 0).all()
    for i, j in np.ndindex(5, 2):
        np.testing.assert_allclose(posterior[i, j], vote(probabilities[:, i, j], rule=rule))
    np.testing.assert_array_equal(vote(probabilities[:1], rule=rule).argmax(-1), probabilities[0].argmax(-1))


def test_unknown_rule_is_refused():
    with pytest.raises(ParameterError, match="'median'"):
        vote(np.ones((2, 2)), rule="median")
    with pytest.raises(ParameterError, match="'median'"):
        voted(decided("AB", "AB"), unit="recording", rule="median")


def two_draws():
    """Return two draws of two segments of two recordings of A and one of B, shuffled rows aside."""
    rows = [
        # device, recording, draw, P(A)
        ("A", "r1", 0, 0.9), ("A", "r1", 0, 0.4), ("A", "r1", 1, 0.2), ("A", "r1", 1, 0.8),
        ("A", "r2", 0, 0.1), ("A", "r2", 0, 0.3), ("A", "r2", 1, 0.6), ("A", "r2", 1, 0.65),
        ("B", "r1", 0, 0.2), ("B", "r1", 0, 0.6), ("B", "r1", 1, 0.3), ("B", "r1", 1, 0.45),
    ]  # fmt: skip
    segments = pd.DataFrame(rows, columns=["device", "recording", "draw", "a"]).assign(start=np.arange(12))
    a = segments.pop("a").to_numpy()
    return predictions_table(np.stack([a, 1 - a], axis=1), segments, ("A", "B"))


def test_voted_units_by_hand():
    predictions = two_draws()
    segment = voted(predictions, unit="segment")
    np.testing.assert_allclose(segment["A"], [0.9, 0.4, 0.1, 0.3, 0.2, 0.6], rtol=1e-6)
    # segment i of draw 0 votes with segment i of draw 1
    vote2 = voted(predictions, unit="vote2")
    np.testing.assert_allclose(vote2["A"], [0.55, 0.6, 0.35, 0.475, 0.25, 0.525], rtol=1e-6)
    assert vote2["start"].tolist() == [0, 1, 4, 5, 8, 9]  # the keys of the first voter
    assert vote2[["device", "recording"]].agg("/".join, axis=1).tolist() == ["A/r1"] * 2 + ["A/r2"] * 2 + ["B/r1"] * 2
    np.testing.assert_allclose(voted(predictions, unit="vote1")[["A", "B"]], segment[["A", "B"]])
    # all four segments of a recording
    recording = voted(predictions, unit="recording")
    np.testing.assert_allclose(recording["A"], [0.575, 0.4125, 0.3875], rtol=1e-6)
    assert correct(recording).tolist() == [True, False, True]
    majority = voted(predictions, unit="recording", rule="majority")
    # A/r1 has two votes each, and the sum decides; A/r2 too, the other way; B/r1 has three for B
    assert correct(majority).tolist() == [True, False, True]
    for unit in ("segment", "vote2", "recording"):
        assert list(voted(predictions, unit=unit).columns) == list(predictions.columns)


def test_rows_in_another_order_change_nothing_but_the_order():
    predictions = two_draws()
    by_draw = predictions.sort_values("draw", kind="stable")  # segments keep their order within a draw
    for unit in ("vote2", "recording"):
        np.testing.assert_allclose(voted(by_draw, unit=unit)["A"], voted(predictions, unit=unit)["A"])


@pytest.mark.parametrize("unit", ["vote3", "vote0", "vote-1", "vote", "vote2.0", "vote\u00b2", "file", ""])
def test_unknown_units_are_refused(unit):
    with pytest.raises(ParameterError, match="unit="):
        voted(two_draws(), unit=unit)


@pytest.mark.parametrize("rule", ["sum", "majority"])
def test_groups_of_unequal_size_vote_as_each_alone(rule):
    rng = np.random.default_rng(0)
    predictions = table("ABC" * 20, rng.dirichlet(np.ones(3), size=60))
    groups = [rng.permutation(60)[:size] for size in (3, 1, 7, 3, 7, 7, 2, 3)]
    together = evaluation.merged(predictions, groups, rule)
    names = ["A", "B", "C"]
    for i, rows in enumerate(groups):
        np.testing.assert_allclose(together.loc[i, names].astype(float), vote(predictions.loc[rows, names], rule=rule))
        assert together.loc[i, KEYS].tolist() == predictions.loc[rows[0], KEYS].tolist()


# Accuracy and its interval.


def test_clopper_pearson_is_exact():
    assert clopper_pearson(9, 9) == pytest.approx((0.025 ** (1 / 9), 1))
    assert clopper_pearson(0, 135) == pytest.approx((0, 1 - 0.025 ** (1 / 135)))
    low, high = clopper_pearson(7, 9)
    # at the ends of the interval so many, or so few, successes have a probability of 2.5 %
    assert stats.binom.sf(6, 9, low) == pytest.approx(0.025)
    assert stats.binom.cdf(7, 9, high) == pytest.approx(0.025)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 3), (4, 3)])
def test_clopper_pearson_needs_trials(k, n):
    with pytest.raises(ParameterError, match=f"{k} of {n}"):
        clopper_pearson(k, n)


def test_logit_t_of_three_recordings_by_hand():
    # shares .9, .8, .7: standard error .1 / sqrt(3), over p (1 - p) = .16, times 4.30
    values = np.repeat([1, 0, 1, 0, 1, 0], [90, 10, 80, 20, 70, 30])
    half = stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3) / 0.16
    expected = 1 / (1 + np.exp(-(np.log(4) + np.array([-half, half]))))
    np.testing.assert_allclose(logit_t_interval(values, np.repeat([*"bca"], 100)), expected)


def test_logit_t_of_unequal_recordings_counts_decisions():
    # 10 of 10 and 10 of 20: p = 2/3, sums of residuals 10/3 and -10/3, standard error sqrt(2 * 2 * 100/9) / 30
    low, high = logit_t_interval(np.repeat([1, 0], [20, 10]), np.repeat([0, 1], [10, 20]))
    half = np.diff(np.log([low / (1 - low), high / (1 - high)]))[0] / 2
    assert half == pytest.approx(stats.t.ppf(0.975, 1) * np.sqrt(400 / 9) / 30 / (2 / 9))


def test_logit_t_over_recordings_is_wider_than_over_segments():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(9), 100)
    right = rng.random(900) < np.repeat(rng.uniform(0.7, 1, 9), 100)
    low, high = logit_t_interval(right, groups)
    naive_low, naive_high = logit_t_interval(right, range(900))
    assert low < naive_low < right.mean() < naive_high < high
    assert high - low > 2 * (naive_high - naive_low)
    # the naive one is the textbook's interval of a share
    half = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 900)
    assert naive_high - naive_low == pytest.approx(2 * half, rel=0.05)


def test_interval_without_spread_does_not_collapse():
    groups = np.repeat(np.arange(9), 100)
    assert logit_t_interval(np.ones(900), groups) == clopper_pearson(9, 9)  # nine recordings, not 900
    assert logit_t_interval(np.zeros(900), groups) == clopper_pearson(0, 9)
    assert logit_t_interval([1], ["r1"]) == logit_t_interval([1] * 100, ["r1"] * 100) == clopper_pearson(1, 1)
    assert logit_t_interval([1, 0, 1], ["r1"] * 3) == (0, 1)  # nothing is known of other recordings
    # 90 of 100 everywhere: no spread is seen, but 900 decisions have a binomial one
    low, high = logit_t_interval(np.tile(np.arange(100) < 90, 9), groups)
    half = np.diff(np.log([low / (1 - low), high / (1 - high)]))[0] / 2
    assert half == pytest.approx(stats.t.ppf(0.975, 8) * np.sqrt(0.09 / 900) / 0.09)


def coverage(interval, *, recordings, rng, segments=100, mean=0.93, sd=0.08, repeats=1000):
    """Return how often ``interval`` of segments holds the mean of the recordings' beta-distributed true accuracies."""
    total = mean * (1 - mean) / sd**2 - 1
    groups, held = np.repeat(np.arange(recordings), segments), 0
    for _ in range(repeats):
        truth = rng.beta(mean * total, (1 - mean) * total, recordings)
        low, high = interval(rng.random(len(groups)) < np.repeat(truth, segments), groups)
        held += low <= mean <= high
    return held / repeats


def percentile_bootstrap(values, groups):
    """Return a 95 % bootstrap interval over equally long recordings."""
    shares = np.bincount(groups, weights=values) / np.bincount(groups)
    rng = np.random.default_rng(0)
    return np.quantile(shares[rng.integers(0, len(shares), (500, len(shares)))].mean(axis=1), [0.025, 0.975])


def test_coverage_that_the_docstring_states():
    rng = np.random.default_rng(0)
    assert coverage(logit_t_interval, recordings=9, rng=rng) == pytest.approx(0.93, abs=0.015)
    assert coverage(percentile_bootstrap, recordings=9, rng=rng) == pytest.approx(0.86, abs=0.025)


@pytest.mark.parametrize("recordings", [9, 45])
@pytest.mark.parametrize(("mean", "sd"), [(0.5, 0.2), (0.87, 0.1), (0.93, 0.02), (0.98, 0.02)])
def test_coverage_is_near_what_is_asked_for(recordings, mean, sd):
    rng = np.random.default_rng(0)
    assert coverage(logit_t_interval, recordings=recordings, rng=rng, mean=mean, sd=sd, repeats=400) > 0.91


def test_accuracy_of_segments_by_hand():
    recordings = ["r1", "r1", "r2", "r2", "r1", "r1"]
    predictions = decided("AAAABC", "AABBBC", recordings=recordings)
    figures = accuracy(predictions)
    assert figures["value"] == pytest.approx(4 / 6)
    assert figures["chance"] == pytest.approx(4 / 6)  # always saying A
    assert figures["n"] == 6
    assert 0 < figures["low"] < figures["value"] < figures["high"] < 1
    assert figures["high"] >= logit_t_interval(correct(predictions), recording_names(predictions))[1]


def test_accuracy_of_whole_recordings_is_exact():
    recordings = ["r1", "r2", "r3"] * 3
    figures = accuracy(decided("AAABBBCCC", "AAABBBCCA", recordings=recordings))
    assert (figures["low"], figures["high"]) == clopper_pearson(8, 9)
    figures = accuracy(decided("ABC", "ABC"))  # recordings of the same name are told apart by device
    assert (figures["low"], figures["high"]) == clopper_pearson(3, 3)


def test_accuracy_without_an_error_counts_recordings():
    figures = accuracy(decided("AAAABBBB", "AAAABBBB", recordings=["r1", "r1", "r2", "r2"] * 2))
    assert (figures["low"], figures["high"]) == clopper_pearson(4, 4)


def test_accuracy_is_over_devices_where_recordings_of_one_are_alike():
    # A is right in 9 of 10 segments of each of three recordings, B in 6, C in all
    truth = np.repeat([*"ABC"], 30)
    decision = np.tile([*"AAAAAAAAAB", *"BBBBBBCCCC", *"CCCCCCCCCC"], 3).reshape(3, 3, 10).swapaxes(0, 1).ravel()
    predictions = decided("".join(truth), "".join(decision), recordings=[*np.repeat(["r1", "r2", "r3"], 10)] * 3)
    figures, right = accuracy(predictions), correct(predictions)
    assert (figures["low"], figures["high"]) == logit_t_interval(right, truth)
    over_recordings = logit_t_interval(right, recording_names(predictions))
    assert figures["low"] < over_recordings[0] < over_recordings[1] < figures["high"]
    # of a single device nothing else can be said than over its recordings
    alone = predictions[:30].reset_index(drop=True)
    figures = accuracy(alone)
    assert (figures["low"], figures["high"]) == logit_t_interval(correct(alone), recording_names(alone))


def test_recordings_of_the_same_name_are_told_apart_by_device():
    assert recording_names(decided("AB", "AB")).tolist() == ["A/r1", "B/r1"]


def test_accuracies():
    predictions = two_draws()
    rows = accuracies(predictions, units=("segment", "vote2", "recording"))
    assert list(rows.columns) == ["unit", "metric", "value", "low", "high", "n", "chance"]
    assert rows["unit"].tolist() == ["segment", "vote2", "recording"]
    assert (rows["metric"] == "accuracy").all()
    np.testing.assert_allclose(rows["value"], [2 / 6, 3 / 6, 2 / 3])
    assert rows["n"].tolist() == [6, 6, 3]


# Two systems.


def shares(numbers, *, devices=None, n=20):
    """Return predictions of one recording per number, the share of its ``n`` segments that are right."""
    devices = devices or [f"device {i}" for i in range(len(numbers))]
    names = [*dict.fromkeys(devices), "nobody"]
    right = np.concatenate([np.arange(n) < round(share * n) for share in numbers])
    truth = np.repeat(devices, n)
    probabilities = np.eye(len(names))[[names.index(d) if r else -1 for d, r in zip(truth, right, strict=True)]]
    recordings = [f"r{i}" for i in np.repeat(np.arange(len(numbers)), n)]
    return table(truth, probabilities, devices=names, recordings=recordings)


def test_paired_difference_by_hand():
    a, b = [0.9, 0.8, 1.0, 0.9, 0.95, 0.85, 0.75], [0.85, 0.7, 0.8, 0.8, 0.85, 0.8, 0.7]
    comparison = paired_difference(shares(a), shares(b))
    gained = np.subtract(a, b)
    expected = stats.ttest_1samp(gained, 0).confidence_interval()
    assert comparison["difference"] == pytest.approx(gained.mean())
    assert (comparison["low"], comparison["high"]) == pytest.approx(tuple(expected))
    assert comparison["p"] == 2 / 2**7  # all signs alike
    assert comparison["n"] == 7
    mirrored = paired_difference(shares(b), shares(a))
    assert (mirrored["low"], mirrored["high"]) == pytest.approx((-comparison["high"], -comparison["low"]))
    assert (verdict(comparison), verdict(mirrored)) == ("helps", "hurts")
    assert verdict(mirrored, better="is ahead", worse="is behind") == "is behind"


@pytest.mark.parametrize("n", [2, 9, 14])
def test_sign_flips_of_few_are_exact(n):
    numbers = np.random.default_rng(n).integers(-3, 6, n) / 20
    oracle = stats.permutation_test((numbers,), np.sum, permutation_type="samples", n_resamples=2**14)
    assert evaluation.sign_flip_p(numbers) == pytest.approx(oracle.pvalue)


def test_sign_flips_of_many_are_near_the_t_test_and_seeded():
    numbers = np.random.default_rng(0).normal(0.2, 1, 100)
    p = evaluation.sign_flip_p(numbers)
    assert p == pytest.approx(stats.ttest_1samp(numbers, 0).pvalue, abs=0.01)
    assert p == evaluation.sign_flip_p(numbers)
    assert 0 < evaluation.sign_flip_p(np.ones(100)) < 0.001
    assert evaluation.sign_flip_p(np.zeros(100)) == 1


def test_sign_flips_of_whole_recordings_are_mcnemars_test():
    numbers = np.repeat([0, 1, -1], [100, 6, 1])
    assert evaluation.sign_flip_p(numbers) == pytest.approx(stats.binomtest(6, 7).pvalue)


def test_few_recordings_that_differ_tell_nothing_apart():
    # t over 135 recordings would say that 4 : 0 is a difference, the exact test says p = 1/8
    a = shares([1.0] * 135, n=1)
    comparison = paired_difference(a, shares([0.0] * 4 + [1.0] * 131, n=1))
    assert stats.ttest_1samp([1] * 4 + [0] * 131, 0).pvalue < 0.05
    assert comparison["p"] == 0.125
    assert comparison["low"] == 0 < comparison["high"]
    assert verdict(comparison) == "is not told apart"
    comparison = paired_difference(a, shares([0.0] * 6 + [1.0] * 129, n=1))
    assert comparison["p"] == pytest.approx(1 / 32)
    assert verdict(comparison) == "helps"


def test_systems_that_never_differ_are_not_the_same():
    same = shares([1.0, 0.9, 0.8] * 3)
    comparison = paired_difference(same, same)
    bound = 1 - 0.025 ** (1 / 9)
    assert (comparison["low"], comparison["high"]) == pytest.approx((-bound, bound))
    assert (comparison["difference"], comparison["p"], comparison["n"]) == (0, 1, 9)
    comparison = paired_difference(shares([0.9]), shares([0.9]))
    assert (comparison["low"], comparison["high"]) == pytest.approx((-0.975, 0.975))


@pytest.mark.parametrize(("n", "words"), [(1, "is not told apart"), (5, "is not told apart"), (9, "helps")])
def test_difference_that_is_always_the_same(n, words):
    comparison = paired_difference(shares([0.9] * n), shares([0.6] * n))
    bound = 1 - 0.025 ** (1 / n)
    assert comparison["difference"] == pytest.approx(0.3)
    assert comparison["low"] == pytest.approx(0.3 - 1.3 * bound)
    assert comparison["high"] == pytest.approx(0.3 + 0.7 * bound)
    assert verdict(comparison) == ("is not told apart" if comparison["low"] < 0 else words)


def test_devices_count_where_their_recordings_go_together():
    devices = [*np.repeat([*"ABCDEFGH"], 3)]
    b = [0.5] * 24
    a = [0.8, 0.8, 0.75] * 5 + [0.4, 0.4, 0.45] * 3
    comparison = paired_difference(shares(a, devices=devices), shares(b, devices=devices))
    means = np.subtract(a, b).reshape(8, 3).mean(axis=1)
    low, high = stats.ttest_1samp(means, 0).confidence_interval()
    assert (comparison["low"], comparison["high"]) == pytest.approx((low, high))
    assert comparison["p"] == pytest.approx(stats.permutation_test((means,), np.sum, permutation_type="samples").pvalue)
    assert comparison["n"] == 24
    assert verdict(comparison) == "is not told apart"
    # the same numbers, recordings dealt out to devices at random: they are what counts
    order = np.random.default_rng(0).permutation(24)
    comparison = paired_difference(shares(np.array(a)[order], devices=devices), shares(b, devices=devices))
    assert comparison["high"] - comparison["low"] < high - low


def test_recordings_are_aligned_by_name():
    a, b = shares([0.9, 0.8, 0.5, 1.0]), shares([0.7, 0.8, 0.6, 0.9])
    shuffled = b.sample(frac=1, random_state=0).reset_index(drop=True)
    assert paired_difference(a, shuffled) == paired_difference(a, b)
    segments_and_votes = paired_difference(a, voted(b, unit="recording"))
    assert segments_and_votes["difference"] == pytest.approx(0.8 - 1)


def test_other_recordings_are_refused_by_name():
    whole = shares([0.9] * 8)
    with pytest.raises(ParameterError, match=r"^1 recordings .*: device 7/r7$"):
        paired_difference(whole, whole[whole["recording"] != "r7"])
    with pytest.raises(ParameterError, match=r"^7 recordings .*device 1/r1, .*device 5/r5, \.\.\.$"):
        paired_difference(whole[whole["recording"] == "r0"], whole)


def test_equal_systems_are_seldom_told_apart():
    rng = np.random.default_rng(0)
    devices, found = [*np.repeat([*"ABCDEFGHI"], 3)], 0
    for _ in range(100):  # a device suits one system or the other, in all of its recordings
        a, b = (np.clip(0.7 + np.repeat(rng.normal(0, 0.1, 9), 3) + rng.normal(0, 0.03, 27), 0, 1) for _ in "ab")
        comparison = paired_difference(shares(a, devices=devices), shares(b, devices=devices))
        found += verdict(comparison) != "is not told apart"
    assert found / 100 < 0.12  # 5 %, and three standard errors


def test_verdict_needs_an_interval_that_excludes_zero():
    assert verdict({"low": 0.0, "high": 0.1}) == verdict({"low": -0.1, "high": 0.0}) == "is not told apart"
    assert verdict({"low": 0.001, "high": 0.1}) == "helps"
    assert verdict({"low": -0.1, "high": -0.001}) == "hurts"


def test_holm_by_hand():
    # sorted .01 .02 .03 .5, times 4 3 2 1 is .04 .06 .06 .5
    np.testing.assert_allclose(holm([0.03, 0.5, 0.01, 0.02]), [0.06, 0.5, 0.04, 0.06])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1, 1])
    np.testing.assert_allclose(holm(pd.Series([0.04], index=["x"])), [0.04])
    assert holm([]).tolist() == []


# Per device.


def test_device_report_by_hand():
    report = device_report(decided("AAAABBCC", "AABCBBCC"))
    # A: 2 of 2 decisions, 2 of 4 segments; B and C: 2 of 3 decisions, 2 of 2 segments. Averages weighted 4 : 2 : 2
    expected = pd.DataFrame(
        {
            "precision": [1, 2 / 3, 2 / 3],
            "recall": [0.5, 1, 1],
            "f1": [2 / 3, 0.8, 0.8],
            "n": [4, 2, 2],
        },
        index=["A", "B", "C"],
    )
    pd.testing.assert_frame_equal(report, expected)
    average = pd.Series({"precision": 5 / 6, "recall": 0.75, "f1": 11 / 15, "n": 8.0})
    pd.testing.assert_series_equal(average_report(report), average)


def test_device_named_average_keeps_its_row():
    report = device_report(table(["average", "B", "B"], np.eye(2)[[0, 1, 0]], devices=("average", "B")))
    assert report.loc["average", "recall"] == 1
    assert average_report(report)["recall"] == pytest.approx(2 / 3)


def test_device_that_is_never_decided_has_no_precision():
    report = device_report(decided("AB", "AA"))
    assert report.loc["B", ["precision", "recall", "f1"]].tolist() == [0, 0, 0]
    assert report.loc["C"].tolist() == [0, 0, 0, 0]  # nor tested


def test_devices_keep_the_order_of_the_table():
    predictions = table("ab", np.eye(2), devices=("b", "a"))
    assert list(device_report(predictions).index) == ["b", "a"]
    assert confused_pairs(predictions).to_numpy().tolist() == [["b", "a", 1], ["a", "b", 1]]  # by rows of the matrix


def test_confused_pairs_by_hand():
    predictions = decided("AAAABBCC", "AABCBACC")
    expected = pd.DataFrame({"true": ["B", "A", "A"], "decided": ["A", "B", "C"], "share": [0.5, 0.25, 0.25]})
    pd.testing.assert_frame_equal(confused_pairs(predictions), expected)
    pd.testing.assert_frame_equal(confused_pairs(predictions, n=2), expected[:2])
    untested = confused_pairs(decided("AAAABB", "AABCBA"))  # C
    assert untested.to_numpy().tolist() == [["B", "A", 0.5], ["A", "B", 0.25], ["A", "C", 0.25]]
    none = confused_pairs(decided("ABC", "ABC"))
    assert none.empty
    assert list(none.columns) == ["true", "decided", "share"]


def test_calibration_by_hand():
    probabilities = [[0.95, 0.05, 0], [0.85, 0.1, 0.05], [0.1, 0.82, 0.08], [0.55, 0.4, 0.05]]
    bins, error = calibration(table("ABBC", probabilities))
    # 0.55 wrong; 0.85 wrong and 0.82 right; 0.95 right
    assert list(bins.columns) == ["confidence", "accuracy", "n"]
    np.testing.assert_allclose(bins, [[0.55, 0, 1], [0.835, 0.5, 2], [0.95, 1, 1]], atol=1e-6)
    assert error == pytest.approx((0.55 + 2 * 0.335 + 0.05) / 4, abs=1e-6)


def test_certainty_falls_into_the_last_bin():
    bins, error = calibration(table("AB", [[1, 0, 0], [0.05, 0.95, 0]]))
    assert bins["n"].tolist() == [2]
    assert error == pytest.approx(0.025, abs=1e-6)
