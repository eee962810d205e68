"""Which operands the PEs of an array take, and whether those of a layer are among them.

Streams carry sign and magnitude, but the two's complement PEs of a signed multiplier hold 8 bits:
what lies beyond wraps there, so a layer that could send it must not be mapped to them.
"""

from __future__ import annotations

from typing import Protocol

from hw.common.errors import InputError
from hw.config import OPERAND_BITS

Range = tuple[int, int]  # the smallest and the largest value


class LayerOperands(Protocol):
    """What is multiplied in a layer; `sim.layer.MappedLayer` has it."""

    @property
    def name(self) -> str:
        """Name in the ONNX file."""

    @property
    def act_range(self) -> Range:
        """Values that stored activations can stand for: code minus zero point."""

    @property
    def weight_range(self) -> Range:
        """Values of the weights."""


def operand_limits(*, signed: bool) -> Range:
    """Return the limits of an operand: -255 to 255, or -128 to 127 in a signed multiplier's PE."""
    if signed:
        return -(1 << OPERAND_BITS - 1), (1 << OPERAND_BITS - 1) - 1
    return 1 - (1 << OPERAND_BITS), (1 << OPERAND_BITS) - 1


def check_operands(layer: LayerOperands, *, signed: bool, multiplier: str = "") -> None:
    """Refuse a layer whose operands an array does not take.

    signed : the array's multiplier is, so its PEs work in two's complement. multiplier : its
    name, for the message.

    Raises InputError with the layer and the numbers.
    """
    low, high = operand_limits(signed=signed)
    for what, (smallest, largest) in (("activations", layer.act_range),
                                      ("weights", layer.weight_range)):
        if smallest < low or largest > high:
            kind = "a signed multiplier" if signed else "an unsigned multiplier"
            raise InputError(f"Layer {layer.name!r} must have {what} from {low} to {high} to run "
                             f"on {repr(multiplier) + ', ' if multiplier else ''}{kind}, not from "
                             f"{smallest} to {largest}")
