"""From class probabilities to figures: votes, accuracy with interval and chance level, confusion, leakage probe."""

import re

import numpy as np
import pandas as pd

from .errors import ParameterError

KEYS = ["device", "recording", "draw", "start"]
TRIVIAL_NUMBERS = ["rms_db", "floor_p5_db", "floor_p10_db", "floor_p50_db", "zero_share", "dc_offset"]
BLOCK = 1_000_000  # probabilities that vote at a time


def predictions_table(probabilities, segments, devices):
    """Put class probabilities beside the segments they belong to.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(n, n_devices)]
        Posterior of every segment.
    segments : pandas.DataFrame [n rows]
        With device, recording, draw, start.
    devices : sequence of str
        Names of the columns of ``probabilities``.

    Returns
    -------
    predictions : pandas.DataFrame [n rows]
        device, recording, draw, start, and one column per device.

    Raises
    ------
    ParameterError
        If ``probabilities`` does not have one row per segment and one column per device.
    """
    probabilities, devices = np.asarray(probabilities, np.float32), list(devices)
    if probabilities.shape != (len(segments), len(devices)):
        expected = f"{len(segments)} segments and {len(devices)} devices"
        raise ParameterError(f"probabilities of shape {probabilities.shape} do not fit {expected}")
    table = segments[KEYS].reset_index(drop=True)
    return pd.concat([table, pd.DataFrame(probabilities, columns=devices)], axis=1)


def device_names(predictions):
    """Return the devices of a prediction table: its probability columns, in order."""
    return [name for name in predictions.columns if name not in KEYS]


def vote(probabilities, *, rule="sum"):
    """Let several segments vote.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(n_voters, ..., n_devices)]
        Posteriors; the first axis is the voters.
    rule : {"sum", "majority", "majority-first"}
        Sum the posteriors, as published, or count one vote each; a tie is broken by the sum, or falls to the first
        device.

    Returns
    -------
    posterior : np.ndarray [shape=(..., n_devices)]
        Non-negative, sums to one.

    Raises
    ------
    ParameterError
        If ``rule`` is not listed.

    Notes
    -----
    Notebook 07, section III-C5 of the paper.
    """
    probabilities = np.asarray(probabilities, np.float64)
    mean = probabilities.mean(axis=0)
    if rule == "sum":
        return mean / mean.sum(axis=-1, keepdims=True)
    if rule not in ("majority", "majority-first"):
        raise ParameterError(f"rule={rule!r} is not one of 'sum', 'majority', 'majority-first'")
    votes = np.eye(probabilities.shape[-1])[probabilities.argmax(axis=-1)].sum(axis=0)
    if rule == "majority-first":
        return votes / len(probabilities)
    tie_break = votes + 0.5 * mean / mean.sum(axis=-1, keepdims=True)  # below one vote, so it only decides ties
    return tie_break / tie_break.sum(axis=-1, keepdims=True)


def voted(predictions, *, unit, rule="sum"):
    """Merge the segments of a prediction table into votes.

    Parameters
    ----------
    predictions : pandas.DataFrame
        From `predictions_table`.
    unit : str
        "segment" (the first draw alone), "vote<k>" (segment i of each of the first k draws vote together) or
        "recording" (all segments of a recording vote).
    rule : {"sum", "majority", "majority-first"}
        As in `vote`.

    Returns
    -------
    predictions : pandas.DataFrame
        One row per decision, same columns.

    Raises
    ------
    ParameterError
        If ``unit`` is not known or asks for more draws than there are.

    Notes
    -----
    Notebook 07 and table V.
    """
    if unit == "segment":
        return predictions[predictions["draw"] == 0].reset_index(drop=True)
    if unit == "recording":
        groups = predictions.groupby(["device", "recording"], sort=True).indices.values()
        return merged(predictions, list(groups), rule)
    if not re.fullmatch("vote[1-9][0-9]*", unit):
        raise ParameterError(f"unit={unit!r} is not 'segment', 'recording' or 'vote' and a number")
    voters, draws = int(unit[4:]), predictions["draw"].max() + 1
    if voters > draws:
        raise ParameterError(f"unit={unit!r} needs {voters} draws of test segments, there are {draws}")
    chosen = predictions[predictions["draw"] < voters]
    place = chosen.groupby(["device", "recording", "draw"]).cumcount()
    groups = chosen.assign(place=place).reset_index(drop=True)
    order = groups.groupby(["device", "recording", "place"], sort=True).indices.values()
    return merged(chosen.reset_index(drop=True), list(order), rule)


def merged(predictions, groups, rule):
    """Vote within each group of row numbers; a merged row keeps the keys of its first segment."""
    names = device_names(predictions)
    probabilities = predictions[names].to_numpy()
    table = predictions[KEYS].iloc[[rows[0] for rows in groups]].reset_index(drop=True)
    posterior, sizes = np.empty(table.shape[:1] + (len(names),)), np.array([len(rows) for rows in groups])
    for size in np.unique(sizes):  # groups of equal size vote in one go, as many as fit into some 10 MB
        same = np.flatnonzero(sizes == size)
        blocks = 1 + len(same) * size * len(names) // BLOCK
        for part in np.array_split(same, min(blocks, len(same))):
            rows = np.stack([groups[i] for i in part], axis=1)
            posterior[part] = vote(probabilities[rows], rule=rule)
    return pd.concat([table, pd.DataFrame(posterior, columns=names)], axis=1)


def decisions(predictions):
    """Return the device with the largest probability in every row, np.ndarray of str."""
    names = np.array(device_names(predictions))
    return names[predictions[list(names)].to_numpy().argmax(axis=1)]


def correct(predictions):
    """Return whether the most probable device is the true one, np.ndarray [shape=(n,)], bool."""
    return decisions(predictions) == predictions["device"].to_numpy()


def bootstrap_interval(values, groups, *, level=0.95, n_resamples=2000, seed=0):
    """Return a percentile bootstrap interval of a mean, resampling whole recordings.

    Parameters
    ----------
    values : np.ndarray [shape=(n,)]
        One number per decision, for an accuracy 0 or 1.
    groups : sequence of length n
        The recording of each decision.
    level : float in (0, 1)
        Coverage.
    n_resamples : int
        Bootstrap samples.
    seed : int
        Seed of the resampling.

    Returns
    -------
    low, high : float

    Notes
    -----
    Notebook 08. Efron & Tibshirani (1993), chapter 13. Segments of one recording are not independent, so nine
    recordings with 100 segments each are nine observations, not 900. Where every recording is right the interval
    collapses to a point; `zero_error_bound` says what can still be claimed then.
    """
    codes, _ = pd.factorize(np.asarray(groups))
    count = np.bincount(codes)
    total = np.bincount(codes, weights=np.asarray(values, float))
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(count), np.full(len(count), 1 / len(count)), size=n_resamples)
    means = (weights @ total) / (weights @ count)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def zero_error_bound(n, *, level=0.95):
    """Return the largest error rate that ``n`` decisions without an error still allow (Clopper & Pearson, 1934)."""
    return 1 - (1 - level) ** (1 / n)  # at that error rate, n right decisions in a row have probability 1 - level


def accuracy(predictions):
    """Return accuracy with its interval over recordings and the chance level.

    Parameters
    ----------
    predictions : pandas.DataFrame
        One row per decision, from `predictions_table` or `voted`.

    Returns
    -------
    figures : dict
        value, low, high (fractions), n (decisions), chance (share of the most frequent device).
    """
    right = correct(predictions)
    low, high = bootstrap_interval(right, recording_names(predictions))
    chance = float(predictions["device"].value_counts(normalize=True).max())
    return {"value": float(right.mean()), "low": low, "high": high, "n": len(right), "chance": chance}


def recording_names(predictions):
    """Return ``device/recording`` of every row."""
    return (predictions["device"] + "/" + predictions["recording"]).to_numpy()


def accuracies(predictions, *, units=("segment", "recording"), rule="sum"):
    """Return `accuracy` for several units, one row each.

    Parameters
    ----------
    predictions : pandas.DataFrame
        Segments of all draws, from `predictions_table`.
    units : sequence of str
        As in `voted`.
    rule : {"sum", "majority", "majority-first"}
        As in `vote`.

    Returns
    -------
    table : pandas.DataFrame
        Columns unit, metric, value, low, high, n, chance.
    """
    rows = [{"unit": unit, "metric": "accuracy"} | accuracy(voted(predictions, unit=unit, rule=rule)) for unit in units]
    return pd.DataFrame(rows)


def vote_curve(predictions, *, voters, rule="sum", repeats=20, seed=0):
    """Return accuracy against the number of voting segments.

    Parameters
    ----------
    predictions : pandas.DataFrame
        Segments of all draws.
    voters : sequence of int
        Numbers of segments drawn from a recording, without replacement.
    rule : {"sum", "majority", "majority-first"}
        As in `vote`.
    repeats : int
        Drawings per recording and number.
    seed : int
        Seed of the drawings.

    Returns
    -------
    table : pandas.DataFrame
        voters, value, low, high, n, chance. Recordings with fewer segments than voters are left out, and so is a
        row for which none is left.

    Raises
    ------
    ParameterError
        If a number of voters is below 1, or ``rule`` is not listed.

    Notes
    -----
    Notebook 07. Unlike table V, which votes over independently drawn sets, the segments here come from one pool.
    """
    rng, rows = np.random.default_rng(seed), []
    groups = list(predictions.groupby(["device", "recording"], sort=True).indices.values())
    for k in voters:
        if k < 1:
            raise ParameterError(f"voters={k} is below 1")
        chosen = [rng.permutation(group)[:k] for group in groups for _ in range(repeats) if len(group) >= k]
        if chosen:
            rows.append({"voters": k} | accuracy(merged(predictions, chosen, rule)))
    return pd.DataFrame(rows)


def device_report(predictions):
    """Return precision, recall and F1 of every device and their averages: table VI.

    Parameters
    ----------
    predictions : pandas.DataFrame
        One row per decision.

    Returns
    -------
    table : pandas.DataFrame
        Rows devices and "average"; columns precision, recall, f1, n. The average is weighted by n, as in the paper.
    """
    from sklearn.metrics import precision_recall_fscore_support

    names, truth, decided = device_names(predictions), predictions["device"], decisions(predictions)
    scores = precision_recall_fscore_support(truth, decided, labels=names, zero_division=0)
    table = pd.DataFrame(dict(zip(("precision", "recall", "f1", "n"), scores, strict=True)), index=names)
    average = np.average(table[["precision", "recall", "f1"]], axis=0, weights=table["n"])
    table.loc["average"] = [*average, table["n"].sum()]
    return table.astype({"n": int})


def confusion(predictions):
    """Return the confusion matrix with rows normalised to one: figure 6.

    Parameters
    ----------
    predictions : pandas.DataFrame
        One row per decision.

    Returns
    -------
    matrix : pandas.DataFrame
        Rows the true device, columns the decision. A device without test segments has a row of zeros.
    """
    from sklearn.metrics import confusion_matrix

    names = device_names(predictions)
    matrix = confusion_matrix(predictions["device"], decisions(predictions), labels=names, normalize="true")
    return pd.DataFrame(matrix, index=names, columns=names)


def confused_pairs(predictions, *, n=5):
    """Return the ``n`` most frequent confusions: true, decided, share of the true device's segments."""
    matrix = confusion(predictions)
    shares = matrix.to_numpy() * ~np.eye(len(matrix), dtype=bool)
    true, decided = np.nonzero(shares)
    pairs = {"true": matrix.index[true], "decided": matrix.columns[decided], "share": shares[true, decided]}
    return pd.DataFrame(pairs).sort_values("share", ascending=False, kind="stable", ignore_index=True).head(n)


def calibration(predictions, *, n_bins=10):
    """Compare how sure the classifier says it is with how often it is right.

    Parameters
    ----------
    predictions : pandas.DataFrame
        One row per decision.
    n_bins : int
        Bins of equal width over the largest probability.

    Returns
    -------
    table : pandas.DataFrame
        One row per filled bin: confidence (mean), accuracy, n.
    error : float
        Expected calibration error, the mean absolute gap weighted by n (Naeini, Cooper & Hauskrecht, 2015).
    """
    confidence = predictions[device_names(predictions)].to_numpy(np.float64).max(axis=1)
    bins = np.clip((confidence * n_bins).astype(int), 0, n_bins - 1)
    table = pd.DataFrame({"bin": bins, "confidence": confidence, "accuracy": correct(predictions).astype(float)})
    means = {"confidence": ("confidence", "mean"), "accuracy": ("accuracy", "mean"), "n": ("bin", "size")}
    table = table.groupby("bin").agg(**means)
    error = float(np.average(np.abs(table["confidence"] - table["accuracy"]), weights=table["n"]))
    return table.reset_index(drop=True), error


def leakage_probe(probe, *, seed=0):
    """Identify devices from six trivial numbers: what level, noise floor, digital zeros and DC offset alone give away.

    Parameters
    ----------
    probe : pandas.DataFrame
        `Dataset.probe`: device, recording, split and the columns `TRIVIAL_NUMBERS`, one row per excerpt.
    seed : int
        Seed of the forest.

    Returns
    -------
    predictions : pandas.DataFrame
        One row per test excerpt, as from `predictions_table`; vote over it with ``unit="recording"``.

    Notes
    -----
    Notebook 01. A random forest of 200 trees; an accuracy worth printing is one that stands well above this one.
    """
    from sklearn.ensemble import RandomForestClassifier

    train, test = probe[probe["split"] == "train"], probe[probe["split"] == "test"]
    forest = RandomForestClassifier(200, random_state=seed).fit(train[TRIVIAL_NUMBERS], train["device"])
    segments = test.assign(draw=0, start=test.groupby(["device", "recording"]).cumcount())
    return predictions_table(forest.predict_proba(test[TRIVIAL_NUMBERS]), segments, forest.classes_)
