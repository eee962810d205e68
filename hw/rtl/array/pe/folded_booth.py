"""PE of exact products by recoded weights."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Value

from hw.rtl.array.pe.component import ProcessingElement


class FoldedBoothPe(ProcessingElement):
    """`psum_out = psum_in + sum of f(act, weight)`, see `hw.machine.pe.folded_booth`.

    f is unsigned.
    """

    def term(self, m: Module, multiplier: Any, act: Any, weight: Any,
             product: Value) -> tuple[Value, Value | None]:
        """Multiply."""
        m.d.comb += [multiplier.act.eq(act), multiplier.weight.eq(weight)]
        return Cat(product, Const(0, 1)), None
