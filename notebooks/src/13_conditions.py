# %% [markdown]
# # 13 · Conditions
#
# **What do codecs, bands, noise and level do to a fingerprint, and what can training mend?**
#
# | | |
# |---|---|
# | you will learn | what real encoders do to a spectrum, why copies of training recordings teach a classifier where not to listen, what that costs |
# | it needs | a corpus |
# | it makes | accuracy of every system in every condition, trained clean and on degraded copies, as a table and a heat map |
# | it takes | half a minute; at size `paper` some minutes |
#
# Files rarely come as they were recorded: a messenger has compressed them, a call has cut their band, an editor has taken
# their noise away. All that is done here to *test* recordings, by real encoders, not by models of them. Each system is
# asked twice: trained on clean recordings, and trained on copies of them in a few of the conditions, too.

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
segment_length: int = 4096  # length of a segment [samples]

# %%
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Audio, display
from sklearn.base import clone

from devid_lib import degrade, encoders, evaluation, training
from devid_lib.errors import DevidError
from devid_lib.progress import progress
from devid_lib.systems import protocol, registry
from devid_lib.systems.excerpts import cut_excerpts, whole_recordings
from devid_lib.systems.paper import PaperNetwork
from devid_lib.systems.spectra import DifferenceRidge, feature_matrix, mean_log_spectrum
from devid_lib.workbook import differences, percent, signed, start, told

session = start("13_conditions", globals())
p = session.params

# %% [markdown]
# ## Inputs
#
# All systems learn from the same seconds, as in notebook 10. A stretch from the middle of every test recording stands for it.

# %%
recordings = session.recordings()
sr, devices = int(recordings["samplerate"].iloc[0]), sorted(set(recordings["device"]))
asked_s, learnt_s = {"quick": (6, 6), "paper": (12, 30)}[p["size"]]  # of a recording [s]


def middle(x):
    """Return the middle of a recording, all of a short one."""
    left = max(0, len(x.y) - round(asked_s * sr)) // 2
    return replace(x, y=np.array(x.y[left : left + round(asked_s * sr)]), start=left, kept={})


train = [protocol.thinned(x, seconds=learnt_s) for x in whole_recordings(recordings, "train")]
tests = [middle(x) for x in whole_recordings(recordings, "test")]
length = [np.mean([len(x.y) for x in some]) / sr for some in (train, tests)]
print(f"{len(train)} training recordings, {length[0]:.1f} s of each; {len(tests)} test recordings, {length[1]:.1f} s of each")

# %% [markdown]
# ## What happens to a recording
#
# `devid_lib.degrade` holds them all by name. For a codec the samples go into a file in memory and come back, without its
# delay. Names end in the severity: signal-to-noise ratio [dB] (white, babble, traffic), reverberation time [s] (room),
# dB (level, clip, denoise, gate), the rate or upper edge [kHz] (rate, phone), kbit/s (codecs). `+`: one after the other.

# %%
chains = ("aac-32+opus-16", "mp3-64+opus-16", "amr-12.2+mp3-32")
few = ("white-10", "rate-8", "mp3-32", "opus-16", "amr-12.2", chains[0])
wanted = few if p["size"] == "quick" else (*degrade.DEGRADATIONS, *chains)
conditions, learnt_in = (degrade.able(names)[0] for names in (wanted, degrade.AUGMENT))  # of tests, of training
messenger = degrade.able(("opus-16", "mp3-32", "rate-8"))[0][0]
missing = degrade.able((*wanted, *degrade.AUGMENT))[1]
for line in missing:
    print(line)


def seed_of(x):
    """Return what seeds the randomness in the conditions of a recording."""
    return [p["seed"], zlib.crc32(f"{x.device}/{x.recording}".encode())]


def in_condition(x, name):
    """Return an excerpt after a condition."""
    return replace(x, y=degrade.degrade(x.y, sr, condition=name, seed=seed_of(x)), kept={})


shown = {name: tests[0] if name == "clean" else in_condition(tests[0], name) for name in ("clean", "rate-8", messenger)}
for name, x in shown.items():
    print(name)
    display(Audio(0.9 * x.y[: 3 * sr] / max(np.abs(x.y[: 3 * sr]).max(), 1e-9), rate=sr, normalize=False))

# %%
fig, ax = plt.subplots(figsize=(9, 4))
f = np.linspace(0, sr / 2000, 1025)
before = tests[0].feature(mean_log_spectrum)
for name in degrade.able(("white-20", "rate-8", "mp3-32", "opus-16", "gsm"))[0]:
    change = 20 / np.log(10) * (in_condition(tests[0], name).feature(mean_log_spectrum) - before)
    ax.plot(f, pd.Series(change).rolling(15, center=True, min_periods=1).mean().clip(-60, 60), label=name)
ax.set(xlabel="frequency [kHz]", ylabel="change of the mean log spectrum [dB]", xlim=(0, f[-1]))
ax.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.12))
session.save_figure(ax, "changes", "What conditions do to the mean log spectrum of a test recording (beyond 60 dB: cut).")

# %% [markdown]
# White noise fills up what was quiet. A band ends at half its sample rate, and so do speech codecs like GSM, which work
# at 8 kHz. MP3 and Opus leave out what they think nobody hears, mostly at the top. What is common to all recordings in
# such a change is no news of the device, but a classifier that was never told may take it for some.
#
# ## The idea: copies
#
# Let $x_r$ be a feature of training recording $r$ and $y_r$ its device, as +1 for one and -1 for all others. Take a condition
# $c$ for a shift $\delta_c$ of all features; so log spectra behave under a filter. Ridge regression on $K$ copies of $R$
# recordings minimises
#
# $$ \sum_{c=1}^{K} \sum_{r=1}^{R} \| y_r - W^T (x_r + \delta_c) \|^2 + \lambda \|W\|^2
#    = K \sum_r \| y_r - W^T (x_r + \bar\delta) \|^2 + R \sum_c \| W^T (\delta_c - \bar\delta) \|^2 + \lambda \|W\|^2 $$
#
# with $\bar\delta$ the mean shift; the cross terms vanish, since $\sum_c (\delta_c - \bar\delta) = 0$. The second term is
# what copies do: *they forbid weights along the directions in which conditions differ.* A condition never trained on is
# mended as far as its own direction is among them.
#
# The feature is the difference of the mean log spectrum (notebook 10b) over four bins of frames of 4096 samples: it hears fine
# ripple. Differences over more bins hear the coarse shape; which of the two belongs to the device depends on the recorders
# (notebook 12), and both take part below. First by hand, against `DifferenceRidge`:

# %%
def by_hand(y):
    """Return differences over four bins of the mean log magnitudes of frames of 4096 samples, half overlapping."""
    w = np.hanning(4097)[:-1]
    w /= np.sqrt(np.sum(w**2))
    frames = np.lib.stride_tricks.sliding_window_view(y, 4096)[::2048]
    mean = np.mean(np.log(np.maximum(np.abs(np.fft.rfft(frames * w)) ** 2, 1e-12)) / 2, axis=0)
    return mean[4:] - mean[:-4]


def ridge(Z, Y, penalty):
    """Return the weights of ridge regression, ``penalty`` a matrix."""
    return np.linalg.solve(Z.T @ Z + penalty, Z.T @ Y)


X = np.array([by_hand(x.y) for x in train])
Y = np.where(np.array([x.device for x in train])[:, np.newaxis] == devices, 1.0, -1.0)
scale = np.sqrt(X.var(axis=0) + X.var(axis=0).mean())
Z, mean_y = (X - X.mean(axis=0)) / scale, Y.mean(axis=0)
W = ridge(Z, Y - mean_y, len(X) * np.eye(Z.shape[1]))
scores = (np.array([by_hand(x.y) for x in tests]) - X.mean(axis=0)) / scale @ W + mean_y
system = DifferenceRidge().fit(train, [x.device for x in train])
np.testing.assert_allclose(system.decision_function(tests), scores, atol=1e-2)  # the system computes in single precision

# %% [markdown]
# Now the identity, with measured shifts: the mean change of all training recordings in each condition, less $\bar\delta$.

# %%
least = {"quick": 3, "paper": 10}[p["size"]]
parts = [degrade.versions(x.y, sr, conditions=learnt_in, seconds=least, seed=seed_of(x)) for x in train]
copies = [[replace(x, y=y, kept={}) for y in some] for x, some in zip(train, parts, strict=True)]
x_of = np.array([feature_matrix(some, mean_log_spectrum, n_fft=4096) for some in copies])
x_of = x_of[..., 4:] - x_of[..., :-4]  # recordings, conditions, features
delta = (x_of - x_of[:, :1]).mean(axis=0) / scale
lam, K, R = len(X) * np.eye(Z.shape[1]), len(delta), len(Z)
shifted = np.concatenate([Z + one - delta.mean(axis=0) for one in delta])
with_copies = ridge(shifted, np.tile(Y - mean_y, (K, 1)), lam)
away = delta - delta.mean(axis=0)
with_penalty = ridge(np.sqrt(K) * Z, np.sqrt(K) * (Y - mean_y), R * away.T @ away + lam)
np.testing.assert_allclose(with_copies, with_penalty, atol=1e-6)
heard = [np.linalg.norm(away @ V) / np.linalg.norm(Z @ V) for V in (W, with_copies)]
print(f"Conditions move the scores by {heard[0]:.1%} of what devices do after clean training, by {heard[1]:.1%} with copies.")

# %% [markdown]
# ## The experiment
#
# Every system is trained twice. *Clean*: on training recordings as they are. *Multi*: on parts of the same recordings (of
# short ones, on all of them), one as it is and one after each condition in `degrade.AUGMENT` (`augment="multi"` in any
# notebook and in `devid run`). These were chosen on other recordings (`tools/choose_conditions.py`). The networks see
# spectra, or samples, without noise extraction. (At size `quick` neither they nor [1] take part.)

# %%
names = {"softmax": "softmax", "mlp-3": "MLP-3", "filterbank": "filter bank", "[1] channel estimate, RBF SVM": "[1]"}
names |= {"[5] supervector SVM": "[5]", "[7] random spectral features, SVM": "[7]", "difference over 4 bins, ridge": "ridge, 4 bins"}
names |= {"difference over 128 bins, ridge": "ridge, 128 bins"}
if p["size"] == "quick":  # those that learn fast
    names = {name: names[name] for name in list(names)[4:]}
systems, fitted = registry.systems(seed=p["seed"]) | {"difference over 4 bins, ridge": DifferenceRidge()}, {}
systems |= {"difference over 128 bins, ridge": DifferenceRidge(step=128)}
made = {"segment_length": p["segment_length"], "scale": training.feature_scale("default", p["segment_length"])}
made |= {"noise": "none", "window": "hann"} | session.wavelet
for name in ("softmax", "mlp-3", "filterbank"):
    systems[name] = PaperNetwork(network=name, settings=made, random_state=p["seed"])
learnt = {"clean": train, "multi": [x for some in copies for x in some]}
with protocol.gathered_warnings():
    for name in progress(list(names), label="fitting systems"):
        for trained, excerpts in learnt.items():
            fitted[name, trained] = clone(systems[name]).fit(excerpts, [x.device for x in excerpts])

# %%
found, sent, pieces = {}, [], max(1, min(2, 100 // len(tests)))
with ThreadPoolExecutor(2) as pool, protocol.gathered_warnings():
    for condition in progress(["clean", *conditions], label="conditions"):
        whole = list(pool.map(lambda x, condition=condition: in_condition(x, condition), tests))
        sent = whole if condition == messenger else sent
        excerpts = {"recording": whole, "3 s": cut_excerpts(whole, seconds=3, n=pieces, seed=p["seed"])}
        for (name, trained), system in fitted.items():
            for unit, some in excerpts.items():
                found[name, trained, condition, unit] = protocol.answers(system, some)[1]

# %%
index = pd.MultiIndex.from_tuples(found, names=["system", "trained", "condition", "unit"])
figures = pd.DataFrame([evaluation.accuracy(table) for table in found.values()], index)
keys = figures.index.to_frame(index=False)
variant = keys["trained"] + ": " + keys["condition"]
records = figures.reset_index(drop=True).assign(system=keys["system"], variant=variant, unit=keys["unit"])
rows = session.figures(records.assign(metric="accuracy"))
unit = "recording" if len(tests) > 30 else "3 s"  # few recordings tell few accuracies apart
figures["shown"] = [f"{100 * r.value:.0f} ({100 * r.low:.0f}-{100 * r.high:.0f})" for r in figures.itertuples()]
table = figures.loc["difference over 4 bins, ridge"].pivot_table("shown", "condition", ["unit", "trained"], aggfunc="first")
print(f"difference over 4 bins, ridge: right [%] and 95 % intervals; chance {figures['chance'].iloc[0]:.1%}")
table.loc[["clean", *conditions], [(length, trained) for length in ("3 s", "recording") for trained in learnt]]

# %%
kinds = {name.split("-")[0] for name in learnt_in}
own = {name: {part.split("-")[0] for part in name.split("+")} & kinds for name in conditions}
unseen = [name for name in conditions if not own[name]]
signs = {name: f"{name} •" if name in learnt_in else f"{name} ∘" if own[name] else name for name in conditions}
grid = 100 * figures.xs(unit, level="unit").pivot_table("value", "condition", ["trained", "system"]).loc[["clean", *conditions]]
fig, axes = plt.subplots(1, 2, figsize=(10, 0.24 * len(grid) + 1.7), sharey=True, layout="constrained")
for ax, trained in zip(axes, learnt, strict=True):
    part = grid[trained][list(names)].rename(columns=names, index=signs)
    options = {"cmap": "Blues", "annot": True, "fmt": ".0f", "annot_kws": {"fontsize": 8}, "linewidths": 0.5, "cbar": False}
    sns.heatmap(part, vmin=0, vmax=100, ax=ax, **options)
    ax.set(title=f"trained {trained}", xlabel="", ylabel="")
    ax.tick_params(axis="x", rotation=40)
session.save_figure(axes, "grid", f"Named right [%], unit {unit}, by condition and system; • trained with, ∘ its kind was.")

# %% [markdown]
# Dark is right; [1], [5] and [7] are systems of notebook 10. Left: trained on clean recordings alone. Right: also in the
# conditions marked •. Those marked ∘ are of the same kind by name, the rest no system has met.
#
# ## What copies mend, and what they cost
#
# The same recordings are asked of both, so they are compared in pairs, Holm-adjusted: on clean recordings, and over all
# conditions of which no kind was trained.

# %%
def together(name, trained, some):
    """Return what a system says in several conditions, one below the other."""
    return pd.concat([found[name, trained, condition, "3 s"] for condition in some], ignore_index=True)


asked = {"clean": ["clean"], "never trained on": unseen}
tested = []
for of, some in asked.items():
    pairs = {(name, of): [together(name, trained, some) for trained in ("multi", "clean")] for name in names}
    part = evaluation.compared(pairs, names=("system", "asked"), better="gains", worse="loses")
    right = [[evaluation.correct(one).mean() for one in pair[::-1]] for pair in pairs.values()]
    tested.append(pd.DataFrame(right, part.index, ["trained clean", "trained multi"]).join(part))
both = pd.concat(tested)
signed(both).format("{:.1%}", subset=["trained clean", "trained multi"])

# %% [markdown]
# ## What can go wrong
#
# A condition that belongs to *one* device is a mark of it. Let one device be learnt from files that a messenger sent, all
# others from clean ones, and ask about the others' files from that messenger (right; left, what happens anyway):

# %%
drawn = {}
for device in devices[:: max(1, len(devices) // 4)][:4]:
    some = [in_condition(x, messenger) if x.device == device else x for x in train]
    clean = fitted["difference over 4 bins, ridge", "clean"]
    readers = {"all clean": clean, "this one sent": DifferenceRidge().fit(some, [x.device for x in some])}
    others = [x for x in sent if x.device != device]
    drawn |= {(device, name): np.mean(reader.predict(others) == device) for name, reader in readers.items()}
drawn = pd.Series(drawn).rename_axis(["device", "learnt"]).rename("share").reset_index()
drawn = drawn.pivot_table("share", "device", "learnt")
drawn.style.format("{:.0%}").set_caption("share of the others' files that get its name")

# %% [markdown]
# So devices have to be recorded, sent and stored alike, or all be trained in all conditions.
#
# Not every machine has every encoder, and not every codec every bit rate:

# %%
for codec, bit_rate in (("amrwb", 12.65), ("mp3", 33)):
    try:
        encoders.transcode(tests[0].y, sr, codec=codec, bit_rate=bit_rate)
        print(f"{codec} at {bit_rate} kbit/s: this machine can")
    except DevidError as error:
        print(f"{type(error).__name__} - {error}")

# %% [markdown]
# ## Results of this notebook

# %%
variants = [f"multi against clean: {what}" for _, what in both.index]
of_tests = differences(both, system=[name for name, _ in both.index], variant=variants, unit="3 s")
own = session.finish(rows, session.figures(of_tests))
percent(own[own["variant"].isin(("clean: clean", "multi: clean"))][["system", "variant", "unit", "value", "low", "high", "chance"]])

# %% [markdown]
# ## What we saw

# %%
said = []
where = {"never trained on": "Over conditions of which no kind was trained", "clean": "On clean recordings"}
for of, words in where.items():
    part = both.xs(of, level="asked")
    gain, lose = ((part["verdict"] == verdict).sum() for verdict in ("gains", "loses"))
    row = part.loc[part["difference"].abs().idxmax()]
    said.append(
        f"{words} {gain} of {len(part)} systems gain by copies and {lose} lose; the others are not told apart. The largest "
        f"change is that of {row.name}, from {row['trained clean']:.1%} to {row['trained multi']:.1%} of 3 s named right "
        f"(mean over recordings: {told(row)})."
    )
best = both.xs("never trained on", level="asked")["trained multi"].idxmax()
for trained in learnt:
    one = grid[trained][best]
    worst = ", ".join(f"{name} ({one[name]:.0f} %)" for name in one.sort_values(kind="stable").index[:3])
    said.append(f"Hardest for {best}, trained {trained}: {worst}; chance {figures['chance'].iloc[0]:.1%}, unit {unit}.")
said.append(
    f"A device learnt from files of a messenger, the others from clean ones, gets {drawn['this one sent'].mean():.0%} of the "
    f"others' files of that messenger, against {drawn['all clean'].mean():.0%} when all are clean (mean of {len(drawn)} devices)."
)
session.saw(*said, *missing)

# %% [markdown]
# ## Exercises
#
# 1. Which of its conditions does multi-condition training need? Leave out each in turn, and see which test condition
#    misses it most (`DifferenceRidge` and `degrade.versions` are enough).
# 2. At what signal-to-noise ratio does naming break down? Draw accuracy over it, for white noise and for babble, trained
#    clean and multi.
#
# Worked answers: [solutions](solutions/13_conditions.ipynb)
#
# Next: [14 · Unknown device](14_unknown_device.ipynb)
