"""The stages between the inputs of a run and its methods' results, each computed once."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.common.progress import task
from hw.config import BankConfig
from hw.multipliers import EXACT, Multiplier
from hw.ppa import MappedPe
from hw.ppa.energies import DEFAULT_FOLDER as ENERGIES
from search.calibration import Calibration, calibrate, rank_correlation, relative_damage
from search.certification import Certification
from search.compensation import NONE, Compensated, compensate
from search.costs import Costs, Limits, measure_costs
from search.damage import Damage
from search.error_power import error_power
from search.evaluation import SplitRuns, Workers
from search.inputs import Splits
from search.methods.base import Method, SearchTask, run_method
from search.options import Options
from search.oracle import Measured, Oracle
from search.problem import Problem
from search.result import (
    CalibrationFacts,
    Candidate,
    CompensationFacts,
    LayerFacts,
    MethodResult,
)
from search.store import TrialStore
from search.study import shrunk, study, study_charge
from sim.network import QuantNetwork

STREAM_IMAGES = 32  # whose operands are sampled for energy and histograms

Float = npt.NDArray[np.float64]


class Stages:
    """Compensation, costs, calibration, then the methods and their certificates."""

    def __init__(self, options: Options, bank: BankConfig, multipliers: Mapping[str, Multiplier],
                 network: QuantNetwork, splits: Splits, store: TrialStore,
                 pes: Mapping[str, MappedPe]) -> None:
        self.options, self.network, self.splits, self.store = options, network, splits, store
        self._multipliers, self._workers = multipliers, Workers(network, os.cpu_count() or 1)
        self._share = len(splits.calibrate.labels) / len(splits.search.labels)
        operands = network.layer_operands(splits.calibrate.images[:STREAM_IMAGES])
        self.compensated = self._compensate()
        self.runs = {name: self._split(name, self.compensated) for name, _data in splits}
        self.costs = self._costs(bank, operands, pes)
        self.problem: Problem = self.costs.problem
        self.exact = self._exact()
        self.needed = self.exact.search_right - math.floor(
            options.search_loss * len(splits.search.labels) + 1e-9)
        self.calibration = self._calibrate(operands)
        self.halves = self._study() if options.study else None
        self.oracle = Oracle(self.problem, store.shared(self._measure),
                             images=self.exact.search_n, trials=store)

    # --- stages ---------------------------------------------------------------------------

    def _split(self, name: str, compensated: Compensated | None) -> SplitRuns:
        return SplitRuns(self._workers, self._multipliers, getattr(self.splits, name),
                         name=self.splits.sources[name], constants=compensated)

    def _compensate(self) -> Compensated | None:
        if self.options.compensation == NONE:
            return None
        with task("compensating every multiplier in every layer", len(self.network.layers),
                  quiet=self.options.quiet) as progress:
            return compensate(self.network, self.splits.calibrate.images, self._multipliers,
                              self.options.compensation, progress=progress)

    def _costs(self, bank: BankConfig, operands: Mapping[str, npt.NDArray[np.int16]],
               pes: Mapping[str, MappedPe]) -> Costs:
        options = self.options
        with task("energy of every array on every layer", len(self._multipliers),
                  quiet=options.quiet) as progress:
            return measure_costs(
                self.network.layers, operands, self._multipliers, reference=EXACT, bank=bank,
                batch=options.batch, seed=options.seed, progress=progress,
                constants=self.compensated, folder=ENERGIES, pes=pes, limits=Limits(
                    area_limit=options.area_limit, max_arrays=options.max_arrays,
                    keep_exact=options.keep_exact))

    def _exact(self) -> Candidate:
        searching = self.runs["search"]
        self._exact_logits = searching.logits({})
        return Candidate(
            mapping=self.problem.to_mapping(self.problem.exact), energy=1.0, area=1.0,
            search_right=int(searching.right({}).sum()), search_n=len(searching.labels),
            evaluation=0)

    def _calibrate(self, operands: Mapping[str, npt.NDArray[np.int16]]) -> Calibration | None:
        if not any(method.calibrated for method in self.options.methods):
            return None
        layers = self.network.layers
        power = (error_power(layers, operands, self._multipliers) if self.compensated is None
                 else self.compensated.error_power())
        with task("calibrating", len(layers) + 1, quiet=self.options.quiet) as progress:
            return calibrate(self.problem, layers, power, self.runs["calibrate"],
                             images=self._share, seed=self.options.seed, progress=progress)

    def _study(self) -> Float:
        with task("every multiplier in every layer alone", len(self.network.layers),
                  quiet=self.options.quiet) as progress:
            return study(self.network.layers, list(self._multipliers), self.runs["calibrate"],
                         kept=self.store, progress=progress)

    # --- methods --------------------------------------------------------------------------

    @property
    def damage(self) -> Damage | None:
        """What calibrated methods are told."""
        if self.calibration is None or self.halves is None:
            return None if self.calibration is None else self.calibration.damage
        predicted = self.calibration.damage
        return Damage(alone=shrunk(self.halves, predicted.alone),
                      interaction=predicted.interaction)

    def charge(self, method: Method) -> float:
        """Return the evaluations that preparing for a method took."""
        compensating = self._share * (self.compensated.passes if self.compensated else 0)
        if not method.calibrated or self.calibration is None:
            return compensating
        studying = study_charge(self.network.layers, len(self._multipliers), self._share)
        return compensating + self.calibration.charge + (studying if self.options.study else 0)

    def _measure(self, mappings: Sequence[Mapping[str, str]]) -> list[Measured]:
        started = time.perf_counter()
        searching = self.runs["search"]
        searching.prepare(mappings)
        found = [searching.logits(mapping) for mapping in mappings]
        seconds = (time.perf_counter() - started) / len(mappings)
        exact = self._exact_logits.argmax(axis=1) == searching.labels
        right = [logits.argmax(axis=1) == searching.labels for logits in found]
        return [Measured(right=int(kept.sum()), lost=int((exact & ~kept).sum()), seconds=seconds,
                         damage=relative_damage(logits, self._exact_logits))
                for kept, logits in zip(right, found, strict=True)]

    def search(self, certification: Certification) -> list[MethodResult]:
        """Run all methods and certify what they found."""
        found, options = [], self.options
        least = self.charge(options.methods[-1]) + 1
        if options.budget < least:
            raise InputError(f"Budget must be at least {math.ceil(least)} for method "
                             f"{options.method}, compensation and calibration included, "
                             f"not {options.budget}")
        for method in options.methods:
            charge = self.charge(method)
            evaluations = max(0, int(options.budget - charge))
            with task(f"searching by {method.name}", evaluations, quiet=options.quiet) as progress:
                found.append(run_method(
                    method, SearchTask(
                        problem=self.problem, needed=self.needed, images=self.exact.search_n,
                        evaluations=evaluations, seed=options.seed,
                        damage=self.damage if method.calibrated else None,
                        hopeless=self.calibration.hopeless if self.calibration else math.inf,
                        constraint=options.constraint),
                    self.oracle, charge=charge, progress=progress))
        with task("certifying on held-out images", len(found), quiet=options.quiet) as progress:
            results = []
            for result in found:
                results.append(certification.of(
                    result, self.needed, self._measured, chosen=result.method == options.method))
                progress.advance(note=result.method)
        return results

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
        return {} if self.calibration is None else self.by_name(self.calibration.damage.alone)

    def layer_facts(self) -> list[LayerFacts]:
        """Return the mapped layers for the report."""
        return [LayerFacts(**{item.name: getattr(layer, item.name) for item in fields(LayerFacts)})
                for layer in self.network.layers]

    def calibration_facts(self, methods: Sequence[MethodResult]) -> CalibrationFacts | None:
        """Return how well predictions ranked, on random designs and on those searched."""
        damage = self.damage
        if self.calibration is None or damage is None:
            return None
        designs = sorted({self.problem.from_mapping(candidate.mapping)
                          for method in methods for candidate in method.history})
        measured = self.oracle.measure(designs)
        return CalibrationFacts(
            additive=_number(self.calibration.additive),
            pairwise=_number(self.calibration.pairwise),
            pairs_used=damage.interaction is not None, studied=self.halves is not None,
            searched=_number(rank_correlation([damage.of(design) for design in designs],
                                              [answer.damage for answer in measured])),
            searched_designs=len(designs), charge=self.calibration.charge)

    def compensation_facts(self, candidate: Candidate) -> CompensationFacts | None:
        """Return what compensation does for a design, measured on the search split."""
        if self.compensated is None:
            return None
        plain, searching = self._split("search", None), self.runs["search"]
        kept = [fit for row in self.compensated.fits.values() for fit in row.values()]
        return CompensationFacts(
            kind=self.compensated.kind, passes=self.compensated.passes,
            charge=self._share * self.compensated.passes,
            corrected=sum(fit.correction is not None for fit in kept), pairs=len(kept),
            layers={name: self.compensated.fits[name][used].kept
                    for name, used in candidate.mapping.items()},
            right=int(searching.right(candidate.mapping).sum()),
            plain_right=int(plain.right(candidate.mapping).sum()),
            damage=relative_damage(searching.logits(candidate.mapping), self._exact_logits),
            plain_damage=relative_damage(plain.logits(candidate.mapping), self._exact_logits))

    def constants(self, candidate: Candidate) -> dict[str, dict[str, Any]]:
        """Return the constants that a design carries, JSON-ready."""
        if self.compensated is None:
            return {}
        return {layer: correction.to_dict() for layer, correction
                in self.compensated.corrections(candidate.mapping).items()}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
