"""From class probabilities to figures: votes, accuracies and comparisons with intervals, confusion, calibration.

``predictions`` is always a table with one row per decision, from `predictions_table` or `voted`. What counts as
independent is the recording, never the segment: a hundred segments of one recording share its room and its speaker.
Intervals of bare numbers and corrections are from `intervals`.
"""

import re

import numpy as np
import pandas as pd

from .errors import ParameterError, check_name
from .intervals import clopper_pearson, half_width, holm, logit_t_interval, sign_flip_p

KEYS = ["device", "recording", "draw", "start"]  # of a segment, before the columns of the devices


def predictions_table(probabilities, segments, devices):
    """Put class probabilities beside the segments they belong to.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(n, n_devices)]
    segments : pandas.DataFrame [n rows]
        With device, recording, draw, start [samples].
    devices : sequence of str
        Names of the columns of ``probabilities``. Names of other columns, as shapes that do not fit, raise
        ParameterError.

    Examples
    --------
    >>> segments = pd.DataFrame({"device": ["A", "B"], "recording": "r1", "draw": 0, "start": [0, 7]})
    >>> predictions_table([[0.75, 0.25], [0.5, 0.5]], segments, ["A", "B"])
      device recording  draw  start     A     B
    0      A        r1     0      0  0.75  0.25
    1      B        r1     0      7  0.50  0.50
    """
    probabilities, devices = np.asarray(probabilities, np.float32), list(devices)
    if probabilities.shape != (len(segments), len(devices)):
        expected = f"{len(segments)} segments and {len(devices)} devices"
        raise ParameterError(f"probabilities of shape {probabilities.shape} do not fit {expected}")
    if clash := sorted(set(KEYS) & set(devices)):
        raise ParameterError(f"a device cannot be named {clash[0]!r}, tables of predictions have a column of that name")
    table = segments[KEYS].reset_index(drop=True)
    return pd.concat([table, pd.DataFrame(probabilities, columns=devices)], axis=1)


def device_names(predictions):
    """Return the devices of a prediction table: its probability columns, in order.

    >>> device_names(pd.DataFrame(columns=["device", "recording", "draw", "start", "B", "A"]))
    ['B', 'A']
    """
    return [name for name in predictions.columns if name not in KEYS]


def vote(probabilities, *, rule="sum"):
    """Let several segments vote: notebook 07, section III-C5 of the paper.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(n_voters, ..., n_devices)]
    rule : {"sum", "majority", "majority-first"}
        Sum the posteriors, as published, or count one vote each; a tie is broken by the sum, or falls to the first
        device. Others raise ParameterError.

    Returns
    -------
    posterior : np.ndarray [shape=(..., n_devices)]
        Non-negative, sums to one.

    Examples
    --------
    >>> vote([[0.6, 0.4], [0.6, 0.4], [0.0, 1.0]]).round(2)
    array([0.4, 0.6])
    >>> vote([[0.6, 0.4], [0.6, 0.4], [0.0, 1.0]], rule="majority-first").round(2)
    array([0.67, 0.33])
    """
    probabilities = np.asarray(probabilities, np.float64)
    mean = probabilities.mean(axis=0)
    check_name("rule", rule, ("sum", "majority", "majority-first"))
    if rule == "sum":
        return mean / mean.sum(axis=-1, keepdims=True)
    votes = np.eye(probabilities.shape[-1])[probabilities.argmax(axis=-1)].sum(axis=0)
    if rule == "majority-first":
        return votes / len(probabilities)
    tie_break = votes + 0.5 * mean / mean.sum(axis=-1, keepdims=True)  # below one vote, so it only decides ties
    return tie_break / tie_break.sum(axis=-1, keepdims=True)


def voted(predictions, *, unit, rule="sum"):
    """Merge the segments of a prediction table into votes, one row per decision: notebook 07 and table V.

    Parameters
    ----------
    predictions : pandas.DataFrame
    unit : str
        "segment" (the first draw alone), "vote<k>" (segment i of each of the first k draws vote together) or
        "recording" (all segments of a recording vote). Others, and more draws than there are, raise ParameterError.
    rule : str
        As in `vote`.

    Examples
    --------
    >>> keys = pd.DataFrame({"device": "A", "recording": "r1", "draw": [0, 1], "start": [5, 9]})
    >>> voted(predictions_table([[0.25, 0.75], [1, 0]], keys, "AB"), unit="vote2")
      device recording  draw  start      A      B
    0      A        r1     0      5  0.625  0.375
    """
    if unit == "segment":
        return predictions[predictions["draw"] == 0].reset_index(drop=True)
    keys = ["device", "recording"]
    if unit != "recording":
        if not re.fullmatch("vote[1-9][0-9]*", unit):
            raise ParameterError(f"unit={unit!r} is not 'segment', 'recording' or 'vote' and a number")
        voters, draws = int(unit[4:]), predictions["draw"].max() + 1
        if voters > draws:
            raise ParameterError(f"unit={unit!r} needs {voters} draws of test segments, there are {draws}")
        predictions = predictions[predictions["draw"] < voters].reset_index(drop=True)
        keys = [*keys, predictions.groupby([*keys, "draw"]).cumcount()]  # and the place in the draw
    return merged(predictions, list(predictions.groupby(keys, sort=True).indices.values()), rule)


def merged(predictions, groups, rule):
    """Vote within each group of row numbers by a ``rule`` of `vote`; a row keeps the keys of the group's first segment.

    >>> keys = pd.DataFrame({"device": "A", "recording": "r1", "draw": 0, "start": [0, 9, 18]})
    >>> merged(predictions_table([[1, 0], [0.5, 0.5], [0, 1]], keys, "AB"), [[0, 1], [2]], "sum")
      device recording  draw  start     A     B
    0      A        r1     0      0  0.75  0.25
    1      A        r1     0     18  0.00  1.00
    """
    names = device_names(predictions)
    probabilities = predictions[names].to_numpy()
    table = predictions[KEYS].iloc[[rows[0] for rows in groups]].reset_index(drop=True)
    posterior = np.empty((len(groups), len(names)))
    for i, rows in enumerate(groups):
        posterior[i] = vote(probabilities[rows], rule=rule)
    return pd.concat([table, pd.DataFrame(posterior, columns=names)], axis=1)


def decisions(predictions):
    """Return the device with the largest probability in every row, np.ndarray [shape=(n,)] of str.

    >>> decisions(pd.DataFrame({"device": ["A", "A"], "A": [0.9, 0.2], "B": [0.1, 0.8]})).tolist()
    ['A', 'B']
    """
    names = np.array(device_names(predictions))
    return names[predictions[list(names)].to_numpy().argmax(axis=1)]


def correct(predictions):
    """Return whether the most probable device is the true one, np.ndarray [shape=(n,)], bool.

    >>> correct(pd.DataFrame({"device": ["A", "A"], "A": [0.9, 0.2], "B": [0.1, 0.8]})).tolist()
    [True, False]
    """
    return decisions(predictions) == predictions["device"].to_numpy()


def recording_names(predictions):
    """Return ``device/recording`` of every row, np.ndarray [shape=(n,)] of str.

    >>> recording_names(pd.DataFrame({"device": ["A", "B"], "recording": "r1"})).tolist()
    ['A/r1', 'B/r1']
    """
    return (predictions["device"] + "/" + predictions["recording"]).to_numpy()


def accuracy(predictions):
    """Return accuracy with its 95 % interval and the chance level.

    One decision per recording: `clopper_pearson`. Several: `logit_t_interval` over recordings, or over devices where
    these have several recordings and it is wider. `clopper_pearson` takes recordings of one device for independent.

    Returns
    -------
    figures : dict
        value, low, high (fractions), n (decisions), chance (share of the most frequent device).

    Examples
    --------
    >>> table = pd.DataFrame({"device": [*"AAB"], "recording": [*"121"], "A": [0.9, 0.6, 0.8], "B": [0.1, 0.4, 0.2]})
    >>> {name: round(figure, 2) for name, figure in accuracy(table).items()}
    {'value': 0.67, 'low': 0.09, 'high': 0.99, 'n': 3, 'chance': 0.67}
    """
    right, devices = correct(predictions), predictions["device"]
    recordings = predictions.groupby(["device", "recording"]).ngroup()
    n, value = recordings.nunique(), float(right.mean())
    if n == len(right):
        low, high = clopper_pearson(right.sum(), n)
    else:
        low, high = logit_t_interval(right, recordings)
        if 1 < devices.nunique() < n and 0 < value < 1:
            wide = logit_t_interval(right, devices)
            low, high = min(low, wide[0]), max(high, wide[1])
    chance = float(devices.value_counts(normalize=True).max())
    return {"value": value, "low": low, "high": high, "n": len(right), "chance": chance}


def accuracies(predictions, *, units=("segment", "recording"), rule="sum"):
    """Return `accuracy` for several units: columns unit, metric, value, low, high, n, chance; arguments as in `voted`.

    >>> keys = pd.DataFrame({"device": [*"AABB"], "recording": "r1", "draw": 0, "start": [0, 9, 0, 9]})
    >>> table = predictions_table([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], keys, "AB")
    >>> accuracies(table)[["unit", "value", "n"]]
            unit  value  n
    0    segment   0.75  4
    1  recording   1.00  2
    """
    rows = [{"unit": unit, "metric": "accuracy"} | accuracy(voted(predictions, unit=unit, rule=rule)) for unit in units]
    return pd.DataFrame(rows)


def paired_difference(a, b):
    """Compare two systems on the same recordings: accuracy of ``a`` minus accuracy of ``b``.

    Tables of different recordings raise ParameterError; decisions per recording may differ in number.

    Returns
    -------
    comparison : dict
        difference (mean over recordings), low, high (95 % interval), p (sign-flip test), n (recordings).

    Notes
    -----
    The differences per recording give a t interval and the test; means over devices do where these have several
    recordings each and it is wider. Few recordings that differ make t too sure of itself, so the interval reaches to
    zero where p is above 5 %: fewer than six cannot show a difference. If all differences are equal there is no spread
    to go by: what `clopper_pearson` allows of recordings that none of these resembles may then differ by -1 or by 1.

    Examples
    --------
    >>> keys = pd.DataFrame({"device": [*"ABCDEF"], "recording": "r1", "draw": 0, "start": 0})
    >>> always, never = predictions_table(np.eye(6), keys, "ABCDEF"), predictions_table(np.eye(6), keys, "BCDEFA")
    >>> {name: round(figure, 3) for name, figure in paired_difference(always, never).items()}
    {'difference': 1.0, 'low': 0.081, 'high': 1.0, 'p': 0.031, 'n': 6}
    """
    a, b = (pd.Series(correct(t)).groupby([t["device"].to_numpy(), t["recording"].to_numpy()]).mean() for t in (a, b))
    if len(lonely := a.index.symmetric_difference(b.index)):
        names = ", ".join(map("/".join, lonely[:5])) + ", ..." * (len(lonely) > 5)
        raise ParameterError(f"{len(lonely)} recordings are in only one of the two tables: {names}")
    values, clusters = (a - b).to_numpy(), np.arange(len(a))
    mean, devices = values.mean(), pd.factorize(a.index.get_level_values(0))[0]
    if np.ptp(values) < 1e-9:
        unseen = clopper_pearson(0, len(values))[1]
        low, high = mean - unseen * (1 + mean), mean + unseen * (1 - mean)
    else:
        half = half_width(values, clusters)
        if 0 < devices.max() < len(values) - 1 and half_width(values, devices) > half:
            half, clusters = half_width(values, devices), devices
        low, high = max(mean - half, -1), min(mean + half, 1)
    p = sign_flip_p(np.bincount(clusters, weights=values))
    if p > 0.05:
        low, high = min(low, 0), max(high, 0)
    return {"difference": float(mean), "low": float(low), "high": float(high), "p": p, "n": len(values)}


def verdict(comparison, *, better="helps", worse="hurts"):
    """Say what `paired_difference` found: ``better`` or ``worse`` only if the interval excludes zero.

    >>> verdict({"low": 0.01, "high": 0.05}), verdict({"low": -0.01, "high": 0.05})
    ('helps', 'is not told apart')
    """
    if comparison["low"] > 0:
        return better
    return worse if comparison["high"] < 0 else "is not told apart"


def compared(pairs, *, names=("pair",), better="helps", worse="hurts"):
    """Return what `paired_difference` says of several pairs of prediction tables.

    Parameters
    ----------
    pairs : dict of tuple
        What is compared, a text or a tuple of texts: (predictions, predictions).
    names : sequence of str
        What the texts are; names the levels of the table's index.
    better, worse : str
        The words of `verdict`.

    Returns
    -------
    table : pandas.DataFrame
        One row per pair: difference, low, high, p (adjusted for their number by `holm`), n, verdict. Where the
        adjusted p is above 5 %, the interval reaches to zero.

    Examples
    --------
    >>> keys = pd.DataFrame({"device": [*"ABCDEF"], "recording": "r1", "draw": 0, "start": 0})
    >>> always, never = predictions_table(np.eye(6), keys, "ABCDEF"), predictions_table(np.eye(6), keys, "BCDEFA")
    >>> compared({"one test": (always, never)})["verdict"].tolist()
    ['helps']
    >>> compared({"first of two": (always, never), "second": (never, always)})["verdict"].tolist()
    ['is not told apart', 'is not told apart']
    """
    columns = ["difference", "low", "high", "p", "n"]
    several = len(names) > 1
    index = pd.MultiIndex.from_tuples(list(pairs), names=names) if several else pd.Index(list(pairs), name=names[0])
    table = pd.DataFrame([paired_difference(*pair) for pair in pairs.values()], index, columns)
    table["p"] = holm(table["p"])
    table["low"] = table["low"].where(table["p"] <= 0.05, table["low"].clip(upper=0))
    table["high"] = table["high"].where(table["p"] <= 0.05, table["high"].clip(lower=0))
    return table.assign(verdict=[verdict(row, better=better, worse=worse) for row in table.to_dict("records")])


def device_report(predictions):
    """Return precision, recall, F1 and n of every device: table VI without its last row, see `average_report`.

    >>> device_report(pd.DataFrame({"device": [*"AAB"], "A": [0.9, 0.4, 0.2], "B": [0.1, 0.6, 0.8]})).round(2)
       precision  recall    f1  n
    A        1.0     0.5  0.67  2
    B        0.5     1.0  0.67  1
    """
    from sklearn.metrics import precision_recall_fscore_support

    names, truth, decided = device_names(predictions), predictions["device"], decisions(predictions)
    scores = precision_recall_fscore_support(truth, decided, labels=names, zero_division=0)
    return pd.DataFrame(dict(zip(("precision", "recall", "f1", "n"), scores, strict=True)), index=names)


def average_report(report):
    """Return the last row of table VI, pandas.Series: averages of a `device_report` weighted by n, and the sum of n.

    >>> report = pd.DataFrame({"precision": [1, 0.4], "recall": [0.5, 0.8], "f1": [0.6, 0.6], "n": [3, 1]})
    >>> average_report(report).round(3).to_dict()
    {'precision': 0.85, 'recall': 0.575, 'f1': 0.6, 'n': 4.0}
    """
    scores, n = report.drop(columns="n"), report["n"]
    return pd.concat([scores.mul(n, axis=0).sum() / n.sum(), pd.Series({"n": n.sum()})])


def confused_pairs(predictions, *, n=5):
    """Return the ``n`` most frequent confusions: true, decided, share of the true device's segments.

    >>> confused_pairs(pd.DataFrame({"device": [*"AAB"], "A": [0.9, 0.4, 0.2], "B": [0.1, 0.6, 0.8]}))
      true decided  share
    0    A       B    0.5
    """
    from sklearn.metrics import confusion_matrix

    names = np.array(device_names(predictions))
    shares = confusion_matrix(predictions["device"], decisions(predictions), labels=names, normalize="true")
    np.fill_diagonal(shares, 0)
    true, decided = np.nonzero(shares)
    pairs = {"true": names[true], "decided": names[decided], "share": shares[true, decided]}
    return pd.DataFrame(pairs).sort_values("share", ascending=False, kind="stable", ignore_index=True).head(n)


def calibration(predictions):
    """Compare how sure the classifier says it is with how often it is right.

    Returns a table with one row per filled one of ten bins of the largest probability, confidence (mean), accuracy and
    n, and the expected calibration error, the mean absolute gap weighted by n (Naeini, Cooper & Hauskrecht, 2015).

    >>> bins, error = calibration(pd.DataFrame({"device": [*"AAB"], "A": [0.9, 0.4, 0.2], "B": [0.1, 0.6, 0.8]}))
    >>> bins.round(2).to_dict("list"), round(error, 2)
    ({'confidence': [0.6, 0.8, 0.9], 'accuracy': [0.0, 1.0, 1.0], 'n': [1, 1, 1]}, 0.3)
    """
    confidence = predictions[device_names(predictions)].to_numpy(np.float64).max(axis=1)
    bins = np.minimum((10 * confidence).astype(int), 9)
    groups = pd.DataFrame({"confidence": confidence, "accuracy": correct(predictions)}, dtype=float).groupby(bins)
    table = groups.mean().assign(n=groups.size()).reset_index(drop=True)
    return table, float(np.average(np.abs(table["confidence"] - table["accuracy"]), weights=table["n"]))
