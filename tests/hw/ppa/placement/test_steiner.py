"""Trees of wires through the pins of a net."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.ppa.placement.steiner import half_perimeter, tree_length

POINTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12)


@pytest.mark.parametrize(("points", "length"), [
    ([(3, 4)], 0), ([(0, 0), (3, 4)], 7), ([(0, 0), (4, 0), (2, 3)], 7),
    ([(0, 0), (4, 0), (0, 4), (4, 4)], 12),                      # a square: three sides
    ([(2, 0), (2, 4), (0, 2), (4, 2)], 8),                       # a cross: its spanning tree has 12
    ([(0, 0), (0, 2), (5, 0), (5, 2), (10, 0), (10, 2)], 16)])   # a ladder
def test_known_trees(points, length):
    assert tree_length(np.array(points, float)) == length


def test_no_pins_have_no_wire():
    assert tree_length(np.empty((0, 2))) == 0


@given(POINTS)
def test_no_shorter_than_the_box_and_no_longer_than_a_spanning_tree(points):
    found = tree_length(np.array(points, float))
    assert half_perimeter(np.array(points, float)) <= found <= spanning_tree(points)


@given(POINTS, st.integers(-5, 5), st.integers(1, 4))
def test_grows_with_its_points_and_stays_where_they_move(points, shift, scale):
    moved = np.array(points, float) * scale + shift
    assert tree_length(moved) == pytest.approx(scale * tree_length(np.array(points, float)))


def spanning_tree(points):
    """Kruskal's."""
    group = list(range(len(points)))
    total = 0
    for distance, a, b in sorted((abs(x - u) + abs(y - v), i, j) for (i, (x, y)), (j, (u, v))
                                 in combinations(enumerate(points), 2)):
        if group[a] != group[b]:
            total += distance
            group = [group[a] if own == group[b] else own for own in group]
    return total
