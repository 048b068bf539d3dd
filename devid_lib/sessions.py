"""Which recordings can be compared across sessions: those of sessions that devices share (notebook 12)."""

import numpy as np

from .corpus import natural_key

MOST = 8  # sessions, which are enough to tell near from far


def shared_sessions(recordings, *, least_samples=0):
    """Return the recordings of sessions that several devices share, of devices with several of them.

    A session of one device alone would be a mark of that device, and a device with one session has no other to be asked
    about. Where devices have one session each, recordings stand in for sessions; where no name is shared, the first
    session of each device is put beside the first of the others, and so on. Of many sessions `MOST` are taken, evenly
    spread.

    ``recordings`` is from `corpus.load_corpus`; those of fewer than ``least_samples`` are left out. Returns the others
    with a column ``unit``, the session that devices share, and sentences, list of str, that say what stands in for what
    and what was left out.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"device": [*"AABBB"], "session": ["may", "june", "may", "june", "july"]})
    >>> table = table.assign(recording=table["session"], duration_s=9.0, samplerate=8000)
    >>> found, said = shared_sessions(table)
    >>> sorted(set(found["unit"])), said
    (['june', 'may'], ['Left out, sessions of one device: july.'])
    """
    several = recordings[recordings["session"] != ""].groupby("device")["session"].nunique().gt(1)
    by = "session" if several.sum() > 1 else "recording"
    said = [] if by == "session" else ["Sessions are not told, or devices have one each: recordings stand in for them."]
    table = recordings[recordings[by] != ""].assign(unit=lambda rows: rows[by])
    blank = len(recordings) - len(table)
    said += [f"Left out, without a session: {blank} of {len(recordings)} recordings."] if blank else []
    if table.groupby("unit")["device"].nunique().gt(1).sum() < 2:
        order = {device: sorted(set(names), key=natural_key) for device, names in table.groupby("device")["unit"]}
        table["unit"] = [f"no. {order[row.device].index(row.unit) + 1}" for row in table.itertuples()]
        said.append(f"Devices share no names of {by}s: the first of each device are put side by side, and so on.")
    table, left_out = _comparable(table, least_samples)
    units = sorted(set(table["unit"]), key=natural_key)
    if len(units) > MOST:
        spread = np.linspace(0, len(units) - 1, MOST).round().astype(int)
        table, more = _comparable(table[table["unit"].isin([units[i] for i in spread])], least_samples)
        left_out += [*more, f"Of {len(units)} sessions some, evenly spread, are enough: {_listed(table['unit'])}."]
    return table, said + left_out


def _comparable(table, least_samples):
    """Return the recordings of sessions that devices share, and what was left out."""
    said = []
    while True:
        reasons = {
            "too short": (table["duration_s"] * table["samplerate"] < least_samples, "recording"),
            "sessions of one device": (table.groupby("unit")["device"].transform("nunique") < 2, "unit"),
            "devices of one session": (table.groupby("device")["unit"].transform("nunique") < 2, "device"),
        }
        reason = next((reason for reason, (rows, _) in reasons.items() if rows.any()), None)
        if reason is None:
            return table, said
        rows, column = reasons[reason]
        said.append(f"Left out, {reason}: {_listed(table[column][rows])}.")
        table = table[~rows]


def _listed(names):
    """Return names as words, not too many of them."""
    names = sorted(set(names), key=natural_key)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
