"""Starts the cocotb benches of the bank on the emitted Verilog."""

from __future__ import annotations

import pytest

from tests.rtl.duts import PUBLIC_MODULES, TOP, bench_sources
from tests.rtl.simulator import build

pytestmark = pytest.mark.xdist_group("rtl")  # one build, one worker

BENCH = "tests.rtl.bench_bank"
SHAPES = ("square", "wide", "tall", "single")


@pytest.fixture(scope="session")
def bench():
    return build(bench_sources(), top=TOP, public_modules=PUBLIC_MODULES)


@pytest.mark.parametrize("dut", SHAPES)
@pytest.mark.parametrize("scenario", ["random_tiles", "random_stalls"])
def test_random_tiles_match_the_model_in_every_cycle(bench, tmp_path, scenario, dut):
    bench.run(BENCH, scenario, folder=tmp_path, BENCH_DUT=dut)


@pytest.mark.parametrize("dut", SHAPES)
def test_measured_timing_is_that_of_the_bank_configuration(bench, tmp_path, dut):
    bench.run(BENCH, "measured_timing_is_the_configured_timing", folder=tmp_path, BENCH_DUT=dut)


@pytest.mark.parametrize("scenario", [
    "weights_load_while_a_tile_streams", "routes_back_to_back", "reset_in_mid_stream",
    "unknown_route_is_flagged_and_ignored", "results_are_those_of_whole_tiles"])
def test_scenario(bench, tmp_path, scenario):
    bench.run(BENCH, scenario, folder=tmp_path, BENCH_DUT="square")
