"""RoBA: both operands rounded to powers of two, and the product of what is lost left out.

r(a) is the power of two nearest to a; halfway (6, 12, 24, ...) rounds up, but 3 rounds to 2,
and r(0) = 0. Then

    a w = r(a) w + r(w) a - r(a) r(w) + (a - r(a)) (w - r(w))
    f(a, w) = r(a) w + r(w) a - r(a) r(w)

    a          0  0  1  1  0  1  1  0          54
    r(a)       0  1  0  0  0  0  0  0          64, so r(a) w is a shift

Errors have either sign: too large where one operand rounds up and the other down.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import Columns, sum_columns
from hw.multipliers.families.leading_one import shift_by_one_hot, split_leading_one
from hw.netlist import CONST0, CONST1, Netlist, NetlistBuilder


def roba(*, width: int = 8) -> Netlist:
    """Return the unsigned RoBA multiplier, its subtraction exact.

    Zendegani et al., IEEE Trans. VLSI Systems 25(2), 2017.
    """
    builder = NetlistBuilder(act_width=width, weight_width=width)
    act, weight = _rounded(builder, builder.act), _rounded(builder, builder.weight)
    columns: Columns = [[] for _ in range(2 * width)]
    both = shift_by_one_hot(builder, act, weight)
    terms = (shift_by_one_hot(builder, builder.weight, act),
             shift_by_one_hot(builder, builder.act, weight),
             # Minus r(a) r(w), in two's complement of the product's width.
             [builder.not_(net) for net in both], [CONST1])
    for term in terms:
        for column, net in zip(columns, term, strict=False):  # bits beyond the product fall off
            if net != CONST0:
                column.append(net)
    return builder.build(sum_columns(builder, columns))


def _rounded(builder: NetlistBuilder, value: list[int]) -> list[int]:
    """Return the nearest power of two as a one-hot word, one bit longer than the value."""
    leading, _ = split_leading_one(builder, value)
    up = [CONST0, CONST0, *(builder.and_(one, value[position - 1])
                            for position, one in enumerate(leading) if position >= 2)]
    return [builder.or_(builder.andnot(one, goes_up), comes_up) for one, goes_up, comes_up in
            zip([*leading, CONST0], [*up, CONST0], [CONST0, *up], strict=True)]


ENTRIES = {"mul8u_roba": Entry(roba, {}, "Zendegani et al., IEEE Trans. VLSI Systems 25(2), 2017")}
