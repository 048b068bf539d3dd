# %% [markdown]
# # 10 · Cited systems
#
# **How do the twelve systems that the paper cites compare, on the same recordings?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | what each family of systems listens to, how they compare on one protocol, how to add your own | a corpus; the networks of notebooks 03-06, or it trains them | the leaderboard as table and plot, eight figures | five to ten minutes |
#
# The paper compares itself with nobody: its twelve references appear in the introduction and in none of its tables.
# Here each of them is an estimator with `fit(excerpts, devices)` and `predict_proba(excerpts)`, judged on the same test
# recordings as the paper's own networks and three simple baselines.
#
# [Open in Colab](https://colab.research.google.com/github/) (choose this notebook from your copy of the repository).

# %% tags=["parameters"]
corpus: str = "simulated"

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from devid_lib import notebook as nb
from devid_lib import plots, results
from devid_lib.errors import DevidError
from devid_lib.systems import cepstra, channel, frames, protocol, registry, residual, silence, sparse, spectra
from devid_lib.systems.excerpts import cut_excerpts
from devid_lib.systems.warnings import DevidWarning

session = nb.start("10_cited_systems", globals())
warnings.simplefilter("once", DevidWarning)

# %% [markdown]
# ## Inputs
#
# Training is on whole recordings. Tests are on excerpts of one segment, one second, three seconds, and on whole
# recordings. All background models, scalers and selections see training recordings only.

# %%
recordings = nb.load_recordings(session)
train, tests = protocol.protocol_excerpts(recordings, segment_length=session.params["segment_length"], seed=session.params["seed"])
print(f"{len(train)} training recordings;", ", ".join(f"{len(x)} x {unit}" for unit, x in tests.items()))
recordings[["device", "recording", "split", "duration_s"]].head(3)

# %%
registry.registry_table().style.hide(axis="index")
