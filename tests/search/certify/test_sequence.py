"""The planned order: what it is expected to save, against all orders there are."""

from itertools import combinations

import numpy as np
import pytest

from search.certify.sequence import (
    FIRST_SHARE,
    MAX_SEQUENCE,
    expected_saving,
    mean_saving,
    plan_sequence,
    shares,
)


def splits(*rows):
    return np.array(rows, bool)


def test_the_last_design_before_the_first_failure_is_kept():
    passes = splits([1, 1, 1], [1, 0, 1], [0, 1, 1])
    assert expected_saving(passes, [0.1, 0.2, 0.4], [0, 1, 2]) == pytest.approx((0.4 + 0.1) / 3)
    assert expected_saving(passes, [0.1, 0.2, 0.4], [2]) == pytest.approx(0.4)
    assert expected_saving(passes, [0.1, 0.2, 0.4], []) == 0


@pytest.mark.parametrize("count", range(9))
def test_the_whole_level_is_shared_out(count):
    assert len(shares(count)) == count
    assert sum(shares(count)) == pytest.approx(float(count > 0))


def test_a_failure_costs_what_it_would_have_handed_on():
    own = (1 - FIRST_SHARE) / 2
    p_values = np.array([[0, 0, 1.0], [0, 1.0, own], [0, 1.0, own + 0.01], [1.0, 0, 2 * own],
                         [0, 0, 1.0], [1.0, 1.0, 1.0]])
    # Behind a failure the third has its own share, or also that of the second.
    saved = [0.1, 0.3, 0.4]
    assert mean_saving(p_values, saved, 1.0) == pytest.approx(
        np.mean([0.4, 0.4, 0.1, 0.4, 0.4, 0.0]))
    assert mean_saving(p_values[:, :0], [], 0.05) == 0


def test_a_design_that_surely_passes_goes_first():
    passes = splits([1, 1], [1, 0])
    assert plan_sequence(passes, [0.3, 0.5]) == [0, 1]


def test_a_cheaper_design_that_always_passes_stands_alone():
    assert plan_sequence(splits([1, 1], [0, 1]), [0.3, 0.5]) == [1]


def test_what_only_ends_the_sequence_is_left_out():
    # The second design fails where the third would have passed.
    passes = splits([1, 1, 1], [1, 0, 1], [1, 0, 1], [1, 0, 0])
    assert plan_sequence(passes, [0.2, 0.25, 0.4]) == [0, 2]


def test_designs_that_save_nothing_are_never_judged():
    assert plan_sequence(splits([1, 1, 1]), [0.0, -0.1, 0.2]) == [2]
    assert plan_sequence(splits([1, 0]), [-0.1, 0.2]) == []
    assert plan_sequence(np.zeros((5, 0), bool), []) == []


def test_no_more_are_judged_than_asked_for():
    passes = np.tri(9, dtype=bool)  # the more a design saves, the less often it passes
    assert len(plan_sequence(passes, np.arange(1, 10) / 10)) == MAX_SEQUENCE
    assert len(plan_sequence(passes, np.arange(1, 10) / 10, longest=2)) == 2


@pytest.mark.parametrize("seed", range(8))
def test_as_good_as_the_best_of_all_sequences(seed):
    generator = np.random.default_rng(seed)
    damage = np.sort(generator.uniform(0, 1, 7))
    passes = (generator.normal(size=(300, 1)) + generator.normal(size=(300, 7)) / 2
              < 1.5 - 2 * damage)
    saved = damage + 0.3
    best = max(expected_saving(passes, saved, order) for size in range(MAX_SEQUENCE + 1)
               for order in combinations(range(7), size))
    found = plan_sequence(passes, saved)
    assert found == sorted(found)
    assert len(found) <= MAX_SEQUENCE
    assert expected_saving(passes, saved, found) >= 0.995 * best
