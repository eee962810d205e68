"""Calls of compiled functions, written down first and then run without the interpreter.

A call costs Python tens of microseconds, and while one thread spends them no other can. So jobs
are written into memory as calls, each a few words; threads then take one job after the other from
the same list, until there are none: one call of `walk` for each thread and list.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.kernels.cpu import Cpu, this_cpu
from sim.kernels.machine_code import ENTRY, I64, Compiled, Function, Value, int64
from sim.kernels.workers import available, run_all, workspace

LINE = 64  # bytes


class Own(int):
    """A place in the scratch, as an argument of a call: bytes from its start."""


class Script:
    """Jobs, each a sequence of calls; jobs share nothing that they write.

    Every thread has scratch memory of its own, which a job finds as the one before left it.
    """

    def __init__(self) -> None:
        self._scratch_bytes = 0
        self._words: list[int] = []
        self._own: list[int] = []  # words that are places in the scratch
        self._starts: list[int] = []
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
        self._words.append(0)

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
        """Run all jobs, in order where there is one thread, and forget them."""
        if not self._starts:
            return
        threads = available(threads)
        words = np.array(self._words, np.int64)
        starts = np.array(self._starts, np.int64) * words.itemsize
        taken = np.zeros(1, np.int64)
        walk = walker(this_cpu())
        calls = []
        for thread in range(min(threads, len(starts))):
            own = words.copy()
            own[self._own] += workspace(f"scratch {thread}", (self._scratch_bytes,),
                                        np.uint8).ctypes.data
            self.keep(own)
            calls.append(partial(walk, own.ctypes.data, starts.ctypes.data, len(starts),
                                 taken.ctypes.data))
        run_all(calls, threads)
        self._words, self._own, self._starts, self._kept = [], [], [], []


@cache
def walker(cpu: Cpu) -> Compiled:
    """Return `f(words, starts, jobs, taken)`: run jobs until `taken` says that none is left.

    Addresses. Of a job, from its start: its calls, and for each the entry, the number of its
    arguments and these. starts int64[jobs], in bytes; taken int64, shared by the threads.
    """
    function = Function("walk", 4)
    words, starts, jobs, taken = function.arguments
    build = function.build
    counter = build.inttoptr(taken, I64.as_pointer())

    def take(_index: Value) -> None:
        job = build.atomic_rmw("add", counter, int64(1), "monotonic")
        with build.if_then(build.icmp_signed("<", job, jobs)):
            start = function.load(function.add(starts, function.scaled(job, 8)), 0, I64, 8)
            at = function.add(words, start)

            def call(_index: Value, at: Value) -> Sequence[Value]:
                entry = build.inttoptr(function.load(at, 0, I64, 8), ENTRY.as_pointer())
                build.call(entry, [function.add(at, int64(16))])
                return [function.add(at, int64(16), function.scaled(
                    function.load(at, 8, I64, 8), 8))]

            function.loop(function.load(at, 0, I64, 8), call, [function.add(at, int64(8))])

    function.loop(jobs, take)
    return function.compile(cpu)


def address(array: npt.NDArray[Any]) -> int:
    """Return where an array begins."""
    return array.ctypes.data


