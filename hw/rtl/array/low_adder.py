"""The low bits of an approximate adder as combinational logic."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import In, Out

from hw.netlist import Netlist
from hw.rtl.array.multiplier import gates_of
from hw.rtl.hierarchy import Ports, Unit


class LowAdder(Unit):
    """`total = above +- product` in the low bits, gate for gate as the netlist says.

    Latency: none, combinational.

    Members
    -------
    above, product, total : In, In, Out(bits)
    negative : In(1)
        The product is subtracted.
    carry : Out(1)
        What enters the upper bits, where the product is inverted if it is subtracted.
    """

    netlist: Netlist  # `ApproximateAdder.low_part`
    module: str = "low_adder"
    clock = False

    def ports(self) -> Ports:
        """Return the ports."""
        bits = self.netlist.act_width
        return {"above": In(bits), "product": In(bits), "negative": In(1), "total": Out(bits),
                "carry": Out(1)}

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        m.d.comb += Cat(self.total, self.carry).eq(gates_of(
            m, self.netlist, self.above, Cat(self.product, self.negative)))
        return m
