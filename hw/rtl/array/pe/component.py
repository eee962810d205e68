"""What all processing elements (PEs) share: registers, tokens, ports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from hw.machine.pe.kind import Pe
from hw.rtl.array.multiplier import MultiplierCircuit
from hw.rtl.array.operand import shape_of
from hw.rtl.hierarchy import Ports, Unit, place


class ProcessingElement(Unit, ABC):
    """Weight-stationary PE: `psum_out = psum_in + act * weight`, the product by a netlist.

    A kind of PE is a subclass that multiplies and accumulates.

    Dataflow: activations and their tokens go left to right, weights and partial sums top to
    bottom. Two tokens travel with the wave, so that no signal has to reach every PE at once:
    `swap` beside the first activation of a tile makes the shadow weight the active one, in
    time for that very activation; `load` shifts the shadow registers of the column by one row.

    Latency: `act_hop_cycles` of the kind's dataflow from act_in, swap_in and load_in to their
    outputs, `psum_cycles` from act_in to psum_out, `psum_hop_cycles` from psum_in to psum_out.
    Cycles with `en` low do not count: nothing changes in them.

    Bits that never change anything have no register: operand bits that the multiplier does not
    read, and low bits of the partial sum where those of all products are 0. What is around a PE
    is made of equal PEs, so they come in as 0 or are not read there either; they leave as 0.

    No register has a reset: tokens left over from before a reset run ahead of the next tile at
    the same speed and never meet it.

    Members
    -------
    en : In(1)
        Clock enable of every register.
    act_in, act_out : In, Out(the format of the kind)
    swap_in, swap_out : In, Out(1)
        Take the shadow weight; travels with the activation.
    load_in, load_out : In, Out(1)
        Shift the shadow weight in from above.
    weight_in, weight_out : In, Out(the format of the kind)
        Shadow weight of the PE above and of this one.
    psum_in, psum_out : In, Out(signed(psum_width))
        The low bits of psum_in that are 0 in all products are not read.
    """

    pe: Pe
    suffix: str = ""  # of the module names, one per multiplier of a design

    @property
    def module(self) -> str:
        """`pe<suffix>`, around `multiplier<suffix>`."""
        return f"pe{self.suffix}"

    def ports(self) -> Ports:
        """Return the ports; those of operands have the format of the kind."""
        operand, psum = shape_of(self.pe.kind.operand), signed(self.pe.psum_width)
        return {
            "en": In(1),
            "act_in": In(operand), "act_out": Out(operand),
            "swap_in": In(1), "swap_out": Out(1),
            "load_in": In(1), "load_out": Out(1),
            "weight_in": In(operand), "weight_out": Out(operand),
            "psum_in": In(psum), "psum_out": Out(psum),
        }

    @abstractmethod
    def accumulate(self, m: Module, multiplier: Any, act: Any, weight: Any, product: Value,
                   psum: Value) -> Value:
        """Connect the multiplier's operands; return `psum` plus the product, as wide as `psum`.

        act, weight : in the format of the ports. product, psum : the product and what comes from
        above, without the low bits that are always 0.
        """

    def elaborate(self, platform: object) -> Module:
        """Return operand stage, multiply and accumulate stage."""
        m = Module()

        # Cycle 0: operands and tokens are registered; the weight changes with the activation.
        pe = self.pe
        operand = shape_of(pe.kind.operand)
        act = _OperandRegister(operand, pe.act_bits, "act")
        weight = _OperandRegister(operand, pe.weight_bits, "weight")
        shadow = _OperandRegister(operand, pe.weight_bits, "shadow")
        swap = Signal(reset_less=True)
        load = Signal(reset_less=True)
        with m.If(self.en):
            m.d.sync += [act.take(self.act_in), swap.eq(self.swap_in), load.eq(self.load_in)]
            with m.If(self.swap_in):
                m.d.sync += weight.take(shadow.operand)
            with m.If(self.load_in):
                m.d.sync += shadow.take(self.weight_in)

        # Cycle 1: multiply, add, register the partial sum.
        multiplier = place(m, "multiplier", MultiplierCircuit(
            netlist=pe.netlist, module=f"multiplier{self.suffix}"), platform)
        zeros = pe.netlist.zero_bits
        total = self.accumulate(m, multiplier, act.operand, weight.operand,
                                multiplier.product[zeros:], self.psum_in[zeros:])
        psum = Signal(signed(pe.psum_width - zeros), reset_less=True)
        with m.If(self.en):
            m.d.sync += psum.eq(total)

        m.d.comb += [self.act_out.eq(act.operand), self.swap_out.eq(swap),
                     self.load_out.eq(load), self.weight_out.eq(shadow.operand),
                     self.psum_out.eq(Cat(Const(0, zeros), psum))]
        return m


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
