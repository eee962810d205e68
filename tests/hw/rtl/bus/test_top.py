"""The accelerator on AXI, as emitted, under the drivers of cocotbext-axi."""

from __future__ import annotations

import pytest

from tests.hw.rtl.bus.machines import TOP, bench_sources
from tests.hw.rtl.simulator import build

SCENARIOS = ("rows_of_several_beats", "rows_of_one_beat", "registers_say_what_they_are",
             "nothing_enters_before_start_and_a_reset_forgets_what_did",
             "errors_stay_until_they_are_cleared")


@pytest.fixture(scope="session")
def outcome(shared_folder):
    built = build(bench_sources(), top=TOP, public_modules=[TOP])
    return built.run("tests.hw.rtl.bus.bench_axi", folder=shared_folder / "axi",
                     plusargs=["+verilator+rand+reset+2", "+verilator+seed+7"])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_bus(outcome, scenario):
    outcome.verify(scenario)
