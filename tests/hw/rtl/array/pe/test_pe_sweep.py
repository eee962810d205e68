"""The emitted PEs multiply and add as their tables say, for every pair of operand patterns."""

from __future__ import annotations

import numpy as np
import pytest

from tests.hw.rtl.pe_sweep import FAULTS, SUMS_FILE, expected_sums, read_sums, swept_pes


@pytest.fixture(scope="session")
def sums(bench, shared_folder):
    folder = shared_folder / "pe_sweep"
    bench.run("tests.hw.rtl.bench_pe_sweep", folder=folder).verify("pe_sweep")
    return read_sums(folder / SUMS_FILE)


@pytest.mark.parametrize("name", [name for name in swept_pes() if name not in FAULTS])
def test_pe_adds_the_product_of_all_pairs(sums, name):
    np.testing.assert_array_equal(sums[name], expected_sums(swept_pes()[name]))


@pytest.mark.parametrize("name", FAULTS)
def test_fault_in_a_pe_shows(sums, name):
    assert (sums[name] != expected_sums(swept_pes()[name])).any()
