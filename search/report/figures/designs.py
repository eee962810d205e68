"""Figures of designs: what was measured, how methods came there, and what was judged."""

from __future__ import annotations

import numpy as np

from hw.common.wording import counted
from search.report.figures import series
from search.report.figures.drawing import (
    CARD,
    CHOSEN,
    FRONT,
    INK,
    METHOD_COLOURS,
    MUTED,
    REFERENCE,
    Canvas,
    Drawing,
    draw,
    looks,
)
from search.report.measured import judged_as, outcome
from search.report.record import Candidate, RunResult


def pareto(run: RunResult) -> Drawing:
    """Return every measured design: energy against accuracy on the search split (Figures 7, 8)."""

    def point(candidate: Candidate) -> tuple[float, float]:
        return candidate.energy, 100 * candidate.search_share

    def name(method: str, candidate: Candidate) -> str:
        return (f"{method}, evaluation {candidate.evaluation:g}: energy {candidate.energy:.3f}, "
                f"{run.metric_words} {100 * candidate.search_share:.2f} %, area "
                f"{candidate.area:.3f}, arrays {', '.join(candidate.arrays)}; "
                f"{outcome(judged_as(run, candidate))}")

    def paint(canvas: Canvas) -> None:
        axes, lowest = canvas.axes, _focus_accuracy(canvas, run)
        for result in run.methods:
            some = [one for one in result.history if 100 * one.search_share >= lowest]
            look = looks(run)[result.method]
            canvas.scatter([point(one) for one in some], [name(result.method, one) for one in some],
                           s=16, alpha=0.75, linewidths=0, color=look.color, marker=look.marker,
                           label=result.method)
        axes.axhline(100 * run.exact.search_share, **REFERENCE)
        canvas.scatter([point(run.exact)], [name("exact array only", run.exact)], marker="s", s=36,
                       color=INK, label="exact array only", zorder=4)
        if run.kept != run.exact:
            canvas.scatter([point(run.kept)], [name("handed over", run.kept)], marker="*", s=150,
                           color=CHOSEN, edgecolors=CARD, linewidths=0.6, label="handed over",
                           zorder=5)
        axes.set_xlabel(f"{run.objective} energy per inference (exact = 1)")
        axes.set_ylabel(f"{run.metric_words} on the search split (%)")
        axes.legend(loc="lower right", ncols=2)

    return draw(3.7, paint, "Energy and accuracy of every measured design")


def _focus_accuracy(canvas: Canvas, run: RunResult) -> float:
    """Cut the axis below where designs are useless; say how many lie there; return its end."""
    measured = [100 * c.search_share for result in run.methods for c in result.history]
    exact = 100 * run.exact.search_share
    floor = max(min([*measured, exact]), exact - 12)
    margin = 0.06 * (exact - floor) + 0.3
    canvas.axes.set_ylim(floor - margin, max([*measured, exact]) + margin)
    hidden = sum(value < floor - margin for value in measured)
    if hidden:
        canvas.axes.text(0.02, 0.02, f"{counted(hidden, 'design')} below", color=MUTED, fontsize=8,
                         transform=canvas.axes.transAxes)
    return floor - margin


def judged(run: RunResult) -> Drawing:
    """Return the certified sequence: energy against what was lost on the certify split.

    Of each claim the difference found with the bound below it, the margin, and the forecast.
    """

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes
        for index, (network, part) in enumerate(run.claims):
            claim = f"{network.name}, {part}, " if len(run.claims) > 1 else ""
            axes.axhline(-100 * run.certificates[index].margin, **REFERENCE,
                         label=None if index else "margin")
            canvas.scatter(
                [(one.design.energy, 100 * (one.gained[index] - one.lost[index])
                  / run.certificates[index].n) for one in run.judged],
                [f"{claim}forecast of energy {one.design.energy:.3f}: {one.lost[index]:.1f} lost, "
                 f"{one.gained[index]:.1f} gained, {100 * one.chance:.0f} % to pass"
                 for one in run.judged], marker="_", s=90, color=METHOD_COLOURS[0],
                label=None if index else "forecast")
            for passed, colour, marker in ((True, FRONT, "o"), (False, CHOSEN, "X")):
                some = [(one, one.certificates[index]) for one in run.judged
                        if one.certified == passed]
                found = np.array([100 * (one.gained - one.lost) / one.n for _, one in some])
                bound = np.array([100 * one.lower_bound for _, one in some])
                if not some:
                    continue
                energies = [one.design.energy for one, _ in some]
                axes.errorbar(energies, found, fmt="none", yerr=[found - bound, 0 * found],
                              color=colour, linewidth=1, capsize=3)
                canvas.scatter(
                    list(zip(energies, found, strict=True)),
                    [f"{claim}energy {one.design.energy:.3f}: {own.lost} lost, {own.gained} gained "
                     f"of {own.n:,}; bound {100 * own.lower_bound:+.2f} points, margin "
                     f"{-100 * own.margin:.2f}; {one.verdict}; found by {', '.join(one.found_by)}"
                     for one, own in some], color=colour, marker=marker, s=26, linewidths=0,
                    zorder=4, label=None if index else (
                        "found, with its bound" if passed
                        else "failed: its bound is no certificate"))
        axes.set_xlabel(f"{run.objective} energy per inference (exact = 1)")
        axes.set_ylabel(f"difference of {run.metric_words} (points)")
        # Above the axes: below, it would hide the margin.
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)

    return draw(3.0, paint, "Designs that were judged, forecast and outcome")


def convergence(run: RunResult) -> Drawing:
    """Return the energy of the best accepted design against evaluations spent, per method."""

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes
        for result in run.methods:
            steps = series.best_so_far(run)[result.method]
            ended = max([result.evaluations, steps[-1][0]])
            look = looks(run)[result.method]
            axes.step([*(spent for spent, _energy in steps), ended],
                      [*(energy for _spent, energy in steps), steps[-1][1]], where="post",
                      color=look.color, linestyle=look.linestyle, linewidth=1.4)
            canvas.scatter(steps, [f"{result.method}: energy {energy:.3f} accepted after "
                                   f"{spent:g} evaluations" for spent, energy in steps],
                           color=look.color, marker=look.marker, s=16, linewidths=0,
                           label=result.method)
        axes.set_xlabel("full evaluations of the search split")
        axes.set_ylabel("energy of the best accepted design")
        axes.set_xlim(left=-1)
        axes.legend(loc="upper right", ncols=2)

    return draw(3.4, paint, "Convergence of the methods")
