"""Processing elements as data: the catalogue of their kinds."""

from __future__ import annotations

from hw.machine.pe.kind import Pe, PeKind
from hw.machine.pe.sign_magnitude import SIGN_MAGNITUDE_PE
from hw.machine.pe.twos_complement import TWOS_COMPLEMENT_PE
from hw.netlist import Netlist

PE_KINDS: dict[str, PeKind] = {kind.name: kind for kind in (
    SIGN_MAGNITUDE_PE,
    TWOS_COMPLEMENT_PE,
)}


def kind_for(*, signed: bool) -> PeKind:
    """Return the kind of a multiplier where none is chosen: the first that takes it."""
    return next(kind for kind in PE_KINDS.values() if kind.signed == signed)


def pe_of(netlist: Netlist, psum_width: int) -> Pe:
    """Return the PE of a multiplier where no kind is chosen."""
    return Pe(kind=kind_for(signed=netlist.signed), netlist=netlist, psum_width=psum_width)
