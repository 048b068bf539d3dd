"""The ``devid`` command: papermill over the notebooks, then the report."""

import argparse
import shutil
import sys
import time
from hashlib import blake2b
from pathlib import Path

import yaml

from . import results
from .corpus import SIMULATED, corpus_checksum, load_corpus
from .errors import DevidError, ParameterError
from .files import atomic_path, stderr_to
from .notebook import CORPUS, PARAMETERS, check_names, check_params, corpus_source, in_workspace

PROJECT = Path(__file__).resolve().parent.parent
NEEDS_PREDICTIONS = ("11_published_predictions",)  # left out unless the parameter says where they are
PRESETS = PROJECT / "presets"
NOTEBOOKS = PROJECT / "notebooks"
EXECUTION = {"kernel_name": "python3", "progress_bar": False}
README_FIGURES = ("02_noise_fingerprint-device-spectra", "08_confusion_matrix-confusion", "09_tsne-last-hidden")


def run(*, preset="paper", corpus=None, only=(), out=None, parameters=None):
    """Execute the notebooks in order and write the report.

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
    parameters : dict, optional
        Replace the preset's values.

    Returns
    -------
    failed : dict
        Notebook: reason, for the notebooks that failed.

    Raises
    ------
    DevidError
        If a name or value is not allowed, the corpus cannot be used or the run folder holds another run.

    Notes
    -----
    A notebook that fails is kept as far as it came, and the rest are still run.
    """
    started = time.perf_counter()
    params = merged_parameters(preset, corpus, parameters or {})
    chosen = find_notebooks(only, without=() if params["predictions"] else NEEDS_PREDICTIONS)
    folder = Path(out or in_workspace(f"runs/{time.strftime('%Y%m%d-%H%M%S')}-{preset}")).absolute()
    params |= {"run_dir": str(folder), "data_dir": str(in_workspace(params["data_dir"]).absolute())}
    check_same_run(folder, params)
    print(f"{folder}: {len(chosen)} notebooks, preset {preset}", flush=True)
    recordings = load_corpus(params["corpus"], data_dir=params["data_dir"], **{name: params[name] for name in CORPUS})
    checksum = corpus_checksum(recordings)
    if results.read_json(folder / "run.json").get("corpus", {}).get("checksum", checksum) != checksum:
        raise ParameterError(f"{folder} holds a run on other recordings: choose another --out")
    seconds = time.perf_counter() - started
    devices = recordings["device"].nunique()
    print(f"{'corpus':26} {seconds:6.0f} s  {len(recordings)} recordings, {devices} devices", flush=True)
    for name in NEEDS_PREDICTIONS:
        if not only and not params["predictions"]:
            print(f"{name:26} left out: needs -p predictions FOLDER, or -p predictions download")
    results.open_run(folder)
    results.update_run(folder, preset=preset, started=time.strftime("%Y-%m-%d %H:%M:%S"), parameters=params)
    results.update_run(folder, timings={"corpus": {"seconds": round(seconds, 1)}})
    failed = {path.stem: reason for path in chosen if (reason := execute(path, folder, params))}
    ran = {path.stem for path in chosen}
    before = results.read_json(folder / "run.json").get("failed", {})
    failures = {name: reason for name, reason in before.items() if name not in ran} | failed
    finish(folder, time.perf_counter() - started, failures)
    return failed


def find_notebooks(only, *, without=()):
    """Return the paths of the notebooks wanted, in order; without names it leaves out what cannot run."""
    known = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    for name in only:
        if not any(name in (path.stem, path.stem[:2]) for path in known):
            raise ParameterError(f"unknown notebook {name!r}: known are {', '.join(path.stem for path in known)}")
    if only:
        return [path for path in known if path.stem in only or path.stem[:2] in only]
    return [path for path in known if path.stem not in without]


def merged_parameters(preset, corpus, parameters):
    """Return the preset's parameters with the user's on top, checked; a corpus on disk gets an absolute path."""
    path = PRESETS / f"{preset}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in PRESETS.glob("*.yaml")))
        raise ParameterError(f"unknown preset {preset!r}: known are {known}")
    params = check_params(yaml.safe_load(path.read_text(encoding="utf-8")) | parameters)
    source = corpus_source(corpus or params["corpus"])
    params["corpus"] = source if source in SIMULATED else str(Path(source).absolute())
    return params


def check_same_run(folder, params):
    """Refuse a folder that holds a run with other parameters, since its tables would mix the two."""
    for name, old in results.read_json(folder / "run.json").get("parameters", {}).items():
        if params.get(name, old) != old:
            hint = f"{name}={old!r}, not {params[name]!r}: choose another --out"
            raise ParameterError(f"{folder} holds a run with {hint}")


def execute(path, folder, params):
    """Execute one notebook into the run folder; return the reason if it failed, else an empty string."""
    import papermill

    name, key = path.stem, blake2b(path.read_bytes(), digest_size=8).hexdigest()
    output = folder / "notebooks" / path.name
    if results.read_json(folder / "run.json").get("finished", {}).get(name) == key and output.exists():
        print(f"{name:26} already finished", flush=True)
        return ""
    print(f"{name:26} ", end="", flush=True)
    started = time.perf_counter()
    try:
        with stderr_to(folder / "kernel.log"):
            papermill.execute_notebook(path, output, params, cwd=str(PROJECT), **EXECUTION)
        reason = ""
    except papermill.PapermillExecutionError as error:
        reason = f"{error.ename}: {error.evalue}"
    except Exception as error:  # a kernel that dies has no exception class of its own
        reason = f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - started
    print(f"{seconds:6.0f} s  {f'FAILED  {reason}' if reason else 'ok'}", flush=True)
    if not reason:
        results.update_run(folder, finished={name: key})
    results.update_run(folder, timings={name: timing(folder, name, seconds)})
    return reason


def timing(folder, name, seconds):
    """Return what a notebook noted of itself, with its whole time, the kernel's start included."""
    return results.read_json(folder / "run.json").get("timings", {}).get(name, {}) | {"seconds": round(seconds, 1)}


def finish(folder, seconds, failed):
    """Note the failures, write the report and say where it is."""
    from .report import write_report

    results.update_run(folder, timings={"total": {"seconds": round(seconds, 1)}})
    content = results.read_json(folder / "run.json") | {"failed": failed}
    results.write_json(folder / "run.json", content)
    print(f"{'report':26} {write_report(folder)}")
    print(f"{len(failed)} failed: {', '.join(failed)}" if failed else f"all well, {seconds:.0f} s")


def copy_figures(run_dir, real_run=None, *, project=PROJECT):
    """Copy the README's figures and results from a run folder, and write the README's tables anew.

    Parameters
    ----------
    run_dir : str or Path
        Run folder of a complete run.
    real_run : str or Path, optional
        Run folder on real recordings, for the tables of real devices; none = they stay as they are.
    project : Path
        Folder that holds ``README.md`` and ``figures``.

    Raises
    ------
    DevidError
        If the run lacks a figure, or the README the marks between which a table stands.
    """
    run_dir, figures = Path(run_dir), project / "figures"
    names = [*(f"figures/{figure}.png" for figure in README_FIGURES), "results.csv"]
    for name in names:
        if not (run_dir / name).is_file():
            raise DevidError(f"{run_dir / name}: missing, so this run is not complete")
    figures.mkdir(exist_ok=True)
    for name in names:
        shutil.copyfile(run_dir / name, figures / Path(name).name)
    tables = {"results": readme_table, "leaderboard": readme_leaderboard}
    for source, prefix in ((run_dir, ""), (real_run, "real ")):
        if source:
            rows = results.read_table(Path(source) / "results.csv")
            for name, table in tables.items():
                replace_block(project / "README.md", prefix + name, table(rows))


def replace_block(path, name, text):
    """Write text between ``<!-- name -->`` and ``<!-- end of name -->`` in a Markdown file."""
    before, start, rest = path.read_text(encoding="utf-8").partition(f"<!-- {name} -->")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    if not start or not end:
        raise DevidError(f"{path}: lacks the marks of {name!r}")
    with atomic_path(path) as temporary:
        temporary.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


def markdown(columns, rows):
    """Return rows of text as a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def readme_table(rows):
    """Return tables II to V of a run as Markdown: our figure, its interval, the paper's figure."""
    rows = rows[rows["table"].isin(["II", "III", "IV", "V"]) & (rows["metric"] == "accuracy")]
    columns = ["table", "system", "noise extraction", "decision by", "ours [%]", "95 % interval", "paper [%]"]
    lines = []
    for row in rows.itertuples():
        paper = "" if row.paper != row.paper else f"{100 * row.paper:.0f}"
        interval = f"{100 * row.low:.1f} - {100 * row.high:.1f}"
        lines.append([row.table, row.system, row.variant, row.unit, f"{100 * row.value:.1f}", interval, paper])
    return markdown(columns, lines)


def readme_leaderboard(rows):
    """Return the leaderboard of a run as Markdown: accuracy in percent by length of excerpt, best first."""
    from .systems.protocol import leaderboard

    board = leaderboard(rows[rows["table"] == "leaderboard"])
    board = board[~board.index.str.startswith("yours")]  # the example of notebook 10
    columns = ["system", *board.columns[:4], "log-loss"]
    lines = [
        [system, *(f"{100 * value:.1f}" for value in line.iloc[:4]), f"{line['log-loss']:.2f}"]
        for system, line in board.iterrows()
    ]
    return markdown(columns, lines)


def parsed(pairs):
    """Return ``-p`` pairs as a dictionary, each value in the type of the parameter."""
    check_names(name for name, _ in pairs)
    if "run_dir" in dict(pairs):
        raise ParameterError("run_dir is not a parameter of the command: use --out")
    values = {}
    for name, text in pairs:
        kind = type(PARAMETERS[name][0])
        try:
            values[name] = kind(text)
        except ValueError:
            raise ParameterError(f"{name}={text!r} is not a {kind.__name__}") from None
    return values


def arguments(argv):
    """Return the parsed command line."""
    parser = argparse.ArgumentParser("devid", description="Which device made this recording?")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("run", help="execute the notebooks in order and write the report")
    command.add_argument("--preset", default="paper", help="quick or paper (default)")
    command.add_argument("--corpus", metavar="SRC", help=PARAMETERS["corpus"][2])
    command.add_argument("--only", nargs="+", default=[], metavar="NN", help="numbers or names of notebooks")
    command.add_argument("--out", metavar="DIR", help="run folder, a new one if not given; an unfinished run goes on")
    command.add_argument(
        "-p",
        dest="pairs",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a notebook parameter; known are " + ", ".join(PARAMETERS),
    )
    command = commands.add_parser("report", help="write the report of a run folder again")
    command.add_argument("run")
    command = commands.add_parser("figures", help="copy the README's figures and tables from a run folder")
    command.add_argument("run")
    command.add_argument("real", nargs="?", help="run folder on real recordings")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the command; return the exit status: 0 well, 1 a notebook failed, 2 refused, 130 interrupted."""
    args = arguments(argv)
    try:
        if args.command == "report":
            from .report import write_report

            print(write_report(Path(args.run)))
        elif args.command == "figures":
            copy_figures(args.run, args.real)
        else:
            options = {"corpus": args.corpus, "only": args.only, "out": args.out, "parameters": parsed(args.pairs)}
            return 1 if run(preset=args.preset, **options) else 0
    except DevidError as error:
        print(f"devid: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ndevid: interrupted; the same command with --out and this run's folder goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
