"""The validation report of a case: the matrix of Meuwly, Ramos and Haraksim (notebook 20, `devid validate`)."""

from itertools import product

import numpy as np
import pandas as pd

from .. import likelihood, verification

# What a comparison has to reach, fixed before any case was looked at. A cost of 1 is that of no comparison at all.
# (An area of .95 is about what an equal error rate of .1 comes to.)
CRITERIA = {"Cllr": 0.5, "Cllr_min": 0.4, "EER": 0.1, "Cllr_cal": 0.15, "AUROC": 0.95, "rise of Cllr": 0.2}
DRAWS = 100  # of devices, for an interval
LEAST_DEVICES = 3  # for an interval over devices
OTHER_UNIT = "AUROC, a model by another unit"
COLUMNS = ["characteristic", "measure", "value", "low", "high", "n", "pairs", "criterion", "verdict"]


def bounded_pairs(case, wanted=None):
    """Return the ratios of pairs of known devices that were left out, within the bounds: same, different, devices.

    ``wanted`` are names of devices; none = all.
    """
    same, different, named = case.comparison.validation.pairs()
    if wanted is not None:
        one = np.isin(named["same_devices"], wanted)
        two = np.isin(named["different_devices"], wanted).all(axis=1)
        same, different = same[one], different[two]
        named = {"same_devices": named["same_devices"][one], "different_devices": named["different_devices"][two]}
    return *(np.clip(side, *case.comparison.bounds) for side in (same, different)), named


METRICS = {"Cllr": likelihood.cllr, "Cllr_min": likelihood.cllr_min, "EER": likelihood.equal_error_rate,
           "Cllr_cal": likelihood.cllr_cal, "AUROC": likelihood.auroc}  # fmt: skip
OF = {"accuracy": ["Cllr"], "discrimination": ["Cllr_min", "EER", "AUROC"], "calibration": ["Cllr_cal"]}


def matrix(case, altered):
    """Return the validation matrix of a case that has a comparison, one row per measure, with the `COLUMNS`.

    A characteristic is accuracy, discrimination, calibration, robustness, coherence or generalisation; ``low`` and
    ``high`` are 95 % over ``n`` devices, ``pairs`` a text (of one device + of two), the criterion is fixed beforehand.
    ``altered`` holds known recordings in another form: {(characteristic, name): (vectors, rows of ``case.known``, what
    was measured of them)}.

    Source: Meuwly, Ramos and Haraksim, "A guideline for the validation of likelihood ratio methods used for forensic
    evidence evaluation", Forensic Science International 276, 2017.
    """
    same, different, named = bounded_pairs(case)
    rows = [_row(kind, name, same, different, named) for kind, names in OF.items() for name in names]
    rows += [_changed(case, *key, *sides) for key, sides in altered.items()]
    rows += _models(case, same, different, named)
    for role in ("reference", "background"):
        of_role = sorted(set(case.known["device"][case.known["role"] == role]))
        pairs = bounded_pairs(case, of_role)
        rows += [_row("generalisation", "Cllr", *pairs, label=f"Cllr, {role} devices alone")] if of_role else []
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(kind, name, same, different, named, *, label=""):
    """Return one measure with its interval over devices and its verdict, or that there are too few devices."""
    pairs = f"{len(same)} + {len(different)}"
    if not len(same) or not len(different):
        n = len(np.unique(np.concatenate([np.ravel(devices) for devices in named.values()])))
        return [kind, label or name, np.nan, np.nan, np.nan, n, pairs, "", "too few devices to tell"]
    enough = all(len(np.unique(devices)) >= LEAST_DEVICES for devices in named.values())
    if enough:
        told = likelihood.bootstrap(METRICS[name], same, different, **named, n=DRAWS)
    else:
        told = {"value": METRICS[name](same, different), "low": np.nan, "high": np.nan}
        told["n"] = len(np.unique(named["same_devices"]))
    sign, word = (-1, "at least") if name == "AUROC" else (1, "at most")
    verdict = "met" if sign * told["value"] <= sign * CRITERIA[name] else "not met"
    figures = (told[key] for key in ("value", "low", "high", "n"))
    return [kind, label or name, *figures, pairs, f"{word} {CRITERIA[name]:g}", verdict]


def _models(case, same, different, named):
    """Return what is told apart between models, and between units of one model, where there are several units.

    A model is what a case claims. So the last line asks whether it is found by another unit: there, pairs of two units
    of one model stand for those of one device.
    """
    units = verification.of_one_model(named, dict(zip(case.known["device"], case.known["model"], strict=True)))
    if not units.any() or units.all():
        return []
    between = named | {"different_devices": named["different_devices"][~units]}
    within = named | {"different_devices": named["different_devices"][units]}
    rows = [_row("discrimination", name, same, different[~units], between, label=f"{name}, models")
            for name in ("Cllr", "AUROC")]  # fmt: skip
    rows += [_row("discrimination", "AUROC", same, different[units], within, label="AUROC, units of one model")]
    other = between | {"same_devices": within["different_devices"][:, 0]}
    pairs = different[units], different[~units], other
    return [*rows, _row("discrimination", "AUROC", *pairs, label=OTHER_UNIT)]


def _changed(case, kind, name, vectors, of, measured):
    """Return the cost where known recordings are asked about in another form; references stay as they are.

    It may rise so far above that of the first side of the same recordings as they are.
    """
    row = _row(kind, "Cllr", *rescored(case, np.asarray(vectors), np.asarray(of)), label=f"Cllr, {name}")
    if np.isnan(row[2]):
        return row
    rows, limit = np.unique(of), CRITERIA["rise of Cllr"]
    base = likelihood.cllr(*rescored(case, case.vectors[np.searchsorted(case.of, rows)], rows)[:2])
    verdict = "met" if row[2] <= base + limit else "not met"
    if kind == "robustness":
        declined = np.mean([(case.check(facts)["verdict"] == "beyond").any() for facts in measured])
        verdict += f"; conditions check declines {declined:.0%}"
    return [*row[:-2], f"at most {limit:g} above {base:.2f}", verdict]


def rescored(case, vectors, of):
    """Return the ratios of known recordings in another form: same, different, devices.

    ``vectors`` [shape=(n, d)] are sides, ``of`` [shape=(n,)] the rows of ``case.known`` that they are of. References
    are the sides of other sessions. The device that is asked about is left out of the training, as in a case; that of
    the side is not, which flatters a little.
    """
    c, names, rows = case.comparison, case.comparison.validation.references, np.unique(of)
    own = case.known["device"].to_numpy()[rows]
    table = np.full((len(rows), len(names)), np.nan)
    for (i, row), (j, device) in product(enumerate(rows), enumerate(names)):
        session = c.sessions[np.argmax(case.of == row)] if own[i] == device else ""
        references = c.x[(c.devices == device) & (c.sessions != session)]
        if len(references):
            sides = (x.mean(axis=0, dtype=np.float64, keepdims=True) for x in (references, vectors[of == row]))
            table[i, j] = c.model(device).score(*sides)[0, 0]
    slope, offset = c.lines[0]
    same, different, named = verification.Validation(table, slope * table + offset, own, names).pairs()
    return *(np.clip(side, *c.bounds) for side in (same, different)), named
