"""Looking at the noise fingerprint: its spectra, its levels, and what a choice of feature is worth (notebook 02)."""

import numpy as np
import pandas as pd

from .errors import ParameterError
from .features import extract_features
from .noise import analysis, check_settings, check_signal, noise_levels, thresholds


def detail_bands(x, *, wavelet="sym8", level=17, threshold="minimaxi", mode="soft", rescale="sln"):
    """Return the detail coefficients of one segment and the threshold of each scale.

    Parameters
    ----------
    x : np.ndarray [shape=(n,)], real
        Segment, full scale = 1.
    wavelet, level, threshold, mode, rescale
        As in `noise.wavelet_noise`.

    Returns
    -------
    details : list of np.ndarray
        Coefficients of every scale, the finest first.
    thresholds : list of float
        The part of a coefficient up to its threshold is noise.

    Notes
    -----
    Notebook 02.
    """
    options = {"wavelet": wavelet, "level": level, "threshold": threshold, "mode": mode, "rescale": rescale}
    settings = check_settings(**options)
    _, details = analysis(check_signal(x)[np.newaxis], settings["wavelet"], level)
    sigmas = noise_levels(details, rescale)
    limits = [thresholds(d, sigma, threshold, len(x)) for d, sigma in zip(details, sigmas, strict=True)]
    return [d[0] for d in details], [float(limit[0, 0]) for limit in limits]


def noise_spectra(dataset, *, samplerate):
    """Return the mean magnitude spectrum of every device.

    Parameters
    ----------
    dataset : Dataset
        Of spectra.
    samplerate : int
        Rate of the recordings [Hz].

    Returns
    -------
    spectra : pandas.DataFrame
        Index frequency [Hz], one column per device: 20 log10 of the mean of abs(FFT) over its training segments [dB],
        that is, the Fourier coefficient histogram divided by the number of segments.

    Notes
    -----
    Notebook 02, section III-B.
    """
    train, device = dataset.mask("train"), dataset.segments["device"].to_numpy()
    means = {name: magnitudes(dataset, train & (device == name)).mean(axis=0) for name in dataset.devices}
    frequency = np.fft.rfftfreq(dataset.settings["segment_length"], 1 / samplerate)
    spectra = 20 * np.log10(pd.DataFrame(means) + 1e-9)
    return spectra.set_axis(pd.Index(frequency, name="frequency [Hz]"))


def magnitudes(dataset, rows):
    """Return abs(FFT) of some rows of a dataset of spectra, full scale = 1: equation (3) turned round."""
    if dataset.settings["representation"] != "spectrum":
        raise ParameterError(f"representation={dataset.settings['representation']!r} is not 'spectrum'")
    return np.expm1(dataset.X[rows]) / np.float32(dataset.settings["scale"])


def level_spans(dataset, *, share=0.9):
    """Return where the magnitudes of the quietest and of the loudest device lie.

    Parameters
    ----------
    dataset : Dataset
        Of spectra.
    share : float in (0, 1)
        Middle share of the magnitudes.

    Returns
    -------
    spans : dict
        Device: (low, high) [dB], quietest first; the order is that of the median.
    """
    train, device = dataset.mask("train"), dataset.segments["device"].to_numpy()
    points = (0.5, (1 - share) / 2, (1 + share) / 2)
    levels = {}
    for name in dataset.devices:
        rows = np.flatnonzero(train & (device == name))[:200]
        levels[name] = 20 * np.log10(np.quantile(magnitudes(dataset, rows), points) + 1e-9)
    order = sorted(levels, key=lambda name: levels[name][0])
    return {name: tuple(float(level) for level in levels[name][1:]) for name in (order[0], order[-1])}


def compare_features(waveforms, *, features, quieter_db=20.0, **wavelet):
    """Ask a linear classifier what each version of the feature is worth, with and without noise extraction.

    Parameters
    ----------
    waveforms : Dataset
        Of waveforms.
    features : dict
        Label: (scale, standardised), see `features.fourier_features`.
    quieter_db : float
        The test segments are also played back this much quieter [dB].
    **wavelet
        Settings of `noise.wavelet_noise`.

    Returns
    -------
    table : pandas.DataFrame
        One row per feature and noise extraction: accuracy on the test segments; accuracy on those of the quietest and
        of the loudest third of the devices; accuracy when played back quieter. Fractions.

    Notes
    -----
    Notebook 02. Ridge regression on the devices' indicator vectors, its penalty a tenth of the mean variance
    of a feature. It trains in a closed form, so the comparison is of features and not of training.
    """
    train, test = waveforms.mask("train"), waveforms.mask("test", draw=0)
    levels = device_levels(waveforms)
    third = max(1, len(levels) // 3)
    thirds = {"quiet third": levels.index[:third], "loud third": levels.index[-third:]}
    device, rows = waveforms.segments["device"].to_numpy(), []
    for noise in ("wavelet", "none"):
        for label, (scale, standardised) in features.items():
            options = {"noise": noise, "scale": scale} | wavelet
            decide = ridge(extract_features(waveforms.X[train], **options), device[train], standardised)
            right = decide(extract_features(waveforms.X[test], **options)) == device[test]
            quiet = waveforms.X[test] * np.float32(10 ** (-quieter_db / 20))
            row = {"feature": label, "noise": noise, "accuracy": right.mean()}
            row |= {name: right[np.isin(device[test], third)].mean() for name, third in thirds.items()}
            row[f"{quieter_db:g} dB quieter"] = (decide(extract_features(quiet, **options)) == device[test]).mean()
            rows.append(row)
    return pd.DataFrame(rows)


def device_levels(waveforms):
    """Return the median level of every device's training segments [dBFS], quietest first."""
    train = np.flatnonzero(waveforms.mask("train"))
    level = 10 * np.log10(np.mean(np.square(waveforms.X[train]), axis=1) + 1e-12)
    device = waveforms.segments["device"].to_numpy()[train]
    return pd.Series(level).groupby(device).median().sort_values()


def ridge(x, devices, standardised):
    """Fit ridge regression and return the function that decides on features."""
    from sklearn.linear_model import RidgeClassifier

    mean, deviation = x.mean(axis=0), x.std(axis=0) + np.float32(1e-9) if standardised else np.float32(1)
    x = (x - mean) / deviation
    model = RidgeClassifier(alpha=0.1 * len(x) * float(x.var(axis=0).mean()), solver="cholesky").fit(x, devices)
    return lambda y: model.predict((y - mean) / deviation)
