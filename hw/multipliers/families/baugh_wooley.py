"""Signed array multipliers after Baugh and Wooley: exact, truncated and broken.

In two's complement the highest bit of an operand counts minus. Dots of one such bit (`o`) enter
inverted, and ones make up for it; with s(7) = -1 and s(i) = 1 else, exactly

    a w = sum of s(i) s(j) a_i w_j 2**(i + j)

    column  15 14 13 12 11 10  9  8  7  6  5  4  3  2  1  0      weight bit
             1                    1  o  *  *  *  *  *  *  *          0
                                  o  *  *  *  *  *  *  *             1
                               o  *  *  *  *  *  *  *                2
                                        ...
                 *  o  o  o  o  o  o  o                              7

Cutting leaves dots out, `horizontal` rows and `vertical` columns as in the broken array
multiplier. What is cut counts nothing, and the ones are those of the dots that stay:

    f(a, w) = sum over j >= horizontal, i + j >= vertical of s(i) s(j) a_i w_j 2**(i + j)

so zero stays zero. Without cuts f is the product, with a vertical one alone it is truncated.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import signed_partial_products, sum_columns
from hw.netlist import Netlist, NetlistBuilder


def baugh_wooley(*, horizontal: int = 0, vertical: int = 0, width: int = 8) -> Netlist:
    """Return the signed multiplier without its `horizontal` first rows and `vertical` columns.

    Baugh and Wooley, IEEE Trans. Computers C-22(12), 1973; the cuts are those of Mahdiani et al.,
    IEEE Trans. Circuits and Systems I 57(4), 2010.
    """
    if not 0 <= horizontal < width:
        raise ValueError(f"Horizontal cut must be 0 to {width - 1}, not {horizontal}")
    if not 0 <= vertical < 2 * width - 1:
        raise ValueError(f"Vertical cut must be 0 to {2 * width - 2}, not {vertical}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    dots = signed_partial_products(builder, lambda i, j: j >= horizontal and i + j >= vertical)
    return builder.build(sum_columns(builder, dots), signed=True)


CITATION = "Baugh and Wooley, IEEE Trans. Computers C-22(12), 1973"
ENTRIES = {
    "mul8s_exact": Entry(baugh_wooley, {}, CITATION),
    **{f"mul8s_trunc_c{c}": Entry(baugh_wooley, {"horizontal": 0, "vertical": c}, CITATION)
       for c in (2, 4, 6, 8, 10)},
    **{f"mul8s_bam_h{h}v{v}": Entry(baugh_wooley, {"horizontal": h, "vertical": v}, CITATION)
       for h, v in ((1, 4), (1, 6), (2, 6), (2, 8), (3, 9))},
}
