"""Steps of one kind shown as one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from search.reproduce.results import Outcome


@dataclass(frozen=True, kw_only=True)
class Group:
    """Steps with one pattern, state and reason; times are their sums."""

    label: str
    pattern: str
    state: str
    reason: str
    names: Sequence[str]
    seconds: float
    processor_seconds: float

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
            groups[key] = Group(label=f"`{one.name}`", pattern=one.pattern, state=one.state,
                                reason=one.reason, names=(one.name,), seconds=one.seconds,
                                processor_seconds=one.processor_seconds)
        else:
            parent = one.name.rsplit("/", 1)[0]
            groups[key] = replace(before, label=f"`{parent}`", names=(*before.names, one.name),
                                  seconds=before.seconds + one.seconds,
                                  processor_seconds=before.processor_seconds
                                  + one.processor_seconds)
    return list(groups.values())
