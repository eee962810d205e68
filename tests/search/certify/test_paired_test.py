"""The certificate keeps its promise: false at most once in twenty, whatever the truth."""

from functools import cache
from itertools import product
from math import comb
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from hw.common.errors import InputError
from search.certify.paired_test import (
    ALPHA,
    GAMMA,
    certify_in_order,
    compare,
    fresh_images,
    holds,
    identical,
    lower_bound,
    most_changed,
    p_value,
    score,
    supported_margin,
)


def right(lost, gained, n, both=0):
    """Return paired answers with the given counts."""
    exact, approx = np.zeros(n, bool), np.zeros(n, bool)
    exact[:lost + both] = True
    approx[lost:lost + both + gained] = True
    return exact, approx


@cache
def rejects(lost, gained, n, margin, level=ALPHA):
    return p_value(lost, gained, n, -margin) <= level


@pytest.mark.parametrize("n", [6, 13])
@pytest.mark.parametrize("difference", [-0.3, -0.1, 0.0, 0.15])
def test_p_value_is_the_trinomial_tail(n, difference):
    """Every outcome's tail, summed by definition over a fine grid of discordance rates."""
    outcomes = [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]
    ways = np.array([comb(n, b) * comb(n - b, c) for b, c in outcomes], float)
    b, c = np.array(outcomes).T
    scores = score(b, c, n, difference)
    rates = np.linspace(abs(difference), 1, 2001)[:, None]
    p_lost, p_gained = (rates - difference) / 2, (rates + difference) / 2
    chance = ways * p_lost ** b * p_gained ** c * (1 - rates) ** (n - b - c)
    assert chance.sum(axis=1) == pytest.approx(1)
    for index, (lost, gained) in enumerate(outcomes):
        tail = chance[:, scores >= scores[index] - 1e-9].sum(axis=1)
        found = p_value(lost, gained, n, difference)
        # Restricting the rate to its confidence interval may only lower the maximum.
        assert found <= tail.max() + GAMMA + 1e-6
        inside = np.abs(rates[:, 0] - (lost + gained) / n) < 0.02
        if inside.any():
            assert found >= tail[inside].max() - 1e-3


@pytest.mark.parametrize("discordance", [0.0101, 0.015, 0.02, 0.04])
def test_false_certificates_at_the_margin_are_within_five_percent(discordance):
    """2,000 designs that truly lose one point, n = 800: at most 5 % (+ 3 s.e.) pass."""
    n, margin, runs = 800, 0.01, 2000
    generator = np.random.default_rng(int(1e4 * discordance))
    p_lost = (discordance + margin) / 2
    counts = generator.multinomial(n, [p_lost, discordance - p_lost, 1 - discordance], runs)
    passed = sum(rejects(int(lost), int(gained), n, margin) for lost, gained, _ in counts)
    assert passed / runs <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / runs)
    assert passed > 0, "a test that never certifies cannot fail this"


def test_power_of_the_default_margin():
    n = 800
    generator = np.random.default_rng(0)
    counts = generator.multinomial(n, [0.005, 0.005, 0.99], 1000)
    margin = supported_margin(n)
    assert np.mean([rejects(int(b), int(c), n, margin) for b, c, _ in counts]) > 0.75


def test_false_certificates_of_a_whole_order_are_within_five_percent():
    """A front whose last designs lose more than the margin: is one of those ever certified?"""
    n, margin, runs = 800, 0.01, 2000
    losses = [0.0, 0.004, 0.0101, 0.0101, 0.012]
    generator = np.random.default_rng(3)
    false = 0
    for _ in range(runs):
        def judge(loss, level):
            discordance = 0.012 + loss
            p_lost = (discordance + loss) / 2
            lost, gained, _ = generator.multinomial(
                n, [p_lost, discordance - p_lost, 1 - discordance])
            return [type("Certificate", (), {
                "certified": rejects(int(lost), int(gained), n, margin, level)})]
        judged = certify_in_order(losses, judge)
        false += any(holds(certificates) for loss, certificates in judged if loss >= margin)
    assert false / runs <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_no_discordance_is_not_certainty():
    # (1 - x)**800 = 5 % (less GAMMA) at x = 0.374 %
    assert lower_bound(0, 0, 800) == pytest.approx(-(1 - (ALPHA - GAMMA) ** (1 / 800)), abs=2e-5)
    assert not compare(*right(0, 0, 100, both=90), margin=0.01).certified
    assert compare(*right(0, 0, 800, both=790), margin=0.01).certified


@pytest.mark.parametrize(("n", "margin"), [
    (5, 0.5), (60, 0.08), (800, 0.010), (10_000, 0.003), (45_000, 0.001)])
def test_default_margin_depends_on_the_number_of_images_alone(n, margin):
    assert supported_margin(n) == margin


@pytest.mark.parametrize("n", [20, 60, 200, 800])
def test_default_margin_forgives_one_image(n):
    assert compare(*right(1, 0, n, both=n - 5), margin=supported_margin(n)).certified


@pytest.mark.parametrize(("lost", "gained", "n", "margin"), [
    (8, 2, 800, 0.01), (31, 12, 900, 0.03), (3, 1, 300, 0.02), (60, 40, 9000, 0.003)])
def test_as_many_fresh_images_as_are_asked_for_nearly_always_pass(lost, gained, n, margin):
    images = fresh_images(lost, gained, n, margin)
    counts = np.random.default_rng(1).multinomial(
        images, (lost / n, gained / n, 1 - (lost + gained) / n), 40000)
    passed = (score(counts[:, 0], counts[:, 1], images, -margin) >= norm.isf(ALPHA)).mean()
    assert 0.87 <= passed <= 0.97
    assert fresh_images(lost, gained, n, margin * 1.2) < images


def test_a_design_that_loses_the_margin_needs_no_more_images():
    assert fresh_images(8, 0, 800, 0.01) is None
    assert fresh_images(0, 0, 40, 0.01) > 480  # one lost image passes


@pytest.mark.parametrize(("n", "share"), [(30, 0.2), (800, 0.01), (2000, 0.003)])
def test_changed_images_are_bounded_by_the_binomial(n, share):
    """All outcomes: at the share itself the claim "less than that" is made 1 time in 20 at most."""
    chances = [comb(n, k) * share ** k * (1 - share) ** (n - k) for k in range(int(4 * n * share))]
    false = sum(chance for k, chance in enumerate(chances) if most_changed(k, n) <= share)
    assert 0 < false <= ALPHA
    assert most_changed(n, n) == 1
    assert most_changed(0, n) == pytest.approx(1 - ALPHA ** (1 / n))


def test_the_exact_network_needs_no_statistics():
    certificate = identical(np.arange(10) < 7, margin=0.001)
    assert certificate.certified
    assert (certificate.lower_bound, certificate.approx_right) == (0.0, 7)
    assert "exact array" in certificate.wording


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_whatever_designs_lose_the_margin_their_levels_are_five_percent_at_most(count):
    """Every set of designs that truly lose it; all others pass, which hands on most.

    Until the first false certificate, the chance of one is at most the sum of these levels.
    """
    def levels(losing):
        found = []

        def judge(index, level):
            found.append(level * losing[index])
            return [SimpleNamespace(certified=not losing[index])]

        certify_in_order(range(count), judge)
        return sum(found)

    most = max(map(levels, product([False, True], repeat=count)))
    assert most == pytest.approx(ALPHA)  # no more, and nothing of it is given away


def test_a_design_that_passes_hands_its_level_on_and_a_failure_ends_nothing():
    levels = []

    def judge(design, level):
        levels.append(level)
        return [compare(*right(design, 0, 800, both=780), margin=0.01, level=level)]

    judged = certify_in_order([0, 1, 9, 0], judge)
    assert [holds(certificates) for _, certificates in judged] == [True, True, False, True]
    own = 0.5 * ALPHA / 3
    assert levels == pytest.approx([0.5 * ALPHA, 0.5 * ALPHA + own, ALPHA - own, own])
    assert [one.level for _, (one,) in judged] == levels


def test_less_level_is_a_lower_bound():
    assert lower_bound(3, 0, 800, margin=0.01) > -0.01 > lower_bound(
        3, 0, 800, margin=0.01, level=0.04)
    assert most_changed(3, 800) < most_changed(3, 800, 0.01)


@pytest.mark.parametrize("margin", [0, -0.01, 1])
def test_margins_out_of_range_are_refused(margin):
    with pytest.raises(InputError, match=r"^Margin must be a fraction between 0 and 1, not "):
        compare(*right(0, 0, 10), margin=margin)


def test_different_numbers_of_images_are_refused():
    with pytest.raises(ValueError, match=r"^Certificate must compare the same images"):
        compare(np.ones(3, bool), np.ones(4, bool), margin=0.01)
