"""The convolution stack: every shape, every contender, interleaved, checked before it is timed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hw.common.errors import ToolError
from hw.common.progress import Task
from sim.bench.contenders.all import Factory
from sim.bench.machine import thread_limit
from sim.bench.problem import Contender, Job, Problem, is_right
from sim.bench.shapes import LayerShape
from sim.bench.timing import Spread, interleaved, loops_for, ratios

LONG_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contender with one number of threads.

    ns_per_mac : for each shape, in the order of the shapes, one value per round.
    bit_exact : every checked entry of every shape equalled the definition.
    """

    name: str
    label: str
    result: str
    threads: int
    sampled: bool
    bit_exact: bool
    ns_per_mac: tuple[tuple[float, ...], ...]

    @property
    def key(self) -> str:
        """Name and threads."""
        return f"{self.name}@{self.threads}"

    def stack_ns(self, shapes: Sequence[LayerShape]) -> list[float]:
        """Return nanoseconds per image of the whole stack, one value per round.

        Each shape counts as often as the network has it.
        """
        rounds = zip(*self.ns_per_mac, strict=True)
        return [sum(value * shape.macs * shape.count
                    for value, shape in zip(values, shapes, strict=True)) for values in rounds]

    def to_dict(self, shapes: Sequence[LayerShape]) -> dict[str, Any]:
        """Return the JSON form, the stack's figures beside the raw ones."""
        stack = self.stack_ns(shapes)
        macs = sum(shape.macs * shape.count for shape in shapes)
        return {"name": self.name, "label": self.label, "result": self.result,
                "threads": self.threads, "sampled": self.sampled, "bit_exact": self.bit_exact,
                "stack_ms": vars(Spread.of([1e-6 * value for value in stack])),
                "stack_ns_per_mac": vars(Spread.of([value / macs for value in stack])),
                "ns_per_mac": [list(values) for values in self.ns_per_mac]}


def make(names: Sequence[str], among: Mapping[str, tuple[str, Factory]]
         ) -> tuple[list[Contender], dict[str, str]]:
    """Return the contenders that can take part, and why the others cannot."""
    found, missing = [], {}
    for name in names:
        label, factory = among[name]
        try:
            found.append(factory(name, label))
        except ToolError as error:
            missing[name] = str(error)
    return found, missing


def measure(shapes: Sequence[LayerShape], contenders: Sequence[Contender],
            threads: Sequence[int], repeats: int, *, progress: Task,
            images: int | None = None) -> list[Row]:
    """Return a row per contender and number of threads.

    A contender that cannot use several threads runs with one. images : batch of every shape
    (default: what the shape asks for). `progress` advances once per shape.
    """
    entrants = [(contender, count) for contender in contenders
                for count in (sorted(set(threads)) if contender.parallel else (1,))]
    exact = [True] * len(entrants)
    values: list[list[tuple[float, ...]]] = [[] for _ in entrants]
    with thread_limit() as limit:
        for seed, shape in enumerate(shapes):
            problem = Problem.random(shape, seed=seed, images=images)
            jobs: list[Job] = []
            try:
                loops = {}
                for index, (contender, count) in enumerate(entrants):
                    limit(count)
                    jobs.append(contender.prepare(problem, count))
                    started = time.perf_counter()
                    output = jobs[index].run()
                    seconds = time.perf_counter() - started
                    exact[index] &= is_right(contender, problem, jobs[index], output)
                    if seconds < LONG_SECONDS:  # most of it may have been compiling
                        started = time.perf_counter()
                        jobs[index].run()
                        seconds = time.perf_counter() - started
                    loops[index] = loops_for(seconds)
                times = interleaved({index: job.run for index, job in enumerate(jobs)}, repeats,
                                    loops=loops, before=lambda index: limit(entrants[index][1]))
            finally:
                for job in jobs:
                    job.close()
            for index, job in enumerate(jobs):
                # Five digits are more than the clock gives, and stored runs stay small.
                values[index].append(tuple(float(f"{1e9 * seconds / job.macs:.5g}")
                                           for seconds in times[index]))
            progress.advance(note=shape.name)
    return [Row(name=contender.name, label=contender.label, result=contender.result,
                threads=count, sampled=contender.sampled, bit_exact=right, ns_per_mac=tuple(found))
            for (contender, count), right, found in zip(entrants, exact, values, strict=True)]


def relative(row: Row, baseline: Row, shapes: Sequence[LayerShape]) -> Spread:
    """Return how often the time of `baseline` the stack of `row` takes, within rounds."""
    return ratios(row.stack_ns(shapes), baseline.stack_ns(shapes))
