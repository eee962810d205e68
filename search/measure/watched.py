"""What is told and timed around the stages: progress on stderr, and clocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hw.common.memory import hand_back
from hw.common.progress import Task, task
from search.measure.designs import Measure, Measured

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Tells of stages; quiet : it tells nothing.

    of : what is said after a label for each network of the workload, such as ` of NAME`.
    processor_seconds : label -> what it took so far, all threads together. spent : the processor
    seconds of all that works on the run.
    """

    of: Sequence[str] = ("",)
    quiet: bool = True
    processor_seconds: dict[str, float] = field(default_factory=dict)
    spent: Callable[[], float] = time.process_time

    @contextmanager
    def task(self, label: str, steps: int, *, at_most: bool = False) -> Iterator[Task]:
        """Tell of something that is done once, and what the progress handed out counts.

        at_most : it may end before so many steps.
        """
        started = self.spent()
        with task(label, steps, quiet=self.quiet, at_most=at_most) as progress:
            yield progress
        hand_back()  # else what it freed in between what is kept would stay with the process
        self.processor_seconds[label] = (self.processor_seconds.get(label, 0.0)
                                         + self.spent() - started)

    def each(self, label: str, steps: Sequence[int], stage: Callable[..., T],
             *records: Sequence[Any]) -> tuple[T, ...]:
        """Return what a stage makes of each network's records and of the progress it is handed.

        steps : of each network, what the progress counts.
        """
        found = list[T]()
        for suffix, total, *own in zip(self.of, steps, *records, strict=True):
            with self.task(label + suffix, total) as progress:
                found.append(stage(*own, progress))
        return tuple(found)


def timed(measure: Measure) -> Measure:
    """Return `measure`, whose answers say what they took: equal parts of the whole."""
    def measured(mappings: Sequence[Mapping[str, str]]) -> list[Measured]:
        started = time.perf_counter()
        answers = measure(mappings)
        seconds = (time.perf_counter() - started) / len(mappings)
        return [answer._replace(seconds=seconds) for answer in answers]

    return measured


def stopwatch(measure: Measure) -> tuple[Measure, Callable[[], float]]:
    """Return `measure`, and what tells the seconds since now that were not spent on it."""
    started, waited = time.perf_counter(), 0.0

    def measured(mappings: Sequence[Mapping[str, str]]) -> Sequence[Measured]:
        nonlocal waited
        before = time.perf_counter()
        answers = measure(mappings)
        waited += time.perf_counter() - before
        return answers

    return measured, lambda: time.perf_counter() - started - waited
