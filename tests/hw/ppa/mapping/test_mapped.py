"""Mapped netlists: their invariants, their sums, reading them from Yosys."""

import copy

import pytest

from hw.common.errors import InputError
from hw.ppa.mapping.mapped import ALWAYS, MappedFlop, MappedGate, MappedNetlist, from_yosys
from tests.hw.ppa.circuits import gated, pipeline

YOSYS = {
    "ports": {"clk": {"direction": "input", "bits": [2]},
              "d": {"direction": "input", "bits": [3]},
              "e": {"direction": "input", "bits": [4]},
              "q": {"direction": "output", "bits": [8, "0"]}},
    "cells": {
        "late": {"type": "INV", "connections": {"A": [6], "Y": [8]}},
        "early": {"type": "NAND", "connections": {"A": [3], "B": ["1"], "Y": [5]}},
        "gate": {"type": "GATE", "connections": {"E": [4], "CK": [2], "GCK": [7]}},
        "state": {"type": "DFF", "connections": {"D": [5], "CK": [7], "QN": [6]}}}}


def test_yosys_module_becomes_a_netlist(tiny):
    netlist = from_yosys(YOSYS, "m", tiny)
    d, = netlist.inputs["d"]
    e, = netlist.inputs["e"]
    assert set(netlist.inputs) == {"d", "e"}  # the clock is no net
    nand, inverter = sorted(netlist.gates, key=lambda gate: gate.cell, reverse=True)
    assert (nand.cell, nand.inputs) == ("NAND", (d, 1))
    assert netlist.flops == (MappedFlop(nand.output, inverter.inputs[0], 0),)
    assert netlist.clock_gates == (e,)
    assert netlist.outputs == {"q": (inverter.output, 0)}


@pytest.mark.parametrize(("cell", "change", "problem"), [
    ("late", {"type": "SUB"}, "m: cell 'SUB' must be one of the technology"),
    ("state", {"connections": {"D": [5], "CK": [5], "QN": [6]}},
     "m: registers must be clocked by the clock port"),
    ("gate", {"connections": {"E": [4], "CK": [3], "GCK": [7]}},
     "m: clock gates must be fed by the clock port"),
    ("early", {"connections": {"A": [5], "B": ["1"], "Y": [5]}},
     "m: a combinational loop, or a net nobody drives"),
    ("early", {"connections": {"A": [99], "B": ["1"], "Y": [5]}},
     "m: a combinational loop, or a net nobody drives"),
])
def test_yosys_module_that_does_not_fit_is_rejected(tiny, cell, change, problem):
    module = copy.deepcopy(YOSYS)
    module["cells"][cell].update(change)
    with pytest.raises(InputError, match=f"^{problem}$"):
        from_yosys(module, "m", tiny)


def test_area_and_leakage_are_sums_over_cells(tiny):
    assert pipeline().area_um2(tiny) == 2 + 1 + 2 * 10
    assert gated().area_um2(tiny) == 10 + 5
    assert pipeline().leakage_nw(tiny) == pytest.approx(4)
    assert pipeline().cell_counts(tiny) == {"NAND": 1, "INV": 1, "DFF": 2}


@pytest.mark.parametrize("make", [pipeline, gated])
def test_round_trip(make):
    netlist = make()
    assert MappedNetlist.from_dict(netlist.to_dict()) == netlist


@pytest.mark.parametrize(("gate", "problem"), [
    (MappedGate("INV", (6,), 6), "INV must read nets driven before it, not 6"),
    (MappedGate("INV", (5,), 4), "INV must drive a net of its own below 8, not 4"),
    (MappedGate("INV", (5,), 8), "INV must drive a net of its own below 8, not 8"),
])
def test_inconsistent_netlist_is_rejected(gate, problem):
    with pytest.raises(ValueError, match=f"^{problem}$"):
        pipeline().with_gate(1, gate)


def test_output_that_nobody_drives_is_rejected():
    with pytest.raises(ValueError, match=r"^Net 3 of m must be driven$"):
        MappedNetlist(name="m", net_count=4, inputs={"a": (2,)}, outputs={"y": (3,)}, gates=())


def test_unknown_clock_domain_is_rejected():
    with pytest.raises(ValueError, match=r"^Clock domain must be below 0, not 0$"):
        MappedNetlist(name="m", net_count=4, inputs={"a": (2,)}, outputs={"y": (3,)}, gates=(),
                      flops=(MappedFlop(2, 3, 0),))
    assert ALWAYS == -1


@pytest.mark.parametrize("missing", ["nets", "gates", "flops", "inputs"])
def test_malformed_description_is_rejected(missing):
    content = pipeline().to_dict()
    del content[missing]
    with pytest.raises(ValueError, match=rf"^must have a value for '{missing}'$"):
        MappedNetlist.from_dict(content)
