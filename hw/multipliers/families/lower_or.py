"""Lower-part OR: the low columns are ORed together instead of added.

    column  15 14 13 12 11 10  9  8 | 7  6  5  4  3  2  1  0        limit = 8
            exact sum of the dots   | OR of the column's dots

    f(a, w) = sum over i + j >= limit of a_i w_j 2**(i + j)
            + sum over c < limit of [some dot of column c is set] 2**c

Dearer than truncation by one OR gate per partial product, and far closer: a column with at
most one set bit is right, and short columns nearly always are.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import partial_products, sum_columns
from hw.netlist import CONST0, Netlist, NetlistBuilder


def lower_or(*, limit: int, dropped: int = 0, width: int = 8) -> Netlist:
    """Return the multiplier whose columns from `dropped` to `limit` - 1 are ORed.

    Columns below `dropped` are left out. After the lower-part OR adder of Mahdiani et al., IEEE
    Trans. Circuits and Systems I 57(4), 2010, applied to whole columns.
    """
    if not 0 <= dropped <= limit <= 2 * width - 1:
        raise ValueError(f"Lower part must have 0 <= dropped <= limit <= {2 * width - 1}, "
                         f"not dropped={dropped}, limit={limit}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    columns = partial_products(builder)
    for index in range(limit):
        ored = builder.any_of(columns[index]) if index >= dropped else CONST0
        columns[index] = [ored]
    return builder.build(sum_columns(builder, columns))


CITATION = "after Mahdiani et al., IEEE Trans. Circuits and Systems I 57(4), 2010"
ENTRIES = {
    f"mul8u_lowor_c{limit}d{dropped}": Entry(lower_or, {"limit": limit, "dropped": dropped},
                                             CITATION)
    for limit, dropped in ((2, 1), (3, 0), (4, 0), (5, 0), (6, 0), (7, 4), (8, 6), (9, 7), (10, 8),
                           (11, 9), (12, 10))}
