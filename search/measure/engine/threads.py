"""Tasks in threads of this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from search.measure.engine.base import IN_FLIGHT
from sim.kernels.jit.workers import Group

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, eq=False)
class Threads:
    """An `Engine` of so many threads."""

    width: int
    pool: ThreadPoolExecutor = field(repr=False)

    @property
    def processes(self) -> int:
        """One: the threads share what a process has."""
        return 1

    def held(self, make: Callable[[], T]) -> T:
        """Return the value itself."""
        return make()

    def each(self, label: str, work: Callable[..., T], calls: Iterable[tuple[Any, ...]], *,
             large: bool = False) -> Iterator[tuple[int, T]]:
        """Yield results as they are done; of large tasks in this thread, in order.

        label : for those who look at a cluster.
        """
        if large:
            yield from ((index, work(*call)) for index, call in enumerate(calls))
            return
        group, waiting = Group(), dict[Future[T], int]()

        def some() -> Iterator[tuple[int, T]]:
            done = wait(waiting, return_when=FIRST_COMPLETED).done
            for future in sorted(done, key=waiting.__getitem__):
                yield waiting.pop(future), future.result()

        try:
            for index, call in enumerate(calls):
                waiting[self.pool.submit(group.run, work, *call)] = index
                if len(waiting) >= IN_FLIGHT * self.width:
                    yield from some()
            while waiting:
                yield from some()
        finally:  # Python waits for its threads before it ends
            group.stopped = True
            for future in waiting:
                future.cancel()

    def processor_seconds(self) -> float:
        """Return nothing: all is done in this process."""
        return 0.0

    def summary(self) -> str:
        """Return nothing, likewise."""
        return ""

    def close(self) -> None:
        """Let the threads end, without what has not begun."""
        self.pool.shutdown(wait=False, cancel_futures=True)


def start_threads(width: int | None = None) -> Threads:
    """Return an engine of so many threads, by default one for each core.

    From here on the process computes its matrix products on one thread each: tasks keep all cores
    busy, and threads of theirs would only wait for each other.
    """
    threadpool_limits(limits=1, user_api="blas")
    width = width or os.cpu_count() or 1
    return Threads(width=width, pool=ThreadPoolExecutor(width))
