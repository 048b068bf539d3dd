"""Dataset: what every row holds and where it came from, what is held out, and what the cache promises."""

import hashlib
import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from devid_lib import dataset as module
from devid_lib.audio import load_recording
from devid_lib.dataset import Dataset, build_dataset, held_out
from devid_lib.errors import AudioError, DevidError, ParameterError
from devid_lib.features import extract_features

LENGTH, SAMPLERATE, SAMPLES = 256, 8000, 12000
SMALL = {"segment_length": LENGTH, "train_segments": 12, "test_segments": 5, "level": 4}


def write_corpus(folder, *, devices=("ash", "beech", "cedar"), seed=0):
    """Write three recordings a device, float WAV, and return their table; the last one is the test recording."""
    rows = []
    for i, device in enumerate(devices):
        for j, name in enumerate(("clip1", "clip2", "clip3")):
            rng = np.random.default_rng([seed, i, j])
            y = (0.05 * np.convolve(rng.standard_normal(SAMPLES), [1, 0.3 * i], "same")).astype(np.float32)
            path = Path(folder, device, f"{name}.wav")
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, y, SAMPLERATE, subtype="FLOAT")
            rows.append((str(path), device, name, "test" if j == 2 else "train", hashlib.sha256(y).hexdigest()))
    table = pd.DataFrame(rows, columns=["path", "device", "recording", "split", "checksum"])
    table = table.assign(samplerate=SAMPLERATE, native_samplerate=SAMPLERATE, channels=1, session="", speaker="")
    table.attrs |= {"name": "tiny", "skipped": [], "notes": []}
    return table.assign(duration_s=SAMPLES / SAMPLERATE)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def build(corpus, **changes):
    return build_dataset(corpus, **(SMALL | changes))


def cut_by_hand(corpus, segments):
    """Return the samples that the table of segments points at, read with soundfile alone."""
    paths = corpus.set_index(["device", "recording"])["path"]
    return np.stack([
        sf.read(paths[row.device, row.recording], start=row.start, frames=LENGTH, dtype="float32")[0]
        for row in segments.itertuples()
    ])


def starts(dataset, **chosen):
    """Return the starts of the rows of one recording or draw."""
    table = dataset.segments
    for name, value in chosen.items():
        table = table[table[name] == value]
    return table["start"].tolist()


# --- What a row holds ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("representation", "shape"), [("spectrum", (129,)), ("halves", (2, 65)), ("waveform", (LENGTH,))]
)
@pytest.mark.parametrize("noise", ["wavelet", "none"])
def test_every_row_holds_the_features_of_the_samples_it_names(corpus, representation, shape, noise):
    dataset = build(corpus, representation=representation, noise=noise, scale=50.0, draws=2)
    assert dataset.X.shape == (3 * (2 * 12 + 2 * 5), *shape)
    assert dataset.X.dtype == np.float32
    samples = cut_by_hand(corpus, dataset.segments)
    if representation == "waveform":
        np.testing.assert_array_equal(dataset.X, samples)
        return
    parts = samples if representation == "spectrum" else np.stack([samples[:, :128], samples[:, 128:]], axis=1)
    expected = extract_features(parts, noise=noise, scale=50.0, level=4)
    np.testing.assert_allclose(dataset.X, expected, rtol=1e-6, atol=1e-6)


def test_settings_reach_the_noise_extraction(corpus):
    settings = {"wavelet": "db4", "level": 3, "threshold": "sqtwolog", "mode": "hard", "rescale": "mln", "scale": 7.0}
    settings |= {"window": "hann"}
    dataset = build(corpus, **settings)
    expected = extract_features(cut_by_hand(corpus, dataset.segments), **settings)
    np.testing.assert_allclose(dataset.X, expected, rtol=1e-6, atol=1e-6)
    assert dataset.settings.items() >= settings.items()


def test_augmented_training_segments_come_from_all_versions_and_test_segments_stay(corpus):
    options = {"noise": "none", "representation": "waveform"}
    plain, mixed = build(corpus, **options), build(corpus, augment=("level-40", "rate-8"), **options)
    train, test = mixed.mask("train"), mixed.mask("test")
    np.testing.assert_array_equal(mixed.X[test], plain.X[plain.mask("test")])
    assert train.sum() == plain.mask("train").sum()
    table = mixed.segments[train].reset_index(drop=True)
    assert table["n_samples"].eq(3 * SAMPLES).all()  # as it is, and both conditions
    third, at = np.divmod(table["start"].to_numpy(), SAMPLES)
    inside = at <= SAMPLES - LENGTH
    for number, factor in enumerate((1, 0.01, 1)):
        rows = inside & (third == number)
        original = cut_by_hand(corpus, table.assign(start=at)[rows])
        assert rows.any()
        np.testing.assert_allclose(mixed.X[train][rows].std(), factor * original.std(), rtol=0.05)


def test_table_names_device_recording_split_and_draw(corpus):
    dataset = build(corpus, draws=3)
    sizes = dataset.segments.groupby(["device", "recording", "split", "draw"]).size()
    assert sizes.xs("train", level="split").eq(12).all()
    assert sizes.xs("test", level="split").eq(5).all()
    assert sorted(sizes.index) == sorted(
        [(device, clip, "train", 0) for device in dataset.devices for clip in ("clip1", "clip2")]
        + [(device, "clip3", "test", draw) for device in dataset.devices for draw in range(3)]
    )
    assert dataset.segments["n_samples"].eq(SAMPLES).all()  # held_out needs it
    assert dataset.segments["start"].between(0, SAMPLES - LENGTH).all()


def test_labels_follow_the_sorted_device_names(corpus):
    dataset = build(corpus.iloc[::-1])  # whatever the order of the recordings
    assert dataset.devices == ("ash", "beech", "cedar")
    assert dataset.y.dtype == np.int64
    assert np.array(dataset.devices)[dataset.y].tolist() == dataset.segments["device"].tolist()


def test_mask_picks_split_and_draw(corpus):
    dataset = build(corpus, draws=2)
    table = dataset.segments
    assert dataset.mask("train").sum() == 72
    assert dataset.mask("test").sum() == 30
    assert not (dataset.mask("train") & dataset.mask("test")).any()
    np.testing.assert_array_equal(dataset.mask("test", draw=1), table["split"].eq("test") & table["draw"].eq(1))


# --- Where it was cut ------------------------------------------------------------------------------------------------
def test_random_starts_are_neither_regular_nor_shared_between_recordings(corpus):
    dataset = build(corpus, train_segments=200)
    drawn = [tuple(rows) for _, rows in dataset.segments.groupby(["device", "recording"])["start"]]
    assert len(set(drawn)) == len(drawn)
    clip = np.array(starts(dataset, device="ash", recording="clip1"))
    assert len(set(clip % LENGTH)) > 50
    assert clip.min() < SAMPLES / 10  # uniform: 200 draws miss a tenth of the recording once in a billion
    assert clip.max() > 0.9 * (SAMPLES - LENGTH)


def test_draws_are_independent_and_the_first_does_not_depend_on_their_number(corpus):
    one, three = build(corpus), build(corpus, draws=3)
    assert starts(three, draw=0) == starts(one, draw=0)
    for device in one.devices:
        sets = [starts(three, device=device, split="test", draw=draw) for draw in range(3)]
        assert len({*map(tuple, sets)}) == 3


def test_starts_depend_on_seed_and_own_name_only(corpus):
    whole, fewer = build(corpus, draws=2), build(corpus[corpus["device"] != "beech"], draws=2)
    kept = whole.segments["device"].ne("beech").to_numpy()
    pd.testing.assert_frame_equal(whole.segments[kept].reset_index(drop=True), fewer.segments)
    np.testing.assert_array_equal(whole.X[kept], fewer.X)
    renamed = build(corpus.assign(recording=corpus["recording"].replace("clip1", "other")))
    assert starts(renamed, device="ash", recording="other") != starts(whole, device="ash", recording="clip1")
    assert starts(renamed, device="ash", recording="clip2") == starts(whole, device="ash", recording="clip2")


def test_one_seed_gives_one_dataset(corpus):
    first, second, other = build(corpus, seed=5), build(corpus, seed=5), build(corpus, seed=6)
    pd.testing.assert_frame_equal(first.segments, second.segments)
    assert first.X.tobytes() == second.X.tobytes()
    assert starts(first) != starts(other)


def test_blocks_do_not_show_in_the_result(corpus, tmp_path, monkeypatch):
    """However few segments are in memory at a time, the same ones are cut, into the same file."""
    whole = build(corpus, draws=2)
    monkeypatch.setattr(module, "BLOCK", 5)
    for dataset in (build(corpus, draws=2), build(corpus, draws=2, data_dir=tmp_path)):
        pd.testing.assert_frame_equal(dataset.segments, whole.segments)
        np.testing.assert_array_equal(dataset.X, whole.X)


def test_a_cluster_gives_the_same_dataset(corpus, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    alone, threads = build(corpus, draws=2), set()

    def load(*args, **kwargs):
        threads.add(threading.current_thread().name)
        return load_recording(*args, **kwargs)

    monkeypatch.setattr(module, "load_recording", load)
    options = {"processes": False, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as local, distributed.Client(local) as client:
        spread = build(corpus, draws=2, data_dir=tmp_path)
        workers = set(threads)
        within = client.submit(lambda: build(corpus, draws=2).X.tobytes()).result()  # would wait for itself
        short = pd.concat([corpus, corpus.tail(1).assign(path=str(tmp_path / "none.wav"))])
        with pytest.raises(AudioError, match=r"none\.wav: no such file"):
            build(short)
    assert spread.X.tobytes() == alone.X.tobytes() == within
    pd.testing.assert_frame_equal(spread.segments, alone.segments)
    assert len(workers) == 2 and threading.current_thread().name not in workers
    threads.clear()
    build(corpus)
    assert threads == {threading.current_thread().name}  # the client is closed


def test_a_scheduler_that_is_not_there_is_done_without(corpus, monkeypatch, capsys):
    pytest.importorskip("distributed")
    import dask

    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:9")
    with dask.config.set({"distributed.comm.timeouts.connect": "200ms"}):
        there = build(corpus)
    assert "Note: scheduler tcp://127.0.0.1:9" in capsys.readouterr().out
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS")
    assert there.X.tobytes() == build(corpus).X.tobytes()


def test_a_cached_dataset_is_never_in_memory_as_a_whole(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 100)
    build(corpus, noise="none", train_segments=100, data_dir=tmp_path / "warm")
    tracemalloc.start()
    dataset = build(corpus, noise="none", train_segments=5000, data_dir=tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    table = dataset.segments.memory_usage().sum()
    assert peak - 2 * table < dataset.X.nbytes / 4 and dataset.X.nbytes > 15e6


# --- The cache -------------------------------------------------------------------------------------------------------
def refuse(*args, **kwargs):
    raise AssertionError("the cache was not used")


@pytest.mark.parametrize("representation", ["spectrum", "halves", "waveform"])
def test_second_call_loads_what_the_first_wrote(corpus, tmp_path, monkeypatch, representation):
    plain = build(corpus, representation=representation)
    first = build(corpus, representation=representation, data_dir=tmp_path)
    monkeypatch.setattr(module, "load_recording", refuse)
    second = build(corpus, representation=representation, data_dir=tmp_path)
    for dataset in (first, second):
        assert isinstance(dataset.X, np.memmap)
        assert dataset.X.tobytes() == plain.X.tobytes()
        pd.testing.assert_frame_equal(dataset.segments, plain.segments)
        assert (dataset.devices, dataset.settings) == (plain.devices, plain.settings)
    with pytest.raises(ValueError, match="read-only"):
        second.X[0] = 0


def test_cache_holds_plain_files_under_one_name(corpus, tmp_path):
    build(corpus, data_dir=tmp_path)
    (folder,) = (tmp_path / "cache").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [
        "X.npy", "segments.parquet", "settings.json",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"segment_length": 128}, {"train_segments": 11}, {"test_segments": 4}, {"draws": 2}, {"seed": 1},
        {"representation": "halves"}, {"noise": "none"}, {"wavelet": "db2"}, {"level": 3},
        {"threshold": "sqtwolog"}, {"mode": "hard"}, {"rescale": "one"}, {"scale": 2.0},
        {"augment": ("level-40",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_setting_is_part_of_the_key(corpus, tmp_path, change):
    build(corpus, data_dir=tmp_path)
    changed = build(corpus, data_dir=tmp_path, **change)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    assert changed.X.tobytes() == build(corpus, **change).X.tobytes()


def test_changed_audio_is_never_served_from_the_cache(corpus, tmp_path):
    other = write_corpus(tmp_path / "other", seed=1)
    first, second = build(corpus, data_dir=tmp_path), build(other, data_dir=tmp_path)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    assert first.X.tobytes() != second.X.tobytes()


@pytest.mark.parametrize("column", ["device", "recording", "split"])
def test_other_names_or_another_split_make_another_key(corpus, tmp_path, column):
    build(corpus, data_dir=tmp_path)
    swap = {"split": {"train": "test", "test": "train"}, "device": {"ash": "oak"}, "recording": {"clip1": "take1"}}
    build(corpus.assign(**{column: corpus[column].replace(swap[column])}), data_dir=tmp_path)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_the_same_audio_in_another_place_is_not_built_again(corpus, tmp_path, monkeypatch):
    build(corpus, data_dir=tmp_path)
    moved = write_corpus(tmp_path / "moved")
    monkeypatch.setattr(module, "load_recording", refuse)
    build(moved, data_dir=tmp_path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, AudioError])
def test_interrupted_reading_leaves_nothing(corpus, tmp_path, monkeypatch, error):
    calls, load = [], module.load_recording

    def stumble(path, **kwargs):
        calls.append(path)
        if len(calls) == 4:
            raise error("in the middle")
        return load(path, **kwargs)

    monkeypatch.setattr(module, "load_recording", stumble)
    with pytest.raises(error):
        build(corpus, data_dir=tmp_path)
    assert not (tmp_path / "cache").exists() or list((tmp_path / "cache").iterdir()) == []


STEPS = {
    "X": (np.lib.format, "write_array_header_1_0"),
    "segments": (pd.DataFrame, "to_parquet"),
    "settings": (Path, "write_text"),
}


@pytest.mark.parametrize("step", STEPS)
def test_interrupted_writing_leaves_nothing_and_the_next_call_builds(corpus, tmp_path, monkeypatch, step):
    def stumble(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*STEPS[step], stumble)
        with pytest.raises(KeyboardInterrupt):
            build(corpus, data_dir=tmp_path)
    assert list((tmp_path / "cache").iterdir()) == []
    assert build(corpus, data_dir=tmp_path).X.tobytes() == build(corpus).X.tobytes()


@pytest.mark.parametrize("step", STEPS)
def test_on_a_full_disk_nothing_is_cached_and_the_name_is_said(corpus, tmp_path, monkeypatch, capsys, step):
    def stumble(*args, **kwargs):
        raise OSError(28, "No space left on device")

    plain = build(corpus)
    with monkeypatch.context() as patch:
        patch.setattr(*STEPS[step], stumble)
        dataset = build(corpus, data_dir=tmp_path)
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith(f"Note: {tmp_path / 'cache' / 'dataset-'}")
    assert said.endswith("No space left on device: computed without the cache")
    assert dataset.X.tobytes() == plain.X.tobytes()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_done_without(corpus, tmp_path, capsys):
    (tmp_path / "data").write_text("a file")
    dataset = build(corpus, data_dir=tmp_path / "data")
    assert dataset.X.tobytes() == build(corpus).X.tobytes()
    assert "computed without the cache" in capsys.readouterr().out


def test_an_audio_error_is_no_reason_to_do_without_the_cache(corpus, tmp_path, capsys):
    gone = corpus.assign(path=[*corpus["path"][:-1], str(tmp_path / "gone.wav")])
    with pytest.raises(AudioError, match=r"gone\.wav"):
        build(gone, data_dir=tmp_path)
    assert capsys.readouterr().out == ""


# --- What is held out ------------------------------------------------------------------------------------------------
def with_one(dataset):
    """Return the dataset with one training recording a device."""
    table = dataset.segments
    first = table[dataset.mask("train")].groupby("device")["recording"].transform("first").reindex(table.index)
    rows = dataset.mask("test") | (table["recording"] == first).to_numpy()
    return replace(dataset, X=dataset.X[rows], segments=table[rows].reset_index(drop=True))


def test_held_out_is_the_last_training_recording_of_every_device(corpus):
    dataset = build(corpus)
    train, validation = held_out(dataset)
    np.testing.assert_array_equal(train | validation, dataset.mask("train"))
    recordings = corpus[corpus["split"] == "train"].groupby("device")["recording"].agg(list)
    assert recordings.str.len().min() > 1
    for device, names in recordings.items():
        of_device = dataset.segments["device"] == device
        assert set(dataset.segments["recording"][of_device & validation]) == {names[-1]}
        assert set(dataset.segments["recording"][of_device & train]) == set(names[:-1])


def test_held_out_is_the_last_session_where_there_are_several(corpus):
    corpus = corpus.assign(session="monday")
    train, validation = held_out(build(corpus))  # one session: a recording
    dataset = build(corpus.assign(session=np.where(corpus["recording"] == "clip1", "monday", "friday")))
    of_sessions = held_out(dataset)
    assert set(dataset.segments["session"][of_sessions[1]]) == {"friday"}
    np.testing.assert_array_equal(of_sessions, (train, validation))


@pytest.mark.parametrize("seed", range(5))
def test_held_out_stretches_share_no_sample_with_what_is_fitted(corpus, monkeypatch, seed):
    monkeypatch.setattr(module, "SHARE", 0.2)
    dataset = with_one(build(corpus, train_segments=150, draws=2))
    train, validation = held_out(dataset, seed=seed)
    assert train.dtype == validation.dtype == bool
    assert train.sum() > validation.sum() > 0
    assert not ((train | validation) & dataset.mask("test")).any()
    for _, rows in dataset.segments.groupby(["device", "recording"]):
        used = np.zeros((2, SAMPLES), bool)
        for i, mask in enumerate((train, validation)):
            for start in rows["start"][mask[rows.index]]:
                used[i, start : start + LENGTH] = True
        assert not (used[0] & used[1]).any()
        if used[1].any():  # one stretch, no longer than its share
            assert np.ptp(np.flatnonzero(used[1])) < 0.2 * SAMPLES


def test_held_out_stretch_leaves_out_only_what_reaches_over_its_edge(corpus, monkeypatch):
    monkeypatch.setattr(module, "SHARE", 0.2)
    dataset = with_one(build(corpus, train_segments=400))
    train, validation = held_out(dataset)
    size = int(0.2 * SAMPLES)
    left = np.arange(SAMPLES - size + 1)[:, None]
    for _, rows in dataset.segments[dataset.mask("train")].groupby(["device", "recording"]):
        start = rows["start"].to_numpy()
        inside = (start >= left) & (start + LENGTH <= left + size)
        outside = (start + LENGTH <= left) | (start >= left + size)
        fits = (inside == validation[rows.index]).all(axis=1) & (outside == train[rows.index]).all(axis=1)
        assert fits.any(), "no stretch of this size explains which segments were chosen"


def test_held_out_stretch_depends_on_its_seed_alone(corpus):
    dataset = with_one(build(corpus, train_segments=100))
    first, again, other = (held_out(dataset, seed=seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@settings(deadline=None)
@given(seed=st.integers(0, 1000), length=st.integers(1, 400))
def test_held_out_stretch_for_any_length(seed, length):
    n, rng = 3000, np.random.default_rng(seed)
    table = pd.DataFrame({"device": "a", "recording": "r", "split": "train", "session": "", "draw": 0, "n_samples": n,
                          "start": rng.integers(0, n - length + 1, 300)})
    dataset = Dataset(np.zeros((300, 1), np.float32), table, ("a",), {"segment_length": length})
    try:
        train, validation = held_out(dataset, seed=seed)
    except ParameterError:
        return
    begin = table["start"].to_numpy()
    gap = np.abs(begin[train][:, None] - begin[validation])
    assert gap.min() >= length


def test_recordings_too_short_to_hold_something_out(corpus):
    with pytest.raises(ParameterError, match="no segment lies wholly inside"):
        held_out(with_one(build(corpus, segment_length=SAMPLES - 1, train_segments=3)))


# --- What is refused -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("representation", "cepstrum"), ("noise", "wiener"), ("segment_length", 0),
        ("segment_length", 2.5), ("train_segments", 0), ("test_segments", -1), ("draws", "2"), ("wavelet", "sym99"),
        ("level", 0), ("threshold", "best"), ("mode", "medium"), ("rescale", "two"), ("scale", 0.0), ("scale", "1"),
        ("seed", -1), ("seed", 0.5), ("draws", True),
    ],
)
def test_values_that_are_not_allowed(corpus, tmp_path, name, value):
    with pytest.raises(ParameterError, match=name) as error:
        build(corpus, data_dir=tmp_path, **{name: value})
    assert str(value) in str(error.value)
    assert not list(tmp_path.rglob("*.npy"))


def test_halves_of_an_odd_length(corpus):
    with pytest.raises(ParameterError, match="segment_length=255"):
        build(corpus, representation="halves", segment_length=255)


def test_a_recording_that_went_missing_is_named(corpus, tmp_path):
    gone = corpus.assign(path=[*corpus["path"][:-1], str(tmp_path / "gone.wav")])
    with pytest.raises(AudioError, match=r"gone\.wav"):
        build(gone)


def test_a_recording_shorter_than_a_segment_is_named(corpus):
    with pytest.raises(DevidError, match=r"clip1.*shorter|clip1.*fewer"):
        build(corpus, segment_length=SAMPLES + 1)
