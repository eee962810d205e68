"""One column of the requantiser: a sum to a stored code, in integers."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike, signed, unsigned
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
from hw.rtl.accelerator.adders import Row, add, carry_save
from hw.rtl.hierarchy import Ports, Unit

# As LOAD_WEIGHTS sends them, the first in the low bits.
Constants = data.StructLayout({"bias": signed(BIAS_BITS), "multiplier": unsigned(MULTIPLIER_BITS),
                               "shift": unsigned(SHIFT_BITS)})
PRODUCT_BITS = SUM_BITS + MULTIPLIER_BITS
FINE_BITS = 3  # of the shift, in its second cycle
TWICE_BITS = VALUE_BITS + 2  # enough for twice the code that, moved by any zero point, is clamped


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
        """Return the seven stages."""
        m = Module()

        def register(name: str, value: ValueLike) -> Signal:
            """Return `value` one cycle later."""
            late = Signal(Value.cast(value).shape(), name=name, reset_less=True)
            m.d.sync += late.eq(value)
            return late

        # Cycle 0: what comes in has passed memories and a choice of columns.
        fresh = register("fresh", self.sum)
        constants = Constants(register("chosen", self.constants))
        raw, plane = [register("raw0", self.raw)], register("plane0", self.plane)

        # Cycle 1: bias.
        total = register("total", add(m, fresh.as_unsigned(), constants.bias.as_unsigned()))
        multiplier = register("multiplier", constants.multiplier)
        shift = [register("shift0", constants.shift)]
        plane = register("plane1", plane)

        # Cycle 2: the product as two numbers. Negative totals by inverted signs: what is
        # inverted is 2**31 too much in every row, which two constant bits take away in all.
        rows: list[Row] = [
            (place, Cat(total[:-1] & bit.replicate(SUM_BITS - 1), ~(total[-1] & bit)))
            for place, bit in enumerate(multiplier)]
        rows[0] = 0, Cat(rows[0][1][:-1], total[-1] & multiplier[0], rows[0][1][-1])
        rows[-1] = rows[-1][0], Cat(rows[-1][1], Const(1, 1))
        halves = [register(f"half{index}", half)
                  for index, half in enumerate(carry_save(m, rows, PRODUCT_BITS))]
        byte = [register("byte0", total.word_select(plane, CODE_BITS))]

        # Cycle 3: their sum.
        product = register("product", add(m, *halves))

        # Cycles 4 and 5: shift, one bit less than asked for, so that the last bit says whether to
        # round up. What is far beyond the clamps stays there.
        for stage in range(3):
            shift.append(register(f"shift{stage + 1}", shift[-1][:FINE_BITS] if stage == 2
                                  else shift[-1]))
        coarse = shift[2][FINE_BITS:]
        scaled = Signal(signed(PRODUCT_BITS + 1))
        m.d.comb += scaled.eq(Cat(0, product).as_signed() >> (coarse << FINE_BITS))
        near = register("near", _saturated(m, scaled, TWICE_BITS + (1 << FINE_BITS) - 1))
        twice = _saturated(m, near >> shift[3], TWICE_BITS)
        moved = register("moved", (twice + Cat(1, self.zero_point).as_signed())[1:].as_signed())

        # Cycle 6: clamp.
        for stage in range(5):
            raw.append(register(f"raw{stage + 1}", raw[-1]))
            if stage > 1:
                byte.append(register(f"byte{stage - 1}", byte[-1]))
        clamped = Signal(CODE_BITS)
        with m.If(moved < self.low):
            m.d.comb += clamped.eq(self.low)
        with m.Elif(moved > self.high):
            m.d.comb += clamped.eq(self.high)
        with m.Else():
            m.d.comb += clamped.eq(moved)
        m.d.comb += self.code.eq(register("stored", Mux(raw[-1], byte[-1], clamped)))
        return m


def _saturated(m: Module, value: Value, width: int) -> Value:
    """Return a signed value, the nearest one of `width` bits where it is beyond them."""
    sign = value[-1]
    beyond = Signal(name=f"beyond{width}")
    m.d.comb += beyond.eq((value[width - 1:-1] ^ sign.replicate(len(value) - width)).any())
    return Cat(Mux(beyond, (~sign).replicate(width - 1), value[:width - 1]), sign).as_signed()
