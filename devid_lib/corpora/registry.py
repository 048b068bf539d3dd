"""The table of public recordings, ``registry.yaml``, as objects."""

from dataclasses import dataclass, field
from importlib.resources import files

import yaml


@dataclass(frozen=True)
class Corpus:
    """What is known of public recordings."""

    name: str  # what `corpus.load_corpus` and ``devid corpora`` call it
    title: str  # its own name
    what: str  # what it is, in one line
    devices: int  # number of devices that its loader finds; fewer in a folder mean that the folder is half there
    units: str  # which devices they are
    sessions: str  # what was recorded together
    rate: str
    shows: str  # what can be shown with it
    cannot: str  # and what cannot: sessions, units of one model, speakers confounded with devices
    licence: str
    citation: str
    page: str  # an address to read
    checked: str  # in which source the facts were read, and what could not be checked
    archives: dict = field(default_factory=dict)  # address behind `base`: checksum as pooch takes it, or "": `contents`
    base: str = ""
    by_hand: str = ""  # why there are no archives, and how to get the files
    size: int | None = None  # at most so many bytes to download
    unpacked: int | None = None  # at most so many bytes on disk afterwards
    keep: str = ""  # regular expression of the members of the archives that are unpacked
    strip: int = 0  # so many folders of their paths are left out before
    contents: str = ""  # SHA-256 of what was unpacked, see `download.contents`; "" where the archives have checksums
    files: int | None = None  # number of audio files that the loader finds, where that is known
    left_out: str = ""  # what the loader leaves out
    layout: str = ""  # the function in `layouts` that reads the folder; "" = impulse responses, not recordings
    seconds: float | None = None  # clips of a recording are laid end to end up to this length [s]; none = all of them


_TABLE = yaml.safe_load((files(__package__) / "registry.yaml").read_text(encoding="utf-8"))
CORPORA = {name: Corpus(name, **facts) for name, facts in _TABLE.items()}
