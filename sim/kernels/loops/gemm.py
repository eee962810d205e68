"""Exact matrix product of int16 operands in int32, a panel of rows by a tile of columns.

    out[m, n] = sum over k of values[m, k] * weights[k, n]    (mod 2**32)

`pmaddwd` multiplies pairs of int16 and adds them in int32; int32 sums wrap, and wrapping is
exact as long as the final sum fits. Unlike `pmaddubsw`, which multiplies twice as many bytes,
it does not saturate. The blocking is that of Goto and van de Geijn (ACM TOMS 34(3), 2008): a
panel's sums stay in registers while k runs.

Layouts, with PANEL = `cpu.panel_rows` and L = columns of a tile:

- values int16[panels, blocks, PANEL, 8]: eight values of k for each row of a panel;
- weights int16[blocks * 4, L, 2] per tile: pairs of k for each column.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.function import I16, I32, Compiled, Function, Value, int64

DEPTH = 8  # values of k in a block
PAIRS = DEPTH // 2


@cache
def gemm_tile(cpu: Cpu, lanes: int, *, add: bool) -> Compiled:
    """Return the product of all panels and a tile of columns.

    lanes : columns of the tile, `cpu.lanes` or half of it. add : to what `out` holds,
    int32[panels * PANEL, lanes].
    """
    function = Function("gemm", values=np.int16, weights=np.int16, out=np.int32, panels=int,
                        blocks=int)
    rows, kind = cpu.panel_rows, ir.VectorType(I32, cpu.vector_bytes // 4)
    vectors = lanes // kind.count
    multiply_add = _multiply_add(function, cpu)
    given, build = function.arguments, function.build

    def panel(index: Value) -> None:
        start = function.at(given.values, index, function.scaled(given.blocks, rows * DEPTH * 2))
        target = function.at(given.out, index, rows * lanes * 4)

        def block(number: Value, *totals: Value) -> list[Value]:
            row_values = function.at(start, number, rows * DEPTH * 2)
            block_weights = function.at(given.weights, number, DEPTH * lanes * 2)

            # One pair of k per round: unrolled, LLVM adds pairs first and runs out of registers.
            def pair(position: Value, *totals: Value) -> list[Value]:
                from_values = function.at(row_values, position, 4)
                from_weights = function.at(block_weights, position, lanes * 4)
                columns = [function.load(from_weights, vector * cpu.vector_bytes, kind, 16)
                           for vector in range(vectors)]
                new = list(totals)
                for row in range(rows):
                    both = function.repeated(
                        function.load(from_values, row * DEPTH * 2, I32, 4), kind)
                    for vector, column in enumerate(columns):
                        at = row * vectors + vector
                        new[at] = build.add(new[at], multiply_add(both, column))
                return new

            return function.loop(int64(PAIRS), pair, totals)

        totals = function.loop(given.blocks, block, [ir.Constant(kind, None)] * (rows * vectors))
        for at, total in enumerate(totals):
            offset = at * cpu.vector_bytes  # a row's vectors are neighbours
            before = function.load(target, offset, kind, 16) if add else None
            function.store(total if before is None else build.add(total, before), target, offset,
                           16)

    function.loop(given.panels, panel)
    return function.compile(cpu)


def gemm_reference(values: npt.NDArray[np.int16],
                   weights: npt.NDArray[np.int16]) -> npt.NDArray[np.int32]:
    """Return what `gemm_tile` puts into `out`, or adds to it."""
    rows = values.transpose(0, 2, 1, 3).reshape(values.shape[0] * values.shape[2], -1)
    columns = weights.transpose(0, 2, 1).reshape(-1, weights.shape[1])
    return (rows.astype(np.int64) @ columns.astype(np.int64)).astype(np.int32)


def _multiply_add(function: Function, cpu: Cpu) -> Callable[[Value, Value], Value]:
    """Return (a, b) -> a.low * b.low + a.high * b.high of the int16 halves of int32 vectors."""
    build = function.build
    count = cpu.vector_bytes // 4
    sums, halves = ir.VectorType(I32, count), ir.VectorType(I16, 2 * count)
    if cpu.x86:
        name = {64: "llvm.x86.avx512.pmaddw.d.512", 32: "llvm.x86.avx2.pmadd.wd",
                16: "llvm.x86.sse2.pmadd.wd"}[cpu.vector_bytes]
        instruction = function.external(name, sums, [halves, halves])
        return lambda a, b: build.call(instruction, [build.bitcast(a, halves),
                                                     build.bitcast(b, halves)])
    sixteen = ir.Constant(sums, [16] * count)

    def low(value: Value) -> Value:
        return build.ashr(build.shl(value, sixteen), sixteen)

    def high(value: Value) -> Value:
        return build.ashr(value, sixteen)

    return lambda a, b: build.add(build.mul(low(a), low(b)), build.mul(high(a), high(b)))
