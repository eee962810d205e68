"""ETM, the error tolerant multiplier: the high parts are multiplied, the low parts guessed.

Operands are split into `low` bits and the rest. One multiplier serves two cases:

    both high parts zero         a_l w_l, exact
    otherwise                    a_h w_h 2**(2 low), and below it no multiplication: from the
                                 left, the first pair of low bits with a one sets that product
                                 bit and all to the right of it

    width = 8, low = 4        a   0  1  0  1 | 0  0  1  0
                              w   0  0  1  1 | 0  1  0  0
    product    a_h w_h = 0 0 0 0 1 1 1 1     | 0  1  1  1  1  1  1  1

    f(a, w) = a_h w_h 2**(2 low) + m,  m = 2**(low + n) - 1 with n the bit length of a_l | w_l,
              m = 0 when that is zero

Zero is not kept: with a = 0 and a high weight the guess m stays.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import Columns, sum_columns
from hw.netlist import CONST0, Netlist, NetlistBuilder


def etm(*, low: int, width: int = 8) -> Netlist:
    """Return ETM whose low parts have `low` bits; the paper splits in halves.

    Kyaw, Goh and Yeo, IEEE Int. Conf. Electron Devices and Solid-State Circuits, 2010.
    """
    if not 1 <= low <= width // 2:
        raise ValueError(f"ETM low part must have 1 to {width // 2} bits, not {low}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    high = builder.any_of([*builder.act[low:], *builder.weight[low:]])
    size = width - low
    act, weight = (
        [builder.mux(high, operand[position] if position < low else CONST0,
                     operand[low + position]) for position in range(size)]
        for operand in (builder.act, builder.weight))
    columns: Columns = [[] for _ in range(2 * size)]
    for i, act_net in enumerate(act):
        for j, weight_net in enumerate(weight):
            columns[i + j].append(builder.and_(act_net, weight_net))
    product = sum_columns(builder, columns)
    guess, seen = [CONST0] * low, CONST0
    for position in range(low - 1, -1, -1):
        seen = builder.any_of([seen, builder.act[position], builder.weight[position]])
        guess[position] = seen
    guess = [seen] * low + guess
    outputs = []
    for position in range(2 * width):
        when_low = product[position] if position < min(2 * low, 2 * size) else CONST0
        when_high = guess[position] if position < 2 * low else product[position - 2 * low]
        outputs.append(builder.mux(high, when_low, when_high))
    return builder.build(outputs)


ENTRIES = {f"mul8u_etm_l{low}": Entry(etm, {"low": low}, "Kyaw, Goh and Yeo, EDSSC, 2010")
           for low in (2, 3, 4)}
