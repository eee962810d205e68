"""Placing cells in rows: the call of Coloquinte."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.common.errors import ToolError
from hw.ppa.mapping.mapped import FIRST_NET
from hw.ppa.placement.cells import Cells, EdgePin
from hw.ppa.placement.geometry import Geometry

PLACER = "coloquinte"
EFFORT, SEED = 3, 1
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FloorPlan:
    """Rows that cells lie in: as nearly square as whole rows allow.

    rows, sites : how many, and sites in each.
    """

    rows: int
    sites: int
    geometry: Geometry

    @classmethod
    def of(cls, cells: Cells, geometry: Geometry) -> FloorPlan:
        """Return the floor plan in which cells take the share of the area that is wanted."""
        area = sum(cells.areas_um2) / geometry.utilisation
        rows = max(1, round(math.sqrt(area) / geometry.row_um))
        widest = max(map(geometry.sites, cells.areas_um2), default=1)
        return cls(rows=rows, geometry=geometry, sites=max(
            widest, math.ceil(area / rows / geometry.row_um / geometry.site_um)))

    @property
    def width_um(self) -> float:
        """Of a row."""
        return self.sites * self.geometry.site_um

    @property
    def height_um(self) -> float:
        """Of all rows."""
        return self.rows * self.geometry.row_um

    def at(self, pin: EdgePin) -> tuple[float, float]:
        """Return where a pin is, um from the lower left corner."""
        return {"left": (0.0, pin.share * self.height_um),
                "right": (self.width_um, pin.share * self.height_um),
                "bottom": (pin.share * self.width_um, 0.0),
                "top": (pin.share * self.width_um, self.height_um)}[pin.edge]


def placer_name() -> str:
    """Return name and version of the placer; raises ToolError where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{PLACER} {version(PLACER)}"
    except PackageNotFoundError:
        raise ToolError(f"{PLACER} is missing, which places PEs that have no stored placement; "
                        f"run: pip install {PLACER} (Python 3.11 or 3.12)") from None


def place(cells: Cells, plan: FloorPlan) -> Floats:
    """Return the centres of all cells, um, float64[cells, 2]; equal arguments give equal bytes.

    The length of nets is what is minimised. Raises ToolError where the placer is not installed.
    """
    placer_name()
    import coloquinte

    geometry = plan.geometry
    widths = [geometry.sites(area) for area in cells.areas_um2]
    # To the placer a site is a unit, so that cells lie on sites.
    height = max(1, round(geometry.row_um / geometry.site_um))
    unit_um = np.array([geometry.site_um, geometry.row_um / height])
    pins = [plan.at(pin) / unit_um for some in cells.pins for pin in some]
    circuit = coloquinte.Circuit(len(widths) + len(pins))
    fixed = [False] * len(widths) + [True] * len(pins)
    circuit.cell_width = widths + [0] * len(pins)
    circuit.cell_height = [height] * len(widths) + [0] * len(pins)
    circuit.cell_is_fixed = fixed
    circuit.cell_is_obstruction = [not own for own in fixed]
    circuit.cell_x = [0] * len(widths) + [round(x) for x, _ in pins]
    circuit.cell_y = [0] * len(widths) + [round(y) for _, y in pins]
    first_pin = len(widths)
    for net, (ends, edge) in enumerate(zip(cells.nets, cells.pins, strict=True)):
        own_pins = range(first_pin, first_pin + len(edge))
        first_pin += len(edge)
        if net >= FIRST_NET and len(ends) + len(edge) > 1:
            circuit.add_net([*ends, *own_pins],
                            [*(widths[end] // 2 for end in ends), *(0 for _ in edge)],
                            [*(height // 2 for _ in ends), *(0 for _ in edge)])
    circuit.setup_rows(coloquinte.Rectangle(0, plan.sites, 0, plan.rows * height), height,
                       False, False)
    parameters = coloquinte.ColoquinteParameters(EFFORT, SEED)
    with _silence():
        circuit.place_global(parameters)
        circuit.legalize(parameters)
        circuit.place_detailed(parameters)
    corners = np.array([circuit.cell_x, circuit.cell_y], float).T[:len(widths)]
    centres: Floats = (corners + np.array([[width / 2, height / 2] for width in widths])) * unit_um
    return centres


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the placer's own messages from standard output, which it writes to directly."""
    sys.stdout.flush()
    output = os.dup(1)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(output, 1)
        os.close(output)
