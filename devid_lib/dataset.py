"""From a table of recordings to arrays: segments, noise, features, cached on disk (notebook 01).

`build_dataset` looks for a cache; `make_dataset` computes into memory, `write_dataset` into a folder, both from blocks
that `computed` yields, of one recording after the other or of many at once on a Dask cluster.
"""

import json
import os
import sys
import zlib
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from .audio import load_recording
from .corpus import corpus_checksum
from .degrade import versions
from .errors import AudioError, DevidError, ParameterError, check_count, check_name
from .features import NOISES, WINDOWS, extract_features
from .files import atomic_path, check, locked, read_json, sealed, sha256_of, sweep
from .progress import progress
from .segments import random_segments

REPRESENTATIONS = ("spectrum", "halves", "waveform")
FORMAT = 5  # raise it when the meaning of a cached array changes
BLOCK = 4096  # segments in memory at a time
SHARE = 0.1  # of a device's only recording that is held out


@dataclass(frozen=True)
class Dataset:
    """Segments of a corpus, ready for a classifier.

    Attributes
    ----------
    X : np.ndarray [shape=(n_segments, ...)], float32
        One row per segment: spectrum (n, 2049), halves (n, 2, 1025) or waveform (n, 4096).
    segments : pandas.DataFrame [n_segments rows]
        device, recording, split, session, draw (number of the independent test set), start and n_samples [samples].
    devices : tuple of str
        Class names, in the order of the probability columns.
    settings : dict
        Everything that made the arrays, the corpus checksum included.
    """

    X: np.ndarray
    segments: pd.DataFrame
    devices: tuple
    settings: dict

    @property
    def y(self):
        """Class number of every segment, np.ndarray [shape=(n_segments,)], int64."""
        return pd.Categorical(self.segments["device"], categories=list(self.devices)).codes.astype(np.int64)

    def mask(self, split, *, draw=None):
        """Return which rows belong to "train" or "test" (and to one draw), np.ndarray of bool."""
        chosen = (self.segments["split"] == split).to_numpy()
        return chosen if draw is None else chosen & (self.segments["draw"] == draw).to_numpy()


def build_dataset(
    corpus,
    *,
    segment_length=4096,
    train_segments=1000,
    test_segments=100,
    draws=1,
    representation="spectrum",
    noise="wavelet",
    window="none",
    wavelet="sym8",
    level=17,
    threshold="minimaxi",
    mode="soft",
    rescale="sln",
    scale=1.0,
    augment=(),
    seed=0,
    data_dir=None,
):
    """Cut segments out of every recording and turn them into features: sections II and III-A/B of the paper.

    Where there is a Dask client (an active ``distributed.Client``, or a scheduler named by the environment variable
    ``DASK_SCHEDULER_ADDRESS`` whose workers see the same disk), its workers take a recording each; the result is the
    same. The cache key covers the audio's checksum and every setting; a cached folder appears under its final name only
    when it is complete, and is made again if a byte of it has changed. Values that are not allowed raise
    ParameterError.

    Parameters
    ----------
    corpus : pandas.DataFrame
        From `corpus.load_corpus`.
    segment_length : int
        Samples of a segment.
    train_segments, test_segments : int
        Segments per training and per test recording.
    draws : int
        Independent sets of test segments, the voters of section III-C5. The table's column ``draw`` tells them apart;
        draw 0 is the paper's test set.
    representation : {"spectrum", "halves", "waveform"}
        Equation (3) on the segment, the same on its two halves, or the samples themselves.
    noise, window, wavelet, level, threshold, mode, rescale, scale
        As in `features.extract_features`. A waveform is kept as it is: nothing is extracted.
    augment : sequence of str
        Conditions, as in `degrade.degrade`, that training recordings go through: segments are then cut from the
        `degrade.versions` of a recording, end to end, and ``start`` counts in these. There are no more of them.
    seed : int
        Seed of the starts. A recording's starts depend on the seed and its own name only.
    data_dir : str or Path, optional
        Folder for the cache; none = not cached. Where it cannot be written, a note is printed and nothing is cached.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> from devid_lib.corpus import load_corpus
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i, name in enumerate(["a-1", "a-2", "b-1", "b-2"]):
    ...         soundfile.write(f"{folder}/{name}.wav", np.random.default_rng(i).normal(0, 0.1, 8000), 8000)
    ...     corpus = load_corpus(folder, data_dir=folder)
    ...     dataset = build_dataset(corpus, train_segments=3, test_segments=2)
    >>> dataset.X.shape, dataset.devices
    ((10, 2049), ('a', 'b'))
    """
    settings = {key: value for key, value in locals().items() if key not in ("corpus", "data_dir")}
    settings["augment"] = list(augment)  # as it comes back from JSON
    check_settings(settings)
    settings |= {"corpus": corpus.attrs.get("name", ""), "corpus_checksum": corpus_checksum(corpus), "format": FORMAT}
    if data_dir is None:
        return make_dataset(corpus, settings)
    folder = Path(data_dir) / "cache" / f"dataset-{settings_key(settings)}"
    with locked(Path(data_dir) / "locks" / f"{folder.name}.lock"):  # of several who want it, one makes it
        try:
            return load_dataset(folder, settings)
        except DevidError as error:
            if folder.exists():
                print(f"Note: {error}: made again", flush=True)
        try:
            write_dataset(corpus, settings, folder)
            return load_dataset(folder, settings)
        except DevidError as error:
            if type(error) is not DevidError:  # a recording, a parameter: not the cache
                raise
            print(f"Note: {error}: computed without the cache", flush=True)
            return make_dataset(corpus, settings)


def make_dataset(corpus, settings):
    """Compute the arrays in memory."""
    blocks, tables = zip(*computed(corpus, settings), strict=True)
    devices = tuple(sorted(set(corpus["device"])))
    return Dataset(np.concatenate(blocks), pd.concat(tables, ignore_index=True), devices, settings)


def computed(corpus, settings):
    """Yield features and their rows of the table, a block of one recording's segments after the other."""
    rows, client = [SimpleNamespace(**row) for row in corpus.to_dict("records")], cluster()
    parts = spread(client, rows, settings) if client else (computed_of(row, settings) for row in rows)
    for part in progress(parts, label="cutting segments, recordings", total=len(rows)):
        yield from part


def computed_of(row, settings):
    """Yield features and rows of the table of one recording."""
    y, _ = load_recording(row.path, samplerate=row.samplerate)
    if len(y) < settings["segment_length"]:
        raise AudioError(f"{row.path}: {len(y)} samples, fewer than one segment of {settings['segment_length']}")
    if settings["augment"] and row.split == "train":
        seed = [settings["seed"], recording_number(row)]
        y = np.concatenate(versions(y, row.samplerate, conditions=settings["augment"], seed=seed))
    for segments, table in cut(y, row, settings):
        yield represent(segments, settings), table


def cluster():
    """Return the Dask client of this process, or one of the scheduler that the environment names; ``None`` = neither.

    Within a task there is none: it would wait for workers that wait for it.
    """
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if not address and "distributed" not in sys.modules:
        return None
    try:
        from distributed import get_client, get_worker

        with suppress(ValueError):
            return get_worker() and None
        client = get_client(address)
        return client if client.status == "running" else None  # one that found no scheduler stays behind
    except (ImportError, OSError, ValueError) as error:
        if address:
            print(f"Note: scheduler {address}: {error}: computed without it", flush=True)
        return None


def spread(client, rows, settings):
    """Yield what `computed_of` yields of every recording, in order, computed by the workers of a cluster."""
    futures, most = deque(), 2 * sum(client.nthreads().values())
    for row in rows:
        row.path = os.path.abspath(row.path)
        futures.append(client.submit(lambda row: list(computed_of(row, settings)), row, pure=False))
        if len(futures) > most:  # no more at a time than memory should hold
            yield futures.popleft().result()
    while futures:
        yield futures.popleft().result()


def recording_number(row):
    """Return a number that belongs to a recording, for seeds."""
    return zlib.crc32(f"{row.device}/{row.recording}".encode())


def cut(y, row, settings):
    """Yield the segments of one recording and their rows of the table, one block after the other."""
    n = settings[f"{row.split}_segments"]
    keys = {"device": row.device, "recording": row.recording, "split": row.split, "session": row.session}
    for draw in range(settings["draws"] if row.split == "test" else 1):
        rng = np.random.default_rng([settings["seed"], draw, recording_number(row)])
        for left in range(0, n, BLOCK):
            segments, starts = random_segments(y, n=min(BLOCK, n - left), length=settings["segment_length"], rng=rng)
            yield segments, pd.DataFrame(keys | {"draw": draw, "start": starts, "n_samples": len(y)})


def represent(segments, settings):
    """Return one row of the dataset per segment.

    >>> represent(np.zeros((3, 4096), np.float32), {"representation": "waveform"}).shape
    (3, 4096)
    """
    if settings["representation"] == "waveform":
        return segments
    if settings["representation"] == "halves":
        segments = segments.reshape(len(segments), 2, -1)
    names = ("noise", "window", "wavelet", "level", "threshold", "mode", "rescale", "scale")
    return extract_features(segments, **{name: settings[name] for name in names})


def held_out(dataset, *, seed=0):
    """Choose training segments to judge epochs with: of every device a recording that the others do not touch.

    Returns (train, validation), np.ndarray [shape=(n_segments,)] of bool. Held out is a device's last training session,
    or its last recording where it has one session, see `of_last_session`; of a single recording a stretch, at a place
    that the seed gives, and segments that reach over its edge are in neither. If no segment lies inside any stretch,
    since the recordings are too short, ParameterError is raised. Test recordings are never used.

    Segments of one recording share its room and its level, so that a random tenth of them, or a stretch, would hardly
    differ from the rest.

    >>> names = ["one", "one", "two", "three"]
    >>> table = pd.DataFrame({"device": "a", "recording": names, "split": ["train"] * 3 + ["test"], "session": ""})
    >>> held_out(Dataset(np.zeros((4, 5)), table, ("a",), {"segment_length": 8}))
    (array([ True,  True, False, False]), array([False, False,  True, False]))
    """
    table, length = dataset.segments, dataset.settings["segment_length"]
    train, validation = np.zeros((2, len(table)), bool)
    rng = np.random.default_rng(seed)
    for _, rows in table[table["split"] == "train"].groupby("device", sort=True):
        last = of_last_session(rows)
        if last is not None:
            validation[rows.index], train[rows.index] = last, ~last
            continue
        n, start = rows["n_samples"].iloc[0], rows["start"].to_numpy()
        size = max(int(SHARE * n), length)
        left = rng.integers(0, n - size + 1)
        validation[rows.index] = (start >= left) & (start + length <= left + size)
        train[rows.index] = (start + length <= left) | (start >= left + size)
    if not validation.any() or not train.any():
        raise ParameterError("no segment lies wholly inside (or outside) a held-out stretch of such short recordings")
    return train, validation


def of_last_session(rows):
    """Return which rows of one device are of its last session, else of its last recording; ``None`` where it is alone.

    Last is what the last row is of.

    >>> of_last_session(pd.DataFrame({"session": ["may", "may", "june"], "recording": [*"123"]})).tolist()
    [False, False, True]
    """
    unit = next((rows[name] for name in ("session", "recording") if len(rows[name].unique()) > 1), None)
    return None if unit is None else unit == unit.iloc[-1]


def check_settings(settings):
    """Raise ParameterError for the first setting that is not allowed; those of the noise are checked where used."""
    for name, allowed in {"representation": REPRESENTATIONS, "noise": NOISES, "window": WINDOWS}.items():
        check_name(name, settings[name], allowed)
    for name, least in {"segment_length": 1, "train_segments": 1, "test_segments": 1, "draws": 1, "seed": 0}.items():
        settings[name] = check_count(name, settings[name], least=least)  # an int, for JSON
    if settings["representation"] == "halves" and settings["segment_length"] % 2:
        raise ParameterError(f"segment_length={settings['segment_length']} cannot be halved")


def settings_key(settings):
    """Return a short hash of the settings, for the name of a cache folder."""
    return blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=10).hexdigest()


def write_dataset(corpus, settings, folder):
    """Compute a dataset into a folder of plain files and their checksums; it appears when it is complete."""
    sweep(folder.parent)
    test = corpus["split"] == "test"
    n = int(np.where(test, settings["test_segments"] * settings["draws"], settings["train_segments"]).sum())
    tables = []
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        with open(temporary / "X.npy", "wb") as file:  # written, not mapped: a full disk is an error, not a crash
            for X, table in computed(corpus, settings):
                if not tables:
                    header = {"descr": X.dtype.str, "fortran_order": False, "shape": (n, *X.shape[1:])}
                    np.lib.format.write_array_header_1_0(file, header)
                file.write(np.ascontiguousarray(X))
                tables.append(table)
        pd.concat(tables, ignore_index=True).to_parquet(temporary / "segments.parquet")
        digests = {path.name: sha256_of(path) for path in temporary.iterdir()}
        content = {"devices": sorted(set(corpus["device"])), "settings": settings, "sha256": digests}
        (temporary / "settings.json").write_text(sealed(content))


def load_dataset(folder, settings):
    """Read what `write_dataset` wrote with these settings, every byte of it, or raise DevidError; X is mapped."""
    content = read_json(folder / "settings.json")
    if content.get("settings") != settings:
        raise DevidError(f"{folder}: holds no dataset of these settings")
    for name, digest in content["sha256"].items():
        check(folder / name, digest)
    segments = pd.read_parquet(folder / "segments.parquet")
    X = np.load(folder / "X.npy", mmap_mode="r", allow_pickle=False)
    return Dataset(X, segments, tuple(content["devices"]), content["settings"])
