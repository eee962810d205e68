"""Steps of one kind shown as one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from posixpath import commonpath

from search.reproduce.results import Outcome

MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Group:
    """Steps with one pattern, state and reason; times are their sums, projects their commits."""

    pattern: str
    state: str
    reason: str
    names: Sequence[str]
    seconds: float
    processor_seconds: float
    projects: Sequence[str]

    @property
    def label(self) -> str:
        """The names, or what many have in common."""
        if self.steps <= MOST_NAMED:
            return ", ".join(f"`{name}`" for name in self.names)
        return f"`{commonpath(self.names)}` ({self.steps} steps)"

    @property
    def steps(self) -> int:
        """How many."""
        return len(self.names)


def grouped(outcomes: Iterable[Outcome]) -> list[Group]:
    """Return the groups in the order of their first steps."""
    groups: dict[tuple[str, str, str], Group] = {}
    for one in outcomes:
        key = (one.pattern, one.state, one.reason)
        before = groups.get(key)
        if before is None:
            groups[key] = Group(pattern=one.pattern, state=one.state,
                                reason=one.reason, names=(one.name,), seconds=one.seconds,
                                processor_seconds=one.processor_seconds,
                                projects=(one.project,) * bool(one.project))
        else:
            groups[key] = replace(before, names=(*before.names, one.name),
                                  seconds=before.seconds + one.seconds,
                                  processor_seconds=before.processor_seconds
                                  + one.processor_seconds,
                                  projects=tuple(dict.fromkeys(filter(None, (
                                      *before.projects, one.project)))))
    return list(groups.values())
