"""The certificate keeps its promise: false at most once in twenty, whatever the truth."""

from functools import cache
from math import comb

import numpy as np
import pytest

from hw.common.errors import InputError
from search.certify.paired_test import (
    ALPHA,
    GAMMA,
    certify_in_sequence,
    compare,
    holds,
    identical,
    lower_bound,
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
def rejects(lost, gained, n, margin):
    return p_value(lost, gained, n, -margin) <= ALPHA


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


def test_false_certificates_of_a_whole_sequence_are_within_five_percent():
    """A front whose last designs lose more than the margin: is one of those ever certified?"""
    n, margin, runs = 800, 0.01, 2000
    losses = [0.0, 0.004, 0.0101, 0.0101, 0.012]
    generator = np.random.default_rng(3)
    false = 0
    for _ in range(runs):
        def judge(loss):
            discordance = 0.012 + loss
            p_lost = (discordance + loss) / 2
            lost, gained, _ = generator.multinomial(
                n, [p_lost, discordance - p_lost, 1 - discordance])
            return [type("Certificate", (), {
                "certified": rejects(int(lost), int(gained), n, margin)})]
        judged = certify_in_sequence(losses, judge)
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


def test_the_exact_network_needs_no_statistics():
    certificate = identical(np.arange(10) < 7, margin=0.001)
    assert certificate.certified
    assert (certificate.lower_bound, certificate.approx_right) == (0.0, 7)
    assert "exact array" in certificate.wording


def test_sequence_stops_at_the_first_failure():
    seen = []

    def judge(design):
        seen.append(design)
        return [compare(*right(design, 0, 800, both=780), margin=0.01)]

    judged = certify_in_sequence([0, 1, 9, 0], judge)
    assert seen == [0, 1, 9]
    assert [holds(certificates) for _, certificates in judged] == [True, True, False]


@pytest.mark.parametrize("margin", [0, -0.01, 1])
def test_margins_out_of_range_are_refused(margin):
    with pytest.raises(InputError, match=r"^Margin must be a fraction between 0 and 1, not "):
        compare(*right(0, 0, 10), margin=margin)


def test_different_numbers_of_images_are_refused():
    with pytest.raises(ValueError, match=r"^Certificate must compare the same images"):
        compare(np.ones(3, bool), np.ones(4, bool), margin=0.01)
