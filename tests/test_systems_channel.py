"""The blind channel estimate against planted channels, and the system on planted devices."""

import numpy as np
import pytest
from scipy import signal
from test_systems_cepstra import check_system

from devid_lib.soundfield import speech
from devid_lib.systems import channel
from devid_lib.systems.channel import BlindChannel, clean_speech
from devid_lib.systems.excerpts import Excerpt

RATE = 16000


@pytest.fixture(scope="module")
def model():
    """What is known of clean speech at 16 kHz, as the system asks for it by default."""
    return clean_speech(RATE, n_components=64, n_coefficients=12, random_state=0)


def estimate(y, model):
    """Return the channel of some audio."""
    system = BlindChannel()
    system.speech_ = model
    return system.channel(Excerpt(np.asarray(y, np.float32), RATE))


def test_system():
    check_system(BlindChannel())


def test_channel_by_hand():
    ideal = np.array([[0.0, 2.0, 4.0], [6.0, 0.0, 0.0]])
    response = channel.channel(np.array([3.0, 3.0, 9.0]), np.array([0.5, 0.5]), ideal)
    np.testing.assert_allclose(response, np.array([0.0, 2.0, 7.0]) - 3.0)


def test_mean_of_frames_is_the_mean_of_differences():
    rng = np.random.default_rng(0)
    spectra, posteriors, ideal = rng.random((20, 5)), rng.dirichlet(np.ones(3), 20), rng.random((3, 5))
    difference = (spectra - posteriors @ ideal).mean(axis=0)
    response = channel.channel(spectra.mean(axis=0), posteriors.mean(axis=0), ideal)
    np.testing.assert_allclose(response, difference - difference.mean())


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_a_planted_channel_is_recovered(model, noise):
    """Other sentences than those of the model's frames, through a resonance and a high-pass."""
    rng = np.random.default_rng(5)
    y = speech(20 * RATE, rng=rng, samplerate=RATE) + noise * rng.standard_normal(20 * RATE)
    b, a = signal.iirpeak(3000, 2, fs=RATE)
    b = a + 4 * b  # one, and a peak of 14 dB
    low = signal.butter(2, 300, "highpass", fs=RATE)
    found = estimate(signal.lfilter(*low, signal.lfilter(b, a, y)), model)
    f = np.linspace(62.5, 8000, len(found))
    truth = np.log(np.abs(signal.freqz(b, a, f, fs=RATE)[1] * signal.freqz(*low, f, fs=RATE)[1]) ** 2)
    change = found - estimate(y, model)
    assert np.corrcoef(change, truth)[0, 1] > 0.97
    assert abs(f[change.argmax()] - 3000) < 200
    if not noise:
        assert np.corrcoef(found, truth)[0, 1] > 0.7  # what the voices of these seconds have of their own stays in it
    assert found.mean() == pytest.approx(0, abs=1e-5)


def test_gain_is_taken_out(model):
    y = speech(5 * RATE, rng=np.random.default_rng(1), samplerate=RATE)
    y = y + 1e-3 * np.random.default_rng(2).standard_normal(len(y))
    np.testing.assert_allclose(estimate(0.1 * y, model), estimate(y, model), atol=0.05)


def test_clean_speech_has_no_channel(model):
    """Speech like that of the model's comes out flat: within 3 dB over nearly all of the band."""
    mixture, spectra = model
    y = speech(30 * RATE, rng=np.random.default_rng(7), samplerate=RATE)
    frames = channel.band_log_spectra(y, RATE)
    loud = np.log(np.exp(frames).sum(axis=1))
    active = loud > loud.max() - np.log(10) * channel.PAUSE_DB / 10
    x = channel.rasta_mfcc(Excerpt(y, RATE), n_coefficients=12)[active]
    shares = channel.posteriors(mixture, mixture.standardised(x))
    response = channel.channel(frames[active].mean(axis=0), shares.mean(axis=0), spectra)
    assert np.mean(np.abs(response) * 10 / np.log(10) < 3) > 0.95


def test_band_ends_where_the_speech_does():
    n = {rate: channel.band_log_spectra(np.zeros(rate, np.float32), rate).shape[1] for rate in (16000, 32000, 44100)}
    assert n[16000] == 512 // 2 + 1 - 2  # from 62.5 to 8000 Hz
    assert n[32000] == 352 - 1 and n[44100] == 255 - 1  # to 11 kHz in bins of 31.25 and 43.07 Hz
