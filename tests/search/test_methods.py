"""Every method: limits respected, repeatable, and never worse than what it must beat."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hw.common.errors import InputError, ToolError
from search.measure.damage import Damage
from search.methods import METHODS, get_method
from search.methods.base import SearchTask
from search.stages.search import search
from tests.search.synthetic import MadeUpNetwork, every_design, made_up_damage, made_up_problem

LIMITS = {"default": {"area_limit": 4.0, "max_arrays": 3},
          "tight": {"area_limit": 1.5, "max_arrays": 2},
          "below_exact": {"area_limit": 0.97, "max_arrays": 2},
          "exact_kept": {"area_limit": 1.8, "max_arrays": 2, "keep_exact": True},
          "single": {"area_limit": 4.0, "max_arrays": 1}}
TORCH = {"gp", "autoapprox"}
QUICK = sorted(set(METHODS) - TORCH)


def run(method, *, evaluations=25, seed=0, problem_seed=0, layers=6, multipliers=8, limits=None,
        exact_energy=1.0):
    problem = made_up_problem(layers=layers, multipliers=multipliers, seed=problem_seed,
                              leakage_uw=0.05, **(limits or LIMITS["default"]))
    if exact_energy != 1:
        problem = replace(problem, baseline_pj=problem.baseline_energy_pj / exact_energy)
    damage = made_up_damage(problem, seed=problem_seed)
    network = MadeUpNetwork(problem, damage, seed=problem_seed)
    task = SearchTask(problem=problem, needed=network.EXACT_RIGHT, evaluations=evaluations,
                      images=network.IMAGES, seed=seed, damage=Damage(alone=damage))
    result = search(METHODS.get(method, method), task, network).result
    return problem, network, result


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("method", QUICK)
def test_every_candidate_is_within_the_limits(method, limits, monkeypatch):
    # How long a sampler goes on in a small, exhausted space is not what is tested.
    monkeypatch.setattr("search.stages.search.MAX_REPEATS", 10)
    monkeypatch.setattr("search.methods.black_box.MAX_MISSES", 50)
    problem, network, result = run(method, limits=limits)
    for candidate in result.history:
        assignment = problem.from_mapping(candidate.mapping)
        assert problem.fits(assignment)
        assert candidate.area <= limits["area_limit"] + 1e-9
        assert candidate.energy == pytest.approx(problem.relative_energy(assignment))
        assert candidate.right == network.measured(assignment).right
    assert len(result.history) <= 25
    assert len({tuple(c.mapping.items()) for c in result.history}) == len(result.history)


@pytest.mark.parametrize("method", QUICK)
def test_same_seed_same_history(method):
    first, second = run(method)[2], run(method)[2]
    assert first.history == second.history
    assert first.best == second.best


@pytest.mark.parametrize("method", QUICK)
def test_what_energies_are_relative_to_changes_no_design(method):
    """The exact array of another form may take less than the bank's own exact array."""
    own, other = run(method)[2], run(method, exact_energy=2.0)[2]
    assert [one.mapping for one in own.history] == [one.mapping for one in other.history]
    assert [one.energy for one in other.history] == pytest.approx(
        [2 * one.energy for one in own.history])


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_another_seed_is_another_search(method):
    assert run(method)[2].history != run(method, seed=1)[2].history


@pytest.mark.parametrize("problem_seed", range(5))
def test_milp_comes_close_to_the_true_optimum(problem_seed):
    problem, network, result = run("milp", evaluations=40, layers=4, multipliers=5,
                                   problem_seed=problem_seed)
    optimum = min(problem.relative_energy(a) for a in every_design(problem)
                  if network.measured(a).right >= network.EXACT_RIGHT)
    assert 1 - result.best.energy >= 0.9 * (1 - optimum)


def test_milp_beats_black_boxes_at_the_same_budget():
    """Mean over problems: saving of milp against random and tpe at 16 evaluations."""
    def saving(method, problem_seed):
        best = run(method, problem_seed=problem_seed, evaluations=16, layers=8,
                   multipliers=6)[2].best
        return 1 - best.energy if best else 0.0

    mean = {method: np.mean([saving(method, seed) for seed in range(3)])
            for method in ("milp", "random", "tpe", "greedy")}
    assert mean["milp"] > 1.2 * max(mean["random"], mean["tpe"])
    assert mean["milp"] >= mean["greedy"]


def test_uniform_measures_every_cheaper_single_array_once():
    problem, _, result = run("uniform")
    expected = {(column,) * 6 for column in range(8)
                if problem.relative_energy((column,) * 6) < 1}
    assert {problem.from_mapping(c.mapping) for c in result.history} == expected
    energies = [candidate.energy for candidate in result.history]
    assert energies == sorted(energies, reverse=True)


def test_exact_is_one_evaluation_of_energy_one():
    _, _, result = run("exact")
    assert [candidate.energy for candidate in result.history] == [1.0]


@pytest.mark.parametrize("method", sorted(TORCH))
def test_gaussian_processes_run_within_the_limits_and_repeat(method):
    for package in ("torch", "greenlet"):
        pytest.importorskip(package, reason=f"Optuna's GP sampler needs {package}")
    problem, _, result = run(method, evaluations=12)
    assert len(result.history) == 12
    assert all(problem.fits(problem.from_mapping(c.mapping)) for c in result.history)
    assert run(method, evaluations=12)[2].history == result.history


@pytest.mark.parametrize("missing", [["torch"], ["greenlet"], ["torch", "greenlet"]])
def test_gp_without_its_packages_names_the_fix(monkeypatch, missing):
    monkeypatch.setattr("search.methods.gp.find_spec",
                        lambda name: None if name in missing else object())
    with pytest.raises(ToolError, match=rf"^Optuna's GP sampler needs {' and '.join(missing)}; "
                                        "install with: pip"):
        METHODS["gp"].check()


def test_methods_that_need_calibration_say_so():
    problem = made_up_problem()
    network = MadeUpNetwork(problem, made_up_damage(problem))
    bare = SearchTask(problem=problem, needed=(297,), images=(300,), evaluations=5, seed=0)
    for method in METHODS.values():
        if method.name in TORCH:
            continue
        if not method.calibrated:
            search(method, bare, network)
        else:
            with pytest.raises(ValueError, match=r"^Search task must carry the damage"):
                search(method, bare, network)


@pytest.mark.parametrize(("method", "option"), [
    ("milp", "patience=1"), ("alwann", "population=[3, 3]")])
def test_options_change_what_a_method_does(method, option):
    changed = METHODS[method].with_options([option])
    assert changed.settings != METHODS[method].settings
    assert run(changed)[2].history != run(METHODS[method])[2].history


@pytest.mark.parametrize(("method", "option", "message"), [
    ("milp", "patients=1", "--method-option: Unknown key 'patients'; did you mean 'patience'?"),
    ("milp", "patience=1.5", "--method-option.patience must be an integer, not 1.5"),
    ("milp", "patience", "--method-option patience must be NAME=VALUE, the value a number or"),
    ("tpe", "patience=1", "--method-option must not be given to tpe, which has none")])
def test_wrong_options_are_refused(method, option, message):
    with pytest.raises(InputError) as refused:
        METHODS[method].with_options([option])
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_documented(method):
    page = (Path(__file__).parents[2] / "docs" / "search.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `") and f"`{method}`" in line]
    assert rows, f"docs/search.md has no row for method `{method}`"


def test_unknown_method_suggests_the_nearest():
    with pytest.raises(InputError, match=r"^Unknown method 'mlip'; did you mean 'milp'\?$"):
        get_method("mlip")
