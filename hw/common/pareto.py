"""Pareto fronts of two figures that should both be small, and their hypervolume."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]


def pareto_front(points: Sequence[Point]) -> list[int]:
    """Return the indices of the points that no other is better than, by the first figure.

    points : pairs, smaller is better in both. Of equal points the first is kept; a point that
    equals another in one figure and is worse in the other is not on the front.
    """
    front: list[int] = []
    lowest = math.inf
    for index in sorted(range(len(points)), key=lambda index: (*points[index], index)):
        if points[index][1] < lowest:
            lowest = points[index][1]
            front.append(index)
    return front


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Return the area between a set of points and a reference that is worse in both figures.

    Parameters
    ----------
    points : sequence of (float, float)
        Smaller is better in both. One that is not below the reference in both adds nothing.
    reference : (float, float)

    Returns
    -------
    float
        Area of the union of the rectangles from each point to the reference (Zitzler and
        Thiele, PPSN V, 1998), in the product of the two units.

    Raises
    ------
    ValueError
        A figure is not a number, or infinite.
    """
    if not all(math.isfinite(figure) for point in (*points, reference) for figure in point):
        raise ValueError("Hypervolume must be of finite figures")
    right, top = reference
    inside = [point for point in points if point[0] < right and point[1] < top]
    total, ceiling = 0.0, top
    for index in pareto_front(inside):
        first, second = inside[index]
        total += (right - first) * (ceiling - second)
        ceiling = second
    return total
