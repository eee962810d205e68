"""Number formats of operands: between the arrays, and inside them.

Streams carry sign and magnitude, whatever array is selected. An array of unsigned circuits
keeps that format; one of signed circuits converts it once, at its edge.
"""

from __future__ import annotations

from amaranth.hdl import Shape, signed
from amaranth.lib import data

from hw.machine.design import OPERAND_BITS
from hw.netlist import Netlist

# As a bit vector the magnitude is in the low bits, the sign on top. A zero has two patterns;
# producers use the one with sign 0: a circuit whose f(0, w) is not 0 tells them apart.
SignMagnitude = data.StructLayout({"magnitude": OPERAND_BITS, "sign": 1})
OPERAND_WIDTH = OPERAND_BITS + 1
TWOS_COMPLEMENT = signed(OPERAND_BITS)


def operands(count: int) -> data.ArrayLayout:
    """Return the layout of `count` operands side by side, the first in the low bits."""
    return data.ArrayLayout(SignMagnitude, count)


def pe_operand(netlist: Netlist) -> data.StructLayout | Shape:
    """Return the format in which the PEs of an array of `netlist` pass operands on."""
    return TWOS_COMPLEMENT if netlist.signed else SignMagnitude


def pe_operand_width(netlist: Netlist) -> int:
    """Return the bits of `pe_operand`: 9, or 8 for a signed netlist."""
    return int(Shape.cast(pe_operand(netlist)).width)
