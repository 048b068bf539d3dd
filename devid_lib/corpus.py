"""The table of recordings: from a name, a folder or a CSV, split into training and test by recording (notebook 01)."""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd

from .audio import inspect_recording
from .errors import AudioError, CorpusError, DevidError, ParameterError, check_count, check_name, check_samplerate
from .files import locked, read_json, readable, remove, stamp, write_json
from .listing import check_names, composed, listed, message
from .progress import progress

COLUMNS = ["path", "device", "recording", "split", "samplerate", "native_samplerate", "channels", "duration_s",
           "checksum", "session", "speaker", "model"]
_INSPECTED = {"samplerate", "channels", "frames", "duration_s", "subtype", "checksum", "note"}
_CACHE_FORMAT = 2  # raise it when `inspect_recording` reports something else for the same file
_UNEQUAL = 4  # longest over shortest recording from which on the difference is said aloud


def load_corpus(source, *, samplerate=None, test_recordings="", test_sessions="", segment_length=4096,
                on_error="raise", seed=0, recording_minutes=6.5, data_dir="data"):  # fmt: skip
    """Return the table of recordings of a corpus, every file checked, split into training and test.

    Parameters
    ----------
    source : str or Path
        A key of `listing.SIMULATED`; a name of ``devid corpora`` whose recordings `corpora.get` has put into
        ``data_dir``; a folder ``<device>/<recording>.<ext>`` or flat ``<device>-<n>.<ext>``; a CSV, also as
        ``manifest.csv`` in a folder, with the columns ``path`` (relative to the CSV) and ``device``, if wanted also
        ``recording``, ``split``, ``session``, ``speaker``, ``model``. What lies in a folder ``questioned``, or has this
        as its ``split`` or no ``device``, is asked about and takes no part.
    samplerate : int or None
        Rate that all recordings will be brought to [Hz]; ``None`` or 0 = the lowest in the corpus.
    test_recordings : str or sequence of str
        Names, separated by commas, held out for every device. Empty = the CSV's ``split`` or, without one, the last
        session of each device that has several, else its last recording (clip10 comes after clip9).
    test_sessions : str or sequence of str
        The same with names of sessions.
    segment_length : int
        A recording has to hold at least one segment [samples at the common rate].
    on_error : {"raise", "skip"}
        Refuse bad recordings, all in one message, or leave them out, and with them every device that is left without
        a training or a test recording.
    seed, recording_minutes : int, float
        Of the simulated corpus: its seed, and the length of a recording [min].
    data_dir : str or Path
        Folder for the simulated corpus and for the cache of what is known about each file.

    Returns
    -------
    table : pandas.DataFrame [one row per recording]
        path, device, recording, split ("train" or "test"), samplerate (the common one) [Hz], native_samplerate [Hz],
        channels, duration_s [s], checksum, session, speaker, model (empty where unknown); by device and recording.
        ``table.attrs`` holds name, skipped (list of {"path", "reason"}), notes (list of sentences: of a public corpus
        also its licence and how to cite it) and questioned (list of paths, not looked into).

    Raises
    ------
    CorpusError
        If the folder or CSV cannot be used, a device lacks recordings, or the same audio is on both sides of the
        split or under two devices.
    AudioError
        If recordings are missing, damaged, silent or too short.

    Notes
    -----
    Notebooks 00 and 01; section II of the paper, whose third file of each recorder is the test set.

    Examples
    --------
    >>> load_corpus("x")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    devid_lib.errors.CorpusError: x: no such folder or CSV, and not one of simulated, ...
    """
    held_out = {"recording": _names(test_recordings), "session": _names(test_sessions)}
    if all(held_out.values()):
        raise ParameterError(f"test_recordings={test_recordings!r}, test_sessions={test_sessions!r}: give one of them")
    options = {"samplerate": samplerate, "segment_length": segment_length, "on_error": on_error, "seed": seed}
    table = _checked(source, 2, recording_minutes=recording_minutes, data_dir=data_dir, **options)
    if asked := table.attrs["questioned"]:
        table.attrs["notes"].append(f"{len(asked)} recordings are asked about (questioned) and take no part here: "
                                    "devid identify answers.")
    table = _split(_in_order(table), held_out)
    lacking = _lacking(table, held_out["recording"] if on_error == "raise" else [])
    table = _without(table, lacking, by="device", on_error=on_error, error=CorpusError)
    table.attrs["notes"] += _check_copies(table) + _remarks(table)
    return table[COLUMNS]


def load_references(source, **options):
    """Return the table of recordings of known devices that questioned ones are compared with: all of them, no split.

    The source, the options (samplerate, segment_length, on_error, seed, recording_minutes, data_dir), the table and the
    errors are those of `load_corpus`, but one device with one recording is enough, and the split is "reference". Copies
    of the same audio under one device are left out: they would be taken for two recordings that are very much alike.
    """
    table = _in_order(_checked(source, 1, **options).assign(split="reference"))
    table.attrs["notes"] += _check_copies(table) + _remarks(table)
    return table[~table.duplicated(["device", "checksum"])].reset_index(drop=True)[COLUMNS]


def _checked(source, least, *, samplerate=None, segment_length=4096, on_error="raise", seed=0, recording_minutes=6.5,
             data_dir="data"):
    """Return the usable recordings of at least so many devices, in the order in which they are listed."""
    samplerate = check_samplerate(samplerate or None)
    check_name("on_error", on_error, ("raise", "skip"))
    check_count("segment_length", segment_length)
    if not isinstance(recording_minutes, Real):
        raise ParameterError(f"recording_minutes={recording_minutes!r} is not a number")

    try:
        table, misplaced = listed(source, data_dir=Path(data_dir), seed=seed, minutes=recording_minutes)
    except OSError as error:  # a folder that cannot be searched, a name that is too long
        raise CorpusError(f"{readable(error.filename or str(source))}: cannot be read: {error.strerror}") from None
    table = _without(table, misplaced, by="path", on_error=on_error, error=CorpusError, least=least)
    check_names(table)
    infos = _inspected(table["path"], Path(data_dir) / "cache" / "recordings.json")
    known, refused = _usable(infos, samplerate, segment_length)
    table = _without(table, refused, by="path", on_error=on_error, error=AudioError, least=least)
    return table.assign(**{column: table["path"].map(known[column]) for column in known})


def corpus_checksum(table):
    """Return a short hexadecimal name of what a corpus contains, for any order of its rows and any place of its files.

    ``table`` is from `load_corpus`; of its columns those that say what is trained on and tested count.

    >>> table = pd.DataFrame({"device": ["a", "b"], "recording": "1", "split": "test", "checksum": ["0f", "1e"]})
    >>> corpus_checksum(table) == corpus_checksum(table[::-1].assign(path="elsewhere"))
    True
    """
    columns = [name for name in ("device", "recording", "split", "session", "samplerate", "native_samplerate",
                                  "checksum") if name in table]
    rows = sorted(table[columns].astype(str).to_numpy().tolist())
    return blake2b(json.dumps([columns, rows]).encode(), digest_size=8).hexdigest()


# --- What is in the files --------------------------------------------------------------------------------------------
def _inspected(paths, cache_file):
    """Return {path: what `inspect_recording` says, or the AudioError that it raises}; known files are not read."""
    known = _known(cache_file)
    cache = dict(known)
    try:
        with ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda path: _inspect(path, cache), paths)
            return dict(zip(paths, progress(found, label="reading, recordings", total=len(paths)), strict=True))
    finally:  # also after Ctrl-C: what was read need not be read again
        if cache != known:
            try:
                with locked(cache_file.parents[1] / "locks" / "recordings.lock"):
                    write_json(cache_file, _known(cache_file) | cache)
            except DevidError as error:  # a full disk only costs time
                print(f"Note: {error}: done without", flush=True)


def _known(cache_file):
    """Return what the cache knows about files; a damaged one is thrown away."""
    try:
        return read_json(cache_file)
    except DevidError as error:
        print(f"Note: {error}: made again", flush=True)
        remove(cache_file)
        return {}


def _inspect(path, cache):
    """Return what is known about a recording, or the AudioError that says why it cannot be used."""
    try:
        seen, key = [_CACHE_FORMAT, *stamp(path)], os.path.abspath(path)
        entry = cache.get(key)
        if not (isinstance(entry, dict) and entry.get("stamp") == seen and _INSPECTED <= entry.keys()):
            entry = cache[key] = inspect_recording(path) | {"stamp": seen}
        return entry
    except OSError as error:
        return AudioError(f"{path}: {'no such file' if isinstance(error, FileNotFoundError) else error.strerror}")
    except AudioError as error:
        return error


def _usable(infos, samplerate, segment_length):
    """Return a table of what is in the files, by path, and {path: reason} of those that cannot be used."""
    good = {path: info for path, info in infos.items() if not isinstance(info, AudioError)}
    refused = {path: str(info).removeprefix(f"{path}: ") for path, info in infos.items() if path not in good}
    rates = [info["samplerate"] for info in good.values() if info["frames"] >= segment_length]
    common = samplerate or min(rates, default=0)
    for path, info in good.items():
        rate = common or info["samplerate"]
        n = info["frames"] * rate // info["samplerate"]
        if n < segment_length:
            refused[path] = f"{n} samples at {rate} Hz, shorter than one segment of {segment_length}"
    names = {"samplerate": "native_samplerate", "subtype": "coding"}
    known = pd.DataFrame(list(good.values()), index=list(good), columns=sorted(_INSPECTED)).rename(columns=names)
    return known.assign(samplerate=common), refused


# --- Training and test -----------------------------------------------------------------------------------------------
def _split(table, held_out):
    """Return an ordered table with its column ``split`` filled."""
    name, notes, given = table.attrs["name"], table.attrs["notes"], table["split"].ne("").any()
    by, names = next(((by, names) for by, names in held_out.items() if names), ("", []))
    if unknown := [one for one in names if one not in set(table[by])]:
        there = sorted(set(table[by]) - {""}, key=natural_key)
        raise CorpusError(f"{name}: test_{by}s: no device has a {by} named {', '.join(unknown)}; "
                          f"there are {', '.join(there[:10]) or 'none'}{' ...' if len(there) > 10 else ''}")
    if names and given:
        notes.append(f"The split given in the CSV was replaced by test_{by}s={','.join(names)}.")
    if given and not names:
        return table
    if names:
        test = table[by].isin(names)
    else:  # the last session of a device that has several, else its last recording
        known = table[table["session"].ne("")].groupby("device")["session"].unique()
        last = {device: max(sessions, key=natural_key) for device, sessions in known.items() if len(sessions) > 1}
        of_several = table["device"].isin(list(last))
        in_last = table["session"] == table["device"].map(last)
        test = np.where(of_several, in_last, ~table["device"].duplicated(keep="last"))
        mixed = "session, or recording where it has one session," if last else "recording"
        what = "session" if of_several.all() else mixed
        named = sorted(set(last.values()), key=natural_key)  # 3/12/2024 comes after 12/3/2024: it has to be seen
        by_name = f", by name ({', '.join(named[:3])}{' ...' if len(named) > 3 else ''})," if named else ""
        notes.append(f"No split is given: the last {what} of each device{by_name} is the test set.")
    return table.assign(split=np.where(test, "test", "train"))


def _lacking(table, held_out):
    """Return {device: reason} of the devices that have nothing to train with or to test on."""
    reasons = {}
    for device, rows in table.groupby("device"):
        missing = [name for name in held_out if name not in set(rows["recording"])]
        sides = set(rows["split"])
        if missing:
            reasons[device] = f"no recording named {', '.join(missing)}"
        elif len(rows) == 1:
            reasons[device] = "one recording only, one is needed to train and another to test"
        elif len(sides) == 1:
            reasons[device] = f"no {'training' if sides == {'test'} else 'test'} recording"
    return reasons


def _without(table, reasons, *, by, on_error, error, least=2):
    """Return the table without the recordings (or devices) that have a reason; or refuse it, naming all of them.

    Nothing can be told apart when fewer devices than the least number are left: that is refused in any case.
    """
    if reasons and on_error == "raise":
        lines = [f"{key}: {reasons[key]}" for key in dict.fromkeys(table[by]) if key in reasons]
        raise error(message(f'{table.attrs["name"]}: these cannot be used (on_error="skip" leaves them out)', lines))
    bad = table[by].isin(list(reasons))
    kept = table[~bad].reset_index(drop=True)
    for path, key in zip(table["path"][bad], table[by][bad], strict=True):
        reason = reasons[key] if by == "path" else f"device {key} was left with {reasons[key]}"
        kept.attrs["skipped"].append({"path": path, "reason": reason})
    devices, left_out = sorted(set(kept["device"])), kept.attrs["skipped"]
    if len(devices) < least:
        needed = "two devices are" if least == 2 else "a device is"
        title = f"{table.attrs['name']}: {needed} needed, found {devices[0] if devices else 'none'}"
        raise CorpusError(message(title, [f"left out: {entry['path']}: {entry['reason']}" for entry in left_out]))
    return kept


def _check_copies(table):
    """Refuse the same audio under two devices or on both sides of the split; return notes on harmless copies."""
    refused, notes = [], []
    for _, rows in table[table["checksum"].duplicated(keep=False)].groupby("checksum", sort=False):
        if len(set(rows["device"])) > 1:
            refused.append(f"under two devices: {', '.join(rows['path'])}")
        elif len(set(rows["split"])) > 1:
            refused.append(f"in training and in test: {', '.join(rows['path'])}")
        else:
            device, split = rows.iloc[0][["device", "split"]]
            notes.append(f"{device}: the same audio more than once in {split}: {', '.join(rows['recording'])}.")
    if refused:
        raise CorpusError(message(f"{table.attrs['name']}: the same audio under different names", refused))
    return notes


def _remarks(table):
    """Return what a reader of any result on this corpus should know, in plain sentences."""
    notes, common = [], table["samplerate"].iloc[0]
    rates = table["native_samplerate"].value_counts().sort_index()
    if set(rates.index) != {common}:
        there = ", ".join(f"{n} recordings at {rate} Hz" for rate, n in rates.items())
        lower = "; what was lower stays empty above half its own rate, which can name the device"
        higher = "; a resampler's upper edge can name the device" if len(rates) > 1 else ""
        notes.append(f"{there}: all were brought to {common} Hz{lower if rates.index[0] < common else higher}.")
    if (several := table["channels"] > 1).any():
        notes.append(f"{several.sum()} of {len(table)} recordings have several channels: the louder one is used.")
    for note, rows in table[table["note"].ne("")].groupby("note"):
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        notes.append(f"{', '.join(rows['path'][:3])}{more}: {note}.")
    codings = ", ".join(f"{n} {name}" for name, n in table["coding"].value_counts().items())
    for by, what in (("device", "devices"), ("split", "training and test")):
        if len({frozenset(names) for _, names in table.groupby(by)["coding"]}) > 1:
            notes.append(f"File coding differs between {what} ({codings}): it may be learnt instead of the devices.")
    shortest, longest = table["duration_s"].min(), table["duration_s"].max()
    if longest > _UNEQUAL * shortest:
        notes.append(f"Recordings are of very unequal length, {shortest:.1f} to {longest:.1f} s.")
    sides = table[table["session"].ne("")].groupby(["device", "session"])["split"].nunique()
    if (sides > 1).any():
        notes.append(f"{(sides > 1).sum()} of {len(sides)} sessions are both in training and in test: "
                     "other sessions may be harder.")
    return notes


# --- Small tools -----------------------------------------------------------------------------------------------------
def _in_order(table):
    """Return the table by device and, within it, by recording in natural order."""
    keys = list(zip(table["device"], map(natural_key, table["recording"]), strict=True))
    return table.iloc[sorted(range(len(table)), key=keys.__getitem__)].reset_index(drop=True)


def natural_key(name):
    """Return a sort key that puts clip10 after clip9, and 2.12.2024 after 13.1.2024.

    >>> sorted(["clip10", "clip9", "2.12.2024", "13.1.2024"], key=natural_key)
    ['13.1.2024', '2.12.2024', 'clip9', 'clip10']
    """
    name = re.sub(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b", r"\3.\2.\1", name)  # with slashes, day or month may come first
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name.casefold())], name


def _names(test_recordings):
    """Return the names in a text with commas, or in a sequence."""
    sequence = isinstance(test_recordings, list | tuple)
    names = test_recordings if sequence else str("" if test_recordings is None else test_recordings).split(",")
    return [name for name in dict.fromkeys(composed(str(name)) for name in names) if name]


