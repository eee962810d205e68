"""A netlist as combinational logic."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from hw.netlist import Netlist, Op
from hw.rtl.hierarchy import Ports, Unit


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


class MultiplierCircuit(Unit):
    """`product = f(act, weight)`, gate for gate as the netlist says.

    Every gate drives one signal named after its net (`n18`), so the Verilog can be read
    beside the netlist; nesting the expressions instead would grow without bound.

    Latency: none, combinational.

    Members
    -------
    act : In(act_width)
    weight : In(weight_width)
    product : Out(number of netlist outputs)
        Two's complement if the netlist is signed, else unsigned.
    """

    netlist: Netlist
    module: str = "multiplier"
    clock = False

    def ports(self) -> Ports:
        """Return the ports."""
        return {"act": In(self.netlist.act_width), "weight": In(self.netlist.weight_width),
                "product": Out(len(self.netlist.outputs))}

    def elaborate(self, platform: object) -> Module:
        """Return one assignment per gate and one for the outputs."""
        m = Module()
        m.d.comb += self.product.eq(gates_of(m, self.netlist, self.act, self.weight))
        return m


def gates_of(m: Module, netlist: Netlist, act: Value, weight: Value) -> Value:
    """Put the gates of a netlist into `m`; return its outputs."""
    nets: list[Value] = [Const(0, 1), Const(1, 1), *act, *weight]
    for gate in netlist.gates:
        net = Signal(name=f"n{len(nets)}")
        m.d.comb += net.eq(gate_value(gate.op, nets[gate.a], nets[gate.b]))
        nets.append(net)
    return Cat(*(nets[net] for net in netlist.outputs))
