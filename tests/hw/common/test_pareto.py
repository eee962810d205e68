"""Fronts and hypervolumes worked out by hand, and against a count of small squares."""

import math
import random

import pytest

from hw.common.pareto import hypervolume, pareto_front

STAIRS = [(1.0, 4.0), (2.0, 2.0), (4.0, 1.0)]


@pytest.mark.parametrize(("points", "front"), [
    ([], []),
    ([(3, 3)], [0]),
    (STAIRS, [0, 1, 2]),
    ([*reversed(STAIRS)], [2, 1, 0]),
    ([(2, 2), (2, 3), (3, 2), (1, 9)], [3, 0]),  # equal in one figure, worse in the other
    ([(2, 2), (2, 2)], [0]),                      # twins: the first
    ([(1, 1), (0, 5), (5, 0), (2, 2)], [1, 0, 2]),
    ([(1, 2, 3), (1, 3, 2), (1, 3, 3), (2, 1, 9), (2, 2, 3)], [0, 1, 3]),
])
def test_front_by_hand(points, front):
    assert pareto_front(points) == front


@pytest.mark.parametrize(("points", "volume"), [
    ([], 0.0),
    ([(1, 4)], 4 * 1),
    (STAIRS, 4 * 1 + 3 * 2 + 1 * 1),
    ([*STAIRS, (3, 3), (2, 2)], 11),      # dominated, twice
    ([(5, 0), (0, 5), (6, 6)], 0),        # on the edge of the reference or beyond it
    ([(-1, -1)], 36),
])
def test_hypervolume_by_hand(points, volume):
    assert hypervolume(points, (5, 5)) == volume


@pytest.mark.parametrize("seed", range(5))
def test_hypervolume_is_the_count_of_covered_squares(seed):
    source = random.Random(seed)
    points = [(source.randrange(12), source.randrange(9)) for _ in range(source.randrange(1, 9))]
    covered = sum(any(x >= a and y >= b for a, b in points)
                  for x in range(10) for y in range(7))
    assert hypervolume(points, (10, 7)) == covered


def test_reference_is_not_symmetric():
    assert hypervolume([(1, 4)], (5, 6)) == 4 * 2
    assert hypervolume([(1, 4)], (6, 5)) == 5 * 1


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_figures_must_be_finite(figure):
    with pytest.raises(ValueError, match=r"^Hypervolume must be of finite figures$"):
        hypervolume([(1, figure)], (5, 5))
