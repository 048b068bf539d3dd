"""Votes, accuracy, confusion, calibration and the leakage probe, against examples worked by hand."""

import numpy as np
import pandas as pd
import pytest

from devid_lib import evaluation
from devid_lib.errors import ParameterError
from devid_lib.evaluation import (
    KEYS,
    TRIVIAL_NUMBERS,
    accuracies,
    accuracy,
    bootstrap_interval,
    calibration,
    confused_pairs,
    confusion,
    correct,
    decisions,
    device_names,
    device_report,
    leakage_probe,
    predictions_table,
    vote,
    vote_curve,
    voted,
    zero_error_bound,
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
@pytest.mark.parametrize("block", [1, 20, 10**6])
def test_groups_of_unequal_size_vote_as_each_alone(monkeypatch, rule, block):
    monkeypatch.setattr(evaluation, "BLOCK", block)
    rng = np.random.default_rng(0)
    predictions = table("ABC" * 20, rng.dirichlet(np.ones(3), size=60))
    groups = [rng.permutation(60)[:size] for size in (3, 1, 7, 3, 7, 7, 2, 3)]
    together = evaluation.merged(predictions, groups, rule)
    names = ["A", "B", "C"]
    for i, rows in enumerate(groups):
        np.testing.assert_allclose(together.loc[i, names].astype(float), vote(predictions.loc[rows, names], rule=rule))
        assert together.loc[i, KEYS].tolist() == predictions.loc[rows[0], KEYS].tolist()


# Accuracy and its interval.


def test_bootstrap_of_two_recordings_by_hand():
    # three right segments against one wrong: a resample has mean 1, 3/4 or 0, with probability 1/4, 1/2, 1/4
    values, groups = [1, 1, 1, 0], ["a", "a", "a", "b"]
    assert bootstrap_interval(values, groups) == (0, 1)
    assert bootstrap_interval(values, groups, level=0.2) == (0.75, 0.75)


def test_bootstrap_over_recordings_is_wider_than_over_segments():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(9), 100)
    right = rng.random(900) < np.repeat(rng.uniform(0.7, 1, 9), 100)
    low, high = bootstrap_interval(right, groups)
    naive_low, naive_high = bootstrap_interval(right, np.arange(900))
    assert low < naive_low < right.mean() < naive_high < high
    assert high - low > 2 * (naive_high - naive_low)
    # the naive one is the textbook's interval of a share
    half = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 900)
    assert naive_high - naive_low == pytest.approx(2 * half, rel=0.1)


def test_bootstrap_follows_the_seed_and_the_level():
    rng = np.random.default_rng(1)
    values, groups = rng.random(300), rng.integers(0, 20, 300)
    assert bootstrap_interval(values, groups) == bootstrap_interval(values, groups)
    assert bootstrap_interval(values, groups) != bootstrap_interval(values, groups, seed=1)
    widths = [np.diff(bootstrap_interval(values, groups, level=level))[0] for level in (0.5, 0.9, 0.99)]
    assert widths == sorted(widths)
    names = np.array([f"recording {group}" for group in groups])
    assert bootstrap_interval(values, names) == bootstrap_interval(values, groups)


def test_interval_collapses_where_all_is_right():
    assert bootstrap_interval(np.ones(900), np.repeat(np.arange(9), 100)) == (1, 1)


def test_zero_error_bound_is_the_rule_of_three():
    assert zero_error_bound(1) == pytest.approx(0.95)  # the error that 5 % of single decisions survive
    assert zero_error_bound(9) == pytest.approx(0.28313, abs=1e-5)  # 1 - 0.05^(1/9)
    assert zero_error_bound(1000) == pytest.approx(3 / 1000, rel=0.01)
    assert zero_error_bound(135, level=0.99) == pytest.approx(0.03354, abs=1e-5)  # 1 - 0.01^(1/135)
    assert zero_error_bound(5, level=0.3) == pytest.approx(1 - 0.7**0.2)


def test_accuracy_by_hand():
    recordings = ["r1", "r1", "r2", "r2", "r1", "r1"]
    figures = accuracy(decided("AAAABC", "AABBBC", recordings=recordings))
    assert figures["value"] == pytest.approx(4 / 6)
    assert figures["chance"] == pytest.approx(4 / 6)  # always saying A
    assert figures["n"] == 6
    assert 0 <= figures["low"] < figures["value"] < figures["high"] == 1


def test_recordings_of_the_same_name_are_told_apart_by_device():
    names = evaluation.recording_names(decided("AB", "AB"))
    assert names.tolist() == ["A/r1", "B/r1"]


def test_accuracies():
    predictions = two_draws()
    rows = accuracies(predictions, units=("segment", "vote2", "recording"))
    assert list(rows.columns) == ["unit", "metric", "value", "low", "high", "n", "chance"]
    assert rows["unit"].tolist() == ["segment", "vote2", "recording"]
    assert (rows["metric"] == "accuracy").all()
    np.testing.assert_allclose(rows["value"], [2 / 6, 3 / 6, 2 / 3])
    assert rows["n"].tolist() == [6, 6, 3]


def test_vote_curve_by_hand():
    # two of three segments are right and equally sure: three voters are always right, one is in two of three cases
    predictions = decided("AAABBB", "AACBBC", recordings=["r1"] * 6)
    curve = vote_curve(predictions, voters=(1, 3, 4), repeats=500)
    assert curve["voters"].tolist() == [1, 3]  # no recording has four segments
    assert curve["n"].tolist() == [1000, 1000]
    assert curve["value"][0] == pytest.approx(2 / 3, abs=0.05)
    assert curve.loc[1, ["value", "low", "high"]].tolist() == [1, 1, 1]


def test_vote_curve_leaves_short_recordings_out():
    predictions = decided("AAAB", "AAAC")
    curve = vote_curve(predictions, voters=(1, 2), repeats=10)
    assert curve["n"].tolist() == [20, 10]
    assert curve["value"].tolist() == [0.5, 1]


def test_vote_curve_draws_without_replacement_and_follows_the_seed():
    rng = np.random.default_rng(0)
    predictions = table("A" * 20 + "B" * 20, rng.dirichlet(np.ones(3), size=40))
    everything = vote_curve(predictions, voters=[20], repeats=3)
    assert everything["value"][0] == accuracy(voted(predictions, unit="recording"))["value"]
    curve = vote_curve(predictions, voters=(1, 5), rule="majority")
    pd.testing.assert_frame_equal(curve, vote_curve(predictions, voters=(1, 5), rule="majority"))
    assert not curve.equals(vote_curve(predictions, voters=(1, 5), rule="majority", seed=1))


def test_vote_curve_needs_a_voter():
    with pytest.raises(ParameterError, match="voters=0"):
        vote_curve(two_draws(), voters=[0, 1])


# Per device.


def test_device_report_by_hand():
    report = device_report(decided("AAAABBCC", "AABCBBCC"))
    # A: 2 of 2 decisions, 2 of 4 segments; B and C: 2 of 3 decisions, 2 of 2 segments. Averages weighted 4 : 2 : 2
    expected = pd.DataFrame(
        {
            "precision": [1, 2 / 3, 2 / 3, 5 / 6],
            "recall": [0.5, 1, 1, 0.75],
            "f1": [2 / 3, 0.8, 0.8, 11 / 15],
            "n": [4, 2, 2, 8],
        },
        index=["A", "B", "C", "average"],
    )
    pd.testing.assert_frame_equal(report, expected)


def test_device_that_is_never_decided_has_no_precision():
    report = device_report(decided("AB", "AA"))
    assert report.loc["B", ["precision", "recall", "f1"]].tolist() == [0, 0, 0]
    assert report.loc["C"].tolist() == [0, 0, 0, 0]  # nor tested


def test_confusion_by_hand():
    matrix = confusion(decided("AAAABB", "AABCBA"))
    assert list(matrix.index) == list(matrix.columns) == ["A", "B", "C"]
    assert matrix.to_numpy().tolist() == [[0.5, 0.25, 0.25], [0.5, 0.5, 0], [0, 0, 0]]


def test_devices_keep_the_order_of_the_table():
    predictions = table("ab", np.eye(2), devices=("b", "a"))
    assert list(confusion(predictions).index) == ["b", "a"]
    assert list(device_report(predictions).index) == ["b", "a", "average"]
    assert confusion(predictions).loc["a", "b"] == 1  # the first segment is of a, and the first column is b


def test_confused_pairs_by_hand():
    predictions = decided("AAAABBCC", "AABCBACC")
    expected = pd.DataFrame({"true": ["B", "A", "A"], "decided": ["A", "B", "C"], "share": [0.5, 0.25, 0.25]})
    pd.testing.assert_frame_equal(confused_pairs(predictions), expected)
    pd.testing.assert_frame_equal(confused_pairs(predictions, n=2), expected[:2])
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
    bins, error = calibration(table("ABBC", probabilities), n_bins=1)
    np.testing.assert_allclose(bins, [[3.17 / 4, 0.5, 4]], atol=1e-6)
    assert error == pytest.approx(3.17 / 4 - 0.5, abs=1e-6)


def test_certainty_falls_into_the_last_bin():
    bins, error = calibration(table("AB", [[1, 0, 0], [0.05, 0.95, 0]]))
    assert bins["n"].tolist() == [2]
    assert error == pytest.approx(0.025, abs=1e-6)


# The leakage probe.


def probe_table(*, step=0.0, column="rms_db", excerpts=20):
    """Return a probe of 4 devices x 3 recordings of noise, one column shifted by ``step`` from device to device."""
    rng = np.random.default_rng(0)
    keys = pd.MultiIndex.from_product([list("ABCD"), ["r1", "r2", "r3"], range(excerpts)])
    keys = keys.to_frame(index=False, name=["device", "recording", "excerpt"]).drop(columns="excerpt")
    numbers = pd.DataFrame(rng.standard_normal((len(keys), 6)), columns=TRIVIAL_NUMBERS)
    numbers[column] += step * keys["device"].map("ABCD".index)
    return keys.assign(split=np.where(keys["recording"] == "r3", "test", "train")).join(numbers)


@pytest.mark.parametrize("column", ["rms_db", "dc_offset"])
def test_leakage_probe_finds_a_planted_difference(column):
    predictions = leakage_probe(probe_table(step=6, column=column))
    assert list(predictions.columns) == [*KEYS, "A", "B", "C", "D"]
    assert len(predictions) == 4 * 20
    assert (predictions["recording"] == "r3").all()  # trained on the others
    rows = accuracies(predictions).set_index("unit")
    assert rows.loc["segment", "value"] > 0.95
    assert rows.loc["recording", "value"] == 1
    assert rows.loc["segment", "chance"] == 0.25


def test_leakage_probe_is_at_chance_without_a_difference():
    figures = accuracy(leakage_probe(probe_table(excerpts=50)))
    assert figures["value"] == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / figures["n"]))


def test_leakage_probe_looks_at_the_six_numbers_only():
    probe = probe_table()
    named = probe.assign(answer=probe["device"].map("ABCD".index), samplerate=0)
    pd.testing.assert_frame_equal(leakage_probe(named), leakage_probe(probe))
