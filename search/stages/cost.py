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
from hw.multipliers.precision import in_words
from hw.ppa import (
    MappedPe,
    StreamEnergy,
    array_cost,
    draw_cycles,
    idle_array_fj,
    stream_energies,
)
from hw.ppa.chip.blocks import (
    DEFAULT_PRESET,
    ChipPreset,
    narrow_results_nj,
    narrow_traffic_nj,
)
from hw.ppa.chip.levels import LevelEnergy, level_energies
from hw.ppa.chip.parts import DRAM, OUTPUT_BUFFER, half_width_nj, layer_parts
from hw.ppa.chip.workload import layer_work
from hw.ppa.energy.operand_sample import PeCycles
from hw.ppa.mapping.stored_pes import clock_period_ps
from search.measure.energies import Energies
from search.measure.watched import Watch
from search.problem.space import Limits, Problem
from search.report.record import MultiplierFacts
from search.stages.records import Baseline, Compensated, Costs, Inputs, Parts, Quantised
from sim.accuracy.evaluator import Constants
from sim.network.layer import MappedLayer
from sim.network.sampled_operands import IMAGES, sampled_layers, sampled_operands

Operands = Mapping[str, npt.NDArray[np.int16]]  # of each layer, [groups, m, k]


def cost(networks: Sequence[Quantised], streams: Sequence[Operands],
         fits: Sequence[Compensated | None], inputs: Inputs, baseline: Baseline, limits: Limits, *,
         batch: int, objective: str, chip: ChipPreset, watch: Watch,
         energies: Energies = stream_energies, threads: int | None = None) -> Costs:
    """Return the costs of a round of the workload: of each array in each layer.

    streams : of each network, `operands`. baseline : what energies and areas are relative to.
    objective : the level whose energy is minimised. The others are those of `measure_costs`.
    """
    found = watch.each(
        "energy of every array on every layer", [len(inputs.pes)] * len(networks),
        lambda one, acts, fitted, exact, progress: measure_costs(
            one.network.layers, acts, inputs.pes, reference=EXACT, bank=inputs.bank,
            batch=batch, limits=limits, objective=objective, chip=chip, exact=exact,
            constants=fitted, energies=energies, threads=threads, progress=progress),
        networks, streams, fits, baseline.levels)
    joined = join_costs({one.prefix: own for one, own in zip(networks, found, strict=True)},
                        [one.source.inferences for one in networks])
    return joined if baseline.other is None else joined.relative_to(baseline.other)


def operands(network: Quantised) -> Operands:
    """Return what enters the arrays in each layer, sampled."""
    return sampled_operands(network.network, network.splits.calibrate.images[:IMAGES])


def draw(layers: Sequence[MappedLayer], operands: Operands,
         bank: BankConfig) -> list[PeCycles]:
    """Return the PE-cycles of each layer whose energy is measured, for any weights."""
    return [draw_cycles(operands[layer.name], layer.weights.shape, rows=bank.rows, cols=bank.cols,
                        dataflow=bank.dataflow, psum_start=bank.psum_start) for layer in layers]


def join_costs(networks: Mapping[str, Costs], inferences: Sequence[int]) -> Costs:
    """Return the costs of a round of the workload: every network as often as it runs.

    networks : by the prefix of their layers; multipliers and limits are the same in all.
    """
    costs, times = list(networks.values()), np.array(inferences, float)
    pe_cycles = times * [one.pe_cycles for one in costs]
    starts = np.cumsum([0, *(len(one.problem.layers) for one in costs)])[:-1]

    def mean(values: Sequence[float]) -> float:
        return float(np.average(values, weights=pe_cycles))

    def joined(problems: Sequence[Problem]) -> Problem:
        return replace(
            problems[0], starts=tuple(starts.tolist()),
            layers=tuple(prefix + layer for prefix, problem
                         in zip(networks, problems, strict=True) for layer in problem.layers),
            dynamic_pj=np.concatenate([count * problem.dynamic_pj for count, problem
                                       in zip(times, problems, strict=True)]),
            cycles=np.concatenate([count * problem.cycles for count, problem
                                   in zip(times, problems, strict=True)]))

    return Costs(
        objective=costs[0].objective, pe_cycles=float(pe_cycles.sum()),
        cycles=float(times @ [one.cycles for one in costs]),
        parts=join_parts([one.parts for one in costs], inferences),
        levels={level: joined([one.levels[level] for one in costs]) for level in costs[0].levels},
        facts=tuple(replace(
            same[0], pe_energy_fj=mean([facts.pe_energy_fj for facts in same]),
            multiplier_energy_fj=mean([facts.multiplier_energy_fj for facts in same]))
            for same in zip(*(one.facts for one in costs), strict=True)))


def join_parts(networks: Sequence[Parts], inferences: Sequence[int]) -> Parts:
    """Return the parts of a round of the workload; layers follow each other."""
    starts = np.cumsum([0, *(len(one.cycles) for one in networks)])

    def joined(values: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
        return np.concatenate([count * value for count, value
                               in zip(inferences, values, strict=True)])

    return replace(
        networks[0], pj={name: joined([one.pj[name] for one in networks])
                         for name in networks[0].pj},
        half_width_pj=joined([one.half_width_pj for one in networks]),
        narrower_pj={name: joined([one.narrower_pj[name] for one in networks])
                     for name in networks[0].narrower_pj},
        cycles=joined([one.cycles for one in networks]),
        writers=np.concatenate([np.where(one.writers < 0, -1, one.writers + start)
                                for one, start in zip(networks, starts, strict=False)]))


def measure_costs(layers: Sequence[MappedLayer], operands: Operands,
                  pes: Mapping[str, MappedPe], *, reference: str, bank: BankConfig, batch: int,
                  limits: Limits, objective: str = "array", chip: ChipPreset = DEFAULT_PRESET,
                  exact: Sequence[LevelEnergy] | None = None,
                  constants: Constants | None = None, energies: Energies = stream_energies,
                  threads: int | None = None, progress: Task | None = None) -> Costs:
    """Return the costs of every (layer, multiplier), at every level.

    operands : layer -> int16[groups, m, k], activations in streaming order. pes : by multiplier,
    the columns of the problem in order; `reference` is one of them. bank : rows, columns and
    partial-sum width. batch : images per weight loading. objective : one of `LEVELS`. chip : what
    surrounds the arrays. exact : of the array that a preset's share is of, by default the
    reference. constants : what each layer has on each multiplier: with other weights an
    array spends other energy. energies : as `hw.ppa.stream_energies`, which may keep what it
    measures. threads : that ask for energies (default: all cores). progress : advanced once per
    multiplier.
    """
    layers = sampled_layers(layers, operands)
    drawn = draw(layers, operands, bank)
    own = [cycles.with_weights(layer.weights) for cycles, layer in zip(drawn, layers, strict=True)]

    def measure(pe: MappedPe) -> list[StreamEnergy]:
        samples = []
        for layer, cycles, stream in zip(layers, drawn, own, strict=True):
            built = layer if constants is None else constants(layer, pe.multiplier.name)
            samples.append(stream if built.weights is layer.weights
                           else cycles.with_weights(built.weights))
        return energies(pe, samples)

    streams = {}
    with ThreadPoolExecutor(min(threads or os.cpu_count() or 1, len(pes))) as pool:
        for name, found in zip(pes, pool.map(measure, pes.values()), strict=True):
            streams[name] = found
            if progress is not None:
                progress.advance(note=name)
    works = layer_work(layers, bank, batch=batch)
    own_exact = level_energies(
        pes[reference], streams[reference], layers, works, bank, batch=batch, preset=chip,
        clock_ps=clock_period_ps(pes[reference]), exact=exact)
    spent = [level_energies(pe, streams[name], layers, works, bank, batch=batch, preset=chip,
                            exact=exact or own_exact) for name, pe in pes.items()]
    # What a layer reads decides how wide the results of the layer before it are.
    writers = {layer.name: work for layer, work in zip(layers, works, strict=True)}
    narrow_pj, traffic_pj = (1e3 * np.array([[saved_nj(
        writers[layer.fed_by], bank, one.widths.act, batch=batch, preset=chip)
        if layer.fed_by else 0.0 for one in row]
        for layer, row in zip(layers, zip(*spent, strict=True), strict=True)])
        for saved_nj in (narrow_results_nj, narrow_traffic_nj))
    split = [[layer_parts(*both) for both in zip(column, streams[name], strict=True)]
             for name, column in zip(pes, spent, strict=True)]
    positions = {layer.name: index for index, layer in enumerate(layers)}
    pe_cycles = [one.array.pe_cycles for one in own_exact]
    arrays = [array_cost(pe, rows=bank.rows, cols=bank.cols) for pe in pes.values()]
    problem = Problem(
        layers=tuple(layer.name for layer in layers), multipliers=tuple(pes),
        reference=list(pes).index(reference), dynamic_pj=_dynamic_pj(
            spent, lambda one: one.array.total_nj - one.array.leakage_nj),
        cycles=np.array([one.array.cycles for one in own_exact]),
        leakage_uw=1e-3 * np.array([array.leakage_nw for array in arrays]),
        # The slowest unit sets the clock, array or not.
        delay_ps=np.array([clock_period_ps(pe) for pe in pes.values()]),
        area_um2=np.array([array.area_um2 for array in arrays]), area_limit=limits.area_limit,
        max_arrays=limits.max_arrays, keep_exact=limits.keep_exact,
        idle_fj=idle_array_fj(pes[reference].technology, bank) if limits.max_arrays > 1 else 0.0)
    return Costs(
        objective=objective, cycles=sum(one.chip.cycles for one in own_exact),
        pe_cycles=sum(pe_cycles), parts=Parts(
            pj={name: 1e3 * np.array([[one[name] for one in column] for column in split]).T
                for name in split[0][0]},
            half_width_pj=1e3 * np.array([
                [half_width_nj(*both) for both in zip(column, streams[name], strict=True)]
                for name, column in zip(pes, spent, strict=True)]).T,
            narrower_pj={OUTPUT_BUFFER: narrow_pj / chip.overhead, DRAM: traffic_pj},
            control=chip.overhead - 1,
            writers=np.array([positions[layer.fed_by] if layer.fed_by else -1
                              for layer in layers]),
            cycles=np.array([one.chip.cycles for one in own_exact])), levels={
            "multiplier": replace(problem, leakage_uw=np.zeros(len(pes)), idle_fj=0.0,
                                  dynamic_pj=_dynamic_pj(spent, lambda one: one.multiplier_nj)),
            "array": problem,
            # Control grows with all that is on the chip, leakage of the arrays included.
            "chip": replace(problem, leakage_uw=chip.overhead * problem.leakage_uw,
                            idle_fj=chip.overhead * problem.idle_fj,
                            dynamic_pj=_dynamic_pj(spent, lambda one: one.chip.chip_nj
                                                   - chip.overhead * one.array.leakage_nj)
                            - narrow_pj)},
        facts=tuple(_facts(
            pe, energy_fj=np.average([one.mean_fj for one in streams[name]], weights=pe_cycles),
            multiplier_fj=np.average([one.multiplier_fj for one in streams[name]],
                                     weights=pe_cycles)) for name, pe in pes.items()))


def _dynamic_pj(spent: Sequence[Sequence[LevelEnergy]],
                energy_nj: Callable[[LevelEnergy], float]) -> npt.NDArray[np.float64]:
    """Return an energy of every layer on every array, float64[N, K]."""
    return 1e3 * np.array([[energy_nj(one) for one in column] for column in spent]).T


def _facts(pe: MappedPe, *, energy_fj: np.floating[Any], multiplier_fj: np.floating[Any]
           ) -> MultiplierFacts:
    multiplier = pe.multiplier
    errors = error_metrics(multiplier.table, signed=multiplier.signed)
    return MultiplierFacts(
        name=multiplier.name, family=multiplier.family, words=in_words(multiplier),
        digest=multiplier.digest,
        mae_percent=errors.mae_percent, wce_percent=errors.wce_percent,
        ep_percent=errors.ep_percent, mre_percent=errors.mre_percent,
        bias_percent=errors.bias_percent,
        pe_area_um2=pe.area_um2 / pe.kind.multiplications,
        multiplier_area_um2=pe.multiplier_area_um2, pe_delay_ps=pe.delay_ps,
        pe_energy_fj=float(energy_fj) / pe.kind.multiplications,
        multiplier_energy_fj=float(multiplier_fj))
