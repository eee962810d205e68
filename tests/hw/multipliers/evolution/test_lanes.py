"""The compiled block operations against plain NumPy."""

import numpy as np
import pytest
from numba import njit

from hw.multipliers.evolution import lanes
from hw.multipliers.evolution.objective import lane_order
from hw.netlist import Op, apply_op

SEED = 7


@njit
def run_gate(out, x, y, coefficients):
    lanes.gate(np.uint64(out.ctypes.data), np.uint64(x.ctypes.data), np.uint64(y.ctypes.data),
               np.uint64(coefficients.ctypes.data))


@njit
def run_differing(x, y):
    return lanes.differing(np.uint64(x.ctypes.data), np.uint64(y.ctypes.data))


@njit
def run_transpose(planes):
    lanes.transpose(np.uint64(planes.ctypes.data))


@njit
def run_sums(products, exact, weight, extend, sums):
    addresses = (np.uint64(products.ctypes.data), np.uint64(exact.ctypes.data),
                 np.uint64(weight.ctypes.data), np.int32(extend))
    sums[0] = lanes.sum_absolute(*addresses)
    sums[1] = lanes.worst_absolute(*addresses)
    sums[2] = lanes.sum_wrong(*addresses)
    sums[3] = lanes.sum_square(*addresses)
    sums[4] = lanes.sum_error(*addresses)


def words(random, *shape):
    return random.integers(0, 2**64, shape, dtype=np.uint64)


@pytest.mark.parametrize("op", Op, ids=lambda op: op.name)
def test_gate_is_the_netlists(op):
    x, y = words(np.random.default_rng(SEED), 2, lanes.WORDS)
    out = np.zeros(lanes.WORDS, np.uint64)
    run_gate(out, x, y, lanes.COEFFICIENTS[op].copy())
    np.testing.assert_array_equal(out, apply_op(op, x, y))


def test_differing_counts_lanes():
    x, y = words(np.random.default_rng(SEED), 2, lanes.WORDS)
    assert run_differing(x, y) == np.unpackbits((x ^ y).view(np.uint8)).sum()
    assert run_differing(x, x) == 0
    assert run_differing(x, ~x) == lanes.LANES


def test_transposed_planes_are_products_in_lane_order():
    products = np.random.default_rng(SEED).integers(0, 2**16, lanes.LANES)
    planes = np.stack([np.packbits(products >> bit & 1, bitorder="little").view("<u8")
                       for bit in range(lanes.PRODUCT_BITS)])
    planes = np.ascontiguousarray(planes)
    run_transpose(planes)
    np.testing.assert_array_equal(planes.view(np.uint16).reshape(-1), products[lane_order()])


@pytest.mark.parametrize("signed", [False, True])
def test_error_sums(signed):
    random = np.random.default_rng(SEED)
    products = random.integers(0, 2**16, lanes.LANES).astype(np.uint16)
    values = products.astype(np.int64) - 2**16 * (signed & (products >= 2**15))
    exact = np.where(random.random(lanes.LANES) < 0.5, values,
                     random.integers(-2**15, 2**15, lanes.LANES))
    weight = random.integers(0, 2**20, lanes.LANES)
    sums = np.zeros(5, np.int64)
    run_sums(products, exact.astype(np.int32), weight.astype(np.int32), 0x8000 * signed, sums)
    error = values - exact
    expected = [(np.abs(error) * weight).sum(), np.abs(error).max(), weight[error != 0].sum(),
                (error**2 * weight).sum(), (error * weight).sum()]
    assert sums.tolist() == expected
