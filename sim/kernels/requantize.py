"""Sums requantised and turned from columns to planes, sixteen by sixteen, as vector code.

What it computes is defined in `sim.requantize`; this is the fast form for whole groups of
sixteen channels, at least sixteen positions and ratios below a half: with a shift of 32 or more
the upper halves of the 64-bit products are all that matters once they are rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.cpu import Cpu, this_cpu
from sim.kernels.machine_code import I8, I32, I64, Function, Value, int64
from sim.kernels.turn import SIZE, chunks_of, start_of, transposed

LANES = SIZE
HALF_BITS = 32  # of a product: the least shift


@dataclass(frozen=True, kw_only=True, eq=False)
class RequantizeConstants:
    """Per channel: added first, multiplied by, shifted by; zero point and clamp as three int64.

    small : every ratio is below a half, as `requantize_runs` needs it.
    """

    offsets: npt.NDArray[np.int32] = field(repr=False)
    factors: npt.NDArray[np.int32] = field(repr=False)
    shifts: npt.NDArray[np.int64] = field(repr=False)
    limits: npt.NDArray[np.int64]
    small: bool

    @classmethod
    def of(cls, offsets: npt.NDArray[np.int32], multiplier: npt.NDArray[np.int64],
           shift: npt.NDArray[np.int64], zero_point: int, low: int,
           high: int) -> RequantizeConstants:
        """Return the constants; multiplier in [0, 2**31)."""
        return cls(offsets=offsets, factors=multiplier.astype(np.int32),
                   shifts=np.ascontiguousarray(shift),
                   limits=np.array([zero_point, low, high], np.int64),
                   small=bool((shift >= HALF_BITS).all()))

    def of_channels(self, first: int, offsets: npt.NDArray[np.int32]) -> RequantizeConstants:
        """Return those from a channel on, with these added as well; no more than there are."""
        channels = slice(first, first + len(offsets))
        own = self.offsets[channels]
        return RequantizeConstants(offsets=own + offsets[:len(own)],
                                   factors=self.factors[channels], shifts=self.shifts[channels],
                                   limits=self.limits, small=self.small)


def requantize_runs(sums: npt.NDArray[np.int32], constants: RequantizeConstants,
                    codes: npt.NDArray[np.uint8], channel: int,
                    runs: npt.NDArray[np.int64]) -> None:
    """Requantise rows of sums into planes of codes, channels from `channel` on.

    sums : int32[rows, channels or more], contiguous. codes : uint8[images, channels, positions],
    contiguous. runs : int64[runs, 4], of rows of one image: first row, how many (at least LANES),
    image, position of the first.
    """
    channels = len(constants.offsets)
    if channels % LANES or not constants.small:
        raise ValueError(f"Channels must be a multiple of {LANES} and ratios below a half, "
                         f"not {channels} channels and shifts from {constants.shifts.min()} on")
    offsets = np.empty((len(runs), 3), np.int64)
    offsets[:, 0] = runs[:, 0] * sums.strides[0]
    offsets[:, 1] = runs[:, 1]
    offsets[:, 2] = runs[:, 2] * codes.strides[0] + channel * codes.strides[1] + runs[:, 3]
    _compiled(this_cpu())(sums.ctypes.data, sums.strides[0], constants.offsets.ctypes.data,
                          constants.factors.ctypes.data, constants.shifts.ctypes.data,
                          constants.limits.ctypes.data, codes.ctypes.data, codes.strides[1],
                          offsets.ctypes.data, len(runs), channels // LANES)


@cache
def _compiled(cpu: Cpu) -> Callable[..., None]:
    function = Function("requantize", 11)
    (sums, row_bytes, offsets, factors, shifts, limits, planes, plane_bytes, runs,
     count, groups) = function.arguments
    build = function.build
    sums_kind, products = ir.VectorType(I32, LANES), ir.VectorType(I64, LANES // 2)
    zero, low, high = (_repeated(build, function.load(limits, 8 * index, I64, 8))
                       for index in range(3))
    low, high = build.sub(low, zero), build.sub(high, zero)
    half_bits = ir.Constant(products, [HALF_BITS] * (LANES // 2))
    uppers = ir.Constant(sums_kind, [index // 2 * 2 + 1 + LANES * (index % 2)
                                     for index in range(LANES)])

    def evens(vector: Value) -> Value:
        # Extended where they are multiplied: so LLVM sees that 32 bits by 32 are meant.
        return build.ashr(build.shl(build.bitcast(vector, products), half_bits), half_bits)

    def odds(vector: Value) -> Value:
        return build.ashr(build.bitcast(vector, products), half_bits)

    def run(number: Value) -> None:
        place = function.add(runs, function.scaled(number, 24))
        skipped, rows, start = (function.load(place, 8 * index, I64, 8) for index in range(3))
        function.loop(groups, lambda index: group(index, function.add(sums, skipped), rows,
                                                  function.add(planes, start)))

    def group(index: Value, first_sum: Value, rows: Value, first_code: Value) -> None:
        at = function.scaled(index, 4 * LANES)
        offset = function.load(function.add(offsets, at), 0, sums_kind, 4)
        factor = function.load(function.add(factors, at), 0, sums_kind, 4)
        shift_at = function.add(shifts, function.scaled(index, 8 * LANES))
        shift = function.load(shift_at, 0, ir.VectorType(I64, LANES), 8)
        ones = ir.Constant(shift.type, [1] * LANES)
        half = build.shl(ones, build.sub(shift, ones))
        half_evens, half_odds = (build.shuffle_vector(half, half, ir.Constant(
            ir.VectorType(I32, LANES // 2), list(range(first, LANES, 2)))) for first in (0, 1))
        rest = build.sub(build.trunc(shift, sums_kind),
                         ir.Constant(sums_kind, [HALF_BITS] * LANES))
        source = function.add(first_sum, at)
        target = function.add(first_code, function.scaled(
            index, function.scaled(plane_bytes, LANES)))

        def chunk(number: Value) -> None:
            first = start_of(function, number, rows)
            codes = []
            for row in range(LANES):
                place = function.add(source, function.scaled(
                    build.add(first, int64(row)), row_bytes))
                total = build.add(function.load(place, 0, sums_kind, 4), offset)
                rounded = [build.add(build.mul(part(total), part(factor)), half)
                           for part, half in ((evens, half_evens), (odds, half_odds))]
                upper = build.shuffle_vector(*(build.bitcast(product, sums_kind)
                                               for product in rounded), uppers)
                code = build.add(_clamp(build, build.ashr(upper, rest), low, high), zero)
                codes.append(build.trunc(code, ir.VectorType(I8, LANES)))
            for lane, plane in enumerate(transposed(build, codes)):
                function.store(plane, function.add(
                    target, function.scaled(plane_bytes, lane), first), 0, 1)

        function.loop(chunks_of(function, rows), chunk)

    function.loop(count, run)
    return function.compile(cpu)


def _repeated(build: ir.IRBuilder, value: Value) -> Value:
    vector = ir.Constant(ir.VectorType(I32, LANES), ir.Undefined)
    for lane in range(LANES):
        vector = build.insert_element(vector, build.trunc(value, I32), ir.Constant(I32, lane))
    return vector


def _clamp(build: ir.IRBuilder, value: Value, low: Value, high: Value) -> Value:
    value = build.select(build.icmp_signed(">", value, low), value, low)
    return build.select(build.icmp_signed("<", value, high), value, high)
