# %% [markdown]
# # 05 · Without noise extraction: answers
#
# Worked answers to the exercises of [05 · Without noise extraction](../05_without_noise_extraction.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
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
from devid_lib.training import feature_scale
from devid_lib.workbook import start, told

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
# **1. Is it the window, or this window? Compare none, Hamming's and Blackman's with Hann's on raw segments, with the linear
# reader.**

# %%
scale, n = feature_scale("default", s.shape[1]), s.shape[1]
windows = {name: get_window(name, n).astype(np.float32) for name in ("boxcar", "hamming", "blackman", "hann")}
windows = {name: w / np.sqrt(np.mean(w**2)) for name, w in windows.items()}
decided = {name: named(*(fourier_features(w * x, scale=scale) for x in (s, s_test))) for name, w in windows.items()}
pairs = {name: (decided[name], decided["hann"]) for name in windows if name != "hann"}
tests = evaluation.compared(pairs, better="is ahead", worse="is behind")
for name, row in tests.to_dict("index").items():
    print(f"{name}, against Hann's, {row['verdict']} ({told(row)})")
pd.Series({name: evaluation.correct(table).mean() for name, table in decided.items()}, name="accuracy").map("{:.1%}".format)

# %% [markdown]
# A boxcar is no window. Hamming's leaks least into the next bins but never stops leaking, 43 dB down over the whole band;
# Blackman's and Hann's fall off. What counts is how far the loud low frequencies of speech stand above the noise of the
# device at the others.
#
# **2. How many filters does the filter bank need? Read 32, 64, 128 and 256 windowed cosines with the linear reader.**


# %%
def levels(segments, filters):
    """Return the mean logarithm of the power of every filter's answers, one row per segment."""
    rows = []
    for x in segments:
        answers = np.lib.stride_tricks.sliding_window_view(x, len(filters))[::32] @ filters
        rows.append(np.log(np.square(answers).mean(axis=0) + models.POWER_FLOOR))
    return np.array(rows)


banks = {number: models.cosine_filters(number, 512)[:, 0] for number in (32, 64, 128, 256)}
read = {number: named(levels(s, bank), levels(s_test, bank)) for number, bank in banks.items()}
for number, table in read.items():
    print(f"{number} filters: {evaluation.correct(table).mean():.1%}")
least, most = read[32], read[256]
test_of_number = evaluation.paired_difference(most, least)
print(f"256 against 32: {evaluation.verdict(test_of_number)} ({told(test_of_number)})")

# %% [markdown]
# Fewer filters stand further apart than they are wide: a Hann window of 512 samples hears four bins, about the 128th part of
# the band. So 64 leave gaps, and 256 overlap.
#
# **3. Do the sine waves help? Train `cnn-random` on the same segments for as long, and test the difference.**

# %%
said = {
    system: session.predictions(system, recordings, noise="none", draws=1, train_segments=40) for system in ("cnn", "cnn-random")
}
test_of_start = evaluation.paired_difference(said["cnn"], said["cnn-random"])
for system, table in said.items():
    print(f"{models.SYSTEMS[system].label}: {evaluation.correct(table).mean():.1%}")
print(f"sine waves, against a random start: {evaluation.verdict(test_of_start)} ({told(test_of_start)})")

# %% [markdown]
# So few segments and steps are a start, no answer: set `size` to `paper`, leave `train_segments` out, and give both the time
# of the learning curve in the notebook.
