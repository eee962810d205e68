"""What a run would evaluate and about how long it takes, without searching: `--dry-run`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from hw.multipliers import EXACT
from search.calibration import calibration_charge
from search.certify import supported_margin
from search.compensation import NONE, compensation_passes
from search.options import Options
from search.pipeline import Inputs, read_inputs
from search.sequence import MAX_SEQUENCE
from search.study import study_charge

TIMED_IMAGES = 64
ENERGY_S = 0.03  # processor seconds per (layer, multiplier) of the energy model, 2026


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run to come.

    Parameters
    ----------
    layers, multipliers : int
    images : mapping of str to int
        Size of each split.
    margin : float
        Of the certificate, a fraction.
    charges : mapping of str to float
        Evaluations of the search split that each method's preparations take.
    evaluations : mapping of str to int
        Designs that each method may measure.
    seconds_per_evaluation : float
        Timed on this machine just now, approximate in every layer, on all cores.
    seconds : mapping of str to float
        At most, per stage.
    """

    layers: int
    multipliers: int
    images: Mapping[str, int]
    margin: float
    charges: Mapping[str, float]
    evaluations: Mapping[str, int]
    seconds_per_evaluation: float
    seconds: Mapping[str, float]

    def to_dict(self) -> dict[str, object]:
        """Return the plan, JSON-ready."""
        return asdict(self) | {"total_seconds": sum(self.seconds.values())}

    def lines(self) -> list[str]:
        """Return the plan in words."""
        images = ", ".join(f"{name} {count:,}" for name, count in self.images.items())
        return [
            f"{self.layers} layers, {self.multipliers} multipliers; images: {images}",
            f"certificate at a margin of {100 * self.margin:.1f} points",
            f"one evaluation takes about {self.seconds_per_evaluation:.2g} s here",
            *(f"  {name:12} {self.charges[name]:6.1f} evaluations of preparation, then at most "
              f"{count}" for name, count in self.evaluations.items()),
            *(f"  {stage:12} {_time(seconds)}" for stage, seconds in self.seconds.items()),
            f"at most about {_time(sum(self.seconds.values()))} in all; nothing was searched"]


def plan(options: Options) -> Plan:
    """Read the inputs and time one batch; raises what `run` would for bad input."""
    inputs = read_inputs(options)
    layers, splits = inputs.network.layers, inputs.splits
    per_image = _seconds_per_image(inputs)
    images = {name: len(data.labels) for name, data in splits}
    share = images["calibrate"] / images["search"]
    approximate = sum(not multiplier.is_exact for multiplier in inputs.multipliers.values())
    compensating = (0.0 if options.compensation == NONE else
                    share * compensation_passes(options.compensation, approximate))
    calibrating = calibration_charge(layers, share) + (
        study_charge(layers, len(inputs.multipliers), share) if options.study else 0)
    charges = {method.name: compensating + calibrating * method.calibrated
               for method in options.methods}
    evaluations = {name: max(0, int(options.budget - charge)) for name, charge in charges.items()}
    one = per_image * images["search"]
    calibrated = any(method.calibrated for method in options.methods)
    seconds = {
        "compensation": compensating * one, "calibration": calibrating * calibrated * one,
        "energies": ENERGY_S * len(layers) * len(inputs.multipliers) / (os.cpu_count() or 1),
        **{name: count * one for name, count in evaluations.items()},
        "certificate": (1 + MAX_SEQUENCE * len(evaluations)) * per_image * images["certify"]}
    return Plan(layers=len(layers), multipliers=len(inputs.multipliers), images=images,
                margin=options.margin or supported_margin(images["certify"]), charges=charges,
                evaluations=evaluations, seconds_per_evaluation=one, seconds=seconds)


def _seconds_per_image(inputs: Inputs) -> float:
    images = inputs.splits.calibrate.images[:TIMED_IMAGES]
    table = next((multiplier.table for name, multiplier in inputs.multipliers.items()
                  if name != EXACT), inputs.multipliers[EXACT].table)
    tables = {layer.name: table for layer in inputs.network.layers}
    inputs.network.run(images, tables)  # kernels are compiled and prepared once
    started = time.perf_counter()
    inputs.network.run(images, tables)
    return (time.perf_counter() - started) / len(images)


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
