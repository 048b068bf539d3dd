# %% [markdown]
# # 11 · Published predictions
#
# **What do the authors' own predictions show, and what can nine test recordings not show?**
#
# | | |
# |---|---|
# | you will learn | how to check a published figure, what an interval over recordings does to it, what summing does to calibration |
# | it needs | the parameter `predictions`: a folder with the authors' files, or `download` |
# | it makes | tables V and VI and figures 6 and 7 on real recorders |
# | it takes | half a minute |
#
# The recordings of the paper were never published, but the class probabilities of three of its models on the 900 real
# test segments were. They do not ship with this workbook. Without them this notebook stops where it would load them,
# and says what to do.

# %% tags=["parameters"]
predictions: str = ""  # folder of the authors' predictions, or download
run_dir: str = "runs/lab"  # folder for results, seen from the project
data_dir: str = "data"  # folder for the simulated corpus and the cache, seen from the project
seed: int = 0  # one seed gives one result

# %%
import numpy as np
import pandas as pd
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from devid_lib import evaluation, plots
from devid_lib.errors import DevidError
from devid_lib.workbook import percent, show, signed, start
from devid_lib.workbook.paper import PAPER, PAPER_TABLE_VI
from devid_lib.workbook.published import CORPUS, DEVICES, load_published
from devid_lib.workbook.session import in_workspace, source_path

session = start("11_published_predictions", globals())
p = session.params

# %% [markdown]
# ## Inputs

# %%
source = source_path(p["predictions"], names=("download",))
authors = load_published(source, data_dir=in_workspace(p["data_dir"]))
models = [table.assign(draw=0) for _, table in authors.groupby("draw")]
print(f"{len(models)} models, {len(models[0])} segments of {models[0]['device'].nunique()} recordings, one per device")
authors.iloc[:3, :8].round(3)

# %% [markdown]
# Each model was tested on its own draw of 100 segments per recording.
#
# ## One model, three models
#
# $$ \hat y = \arg\max_c \sum_{i=1}^{3} P_i(y = c \mid x_i) $$
#
# In a majority vote, three models can name three devices. The published count gives such a tie to the device that comes
# first in the list; giving it to the largest sum is fairer.

# %%
P = np.stack([table[list(DEVICES)] for table in models]).astype(float)  # [shape=(models, segments, devices)]
true = np.array([DEVICES.index(device) for device in models[0]["device"]])
ballots = np.eye(len(DEVICES))[P.argmax(axis=2)].sum(axis=0)
by_hand = {
    "sum": (P.sum(axis=0).argmax(axis=1) == true).mean(),
    "majority, ties to the first device": (ballots.argmax(axis=1) == true).mean(),
}
print(f"in {(ballots.max(axis=1) == 1).sum()} of {len(true)} votes each model names another device")

# %%
rules = {"sum": "sum", "majority, ties to the first device": "majority-first", "majority, ties by the sum": "majority"}
merged = {name: evaluation.voted(authors, unit="vote3", rule=rule) for name, rule in rules.items()}
decided = {f"model {k + 1}": table for k, table in enumerate(models)} | merged
figure = {name: evaluation.accuracy(table) for name, table in decided.items()}
np.testing.assert_allclose([figure[name]["value"] for name in by_hand], list(by_hand.values()))
rows = session.figures(
    [
        {
            "system": "authors' MLP",
            "variant": name,
            "unit": "vote3" if name in merged else "segment",
            "metric": "accuracy",
        }
        | found
        for name, found in figure.items()
    ],
    corpus=CORPUS,
)
show(rows)

# %%
ax = plots.accuracy_bars(rows.assign(variant=rows["variant"].str.removesuffix(" device")))
session.save_figure(ax, "accuracy", "The authors' three models, alone and merged, on their nine real recorders.")

# %% [markdown]
# The intervals are over *recordings*, of which there are nine: they are wide and overlap. That does not yet say that the
# rows cannot be told apart: what is hard for one is hard for the others. So compare recording by recording, each model
# with the sum, which hears three segments where a model hears one; $p$ is from flipped signs of the nine differences,
# corrected for asking three times (Holm, 1979):

# %%
tests = evaluation.compared({name: (merged["sum"], decided[name]) for name in ("model 1", "model 2", "model 3")})
apart = evaluation.compared({"majority, ties by the sum": (merged["sum"], merged["majority, ties by the sum"])})
signed(pd.concat([tests, apart]).rename_axis("the sum against"))

# %% [markdown]
# ## Device by device, table VI

# %%
report = evaluation.device_report(models[0])
average = evaluation.average_report(report)
pd.concat([report, average.to_frame("average").T]).astype({"n": int}).round(2)

# %% [markdown]
# Below, the table that the paper prints. The released model is not exactly the one of the table.

# %%
PAPER_TABLE_VI

# %%
ax = plots.confusion_matrix(models[0])
ax.set_title("The authors' first model, single segments")
session.save_figure(ax, "confusion", "Confusion matrix of the authors' first model, after figure 6 of the paper.")

# %%
pairs = evaluation.confused_pairs(models[0], n=6)
percent(pairs)

# %% [markdown]
# ## The space of the posteriors, figure 7
#
# Notebook 09 says what may be read from such a picture: neighbours, not distances and sizes.

# %%
with threadpool_limits(1):
    plane = TSNE(perplexity=30, init="pca", random_state=p["seed"]).fit_transform(P[0])
ax = plots.points(plane, models[0]["device"], devices=DEVICES, title="t-SNE of the authors' posteriors")
session.save_figure(ax, "tsne", "t-SNE of the posteriors of the authors' first model, after figure 7 of the paper.")

# %% [markdown]
# ## Sure, and right?
#
# The expected calibration error weighs how far stated and true certainty are apart (notebook 08).

# %%
calibrations = {name: evaluation.calibration(decided[name]) for name in ("model 1", "model 2", "model 3", "sum")}
ax = plots.calibration({name: table for name, (table, _) in calibrations.items()})
session.save_figure(ax, "calibration", "How often the authors' posteriors are right, single and summed.")
gap = {
    name: decided[name][list(DEVICES)].to_numpy(float).max(axis=1).mean() - figure[name]["value"]
    for name in calibrations
}
table = pd.DataFrame(
    {"calibration error": {name: error for name, (_, error) in calibrations.items()}, "overconfidence": gap}
)
table.round(3)

# %% [markdown]
# Overconfidence is mean confidence minus accuracy; below zero a model is more often right than it says.
#
# ## Segments of one recording vote
#
# Above, each voter is another *model*; here it is another segment of the recording, judged by the same model: voter $v$
# of decision $i$ is segment $(i + v) \bmod 100$ of that recording, in an order drawn at random. One voter is model 1 as it
# stands above. Dotted are intervals over recordings: once all decisions are right they are that of nine of nine (notebook 07).

# %%
rng = np.random.default_rng(p["seed"])
order = [rng.permutation(own) for own in models[0].groupby("device").indices.values()]
curves = {rule: [] for rule in ("sum", "majority")}
for k in (1, 2, 3, 4, 5, 7, 10, 15, 20, 30):
    i, v = np.ogrid[: len(order[0]), :k]
    groups = [group for own in order for group in own[(i + v) % len(own)]]
    for rule, points in curves.items():
        points.append({"voters": k} | evaluation.accuracy(evaluation.merged(models[0], groups, rule)))
curves = {rule: pd.DataFrame(points) for rule, points in curves.items()}
np.testing.assert_allclose(curves["sum"]["value"][0], figure["model 1"]["value"])
ax = plots.vote_curve(curves)
session.save_figure(ax, "vote-curve", "Accuracy of the authors' first model when segments of one recording vote.")

# %% [markdown]
# ## What can go wrong
#
# A folder without the files is refused, and so is a file that is not the published one: its checksum is known.

# %%
try:
    load_published("no_such_folder", data_dir=in_workspace(p["data_dir"]))
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
table_vi = pd.concat([report.rename("device:{}".format), average.to_frame("average").T]).rename_axis("variant")
table_vi = (
    table_vi.reset_index().melt(["variant", "n"], var_name="metric").assign(system="authors' MLP", unit="segment")
)
errors = [
    {"system": "authors' MLP", "variant": name, "metric": "expected calibration error", "value": error}
    | {"n": len(decided[name])}
    for name, (_, error) in calibrations.items()
]
others = session.figures([*table_vi.to_dict("records"), *errors], corpus=CORPUS)
own = session.finish(rows, others)
own[["system", "variant", "unit", "metric", "value"]].head(12)

# %% [markdown]
# ## What we saw

# %%
best = max(("model 1", "model 2", "model 3"), key=lambda name: figure[name]["value"])
spread = "{low:.1%} to {high:.1%}".format
first = figure["majority, ties to the first device"]["value"]
ahead = tests.index[tests["verdict"] == "helps"]
whole = evaluation.accuracy(evaluation.voted(models[0], unit="recording"))
session.saw(
    f"The three models name {figure['model 1']['value']:.2%}, {figure['model 2']['value']:.2%} and "
    f"{figure['model 3']['value']:.2%} of the segments, their sum {figure['sum']['value']:.2%}, the majority {first:.2%} (ties "
    f"to the first device). The paper prints {PAPER['II', 'mlp-3', 'wavelet', 'segment']:.0%} for one model and "
    f"{PAPER['V', 'mlp-3', 'wavelet', 'vote3']:.0%} for three voters.",
    f"Over recordings the interval of the best single model, {best}, is {spread(**figure[best])}, that of the sum "
    f"{spread(**figure['sum'])}. Compared recording by recording, the sum is ahead of {', '.join(ahead) or 'none of them'} "
    f"(p after Holm for the three models: {', '.join(f'{value:.2f}' for value in tests['p'])}).",
    f"The calibration error of {best} is {calibrations[best][1]:.3f}, that of the sum {calibrations['sum'][1]:.3f}: on average "
    f"its confidence lies {100 * abs(gap['sum']):.1f} points {'below' if gap['sum'] < 0 else 'above'} its accuracy.",
    f"All segments of a recording together name {whole['value']:.0%} of {whole['n']} recordings. Other recordings of such "
    f"recorders could still be named in {spread(**whole)} of cases (95 % interval).",
    "What nine test recordings, one per device, can show: that these nine files are told apart. What they cannot: whether "
    "the device was recognised or the room, the day or the level of its one test recording, or how other recordings of the "
    "same recorders would fare.",
)

# %% [markdown]
# ## Exercises
#
# 1. Draw three votes from one model instead of three models. Is it the models or the number of segments that helps?
# 2. Find a power of the posteriors that brings the calibration error of the sum down. On which segments would you have to
#    fit it?
#
# Worked answers: [solutions](solutions/11_published_predictions.ipynb)
#
# Next: [12 · Across sessions](12_across_sessions.ipynb)
