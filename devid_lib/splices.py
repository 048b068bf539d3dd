"""Where another device begins: change points of a recording, without knowing the devices.

Notebook 16. A recording becomes blocks of some 64 ms, a block a log spectrum in ``AXES`` principal axes. What is said
decides far more of it than the device does, so blocks are first shared out among ``STATES`` kinds of sound (a pause, a
vowel, a hiss) by a Gaussian mixture; within kind k, block x of a recording is taken for

    x = mean_k + loadings_k h + gain + noise,    h ~ N(0, I) of the recording, noise ~ N(0, covariance_k)

which is the total variability model of speaker recognition (Dehak et al., "Front-end factor analysis for speaker
verification", IEEE TASLP 19(4), 2011), with a gain that is free on either side of a cut. A stretch of sound then has a
likelihood under "one device, one place", and a cut a likelihood ratio: two such stretches against one. The first use of
channel estimates for splices of recordings is Cuccovillo et al. 2013 (MMSP), the first of the cited systems. Constants
were chosen on clips 1-2 of 45 phones (ccnu_mobile) and on rounds 01-03, 08 and 13 of 16 recording chains (rounds),
devices left out (tools/choose_splices.py).
"""

import warnings
from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import chain, compress

import numpy as np
import pandas as pd
from scipy.ndimage import maximum_filter1d

from .degrade import able, degrade
from .errors import ParameterError
from .features import BLOCK_S, log_spectra

AXES, STATES, FACTORS = 40, 4, 45  # principal axes of a block, kinds of sound, numbers in h
KNOWN_AXES = 24  # of them, the first ones tell the kind of sound
INDEPENDENT = 0.3  # neighbouring blocks are alike: how many independent ones a block counts for
GAIN_SD = 4.6  # of a gain that may differ from piece to piece: 20 dB [log power]
SHORTEST_S, LONGEST_S = 1.75, 60.0  # shortest piece, longest before two are compared once more [s]
SIDE_S = 2.0  # sound on either side of a cut, for the curve [s]
NEAR = 8  # blocks by which a candidate may be off
ABRUPT_S, ABRUPT = 0.75, -1.0  # sound on either side in which a change must show, and how: least log10 likelihood ratio
LEAST = 5.0  # log10 likelihood ratio that every change must reach, also without pauses
GRID = np.geomspace(LEAST, 1e4, 70).round(2)  # thresholds that are tried
PER_HOUR = 1.0  # false alarms expected in an hour of untouched sound
COPIES, COPY_S = ("mp3-64",), 10.0  # what is learnt besides, since MP3 empties bands; seconds of each recording


@dataclass(frozen=True, eq=False)
class SpliceModel:
    """What `fit_left_out` learns; ``numpy.savez(file, **dataclasses.asdict(model))`` keeps it, without pickle."""

    samplerate: int
    mean: np.ndarray  # [shape=(bins,)] of log spectra
    axes: np.ndarray  # [shape=(bins, AXES)]
    weights: np.ndarray  # [shape=(STATES,)] of the mixture, and its
    centres: np.ndarray  # [shape=(STATES, KNOWN_AXES)]
    variances: np.ndarray  # [shape=(STATES, KNOWN_AXES)]
    means: np.ndarray  # [shape=(STATES, AXES)] of blocks of a kind
    whiten: np.ndarray  # [shape=(STATES, AXES, AXES)], times its transpose = inverse covariance
    loadings: np.ndarray  # [shape=(STATES, AXES, FACTORS)], whitened
    threshold: float = np.inf  # least score of a change point [log10 likelihood ratio]


def _fitted(spectra, samplerate, seed):
    if len(spectra) < 2:
        raise ParameterError(f"splices need at least 2 recordings to learn from, not {len(spectra)}")
    x = np.concatenate(spectra)
    if len(x) < 5 * AXES:
        raise ParameterError(f"splices need {5 * AXES * BLOCK_S:.0f} s to learn from, not {len(x) * BLOCK_S:.0f} s")
    mean = x.mean(axis=0)
    axes = np.linalg.eigh(np.cov(x[::3].T))[1][:, : -AXES - 1 : -1]
    parts = [(one - mean) @ axes for one in spectra]
    x = np.concatenate(parts)
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture  # half a second, where it is needed

    mixture = GaussianMixture(STATES, covariance_type="diag", random_state=seed, reg_covar=1e-3, max_iter=40)
    with warnings.catch_warnings():  # it need not have converged: the number of iterations is part of the method
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(x[::3, :KNOWN_AXES])
    own = mixture.weights_, mixture.means_, mixture.covariances_
    shares = [_shares(part, *own) for part in parts]
    r = np.concatenate(shares)
    means = r.T @ x / r.sum(axis=0)[:, None]
    whiten = np.stack([_whitening(parts, [share[:, k] for share in shares]) for k in range(STATES)])
    n = INDEPENDENT * np.array([share.sum(axis=0) for share in shares])
    f = INDEPENDENT * np.array([share.T @ part for part, share in zip(parts, shares, strict=True)])
    f = np.einsum("ikp,kpq->ikq", f - n[:, :, None] * means, whiten)  # whitened, about the means of kinds
    return SpliceModel(samplerate, mean, axes, *own, means, whiten, _loadings(n, f))


def _shares(x, weights, centres, variances):
    """Return how much of each block belongs to each kind of sound [shape=(n, STATES)]."""
    d = x[:, None, : centres.shape[1]] - centres
    logs = np.log(weights) - 0.5 * (d * d / variances + np.log(variances)).sum(axis=2)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _whitening(parts, weights):
    """Return what makes the covariance of blocks within recordings the identity, shrunk by a twentieth."""
    covariance = np.zeros((parts[0].shape[1],) * 2)
    for x, w in zip(parts, weights, strict=True):
        d = x - w @ x / (w.sum() + 1e-9)
        covariance += (d * w[:, None]).T @ d
    covariance /= sum(w.sum() for w in weights) + 1e-9
    small = np.trace(covariance) / len(covariance)
    return np.linalg.inv(np.linalg.cholesky(0.95 * covariance + (0.05 * small + 1e-6) * np.eye(len(covariance)))).T


def _loadings(n, f):
    """Return the loadings from weights [shape=(recordings, STATES)] and sums, by expectation and maximisation."""
    (count, states), axes = n.shape, f.shape[2]
    _, s, v = np.linalg.svd((f / (n[:, :, None] + 1)).reshape(count, -1), full_matrices=False)
    factors = min(FACTORS, count - 1)
    t = (v[:factors] * s[:factors, None] / np.sqrt(count)).reshape(factors, states, axes).transpose(1, 2, 0)
    for _ in range(8):
        precision = np.eye(factors) + np.einsum("ik,kpr,kpq->irq", n, t, t, optimize=True)
        covariance = np.linalg.inv(precision)
        h = np.einsum("irq,kpq,ikp->ir", covariance, t, f, optimize=True)
        second = covariance + h[:, :, None] * h[:, None]
        weighted = np.tensordot(n.T, second, 1) + 1e-6 * np.eye(factors)
        t = np.stack([np.linalg.solve(weighted[k], h.T @ f[:, k]).T for k in range(states)])
        t = t @ np.linalg.cholesky(second.mean(axis=0))  # h keeps a variance of 1
    return t


class Evidence:
    """What a recording says of h, block by block, summed so that every stretch of it is at hand at once."""

    def __init__(self, spectra, model):
        x = (spectra - model.mean) @ model.axes
        r = _shares(x, model.weights, model.centres, model.variances)
        gain = np.einsum("p,kpq->kq", model.axes.sum(axis=0), model.whiten)  # what a gain does to whitened blocks
        level = model.means @ model.axes.mean(axis=0)
        loud = (x @ model.axes.mean(axis=0) > level.min() - GAIN_SD)[:, None]  # a closed gate leaves less than pauses
        u, v, t = 0, 0, model.loadings
        for k in np.argsort(-level):
            heard = r * (level > level.min()), u, v  # at last: of all but the quietest kind
            white = r[:, k, None] * ((x - model.means[k]) @ model.whiten[k])
            u, v = u + white @ t[k], v + white @ gain[k, :, None]
        if heard[0].sum() < len(x) / 2:  # a smooth recording may be of that kind for the most part
            heard = r, u, v
        self.sums, self.heard = (
            [np.concatenate([np.zeros((1, a.shape[1])), np.cumsum(a, axis=0)]) for a in sums]
            for sums in ((r, u, v), [a * loud for a in heard])
        )
        pairs = [(t, t), (t, gain), (gain, gain)]
        self.parts = [np.stack([a.T @ b for a, b in zip(*pair, strict=True)]) for pair in pairs]
        self.blocks = len(x)

    def of(self, left, right, *, gain_sd=0.0, heard=False):
        """Return precision and direction of h [shapes=(..., FACTORS, FACTORS), (..., FACTORS)] in blocks left to right.

        With ``gain_sd`` [log power] every stretch has a gain of its own, which says nothing of h.
        """
        n, u, v = (INDEPENDENT * (sums[right] - sums[left]) for sums in (self.heard if heard else self.sums))
        both, cross, alone = self.parts
        precision = np.tensordot(n, both, 1)
        if gain_sd:
            c, d = n @ cross, n @ alone[:, None] + gain_sd**-2
            precision, u = precision - c[..., None] * c[..., None, :] / d[..., None], u - c * v / d
        return precision, u


def log_evidence(precision, direction):
    """Return the log10 likelihood of stretches, less what does not depend on cuts, np.ndarray [shape=(...)].

    >>> log_evidence(np.zeros((2, 2)), np.zeros(2)).round(3) + 0  # no sound, no evidence
    np.float64(0.0)
    """
    n = precision.shape[-1]
    bordered = np.empty((*precision.shape[:-2], n + 1, n + 1))  # its factor's last row solves for the direction
    bordered[..., :n, :n], bordered[..., n, :n] = precision + np.eye(n), direction
    bordered[..., n, n] = 1 + np.square(direction).sum(-1)
    c = np.linalg.cholesky(bordered)
    gained = 0.5 * np.square(c[..., n, :n]).sum(-1)
    return (gained - np.log(np.diagonal(c[..., :n, :n], axis1=-2, axis2=-1)).sum(-1)) / np.log(10)


def cut_score(evidence, left, cut, right, **options):
    """Return the log10 likelihood ratio of two devices, one up to block ``cut`` and one from it, against one.

    ``options`` are those of `Evidence.of`.
    """
    (p, a), (q, b) = evidence.of(left, cut, **options), evidence.of(cut, right, **options)
    return log_evidence(p, a) + log_evidence(q, b) - log_evidence(p + q, a + b)


def evidence_of(y, samplerate, model):
    """Return the `Evidence` of a recording, and the seconds of a block."""
    if samplerate != model.samplerate:
        raise ParameterError(f"samplerate={samplerate} is not that of the model, {model.samplerate}: resample first")
    spectra, step = log_spectra(y, samplerate)
    return Evidence(spectra, model), step


def _curve(evidence, step, side_s=SIDE_S):
    side, least = round(side_s / step), round(SHORTEST_S / step / 2)
    cuts = np.arange(least, evidence.blocks - least + 1)
    score = [cut_score(evidence, np.maximum(part - side, 0), part, np.minimum(part + side, evidence.blocks))
             for part in np.array_split(cuts, 1 + len(cuts) // 2000)]
    return cuts, np.concatenate(score)


def change_curve(y, samplerate, *, model, side_s=SIDE_S):
    """Return the times [s] and the log10 likelihood ratio of a change of device there, from ``side_s`` on each side.

    Two np.ndarray [shape=(n,)]; empty for a recording shorter than `SHORTEST_S`. The ratio ranks, it is not calibrated.
    """
    evidence, step = evidence_of(y, samplerate, model)
    cuts, score = _curve(evidence, step, side_s)
    return cuts * step, score


def change_points(y, samplerate, *, model, threshold=None):
    """Return where another device begins, without knowing the devices.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)], real
        Recording.
    samplerate : int
        Its rate, that of the model [Hz].
    model : SpliceModel
    threshold : float, optional
        Least score; by default the model's.

    Returns
    -------
    table : pandas.DataFrame
        One row per change: time_s; score, log10 likelihood ratio of the piece before and the piece after being of two
        devices (or places) rather than one. Not calibrated: it ranks.

    Notes
    -----
    Peaks of `change_curve` are candidates; those are kept that split the recording into the pieces of the largest sum
    of log likelihoods when every cut costs ``threshold``. Each is then moved by up to half a second to where it says
    most, and dropped if one device with two gains explains both sides better; if it does not show within `ABRUPT_S`,
    since a noise suppressor settles over seconds; or if what is louder than a pause does not reach `LEAST` by
    itself: a gate, a suppressor or a fan changes pauses, another device speech as well. For a pause is taken what is
    20 dB below the quietest kind of sound, and that kind, unless it is most of the recording.
    """
    return search(y, samplerate, model=model, threshold=threshold)[0]


def search(y, samplerate, *, model, threshold=None):
    """Return what `change_points` and `change_curve` do, found in one go: table, (times, ratios)."""
    evidence, step = evidence_of(y, samplerate, model)
    at, curve = _curve(evidence, step)
    least = model.threshold if threshold is None else threshold
    cuts, scores = _changes(evidence, step, _pieces(evidence, step, at, curve), least)
    return pd.DataFrame({"time_s": cuts * step, "score": scores}), (at * step, curve)


def _pieces(evidence, step, where, curve):
    """Return edges, and of every piece between two of them that may be one: left edge, right edge, log10 likelihood."""
    least, longest = round(SHORTEST_S / step), round(LONGEST_S / step)
    peaks = where[(curve == maximum_filter1d(curve, 5)) & (curve > 0)] if len(where) else where
    every = np.arange(longest, evidence.blocks, longest)  # a piece may have to end
    edges = np.unique(np.concatenate([[0, evidence.blocks], peaks, every]))
    ahead = np.searchsorted(edges, edges + longest, side="right") - np.arange(len(edges))
    left = np.repeat(np.arange(len(edges)), ahead)
    right = left + np.arange(len(left)) - np.repeat(np.cumsum(ahead) - ahead, ahead)
    fits = edges[right] - edges[left] >= min(least, evidence.blocks)
    left, right = left[fits], right[fits]
    parts = np.array_split(np.arange(len(left)), 1 + len(left) // 2000)
    value = [log_evidence(*evidence.of(edges[left[part]], edges[right[part]])) for part in parts]
    return edges, left, right, np.concatenate(value)


def _cheapest(left, right, value, n):
    """Return the edges, first and last among them, that pieces of the largest sum of values lie between."""
    best, before = np.full(n, -np.inf), np.zeros(n, int)
    best[0] = 0
    order = np.argsort(right, kind="stable")
    ends = np.searchsorted(right[order], np.arange(n + 1))
    for j in range(1, n):
        these = order[ends[j] : ends[j + 1]]
        if len(these):
            total = best[left[these]] + value[these]
            k = int(np.argmax(total))
            best[j], before[j] = total[k], left[these[k]]
    found = [n - 1]
    while found[-1]:
        found.append(before[found[-1]])
    return found[::-1]


def _changes(evidence, step, pieces, threshold):
    """Return blocks and scores of changes: moved to where they say most, without those that a gain explains."""
    edges, *rest, value = pieces
    edges = edges[_cheapest(*rest, value - threshold, len(edges))].tolist()
    least, side = round(SHORTEST_S / step), round(ABRUPT_S / step)
    for i in range(1, len(edges) - 1):
        low, high = max(edges[i - 1] + least, edges[i] - NEAR), min(edges[i + 1] - least, edges[i] + NEAR)
        at = np.arange(low, high + 1)
        if len(at):
            edges[i] = int(at[np.argmax(cut_score(evidence, edges[i - 1], at, edges[i + 1]))])
    while len(edges) > 2:
        a = np.array(edges)
        scores, free = (cut_score(evidence, a[:-2], a[1:-1], a[2:], gain_sd=sd) for sd in (0.0, GAIN_SD))
        near = cut_score(evidence, np.maximum(a[:-2], a[1:-1] - side), a[1:-1], np.minimum(a[2:], a[1:-1] + side))
        heard = cut_score(evidence, a[:-2], a[1:-1], a[2:], heard=True)
        scores = np.where((free < 0) | (near < ABRUPT) | (heard < LEAST), -np.inf, scores)
        if scores.min() >= threshold:
            return a[1:-1], scores
        del edges[int(np.argmin(scores)) + 1]
    return np.empty(0, int), np.empty(0)


def fit_left_out(signals, devices, samplerate, *, groups, seed=0):
    """Learn how recordings differ, how sound differs within them, and from which score on a change counts.

    Parameters
    ----------
    signals : sequence of np.ndarray [shape=(n_samples,)]
        Untouched recordings, at least two of which are left when a group is out.
    devices : sequence of str
        Of each recording.
    samplerate : int
        Their rate [Hz].
    groups : sequence of sequence of str
        Names of devices, each in one group. An empty group leaves nobody out.
    seed : int
        Of the mixture's start.

    Returns
    -------
    models : list of SpliceModel
        One for every group, learnt from the other devices' recordings and from copies of their first seconds in those
        of the conditions `COPIES` that have an encoder here. All have the `alarm_threshold` of all recordings in
        groups, each searched by the model that has not heard its device.
    """
    first = [np.asarray(y)[: round(COPY_S * samplerate)] for y in signals]
    described = [log_spectra(y, samplerate) for y in signals]
    spectra, step = [x for x, _ in described], described[0][1] if described else BLOCK_S
    names = able(COPIES)[0]
    copies = [[log_spectra(degrade(y, samplerate, condition=name), samplerate)[0] for name in names] for y in first]
    models, least = [], []
    for group in groups:
        out = np.isin(devices, group)
        kept = [*compress(spectra, ~out), *chain(*compress(copies, ~out))]
        models.append(_fitted(kept, samplerate, seed))
        least += [_silent(Evidence(x, models[-1]), step) for x, left in zip(spectra, out, strict=True) if left]
    threshold = alarm_threshold(least, sum(map(len, spectra)) * step / 3600)
    return [replace(model, threshold=threshold) for model in models]


def fit_detector(signals, devices, samplerate, *, folds=4, seed=0):
    """Learn a model from untouched recordings, and the score at which it raises few false alarms on them.

    Parameters
    ----------
    signals, samplerate, seed
        As in `fit_left_out`.
    devices : sequence of str
        Of each recording, at least two. They are left out in turn for the threshold.
    folds : int
        Number of groups in which they are.

    Returns
    -------
    model : SpliceModel
        Of all recordings.
    """
    names = np.random.default_rng(seed).permutation(np.unique(devices))
    if len(names) < 2:
        raise ParameterError("splices need recordings of at least 2 devices to learn from")
    groups = [*np.array_split(names, min(folds, len(names))), ()]
    return fit_left_out(signals, devices, samplerate, groups=groups, seed=seed)[-1]


def alarm_threshold(least, hours):
    """Return the threshold at which `PER_HOUR` false alarms are expected in an hour of untouched sound.

    ``least`` [shape=(n,)] are the least thresholds at which recordings of so many hours raise no alarm. That is seldom
    an hour for each device, so what exceeds `LEAST` is taken for exponential, as log likelihood ratios of what is not
    there are at worst; one excess of `LEAST` is added, since recordings that are all silent do not show that none will.

    >>> round(alarm_threshold([5.0] * 40, 1.0), 2), round(alarm_threshold([5.0] * 40, 0.1), 2)
    (5.0, 16.51)
    >>> round(alarm_threshold([5.0] * 38 + [9.0, 30.0], 0.1), 1)
    43.5
    """
    beyond = np.append(np.asarray(least) - LEAST, LEAST)
    beyond = beyond[beyond > 0]
    return LEAST + float(beyond.mean()) * max(0.0, float(np.log(len(beyond) / (PER_HOUR * hours))))


def _silent(evidence, step):
    """Return the least threshold of `GRID` from which on a recording shows no change."""
    pieces = _pieces(evidence, step, *_curve(evidence, step))
    return GRID[bisect_left(GRID[:-1], True, key=lambda least: not len(_changes(evidence, step, pieces, least)[0]))]
