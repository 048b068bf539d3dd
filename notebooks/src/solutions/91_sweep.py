# %% [markdown]
# # 91 · Sweeps: answers
#
# Worked answers to the exercises of [91 · Sweeps](../91_sweep.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from devid_lib import evaluation, training
from devid_lib.dataset import build_dataset
from devid_lib.workbook import start
from devid_lib.workbook.sweep import points_of

session = start("91_sweep-answers", globals())
recordings = session.recordings()
first_seed = session.params["seed"]


def accuracy(point):
    """Return accuracy and its interval over recordings at one point."""
    scale = training.feature_scale("default", point["segment_length"])
    dataset = build_dataset(recordings, train_segments=40, test_segments=40, scale=scale, **point)
    train, test = dataset.mask("train"), dataset.mask("test")
    reader = make_pipeline(StandardScaler(), RidgeClassifier(alpha=100.0)).fit(dataset.X[train], dataset.y[train])
    decided = np.eye(len(dataset.devices))[reader.predict(dataset.X[test])]
    return evaluation.accuracy(evaluation.predictions_table(decided, dataset.segments[test], dataset.devices))


# %% [markdown]
# **1. With how many seeds is the interval over seeds a quarter of that over recordings?**
#
# The half-width is $t_{0.975,\,S-1}\, s / \sqrt S$. Estimate $s$ from six seeds at one setting, then look for the least $S$.

# %%
points = points_of({"segment_length": [1024], "wavelet": ["sym8"], "seed": [first_seed + k for k in range(6)]})
found = pd.DataFrame([accuracy(point) for point in points])
s, over_recordings = found["value"].std(), (found["high"] - found["low"]).mean() / 2
S = np.arange(2, 200)
half = stats.t.ppf(0.975, S - 1) * s / np.sqrt(S)
enough = S[half <= over_recordings / 4]
wanted = f"{enough[0]} seeds" if len(enough) else f"more than {S[-1]} seeds"
print(f"s = {100 * s:.1f} points, over recordings +- {100 * over_recordings:.1f}: {wanted}")

# %% [markdown]
# More seeds than that are spent on the smaller of two doubts. What shortens the other one is more test recordings.
#
# **2. How much of what differs between points is the length of a segment, how much the wavelet, how much the seed? Split the
# variance.**
#
# In a full grid the sums of squares of the parameters' means add up with that of what is left, their interplay and luck.

# %%
grid = {"segment_length": [512, 1024, 2048, 4096], "wavelet": ["haar", "sym8"], "seed": [first_seed, first_seed + 1]}
points = pd.DataFrame(points_of(grid))
points["value"] = [accuracy(point)["value"] for point in points.to_dict("records")]
parts = {name: points.groupby(name)["value"].transform("mean").var(ddof=0) for name in grid}
share = pd.Series(parts) / points["value"].var(ddof=0)
share["interplay and luck"] = 1 - share.sum()
share.to_frame("share").style.format("{:.1%}")

# %% [markdown]
# A parameter with a large share deserves a finer grid; one whose share is like the seed's does not.
