"""Every figure of the notebooks: each function draws a table or an array and returns the axes it drew on.

A function makes axes of a fitting size where it is given none. Only `set_style` touches Matplotlib's settings.
"""

import math
import textwrap
from itertools import pairwise, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.signal
import seaborn as sns
from matplotlib import patheffects
from matplotlib.colors import PowerNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, FancyBboxPatch, Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from .errors import ParameterError

PALETTE = sns.color_palette("colorblind", 10)
BLUE, ORANGE, GREEN = PALETTE[:3]
SPLITS = {"train": ("training", BLUE), "test": ("test", ORANGE)}
UNITS = {"segment": BLUE, "recording": GREEN, "excerpt": PALETTE[4]}  # what decides; any number of voters is orange
GREY, LIGHT, DARK = "0.6", "0.92", "0.25"
FEW = 10  # devices that colours alone can tell apart
IMAGE = {"aspect": "auto", "cmap": "magma", "interpolation": "antialiased"}
FLOOR_DB = -40  # of the spectra of filters, below each one's own maximum


def set_style():
    """Set the look of all figures: seaborn's white grid, colour-blind palette, sharp in a notebook, reproducible SVG.

    Notes
    -----
    Called once per notebook, by `notebook.start`.
    """
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", font_scale=0.9)
    plt.rcParams.update({
        "figure.dpi": 100,
        "savefig.dpi": 130,
        "figure.constrained_layout.use": True,
        "grid.color": "0.9",
        "axes.edgecolor": "0.7",
        "legend.frameon": False,
        "image.cmap": "magma",
        "svg.hashsalt": "devid",  # without it the ids in an SVG are random and no two runs give the same file
    })


def device_colors(devices):
    """Return one colour for every device, the same in every figure that is given the same devices.

    Parameters
    ----------
    devices : sequence of str
        Device names in their order, from `Dataset.devices`.

    Returns
    -------
    colors : dict
        Device: (r, g, b). The colour-blind palette for up to ten devices; beyond, evenly spaced hues in three
        lightnesses, so that neighbours differ in both.
    """
    devices = list(dict.fromkeys(devices))
    if len(devices) <= FEW:
        return dict(zip(devices, PALETTE, strict=False))
    lightness = (0.45, 0.65, 0.8)
    shades = [sns.husl_palette(len(devices), l=value, s=0.85) for value in lightness]
    return {device: shades[i % len(lightness)][i] for i, device in enumerate(devices)}


def flow(steps, *, ax=None):
    """Draw a chain of processing steps, left to right, in two rows beyond five steps.

    Parameters
    ----------
    steps : sequence of str or (str, str)
        Title, or title and subtitle.
    ax : matplotlib.axes.Axes, optional
        Needs about 1.9 inches of width per step of a row.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        If there are no steps.

    Notes
    -----
    Notebook 00; figures 1, 2, 3 and 5 of the paper.
    """
    _check_filled("steps", steps)
    columns = len(steps) if len(steps) <= 5 else math.ceil(len(steps) / 2)
    places = [(1.9 * (i % columns), -1.5 * (i // columns)) for i in range(len(steps))]
    ax = _canvas(ax, 1.9 * columns, 1.5 * (places[-1][1] < 0) + 1.2)
    for place, step in zip(places, steps, strict=True):
        _block(ax, place, *((step, "") if isinstance(step, str) else step))
    for (x, y), (next_x, next_y) in pairwise(places):
        if y == next_y:
            _arrow(ax, (x + 0.75, y), (next_x - 0.75, y))
        else:  # from the end of the first row back to the start of the second, through the gap between them
            ax.plot([x, x, next_x, next_x], [y - 0.5, y - 0.75, y - 0.75, next_y + 0.7], color=DARK, lw=1.2)
            _arrow(ax, (next_x, y - 0.75), (next_x, next_y + 0.5))
    return _diagram(ax, (-0.85, 1.9 * columns - 1.05), (places[-1][1] - 0.55, 0.55))


def _block(ax, place, title, subtitle):
    """Draw one box of `flow` with its two texts around ``place``."""
    x, y = place
    style = "round,pad=0,rounding_size=0.1"
    ax.add_patch(FancyBboxPatch((x - 0.75, y - 0.5), 1.5, 1, boxstyle=style, fc=(*BLUE, 0.15), ec=BLUE, lw=1.2))
    title, subtitle = textwrap.fill(title, 16), textwrap.fill(subtitle, 20)
    ax.text(x, y + 0.22 * bool(subtitle), title, ha="center", va="center", fontsize=10, fontweight="bold", color=DARK)
    ax.text(x, y - 0.22, subtitle, ha="center", va="center", fontsize=8.5, color=DARK)


def _arrow(ax, start, end):
    style = {"arrowstyle": "-|>", "color": DARK, "lw": 1.2, "shrinkA": 1, "shrinkB": 1, "mutation_scale": 11}
    ax.annotate("", end, start, arrowprops=style)


def _diagram(ax, xlim, ylim):
    """Turn ``ax`` into a plain drawing area in which one unit is as long in x as in y."""
    ax.set(xlim=xlim, ylim=ylim, aspect="equal")
    ax.axis("off")
    return ax


def network(layers, *, ax=None, branches=1):
    """Draw the layers of a network as boxes, their heights on a logarithmic scale.

    Parameters
    ----------
    layers : sequence of (str, int)
        Label and number of units, input first.
    ax : matplotlib.axes.Axes, optional
        Needs about 1.4 inches of width per layer.
    branches : int
        Parallel chains; all but the last two layers are drawn once for each.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        If there are no layers, or fewer than three for several branches.

    Notes
    -----
    Notebooks 03 to 06; figures 2 to 4 of the paper.
    """
    _check_filled("layers", layers)
    if branches > 1 and len(layers) < 3:
        raise ParameterError(f"branches={branches} needs at least three layers, there are {len(layers)}")
    tall, apart = (2.0, 0.0) if branches == 1 else (1.3, 2.2)
    half = apart * (branches - 1) / 2
    rows = np.linspace(half, -half, branches)
    columns = [rows if i < len(layers) - 2 or branches == 1 else [0.0] for i in range(len(layers))]
    ax = _canvas(ax, 1.4 * len(layers), 2 * half + tall + 1)
    largest = math.log(max(size for _, size in layers) + 1)
    for x, ((label, size), heights) in enumerate(zip(layers, columns, strict=True)):
        for y in heights:
            _layer(ax, 1.4 * x, y, label, size, height=tall * math.log(size + 1) / largest)
    for x, (left, right) in enumerate(pairwise(columns)):
        for start, end in zip(left, right, strict=True) if len(left) == len(right) else product(left, right):
            _arrow(ax, (1.4 * x + 0.25, start), (1.4 * x + 1.15, end))
    return _diagram(ax, (-0.7, 1.4 * len(layers) - 0.7), (-half - tall / 2 - 0.6, half + tall / 2 + 0.3))


def _layer(ax, x, y, label, size, *, height):
    """Draw one layer of `network`: its size above, its label below."""
    ax.add_patch(Rectangle((x - 0.22, y - height / 2), 0.44, height, fc=(*BLUE, 0.3), ec=BLUE, lw=1.2))
    ax.text(x, y + height / 2 + 0.05, str(size), ha="center", va="bottom", fontsize=9, color=DARK)
    ax.text(x, y - height / 2 - 0.06, textwrap.fill(label, 15), ha="center", va="top", fontsize=9.5, color=DARK)


def durations(recordings, *, ax=None):
    """Draw how many minutes there are of every device, one piece of the bar per recording.

    Parameters
    ----------
    recordings : pandas.DataFrame
        From `corpus.load_corpus`: device, recording, split, duration_s.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes

    Notes
    -----
    Notebook 00.
    """
    table = recordings.sort_values(["device", "split", "recording"], ascending=[True, False, True])  # training first
    devices = sorted(table["device"].unique())
    ax = _canvas(ax, 7.5, _height(len(devices), 0.32))
    minutes = table["duration_s"].to_numpy() / 60
    left = pd.Series(minutes).groupby(table["device"].to_numpy()).cumsum() - minutes
    colors = [SPLITS[split][1] for split in table["split"]]
    ax.barh(table["device"].map(devices.index), minutes, left=left, color=colors, edgecolor="white", height=0.8)
    _name_rows(ax, devices)
    ax.set(xlabel="duration [min]", xlim=(0, None))
    _split_legend(ax, table["split"])
    return ax


def waveforms(signals, *, samplerate, ax=None):
    """Draw signals one below the other, on one time axis and each on its own amplitude scale.

    Parameters
    ----------
    signals : dict of str to np.ndarray [shape=(n,)]
        Label: samples, full scale = 1.
    samplerate : float
        [Hz]
    ax : array of matplotlib.axes.Axes, optional
        One per signal.

    Returns
    -------
    axes : np.ndarray of matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        If there are no signals, or fewer axes than signals.

    Notes
    -----
    Notebook 02, equation (1).
    """
    _check_filled("signals", signals)
    axes = _panels(ax, len(signals), size=(8.5, 1.7), sharex=True)
    colors = [DARK, BLUE, ORANGE, *PALETTE[3:]]
    for i, (panel, (label, y)) in enumerate(zip(axes, signals.items(), strict=True)):
        panel.plot(1e3 * np.arange(len(y)) / samplerate, y, color=colors[i % len(colors)], lw=0.8)
        panel.set(ylabel="amplitude\n[full scale]")
        panel.set_title(label, loc="right", fontsize=10)
        panel.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2), useMathText=True)
        panel.margins(x=0)
    axes[-1].set_xlabel("time [ms]")
    return axes


def segment_places(segments, *, samplerate, device, ax=None):
    """Draw where the segments of a device lie in its recordings.

    Parameters
    ----------
    segments : pandas.DataFrame
        `Dataset.segments`: device, recording, split, start, n_samples [samples].
    samplerate : float
        [Hz]
    device : str
        The device to draw.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        One row per recording: a grey bar for its length, a line at the start of each segment.

    Raises
    ------
    ParameterError
        If there are no segments of the device.

    Notes
    -----
    Notebook 01.
    """
    own = segments[segments["device"] == device]
    if own.empty:
        raise ParameterError(f"device={device!r} has no segments; there are {', '.join(_names(segments['device']))}")
    groups = list(own.groupby(["split", "recording"], sort=True))
    groups.sort(key=lambda group: group[0][0] != "train")
    ax = _canvas(ax, 9, _height(len(groups), 0.5))
    for row, ((split, _), part) in enumerate(groups):
        ax.barh(row, part["n_samples"].iloc[0] / samplerate, height=0.8, color=LIGHT, zorder=1)
        starts = part["start"].to_numpy() / samplerate
        ax.vlines(starts, row - 0.4, row + 0.4, color=SPLITS[split][1], lw=0.6, alpha=0.7, rasterized=True)
    _name_rows(ax, [f"{recording}\n{len(part)} segments" for (_, recording), part in groups])
    ax.set(xlabel="start of the segment [s]", xlim=(0, None))
    _split_legend(ax, own["split"])
    return ax


def detail_coefficients(details, thresholds, *, ax=None):
    """Draw the detail coefficients of a segment, level by level, and what the threshold takes as noise.

    Parameters
    ----------
    details : sequence of np.ndarray [shape=(n_coefficients,)]
        Finest level first; at most eight are drawn.
    thresholds : sequence of float
        Threshold of each level.
    ax : array of matplotlib.axes.Axes, optional
        One per level.

    Returns
    -------
    axes : np.ndarray of matplotlib.axes.Axes
        Orange is the clipped part, up to the threshold; grey is what rises above it. Panels end at six thresholds:
        lines that touch the edge go on beyond it.

    Raises
    ------
    ParameterError
        If there are no levels, or not as many thresholds as levels, or fewer axes than levels drawn.

    Notes
    -----
    Notebook 02.
    """
    _check_filled("details", details)
    if len(details) != len(thresholds):
        raise ParameterError(f"{len(thresholds)} thresholds do not fit {len(details)} levels")
    n = min(len(details), 8)
    axes = _panels(ax, n, columns=2 if n > 3 else 1, size=(5 if n > 3 else 8.5, 1.5), sharex=True)
    for level, (panel, d, t) in enumerate(zip(axes, details, thresholds, strict=False), start=1):
        _level(panel, np.ravel(d), float(np.squeeze(t)), level)
    for panel in axes[:: 2 if n > 3 else 1]:
        panel.set_ylabel("coefficient", fontsize=9)
    for panel in axes[-(2 if n > 3 else 1) :]:
        panel.set_xlabel("position in the segment [%]", fontsize=10)
        panel.tick_params(labelbottom=True)
    handles = [Patch(color=ORANGE, label="noise"), Patch(color=GREY, label="speech"), _line("threshold", DARK, ls="--")]
    _legend_outside(axes[1 if n > 3 else 0], handles=handles)
    return axes


def _level(ax, d, t, level):
    """Draw one level of `detail_coefficients`."""
    x = 100 * (np.arange(len(d)) + 0.5) / len(d)
    width = float(np.clip(400 / len(d), 0.5, 3))
    noise = np.clip(d, -t, t)
    ax.vlines(x, noise, d, color=GREY, lw=width, rasterized=True)
    ax.vlines(x, 0, noise, color=ORANGE, lw=width, rasterized=True)
    ax.axhline(t, color=DARK, ls="--", lw=0.8)
    ax.axhline(-t, color=DARK, ls="--", lw=0.8)
    largest = float(np.abs(d).max(initial=0)) or 1.0
    edge = 1.1 * max(min(largest, 6 * t if t else largest), t)
    ax.set(xlim=(0, 100), ylim=(-edge, edge))
    ax.yaxis.set_major_locator(MaxNLocator(3, symmetric=True))
    ax.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2), useMathText=True)
    largest_text = f", largest {_short(largest / t)} thresholds" if t else ""
    ax.set_title(f"level {level}{largest_text}", loc="right", fontsize=9)


def thresholding(threshold, *, ax=None):
    """Draw what soft and hard thresholding keep and remove of a coefficient.

    Parameters
    ----------
    threshold : float > 0
        In the unit of the coefficients.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        If ``threshold`` is not positive.

    Notes
    -----
    Notebook 02. Donoho & Johnstone (1994).
    """
    if not threshold > 0:
        raise ParameterError(f"threshold={threshold} is not positive")
    ax = _canvas(ax, 6.8, 4.2)
    x = threshold * np.sort(np.append(np.linspace(-3, 3, 601), [-1 - 1e-9, 1 + 1e-9]))
    removed = {"soft": np.clip(x, -threshold, threshold), "hard": np.where(np.abs(x) > threshold, 0, x)}
    for (mode, part), color in zip(removed.items(), (BLUE, ORANGE), strict=True):
        ax.plot(x, x - part, color=color, lw=2, label=f"{mode}: kept (speech)")
        ax.plot(x, part, color=color, lw=2, ls=":", label=f"{mode}: removed (noise)")
    for place in (-threshold, threshold):
        ax.axvline(place, color=DARK, ls="--", lw=0.8, label="threshold" if place > 0 else None)
    ax.set(xlabel="coefficient", ylabel="part of the coefficient", xlim=(x[0], x[-1]))
    _legend_outside(ax)
    return ax


def spectrogram(y, *, samplerate, ax=None):
    """Draw the spectrogram of a signal, with a colour bar.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Samples, full scale = 1.
    samplerate : float
        [Hz]
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        Mean square per frequency bin in Hann windows of 1024 samples, in dB below full scale squared; the scale ends
        80 dB below its maximum.

    Raises
    ------
    ParameterError
        If ``y`` is not one channel of at least 16 samples.

    Notes
    -----
    Notebook 00.
    """
    if np.ndim(y) != 1 or len(y) < 16:
        raise ParameterError(f"y is one channel of at least 16 samples; this one has shape {np.shape(y)}")
    ax = _canvas(ax, 8.5, 3.6)
    size = min(1024, len(y))
    settings = {"nperseg": size, "noverlap": size * 3 // 4, "window": "hann", "detrend": False, "scaling": "spectrum"}
    _, times, power = scipy.signal.spectrogram(np.asarray(y, float), samplerate, **settings)
    db = 10 * np.log10(power + 1e-20)
    step = (size - settings["noverlap"]) / samplerate
    extent = (times[0] - step / 2, times[-1] + step / 2, 0, samplerate / 2000)
    image = ax.imshow(db, extent=extent, vmin=db.max() - 80, vmax=db.max(), **IMAGE, origin="lower")
    ax.figure.colorbar(image, ax=ax, label="level [dB re full scale]", pad=0.02)
    ax.set(xlabel="time [s]", ylabel="frequency [kHz]")
    ax.grid(False)
    return ax


def device_spectra(spectra, *, highlight=(), ax=None):
    """Draw one spectrum per device over a logarithmic frequency axis.

    Parameters
    ----------
    spectra : pandas.DataFrame
        Index frequency [Hz], one column per device [dB].
    highlight : sequence of str
        Devices to colour; the others are grey. Without it, all are coloured if they are ten or fewer, else all grey.
        Of more than ten devices, those highlighted take the colours of the colour-blind palette, to be told apart.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        With a legend of the coloured devices. Frequencies below 20 Hz are left out.

    Raises
    ------
    ParameterError
        If a device of ``highlight`` is not among the columns.

    Notes
    -----
    Notebooks 02 and 03.
    """
    devices = list(spectra.columns)
    if unknown := [name for name in highlight if name not in devices]:
        raise ParameterError(f"highlight={unknown[0]!r} is not one of {', '.join(map(str, devices))}")
    ax = _canvas(ax, 9, 4.5)
    coloured = list(highlight) or (devices if len(devices) <= FEW else [])
    colors = device_colors(devices if len(devices) <= FEW else coloured)
    shown = spectra[spectra.index >= 20]
    grey = [name for name in devices if name not in coloured]
    for device in grey:
        ax.plot(shown.index, shown[device], color="0.75", lw=0.5, rasterized=len(devices) > FEW)
    for device in coloured:
        ax.plot(shown.index, shown[device], color=colors[device], lw=1.2, label=device)
    _frequency_axis(ax, shown.index[0], shown.index[-1])
    ax.set(ylabel="magnitude [dB]")
    kind = "other" if coloured else "device"
    others = [_line(f"{len(grey)} {kind}{'s' * (len(grey) > 1)}", "0.75")] if grey else []
    _legend_outside(ax, handles=ax.get_legend_handles_labels()[0] + others)
    return ax


def _frequency_axis(ax, low, high):
    """Make x a logarithmic frequency axis with round numbers."""
    round_numbers = [20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000]
    ax.set(xscale="log", xlim=(low, high), xlabel="frequency [Hz]")
    ax.xaxis.set_major_locator(FixedLocator(round_numbers))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda f, _: f"{f / 1000:g}k" if f >= 1000 else f"{f:g}"))
    ax.xaxis.set_minor_locator(NullLocator())


def feature_matrix(X, labels, *, ax=None):
    """Draw the features of segments as an image, sorted by device.

    Parameters
    ----------
    X : np.ndarray [shape=(n_segments, n_features)]
        Features; of more than 1500 segments an even choice is drawn.
    labels : sequence of str
        Device of each segment.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        Colours span the middle 98 % of the values.

    Raises
    ------
    ParameterError
        If ``X`` is not a matrix with one row per label.

    Notes
    -----
    Notebook 01, equation (3).
    """
    labels = np.asarray(labels).astype(str)
    if np.ndim(X) != 2 or len(X) != len(labels) or not len(X):
        raise ParameterError(f"X is a matrix with one row per label; shape {np.shape(X)}, {len(labels)} labels")
    order = np.argsort(labels, kind="stable")[:: math.ceil(len(labels) / 1500)]
    image, devices = np.asarray(X)[order], _names(labels)
    edges = np.append(np.searchsorted(labels[order], devices), len(order))
    ax = _canvas(ax, 9, 4.8)
    low, high = np.quantile(image, [0.01, 0.99])
    drawn = ax.imshow(image, vmin=low, vmax=high, **IMAGE)
    ax.hlines(edges[1:-1] - 0.5, -0.5, image.shape[1] - 0.5, color="white", lw=1 if len(devices) <= 15 else 0.5)
    step = 1 if len(devices) <= 15 else math.ceil(len(devices) / 15)
    ax.set_yticks(((edges[:-1] + edges[1:] - 1) / 2)[::step], devices[::step])
    ax.set(xlabel="frequency bin", xlim=(-0.5, image.shape[1] - 0.5))
    ax.figure.colorbar(drawn, ax=ax, label="feature, log(c m + 1)", pad=0.02)
    ax.grid(False)
    return ax


def log_scale(levels, *, scales, ax=None):
    """Draw the feature against the level of a magnitude, and where the magnitudes of devices lie.

    Parameters
    ----------
    levels : dict of str to (float, float)
        Device: lower and upper end of the middle 90 % of its magnitudes [dB].
    scales : dict of str to float
        Label: factor c on the magnitudes.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        log(c m + 1), each curve divided by its own value at the right end.

    Raises
    ------
    ParameterError
        If there are no levels or no scales.

    Notes
    -----
    Notebook 02. log(c m + 1) is linear for c m << 1: there a curve lies flat on zero and tells levels hardly apart.
    """
    _check_filled("levels", levels)
    _check_filled("scales", scales)
    ends = np.array(list(levels.values()), float)
    db = np.linspace(ends.min() - 10, ends.max() + 10, 400)
    ax = _canvas(ax, 8.5, max(4.2, 0.17 * len(levels)))
    for (label, scale), dash in zip(scales.items(), ("-", "--", "-.", ":") * len(scales), strict=False):
        feature = np.log1p(scale * 10 ** (db / 20))
        ax.plot(db, feature / feature[-1], color=DARK, ls=dash, lw=2, label=label)
    _spans(ax, levels)
    ax.set(xlabel="magnitude m [dB]", ylabel="log(c m + 1), share of its end value")
    ax.set(xlim=(db[0], db[-1]), ylim=(0, 1.02))
    _legend_outside(ax, title=None if len(levels) <= 3 else "bars: middle 90 %")
    return ax


def _spans(ax, levels):
    """Shade the range of each device: over the whole height up to three devices, beyond in a strip for each."""
    colors, n = device_colors(levels), len(levels)
    for i, (device, (low, high)) in enumerate(levels.items()):
        if n <= 3:
            color = colors[device]
            ax.axvspan(low, high, fc=(*color, 0.15), ec=color, lw=1.5, label=f"{device}, middle 90 %")
            continue
        bottom, top = 1 - (i + 0.9) / n, 1 - (i + 0.1) / n
        ax.axvspan(low, high, bottom, top, color=colors[device], alpha=0.45, lw=0)
        x, y, style = (low + high) / 2, (bottom + top) / 2, {"ha": "center", "va": "center", "color": DARK}
        ax.text(x, y, device, transform=ax.get_xaxis_transform(), fontsize=_font(n), **style)


def learning_curve(history, *, ax=None):
    """Draw loss and accuracy over the epochs of a fit.

    Parameters
    ----------
    history : pandas.DataFrame
        From `training.fit`: epoch, loss, accuracy and, where epochs were judged, val_loss, val_accuracy (missing
        between two validations); ``attrs`` with the kept epoch and select_on.
    ax : array of 2 matplotlib.axes.Axes, optional

    Returns
    -------
    axes : np.ndarray of matplotlib.axes.Axes
        Loss, and accuracy in percent. A dotted line marks the kept epoch, where one was chosen.

    Raises
    ------
    ParameterError
        If there are fewer than two axes.

    Notes
    -----
    Notebooks 03 to 06 and 90.
    """
    axes = _panels(ax, 2, columns=2, size=(5, 3.2))
    judged = "val_loss" in history and history["val_loss"].notna().any()
    for panel, name, unit, factor in zip(axes, ("loss", "accuracy"), ("", " [%]"), (1, 100), strict=True):
        marker = "o" if len(history) == 1 else ""
        panel.plot(history["epoch"], factor * history[name], color=BLUE, lw=1.8, marker=marker, label="training")
        if judged:
            _judged(panel, history["epoch"], factor * history[f"val_{name}"], history.attrs.get("select_on"))
            _kept(panel, history.attrs.get("epoch"), name)
        panel.set(xlabel="epoch" if judged else "iteration", ylabel=f"{name}{unit}")
        panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _legend_outside(axes[1])
    return axes


def _judged(ax, epoch, values, select_on):
    """Draw the validation curve, with points where epochs were left out between two validations."""
    held_out = "validation\n(held-out stretches of\nthe training recordings)"
    label = "test\n(as the authors did)" if select_on == "test" else held_out
    known = values.notna()
    marker = "" if known.all() and len(known) > 1 else "o"
    ax.plot(epoch[known], values[known], color=ORANGE, lw=1.4, marker=marker, ms=3.5, label=label)


def _kept(ax, epoch, name):
    """Mark the kept epoch, its name where neither curve is: at the top for the loss, at the bottom for accuracy."""
    if not epoch:
        return
    ax.axvline(epoch, color=DARK, ls=":", lw=1.3)
    left = epoch > np.mean(ax.get_xlim())
    top = name == "loss"
    ax.annotate(
        f"kept: epoch {epoch}",
        (epoch, top),
        (-5 if left else 5, -5 if top else 5),
        xycoords=ax.get_xaxis_transform(),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top" if top else "bottom",
        fontsize=9,
        color=DARK,
    )


def accuracy_bars(rows, *, ax=None):
    """Draw accuracies as bars, each with its interval, its chance level and the paper's figure.

    Parameters
    ----------
    rows : pandas.DataFrame
        In columns of ``results.csv``: system, variant, unit, value and, where known, low, high, chance, paper
        (fractions). Drawn from top to bottom.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        If there are no rows.

    Notes
    -----
    Notebooks 03 to 07; tables II to V of the paper.
    """
    _check_filled("rows", rows)
    ax = _canvas(ax, 9.5, _height(len(rows), 0.36))
    value, low, high, chance, paper = (_percent(rows, name) for name in ("value", "low", "high", "chance", "paper"))
    y, units = np.arange(len(rows)), list(rows["unit"])
    colors = [UNITS.get(unit, ORANGE) for unit in units]
    ax.barh(y, value, color=colors, alpha=0.55, height=0.66, zorder=2)
    ax.hlines(y, low, high, color=DARK, lw=1.6, zorder=3)
    ax.vlines(chance, y - 0.5, y + 0.5, color=DARK, ls="--", lw=1.2, zorder=3)
    ax.scatter(paper, y, marker="D", s=42, facecolor="white", edgecolor=DARK, linewidth=1.2, zorder=4, clip_on=False)
    for place, number in zip(y, value, strict=True):
        ax.text(101.5, place, f"{number:.1f}", va="center", fontsize=9, clip_on=False)
    _name_rows(ax, [_system(row) for row in rows.to_dict("records")], size=9.5)
    ax.set(xlabel="accuracy [%]", xlim=(0, 100))
    ax.grid(False, axis="y")
    _accuracy_legend(ax, units, paper, chance, low)
    return ax


def _percent(rows, name):
    """Return a column of fractions in percent; a missing column or cell is NaN."""
    if name not in rows:
        return np.full(len(rows), np.nan)
    return 100 * pd.to_numeric(rows[name]).to_numpy(float, na_value=np.nan)


def _system(row):
    """Return the name of a row of results: system, variant in brackets, unit."""
    variant = row.get("variant")
    variant = f" ({variant})" if isinstance(variant, str) and variant else ""
    return f"{row['system']}{variant}, {_unit(row['unit'])}"


def _unit(unit):
    return f"{unit[4:]} voters" if unit.startswith("vote") else unit


def _accuracy_legend(ax, units, paper, chance, low):
    """Put the legend of `accuracy_bars` beside it: the kinds of bar, and those marks that were drawn."""
    kinds = dict.fromkeys("votes" if unit.startswith("vote") else unit for unit in units)
    handles = [Patch(color=UNITS.get(kind, ORANGE), alpha=0.55, label=kind) for kind in kinds]
    marks = {"95 % interval": (low, {"ls": "-", "lw": 1.6}), "chance": (chance, {"ls": "--", "lw": 1.2})}
    marks["paper"] = (paper, {"ls": "", "marker": "D", "ms": 6, "mfc": "white"})
    handles += [_line(label, DARK, **style) for label, (values, style) in marks.items() if not np.isnan(values).all()]
    _legend_outside(ax, handles=handles, gap=0.11)


def vote_curve(curves, *, paper=None, error=False, ax=None):
    """Draw accuracy against the number of voting segments.

    Parameters
    ----------
    curves : dict of str to pandas.DataFrame
        Label: table from `evaluation.vote_curve` with voters, value, low, high and, where known, chance (fractions).
    paper : dict of int to float, optional
        The paper's accuracies: voters: fraction.
    error : bool
        Draw the error, 1 - accuracy.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        Percent. Where chance lies outside the picture, the legend names it.

    Raises
    ------
    ParameterError
        If there are no curves.

    Notes
    -----
    Notebook 07; table V of the paper.
    """
    _check_filled("curves", curves)
    for label, table in curves.items():
        _check_filled(f"curves[{label!r}]", table)
    ax = _canvas(ax, 8, 4)

    def percent(values):
        return 100 * abs(error - np.asarray(values, float))

    for i, (label, table) in enumerate(curves.items()):
        color, dash = PALETTE[i % len(PALETTE)], "--" if i % 2 else "-"  # dashes let an equal curve below show through
        ax.fill_between(table["voters"], percent(table["low"]), percent(table["high"]), color=color, alpha=0.18, lw=0)
        ax.plot(table["voters"], percent(table["value"]), color=color, ls=dash, marker="o", ms=4, lw=1.8, label=label)
    if paper:
        style = {"ls": "", "marker": "D", "ms": 7, "mfc": "none", "mec": DARK}
        ax.plot(list(paper), percent(list(paper.values())), label="paper", **style)
    ax.set(xlabel="voters [segments]", ylabel="error [%]" if error else "accuracy [%]")
    _voter_axis(ax, max(table["voters"].max() for table in curves.values()))
    _chance(ax, [percent(table["chance"]) for table in curves.values() if "chance" in table])
    _legend_outside(ax)
    return ax


def _voter_axis(ax, most):
    """Put whole numbers on x; the axis is logarithmic beyond 15 voters, since most happens at the first few."""
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True, steps=[1, 2, 5, 10]))
    if most > 15:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(FixedLocator([1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200, 500, 1000]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        ax.xaxis.set_minor_locator(NullLocator())


def _chance(ax, levels):
    """Draw the chance level where it is in view; the legend names it in any case. The view stays as it is."""
    if not levels:
        return
    level, (low, high) = float(np.nanmax(np.concatenate(levels))), ax.get_ylim()
    low, high = max(low, -2), min(high, 102)
    where = " (below)" if level < low else " (above)" if level > high else ""
    ax.axhline(level, color=DARK, ls="--", lw=1.2, label=f"chance: {level:.1f} %{where}")
    ax.set_ylim(low, high)


def confusion_matrix(matrix, *, ax=None):
    """Draw a confusion matrix in percent of the true device's decisions.

    Parameters
    ----------
    matrix : pandas.DataFrame
        From `evaluation.confusion`: rows the true device, columns the decision, fractions.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        With numbers for up to 15 devices; zeros are left blank.

    Raises
    ------
    ParameterError
        If the matrix is empty.

    Notes
    -----
    Notebook 08; figure 6 of the paper.
    """
    _check_filled("matrix", matrix)
    percent, n = 100 * matrix.to_numpy(float), len(matrix)
    side = float(np.clip(0.55 * n, 4.5, 9))
    ax = _canvas(ax, side + 1.3, side)
    norm = PowerNorm(0.5, vmin=0, vmax=100)  # so that a few percent off the diagonal can be seen
    image = ax.imshow(percent, norm=norm, cmap="Blues", interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax, ticks=[0, 1, 5, 10, 20, 40, 60, 80, 100], shrink=0.8, pad=0.02)
    bar.set_label("share of the true device's decisions [%]")
    if n <= 15:
        for (row, column), value in np.ndenumerate(percent):
            ink = "white" if norm(value) > 0.6 else DARK
            ax.text(column, row, _whole(value), ha="center", va="center", fontsize=9, color=ink)
    ax.set_xticks(range(matrix.shape[1]), matrix.columns, rotation=90 if n > 15 else 45, fontsize=_font(n))
    plt.setp(ax.get_xticklabels(), ha="center" if n > 15 else "right", rotation_mode=None if n > 15 else "anchor")
    ax.set_yticks(range(n), matrix.index, fontsize=_font(n))
    ax.set(xlabel="decided device", ylabel="true device")
    ax.grid(False)
    return ax


def _whole(value):
    """Return a percentage as a whole number, nothing for zero, and no zero for anything else."""
    return "" if value == 0 else "<1" if value < 0.5 else f"{value:.0f}"


def tsne(points, labels, *, devices=None, title=None, legend=True, ax=None):
    """Draw points on a plane, coloured by device.

    Parameters
    ----------
    points : np.ndarray [shape=(n, 2)]
        From `embedding.tsne`.
    labels : sequence of str
        Device of each point.
    devices : sequence of str, optional
        All devices in their order, so that colours agree between figures; default: those of ``labels``, sorted.
    title : str, optional
    legend : bool
        Name the devices: in a legend up to twelve, beyond at the median of each device's points.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        Without ticks: neither the axes nor long distances mean anything.

    Raises
    ------
    ParameterError
        If ``points`` is not a matrix of two columns with one row per label, or a label is not among ``devices``.

    Notes
    -----
    Notebook 09; figure 7 of the paper. van der Maaten & Hinton (2008).
    """
    points, labels = np.asarray(points), np.asarray(labels).astype(str)
    if points.shape != (len(labels), 2):
        raise ParameterError(f"points of shape {points.shape} do not fit {len(labels)} labels on a plane")
    devices = _names(labels) if devices is None else list(devices)
    if unknown := set(labels) - set(devices):
        raise ParameterError(f"label {min(unknown)!r} is not one of the devices {', '.join(devices)}")
    ax = _canvas(ax, 7.5, 6)
    colors, size = device_colors(devices), float(np.clip(12000 / len(labels), 4, 25))
    for device in devices:
        own = points[labels == device]
        ax.scatter(*own.T, s=size, color=[colors[device]], alpha=0.75, linewidths=0, label=device, rasterized=True)
    ax.set(xticks=[], yticks=[], title=title or "")
    if legend and len(devices) <= 12:
        _legend_outside(ax, markerscale=math.sqrt(40 / size))
    elif legend:
        _name_clusters(ax, points, labels, colors)
    return ax


def _name_clusters(ax, points, labels, colors):
    """Write the name of every device at the median of its points, or a little above or below where names collide."""
    names = _names(labels)
    ax.figure.draw_without_rendering()  # lays the figure out, so that the size of the axes is known
    medians = np.array([np.median(points[labels == name], axis=0) for name in names])
    places = ax.transAxes.inverted().transform(ax.transData.transform(medians))
    width, height = ax.get_position().size * ax.figure.get_size_inches()
    _spread(places, np.array([0.06 * len(name) / width for name in names]), 0.12 / height)
    style = {"transform": ax.transAxes, "ha": "center", "va": "center", "fontsize": 7.5}
    for name, place in zip(names, places, strict=True):
        outline = [patheffects.withStroke(linewidth=2.5, foreground="white")]
        ax.text(*place, name, color=[0.6 * channel for channel in colors[name]], path_effects=outline, **style)


def _spread(places, widths, height):
    """Push texts of these widths and this height apart in y, in place, until none overlap or 100 rounds are over.

    All in shares of the axes, which no text may leave.
    """
    places[:, 0] = np.clip(places[:, 0], widths / 2, 1 - widths / 2)
    reach = (widths[:, None] + widths) / 2
    for _ in range(100):
        x, y = (places[:, i, None] - places[:, i] for i in (0, 1))
        order = np.sign(y) + (y == 0) * np.sign(np.subtract.outer(np.arange(len(y)), np.arange(len(y))))
        overlap = np.where((np.abs(x) < reach) & (np.abs(y) < height), height - np.abs(y), 0)
        np.fill_diagonal(overlap, 0)
        if not overlap.any():
            return
        places[:, 1] = np.clip(places[:, 1] + 0.5 * (order * overlap).sum(axis=1), height, 1 - height)


def calibration(tables, *, ax=None):
    """Draw how often a classifier is right against how sure it says it is.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        Label: table from `evaluation.calibration` with confidence, accuracy (fractions), n.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        Percent; the area of a marker grows with the share of decisions in its bin.

    Raises
    ------
    ParameterError
        If there are no tables.

    Notes
    -----
    Notebook 08.
    """
    _check_filled("tables", tables)
    ax = _canvas(ax, 6.8, 5)
    ax.plot([0, 100], [0, 100], color=DARK, ls="--", lw=1.2, label="calibrated")
    for (label, table), color in zip(tables.items(), PALETTE * len(tables), strict=False):
        confidence, accuracy = 100 * table["confidence"], 100 * table["accuracy"]
        ax.plot(confidence, accuracy, color=color, lw=1.5, marker="o", ms=4, label=label)
        size = 15 + 500 * table["n"] / table["n"].sum()
        ax.scatter(confidence, accuracy, s=size, color=[color], alpha=0.4, linewidths=0)
    ax.set(xlabel="confidence [%]", ylabel="accuracy [%]", xlim=(0, 103), ylim=(0, 103), aspect="equal")
    _legend_outside(ax, title="larger marker:\nmore decisions")
    return ax


def filters(weights, *, samplerate, n=24, ax=None):
    """Draw the filters of a first convolution over time.

    Parameters
    ----------
    weights : np.ndarray [shape=(taps, 1, n_filters)]
        As in a Keras layer.
    samplerate : float
        [Hz]
    n : int
        Number of filters to draw, evenly chosen; all if there are fewer.
    ax : array of matplotlib.axes.Axes, optional
        One per filter drawn.

    Returns
    -------
    axes : np.ndarray of matplotlib.axes.Axes
        Titled with the frequency at which the filter responds most.

    Raises
    ------
    ParameterError
        If ``weights`` does not have that shape, or there are fewer axes than filters.

    Notes
    -----
    Notebook 05.
    """
    frequency, magnitude = _filter_magnitudes(weights, samplerate)
    chosen = np.unique(np.linspace(0, weights.shape[-1] - 1, min(n, weights.shape[-1])).round().astype(int))
    axes = _panels(ax, len(chosen), columns=min(6, len(chosen)), size=(1.6, 1.15), sharex=True)
    time = 1e3 * np.arange(len(weights)) / samplerate
    for panel, i in zip(axes, chosen, strict=True):
        panel.plot(time, weights[:, 0, i], color=BLUE, lw=0.9)
        panel.set_title(f"{frequency[magnitude[:, i].argmax()] / 1000:.2f} kHz", fontsize=9)
        panel.set(yticks=[], xlim=(0, time[-1]))
        panel.tick_params(labelsize=8)
    for panel in axes[-min(6, len(chosen)) :]:
        panel.set_xlabel("time [ms]", fontsize=8.5)
        panel.tick_params(labelbottom=True)
    return axes


def filter_spectra(before, after, *, samplerate, ax=None):
    """Draw the magnitude spectra of filters before and after training, each sorted by where it responds most.

    Parameters
    ----------
    before, after : np.ndarray [shape=(taps, 1, n_filters)]
        As in a Keras layer.
    samplerate : float
        [Hz]
    ax : array of 2 matplotlib.axes.Axes, optional

    Returns
    -------
    axes : np.ndarray of matplotlib.axes.Axes
        One column per filter, in dB below its own maximum.

    Raises
    ------
    ParameterError
        If an array does not have that shape, or there are fewer than two axes.

    Notes
    -----
    Notebook 05.
    """
    axes = _panels(ax, 2, columns=2, size=(4.8, 4), sharey=True)
    for panel, weights, title in zip(axes, (before, after), ("before training", "after training"), strict=True):
        frequency, magnitude = _filter_magnitudes(weights, samplerate)
        order = np.argsort(magnitude.argmax(axis=0), kind="stable")
        db = 20 * np.log10(magnitude[:, order] / (magnitude[:, order].max(axis=0) + 1e-20) + 1e-6)
        extent = (0.5, len(order) + 0.5, 0, frequency[-1] / 1000)
        image = panel.imshow(db, extent=extent, vmin=FLOOR_DB, vmax=0, **IMAGE, origin="lower")
        panel.set(xlabel="filter, sorted by frequency")
        panel.set_title(title, fontsize=10)
        panel.grid(False)
    axes[0].set_ylabel("frequency [kHz]")
    axes[0].figure.colorbar(image, ax=list(axes), label="magnitude [dB re maximum]", pad=0.02)
    return axes


def _filter_magnitudes(weights, samplerate):
    """Return the frequencies [Hz] and the magnitude spectrum of every filter [shape=(n_frequencies, n_filters)]."""
    if np.ndim(weights) != 3 or np.shape(weights)[1] != 1:
        raise ParameterError(f"weights have the shape (taps, 1, n_filters); these have {np.shape(weights)}")
    size = max(2048, len(weights))  # padded, so that the maximum of a short filter is found to some 20 Hz
    return np.fft.rfftfreq(size, 1 / samplerate), np.abs(np.fft.rfft(np.asarray(weights)[:, 0, :], size, axis=0))


def curves(values, devices, *, x=None, ax=None):
    """Draw one curve per recording, in the colour of its device.

    Parameters
    ----------
    values : sequence of np.ndarray [shape=(n,)]
    devices : sequence of str
        The device of each.
    x : np.ndarray [shape=(n,)], optional
        Where the values belong; their number from 0 if not given.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        The legend names every device once; it has room for a handful.

    Raises
    ------
    ParameterError
        If there are no curves.

    Notes
    -----
    Notebook 10.
    """
    _check_filled("values", values)
    ax, colors = _canvas(ax, 10, 3.4), device_colors(list(dict.fromkeys(devices)))
    x = np.arange(len(values[0])) if x is None else x
    for curve, device in zip(values, devices, strict=True):
        known = device in ax.get_legend_handles_labels()[1]
        ax.plot(x, curve, color=colors[device], lw=0.9, label="_" if known else device)
    ax.set(xlabel="number of the feature", xlim=(x[0], x[-1]))
    _legend_outside(ax)
    return ax


def plane(points, devices, *, ellipses=None, ax=None):
    """Draw points of several recordings in a plane of two features, in the colours of their devices.

    Parameters
    ----------
    points : sequence of np.ndarray [shape=(n_i, 2)]
        Of each recording.
    devices : sequence of str
        The device of each recording; the legend has room for a handful.
    ellipses : sequence of (np.ndarray, np.ndarray), optional
        For each recording, centres and half axes [shape=(k, 2) each] to draw on top.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        The legend names every device once.

    Raises
    ------
    ParameterError
        If there are no points.

    Notes
    -----
    Notebook 10.
    """
    _check_filled("points", points)
    ax, colors = _canvas(ax, 7, 4.4), device_colors(list(dict.fromkeys(devices)))
    for i, (xy, device) in enumerate(zip(points, devices, strict=True)):
        known = device in ax.get_legend_handles_labels()[1]
        faint = 0.7 if ellipses is None else 0.12
        ax.scatter(*np.transpose(xy), s=10, color=colors[device], alpha=faint, lw=0)
        ax.scatter([], [], color=colors[device], label="_" if known else device)
        for centre, axes in zip(*(ellipses[i] if ellipses is not None else ((), ())), strict=True):
            ax.add_patch(Ellipse(tuple(centre), *(2 * axes), fill=False, edgecolor=colors[device], lw=1.6))
    _legend_outside(ax)
    return ax


def named_bars(values, names, *, highlight=(), ax=None):
    """Draw one bar per name, some of them highlighted.

    Parameters
    ----------
    values : sequence of float
    names : sequence of str
    highlight : collection of str
        Names whose bars are coloured; the others are grey.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        If there are no bars.

    Notes
    -----
    Notebook 10.
    """
    _check_filled("values", values)
    ax = _canvas(ax, 10, 3.4)
    ax.bar(range(len(names)), values, color=["C1" if name in highlight else "0.7" for name in names])
    many = len(names) > 10
    ax.set_xticks(range(len(names)), names, rotation=90 if many else 0, fontsize=8 if many else 9.5)
    ax.set_xlim(-0.7, len(names) - 0.3)
    ax.grid(False, axis="x")
    return ax


def similarity(matrix, devices, *, ax=None):
    """Draw how similar recordings are to each other, those of one device side by side.

    Parameters
    ----------
    matrix : np.ndarray [shape=(n, n)]
        Cosines, -1 to 1.
    devices : sequence of str
        The device of each recording; equal ones are neighbours.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        If there are no recordings.

    Notes
    -----
    Notebook 10.
    """
    _check_filled("matrix", matrix)
    ax = _canvas(ax, 6, 5)
    image = ax.imshow(matrix, cmap="vlag", vmin=-1, vmax=1)
    ax.figure.colorbar(image, ax=ax, label="cosine", shrink=0.8)
    names = list(dict.fromkeys(devices))
    middles = [np.mean([i for i, device in enumerate(devices) if device == name]) for name in names]
    size = 9 if len(names) <= 15 else 5
    ax.set_xticks(middles, names, rotation=90, fontsize=size)
    ax.set_yticks(middles, names, fontsize=size)
    ax.grid(False)
    return ax


def leaderboard(board, intervals=None, *, chance=None, ax=None):
    """Draw the accuracy of every system for every length of excerpt.

    Parameters
    ----------
    board : pandas.DataFrame
        Index system, best first; one column of accuracies (fractions) per unit, the shortest excerpts first.
    intervals : pandas.DataFrame, optional
        Index system; low and high of the last unit.
    chance : float, optional
        Chance level.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        If there are no systems.

    Notes
    -----
    Notebook 10.
    """
    _check_filled("board", board)
    ax, y = _canvas(ax, 9.5, _height(len(board), 0.3)), np.arange(len(board))
    if intervals is not None:
        low, high = (100 * intervals.loc[board.index, name].to_numpy(float) for name in ("low", "high"))
        ax.hlines(y, low, high, color="0.6", lw=4, alpha=0.5, zorder=1)
    shades = sns.color_palette("crest", len(board.columns))
    for i, (unit, color) in enumerate(zip(board.columns, shades, strict=True)):
        size, edge = 24 + 14 * i, "white" if i < len(shades) - 1 else DARK
        ax.scatter(100 * board[unit], y, s=size, color=color, edgecolor=edge, label=unit, zorder=2 + i, clip_on=False)
    if chance is not None:
        ax.axvline(100 * chance, color=DARK, ls="--", lw=1.2, label="chance")
    _name_rows(ax, list(board.index), size=9)
    ax.set(xlabel="accuracy [%]", xlim=(0, 100))
    _legend_outside(ax, title="decision by")
    return ax


def speed_bars(ratios, *, ax=None):
    """Draw measured ratios beside their targets.

    Parameters
    ----------
    ratios : pandas.DataFrame
        task, value (> 0), target (missing where there is none), unit.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    ax : matplotlib.axes.Axes
        Bars from 1 on a logarithmic axis.

    Raises
    ------
    ParameterError
        If there are no rows or a value is not positive.

    Notes
    -----
    Notebook 90.
    """
    _check_filled("ratios", ratios)
    value, target = (pd.to_numeric(ratios[name]).to_numpy(float, na_value=np.nan) for name in ("value", "target"))
    if not (value > 0).all():
        raise ParameterError(f"value={value[~(value > 0)][0]} is not positive")
    ax = _canvas(ax, 9, _height(len(ratios), 0.55))
    y = np.arange(len(ratios))
    ax.barh(y, value - 1, left=1, color=BLUE, alpha=0.6, height=0.55, zorder=2)
    ax.vlines(target, y - 0.4, y + 0.4, color=ORANGE, lw=3, zorder=3)
    ends = np.fmax(np.fmax(value, target), 1)
    for place, unit in enumerate(ratios["unit"]):
        text = textwrap.fill(f"{_short(value[place])} {'times' if unit == 'ratio' else unit}", 16)
        ax.annotate(text, (ends[place], place), (6, 0), textcoords="offset points", va="center", fontsize=9)
    _name_rows(ax, [textwrap.fill(task, 34) for task in ratios["task"]], size=9.5)
    low, high = min(1, np.nanmin(value), np.nanmin(target, initial=1)), ends.max()
    ax.set(xscale="log", xlim=(low / 1.2, high * (high / low) ** 0.3 * 1.2), xlabel="measured value (logarithmic)")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda number, _: _short(number)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(False, axis="y")
    if not np.isnan(target).all():
        _legend_outside(ax, handles=[_line("target", ORANGE, lw=3)])
    return ax


def _short(number):
    """Return a number with three digits that count, and a space between thousands."""
    return f"{number:,.0f}".replace(",", " ") if number >= 100 else f"{number:.3g}"


def _canvas(ax, width, height):
    """Return ``ax``, or new axes in a figure of that size [inch] if it is None."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def _panels(ax, n, *, columns=1, size, **options):
    """Return ``n`` axes as an array: those given, or new ones of that size [inch] each, row by row."""
    if ax is None:
        rows = math.ceil(n / columns)
        figsize = (size[0] * columns, size[1] * rows + 0.4)
        _, ax = plt.subplots(rows, columns, figsize=figsize, layout="constrained", squeeze=False, **options)
        for spare in ax.flat[n:]:
            spare.remove()
    axes = np.ravel(ax)[:n]
    if len(axes) < n:
        raise ParameterError(f"{n} axes are needed, ax has {len(axes)}")
    return axes


def _height(n, row):
    """Return the height [inch] for ``n`` rows, at most some 10 inches."""
    return max(2.0, 1.1 + n * (row if n <= 15 else max(0.17, row / 2)))


def _font(n):
    """Return a font size at which ``n`` names fit along an axis of a notebook's figure."""
    return 9.5 if n <= 15 else 8 if n <= 30 else 7


def _name_rows(ax, names, *, size=None):
    """Name the rows of horizontal bars, the first at the top."""
    ax.set_yticks(range(len(names)), names, fontsize=size or _font(len(names)))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(False, axis="y")


def _names(labels):
    """Return the different labels in their order, that of `Dataset.devices`."""
    return sorted(set(map(str, labels)))


def _line(label, color, **style):
    """Return a legend entry that looks like a line or a marker."""
    return Line2D([], [], color=color, label=label, **style)


def _legend_outside(ax, *, gap=0.01, **options):
    """Put the legend to the right of the axes, where it covers nothing; ``gap`` is a share of their width."""
    style = {"borderaxespad": 0, "frameon": False, "fontsize": 9, "title_fontsize": 9}
    ax.legend(loc="upper left", bbox_to_anchor=(1 + gap, 1), **style, **options)


def _split_legend(ax, splits):
    """Explain the colours of training and test recordings."""
    present = [SPLITS[name] for name in SPLITS if name in set(splits)]
    _legend_outside(ax, handles=[Patch(color=color, label=label) for label, color in present])


def _check_filled(name, values):
    """Raise ParameterError if there is nothing to draw."""
    if len(values) == 0:
        raise ParameterError(f"{name} is empty: there is nothing to draw")
