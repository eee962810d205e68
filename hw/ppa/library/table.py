"""A figure of a cell over one or two axes."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Axis = tuple[float, ...]
Place = tuple[int, float, int, float]  # row, how far to the next one; column, how far


@dataclass(frozen=True)
class Table:
    """A figure over one or two axes, linear between the points and beyond the outermost.

    Parameters
    ----------
    x : tuple of float
        Usually the slew at the input, ps; strictly increasing.
    y : tuple of float
        Usually the load at the output, fF; one point when the figure does not depend on it.
    values : tuple of tuple of float
        Indexed `[x][y]`.
    """

    x: Axis
    y: Axis
    values: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if not self.x or not self.y or len(self.values) != len(self.x) or any(
                len(row) != len(self.y) for row in self.values):
            raise ValueError(f"Table must have {len(self.x)} rows of {len(self.y)} values")
        for axis in (self.x, self.y):
            if any(high <= low for low, high in pairwise(axis)):
                raise ValueError(f"Table axis must increase, not {axis}")

    def at(self, x: float, y: float = 0.0) -> float:
        """Return the figure at one point (the interpolation of the non-linear delay model)."""
        return self.read(self.place(x, y))

    def each(self, x: Floats, y: Floats) -> Floats:
        """Return the figure at many points, float64[n]: the bits of `at` at each."""
        (row, s), (col, t) = _positions(self.x, x), _positions(self.y, y)
        values = self._padded
        start, end = (values[line, col] + t * (values[line, col + 1] - values[line, col])
                      for line in (row, row + 1))
        return np.asarray(start + s * (end - start))

    @cached_property
    def _padded(self) -> Floats:
        """The values with a row and a column more: where an axis has one point they count 0."""
        return np.pad(np.array(self.values), ((0, 1), (0, 1)), "edge")

    def place(self, x: float, y: float) -> Place:
        """Return where a point lies between those of the axes."""
        return *_position(self.x, x), *_position(self.y, y)

    def read(self, place: Place) -> float:
        """Return the figure at a place on the axes of this table."""
        row, s, col, t = place
        low = self.values[row]
        start = low[col]
        if t:
            start += t * (low[col + 1] - start)
        if not s:
            return start
        high = self.values[row + 1]
        end = high[col]
        if t:
            end += t * (high[col + 1] - end)
        return start + s * (end - start)

    def has_axes_of(self, other: Table) -> bool:
        """Whether a place in one is the same in the other; axes of one file are shared objects."""
        return self.x is other.x and self.y is other.y

    def to_list(self) -> list[Any]:
        """Return the table as JSON."""
        return [list(self.x), list(self.y), [list(row) for row in self.values]]

    @classmethod
    def from_list(cls, content: Any) -> Table:
        """Restore a table."""
        x, y, values = content
        return cls(_shared(tuple(map(float, x))), _shared(tuple(map(float, y))),
                   tuple(tuple(map(float, row)) for row in values))

    @classmethod
    def constant(cls, value: float) -> Table:
        """Return a table that is `value` everywhere."""
        return cls((0.0,), (0.0,), ((value,),))


def _position(axis: Axis, value: float) -> tuple[int, float]:
    """Return (i, t) such that `value` lies at axis[i] + t * (axis[i + 1] - axis[i])."""
    last = len(axis) - 1
    if not last:
        return 0, 0.0
    index = bisect_right(axis, value, 1, last) - 1  # an outer interval reaches beyond
    start = axis[index]
    return index, (value - start) / (axis[index + 1] - start)


def _positions(axis: Axis, values: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return `_position` of many values, int64[n] and float64[n]."""
    last = len(axis) - 1
    if not last:
        return np.zeros(len(values), np.int64), np.zeros(len(values))
    points = np.array(axis)
    index = np.searchsorted(points[1:last], values, side="right")
    return index, (values - points[index]) / (points[index + 1] - points[index])


@cache
def _shared(axis: Axis) -> Axis:
    """Return the first axis that was equal."""
    return axis
