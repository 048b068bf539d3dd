# %% [markdown]
# # 01 · Build the dataset: answers
#
# Worked answers to the exercises of [01 · Build the dataset](../01_build_dataset.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from devid_lib import evaluation
from devid_lib.leakage import TRIVIAL_NUMBERS, probe_table
from devid_lib.workbook import start

session = start("01_build_dataset-answers", globals())
recordings = session.recordings()
dataset = session.dataset(recordings)

# %% [markdown]
# **1. Take the segments of one test recording in order of `start`. How many overlap another one, and how many would you
# expect if starts fall anywhere with equal probability?**
#
# One other start lies within $n$ samples on either side with probability $2n / (N - n)$, edges apart. None of the
# $k - 1$ others does with probability $(1 - 2n / (N - n))^{k - 1}$.

# %%
table = dataset.segments[dataset.mask("test", draw=0)]
device, recording = table[["device", "recording"]].iloc[0]
own = table[(table["device"] == device) & (table["recording"] == recording)].sort_values("start")
n, N, k = dataset.settings["segment_length"], own["n_samples"].iloc[0], len(own)
near = own["start"].diff() < n
overlapping = near | near.shift(-1, fill_value=False)
expected = 1 - max(0, 1 - 2 * n / (N - n)) ** (k - 1)
print(f"{overlapping.sum()} of {k} segments overlap another one, expected were {k * expected:.0f}.")
own[["start"]].assign(overlaps=overlapping).head(6)

# %% [markdown]
# **2. Give the random forest one of the six numbers at a time. Which one alone gives most away?**

# %%
excerpts = probe_table(recordings)
learn, ask = (excerpts[excerpts["split"] == split] for split in ("train", "test"))
tables = {}
for number in [*TRIVIAL_NUMBERS, "all six"]:
    columns = TRIVIAL_NUMBERS if number == "all six" else [number]
    forest = RandomForestClassifier(100, random_state=session.params["seed"]).fit(learn[columns], learn["device"])
    keys = ask.assign(draw=0, start=np.arange(len(ask)))
    tables[number] = evaluation.predictions_table(forest.predict_proba(ask[columns]), keys, forest.classes_)
results = pd.DataFrame({number: evaluation.accuracy(table) for number, table in tables.items()}).T
results[["value", "low", "high", "chance"]].style.format("{:.1%}")

# %%
alone = results["value"].drop("all six")
test = evaluation.paired_difference(tables["all six"], tables[alone.idxmax()])
print(
    f"Alone, {alone.idxmax()} gives most away: {alone.max():.1%} of the excerpts. All six reach "
    f"{results['value']['all six']:.1%}; that the others add something "
    f"{evaluation.verdict(test, better='is shown', worse='is wrong, they hurt')} (p = {test['p']:.2f})."
)
