"""Framewise features against the definitions worked by hand and against scipy's filters."""

import numpy as np
import pytest
from scipy import signal

from devid_lib.errors import ParameterError
from devid_lib.systems import frames
from devid_lib.systems.warnings import ShortExcerptWarning

FEATURES = (frames.mfcc, frames.gtcc, frames.pncc)
FRAMES = {"frame_s": 0.025, "hop_s": 0.01}


def noise(n, *, seed=0, level=0.02):
    return (level * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def test_power_spectra_of_white_noise_have_its_variance_in_every_bin():
    power = frames.power_spectra(noise(200_000, level=0.1), 16000, preemphasis=False, **FRAMES)
    assert power.shape == (1 + (200_000 - 400) // 160, 257) and power.dtype == np.float32
    np.testing.assert_allclose(power.mean(axis=0)[5:-5], 0.01, rtol=0.2)


def test_power_spectra_one_frame_worked_with_numpy():
    y = noise(400)
    emphasised = np.concatenate([[0.03 * y[0]], y[1:] - 0.97 * y[:-1]])
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 400)
    expected = np.abs(np.fft.rfft(emphasised * window, 512)) ** 2 / (window**2).sum()
    np.testing.assert_allclose(frames.power_spectra(y, 16000, **FRAMES)[0], expected, rtol=1e-3, atol=1e-10)


def test_filters_weigh_the_bins():
    weights = np.zeros((2, 257))
    weights[0, 3], weights[1, 5:7] = 1.0, 2.0
    y = noise(16000)
    power = frames.power_spectra(y, 16000, **FRAMES)
    expected = np.stack([power[:, 3], 2 * (power[:, 5] + power[:, 6])], axis=1)
    np.testing.assert_allclose(frames.power_spectra(y, 16000, filters=weights, **FRAMES), expected, rtol=1e-5)


def test_mfcc_from_the_definition():
    y, n_fft = noise(320), 512
    mel = lambda f: 2595 * np.log10(1 + f / 700)  # noqa: E731
    edges = 700 * (10 ** (np.linspace(0, mel(8000.0), 42) / 2595) - 1)
    f = np.arange(n_fft // 2 + 1) * 16000 / n_fft
    up = (f - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - f) / (edges[2:] - edges[1:-1])[:, None]
    energies = np.maximum(0, np.minimum(up, down)) @ frames.power_spectra(y, 16000, frame_s=0.02, hop_s=0.01)[0]
    n = np.arange(40)
    cosines = np.cos(np.pi * np.arange(1, 24)[:, None] * (n + 0.5) / 40) * np.sqrt(2 / 40)
    expected = cosines @ np.log(np.maximum(energies, 1e-12))
    np.testing.assert_allclose(frames.mfcc(y, 16000)[0], expected, rtol=1e-3, atol=1e-3)


def test_linear_filters_have_equal_widths_and_unit_peaks():
    filters = frames.triangular_filters(8000, n_fft=800, n_filters=3, spacing="linear")  # bins of 10 Hz
    assert filters.argmax(axis=1).tolist() == [100, 200, 300]
    np.testing.assert_allclose(filters.max(axis=1), 1.0)
    np.testing.assert_allclose(filters.sum(axis=0)[100:301], 1.0)
    assert filters[0, 150] == pytest.approx(0.5)


def test_centres_of_gammatones_are_equally_spaced_on_the_erb_scale():
    f = frames.gammatone_filters(16000, n_fft=2**17, n_filters=40, fmin=200.0).argmax(axis=1) * 16000 / 2**17
    assert (f[0], f[-1]) == pytest.approx((200.0, 8000.0), abs=0.1)
    np.testing.assert_allclose(np.diff(21.4 * np.log10(4.37e-3 * f + 1)), (33.2946 - 5.8373) / 39, rtol=0.02)


@pytest.mark.parametrize("centre", [500.0, 2000.0, 5000.0])
def test_gammatone_responses_are_those_of_scipys_filter(centre):
    """Of scipy's FIR gammatone of fourth order, within two bandwidths of its centre."""
    n_fft, rate = 4096, 16000
    ours = frames.gammatone_filters(rate, n_fft=n_fft, n_filters=1, fmin=centre)[0]
    b, _ = signal.gammatone(centre, "fir", order=4, numtaps=4096, fs=rate)
    theirs = np.abs(np.fft.rfft(b, n_fft)) ** 2
    f = np.fft.rfftfreq(n_fft, 1 / rate)
    near = np.abs(f - centre) < 2 * 24.7 * (4.37 * centre / 1000 + 1)
    ratio_db = 10 * np.log10((ours / ours.max())[near] / (theirs / theirs.max())[near])
    assert np.abs(ratio_db).max() < 0.5


def test_gammatone_filters_sum_to_one_and_are_cut():
    whole = frames.gammatone_filters(16000, n_fft=1024, n_filters=40, fmin=200.0)
    cut = frames.gammatone_filters(16000, n_fft=1024, n_filters=40, fmin=200.0, cut=0.005)
    np.testing.assert_allclose([whole.sum(axis=1), cut.sum(axis=1)], 1.0)
    magnitude = np.sqrt(whole / whole.max(axis=1, keepdims=True))
    np.testing.assert_array_equal(cut == 0, magnitude < 0.005)


def test_rasta_impulse_response_by_hand():
    x = np.zeros((6, 1))
    x[1] = 1.0
    expected, previous = [0.0], 0.0
    for b in (0.2, 0.1, 0.0, -0.1, -0.2):
        previous = b + 0.98 * previous
        expected.append(previous)
    np.testing.assert_allclose(frames.rasta_filter(x)[:, 0], expected, atol=1e-12)


def test_rasta_takes_out_a_fixed_channel():
    x, channel = np.random.default_rng(0).standard_normal((50, 4)), np.array([5.0, -3.0, 0.0, 9.0])
    np.testing.assert_allclose(frames.rasta_filter(x + channel), frames.rasta_filter(x), atol=1e-12)
    assert np.all(frames.rasta_filter(np.full((20, 2), 7.0)) == 0)


def test_asymmetric_lowpass_by_hand():
    x = np.array([[1.0], [2.0], [0.0], [0.5]])
    second = 0.999 * 0.9 + 0.001 * 2.0
    third = 0.5 * second
    assert frames.asymmetric_lowpass(x)[:, 0] == pytest.approx([0.9, second, third, 0.999 * third + 0.001 * 0.5])


def test_temporal_masking_by_hand():
    x = np.array([[1.0], [0.5], [0.8], [0.1]])
    # peaks 1, 0.85, 0.8 (0.85 * 0.85 = 0.7225 is reached); the masked ones become 0.2 times the peak before
    assert frames.temporal_masking(x)[:, 0] == pytest.approx([1.0, 0.2 * 1.0, 0.8, 0.2 * 0.8])


def test_power_normalisation_takes_out_the_gain_and_steady_noise():
    rng = np.random.default_rng(0)
    power = rng.exponential(1.0, (300, 40))
    normalised = frames.power_normalised(power)
    np.testing.assert_allclose(frames.power_normalised(100 * power), normalised, rtol=1e-6)
    steady = np.full((300, 40), 50.0)
    steady[100:110] *= 1000  # an onset in steady noise
    normalised = frames.power_normalised(steady)
    assert np.isfinite(normalised).all() and (normalised >= 0).all()
    assert normalised[100].min() > 100 * normalised[90].max()
    assert normalised[150].max() < 1e-3 * normalised[90].min()  # the noise after it is masked


def test_power_normalisation_smooths_over_nine_channels(monkeypatch):
    """Steady powers, the gain one in one channel: what the neighbours within four channels share of it."""
    for name, result in (("asymmetric_lowpass", np.zeros_like), ("temporal_masking", lambda x: x * (x > 1))):
        monkeypatch.setattr(frames, name, result)
    for channel, shares in ((20, np.full(9, 1 / 9)), (0, 1 / np.arange(5.0, 10.0))):
        power = np.ones((300, 40))
        power[:, channel] = 1 + 1e-9  # above what is masked
        gain = frames.power_normalised(power)[-1]
        near = gain[max(0, channel - 4) : channel + 5]
        np.testing.assert_allclose(near / near.sum(), shares / shares.sum(), rtol=1e-6)
        assert np.count_nonzero(gain > 1e-12) == len(shares)


@pytest.mark.parametrize("function", FEATURES)
@pytest.mark.parametrize("samplerate", [8000, 32000, 44100])
def test_shape_dtype_and_determinism(function, samplerate):
    y = noise(samplerate)
    x = function(y, samplerate)
    assert x.dtype == np.float32 and x.ndim == 2 and np.isfinite(x).all()
    np.testing.assert_array_equal(x, function(y.copy(), samplerate))


def test_chunks_do_not_show():
    y = noise(16000 * 12)  # 1199 frames of 10 ms: more than one chunk
    whole = frames.mfcc(y, 16000)
    late = frames.mfcc(y[160 * 600 :], 16000)
    np.testing.assert_allclose(whole[601:], late[1:], atol=1e-4)  # the first differs by its pre-emphasis


@pytest.mark.parametrize("function", FEATURES)
def test_silence_is_finite(function):
    assert np.isfinite(function(np.zeros(16000, np.float32), 16000)).all()


@pytest.mark.parametrize("function", FEATURES)
@pytest.mark.parametrize("n", [0, 1, 100])
def test_shorter_than_a_frame_gives_one_frame_and_a_warning(function, n):
    with pytest.warns(ShortExcerptWarning, match=f"{n} samples"):
        x = function(noise(n), 16000)
    assert len(x) == 1 and np.isfinite(x).all()


@pytest.mark.parametrize("call", [
    lambda: frames.mfcc(noise(1600), 16000, spacing="bark"),
    lambda: frames.pncc(noise(1600), 400),
    lambda: frames.power_spectra(noise(1600), 16000, frame_s=0.0, hop_s=0.01),
])  # fmt: skip
def test_what_is_refused(call):
    with pytest.raises(ParameterError):
        call()
