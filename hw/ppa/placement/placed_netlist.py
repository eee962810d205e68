"""The lengths of the wires of a netlist whose cells are placed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from hw.common.records import Count, Limits, Positive
from hw.ppa.energy.clock_tree import CLOCK_FANOUT
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import FIRST_NET, MappedNetlist
from hw.ppa.mapping.timing import Wires
from hw.ppa.placement.cells import cells_of
from hw.ppa.placement.geometry import Geometry
from hw.ppa.placement.placer import Floats, FloorPlan, place
from hw.ppa.placement.steiner import tree_length

NM_PER_UM = 1000


@dataclass(frozen=True, kw_only=True)
class PlacedNetlist:
    """Lengths of wires.

    Parameters
    ----------
    netlist_sha256 : str
        Of the netlist that was placed.
    width_um, height_um : float
    nets_nm : tuple of int
        Of each net, to the pins at the edges.
    clocks_nm, clock_sinks : tuple of int
        Of the clock inside, behind each clock gate and on the ungated clock, last; registers and
        gates that it reaches.
    """

    netlist_sha256: Annotated[str, Limits(64, 64)]
    width_um: Positive
    height_um: Positive
    nets_nm: tuple[Count, ...]
    clocks_nm: tuple[Count, ...]
    clock_sinks: tuple[Count, ...]

    def wires(self, geometry: Geometry) -> Wires:
        """Return the capacitances.

        A level up in the clock tree there is one buffer for `CLOCK_FANOUT` sinks: wires that cover
        the same area with fewer ends are longer by the square root.
        """
        return Wires(
            nets_ff=tuple(nm / NM_PER_UM * geometry.wire_ff_um for nm in self.nets_nm),
            clock_ff=tuple(nm / NM_PER_UM * geometry.clock_ff_um / max(1, sinks) for nm, sinks
                           in zip(self.clocks_nm, self.clock_sinks, strict=True)),
            clock_growth=math.sqrt(CLOCK_FANOUT))


def netlist_digest(netlist: MappedNetlist) -> str:
    """Return the SHA-256 of a mapped netlist."""
    text = json.dumps(netlist.to_dict(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def place_netlist(netlist: MappedNetlist, technology: Technology,
                  geometry: Geometry) -> PlacedNetlist:
    """Return a netlist placed in a floor plan of its own; raises ToolError without the placer."""
    cells = cells_of(netlist, technology)
    plan = FloorPlan.of(cells, geometry)
    centres = place(cells, plan)
    pins = [np.array([plan.at(pin) for pin in some]).reshape(-1, 2) for some in cells.pins]
    return PlacedNetlist(
        netlist_sha256=netlist_digest(netlist), width_um=round(plan.width_um, 6),
        height_um=round(plan.height_um, 6),
        nets_nm=tuple(_nm(np.concatenate([centres[list(ends)], edge])) if net >= FIRST_NET else 0
                      for net, (ends, edge) in enumerate(zip(cells.nets, pins, strict=True))),
        clocks_nm=tuple(_nm(centres[list(sinks)]) for sinks in cells.clocks),
        clock_sinks=_counts(cells.clocks))


def _nm(points: Floats) -> int:
    return round(tree_length(points) * NM_PER_UM)


def _counts(clocks: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return how many registers and gates each part of the clock reaches: its own gate is none."""
    *gated, ungated = map(len, clocks)
    return (*(count - 1 for count in gated), ungated)
