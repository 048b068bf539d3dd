# %% [markdown]
# # 07 · Voting: answers
#
# Worked answers to the exercises of [07 · Voting](../07_voting.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
voters: int = 5  # independent sets of test segments

# %%
import numpy as np
import pandas as pd

from devid_lib import evaluation
from devid_lib.workbook import start, told

session = start("07_voting-answers", globals())
recordings = session.recordings()
predictions = session.predictions("mlp-3", recordings)
names, unit = evaluation.device_names(predictions), f"vote{session.params['voters']}"
recording_of = evaluation.recording_names(predictions)


def against(one, other):
    """Say how accurate two tables of decisions are, and what the paired test finds."""
    test = evaluation.paired_difference(one, other)
    return (
        f"{evaluation.correct(one).mean():.1%} against {evaluation.correct(other).mean():.1%}: {evaluation.verdict(test)} "
        f"({told(test)})"
    )


# %% [markdown]
# **1. Let the posteriors be multiplied instead of added. Which rule forgives a segment that is surely wrong?**
#
# A product of probabilities is a sum of logarithms. Segment $i$ of every set votes, as in table V.

# %%
ordered = predictions.sort_values("draw", kind="stable")
place = ordered.groupby(["device", "recording", "draw"]).cumcount()
total = np.log(ordered[names].clip(lower=1e-12)).groupby([ordered["device"], ordered["recording"], place]).sum()
keys = total.index.to_frame(index=False).assign(draw=0, start=0)
product = evaluation.predictions_table(np.exp(total.sub(total.max(axis=1), axis=0)), keys, names)
summed = evaluation.voted(predictions, unit=unit)
print("product against sum:", against(product, summed))

# %%
segments = pd.DataFrame({"A": [0.7, 0.7, 0.7, 0.7, 1e-9], "B": [0.3, 0.3, 0.3, 0.3, 1 - 1e-9]})
print("sum    ", evaluation.vote(segments.to_numpy()).round(3))
print("product", (segments.prod() / segments.prod().sum()).to_numpy().round(3))

# %% [markdown]
# Four segments lean towards A, one is sure of B. In the product a single zero is a veto, however many others disagree. In
# the sum a segment weighs at most one: it forgives.
#
# **2. Take five segments that lie next to each other in time instead of anywhere. Is the vote worse?**

# %%
start = predictions["start"].to_numpy()
wrong = ~evaluation.correct(predictions)
groups, again, anywhere = [], [], []
for rows in predictions.groupby(recording_of).indices.values():
    in_time = rows[start[rows].argsort()]
    groups += list(np.lib.stride_tricks.sliding_window_view(in_time, session.params["voters"]))
    errors = wrong[in_time]
    again += list(errors[1:][errors[:-1]])  # is the neighbour of a wrong segment wrong as well?
    anywhere += [(errors.sum() - 1) / max(len(errors) - 1, 1)] * errors.sum()  # and any other of its recording?
neighbours = evaluation.merged(predictions, groups, "sum")
seconds = np.median([np.ptp(start[group]) for group in groups]) / recordings["samplerate"].iloc[0]
print(f"{session.params['voters']} neighbours lie within {seconds:.2f} s (median)")
print("neighbours against anywhere:", against(neighbours, summed))
if any(wrong):
    print(f"next to a wrong segment {np.mean(again):.0%} are wrong, anywhere in its recording {np.mean(anywhere):.0%}")

# %% [markdown]
# Voters help each other as far as they err independently. The last line says how far neighbours do: they share a word or a
# pause, overlapping ones even samples. Where its first figure is the larger, neighbours are worth less than as many
# segments from anywhere.
