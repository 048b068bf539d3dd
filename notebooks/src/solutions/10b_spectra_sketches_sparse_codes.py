# %% [markdown]
# # 10b · Spectra, sketches and sparse codes: answers
#
# Worked answers to the exercises of
# [10b · Spectra, sketches and sparse codes](../10b_spectra_sketches_sparse_codes.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a folder or a CSV of recordings
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import numpy as np

from devid_lib.evaluation import clopper_pearson
from devid_lib.systems import silence, sparse, spectra
from devid_lib.systems.excerpts import cut_excerpts, whole_recordings
from devid_lib.workbook import start

session = start("10b_spectra_sketches_sparse_codes-answers", globals())
p = session.params
recordings = session.recordings()
ten_seconds = {"seconds": 10, "n": 1, "seed": p["seed"]}
train, tests = (cut_excerpts(whole_recordings(recordings, split), **ten_seconds) for split in ("train", "test"))
owners = [x.device for x in train]

# %% [markdown]
# **1. Give [6] shares of 0.1, 0.5 and 1, at which every window counts as near-silent. What does that do to the separation,
# and why?**

# %%
ratio = {}
for share in (0.1, 0.5, 1.0):
    histograms = silence.log_histograms(train, n_coefficients=256, threshold=None, share=share)
    ratio[share] = spectra.separation(histograms, owners)
    loudness = np.exp(histograms.mean(axis=1))
    print(f"share {share:.1f}: separation {ratio[share]:.2f}; level {20 * np.log10(loudness.mean()):.0f} dB")
print(f"largest at a share of {max(ratio, key=ratio.get)}")

# %% [markdown]
# A small share keeps the recorder's own noise, and the room's. With all windows the mean holds the speech, which is louder
# than anything that the recorder adds; of the recorder it then tells the response, through which the speech has passed.
# Which of the two is more the device's own depends on the rooms: noise that changes from recording to recording holds
# together what belongs to a recording, not to a device.
#
# **2. Let 1, 5 and 15 training recordings represent a test recording in [7]. What becomes of the gap between the right
# device and the best wrong one?**

# %%
system = sparse.RandomSpectralFeatures(random_state=p["seed"]).fit(train, owners)
tests = [x for x in tests if x.device in owners]
right = system.classes_ == np.array([x.device for x in tests])[:, None]
for n_nonzero in (1, 5, 15):
    residuals = sparse.src_residuals(system.train_, system.codes_, system.project(tests), n_nonzero=n_nonzero)
    gap = np.where(right, np.inf, residuals).min(axis=1) - residuals[right]
    low, high = clopper_pearson(int((gap > 0).sum()), len(gap))
    print(
        f"{n_nonzero:2} vectors: the best wrong device leaves {gap.mean():+.3f} more than the right one; "
        f"{(gap > 0).mean():.0%} of {len(gap)} recordings are named right (95 % interval {low:.0%} to {high:.0%})"
    )

# %% [markdown]
# With one vector this is the nearest neighbour: only one device may speak, and all others leave the whole vector, so the
# gap is as large as it can be, on either side. With more vectors several devices share the work: each alone explains a
# part, and what one adds another may take away again. The gap then says how much of the vector is the device's own.
