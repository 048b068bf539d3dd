# %% [markdown]
# # 91 · Sweeps
#
# **How does a result hang on a parameter, and how much of it is the luck of a seed?**
#
# | | |
# |---|---|
# | you will learn | how to run notebooks at all points of a grid, how to draw what comes out, what an interval over seeds says and what not, why the best point is too good |
# | it needs | a corpus, for a small sweep made here; or the parameter `sweep`: the folder of a `devid sweep` |
# | it makes | curves over a parameter, a heat map |
# | it takes | half a minute |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
sweep: str = ""  # folder of a devid sweep, empty for a small one made here

# %%
import itertools
import re
import zlib
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from scipy import stats
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from devid_lib import evaluation, plots, training
from devid_lib.audio import load_recording
from devid_lib.errors import DevidError
from devid_lib.features import extract_features
from devid_lib.segments import random_segments
from devid_lib.workbook import start
from devid_lib.workbook.parameters import PARAMETERS
from devid_lib.workbook.session import source_path
from devid_lib.workbook.sweep import load_sweep, point_name, points_of

session = start("91_sweep", globals())
p = session.params

# %% [markdown]
# ## Inputs

# %%
recordings = session.recordings()
given = Path(source_path(p["sweep"])) if p["sweep"] else None
print(f"the sweep in {given.name}" if given else "no sweep is given: a small one is made below")

# %% [markdown]
# ## A grid
#
# A *grid* names parameters and the values of each. Its *points* are all combinations, and at each point $p$ the experiment
# gives a figure $y_p$:
#
# $$ \mathcal{P} = V_1 \times V_2 \times \dots \times V_K, \qquad |\mathcal{P}| = \prod_k |V_k| $$
#
# One of the parameters is the seed. It decides where segments are cut and how a network starts (and which recorders the
# simulator makes up, if `devid sweep` runs on those): what differs between seeds alone is luck.

# %%
GRID = {
    "segment_length": [1024, 2048, 4096],
    "wavelet": ["haar", "sym8"],
    "seed": [p["seed"], p["seed"] + 1, p["seed"] + 2],
}
names = sorted(GRID)
by_hand = [dict(zip(names, values, strict=True)) for values in itertools.product(*(GRID[name] for name in names))]
np.testing.assert_array_equal(points_of(GRID), by_hand)
print(f"{len(by_hand)} points, the first {by_hand[0]}")

# %% [markdown]
# Notebooks are run at every point of a grid by one command. `grid.yaml` says what,
#
# ```
# only: ["03", "04"]            # notebooks; without this line all
# preset: quick
# parameters: {epochs: 5}       # the same at all points
# grid:                         # or a list of grids, for points that are no combinations
#   seed: [0, 1, 2]
#   wavelet: [haar, db4, sym8]
# ```
#
# and `devid sweep grid.yaml --out runs/wavelets` gives every point a run folder of its own in `runs/wavelets`, some side by
# side in as many processes as there are cores, or with `--scheduler ADDRESS` on the workers of a Dask cluster on many
# machines. Called again it goes on where it was. All results are in `sweep.csv`; set `sweep` above to the folder to draw it.
#
# Here is the same as a loop, with a linear reader (ridge regression, notebook 02) in place of whole notebooks. What takes
# longest is to read recordings; so each is read once, and gives its segments to all points.

# %%
N = 40  # segments of a recording
segments = recordings.loc[np.repeat(recordings.index, N), ["device", "recording", "split"]].reset_index(drop=True)
segments = segments.assign(draw=0, start=np.tile(np.arange(N), len(recordings)))
train, test = segments["split"] == "train", segments["split"] == "test"


def features(points):
    """Return the noise spectra of all segments at every point, a dict of np.ndarray [shape=(segments, bins)]."""
    found = {point_name(point): [] for point in points}
    for row in recordings.itertuples() if points else ():
        y, _ = load_recording(row.path, samplerate=int(row.samplerate))
        of_name = zlib.crc32(f"{row.device}/{row.recording}".encode())
        for point in points:
            n, rng = point["segment_length"], np.random.default_rng([point["seed"], 0, of_name])
            pieces, _ = random_segments(y, n=N, length=n, rng=rng)
            x = extract_features(pieces, wavelet=point["wavelet"], scale=training.feature_scale("default", n))
            found[point_name(point)].append(x)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def asked(x):
    """Return what ridge regression says of the test segments at one point."""
    reader = make_pipeline(StandardScaler(), RidgeClassifier(alpha=100.0)).fit(x[train], segments["device"][train])
    devices = sorted(set(segments["device"]))
    decided = reader.predict(x[test])[:, np.newaxis] == np.array(devices)
    return evaluation.predictions_table(decided, segments[test], devices)


# %%
said = {name: asked(x) for name, x in features([] if given else by_hand).items()}
if given:
    table, kept = load_sweep(given)
else:
    rows = [{"point": point_name(point)} | point | evaluation.accuracy(said[point_name(point)]) for point in by_hand]
    table = pd.DataFrame(rows).assign(system="ridge", unit="segment", metric="accuracy", failed="")
    kept = pd.DataFrame(by_hand)
swept = [name for name in kept if name != "seed" and len(set(kept[name])) > 1]
print(f"{table['point'].nunique()} points; swept: {', '.join(swept) or 'nothing'}; seeds: {table['seed'].nunique()}")
table[["point", *swept, "seed", "system", "value", "low", "high"]].head(4)

# %% [markdown]
# ## Over a parameter
#
# With $S$ seeds a setting has $S$ figures. Their mean, and an interval for what it would be with very many seeds (Student's
# $t$; what reaches below 0 or above 100 % is cut off):
#
# $$ \bar y \pm t_{0.975,\, S-1}\, \frac{s}{\sqrt{S}}, \qquad s^2 = \frac{1}{S-1} \sum_s (y_s - \bar y)^2 $$

# %%
figures = table[(table["metric"] == "accuracy") & (table["unit"] == "segment") & (table["failed"] == "")]
if len(swept) > 1:
    figures = figures[figures["system"] == figures["system"].iloc[0]]
order = sorted(swept, key=lambda name: (not pd.api.types.is_numeric_dtype(figures[name]), -figures[name].nunique()))
x_name, line_name = (order + ["system", "metric"])[:2]
x_label = x_name + "".join(re.findall(r" \[\w+\]", PARAMETERS[x_name].help if x_name in PARAMETERS else ""))  # its unit


def over_seeds(values):
    """Return mean and interval over seeds."""
    y = np.asarray(values, float)
    half = stats.t.ppf(0.975, len(y) - 1) * y.std(ddof=1) / np.sqrt(len(y)) if len(y) > 1 else np.nan
    return {"value": y.mean(), "low": y.mean() - half, "high": y.mean() + half, "n": len(y)}


means = figures.groupby([x_name, line_name, "seed"], sort=False)["value"].mean()  # of what else is swept
settings = dict(list(means.groupby(level=[0, 1], sort=False)))
curves = pd.DataFrame({setting: over_seeds(own) for setting, own in settings.items()}).T.rename_axis([x_name, line_name])
first = next(iter(settings.values())).to_numpy()
if len(first) > 1 and first.std() > 0:
    expected = stats.ttest_1samp(first, 0).confidence_interval()
    np.testing.assert_allclose(curves.iloc[0][["low", "high"]].astype(float), expected)
half = {"over seeds": (curves["high"] - curves["low"]).mean() / 2}
curves[["low", "high"]] = curves[["low", "high"]].clip(0, 1)
curves.style.format("{:.1%}").format("{:.0f}", subset="n")

# %%
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
places = list(dict.fromkeys(curves.index.get_level_values(0)))
lines = list(dict.fromkeys(curves.index.get_level_values(1)))
for k, name in enumerate(lines):
    own = curves.xs(name, level=1).reindex(places)
    error = 100 * np.nan_to_num([own["value"] - own["low"], own["high"] - own["value"]])
    at = np.arange(len(places)) + 0.06 * (k - (len(lines) - 1) / 2)
    ax.errorbar(at, 100 * own["value"], error, fmt="o-", ms=4, capsize=3, label=plots.label(str(name)))
ax.axhline(100 * figures["chance"].mean(), color="0.5", ls=":", label="chance")
ax.set_xticks(range(len(places)), [plots.label(str(place)) for place in places])
ax.set(xlabel=x_label, ylabel="segments named right [%]")
ax.legend(title=line_name, loc="upper left", bbox_to_anchor=(1.01, 1))
session.save_figure(ax, "curves", f"Segments named right over {x_name}; bars are 95 % intervals over seeds.")

# %% [markdown]
# A bar says how far the mean may be from that of very many seeds. It does *not* say how other recordings would fare: all
# seeds ask the same test recordings, and more seeds make the bar as short as one likes. The interval over recordings stays
# as it is. Here are the two, mean half-widths in points:

# %%
half = pd.Series(half | {"over recordings": (figures["high"] - figures["low"]).mean() / 2})
(100 * half).round(1).to_frame("half-width [points]")

# %% [markdown]
# ## Over two parameters
#
# A heat map shows whether one parameter's best value hangs on the other: where every
# row is the first one, only lighter or darker, it does not.

# %%
grid = curves.pivot_table("value", x_name, line_name).reindex(index=places, columns=lines)
fig, ax = plt.subplots(figsize=(1.6 + 1.2 * len(lines), 1.2 + 0.45 * len(places)), layout="constrained")
sns.heatmap(100 * grid, annot=grid.size <= 60, fmt=".1f", cmap="viridis", ax=ax, cbar_kws={"label": "named right [%]"})
ax.set(xlabel=line_name, ylabel=x_label)
ax.tick_params(axis="y", rotation=0)
session.save_figure(ax, "heat-map", f"Segments named right over {x_name} and {line_name}, mean over seeds.")

# %% [markdown]
# Settings that were asked with the same seeds can be compared seed by seed, in pairs, which takes out what the seeds have
# in common. Here each line is compared with the first one (of a single line, each of its points), seed by seed, in the mean
# over all else. "Higher" counts the seeds with which it names more. That is no test of the setting: where it makes no
# difference, $S$ seeds still agree by luck in $2^{1-S}$ of all sweeps, and all of them ask the same recordings.

# %%
compared, ways = (line_name, lines) if len(lines) > 1 else (x_name, places)
by_way = figures.pivot_table("value", "seed", compared)[ways].dropna()
gained = by_way[ways[1:]].sub(by_way[ways[0]], axis=0)
higher, lower = (gained > 0).sum(), (gained < 0).sum()
against = pd.DataFrame({name: over_seeds(own) for name, own in gained.items()}).T.assign(higher=higher, lower=lower)
counts = ["n", "higher", "lower"] if len(against) else []
against.style.format("{:+.1%}").format("{:.0f}", subset=counts)

# %% [markdown]
# ## What can go wrong
#
# **The best point is too good.** Ask many settings that are all alike, and one of them comes out best. For $K$ settings
# whose figures scatter with standard deviation $\sigma$ it lies above the truth, on average by up to $\sigma \sqrt{2 \ln K}$.
# So a setting is chosen on development recordings, and its figure read once, on others. How much would be luck here,
# if all points were equally good and each asked recordings of its own?

# %%
n_asked = (recordings["split"] == "test").sum()
sigma = half["over recordings"] / stats.t.ppf(0.975, n_asked - 1)
K = figures["point"].nunique()
rng = np.random.default_rng(p["seed"])
luck = rng.normal(0, sigma, (2000, K)).max(axis=1).mean()
print(f"best of {K} equal points: {100 * luck:.1f} points above the truth, by luck alone")

# %% [markdown]
# **A misspelt parameter.** A grid is checked before anything is run, point by point.

# %%
for wrong in ({"wavelett": ["haar"]}, {"wavelet": []}):
    try:
        points_of(wrong)
    except DevidError as error:
        print(type(error).__name__, "-", error)

# %% [markdown]
# **A point that fails** is kept as far as it came, has a row in `sweep.csv` that says why, and is missing from the means:

# %%
failed = table[table["failed"] != ""].drop_duplicates("point")
print("\n".join(f"{row.point}: {row.failed}" for row in failed.itertuples()) or "no point failed")

# %% [markdown]
# ## Results of this notebook

# %%
records = [
    {"system": str(figures["system"].iloc[0]), "variant": f"{x_name} {a}, {line_name} {b}", "unit": "segment"}
    | {"metric": "accuracy, mean over seeds", "chance": figures["chance"].mean()}
    | row
    for (a, b), row in curves.to_dict("index").items()
]
records.append({"system": "luck", "metric": f"best of {K} equal points, above the truth", "value": luck})
own = session.finish(session.figures(records))
own[["system", "variant", "metric", "value", "low", "high", "n"]]

# %% [markdown]
# ## What we saw

# %%
top, bottom = curves["value"].idxmax(), curves["value"].idxmin()
bullets = [
    f"{table['point'].nunique()} points, {len(failed)} failed. Means over seeds lie between "
    f"{curves['value'].min():.1%} ({x_name} {bottom[0]}, {line_name} {bottom[1]}) and {curves['value'].max():.1%} "
    f"({x_name} {top[0]}, {line_name} {top[1]}); chance is {figures['chance'].mean():.0%}.",
    f"The best of {K} points that are all alike would be {100 * luck:.1f} points above the truth, if each asked recordings of "
    "its own.",
]
if half.notna().all():
    bullets.append(
        f"The interval over seeds is {100 * half.iloc[0]:.1f} points to each side, that over recordings {100 * half.iloc[1]:.1f}: "
        "the first says how much is luck of the draw, only the second how other recordings would fare."
    )
for name, row in against.iterrows():
    bullets.append(
        f"{compared} {name} names more of these segments than {ways[0]} with {row['higher']:.0f} of {row['n']:.0f} seeds, fewer "
        f"with {row['lower']:.0f} ({100 * row['value']:+.1f} points on average); that all agree is luck in {2 ** (1 - row['n']):.0%} "
        "of sweeps of what makes no difference."
    )
session.saw(*bullets)

# %% [markdown]
# ## Exercises
#
# 1. With how many seeds is the interval over seeds a quarter of that over recordings?
# 2. How much of what differs between points is the length of a segment, how much the wavelet, how much the seed? Split the
#    variance.
#
# Worked answers: [solutions](solutions/91_sweep.ipynb)
#
# Next: [99 · Report](99_report.ipynb)
