"""Radix-4 Booth multipliers: half the rows, each -2, -1, 0, 1 or 2 times the activation.

Weight bits (w_2i+1, w_2i, w_2i-1) give digit i, d_i = -2 w_2i+1 + w_2i + w_2i-1, and row i is
d_i a, a bit longer than a. A negative row is inverted, and a one (`n`) is added at its lowest
bit; its sign bit (`s`) enters inverted, with a constant that the ones of all rows make up:

    column  15 14 13 12 11 10  9  8  7  6  5  4  3  2  1  0      digit
                                  s  *  *  *  *  *  *  *  *         0
                            s  *  *  *  *  *  *  *  *     n         1
                      s  *  *  *  *  *  *  *  *     n               2        8-bit, signed
                s  *  *  *  *  *  *  *  *     n                     3
                                        n

    f(a, w) = a w = sum over i of d_i a 4**i

An unsigned weight has zeros above it, so one digit more for an even width; it is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hw.multipliers.families.columns import Columns, add_constant, sum_columns
from hw.netlist import CONST0, Netlist, NetlistBuilder


class Digit(NamedTuple):
    """A recoded digit: the nets of its three weight bits and what they mean."""

    high: int  # w_2i+1: inverted when set
    one: int  # digit is 1 or -1
    two: int  # digit is 2 or -2
    negative: int  # digit is below zero


# Net of a row's bit from the digit, bit j of the activation and bit j - 1.
Encoder = Callable[[NetlistBuilder, Digit, int, int], int]


def booth(*, signed: bool = False, width: int = 8) -> Netlist:
    """Return `act * weight` by radix-4 recoding of the weight, of either signedness.

    Booth, Quarterly J. Mechanics and Applied Mathematics 4(2), 1951; MacSorley, Proc. IRE 49(1),
    1961. The table is that of any exact multiplier.
    """
    builder = NetlistBuilder(act_width=width, weight_width=width)
    columns = booth_columns(builder, lambda _column: exact_bit, signed=signed)
    return builder.build(sum_columns(builder, columns), signed=signed)


def exact_bit(builder: NetlistBuilder, digit: Digit, bit: int, below: int) -> int:
    """Return bit j of `digit * act`, minus one when negative."""
    return builder.or_(builder.and_(digit.one, builder.xor(digit.high, bit)),
                       builder.and_(digit.two, builder.xor(digit.high, below)))


def booth_columns(builder: NetlistBuilder, encoder: Callable[[int], Encoder | None], *,
                  signed: bool) -> Columns:
    """Return the rows' dots, each made by the encoder of its column; None leaves it out.

    With a column also goes the one of a negative row that starts there. Signs and the constant
    are exact.
    """
    width = builder.act_width
    columns: Columns = [[] for _ in range(2 * width)]
    constant = 0
    for index, digit in enumerate(booth_digits(builder, builder.weight, signed=signed)):
        first = 2 * index
        # A signed row ends in its sign, an unsigned one has it beyond its highest bit.
        act = [CONST0, *builder.act, builder.act[-1] if signed else CONST0]
        for position in range(width if signed else width + 1):
            column = first + position
            encode = encoder(column) if column < len(columns) else None
            if encode is not None:
                columns[column].append(encode(builder, digit, act[position + 1], act[position]))
        if encoder(first) is not None:
            columns[first].append(digit.negative)
        sign = exact_bit(builder, digit, act[width + 1], act[width]) if signed else digit.negative
        column = first + (width if signed else width + 1)
        if sign != CONST0 and column < len(columns):
            columns[column].append(builder.not_(sign))  # -s = (1 - s) - 1
            constant -= 1 << column
    columns = [[net for net in column if net != CONST0] for column in columns]
    add_constant(columns, constant)
    return columns


def booth_digits(builder: NetlistBuilder, weight: Sequence[int], *, signed: bool) -> list[Digit]:
    """Return the digits of a weight, given by the nets of its bits, lowest first."""
    width = len(weight)
    above = weight[-1] if signed else CONST0
    bits = [CONST0, *weight, above, above]  # bits[k + 1] is weight bit k
    digits = []
    for index in range((width + 1) // 2 if signed else width // 2 + 1):
        low, middle, high = bits[2 * index:2 * index + 3]
        one = builder.xor(middle, low)
        digits.append(Digit(
            high=high, one=one, two=builder.andnot(builder.xor(high, middle), one),
            negative=builder.andnot(high, builder.and_(middle, low))))
    return digits
