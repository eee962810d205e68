"""What stages hand on: frozen, each declared here once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hw.machine.design import BankConfig
from hw.multipliers import Multiplier
from hw.ppa import MappedPe
from hw.ppa.chip.levels import LevelEnergy
from search.measure.damage import Damage
from search.measure.designs import Measured, key
from search.measure.evaluation import corrected
from search.measure.metric import Kept
from search.problem.space import Problem
from search.problem.splits import Splits
from search.problem.workload import NetworkSource, own_layers
from search.report.breakdown import Breakdown
from search.report.record import (
    Candidate,
    Certificate,
    Figures,
    Judged,
    MethodResult,
    MultiplierFacts,
    Tally,
    least_energy,
)
from sim.compensation.correction import Correction
from sim.compensation.record import LayerFit
from sim.network.layer import MappedLayer
from sim.network.quant_network import QuantNetwork

Float = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Read: what arrays may be built from, and the images of each network of the workload.

    pes : by multiplier. exact_pes : the exact PE of each form that is stored and fits the bank, the
    bank's own first. offered : method -> columns of the multipliers that it chooses from.
    """

    bank: BankConfig
    multipliers: Mapping[str, Multiplier]
    pes: Mapping[str, MappedPe]
    exact_pes: Mapping[str, MappedPe]
    splits: tuple[Splits, ...]
    offered: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def offered_to(self, method: str) -> dict[str, Multiplier]:
        """Return the multipliers that a method chooses from."""
        known = list(self.multipliers.items())
        return dict(known[column] for column in self.offered[method])


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantised:
    """A network of the workload with its images; prefix : of its layers among those of all."""

    source: NetworkSource
    prefix: str
    network: QuantNetwork
    splits: Splits

    @property
    def layers(self) -> tuple[str, ...]:
        """The names that its layers have in mappings."""
        return tuple(self.prefix + layer.name for layer in self.network.layers)


@dataclass(frozen=True, kw_only=True)
class Charges:
    """Evaluations that each preparation takes; a study is part of calibrating."""

    compensation: float
    calibration: float
    study: float

    def of(self, *, calibrated: bool) -> float:
        """Return what a method has to bear."""
        return self.compensation + (self.calibration + self.study if calibrated else 0)

    def left(self, budget: float, *, calibrated: bool) -> int:
        """Return the designs that a method may still measure."""
        return max(0, int(budget - self.of(calibrated=calibrated)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Compensated:
    """The fit of every (layer, multiplier) of one network.

    kind : one of `search.measure.fit_kinds.KINDS`. fits : layer -> multiplier -> what was fitted.
    passes : over the calibration images that the fits took. refits : designs of this network, by
    `search.measure.designs.key`, that have fits of their own: layer -> fit. refit_passes : over
    the calibration images that finding those took.
    """

    kind: str
    fits: Mapping[str, Mapping[str, LayerFit]]
    passes: float
    refits: Mapping[str, Mapping[str, LayerFit]] = field(default_factory=dict, repr=False)
    refit_passes: float = 0.0

    def __call__(self, layer: MappedLayer, multiplier: str) -> MappedLayer:
        """Return a layer with the constants it has on an array of this multiplier."""
        return corrected(layer, self.fits[layer.name][multiplier].correction)

    def error_power(self) -> Float:
        """Return the mean squared error of the output that is left, float64[N, K]."""
        return np.array([[fit.error for fit in row.values()] for row in self.fits.values()])

    def of(self, mapping: Mapping[str, str]) -> Mapping[str, LayerFit]:
        """Return the fit of each layer under a mapping."""
        return self.refits.get(key(mapping)) or {
            layer: self.fits[layer][name] for layer, name in mapping.items()}

    def has_own(self, mapping: Mapping[str, str]) -> bool:
        """Return whether a design has fits of its own."""
        return key(mapping) in self.refits

    def corrections(self, mapping: Mapping[str, str]) -> dict[str, Correction]:
        """Return the constants of the layers that a mapping changes."""
        return {layer: fit.correction for layer, fit in self.of(mapping).items()
                if fit.correction is not None}


def refitted(networks: Sequence[Quantised], fits: Sequence[Compensated | None],
             mapping: Mapping[str, str]) -> bool:
    """Return whether a design has fits of its own in any network."""
    return any(own is not None and own.has_own(own_layers(one.prefix, mapping))
               for one, own in zip(networks, fits, strict=True))


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The exact arrays that keep up with the bank's clock; figures are relative to the least.

    forms : form of the PEs -> figures, the bank's own exact array first. levels : of each network,
    the energies of every layer on the array of least energy; breakdown : of these.
    """

    forms: Mapping[str, Figures]
    levels: Sequence[Sequence[LevelEnergy]]
    breakdown: Breakdown

    @property
    def own(self) -> str:
        """The form of PEs of the bank's own exact array."""
        return next(iter(self.forms))

    @property
    def other(self) -> Figures | None:
        """Of the array that figures are relative to, None where it is the bank's own exact one."""
        least = least_energy(self.forms)
        return None if least == self.own else self.forms[least]


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """Energy of every layer on every array by part, per inference or round of the workload.

    pj : part (`hw.ppa.chip.parts`) -> float64[N, K], as if the array stood alone.
    half_width_pj : float64[N, K], of the array, from sampling operands. narrower_pj : part ->
    float64[N, K], what an array that reads fewer bits saves in the layer `writers[i]` before it,
    -1 for none. cycles : float64[N], of the accelerator. control : energy of control for a unit
    of all else on the chip.
    """

    pj: Mapping[str, Float]
    half_width_pj: Float
    narrower_pj: Mapping[str, Float]
    writers: npt.NDArray[np.int64]
    cycles: Float
    control: float


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The problem at every level, and the figures of its multipliers for the report.

    levels : level (`hw.ppa.chip.levels.LEVELS`) -> the problem with its energies. objective : the
    level that is minimised. pe_cycles : PE-cycles of one inference, over which energies of the
    facts are averaged. cycles : of the accelerator, the same whatever the mapping. parts : what the
    levels are made of.
    """

    objective: str
    levels: Mapping[str, Problem]
    facts: tuple[MultiplierFacts, ...]
    pe_cycles: float
    cycles: float
    parts: Parts

    def relative_to(self, baseline: Figures) -> Costs:
        """Return the costs with energies and areas relative to another exact array."""
        return replace(self, levels={level: replace(
            problem, baseline_pj=1e3 * baseline.energy_nj[level],
            baseline_um2=baseline.area_um2) for level, problem in self.levels.items()})

    @property
    def problem(self) -> Problem:
        """What is searched."""
        return self.levels[self.objective]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """The exact network on its search images, which every design is compared with.

    logits : float32[n, classes]; spread : their variance. right : of each part of the metric,
    bool[n] or scores.
    float_right : of the float network, summed; empty where none was given. doubt : why it may know
    nothing of these images, empty where it does.
    """

    logits: npt.NDArray[np.float32]
    spread: float
    right: Sequence[Kept]
    float_right: tuple[Tally, ...]
    doubt: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """The damage predicted of one network, with pairs of layers where that ranks better.

    additive, pairwise : Spearman's correlation of predicted and measured damage over random
    designs, without and with pairs of layers; nan when the designs do not differ. hopeless : the
    least damage from which on no measured design classified as many images correctly as the exact
    network; infinity when even the worst one did.
    """

    damage: Damage
    additive: float
    pairwise: float
    hopeless: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What is known of the accuracy of all networks before any design is measured.

    damage : what calibrated methods are told, None where there are none. alone : float64[N, K], of
    every multiplier in every layer alone, for the report: measured where it was studied.
    hopeless : damage from which on no design that calibration measured kept the accuracy.
    """

    calibrations: tuple[Calibration, ...] = ()
    damage: Damage | None = None
    alone: Float | None = None
    studied: bool = False
    hopeless: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What one method found; answers : what was measured of each design of its history."""

    result: MethodResult
    answers: Sequence[Measured]


class Pooled(NamedTuple):
    """A design that was measured; methods : that asked for it."""

    design: Candidate
    answer: Measured
    methods: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to certify, in which order, by the search split alone.

    expected : mean relative energy that it would leave. best : the design of most saving times
    chance, None where none counts; chance : of it.
    """

    sequence: Sequence[Judged]
    expected: float
    best: Candidate | None
    chance: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the certify split allows.

    judged : the whole order. kept : handed over.
    certificates : of `kept`, of each claim.
    """

    judged: Sequence[Judged]
    kept: Candidate
    certificates: tuple[Certificate, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """All that the stages of a run handed on.

    charges : of each method. fits : None for a network without any. metric : its parts. searched :
    of each method, the chosen one last; offers : what each would hand over. single : what designs
    of one array would. expected : mean energy that the plan would leave. margins : of each claim.
    compared : the kept design on the search splits, as it is and where layers keep their own
    constants; None where they do. refits : designs that were fitted once more, and refit_seconds,
    the time that it took.
    """

    networks: Sequence[Quantised]
    charges: Mapping[str, Charges]
    fits: Sequence[Compensated | None]
    costs: Costs
    baseline: Baseline
    metric: Sequence[str]
    references: Sequence[Reference]
    exact: Candidate
    predictions: Predictions
    searched: Sequence[Searched]
    offers: Sequence[Plan]
    single: Plan
    expected: float
    verdict: Verdict
    margins: Sequence[float]
    compared: tuple[Measured, Measured] | None
    refits: int = 0
    refit_seconds: float = 0.0

    @property
    def chosen(self) -> str:
        """The run's own method."""
        return self.searched[-1].result.method

    @property
    def own_mappings(self) -> list[dict[str, str]]:
        """The mapping of the kept design for each network, by its own layers' names."""
        return [own_layers(one.prefix, self.verdict.kept.mapping) for one in self.networks]
