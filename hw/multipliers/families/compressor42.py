"""Multipliers with approximate 4:2 compressors in their low columns.

A 4:2 compressor without carry input and output turns four bits of a column into a sum bit and
a carry. It cannot be exact, for four set bits need three. Columns below `limit` are reduced
with it until at most two bits are left; from `limit` on, Dadda's exact adders take over.

    column  15 14 13 12 11 10  9  8 | 7  6  5  4  3  2  1  0        limit = 8
            full and half adders    | approximate compressors

The idea is Momeni, Han, Montuschi and Lombardi's (IEEE Trans. Computers 64(4), 2015). What the
designs make of the count of set bits, inputs in two pairs (x1, x2), (x3, x4):

    name      sum                               carry             wrong for
    saturate  x1^x2^x3^x4 | x1x2x3x4            at least two      4 -> 3
    wrap      x1^x2^x3^x4                       at least two      4 -> 2
    pairs     (x1^x2) | (x3^x4)                 x1x2 | x3x4       one of each pair -> 1, 4 -> 2
    pairs3    (x1^x2) | (x3^x4) | x1x2x3x4      x1x2 | x3x4       one of each pair -> 1, 4 -> 3
    merge     (x1|x2) ^ (x3|x4)                 (x1|x2)(x3|x4)    a full pair counts one
    or4       x1 | x2 | x3 | x4                 0                 two and more -> 1
    momeni    ~(x1^x2) | ~(x3^x4)               (x1|x2)(x3|x4)    0 -> 1, one full pair -> 1, 4 -> 3

All but `momeni`, Momeni et al.'s design 2, keep zero, which padding and idle PEs rely on.
`saturate` is ACCI1 of Yang, Han and Lombardi (DFTS 2015); `wrap` the inaccurate 4:2 counter of Lin
and Lin (ICCD 2013); `pairs` the approximate part of DQ4:2C4 of Akbari et al. (IEEE Trans. VLSI
Systems 25(4), 2017); `pairs3` that of Venkatachalam and Ko (IEEE Trans. VLSI Systems 25(5), 2017),
here on plain partial products; `merge` puts a half adder behind two of the 2/1 compressors, which
are ORs, of Esposito et al. (IEEE Trans. Circuits and Systems I 65(12), 2018); `or4` is the OR of
up to four bits that Venkatachalam and Ko use for their rarely set generate terms.
"""

from __future__ import annotations

from collections.abc import Callable

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import partial_products, sum_columns
from hw.netlist import CONST0, Netlist, NetlistBuilder

Compressor = Callable[[NetlistBuilder, int, int, int, int], tuple[int, int]]


def _saturate(b: NetlistBuilder, x1: int, x2: int, x3: int, x4: int) -> tuple[int, int]:
    left, right = b.and_(x1, x2), b.and_(x3, x4)
    odd = b.xor(b.xor(x1, x2), b.xor(x3, x4))
    across = b.and_(b.or_(x1, x2), b.or_(x3, x4))
    return b.or_(odd, b.and_(left, right)), b.or_(across, b.or_(left, right))


def _wrap(b: NetlistBuilder, x1: int, x2: int, x3: int, x4: int) -> tuple[int, int]:
    odd = b.xor(b.xor(x1, x2), b.xor(x3, x4))
    across = b.and_(b.or_(x1, x2), b.or_(x3, x4))
    return odd, b.or_(across, b.or_(b.and_(x1, x2), b.and_(x3, x4)))


def _pairs(b: NetlistBuilder, x1: int, x2: int, x3: int, x4: int) -> tuple[int, int]:
    return b.or_(b.xor(x1, x2), b.xor(x3, x4)), b.or_(b.and_(x1, x2), b.and_(x3, x4))


def _pairs3(b: NetlistBuilder, x1: int, x2: int, x3: int, x4: int) -> tuple[int, int]:
    left, right = b.and_(x1, x2), b.and_(x3, x4)
    odd = b.or_(b.xor(x1, x2), b.xor(x3, x4))
    return b.or_(odd, b.and_(left, right)), b.or_(left, right)


def _merge(b: NetlistBuilder, x1: int, x2: int, x3: int, x4: int) -> tuple[int, int]:
    return b.half_adder(b.or_(x1, x2), b.or_(x3, x4))


def _or4(b: NetlistBuilder, x1: int, x2: int, x3: int, x4: int) -> tuple[int, int]:
    return b.or_(b.or_(x1, x2), b.or_(x3, x4)), CONST0


def _momeni(b: NetlistBuilder, x1: int, x2: int, x3: int, x4: int) -> tuple[int, int]:
    return (b.or_(b.xnor(x1, x2), b.xnor(x3, x4)),
            b.and_(b.or_(x1, x2), b.or_(x3, x4)))


COMPRESSORS: dict[str, Compressor] = {
    "saturate": _saturate, "wrap": _wrap, "pairs": _pairs, "pairs3": _pairs3, "merge": _merge,
    "or4": _or4, "momeni": _momeni}


def compressor42(*, design: str, limit: int, width: int = 8) -> Netlist:
    """Return the multiplier whose columns below `limit` use the compressor `design`.

    In each stage a column is cut into fours from its oldest bit; three bits left over go
    through a full adder, one or two wait. Stages go on until no low column has over two bits.
    """
    if design not in COMPRESSORS:
        raise ValueError(f"Compressor design must be one of {', '.join(COMPRESSORS)}, "
                         f"not {design!r}")
    if not 0 <= limit <= 2 * width:
        raise ValueError(f"Compressor limit must be 0 to {2 * width}, not {limit}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    columns = partial_products(builder)
    compress = COMPRESSORS[design]
    while any(len(column) > 2 for column in columns[:limit]):
        carries: list[int] = []
        for index in range(limit):
            bits, column = columns[index], []
            arriving, carries = carries, []
            while len(bits) >= 3:
                if len(bits) >= 4:
                    total, carry = compress(builder, *bits[:4])
                    bits = bits[4:]
                else:
                    total, carry = builder.full_adder(*bits)
                    bits = []
                column.append(total)
                carries.append(carry)
            columns[index] = [net for net in (*column, *bits, *arriving) if net != CONST0]
        if limit < len(columns):
            columns[limit] += [net for net in carries if net != CONST0]
    return builder.build(sum_columns(builder, columns))


CITATIONS = {
    "saturate": "Yang, Han and Lombardi, DFTS, 2015 (ACCI1)",
    "wrap": "Lin and Lin, ICCD, 2013",
    "pairs": "Akbari et al., IEEE Trans. VLSI Systems 25(4), 2017 (DQ4:2C4)",
    "pairs3": "after Venkatachalam and Ko, IEEE Trans. VLSI Systems 25(5), 2017",
    "merge": "after Esposito et al., IEEE Trans. Circuits and Systems I 65(12), 2018",
    "or4": "after Venkatachalam and Ko, IEEE Trans. VLSI Systems 25(5), 2017",
    "momeni": "Momeni et al., IEEE Trans. Computers 64(4), 2015 (design 2)",
}
ENTRIES = {
    f"mul8u_ac42_{design}_c{limit}": Entry(compressor42, {"design": design, "limit": limit},
                                           CITATIONS[design])
    for design, limits in {
        "saturate": (5, 6, 8, 12), "wrap": (4, 8, 11), "pairs": (6, 8, 10), "pairs3": (5, 7, 9),
        "merge": (6, 8, 10, 12), "or4": (5, 7, 9, 11), "momeni": (6, 8, 10)}.items()
    for limit in limits}
