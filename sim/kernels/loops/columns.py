"""Sums copied out of a tile, with an offset added to each column."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.function import I32, Compiled, Function, Value, int64

Int32 = npt.NDArray[np.int32]
LANES = 8  # copied at a time


@cache
def add_columns(cpu: Cpu) -> Compiled:
    """Return what writes `out[m, n] = sums[m, n] + columns[n]`, int32[rows, width].

    row_bytes, out_row_bytes : from a row to the next.
    """
    function = Function("add_columns", sums=np.int32, row_bytes=int, columns=np.int32,
                        out=np.int32, out_row_bytes=int, rows=int, width=int)
    given, build = function.arguments, function.build
    whole = build.udiv(given.width, int64(LANES))

    def row(index: Value) -> None:
        source = function.at(given.sums, index, given.row_bytes)
        target = function.at(given.out, index, given.out_row_bytes)

        def copy(at: Value, kind: ir.Type) -> None:
            total = build.add(function.load(function.add(source, at), 0, kind, 4),
                              function.load(function.add(given.columns, at), 0, kind, 4))
            function.store(total, function.add(target, at), 0, 4)

        function.loop(whole, lambda part: copy(function.scaled(part, 4 * LANES),
                                               ir.VectorType(I32, LANES)))
        done = function.scaled(whole, LANES)
        function.loop(build.sub(given.width, done), lambda lane: copy(
            function.scaled(function.add(done, lane), 4), I32))

    function.loop(given.rows, row)
    return function.compile(cpu)


def add_columns_reference(sums: Int32, columns: Int32) -> Int32:
    """Return what `add_columns` puts into `out`."""
    return sums + columns
