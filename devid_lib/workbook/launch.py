"""One notebook in a process of its own, and its kernel in another: what the processes of ``devid run`` do."""

import importlib
import multiprocessing
import os
import sys
import threading

UNUSED = {"rfc3987_syntax": None}  # a format of addresses, in no notebook, whose grammar takes seconds to compile
FORKS = sys.platform == "linux"  # elsewhere libraries of the system do not bear it


def notebook(arguments, log, environment, place):
    """Run papermill on its command line's ``arguments`` in a folder, ``place``, and end with its exit status.

    What papermill and the kernel print is appended to the file ``log``.
    """
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if FORKS:
        Kernel.waiting = Kernel()
        Kernel.waiting.start()
        os.environ["JUPYTER_DEFAULT_PROVISIONER_NAME"] = "devid-forked"
    threading.Thread(target=end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    sys.modules |= UNUSED
    from papermill.cli import papermill

    try:
        papermill(arguments)
    finally:
        if Kernel.waiting:  # papermill did not come as far
            Kernel.waiting.kill()


def preload(*modules):
    """Import modules, for a process that will be forked. Nothing may be computed: threads would be left behind."""
    sys.modules |= UNUSED
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as a kernel would
    for module in ("papermill.cli", "ipykernel.kernelapp", ".provisioner", *modules):
        importlib.import_module(module, __package__)


def end_with(parent):
    """End this process, and so its kernel, when who asked for the notebook is gone: another may be at it already."""
    parent.join()
    os._exit(1)


class Kernel(multiprocessing.get_context("fork" if FORKS else None).Process):
    """A kernel's process, forked before there are threads, that waits to be told its connection file.

    It answers to what jupyter_client asks of a `subprocess.Popen`.
    """

    waiting = None
    stdin = stdout = stderr = None

    def __init__(self):
        super().__init__()
        self.told, self.teller = multiprocessing.Pipe(duplex=False)

    def run(self):
        """Be a kernel."""
        self.teller.close()
        os.setsid()
        from ipykernel.kernelapp import launch_new_instance

        launch_new_instance(["-f", self.told.recv(), f"--IPKernelApp.parent_handle={os.getppid()}"])

    def poll(self):
        """Return the exit status, None while it runs."""
        return self.exitcode

    def wait(self):
        """Return the exit status when it has ended."""
        self.join()
        return self.exitcode

    def send_signal(self, number):
        """Send a signal to the process."""
        os.kill(self.pid, number)
