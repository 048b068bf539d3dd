"""The figures that notebooks share: each function draws a table or an array and returns the axes it drew on.

Where there is an ``ax``, it is where to draw; else a function makes axes of a fitting size. `set_style` comes first:
figures rely on its constrained layout. Names of devices are data and may hold anything: all functions draw them through
`label`.
"""

import functools
import math
import textwrap
import unicodedata
import warnings
from itertools import pairwise, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import font_manager, patheffects
from matplotlib.collections import PathCollection
from matplotlib.colors import PowerNorm
from matplotlib.patches import Ellipse, Rectangle
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator
from scipy.spatial.distance import cdist

from . import likelihood
from .evaluation import decisions, device_names

PALETTE = sns.color_palette("colorblind", 10)
BLUE, ORANGE, GREEN = PALETTE[:3]
UNITS = {"segment": BLUE, "votes": ORANGE, "1 s": PALETTE[4], "3 s": PALETTE[3], "recording": GREEN}
DARK, LIGHT = "0.25", "0.75"
DEVICES = [*PALETTE[:3], (0.6, 0.06, 0.1), (0.35, 0.85, 1.0), (0.15, 0.15, 0.15), (0.82, 0.8, 0.4), (0.95, 0.65, 0.8),
           (0.32, 0.22, 0.75), (0.62, 0.44, 0.19)]  # fmt: skip
FEW = len(DEVICES)  # devices that colours can tell apart, with shapes for dots and dashes for lines
SHAPES = "osD^v<>PX*"
LONGEST = 28  # characters of a name in a figure; half as many of those that are as wide as high
FONTS = (  # that cover other scripts: of Linux, Windows and macOS
    "DejaVu Sans,Noto Sans CJK SC,Noto Sans SC,WenQuanYi Zen Hei,Microsoft YaHei,PingFang SC,Hiragino Sans GB,"
    "Yu Gothic,Malgun Gothic,Apple SD Gothic Neo,Arial Unicode MS,Noto Sans Arabic,Noto Sans Devanagari,"
    "Noto Sans Thai,Nirmala UI,Leelawadee UI,Segoe UI,Segoe UI Symbol,Segoe UI Emoji,Noto Emoji,Symbola"
).split(",")
_print_once = functools.cache(print)


def set_style():
    """Set the look of all figures, fonts for other scripts (those of `FONTS` that are installed), reproducible SVG."""
    installed = set(font_manager.get_font_names())
    rc = {
        "font.family": ["sans-serif", *(name for name in FONTS if name in installed)],
        "savefig.dpi": 130,
        "figure.constrained_layout.use": True,
        "grid.color": "0.9",
        "axes.edgecolor": "0.7",
        "legend.frameon": False,
        "image.cmap": "magma",
        "svg.hashsalt": "devid",  # without it the ids in an SVG are random and no two runs give the same file
    }
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", font_scale=0.9, rc=rc)


def label(name):
    r"""Return a name as text that Matplotlib draws as it stands: no formula, in every legend, not too long.

    A line is printed, once, where the installed fonts lack a character.

    >>> label(r"$\foo$"), label("recorder " * 20)
    ('\\$\\foo\\$', 'recorder recor…order recorder')
    """
    name = " ".join(str(name).split())
    half = LONGEST // (4 if any(unicodedata.east_asian_width(character) in "WF" for character in name) else 2)
    name = name if len(name) <= 2 * half else f"{name[:half]}…{name[-half:]}"
    if not name.isascii():
        families = [font_manager.FontProperties(family=[family]) for family in plt.rcParams["font.family"]]
        fonts = [font_manager.get_font(font_manager.findfont(family)) for family in families]
        if not all(any(font.get_char_index(ord(character)) for font in fonts) for character in name):
            _print_once("No installed font has all characters of the names: figures show boxes (Noto fonts may help).")
            warnings.filterwarnings("ignore", message="Glyph .* missing from")  # Matplotlib's, one for each character
    return ("\u200b" if name.startswith("_") else "") + name.replace("$", r"\$")  # legends drop what begins with _


def device_colors(devices):
    """Return a dict of one colour (r, g, b) per device, the same wherever the same devices are given in their order.

    The first ten are far from each other in CIELAB, also as dichromats see them (least distance 34, and 15 for
    protanopes); each one beyond takes the colour farthest from all before it.
    """
    devices = list(dict.fromkeys(devices))
    return dict(zip(devices, DEVICES if len(devices) <= FEW else _far_colors(len(devices)), strict=False))


@functools.cache
def _far_colors(n):
    """Return the first ten, then colours far from all before them in CIELAB, neither too light nor too dark."""
    from skimage.color import rgb2lab

    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 16)] * 3), axis=-1).reshape(-1, 3)
    grid = np.concatenate([DEVICES, grid[np.abs(rgb2lab(grid)[:, 0] - 52) < 27]])
    lab, chosen = rgb2lab(grid), list(range(FEW))
    while len(chosen) < n:
        chosen.append(cdist(lab, lab[chosen]).min(axis=1).argmax())
    return list(map(tuple, grid[chosen].tolist()))


def network(layers, *, branches=1):
    """Draw the layers of a network as boxes, their heights on a logarithmic scale (notebooks 04 to 06).

    ``layers`` holds (label, number of units), input first; all but the last two are drawn in ``branches`` chains.
    """
    tall, half = (2.0, 0.0) if branches == 1 else (1.3, 1.1 * (branches - 1))
    columns = [np.linspace(half, -half, branches)] * (len(layers) - 2) + [[0.0], [0.0]]
    ax = plt.subplots(figsize=(1.4 * len(layers), 2 * half + tall + 1))[1]
    arrow = {"arrowstyle": "-|>", "color": DARK, "lw": 1.2, "mutation_scale": 11}
    scale = tall / math.log(max(size for _, size in layers) + 1)
    for i, ((title, size), rows) in enumerate(zip(layers, columns, strict=True)):
        x, height = 1.4 * i, scale * math.log(size + 1)
        for y in rows:
            ax.add_patch(Rectangle((x - 0.22, y - height / 2), 0.44, height, fc=(*BLUE, 0.3), ec=BLUE, lw=1.2))
            ax.text(x, y + height / 2 + 0.05, f"{size}", ha="center", va="bottom", fontsize=9)
            ax.text(x, y - height / 2 - 0.06, textwrap.fill(title, 15), ha="center", va="top", fontsize=9.5)
    for i, (left, right) in enumerate(pairwise(columns)):
        for start, end in product(left, right):
            if start == end or len(left) > len(right):
                ax.annotate("", (1.4 * i + 1.15, end), (1.4 * i + 0.25, start), arrowprops=arrow)
    ax.set(xlim=(-0.7, 1.4 * len(layers) - 0.7), ylim=(-half - tall / 2 - 0.6, half + tall / 2 + 0.3), aspect="equal")
    ax.axis("off")
    return ax


def device_spectra(spectra, *, highlight=(), ax=None):
    """Draw one spectrum per device over frequency (notebooks 02 and 03).

    ``spectra`` has frequencies [Hz] as its index and one column per device [dB]. Devices to ``highlight`` are coloured,
    the others are grey; without it, all are coloured if they are ten or fewer, else none.
    """
    ax, colors = ax or plt.subplots(figsize=(9, 4.5))[1], device_colors(spectra.columns)
    coloured = list(highlight) or [device for device in colors if len(colors) <= FEW]
    for device in coloured:
        dashes = "-" if list(colors).index(device) % 2 == 0 else "--"
        ax.plot(spectra.index, spectra[device], dashes, color=colors[device], lw=1.3, label=label(device), zorder=3)
    grey, kind = spectra.drop(columns=coloured), "other" if coloured else "device"
    names = [f"{grey.shape[1]} {kind}{'s' * (grey.shape[1] > 1)}", *"_" * grey.shape[1]][: grey.shape[1]]
    ax.plot(spectra.index, grey, color=LIGHT, lw=0.5, rasterized=True, label=names)
    ax.set(xlim=spectra.index[[0, -1]], xlabel="frequency [Hz]", ylabel="magnitude [dB]")
    ax.xaxis.set(major_formatter=EngFormatter(sep=""))
    return _legend(ax)


def curves(values, devices, *, x, ax=None):
    """Draw one curve per recording, values [shape=(n,)] over x, in the colour of its device (notebooks 10a to 10c).

    The legend has room for a handful of devices.
    """
    ax, colors = ax or plt.subplots(figsize=(10, 3.4))[1], device_colors(devices)
    names = {device: label(device) for device in devices}
    for curve, device in zip(values, devices, strict=True):
        ax.plot(x, curve, color=colors[device], lw=0.9, label=names.pop(device, "_"))
    ax.set(xlim=(x[0], x[-1]))
    return _legend(ax)


def plane(points, devices, *, ellipses=None, ax=None):
    """Draw points [shape=(n_i, 2)] of several recordings in a plane of two features (notebooks 10a and 10c).

    ``ellipses`` are for each recording centres and half axes [shape=(k, 2) each] to draw on top, dashed for a device's
    second. The legend has room for a handful of devices.
    """
    ax, colors = ax or plt.subplots(figsize=(7, 4.4))[1], device_colors(devices)
    names = {device: label(device) for device in devices}
    for i, (xy, device) in enumerate(zip(points, devices, strict=True)):
        dashes = "-" if device in names else "--"
        style = {"s": 10, "color": [colors[device]], "alpha": 0.35 if ellipses else 0.7, "lw": 0}
        ax.scatter(*np.transpose(xy), label=names.pop(device, "_"), **style)
        for centre, half in zip(*ellipses[i], strict=True) if ellipses else ():
            ax.add_patch(Ellipse(tuple(centre), *(2 * half), fill=False, edgecolor=colors[device], lw=1.6, ls=dashes))
    return _legend(ax)


def learning_curve(history):
    """Draw the loss and accuracy of a history from `training.fit`, on two axes (notebooks 03 to 06 and 90)."""
    axes = plt.subplots(1, 2, figsize=(10, 3.4))[1]
    table, judged = history.set_index("epoch"), "val_loss" in history and history["val_loss"].notna().any()
    kept, on_test = history.attrs.get("epoch"), history.attrs.get("select_on") == "test"
    name = "test\n(as the authors did)" if on_test else "validation\n(left-out training recordings)"
    for panel, column, factor in zip(axes, ("loss", "accuracy"), (1, 100), strict=True):
        panel.plot(factor * table[column], ".-", color=BLUE, lw=1.8, ms=4, label="training")
        if judged:
            panel.plot(factor * table[f"val_{column}"].dropna(), ".-", color=ORANGE, lw=1.4, ms=6, label=name)
        if judged and kept:
            panel.axvline(kept, color=DARK, ls=":", lw=1.3, label=f"kept: epoch {kept}")
        panel.set(xlabel="epoch" if judged else "iteration", ylabel=column + " [%]" * (factor == 100))
        panel.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    _legend(axes[1])
    return axes


def accuracy_bars(rows):
    """Draw accuracies as bars with their intervals, chance levels and the paper's figures (notebooks 02 to 07, 11).

    ``rows`` are rows of ``results.csv``, drawn from top to bottom; only system, unit and value have to be known.
    """
    ax = plt.subplots(figsize=(9.5, max(2.0, 1.1 + len(rows) * (0.36 if len(rows) <= 15 else 0.24))))[1]
    numbers = rows.reindex(columns=["value", "low", "high", "chance", "paper"]).apply(pd.to_numeric, errors="coerce")
    value, low, high, chance, paper = 100 * numbers.astype(float).to_numpy().T
    y, kinds = np.arange(len(rows)), rows["unit"].str.replace("^vote.*", "votes", regex=True).to_numpy()
    for kind in dict.fromkeys(kinds):
        own, color = kinds == kind, UNITS.get(kind, PALETTE[4])
        ax.barh(y[own], value[own], 0.66, color=color, alpha=0.55, zorder=2, label=kind)
    if np.isfinite(low).any():
        ax.hlines(y, low, high, color=DARK, lw=1.6, zorder=3, label="95 % interval")
    if np.isfinite(chance).any():
        ax.vlines(chance, y - 0.5, y + 0.5, color=DARK, ls="--", lw=1.2, zorder=3, label="chance")
    if np.isfinite(paper).any():
        ax.scatter(paper, y, 42, "white", marker="D", ec=DARK, lw=1.2, zorder=4, clip_on=False, label="paper")
    for place, number in zip(y, value, strict=True):
        ax.text(101.5, place, f"{number:.1f}", va="center", fontsize=9)
    unit = rows["unit"].str.replace("^vote(.*)", r"\1 voters", regex=True)
    variants = rows.get("variant", [""] * len(rows))
    brackets = [f" ({label(name)})" if isinstance(name, str) and name else "" for name in variants]
    ax.set_yticks(y, rows["system"].map(label) + brackets + ", " + unit, fontsize=9.5 if len(rows) <= 15 else 8)
    ax.set(xlabel="accuracy [%]", xlim=(0, 100), ylim=(len(rows) - 0.5, -0.5))
    ax.grid(False, axis="y")
    return _legend(ax, gap=0.11)


def vote_curve(curves, *, paper=None):
    """Draw accuracy [%] against the number of voting segments (notebooks 07 and 11; table V of the paper).

    ``curves`` holds tables by label (voters, value, low, high, chance), ``paper`` fractions. Intervals are dotted.
    """
    ax, together = plt.subplots(figsize=(8, 4))[1], pd.concat(curves.values())
    for i, (name, table) in enumerate(curves.items()):
        color, dashes = PALETTE[i % FEW], "--" if i % 2 else "-"  # dashes let an equal curve below show through
        ax.plot(table["voters"], 100 * table[["low", "high"]], ":", color=color, lw=1)  # bands would mix their colours
        ax.plot(table["voters"], 100 * table["value"], dashes, color=color, marker="o", ms=4, lw=1.8, label=label(name))
    if paper:
        ax.plot(list(paper), 100 * np.array(list(paper.values())), "D", ms=7, mfc="none", mec=DARK, label="paper")
    chance, (low, high) = 100 * together["chance"].max(), ax.get_ylim()
    ax.axhline(chance, color=DARK, ls="--", lw=1.2, label=f"chance: {chance:.1f} %" + " (below)" * bool(chance < low))
    ax.set(xlabel="voters [segments]", ylabel="accuracy [%]", ylim=(max(low, -2), min(high, 102)))
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    if together["voters"].max() > 15:
        ax.set_xscale("log")
        ax.xaxis.set(major_locator=LogLocator(subs=(1, 2, 3, 5, 7)), major_formatter="{x:g}")
        ax.minorticks_off()
    return _legend(ax)


def confusion_matrix(predictions):
    """Draw decisions against true devices, in percent of each true device (notebooks 08 and 11; figure 6 of the paper).

    ``predictions`` has one row per decision. Up to 20 devices get numbers; of more than 60 not all are named.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    names, norm = device_names(predictions), PowerNorm(0.5, vmin=0, vmax=1)  # which shows a few percent
    labels, n, step = [label(name) for name in names], len(names), math.ceil(len(names) / 60)
    size = 9.5 if n <= 20 else 7.5
    side = np.clip(0.55 * n, 3, 8.5) + 0.0075 * size * max(map(len, labels))  # [inch], with the longest name
    ax = plt.subplots(figsize=(side + 1.8, side + 0.6))[1]
    style = {"cmap": "Blues", "im_kw": {"norm": norm}, "text_kw": {"fontsize": 8}, "include_values": n <= 20, "ax": ax}
    truth, decided = predictions["device"], decisions(predictions)
    display = ConfusionMatrixDisplay.from_predictions(truth, decided, labels=names, normalize="true", **style)
    for value, text in zip(display.confusion_matrix.flat, ax.texts, strict=False):
        text.set(text=f"{100 * value:.1f}".removesuffix(".0") if value else "")
        text.set(color="white" if norm(value) > 0.6 else DARK)
    ax.set_xticks(range(0, n, step), labels[::step], rotation=90, fontsize=size)
    ax.set_yticks(range(0, n, step), labels[::step], fontsize=size)
    ax.set(xlabel="decided device", ylabel="true device")
    ax.grid(False)
    bar, percent = display.im_.colorbar, [0, 1, 5, 10, 20, 40, 60, 80, 100]
    bar.set_ticks(np.divide(percent, 100), labels=percent)
    bar.set_label("share of the row [%]")
    return ax


def calibration(tables):
    """Draw how often a classifier is right against how sure it says it is, in percent (notebooks 08 and 11).

    ``tables`` holds a label and a table from `evaluation.calibration` each. Larger markers: more decisions.
    """
    ax = plt.subplots(figsize=(7, 4.8))[1]
    ax.plot([0, 100], [0, 100], color=DARK, ls="--", lw=1.2, label="calibrated")
    for (name, table), color in zip(tables.items(), device_colors(tables).values(), strict=True):
        place, share = (100 * table["confidence"], 100 * table["accuracy"]), table["n"] / table["n"].sum()
        ax.plot(*place, color=color, lw=1.5, marker="o", ms=4, label=label(name))
        ax.scatter(*place, s=15 + 500 * share, color=[color], alpha=0.4, lw=0)
    ax.set(xlabel="confidence [%]", ylabel="accuracy [%]", xlim=(0, 103), ylim=(0, 103))
    return _legend(ax, title="larger marker:\nmore decisions")


def tippett(same, different, *, edge=None, ax=None):
    """Draw which share of the pairs has at least the log10 likelihood ratio on the axis (casework).

    Right of 0, what stands of different devices misleads; left of 0, what is missing of the same device does. The axis
    reaches from ``-edge`` to ``edge``, without it as far as the largest finite ratio.
    """
    ax, edge = ax or plt.subplots(figsize=(7.5, 4))[1], edge or _edge(same, different)
    threshold, accepted, rejected = likelihood.error_rates(same, different)
    threshold = np.concatenate([[-edge], np.clip(threshold, -edge, edge)])
    for name, share, color in (("same device", 1 - rejected, BLUE), ("different devices", accepted, ORANGE)):
        ax.step(threshold, 100 * np.append(share[0], share), where="pre", color=color, lw=1.8, label=name)
    ax.axvline(0, color=DARK, ls="--", lw=1.2, label="no support")
    ax.set(xlabel="log10 likelihood ratio at least", ylabel="pairs [%]", xlim=(-edge, edge), ylim=(-2, 102))
    return _legend(ax)


def pav(same, different, *, edge=None, ax=None):
    """Draw log10 likelihood ratios as the best monotone calibration would have them (casework).

    Below the diagonal right of 0, and above it left of 0, ratios overstate. Infinite ones stand at the edge, and those
    beyond ``edge``; without it axes reach as far as the largest finite ratio.
    """
    ax, edge = ax or plt.subplots(figsize=(6.5, 4.5))[1], edge or _edge(same, different)
    steps = likelihood.pav(same, different)
    ax.axline((0, 0), slope=1, color=DARK, ls="--", lw=1.2, label="calibrated")
    for name, side, color in (("different devices", different, ORANGE), ("same device", same, BLUE)):
        ax.scatter(*np.clip([side, steps(side)], -edge, edge), 14, [color], alpha=0.5, lw=0, clip_on=False, label=name)
    ax.set(xlabel="log10 likelihood ratio", ylabel="after calibration (PAV)", xlim=(-edge, edge), ylim=(-edge, edge))
    return _legend(ax)


def _edge(same, different):
    """Return how far an axis of log10 likelihood ratios has to reach on both sides of 0."""
    values = np.abs(np.concatenate([same, different]))
    return 1.1 * max(1, values[np.isfinite(values)].max(initial=0))


def points(xy, labels, *, devices=None, title="", legend=True, ax=None):
    """Draw points on a plane, coloured by device; the axes mean nothing (notebooks 09 and 11; figure 7 of the paper).

    ``xy`` [shape=(n, 2)] comes from scikit-learn's TSNE, for example; ``labels`` names the device of each point;
    ``devices`` all of them in their order, so that colours agree between figures, by default those of ``labels``,
    sorted. With ``legend``, devices are named: up to twelve beside the plane, more at the median of their points.
    """
    colors = device_colors(sorted(set(labels)) if devices is None else devices)
    xy, labels, few = np.asarray(xy), np.asarray(labels), len(colors) <= 12
    ax = ax or plt.subplots(figsize=(7.5, 6) if len(colors) <= 60 else (11, 9))[1]
    style = {"s": np.clip(12000 / len(labels), 4, 25), "alpha": 0.75, "lw": 0, "rasterized": True}
    for place, (device, color) in enumerate(colors.items()):
        shape = SHAPES[place % FEW]
        ax.scatter(*xy[labels == device].T, color=[color], marker=shape, label=label(device), **style)
    ax.set(xticks=[], yticks=[], title=title)
    if legend and not few:
        _name_clusters(ax, pd.DataFrame(xy).groupby(labels).median(), colors)
    return _legend(ax) if legend and few else ax


def _name_clusters(ax, medians, colors):
    """Write every name at its median, or where another one stands there at the next free place above or below."""
    style = {"ha": "center", "va": "center", "fontsize": 7.5 if len(medians) <= 60 else 6, "clip_on": True}
    style["path_effects"] = [patheffects.withStroke(linewidth=2.5, foreground="white")]
    dark, placed = {name: 0.55 * np.array(color) for name, color in colors.items()}, []
    texts = [ax.text(x, y, label(name), color=dark[name], **style) for name, x, y in medians.itertuples()]
    ax.figure.draw_without_rendering()  # lays the figure out, so that the sizes are known
    left, low, right, high = ax.bbox.extents
    for text in texts:
        box = text.get_window_extent()
        box = box.translated(np.clip(0, left - box.x0, right - box.x1), 0)
        moves = (box.translated(0, step * (-1) ** step * box.height / 8) for step in range(400))
        free = (move for move in moves if low < move.y0 < move.y1 < high and not move.count_overlaps(placed))
        placed.append(next(free, box))
        text.set_position(ax.transData.inverted().transform((placed[-1].min + placed[-1].max) / 2))


def _legend(ax, *, gap=0.01, **options):
    """Put the legend to the right of the axes, where it covers nothing; ``gap`` is a share of their width."""
    options |= {"ncols": math.ceil(len(ax.get_legend_handles_labels()[0]) / 16), "fontsize": 9, "title_fontsize": 9}
    legend = ax.legend(loc="upper left", bbox_to_anchor=(1 + gap, 1), borderaxespad=0, **options)
    for dots in legend.findobj(PathCollection):
        dots.set(alpha=1, sizes=[40])
    return ax
