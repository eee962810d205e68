"""Layers of the digits network, compiled, on the emitted Verilog of the default bank."""

from __future__ import annotations

import pytest

from tests.hw.rtl.network_program import DUT


@pytest.fixture(scope="session")
def outcome(bench, shared_folder):
    return bench.run("tests.hw.rtl.bench_program", folder=shared_folder / "program",
                     BENCH_DUT=DUT)


@pytest.mark.parametrize("scenario", ["a_networks_layers_have_the_golden_accumulators",
                                      "a_dropped_route_shows"])
def test_program_computes_the_network_on_the_rtl(outcome, scenario):
    outcome.verify(scenario)
