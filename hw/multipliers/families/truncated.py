"""Truncated multipliers: the cheapest columns are not built.

`columns` = 4, with `.` for a dropped partial product:

    column  15 14 13 12 11 10  9  8  7  6  5  4  3  2  1  0
                 *  *  *  *  *  *  *  *  *  *  *  .  .  .  .
                    *  *  *  *  *  *  *  *  *  *  .  .  .
                       *  *  *  *  *  *  *  *  *  .  .
                          *  *  *  *  *  *  *  *  .
                             *  *  *  *  *  *  *
                                *  *  *  *  *
                                   *  *  *
                                      *

    f(a, w) = a w - sum over i + j < columns of a_i w_j 2**(i + j)

Worst case: every dropped bit set, sum over c < columns of (c + 1) 2**c = (columns - 1)
2**columns + 1 for columns <= width; the mean over all operand pairs is a quarter of it.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import add_constant, partial_products, sum_columns
from hw.netlist import Netlist, NetlistBuilder


def truncated(*, columns: int, width: int = 8) -> Netlist:
    """Return the multiplier without its `columns` least significant columns.

    Schulte and Swartzlander, VLSI Signal Processing VI, 1993, without the correction constant
    (that is `constant_correction`), so that 0 x 0 stays 0.
    """
    _check(columns, width)
    builder = NetlistBuilder(act_width=width, weight_width=width)
    dots = partial_products(builder, lambda i, j: i + j >= columns)
    return builder.build(sum_columns(builder, dots))


def constant_correction(*, columns: int, width: int = 8) -> Netlist:
    """Return the truncated multiplier plus the mean of what it drops.

    A dropped bit is set for a quarter of the operand pairs. The mean is rounded to a multiple of
    2**columns, halves up, because no lower column exists:

        f(a, w) = a w - sum over i + j < columns of a_i w_j 2**(i + j) + C
        C = round(sum over i + j < columns of 2**(i + j) / 4 / 2**columns) 2**columns

    Schulte and Swartzlander, VLSI Signal Processing VI, 1993. 0 x 0 is C and not 0; nothing is
    added for the rounding of the product to fewer bits, for it keeps all.
    """
    _check(columns, width)
    builder = NetlistBuilder(act_width=width, weight_width=width)
    dots = partial_products(builder, lambda i, j: i + j >= columns)
    dropped = sum(1 << i + j for i in range(width) for j in range(width) if i + j < columns)
    add_constant(dots, (dropped + (2 << columns)) // (4 << columns) << columns)
    return builder.build(sum_columns(builder, dots))


def variable_correction(*, columns: int, width: int = 8) -> Netlist:
    """Return the truncated multiplier whose highest dropped column is moved up by one.

    Its dots count double, which makes up for the columns below on average:

        f(a, w) = a w - sum over i + j < columns of a_i w_j 2**(i + j)
                      + sum over i + j = columns - 1 of a_i w_j 2**columns

    King and Swartzlander, Asilomar Conf. Signals, Systems and Computers, 1997. Zero stays zero.
    """
    _check(columns, width)
    builder = NetlistBuilder(act_width=width, weight_width=width)
    dots = partial_products(builder, lambda i, j: i + j >= columns - 1)
    if columns:
        dots[columns] += dots[columns - 1]
        dots[columns - 1] = []
    return builder.build(sum_columns(builder, dots))


def operand_truncated(*, act_bits: int, weight_bits: int, width: int = 8) -> Netlist:
    """Return the product of operands whose low bits are cut.

        f(a, w) = (a - a mod 2**act_bits) (w - w mod 2**weight_bits)

    The plainest approximation there is, and the baseline for all others. Unequal cuts spend
    the error on the operand that can bear it, and are not commutative.
    """
    for label, bits in (("act_bits", act_bits), ("weight_bits", weight_bits)):
        if not 0 <= bits < width:
            raise ValueError(f"Operand {label} must be 0 to {width - 1}, not {bits}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    dots = partial_products(builder, lambda i, j: i >= act_bits and j >= weight_bits)
    return builder.build(sum_columns(builder, dots))


def _check(columns: int, width: int) -> None:
    if not 0 <= columns < 2 * width - 1:
        raise ValueError(f"Truncated columns must be 0 to {2 * width - 2}, not {columns}")


SCHULTE = "Schulte and Swartzlander, VLSI Signal Processing VI, 1993"
KING = "King and Swartzlander, Asilomar Conf. Signals Systems Computers, 1997"
PLAIN = "plain operand truncation, the baseline of the field"
ENTRIES = {
    **{f"mul8u_trunc_c{c}": Entry(truncated, {"columns": c}, SCHULTE) for c in range(1, 12)},
    **{f"mul8u_trunccc_c{c}": Entry(constant_correction, {"columns": c}, SCHULTE)
       for c in range(5, 11)},
    **{f"mul8u_truncvc_c{c}": Entry(variable_correction, {"columns": c}, KING)
       for c in range(3, 12)},
    **{f"mul8u_optrunc_a{a}w{w}": Entry(operand_truncated, {"act_bits": a, "weight_bits": w}, PLAIN)
       for a in range(5) for w in range(5) if a or w},
    "mul8u_optrunc_a5w4": Entry(operand_truncated, {"act_bits": 5, "weight_bits": 4}, PLAIN),
}
# Behind a converter for each row of an array. A single bit is cut: rounding it gains nothing.
ROUNDED_ENTRIES = {
    f"mul8u_opround_a{a}w{w}": Entry(operand_truncated, {"act_bits": a, "weight_bits": w}, PLAIN,
                                     act_rounding=a)
    for a, w in (*((a, w) for a in (2, 3, 4) for w in range(5)), (5, 4))}
