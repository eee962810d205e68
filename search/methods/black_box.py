"""What Optuna's samplers share: encodings of a design and the loop around a study.

The bank is encoded explicitly, as A array choices: with one free choice of multiplier per layer a
sampler hardly ever meets "at most A arrays". The study lives in memory; finished candidates are
mirrored elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from search.measure.designs import Measured
from search.methods.base import Proposals, SearchTask, ask
from search.problem.space import TOLERANCE, Assignment, Problem

if TYPE_CHECKING:
    import optuna

MAX_MISSES = 200  # proposals in a row that break a limit which needs no measurement

Decode = Callable[["optuna.Trial"], Assignment]
Objective = Callable[[Assignment, Measured], float]


def proposals(task: SearchTask, sampler: optuna.samplers.BaseSampler, decode: Decode, *,
              barrier: Objective | None = None) -> Proposals:
    """Propose what the sampler draws; tell it energy, accuracy and area.

    Designs over the area limit are told without being measured: their area is known.

    barrier : instead, what to tell of a measured design; the sampler then knows no constraint
    but the limits that need no measurement.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    problem = task.problem
    study = optuna.create_study(sampler=sampler, direction="minimize")
    misses = 0
    while misses < MAX_MISSES:
        trial = study.ask()
        design = decode(trial)
        excess = problem.relative_area(design) - problem.area_limit - TOLERANCE
        crowded = len(problem.bank(design)) - problem.max_arrays
        trial.set_constraint("area", excess)
        trial.set_constraint("arrays", crowded)
        value, shortfall = problem.relative_energy(design), 0.0
        if excess > 0 or crowded > 0:
            misses += 1
        else:
            misses = 0
            measured = yield from ask(design)
            if barrier is None:
                shortfall = float(task.shortfall(measured))
            else:
                value = barrier(design, measured)
        trial.set_constraint("accuracy", shortfall)
        study.tell(trial, value)


def free_slots(problem: Problem) -> int:
    """Return how many arrays may be chosen: a kept exact one takes a place."""
    kept = problem.keep_exact and problem.max_arrays > 1
    return min(problem.max_arrays - kept, len(problem.multipliers))


def any_layer_any_array(problem: Problem) -> Decode:
    """Return the plain encoding: A arrays, and one of them for each layer."""
    free = free_slots(problem)
    fixed = [problem.reference] if problem.keep_exact and problem.max_arrays > 1 else []

    def decode(trial: optuna.Trial) -> Assignment:
        bank = [trial.suggest_categorical(f"array{slot}", range(len(problem.multipliers)))
                for slot in range(free)] + fixed
        return tuple(bank[trial.suggest_categorical(f"layer{index}", range(len(bank)))]
                     for index in range(len(problem.layers)))

    return decode


def within_targets(task: SearchTask, *, together: bool) -> Decode:
    """Return the relaxed encoding: A arrays on an ordered scale, and how much damage is allowed.

    Each layer runs on the cheapest array of the bank whose damage in it is within the target, or
    on the least damaging one. Targets are continuous, on a logarithmic scale from the smallest
    damage of any (layer, multiplier) to the largest that is not hopeless; `together` there is one
    for all layers, else one for each.
    """
    problem, damage = task.problem, task.calibrated_damage.alone
    order = np.argsort(-problem.layer_energy_pj().sum(axis=0), kind="stable")  # dearest first
    positive = damage[damage > 0]
    low = float(positive.min()) if positive.size else 1.0
    high = max(low, min(float(damage.max()), task.hopeless))
    fixed = [problem.reference] if problem.keep_exact and problem.max_arrays > 1 else []
    layers = len(problem.layers)

    def decode(trial: optuna.Trial) -> Assignment:
        bank = fixed + [int(order[trial.suggest_int(f"array{slot}", 0, len(order) - 1)])
                        for slot in range(free_slots(problem))]
        targets = ([trial.suggest_float("target", 0, 1)] * layers if together else
                   [trial.suggest_float(f"target{index}", 0, 1) for index in range(layers)])
        limits = low * (high / low) ** np.array(targets)
        return tuple(cheapest(bank, layer, limit) for layer, limit in enumerate(limits))

    def cheapest(bank: list[int], layer: int, limit: float) -> int:
        harmless = [column for column in bank if damage[layer, column] <= limit]
        if harmless:
            return min(harmless, key=lambda column: problem.dynamic_pj[layer, column])
        return min(bank, key=lambda column: damage[layer, column])

    return decode
