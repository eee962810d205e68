"""Cells, nets and pins of a mapped netlist."""

from dataclasses import replace

import pytest

from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.mapping.mapped import MappedGate, MappedNetlist
from hw.ppa.placement.cells import EdgePin, cells_of
from tests.hw.ppa.circuits import gated, pipeline


def test_nets_join_the_cells_that_drive_and_read_them(tiny):
    """Cells: 0 NAND, 1 INV, 2 first register, 3 second; nets as `pipeline` says."""
    cells = cells_of(pipeline(), tiny)
    assert cells.areas_um2 == (2, 1, 10, 10)
    assert [set(ends) for ends in cells.nets] == [
        set(), set(), {2}, {0}, {0, 2}, {0, 1}, {1, 3}, {3}]
    assert cells.clocks == ((2, 3),)


def test_clock_gates_stand_behind_the_registers(tiny):
    cells = cells_of(gated(), tiny)
    assert cells.areas_um2 == (10, 5)
    assert set(cells.nets[3]) == {1}
    assert cells.clocks == ((1, 0), (1,))  # the gate and its register; the gate alone


def test_ports_face_those_of_the_next_pe():
    pe = load_pe(get("mul8u_exact"))
    pins = cells_of(pe.netlist, pe.technology).pins
    for port, opposite, edges in (("act_in", "act_out", {"left", "right"}),
                                  ("swap_in", "swap_out", {"left", "right"}),
                                  ("psum_in", "psum_out", {"top", "bottom"}),
                                  ("weight_in", "weight_out", {"top", "bottom"})):
        for here, there in zip(pe.netlist.inputs[port], pe.netlist.outputs[opposite],
                               strict=True):
            found = [pin for pin in {*pins[here], *pins[there]} if pin.edge in edges]
            assert {pin.edge for pin in found} == edges
            assert len({pin.share for pin in found}) == 1


def test_bits_are_spread_over_the_edge(tiny):
    netlist = MappedNetlist(name="wide", net_count=4, inputs={"psum_in": (2, 3)},
                            outputs={"act_out": (3,)}, gates=())
    assert cells_of(netlist, tiny).pins[2:] == (
        (EdgePin(edge="top", share=0.25),),
        (EdgePin(edge="top", share=0.75), EdgePin(edge="right", share=0.5)))


def test_a_full_adder_is_one_cell(tiny):
    technology = replace(tiny, cells={
        "FA/S": replace(tiny.cells["XOR"], name="FA/S", part_of="FA"),
        "FA/C": replace(tiny.cells["NAND"], name="FA/C", part_of="FA", area_um2=0.0,
                        shares_pins=True)})
    netlist = MappedNetlist(
        name="adders", net_count=8, inputs={"a": (2, 3)}, outputs={"s": (4, 5, 6, 7)}, gates=(
            MappedGate("FA/C", (2, 3), 4), MappedGate("FA/S", (2, 3), 5),
            MappedGate("FA/S", (2, 3), 6), MappedGate("FA/C", (2, 3), 7)))
    cells = cells_of(netlist, technology)
    assert cells.areas_um2 == (3, 3)
    assert cells.nets == ((), (), (0, 1), (0, 1), (0,), (0,), (1,), (1,))
    assert sum(cells.areas_um2) == pytest.approx(netlist.area_um2(technology))
