"""PE of an unsigned multiplier."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

from hw.rtl.array.pe.component import ProcessingElement


class SignMagnitudePe(ProcessingElement):
    """`psum_out = psum_in + sign * f(|act|, |weight|)`.

    The signs decide between adding and subtracting; zero counts as positive.
    """

    def accumulate(self, m: Module, multiplier: Any, act: Any, weight: Any, product: Value,
                   psum: Value) -> Value:
        """Add or subtract the product of the magnitudes."""
        m.d.comb += [multiplier.act.eq(act.magnitude), multiplier.weight.eq(weight.magnitude)]
        negative = Signal()
        m.d.comb += negative.eq(act.sign ^ weight.sign)
        # -x = ~x + 1; the 1 enters as a carry below bit 0, so one adder does both.
        addend = Signal(len(psum))
        m.d.comb += addend.eq(product ^ negative.replicate(len(psum)))
        total = Signal(len(psum) + 1)
        m.d.comb += total.eq(Cat(negative, psum) + Cat(negative, addend))
        return total[1:]
