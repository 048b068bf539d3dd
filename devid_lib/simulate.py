"""The simulated corpus: nine recorders on three days.

The paper's recordings were never published, so the default corpus is simulated. A recording is made in two steps: a
sound field (`soundfield`: voices in a room, background), and a recorder (`recorders`: a unit of a model). On every day
all nine record in the same room, each in a place of its own. Two days are for training and the third is the test, with
voices and sentences of its own: who names the device has to find it behind room, place and speech.
"""

import csv
import functools
import json
import zlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from numbers import Real
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from . import recorders as _recorders
from . import soundfield as _soundfield
from .errors import CorpusError, ParameterError, check_count, check_name
from .files import atomic_path, locked, remove, sha256_of, stamp, sweep
from .progress import progress
from .recorders import DEVICES, record, recorders
from .soundfield import SAMPLERATE, VOICES, draw_place, draw_session, sound_field

VERSION = 3  # raise it when the code makes other samples of the same constants
RECORDINGS = 3  # per device
LENGTH_SPREAD = 0.08  # a recording's length is uniform within +- this share of ``minutes``
SHARED = {  # what the devices or recordings of a corpus have in common, for controls
    "nothing": "nine devices, every recording on another day",
    "unit": "nine copies of one unit: no classifier may do better than chance",
    "model": "nine units of one model",
    "session": "all recordings of a device on one day, in one place, and no other device there",
}

_MARKER = "simulation.json"  # what a corpus is made with and, once it is complete, its files
_STATEMENT = "Simulated: the constants are from datasheets or were chosen; no real device made these recordings."
_WAV_HEADER = 44  # [bytes]
_JOBS = 2  # recordings made at a time, each in a thread: one takes about 0.8 GB for 6.5 minutes
_MINUTES = (0.02, 60.0)  # shorter has hardly a segment, longer does not fit into memory


# --- The corpus ------------------------------------------------------------------------------------------------------
def simulate_corpus(folder, *, seed=0, minutes=6.5, share="nothing", responses=None):
    """Make the recordings of nine simulated recorders, three of each, once.

    Parameters
    ----------
    folder : str or Path
        Where ``<device>/<n>.wav`` (44.1 kHz, 16 bit, mono), manifest.csv and simulation.json go, which lists them when
        all are there. It has to be new, empty, or from an earlier call with the same settings, which is finished where
        it was left; what an older version of this library made is made anew.
    seed : int >= 0
        The same seed gives the same samples; another one other devices, rooms and recordings.
    minutes : float
        Length of a recording, give or take ``LENGTH_SPREAD``, 0.02 to 60 [min].
    share : {"nothing", "unit", "model", "session"}
        What recordings have in common: see ``SHARED``.
    responses : dict of str: np.ndarray [shape=(2049,)], optional
        Of measured microphones, which take the place of the recorders' own: see `recorders.recorders`.

    Returns
    -------
    folder : Path
        The complete corpus: a source for `corpus.load_corpus`.

    Raises
    ------
    CorpusError
        If the folder holds anything else: another simulated corpus, or files of yours. Nothing is overwritten.

    Notes
    -----
    Notebooks 00 and 01. Training and test recordings are as in the paper: the third of each device is the test. Voices
    and sentences of the test are not those of training. The manifest says model, day (``session``) and voices
    (``speaker``).

    Examples
    --------
    >>> simulate_corpus("anywhere", minutes=90)
    Traceback (most recent call last):
    devid_lib.errors.ParameterError: minutes must be a number from 0.02 to 60, not 90
    """
    folder, settings = Path(folder), _settings(seed=seed, minutes=minutes, share=share, responses=responses)
    with locked(folder.absolute().with_name(f".{folder.name}.lock")):  # of several, one makes it and the others wait
        files = _claim(folder, settings)
        for path, (digest, old) in files.items():
            if path.is_file() and stamp(path) != old and sha256_of(path) != digest:
                print(f"Note: {path}: is not as it was written: made again", flush=True)
                remove(path)
        tasks = [task for task in _tasks(settings, responses) if not _is_whole(folder, *task)]
        if files and not tasks and (folder / "manifest.csv").is_file():
            return folder
        sweep(folder)
        _write_json(folder / _MARKER, settings)
        _in_threads(functools.partial(_write_recording, folder, settings), tasks)
        _write_manifest(folder, settings, responses)
        made = [folder / "manifest.csv", *folder.glob("*/*.wav")]
        made = {path.relative_to(folder).as_posix(): [sha256_of(path), *stamp(path)] for path in made}
        _write_json(folder / _MARKER, settings | {"files": made})
    return folder


def _settings(*, seed, minutes, share, responses=None):
    """Return, checked, everything that decides what the corpus sounds like."""
    check_count("seed", seed, least=0)
    if isinstance(minutes, bool) or not isinstance(minutes, Real) or not _MINUTES[0] <= minutes <= _MINUTES[1]:
        raise ParameterError(f"minutes must be a number from {_MINUTES[0]:g} to {_MINUTES[1]:g}, not {minutes!r}")
    check_name("share", share, SHARED)
    settings = {"statement": _STATEMENT, "version": VERSION, "constants": _constants_checksum(), "seed": int(seed),
                "minutes": float(minutes), "share": share}
    if not responses:
        return settings
    if share != "nothing" or len(responses) < len(DEVICES):
        raise ParameterError(f"share={share!r} with {len(responses)} responses: it takes 'nothing' and {len(DEVICES)}")
    content = b"".join(name.encode() + np.float32(responses[name]).tobytes() for name in sorted(responses))
    return settings | {"responses": f"{zlib.crc32(content):08x}"}


def _constants_checksum():
    """Return a short name of all constants of the simulation and of the speech."""
    named = {**vars(_soundfield), **vars(_recorders), **globals()}
    constants = {name: value for name, value in named.items()
                 if name.isupper() and not name.startswith("_") and name not in ("RECORDERS", "SHARED")}
    return f"{zlib.crc32(_soundfield.asset('speech.ogg'), zlib.crc32(repr(sorted(constants.items())).encode())):08x}"


def _claim(folder, settings):
    """Refuse a folder that holds anything but the corpus of these settings; return its files if it is complete.

    That is {path: (SHA-256, stamp)}. What an older version made of the same settings is removed.
    """
    if folder.exists() and not folder.is_dir():
        raise CorpusError(f"{folder}: not a folder")
    if not (folder / _MARKER).exists():
        if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise CorpusError(f"{folder}: holds files that are no simulated corpus; nothing was overwritten, "
                              "choose an empty folder")
        return {}
    try:
        found = dict(json.loads((folder / _MARKER).read_text()))
        files = {folder / name: (digest, old) for name, (digest, *old) in dict(found.get("files", {})).items()}
    except (OSError, TypeError, ValueError) as error:
        raise CorpusError(f"{folder}: {_MARKER} cannot be read ({error}); nothing was overwritten") from None
    if _is_older(found, settings):
        print(f"Note: {folder}: simulated by an older version: made again", flush=True)
        remove(folder / "manifest.csv")
        for recorder, number, *_ in _tasks(settings):
            remove(_wav(folder, recorder, number))
        return {}
    other = [f"{key}={found.get(key)!r} instead of {value!r}" for key, value in settings.items()
             if key != "statement" and found.get(key) != value]
    if other:
        raise CorpusError(f"{folder}: holds a corpus simulated with {', '.join(other)}; nothing was overwritten, "
                          "choose another folder or delete this one")
    return files


def _is_older(found, settings):
    """Tell whether a corpus is what an older version made of the same settings."""
    old = found.get("version")
    share = found.get("share", {False: "nothing", True: "unit"}.get(found.get("identical")))  # as version 1 said it
    same = {"seed": found.get("seed"), "minutes": found.get("minutes"), "share": share}.items() <= settings.items()
    return isinstance(old, int) and old < VERSION and same


def _tasks(settings, responses=None):
    """Yield one (recorder, number, n_samples, rng) per recording; rng depends on seed, device and number only."""
    for i, recorder in enumerate(recorders(seed=settings["seed"], share=settings["share"], responses=responses)):
        for number in range(1, RECORDINGS + 1):
            rng = np.random.default_rng([settings["seed"], 3, i, number])
            minutes = settings["minutes"] * rng.uniform(1 - LENGTH_SPREAD, 1 + LENGTH_SPREAD)
            yield recorder, number, int(60 * minutes * SAMPLERATE), rng


def _scene(settings, device, number):
    """Return where, by whom and on which day a recording is made: {session, place, side, voices}, and the day's name.

    Devices share a day and a room, but not a place; in the training sessions two voices each take turns.
    """
    seed, i = settings["seed"], list(DEVICES).index(device)
    one = settings["share"] == "session"
    day = [10 + i, 1] if one else [0, number]
    session = draw_session(np.random.default_rng([seed, 4, *day]))
    place = draw_place(session, np.random.default_rng([seed, 5, i, 1 if one else number]))
    side = "test" if number == RECORDINGS else "train"
    voices = np.random.default_rng([seed, 6]).permutation(VOICES["train"]).tolist()
    voices = VOICES["test"] if side == "test" else tuple(sorted(voices[number - 1 :: RECORDINGS - 1]))
    return dict(session=session, place=place, side=side, voices=voices), f"{device}-day" if one else f"day{number}"


def _wav(folder, recorder, number):
    return folder / recorder.name / f"{number}.wav"


def _is_whole(folder, recorder, number, n_samples, _):
    """Tell whether a recording is there, with all its samples."""
    path = _wav(folder, recorder, number)
    return path.is_file() and path.stat().st_size == _WAV_HEADER + 2 * n_samples


def _write_recording(folder, settings, recorder, number, n_samples, rng):
    scene, _ = _scene(settings, recorder.name, number)
    y = recording(recorder, n_samples=n_samples, rng=rng, **scene)
    with atomic_path(_wav(folder, recorder, number)) as temporary:
        wavfile.write(temporary, SAMPLERATE, y)  # soundfile does not report a full disk as an OSError


def _write_manifest(folder, settings, responses):
    """Write the table of recordings."""
    with atomic_path(folder / "manifest.csv") as temporary, open(temporary, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "device", "recording", "split", "session", "speaker", "model"])
        for recorder, number, *_ in _tasks(settings, responses):
            scene, day = _scene(settings, recorder.name, number)
            table.writerow([f"{recorder.name}/{number}.wav", recorder.name, number, scene["side"], day,
                            "+".join(scene["voices"]), recorder.model])


def _write_json(path, content):
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def _in_threads(work, tasks):
    """Do all tasks, some at a time; at the first error, or Ctrl-C, those that have begun are the last.

    Threads, because nearly all of the time goes into numpy, scipy and libsndfile, which run side by side: they are
    as fast as processes here, and need neither the import in every child nor a guarded main module.
    """
    with ThreadPoolExecutor(_JOBS) as pool:
        try:
            futures = [pool.submit(work, *task) for task in tasks]
            for future in progress(as_completed(futures), label="simulating, recordings", total=len(futures)):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


# --- One recording ---------------------------------------------------------------------------------------------------
def recording(recorder, *, n_samples, rng, session=None, place=None, side="train", voices=None):
    """Return one recording: a new sound field, recorded (notebook 00).

    Parameters
    ----------
    recorder : Recorder
        One of `recorders.RECORDERS`, or your own.
    n_samples : int > 0
        Length wanted [samples].
    rng : np.random.Generator
        Draws the sound field, then the recorder's noise.
    session, place : Session, Place, optional
        Day and place; new ones by default.
    side, voices
        Who speaks: see `speech`.

    Returns
    -------
    y : np.ndarray [shape=(n_samples,)], int16
        The recording at 44.1 kHz.

    Examples
    --------
    >>> y = recording(_recorders.RECORDERS[0], n_samples=4410, rng=np.random.default_rng(0))
    >>> y.shape, y.dtype
    ((4410,), dtype('int16'))
    """
    session = session or draw_session(rng)
    place = place or draw_place(session, rng)
    clean = sound_field(n_samples, rng=rng, session=session, place=place, side=side, voices=voices)
    return record(clean, recorder, rng=rng, gain_db=place.gain_db)
