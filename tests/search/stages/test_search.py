"""Search: the loop around a method, which counts, charges and ends it."""

import pytest

from search.measure.damage import Damage
from search.measure.designs import once
from search.methods.base import Method, SearchTask
from search.report.record import Candidate
from search.stages.records import Predictions
from search.stages.search import cheapest, search, search_task
from tests.search.synthetic import MadeUpNetwork, made_up_damage, made_up_problem


def setting(**limits):
    problem = made_up_problem(**limits)
    damage = made_up_damage(problem)
    network = MadeUpNetwork(problem, damage)
    task = SearchTask(problem=problem, needed=network.EXACT_RIGHT, evaluations=10, seed=0,
                      images=network.IMAGES, damage=Damage(alone=damage))
    return network, task, once(network)


def scripted(*designs):
    def method(task):
        for design in designs:
            _ = yield [design]
    return Method(name="scripted", search=method)


def test_a_design_is_measured_once_but_charged_to_every_method():
    network, task, measure = setting()
    first = search(scripted((0, 0, 0, 1), (0, 0, 1, 1)), task, measure).result
    second = search(scripted((0, 0, 1, 1), (0, 0, 0, 2)), task, measure).result
    assert len(network.calls) == 3
    assert first.evaluations == second.evaluations == 2
    # Borrowed answers cost the time they took when they were measured.
    assert second.seconds >= 2 * 0.25


def test_repeats_within_a_method_are_free_and_kept_once():
    network, task, measure = setting()
    result = search(scripted(*[(0, 0, 0, 1)] * 7, (0, 0, 0, 2)), task, measure).result
    assert len(network.calls) == result.evaluations == len(result.history) == 2


def test_a_method_that_only_repeats_itself_ends():
    def method(task):
        while True:
            yield [(0, 0, 0, 0)]

    _, task, measure = setting()
    assert search(Method(name="stuck", search=method), task, measure
                  ).result.evaluations == 1


def test_answers_reach_the_method_that_asked():
    network, task, measure = setting()
    answers = []

    def method(task):
        for design in ((0, 0, 0, 0), (4, 4, 4, 4), (0, 0, 0, 0)):
            answers.extend((yield [design]))

    search(Method(name="asking", search=method), task, measure)
    assert answers == [network.measured((0, 0, 0, 0)), network.measured((4, 4, 4, 4)),
                       network.measured((0, 0, 0, 0))]
    assert answers[0].right > answers[1].right


def test_designs_asked_for_together_are_measured_together_and_answered_in_order():
    network, task, measure = setting()
    batches, found = [], []

    def counting(mappings):
        batches.append(len(mappings))
        return measure(mappings)

    designs = [(0, 0, 0, 1), (4, 4, 4, 4), (0, 0, 0, 1), (0, 1, 0, 0)]

    def method(task):
        found.extend((yield designs))

    result = search(Method(name="many", search=method), task, counting).result
    assert found == [network.measured(design) for design in designs]
    assert batches == [3]
    assert result.evaluations == 3


def test_the_budget_cuts_a_batch_short():
    network, task, measure = setting()
    designs = [(a, b, 0, 0) for a in range(3) for b in range(5)]

    def method(task):
        yield designs
        raise AssertionError("the budget was spent")

    result = search(Method(name="many", search=method), task, measure).result
    assert result.evaluations == len(network.calls) == 10


def test_calibration_is_charged_in_every_number():
    _, task, measure = setting()
    result = search(scripted((0, 0, 0, 1), (0, 0, 0, 2)), task, measure, charge=4.3).result
    assert result.evaluations == pytest.approx(6.3)
    assert [candidate.evaluation for candidate in result.history] == [6, 7]


def test_the_budget_ends_a_method():
    _, task, measure = setting()
    designs = [(a, b, 0, 0) for a in range(3) for b in range(5)]
    assert search(scripted(*designs), task, measure).result.evaluations == task.evaluations == 10


def test_a_design_beyond_the_limits_is_a_defect():
    _, task, measure = setting(max_arrays=1)
    with pytest.raises(ValueError, match=r"^Method scripted must propose designs within"):
        search(scripted((0, 1, 0, 0)), task, measure)


def test_best_is_the_cheapest_that_keeps_accuracy():
    _, task, measure = setting()
    result = search(scripted((0, 0, 0, 0), (1, 0, 0, 0), (4, 4, 4, 4)), task, measure).result
    accepted = [c for c in result.history if c.keeps(task.needed)]
    assert len(accepted) == 2
    assert result.best == min(accepted, key=lambda c: c.energy)
    assert cheapest(result.history, (result.history[0].search_n + 1,)) is None


def test_every_candidate_is_handed_on_as_it_is_measured():
    network, task, measure = setting()
    kept = []

    def keep(method, candidate, measured, *, shortfall):
        kept.append((method, candidate, measured, shortfall))

    found = search(scripted((0, 0, 0, 1), (4, 4, 4, 4)), task, measure, keep=keep)
    assert [one[1] for one in kept] == found.result.history
    assert [one[2] for one in kept] == found.answers == [
        network.measured((0, 0, 0, 1)), network.measured((4, 4, 4, 4))]
    assert [one[3] <= 0 for one in kept] == [True, False]
    assert {one[0] for one in kept} == {"scripted"}


def test_the_loss_that_is_allowed_is_each_networks_own():
    problem = made_up_problem()
    exact = Candidate(mapping=problem.to_mapping(problem.exact), energy=1.0, area=1.0,
                      right=(297, 95), images=(300, 100), evaluation=0)
    told = search_task(problem, exact, Predictions(hopeless=2.0), None, loss=0.01, budget=7,
                       seed=3, constraint="native")
    assert told.needed == (294, 94)
    assert (told.images, told.evaluations, told.hopeless, told.damage) == (
        (300, 100), 7, 2.0, None)
