"""Mitchell's conversions: an operand to its binary logarithm, and back.

    a = 2**k (1 + x), 0 <= x < 1        log2 a is taken to be k + x        (and 2**(k + x) back)

    operand      0  0  1  b  b  b  b  b        width = 8, k = 5
    logarithm    1  0  1 .  b  b  b  b  b  0  0      k, then x as it stands, width - 1 bits

Shared by the multipliers that add logarithms.
"""

from __future__ import annotations

from hw.netlist import CONST0, NetlistBuilder


def logarithm(builder: NetlistBuilder, operand: list[int]) -> tuple[list[int], int]:
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


def antilogarithm(builder: NetlistBuilder, mantissa: list[int], whole: list[int], *,
                  fraction_bits: int, product_bits: int) -> list[int]:
    """Return `mantissa * 2**(whole - fraction_bits)`, rounded down, `product_bits` long.

    mantissa : nets, of which the lowest `fraction_bits` stand right of the point.
    whole : nets of the exponent, below `product_bits`.
    """
    shifted = mantissa + [CONST0] * (product_bits - 1)
    for position, select in enumerate(whole):
        step = 1 << position
        shifted = [builder.mux(select, net, shifted[index - step] if index >= step else CONST0)
                   for index, net in enumerate(shifted)]
    return shifted[fraction_bits:fraction_bits + product_bits]
