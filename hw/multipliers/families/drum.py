"""DRUM: an exact k x k multiplier on the leading bits of each operand.

Each operand of 2**k or more is cut to the k bits from its leading one down, the lowest of
which is set to 1 (the mean of what was cut), and the product is shifted back:

    a = 0 0 1 b b b b b     k = 3:  1 b 1 << 3     (bits below are dropped)
    t(a) = (a >> s | 1) << s  with s = bit length of a - k when that is positive, else a
    f(a, w) = t(a) t(w)

Relative error stays below a bound set by k and its mean is near zero; operands below 2**k are
exact, zero included.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import Columns, sum_columns
from hw.netlist import CONST0, Netlist, NetlistBuilder


def drum(*, bits: int, width: int = 8) -> Netlist:
    """Return DRUM(`bits`).

    Hashemi, Bahar and Reda, ICCAD 2015.
    """
    if not 2 <= bits < width:
        raise ValueError(f"DRUM bits must be 2 to {width - 1}, not {bits}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    act, act_shift = _leading_bits(builder, builder.act, bits)
    weight, weight_shift = _leading_bits(builder, builder.weight, bits)
    columns: Columns = [[] for _ in range(2 * bits)]
    for i, act_net in enumerate(act):
        for j, weight_net in enumerate(weight):
            columns[i + j].append(builder.and_(act_net, weight_net))
    product = sum_columns(builder, columns)
    for shift in (act_shift, weight_shift):
        product = _shift_left(builder, product, shift)
    return builder.build(product[:2 * width])


def _leading_bits(builder: NetlistBuilder, operand: list[int],
                  bits: int) -> tuple[list[int], list[int]]:
    """Return the `bits` leading bits and a one-hot of the shift 1, 2, ... that was taken out."""
    width = len(operand)
    one_hot = []  # entry s - 1: the leading one is bit s + bits - 1
    above = CONST0
    for position in range(width - 1, bits - 1, -1):
        one_hot.append(builder.andnot(operand[position], above))
        above = builder.or_(above, operand[position])
    one_hot.reverse()
    leading = []
    for position in range(bits):
        net = builder.andnot(operand[position], above)
        for shift, chosen in enumerate(one_hot, start=1):
            # Bit 0 of a shifted operand is the constant 1.
            source = chosen if position == 0 else builder.and_(chosen, operand[position + shift])
            net = builder.or_(net, source)
        leading.append(net)
    return leading, one_hot


def _shift_left(builder: NetlistBuilder, value: list[int], one_hot: list[int]) -> list[int]:
    """Return `value << s` where `one_hot[s - 1]` is set, `value` where none is."""
    none = builder.not_(builder.any_of(one_hot))
    shifted = []
    for position in range(len(value) + len(one_hot)):
        choices = [builder.and_(none, value[position])] if position < len(value) else []
        choices += [builder.and_(chosen, value[position - shift])
                    for shift, chosen in enumerate(one_hot, start=1)
                    if 0 <= position - shift < len(value)]
        shifted.append(builder.any_of(choices))
    return shifted


ENTRIES = {f"mul8u_drum_k{k}": Entry(drum, {"bits": k}, "Hashemi, Bahar and Reda, ICCAD, 2015")
           for k in (3, 4, 5, 6, 7)}
