"""PE of a signed multiplier."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Value

from hw.rtl.array.pe.component import ProcessingElement


class TwosComplementPe(ProcessingElement):
    """`psum_out = psum_in + sum of f(act, weight)`, products sign-extended to the partial sum."""

    def term(self, m: Module, multiplier: Any, act: Any, weight: Any,
             product: Value) -> tuple[Value, Value | None]:
        """Multiply."""
        m.d.comb += [multiplier.act.eq(act), multiplier.weight.eq(weight)]
        return product, None
