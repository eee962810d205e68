"""Moments of accumulators per output channel, for a line that undoes what an array does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep

Sums = npt.NDArray[np.int32]
Reals = npt.NDArray[np.float64]

SLOPES = (0.25, 4.0)  # limits of a plausible slope
LEAST_SHARED = 0.5  # share of the variance that the line of y on x explains


class Line(NamedTuple):
    """y = slope * x + offset, one per channel."""

    slope: Reals
    offset: Reals


class Moments:
    """Running sums of pairs (x, y) of accumulators.

    Everything is taken relative to the first pair of a channel, so that a channel that never
    changes has a variance of exactly zero and large means do not cost digits.
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self._origin = np.zeros((2, channels), np.int64)
        self._sums = np.zeros((5, channels))  # of dx, dy, dx * dx, dx * dy, dy * dy

    def add(self, x: Sums, y: Sums) -> None:
        """Take pairs int32[m, channels]."""
        if x.shape != y.shape or x.shape[1] != self._origin.shape[1]:
            raise ValueError(f"Sums must have equal shapes, not {x.shape} and {y.shape}")
        if not len(x):
            return
        if not self.count:
            self._origin[:] = x[0], y[0]
        # Compiled loops take plain arrays: contiguous, and not marked read-only.
        x, y = (np.require(values, None, ["C", "W"]) for values in (x, y))
        add_pairs(x, y, self._origin, self._sums)
        self.count += len(x)

    def shift(self) -> Reals:
        """Return the mean of y - x, float64[channels]."""
        assert self.count, "no pairs were added"
        apart = (self._origin[1] - self._origin[0]).astype(np.float64)
        return np.asarray(apart + (self._sums[1] - self._sums[0]) / self.count)

    def slope(self, low: float, high: float) -> Reals:
        """Return the slope of the least-squares line of y on x, held in [low, high].

        Where x never changes it is 1.
        """
        return np.clip(self._regression()[0], low, high)

    def _regression(self) -> tuple[Reals, Reals]:
        """Return the slope of y on x, and the share of the variance of y that it explains."""
        assert self.count, "no pairs were added"
        dx, dy, dxx, dxy, dyy = self._sums
        variance, covariance = dxx - dx * dx / self.count, dxy - dx * dy / self.count
        wanted = dyy - dy * dy / self.count
        # What rounding leaves of a variance that is zero is below this.
        varies = (variance > 1e-12 * dxx) & (wanted > 1e-12 * dyy)
        slope, shared = np.ones((2, dx.size))
        np.divide(covariance, variance, out=slope, where=varies)
        np.divide(covariance * covariance, variance * wanted, out=shared, where=varies)
        return slope, shared

    def line(self, low: float, high: float) -> Line:
        """Return the inverse of the least-squares line of x on y, the slope held in [low, high].

        That takes x for y, scaled and shifted, and noise. The line of y on x would shrink each
        channel by the share of noise in it (regression dilution), layer after layer, and the
        noise with it; yet noise averages out over the terms of the next sum, and shrinking does
        not. Where noise is more than half, twice the slope of y on x is taken.

        With a slope at a limit the offset is still the best one for it. Where x never changes the
        slope is 1.
        """
        slope, shared = self._regression()
        slope = np.clip(slope / np.maximum(shared, LEAST_SHARED), low, high)
        mean_x, mean_y = self._origin + self._sums[:2] / self.count
        return Line(slope, np.asarray(mean_y - slope * mean_x))


@njit("void(int32[:,::1], int32[:,::1], int64[:,::1], float64[:,::1])", nogil=True, cache=keep())
def add_pairs(x: Sums, y: Sums, origin: npt.NDArray[np.int64], sums: Reals) -> None:
    """Add dx, dy, dx * dx, dx * dy and dy * dy of every row to `sums` float64[5, channels]."""
    for row in range(x.shape[0]):
        for channel in range(x.shape[1]):
            dx = float(x[row, channel] - origin[0, channel])
            dy = float(y[row, channel] - origin[1, channel])
            sums[0, channel] += dx
            sums[1, channel] += dy
            sums[2, channel] += dx * dx
            sums[3, channel] += dx * dy
            sums[4, channel] += dy * dy
