"""The pages of a run: what they say, what they must never say, and that they stand alone."""

import base64
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat import v4

from devid_lib.errors import DevidError
from devid_lib.evaluation import accuracies, predictions_table
from devid_lib.workbook import folder, pages

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
EVIL = ["<img src=x onerror=alert(1)>", "$x$", "_x", "average", "*Pine*"]
DEVICES = [*EVIL, *(f"Phone {number}" for number in range(3))]


def predictions(share, *, draws=2):
    """Return answers for two test recordings a device of ten segments each, of which a share is right."""
    keys = [(name, str(clip), draw, start) for name in DEVICES for clip in (3, 4) for draw in range(draws)
            for start in range(10)]  # fmt: skip
    keys = pd.DataFrame(keys, columns=["device", "recording", "draw", "start"])
    right = keys["start"].lt(10 * share).to_numpy() if share < 1 else np.ones(len(keys), bool)
    truth = keys["device"].map(DEVICES.index).to_numpy()
    return predictions_table(np.eye(len(DEVICES))[np.where(right, truth, (truth + 1) % len(DEVICES))], keys, DEVICES)


def scored(notebook, table, system, variant, share, *, units=("segment", "recording"), paper=np.nan):
    """Return rows of ``results.csv``."""
    rows = accuracies(predictions(share), units=units)
    names = {"notebook": notebook, "table": table, "system": system, "variant": variant, "corpus": "phones", "seed": 0}
    return rows.assign(**names, paper=np.where(rows.index == 0, paper, np.nan))


def rows_of_a_run():
    """Return made-up figures of several notebooks."""
    probe = scored("01_build", "", "leakage probe", "", 0.7).replace({"unit": {"segment": "excerpt"}})
    devices = pd.DataFrame({"metric": ["precision", "recall", "f1"], "value": [0.123, 0.456, 0.789], "n": 20})
    devices = devices.assign(notebook="08_confusion", table="VI", system="mlp-3", unit="segment")
    devices = [devices.assign(variant=f"device:{name}") for name in DEVICES] + [devices.assign(variant="average")]
    board = [scored("10_cited", "leaderboard", name, "", 1, units=("segment", "recording"), paper=paper)
             for name, paper in (("[2] GMM", np.nan), ("yours: example", 0.1))]  # fmt: skip
    board[0].loc[board[0]["unit"] == "recording", "paper"] = 0.976
    board[0] = pd.concat([board[0], board[0][:1].assign(unit="1 s", value=0.234, paper=np.nan)])
    same = board[0][-1:].assign(table="device or recording", metric="same-recording accuracy", value=0.321)
    return pd.concat(
        [
            probe,
            scored("03_softmax", "II", "softmax", "wavelet", 0.6, paper=0.87),
            scored("04_mlp", "II", "mlp-3", "wavelet", 0.9, paper=0.93),
            scored("05_raw", "III", "mlp-3", "none", 0.8, paper=0.84),
            scored("06_averaging", "IV", "averaged-mlp-3", "wavelet", 0.9, paper=0.93),
            scored("07_voting", "V", "mlp-3", "wavelet", 0.9, units=("vote2",)),
            scored("90_speed", "", "mlp-1", "published recipe in full", 1),
            *devices, *board, same,
        ]
    )  # fmt: skip


def notebook(*cells):
    """Return an executed notebook of Markdown cells (text) and code cells (code, outputs)."""
    made = [v4.new_markdown_cell(cell) if isinstance(cell, str) else v4.new_code_cell(cell[0], outputs=cell[1])
            for cell in cells]  # fmt: skip
    return v4.new_notebook(cells=made, metadata={"language_info": {"name": "python"}})


def shown(html):
    """Return an output that shows HTML."""
    return v4.new_output("display_data", {"text/html": html})


def make_run(run, rows=None, **info):
    """Fill a run folder as the notebooks do."""
    (run / "notebooks").mkdir(parents=True)
    rows = rows_of_a_run() if rows is None else rows
    for name, part in rows.groupby("notebook"):
        folder.save_metrics(run, name, part)
        nbformat.write(notebook(f"# {name[:2]} · Title of {name[3:]}"), run / "notebooks" / f"{name}.ipynb")
    folder.save_predictions(run, "04_mlp", "mlp-3-wavelet", predictions(0.9))
    with folder.kept(run, "01_build", "predictions/leakage-probe.parquet") as temporary:
        predictions(0.7, draws=1).to_parquet(temporary)
    files = [(f"{name}/{clip}.wav", name, clip, "test" if clip > 2 else "train", f"{number:02d}{clip}" * 8)
             for number, name in enumerate(DEVICES) for clip in (1, 2, 3, 4)]  # fmt: skip
    files = pd.DataFrame(files, columns=["path", "device", "recording", "split", "file_sha256"])
    files.to_csv(run / "recordings.csv", index=False)
    corpus = {"name": "phones", "checksum": "c0ffee15", "devices": len(DEVICES), "notes": [], "skipped": []}
    folder.update_run(run, corpus=corpus, seed=0, timings={"04_mlp": {"seconds": 30.5, "peak_gib": 0.8}}, **info)
    return run


def parsed(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def table_of(page, heading):
    """Return the lines of the first table below a heading, as lists of text."""
    found = next(tag for tag in page(["h2", "h3"]) if tag.text.startswith(heading))
    return [[cell.get_text(" ") for cell in row(["th", "td"])] for row in found.find_next("table")("tr")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with everything in it, its report written."""
    run = make_run(
        tmp_path_factory.mktemp("runs") / "case {17}",
        preset="quick",
        parameters={"run_dir": "/home/ann/case", "corpus": "/home/ann/phones", "noise": "wavelet", "seed": 0},
        failed={"09_tsne": "AudioError: /home/ann/phones/a.wav: too short"},
        versions={"numpy": "2.4.1"},
    )
    notes = ["The coding of files differs between devices: <b>wav</b>"]
    folder.update_run(run, corpus={"name": "phones", "checksum": "c0ffee15", "devices": 8, "notes": notes,
                                   "skipped": [{"path": "Phone 1/5.wav", "reason": "empty"}]})  # fmt: skip
    files = {"figures/04_mlp-a#1.txt": f"Curve of {EVIL[0]}.".encode(), "figures/04_mlp-a#1.png": PIXEL}
    files |= {"conclusions/04_mlp.txt": f"Three layers name *most* of {EVIL[0]}.\n".encode()}
    for name, content in files.items():
        with folder.kept(run, "04_mlp", name) as temporary:
            temporary.write_bytes(content)
    pages.report(run)
    return run


@pytest.fixture(scope="module")
def page(run):
    return parsed(run / "report" / "index.html")


def test_order_of_the_report(page):
    text = page.main.get_text(" ")
    marks = ["Which device made", "coding of files differs", "quick run", "Left out of", "Failed: 1 notebook (",
             "What was found", "The paper’s tables", "Table II.", "Table III", "Table IV", "Table V.", "Table VI",
             "decisions of MLP, 3 hidden layers", "Leaderboard", "Device or recording?", "Three layers name",
             "Curve of", "Left out and failed", "Provenance"]  # fmt: skip
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)


def test_figures_stand_beside_interval_paper_probe_and_chance(page):
    lines = {line[0]: line[1:] for line in table_of(page, "Table II.")}
    assert re.fullmatch(r"60\.0 [\d.]+ – [\d.]+", lines["Softmax"][0]) and lines["Softmax"][1] == "87"
    assert lines["Leakage probe (six trivial numbers)"][2].startswith("100.0 ")
    assert lines["Chance"][0] == "12.5" and lines["Decisions"] == ["160", "", "16"]
    names = {line[0] for line in table_of(page, "Table III")}
    assert {"MLP, 3 hidden layers", "MLP, 3 hidden layers, no noise extraction"} < names
    assert "One segment" in table_of(page, "Table V.")[0] and "2 voters" in table_of(page, "Table V.")[0]


def test_stands_clear_only_where_the_paired_interval_says_so(page):
    segment, voters, whole = table_of(page, "What was found")[1:]
    assert "stands clear" in segment[2] and segment[3] == voters[3] == ""  # the probe decides no segments
    assert whole[4].startswith("Softmax and 3 ") and "not told apart" in whole[3] and "stands clear" in whole[2]
    assert voters[4] == "MLP, 3 hidden layers"
    assert [line[5] for line in (segment, voters, whole)] == ["4", "1", "4"]


def test_another_session_leads(tmp_path):
    asked = {"same": 1, "next": 0.8, "far": 0.6}
    rows = [scored("12_across_sessions", "", "ridge", f"none, {place} session", share, units=("segment",))
            for place, share in asked.items()]  # fmt: skip
    run = make_run(tmp_path / "run", pd.concat([*rows, scored("03_softmax", "II", "softmax", "wavelet", 0.9)]))
    page = parsed(pages.report(run))
    heads, _, line = table_of(page, "In another session")[:3]
    assert heads[1:] == ["far session", "next session", "same session"] and line[0] == "Raw"
    assert [figure.split()[0] for figure in line[1:]] == ["60.0", "80.0", "100.0"]
    assert page.main.text.index("In another session") < page.main.text.index("In the test recordings")
    assert "Softmax" in table_of(page, "In the test recordings")[1]


def test_sessions_held_out_are_no_test_recordings(tmp_path):
    rows = scored("12_across_sessions", "", "ridge", "none, one other session", 1)
    text = parsed(pages.report(make_run(tmp_path / "run", rows))).main.text
    assert "no accuracy yet in the test recordings" in text and "still agrees" not in text


def test_every_test_recording_is_listed(page):
    lines = table_of(page, "Every test recording")[1:]
    assert len(lines) == 16 and lines[0] == [f"{EVIL[0]}/3.wav", EVIL[0], EVIL[0], "right", "90.0", "003" * 8]


def test_leaderboard_and_what_stays_out(page):
    text = page.main.get_text(" ")
    heads, _, line = table_of(page, "Leaderboard")[:3]
    assert heads[1:] == ["One segment", "1 s", "Whole recording"] and line[0] == "[2] GMM" and line[-1] == "97.6"
    system, same, other = table_of(page, "Device or recording?")[1][:3]
    assert system == "[2] GMM" and re.match(r"32\.1 [\d.]+ – ", same) and re.match(r"23\.4 [\d.]+ – ", other)
    assert "yours" not in text
    assert "MLP, 1 hidden layer, published recipe in full, optimistic: epoch chosen on the test set" in text


def test_names_are_data(page):
    text = page.get_text(" ")
    assert [line[0] for line in table_of(page, "Table VI")[1:]] == [*DEVICES, "average"]
    assert f"Curve of {EVIL[0]}." in text and f"of {EVIL[0]}." in page.em.parent.text
    assert "differs between devices: <b>wav</b>" in text
    assert page.em.text == "most" and not page("img", src="x")


def test_no_folder_of_this_machine(run):
    text = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert "/home/ann" not in text and str(run) not in text
    assert "AudioError: a.wav: too short" in text and "c0ffee15" in text


def test_pages_run_and_fetch_nothing_and_links_lead_somewhere(run):
    for path in (run / "report").rglob("*.html"):
        page = parsed(path)
        assert not page(["script", "link", "iframe"])
        assert page.find("meta", attrs={"http-equiv": True})["content"].startswith("default-src 'none'")
        for tag in page(True):
            assert not [name for name in tag.attrs if name.startswith("on")]
            assert tag.get("src", "data:").startswith("data:")
        assert "url(" not in path.read_text(encoding="utf-8")
        for tag in page("a"):
            place, _, mark = tag["href"].partition("#")
            assert page.find(id=mark) if not place else (path.parent / place.replace("%23", "#")).exists() or place in (
                "../figures/04_mlp-a%231.svg"), tag  # fmt: skip
    assert page.find("a", href="../index.html")


def test_reading_copy(tmp_path):
    run = make_run(tmp_path / "run")
    sound = "<audio controls><source src='data:audio/wav;base64,UklGRg==' type='audio/wav'></audio>"
    evil = "<script>alert(1)</script><a href='javascript:alert(1)' onclick='alert(1)'>b</a><img src='https://x.org/y.png'>"
    cells = [
        "# 02 · Noise\n\n$$ e = \\arg\\min_f \\hat f $$\n\nwith $e$ and \\$x\\$ and <b>text</b>, "
        "[next](03_softmax.ipynb), [gone](77_gone.ipynb), [answers](solutions/02_noise.ipynb), [paper](https://doi.org/1)",
        ("x = 1", [shown(sound), shown(f"<table border=1><tr><td>1</td></tr></table>{evil}")]),
        ("", [v4.new_output("display_data", {"application/javascript": "alert(1)", "text/plain": "plain"})]),
    ]
    made = notebook(*cells, ('# Parameters\ndata_dir = "/home/ann/data"', []), "for Lab")
    for cell, tag in zip(made.cells[-2:], ("injected-parameters", "lab-only"), strict=True):
        cell.metadata["tags"] = [tag]
    nbformat.write(made, run / "notebooks" / "02_noise.ipynb")
    nbformat.write(notebook("# Report\n\n## Part\n\n[02](02_noise.ipynb)"), run / "notebooks" / "99_report.ipynb")
    (run / "notebooks" / "04_mlp.ipynb").write_text("{")
    index = parsed(pages.write_pages(run, *pages.reading_copies(run)))
    assert "04_mlp.ipynb: cannot be read" in index.blockquote.text
    assert index.find("a", href="notebooks/02_noise.html") and index.nav.a["href"] == "#Part"
    assert not (run / "report" / "notebooks" / "04_mlp.html").exists()
    page = parsed(run / "report" / "notebooks" / "02_noise.html")
    assert [tag["display"] for tag in page("math")] == ["block", "inline"] and page.find("div", class_="scroll").math
    assert page.math.mo.find_next_sibling("mo").text == "arg"
    assert page.title.text == "02 · Noise" and page.source["src"].startswith("data:audio") and "x = 1" in page.text
    assert page.table.parent["class"] == ["scroll"]
    assert [tag["href"] for tag in page.main("a", href=True)] == ["03_softmax.html", "https://doi.org/1"]
    assert "notebooks/solutions" in page.text and "notebooks/solutions" not in index.text
    assert "$x$ and <b>text</b>" in page.text and "gone (not in this run)" in page.text and '"data"' in page.text
    for word in ("alert", "x.org", "ann", "for Lab"):
        assert word not in page.main.decode()
    assert [tag["href"] for tag in page.nav("a")] == ["../index.html", "01_build.html", "03_softmax.html"]


def test_only_the_leaderboard(tmp_path):
    rows = rows_of_a_run()
    page = parsed(pages.report(make_run(tmp_path / "run", rows[rows["notebook"].eq("10_cited")])))
    assert table_of(page, "What was found")[1][-3:] == ["[2] GMM", "1", "160"]
    assert page.main.text.count("Not in this run") == 5


def test_empty_and_missing_folders(tmp_path):
    (tmp_path / "run").mkdir()
    text = parsed(pages.report(tmp_path / "run")).main.text
    assert "no accuracy yet" in text and text.count("Not in this run") == 6 and "no test recording yet" in text
    with pytest.raises(DevidError, match="nowhere"):
        pages.report(tmp_path / "nowhere")
    (tmp_path / "run" / "run.json").write_text("{")
    with pytest.raises(DevidError, match="run.json"):
        pages.report(tmp_path / "run")


def test_a_report_that_fails_leaves_the_reading_copies(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "recordings.csv").write_bytes(b"")
    with pytest.raises(DevidError, match="99_report.ipynb: .*No columns"):
        pages.report(run)
    assert (run / "report" / "notebooks" / "04_mlp.html").exists()


@pytest.mark.parametrize("name", ["results.csv", "metrics/04_mlp.csv", "predictions/04_mlp-mlp-3-wavelet.parquet"])
def test_no_report_of_changed_figures(tmp_path, name):
    run = make_run(tmp_path / "run")
    changed = bytearray((run / name).read_bytes())
    changed[-10] ^= 1
    (run / name).write_bytes(changed)
    with pytest.raises(DevidError, match=f"{name}: is not as it was written; `devid run --out .*run` makes it again"):
        pages.report(run)
