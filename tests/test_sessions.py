"""`sessions.shared_sessions`: what is compared with what, and what is left out."""

import pandas as pd

from devid_lib.sessions import MOST, shared_sessions


def recordings(sessions, **columns):
    """Return a table of recordings: for every device the names of its sessions, one recording each."""
    rows = [(device, f"{i}", name) for device, names in sessions.items() for i, name in enumerate(names)]
    table = pd.DataFrame(rows, columns=["device", "recording", "session"])
    return table.assign(**{"duration_s": 10.0, "samplerate": 8000} | columns)


def test_sessions_of_one_device_and_devices_of_one_session_are_left_out():
    table, said = shared_sessions(recordings({"a": ["may", "june", "july"], "b": ["may", "june", ""], "c": ["may"]}))
    assert sorted(zip(table["device"], table["unit"], strict=True)) == [
        ("a", "june"), ("a", "may"), ("b", "june"), ("b", "may"),
    ]  # fmt: skip
    assert [line.split(":")[0] for line in said] == [
        "Left out, without a session", "Left out, sessions of one device", "Left out, devices of one session",
    ]  # fmt: skip


def test_sessions_without_common_names_are_put_side_by_side_in_natural_order():
    table, said = shared_sessions(recordings({"a": ["a10", "a9"], "b": ["b1", "b2"]}))
    assert table["unit"].tolist() == ["no. 2", "no. 1", "no. 1", "no. 2"] and "side by side" in said[0]


def test_recordings_stand_in_for_sessions_and_short_ones_are_left_out():
    table, said = shared_sessions(
        recordings({"a": ["x"] * 3, "b": ["y"] * 3}, duration_s=[9, 9, 1, 9, 9, 9]), least_samples=16000
    )
    assert set(table["unit"]) == {"0", "1"} and said[0].startswith("Sessions are not told, or devices have one each")
    assert said[1:] == ["Left out, too short: 2.", "Left out, sessions of one device: 2."]


def test_of_many_sessions_some_are_taken_the_first_and_the_last_among_them():
    names = [f"{i}" for i in range(20)]
    table, said = shared_sessions(recordings({"a": names, "b": names}))
    assert table["unit"].nunique() == MOST and {"0", "19"} <= set(table["unit"]) and "Of 20 sessions" in said[0]


def test_nothing_is_shared_by_a_single_device():
    table, _ = shared_sessions(recordings({"a": ["x", "y"]}))
    assert table.empty
