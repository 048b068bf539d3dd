"""Equation (3): by hand and against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from devid_lib import kernels, noise
from devid_lib.errors import ParameterError
from devid_lib.features import extract_features, fourier_features
from devid_lib.noise import wavelet_noise

property_test = settings(max_examples=30, deadline=None, derandomize=True)


def test_impulse_is_flat():
    x = np.zeros(4096)
    x[1234] = 1
    out = fourier_features(x)
    assert out.shape == (2049,)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(fourier_features(0.5 * x, scale=10), np.log(6), rtol=1e-6)  # log(10 * 0.5 + 1)


def test_constant_is_in_bin_zero():
    out = fourier_features(np.full(8, 0.25))
    np.testing.assert_allclose(out, [np.log(3), 0, 0, 0, 0], atol=1e-6)  # 8 * 0.25 = 2


@pytest.mark.parametrize(("k", "magnitude"), [(3, 0.5 * 16 / 2), (8, 0.5 * 16)])
def test_cosine_on_a_bin(k, magnitude):
    x = 0.5 * np.cos(2 * np.pi * k * np.arange(16) / 16)
    expected = np.zeros(9)
    expected[k] = np.log(magnitude + 1)  # half of it in the negative frequency, except at half the rate
    np.testing.assert_allclose(fourier_features(x), expected, atol=1e-6)


@pytest.mark.parametrize("noise", ["none", "wavelet"])
def test_window_is_scipys_at_unit_power(noise):
    x = np.random.default_rng(0).standard_normal((3, 512))
    hann = signal.get_window("hann", 512)
    e = x if noise == "none" else wavelet_noise(x)
    expected = np.log1p(5 * np.abs(np.fft.rfft(e * hann / np.sqrt(np.mean(hann**2)))))
    np.testing.assert_allclose(extract_features(x, noise=noise, window="hann", scale=5.0), expected, atol=1e-4)


def test_window_stops_leakage():
    x = np.cos(2 * np.pi * 100.5 * np.arange(4096) / 4096)  # between two bins
    plain, windowed = (np.expm1(fourier_features(x, window=window)) for window in ("none", "hann"))
    far = np.abs(np.arange(2049) - 100.5) > 500
    assert windowed[far].max() < plain[far].max() / 1000


def test_unknown_window():
    with pytest.raises(ParameterError, match="window"):
        fourier_features(np.zeros(8), window="kaiser")


@property_test
@given(
    n=st.integers(2, 500),
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(1e-4, 1e4),
    level=st.floats(1e-8, 1),
    dtype=st.sampled_from((np.float32, np.float64)),
)
def test_equals_numpy(n, seed, scale, level, dtype):
    x = (level * np.random.default_rng(seed).standard_normal((2, n))).astype(dtype)
    expected = np.log1p(scale * np.abs(np.fft.rfft(x.astype(np.float64))))
    np.testing.assert_allclose(fourier_features(x, scale=scale), expected, rtol=0, atol=1e-5)


def test_faint_components_keep_their_digits():
    x = np.zeros((2, 64), np.float64)
    x[:, 0] = 1e-9, 3e-5
    expected = np.log1p([1e-9, 3e-5])
    np.testing.assert_allclose(fourier_features(x)[:, 5], expected, rtol=1e-6)
    np.testing.assert_allclose(fourier_features(x.astype(np.float32))[:, 5], expected, rtol=1e-5)


def test_logarithm_keeps_its_digits():
    m = np.geomspace(1e-35, 1e35, 100_000, dtype=np.float32)[np.newaxis]
    expected = np.log1p(m.astype(np.float64))
    kernels.log1p(m, 1.0, m)
    np.testing.assert_allclose(m, expected, rtol=3e-7)


@property_test
@given(
    shape=st.sampled_from(((64,), (5, 101), (2, 3, 64), (0, 64))),
    threshold=st.sampled_from(noise.RULES),
    mode=st.sampled_from(noise.MODES),
    rescale=st.sampled_from(noise.RESCALES),
    wavelet=st.sampled_from(("sym8", "haar", "bior2.2", "dmey")),
    level=st.sampled_from((1, 17)),
    scale=st.sampled_from((1, 100.0)),
    dtype=st.sampled_from((np.float32, np.float64)),
)
def test_extraction_is_noise_then_spectrum(shape, scale, dtype, **options):
    x = (0.1 * np.random.default_rng(1).standard_normal(shape)).astype(dtype)
    together = extract_features(x, scale=scale, **options)
    assert together.shape == (*shape[:-1], shape[-1] // 2 + 1)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together, fourier_features(wavelet_noise(x, **options), scale=scale))


@pytest.mark.parametrize("loud", ["nothing", "tone", "offset"])
def test_extraction_is_within_1e5_of_the_plain_definition(loud):
    x = 0.01 * np.random.default_rng(2).standard_normal((300, 4096))
    x += {"nothing": 0, "tone": 0.5 * np.sin(0.03 * np.arange(4096)), "offset": 0.5}[loud]
    x = x.astype(np.float32)
    plain = np.log1p(np.abs(np.fft.rfft(wavelet_noise(x.astype(np.float64)))))
    np.testing.assert_allclose(extract_features(x), plain, rtol=0, atol=1e-5)


def test_without_noise_extraction_it_is_the_spectrum_of_the_segment():
    x = np.random.default_rng(3).standard_normal((4, 50))
    np.testing.assert_array_equal(extract_features(x, noise="none"), fourier_features(x))
    assert not np.allclose(extract_features(x), fourier_features(x))


def test_chunks_and_threads_do_not_matter(monkeypatch):
    x = np.random.default_rng(4).standard_normal((50, 64)).astype(np.float32)
    expected = extract_features(x)
    monkeypatch.setattr(noise, "CHUNK", 3)
    monkeypatch.setattr(noise, "THREADS", 5)
    np.testing.assert_array_equal(extract_features(x), expected)


@pytest.mark.parametrize("scale", [0, -1, np.nan, np.inf, "1", None, 1j])
def test_scale_is_refused(scale):
    for function in (fourier_features, extract_features):
        with pytest.raises(ParameterError, match="scale"):
            function(np.ones(8), scale=scale)


@pytest.mark.parametrize("function", [fourier_features, extract_features])
def test_bad_signals_are_refused(function):
    for x, reason in ((np.ones(1), "samples"), (np.array([0.0, np.nan]), "finite"), (np.ones(4, complex), "real")):
        with pytest.raises(ParameterError, match=reason):
            function(x)


def test_names_are_refused():
    for option in ({"noise": "wiener"}, {"wavelet": "sym0"}, {"threshold": "x"}, {"mode": "x"}, {"rescale": "x"}):
        with pytest.raises(ParameterError, match=repr(*option.values())):
            extract_features(np.ones(8), **option)
