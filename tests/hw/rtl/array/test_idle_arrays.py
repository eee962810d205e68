"""Arrays that ROUTE did not select do not toggle: counted, net by net."""

from __future__ import annotations

import json

import pytest

from tests.hw.rtl.faults import IDLE_FAULTS, fault_numbers


@pytest.fixture(scope="session")
def phases_of(bench, shared_folder):
    def run(fault=0):
        folder = shared_folder / f"idle_{fault}"
        outcome = bench.run("tests.hw.rtl.bench_idle", folder=folder, BENCH_FAULT=str(fault),
                            BENCH_REPORT=str(folder / "report.json"))
        outcome.verify("toggles")
        return json.loads((folder / "report.json").read_text())

    return run


def idle_toggles(phases):
    return sum(count for phase in phases for array, count in phase["toggles"].items()
               if array != phase["routed"])


def test_idle_arrays_do_not_toggle_and_the_routed_one_does(phases_of):
    phases = phases_of()
    for phase in phases:
        assert min(phase["nets"].values()) > 4 * 50  # the gates of all four PEs are watched
        assert phase["toggles"][phase["routed"]] > 1000
    assert idle_toggles(phases) == 0


@pytest.mark.parametrize("fault", IDLE_FAULTS, ids=lambda fault: fault.name)
def test_lost_isolation_is_noticed(phases_of, fault):
    assert idle_toggles(phases_of(fault_numbers()[fault.name])) > 0
