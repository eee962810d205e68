"""What is known of the accuracy before any candidate is measured.

**Surrogate** (`calibrate`). The histogram of the activations of a layer and the error table of
a multiplier give mean and variance of the error of every output without running the network:
with signed operands a[k], w[k, n] and table error e(a, w) of their product,

    mean[n] = sum_k E_a e(a[k], w[k, n])         variance[n] = sum_k Var_a e(a[k], w[k, n])

Rounding to 8 bits follows, so an error x in output steps becomes, for a sum anywhere between
two steps, E x^2 + frac(x) (1 - frac(x)): small errors count by their size, not by their
square. The mean over outputs is the *error power* of (layer, multiplier). One probe per layer,
a single multiplier in that layer alone, then gives the layer's *gain*: damage of the logits
per error power. Damage = gain x error power, added over layers, is what methods minimise.

**Study** (`study`). Every multiplier in every layer alone, measured (Figure 9 of the paper).
It is drawn in the report and tells how well the surrogate ranks; no method uses it.

Both run only what comes after the layer in question. One unit of cost is one pass of the
search split through the whole network; calibrating is charged to the methods that use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hw.multipliers import Multiplier
from search.methods.base import Counter
from sim.layer import MappedLayer

Float = npt.NDArray[np.float64]
OPERANDS = np.arange(256)
# Of the Fourier series of frac(x) (1 - frac(x)): errors below 1/64 of a step count as none.
HARMONICS = np.arange(1, 65)
CHUNK_BYTES = 2**26
# Probed is the multiplier at this rank of error power: strong enough to rise above the noise
# of rounding, weak enough to stay in the linear range.
PROBE_QUANTILE = 0.6


class Runs(Protocol):
    """A network on the calibration images."""

    def logits(self, mapping: Mapping[str, str]) -> npt.NDArray[np.float32]:
        """Return float32[n, classes]; layers that are not named run exactly."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """The surrogate.

    error_power : float64[N, K], in squared output steps. gains : float64[N]. probes : the
    multiplier that was probed in each layer. charge : evaluations that it cost.
    """

    error_power: Float
    gains: Float
    probes: tuple[str, ...]
    charge: float

    @property
    def damage(self) -> Float:
        """Predicted damage of each (layer, multiplier), float64[N, K]."""
        return self.gains[:, None] * self.error_power


def relative_damage(logits: npt.NDArray[np.float32], exact: npt.NDArray[np.float32]) -> float:
    """Return the mean squared change of the logits, divided by the variance of the exact ones."""
    change = logits.astype(np.float64) - exact
    return float((change ** 2).mean() / max(exact.astype(np.float64).var(), 1e-30))


def suffix_shares(layers: Sequence[MappedLayer]) -> Float:
    """Return float64[N]: part of the network's multiplications from each layer on."""
    macs = np.array([layer.macs for layer in layers], float)
    return np.asarray(macs[::-1].cumsum()[::-1] / macs.sum())


# --- error power ------------------------------------------------------------------------


def error_power(layers: Sequence[MappedLayer],
                operands: Mapping[str, npt.NDArray[np.int16]],
                multipliers: Mapping[str, Multiplier]) -> Float:
    """Return the error power of every multiplier in every layer, float64[N, K].

    operands : layer name -> int16[groups, m, k], activations as they enter the array.
    """
    tables = np.stack([multiplier.table for multiplier in multipliers.values()])
    errors = tables - np.multiply.outer(OPERANDS, OPERANDS).astype(np.int32)  # [K, act, weight]
    power = np.zeros((len(layers), len(multipliers)))
    for row, layer in enumerate(layers):
        mean, variance = zip(*(
            _moments(operands[layer.name][group], layer.weights[group], errors)
            for group in range(layer.weights.shape[0])), strict=True)
        power[row] = _after_rounding(np.concatenate(mean, axis=1),
                                     np.concatenate(variance, axis=1), layer)
    return power


def _moments(acts: npt.NDArray[np.int16], weights: npt.NDArray[np.int16],
             errors: npt.NDArray[np.int32]) -> tuple[Float, Float]:
    """Return mean and variance of the error of each output: two of float64[K, n].

    acts : int16[m, k]. weights : int16[k, n]. errors : int32[K, 256, 256] of magnitudes. Operands
    of different k are taken as independent.
    """
    m, k = acts.shape
    chance = np.bincount((acts.astype(np.int64) + 256 + 512 * np.arange(k)).ravel(),
                         minlength=512 * k).reshape(k, 512) / m
    positive, negative = chance[:, 256:], np.zeros((k, 256))  # zero counts as positive
    negative[:, 1:] = chance[:, 255:0:-1]
    rows, magnitudes = np.arange(k)[:, None], np.abs(weights.astype(np.int64))
    signs = np.where(weights < 0, -1.0, 1.0)
    means, variances = [], []
    step = max(1, CHUNK_BYTES // (k * 256 * 8))
    for first in range(0, len(errors), step):
        part = errors[first:first + step].astype(np.float64)
        flat = part.transpose(1, 0, 2).reshape(256, -1)  # one product for all multipliers
        by_weight = ((positive - negative) @ flat).reshape(k, -1, 256)
        squares = ((positive + negative) @ flat ** 2).reshape(k, -1, 256)
        for index in range(len(part)):
            mean = by_weight[:, index][rows, magnitudes]
            square = squares[:, index][rows, magnitudes]
            means.append((signs * mean).sum(axis=0))
            variances.append(np.maximum(square - mean ** 2, 0).sum(axis=0))
    return np.array(means), np.array(variances)


def _after_rounding(mean: Float, variance: Float, layer: MappedLayer) -> Float:
    """Return the mean squared error of the layer's outputs, float64[K]."""
    if layer.requantizer is None:
        return np.asarray(((mean ** 2 + variance) * layer.sum_scale ** 2).mean(axis=1))
    per_unit = np.ldexp(layer.requantizer.multiplier.astype(float), -layer.requantizer.shift)
    mean, variance = mean * per_unit, variance * per_unit ** 2
    angle = 2 * np.pi * HARMONICS[:, None, None]
    ripple = 1 - np.cos(angle * mean) * np.exp(-angle ** 2 * variance / 2)
    rounding = (ripple / (np.pi * HARMONICS[:, None, None]) ** 2).sum(axis=0)
    return np.asarray((mean ** 2 + variance + rounding).mean(axis=1))


# --- what is measured ---------------------------------------------------------------------


def calibrate(layers: Sequence[MappedLayer],
              operands: Mapping[str, npt.NDArray[np.int16]],
              multipliers: Mapping[str, Multiplier], runs: Runs, *, images: float,
              progress: Counter | None = None) -> Calibration:
    """Return the surrogate: error powers, and one probe per layer for the gains.

    images : calibration images as a fraction of the search images, for the charge.
    """
    power = error_power(layers, operands, multipliers)
    names = list(multipliers)
    exact = runs.logits({})
    gains, probes = np.zeros(len(layers)), []
    for row, layer in enumerate(layers):
        candidates = np.flatnonzero(power[row] > 0)
        if not candidates.size:  # every multiplier on offer is exact
            probes.append(names[0])
            continue
        order = candidates[np.argsort(power[row, candidates], kind="stable")]
        probe = int(order[int(PROBE_QUANTILE * (len(order) - 1))])
        damage = relative_damage(runs.logits({layer.name: names[probe]}), exact)
        gains[row] = damage / power[row, probe]
        probes.append(names[probe])
        if progress is not None:
            progress.advance(note=layer.name)
    # A layer whose probe changed nothing is not free: it is as sensitive as the least that did.
    if (gains > 0).any():
        gains = np.maximum(gains, gains[gains > 0].min())
    charge = images * (1 + float(suffix_shares(layers).sum()))
    return Calibration(error_power=power, gains=gains, probes=tuple(probes), charge=charge)


class Rows(Protocol):
    """Where finished rows of the study are kept; `search.store.TrialStore` is one."""

    def sensitivity(self, layer: str) -> list[float] | None:
        """Return a row that was kept, None when there is none."""

    def keep_sensitivity(self, layer: str, row: Sequence[float]) -> None:
        """Keep a row."""


def study(layers: Sequence[MappedLayer], multipliers: Sequence[str], runs: Runs, *,
          kept: Rows | None = None, progress: Counter | None = None) -> Float:
    """Return the measured damage of every multiplier in every layer alone, float64[N, K]."""
    exact = runs.logits({})
    damage = np.zeros((len(layers), len(multipliers)))
    for row, layer in enumerate(layers):
        known = kept.sensitivity(layer.name) if kept is not None else None
        if known is not None and len(known) == len(multipliers):
            damage[row] = known
            if progress is not None:
                progress.advance(len(multipliers))
            continue
        for column, name in enumerate(multipliers):
            damage[row, column] = relative_damage(runs.logits({layer.name: name}), exact)
            if progress is not None:
                progress.advance(note=layer.name)
        if kept is not None:
            kept.keep_sensitivity(layer.name, damage[row].tolist())
    return damage


def rank_correlation(predicted: Float, measured: Float) -> float:
    """Return Spearman's correlation of predicted and measured damage, the mean over layers.

    Multipliers without any damage are left out; nan when too few remain.
    """
    from scipy.stats import rankdata

    found = []
    for one, other in zip(predicted, measured, strict=True):
        both = (one > 0) & (other > 0)
        if both.sum() > 2:
            ranks = rankdata(one[both]), rankdata(other[both])
            found.append(np.corrcoef(*ranks)[0, 1])
    return float(np.mean(found)) if found else float("nan")
