"""What a search method is, and the loop that runs one.

A method is a generator: it yields an assignment it wants measured and is sent the answer.

    answer = yield assignment

It holds no budget, cache, clock or file; the loop does, the same for all. The loop ends a
method when its budget is spent, so a method may propose for ever.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from search.oracle import Measured, Oracle
from search.problem import Assignment, Problem
from search.result import Candidate, MethodResult

Proposals = Generator[Assignment, Measured, None]
# A method that proposes only what it has already measured has nothing more to say.
MAX_REPEATS = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchTask:
    """All that a method is told.

    Parameters
    ----------
    problem : Problem
    needed : int
        Images of the search split that a design must classify correctly.
    evaluations : int
        Measurements it will be given at most.
    seed : int
    damage : float64[N, K], optional
        Predicted damage of each (layer, multiplier), for methods that ask for calibration.
    """

    problem: Problem
    needed: int
    evaluations: int
    seed: int
    damage: npt.NDArray[np.float64] | None = None

    def accepts(self, measured: Measured) -> bool:
        """Return whether the accuracy is kept on the search split."""
        return measured.right >= self.needed

    @property
    def calibrated_damage(self) -> npt.NDArray[np.float64]:
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
        """Yield assignments; each yield evaluates to what was measured."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """An entry of the registry.

    calibration : what `SearchTask.damage` holds and what is charged for it: `none`; `probes`,
    the histogram surrogate with one probe per layer; `study`, every (layer, multiplier)
    measured alone. check : raises ToolError when the method cannot run here.
    """

    name: str
    summary: str
    search: Searcher
    calibration: Literal["none", "probes", "study"] = "none"
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
    problem, history = task.problem, list[Candidate]()
    seen: dict[Assignment, Measured] = {}
    waited = borrowed = 0.0
    started = time.perf_counter()
    proposals = method.search(task)
    answer: Measured | None = None
    repeats = 0
    while len(seen) < task.evaluations and repeats < MAX_REPEATS:
        try:
            assignment = next(proposals) if answer is None else proposals.send(answer)
        except StopIteration:
            break
        if assignment in seen:  # asked before: answered, neither charged nor counted
            repeats += 1
            answer = seen[assignment]
            continue
        if not problem.fits(assignment):
            raise ValueError(f"Method {method.name} must propose designs within the limits, "
                             f"not {problem.to_mapping(assignment)}")
        repeats = 0
        before = time.perf_counter()
        answer = seen[assignment] = oracle.measure(assignment)
        waited += time.perf_counter() - before
        borrowed += answer.seconds
        candidate = Candidate(
            mapping=problem.to_mapping(assignment), energy=problem.relative_energy(assignment),
            area=problem.relative_area(assignment), search_right=answer.right,
            search_n=oracle.images, evaluation=math.ceil(charge + len(seen)))
        history.append(candidate)
        oracle.keep(method.name, candidate, needed=task.needed)
        if progress is not None:
            progress.advance(note=_note(history, task.needed))
    proposals.close()
    return MethodResult(method=method.name, evaluations=charge + len(seen),
                        seconds=time.perf_counter() - started - waited + borrowed,
                        best=cheapest(history, task.needed), history=history)


def cheapest(history: list[Candidate], needed: int) -> Candidate | None:
    """Return the accepted candidate of least energy, the first measured of equals."""
    accepted = [candidate for candidate in history if candidate.search_right >= needed]
    return min(accepted, key=lambda candidate: candidate.energy, default=None)


def _note(history: list[Candidate], needed: int) -> str:
    best = cheapest(history, needed)
    return f"best energy {best.energy:.3f}" if best else "none accepted yet"
