"""Public recordings: what there is, how to get it, and how `corpus.load_corpus` reads it.

Nothing is downloaded unless it is asked for, with `get` or ``devid corpora get NAME``. What was got lies in
``<data_dir>/corpora/<name>/files`` as its authors pack it, and, once it has been loaded, its list in ``prepared``.
"""

import csv
import io
import re
import shutil
import time
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import numpy as np
import soundfile as sf
import soxr
import yaml

from ..errors import CorpusError, ParameterError
from ..files import atomic_path, locked, read_json, remove, write_json
from ..progress import progress
from . import layouts
from .download import contents, fetch, megabytes, unpack

FORMAT = 1  # raise it when lists or joined recordings are made differently
FLAC = ("PCM_16", "PCM_24")  # codings that FLAC keeps to the bit
SPARE = 1.05  # sizes in the registry are rounded
RATE, TAPS = 44100, 4096  # of the simulator [Hz], and of a microphone's response there [samples]


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


_TABLE = yaml.safe_load((resources.files(__package__) / "registry.yaml").read_text(encoding="utf-8"))
CORPORA = {name: Corpus(name, **facts) for name, facts in _TABLE.items()}


def known(name):
    """Return what is known of a public corpus, a `Corpus`; a ParameterError names those that there are.

    >>> known("dspspeech-20").licence
    'MIT'
    """
    if name not in CORPORA:
        raise ParameterError(f"unknown corpus {name!r}: known are {', '.join(CORPORA)}")
    return CORPORA[name]


def described(name):
    """Return what is known of a public corpus, one fact a line, with what it would take to get it.

    >>> print(described("micirp").splitlines()[0])
    micirp: MicIRP, microphone impulse responses
    """
    corpus = known(name)
    facts = {"what": corpus.what, "devices": f"{corpus.devices}: {corpus.units}", "sessions": corpus.sessions,
             "rate": corpus.rate, "size": sizes(corpus), "licence": corpus.licence, "cite": corpus.citation,
             "page": corpus.page, "shows": corpus.shows, "cannot": corpus.cannot, "checked": corpus.checked,
             "left out": corpus.left_out, "by hand": corpus.by_hand,
             "address": corpus.base or ", ".join(corpus.archives)}
    return "\n".join([f"{name}: {corpus.title}", *(f"  {key:10} {fact}" for key, fact in facts.items() if fact)])


def sizes(corpus):
    """Return how large a corpus is, in words."""
    if corpus.by_hand:
        return "by hand"
    return f"up to {megabytes(corpus.size or corpus.unpacked)} to download, {megabytes(corpus.unpacked)} on disk"


def get(name, *, data_dir="data"):
    """Download and unpack a public corpus, a key of `CORPORA`, unless it is there already.

    The folder that is returned is ``<data_dir>/corpora/<name>/files``, whole or not at all. CorpusError says that it
    can only be got by hand, the disk has no room, the download broke off (a second call goes on from there), or what
    arrived is not what it should be.
    """
    corpus = known(name)
    folder = Path(data_dir) / "corpora" / name
    with locked(Path(data_dir) / "locks" / f"corpus-{name}.lock"):
        if not (folder / "files").is_dir():
            if corpus.by_hand:
                raise CorpusError(f"{name}: {corpus.by_hand}. Put them into {folder / 'files'}. See {corpus.page}")
            _download(corpus, folder)
    return folder / "files"


def _download(corpus, folder):
    """Fetch the archives of a corpus and make its folder ``files`` of them."""
    archives = folder / "archives"
    try:
        archives.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(f"{archives}: cannot be made: {error.strerror}") from error
    limit = int(SPARE * corpus.unpacked)
    there = sum(file.stat().st_size for file in archives.iterdir())
    free, needed = shutil.disk_usage(folder).free, (corpus.size or corpus.unpacked) + corpus.unpacked - there
    if free < needed:
        raise CorpusError(f"{folder}: {megabytes(free)} are free, {corpus.name} needs {megabytes(needed)}")
    paths = []
    for name, checksum in corpus.archives.items():
        url = corpus.base + name
        paths.append(archives / PurePosixPath(urlsplit(url).path).name)
        fetch(url, paths[-1], checksum=checksum, limit=int(SPARE * (corpus.size or corpus.unpacked)))
    try:
        with atomic_path(folder / "files") as temporary:
            temporary.mkdir()
            for path in paths:
                unpack(path, temporary, keep=corpus.keep, strip=corpus.strip, limit=limit)
            if corpus.contents and contents(temporary, corpus.keep) != corpus.contents:
                raise CorpusError(f"{url}: what arrived is not what it should be: contents are not {corpus.contents}")
    except CorpusError:  # not what it should be, so that it is no use to keep it; a full disk is another error
        remove(archives)
        raise
    write_json(folder / "source.json", {"got": time.strftime("%Y-%m-%d")} | asdict(corpus))
    remove(archives)


def listed(name, *, data_dir="data"):
    """Return the list of recordings of a public corpus that is in ``data_dir``, made if it is not there yet.

    That is the path of a CSV with path, device, recording, session, speaker, and a list of sentences: licence and
    citation, and what a reader of any result on this corpus should know. CorpusError says how to get what is not there,
    how large it is and under which licence, or that it is half there or not what it should be.
    """
    corpus = known(name)
    folder = Path(data_dir) / "corpora" / name
    if not corpus.layout:
        raise CorpusError(f"{name}: holds impulse responses, not recordings: the corpus simulated-{name} uses them")
    if not (folder / "files").is_dir():
        how = f"  {corpus.by_hand}. Put them into {folder / 'files'}" if corpus.by_hand else (
            f"  nothing was downloaded. To get it: devid corpora get {name}, or corpora.get({name!r}, data_dir=...)")
        raise CorpusError(f"{name}: is not in {folder}\n  {corpus.what}\n  {sizes(corpus)}\n  "
                          f"licence: {corpus.licence}\n{how}")
    prepared = folder / f"prepared-{FORMAT}"
    with locked(Path(data_dir) / "locks" / f"corpus-{name}.lock"):
        if not (prepared / "manifest.csv").is_file():
            _prepare(corpus, folder / "files", prepared)
    return prepared / "manifest.csv", terms(name) + read_json(prepared / "notes.json").get("notes", [])


def terms(name):
    """Return what a reader of any result on a public corpus should know, as sentences: licence, citation, limits.

    >>> terms("micirp")[0].split(". ")[0]
    'MicIRP, microphone impulse responses'
    """
    corpus = known(name)
    notes = [f"{corpus.title}. Licence: {corpus.licence}. Cite: {corpus.citation}.", f"It cannot show {corpus.cannot}."]
    return notes + ([f"Left out: {corpus.left_out}."] if corpus.left_out else [])


def _prepare(corpus, files, prepared):
    """Write the list of a corpus, and every recording that comes in several clips, into a folder."""
    rows = list(getattr(layouts, corpus.layout)(files))
    devices = len({row[1] for row in rows})
    if devices != corpus.devices or len(rows) != (corpus.files or len(rows)):
        of = f" of {corpus.files}" if corpus.files else ""
        raise CorpusError(f"{files}: half there, or not {corpus.title}: {devices} of {corpus.devices} devices, "
                          f"{len(rows)}{of} audio files. Remove the folder and get it again")
    clips, notes = {}, []
    for row in rows:
        clips.setdefault(row[1:3], []).append(row)
    with atomic_path(prepared) as temporary:
        temporary.mkdir()
        lines = []
        for (device, recording), group in progress(clips.items(), label=f"{corpus.name}, recordings"):
            path = f"../files/{group[0][0]}"
            if len(group) > 1:
                path = re.sub(r"[^\w./-]+", "_", f"{device}/{recording}.flac")
                _join([files / row[0] for row in group], temporary / path, seconds=corpus.seconds)
            lines.append([path, *group[0][1:]])
        with open(temporary / "manifest.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["path", "device", "recording", "session", "speaker"], *lines])
        if joined := [len(group) for group in clips.values() if len(group) > 1]:
            most = f", at most {corpus.seconds:g} s each" if corpus.seconds else ""
            notes.append(f"{len(joined)} recordings are {sum(joined)} clips laid end to end{most}: a segment across a "
                         "joint holds two clips.")
        write_json(temporary / "notes.json", {"notes": notes})


def _join(clips, path, *, seconds):
    """Write clips of one kind end to end as a FLAC, up to a length [s]; every sample stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        infos = [sf.info(clip) for clip in clips]
        kinds = [(info.samplerate, info.channels, info.subtype) for info in infos]
        if odd := [clip for clip, kind in zip(clips, kinds, strict=True) if kind != kinds[0] or kind[2] not in FLAC]:
            raise CorpusError(f"{odd[0]}: its rate, channels or coding do not let it be joined to {clips[0].name}")
        rate, channels, coding = kinds[0]
        left = int(seconds * rate) if seconds else sum(info.frames for info in infos)
        file = io.BytesIO()  # soundfile does not report a full disk as an OSError
        with sf.SoundFile(file, "w", rate, channels, coding, format="FLAC") as joined:
            for clip in clips:
                y, _ = sf.read(clip, frames=left, dtype="int32", always_2d=True)
                joined.write(y)
                left -= len(y)
    except sf.LibsndfileError as error:
        raise CorpusError(f"{clips[0].parent}: cannot be read: {error}") from None
    path.write_bytes(file.getvalue())


def impulse_responses(*, data_dir="data"):
    """Return the measured responses of the microphones of MicIRP that ``get("micirp")`` put into ``data_dir``.

    They are what `simulate.simulate_corpus` takes: a dict of np.ndarray [shape=(2049,)], from 0 Hz to 22.05 kHz [dB],
    not below -60. The mean power response between 300 and 3400 Hz is 0 dB, so that a microphone changes the colour of
    speech and not its level. Of an impulse response 4096 samples at 44.1 kHz, from 1 ms before the largest, are used,
    the last of them faded out.
    """
    corpus, folder = known("micirp"), Path(data_dir) / "corpora" / "micirp" / "files"
    paths = sorted(path for path in folder.rglob("*.wav") if not path.name.startswith("."))
    if len(paths) != corpus.files:
        raise CorpusError(f"{folder}: {len(paths)} of {corpus.files} impulse responses; {sizes(corpus)}, licence: "
                          f"{corpus.licence}. To get them: devid corpora get micirp")
    responses, f = {}, np.fft.rfftfreq(TAPS, 1 / RATE)
    for path in paths:
        h, rate = sf.read(path)
        h = soxr.resample(h, rate, RATE)
        h = h[max(0, np.abs(h).argmax() - RATE // 1000) :][:TAPS]
        h = np.pad(h, (0, TAPS - len(h))) * np.minimum(1, np.arange(TAPS, 0, -1) / (TAPS // 8))
        power = np.abs(np.fft.rfft(h)) ** 2
        power /= power[(f >= 300) & (f <= 3400)].mean()
        responses[path.stem.removeprefix("IR_")] = 10 * np.log10(np.maximum(power, 1e-6))
    return responses
