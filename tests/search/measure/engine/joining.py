"""A scheduler and workers of their own processes on loopback, and tasks for them."""

import os
import subprocess
import sys
import time
from pathlib import Path

from hw.common.errors import InputError

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
WORKER = ("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1",
          "--memory-limit", "400MB")


def dask(folder, *words, **environment):
    """Start a command of Dask."""
    with (folder / f"{words[0]}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *words], cwd=Path.cwd(), stdout=subprocess.DEVNULL,
            stderr=log, env={**ENVIRONMENT, "PYTHONPATH": str(Path.cwd()), **environment})


def scheduler(folder):
    """Start a scheduler; its file is `scheduler.json`."""
    process = dask(folder, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                   "--scheduler-file", str(folder / "scheduler.json"))
    deadline = time.monotonic() + 120
    while not (folder / "scheduler.json").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, (folder / "scheduler.log").read_text()
        time.sleep(0.02)
    return process


def worker(folder, *more, **environment):
    """Start a worker that joins it."""
    return dask(folder, *WORKER, "--scheduler-file", str(folder / "scheduler.json"),
                "--local-directory", str(folder), *more, **environment)


def count(values, number, seconds=0.0):
    """Return a sum and the process that found it: a task."""
    time.sleep(seconds)
    return int(values.sum()) + number, os.getpid()


def fail(number):
    """Raise what a task may raise."""
    raise InputError(f"Number must be none, not {number}")


def listening(pids):
    """Return the addresses on which processes wait for others, in hexadecimal."""
    sockets = {str(path.readlink()) for pid in pids for path in Path(f"/proc/{pid}/fd").iterdir()
               if path.is_symlink()}
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                found.add(words[1].partition(":")[0])
    return found
