"""ALM: Mitchell's multiplier with an approximate adder for the low bits of the logarithms.

    log a          i . x x x | x x x x        width = 8, low = 4
    log w        + j . y y y | y y y y
                   sum       | s s s s
                           ^-- carry in: x AND y of the highest low bit

`set_one` makes the low bits of the sum 1, which lifts a product that Mitchell makes too small;
`lower_or` makes each the OR of the two it replaces:

    S = (log a >> low) + (log w >> low) + (x AND y of bit low - 1)     and the low bits below
    f(a, w) = 2**whole(S) (1 + fraction(S)), rounded down              f(0, w) = f(a, 0) = 0
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.logarithm import antilogarithm, logarithm
from hw.netlist import CONST1, Netlist, NetlistBuilder

ADDERS = ("set_one", "lower_or")


def approximate_log(*, adder: str, low: int, width: int = 8) -> Netlist:
    """Return ALM-SOA (`set_one`) or ALM-LOA (`lower_or`) with `low` approximate bits.

    Liu, Xu, Wang, Wang, Montuschi and Lombardi, IEEE Trans. Circuits and Systems I 65(9), 2018.
    """
    if adder not in ADDERS:
        raise ValueError(f"Logarithm adder must be one of {', '.join(ADDERS)}, not {adder!r}")
    if not 1 <= low < width:
        raise ValueError(f"Logarithm low bits must be 1 to {width - 1}, not {low}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    act, act_set = logarithm(builder, builder.act)
    weight, weight_set = logarithm(builder, builder.weight)
    below = [CONST1] * low if adder == "set_one" else [
        builder.or_(x, y) for x, y in zip(act[:low], weight[:low], strict=True)]
    carry = builder.and_(act[low - 1], weight[low - 1])
    total = [*below, *builder.ripple_add(act[low:], weight[low:], carry)]
    point = width - 1
    product = antilogarithm(builder, [*total[:point], CONST1], total[point:], fraction_bits=point,
                            product_bits=2 * width)
    valid = builder.and_(act_set, weight_set)
    return builder.build([builder.and_(valid, net) for net in product])


CITATION = "Liu et al., IEEE Trans. Circuits and Systems I 65(9), 2018"
ENTRIES = {f"mul8u_alm_{short}{low}": Entry(approximate_log, {"adder": adder, "low": low}, CITATION)
           for short, adder, low in (("soa", "set_one", 3), ("soa", "set_one", 4),
                                     ("soa", "set_one", 5), ("loa", "lower_or", 6))}
