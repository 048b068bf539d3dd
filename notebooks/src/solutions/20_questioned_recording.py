# %% [markdown]
# # 20 · The questioned recording: answers
#
# Worked answers to the exercises of [20 · The questioned recording](../20_questioned_recording.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
questioned: str = ""  # files or folders that are asked about, one a line
background: str = ""  # corpora of other devices, one a line
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result

# %%
import numpy as np
import pandas as pd

from devid_lib.workbook import start
from devid_lib.workbook.case import Case, train
from devid_lib.workbook.questions import Asked, answer, case_of

session = start("20_questioned_recording-answers", globals())
case, asked, *_ = case_of(session.params)
print(case.reason or f"log10 ratios between {case.comparison.bounds[0]:.2f} and {case.comparison.bounds[1]:.2f}")

# %% [markdown]
# **1. How much does the background matter? Ask the same files with half of its devices.**
#
# Fewer devices allow only smaller ratios, since n of them cannot show that fewer than one in n + 1 is so much alike. The
# threshold moves too, and the intervals grow. (This smaller case looks for no splices, and has no copies in other conditions.)

# %%
others = sorted(set(case.known["device"]) - set(case.devices))
kept = ~case.known["device"].isin(others[::2])
of = np.cumsum(kept)[case.of] - 1
sides = kept.to_numpy()[case.of]
known, validated = (table[kept].reset_index(drop=True) for table in (case.known, case.validated))
fewer = Case(case.settings, known, validated, case.vectors[sides], of[sides], case.copied[sides])
train(fewer)
print(fewer.reason or "with half: {:.2f} to {:.2f}, threshold {:.2f}".format(*fewer.comparison.bounds, fewer.rule["threshold"]))

# %%
rows = []
for one in asked:
    if one.y is not None:
        again = Asked(one.facts, fewer.no_ratios(), y=one.y)
        answer(fewer, again)
        rows.append([one.facts["file"], one.answer, one.ratios["log10_lr"].max(), again.answer, again.ratios["log10_lr"].max()])
pd.DataFrame(rows, columns=["file", "answer, all", "largest log10 ratio, all", "answer, half", "largest log10 ratio, half"])

# %% [markdown]
# **2. How long must a recording be? Ask about the first 2, 4 and 8 seconds of one.**
#
# The comparison is calibrated for sides of one length: what is shorter is declined. Longer ones are means of several sides, which
# the calibration does not count on: their ratios grow only as far as the sides agree, and never beyond the bounds.

# %%
rows = []
for one in asked:
    for seconds in (1, 2, 4, 8) if one.y is not None else ():
        y = np.asarray(one.y[: int(seconds * one.facts["rate"])])
        short = Asked(one.facts | {"duration_s": len(y) / one.facts["rate"]}, case.no_ratios(), y=y)
        answer(case, short)
        rows.append([one.facts["file"], f"{seconds} s", short.answer])
pd.DataFrame(rows, columns=["file", "length", "answer"]).pivot_table(index="file", columns="length", values="answer", aggfunc="first")
