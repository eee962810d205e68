"""Sums stay within int16 whatever operands of the given ranges come."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels.rowadd import DEPTH, Action
from sim.kernels.schedule import INT16_MAX, Ranges, schedule

ALL = np.full(999, 256, np.uint16)
STEP = {Action.WIDEN_FOURS: 4, Action.WIDEN_EACH: 1}


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), group=st.sampled_from([1, 2]),
       size=st.sampled_from([10, 1000, 9000, 33000, 65535]), zero=st.integers(0, 255))
def test_no_sum_leaves_int16(seed, group, size, zero):
    generator = np.random.default_rng(seed)
    table = generator.integers(0, size + 1, (256, 256)).astype(np.int32)
    table *= generator.integers(0, 2, 256)[None]  # many weights have no error
    terms, lanes = 5 * DEPTH * group, 16
    codes = generator.integers(0, 257, (terms, lanes)).astype(np.uint16)
    ends = np.sort(generator.integers(0, 256, (2, terms)), axis=0)
    plan = schedule(codes, *ends.astype(np.uint8), Ranges.of(table, zero), group, ALL)
    padded = np.concatenate([table, np.zeros((256, 1), np.int32)], axis=1)
    # The extreme entry of every term in either direction, less its centre.
    highest, lowest = np.zeros((2, terms, lanes), int)
    for k in range(terms):
        first, last = ends[:, k]
        entries = padded[first:last + 1][:, codes[k]] - plan.centres[k].astype(np.uint16)
        entries = (entries + 2**15) % 2**16 - 2**15  # what int16 holds
        exact = padded[first:last + 1][:, codes[k]] - entries  # the centre, not modulo
        assert (exact == exact[0]).all(), "an entry does not fit"
        highest[k], lowest[k] = entries.max(axis=0), entries.min(axis=0)
    if not plan.feasible:
        assert group * (size + 1) // 2 > INT16_MAX
        return
    by_term = [extreme.reshape(-1, group, lanes).sum(axis=1) for extreme in (highest, lowest)]
    running = np.zeros((2, lanes), int)
    kept, widenings = False, 0
    for block, action in enumerate(map(Action, plan.actions)):
        assert kept == (action in (Action.GO_ON_KEEP, Action.GO_ON_WIDEN))
        for term in range(DEPTH):
            running += np.stack([extreme[block * DEPTH + term] for extreme in by_term])
            assert np.abs(running).max() <= INT16_MAX
            if (term + 1) % STEP.get(action, 99) == 0:
                running[:], widenings = 0, widenings + 1
        kept = action in (Action.BEGIN_KEEP, Action.GO_ON_KEEP)
        if action in (Action.BEGIN_WIDEN, Action.GO_ON_WIDEN):
            running[:], widenings = 0, widenings + 1
    assert not kept
    assert widenings == plan.widenings


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
    plan = schedule(codes, *ends, Ranges.of(table, 0), 1, ALL)
    assert plan.widenings == 1
    assert [Action(action) for action in plan.actions] == [
        Action.BEGIN_KEEP, *[Action.GO_ON_KEEP] * 6, Action.GO_ON_WIDEN]


def test_entries_further_apart_than_int16_spans_are_not_feasible():
    table = np.zeros((256, 256), np.int32)
    table[9] = 2**16
    codes, ends = np.zeros((8, 16), np.uint16), (np.zeros(8, np.uint8), np.full(8, 9, np.uint8))
    assert not schedule(codes, *ends, Ranges.of(table, 0), 1, ALL).feasible
    table[9] = 2**16 - 2
    assert schedule(codes, *ends, Ranges.of(table, 0), 1, ALL).feasible


@pytest.mark.parametrize("lanes", [8, 32])
def test_centres_sum_to_what_the_columns_lack(lanes):
    table = np.random.default_rng(0).integers(0, 4000, (256, 256)).astype(np.int32)
    codes = np.random.default_rng(1).integers(0, 256, (24, lanes)).astype(np.uint16)
    ends = np.zeros(24, np.uint8), np.full(24, 255, np.uint8)
    plan = schedule(codes, *ends, Ranges.of(table, 0), 1, ALL)
    np.testing.assert_array_equal(plan.columns, plan.centres.astype(int).sum(axis=0))
