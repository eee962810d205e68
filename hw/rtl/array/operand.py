"""Operands as Amaranth sees them: the formats of `hw.machine.pe.operand_format`."""

from __future__ import annotations

from amaranth.hdl import Shape, signed
from amaranth.lib import data

from hw.machine.pe.operand_format import STREAM, OperandFormat


def shape_of(operand: OperandFormat) -> data.StructLayout | Shape:
    """Return the shape of one operand: as a bit vector, a sign is on top."""
    if operand.separate_sign:
        return data.StructLayout({"magnitude": operand.bits, "sign": 1})
    return signed(operand.bits)


def operands(count: int) -> data.ArrayLayout:
    """Return the layout of `count` operands of a stream, the first in the low bits."""
    return data.ArrayLayout(shape_of(STREAM), count)
