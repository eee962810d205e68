"""The figure of energy by part: the design beside the exact array, in arrays and on the chip."""

from __future__ import annotations

from matplotlib.axes import Axes

from hw.ppa.chip.parts import ARRAY_PARTS, DRAM
from search.report.breakdown import Breakdown
from search.report.figures.drawing import CARD, METHOD_COLOURS, Canvas, Drawing, draw
from search.report.figures.palette import HATCHES
from search.report.record import RunResult

Bars = dict[str, tuple[float, ...]]  # segment -> nJ of each bar


def parts(run: RunResult) -> Drawing:
    """Return two pairs of stacked bars: the arrays by part, and the chip with its arrays.

    Raises ValueError where the run has no energy by part.
    """
    if run.breakdown is None or run.baseline_breakdown is None:
        raise ValueError("Run must have its energy by part")
    both = (run.baseline_breakdown, run.breakdown)
    groups = both[0].groups
    inside = {name: own for name, own in groups.items() if set(own) <= set(ARRAY_PARTS)}
    around = {name: own for name, own in groups.items() if name not in inside
              and own != (DRAM,)}
    whole: Bars = {"arrays": tuple(sum(one.total_nj(own) for own in inside.values())
                                   for one in both)}

    def paint(canvas: Canvas) -> None:
        upper, lower = canvas.figure.axes
        _stack(canvas, upper, _bars(both, inside), "nJ in the arrays", first=0)
        _stack(canvas, lower, whole | _bars(both, around), "nJ on the chip, without DRAM",
               first=len(inside))

    return draw(4.6, paint, "Energy by part, exact array and design", rows=2)


def _bars(both: tuple[Breakdown, Breakdown], groups: dict[str, tuple[str, ...]]) -> Bars:
    return {name: tuple(one.total_nj(own) for one in both) for name, own in groups.items()}


def _stack(canvas: Canvas, axes: Axes, bars: Bars, label: str, *, first: int) -> None:
    """Draw a bar of the exact array above one of the design; negative segments are left out."""
    names = ("exact", "design")
    totals = [sum(values) for values in zip(*bars.values(), strict=True)]
    starts = [0.0, 0.0]
    for number, (part, values) in enumerate(bars.items(), first):
        colour = METHOD_COLOURS[number % len(METHOD_COLOURS)]
        drawn = axes.barh(names, [max(0.0, value) for value in values], left=starts, height=0.62,
                          color=colour, hatch=HATCHES[number % len(HATCHES)], edgecolor=CARD,
                          linewidth=0.6, label=part)
        for index, bar in enumerate(drawn):
            bar.set_gid(canvas.mark([f"{names[index]}, {part}: {values[index]:,.3f} nJ, "
                                     f"{100 * values[index] / totals[index]:.1f} %"]))
            starts[index] += max(0.0, values[index])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(label)
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.32), ncols=4)
