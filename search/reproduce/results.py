"""Everything that the page says, as one JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from hw.common.files import write_json
from hw.common.records import read_record
from search.reproduce.findings import READERS
from search.reproduce.machine import PROJECT
from search.reproduce.steps import DONE, FAILED, STARTED, Record, Step, digests, missing, producers

FORMAT = "autoapprox-results/2"
NAME = "results.json"
NOT_RUN = "not run"
NOT_ASKED_FOR = "not asked for"
FIGURE_BYTES = 100_000  # a page is to load quickly
Figures = Mapping[str, Any]
Entry = TypeVar("Entry", bound=Figures)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One step: its command, whether and how long it ran, and what it found.

    command : as it was run, or as it would be. pattern : the same with a placeholder for what
    differs between steps of one kind. state : `done`, `failed` or `not run`, then `reason` says
    why; waits_for : the step that has to go first, if that is why. seconds, processor_seconds :
    that it took; 0 where it was not run. project : commit that it was run by, empty where there was
    none. figure : name of an SVG beside `results.json`.
    """

    name: str
    command: str
    pattern: str
    state: str
    reason: str = ""
    waits_for: str = ""
    seconds: float = 0.0
    processor_seconds: float = 0.0
    project: str = ""
    figure: str | None = None
    about: Mapping[str, str]
    found: Figures = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Results:
    """All steps, and what they were run on.

    machines, packages : distinct ones, each in the order of the steps; the latter name -> version.
    """

    machines: Sequence[Figures]
    packages: Sequence[Mapping[str, str]]
    outcomes: Sequence[Outcome]

    def found(self, **about: str) -> list[Outcome]:
        """Return the finished steps that are about all of that, in order."""
        return [outcome for outcome in self.outcomes if outcome.state == DONE
                and about.items() <= outcome.about.items()]

    def one(self, **about: str) -> Outcome | None:
        """Return the first finished step that is about all of that."""
        return next(iter(self.found(**about)), None)

    @classmethod
    def collect(cls, steps: Sequence[Step], work: Path) -> Results:
        """Read what steps left in the work folder."""
        records: list[Record] = []
        outcomes: list[Outcome] = []
        ended: dict[str, str] = {}
        for step in steps:
            record = Record.load(step.file(work, ".json"))
            before = [one.name for one in reversed(producers(step, steps))]
            waits_for = next((name for name in before if ended[name] != DONE), "")
            reason = _unfit(step, record, work)
            if before and not waits_for and missing(step, work):
                reason = "the step before left nothing for it"
            outcomes.append(_outcome(step, record, work, reason, waits_for))
            ended[step.name] = outcomes[-1].state
            if record is not None and outcomes[-1].state == DONE:
                records.append(record)
        return cls(machines=_distinct([record.machine for record in records]),
                   packages=_distinct([_packages(record) for record in records]),
                   outcomes=outcomes)

    def completed(self, other: Results) -> Results:
        """Return the same steps; what is finished in `other` and not here is taken from there.

        So is why a step was not run, if here it waits for one that was finished there. Machines and
        packages are those of both.
        """
        there = {outcome.name: outcome for outcome in other.outcomes}
        done = {name for name, outcome in there.items() if outcome.state == DONE}

        def better(one: Outcome) -> Outcome:
            if one.state == DONE or not {one.name, one.waits_for} & done:
                return one
            # A step that is new since then could have gone on.
            return there.get(one.name, replace(one, waits_for="", reason=NOT_ASKED_FOR))

        return Results(
            machines=_distinct([*other.machines, *self.machines]),
            packages=_distinct([*other.packages, *self.packages]),
            outcomes=[better(one) for one in self.outcomes])

    def save(self, path: Path) -> None:
        """Write `results.json` atomically."""
        write_json(path, {"format": FORMAT, **asdict(self)}, indent=1)

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read a file that `save` wrote; raises InputError naming it otherwise."""
        return read_record(path, cls, FORMAT)


def _distinct(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for index, entry in enumerate(entries) if entry not in entries[:index]]


def _packages(record: Record) -> dict[str, str]:
    return {name: version for name, version in record.versions.items()
            if version and name != PROJECT}


def _outcome(step: Step, record: Record | None, work: Path, reason: str, waits_for: str
             ) -> Outcome:
    """Return what became of a step, whatever budget it was run with."""
    command = step.text() if record is None else record.command
    pattern = command.replace(*step.varies) if step.varies else command
    state = (FAILED if record and record.state == FAILED else NOT_RUN) if reason else DONE
    if reason or record is None:
        return Outcome(name=step.name, command=command, pattern=pattern, about=step.about,
                       state=state, reason=reason, waits_for=waits_for)
    shown = step.figure and (work / step.figure).stat().st_size <= FIGURE_BYTES
    figure = f"{step.name.replace('/', '-')}.svg" if shown else None
    return Outcome(name=step.name, command=command, pattern=pattern, about=step.about, state=state,
                   figure=figure, seconds=round(record.seconds, 1),
                   processor_seconds=round(record.processor_seconds, 1),
                   project=record.versions.get(PROJECT) or "",
                   found=READERS[step.about["kind"]](step, work))


def _unfit(step: Step, record: Record | None, work: Path) -> str:
    """Return why a step has no result that counts, empty where it has one."""
    if absent := missing(step, work):
        return f"{', '.join(absent)} missing"
    if record is None:
        return NOT_ASKED_FOR
    if record.state == STARTED:
        return "begun and not finished; it goes on when run again"
    if record.state == FAILED:
        return record.message
    if any(not (work / name).exists() for name in step.outputs):
        return "its files were removed"
    return "" if dict(record.inputs) == digests(step, work) else "its inputs have changed since"
