"""Lanes of shift registers: skew at the edges of an array, and its inverse."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from hw.rtl.hierarchy import Ports, Unit


class DelayLines(Unit):
    """Lane i of `lanes_out` is lane i of `lanes_in` as it was `delays[i]` enabled cycles ago.

    Latency: `delays[i]` for lane i. The registers have no reset.

    Members
    -------
    en : In(1)
        Clock enable.
    lanes_in, lanes_out : In, Out(len(delays) * width)
        Lane 0 in the low bits.
    """

    module: str
    width: int  # bits of one lane
    delays: tuple[int, ...]  # registers in each lane; 0 is a wire

    def ports(self) -> Ports:
        """Return the ports; ValueError for a negative delay."""
        if min(self.delays) < 0:
            raise ValueError(f"Delays must not be negative, not {min(self.delays)}")
        lanes = self.width * len(self.delays)
        return {"en": In(1), "lanes_in": In(lanes), "lanes_out": Out(lanes)}

    def elaborate(self, platform: object) -> Module:
        """Return one shift register per lane."""
        m = Module()
        for lane, delay in enumerate(self.delays):
            value = self.lanes_in.word_select(lane, self.width)
            if delay:
                # One register per lane, the newest value in its low bits.
                line = Signal(self.width * delay, name=f"lane{lane}", reset_less=True)
                with m.If(self.en):
                    m.d.sync += line.eq(Cat(value, line)[:len(line)])
                value = line[-self.width:]
            m.d.comb += self.lanes_out.word_select(lane, self.width).eq(value)
        return m

    def verilog(self, name: str) -> str:
        """Return the Verilog; Amaranth takes seconds for the lanes of large arrays."""
        width, delays = self.width, self.delays
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
            outputs.append(
                f"  assign lanes_out[{width * (lane + 1) - 1}:{width * lane}] = {last};\n")
        clocked = ["  always @(posedge clk) if (en) begin\n", *moves, "  end\n"] if moves else []
        return "".join([
            f"module {name}(clk, en, lanes_in, lanes_out);\n  input clk;\n  input en;\n",
            f"  input {ports} lanes_in;\n  output {ports} lanes_out;\n",
            *registers, *clocked, *outputs, "endmodule\n"])
