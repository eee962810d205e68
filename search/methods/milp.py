"""The default: an integer program on calibrated damage, corrected by measurements.

1. Front: the cheapest design for each of a geometric series of damage limits.
2. Bisection along the front (only the designs it asks for are solved) for the cheapest one
   that keeps its accuracy.
3. Refinement: of all designs a little cheaper than the best so far, the one with the least
   predicted damage. The step grows with success and shrinks with failure; when it has shrunk
   to nothing it starts anew, for what failed is not proposed again.

Each measurement also gives the true damage (change of the logits), which corrects the
prediction layer by layer: a ridge regression towards "the calibration was right".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import lsq_linear

from search.assignment import AssignmentModel
from search.methods.base import Proposals, SearchTask
from search.oracle import Measured
from search.problem import Assignment

FRONT_POINTS = 24
RELATIVE_GAP = 2e-3  # the damage is only predicted: no need for the last digit
FIRST_STEP, SMALLEST_STEP = 0.02, 0.001  # relative energy below the best so far
GROWTH, DECAY = 1.5, 0.6
# The prediction is trusted to a factor of about two per layer, a measurement to 20 %.
PRIOR_SPREAD, MEASUREMENT_SPREAD = 1.0, 0.2
FACTOR_RANGE = (0.1, 10.0)


def search(task: SearchTask) -> Proposals:
    """Propose along the front, then refine until nothing cheaper exists."""
    problem = task.problem
    model = AssignmentModel(problem, relative_gap=RELATIVE_GAP)
    beliefs = _Beliefs(task.calibrated_damage)
    measured: dict[Assignment, Measured] = {}
    best = problem.exact if problem.fits(problem.exact) else None

    limits = _damage_limits(beliefs.damage)
    low, high = 0, len(limits)  # limits[:low] are kept to be safe, limits[high:] to be too much
    while low < high:
        middle = (low + high) // 2
        design = model.cheapest(beliefs.damage, limits[middle])
        if design is None:  # nothing so harmless exists
            low = middle + 1
            continue
        if design not in measured:
            measured[design] = yield design
            beliefs.add(design, measured[design].damage)
        if task.accepts(measured[design]):
            low = middle + 1
            if best is None or problem.energy_pj(design) < problem.energy_pj(best):
                best = design
        else:
            high = middle

    step = FIRST_STEP
    while True:
        energy = (1 - step) * problem.relative_energy(best) if best is not None else np.inf
        proposal = model.safest(beliefs.damage, min(energy, 1e3), excluded=measured)
        if proposal is None:  # nothing that cheap exists, or all of it is measured
            if step < SMALLEST_STEP:
                return
            step *= DECAY
            continue
        measured[proposal] = yield proposal
        beliefs.add(proposal, measured[proposal].damage)
        if task.accepts(measured[proposal]):
            best, step = proposal, step * GROWTH
        else:
            step = step * DECAY if step * DECAY >= SMALLEST_STEP else FIRST_STEP


def _damage_limits(damage: npt.NDArray[np.float64]) -> list[float]:
    """Return damage limits from none at all to more than any design has."""
    positive = damage[damage > 0]
    if not positive.size:
        return [0.0]
    worst = float(damage.max(axis=1).sum())
    return [0.0, *np.geomspace(float(positive.min()), worst, FRONT_POINTS - 1).tolist()]


class _Beliefs:
    """Predicted damage, corrected by one factor per layer."""

    def __init__(self, prior: npt.NDArray[np.float64]) -> None:
        self._prior = prior
        self._factors = np.ones(prior.shape[0])
        self._rows: list[npt.NDArray[np.float64]] = []

    @property
    def damage(self) -> npt.NDArray[np.float64]:
        """Damage of each (layer, multiplier) as now believed, float64[N, K]."""
        return self._factors[:, None] * self._prior

    def add(self, design: Assignment, damage: float) -> None:
        """Learn from the measured damage of a whole design; relative errors count."""
        parts = self._prior[np.arange(len(design)), list(design)]
        if damage <= 0 or not parts.any():
            return
        self._rows.append(parts / damage / MEASUREMENT_SPREAD)
        layers = len(design)
        left = np.vstack([*self._rows, np.eye(layers) / PRIOR_SPREAD])
        right = np.concatenate([np.full(len(self._rows), 1 / MEASUREMENT_SPREAD),
                                np.full(layers, 1 / PRIOR_SPREAD)])
        self._factors = lsq_linear(left, right, bounds=FACTOR_RANGE).x
