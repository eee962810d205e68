"""When the accuracy is kept: every network keeps its own, and no count is added over networks."""

from __future__ import annotations

import math
from collections.abc import Sequence


def least_right(exact_right: float, images: int, loss: float) -> float:
    """Return the images that a network must classify correctly.

    exact_right : of `images`, what the exact network does. loss : what may be lost, a fraction.
    """
    return exact_right - math.floor(loss * images + 1e-9)  # 0.3 * 10 is less than 3


def shortfall(right: Sequence[float], needed: Sequence[float]) -> float:
    """Return how many images are missing: positive if a network misses some, else at most 0.

    If some networks miss images, the sum of what they miss: another network's surplus does not
    count. Otherwise minus the smallest surplus.

    right, needed : images that each network classifies, and must classify, correctly.
    """
    missing = [least - count for count, least in zip(right, needed, strict=True)]
    return sum(count for count in missing if count > 0) or max(missing)
