"""A netlist as combinational logic."""

from __future__ import annotations

from functools import cache

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.netlist import Netlist, Op
from hw.rtl.hierarchy import ModuleKind, Place


def gate_value(op: Op, a: Value, b: Value) -> Value:
    """Return `op` of two one-bit values."""
    match op:
        case Op.NOT:
            return ~a
        case Op.AND:
            return a & b
        case Op.OR:
            return a | b
        case Op.XOR:
            return a ^ b
        case Op.NAND:
            return ~(a & b)
        case Op.NOR:
            return ~(a | b)
        case Op.XNOR:
            return ~(a ^ b)
        case Op.ANDNOT:
            return a & ~b
        case Op.ORNOT:
            return a | ~b


class MultiplierCircuit(wiring.Component):
    """`product = f(act, weight)`, gate for gate as the netlist says.

    Every gate drives one signal named after its net (`n18`), so the Verilog can be read
    beside the netlist; nesting the expressions instead would grow without bound.

    Latency: none, combinational.

    Parameters
    ----------
    netlist : Netlist

    Members
    -------
    act : In(act_width)
    weight : In(weight_width)
    product : Out(number of netlist outputs)
        Two's complement if the netlist is signed, else unsigned.
    """

    def __init__(self, *, netlist: Netlist) -> None:
        self.netlist = netlist
        super().__init__(multiplier_signature(netlist))

    def elaborate(self, platform: object) -> Module:
        """Return one assignment per gate and one for the outputs."""
        m = Module()
        nets: list[Value] = [Const(0, 1), Const(1, 1), *self.act, *self.weight]
        for gate in self.netlist.gates:
            net = Signal(name=f"n{len(nets)}")
            m.d.comb += net.eq(gate_value(gate.op, nets[gate.a], nets[gate.b]))
            nets.append(net)
        m.d.comb += self.product.eq(Cat(*(nets[net] for net in self.netlist.outputs)))
        return m


def multiplier_signature(netlist: Netlist) -> wiring.Signature:
    """Return the ports of `netlist` as a circuit."""
    return wiring.Signature({"act": In(netlist.act_width), "weight": In(netlist.weight_width),
                             "product": Out(len(netlist.outputs))})


@cache
def multiplier_kind(netlist: Netlist, *, name: str = "multiplier") -> ModuleKind:
    """Return the module `name` that computes `netlist`."""
    def build(place: Place) -> MultiplierCircuit:
        return MultiplierCircuit(netlist=netlist)

    return ModuleKind(name=name, signature=multiplier_signature(netlist), build=build, clock=False)
