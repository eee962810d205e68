"""Rows and wires of a technology."""

import pytest

from hw.common.errors import InputError
from hw.ppa.library.technology import load_technology
from hw.ppa.placement.geometry import ASAP7, geometry_of


def test_cells_of_asap7_are_whole_sites_wide():
    technology = load_technology()
    assert geometry_of(technology) is ASAP7
    for cell in (*technology.cells.values(), technology.flop, technology.clock_gate):
        if cell.area_um2:  # but the second part of a full adder
            assert cell.area_um2 == pytest.approx(
                ASAP7.sites(cell.area_um2) * ASAP7.site_um * ASAP7.row_um), cell.name


def test_another_technology_must_be_described(tiny):
    with pytest.raises(InputError, match=f"Geometry of technology '{tiny.name}' must be told"):
        geometry_of(tiny)
