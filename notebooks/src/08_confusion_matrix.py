# %% [markdown]
# # 08 · Confusion matrix
#
# **Which devices are confused, and how sure are we?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | precision, recall, F1; how to read a confusion matrix; what an interval over recordings says; what calibration is | a corpus; the perceptron of notebook 04, or it trains it | table VI, three figures | seconds after notebook 04 |
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
from devid_lib import evaluation, plots, results
from devid_lib import notebook as nb
from devid_lib.errors import DevidError

session = nb.start("08_confusion_matrix", globals())

# %% [markdown]
# ## Inputs

# %%
recordings = nb.load_recordings(session)
predictions = nb.evaluated(session, recordings, "mlp-3")[2]
segments = evaluation.voted(predictions, unit="segment")
segments.iloc[:3, :8].round(3)

# %% [markdown]
# ## Table VI
#
# For one device, *precision* is the share of decisions for it that are right, *recall* the share of its segments that
# are found, and $F_1$ their harmonic mean:
#
# $$ F_1 = \frac{2 \cdot \text{precision} \cdot \text{recall}}{\text{precision} + \text{recall}} $$

# %%
report = evaluation.device_report(segments)
report.round(2)

# %% [markdown]
# The paper's table, for its own nine recorders:

# %%
results.PAPER_TABLE_VI

# %% [markdown]
# ## Who is taken for whom
#
# A row is the true device, a column the decision; rows add up to 100 %. Look for bright cells off the diagonal, and for
# pairs (the shade follows the square root of the share, so that a few percent show): $A$ taken for $B$ and $B$ for $A$ are hard to tell apart, $A$ taken for everybody is a poor recording.

# %%
matrix = evaluation.confusion(segments)
ax = plots.confusion_matrix(matrix)
ax.set_title(f"Perceptron with three hidden layers, single segments, {recordings.attrs['name']} corpus")
nb.save_figure(session, ax, "confusion", "Confusion matrix per segment, after figure 6 of the paper.")

# %%
pairs = evaluation.confused_pairs(segments, n=5)
pairs.style.format({"share": "{:.1%}"}).hide(axis="index")

# %% [markdown]
# The same for votes of several segments.

# %%
voters = session.params["voters"]
votes = evaluation.voted(predictions, unit=f"vote{voters}")
ax = plots.confusion_matrix(evaluation.confusion(votes))
ax.set_title(f"Votes of {voters} segments")
nb.save_figure(session, ax, "confusion-votes", f"Confusion matrix when {voters} segments vote.")

# %% [markdown]
# ## How sure are we?
#
# A thousand segments of nine recordings are nine observations of nine devices, not a thousand. The bootstrap draws
# whole *recordings*, again and again, and asks how much the accuracy moves. Drawing segments pretends to know more:

# %%
right = evaluation.correct(segments)
over_recordings = evaluation.bootstrap_interval(right, evaluation.recording_names(segments))
over_segments = evaluation.bootstrap_interval(right, range(len(right)))
print(f"accuracy {right.mean():.1%}, chance {segments['device'].value_counts(normalize=True).max():.1%}")
print("95 % over recordings {:.1%} to {:.1%}".format(*over_recordings))
print("95 % over segments   {:.1%} to {:.1%}  (too narrow)".format(*over_segments))

# %% [markdown]
# A *calibrated* classifier that says 80 % is right in 80 % of such cases. Points below the diagonal are overconfident.

# %%
decisions = {"segment": segments, f"{voters} voters": votes}
calibration = {name: evaluation.calibration(table) for name, table in decisions.items()}
ax = plots.calibration({name: table for name, (table, _) in calibration.items()})
nb.save_figure(session, ax, "calibration", "How often a posterior is right, for single segments and for votes.")

# %% [markdown]
# ## What can go wrong
#
# A table of predictions has sets of test segments; asking for a unit that does not exist is refused.

# %%
try:
    evaluation.voted(predictions, unit="file")
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
devices = nb.score_devices(session, segments, system="mlp-3", variant=session.params["noise"])
rows = nb.score(session, predictions, system="mlp-3", variant=session.params["noise"], units=["segment", f"vote{voters}", "recording"])
probe = nb.score_probe(session, nb.load_dataset(session, recordings))
errors = [
    {"system": "mlp-3", "variant": name, "metric": "expected calibration error", "value": error, "n": len(decisions[name])}
    for name, (_, error) in calibration.items()
]
errors = nb.figures(session, errors)
own = nb.finish(session, devices, rows, errors, probe)
nb.show(rows, probe)

# %% [markdown]
# ## What we saw

# %%
worst = report.drop(index="average")["f1"].idxmin()
confused = "none" if pairs.empty else f"{pairs['true'][0]} taken for {pairs['decided'][0]} ({pairs['share'][0]:.1%})"
wider = (over_recordings[1] - over_recordings[0]) / max(over_segments[1] - over_segments[0], 1e-9)
trend = "more" if calibration[f"{voters} voters"][1] > calibration["segment"][1] else "less"
nb.saw(
    session,
    f"The average F1 is {report.loc['average', 'f1']:.2f} (the paper's 0.93); the hardest device is {worst} "
    f"({report.loc[worst, 'f1']:.2f}), the most frequent confusion {confused}.",
    f"Over recordings the interval is {over_recordings[0]:.1%} to {over_recordings[1]:.1%}, {wider:.1f} times as wide as "
    "the one over segments.",
    f"The expected calibration error is {calibration['segment'][1]:.3f} for single segments and "
    f"{calibration[f'{voters} voters'][1]:.3f} for votes: votes are {trend} miscalibrated.",
)

# %% [markdown]
# ## Exercises
#
# 1. Two pairs of the simulated recorders share everything but the capsule. Can you name them from the matrix?
# 2. Compute the matrix of softmax regression (`nb.evaluated(session, recordings, "softmax")`). Same confusions?
# 3. Raise the posteriors to the power 2 and normalise. What happens to accuracy, and what to calibration?
#
# Next: [09 · t-SNE](09_tsne.ipynb)
