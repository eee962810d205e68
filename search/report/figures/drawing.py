"""How a figure is drawn, and how its points get the names that a reader asks for.

Every figure is 5.2 inches wide with 9-point type, so that it is read unscaled on a phone
and side by side with another on a wide screen.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context

from search.report.figures.palette import DASHES, LIGHT, MARKERS, METHODS
from search.report.record import RunResult

WIDTH_IN = 5.2
INK, MUTED, GRID = LIGHT["ink"], LIGHT["muted"], LIGHT["grid"]
CHOSEN, FRONT, OFF_FRONT, CARD = LIGHT["accent"], LIGHT["good"], LIGHT["off"], LIGHT["card"]
METHOD_COLOURS = tuple(LIGHT[name] for name in METHODS)
STYLE: Mapping[str, Any] = {
    "font.size": 9, "font.family": ["DejaVu Sans"], "svg.fonttype": "none",
    "svg.hashsalt": "autoapprox", "text.parse_math": False,  # a layer may be called `$x_1$`
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "xtick.color": MUTED, "ytick.color": MUTED, "grid.color": GRID, "axes.grid": True,
    "legend.frameon": False, "legend.fontsize": 8, "figure.constrained_layout.use": True,
}
# Of lines to compare with.
REFERENCE: Mapping[str, Any] = {"color": INK, "linewidth": 0.8, "linestyle": (0, (4, 3))}


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure: SVG text, title, and of each marked group (an SVG id) what its marks are."""

    svg: str
    title: str
    marks: Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a method is drawn: nothing is told by colour alone."""

    color: str
    marker: str
    linestyle: tuple[int, tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """A figure to draw on, and the names of what was marked on it."""

    figure: Figure
    marks: dict[str, list[str]] = field(default_factory=dict)

    @property
    def axes(self) -> Axes:
        """The first of the figure's axes."""
        return self.figure.axes[0]

    def scatter(self, points: Sequence[tuple[float, float]], names: Sequence[str],
                **style: Any) -> None:
        """Draw points that say what they are when they are asked; none is nothing to draw."""
        if points:
            self.axes.scatter(
                [x for x, _y in points], [y for _x, y in points], gid=self.mark(names), **style)

    def mark(self, names: Sequence[str]) -> str:
        """Return the id that an artist of these marks must have."""
        group = f"marks{len(self.marks)}"
        self.marks[group] = list(names)
        return group


def draw(height_in: float, paint: Callable[[Canvas], None], title: str, *, rows: int = 1
         ) -> Drawing:
    """Return what `paint` draws; rows : of axes below each other, `canvas.figure.axes`."""
    with context(dict(STYLE)):
        figure = Figure(figsize=(WIDTH_IN, height_in))
        figure.subplots(rows)
        canvas = Canvas(figure=figure)
        paint(canvas)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True,
                       metadata={"Date": None, "Title": title})
    svg = stream.getvalue()
    return Drawing(svg=svg[svg.index("<svg"):], title=title, marks=canvas.marks)


def looks(run: RunResult) -> dict[str, Look]:
    """Return how each method of a run is drawn."""
    return {result.method: Look(color=METHOD_COLOURS[index % len(METHOD_COLOURS)],
                                marker=MARKERS[index % len(MARKERS)],
                                linestyle=DASHES[index % len(DASHES)])
            for index, result in enumerate(run.methods)}
