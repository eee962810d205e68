"""Which multipliers a search considers by default: near the front of PE energy against error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hw.common.pareto import pareto_front
from hw.common.progress import task
from hw.multipliers import EXACT
from hw.multipliers.base import Multiplier
from hw.multipliers.evolution.objective import weighted_errors
from hw.multipliers.evolution.operands import typical
from hw.multipliers.metrics import error_metrics
from hw.ppa.energy.operand_sample import sample_operands
from hw.ppa.energy.stream_energy import sample_energy
from hw.ppa.mapping.stored_pes import load_pe
from hw.ppa.reports.pe_report import ROWS, SEED, relu_stream

SIZE = 36
LARGEST_MAE_PERCENT = 5.0
SMALLEST_PERCENT = 1e-4  # errors below count as this much: the axis is logarithmic
ERRORS = ("mae", "mre", "typical_rmse")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A multiplier to choose.

    Parameters
    ----------
    name : str
    energy_fj : float
        Of its PE per cycle, on the reference stream after ReLU.
    errors : mapping of str to float
        Percent, by the names of ERRORS.
    """

    name: str
    energy_fj: float
    errors: Mapping[str, float]


def candidates(multipliers: Sequence[Multiplier]) -> list[Candidate]:
    """Return those that a bank can use: 0 stays 0, cheaper than exact, not hopelessly wrong.

    Raises ToolError where a PE is not in the store.
    """
    sample = sample_operands(*relu_stream(), rows=ROWS, cols=ROWS, seed=SEED)
    probability = typical().probability()
    found: list[Candidate] = []
    with task("energy of PEs", len(multipliers)) as progress:
        for multiplier in multipliers:
            metrics = error_metrics(multiplier.table)
            energy = sample_energy(load_pe(multiplier), sample).mean_fj
            progress.advance(note=multiplier.name)
            if (metrics.keeps_zero and 0 < metrics.mae_percent <= LARGEST_MAE_PERCENT) \
                    or multiplier.name == EXACT:
                rmse = weighted_errors(multiplier.table, probability)["rmse"]
                found.append(Candidate(name=multiplier.name, energy_fj=energy, errors={
                    "mae": metrics.mae_percent, "mre": metrics.mre_percent,
                    "typical_rmse": rmse}))
    [exact] = [candidate for candidate in found if candidate.name == EXACT]
    return [exact, *(candidate for candidate in found if candidate.energy_fj < exact.energy_fj)]


def choose_bank(given: Sequence[Candidate], size: int = SIZE) -> list[str]:
    """Return the names of the bank, the exact multiplier first, then by energy, dearest first.

    For each error in turn the circuit is taken that is furthest, on the logarithmic axis, from
    those taken: of the Pareto front of PE energy against that error, then of the front of what is
    left.
    """
    taken = [candidate for candidate in given if candidate.name == EXACT]
    left = [candidate for candidate in given if candidate.name != EXACT]
    while left and len(taken) < size:
        for error in ERRORS:
            if left and len(taken) < size:
                chosen = _furthest(left, taken, error)
                taken.append(chosen)
                left.remove(chosen)
    exact, *others = taken
    return [exact.name, *(candidate.name for candidate in
                          sorted(others, key=lambda candidate: -candidate.energy_fj))]


def _furthest(left: Sequence[Candidate], taken: Sequence[Candidate], error: str) -> Candidate:
    points = [(candidate.errors[error], candidate.energy_fj) for candidate in left]
    places = [_place(candidate, error) for candidate in taken]
    return max((left[index] for index in pareto_front(points)),
               key=lambda candidate: (min(abs(_place(candidate, error) - place)
                                          for place in places), candidate.name))


def _place(candidate: Candidate, error: str) -> float:
    return math.log10(max(candidate.errors[error], SMALLEST_PERCENT))
