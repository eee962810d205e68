"""Sign and magnitude: how activations and weights travel through the arrays."""

from __future__ import annotations

from amaranth.lib import data

from hw.config import OPERAND_BITS

# As a bit vector the magnitude is in the low bits, the sign on top. A zero has two patterns;
# producers use the one with sign 0: a circuit whose f(0, w) is not 0 tells them apart.
SignMagnitude = data.StructLayout({"magnitude": OPERAND_BITS, "sign": 1})
OPERAND_WIDTH = OPERAND_BITS + 1


def operands(count: int) -> data.ArrayLayout:
    """Return the layout of `count` operands side by side, the first in the low bits."""
    return data.ArrayLayout(SignMagnitude, count)
