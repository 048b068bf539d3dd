"""Nothing is lost and nothing is believed blindly: damaged caches, several processes at once, kills at any moment."""

import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest
import soundfile as sf
from bs4 import BeautifulSoup
from nbformat import v4
from test_audio import FILES as FORMATS
from test_audio import written

from devid_lib.corpus import load_corpus
from devid_lib.dataset import build_dataset
from devid_lib.errors import DevidError
from devid_lib.files import read_json
from devid_lib.workbook import command, execution, folder, made_case, pages, session
from devid_lib.workbook.parameters import check_params

PARAMETERS = {"segment_length": 512, "train_segments": 20, "test_segments": 5, "voters": 2, "level": 4, "epochs": 2}
REPORT = pages.report  # tests of runs have none
SMALL = {name: PARAMETERS[name] for name in ("segment_length", "train_segments", "test_segments", "level")}


def garbled(content):
    """Return the content with other bytes in its middle."""
    middle = len(content) // 2
    return content[:middle] + bytes(byte ^ 0x5A for byte in content[middle : middle + 8]) + content[middle + 8 :]


# What may happen to a file: its content and that of another of its kind -> its content afterwards, None = it is gone.
DAMAGES = {
    "cut": lambda own, other: own[: len(own) // 2],
    "garbled": lambda own, other: garbled(own),
    "last byte": lambda own, other: own[:-3] + bytes([own[-3] ^ 1]) + own[-2:],
    "longer": lambda own, other: own + b"0",
    "empty": lambda own, other: b"",
    "another's": lambda own, other: other,
    "a pickle": lambda own, other: pickle.dumps({"checksum": "", "settings": {}}),
    "other types": lambda own, other: b'{"files": 5, "settings": [], "devices": 1.5, "timings": "now", "checksum": {}}',
    "gone": lambda own, other: None,
}


def damage(path, how, other):
    content = DAMAGES[how](path.read_bytes(), other)
    path.unlink()
    if content is not None:
        path.write_bytes(content)


# --- The cache -------------------------------------------------------------------------------------------------------
def cached(phones, data_dir, **changes):
    """Return corpus and dataset as the cache gives them, or makes them."""
    corpus = load_corpus(str(phones), data_dir=data_dir, segment_length=512)
    return corpus, build_dataset(corpus, data_dir=data_dir, **SMALL | changes)


@pytest.fixture(scope="module")
def phones(tmp_path_factory):
    """Two devices with noise of their own colour, three recordings each."""
    phones = tmp_path_factory.mktemp("phones")
    for i, device in enumerate(("ash", "beech")):
        for j in range(3):
            noise = 0.05 * np.random.default_rng([i, j]).standard_normal(8000)
            (phones / device).mkdir(exist_ok=True)
            sf.write(phones / device / f"clip{j}.wav", np.convolve(noise, [1, i / 2], "same"), 8000)
    return phones


@pytest.fixture(scope="module")
def cache(phones, tmp_path_factory):
    """A data folder with two datasets, and what the first holds."""
    data_dir = tmp_path_factory.mktemp("data")
    corpus, dataset = cached(phones, data_dir)
    (first,) = (data_dir / "cache").glob("dataset-*")
    cached(phones, data_dir, seed=1)
    (second,) = set((data_dir / "cache").glob("dataset-*")) - {first}
    files = [data_dir / "cache" / "recordings.json", *first.iterdir()]
    others = {path.name: second / path.name for path in first.iterdir()} | {files[0].name: second / "settings.json"}
    return data_dir, corpus, dataset, {path.name: path.relative_to(data_dir) for path in files}, others


@pytest.mark.parametrize("name", ["recordings.json", "settings.json", "segments.parquet", "X.npy"])
@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_cache_is_made_again(phones, cache, tmp_path, capsys, name, how):
    data_dir, corpus, dataset, places, others = cache
    copy = shutil.copytree(data_dir, tmp_path / "data")
    damage(copy / places[name], how, others[name].read_bytes())
    silent = name == "recordings.json" and how in ("gone", "another's")  # whole, and knows none of the files
    for said in (not silent, False):  # the second time it is whole again
        found, again = cached(phones, copy)
        pd.testing.assert_frame_equal(found, corpus)
        pd.testing.assert_frame_equal(again.segments, dataset.segments)
        assert again.X.tobytes() == dataset.X.tobytes()
        assert (again.devices, again.settings) == (dataset.devices, dataset.settings)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == said and all(line.startswith("Note: ") for line in lines)


# --- The run folder --------------------------------------------------------------------------------------------------
WORK = """
here = session.Session(notebook, check_params(params), headless=True)
recordings = here.recordings()
rows = here.score_probe(recordings)
if notebook == "02_fit":
    here.fitted("softmax", recordings)
    rows = here.score(here.predictions("softmax", recordings), system="softmax")
here.save_figure(plt.figure(figsize=(1, 1)).subplots(), "nothing", "An empty figure.")
here.saw(f"Right: {rows['value'][0]}.")
here.finish(rows)
"""
NOTEBOOKS = ("01_probe", "02_fit")


@pytest.fixture(scope="module")
def project(phones, tmp_path_factory):
    """A folder with two notebooks, and a function that runs ``devid run`` on them, their work done in this process."""
    place = tmp_path_factory.mktemp("project")
    (place / "notebooks").mkdir()
    for name in NOTEBOOKS:
        (place / "notebooks" / f"{name}.ipynb").write_text('{"cells": []}')
    given = PARAMETERS | {"data_dir": str(place / "data")}

    def papermill(path, output, run, **_):
        params = given | {"run_dir": str(run), "corpus": str(phones)}
        names = {"session": session, "check_params": check_params, "notebook": path.stem, "params": params}
        exec(WORK, names | {"plt": plt})
        plt.close("all")
        shutil.copyfile(path, output)
        return ""

    def devid(run):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DEVID_HOME", str(place))
            patch.setattr(command, "NOTEBOOKS", place / "notebooks")
            patch.setattr(execution, "papermill", papermill)
            patch.setattr(command, "warm_up", lambda: None)
            patch.setattr(pages, "report", lambda run: run)
            assert command.run(preset="quick", corpus=str(phones), out=run, jobs=1, parameters=given) == {}

    return place, devid


@pytest.fixture(scope="module")
def runs(project):
    """Two finished run folders of the same settings, the second with other bytes in every file."""
    place, devid = project
    devid(place / "run")
    other = shutil.copytree(place / "run", place / "other")
    for path in other.rglob("*.*"):
        path.write_bytes(garbled(path.read_bytes()))
    return place / "run", other


FILES = [
    *(f"{kind}/{name}{ending}" for name in NOTEBOOKS for kind, ending in
      (("metrics", ".csv"), ("conclusions", ".txt"), ("notebooks", ".ipynb"),
       *(("figures", f"-nothing.{ending}") for ending in ("png", "svg", "txt")))),
    *(f"models/softmax-*{ending}" for ending in folder.MODEL),
    "predictions/02_fit-softmax-wavelet.parquet", "predictions/leakage-probe.parquet",
    "recordings.csv", "results.csv", "run.json",
]  # fmt: skip


def test_every_file_that_is_read_again_is_damaged_here(runs):
    known = {name for name in read_json(runs[0] / "run.json")["files"]} | {"run.json"}
    assert known == {path.relative_to(runs[0]).as_posix() for name in FILES for path in runs[0].glob(name)}


CASES = [(name, how) for i, name in enumerate(FILES) for j, how in enumerate(DAMAGES) if (i + j) % 5 == 0]


@pytest.mark.parametrize(("name", "how"), CASES)
def test_a_damaged_run_folder_is_mended_by_the_same_command(project, runs, tmp_path, capsys, name, how):
    run = shutil.copytree(runs[0], tmp_path / "run")
    (path,) = run.glob(name)
    (another,) = runs[1].glob(name)
    damage(path, how, another.read_bytes())
    project[1](run)
    info = read_json(run / "run.json")
    assert set(info["finished"]) == set(NOTEBOOKS) and info["failed"] == {}
    assert folder.damaged(run, info["files"]) == [] and len(info["files"]) == len(FILES) - 1
    assert (run / "results.csv").read_bytes() == (runs[0] / "results.csv").read_bytes()
    lines = capsys.readouterr().out.splitlines()
    assert how == "gone" or any(line.startswith(f"Note: {path}") and "made again" in line for line in lines)


@pytest.mark.parametrize("name", ["figures/*.png", "predictions/*-wavelet.parquet", "notebooks/02_fit.ipynb"])
@pytest.mark.parametrize("how", ["garbled", "gone"])
def test_no_report_is_made_of_a_damaged_run(runs, tmp_path, name, how):
    run = shutil.copytree(runs[0], tmp_path / "run")
    path = sorted(run.glob(name))[0]
    damage(path, how, b"")
    with pytest.raises(DevidError, match=f"{path.name}: is not as it was written; `devid run --out"):
        REPORT(run)


@pytest.mark.parametrize("name", ["questioned/1.wav", "truth.csv", "made.json"])
@pytest.mark.parametrize("how", ["garbled", "gone"])
def test_a_damaged_made_case_is_made_again(tmp_path, monkeypatch, capsys, name, how):
    def make(folder, seed):
        for place in ("questioned/1.wav", "truth.csv"):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text(f"{place} of seed {seed}")

    monkeypatch.setattr(made_case, "_make", make)
    whole = {path: path.read_bytes() for path in made_case.make_case(tmp_path / "case").rglob("*.*")}
    damage(tmp_path / "case" / name, how, b"")
    made_case.make_case(tmp_path / "case")
    assert {path: path.read_bytes() for path in (tmp_path / "case").rglob("*.*")} == whole
    said = capsys.readouterr().out
    assert ("made again" in said and name in said) or (name == "made.json" and how == "gone")


# --- Several at once -------------------------------------------------------------------------------------------------
ENVIRONMENT = os.environ | {"PYTHONPATH": str(session.PROJECT), "TF_CPP_MIN_LOG_LEVEL": "3"}
RACE = """
import hashlib, random, sys, time
from pathlib import Path
from devid_lib import simulate
from devid_lib.corpus import load_corpus
from devid_lib.dataset import build_dataset
from devid_lib.workbook import folder
simulate.recording = lambda _, *, n_samples, rng, **_where: (1000 * rng.standard_normal(n_samples)).astype("int16")
data_dir, run, number = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for seed in range(5):
    time.sleep(0.1 * random.random())  # some come while others have begun, or are about to end
    corpus = load_corpus("simulated", data_dir=data_dir, seed=seed, recording_minutes=0.02, segment_length=512)
    dataset = build_dataset(corpus, segment_length=512, train_segments=4, test_segments=4, level=4, data_dir=data_dir)
    print(seed, hashlib.sha256(dataset.X.tobytes()).hexdigest())
    run = Path(run)
    folder.save_recordings(run, corpus)
    folder.save_metrics(run, f"{number}{seed}_race", dataset.segments.head(1).assign(value=float(seed)))
"""


def test_four_processes_build_one_cache_and_one_run_folder(tmp_path):
    data_dir, run = tmp_path / "data", tmp_path / "run"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    racers = [
        subprocess.Popen([sys.executable, "-c", RACE, str(data_dir), str(run), str(i)], env=ENVIRONMENT, **pipes)
        for i in range(4)
    ]
    assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 4
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=100) for racer in racers]
    assert [(racer.returncode, errors) for racer, (_, errors) in zip(racers, said, strict=True)] == [(0, "")] * 4
    lines = {line for out, _ in said for line in out.splitlines()}
    assert len(lines) == 5 and not any("Note" in line for line in lines)  # all have the same five datasets
    assert not list(tmp_path.rglob(".tmp*")) and len(list((data_dir / "cache").glob("dataset-*"))) == 5
    table = pd.read_csv(run / "results.csv", dtype={"notebook": str})
    assert table["notebook"].tolist() == [f"{i}{seed}_race" for i in range(4) for seed in range(5)]
    info = read_json(run / "run.json")
    assert len(info["files"]) == 20 + 2 and folder.damaged(run, info["files"]) == []
    assert len(read_json(data_dir / "cache" / "recordings.json")) == 5 * 27


# --- Fuzzed recordings -----------------------------------------------------------------------------------------------
def fuzzed(content, dice, other):
    """Return the content of a file after one to four accidents."""
    content = bytearray(content)
    for _ in range(dice.choice([1, 1, 2, 4])):
        n, how = len(content), dice.choice(["bits", "head", "cut", "noise", "zeros", "twice", "swap", "size", "graft"])
        at, to = sorted(dice.randrange(n) for _ in range(2))
        if how == "bits":
            for _ in range(dice.choice([1, 8, 100])):
                content[dice.randrange(n)] ^= 1 << dice.randrange(8)
        elif how == "head":
            content[dice.randrange(min(n, 120))] = dice.randrange(256)
        elif how == "cut":
            del content[at : at + dice.choice([1, 7, 400])]
        elif how in ("noise", "zeros"):
            size = dice.choice([1, 512, 5000, 1 << 22])
            content[at:at] = bytes(size) if how == "zeros" else dice.randbytes(size)
        elif how == "twice":
            content[to:to] = content[at:to]
        elif how == "swap":
            chunks = [content[at : at + 64], content[to : to + 64]]
            content[to : to + 64], content[at : at + 64] = chunks
        elif how == "size":
            size = dice.choice([bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\1\0\0\0"])
            at = dice.randrange(min(n, 200))
            content[at : at + 4] = size
        else:
            content = content[:at] + other[dice.randrange(len(other)) :]
        content = content or bytearray(1)
    return bytes(content)


READ = """
import resource, sys, time
from devid_lib.audio import inspect_recording, load_recording, read_tags
from devid_lib.errors import AudioError
own = 4096 * int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (own + (1 << 30), own + (1 << 30)))
for path in sys.argv[1:]:
    print(path, end=" ", flush=True)
    started = time.process_time()
    try:
        for function in (load_recording, inspect_recording, read_tags):
            function(path)
        print("accepted", end=" ")
    except AudioError as error:
        assert str(error).startswith(f"{path}: "), error
        print("refused", end=" ")
    print(time.process_time() - started)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no such limits, or another way to them")
def test_fuzzed_recordings_are_refused_or_read_in_little_time_and_memory(tmp_path):
    dice = random.Random(seed := os.environ.get("DEVID_TEST_SEED", "8"))
    whole = []
    for i, (container, codec, samplerate) in enumerate(FORMATS):
        with suppress(pytest.skip.Exception):  # an encoder that is not there
            whole.append(written(tmp_path / f"{i}-{container}", container, codec, samplerate))
    contents = {path: path.read_bytes() for path in whole}
    paths = [tmp_path / f"{i}-{whole[i % len(whole)].name}" for i in range(100)]
    for i, path in enumerate(paths):
        path.write_bytes(fuzzed(contents[whole[i % len(whole)]], dice, contents[dice.choice(whole)]))
    asked = [sys.executable, "-c", READ, *map(str, paths)]
    done = subprocess.run(asked, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (seed, done.returncode, done.stdout[-300:], done.stderr[-3000:])
    said = [line.split() for line in done.stdout.splitlines()]
    assert [path for path, *_ in said] == [str(path) for path in paths]
    assert max(float(seconds) for *_, seconds in said) < 5, seed
    assert {how for _, how, _ in said} == {"accepted", "refused"}


# --- Killed ----------------------------------------------------------------------------------------------------------
RUN = """
import sys
from pathlib import Path
from devid_lib.workbook import command, pages
command.NOTEBOOKS, pages.report = Path(sys.argv[1]), lambda run: run
sys.exit(command.main(["run", "--preset", "quick", "--jobs", "2", *sys.argv[2:]]))
"""
SETUP = """import matplotlib.pyplot as plt
from devid_lib.workbook import session
from devid_lib.workbook.parameters import check_params
notebook, params = {name!r}, {params!r}
"""


@pytest.mark.skipif(os.name == "nt", reason="no such signal")
def test_what_a_killed_run_has_started_ends_with_it(phones, tmp_path):
    cell = f"import os, pathlib, time; pathlib.Path({str(tmp_path / 'kernel')!r}).write_text('here'); time.sleep(600)"
    made = v4.new_notebook(cells=[v4.new_code_cell(cell)], metadata={"language_info": {"name": "python"}})
    nbformat.write(made, tmp_path / "01_wait.ipynb")
    asked = [str(tmp_path), "--corpus", str(phones), "--out", str(tmp_path / "run"), "-p", "segment_length", "512"]
    process = subprocess.Popen([sys.executable, "-c", RUN, *asked], env=ENVIRONMENT | {"DEVID_HOME": str(tmp_path)})
    until = time.monotonic() + 200
    while not (tmp_path / "kernel").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.2)
    started = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    try:
        assert (tmp_path / "kernel").exists() and len(started) >= 1
        assert psutil.wait_procs(started, timeout=30)[1] == []
    finally:
        for child in started:
            with suppress(psutil.Error):
                child.kill()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no process groups to kill")
def test_a_run_killed_at_any_moment_goes_on_to_the_same_results(phones, tmp_path):
    given = PARAMETERS | {"corpus": str(phones)}
    (tmp_path / "notebooks").mkdir()

    def start(name):
        """Start the command on two real notebooks, in a process group of its own."""
        params = PARAMETERS | {"data_dir": str(tmp_path / name / "data")}
        for notebook in NOTEBOOKS:
            setup = SETUP.format(name=notebook, params=given | params | {"run_dir": str(tmp_path / name / "run")})
            cells = [v4.new_code_cell(setup), v4.new_code_cell(WORK.strip())]
            made = v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})
            (tmp_path / name).mkdir(exist_ok=True)
            nbformat.write(made, tmp_path / name / f"{notebook}.ipynb")
        options = [word for pair in params.items() for word in ("-p", *map(str, pair))]
        asked = [str(tmp_path / name), "--corpus", str(phones), "--out", str(tmp_path / name / "run"), *options]
        environment = ENVIRONMENT | {"DEVID_HOME": str(tmp_path / name)}
        return subprocess.Popen([sys.executable, "-c", RUN, *asked], env=environment, start_new_session=True)

    began = time.perf_counter()
    assert start("whole").wait(timeout=120) == 0
    seconds, dice = time.perf_counter() - began, random.Random(os.environ.get("DEVID_TEST_SEED", time.time()))
    for share in (moments := [dice.uniform(0.1, 0.95) for _ in range(2)]):
        process = start("killed")
        time.sleep(share * seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert start("killed").wait(timeout=120) == 0, moments
    whole, killed = (tmp_path / name / "run" for name in ("whole", "killed"))
    assert (killed / "results.csv").read_bytes() == (whole / "results.csv").read_bytes(), moments
    assert not list((tmp_path / "killed").rglob(".tmp*")), moments
    info = read_json(killed / "run.json")
    assert folder.damaged(killed, info["files"]) == [] and set(info["finished"]) == set(NOTEBOOKS), moments


# --- Names are data --------------------------------------------------------------------------------------------------
HOSTILE = ["average", "nan", "=cmd|' /C calc'!A0", "<img src=x onerror=alert(1)>", r"$\foo$", "_x", "x" * 300, "手机"]
HOSTILE += ["מכשיר", "😀", "A|B *b* [l](javascript:alert(1))", "{p} 100%s"]


@pytest.mark.slow
def test_names_are_data_from_the_corpus_to_the_page(tmp_path):
    rows = [{"path": f"{i}{j}.wav", "device": device, "recording": f"<u>{j}</u>"} for i, device in enumerate(HOSTILE)
            for j in range(2)]  # fmt: skip
    for row in rows:
        colour = np.random.default_rng(int(row["path"][:-5])).standard_normal(9)
        noise = 0.02 * np.random.default_rng(int(row["path"][:-4])).standard_normal(16000)
        sf.write(tmp_path / row["path"], np.convolve(noise, colour, "same"), 8000)
    pd.DataFrame(rows).to_csv(tmp_path / "manifest.csv", index=False)
    options = [word for pair in PARAMETERS.items() for word in ("-p", *map(str, pair))]
    asked = ["--corpus", str(tmp_path), "--out", str(tmp_path / "run"), "-p", "data_dir", str(tmp_path / "data")]
    assert command.main(["run", "--preset", "quick", "--only", "00", "08", "12", *asked, *options]) == 0
    results = pd.read_csv(tmp_path / "run" / "results.csv", keep_default_na=False)
    assert {f"device:{name}" for name in HOSTILE} <= set(results["variant"])
    for path in [tmp_path / "run/report/index.html", *(tmp_path / "run/report/notebooks").glob("*.html")]:
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        assert all(image["src"].startswith("data:") for image in page.find_all("img")), path
        assert not page.find_all(["script", "u"]), path
        assert not [tag for tag in page.find_all("a") if tag.get("href", "").startswith("javascript")], path
        assert not [tag for tag in page.find_all(True) if any(name.startswith("on") for name in tag.attrs)], path
