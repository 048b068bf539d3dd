# %% [markdown]
# # 16 · Splices: answers
#
# Worked answers to the exercises of [16 · Splices](../16_splices.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from devid_lib import montage, splices
from devid_lib.audio import load_recording
from devid_lib.workbook import start

# %%
session = start("16_splices-answers", globals())
recordings = session.recordings()
rate = int(recordings["samplerate"].iloc[0])
signals = [np.array(load_recording(path, samplerate=rate)[0][: 24 * rate]) for path in recordings["path"]]
train = np.flatnonzero(recordings["split"] == "train")
test = np.flatnonzero(recordings["split"] == "test")
own = [signals[i] for i in train]
(model,) = splices.fit_left_out(own, recordings["device"].iloc[train], rate, groups=[()], seed=seed)  # nobody left out

# %% [markdown]
# **1. Does a cross-fade hide a cut? Compare the recall of hard and of faded cuts.**
#
# The same pieces at the same cuts, so that only the fade differs. The devices are not left out here, which flatters both.

# %%
options = {"n": 8, "shortest_s": 2, "pieces": (2, 3), "conditions": ("clean",), "seed": seed}
plain = list(montage.montages([signals[i] for i in test], recordings.iloc[test], rate, **options))
rows = []
for fade_s in (0, 0.05, 0.5):
    hits = cuts = 0
    for one in plain:
        at = [np.flatnonzero((recordings["device"] == name) & (recordings["split"] == "test"))[0] for name in one["devices"]]
        if max(one["cuts"]) < min(len(signals[i]) for i in at) / rate:
            y = splices.change_points(montage.splice([signals[i] for i in at], rate, cuts=one["cuts"], fade_s=fade_s), rate, model=model, threshold=3)
            found, _, missed = montage.matched(y["time_s"], one["cuts"])
            hits, cuts = hits + found, cuts + found + missed
    rows.append({"fade [s]": fade_s, "cuts": cuts, "recall": hits / max(cuts, 1)})
pd.DataFrame(rows)

# %% [markdown]
# A fade hides the click, which was never looked for. What is compared are the seconds on either side, and a fade of a
# twentieth of a second is less than a block. Only a fade about as long as the tolerance can move a find out of it.
#
# **2. How much sound does the curve need? Draw it from 0.5, 1, 2 and 4 s on either side of a cut.**

# %%
one = plain[0]
fig, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
for side_s in (0.5, 1, 2, 4):
    ax.plot(*splices.change_curve(one["y"], rate, model=model, side_s=side_s), label=f"{side_s:g} s")
for cut in one["cuts"]:
    ax.axvline(cut, color="crimson", ls="--", lw=1)
ax.set(xlabel="time [s]", ylabel="log10 ratio")
ax.legend(title="on either side", loc="upper left", bbox_to_anchor=(1.01, 1))

# %% [markdown]
# A short side says little, and what it says is the next word. A long one says more, in a broader peak, but a piece that is
# shorter than it is mixed with its neighbours. `change_points` therefore compares whole pieces, however long they are.
