"""Calibrated greedy: the layer and multiplier that save most per damage, one after another.

Starts from the exact array and tries the move with the best ratio of energy saved to damage
added, as that multiplier does in that layer alone. An accepted move stays; a
rejected one is never tried again, nor is a more damaging one in the same layer. In the
manner of Mrazek et al., "Libraries of approximate circuits: automated design and application
in CNN accelerators", IEEE JETCAS 10:406, 2020.
"""

from __future__ import annotations

import numpy as np

from search.methods.base import Method, Proposals, SearchTask, ask
from search.problem.space import Assignment


def search(task: SearchTask) -> Proposals:
    """Propose moves until none is left."""
    problem, damage = task.problem, task.calibrated_damage.alone
    current = problem.exact
    # Damage from which a layer's moves are known to be too much.
    ceiling = np.full(len(problem.layers), np.inf)
    while True:
        move = _best_move(task, current, damage, ceiling)
        if move is None:
            return
        layer, column = move
        proposal = _with(current, layer, column)
        if task.accepts((yield from ask(proposal))):
            current = proposal
        else:
            ceiling[layer] = damage[layer, column]


def _best_move(task: SearchTask, current: Assignment, damage: np.ndarray, ceiling: np.ndarray
               ) -> tuple[int, int] | None:
    problem = task.problem
    energy = problem.energy_pj(current)
    floor = 1e-6 * float(damage.max()) or 1.0  # a harmless move is not infinitely good
    best: tuple[float, int, int] | None = None
    for layer, now in enumerate(current):
        for column in range(len(problem.multipliers)):
            if column == now or damage[layer, column] >= ceiling[layer]:
                continue
            proposal = _with(current, layer, column)
            saved = energy - problem.energy_pj(proposal)
            if saved <= 0 or not problem.fits(proposal):
                continue
            added = max(float(damage[layer, column] - damage[layer, now]), floor)
            if best is None or saved / added > best[0]:
                best = (saved / added, layer, column)
    return None if best is None else best[1:]


def _with(assignment: Assignment, layer: int, column: int) -> Assignment:
    return (*assignment[:layer], column, *assignment[layer + 1:])


METHOD = Method(name="greedy", search=search, calibrated=True)
