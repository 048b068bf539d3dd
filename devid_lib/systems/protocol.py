"""One protocol for all systems: same recordings on the same side, same excerpts, same figures (notebook 10)."""

import contextlib
import time
import warnings

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.metrics import f1_score, log_loss

from ..evaluation import (
    accuracy,
    correct,
    decisions,
    device_names,
    predictions_table,
    recording_names,
    zero_error_bound,
)
from ..simulate import CONTROL, RECORDERS, SAMPLERATE, recording
from .excerpts import Excerpt, cut_excerpts, whole_recordings
from .registry import published_accuracy
from .warnings import DevidWarning

LENGTHS = {"1 s": (1.0, 8), "3 s": (3.0, 4)}  # unit: (seconds, excerpts per test recording)
SEGMENTS = 16  # one-segment excerpts per test recording
TRAIN_SECONDS = 60  # of every training recording, one stretch: more would cost time and teach little


def protocol_excerpts(corpus, *, segment_length=4096, seed=0):
    """Return the training recordings and the test excerpts of every length.

    Parameters
    ----------
    corpus : pandas.DataFrame
        From `corpus.load_corpus`.
    segment_length : int
        Length of the shortest excerpts [samples].
    seed : int
        Seed of the excerpts' places.

    Returns
    -------
    train : list of Excerpt
        At most ``TRAIN_SECONDS`` of every training recording.
    tests : dict
        Unit ("segment", "1 s", "3 s", "recording"): list of Excerpt.
    """
    train = cut_excerpts(whole_recordings(corpus, "train"), seconds=TRAIN_SECONDS, n=1, seed=seed)
    whole = whole_recordings(corpus, "test")
    lengths = {"segment": (segment_length / whole[0].samplerate, SEGMENTS)} | LENGTHS
    tests = {unit: cut_excerpts(whole, seconds=s, n=n, seed=seed) for unit, (s, n) in lengths.items()}
    return train, tests | {"recording": whole}


def judge(system, train, tests):
    """Fit one system on training recordings and judge it on test excerpts of every length.

    Parameters
    ----------
    system : System
        Cloned before fitting.
    train : sequence of Excerpt
    tests : dict
        From `protocol_excerpts`.

    Returns
    -------
    rows : pandas.DataFrame
        unit, metric (accuracy, macro F1, log-loss; fit seconds; seconds per excerpt), value, low, high, n, chance.
    predictions : dict
        Unit: table as from `evaluation.predictions_table`.

    Notes
    -----
    Features that another system asked for before are not computed again, and not counted again.
    """
    system, start = clone(system), time.perf_counter()
    system.fit(train, [excerpt.device for excerpt in train])
    rows = [{"unit": "", "metric": "fit seconds", "value": time.perf_counter() - start, "n": len(train)}]
    predictions = {}
    for unit, excerpts in tests.items():
        start = time.perf_counter()
        proba = system.predict_proba(excerpts)
        seconds = (time.perf_counter() - start) / len(excerpts)
        predictions[unit] = table = predictions_table(proba, keys(excerpts), system.classes_)
        rows.append({"unit": unit, "metric": "accuracy"} | accuracy(table))
        rows += [{"unit": unit, "metric": name, "value": value, "n": len(table)} for name, value in scores(table)]
        rows.append({"unit": unit, "metric": "seconds per excerpt", "value": seconds, "n": len(table)})
    return pd.DataFrame(rows), predictions


def halves(excerpts):
    """Return the first and the second halves of recordings, as two lists of excerpts."""
    def part(x, start, stop):
        return Excerpt(np.array(x.y[start:stop]), x.samplerate, x.device, x.recording, x.start + start)

    middles = [len(x.y) // 2 for x in excerpts]
    pairs = list(zip(excerpts, middles, strict=True))
    return [part(x, 0, n) for x, n in pairs], [part(x, n, len(x.y)) for x, n in pairs]


def same_recording(systems, train):
    """Train on the first halves of recordings and test on their second halves: same device, room, level and day.

    Parameters
    ----------
    systems : dict
        Name: System, cloned before fitting.
    train : sequence of Excerpt
        Training recordings.

    Returns
    -------
    accuracy : pandas.Series
        Index system: share of the second halves whose device is named.

    Notes
    -----
    Notebook 10. What a system reaches here and not on other recordings of the same devices, it owes to the recording.
    """
    first, second = halves(train)
    devices = [x.device for x in train]
    fitted = {name: clone(system).fit(first, devices) for name, system in systems.items()}
    return pd.Series({name: np.mean(s.predict(second) == devices) for name, s in fitted.items()}, dtype=float)


def copies_of_one_recorder(*, n=9, seconds=20.0, seed=0):
    """Simulate recordings of one and the same recorder in different rooms, and give each the name of a device.

    Parameters
    ----------
    n : int
        Recordings.
    seconds : float
        Length of each [s].
    seed : int

    Returns
    -------
    recordings : list of Excerpt
        Of "copy 1", "copy 2" and so on, which no honest system can tell apart.
    """
    recorder = next(r for r in RECORDERS if r.name == CONTROL)
    rngs = np.random.default_rng(seed).spawn(n)
    samples = [recording(recorder, n_samples=round(seconds * SAMPLERATE), rng=rng) for rng in rngs]
    return [Excerpt(y.astype(np.float32) / 2**15, SAMPLERATE, f"copy {i}", "1") for i, y in enumerate(samples, 1)]


def against_published(scores):
    """Hold cited systems against what their authors report on their own recordings.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `judge`, with a column ``system``.

    Returns
    -------
    table : pandas.DataFrame
        Index system; published and ours (fractions), low and high of the interval, and the verdict: "below" or
        "above" where the published figure is outside the interval, "alike" where it is not. Without an error the
        interval starts at the exact bound, see `evaluation.zero_error_bound`.
    """
    rows = scores[(scores["unit"] == "recording") & (scores["metric"] == "accuracy")].set_index("system")
    table = rows[["value", "low", "high"]].astype(float).rename(columns={"value": "ours"})
    no_error = [1 - zero_error_bound(n) for n in rows["n"].astype(int)]
    table["low"] = table["low"].where(table["ours"] < 1, no_error)  # a bootstrap knows no errors that it has not seen
    table.insert(0, "published", [published_accuracy(name) for name in table.index])
    table = table.dropna(subset="published")
    outside = [table["high"] < table["published"], table["low"] > table["published"]]
    return table.assign(verdict=np.select(outside, ["below", "above"], "alike"))


@contextlib.contextmanager
def gathered_warnings():
    """Gather what systems warn of and print, in the end, each kind once: how often, and its first message."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always", DevidWarning)
        yield
    named = [w for w in given if issubclass(w.category, DevidWarning)]
    for w in given:
        if w not in named:
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    for kind in dict.fromkeys(w.category for w in named):
        messages = [str(w.message) for w in named if w.category is kind]
        print(f"{kind.__name__}, {len(messages)} times, the first: {messages[0]}")


def keys(excerpts):
    """Return device, recording, draw and start of excerpts."""
    rows = [(excerpt.device, excerpt.recording, 0, excerpt.start) for excerpt in excerpts]
    return pd.DataFrame(rows, columns=["device", "recording", "draw", "start"])


def scores(predictions):
    """Return macro F1 and log-loss [nat] of a table of predictions."""
    names = device_names(predictions)
    f1 = f1_score(predictions["device"], decisions(predictions), labels=names, average="macro", zero_division=0)
    order = sorted(names)  # scikit-learn sorts the labels
    proba = predictions[order].to_numpy(np.float64)
    proba = proba / proba.sum(axis=1, keepdims=True)  # tables hold float32, whose rows sum to one only nearly
    loss = log_loss(predictions["device"], proba, labels=order)
    return [("macro F1", float(f1)), ("log-loss", float(loss))]


def mcnemar(a, b):
    """Test whether two systems err on different recordings equally often.

    Parameters
    ----------
    a, b : pandas.DataFrame
        Predictions of two systems for the same recordings.

    Returns
    -------
    p : float
        Two-sided exact p-value (McNemar, 1947); 1 where the two never differ.
    only_a, only_b : int
        Recordings that only the first, only the second names.
    """
    right_a = pd.Series(correct(a), recording_names(a)).sort_index()
    right_b = pd.Series(correct(b), recording_names(b)).reindex(right_a.index)
    only_a, only_b = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return float(p), only_a, only_b


def leaderboard(rows):
    """Return one line per system, best first.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `judge`, with a column ``system``.

    Returns
    -------
    table : pandas.DataFrame
        Accuracy per unit, macro F1 and log-loss of whole recordings, seconds to fit, seconds to identify a recording.
    """
    wide = rows[rows["metric"] == "accuracy"].pivot_table("value", "system", "unit", sort=False)
    wide = wide[["segment", "1 s", "3 s", "recording"]]
    whole = rows[rows["unit"].isin(["recording", ""])]
    for metric in ("macro F1", "log-loss", "fit seconds", "seconds per excerpt"):
        wide[metric] = whole[whole["metric"] == metric].set_index("system")["value"]
    return wide.sort_values(["recording", "3 s", "1 s", "segment"], ascending=False)


def neighbours(board, predictions):
    """Compare every system of a leaderboard with the next by McNemar's test over whole recordings.

    Parameters
    ----------
    board : pandas.DataFrame
        From `leaderboard`.
    predictions : dict
        System: predictions of whole recordings.

    Returns
    -------
    table : pandas.DataFrame
        system, next, only the first right, only the next right, p.
    """
    rows = []
    for first, second in zip(board.index[:-1], board.index[1:], strict=True):
        p, only_first, only_second = mcnemar(predictions[first], predictions[second])
        rows.append((first, second, only_first, only_second, p))
    return pd.DataFrame(rows, columns=["system", "next", "only the first right", "only the next right", "p"])
