# %% [markdown]
# # 11 · Published predictions: answers
#
# Worked answers to the exercises of [11 · Published predictions](../11_published_predictions.ipynb).

# %% tags=["parameters"]
predictions: str = ""  # folder of the authors' predictions, or download
run_dir: str = "runs/lab"  # folder for results, seen from the project
data_dir: str = "data"  # folder for the simulated corpus and the cache, seen from the project
seed: int = 0  # one seed gives one result

# %%
import numpy as np
import pandas as pd

from devid_lib import evaluation
from devid_lib.workbook import start
from devid_lib.workbook.published import DEVICES, load_published
from devid_lib.workbook.session import in_workspace

session = start("11_published_predictions-answers", globals())
authors = load_published(session.params["predictions"], data_dir=in_workspace(session.params["data_dir"]))
three_models = evaluation.voted(authors, unit="vote3")

# %% [markdown]
# **1. Draw three votes from one model instead of three models. Is it the models or the number of segments that helps?**
#
# Segment $i$ of a recording votes with the next two in an order drawn at random.

# %%
rng = np.random.default_rng(session.params["seed"])
found = {}
for name, model in authors.groupby("draw"):
    model = model.assign(draw=0).reset_index(drop=True)
    order = [rng.permutation(own) for own in model.groupby("device").indices.values()]
    groups = [group for own in order for group in own[(np.arange(len(own))[:, None] + np.arange(3)) % len(own)]]
    one_model = evaluation.merged(model, groups, "sum")
    test = evaluation.paired_difference(three_models, one_model)
    found[f"model {name + 1}"] = {
        "one segment": evaluation.correct(model).mean(),
        "three segments, one model": evaluation.correct(one_model).mean(),
        "three segments, three models": evaluation.correct(three_models).mean(),
    } | {f"difference of the last two, {key}": test[key] for key in ("low", "high")}
found = pd.DataFrame(found).T
found.style.format("{:.1%}")

# %%
told = [name for name, row in found.iterrows() if row.iloc[-2] > 0 or row.iloc[-1] < 0]
print(f"three models against one, three segments each, is told apart for: {', '.join(told) or 'none'}")

# %% [markdown]
# The step from the first column to the second is what three segments do, that from the second to the third what three
# models add. Over nine recordings the second step is only known as well as the interval says.
#
# **2. Find a power of the posteriors that brings the calibration error of the sum down. On which segments would you have to
# fit it?**
#
# Not on those it is judged on. Here it is fitted on eight recordings and judged on the ninth, each in turn.

# %%
names = list(DEVICES)
powers = np.geomspace(0.5, 8, 25)


def sharpened(table, power):
    """Return a table of predictions with its posteriors raised to a power."""
    raised = table[names].to_numpy(float) ** power
    return pd.concat(
        [table[evaluation.KEYS], pd.DataFrame(raised / raised.sum(axis=1, keepdims=True), columns=names)], axis=1
    )


candidates = {power: sharpened(three_models, power) for power in powers}
left_out, chosen = [], []
for device in names:
    mine = (three_models["device"] == device).to_numpy()
    best = min(powers, key=lambda power: evaluation.calibration(candidates[power][~mine])[1])
    chosen.append(best)
    left_out.append(candidates[best][mine])
left_out = pd.concat(left_out, ignore_index=True)
print(f"powers from {min(chosen):.1f} to {max(chosen):.1f}")
print(
    f"calibration error {evaluation.calibration(three_models)[1]:.3f} before, {evaluation.calibration(left_out)[1]:.3f} after"
)
print(f"accuracy {evaluation.correct(three_models).mean():.2%} before, {evaluation.correct(left_out).mean():.2%} after")

# %% [markdown]
# A power above one sharpens what summing has blurred and leaves every decision as it was. Whether the ninth recording is
# like the eight others is again a question that nine recordings answer only roughly.
