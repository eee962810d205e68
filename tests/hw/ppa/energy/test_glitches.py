"""Gate delays: pulses that pass and pulses that do not, against an event queue."""

from dataclasses import replace

import numpy as np
import pytest

from hw.multipliers import get
from hw.ppa import load_pe, sample_energy, sample_operands
from hw.ppa.energy.activity import Simulator, pack_lanes
from hw.ppa.energy.glitches import TimedModel
from hw.ppa.energy.inertial import SETTLED, simulate, simulate_python
from hw.ppa.energy.netlist_energy import EnergyModel
from hw.ppa.energy.pe_circuits import circuits
from hw.ppa.energy.stream_energy import beats
from hw.ppa.library.table import Table
from hw.ppa.mapping.mapped import MappedGate, MappedNetlist
from hw.ppa.mapping.timing import analyse
from hw.ppa.reports.pe_report import relu_stream, uniform_stream
from tests.hw.ppa.event_driven import transitions

SEED = 3


def hazard(inverters):
    """Return a NAND of port `a` and of `a` inverted: it pulses low when `a` rises.

    Nets: 2 a, 3 ... the inverters, then the NAND (its pin B is the later one), then an inverter.
    """
    gates = [MappedGate("INV", (2 + index,), 3 + index) for index in range(inverters)]
    late, pulse = 2 + inverters, 3 + inverters
    gates += [MappedGate("NAND", (2, late), pulse), MappedGate("INV", (pulse,), pulse + 1)]
    return MappedNetlist(name="hazard", net_count=pulse + 2, inputs={"a": (2,)},
                         outputs={"y": (pulse + 1,)}, gates=tuple(gates))


def models(netlist, technology):
    timing = analyse(netlist, technology)
    energy = EnergyModel(netlist, technology, timing)
    return energy, TimedModel(netlist, technology, timing, energy)


def states(netlist, technology, first, second):
    simulator = Simulator(netlist, technology)
    found = []
    for value in (first, second):
        nets = simulator.reset(1)
        simulator.apply(nets, {"a": pack_lanes(np.full(64, value), 1)})
        found.append(nets)
    return found


# NAND falls 5 + 1 x 1.2 + 0.1 x 20 = 8.2 ps after A rises (its load is an inverter's pin and
# 0.2 fF). An inverter falls 5 + its load after it: 7.2 ps before another one, 7.2 ps before pin B
# of NAND (2.2 fF). It rises after 10 + 2 x 1.2 = 12.4 ps.
@pytest.mark.parametrize(("inverters", "passes"), [(1, False), (3, True)])
def test_pulse_shorter_than_the_gate_delay_is_swallowed(tiny, inverters, passes):
    """One inverter: pin B falls 7.2 ps after A rose, before the NAND has followed. Three: 26.8."""
    netlist = hazard(inverters)
    _, timed = models(netlist, tiny)
    before, after = states(netlist, tiny, 0, 1)
    _, found = timed.switching(before, after)
    pulse = 3 + inverters
    assert found[2:pulse].tolist() == [64] * (inverters + 1)
    assert found[pulse:].tolist() == [128 * passes] * 2
    glitches = timed.glitches(before, after)
    if passes:
        # NAND falls because of A (0.2) and rises because of B (0.6), its net of 1.2 fF twice;
        # INV rises and falls (0.4). Without delays A's input-only energy was spent (0.05).
        assert glitches == pytest.approx(0.2 + 0.6 + 2 * 0.6 + 0.4 - 0.05)
    else:
        assert glitches == pytest.approx(0.0)


def test_falling_edge_makes_no_pulse(tiny):
    """`a` low holds the NAND high, whatever the inverters do later."""
    netlist = hazard(3)
    _, timed = models(netlist, tiny)
    _, found = timed.switching(*states(netlist, tiny, 1, 0))
    assert found[6:].tolist() == [0, 0]


@pytest.fixture(scope="module")
def exact_beat():
    """The exact PE, and its nets in two successive beats of uniform operands."""
    pe = load_pe(get("mul8u_exact"))
    sample = sample_operands(*uniform_stream(), rows=16, cols=16, lanes=128, seed=SEED)
    return pe, beats(pe, sample)


def lane(nets, index):
    return [int(word >> np.uint64(index % 64)) & 1 for word in nets[:, index // 64]]


@pytest.mark.parametrize("alone", [False, True], ids=["pe", "multiplier"])
def test_waveforms_equal_those_of_an_event_queue(exact_beat, alone):
    """Transitions of every net, lane by lane, and the values that they settle at."""
    pe, beats = exact_beat
    before, after = beats[alone]
    netlist, timing, timed = (
        (pe.multiplier_netlist, pe.multiplier_timing, circuits(pe).alone.timed) if alone
        else (pe.netlist, pe.timing, circuits(pe).whole.timed))
    expected = np.zeros(netlist.net_count, np.int64)
    for index in range(64):
        count, value = transitions(netlist, pe.technology, timing, lane(before, index),
                                   lane(after, index))
        assert value == lane(after, index)
        for net, times in count.items():
            expected[net] += times
    _, found = timed.switching(before[:, :1], after[:, :1])
    assert found.tolist() == expected.tolist()
    assert expected.sum() > 1.2 * np.bitwise_count(before[:, 0] ^ after[:, 0]).sum()


def test_kernel_equals_the_python_it_is_compiled_from(tiny):
    netlist = hazard(3)
    energy, timed = models(netlist, tiny)
    before, after = states(netlist, tiny, 0, 1)
    results = []
    for kernel in (simulate, simulate_python):
        total, count = np.zeros(1), np.zeros(netlist.net_count, np.int64)
        arrays = timed._arrays
        assert kernel((before, after), (arrays.inputs, arrays.arity, arrays.truth, arrays.outputs),
                      (timed._source_nets, timed._launch, timed._delays),
                      (energy.gate_fj, energy.net_fj, energy.data_pin_fj),
                      (np.empty(64 * netlist.net_count), np.empty((64, 64))),
                      (total, count)) == SETTLED
        results.append((total.tolist(), count.tolist()))
    assert results[0] == results[1]


def test_room_for_waveforms_grows(tiny, monkeypatch):
    netlist = hazard(3)
    _, timed = models(netlist, tiny)
    pair = states(netlist, tiny, 0, 1)
    energy, found = timed.switching(*pair)
    for room in ("TRANSITIONS_PER_NET", "ENERGIES_PER_NET"):
        monkeypatch.setattr(f"hw.ppa.energy.glitches.{room}", 1 / 16)
        again, same = timed.switching(*pair)
        assert (energy.tolist(), found.tolist()) == (again.tolist(), same.tolist())


def without_delays(technology):
    """Return the same cells with delays of 0."""
    zero = Table.constant(0.0)

    def flat(arc):
        return replace(arc, delay_rise=zero, delay_fall=zero)

    cells = {name: replace(cell, arcs=tuple(tuple(map(flat, arcs)) for arcs in cell.arcs))
             for name, cell in technology.cells.items()}
    return replace(technology, cells=cells, flop=replace(
        technology.flop, arc=flat(technology.flop.arc)))


def test_without_delays_nothing_switches_twice(exact_beat):
    pe, (beat, _) = exact_beat
    technology = without_delays(pe.technology)
    timing = analyse(pe.netlist, technology)
    energy = EnergyModel(pe.netlist, technology, timing)
    _, found = TimedModel(pe.netlist, technology, timing, energy).switching(*beat)
    assert found.tolist() == np.bitwise_count(beat[0] ^ beat[1]).sum(axis=1).tolist()


def test_a_net_that_settles_elsewhere_is_an_error(exact_beat):
    pe, ((before, after), _) = exact_beat
    wrong = after.copy()
    wrong[pe.netlist.gates[100].output, 0] ^= np.uint64(1 << 17)
    with pytest.raises(AssertionError, match=r"^net \d+ must settle as without delays$"):
        circuits(pe).whole.timed.switching(before, wrong)


def test_glitches_cost_more_in_the_pe_than_in_its_multiplier():
    """The adder follows the multiplier and sees the product's bits arrive one by one."""
    sample = sample_operands(*uniform_stream(), rows=16, cols=16)
    found = sample_energy(load_pe(get("mul8u_exact")), sample)
    alone = found.multiplier_glitches_fj / (found.multiplier_fj - found.multiplier_glitches_fj)
    assert 0.1 < alone < 0.5
    assert alone < found.glitches_fj / found.logic_fj < 1.2


def test_busier_operands_and_deeper_circuits_glitch_more():
    exact, small = (load_pe(get(name)) for name in ("mul8u_exact", "mul8u_trunc_c8"))
    uniform, relu = (sample_operands(*stream(), rows=16, cols=16)
                     for stream in (uniform_stream, relu_stream))
    busy, calm = sample_energy(exact, uniform), sample_energy(exact, relu)
    assert busy.glitches_fj / busy.logic_fj > 1.2 * calm.glitches_fj / calm.logic_fj
    assert sample_energy(small, relu).glitches_fj < calm.glitches_fj / 2


def test_sampled_share_lies_in_its_interval():
    """All 4096 lanes with delays, against the share measured on the first 1024."""
    pe = load_pe(get("mul8u_exact"))
    sample = sample_operands(*relu_stream(), rows=16, cols=16)
    claimed = sample_energy(pe, sample)
    (before, after), _ = beats(pe, sample)
    full = circuits(pe).whole.timed.glitches(before, after).mean()
    assert abs(claimed.glitches_fj - full) < 1.5 * claimed.glitches_half_width_fj
    assert claimed.glitches_half_width_fj < 0.1 * full
