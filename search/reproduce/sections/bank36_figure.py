"""The figure of the paper's 36 multipliers: accuracy against published power x delay."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.style import context

from search.report.figures.drawing import METHOD_COLOURS, STYLE, WIDTH_IN

Points = Sequence[tuple[float, float]]
FLOOR_POINTS = 25.0  # below the best; what lies lower is drawn at the edge


def draw_tables(networks: Mapping[str, Points]) -> str:
    """Return SVG text; networks : title -> (power x delay, exact = 1; top-1, percent)."""
    best = max(top1 for points in networks.values() for _cost, top1 in points)
    floor = best - FLOOR_POINTS
    with context(dict(STYLE)):
        figure = Figure(figsize=(WIDTH_IN, 3.4))
        axes = figure.add_subplot()
        for colour, (title, points) in zip(METHOD_COLOURS, networks.items(), strict=False):
            for low, marker in ((False, "o"), (True, "v")):
                some = [(cost, max(top1, floor)) for cost, top1 in points
                        if (top1 < floor) is low]
                axes.scatter([x for x, _y in some], [y for _x, y in some], s=20, color=colour,
                             marker=marker, linewidths=0, alpha=0.8,
                             label=None if low else title)
        axes.set_ylim(floor - 1, best + 1)
        axes.set_xlabel("published power x delay of the multiplier (exact = 1)")
        axes.set_ylabel("top-1 (%), at the edge: lower")
        axes.legend(loc="lower right")
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Title": "36 multipliers"})
    return stream.getvalue()
