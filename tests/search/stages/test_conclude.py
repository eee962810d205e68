"""Conclude: every figure of the result is that of a record which a stage handed on."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from search.measure.damage import Damage
from search.measure.designs import Measured, key
from search.report.breakdown import Breakdown
from search.report.record import Candidate, Figures, Judged, MethodResult, NetworkFacts, SingleArray
from search.stages.conclude import conclude, constants
from search.stages.records import (
    Baseline,
    Charges,
    Compensated,
    Costs,
    Found,
    Plan,
    Predictions,
    Quantised,
    Reference,
    Searched,
    Verdict,
)
from sim.compensation.record import LayerFit
from tests.search.synthetic import made_up_parts, made_up_problem

EXACT, CHEAP = "mul8u_m0", "mul8u_m1"
DEARER, BEST = (Figures(energy_nj={"array": energy, "chip": 10 + energy}, area_um2=3.0, cycles=900,
                        clock_ps=4.0) for energy in (2.0, 1.5))
ALONE = Breakdown(energy_nj={"multipliers": (0.5, 0.5, 0.5)}, half_width_nj=(0.0,) * 3,
                  cycles=(300.0,) * 3)
FIXED = SimpleNamespace(to_dict=lambda: {"bias": [1]})


def fits(*layers):
    """Return fits of layers that the cheap multiplier alone gives other constants."""
    return Compensated(kind="affine", passes=3, fits={layer: {
        name: LayerFit(table="", kept=kept, plain_error=1.0, error=0.5, correction=correction)
        for name, kept, correction in ((EXACT, "none", None), (CHEAP, "affine", FIXED))}
        for layer in layers})


def network(name, *layers):
    shapes = [SimpleNamespace(name=layer, kind="conv", k=9, n=4, groups=1, positions=16, macs=576)
              for layer in layers]
    return Quantised(source=SimpleNamespace(name=name), prefix=f"{name}/", splits=None,
                     network=SimpleNamespace(layers=shapes))


def found(**changes):
    """Return what the stages made of two networks: the cheap array runs all layers but one."""
    made_up = made_up_problem(layers=3, multipliers=2)
    problem = type(made_up)(**{**vars(made_up), "layers": ("a/x", "a/y", "b/x"),
                               "starts": (0, 2)})

    def candidate(design, right):
        return Candidate(mapping=problem.to_mapping(design), energy=0.5, area=1.0, right=right,
                         images=(30, 20), evaluation=1)

    exact, best = candidate((0, 0, 0), (29, 19)), candidate((1, 0, 1), (29, 18))
    history = [best, candidate((1, 1, 1), (20, 10))]
    answers = [Measured(right=one.right, lost=(1, 1), damages=(harm, harm))
               for one, harm in zip(history, (0.1, 0.3), strict=True)]
    result = MethodResult(method="milp", evaluations=2, seconds=1.0, accepted=best, best=best,
                          history=history)
    alone = np.array([[0.0, 0.1], [0.0, 0.4], [0.0, 0.2]])
    return Found(**{
        "networks": [network("a", "x", "y"), network("b", "x")],
        "charges": {"milp": Charges(compensation=3.5, calibration=2.5, study=0.0)},
        "fits": [fits("x", "y"), fits("x")],
        "costs": Costs(objective="array", levels={"array": problem}, facts=(), pe_cycles=1.0,
                       cycles=900.0, parts=made_up_parts(problem)),
        "references": [Reference(logits=None, spread=1.0, right=None, float_right=right,
                                 doubt=doubt)
                       for right, doubt in (((), ""), ((19,), "odd"))],
        "baseline": Baseline(forms={"1x1": DEARER, "4x1": BEST}, levels=(), breakdown=ALONE),
        "exact": exact, "metric": ["top1"], "margins": (0.01, 0.02), "expected": 0.8,
        "verdict": Verdict(kept=best, judged=(), certificates=()),
        "offers": [Plan(sequence=(), expected=0.9, best=history[1], chance=0.25)],
        "single": Plan(sequence=(), expected=0.95, best=history[1], chance=0.5),
        "searched": [Searched(result=result, answers=answers)],
        "predictions": Predictions(damage=Damage(alone=alone), alone=alone, calibrations=[
            SimpleNamespace(additive=rank, pairwise=float("nan")) for rank in (0.9, 0.7)]),
        "compared": (answers[0], Measured(right=(25, 15), lost=(0, 0), damages=(1.0, 2.0))),
        **changes})


def concluded(**changes):
    facts = [NetworkFacts(name=name, model=name, data="", inferences=1, layers=layers,
                          calibrator="as given")
             for name, layers in (("a", 2), ("b", 1))]
    return conclude(found(**changes), name="run", networks=facts, versions={}, hashes={},
                    configuration={"seed": 3})


def test_layers_and_tables_are_named_as_the_mapping_names_them():
    run = concluded()
    names = ["a/x", "a/y", "b/x"]
    assert [layer.name for layer in run.layers] == names
    assert (run.layers[0].k, run.layers[0].macs) == (9, 576)
    assert list(run.kept.mapping) == list(run.layer_energy_pj) == names
    assert run.sensitivity["a/y"] == {EXACT: 0.0, CHEAP: 0.4}
    assert [one.doubt for one in run.networks] == ["", "odd"]
    assert [one.float_right for one in run.networks] == [(), (19,)]
    assert (run.chosen, run.configuration) == ("milp", {"seed": 3})


def test_figures_are_those_of_every_level():
    given = found()
    array = given.costs.problem
    halved = replace(array, dynamic_pj=array.dynamic_pj / 2, leakage_uw=array.leakage_uw / 2)
    costs = replace(given.costs, objective="chip", levels={"array": array, "chip": halved})
    run = concluded(costs=costs)
    design = array.from_mapping(run.kept.mapping)
    assert run.objective == "chip"
    assert run.kept_figures.energy_nj == pytest.approx(
        {"array": array.energy_pj(design) / 1000, "chip": array.energy_pj(design) / 2000})
    assert run.kept_figures.area_um2 == array.area_um2.sum()
    assert run.kept_figures.latency_us == pytest.approx(900 * array.delay_ps.max() * 1e-6)
    # As much exact array does the same in less time at the same energy.
    larger = run.equal_area
    assert larger.cycles == pytest.approx(900 * BEST.area_um2 / array.area_um2.sum())
    assert larger.energy_nj == BEST.energy_nj


def test_energy_by_layer_and_part_is_that_of_the_whole_bank():
    run = concluded()
    array = found().costs.problem
    assert run.breakdown.array_nj == pytest.approx(run.kept_figures.energy_nj["array"])
    assert run.breakdown.energy_nj["multipliers"][1] == pytest.approx(
        array.dynamic_pj[1, 0] / 2000)  # the layer on the exact array
    bank = array.bank(array.from_mapping(run.kept.mapping))
    assert sum(run.breakdown.energy_nj["leakage"]) == pytest.approx(array.leakage_pj(bank) / 1000)
    assert run.breakdown.cycles == tuple(array.cycles)
    assert run.baseline_breakdown == ALONE


def test_figures_are_relative_to_the_exact_array_of_least_energy():
    run = concluded()
    assert (run.exact_form, run.baseline_form, run.baseline) == ("1x1", "4x1", BEST)
    assert run.baseline.relative(run.baseline) == {"array": 1, "chip": 1}
    assert DEARER.relative(run.baseline)["array"] == pytest.approx(4 / 3)


def test_predictions_are_held_against_what_was_measured():
    facts = concluded().calibration
    assert (facts.additive, facts.pairwise) == (0.7, None)  # the worst; none is a number
    assert facts.searched == pytest.approx(1.0)
    assert (facts.searched_designs, facts.charge) == (2, 2.5)
    assert (facts.pairs_used, facts.studied) == (False, False)


def constants_of(one):
    return constants(one.networks, one.fits, one.verdict.kept.mapping)


def test_compensation_is_told_of_the_design_that_is_kept():
    facts = concluded().compensation
    assert facts.layers == {"a/x": "affine", "a/y": "none", "b/x": "affine"}
    assert (facts.corrected, facts.pairs, facts.passes, facts.charge) == (3, 6, 3, 3.5)
    assert (facts.right, facts.plain_right) == (47, 40)
    assert (facts.damage, facts.plain_damage) == pytest.approx((0.2, 3.0))
    assert constants_of(found()) == {"a/x": {"bias": [1]}, "b/x": {"bias": [1]}}


def test_designs_with_constants_of_their_own_are_told_apart_and_refits_are_charged():
    kept = found().verdict.kept
    other = replace(kept, mapping=dict.fromkeys(kept.mapping, EXACT))
    judged = [Judged(design=design, found_by=("milp",), chance=0.5, lost=(1.0,), gained=(1.0,))
              for design in (kept, other)]
    own = fits("x")
    refitted = replace(own, refit_passes=5.0, refits={key({"x": CHEAP}): own.of({"x": CHEAP})})
    run = concluded(verdict=Verdict(kept=kept, judged=judged, certificates=()), refits=2,
                    refit_seconds=1.5, fits=[replace(fits("x", "y"), refit_passes=5.0), refitted])
    assert [one.refitted for one in run.judged] == [True, False]
    facts = run.compensation
    assert (facts.refits, facts.refit_passes, facts.refit_seconds) == (2, 10.0, 1.5)


def test_what_was_not_done_is_not_told():
    run = concluded(fits=[None, None], compared=None, predictions=Predictions())
    assert (run.compensation, run.calibration, run.sensitivity) == (None, None, {})
    assert constants_of(found(fits=[None, None])) == {}


def test_where_the_exact_design_is_kept_it_has_no_constants():
    verdict = replace(found().verdict, kept=found().exact)
    assert constants_of(found(verdict=verdict)) == {}
    run = concluded(verdict=verdict)
    assert run.kept == run.exact
    problem = found().costs.problem
    assert run.kept_figures.energy_nj["array"] == problem.energy_pj(problem.exact) / 1000
    assert set(run.compensation.layers.values()) == {"none"}


def test_what_one_array_offers_is_told_where_it_saves_energy():
    given = found()
    assert given.single.best.energy == given.exact.energy
    assert concluded().single == SingleArray(design=None, chance=0.5, expected=0.95)
    dearer = replace(given.exact, energy=0.6)
    assert concluded(exact=dearer).single.design == given.single.best


def test_a_method_is_told_with_what_it_offers():
    run = concluded()
    method, = run.methods
    assert (method.best, method.chance, method.expected) == (method.history[1], 0.25, 0.9)
    assert run.figures["milp"].energy_nj["array"] < run.kept_figures.energy_nj["array"]
    assert run.expected == 0.8
