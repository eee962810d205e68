"""The cocotb benches of the bank, on the emitted Verilog."""

from __future__ import annotations

from functools import cache

import pytest

SHAPES = ("square", "wide", "tall", "single", "mixed", "deep", "dense")
SCENARIOS = (
    "random_tiles", "random_stalls", "results_are_those_of_whole_tiles",
    "weights_load_while_a_tile_streams", "routes_back_to_back", "reset_in_mid_stream",
    "measured_timing_is_the_configured_timing", "unknown_route_is_flagged_and_falls_back",
)


@pytest.fixture(scope="session")
def outcome_of(bench, shared_folder):
    """Return the outcome of all scenarios of a bank; each bank is simulated once."""
    @cache
    def run(dut):
        return bench.run("tests.hw.rtl.bench_bank", folder=shared_folder / dut, BENCH_DUT=dut)

    return run


@pytest.mark.parametrize("dut", SHAPES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_bank_matches_the_model_in_every_cycle(outcome_of, scenario, dut):
    outcome_of(dut).verify(scenario)
