"""One protocol for all systems: same seconds, lengths, excerpts, calibration and figures (notebook 10)."""

import contextlib
import itertools
import math
import time
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import f1_score, log_loss
from threadpoolctl import threadpool_limits

from ..dataset import of_last_session
from ..errors import ParameterError
from ..evaluation import accuracy, decisions, predictions_table
from .excerpts import cut_excerpts, pieces, whole_recordings
from .spectra import evenly, framed
from .warnings import DevidWarning

PIECE_S = 3.0  # what is learned of a recording is put together of pieces of this length [s]
KEPT_BACK = 0.2  # of every training recording, its end: not learned, but asked for
SECONDS = {"1 s": 1.0, "3 s": 3.0}  # length of excerpts [s]
EVERY = {"segment": 5, "1 s": 10, "3 s": 20}  # one test excerpt for so many test segments of the networks
MOST_HELD_OUT = 400  # excerpts that calibrate
SAME = "1 s"  # length at which recordings that were learned are asked for, too


@dataclass(frozen=True)
class Material:
    """What every system is given, by the length of excerpts: "segment", "1 s", "3 s", "recording"."""

    learned: dict  # unit: list of Excerpt, always the same seconds, cut into pieces of that length
    held_out: dict  # unit: np.ndarray of bool, which of them are of recordings that calibrate before they are learned
    tests: dict  # unit: list of Excerpt of test recordings
    same: list  # excerpts of a second from the end of training recordings, which is not learned


def protocol_material(corpus, *, segment_length, test_segments, learned_s=30.0, seed=0):
    """Return the `Material` of a `corpus.load_corpus`: what every system learns from, and what it is asked.

    Of every training recording ``learned_s`` seconds are learned, all of a shorter one, from all over its first four
    fifths, see `thinned`. Held out is a device's last training session, or its last recording where it has one session,
    see `dataset.of_last_session`; of a single recording the second half. A test recording is asked for as a whole by as
    many seconds as are learned of one, and by a few of its ``test_segments`` of ``segment_length`` [samples], at places
    that ``seed`` decides. A test device without a training recording raises ParameterError.
    """
    rows = corpus[corpus["split"] == "train"]
    if len(strange := np.setdiff1d(corpus.loc[corpus["split"] == "test", "device"], rows["device"])):
        raise ParameterError(f"device {str(strange[0])!r} is to be named, but has no training recording")
    counts = {unit: math.ceil(test_segments / every) for unit, every in EVERY.items()}
    wholes, held, same = [], [], []
    last_of = {device: of_last_session(own) for device, own in rows.groupby("device")}
    for whole, i in zip(whole_recordings(corpus, "train"), rows.index, strict=True):
        edge = max(round((1 - KEPT_BACK) * len(whole.y)), min(2 * segment_length, len(whole.y)))
        learned, end = thinned(whole.part(0, edge), seconds=learned_s), whole.part(edge, len(whole.y))
        middle = len(learned.y) // 2
        alone = (last := last_of[whole.device]) is None
        wholes += [learned.part(0, middle), learned.part(middle, 2 * middle)] if alone else [learned]
        held += [False, True] if alone else [bool(last[i])]
        same += cut_excerpts([end], seconds=SECONDS[SAME], n=counts[SAME], seed=seed) if len(end.y) else []
    seconds = {"segment": segment_length / whole.samplerate} | SECONDS
    cut = {unit: [pieces(x, seconds=s) for x in wholes] for unit, s in seconds.items()}
    cut["recording"] = [[x] for x in wholes]
    places = {unit: np.random.default_rng(seed) for unit in counts}
    tests = {unit: [] for unit in (*counts, "recording")}
    for whole in whole_recordings(corpus, "test"):  # one in memory at a time
        for unit, n in counts.items():
            tests[unit] += cut_excerpts([whole], seconds=seconds[unit], n=n, seed=places[unit])
        tests["recording"].append(thinned(whole, seconds=learned_s))
    learned = {unit: list(itertools.chain(*parts)) for unit, parts in cut.items()}
    held_out = {unit: np.repeat(held, list(map(len, parts))) for unit, parts in cut.items()}
    return Material(learned, held_out, tests, same)


def thinned(whole, *, seconds):
    """Return some seconds from all over a recording: pieces of three seconds, evenly spread, joined end to end.

    Whole pieces: at least ``seconds``, or all of a recording that has no more.
    """
    length, n = round(PIECE_S * whole.samplerate), math.ceil(seconds / PIECE_S)
    if n * length >= len(whole.y):
        return whole
    return replace(whole, y=evenly(framed(whole.y, length=length, hop=length), n).ravel(), kept={})


def calibrated(system, material):
    """Yield a system fitted and calibrated for every length of excerpts, as (unit, system); one object may come again.

    The temperature is that of a first fit without the recordings held out, asked for these (`System.calibrate`).
    """
    fits = {}
    for unit in material.tests:
        if (learns := system.learns(unit)) not in fits:
            learned = material.learned[learns]
            known = list(itertools.compress(learned, ~material.held_out[learns]))
            fits[learns] = [clone(system).fit(part, [x.device for x in part]) for part in (known, learned)]
        first, final = fits[learns]
        out = list(itertools.compress(material.learned[unit], material.held_out[unit]))
        out = [out[i] for i in evenly(np.arange(len(out)), max(MOST_HELD_OUT, len(first.classes_)))]
        final.temperature_ = first.calibrate(out, [x.device for x in out]).temperature_
        yield unit, final


def judge(system, material):
    """Fit a clone of a system, calibrate it, and judge it on test excerpts of every length.

    Returns
    -------
    rows : pandas.DataFrame
        unit, metric (accuracy, same-recording accuracy, macro F1, log-loss [nat], Cllr, fit seconds, seconds per
        excerpt), value, low, high, n, chance
    predictions : dict
        Unit: table as from `evaluation.predictions_table`, of calibrated probabilities.

    Notes
    -----
    Features that another system asked for before are not computed again, and not counted again. One thread works:
    these arrays are small, and where two notebooks run side by side more threads took three times as long.
    """
    rows, predictions, start = [], {}, time.perf_counter()
    with threadpool_limits(1):
        for unit, fitted in calibrated(system, material):
            asking = time.perf_counter()
            proba, table = answers(fitted, material.tests[unit])
            seconds, predictions[unit] = (time.perf_counter() - asking) / len(table), table
            start += time.perf_counter() - asking
            truth, options = table["device"], {"labels": fitted.classes_, "average": "macro", "zero_division": 0}
            figures = {
                "macro F1": f1_score(truth, decisions(table), **options),
                "log-loss": log_loss(truth, proba, labels=fitted.classes_),
                "Cllr": multiclass_cllr(proba, np.searchsorted(fitted.classes_, truth)),
                "seconds per excerpt": seconds,
            }
            rows.append({"unit": unit, "metric": "accuracy"} | accuracy(table))
            rows += [{"unit": unit, "metric": name, "value": v, "n": len(table)} for name, v in figures.items()]
            if unit == SAME and material.same:
                table = answers(fitted, material.same)[1]
                rows.append({"unit": unit, "metric": "same-recording accuracy"} | accuracy(table))
    fitting, n = time.perf_counter() - start, len(material.learned["recording"])
    rows.append({"unit": "", "metric": "fit seconds", "value": fitting, "n": n})
    return pd.DataFrame(rows), predictions


def answers(system, excerpts):
    """Return the probabilities of a fitted system [shape=(n, n_devices)] and the table of predictions they make."""
    proba = system.predict_proba(excerpts)
    names = [(x.device, x.recording, 0, x.start) for x in excerpts]
    names = pd.DataFrame(names, columns=["device", "recording", "draw", "start"])
    return proba, predictions_table(proba, names, system.classes_)


def multiclass_cllr(proba, codes):
    """Return the multiclass Cllr over that of no knowledge, float: 0 is perfect, 1 worth nothing, above 1 misleading.

    Mean over devices of the log-loss of their excerpts, whose class numbers ``codes`` are, over log(number of devices);
    ``proba`` [shape=(n, n_devices)] are posteriors after equal priors. Source: Brümmer & van Leeuwen, "On calibration
    of language recognition scores", Odyssey 2006.

    >>> multiclass_cllr(np.full((3, 4), 0.25), np.array([0, 1, 1])), multiclass_cllr(np.eye(2), np.array([0, 1]))
    (1.0, 0.0)
    """
    cost = -np.log(np.maximum(proba[np.arange(len(proba)), codes], 1e-300))
    return float(np.mean([cost[codes == k].mean() for k in np.unique(codes)]) / np.log(proba.shape[1])) + 0.0


def leaderboard(rows):
    """Return one line per system, best first, of rows from `judge` with a column ``system``.

    Accuracy per unit; macro F1, log-loss and Cllr of three seconds, where there are errors to measure; seconds to fit
    for all lengths, seconds to identify three seconds.
    """
    units = ["segment", "1 s", "3 s", "recording"]
    board = rows[rows["metric"] == "accuracy"].pivot_table("value", "system", "unit", sort=False)[units]
    some = rows[rows["unit"].isin(["3 s", ""])].pivot_table("value", "system", "metric", sort=False)
    board = board.join(some.reindex(columns=["macro F1", "log-loss", "Cllr", "fit seconds", "seconds per excerpt"]))
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
