# %% [markdown]
# # 15 · Likelihood ratio
#
# **How strong is the evidence, and is the number honest?**
#
# | | |
# |---|---|
# | you will learn | what a likelihood ratio says and what it does not, how scores are calibrated, how far a ratio may go, how to read Tippett, PAV and ECE plots |
# | it needs | a corpus, best one of many devices with several sessions |
# | it makes | Cllr with its two parts and intervals over devices, bounds, plots of a well and of badly calibrated systems |
# | it takes | half a minute; at size `paper` some minutes |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
segment_length: int = 4096  # length of a segment [samples]

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.optimize import minimize

from devid_lib import likelihood, plots, verification
from devid_lib.errors import DevidError
from devid_lib.sides import PER
from devid_lib.workbook import start

session = start("15_likelihood_ratio", globals())
p = session.params

# %% [markdown]
# ## Inputs
#
# A court does not ask which of nine recorders it was. It asks about one: did *this* device make the questioned recording, or
# another one? An examiner answers neither yes nor no, but says how much likelier the findings $E$ are under the one proposition
# than under the other; what else speaks for either is for the court:
#
# $$ \underbrace{\frac{P(H_1 \mid E)}{P(H_2 \mid E)}}_{\text{posterior odds}} =
# \underbrace{\frac{p(E \mid H_1)}{p(E \mid H_2)}}_{\text{likelihood ratio}} \cdot
# \underbrace{\frac{P(H_1)}{P(H_2)}}_{\text{prior odds}} $$
#
# - $H_1$: the questioned recording was made by the device of the references.
# - $H_2$: it was made by another device, of the population that the corpus is taken to stand for.
#
# To see whether such numbers are honest, both kinds of pairs are made where the truth is known. The questioned side is
# one side (20 segments) of a recording; the references are all sides of the other sessions of the device asked about,
# without those next to the session of the side (the farthest one where there are no others): neighbours are too easy.
# Devices are left out two groups at a time, so that what scores a pair has seen neither of its devices.

# %%
recordings = session.recordings()
crossed, refused = verification.crossed(recordings).name, ""
options = {"segment_length": p["segment_length"], "most": {"quick": 3, "paper": 6}[p["size"]]}
try:
    comparison, sides, of_side = verification.compare_corpus(recordings, seed=p["seed"], **options)
except DevidError as error:
    refused = f"{recordings.attrs['name']}: {error}. The sides that follow are random numbers of nine made-up devices."
    print(refused)
    of_side = pd.DataFrame({"device": np.repeat([*"ABCDEFGHI"], 6), "crossed": [*"112233"] * 9})
    rng = np.random.default_rng(p["seed"])
    sides = np.repeat(rng.normal(size=(9, 20)), 6, axis=0) + rng.normal(size=(54, 20))
    comparison = verification.fit_comparison(sides, of_side["device"], sessions=of_side["crossed"], seed=p["seed"])
validation, bounds, lines = comparison.validation, comparison.bounds, comparison.lines
same, different, named = validation.pairs("scores")
print(f"{len(validation.references)} devices, {crossed}s crossed: {len(same)} pairs of one device, {len(different)} of two")

low, high = np.quantile(np.concatenate([same, different]), [0.01, 1])
_, ax = plt.subplots(figsize=(8, 3))
for values, name in ((same, "same device"), (different, "different devices")):
    share = np.full(len(values), 100 / len(values))
    ax.hist(np.clip(values, low, high), np.linspace(low, high, 50), weights=share, alpha=0.6, label=name)
ax.axvline(0, color=plots.DARK, ls="--", lw=1.2, label="no support, says the scorer")
ax.set(xlabel="score: log likelihood ratio of the two covariances", ylabel="pairs [%]")
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "scores", "Scores of pairs of one device and of two, before calibration.")

# %% [markdown]
# The score is the logarithm of a ratio of Gaussian densities (notebook 14), in hundreds of dimensions and
# estimated from few devices. Where the two colours cross, it should be 0, and it should be no larger than the pairs
# bear out. Usually it is neither.
#
# ## Calibration
#
# Logistic regression finds the straight line from scores to logarithms of ratios that costs least. Both sides weigh alike, so
# that no prior odds are left in the line; $z$ is the score, shifted and scaled to mean 0 and variance 1 of such pairs.
# (The last term keeps the slope finite where the two kinds do not overlap.)
#
# $$ \log \mathrm{LR} = u z + v, \qquad \min_{u, v} \; \frac{n + m}{2} \left( \frac1n \sum_{\text{same}} \log\left(1 + e^{-(u z_i + v)}\right)
# + \frac1m \sum_{\text{different}} \log\left(1 + e^{u z_j + v}\right) \right) + \frac{u^2}{20} $$

# %%
centre, half = (same.mean() + different.mean()) / 2, (same.mean() - different.mean()) / 2
spread = np.sqrt((same.var() + different.var()) / 2 + half**2)
z_same, z_different = (same - centre) / spread, (different - centre) / spread
pairs = len(same) + len(different)


def cost(line):
    """Return what a line costs that makes logarithms of ratios of scores."""
    u, v = line
    missed = np.logaddexp(0, -(u * z_same + v)).mean()
    misled = np.logaddexp(0, u * z_different + v).mean()
    return pairs / 2 * (missed + misled) + u**2 / 20


u, v = minimize(cost, [1, 0], options={"gtol": 1e-6 * pairs}).x
line = likelihood.calibrate(same, different)
np.testing.assert_allclose(line(same), (u * z_same + v) / np.log(10), rtol=1e-3, atol=1e-3)
print(f"log10 LR = {line.slope:.3f} score {line.offset:+.2f}; as the scorer has it, {1 / np.log(10):.3f} score")

# %% [markdown]
# Beside it, the best calibration of all that never fall, however crooked: pool adjacent violators (PAV). It goes up where
# pairs of one device become more frequent, level by level, infinitely high where there are no others. It fits these very
# pairs, and promises nothing for new ones: to judge a line by, not to report.

# %%
steps = likelihood.pav(same, different)
x = np.linspace(low, high, 400)
_, ax = plt.subplots(figsize=(8, 3.4))
ax.plot(x, np.clip(steps(x), -4, 4), color=plots.GREEN, lw=1.6, label="PAV")
ax.plot(x, line(x), color=plots.BLUE, lw=1.8, label="logistic regression")
drawn = np.quantile(np.outer(x, lines[:, 0]) + lines[:, 1], [0.025, 0.975], axis=1)
ax.fill_between(x, *drawn, color=plots.BLUE, alpha=0.2, lw=0, label="95 % of lines, devices drawn anew")
ax.plot(x, x / np.log(10), color=plots.DARK, ls="--", lw=1.2, label="as the scorer has it")
ax.axhspan(*bounds, color=plots.LIGHT, alpha=0.3, lw=0, label="within bounds")
ax.set(xlabel="score", ylabel="log10 likelihood ratio", ylim=(-4, 4))
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "calibration", "From scores to log10 likelihood ratios: a line by logistic regression, lines of other draws of devices, and PAV.")

# %% [markdown]
# Blue shade: with other devices of the kind at hand the line would have been another one. That is where the interval of a
# ratio comes from, the 95 % of the lines of devices drawn with replacement.

# %% [markdown]
# ## What dishonest numbers cost
#
# The line above was fitted on the pairs that it would be judged on. For what follows, each pair has a line of its own, from
# pairs of other devices. The cost of the ratios, in bits, is small if they are large where the device is the same and small
# where it is not, and grows without limit for ratios that mislead:
#
# $$ C_{\mathrm{llr}} = \frac12 \left( \frac1n \sum_{\text{same}} \log_2 \left(1 + \frac{1}{\mathrm{LR}_i}\right) +
# \frac1m \sum_{\text{different}} \log_2 \left(1 + \mathrm{LR}_j\right) \right) $$
#
# A ratio of 1 for every pair costs 1 bit. $C_{\mathrm{llr}}^{\min}$ is the cost after PAV, what poor *discrimination* alone
# costs; the rest, $C_{\mathrm{llr}}^{\mathrm{cal}}$, is the cost of poor *calibration*.

# %%
lr_same, lr_different, _ = validation.pairs()
by_hand = (np.log2(1 + 10.0**-lr_same).mean() + np.log2(1 + 10.0**lr_different).mean()) / 2
np.testing.assert_allclose(likelihood.cllr(lr_same, lr_different), by_hand)
within = [np.clip(values, *bounds) for values in (lr_same, lr_different)]
systems = {
    "scores as ratios": (same / np.log(10), different / np.log(10)),
    "calibrated": (lr_same, lr_different),
    "within bounds": tuple(within),
}
measures = {"Cllr": likelihood.cllr, "Cllr_min": likelihood.cllr_min, "Cllr_cal": likelihood.cllr_cal}
measures |= {"EER": likelihood.equal_error_rate, "AUROC": likelihood.auroc}
draws = {"quick": 100, "paper": 500}[p["size"]]
measured = {
    (system, name): likelihood.bootstrap(measure, *of_pairs, **named, n=draws)
    for system, of_pairs in systems.items()
    for name, measure in measures.items()
}
told = {key: f"{row['value']:.3f} ({row['low']:.3f}-{row['high']:.3f})" for key, row in measured.items()}
pd.DataFrame({name: {system: told[system, name] for system in systems} for name in measures})

# %% [markdown]
# Intervals are 95 % over *devices*, drawn with replacement: a thousand pairs of nine devices are nine devices. Of
# few devices they hold the truth less often (`likelihood.bootstrap` tells how often). (A line hardly touches
# the order of the pairs: only each pair's own line, and ties at the bounds, make discrimination differ between the rows.)
#
# ## How far a ratio may go
#
# A line goes on for ever: a score twice as large gives a ratio that is squared. Nothing was seen out there. Two bounds stop
# it. *ELUB*, the empirical lower and upper bound: between them, decisions by these ratios would not cost more than decisions
# without them, even if one more pair misled as strongly as the bound (Vergeer et al., 2016). *Sources*: a ratio of 1000 says
# that fewer than one in 1000 other devices looks so alike, and who has seen 30 others cannot know. Of $n$ devices nothing
# beyond $n + 1$ can be shown (words: ENFSI, 2015):
#
# $$ -\log_{10}(n_{\text{same}} + 1) \;\le\; \log_{10} \mathrm{LR} \;\le\; \log_{10}(n_{\text{others}} + 1) $$

# %%
n_same = len(np.unique(named["same_devices"]))
limits = {"ELUB": likelihood.elub(lr_same, lr_different)}
limits["sources"] = likelihood.source_bounds(n_same, len(validation.references) - 1)
limits["both"] = (max(low for low, _ in limits.values()), min(high for _, high in limits.values()))
np.testing.assert_allclose(bounds, limits["both"])
beyond = {name: [np.mean((v < one[0]) | (v > one[1])) for v in (lr_same, lr_different)] for name, one in limits.items()}
limits = pd.DataFrame(limits, ["low", "high"]).T
limits["in words, at most"] = limits["high"].map(likelihood.verbal)
shares = pd.DataFrame(beyond, ["same, beyond", "different, beyond"]).T
limits.join(shares).style.format("{:.2f}", subset=["low", "high"]).format("{:.0%}", subset=list(shares))

# %% [markdown]
# **When an interval collapses.** Ratio and interval both stop at the bounds. Where even the weakest of the lines says more
# than a bound allows, all that is left is the bound, from the bound to the bound: an interval of no width. It does not say
# that the ratio is known exactly. It says that the ratio is *at least* that strong, and that nothing stronger can be shown
# by so few devices. So an examiner writes "at least" there, and no interval.

# %%
all_scores = np.concatenate([same, different])
ends = np.quantile(np.outer(all_scores, lines[:, 0]) + lines[:, 1], [0.025, 0.975], axis=1)
collapsed = (np.clip(ends[0], *bounds) == np.clip(ends[1], *bounds)) & (len(lines) > 1)
of_pairs = np.split(collapsed, [len(same)])
print(f"intervals of no width: {of_pairs[0].mean():.0%} of the pairs of one device, {of_pairs[1].mean():.0%} of those of two")

# %% [markdown]
# ## Tippett plot

# %%
edge = 4  # of the axes: who is beyond stands at the edge
ax = plots.tippett(lr_same, lr_different, edge=edge)
for bound in bounds:
    ax.axvline(bound, color=plots.GREEN, ls=":", lw=1.6, label="bounds" if bound > 0 else "_")
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "tippett", "Tippett plot: share of the pairs whose log10 likelihood ratio is at least that large.")
wrong = [(lr_same < 0).mean(), (lr_different > 0).mean()]

# %% [markdown]
# **How to read it.** Take a ratio on the axis, go up, and read which share of the pairs has at least that. Blue, of one
# device, should stay high until far on the right; orange, of two, should be down long before. What orange still has right of
# 0 are different devices whose ratio misleads; what blue lacks at 0 are pairs of one device whose ratio does.
# Dotted are the bounds: what lies beyond is reported as the bound.
#
# ## PAV plot

# %%
ax = plots.pav(lr_same, lr_different, edge=edge)
session.save_figure(ax, "pav", "PAV plot: log10 likelihood ratios, and what the best monotone calibration makes of them.")

# %% [markdown]
# **How to read it.** A point is a pair, at the ratio that was given; its height is the ratio that it ought to have had. On the
# dashed line they agree. Right of 0, points below the line are ratios that overstate, points above it ratios that say too
# little. Points at the upper and lower edge stand for infinity: there, only one kind of pair is left, and the pairs at
# hand cannot tell how large a ratio may be. (Ratios beyond 4 stand at the edge, too.)
#
# ## ECE plot

# %%
def draw_ece(same, different, ax):
    """Draw what is unknown with likelihood ratios, with the best of their order, and without."""
    odds, steps = np.linspace(-2.5, 2.5, 101), likelihood.pav(same, different)
    sides = {"as they are": (same, different), "best calibration": (steps(same), steps(different)), "prior": ([0], [0])}
    colors, dashes = (plots.BLUE, plots.GREEN, plots.DARK), ("-", "--", ":")
    for (name, pair), color, style in zip(sides.items(), colors, dashes, strict=True):
        ax.plot(odds, likelihood.ece(*pair, log10_odds=odds), style, color=color, lw=1.8, label=name)
    ax.set(xlabel="log10 prior odds", ylabel="empirical cross-entropy [bit]", xlim=(-2.5, 2.5), ylim=(0, None))
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=9)


_, ax = plt.subplots(figsize=(7.5, 4))
draw_ece(lr_same, lr_different, ax)
session.save_figure(ax, "ece", "ECE plot: what is left unknown, in bits, for each prior odds.")

# %% [markdown]
# **How to read it.** From each prior odds, how much is unknown once the ratio is known? Dotted: without any ratio; at even
# odds, 0 on the axis, one bit. The solid line should be far below; its height at 0 is $C_{\mathrm{llr}}$. Dashed is the best
# that this order of pairs allows, $C_{\mathrm{llr}}^{\min}$ at 0. The gap between the two is calibration. Where the solid line
# is above the dotted one, someone with these prior odds would be better off without the examiner.
#
# ## A badly calibrated system
#
# The same order of the same pairs, so the same discrimination, with numbers that are wrong: ratios raised to the third power
# (too bold), their cube roots (too shy), ten times too large (biased), and as the scorer has them.

# %%
bad = {
    "calibrated": (1, 0),
    "too bold": (3, 0),
    "too shy": (1 / 3, 0),
    "ten times too large": (1, 1),
}
distorted = {name: (a * lr_same + b, a * lr_different + b) for name, (a, b) in bad.items()}
distorted["scores as ratios"] = systems["scores as ratios"]
costs = {name: {key: measures[key](*of_pairs) for key in ("Cllr", "Cllr_min", "Cllr_cal")} for name, of_pairs in distorted.items()}
for name, (s, d) in distorted.items():
    costs[name]["strongest that misleads"] = max(d.max(), -s.min())
costs = pd.DataFrame(costs).T
costs.style.format("{:.3f}").format("{:.1f}", subset="strongest that misleads")

# %%
_, axes = plt.subplots(2, 3, figsize=(10, 6))
for column, name in enumerate(("too bold", "too shy", "ten times too large")):
    plots.pav(*distorted[name], edge=edge, ax=axes[0, column])
    draw_ece(*distorted[name], axes[1, column])
    axes[0, column].set(title=name, ylabel="after calibration" if column == 0 else "")
    axes[1, column].set(ylim=(0, 1.5), ylabel="ECE [bit]" if column == 0 else "")
    for row in (0, 1):
        if column < 2:
            axes[row, column].get_legend().remove()
session.save_figure(axes, "bad", "PAV and ECE plots of three systems that order pairs alike, and mean too much, too little, or lean to one side.")

# %% [markdown]
# **How to read it.** Above, *too bold* lies flatter than the diagonal, *too shy* steeper, and the biased one beside it. Below,
# bold ratios may do harm where the solid line climbs over the dotted one; ratios that are only shy waste what was
# known; bias harms on one side. The dashed line is the same in all three: an equal error rate or an AUROC shows none of this.
#
# ## Model or unit
#
# $H_2$ said "another device". Another one of which kind: of another model, or another unit of the same model? The two are
# not equally hard, and a ratio that is honest on average over both may be honest for neither. Where the corpus tells of
# models (the column `model` of its CSV or `manifest.csv`, one line a recording: `IPHONE6S_unit1/clip1.flac, IPHONE6S_unit1,
# iPhone 6S`) and holds several units of one, the same ratios are judged apart. In the last line the reference is *another
# unit* of the model that made the questioned recording: is at least the model found?

# %%
model = dict.fromkeys(validation.references, "") | dict(zip(recordings["device"], recordings["model"], strict=True))
units = verification.of_one_model(named, model)
between, within_model = (named["different_devices"][rows] for rows in (~units, units))
questions = {
    "devices of other models": (lr_same, lr_different[~units], named["same_devices"], between),
    "units of one model": (lr_same, lr_different[units], named["same_devices"], within_model),
    "a model by another unit": (lr_different[units], lr_different[~units], within_model[:, 0], between),
}
apart = {}
for question, (*of_pairs, one, two) in questions.items() if len(np.unique(within_model)) > 2 and len(between) else ():
    for name in ("Cllr", "AUROC"):
        options_of = {"same_devices": one, "different_devices": two, "n": draws}
        apart[question, name] = likelihood.bootstrap(measures[name], *of_pairs, **options_of)
print(f"{len(np.unique(within_model))} devices have another unit of their model in the corpus")
told = {key: f"{row['value']:.3f} ({row['low']:.3f}-{row['high']:.3f})" for key, row in apart.items()}
table = pd.DataFrame({name: {question: told[question, name] for question, _ in list(told)[::2]} for name in ("Cllr", "AUROC")})
table if apart else None

# %% [markdown]
# **How to read it.** A cost above 1 bit in the second line means that for such pairs the ratios do harm: a unit of the
# same model looks like the device itself. An area below one half says that it even looks *more* like the questioned
# recording than the device does on its own other days: with few units, that hangs on where they stood. A high area in the
# last line means that a model is found without its unit (1.000 to 1.000 is no interval, notebook 14). That is why the
# page of a case (notebook 20) claims a *model*, not a unit, unless the validation shows more: what two units differ by is
# of the size of what one unit differs by from one day, room and place to the next.
#
# ## What can go wrong
#
# Sides of one recording on both sides of a pair. They share the room, the place, the gain and the speaker, and whatever the
# session has in common passes for the device. Here every side counts as a session of its own:

# %%
naive = {}
if of_side.groupby(["device", "crossed"]).size().min() > 1:
    of_its_own = np.arange(len(of_side)).astype(str)
    careless = verification.fit_comparison(sides, of_side["device"], sessions=of_its_own, seed=p["seed"])
    one, two, _ = careless.validation.pairs()
    naive = {key: measures[key](one, two) for key in ("Cllr", "Cllr_min", "EER")}
crossed_figures = {key: measured["calibrated", key]["value"] for key in ("Cllr", "Cllr_min", "EER")}
pd.DataFrame({f"{crossed}s crossed": crossed_figures, "sides of one recording": naive}).T.style.format("{:.3f}")

# %% [markdown]
# Too few devices, or none with two sessions, and there is no ratio at all:

# %%
first = recordings[recordings["device"].isin(recordings["device"].unique()[:3])]
try:
    verification.compare_corpus(first, **options)
except DevidError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Results of this notebook

# %%
condition = f"{crossed}s crossed, {PER} segments"
rows = [
    {"system": "PLDA", "variant": f"{system}, {condition}", "unit": "side", "metric": name}
    | ({"chance": 0.5} if name in ("EER", "AUROC") else {})
    | row
    for (system, name), row in measured.items()
]
n = len(validation.references)
rows += [{"system": "PLDA", "variant": question, "unit": "side", "metric": name} | ({"chance": 0.5} if name == "AUROC" else {}) | row
         for (question, name), row in apart.items()]  # fmt: skip
for name, row in limits.iterrows():
    rows += [{"system": "PLDA", "variant": name, "metric": f"{end} bound", "value": row[end], "n": n} for end in ("low", "high")]
rows = [{"system": "PLDA", "metric": "devices", "value": recordings["device"].nunique()}] if refused else rows
own = session.finish(session.figures(rows))
own[["system", "variant", "metric", "value", "low", "high"]]

# %% [markdown]
# ## What we saw


# %%
def words(system, name):
    """Return a figure with its interval as words."""
    row = measured[system, name]
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


seen, kind = ([refused], "made-up devices") if refused else ([], "devices")
seen.append(
    f"{n} {kind}, {crossed}s crossed: Cllr {words('calibrated', 'Cllr')}, of which {words('calibrated', 'Cllr_min')} is "
    f"discrimination; the scores taken for ratios cost {words('scores as ratios', 'Cllr')}."
)
seen.append(
    f"Ratios below 1 for {wrong[0]:.1%} of the pairs of one device, above 1 for {wrong[1]:.1%} of the pairs of two; equal error "
    f"rate {measured['calibrated', 'EER']['value']:.1%}."
)
seen.append(
    f"{n} {kind} allow log10 ratios from {bounds[0]:.2f} to {bounds[1]:.2f}: at most "
    f"{limits.loc['both', 'in words, at most']}. Within these bounds Cllr is {words('within bounds', 'Cllr')}."
)

# %%
worst = costs.drop("calibrated")["Cllr"].idxmax()
seen.append(f"With much the same order of pairs, Cllr goes from {costs.loc['calibrated', 'Cllr']:.3f} to {costs.loc[worst, 'Cllr']:.3f} ({worst}).")
if apart:
    said = [question + " {value:.3f} ({low:.3f} to {high:.3f})".format(**apart[question, "AUROC"]) for question in questions]
    seen.append("Area under the ROC: " + "; ".join(said).replace("1.000 to 1.000", "no interval") + ".")
else:
    seen.append("The corpus tells of no two units of one model: nothing here is about units.")
if naive:
    flatters = naive["Cllr"] < measured["calibrated", "Cllr"]["low"]
    meant = f"what a {crossed} has in common passes for the device" if flatters else "not below that interval, so no flattery is shown"
    seen.append(f"With sides of one recording on both sides of a pair Cllr is {naive['Cllr']:.3f} beside {words('calibrated', 'Cllr')}: {meant}.")
if n < 20:
    seen.append(f"{n} {kind} stand for no population: their intervals, and the bounds, say how little they show.")
session.saw(*seen)

# %% [markdown]
# ## Exercises
#
# 1. Prior odds of 1 to 100 and the largest ratio that the bounds allow: how probable is it that the device is the same?
# 2. Fit the line on scores of devices that the scorer has seen. How do the ratios of other devices fare?
# 3. Compare sides of 5 and of 20 segments. Which part of Cllr suffers?
#
# Worked answers: [solutions](solutions/15_likelihood_ratio.ipynb)
#
# Next: [16 · Splices](16_splices.ipynb)
