# %% [markdown]
# # 14 · Unknown device: answers
#
# Worked answers to the exercises of [14 · Unknown device](../14_unknown_device.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
segment_length: int = 4096  # length of a segment [samples]
epochs: int = 0  # passes over the training segments, 0 for what the recipe says

# %%
import numpy as np
import pandas as pd
from scipy.special import softmax

from devid_lib import covariances, likelihood, models, training
from devid_lib.errors import DevidError
from devid_lib.features import fourier_features
from devid_lib.sides import corpus_sides
from devid_lib.workbook import start

# %%
session = start("14_unknown_device-answers", globals())
p = session.params
recordings = session.recordings()
devices = np.unique(recordings["device"])
if len(devices) < 6:
    raise DevidError(f"{recordings.attrs['name']}: {len(devices)} devices, these exercises need at least 6")

# %% [markdown]
# **1. Ask the perceptron about noise that is louder and louder. What becomes of the largest logit, and what of the
# posterior?**

# %%
scale = training.feature_scale("default", p["segment_length"])
model, _ = session.fitted("mlp-1", recordings, noise="none", window="hann", draws=1, scale=scale)
hidden = models.import_keras().Model(model.input, model.layers[-2].output)
weights, bias = model.layers[-1].get_weights()
noise = np.random.default_rng(p["seed"]).normal(size=(20, p["segment_length"])).astype(np.float32)
told = {}
for level in (-100, -80, -60, -40, -20, 0):
    x = fourier_features(10 ** (level / 20) * noise, scale=scale, window="hann")
    logits = hidden(x).numpy() @ weights + bias
    P = softmax(logits, axis=1).mean(axis=0)
    told[level] = {"largest logit": logits.mean(axis=0).max(), "posterior": P.max(), "named": sorted(devices)[P.argmax()]}
pd.DataFrame(told).T.rename_axis("level [dB of full scale]")

# %% [markdown]
# Noise of no device is named at every level. As it leaves the range of what was learnt, the hidden units go to their ends, one
# device after the other takes the lead, and nothing in the posterior says that all of this is far from any recording. The
# logit is bounded, too, since tanh is: a network does not know what it has not seen.
#
# **2. Leave $W$ out: take the cosine of coefficients as they are, without compensation. What is that worth, and why?**


# %%
def sides(per):
    """Return sides of so many segments, their devices, recordings and splits."""
    vectors, table = corpus_sides(recordings, segment_length=p["segment_length"], per=per, most=3)
    return vectors, *(table[name].to_numpy(str) for name in ("device", "recording", "split"))


def asked_in_turn(x, of_device, recording, split, score):
    """Return the best scores of known and of unknown devices, each third of the devices being unknown once."""
    known_best, unknown_best = [], []
    third = np.searchsorted(devices, of_device) % 3
    for f in range(3):
        own, asked = (third != f) & (split == "train"), split == "test"
        model = covariances.fit_two_covariance(x[own], of_device[own], recording[own])
        names = np.unique(of_device[own])
        references = np.stack([x[own & (of_device == name)].mean(axis=0) for name in names])
        best = score(model, references, x[asked]).max(axis=0)
        unknown_best += [*best[third[asked] == f]]
        known_best += [*best[third[asked] == (f + 1) % 3]]
    return known_best, unknown_best


# %%
def cosine(model, references, x, compensated=True):
    """Return the cosines of the angles between references and sides."""
    r, q = ((part - model.mean) @ (model.basis if compensated else np.eye(len(model.mean))) for part in (references, x))
    r, q = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (r, q))
    return r @ q.T


of_20 = sides(20)
plain = asked_in_turn(*of_20, lambda *args: cosine(*args, compensated=False))
whitened = asked_in_turn(*of_20, cosine)
print(f"AUROC of the cosine: {likelihood.auroc(*plain):.3f} as they are, {likelihood.auroc(*whitened):.3f} compensated")

# %% [markdown]
# As they are, the first few coefficients, broad bumps of hundreds of hertz and more, are the largest and decide everything.
# They hold much of the device, and much of what was said and of the room. Compensation gives each axis the weight that the
# recordings of one device leave it. Whether that pays depends on how many devices there were to learn $W$ from: with few,
# its small axes are known badly, and they are blown up most.
#
# **3. How long must a recording be? Ask with 2, 5, 10 and 20 segments a side.**

# %%
for per in (2, 5, 10, 20):
    known, unknown = asked_in_turn(*sides(per), lambda model, references, x: model.score(references, x))
    seconds = per * p["segment_length"] / recordings["samplerate"].iloc[0]
    print(f"{per} segments, {seconds:.1f} s: AUROC of PLDA {likelihood.auroc(known, unknown):.3f}")

# %% [markdown]
# A mean over more segments holds less of what was said. When speech has been averaged out, what is left between two sides of a
# device is the session, and no length takes that away.
