"""What is known of the accuracy before any candidate is measured.

The error that a multiplier leaves in the output of a layer (`search.problem.error_power` predicts
it, fits of `search.measure.compensation` measure it) says how multipliers compare within that
layer. One probe per layer, a single multiplier in that layer alone, says what such errors do to the
logits: its *gain*, damage per error power. Damage = gain x error power is what methods minimise.

Predictions are checked on random designs. Where layers add up badly, the cosines between the
changes that the probes made say which pairs reinforce or cancel each other
(`search.measure.damage`).

Everything runs on calibration images; one unit of cost is one pass of the search split through
the whole network, and what calibrating takes is charged to the methods that use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from search.measure.damage import Damage
from search.measure.probes import Notes, Probes, Runs, probe
from search.problem.space import Problem
from sim.accuracy.trie import Done, ignore_progress
from sim.network.layer import MappedLayer

Float = npt.NDArray[np.float64]
# Probed is the multiplier at this rank of error power: strong enough to rise above the noise
# of rounding, weak enough to stay in the linear range.
PROBE_QUANTILE = 0.6
CHECKED_DESIGNS = 16
GOOD_RANK_CORRELATION = 0.9  # below it pairs of layers are taken into account


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """The surrogate, and how well it ranks.

    Parameters
    ----------
    error_power : float64[N, K]
        In squared output steps.
    gains : float64[N]
    probes : tuple of str
        The multiplier that was probed in each layer.
    damage : Damage
        What methods are given: with pairs of layers where that ranks better and need be.
    additive, pairwise : float
        Spearman's correlation of predicted and measured damage over random designs, without and
        with pairs of layers; nan when the designs do not differ.
    hopeless : float
        The least damage from which on no measured design classified as many images correctly as
        the exact network; infinity when even the worst one did.
    """

    error_power: Float
    gains: Float
    probes: tuple[str, ...]
    damage: Damage
    additive: float
    pairwise: float
    hopeless: float


def suffix_shares(layers: Sequence[MappedLayer]) -> Float:
    """Return float64[N]: part of the network's multiplications from each layer on."""
    macs = np.array([layer.macs for layer in layers], float)
    return np.asarray(macs[::-1].cumsum()[::-1] / macs.sum())


def calibrate(problem: Problem, power: Float, runs: Runs, *, seed: int,
              notes: Notes, name: str = "probes", done: Done = ignore_progress) -> Calibration:
    """Return the surrogate: one probe per layer for the gains, random designs for the check.

    Parameters
    ----------
    power : float64[N, K]
        Error power of every multiplier in every layer.
    notes, name
        Where, and under which name, measurements are kept for a run that is resumed.
    done : callable
        Told of images, those of a probe per layer and of `CHECKED_DESIGNS`.
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
    return Calibration(
        error_power=power, gains=gains, probes=tuple(problem.multipliers[c] for c in columns),
        damage=paired if better else plain, additive=additive, pairwise=pairwise,
        hopeless=_hopeless(probes))


def calibration_charge(layers: Sequence[MappedLayer], images: float) -> float:
    """Return the evaluations that calibrating costs; images as a fraction of the search images.

    One exact pass, each probe from its layer on, and the random designs.
    """
    return images * (1 + float(suffix_shares(layers).sum()) + CHECKED_DESIGNS)


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
