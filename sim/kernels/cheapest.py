"""Which way to compute a table product is cheapest for a shape, and why.

Costs are cycles of one core, from constants that were measured once (`python -m sim.bench`
shows what they lead to). They choose the way, never the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.kernels.jit.cpu import Cpu
from sim.kernels.loops.rowadd import DEPTH
from sim.kernels.pack import tiles_of
from sim.kernels.split import Split, of_bytes, sign_of

HALF_TILE = 0.6  # cost of a half tile, in full ones
GEMM, GEMM_OF_BYTES = 1.2, 0.6  # one row, one k, one full tile
ADD = 1.6  # one row, one term, one full tile: a load from L1 or L2 and an addition
WIDEN = 4.0  # one row of sums, one full tile
SELDOM, OFTEN = 0.2, 0.6  # widenings per block of terms
TABLE_ROW = 6.0  # transposed into a table, one full tile
COMBINED_ROW = 1.3
SCHEDULE = 8.0  # one weight
PACK = 0.3  # one code into values or offsets
PACK_BY_TABLE = 1.5  # likewise by look-up
FINISH = 0.5  # one sum
LOOKUP = 1.6  # one product of the scalar kernel
CALL = 100_000.0  # preparing vector loops
MAX_GROUP = 4


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A way to compute out[m, n] = sum over k of table[acts[m, k], weights[k, n]].

    split : how the table is written; None for one look-up per product.
    transposed : computed as out[n, m], weights in the place of activations.
    cycles : estimated.
    """

    split: Split | None
    transposed: bool
    cycles: float

    def describe(self) -> str:
        """Return the way in words."""
        if self.split is None:
            return "one look-up per product"
        return self.split.how + (", transposed" if self.transposed else "")


def group_size(classes: int) -> int:
    """Return how many consecutive k share a table: their combined classes must be at most 256."""
    group = 1
    while group < MAX_GROUP and max(classes, 2) ** (group + 1) <= 256:
        group += 1
    return group


def split_cycles(split: Split, m: int, k: int, n: int, cpu: Cpu) -> float:
    """Return the cycles of a split."""
    tiles = sum(1.0 if width == cpu.lanes else HALF_TILE
                for _start, width in tiles_of(n, cpu.lanes))
    total = CALL + m * n * FINISH
    for u, v in zip(split.u, split.v, strict=True):
        gemm = GEMM_OF_BYTES if cpu.vnni and of_bytes(u, v) else GEMM
        total += m * k * (gemm * tiles + (PACK_BY_TABLE if sign_of(u) is None else PACK))
    if split.class_count:
        group = group_size(split.class_count)
        terms = -(-k // group)
        per_term = m * ADD + group * split.class_count * TABLE_ROW
        if group > 1:
            per_term += split.class_count**group * COMBINED_ROW
        # With a product taken out, entries are small and sums seldom widened.
        widen = terms / DEPTH * (SELDOM if len(split.u) else OFTEN)
        total += tiles * (terms * per_term + m * widen * WIDEN + k * SCHEDULE * cpu.lanes)
        total += m * k * (PACK if group == 1 else PACK_BY_TABLE)
    return total


def lookup_cycles(m: int, k: int, n: int) -> float:
    """Return the cycles of one look-up per product."""
    return LOOKUP * m * k * n
