"""Exact multipliers: the reference of every saving, and the array that is always right.

All `width x width` bits of the AND array enter (8x8, one dot per partial product):

    column  15 14 13 12 11 10  9  8  7  6  5  4  3  2  1  0
                 *  *  *  *  *  *  *  *  *  *  *  *  *  *  *
                    *  *  *  *  *  *  *  *  *  *  *  *  *
                       *  *  *  *  *  *  *  *  *  *  *
                          *  *  *  *  *  *  *  *  *
                             *  *  *  *  *  *  *
                                *  *  *  *  *
                                   *  *  *
                                      *

    f(a, w) = a w

The structures differ in how they add, not in what: all have the same table. `booth.py` has the
one that recodes the weight first.
"""

from __future__ import annotations

from collections.abc import Callable

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import (
    Columns,
    add_rows,
    partial_products,
    reduce_array,
    reduce_dadda,
    reduce_wallace,
)
from hw.netlist import Netlist, NetlistBuilder

STRUCTURES: dict[str, Callable[[NetlistBuilder, Columns], Columns]] = {
    "dadda": reduce_dadda, "wallace": reduce_wallace, "array": reduce_array}


def exact(*, width: int = 8, structure: str = "dadda") -> Netlist:
    """Return `act * weight`, unsigned.

    structure : `dadda` reduces columns in logarithmic depth with few adders (Dadda, Alta
    Frequenza 34, 1965); `wallace` as early as it can (Wallace, IEEE Trans. Electronic Computers
    EC-13(1), 1964); `array` adds row after row with carries saved (Braun, Digital Computer
    Design, 1963): regular and slower.
    """
    if structure not in STRUCTURES:
        raise ValueError(f"Structure must be one of {', '.join(STRUCTURES)}, not {structure!r}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    columns = STRUCTURES[structure](builder, partial_products(builder))
    return builder.build(add_rows(builder, columns))


ENTRIES = {"mul8u_exact": Entry(exact, {"structure": "dadda"}, "Dadda, Alta Frequenza 34, 1965")}
