"""splices and montage: known changes are found, nothing is found where nothing is, pieces are where they should be."""

import zlib
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from devid_lib import montage, splices, strips
from devid_lib.errors import ParameterError

RATE = 8000


def sound(device, recording, seconds=8.0):
    """Return words and pauses, coloured by the device: the filter is its own, the words are the recording's."""
    colour = np.random.default_rng(zlib.crc32(device.encode())).normal(0, 0.35, 6)
    rng = np.random.default_rng(zlib.crc32(recording.encode()))
    n = int(seconds * RATE)
    loud = np.repeat(10 ** rng.uniform(-1.5, 0, n // 2000 + 1), 2000)[:n]
    poles = rng.choice([0.3, 0.9], n // 2000 + 1)
    y = np.concatenate([lfilter([1], [1, -pole], rng.standard_normal(2000)) for pole in poles])[:n]
    hiss = np.random.default_rng(zlib.crc32(f"{device}{recording}".encode())).normal(0, 0.02, n)
    return (0.05 * lfilter([1, *colour], [1], loud * y + hiss)).astype(np.float32)


@pytest.fixture(scope="module")
def corpus():
    """Twelve devices of three recordings of 8 s."""
    table = pd.DataFrame([(f"d{i}", f"r{j}") for i in range(12) for j in range(3)], columns=["device", "recording"])
    return table, [sound(row.device, row.recording) for row in table.itertuples()]


@pytest.fixture(scope="module")
def model(corpus):
    table, signals = corpus
    known = np.flatnonzero(table["device"].isin([f"d{i}" for i in range(8)]))
    return splices.fit_detector([signals[i] for i in known], table["device"][known], RATE, folds=2)


def test_changes_of_unknown_devices_are_found_in_place(corpus, model):
    table, signals = corpus
    other = np.flatnonzero(table["device"].isin(["d8", "d9", "d10", "d11"]))
    options = {"n": 12, "shortest_s": 2.5, "pieces": (2, 3)}
    made = list(montage.montages([signals[i] for i in other], table.iloc[other], RATE, **options))
    found = [splices.change_points(one["y"], RATE, model=model)["time_s"] for one in made]
    hits, false, missed = np.sum([montage.matched(f, one["cuts"]) for f, one in zip(found, made, strict=True)], axis=0)
    assert 2 * hits / (2 * hits + false + missed) > 0.8
    assert sum(len(splices.change_points(signals[i], RATE, model=model)) for i in other) <= 1


def test_the_whole_gain_says_nothing_and_a_step_of_gain_is_no_device(corpus, model):
    y = montage.splice([corpus[1][24], corpus[1][30]], RATE, cuts=[4.0])
    plain, halved = (splices.change_points(one, RATE, model=model) for one in (y, 0.5 * y))
    assert len(plain) == 1
    np.testing.assert_allclose(halved["time_s"], plain["time_s"])
    stepped = corpus[1][24].copy()
    stepped[4 * RATE :] *= 0.5
    assert splices.change_points(stepped, RATE, model=model).empty


def test_what_fades_over_seconds_is_no_change(corpus, model, monkeypatch):
    n = np.arange(8 * RATE)
    noise = np.diff(np.random.default_rng(0).standard_normal(len(n) + 1))
    noise *= 10 ** (-2 * np.clip((n / RATE - 1) / 3, 0, 1))
    y = (corpus[1][24] + 0.01 * noise).astype(np.float32)  # as a noise suppressor that settles leaves it
    assert splices.change_points(y, RATE, model=model).empty
    monkeypatch.setattr(splices, "ABRUPT", -np.inf)
    assert len(splices.change_points(y, RATE, model=model)) == 1


def test_a_gate_that_opens_is_no_change(corpus, model, monkeypatch):
    y = corpus[1][24].copy()
    y[: 4 * RATE] = 1e-4 * np.random.default_rng(0).standard_normal(4 * RATE)  # as good as nothing until then
    assert splices.change_points(y, RATE, model=model).empty
    of = splices.Evidence.of
    monkeypatch.setattr(splices.Evidence, "of", lambda *a, heard=False, **options: of(*a, **options))
    assert len(splices.change_points(y, RATE, model=model)) == 1


def test_what_changes_in_pauses_alone_is_no_change(corpus, model, monkeypatch):
    y, rng = corpus[1][24].copy(), np.random.default_rng(0)
    power = np.repeat(np.square(y).reshape(-1, 500).mean(axis=1), 500)
    pause = (power < np.quantile(power, 0.3)) & (np.arange(len(y)) > 4 * RATE)
    y[pause] = 3e-3 * rng.standard_normal(pause.sum())  # the pauses, from 4 s on
    assert splices.change_points(y, RATE, model=model).empty
    of = splices.Evidence.of
    monkeypatch.setattr(splices.Evidence, "of", lambda *args, heard=False, **options: of(*args, **options))
    assert len(splices.change_points(y, RATE, model=model))


def test_a_recording_that_is_all_of_the_quietest_kind_is_searched(corpus, model):
    quietest = np.arange(len(model.means)) == np.argmin(model.means @ model.axes.mean(axis=0))
    far = np.where(quietest[:, None], model.centres, 1e3)  # every block is of the kind that is left out elsewhere
    y = montage.splice([corpus[1][24], corpus[1][30]], RATE, cuts=[4.0])
    (at,) = splices.change_points(y, RATE, model=replace(model, centres=far))["time_s"]
    assert abs(at - 4) <= 0.25


def test_devices_are_left_out_of_what_searches_them(corpus):
    table, signals = corpus
    names = ["d0", "d1", "d2", "d3", "d4", "d5"]
    own = table["device"].isin(names).to_numpy()
    y = [signals[i] for i in np.flatnonzero(own)]
    models = splices.fit_left_out(y, table["device"][own], RATE, groups=[names[:3], names[3:]])
    for model, others in zip(models, (slice(9, 18), slice(0, 9)), strict=True):
        (alone,) = splices.fit_left_out(y[others], table["device"][own][others], RATE, groups=[()])
        np.testing.assert_array_equal(model.loadings, alone.loadings)
    assert models[0].threshold == models[1].threshold


def test_curve_peaks_at_the_cut_and_a_long_recording_is_searched(corpus, model):
    y = montage.splice([corpus[1][24], corpus[1][30]], RATE, cuts=[4.0])
    times, score = splices.change_curve(y, RATE, model=model)
    assert abs(times[np.argmax(score)] - 4) <= 0.25
    long = np.concatenate([*[corpus[1][25]] * 9, *[corpus[1][31]] * 9])  # longer than one piece may be
    found = splices.change_points(long, RATE, model=model)["time_s"]
    assert montage.matched(found, [72.0])[0] == 1 and len(found) <= 3


def test_score_is_what_the_pieces_say(corpus, model):
    evidence = splices.Evidence(splices.log_spectra(corpus[1][24], RATE)[0], model)
    (p, a), (q, b), (r, c) = evidence.of(0, 30), evidence.of(30, 80), evidence.of(0, 80)
    np.testing.assert_allclose(p + q, r, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(a + b, c, rtol=1e-9, atol=1e-9)
    wanted = splices.log_evidence(p, a) + splices.log_evidence(q, b) - splices.log_evidence(r, c)
    assert splices.cut_score(evidence, 0, 30, 80) == pytest.approx(wanted)


def test_references_name_the_pieces(corpus, model):
    table, signals = corpus
    names = ["d8", "d9", "d10"]
    references = [[signals[i] for i in np.flatnonzero(table["device"] == name)[:2]] for name in names]
    vectors = strips.device_vectors(references, RATE, model=model)
    y = montage.splice([signals[26], signals[32]], RATE, cuts=[4.0])  # third recordings of d8, d10
    times, posterior, path = strips.device_strip(y, RATE, model=model, vectors=vectors)
    np.testing.assert_allclose(posterior.sum(axis=1), 1)
    assert set(path[times < 3.5]) == {0} and set(path[times > 4.5]) == {2}


def test_a_model_is_kept_without_pickle(corpus, model, tmp_path):
    np.savez(tmp_path / "model.npz", **asdict(model))
    with np.load(tmp_path / "model.npz", allow_pickle=False) as kept:
        again = splices.SpliceModel(**kept)
    one, other = (splices.change_curve(corpus[1][0], RATE, model=m)[1] for m in (model, again))
    np.testing.assert_array_equal(one, other)


def test_a_piece_has_the_level_of_the_first_and_a_fade_its_length():
    y = montage.splice([np.ones(800), np.full(800, -4.0)], 100, cuts=[4.0], fade_s=0.5)
    assert (y[:375] == 1).all() and (y[425:] == -1).all() and (np.diff(y[375:425]) < 0).all()
    for cuts in ([9.0], [], [4.0, 5.0]):
        with pytest.raises(ParameterError):
            montage.splice([np.ones(800), np.ones(800)], 100, cuts=cuts)


def test_montages_hold_the_pieces_that_they_say(corpus):
    table, signals = corpus
    options = {"n": 6, "shortest_s": 2, "conditions": ["clean"], "seed": 3}
    made, again = (list(montage.montages(signals, table, RATE, **options)) for _ in range(2))
    for one, other in zip(made, again, strict=True):
        np.testing.assert_array_equal(one["y"], other["y"])
        edges = [0, *one["cuts"], len(one["y"]) / RATE]
        assert np.diff(edges).min() >= 2 and 2 <= len(one["devices"]) <= 4
        last = slice(round((edges[-2] + 0.1) * RATE), None)
        sources = [signals[i] for i in np.flatnonzero(table["device"] == one["devices"][-1])]
        assert max(np.corrcoef(one["y"][last], y[last])[0, 1] for y in sources) > 0.999


def test_montages_where_no_two_devices_share_a_long_recording(corpus):
    table, signals = pd.DataFrame({"device": [*"abcd"], "recording": [*"1122"]}), corpus[1][:12:3]
    signals = [signals[0], signals[1][:800], signals[2], signals[3][:800]]
    (made,) = montage.montages(signals, table, RATE, n=1, shortest_s=2)
    assert set(made["devices"]) == {"a", "c"}
    with pytest.raises(ParameterError, match="recordings of 4 s: 1 of 2, it takes two"):
        list(montage.montages(signals[:2], table[:2], RATE, n=1, shortest_s=2))


@pytest.mark.parametrize("kind", montage.DECOYS)
def test_a_decoy_leaves_what_comes_before(kind, corpus):
    y = corpus[1][0]
    changed, at = montage.decoy(y, RATE, kind=kind, rng=np.random.default_rng(0))
    before = round((at - 0.2) * RATE)
    np.testing.assert_allclose(changed[:before], y[:before], atol=1e-6)
    assert not np.array_equal(changed[: len(y)], y[: len(changed)])


def test_refusals_name_the_value(model):
    with pytest.raises(ParameterError, match="16000"):
        splices.change_points(np.ones(16000), 16000, model=model)
    with pytest.raises(ParameterError, match="block"):
        splices.change_points(np.ones(100), RATE, model=model)
    with pytest.raises(ParameterError, match="2 devices"):
        splices.fit_detector([np.ones(RATE)] * 3, ["a"] * 3, RATE)
