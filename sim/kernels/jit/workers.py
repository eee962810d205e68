"""Threads that outlive a call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

_LOCAL = threading.local()

Result = TypeVar("Result")


class Group:
    """Jobs that run side by side. stopped : one of them failed, the others need not go on."""

    stopped = False

    def run(self, job: Callable[..., Result], *arguments: Any) -> Result:
        """Run a job in this thread as one of the group: `run_all` ends it once that is stopped."""
        _LOCAL.group = self
        try:
            return job(*arguments)
        finally:
            _LOCAL.group = None


class _StoppedError(Exception):
    """A job was given up because another one failed."""


def available(threads: int) -> int:
    """Return how many threads there are to use: one inside a job that has others beside it."""
    return threads if _group() is None else 1


def run_all(jobs: Iterable[Callable[[], None]], threads: int) -> None:
    """Run jobs that share nothing they write, on up to `threads` threads.

    Inside such a job, others run one after the other. An error or an interrupt of one ends all,
    at the next call of this function in each.
    """
    jobs = list(jobs)
    outer = _group()
    if outer is not None and outer.stopped:
        raise _StoppedError
    if available(threads) <= 1 or len(jobs) <= 1:
        for job in jobs:
            job()
        return
    group = Group()
    left = iter(jobs)  # of a list: its `next` is atomic

    def work() -> None:
        try:
            for job in left:
                if group.stopped:
                    return
                group.run(job)
        except BaseException:
            group.stopped = True
            raise

    helpers = [_pool(threads).submit(work) for _ in range(min(threads, len(jobs)) - 1)]
    failures: list[BaseException | None] = []
    try:
        work()  # this thread is one of them
    except BaseException as error:
        failures.append(error)
    # A helper that has not begun has nothing left to do.
    failures += [helper.exception() for helper in helpers if not helper.cancel()]
    for failure in failures:
        if failure is not None and not isinstance(failure, _StoppedError):
            raise failure


def _group() -> Group | None:
    return getattr(_LOCAL, "group", None)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="kernel")


def shares(count: int, parts: int, unit: int) -> list[tuple[int, int]]:
    """Cut `count` rows into up to `parts` ranges of whole units."""
    units = -(-count // unit)
    size = max(-(-units // parts), 1) * unit
    return [(first, min(first + size, count)) for first in range(0, count, size)]
