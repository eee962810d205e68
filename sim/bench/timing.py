"""Interleaved timing: every round runs all contenders once, so that they share its noise."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MIN_SECONDS = 0.02  # a shorter run is repeated within its round until it takes this long
MAX_LOOPS = 1000


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Median and quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of `values`, at least one."""
        low, median, high = np.percentile(values, [25, 50, 75])
        return cls(median=float(median), low=float(low), high=float(high))

    def __str__(self) -> str:
        digits = ".3g" if self.median < 1000 else ",.0f"
        return (f"{format(self.median, digits)} [{format(self.low, digits)}, "
                f"{format(self.high, digits)}]")


def ratios(times: Sequence[float], baseline: Sequence[float]) -> Spread:
    """Return the spread of the ratios within each round."""
    return Spread.of([time / base for time, base in zip(times, baseline, strict=True)])


def loops_for(seconds: float) -> int:
    """Return how often to run what takes `seconds`, so that clock and start do not matter."""
    return max(1, min(MAX_LOOPS, round(MIN_SECONDS / max(seconds, 1e-9))))


def interleaved(jobs: Mapping[Any, Callable[[], Any]], repeats: int, *,
                loops: Mapping[Any, int], before: Callable[[Any], None] = lambda _key: None,
                clock: Callable[[], float] = time.perf_counter) -> dict[Any, list[float]]:
    """Return seconds per run of every job in every round, A B C A B C ...

    loops : runs of a job in a round. before : called with the key ahead of its job, untimed.
    """
    times: dict[Any, list[float]] = {key: [] for key in jobs}
    for _ in range(repeats):
        for key, run in jobs.items():
            before(key)
            started = clock()
            for _ in range(loops[key]):
                run()
            times[key].append((clock() - started) / loops[key])
    return times
