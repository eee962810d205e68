"""Sums stay within int16 whatever operands of the given ranges come."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels.loops.rowadd import BIAS, DEPTH, STEPS, UNIT, lane_order
from sim.kernels.schedule import INT16_MAX, Ranges, schedule

ALL = np.full(999, 256, np.uint16)


def wrapped(values):
    """Return what int16 holds of integers."""
    return (values + 2**15) % 2**16 - 2**15


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), group=st.sampled_from([1, 2]), units=st.integers(1, 6),
       size=st.sampled_from([10, 1000, 9000, 33000, 65535]), zero=st.integers(0, 255))
def test_no_sum_leaves_int16(seed, group, units, size, zero):
    generator = np.random.default_rng(seed)
    table = generator.integers(0, size + 1, (256, 256)).astype(np.int32)
    table *= generator.integers(0, 2, 256)[None]  # many weights have no error
    terms, lanes = units * UNIT * group, 16
    codes = generator.integers(0, 257, (terms, lanes)).astype(np.uint16)
    ends = np.sort(generator.integers(0, 256, (2, terms)), axis=0)
    plan = schedule(codes, Ranges.of(table, zero).middles(*ends.astype(np.uint8)), group, ALL)
    if not plan.feasible:
        assert group * (size + 1) // 2 > INT16_MAX
        return
    # Even lanes of the first term of a sum are BIAS more.
    bias = np.zeros((terms, lanes), int)
    widenings = 0
    for block, step in enumerate(plan.steps):
        assert step in STEPS
        last = min((block + 1) * DEPTH, terms // group)
        bias[block * DEPTH * group:last * group:step * group, ::2] = BIAS
        widenings += (last - block * DEPTH) // step
    assert widenings == plan.widenings
    centres = wrapped(plan.centres + bias)
    padded = np.concatenate([table, np.zeros((256, 1), np.int32)], axis=1)
    # The extreme entry of every term in either direction, less its centre.
    highest, lowest = np.zeros((2, terms, lanes), int)
    columns = np.zeros(lanes, int)
    for k in range(terms):
        first, last = ends[:, k]
        entries = padded[first:last + 1][:, codes[k]]
        held = wrapped(entries - centres[k])
        exact = entries - held  # the centre, not modulo
        assert (exact == exact[0]).all(), "an entry does not fit"
        columns += exact[0] - bias[k]
        highest[k], lowest[k] = held.max(axis=0), held.min(axis=0)
    np.testing.assert_array_equal(plan.columns[lane_order(lanes)], columns)
    for block, step in enumerate(plan.steps):
        for term in range(block * DEPTH, min((block + 1) * DEPTH, terms // group), step):
            part = slice(term * group, (term + step) * group)
            assert highest[part].sum(axis=0).max() <= INT16_MAX
            assert lowest[part].sum(axis=0).min() >= -INT16_MAX


def test_ranges_grow_outward_from_zero():
    table = np.zeros((256, 256), np.int32)
    table[:, 3] = np.arange(256) - 100
    ranges = Ranges.of(table, 100)
    np.testing.assert_array_equal(ranges.high[:, 3], [0] * 6 + [*range(11, 156, 16)])
    np.testing.assert_array_equal(ranges.low[:, 3], [*range(-100, -3, 16)] + [0] * 9)
    assert not ranges.high[:, 256].any()


def test_small_errors_are_widened_once():
    table = np.random.default_rng(0).integers(-3, 4, (256, 256)).astype(np.int32)
    codes = np.random.default_rng(1).integers(0, 256, (64, 16)).astype(np.uint16)
    ends = np.zeros(64, np.uint8), np.full(64, 255, np.uint8)
    plan = schedule(codes, Ranges.of(table, 0).middles(*ends), 1, ALL)
    assert plan.steps.tolist() == [DEPTH] * 4
    assert plan.widenings == 4


@pytest.mark.parametrize("step", STEPS)
def test_a_block_is_widened_as_seldom_as_its_largest_sum_allows(step):
    table = np.zeros((256, 256), np.int32)
    table[1] = 2 * (INT16_MAX // step)
    codes, ends = np.zeros((DEPTH, 16), np.uint16), (np.zeros(DEPTH, np.uint8),
                                                     np.ones(DEPTH, np.uint8))
    assert schedule(codes, Ranges.of(table, 0).middles(*ends), 1, ALL).steps.tolist() == [step]
    table[1] += 2
    assert schedule(codes, Ranges.of(table, 0).middles(*ends), 1, ALL).steps.tolist() in (
        [[step // 2]] if step > 1 else [[0]])


def test_entries_further_apart_than_int16_spans_are_not_feasible():
    table = np.zeros((256, 256), np.int32)
    table[9] = 2**16
    codes, ends = np.zeros((8, 16), np.uint16), (np.zeros(8, np.uint8), np.full(8, 9, np.uint8))
    assert not schedule(codes, Ranges.of(table, 0).middles(*ends), 1, ALL).feasible
    table[9] = 2**16 - 2
    assert schedule(codes, Ranges.of(table, 0).middles(*ends), 1, ALL).feasible


@pytest.mark.parametrize("lanes", [8, 32])
def test_centres_sum_to_what_the_columns_lack(lanes):
    table = np.random.default_rng(0).integers(0, 4000, (256, 256)).astype(np.int32)
    codes = np.random.default_rng(1).integers(0, 256, (24, lanes)).astype(np.uint16)
    ends = np.zeros(24, np.uint8), np.full(24, 255, np.uint8)
    plan = schedule(codes, Ranges.of(table, 0).middles(*ends), 1, ALL)
    assert plan.columns.dtype == np.int32
    np.testing.assert_array_equal(wrapped(plan.columns[lane_order(lanes)].astype(int)),
                                  wrapped(plan.centres.astype(int).sum(axis=0)))
