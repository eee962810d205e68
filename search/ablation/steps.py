"""What each step of compensation is worth, one multiplier in all layers."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.machine.design import BankConfig
from hw.multipliers import EXACT, Multiplier, get, resolve
from hw.ppa import load_pe
from models.data import Labelled
from search.ablation.ranges import searched_ranges
from search.measure.fit_kinds import KINDS, NONE
from search.measure.probes import relative_damage
from search.problem.space import Limits, Problem
from search.stages.cost import measure_costs
from sim.accuracy.logits import evaluate
from sim.compensation.calibration import Calibration
from sim.compensation.divergence import logit_divergence
from sim.compensation.record import LayerFit
from sim.data import load_images
from sim.network.layer import MappedLayer
from sim.network.quant_network import Images, QuantNetwork
from sim.network.sampled_operands import IMAGES, sampled_operands
from sim.options import check_counts, load_judged
from sim.tables import Table, pe_table

REFIT = "refit"  # of the last kind
RANGES = "ranges"  # searched ones, with the last kind


@dataclass(frozen=True, kw_only=True)
class Step:
    """One multiplier with one kind of compensation.

    damage : mean squared change of the logits over their variance. divergence : KL in nats per
    image. lost, gained : images against the exact network. array_nj, exact_nj : energy of an
    inference in 16x16 arrays, and of the exact network in exact ones. cpu_s : of fitting, each
    layer. calibrator : that the ranges were found by.
    """

    calibrator: str
    multiplier: str
    kind: str
    damage: float
    divergence: float
    lost: int
    gained: int
    array_nj: float
    exact_nj: float
    cpu_s: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Judge:
    """The exact network on images that nothing is fitted to.

    exact : its logits. calibrating : images whose operands energies are of. exact_nj : energy of
    an inference of it in exact arrays.
    """

    images: Images
    labels: npt.NDArray[np.int64]
    exact: Images
    calibrating: Images
    exact_nj: float

    def step(self, kind: str, multiplier: Multiplier, network: QuantNetwork,
             fits: Mapping[str, LayerFit], tables: Mapping[str, Table], cpu_s: float) -> Step:
        """Return how a network does with the fits and tables of the layers on a multiplier."""
        own = {layer.name: layer for layer in network.layers}
        layered = {layer: fit.correction.apply(own[layer]) for layer, fit in fits.items()
                   if fit.correction is not None}
        logits = evaluate(network.with_layers(layered), self.images, tables, quiet=True)
        right, now = (one.argmax(axis=1) == self.labels for one in (self.exact, logits))
        problem = costs(network, self.calibrating, multiplier, layered)
        design = problem.from_mapping({name: multiplier.name if name in tables else EXACT
                                       for name in own})
        return Step(calibrator=network.calibrator, multiplier=multiplier.name, kind=kind,
                    damage=relative_damage(logits, self.exact),
                    divergence=logit_divergence(self.exact, logits),
                    lost=int((right & ~now).sum()), gained=int((now & ~right).sum()), cpu_s=cpu_s,
                    array_nj=1e-3 * problem.energy_pj(design), exact_nj=self.exact_nj)


def costs(network: QuantNetwork, images: Images, multiplier: Multiplier,
          layered: Mapping[str, MappedLayer]) -> Problem:
    """Return the energies of a network's layers in 16x16 arrays, exact ones and a multiplier's.

    images : whose operands stream. layered : layers with other constants on the multiplier.
    """
    bank = BankConfig(rows=16, cols=16)
    pes = {one.name: load_pe(one, bank.psum_width) for one in (get(EXACT), multiplier)}

    def built(layer: MappedLayer, name: str) -> MappedLayer:
        return layer if name == EXACT else layered.get(layer.name, layer)

    return measure_costs(
        network.layers, sampled_operands(network, images[:IMAGES]), pes, reference=EXACT,
        bank=bank, batch=16, limits=Limits(), constants=built).problem


def steps(network: QuantNetwork, multiplier: Multiplier, layers: Sequence[str],
          calibration: Calibration, judge: Judge) -> Iterator[Step]:
    """Yield every kind of fit of a network whose named layers have a multiplier."""
    tables = dict.fromkeys(layers, pe_table(multiplier, network.rows))
    fits: Mapping[str, LayerFit] = {}
    for kind in (NONE, *KINDS, REFIT):
        started = time.process_time()
        if kind == REFIT:
            found = calibration.refit(tables, fits)
            fits = found.layers if found.kept else fits
        elif kind != NONE:
            fits = _alone(calibration, tables, multiplier, KINDS[kind][0])
        spent = time.process_time() - started
        yield judge.step(kind, multiplier, network, fits, tables, spent / len(layers))


def ranged(network: QuantNetwork, multipliers: Sequence[Multiplier], layers: Sequence[str],
           fitted: Images, most: float, judge: Judge) -> Iterator[Step]:
    """Yield exact arrays on searched ranges, then each multiplier, fitted to these.

    most : damage of the exact arrays, see `searched_ranges`.
    """
    exact = get(EXACT)
    other = network.with_scales(searched_ranges(network, fitted, lambda one: costs(
        one, judge.calibrating, exact, {}).layer_energy_pj()[:, 0], most))
    yield judge.step(RANGES, exact, other, {}, {}, 0.0)
    calibration = Calibration(other, fitted)
    for multiplier in multipliers:
        started = time.process_time()
        tables = dict.fromkeys(layers, pe_table(multiplier, network.rows))
        fits = _alone(calibration, tables, multiplier, list(KINDS.values())[-1][0])
        spent = time.process_time() - started
        yield judge.step(RANGES, multiplier, other, fits, tables, spent / len(layers))


def _alone(calibration: Calibration, tables: Mapping[str, Table], multiplier: Multiplier, kind: str
           ) -> dict[str, LayerFit]:
    return {layer: one[multiplier.name] for layer, one in calibration.alone(
        {layer: {multiplier.name: table} for layer, table in tables.items()}, kind)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """What the options name; fitted : images to fit on, none of `data`."""

    network: QuantNetwork
    multipliers: Sequence[Multiplier]
    data: Labelled
    fitted: Images


def read(arguments: argparse.Namespace) -> Given:
    """Return what the options name."""
    if arguments.calibrate in (None, arguments.data):
        raise InputError("--calibrate must name images to fit on, other than those of --data")
    check_counts(arguments, "limit", "calibrate_limit", "fit")
    multipliers = [resolve(name) for name in arguments.multipliers.split(",")]
    pixels, data, network = load_judged(arguments)
    return Given(network=network, multipliers=multipliers, data=data,
                 fitted=load_images(arguments.calibrate, pixels, limit=arguments.fit))


def run(arguments: argparse.Namespace) -> list[Step]:
    """Return the steps of every multiplier that the options name, and how they were made."""
    if arguments.ranges_damage is not None and not arguments.ranges_damage > 0:
        raise InputError(f"--ranges-damage must be above 0, not {arguments.ranges_damage:g}")
    given = read(arguments)
    network, data, fitted = given.network, given.data, given.fitted
    layers = [layer.name for layer in network.layers if layer.name not in arguments.exact]
    problem = costs(network, fitted, get(EXACT), {})
    judge = Judge(images=data.images, labels=data.labels, calibrating=fitted,
                  exact=evaluate(network, data.images, {}, quiet=arguments.json),
                  exact_nj=1e-3 * problem.energy_pj(problem.exact))
    calibration = Calibration(network, fitted, quiet=arguments.json)
    found = [step for multiplier in given.multipliers
             for step in steps(network, multiplier, layers, calibration, judge)]
    if arguments.ranges_damage is not None:
        found += ranged(network, given.multipliers, layers, fitted, arguments.ranges_damage, judge)
    return found
