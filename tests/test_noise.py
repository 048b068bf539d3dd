"""Wavelet noise against a slow transcription of the definitions, against hand-worked numbers, and its properties."""

import functools
import importlib.util
import itertools
import math
import shutil
import sys

import numba
import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st

from devid_lib import kernels, noise
from devid_lib.errors import DevidError, ParameterError
from devid_lib.noise import MODES, RESCALES, RULES, select_threshold, wavelet_denoise, wavelet_noise

WAVELETS = ("sym8", "db4", "haar", "bior2.2", "rbio3.1", "coif2")
LEVELS = (1, 5, 17)
LENGTHS = (2, 3, 100, 333, 4096)
COMBINATIONS = tuple(itertools.product(RULES, MODES, RESCALES))

property_test = settings(max_examples=30, deadline=None, derandomize=True)


# The definitions, one signal and one coefficient band at a time.


def reference_dwt(x, wavelet):
    """Half-point symmetric extension, convolution, every second sample."""
    taps = len(wavelet.dec_lo)
    extended = np.pad(x, taps - 1, mode="symmetric")
    return tuple(np.convolve(extended, h, "valid")[1::2] for h in (wavelet.dec_lo, wavelet.dec_hi))


def reference_idwt(a, d, wavelet):
    """Zeros between the coefficients, convolution, the middle part."""
    taps, x = len(wavelet.rec_lo), 0
    for coefficients, h in ((a, wavelet.rec_lo), (d, wavelet.rec_hi)):
        spread = np.zeros(2 * len(coefficients) - 1)
        spread[::2] = coefficients
        x = x + np.convolve(spread, h)
    return x[taps - 2 : len(x) - (taps - 2)]


def reference_threshold(x, rule):
    """Threshold for the coefficients ``x`` of unit noise."""
    n = len(x)
    universal = math.sqrt(2 * math.log(n))
    if rule == "sqtwolog":
        return universal
    if rule == "minimaxi":
        return 0.0 if n <= 32 else 0.3936 + 0.1829 * math.log(n) / math.log(2)
    squares = sorted(float(value) ** 2 for value in x)
    risks, below = [], 0.0
    for k, square in enumerate(squares, start=1):
        below += square
        risks.append((n - 2 * k + below + (n - k) * square) / n)
    stein = math.sqrt(squares[risks.index(min(risks))])
    if rule == "rigrsure":
        return stein
    eta, critical = (sum(squares) - n) / n, math.log2(n) ** 1.5 / math.sqrt(n)
    return universal if eta < critical else min(stein, universal)


def reference_shrink(d, sigma, rule, mode, n):
    """Return the band ``d`` after the threshold."""
    if rule in ("rigrsure", "heursure"):
        if sigma == 0 or sigma < math.sqrt(2.0**-52) * np.abs(d).max():
            return d
        threshold = reference_threshold(d / sigma, rule)
    else:
        threshold = reference_threshold(np.zeros(n), rule)
    if sigma == 0:
        return d
    scaled = d / sigma
    if mode == "hard":
        return np.where(np.abs(scaled) > threshold, d, 0)
    return sigma * np.sign(scaled) * np.maximum(np.abs(scaled) - threshold, 0)


@functools.cache
def reference_analysis(wavelet, level, n, kind):
    """Return approximation, details (the finest first) of `signal`; the same for all rules, so it is kept."""
    a, details = signal(n, kind), []
    for _ in range(level):
        a, d = reference_dwt(a, pywt.Wavelet(wavelet))
        details.append(d)
    return a, details


def reference_denoise(wavelet, level, n, kind, rule, mode, rescale):
    """Return `signal` denoised."""
    a, details = reference_analysis(wavelet, level, n, kind)
    sigmas = [np.median(np.abs(d)) / 0.6745 for d in details]
    sigmas = {"one": [1.0] * level, "sln": sigmas[:1] * level, "mln": sigmas}[rescale]
    lengths = [n] + [len(d) for d in details[:-1]]
    for d, sigma, length in reversed(list(zip(details, sigmas, lengths, strict=True))):
        a = reference_idwt(a, reference_shrink(d, sigma, rule, mode, n), pywt.Wavelet(wavelet))[:length]
    return a


@functools.cache
def signal(n, kind):
    """Return a test signal: noise, or a loud line spectrum with clicks in little noise. Float64, some of it above 1."""
    rng = np.random.default_rng([n, len(kind)])
    x = 0.7 * rng.standard_normal(n)
    if kind == "loud":
        t = np.arange(n)
        x = 0.05 * x + 3 * np.sin(0.05 * t) + 2 * np.sin(2.1 * t + 1)
        x[:: max(2, n // 7)] += 5
    return x


@pytest.mark.parametrize(("rule", "mode", "rescale"), COMBINATIONS)
def test_equals_the_definition(rule, mode, rescale):
    for wavelet, level, n, kind in itertools.product(WAVELETS, LEVELS, LENGTHS, ("noise", "loud")):
        if n == 4096 and kind == "noise":
            continue  # half the time of this test, for nothing that 333 samples do not show
        x = signal(n, kind)
        options = dict(wavelet=wavelet, level=level, threshold=rule, mode=mode, rescale=rescale)
        expected = reference_denoise(wavelet, level, n, kind, rule, mode, rescale)
        case = f"{wavelet}, level {level}, {n} samples, {kind}"
        np.testing.assert_allclose(wavelet_denoise(x, **options), expected, rtol=0, atol=1e-6, err_msg=case)
        np.testing.assert_allclose(wavelet_noise(x, **options), x - expected, rtol=0, atol=1e-6, err_msg=case)


@pytest.mark.parametrize("n", [2, 3, 1000])
@pytest.mark.parametrize("level", [1, 5, 17])
def test_every_wavelet_equals_its_own_reconstruction_in_single_precision(n, level):
    x = (0.1 * np.random.default_rng(0).standard_normal((2, n))).astype(np.float32)
    for wavelet in pywt.wavelist(kind="discrete"):
        e = wavelet_noise(x, wavelet=wavelet, level=level)
        exact = wavelet_noise(x.astype(np.float64), wavelet=wavelet, level=level)
        np.testing.assert_allclose(e, exact, rtol=1e-6, atol=1e-6, err_msg=wavelet)
        if n == 3:  # minimaxi is 0 up to 32 samples: nothing is taken, whatever the wavelet's own error
            np.testing.assert_allclose(exact, 0, atol=3e-3 if wavelet == "dmey" else 1e-10, err_msg=wavelet)


@pytest.mark.parametrize("n", [33, 100, 1001, 4096])
def test_every_wavelet_equals_pywavelets(n):
    x = np.random.default_rng(n).standard_normal((2, n)) + 3 * np.sin(np.arange(n))
    for wavelet in pywt.wavelist(kind="discrete"):
        f, details = x, []
        for _ in range(6):
            f, d = pywt.dwt(f, wavelet, "symmetric")
            details.append(d)
        t = np.median(np.abs(details[0]), axis=1, keepdims=True) / 0.6745 * (0.3936 + 0.1829 * math.log2(n))
        for d in reversed(details):
            f = pywt.idwt(f[:, : d.shape[1]], np.sign(d) * np.maximum(np.abs(d) - t, 0), wavelet, "symmetric")
        for dtype, atol in ((np.float32, 1e-5), (np.float64, 1e-8)):
            e = wavelet_noise(x.astype(dtype), wavelet=wavelet, level=6)
            np.testing.assert_allclose(e, x - f[:, :n], rtol=0, atol=atol, err_msg=wavelet)


def test_inexact_wavelet_counts_its_own_error_as_noise():
    x, w = signal(1000, "noise"), pywt.Wavelet("dmey")
    a, d = pywt.dwt(x, w, "symmetric")
    assert np.abs(pywt.idwt(a, d, w, "symmetric") - x).max() > 1e-4  # or there were nothing to test
    sigma = np.median(np.abs(d)) / 0.6745
    expected = pywt.idwt(a, pywt.threshold(d, sigma * (0.3936 + 0.1829 * math.log2(1000)), "soft"), w, "symmetric")
    np.testing.assert_allclose(wavelet_denoise(x, wavelet="dmey", level=1), expected, atol=1e-12)


# Worked by hand. Haar, level 1, of x = 1, 3, 2, 6: d = (1 - 3)/sqrt2, (2 - 6)/sqrt2 = -sqrt2, -2 sqrt2, and a detail
# d puts d/sqrt2, -d/sqrt2 into its two samples.


@pytest.mark.parametrize(
    ("rule", "mode", "rescale", "expected"),
    [
        # sqrt(2 ln 4) = 1.66511 clips the second detail only; 1.66511 / sqrt2 = 1.17741
        ("sqtwolog", "soft", "one", [-1, 1, -1.17741, 1.17741]),
        # the first detail is below 1.66511 and goes, the second is above it and stays
        ("sqtwolog", "hard", "one", [-1, 1, 0, 0]),
        # sigma = 1.5 sqrt2 / 0.6745 = 3.14503 makes the threshold 5.23682: all details go
        ("sqtwolog", "soft", "sln", [-1, 1, -2, 2]),
        ("sqtwolog", "hard", "mln", [-1, 1, -2, 2]),
        # 4 <= 32
        ("minimaxi", "soft", "sln", [0, 0, 0, 0]),
        # squares 2, 8: risk 2 - 2 + 2 + 1*2 = 4 at the first, 2 - 4 + 10 = 8 at the second: the threshold is sqrt2
        ("rigrsure", "soft", "one", [-1, 1, -1, 1]),
        ("rigrsure", "hard", "one", [-1, 1, 0, 0]),
        # the scaled squares 0.20221, 0.80882 give 0.40441 and -0.98897: the second, so all goes; hard too, though the
        # threshold is a coefficient itself
        ("rigrsure", "soft", "sln", [-1, 1, -2, 2]),
        ("rigrsure", "hard", "sln", [-1, 1, -2, 2]),
        # (2 + 8)/2 - 1 = 4 above 1/sqrt2: the smaller of sqrt2 and sqrt(2 ln 2) = 1.17741; 1.17741 / sqrt2 = 0.83255
        ("heursure", "soft", "one", [-0.83255, 0.83255, -0.83255, 0.83255]),
        ("heursure", "hard", "one", [0, 0, 0, 0]),
    ],
)
def test_haar_by_hand(rule, mode, rescale, expected):
    e = wavelet_noise(
        np.array([1.0, 3, 2, 6]), wavelet="haar", level=1, threshold=rule, mode=mode, rescale=rescale
    )
    np.testing.assert_allclose(e, expected, atol=1e-5)


def test_haar_two_levels_by_hand():
    # d1 = 0, -sqrt2 (median sqrt2/2, sigma 1.04834); a1 = sqrt2, 3 sqrt2; d2 = (1 - 3) = -2 (sigma of its own 2.96516).
    # sqtwolog of 4 is 1.66511: the thresholds are 1.74560 for sln, and 4.93732 for d2 under mln.
    x, options = np.array([1.0, 1, 2, 4]), dict(wavelet="haar", level=2, threshold="sqtwolog")
    half = 1.74560 / 2
    sln, mln = (wavelet_noise(x, rescale=rescale, **options) for rescale in ("sln", "mln"))
    np.testing.assert_allclose(sln, [-half, -half, half - 1, half + 1], atol=1e-5)
    np.testing.assert_allclose(mln, [-1, -1, 0, 2], atol=1e-5)


def test_defaults_are_those_of_the_paper():
    x = signal(4096, "loud")
    named = wavelet_noise(x, wavelet="sym8", level=17, threshold="minimaxi", mode="soft", rescale="sln")
    np.testing.assert_array_equal(wavelet_noise(x), named)


@pytest.mark.parametrize(
    ("x", "rule", "expected"),
    [
        (np.ones(4096), "minimaxi", 2.5884),  # 0.3936 + 0.1829 * 12
        (np.ones(32), "minimaxi", 0),
        (np.ones(33), "minimaxi", 1.31622),  # 0.3936 + 0.1829 * 5.04439
        (np.ones(4096), "sqtwolog", 4.07867),  # sqrt(2 * 12 * 0.693147)
        (np.ones(1), "sqtwolog", 0),
        # squares 0.25, 1, 9; risks 3 - 2 + 0.25 + 2*0.25 = 1.75, 3 - 4 + 1.25 + 1 = 1.25, 3 - 6 + 10.25 = 7.25
        ([-1.0, 3, 0.5], "rigrsure", 1),
        ([0.5, -1, 1], "rigrsure", 1),  # risks 1.75, 1.25, -0.75
        # 10.25/3 - 1 = 2.41667 above log2(3)^1.5 / sqrt3 = 1.15206: the smaller of 1 and sqrt(2 ln 3) = 1.48230
        ([-1.0, 3, 0.5], "heursure", 1),
        ([2.0, -2, 2], "heursure", 1.48230),  # 3 above 1.15206, and rigrsure is 2
        ([0.5, -1, 1], "heursure", 1.48230),  # 2.25/3 - 1 = -0.25: too weak, universal although rigrsure is 1
    ],
)
def test_select_threshold_by_hand(x, rule, expected):
    assert select_threshold(np.asarray(x), rule=rule) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("rule", RULES)
def test_select_threshold_of_many_rows_is_that_of_each(rule):
    x = np.random.default_rng(1).standard_normal((2, 3, 50)) * np.arange(1, 4)[:, np.newaxis]
    thresholds = select_threshold(x, rule=rule)
    assert thresholds.shape == (2, 3)
    each = [reference_threshold(row, rule) for row in x.reshape(-1, 50)]
    np.testing.assert_allclose(thresholds.ravel(), each, rtol=1e-12)
    assert np.ndim(select_threshold(x[0, 0], rule=rule)) == 0
    assert thresholds.dtype == np.float64


# Properties.

names = {
    "wavelet": st.sampled_from(WAVELETS),
    "level": st.sampled_from((1, 4, 17)),
    "threshold": st.sampled_from(RULES),
    "mode": st.sampled_from(MODES),
    "rescale": st.sampled_from(RESCALES),
}
options = st.fixed_dictionaries(names)
scaled_options = st.fixed_dictionaries(names | {"rescale": st.sampled_from(("sln", "mln"))})
dtypes = st.sampled_from((np.float32, np.float64))
lengths = st.integers(2, 300)
shapes = st.sampled_from(((40,), (3, 41), (2, 3, 64), (1, 1, 1, 2), (0, 64)))
seeds = st.integers(0, 2**32 - 1)


def random_signal(shape, seed, dtype=np.float64):
    return (0.3 * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


@property_test
@given(options=scaled_options, dtype=dtypes, n=lengths, seed=seeds, power=st.integers(-12, 6))
def test_gain_by_a_power_of_two_is_exact(options, dtype, n, seed, power):
    x, gain = random_signal(n, seed, dtype), dtype(2.0**power)
    np.testing.assert_array_equal(wavelet_noise(gain * x, **options), gain * wavelet_noise(x, **options))


@property_test
@given(options=scaled_options, n=lengths, seed=seeds, gain=st.floats(1e-3, 1e3))
def test_any_gain_scales_the_noise(options, n, seed, gain):
    x = random_signal(n, seed)
    e = wavelet_noise(x, **options)
    np.testing.assert_allclose(wavelet_noise(gain * x, **options), gain * e, rtol=0, atol=1e-9 * gain)


def test_gain_matters_without_rescaling():
    x = signal(1000, "noise")
    assert not np.allclose(wavelet_noise(100 * x, rescale="one"), 100 * wavelet_noise(x, rescale="one"))


@property_test
@given(options=options, dtype=dtypes, n=lengths)
def test_silence_has_no_noise(options, dtype, n):
    for out in (wavelet_noise(np.zeros((2, n), dtype), **options), wavelet_denoise(np.zeros((2, n), dtype), **options)):
        np.testing.assert_array_equal(out, np.zeros((2, n), dtype))


@property_test
@given(options=options, dtype=dtypes, shape=shapes, seed=seeds)
def test_shape_dtype_and_sum(options, dtype, shape, seed):
    x = random_signal(shape, seed, dtype)
    before = x.copy()
    e, f = wavelet_noise(x, **options), wavelet_denoise(x, **options)
    assert e.shape == f.shape == shape
    assert e.dtype == f.dtype == dtype
    np.testing.assert_allclose(e + f, x, rtol=0, atol=1e-6 if dtype == np.float32 else 1e-12)
    np.testing.assert_array_equal(x, before)


@property_test
@given(options=options, dtype=dtypes, n=lengths, seed=seeds)
def test_batch_equals_one_by_one(options, dtype, n, seed):
    x = random_signal((3, 2, n), seed, dtype)
    e = wavelet_noise(x, **options)
    for i, j in np.ndindex(3, 2):
        np.testing.assert_array_equal(e[i, j], wavelet_noise(x[i, j], **options))


@pytest.mark.parametrize(("threads", "chunk"), [(1, 1), (1, 1000), (2, 7), (8, 3)])
@pytest.mark.parametrize("mode", MODES)
def test_chunks_and_threads_do_not_matter(monkeypatch, threads, chunk, mode):
    x = random_signal((60, 129), 5, np.float32)
    expected = wavelet_noise(x, mode=mode)
    monkeypatch.setattr(noise, "THREADS", threads)
    monkeypatch.setattr(noise, "CHUNK", chunk)
    np.testing.assert_array_equal(wavelet_noise(x, mode=mode), expected)


def test_views_and_read_only_arrays_are_taken():
    y = random_signal(1000, 3, np.float32)
    y.setflags(write=False)
    windows = np.lib.stride_tricks.sliding_window_view(y, 100)[::37]
    np.testing.assert_array_equal(wavelet_noise(windows), wavelet_noise(windows.copy()))
    np.testing.assert_array_equal(wavelet_noise(windows.T[:50]), wavelet_noise(windows.T[:50].copy()))


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int64, np.float16])
def test_other_numbers_become_single_precision(dtype):
    x = np.random.default_rng(0).integers(0, 200, 300).astype(dtype)
    e = wavelet_noise(x)
    assert e.dtype == np.float32
    np.testing.assert_array_equal(e, wavelet_noise(x.astype(np.float32)))


def test_noise_of_a_tone_in_noise_is_the_noise():
    """What the function is for: at 40 dB below a low tone the noise comes out within 1 dB, the tone does not."""
    t, e = np.arange(4096), 0.005 * np.random.default_rng(0).standard_normal((20, 4096))
    found = wavelet_noise(0.5 * np.sin(2 * np.pi * t / 441) + e)
    assert 10 * abs(np.log10(np.mean(found**2) / np.mean(e**2))) < 1
    assert np.corrcoef(found.ravel(), e.ravel())[0, 1] > 0.9


# What is compiled.


def fresh_kernels(folder):
    """Return `devid_lib.kernels` as if it stood in ``folder``, nothing of it compiled."""
    shutil.copy(kernels.__file__, folder / "fresh_kernels.py")
    spec = importlib.util.spec_from_file_location("fresh_kernels", folder / "fresh_kernels.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("trouble", ["none", "no folder", "folder lost", "damaged"])
def test_compiled_whatever_becomes_of_the_cache(tmp_path, monkeypatch, trouble):
    cache, m, out = tmp_path / "__pycache__", np.ones((1, 3), np.float32), np.empty((1, 3), np.float32)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))  # where numba goes when the folder of the module cannot be written
    if trouble == "no folder":
        cache.write_text("a file")
    module = fresh_kernels(tmp_path)
    if trouble == "folder lost":
        shutil.rmtree(cache)
        cache.write_text("a file")
    if trouble == "damaged":
        module.log1p(m, 1.0, out)
        for file in cache.glob("*.nbi"):
            file.write_bytes(file.read_bytes()[:100])
        module = fresh_kernels(tmp_path)
    module.log1p(m, 1.0, out)
    np.testing.assert_allclose(out, math.log(2), rtol=1e-6)
    assert bool(list(tmp_path.glob("__pycache__/*.nbi"))) == (trouble in ("none", "damaged"))


# Refusals.


@pytest.mark.parametrize("function", [wavelet_noise, wavelet_denoise])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_non_finite_is_refused(function, bad, dtype):
    x = np.zeros((600, 16), dtype)
    x[599, 15] = bad  # in the last chunk
    with pytest.raises(ParameterError, match="finite"):
        function(x)


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (np.zeros(1), "2 samples"),
        (np.zeros((5, 1)), r"\(5, 1\)"),
        (np.zeros(0), "2 samples"),
        (np.float64(3), "2 samples"),
        (np.zeros(8, complex), "complex128"),
        (np.zeros(8, bool), "bool"),
        (["a", "b"], "real numbers"),
    ],
)
def test_no_signal_is_refused(x, reason):
    for function in (wavelet_noise, wavelet_denoise):
        with pytest.raises(ParameterError, match=reason):
            function(x)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wavelet", "sym99"), ("wavelet", "morl"), ("wavelet", None),
        ("level", 0), ("level", -1), ("level", 2.0), ("level", True), ("level", "3"),
        ("threshold", "Minimaxi"), ("threshold", ""), ("mode", "garrote"), ("rescale", "two"), ("rescale", None),
    ],
)  # fmt: skip
def test_unknown_names_and_values_are_refused(name, value):
    for function in (wavelet_noise, wavelet_denoise):
        with pytest.raises(ParameterError) as error:
            function(np.zeros(64), **{name: value})
        assert name in str(error.value)
        assert repr(value) in str(error.value)
        assert isinstance(error.value, DevidError)


def test_select_threshold_refuses():
    with pytest.raises(ParameterError, match="'universal'"):
        select_threshold(np.ones(4), rule="universal")
    with pytest.raises(ParameterError, match="finite"):
        select_threshold(np.array([1.0, np.nan]), rule="minimaxi")
    with pytest.raises(ParameterError, match="samples"):
        select_threshold(np.zeros(0), rule="sqtwolog")
