"""Dot diagrams: partial-product bits in columns of equal weight, and their reduction.

A `Columns` is a list of lists of nets; column c holds bits worth 2**c. Families decide which
bits enter and how some columns are compressed; the exact machinery here does the rest.
"""

from __future__ import annotations

from collections.abc import Callable

from hw.netlist import CONST0, CONST1, NetlistBuilder

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


def signed_partial_products(builder: NetlistBuilder,
                            keep: Callable[[int, int], bool] = lambda _act, _weight: True,
                            ) -> Columns:
    """Return the array of two's complement operands (Baugh and Wooley, 1973), where kept.

    A dot with one sign bit counts -1: it enters inverted, and the constant that this leaves
    over enters as ones (`add_constant`).
    """
    columns = partial_products(builder, keep)
    sign_act, sign_weight = builder.act[-1], builder.weight[-1]
    constant = 0
    for i, act in enumerate(builder.act):
        for j, weight in enumerate(builder.weight):
            if keep(i, j) and (act == sign_act) != (weight == sign_weight):
                place = columns[i + j].index(builder.and_(act, weight))
                columns[i + j][place] = builder.nand(act, weight)  # -x = (1 - x) - 1
                constant -= 1 << (i + j)
    add_constant(columns, constant)
    return columns


def add_constant(columns: Columns, value: int) -> None:
    """Add `value`, of either sign, modulo 2**(number of columns)."""
    for position, column in enumerate(columns):
        if value >> position & 1:
            column.append(CONST1)


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


def reduce_wallace(builder: NetlistBuilder, columns: Columns) -> Columns:
    """Return equal-valued columns of at most two bits (Wallace, 1964).

    Each stage puts every three bits of a column through a full adder, and two that are left
    over through a half adder: as shallow as Dadda's tree, with more half adders.
    """
    columns = [[net for net in column if net != CONST0] for column in columns]
    while max((len(column) for column in columns), default=0) > 2:
        carries: list[int] = []
        for index, bits in enumerate(columns):
            sums, arriving, carries = bits[len(bits) - len(bits) % 3:], carries, []
            if len(sums) == 2:
                total, carry = builder.half_adder(*sums)
                sums = [total]
                carries.append(carry)
            for start in range(0, len(bits) - 2, 3):
                total, carry = builder.full_adder(*bits[start:start + 3])
                sums.append(total)
                carries.append(carry)
            columns[index] = sums + arriving
    return columns


def reduce_array(builder: NetlistBuilder, columns: Columns) -> Columns:
    """Return equal-valued columns of at most two bits, one row of carry-save adders a stage.

    A stage takes the next bit of each column, the sum that the stage before left there, and
    the carry that it left to the right (Braun, Digital Computer Design, 1963). Columns left of
    the highest join late, as the rows of a multiplier lean to the left.
    """
    heights = [len(column) for column in columns]
    stages = max(heights, default=0)
    peak = heights.index(stages) if heights else 0
    held: Columns = [[] for _ in columns]
    for stage in range(stages):
        carries: list[int] = []
        for index, column in enumerate(columns):
            first = stages - heights[index] if index > peak else 0
            row, arriving, carries = held[index], carries, []
            if first <= stage < first + heights[index]:
                row.append(column[stage - first])
            if len(row) > 1:
                total, carry = builder.full_adder(*row, *[CONST0] * (3 - len(row)))
                row[:] = [total]
                carries.append(carry)
            row += [net for net in arriving if net != CONST0]
    return held


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
