# %% [markdown]
# # 10 · Cited systems: answers
#
# Worked answers to the exercises of [10 · Cited systems](../10_cited_systems.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import numpy as np

from devid_lib import evaluation
from devid_lib.systems import protocol, residual, spectra
from devid_lib.systems.base import System
from devid_lib.workbook import start

session = start("10_cited_systems-answers", globals())
p = session.params
recordings = session.recordings()
sizes = {name: p[name] for name in ("segment_length", "test_segments", "seed")}
material = protocol.protocol_material(recordings, learned_s={"quick": 6.0, "paper": 30.0}[p["size"]], **sizes)


def against(one, other):
    """Test two systems' tables of predictions for every length of excerpt, with p-values after Holm."""
    found = evaluation.compared({unit: (one[unit], other[unit]) for unit in one}, names=["unit"])
    accuracies = {name: [evaluation.correct(x[u]).mean() for u in one] for name, x in (("new", one), ("old", other))}
    return found.assign(**accuracies)[["new", "old", "difference", "low", "high", "p", "verdict"]]


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

    def _scores(self, excerpts):
        return residual.correlations(self._features(excerpts) - self.common_, self.templates_)


spectrum, difference = (protocol.judge(SpectralCorrelation(order=n), material)[1] for n in (0, 1))
found = against(difference, spectrum)
found.round(3)

# %%
line = found.loc["segment"]
print(
    f"The difference names {line['new']:.1%} of the segments, the spectrum {line['old']:.1%}: {100 * line['difference']:+.1f} "
    f"points, 95 % interval {100 * line['low']:+.1f} to {100 * line['high']:+.1f}. It {line['verdict']}."
)

# %% [markdown]
# A difference weighs ripple the more the finer it is, and with it the chance errors of neighbouring bins; what is smooth
# in a device's response hardly counts any more.
#
# **2. What do matched lengths matter? Let the baseline `mean log spectrum, 1-NN` learn from whole recordings whatever it is
# asked for. For which length of excerpt does that hurt?**


# %%
class Unmatched(spectra.MeanSpectrumNearest):
    """Learns one vector from each recording, however short the excerpts are that it will be asked."""

    def learns(self, unit):
        """Return "recording"."""
        return "recording"


found = against(protocol.judge(Unmatched(), material)[1], protocol.judge(spectra.MeanSpectrumNearest(), material)[1])
found.round(3)

# %%
for verdict, units in found.groupby("verdict", sort=False).groups.items():
    print(f"Learning from whole recordings {verdict}: {', '.join(units)}.")

# %% [markdown]
# The mean spectrum of a second holds words and chance that average out over half a minute. A classifier that has only seen
# the average does not know how far a short excerpt may stray from it; pieces as short as the question show it. For whole
# recordings both are the same system.
