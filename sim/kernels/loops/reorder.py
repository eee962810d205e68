"""Gathered rows in the order in which the compiled loops read them, eight terms at a time.

A block of eight terms of a row is eight neighbours in the source, at `row offset + block offset`.
Bytes are turned into int16 on the way; int16 sources, whose codes were looked up before, are
copied.
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
Source = npt.NDArray[np.uint8 | np.int16 | np.uint16]
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
def rows_to_offsets(cpu: Cpu, *, from_bytes: bool) -> Compiled:
    """Return what gathers rows for `sim.kernels.loops.rowadd`.

    row_offsets : int64[rows]; unit_offsets : int64[units], both in bytes. out : uint16, two units
    of eight terms of a row together, rows of a block in order, blocks `block_bytes` apart. Bytes
    are multiplied by `factor`.
    """
    function = Function(
        "rows_to_offsets", source=np.uint8 if from_bytes else np.uint16, row_offsets=np.int64,
        unit_offsets=np.int64, out=np.uint16, rows=int, units=int, block_bytes=int, factor=int)
    given, build = function.arguments, function.build
    none, factors = (_eight_times(function, int64(0), I8),
                     _eight_times(function, given.factor, I16))
    chunks = build.udiv(build.add(given.rows, int64(ROWS - 1)), int64(ROWS))

    def chunk(index: Value) -> None:
        first = function.scaled(index, ROWS)
        count = function.least(build.sub(given.rows, first), int64(ROWS))
        offsets_at = function.at(given.row_offsets, first, 8)
        target = function.at(given.out, first, 2 * DEPTH)

        def unit(number: Value) -> None:
            at = function.add(given.source, function.load(
                function.at(given.unit_offsets, number, 8), 0, I64, 8))
            to = function.add(
                target, function.scaled(build.lshr(number, int64(1)), given.block_bytes),
                function.scaled(build.and_(number, int64(1)), 2 * UNIT))

            def row(position: Value) -> None:
                offset = function.load(function.at(offsets_at, position, 8), 0, I64, 8)
                value = _eight(function, function.add(at, offset), from_bytes, none)
                function.store(build.mul(value, factors) if from_bytes else value,
                               function.at(to, position, 2 * DEPTH), 0, 16)

            function.loop(count, row)

        function.loop(given.units, unit)

    function.loop(chunks, chunk)
    return function.compile(cpu)


def rows_to_offsets_reference(source: Source, row_offsets: Int64, unit_offsets: Int64,
                              factor: int) -> npt.NDArray[np.uint16]:
    """Return what `rows_to_offsets` puts into `out`, uint16[blocks, rows, DEPTH].

    Of an odd number of units the last block has zeros where `rows_to_offsets` writes nothing.
    """
    values = _eights(source, row_offsets, unit_offsets)
    if source.dtype == np.uint8:
        values *= factor
    padded = np.pad(values, ((0, 0), (0, len(unit_offsets) % 2), (0, 0)))
    return padded.reshape(len(values), -1, DEPTH).swapaxes(0, 1).astype(np.uint16)


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
