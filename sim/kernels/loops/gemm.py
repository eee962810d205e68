"""Exact matrix product of small operands in int32, a panel of rows by a tile of columns.

    out[m, n] = sum over k of values[m, k] * weights[k, n]    (mod 2**32)

`pmaddwd` multiplies pairs of int16 and adds them in int32; int32 sums wrap, and wrapping is
exact as long as the final sum fits. Unlike `pmaddubsw`, which multiplies twice as many bytes,
it does not saturate. Nor does `vpdpbusd` (VNNI), which adds four products of uint8 and int8: twice
as fast, where operands are bytes. The blocking is that of Goto and van de Geijn (ACM TOMS 34(3),
2008): a panel's sums stay in registers while k runs.

Layouts, with PANEL = `cpu.panel_rows` and L = columns of a tile:

- values int16[panels, blocks, PANEL, 8]: eight values of k for each row of a panel;
- weights int16[blocks * 4, L, 2] per tile: pairs of k for each column;
- of bytes: values uint8[panels, blocks, PANEL, 8], weights int8[blocks * 2, L, 4].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.function import I8, I16, I32, Compiled, Function, Value, int64

DEPTH = 8  # values of k in a block


@cache
def gemm_tile(cpu: Cpu, lanes: int, *, add: bool, narrow: bool = False) -> Compiled:
    """Return the product of all panels and a tile of columns.

    lanes : columns of the tile, `cpu.lanes` or half of it. add : to what `out` holds,
    int32[panels * PANEL, lanes]. narrow : of bytes; for CPUs with `vnni`.
    """
    left, right = (np.uint8, np.int8) if narrow else (np.int16, np.int16)
    function = Function("gemm", values=left, weights=right, out=np.int32, panels=int, blocks=int)
    block_bytes = DEPTH * np.dtype(left).itemsize  # of a row, or of a column
    rows, kind = cpu.panel_rows, ir.VectorType(I32, cpu.vector_bytes // 4)
    vectors = lanes // kind.count
    multiply_add = (_four_bytes if narrow else _pairs)(function, cpu)
    given, build = function.arguments, function.build

    def panel(index: Value) -> None:
        start = function.at(given.values, index, function.scaled(given.blocks, rows * block_bytes))
        target = function.at(given.out, index, rows * lanes * 4)

        def block(number: Value, *totals: Value) -> list[Value]:
            row_values = function.at(start, number, rows * block_bytes)
            block_weights = function.at(given.weights, number, lanes * block_bytes)

            # Four bytes per round: unrolled, LLVM adds products first and runs out of registers.
            def four(position: Value, *totals: Value) -> list[Value]:
                from_values = function.at(row_values, position, 4)
                from_weights = function.at(block_weights, position, lanes * 4)
                columns = [function.load(from_weights, vector * cpu.vector_bytes, kind, 16)
                           for vector in range(vectors)]
                new = list(totals)
                for row in range(rows):
                    value = function.repeated(
                        function.load(from_values, row * block_bytes, I32, 4), kind)
                    for vector, column in enumerate(columns):
                        at = row * vectors + vector
                        new[at] = multiply_add(new[at], value, column)
                return new

            return function.loop(int64(block_bytes // 4), four, totals)

        totals = function.loop(given.blocks, block, [ir.Constant(kind, None)] * (rows * vectors))
        for at, total in enumerate(totals):
            offset = at * cpu.vector_bytes  # a row's vectors are neighbours
            before = function.load(target, offset, kind, 16) if add else None
            function.store(total if before is None else build.add(total, before), target, offset,
                           16)

    function.loop(given.panels, panel)
    return function.compile(cpu)


def gemm_reference(values: npt.NDArray[np.integer],
                   weights: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """Return what `gemm_tile` puts into `out`, or adds to it."""
    rows = values.transpose(0, 2, 1, 3).reshape(values.shape[0] * values.shape[2], -1)
    columns = weights.transpose(0, 2, 1).reshape(-1, weights.shape[1])
    return (rows.astype(np.int64) @ columns.astype(np.int64)).astype(np.int32)


MultiplyAdd = Callable[[Value, Value, Value], Value]


def _four_bytes(function: Function, cpu: Cpu) -> MultiplyAdd:
    """Return (sum, a, b) -> sum + the products of the four uint8 of a and the int8 of b."""
    sums, bytes_of = (ir.VectorType(kind, cpu.vector_bytes * 8 // kind.width) for kind in (I32, I8))
    instruction = function.external("llvm.x86.avx512.vpdpbusd.512", sums,
                                    [sums, bytes_of, bytes_of])
    return lambda total, a, b: function.build.call(instruction, [
        total, function.build.bitcast(a, bytes_of), function.build.bitcast(b, bytes_of)])


def _pairs(function: Function, cpu: Cpu) -> MultiplyAdd:
    """Return (sum, a, b) -> sum + the products of the two int16 of a and of b."""
    build = function.build
    count = cpu.vector_bytes // 4
    sums, halves = ir.VectorType(I32, count), ir.VectorType(I16, 2 * count)
    if cpu.x86:
        name = {64: "llvm.x86.avx512.pmaddw.d.512", 32: "llvm.x86.avx2.pmadd.wd",
                16: "llvm.x86.sse2.pmadd.wd"}[cpu.vector_bytes]
        instruction = function.external(name, sums, [halves, halves])
        return lambda total, a, b: build.add(total, build.call(instruction, [
            build.bitcast(a, halves), build.bitcast(b, halves)]))
    sixteen = ir.Constant(sums, [16] * count)

    def low(value: Value) -> Value:
        return build.ashr(build.shl(value, sixteen), sixteen)

    def high(value: Value) -> Value:
        return build.ashr(value, sixteen)

    return lambda total, a, b: build.add(total, build.add(
        build.mul(low(a), low(b)), build.mul(high(a), high(b))))
