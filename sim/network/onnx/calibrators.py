"""Activation ranges out of histograms: where to cut a tensor's values off.

A narrow range leaves small steps and cuts values off, a wide one the other way round. `minmax`
cuts nothing. Three others are searched on histograms of `BINS` bins:

- `percentile`: a share of the values lies outside, half of it on either side;
- `mse`: least mean squared error of what is stored (Banner et al., NeurIPS 2019);
- `entropy`: least Kullback-Leibler divergence of the stored distribution from that of the values
  (Migacz, GTC 2017, of TensorRT), on each side by itself, as codes are not symmetric here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

BINS = 2048
STEP = 8  # bins between candidates of a search
OUTSIDE = 1e-4  # share of the values that `percentile` cuts off
MINMAX = "minmax"
AUTO = "auto"  # the one that `sim.network.onnx.quantise` finds best


@dataclass(frozen=True, kw_only=True, eq=False)
class Histogram:
    """The values of a tensor, in equal bins from low (at most 0) to high (at least 0).

    counts : int64[BINS], values other than 0. zeros : values of 0, which every range stores
    exactly.
    """

    low: float
    high: float
    counts: npt.NDArray[np.int64] = field(repr=False)
    zeros: int

    @property
    def width(self) -> float:
        """Of a bin."""
        return (self.high - self.low) / BINS

    def edge(self, index: int) -> float:
        """Return where a bin begins; `BINS`: where the last ends."""
        return self.high if index == BINS else self.low + index * self.width

    @cached_property
    def moments(self) -> npt.NDArray[np.float64]:
        """Sums of 1, x and x squared over the values below each edge, float64[3, BINS + 1]."""
        centres = self.low + (np.arange(BINS) + 0.5) * self.width
        powers = np.stack([np.ones(BINS), centres, centres**2])
        return np.pad((self.counts * powers).cumsum(axis=1), ((0, 0), (1, 0)))


Ends = tuple[float, float]
Calibrator = Callable[[Histogram, int], Ends]
Cost = Callable[[Histogram, int, int, int], float]


def minmax(values: Histogram, _steps: int) -> Ends:
    """Return the least and the greatest value."""
    return values.low, values.high


def percentile(values: Histogram, _steps: int) -> Ends:
    """Return what all but `OUTSIDE` of the values lie between."""
    counts = values.counts.copy()
    counts[min(int(-values.low / values.width), BINS - 1)] += values.zeros
    below = np.cumsum(counts) / counts.sum()
    first = int(np.searchsorted(below, OUTSIDE / 2, side="right"))
    last = int(np.searchsorted(below, 1 - OUTSIDE / 2)) + 1
    return min(values.edge(first), 0.0), max(values.edge(last), 0.0)


def _squared_error(values: Histogram, steps: int, first: int, last: int) -> float:
    """Return the squared error of values stored in `steps` steps over bins first to last - 1."""
    low, high = values.edge(first), values.edge(last)
    below, above = values.moments[:, first], values.moments[:, -1] - values.moments[:, last]
    inside = values.moments[0, last] - values.moments[0, first]
    rounding = inside * ((high - low) / steps)**2 / 12
    return float(rounding + sum(powers @ (end * end, -2 * end, 1)
                                for end, powers in ((low, below), (high, above))))


def _divergence(values: Histogram, steps: int, first: int, last: int) -> float:
    """Return the divergence, in nats, of the values as stored from those of bins first to last - 1.

    Values outside count in the last bins of the distribution that is wanted, not of the stored one.
    """
    wanted = values.counts[first:last].astype(np.float64)
    codes = np.arange(last - first) * (steps + 1) // (last - first)
    used = wanted > 0
    share = np.bincount(codes, wanted) / np.maximum(np.bincount(codes, used), 1)
    stored = np.where(used, share[codes], 0)
    wanted[0] += values.counts[:first].sum()
    wanted[-1] += values.counts[last:].sum()
    if not stored.any():
        return np.inf
    p, q = wanted[wanted > 0] / wanted.sum(), stored[wanted > 0] / stored.sum()
    return float(np.sum(p * np.log(p / np.maximum(q, 1e-12))))


def _searched(cost: Cost, least: int, values: Histogram, steps: int) -> Ends:
    """Return the ends of least cost, the upper one found first; 0 stays between them.

    least : bins that are left.
    """
    zero = int(-values.low / values.width)
    first, last = 0, BINS
    last = min(range(BINS, max(zero, least) - 1, -STEP),
               key=lambda end: cost(values, steps, first, end))
    first = min(range(0, min(zero, last - least) + 1, STEP),
                key=lambda start: cost(values, steps, start, last))
    return values.edge(first), values.edge(last)


CALIBRATORS: dict[str, Calibrator] = {
    MINMAX: minmax, "percentile": percentile,
    "mse": partial(_searched, _squared_error, STEP),
    # With fewer bins than codes everything would be stored as it is.
    "entropy": partial(_searched, _divergence, 256)}
CHOICES = (*CALIBRATORS, AUTO)
DEFAULT = MINMAX


def ends(calibrator: str, values: Histogram, *, symmetric: bool) -> Ends:
    """Return the range of a tensor by a calibrator of `CALIBRATORS`.

    symmetric : the histogram is of magnitudes, and the range is as wide on both sides of 0.
    """
    if values.width == 0 or not values.counts.any():
        low, high = minmax(values, 0)
    else:
        low, high = CALIBRATORS[calibrator](values, 127 if symmetric else 255)
    return (-high, high) if symmetric else (low, high)
