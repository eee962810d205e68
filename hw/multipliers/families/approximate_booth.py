"""Approximate radix-4 Booth multipliers: low columns with simpler encoders, or with none.

Bit j of row i is, exactly, with weight bits (h, m, l) = (w_2i+1, w_2i, w_2i-1),

    (m ^ l) (h ^ a_j) | (h ^ m) ~(m ^ l) (h ^ a_j-1)

Columns below `columns` replace it:

    encoder   bit                       wrong for (of 32 patterns of h, m, l, a_j, a_j-1)
    abe1      (m ^ l) (h ^ a_j)         4: twice the activation counts 0
    abe2      h ^ a_j                   8: twice counts once, and 0 is 0 or -1
    single    [digit not 0] (h ^ a_j)   4: twice the activation counts once

    column  15 14 13 12 11 10  9  8  7  6 | 5  4  3  2  1  0      digit
                                  s  *  * | o  o  o  o  o  o         0
                            s  *  *  *  * | o  o  o  o     n         1        columns = 6
                      s  *  *  *  *  *  * | o  o     n               2
                s  *  *  *  *  *  *  *  * |    n                     3

    f(a, w) = a w + sum over i of (o bits - exact bits of row i) 4**i

`broken_booth` does not build the columns below `vertical` at all, `o` and `n` alike. Signs,
their constant and, in `approximate_booth`, the ones (`n`) of negative rows stay exact. Both are
signed only: errors of either sign make small products negative, which unsigned ones cannot be.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.booth import Digit, Encoder, booth_columns, exact_bit
from hw.multipliers.families.columns import sum_columns
from hw.netlist import Netlist, NetlistBuilder


def _abe1(b: NetlistBuilder, digit: Digit, bit: int, _below: int) -> int:
    return b.and_(digit.one, b.xor(digit.high, bit))


def _abe2(b: NetlistBuilder, digit: Digit, bit: int, _below: int) -> int:
    return b.xor(digit.high, bit)


def _single(b: NetlistBuilder, digit: Digit, bit: int, _below: int) -> int:
    return b.and_(b.or_(digit.one, digit.two), b.xor(digit.high, bit))


ENCODERS: dict[str, Encoder] = {"abe1": _abe1, "abe2": _abe2, "single": _single}


def approximate_booth(*, encoder: str, columns: int, width: int = 8) -> Netlist:
    """Return the signed Booth multiplier whose bits below column `columns` use `encoder`.

    `abe1` and `abe2` are the encoders R4ABE1 and R4ABE2 of Liu, Qian, Wang, Jiang, Han and
    Lombardi, IEEE Trans. Computers 66(8), 2017, `columns` their approximation factor p; `single`
    is after the generator PPG-2S of Venkatachalam, Adams, Lee and Ko, IEEE Trans. Computers
    68(11), 2019.
    """
    if encoder not in ENCODERS:
        raise ValueError(f"Booth encoder must be one of {', '.join(ENCODERS)}, not {encoder!r}")
    _check(columns, width)
    builder = NetlistBuilder(act_width=width, weight_width=width)
    dots = booth_columns(
        builder, lambda column: ENCODERS[encoder] if column < columns else exact_bit, signed=True)
    return builder.build(sum_columns(builder, dots), signed=True)


def broken_booth(*, vertical: int, width: int = 8) -> Netlist:
    """Return the signed Booth multiplier without its `vertical` low columns.

    After Farshchi, Abrishami and Fakhraie, CADS 2013.
    """
    _check(vertical, width)
    builder = NetlistBuilder(act_width=width, weight_width=width)
    dots = booth_columns(
        builder, lambda column: None if column < vertical else exact_bit, signed=True)
    return builder.build(sum_columns(builder, dots), signed=True)


def _check(columns: int, width: int) -> None:
    if not 0 <= columns <= width:  # from there on stand the signs
        raise ValueError(f"Booth columns must be 0 to {width}, not {columns}")


CITATIONS = {
    "abe1": "Liu et al., IEEE Trans. Computers 66(8), 2017 (R4ABE1)",
    "abe2": "Liu et al., IEEE Trans. Computers 66(8), 2017 (R4ABE2)",
    "single": "after Venkatachalam et al., IEEE Trans. Computers 68(11), 2019 (PPG-2S)",
}
FARSHCHI = "after Farshchi, Abrishami and Fakhraie, CADS, 2013"
ENTRIES = {
    **{f"mul8s_booth_{encoder}_c{c}": Entry(approximate_booth, {"encoder": encoder, "columns": c},
                                            citation)
       for encoder, citation in CITATIONS.items() for c in (4, 6, 8)},
    **{f"mul8s_bbm_v{v}": Entry(broken_booth, {"vertical": v}, FARSHCHI) for v in (3, 5, 7, 8)},
}
