"""What a method may ask of the network: how a candidate does on the search split.

A candidate is measured once per run, whoever asks; every answer goes to the trial store, so
an interrupted run finds it again. Each method is still charged for what it asked: counting
is the business of `search.methods.base`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from search.problem.space import Assignment, Problem
from search.report.record import Candidate


class Measured(NamedTuple):
    """One pass of the search split of every network.

    right : images that each network classifies correctly. lost : images that each classifies
    correctly only where it is exact. damages : mean squared change of each network's logits
    divided by the variance of its exact ones. seconds : what the pass took when it was made.
    """

    right: tuple[int, ...]
    lost: tuple[int, ...]
    damages: tuple[float, ...]
    seconds: float

    @property
    def damage(self) -> float:
        """The damage of the design: that of all networks together."""
        return sum(self.damages)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Measured:
        """Restore what was stored as JSON under the names of the fields."""
        return cls(right=tuple(values["right"]), lost=tuple(values["lost"]),
                   damages=tuple(values["damages"]), seconds=values["seconds"])


class Trials(Protocol):
    """Where finished candidates are kept; `search.trials.study_store.TrialStore` is one."""

    def known(self) -> Mapping[str, Measured]:
        """Return what earlier, interrupted runs measured, by `key`."""

    def add(self, method: str, candidate: Candidate, measured: Measured, *, shortfall: int
            ) -> None:
        """Keep one finished candidate of a method; a repeated one is kept once."""


class Oracle:
    """Answers, each computed once.

    Parameters
    ----------
    problem : Problem
    evaluate : callable
        Several mappings of layer to multiplier name -> Measured of each.
    images : tuple of int
        Size of the search split of each network.
    trials : Trials, optional
        Finished candidates are read from it and kept in it.
    """

    def __init__(self, problem: Problem,
                 evaluate: Callable[[Sequence[Mapping[str, str]]], Sequence[Measured]], *,
                 images: tuple[int, ...], trials: Trials | None = None) -> None:
        self.problem, self.images = problem, images
        self._evaluate, self._trials = evaluate, trials
        self._known: dict[str, Measured] = dict(trials.known()) if trials else {}
        self.passes = 0  # really made in this process

    def measure(self, designs: Sequence[Assignment]) -> list[Measured]:
        """Return the accuracy of every candidate, measuring only those that nobody has."""
        mappings = {key(mapping): mapping for mapping in map(self.problem.to_mapping, designs)}
        wanted = {name: mapping for name, mapping in mappings.items() if name not in self._known}
        if wanted:
            found = self._evaluate(list(wanted.values()))
            self._known.update(zip(wanted, found, strict=True))
            self.passes += len(wanted)
        return [self._known[key(self.problem.to_mapping(design))] for design in designs]

    def keep(self, method: str, candidate: Candidate, *, shortfall: int) -> None:
        """Mirror a candidate that was measured for `method` into the trial store."""
        if self._trials is not None:
            self._trials.add(method, candidate, self._known[key(candidate.mapping)],
                             shortfall=shortfall)


def key(mapping: Mapping[str, str]) -> str:
    """Return a text that equals for equal mappings, whatever their order."""
    return "\n".join(f"{layer}\t{mapping[layer]}" for layer in sorted(mapping))
