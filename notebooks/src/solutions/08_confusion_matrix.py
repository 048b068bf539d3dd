# %% [markdown]
# # 08 · Confusion matrix: answers
#
# Worked answers to the exercises of [08 · Confusion matrix](../08_confusion_matrix.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
voters: int = 5  # independent sets of test segments

# %%
import numpy as np
import pandas as pd

from devid_lib import evaluation, plots
from devid_lib.workbook import percent, start

session = start("08_confusion_matrix-answers", globals())
recordings = session.recordings()
predictions = session.predictions("mlp-3", recordings)
segments = evaluation.voted(predictions, unit="segment")
names = evaluation.device_names(segments)

# %% [markdown]
# **1. Count the matrix of softmax regression. Same confusions?**

# %%
softmax = evaluation.voted(session.predictions("softmax", recordings), unit="segment")
ax = plots.confusion_matrix(softmax)
ax.set_title("Softmax regression, single segments")
percent(evaluation.confused_pairs(softmax))

# %% [markdown]
# Both systems judged the same segments, so the question can be put to each segment that the perceptron got wrong.

# %%
pd.testing.assert_frame_equal(segments[evaluation.KEYS], softmax[evaluation.KEYS])
wrong, also = ~evaluation.correct(segments), ~evaluation.correct(softmax)
same = evaluation.decisions(segments) == evaluation.decisions(softmax)
if wrong.any():
    print(f"softmax is wrong in {also.mean():.0%} of all segments, in {also[wrong].mean():.0%} of the {wrong.sum()}")
    print(f"that the perceptron got wrong, and decides for the same wrong device in {same[wrong].mean():.0%} of them")

# %% [markdown]
# If the second figure is far above the first, the errors belong to the segments and not to the classifier: then a
# committee of the two would mend little.
#
# **2. Raise the posteriors to a power and normalise. What happens to accuracy, and what to calibration?**

# %%
found = []
for power in (0.25, 0.5, 1, 2, 4):
    table = predictions.copy()
    raised = predictions[names].to_numpy(float) ** power
    table[names] = raised / raised.sum(axis=1, keepdims=True)
    for unit in ("segment", f"vote{session.params['voters']}"):
        decided = evaluation.voted(table, unit=unit)
        error = evaluation.calibration(decided)[1]
        found.append({"power": power, "unit": unit, "accuracy": evaluation.correct(decided).mean(), "ECE": error})
found = pd.DataFrame(found).pivot_table(index="power", columns="unit", values=["accuracy", "ECE"])
np.testing.assert_allclose(np.ptp(found["accuracy", "segment"]), 0)
found.round(3)

# %%
best = found["ECE"].idxmin()
print("smallest calibration error:", ", ".join(f"{unit} at power {power:g}" for unit, power in best.items()))

# %% [markdown]
# A power keeps the order of the posteriors, so the decision of a single segment stays (the assertion above checks it). Its
# confidence does not: a power below one flattens, one above sharpens. A vote can change, since it adds what was flattened
# or sharpened. The power is called an inverse temperature; it must be fitted on other recordings than those it is judged
# on, which the table above does not do.
