"""Mitchell's logarithmic multiplier: add the logarithms, read the sum back.

With a = 2**i (1 + x) and w = 2**j (1 + y), 0 <= x, y < 1, log2(1 + x) is taken to be x:

    f(a, w) = 2**(i + j) (1 + x + y)          when x + y < 1
              2**(i + j + 1) (x + y)          otherwise,       rounded down
    f(0, w) = f(a, 0) = 0

Always low, by at most 1/9 of the product.
"""

from __future__ import annotations

from hw.netlist import CONST0, Netlist, NetlistBuilder


def mitchell(*, fraction_bits: int = 7, width: int = 8) -> Netlist:
    """Return the multiplier with `fraction_bits` of each logarithm's fraction kept.

    Mitchell, IRE Trans. Electronic Computers EC-11(4), 1962. width must be a power of two.
    """
    if width not in (4, 8, 16):
        raise ValueError(f"Mitchell width must be 4, 8 or 16, not {width}")
    if not 1 <= fraction_bits < width:
        raise ValueError(f"Mitchell fraction_bits must be 1 to {width - 1}, not {fraction_bits}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    act, act_set = _logarithm(builder, builder.act)
    weight, weight_set = _logarithm(builder, builder.weight)
    cut = width - 1 - fraction_bits
    total = builder.ripple_add(act[cut:], weight[cut:])
    fraction, whole = total[:fraction_bits], total[fraction_bits:]
    # 1.fraction shifted left by the whole part; bits below the point are dropped.
    mantissa = [*fraction, builder.or_(act_set, weight_set)]
    shifted = mantissa + [CONST0] * (2 * width - 1)
    for position, select in enumerate(whole):
        step = 1 << position
        shifted = [builder.mux(select, net, shifted[index - step] if index >= step else CONST0)
                   for index, net in enumerate(shifted)]
    valid = builder.and_(act_set, weight_set)
    product = [builder.and_(valid, net) for net in shifted[fraction_bits:fraction_bits + 2 * width]]
    return builder.build(product)


def _logarithm(builder: NetlistBuilder, operand: list[int]) -> tuple[list[int], int]:
    """Return (fraction then characteristic, least significant bit first; operand is not zero)."""
    width = len(operand)
    leading, above = [CONST0] * width, CONST0
    for position in range(width - 1, -1, -1):
        leading[position] = builder.andnot(operand[position], above)
        above = builder.or_(above, operand[position])
    characteristic = [
        builder.any_of([leading[p] for p in range(width) if p >> bit & 1])
        for bit in range((width - 1).bit_length())]
    # Fraction bit f (of width - 1) is the operand's bit `f + leading - (width - 1)`.
    fraction = [
        builder.any_of([builder.and_(leading[p], operand[f + p - (width - 1)])
                      for p in range(width) if f + p >= width - 1])
        for f in range(width - 1)]
    return [*fraction, *characteristic], above
