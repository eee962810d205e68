"""The competitor chooses from its own bank, whatever the run offers to other methods."""

import numpy as np

from search.measure.damage import Damage
from search.methods import METHODS
from search.methods.base import SearchTask
from search.stages.search import search
from tests.search.synthetic import MadeUpNetwork, made_up_damage, made_up_problem

OWN = [0, 2, 5]


def test_it_is_milp_on_what_it_is_offered():
    """Among all columns it proposes the offered ones alone, and what milp would with only those."""
    problem = made_up_problem(layers=5, multipliers=7)
    damage = made_up_damage(problem)
    network = MadeUpNetwork(problem, damage)
    task = SearchTask(problem=problem, needed=network.EXACT_RIGHT, evaluations=20, seed=0,
                      images=network.IMAGES, damage=Damage(alone=damage)).only(OWN)
    found = [search(METHODS[name], task, network).result for name in ("precision", "milp")]
    assert found[0].history == found[1].history
    offered = {problem.multipliers[column] for column in OWN}
    assert {name for one in found[0].history for name in one.arrays} == offered
    for one in found[0].history:
        columns = problem.from_mapping(one.mapping)
        assert np.isclose(one.energy, problem.relative_energy(columns))
        assert np.isclose(one.area, problem.relative_area(columns))
