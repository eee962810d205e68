"""Time per multiplication of every contender on a logarithmic axis (Figure 5 of the paper)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.style import context

from hw.common.wording import counted
from sim.bench.results import Results
from sim.bench.timing import Spread

WIDTH_IN, BAR_IN = 6.4, 0.26
INK, MUTED, GRID = "#1c2733", "#5c6b7a", "#e3e8ee"
OURS, OTHERS, EXACT = "#c2410c", "#8795a3", "#0072b2"
STYLE: Mapping[str, Any] = {
    "font.size": 9, "font.family": ["DejaVu Sans"], "svg.fonttype": "none",
    "svg.hashsalt": "autoapprox", "text.parse_math": False,
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
    "xtick.color": MUTED, "ytick.color": INK, "grid.color": GRID, "legend.frameon": False,
    "legend.fontsize": 8, "figure.constrained_layout.use": True,
}


def draw(results: Results) -> str:
    """Return the figure as SVG: one bar per contender on one thread, the fastest on top."""
    macs = sum(shape.macs * shape.count for shape in results.shapes)
    least = min(row.threads for row in results.rows)
    bars = sorted(((Spread.of([value / macs for value in row.stack_ns(results.shapes)]), row)
                   for row in results.rows if row.threads == least),
                  key=lambda bar: bar[0].median)
    with context(dict(STYLE)):
        figure = Figure(figsize=(WIDTH_IN, 0.9 + BAR_IN * len(bars)))
        axes = figure.add_subplot()
        for place, (spread, row) in enumerate(bars):
            kind = (OURS if row.name.startswith("ours-") else
                    EXACT if row.name.startswith("ort-") else OTHERS)
            axes.barh(place, spread.median, color=kind, height=0.68)
            axes.text(spread.median * 1.15, place, _time(spread.median), va="center", fontsize=8)
        axes.set_yticks(range(len(bars)), [row.label for _spread, row in bars])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xscale("log")
        medians = [spread.median for spread, _row in bars]
        axes.xaxis.set_major_formatter(lambda value, _place: f"{value:,g}")
        axes.set_xlim(min(medians) / 3, max(medians) * 8)  # room for the numbers
        axes.grid(axis="x")
        axes.set_xlabel(f"ns per multiplication, {results.title}, "
                        f"{counted(least, 'thread')}")
        for colour, meaning in ((OURS, "this project"), (EXACT, "exact int8"),
                                (OTHERS, "any circuit, otherwise")):
            axes.barh(0, 0, color=colour, label=meaning)
        axes.legend(loc="upper right")
        stream = io.StringIO()
        figure.savefig(stream, format="svg",
                       metadata={"Date": None, "Title": "Time per multiplication"})
    return stream.getvalue()


def _time(nanoseconds: float) -> str:
    return f"{nanoseconds:,.0f}" if nanoseconds >= 100 else f"{nanoseconds:.2g}"
