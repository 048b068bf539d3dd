# %% [markdown]
# # 11 · Published predictions
#
# **What do the authors' own predictions show, and what can nine test recordings not show?**
#
# | you will learn | it needs | it makes | it takes |
# |---|---|---|---|
# | how to check a published figure, what an interval over recordings does to it, what summing does to calibration | the parameter `predictions`: a folder with the authors' files, or `download` | tables V and VI on real recorders, four figures | half a minute |
#
# The recordings of the paper were never published, but the class probabilities of three of its models on the 900 real
# test segments were. They do not ship with this workbook. Without them this notebook stops at its second code cell
# and says what to do.
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

from devid_lib import embedding, evaluation, plots, published, results
from devid_lib import notebook as nb
from devid_lib.errors import DevidError

session = nb.start("11_published_predictions", globals())

# %% [markdown]
# ## Inputs

# %%
predictions = published.load_published(session.params["predictions"], data_dir=nb.in_workspace(session.params["data_dir"]))
models = [predictions[predictions["draw"] == k].assign(draw=0) for k in range(3)]
print(f"{len(models)} models, {len(models[0])} segments of {models[0]['device'].nunique()} recordings, one per device")
predictions.iloc[:3, :8].round(3)

# %% [markdown]
# The segments are not the same in the three files: each model was tested on its own draw of 100 segments per recording.
#
# ## One model, three models
#
# $$ \hat y = \arg\max_c \sum_{i=1}^{3} P_i(y = c \mid x_i) $$
#
# A majority vote of three can tie three to three. The published count gives a tie to the device that comes first in the
# list; giving it to the largest sum is fairer.

# %%
merged = {
    "sum": evaluation.voted(predictions, unit="vote3"),
    "majority, ties to the first device": evaluation.voted(predictions, unit="vote3", rule="majority-first"),
    "majority, ties by the sum": evaluation.voted(predictions, unit="vote3", rule="majority"),
}
decided = {f"model {k + 1}": table for k, table in enumerate(models)} | merged

# %%
records = [
    {"system": "authors' MLP", "variant": name, "unit": "vote3" if name in merged else "segment", "metric": "accuracy"}
    | evaluation.accuracy(table)
    for name, table in decided.items()
]
rows = nb.figures(session, records, corpus=published.CORPUS)
nb.show(rows)

# %% [markdown]
# The paper prints 93 % for its best single model and 96 % for three voters. The interval draws whole recordings: with
# nine of them it is wide, and the intervals of neighbouring rows overlap.

# %%
ax = plots.accuracy_bars(rows)
nb.save_figure(session, ax, "accuracy", "The authors' three models, alone and merged, on their nine real recorders.")

# %% [markdown]
# ## Device by device, table VI

# %%
report = evaluation.device_report(models[0])
report.round(2)

# %% [markdown]
# Beside it the table that the paper prints. The released model is not exactly the one of the table.

# %%
results.PAPER_TABLE_VI

# %%
ax = plots.confusion_matrix(evaluation.confusion(models[0]))
ax.set_title("The authors' first model, single segments, nine real recorders")
nb.save_figure(session, ax, "confusion", "Confusion matrix of the authors' first model, after figure 6 of the paper.")

# %%
pairs = evaluation.confused_pairs(models[0], n=6)
pairs.style.format({"share": "{:.1%}"}).hide(axis="index")

# %% [markdown]
# ## The space of the posteriors, figure 7

# %%
points = embedding.tsne(models[0][list(published.DEVICES)].to_numpy(), perplexity=30, seed=session.params["seed"])
ax = plots.tsne(points, models[0]["device"].to_numpy(), devices=published.DEVICES)
ax.set_title("t-SNE of the authors' posteriors")
nb.save_figure(session, ax, "tsne", "t-SNE of the posteriors of the authors' first model, after figure 7 of the paper.")

# %% [markdown]
# ## Sure, and right?
#
# The expected calibration error weighs how far stated and true certainty are apart.

# %%
calibration = {name: evaluation.calibration(decided[name]) for name in ("model 1", "model 2", "model 3", "sum")}
ax = plots.calibration({name: table for name, (table, _) in calibration.items()})
nb.save_figure(session, ax, "calibration", "How often the authors' posteriors are right, single and summed.")
{name: round(error, 3) for name, (_, error) in calibration.items()}

# %% [markdown]
# ## Segments of one recording vote
#
# In table V each voter is another *model*. Here several segments of one recording are judged by the same model.

# %%
counts = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30]
curves = {rule: evaluation.vote_curve(models[0], voters=counts, rule=rule) for rule in ("sum", "majority")}
ax = plots.vote_curve(curves)
nb.save_figure(session, ax, "vote-curve", "Accuracy of the authors' first model when segments of one recording vote.")

# %% [markdown]
# ## What can go wrong
#
# A file that is not the published one is refused: its checksum is known.

# %%
try:
    published.load_published("no_such_folder", data_dir=nb.in_workspace(session.params["data_dir"]))
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
table_vi = report.rename_axis("variant").reset_index().melt(["variant", "n"], var_name="metric")
table_vi = table_vi.assign(system="authors' MLP", unit="segment", variant="device:" + table_vi["variant"])
errors = [
    {"system": "authors' MLP", "variant": name, "metric": "expected calibration error", "value": error, "n": 900}
    for name, (_, error) in calibration.items()
]
others = nb.figures(session, [*table_vi.to_dict("records"), *errors], corpus=published.CORPUS)
own = nb.finish(session, rows, others)
own[["system", "variant", "unit", "metric", "value"]].head(12)

# %% [markdown]
# ## What we saw

# %%
figure = {name: evaluation.accuracy(table) for name, table in decided.items()}
best = max(("model 1", "model 2", "model 3"), key=lambda name: figure[name]["value"])
whole = evaluation.accuracy(evaluation.voted(models[0], unit="recording"))
bound = evaluation.zero_error_bound(9)
nb.saw(
    session,
    f"The three models name {figure['model 1']['value']:.2%}, {figure['model 2']['value']:.2%} and "
    f"{figure['model 3']['value']:.2%} of the segments, their sum {figure['sum']['value']:.2%}, the majority "
    f"{figure['majority, ties to the first device']['value']:.2%} (ties to the first device).",
    f"Over recordings the best single model, {best}, lies between {figure[best]['low']:.1%} and {figure[best]['high']:.1%}, "
    f"the sum between {figure['sum']['low']:.1%} and {figure['sum']['high']:.1%}.",
    f"Summing takes the calibration error from {calibration[best][1]:.3f} to {calibration['sum'][1]:.3f}: more often right, "
    "and less honest about it.",
    f"All segments of a recording together name {whole['value']:.0%} of nine recordings. Nine out of nine would still allow "
    f"one error in {1 / bound:.0f} recordings (95 % confidence).",
    "What nine test recordings, one per device, can show: that these nine files are told apart. What they cannot: whether "
    "the device was recognised or the room, the day or the level of its one test recording; how other recordings of the "
    "same recorders would fare; or which of two classifiers is better when they differ on one or two recorders.",
)

# %% [markdown]
# ## Exercises
#
# 1. Leave out one device at a time and compute the accuracy. How much does a single recording move it?
# 2. Find a temperature that brings the calibration error of the sum down. On which segments would you have to fit it?
# 3. Draw three votes from one model instead of three. Is it the models or the number of segments that helps?
#
# Back to [00 · Start here](00_start_here.ipynb)
