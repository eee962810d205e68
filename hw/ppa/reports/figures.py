"""Pictures of PE energies: their parts, and Figure 4 of the paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context

from hw.multipliers import EXACT
from hw.ppa.reports.pe_report import Figures, correlations
from hw.ppa.reports.published_files import INK, MUTED, OURS_COLOUR, PNG_DPI, PUBLISHED_COLOUR, STYLE

PARTS = {"logic_fj": ("logic", "#0072b2"), "glitches_fj": ("glitches", "#d55e00"),
         "registers_fj": ("registers", "#009e73"), "clock_fj": ("clock", "#999999")}


def _bytes(figure: Figure, suffix: str) -> bytes:
    """Return a picture, `.svg` or `.png`; equal figures give equal bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format=suffix.removeprefix("."), dpi=PNG_DPI,
                   metadata={"Date": None} if suffix == ".svg" else None)
    return stream.getvalue()


def draw_parts(rows: Sequence[Figures], suffix: str) -> bytes:
    """Return stacked bars, a panel per stream: the parts of every PE, its multiplier alone."""
    streams = list(rows[0].streams)
    height = 0.6 + len(streams) * (0.55 + 0.2 * len(rows))
    with context(STYLE):
        figure = Figure(figsize=(7.0, height))
        panels = figure.subplots(len(streams), 1, sharex=True, squeeze=False)
        for axes, stream in zip(panels[:, 0], streams, strict=True):
            start = [0.0] * len(rows)
            for part, (label, colour) in PARTS.items():
                values = [getattr(row.streams[stream], part) for row in rows]
                axes.barh(range(len(rows)), values, left=start, color=colour, label=label,
                          height=0.7)
                start = [low + value for low, value in zip(start, values, strict=True)]
            axes.errorbar(start, range(len(rows)), color=INK, fmt="none", linewidth=1,
                          xerr=[row.streams[stream].half_width_fj for row in rows])
            axes.plot([row.streams[stream].multiplier_fj for row in rows], range(len(rows)), "|",
                      color=INK, markersize=9, label="multiplier alone")
            axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=7)
            axes.invert_yaxis()
            axes.grid(visible=False, axis="y")
            axes.set_title(stream, loc="left", fontsize=9)
        panels[-1, 0].set_xlabel("fJ per PE-cycle")
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=5)
        return _bytes(figure, suffix)


# --- Figure 4 -------------------------------------------------------------------------


def draw_figure4(rows: Sequence[Figures], suffix: str) -> bytes:
    """Return PE energy against multiplier energy, both relative to the exact circuit's."""
    with context(STYLE):
        streams = list(rows[0].streams)
        figure = Figure(figsize=(3.9 * len(streams), 4.3))
        panels = figure.subplots(1, len(streams), squeeze=False)[0]
        for axes, stream in zip(panels, streams, strict=True):
            _scatter(axes, rows, stream)
        panels[0].set_ylabel("energy of the array, exact = 1")
        return _bytes(figure, suffix)


def _scatter(axes: Axes, rows: Sequence[Figures], stream: str) -> None:
    points = relative(rows, stream)
    alone, whole = zip(*points.values(), strict=True)
    top = 1.05 * max(1.0, *alone, *whole)
    axes.plot([0, top], [0, top], color=MUTED, linewidth=0.8, linestyle="--",
              label="array saves what its multiplier saves")
    axes.scatter(alone, whole, s=13, color=PUBLISHED_COLOUR, alpha=0.55, linewidths=0,
                 label="multipliers")
    axes.scatter([1.0], [1.0], s=30, color=OURS_COLOUR, marker="D", label="exact", zorder=3)
    axes.set(xlim=(0, top), ylim=(0, top), aspect="equal",
             xlabel="energy of the multiplier alone, exact = 1")
    found = correlations(rows).get(stream)
    axes.set_title(f"{stream} operands" + ("" if found is None else f", r = {found:.3f}"),
                   loc="left", fontsize=9)
    axes.legend(loc="lower right")


def relative(rows: Sequence[Figures], stream: str) -> dict[str, tuple[float, float]]:
    """Return name -> energy of (multiplier alone, PE) over those of the exact circuit."""
    exact = next(row for row in rows if row.name == EXACT).streams[stream]
    return {row.name: (row.streams[stream].multiplier_fj / exact.multiplier_fj,
                       row.streams[stream].mean_fj / exact.mean_fj) for row in rows}


def figure4_csv(rows: Sequence[Figures]) -> str:
    """Return a line per point; all figures are measured."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["multiplier", "stream", "multiplier_fj", "pe_fj", "pe_without_glitches_fj",
                     "multiplier_relative", "pe_relative", "origin"])
    for which in rows[0].streams:
        points = relative(rows, which)
        for row in rows:
            one = row.streams[which]
            writer.writerow([row.name, which, one.multiplier_fj, one.mean_fj,
                             one.mean_fj - one.glitches_fj, *points[row.name], "measured"])
    return stream.getvalue()
