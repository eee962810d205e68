"""Sums requantised, and turned from columns to planes, sixteen by sixteen, as vector code.

Whole squares of sixteen positions and
sixteen channels whose ratios are below a half take the fast way: with a shift of 32 or more the
upper halves of the 64-bit products are all that matters once they are rounded. Anything else is
computed in 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit

from hw.common.compiled import keep
from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.function import I8, I32, I64, Compiled, Function, Value, int64
from sim.kernels.jit.handle import Handle
from sim.kernels.loops.turn import SIZE, chunks_of, start_of, transposed

Int32 = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int32 | np.int64]
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
    factors: Handle
    shifts: Handle
    limits: Handle
    small: bool

    PADDING = 64  # the widest tile

    @classmethod
    def of(cls, offsets: npt.NDArray[np.int32], multiplier: npt.NDArray[np.int64],
           shift: npt.NDArray[np.int64], zero_point: int, low: int,
           high: int) -> RequantizeConstants:
        """Return the constants; multiplier in [0, 2**31), shift in [1, 62]."""
        padding = (0, cls.PADDING)
        shifts = np.pad(shift.astype(np.int64), padding, constant_values=HALF_BITS)
        return cls(offsets=np.pad(offsets, padding), shifts=Handle.of(shifts),
                   factors=Handle.of(np.pad(multiplier.astype(np.int32), padding)),
                   limits=Handle.of(np.array([zero_point, low, high], np.int64)),
                   small=bool((shift >= HALF_BITS).all()))


def requantize_reference(sums: Int32, factors: Integers, shifts: Integers, zero_point: int,
                         low: int, high: int) -> npt.NDArray[np.int64]:
    """Return the codes of sums int32[..., n], bias included; the rest as `RequantizeConstants`."""
    scaled = (sums.astype(np.int64) * factors + (np.int64(1) << (shifts - 1))) >> shifts
    codes: npt.NDArray[np.int64] = np.clip(scaled + zero_point, low, high)
    return codes


@njit("void(int32[:,::1], int32[::1], int64[::1], int64[::1], int64, int64, int64, "
      "uint8[:,::1])", nogil=True, cache=keep())
def requantize_planes(sums: Int32, bias: Int32, multiplier: npt.NDArray[np.int64],
                      shift: npt.NDArray[np.int64], zero_point: int, low: int, high: int,
                      out: npt.NDArray[np.uint8]) -> None:
    """Requantise sums int32[channels, positions] of one image, turned already."""
    for channel in range(sums.shape[0]):
        source, target = sums[channel], out[channel]
        factor, by = multiplier[channel], shift[channel]
        half = np.int64(1) << (by - 1)
        for m in range(source.size):
            total = np.int64(np.int32(source[m] + bias[channel]))
            code = ((total * factor + half) >> by) + zero_point
            target[m] = np.uint8(min(max(code, low), high))


@cache
def requantize_runs(cpu: Cpu) -> Compiled:
    """Return what requantises rows of sums into planes of codes.

    - sums : int32[rows, lanes]; row_bytes : of a row;
    - offsets, factors, shifts, limits : see `RequantizeConstants`, of as many channels as lanes;
    - planes : uint8, of the first channel; plane_bytes : from one to the next;
    - runs : int64[count, 3], rows that are neighbours in a plane: bytes to the first row's sums,
      how many rows, bytes to the first code;
    - channels : that have a plane; small : 1 where every ratio is below a half, else 0.
    """
    function = Function(
        "requantize", sums=np.int32, row_bytes=int, offsets=np.int32, factors=np.int32,
        shifts=np.int64, limits=np.int64, planes=np.uint8, plane_bytes=int, runs=np.int64,
        count=int, channels=int, small=int)
    given, build = function.arguments, function.build
    square = build.ptrtoint(build.alloca(ir.ArrayType(I8, LANES * LANES)), I64)
    zero, low, high = (function.load(given.limits, 8 * index, I64, 8) for index in range(3))
    groups = chunks_of(function, given.channels)

    def run(number: Value) -> None:
        place = function.at(given.runs, number, 24)
        skipped, rows, start = (function.load(place, 8 * index, I64, 8) for index in range(3))
        function.loop(groups, lambda index: group(
            index, function.add(given.sums, skipped), rows, function.add(given.planes, start)))

    def group(index: Value, first_sum: Value, rows: Value, first_code: Value) -> None:
        at = function.scaled(index, 4 * LANES)
        offset = function.load(function.add(given.offsets, at), 0, SUMS, 4)
        factor = function.load(function.add(given.factors, at), 0, SUMS, 4)
        shift = function.load(function.at(given.shifts, index, 8 * LANES), 0, PRODUCTS, 8)
        ones = ir.Constant(PRODUCTS, [1] * LANES)
        half = build.shl(ones, build.sub(shift, ones))
        source = function.add(first_sum, at)
        target = function.at(first_code, index, function.scaled(given.plane_bytes, LANES))
        left = build.sub(given.channels, function.scaled(index, LANES))

        def totals(row: Value) -> Value:
            place = function.at(source, row, given.row_bytes)
            return build.add(function.load(place, 0, SUMS, 4), offset)

        def fast_chunk(number: Value) -> None:
            first = start_of(function, number, rows)
            codes = [fast(totals(build.add(first, int64(row)))) for row in range(LANES)]
            for lane, plane in enumerate(transposed(build, codes)):
                function.store(plane, function.add(
                    target, function.scaled(given.plane_bytes, lane), first), 0, 1)

        def any_chunk(number: Value) -> None:
            first = function.scaled(number, LANES)
            rest = function.least(build.sub(rows, first), int64(LANES))

            def row_codes(row: Value) -> None:
                total = build.sext(totals(build.add(first, row)), PRODUCTS)
                product = build.mul(total, build.sext(factor, PRODUCTS))
                code = build.ashr(build.add(product, half), shift)
                zeros, *ends = (function.repeated(limit, PRODUCTS) for limit in (zero, low, high))
                code = _clamp(build, build.add(code, zeros), *ends)
                function.store(build.trunc(code, ir.VectorType(I8, LANES)),
                               function.at(square, row, LANES), 0, 1)

            def plane_codes(lane: Value) -> None:
                plane = function.add(target, function.scaled(lane, given.plane_bytes), first)
                function.loop(rest, lambda row: function.store(
                    function.load(function.add(square, lane, function.scaled(row, LANES)), 0, I8,
                                  1), function.add(plane, row), 0, 1))

            function.loop(rest, row_codes)
            function.loop(function.least(left, int64(LANES)), plane_codes)

        fast = _fast(function, factor, shift, half, (zero, low, high))
        whole = build.and_(build.icmp_signed(">=", rows, int64(LANES)),
                           build.icmp_signed(">=", left, int64(LANES)))
        whole = build.and_(whole, build.icmp_signed("!=", given.small, int64(0)))
        with build.if_else(whole) as (then, otherwise):
            with then:
                function.loop(chunks_of(function, rows), fast_chunk)
            with otherwise:
                function.loop(chunks_of(function, rows), any_chunk)

    function.loop(given.count, run)
    return function.compile(cpu)


def _fast(function: Function, factor: Value, shift: Value, half: Value,
          limits: tuple[Value, Value, Value]) -> Callable[[Value], Value]:
    """Return totals int32 -> codes int8, for shifts from HALF_BITS on."""
    build = function.build
    evens, odds = (ir.Constant(ir.VectorType(I32, LANES // 2), list(range(first, LANES, 2)))
                   for first in (0, 1))
    half_evens, half_odds = (build.shuffle_vector(half, half, mask) for mask in (evens, odds))
    rest = build.sub(build.trunc(shift, SUMS), ir.Constant(SUMS, [HALF_BITS] * LANES))
    zero, low, high = (function.repeated(build.trunc(limit, I32), SUMS) for limit in limits)
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


def _clamp(build: ir.IRBuilder, value: Value, low: Value, high: Value) -> Value:
    value = build.select(build.icmp_signed(">", value, low), value, low)
    return build.select(build.icmp_signed("<", value, high), value, high)
