"""Perforated multipliers: whole rows of partial products are skipped.

`first` = 1, `count` = 2 (weight bits 1 and 2 are not read):

    column  15 14 13 12 11 10  9  8  7  6  5  4  3  2  1  0      weight bit
                                         *  *  *  *  *  *  *  *      0
                                      .  .  .  .  .  .  .  .         1
                                   .  .  .  .  .  .  .  .            2
                                *  *  *  *  *  *  *  *               3
                             ...                                     4-7

    f(a, w) = a (w - w mod 2**(first + count) + w mod 2**first)
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import partial_products, sum_columns
from hw.netlist import Netlist, NetlistBuilder


def perforated(*, first: int, count: int, width: int = 8) -> Netlist:
    """Return the multiplier that skips weight bits `first` to `first + count - 1`.

    Zervakis et al., IEEE Trans. VLSI Systems 24(10), 2016.
    """
    if first < 0 or count < 1 or first + count >= width:
        raise ValueError(f"Perforation must leave at least one of {width} rows, "
                         f"not first={first}, count={count}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    dots = partial_products(builder, lambda _i, j: not first <= j < first + count)
    return builder.build(sum_columns(builder, dots))


CITATION = "Zervakis et al., IEEE Trans. VLSI Systems 24(10), 2016"
ENTRIES = {f"mul8u_perf_f{f}n{n}": Entry(perforated, {"first": f, "count": n}, CITATION)
           for f, n in ((1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3))}
