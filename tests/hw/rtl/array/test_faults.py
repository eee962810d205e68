"""The bench notices faults: each one built into the emitted Verilog gives mismatches."""

from __future__ import annotations

import json

import pytest

from tests.hw.rtl.duts import designs
from tests.hw.rtl.faults import BANK_FAULTS, FAULTY, FIRST_GATE_FAULT, fault_numbers

GATES = len(designs()[FAULTY].multipliers["nibble"].netlist.gates)


@pytest.fixture(scope="session")
def mismatches(bench, shared_folder):
    """Return the number of mismatches of each fault, from one simulation."""
    folder = shared_folder / "faults"
    numbers = [0, *(fault_numbers()[fault.name] for fault in BANK_FAULTS),
               *range(FIRST_GATE_FAULT, FIRST_GATE_FAULT + GATES)]
    # Two power-up states: registers of this bank have no initial value.
    outcome = bench.run("tests.hw.rtl.bench_faults", folder=folder,
                        BENCH_FAULTS=json.dumps(numbers), BENCH_REPORT=str(folder / "report.json"),
                        plusargs=["+verilator+rand+reset+2", "+verilator+seed+7"])
    outcome.verify("faults")
    report = json.loads((folder / "report.json").read_text())
    return {int(number): count for number, count in report.items()}


def test_nothing_is_reported_without_a_fault_whatever_the_power_up_state(mismatches):
    assert mismatches[0] == 0


@pytest.mark.parametrize("fault", BANK_FAULTS, ids=lambda fault: fault.name)
def test_fault_is_noticed(mismatches, fault):
    assert mismatches[fault_numbers()[fault.name]] > 0


@pytest.mark.parametrize("gate", range(GATES))
def test_inverted_gate_is_noticed(mismatches, gate):
    assert mismatches[FIRST_GATE_FAULT + gate] > 0
