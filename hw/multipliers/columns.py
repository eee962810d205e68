"""Dot diagrams: partial-product bits in columns of equal weight, and their reduction.

A `Columns` is a list of lists of nets; column c holds bits worth 2**c. Families decide which
bits enter and how some columns are compressed; the exact machinery here does the rest.
"""

from __future__ import annotations

from collections.abc import Callable

from hw.netlist import CONST0, NetlistBuilder

Columns = list[list[int]]


def partial_products(builder: NetlistBuilder,
                     keep: Callable[[int, int], bool] = lambda _act, _weight: True) -> Columns:
    """Return the AND array, bit `act[i] & weight[j]` in column i + j where `keep(i, j)`."""
    columns: Columns = [[] for _ in range(builder.act_width + builder.weight_width)]
    for i, act in enumerate(builder.act):
        for j, weight in enumerate(builder.weight):
            if keep(i, j):
                columns[i + j].append(builder.and_(act, weight))
    return columns


def reduce_dadda(builder: NetlistBuilder, columns: Columns) -> Columns:
    """Return equal-valued columns of at most two bits (Dadda, Alta Frequenza 1965).

    Each stage lowers the highest column to the next number of 2, 3, 4, 6, 9, 13, ... with as
    few adders as possible. Carries beyond the last column are dropped: the product fits.
    """
    columns = [[net for net in column if net != CONST0] for column in columns]
    heights = [2]
    while heights[-1] < max((len(column) for column in columns), default=0):
        heights.append(heights[-1] * 3 // 2)
    for height in reversed(heights):
        carries: list[int] = []
        for index, column in enumerate(columns):
            bits, carries = [*column, *carries], []
            while len(bits) > height:
                if len(bits) == height + 1:
                    total, carry = builder.half_adder(bits.pop(0), bits.pop(0))
                else:
                    total, carry = builder.full_adder(bits.pop(0), bits.pop(0), bits.pop(0))
                bits.append(total)
                carries.append(carry)
            columns[index] = bits
    return columns


def add_rows(builder: NetlistBuilder, columns: Columns) -> list[int]:
    """Return the product bits of columns of at most two bits, by a ripple-carry adder.

    Synthesis restructures the carry chain for the delay it is asked for.
    """
    product, carry = [], CONST0
    for column in columns:
        first, second = (*column, CONST0, CONST0)[:2]
        total, carry = builder.full_adder(first, second, carry)
        product.append(total)
    return product


def sum_columns(builder: NetlistBuilder, columns: Columns) -> list[int]:
    """Return the bits of the sum of all columns, as many as there are columns."""
    return add_rows(builder, reduce_dadda(builder, columns))
