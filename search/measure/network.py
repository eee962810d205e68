"""One network of the workload: all that is measured of it and that no other network concerns."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.progress import task
from hw.machine.design import BankConfig
from hw.multipliers import EXACT, Multiplier
from hw.ppa import MappedPe
from hw.ppa.energy.pe_energies import DEFAULT_FOLDER as ENERGIES
from search.certify.accuracy import least_right
from search.measure.calibration import CHECKED_DESIGNS, Calibration, calibrate
from search.measure.compensation import NONE, Compensated, compensate
from search.measure.evaluation import SplitRuns, Workers
from search.measure.probes import relative_damage
from search.measure.stored_fits import DEFAULT_FOLDER as COMPENSATIONS
from search.measure.study import study
from search.options import Options
from search.problem.costs import Costs, Limits, measure_costs
from search.problem.error_power import error_power
from search.problem.inputs import NetworkInputs
from search.problem.space import Problem
from search.problem.workload import SPLITS
from search.report.record import LayerFacts
from search.trials.study_store import TrialStore
from sim.accuracy.doubt import REMEDY, doubt

STREAM_IMAGES = 32  # whose operands are sampled for energy and histograms

Float = npt.NDArray[np.float64]


class Prepared:
    """A network with its compensation, its runs on every split, and its costs.

    Mappings name layers as the workload does, `prefix` in front; those of others are passed over.
    """

    def __init__(self, inputs: NetworkInputs, options: Options, bank: BankConfig,
                 multipliers: Mapping[str, Multiplier], pes: Mapping[str, MappedPe]) -> None:
        self.prefix, self.network, self.splits = inputs.prefix, inputs.network, inputs.splits
        self.inferences = inputs.source.inferences
        self._options, self._source, self._multipliers = options, inputs.source, multipliers
        self._workers = Workers(self.network, os.cpu_count() or 1)
        self._operands = self.network.layer_operands(self.splits.calibrate.images[:STREAM_IMAGES])
        self.compensated = self._compensate()
        self.runs = {name: self._split(name, self.compensated) for name in SPLITS}
        self.costs = self._costs(bank, pes)
        self.exact_logits = self._search_exactly()
        self.exact_right = self.runs["search"].right({})
        self.doubt = self._doubt()
        self.needed = least_right(int(self.exact_right.sum()), len(self.exact_right),
                                  options.search_loss)

    def _called(self, what: str) -> str:
        return self._options.workload.called(what, self._source)

    def _split(self, name: str, compensated: Compensated | None) -> SplitRuns:
        return SplitRuns(self._workers, self._multipliers, getattr(self.splits, name),
                         name=self.splits.sources[name], constants=compensated,
                         prefix=self.prefix)

    def _search_exactly(self) -> npt.NDArray[np.float32]:
        runs = self.runs["search"]
        with task(self._called("exact network on the search images"), len(runs.labels),
                  quiet=self._options.quiet) as progress:
            return runs.logits({}, done=progress.advance)

    def _doubt(self) -> str:
        """Say so where the network knows nothing of the images: hours of search would be lost."""
        found = doubt(self.exact_logits.argmax(axis=1), self.runs["search"].labels,
                      self.exact_logits.shape[1], what="search images")
        if found:
            print(f"warning: {self._called('the exact network')} {found}: {REMEDY}",
                  file=sys.stderr)
        return found

    def _compensate(self) -> Compensated | None:
        if self._options.compensation == NONE:
            return None
        with task(self._called("compensating every multiplier in every layer"),
                  len(self.network.layers), quiet=self._options.quiet) as progress:
            return compensate(self.network, self.splits.calibrate.images, self._multipliers,
                              self._options.compensation, folder=COMPENSATIONS,
                              progress=progress)

    def _costs(self, bank: BankConfig, pes: Mapping[str, MappedPe]) -> Costs:
        options = self._options
        with task(self._called("energy of every array on every layer"), len(self._multipliers),
                  quiet=options.quiet) as progress:
            return measure_costs(
                self.network.layers, self._operands, self._multipliers, reference=EXACT,
                bank=bank, batch=options.batch, seed=options.seed, progress=progress,
                constants=self.compensated, folder=ENERGIES, pes=pes, limits=Limits(
                    area_limit=options.area_limit, max_arrays=options.max_arrays,
                    keep_exact=options.keep_exact))

    def calibrate(self, problem: Problem, store: TrialStore) -> Calibration:
        """Return the predictions; problem : that of this network alone.

        store : keeps what is measured for a run that is resumed.
        """
        layers = self.network.layers
        power = (error_power(layers, self._operands, self._multipliers)
                 if self.compensated is None else self.compensated.error_power())
        runs = self.runs["calibrate"]
        with task(self._called("calibrating every layer"),
                  (len(layers) + CHECKED_DESIGNS) * len(runs.labels),
                  quiet=self._options.quiet) as progress:
            return calibrate(problem, power, runs, seed=self._options.seed, notes=store,
                             name=f"{self.prefix}probes", done=progress.advance)

    def study(self, problem: Problem, store: TrialStore) -> Float:
        """Return the measured damage of each (layer, multiplier) alone, as `study.study`."""
        runs = self.runs["calibrate"]
        with task(self._called("every multiplier in every layer alone"),
                  len(problem.layers) * len(problem.multipliers) * len(runs.labels),
                  quiet=self._options.quiet) as progress:
            return study(problem.layers, problem.multipliers, runs, notes=store,
                         done=progress.advance)

    def measure(self, mappings: Sequence[Mapping[str, str]]) -> list[tuple[int, int, float]]:
        """Return (right, lost, damage) under each mapping on the search split."""
        searching = self.runs["search"]
        searching.prepare(mappings)
        found = []
        for mapping in mappings:
            logits = searching.logits(mapping)
            right = logits.argmax(axis=1) == searching.labels
            found.append((int(right.sum()), int((self.exact_right & ~right).sum()),
                          relative_damage(logits, self.exact_logits)))
        return found

    def without_compensation(self, mapping: Mapping[str, str]) -> tuple[int, float]:
        """Return (right, damage) on the search split where layers keep their own constants."""
        plain = self._split("search", None)
        return (int(plain.right(mapping).sum()),
                relative_damage(plain.logits(mapping), self.exact_logits))

    def own(self, mapping: Mapping[str, str]) -> dict[str, str]:
        """Return the mapping of this network's layers, by the names that they have in it."""
        return {layer.name: mapping[self.prefix + layer.name] for layer in self.network.layers}

    def constants(self, mapping: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        """Return the constants that a design carries for this network, JSON-ready."""
        if self.compensated is None:
            return {}
        return {self.prefix + layer: correction.to_dict() for layer, correction
                in self.compensated.corrections(self.own(mapping)).items()}

    def layer_facts(self) -> list[LayerFacts]:
        """Return the mapped layers for the report."""
        return [replace(LayerFacts(**{item.name: getattr(layer, item.name)
                                      for item in fields(LayerFacts)}),
                        name=self.prefix + layer.name) for layer in self.network.layers]
