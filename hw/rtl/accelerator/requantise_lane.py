"""One column of the requantiser: a sum to a stored code, in integers."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from hw.machine.accelerator import (
    BIAS_BITS,
    CODE_BITS,
    MULTIPLIER_BITS,
    SHIFT_BITS,
    SUM_BITS,
    SUM_BYTES,
)
from hw.machine.isa import VALUE_BITS
from hw.rtl.hierarchy import Ports, Unit

HALF_BITS = 16  # of the multiplier, per partial product

# As LOAD_WEIGHTS sends them, the first in the low bits.
Constants = data.StructLayout({"bias": signed(BIAS_BITS), "multiplier": unsigned(MULTIPLIER_BITS),
                               "shift": unsigned(SHIFT_BITS)})
PRODUCT_BITS = SUM_BITS + MULTIPLIER_BITS


class RequantiseLane(Unit):
    """`code = clamp(zero_point + floor((total * multiplier + half) / 2**shift), low, high)`.

    Here total = sum + bias, wrapped to SUM_BITS, and half = 2**(shift - 1): rounding to nearest,
    halves up (Jacob et al., CVPR 2018, section 2.2, with one rounding). In raw mode the code is
    byte `plane` of total instead.

    Latency: LANE_CYCLES; a new sum every cycle. The registers have no reset.

    Members
    -------
    sum : In(signed(SUM_BITS))
    constants : In(Constants), together with sum
    raw, plane : In(1), In(2), together with sum
    zero_point, low, high : In(signed(VALUE_BITS)), constant while sums are in flight
    code : Out(8)
    """

    module = "requantise_lane"

    def ports(self) -> Ports:
        """Return the ports."""
        value = signed(VALUE_BITS)
        return {
            "sum": In(signed(SUM_BITS)), "constants": In(Constants), "raw": In(1),
            "plane": In(range(SUM_BYTES)), "zero_point": In(value), "low": In(value),
            "high": In(value), "code": Out(CODE_BITS),
        }

    def elaborate(self, platform: object) -> Module:
        """Return the four stages."""
        m = Module()

        # Cycle 0: bias.
        total = Signal(signed(SUM_BITS), reset_less=True)
        multiplier = Signal(MULTIPLIER_BITS, reset_less=True)
        shift = [Signal(SHIFT_BITS, name=f"shift{stage}", reset_less=True) for stage in range(3)]
        raw = [Signal(name=f"raw{stage}", reset_less=True) for stage in range(3)]
        plane = Signal(range(SUM_BYTES), reset_less=True)
        m.d.sync += [total.eq(self.sum + self.constants.bias),
                     multiplier.eq(self.constants.multiplier), shift[0].eq(self.constants.shift),
                     raw[0].eq(self.raw), plane.eq(self.plane)]

        # Cycle 1: two products with halves of the multiplier.
        low = Signal(signed(SUM_BITS + HALF_BITS + 1), reset_less=True)
        high = Signal(signed(PRODUCT_BITS - HALF_BITS + 1), reset_less=True)
        byte = [Signal(CODE_BITS, name=f"byte{stage}", reset_less=True) for stage in range(2)]
        m.d.sync += [low.eq(total * multiplier[:HALF_BITS]),
                     high.eq(total * multiplier[HALF_BITS:]),
                     byte[0].eq(total.as_unsigned().word_select(plane, CODE_BITS)),
                     shift[1].eq(shift[0]), raw[1].eq(raw[0])]

        # Cycle 2: their sum, and the half that rounds.
        scaled = Signal(signed(PRODUCT_BITS + 1), reset_less=True)
        half = Signal(PRODUCT_BITS)
        m.d.comb += half.eq((Const(1, 1) << shift[1])[1:])
        m.d.sync += [scaled.eq(low + high.shift_left(HALF_BITS) + half),
                     byte[1].eq(byte[0]), shift[2].eq(shift[1]), raw[2].eq(raw[1])]

        # Cycle 3: shift, zero point, clamp.
        moved = Signal(signed(PRODUCT_BITS + 2))
        m.d.comb += moved.eq((scaled >> shift[2]) + self.zero_point)
        clamped = Signal(CODE_BITS)
        with m.If(moved < self.low):
            m.d.comb += clamped.eq(self.low)
        with m.Elif(moved > self.high):
            m.d.comb += clamped.eq(self.high)
        with m.Else():
            m.d.comb += clamped.eq(moved)
        code = Signal(CODE_BITS, reset_less=True)
        m.d.sync += code.eq(Mux(raw[2], byte[1], clamped))
        m.d.comb += self.code.eq(code)
        return m
