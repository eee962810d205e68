"""Figures of circuits: what damage each does, what it saves, and where it lies among the others."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import NullLocator

from search.report.figures.drawing import (
    CARD,
    CHOSEN,
    FRONT,
    GRID,
    METHOD_COLOURS,
    MUTED,
    OFF_FRONT,
    REFERENCE,
    Canvas,
    Drawing,
    draw,
)
from search.report.gallery import places
from search.report.record import RunResult

MOST_NUMBERED = 64  # multipliers; the numbers of more would lie on one another


def anything_matters(run: RunResult) -> bool:
    """Return whether some multiplier does damage in some layer."""
    return any(damage > 0 for row in run.sensitivity.values() for damage in row.values())


def sensitivity(run: RunResult) -> Drawing:
    """Return the damage of each multiplier in each layer alone (Figure 9).

    Raises ValueError where nothing does any, or no method asked.
    """
    layers = [layer.name for layer in run.layers]
    order = sorted(run.multipliers, key=lambda facts: facts.mae_percent)
    names = [facts.name for facts in order if not all(
        run.sensitivity[layer][facts.name] == 0 for layer in layers)]

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes
        damage = np.array([[run.sensitivity[layer][name] for layer in layers] for name in names])
        floor = max(float(damage[damage > 0].min()), float(damage.max()) * 1e-6)
        image = axes.pcolormesh(np.maximum(damage, floor), cmap="magma_r", edgecolors=CARD,
                                linewidth=0.4, norm=LogNorm(floor, float(damage.max())))
        best = run.kept
        for row, name in enumerate(names):
            for column, layer in enumerate(layers):
                if best.mapping[layer] == name:
                    axes.plot(column + 0.5, row + 0.5, marker="o", markersize=5, color=CHOSEN,
                              markeredgecolor=CARD, markeredgewidth=0.8)
        axes.set_xticks(np.arange(len(layers)) + 0.5, layers, rotation=40, ha="right")
        axes.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=7)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        bar = canvas.figure.colorbar(image, ax=axes, pad=0.02, aspect=40,
                                     format=lambda value, _position: f"{value:.0e}")
        bar.ax.minorticks_off()
        bar.set_label("squared change of the logits, relative")
        bar.outline.set_visible(False)

    if not names:
        raise ValueError("Sensitivity plot must have an approximate multiplier")
    return draw(max(2.5, 1.2 + 0.155 * len(names)), paint, "Damage per layer and multiplier")


def multiplier_against_array(run: RunResult) -> Drawing:
    """Return relative energy of the multiplier alone against that of the whole PE (Figure 4)."""
    exact = run.reference

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes
        points = {facts.name: (facts.multiplier_energy_fj / exact.multiplier_energy_fj,
                               facts.pe_energy_fj / exact.pe_energy_fj)
                  for facts in run.multipliers}
        high = max(1.05, *(value for point in points.values() for value in point)) * 1.03
        axes.plot([0, high], [0, high], **REFERENCE)
        axes.text(0.31, 0.27, "if the multiplier\nwere the array", color=MUTED, fontsize=8,
                  rotation=0, va="top")

        def mark(some: dict[str, tuple[float, float]], **style: object) -> None:
            canvas.scatter(list(some.values()), [
                f"{name}: multiplier {x:.3f}, whole PE {y:.3f} of the exact one"
                for name, (x, y) in some.items()], **style)

        built = {name: points[name] for name in run.kept.arrays}
        mark({name: point for name, point in points.items() if name not in built}, s=22,
             color=METHOD_COLOURS[0], alpha=0.8, linewidths=0)
        mark(built, marker="*", s=130, color=CHOSEN, edgecolors=CARD, linewidths=0.6, zorder=4)
        for name, (x, y) in built.items():
            # Beside the axis there is room on the right only, below the other points.
            left = x < 0.3
            axes.annotate(name.removeprefix("mul8u_"), (x, y), fontsize=8,
                          xytext=(7, -9) if left else (-6, 7), textcoords="offset points",
                          ha="left" if left else "right")
        axes.set_xlim(0, high)
        axes.set_ylim(0, high)
        axes.set_xlabel("energy of the multiplier alone (exact = 1)")
        axes.set_ylabel("energy of the whole PE (exact = 1)")

    return draw(3.7, paint, "Multiplier energy against array energy")


def front(run: RunResult) -> Drawing:
    """Return PE energy against mean error of the bank, numbered as in the gallery."""
    exact, located = run.reference, places(run)
    erring = [place.facts.mae_percent for place in located if place.facts.mae_percent > 0]
    # The logarithmic axis has no zero: what makes no error stands left of the smallest one.
    none = min(erring, default=1.0) / 3
    numbered = len(located) <= MOST_NUMBERED

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes
        points = [(max(place.facts.mae_percent, none), place.facts.pe_energy_fj
                   / exact.pe_energy_fj) for place in located]
        steps = [point for point, place in zip(points, located, strict=True) if place.on_front]
        axes.step(*zip(*steps, strict=True), where="post", color=FRONT, linewidth=1, zorder=2)
        kinds = [CHOSEN if place.layers else FRONT if place.on_front else OFF_FRONT
                 for place in located]
        for colour, marker, label in (
                (OFF_FRONT, "o", "beaten by another"), (FRONT, "s", "on the front"),
                (CHOSEN, "D", "used by the kept design")):
            some = [(point, place) for point, place, kind in zip(points, located, kinds,
                                                                 strict=True) if kind == colour]
            canvas.scatter(
                [point for point, _place in some],
                [f"{place.number}, {place.facts.name}: mean error {place.facts.mae_percent:.3g} %, "
                 f"PE energy {y:.3f} of the exact one, {label}" for (_x, y), place in some],
                s=92 if numbered else 30, color=colour, marker=marker, edgecolors=CARD,
                linewidths=0.7, zorder=3, label=label)
        if numbered:
            for point, place in zip(points, located, strict=True):
                axes.text(*point, str(place.number), color=CARD, fontsize=6.5, ha="center",
                          va="center_baseline", zorder=4, url=f"#m{place.number}")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _position: f"{value:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.axvline(none * 1.7, color=GRID, linewidth=0.8)
        axes.set_xlabel("mean error (% of full scale); at the very left none")
        axes.set_ylabel("energy of the whole PE (exact = 1)")
        axes.legend(loc="lower left")

    return draw(4.2, paint, "PE energy and mean error of every multiplier")
