"""Measure speed as ratios to a peer in the same run (notebook 90)."""

import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pywt
import soundfile as sf

from . import evaluation, models, training
from .audio import load_recording
from .features import extract_features
from .noise import UNIVERSAL, select_threshold
from .notebook import fitted, load_dataset
from .segments import random_segments

TARGETS = {  # task: (target, unit)
    "features, segments per second": (15000, "segments per second"),
    "features, against scikit-image": (6, "ratio"),
    "default recipe, against the published": (10, "ratio"),
    "identification, times real time": (500, "ratio"),
}


def some_segments(recordings, *, n, length, seed):
    """Return random segments of the first training recording [shape=(n, length)]."""
    row = recordings[recordings["split"] == "train"].iloc[0]
    y, _ = load_recording(row["path"], samplerate=int(row["samplerate"]))
    return random_segments(y, n=n, length=length, rng=seed)[0]


def seconds(function):
    """Return how long a call takes [s]."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def extraction_rates(segments, *, repeats=5, **wavelet):
    """Time the features, and scikit-image's wavelet denoising segment by segment, alternately.

    Parameters
    ----------
    segments : np.ndarray [shape=(n, length)], float32
    repeats : int
        Rounds; the median of each side is kept.
    **wavelet
        Settings of `noise.wavelet_noise`.

    Returns
    -------
    table : pandas.DataFrame
        One row per side: segments per second.
    """
    from skimage.restoration import denoise_wavelet

    few = segments[: max(1, len(segments) // 10)]
    extract_features(segments, **wavelet)  # once before, so that nobody pays for the first call
    ours, peer = [], []
    for _ in range(repeats):
        ours.append(seconds(lambda: extract_features(segments, **wavelet)))
        peer.append(seconds(lambda: [denoise_wavelet(x, wavelet=wavelet["wavelet"]) for x in few]))
    rates = [len(segments) / np.median(ours), len(few) / np.median(peer)]
    sides = ["noise, FFT, logarithm", "scikit-image denoise_wavelet"]
    return pd.DataFrame({"task": sides, "segments per second": rates})


def largest_error(segments, *, wavelet, level, threshold, mode, rescale):
    """Return the largest difference between the features and their plain definition in double precision."""
    settings = {"wavelet": wavelet, "level": level, "threshold": threshold, "mode": mode, "rescale": rescale}
    features = extract_features(segments, **settings)
    return max(
        float(np.abs(row - plain_features(x, **settings)).max()) for row, x in zip(features, segments, strict=True)
    )


def plain_features(x, *, wavelet, level, threshold, mode, rescale):
    """Return the features of one segment as the definitions are written, equations (1) to (3)."""
    x = x.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyWavelets warns of levels deeper than useful
        approximation, *details = pywt.wavedec(x, wavelet, "symmetric", level)
    finest = details[-1]
    for i, d in enumerate(details):
        sigma = 1.0 if rescale == "one" else np.median(np.abs(d if rescale == "mln" else finest)) / 0.6745
        usable = sigma > 1.5e-8 * np.abs(d).max()  # else the band is left as it is, as in MATLAB
        if threshold in UNIVERSAL:
            limit = sigma * UNIVERSAL[threshold](len(x))
        else:
            limit = sigma * select_threshold(d / sigma, rule=threshold) if usable else 0.0
        soft = np.sign(d) * np.maximum(np.abs(d) - limit, 0)
        details[i] = soft if mode == "soft" else np.where(np.abs(d) > limit * (1 + 1e-12), d, 0)
    noise = x - pywt.waverec([approximation, *details], wavelet, "symmetric")[: len(x)]
    return np.log(np.abs(np.fft.rfft(noise)) + 1)


def compare_recipes(session, recordings, *, system):
    """Fit one system after both recipes, from the start.

    Parameters
    ----------
    session : notebook.Session
    recordings : pandas.DataFrame
    system : str
        A key of `models.SYSTEMS` that takes spectra.

    Returns
    -------
    table : pandas.DataFrame
        recipe, selected on, epochs run, epoch kept, seconds, accuracy on the test segments (fraction).
    histories, predictions : dict
        Recipe: learning curve, and table of predictions.
    """
    params, rows, histories, predictions = session.params, [], {}, {}
    length, devices = params["segment_length"], recordings["device"].nunique()
    for recipe in ("default", "published"):
        scale = training.feature_scale(recipe, length)
        dataset = load_dataset(session, recordings, noise="wavelet", draws=1, scale=scale)
        options = training.model_options(recipe)
        model = models.build(system, dataset.X.shape[1:], devices, seed=params["seed"], **options)
        history = training.fit(model, dataset, recipe=recipe, seed=params["seed"], epochs=params["epochs"])
        histories[recipe], predictions[recipe] = history, training.predict(model, dataset)
        right = evaluation.correct(predictions[recipe]).mean()
        row = {"recipe": recipe, "selected on": history.attrs["select_on"], "epochs": len(history)}
        rows.append(row | {"epoch": history.attrs["epoch"], "seconds": history.attrs["seconds"], "accuracy": right})
    return pd.DataFrame(rows), histories, predictions


def identification_rate(session, recordings, *, minutes=10):
    """Time the identification of a long recording, without loading the model.

    Parameters
    ----------
    session : notebook.Session
    recordings : pandas.DataFrame
    minutes : float
        Length of the questioned recording: a test recording, repeated [min].

    Returns
    -------
    table : pandas.DataFrame
        One row: minutes, seconds, times real time, decision, true device.
    """
    dataset = load_dataset(session, recordings)
    model, _ = fitted(session, "mlp-3", dataset)
    row = recordings[recordings["split"] == "test"].iloc[0]
    y, samplerate = load_recording(row["path"], samplerate=int(row["samplerate"]))
    options = {"devices": dataset.devices, "settings": dataset.settings, "samplerate": samplerate}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "questioned.wav"
        sf.write(path, np.resize(y, int(minutes * 60 * samplerate)), samplerate, subtype="PCM_16")
        posterior = training.identify(model, path, **options)  # once before: TensorFlow compiles on the first call
        taken = np.median([seconds(lambda: training.identify(model, path, **options)) for _ in range(3)])
    found = {"minutes": minutes, "seconds": taken, "times real time": 60 * minutes / taken}
    return pd.DataFrame([found | {"decision": posterior.index[0], "true device": row["device"]}])


def ratios(extraction, recipes, identification):
    """Return all measured rates and ratios beside their targets: task, value, target, unit."""
    rate, kept = extraction["segments per second"], recipes.set_index("recipe")["seconds"]
    measured = [
        rate[0],
        rate[0] / rate[1],
        kept["published"] / kept["default"],
        identification["times real time"].iloc[0],
    ]
    table = pd.DataFrame(TARGETS.values(), columns=["target", "unit"]).assign(task=list(TARGETS), value=measured)
    return table[["task", "value", "target", "unit"]]
