"""Counting: measured once per run, charged to everyone who asked."""

import pytest

from search.measure.damage import Damage
from search.measure.oracle import Oracle, key
from search.methods.base import Method, SearchTask, cheapest, run_method
from tests.search.synthetic import MadeUpNetwork, made_up_damage, made_up_problem


def setting(**limits):
    problem = made_up_problem(**limits)
    damage = made_up_damage(problem)
    network = MadeUpNetwork(problem, damage)
    task = SearchTask(problem=problem, needed=network.EXACT_RIGHT, evaluations=10, seed=0,
                      images=network.IMAGES, damage=Damage(alone=damage))
    return network, task, Oracle(problem, network, images=network.IMAGES)


def scripted(*designs):
    def search(task):
        for design in designs:
            _ = yield [design]
    return Method(name="scripted", summary="", search=search)


def test_a_design_is_measured_once_but_charged_to_every_method():
    network, task, oracle = setting()
    first = run_method(scripted((0, 0, 0, 1), (0, 0, 1, 1)), task, oracle)
    second = run_method(scripted((0, 0, 1, 1), (0, 0, 0, 2)), task, oracle)
    assert len(network.calls) == oracle.passes == 3
    assert first.evaluations == second.evaluations == 2
    # Borrowed answers cost the time they took when they were measured.
    assert second.seconds >= 2 * 0.25


def test_repeats_within_a_method_are_free_and_kept_once():
    network, task, oracle = setting()
    result = run_method(scripted(*[(0, 0, 0, 1)] * 7, (0, 0, 0, 2)), task, oracle)
    assert len(network.calls) == result.evaluations == len(result.history) == 2


def test_a_method_that_only_repeats_itself_ends():
    def search(task):
        while True:
            yield [(0, 0, 0, 0)]

    _, task, oracle = setting()
    assert run_method(Method(name="stuck", summary="", search=search), task, oracle
                      ).evaluations == 1


def test_answers_reach_the_method_that_asked():
    network, task, oracle = setting()
    answers = []

    def search(task):
        for design in ((0, 0, 0, 0), (4, 4, 4, 4), (0, 0, 0, 0)):
            answers.extend((yield [design]))

    run_method(Method(name="asking", summary="", search=search), task, oracle)
    assert answers == [network.measured((0, 0, 0, 0)), network.measured((4, 4, 4, 4)),
                       network.measured((0, 0, 0, 0))]
    assert answers[0].right > answers[1].right


def test_designs_asked_for_together_are_measured_together_and_answered_in_order():
    network, task, oracle = setting()
    batches, found = [], []
    evaluate = oracle._evaluate
    oracle._evaluate = lambda mappings: batches.append(len(mappings)) or evaluate(mappings)
    designs = [(0, 0, 0, 1), (4, 4, 4, 4), (0, 0, 0, 1), (0, 1, 0, 0)]

    def search(task):
        found.extend((yield designs))

    result = run_method(Method(name="many", summary="", search=search), task, oracle)
    assert found == [network.measured(design) for design in designs]
    assert batches == [3]
    assert result.evaluations == 3


def test_the_budget_cuts_a_batch_short():
    network, task, oracle = setting()
    designs = [(a, b, 0, 0) for a in range(3) for b in range(5)]

    def search(task):
        yield designs
        raise AssertionError("the budget was spent")

    result = run_method(Method(name="many", summary="", search=search), task, oracle)
    assert result.evaluations == len(network.calls) == 10


def test_calibration_is_charged_in_every_number():
    _, task, oracle = setting()
    result = run_method(scripted((0, 0, 0, 1), (0, 0, 0, 2)), task, oracle, charge=4.3)
    assert result.evaluations == pytest.approx(6.3)
    assert [candidate.evaluation for candidate in result.history] == [6, 7]


def test_the_budget_ends_a_method():
    _, task, oracle = setting()
    designs = [(a, b, 0, 0) for a in range(3) for b in range(5)]
    assert run_method(scripted(*designs), task, oracle).evaluations == task.evaluations == 10


def test_a_design_beyond_the_limits_is_a_defect():
    _, task, oracle = setting(max_arrays=1)
    with pytest.raises(ValueError, match=r"^Method scripted must propose designs within"):
        run_method(scripted((0, 1, 0, 0)), task, oracle)


def test_best_is_the_cheapest_that_keeps_accuracy():
    _, task, oracle = setting()
    result = run_method(scripted((0, 0, 0, 0), (1, 0, 0, 0), (4, 4, 4, 4)), task, oracle)
    accepted = [c for c in result.history if c.keeps(task.needed)]
    assert len(accepted) == 2
    assert result.best == min(accepted, key=lambda c: c.energy)
    assert cheapest(result.history, (result.history[0].search_n + 1,)) is None


def test_key_ignores_order_and_nothing_else():
    assert key({"a": "x", "b": "y"}) == key({"b": "y", "a": "x"})
    assert len({key({"a": "x", "b": "y"}), key({"a": "y", "b": "x"}), key({"a": "x"})}) == 3
