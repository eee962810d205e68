"""Which operands the PEs of an array take, and whether those of a layer are among them.

Streams carry sign and magnitude, but the two's complement PEs of a signed multiplier hold 8 bits:
what lies beyond wraps there, so a layer that could send it must not be mapped to them.
"""

from __future__ import annotations

from typing import Protocol

from hw.common.errors import InputError
from hw.machine.design import OPERAND_BITS

Range = tuple[int, int]  # the smallest and the largest value


class LayerOperands(Protocol):
    """What is multiplied in a layer; `sim.network.layer.MappedLayer` has it."""

    @property
    def name(self) -> str:
        """Name in the ONNX file."""

    @property
    def act_zero_point(self) -> int:
        """Stored code of the activation 0."""

    @property
    def act_signed(self) -> bool:
        """Stored activations are int8."""

    @property
    def weight_range(self) -> Range:
        """Smallest and largest weight."""


def byte_range(*, signed: bool) -> Range:
    """Return what 8 bits hold: -128 to 127 in two's complement, else 0 to 255."""
    low = -(1 << OPERAND_BITS - 1) if signed else 0
    return low, low + (1 << OPERAND_BITS) - 1


def operand_limits(*, signed: bool) -> Range:
    """Return the limits of an operand: -255 to 255, or -128 to 127 in a signed multiplier's PE."""
    low, high = byte_range(signed=signed)
    return (low, high) if signed else (-high, high)


def act_range(layer: LayerOperands) -> Range:
    """Return the values that a layer's stored activations can stand for: code - zero point."""
    low, high = byte_range(signed=layer.act_signed)
    return low - layer.act_zero_point, high - layer.act_zero_point


def check_operands(layer: LayerOperands, *, signed: bool, multiplier: str = "") -> None:
    """Refuse a layer whose operands an array does not take.

    signed : the array's multiplier is, so its PEs work in two's complement. multiplier : its
    name, for the message.

    Raises InputError with the layer and the numbers.
    """
    low, high = operand_limits(signed=signed)
    kind = "a signed multiplier" if signed else "an unsigned multiplier"
    where = f"{multiplier!r}, {kind}" if multiplier else kind
    for what, (smallest, largest) in (("activations", act_range(layer)),
                                      ("weights", layer.weight_range)):
        if smallest < low or largest > high:
            raise InputError(f"Layer {layer.name!r} must have {what} from {low} to {high} to run "
                             f"on {where}, not from {smallest} to {largest}")
