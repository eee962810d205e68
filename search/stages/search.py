"""Search: one method on one problem, until it ends or its budget is spent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from hw.common.progress import Task
from search.certify.accuracy import least_right
from search.certify.expected import CertificateForecast
from search.measure.designs import Measure, Measured
from search.methods.base import Method, SearchTask
from search.problem.space import Assignment, Problem
from search.report.record import Candidate, MethodResult
from search.stages.records import Predictions, Searched

# A method that proposes only what it has already measured has nothing more to say.
MAX_REPEATS = 1000
# Measured between two writes to the trial store: what a killed run has to do again.
TOGETHER = 16
Keep = Callable[..., None]  # as `search.trials.study_store.TrialStore.add`


def search_task(problem: Problem, exact: Candidate, predictions: Predictions,
                forecast: CertificateForecast, *, loss: float, budget: int, seed: int,
                constraint: Literal["barrier", "native"]) -> SearchTask:
    """Return what methods are told; loss : allowed on the search splits, a fraction."""
    needed = tuple(least_right(right, n, loss)
                   for right, n in zip(exact.right, exact.images, strict=True))
    return SearchTask(
        problem=problem, images=exact.images, needed=needed, evaluations=budget, seed=seed,
        damage=predictions.damage, hopeless=predictions.hopeless, forecast=forecast,
        constraint=constraint)


def search(method: Method, task: SearchTask, measure: Measure, *, charge: float = 0.0,
           keep: Keep | None = None, progress: Task | None = None) -> Searched:
    """Run one method until it ends or has had `task.evaluations` measurements.

    charge : evaluations spent on its calibration; part of every number reported. keep : told of
    every candidate that was measured.

    `seconds` are what its measurements took when they were made: earlier answers save none.
    """
    problem = task.problem
    history, seen = list[Candidate](), dict[Assignment, Measured]()
    proposals = method.propose(task)
    answers: Sequence[Measured] | None = None
    repeats = 0
    while len(seen) < task.evaluations and repeats < MAX_REPEATS:
        try:
            designs = next(proposals) if answers is None else proposals.send(answers)
        except StopIteration:
            break
        # Asked before: answered, neither charged nor counted.
        fresh = [design for design in dict.fromkeys(designs) if design not in seen]
        repeats = 0 if fresh else repeats + 1
        for design in fresh:
            if not problem.fits(design):
                raise ValueError(f"Method {method.name} must propose designs within the limits, "
                                 f"not {problem.to_mapping(design)}")
        fresh = fresh[:task.evaluations - len(seen)]
        for first in range(0, len(fresh), TOGETHER):
            part = fresh[first:first + TOGETHER]
            measured = measure([problem.to_mapping(design) for design in part])
            for design, answer in zip(part, measured, strict=True):
                seen[design] = answer
                history.append(Candidate(
                    mapping=problem.to_mapping(design), energy=problem.relative_energy(design),
                    area=problem.relative_area(design), right=answer.right, images=task.images,
                    evaluation=math.ceil(charge + len(seen))))
                if keep is not None:
                    keep(method.name, history[-1], answer, shortfall=task.shortfall(answer))
            if progress is not None:
                progress.advance(len(part), note=_note(history, task.needed))
        if any(design not in seen for design in designs):  # the budget is spent
            break
        answers = [seen[design] for design in designs]
    proposals.close()
    found = cheapest(history, task.needed)
    return Searched(answers=list(seen.values()), result=MethodResult(
        method=method.name, evaluations=charge + len(seen),
        seconds=sum(answer.seconds for answer in seen.values()),
        accepted=found, best=found, history=history))


def cheapest(history: Sequence[Candidate], needed: Sequence[float]) -> Candidate | None:
    """Return the accepted candidate of least energy, the first measured of equals."""
    accepted = [candidate for candidate in history if candidate.keeps(needed)]
    return min(accepted, key=lambda candidate: candidate.energy, default=None)


def _note(history: Sequence[Candidate], needed: Sequence[float]) -> str:
    best = cheapest(history, needed)
    return f"best energy {best.energy:.3f}" if best else "none accepted yet"
