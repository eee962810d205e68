"""Damage of designs: a quadratic form of what layers do alone."""

import numpy as np
import pytest

from search.measure.damage import Damage


@pytest.fixture
def changes():
    """Change of 50 logits by each of 3 (layer) x 4 (multiplier): one direction per layer."""
    generator = np.random.default_rng(5)
    directions = generator.normal(size=(3, 50)) + 0.8 * generator.normal(size=50)
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    sizes = generator.uniform(0.5, 2, (3, 4))
    sizes[:, 0] = 0
    return directions, sizes


@pytest.fixture
def damage(changes):
    directions, sizes = changes
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, 0)
    return Damage(alone=sizes ** 2, interaction=cosines)


@pytest.mark.parametrize("design", [(0, 0, 0), (1, 0, 3), (3, 2, 1), (1, 1, 1)])
def test_pairs_make_it_the_square_of_the_summed_changes(changes, damage, design):
    directions, sizes = changes
    summed = sum(directions[layer] * sizes[layer, column] for layer, column in enumerate(design))
    assert damage.of(design) == pytest.approx(float(summed @ summed))


def test_without_pairs_squares_add_up(damage):
    plain = Damage(alone=damage.alone)
    assert plain.of((1, 2, 3)) == damage.alone[[0, 1, 2], [1, 2, 3]].sum()
    assert plain.near((1, 2, 3)) is plain.alone


def test_near_the_exact_design_it_is_what_layers_do_alone(damage):
    np.testing.assert_array_equal(damage.near((0, 0, 0)), damage.alone)


def test_shares_stay_positive_where_layers_cancel():
    opposed = Damage(alone=np.array([[0, 1.0], [0, 1.0]]), interaction=-(1 - np.eye(2)))
    assert (opposed.near((1, 1))[:, 1] > 0).all()
