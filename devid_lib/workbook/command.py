"""The ``devid`` command: papermill over the notebooks, side by side, then the report."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

import yaml

from .. import progress
from ..corpus import corpus_checksum, load_corpus
from ..errors import DevidError, ParameterError
from ..files import atomic_path, read_json, sweep, write_json
from . import folder as run_folder
from .lab import open_lab
from .parameters import PARAMETERS, check_names, check_params, described, differing, parsed
from .session import CORPUS, PROJECT, in_workspace, source_path

NEEDS_PREDICTIONS = ("11_published_predictions",)  # left out unless the parameter says where they are
ALONE = ("90_speed",)  # what measures time runs last and alone
REPORT = "99_report"  # runs when all others are done
# Threads of linear algebra wait for each other by spinning, which costs notebooks that run side by side dear. One each,
# however many notebooks there are, since the number of threads decides the order of sums.
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "MKL", "OMP")}
PRESETS = PROJECT / "presets"
NOTEBOOKS = PROJECT / "notebooks"

# papermill without a format of addresses that is in no notebook, and whose grammar takes seconds to compile.
PAPERMILL = "import sys; sys.modules['rfc3987_syntax'] = None; from papermill.cli import papermill; papermill()"


def run(*, preset="paper", corpus=None, only=(), out=None, jobs=0, parameters=None):
    """Execute the notebooks and write the report.

    Parameters
    ----------
    preset : str
        Name of a file in ``presets`` without suffix.
    corpus : str, optional
        Replaces the preset's corpus: simulated, simulated-control, a folder or a CSV.
    only : sequence of str
        Numbers or names of the notebooks wanted ("04" or "04_mlp"); none = all.
    out : str or Path, optional
        Run folder; none = ``runs/<time>-<preset>``. Notebooks that are already finished there, with the same
        parameters, are not run again.
    jobs : int
        Notebooks that run side by side, 0 for as many as there are cores. The results do not depend on it.
    parameters : dict, optional
        Replace the preset's values.

    Returns
    -------
    failed : dict
        Notebook: reason, for the notebooks that failed.

    Raises
    ------
    DevidError
        If a name or value is not allowed, the corpus cannot be used, the run folder holds another run or another
        ``devid run`` is at work in it.

    Notes
    -----
    A notebook that fails is kept as far as it came, and the rest are still run.
    """
    started = time.perf_counter()
    params = merged_parameters(preset, corpus, parameters or {})
    chosen = find_notebooks(only, without=() if params["predictions"] else NEEDS_PREDICTIONS)
    folder = Path(out or in_workspace(f"runs/{time.strftime('%Y%m%d-%H%M%S')}-{preset}")).absolute()
    params |= {"run_dir": str(folder), "data_dir": str(in_workspace(params["data_dir"]).absolute())}
    with run_folder.claimed(folder):
        run_folder.set_aside(folder)
        check_same_run(folder, params)
        print(f"{folder}: {len(chosen)} notebooks, preset {preset}", flush=True)
        prepare(folder, params, preset=preset, started=started)
        if not only and not params["predictions"]:
            for name in NEEDS_PREDICTIONS:
                print(f"{name:40} left out: needs -p predictions FOLDER, or -p predictions download")
        failed = execute_all(chosen, folder, params, jobs=jobs or cores())
        before, ran = read_json(folder / "run.json").get("failed", {}), {path.stem for path in chosen}
        failures = {name: reason for name, reason in before.items() if name not in (*ran, REPORT)} | failed
        finish(folder, time.perf_counter() - started, failures)
    return {name: reason for name, reason in failures.items() if name in (*ran, REPORT)}


def cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare(folder, params, *, preset, started):
    """Load the corpus once, before all notebooks: simulate it, look into every file, say what is left out."""
    progress.STYLE = "bar" if sys.stderr.isatty() else "lines"
    for place in (in_workspace("runs"), params["data_dir"]):
        sweep(place)
    recordings = load_corpus(params["corpus"], data_dir=params["data_dir"], **{name: params[name] for name in CORPUS})
    checksum = corpus_checksum(recordings)
    if read_json(folder / "run.json").get("corpus", {}).get("checksum", checksum) != checksum:
        raise ParameterError(f"{folder} holds a run on other recordings: choose another --out")
    run_folder.open_run(folder)
    run_folder.save_recordings(folder, recordings)
    seconds, skipped = time.perf_counter() - started, recordings.attrs["skipped"]
    devices = recordings["device"].nunique()
    print(f"{'corpus':40} {seconds:6.0f} s  {len(recordings)} recordings, {devices} devices", flush=True)
    for note in recordings.attrs["notes"]:
        print(f"  note: {note}")
    if skipped:
        print(f"  {len(skipped)} files were left out: {'; '.join(entry['path'] for entry in skipped[:5])}"
              f"{' ...' if len(skipped) > 5 else ''} (the report lists them)")
    told = {"preset": preset, "started": time.strftime("%Y-%m-%d %H:%M:%S"), "parameters": params}
    run_folder.update_run(folder, **told, timings={"corpus": {"seconds": round(seconds, 1)}})


def find_notebooks(only, *, without=()):
    """Return the paths of the notebooks wanted, in order; without names it leaves out what cannot run."""
    known = [path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]*.ipynb")) if path.stem != REPORT]
    names = {path.stem: {path.stem, path.stem.split("_")[0]} for path in known}
    for name in only:
        if not any(name in asked for asked in names.values()):
            raise ParameterError(f"unknown notebook {name!r}: known are {', '.join(names)}")
    if only:
        return [path for path in known if names[path.stem] & set(only)]
    return [path for path in known if path.stem not in without]


def merged_parameters(preset, corpus, parameters):
    """Return the preset's parameters with the user's on top, checked; a corpus on disk gets an absolute path."""
    path = PRESETS / f"{preset}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in PRESETS.glob("*.yaml")))
        raise ParameterError(f"unknown preset {preset!r}: known are {known}")
    params = check_params(yaml.safe_load(path.read_text(encoding="utf-8")) | parameters)
    predictions = source_path(params["predictions"], names=("download",))
    return params | {"corpus": source_path(corpus or params["corpus"]), "predictions": predictions}


def check_same_run(folder, params):
    """Refuse a folder that holds a run with other parameters, since its tables would mix the two."""
    old = read_json(folder / "run.json").get("parameters", {})
    if name := differing(old, params):
        hint = f"{name}={old[name]!r}, not {params[name]!r}: choose another --out"
        raise ParameterError(f"{folder} holds a run with {hint}")


def execute_all(notebooks, folder, params, *, jobs):
    """Execute notebooks, some side by side, those that measure time alone and last; return the reasons of failures."""
    injected = {name: value for name, value in params.items() if value != PARAMETERS[name].default}
    with atomic_path(folder / "parameters.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(injected, allow_unicode=True), encoding="utf-8")
    children, failed = set(), {}
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            for last in (False, True):
                paths = [path for path in notebooks if (path.stem in ALONE) == last]
                reasons = pool.map(lambda path: execute(path, folder, children), paths)
                failed |= {path.stem: reason for path, reason in zip(paths, reasons, strict=True) if reason}
        except BaseException:  # Ctrl-C, for one
            pool.shutdown(wait=False, cancel_futures=True)
            for child in list(children):
                child.terminate()
            raise
    return failed


def execute(path, folder, children):
    """Execute one notebook into the run folder; return the reason if it failed, else an empty string."""
    name, key = path.stem, blake2b(path.read_bytes(), digest_size=8).hexdigest()
    output, info = f"notebooks/{path.name}", read_json(folder / "run.json")
    if info.get("finished", {}).get(name) == key:
        made = [file for file, (maker, _) in info.get("files", {}).items() if maker == name]
        if run_folder.believed(folder, *made, output):
            print(f"{name:40} already finished", flush=True)
            return ""
    started = time.perf_counter()
    with run_folder.kept(folder, name, output) as partial:
        reason = papermill(path, partial, folder, children)
        if not partial.exists():
            partial.write_bytes(path.read_bytes())  # it did not even begin
    seconds = time.perf_counter() - started
    print(f"{name:40} {seconds:6.0f} s  {f'FAILED  {reason}' if reason else 'ok'}", flush=True)
    noted = read_json(folder / "run.json").get("timings", {}).get(name, {})
    done = {} if reason else {"finished": {name: key}}
    run_folder.update_run(folder, timings={name: noted | {"seconds": round(seconds, 1)}}, **done)
    return reason


def papermill(path, output, folder, children):
    """Run papermill in a process of its own; return why it failed, or an empty string."""
    places = [str(place).replace("{", "{{").replace("}", "}}") for place in (path, output)]  # papermill fills braces in
    command = [sys.executable, "-c", PAPERMILL, *places, "-f", str(folder / "parameters.yaml"), "-k", "python3"]
    with open(folder / "kernel.log", "ab") as log:
        options = {"stdout": log, "stderr": log, "cwd": PROJECT, "env": os.environ | ONE_THREAD}
        quiet = ["--no-progress-bar", "--log-level", "ERROR", "--no-request-save-on-cell-execute"]  # saves every 30 s
        child = subprocess.Popen([*command, *quiet], **options)
        children.add(child)
        status = child.wait()
        children.discard(child)
    if status == 0:
        return ""
    return failure(output) or f"papermill ended with status {status}, see {folder / 'kernel.log'}"


def failure(notebook):
    """Return the error that an executed notebook stopped at, empty if it holds none."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, LookupError):
        return ""
    errors = [o for cell in cells for o in cell.get("outputs", []) if o["output_type"] == "error"]
    return f"{errors[0]['ename']}: {errors[0]['evalue']}" if errors else ""


def finish(folder, seconds, failed):
    """Note the failures, write the report and say where it is."""
    from .pages import report

    run_folder.believed(folder, "results.csv")  # else it is said, and made again
    run_folder.gather(folder)
    run_folder.update_run(folder, timings={"total": {"seconds": round(seconds, 1)}})
    with run_folder.locked(folder, "run"):
        write_json(folder / "run.json", read_json(folder / "run.json") | {"failed": failed})
    try:
        print(f"{'report':40} {report(folder)}")
    except DevidError as error:
        failed[REPORT] = str(error)
        print(f"{'report':40} FAILED  {error}")
    print(f"{len(failed)} failed: {', '.join(failed)}" if failed else f"all well, {seconds:.0f} s")


def arguments(argv):
    """Return the parsed command line."""
    parser = argparse.ArgumentParser("devid", description="Which device made this recording?")
    parser.add_argument("--version", action="version", version=f"devid {version('devid')}")
    commands = parser.add_subparsers(dest="command", required=True)
    presets = ", ".join(sorted(path.stem for path in PRESETS.glob("*.yaml")))
    command = commands.add_parser(
        "run",
        help="execute the notebooks and write the report",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"parameters, for -p NAME VALUE:\n{described()}",
    )
    command.add_argument("--preset", default="paper", help=f"one of {presets} (default: paper)")
    command.add_argument("--corpus", metavar="SRC", help=PARAMETERS["corpus"].help)
    command.add_argument("--only", nargs="+", default=[], metavar="NN", help="numbers or names of notebooks")
    command.add_argument("--out", metavar="DIR", help="run folder, a new one if not given; an unfinished run goes on")
    command.add_argument("--jobs", type=int, default=0, metavar="N", help="notebooks side by side (default: the cores)")
    pair = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}
    command.add_argument("-p", dest="pairs", help="a parameter, see below", **pair)
    command = commands.add_parser("report", help="write the report of a run folder again")
    command.add_argument("run", help="run folder")
    commands.add_parser("lab", help="open JupyterLab on a working copy of the notebooks")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the command; return the exit status: 0 well, 1 a notebook failed, 2 refused, 130 interrupted."""
    args = arguments(argv)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be told to end is to be interrupted
    try:
        if args.command == "report":
            from .pages import report

            print(report(Path(args.run)))
        elif args.command == "lab":
            return open_lab()
        else:
            check_names(name for name, _ in args.pairs)
            if "run_dir" in dict(args.pairs):
                raise ParameterError("run_dir is not a parameter of the command: use --out")
            options = {"corpus": args.corpus, "only": args.only, "out": args.out, "jobs": args.jobs}
            return 1 if run(preset=args.preset, parameters=parsed(args.pairs), **options) else 0
    except (DevidError, OSError) as error:  # the second where a log or a lock finds the disk full
        print(f"devid: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ndevid: interrupted; the same command with --out and this run's folder goes on", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


if __name__ == "__main__":
    sys.exit(main())
