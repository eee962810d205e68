"""Approximate adders of partial sums: what a PE adds its product with.

A PE of one multiplication gives `sum +- product`, a magnitude that is subtracted where the signs of
the operands differ. From bit `bits` up these adders are exact, but for the carry that enters there:
it is that of the `window` bits below alone. In the diagram x is the product, inverted where it is
subtracted, and n says that it is:

    bit     23 ... bits | bits - 1 ... bits - window ...  0
            sum + x + carry  <-  sum + x + n, window only         low bits:
                        |                                          loa: sum OR product; subtracted:
                        |                                               sum AND NOT product
                        |                                          seg: sum + x + n, exact

`loa` is the lower-part OR adder (Mahdiani et al., IEEE TCAS-I 57(4), 2010), whose carry is made of
one bit; AND NOT is to a difference what OR is to a sum. `seg` cuts the chain of carries in two
and guesses the carry from a window, as the almost correct adder does (ACA: Verma, Brisk and Ienne,
DATE 2008); with a window of 0 nothing is carried (ESA: Mohapatra et al., DATE 2011). Adding
or subtracting 0 changes nothing in any of them, so zeros and unused rows of an array err in none.

`trunc` leaves the low bits of every product out. Sums then are exact sums of other products, so it
makes another multiplier, not an adder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.netlist import Netlist, NetlistBuilder

LOA, SEG, TRUNC = "loa", "seg", "trunc"
MAX_BITS = 15  # of the low part, as netlists have operands of 16 bits at most
LABEL = re.compile(r"(?:(loa|trunc)(\d{1,2})|(seg)(\d{1,2})w(\d{1,2}))")

Ints = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class ApproximateAdder:
    """`sum +- product` with approximate low bits.

    Parameters
    ----------
    kind : str
        `LOA` or `SEG`.
    bits : int
        Low bits, 2 to `MAX_BITS`.
    window : int
        Of these, from the highest one, those that the carry out is made of: 1 for `LOA`, less than
        `bits` for `SEG`.

    Raises ValueError for others.
    """

    kind: str
    bits: int
    window: int = 1

    def __post_init__(self) -> None:
        most = {LOA: 1, SEG: self.bits - 1}.get(self.kind)
        if most is None or not 2 <= self.bits <= MAX_BITS \
                or not (self.kind == LOA) <= self.window <= most:
            raise ValueError(f"adder must be {LOA}B or {SEG}BwW with B from 2 to {MAX_BITS} and W "
                             f"below B, not {self}")

    @classmethod
    def named(cls, label: str) -> ApproximateAdder:
        """Return the adder of a label: `loa8`, `seg8w3`; raises ValueError for others."""
        found = LABEL.fullmatch(label)
        if found is None or found[1] == TRUNC:
            raise ValueError(f"adder must be {LOA}B or {SEG}BwW, not {label!r:.40}")
        return cls(LOA, int(found[2])) if found[1] else cls(SEG, int(found[4]), int(found[5]))

    def __str__(self) -> str:
        """Return its label."""
        return f"{self.kind}{self.bits}" + f"w{self.window}" * (self.kind == SEG)

    @property
    def reach(self) -> int:
        """Low bits of all products that may be 0 at most without making it exact."""
        return self.bits - 1 - self.window * (self.kind == SEG)

    @property
    def max_error(self) -> int:
        """Largest error of one addition, either way."""
        return 1 << (self.bits - 1 if self.kind == LOA else self.bits)

    @property
    def mean_square_error(self) -> float:
        """Of one addition where all low bits of sum and product are as often 0 as 1."""
        if self.kind == LOA:
            return 4.0 ** (self.bits - 2)
        # A carry enters the window, and every bit of it passes it on.
        below = self.bits - self.window
        return 4.0 ** self.bits * 2.0 ** -(self.window + 1) * (1 - 2.0 ** -below)

    def low_part(self, zero_bits: int = 0) -> Netlist:
        """Return the gates of its low bits, above those that are 0 in all products and sums.

        `act` is the sum, `weight` the product with `negative` above it, `product` the sum of both
        with the carry above it.
        """
        return _low_part(self, zero_bits)

    def add(self, sums: Ints, products: Ints) -> npt.NDArray[np.int64]:
        """Return `sums + products` as the gates add them, elementwise, int64."""
        low, negative = (1 << self.bits) - 1, products < 0
        magnitudes = np.abs(products.astype(np.int64))
        found = self.low_part().evaluate(
            sums & low, magnitudes & low | negative.astype(np.int64) << self.bits)
        high = np.where(negative, ~(magnitudes >> self.bits), magnitudes >> self.bits)
        return ((sums >> self.bits) + high + (found >> self.bits) << self.bits) + (found & low)


def added_up(products: Ints, adder: ApproximateAdder | None) -> npt.NDArray[np.int64]:
    """Return the sums of products along the first axis, added in order from 0, int64."""
    total = np.zeros(products.shape[1:], np.int64)
    for row in products:
        total = total + row if adder is None else adder.add(total, row)
    return total


@cache
def _low_part(adder: ApproximateAdder, zero_bits: int) -> Netlist:
    bits = adder.bits - zero_bits
    builder = NetlistBuilder(act_width=bits, weight_width=bits + 1)
    above, (*product, negative) = builder.act, builder.weight
    addend = [builder.xor(bit, negative) for bit in product]
    if adder.kind == LOA:
        add = builder.not_(negative)
        low = [builder.majority(a, b, add) for a, b in zip(above, addend, strict=True)]
    else:
        low = builder.ripple_add(above, addend, negative)[:bits]
    carry = negative
    for a, b in list(zip(above, addend, strict=True))[max(bits - adder.window, 0):]:
        carry = builder.majority(a, b, carry)
    return builder.build([*low, carry])

