"""Which designs to certify, and in which order: planned before the certify split is used.

Designs are judged one after the other by the fallback procedure (`search.certify.paired_test`); the
last one that passed is kept. Any order that does not depend on the certify images keeps the level,
so the one with the largest expected saving is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MAX_SEQUENCE = 8  # longer ones save hardly more, and each design is a pass of the certify split
# Of the level, for the first design; the rest is spread evenly. On the embedded digits and ResNet-8
# 0.4 and 0.6 certify as much; 1, a fixed sequence, half a point of energy less (docs/search.md).
FIRST_SHARE = 0.5
SMALLEST_GAIN = 2e-4  # of the exact energy; for less a design is not judged


def shares(count: int) -> list[float]:
    """Return the shares of the level that designs of a planned order have of their own."""
    if count == 1:
        return [1.0]
    return [FIRST_SHARE, *[(1 - FIRST_SHARE) / (count - 1)] * (count - 1)][:count]


def mean_saving(p_values: npt.NDArray[np.float64], saved: Sequence[float], level: float) -> float:
    """Return what judging designs in their order by the fallback procedure saves on average.

    p_values : float64[splits, designs], simulated. saved : by each design.
    """
    best, carried = (np.zeros(len(p_values)) for _ in range(2))
    for index, share in enumerate(shares(len(saved))):
        own = share * level + carried
        passed = p_values[:, index] <= own
        best = np.where(passed, np.maximum(best, saved[index]), best)
        carried = np.where(passed, own, 0.0)
    return float(best.mean())


def plan_sequence(p_values: npt.NDArray[np.float64], saved: Sequence[float], level: float, *,
                  longest: int = MAX_SEQUENCE) -> list[int]:
    """Return the designs to judge, in order, each saving more than the one before.

    Local search, once from nothing and once from designs spread over all: the best sequence with
    one design added, left out or exchanged is taken until none is better. Every design costs
    `SMALLEST_GAIN`, and share of the level.

    p_values : float64[splits, designs], simulated. saved : what each saves; only those that save
    anything are taken. level : of all tests together.
    """
    useful = sorted((index for index in range(len(saved)) if saved[index] > 0),
                    key=lambda index: (saved[index], index))
    places = np.linspace(0, len(useful) - 1, min(longest, len(useful))).round().astype(int)

    def worth(order: Sequence[int]) -> float:
        return (mean_saving(p_values[:, order], [saved[index] for index in order], level)
                - SMALLEST_GAIN * len(order)) if order else 0.0

    def improved(chosen: list[int]) -> list[int]:
        while True:
            others = [index for index in useful if index not in chosen]
            options = [{*chosen} - {old} | new for old in chosen
                       for new in [set[int](), *({new} for new in others)]]
            if len(chosen) < longest:
                options += [{*chosen, new} for new in others]
            ordered = [[index for index in useful if index in option] for option in options]
            best = max(ordered, key=worth, default=chosen)
            if worth(best) <= worth(chosen):
                return chosen
            chosen = best

    return max(improved([]), improved([useful[place] for place in places]), key=worth)
