"""Lanes of shift registers: skew at the edges of an array, and its inverse."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.rtl.hierarchy import ModuleKind, Place


class DelayLines(wiring.Component):
    """Lane i of `lanes_out` is lane i of `lanes_in` as it was `delays[i]` enabled cycles ago.

    Latency: `delays[i]` for lane i. The registers have no reset.

    Parameters
    ----------
    width : int
        Bits of one lane.
    delays : sequence of int
        Registers in each lane; 0 is a wire.

    Members
    -------
    en : In(1)
        Clock enable.
    lanes_in, lanes_out : In, Out(len(delays) * width)
        Lane 0 in the low bits.
    """

    def __init__(self, *, width: int, delays: Sequence[int]) -> None:
        if min(delays) < 0:
            raise ValueError(f"Delays must not be negative, not {min(delays)}")
        self._width, self._delays = width, tuple(delays)
        super().__init__(delay_signature(width, len(delays)))

    def elaborate(self, platform: object) -> Module:
        """Return one shift register per lane."""
        m = Module()
        for lane, delay in enumerate(self._delays):
            value = self.lanes_in.word_select(lane, self._width)
            if delay:
                # One register per lane, the newest value in its low bits.
                line = Signal(self._width * delay, name=f"lane{lane}", reset_less=True)
                with m.If(self.en):
                    m.d.sync += line.eq(Cat(value, line)[:len(line)])
                value = line[-self._width:]
            m.d.comb += self.lanes_out.word_select(lane, self._width).eq(value)
        return m


def delay_signature(width: int, lanes: int) -> wiring.Signature:
    """Return the ports of `lanes` delay lines."""
    return wiring.Signature(
        {"en": In(1), "lanes_in": In(width * lanes), "lanes_out": Out(width * lanes)})


def delay_kind(name: str, width: int, delays: Sequence[int]) -> ModuleKind:
    """Return the module `name` that delays lane i by `delays[i]` enabled cycles."""
    def build(place: Place) -> DelayLines:
        return DelayLines(width=width, delays=delays)

    return ModuleKind(name=name, signature=delay_signature(width, len(delays)), build=build,
                      verilog=lambda name: delay_verilog(name, width, delays))


def delay_verilog(name: str, width: int, delays: Sequence[int]) -> str:
    """Return the Verilog of delay lines; Amaranth takes seconds for those of large arrays."""
    ports = f"[{width * len(delays) - 1}:0]"
    registers, moves, outputs = [], [], []
    for lane, delay in enumerate(delays):
        last = value = f"lanes_in[{width * (lane + 1) - 1}:{width * lane}]"
        if delay:
            bits = width * delay
            registers.append(f"  reg [{bits - 1}:0] lane{lane} = {bits}'d0;\n")
            if delay > 1:
                value = f"{{lane{lane}[{bits - width - 1}:0], {value}}}"
            moves.append(f"    lane{lane} <= {value};\n")
            last = f"lane{lane}[{bits - 1}:{bits - width}]"
        outputs.append(f"  assign lanes_out[{width * (lane + 1) - 1}:{width * lane}] = {last};\n")
    clocked = f"  always @(posedge clk) if (en) begin\n{''.join(moves)}  end\n" if moves else ""
    return (f"module {name}(clk, en, lanes_in, lanes_out);\n"
            f"  input clk;\n  input en;\n  input {ports} lanes_in;\n  output {ports} lanes_out;\n"
            f"{''.join(registers)}{clocked}{''.join(outputs)}endmodule\n")
