"""What stages hand on: frozen, each declared here once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hw.machine.design import BankConfig
from hw.multipliers import Multiplier
from hw.ppa import MappedPe
from search.measure.damage import Damage
from search.measure.designs import Measured
from search.problem.space import Problem
from search.problem.splits import Splits
from search.problem.workload import NetworkSource, own_layers
from search.report.record import Candidate, ExactForm, MethodResult, MultiplierFacts
from sim.compensation import Correction, LayerFit
from sim.network.layer import MappedLayer
from sim.network.quant_network import QuantNetwork

Float = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Read: what arrays may be built from, and the images of each network of the workload.

    exact_pes : the exact PE of each form that is stored and fits the bank, the bank's first.
    offered : method -> columns of the multipliers that it chooses from.
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
    """The fit of every (layer, multiplier) of one network; `Constants` of evaluators.

    kind : one of `search.measure.layer_fits.KINDS`. fits : layer -> multiplier -> what was fitted.
    passes : over the calibration images that the fits took.
    """

    kind: str
    fits: Mapping[str, Mapping[str, LayerFit]]
    passes: float
    _layers: dict[tuple[str, str], MappedLayer] = field(default_factory=dict, repr=False)

    def __call__(self, layer: MappedLayer, multiplier: str) -> MappedLayer:
        """Return a layer with the constants it has on an array of this multiplier."""
        correction = self.fits[layer.name][multiplier].correction
        if correction is None:
            return layer
        identity = layer.name, multiplier
        if identity not in self._layers:
            self._layers[identity] = correction.apply(layer)
        return self._layers[identity]

    def error_power(self) -> Float:
        """Return the mean squared error of the output that is left, float64[N, K]."""
        return np.array([[fit.error for fit in row.values()] for row in self.fits.values()])

    def corrections(self, mapping: Mapping[str, str]) -> dict[str, Correction]:
        """Return the constants of the layers that a mapping changes."""
        found = {layer: self.fits[layer][name].correction for layer, name in mapping.items()}
        return {layer: correction for layer, correction in found.items() if correction is not None}


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The problem at every level, and the figures of its multipliers for the report.

    levels : level (`hw.ppa.chip.levels.LEVELS`) -> the problem with its energies. objective : the
    level that is minimised. pe_cycles : PE-cycles of one inference, over which energies of the
    facts are averaged. cycles : of the accelerator, the same whatever the mapping.
    """

    objective: str
    levels: Mapping[str, Problem]
    facts: tuple[MultiplierFacts, ...]
    pe_cycles: float
    cycles: float

    @property
    def problem(self) -> Problem:
        """What is searched."""
        return self.levels[self.objective]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """The exact network on its search images, which every design is compared with.

    logits : float32[n, classes]. right : bool[n]. doubt : why it may know nothing of these
    images, empty where it does.
    """

    logits: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """All that the stages of a run handed on.

    charges : of each method. fits : None for a network without any. methods : certified, the
    chosen one last. margins : of each network's certificates. compared : the kept design on the
    search splits, as it is and where layers keep their own constants; None where they do.
    """

    networks: Sequence[Quantised]
    charges: Mapping[str, Charges]
    fits: Sequence[Compensated | None]
    costs: Costs
    exact_forms: Sequence[ExactForm]
    references: Sequence[Reference]
    exact: Candidate
    predictions: Predictions
    searched: Sequence[Searched]
    methods: Sequence[MethodResult]
    margins: Sequence[float]
    compared: tuple[Measured, Measured] | None

    @property
    def chosen(self) -> str:
        """The run's own method."""
        return self.methods[-1].method

    @property
    def best(self) -> Candidate:
        """The design that is kept, of the last method: the exact one where none was found."""
        return self.methods[-1].best or self.exact

    @property
    def own_mappings(self) -> list[dict[str, str]]:
        """The mapping of the kept design for each network, by its own layers' names."""
        return [own_layers(one.prefix, self.best.mapping) for one in self.networks]
