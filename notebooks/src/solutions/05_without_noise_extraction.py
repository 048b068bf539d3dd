# %% [markdown]
# # 05 · Without noise extraction: answers
#
# Worked answers to the exercises of [05 · Without noise extraction](../05_without_noise_extraction.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a folder or a CSV of recordings
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import numpy as np
import pandas as pd
from scipy.signal import get_window
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from devid_lib import evaluation, models
from devid_lib.features import fourier_features
from devid_lib.noise import wavelet_noise
from devid_lib.training import feature_scale
from devid_lib.workbook import start

session = start("05_without_noise_extraction-answers", globals())
recordings = session.recordings()
waves = session.dataset(recordings, representation="waveform", noise="none")
train, test = np.flatnonzero(waves.mask("train")), np.flatnonzero(waves.mask("test", draw=0))
train = train[:: max(1, len(train) // 2000)]
s, s_test = np.asarray(waves.X[train]), np.asarray(waves.X[test])


def named(x, x_test):
    """Return what a linear classifier decides, as a prediction table."""
    reader = make_pipeline(StandardScaler(), RidgeClassifier(alpha=100.0)).fit(x, waves.y[train])
    decided = np.eye(len(waves.devices))[reader.predict(x_test)]
    return evaluation.predictions_table(decided, waves.segments.iloc[test], waves.devices)


# %% [markdown]
# **1. Multiply the raw segments by a Hann window before the FFT, and extract nothing. Compare raw spectra, noise and
# window with a quick linear classifier. What else might explain a gain by noise extraction?**

# %%
scale = feature_scale("default", s.shape[1])
treatments = {
    "raw": lambda x: x,
    "noise": lambda x: wavelet_noise(x, **session.wavelet),
    "window": lambda x: x * get_window("hann", x.shape[1]).astype(np.float32),
}
decided = {name: named(*(fourier_features(f(x), scale=scale) for x in (s, s_test))) for name, f in treatments.items()}
tests = pd.DataFrame(
    {
        f"{b} against {a}": evaluation.paired_difference(decided[b], decided[a])
        for b, a in (("noise", "raw"), ("window", "raw"), ("window", "noise"))
    }
).T
tests["p"] = evaluation.holm(tests["p"])
for name, row in tests.iterrows():
    verdict = evaluation.verdict(row, better="is ahead", worse="is behind") if row["p"] < 0.05 else "is not told apart"
    print(f"{name}: {verdict} ({100 * row['difference']:+.1f} points, adjusted p = {row['p']:.2g})")
pd.Series({name: evaluation.correct(table).mean() for name, table in decided.items()}, name="accuracy").map("{:.1%}".format)

# %% [markdown]
# Without a window every segment begins and ends with a jump, and the FFT smears the loud low frequencies of speech over
# all the others. A window stops that; taking the speech out removes part of what is smeared. So where extraction helps
# no more than a window does, it may have helped for no other reason.
#
# **2. Is it the filters or what comes behind them? Read the untrained sine filters with a linear classifier: once
# $\tanh(\max)$, once the logarithm of their mean power.**

# %%
w = models.sine_filters()[:, 0]


def pooled(segments, reduce):
    """Return what is left of the answers of the filters, one row per segment."""
    rows = []
    for x in segments / np.std(s):
        a = np.lib.stride_tricks.sliding_window_view(x, len(w))[::10] @ w / 10
        n = len(a) // 10
        rows.append(reduce(a[: n * 10].reshape(n, 10, -1)).ravel())
    return np.array(rows)


readings = {
    "tanh(max)": lambda a: np.tanh(a.max(axis=1)),
    "log(mean power)": lambda a: np.log(np.square(a).mean(axis=(0, 1)) + 1e-9),
}
read = {name: named(pooled(s, f), pooled(s_test, f)) for name, f in readings.items()}
test_of_reading = evaluation.paired_difference(read["log(mean power)"], read["tanh(max)"])
for name, table in read.items():
    print(f"{name}: {evaluation.correct(table).mean():.1%}")
print(
    f"log(mean power) {evaluation.verdict(test_of_reading, better='is ahead', worse='is behind')} "
    f"({100 * test_of_reading['difference']:+.1f} points, {100 * test_of_reading['low']:+.1f} to "
    f"{100 * test_of_reading['high']:+.1f})"
)

# %% [markdown]
# The same filters, read in two ways. A maximum says how loud the loudest moment was and the tanh cuts it off; a log power
# says how much there is of a band, and a gain only shifts it. A device is a shape of the spectrum, so the second is
# nearer to what is asked, whatever the numbers of this corpus.
