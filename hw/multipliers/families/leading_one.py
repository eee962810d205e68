"""Leading ones and shifts by them: `2**k <= a < 2**(k + 1)` as a one-hot word with bit k set.

    a          0  0  1  b  b  b  b  b
    one-hot    0  0  1  0  0  0  0  0
    rest       0  0  0  b  b  b  b  b

What logarithms, roundings and shifts start from.
"""

from __future__ import annotations

from hw.netlist import CONST0, NetlistBuilder


def split_leading_one(builder: NetlistBuilder,
                      value: list[int]) -> tuple[list[int], list[int]]:
    """Return the leading one as a one-hot word, and the value without it; zeros for zero."""
    one_hot, rest, above = [CONST0] * len(value), [CONST0] * len(value), CONST0
    for position in range(len(value) - 1, -1, -1):
        one_hot[position] = builder.andnot(value[position], above)
        rest[position] = builder.and_(value[position], above)
        above = builder.or_(above, value[position])
    return one_hot, rest


def shift_by_one_hot(builder: NetlistBuilder, value: list[int], one_hot: list[int]) -> list[int]:
    """Return `value << k` for the set bit k of `one_hot`, 0 for none; no bit falls off."""
    return [builder.any_of([builder.and_(one_hot[shift], value[position - shift])
                            for shift in range(len(one_hot))
                            if 0 <= position - shift < len(value)])
            for position in range(len(value) + len(one_hot) - 1)]
