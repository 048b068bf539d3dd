"""Notebooks executed side by side, each by papermill in a process of its own."""

import json
import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b
from multiprocessing import connection, forkserver
from types import ModuleType

import yaml

from ..files import atomic_path, read_json
from . import folder as run_folder
from . import launch
from .parameters import PARAMETERS
from .session import PROJECT

ALONE = ("90_speed",)  # what measures time runs last and alone
LONG = ("05", "20", "10", "13", "04", "16", "14")  # begin first, so that nothing long is left at the end
# Threads of linear algebra wait for each other by spinning, which costs notebooks that run side by side dear. One each,
# however many notebooks there are, since the number of threads decides the order of sums.
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "MKL", "OMP")}
PROCESSES = multiprocessing.get_context("forkserver" if launch.FORKS else "spawn")
ONE_AT_A_TIME = threading.Lock()  # to begin or to bury a process of multiprocessing is not safe in two threads at once


def warm_up(module="warmed"):
    """Begin to import what most notebooks share, or another module, in the process to be forked for each of them."""
    if f"{__package__}.{module}" in sys.modules and forkserver.get_inherited_fds() is not None:  # it forked us
        forkserver._forkserver.ensure_running = lambda: None  # Python would begin another, though it says it does not
    elif launch.FORKS:
        PROCESSES.set_forkserver_preload([f"{__package__}.{module}"])
        with prepared():
            forkserver.ensure_running()


@contextmanager
def prepared():
    """Let processes begin with one thread of linear algebra, and without running once more the script that asks."""
    before, main = {name: os.environ[name] for name in ONE_THREAD if name in os.environ}, sys.modules["__main__"]
    os.environ.update(ONE_THREAD)
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name in ONE_THREAD:
            os.environ.pop(name, None)
        os.environ.update(before)


def cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def execute_all(notebooks, folder, params, *, jobs=0):
    """Execute notebooks side by side, as many as there are cores or ``jobs``, those that measure time alone and last.

    Returns {notebook: reason} of those that failed.
    """
    injected = {name: value for name, value in params.items() if value != PARAMETERS[name].default}
    with atomic_path(folder / "parameters.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(injected, allow_unicode=True), encoding="utf-8")
    children, failed = set(), {}
    with ThreadPoolExecutor(max(1, jobs or cores())) as pool:
        try:
            for last in (False, True):
                paths = [path for path in notebooks if (path.stem in ALONE) == last]
                paths.sort(key=lambda path: [*LONG, path.stem.split("_")[0]].index(path.stem.split("_")[0]))
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
        reason = papermill(path, partial, folder, given=("-f", str(folder / "parameters.yaml")), children=children)
        if not partial.exists():
            partial.write_bytes(path.read_bytes())  # it did not even begin
    seconds = time.perf_counter() - started
    print(f"{name:40} {seconds:6.0f} s  {f'FAILED  {reason}' if reason else 'ok'}", flush=True)
    noted = read_json(folder / "run.json").get("timings", {}).get(name, {})
    done = {} if reason else {"finished": {name: key}}
    run_folder.update_run(folder, timings={name: noted | {"seconds": round(seconds, 1)}}, **done)
    return reason


def papermill(path, output, folder, *, given, children):
    """Run papermill in a process of its own, which ``children`` hold while it runs; return why it failed, or "".

    ``given`` are arguments that hold the notebook's parameters; ``folder`` is the run's, for the log.
    """
    places = [str(place).replace("{", "{{").replace("}", "}}") for place in (path, output)]  # papermill fills braces in
    quiet = ["--no-progress-bar", "--log-level", "ERROR", "--no-request-save-on-cell-execute"]  # it saves every 30 s
    arguments = [*places, *given, "-k", "python3", *quiet]
    log, environment = folder / "kernel.log", os.environ | ONE_THREAD
    child = PROCESSES.Process(target=launch.notebook, args=(arguments, str(log), environment, str(PROJECT)))
    with ONE_AT_A_TIME, prepared():
        child.start()
    children.add(child)
    connection.wait([child.sentinel])
    with ONE_AT_A_TIME:
        child.join()
    children.discard(child)
    return "" if child.exitcode == 0 else failure(output) or f"papermill ended with status {child.exitcode}, see {log}"


def failure(notebook):
    """Return the error that an executed notebook stopped at, empty if it holds none."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, LookupError):
        return ""
    errors = [o for cell in cells for o in cell.get("outputs", []) if o["output_type"] == "error"]
    return f"{errors[0]['ename']}: {errors[0]['evalue']}" if errors else ""
