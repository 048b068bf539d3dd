"""``devid sweep``: the notebooks over a grid of parameters, each point a run of its own, many at a time on Dask."""

import logging
import multiprocessing
import os
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from hashlib import blake2b
from pathlib import Path

import pandas as pd
import yaml
from sklearn.model_selection import ParameterGrid

from ..errors import DevidError, ParameterError
from ..files import atomic_path, check, read_json, sha256_of, write_json
from . import folder as run_folder
from .command import find_notebooks, merged_parameters, run
from .execution import PROCESSES, cores, warm_up
from .parameters import check_names
from .session import in_workspace, slug

GRID_KEYS = ("preset", "only", "parameters", "grid")  # of a grid's file


def sweep(grid, *, out=None, scheduler="", workers=0):
    """Run notebooks at every point of a grid of parameters; return {point: {notebook: reason}} of what failed.

    ``grid`` is a YAML file: ``grid``, a mapping of parameters to lists of values, all combinations of which are run, or
    a list of such mappings; and where wanted ``preset`` (quick), ``only`` (notebooks) and ``parameters`` (of all
    points). A file or a point of it that is not allowed is refused before anything is run.

    ``out``, none = ``runs/<time>-<name of the file>``, holds a run folder for every point; those that are finished
    there are not run again. ``scheduler`` is the address of a Dask scheduler whose workers see the same disk, run one
    thread each and have this package; empty = ``workers`` processes on this machine, 0 for as many as there are cores.

    Notebook 91 draws ``sweep.csv``, see `gather`. A point that fails is kept as far as it came; that of a worker that
    dies is gone on with by another one.
    """
    content = read_grid(grid)
    points = {point_name(point): point for point in points_of(content["grid"])}
    given = {name: arguments_of(content, point) for name, point in points.items()}
    out = Path(out or in_workspace(f"runs/{time.strftime('%Y%m%d-%H%M%S')}-{Path(grid).stem}")).absolute()
    with run_folder.claimed(out):
        failed, total = {}, len(points)
        try:
            for name, reasons, seconds in finished(given, out, scheduler=scheduler, workers=workers):
                failed[name] = reasons
                said = "; ".join(f"{notebook} {' '.join(why.split())}" for notebook, why in reasons.items())
                said = f"FAILED  {said}" if said else "ok"
                print(f"{len(failed):5} of {total}  {name:50} {seconds:6.0f} s  {said}", flush=True)
        finally:
            told = {name: {"parameters": points[name], "failed": failed[name]} for name in points if name in failed}
            with atomic_path(out / "sweep.csv") as temporary:
                gather(out, told).to_csv(temporary, index=False)
            digests = {"sweep.csv": sha256_of(out / "sweep.csv")}
            write_json(out / "sweep.json", {"grid": content, "points": told, "files": digests})
    bad = sum(map(bool, failed.values()))
    print(f"{out / 'sweep.csv'}: {total} points, {f'{bad} failed' if bad else 'all well'}", flush=True)
    return failed


def load_sweep(out):
    """Return the table of a finished sweep in a folder, from `gather`, and one row of parameters per point.

    Where there is none, or a file is not as it was written, DevidError names it.
    """
    told = read_json(out / "sweep.json")
    if not told:
        raise DevidError(f"{out}: holds no sweep")
    for name, digest in told["files"].items():
        check(out / name, digest)
    table = pd.read_csv(out / "sweep.csv", dtype={"failed": object}, low_memory=False).fillna({"failed": ""})
    return table, pd.DataFrame([one["parameters"] for one in told["points"].values()])


def read_grid(path):
    """Return what a grid's file says, or raise ParameterError."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ParameterError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, Mapping) or not content.get("grid"):
        raise ParameterError(f"{path}: holds no grid: a mapping of parameters to lists of values")
    if unknown := sorted(set(map(str, content)) - set(GRID_KEYS)):
        raise ParameterError(f"{path}: unknown key {unknown[0]!r}: known are {', '.join(GRID_KEYS)}")
    return {"preset": "quick", "only": [], "parameters": {}} | content


def points_of(grid):
    """Return the points of a grid, or of a list of grids, as dictionaries.

    >>> points_of({"seed": [0, 1], "wavelet": ["db4"]})
    [{'seed': 0, 'wavelet': 'db4'}, {'seed': 1, 'wavelet': 'db4'}]
    >>> points_of([{"noise": "none"}, {"noise": "wavelet", "level": [3, 5]}])
    [{'noise': 'none'}, {'level': 3, 'noise': 'wavelet'}, {'level': 5, 'noise': 'wavelet'}]
    """
    grids = [grid] if isinstance(grid, Mapping) else grid
    if not isinstance(grids, list) or not all(isinstance(one, Mapping) and one for one in grids):
        raise ParameterError(f"grid={grid!r} is not a mapping of parameters to lists of values, nor a list of them")
    lists = [{name: value if isinstance(value, list) else [value] for name, value in one.items()} for one in grids]
    for one in lists:
        check_names(map(str, one))
        if empty := [name for name, values in one.items() if not values]:
            raise ParameterError(f"grid: {empty[0]!r} has no value")
    return list(ParameterGrid(lists))


def point_name(point):
    """Return the name of a point's folder: readable, and as unique as its values.

    >>> point_name({"seed": 0, "wavelet": "db4"})
    'seed-0-wavelet-db4-b86597'
    """
    text = " ".join(f"{name} {value}" for name, value in point.items())
    return f"{slug(text)[:80]}-{blake2b(repr(sorted(point.items())).encode(), digest_size=3).hexdigest()}"


def arguments_of(content, point):
    """Return the arguments of `command.run` at a point, checked here so that nothing is run where one is refused."""
    for name in ("run_dir", "data_dir"):
        if name in point:
            raise ParameterError(f"{name} is not a parameter of a grid")
    notebooks = [str(name) for name in content["only"]]
    find_notebooks(notebooks)
    params = merged_parameters(content["preset"], None, content["parameters"] | point)
    params["data_dir"] = str(in_workspace(params["data_dir"]).absolute())
    return {"preset": content["preset"], "only": notebooks, "parameters": params}


def run_point(name, out, given, scheduler=""):
    """Run one point; return its name, {notebook: reason} of what failed, and the seconds it took.

    Its notebooks spread the recordings of a dataset over the workers of the scheduler, where one is named.
    """
    started = time.perf_counter()
    warm_up()
    os.environ["DASK_SCHEDULER_ADDRESS"] = scheduler  # that they take on, see `dataset.cluster`
    multiprocessing.current_process().daemon = False  # or a worker of Dask could not begin the notebooks' processes
    (out / name).mkdir(exist_ok=True)
    with open(out / name / "sweep.log", "a", encoding="utf-8") as log, redirect_stdout(log):
        try:
            failed = run(out=out / name, jobs=1, **given)
        except (DevidError, OSError) as error:
            failed = {"run": str(error)}
    return name, failed, time.perf_counter() - started


def finished(given, out, *, scheduler, workers):
    """Yield what `run_point` returns of every point, as they get ready."""
    if not scheduler:
        warm_up()  # workers here, and their notebooks, are forked from one process
    try:
        import dask
        from distributed import Client, LocalCluster, as_completed
    except ImportError as error:
        raise DevidError("devid sweep needs Dask: pip install 'devid[scale]'") from error
    if not scheduler:  # a worker is a process with one thread, for what a run prints goes into its own file
        dask.config.set({"distributed.worker.multiprocessing-method": PROCESSES.get_start_method()})
        quiet = {"silence_logs": logging.ERROR, "dashboard_address": "127.0.0.1:0"}
        scheduler = LocalCluster(n_workers=workers or cores(), threads_per_worker=1, **quiet)
    try:
        with Client(scheduler) as client:
            n = len(client.nthreads())
            spare = client.scheduler.address if len(given) < n else ""  # else notebooks would wait for themselves
            print(f"{out}: {len(given)} points, {n} workers, dashboard {client.dashboard_link}", flush=True)
            futures = {
                client.submit(run_point, name, out, one, spare, pure=False): name for name, one in given.items()
            }
            for future in as_completed(futures):
                try:
                    result = future.result()  # run anew if a worker took it to its grave
                except Exception as error:  # a worker died each time, or what nobody thought of
                    result = futures[future], {"run": repr(error)}, float("nan")
                yield result
    except (OSError, ValueError) as error:  # nobody answers at the address, or it is none
        raise DevidError(f"scheduler {scheduler}: {error or type(error).__name__}") from error
    finally:
        if not isinstance(scheduler, str):
            scheduler.close()


def gather(out, points):
    """Return point, its parameters, the columns of ``results.csv`` and failed, a reason or empty, of all points.

    ``points`` is {name: {"parameters": dict, "failed": dict}}. A notebook that failed has a row that says why.
    """
    tables = []
    for name, point in points.items():
        run_dir = out / name
        whole = read_json(run_dir / "run.json") and run_folder.believed(run_dir, "results.csv")
        rows = run_folder.read_table(run_dir / "results.csv") if whole else pd.DataFrame()
        beside = {key: value for key, value in point["parameters"].items() if key not in rows}
        tables.append(rows.assign(point=name, **beside))
        broken = [{"notebook": notebook, "failed": why} for notebook, why in point["failed"].items()]
        tables.append(pd.DataFrame(broken).assign(point=name, **point["parameters"]))
    swept = sorted({name for point in points.values() for name in point["parameters"]} - set(run_folder.COLUMNS))
    columns = ["point", *swept, *run_folder.COLUMNS, "failed"]
    table = pd.concat([part for part in tables if len(part)] or [pd.DataFrame(columns=columns)], ignore_index=True)
    return table.reindex(columns=columns).astype({"failed": object}).fillna({"failed": ""})
