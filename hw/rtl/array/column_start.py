"""What the sums of a column of folded PEs start from: it makes up for what no PE adds."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from hw.machine.pe.folded_booth import DIGITS, OFFSET
from hw.machine.pe.kind import Pe
from hw.rtl.array.clock_gate import enable_port
from hw.rtl.array.operand import shape_of
from hw.rtl.array.pe.component import part, side_by_side
from hw.rtl.hierarchy import Ports, Unit


class ColumnStart(Unit):
    """`psum_out = psum_start - sum of f(0, weight)` over the weights of a tile, for each output.

    It stands above a column of PEs and sees all its weights on their way down. It takes the sum
    of a tile when its first activations meet the first PE's sums, a cycle after its tokens.

    Latency: `act_hop_cycles` from tokens in to tokens out, as that of the PEs below.

    Members
    -------
    en : In(1), if the kind's clock gate is ENABLE
    first_in, first_out : In, Out(1)
        The weight that comes with `load_in` is the first of a tile.
    load_in, load_out, swap_in, swap_out : In, Out(1)
        As of the PE below.
    weight_in : In(outputs operands in the format of the kind)
        What the PE below gets.
    psum_out : Out(outputs sums, signed(psum_width))
    """

    pe: Pe
    rows: int
    psum_start: int
    suffix: str = ""  # of the module names, one per multiplier of a design

    @property
    def module(self) -> str:
        """`start<suffix>`."""
        return f"start{self.suffix}"

    def ports(self) -> Ports:
        """Return the ports."""
        outputs = self.pe.kind.dataflow.outputs
        return {
            **enable_port(self.pe),
            **{f"{token}_{way}": flow(1) for token in ("first", "load", "swap")
               for way, flow in (("in", In), ("out", Out))},
            "weight_in": In(side_by_side(shape_of(self.pe.kind.operand), outputs)),
            "psum_out": Out(side_by_side(signed(self.pe.psum_width), outputs)),
        }

    def elaborate(self, platform: object) -> Module:
        """Return tokens, negative digits of the last weight, their sums."""
        m = Module()
        outputs = self.pe.kind.dataflow.outputs
        enabled: Value = self.en if enable_port(self.pe) else Const(1)
        first, load, swap = (Signal(name=name, reset_less=True)
                             for name in ("first", "load", "swap"))
        with m.If(enabled):
            m.d.sync += [first.eq(self.first_in), load.eq(self.load_in), swap.eq(self.swap_in)]
        constant, sums = self.psum_start - self.rows * OFFSET, []
        most = self.rows * sum(4 ** index for index in range(DIGITS))
        for output in range(outputs):
            weight = Value.cast(part(self.weight_in, output, outputs))
            negative = Signal(DIGITS, name=f"negative_{output}", reset_less=True)
            total, active = (Signal(range(most + 1), name=f"{name}_{output}", reset_less=True)
                             for name in ("total", "active"))
            with m.If(enabled):
                with m.If(self.load_in):
                    m.d.sync += negative.eq(_negative_digits(weight))
                with m.If(load):
                    m.d.sync += total.eq(Mux(first, 0, total) + _spread(negative))
                with m.If(swap):
                    m.d.sync += active.eq(total)
            sums.append((Const(constant, self.pe.psum_width) + active)[:self.pe.psum_width])
        m.d.comb += [self.first_out.eq(first), self.load_out.eq(load), self.swap_out.eq(swap),
                     Value.cast(self.psum_out).eq(Cat(sums))]
        return m


def _negative_digits(weight: Any) -> Value:
    """Return which digits of a weight are negative, the lowest first."""
    bits = Cat(Const(0, 1), weight)
    return Cat(bits[index + 2] & ~(bits[index + 1] & bits[index])
               for index in range(0, 2 * DIGITS, 2))


def _spread(bits: Value) -> Value:
    """Return the sum of 4**i over the bits i that are set."""
    return Cat(Cat(bit, Const(0, 1)) for bit in bits)
