# %% [markdown]
# # 10a · Cepstra and mixtures: answers
#
# Worked answers to the exercises of [10a · Cepstra and mixtures](../10a_cepstra_and_mixtures.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import numpy as np

from devid_lib.systems import cepstra, frames, spectra
from devid_lib.systems.excerpts import cut_excerpts, whole_recordings
from devid_lib.workbook import start

session = start("10a_cepstra_and_mixtures-answers", globals())
p = session.params
recordings = session.recordings()
ten_seconds = {"seconds": 10, "n": 1, "seed": p["seed"]}
train, tests = (cut_excerpts(whole_recordings(recordings, split), **ten_seconds) for split in ("train", "test"))
owners = [x.device for x in train]

# %% [markdown]
# **1. Take each coefficient's mean over a recording away, as speech recognition does. What is left of the separation of
# the supervectors?**


# %%
def separated(clouds):
    """Return the separation of supervectors of 16 components."""
    background = cepstra.fit_background(clouds, n_components=16, random_state=p["seed"])
    vectors = [cepstra.supervector(background, background.standardised(x)) for x in clouds]
    return spectra.separation(vectors, owners)


clouds = [frames.cepstra(x) for x in train]
before, after = separated(clouds), separated([x - x.mean(axis=0) for x in clouds])
print(f"separation {before:.2f} as it is, {after:.2f} with the mean taken away (1 = no fingerprint)")

# %% [markdown]
# The mean over a recording holds the recording channel: a fixed response adds the same to the cepstra of every frame. What
# the mean takes along is the device. What is left are differences between kinds of sound: where a recorder's own noise
# fills the pauses, the clouds of pauses and of speech lie at another distance from each other.
#
# **2. MAP adaptation with relevance 0 and 1000 in place of 16: what happens to the likelihood ratios of [3], and why?**


# %%
def margins(system, asked):
    """Return by how much the right device leads the best of the others, in nats per frame, for each recording."""
    ratios = np.stack([cepstra.likelihood_ratios(system.background_, system.means_, frames.cepstra(x)) for x in asked])
    right = system.classes_ == np.array([x.device for x in asked])[:, None]
    return ratios[right] - np.where(right, -np.inf, ratios).max(axis=1)


tests = [x for x in tests if x.device in owners]
for relevance in (0, 16, 1000):
    options = {"n_components": 16, "random_state": p["seed"], "relevance": relevance}
    system = cepstra.AdaptedMixtures(**options).fit(train, owners)
    heard, new = margins(system, train), margins(system, tests)
    moved = np.sqrt(np.mean((system.means_ - system.background_.means) ** 2))
    print(f"relevance {relevance:4}: means moved by {moved:.2f} s.d.; the right device leads by {heard.mean():.3f} in")
    print(f"    training and {new.mean():.3f} in test recordings, of which {(new > 0).mean():.0%} are named right")

# %% [markdown]
# Relevance is how many frames the background is worth. At 0 a component goes all the way to its device's frames, however
# few there are: the lead is largest where the frames have been heard before. At 1000 most components stay where they
# are, all devices resemble the background, and the ratios shrink towards nothing. How much of the lead in training
# survives in new recordings is what a relevance is chosen by.
