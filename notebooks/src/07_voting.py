# %% [markdown]
# # 07 · Voting
#
# **How fast do errors vanish when several segments of a recording vote?**
#
# | | |
# |---|---|
# | you will learn | how posteriors are combined, what independent voters would reach, how many independent voters a recording holds |
# | it needs | a corpus; the perceptron of notebook 04, or it trains it |
# | it makes | table V, the curve behind it, a test between rules of voting |
# | it takes | seconds after notebook 04 |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
voters: int = 5  # independent sets of test segments

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import binom

from devid_lib import evaluation, plots
from devid_lib.audio import load_recording
from devid_lib.errors import DevidError
from devid_lib.workbook import differences, show, signed, start, told
from devid_lib.workbook.paper import PAPER

session = start("07_voting", globals())
p = session.params

# %% [markdown]
# ## Inputs
#
# Several sets of segments are drawn from every test recording, each set on its own. A row holds what the perceptron
# with three hidden layers says of one segment: a probability for each device, its posterior.

# %%
recordings = session.recordings()
predictions = session.predictions("mlp-3", recordings)
names = np.array(evaluation.device_names(predictions))
recording_of = evaluation.recording_names(predictions)  # device/recording of every row
right = pd.Series(evaluation.correct(predictions)).groupby(recording_of).mean().sort_values()
print(f"{p['voters']} sets of {p['test_segments']} segments from each of {len(right)} test recordings")
predictions.iloc[:3, :8].round(3)

# %% [markdown]
# ## The vote
#
# $k$ segments of one recording each have a posterior. The paper adds them up and takes the largest sum:
#
# $$ \hat y = \arg\max_{c} \sum_{i=1}^{k} P(y = c \mid x_i) $$
#
# A *majority vote* forgets how sure each segment was and counts first choices. Both are a line of numpy. Here five
# segments vote, from the recording in which single segments err most.

# %%
hardest = right.index[0]
P = predictions.loc[recording_of == hardest, names].to_numpy(float)[:5]  # [shape=(voters, devices)]

total = P.sum(axis=0)
ballots = np.bincount(P.argmax(axis=1), minlength=len(names))
print(f"recording {hardest}: the sum says {names[total.argmax()]}, the majority {names[ballots.argmax()]}")

np.testing.assert_allclose(evaluation.vote(P), total / total.sum())
np.testing.assert_allclose(evaluation.vote(P, rule="majority-first"), ballots / len(P))

# %% [markdown]
# Where two devices have as many first choices, `argmax` takes the one that comes first in the alphabet. That is not
# fair to the others, so the library's rule "majority" gives a tie to the device with the larger sum.
#
# ## Watch a vote
#
# Move the number of voters $k$. Above: where in the recording they lie, blue if the segment alone would be right,
# orange if not. Below: their posteriors stacked, one block a voter; the longest bar wins.


# %%
def draw_places(ax, own, recording):
    """Draw the recording's envelope and the places of the voters in it."""
    row = recordings[evaluation.recording_names(recordings) == recording].iloc[0]
    y, rate = load_recording(row.path, samplerate=int(row.samplerate))
    peaks = np.abs(y[: len(y) // 500 * 500]).reshape(500, -1).max(axis=1)
    ax.fill_between(np.linspace(0, len(y) / rate, 500), -peaks, peaks, color="0.75", lw=0)
    for start_at, good in zip(own["start"] / rate, evaluation.correct(own), strict=True):
        ax.axvline(start_at, color="C0" if good else "C1", lw=2)
    ax.set(xlabel="time [s]", yticks=[], xlim=(0, len(y) / rate), title=plots.label(recording))


# %%
def draw_vote(k, recording):
    """Draw the first k voters of a recording and what becomes of the decision."""
    own = predictions[recording_of == recording].head(k)
    posteriors, true = own[names].rename(columns=plots.label), plots.label(own["device"].iloc[0])
    shown = list(dict.fromkeys([*posteriors.sum().nlargest(5).index, true]))
    _, (top, bottom) = plt.subplots(2, 1, figsize=(8, 5), height_ratios=[1, 2], layout="constrained")
    draw_places(top, own, recording)
    posteriors[shown].T.plot.barh(stacked=True, ax=bottom, colormap="crest", edgecolor="white", legend=False)
    bottom.set(xlabel=f"sum of {k} posteriors", xlim=(0, k), title=f"decided: {shown[0]}    true: {true}")
    bottom.invert_yaxis()
    if session.headless:
        session.save_figure(bottom, "vote", "Voters of one recording: where they lie, and the sum of their posteriors.")


session.interact(draw_vote, k=(1, min(9, p["test_segments"])), recording=list(right.index))

# %% [markdown]
# ## Table V
#
# As published: $k$ independently drawn sets of test segments; segment $i$ of the first set, segment $i$ of the second
# and so on vote together. With the sets as the first axis of an array, all decisions at once are a sum over that axis:

# %%
sets = [predictions.loc[predictions["draw"] == v, names] for v in range(p["voters"])]
P = np.stack(sets).astype(float)  # [shape=(sets, segments, devices)]
true = predictions.loc[predictions["draw"] == 0, "device"].to_numpy()
by_hand = [np.mean(names[P[:k].sum(axis=0).argmax(axis=1)] == true) for k in range(1, p["voters"] + 1)]

units = ["segment", *(f"vote{k}" for k in range(2, p["voters"] + 1)), "recording"]
rows = session.score(predictions, system="mlp-3", table="V", variant=session.variant, units=units)
np.testing.assert_allclose(rows["value"][: p["voters"]], by_hand)
probe = session.score_probe(recordings)
show(rows, probe)

# %% [markdown]
# In the last row of the perceptron all segments of a recording vote.
#
# ## The whole curve
#
# The table stops where the sets do. To go on, a decision takes further segments of the same recording: of $D$ sets of
# $n$ segments, voter $v$ of decision $i$ is segment $(i + \lfloor v / D \rfloor) \bmod n$ of set $v \bmod D$ (counted
# from 0). So the first $D$ voters are those of the table, no segment votes twice, and the curve runs through the rows of
# the table: from one segment, through three, to the whole recording.


# %%
def curve(rule):
    """Return accuracy against the number of voters: segments vote as in the table, then with further ones."""
    sets = [rows.reshape(p["voters"], -1) for rows in predictions.groupby(recording_of).indices.values()]
    points = []
    for k in (k for k in counts if k <= most):
        v, i = np.ogrid[:k, : sets[0].shape[1]]
        voting = [rows[v % len(rows), (i + v // len(rows)) % rows.shape[1]].T for rows in sets]
        decided = evaluation.merged(predictions, [group for groups in voting for group in groups], rule)
        names_of = {"voters": k, "unit": f"vote{k}", "variant": f"{session.variant}, {rule}"}
        points.append(names_of | evaluation.accuracy(decided))
    return pd.DataFrame(points)


most = p["voters"] * p["test_segments"]
counts = sorted({*range(1, max(5, p["voters"]) + 1), 7, 9, 15, 25, 49, most})
curves = {rule: curve(rule) for rule in ("sum", "majority")}
np.testing.assert_allclose(curves["sum"]["value"][: p["voters"]], by_hand)

# %%
paper = {int(unit[4:]): value for (table, *_, unit), value in PAPER.items() if table == "V"}
ax = plots.vote_curve(curves, paper=paper)
session.save_figure(ax, "vote-curve", "Accuracy against the number of voting segments; marks: the paper's table V.")

# %% [markdown]
# The dotted lines are 95 % intervals over recordings. Where every decision is right there is no spread left to go
# by: then whole recordings are counted, and the interval is as wide as so few of them make it.

# %% [markdown]
# ## Are the voters independent?
#
# If each voter were right with probability $a$, whatever the others say, more than half of $k$ would be right with
#
# $$ P_k(a) = \sum_{j > k/2} \binom{k}{j} a^j (1 - a)^{k - j} $$
#
# (Condorcet, 1785). Take first one $a$ for all voters, then for each recording its own: voters that are independent
# *given the recording*. A recording with $a < 1/2$ is then lost, the more surely the more voters it has.

# %%
alone = evaluation.voted(predictions, unit="segment")
a = pd.Series(evaluation.correct(alone)).groupby(evaluation.recording_names(alone)).mean()  # of every recording
measured = curves["majority"].set_index("voters")["value"]
odd = measured.index[measured.index % 2 == 1].to_numpy()  # an even number of voters can tie
theory = pd.DataFrame(
    {
        "one accuracy for all": binom.sf(odd // 2, odd, a.mean()),
        "its own for each recording": binom.sf(odd[:, None] // 2, odd[:, None], a.to_numpy()).mean(axis=1),
        "measured, majority": measured[odd],
    },
    index=odd,
)
ax = (100 * theory).plot(style=["--", ":", "o-"], figsize=(8, 4), logx=True)
ax.set(xlabel="voters [segments]", ylabel="accuracy [%]")
ax.set_xticks(odd, odd, minor=False)
ax.minorticks_off()
session.save_figure(ax, "independent", "The majority as measured, and as it would be if voters erred independently.")
theory.style.format("{:.1%}")

# %% [markdown]
# Two things set the measured curve apart from the first one. It stays lower where errors cluster in a few recordings:
# more of the same recording is no help to one that sounds like another device. It lies higher where wrong votes scatter
# over several devices: then the right one wins without half of the votes.
#
# ## How many voters are they really?
#
# Let $u_{ri}$ be 1 if segment $i$ of recording $r$ is named right and 0 if not, $\bar u$ the mean of all, $\sigma^2$ their
# variance. How far two *different* segments of one recording are right or wrong together is their correlation, the mean
# over all pairs and all $R$ recordings of $n$ segments:
#
# $$ \rho = \frac{1}{\sigma^2} \cdot \frac{1}{R\, n (n - 1)} \sum_r \sum_{i \ne j} (u_{ri} - \bar u)(u_{rj} - \bar u) $$
#
# The share that is right among $k$ segments of a recording then has the variance
#
# $$ \frac{\sigma^2}{k} \left(1 + (k - 1) \rho\right) = \frac{\sigma^2}{k_\mathrm{eff}}, \qquad
# k_\mathrm{eff} = \frac{k}{1 + (k - 1) \rho} $$
#
# as if they were $k_\mathrm{eff}$ independent ones: all $k$ where $\rho = 0$, and however many there are never more than
# $1 / \rho$. The double sum needs no loop over pairs, since $\sum_{i \ne j} a_i a_j = (\sum_i a_i)^2 - \sum_i a_i^2$.

# %%
u = np.stack([evaluation.correct(alone)[rows] for rows in alone.groupby(evaluation.recording_names(alone)).indices.values()])
d, n = u - u.mean(), u.shape[1]  # [shape=(recordings, segments)]
pairs = (d.sum(axis=1) ** 2 - (d**2).sum(axis=1)) / max(n * (n - 1), 1)
rho = pairs.mean() / u.var() if u.var() else np.nan  # without an error there is nothing to correlate

by_hand = [np.outer(row, row)[~np.eye(n, dtype=bool)].sum() / max(n * (n - 1), 1) for row in d]
np.testing.assert_allclose(pairs, by_hand, atol=1e-12)
k = np.array([1, 5, 25, most])
worth = pd.Series(k / (1 + (k - 1) * max(rho, 0)), pd.Index(k, name="voters"), name="independent voters")
print(f"correlation of two segments of a recording: {rho:.2f}")
worth.to_frame().round(1)

# %% [markdown]
# That is why the paper's gain from three to five voters is not to be had everywhere. Where the errors are spread over all
# recordings, $\rho$ is near zero and each voter counts. Where they sit in a few recordings, the voters of a recording are
# one voter, said several times, and only *other recordings* of the device would tell more.
#
# ## Sum or majority?
#
# Both rules judge the same recordings, so they are compared recording by recording (`evaluation.paired_difference`). The
# p-values are adjusted for two tests (Holm); an interval reaches to zero where p is above 5 %.

# %%
last = f"vote{p['voters']}"
decided = {rule: evaluation.voted(predictions, unit=last, rule=rule) for rule in ("sum", "majority")}
tests = evaluation.compared(
    {
        "sum - majority": (decided["sum"], decided["majority"]),
        f"sum of {p['voters']} - one segment": (decided["sum"], alone),
    }
)
signed(tests)

# %% [markdown]
# ## What can go wrong
#
# More voters than there are sets of test segments.

# %%
try:
    evaluation.voted(predictions, unit=f"vote{p['voters'] + 1}")
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
points = pd.concat(curves.values()).assign(system="mlp-3", metric="accuracy")
of_tests = differences(tests, system="mlp-3", variant=tests.index, unit=last)
own = session.finish(rows, session.figures([*points.to_dict("records"), *of_tests]), probe)
own[["table", "system", "variant", "unit", "value", "low", "high", "paper"]].head(12)

# %% [markdown]
# ## What we saw

# %%
single, whole = (rows[rows["unit"] == unit].iloc[0] for unit in ("segment", "recording"))
gaps = theory["measured, majority"] - theory["one accuracy for all"]
widest = gaps.abs().idxmax()
rule, vote = tests.to_dict("records")
session.saw(
    f"One segment is right in {single['value']:.1%}, {p['voters']} voters in {evaluation.correct(decided['sum']).mean():.1%} "
    f"(the paper: {PAPER['II', 'mlp-3', 'wavelet', 'segment']:.0%}, and {paper[max(paper)]:.0%} with {max(paper)}): to vote, "
    f"against one segment, {vote['verdict']} ({told(vote)}).",
    f"With {p['voters']} voters the sum, against the majority, {rule['verdict']} ({told(rule)}).",
    f"Two segments of a recording are right or wrong together with a correlation of {rho:.2f}, so {most} of them are worth "
    f"{worth[most]:.1f} independent ones." if u.var() else "No segment is named wrong: there is nothing to vote about.",
    f"If voters erred independently, the majority of {widest} would be right in {theory['one accuracy for all'][widest]:.1%}; it is in "
    f"{theory['measured, majority'][widest]:.1%}, the largest gap of the two curves. In {(right < 0.5).sum()} of {len(right)} recordings most segments are wrong.",
    f"All segments of a recording together name {whole['value']:.1%} of {whole['n']} recordings; the 95 % interval is "
    f"{whole['low']:.0%} to {whole['high']:.0%}.",
)

# %% [markdown]
# ## Exercises
#
# 1. Let the posteriors be multiplied instead of added. Which rule forgives a segment that is surely wrong?
# 2. Take five segments that lie next to each other in time instead of anywhere. Is the vote worse?
#
# Worked answers: [solutions](solutions/07_voting.ipynb)
#
# Next: [08 · Confusion matrix](08_confusion_matrix.ipynb)
