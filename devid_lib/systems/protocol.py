"""One protocol for all systems: same recordings on the same side, same excerpts, same figures (notebook 10)."""

import contextlib
import math
import time
import warnings
from dataclasses import replace

import pandas as pd
from sklearn.base import clone
from sklearn.metrics import f1_score, log_loss
from threadpoolctl import threadpool_limits

from ..evaluation import accuracy, decisions, predictions_table
from .excerpts import cut_excerpts, whole_recordings
from .spectra import evenly, framed
from .warnings import DevidWarning

PIECE_S = 3.0  # what systems learn from a recording is put together of pieces of this length [s]
SECONDS = {"1 s": 1.0, "3 s": 3.0}  # length of test excerpts [s]
EVERY = {"segment": 5, "1 s": 10, "3 s": 20}  # one test excerpt for so many test segments of the networks


def protocol_excerpts(corpus, *, segment_length, train_segments, test_segments, seed=0):
    """Return what every system learns from, and the test excerpts of every length.

    Parameters
    ----------
    corpus : pandas.DataFrame
        From `corpus.load_corpus`.
    segment_length, train_segments, test_segments : int
        What the paper's networks are given: length of a segment [samples], segments per training and test recording.
    seed : int
        Seed of the test excerpts' places.

    Returns
    -------
    train : list of Excerpt
        One per training recording: as many seconds of it as its segments would last, see `thinned`.
    tests : dict
        Unit ("segment", "1 s", "3 s", "recording"): list of Excerpt. The last are whole test recordings.
    """
    samples = train_segments * segment_length
    train = [thinned(x, seconds=samples / x.samplerate) for x in whole_recordings(corpus, "train")]
    whole = list(whole_recordings(corpus, "test"))
    seconds = {"segment": segment_length / whole[0].samplerate} | SECONDS
    counts = {unit: math.ceil(test_segments / every) for unit, every in EVERY.items()}
    tests = {unit: cut_excerpts(whole, seconds=seconds[unit], n=n, seed=seed) for unit, n in counts.items()}
    return train, tests | {"recording": whole}


def thinned(whole, *, seconds):
    """Return some seconds from all over a recording: pieces of three seconds, evenly spread, joined end to end.

    Whole pieces: at least ``seconds``, or all of a recording that has no more.
    """
    length, n = round(PIECE_S * whole.samplerate), math.ceil(seconds / PIECE_S)
    if n * length >= len(whole.y):
        return whole
    return replace(whole, y=evenly(framed(whole.y, length=length, hop=length), n).ravel(), kept={})


def judge(system, train, tests):
    """Fit one system on training recordings and judge it on test excerpts of every length.

    Parameters
    ----------
    system : System
        Cloned before fitting.
    train : sequence of Excerpt
    tests : dict
        Unit: sequence of Excerpt.

    Returns
    -------
    rows : pandas.DataFrame
        unit, metric (accuracy, macro F1, log-loss [nat], fit seconds, seconds per excerpt), value, low, high, n, chance
    predictions : dict
        Unit: table as from `evaluation.predictions_table`.

    Notes
    -----
    Features that another system asked for before are not computed again, and not counted again. One thread works:
    these arrays are small, and where two notebooks run side by side more threads took three times as long.
    """
    with threadpool_limits(1):
        system, start = clone(system), time.perf_counter()
        system.fit(train, [x.device for x in train])
        rows = [{"unit": "", "metric": "fit seconds", "value": time.perf_counter() - start, "n": len(train)}]
        predictions = {}
        for unit, excerpts in tests.items():
            start = time.perf_counter()
            proba = system.predict_proba(excerpts)
            seconds = (time.perf_counter() - start) / len(excerpts)
            names = [(x.device, x.recording, 0, x.start) for x in excerpts]
            names = pd.DataFrame(names, columns=["device", "recording", "draw", "start"])
            predictions[unit] = table = predictions_table(proba, names, system.classes_)
            truth, figures = table["device"], {"seconds per excerpt": seconds}
            options = {"labels": system.classes_, "average": "macro", "zero_division": 0}
            figures["macro F1"] = f1_score(truth, decisions(table), **options)
            figures["log-loss"] = log_loss(truth, proba, labels=system.classes_)
            rows.append({"unit": unit, "metric": "accuracy"} | accuracy(table))
            rows += [{"unit": unit, "metric": name, "value": v, "n": len(table)} for name, v in figures.items()]
    return pd.DataFrame(rows), predictions


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
    units = ["segment", "1 s", "3 s", "recording"]
    board = rows[rows["metric"] == "accuracy"].pivot_table("value", "system", "unit", sort=False)[units]
    whole = rows[rows["unit"].isin(["recording", ""])].pivot_table("value", "system", "metric", sort=False)
    board = board.join(whole[["macro F1", "log-loss", "fit seconds", "seconds per excerpt"]])
    return board.sort_values(units[::-1], ascending=False)


@contextlib.contextmanager
def gathered_warnings():
    """Gather what systems warn of and print, in the end, each kind once: how often, and its first message."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always", DevidWarning)
        yield
    named = {}
    for w in given:
        if issubclass(w.category, DevidWarning):
            named.setdefault(w.category, []).append(str(w.message))
        else:
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    for kind, messages in named.items():
        print(f"{kind.__name__}, {len(messages)} times, the first: {messages[0]}")
