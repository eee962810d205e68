"""Sign and magnitude to two's complement: the edge of an array of such operands."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hw.machine.pe.operand_format import STREAM, TWOS_COMPLEMENT, OperandFormat
from hw.rtl.array.operand import shape_of
from hw.rtl.hierarchy import Ports, Unit


class TwosComplement(Unit):
    """`value = -magnitude if sign else magnitude`, modulo 2**bits of the format.

    Values beyond its limits wrap: of 8 bits, 200 becomes -56. `hw.machine.operands` keeps them out
    of programs. Both patterns of zero become 0.

    Latency: none, combinational. An array has one per row and one per column, none per PE.

    Members
    -------
    operand : In(STREAM)
    value : Out(format)
    """

    format: OperandFormat = TWOS_COMPLEMENT
    clock = False

    @property
    def module(self) -> str:
        """`twos_complement`; with the bits where they are not 8."""
        other = self.format != TWOS_COMPLEMENT
        return "twos_complement" + f"_{self.format.bits}" * other

    def ports(self) -> Ports:
        """Return the ports."""
        return {"operand": In(shape_of(STREAM)), "value": Out(shape_of(self.format))}

    def elaborate(self, platform: object) -> Module:
        """Return inversion and increment, both under the sign."""
        m = Module()
        sign = self.operand.sign
        inverted = Signal(self.format.bits)
        m.d.comb += [inverted.eq(self.operand.magnitude ^ sign.replicate(self.format.bits)),
                     self.value.eq(inverted + sign)]
        return m
