"""The component of each kind of PE."""

from __future__ import annotations

from collections.abc import Callable

from hw.machine.pe.folded_booth import FOLDED_BOOTH_PE
from hw.machine.pe.kind import Pe
from hw.machine.pe.sign_magnitude import SIGN_MAGNITUDE_PE
from hw.machine.pe.twos_complement import TWOS_COMPLEMENT_PE
from hw.rtl.array.pe.component import ProcessingElement
from hw.rtl.array.pe.folded_booth import FoldedBoothPe
from hw.rtl.array.pe.sign_magnitude import SignMagnitudePe
from hw.rtl.array.pe.twos_complement import TwosComplementPe

COMPONENTS: dict[str, Callable[..., ProcessingElement]] = {
    SIGN_MAGNITUDE_PE.name: SignMagnitudePe,
    TWOS_COMPLEMENT_PE.name: TwosComplementPe,
    FOLDED_BOOTH_PE.name: FoldedBoothPe,
}


def pe_component(pe: Pe, suffix: str = "") -> ProcessingElement:
    """Return the component of a PE: module `pe<suffix>` around `multiplier<suffix>`."""
    return COMPONENTS[pe.kind.name](pe=pe, suffix=suffix)
