"""The data behind each figure of the report, as CSV: what is drawn, and nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence

from search.certify.accuracy import least_right
from search.report.record import Candidate, RunResult


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return CSV text."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def count_names(run: RunResult) -> list[str]:
    """Return the columns of `counts`, named by network and part of the metric where several."""
    return [what + f" {network.name}" * run.joint + f" {part}" * (len(run.metric) > 1)
            for network, part in run.claims for what in ("search_right", "search_n")]


def counts(candidate: Candidate) -> list[float]:
    """Return images right and images of the search split, network by network."""
    return [count for pair in zip(candidate.right, candidate.images, strict=True)
            for count in pair]


def pareto(run: RunResult) -> str:
    """Return every measured design (Figures 7 and 8); energy and area with exact = 1."""
    return table(("method", "evaluation", "energy", "area", *count_names(run)), (
        (method.method, candidate.evaluation, f"{candidate.energy:.6f}", f"{candidate.area:.6f}",
         *counts(candidate))
        for method in run.methods for candidate in method.history))


def judged(run: RunResult) -> str:
    """Return the designs that were judged, a row for each claim of a design."""
    return table(("energy", "area", "network", "metric", "margin", "chance", "forecast_lost",
                  "forecast_gained", "lost", "gained", "level", "lower_bound", "verdict"), (
        (f"{one.design.energy:.6f}", f"{one.design.area:.6f}", network.name, part, found.margin,
         f"{one.chance:.3f}", f"{lost:.2f}", f"{gained:.2f}", found.lost, found.gained,
         f"{found.level:.6f}", f"{found.lower_bound:.6f}", one.verdict)
        for one in run.judged for (network, part), lost, gained, found in zip(
            run.claims, one.lost, one.gained, one.certificates, strict=True)))


def convergence(run: RunResult) -> str:
    """Return the energy of the best accepted design, whenever it improves."""
    return table(("method", "evaluations", "energy"), (
        (method, spent, f"{energy:.6f}") for method, steps in best_so_far(run).items()
        for spent, energy in steps))


def best_so_far(run: RunResult) -> dict[str, list[tuple[float, float]]]:
    """Return method -> (evaluations spent, energy of the best accepted design), from exact on."""
    loss = float(run.configuration.get("search_loss", 0))
    needed = [least_right(right, images, loss)
              for right, images in zip(run.exact.right, run.exact.images, strict=True)]
    found = {}
    for method in run.methods:
        steps = [(0.0, run.exact.energy)]
        for candidate in method.history:
            if candidate.keeps(needed) and candidate.energy < steps[-1][1]:
                steps.append((float(candidate.evaluation), candidate.energy))
        found[method.method] = steps
    return found


def sensitivity(run: RunResult) -> str:
    """Return the damage of each multiplier in each layer alone (Figure 9)."""
    return table(("layer", "multiplier", "damage"), (
        (layer, name, f"{damage:.6g}") for layer, row in run.sensitivity.items()
        for name, damage in row.items()))


def multipliers(run: RunResult) -> str:
    """Return error and cost of each multiplier (Figure 4); energies in fJ per PE-cycle."""
    return table(("multiplier", "mae_percent", "wce_percent", "mre_percent", "multiplier_energy_fj",
                  "pe_energy_fj", "pe_area_um2", "pe_delay_ps"), (
        (facts.name, f"{facts.mae_percent:.6g}", f"{facts.wce_percent:.6g}",
         f"{facts.mre_percent:.6g}", f"{facts.multiplier_energy_fj:.6g}",
         f"{facts.pe_energy_fj:.6g}", f"{facts.pe_area_um2:.6g}", f"{facts.pe_delay_ps:.6g}")
        for facts in run.multipliers))


def parts(run: RunResult) -> str:
    """Return the energy of the kept design and of the exact array by layer and part, nJ."""
    both = [("design", run.breakdown), ("exact", run.baseline_breakdown)]
    return table(("bank", "layer", "part", "energy_nj"), (
        (bank, layer.name, part, f"{energies[index]:.6g}") for bank, split in both if split
        for part, energies in split.energy_nj.items() for index, layer in enumerate(run.layers)))


# Figure of the report -> its data.
SERIES: Mapping[str, Callable[[RunResult], str]] = {
    "pareto": pareto, "judged": judged, "convergence": convergence, "sensitivity": sensitivity,
    "multiplier_against_array": multipliers, "front": multipliers,
    "parts": parts}
