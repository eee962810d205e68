"""Sums requantised and turned from columns to planes, sixteen by sixteen, as vector code.

What it computes is defined in `sim.network.requantize`. Whole squares of sixteen positions and
sixteen channels whose ratios are below a half take the fast way: with a shift of 32 or more the
upper halves of the 64-bit products are all that matters once they are rounded. Anything else is
computed in 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.cpu import Cpu
from sim.kernels.machine_code import I8, I32, I64, Compiled, Function, Value, int64
from sim.kernels.script import address
from sim.kernels.turn import SIZE, chunks_of, start_of, transposed

LANES = SIZE
HALF_BITS = 32  # of a product: the least shift of the fast way
SUMS, PRODUCTS, HALVES = (ir.VectorType(I32, LANES), ir.VectorType(I64, LANES),
                          ir.VectorType(I64, LANES // 2))


@dataclass(frozen=True, kw_only=True, eq=False)
class RequantizeConstants:
    """Per channel: added first, multiplied by, shifted by; zero point and clamp as three int64.

    Padded with PADDING channels that have no plane. small : every ratio is below a half.
    """

    offsets: npt.NDArray[np.int32] = field(repr=False)
    factors: npt.NDArray[np.int32] = field(repr=False)
    shifts: npt.NDArray[np.int64] = field(repr=False)
    limits: npt.NDArray[np.int64]
    small: bool

    PADDING = 64  # the widest tile

    @cached_property
    def places(self) -> tuple[int, int, int]:
        """Addresses of the factors, the shifts and the limits."""
        return address(self.factors), address(self.shifts), address(self.limits)

    @classmethod
    def of(cls, offsets: npt.NDArray[np.int32], multiplier: npt.NDArray[np.int64],
           shift: npt.NDArray[np.int64], zero_point: int, low: int,
           high: int) -> RequantizeConstants:
        """Return the constants; multiplier in [0, 2**31), shift in [1, 62]."""
        padding = (0, cls.PADDING)
        return cls(offsets=np.pad(offsets, padding),
                   factors=np.pad(multiplier.astype(np.int32), padding),
                   shifts=np.pad(shift.astype(np.int64), padding, constant_values=HALF_BITS),
                   limits=np.array([zero_point, low, high], np.int64),
                   small=bool((shift >= HALF_BITS).all()))


@cache
def requantize_runs(cpu: Cpu) -> Compiled:
    """Return a function that requantises rows of sums into planes of codes.

    Its arguments are, in this order, addresses and sizes:

    - sums int32[rows, lanes] and the bytes of a row; offsets int32, factors int32 and shifts
      int64, of as many channels as lanes; limits int64[3] (see `RequantizeConstants`);
    - planes of codes uint8, the first channel's, and their distance;
    - runs int64[runs, 3], rows that are neighbours in a plane: bytes to the first row's sums, how
      many rows, bytes to the first code;
    - runs; channels that have a plane; 1 where every ratio is below a half, else 0.
    """
    function = Function("requantize", 12)
    (sums, row_bytes, offsets, factors, shifts, limits, planes, plane_bytes, runs, count, channels,
     small) = function.arguments
    build = function.build
    square = build.ptrtoint(build.alloca(ir.ArrayType(I8, LANES * LANES)), I64)
    zero, low, high = (function.load(limits, 8 * index, I64, 8) for index in range(3))
    groups = chunks_of(function, channels)

    def run(number: Value) -> None:
        place = function.add(runs, function.scaled(number, 24))
        skipped, rows, start = (function.load(place, 8 * index, I64, 8) for index in range(3))
        function.loop(groups, lambda index: group(index, function.add(sums, skipped), rows,
                                                  function.add(planes, start)))

    def group(index: Value, first_sum: Value, rows: Value, first_code: Value) -> None:
        at = function.scaled(index, 4 * LANES)
        offset = function.load(function.add(offsets, at), 0, SUMS, 4)
        factor = function.load(function.add(factors, at), 0, SUMS, 4)
        shift = function.load(function.add(shifts, function.scaled(index, 8 * LANES)), 0,
                              PRODUCTS, 8)
        ones = ir.Constant(PRODUCTS, [1] * LANES)
        half = build.shl(ones, build.sub(shift, ones))
        source = function.add(first_sum, at)
        target = function.add(first_code, function.scaled(
            index, function.scaled(plane_bytes, LANES)))
        left = build.sub(channels, function.scaled(index, LANES))

        def totals(row: Value) -> Value:
            place = function.add(source, function.scaled(row, row_bytes))
            return build.add(function.load(place, 0, SUMS, 4), offset)

        def fast_chunk(number: Value) -> None:
            first = start_of(function, number, rows)
            codes = [fast(totals(build.add(first, int64(row)))) for row in range(LANES)]
            for lane, plane in enumerate(transposed(build, codes)):
                function.store(plane, function.add(
                    target, function.scaled(plane_bytes, lane), first), 0, 1)

        def any_chunk(number: Value) -> None:
            first = function.scaled(number, LANES)
            rest = _least(build, build.sub(rows, first), int64(LANES))

            def row_codes(row: Value) -> None:
                total = build.sext(totals(build.add(first, row)), PRODUCTS)
                product = build.mul(total, build.sext(factor, PRODUCTS))
                code = build.ashr(build.add(product, half), shift)
                code = _clamp(build, build.add(code, _repeated(build, zero, PRODUCTS)),
                              _repeated(build, low, PRODUCTS), _repeated(build, high, PRODUCTS))
                function.store(build.trunc(code, ir.VectorType(I8, LANES)),
                               function.add(square, function.scaled(row, LANES)), 0, 1)

            def plane_codes(lane: Value) -> None:
                plane = function.add(target, function.scaled(lane, plane_bytes), first)
                function.loop(rest, lambda row: function.store(
                    function.load(function.add(square, lane, function.scaled(row, LANES)), 0, I8,
                                  1), function.add(plane, row), 0, 1))

            function.loop(rest, row_codes)
            function.loop(_least(build, left, int64(LANES)), plane_codes)

        fast = _fast(build, factor, shift, half, (zero, low, high))
        whole = build.and_(build.icmp_signed(">=", rows, int64(LANES)),
                           build.icmp_signed(">=", left, int64(LANES)))
        whole = build.and_(whole, build.icmp_signed("!=", small, int64(0)))
        with build.if_else(whole) as (then, otherwise):
            with then:
                function.loop(chunks_of(function, rows), fast_chunk)
            with otherwise:
                function.loop(chunks_of(function, rows), any_chunk)

    function.loop(count, run)
    return function.compile(cpu)


def _fast(build: ir.IRBuilder, factor: Value, shift: Value, half: Value,
          limits: tuple[Value, Value, Value]) -> Callable[[Value], Value]:
    """Return totals int32 -> codes int8, for shifts from HALF_BITS on."""
    evens, odds = (ir.Constant(ir.VectorType(I32, LANES // 2), list(range(first, LANES, 2)))
                   for first in (0, 1))
    half_evens, half_odds = (build.shuffle_vector(half, half, mask) for mask in (evens, odds))
    rest = build.sub(build.trunc(shift, SUMS), ir.Constant(SUMS, [HALF_BITS] * LANES))
    zero, low, high = (_repeated(build, build.trunc(limit, I32), SUMS) for limit in limits)
    low, high = build.sub(low, zero), build.sub(high, zero)
    half_bits = ir.Constant(HALVES, [HALF_BITS] * (LANES // 2))
    uppers = ir.Constant(SUMS, [index // 2 * 2 + 1 + LANES * (index % 2)
                                for index in range(LANES)])

    # Extended where they are multiplied: so LLVM sees that 32 bits by 32 are meant.
    def even(vector: Value) -> Value:
        return build.ashr(build.shl(build.bitcast(vector, HALVES), half_bits), half_bits)

    def odd(vector: Value) -> Value:
        return build.ashr(build.bitcast(vector, HALVES), half_bits)

    def codes(total: Value) -> Value:
        rounded = [build.add(build.mul(part(total), part(factor)), part_half)
                   for part, part_half in ((even, half_evens), (odd, half_odds))]
        upper = build.shuffle_vector(*(build.bitcast(product, SUMS) for product in rounded),
                                     uppers)
        code = build.add(_clamp(build, build.ashr(upper, rest), low, high), zero)
        return build.trunc(code, ir.VectorType(I8, LANES))

    return codes


def _repeated(build: ir.IRBuilder, value: Value, kind: ir.VectorType) -> Value:
    vector = ir.Constant(kind, ir.Undefined)
    for lane in range(kind.count):
        vector = build.insert_element(vector, value, ir.Constant(I32, lane))
    return vector


def _least(build: ir.IRBuilder, a: Value, b: Value) -> Value:
    return build.select(build.icmp_signed("<", a, b), a, b)


def _clamp(build: ir.IRBuilder, value: Value, low: Value, high: Value) -> Value:
    value = build.select(build.icmp_signed(">", value, low), value, low)
    return build.select(build.icmp_signed("<", value, high), value, high)
