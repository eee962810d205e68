"""HiGHS finds what brute force finds."""

import numpy as np
import pytest

from search.methods.assignment import AssignmentModel
from search.problem.space import Problem
from tests.search.synthetic import every_design, made_up_damage, made_up_problem, total

LIMITS = {
    "free": {"area_limit": 9.0, "max_arrays": 5},
    "two_arrays": {"area_limit": 9.0, "max_arrays": 2},
    "small_area": {"area_limit": 1.6, "max_arrays": 3},
    "below_exact": {"area_limit": 0.95, "max_arrays": 3},
    "exact_kept": {"area_limit": 2.0, "max_arrays": 2, "keep_exact": True},
    "idle_gates": {"area_limit": 9.0, "max_arrays": 4, "idle_fj": 200.0},
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_cheapest_equals_brute_force(limits, seed):
    problem = made_up_problem(seed=seed, leakage_uw=100, **limits)
    damage = made_up_damage(problem, seed=seed)
    model = AssignmentModel(problem)
    for limit in (0.0, 0.3, 1.0, 3.0):
        feasible = [a for a in every_design(problem) if total(damage, a) <= limit]
        found = model.cheapest(damage, limit)
        if not feasible:
            assert found is None
            continue
        assert problem.fits(found)
        assert total(damage, found) <= limit + 1e-6
        assert problem.energy_pj(found) == pytest.approx(
            min(map(problem.energy_pj, feasible)), rel=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_safest_equals_brute_force(limits, seed):
    problem = made_up_problem(seed=seed, leakage_uw=100, **limits)
    damage = made_up_damage(problem, seed=seed)
    model = AssignmentModel(problem)
    for energy in (0.3, 0.6, 0.8, 1.2):
        feasible = [a for a in every_design(problem) if problem.relative_energy(a) <= energy]
        found = model.safest(damage, energy)
        if not feasible:
            assert found is None
            continue
        assert problem.relative_energy(found) <= energy + 1e-6
        assert total(damage, found) == pytest.approx(
            min(total(damage, a) for a in feasible), rel=1e-5, abs=1e-6)


GAP = 2e-3


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_small_leakage_is_taken_at_each_arrays_own_clock_within_the_gap(limits, seed):
    problem = made_up_problem(seed=seed, leakage_uw=0.02, **limits)
    damage = made_up_damage(problem, seed=seed)
    model = AssignmentModel(problem, relative_gap=GAP)
    assert not model.models_clock
    for limit in (0.0, 0.3, 1.0, 3.0):
        best = min((problem.relative_energy(a) for a in every_design(problem)
                    if total(damage, a) <= limit), default=None)
        found = model.cheapest(damage, limit)
        assert (found is None) == (best is None)
        if found is not None:
            assert problem.fits(found)
            assert total(damage, found) <= limit + 1e-6
            assert problem.relative_energy(found) <= best * (1 + GAP) + GAP
    for energy in (0.5, 0.6, 0.8, 1.2):
        found = model.safest(damage, energy)
        # Surely within the limit, and possibly within it.
        sure, possible = (min((total(damage, a) for a in every_design(problem)
                               if problem.relative_energy(a) <= energy + slack), default=np.inf)
                          for slack in (-GAP, GAP))
        if found is None:
            assert sure == np.inf
        else:
            assert problem.fits(found)
            assert problem.relative_energy(found) <= energy + GAP
            assert possible * (1 - GAP) - 1e-6 <= total(damage, found) <= sure * (1 + GAP) + 1e-6


@pytest.mark.parametrize(("leakage_uw", "gap"), [(100, GAP), (0.02, 1e-6)])
def test_the_clock_counts_where_leakage_exceeds_the_gap(leakage_uw, gap):
    assert AssignmentModel(made_up_problem(leakage_uw=leakage_uw), relative_gap=gap).models_clock


def test_excluded_designs_are_passed_over_in_order_of_energy():
    problem = made_up_problem(layers=3, multipliers=3, seed=5, leakage_uw=100)
    free = np.zeros((3, 3))
    model, found = AssignmentModel(problem), []
    while (assignment := model.cheapest(free, 1.0, excluded=found)) is not None:
        found.append(assignment)
    kept = np.flatnonzero(~model.dominated(free))
    assert len(kept) >= 2
    assert sorted(found) == sorted(a for a in every_design(problem) if set(a) <= set(kept))
    energies = [problem.energy_pj(assignment) for assignment in found]
    assert energies == pytest.approx(sorted(energies), rel=1e-5)


def test_leakage_and_clock_decide():
    """Brute force must disagree with a model that forgets leakage, else nothing was tested."""
    differs = 0
    for seed in range(8):
        problem = made_up_problem(seed=seed, leakage_uw=100, area_limit=9.0, max_arrays=5)
        dry = made_up_problem(seed=seed, leakage_uw=0, area_limit=9.0, max_arrays=5)
        free = np.zeros(problem.dynamic_pj.shape)
        differs += AssignmentModel(problem).cheapest(free, 1) != AssignmentModel(dry).cheapest(
            free, 1)
    assert differs >= 2


def test_dominated_columns_lose_in_everything():
    problem = made_up_problem(seed=1)
    damage = made_up_damage(problem)
    model = AssignmentModel(problem)
    assert not model.dominated(damage)[problem.reference]  # nothing else is without damage
    # A copy of a column is dominated by the original, not both by each other.
    figures = {name: getattr(problem, name) for name in (
        "dynamic_pj", "leakage_uw", "delay_ps", "area_um2")}
    twice = Problem(layers=problem.layers, reference=0, cycles=problem.cycles,
                    multipliers=(*problem.multipliers, "copy"),
                    **{name: np.concatenate([value, value[..., 1:2]], axis=-1)
                       for name, value in figures.items()})
    damage = np.concatenate([damage, damage[:, 1:2]], axis=1)
    assert AssignmentModel(twice).dominated(damage)[-1]
    assert not AssignmentModel(twice).dominated(damage)[0]


@pytest.mark.parametrize(("gap", "beaten"), [(1e-6, False), (GAP, True)])
def test_a_column_better_in_leakage_alone_is_dominated_where_leakage_is_small(gap, beaten):
    problem = made_up_problem(seed=1, leakage_uw=0.02)
    figures = {name: getattr(problem, name).copy() for name in ("dynamic_pj", "area_um2",
                                                                "delay_ps", "leakage_uw")}
    damage = made_up_damage(problem)
    for values in (figures["dynamic_pj"], figures["area_um2"], figures["delay_ps"], damage):
        values[..., 2] = values[..., 1]
    figures["leakage_uw"][2] = 0.5 * figures["leakage_uw"][1]
    twin = Problem(layers=problem.layers, multipliers=problem.multipliers, reference=0,
                   cycles=problem.cycles, **figures)
    assert AssignmentModel(twin, relative_gap=gap).dominated(damage)[2] == beaten


def test_a_column_better_in_one_layer_is_not_dominated():
    problem = made_up_problem(seed=1, leakage_uw=0)
    damage = np.zeros(problem.dynamic_pj.shape)
    cheap = problem.dynamic_pj.copy()
    cheap[2, 3] = 0.01
    changed = Problem(layers=problem.layers, multipliers=problem.multipliers, reference=0,
                      dynamic_pj=cheap, cycles=problem.cycles, leakage_uw=problem.leakage_uw,
                      delay_ps=problem.delay_ps, area_um2=problem.area_um2)
    assert not AssignmentModel(changed).dominated(damage)[3]
