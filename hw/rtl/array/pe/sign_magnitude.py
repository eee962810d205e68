"""PE of an unsigned multiplier."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, Value

from hw.rtl.array.pe.component import ProcessingElement


class SignMagnitudePe(ProcessingElement):
    """`psum_out = psum_in + sum of sign * f(|act|, |weight|)`.

    The signs decide between adding and subtracting; zero counts as positive.
    """

    def term(self, m: Module, multiplier: Any, act: Any, weight: Any,
             product: Value) -> tuple[Value, Value | None]:
        """Multiply the magnitudes."""
        m.d.comb += [multiplier.act.eq(act.magnitude), multiplier.weight.eq(weight.magnitude)]
        negative = Signal()
        m.d.comb += negative.eq(act.sign ^ weight.sign)
        return product, negative
