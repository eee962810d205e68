"""Number formats of operands: on the streams between arrays, and inside an array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.signedinteger[Any]]
Range = tuple[int, int]  # the smallest and the largest value

OPERAND_BITS = 8  # of each of the multiplier's ports


@dataclass(frozen=True, kw_only=True)
class OperandFormat:
    """How an operand is written in bits.

    Parameters
    ----------
    name : str
        For messages and comments.
    bits : int
        Those that the multiplier's port takes; the low ones.
    separate_sign : bool
        They are a magnitude and the sign is one bit above; otherwise they are two's complement.
    """

    name: str
    bits: int = OPERAND_BITS
    separate_sign: bool

    @property
    def width(self) -> int:
        """Bits of an operand."""
        return self.bits + self.separate_sign

    @property
    def limits(self) -> Range:
        """Smallest and largest value; others wrap."""
        if self.separate_sign:
            return 1 - (1 << self.bits), (1 << self.bits) - 1
        return -(1 << self.bits - 1), (1 << self.bits - 1) - 1

    def at_port(self, values: Integers) -> Integers:
        """Return what the multiplier's port sees of integers: a magnitude, or 0 to 2**bits - 1."""
        return np.abs(values) if self.separate_sign else values & (1 << self.bits) - 1

    def encode(self, values: Integers) -> Integers:
        """Return integers as bit patterns of `width` bits; 0 has sign 0. int16 does for 8 bits."""
        sign = (values < 0).astype(values.dtype) << self.bits
        return self.at_port(values) | (sign if self.separate_sign else 0)


# A zero has two patterns; producers use the one with sign 0: a circuit whose f(0, w) is not 0
# tells them apart.
SIGN_MAGNITUDE = OperandFormat(name="sign and magnitude", separate_sign=True)
TWOS_COMPLEMENT = OperandFormat(name="two's complement", separate_sign=False)
WIDE_TWOS_COMPLEMENT = OperandFormat(name="9-bit two's complement", bits=OPERAND_BITS + 1,
                                     separate_sign=False)  # uint8 codes minus any zero point
STREAM = SIGN_MAGNITUDE  # whatever array is selected; one of another format converts at its edge
