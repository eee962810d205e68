"""Many runs in one table, a line each: what each certifies, and what it took."""

from __future__ import annotations

from collections.abc import Sequence

from search.report.record import RunResult

COLUMNS = ("run", "network", "method", "multiplier", "array", "chip", "area", "latency, us",
           "held out", "bound", "margin", "verdict", "evaluations", "seconds")
LEFT = frozenset({"run", "network", "method", "verdict"})


def list_runs(runs: Sequence[tuple[str, RunResult]]) -> list[str]:
    """Return the table as lines of text; energies and areas relative to each run's baseline.

    runs : the name to show, and the run. Held out, bound and margin (points) are of the claim
    that is closest to failing.
    """
    rows = [COLUMNS, *(_row(name, run) for name, run in runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) if head in LEFT else cell.rjust(width)
                      for head, cell, width in zip(COLUMNS, row, widths, strict=True)).rstrip()
            for row in rows]


def _row(name: str, run: RunResult) -> tuple[str, ...]:
    relative, claim = run.kept_figures.relative(run.baseline), run.certificate
    return (name, run.network, run.chosen, *(f"{energy:.3f}" for energy in relative.values()),
            f"{run.kept.area:.3f}", f"{run.kept_figures.latency_us:.4g}",
            f"{100 * claim.share:.2f} %", f"{100 * claim.lower_bound:+.2f}",
            f"{100 * claim.margin:.2f}", "certified" if run.certified else "exact array",
            f"{run.winner.evaluations:.1f}", f"{run.seconds:.0f}")
