"""Gathered rows in the order in which the compiled loops read them, eight terms at a time.

A block of eight terms of a row is eight neighbours in the source, at `row offset + block offset`.
For GEMM bytes are turned into int16 on the way; int16 sources, whose codes were looked up before,
are copied.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.function import I8, I16, I64, Compiled, Function, Value, int64
from sim.kernels.loops.rowadd import DEPTH, UNIT

Int64 = npt.NDArray[np.int64]
Source = npt.NDArray[np.uint8 | np.int16]
ROWS = 64  # their lines of the source stay in L1 while neighbouring blocks read them


@cache
def rows_to_panels(cpu: Cpu, *, from_bytes: bool) -> Compiled:
    """Return what gathers whole panels of rows, for `sim.kernels.loops.gemm`.

    row_offsets : int64[panels * panel rows]; block_offsets : int64[blocks], both in bytes. out :
    int16[panels, blocks, panel rows, 8]. Bytes become (byte ^ sign_bit) - zero_point.
    """
    function = Function(
        "rows_to_panels", source=np.uint8 if from_bytes else np.int16, row_offsets=np.int64,
        block_offsets=np.int64, out=np.int16, panels=int, blocks=int, sign_bit=int, zero_point=int)
    given, build, rows = function.arguments, function.build, cpu.panel_rows
    signs, zeros = (_eight_times(function, given.sign_bit, I8),
                    _eight_times(function, given.zero_point, I16))

    def panel(index: Value) -> None:
        offsets_at = function.at(given.row_offsets, index, rows * 8)
        starts = [function.add(given.source, function.load(offsets_at, 8 * row, I64, 8))
                  for row in range(rows)]
        target = function.at(given.out, index, function.scaled(given.blocks, rows * 16))

        def block(number: Value) -> None:
            offset = function.load(function.at(given.block_offsets, number, 8), 0, I64, 8)
            to = function.at(target, number, rows * 16)
            for row, start in enumerate(starts):
                value = _eight(function, function.add(start, offset), from_bytes, signs)
                function.store(build.sub(value, zeros) if from_bytes else value, to, row * 16, 16)

        function.loop(given.blocks, block)

    function.loop(given.panels, panel)
    return function.compile(cpu)


def rows_to_panels_reference(source: Source, row_offsets: Int64, block_offsets: Int64, rows: int,
                             sign_bit: int, zero_point: int) -> npt.NDArray[np.int16]:
    """Return what `rows_to_panels` puts into `out`; rows : of a panel."""
    values = _eights(source, row_offsets, block_offsets)
    if source.dtype == np.uint8:
        values = (values ^ sign_bit) - zero_point
    return values.reshape(-1, rows, *values.shape[1:]).swapaxes(1, 2).astype(np.int16)


@cache
def rows_to_blocks(cpu: Cpu) -> Compiled:
    """Return what gathers rows for `sim.kernels.loops.rowadd`.

    row_offsets : int64[rows]; unit_offsets : int64[units], both in bytes. out : uint8, two units
    of eight terms of a row together, rows of a block in order, blocks `block_bytes` apart.
    """
    function = Function(
        "rows_to_blocks", source=np.uint8, row_offsets=np.int64, unit_offsets=np.int64,
        out=np.uint8, rows=int, units=int, block_bytes=int)
    given, build = function.arguments, function.build
    chunks = build.udiv(build.add(given.rows, int64(ROWS - 1)), int64(ROWS))

    def chunk(index: Value) -> None:
        first = function.scaled(index, ROWS)
        count = function.least(build.sub(given.rows, first), int64(ROWS))
        offsets_at = function.at(given.row_offsets, first, 8)
        target = function.at(given.out, first, DEPTH)

        def unit(number: Value) -> None:
            at = function.add(given.source, function.load(
                function.at(given.unit_offsets, number, 8), 0, I64, 8))
            to = function.add(
                target, function.scaled(build.lshr(number, int64(1)), given.block_bytes),
                function.scaled(build.and_(number, int64(1)), UNIT))

            def row(position: Value) -> None:
                offset = function.load(function.at(offsets_at, position, 8), 0, I64, 8)
                eight = function.load(function.add(at, offset), 0, I64, 1)
                function.store(eight, function.at(to, position, DEPTH), 0, 8)

            function.loop(count, row)

        function.loop(given.units, unit)

    function.loop(chunks, chunk)
    return function.compile(cpu)


def rows_to_blocks_reference(source: npt.NDArray[np.uint8], row_offsets: Int64,
                             unit_offsets: Int64) -> npt.NDArray[np.uint8]:
    """Return what `rows_to_blocks` puts into `out`, uint8[blocks, rows, DEPTH].

    Of an odd number of units the last block has zeros where `rows_to_blocks` writes nothing.
    """
    values = _eights(source, row_offsets, unit_offsets)
    padded = np.pad(values, ((0, 0), (0, len(unit_offsets) % 2), (0, 0)))
    return padded.reshape(len(values), -1, DEPTH).swapaxes(0, 1).astype(np.uint8)


def _eights(source: Source, row_offsets: Int64, unit_offsets: Int64) -> Int64:
    """Return the eight neighbours of each row and unit, int64[rows, units, 8]."""
    starts = (row_offsets[:, None] + unit_offsets) // source.itemsize
    found: Int64 = source.reshape(-1)[starts[:, :, None] + np.arange(UNIT)].astype(np.int64)
    return found


def _eight(function: Function, address: Value, from_bytes: bool, signs: Value) -> Value:
    values = ir.VectorType(I16, UNIT)
    if not from_bytes:
        return function.load(address, 0, values, 2)
    codes = function.load(address, 0, ir.VectorType(I8, UNIT), 1)
    return function.build.zext(function.build.xor(codes, signs), values)


def _eight_times(function: Function, value: Value, kind: ir.IntType) -> Value:
    return function.repeated(function.build.trunc(value, kind), ir.VectorType(kind, UNIT))
