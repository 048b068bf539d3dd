# %% [markdown]
# # 07 · Voting
#
# **How fast do errors vanish when several segments of a recording vote?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | how posteriors are combined, why independent voters help, where the curve ends | a corpus; the perceptron of notebook 04, or it trains it | table V, two figures | seconds after notebook 04 |
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
import numpy as np

from devid_lib import evaluation, plots, results
from devid_lib import notebook as nb
from devid_lib.errors import DevidError

session = nb.start("07_voting", globals())

# %% [markdown]
# ## Inputs

# %%
recordings = nb.load_recordings(session)
predictions = nb.evaluated(session, recordings, "mlp-3")[2]
voters, names = session.params["voters"], evaluation.device_names(predictions)
predictions.iloc[:3, :8].round(3)

# %% [markdown]
# ## The vote
#
# $k$ segments of the same recording each have a posterior. The paper adds them up and takes the largest sum:
#
# $$ \hat y = \arg\max_{c} \sum_{i=1}^{k} P(y = c \mid x_i) $$
#
# A majority vote counts only each segment's first choice. Five segments of one recording, and what becomes of them:

# %%
one = predictions[predictions["draw"] == 0].groupby("device").head(5)
device = min(names, key=lambda name: evaluation.correct(one[one["device"] == name]).mean())
five = one.loc[one["device"] == device, names].to_numpy()
print("device      ", device)
print("each segment", [names[i] for i in five.argmax(axis=1)])
print("sum         ", names[evaluation.vote(five).argmax()], evaluation.vote(five).max().round(3))
print("majority    ", names[evaluation.vote(five, rule="majority").argmax()])

# %% [markdown]
# ## Table V
#
# As published: $k$ independently drawn sets of test segments, segment $i$ of each set voting together.

# %%
units = ["segment", *(f"vote{k}" for k in range(2, voters + 1)), "recording"]
variant = session.params["noise"]
rows = nb.score(session, predictions, system="mlp-3", table="V", variant=variant, units=units)
majority = nb.score(
    session, predictions, system="mlp-3", variant=f"{variant}, majority", units=units[1:], rule="majority", save=False
)
probe = nb.score_probe(session, nb.load_dataset(session, recordings))
nb.show(rows, majority, probe)

# %% [markdown]
# ## The whole curve
#
# Now $k$ segments are drawn from all test segments of a recording, for $k$ from one to as many as there are.

# %%
most = predictions.groupby(["device", "recording"]).size().min()
counts = sorted({int(k) for k in np.geomspace(1, min(most, 50), 12)})
curves = {rule: evaluation.vote_curve(predictions, voters=counts, rule=rule) for rule in ("sum", "majority")}
paper = {int(unit[4:]): value for (table, *_, unit), value in results.PAPER.items() if table == "V"}
ax = plots.vote_curve(curves, paper=paper)
nb.save_figure(session, ax, "vote-curve", "Accuracy against the number of voting segments; marks: the paper's table V.")

# %% [markdown]
# The curve rises as long as the voters err independently of each other. It stops below 100 % when a whole recording
# sounds like another device: then more of the same recording is no help.

# %%
ax = plots.accuracy_bars(rows)
nb.save_figure(session, ax, "accuracy", "The perceptron with three hidden layers, by number of voters, beside the paper.")

# %% [markdown]
# ## What can go wrong
#
# More voters than there are sets of test segments.

# %%
try:
    evaluation.voted(predictions, unit=f"vote{voters + 1}")
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
curve = nb.figures(
    session,
    [
        {"system": "mlp-3", "variant": f"{rule}, from one pool", "unit": f"vote{row.voters}", "metric": "accuracy"}
        | {name: getattr(row, name) for name in ("value", "low", "high", "n", "chance")}
        for rule, table in curves.items()
        for row in table.itertuples()
    ],
)
own = nb.finish(session, rows, majority, curve, probe)
own[["table", "system", "variant", "unit", "value", "low", "high", "paper"]].head(12)

# %% [markdown]
# ## What we saw

# %%
value = rows.set_index("unit")["value"]
last = f"vote{voters}" if voters > 1 else "segment"
ahead = 100 * (value[last] - majority.set_index("unit")["value"].get(last, value[last]))
n = int(rows["n"].iloc[-1])
bound = evaluation.zero_error_bound(n)
nb.saw(
    session,
    f"One segment is right in {value['segment']:.1%}, {voters} voters in {value[last]:.1%} (the paper: 93 % and, with five, "
    f"99 %), all segments of a recording in {value['recording']:.1%} of {n} recordings.",
    f"With {voters} voters the sum is ahead of the majority by {ahead:+.2f} points.",
    f"Even {n} right recordings out of {n} would allow an error rate of up to {bound:.0%} (95 % confidence).",
)

# %% [markdown]
# ## Exercises
#
# 1. Let the posteriors be multiplied instead of added. Which rule forgives a segment that is surely wrong?
# 2. Take the $k$ segments from one second of the recording instead of from anywhere. Why is the curve lower?
# 3. How many voters does the worst device need to reach the average of the others?
#
# Next: [08 · Confusion matrix](08_confusion_matrix.ipynb)
