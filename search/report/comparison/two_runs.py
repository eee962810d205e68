"""Two runs side by side, each value with what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from hw.ppa.chip.levels import LEVELS
from search.report.record import (
    JudgedNetwork,
    RunResult,
    judged_networks,
)

T = TypeVar("T")
Rows = Sequence[tuple[str, Callable[[T], float], str]]


def _level(level: str, run: RunResult) -> float:
    return run.kept_figures.relative(run.baseline)[level]


# What is compared: name, value, how it is written. Energy and area are relative to the exact array.
ROWS: Rows[RunResult] = (
    *((f"{level} energy", partial(_level, level), "{:.4f}") for level in LEVELS),
    ("array area", lambda run: run.kept.area, "{:.4f}"),
    ("arrays", lambda run: len(run.kept.arrays), "{:.0f}"),
    ("exact array, um2", lambda run: run.baseline.area_um2, "{:,.0f}"),
    ("clock, ps", lambda run: run.kept_figures.clock_ps, "{:.0f}"),
    ("latency, us", lambda run: run.kept_figures.latency_us, "{:.4g}"),
    ("evaluations", lambda run: run.winner.evaluations, "{:.1f}"),
    ("seconds", lambda run: run.seconds, "{:.0f}"),
)
NETWORK_ROWS: Rows[JudgedNetwork] = (
    ("right search, %", lambda one: 100 * one.search_right / one.search_n, "{:.2f}"),
    ("right held out, %", lambda one: 100 * one.certificate.share, "{:.2f}"),
    ("lost", lambda one: one.certificate.lost, "{:.0f}"),
    ("gained", lambda one: one.certificate.gained, "{:.0f}"),
    ("lower bound, points", lambda one: 100 * one.certificate.lower_bound, "{:+.2f}"),
    ("margin, points", lambda one: 100 * one.certificate.margin, "{:.2f}"),
)


def compare_runs(one: RunResult, other: RunResult) -> list[str]:
    """Return the comparison as lines of text: results, methods, mapping, what differs in set-up."""
    return [*_results(one, other), *_methods(one, other), *_mapping(one, other),
            *_setup(one, other)]


def _results(one: RunResult, other: RunResult) -> Iterator[str]:
    yield f"{'':22}{one.name:>14}{other.name:>14}{'change':>12}"
    yield f"{'method':22}{one.chosen:>14}{other.chosen:>14}"
    yield from _rows(ROWS, one, other)
    judged = judged_networks(one), judged_networks(other)
    for first, second in zip(*judged, strict=False):
        if one.joint or other.joint:
            yield f"{'network':22}{first.network.name:>14}{second.network.name:>14}"
        yield f"{'kept':22}{first.words:>14}{second.words:>14}"
        yield from _rows(NETWORK_ROWS, first, second)
    for run, networks in zip((one, other), judged, strict=True):
        for network in networks:
            of = f", {network.network.name}" if run.joint else ""
            yield f"{run.name}{of}: {network.certificate.wording}"


def _rows(rows: Rows[T], one: T, other: T) -> Iterator[str]:
    for name, value, form in rows:
        values = value(one), value(other)
        texts = [form.format(number) for number in values]
        first, second = values
        change = ("" if first == second
                  else f"{100 * (second / first - 1):+.1f} %" if first and "points" not in name
                  else f"{second - first:+.3g}")
        yield f"{name:22}{texts[0]:>14}{texts[1]:>14}{change:>12}"


def _methods(one: RunResult, other: RunResult) -> Iterator[str]:
    energies = [{method.method: method.best.energy for method in run.methods if method.best}
                for run in (one, other)]
    both = [name for name in energies[0] if name in energies[1]]
    if both:
        yield "energy of each method's own best design:"
    for name in both:
        yield f"  {name:20}{energies[0][name]:>14.4f}{energies[1][name]:>14.4f}"


def _mapping(one: RunResult, other: RunResult) -> Iterator[str]:
    mappings = [run.kept.mapping for run in (one, other)]
    shared = [layer for layer in mappings[0] if layer in mappings[1]]
    if not shared:
        yield "no layer in common"
        return
    changed = [layer for layer in shared if mappings[0][layer] != mappings[1][layer]]
    yield f"{len(changed)} of {len(shared)} common layers run on another multiplier"
    for layer in changed:
        yield f"  {layer:20}{mappings[0][layer]} -> {mappings[1][layer]}"


def _setup(one: RunResult, other: RunResult) -> Iterator[str]:
    for title, first, second in (("options", one.configuration, other.configuration),
                                 ("hashes", one.hashes, other.hashes),
                                 ("versions", one.versions, other.versions)):
        names = [name for name in {**first, **second}
                 if first.get(name) != second.get(name) and name != "command"]
        for name in names:
            yield f"{title}: {name} {_short(first.get(name))} -> {_short(second.get(name))}"


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
