"""The report of a run: one page that opens offline, every table beside the paper's, every figure."""

import base64
import json
import re
import struct
import time
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, StrictUndefined

from . import results
from .errors import DevidError
from .evaluation import zero_error_bound
from .files import atomic_path

PROBE = "leakage probe"
CLASSIFIERS = {  # as the paper calls them
    "softmax": "Softmax",
    "mlp-1": "MLP",
    "mlp-2": "MLP",
    "mlp-3": "MLP",
    "averaged-mlp-1": "Averaged MLP",
    "averaged-mlp-2": "Averaged MLP",
    "averaged-mlp-3": "Averaged MLP",
    "cnn": "CNN, sine-wave start",
    "cnn-random": "CNN, random start",
}
VARIANTS = {"wavelet": "wavelet noise extraction", "none": "no noise extraction"}
NAMES = {"cnn": "CNN", "mlp": "MLP", "tsne": "t-SNE"}  # words in the names of files that are not plain English
UNITS = {"segment": "Per segment", "excerpt": "Per excerpt", "recording": "Per recording"}
# what the names of metrics end in that are printed in percent
FRACTIONS = ("accuracy", "precision", "recall", "f1", "third", "quieter", "same device")
SAME = ("system", "variant", "corpus", "seed")  # what the accuracies on one line of a table share
LEADERBOARD_LINE = ("system", "corpus", "seed")
THEIRS = "authors’ nine recorders [%]"  # heads every column of the paper's figures
PUBLISHED = ("Published", "others’ recordings [%]")
MOST_COLUMNS = 6  # units beside each other; more are put below each other
FIGURE_DPI = 130  # of results.save_figure

# table: (title, what it asks, systems it should hold, notebooks that fill it)
TABLES = {
    "II": (
        "Classifiers compared",
        "How far does one linear layer get, and do hidden layers help?",
        ("softmax", "mlp-1", "mlp-2", "mlp-3"),
        "notebooks 03 and 04",
    ),
    "III": (
        "Without background noise extraction",
        "Is the extraction needed, and what does a CNN find by itself?",
        ("softmax", "mlp-3", "cnn"),
        "notebook 05",
    ),
    "IV": (
        "Model averaging",
        "Do two half-segments through two networks help?",
        ("mlp-1", "averaged-mlp-1", "mlp-2", "averaged-mlp-2", "mlp-3", "averaged-mlp-3"),
        "notebook 06",
    ),
    "V": ("Voting", "How fast do errors vanish when segments vote?", (), "notebook 07"),
    "VI": ("Device by device", "Which devices are found, and which are named by mistake?", (), "notebook 08"),
}


def write_report(run):
    """Write ``report/index.html`` of a run folder, whole or not at all.

    Parameters
    ----------
    run : str or Path
        Run folder, complete or not: what is missing is left out and said so.

    Returns
    -------
    path : Path
        The page. Figures and style are inside it; it runs no script and loads nothing.

    Raises
    ------
    DevidError
        If the folder does not exist, its ``run.json`` or ``results.csv`` cannot be read, or the page cannot be written.

    Notes
    -----
    Read are ``run.json``, ``results.csv``, ``figures/<notebook>-<name>.png`` (with a caption in a ``.txt`` of the same
    name), ``conclusions/<notebook>.txt`` or ``.md`` (one bullet per line) and the names in ``notebooks``.
    """
    run = Path(run)
    if not run.is_dir():
        raise DevidError(f"{run}: no such run folder")
    page = template().render(**contents(run))
    path = run / "report" / "index.html"
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def template():
    """Return the page's template; whatever it prints is escaped, and a name it does not get is an error."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((files(__package__) / "assets" / "report.html").read_text(encoding="utf-8"))


def contents(run):
    """Return all that the page prints, as text and lists."""
    info, rows = read_run(run)
    context = run_context(run, info, rows)
    tables, rest = paper_tables(rows, context)
    others, rest = other_tables(rest, context)
    return {
        "context": context,
        "summary": summary(context),
        "tables": tables,
        "others": others,
        "rest": [rest_tables(name, part, context) for name, part in grouped(rest, "notebook").items()],
        "figures": figures(run),
        "conclusions": conclusions(run),
        "skipped": context["corpus"].get("skipped", []),
        "notes": context["corpus"].get("notes", []),
        "failed": failures(info),
        "provenance": provenance(run, info),
    }


# --- Reading ---------------------------------------------------------------------------------------------------------


def read_run(run):
    """Return ``run.json`` as a dictionary and ``results.csv`` as a list of dictionaries; both may be empty."""
    try:
        info = results.read_json(run / "run.json")
    except (OSError, ValueError) as error:
        raise DevidError(f"{run / 'run.json'}: cannot be read: {error}") from error
    path = run / "results.csv"
    if not path.exists():
        return info, []
    try:
        table = results.read_table(path)
    except (OSError, ValueError) as error:
        raise DevidError(f"{path}: cannot be read: {error}") from error
    table = table.reindex(columns=results.COLUMNS)
    numbers = ["value", "low", "high", "n", "chance", "paper"]
    table[numbers] = table[numbers].apply(pd.to_numeric, errors="coerce").astype(float)
    words = [name for name in results.COLUMNS if name not in numbers]
    table[words] = table[words].astype(object).where(table[words].notna(), "").astype(str)
    table["seed"] = table["seed"].str.removesuffix(".0")  # pandas makes floats of seeds where one is missing
    return info, without_repeats(table).to_dict("records")


def without_repeats(table):
    """Drop figures that several notebooks scored alike, as the probe; the first that belongs to a table stays."""
    key = [*SAME, "unit", "metric", "value"]
    tabled_first = table.sort_values("table", key=lambda names: names.eq(""), kind="stable")
    return table[~(tabled_first.duplicated(key).sort_index() & table["table"].eq(""))]


def run_context(run, info, rows):
    """Return what the figures belong to: corpus, preset, time, seed, recipe, number of test recordings, probe."""
    corpus = info.get("corpus", {})
    found = list(dict.fromkeys(row["corpus"] for row in rows if row["corpus"]))
    name = corpus.get("name") or (found[0] if found else "")
    params = info.get("parameters", {})
    seed = info.get("seed", params.get("seed", ""))
    main = [row for row in rows if row["corpus"] in (name, "") and row["seed"] in (str(seed), "")] if found else rows
    accuracies = [row for row in main if row["metric"] == "accuracy"]
    counts = [int(row["n"]) for row in accuracies if row["unit"] == "recording" and row["n"] > 0]
    return {
        "corpus": corpus,
        "name": name,
        "simulated": name.startswith("simulated"),
        "control": name.startswith("simulated-control"),
        "corpora": found,
        "devices": corpus.get("devices", 0),
        "hours": f"{corpus['hours']:.3g}" if "hours" in corpus else "",
        "recordings": max(counts, default=0),
        "preset": info.get("preset", ""),
        "started": info.get("started") or last_change(run / "run.json"),
        "seed": str(seed),
        "published": params.get("recipe") == "published",
        "folder": run.resolve().name,
        "accuracies": accuracies,
        "probe": [row for row in accuracies if row["system"] == PROBE and known(row["value"])],
        "empty": not rows,
    }


def last_change(path):
    """Return when a file was last written, as text; empty if there is none."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime)) if path.exists() else ""


def grouped(rows, *names):
    """Return rows by the value of one column, or a tuple of several, in order of appearance."""
    groups = {}
    for row in rows:
        key = tuple(row[name] for name in names)
        groups.setdefault(key[0] if len(names) == 1 else key, []).append(row)
    return groups


# --- Numbers as text -------------------------------------------------------------------------------------------------


def known(value):
    """Return whether a figure is there: not NaN."""
    return value == value


def percent(fraction):
    """Return a fraction in percent with one decimal; 100.0 and 0.0 are printed only where they are exact."""
    text = f"{100 * fraction:.1f}"
    if text == "100.0" and fraction < 1:
        return "> 99.9"
    return "< 0.1" if text == "0.0" and fraction > 0 else text


def metric_text(metric, value):
    """Return a figure in the form that suits its metric: percent, seconds, times, or a plain number."""
    words = re.split(r"[\s_]+", metric.lower())  # "calibration" holds "ratio" too, so whole words
    if metric.lower().endswith(FRACTIONS):
        return f"{percent(value)} %"
    if {"ratio", "speedup", "speed-up", "times"} & {*words}:
        return f"{plain(value)} ×"
    if {"seconds", "second", "s"} & {*words} and "per" not in words:
        return f"{plain(value)} s"
    return plain(value)


def plain(value):
    """Return a number with three significant digits, or whole with separators from 1000 on."""
    if value in (float("inf"), float("-inf")) or not known(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def duration(seconds):
    """Return a time as a reader says it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def interval_text(row):
    """Return the 95 % interval of an accuracy in percent, empty where there is none.

    Notes
    -----
    Without an error the bootstrap interval is a single point, which claims too much; for recordings the exact
    one-sided bound stands in its place.
    """
    if not (known(row["low"]) and known(row["high"])):
        return ""
    if row["value"] == row["low"] == row["high"] == 1:
        faultless = row["unit"] == "recording" and row["n"] >= 1
        return f"at least {percent(1 - zero_error_bound(int(row['n'])))}" if faultless else "no error"
    return f"{percent(row['low'])} – {percent(row['high'])}"


def unit_text(unit):
    """Return how a unit is called in a heading."""
    return UNITS.get(unit, f"{unit[4:]} voters" if unit.startswith("vote") else unit)


def unit_order(unit):
    """Return the place of a unit among the columns: from one segment to a whole recording."""
    places = {"segment": 0, "excerpt": 1, "recording": 10**6}
    if seconds := re.fullmatch(r"(\d+) s", unit):
        return 1 + int(seconds[1])
    return places.get(unit, 2 + int(unit[4:]) if unit.startswith("vote") and unit[4:].isdigit() else 10**6 + 1)


def capital(text):
    """Return a text with a capital first letter."""
    return text[:1].upper() + text[1:]


def plain_words(name):
    """Return part of a file's name as words."""
    return " ".join(NAMES.get(word, word) for word in re.split("[-_ ]+", name))


def notebook_text(name):
    """Return a notebook's name for a heading: ``04_mlp`` is "04 · MLP"."""
    number, _, title = name.partition("_")
    return f"{number} · {plain_words(title)}" if number.isdigit() and title else plain_words(name)


# --- Cells and tables ------------------------------------------------------------------------------------------------


def cell(main, small="", kind="number"):
    """Return one table cell; its kind ("name", "number", "ours", "paper") is the style."""
    return {"main": main, "small": small, "kind": kind}


def accuracy_cell(row):
    """Return our accuracy, bold, over its interval; a dash where there is no such figure."""
    return cell(percent(row["value"]), interval_text(row), "ours") if row and known(row["value"]) else cell("–")


def paper_cell(value):
    """Return the paper's accuracy; a dash where the paper has none."""
    return cell(f"{100 * value:.4g}" if known(value) else "–", kind="paper")


def number_cells(units, entry):
    """Return the cells "chance" and "decisions" of one entry, one number per unit where they differ."""
    present = [entry[unit] for unit in units if unit in entry]
    chance = list(dict.fromkeys(percent(row["chance"]) for row in present if known(row["chance"])))
    counts = [f"{row['n']:,.0f}" for row in present if known(row["n"])]
    return [cell(" / ".join(chance) or "–"), cell(" / ".join(counts) or "–")]


def name_cell(name, row, context, *, variant=("wavelet", "")):
    """Return a row's name with what sets it apart from the run: variant, corpus, seed, selection on the test set."""
    tags = [VARIANTS.get(row["variant"], row["variant"])] if row["variant"] not in variant else []
    if row["corpus"] not in (context["name"], ""):
        tags.append(f"corpus {row['corpus']}")
    if row["seed"] not in (context["seed"], ""):
        tags.append(f"seed {row['seed']}")
    if row["variant"] == "published recipe":
        tags.append("optimistic: epoch chosen on the test set")
    return cell(name, ", ".join(tags), "name")


def entries(rows):
    """Gather accuracies by system, variant, corpus and seed.

    Parameters
    ----------
    rows : list of dict
        In the columns of ``results.csv``.

    Returns
    -------
    entries : list of dict
        Unit: row.
    rest : list of dict
        Rows that are no accuracy, or the second for their unit.
    """
    found, rest = {}, []
    for row in rows:
        key = tuple(row[name] for name in SAME)
        if row["metric"] != "accuracy" or row["unit"] in found.get(key, {}):
            rest.append(row)
        else:
            found.setdefault(key, {})[row["unit"]] = row
    return list(found.values()), rest


def first(entry):
    """Return any row of an entry: they share system, variant, corpus and seed."""
    return next(iter(entry.values()))


def units_of(found):
    """Return the units that occur in some entries, from segment to recording."""
    return sorted({unit for entry in found for unit in entry}, key=unit_order)


def accuracy_table(found, *, heads, names, published=("Paper", THEIRS), lookup=None):
    """Lay out accuracies: names, one column per unit with the published figure after the first, chance, decisions.

    Parameters
    ----------
    found : list of dict
        From `entries`.
    heads : sequence of str
        Headings of the name columns.
    names : callable
        Gives the name cells of an entry.
    published : tuple of str
        Heading of the published figures and what they were measured on; the column is left out where there are none.
    lookup : callable, optional
        Gives more cells per entry, under the headings that it gives for None.

    Returns
    -------
    table : dict
        head (list of cells) and rows (lists of cells).
    """
    units = units_of(found)
    papers = [next((row["paper"] for row in entry.values() if known(row["paper"])), float("nan")) for entry in found]
    with_paper = any(known(value) for value in papers)
    decisions = " / ".join(unit_text(unit).lower().removeprefix("per ") for unit in units)
    columns = [cell(unit_text(unit), "accuracy [%]", "ours") for unit in units]
    columns[1:1] = [cell(*published, "paper")] * with_paper
    head = [
        *(cell(text, kind="name") for text in heads),
        *columns,
        *(lookup(None) if lookup else []),
        cell("Chance", "[%]"),
        cell("Decisions", decisions),
    ]
    rows = []
    for entry, value in zip(found, papers, strict=True):
        cells = [accuracy_cell(entry.get(unit)) for unit in units]
        cells[1:1] = [paper_cell(value)] * with_paper
        rows.append([*names(entry), *cells, *(lookup(entry) if lookup else []), *number_cells(units, entry)])
    return {"head": head, "rows": rows}


def layers_of(system):
    """Return the number of hidden layers in a system's name, a dash if it has none."""
    return system.rsplit("-", 1)[-1] if "mlp-" in system else "–"


# --- The paper's tables ----------------------------------------------------------------------------------------------


def paper_tables(rows, context):
    """Return tables II to VI in the paper's layout, and the rows that found no place in them."""
    layouts = {"II": table_ii, "III": table_iii, "IV": table_iv, "V": table_v, "VI": table_vi}
    tables, rest = [], [row for row in rows if row["table"] not in TABLES]
    for number, (title, question, systems, notebooks) in TABLES.items():
        own = [row for row in rows if row["table"] == number]
        parts, left = layouts[number](own, rows, context) if own else ([], [])
        there = {row["system"] for row in own + borrowed(number, own, rows)}
        tables.append(
            {
                "number": number,
                "title": title,
                "question": question,
                "parts": parts,
                "missing": [name for name in systems if name not in there] if own else [],
                "notebooks": notebooks,
            }
        )
        rest += left
    order = {id(row): place for place, row in enumerate(rows)}
    return tables, sorted(rest, key=lambda row: order[id(row)])


def borrowed(number, own, rows):
    """Return the rows of table II that table IV compares with, where it does not hold them itself."""
    systems = {row["system"] for row in own}
    wanted = [name for name in TABLES["IV"][2] if name.startswith("mlp-") and name not in systems]
    return [row for row in rows if number == "IV" and row["table"] == "II" and row["system"] in wanted]


def in_order(found, systems):
    """Sort entries: those of the paper first, in its order."""
    places = {name: place for place, name in enumerate(systems)}
    return sorted(found, key=lambda entry: places.get(first(entry)["system"], len(places)))


def table_ii(rows, _, context):
    """Return table II: softmax regression and the MLPs."""
    found, rest = entries(rows)
    found = in_order(found, TABLES["II"][2])

    def names(entry):
        row = first(entry)
        name = CLASSIFIERS.get(row["system"], row["system"])
        return [name_cell(name, row, context), cell(layers_of(row["system"]))]

    heads = ("Classifier", "Hidden layers")
    return [accuracy_table(found, heads=heads, names=names)] if found else [], rest


def table_iii(rows, everything, context):
    """Return table III: no noise extraction, beside the same system's figure with it."""
    found, rest = entries(rows)
    found = in_order(found, (*TABLES["III"][2], "cnn-random"))

    def with_extraction(entry):
        if entry is None:
            return [cell("With noise extraction", "per segment [%]", "ours"), cell("Paper, with", THEIRS, "paper")]
        row = first(entry)
        theirs = results.PAPER.get(("II", row["system"], "wavelet", "segment"), float("nan"))
        extracted = accuracies_like(row | {"variant": "wavelet"}, everything, units=("segment",))
        return [accuracy_cell(next(iter(extracted), None)), paper_cell(theirs)]

    def names(entry):
        row = first(entry)
        layers = f", {layers_of(row['system'])} hidden layers" if "mlp-" in row["system"] else ""
        name = CLASSIFIERS.get(row["system"], row["system"]) + layers
        return [name_cell(name, row, context, variant=("none", ""))]

    heads = ("Classifier",)
    return [accuracy_table(found, heads=heads, names=names, lookup=with_extraction)] if found else [], rest


def accuracies_like(row, rows, *, units):
    """Return the accuracies of the same system, variant, corpus and seed for some units."""
    same = {"metric": "accuracy"} | {name: row[name] for name in SAME}
    return [other for other in rows if same.items() <= other.items() and other["unit"] in units]


def table_iv(rows, everything, context):
    """Return table IV: the same number of hidden layers with and without model averaging."""
    found, rest = entries(rows)
    found = in_order(found + entries(borrowed("IV", rows, everything))[0], TABLES["IV"][2])

    def names(entry):
        row = first(entry)
        system, averaged = row["system"], row["system"].startswith("averaged-")
        name = layers_of(system) if "mlp-" in system else system
        return [name_cell(name, row, context), cell("yes" if averaged else "no", kind="name")]

    heads = ("Hidden layers", "Model averaging")
    return [accuracy_table(found, heads=heads, names=names)] if found else [], rest


def table_v(rows, everything, context):
    """Return table V: one row per number of voters, from one segment to a whole recording."""
    found, rest = entries(rows)
    parts = []
    for entry in found:
        row = first(entry)
        for other in accuracies_like(row, everything, units=("segment", "recording")):
            entry.setdefault(other["unit"], other)  # these two may stand in another table
        if "segment" in entry:
            single = results.PAPER.get(("II", row["system"], row["variant"], "segment"), float("nan"))
            entry["segment"] = entry["segment"] | {"paper": single}
        parts.append(voting_table(entry, context) | {"title": name_cell(row["system"], row, context)})
    return parts, rest


def voting_table(entry, context):
    """Return the rows of one voting system."""
    voters = {"segment": "1", "recording": "all segments of a recording"}
    paper = any(known(row["paper"]) for row in entry.values())
    head = [
        cell("Voters", kind="name"),
        cell("Ours", "accuracy [%]", "ours"),
        *[cell("Paper", THEIRS, "paper")] * paper,
        cell("Chance", "[%]"),
        cell("Decisions"),
        cell("Test recordings"),
    ]
    rows = []
    for unit in sorted(entry, key=unit_order):
        row = entry[unit]
        name = voters.get(unit, unit.removeprefix("vote"))
        ours = row["corpus"] in (context["name"], "") and context["recordings"]
        cells = [accuracy_cell(row), *[paper_cell(row["paper"])] * paper, *number_cells([unit], entry)]
        rows.append([cell(name, kind="name"), *cells, cell(str(ours or "–"))])
    return {"head": head, "rows": rows}


def table_vi(rows, _, context):
    """Return table VI: precision, recall and F1 of our devices, and the paper's table of its own."""
    metrics = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
    own = [row for row in rows if row["variant"].startswith("device:") and row["metric"] in metrics]
    rest = [row for row in rows if row not in own]
    head = [cell("Device", kind="name"), *(cell(text, kind="ours") for text in metrics.values()), cell("Decisions")]
    parts = []
    for (system, unit, *_), group in grouped(own, "system", "unit", "corpus", "seed").items():
        by_device = grouped(group, "variant")
        lines, scores = [], {}
        for variant, found in by_device.items():
            name, figures_of = variant.removeprefix("device:"), {row["metric"]: row for row in found}
            cells = [device_cell(figures_of.get(metric)) for metric in metrics]
            count = next((row["n"] for row in found if known(row["n"])), float("nan"))
            lines.append([cell(name, kind="name"), *cells, cell(f"{count:,.0f}" if known(count) else "–")])
            if name != "average" and "f1" in figures_of:
                scores[name] = figures_of["f1"]["value"]
        title = name_cell(system, group[0] | {"variant": ""}, context)
        parts.append(
            {
                "title": title | {"main": f"{system}, {unit_text(unit).lower()}"},
                "head": head,
                "rows": lines,
                "note": hardest(scores),
            }
        )
    return parts + [paper_table_vi()] if parts else [], rest


def device_cell(row):
    """Return precision, recall or F1 as a fraction with three digits, as the paper prints it with two."""
    return cell(f"{row['value']:.3f}", kind="ours") if row and known(row["value"]) else cell("–")


def hardest(scores):
    """Return a sentence on the devices with the lowest F1."""
    low = sorted((value, name) for name, value in scores.items() if value < 1)[:3]
    if not low:
        return "No device has an error." if scores else ""
    return "Hardest to tell: " + ", ".join(f"{name} (F1 {value:.3f})" for value, name in low) + "."


def paper_table_vi():
    """Return the paper's table VI: other devices, so it stands beside ours and not in it."""
    table = results.PAPER_TABLE_VI
    head = [cell("Paper’s device", kind="name"), *(cell(text, kind="paper") for text in ("Precision", "Recall", "F1"))]
    rows = [
        [cell(name, kind="name"), *(cell(f"{value:.2f}", kind="paper") for value in row)]
        for name, row in zip(table.index, table[["precision", "recall", "f1"]].to_numpy(), strict=True)
    ]
    title = cell("The paper’s, of its nine recorders", kind="name")
    return {"title": title, "head": head, "rows": rows, "paper": True}


# --- All other rows --------------------------------------------------------------------------------------------------


def other_tables(rows, context):
    """Return one table per further name in the column ``table``, and the rows that name none."""
    named = grouped([row for row in rows if row["table"] not in ("", *TABLES)], "table")
    layouts = {"leaderboard": leaderboard_table}
    tables = [
        {"title": capital(name), "parts": layouts.get(name, generic_tables)(part, context)}
        for name, part in named.items()
    ]
    return tables, [row for row in rows if row["table"] in ("", *TABLES)]


def leaderboard_table(rows, context):
    """Lay out the leaderboard: one line per system, best first; what is not accuracy, for whole recordings alone."""
    found, _ = entries([row for row in rows if row["metric"] == "accuracy"])
    others = {
        (*(row[name] for name in LEADERBOARD_LINE), row["metric"]): row
        for row in rows
        if row["metric"] != "accuracy" and row["unit"] in ("recording", "")
    }
    metrics = list(dict.fromkeys(row["metric"] for row in others.values()))
    units = units_of(found)[::-1]
    found.sort(key=lambda entry: [-entry[unit]["value"] if unit in entry else 0 for unit in units])

    def lookup(entry):
        if entry is None:
            return [cell(metric, "whole recording" if metric != "fit seconds" else "") for metric in metrics]
        line = tuple(first(entry)[name] for name in LEADERBOARD_LINE)
        scores = [others.get((*line, metric)) for metric in metrics]
        return [cell(metric_text(row["metric"], row["value"]) if row else "–") for row in scores]

    def names(entry):
        return [plain_name(first(entry), context)]

    return [accuracy_table(found, heads=("System",), names=names, published=PUBLISHED, lookup=lookup)]


def rest_tables(notebook, rows, context):
    """Return the figures of one notebook that belong to no table."""
    return {"title": notebook_text(notebook), "parts": generic_tables(rows, context)}


def generic_tables(rows, context):
    """Lay out any rows: accuracies of one system beside each other, other metrics as `metric_tables` does."""
    found, rest = entries([row for row in rows if known(row["low"]) or known(row["chance"])])

    def names(entry):
        return [plain_name(first(entry), context)]

    curves = [entry for entry in found if len(entry) > MOST_COLUMNS]
    found = [entry for entry in found if len(entry) <= MOST_COLUMNS]
    tables = [accuracy_table(found, heads=("System",), names=names, published=PUBLISHED)] if found else []
    tables += [voting_table(entry, context) | {"title": plain_name(first(entry), context)} for entry in curves]
    bare = [row for row in rows if not (known(row["low"]) or known(row["chance"]))]
    return tables + metric_tables(rest + bare, context)


def plain_name(row, context):
    """Return a row's name where no variant goes without saying."""
    return name_cell(row["system"], row, context, variant=("",))


def metric_tables(rows, context):
    """Lay out rows of any metric: a grid where several systems share several bare metrics, else one line each."""
    by_metrics, lines = {}, []
    for group in grouped(rows, *SAME, "unit").values():
        bare = not any(known(row[name]) for row in group for name in ("low", "high", "chance", "paper"))
        by_metrics.setdefault(tuple(row["metric"] for row in group) if bare else id(group), []).append(group)
    tables = []
    for groups in by_metrics.values():
        metrics = [row["metric"] for row in groups[0]]
        if min(len(groups), len(metrics)) > 1:
            head = [cell("System", kind="name"), *(cell(metric, kind="ours") for metric in metrics)]
            cells = [[plain_name(group[0], context), *map(metric_cell, group)] for group in groups]
            tables.append({"head": head, "rows": cells})
        else:
            lines += [row for group in groups for row in group]
    return tables + ([metric_lines(lines, context)] if lines else [])


def metric_lines(rows, context):
    """Lay out rows of any metric, one line each; columns that stay empty are left out."""
    lines = [
        {
            "System": plain_name(row, context),
            "Unit": cell(row["unit"], kind="name"),
            "Metric": cell(row["metric"], kind="name"),
            "Value": metric_cell(row),
            PUBLISHED[0]: cell(metric_text(row["metric"], row["paper"]) if known(row["paper"]) else "", kind="paper"),
            "Chance": cell(metric_text(row["metric"], row["chance"]) if known(row["chance"]) else ""),
            "n": cell(f"{row['n']:,.0f}" if known(row["n"]) else ""),
        }
        for row in rows
    ]
    kept = [name for name in lines[0] if any(line[name]["main"] or line[name]["small"] for line in lines)]
    head = [cell(name, kind=lines[0][name]["kind"]) for name in kept]
    return {"head": head, "rows": [[line[name] for name in kept] for line in lines]}


def metric_cell(row):
    """Return any metric's value over its interval."""
    if not known(row["value"]):
        return cell("–", kind="ours")
    metric = row["metric"]
    ends = [metric_text(metric, row[name]) for name in ("low", "high") if known(row[name])]
    spread = interval_text(row) if metric == "accuracy" else " – ".join(ends)
    return cell(metric_text(metric, row["value"]), spread, "ours")


# --- Summary ---------------------------------------------------------------------------------------------------------


def summary(context):
    """Return the best figures and what is needed to say how far they carry.

    Parameters
    ----------
    context : dict
        From `run_context`.

    Returns
    -------
    summary : dict
        tiles (empty where the run has no accuracy); one, bound and claim (text, percent: the weight of one recording,
        and the error rate that no error still allows); several (bool); control and probes, see `control` and `probes`.
    """
    scored = [row for row in context["accuracies"] if row["system"] != PROBE and known(row["value"])]
    in_tables = [row for row in scored if row["table"]]
    scored = in_tables or scored  # side experiments count only where there is nothing else
    votes = sorted({row["unit"] for row in scored if row["unit"].startswith("vote")}, key=unit_order)
    voters = "vote5" if "vote5" in votes else "".join(votes[-1:])
    best = {unit: top(scored, unit) for unit in ("segment", voters, "recording") if top(scored, unit)}
    n, whole = context["recordings"], best.get("recording")
    bound = zero_error_bound(n) if n and whole and whole["value"] == 1 else None
    return {
        "tiles": [best_tile(unit, scored, row) for unit, row in best.items()] + context_tiles(scored, context),
        "one": percent(1 / n) if n else "",
        "bound": percent(bound) if bound else "",
        "claim": percent(1 - bound) if bound else "",
        "several": len({(row["system"], row["variant"]) for row in scored}) > 1,
        "control": control(scored),
        "probes": probes(best, context),
    }


def top(rows, unit):
    """Return the row with the highest accuracy of a unit, the first of several, or None."""
    return max((row for row in rows if row["unit"] == unit), key=lambda row: row["value"], default=None)


def best_tile(unit, scored, row):
    """Return the tile of the best system of a unit; systems that tie with it are counted, not hidden."""
    alike = [other for other in scored if other["unit"] == unit and other["value"] == row["value"]]
    ties = len({(other["system"], other["variant"]) for other in alike}) - 1
    variant = VARIANTS.get(row["variant"], row["variant"]) if row["variant"] not in ("", "wavelet") else ""
    system = row["system"] + (f" ({variant})" if variant else "")
    title = f"Best {'with ' * unit.startswith('vote')}{unit_text(unit).lower()}"
    return tile(
        title,
        row["value"],
        interval_text(row),
        kind="ours",
        system=system + (f" and {ties} other{'s' * (ties > 1)} alike" if ties > 0 else ""),
    )


def context_tiles(scored, context):
    """Return the tiles that the best figures are to be read against: chance, and the leakage probe."""
    chance = [row["chance"] for row in scored if known(row["chance"])][:1]
    tiles = [tile("Chance", value, "always naming one device") for value in chance]
    for row in context["probe"]:
        tiles.append(tile(f"Leakage probe, {unit_text(row['unit']).lower()}", row["value"], interval_text(row)))
    return tiles


def tile(title, value, small, *, kind="chance", system=""):
    """Return one tile of the summary."""
    return {"title": title, "value": percent(value), "small": small, "kind": kind, "system": system}


def control(scored):
    """Return how many accuracies of the control corpus agree with chance, the right answer there."""
    judged = [row for row in scored if known(row["low"]) and known(row["high"]) and known(row["chance"])]
    return {"judged": len(judged), "inside": sum(row["low"] <= row["chance"] <= row["high"] for row in judged)}


def probes(best, context):
    """Return the accuracies of the leakage probe, and whether the best system stands clear of each."""
    found = []
    for row in context["probe"]:
        other = best.get("segment" if row["unit"] == "excerpt" else row["unit"])
        if other and known(row["value"]) and known(other["low"]):
            found.append(
                {
                    "value": percent(row["value"]),
                    "unit": unit_text(row["unit"]).lower(),
                    "best": percent(other["value"]),
                    "best_unit": unit_text(other["unit"]).lower(),
                    "above": other["low"] > row["value"],
                }
            )
    return found


# --- Figures, conclusions, provenance --------------------------------------------------------------------------------


def figures(run):
    """Return the figures by notebook: title, caption, the picture itself, and where its full size is."""
    groups = {}
    for path in sorted((run / "figures").glob("[!.]*.png"), key=lambda path: path.stem):
        notebook, _, name = path.stem.partition("-")
        caption = path.with_suffix(".txt")
        full = path.with_suffix(".svg") if path.with_suffix(".svg").exists() else path
        data = path.read_bytes()
        groups.setdefault(notebook, []).append(
            {
                "title": capital(plain_words(name or notebook)),
                "caption": caption.read_text(encoding="utf-8", errors="replace").strip() if caption.exists() else "",
                "data": "data:image/png;base64," + base64.b64encode(data).decode(),
                "link": f"../figures/{quote(full.name)}",
            }
            | shape(data)
        )
    return [
        {"id": f"figures-{place}", "title": notebook_text(name), "figures": found}
        for place, (name, found) in enumerate(groups.items(), start=1)
    ]


def shape(data):
    """Return width and height of a PNG in CSS pixels, from its header, and whether it needs the page's whole width."""
    width, height = struct.unpack(">II", data[16:24]) if data[12:16] == b"IHDR" else (0, 0)
    return {"width": width * 96 // FIGURE_DPI, "height": height * 96 // FIGURE_DPI, "wide": width > 6 * FIGURE_DPI}


def conclusions(run):
    """Return the bullets that the notebooks saved, by notebook."""
    groups = {}
    for path in sorted((run / "conclusions").glob("[!.]*")):
        if path.suffix in (".txt", ".md"):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            groups.setdefault(notebook_text(path.stem), []).extend(bullet_text(line) for line in lines if line.strip())
    return [{"title": title, "bullets": bullets} for title, bullets in groups.items() if bullets]


def bullet_text(line):
    """Return a line of Markdown without the mark of a list and without emphasis."""
    text = re.sub(r"^[-*•]\s+", "", line.strip())
    return re.sub(r"(?<!\w)(\*{1,2})(\w[^*]*)\1(?!\w)", r"\2", text)


def failures(info):
    """Return the notebooks that failed: name, last line of the message, and the message where it is longer."""
    found = []
    for name, message in info.get("failed", {}).items():
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", str(message)).strip()  # terminal colours in a traceback
        lines = text.splitlines() or ["no message"]
        found.append({"notebook": name, "line": lines[-1], "text": text if len(lines) > 1 else ""})
    return found


def provenance(run, info):
    """Return where the figures come from: parameters, versions, times per notebook, files in the run folder."""
    timings = info.get("timings", {})
    executed = {path.stem: f"../notebooks/{quote(path.name)}" for path in (run / "notebooks").glob("[!.]*.ipynb")}
    names = sorted(({*timings} | {*executed}) - {"corpus", "total"})
    order = [name for name in ("corpus", *names, "total") if name in timings or name in executed]
    return {
        "parameters": {name: as_text(value) for name, value in info.get("parameters", {}).items()},
        "versions": {name: as_text(value) for name, value in info.get("versions", {}).items()},
        "times": [timing(name, timings.get(name, {}), executed.get(name, "")) for name in order],
        "files": [name for name in ("results.csv", "run.json") if (run / name).exists()],
    }


def timing(name, values, link):
    """Return one line of the table of times: duration, and what else the notebook noted."""
    values = values if isinstance(values, dict) else {"seconds": values}
    seconds = values.get("seconds")
    others = {key: as_text(value) for key, value in values.items() if key != "seconds" and value is not None}
    more = [
        f"at most {text} GiB" if key == "peak_gib" else f"{key.replace('_', ' ')} {text}"
        for key, text in others.items()
    ]
    spent = duration(seconds) if isinstance(seconds, (int, float)) else "–"
    return {"name": name, "time": spent, "more": ", ".join(more), "link": link}


def as_text(value):
    """Return a parameter as text; empty text is shown as such."""
    return value if isinstance(value, str) and value else json.dumps(value, default=str)
