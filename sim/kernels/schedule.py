"""When the int16 sums of row-add must be widened, for the operands at hand.

A sum of table entries is as large as the operands let it be, and operands are mostly small: of
each k the range of the activations is known, of each product the weight. The middle of the range
that the entries can have is taken from the table (and given back to the column's sum), so that
each entry is at most half the range. As many terms share an int16 as their halves allow: one, or
a power of two of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep
from sim.kernels.loops.rowadd import BIAS, DEPTH, lane_order

INT16_MAX = 2**15 - 1
TOGETHER = 16  # codes
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranges:
    """What table entries can be when the activation lies between zero and some code.

    low, high : int32[16, 257], smallest and largest entry for activations from the code of zero
    to the far end of sixteen codes, in the order of values; by weight code, 0 in column 256.
    Sixteen codes together, so that the tables stay in L1.
    """

    low: Int32 = field(repr=False)
    high: Int32 = field(repr=False)

    @classmethod
    def of(cls, table: Int32, zero: int) -> Ranges:
        """Return the ranges of a table int32[256, 256], activations in the order of values."""
        low, high = np.zeros((2, 256 // TOGETHER, 257), np.int32)
        for target, pick in ((low, np.minimum), (high, np.maximum)):
            up = pick.accumulate(table[zero:], axis=0)
            down = pick.accumulate(table[zero::-1], axis=0)[::-1]
            outward = np.concatenate([down[:-1], pick(up[:1], down[-1:]), up[1:]])
            several = outward.reshape(-1, TOGETHER, 256)
            # Outward of zero, the far end is the last code above it and the first below it.
            target[:, :256] = pick(several[:, 0], several[:, -1])
        return cls(low=low, high=high)

    def middles(self, first: npt.NDArray[np.uint8], last: npt.NDArray[np.uint8]) -> Middles:
        """Return the middles for the smallest and largest activation of every k, uint8[terms].

        In the order of values.
        """
        kinds = np.empty(len(first), np.int64)
        return Middles(kinds=kinds, values=_middles(self.low, self.high, first, last, kinds))


@dataclass(frozen=True, kw_only=True, eq=False)
class Middles:
    """The middle of the range of the entries of every k, and half the range.

    kinds : int64[terms], those of equal range are one. values : int32[kinds, 2, 257], middle and
    half by weight code.
    """

    kinds: npt.NDArray[np.int64] = field(repr=False)
    values: Int32 = field(repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """Of one tile of columns.

    Parameters
    ----------
    centres : int16[terms, lanes]
        Taken from the entries, modulo 2**16; lanes as in `sim.kernels.loops.rowadd.lane_order`.
    columns : int32[lanes]
        Sum of the centres of each column: what the sums lack.
    steps : uint8[blocks]
        Terms between two widenings.
    occurring : uint16[terms]
        How many activation codes occur, counted from 0.
    widenings : int
        Additions to int32 per row.
    feasible : bool
        False when a single term may exceed int16.
    """

    centres: npt.NDArray[np.int16] = field(repr=False)
    columns: Int32 = field(repr=False)
    steps: npt.NDArray[np.uint8] = field(repr=False)
    occurring: npt.NDArray[np.uint16] = field(repr=False)
    widenings: int
    feasible: bool


def schedule(codes: npt.NDArray[np.uint16], middles: Middles, group: int,
             occurring: npt.NDArray[np.uint16]) -> Schedule:
    """Return the schedule of a tile.

    codes : uint16[terms, lanes], weights of every k, in the order of lanes. group : k that row-add
    adds at once. occurring : see `Schedule`.
    """
    terms, lanes = codes.shape
    centres = np.empty((terms, lanes), np.int16)
    sums = np.zeros(lanes, np.int64)
    steps = np.zeros(-(-terms // (group * DEPTH)), np.uint8)
    widenings = _plan(codes, middles.kinds, middles.values, group, centres, sums, steps)
    columns = np.empty(lanes, np.int32)
    columns[lane_order(lanes)] = sums.astype(np.int32)
    return Schedule(centres=centres, columns=columns, steps=steps, occurring=occurring,
                    widenings=widenings, feasible=widenings >= 0)


@njit("int32[:,:,::1](int32[:,::1], int32[:,::1], uint8[::1], uint8[::1], int64[::1])", nogil=True,
      cache=keep())
def _middles(low: Int32, high: Int32, first: npt.NDArray[np.uint8],
             last: npt.NDArray[np.uint8], kinds: npt.NDArray[np.int64]) -> Int32:
    """Return `Middles.values` and fill in its kinds."""
    count, ends = low.shape
    known = np.full(count * count, -1, np.int64)
    kind_count = 0
    for k in range(kinds.size):
        pair = first[k] // TOGETHER * count + last[k] // TOGETHER
        if known[pair] < 0:
            known[pair] = kind_count
            kind_count += 1
        kinds[k] = known[pair]
    found = np.empty((kind_count, 2, ends), np.int32)
    for pair in range(known.size):
        if known[pair] >= 0:
            middle, half = found[known[pair]]
            below, above = pair // count, pair % count
            for code in range(ends):
                top = max(high[below, code], high[above, code])
                bottom = min(low[below, code], low[above, code])
                middle[code] = (top + bottom) >> 1
                half[code] = max(top - middle[code], middle[code] - bottom)
    return found


@njit("int64(int32[:,::1], uint8[::1])", nogil=True, cache=keep())
def _steps(halves: Int32, steps: npt.NDArray[np.uint8]) -> int:
    """Fill in the steps and return the widenings, -1 when a term does not fit.

    A block's step is the longest whose sums all fit.
    """
    terms, lanes = halves.shape
    widenings = 0
    for block in range(steps.size):
        first, count = block * DEPTH, min(DEPTH, terms - block * DEPTH)
        step, apart = 0, 1  # halves end up holding sums of `apart` terms, each at its first
        while apart <= count:
            largest = np.int32(0)
            for term in range(first, first + count, apart):
                for lane in range(lanes):
                    largest = max(largest, halves[term, lane])
            if largest > INT16_MAX:
                break
            step, apart = apart, 2 * apart
            for term in range(first, first + count - apart + 1, apart):
                for lane in range(lanes):
                    halves[term, lane] += halves[term + step, lane]
        if step == 0:
            return -1
        steps[block] = step
        widenings += min(DEPTH, terms - block * DEPTH) // step
    return widenings


@njit("void(uint8[::1], int64, int16[:,::1], int64[::1])", nogil=True, cache=keep())
def _bias(steps: npt.NDArray[np.uint8], group: int, centres: npt.NDArray[np.int16],
          columns: npt.NDArray[np.int64]) -> None:
    """Add BIAS to every sum of even lanes: take it from the centre of the first term."""
    terms = centres.shape[0] // group
    for block in range(steps.size):
        for term in range(block * DEPTH, min((block + 1) * DEPTH, terms), steps[block]):
            for lane in range(0, columns.size, 2):
                centres[term * group, lane] = np.int16(centres[term * group, lane] - BIAS)
                columns[lane] -= BIAS


@njit("int64(uint16[:,::1], int64[::1], int32[:,:,::1], int64, int16[:,::1], int64[::1], "
      "uint8[::1])", nogil=True, cache=keep())
def _plan(codes: npt.NDArray[np.uint16], kinds: npt.NDArray[np.int64], middles: Int32, group: int,
          centres: npt.NDArray[np.int16], columns: npt.NDArray[np.int64],
          steps: npt.NDArray[np.uint8]) -> int:
    """Fill in centres, their sums and the steps; return the widenings, -1 where there are none."""
    terms, lanes = codes.shape
    halves = np.zeros((terms // group, lanes), np.int32)
    for k in range(terms):
        middle, half = middles[kinds[k]]
        for lane in range(lanes):
            code = codes[k, lane]
            centres[k, lane] = np.int16(middle[code])
            columns[lane] += middle[code]
            halves[k // group, lane] += half[code]
    widenings: int = _steps(halves, steps)
    if widenings >= 0:
        _bias(steps, group, centres, columns)
    return widenings
