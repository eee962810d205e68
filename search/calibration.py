"""What is known of the accuracy before any candidate is measured.

The error that a multiplier leaves in the output of a layer (`search.error_power` predicts it,
fits of `search.compensation` measure it) says how multipliers compare within that layer. One
probe per layer, a single multiplier in that layer alone, says what such errors do to the
logits: its *gain*, damage per error power. Damage = gain x error power is what methods minimise.

Predictions are checked on random designs. Where layers add up badly, the cosines between the
changes that the probes made say which pairs reinforce or cancel each other (`search.damage`).

Everything runs on calibration images; one unit of cost is one pass of the search split through
the whole network, and what calibrating takes is charged to the methods that use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from search.damage import Damage
from search.problem import Problem
from sim.layer import MappedLayer
from sim.trie import Done, unheard

Float = npt.NDArray[np.float64]
Logits = npt.NDArray[np.float32]
# Probed is the multiplier at this rank of error power: strong enough to rise above the noise
# of rounding, weak enough to stay in the linear range.
PROBE_QUANTILE = 0.6
CHECKED_DESIGNS = 16
GOOD_RANK_CORRELATION = 0.9  # below it pairs of layers are taken into account


class Runs(Protocol):
    """A network on the calibration images."""

    labels: npt.NDArray[np.int64]

    def logits(self, mapping: Mapping[str, str]) -> Logits:
        """Return float32[n, classes]; layers that are not named run exactly."""

    def prepare(self, mappings: Sequence[Mapping[str, str]], *, done: Done = unheard
                ) -> None:
        """Compute the logits of many mappings together, telling `done` of the images of each."""


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


def relative_damage(logits: Logits, exact: Logits) -> float:
    """Return the mean squared change of the logits, divided by the variance of the exact ones."""
    change = logits.astype(np.float64) - exact
    return float((change ** 2).mean() / max(exact.astype(np.float64).var(), 1e-30))


def suffix_shares(layers: Sequence[MappedLayer]) -> Float:
    """Return float64[N]: part of the network's multiplications from each layer on."""
    macs = np.array([layer.macs for layer in layers], float)
    return np.asarray(macs[::-1].cumsum()[::-1] / macs.sum())


def calibrate(problem: Problem, power: Float, runs: Runs, *, seed: int,
              done: Done = unheard) -> Calibration:
    """Return the surrogate: one probe per layer for the gains, random designs for the check.

    Parameters
    ----------
    power : float64[N, K]
        Error power of every multiplier in every layer.
    done : callable
        Told of images, those of a probe per layer and of `CHECKED_DESIGNS`.
    """
    columns = [_probe(row) for row in power]
    mappings = [{layer: problem.multipliers[column]}
                for layer, column in zip(problem.layers, columns, strict=True)]
    runs.prepare(mappings, done=done)
    exact = runs.logits({})
    gains = np.zeros(len(problem.layers))
    changes = []
    for row, (column, mapping) in enumerate(zip(columns, mappings, strict=True)):
        logits = runs.logits(mapping)
        changes.append((logits.astype(np.float64) - exact).ravel())
        if power[row, column] > 0:
            gains[row] = relative_damage(logits, exact) / power[row, column]
    # A layer whose probe changed nothing is not free: it is as sensitive as the least that did.
    if (gains > 0).any():
        gains = np.maximum(gains, gains[gains > 0].min())
    plain = Damage(alone=gains[:, None] * power)
    paired = Damage(alone=plain.alone, interaction=_cosines(np.array(changes)))
    generator = np.random.default_rng([seed, 1])
    designs = [problem.random(generator) for _ in range(CHECKED_DESIGNS)]
    checked = [problem.to_mapping(design) for design in designs]
    runs.prepare(checked, done=done)
    measured = [relative_damage(runs.logits(mapping), exact) for mapping in checked]
    additive, pairwise = (rank_correlation([damage.of(design) for design in designs], measured)
                          for damage in (plain, paired))
    better = additive < GOOD_RANK_CORRELATION and pairwise > additive
    return Calibration(
        error_power=power, gains=gains, probes=tuple(problem.multipliers[c] for c in columns),
        damage=paired if better else plain, additive=additive, pairwise=pairwise,
        hopeless=_hopeless([*mappings, *checked], runs, exact))


def calibration_charge(layers: Sequence[MappedLayer], images: float) -> float:
    """Return the evaluations that calibrating costs; images as a fraction of the search images.

    One exact pass, each probe from its layer on, and the random designs.
    """
    return images * (1 + float(suffix_shares(layers).sum()) + CHECKED_DESIGNS)


def _probe(power: Float) -> int:
    """Return the column to probe in a layer; any where every multiplier on offer is exact."""
    candidates = np.flatnonzero(power > 0)
    if not candidates.size:
        return 0
    order = candidates[np.argsort(power[candidates], kind="stable")]
    return int(order[int(PROBE_QUANTILE * (len(order) - 1))])


def _cosines(changes: Float) -> Float:
    """Return the cosines between rows, zero on the diagonal and for rows of zeros."""
    sizes = np.linalg.norm(changes, axis=1)
    unit = changes / np.where(sizes > 0, sizes, 1)[:, None]
    found = unit @ unit.T
    np.fill_diagonal(found, 0)
    return np.asarray(found)


def _hopeless(mappings: Sequence[Mapping[str, str]], runs: Runs, exact: Logits) -> float:
    def right(logits: Logits) -> int:
        return int((logits.argmax(axis=1) == runs.labels).sum())

    found = sorted((relative_damage(runs.logits(mapping), exact), right(runs.logits(mapping)))
                   for mapping in mappings)
    least = np.inf
    for damage, correct in reversed(found):
        if correct >= right(exact):
            break
        least = damage
    return float(least)


def rank_correlation(predicted: Sequence[float], measured: Sequence[float]) -> float:
    """Return Spearman's correlation; nan when one of them does not vary."""
    if len(predicted) < 2 or np.ptp(predicted) == 0 or np.ptp(measured) == 0:
        return float("nan")
    return float(spearmanr(predicted, measured).statistic)
