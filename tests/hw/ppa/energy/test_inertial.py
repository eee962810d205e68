"""Why delays add so much to a PE: against another simulator, and taken apart.

Run with `-s` to see the factors that docs/ppa.md quotes.
"""

import shutil

import numpy as np
import pytest

from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.energy.glitches import TimedModel
from hw.ppa.energy.netlist_energy import EnergyModel
from hw.ppa.energy.pe_circuits import circuits
from hw.ppa.energy.stream_energy import beats
from hw.ppa.mapping.mapped import CONST1, MappedNetlist
from hw.ppa.reports.pe_report import reference_samples
from tests.hw.ppa.timed_verilog import one_delay_per_path, transitions

LANES = 1024
STREAMS = ("uniform", "relu")


@pytest.fixture(scope="module")
def states():
    """Settled states of the exact PE and of its multiplier, by stream."""
    pe = load_pe(get("mul8u_exact"))
    return pe, {name: beats(pe, sample.first(LANES))
                for name, sample in reference_samples().items()}


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not on PATH")
@pytest.mark.parametrize("name", ["mul8u_exact", "mul8u_trunc_c8", "mul8s_exact"])
def test_icarus_sees_the_same_glitches(name, tmp_path):
    """Net by net, path delays in specify blocks.

    Both swallow pulses that are shorter than the delay, but differ in what a second cause does to
    an edge that is waiting already, where rise and fall take different times.
    """
    pe = load_pe(get(name))
    sample = next(iter(reference_samples(int8=pe.multiplier.signed).values())).first(128)
    before, after = beats(pe, sample)[0]
    timed = one_delay_per_path(TimedModel(pe.netlist, pe.technology, pe.timing,
                                          circuits(pe).whole.energy))
    outputs = [gate.output for gate in pe.netlist.gates]
    ours = timed.switching(before, after)[1][outputs]
    theirs = transitions(pe.netlist, pe.technology, timed, before, after, tmp_path)
    zero_delay = np.bitwise_count(before ^ after).sum(axis=1)[outputs]
    print(f"{name}: transitions x{ours.sum() / zero_delay.sum():.3f}, by Icarus "
          f"x{theirs.sum() / zero_delay.sum():.3f}, {np.mean(ours == theirs):.0%} of nets equal")
    assert len(theirs) == len(ours)
    assert theirs.sum() == pytest.approx(ours.sum(), rel=0.01)
    assert theirs.sum() > 1.5 * zero_delay.sum()
    assert np.mean(ours == theirs) > 0.6
    assert np.mean(abs(ours - theirs) <= np.maximum(2, 0.05 * ours)) > 0.9


def factor(timed: TimedModel, energy: EnergyModel, before, after) -> float:
    """Return by how much delays multiply the energy of the logic."""
    return 1 + float(timed.glitches(before, after).mean() / energy.logic(before, after).mean())


@pytest.mark.parametrize("stream", STREAMS)
def test_multiplier_glitches_less_than_its_pe(states, stream):
    pe, by_stream = states
    whole, alone = by_stream[stream]
    of_pe = factor(circuits(pe).whole.timed, circuits(pe).whole.energy, *whole)
    of_multiplier = factor(circuits(pe).alone.timed, circuits(pe).alone.energy, *alone)
    print(f"{stream}: PE x{of_pe:.2f}, multiplier alone x{of_multiplier:.2f}")
    assert of_pe - 1 > 2 * (of_multiplier - 1)


def test_adder_glitches_because_product_bits_come_one_by_one(states):
    """The same adder when all bits settle together, and when each settles once, at its time."""
    pe, by_stream = states
    before, after = by_stream["uniform"][0]
    adder = _adder(pe.netlist)
    energy = EnergyModel(adder, pe.technology, pe.timing)
    timed = TimedModel(adder, pe.technology, pe.timing, energy)
    in_turn = factor(timed, energy, before, after)
    timed._launch[:] = 0.0
    together = factor(timed, energy, before, after)
    outputs = [gate.output for gate in adder.gates]
    seen = circuits(pe).whole.timed.switching(before, after)[1][outputs]
    settled = np.bitwise_count(before ^ after).sum(axis=1)[outputs]
    net_fj = circuits(pe).whole.energy.net_fj[outputs]
    in_place = float(seen @ net_fj / (settled @ net_fj))
    print(f"adder: bits together x{together:.2f}, in turn x{in_turn:.2f}, "
          f"behind the multiplier x{in_place:.2f} (its nets)")
    assert together < 1.3
    assert in_turn > together + 0.3
    assert in_place > in_turn


def test_partial_sum_that_waits_for_the_product_changes_little(states):
    pe, by_stream = states
    whole = by_stream["uniform"][0]
    waiting = TimedModel(pe.netlist, pe.technology, pe.timing, circuits(pe).whole.energy)
    ports = list(pe.netlist.inputs["psum_in"])
    product = {net for gate in _adder(pe.netlist).gates for net in gate.inputs}
    product -= {gate.output for gate in _adder(pe.netlist).gates} | set(ports) | {0, CONST1}
    latest = max(pe.timing.arrivals_ps[net].worst for net in product)
    assert latest > pe.timing.delay_ps / 2
    waiting._launch[ports] = latest
    circuit = circuits(pe).whole
    late = factor(waiting, circuit.energy, *whole)
    print(f"partial sum after {latest:.0f} ps: x{late:.2f}")
    assert late == pytest.approx(factor(circuit.timed, circuit.energy, *whole), rel=0.03)


def _adder(netlist: MappedNetlist) -> MappedNetlist:
    """Return the gates that depend on the partial sum; what they read besides are its ports."""
    reached = set(netlist.inputs["psum_in"])
    gates = []
    for gate in netlist.gates:
        if reached.intersection(gate.inputs):
            reached.add(gate.output)
            gates.append(gate)
    driven = {gate.output for gate in gates}
    ports = sorted({net for gate in gates for net in gate.inputs} - driven - {0, CONST1})
    return MappedNetlist(name="adder", net_count=netlist.net_count, inputs={"bits": tuple(ports)},
                         outputs={}, gates=tuple(gates))
