"""Several looks at growing numbers of images: false at most once in twenty, all together."""

from functools import cache
from math import comb
from types import SimpleNamespace

import numpy as np
import pytest

from search.certify.looks import Counts, cost, images_needed, judge, levels_of
from search.certify.paired_test import ALPHA, certify_in_order, holds, p_value, supported_margin
from tests.search.certify.upper_limit import upper_limit


@cache
def rejects(lost, gained, n, margin, level):
    return p_value(lost, gained, n, -margin) <= level


@pytest.mark.parametrize("count", range(1, 6))
def test_the_looks_share_out_five_percent(count):
    levels = levels_of(count)
    assert len(levels) == count
    assert sum(levels) == pytest.approx(ALPHA)
    assert levels == sorted(levels, reverse=True)


def outcomes(n, p_lost, p_gained):
    """Return {(lost, gained): chance} of n images."""
    return {(b, c): comb(n, b) * comb(n - b, c) * p_lost ** b * p_gained ** c
            * (1 - p_lost - p_gained) ** (n - b - c)
            for b in range(n + 1) for c in range(n + 1 - b)}


@pytest.mark.parametrize("sizes", [(14, 14), (10, 24)])
def test_all_outcomes_of_two_looks(sizes):
    """By enumeration: a design that loses just the margin, at every rate of discordance."""
    margin, levels = 0.3, levels_of(2)
    first, second = sizes
    worst = 0.0
    for rate in np.linspace(margin, 1, 15):
        p_lost, p_gained = (rate + margin) / 2, (rate - margin) / 2
        false, on = 0.0, {}
        for (b, c), chance in outcomes(first, p_lost, p_gained).items():
            if rejects(b, c, first, margin, levels[0]):
                false += chance
            else:
                on[b, c] = chance
        for (b, c), chance in outcomes(second, p_lost, p_gained).items():
            for (b0, c0), before in on.items():
                if rejects(b0 + b, c0 + c, first + second, margin, levels[1]):
                    false += before * chance
        worst = max(worst, false)
    assert 0.5 * ALPHA < worst <= ALPHA


def simulated(runs, looks, n, margin, rate, losses, seed=0):
    """Return in how many runs a design that loses the margin is certified, and one that does not.

    losses : of each design of the planned order; they are independent of each other.
    """
    generator = np.random.default_rng(seed)
    levels, false, true = levels_of(looks), 0, 0
    for _ in range(runs):
        drawn = []
        for loss in losses:
            p_lost, p_gained = (rate + loss) / 2, (rate - loss) / 2
            drawn.append(generator.multinomial(n, [p_lost, p_gained, 1 - rate], looks))
        total = np.cumsum(drawn, axis=1)
        certified = set()
        for look, level in enumerate(levels):
            def passes(design, own, look=look, total=total):
                lost, gained, _ = map(int, total[design, look])
                return [SimpleNamespace(certified=rejects(lost, gained, (look + 1) * n, margin,
                                                          own))]

            certified |= {design for design, found in certify_in_order(
                range(len(losses)), passes, level=level, certified=certified) if holds(found)}
        false += any(losses[design] >= margin for design in certified)
        true += any(losses[design] < margin for design in certified)
    return false, true


def test_false_certificates_of_three_looks_are_within_five_percent():
    runs = 500
    false, _ = simulated(runs, 3, 400, 0.02, 0.04, [0.02])
    assert 0 < false <= runs * ALPHA + 3 * np.sqrt(runs * ALPHA * (1 - ALPHA))


@pytest.mark.long
@pytest.mark.parametrize(("looks", "rate", "losses"), [
    (2, 0.0101, [0.01]), (2, 0.03, [0.01]), (3, 0.02, [0.01]), (5, 0.02, [0.01]),
    (2, 0.02, [0.0, 0.01, 0.01]), (3, 0.02, [0.0, 0.01, 0.0, 0.01])])
def test_false_certificates_of_20_000_runs(looks, rate, losses):
    """The least favourable null: every bad design loses just the margin."""
    false, _ = simulated(20_000, looks, 800, 0.01, rate, losses)
    print(f"{looks} looks, rate {rate}, {losses}: {false / 20_000:.4f}, "
          f"at most {upper_limit(false, 20_000):.4f}")
    assert upper_limit(false, 20_000) <= 0.055


def counts(n, lost, gained):
    return [Counts(n=n, exact_right=n - 20, lost=lost, gained=gained)]


def test_later_looks_judge_all_images_together_and_what_is_certified_hands_its_level_on():
    levels = levels_of(2)
    first, second = judge([{0: counts(800, 0, 0), 1: counts(800, 8, 2)},
                           {1: counts(1600, 4, 2)}], levels, ["top1"], 0.01, 2)
    assert [holds(first[design]) for design in (0, 1)] == [True, False]
    assert [one.level for design in (0, 1) for one in first[design]] == pytest.approx(
        [levels[0] / 2, levels[0]])
    assert list(second) == [1]
    [certificate] = second[1]
    assert (certificate.n, certificate.lost, certificate.gained) == (2400, 12, 4)
    assert certificate.level == pytest.approx(levels[1])  # with the half of the first design
    assert certificate.certified


def test_a_look_alone_is_the_plain_certificate():
    [found] = judge([{0: counts(800, 1, 0)}], levels_of(1), ["top1"], 0.01, 1)
    assert found[0][0].level == ALPHA


def test_what_looks_cost_is_said():
    margin = supported_margin(800)
    plain, first, second = (images_needed(level, margin)
                            for level in (ALPHA, *levels_of(2)))
    assert plain == 857
    assert plain < first < 1.1 * plain
    assert second < 2 * first  # less than two looks have
    assert f"needs {plain:,} images" in cost(2, margin)
    assert f"{first:,} in all at look 1, {second:,} in all at look 2" in cost(2, margin)
