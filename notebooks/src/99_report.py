# %% [markdown] tags=["lab-only"]
# # 99 · The report of a run
#
# **What did a run find, and how far does it carry?**
#
# | | |
# |---|---|
# | you will learn | what a run folder holds, and how a figure is read: beside chance, probe and interval |
# | it needs | the folder of a run, complete or not |
# | it makes | the page of the run, `report/index.html` |
# | it takes | seconds |
#
# `devid run` and `devid report RUN` execute this notebook and export it without its code. To make a report of your own,
# change it and run `devid report RUN`. Cells tagged `lab-only`, such as this one, stay out of the page.

# %% tags=["parameters"]
run_dir: str = "runs/lab"  # folder for results, seen from the project

# %%
import json
import re
from html import escape
from urllib.parse import quote

import pandas as pd
from IPython.display import HTML, Markdown, display

from devid_lib import evaluation
from devid_lib.errors import DevidError
from devid_lib.models import SYSTEMS
from devid_lib.workbook import folder
from devid_lib.workbook.paper import PAPER_TABLE_VI
from devid_lib.workbook.session import in_workspace, slug
from devid_lib.workbook.tables import bullets, gallery, over, side_by_side, without_folders

# %% [markdown] tags=["lab-only"]
# ## Inputs
#
# `run.json` says with what the notebooks ran and what they made, `results.csv` has one line per figure, `recordings.csv`
# one per recording, `predictions/` what the systems answered.

# %%
run = in_workspace(run_dir)
if not run.is_dir():
    raise DevidError(f"{run}: no such run folder")
info = folder.read_json(run / "run.json")
params, loaded = info.get("parameters", {}), info.get("corpus", {})


def made(kind, ending):
    """Return {stem: path} of the files of a kind, in the order in which they were made."""
    paths = [run / name for name in info.get("files", {}) if name.startswith(f"{kind}/") and name.endswith(ending)]
    return {path.stem: path for path in paths}


answers, pictures = made("predictions", ".parquet"), made("figures", ".png")
conclusions = {name: path.read_text(encoding="utf-8") for name, path in made("conclusions", ".txt").items()}
recordings, rows = run / "recordings.csv", run / "results.csv"
recordings = pd.read_csv(recordings, dtype=str, keep_default_na=False) if recordings.exists() else pd.DataFrame()
rows = folder.read_table(rows) if rows.exists() else pd.DataFrame(columns=folder.COLUMNS)
rows = rows.astype(dict.fromkeys(["value", "low", "high", "n", "chance", "paper"], float))
rows = rows[~rows["system"].astype(str).str.startswith("yours: ")]  # the example of notebook 10
rows = rows.sort_values("table", key=lambda names: names.eq(""), kind="stable")  # what stands in a table comes first
rows = rows.drop_duplicates(["system", "variant", "corpus", "unit", "metric", "value"]).sort_index()  # scored alike

# %% [markdown] tags=["lab-only"]
# ## Names, numbers and tables
#
# A name is followed by what sets its line apart. Only what is exact is printed as 100.0 or 0.0. A table of accuracies has
# a line per system and a column per unit of decision, and beside it the printed one. Names are data: whatever they hold is
# printed as it is.

# %%
UNITS = {"segment": "One segment", "recording": "Whole recording"}
VARIANTS = {"wavelet": "", "none": "no noise extraction", "none+hann": "a window, no noise extraction"}
VARIANTS |= {"wavelet+hann": "noise extraction and a window"}
OPTIMISTIC = "optimistic: epoch chosen on the test set"


def labelled(text):
    return re.sub("|".join(sorted(SYSTEMS, reverse=True)), lambda found: SYSTEMS[found[0]].label, text)


def name_of(row):
    words = [labelled(row["system"]), *(VARIANTS.get(part, labelled(part)) for part in row["variant"].split(", "))]
    words += [f"corpus {row['corpus']}"] * (row["corpus"] not in ("", loaded.get("name")))
    network = SYSTEMS.get(row["system"].removeprefix("paper "))
    chosen = network and network.family != "softmax"
    words += [OPTIMISTIC] * bool("published recipe" in row["variant"] or (params.get("recipe") == "published" and chosen))
    return ", ".join(filter(None, words))


def counted(number, word):
    return f"{number} {word}{'s' * (str(number) != '1')}"


def unit_name(unit):
    return counted(unit[4:], "voter") if unit.startswith("vote") else UNITS.get(unit, unit)


def duration(unit):
    return {"segment": 0, "recording": float("inf")}.get(unit, float("0" + "".join(re.findall(r"\d", unit))))


# %%
def percent(value):
    text = f"{100 * value:.1f}"
    return text if value in (0, 1) else {"100.0": "> 99.9", "0.0": "< 0.1", "nan": ""}.get(text, text)


def measured(row):
    kind, text = "", lambda value: f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if row["metric"].startswith("difference"):
        kind, text = " [points]", lambda value: f"{100 * value:+.1f}"
    elif row["metric"].endswith("accuracy") or pd.notna(row["chance"]):
        kind, text = " [%]", percent
    interval = f"{text(row['low'])} – {text(row['high'])}" * pd.notna(row["low"])
    return {"name": name_of(row), "in": kind, "figure": over(text(row["value"]), interval)}


texts = [measured(row) for row in rows.to_dict("records")]
rows[["name", "in", "figure"]] = pd.DataFrame(texts, rows.index, ["name", "in", "figure"], dtype=str)
is_probe = rows["system"].eq("leakage probe")
probe, rows = rows[is_probe].assign(name="Leakage probe (six trivial numbers)"), rows[~is_probe]
accuracy = rows[rows["metric"].eq("accuracy")]

# %%
pd.set_option("styler.html.mathjax", False)  # a device may be called $x$
OURS, PAPER, AGAINST = "this run [%]", "paper [%]", [*probe["name"][:1], "Chance", "Decisions"]
LOOKS = {"th.row_heading": "text-align: left", "small": "font-weight: normal", "td.ours": "font-weight: bold"}


def styled(table, *, ours=(OURS,), grey=(PAPER,)):
    kinds = table.columns.get_level_values(-1)
    classes = ["ours" * (kind in ours) + "grey" * (kind in grey) for kind in kinds]
    classes = [["grey"] * len(kinds) if name in AGAINST else classes for name in table.index]
    classes = pd.DataFrame(classes, table.index, table.columns)
    style = table.style.set_table_styles([{"selector": where, "props": look} for where, look in LOOKS.items()])
    style = style.set_td_classes(classes).format(precision=3, thousands=",", na_rep="", escape="html")
    style = style.format(precision=3, na_rep="", subset=table.columns[kinds.isin(ours)])  # figures, which are HTML
    return style.format_index(escape="html").format_index(escape="html", axis=1)


def plain(table, **options):
    return styled(table.dropna(axis=1, how="all"), **options).hide(axis="index")


# %%
def accuracies(found, *, paper=PAPER):
    columns, found = {}, found[found["metric"].eq("accuracy")].drop_duplicates(["name", "unit"])
    for unit in sorted(found["unit"].unique(), key=duration):
        part = found[found["unit"].eq(unit)].set_index("name")
        against = probe[probe["unit"].eq(unit)].drop_duplicates("name").set_index("name")["figure"]
        counts = {"Chance": part["chance"].map(percent), "Decisions": part["n"].map("{:,.0f}".format)}
        counts = pd.Series({name: " / ".join(texts.unique()) for name, texts in counts.items()})
        columns[unit_name(unit), OURS] = pd.concat([part["figure"], against, counts])
        if part["paper"].notna().any():
            columns[unit_name(unit), paper] = part["paper"].map(lambda value: f"{100 * value:.4g}", na_action="ignore")
    return pd.DataFrame(columns).reindex([*found["name"].unique(), *AGAINST]).dropna(how="all")


# %%
name, left_out, failed = loaded.get("name", ""), loaded.get("skipped", []), info.get("failed", {})
facts = {"run": run.resolve().name, "corpus": name} | {key: info.get(key) for key in ("preset", "started", "seed")}
facts |= {key: loaded.get(key) for key in ("devices", "recordings", "hours")}
facts = [f"<span>{key} <b>{escape(str(value))}</b></span> " for key, value in facts.items() if value not in (None, "")]
display(Markdown("# Which device made this recording?"), HTML(f"<p class='facts tex2jax_ignore'>{''.join(facts)}</p>"))

# %%
warnings = {
    "A control: all devices are copies of one simulated recorder, so there is nothing to tell them apart by and "
    "chance is the right answer.": name == "simulated-control",
    "Simulated: the recordings were computed, with constants from datasheets and assumptions. The figures show how the "
    "methods behave, not how well any device can be identified.": str(name).startswith("simulated"),
    "A quick run: short recordings, few segments. It shows that everything works, not how well.":
        "quick" in (params.get("size"), info.get("preset")),
    "Recipe “published”: as the authors did, the epoch that is kept is the one with the best accuracy on the test "
    "set, so the figures of all networks are optimistic.": params.get("recipe") == "published",
    f"Left out of this run: {counted(len(left_out), 'recording')}, listed below.": left_out,
    f"Failed: {counted(len(failed), 'notebook')} ({', '.join(failed)}); what would have come from there is missing.": failed,
}
boxes = [*map(without_folders, loaded.get("notes", [])), *(text for text, true in warnings.items() if true)]
HTML("".join(f"<blockquote class='tex2jax_ignore'><p>{escape(text)}</p></blockquote>" for text in boxes))

# %% [markdown]
# ## What was found

# %%
SEEN = {"none": "Raw", "wavelet": "Noise", "none+hann": "Raw, window", "wavelet+hann": "Noise, window"}
SEEN |= {"none+hann, quiet parts": "Quiet parts", "ripple": "Ripple"}
across = accuracy[accuracy["notebook"].str.startswith("12_") & accuracy["unit"].eq("segment")]
across = across.join(across["variant"].str.extract("^(?P<seen>.*), (?P<asked>(?:far|next|same) session)$"))
across = across.dropna(subset="asked").sort_values("asked", kind="stable")  # far, next, same
nearest = across["system"].map(lambda name: "" if name == "ridge" else f", {name}").astype(str)
across = across.assign(unit=across["asked"], name=across["seen"].replace(SEEN) + nearest)
if len(across):
    stood_in = "recordings stand in for them" in conclusions.get("12_across_sessions", "")
    told = [
        "Segments named right by a linear reader that has learned a single session of every device, equally many seconds "
        "whichever is asked: from right to left, what another day, room and place cost. Raw is the spectrum of the recording "
        "itself, noise that of what the wavelets take out, quiet parts the quieter half of the segments, ripple what "
        "neighbouring frequencies differ by (notebook 12).",
        *["Sessions are not told here, or devices have one each: recordings stand in for sessions."] * stood_in,
    ]
    display(Markdown("### In another session"), styled(accuracies(across)), bullets(*told))
    display(gallery(path for stem, path in pictures.items() if stem == "12_across_sessions-sessions"))
    display(Markdown("### In the test recordings"))

# %%
# The best system for every unit: each scored on as many decisions counts once, but for those chosen on the test set.
judged = accuracy[accuracy["low"].notna() & accuracy["corpus"].isin(["", name])]
judged = judged[~judged["name"].str.contains(OPTIMISTIC, regex=False)]
judged = judged[~judged["notebook"].str.match("12_|13_|91_")]  # these hold out other recordings, or degrade them
judged["kind"] = judged["system"].str.removeprefix("paper ")
voted = judged.loc[judged["table"].eq("V") & judged["unit"].str.startswith("vote"), "unit"]


# %%
def beats(best, other):
    cited = best["table"] == "leaderboard"
    key = f"{best['notebook']}-{slug(best['system']) if cited else best['system'] + '-' + best['variant']}"
    if not {key, "leakage-probe"} <= answers.keys():
        return best["low"] > other["high"]
    pair = (evaluation.voted(pd.read_parquet(answers[name]), unit=best["unit"]) for name in (key, "leakage-probe"))
    return evaluation.paired_difference(*pair)["low"] > 0


# %%
verdict, found = {True: "stands clear", False: "not told apart"}, []
for unit in ("segment", *sorted(voted, key=duration)[-1:], "recording"):
    systems, others = judged[judged["unit"].eq(unit)], probe[probe["unit"].eq(unit)].to_dict("records")
    systems = systems[systems["n"].eq(systems["n"].max())]
    for best in systems.nlargest(1, "value").to_dict("records"):
        alike = systems.loc[systems["value"].eq(best["value"]), "kind"].nunique() - 1
        chance = over(percent(best["chance"]), verdict[best["low"] > best["chance"]])
        probed = (over(other["figure"], verdict[beats(best, other)]) for other in others)
        line = {"Decision by": unit_name(unit), "Best [%]": best["figure"], "Chance [%]": chance}
        line |= {"Leakage probe [%]": next(probed, None), "Reached by": best["name"] + f" and {alike} alike" * (alike > 0)}
        found.append(line | {"Systems": systems["kind"].nunique(), "Decisions": int(best["n"])})

ours = ["Best [%]", "Chance [%]", "Leakage probe [%]"]
plain(pd.DataFrame(found), ours=ours) if found else HTML("<p>This run has no accuracy yet in the test recordings.</p>")

# %%
whole, tenths = judged[judged["unit"].eq("recording")], probe.loc[probe["unit"].eq("excerpt"), "value"]
held = (judged["low"] <= judged["chance"]) & (judged["chance"] <= judged["high"])
n, exact = int(whole["n"].max()) if len(whole) else 0, whole.loc[whole["value"].eq(1) & whole["n"].eq(whole["n"].max()), "low"]
said = {
    f"{held.sum()} of {len(held)} intervals hold the chance level, the right answer for this corpus.":
        name == "simulated-control" and len(judged),
    f"This table and the next ones rest on {n} test recordings of {loaded.get('devices', 'some')} devices. Segments of one "
    "recording share its room, its level and its day and are no independent trials: intervals are over recordings. "
    f"One recording more or less moves the figure of whole recordings by {percent(1 / max(n, 1))} points.": n,
    f"No error in {n} recordings still agrees with an error rate of up to {percent(1 - exact.min())} %.": len(exact),
    "The leakage probe knows six trivial numbers: level, three noise floors, digital zeros, DC offset. It decides "
    "whole recordings" + "".join(f" and, {percent(value)} % right, tenths of them" for value in tenths[:1]) + ". "
    "Where a system does not stand clear of it, part or all of its accuracy may come from such traces.": found,
    "“Stands clear”: of chance, if the 95 % interval lies above it; of the probe, if that of the paired difference "
    "over recordings lies above zero (where the answers to pair were not kept, if the two intervals do not touch).": found,
    "“Best” was picked on the same test recordings that it is quoted for, which flatters it.": found,
    "Every test recording is from a device known from training. What happens with another device, in another place "
    "or after another codec, these figures do not show.": found,
}  # fmt: skip
bullets(*(text for text, true in said.items() if true))

# %% [markdown]
# ## The paper’s tables
#
# After Qi, Huang, Li and Shi, “Audio Recording Device Identification Based on Deep Learning” (2016). **Bold**: this
# run, accuracy over its 95 % interval. Grey: what the paper prints, measured on its authors’ own nine recorders, whose
# recordings were never published, with the test set also used to choose the epoch. The two are not measurements of the
# same thing.

# %%
def of(number):
    return rows["table"].eq(number)


def missing(notebook):
    return Markdown(f"Not in this run: it comes from notebook {notebook}.")


extracted = rows["system"].isin(rows.loc[of("III"), "system"]) & rows["variant"].eq("wavelet") & of("II")
perceptrons = [name for name, network in SYSTEMS.items() if network.family == "mlp"]
plain_mlp = of("II") & rows["system"].isin(perceptrons) & of("IV").any()
single = rows["name"].isin(rows.loc[of("V"), "name"]) & rows["unit"].isin(["segment", "recording"])
paper_tables = {
    "Table II. Classifiers compared": (of("II"), "03 and 04"),
    "Table III. Without noise extraction": (of("III") | extracted, "05"),
    "Table IV. Model averaging": (of("IV") | plain_mlp, "06"),
    "Table V. Voting": (of("V") | single, "07"),
}
place = {system: place for place, system in enumerate(SYSTEMS)}  # the order of the paper
for title, (chosen, notebooks) in paper_tables.items():
    lines = rows[chosen].sort_values("system", key=lambda names: names.map(place), kind="stable")
    display(Markdown(f"### {title}"), styled(accuracies(lines)) if chosen.any() else missing(notebooks))

# %% [markdown]
# ### Table VI. Device by device

# %%
metrics = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
parts = []
for system, part in rows[of("VI") & rows["metric"].isin(metrics)].groupby("system", sort=False):
    scores = part.pivot_table("value", "variant", "metric", sort=False)[list(metrics)].rename(columns=metrics)
    scores.insert(0, "Device", scores.index.str.removeprefix("device:"))
    scores["Decisions"] = part.groupby("variant")["n"].max().astype(int)
    parts.append(plain(scores, ours=metrics.values()).set_caption(f"This run: {escape(labelled(system))}, one segment"))
printed = PAPER_TABLE_VI.rename(columns=metrics).rename_axis("Device").reset_index()
printed = plain(printed, grey=metrics.values()).format(precision=2).set_caption("Paper: the authors’ nine recorders")
side_by_side([*parts, printed]) if parts else missing("08")

# %% [markdown]
# ## Every test recording

# %%
# Decisions of the perceptron that votes in table V, else of the first system there is.
keys, listing = ["device", "recording"], pd.DataFrame(columns=["device", "recording"])
systems = {stem.partition("-")[2]: path for stem, path in answers.items() if not re.search("^leakage-probe|-yours", stem)}
order = [f"{system}-{noise}" for system in ("mlp-3", *SYSTEMS) for noise in (params.get("noise", "wavelet"), "none")]
for main in [name for name in [*order, *systems] if name in systems][:1]:
    whole = evaluation.voted(pd.read_parquet(systems[main]), unit="recording")
    scores = whole[evaluation.device_names(whole)].max(axis=1).map(percent)
    right = pd.Series(evaluation.correct(whole)).map({True: "right", False: "WRONG"})
    listing = whole[keys].assign(decision=evaluation.decisions(whole), right=right, score=scores)
    wrong = f"{right.eq('WRONG').sum()} of {len(listing)} decisions of {labelled(main.removesuffix('-wavelet'))}"
    display(bullets(f"{wrong} are wrong. The score is the mean posterior of the device decided for, over all segments."))
if len(recordings):
    listing = recordings.loc[recordings["split"].eq("test"), ["path", *keys, "file_sha256"]].merge(listing, "left", keys)
else:
    display(Markdown("Files and checksums are not known: `recordings.csv` is not in this run."))

# %%
heads = {"path": "File", "device": "Device", "decision": "Decision", "right": "It is", "score": "Score [%]"}
heads |= {"file_sha256": "SHA-256 of the file"} if len(recordings) else {"recording": "Recording"}
listing = listing.reindex(columns=[key for key in heads if key in listing]).rename(columns=heads)
shown = plain(listing).set_table_attributes('class="long"')
shown if len(listing) else Markdown("This run has no test recording yet.")

# %% [markdown]
# ## Leaderboard

# %%
board, published = rows[of("leaderboard")], "published [%]"
if len(board):
    values = board[board["metric"].eq("accuracy")].pivot_table("value", "name", "unit", sort=False)
    best = values.sort_values(sorted(values, key=duration, reverse=True), ascending=False).index
    table = accuracies(board.set_index("name", drop=False).loc[best], paper=published)
    whole = board[board["unit"].isin(["recording", ""]) & board["metric"].ne("accuracy")]
    for (unit, metric), part in whole.sort_values("unit", ascending=False).groupby(["unit", "metric"], sort=False):
        table[unit_name(unit), metric] = part.set_index("name")["value"]
    display(styled(table, grey=[published]))
    display(Markdown(
        "Published: on recordings of the systems’ authors, other devices and other numbers of them; [1], [5] and [8] "
        "print a lower bound. Other figures are of whole recordings. The networks learn as many seconds here as all others, "
        "fewer than in the tables above."
    ))  # fmt: skip
else:
    display(missing("10"))

# %%
same = rows[of("device or recording") & rows["metric"].eq("same-recording accuracy")]
same = same.set_index("name")["figure"]
if len(same):
    other = board[board["metric"].eq("accuracy") & board["unit"].eq("1 s")].set_index("name")["figure"]
    pair = pd.DataFrame({"same recording [%]": same, "another recording [%]": other}).loc[same.index].rename_axis(None)
    display(Markdown(
        "### Device or recording?\n\nAsked for seconds from the end of the training recordings, which were not learned, where "
        "device, room, level and day are the same; beside it, seconds of recordings that were not heard."
    ))  # fmt: skip
    display(styled(pair, ours=list(pair)))

# %% [markdown]
# ## Notebook by notebook
#
# What each notebook concluded, its pictures, and, folded, the figures that stand in no table above (on paper left out: all
# are in `results.csv`). A notebook's name leads to the whole of it, a picture to its full size.

# %%
def title_of(path):
    try:
        return re.match("# (.+)", "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]))[1]
    except Exception:  # whatever can be wrong in a file, or it is not there
        return path.stem


# %%
notebooks = {path.stem for path in (run / "notebooks").glob("[0-9]*.ipynb")} - {"99_report"}
for notebook in sorted({*conclusions, *notebooks, *rows["notebook"], *(stem.partition("-")[0] for stem in pictures)}):
    display(Markdown(f"### [{title_of(run / 'notebooks' / f'{notebook}.ipynb')}]({quote(notebook)}.ipynb)"))
    lines = conclusions.get(notebook, "").replace("<", "&lt;").splitlines()
    display(Markdown("\n".join(f"- {line}" for line in lines if line.strip())))
    display(gallery(path for stem, path in pictures.items() if stem.partition("-")[0] == notebook))
    rest = rows[rows["notebook"].eq(notebook) & rows["table"].eq("")]
    table = pd.DataFrame({"System": rest["name"], "Unit": rest["unit"].map(unit_name)})
    table["Metric"] = rest["metric"].map(labelled) + rest["in"]
    table["Value"], table["Chance [%]"] = rest["figure"], rest["chance"].map(percent)
    if len(rest):
        folded = plain(table.replace("", None), ours=["Value"]).to_html()
        display(HTML(f"<details><summary>{counted(len(rest), 'more figure')}</summary>{folded}</details>"))

# %% [markdown]
# ## Left out and failed

# %%
def listed(pairs, *heads):
    lines = [[without_folders(text) for text in pair] for pair in pairs]
    return plain(pd.DataFrame(lines, columns=heads)) if lines else Markdown("None.")


left_out = [(entry["path"], entry["reason"]) for entry in left_out]
display(Markdown("### Recordings left out"), listed(left_out, "Recording", "Reason"))
display(Markdown("### Notebooks that failed"), listed(failed.items(), "Notebook", "Reason"))

# %% [markdown]
# ## Provenance

# %%
used = [(key, value) for key, value in params.items() if key not in ("run_dir", "data_dir")]
times = info.get("timings", {}).items()
times = [(key, f"{spent['seconds']:.0f} s", spent.get("peak_gib") or "") for key, spent in times]
kept = [f"[{name}](../{name})" for name in ("results.csv", "recordings.csv", "run.json") if (run / name).exists()]
sums = {"Seed": info.get("seed"), "Checksum of the corpus": loaded.get("checksum")}
display(bullets(*(f"{key}: {'not known' if value is None else value}" for key, value in sums.items())))
display(Markdown(f"Every figure of this page, in files: {', '.join(kept)}"))
parts = [listed(used, "Parameter", "Value"), listed(info.get("versions", {}).items(), "Package", "Version"),
         listed(times, "Time of", "Spent", "Memory [GiB]")]  # fmt: skip
side_by_side(part for part in parts if not isinstance(part, Markdown))

# %% [markdown]
# Intervals are 95 %: for whole recordings after Clopper and Pearson, for shorter units from Student's t on the logit
# scale over recordings. Chance is the share of the most frequent device among the decisions.

# %% [markdown] tags=["lab-only"]
# Next: [00 · Start here](00_start_here.ipynb)
