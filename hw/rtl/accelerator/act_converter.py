"""Stored codes to sign and magnitude: what the arrays multiply."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from hw.machine.accelerator import CODE_BITS
from hw.machine.isa import VALUE_BITS
from hw.rtl.array.operand import operands
from hw.rtl.hierarchy import Ports, Unit


class ActConverter(Unit):
    """`acts[i] = code[i] - zero_point`, the code read as int8 or uint8.

    Dataflow: combinational, one lane per row of the array. A result of 0 is positive. The
    zero point must be a code, or the magnitude does not fit into 8 bits.

    Members
    -------
    codes : In(array of lanes of 8 bits)
    zero_point : In(signed(VALUE_BITS))
    code_signed : In(1)
        Codes are int8.
    acts : Out(operands(lanes))
    """

    lanes: int
    module = "act_converter"
    clock = False

    def ports(self) -> Ports:
        """Return the ports."""
        return {"codes": In(data.ArrayLayout(CODE_BITS, self.lanes)),
                "zero_point": In(signed(VALUE_BITS)), "code_signed": In(1),
                "acts": Out(operands(self.lanes))}

    def elaborate(self, platform: object) -> Module:
        """Return one subtractor and one negation per lane."""
        m = Module()
        for lane in range(self.lanes):
            code = self.codes[lane]
            extended = Signal(signed(CODE_BITS + 1), name=f"extended{lane}")
            value = Signal(signed(VALUE_BITS + 1), name=f"value{lane}")
            m.d.comb += [
                extended.eq(Mux(self.code_signed & code[-1], code.as_signed(), code)),
                value.eq(extended - self.zero_point),
                self.acts[lane].sign.eq(value[-1]),
                self.acts[lane].magnitude.eq(Mux(value[-1], -value, value)),
            ]
        return m
