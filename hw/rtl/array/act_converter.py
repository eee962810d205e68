"""Stored codes to sign and magnitude: what the arrays multiply."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.machine.accelerator import CODE_BITS
from hw.machine.isa import VALUE_BITS
from hw.rtl.array.operand import operands
from hw.rtl.hierarchy import ModuleKind, Place


class ActConverter(wiring.Component):
    """`acts[i] = code[i] - zero_point`, the code read as int8 or uint8.

    Dataflow: combinational, one lane per row of the array. A result of 0 is positive. The
    zero point must be a code, or the magnitude does not fit into 8 bits.

    Parameters
    ----------
    lanes : int

    Members
    -------
    codes : In(array of lanes of 8 bits)
    zero_point : In(signed(VALUE_BITS))
    code_signed : In(1)
        Codes are int8.
    acts : Out(operands(lanes))
    """

    def __init__(self, *, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(converter_signature(lanes))

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


def converter_signature(lanes: int) -> wiring.Signature:
    """Return the ports of a converter; see `ActConverter`."""
    return wiring.Signature({
        "codes": In(data.ArrayLayout(CODE_BITS, lanes)),
        "zero_point": In(signed(VALUE_BITS)), "code_signed": In(1),
        "acts": Out(operands(lanes)),
    })


def converter_kind(lanes: int) -> ModuleKind:
    """Return the module `act_converter` of `lanes` lanes."""
    def build(place: Place) -> ActConverter:
        return ActConverter(lanes=lanes)

    return ModuleKind(name="act_converter", signature=converter_signature(lanes), build=build,
                      clock=False)
