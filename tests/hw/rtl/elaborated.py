"""What Amaranth makes of an elaborated circuit, evaluated for all operand pairs at once."""

from __future__ import annotations

import numpy as np
from amaranth.hdl._ir import Fragment, build_netlist
from amaranth.hdl._nir import Operator, Top

from hw.netlist import pack_bits
from hw.rtl.array.multiplier import MultiplierCircuit

OPERANDS = 256
FUNCTIONS = {"&": np.bitwise_and, "|": np.bitwise_or, "^": np.bitwise_xor, "~": np.invert}


def elaborated_table(circuit: MultiplierCircuit) -> np.ndarray:
    """Return the product bits of an 8x8 circuit, int64[256, 256] by operand pattern.

    Only single-bit operators are known: a circuit that is anything but gates fails here.
    """
    ports = [(name, getattr(circuit, name), None) for name in ("act", "weight", "product")]
    netlist = build_netlist(Fragment.get(circuit, None), ports=ports)
    top = netlist.cells[0]
    assert isinstance(top, Top)
    act, weight = np.divmod(np.arange(OPERANDS**2), OPERANDS)
    driven = {}  # (cell, bit) -> packed lanes
    for name, operand in (("act", act), ("weight", weight)):
        first, width = top.ports_i[name]
        driven |= {(0, first + bit): plane
                   for bit, plane in enumerate(pack_bits(operand, width))}

    def lanes(net):
        if net.is_const:
            return np.full(OPERANDS**2 // 8, 255 * net.const, np.uint8)
        return driven[net.cell, net.bit]

    for index, cell in enumerate(netlist.cells[1:], start=1):
        assert isinstance(cell, Operator), cell
        operands = [lanes(value[0]) for value in cell.inputs if len(value) == 1]
        assert len(operands) == len(cell.inputs), cell
        driven[index, 0] = FUNCTIONS[cell.operator](*operands)
    bits = [np.unpackbits(lanes(net), bitorder="little").astype(np.int64) << place
            for place, net in enumerate(top.ports_o["product"])]
    return sum(bits).reshape(OPERANDS, OPERANDS)
