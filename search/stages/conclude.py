"""Conclude: what a run found as the record that is written and that the report is drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.ppa.chip.parts import CONTROL, DRAM, IDLE, LEAKAGE
from search.problem.space import PJ_PER_UW_PS, Assignment, Problem
from search.problem.workload import own_layers
from search.report.breakdown import Breakdown
from search.report.record import (
    CalibrationFacts,
    Candidate,
    CompensationFacts,
    Figures,
    LayerFacts,
    NetworkFacts,
    RunResult,
    SingleArray,
)
from search.stages.calibrate import rank_correlation
from search.stages.records import Compensated, Costs, Found, Plan, Quantised, refitted


def conclude(found: Found, *, name: str, networks: Sequence[NetworkFacts],
             configuration: Mapping[str, Any], versions: Mapping[str, str],
             hashes: Mapping[str, str]) -> RunResult:
    """Return the result of a run, without the time it took.

    networks : what is known of their images.
    """
    problem = found.costs.problem
    alone = found.predictions.alone
    methods = [replace(one.result, best=offer.best, chance=offer.chance, expected=offer.expected)
               for one, offer in zip(found.searched, found.offers, strict=True)]
    return RunResult(
        name=name, chosen=found.chosen, networks=[
            replace(one, doubt=reference.doubt, float_right=reference.float_right)
            for one, reference in zip(networks, found.references, strict=True)],
        layers=[LayerFacts.of(layer, called) for one in found.networks
                for layer, called in zip(one.network.layers, one.layers, strict=True)],
        multipliers=found.costs.facts, exact=found.exact, exact_forms=found.baseline.forms,
        methods=methods, judged=[replace(one, refitted=refitted(
            found.networks, found.fits, one.design.mapping))
                                 for one in found.verdict.judged],
        single=_single(found.single, found.exact), expected=found.expected,
        kept=found.verdict.kept, certificates=found.verdict.certificates,
        calibration=_calibration(found), compensation=_compensation(found),
        sensitivity={} if alone is None else _by_name(problem, alone),
        layer_energy_pj=_by_name(problem, found.costs.levels["array"].layer_energy_pj()),
        objective=found.costs.objective, metric=tuple(found.metric),
        kept_figures=figures(found.costs, problem.from_mapping(found.verdict.kept.mapping)),
        figures={method.method: figures(found.costs, problem.from_mapping(method.best.mapping))
                 for method in methods if method.best is not None},
        breakdown=breakdown(found.costs, problem.from_mapping(found.verdict.kept.mapping)),
        baseline_breakdown=found.baseline.breakdown,
        configuration=configuration, versions=versions, hashes=hashes)


def figures(costs: Costs, design: Assignment) -> Figures:
    """Return what a design takes at every level."""
    problem = costs.problem
    bank = problem.bank(design)
    return Figures(
        energy_nj={level: 1e-3 * own.energy_pj(design) for level, own in costs.levels.items()},
        area_um2=float(problem.area_um2[list(bank)].sum()), cycles=costs.cycles,
        clock_ps=problem.clock_ps(bank))


def breakdown(costs: Costs, design: Assignment) -> Breakdown:
    """Return the energy of a design by layer and part.

    Leakage, idle arrays and control are those of the whole bank; what narrower results save is
    taken off the layer that writes them.
    """
    problem, parts = costs.levels["array"], costs.parts
    bank, rows, columns = list(problem.bank(design)), np.arange(len(design)), list(design)
    split = {name: values[rows, columns] for name, values in parts.pj.items()}
    split[LEAKAGE] = (problem.cycles * problem.leakage_uw[bank].sum() * problem.clock_ps(bank)
                      * PJ_PER_UW_PS)
    split[IDLE] = (len(bank) - 1) * problem.idle_pj
    fed = parts.writers >= 0
    for name in set(parts.narrower_pj) & set(split):
        np.subtract.at(split[name], parts.writers[fed],
                       parts.narrower_pj[name][rows, columns][fed])
    if CONTROL in split:
        split[CONTROL] = parts.control * np.sum([
            values for name, values in split.items() if name not in (CONTROL, DRAM)], axis=0)
    return Breakdown(
        energy_nj={name: tuple((1e-3 * values).tolist()) for name, values in split.items()},
        half_width_nj=tuple((1e-3 * parts.half_width_pj[rows, columns]).tolist()),
        cycles=tuple(parts.cycles.tolist()))


def constants(networks: Sequence[Quantised], fits: Sequence[Compensated | None],
              mapping: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the constants that a design carries, JSON-ready; mapping : of all networks."""
    return {one.prefix + layer: correction.to_dict()
            for one, own in zip(networks, fits, strict=True) if own is not None
            for layer, correction in own.corrections(own_layers(one.prefix, mapping)).items()}


def _single(offer: Plan, exact: Candidate) -> SingleArray:
    """Return what one array offers: nothing where it saves no energy."""
    saves = offer.best is not None and offer.best.energy < exact.energy
    return SingleArray(design=offer.best if saves else None, chance=offer.chance,
                       expected=offer.expected)


def _by_name(problem: Problem, values: npt.NDArray[Any]) -> dict[str, dict[str, float]]:
    """Return float64[N, K] as layer -> multiplier -> value."""
    return {layer: dict(zip(problem.multipliers, map(float, row), strict=True))
            for layer, row in zip(problem.layers, values, strict=True)}


def _calibration(found: Found) -> CalibrationFacts | None:
    """Return how well predictions ranked, on random designs and on those searched."""
    predictions, damage = found.predictions, found.predictions.damage
    if damage is None:
        return None
    problem = found.costs.problem
    measured = {problem.from_mapping(candidate.mapping): answer for one in found.searched
                for candidate, answer in zip(one.result.history, one.answers, strict=True)}
    designs = sorted(measured)
    return CalibrationFacts(
        additive=_least([one.additive for one in predictions.calibrations]),
        pairwise=_least([one.pairwise for one in predictions.calibrations]),
        pairs_used=damage.interaction is not None, studied=predictions.studied,
        searched=_least([rank_correlation([damage.of(design) for design in designs],
                                          [measured[design].damage for design in designs])]),
        searched_designs=len(designs), charge=found.charges[found.chosen].calibration)


def _compensation(found: Found) -> CompensationFacts | None:
    """Return what compensation does for the kept design, on the search splits."""
    if found.compared is None:
        return None
    measured, plain = found.compared
    fitted = [(one, fits, mapping) for one, fits, mapping
              in zip(found.networks, found.fits, found.own_mappings, strict=True)
              if fits is not None]
    kept = [fit for _one, fits, _mapping in fitted
            for row in fits.fits.values() for fit in row.values()]
    return CompensationFacts(
        kind=fitted[0][1].kind, passes=fitted[0][1].passes, refits=found.refits,
        refit_passes=sum(fits.refit_passes for _one, fits, _mapping in fitted),
        refit_seconds=found.refit_seconds,
        charge=found.charges[found.chosen].compensation,
        corrected=sum(fit.correction is not None for fit in kept), pairs=len(kept),
        layers={one.prefix + layer: fit.kept for one, fits, mapping in fitted
                for layer, fit in fits.of(mapping).items()},
        right=sum(measured.right), plain_right=sum(plain.right), damage=measured.damage,
        plain_damage=plain.damage)


def _least(values: Sequence[float]) -> float | None:
    """Return the smallest of the values that are numbers, None where none is."""
    return min((value for value in values if not math.isnan(value)), default=None)
