"""Activations rounded to fewer bits: the edge of an array that multiplies only their high bits."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module
from amaranth.lib.wiring import In, Out

from hw.machine.pe.operand_format import STREAM
from hw.rtl.array.operand import shape_of
from hw.rtl.hierarchy import Ports, Unit


class Rounder(Unit):
    """`value` is `operand` with its magnitude as `hw.multipliers.base.rounded` has it.

    The nearest multiple of 2**bits, half-way cases up, the largest one where that would need a
    ninth bit. The sign passes.

    Latency: none, combinational. An array has one per row, none per PE.

    Members
    -------
    operand : In(STREAM)
    value : Out(STREAM)
    """

    bits: int
    clock = False

    @property
    def module(self) -> str:
        """`round_<bits>`."""
        return f"round_{self.bits}"

    def ports(self) -> Ports:
        """Return the ports."""
        return {"operand": In(shape_of(STREAM)), "value": Out(shape_of(STREAM))}

    def elaborate(self, platform: object) -> Module:
        """Return an incrementer under the highest bit that goes, unless all that stay are 1."""
        m = Module()
        magnitude, kept = self.operand.magnitude, self.operand.magnitude[self.bits:]
        up = magnitude[self.bits - 1] & ~kept.all()
        m.d.comb += [self.value.magnitude.eq(Cat(Const(0, self.bits), (kept + up)[:len(kept)])),
                     self.value.sign.eq(self.operand.sign)]
        return m
