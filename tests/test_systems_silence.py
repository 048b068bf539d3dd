"""[6]: the Fourier coefficient histogram of near-silence."""

import numpy as np
import pytest
from test_systems_spectra import RATE, check_system, fitted, planted

from devid_lib.errors import ParameterError
from devid_lib.systems.silence import (
    SilenceHistogram,
    near_silent,
    silence_histogram,
)
from devid_lib.systems.warnings import NearSilenceWarning, ShortExcerptWarning


@pytest.mark.parametrize("n_coefficients", [256, 2048])
def test_system(n_coefficients):
    assert ShortExcerptWarning in check_system(SilenceHistogram(n_coefficients=n_coefficients))


def test_threshold_warns_by_name():
    system = SilenceHistogram(n_coefficients=256, threshold=0.4)
    assert NearSilenceWarning in check_system(system)


def test_near_silent_windows():
    frames = np.array([[0, -0.4], [0.1, 0], [0.3, 0.1], [-0.2, 0.1]])
    assert near_silent(frames, above_db=6.1).tolist() == [False, True, False, True]  # 6.1 dB are a factor of 2.02
    assert near_silent(frames, above_db=1).tolist() == [False, True, False, False]
    assert near_silent(frames, above_db=12.1).all()
    assert near_silent(np.array([[0, 0], [2.0**-15, 0], [2.0**-13, 0]]), above_db=6).tolist() == [True, True, False]
    assert near_silent(frames, threshold=0.3).tolist() == [False, True, True, True]
    with pytest.warns(NearSilenceWarning, match="below 0.05.*0.1"):
        assert near_silent(frames, threshold=0.05).tolist() == [False, True, False, False]


def test_histogram_sees_only_near_silence():
    # 16 windows of 64 samples: a loud tone on bin 4 in the first half, a quiet one on bin 9 in the second
    n = np.arange(512)
    y = np.concatenate([0.5 * np.cos(2 * np.pi * 4 * n / 64), 0.01 * np.cos(2 * np.pi * 9 * n / 64)])
    histogram = silence_histogram(y, RATE, n_coefficients=32, above_db=6)
    assert histogram.shape == (32,) and histogram.argmax() == 9 and histogram[4] < 1e-3 * histogram[9]
    assert silence_histogram(y, RATE, n_coefficients=32, above_db=60).argmax() == 4
    assert silence_histogram(y, RATE, n_coefficients=32, threshold=0.1) == pytest.approx(histogram)
    # a Hamming window of mean 0.54 and mean square 0.3974, half the amplitude in each of two bins
    assert histogram[9] == pytest.approx(0.01 / 2 * 64 * 0.54 / np.sqrt(64 * 0.3974), rel=1e-3)


def test_histogram_does_not_depend_on_length():
    y = planted(seconds=0.5)[0].y[:4096]
    assert silence_histogram(np.tile(y, 3), RATE, n_coefficients=256) == pytest.approx(
        silence_histogram(y, RATE, n_coefficients=256), rel=1e-4
    )


@pytest.mark.parametrize("options", [{"above_db": 0}, {"above_db": -3.0}, {"threshold": 0}, {"threshold": "chosen"}])
def test_refused(options):
    (name, value), = options.items()
    with pytest.raises(ParameterError, match=f"{name}={value!r}"):
        fitted(SilenceHistogram(**options))
