"""The emitted PEs multiply and add as their tables say, for every pair of operand patterns."""

from __future__ import annotations

import numpy as np
import pytest

from tests.hw.rtl.pe_sweep import (
    FAULTS,
    PES,
    SUMS_FILE,
    TERMS,
    expected_sums,
    read_sums,
    swept_pes,
)


@pytest.fixture(scope="session")
def sums(bench, shared_folder):
    folder = shared_folder / "pe_sweep"
    bench.run("tests.hw.rtl.bench_pe_sweep", folder=folder).verify("pe_sweep")
    return read_sums(folder / SUMS_FILE)


@pytest.mark.parametrize("name", PES)
def test_pe_adds_the_products_of_all_pairs(sums, name):
    known = slice(TERMS - 1, None)  # a weight has come down to every term
    np.testing.assert_array_equal(sums[name][:, known],
                                  expected_sums(swept_pes()[name])[:, known])


@pytest.mark.parametrize("name", FAULTS)
def test_fault_in_a_pe_shows(sums, name):
    wrong = sums[name] != expected_sums(swept_pes()[name])
    assert wrong[:, TERMS:].any()
