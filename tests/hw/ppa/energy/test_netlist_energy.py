"""Energy of single transitions, worked out by hand in the cells of `tiny.py`."""

import numpy as np
import pytest

from hw.ppa.energy.activity import Simulator, pack_lanes
from hw.ppa.energy.clock_tree import CLOCK_FANOUT
from hw.ppa.energy.netlist_energy import EnergyModel
from hw.ppa.energy.switching_energy import count_python
from hw.ppa.mapping.timing import Wires, analyse
from tests.hw.ppa.circuits import gated, pipeline

PULSE = 1.2 + 0.2 + 0.3  # register: pin and wire of 1.2 fF at 1 V, both edges inside
TREE = (1.2 + 0.2 + 0.2) / (CLOCK_FANOUT - 1)  # buffer: pin and wire, both edges inside
HALF = 0.6  # half of C V^2 of a net of 1.2 fF
ALL, NONE = np.ones(64, np.int64), np.zeros(64, np.int64)


def model(netlist, technology):
    return EnergyModel(netlist, technology, analyse(netlist, technology))


def states(technology, first, second, *, lanes=ALL):
    """Return the nets before and after: (net 4, b) goes from `first` to `second` in `lanes`."""
    netlist = pipeline()
    simulator = Simulator(netlist, technology)
    found = []
    for register, b in (first, second):
        nets = simulator.reset(1)
        changed = np.where(lanes, register, first[0]), np.where(lanes, b, first[1])
        nets[4] = pack_lanes(changed[0], 1)[0]
        simulator.apply(nets, {"b": pack_lanes(changed[1], 1)})
        found.append(nets)
    return found


# (register pin, b) before and after; logic; registers.
CASES = {
    # NAND rises because of A (0.4), INV falls (0.1); both nets have 1.2 fF. The register's pin
    # falls: 1.6 less the 0.2 of an idle clock edge, and D rose: 0.5.
    "A falls": ((1, 1), (0, 1), 0.4 + HALF + 0.1 + HALF, 1.6 - 0.2 + 0.5 + HALF),
    "A rises": ((0, 1), (1, 1), 0.2 + HALF + 0.3 + HALF, 1.2 - 0.2 + 0.7 + HALF),
    # b is a port with 2.2 fF; its pin's energy is 0.6 at a rising output.
    "B falls": ((1, 1), (1, 0), 0.6 + HALF + 0.1 + HALF, 1.1),
    "both fall": ((1, 1), (0, 0), (0.4 + 0.6) / 2 + HALF + 0.1 + HALF,
                  1.6 - 0.2 + 0.5 + HALF + 1.1),
    # The output stays: the input-only energy of A.
    "A falls, B low": ((1, 0), (0, 0), 0.07, 1.6 - 0.2 + 0.5 + HALF),
    "A rises, B low": ((0, 0), (1, 0), 0.05, 1.2 - 0.2 + 0.7 + HALF),
    "nothing": ((1, 1), (1, 1), 0.0, 0.0),
}


@pytest.mark.parametrize(("first", "second", "logic", "registers"), CASES.values(), ids=CASES)
def test_energy_of_a_transition_by_hand(tiny, first, second, logic, registers):
    energy = model(pipeline(), tiny).between(*states(tiny, first, second))
    assert energy.logic == pytest.approx(logic)
    assert energy.registers == pytest.approx(registers)
    assert energy.clock == pytest.approx(2 * (PULSE + TREE))
    assert energy.total == pytest.approx(logic + registers + 2 * (PULSE + TREE))


def test_energy_is_the_mean_over_lanes(tiny):
    first, second, logic, registers = CASES["A falls"]
    quarter = (np.arange(64) % 4 == 0).astype(np.int64)
    energy = model(pipeline(), tiny).between(*states(tiny, first, second, lanes=quarter))
    assert energy.logic == pytest.approx(logic / 4)
    assert energy.registers == pytest.approx(registers / 4)


def test_clock_gate_saves_the_clock_of_its_registers(tiny):
    """Closed: pin of 2.2 fF, 0.1 + 0.2 inside. Open: 0.6 + 0.4 inside, and the register."""
    nets = Simulator(gated(), tiny).reset(1)
    gated_model = model(gated(), tiny)
    closed = gated_model.between(nets, nets, pack_lanes(NONE, 1)).clock
    opened = gated_model.between(nets, nets, pack_lanes(ALL, 1)).clock
    assert closed == pytest.approx(2.2 + 0.3 + TREE)
    assert opened == pytest.approx(2.2 + 1.0 + TREE + PULSE)
    assert gated_model.between(nets, nets).clock == closed


def test_longer_wires_cost_more(tiny):
    netlist = pipeline()
    pair = states(tiny, (1, 1), (0, 1))
    near, far = (EnergyModel(netlist, tiny, analyse(netlist, tiny), wires=wires).between(*pair)
                 for wires in (Wires(pin_ff=0.2), Wires(pin_ff=1.0)))
    assert far.logic - near.logic == pytest.approx(2 * 0.8 / 2)


@pytest.mark.parametrize("word", [0, 1, 2**63, 0xF0F0, 2**64 - 1])
def test_population_count(word):
    with np.errstate(over="ignore"):
        assert count_python(np.uint64(word)) == word.bit_count()


def test_wires_of_nets_and_clock_domains(tiny):
    """Half of C V^2 of each net's own wire; the gate on the ungated clock, the register behind."""
    wires = Wires(nets_ff=(0, 0, 0, 0, 3.0, 5.0, 0, 0), clock_ff=(0.7,), clock_growth=4)
    netlist, pair = pipeline(), states(tiny, (1, 1), (0, 1))
    placed, flat = (EnergyModel(netlist, tiny, analyse(netlist, tiny), wires=one).between(*pair)
                    for one in (wires, Wires()))
    assert placed.logic - flat.logic == pytest.approx((5.0 - 0.2 - 0.2) / 2)
    assert placed.registers - flat.registers == pytest.approx((3.0 - 0.2) / 2)
    # Above 16 registers a wire of 4 x 0.7, above 16 buffers one of 16 x 0.7, and so on.
    above = 0.7 * sum((4 / CLOCK_FANOUT) ** level for level in range(1, 40))
    assert placed.clock == pytest.approx(
        2 * (PULSE + 0.7 - 0.2 + TREE - 0.2 / (CLOCK_FANOUT - 1) + above))
    nets = Simulator(gated(), tiny).reset(1)
    behind = Wires(clock_ff=(0.5, 0.9))
    gated_model = EnergyModel(gated(), tiny, analyse(gated(), tiny), wires=behind)
    closed, opened = (gated_model.between(nets, nets, pack_lanes(lanes, 1)).clock
                      for lanes in (NONE, ALL))
    assert opened - closed == pytest.approx(1.0 - 0.3 + PULSE + 0.5 - 0.2)
