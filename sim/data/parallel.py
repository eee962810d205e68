"""The same work on many images, in threads: Pillow and NumPy release the interpreter lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from hw.common.progress import task
from sim.data.formats.pictures import strict

QUIET_BELOW = 512  # images that need no progress


def for_each(work: Callable[[int], None], count: int, *, label: str, threads: int | None = None,
             quiet: bool = False) -> None:
    """Call `work(0)` to `work(count - 1)`, each once, in any order.

    threads : default all cores. The error of the lowest index is raised, whatever came first.
    """
    with (strict(), task(label, count, quiet=quiet or count < QUIET_BELOW) as progress,
          ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool):
        for _ in pool.map(work, range(count)):  # cancels what has not begun on an error
            progress.advance()
