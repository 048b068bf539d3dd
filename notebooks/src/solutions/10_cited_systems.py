# %% [markdown]
# # 10 · Cited systems: answers
#
# Worked answers to the exercises of [10 · Cited systems](../10_cited_systems.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a folder or a CSV of recordings
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import numpy as np
import pandas as pd

from devid_lib import evaluation
from devid_lib.systems import protocol, registry, residual, spectra
from devid_lib.systems.base import System, softmax
from devid_lib.systems.excerpts import cut_excerpts
from devid_lib.workbook import start

session = start("10_cited_systems-answers", globals())
p = session.params
recordings = session.recordings()
sizes = {name: p[name] for name in ("segment_length", "train_segments", "test_segments", "seed")}
train, tests = protocol.protocol_excerpts(recordings, **sizes)


def against(one, other):
    """Test two systems' tables of predictions for every length of excerpt, with p-values after Holm."""
    found = pd.DataFrame({unit: evaluation.paired_difference(one[unit], other[unit]) for unit in one}).T
    found["p, Holm"] = evaluation.holm(found["p"])
    words = [evaluation.verdict(test) for test in found.to_dict("records")]
    found["it"] = np.where(found["p, Holm"] <= 0.05, words, "is not told apart")
    accuracies = {name: [evaluation.correct(x[u]).mean() for u in one] for name, x in (("new", one), ("old", other))}
    return found.assign(**accuracies)[["new", "old", "difference", "low", "high", "p, Holm", "it"]]


# %% [markdown]
# **1. Take the first difference of the mean log spectrum in `SpectralCorrelation`. Does it name more segments? Test it.**


# %%
class SpectralCorrelation(System):
    """Correlation of the mean log spectrum, or a difference of it, with that of each device."""

    def __init__(self, *, order=0):
        self.order = order

    def _features(self, excerpts):
        x = spectra.feature_matrix(excerpts, spectra.mean_log_spectrum)
        return np.diff(x, n=self.order, axis=1)

    def _fit(self, excerpts, codes):
        x = self._features(excerpts)
        self.common_ = x.mean(axis=0)
        self.templates_ = np.stack([x[codes == k].mean(axis=0) for k in range(len(self.classes_))]) - self.common_

    def _proba(self, excerpts):
        return softmax(10 * residual.correlations(self._features(excerpts) - self.common_, self.templates_))


spectrum, difference = (protocol.judge(SpectralCorrelation(order=n), train, tests)[1] for n in (0, 1))
found = against(difference, spectrum)
found.round(3)

# %%
line = found.loc["segment"]
print(
    f"The difference names {line['new']:.1%} of the segments, the spectrum {line['old']:.1%}: {100 * line['difference']:+.1f} "
    f"points, 95 % interval {100 * line['low']:+.1f} to {100 * line['high']:+.1f}. It {line['it']}."
)

# %% [markdown]
# A difference weighs ripple the more the finer it is, and with it the chance errors of neighbouring bins; what is smooth
# in a device's response hardly counts any more.
#
# **2. Let [7] learn from pieces of one second instead of whole training recordings. What does that change, and for which
# length of excerpt?**
#
# As many seconds as before, cut at random.

# %%
system = registry.systems(seed=p["seed"])["[7] random spectral features, NN"]
seconds = np.mean([len(x.y) / x.samplerate for x in train])
pieces = cut_excerpts(train, seconds=1, n=max(1, round(seconds)), seed=p["seed"])
found = against(protocol.judge(system, pieces, tests)[1], protocol.judge(system, train, tests)[1])
print(f"{len(pieces)} pieces of one second in place of {len(train)} recordings of {seconds:.0f} s")
found.round(3)

# %%
for verdict, units in found.groupby("it", sort=False).groups.items():
    print(f"Learning from pieces {verdict}: {', '.join(units)}.")

# %% [markdown]
# The mean spectrum of a second holds words and chance that average out over a minute. A classifier that has only
# seen the average does not know how far a short excerpt may stray from it; pieces as short as the question show it.
