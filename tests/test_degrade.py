"""Degradations: equal length, in step, seeded, as strong as they say; encoders that are not there are named."""

import dataclasses

import numpy as np
import pytest
import scipy.signal

from devid_lib import degrade, encoders
from devid_lib.degrade import DEGRADATIONS
from devid_lib.errors import CodecError, DevidError, ParameterError
from devid_lib.soundfield import speech

RATE = 32000


def talk(seconds, rate):
    """Return some seconds of speech that begin with a word."""
    y = speech((seconds + 3) * rate, rng=np.random.default_rng(0), samplerate=rate)
    start = np.argmax(np.abs(y) > 0.01)
    return y[start : start + seconds * rate]


@pytest.fixture(scope="module")
def y():
    """Two seconds of speech with the hiss of a recorder."""
    rng = np.random.default_rng(3)
    voice = np.pad(talk(2, RATE)[: 5 * RATE // 4], (0, 3 * RATE // 4))  # and a pause
    return 0.3 * voice + rng.normal(0, 1e-4, 2 * RATE).astype(np.float32)


def lag(a, b):
    """Return by how many samples b follows a, in the band of a telephone."""
    a, b = (degrade.limit_band(x, RATE) for x in (a, b))
    return int(scipy.signal.correlate(b, a).argmax()) - len(a) + 1


def available(name):
    """Skip what this machine has no encoder for."""
    try:
        degrade.degrade(np.zeros(RATE), RATE, condition=name)
    except CodecError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_equal_length_in_step_and_not_the_same(name, y):
    available(name)
    z = degrade.degrade(y, RATE, condition=name)
    assert z.dtype == np.float32 and z.shape == y.shape and np.isfinite(z).all()
    assert abs(lag(y, z)) <= RATE // 8000  # a sample of a codec at 8 kHz
    assert not np.array_equal(z, y)


@pytest.mark.parametrize("name", ["aac-32", "mp3-32", "opus-16", "amr-12.2", "gsm", "vorbis-0", "mulaw", "rate-8"])
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
def test_codecs_at_other_rates(name, rate):
    available(name)
    y = 0.3 * speech(3 * rate, rng=np.random.default_rng(0), samplerate=rate)  # one second may be a pause
    z = degrade.degrade(y, rate, condition=name)
    assert len(z) == len(y)
    a, b = (degrade.limit_band(x, rate) for x in (y, z))
    assert np.corrcoef(a, b)[0, 1] > 0.6


@pytest.mark.parametrize("kind", ["white", "babble", "traffic"])
def test_noise_has_its_ratio_and_its_seed(kind, y):
    noisy = degrade.add_noise(y, RATE, snr_db=7, kind=kind, seed=5)
    ratio = 10 * np.log10(y.var() / np.mean(np.square(noisy - y)))
    assert abs(ratio - 7) < 0.1
    np.testing.assert_array_equal(noisy, degrade.add_noise(y, RATE, snr_db=7, kind=kind, seed=5))
    assert not np.array_equal(noisy, degrade.add_noise(y, RATE, snr_db=7, kind=kind, seed=6))


def test_traffic_rumbles_and_babble_speaks(y):
    def share_below(noise, edge):
        power = np.square(np.abs(np.fft.rfft(noise)))
        return power[: round(edge / RATE * len(noise))].sum() / power.sum()

    kinds = {kind: degrade.add_noise(y, RATE, snr_db=0, kind=kind) - y for kind in ("white", "babble", "traffic")}
    assert share_below(kinds["traffic"], 400) > 0.9
    assert 0.6 < share_below(kinds["babble"], 2000) < 0.999 and share_below(kinds["babble"], 100) < 0.3
    assert abs(share_below(kinds["white"], 8000) - 0.5) < 0.02


def test_room_dies_away_in_its_time():
    impulse = np.eye(1, 2 * RATE)[0]
    response = degrade.add_room(impulse, RATE, rt60=0.5)
    energy = np.cumsum(np.square(response[:0:-1]))[::-1]  # Schroeder's backward integral
    decay = 10 * np.log10(energy / energy[0])
    at = [np.argmax(decay < level) for level in (-5, -25)]
    assert abs(3 * (at[1] - at[0]) / RATE - 0.5) < 0.03
    assert abs(response[0] ** 2 / np.sum(response[1:] ** 2) - 1) < 0.05  # direct and reverberant are equal


def test_level_is_stored_as_16_bit(y):
    quiet = degrade.change_level(y, RATE, gain_db=-40) * 2**15
    np.testing.assert_array_equal(quiet, np.rint(quiet))
    assert abs(20 * np.log10(quiet.std() / y.std() / 2**15) + 40) < 0.5
    loud = degrade.change_level(y, RATE, gain_db=60)
    assert loud.max() == 1 - 2**-15 and loud.min() == -1


def test_share_of_clipped_samples(y):
    clipped = degrade.clip_peaks(y, RATE, percent=10)
    assert abs(np.mean(np.abs(clipped) > 0.9999) - 0.1) < 0.005


@pytest.mark.parametrize(
    ("name", "edge"), [("rate-16", 8000), ("rate-8", 4000), ("phone-3.4", 5000), ("amr-12.2", 4000)]
)
def test_nothing_above_the_band(name, edge, y):
    available(name)
    hiss = y + np.random.default_rng(0).normal(0, 0.01, len(y)).astype(np.float32)
    f, power = scipy.signal.welch(degrade.degrade(hiss, RATE, condition=name), RATE, nperseg=1024)
    assert power[f > 1.5 * edge].max() < 1e-4 * power[(f > 500) & (f < 0.8 * edge)].mean()


def test_denoiser_lowers_pauses_and_keeps_speech(y):
    hissing = y + np.random.default_rng(0).normal(0, 1e-3, len(y)).astype(np.float32)
    clean = degrade.remove_noise(hissing, RATE, reduction_db=30)
    before, after = (x.reshape(-1, 640).std(axis=1) for x in (hissing, clean))  # of frames of 20 ms
    assert np.median((after / before)[before < 2e-3]) < 0.1
    np.testing.assert_allclose((after / before)[before > 0.05], 1, atol=0.02)


def test_gate_mutes_pauses_and_leaves_words_as_they_are():
    y = np.random.default_rng(0).normal(0, 1e-4, 2 * RATE).astype(np.float32)
    y[RATE // 2 : RATE] += 0.1
    gated = degrade.gate_pauses(y, RATE, range_db=20)
    np.testing.assert_array_equal(gated[RATE // 2 : RATE], y[RATE // 2 : RATE])
    assert not gated[: RATE // 4].any() and not gated[-RATE // 2 :].any()


def test_lower_bit_rates_cost_more(y):
    def error(name):
        return np.mean(np.square(degrade.degrade(y, RATE, condition=name) - y))

    for first, second in [("mp3-128", "mp3-32"), ("aac-64", "aac-16"), ("vorbis-5", "vorbis-0"), ("opus-32", "opus-6")]:
        assert error(first) < error(second), first


def test_two_in_a_row_are_done_in_order(y):
    np.testing.assert_array_equal(
        degrade.degrade(y, RATE, condition="level-40+clip-1"),
        degrade.clip_peaks(degrade.change_level(y, RATE, gain_db=-40), RATE, percent=1),
    )
    np.testing.assert_array_equal(degrade.degrade(y, RATE, condition="clean"), y)


def test_a_missing_encoder_is_named(y, monkeypatch):
    for name, library in {"amr": "FFmpeg", "gsm": "libsndfile"}.items():
        lacking = dataclasses.replace(encoders.CODECS[name], encoder="nobody_has_this")
        monkeypatch.setitem(encoders.CODECS, name, lacking)
        with pytest.raises(CodecError, match=f"{name}: this machine's {library} has no encoder 'nobody_has_this'"):
            encoders.transcode(y[:4001], RATE, codec=name, bit_rate=4.75 if name == "amr" else 0)


def test_what_this_machine_cannot_do_is_left_out_and_said(monkeypatch):
    for name, lacking in {"gsm": {"encoder": "NOBODY"}, "opus": {"encoder": "nobody"}}.items():
        monkeypatch.setitem(encoders.CODECS, name, dataclasses.replace(encoders.CODECS[name], **lacking))
    possible, said = degrade.able(("white-10", "gsm", "mp3-64+opus-16", "phone-3.4", "mulaw"))
    assert possible == ("white-10", "phone-3.4", "mulaw")
    assert said == ["Left out, gsm: gsm: this machine's libsndfile has no encoder 'NOBODY'.",
                    "Left out, mp3-64+opus-16: opus: this machine's FFmpeg has no encoder 'nobody'."]


def test_a_missing_decoder_is_named(y, monkeypatch):
    def codec(name, mode):
        return real("nobody has this" if mode == "r" else name, mode)

    real = encoders.av.Codec
    monkeypatch.setattr(encoders.av, "Codec", codec)
    with pytest.raises(CodecError, match="amr: this machine's FFmpeg has no decoder of 'amr_nb'"):
        encoders.transcode(y[:4001], RATE, codec="amr", bit_rate=4.75)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"codec": "mp3", "bit_rate": 33}, "mp3 knows no bit_rate=33, only 16, 24, 32"),
        ({"codec": "opus", "bit_rate": 5}, "opus knows no bit_rate=5, only 6 to 256"),
        ({"codec": "gsm", "bit_rate": 13}, "gsm knows no bit_rate=13, only 0"),
        ({"codec": "evs"}, "codec='evs' is not one of mulaw"),
    ],
)
def test_a_rate_that_a_codec_does_not_know(given, message, y):
    with pytest.raises(ParameterError, match=message):
        encoders.transcode(y, RATE, **given)


@pytest.mark.parametrize("bad", [np.zeros((2, 100)), np.array([]), np.array([0.0, np.nan]), np.array(["a"])])
def test_what_is_no_recording_is_refused(bad):
    for name in ("white-10", "mulaw", "gate-20"):
        with pytest.raises(DevidError):
            degrade.degrade(bad, RATE, condition=name)


def test_an_unknown_name_is_refused(y):
    with pytest.raises(ParameterError, match="condition='mp3-33' is not one of"):
        degrade.degrade(y, RATE, condition="mulaw+mp3-33")


@pytest.mark.parametrize("n", [1, 100])
@pytest.mark.parametrize("name", DEGRADATIONS)
def test_very_short_and_silent(name, n):
    available(name)
    z = degrade.degrade(np.zeros(n), RATE, condition=name)
    assert z.shape == (n,) and np.isfinite(z).all()


def test_versions_share_a_recording_or_are_copies_of_a_short_one(y):
    long = np.tile(y, 12)  # 24 s
    parts = degrade.versions(long, RATE, conditions=("level-20", "rate-8"), seed=1)
    assert [len(part) for part in parts] == [10 * RATE] * 3
    np.testing.assert_array_equal(parts[0], long[: 10 * RATE])
    np.testing.assert_array_equal(parts[1], degrade.degrade(long[7 * RATE : 17 * RATE], RATE, condition="level-20"))
    assert [len(part) for part in degrade.versions(y, RATE, conditions=("level-20",))] == [len(y)] * 2
    assert [len(part) for part in degrade.versions(long, RATE, conditions=())] == [len(long)]
