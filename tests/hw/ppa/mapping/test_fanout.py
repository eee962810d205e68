"""Buffer trees: no net has many readers, and the circuit computes what it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.fanout import FANOUT, buffered
from hw.ppa.mapping.mapped import MappedFlop, MappedGate, MappedNetlist
from hw.ppa.mapping.timing import analyse

TECHNOLOGY = load_technology()
INVERTER, XOR = "INVx1_ASAP7_75t_R", "XOR2xp5_ASAP7_75t_R"


def wide(readers):
    """Return a register and an input that `readers` gates and as many registers read."""
    first = 5
    return MappedNetlist(
        name="wide", net_count=first + readers, inputs={"a": (2,), "b": (3,)},
        outputs={"y": tuple(range(first, first + readers))},
        gates=tuple(MappedGate(XOR, (2, 4), first + index) for index in range(readers)),
        flops=(MappedFlop(3, 4, -1),))


def values(netlist, sources):
    """Return the bits of outputs, register inputs and gate enables for bits of the sources."""
    nets = {0: 0, 1: 1, **sources}
    for gate in netlist.gates:
        pins = sum(nets[net] << place for place, net in enumerate(gate.inputs))
        nets[gate.output] = TECHNOLOGY.cells[gate.cell].truth >> pins & 1
    read = [net for bus in netlist.outputs.values() for net in bus]
    return [nets[net] for net in (*read, *(flop.data for flop in netlist.flops),
                                  *netlist.clock_gates)]


def pins(netlist):
    """Return how many cells read each net; full adders are not split here."""
    count = Counter(net for gate in netlist.gates for net in set(gate.inputs))
    return count + Counter(flop.data for flop in netlist.flops) + Counter(netlist.clock_gates)


@pytest.mark.parametrize("readers", [1, FANOUT, FANOUT + 1, FANOUT**2, FANOUT**2 + 1, 700])
def test_no_net_has_many_readers(readers):
    before = wide(readers)
    after = buffered(before, TECHNOLOGY)
    assert max(pins(after).values()) <= FANOUT
    if readers <= FANOUT:
        assert after == before
    else:
        assert analyse(after, TECHNOLOGY).arrivals_ps[2].worst == 0
        latest = [max(analyse(one, TECHNOLOGY).arrivals_ps[net].worst
                      for net in one.outputs["y"]) for one in (before, after)]
        assert latest[1] < latest[0] or readers < 100


@pytest.mark.parametrize("netlist", [wide(300), load_pe(get("mul8u_exact")).netlist],
                         ids=["wide", "PE"])
def test_the_circuit_is_the_same(netlist):
    after = buffered(netlist, TECHNOLOGY)
    rng = np.random.default_rng(0)
    sources = [*(net for nets in netlist.inputs.values() for net in nets),
               *(flop.output for flop in netlist.flops)]
    for _ in range(50):
        bits = dict(zip(sources, map(int, rng.integers(0, 2, len(sources))), strict=True))
        assert values(after, bits) == values(netlist, bits)


def test_parts_of_a_cell_keep_their_pins_together():
    """A full adder is two gates: both halves must read the same buffer."""
    adder = TECHNOLOGY.full_adder
    first = 5
    gates = []
    for index in range(40):
        gates += [MappedGate(part, (2, 3, 4 if index == 0 else first + 2 * index - 2),
                             first + 2 * index + place)
                  for place, part in enumerate((adder.sum, adder.carry))]
    netlist = MappedNetlist(name="adders", net_count=first + 80,
                            inputs={"a": (2,), "b": (3,), "c": (4,)},
                            outputs={"y": (first + 78, first + 79)}, gates=tuple(gates))
    after = buffered(netlist, TECHNOLOGY)
    halves = Counter(gate.inputs for gate in after.gates if len(gate.inputs) == 3)
    assert set(halves.values()) == {2}


def test_without_a_buffer_nothing_changes():
    bare = replace(TECHNOLOGY, cells={name: cell for name, cell in TECHNOLOGY.cells.items()
                                      if not name.startswith("BUF")})
    assert buffered(wide(100), bare) == wide(100)
