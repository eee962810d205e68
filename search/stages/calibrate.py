"""Calibrate: what is known of the accuracy before any design is measured.

The error that a multiplier leaves in the output of a layer (`search.problem.error_power` predicts
it, fits of `search.stages.compensate` measure it) says how multipliers compare within that
layer. One probe per layer, a single multiplier in that layer alone, says what such errors do to the
logits: its *gain*, damage per error power. Damage = gain x error power is what methods minimise.

Predictions are checked on random designs. Where layers add up badly, the cosines between the
changes that the probes made say which pairs reinforce or cancel each other
(`search.measure.damage`).

Everything runs on calibration images; one unit of cost is one pass of the search split through
the whole network, and what calibrating takes is charged to the methods that use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from hw.multipliers import Multiplier
from search.measure.damage import Damage
from search.measure.evaluation import SplitRuns
from search.measure.probes import Notes, Probes, Runs, probe
from search.measure.study import shrunk, study
from search.measure.watched import Watch
from search.problem.error_power import error_power
from search.problem.space import Problem
from search.stages.cost import Operands
from search.stages.records import Calibration, Compensated, Predictions, Quantised
from sim.accuracy.trie import Done, ignore_progress

Float = npt.NDArray[np.float64]
# Probed is the multiplier at this rank of error power: strong enough to rise above the noise
# of rounding, weak enough to stay in the linear range.
PROBE_QUANTILE = 0.6
CHECKED_DESIGNS = 16
GOOD_RANK_CORRELATION = 0.9  # below it pairs of layers are taken into account


def calibrate(networks: Sequence[Quantised], streams: Sequence[Operands],
              fits: Sequence[Compensated | None], problem: Problem, runs: Sequence[SplitRuns],
              multipliers: Mapping[str, Multiplier], *, predicted: bool, studied: bool, seed: int,
              notes: Notes, watch: Watch) -> Predictions:
    """Return what is told of the accuracy of all networks; streams : of each, `operands`. runs : of
    each on its calibrate split.

    predicted, studied : whether any method asks for predictions, and whether every (layer,
    multiplier) is measured. notes : keep what is measured for a run that is resumed.
    """
    parts = [problem.part(own) for own in problem.networks]
    images = [len(one.labels) for one in runs]
    calibrations = watch.each(
        "calibrating every layer", [(len(part.layers) + CHECKED_DESIGNS) * n
                                    for part, n in zip(parts, images, strict=True)],
        lambda one, acts, fitted, part, own, progress: calibrated(
            part, _errors(one, acts, fitted, multipliers), own, seed=seed, notes=notes,
            name=f"{one.prefix}probes", done=progress.advance),
        networks, streams, fits, parts, runs) if predicted else ()
    halves = np.concatenate(watch.each(
        "every multiplier in every layer alone", [part.dynamic_pj.size * n for part, n
                                                  in zip(parts, images, strict=True)],
        lambda part, own, progress: study(part.layers, part.multipliers, own, notes=notes,
                                          done=progress.advance),
        parts, runs), axis=1) if studied else None
    return predict(calibrations, halves)


def predict(calibrations: Sequence[Calibration], halves: Float | None) -> Predictions:
    """Return what calibrations and a study tell together.

    calibrations : of each network; none where no method asks for it. halves : float64[2, N, K] of
    `search.measure.study` over the layers of all networks, where they were studied.
    """
    damage = Damage.joined([one.damage for one in calibrations]) if calibrations else None
    alone = None if damage is None else damage.alone
    if halves is not None:
        alone = halves.mean(axis=0)
        if damage is not None:
            damage = Damage(alone=shrunk(halves, damage.alone), interaction=damage.interaction)
    return Predictions(
        calibrations=tuple(calibrations), damage=damage, alone=alone, studied=halves is not None,
        # What is hopeless in one network may be harmless in another.
        hopeless=max((one.hopeless for one in calibrations), default=np.inf))


def _errors(network: Quantised, operands: Operands, fits: Compensated | None,
            multipliers: Mapping[str, Multiplier]) -> Float:
    """Return the error power of every (layer, multiplier): where it was fitted as it is left."""
    if fits is not None:
        return fits.error_power()
    return error_power(network.network.layers, operands, multipliers)


def calibrated(problem: Problem, power: Float, runs: Runs, *, seed: int,
               notes: Notes, name: str = "probes", done: Done = ignore_progress) -> Calibration:
    """Calibrate one network: a probe per layer for the gains, random designs for the check.

    power : float64[N, K], error power of every multiplier in every layer. notes, name : where, and
    under which name, measurements are kept for a run that is resumed. done : told of images, those
    of a probe per layer and of `CHECKED_DESIGNS`.
    """
    columns = [_probed(row) for row in power]
    generator = np.random.default_rng([seed, 1])
    designs = [problem.random(generator) for _ in range(CHECKED_DESIGNS)]
    probes = probe([{layer: problem.multipliers[column]}
                    for layer, column in zip(problem.layers, columns, strict=True)],
                   [problem.to_mapping(design) for design in designs], runs,
                   notes=notes, name=name, done=done)
    alone, checked = np.split(probes.damages, [len(problem.layers)])
    probed = power[np.arange(len(columns)), columns]
    gains = np.divide(alone, probed, out=np.zeros(len(columns)), where=probed > 0)
    # A layer whose probe changed nothing is not free: it is as sensitive as the least that did.
    if (gains > 0).any():
        gains = np.maximum(gains, gains[gains > 0].min())
    plain = Damage(alone=gains[:, None] * power)
    paired = Damage(alone=plain.alone, interaction=probes.cosines)
    additive, pairwise = (rank_correlation([damage.of(design) for design in designs], checked)
                          for damage in (plain, paired))
    better = additive < GOOD_RANK_CORRELATION and pairwise > additive
    return Calibration(damage=paired if better else plain, additive=additive, pairwise=pairwise,
                       hopeless=_hopeless(probes))


def _probed(power: Float) -> int:
    """Return the column to probe in a layer; any where every multiplier on offer is exact."""
    candidates = np.flatnonzero(power > 0)
    if not candidates.size:
        return 0
    order = candidates[np.argsort(power[candidates], kind="stable")]
    return int(order[int(PROBE_QUANTILE * (len(order) - 1))])


def _hopeless(probes: Probes) -> float:
    least = np.inf
    for index in reversed(np.lexsort((probes.right, probes.damages))):
        if probes.right[index] >= probes.exact_right:
            break
        least = probes.damages[index]
    return float(least)


def rank_correlation(predicted: Sequence[float] | Float, measured: Sequence[float] | Float
                     ) -> float:
    """Return Spearman's correlation; nan when one of them does not vary."""
    if len(predicted) < 2 or np.ptp(predicted) == 0 or np.ptp(measured) == 0:
        return float("nan")
    return float(spearmanr(predicted, measured).statistic)
