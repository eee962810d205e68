"""How much memory one command may take: too much is refused, and what may be made again is dropped.

Whatever is kept in memory only in case it is asked for again, such as prepared kernels or the live
tensors of a network, is kept in `KEPT`: all of it together has one limit, in bytes.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import resource
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hw.common.errors import InputError

SHARE = 0.75  # of the machine, by default
KEPT_PART = 4  # of the limit, one part is for what is kept
MOST_KEPT = 2**29  # bytes, by default
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_GROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_chosen: int | None = None  # by --max-memory: one process, one limit

T = TypeVar("T")


def memory_limit() -> int:
    """Return the bytes that this command may take in all."""
    return int(SHARE * machine_memory()) if _chosen is None else _chosen


@cache
def machine_memory() -> int:
    """Return the bytes of the machine, or of the control group that the process is held to."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in map(Path, _GROUP_LIMITS):
        text = path.read_text().strip() if path.is_file() else ""
        if text.isdigit():  # not `max`
            sizes.append(int(text))
    return min(sizes)


def kept_limit() -> int:
    """Return the bytes that everything in `KEPT` may take together."""
    part = memory_limit() // KEPT_PART
    return min(MOST_KEPT, part) if _chosen is None else part


def peak_memory() -> int:
    """Return the most bytes of memory that this process has held at a time.

    Linux's `ru_maxrss` starts at what the parent held when it forked; the kernel's own mark of
    the address space does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


def hand_back() -> None:
    """Hand memory that was freed back to the system, where the C library does so when told."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class Keeper:
    """Values that can be made again; beyond a limit the least recently used are dropped.

    limit : bytes, asked for whenever a value is put in. Values are put in by any thread, with the
    size that whoever made them states.
    """

    def __init__(self, limit: Callable[[], int] = kept_limit) -> None:
        self._limit = limit
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self.size = 0  # bytes

    def get(self, key: Hashable) -> Any:
        """Return the value of a key, None where none is kept."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: object, size: int) -> None:
        """Keep a value of so many bytes, unless it is larger than the limit."""
        limit = self._limit()
        if size > limit:
            return
        with self._lock:
            if key in self._values:
                self.size -= self._values.pop(key)[1]
            self._values[key] = value, size
            self.size += size
            while self.size > limit:
                _key, (_value, freed) = self._values.popitem(last=False)
                self.size -= freed

    def of(self, key: Hashable, make: Callable[[], T], size: int) -> T:
        """Return the value of a key, made where none is kept: of threads that ask, by one."""
        found: T | None = self.get(key)
        if found is not None:
            return found
        with self._lock:
            own = self._making.setdefault(key, threading.Lock())
        with own:
            found = self.get(key)
            if found is None:
                found = make()
                self.put(key, found, size)
        with self._lock:
            self._making.pop(key, None)
        return found


KEPT = Keeper()  # one process, one limit


def require_memory(needed: float, subject: str) -> None:
    """Refuse what would take more than the limit; subject : what it is, and of which file.

    Raises InputError with both sizes.
    """
    if needed > memory_limit():
        raise InputError(f"{subject} must fit in {shown(memory_limit())} of memory "
                         f"(--max-memory), not take {shown(needed)}")


def shown(size: float) -> str:
    """Return a size in words: `1.5 GiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1024
    raise AssertionError


def add_memory_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Declare --max-memory, which holds for the whole process from when it is parsed."""
    parser.add_argument("--max-memory", type=_choose, metavar="SIZE",
                        help="memory that the command may take, such as 8G; what needs more is "
                        f"refused before it starts (default: {100 * SHARE:.0f} %% of the machine); "
                        f"a quarter of it, by default at most {shown(MOST_KEPT)}, is for results "
                        "that are kept to be used again")


def _choose(text: str) -> int:
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,3})?)([KMGT]?)(?:i?B)?", text, re.IGNORECASE)
    size = float(found[1]) * UNITS[found[2].upper()] if found else 0
    if size < UNITS["M"]:
        raise argparse.ArgumentTypeError(f"size must be at least 1M, such as 8G, not {text!r}")
    global _chosen  # noqa: PLW0603
    _chosen = int(size)
    return _chosen
