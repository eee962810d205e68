"""Section: the commands that were run, and what they took."""

from __future__ import annotations

from collections.abc import Iterator

from hw.common.wording import duration
from search.reproduce.results import Results
from search.reproduce.sections.grouping import grouped
from search.reproduce.steps import DONE


def lines(results: Results, folder: str) -> Iterator[str]:
    """Yield the section."""
    yield from ("## Commands", "")
    yield ("Run in the work folder (`runs/reproduce`), where `data` is FOLDER; behind each, "
           "processor time, wall time and the project's commit. Words in capitals stand for what "
           f"differs between steps of one kind; [{folder}/results.json]({folder}/results.json) has "
           "each command in full, its time and what was read from it.")
    yield from ("", "```text")
    for group in grouped([one for one in results.outcomes if one.state == DONE]):
        times = f"{group.steps} steps, " * (group.steps > 1)
        commits = f"; {', '.join(group.projects)}" * bool(group.projects)
        yield (f"{group.pattern}   # {times}{duration(group.processor_seconds)}, "
               f"{duration(group.seconds)}{commits}")
    yield "```"
