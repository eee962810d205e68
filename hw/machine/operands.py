"""Which operands the PEs of an array take, and whether those of a layer are among them.

Streams carry sign and magnitude, but PEs of another format may hold less: what lies beyond wraps
there, so a layer that could send it must not be mapped to them.
"""

from __future__ import annotations

from typing import Protocol

from hw.common.errors import InputError
from hw.machine.accelerator import CODE_BITS
from hw.machine.pe.kind import PeKind
from hw.machine.pe.operand_format import Range


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


def act_range(layer: LayerOperands) -> Range:
    """Return the values that a layer's stored activations can stand for: code - zero point."""
    return code_range(layer.act_zero_point, signed=layer.act_signed)


def code_range(zero_point: int, *, signed: bool) -> Range:
    """Return the values that stored bytes, int8 or uint8, can stand for: code - zero point."""
    low = -(1 << CODE_BITS - 1) if signed else 0
    return low - zero_point, low + (1 << CODE_BITS) - 1 - zero_point


def check_operands(layer: LayerOperands, kind: PeKind, *, multiplier: str = "") -> None:
    """Refuse a layer whose operands an array does not take.

    kind : of the array's PEs. multiplier : the array's, for the message.

    Raises InputError with the layer and the numbers.
    """
    taken = f"{'a' if kind.signed else 'an'} {kind.takes} multiplier"
    if kind.circuit is not None:
        taken = f"{kind.label} PEs"
    where = f"{multiplier!r}, {taken}" if multiplier else taken
    for what, (smallest, largest), (low, high) in (
            ("activations", act_range(layer), kind.operand.limits),
            ("weights", layer.weight_range, kind.weight_limits)):
        if smallest < low or largest > high:
            raise InputError(f"Layer {layer.name!r} must have {what} from {low} to {high} to run "
                             f"on {where}, not from {smallest} to {largest}")
