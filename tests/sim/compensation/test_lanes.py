"""Vector loops against plain ones, in the same order: bit for bit, and without fused operations."""

import numpy as np
import pytest
from numba import njit

from sim.compensation.lanes import (
    LANES,
    SUMS,
    add_products,
    least_of_sums,
    sum_rows,
    take_and_sum_rows,
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
def summed(total, rest, chosen):
    sum_rows(total.ctypes.data, rest.ctypes.data, chosen.ctypes.data, chosen.size)


@njit
def taken_and_summed(total, rest, chosen, taken, acts):
    take_and_sum_rows(total.ctypes.data, rest.ctypes.data, chosen.ctypes.data, chosen.size,
                      taken.ctypes.data, acts.ctypes.data)


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


@pytest.mark.parametrize("taking", [False, True])
def test_chosen_rows_are_summed_in_order_and_what_is_taken_is_off_before(taking):
    total, rest, taken = drawn(3, LANES, (70, LANES), (256, LANES))
    generator = np.random.default_rng(4)
    acts = generator.integers(0, 256, 70).astype(np.uint8)
    chosen = np.sort(generator.permutation(70)[:40]).astype(np.int32)
    left, expected = rest.copy(), np.zeros(LANES, SINGLE)
    if taking:
        left[chosen] -= taken[acts[chosen]]
        taken_and_summed(total, rest, chosen, taken, acts)
    else:
        summed(total, rest, chosen)
    for row in chosen:
        expected += left[row]
    np.testing.assert_array_equal(rest, left)
    np.testing.assert_array_equal(total, expected)


@pytest.mark.parametrize("loop", [added, least, summed, taken_and_summed])
def test_nothing_is_fused(loop):
    test_the_first_code_of_least_cost_is_found()
    test_products_are_added_in_order(False)
    for taking in (False, True):
        test_chosen_rows_are_summed_in_order_and_what_is_taken_is_off_before(taking)
    text = "".join(loop.inspect_asm().values())
    assert len(text) > 1000
    assert "vfmadd" not in text
    assert "vfnmadd" not in text
