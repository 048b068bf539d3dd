"""Where another device begins: change points of a recording, without knowing the devices.

Notebook 16. A recording becomes blocks of some 64 ms, a block a log spectrum in ``AXES`` principal axes. What is said
decides far more of it than the device does, so blocks are first shared out among ``STATES`` kinds of sound (a pause, a
vowel, a hiss) by a Gaussian mixture; within kind k, block x of a recording is taken for

    x = mean_k + loadings_k h + gain + noise,    h ~ N(0, I) of the recording, noise ~ N(0, covariance_k)

which is the total variability model of speaker recognition (Dehak et al., "Front-end factor analysis for speaker
verification", IEEE TASLP 19(4), 2011), with a gain that is free on either side of a cut. A stretch of sound then has a
likelihood under "one device, one place", and a cut a likelihood ratio: two such stretches against one. The first use of
channel estimates for splices of recordings is Cuccovillo et al. 2013 (MMSP), the first of the cited systems.
(A third of the lines are docstrings.) Constants were chosen on clips 1-2 of 45 phones (ccnu_mobile) and on rounds
01-03, 08 and 13 of 16 recording chains (rounds), devices left out.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.fft
from scipy.ndimage import maximum_filter1d
from scipy.signal import get_window

from .degrade import degrade
from .errors import ParameterError

FRAME_S, BLOCK_S = 0.032, 0.064  # frame of a spectrum, half overlapping; block over which log spectra are averaged [s]
AXES, STATES, FACTORS = 40, 4, 30  # principal axes of a block, kinds of sound, numbers in h
KNOWN_AXES = 24  # of them, the first ones tell the kind of sound
INDEPENDENT = 0.3  # neighbouring blocks are alike: how many independent ones a block counts for
GAIN_SD = 4.6  # of a gain that may differ from piece to piece: 20 dB [log power]
SHORTEST_S, LONGEST_S = 1.75, 60.0  # shortest piece, longest before two are compared once more [s]
SIDE_S = 2.0  # sound on either side of a cut, for the curve [s]
NEAR = 8  # blocks by which a candidate may be off
ABRUPT_S, ABRUPT = 0.75, -1.0  # sound on either side in which a change must show, and how: least log10 likelihood ratio
GRID = np.geomspace(10, 1e4, 60).round(2)  # thresholds that are tried
PER_HOUR = 1.0  # false alarms in an hour of untouched sound that a threshold may let through
COPIES, COPY_S = ("mp3-64",), 10.0  # what is learnt besides, since MP3 empties bands; seconds of each recording
ROUNDING = 2.0**-30 / 12  # noise of 16 bit [power]
CHUNK_S = 60  # sound taken at a time [s]


@dataclass(frozen=True, eq=False)
class SpliceModel:
    """What `fit_model` learns; ``numpy.savez(file, **dataclasses.asdict(model))`` keeps it, without pickle."""

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


def log_spectra(y, samplerate):
    """Return the log power spectra of blocks, np.ndarray [shape=(n_blocks, bins)], and the seconds of a block.

    Levels are counted from the level that a tenth of the blocks exceed, so a gain of the whole recording cancels.

    >>> x, step = log_spectra(np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32), 16000)
    >>> x.shape, step
    ((15, 257), 0.064)
    """
    y = np.asarray(y)
    n, hop, per = _frames(samplerate)
    number = (len(y) - n + hop) // (hop * per)
    if y.ndim != 1 or number < 1:
        raise ParameterError(f"a recording needs {n + hop * (per - 1)} samples for one block, this one is {y.shape}")
    window = (get_window("hann", n) * np.sqrt(8 / 3)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(y, n)[::hop]
    blocks = []
    for start in range(0, number, round(CHUNK_S / BLOCK_S)):
        part = frames[start * per : min(start + round(CHUNK_S / BLOCK_S), number) * per]
        power = np.square(np.abs(scipy.fft.rfft(part * window))) + np.float32(n * ROUNDING)
        blocks.append(np.log(power).reshape(-1, per, n // 2 + 1).mean(axis=1))
    x = np.concatenate(blocks).astype(np.float64)
    return x - np.percentile(x.mean(axis=1), 90), _step(samplerate)


def _frames(samplerate):
    """Return the samples of a frame, those between two, and the frames of a block."""
    n = 2 ** round(np.log2(FRAME_S * samplerate))
    return n, n // 2, max(1, round(BLOCK_S * samplerate / (n // 2)))


def _step(samplerate):
    """Return the seconds of a block."""
    _, hop, per = _frames(samplerate)
    return hop * per / samplerate


# The model.


def fit_model(signals, samplerate, *, copies=COPIES, seed=0):
    """Learn how recordings differ from one another, and how sound differs within them.

    Parameters
    ----------
    signals : sequence of np.ndarray [shape=(n_samples,)]
        Untouched recordings of several devices, as many as there are, one rate.
    samplerate : int
        Their rate [Hz].
    copies : sequence of str
        Conditions, as in `degrade.degrade`, of which a copy of each recording's first seconds is learnt from, too.
    seed : int
        Of the mixture's start.

    Returns
    -------
    model : SpliceModel
        Without a threshold; `fit_detector` finds one.
    """
    return _fitted([x for part in _learnt(signals, samplerate, copies) for x in part], samplerate, seed)


def _copied(y, samplerate, copies):
    """Return the log spectra of copies of a recording's first seconds."""
    part = np.asarray(y)[: round(COPY_S * samplerate)]
    return [log_spectra(degrade(part, samplerate, condition=name), samplerate)[0] for name in copies]


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
    from sklearn.mixture import GaussianMixture  # half a second, where it is needed

    mixture = GaussianMixture(STATES, covariance_type="diag", random_state=seed, reg_covar=1e-3, max_iter=40)
    mixture.fit(x[::3, :KNOWN_AXES])
    own = mixture.weights_, mixture.means_, mixture.covariances_
    shares = [_shares(part, *own) for part in parts]
    r = np.concatenate(shares)
    means = r.T @ x / r.sum(axis=0)[:, None]
    whiten = np.stack([_whitening(parts, [share[:, k] for share in shares]) for k in range(STATES)])
    n = INDEPENDENT * np.array([share.sum(axis=0) for share in shares])
    f = INDEPENDENT * np.array([_sums(part, share, means, whiten) for part, share in zip(parts, shares, strict=True)])
    return SpliceModel(samplerate, mean, axes, *own, means, whiten, _loadings(n, f))


def _shares(x, weights, centres, variances):
    """Return how much of each block belongs to each kind of sound [shape=(n, STATES)]."""
    d = x[:, None, : centres.shape[1]] - centres
    logs = np.log(weights) - 0.5 * (d * d / variances + np.log(variances)).sum(axis=2)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _whitening(parts, weights):
    """Return what makes the covariance of blocks within recordings the identity, shrunk by a twentieth."""
    total = 1e-9
    covariance = np.zeros((parts[0].shape[1],) * 2)
    for x, w in zip(parts, weights, strict=True):
        d = x - w @ x / (w.sum() + 1e-9)
        covariance += (d * w[:, None]).T @ d
        total += w.sum()
    covariance /= total
    small = np.trace(covariance) / len(covariance)
    return np.linalg.inv(np.linalg.cholesky(0.95 * covariance + (0.05 * small + 1e-6) * np.eye(len(covariance)))).T


def _sums(x, shares, means, whiten):
    """Return the sums of whitened blocks for each kind of sound [shape=(STATES, AXES)]."""
    return np.stack([(shares[:, k] @ (x - means[k])) @ whiten[k] for k in range(len(means))])


def _loadings(n, f, *, rounds=8):
    """Return the loadings from weights [shape=(recordings, STATES)] and sums, by expectation and maximisation."""
    (count, states), axes = n.shape, f.shape[2]
    _, s, v = np.linalg.svd((f / (n[:, :, None] + 1)).reshape(count, -1), full_matrices=False)
    factors = min(FACTORS, count - 1)
    t = (v[:factors] * s[:factors, None] / np.sqrt(count)).reshape(factors, states, axes).transpose(1, 2, 0)
    for _ in range(rounds):
        precision = np.eye(factors) + np.einsum("ik,kpr,kpq->irq", n, t, t, optimize=True)
        covariance = np.linalg.inv(precision)
        h = np.einsum("irq,kpq,ikp->ir", covariance, t, f, optimize=True)
        second = covariance + h[:, :, None] * h[:, None]
        small = 1e-6 * np.eye(factors)
        weighted = np.tensordot(n.T, second, 1) + small
        t = np.stack([np.linalg.solve(weighted[k], h.T @ f[:, k]).T for k in range(states)])
        t = t @ np.linalg.cholesky(second.mean(axis=0))  # h keeps a variance of 1
    return t


# The likelihood of a stretch.


class Evidence:
    """What a recording says of h, block by block, summed so that every stretch of it is at hand at once."""

    def __init__(self, spectra, model):
        x = (spectra - model.mean) @ model.axes
        r = _shares(x, model.weights, model.centres, model.variances)
        gain = np.einsum("p,kpq->kq", model.axes.sum(axis=0), model.whiten)  # what a gain does to whitened blocks
        u, v = 0, 0
        t = model.loadings
        for k in range(len(t)):
            white = r[:, k, None] * ((x - model.means[k]) @ model.whiten[k])
            u, v = u + white @ t[k], v + white @ gain[k]
        self.sums = [np.concatenate([np.zeros((1, a.shape[1])), np.cumsum(a, axis=0)]) for a in (r, u, v[:, None])]
        pairs = [(t, t), (t, gain), (gain, gain)]
        self.parts = [np.stack([a.T @ b for a, b in zip(*pair, strict=True)]) for pair in pairs]
        self.blocks = len(x)

    def of(self, left, right, *, gain_sd=0.0):
        """Return precision and direction of h [shapes=(..., FACTORS, FACTORS), (..., FACTORS)] in blocks left to right.

        With ``gain_sd`` [log power] every stretch has a gain of its own, which says nothing of h.
        """
        n, u, v = (INDEPENDENT * (sums[right] - sums[left]) for sums in self.sums)
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
    c = np.linalg.cholesky(np.eye(precision.shape[-1]) + precision)
    w = np.linalg.solve(c, direction[..., None])[..., 0]
    return (0.5 * np.square(w).sum(-1) - np.log(np.diagonal(c, axis1=-2, axis2=-1)).sum(-1)) / np.log(10)


def cut_score(evidence, left, cut, right, *, gain_sd=0.0):
    """Return the log10 likelihood ratio of two devices, one up to block ``cut`` and one from it, against one."""
    (p, a), (q, b) = evidence.of(left, cut, gain_sd=gain_sd), evidence.of(cut, right, gain_sd=gain_sd)
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
    threshold : float or None
        Least score; ``None`` = the model's own.

    Returns
    -------
    table : pandas.DataFrame
        One row per change: time_s; score, log10 likelihood ratio of the piece before and the piece after being of two
        devices (or places) rather than one. Not calibrated: it ranks.

    Notes
    -----
    Peaks of `change_curve` are candidates; those are kept that split the recording into the pieces of the largest sum
    of log likelihoods when every cut costs ``threshold``. Each is then moved by up to half a second to where it says
    most, and dropped if the two sides are better explained by one device with two gains, or if it does not show within
    `ABRUPT_S`: a noise suppressor that settles changes the sound over seconds.
    """
    return search(y, samplerate, model=model, threshold=threshold)[0]


def search(y, samplerate, *, model, threshold=None):
    """Return what `change_points` and `change_curve` do, found in one go: table, (times, ratios)."""
    evidence, step = evidence_of(y, samplerate, model)
    threshold = model.threshold if threshold is None else threshold
    at, curve = _curve(evidence, step)
    cuts, scores = _changes(evidence, step, _pieces(evidence, step, at, curve), threshold)
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
        scores = np.where((free < 0) | (near < ABRUPT), -np.inf, scores)
        if scores.min() >= threshold:
            return a[1:-1], scores
        del edges[int(np.argmin(scores)) + 1]
    return np.empty(0, int), np.empty(0)


def fit_detector(signals, devices, samplerate, *, folds=4, copies=COPIES, seed=0):
    """Learn a model from untouched recordings, and the least score at which it raises few false alarms on them.

    Parameters
    ----------
    signals, samplerate, copies, seed
        As in `fit_model`.
    devices : sequence of str
        Of each recording. They are left out in turn, ``folds`` groups of them, see `fit_left_out`.

    Returns
    -------
    model : SpliceModel
    """
    names = np.random.default_rng(seed).permutation(np.unique(devices))
    if len(names) < 2:
        raise ParameterError("splices need recordings of at least 2 devices to learn from")
    learnt = _learnt(signals, samplerate, copies)
    models = _left_out(*learnt, devices, samplerate, np.array_split(names, min(folds, len(names))), seed)
    return replace(_fitted([x for part in learnt for x in part], samplerate, seed), threshold=models[0].threshold)


def fit_left_out(signals, devices, samplerate, *, groups, copies=COPIES, seed=0):
    """Return a model for every group of devices, learnt from the recordings of the others, all with one threshold.

    It lets `PER_HOUR` false alarms through when each recording is searched by the model that has not heard its device;
    of less sound than an hour, in proportion, rounded down.

    Parameters
    ----------
    signals, devices, samplerate, copies, seed
        As in `fit_detector`.
    groups : sequence of sequence of str
        Names of devices, each in one group.

    Returns
    -------
    models : list of SpliceModel
    """
    return _left_out(*_learnt(signals, samplerate, copies), devices, samplerate, groups, seed)


def _learnt(signals, samplerate, copies):
    """Return the log spectra of recordings, and those of their copies, one after the other for each."""
    spectra = [log_spectra(y, samplerate)[0] for y in signals]
    return spectra, [x for y in signals for x in _copied(y, samplerate, copies)]


def _left_out(spectra, extra, devices, samplerate, groups, seed):
    step, devices = _step(samplerate), np.asarray(devices)
    models, least = [], []
    for group in groups:
        out = np.isin(devices, group)
        part = [*zip(spectra, out, strict=True), *zip(extra, np.repeat(out, len(extra) // len(out)), strict=True)]
        models.append(_fitted([x for x, left in part if not left], samplerate, seed))
        least += [_silent(Evidence(x, models[-1]), step) for x, left in zip(spectra, out, strict=True) if left]
    allowed = min(int(PER_HOUR * sum(map(len, spectra)) * step / 3600), len(least) - 1)
    return [replace(model, threshold=float(np.sort(least)[-1 - allowed])) for model in models]


def _silent(evidence, step):
    """Return the least threshold of `GRID` from which on a recording shows no change."""
    pieces = _pieces(evidence, step, *_curve(evidence, step))
    low, high = 0, len(GRID) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if not len(_changes(evidence, step, pieces, GRID[middle])[0]) else (middle + 1, high)
    return GRID[low]
