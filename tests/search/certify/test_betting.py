"""The betting bound: false at most once in twenty, whatever the distribution of the scores."""

import numpy as np
import pytest

from search.certify.betting import LARGEST_BET, _bets, lower_bound, p_value, wealth
from tests.search.certify.upper_limit import upper_limit

MARGIN, N, LEVEL = 0.02, 800, 0.05


def whole(generator, runs, n=N):
    """Few samples lose all of their score: the shape of 0/1 accuracies."""
    return generator.choice([-1.0, 0.0, 1.0], size=(runs, n), p=[0.02, 0.98, 0.0])


def mixed(generator, runs, n=N):
    return generator.choice([-1.0, 0.0, 1.0], size=(runs, n), p=[0.06, 0.9, 0.04])


def smooth(generator, runs, n=N):
    return generator.normal(-MARGIN, 0.02, size=(runs, n)).clip(-1, 1)


def skewed(generator, runs, n=N):
    """Nearly all gain a little; a few lose much: an average of few samples looks too good."""
    rare = 0.03
    gain = (-MARGIN + rare) / (1 - rare)
    return np.where(generator.random((runs, n)) < rare, -1.0, gain)


NULLS = pytest.mark.parametrize("drawn", [whole, mixed, smooth, skewed])


@pytest.mark.parametrize("bet", [0.1, LARGEST_BET])
def test_wealth_is_what_betting_makes_of_it(bet, monkeypatch):
    monkeypatch.setattr("search.certify.betting._bets", lambda d: np.full(len(d), bet))
    differences = np.array([0.2, 0.5, -0.9, 0.1])
    path = np.cumprod(1 + bet * (differences + 0.1))
    assert wealth(differences, -0.1) == pytest.approx(max(1.0, *path))
    assert p_value(differences, -0.1) == pytest.approx(1 / max(1.0, *path))


def test_no_bet_sees_its_own_sample_or_a_later_one():
    one = np.random.default_rng(0).uniform(-1, 1, 50)
    for index in range(50):
        other = one.copy()
        other[index:] = -other[index:]
        assert _bets(other)[:index + 1] == pytest.approx(_bets(one)[:index + 1])


@NULLS
def test_wealth_does_not_grow_on_average(drawn):
    """A mean of just minus the margin: after any sample the expected wealth is 1."""
    differences = drawn(np.random.default_rng(1), 2000)
    assert differences.mean() == pytest.approx(-MARGIN, abs=2e-3)
    last = [np.exp(np.log1p(_bets(row) * (row + MARGIN)).sum()) for row in differences]
    assert np.mean(last) <= 1 + 4 * np.std(last) / np.sqrt(len(last))


@NULLS
def test_false_certificates_at_the_margin_are_within_five_percent(drawn):
    runs = 1000
    false = sum(p_value(row, -MARGIN) <= LEVEL
                for row in drawn(np.random.default_rng(2), runs))
    assert false <= runs * LEVEL + 3 * np.sqrt(runs * LEVEL * (1 - LEVEL))


@pytest.mark.long
@NULLS
@pytest.mark.parametrize("n", [100, N, 5000])
def test_false_certificates_of_20_000_runs(drawn, n):
    generator = np.random.default_rng(3)
    false = sum(p_value(row, -MARGIN) <= LEVEL for _ in range(20)
                for row in drawn(generator, 1000, n))
    print(f"{drawn.__name__}, n = {n}: {false / 20_000:.4f}, "
          f"at most {upper_limit(false, 20_000):.4f}")
    assert upper_limit(false, 20_000) <= 0.055


def test_harmless_designs_are_certified():
    generator = np.random.default_rng(4)
    for drawn in (generator.normal(0, 0.02, N), whole(generator, 1)[0] * 0.1,
                  generator.choice([-1.0, 0.0, 1.0], N, p=[0.005, 0.99, 0.005])):
        assert p_value(drawn, -MARGIN) <= LEVEL


@pytest.mark.parametrize("level", [0.05, 0.01])
@pytest.mark.parametrize("drawn", [smooth, mixed])
def test_the_bound_is_where_the_test_ends(drawn, level):
    [row] = drawn(np.random.default_rng(5), 1)
    bound = lower_bound(row, level=level)
    assert -1 < bound < row.mean()
    assert p_value(row, bound - 2e-6) <= level < p_value(row, bound + 2e-6)


def test_less_level_is_a_lower_bound():
    [row] = mixed(np.random.default_rng(6), 1)
    assert lower_bound(row, level=0.01) < lower_bound(row, level=0.05)


def test_nothing_changed_is_not_certainty():
    assert -MARGIN < lower_bound(np.zeros(N), level=LEVEL) < 0
    assert lower_bound(np.zeros(10), level=LEVEL) < -MARGIN
