"""Layers of the digits network, compiled, on the emitted Verilog of the default bank."""

from __future__ import annotations

import pytest

from tests.rtl.network_program import DUT

pytestmark = pytest.mark.xdist_group("rtl")  # one build, one worker


@pytest.fixture(scope="session")
def outcome(bench, tmp_path_factory):
    return bench.run("tests.rtl.bench_program", folder=tmp_path_factory.mktemp("program"),
                     BENCH_DUT=DUT)


@pytest.mark.parametrize("scenario", ["a_networks_layers_have_the_golden_accumulators",
                                      "a_dropped_route_shows"])
def test_program_computes_the_network_on_the_rtl(outcome, scenario):
    outcome.verify(scenario)
