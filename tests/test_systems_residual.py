"""[9], [11], [12]: the noise that speech enhancement takes out."""

import numpy as np
import pytest
import scipy.signal
from test_systems_spectra import RATE, ShortExcerptWarning, check_system, fitted, planted

from devid_lib.errors import ParameterError
from devid_lib.systems import residual
from devid_lib.systems.residual import (
    DESCRIPTORS,
    LeakageResidual,
    NoiseCentroids,
    WienerDescriptors,
    correlations,
    distinctiveness,
    multiband_gain,
    noise_centroids,
    noise_mfcc,
    noise_power,
    on_harmonics,
    pitch,
    residual_spectrum,
    spectral_descriptors,
    subtraction_gain,
    wiener_descriptors,
    wiener_noise,
)
from devid_lib.systems.spectra import MOST_SECONDS, framed, power, spectra_in_chunks


def test_leakage_residual():
    assert ShortExcerptWarning in check_system(LeakageResidual())


def test_wiener_descriptors_system():
    assert ShortExcerptWarning in check_system(WienerDescriptors())


@pytest.mark.parametrize("source", ["noise", "raw"])
def test_noise_centroids_system(source):
    assert ShortExcerptWarning in check_system(NoiseCentroids(source=source, n_clusters=16))


def white(seconds=1.0, level=0.1, seed=0):
    return level * np.random.default_rng(seed).standard_normal(int(seconds * RATE))


def voice(f0, seconds=1.0, level=0.1):
    t = np.arange(int(seconds * RATE)) / RATE
    return level * sum(np.cos(2 * np.pi * k * f0 * t + k * k) for k in range(1, int(3500 / f0)))


def test_noise_comes_from_the_quietest_frames():
    y = np.concatenate([white(8.9, 0.5), white(1.1, 0.01)])
    noise = noise_power(framed(y, length=256, hop=128))
    assert noise[1:-1].mean() == pytest.approx(1e-4, rel=0.05)
    assert noise_power(framed(np.zeros(4096), length=256, hop=128)) == pytest.approx(1e-12)


def test_subtraction_by_hand():
    x, noise = np.array([[4.0, 1, 0.25, 100]]), np.ones(4)
    assert subtraction_gain(x, noise, over=1)[0] == pytest.approx([0.5, 0.002, 0.002, 0.9])
    assert subtraction_gain(x, noise, over=2)[0] == pytest.approx([0.002, 0.002, 0.002, 0.8])


def test_multiband_subtraction_by_hand(monkeypatch):
    monkeypatch.setattr(residual, "N_BANDS", 2)
    # Bins at 0, 1, ... 8 kHz; two bands of 5 and 4 bins, at 30 dB and at -10 dB of the noise.
    noise, x = np.ones(9), np.array([[1000.0] * 5 + [0.1] * 4])
    gain = multiband_gain(x, noise, 16000)[0]
    assert gain[:2] ** 2 == pytest.approx(1 - 1 / 1000)
    assert gain[2:5] ** 2 == pytest.approx(1 - 2.5 / 1000)
    assert gain[5:] ** 2 == pytest.approx(0.002)  # 4.75 times the noise leaves nothing
    # At 10 dB the factor is 4 - 3 / 20 10 = 2.5, times 2.5 between 1 and 6 kHz and 1.5 above.
    gain = multiband_gain(np.full((1, 9), 10.0), noise, 16000)[0]
    assert gain**2 == pytest.approx(np.array([7.5] * 2 + [3.75] * 5 + [6.25] * 2) / 10)


def test_pitch():
    y = np.concatenate([voice(125), white()])
    x = np.concatenate([power(chunk) for chunk in spectra_in_chunks(framed(y, length=2048, hop=2048))])
    f0, strength = pitch(x, RATE, n_fft=2048)
    assert f0[:7] == pytest.approx(np.full(7, 125), rel=0.01) and (strength[:7] > 0.9).all()
    assert (strength[8:] < 0.5).all()
    x = power(next(spectra_in_chunks(framed(voice(80), length=512, hop=512))))
    f0, strength = pitch(x, RATE, n_fft=512)  # lags of 200 of 512 samples: the window's taper is made good
    assert f0 == pytest.approx(np.full(len(x), 80), rel=0.01)
    assert strength == pytest.approx(np.ones(len(x)), abs=0.02)
    assert pitch(np.zeros((1, 1025)), RATE, n_fft=2048)[1] == 0


def test_harmonics():
    # Bins of 62.5 Hz, main lobe +-93.75 Hz: of 500 Hz, three bins around each harmonic up to 4 kHz.
    near = on_harmonics(np.array([500.0]), RATE, n_fft=256)[0]
    expected = {8 * k + d for k in range(1, 9) for d in (-1, 0, 1)} - {65}
    assert set(np.flatnonzero(near)) == expected


def test_leaked_speech_is_removed():
    noise = white(4, 0.01)
    y = noise + np.where(np.arange(len(noise)) % RATE < 0.7 * RATE, voice(200, 4, 0.05), 0)  # pauses between the words
    clean, kept, removed = (
        residual_spectrum(s, RATE, over=4.0, periodicity=p) for s, p in ((noise, np.inf), (y, np.inf), (y, 0.5))
    )
    line = round(400 * 2048 / RATE)
    assert kept[line] > clean[line] + 0.5
    assert abs(removed[line] - clean[line]) < 0.5 * abs(kept[line] - clean[line])


def test_voiced_throughout_still_has_a_spectrum():
    assert np.isfinite(residual_spectrum(voice(200, 1), RATE, periodicity=-1)).all()


def test_correlations():
    templates = np.array([[1.0, 2, 3], [3, 2, 1], [0, 1, 0]])
    assert correlations(np.array([[2.0, 4, 6], [5, 5, 5]]), templates) == pytest.approx(np.array([[1, -1, 0], [0] * 3]))


def test_wiener_noise_is_scipys():
    for y in (white(), voice(150)):
        assert wiener_noise(y) == pytest.approx(y - scipy.signal.wiener(y, 15), abs=1e-9)
    assert not wiener_noise(np.zeros(100)).any()


def test_descriptors_by_hand():
    spectra = np.array([np.ones(81), np.eye(81)[40], np.eye(81)[10] + np.eye(81)[30]])  # bins of 100 Hz
    flat, line, pair = (dict(zip(DESCRIPTORS, row, strict=True)) for row in spectral_descriptors(spectra, RATE))
    assert flat["centroid"] == pytest.approx(4000) and flat["skewness"] == pytest.approx(0, abs=1e-6)
    assert flat["spread"] == pytest.approx(8000 * np.sqrt(82 / 80 / 12))
    assert flat["kurtosis"] == pytest.approx(1.8, rel=0.01)
    assert flat["flatness"] == pytest.approx(0, abs=1e-6) and flat["entropy"] == pytest.approx(1)
    assert flat["rolloff"] == pytest.approx(6800) and flat["brightness"] == pytest.approx(65 / 81)
    assert flat["irregularity"] == 0
    assert line["centroid"] == pytest.approx(4000, rel=1e-4) and line["rolloff"] == pytest.approx(4000)
    assert line["irregularity"] == pytest.approx(2, rel=1e-4) and line["entropy"] < 1e-6 and line["flatness"] < -15
    assert line["flux"] == pytest.approx(np.sqrt(80 / 81**2 + (80 / 81) ** 2), rel=1e-4)
    assert pair["spread"] == pytest.approx(1000, rel=1e-3) and pair["kurtosis"] == pytest.approx(1, rel=1e-3)
    assert pair["brightness"] == pytest.approx(0.5) and pair["flux"] == pytest.approx(np.sqrt(1.5), rel=1e-4)


def test_descriptors_ignore_level():
    y = planted()[0].y
    assert wiener_descriptors(0.25 * y, RATE) == pytest.approx(wiener_descriptors(y, RATE), rel=1e-2, abs=1e-3)


def test_texture_windows():
    assert [len(wiener_descriptors(white(s), RATE)) for s in (0.1, 1, 2.9)] == [1, 1, 2]
    assert len(wiener_descriptors(white(MOST_SECONDS + 2.5), RATE)) == MOST_SECONDS


def test_distinctiveness():
    x = np.array([[0.0, 7, 0, 1], [1, 7, 0.1, 2], [0, 7, 5, 2], [1, 7, 5.1, 3]])
    share = distinctiveness(x, np.array([0, 0, 1, 1]))
    assert share == pytest.approx([0, 0, 25 / 25.01, 0.5])


def test_only_the_most_distinctive_descriptors_are_kept():
    system = fitted(WienerDescriptors(n_features=5))
    pieces = [rows for excerpt in planted() for rows in system._pieces([excerpt])]
    share = distinctiveness(np.concatenate(pieces), np.repeat([x.device for x in planted()], list(map(len, pieces))))
    kept = system.classifier_[0].get_support()
    assert kept.sum() == 5 and share[kept].min() >= share[~kept].max()


def test_noise_mfcc():
    y = white(0.5)
    for source in ("raw", "noise"):
        features = noise_mfcc(y, RATE, source=source)
        assert features.shape == (48, 24) and np.isfinite(features).all()
        # deltas are the slopes of the coefficients
        expected = (-2 * features[2, :12] - features[3, :12] + features[5, :12] + 2 * features[6, :12]) / 10
        assert features[4, 12:] == pytest.approx(expected, abs=1e-4)
        first = features[1, :12] + 2 * features[2, :12] - 3 * features[0, :12]  # as if it had been so before
        assert features[0, 12:] == pytest.approx(first / 10, abs=1e-4)
    with pytest.raises(ParameterError, match="source='speech'"):
        noise_mfcc(y, RATE, source="speech")


def test_noise_of_a_loud_frame_is_the_noise():
    """No bin, loud or not, loses its residual: above the noise it is over-subtraction times the noise."""
    x, noise = np.geomspace(1e-2, 1e6, 400)[:, None] * np.ones((1, 9)), np.ones(9)
    residue = x * (1 - multiband_gain(x, noise, 16000) ** 2)
    weights = [1, 1, 2.5, 2.5, 2.5, 2.5, 2.5, 1.5, 1.5]
    assert residue[x[:, 0] > 1e3] == pytest.approx(np.tile(weights, (150, 1)), rel=1e-2)
    assert (residue > 0.99 * np.minimum(x, 1)).all()


def test_speech_is_taken_out_of_the_noise():
    # A tone 30 dB above the noise in the second half: hardly seen in the cepstra of what was removed.
    t = np.arange(2 * RATE) / RATE
    y = white(2, 0.001) + np.where(t > 1, 0.005 * np.cos(2 * np.pi * 500 * t), 0)
    raw, noise = (noise_mfcc(y, RATE, source=source)[:, :12] for source in ("raw", "noise"))
    change = [np.linalg.norm(c[110:].mean(axis=0) - c[:90].mean(axis=0)) for c in (raw, noise)]
    assert change[1] < 0.6 * change[0]


def test_centroids():
    y = white(1)
    assert noise_centroids(y, RATE, n_clusters=8).shape == (8, 24)
    assert len(noise_centroids(y, RATE, frames_each=25)) == 98 // 25
    alone = noise_centroids(y[: RATE // 10], RATE)  # 8 frames
    assert alone == pytest.approx(noise_mfcc(y[: RATE // 10], RATE).mean(axis=0, keepdims=True), abs=1e-5)
    assert np.ptp(noise_centroids(np.zeros(RATE), RATE), axis=0).max() < 1e-9


def test_centroids_are_means_of_the_frames_nearest_to_them():
    y = white(3)
    frames, centroids = noise_mfcc(y, RATE), noise_centroids(y, RATE, n_clusters=3)
    nearest = ((frames[:, None] - centroids) ** 2).sum(axis=2).argmin(axis=1)
    means = np.stack([frames[nearest == k].mean(axis=0) for k in range(3)])
    assert centroids == pytest.approx(means, abs=0.2)  # after fifteen steps nearly all frames have found theirs


def test_sources_differ():
    test = planted(("clip3",))
    proba = [fitted(NoiseCentroids(source=source)).predict_proba(test) for source in ("noise", "raw")]
    assert not np.allclose(*proba)
