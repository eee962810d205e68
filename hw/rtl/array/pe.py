"""Processing elements (PEs): one multiplier, its weights and its partial sum."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import Any

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.machine.design import OPERAND_BITS
from hw.netlist import Netlist
from hw.rtl.array.multiplier import multiplier_kind
from hw.rtl.array.operand import pe_operand
from hw.rtl.hierarchy import ModuleKind, Place, inline

ACT_HOP_CYCLES = 1  # act_in to act_out
PSUM_CYCLES = 2  # act_in to the psum_out that contains its product
PSUM_HOP_CYCLES = 1  # psum_in to psum_out


class ProcessingElement(wiring.Component, ABC):
    """Weight-stationary PE: `psum_out = psum_in + act * weight`, the product by a netlist.

    What both kinds share; `SignMagnitudePe` and `TwosComplementPe` multiply and accumulate.

    Dataflow: activations and their tokens go left to right, weights and partial sums top to
    bottom. Two tokens travel with the wave, so that no signal has to reach every PE at once:
    `swap` beside the first activation of a tile makes the shadow weight the active one, in
    time for that very activation; `load` shifts the shadow registers of the column by one row.

    Latency: ACT_HOP_CYCLES from act_in, swap_in and load_in to their outputs, PSUM_CYCLES from
    act_in to psum_out, PSUM_HOP_CYCLES from psum_in to psum_out. Cycles with `en` low do not
    count: nothing changes in them.

    Bits that never change anything have no register: operand bits that the multiplier does not
    read, and low bits of the partial sum where those of all products are 0. What is around a PE
    is made of equal PEs, so they come in as 0 or are not read there either; they leave as 0.

    No register has a reset: tokens left over from before a reset run ahead of the next tile at
    the same speed and never meet it.

    Parameters
    ----------
    netlist : Netlist
        8x8 multiplier; `pe_operand(netlist)` is the format of the operands.
    psum_width : int
        Bits of the two's complement partial sum; wraps on overflow, which `Design` rules out.
    suffix : str
        Ending of the module names, one per multiplier of a design.
    place : Place
        How to include the multiplier.

    Members
    -------
    en : In(1)
        Clock enable of every register.
    act_in, act_out : In, Out(pe_operand(netlist))
    swap_in, swap_out : In, Out(1)
        Take the shadow weight; travels with the activation.
    load_in, load_out : In, Out(1)
        Shift the shadow weight in from above.
    weight_in, weight_out : In, Out(pe_operand(netlist))
        Shadow weight of the PE above and of this one.
    psum_in, psum_out : In, Out(signed(psum_width))
        The low `netlist.zero_bits` bits of psum_in are not read.

    Raises ValueError for a netlist that is not 8x8 or of the other kind.
    """

    signed_netlist: bool  # whether this kind takes signed or unsigned netlists

    def __init__(self, *, netlist: Netlist, psum_width: int, suffix: str = "",
                 place: Place = inline) -> None:
        if (netlist.act_width, netlist.weight_width) != (OPERAND_BITS, OPERAND_BITS):
            raise ValueError(f"PE multiplier must be {OPERAND_BITS}x{OPERAND_BITS}, not "
                             f"{netlist.act_width}x{netlist.weight_width}")
        if netlist.signed != self.signed_netlist:
            kinds = ("unsigned", "signed")
            raise ValueError(f"Multiplier of a {type(self).__name__} must be "
                             f"{kinds[self.signed_netlist]}, not {kinds[netlist.signed]}")
        self._netlist = netlist
        self._multiplier = multiplier_kind(netlist, name=f"multiplier{suffix}")
        self._place = place
        self.psum_width = psum_width
        super().__init__(pe_signature(netlist, psum_width))

    @abstractmethod
    def _accumulate(self, m: Module, multiplier: Any, act: Any, weight: Any, product: Value,
                    psum: Value) -> Value:
        """Connect the multiplier's operands; return `psum` plus the product, as wide as `psum`.

        act, weight : in the format of the ports. product, psum : the product and what comes from
        above, without the low bits that are always 0.
        """

    def elaborate(self, platform: object) -> Module:
        """Return operand stage, multiply and accumulate stage."""
        m = Module()

        # Cycle 0: operands and tokens are registered; the weight changes with the activation.
        operand = pe_operand(self._netlist)
        act = _OperandRegister(operand, self._netlist.act_bits, "act")
        weight = _OperandRegister(operand, self._netlist.weight_bits, "weight")
        shadow = _OperandRegister(operand, self._netlist.weight_bits, "shadow")
        swap = Signal(reset_less=True)
        load = Signal(reset_less=True)
        with m.If(self.en):
            m.d.sync += [act.take(self.act_in), swap.eq(self.swap_in), load.eq(self.load_in)]
            with m.If(self.swap_in):
                m.d.sync += weight.take(shadow.operand)
            with m.If(self.load_in):
                m.d.sync += shadow.take(self.weight_in)

        # Cycle 1: multiply, add, register the partial sum.
        multiplier = self._place(m, "multiplier", self._multiplier)
        zeros = self._netlist.zero_bits
        total = self._accumulate(m, multiplier, act.operand, weight.operand,
                                 multiplier.product[zeros:], self.psum_in[zeros:])
        psum = Signal(signed(self.psum_width - zeros), reset_less=True)
        with m.If(self.en):
            m.d.sync += psum.eq(total)

        m.d.comb += [self.act_out.eq(act.operand), self.swap_out.eq(swap),
                     self.load_out.eq(load), self.weight_out.eq(shadow.operand),
                     self.psum_out.eq(Cat(Const(0, zeros), psum))]
        return m


class SignMagnitudePe(ProcessingElement):
    """PE of an unsigned multiplier: `psum_out = psum_in + sign * f(|act|, |weight|)`.

    The signs decide between adding and subtracting; zero counts as positive.
    """

    signed_netlist = False

    def _accumulate(self, m: Module, multiplier: Any, act: Any, weight: Any, product: Value,
                    psum: Value) -> Value:
        m.d.comb += [multiplier.act.eq(act.magnitude), multiplier.weight.eq(weight.magnitude)]
        negative = Signal()
        m.d.comb += negative.eq(act.sign ^ weight.sign)
        # -x = ~x + 1; the 1 enters as a carry below bit 0, so one adder does both.
        addend = Signal(len(psum))
        m.d.comb += addend.eq(product ^ negative.replicate(len(psum)))
        total = Signal(len(psum) + 1)
        m.d.comb += total.eq(Cat(negative, psum) + Cat(negative, addend))
        return total[1:]


class TwosComplementPe(ProcessingElement):
    """PE of a signed multiplier: `psum_out = psum_in + f(act, weight)`.

    The product is sign-extended to the partial sum. Operands are 8 bits, -128 to 127.
    """

    signed_netlist = True

    def _accumulate(self, m: Module, multiplier: Any, act: Any, weight: Any, product: Value,
                    psum: Value) -> Value:
        m.d.comb += [multiplier.act.eq(act), multiplier.weight.eq(weight)]
        total = Signal(signed(len(psum)))
        m.d.comb += total.eq(psum.as_signed() + product.as_signed())
        return total


class _OperandRegister:
    """A register for the bits of an operand that matter, its sign included; the others are 0."""

    def __init__(self, layout: data.StructLayout | Shape, bits: tuple[int, ...], name: str) -> None:
        width = Shape.cast(layout).width
        # Above the bits of the multiplier's port is the sign.
        self._bits = (*bits, *range(OPERAND_BITS, width))
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


def pe_signature(netlist: Netlist, psum_width: int) -> wiring.Signature:
    """Return the ports of the PE of `netlist`; see `ProcessingElement`."""
    operand = pe_operand(netlist)
    return wiring.Signature({
        "en": In(1),
        "act_in": In(operand), "act_out": Out(operand),
        "swap_in": In(1), "swap_out": Out(1),
        "load_in": In(1), "load_out": Out(1),
        "weight_in": In(operand), "weight_out": Out(operand),
        "psum_in": In(signed(psum_width)), "psum_out": Out(signed(psum_width)),
    })


@cache
def pe_kind(netlist: Netlist, psum_width: int, *, suffix: str = "") -> ModuleKind:
    """Return the module `pe<suffix>` around `multiplier<suffix>`, of the kind `netlist` needs."""
    kind = TwosComplementPe if netlist.signed else SignMagnitudePe

    def build(place: Place) -> ProcessingElement:
        return kind(netlist=netlist, psum_width=psum_width, suffix=suffix, place=place)

    return ModuleKind(name=f"pe{suffix}", signature=pe_signature(netlist, psum_width), build=build)
