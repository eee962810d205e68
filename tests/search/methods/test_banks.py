"""All banks: the same optimum as brute force and as the integer program."""

import time

import numpy as np
import pytest

from search.methods.assignment import AssignmentModel
from search.methods.banks import BankModel, bank_count
from tests.search.synthetic import every_design, made_up_damage, made_up_problem, total

LIMITS = {"default": {}, "tight": {"area_limit": 1.5, "max_arrays": 2},
          "below_exact": {"area_limit": 0.97, "max_arrays": 2},
          "exact_kept": {"area_limit": 1.8, "max_arrays": 2, "keep_exact": True},
          "single": {"max_arrays": 1}, "many": {"max_arrays": 9}}


@pytest.fixture(params=[0, 1, 2])
def seed(request):
    return request.param


@pytest.mark.parametrize("leakage_uw", [0.05, 3, 100])
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_answers_are_the_optimum(limits, leakage_uw, seed):
    problem = made_up_problem(seed=seed, leakage_uw=leakage_uw, **limits)
    damage, model = made_up_damage(problem, seed=seed), BankModel(problem)
    designs = [(total(damage, a), problem.relative_energy(a), a) for a in every_design(problem)]
    for share in (0.0, 0.1, 0.3, 0.6):
        limit = share * max(damage for damage, _energy, _a in designs)
        found = model.cheapest(damage, limit)
        wanted = min((e for damage, e, _a in designs if damage <= limit), default=None)
        assert (found is None) == (wanted is None)
        if found is not None:
            assert problem.fits(found)
            assert total(damage, found) <= limit + 1e-9
            assert problem.relative_energy(found) == pytest.approx(wanted, rel=1e-5)
        energy = np.quantile([e for _damage, e, _a in designs], share)
        found = model.safest(damage, energy)
        wanted = min(damage for damage, e, _a in designs if e <= energy + 1e-12)
        assert problem.relative_energy(found) <= energy + 1e-8
        assert total(damage, found) == pytest.approx(wanted, rel=1e-5, abs=1e-9)
    assert model.proved


def test_what_is_excluded_is_not_returned_and_the_next_best_is(seed):
    problem = made_up_problem(seed=seed)
    damage, model = made_up_damage(problem, seed=seed), BankModel(problem)
    within = sorted(total(damage, a) for a in every_design(problem)
                    if problem.relative_energy(a) <= 0.8)
    seen = []
    for rank in range(12):
        found = model.safest(damage, 0.8, excluded=seen)
        assert found not in seen
        assert total(damage, found) == pytest.approx(within[rank], rel=1e-5)
        seen.append(found)


def test_the_gap_is_kept(seed):
    problem = made_up_problem(layers=7, multipliers=6, seed=seed, leakage_uw=0.05)
    damage = made_up_damage(problem, seed=seed)
    exact, loose = BankModel(problem), BankModel(problem, relative_gap=0.02, damage_gap=0.1)
    for energy in (0.55, 0.65, 0.8):
        best = exact.safest(damage, energy)
        if best is not None:
            found = loose.safest(damage, energy)
            assert total(damage, found) <= total(damage, best) / 0.9 + 1e-12


@pytest.mark.parametrize("size", [(12, 10), (20, 15)])
def test_larger_problems_agree_with_the_integer_program(size, seed):
    problem = made_up_problem(layers=size[0], multipliers=size[1], seed=seed, leakage_uw=0.05)
    damage = made_up_damage(problem, seed=seed)
    limit = 0.2 * float(damage.max(axis=1).sum())
    one = BankModel(problem, relative_gap=1e-4).cheapest(damage, limit)
    other = AssignmentModel(problem, relative_gap=1e-4).cheapest(damage, limit)
    assert problem.relative_energy(one) == pytest.approx(problem.relative_energy(other), rel=3e-4)


def test_banks_are_counted():
    assert bank_count(made_up_problem(multipliers=36)) == 36 + 630 + 7140
    assert bank_count(made_up_problem(multipliers=2, max_arrays=3)) == 3


@pytest.mark.long
@pytest.mark.parametrize(("size", "most_s"), [((52, 36), 10), ((120, 150), 60)],
                         ids=["ResNet-50, 36 multipliers", "120 layers, 150 multipliers"])
def test_a_gap_of_a_thousandth_is_proved_in_time(size, most_s):
    """One processor's seconds, for the cheapest design of several damage limits."""
    problem = made_up_problem(layers=size[0], multipliers=size[1], leakage_uw=0.05)
    damage = made_up_damage(problem)
    started = time.process_time()
    model = BankModel(problem, relative_gap=1e-3)
    print(f"\n{size}: banks counted in {time.process_time() - started:.1f} s")
    for share in (0.02, 0.1, 0.3):
        started = time.process_time()
        found = model.cheapest(damage, share * float(damage.max(axis=1).sum()))
        spent = time.process_time() - started
        print(f"  limit {share}: {spent:.2f} s, energy {problem.relative_energy(found):.4f}")
        assert model.proved
        assert spent <= most_s
