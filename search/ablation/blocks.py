"""Finer routes: an array for each block of output columns, beside one for each layer.

A block is a column tile of the bank. Its channels are the most sensitive ones, then the next, so
that harmless ones share blocks; where results are written their order is restored. The blocks of a
layer stream the same activations, so each takes an equal share of the layer's energy. A ROUTE
between them costs what the cycle model says: the pipeline drains, and the next tile's weights are
not loaded ahead. Beside both stands an array for each channel, which nothing can build: what is
left to gain.

Damage is predicted by channel: the mean squared error of its output times the gain that a probe of
this channel alone finds, scaled so that the channels of a layer add up to the damage of the layer.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.machine.compiler import BATCH, Program, compile_program
from hw.machine.cycles import accelerator_cycles
from hw.machine.design import BankConfig
from hw.machine.isa import Instruction, Opcode
from hw.machine.pe import DENSE
from hw.multipliers import EXACT, get
from hw.ppa import load_pe
from hw.ppa.chip.workload import exact_design
from search.ablation.steps import Given, read
from search.measure.engine.threads import start_threads
from search.measure.fit_kinds import KINDS
from search.measure.layer_fits import layer_fits
from search.measure.probes import relative_damage
from search.methods.assignment import AssignmentModel
from search.problem.space import Assignment, Limits, Problem
from search.stages.cost import measure_costs
from search.stages.records import Costs
from sim.network.layer import MappedLayer
from sim.network.quant_network import Images, QuantNetwork, State
from sim.network.sampled_operands import IMAGES, sampled_operands
from sim.tables import Table, pe_table

Float = npt.NDArray[np.float64]
Channels = npt.NDArray[np.int64]
Blocks = Sequence[Sequence[Channels]]  # of each layer, the output channels of each block
LAYER, BLOCK, CHANNEL = "layer", "block", "channel"
ARRAYS = (2, 3)
LIMITS = (0.003, 0.006, 0.012, 0.025, 0.05)  # of predicted damage
GAP = 2e-3  # of energies, to the proven optimum
PROBE_QUANTILE = 0.8  # of the multipliers by error in a layer
# A channel's error in a probe: one alone would be lost in what rounding does to later layers.
AMPLIFIED = 8


@dataclass(frozen=True, kw_only=True)
class Routed:
    """The cheapest design of one kind of route within a limit of predicted damage.

    routes : what has an array of its own. energy : of an inference in the arrays, the exact array
    of the same form being 1, ROUTEs included. damage : on images that nothing was fitted to.
    cycles : of the accelerator for a batch. mixed : layers that run on several arrays.
    """

    max_arrays: int
    limit: float
    routes: str
    energy: float
    damage: float
    cycles: int
    mixed: int
    arrays: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Variants:
    """A network with the constants of every (layer, multiplier).

    tables : by multiplier. built : layer -> multiplier -> the layer with its constants.
    """

    network: QuantNetwork
    tables: Mapping[str, Table]
    built: Mapping[str, Mapping[str, MappedLayer]]

    def output(self, layer: MappedLayer, state: State, name: str) -> npt.NDArray[Any]:
        """Return the output of a layer on an array; state : before its step."""
        own = self.built[layer.name][name]
        return own.finish(*self.network.sums(own, state, self.tables[name]))

    def mixed(self, layer: MappedLayer, state: State, columns: Channels) -> npt.NDArray[Any]:
        """Return the output of a layer; columns : int64[n], the multiplier of each channel."""
        names = list(self.tables)
        found = {column: self.output(layer, state, names[column]) for column in np.unique(columns)}
        result = np.empty_like(found[columns[0]])
        for column, output in found.items():
            own = columns == column
            by_channel(layer, result)[own] = by_channel(layer, output)[own]
        return result

    def logits(self, images: Images, columns: Mapping[str, Channels]) -> Images:
        """Return float32[n, classes] with every output channel on its own multiplier."""
        network = self.network

        def run(batch: Images) -> Images:
            state, done = network.start(batch), 0
            for layer in network.layers:
                step = network.layer_steps[layer.name]
                state = network.advance(state, done, step, {})
                state = network.put(state, layer, self.mixed(layer, state, columns[layer.name]))
                done = step + 1
            return network.finish(network.advance(state, done, network.step_count, {}))

        return np.concatenate([run(batch) for batch in network.batches(images)])


def by_channel(layer: MappedLayer, output: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a view of an output with its channels first."""
    return np.moveaxis(output, -1 if layer.window is None else 1, 0)


def fitted(given: Given) -> Variants:
    """Return a network with fits of every multiplier in every layer alone."""
    tables = {one.name: pe_table(one, given.network.rows)
              for one in (get(EXACT), *given.multipliers)}
    fits = layer_fits(given.network, given.fitted, KINDS["chosen"][0], tables,
                      engine=start_threads())
    return Variants(network=given.network, tables=tables, built={layer.name: {
        name: layer if fit.correction is None else fit.correction.apply(layer)
        for name, fit in fits[layer.name].items()} for layer in given.network.layers})


def channel_damages(variants: Variants, images: Images) -> Iterator[Float]:
    """Yield the damage predicted of every output channel alone, float64[n, K] of each layer."""
    network, exact = variants.network, variants.network.run(images)
    state, done = network.start(images), 0
    for layer in network.layers:
        step = network.layer_steps[layer.name]
        state = network.advance(state, done, step, {})
        right = variants.output(layer, state, EXACT)
        outputs = [variants.output(layer, state, name) for name in variants.tables]
        errors = np.array([_errors(layer, one, right) for one in outputs]).T
        wrong = sorted(range(len(outputs)), key=lambda one: errors[:, one].sum())[1:]
        probed = wrong[int(PROBE_QUANTILE * (len(wrong) - 1))]
        stronger = _amplified(layer, right, outputs[probed])

        def damage(output: npt.NDArray[Any], layer: MappedLayer = layer, state: State = state,
                   after: int = step + 1) -> float:
            return relative_damage(network.finish(network.advance(
                network.put(state, layer, output), after, network.step_count, {})), exact)

        power, gains = _errors(layer, stronger, right), np.zeros(len(errors))
        for channel in np.flatnonzero(power):
            mixed = right.copy()
            by_channel(layer, mixed)[channel] = by_channel(layer, stronger)[channel]
            gains[channel] = damage(mixed) / power[channel]
        alone = gains[:, None] * errors
        yield alone * damage(outputs[probed]) / max(alone[:, probed].sum(), 1e-30)
        state, done = network.put(state, layer, right), step + 1


def _errors(layer: MappedLayer, output: npt.NDArray[Any], right: npt.NDArray[Any]) -> Float:
    """Return the mean squared error of each channel, float64[n]."""
    apart = np.subtract(by_channel(layer, output), by_channel(layer, right), dtype=np.float64)
    return np.asarray(np.square(apart).reshape(len(apart), -1).mean(axis=1))


def _amplified(layer: MappedLayer, right: npt.NDArray[Any], output: npt.NDArray[Any]
               ) -> npt.NDArray[Any]:
    """Return an output with `AMPLIFIED` times its error, within what the layer stores."""
    far = right + AMPLIFIED * np.subtract(output, right, dtype=np.float64)
    codes = layer.requantizer
    within = far if codes is None else far.clip(codes.low, codes.high)
    return np.asarray(within, right.dtype)


def cut(damages: Float, cols: int) -> list[Channels]:
    """Return blocks of `cols` channels, the most sensitive first; damages : float64[n, K]."""
    order = np.argsort(-damages.mean(axis=1), kind="stable")
    return [order[first:first + cols] for first in range(0, len(order), cols)]


def block_problem(problem: Problem, blocks: Blocks) -> Problem:
    """Return the problem whose rows are blocks, each an equal share of its layer."""
    counts = [len(own) for own in blocks]
    return replace(
        problem, layers=tuple(f"{name}/{index}" for name, count
                              in zip(problem.layers, counts, strict=True)
                              for index in range(count)),
        dynamic_pj=np.repeat(problem.dynamic_pj / np.array(counts)[:, None], counts, axis=0),
        cycles=np.repeat(problem.cycles / counts, counts))


def routed_program(program: Program, arrays: Mapping[str, Sequence[int]]) -> Program:
    """Return a program with a ROUTE before each tile that runs on another array than the last.

    arrays : layer -> the array of each of its column tiles.
    """
    code: list[Instruction] = []
    current: int | None = None
    for instruction in program.instructions:
        if instruction.opcode == Opcode.ROUTE:
            current = None  # the first tile of the layer says where to
            continue
        if instruction.opcode == Opcode.LOAD_WEIGHTS and not instruction.flag:
            tile = program.tiles[instruction.a]
            array = arrays[tile.layer][tile.n0 // program.bank.cols]
            if array != current:
                code.append(Instruction(Opcode.ROUTE, array))
            current = array
        code.append(instruction)
    return replace(program, instructions=tuple(code))


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What designs are judged by.

    costs : of whole layers. program : of the network, a ROUTE for each layer. images : with the
    exact logits, none that anything was fitted to.
    """

    variants: Variants
    costs: Costs
    program: Program
    images: Images
    exact: Images

    def judge(self, problem: Problem, blocks: Blocks, design: Assignment, routes: str,
              limit: float) -> Routed:
        """Return what a design takes, and its damage; blocks : the rows of the problem."""
        left, own = iter(design), self.costs.problem
        chosen = {layer: [next(left) for _ in parts]
                  for layer, parts in zip(own.layers, blocks, strict=True)}
        columns = {layer: np.empty(sum(map(len, parts)), np.int64)
                   for layer, parts in zip(own.layers, blocks, strict=True)}
        for layer, parts in zip(own.layers, blocks, strict=True):
            for channels, column in zip(parts, chosen[layer], strict=True):
                columns[layer][channels] = column
        plain = accelerator_cycles(self.program).cycles
        now = accelerator_cycles(routed_program(
            self.program, chosen)).cycles if routes == BLOCK else plain
        # While a pipeline drains and fills, the clock of one array runs and all arrays leak.
        bank = list(problem.bank(design))
        clock_pj = self.costs.parts.pj["clock"].sum(axis=0)[bank].max()
        added_pj = (now - plain) / plain * (clock_pj + problem.leakage_pj(bank))
        return Routed(
            max_arrays=problem.max_arrays, limit=limit, routes=routes, cycles=now,
            energy=(problem.energy_pj(design) + added_pj) / problem.baseline_energy_pj,
            damage=relative_damage(self.variants.logits(self.images, columns), self.exact),
            mixed=sum(len(set(arrays)) > 1 for arrays in chosen.values()),
            arrays=tuple(problem.multipliers[column] for column in bank))


def run(arguments: argparse.Namespace) -> list[Routed]:
    """Return the designs of every kind of route, for `ARRAYS` and `LIMITS`."""
    if arguments.exact or arguments.ranges_damage is not None:
        raise InputError("--blocks must not be combined with --exact or --ranges-damage")
    given = read(arguments)
    network, variants = given.network, fitted(given)
    for layer in network.layers:
        if layer.groups > 1:
            raise InputError(f"Layer {layer.name!r} must have one group for --blocks, not "
                             f"{layer.groups}")
    bank = BankConfig(rows=16, cols=16, form=DENSE.form)
    costs = measure_costs(
        network.layers, sampled_operands(network, given.fitted[:IMAGES]),
        {one.name: load_pe(one, bank.psum_width, dataflow=bank.dataflow)
         for one in (get(EXACT), *given.multipliers)},
        reference=EXACT, bank=bank, batch=BATCH, limits=Limits(),
        constants=lambda layer, name: variants.built[layer.name][name])
    bench = Bench(variants=variants, costs=costs, images=given.data.images,
                  exact=network.run(given.data.images), program=compile_program(
                      network.layers, exact_design(EXACT, bank, [
                          layer.name for layer in network.layers]), batch=BATCH))
    damages = list(channel_damages(variants, given.fitted))
    kinds = {LAYER: [[np.arange(len(own))] for own in damages],
             BLOCK: [cut(own, bank.cols) for own in damages],
             CHANNEL: [cut(own, 1) for own in damages]}
    return [one for most in ARRAYS for routes, blocks in kinds.items()
            for one in _cheapest(bench, replace(costs.problem, max_arrays=most), damages, blocks,
                                 routes)]


def _cheapest(bench: Bench, whole: Problem, damages: Sequence[Float], blocks: Blocks, routes: str
              ) -> Iterator[Routed]:
    """Yield the cheapest design within each of `LIMITS`."""
    problem = block_problem(whole, blocks)
    model = AssignmentModel(problem, relative_gap=GAP)
    harm = np.array([own[channels].sum(axis=0) for own, parts in zip(damages, blocks, strict=True)
                     for channels in parts])
    for limit in LIMITS:
        design = model.cheapest(harm, limit)
        assert design is not None, "the exact array does no harm"
        yield bench.judge(problem, blocks, design, routes, limit)
