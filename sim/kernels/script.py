"""Calls of compiled functions, written down first and then run without the interpreter.

A call costs Python tens of microseconds, and while one thread spends them no other can. So jobs
are written into memory as calls, each a few words; threads then take one job after the other from
the same list, until there are none: one call of `walk` for each thread and list. Where jobs need
what others wrote they wait for them there, spinning: to put a thread to sleep and wake it again
costs more than many a job.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.cpu import Cpu, this_cpu
from sim.kernels.machine_code import ENTRY, I32, I64, Compiled, Function, Value, int64
from sim.kernels.workers import available, run_all, workspace

LINE = 64  # bytes
PATIENCE = 1000  # looks, some 40 us, before a waiting thread lets others run


class Own(int):
    """A place in the scratch, as an argument of a call: bytes from its start."""


class Script:
    """Jobs, each a sequence of calls; between barriers jobs share nothing that they write.

    Every thread has scratch memory of its own, which a job finds as the one before left it.
    """

    def __init__(self) -> None:
        self._scratch_bytes = 0
        self._words: list[int] = []
        self._own: list[int] = []  # words that are places in the scratch
        self._starts: list[int] = []
        self._needed: list[int] = []  # of each job, how many from the first on must be done
        self._phase = 0  # first job since the barrier
        self._kept: list[Any] = []

    def keep(self, *arrays: Any) -> None:
        """Hold on to what calls have addresses of."""
        self._kept += arrays

    def scratch(self, size: int) -> Own:
        """Return the place of `size` bytes more of scratch, aligned to 64."""
        place = Own(self._scratch_bytes)
        self._scratch_bytes += -(-size // LINE) * LINE
        return place

    def job(self) -> None:
        """Begin the next job."""
        self._starts.append(len(self._words))
        self._needed.append(self._phase)
        self._words.append(0)

    def barrier(self) -> None:
        """Let what follows wait until all jobs before are done."""
        self._phase = len(self._starts)

    def call(self, function: Compiled, *arguments: int) -> None:
        """Add a call to the job."""
        if len(arguments) != function.arity:
            raise ValueError(f"A call must have {function.arity} arguments, not {len(arguments)}")
        first = len(self._words) + 2
        self._own += [first + index for index, argument in enumerate(arguments)
                      if type(argument) is Own]
        self._words += (function.entry, len(arguments), *arguments)
        self._words[self._starts[-1]] += 1
        self.keep(function)  # words do not keep its code alive

    def run(self, threads: int) -> None:
        """Run all jobs, begun in order, and forget them and their scratch."""
        if not self._starts:
            return
        threads = available(threads)
        words = np.array(self._words, np.int64)
        jobs = np.stack([np.array(self._starts, np.int64) * words.itemsize,
                         np.array(self._needed, np.int64)], axis=1)
        counters = np.zeros(2 * LINE // 8, np.int64)  # each in a line of its own
        walk = walker(this_cpu())
        calls = []
        for thread in range(min(threads, len(jobs))):
            own = words.copy()
            own[self._own] += workspace(f"scratch {thread}", (self._scratch_bytes,),
                                        np.uint8).ctypes.data
            self.keep(own)
            calls.append(partial(walk, own.ctypes.data, jobs.ctypes.data, len(jobs),
                                 counters.ctypes.data))
        run_all(calls, threads)
        self._words, self._own, self._starts, self._needed, self._kept = [], [], [], [], []
        self._phase = self._scratch_bytes = 0


@cache
def walker(cpu: Cpu) -> Compiled:
    """Return `f(words, jobs, count, counters)`: run jobs until none is left to be taken.

    Addresses. Of a job, from its start: its calls, and for each the entry, the number of its
    arguments and these. jobs int64[count, 2]: start in bytes, and how many of the first jobs must
    be done. counters, shared by the threads, a line apart: jobs taken, jobs done. Jobs are taken
    in order, so whoever waits waits for jobs that others run.
    """
    function = Function("walk", 4)
    words, jobs, count, counters = function.arguments
    build = function.build
    taken = build.inttoptr(counters, I64.as_pointer())
    done = build.inttoptr(function.add(counters, int64(LINE)), I64.as_pointer())
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
        with build.if_then(build.icmp_signed("<", job, count)):
            entry = function.add(jobs, function.scaled(job, 16))
            at = function.add(words, function.load(entry, 0, I64, 8))
            wait(function.load(entry, 8, I64, 8))

            def call(_index: Value, at: Value) -> Sequence[Value]:
                entry = build.inttoptr(function.load(at, 0, I64, 8), ENTRY.as_pointer())
                build.call(entry, [function.add(at, int64(16))])
                return [function.add(at, int64(16), function.scaled(
                    function.load(at, 8, I64, 8), 8))]

            function.loop(function.load(at, 0, I64, 8), call, [function.add(at, int64(8))])
            build.atomic_rmw("add", done, int64(1), "release")

    function.loop(count, take)
    return function.compile(cpu)


def address(array: npt.NDArray[Any]) -> int:
    """Return where an array begins."""
    return array.ctypes.data


