"""A counter in decimal digits, so that nothing has to divide to print it."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


class DecimalCounter(wiring.Component):
    """Counts `step`; stays at 99...9 rather than starting again.

    Latency: `value` follows one cycle after `step` or `restart`.

    Parameters
    ----------
    digits : int
    first : int
        Value that `restart` sets, one digit.

    Members
    -------
    restart : In(1)
        Set the counter to `first`; wins over `step`.
    step : In(1)
        Add one.
    value : Out(array of `digits` 4-bit digits)
        The lowest digit first.
    """

    def __init__(self, *, digits: int, first: int = 0) -> None:
        self.first = first
        super().__init__({"restart": In(1), "step": In(1),
                          "value": Out(data.ArrayLayout(4, digits))})

    def elaborate(self, platform: object) -> Module:
        """Return one register per digit and the carries between them."""
        m = Module()
        digits = [self.value[index] for index in range(len(self.value))]
        nines = [Signal(name=f"nine{index}") for index in range(len(digits))]
        full = Signal()
        m.d.comb += [nine.eq(digit == 9) for nine, digit in zip(nines, digits, strict=True)]
        m.d.comb += full.eq(_all(nines))
        carry: Value = self.step & ~full
        for index, (digit, nine) in enumerate(zip(digits, nines, strict=True)):
            with m.If(self.restart):
                m.d.sync += digit.eq(Const(self.first if index == 0 else 0, 4))
            with m.Elif(carry):
                m.d.sync += digit.eq(Mux(nine, 0, digit + 1))
            carry = carry & nine
        return m


def _all(bits: list[Signal]) -> Value:
    result: Value = Const(1, 1)
    for bit in bits:
        result = result & bit
    return result
