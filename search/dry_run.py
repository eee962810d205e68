"""What a run would evaluate and about how long it takes, without searching: `--dry-run`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from hw.common.wording import duration, times_a_round
from hw.multipliers import EXACT
from hw.ppa.mapping.emitted import EmitPes
from search.certify.paired_test import points_of
from search.certify.sequence import MAX_SEQUENCE
from search.options import Options
from search.pipeline import image_facts, prepare, run_folder, watch_of
from search.stages.charge import charge
from search.stages.records import Quantised

TIMED_IMAGES = 64
ENERGY_S = 0.03  # processor seconds per (layer, multiplier) of the energy model, 2026


@dataclass(frozen=True, kw_only=True)
class PlannedNetwork:
    """A network of the workload; images : size of each split. margin : a fraction."""

    name: str
    inferences: int
    layers: int
    images: Mapping[str, int]
    margin: float

    def lines(self) -> list[str]:
        """Return it in words."""
        images = ", ".join(f"{name} {count:,}" for name, count in self.images.items())
        return [f"{self.name}: {self.layers} layers, {times_a_round(self.inferences)}; "
                f"images: {images}",
                f"  certificate at a margin of {points_of(self.margin)} points"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run to come.

    layers : of all networks. charges : evaluations of the search split that each method's
    preparations take. evaluations : designs that each method may measure. seconds_per_evaluation :
    timed on this machine just now, approximate in every layer, on all cores. seconds : at most,
    per stage.
    """

    networks: Sequence[PlannedNetwork]
    layers: int
    multipliers: int
    charges: Mapping[str, float]
    evaluations: Mapping[str, int]
    seconds_per_evaluation: float
    seconds: Mapping[str, float]

    def to_dict(self) -> dict[str, object]:
        """Return the plan, JSON-ready."""
        return asdict(self) | {"total_seconds": sum(self.seconds.values())}

    def lines(self) -> list[str]:
        """Return the plan in words."""
        return [
            *(line for network in self.networks for line in network.lines()),
            f"{self.layers} layers, {self.multipliers} multipliers",
            f"one evaluation takes about {self.seconds_per_evaluation:.2g} s here",
            *(f"  {name:12} {self.charges[name]:6.1f} evaluations of preparation, then at most "
              f"{count}" for name, count in self.evaluations.items()),
            *(f"  {stage:12} {duration(seconds)}" for stage, seconds in self.seconds.items()),
            f"at most about {duration(sum(self.seconds.values()))} in all; nothing was searched"]


def plan(options: Options, emit_pes: EmitPes) -> Plan:
    """Read the inputs and time one batch; raises what `run` would for bad input."""
    with closing(run_folder(options)) as folder:
        try:
            inputs, networks, charged = prepare(options, emit_pes, watch_of(options))
            image_facts(options, networks, folder)  # says what later readers must know
        finally:
            folder.withdraw()
    multipliers = inputs.multipliers
    table = next((multiplier.table for name, multiplier in multipliers.items() if name != EXACT),
                 multipliers[EXACT].table)
    total = charge(networks, multipliers, compensation=options.compensation, study=options.study)
    per_image = [_seconds_per_image(network, table) for network in networks]
    methods = [method for method in options.methods if method.name in charged]
    spent = {method.name: charged[method.name].of(calibrated=method.calibrated)
             for method in methods}
    evaluations = {method.name: charged[method.name].left(
        options.budget, calibrated=method.calibrated) for method in methods}
    sizes = [{name: len(data.labels) for name, data in one.splits} for one in networks]
    planned = [PlannedNetwork(
        name=one.source.name, inferences=one.source.inferences, images=images,
        layers=len(one.layers), margin=options.margin_for(images["certify"]))
        for one, images in zip(networks, sizes, strict=True)]
    one, certifying = (sum(seconds * network.images[split] for seconds, network
                           in zip(per_image, planned, strict=True))
                       for split in ("search", "certify"))
    layers = sum(len(one.layers) for one in networks)
    calibrated = any(method.calibrated for method in options.methods)
    seconds = {
        "compensation": total.compensation * one,
        "calibration": (total.calibration + total.study) * calibrated * one,
        "energies": ENERGY_S * layers * len(multipliers) / (os.cpu_count() or 1),
        **{name: count * one for name, count in evaluations.items()},
        "certificate": (1 + MAX_SEQUENCE) * certifying}
    return Plan(networks=planned, layers=layers, multipliers=len(multipliers), charges=spent,
                evaluations=evaluations, seconds_per_evaluation=one, seconds=seconds)


def _seconds_per_image(inputs: Quantised, table: npt.NDArray[np.int32]) -> float:
    images = inputs.splits.calibrate.images[:TIMED_IMAGES]
    tables = {layer.name: table for layer in inputs.network.layers}
    inputs.network.run(images, tables)  # kernels are compiled and prepared once
    started = time.perf_counter()
    inputs.network.run(images, tables)
    return (time.perf_counter() - started) / len(images)
