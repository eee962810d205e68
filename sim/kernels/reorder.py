"""Gathered rows in the order in which the compiled loops read them, eight terms at a time.

A block of eight terms of a row is eight neighbours in the source, at `row offset + block offset`.
Bytes are turned into int16 on the way; int16 sources, whose codes were looked up before, are
copied.
"""

from __future__ import annotations

from functools import cache

from llvmlite import ir

from sim.kernels.cpu import Cpu
from sim.kernels.machine_code import I8, I16, I64, Compiled, Function, Value, int64
from sim.kernels.rowadd import DEPTH, UNIT

ROWS = 64  # their lines of the source stay in L1 while neighbouring blocks read them


@cache
def rows_to_panels(cpu: Cpu, *, from_bytes: bool) -> Compiled:
    """Return `f(source, row_offsets, block_offsets, out, panels, blocks, sign_bit, zero_point)`.

    Addresses: source; row_offsets int64[panels * panel rows] and block_offsets int64[blocks],
    in bytes; out int16[panels, blocks, panel rows, 8], for `sim.kernels.gemm`. Bytes become
    (byte ^ sign_bit) - zero_point.
    """
    function = Function("rows_to_panels", 8)
    source, row_offsets, block_offsets, out, panels, blocks, sign_bit, zero = function.arguments
    build = function.build
    rows = cpu.panel_rows
    signs, zeros = _repeated(function, sign_bit, I8), _repeated(function, zero, I16)

    def panel(index: Value) -> None:
        offsets_at = function.add(row_offsets, function.scaled(index, rows * 8))
        starts = [function.add(source, function.load(offsets_at, 8 * row, I64, 8))
                  for row in range(rows)]
        target = function.add(out, function.scaled(index, function.scaled(blocks, rows * 16)))

        def block(number: Value) -> None:
            offset = function.load(function.add(block_offsets, function.scaled(number, 8)), 0,
                                   I64, 8)
            to = function.add(target, function.scaled(number, rows * 16))
            for row, start in enumerate(starts):
                value = _eight(function, function.add(start, offset), from_bytes, signs)
                function.store(build.sub(value, zeros) if from_bytes else value, to, row * 16, 16)

        function.loop(blocks, block)

    function.loop(panels, panel)
    return function.compile(cpu)


@cache
def rows_to_offsets(cpu: Cpu, *, from_bytes: bool) -> Compiled:
    """Return `f(source, row_offsets, unit_offsets, out, rows, units, block_bytes, factor)`.

    out uint16, for `sim.kernels.rowadd`: two units of eight terms of a row together, rows of a
    block in order, blocks `block_bytes` apart. Bytes are multiplied by `factor`.
    """
    function = Function("rows_to_offsets", 8)
    source, row_offsets, unit_offsets, out, rows, units, block_bytes, factor = \
        function.arguments
    build = function.build
    none, factors = _repeated(function, int64(0), I8), _repeated(function, factor, I16)
    chunks = build.udiv(build.add(rows, int64(ROWS - 1)), int64(ROWS))

    def chunk(index: Value) -> None:
        first = function.scaled(index, ROWS)
        left = build.sub(rows, first)
        count = build.select(build.icmp_signed("<", left, int64(ROWS)), left, int64(ROWS))
        offsets_at = function.add(row_offsets, function.scaled(first, 8))
        target = function.add(out, function.scaled(first, 2 * DEPTH))

        def unit(number: Value) -> None:
            at = function.add(source, function.load(
                function.add(unit_offsets, function.scaled(number, 8)), 0, I64, 8))
            to = function.add(target, function.scaled(build.lshr(number, int64(1)), block_bytes),
                              function.scaled(build.and_(number, int64(1)), 2 * UNIT))

            def row(position: Value) -> None:
                offset = function.load(function.add(offsets_at, function.scaled(position, 8)), 0,
                                       I64, 8)
                value = _eight(function, function.add(at, offset), from_bytes, none)
                function.store(build.mul(value, factors) if from_bytes else value,
                               function.add(to, function.scaled(position, 2 * DEPTH)), 0, 16)

            function.loop(count, row)

        function.loop(units, unit)

    function.loop(chunks, chunk)
    return function.compile(cpu)


def _eight(function: Function, address: Value, from_bytes: bool, signs: Value) -> Value:
    values = ir.VectorType(I16, UNIT)
    if not from_bytes:
        return function.load(address, 0, values, 2)
    codes = function.load(address, 0, ir.VectorType(I8, UNIT), 1)
    return function.build.zext(function.build.xor(codes, signs), values)


def _repeated(function: Function, value: Value, kind: ir.IntType) -> Value:
    build = function.build
    vector = ir.Constant(ir.VectorType(kind, UNIT), ir.Undefined)
    for lane in range(UNIT):
        vector = build.insert_element(vector, build.trunc(value, kind),
                                      ir.Constant(ir.IntType(32), lane))
    return vector
