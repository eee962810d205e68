"""Sign and magnitude to two's complement: the edge of an array of signed multipliers."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hw.machine.pe.operand_format import STREAM, TWOS_COMPLEMENT
from hw.rtl.array.operand import shape_of
from hw.rtl.hierarchy import Ports, Unit


class TwosComplement(Unit):
    """`value = -magnitude if sign else magnitude`, modulo 256.

    Values beyond [-128, 127] wrap: 200 becomes -56. `hw.machine.operands` keeps them out of
    programs. Both patterns of zero become 0.

    Latency: none, combinational. An array has one per row and one per column, none per PE.

    Members
    -------
    operand : In(STREAM)
    value : Out(TWOS_COMPLEMENT)
    """

    module = "twos_complement"
    clock = False

    def ports(self) -> Ports:
        """Return the ports."""
        return {"operand": In(shape_of(STREAM)), "value": Out(shape_of(TWOS_COMPLEMENT))}

    def elaborate(self, platform: object) -> Module:
        """Return inversion and increment, both under the sign."""
        m = Module()
        sign = self.operand.sign
        inverted = Signal(TWOS_COMPLEMENT.bits)
        m.d.comb += [inverted.eq(self.operand.magnitude ^ sign.replicate(TWOS_COMPLEMENT.bits)),
                     self.value.eq(inverted + sign)]
        return m
