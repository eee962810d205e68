"""When the int16 sums of row-add must be widened, for the operands at hand.

A sum of table entries is as large as the operands let it be, and operands are mostly small: of
each k the range of the activations is known, of each product the weight. The middle of the range
that the entries can have is taken from the table (and given back to the column's sum), so that
each entry is at most half the range. As many terms share an int16 as their halves allow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numba import njit

from sim.kernels.rowadd import DEPTH, Action

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """Of one tile of columns.

    Parameters
    ----------
    centres : int16[terms, lanes]
        Taken from the entries, modulo 2**16.
    columns : int32[lanes]
        Sum of the centres: what the sums lack.
    actions : uint8[blocks]
    occurring : uint16[terms]
        How many activation codes occur, counted from 0.
    widenings : int
        Additions to int32 per row.
    feasible : bool
        False when a single term may exceed int16.
    """

    centres: npt.NDArray[np.int16] = field(repr=False)
    columns: Int32 = field(repr=False)
    actions: npt.NDArray[np.uint8] = field(repr=False)
    occurring: npt.NDArray[np.uint16] = field(repr=False)
    widenings: int
    feasible: bool


def schedule(codes: npt.NDArray[np.uint16], first: npt.NDArray[np.uint8],
             last: npt.NDArray[np.uint8], ranges: Ranges, group: int,
             occurring: npt.NDArray[np.uint16]) -> Schedule:
    """Return the schedule of a tile.

    codes : uint16[terms, lanes], weights of every k. first, last : uint8[terms], smallest and
    largest activation of every k, in the order of values. group : k that row-add adds at once.
    occurring : see `Schedule`.
    """
    terms, lanes = codes.shape
    centres = np.empty((terms, lanes), np.int16)
    columns = np.zeros(lanes, np.int64)
    halves = np.empty((terms // group, lanes), np.int32)
    _halves(codes, first, last, ranges.low, ranges.high, group, centres, columns, halves)
    actions = np.zeros(terms // group // DEPTH, np.uint8)
    widenings = _actions(halves, actions)
    return Schedule(centres=centres, columns=columns.astype(np.int32), actions=actions,
                    occurring=occurring, widenings=widenings, feasible=widenings >= 0)


@njit("void(uint16[:,::1], uint8[::1], uint8[::1], int32[:,::1], int32[:,::1], int64, "
      "int16[:,::1], int64[::1], int32[:,::1])", nogil=True, cache=True)
def _halves(codes: npt.NDArray[np.uint16], first: npt.NDArray[np.uint8],
            last: npt.NDArray[np.uint8], low: Int32, high: Int32, group: int,
            centres: npt.NDArray[np.int16], columns: npt.NDArray[np.int64],
            halves: Int32) -> None:
    halves[:] = 0
    for k in range(codes.shape[0]):
        below, above = first[k] // TOGETHER, last[k] // TOGETHER
        for lane in range(codes.shape[1]):
            code = codes[k, lane]
            top = max(high[below, code], high[above, code])
            bottom = min(low[below, code], low[above, code])
            centre = (top + bottom) >> 1
            centres[k, lane] = np.int16(centre)
            columns[lane] += centre
            halves[k // group, lane] += max(top - centre, centre - bottom)


@njit("int64(int32[:,::1], uint8[::1])", nogil=True, cache=True)
def _actions(halves: Int32, actions: npt.NDArray[np.uint8]) -> int:
    """Fill in the actions and return the widenings, -1 when a term does not fit."""
    blocks, lanes = actions.size, halves.shape[1]
    running = np.zeros(lanes, np.int32)
    first, second = np.empty(lanes, np.int32), np.empty(lanes, np.int32)
    kept = False  # the block before left its sums
    widenings = 0
    for block in range(blocks):
        first[:], second[:] = 0, 0
        each = 0
        for term in range(DEPTH):
            row = halves[block * DEPTH + term]
            part = first if term < DEPTH // 2 else second
            for lane in range(lanes):
                part[lane] += row[lane]
                each = max(each, row[lane])
        fours, eight, together = 0, 0, 0
        for lane in range(lanes):
            total = first[lane] + second[lane]
            fours = max(fours, first[lane], second[lane])
            eight = max(eight, total)
            together = max(together, running[lane] + total)
        goes_on = kept and together <= INT16_MAX
        if each > INT16_MAX:
            return -1
        if not goes_on:
            if kept:
                actions[block - 1] += 1  # KEEP becomes WIDEN
                widenings += 1
            running[:] = 0
        kept = eight <= INT16_MAX
        if kept:
            actions[block] = Action.GO_ON_KEEP if goes_on else Action.BEGIN_KEEP
            for lane in range(lanes):
                running[lane] += first[lane] + second[lane]
        elif fours <= INT16_MAX:
            actions[block] = Action.WIDEN_FOURS
            widenings += 2
        else:
            actions[block] = Action.WIDEN_EACH
            widenings += DEPTH
    if kept:
        actions[blocks - 1] += 1
        widenings += 1
    return widenings
