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
from search.measure.fit_kinds import KINDS, NONE
from search.measure.probes import relative_damage
from search.problem.space import Limits
from search.stages.cost import measure_costs
from sim.accuracy.labels import class_scores_check
from sim.accuracy.logits import evaluate
from sim.compensation.calibration import Calibration
from sim.compensation.divergence import logit_divergence
from sim.compensation.record import LayerFit
from sim.data import load_data, load_images
from sim.network.layer import MappedLayer
from sim.network.quant_network import Images, QuantNetwork
from sim.network.sampled_operands import IMAGES, sampled_operands
from sim.options import check_counts, load_network, preprocessing
from sim.tables import pe_table

REFIT = "refit"  # of the last kind


@dataclass(frozen=True, kw_only=True)
class Step:
    """One multiplier with one kind of compensation.

    damage : mean squared change of the logits over their variance. divergence : KL in nats per
    image. lost, gained : images against the exact network. array_nj, exact_nj : energy of an
    inference in 16x16 arrays. cpu_s : of fitting, each layer.
    """

    multiplier: str
    kind: str
    damage: float
    divergence: float
    lost: int
    gained: int
    array_nj: float
    exact_nj: float
    cpu_s: float


def steps(network: QuantNetwork, multiplier: Multiplier, layers: Sequence[str],
          calibration: Calibration, calibrating: Images, images: Images,
          labels: npt.NDArray[np.int64], exact: Images) -> Iterator[Step]:
    """Yield every step; exact : logits of the exact network on the images that are reported."""
    own = {layer.name: layer for layer in network.layers}
    tables = dict.fromkeys(layers, pe_table(multiplier))
    operands = sampled_operands(network, calibrating[:IMAGES])
    bank = BankConfig(rows=16, cols=16)
    pes = {one.name: load_pe(one, bank.psum_width) for one in (get(EXACT), multiplier)}
    right = exact.argmax(axis=1) == labels
    fits: Mapping[str, LayerFit] = {}
    for kind in (NONE, *KINDS, REFIT):
        started = time.process_time()
        if kind == REFIT:
            found = calibration.refit(tables, fits)
            fits = found.layers if found.kept else fits
        elif kind != NONE:
            fits = {layer: one[multiplier.name] for layer, one in calibration.alone(
                {layer: {multiplier.name: table} for layer, table in tables.items()},
                KINDS[kind][0])}
        spent = time.process_time() - started
        layered = {layer: fit.correction.apply(own[layer]) for layer, fit in fits.items()
                   if fit.correction is not None}
        logits = evaluate(network.with_layers(layered), images, tables, quiet=True)
        now = logits.argmax(axis=1) == labels

        def built(layer: MappedLayer, name: str,
                  layered: Mapping[str, MappedLayer] = layered) -> MappedLayer:
            return layer if name == EXACT else layered.get(layer.name, layer)

        problem = measure_costs(network.layers, operands, pes, reference=EXACT, bank=bank, batch=16,
                                limits=Limits(), constants=built).problem
        design = problem.from_mapping({name: multiplier.name if name in tables else EXACT
                                       for name in own})
        yield Step(multiplier=multiplier.name, kind=kind, damage=relative_damage(logits, exact),
                   divergence=logit_divergence(exact, logits), lost=int((right & ~now).sum()),
                   gained=int((now & ~right).sum()), cpu_s=spent / len(layers),
                   array_nj=1e-3 * problem.energy_pj(design),
                   exact_nj=1e-3 * problem.energy_pj(problem.exact))


def run(arguments: argparse.Namespace) -> list[Step]:
    """Return the steps of every multiplier that the options name, and how they were made."""
    if arguments.calibration in (None, arguments.data):
        raise InputError("--calibration must name images to fit on, other than those of --data")
    check_counts(arguments, "limit", "calibrate", "fit")
    multipliers = [resolve(name) for name in arguments.multipliers.split(",")]
    pixels = preprocessing(arguments, arguments.model)
    data = load_data(arguments.data, pixels, limit=arguments.limit)
    network = load_network(arguments, arguments.model, arguments.data, pixels, check_output=(
        class_scores_check(arguments.model, [(arguments.data, data.labels)])))
    fitted: Images = load_images(arguments.calibration, pixels, limit=arguments.fit)
    layers = [layer.name for layer in network.layers if layer.name not in arguments.exact]
    exact = evaluate(network, data.images, {}, quiet=arguments.json)
    calibration = Calibration(network, fitted, quiet=arguments.json)
    return [step for multiplier in multipliers for step in steps(
        network, multiplier, layers, calibration, fitted, data.images, data.labels, exact)]
