"""The figures of the report, each a function from a run to SVG text.

Every figure is 5.2 inches wide with 9-point type, so that it is read unscaled on a phone
and side by side with another on a wide screen.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.style import context
from matplotlib.ticker import NullLocator

from search.report import series
from search.report.gallery import places
from search.report.record import RunResult

WIDTH_IN = 5.2
INK, MUTED, GRID = "#1c2733", "#5c6b7a", "#e3e8ee"
CHOSEN, EXACT = "#c2410c", "#1c2733"
FRONT, OFF_FRONT = "#0f7a4f", "#8795a3"
MOST_NUMBERED = 60  # multipliers; the numbers of more would lie on one another
# Okabe and Ito's palette, distinct to colour-blind readers, in a fixed order of methods.
METHOD_COLOURS = ("#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#7b61a8",
                  "#b2182b", "#4d4d4d", "#7fbc41")
STYLE: Mapping[str, Any] = {
    "font.size": 9, "font.family": ["DejaVu Sans"], "svg.fonttype": "none",
    "svg.hashsalt": "autoapprox", "text.parse_math": False,  # a layer may be called `$x_1$`
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "xtick.color": MUTED, "ytick.color": MUTED, "grid.color": GRID, "axes.grid": True,
    "legend.frameon": False, "legend.fontsize": 8, "figure.constrained_layout.use": True,
}


def _draw(height_in: float, paint: Callable[[Figure, Axes], None], title: str) -> str:
    with context(dict(STYLE)):
        figure = Figure(figsize=(WIDTH_IN, height_in))
        axes = figure.add_subplot()
        paint(figure, axes)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True,
                       metadata={"Date": None, "Title": title})
    svg = stream.getvalue()
    # Drop the XML prologue, which has no place inside HTML, and let the page set the size.
    return svg[svg.index("<svg"):].replace(
        "<svg ", '<svg role="img" preserveAspectRatio="xMidYMid meet" ', 1)


def _colours(run: RunResult) -> dict[str, str]:
    return {result.method: METHOD_COLOURS[index % len(METHOD_COLOURS)]
            for index, result in enumerate(run.methods)}


def pareto(run: RunResult) -> str:
    """Return every measured design: energy against accuracy on the search split (Figures 7, 8)."""

    def paint(_figure: Figure, axes: Axes) -> None:
        colours = _colours(run)
        for result in run.methods:
            if result.history:
                axes.scatter([candidate.energy for candidate in result.history],
                             [100 * candidate.search_share for candidate in result.history],
                             s=14, alpha=0.6, linewidths=0, color=colours[result.method],
                             label=result.method)
        axes.axhline(100 * run.exact.search_share, color=EXACT, linewidth=0.8,
                     linestyle=(0, (4, 3)))
        axes.scatter([run.exact.energy], [100 * run.exact.search_share], marker="s", s=36,
                     color=EXACT, label="exact array only", zorder=4)
        best = run.kept
        if best != run.exact:
            axes.scatter([best.energy], [100 * best.search_share], marker="*", s=150, color=CHOSEN,
                         edgecolors="white", linewidths=0.6, label="chosen", zorder=5)
        _focus_accuracy(axes, run)
        axes.set_xlabel(f"{run.objective} energy per inference (exact = 1)")
        axes.set_ylabel(f"{run.metric_words} on the search split (%)")
        axes.legend(loc="lower right", ncols=2)

    return _draw(3.7, paint, "Energy and accuracy of every measured design")


def _focus_accuracy(axes: Axes, run: RunResult) -> None:
    """Cut the axis below where designs are useless; say how many lie there."""
    measured = [100 * c.search_share for result in run.methods for c in result.history]
    exact = 100 * run.exact.search_share
    floor = max(min([*measured, exact]), exact - 12)
    margin = 0.06 * (exact - floor) + 0.3
    axes.set_ylim(floor - margin, max([*measured, exact]) + margin)
    hidden = sum(value < floor - margin for value in measured)
    if hidden:
        axes.text(0.02, 0.02, f"{hidden} designs below", transform=axes.transAxes, color=MUTED,
                  fontsize=8)


def judged(run: RunResult) -> str:
    """Return the certified sequence: energy against what was lost on the certify split.

    Of each claim the difference found with the bound below it, the margin, and the forecast.
    """

    def paint(_figure: Figure, axes: Axes) -> None:
        for index in range(len(run.claims)):
            margin = -100 * run.certificates[index].margin
            axes.axhline(margin, color=EXACT, linewidth=0.8, linestyle=(0, (4, 3)))
            axes.scatter([one.design.energy for one in run.judged],
                         [100 * (one.gained[index] - one.lost[index])
                          / run.certificates[index].n for one in run.judged], marker="_", s=90,
                         color=METHOD_COLOURS[0], label="forecast" if not index else None)
            for passed, colour in ((True, FRONT), (False, CHOSEN)):
                some = [(one.design.energy, one.certificates[index]) for one in run.judged
                        if one.certified == passed]
                found = np.array([100 * (one.gained - one.lost) / one.n for _, one in some])
                bound = np.array([100 * one.lower_bound for _, one in some])
                if some:
                    axes.errorbar([energy for energy, _ in some], found, fmt="o", markersize=4,
                                  yerr=[found - bound, 0 * found], color=colour, linewidth=1,
                                  capsize=3, label=None if index else (
                                      "found, with its bound" if passed
                                      else "failed: its bound is no certificate"))
        axes.set_xlabel(f"{run.objective} energy per inference (exact = 1)")
        axes.set_ylabel(f"difference of {run.metric_words} (points)")
        axes.legend(loc="best")

    return _draw(3.0, paint, "Designs that were judged, forecast and outcome")


def convergence(run: RunResult) -> str:
    """Return the energy of the best accepted design against evaluations spent, per method."""

    def paint(_figure: Figure, axes: Axes) -> None:
        colours = _colours(run)
        for result in run.methods:
            steps = series.best_so_far(run)[result.method]
            ended = max([result.evaluations, steps[-1][0]])
            axes.step([*(spent for spent, _energy in steps), ended],
                      [*(energy for _spent, energy in steps), steps[-1][1]], where="post",
                      color=colours[result.method], linewidth=1.5, label=result.method)
        axes.set_xlabel("full evaluations of the search split")
        axes.set_ylabel("energy of the best accepted design")
        axes.set_xlim(left=0)
        axes.legend(loc="upper right", ncols=2)

    return _draw(3.4, paint, "Convergence of the methods")


def anything_matters(run: RunResult) -> bool:
    """Return whether some multiplier does damage in some layer."""
    return any(damage > 0 for row in run.sensitivity.values() for damage in row.values())


def sensitivity(run: RunResult) -> str:
    """Return the damage of each multiplier in each layer alone (Figure 9).

    Raises ValueError where nothing does any, or no method asked.
    """
    layers = [layer.name for layer in run.layers]
    order = sorted(run.multipliers, key=lambda facts: facts.mae_percent)
    names = [facts.name for facts in order if not all(
        run.sensitivity[layer][facts.name] == 0 for layer in layers)]

    def paint(figure: Figure, axes: Axes) -> None:
        damage = np.array([[run.sensitivity[layer][name] for layer in layers] for name in names])
        floor = max(float(damage[damage > 0].min()), float(damage.max()) * 1e-6)
        image = axes.pcolormesh(np.maximum(damage, floor), cmap="magma_r", edgecolors="white",
                                linewidth=0.4, norm=LogNorm(floor, float(damage.max())))
        best = run.kept
        for row, name in enumerate(names):
            for column, layer in enumerate(layers):
                if best.mapping[layer] == name:
                    axes.plot(column + 0.5, row + 0.5, marker="o", markersize=5, color=CHOSEN,
                              markeredgecolor="white", markeredgewidth=0.8)
        axes.set_xticks(np.arange(len(layers)) + 0.5, layers, rotation=40, ha="right")
        axes.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=7)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=40,
                              format=lambda value, _position: f"{value:.0e}")
        bar.ax.minorticks_off()
        bar.set_label("squared change of the logits, relative")
        bar.outline.set_visible(False)

    if not names:
        raise ValueError("Sensitivity plot must have an approximate multiplier")
    return _draw(max(2.5, 1.2 + 0.155 * len(names)), paint, "Damage per layer and multiplier")


def multiplier_against_array(run: RunResult) -> str:
    """Return relative energy of the multiplier alone against that of the whole PE (Figure 4)."""
    exact = reference(run)

    def paint(_figure: Figure, axes: Axes) -> None:
        x = np.array([m.multiplier_energy_fj / exact.multiplier_energy_fj for m in run.multipliers])
        y = np.array([m.pe_energy_fj / exact.pe_energy_fj for m in run.multipliers])
        high = max(1.05, float(x.max()), float(y.max())) * 1.03
        axes.plot([0, high], [0, high], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.text(0.31, 0.27, "if the multiplier\nwere the array", color=MUTED, fontsize=8,
                  rotation=0, va="top")
        axes.scatter(x, y, s=22, color=METHOD_COLOURS[0], alpha=0.8, linewidths=0)
        best = run.kept
        for facts, x_value, y_value in zip(run.multipliers, x, y, strict=True):
            if facts.name in best.arrays:
                axes.scatter([x_value], [y_value], marker="*", s=130, color=CHOSEN,
                             edgecolors="white", linewidths=0.6, zorder=4)
                # Beside the axis there is room on the right only, below the other points.
                left = x_value < 0.3
                axes.annotate(facts.name.removeprefix("mul8u_"), (x_value, y_value), fontsize=8,
                              xytext=(7, -9) if left else (-6, 7), textcoords="offset points",
                              ha="left" if left else "right")
        axes.set_xlim(0, high)
        axes.set_ylim(0, high)
        axes.set_xlabel("energy of the multiplier alone (exact = 1)")
        axes.set_ylabel("energy of the whole PE (exact = 1)")

    return _draw(3.7, paint, "Multiplier energy against array energy")


def front(run: RunResult) -> str:
    """Return PE energy against mean error of the bank, numbered as in the gallery."""
    exact, located = reference(run), places(run)
    erring = [place.facts.mae_percent for place in located if place.facts.mae_percent > 0]
    # The logarithmic axis has no zero: what makes no error stands left of the smallest one.
    none = min(erring, default=1.0) / 3
    numbered = len(located) <= MOST_NUMBERED

    def paint(_figure: Figure, axes: Axes) -> None:
        points = [(max(place.facts.mae_percent, none), place.facts.pe_energy_fj
                   / exact.pe_energy_fj) for place in located]
        steps = [point for point, place in zip(points, located, strict=True) if place.on_front]
        axes.step(*zip(*steps, strict=True), where="post", color=FRONT, linewidth=1, zorder=2)
        kinds = [CHOSEN if place.layers else FRONT if place.on_front else OFF_FRONT
                 for place in located]
        for colour, label in ((OFF_FRONT, "beaten by another"), (FRONT, "on the front"),
                              (CHOSEN, "used by the kept design")):
            some = [point for point, kind in zip(points, kinds, strict=True) if kind == colour]
            axes.scatter([x for x, _y in some], [y for _x, y in some], s=92 if numbered else 30,
                         color=colour, edgecolors="white", linewidths=0.7, zorder=3, label=label)
        if numbered:
            for point, place in zip(points, located, strict=True):
                axes.text(*point, str(place.number), color="white", fontsize=6.5, ha="center",
                          va="center_baseline", zorder=4, url=f"#m{place.number}")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _position: f"{value:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.axvline(none * 1.7, color=GRID, linewidth=0.8)
        axes.set_xlabel("mean error (% of full scale); at the very left none")
        axes.set_ylabel("energy of the whole PE (exact = 1)")
        axes.legend(loc="lower left")

    return _draw(4.2, paint, "PE energy and mean error of every multiplier")


def reference(run: RunResult) -> Any:
    """Return the facts of the exact multiplier that energies are relative to."""
    name = next(iter(run.exact.mapping.values()))
    return next(facts for facts in run.multipliers if facts.name == name)
