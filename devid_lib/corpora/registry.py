"""The table of public recordings, ``registry.yaml``, as objects."""

from dataclasses import dataclass, field
from importlib.resources import files

import yaml


@dataclass(frozen=True)
class Corpus:
    """What is known of public recordings.

    Attributes
    ----------
    name : str
        What `corpus.load_corpus` and ``devid corpora`` call it.
    title, what : str
        Its own name, and what it is in one line.
    devices : int
        Number of devices that its loader finds; fewer in a folder mean that the folder is half there.
    units, sessions, rate : str
        Which devices, what was recorded together, at which rate, in words.
    shows, cannot : str
        What can be shown with it, and what cannot: sessions, units of one model, speakers confounded with devices.
    licence, citation, page : str
        The last is an address to read.
    checked : str
        In which source the facts were read, and what could not be checked.
    archives : dict of str: str
        Address, behind `base`, and checksum as pooch takes it: empty where `contents` says what has to be in it.
    base : str
    by_hand : str
        Why there are no archives, and how to get the files.
    size, unpacked : int or None
        Bytes to download and bytes on disk afterwards, at most.
    keep : str
        Regular expression of the members of the archives that are unpacked, without their first `strip` folders.
    strip : int
    contents : str
        SHA-256 of what was unpacked, see `download.contents`; empty where the archives have checksums.
    files : int or None
        Number of audio files that the loader finds, where that is known.
    left_out : str
        What the loader leaves out.
    layout : str
        Name of the function in `layouts` that reads the folder; empty = impulse responses, not recordings.
    seconds : float or None
        Clips of one recording are laid end to end up to this length [s]; none = all of them.
    """

    name: str
    title: str
    what: str
    devices: int
    units: str
    sessions: str
    rate: str
    shows: str
    cannot: str
    licence: str
    citation: str
    page: str
    checked: str
    archives: dict = field(default_factory=dict)
    base: str = ""
    by_hand: str = ""
    size: int | None = None
    unpacked: int | None = None
    keep: str = ""
    strip: int = 0
    contents: str = ""
    files: int | None = None
    left_out: str = ""
    layout: str = ""
    seconds: float | None = None


_TABLE = yaml.safe_load((files(__package__) / "registry.yaml").read_text(encoding="utf-8"))
CORPORA = {name: Corpus(name, **facts) for name, facts in _TABLE.items()}
