# %% [markdown]
# # 10b · Spectra, sketches and sparse codes: answers
#
# Worked answers to the exercises of
# [10b · Spectra, sketches and sparse codes](../10b_spectra_sketches_sparse_codes.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import numpy as np

from devid_lib.evaluation import logit_t_interval
from devid_lib.systems import silence, sparse, spectra
from devid_lib.systems.excerpts import cut_excerpts, pieces, whole_recordings
from devid_lib.workbook import start

session = start("10b_spectra_sketches_sparse_codes-answers", globals())
p = session.params
recordings = session.recordings()
ten_seconds = {"seconds": 10, "n": 1, "seed": p["seed"]}
train, tests = (cut_excerpts(whole_recordings(recordings, split), **ten_seconds) for split in ("train", "test"))
owners = [x.device for x in train]

# %% [markdown]
# **1. Let near-silence in [6] reach 6, 20 and 200 dB over the floor, at which every window counts. What does that do to the
# separation, and why?**

# %%
ratio = {}
for above_db in (6.0, 20.0, 200.0):
    histograms = silence.log_histograms(train, n_coefficients=256, threshold=None, above_db=above_db)
    ratio[above_db] = spectra.separation(histograms, owners)
    loudness = np.exp(histograms.mean(axis=1))
    print(f"{above_db:3.0f} dB: separation {ratio[above_db]:.2f}; level {20 * np.log10(loudness.mean()):.0f} dB of full scale")
print(f"largest at {max(ratio, key=ratio.get):.0f} dB")

# %% [markdown]
# A few decibels keep the recorder's own noise, and the room's. With all windows the mean holds the speech, which is louder
# than anything that the recorder adds; of the recorder it then tells the response, through which the speech has passed.
# Which of the two is more the device's own depends on the rooms: noise that changes from recording to recording holds
# together what belongs to a recording, not to a device.
#
# **2. Let 1, 5 and 15 training seconds represent a test second in [7]. What becomes of the gap between the right
# device and the best wrong one?**

# %%
seconds, tests = ([second for x in side for second in pieces(x, seconds=1)] for side in (train, tests))
system = sparse.RandomSpectralFeatures(random_state=p["seed"]).fit(seconds, [x.device for x in seconds])
tests = [x for x in tests if x.device in owners]
right = system.classes_ == np.array([x.device for x in tests])[:, None]
known, whose = system.vectors(seconds), np.searchsorted(system.classes_, [x.device for x in seconds])
for n_nonzero in (1, 5, 15):
    residuals = sparse.src_residuals(known, whose, system.vectors(tests), n_nonzero=n_nonzero)
    gap = np.where(right, np.inf, residuals).min(axis=1) - residuals[right]
    low, high = logit_t_interval(gap > 0, [x.device + x.recording for x in tests])
    print(
        f"{n_nonzero:2} vectors: the best wrong device leaves {gap.mean():+.3f} more than the right one; "
        f"{(gap > 0).mean():.0%} of {len(gap)} seconds are named right (95 % interval {low:.0%} to {high:.0%})"
    )

# %% [markdown]
# With one vector this is the nearest neighbour: only one device may speak, and all others leave the whole vector, so the
# gap is as large as it can be, on either side. With more vectors several devices share the work: each alone explains a
# part, and what one adds another may take away again. The gap then says how much of the vector is the device's own.
