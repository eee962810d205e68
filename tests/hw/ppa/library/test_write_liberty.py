"""The library written for other tools: in it OpenSTA finds our timing of mapped circuits."""

import gzip
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.library.technology import load_technology
from hw.ppa.library.write_liberty import cell_library
from hw.ppa.mapping.timing import FLAT, analyse, hold_slack_ps
from tests.hw.ppa.opensta import analyse_all

NAMES = ("mul8u_exact", "mul8u_trunc_c4", "mul8u_trunc_c8", "mul8u_drum_k4", "mul8u_bam_h2v6",
         "mul8u_optrunc_a2w1", "mul8u_evo_umae8500", "mul8u_evo_umae74000",
         "mul8u_evo_umae48000", "mul8u_evo_tmae96")

pytestmark = pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA (sta) is not on PATH")


@pytest.fixture(scope="module")
def circuits():
    """Ten PEs and ten multipliers."""
    pes = [load_pe(get(name)) for name in NAMES]
    return [pe.netlist for pe in pes] + [pe.multiplier_netlist for pe in pes]


@pytest.fixture(scope="module")
def on_our_library(circuits, tmp_path_factory):
    """What OpenSTA says with the figures that we keep of asap7."""
    folder = tmp_path_factory.mktemp("sta")
    technology = load_technology()
    (folder / "cells.lib").write_text(cell_library(technology, complete=True))
    return analyse_all(circuits, technology, [Path("cells.lib")], folder, wires=FLAT)


@pytest.mark.parametrize("index", range(2 * len(NAMES)))
def test_longest_path_is_that_of_opensta(circuits, on_our_library, index):
    ours = analyse(circuits[index], load_technology())
    assert ours.delay_ps == pytest.approx(on_our_library[index].delay_ps, rel=1e-4)


@pytest.mark.parametrize("index", range(len(NAMES)))
def test_shortest_path_is_that_of_opensta(circuits, on_our_library, index):
    ours = hold_slack_ps(circuits[index], load_technology())
    assert ours == pytest.approx(on_our_library[index].hold_ps, abs=0.01)


def test_comparison_fails_when_one_cell_is_slower(circuits, on_our_library):
    """The same netlist with an inverter that takes ten times as long."""
    technology = load_technology()
    slow = {}
    for name, cell in technology.cells.items():
        arcs = tuple(tuple(replace(arc, delay_rise=replace(arc.delay_rise, values=tuple(
            tuple(10 * value for value in row) for row in arc.delay_rise.values)))
            for arc in of_pin) for of_pin in cell.arcs)
        slow[name] = replace(cell, arcs=arcs) if len(cell.inputs) == 1 else cell
    changed = analyse(circuits[0], replace(technology, cells=slow))
    assert changed.delay_ps != pytest.approx(on_our_library[0].delay_ps, rel=1e-3)


@pytest.mark.long
def test_longest_paths_are_near_opensta_on_the_published_library(
        circuits, asap7_liberty, tmp_path):
    """It has every table in full; ours keep four digits and the worst of all conditions."""
    libraries = []
    for path in sorted(asap7_liberty.glob("*.lib.gz")):
        libraries.append(tmp_path / path.name.removesuffix(".gz"))
        libraries[-1].write_bytes(gzip.decompress(path.read_bytes()))
    found = analyse_all(circuits, load_technology(), libraries, tmp_path, wires=FLAT)
    for circuit, theirs in zip(circuits, found, strict=True):
        ours = analyse(circuit, load_technology()).delay_ps
        assert ours == pytest.approx(theirs.delay_ps, rel=0.05)
        assert ours >= theirs.delay_ps * 0.999, "the worst condition is never faster"
