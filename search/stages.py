"""The stages between the inputs of a run and its methods' results, each computed once.

Networks are prepared one by one (`search.measure.network`); here they meet: one problem, one bank,
and a design that is accepted only if every network keeps its own accuracy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.progress import task
from hw.machine.design import BankConfig
from hw.multipliers import Multiplier
from hw.ppa import MappedPe
from search.certify.judging import Certification
from search.measure.calibration import rank_correlation
from search.measure.damage import Damage
from search.measure.network import Prepared
from search.measure.oracle import Measured, Oracle
from search.measure.study import shrunk
from search.methods.base import Method, SearchTask, run_method
from search.options import Options
from search.problem.charges import charges
from search.problem.costs import join_costs
from search.problem.inputs import NetworkInputs
from search.report.record import (
    CalibrationFacts,
    Candidate,
    CompensationFacts,
    LayerFacts,
    MethodResult,
)
from search.trials.study_store import TrialStore

Float = npt.NDArray[np.float64]


class Stages:
    """Compensation, costs, calibration, then the methods and their certificates."""

    def __init__(self, options: Options, bank: BankConfig, multipliers: Mapping[str, Multiplier],
                 inputs: Sequence[NetworkInputs], store: TrialStore,
                 pes: Mapping[str, MappedPe]) -> None:
        self.options = options
        self.networks = [Prepared(one, options, bank, multipliers, pes) for one in inputs]
        self.costs = join_costs({network.prefix: network.costs for network in self.networks},
                                [network.inferences for network in self.networks])
        self.problem = self.costs.problem
        self.charges = charges(inputs, multipliers, compensation=options.compensation,
                               study=options.study)
        self.needed = tuple(network.needed for network in self.networks)
        self.exact = Candidate(
            mapping=self.problem.to_mapping(self.problem.exact), energy=1.0, area=1.0,
            right=tuple(int(network.exact_right.sum()) for network in self.networks),
            images=tuple(len(network.exact_right) for network in self.networks), evaluation=0)
        parts = [self.problem.part(layers) for layers in self.problem.networks]
        self.calibrations = [
            network.calibrate(part, store)
            for network, part in zip(self.networks, parts, strict=True)
            if any(method.calibrated for method in options.methods)]
        self.halves = None if not options.study else np.concatenate(
            [network.study(part, store)
             for network, part in zip(self.networks, parts, strict=True)], axis=1)
        self.predicted = (Damage.joined([one.damage for one in self.calibrations])
                          if self.calibrations else None)
        self.oracle = Oracle(self.problem, store.shared(self._measure),
                             images=self.exact.images, trials=store)

    # --- methods --------------------------------------------------------------------------

    @property
    def damage(self) -> Damage | None:
        """What calibrated methods are told."""
        if self.predicted is None or self.halves is None:
            return self.predicted
        return Damage(alone=shrunk(self.halves, self.predicted.alone),
                      interaction=self.predicted.interaction)

    def charge(self, method: Method) -> float:
        """Return the evaluations that preparing for a method took."""
        return self.charges.of(calibrated=method.calibrated)

    def _measure(self, mappings: Sequence[Mapping[str, str]]) -> list[Measured]:
        started = time.perf_counter()
        found = [network.measure(mappings) for network in self.networks]
        seconds = (time.perf_counter() - started) / len(mappings)
        return [Measured(right=right, lost=lost, damages=damages, seconds=seconds)
                for right, lost, damages in (zip(*design, strict=True)
                                             for design in zip(*found, strict=True))]

    def search(self, certification: Certification) -> list[MethodResult]:
        """Run all methods and certify what they found."""
        found, options = [], self.options
        for method in options.methods:
            charge = self.charge(method)
            evaluations = max(0, int(options.budget - charge))
            with task(f"searching by {method.name}", evaluations, quiet=options.quiet) as progress:
                found.append(run_method(
                    method, SearchTask(
                        problem=self.problem, needed=self.needed, images=self.exact.images,
                        evaluations=evaluations, seed=options.seed,
                        damage=self.damage if method.calibrated else None,
                        # What is hopeless in one network may be harmless in another.
                        hopeless=max((one.hopeless for one in self.calibrations),
                                     default=math.inf),
                        forecast=certification.forecast, constraint=options.constraint),
                    self.oracle, charge=charge, progress=progress))
        plans = [certification.plan(result, self.needed, self._measured) for result in found]
        passes = sum(1 + len(plan) for plan in plans)  # with that of the exact network
        certification.announce()
        with task("certifying on held-out images", certification.images * passes,
                  quiet=options.quiet) as progress:
            return [certification.judge(result, plan, chosen=result.method == options.method,
                                        done=progress.advance)
                    for result, plan in zip(found, plans, strict=True)]

    def _measured(self, candidates: Sequence[Candidate]) -> list[Measured]:
        return self.oracle.measure([self.problem.from_mapping(candidate.mapping)
                                    for candidate in candidates])

    # --- what the report shows --------------------------------------------------------------

    def by_name(self, values: Float) -> dict[str, dict[str, float]]:
        """Return float64[N, K] as layer -> multiplier -> value."""
        return {layer: dict(zip(self.problem.multipliers, map(float, row), strict=True))
                for layer, row in zip(self.problem.layers, values, strict=True)}

    def sensitivity(self) -> dict[str, dict[str, float]]:
        """Return the damage of each multiplier in each layer alone; empty if never asked for."""
        if self.halves is not None:
            return self.by_name(self.halves.mean(axis=0))
        return {} if self.predicted is None else self.by_name(self.predicted.alone)

    def layer_facts(self) -> list[LayerFacts]:
        """Return the mapped layers for the report."""
        return [facts for network in self.networks for facts in network.layer_facts()]

    def calibration_facts(self, methods: Sequence[MethodResult]) -> CalibrationFacts | None:
        """Return how well predictions ranked, on random designs and on those searched."""
        damage = self.damage
        if damage is None:
            return None
        designs = sorted({self.problem.from_mapping(candidate.mapping)
                          for method in methods for candidate in method.history})
        measured = self.oracle.measure(designs)
        return CalibrationFacts(
            additive=_least([one.additive for one in self.calibrations]),
            pairwise=_least([one.pairwise for one in self.calibrations]),
            pairs_used=damage.interaction is not None, studied=self.halves is not None,
            searched=_least([rank_correlation([damage.of(design) for design in designs],
                                              [answer.damage for answer in measured])]),
            searched_designs=len(designs), charge=self.charges.calibration)

    def compensation_facts(self, candidate: Candidate) -> CompensationFacts | None:
        """Return what compensation does for a design, measured on the search split."""
        found = [network.compensated for network in self.networks if network.compensated]
        if not found:
            return None
        mapping = candidate.mapping
        measured, = self._measured([candidate])
        plain = [network.without_compensation(mapping) for network in self.networks]
        kept = [fit for one in found for row in one.fits.values() for fit in row.values()]
        return CompensationFacts(
            kind=found[0].kind, passes=found[0].passes, charge=self.charges.compensation,
            corrected=sum(fit.correction is not None for fit in kept), pairs=len(kept),
            layers={network.prefix + layer: compensated.fits[layer][used].kept
                    for network, compensated in zip(self.networks, found, strict=True)
                    for layer, used in network.own(mapping).items()},
            right=sum(measured.right), plain_right=sum(right for right, _damage in plain),
            damage=measured.damage, plain_damage=sum(damage for _right, damage in plain))

    def constants(self, candidate: Candidate) -> dict[str, dict[str, Any]]:
        """Return the constants that a design carries, JSON-ready."""
        return {layer: values for network in self.networks
                for layer, values in network.constants(candidate.mapping).items()}


def _least(values: Sequence[float]) -> float | None:
    """Return the smallest of the values that are numbers, None where none is."""
    return min((value for value in values if not math.isnan(value)), default=None)
