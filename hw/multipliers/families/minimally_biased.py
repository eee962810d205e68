"""MBM, the minimally biased multiplier: Mitchell's, plus the mean of what it lacks.

With a = 2**i (1 + x) and w = 2**j (1 + y) Mitchell's product lacks, in units of 2**(i + j), xy
when x + y < 1 and (1 - x)(1 - y) otherwise: 1/12 on average. The nearest short constant is
added before the sum is scaled:

    c = 0.000101 binary = 5/64 = 0.078
    f(a, w) = 2**(i + j) (1 + x + y + c)          when x + y < 1
              2**(i + j + 1) (x + y + c/2)        otherwise,       rounded down
    f(0, w) = f(a, 0) = 0

    x + y        1 . s  s  s  s  s  s  s
    c          +   . 0  0  0  1  0  1  0         c/2 = 0 . 0 0 0 0 1 0 1

Where the corrected product would need a bit more than it has, the constant is left out.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families.logarithm import antilogarithm, logarithm
from hw.netlist import CONST0, CONST1, Netlist, NetlistBuilder

CONSTANT_BITS = 7  # c/2 = 5/128 has that many right of the point


def minimally_biased(*, width: int = 8) -> Netlist:
    """Return MBM with all fraction bits.

    Saadat, Bokhari and Parameswaran, IEEE Trans. CAD of Integrated Circuits and Systems 37(11),
    2018.
    """
    builder = NetlistBuilder(act_width=width, weight_width=width)
    act, act_set = logarithm(builder, builder.act)
    weight, weight_set = logarithm(builder, builder.weight)
    # Fractions shorter than the constant are continued with zeros.
    point = max(width - 1, CONSTANT_BITS)
    zeros = [CONST0] * (point - (width - 1))
    *fraction, carry = builder.ripple_add([*zeros, *act[:width - 1]], [*zeros, *weight[:width - 1]])
    whole = builder.ripple_add(act[width - 1:], weight[width - 1:], carry)
    constant = [CONST0] * point
    for bit in (0, 2):  # 5 = 101 binary, its last bit worth 2**-7 after a carry and 2**-6 else
        place = point - CONSTANT_BITS + bit
        constant[place:place + 2] = [carry, builder.not_(carry)]
    *corrected, over = builder.ripple_add(fraction, constant)
    # The product has 2 * width bits: no room for 10.f at the largest exponent.
    smaller = builder.any_of([builder.not_(net) if (2 * width - 1) >> bit & 1 else net
                              for bit, net in enumerate(whole)])
    full = builder.andnot(over, smaller)
    mantissa = [builder.mux(full, *nets) for nets in zip(
        [*corrected, builder.not_(over), over], [*fraction, CONST1, CONST0], strict=True)]
    product = antilogarithm(builder, mantissa, whole, fraction_bits=point, product_bits=2 * width)
    valid = builder.and_(act_set, weight_set)
    return builder.build([builder.and_(valid, net) for net in product])


CITATION = "Saadat, Bokhari and Parameswaran, IEEE Trans. CAD 37(11), 2018"
ENTRIES = {"mul8u_mbm": Entry(minimally_biased, {}, CITATION)}
