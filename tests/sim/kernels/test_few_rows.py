"""Looked-up products of few rows against the oracle, in registers and without."""

import numpy as np
import pytest

from sim.kernels import TableProduct
from sim.kernels.few_rows import look_up
from sim.kernels.jit.cpu import VARIABLE
from sim.kernels.oracle import lut_matmul_oracle
from tests.sim.kernels.cases import ACT, TABLES, WEIGHT, operands


@pytest.mark.parametrize("cpu", ["native", "portable"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 4, 7), (64, 32, 64), (33, 100, 3)])
def test_sums_are_the_oracles(table, shape, cpu, monkeypatch):
    monkeypatch.setenv(VARIABLE, cpu)
    m, k, n = shape
    acts, weights = operands(sum(shape), m, k, n)
    product = TableProduct(TABLES[table], ACT, WEIGHT)
    np.testing.assert_array_equal(look_up(acts, weights, product),
                                  lut_matmul_oracle(acts, weights, TABLES[table]))


def test_strided_operands_are_taken():
    acts, weights = operands(1, 20, 12, 10)
    product = TableProduct(TABLES["random"], ACT, WEIGHT)
    np.testing.assert_array_equal(
        look_up(acts[::2, ::3], weights[::3, ::-1], product),
        lut_matmul_oracle(acts[::2, ::3], weights[::3, ::-1], TABLES["random"]))


def test_sums_that_may_not_fit_are_refused():
    acts, weights = operands(1, 1, 40_000, 1)
    with pytest.raises(ValueError, match="Accumulators must fit in int32"):
        look_up(acts, weights, TableProduct(TABLES["random"], ACT, WEIGHT))
