"""What a search method is.

A method is a generator: it yields the designs it wants measured, as many as it can name before
it needs an answer, and is sent what was measured, in the same order.

    answers = yield [design, ...]        answer = yield from ask(design)

Designs that are asked for together share what they have in common. A method holds no budget,
cache, clock or file: `search.stages.search` ends it when its budget is spent, and a method may
propose for ever.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from hw.common.errors import InputError
from hw.common.records import record
from search.certify.accuracy import shortfall
from search.measure.damage import Damage
from search.measure.designs import Measured
from search.problem.space import Assignment, Problem

if TYPE_CHECKING:
    from search.certify.expected import CertificateForecast

Proposals = Generator[Sequence[Assignment], Sequence[Measured], None]


def ask(design: Assignment) -> Generator[Sequence[Assignment], Sequence[Measured], Measured]:
    """Have one design measured: `answer = yield from ask(design)`."""
    (answer,) = yield [design]
    return answer


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchTask:
    """All that a method is told.

    needed, images : of each network and part of the metric, images of its search split, of
    `images`, that must be right. evaluations : measurements it will be given at most. damage :
    predicted, for methods that ask for calibration. hopeless : damage from which on no design that
    calibration measured kept the accuracy. forecast : what tells the chances of measured designs
    to be certified. constraint : how methods that leave the choice treat accuracy and area:
    `barrier` adds exponential barriers to the energy, `native` hands them to the sampler.
    """

    problem: Problem
    needed: tuple[float, ...]
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

    def shortfall(self, measured: Measured) -> float:
        """Return how many images are missing; at most 0 where the accuracy is kept."""
        return shortfall(measured.right, self.needed)

    def only(self, columns: Sequence[int]) -> SearchTask:
        """Return the task with some of the multipliers, ascending."""
        return replace(self, problem=self.problem.only(columns),
                       damage=self.damage and self.damage.only(columns))

    @property
    def calibrated_damage(self) -> Damage:
        """The calibration, for methods that are declared to have one."""
        if self.damage is None:
            raise ValueError("Search task must carry the damage that this method asked for")
        return self.damage


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method of the registry.

    search : generator function of a `SearchTask`, and of `settings` where there are any. Every
    proposal must fit the limits of the problem; the same task must lead to the same proposals. It
    may return early when it has nothing more to propose.
    calibrated : it is given, and charged for, predictions of the damage. bank : the word of
    `--multipliers` for what it chooses from, where that is not what the run offers. check : raises
    ToolError when the method cannot run here. settings : its constants, a frozen record with
    defaults.
    """

    name: str
    search: Callable[..., Proposals]
    calibrated: bool = False
    bank: str | None = None
    check: Callable[[], None] = lambda: None
    settings: Any = None

    def propose(self, task: SearchTask) -> Proposals:
        """Start the method with its settings."""
        return self.search(task) if self.settings is None else self.search(task, self.settings)

    def with_options(self, options: Sequence[str]) -> Method:
        """Return the method with settings given as NAME=VALUE, the value in JSON."""
        if not options:
            return self
        if self.settings is None:
            raise InputError(f"--method-option must not be given to {self.name}, which has none")
        given = {}
        for name, _equals, text in (option.partition("=") for option in options):
            try:
                given[name] = json.loads(text)
            except ValueError:
                raise InputError(f"--method-option {name} must be NAME=VALUE, the value a number "
                                 f"or a list, not {text!r}") from None
        return replace(self, settings=record(type(self.settings), given, "--method-option"))
