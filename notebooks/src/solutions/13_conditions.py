# %% [markdown]
# # 13 · Conditions: answers
#
# Worked answers to the exercises of [13 · Conditions](../13_conditions.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from devid_lib import degrade
from devid_lib.systems.excerpts import whole_recordings
from devid_lib.systems.protocol import thinned
from devid_lib.systems.spectra import DifferenceRidge
from devid_lib.workbook import start

# %%
session = start("13_conditions-answers", globals())
recordings = session.recordings()
train = [thinned(x, seconds=10) for x in whole_recordings(recordings, "train")]
tests = [thinned(x, seconds=6) for x in whole_recordings(recordings, "test")]
truth, sr = np.array([x.device for x in tests]), tests[0].samplerate
augment, left_out = degrade.able(degrade.AUGMENT)
for line in left_out:
    print(line)
versions = {"clean": train}
for name in augment:
    heard = [degrade.degrade(x.y, sr, condition=name, seed=[session.params["seed"], i]) for i, x in enumerate(train)]
    versions[name] = [replace(x, y=y, kept={}) for x, y in zip(train, heard, strict=True)]


def learnt(conditions):
    """Return a ridge reader of the coarse shape of spectra, taught by copies in these conditions."""
    some = [x for name in conditions for x in versions[name]]
    return DifferenceRidge(step=128).fit(some, [x.device for x in some])


def asked(function, **options):
    """Return all test recordings after a condition."""
    heard = [function(x.y, sr, seed=[session.params["seed"], 100 + i], **options) for i, x in enumerate(tests)]
    return [replace(x, y=y, kept={}) for x, y in zip(tests, heard, strict=True)]


# %% [markdown]
# **1. Which of its conditions does multi-condition training need?**

# %%
conditions = degrade.able(("clean", "white-10", "traffic-10", "rate-8", "mulaw", "amr-12.2", "opus-16", "mp3-16", "aac-16"))[0]
sets = {"all": [*versions], "clean alone": ["clean"]}
sets |= {f"without {name}": [other for other in versions if other != name] for name in augment}
readers = {label: learnt(some) for label, some in sets.items()}
right = {}
for condition in conditions:
    excerpts = asked(degrade.degrade, condition=condition)
    right[condition] = {label: np.mean(reader.predict(excerpts) == truth) for label, reader in readers.items()}
table = pd.DataFrame(right)
table.assign(mean=table.mean(axis=1)).style.format("{:.0%}")

# %%
lost = table.drop(["all", "clean alone"]).rsub(table.loc["all"], axis=1)
for label, row in lost.iterrows():
    most = f"most in {row.idxmax()}, {row.max():.0%} of recordings" if row.max() > 0 else "nothing is lost in any"
    print(f"{label}: {row.mean():+.1%} lost on average, {most}")

# %% [markdown]
# What stands in for another can be left out: both speech codecs end at 4 kHz, as the plain band does. The one that nothing
# else resembles is missed.
#
# **2. At what signal-to-noise ratio does naming break down?**

# %%
ratios = (30, 20, 10, 5, 0)
fig, ax = plt.subplots(figsize=(7, 3.5))
for kind, color in {"white": "C0", "babble": "C1"}.items():
    heard = [asked(degrade.add_noise, kind=kind, snr_db=ratio) for ratio in ratios]
    for training, style in {"clean alone": "--", "all": "-"}.items():
        named = [100 * np.mean(readers[training].predict(some) == truth) for some in heard]
        ax.plot(ratios, named, style, color=color, marker="o", label=f"{kind}, trained {'multi' if style == '-' else 'clean'}")
ax.axhline(100 / len(set(truth)), color="0.25", ls=":", label="chance")
ax.set(xlabel="signal-to-noise ratio [dB]", ylabel="recordings named right [%]", ylim=(0, 103))
ax.invert_xaxis()
ax.legend()
session.save_figure(ax, "ratios", "Accuracy over the signal-to-noise ratio, trained clean and multi.")

# %% [markdown]
# White noise is as loud at the top of the band, where recordings are quiet, as anywhere: it hides most of a device at once.
# Babble lies where speech lies, and leaves the rest as it was. Copies with white noise at one ratio help at others.
