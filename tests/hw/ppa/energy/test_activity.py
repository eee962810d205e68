"""Bit-parallel simulation of mapped netlists."""

import numpy as np
import pytest

from hw.ppa.energy.activity import Simulator, pack_lanes, unpack_lanes
from hw.ppa.energy.settling import settle_python
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.mapped import MappedGate, MappedNetlist
from tests.hw.ppa.circuits import gated, pipeline

SEED = 1


@pytest.mark.parametrize(("width", "signed"), [(1, False), (9, False), (24, True), (32, True)])
def test_packing_is_reversible(width, signed):
    low, high = (-(1 << width - 1), 1 << width - 1) if signed else (0, 1 << width)
    values = np.random.default_rng(SEED).integers(low, high, 192)
    planes = pack_lanes(values, width)
    assert planes.shape == (width, 3)
    assert (unpack_lanes(planes, signed=signed) == values).all()


def test_partial_words_are_rejected():
    with pytest.raises(ValueError, match=r"^Lanes must fill words of 64, not 65$"):
        pack_lanes(np.zeros(65, np.int64), 1)


@pytest.mark.parametrize("name", sorted(load_technology("asap7").cells))
def test_every_cell_evaluates_its_function(name):
    """All input combinations, against the expression read as Python."""
    technology = load_technology("asap7")
    cell = technology.cells[name]
    count = len(cell.inputs)
    nets = tuple(range(2, 2 + count))
    netlist = MappedNetlist(name="one", net_count=3 + count, inputs={"a": nets},
                            outputs={"y": (2 + count,)},
                            gates=(MappedGate(name, nets, 2 + count),))
    simulator = Simulator(netlist, technology)
    cases = np.arange(64) % (1 << count)
    state = simulator.reset(1)
    simulator.apply(state, {"a": pack_lanes(cases, count)})
    python = cell.function.replace("!", " not ").replace("*", " and ").replace("+", " or ")
    expected = [bool(eval(python, {pin.name: bool(case >> bit & 1)
                                   for bit, pin in enumerate(cell.inputs)}))
                for case in cases]
    assert simulator.output(state, "y").tolist() == expected


def test_kernel_equals_the_python_it_is_compiled_from(tiny):
    simulator = Simulator(pipeline(), tiny)
    nets = simulator.reset(2)
    nets[2:5] = np.random.default_rng(SEED).integers(0, 2**63, (3, 2), np.uint64)
    slow = nets.copy()
    arrays = simulator.arrays
    settle_python(slow, arrays.inputs, arrays.arity, arrays.truth, arrays.outputs)
    simulator.apply(nets, {})
    assert (nets == slow).all()
    assert (nets[5] == ~(nets[4] & nets[3])).all()


def test_registers_delay_by_one_cycle_each_and_invert(tiny):
    """Output pin = not D: q(t) = not inv(nand(not d(t - 2), b(t - 1))) = nand(...)."""
    random = np.random.default_rng(SEED)
    d, b = random.integers(0, 2, (2, 6, 64))
    simulator = Simulator(pipeline(), tiny)
    nets = simulator.reset(1)
    for cycle in range(6):
        simulator.apply(nets, {"d": pack_lanes(d[cycle], 1), "b": pack_lanes(b[cycle], 1)})
        if cycle >= 2:
            expected = 1 - (1 - d[cycle - 2]) * b[cycle - 1]
            assert (simulator.output(nets, "q") == expected).all()
        simulator.clock_edge(nets)


def test_closed_clock_gate_holds_the_register(tiny):
    random = np.random.default_rng(SEED)
    simulator = Simulator(gated(), tiny)
    nets = simulator.reset(1)
    expected = np.zeros(64, np.int64)
    for _ in range(8):
        d, e = random.integers(0, 2, (2, 64))
        simulator.apply(nets, {"d": pack_lanes(d, 1), "e": pack_lanes(e, 1)})
        assert (simulator.output(nets, "q") == expected).all()
        simulator.clock_edge(nets)
        expected = np.where(e, 1 - d, expected)
