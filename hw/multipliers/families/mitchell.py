"""Mitchell's logarithmic multiplier: add the logarithms, read the sum back.

With a = 2**i (1 + x) and w = 2**j (1 + y), 0 <= x, y < 1, log2(1 + x) is taken to be x:

    f(a, w) = 2**(i + j) (1 + x + y)          when x + y < 1
              2**(i + j + 1) (x + y)          otherwise,       rounded down
    f(0, w) = f(a, 0) = 0

    log a        i . x x x x | . . .          width = 8, fraction_bits = 4
    log w      + j . y y y y | . . .          the bits right of the bar are not added

Always low, by at most 1/9 of the product.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.logarithm import antilogarithm, logarithm
from hw.netlist import Netlist, NetlistBuilder


def mitchell(*, fraction_bits: int = 7, width: int = 8) -> Netlist:
    """Return the multiplier with `fraction_bits` of each logarithm's fraction kept.

    Mitchell, IRE Trans. Electronic Computers EC-11(4), 1962.
    """
    if not 1 <= fraction_bits < width:
        raise ValueError(f"Mitchell fraction_bits must be 1 to {width - 1}, not {fraction_bits}")
    builder = NetlistBuilder(act_width=width, weight_width=width)
    act, act_set = logarithm(builder, builder.act)
    weight, weight_set = logarithm(builder, builder.weight)
    cut = width - 1 - fraction_bits
    total = builder.ripple_add(act[cut:], weight[cut:])
    fraction, whole = total[:fraction_bits], total[fraction_bits:]
    # 1.fraction shifted left by the whole part; bits below the point are dropped.
    mantissa = [*fraction, builder.or_(act_set, weight_set)]
    product = antilogarithm(builder, mantissa, whole, fraction_bits=fraction_bits,
                            product_bits=2 * width)
    valid = builder.and_(act_set, weight_set)
    return builder.build([builder.and_(valid, net) for net in product])


CITATION = "Mitchell, IRE Trans. Electronic Computers EC-11(4), 1962"
ENTRIES = {f"mul8u_mitchell_f{f}": Entry(mitchell, {"fraction_bits": f}, CITATION)
           for f in (2, 3, 5, 7)}
