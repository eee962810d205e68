"""What each kind of step found: its files and output as JSON-ready figures for the page."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hw.common.files import read_json
from search.report.record import MethodResult, RunResult
from search.reproduce.steps import Step
from sim.bench.results import Results as Bench
from sim.lowrank.figure import Spectrum

Findings = dict[str, Any]
Reader = Callable[[Step, Path], Findings]
COST_COLUMN = "pdp_pJ"  # published power x delay
EXACT36 = "mul8u_1JFF"  # the exact one of the paper's 36
ENERGY_SHARES = {"terms_99": 0.99, "terms_999": 0.999}
CHIP_COLUMNS = ("exact_array_nj", "array_nj", "exact_chip_nj", "chip_nj", "exact_system_nj",
                "system_nj", "mxu_energy_share", "rows", "cols")


def _output(step: Step, work: Path) -> Any:
    return read_json(step.file(work, ".out"))


def _nothing(_step: Step, _work: Path) -> Findings:
    return {}


def _float(step: Step, work: Path) -> Findings:
    found = _output(step, work)
    return {"right": found["right"], "n": found["n"]}


def _accuracy(step: Step, work: Path) -> Findings:
    found = _output(step, work)
    return {"right": round(found["top1"] * found["n"]), "n": found["n"],
            "layers": len(found["layers"]), "approximate": len(found["approximate"])}


def _table(step: Step, work: Path) -> Findings:
    name = step.about["multiplier"]
    with next((work / path).open(newline="") for path in step.inputs
              if path.endswith(".csv")) as stream:
        published = {row["name"]: row for row in csv.DictReader(stream)}
    return {**_accuracy(step, work),
            "power_delay": float(published[name][COST_COLUMN]) / float(
                published[EXACT36][COST_COLUMN]),
            "mre_percent": float(published[name]["calc_MRE_nonzero_pct"])}


def _heat_map(step: Step, work: Path) -> Findings:
    found = _output(step, work)
    return {name: found[name] for name in ("mae_percent", "wce_percent", "mre_percent")}


def _figure4(step: Step, work: Path) -> Findings:
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with _written(step, work, ".csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            points[row["stream"]].append((float(row["multiplier_relative"]),
                                          float(row["pe_relative"])))
    return {"streams": {name: {"circuits": len(found),
                               "r": float(np.corrcoef(np.array(found).T)[0, 1])}
                        for name, found in points.items()}}


def _figure5(step: Step, work: Path) -> Findings:
    bench = Bench.load(step.file(work, ".out"))
    rows = {}
    for row in bench.rows:
        ratio = bench.ratio(row.name, bench.baseline, row.threads)
        if row.threads == min(bench.threads) and ratio is not None:
            rows[row.name] = {"label": row.label, "ratio": ratio.median, "low": ratio.low,
                              "high": ratio.high}
    return {"title": bench.title, "baseline": bench.baseline, "threads": min(bench.threads),
            "repeats": bench.repeats, "cpu": bench.machine["cpu"], "rows": rows}


def _figure6(step: Step, work: Path) -> Findings:
    values: dict[str, list[float]] = defaultdict(list)
    with _written(step, work, ".csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            values[row["multiplier"]].append(float(row["singular_value"]))
    return {"multipliers": {name: {"rank": len(found), **{
        key: Spectrum(values=np.array(found)).terms(share) for key, share in ENERGY_SHARES.items()}}
        for name, found in values.items()}}


def _written(step: Step, work: Path, suffix: str) -> Path:
    return next(work / path for path in step.outputs if path.endswith(suffix))


def _search(step: Step, work: Path) -> Findings:
    run = RunResult.load(work / step.outputs[0] / "run.json")
    return {
        "chosen": run.chosen, "layers": len(run.layers), "multipliers": len(run.multipliers),
        "search_n": run.exact.search_n, "exact_search_right": run.exact.search_right,
        "certify_n": run.certificate.n, "exact_certify_right": run.certificate.exact_right,
        "exact_pj": sum(row[next(iter(run.exact.mapping.values()))]
                        for row in run.layer_energy_pj.values()),
        "rank_correlation": run.calibration.searched if run.calibration else None,
        **{name: run.configuration[name] for name in (
            "margin", "budget", "seed", "compensation", "area_limit", "max_arrays", "rows",
            "cols", "batch")},
        "methods": {method.method: _method(run, method) for method in run.methods}}


def _method(run: RunResult, method: MethodResult) -> Findings:
    """Return what stands for a method: of the run's own what is handed over."""
    chosen = method is run.winner
    best, own = ((run.kept, run.kept_figures) if chosen
                 else (method.best, run.figures.get(method.method)))
    return {"relative": own.relative(run.baseline) if own else {},
            "latency_us": own.latency_us if own else None,
            "evaluations": method.evaluations,
            "accepted_energy": method.accepted.energy if method.accepted else None,
            "energy": best.energy if best else None, "area": best.area if best else None,
            "arrays": list(best.arrays) if best else [],
            "search_right": best.search_right if best else None,
            "chance": method.chance, "expected_energy": method.expected,
            "certificate": {name: getattr(run.certificate, name) for name in (
                "approx_right", "lost", "gained", "lower_bound", "certified")} if chosen else None}


def _chip(step: Step, work: Path) -> Findings:
    [row] = _output(step, work)["sizes"]
    return {name: row[name] for name in CHIP_COLUMNS}


# Kind of step -> how its result is read.
READERS: Mapping[str, Reader] = {
    "prepare": _nothing, "layers": _nothing, "designs": _nothing, "float": _float,
    "exact": _accuracy, "ranges": _accuracy, "table": _table, "figure2": _heat_map,
    "figure4": _figure4, "figure5": _figure5, "figure6": _figure6, "search": _search,
    "chip": _chip}
