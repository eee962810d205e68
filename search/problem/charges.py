"""What preparing for a search costs, in evaluations: passes of the search split of every network.

What is spent on one network counts by its part of such a pass: multiplications of an image times
search images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hw.multipliers import Multiplier
from search.measure.calibration import calibration_charge
from search.measure.compensation import NONE, compensation_passes
from search.measure.study import study_charge
from search.problem.inputs import NetworkInputs


@dataclass(frozen=True, kw_only=True)
class Charges:
    """Evaluations of each preparation; a study is part of calibrating."""

    compensation: float
    calibration: float
    study: float

    def of(self, *, calibrated: bool) -> float:
        """Return what a method has to bear."""
        return self.compensation + (self.calibration + self.study if calibrated else 0)


def charges(networks: Sequence[NetworkInputs], multipliers: Mapping[str, Multiplier], *,
            compensation: str, study: bool) -> Charges:
    """Return what preparing costs.

    compensation : its kind. study : whether every (layer, multiplier) is measured alone.
    """
    approximate = sum(not multiplier.is_exact for multiplier in multipliers.values())
    passes = [sum(layer.macs for layer in one.network.layers) * len(one.splits.search.labels)
              for one in networks]
    compensating = calibrating = studying = 0.0
    for one, size in zip(networks, passes, strict=True):
        part = size / sum(passes)
        share = len(one.splits.calibrate.labels) / len(one.splits.search.labels)
        layers = one.network.layers
        calibrating += part * calibration_charge(layers, share)
        if compensation != NONE:
            compensating += part * share * compensation_passes(compensation, approximate)
        if study:
            studying += part * study_charge(layers, len(multipliers), share)
    return Charges(compensation=compensating, calibration=calibrating, study=studying)
