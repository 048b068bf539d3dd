"""What a source lists: a name, a folder or a CSV as a table of recordings, nothing of it opened yet (notebook 01)."""

import os
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pandas as pd

from . import corpora
from .audio import AUDIO_SUFFIXES
from .errors import CorpusError
from .evaluation import KEYS
from .files import NOT_UTF8, readable

NO_ANSWER, NONE = "no answer", "none of these"  # what is answered in place of a device: no names of devices
QUESTIONED = "questioned"  # the split, or the folder, of recordings that are asked about: `devid identify`
LISTED = ["path", "device", "recording", "split", "session", "speaker", "model"]  # what a folder or a CSV can tell
SIMULATED = {  # name: what its recordings share, a key of `simulate.SHARED`
    "simulated": "nothing",
    "simulated-control": "unit",
    "simulated-one-model": "model",
    "simulated-one-session": "session",
    "simulated-micirp": "nothing",  # measured microphones in place of drawn ones: `devid corpora get micirp` before
}
NAMED = (*SIMULATED, *corpora.CORPORA)  # what is no path


def listed(source, *, data_dir, seed, minutes):
    """Return what a source lists, unchecked, and {path: reason} of the files that are in no place for a recording."""
    name, known = str(source), []
    if name in corpora.CORPORA:
        source, known = corpora.listed(name, data_dir=data_dir)
    if name in SIMULATED:
        from .simulate import simulate_corpus  # it needs the speech that ships with the library: only when asked for

        folder, responses = data_dir / f"{name}-seed{seed}-{minutes:g}min", None
        if name == "simulated-micirp":
            responses, known = corpora.impulse_responses(data_dir=data_dir), corpora.terms("micirp")
        source = simulate_corpus(folder, seed=seed, minutes=minutes, share=SIMULATED[name], responses=responses)
    source = Path(source)
    if os.path.abspath(source) != readable(os.path.abspath(source)):
        raise CorpusError(f"{readable(source)}: {NOT_UTF8}")
    if not name.strip() or not source.exists():
        raise CorpusError(f"{name or repr(name)}: no such folder or CSV, and not one of {', '.join(SIMULATED)}, "
                          "`devid corpora`")
    manifest = source / "manifest.csv" if source.is_dir() else source
    if not manifest.is_file():
        table, misplaced, notes = _folder_table(source)
    elif manifest.suffix.lower() != ".csv":
        raise CorpusError(f"{source}: neither a folder nor a CSV")
    else:
        table, misplaced, notes = _csv_table(manifest), {}, []
        there = map(os.path.normpath, filter(is_audio, files_in(source))) if source.is_dir() else []
        if unlisted := set(there) - set(table["path"]):
            notes.append(f"{len(unlisted)} audio files in the folder are not in its manifest.csv and were not used.")
    if name not in NAMED:
        whole = Path(os.path.abspath(manifest))
        name = whole.parent.name if whole.name == "manifest.csv" else whole.stem
    asked = table["split"].eq(QUESTIONED)
    table, questioned = table[~asked].reset_index(drop=True), list(table["path"][asked])
    table.attrs.update(name=name, notes=known + notes, skipped=[], questioned=questioned)
    return table, misplaced


def _folder_table(folder):
    """Return the recordings of a folder ``<device>/<recording>.<ext>`` or flat ``<device>-<n>.<ext>``."""
    files, notes, others = [], [], Counter()
    for entry in sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".")):
        there = files_in(entry)
        found = list(filter(is_audio, there))
        files += found
        others.update(readable(file.suffix.lower()) or "without a suffix" for file in there if not is_audio(file))
        if entry.is_dir() and not found:
            notes.append(f"The folder {readable(entry.name)} holds no audio and is no device.")
    counts = ", ".join(f"{n} {suffix}" for suffix, n in others.most_common())
    if others:
        notes.append(f"{others.total()} files are no recordings by their suffixes and were not used: {counts}.")
    asked = [file for file in files if file.relative_to(folder).parts[0].lower() == QUESTIONED]
    files = [file for file in files if file not in set(asked)]
    flat = [file for file in files if file.parent == folder]
    if not files and not asked:
        raise CorpusError(f"{folder}: no audio in this folder{f', only {counts}' if counts else ''} "
                          f"(audio is, by suffix: {' '.join(sorted(AUDIO_SUFFIXES))})")
    if flat and len(flat) < len(files):
        inside = next(file for file in files if file.parent != folder)
        raise CorpusError(f"{folder}: {flat[0].name} lies beside device folders ({inside.relative_to(folder)}): "
                          "use <device>/<recording>.<ext> or <device>-<n>.<ext> for all, or list them in a CSV")
    rows, misplaced = [], {}
    for file in files:
        *folders, _ = file.relative_to(folder).parts
        match = re.fullmatch(r"(.*\S)\s*-\s*(\d+)", file.stem)
        path, device, recording = readable(file), "", ""
        if path != str(file):
            misplaced[path] = NOT_UTF8
        elif len(folders) == 1:
            device, recording = folders[0], file.stem
        elif match and not folders:
            device, recording = match.groups()
        else:
            misplaced[path] = ("lies deeper than <device>/<recording>.<ext>; a CSV can list it where it is"
                               if folders else "its name is not <device>-<n>.<ext>, such as aigo-1.wav")
        rows.append([path, composed(device), composed(recording), *[""] * (len(LISTED) - 3)])
    rows += [[readable(file), "", file.stem, QUESTIONED, *[""] * (len(LISTED) - 4)] for file in asked]
    return pd.DataFrame(rows, columns=LISTED), misplaced, notes


def files_in(entry):
    """Return a file, or the files in and below a folder, that are not hidden."""
    def refuse(error):
        raise error

    files = [entry]
    if entry.is_dir():
        files = [Path(where, name) for where, _, names in os.walk(entry, onerror=refuse) for name in sorted(names)]
    return [file for file in files if not any(part.startswith(".") for part in file.relative_to(entry).parts)]


def is_audio(file):
    """Return whether a file's suffix is one of recordings."""
    return file.suffix.lower() in AUDIO_SUFFIXES


def _csv_table(file):
    """Return the recordings of a CSV, separated by what its first line has most of: commas, semicolons or tabs."""
    try:
        with open(file, encoding="utf-8-sig", errors="replace") as lines:
            separator = max(",;\t", key=lines.readline().count)
        table = pd.read_csv(file, sep=separator, dtype=str, keep_default_na=False, index_col=False).fillna("")
    except (OSError, ValueError) as error:
        raise CorpusError(f"{file}: cannot be read as a CSV: {error}") from None
    table = table.rename(columns=str.strip)
    if missing := [name for name in ("path", "device") if name not in table]:
        raise CorpusError(f"{file}: no column {' and no column '.join(missing)}, only {', '.join(table.columns)}")
    table = table.reindex(columns=LISTED, fill_value="").map(str.strip)
    table = table[table.ne("").any(axis=1)]  # spreadsheets write rows of nothing but separators
    if table.empty:
        raise CorpusError(f"{file}: lists no recordings")
    if (bad := table.map(lambda cell: "\0" in cell).any(axis=1)).any():
        raise CorpusError(f"{file}: row {int(bad.idxmax()) + 1} holds a NUL byte")
    table["split"] = table["split"].str.lower()
    if (blank := table["path"].eq("") | table["device"].eq("") & table["split"].isin(["train", "test"])).any():
        raise CorpusError(f"{file}: row {int(blank.idxmax()) + 1} has no path or no device")
    table["split"] = table["split"].where(table["device"].ne(""), QUESTIONED)
    stems = [Path(path).stem for path in table["path"]]
    table["recording"] = table["recording"].where(table["recording"].ne(""), stems)
    table["path"] = [os.path.normpath(file.parent / path) for path in table["path"]]
    table[LISTED[1:]] = table[LISTED[1:]].map(composed)
    if (twice := table["path"].duplicated()).any():
        raise CorpusError(message(f"{file}: lists recordings twice", sorted(set(table["path"][twice]))))
    given = set(table["split"]) - {QUESTIONED}
    if given != {""} and (unknown := given - {"train", "test"}):
        raise CorpusError(f"{file}: split must be train or test in every row (or questioned), not "
                          f"{sorted(unknown)[0]!r}")
    return table


def check_names(table):
    """Refuse two recordings of one name under one device, and devices named as a column of every prediction table."""
    if clash := sorted({*KEYS, NO_ANSWER, NONE} & set(table["device"])):
        why = "tables have columns of that name" if clash[0] in KEYS else "that is an answer about one"
        raise CorpusError(f"{table.attrs['name']}: a device cannot be named {clash[0]!r}: {why}")
    double = table[table.duplicated(["device", "recording"], keep=False)]
    if len(double):
        lines = [f"{device}, {recording}: {', '.join(rows['path'])}"
                 for (device, recording), rows in double.groupby(["device", "recording"])]
        raise CorpusError(message(f"{table.attrs['name']}: recordings of a device with the same name", lines))


def composed(name):
    """Return a name in composed Unicode: file systems and keyboards write an umlaut differently."""
    return unicodedata.normalize("NFC", name).strip()


def message(title, lines):
    """Return an error message: a title and a line for each case, the first ones only when there are many."""
    more = [f"and {len(lines) - 10} more"] if len(lines) > 10 else []
    return "\n  ".join([f"{title}:" if lines else title, *lines[:10], *more])
