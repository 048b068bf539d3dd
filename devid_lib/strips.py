"""Which of the known devices made each moment of a recording, by what `splices` has learnt. Notebook 16.

The references come from other days. Where a day changes as much as a device does, the strip places a cut worse than
`splices.change_points`, which knows no device and compares sound of one recording with itself (notebook 16 has both).
"""

import numpy as np
from scipy.ndimage import uniform_filter1d

from .splices import INDEPENDENT, SHORTEST_S, evidence_of

PENALTY = 3.0  # what a change costs the likeliest path [log10 likelihood ratio]
WIDTH_S = 1.0  # over which a moment's posterior is averaged [s]


def device_vectors(references, samplerate, *, model):
    """Return what each device's reference recordings say of h, np.ndarray [shape=(devices, FACTORS)].

    ``references``: one sequence of recordings per device.
    """
    vectors = []
    for signals in references:
        evidence = [evidence_of(y, samplerate, model)[0] for y in signals]
        precision, direction = map(sum, zip(*(one.of(0, one.blocks) for one in evidence), strict=True))
        vectors.append(np.linalg.solve(np.eye(len(direction)) + precision, direction))
    return np.array(vectors)


def device_strip(y, samplerate, *, model, vectors):
    """Return which of the known devices made each moment, by a mean over `WIDTH_S` and by the likeliest path.

    ``y``, ``samplerate`` and ``model`` are as in `splices.change_points`, ``vectors`` from `device_vectors`. Returns
    the middles of blocks [shape=(n,), s], the posterior of `WIDTH_S` about each [shape=(n, devices)], all devices as
    likely beforehand and no other possible, and the device of each [shape=(n,), int], in pieces of at least
    `SHORTEST_S`.
    """
    evidence, step = evidence_of(y, samplerate, model)
    n, u, _ = (INDEPENDENT * np.diff(sums, axis=0) for sums in evidence.sums)
    power = 0.5 * np.einsum("dr,krq,dq->kd", vectors, evidence.parts[0], vectors, optimize=True)
    logs = u @ vectors.T - n @ power
    mean = uniform_filter1d(logs, round(WIDTH_S / step), axis=0, mode="nearest") * round(WIDTH_S / step)
    posterior = np.exp(mean - mean.max(axis=1, keepdims=True))
    times = (np.arange(len(logs)) + 0.5) * step
    path = _path(logs / np.log(10), round(SHORTEST_S / step))
    return times, posterior / posterior.sum(axis=1, keepdims=True), path


def _path(logs, least):
    """Return the likeliest device of each block when changes cost `PENALTY` and pieces have ``least`` blocks."""
    n, number = logs.shape
    sums = np.concatenate([np.zeros((1, number)), np.cumsum(logs, axis=0)])
    best, entry = np.full(n + 1, -np.inf), np.full(number, -np.inf)  # entry: best of what came before, per device
    best[0], since, before, device = PENALTY, np.zeros(number, int), np.zeros(n + 1, int), np.zeros(n + 1, int)
    for t in range(min(least, n), n + 1):
        came = best[t - min(least, n)] - sums[t - min(least, n)] - PENALTY
        since, entry = np.where(came > entry, t - min(least, n), since), np.maximum(came, entry)
        device[t] = np.argmax(sums[t] + entry)
        best[t], before[t] = sums[t, device[t]] + entry[device[t]], since[device[t]]
    path, t = np.zeros(n, int), n
    while t > 0:
        path[before[t] : t], t = device[t], before[t]
    return path
