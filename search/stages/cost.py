"""Cost: energy, area and delay of every array on every layer, the costs of the search problem.

Nothing here is synthesised: mapped PEs are given, and their energy is that of the operands which
the searched network really streams.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.progress import Task
from hw.machine.design import BankConfig
from hw.multipliers import EXACT
from hw.multipliers.metrics import error_metrics
from hw.ppa import (
    MappedPe,
    StreamEnergy,
    array_cost,
    draw_cycles,
    layer_energy,
    stream_energies,
)
from search.problem.space import Limits, Problem
from search.report.record import MultiplierFacts
from search.stages.records import Compensated, Costs, Inputs, Quantised
from search.stages.watched import Watch
from sim.accuracy.evaluator import Constants
from sim.network.layer import MappedLayer

STREAM_IMAGES = 32  # whose operands are sampled for energy and histograms
LANES = 4096  # sampled PE-cycles per (layer, multiplier)
Energies = Callable[..., list[StreamEnergy]]


def cost(networks: Sequence[Quantised], fits: Sequence[Compensated | None], inputs: Inputs,
         limits: Limits, *, batch: int, seed: int, watch: Watch,
         energies: Energies = stream_energies) -> Costs:
    """Return the costs of a round of the workload: of each array in each layer.

    The other parameters are those of `measure_costs`.
    """
    found = watch.each(
        "energy of every array on every layer", [len(inputs.pes)] * len(networks),
        lambda one, fitted, progress: measure_costs(
            one.network.layers, operands(one), inputs.pes, reference=EXACT, bank=inputs.bank,
            batch=batch, limits=limits, seed=seed, constants=fitted, energies=energies,
            progress=progress), networks, fits)
    return join_costs({one.prefix: own for one, own in zip(networks, found, strict=True)},
                      [one.source.inferences for one in networks])


def operands(network: Quantised) -> dict[str, npt.NDArray[np.int16]]:
    """Return what enters the arrays in each layer, sampled: int16[groups, m, k]."""
    return network.network.layer_operands(network.splits.calibrate.images[:STREAM_IMAGES])


def join_costs(networks: Mapping[str, Costs], inferences: Sequence[int]) -> Costs:
    """Return the costs of a round of the workload: every network as often as it runs.

    networks : by the prefix of their layers; multipliers and limits are the same in all.
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
                  pes: Mapping[str, MappedPe], *, reference: str, bank: BankConfig, batch: int,
                  limits: Limits, seed: int, constants: Constants | None = None,
                  energies: Energies = stream_energies, progress: Task | None = None) -> Costs:
    """Return the costs of every (layer, multiplier).

    operands : layer -> int16[groups, m, k], activations in streaming order. pes : by multiplier,
    the columns of the problem in order; `reference` is one of them. bank : rows, columns and
    partial-sum width. batch : images per weight loading. seed : of the sampled PE-cycles, the same
    for all multipliers. constants : what each layer has on each multiplier: with other weights an
    array spends other energy. energies : as `hw.ppa.stream_energies`, which may keep what it
    measures. progress : advanced once per multiplier.
    """
    drawn = [draw_cycles(operands[layer.name], layer.weights.shape, rows=bank.rows,
                         cols=bank.cols, lanes=LANES, seed=seed) for layer in layers]
    own = [cycles.with_weights(layer.weights) for cycles, layer in zip(drawn, layers, strict=True)]
    n, k = len(layers), len(pes)
    dynamic, cycles = np.zeros((n, k)), np.zeros(n)
    area, leakage, delay = np.zeros(k), np.zeros(k), np.zeros(k)
    facts = []

    def measure(pe: MappedPe) -> list[StreamEnergy]:
        samples = []
        for layer, cycles, stream in zip(layers, drawn, own, strict=True):
            built = layer if constants is None else constants(layer, pe.multiplier.name)
            samples.append(stream if built.weights is layer.weights
                           else cycles.with_weights(built.weights))
        return energies(pe, samples)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        measured = threads.map(measure, pes.values())
        for column, (pe, streams) in enumerate(zip(pes.values(), measured, strict=True)):
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
                pe, energy_fj=np.average([one.mean_fj for one in streams], weights=pe_cycles),
                multiplier_fj=np.average([one.multiplier_fj for one in streams],
                                         weights=pe_cycles)))
            if progress is not None:
                progress.advance(note=pe.multiplier.name)
    problem = Problem(
        layers=tuple(layer.name for layer in layers), multipliers=tuple(pes),
        reference=list(pes).index(reference), dynamic_pj=dynamic, cycles=cycles,
        leakage_uw=leakage, delay_ps=delay, area_um2=area, area_limit=limits.area_limit,
        max_arrays=limits.max_arrays, keep_exact=limits.keep_exact)
    return Costs(problem=problem, facts=tuple(facts), pe_cycles=float(sum(pe_cycles)))


def _facts(pe: MappedPe, *, energy_fj: np.floating[Any], multiplier_fj: np.floating[Any]
           ) -> MultiplierFacts:
    multiplier = pe.multiplier
    errors = error_metrics(multiplier.table, signed=multiplier.signed)
    return MultiplierFacts(
        name=multiplier.name, family=multiplier.family, digest=multiplier.digest,
        mae_percent=errors.mae_percent, wce_percent=errors.wce_percent,
        ep_percent=errors.ep_percent, mre_percent=errors.mre_percent,
        bias_percent=errors.bias_percent,
        pe_area_um2=pe.area_um2, multiplier_area_um2=pe.multiplier_area_um2,
        pe_delay_ps=pe.delay_ps, pe_energy_fj=float(energy_fj),
        multiplier_energy_fj=float(multiplier_fj))
