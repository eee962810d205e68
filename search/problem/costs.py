"""Energy, area and delay of every array on every layer: the costs of the search problem.

Nothing here is synthesised: mapped PEs come from the store of `hw.ppa`, and their energy is
that of the operands which the searched network really streams.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.machine.design import BankConfig
from hw.multipliers import Multiplier
from hw.multipliers.metrics import error_metrics
from hw.ppa import (
    MappedPe,
    StreamEnergy,
    array_cost,
    draw_cycles,
    layer_energy,
    load_pe,
    stream_energies,
)
from search.methods.base import Counter
from search.problem.space import Problem
from search.report.record import MultiplierFacts
from sim.accuracy.evaluator import Constants
from sim.network.layer import MappedLayer

LANES = 4096  # sampled PE-cycles per (layer, multiplier)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the user allows: see `search.problem.space.Problem`."""

    area_limit: float = 4.0
    max_arrays: int = 3
    keep_exact: bool = False


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The problem, and the figures of its multipliers for the report.

    pe_cycles : PE-cycles of one inference, over which energies of the facts are averaged.
    """

    problem: Problem
    facts: tuple[MultiplierFacts, ...]
    pe_cycles: float


def join_costs(networks: Mapping[str, Costs], inferences: Sequence[int]) -> Costs:
    """Return the costs of a round of the workload: every network as often as it runs.

    Parameters
    ----------
    networks : mapping of str to Costs
        In front of each network's layers, its prefix; multipliers and limits are the same in all.
    inferences : sequence of int
        How often each network runs in a round.
    """
    costs, times = list(networks.values()), np.array(inferences, float)
    problems = [one.problem for one in costs]
    pe_cycles = times * [one.pe_cycles for one in costs]
    starts = np.cumsum([0, *(len(problem.layers) for problem in problems)])[:-1]

    def mean(values: Sequence[float]) -> float:
        return float(np.average(values, weights=pe_cycles))

    return Costs(
        pe_cycles=float(pe_cycles.sum()),
        problem=replace(
            problems[0], starts=tuple(starts.tolist()),
            layers=tuple(prefix + layer for prefix, problem
                         in zip(networks, problems, strict=True) for layer in problem.layers),
            dynamic_pj=np.concatenate([count * problem.dynamic_pj for count, problem
                                       in zip(times, problems, strict=True)]),
            cycles=np.concatenate([count * problem.cycles for count, problem
                                   in zip(times, problems, strict=True)])),
        facts=tuple(replace(
            same[0], pe_energy_fj=mean([facts.pe_energy_fj for facts in same]),
            multiplier_energy_fj=mean([facts.multiplier_energy_fj for facts in same]))
            for same in zip(*(one.facts for one in costs), strict=True)))


def measure_costs(layers: Sequence[MappedLayer], operands: Mapping[str, npt.NDArray[np.int16]],
                  multipliers: Mapping[str, Multiplier], *, reference: str, bank: BankConfig,
                  batch: int, limits: Limits, seed: int, constants: Constants | None = None,
                  pes: Mapping[str, MappedPe] | None = None, folder: Path | None = None,
                  progress: Counter | None = None) -> Costs:
    """Return the costs of every (layer, multiplier).

    Parameters
    ----------
    layers : sequence of MappedLayer
    operands : mapping of layer name to int16[groups, m, k]
        Activations as they enter the array, in streaming order.
    multipliers : mapping of str to Multiplier
        The columns of the problem, in order; `reference` is one of them.
    bank : BankConfig
        Rows, columns and partial-sum width; its `arrays` are not used.
    batch : int
        Images per weight loading.
    seed : int
        Of the sampled PE-cycles, the same for all multipliers.
    constants : callable, optional
        What each layer has on each multiplier: with other weights an array spends other energy.
    pes : mapping of multiplier name to MappedPe, optional
        By default those that come with the project.
    folder : Path, optional
        Where energies are kept from one run to the next, as by `hw.ppa.energy.pe_energies`.
    progress : Counter, optional
        Advanced once per multiplier.

    Raises
    ------
    ToolError
        A multiplier has no stored synthesis result.
    """
    drawn = [draw_cycles(operands[layer.name], layer.weights.shape, rows=bank.rows,
                         cols=bank.cols, lanes=LANES, seed=seed) for layer in layers]
    own = [cycles.with_weights(layer.weights) for cycles, layer in zip(drawn, layers, strict=True)]
    n, k = len(layers), len(multipliers)
    dynamic, cycles = np.zeros((n, k)), np.zeros(n)
    area, leakage, delay = np.zeros(k), np.zeros(k), np.zeros(k)
    facts = []

    def measure(multiplier: Multiplier) -> tuple[MappedPe, list[StreamEnergy]]:
        pe = load_pe(multiplier, bank.psum_width) if pes is None else pes[multiplier.name]
        samples = []
        for layer, cycles, stream in zip(layers, drawn, own, strict=True):
            built = layer if constants is None else constants(layer, multiplier.name)
            samples.append(stream if built.weights is layer.weights
                           else cycles.with_weights(built.weights))
        return pe, stream_energies(pe, samples, folder)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for column, (pe, streams) in enumerate(threads.map(measure, multipliers.values())):
            array = array_cost(pe, rows=bank.rows, cols=bank.cols)
            area[column], delay[column] = array.area_um2, array.delay_ps
            leakage[column] = array.leakage_nw * 1e-3
            spent = [layer_energy(pe, stream, layer, bank, batch=batch, clock_ps=pe.delay_ps)
                     for layer, stream in zip(layers, streams, strict=True)]
            dynamic[:, column] = [1e3 * (one.data_nj + one.weights_nj + one.clock_nj)
                                  for one in spent]
            cycles[:] = [one.cycles for one in spent]
            pe_cycles = [one.pe_cycles for one in spent]
            facts.append(_facts(
                pe.multiplier, pe,
                energy_fj=np.average([one.mean_fj for one in streams], weights=pe_cycles),
                multiplier_fj=np.average([one.multiplier_fj for one in streams],
                                         weights=pe_cycles)))
            if progress is not None:
                progress.advance(note=pe.multiplier.name)
    problem = Problem(
        layers=tuple(layer.name for layer in layers), multipliers=tuple(multipliers),
        reference=list(multipliers).index(reference), dynamic_pj=dynamic, cycles=cycles,
        leakage_uw=leakage, delay_ps=delay, area_um2=area, area_limit=limits.area_limit,
        max_arrays=limits.max_arrays, keep_exact=limits.keep_exact)
    return Costs(problem=problem, facts=tuple(facts), pe_cycles=float(sum(pe_cycles)))


def _facts(multiplier: Multiplier, pe: MappedPe, *, energy_fj: np.floating[Any],
           multiplier_fj: np.floating[Any]) -> MultiplierFacts:
    errors = error_metrics(multiplier.table, signed=multiplier.signed)
    return MultiplierFacts(
        name=multiplier.name, family=multiplier.family, digest=multiplier.digest,
        mae_percent=errors.mae_percent, wce_percent=errors.wce_percent,
        ep_percent=errors.ep_percent, mre_percent=errors.mre_percent,
        bias_percent=errors.bias_percent,
        pe_area_um2=pe.area_um2, multiplier_area_um2=pe.multiplier_area_um2,
        pe_delay_ps=pe.delay_ps, pe_energy_fj=float(energy_fj),
        multiplier_energy_fj=float(multiplier_fj))
