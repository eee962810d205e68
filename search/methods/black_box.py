"""What Optuna's samplers share: the encoding of a design and the loop around a study.

The bank is encoded explicitly, as A array choices, and each layer chooses one of those
arrays: with one free choice of multiplier per layer a sampler hardly ever meets "at most A
arrays". The study lives in memory; finished candidates are mirrored elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.methods.base import Proposals, SearchTask
from search.problem import TOLERANCE, Assignment, Problem

if TYPE_CHECKING:
    import optuna

MAX_MISSES = 200  # proposals in a row that break a limit which needs no measurement


def proposals(task: SearchTask, sampler: optuna.samplers.BaseSampler) -> Proposals:
    """Propose what the sampler draws; tell it energy, accuracy and area.

    Designs over the area limit are told without being measured: their area is known.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    problem = task.problem
    study = optuna.create_study(sampler=sampler, direction="minimize")
    misses = 0
    while misses < MAX_MISSES:
        trial = study.ask()
        design = _decode(trial, problem)
        excess = problem.relative_area(design) - problem.area_limit - TOLERANCE
        trial.set_constraint("area", excess)
        crowded = len(problem.bank(design)) - problem.max_arrays
        trial.set_constraint("arrays", crowded)
        if excess > 0 or crowded > 0:
            misses += 1
            trial.set_constraint("accuracy", 0.0)
        else:
            misses = 0
            measured = yield design
            trial.set_constraint("accuracy", float(task.needed - measured.right))
        study.tell(trial, problem.relative_energy(design))


def _decode(trial: optuna.Trial, problem: Problem) -> Assignment:
    # With a kept exact array one of the A places is taken.
    free = problem.max_arrays - (1 if problem.keep_exact and problem.max_arrays > 1 else 0)
    slots = list(range(min(free, len(problem.multipliers))))
    bank = [trial.suggest_categorical(f"array{slot}", range(len(problem.multipliers)))
            for slot in slots]
    if free < problem.max_arrays:
        slots.append(len(slots))
        bank.append(problem.reference)
    return tuple(bank[trial.suggest_categorical(f"layer{index}", slots)]
                 for index in range(len(problem.layers)))
