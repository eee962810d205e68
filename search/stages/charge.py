"""Charge: what preparing costs, in evaluations: passes of the search split of every network.

What is spent on one network counts by its part of such a pass: multiplications of an image times
search images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hw.common.errors import InputError
from hw.multipliers import Multiplier
from search.measure.fit_kinds import NONE
from search.methods.base import Method
from search.stages.calibrate import CHECKED_DESIGNS
from search.stages.compensate import compensation_passes
from search.stages.records import Charges, Quantised
from sim.network.layer import MappedLayer


def charge(networks: Sequence[Quantised], multipliers: Mapping[str, Multiplier], *,
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


def check_budget(charged: Charges, method: Method, budget: int) -> None:
    """Refuse a budget that preparing for the chosen method alone uses up."""
    least = math.ceil(charged.of(calibrated=method.calibrated) + 1)
    if budget < least:
        raise InputError(f"Budget must be at least {least} for method {method.name}, "
                         f"compensation and calibration included, not {budget}")


def calibration_charge(layers: Sequence[MappedLayer], images: float) -> float:
    """Return what one exact pass, each probe from its layer on, and the random designs cost.

    images : a fraction of the search images; also of `study_charge`.
    """
    return images * (1 + _suffixes(layers) + CHECKED_DESIGNS)


def study_charge(layers: Sequence[MappedLayer], multipliers: int, images: float) -> float:
    """Return the evaluations that a study costs."""
    return images * (1 + (multipliers - 1) * _suffixes(layers))


def _suffixes(layers: Sequence[MappedLayer]) -> float:
    """Return what running the network from each layer on takes, in passes of all of it."""
    macs = np.array([layer.macs for layer in layers], float)
    return float((macs[::-1].cumsum()[::-1] / macs.sum()).sum())
