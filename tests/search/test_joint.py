"""Several networks on one bank: energies add up, accuracies and certificates never do."""

import json
from dataclasses import replace

import numpy as np
import pytest

from search.certify.expected import CertificateForecast
from search.certify.paired_test import compare
from search.measure.damage import Damage
from search.measure.designs import Measured, once
from search.measure.watched import Watch
from search.methods import METHODS
from search.methods.base import SearchTask
from search.report.record import Candidate
from search.stages.certify import certify
from search.stages.cost import join_costs
from search.stages.plan import foresee, plan
from search.stages.records import Costs, Pooled
from search.stages.search import search
from search.trials.study_store import TrialStore
from tests.search.synthetic import (
    MadeUpNetwork,
    every_design,
    made_up_damage,
    made_up_parts,
    made_up_problem,
)

INFERENCES = (2, 3)
QUICK = ("alwann", "embed3", "greedy", "milp", "random", "tpe", "uniform")


def two_problems(*, layers=3, multipliers=4, **limits):
    """Return the problems of two networks on the same arrays."""
    both = made_up_problem(layers=2 * layers, multipliers=multipliers, leakage_uw=0.5, **limits)
    return both.part(slice(layers)), both.part(slice(layers, None))


def joined(problems, inferences=INFERENCES, prefixes=("a/", "b/")):
    return join_costs({
        prefix: Costs(objective="array", levels={"array": problem}, facts=(),
                      pe_cycles=1.0, cycles=1.0, parts=made_up_parts(problem))
        for prefix, problem in zip(prefixes, problems, strict=True)}, inferences).problem


class MadeUpWorkload:
    """Networks that are measured together; `bears` : damage of the second is taken for so less."""

    def __init__(self, problems, *, bears=1.0):
        self.problem = joined(problems)
        self.damages = [made_up_damage(problem, seed=seed) / (1, bears)[seed]
                        for seed, problem in enumerate(problems)]
        self.networks = [
            MadeUpNetwork(problem, damage * (1, bears)[seed], seed=seed)
            for seed, (problem, damage) in enumerate(zip(problems, self.damages, strict=True))]
        self.bears, self.calls = bears, []

    @property
    def needed(self):
        return tuple(network.EXACT_RIGHT[0] for network in self.networks)

    def measured(self, assignment):
        found = [network.measured(assignment[layers]) for network, layers
                 in zip(self.networks, self.problem.networks, strict=True)]
        return Measured(right=tuple(one.right[0] for one in found),
                        lost=tuple(one.lost[0] for one in found),
                        damages=(found[0].damage, found[1].damage / self.bears), seconds=0.25)

    def __call__(self, mappings):
        self.calls += mappings
        return [self.measured(self.problem.from_mapping(mapping)) for mapping in mappings]

    def run(self, method, *, evaluations=25, trials=None, evaluate=None):
        images = tuple(network.IMAGES[0] for network in self.networks)
        task = SearchTask(problem=self.problem, needed=self.needed, images=images, seed=1,
                          evaluations=evaluations, damage=Damage.joined(
                              [Damage(alone=damage) for damage in self.damages]))
        stored = {} if trials is None else {"keep": trials.add}
        return search(METHODS[method], task, once(
            evaluate or self, trials and trials.known()), **stored).result

    def optimum(self):
        return min(self.problem.relative_energy(design) for design in every_design(self.problem)
                   if all(right >= least for right, least
                          in zip(self.measured(design).right, self.needed, strict=True)))


# --- energies -------------------------------------------------------------------------------

def test_the_energy_of_a_round_is_the_weighted_sum():
    problems = two_problems()
    joint = joined(problems)
    assert joint.layers == ("a/layer0", "a/layer1", "a/layer2", "b/layer3", "b/layer4", "b/layer5")
    for column in range(4):  # the same bank for all: leakage and clock as well
        expected = sum(count * problem.energy_pj([column] * 3)
                       for count, problem in zip(INFERENCES, problems, strict=True))
        assert joint.energy_pj([column] * 6) == pytest.approx(expected)
    design = (1, 2, 0, 0, 1, 1)
    bank = joint.bank(design)
    parts = [problem.dynamic_pj[np.arange(3), design[layers]].sum() + problem.leakage_pj(bank)
             for problem, layers in zip(problems, joint.networks, strict=True)]
    assert joint.energy_pj(design) == pytest.approx(2 * parts[0] + 3 * parts[1])


def test_one_network_joined_is_itself():
    problem = two_problems()[0]
    same = joined([problem], [1], [""])
    assert (same.layers, same.starts) == (problem.layers, (0,))
    for name in ("dynamic_pj", "cycles", "leakage_uw", "delay_ps", "area_um2"):
        assert np.array_equal(getattr(same, name), getattr(problem, name))


def test_each_network_alone_is_what_it_was_but_for_how_often_it_runs():
    problems = two_problems()
    joint = joined(problems)
    for problem, count, layers in zip(problems, INFERENCES, joint.networks, strict=True):
        part = joint.part(layers)
        assert part.relative_energy((1, 0, 1)) == pytest.approx(problem.relative_energy((1, 0, 1)))
        assert part.energy_pj((1, 0, 1)) == pytest.approx(count * problem.energy_pj((1, 0, 1)))


@pytest.mark.parametrize("starts", [(), (1,), (0, 0), (0, 6), (0, 4, 2)])
def test_networks_without_layers_are_a_defect(starts):
    with pytest.raises(ValueError, match=r"^Problem starts must ascend from 0"):
        replace(joined(two_problems()), starts=starts)


def test_one_bank_for_all_is_never_cheaper_than_a_bank_for_each():
    problems = two_problems(max_arrays=2)
    workload = MadeUpWorkload(problems)

    def least(problem, network):
        return min(problem.energy_pj(design) for design in every_design(problem)
                   if network.measured(design).right >= network.EXACT_RIGHT)

    apart = sum(count * least(problem, network) for count, problem, network
                in zip(INFERENCES, problems, workload.networks, strict=True))
    together = workload.optimum() * workload.problem.baseline_energy_pj
    assert together >= apart * (1 - 1e-9)


# --- accuracy -------------------------------------------------------------------------------

def test_damage_adds_up_and_networks_do_not_interact():
    generator = np.random.default_rng(0)
    alone, cosines = generator.uniform(0.1, 1, (2, 2, 3)), np.array([[0, -0.5], [-0.5, 0]])
    one, other = Damage(alone=alone[0], interaction=cosines), Damage(alone=alone[1])
    both = Damage.joined([one, other])
    for design in ((0, 1, 2, 0), (2, 2, 1, 1)):
        assert both.of(design) == pytest.approx(one.of(design[:2]) + other.of(design[2:]))
    assert Damage.joined([other, other]).interaction is None


def test_what_one_network_has_to_spare_does_not_help_another():
    task = SearchTask(problem=joined(two_problems()), needed=(297, 100), images=(300, 110),
                      evaluations=1, seed=0)

    def judged(*right):
        return task.accepts(Measured(right=right, lost=(0, 0), damages=(0, 0), seconds=0))

    assert judged(297, 100)
    assert judged(300, 100)
    assert not judged(296, 110)
    assert not judged(300, 99)


@pytest.mark.parametrize("method", QUICK)
def test_methods_accept_only_what_every_network_keeps(method, monkeypatch):
    monkeypatch.setattr("search.stages.search.MAX_REPEATS", 10)
    monkeypatch.setattr("search.methods.black_box.MAX_MISSES", 50)
    workload = MadeUpWorkload(two_problems(layers=4, multipliers=6))
    result = workload.run(method)
    assert result.history
    accepted = [candidate for candidate in result.history if all(
        right >= least for right, least in zip(candidate.right, workload.needed, strict=True))]
    assert result.accepted == min(accepted, key=lambda found: found.energy, default=None)
    for candidate in result.history:
        measured = workload.measured(workload.problem.from_mapping(candidate.mapping))
        assert candidate.right == measured.right
        assert candidate.images == (300, 300)


@pytest.mark.parametrize("bears", [0.05, 1.0, 20.0])
def test_milp_comes_close_though_one_network_bears_far_more_damage(bears):
    """Neither relative damage nor its sum says which network will miss: measurements do."""
    workload = MadeUpWorkload(two_problems(), bears=bears)
    result = workload.run("milp", evaluations=60)
    assert 1 - result.accepted.energy >= 0.9 * (1 - workload.optimum())


@pytest.mark.parametrize("method", ["milp", "tpe"])
def test_resumed_equals_uninterrupted(tmp_path, method):
    workload = MadeUpWorkload(two_problems(layers=4, multipliers=6))

    def search(path, *, stop_after=None):
        made = []

        def evaluate(mappings):
            if stop_after is not None and len(made) >= stop_after:
                raise KeyboardInterrupt
            made.extend(mappings)
            return workload(mappings)

        problem = workload.problem
        store = TrialStore(path, "test", fingerprint={"networks": "a, b"},
                           objectives=("energy", "accuracy"), layers=problem.layers,
                           multipliers=problem.multipliers, max_arrays=problem.max_arrays,
                           area_limit=problem.area_limit)
        try:
            return workload.run(method, evaluations=12, trials=store, evaluate=evaluate), len(made)
        finally:
            store.close()

    whole, calls = search(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "torn", stop_after=5)
    resumed, rest = search(tmp_path / "torn")
    assert resumed.history == whole.history
    assert rest == calls - 5


def test_measurements_survive_json():
    measured = Measured(right=(3, 4), lost=(1, 0), damages=(0.5, 1 / 3), seconds=0.1)
    assert Measured.read(json.loads(json.dumps(measured._asdict()))) == measured
    assert measured.damage == 0.5 + 1 / 3


# --- certificates ---------------------------------------------------------------------------

CERTIFIED, MARGIN = 800, 0.01


class Split:
    """A certify split on which a design loses and gains as many images as it is told to."""

    def __init__(self, lost=0, gained=0):
        self.labels, self.lost, self.gained = np.zeros(CERTIFIED, int), lost, gained

    def right(self, mapping):
        right = np.arange(CERTIFIED) >= 20
        if mapping.get("a/layer") == "bold":
            right[20:20 + self.lost] = False
            right[:self.gained] = True
        return right

    def logits(self, mappings, *, done):
        [mapping] = mappings
        done(CERTIFIED)
        return [np.eye(2, dtype=np.float32)[1 - self.right(mapping)]]


def candidate(name, energy):
    return Candidate(mapping={"a/layer": name, "b/layer": name}, energy=energy, area=1.0,
                     right=(297, 290), images=(300, 300), evaluation=1)


EXACT, BOLD = candidate("mul8u_exact", 1.0), candidate("bold", 0.7)


def certified(*splits, margins=(MARGIN, MARGIN)):
    forecast = CertificateForecast(exact_right=EXACT.right, searched=EXACT.images,
                                   certified=[CERTIFIED] * 2, margins=margins)
    measured = Measured(right=(297, 290), lost=(0, 0), damages=(1e-3, 1e-3))
    planned = plan(foresee([Pooled(BOLD, measured, ("made-up",))], forecast, needed=(297, 290)),
                   EXACT)
    return certify(planned.sequence, splits, EXACT, margins=margins, watch=Watch())


def test_each_network_has_a_certificate_of_its_own():
    found = certified(Split(lost=1), Split(lost=0, gained=2))
    assert found.kept == BOLD
    assert [(one.lost, one.gained) for one in found.certificates] == [(1, 0), (0, 2)]
    assert all(one.certified and one.n == CERTIFIED for one in found.certificates)


@pytest.mark.parametrize("order", [1, -1])
def test_one_network_that_fails_fails_all_though_together_they_would_pass(order):
    splits = (Split(lost=6), Split(gained=6))[::order]
    together = [np.concatenate([split.right({"a/layer": name}) for split in splits])
                for name in ("mul8u_exact", "bold")]
    assert compare(*together, margin=MARGIN).certified
    found = certified(*splits)
    assert found.kept == EXACT
    assert [one.certified for one in found.judged[0].certificates][::order] == [False, True]


def test_every_network_has_its_own_margin():
    splits = Split(lost=6), Split(lost=0)
    assert certified(*splits, margins=(0.03, MARGIN)).kept == BOLD
    assert certified(*splits, margins=(MARGIN, 0.03)).kept == EXACT


def test_a_network_that_nothing_harms_does_not_change_the_plan():
    history = [EXACT, *(candidate(f"design{index}", 0.9 - 0.05 * index) for index in range(6))]
    alone, both = [], []
    for index in range(len(history)):
        damage = 0.0 if index == 0 else 1e-3 * 3 ** index
        alone.append(Measured(right=(297,), lost=(index,), damages=(damage,), seconds=0))
        both.append(Measured(right=(297, 290), lost=(index, 0), damages=(damage, 0), seconds=0))
    single = [replace(one, right=(297,), images=(300,)) for one in history]
    plans = [
        plan(foresee(
            [Pooled(*one, ("made-up",)) for one in zip(tried, answers, strict=True)],
            CertificateForecast(
                exact_right=exact.right, searched=exact.images, certified=[CERTIFIED] * networks,
                margins=[MARGIN] * networks), needed=[290] * networks), exact)
        for networks, tried, answers, exact in ((1, single, alone, single[0]),
                                                (2, history, both, EXACT))]
    assert len(plans[0].sequence) > 1
    assert [one.design.mapping for one in plans[0].sequence] == [
        one.design.mapping for one in plans[1].sequence]
