"""PE of a signed multiplier."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, Value, signed

from hw.rtl.array.pe.component import ProcessingElement


class TwosComplementPe(ProcessingElement):
    """`psum_out = psum_in + f(act, weight)`, the product sign-extended to the partial sum."""

    def accumulate(self, m: Module, multiplier: Any, act: Any, weight: Any, product: Value,
                   psum: Value) -> Value:
        """Add the product."""
        m.d.comb += [multiplier.act.eq(act), multiplier.weight.eq(weight)]
        total = Signal(signed(len(psum)))
        m.d.comb += total.eq(psum.as_signed() + product.as_signed())
        return total
