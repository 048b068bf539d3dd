# %% [markdown]
# # 06 · Model averaging
#
# **Do two half-segments through two networks help?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | how two networks share one decision, and what cutting a segment in two costs and brings | a corpus | table IV, three figures | two minutes |
#
# [Open in Colab](https://colab.research.google.com/github/) (choose this notebook from your copy of the repository).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a folder or a CSV of recordings
run_dir: str = "runs/lab"  # folder for results, from the project"s folder
data_dir: str = "data"  # folder for the simulated corpus and the cache
seed: int = 0  # one seed gives one result
recording_minutes: float = 6.5  # length of a simulated recording [min]
segment_length: int = 4096  # [samples]
train_segments: int = 1000  # segments per training recording
test_segments: int = 100  # segments per test recording and voter
samplerate: int = 0  # common rate [Hz], 0 for the lowest in the corpus
noise: str = "wavelet"  # noise extraction, wavelet or none
wavelet: str = "sym8"  # any discrete wavelet of PyWavelets
level: int = 17  # levels of the wavelet transform
threshold: str = "minimaxi"  # rigrsure, heursure, sqtwolog or minimaxi
mode: str = "soft"  # soft or hard
rescale: str = "sln"  # noise level, one, sln (finest level) or mln (each level)
recipe: str = "default"  # default, or published (selects on the test set)
epochs: int = 0  # 0 for what the recipe says
batch_size: int = 0  # 0 for what the recipe says
voters: int = 5  # independent sets of test segments
test_recordings: str = ""  # names held out for every device, separated by commas
predictions: str = ""  # for notebook 11, folder of the authors predictions, or download
on_error: str = "raise"  # skip leaves bad recordings out and lists them

# %%
from devid_lib import models, plots
from devid_lib import notebook as nb
from devid_lib.errors import DevidError

session = nb.start("06_model_averaging", globals())

# %% [markdown]
# ## Inputs
#
# The same segments as before, cut into two halves; each half gets its own noise extraction and spectrum.

# %%
recordings = nb.load_recordings(session)
dataset = nb.load_dataset(session, recordings, representation="halves")
print(f"X {dataset.X.shape}: segments, halves, features")
dataset.segments.head(3)

# %% [markdown]
# ## Two networks, one decision
#
# Each half $x_a, x_b$ runs through hidden layers of its own; the two last hidden layers stand side by side before the
# softmax (figure 4):
#
# $$ P(y = k \mid x_a, x_b) = \mathrm{softmax}_k\left(W \begin{bmatrix} h_a(x_a) \\ h_b(x_b) \end{bmatrix} + b\right) $$

# %%
layers = [("half spectrum", dataset.X.shape[2]), *((f"tanh {i + 1}", n) for i, n in enumerate(models.AVERAGED_HIDDEN[3]))]
ax = plots.network([*layers, ("joined", 2 * layers[-1][1]), ("devices", len(dataset.devices))], branches=2)
nb.save_figure(session, ax, "network", "Model averaging with three hidden layers a half, after figure 4 of the paper.")

# %%
rows, variant = [], session.params["noise"]
for depth in (1, 2, 3):
    model, history, predictions = nb.evaluated(session, recordings, f"averaged-mlp-{depth}")
    rows.append(nb.score(session, predictions, system=f"averaged-mlp-{depth}", table="IV", variant=variant))

# %% [markdown]
# The last of the three has this many weights, and this learning curve:

# %%
print(f"{model.name}: {model.count_params():,} weights")
axes = plots.learning_curve(history)
nb.save_figure(session, axes, "learning-curve", "Model averaging with three hidden layers a half, while it is fitted.")
print(nb.describe(history))

# %% [markdown]
# ## Result
#
# Table IV sets averaging beside the plain perceptron with the same number of layers.

# %%
for depth in (1, 2, 3):
    predictions = nb.evaluated(session, recordings, f"mlp-{depth}")[2]
    rows.append(nb.score(session, predictions, system=f"mlp-{depth}", table="IV", variant=variant))
probe = nb.score_probe(session, dataset)
nb.show(*rows, probe)

# %%
ax = plots.accuracy_bars(nb.joined(*rows, probe))
nb.save_figure(session, ax, "accuracy", "Model averaging beside the plain perceptrons, chance, the probe and the paper.")

# %% [markdown]
# ## What can go wrong
#
# An odd number of samples has no halves.

# %%
try:
    nb.load_dataset(session, recordings, representation="halves", segment_length=4095)
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
own = nb.finish(session, *rows, probe)
own[["table", "system", "variant", "unit", "value", "low", "high", "paper"]]

# %% [markdown]
# ## What we saw

# %%
segments = own.query("unit == 'segment'").set_index("system")["value"].astype(float)
gains = {depth: 100 * (segments[f"averaged-mlp-{depth}"] - segments[f"mlp-{depth}"]) for depth in (1, 2, 3)}
width = 100 * (rows[0]["high"].iloc[0] - rows[0]["low"].iloc[0])
nb.saw(
    session,
    f"With one, two and three hidden layers averaging changes the accuracy per segment by {gains[1]:+.1f}, {gains[2]:+.1f} "
    f"and {gains[3]:+.1f} points; in the paper by 0, +1 and 0.",
    f"The 95 % interval of one figure is {width:.1f} points wide, so "
    f"{'differences this small decide nothing' if max(map(abs, gains.values())) < width else 'the largest difference exceeds it'}.",
    f"Halving the segment halves the frequency resolution; the averaged network has {model.count_params():,} weights.",
)

# %% [markdown]
# ## Exercises
#
# 1. Build `models.averaged_mlp(..., n_parts=4)` on quarters of a segment. What is traded for what?
# 2. Let both halves share one set of hidden layers. How would you build that in Keras, and what should it change?
# 3. Compare with notebook 07: two whole segments that vote. Which is the better use of two networks?
#
# Next: [07 · Voting](07_voting.ipynb)
