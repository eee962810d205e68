"""Cells in rows."""

import numpy as np
import pytest

from hw.common.errors import ToolError
from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.placement import placer
from hw.ppa.placement.cells import EdgePin, cells_of
from hw.ppa.placement.geometry import ASAP7
from hw.ppa.placement.placer import FloorPlan, place, placer_name
from tests.hw.ppa.placement.chain import GEOMETRY, chain


@pytest.fixture
def installed():
    pytest.importorskip("coloquinte", reason="coloquinte is not installed")


def test_a_floor_plan_is_as_full_as_asked_and_nearly_square():
    pe = load_pe(get("mul8u_exact"))
    plan = FloorPlan.of(cells_of(pe.netlist, pe.technology), ASAP7)
    assert pe.area_um2 / plan.width_um / plan.height_um == pytest.approx(0.7, abs=0.005)
    assert plan.width_um == pytest.approx(plan.height_um, rel=0.03)
    assert plan.rows * ASAP7.row_um == plan.height_um


def test_a_row_holds_the_widest_cell(tiny):
    plan = FloorPlan.of(cells_of(chain(1), tiny), GEOMETRY)
    assert (plan.rows, plan.sites) == (1, 3)  # a site is free


def test_pins_lie_on_their_edges(tiny):
    plan = FloorPlan.of(cells_of(chain(3), tiny), GEOMETRY)
    assert (plan.width_um, plan.height_um) == (2, 2)
    assert [plan.at(EdgePin(edge=edge, share=0.25)) for edge in (
        "left", "right", "bottom", "top")] == [(0, 0.5), (2, 0.5), (0.5, 0), (0.5, 2)]


def test_cells_lie_on_sites_in_rows_and_do_not_overlap(installed):
    pe = load_pe(get("mul8u_trunc_c8"))
    cells = cells_of(pe.netlist, pe.technology)
    plan = FloorPlan.of(cells, ASAP7)
    centres = place(cells, plan)
    widths = np.array([ASAP7.sites(area) for area in cells.areas_um2])
    left = centres[:, 0] / ASAP7.site_um - widths / 2
    row = centres[:, 1] / ASAP7.row_um - 0.5
    assert left == pytest.approx(np.round(left), abs=1e-6)
    assert row == pytest.approx(np.round(row), abs=1e-6)
    assert (left > -0.1).all()
    assert (left + widths < plan.sites + 0.1).all()
    assert set(np.round(row)) <= set(range(plan.rows))
    taken = [(round(y), site) for x, y, width in zip(left, row, widths, strict=True)
             for site in range(round(x), round(x) + width)]
    assert len(taken) == len(set(taken))


def test_the_same_bytes_again_and_nothing_on_standard_output(installed, tiny, capfd):
    cells = cells_of(chain(9), tiny)
    plan = FloorPlan.of(cells, GEOMETRY)
    assert place(cells, plan).tobytes() == place(cells, plan).tobytes()
    assert capfd.readouterr() == ("", "")


def test_a_missing_placer_is_named(monkeypatch, tiny):
    monkeypatch.setattr(placer, "PLACER", "no_such_placer")
    with pytest.raises(ToolError, match="no_such_placer is missing"):
        placer_name()
    cells = cells_of(chain(3), tiny)
    with pytest.raises(ToolError, match="is missing"):
        place(cells, FloorPlan.of(cells, GEOMETRY))
