"""What a search method is, and the loop that runs one.

A method is a generator: it yields the designs it wants measured, as many as it can name before
it needs an answer, and is sent what was measured, in the same order.

    answers = yield [design, ...]        answer = yield from ask(design)

Designs that are asked for together share what they have in common. A method holds no budget,
cache, clock or file; the loop does, the same for all, and ends it when its budget is spent: a
method may propose for ever.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from search.certify.accuracy import shortfall
from search.certify.expected import CertificateForecast
from search.measure.damage import Damage
from search.measure.oracle import Measured, Oracle
from search.problem.space import Assignment, Problem
from search.report.record import Candidate, MethodResult

Proposals = Generator[Sequence[Assignment], Sequence[Measured], None]
# A method that proposes only what it has already measured has nothing more to say.
MAX_REPEATS = 1000
# Measured between two writes to the trial store: what a killed run has to do again.
TOGETHER = 16


def ask(design: Assignment) -> Generator[Sequence[Assignment], Sequence[Measured], Measured]:
    """Have one design measured: `answer = yield from ask(design)`."""
    (answer,) = yield [design]
    return answer


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchTask:
    """All that a method is told.

    Parameters
    ----------
    problem : Problem
    needed, images : tuple of int
        Of each network: images of its search split, of `images`, that must be classified correctly.
    evaluations : int
        Measurements it will be given at most.
    seed : int
    damage : Damage, optional
        Predicted, for methods that ask for calibration.
    hopeless : float
        Damage from which on no design that calibration measured kept the accuracy.
    forecast : CertificateForecast, optional
        What tells the chances of measured designs to be certified, for methods that care.
    constraint : str
        How methods that leave the choice treat accuracy and area: `barrier` adds exponential
        barriers to the energy, `native` hands them to the sampler as constraints.
    """

    problem: Problem
    needed: tuple[int, ...]
    evaluations: int
    seed: int
    images: tuple[int, ...]
    damage: Damage | None = None
    hopeless: float = math.inf
    forecast: CertificateForecast | None = None
    constraint: Literal["barrier", "native"] = "barrier"

    def accepts(self, measured: Measured) -> bool:
        """Return whether every network keeps its accuracy on its search split."""
        return self.shortfall(measured) <= 0

    def shortfall(self, measured: Measured) -> int:
        """Return how many images are missing; at most 0 where the accuracy is kept."""
        return shortfall(measured.right, self.needed)

    @property
    def calibrated_damage(self) -> Damage:
        """The calibration, for methods that are declared to have one."""
        if self.damage is None:
            raise ValueError("Search task must carry the damage that this method asked for")
        return self.damage


class Searcher(Protocol):
    """The interface of every method: proposals out, measurements in.

    Every proposal must fit the limits of the problem. The same task must lead to the same
    proposals. A method may return early when it has nothing more to propose.
    """

    def __call__(self, task: SearchTask) -> Proposals:
        """Yield lists of assignments; each yield evaluates to what was measured of them."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """An entry of the registry.

    calibrated : it is given, and charged for, predictions of the damage. check : raises ToolError
    when the method cannot run here.
    """

    name: str
    summary: str
    search: Searcher
    calibrated: bool = False
    check: Callable[[], None] = lambda: None


class Counter(Protocol):
    """Told of every measurement; `hw.common.progress.Task` is one."""

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        """Count `steps` as done."""


def run_method(method: Method, task: SearchTask, oracle: Oracle, *, charge: float = 0.0,
               progress: Counter | None = None) -> MethodResult:
    """Run one method until it ends or has had `task.evaluations` measurements.

    charge : evaluations spent on its calibration; part of every number reported.

    Time is the method's own plus what its measurements took when they were made, so that an
    answer found by an earlier method or run does not make it look faster.
    """
    history, seen = list[Candidate](), dict[Assignment, Measured]()
    waited = borrowed = 0.0
    started = time.perf_counter()
    proposals = method.search(task)
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
            _check(method, task.problem, design)
        fresh = fresh[:task.evaluations - len(seen)]
        for first in range(0, len(fresh), TOGETHER):
            part = fresh[first:first + TOGETHER]
            before = time.perf_counter()
            measured = oracle.measure(part)
            waited += time.perf_counter() - before
            borrowed += sum(answer.seconds for answer in measured)
            for design, answer in zip(part, measured, strict=True):
                seen[design] = answer
                history.append(_candidate(task, oracle, design, answer,
                                          math.ceil(charge + len(seen))))
                oracle.keep(method.name, history[-1], shortfall=task.shortfall(answer))
            if progress is not None:
                progress.advance(len(part), note=_note(history, task.needed))
        if any(design not in seen for design in designs):  # the budget is spent
            break
        answers = [seen[design] for design in designs]
    proposals.close()
    found = cheapest(history, task.needed)
    return MethodResult(method=method.name, evaluations=charge + len(seen),
                        seconds=time.perf_counter() - started - waited + borrowed,
                        accepted=found, best=found, history=history)


def _check(method: Method, problem: Problem, design: Assignment) -> None:
    if not problem.fits(design):
        raise ValueError(f"Method {method.name} must propose designs within the limits, "
                         f"not {problem.to_mapping(design)}")


def _candidate(task: SearchTask, oracle: Oracle, design: Assignment, answer: Measured,
               evaluation: int) -> Candidate:
    problem = task.problem
    return Candidate(
        mapping=problem.to_mapping(design), energy=problem.relative_energy(design),
        area=problem.relative_area(design), right=answer.right, images=oracle.images,
        evaluation=evaluation)


def cheapest(history: Sequence[Candidate], needed: Sequence[int]) -> Candidate | None:
    """Return the accepted candidate of least energy, the first measured of equals."""
    accepted = [candidate for candidate in history if candidate.keeps(needed)]
    return min(accepted, key=lambda candidate: candidate.energy, default=None)


def _note(history: Sequence[Candidate], needed: Sequence[int]) -> str:
    best = cheapest(history, needed)
    return f"best energy {best.energy:.3f}" if best else "none accepted yet"
