"""NSGA-II's order and the operators that make children."""

import numpy as np
import pytest

from search.methods.alwann import Settings, _child, _ranks, _repaired
from tests.search.synthetic import made_up_problem


def test_fronts_come_first_and_their_ends_before_the_crowd():
    values = np.array([[0, 9], [9, 0], [4, 4], [5, 3.9], [5, 5], [9, 9]], float)
    places = _ranks(values)
    assert set(np.flatnonzero(places < 4)) == {0, 1, 2, 3}
    assert set(np.flatnonzero(places < 2)) == {0, 1}
    assert places[5] == 5
    assert sorted(places) == list(range(6))


def test_equals_share_a_front():
    places = _ranks(np.array([[1, 1], [1, 1], [2, 2]], float))
    assert places[2] == 2


@pytest.mark.parametrize("most", [1, 2, 3])
def test_repaired_genes_use_few_arrays_and_keep_what_is_kept(most):
    genes = np.array([0, 1, 2, 3, 3, 2])
    found = _repaired(genes, most, np.random.default_rng(0))
    kept = set(found.tolist())
    assert len(kept) <= most
    for before, after in zip(genes, found, strict=True):
        assert after == before or before not in kept


@pytest.mark.parametrize("limits", [{"max_arrays": 2}, {"area_limit": 0.97, "max_arrays": 2},
                                    {"keep_exact": True, "max_arrays": 2}])
def test_children_fit_the_limits(limits):
    problem = made_up_problem(layers=6, multipliers=8, **limits)
    generator = np.random.default_rng(1)
    for _ in range(200):
        parents = [problem.random(generator) for _ in range(2)]
        assert problem.fits(_child(problem, parents, generator, Settings()))
