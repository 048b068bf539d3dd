"""Were two recordings made by one device? Comparison of mean log spectra, calibrated on devices that are left out.

A *side* (`sides`) is a handful of consecutive segments, described by the mean of their windowed log spectra. How sides
differ between devices and within one is learnt from background devices (`covariances`), and scores become log10
likelihood ratios by a line that was fitted on devices which the scorer had not seen. Notebooks 14 and 15.
"""

from dataclasses import astuple, dataclass
from functools import cached_property, lru_cache

import numpy as np
from threadpoolctl import threadpool_limits

from . import likelihood
from .corpus import natural_key
from .covariances import fit_two_covariance
from .errors import ParameterError
from .files import atomic_path
from .intervals import logit_t_interval
from .sides import corpus_sides

GROUPS = 8  # into which devices are put to be left out
LEAST_DEVICES, LEAST_SAME = 6, 3  # to learn from; of them with two sessions
DRAWS = 100  # of devices, for the interval of a likelihood ratio


# --- devices left out ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Validation:
    """Every side asked about every device, by scorers and calibrations that knew neither device.

    ``scores`` are natural log likelihood ratios as the scorer has them, ``log10_lr`` what calibration makes of them,
    not bounded; NaN where a device has no other session to be its reference.
    """

    scores: np.ndarray  # [shape=(n_sides, n_devices)]
    log10_lr: np.ndarray  # same shape
    questioned: np.ndarray  # [shape=(n_sides,)], str, true device of each side
    references: np.ndarray  # [shape=(n_devices,)], str, devices asked about, sorted

    def pairs(self, values="log10_lr"):
        """Return the pairs of one device [shape=(n,)], those of two [shape=(m,)], and their devices, a dict.

        It holds same_devices [shape=(n,)] and different_devices [shape=(m, 2)], the questioned one first, as
        `likelihood.bootstrap` asks for them. ``values`` is "log10_lr" or "scores".
        """
        table = getattr(self, values)
        q, r = np.nonzero(np.isfinite(table))
        one, two, values = self.questioned[q], self.references[r], table[q, r]
        same = one == two
        named = {"same_devices": one[same], "different_devices": np.stack([one, two], axis=1)[~same]}
        return values[same], values[~same], named


def of_one_model(devices, model):
    """Return which different-device pairs are of two units of one model, np.ndarray [shape=(m,)], bool.

    ``devices`` is what `Validation.pairs` names; ``model`` gives the model of each device, empty where it is not known.

    >>> of_one_model({"different_devices": [("A", "B"), ("A", "C")]}, {"A": "X", "B": "X", "C": "Y"}).tolist()
    [True, False]
    """
    one, two = (np.array([model[name] for name in names]) for names in np.transpose(devices["different_devices"]))
    return (one == two) & (one != "")


def _left_out(x, devices, sessions, *, copied, seed):
    """Return scores [shape=(n, n_devices)] of all sides and devices by scorers that saw neither, and the groups.

    Where some are ``copied`` in another condition, these are asked about, and the others are the references.
    """
    names, device = np.unique(devices, return_inverse=True)
    turn = np.zeros(len(x), int)  # number of a side's session among those of its device
    for i in range(len(names)):
        own = sessions[device == i].tolist()
        named = sorted(set(own), key=natural_key)
        turn[device == i] = [named.index(name) for name in own]
    n_turns = np.array([turn[device == i].max() + 1 for i in range(len(names))])
    # Dealt out at random, those of several sessions first: two groups that held all of them would leave no pair of one
    # device to calibrate with.
    order = np.lexsort([np.random.default_rng(seed).permutation(len(names)), n_turns == 1])
    n_groups = min(GROUPS, len(names))
    group = np.argsort(order) % n_groups
    references = np.empty((max(n_turns), len(names), x.shape[1]))
    for t, i in np.ndindex(references.shape[:2]):
        own, away = (device == i) & ~copied, np.abs(np.arange(n_turns[i]) - t % n_turns[i])
        held = np.flatnonzero(away > 1) if away.max() > 1 else away.argmax()
        references[t, i] = x[own & np.isin(turn, held)].mean(axis=0)
    scores, questioned = np.full((len(x), len(names)), np.nan), copied if copied.any() else ~copied
    for a, b in zip(*np.triu_indices(n_groups), strict=True):
        known = ~np.isin(group[device], [a, b])
        model = fit_two_covariance(x[known], devices[known], sessions[known])
        for of_side, of_reference in {(a, b), (b, a)}:
            asked = np.flatnonzero(group == of_reference)
            for t in range(max(n_turns)):
                rows = np.flatnonzero(questioned & (group[device] == of_side) & (turn == t))
                if len(rows):
                    scores[np.ix_(rows, asked)] = model.score(references[t, asked], x[rows]).T
    for i in np.flatnonzero(n_turns == 1):
        scores[device == i, i] = np.nan
    return scores, names, group


def _calibrated(scores, device, group):
    """Return scores as log10 likelihood ratios, each by a line from pairs of other groups than its two devices'."""
    values, told = np.full_like(scores, np.nan), np.isfinite(scores)
    same = device[:, np.newaxis] == np.arange(len(group))
    of_side, of_reference = group[device][:, np.newaxis], group[np.newaxis]
    for a, b in zip(*np.triu_indices(group.max() + 1), strict=True):
        others = told & ~(np.isin(of_side, [a, b]) | np.isin(of_reference, [a, b]))
        line = likelihood.calibrate(scores[others & same], scores[others & ~same])
        here = told & (np.minimum(of_side, of_reference) == a) & (np.maximum(of_side, of_reference) == b)
        if here.any():
            values[here] = line(scores[here])
    return values


# --- the comparison --------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Comparison:
    """A trained and calibrated comparison of sides, from `fit_comparison` or `load_comparison`.

    ``bounds`` hold every log10 likelihood ratio to what the validation bears out, `likelihood.elub`, and the number of
    devices allows, `likelihood.source_bounds`.
    """

    x: np.ndarray  # [shape=(n, d)], the sides that it was trained on
    devices: np.ndarray  # [shape=(n,)], their names
    sessions: np.ndarray  # [shape=(n,)]
    lines: np.ndarray  # [shape=(1 + draws, 2)], slope, offset from score to log10 ratio; then of draws
    bounds: tuple  # (low, high)
    validation: Validation  # what came out on devices left out

    @cached_property
    def model(self):
        """Function from a name to the `TwoCovariance` of all other devices, "" for all; each is fitted once."""
        def model(without=""):
            known = self.devices != without
            return fit_two_covariance(self.x[known], self.devices[known], self.sessions[known])

        return lru_cache(maxsize=1000)(model)

    def log10_lr(self, references, questioned, *, device=""):
        """Return how strongly the sides speak for one device and against two, and how sure that is.

        Parameters
        ----------
        references, questioned : np.ndarray [shape=(n, d)], [shape=(m, d)]
            Sides of one device, and of one questioned recording.
        device : str
            Name of the references' device. If it was trained on, the comparison is made without it, since devices
            that the scorer knows look more like themselves than others do.

        Returns
        -------
        value, low, high : float
            log10 likelihood ratio and its 95 % interval over the devices that calibrated it, all within ``bounds``.
            Sides that are not finite, or of another length than those it was trained on, raise ParameterError.
        """
        return tuple(np.clip(self.unbounded(references, questioned, device=device), *self.bounds).tolist())

    def unbounded(self, references, questioned, *, device=""):
        """Return `log10_lr` as calibrated, beyond the bounds, too: what `open_set_threshold` is for, no evidence."""
        r, q = (self._mean(name, x) for name, x in (("references", references), ("questioned", questioned)))
        score = self.model(device if device in self.devices else "").score(r, q)[0, 0]
        values = self.lines[:, 0] * score + self.lines[:, 1]
        value, low, high = values[0], *np.quantile(values[1:], [0.025, 0.975])
        return value, min(low, value), max(high, value)

    def _mean(self, name, vectors):
        vectors, d = np.asarray(vectors), self.x.shape[1]
        if not vectors.size or vectors.shape[1:] != (d,) or vectors.dtype.kind != "f" or not np.isfinite(vectors).all():
            raise ParameterError(f"{name} must be finite sides of {d} features, not an array of shape {vectors.shape}")
        return vectors.mean(axis=0, dtype=np.float64, keepdims=True)

    def save(self, path):
        """Write the comparison as one ``.npz`` file of plain arrays."""
        arrays = {name: getattr(self, name) for name in ("x", "devices", "sessions", "lines", "bounds")}
        with atomic_path(path) as temporary:
            np.savez(temporary, **arrays, scores=self.validation.scores, log10_lr=self.validation.log10_lr)


def load_comparison(path):
    """Return the `Comparison` that `Comparison.save` wrote; whether it is as it was written, a case checks before."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    devices, bounds = arrays["devices"], tuple(arrays.pop("bounds").tolist())
    validation = Validation(arrays.pop("scores"), arrays.pop("log10_lr"), devices, np.unique(devices))
    return Comparison(**arrays, bounds=bounds, validation=validation)


@threadpool_limits.wrap(limits=1)
def fit_comparison(vectors, devices, *, sessions, copied=None, seed=0):
    """Return the `Comparison` that sides of known devices teach: references, background or both.

    Groups of devices are left out, two at a time: no pair is scored by what was trained, or calibrated, on one of its
    devices. The questioned part of a pair is one side, the reference the mean of its device's other sessions without
    the neighbours of the side's own in the order of their names (dates, rounds, numbers), as far as there are others.
    What is questioned is mostly of another time than all references, and ratios calibrated on neighbours overstate: of
    whole segments of rounds 01-03 asked about 08 and 13, Cllr is .09 without neighbours, .16 with them.

    Fewer than 6 devices, or than 3 with two sessions, raise ParameterError.

    Parameters
    ----------
    vectors : np.ndarray [shape=(n, d)]
        Sides, from `sides.side_vectors`.
    devices, sessions : sequence of str [length n]
        Names. What was recorded together is one session; where devices have one each, give the names of recordings:
        the ratios then know nothing of other days and rooms.
    copied : sequence of bool [length n], optional
        Which sides are copies in other conditions, made of recordings among the others: multi-condition training. The
        ratios are then those of a copy against references that are as they were recorded.
    seed : int
        Of the groups that are left out, and of the draws for intervals.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> devices, sessions = np.repeat([*"ABCDEFGH"], 6), [*"112233"] * 8
    >>> vectors = np.repeat(rng.normal(size=(8, 40)), 6, axis=0) + rng.normal(0, 0.3, (48, 40))
    >>> comparison = fit_comparison(vectors[6:], devices[6:], sessions=sessions[6:])
    >>> [value > 0 for value in (comparison.log10_lr(vectors[:3], vectors[3:6])[0],  # A and A
    ...                          comparison.log10_lr(vectors[:3], vectors[6:9], device="A")[0])]  # A and B
    [True, False]
    """
    vectors, devices, sessions = np.asarray(vectors), np.asarray(devices, str), np.asarray(sessions, str)
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or not len(vectors) == len(devices) == len(sessions):
        shapes = f"{vectors.shape} for {len(devices)} devices and {len(sessions)} sessions"
        raise ParameterError(f"vectors must hold one side per row, with a device and a session each, not {shapes}")
    if not np.isfinite(vectors).all():
        raise ParameterError("vectors: sides must be finite")
    names = np.unique(devices)
    several = sum(len(np.unique(sessions[devices == name])) > 1 for name in names)
    if len(names) < LEAST_DEVICES or several < LEAST_SAME:
        raise ParameterError(f"no likelihood ratio from {len(names)} devices, {several} of them with two sessions or "
                             f"recordings: it takes {LEAST_DEVICES}, and {LEAST_SAME} of them with two (others may "
                             "be a background)")  # fmt: skip
    x = vectors.astype(np.float64)
    copied = np.zeros(len(x), bool) if copied is None else np.asarray(copied, bool)
    scores, names, group = _left_out(x, devices, sessions, copied=copied, seed=seed)
    log10_lr = _calibrated(scores, np.searchsorted(names, devices), group)
    validation = Validation(scores, log10_lr, devices, names)
    same, different, named = validation.pairs("scores")
    draws = likelihood.device_draws(same, different, **named, n=DRAWS, seed=seed)
    lines = np.array([astuple(likelihood.calibrate(*pairs)) for pairs in [(same, different), *draws]])
    same, different, _ = validation.pairs()
    bounds = np.array([likelihood.elub(same, different), likelihood.source_bounds(several, len(names) - 1)])
    bounds = float(bounds[:, 0].max()), float(bounds[:, 1].min())
    return Comparison(x.astype(np.float32), devices, sessions, lines, bounds, validation)


def crossed(recordings):
    """Return the names of what the two sides of a pair must not share, pandas.Series ``session`` or ``recording``.

    Sessions where enough devices have several (a recording without one is its own), else recordings: then ratios know
    nothing of other days.

    >>> import pandas as pd
    >>> crossed(pd.DataFrame({"device": [*"AAB"], "session": ["may", "june", ""], "recording": [*"123"]})).tolist()
    ['1', '2', '3']
    """
    told = recordings[recordings["session"] != ""].groupby("device")["session"].nunique()
    known = recordings["session"].where(recordings["session"] != "", recordings["recording"])
    return known if (told > 1).sum() >= LEAST_SAME else recordings["recording"]


def compare_corpus(recordings, *, seed=0, **options):
    """Return the `Comparison` of a corpus, its sides and their rows, as `sides.corpus_sides` with these options does.

    The rows get a column ``crossed``, see `crossed`. Raises ParameterError if the devices are too few.
    """
    vectors, rows = corpus_sides(recordings.assign(crossed=crossed(recordings)), **options)
    return fit_comparison(vectors, rows["device"], sessions=rows["crossed"], seed=seed), vectors, rows


# --- none of these ---------------------------------------------------------------------------------------------------
def open_set_threshold(validation, *, n_references, models=None, false_naming=0.05):
    """Return the rule "none of these": the log10 likelihood ratio, unbounded, that the best of references must reach.

    Parameters
    ----------
    validation : Validation
    n_references : int
        Devices that a case asks about, at most as many as the validation has of other models than one device's: the
        more, the likelier one of them resembles an unknown device.
    models : dict, optional
        Model of each device, empty or left out where it is not known: since a model is claimed, other units of the
        unknown device's are no references.
    false_naming : float
        Share of unknown devices' sides, in the validation, that may get the name of a reference.

    Returns
    -------
    rule : dict
        threshold, at least 0, n_references, and for each of unknown_named, known_declined and known_misnamed the
        measured share of sides as (value, low, high), 95 % over models; those of a model are counted at the threshold
        that the other models' sides ask for.

    Examples
    --------
    >>> names = np.array([*"ABCDEFGH"])
    >>> ratios = np.where(np.eye(8, dtype=bool), 2.0, np.random.default_rng(0).normal(0, 0.3, (8, 8)))
    >>> rule = open_set_threshold(Validation(ratios, ratios, names, names), n_references=4)
    >>> round(rule["threshold"], 2), rule["known_declined"][0], round(rule["unknown_named"][0], 2)
    (0.59, 0.0, 0.07)
    """
    table, names = validation.log10_lr, validation.references
    _, model = np.unique([(models or {}).get(name) or name for name in names], return_inverse=True)
    n_references = min(n_references, len(names) - int(np.bincount(model).max()))
    if not n_references:
        raise ParameterError(f"the rule needs devices of two models, all {len(names)} are of one")
    rng, found = np.random.default_rng(0), []
    for row in np.flatnonzero(np.isfinite(table).all(axis=1)):
        own = np.searchsorted(names, validation.questioned[row])
        others = np.flatnonzero(model != model[own])
        for _ in range(20):  # sets of references
            drawn = table[row, rng.permutation(others)[:n_references]]
            rival = drawn[1:].max(initial=-np.inf)
            found.append((drawn.max(), max(rival, table[row, own]), table[row, own] > rival, model[own]))
    if not found:
        raise ParameterError("the rule needs sides whose own device has another session to be its reference")
    unknown, known, named_right, device = map(np.array, zip(*found, strict=True))

    def least(best):
        return max(0.0, float(np.nextafter(np.quantile(best, 1 - false_naming, method="higher"), np.inf)))

    _, code = np.unique(device, return_inverse=True)
    told = np.array([least(unknown[code != k]) for k in range(code.max() + 1)])[code]
    shares = {"unknown_named": unknown >= told, "known_declined": known < told}
    shares["known_misnamed"] = (known >= told) & ~named_right
    rates = {name: (float(hit.mean()), *logit_t_interval(hit, device)) for name, hit in shares.items()}
    return {"threshold": least(unknown), "n_references": n_references} | rates
