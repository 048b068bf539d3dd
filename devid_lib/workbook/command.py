"""The ``devid`` command: papermill over the notebooks, side by side, then the report."""

import argparse
import importlib
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import yaml

from .. import corpora, progress
from ..corpus import corpus_checksum, load_corpus, load_references
from ..errors import DevidError, ParameterError
from ..files import NOT_UTF8, read_json, readable, sweep, write_json
from ..listing import SIMULATED
from . import folder as run_folder
from .case import load_case
from .execution import execute_all, warm_up
from .lab import open_lab
from .parameters import PARAMETERS, check_params, described, differing, parsed
from .questions import REFERENCES, find_files
from .session import CASE, CORPUS, PROJECT, REPORT, in_workspace, out_of_proportion, source_path

NEEDS_PREDICTIONS = ("11_published_predictions",)  # left out unless the parameter says where they are
PRESETS = PROJECT / "presets"
NOTEBOOKS = PROJECT / "notebooks"


def run(*, preset="paper", corpus=None, only=(), out=None, jobs=0, parameters=None):
    """Execute the notebooks and write the report; return {notebook: reason} of those that failed.

    Such a one is kept as far as it came. ``preset`` names a file in ``presets``; ``corpus`` and ``parameters`` replace
    what it says. ``only`` holds numbers or names of the notebooks wanted ("04" or "04_mlp"), none = all; ``jobs`` of
    them run side by side, 0 for as many as there are cores: the results do not depend on it.

    What is finished in the run folder ``out``, none = ``runs/<time>-<preset>``, is not run again. A folder that holds
    another run, or in which another ``devid run`` is at work, is refused.
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
        if len(chosen) > 1:
            warm_up()
        prepare(folder, params, preset=preset, started=started)
        if len(chosen) > 1:
            importlib.import_module(".pages", __package__)  # takes seconds: while they warm up
        if not only and not params["predictions"]:
            for name in NEEDS_PREDICTIONS:
                print(f"{name:40} left out: needs -p predictions FOLDER, or -p predictions download")
        failed = execute_all(chosen, folder, params, jobs=jobs)
        before, ran = read_json(folder / "run.json").get("failed", {}), {path.stem for path in chosen}
        failures = {name: reason for name, reason in before.items() if name not in (*ran, REPORT)} | failed
        finish(folder, time.perf_counter() - started, failures)
    return {name: reason for name, reason in failures.items() if name in (*ran, REPORT)}


def prepare(folder, params, *, preset, started):
    """Load the corpus once, before all notebooks: simulate it, look into every file, say what is left out."""
    progress.STYLE = "bar" if sys.stderr.isatty() else "lines"
    for place in (in_workspace("runs"), params["data_dir"], folder):
        sweep(place)
    recordings = load_corpus(params["corpus"], data_dir=params["data_dir"], **{name: params[name] for name in CORPUS})
    checksum = corpus_checksum(recordings)
    if read_json(folder / "run.json").get("corpus", {}).get("checksum", checksum) != checksum:
        raise ParameterError(f"{folder} holds a run on other recordings: choose another --out")
    run_folder.save_recordings(folder, recordings)
    seconds, skipped = time.perf_counter() - started, recordings.attrs["skipped"]
    devices = recordings["device"].nunique()
    print(f"{'corpus':40} {seconds:6.0f} s  {len(recordings)} recordings, {devices} devices", flush=True)
    notes = recordings.attrs["notes"] + out_of_proportion(recordings, params)
    if params["corpus"] in SIMULATED:
        notes.append("Simulated recordings: figures show how the methods behave, not how well a device is identified.")
    if params["size"] == "quick":
        notes.append("A quick run shows that everything works, not how well.")
    for note in notes:
        print(f"  note: {note}")
    if skipped:
        what = "1 file was" if len(skipped) == 1 else f"{len(skipped)} files were"
        print(f"  {what} left out: {'; '.join(entry['path'] for entry in skipped[:5])}"
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


def identify(questioned=(), *, references="", background=(), comparison="", out=None, parameters=None, asks=True):
    """Execute the notebook of a case and write its page; return its folder and {notebook: reason} if that failed.

    ``questioned`` are files or folders, none = what the references mark as questioned, if anything. ``references`` is a
    corpus of the devices in question, ``simulated`` a made case, and ``background`` names those of others; in place of
    both, ``comparison`` is the folder of an earlier case. That of this one is ``out``, none = ``runs/<time>-case``.
    Where nothing is asked, it is refused if it ``asks``; else the page holds the validation.
    """
    if bool(references) == bool(comparison):
        raise ParameterError("give either references or the folder of an earlier case (--references or --run)")
    params = check_params(parameters or {})
    folder = Path(out or in_workspace(f"runs/{time.strftime('%Y%m%d-%H%M%S')}-case")).absolute()
    places = {"questioned": questioned, "background": background}
    params |= {name: "\n".join(source_path(str(place)) for place in values) for name, values in places.items()}
    params |= {"corpus": source_path(references or "simulated"), "comparison": source_path(comparison)}
    params |= {"run_dir": str(folder), "data_dir": str(in_workspace(params["data_dir"]).absolute())}
    for place in [*params["questioned"].splitlines(), *filter(None, [params["comparison"]])]:
        if not Path(place).exists() or place != readable(place):
            reason = NOT_UTF8 if Path(place).exists() else "no such file or folder"
            raise ParameterError(f"{readable(place)}: {reason}")
    warm_up("warmed_case")
    if references and references != "simulated":
        options = {name: params[name] for name in (*REFERENCES, "data_dir")}
        sources = [params["corpus"], *params["background"].splitlines()]
        tables = [load_references(source, **options) for source in sources]  # what is wrong is told before all
        questioned = questioned or tables[0].attrs["questioned"]
    if asks and not questioned and references != "simulated":
        raise ParameterError("nothing is asked: name files or folders, or mark recordings as questioned")
    find_files(params["questioned"].splitlines())  # here, too, what is wrong is told before all
    if comparison:
        load_case(Path(params["comparison"]) / "case")
    with run_folder.claimed(folder), ThreadPoolExecutor(1) as pool:
        check_same_run(folder, params)
        sweep(folder)
        run_folder.update_run(folder, finished={CASE: ""})  # what lies in the folders asked about may be new
        pages = pool.submit(importlib.import_module, ".pages", __package__)  # takes seconds: beside the notebook
        failed = execute_all([NOTEBOOKS / f"{CASE}.ipynb"], folder, params, jobs=1)
        page = pages.result().write_case(folder)
    for note in read_json(folder / "case" / "case.json").get("notes", []):
        print(f"  note: {note}")
    print(page)
    return folder, failed


def public_recordings(words):
    """List public recordings, print what is known of one, or get it."""
    if len(words) > 2 or (len(words) == 2 and words[0] != "get") or words == ["get"]:
        raise ParameterError(f"{' '.join(words)!r}: is not NAME or get NAME, as in `devid corpora get daps`")
    if not words:
        for name, corpus in corpora.CORPORA.items():
            print(f"{name:24} {corpus.what}")
        return
    print(corpora.described(words[-1]))
    if len(words) == 2:
        progress.STYLE = "bar" if sys.stderr.isatty() else "lines"
        print(corpora.get(words[-1], data_dir=in_workspace("data")))


def whole(text):
    """Return a number that the command line gives, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


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
    command.add_argument("--jobs", type=whole, default=0, metavar="N", help="notebooks at a time (default: the cores)")
    pair = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}
    command.add_argument("-p", dest="pairs", help="a parameter, see below", **pair)
    command = commands.add_parser("identify", help="which device made these recordings, or none, and how sure is that")
    command.add_argument("questioned", nargs="*", metavar="QUESTIONED", help="files or folders; none: those that the "
                         "references mark as questioned")  # fmt: skip
    known = command.add_mutually_exclusive_group(required=True)
    known.add_argument("--references", metavar="SRC", help="recordings of known devices; simulated: a made case")
    known.add_argument("--run", metavar="DIR", help="folder of an earlier case: its comparison is used again")
    check = commands.add_parser("validate", help="how good a comparison the references, and a background, allow")
    check.add_argument("references", metavar="REFERENCES", help="folder or CSV of recordings of known devices")
    for one in (command, check):
        one.add_argument("--background", nargs="+", default=[], metavar="SRC", help="corpora of other devices")
        one.add_argument("--out", metavar="DIR", help="folder of the case, a new one if not given")
        one.add_argument("-p", dest="pairs", help="a parameter, see devid run --help", **pair)
    command = commands.add_parser("report", help="write the report of a run folder again")
    command.add_argument("run", help="run folder")
    command = commands.add_parser("sweep", help="execute notebooks over a grid of parameters, on a Dask cluster")
    command.add_argument("grid", metavar="GRID.yaml", help="what is swept, see README")
    command.add_argument("--out", metavar="DIR", help="folder, a new one if not given; an unfinished sweep goes on")
    command.add_argument("--scheduler", default="", metavar="ADDRESS", help="of Dask (default: processes here)")
    command.add_argument("--workers", type=whole, default=0, metavar="N", help="processes here (default: the cores)")
    commands.add_parser("lab", help="open JupyterLab on a working copy of the notebooks")
    command = commands.add_parser("corpora", help="list public recordings, show what is known of one, or get it")
    command.add_argument("words", nargs="*", metavar="[get] NAME", help="none = list them all; get = download it")
    return parser.parse_args(argv)


def given(args):
    """Return the parameters of the command line."""
    values = parsed(args.pairs)
    if "run_dir" in values:
        raise ParameterError("run_dir is not a parameter of the command: use --out")
    return values


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
        elif args.command in ("identify", "validate"):
            options = {"references": args.references, "background": args.background, "out": args.out, "asks": False}
            if args.command == "identify":
                options |= {"questioned": args.questioned, "comparison": args.run or "", "asks": True}
            return 1 if identify(**options, parameters=given(args))[1] else 0
        elif args.command == "sweep":
            from .sweep import sweep

            failed = sweep(args.grid, out=args.out, scheduler=args.scheduler, workers=args.workers)
            return int(any(failed.values()))
        elif args.command == "corpora":
            public_recordings(args.words)
        else:
            options = {"corpus": args.corpus, "only": args.only, "out": args.out, "jobs": args.jobs}
            return 1 if run(preset=args.preset, parameters=given(args), **options) else 0
    except (DevidError, OSError) as error:  # the second where a log or a lock finds the disk full
        print(f"devid: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        how = "" if args.command == "corpora" else " with --out and this run's folder"
        print(f"\ndevid: interrupted; the same command{how} goes on", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


if __name__ == "__main__":
    sys.exit(main())
