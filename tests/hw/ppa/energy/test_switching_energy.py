"""Our energies against OpenSTA's: nets equal, arcs equal, sums explained. See docs/ppa.md."""

import gzip
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.energy.netlist_energy import EnergyModel
from hw.ppa.energy.pe_circuits import circuits
from hw.ppa.energy.stream_energy import beats
from hw.ppa.library.write_liberty import cell_library
from hw.ppa.mapping.timing import FLAT
from hw.ppa.reports.pe_report import reference_samples
from tests.hw.ppa.opensta_power import GateEnergy, energies

NAMES = ("mul8u_exact", "mul8u_trunc_c4", "mul8u_trunc_c8", "mul8u_drum_k4", "mul8u_bam_h2v6",
         "mul8u_optrunc_a2w1", "mul8u_evo_umae8500", "mul8u_evo_umae74000", "mul8s_exact",
         "mul8s_booth_abe1_c8")

pytestmark = pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA (sta) is not on PATH")


class Compared:
    """A PE on uniform operands, without glitches: our energies beside those of OpenSTA."""

    def __init__(self, name: str, libraries: list[Path], folder: Path) -> None:
        self.pe = pe = load_pe(get(name))
        self.theirs = energies(pe.netlist, pe.technology, libraries, folder, wires=FLAT)
        self.outputs = [gate.output for gate in pe.netlist.gates]
        sample = next(iter(reference_samples(int8=pe.multiplier.signed).values()))
        before, after = beats(pe, sample)[0]
        self.switching = np.bitwise_count(before ^ after).sum(axis=1) / sample.lanes
        self.logic_fj = float(circuits(pe).whole.energy.logic(before, after).mean())

    @property
    def nets_fj(self) -> float:
        """Of the nets that gates drive."""
        energy = circuits(self.pe).whole.energy
        return float(self.switching[self.outputs] @ energy.net_fj[self.outputs])

    @property
    def internal_fj(self) -> float:
        """The rest of the logic."""
        return self.logic_fj - self.nets_fj

    def weighted(self, figures: list[float]) -> float:
        """Return the sum of figures per transition of each gate's output."""
        return float(self.switching[self.outputs] @ np.array(figures))

    def arcs(self, model: EnergyModel) -> tuple[list[float], list[float]]:
        """Return both edges of every arc: ours and theirs (mean over conditions, power rail)."""
        ours, theirs = [], []
        for index, (gate, found) in enumerate(zip(self.pe.netlist.gates, self.theirs, strict=True)):
            for position, pin in enumerate(self.pe.technology.cells[gate.cell].inputs):
                same = [arc.both_edges_fj for arc in _on_power_rail(found) if arc.pin == pin.name]
                if same:
                    ours.append(float(model.gate_fj[index, position, :2].sum()))
                    theirs.append(float(np.mean(same)))
        return ours, theirs


def _on_power_rail(gate: GateEnergy):
    return [arc for arc in gate.arcs if arc.rail != "VSS"]


def normalised(gate: GateEnergy) -> float:
    """Return the energy of one edge of the output, the arcs weighted to a sum of one."""
    arcs = _on_power_rail(gate)
    if not arcs:
        return 0.0
    return float(np.average([arc.both_edges_fj / 2 for arc in arcs],
                            weights=[arc.duty for arc in arcs]))


@pytest.fixture(scope="module")
def on_our_library(tmp_path_factory):
    """By name; OpenSTA reads the figures that we keep, power rail only."""
    folder = tmp_path_factory.mktemp("sta")
    (folder / "cells.lib").write_text(
        cell_library(load_pe(get(NAMES[0])).technology, complete=True))
    return {name: Compared(name, [Path("cells.lib")], folder) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_every_net_costs_the_same(on_our_library, name):
    found = on_our_library[name]
    assert [gate.switching_fj for gate in found.theirs] == pytest.approx(
        list(circuits(found.pe).whole.energy.net_fj[found.outputs]), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_arc_costs_the_same(on_our_library, name):
    """OpenSTA reads a table at the slew of the causing edge, we at the mean of both edges."""
    found = on_our_library[name]
    ours, theirs = map(np.array, found.arcs(circuits(found.pe).whole.energy))
    assert len(ours) > 100
    assert (abs(theirs / ours - 1) < 0.1).all()
    assert abs(np.median(theirs / ours) - 1) < 0.005


@pytest.mark.parametrize("name", NAMES)
def test_internal_energy_is_that_of_opensta_with_normalised_weights(on_our_library, name):
    """What is left is who causes an edge: our joint switching, their independent inputs."""
    found = on_our_library[name]
    assert found.weighted([normalised(gate) for gate in found.theirs]) == pytest.approx(
        found.internal_fj, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_opensta_charges_both_edges_of_every_arc_at_each_transition(on_our_library, name):
    """The reason why its total is more than twice ours."""
    found = on_our_library[name]
    assert [gate.internal_fj for gate in found.theirs] == pytest.approx(
        [sum(arc.duty * arc.both_edges_fj for arc in gate.arcs) for gate in found.theirs],
        rel=0.05, abs=0.01)
    assert 2 < found.weighted([gate.internal_fj for gate in found.theirs]) / found.internal_fj < 3


def test_comparison_fails_when_a_table_is_another(on_our_library):
    """The same PE with inverters whose edges cost a fifth more."""
    found = on_our_library[NAMES[0]]
    technology, dearer = found.pe.technology, {}
    for name, cell in technology.cells.items():
        more = tuple(replace(energy, rise=replace(energy.rise, values=tuple(
            tuple(1.2 * value for value in row) for row in energy.rise.values)))
            for energy in cell.switching)
        dearer[name] = replace(cell, switching=more) if len(cell.inputs) == 1 else cell
    model = EnergyModel(found.pe.netlist, replace(technology, cells=dearer), found.pe.timing)
    ours, theirs = map(np.array, found.arcs(model))
    assert (abs(theirs / ours - 1) > 0.1).any()


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_internal_energy_is_near_opensta_on_the_published_library(name, asap7_liberty, tmp_path):
    """It has every condition of an arc; we keep their mean, on a coarser grid.

    And a capacitance of each edge of a pin, of which `capacitance`, what we keep, is the larger.
    """
    libraries = []
    for path in sorted(asap7_liberty.glob("*.lib.gz")):
        libraries.append(Path(path.name.removesuffix(".gz")))
        (tmp_path / libraries[-1]).write_bytes(gzip.decompress(path.read_bytes()))
    found = Compared(name, libraries, tmp_path)
    assert found.weighted([gate.switching_fj for gate in found.theirs]) == pytest.approx(
        found.nets_fj, rel=0.005)
    assert found.weighted([normalised(gate) for gate in found.theirs]) == pytest.approx(
        found.internal_fj, rel=0.03)
