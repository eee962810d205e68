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
"""

from __future__ import annotations

from typing import Literal

from hw.multipliers.columns import partial_products, sum_columns
from hw.netlist import Netlist, NetlistBuilder


def exact(*, width: int = 8, structure: Literal["dadda", "array"] = "dadda") -> Netlist:
    """Return `act * weight`, unsigned.

    structure : `dadda` reduces columns with few adders in logarithmic depth (Dadda, Alta
    Frequenza 1965); `array` adds row after row (Braun, 1963): regular and slower.
    """
    builder = NetlistBuilder(act_width=width, weight_width=width)
    if structure == "dadda":
        return builder.build(sum_columns(builder, partial_products(builder)))
    if structure != "array":
        raise ValueError(f"Structure must be dadda or array, not {structure!r}")
    low: list[int] = []
    high = [builder.and_(act, builder.weight[0]) for act in builder.act]
    for weight in builder.weight[1:]:
        low.append(high[0])
        row = [builder.and_(act, weight) for act in builder.act]
        high = builder.ripple_add(high[1:], row)
    return builder.build([*low, *high][:2 * width])
