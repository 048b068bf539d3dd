"""Recordings put together from pieces, with cuts that are known, and what only looks like that (notebook 16)."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from .degrade import add_room, degrade
from .errors import ParameterError, check_name

DECOYS = ("gain", "room", "door", "edit")
CONDITIONS = ("clean", "mp3-64", "aac-64", "vorbis-5")  # recompressed afterwards
GAIN_DB = 6.0
TOLERANCE_S = 0.25  # between a change and its find


def random_cuts(seconds, *, pieces, shortest_s, rng):
    """Return times of cuts [s], uniform among those that leave no piece shorter, np.ndarray [shape=(pieces - 1,)].

    >>> random_cuts(10, pieces=3, shortest_s=3, rng=np.random.default_rng(0)).round(2)
    array([3.27, 6.64])
    """
    free = seconds - pieces * shortest_s
    if free < 0:
        raise ParameterError(f"{seconds:.2f} s hold no {pieces} pieces of {shortest_s} s")
    return np.sort(rng.uniform(0, free, pieces - 1)) + shortest_s * np.arange(1, pieces)


def splice(signals, samplerate, *, cuts, fade_s=0.0):
    """Put a recording together from pieces of several.

    Parameters
    ----------
    signals : sequence of np.ndarray [shape=(n_samples,)]
        Recordings on one clock: piece i keeps its place. Where they hold the same speech, it goes on across a cut.
    samplerate : int
        Their rate [Hz].
    cuts : sequence of float
        Times at which the next one begins [s], one fewer than signals.
    fade_s : float
        Length of the cross-fade about each cut [s]; 0 = none.

    Returns
    -------
    y : np.ndarray [shape=(n_samples,)], float32
        As long as the shortest; every piece has the level of the first.

    Examples
    --------
    >>> splice([np.ones(4), np.full(4, -2.0)], 2, cuts=[1.0])
    array([ 1.,  1., -1., -1.], dtype=float32)
    """
    if len(cuts) != len(signals) - 1:
        raise ParameterError(f"{len(signals)} pieces have {len(signals) - 1} cuts between them, not {len(cuts)}")
    n = min(map(len, signals))
    edges = np.array([0, *(round(cut * samplerate) for cut in cuts), n])
    if (np.diff(edges) <= 0).any():
        raise ParameterError(f"cuts must grow and lie between 0 and {n / samplerate:.2f} s, not {list(cuts)}")
    parts = [y[a:b] for y, a, b in zip(signals, edges, edges[1:], strict=False)]
    loud = [np.sqrt(np.mean(np.square(part, dtype=np.float64))) for part in parts]
    t, fade, out = np.arange(n), max(1, round(fade_s * samplerate)), 0
    for i, y in enumerate(signals):
        begun = np.clip((t - edges[i]) / fade + (0.5 if fade > 1 else 1), 0, 1) if i else 1
        over = np.clip((t - edges[i + 1]) / fade + (0.5 if fade > 1 else 1), 0, 1) if i < len(cuts) else 0
        out = out + np.asarray(y[:n], np.float64) * (loud[0] / max(loud[i], 1e-9)) * (begun - over)
    return out.astype(np.float32)


def montages(signals, table, samplerate, *, n, shortest_s, pieces=(2, 4), conditions=CONDITIONS, seed=0):
    """Make recordings in which other devices begin.

    Parameters
    ----------
    signals : sequence of np.ndarray [shape=(n_samples,)]
        Untouched recordings, one rate.
    table : pandas.DataFrame
        Their rows: device, recording. Pieces come from recordings of one name, where several devices have it, since
        these may hold the same speech at the same time; else from any.
    samplerate : int
        Their rate [Hz].
    n : int
        How many.
    shortest_s : float
        Of a piece [s].
    pieces : (int, int)
        Fewest and most pieces, as many as the recordings are long enough for.
    conditions : sequence of str
        What is drawn from to be done at last, as in `degrade.degrade`.
    seed : int

    Yields
    ------
    made : dict
        y, cuts [s], devices, fade_s, condition.

    Examples
    --------
    >>> import pandas as pd
    >>> signals = np.random.default_rng(0).normal(0, 0.1, (2, 64000))
    >>> table = pd.DataFrame({"device": ["A", "B"], "recording": "1"})
    >>> [(one["devices"].tolist(), one["cuts"].round(2).tolist())
    ...  for one in montages(signals, table, 8000, n=1, shortest_s=3, conditions=["clean"])]
    [(['A', 'B'], [3.54])]
    """
    rng = np.random.default_rng(seed)
    table = table.reset_index(drop=True)
    long = table[np.array([len(y) / samplerate for y in signals]) >= pieces[0] * shortest_s]
    shared = long.groupby("recording")["device"].transform("nunique") > 1
    pool = long[shared] if shared.any() else long.assign(recording="")
    if pool["device"].nunique() < 2:
        told = f"{pool['device'].nunique()} of {table['device'].nunique()}, it takes two"
        raise ParameterError(f"devices with recordings of {pieces[0] * shortest_s:g} s: {told}")
    names = sorted(name for name, rows in pool.groupby("recording") if rows["device"].nunique() > 1)
    for _ in range(n):
        rows = pool[pool["recording"] == names[rng.integers(len(names))]]
        most = int(min(pieces[1], rows["device"].nunique()))
        number = int(rng.integers(min(pieces[0], most), most + 1))
        devices = rng.choice(sorted(set(rows["device"])), number, replace=False)
        chosen = [signals[rng.choice(rows.index[rows["device"] == device])] for device in devices]
        seconds = min(map(len, chosen)) / samplerate
        number = min(number, int(seconds / shortest_s))
        cuts = random_cuts(seconds, pieces=number, shortest_s=shortest_s, rng=rng)
        fade_s, condition = float(rng.choice([0, 0.05])), str(rng.choice(conditions))
        y = splice(chosen[:number], samplerate, cuts=cuts, fade_s=fade_s)
        y = degrade(y, samplerate, condition=condition, seed=int(rng.integers(1 << 31)))
        yield {"y": y, "cuts": cuts, "devices": devices[:number], "fade_s": fade_s, "condition": condition}


def decoy(y, samplerate, *, kind, rng):
    """Change something in mid-recording that is no other device.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)], real
        A recording of at least 2 s.
    samplerate : int
        Its rate [Hz].
    kind : {"gain", "room", "door", "edit"}
        6 dB up or down; on into a reverberant room; a door slams; a second of it is cut out.
    rng : np.random.Generator
        Of the place, in the middle third.

    Returns
    -------
    changed : np.ndarray, float32
    at : float
        Where [s].

    Examples
    --------
    >>> y, at = decoy(np.ones(24000) / 4, 8000, kind="gain", rng=np.random.default_rng(0))
    >>> round(at, 2), y[[0, -1]].round(3)  # 6 dB up
    (1.64, array([0.25 , 0.499], dtype=float32))
    """
    check_name("kind", kind, DECOYS)
    y = np.array(y, np.float32)
    at = int(rng.uniform(1 / 3, 2 / 3) * len(y))
    if kind == "gain":
        y[at:] *= 10 ** (rng.choice([-GAIN_DB, GAIN_DB]) / 20)
    elif kind == "room":
        wet = add_room(y, samplerate, rt60=0.6, seed=int(rng.integers(1 << 31)))
        y = splice([y, wet], samplerate, cuts=[at / samplerate], fade_s=0.2)
    elif kind == "door":
        t = np.arange(min(len(y) - at, samplerate // 2)) / samplerate
        slam = np.convolve(rng.standard_normal(len(t)), np.hanning(max(3, samplerate // 400)), "same")
        slam *= np.exp(-t / 0.06)
        y[at : at + len(t)] += (0.7 * np.abs(y).max() * slam / np.abs(slam).max()).astype(np.float32)
    else:
        y = np.delete(y, slice(at, at + min(samplerate, len(y) // 6)))
    return np.clip(y, -1, 1), at / samplerate


def matched(found, true):
    """Return how many changes were found, falsely found and missed, within `TOLERANCE_S`, each used once.

    >>> matched([1.1, 4.0], [1.0, 2.0])
    (1, 1, 1)
    """
    distance = np.abs(np.subtract.outer(np.asarray(found, float), np.asarray(true, float)))
    i, j = linear_sum_assignment(distance > TOLERANCE_S)
    hits = int((distance[i, j] <= TOLERANCE_S).sum())
    return hits, len(found) - hits, len(true) - hits
