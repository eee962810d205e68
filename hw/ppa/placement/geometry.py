"""What a placement wants to know of a technology beyond the areas of its cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from hw.common.errors import InputError
from hw.common.records import Limits, Positive
from hw.ppa.library.technology import Technology


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Rows of cells, and the capacitance of wires.

    Parameters
    ----------
    row_um, site_um : float
        Height of every cell; what cell widths are multiples of.
    wire_ff_um, clock_ff_um : float
        Of signals and of the clock, fF per um of wire.
    utilisation : float
        Share of the rows that cells fill.
    """

    row_um: Positive
    site_um: Positive
    wire_ff_um: Positive
    clock_ff_um: Positive
    utilisation: Annotated[float, Limits(0.01, 0.95)] = 0.7

    def sites(self, area_um2: float) -> int:
        """Return the width of a cell: libraries give areas, and all cells have the same height."""
        return max(1, round(area_um2 / self.row_um / self.site_um))


# Rows of 7.5 tracks: Clark et al., Microelectronics Journal 2016 (the cell areas of the library are
# multiples of 0.27 x 0.054 um2). Wires: OpenROAD-flow-scripts, flow/platforms/asap7/setRC.tcl,
# set_wire_rc -signal and -clock, the mean over routed designs.
ASAP7 = Geometry(row_um=0.27, site_um=0.054, wire_ff_um=0.173323, clock_ff_um=0.144549)
KNOWN = {"asap7": ASAP7}


def geometry_of(technology: Technology) -> Geometry:
    """Return the geometry of a technology that comes with the project.

    Raises InputError for another one: its liberty files do not say it.
    """
    if technology.name not in KNOWN:
        raise InputError(f"Geometry of technology {technology.name!r} must be told: --row-um, "
                         "--site-um, --wire-ff-um and --clock-ff-um")
    return KNOWN[technology.name]
