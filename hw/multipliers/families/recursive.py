"""Recursive multipliers from Kulkarni's 2x2 block, in which 3 x 3 = 7.

The block saves the fourth output bit:

    p0 = a0 w0        p1 = a1 w0 | a0 w1        p2 = a1 w1        (p3 is never needed)

Larger products are sums of four half-size ones, a = a_h 2**h + a_l:

    f(a, w) = f(a_h, w_h) 2**(2h) + (f(a_h, w_l) + f(a_l, w_h)) 2**h + f(a_l, w_l)

A 2x2 block stands at bit position (x, y) of the operands and is worth 2**(x + y); those with
x + y < `limit` are approximate, the others exact. For 8x8 the sums x + y are 0 to 12 in steps
of 2, so limit = 14 makes all sixteen blocks approximate:

    y, x   0   2   4   6
     0    0   2   4   6
     2    2   4   6   8
     4    4   6   8  10
     6    6   8  10  12

    f(a, w) = a w - 2 sum over approximate blocks of [a_x = 3][w_y = 3] 2**(x + y)
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import Columns, sum_columns
from hw.netlist import CONST0, Netlist, NetlistBuilder


def recursive(*, limit: int, width: int = 8) -> Netlist:
    """Return the multiplier whose 2x2 blocks of weight below 2**limit are approximate.

    Kulkarni, Gupta and Ercegovac, VLSI Design 2011. An odd width has a zero above its highest
    bit, and the gates of that zero are not built.
    """
    if not 0 <= limit <= 2 * width:
        raise ValueError(f"Recursive limit must be 0 to {2 * width}, not {limit}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    columns: Columns = [[] for _ in range(2 * width)]
    for x in range(0, width, 2):
        for y in range(0, width, 2):
            block = _block(builder, x, y, approximate=x + y < limit)
            for position, net in enumerate(block):
                if net != CONST0:
                    columns[x + y + position].append(net)
    return builder.build(sum_columns(builder, columns))


def _block(builder: NetlistBuilder, x: int, y: int, *, approximate: bool) -> list[int]:
    a0, a1 = (*builder.act[x:x + 2], CONST0)[:2]
    w0, w1 = (*builder.weight[y:y + 2], CONST0)[:2]
    low, high = builder.and_(a0, w0), builder.and_(a1, w1)
    cross_a, cross_w = builder.and_(a1, w0), builder.and_(a0, w1)
    if approximate:
        return [low, builder.or_(cross_a, cross_w), high]
    middle, carry = builder.half_adder(cross_a, cross_w)
    return [low, middle, *builder.half_adder(high, carry)]


CITATION = "Kulkarni, Gupta and Ercegovac, VLSI Design, 2011"
ENTRIES = {f"mul8u_kulkarni_l{limit}": Entry(recursive, {"limit": limit}, CITATION)
           for limit in (2, 4, 6, 8, 10, 12, 14)}
