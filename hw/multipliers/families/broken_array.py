"""Broken array multiplier (BAM): carry-save cells beyond two cuts are left out.

`horizontal` = 2 rows (weight bits 0 and 1) and `vertical` = 6 columns:

    column  15 14 13 12 11 10  9  8  7  6  5  4  3  2  1  0      weight bit
                                         .  .  .  .  .  .  .  .      0
                                      .  .  .  .  .  .  .  .         1
                                   *  *  *  *  .  .  .  .            2
                                *  *  *  *  *  .  .  .               3
                             *  *  *  *  *  *  .  .                  4
                          *  *  *  *  *  *  *  .                     5
                       *  *  *  *  *  *  *  *                        6
                    *  *  *  *  *  *  *  *                           7

    f(a, w) = sum over j >= horizontal, i + j >= vertical of a_i w_j 2**(i + j)

With only a vertical cut it equals the truncated multiplier.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import partial_products, sum_columns
from hw.netlist import Netlist, NetlistBuilder


def broken_array(*, horizontal: int, vertical: int, width: int = 8) -> Netlist:
    """Return the BAM with its `horizontal` first rows and `vertical` first columns left out.

    Mahdiani et al., IEEE Trans. Circuits and Systems I 57(4), 2010.
    """
    if not 0 <= horizontal < width:
        raise ValueError(f"Horizontal cut must be 0 to {width - 1}, not {horizontal}")
    if not 0 <= vertical < 2 * width:
        raise ValueError(f"Vertical cut must be 0 to {2 * width - 1}, not {vertical}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    dots = partial_products(builder, lambda i, j: j >= horizontal and i + j >= vertical)
    return builder.build(sum_columns(builder, dots))


CITATION = "Mahdiani et al., IEEE Trans. Circuits and Systems I 57(4), 2010"
ENTRIES = {
    f"mul8u_bam_h{h}v{v}": Entry(broken_array, {"horizontal": h, "vertical": v}, CITATION)
    for h, v in ((1, 4), (1, 6), (1, 7), (2, 6), (2, 7), (2, 8), (3, 8), (3, 9), (4, 10))}
