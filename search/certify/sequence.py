"""Which designs to certify, and in which order: planned before the certify split is used.

Designs are judged one after the other, each at the full level, up to the first failure; the last
one that passed is kept. Any order that does not depend on the certify images keeps the level, so
the one with the largest expected saving is chosen. A safe design first is a fallback for bolder
ones, but each further design may end the sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MAX_SEQUENCE = 8  # longer ones save hardly more, and each design is a pass of the certify split
SMALLEST_GAIN = 2e-4  # of the exact energy; for less a design is not judged


def expected_saving(passes: npt.NDArray[np.bool_], saved: Sequence[float],
                    sequence: Sequence[int]) -> float:
    """Return what judging designs in this order saves on average; nothing passed saves nothing.

    passes : bool[splits, designs], simulated. saved : by each design.
    """
    until = np.logical_and.accumulate(passes[:, list(sequence)], axis=1).sum(axis=1)
    return float(np.array([0.0, *(saved[index] for index in sequence)])[until].mean())


def plan_sequence(passes: npt.NDArray[np.bool_], saved: Sequence[float], *,
                  longest: int = MAX_SEQUENCE) -> list[int]:
    """Return the designs to judge, in order, each saving more than the one before.

    Local search: the best sequence with one design added or exchanged is taken until none is
    better. Every design costs `SMALLEST_GAIN`.

    passes : bool[splits, designs], whether each passes on each simulated certify split. saved :
    what each saves; only those that save anything are taken.
    """
    useful = [index for index in range(len(saved)) if saved[index] > 0]
    chosen: list[int] = []
    best = 0.0
    while True:
        others = [index for index in useful if index not in chosen]
        options = [{*chosen} - {old} | {new} for old in chosen for new in others]
        if len(chosen) < longest:
            options += [{*chosen, new} for new in others]
        ordered = [sorted(option, key=lambda index: (saved[index], index)) for option in options]
        values = [expected_saving(passes, saved, option) for option in ordered]
        worth = [value - SMALLEST_GAIN * len(option)
                 for value, option in zip(values, ordered, strict=True)]
        if not worth or max(worth) <= best:
            return chosen
        best = max(worth)
        chosen = ordered[int(np.argmax(worth))]
