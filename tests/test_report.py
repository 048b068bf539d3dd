"""The report page: what it says, what it must never say, and that it stands alone."""

import base64
import html
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from devid_lib import evaluation, report, results
from devid_lib.errors import DevidError

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
TABLES = ("II", "III", "IV", "V", "VI")
NINE = ["Alder", "Aspen", "Birch", "Cedar", "Elm", "Hazel", "Larch", "Maple", "Rowan"]
BARE = {name: np.nan for name in ("value", "low", "high", "n", "chance", "paper")}


def figure(notebook, table, system, variant, unit, value, *, n, chance=1 / 9, corpus="simulated", spread=0.045, **more):
    """Return one row of accuracy, as `notebook.score` makes them."""
    low, high = max(0, value - spread), min(1, value + spread)
    low, high = (1, 1) if value == 1 else (low, high)
    paper = results.PAPER.get((table, system, variant, unit), np.nan)
    return {
        "notebook": notebook,
        "table": table,
        "system": system,
        "variant": variant,
        "corpus": corpus,
        "unit": unit,
        "metric": "accuracy",
        "value": value,
        "low": low,
        "high": high,
        "n": n,
        "chance": chance,
        "paper": paper,
        "seed": 0,
    } | more


def rows_of_a_run(devices, *, corpus="simulated", recordings=1):
    """Return made-up rows of all notebooks."""
    count = len(devices)
    common = {"chance": 1 / count, "corpus": corpus}
    segments, files = {"n": 100 * count * recordings} | common, {"n": count * recordings} | common
    rng = np.random.default_rng(0)
    rows = []

    def both(notebook, table, system, variant, segment, recording):
        rows.append(figure(notebook, table, system, variant, "segment", segment, **segments))
        rows.append(figure(notebook, table, system, variant, "recording", recording, **files))

    rows += [
        figure("01_build_dataset", "", "leakage probe", "", "excerpt", 0.3217, **segments),
        figure("01_build_dataset", "", "leakage probe", "", "recording", 4 / 9, **files, spread=0.2),
    ]
    both("03_softmax", "II", "softmax", "wavelet", 0.8522, 8 / 9)
    for layers, value in ((1, 0.9011), (2, 0.9133), (3, 0.9244)):
        both("04_mlp", "II", f"mlp-{layers}", "wavelet", value, 1)
        both("06_model_averaging", "IV", f"mlp-{layers}", "wavelet", value, 1)
        both("06_model_averaging", "IV", f"averaged-mlp-{layers}", "wavelet", value - 0.0122, 1)
    rows.append(figure("04_mlp", "", "mlp-1", "squared error", "segment", 0.8866, **segments))
    for system, value in (("softmax", 0.7733), ("mlp-3", 0.8311), ("cnn", 0.8644), ("cnn-random", 0.8477)):
        both("05_without_noise_extraction", "III", system, "none", value, 8 / 9)
    for voters, value in ((3, 0.9711), (4, 0.9822), (5, 0.9911)):
        rows.append(figure("07_voting", "V", "mlp-3", "wavelet", f"vote{voters}", value, **segments, spread=0.008))
    rows.append(figure("07_voting", "", "mlp-3", "majority", "vote5", 0.9866, **segments))
    for name in [*devices, "average"]:
        precision, recall = rng.uniform(0.8, 1, 2)
        scores = {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall)}
        for metric, value in scores.items():
            row = figure("08_confusion_matrix", "VI", "mlp-3", f"device:{name}", "segment", value, n=100, corpus=corpus)
            rows.append(row | {"metric": metric, "low": np.nan, "high": np.nan, "chance": np.nan})
    bare = {"table": "", "variant": "", "unit": "", "corpus": corpus, "seed": 0} | BARE

    def other(notebook, system, metric, value, **more):
        rows.append(bare | {"notebook": notebook, "system": system, "metric": metric, "value": value} | more)

    other("00_start_here", "corpus", "devices", count)
    other("00_start_here", "corpus", "hours", 2.9312)
    for number, feature in enumerate(("wavelet, published, c = 1", "none, published, c = 1", "wavelet, default")):
        for metric, value in (("accuracy", 0.811), ("quiet third", 0.712), ("20 dB quieter", 0.213)):
            other(
                "02_noise_fingerprint", "ridge regression", metric, value + number / 50, variant=feature, unit="segment"
            )
    for voters in (1, 2, 3, 5, 8, 13, 21):
        name = "sum, from one pool"
        rows.append(
            figure("07_voting", "", "mlp-3", name, f"vote{voters}", 0.93 + voters / 500, **segments, spread=0.01)
        )
    rows.append(figure("08_confusion_matrix", "", "mlp-3", "wavelet", "segment", 0.9244, **segments))  # again
    other("08_confusion_matrix", "mlp-3", "expected calibration error", 0.0413, variant="segment", n=100 * count)
    other("09_tsne", "mlp-3", "nearest neighbour of the same device", 0.8123, variant="posteriors", chance=1 / count)
    other("90_speed", "features, against scikit-image", "ratio", 7.21)
    other("90_speed", "features, segments per second", "segments per second", 16214.0)
    other("90_speed", "features", "largest difference from the plain definition", 2.5e-6)
    for recipe, value, seconds in (("default", 0.9244, 12.34), ("published", 0.9955, 456.7)):
        for metric, number in (("accuracy", value), ("seconds", seconds)):
            other("90_speed", "mlp-3", metric, number, variant=f"{recipe} recipe", unit="segment")
    return pd.DataFrame(rows)


def make_run(run, rows=None, *, corpus="simulated", devices=NINE, recordings=1, **info):
    """Fill a run folder as the notebooks do."""
    results.open_run(run)
    rows = rows_of_a_run(devices, corpus=corpus, recordings=recordings) if rows is None else rows
    for name, part in rows.groupby("notebook"):
        results.save_metrics(run, name, part)
    notebooks = sorted(rows["notebook"].unique())
    for name in notebooks:
        (run / "notebooks" / f"{name}.ipynb").write_text("{}")
    corpus = {
        "name": corpus,
        "checksum": "c0ffee15c0ffee15",
        "devices": len(devices),
        "recordings": 3 * len(devices),
        "hours": 2.931,
        "samplerate": 44100,
        "notes": [],
        "skipped": [],
    }
    timings = {name: {"seconds": 30.5} for name in notebooks}
    timings |= {"corpus": {"seconds": 95.2}, "total": {"seconds": 611.3}}
    settings = {"recipe": "default", "corpus": corpus["name"], "noise": "wavelet", "epochs": 0, "test_recordings": ""}
    saved = {
        "preset": "paper",
        "started": "2024-05-06 07:08:09",
        "seed": 0,
        "corpus": corpus,
        "parameters": settings,
        "versions": {"python": "3.11.9", "numpy": "2.4.1"},
        "timings": timings,
        "failed": {},
    }
    results.write_json(run / "run.json", saved)
    results.update_run(run, **info)
    return run


@pytest.fixture
def page_of(tmp_path):
    """Return a function that makes a run and gives its page."""

    def page(*args, **options):
        run = make_run(tmp_path / "run", *args, **options)
        return report.write_report(run).read_text(encoding="utf-8")

    return page


def text_of(page):
    """Return what a reader reads, without style, each blank run one space."""
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def section(page, name):
    """Return the source of one section of the page."""
    inside = page.split(f'<section id="{name}"')[1]
    return inside.split("<section")[0]


def lines_of(page, name):
    """Return the table lines of a section: lists of the texts of their cells."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", section(page, name), flags=re.S)
    return [[text_of(cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, flags=re.S)] for row in rows]


class Outside(HTMLParser):
    """Gathers what a browser would load, and scripts."""

    def __init__(self):
        super().__init__()
        self.loads, self.scripts, self.links, self.ids = [], [], [], set()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs["id"]} if "id" in attrs else set()
        self.links += [attrs["href"]] if tag == "a" else []
        self.loads += [attrs[name] for name in ("src", "srcset", "data", "poster") if name in attrs]
        self.loads += [attrs["href"]] if tag in ("link", "base", "image", "use") else []
        self.scripts += [tag] if tag in ("script", "iframe", "object", "embed") else []
        self.scripts += [name for name in attrs if name.startswith("on")]


def outside(page):
    """Return the page parsed for what it loads."""
    parser = Outside()
    parser.feed(page)
    return parser


# --- A complete run --------------------------------------------------------------------------------------------------


def test_accuracies_stand_as_in_results(page_of):
    page = page_of()
    assert lines_of(page, "table-II")[1:] == [
        ["Softmax", "–", "85.2 80.7 – 89.7", "87", "88.9 84.4 – 93.4", "11.1", "900 / 9"],
        ["MLP", "1", "90.1 85.6 – 94.6", "92", "100.0 at least 71.7", "11.1", "900 / 9"],
        ["MLP", "2", "91.3 86.8 – 95.8", "91", "100.0 at least 71.7", "11.1", "900 / 9"],
        ["MLP", "3", "92.4 87.9 – 96.9", "93", "100.0 at least 71.7", "11.1", "900 / 9"],
    ]


def test_table_iii_shows_the_same_system_with_noise_extraction(page_of):
    lines = {line[0]: line[1:] for line in lines_of(page_of(), "table-III")[1:]}
    assert lines["Softmax"][:5] == ["77.3 72.8 – 81.8", "79", "88.9 84.4 – 93.4", "85.2 80.7 – 89.7", "87"]
    assert lines["MLP, 3 hidden layers"][3:5] == ["92.4 87.9 – 96.9", "93"]
    assert lines["CNN, sine-wave start"][:2] == ["86.4 81.9 – 90.9", "90"]
    assert lines["CNN, sine-wave start"][3:5] == ["–", "–"]
    assert lines["CNN, random start"][1] == "–"


def test_table_iv_pairs_with_and_without_averaging(page_of):
    lines = lines_of(page_of(), "table-IV")[1:]
    assert [line[:2] for line in lines] == [[k, averaged] for k in "123" for averaged in ("no", "yes")]
    assert [line[3] for line in lines] == ["92", "92", "91", "92", "93", "93"]
    assert lines[1][2] == "88.9 84.4 – 93.4"


def test_table_iv_borrows_the_single_networks_from_table_ii(page_of):
    rows = rows_of_a_run(NINE)
    page = page_of(rows[~(rows["table"].eq("IV") & rows["system"].str.startswith("mlp"))])
    assert [line[:2] for line in lines_of(page, "table-IV")[1:]] == [[k, a] for k in "123" for a in ("no", "yes")]
    assert "Not in this run" not in section(page, "table-IV")


def test_table_v_runs_from_one_segment_to_a_recording(page_of):
    rows = rows_of_a_run(NINE)
    single = figure("07_voting", "V", "mlp-3", "wavelet", "segment", 0.9244, n=900)  # the paper has it in table II only
    lines = lines_of(page_of(pd.concat([rows, pd.DataFrame([single])])), "table-V")[1:]
    assert [line[0] for line in lines] == ["1", "3", "4", "5", "all segments of a recording"]
    assert [line[2] for line in lines] == ["93", "96", "98", "99", "–"]
    assert lines[3] == ["5", "99.1 98.3 – 99.9", "99", "11.1", "900", "9"]
    assert lines[-1][1] == "100.0 at least 71.7"


def test_table_vi_matches_and_the_papers_stands_beside(page_of):
    rows = rows_of_a_run(NINE)
    page = page_of(rows)
    lines = {line[0]: line[1:] for line in lines_of(page, "table-VI") if line}
    own = rows[rows["table"] == "VI"].set_index(["variant", "metric"])["value"].unstack()  # noqa: PD010
    for name in NINE:
        wanted = own.loc[f"device:{name}", ["precision", "recall", "f1"]]
        assert lines[name] == [*(f"{value:.3f}" for value in wanted), "100"]
    assert lines["HYUNDAI"] == ["0.98", "0.92", "0.95"]
    lowest = own.drop("device:average")["f1"].idxmin().removeprefix("device:")
    assert f"Hardest to tell: {lowest} (F1" in text_of(section(page, "table-VI"))


def test_every_row_of_results_is_on_the_page(page_of):
    rows = rows_of_a_run(NINE).reset_index(drop=True)
    rows["value"] = np.round(0.2 + 0.7 * rows.index / len(rows), 3)  # a value that no other row has
    rows[["low", "high"]] = np.nan
    text = text_of(page_of(rows))
    for row in rows.to_dict("records"):
        percent = row["metric"].endswith(report.FRACTIONS) and row["table"] != "VI"
        value = f"{100 * row['value']:.1f}" if percent else f"{row['value']:.3f}".rstrip("0")
        assert re.search(rf"(?<![\d.]){re.escape(value)}", text), row


def test_paper_column_says_whose_recorders(page_of):
    page = page_of()
    for number in ("II", "III", "IV", "V"):
        heads = re.findall(r'<th[^>]*class="paper">(.*?)</th>', section(page, f"table-{number}"), flags=re.S)
        assert heads and all("authors’ nine recorders" in text_of(head) for head in heads)


def test_rows_without_a_table_are_printed_as_suits_their_metric(page_of):
    text = text_of(section(page_of(), "rest"))
    for words in (
        "scikit-image ratio 7.21 ×",
        "segments per second 16,214",
        "largest difference from the plain definition 2.5e-06",
        "mlp-1 squared error 88.7 84.2 – 93.2",
        "expected calibration error 0.0413 900",
        "hours 2.93",
        "nearest neighbour of the same device 81.2 % 11.1 %",
    ):
        assert words in text
    assert "0.0413 ×" not in text


def test_bare_metrics_that_systems_share_stand_in_a_grid(page_of):
    text = text_of(section(page_of(), "rest"))
    assert (
        "System accuracy quiet third 20 dB quieter ridge regression wavelet, published, c = 1 81.1 % 71.2 % 21.3 %"
        in text
    )
    assert (
        "System accuracy seconds mlp-3 default recipe 92.4 % 12.3 s mlp-3 published recipe, optimistic: epoch" in text
    )
    assert text.count("optimistic") == 1


def test_a_long_curve_runs_down_the_page(page_of):
    text = text_of(section(page_of(), "rest"))
    assert "mlp-3 sum, from one pool Voters Ours accuracy [%] Chance [%] Decisions Test recordings 1 93.2" in text


def test_a_figure_scored_in_two_notebooks_stands_once(page_of):
    text = text_of(section(page_of(), "rest"))
    assert "08 · confusion matrix" in text and "mlp-3 wavelet noise extraction" not in text


def test_side_experiments_are_not_the_best(page_of):
    rows = rows_of_a_run(NINE)
    rows.loc[rows["variant"].eq("sum, from one pool"), "value"] = 0.9999
    text = text_of(section(page_of(rows), "summary"))
    assert "Best per segment 92.4 %" in text and "Best with 5 voters 99.1 %" in text


def test_summary_names_the_best_and_counts_ties(page_of):
    text = text_of(section(page_of(), "summary"))
    assert "Best per segment 92.4 % 87.9 – 96.9 mlp-3" in text
    assert "Best with 5 voters 99.1 %" in text
    assert "Best per recording 100.0 % at least 71.7 mlp-1 and 5 others alike" in text
    assert "Chance 11.1 %" in text
    assert "9 test recordings of 9 devices" in text
    bound = 100 * evaluation.zero_error_bound(9)
    assert f"an error rate of up to {bound:.1f} %" in text


@pytest.mark.parametrize("probe, words", [(0.32, "stands clear of it."), (0.9, "does not stand clear of it")])
def test_summary_judges_the_leakage_probe(page_of, probe, words):
    rows = rows_of_a_run(NINE)
    rows.loc[rows["system"].eq("leakage probe"), ["value", "low", "high"]] = probe, probe - 0.05, probe + 0.05
    rows.loc[rows["unit"].eq("recording") & rows["value"].eq(1), ["value", "low", "high"]] = 8 / 9, 0.6, 0.95
    text = text_of(section(page_of(rows), "summary"))
    assert f"It reaches {100 * probe:.1f} % per excerpt; the best system’s 92.4 % per segment {words}" in text


# --- What the corpus is ----------------------------------------------------------------------------------------------


def test_simulated_corpus_is_called_simulated(page_of):
    text = text_of(page_of())
    assert "simulated recorders, not measurements of real devices" in text
    assert "SIMULATED" in text
    assert "chance is the right answer" not in text


def test_control_corpus_is_explained_and_judged(page_of):
    rows = rows_of_a_run(NINE, corpus="simulated-control")
    right = rows["metric"].eq("accuracy")
    rows.loc[right, ["value", "low", "high"]] = 0.12, 0.08, 0.16
    rows.loc[rows["system"].eq("cnn"), "low"] = 0.115  # above chance, twice
    text = text_of(page_of(rows, corpus="simulated-control"))
    judged = (right & rows["table"].ne("")).sum()
    assert "simulated recorders, not measurements of real devices" in text
    assert "Its nine devices are copies of one and the same simulated recorder" in text
    assert "chance is the right answer" in text
    assert f"{judged - 2} of {judged} intervals hold the chance level" in text


def test_real_corpus_of_45_devices(page_of):
    phones = [f"phone_{k:02d}" for k in range(45)]
    page = page_of(corpus="phones", devices=phones, recordings=3)
    text = text_of(page)
    assert "simulated" not in text.lower()
    assert {line[0] for line in lines_of(page, "table-VI") if line} >= {*phones, "average", "aigo"}
    assert "135 test recordings of 45 devices" in text
    assert lines_of(page, "table-II")[1][-2:] == ["2.2", "13,500 / 135"]


def test_two_corpora_in_one_folder_are_told_apart(page_of):
    rows = rows_of_a_run(NINE)
    rows.loc[rows["notebook"].eq("03_softmax"), "corpus"] = "phones"
    page = page_of(rows)
    assert "2 corpora" in text_of(page)
    assert lines_of(page, "table-II")[1][0] == "Softmax corpus phones"


def test_seed_is_found_where_another_notebook_has_none(page_of):
    rows = rows_of_a_run(NINE).assign(seed=0.0)
    rows.loc[rows["notebook"].eq("90_speed"), "seed"] = np.nan
    page = page_of(rows)
    assert lines_of(page, "table-II")[1][0] == "Softmax" and "Best per segment 92.4 %" in text_of(page)


def test_published_recipe_is_labelled_optimistic(page_of):
    assert "optimistic" not in text_of(page_of().split('<section id="rest"')[0])
    page = page_of(parameters={"recipe": "published"})
    assert "best accuracy on the test set" in text_of(page.split("<main>")[0])
    for number in TABLES:
        assert "optimistic" in text_of(section(page, f"table-{number}"))


# --- Partial, empty, failed ------------------------------------------------------------------------------------------


def test_partial_run(page_of):
    rows = rows_of_a_run(NINE)
    page = page_of(rows[rows["notebook"].eq("04_mlp")])
    assert "Not in this run: softmax." in text_of(section(page, "table-II"))
    for number, notebook in (("III", "05"), ("IV", "06"), ("V", "07"), ("VI", "08")):
        assert f"this table comes from notebook {notebook}" in text_of(section(page, f"table-{number}"))
    assert "voters" not in text_of(section(page, "summary"))


def test_empty_run(tmp_path):
    text = text_of(report.write_report(tmp_path).read_text(encoding="utf-8"))
    for words in ("no results yet", "No figures were saved", "has saved its conclusions", "has noted its time"):
        assert words in text


def test_run_with_timings_only(tmp_path):
    timings = {"00_start_here": {"seconds": 61, "peak_gib": 0.81, "segments": 5}, "total": 75}
    results.write_json(tmp_path / "run.json", {"timings": timings})
    (tmp_path / "results.csv").write_text(",".join(results.COLUMNS) + "\n")
    text = text_of(report.write_report(tmp_path).read_text(encoding="utf-8"))
    assert "00_start_here at most 0.81 GiB, segments 5 1 min 01 s" in text and "total 1 min 15 s" in text


def test_refusals(tmp_path):
    with pytest.raises(DevidError, match="nowhere"):
        report.write_report(tmp_path / "nowhere")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(DevidError, match="run.json"):
        report.write_report(tmp_path)
    (tmp_path / "run.json").unlink()
    (tmp_path / "results.csv").write_bytes(b"")
    with pytest.raises(DevidError, match="results.csv"):
        report.write_report(tmp_path)
    assert not (tmp_path / "report" / "index.html").exists()


def test_skipped_recordings_notes_and_failures(tmp_path):
    run = make_run(tmp_path, failed={"09_tsne": "Traceback\n\x1b[31mParameterError\x1b[0m: perplexity=50"})
    skipped = [{"path": "clip4.flac", "reason": "shorter than one segment"}]
    results.update_run(run, corpus={"skipped": skipped, "notes": ["brought to 32000 Hz"]})
    page = report.write_report(run).read_text(encoding="utf-8")
    text = text_of(section(page, "left-out"))
    assert "clip4.flac shorter than one segment" in text
    assert "brought to 32000 Hz" in text
    assert "09_tsne ParameterError: perplexity=50" in text and "\x1b" not in page
    top = text_of(page.split("<main>")[0])
    assert "1 notebook failed" in top and "1 recording was left out" in top


def test_unknown_table_gets_its_own_section(page_of):
    rows = [
        figure("10_leaderboard", "leaderboard", system, "", unit, value, n=900)
        for system, value in (("[5] supervector SVM", 0.81), ("[7] projection + SRC", 0.77))
        for unit in ("segment", "recording")
    ]
    rows[0]["paper"] = 0.9555
    page = page_of(pd.concat([rows_of_a_run(NINE), pd.DataFrame(rows)]))
    lines = lines_of(page, "other-1")[1:]
    assert lines[0][:4] == ["[5] supervector SVM", "81.0 76.5 – 85.5", "95.55", "81.0 76.5 – 85.5"]
    assert "authors’ nine" not in section(page, "other-1")
    assert '<a href="#other-1">Leaderboard</a>' in page


# --- The page itself -------------------------------------------------------------------------------------------------


def test_figures_are_inside_with_captions(tmp_path):
    run = make_run(tmp_path)
    for suffix in ("png", "svg"):
        (run / "figures" / f"08_confusion_matrix-most-confused.{suffix}").write_bytes(PIXEL)
    (run / "figures" / "08_confusion_matrix-most-confused.txt").write_text("Rows are the <true> device.")
    (run / "figures" / "09_tsne-cnn last#1.png").write_bytes(PIXEL)
    (run / "figures" / ".tmp1-09_tsne-half.png").write_bytes(b"half")
    (run / "conclusions").mkdir(exist_ok=True)
    (run / "conclusions" / "04_mlp.txt").write_text(
        "- Three layers of the corpus *simulated*\n\n* -3 dB is <less>\n-1 point: 2*3*4\n"
    )
    page = report.write_report(run).read_text(encoding="utf-8")
    assert page.count("data:image/png;base64," + base64.b64encode(PIXEL).decode()) == 2
    assert 'href="../figures/08_confusion_matrix-most-confused.svg"' in page
    assert 'href="../figures/09_tsne-cnn%20last%231.png"' in page
    text = text_of(section(page, "pictures"))
    assert "08 · confusion matrix Most confused. Rows are the <true> device." in text and "half" not in text
    assert "09 · t-SNE CNN last#1." in text
    bullets = ["Three layers of the corpus simulated", "-3 dB is &lt;less&gt;", "-1 point: 2*3*4"]
    assert re.findall(r"<li>(.*?)</li>", section(page, "conclusions")) == bullets


def test_names_from_elsewhere_are_escaped(tmp_path):
    evil = "<script>alert(1)</script>"
    rows = rows_of_a_run([evil, '"><img src=x onerror=alert(1)>', *NINE[2:]])
    rows.loc[rows["system"].eq("cnn-random"), "system"] = evil
    rows.loc[rows["metric"].eq("ratio"), ["metric", "unit"]] = evil
    run = make_run(
        tmp_path,
        rows,
        preset=evil,
        failed={evil: f"{evil}\n{evil}"},
        versions={evil: evil},
        timings={evil: {"seconds": 1, evil: "{"}},
        parameters={evil: evil},
    )
    results.update_run(run, corpus={"name": evil, "notes": [evil], "skipped": [{"path": evil, "reason": evil}]})
    (run / "figures" / "08_x-<b onclick=1>.png").write_bytes(PIXEL)
    (run / "figures" / "08_x-<b onclick=1>.txt").write_text(evil)
    (run / "conclusions").mkdir(exist_ok=True)
    (run / "conclusions" / "08_x.md").write_text(evil)
    page = report.write_report(run).read_text(encoding="utf-8")
    found = outside(page)
    assert found.scripts == []
    assert all(load.startswith("data:image/png;base64,") for load in found.loads)
    assert page.count(html.escape(evil)) >= 15


def test_page_loads_nothing_and_its_links_lead_somewhere(tmp_path):
    run = make_run(tmp_path)
    (run / "figures" / "09_tsne-map.png").write_bytes(PIXEL)
    page = report.write_report(run).read_text(encoding="utf-8")
    found = outside(page)
    assert found.scripts == [] and len(found.loads) == 1
    assert "http://" not in page and "https://" not in page and "@import" not in page and "url(" not in page
    for link in found.links:
        if link.startswith("#"):
            assert link[1:] in found.ids
        else:
            assert (run / "report" / link).exists(), link
    assert "../notebooks/04_mlp.ipynb" in found.links


def test_provenance(page_of):
    text = text_of(section(page_of(), "provenance"))
    for words in (
        "c0ffee15c0ffee15",
        "corpus 1 min 35 s",
        "04_mlp 30.5 s",
        "total 10 min 11 s",
        "numpy 2.4.1",
        "noise wavelet",
        'test_recordings ""',
    ):
        assert words in text


def test_same_run_same_page(tmp_path):
    run = make_run(tmp_path)
    first = report.write_report(run).read_bytes()
    assert report.write_report(run).read_bytes() == first
    assert [path.name for path in (run / "report").iterdir()] == ["index.html"]


@pytest.mark.parametrize("fraction, text", [(0.9996, "> 99.9"), (1, "100.0"), (0.0004, "< 0.1"), (0, "0.0")])
def test_percent_never_rounds_to_perfect(fraction, text):
    assert report.percent(fraction) == text


@pytest.mark.parametrize("seconds, text", [(3.14, "3.1 s"), (59.7, "1 min 00 s"), (3725, "62 min 05 s")])
def test_duration(seconds, text):
    assert report.duration(seconds) == text


def test_best_without_noise_extraction_says_so(page_of):
    rows = rows_of_a_run(NINE)
    rows.loc[rows["system"].eq("cnn") & rows["unit"].eq("segment"), ["value", "high"]] = 0.95, 0.99
    assert "cnn (no noise extraction)" in text_of(section(page_of(rows), "summary"))


def test_figures_of_a_notebook_stand_in_the_order_of_their_names(tmp_path):
    for name in ("08_x-confusion-votes", "08_x-confusion"):
        (tmp_path / "figures").mkdir(exist_ok=True)
        (tmp_path / "figures" / f"{name}.png").write_bytes(PIXEL)
    page = report.write_report(tmp_path).read_text(encoding="utf-8")
    assert page.index("<b>Confusion.</b>") < page.index("<b>Confusion votes.</b>")
