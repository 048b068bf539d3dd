"""What is asked of a case, and what is answered (notebook 20)."""

import functools
import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from .. import splices
from ..audio import read_tags
from ..corpus import load_references
from ..errors import DevidError, ParameterError
from ..files import readable, sha256_of, stderr_to
from ..intake import examine
from ..listing import NO_ANSWER, NONE, files_in, is_audio
from .case import MOST_ASKED, Case, at_rate, load_case, open_case, sides_of, unlikeness
from .made_case import make_case
from .session import in_workspace, source_path

FAR = 1.5  # times farther than 95 % of the known recordings are from the other devices: no answer
REFERENCES = ("samplerate", "segment_length", "on_error", "seed", "recording_minutes")  # of `load_references`
ANSWERS = ["file", "sha256", "device", "log10_lr", "low", "high", "answer", "reason"]


@dataclass
class Asked:
    """A questioned file: what it is, whether it may be compared, and what came out."""

    facts: dict  # from `intake.examine`; only ``file`` and ``sha256`` where it cannot be read
    ratios: pd.DataFrame  # one row per reference device: log10_lr, low, high; empty cells where there is no ratio
    answer: str = NO_ANSWER
    reason: str = ""
    # log10 likelihood ratio of every reference device without the bounds, by which one is named
    unbounded: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    checks: pd.DataFrame = field(default_factory=pd.DataFrame)  # from `intake.check_conditions`; empty: not compared
    # log10 likelihood ratio of every device, one row per stretch; the index is the middle of the stretch [s]
    strip: pd.DataFrame = field(default_factory=pd.DataFrame)
    changes: pd.DataFrame = field(default_factory=pd.DataFrame)  # from `splices.change_points`: something else begins
    curve: tuple = ((), ())  # from `splices.change_curve`: times [s], log10 likelihood ratio of a change there
    by: Case | None = None  # what it was compared by: the case, or its copies in other conditions
    y: np.ndarray | None = None  # the samples at the file's own rate


def case_of(params):
    """Return the case that the parameters of notebook 20 name, and what was answered.

    That is a Case, a list of Asked, the name of the references and, of a made case, what its recordings are.
    """
    data_dir, truth = in_workspace(params["data_dir"]), None
    questioned, background = (params[name].splitlines() for name in ("questioned", "background"))
    source, name = source_path(params["corpus"]), "simulated"
    if source == "simulated" and not params["comparison"]:
        source = make_case(data_dir / f"case-seed{params['seed']}", seed=params["seed"])
        truth = pd.read_csv(source / "truth.csv", keep_default_na=False) if not questioned else None
        background = background or [source / "background"]
        questioned, source = questioned or [source / "questioned"], source / "references"
    if params["comparison"]:
        case, name = load_case(Path(source_path(params["comparison"])) / "case"), Path(params["comparison"]).name
    else:
        options = {key: params[key] for key in REFERENCES} | {"data_dir": data_dir}
        tables = [load_references(place, **options) for place in (source, *map(source_path, map(str, background)))]
        questioned = questioned or tables[0].attrs["questioned"]
        name = tables[0].attrs["name"] if truth is None else name
        options = {key: params[key] for key in ("segment_length", "seed")}
        case = open_case(tables, rates=rates_of(find_files(map(in_workspace, questioned))), **options)
    return case, [ask(case, file) for file in find_files(map(in_workspace, questioned))], name, truth


def rates_of(files):
    """Return the sample rates of those files that can be read [Hz]."""
    found = set()
    for file in files:
        with suppress(DevidError):
            found.add(read_tags(file)["rate"])
    return found


def find_files(places):
    """Return the questioned files that places name, each once: files, and the audio in folders that is not hidden."""
    found = []
    for place in map(Path, places):
        inside = sorted(filter(is_audio, files_in(place)))
        if not place.exists():
            raise ParameterError(f"{place}: no such file or folder")
        if place.is_dir() and not inside:
            raise ParameterError(f"{place}: no audio in this folder")
        found += inside or [place]
    return list(dict.fromkeys(found))


def ask(case, path):
    """Return what can be said of a questioned file. One that cannot be read or compared has a reason, and no ratio."""
    path = Path(path)
    ratios = case.no_ratios()
    try:
        with stderr_to(os.devnull):  # what a decoder of damaged files has to say is for the reason, not for the page
            facts, y = examine(path)
    except (DevidError, OSError) as error:
        facts = {"file": readable(path.name), "sha256": ""}
        with suppress(OSError):
            facts["sha256"] = sha256_of(path)
        return Asked(facts, ratios, reason=str(error).removeprefix(f"{readable(path)}: "))
    asked = Asked(facts, ratios, y=y)
    if same := _copies(case, facts["sha256"], y):
        asked.reason = f"it is the known recording {same} (the same samples): a copy, nothing to compare"
    else:
        answer(case, asked)
    return asked


def answer(case, asked):
    """Check the conditions of what was asked, compare it where they allow that, and fill in the answer.

    What lies beyond the known recordings as they are is compared with their copies in other conditions beside them, if
    it is within what these are. "None of these" has to stand there, too: else a condition that no check noticed, or in
    which a device's references alone were made, would speak against the device.
    """
    s = case.settings

    @functools.cache
    def sides():  # where the first check allows a comparison, and then once
        y = at_rate(asked.y, asked.facts["rate"], s["samplerate"])
        return y, sides_of(y, s, MOST_ASKED)

    asked.checks = _checked(case, asked, sides)
    beyond = asked.checks[asked.checks["verdict"] == "beyond"]
    if len(beyond) and case.copies is not None:
        checks = _checked(case.copies, asked, sides)
        if not (checks["verdict"] == "beyond").any():
            asked.checks, asked.by = checks, case.copies
    found = "; ".join(f"{row.property} {row.file}" for row in beyond.itertuples())
    if case.comparison is None:
        asked.reason = case.reason
    elif len(beyond) and asked.by is None:
        asked.reason = f"not validated for this: {found}"
    else:
        asked.by = asked.by or case
        y, vectors = sides()
        _compare(asked.by, asked, vectors)
        if case.splices is not None:
            asked.changes, asked.curve = splices.search(y, s["samplerate"], model=case.splices)
        said = [f"compared by what copies in other conditions taught, for its {found}"] if found else []
        asked.answer, asked.reason = _decided(asked, said)
        if asked.answer == NONE and asked.by is case and case.copies is not None:
            others = _unbounded(case.copies, vectors)["log10_lr"]
            if others.max() >= case.copies.rule["threshold"]:
                asked.ratios[:], asked.answer = np.nan, NO_ANSWER
                said.insert(0, f"undecided: none of these as recorded, {others.idxmax()} by what copies taught")
                asked.reason = "; ".join(said)


def _checked(case, asked, sides):
    """Return the conditions check, with how far the recording lies from known devices if nothing else is beyond."""
    checks = case.check(asked.facts)
    if not (checks["verdict"] == "beyond").any() and case.comparison is not None:
        far, most = unlikeness(case, sides()[1]), FAR * case.rule["unlikeness"]
        verdict = "beyond" if far > most else "within"
        checks.loc[len(checks)] = ["distance from known devices", f"{far:.1f}", f"up to {most:.1f}", verdict]
    return checks


def _compare(case, asked, vectors):
    """Fill in the ratios of a file and of its stretches."""
    s, seconds, bounds = case.settings, asked.facts["duration_s"], case.comparison.bounds
    n = max(1, int(seconds * s["samplerate"]) // (s["segment_length"] * s["per"]))  # `sides_of` takes evenly of these
    middles = (np.linspace(0, n - 1, len(vectors)).round() + 0.5) * seconds / n
    told = _unbounded(case, vectors)
    asked.unbounded, asked.ratios = told["log10_lr"], told.clip(*bounds)
    strip = {at: _unbounded(case, one[np.newaxis])["log10_lr"] for at, one in zip(middles, vectors, strict=True)}
    asked.strip = pd.DataFrame(strip).T.clip(*bounds)


def _unbounded(case, vectors):
    """Return the ratios of sides and every reference device as calibrated, one row each as in `Case.no_ratios`."""
    ratios = case.no_ratios()
    ratios[:] = [case.comparison.unbounded(case.sides(name), vectors, device=name) for name in ratios.index]
    return ratios


def _copies(case, digest, y):
    """Return the name of the known recording that a file is a copy of, by the file's or by the samples' SHA-256."""
    same = case.known[(case.known["sha256"] == digest) | (case.known["checksum"] == hashlib.sha256(y).hexdigest())]
    return ", ".join(f"{row.device}/{row.recording} ({row.role})" for row in same.itertuples())


def _decided(asked, said):
    """Return the answer that the rule gives, and what has to be said beside it, after what is ``said`` already."""
    ratios, threshold = asked.unbounded, asked.by.rule["threshold"]
    least = f"{threshold:.2f}" + " (before bounds)" * bool(threshold > asked.by.comparison.bounds[1])
    for row in asked.checks.query("verdict == 'noted'").itertuples():
        said.append(f"{row.property} {row.file}, validated: {row.validated}")
    if len(asked.changes):
        asked.ratios[:] = np.nan  # one ratio for two devices would mean nothing
        where = ", ".join(f"{at:.1f} s" for at in asked.changes.to_numpy()[:, 0])
        return NO_ANSWER, f"something else begins, another device or another place, at {where}: ask about the parts"
    best = ratios.max()
    if 0 <= best < threshold:
        missed = f"which {asked.by.rule['known_declined'][0]:.0%} of the known devices' sides do not reach"
        told = f"undecided: {ratios.idxmax()} is the most alike, but a device is named from {least} on"
        said.insert(0, f"{told}, {missed}")
        return NO_ANSWER, "; ".join(said)
    above = ratios[ratios >= threshold].sort_values(ascending=False)
    if len(above) > 1:
        said.insert(0, f"also at or above {least}: {', '.join(above.index[1:])}")
    return above.index[0] if len(above) else NONE, "; ".join(said)


def answers_table(asked):
    """Return what `devid identify` writes as ``answers.csv``: one row per questioned file and reference device."""
    rows = []
    for one in asked:
        told = {name: one.facts[name] for name in ("file", "sha256")}
        rows += [told | {"device": device, **ratio, "answer": one.answer, "reason": one.reason}
                 for device, ratio in one.ratios.round(4).to_dict("index").items()]  # fmt: skip
    return pd.DataFrame(rows, columns=ANSWERS)
