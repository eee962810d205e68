"""The designs that a run measured, one line each: what they take, keep, and what was judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from search.certify.accuracy import least_right
from search.report.record import Candidate, Judged, RunResult
from search.report.verdict import bounds


@dataclass(frozen=True, kw_only=True)
class MeasuredRow:
    """A design as a method measured it; accepted : whether it kept the search accuracy."""

    method: str
    design: Candidate
    accepted: bool
    judged: Judged | None

    @property
    def outcome(self) -> str:
        """What the certify split said of it."""
        return outcome(self.judged)


def judged_as(run: RunResult, design: Candidate) -> Judged | None:
    """Return a design as it was judged, None where it was not."""
    return next((one for one in run.judged if one.design.mapping == design.mapping), None)


def outcome(judged: Judged | None) -> str:
    """Return what became of a design, in words."""
    if judged is None:
        return "not judged"
    return f"{judged.verdict}, bound {bounds(judged)} points"


def measured_rows(run: RunResult) -> Iterator[MeasuredRow]:
    """Yield every design of every method, in the order in which it was measured."""
    loss = float(run.configuration.get("search_loss", 0))
    needed = [least_right(right, images, loss)
              for right, images in zip(run.exact.right, run.exact.images, strict=True)]
    for method in run.methods:
        for design in method.history:
            yield MeasuredRow(method=method.method, design=design, accepted=design.keeps(needed),
                              judged=judged_as(run, design))
