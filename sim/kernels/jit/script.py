"""Calls of compiled functions, written down first and then run without the interpreter.

A call costs Python tens of microseconds, and while one thread spends them no other can. So jobs
are written into memory as calls, each a few words; threads then take one job after the other from
the same list, until there are none: one call of `walk` for each thread and list. Where jobs need
what others wrote they wait for them there, spinning: to put a thread to sleep and wake it again
costs more than many a job.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import numpy as np
from llvmlite import ir

from sim.kernels.jit.arena import LINE, Arena
from sim.kernels.jit.cpu import Cpu, this_cpu
from sim.kernels.jit.function import ENTRY, I32, I64, Compiled, Function, Value, int64
from sim.kernels.jit.handle import Handle
from sim.kernels.jit.signature import Argument
from sim.kernels.jit.workers import available, run_all

PATIENCE = 1000  # looks, some 40 us, before a waiting thread lets others run
SCRATCH = -2**62  # where scratch begins, as long as no thread has any: no address
Watch = Callable[[Compiled, list[int]], None]
_LOCAL = threading.local()


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Hand the calls of this thread's scripts to `watch`, which runs them, one after the other."""
    _LOCAL.watch = watch
    try:
        yield
    finally:
        _LOCAL.watch = None


class Script:
    """Jobs, each a sequence of calls; between barriers jobs share nothing that they write.

    Every thread has scratch of its own, lent by `arena`, which a job finds as the one before left
    it. What handles are of lives until the calls have run.
    """

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self._scratch_bytes = self._phase = 0  # first job since the barrier
        self._words: list[int] = []
        self._jobs: list[int] = []  # two of each, see `walk`
        self._calls: list[tuple[Compiled, Mapping[str, Argument]]] = []

    def scratch(self, rows: int, columns: int, kind: Any) -> Handle:
        """Return more scratch, which begins a cache line; another one after it may be read."""
        dtype, place = np.dtype(kind), SCRATCH + self._scratch_bytes
        row_bytes = columns * dtype.itemsize
        self._scratch_bytes += (-(-rows * row_bytes // LINE) + 1) * LINE
        return Handle(place, dtype, (rows, columns), (row_bytes, dtype.itemsize), None)

    def job(self) -> None:
        """Begin the next job."""
        self._jobs += (len(self._words) * 8, self._phase)
        self._words.append(0)

    def barrier(self) -> None:
        """Let what follows wait until all jobs before are done."""
        self._phase = len(self._jobs) // 2

    def call(self, function: Compiled, **arguments: Argument) -> None:
        """Add a call to the job; TypeError where it is not as declared."""
        words = function.signature.words(arguments)
        self._words += (function.entry, len(words), *words)
        self._words[self._jobs[-2] // 8] += 1
        self._calls.append((function, arguments))

    def run(self, threads: int) -> None:
        """Run all jobs, begun in order, and forget them and their scratch."""
        watch: Watch | None = getattr(_LOCAL, "watch", None)
        if watch is not None:
            self._watched(watch)
        elif self._jobs:
            self._walk(available(threads))
        self._words, self._jobs, self._calls = [], [], []
        self._scratch_bytes = self._phase = 0

    def _watched(self, watch: Watch) -> None:
        with self.arena as arena:
            moved = Handle.of(arena.take((self._scratch_bytes,), np.uint8)).address - SCRATCH
            for function, arguments in self._calls:
                watch(function, [word + moved if word < SCRATCH // 2 else word
                                 for word in function.signature.words(arguments)])

    def _walk(self, threads: int) -> None:
        words, jobs = np.array(self._words, np.int64), np.array(self._jobs, np.int64)
        in_scratch = words < SCRATCH // 2
        counters = np.zeros(2 * LINE // 8, np.int64)  # each in a line of its own
        count = len(jobs) // 2
        given: dict[str, Argument] = {"jobs": Handle.of(jobs), "count": count,
                                      "counters": Handle.of(counters)}
        calls = []
        with self.arena as arena:
            # At once: memory that grows for the second would leave the first with none.
            scratch = Handle.of(arena.take((min(threads, count), self._scratch_bytes), np.uint8))
            for thread in range(scratch.shape[0]):
                own = words.copy()
                own[in_scratch] += scratch.skip(thread).address - SCRATCH
                calls.append(partial(walk(this_cpu()), words=Handle.of(own), **given))
            run_all(calls, threads)


@cache
def walk(cpu: Cpu) -> Compiled:
    """Return the function that runs jobs until none is left to be taken.

    words : of a job, from its start: its calls, and for each the entry, the number of its
    arguments and these. jobs : int64[count, 2], start in bytes, and how many of the first jobs
    must be done. counters : shared by the threads, a line apart: jobs taken, jobs done. Jobs are
    taken in order, so whoever waits waits for jobs that others run.
    """
    function = Function("walk", words=np.int64, jobs=np.int64, count=int, counters=np.int64)
    given, build = function.arguments, function.build
    taken = build.inttoptr(given.counters, I64.as_pointer())
    done = build.inttoptr(function.add(given.counters, int64(LINE)), I64.as_pointer())
    pause = function.external("llvm.x86.sse2.pause", ir.VoidType(), []) if cpu.x86 else None
    give_way = function.external("sched_yield", I32, [])

    def wait(needed: Value) -> None:
        def missing(_looks: Value) -> Value:
            return build.icmp_signed("<", build.load_atomic(done, "acquire", 8), needed)

        def spin(looks: Value) -> Sequence[Value]:
            if pause is not None:
                build.call(pause, [])
            with build.if_then(build.icmp_signed(">", looks, int64(PATIENCE))):
                build.call(give_way, [])  # with more threads than cores, who is awaited may wait
            return [build.add(looks, int64(1))]

        function.repeat(missing, spin, [int64(0)])

    def take(_index: Value) -> None:
        job = build.atomic_rmw("add", taken, int64(1), "monotonic")
        with build.if_then(build.icmp_signed("<", job, given.count)):
            entry = function.at(given.jobs, job, 16)
            at = function.add(given.words, function.load(entry, 0, I64, 8))
            wait(function.load(entry, 8, I64, 8))

            def call(_index: Value, at: Value) -> Sequence[Value]:
                entry = build.inttoptr(function.load(at, 0, I64, 8), ENTRY.as_pointer())
                build.call(entry, [function.add(at, int64(16))])
                return [function.add(at, int64(16), function.scaled(
                    function.load(at, 8, I64, 8), 8))]

            function.loop(function.load(at, 0, I64, 8), call, [function.add(at, int64(8))])
            build.atomic_rmw("add", done, int64(1), "release")

    function.loop(given.count, take)
    return function.compile(cpu)
