"""The results page, written from `results.json` alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import wrap

from hw.common.files import write_bytes, write_text
from search.reproduce.results import NAME, Results
from search.reproduce.sections import (
    accuracy,
    bank36,
    commands,
    figures,
    limits,
    methods,
    published,
)
from search.reproduce.sections.bank36_figure import draw_tables
from search.reproduce.steps import DONE, Step

WIDTH = 112
WHOLE = ("|", "#", "!", "```")  # lines that are not prose
SECTIONS = (accuracy, figures, methods, published, bank36, limits, commands)


def render(results: Results, folder: str) -> str:
    """Return the page as Markdown; folder : of figures, relative to the page."""
    lines = [*_head(results, folder),
             *(line for section in SECTIONS for line in section.lines(results, folder))]
    return "\n".join(_wrapped("\n".join(lines).split("\n"))) + "\n"


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines of which prose is no longer than the project's, one blank line at a time."""
    code, blank = False, False
    for line in lines:
        code ^= line.startswith("```")
        if not (blank and not line):
            yield from [line] if code or line.startswith(WHOLE) or not line else wrap(
                line, WIDTH, subsequent_indent="  " * line.startswith("- "),
                break_long_words=False, break_on_hyphens=False)
        blank = not line


def publish(steps: Sequence[Step], work: Path, page: Path, stored: Path | None = None) -> None:
    """Write the page, and beside it a folder with the figures and what the page is made from.

    stored : `results.json` of another work folder, for the steps that are not finished in this one.
    """
    folder = page.with_suffix("")
    here = Results.collect(steps, work)
    figures = {step.name: work / step.figure for step in steps if step.figure}
    results = here
    if stored:
        results = here.completed(Results.load(stored))
        unfinished = {one.name for one in here.outcomes if one.state != DONE}
        figures |= {one.name: stored.parent / one.figure for one in results.outcomes
                    if one.figure and one.name in unfinished}
    drawings = {one.figure: figures[one.name].read_bytes() for one in results.outcomes
                if one.figure}
    results.save(folder / NAME)
    for name, drawing in drawings.items():
        write_bytes(folder / name, drawing)
    if points := bank36.points(results):
        write_text(folder / bank36.FIGURE, draw_tables(points))
    write_page(results, page)


def write_page(results: Results, page: Path) -> None:
    """Write the page atomically."""
    write_text(page, render(results, page.stem))


def _head(results: Results, folder: str) -> Iterator[str]:
    yield "# Results"
    yield ""
    yield ("`make reproduce DATA=FOLDER` runs the commands [at the end](#commands), each once, and "
           "writes this page; every number is read from what they left. "
           f"`python -m search.reproduce --from docs/{folder}/results.json` writes it from what is "
           "stored. FOLDER holds `nets/`, `images/` and `multipliers/`, from [public downloads]"
           "(data.md#public-downloads) where these are enough; `--dry-run` names the files that "
           "are missing. Energies are relative to "
           "the exact array on the same network and operands; *array* is the whole array with "
           "clock and registers, *chip* adds buffers, requantiser and control ([ppa.md](ppa.md)).")
    yield ""
    for machine in results.machines:
        yield (f"- Machine: {machine['cpu']}, {machine['cores']} cores, {machine['system']}; where "
               "it is shared with other work, processor times compare better than wall times.")
    for packages in results.packages:
        yield ("- Versions: " + ", ".join(f"{name} {version}" for name, version in packages.items())
               + "; the project's commit stands behind each [command](#commands).")
    yield ""
