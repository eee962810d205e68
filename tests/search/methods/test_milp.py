"""The stages of the integer-program method: when each ends, and what it leaves behind."""

from itertools import pairwise

import numpy as np
import pytest

from search.measure.damage import Damage
from search.measure.designs import Measured
from search.methods import METHODS
from search.methods.assignment import AssignmentModel
from search.methods.base import SearchTask
from search.methods.milp import _Beliefs
from search.stages import search as stage
from tests.search.synthetic import (
    MadeUpNetwork,
    every_design,
    made_up_damage,
    made_up_problem,
    total,
)

SETTINGS = METHODS["milp"].settings
SMALL_LEAKAGE_UW = 0.05
PERFECT = 300


class _Judged:
    """A network that keeps its accuracy for chosen designs only; damage is as predicted."""

    def __init__(self, problem, damage, accepts):
        self.problem, self.damage, self.accepts = problem, damage, accepts

    def __call__(self, mappings):
        return [self.measured(self.problem.from_mapping(mapping)) for mapping in mappings]

    def measured(self, assignment):
        lost = int(not self.accepts(assignment))
        return Measured(right=(PERFECT - lost,), lost=(lost,),
                        damages=(total(self.damage, assignment),), seconds=0.01)


def search(problem, damage, accepts, *, evaluations, forecast=None):
    task = SearchTask(problem=problem, needed=(PERFECT,), images=(PERFECT,), seed=0,
                      evaluations=evaluations, damage=Damage(alone=damage), forecast=forecast)
    return stage.search(METHODS["milp"], task, _Judged(problem, damage, accepts)).result


@pytest.mark.parametrize("leakage_uw", [SMALL_LEAKAGE_UW, 3, 100])
def test_without_any_leeway_it_ends_on_the_exact_array(leakage_uw):
    problem = made_up_problem(leakage_uw=leakage_uw)
    result = search(problem, made_up_damage(problem), lambda a: a == problem.exact,
                    evaluations=200)
    assert result.best is None or result.best.energy == 1
    # Single arrays, the exact design, the front's bisection, and as many failures as it has
    # patience for.
    single = len(problem.multipliers)
    assert SETTINGS.patience <= len(result.history) <= single + SETTINGS.patience + 6


def test_it_keeps_looking_while_nothing_is_accepted():
    """The exact array does not fit: there is nothing to fall back on, so it may not give up."""
    problem = made_up_problem(layers=6, multipliers=8, leakage_uw=SMALL_LEAKAGE_UW,
                              area_limit=0.97, max_arrays=2)
    assert not problem.fits(problem.exact)
    damage = made_up_damage(problem)
    designs = sorted(every_design(problem), key=lambda a: total(damage, a))
    wanted = designs[3 * SETTINGS.patience]
    result = search(problem, damage, lambda a: a == wanted, evaluations=200)
    assert problem.from_mapping(result.best.mapping) == wanted


def test_a_task_that_everything_passes_ends_on_the_cheapest_design():
    problem = made_up_problem(leakage_uw=SMALL_LEAKAGE_UW)
    result = search(problem, made_up_damage(problem), lambda a: True, evaluations=200)
    least = min(map(problem.relative_energy, every_design(problem)))
    assert result.best.energy == pytest.approx(least, rel=SETTINGS.relative_gap)


class _Chances:
    """Certificates that a design passes the more likely the less damage it does."""

    def chances(self, measured):
        return np.array([np.clip(1 - answer.damage, 0, 1) for answer in measured])


def test_between_sure_and_hopeless_certificates_it_is_filled_with_the_safest_designs():
    problem = made_up_problem(layers=5, leakage_uw=SMALL_LEAKAGE_UW)
    damage = made_up_damage(problem)
    result = search(problem, damage, lambda a: total(damage, a) <= 0.8, evaluations=300,
                    forecast=_Chances())
    model = AssignmentModel(problem, relative_gap=SETTINGS.relative_gap)
    dominated = np.flatnonzero(model.dominated(damage))
    designs = {a: (problem.relative_energy(a), total(damage, a)) for a in every_design(problem)
               if not set(a) & set(dominated.tolist())}
    measured = {a: designs[a] for a in (problem.from_mapping(c.mapping) for c in result.history)
                if a in designs}
    low, high = (min(energy for energy, harm in measured.values() if harm <= 1 - chance)
                 for chance in (SETTINGS.bold, SETTINGS.safe))
    assert high - low > 10 * SETTINGS.finest_gap
    filled = sorted(energy for energy, _harm in measured.values() if low <= energy < high)
    assert len(filled) > 5
    for limit in np.linspace(low, high, 9)[1:]:
        safest, safest_measured = (min(harm for energy, harm in some.values() if energy <= limit)
                                   for some in (designs, measured))
        assert safest_measured <= 1.25 * safest


def test_refining_ends_where_no_certificate_would_pass():
    problem = made_up_problem(layers=8, multipliers=16, leakage_uw=SMALL_LEAKAGE_UW)
    damage = made_up_damage(problem)
    few = search(problem, damage, lambda a: total(damage, a) < 3, evaluations=24,
                 forecast=_Chances())
    hopeful = sum(total(damage, problem.from_mapping(one.mapping)) < 1 - SETTINGS.bold
                  for one in few.history)
    assert hopeful >= 12
    # What is left goes into cheaper designs all the same.
    many, blind = (search(problem, damage, lambda a: total(damage, a) < 3, evaluations=300,
                          forecast=one) for one in (_Chances(), None))
    assert many.best.energy == pytest.approx(blind.best.energy, rel=0.01)


@pytest.mark.parametrize("evaluations", [20, 36, 80])
def test_a_small_budget_leaves_room_for_safe_designs(evaluations):
    """The refinement would go on, and yet safer designs are measured."""
    problem = made_up_problem(layers=8, multipliers=16, leakage_uw=SMALL_LEAKAGE_UW)
    damage = made_up_damage(problem)
    result = search(problem, damage, lambda a: total(damage, a) <= 0.5, evaluations=evaluations)
    low, energies = result.best.energy, [candidate.energy for candidate in result.history]
    for below, share in pairwise([0.0, *reversed(SETTINGS.safe_shares)]):
        assert [energy for energy in energies
                if below < (energy - low) / (1 - low) <= share + SETTINGS.finest_gap], share


def test_what_is_measured_corrects_the_prediction():
    """Predicted fourfold too harmless in one layer, it still ends near the optimum."""
    problem = made_up_problem(leakage_uw=SMALL_LEAKAGE_UW)
    network = MadeUpNetwork(problem, made_up_damage(problem))
    network.truth[1] *= 4
    task = SearchTask(problem=problem, needed=network.EXACT_RIGHT, evaluations=60, seed=0,
                      images=network.IMAGES, damage=Damage(alone=made_up_damage(problem)))
    result = stage.search(METHODS["milp"], task, network).result
    optimum = min(problem.relative_energy(a) for a in every_design(problem)
                  if network.measured(a).right >= network.EXACT_RIGHT)
    assert 1 - result.best.energy >= 0.9 * (1 - optimum)


def test_factors_of_layers_and_multipliers_are_learned_from_sums():
    """Designs that nobody measured are predicted to a few per cent, not to a quarter."""
    problem = made_up_problem(layers=8, multipliers=6)
    generator = np.random.default_rng(1)
    prior = made_up_damage(problem)
    truth = prior * 0.6 * generator.uniform(0.7, 1.4, (8, 1)) * generator.uniform(0.6, 1.6, (1, 6))
    beliefs = _Beliefs(Damage(alone=prior), problem.networks, SETTINGS)
    designs = [tuple(map(int, row)) for row in generator.integers(1, 6, (60, 8))]
    for design in designs[:40]:
        beliefs.add(design, [total(truth, design)])

    def error(damage):
        return np.mean([abs(np.log(total(damage, design) / total(truth, design)))
                        for design in designs[40:]])
    assert error(prior) > 0.2
    assert error(beliefs.near(designs[0])) < 0.05


def test_measured_designs_are_replaced_by_less_harmful_ones_of_their_energy():
    """Two columns err half as predicted, which only measurements tell."""
    problem = made_up_problem(layers=8, multipliers=8, leakage_uw=SMALL_LEAKAGE_UW)
    truth = made_up_damage(problem)
    told = truth * np.where(np.arange(8) % 3 == 2, 2.0, 1.0)
    task = SearchTask(problem=problem, needed=(PERFECT,), images=(PERFECT,), seed=0,
                      evaluations=90, damage=Damage(alone=told), forecast=_Chances())
    judged = _Judged(problem, truth, lambda a: total(truth, a) <= 0.8)
    found = stage.search(METHODS["milp"], task, judged)
    model = AssignmentModel(problem, relative_gap=SETTINGS.relative_gap)
    for energy in (0.6, 0.65, 0.7):
        least = min(answer.damage for design, answer
                    in zip(found.result.history, found.answers, strict=True)
                    if design.energy <= energy)
        if SETTINGS.bold < 1 - least < SETTINGS.safe:
            best = model.safest(truth, energy - SETTINGS.finest_gap)
            assert least <= 1.1 * total(truth, best)
