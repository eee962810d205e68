"""Threads that outlive a call, and memory that each of them keeps.

Memory that is handed back to the system after every layer costs more in page faults than many
layers cost in arithmetic.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.kernels.machine_code import aligned

_LOCAL = threading.local()


def run_all(jobs: Iterable[Callable[[], None]], threads: int) -> None:
    """Run jobs that share nothing they write, on up to `threads` threads."""
    jobs = list(jobs)
    left = iter(jobs)  # of a list: its `next` is atomic

    def work() -> None:
        for job in left:
            job()

    helpers = [_pool(threads).submit(work) for _ in range(min(threads, len(jobs)) - 1)]
    try:
        work()  # this thread is one of them
    finally:
        # A helper that has not begun has nothing left to do; an error of another is raised here.
        for helper in helpers:
            if not helper.cancel():
                helper.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="kernel")


def workspace(name: str, shape: tuple[int, ...], kind: Any) -> npt.NDArray[Any]:
    """Return memory of this thread, aligned to 64 bytes, holding what the last use left.

    Zeros where the last use of `name` left zeros. It is lent until the next call with the name.
    """
    kept = _LOCAL.__dict__
    size = math.prod(shape) * np.dtype(kind).itemsize
    if name not in kept or kept[name].size < size:
        kept[name] = aligned((size,), np.uint8)
    return np.ndarray(shape, kind, kept[name])


def shares(count: int, parts: int, unit: int) -> list[tuple[int, int]]:
    """Cut `count` rows into up to `parts` ranges of whole units."""
    units = -(-count // unit)
    size = -(-units // parts) * unit
    return [(first, min(first + size, count)) for first in range(0, count, size)]
