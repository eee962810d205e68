"""Pareto fronts of figures that should all be small, and the hypervolume of two figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import le

Point = tuple[float, float]


def pareto_front(points: Sequence[tuple[float, ...]]) -> list[int]:
    """Return the indices of the points that no other is better than, by the first figure.

    points : of equally many figures, smaller is better in all. Of equal points the first is kept;
    a point that is worse than another in one figure and better in none is not on the front.
    """
    front: list[int] = []
    # Whatever beats a point comes before it in this order.
    for index in sorted(range(len(points)), key=lambda index: (*points[index], index)):
        if not any(all(map(le, points[kept], points[index])) for kept in front):
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
