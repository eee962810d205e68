"""ILM, the iterative logarithmic multiplier: Mitchell's without the carry, and then its error.

r(a) is a without its leading one, which stands at bit k(a). A basic block knows all of the
product but the product of the two rests:

    a w = 2**(k(a) + k(w)) + r(a) 2**k(w) + r(w) 2**k(a) + r(a) r(w)
        =      a 2**k(w)          +         r(w) 2**k(a) + r(a) r(w)

A correction is the same block on the rests, and so on: with n corrections

    f(a, w) = a w - r'(a) r'(w)        r' removes the n + 1 highest ones

    a          0  1  0  1  1  0  1  1       first block
    r(a)       .  .  0  1  1  0  1  1       first correction
    r(r(a))    .  .  .  .  1  0  1  1       second correction

Exact as soon as an operand has no more than n + 1 ones, zero included. `dropped` columns of
the sum are not built, each of the block's two terms being cut there.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.columns import Columns, sum_columns
from hw.multipliers.families.leading_one import shift_by_one_hot, split_leading_one
from hw.netlist import CONST0, Netlist, NetlistBuilder


def iterative_log(*, corrections: int, dropped: int = 0, width: int = 8) -> Netlist:
    """Return ILM with `corrections` blocks after the first, without `dropped` low columns.

    Babic, Avramovic and Bulic, Microprocessors and Microsystems 35(1), 2011; the cut is ours.
    """
    if not 0 <= corrections < width - 1:
        raise ValueError(f"ILM corrections must be 0 to {width - 2}, not {corrections}")
    if not 0 <= dropped < 2 * width:
        raise ValueError(f"ILM dropped columns must be 0 to {2 * width - 1}, not {dropped}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    columns: Columns = [[] for _ in range(2 * width)]
    act, weight = builder.act, builder.weight
    for _ in range(corrections + 1):
        act_leading, act_rest = split_leading_one(builder, act)
        weight_leading, weight_rest = split_leading_one(builder, weight)
        for value, one_hot in ((act, weight_leading), (weight_rest, act_leading)):
            for position, net in enumerate(shift_by_one_hot(builder, value, one_hot)):
                if position >= dropped and net != CONST0:
                    columns[position].append(net)
        act, weight = act_rest, weight_rest
    return builder.build(sum_columns(builder, columns))


CITATION = "Babic, Avramovic and Bulic, Microprocessors and Microsystems 35(1), 2011"
ENTRIES = {f"mul8u_ilm_n{n}d{d}": Entry(iterative_log, {"corrections": n, "dropped": d}, CITATION)
           for n, d in ((0, 0), (0, 8), (1, 0), (1, 6), (2, 0))}
