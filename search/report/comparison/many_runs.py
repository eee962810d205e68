"""Many runs in one table, a line each: what each certifies, and what it took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hw.common.errors import InputError
from search.certify.paired_test import points_of
from search.report.record import RunResult
from search.trials.folder import UNFINISHED

RESULT = "run.json"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A run folder; written : when its result was, or when an unfinished one last changed.

    run : None where there is no result; fault : why, in words.
    """

    name: str
    written: datetime
    run: RunResult | None
    fault: str = ""


def _relative(level: str) -> Callable[[RunResult], float]:
    return lambda run: run.kept_figures.relative(run.baseline)[level]


def _certificate(run: RunResult) -> str:
    margin = points_of(run.certificate.margin)
    return f"at most {margin} points lost" if run.certified else "exact array"


# Column -> its value, and how a number is written. Energies and areas are relative to each run's
# baseline; held_out, bound and margin, in percent and points, are of the claim that is closest to
# failing.
COLUMNS: Mapping[str, tuple[Callable[[RunResult], Any], str]] = {
    "network": (lambda run: run.network, ""),
    "method": (lambda run: run.chosen, ""),
    "multiplier": (_relative("multiplier"), ".3f"),
    "array": (_relative("array"), ".3f"),
    "chip": (_relative("chip"), ".3f"),
    "area": (lambda run: run.kept.area, ".3f"),
    "latency_us": (lambda run: run.kept_figures.latency_us, ".4g"),
    "held_out": (lambda run: 100 * run.certificate.share, ".2f"),
    "bound": (lambda run: 100 * run.certificate.lower_bound, "+.2f"),
    "margin": (lambda run: 100 * run.certificate.margin, ".2f"),
    "certificate": (_certificate, ""),
    "evaluations": (lambda run: run.winner.evaluations, ".1f"),
    "seconds": (lambda run: run.seconds, ".0f"),
}
SHORT = ("network", "method", "array", "chip", "area", "certificate")
NAMES = ("run", *COLUMNS, "written")


def find_runs(folders: Iterable[Path]) -> list[Listed]:
    """Return the runs of folders, each a run folder or a parent of some.

    Raises InputError where a folder is none, or has no run.
    """
    found: list[Listed] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: must be a folder of runs")
        inside = [folder] if _is_run(folder) else sorted(filter(_is_run, folder.iterdir()))
        if not inside:
            raise InputError(f"{folder}: must be a run folder or hold some, but no folder in it "
                             f"has a {RESULT}")
        found += map(_listed, inside)
    return found


def _is_run(folder: Path) -> bool:
    return (folder / RESULT).is_file() or (folder.is_dir() and folder.name.endswith(UNFINISHED))


def _listed(folder: Path) -> Listed:
    path = folder / RESULT
    finished = path.is_file()
    written = datetime.fromtimestamp((path if finished else folder).stat().st_mtime).astimezone()
    if not finished:
        return Listed(name=str(folder), written=written, run=None, fault="unfinished")
    try:
        return Listed(name=str(folder), written=written, run=RunResult.load(path))
    except InputError as error:
        return Listed(name=str(folder), written=written, run=None, fault=str(error))


def values(one: Listed) -> dict[str, Any]:
    """Return column -> value, JSON-ready; None where the run has no result."""
    return {"run": one.name, **{name: None if one.run is None else value(one.run)
                                for name, (value, _text) in COLUMNS.items()},
            "written": one.written.isoformat(timespec="seconds")}


def by_column(runs: Iterable[Listed], column: str, *, falling: bool) -> list[Listed]:
    """Return runs in the order of a column; those without a value last, either way."""
    keyed = [(values(one)[column], one) for one in runs]
    return [one for _value, one in sorted((pair for pair in keyed if pair[0] is not None),
                                          key=lambda pair: pair[0], reverse=falling)
            ] + [one for value, one in keyed if value is None]


def table(runs: Sequence[Listed], columns: Sequence[str]) -> list[str]:
    """Return lines of text: a head, then a run each."""
    rows = [("run", *columns, "written"), *(_row(one, columns) for one in runs)]
    numbers = {name for name, (_value, text) in COLUMNS.items() if text}
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) if head in numbers else cell.ljust(width)
                      for head, cell, width in zip(rows[0], row, widths, strict=True)).rstrip()
            for row in rows]


def _row(one: Listed, columns: Sequence[str]) -> tuple[str, ...]:
    cells = {name: "-" if one.run is None else format(value(one.run), text)
             for name, (value, text) in COLUMNS.items()}
    if one.run is None:
        cells["certificate"] = "unfinished" if one.fault == "unfinished" else "unreadable"
    return (one.name, *(cells[name] for name in columns),
            one.written.isoformat(" ", "minutes")[:16])
