"""Length of the wires of a net: a tree of horizontal and vertical wires through its pins."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def half_perimeter(points: Floats) -> float:
    """Return half the perimeter of the box around points, float64[n, 2]."""
    return float((points.max(axis=0) - points.min(axis=0)).sum())


def tree_length(points: Floats) -> float:
    """Return the length of a tree through all points, float64[n, 2].

    The point that is nearest to the tree joins it where it is nearest, by a bend that brings the
    tree closer to the points that wait. Half the perimeter is no longer, a minimum spanning tree
    no shorter; up to three points it is the shortest of all trees.
    """
    if len(points) <= 3:
        return half_perimeter(points) if len(points) else 0.0
    waiting, nearest = points[1:], np.repeat(points[:1], len(points) - 1, axis=0)
    length = 0.0
    while len(waiting):
        distances = np.abs(waiting - nearest).sum(axis=1)
        index = int(distances.argmin())
        length += float(distances[index])
        point, joint = waiting[index], nearest[index]
        waiting, nearest = np.delete(waiting, index, axis=0), np.delete(nearest, index, axis=0)
        bends = (np.array([point[0], joint[1]]), np.array([joint[0], point[1]]))
        nearest = min((_closer(waiting, nearest, point, bend, joint) for bend in bends),
                      key=lambda found: float(np.abs(waiting - found).sum()))
    return length


def _closer(waiting: Floats, nearest: Floats, *corners: Floats) -> Floats:
    """Return the nearest points of the tree after wires from corner to corner came to it."""
    for start, end in pairwise(corners):
        on_wire = np.clip(waiting, np.minimum(start, end), np.maximum(start, end))
        closer = np.abs(waiting - on_wire).sum(axis=1) < np.abs(waiting - nearest).sum(axis=1)
        nearest = np.where(closer[:, None], on_wire, nearest)
    return nearest
