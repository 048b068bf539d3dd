"""What the page of a case shows of every questioned file: tables for the eye, pictures, a player (notebook 20)."""

import base64
import io
from html import escape

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.fft
import soundfile as sf
import soxr
from matplotlib.ticker import EngFormatter, ScalarFormatter

from .. import plots
from ..intake import LOSSLESS, measure
from ..likelihood import verbal
from ..listing import NO_ANSWER, NONE
from .questions import Asked, answer
from .validation import OTHER_UNIT

LISTEN_S = 20.0  # longest excerpt in a player [s]
MOST_NAMED = 12  # devices in a legend: more reach into what is below
COLUMNS = 700  # of a spectrogram, whatever the length of the recording
SOUND = {"peak_dbfs": "peak [dBFS]", "rms_dbfs": "level, RMS [dBFS]", "floor_dbfs": "noise floor [dBFS]",
         "dynamics_db": "loud over quiet frames [dB]", "bandwidth_hz": "bandwidth [Hz]", "dc": "DC offset"}  # fmt: skip


def styled(table):
    """Return a table of words for the eye; names in it are no formulas."""
    style = table.style.format(escape="html", precision=2, na_rep="").hide(axis="index")
    return style.set_table_attributes('class="tex2jax_ignore mathjax_ignore"')


def summary(asked, case):
    """Return the answers to all files as a table: the reference that is most alike, and its ratio."""
    rows = []
    for one in asked:
        ratio = one.ratios["log10_lr"].dropna()
        best = one.unbounded.idxmax() if len(ratio) else ""
        rows.append([one.facts["file"], claim(case, one.answer), best])
        rows[-1] += [ratio.max(), in_words(ratio.max())] if best else [np.nan, ""]
    return styled(pd.DataFrame(rows, columns=["file", "answer", "most alike", "log10 ratio", "in words"]))


def heading(number, asked, case):
    """Return HTML that begins what is told of a questioned file, on a new page if printed: its name and the answer."""
    told = f"<strong>{escape(claim(case, asked.answer))}</strong> {escape(asked.reason and f'({asked.reason})')}"
    name = f"<h3 style='break-before: page'>{number}. {escape(asked.facts['file'])}</h3>"
    return f"<div class='tex2jax_ignore'>{name}<p>{told}</p></div>"


def in_words(log10_lr):
    """Return a likelihood ratio in words: for a model, since that is claimed; against a device, see `other_units`."""
    return verbal(log10_lr).replace("the same device", "the same model").replace("different devices", "another device")


def other_units(case):
    """Return whether "none of these" speaks against other units of the references' models, too: as was validated."""
    rows = case.matrix[case.matrix["measure"] == OTHER_UNIT]
    if not len(rows):
        return "No two known devices are said to be of one model: whether another unit would be found is not known."
    told = "is found, too" if rows["verdict"].item() == "met" else "is not found"
    figures = f"AUROC {rows['value'].item():.2f}, criterion {rows['criterion'].item()}"
    return f"Among the known recordings, another unit of a model {told}: {figures}."


def claim(case, given):
    """Return an answer in words: a model is claimed, not a unit."""
    if given in (NO_ANSWER, NONE):
        return given
    model = case.known["model"][case.known["device"] == given].iloc[0]
    return f"{model}, as the reference {given}" if model else f"a device of the model of {given}"


def judged(asked, truth):
    """Return the answers to a made case beside what its recordings are."""
    what = truth.set_index("file")
    rows = []
    for one in asked:
        device, told = what.loc[one.facts["file"], ["device", "what"]]
        rows.append([one.facts["file"], told, one.answer, one.answer in (NO_ANSWER, device or NONE)])
    return pd.DataFrame(rows, columns=["file", "what it is", "answer", "right"])


def impostors(case):
    """Return what a case says of sounds that no device recorded: the answer, the largest ratio and the reason."""
    seconds, rate, rng = 10.0, case.settings["samplerate"], np.random.default_rng(0)
    t = np.arange(int(seconds * rate)) / rate
    notes = np.repeat(rng.integers(0, 12, 4 * int(seconds) + 1), rate // 4)[: len(t)]
    phase = 2 * np.pi * np.cumsum(220 * 2 ** (notes / 12)) / rate
    dither = rng.uniform(-0.5, 0.5, (2, len(t))).sum(axis=0)
    sounds = {
        "white noise": 0.1 * rng.standard_normal(len(t)),
        "silence with dither": np.round(dither) / 2**15,
        "a sine of 1 kHz": 0.5 * np.sin(2 * np.pi * 1000 * t),
        "music of plucked tones": 0.1 * np.exp(-6 * (t % 0.25)) * sum(np.sin(k * phase) / k for k in range(1, 9)),
    }
    rows = []
    for name, y in sounds.items():
        y = y.astype(np.float32)
        facts = {"file": name, "sha256": "", "duration_s": seconds, "rate": rate, "coding": LOSSLESS}
        one = Asked(facts | measure(y, rate), case.no_ratios(), y=y)
        answer(case, one)
        rows.append([name, one.answer, one.ratios["log10_lr"].max(), one.reason])
    return pd.DataFrame(rows, columns=["sound", "answer", "largest log10 ratio", "reason"])


def intake(asked):
    """Return what a questioned file is, as a table of two columns."""
    f = asked.facts
    rows = {"file": f["file"], "SHA-256": f["sha256"]}
    if "rate" in f:
        rate = f", {f['bits_per_second'] / 1000:.0f} kbit/s" if f["bits_per_second"] else ""
        rows |= {"size": f"{f['bytes']:,} bytes", "container": f["container"], "codec": f["codec"] + rate}
        rows |= {"rate, channels": f"{f['rate']} Hz, {f['channels']}", "length": f"{f['duration_s']:.2f} s"}
        rows |= {"last written (a clock that can be set)": f["modified"]}
        rows |= {f"tag {name} (anybody can write it)": text[:200] for name, text in f["tags"].items()}
        rows |= {name: f"{f[key]:z.4f}" if key == "dc" else f"{f[key]:.1f}" for key, name in SOUND.items()}
        rows |= {"samples at the limit": f"{f['clipped']:.2%}", "digitally silent frames": f"{f['silent']:.2%}"}
    table = pd.DataFrame({"property": list(rows), "value": list(rows.values())})
    return styled(table)


def ratios(asked):
    """Return the likelihood ratio of every reference device with bounds and in words, largest first."""
    table = asked.ratios.loc[asked.unbounded.sort_values(ascending=False).index].reset_index(names="device")
    table["in words"] = [in_words(value) if value == value else "no ratio" for value in table["log10_lr"]]
    names = {"device": "reference device", "log10_lr": "log10 ratio", "low": "from (95 %)", "high": "to (95 %)"}
    return styled(table.rename(columns=names))


def player(asked):
    """Return HTML that plays the beginning of a file, at most `LISTEN_S` seconds, without anything from outside."""
    y, rate = asked.y[: int(LISTEN_S * asked.facts["rate"])], asked.facts["rate"]
    if rate > 24000:
        y, rate = soxr.resample(np.asarray(y), rate, 24000), 24000
    with io.BytesIO() as file:
        sf.write(file, y, rate, format="FLAC", subtype="PCM_16")
        data = base64.b64encode(file.getvalue()).decode()
    name = escape(asked.facts["file"])
    return f'<audio controls aria-label="{name}" src="data:audio/flac;base64,{data}"></audio>'


def spectrogram(y):
    """Return a spectrogram in dB [shape=(513, at most COLUMNS)], frames evenly spread."""
    n = 1024
    y = np.asarray(y) if len(y) >= n else np.pad(y, (0, n - len(y)))
    starts = np.linspace(0, len(y) - n, max(1, min(COLUMNS, 2 * len(y) // n))).astype(int)
    frames = np.stack([y[start : start + n] for start in starts]) * np.hanning(n).astype(np.float32)
    return 20 * np.log10(np.abs(scipy.fft.rfft(frames)).T / n + 1e-7)


def picture(asked, case):
    """Draw a file: spectrogram, ratios of its stretches over time, its ratios beside those of known pairs."""
    rows = 2 + (len(asked.strip) > 1) + (len(asked.curve[0]) > 0)
    fig, axes = plt.subplots(rows, 1, figsize=(10, 2.6 * rows), layout="none")  # constraints would take twice as long
    fig.subplots_adjust(left=0.08, right=0.8, top=1 - 0.12 / rows, bottom=0.18 / rows, hspace=0.4)
    y, rate, seconds = asked.y, asked.facts["rate"], asked.facts["duration_s"]
    db = spectrogram(y)
    top = np.percentile(db, 99.9)
    place = {"origin": "lower", "aspect": "auto", "extent": (0, seconds, 0, rate / 2)}
    axes[0].imshow(db, **place, cmap="magma", vmin=top - 80, vmax=top)
    axes[0].yaxis.set_major_formatter(EngFormatter(unit="Hz"))
    axes[0].set(title=plots.label(asked.facts["file"]), xlabel="time [s]")
    axes[0].grid(False)
    colors = plots.device_colors(case.devices)
    if len(asked.strip) > 1:
        strip(asked, colors, axes[1])
    if len(asked.curve[0]):
        cut_curve(asked, case.splices.threshold, axes[-2])
    known_pairs(asked, asked.by or case, colors, axes[-1])
    return axes


def strip(asked, colors, ax):
    """Draw the log10 likelihood ratio of every device, stretch by stretch; the most alike are in the legend."""
    for place, device in enumerate(asked.unbounded.sort_values(ascending=False).index):
        values, label = asked.strip[device], plots.label(device) if place < MOST_NAMED else None
        ax.plot(values.index, values, "o-", ms=3, lw=1.2, zorder=2 - place / 1000, color=colors[device], label=label)
    more = asked.strip.shape[1] - MOST_NAMED
    if more > 0:
        ax.plot([], [], " ", label=f"and {more} less alike")
    ax.axhline(0, color=plots.DARK, ls="--", lw=0.8)
    ax.set(xlabel="time [s]", ylabel="log10 ratio", xlim=(0, asked.facts["duration_s"]))
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8)


def cut_curve(asked, threshold, ax):
    """Draw how likely something else begins at a time, and where the recording as a whole says that it does."""
    ax.plot(*asked.curve, lw=1.2, color=plots.DARK, label="2 s before and after")
    at, score = asked.changes["time_s"], asked.changes["score"]
    ax.plot(at, score, "o", color=plots.ORANGE, label="change found", clip_on=False)
    ax.axhline(threshold, color=plots.DARK, ls=":", lw=0.8, label="threshold of a change")
    ax.set(xlabel="time [s]", ylabel="score,\nsomething else", xlim=(0, asked.facts["duration_s"]))
    ax.set_yscale("symlog", linthresh=10)
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8)


def known_pairs(asked, case, colors, ax):
    """Draw the ratios of a file over those that pairs of known recordings had when their devices were left out."""
    if case.comparison is None:
        ax.set_axis_off()
        return
    same, different = (np.clip(side, *case.comparison.bounds) for side in case.comparison.validation.pairs()[:2])
    edge = 1.05 * max(np.abs(same).max(), np.abs(different).max(), case.rule["threshold"], 1)
    bins = np.linspace(-edge, edge, 60)
    for values, name, color in ((different, "different devices", plots.ORANGE), (same, "same device", plots.BLUE)):
        looks = {"histtype": "stepfilled", "color": color, "alpha": 0.5, "label": name}
        ax.hist(values, bins, weights=np.full(len(values), 100 / len(values)), **looks)
    for device, value in asked.ratios["log10_lr"].dropna().items():
        ax.axvline(value, color=colors[device], lw=2)
    ax.axvline(case.rule["threshold"], color=plots.DARK, ls=":", lw=1.5, label="threshold")
    ax.set(xlabel="log10 likelihood ratio (lines: this file, by device)", ylabel="known pairs [%]", xlim=(-edge, edge))
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8)
