"""Where finished sums go."""

from __future__ import annotations

from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.cpu import Cpu, this_cpu
from sim.kernels.machine_code import I32, Compiled, Function, Value, int64
from sim.kernels.script import Script, address

Int32 = npt.NDArray[np.int32]
LANES = 8  # copied at a time
WHOLE = 16  # sinks read so many columns at a time


class Tile(Protocol):
    """Takes the sums of some columns."""

    def write(self, script: Script, sums: int, *, first: int, count: int) -> None:
        """Add the calls that take the rows from `first` on to the job at hand.

        sums : address of int32[count, lanes]; sixteen lanes may be read from any of them on.
        """


class Sink(Protocol):
    """Takes sums tile by tile, from several threads, each element once."""

    def tile(self, column: int, offsets: Int32) -> Tile:
        """Return what takes `sums[m, n] + offsets[n]` as the columns from `column` on.

        offsets : int32[lanes]; lanes beyond the last column are to be dropped.
        """


def put(sink: Sink, sums: Int32) -> None:
    """Give a sink all of its sums int32[m, n] at once."""
    m, n = sums.shape
    padded = np.zeros((m, -(-n // WHOLE) * WHOLE), np.int32)
    padded[:, :n] = sums
    tile = sink.tile(0, np.zeros(padded.shape[1], np.int32))
    script = Script()
    script.job()
    tile.write(script, address(padded), first=0, count=m)
    script.run(1)


class Matrix:
    """Sums as a matrix int32[m, n]: `values`."""

    def __init__(self, m: int, n: int) -> None:
        self.values = np.empty((m, n), np.int32)

    def tile(self, column: int, offsets: Int32) -> Tile:
        """See `Sink`."""
        return _Columns(self.values[:, column:], offsets)


class _Columns:
    """Columns of a matrix."""

    def __init__(self, out: Int32, offsets: Int32) -> None:
        self._out, self._offsets = out, offsets
        self._places = address(out), address(offsets)

    def write(self, script: Script, sums: int, *, first: int, count: int) -> None:
        """See `Tile`."""
        (out, offsets), row_bytes = self._places, self._out.strides[0]
        script.keep(self)
        script.call(_add_columns(this_cpu()), sums, self._offsets.nbytes, offsets,
                    out + first * row_bytes, row_bytes, count,
                    min(len(self._offsets), self._out.shape[1]))


@cache
def _add_columns(cpu: Cpu) -> Compiled:
    """Return `f(sums, row_bytes, columns, out, out_row_bytes, rows, width)`."""
    function = Function("add_columns", 7)
    sums, row_bytes, columns, out, out_row_bytes, rows, width = function.arguments
    build = function.build
    whole = build.udiv(width, int64(LANES))

    def row(index: Value) -> None:
        source = function.add(sums, function.scaled(index, row_bytes))
        target = function.add(out, function.scaled(index, out_row_bytes))

        def copy(at: Value, kind: ir.Type) -> None:
            total = build.add(function.load(function.add(source, at), 0, kind, 4),
                              function.load(function.add(columns, at), 0, kind, 4))
            function.store(total, function.add(target, at), 0, 4)

        function.loop(whole, lambda part: copy(function.scaled(part, 4 * LANES),
                                               ir.VectorType(I32, LANES)))
        done = function.scaled(whole, LANES)
        function.loop(build.sub(width, done), lambda lane: copy(
            function.scaled(function.add(done, lane), 4), I32))

    function.loop(rows, row)
    return function.compile(cpu)
