# %% [markdown]
# # 90 · Speed: answers
#
# Worked answers to the exercises of [90 · Speed](../90_speed.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import time

import numpy as np

from devid_lib import noise as extraction
from devid_lib.features import extract_features, fourier_features
from devid_lib.workbook import start

session = start("90_speed-answers", globals())
segments = np.random.default_rng(session.params["seed"]).standard_normal((2000, 4096)).astype(np.float32) / 100


def seconds(function, repeats=5):
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        function()
        taken.append(time.perf_counter() - begun)
    return min(taken)  # whatever disturbs a measurement makes it longer


# %% [markdown]
# **1. How much do two threads bring?**

# %%
extract_features(segments)  # once before
threads = extraction.THREADS
several = seconds(lambda: extract_features(segments))
extraction.THREADS = 1
one = seconds(lambda: extract_features(segments))
extraction.THREADS = threads
print(f"one thread {one:.3f} s, {threads} threads {several:.3f} s: {one / several:.2f} times as fast")

# %% [markdown]
# The transform of one chunk of segments needs nothing of another, and compiled loops let go of Python's lock while they
# compute. Less than the number of threads remains: they share the memory's bandwidth, and the cores with all that runs.
#
# **2. Which takes longer, the wavelet transform or the FFT?**

# %%
spectrum = seconds(lambda: fourier_features(segments))
print(f"FFT and logarithm {spectrum:.3f} s, the wavelet transform and the rest {several - spectrum:.3f} s")
