"""A comparison with published circuits as text, CSV, JSON and pictures."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context

from hw.common.files import write_bytes, write_json, write_text
from hw.common.pareto import pareto_front
from hw.ppa.reports.published import (
    COSTS,
    ERRORS,
    Axis,
    Circuit,
    Comparison,
    Row,
    compare,
    exact_cost,
)

FORMAT = "autoapprox-published-comparison/1"
PNG_DPI = 160
TOP = 1.15  # of the cost axes, over the dearer exact multiplier
OURS_COLOUR, PUBLISHED_COLOUR = "#c2410c", "#0072b2"
INK, MUTED, GRID = "#1c2733", "#5c6b7a", "#e3e8ee"
STYLE = {
    "font.size": 9, "font.family": ["DejaVu Sans"], "svg.fonttype": "none",
    "svg.hashsalt": "autoapprox", "text.parse_math": False,
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "xtick.color": MUTED, "ytick.color": MUTED, "grid.color": GRID, "axes.grid": True,
    "legend.frameon": False, "legend.fontsize": 8, "figure.constrained_layout.use": True,
}


def compare_all(ours: Sequence[Circuit], published: Sequence[Circuit]) -> list[Comparison]:
    """Return every cost against every error, by error; raises as `compare` does."""
    return [compare(ours, published, error, cost)
            for error in ERRORS.values() for cost in COSTS.values()]


# --- text -----------------------------------------------------------------------------


def text(comparisons: Sequence[Comparison]) -> str:
    """Return a table per comparison, then the shares and hypervolumes of all of them."""
    return "\n\n".join([*map(_table, comparisons), summary(comparisons)])


def _table(comparison: Comparison) -> str:
    error, cost = comparison.error, comparison.cost
    width = max(len("published"), *(len(row.published.name) for row in comparison.rows))
    ours_width = max(len("ours"), *(len(row.ours.name) for row in comparison.rows if row.ours))
    lines = [f"{_title(cost)} at equal or lower {_title(error)}",
             f"  {'published':{width}} {error.label:>11} {cost.unit:>9} | {'ours':{ours_width}} "
             f"{error.label:>11} {cost.unit:>9} | {'ratio':>6} {'relative':>8}"]
    for row in comparison.rows:
        line = (f"  {row.published.name:{width}} {_error(row.published, error)} "
                f"{_cost(row.published, cost)} | ")
        if row.ours is None:
            line += f"{'none':{ours_width}} {'':11} {'':9} | {'':>6} {'':>8} above"
        else:
            line += (f"{row.ours.name:{ours_width}} {_error(row.ours, error)} "
                     f"{_cost(row.ours, cost)} | {row.ratio:6.3f} {row.relative_ratio:8.3f}"
                     + (" above" if row.ratio > 1 else ""))
        lines.append(line.rstrip())
    return "\n".join(lines)


def _title(axis: Axis) -> str:
    return f"{axis.label} ({axis.unit})" if axis.unit else axis.label


def _error(circuit: Circuit, axis: Axis) -> str:
    return f"{circuit.figure(axis):11.5g}"


def _cost(circuit: Circuit, axis: Axis) -> str:
    return f"{circuit.figure(axis):9.4g}"


def summary(comparisons: Sequence[Comparison]) -> str:
    """Return shares of the published front and hypervolumes, a line per comparison.

    Relative: costs divided by that of the exact multiplier of the same flow.
    """
    lines = [f"{'at or below the published front':34} {'points':>13} {'relative':>9} | "
             f"{'hypervolume':>12} {'published':>10} | {'relative':>9} {'published':>10}"]
    for found in comparisons:
        count = len(found.rows)
        below, relative = (round(share * count) for share in (found.share, found.relative_share))
        volume = found.hypervolumes
        lines.append(
            f"  {found.cost.label + ' against ' + found.error.label:32} "
            f"{below:>3}/{count:<3} {found.share:5.0%} {relative:>3} {found.relative_share:5.0%} | "
            f"{volume['ours']:12.4f} {volume['published']:10.4f} | "
            f"{volume['ours_relative']:9.4f} {volume['published_relative']:10.4f}")
    return "\n".join(lines)


# --- files ----------------------------------------------------------------------------


def write(folder: Path, comparisons: Sequence[Comparison], ours: Sequence[Circuit],
          published: Sequence[Circuit], configuration: dict[str, Any]) -> list[Path]:
    """Write `comparison.json`, `.csv`, `.txt`, `.svg` and `.png`; return their paths.

    configuration : what the figures depend on, for the JSON file.
    """
    paths = [folder / f"comparison.{suffix}" for suffix in ("json", "csv", "txt", "svg", "png")]
    write_json(paths[0], to_dict(comparisons, ours, published, configuration))
    write_text(paths[1], to_csv(comparisons))
    write_text(paths[2], text(comparisons) + "\n")
    for path in paths[3:]:
        write_bytes(path, draw(ours, published, path.suffix))
    return paths


def to_dict(comparisons: Sequence[Comparison], ours: Sequence[Circuit],
            published: Sequence[Circuit], configuration: dict[str, Any]) -> dict[str, Any]:
    """Return everything as JSON; a ratio that does not exist is null."""
    return {"format": FORMAT, "configuration": configuration,
            "comparisons": [{
                "error": found.error.key, "cost": found.cost.key, "share": found.share,
                "relative_share": found.relative_share, "hypervolumes": dict(found.hypervolumes),
                "error_floor": found.error.floor, "error_reference": found.error.worst,
                "rows": [_row(row) for row in found.rows]} for found in comparisons],
            "ours": [asdict(circuit) for circuit in ours],
            "published": [asdict(circuit) for circuit in published]}


def _row(row: Row) -> dict[str, Any]:
    return {"published": row.published.name, "ours": row.ours.name if row.ours else None,
            "ratio": _finite(row.ratio), "relative_ratio": _finite(row.relative_ratio)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def to_csv(comparisons: Sequence[Comparison]) -> str:
    """Return a line per point of a published front."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["error", "cost", "published", "published_error", "published_cost", "ours",
                     "our_error", "our_cost", "ratio", "relative_ratio"])
    for found in comparisons:
        for row in found.rows:
            mine = ["", "", ""] if row.ours is None else [
                row.ours.name, row.ours.figure(found.error), row.ours.figure(found.cost)]
            writer.writerow([found.error.key, found.cost.key, row.published.name,
                             row.published.figure(found.error), row.published.figure(found.cost),
                             *mine, _finite(row.ratio), _finite(row.relative_ratio)])
    return stream.getvalue()


# --- pictures -------------------------------------------------------------------------


def draw(ours: Sequence[Circuit], published: Sequence[Circuit], suffix: str) -> bytes:
    """Return both costs against MAE, as published and relative, as `.svg` or `.png`."""
    error = ERRORS["mae_percent"]
    with context(STYLE):
        figure = Figure(figsize=(8.4, 6.4))
        grid = figure.subplots(2, 2, sharex=True)
        for column, cost in enumerate(COSTS.values()):
            for row, relative in enumerate((False, True)):
                _paint(grid[row][column], ours, published, error, cost, relative=relative)
            grid[1][column].set_xlabel(f"{_title(error)}, {error.floor:g} or less at the left")
        grid[0][0].legend(loc="upper right")
        stream = io.BytesIO()
        figure.savefig(stream, format=suffix.removeprefix("."), dpi=PNG_DPI,
                       metadata={"Date": None} if suffix == ".svg" else None)
    return stream.getvalue()


def _paint(axes: Axes, ours: Sequence[Circuit], published: Sequence[Circuit], error: Axis,
           cost: Axis, *, relative: bool) -> None:
    """Draw both sets and the stairs of their fronts; say how many cost too much to be seen."""
    top = hidden = 0.0
    for circuits, colour, marker, label in ((published, PUBLISHED_COLOUR, "s", "published"),
                                            (ours, OURS_COLOUR, "o", "ours")):
        full = exact_cost(circuits, cost)
        top = max(top, TOP * (1.0 if relative else full))
        points = [(max(circuit.figure(error), error.floor),
                   circuit.figure(cost) / (full if relative else 1.0)) for circuit in circuits]
        errors, costs = zip(*points, strict=True)
        axes.scatter(errors, costs, s=12, marker=marker, color=colour, alpha=0.35,
                     linewidths=0)
        errors, costs = zip(*(points[index] for index in pareto_front(points)), strict=True)
        axes.step(errors, costs, where="post", color=colour, linewidth=1.2,
                  marker=marker, markersize=3.5, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _position: f"{value:g}")
    for circuits in (published, ours):
        full = exact_cost(circuits, cost) if relative else 1.0
        hidden += sum(circuit.figure(cost) / full > top for circuit in circuits)
    if hidden:
        axes.text(0.02, 0.02, f"{hidden:g} circuits above", transform=axes.transAxes, fontsize=8,
                  color=MUTED)
    axes.set_ylim(0, top)
    axes.set_ylabel(f"{cost.label}, exact multiplier = 1" if relative else _title(cost))
