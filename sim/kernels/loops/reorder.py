"""Gathered rows in the order in which the compiled loops read them, eight terms at a time.

A block of eight terms of a row is eight neighbours in the source, at `row offset + block offset`.
For GEMM bytes are turned into int16 on the way, or stay bytes for a GEMM of bytes; int16 sources,
whose codes were looked up before, are copied.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.function import I8, I16, I32, I64, Compiled, Function, Value, int64
from sim.kernels.loops.rowadd import DEPTH, UNIT

Int64 = npt.NDArray[np.int64]
Source = npt.NDArray[np.uint8 | np.int16]
ROWS = 64  # their lines of the source stay in L1 while neighbouring blocks read them


@cache
def rows_to_panels(cpu: Cpu, *, from_bytes: bool, to_bytes: bool = False,
                   in_pairs: bool = False) -> Compiled:
    """Return what gathers whole panels of rows, for `sim.kernels.loops.gemm`.

    row_offsets : int64[panels * panel rows]; block_offsets : int64[blocks], both in bytes. out :
    int16[panels, blocks, panel rows, 8]. Bytes become (byte ^ sign_bit) - zero_point; to_bytes :
    out is uint8, and there is no zero point. in_pairs : of bytes alone; blocks are even in
    number, and blocks 2 i and 2 i + 1 are neighbours in the source.
    """
    function = Function(
        "rows_to_panels", source=np.uint8 if from_bytes else np.int16, row_offsets=np.int64,
        block_offsets=np.int64, out=np.uint8 if to_bytes else np.int16, panels=int, blocks=int,
        sign_bit=int, zero_point=int)
    given, build, rows = function.arguments, function.build, cpu.panel_rows
    size = UNIT * (1 if to_bytes else 2)  # bytes of eight values
    two = ir.VectorType(I64, 2)
    wide_signs = function.repeated(build.trunc(given.sign_bit, I8), ir.VectorType(I8, 2 * UNIT))
    signs, zeros = (_eight_times(function, given.sign_bit, I8),
                    _eight_times(function, given.zero_point, I16))

    def panel(index: Value) -> None:
        offsets_at = function.at(given.row_offsets, index, rows * 8)
        starts = [function.add(given.source, function.load(offsets_at, 8 * row, I64, 8))
                  for row in range(rows)]
        target = function.at(given.out, index, function.scaled(given.blocks, rows * size))

        def block(number: Value) -> None:
            offset = function.load(function.at(given.block_offsets, number, 8), 0, I64, 8)
            to = function.at(target, number, rows * size)
            for row, start in enumerate(starts):
                value = _eight(function, function.add(start, offset), from_bytes, signs)
                if from_bytes and not to_bytes:
                    value = build.sub(build.zext(value, ir.VectorType(I16, UNIT)), zeros)
                function.store(value, to, row * size, size)

        def two_blocks(index: Value) -> None:
            number = function.scaled(index, 2)
            offset = function.load(function.at(given.block_offsets, number, 8), 0, I64, 8)
            to = function.at(target, number, rows * size)
            for row in range(0, rows, 2):
                both = [build.bitcast(build.xor(
                    function.load(function.add(start, offset), 0, ir.VectorType(I8, 2 * UNIT), 1),
                    wide_signs), two) for start in starts[row:row + 2]]
                for part in (0, 1):
                    function.store(build.shuffle_vector(*both, ir.Constant(
                        ir.VectorType(I32, 2), [part, 2 + part])), to,
                        (part * rows + row) * size, UNIT)

        if in_pairs and to_bytes:
            function.loop(build.udiv(given.blocks, int64(2)), two_blocks)
        else:
            function.loop(given.blocks, block)

    function.loop(given.panels, panel)
    return function.compile(cpu)


def rows_to_panels_reference(source: Source, row_offsets: Int64, block_offsets: Int64, rows: int,
                             sign_bit: int, zero_point: int) -> npt.NDArray[np.int16]:
    """Return what `rows_to_panels` puts into `out`, as int16; rows : of a panel."""
    values = _eights(source, row_offsets, block_offsets)
    if source.dtype == np.uint8:
        values = (values ^ sign_bit) - zero_point
    return values.reshape(-1, rows, *values.shape[1:]).swapaxes(1, 2).astype(np.int16)


@cache
def rows_to_blocks(cpu: Cpu, *, in_pairs: bool = False) -> Compiled:
    """Return what gathers rows for `sim.kernels.loops.rowadd`.

    row_offsets : int64[rows]; unit_offsets : int64[units], both in bytes. out : uint8, two units
    of eight terms of a row together, rows of a block in order, blocks `block_bytes` apart.
    in_pairs : units are even in number, and the two of a block are neighbours in the source.
    """
    function = Function(
        "rows_to_blocks", source=np.uint8, row_offsets=np.int64, unit_offsets=np.int64,
        out=np.uint8, rows=int, units=int, block_bytes=int)
    given, build = function.arguments, function.build
    chunks = build.udiv(build.add(given.rows, int64(ROWS - 1)), int64(ROWS))
    together = 2 if in_pairs else 1  # units
    moved = ir.VectorType(I64, together)

    def chunk(index: Value) -> None:
        first = function.scaled(index, ROWS)
        count = function.least(build.sub(given.rows, first), int64(ROWS))
        offsets_at = function.at(given.row_offsets, first, 8)
        target = function.at(given.out, first, DEPTH)

        def unit(index: Value) -> None:
            number = function.scaled(index, together)
            at = function.add(given.source, function.load(
                function.at(given.unit_offsets, number, 8), 0, I64, 8))
            to = function.add(
                target, function.scaled(build.lshr(number, int64(1)), given.block_bytes),
                function.scaled(build.and_(number, int64(1)), UNIT))

            def row(position: Value) -> None:
                offset = function.load(function.at(offsets_at, position, 8), 0, I64, 8)
                found = function.load(function.add(at, offset), 0, moved, 1)
                function.store(found, function.at(to, position, DEPTH), 0, UNIT * together)

            function.loop(count, row)

        function.loop(build.udiv(given.units, int64(together)), unit)

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
    if not from_bytes:
        return function.load(address, 0, ir.VectorType(I16, UNIT), 2)
    return function.build.xor(function.load(address, 0, ir.VectorType(I8, UNIT), 1), signs)


def _eight_times(function: Function, value: Value, kind: ir.IntType) -> Value:
    return function.repeated(function.build.trunc(value, kind), ir.VectorType(kind, UNIT))
