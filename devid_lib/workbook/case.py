"""A case: recordings of known devices, questioned recordings, what is answered and how sure (notebook 20)."""

from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import soxr

from .. import splices, verification
from ..degrade import AUGMENT, able, degrade
from ..errors import AudioError, CodecError, DevidError, ParameterError
from ..files import atomic_path, check, read_json, sha256_of, write_json
from ..intake import check_conditions, examine, measure, shared_codings, validated_ranges
from ..sides import side_vectors
from .validation import matrix

PER_SIDE = 20  # segments of one side of a comparison
MOST_SIDES = 12  # of one known recording, evenly spread: more of one session prove little more
MOST_ALTERED = 30  # known recordings that are asked about in other forms
ALTERED = ("white-20", "room-0.3", "mp3-64")  # forms of them, see `degrade.degrade`
COPIES = "copies", "in other conditions"  # of all known recordings, for multi-condition training
MOST_ASKED = 100  # of a questioned recording
EDGE = 0.9  # share of the band that is compared where rates differ: resamplers are different above
MOST_SEARCHED, SEARCHED_S = 30, 8.0  # known recordings that splices are learnt from, and seconds of each
FALSE_NAMING = 0.05, 0.01  # share of unknown devices that may be named; in other conditions, which may be others still
LEAST = 0.3  # least log10 ratio that may name a device: below, neither side is supported (ENFSI 2015)
FORMAT = 5  # of a saved case; raise it when its files hold something else, or something else is learnt from the same
KNOWN = ["role", "device", "recording", "session", "model", "checksum", "sha256"]


@dataclass
class Case:
    """Known recordings and the comparison trained and calibrated on them.

    ``copies`` is the same learnt, calibrated and validated on copies in other conditions beside the recordings as they
    are, for questioned recordings in such conditions.
    """

    settings: dict  # samplerate [Hz], segment_length [samples], per (segments a side), seed, edge (share of the band)
    known: pd.DataFrame  # one row per recording, columns `KNOWN`; the role is reference or background
    validated: pd.DataFrame  # one row per recording, and per copy, from `intake.validated_ranges`
    vectors: np.ndarray  # [shape=(n_sides, d)], float32, from `sides.side_vectors`
    of: np.ndarray  # [shape=(n_sides,)], the row of ``known`` of each side
    copied: np.ndarray  # [shape=(n_sides,)], which are copies of known recordings in other conditions
    comparison: verification.Comparison | None = None  # ``None`` where there are too few devices
    rule: dict = field(default_factory=dict)  # when a device is named, from `verification.open_set_threshold`
    reason: str = ""  # why there is no comparison
    matrix: pd.DataFrame = field(default_factory=pd.DataFrame)  # from `validation.matrix`
    notes: list = field(default_factory=list)
    copies: object = None  # a Case, see above
    splices: object = None  # a `splices.SpliceModel`: what finds where something else begins

    @property
    def devices(self):
        """Names of the reference devices, in order."""
        return sorted(set(self.known["device"][self.known["role"] == "reference"]))

    def no_ratios(self):
        """Return an empty table of ratios."""
        return pd.DataFrame(np.nan, index=pd.Index(self.devices, name="device"), columns=["log10_lr", "low", "high"])

    def check(self, facts):
        """Return the conditions check of a file, from `intake.check_conditions`."""
        s = self.settings
        least = s["per"] * s["segment_length"] / s["samplerate"]
        options = {"least_s": least, "resampled": s["edge"] < 1, "narrowed": bool(self.copied.any())}
        return check_conditions(facts, self.validated, samplerate=s["samplerate"], **options)

    def sides(self, device):
        """Return the vectors of a device, as it was recorded [shape=(n, d)]."""
        return self.vectors[(self.known["device"].to_numpy()[self.of] == device) & ~self.copied]


def open_case(tables, *, segment_length=4096, seed=0, rates=()):
    """Return a Case of known recordings: they are measured, and a comparison is trained on them and validated.

    ``tables`` are from `corpus.load_references`: the references, then corpora of other devices, the background, which
    show how alike recordings of different devices are. ``segment_length`` is in samples; ``rates`` are those of what
    will be asked about [Hz]: if one of these or of those of the known recordings is above the common rate, the upper
    edge of the band is left out of the comparison.
    """
    known, notes = _merged(tables)
    samplerate = int(known["samplerate"].min())
    lengths = known["duration_s"] * samplerate / segment_length
    per = int(np.clip(lengths.median(), 1, PER_SIDE))
    edge = 1.0 if max([*rates, *known["native_samplerate"]]) <= samplerate else EDGE
    settings = {"samplerate": samplerate, "segment_length": segment_length, "per": per, "seed": seed, "edge": edge}
    notes += able((*AUGMENT, *ALTERED))[1]
    facts, vectors, altered, heard = [], [], {}, []
    tried, searched = (_spread(known, most) for most in (MOST_ALTERED, MOST_SEARCHED))
    turn = known.groupby("device").cumcount()
    for i, row in enumerate(known.itertuples()):
        told, y = examine(row.path)
        facts.append(told)
        y = at_rate(y, told["rate"], samplerate)
        if len(y) < segment_length:
            raise AudioError(f"{row.path}: {len(y)} samples at {samplerate} Hz, shorter than one segment of "
                             f"{segment_length}")
        vectors.append(sides_of(y, settings, MOST_SIDES))
        forms = [*(_forms(y, settings) if i in tried else ()), *_copies(y, settings, i, turn[i])]
        for key, form in forms:
            made, rows, measured = altered.setdefault(key, ([], [], []))
            made.append(sides_of(form, settings, 1)[0])
            rows.append(i)
            measured.append(told | measure(form, samplerate))
        heard += [(y[: round(SEARCHED_S * samplerate)].copy(), row.device)] if i in searched else []
    known["sha256"] = [told["sha256"] for told in facts]
    validated = validated_ranges(facts, known["device"])
    of = np.repeat(np.arange(len(known)), [len(found) for found in vectors])
    vectors = np.concatenate(vectors)
    case = Case(settings, known[KNOWN], validated, vectors, of, np.zeros(len(of), bool), notes=notes)
    if verification.crossed(known).name == "recording":
        case.notes.append("Fewer than three devices have several sessions that are told: recordings stand in for them, "
                          "and ratios know nothing of other days.")  # fmt: skip
    if not shared_codings(validated):
        case.notes.append("No coding of files is common to all known devices: everything is compared by what copies in "
                          "other conditions taught. References that are alike in their coding allow more.")  # fmt: skip
    train(case)
    if case.comparison is not None:
        copies = altered.pop(COPIES, None)
        case.matrix = matrix(case, altered | {("coherence", "whole recordings"): (case.vectors, case.of, [])})
        misled = case.matrix.query("characteristic == 'robustness' and value > 1")
        told = [f"{row.measure.removeprefix('Cllr, ')} ({row.verdict.split('; ')[-1]})" for row in misled.itertuples()
                if "100%" not in row.verdict]  # fmt: skip
        if told:
            case.notes.append(f"In some conditions ratios mislead: {', '.join(told)}. Let references be made as what "
                              "is asked about was, and all alike.")  # fmt: skip
        case.copies = _learnt_from(*copies, case, facts) if copies else None
    try:
        case.splices = splices.fit_detector(*zip(*heard, strict=True), samplerate, folds=2, seed=seed)
    except DevidError as error:
        case.notes.append(f"No splices were looked for: {error}.")
    return case


def _spread(known, most):
    """Return rows of known recordings, evenly spread over the devices."""
    order = known.assign(turn=known.groupby("device").cumcount()).sort_values("turn", kind="stable").index
    first = order[: max(most, known["device"].nunique())]
    return set(first[np.linspace(0, len(first) - 1, min(len(first), most)).astype(int)])


def _forms(y, settings):
    """Yield the first side of a recording in the forms in which it is asked about for the validation report."""
    y = y[: settings["segment_length"] * settings["per"]]
    yield ("coherence", "half a side"), y[: max(len(y) // 2, settings["segment_length"])]
    for condition in ALTERED:
        with suppress(ParameterError, CodecError):  # no such rate, or an encoder that is not there
            yield ("robustness", condition), degrade(y, settings["samplerate"], condition=condition)


def _copies(y, settings, seed, turn):
    """Yield sides of a recording in a third of the conditions: the next one has others."""
    stretch, its = settings["segment_length"] * settings["per"], AUGMENT[turn % 3 :: 3]
    for start, name in zip(np.linspace(0, max(len(y) - stretch, 0), len(its)).astype(int), its, strict=True):
        with suppress(ParameterError, CodecError):
            yield COPIES, degrade(y[start : start + stretch], settings["samplerate"], condition=name, seed=seed)


def _learnt_from(vectors, rows, measured, case, facts):
    """Return the case of questioned recordings in other conditions; none if nothing can be learnt."""
    validated = validated_ranges(facts + measured, case.known["device"].iloc[[*range(len(facts)), *rows]])
    vectors, of = np.concatenate([case.vectors, vectors]), np.concatenate([case.of, rows])
    copies = Case(case.settings, case.known, validated, vectors, of, np.arange(len(of)) >= len(case.of))
    train(copies)
    if copies.comparison is None:
        return None
    copies.matrix = matrix(copies, {})
    return copies


def at_rate(y, rate, samplerate):
    """Return samples at another rate."""
    return y if rate == samplerate else soxr.resample(y, rate, samplerate)


def _merged(tables):
    """Return references and background in one table, names told apart, and notes on what was left out."""
    parts, notes = [], []
    for number, table in enumerate(tables):
        notes += table.attrs.get("notes", [])
        notes += [f"{one['path']}: {one['reason']}" for one in table.attrs.get("skipped", [])]
        part = table.assign(role="background" if number else "reference")
        if number:  # the same device under two names would be taken for two that are very much alike
            taken = pd.concat(parts)
            again = sorted(set(part["device"][part["checksum"].isin(taken["checksum"])]))
            if again:
                notes.append(f"Left out of the background, since they are in the case already: {', '.join(again)}.")
            part = part[~part["device"].isin(again)]
            double = part["device"].isin(set(taken["device"]))
            part["device"] = part["device"].where(~double, part["device"] + f" (background {number})")
        parts.append(part)
    return pd.concat(parts, ignore_index=True), notes


def sides_of(y, settings, most):
    """Return `sides.side_vectors`, where rates differ without the upper edge of the band."""
    options = {name: settings[name] for name in ("segment_length", "per", "edge")}
    return side_vectors(y, most=most, **options)


def train(case):
    """Train and calibrate the comparison on all known recordings, or say why that cannot be."""
    known, of, options = case.known, case.of, {"seed": case.settings["seed"], "copied": case.copied}
    options["sessions"] = verification.crossed(known).to_numpy()[of]
    try:
        case.comparison = verification.fit_comparison(case.vectors, known["device"].to_numpy()[of], **options)
        options = {"n_references": len(case.devices), "false_naming": FALSE_NAMING[bool(case.copied.any())]}
        options["models"] = dict(zip(known["device"], known["model"], strict=True))
        case.rule = verification.open_set_threshold(case.comparison.validation, **options)
        case.rule["threshold"] = max(LEAST, case.rule["threshold"])  # rates stay: fewer will be named wrongly
        far = [unlikeness(case, case.vectors[(of == i) & (case.copied == copied)], without=known["device"][i])
               for i, copied in set(zip(of.tolist(), case.copied.tolist(), strict=True))]  # fmt: skip
        case.rule["unlikeness"] = float(np.quantile(far, 0.95))
    except DevidError as error:
        case.comparison, case.reason = None, str(error)


def unlikeness(case, vectors, *, without=""):
    """Return how far a recording lies from known devices, where the comparison sees it: 1 is as far as they lie apart.

    That is the mean square deviation of its sides, ``vectors`` [shape=(n, d)], from the mean of all devices in units of
    what is expected of a new device. ``without`` names a known device that must not count, since it is its own.
    """
    model = case.comparison.model(without)
    q = (vectors.mean(axis=0, dtype=np.float64) - model.mean) @ model.basis
    return float(np.mean(q**2 / (model.between + 1)))


# --- Kept for later --------------------------------------------------------------------------------------------------
def save_case(case, folder):
    """Write a case into a folder: ``case.json``, ``vectors.npz``; of comparison, splices and copies what there is."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"vectors.npz": {"vectors": case.vectors, "of": case.of, "copied": case.copied}}
    if case.splices is not None:
        arrays["splices.npz"] = asdict(case.splices)
    for name, content in arrays.items():
        with atomic_path(folder / name) as temporary:
            np.savez(temporary, **content)
    files = list(arrays)
    if case.copies is not None:
        save_case(case.copies, folder / "copies")
        files.append("copies/case.json")
    if case.comparison is not None:
        case.comparison.save(folder / "comparison.npz")
        files.append("comparison.npz")
    told = {"format": FORMAT} | {name: getattr(case, name) for name in ("settings", "rule", "reason", "notes")}
    told |= {"files": {name: sha256_of(folder / name) for name in files}}
    validated = case.validated.assign(bands_db=[bands.tolist() for bands in case.validated["bands_db"]])
    tables = {"known": case.known, "matrix": case.matrix, "validated": validated}
    write_json(folder / "case.json", told | {name: table.to_dict("list") for name, table in tables.items()})


def load_case(folder):
    """Return a case that `save_case` wrote, everything checked; nothing in it is run.

    Where there is none, or one that is not as it was written, or by another version, DevidError names the file.
    """
    folder = Path(folder)
    told = read_json(folder / "case.json")
    if told.get("format") != FORMAT:
        raise DevidError(f"{folder / 'case.json'}: {'of another version' if told else 'no such case'}")
    for name, digest in told["files"].items():
        check(folder / name, digest)
    with np.load(folder / "vectors.npz", allow_pickle=False) as arrays:
        vectors, of, copied = (arrays[name] for name in ("vectors", "of", "copied"))
    validated = pd.DataFrame(told["validated"])
    validated["bands_db"] = validated["bands_db"].map(np.array)
    rest = {name: told[name] for name in ("rule", "reason", "notes")} | {"matrix": pd.DataFrame(told["matrix"])}
    case = Case(told["settings"], pd.DataFrame(told["known"]), validated, vectors, of, copied, **rest)
    if "splices.npz" in told["files"]:
        with np.load(folder / "splices.npz", allow_pickle=False) as arrays:
            case.splices = splices.SpliceModel(**{name: arrays[name][()] for name in arrays.files})
    if "copies/case.json" in told["files"]:
        case.copies = load_case(folder / "copies")
    if "comparison.npz" in told["files"]:
        case.comparison = verification.load_comparison(folder / "comparison.npz")
    return case
