"""How much memory one command may take, so that too much is refused before it is allocated."""

from __future__ import annotations

import argparse
import os
import re
from functools import cache
from pathlib import Path

from hw.common.errors import InputError

SHARE = 0.75  # of the machine, by default
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_GROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_chosen: int | None = None  # by --max-memory: one process, one limit


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
                        f"refused before it starts (default: {100 * SHARE:.0f} %% of the machine)")


def _choose(text: str) -> int:
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,3})?)([KMGT]?)(?:i?B)?", text, re.IGNORECASE)
    size = float(found[1]) * UNITS[found[2].upper()] if found else 0
    if size < UNITS["M"]:
        raise argparse.ArgumentTypeError(f"size must be at least 1M, such as 8G, not {text!r}")
    global _chosen  # noqa: PLW0603
    _chosen = int(size)
    return _chosen
