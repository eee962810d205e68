"""What all processing elements (PEs) share: registers, tokens, ports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from hw.machine.pe.kind import Pe
from hw.rtl.array.clock_gate import enable_port
from hw.rtl.array.low_adder import LowAdder
from hw.rtl.array.multiplier import MultiplierCircuit
from hw.rtl.array.operand import shape_of
from hw.rtl.hierarchy import Ports, Unit, place


class ProcessingElement(Unit, ABC):
    """Weight-stationary PE: `psum_out = psum_in + sum of act * weight`, products by a netlist.

    A kind of PE is a subclass that says what a product adds. Its form has `macs` terms, each an
    activation and the weight of every output, and `outputs` sums.

    Dataflow: activations and their tokens go left to right, weights and partial sums top to
    bottom. Two tokens travel with the wave, so that no signal has to reach every PE at once:
    `swap` beside the first activation of a tile makes the shadow weights the active ones, in
    time for that very activation; `load` shifts the shadow registers of a column by one term.

    Latency: `act_hop_cycles` of the kind's dataflow from act_in, swap_in and load_in to their
    outputs, `psum_cycles` from act_in to psum_out, `psum_hop_cycles` from psum_in to psum_out.
    Cycles without a clock edge, or with `en` low, do not count: nothing changes in them.

    An approximate adder of the PE has a module `low_adder<suffix>` for its low bits; above them it
    adds as others do.

    Bits that never change anything have no register: operand bits that the multiplier does not
    read, and low bits of the partial sum where those of all products are 0. What is around a PE
    is made of equal PEs, so they come in as 0 or are not read there either; they leave as 0.

    No register has a reset: tokens left over from before a reset run ahead of the next tile at
    the same speed and never meet it.

    Members
    -------
    en : In(1), if the kind's clock gate is ENABLE
        Clock enable of every register.
    act_in, act_out : In, Out(macs operands in the format of the kind)
    swap_in, swap_out : In, Out(1)
        Take the shadow weights; travels with the activations.
    load_in, load_out : In, Out(1)
        Shift the shadow weights in from above.
    weight_in, weight_out : In, Out(outputs operands in the format of the kind)
        Shadow weights of the last term of the PE above and of this one.
    psum_in, psum_out : In, Out(outputs sums, signed(psum_width))
        The low bits that are 0 in all products of psum_in are not read.
    """

    pe: Pe
    suffix: str = ""  # of the module names, one per multiplier of a design

    @property
    def module(self) -> str:
        """`pe<suffix>`, around `multiplier<suffix>`."""
        return f"pe{self.suffix}"

    def ports(self) -> Ports:
        """Return the ports; those of operands have the format of the kind."""
        flow, operand = self.pe.kind.dataflow, shape_of(self.pe.kind.operand)
        act, weight = side_by_side(operand, flow.macs), side_by_side(operand, flow.outputs)
        psum = side_by_side(signed(self.pe.psum_width), flow.outputs)
        return {
            **enable_port(self.pe),
            "act_in": In(act), "act_out": Out(act),
            "swap_in": In(1), "swap_out": Out(1),
            "load_in": In(1), "load_out": Out(1),
            "weight_in": In(weight), "weight_out": Out(weight),
            "psum_in": In(psum), "psum_out": Out(psum),
        }

    @property
    def enabled(self) -> Value:
        """Whether registers take a value at a clock edge: always behind a clock gate."""
        enabled: Value = self.en if enable_port(self.pe) else Const(1)
        return enabled

    @abstractmethod
    def term(self, m: Module, multiplier: Any, act: Any, weight: Any,
             product: Value) -> tuple[Value, Value | None]:
        """Connect the multiplier's operands; return what is added and whether it is subtracted.

        The second is None where the first is in two's complement, else the first is unsigned.
        act, weight : in the format of the ports. product : without the low bits that are always 0.
        """

    def elaborate(self, platform: object) -> Module:
        """Return operand stage, multiply and accumulate stage."""
        m = Module()

        # Cycle 0: operands and tokens are registered; weights change with the activations.
        pe, flow = self.pe, self.pe.kind.dataflow
        operand = shape_of(pe.kind.operand)
        one = pe.kind.multiplications == 1
        acts = [_OperandRegister(operand, pe.act_bits, "act" if one else f"act_{term}")
                for term in range(flow.macs)]
        weights, shadows = ([[_OperandRegister(operand, pe.weight_bits,
                                               name if one else f"{name}_{output}_{term}")
                              for term in range(flow.macs)] for output in range(flow.outputs)]
                            for name in ("weight", "shadow"))
        swap = Signal(reset_less=True)
        load = Signal(reset_less=True)
        with m.If(self.enabled):
            for term, act in enumerate(acts):
                m.d.sync += act.take(part(self.act_in, term, flow.macs))
            m.d.sync += [swap.eq(self.swap_in), load.eq(self.load_in)]
            with m.If(self.swap_in):
                for weight, shadow in zip(chain(*weights), chain(*shadows), strict=True):
                    m.d.sync += weight.take(shadow.operand)
            with m.If(self.load_in):
                for output, column in enumerate(shadows):
                    above = part(self.weight_in, output, flow.outputs)
                    for shadow in column:
                        m.d.sync += shadow.take(above)
                        above = shadow.operand

        # Cycle 1: multiply, add, register the partial sums.
        zeros, sums = pe.circuit.zero_bits, []
        circuit = MultiplierCircuit(netlist=pe.circuit, module=f"multiplier{self.suffix}")
        for output in range(flow.outputs):
            terms = []
            for index, (act, weight) in enumerate(zip(acts, weights[output], strict=True)):
                multiplier = place(m, "multiplier" if one else f"multiplier_{output}_{index}",
                                   circuit if index == output == 0 else replace(circuit), platform)
                terms.append(self.term(m, multiplier, act.operand, weight.operand,
                                       multiplier.product[zeros:]))
            above = Value.cast(part(self.psum_in, output, flow.outputs))[zeros:]
            hold = partial(self._held, m, output) if flow.registered else None
            total = (_sum(m, above, terms, hold) if pe.adder is None
                     else self._approximately(m, above, *terms[0], platform))
            psum = Signal(signed(pe.psum_width - zeros), reset_less=True,
                          name="psum" if one else f"psum_{output}")
            with m.If(self.enabled):
                m.d.sync += psum.eq(total)
            sums.append(Cat(Const(0, zeros), psum))

        m.d.comb += [Value.cast(self.act_out).eq(Cat(act.operand for act in acts)),
                     self.swap_out.eq(swap), self.load_out.eq(load),
                     Value.cast(self.weight_out).eq(
                         Cat(column[-1].operand for column in shadows)),
                     Value.cast(self.psum_out).eq(Cat(sums))]
        return m

    def _approximately(self, m: Module, above: Value, product: Value, negative: Value | None,
                       platform: object) -> Value:
        """Return `above` +- product as an approximate adder has it."""
        assert self.pe.adder is not None
        assert negative is not None
        netlist = self.pe.adder.low_part(self.pe.circuit.zero_bits)
        bits = netlist.act_width
        low = place(m, "low_adder", LowAdder(netlist=netlist, module=f"low_adder{self.suffix}"),
                    platform)
        m.d.comb += [low.above.eq(above[:bits]), low.product.eq(product[:bits]),
                     low.negative.eq(negative)]
        upper = _sum(m, above[bits:], [(product[bits:], negative)], carry=low.carry)
        return Cat(low.total, upper).as_signed()

    def _held(self, m: Module, output: int, name: str, value: Value) -> Value:
        """Return a value of a sum one cycle later."""
        register = Signal(value.shape(), reset_less=True, name=f"{name}_{output}")
        with m.If(self.enabled):
            m.d.sync += register.eq(value)
        return register


def side_by_side(shape: Any, count: int) -> Any:
    """Return the shape of several values in one port, the first in the low bits."""
    return shape if count == 1 else data.ArrayLayout(shape, count)


def part(port: Any, index: int, count: int) -> Any:
    """Return one of the values of a port that holds `count` of them."""
    return port if count == 1 else port[index]


def _sum(m: Module, psum: Value, terms: Sequence[tuple[Value, Value | None]],
         hold: Callable[[str, Value], Value] | None = None, *,
         carry: Value | None = None) -> Value:
    """Return `psum` plus all terms, as wide as it: a balanced tree of adders, `psum` at its root.

    hold : puts a register, of a name, in front of the root. carry : enters there, instead of the
    sign of the only term.
    -x = ~x + 1, and the 1 enters an adder as a carry below bit 0: there are as many adders as
    terms, so that signs cost no adder of their own.
    """
    width = len(psum)
    addends: list[Value] = []
    carries: list[Value] = []
    for value, negative in terms:
        if negative is None:
            addends.append(value.as_signed())
            continue
        addend = Signal(width if len(terms) == 1 else min(width, len(value) + 1), name="addend")
        m.d.comb += addend.eq(value ^ negative.replicate(len(addend)))
        addends.append(addend.as_signed())
        carries.append(negative)

    def added(a: Value, b: Value, wide: int) -> Value:
        a, b = (_widened(value, wide) for value in (a, b))
        if not carries:
            total = Signal(signed(wide), name="total")
            m.d.comb += total.eq(a.as_signed() + b.as_signed())
            return total
        carry = carries.pop(0)
        total = Signal(wide + 1, name="total")
        m.d.comb += total.eq(Cat(carry, a) + Cat(carry, b))
        return total[1:].as_signed()

    while len(addends) > 1:
        pairs = zip(addends[::2], addends[1::2], strict=False)
        addends = [added(a, b, min(width, max(len(a), len(b)) + 1)) for a, b in pairs] \
            + addends[len(addends) & ~1:]
    if hold is not None:
        addends = [hold("products", addends[0])]
        carries = [hold("carry", carry) for carry in carries]
    if carry is not None:
        carries = [carry]
    return added(psum, addends[0], width)


def _widened(value: Value, width: int) -> Value:
    """Return a two's complement value in `width` bits: its sign repeated, or its low bits."""
    return value[:width] if len(value) >= width else Cat(
        value, value[-1].replicate(width - len(value)))


class _OperandRegister:
    """A register for the bits of an operand that matter, its sign included; the others are 0."""

    def __init__(self, layout: data.StructLayout | Shape, bits: tuple[int, ...], name: str) -> None:
        width = Shape.cast(layout).width
        self._bits = bits
        self._register = Signal(len(self._bits), name=name, reset_less=True)
        places = {bit: place for place, bit in enumerate(self._bits)}
        value = Cat(self._register[places[bit]] if bit in places else Const(0, 1)
                    for bit in range(width))
        self.operand: Any = (data.View(layout, value) if isinstance(layout, data.StructLayout)
                             else value.as_signed())

    def take(self, operand: Any) -> Any:
        """Return the assignment of an operand."""
        value = Value.cast(operand)
        return self._register.eq(Cat(value[bit] for bit in self._bits))
