"""The planned order: what it is expected to save, against all orders there are."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm

from search.certify.paired_test import ALPHA
from search.certify.sequence import (
    FIRST_SHARE,
    MAX_SEQUENCE,
    SMALLEST_GAIN,
    mean_saving,
    plan_sequence,
    shares,
)


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


def splits(*rows):
    """Return p-values of designs that pass, or do not, whatever their level is."""
    return 1.0 - np.array(rows, float)


def test_a_design_that_surely_passes_goes_first():
    assert plan_sequence(splits([1, 1], [1, 0]), [0.3, 0.5], ALPHA) == [0, 1]


def test_a_cheaper_design_that_always_passes_stands_alone():
    assert plan_sequence(splits([1, 1], [0, 1]), [0.3, 0.5], ALPHA) == [1]


def test_what_takes_level_from_others_is_left_out():
    """The second design hardly ever passes; alone at 5 % the third does half of the time."""
    p_values = np.array([[0.0, 1.0, 0.04], [0.0, 1.0, 0.9]])
    assert plan_sequence(p_values, [0.2, 0.25, 0.4], ALPHA) == [0, 2]
    # A fixed sequence would leave it at 5 % behind the first. Here it has 2.5 % and the first's.
    assert mean_saving(p_values[:, [0, 2]], [0.2, 0.4], ALPHA) == pytest.approx(0.3)


def test_a_design_behind_a_likely_failure_is_planned_for_what_is_its_own():
    """Behind a failure half of the level is left: a fixed sequence would see nothing there."""
    p_values = np.array([[0.0, 0.9], [0.9, 0.02], [0.9, 0.02]])
    assert plan_sequence(p_values, [0.3, 0.4], ALPHA) == [0, 1]
    assert mean_saving(p_values, [0.3, 0.4], ALPHA) == pytest.approx((0.3 + 0.4 + 0.4) / 3)


def test_designs_that_save_nothing_are_never_judged():
    assert plan_sequence(splits([1, 1, 1]), [0.0, -0.1, 0.2], ALPHA) == [2]
    assert plan_sequence(splits([1, 0]), [-0.1, 0.2], ALPHA) == []
    assert plan_sequence(np.zeros((5, 0)), [], ALPHA) == []


def test_no_more_are_judged_than_asked_for():
    passes = splits(*np.tri(9))  # the more a design saves, the less often it passes
    assert len(plan_sequence(passes, np.arange(1, 10) / 10, ALPHA)) == MAX_SEQUENCE
    assert len(plan_sequence(passes, np.arange(1, 10) / 10, ALPHA, longest=2)) == 2


@pytest.mark.parametrize("seed", range(8))
def test_as_good_as_the_best_of_all_sequences(seed):
    generator = np.random.default_rng(seed)
    damage = np.sort(generator.uniform(0, 1, 7))
    p_values = norm.cdf(generator.normal(size=(300, 1)) + generator.normal(size=(300, 7)) / 2
                        - 3.5 + 2.5 * damage)
    saved = damage + 0.3
    best = max(mean_saving(p_values[:, order], saved[list(order)], ALPHA)
               for size in range(MAX_SEQUENCE + 1) for order in combinations(range(7), size))
    found = plan_sequence(p_values, saved, ALPHA)
    assert found == sorted(found)
    assert mean_saving(p_values[:, found], saved[found], ALPHA) >= 0.995 * best


@pytest.mark.parametrize("seed", range(12))
def test_more_candidates_never_make_the_plan_worse(seed):
    generator = np.random.default_rng(seed)
    damage, saved = (np.sort(generator.uniform(0, most, 14)) for most in (1.0, 0.6))
    p_values = norm.cdf(generator.normal(size=(300, 1)) + generator.normal(size=(300, 14)) / 2
                        + 4 * damage - 3.5)
    order, before = generator.permutation(14), 0.0
    for count in range(2, 15):
        some = np.sort(order[:count])
        planned = some[plan_sequence(p_values[:, some], saved[some], ALPHA)]
        worth = (mean_saving(p_values[:, planned], saved[planned], ALPHA)
                 - SMALLEST_GAIN * len(planned))
        assert worth >= before - 1e-12
        before = worth
