# %% [markdown]
# # 15 · Likelihood ratio: answers
#
# Worked answers to the exercises of [15 · Likelihood ratio](../15_likelihood_ratio.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
segment_length: int = 4096  # length of a segment [samples]

# %%
import numpy as np
import pandas as pd

from devid_lib import covariances, likelihood, verification
from devid_lib.workbook import start

# %%
session = start("15_likelihood_ratio-answers", globals())
p = session.params
recordings = session.recordings()


def compared(per):
    """Return the comparison that sides of so many segments teach, the sides, and what they are of."""
    options = {"segment_length": p["segment_length"], "per": per, "most": 3}
    return verification.compare_corpus(recordings, seed=p["seed"], **options)


comparison, vectors, rows = compared(20)
of_device, sessions = (rows[name].to_numpy(str) for name in ("device", "crossed"))
validation = comparison.validation

# %% [markdown]
# **1. Prior odds of 1 to 100 and the largest ratio that the bounds allow: how probable is it that the device is the same?**

# %%
low, high = comparison.bounds
odds = 10**high / 100
print(f"log10 ratio at most {high:.2f} ({likelihood.verbal(high)}): posterior odds {odds:.3f}, probability {odds / (1 + odds):.1%}")

# %% [markdown]
# The ratio is multiplied with the odds, it does not replace them. A strong ratio with weak odds can leave a small probability;
# that is why an examiner reports the ratio, and not a probability that the device is the same.
#
# **2. Fit the line on scores of devices that the scorer has seen. How do the ratios of other devices fare?**

# %%
seen_all = covariances.fit_two_covariance(vectors, of_device, sessions)
same, different = [], []
for name in np.unique(of_device):
    for left in np.unique(sessions[of_device == name]):
        known = vectors[(of_device == name) & (sessions != left)]
        if len(known):
            scores = seen_all.score(known.mean(axis=0, keepdims=True), vectors)[0]
            same += [*scores[(of_device == name) & (sessions == left)]]
            different += [*scores[of_device != name]]
line = likelihood.calibrate(same, different)
new = [line(side) for side in validation.pairs("scores")[:2]]
honest = validation.pairs()[:2]
table = {"line from devices seen, judged on them": (line(same), line(different)), "the same line, devices left out": new}
table["line from devices left out, other devices"] = honest
measures = {"Cllr": likelihood.cllr, "Cllr_min": likelihood.cllr_min}
pd.DataFrame({name: {key: measure(*pairs) for key, measure in measures.items()} for name, pairs in table.items()}).T.round(3)

# %% [markdown]
# Devices that the scorer has seen look more like themselves, and less like each other, than new ones: the line is too steep, and
# the first row too good. On devices left out the very same line costs more than an honest one, most of it calibration.
#
# **3. Compare sides of 5 and of 20 segments. Which part of Cllr suffers?**

# %%
lengths = {}
for per in (5, 20):
    pairs = compared(per)[0].validation.pairs()[:2]
    costs = {key: measure(*pairs) for key, measure in measures.items()}
    lengths[f"{per} segments"] = costs | {"Cllr_cal": costs["Cllr"] - costs["Cllr_min"]}
pd.DataFrame(lengths).T.round(3)

# %% [markdown]
# Shorter sides are harder to tell apart, and $C_{\mathrm{llr}}^{\min}$ says so. Calibration need not suffer, since each length has
# a line of its own: the ratios of short sides are closer to 1, as they should be. A line from long sides, used for short
# ones, would overstate.
