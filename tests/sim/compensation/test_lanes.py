"""Vector loops against plain ones, in the same order: bit for bit, and without fused operations."""

import numpy as np
import pytest
from numba import njit

from sim.compensation.lanes import (
    LANES,
    SUMS,
    add_products,
    least_of_sums,
    take_and_sum,
)

SINGLE = np.float32


@njit
def added(out, shares, along, across, rows):
    add_products(out.ctypes.data, shares.ctypes.data, across, along, rows.ctypes.data,
                 rows.shape[0])


@njit
def least(best, code, costs, parts, fits):
    least_of_sums(best.ctypes.data, code.ctypes.data, costs.ctypes.data, parts.ctypes.data,
                  fits.ctypes.data, costs.size)


@njit
def taken_and_summed(rest, taken, summed, acts, then):
    take_and_sum(rest.ctypes.data, taken.ctypes.data, summed.ctypes.data, acts.ctypes.data,
                 then.ctypes.data, rest.shape[0])


def drawn(seed, *shapes):
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape).astype(SINGLE) for shape in shapes]


@pytest.mark.parametrize("turned", [False, True])
def test_products_are_added_in_order(turned):
    out, shares, rows = drawn(1, (SUMS, LANES), (50, SUMS), (50, LANES))
    expected = out.copy()
    for share, row in zip(shares, rows, strict=True):
        expected += share[:, None] * row
    if turned:
        added(out, np.ascontiguousarray(shares.T), 4, 200, rows)
    else:
        added(out, shares, 4 * SUMS, 4, rows)
    np.testing.assert_array_equal(out, expected)


def test_the_first_code_of_least_cost_is_found():
    costs, parts, fits = drawn(2, 30, (30, SUMS), (SUMS, LANES))
    costs[20:], parts[20:] = costs[:10], parts[:10]
    expected = np.repeat(costs[:, None], LANES, axis=1)
    for term in range(SUMS):
        expected += parts[:, term, None] * fits[term]
    best, code = np.full(LANES, np.inf, SINGLE), np.full(LANES, -1, np.int32)
    best[3] = expected[:, 3].min()  # is not less
    least(best, code, costs, parts, fits)
    np.testing.assert_array_equal(best, expected.min(axis=0))
    expected_code = expected.argmin(axis=0)
    expected_code[3] = -1
    np.testing.assert_array_equal(code, expected_code)


def test_residuals_are_taken_off_and_summed():
    rest, taken, summed = drawn(3, (70, LANES), (256, LANES), (256, LANES))
    acts, then = np.random.default_rng(4).integers(0, 256, (2, 70)).astype(np.uint8)
    left, total = rest - taken[acts], summed.copy()
    for row, act in zip(left, then, strict=True):
        total[act] += row
    taken_and_summed(rest, taken, summed, acts, then)
    np.testing.assert_array_equal(rest, left)
    np.testing.assert_array_equal(summed, total)


@pytest.mark.parametrize("loop", [added, least, taken_and_summed])
def test_nothing_is_fused(loop):
    for argument in (test_the_first_code_of_least_cost_is_found,
                     test_residuals_are_taken_off_and_summed):
        argument()
    test_products_are_added_in_order(False)
    text = "".join(loop.inspect_asm().values())
    assert len(text) > 1000
    assert "vfmadd" not in text
    assert "vfnmadd" not in text
