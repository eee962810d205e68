"""Product tables that are written in another convention than the one they are read in.

A table in the right convention is within some per cent of exact products; in a wrong one it is as
far off as a constant. So where another convention brings a table ten times nearer to exact
products it is named. Nothing is converted. An exchange of the operands cannot be seen so.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from hw.multipliers.base import operand_values

Table = npt.NDArray[np.integer]
Values = npt.NDArray[np.int64]
NEGLIGIBLE = 0.002  # below, a table is right whatever it may also be; one row off: 0.008
NEAR_CONSTANT = 0.5  # of a constant table about 0.85
CLEARLY_NEARER = 10.0  # how much nearer another convention must be
MAX_SHIFT = 8

UNSIGNED, SIGNED = operand_values(signed=False), operand_values(signed=True)
MAGNITUDES = np.where(UNSIGNED < 128, UNSIGNED, 128 - UNSIGNED)  # bit 7 is the sign
# What the operands of rows and columns may be, and what then has to be done.
AXES: tuple[tuple[str, str, Values, bool], ...] = (
    ("the axes run from -128 to 127, not in the order of codes",
     "np.roll(table, (128, 128), (0, 1)) reorders them", UNSIGNED - 128, True),
    ("operands are signed, two's complement", "it must be read as signed", SIGNED, True),
    ("operands are unsigned", "it must be read as unsigned", UNSIGNED, False),
    ("operands are sign and magnitude", "their codes must be two's complement", MAGNITUDES, True),
    ("the axes run from 1 to 256", "they must run from 0 to 255", UNSIGNED + 1, False),
    ("the axes run from 255 down to 0", "table[::-1, ::-1] reorders them", 255 - UNSIGNED, False),
)


def distance(table: Table, exact: Table) -> float:
    """Return the mean absolute error over the mean absolute product (`meaning`)."""
    return float(np.abs(table - exact).mean() / np.abs(exact).mean())


def suspicion(table: Table, *, signed: bool) -> str | None:
    """Return what is likely wrong with a table [256, 256] as it was read, or None.

    table : products by operand pattern, as `Multiplier.table`. signed : how it was read.
    """
    values = SIGNED if signed else UNSIGNED
    found = distance(table, np.multiply.outer(values, values))
    if found < NEGLIGIBLE:
        return None
    nearest, cause = min(_conventions(table))
    if nearest * CLEARLY_NEARER <= found:
        return (f"mean error is {100 * found:.3g} % of the mean product, "
                f"but {100 * nearest:.3g} % if {cause}")
    if found > NEAR_CONSTANT:
        return (f"mean error is {100 * found:.3g} % of the mean product, as of a constant: axes "
                "must be operand codes from 0, [activation, weight], and words little-endian")
    return None


def _conventions(table: Table) -> Iterator[tuple[float, str]]:
    """Yield the distance and the description of every convention a table may be in."""
    words = (table.astype(np.int64) & 0xFFFF).astype(np.uint16)
    for form, remedy, pattern in (("", "", words), (
            "words are big-endian", "table.byteswap() reorders them", words.byteswap())):
        for axes, reorder, operands, signed in AXES:
            exact = np.multiply.outer(operands, operands)
            products = (pattern.view(np.int16) if signed else pattern).astype(np.int64)
            plain = operands is UNSIGNED and bool(form)  # the usual axes need no mention
            causes = " and ".join(filter(None, (form, "" if plain else axes)))
            remedies = " and ".join(filter(None, (remedy, "" if plain else reorder)))
            yield distance(products, exact), f"{causes} ({remedies})"
    exact = np.multiply.outer(UNSIGNED, UNSIGNED)
    for shift in range(1, MAX_SHIFT + 1):
        yield (distance(words.astype(np.int64) << shift, exact),
               f"products are shifted right by {shift} (table << {shift} restores them)")
        yield (distance(table >> shift, exact),
               f"products are shifted left by {shift} (table >> {shift} restores them)")
    for name, exact in (("rows", np.multiply.outer(UNSIGNED + 1, UNSIGNED)),
                        ("columns", np.multiply.outer(UNSIGNED, UNSIGNED + 1))):
        yield (distance(words, exact),
               f"{name} run from 1 to 256 (they must run from 0 to 255)")
