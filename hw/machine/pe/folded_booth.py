"""PE of exact products by Booth's recoding, its constants folded into what sums start from.

Operands are in two's complement: activations of 9 bits, weights of 8, whose four digits d_i
(`hw.multipliers.families.booth`) do not change while activations pass. Row i, d_i a, is inverted
where d_i is negative; its sign s_i enters inverted. What makes up for both depends on weights
alone, so that no PE adds it:

    column  16 15 14 13 12 11 10  9  8  7  6  5  4  3  2  1  0      digit
                                  s  *  *  *  *  *  *  *  *  *         0
                            s  *  *  *  *  *  *  *  *  *               1
                      s  *  *  *  *  *  *  *  *  *                     2
                s  *  *  *  *  *  *  *  *  *                           3

    f(a, w) = a w + f(0, w),   f(0, w) = OFFSET - sum over negative d_i of 4**i

OFFSET is what the inverted signs add. A column starts from minus the sum of its f(0, w):
`hw.rtl.array.column_start` adds up the second part while the weights of a tile pass by. Signs
without extension: Roorda, Electronics Letters 22(20), 1986.
"""

from __future__ import annotations

from functools import cache

from hw.machine.pe.kind import Adder, PeKind
from hw.machine.pe.operand_format import OPERAND_BITS, WIDE_TWOS_COMPLEMENT
from hw.multipliers.families.booth import booth_digits, exact_bit
from hw.multipliers.families.columns import Columns, sum_columns
from hw.netlist import CONST0, Netlist, NetlistBuilder

ACT_BITS, DIGITS = WIDE_TWOS_COMPLEMENT.bits, OPERAND_BITS // 2
OFFSET = sum(1 << ACT_BITS + 2 * index for index in range(DIGITS))


@cache
def folded_booth() -> Netlist:
    """Return f(act, weight), 17 bits, unsigned. It does not read the highest bit of weights."""
    builder = NetlistBuilder(act_width=ACT_BITS, weight_width=ACT_BITS)
    columns: Columns = [[] for _ in range(ACT_BITS + OPERAND_BITS)]
    act = [CONST0, *builder.act, builder.act[-1]]  # act[k + 1] is bit k
    digits = booth_digits(builder, builder.weight[:OPERAND_BITS], signed=True)
    for first, digit in zip(range(0, OPERAND_BITS, 2), digits, strict=True):
        row = [exact_bit(builder, digit, act[bit + 1], act[bit]) for bit in range(ACT_BITS + 1)]
        row[-1] = builder.not_(row[-1])
        for column, net in enumerate(row, start=first):
            columns[column].append(net)
    return builder.build(sum_columns(builder, columns))


FOLDED_BOOTH_PE = PeKind(name="folded Booth", operand=WIDE_TWOS_COMPLEMENT, adder=Adder.ADD,
                         circuit=folded_booth())
