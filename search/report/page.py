"""The report of a run: one HTML file that needs nothing else.

`python -m search.report RUN_FOLDER` draws it again from `run.json` and `multipliers/`, with
every figure as SVG and its data as CSV in `figures/`; two folders are compared instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from hw.common.files import write_text
from hw.common.wording import energy
from hw.multipliers import Multiplier
from search.report import gallery, plots, verdict
from search.report.paper import PAPER_ROWS
from search.report.record import LayerFacts, RunResult, judged_networks
from search.report.series import SERIES

TEMPLATE = "report.html.j2"
FIGURES = "figures"


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """A line of the mapping table; energies in picojoules per inference or round."""

    layer: LayerFacts
    array: int
    multiplier: str
    energy_pj: float
    exact_energy_pj: float

    @property
    def share(self) -> float:
        """Energy relative to the exact array."""
        return self.energy_pj / self.exact_energy_pj


@dataclass(frozen=True, kw_only=True)
class ArrayCard:
    """One array of the found bank, as the diagram shows it; area relative to the exact array."""

    index: int
    multiplier: str
    words: str
    mae_percent: float
    area: float
    pe_energy: float
    layers: Sequence[str]


def chosen_mapping(run: RunResult) -> dict[str, str]:
    """Return layer -> multiplier of the design that was kept (exact when none was found)."""
    best = run.kept
    return {layer.name: best.mapping[layer.name] for layer in run.layers}


def layer_rows(run: RunResult) -> list[LayerRow]:
    """Return the mapping table in execution order."""
    mapping, exact = chosen_mapping(run), plots.reference(run).name
    arrays = list(run.kept.arrays)
    return [LayerRow(layer=layer, multiplier=mapping[layer.name],
                     array=arrays.index(mapping[layer.name]),
                     energy_pj=run.layer_energy_pj[layer.name][mapping[layer.name]],
                     exact_energy_pj=run.layer_energy_pj[layer.name][exact])
            for layer in run.layers]


def array_cards(run: RunResult) -> list[ArrayCard]:
    """Return the arrays of the kept design in ROUTE order."""
    mapping, exact = chosen_mapping(run), plots.reference(run)
    facts = {entry.name: entry for entry in run.multipliers}
    return [ArrayCard(index=index, multiplier=name, words=facts[name].words,
                      mae_percent=facts[name].mae_percent,
                      area=facts[name].pe_area_um2 / exact.pe_area_um2,
                      pe_energy=facts[name].pe_energy_fj / exact.pe_energy_fj,
                      layers=[layer for layer, used in mapping.items() if used == name])
            for index, name in enumerate(run.kept.arrays)]


def render(run: RunResult, bank: Mapping[str, Multiplier],
           figures: Mapping[str, str] | None = None) -> str:
    """Return the report as HTML text.

    bank : the circuit of each of `run.multipliers`. figures : of `draw`, where they are drawn.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("search.report"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["percent"] = lambda value, digits=1: f"{100 * value:.{digits}f} %"
    environment.filters["signed_percent"] = _signed_percent
    environment.filters["correlation"] = lambda value: "–" if value is None else f"{value:.3f}"
    environment.filters["energy"] = energy
    environment.filters["error"] = error_text
    return environment.get_template(TEMPLATE).render(
        run=run, best=run.kept, rows=layer_rows(run), cards=array_cards(run),
        gallery=gallery.cards(run, bank, plots.reference(run)), paper_rows=PAPER_ROWS,
        macs=run.macs, judged=judged_networks(run), verdict=verdict,
        outlook=list(verdict.outlook(run)), area_reason=verdict.area_reason(run),
        # Our own SVG, whose text matplotlib has escaped.
        figures={"sensitivity": ""} | {
            name: Markup(svg) for name, svg in (figures or draw(run)).items()})  # noqa: S704


def draw(run: RunResult) -> dict[str, str]:
    """Return every figure of the report as SVG text, by name."""
    found = {"pareto": plots.pareto(run), "convergence": plots.convergence(run),
             "front": plots.front(run),
             "multiplier_against_array": plots.multiplier_against_array(run)}
    if run.judged:
        found["judged"] = plots.judged(run)
    if plots.anything_matters(run):
        found["sensitivity"] = plots.sensitivity(run)
    return found


def _signed_percent(value: Any, digits: int = 1) -> str:
    """Return a relative change: 0.62 -> '−38.0 %'."""
    change = 100 * (float(value) - 1)
    if abs(change) < 0.5 * 10 ** -digits:
        return "±0 %"
    return f"{'+' if change > 0 else '−'}{abs(change):.{digits}f} %"


def error_text(percent: float) -> str:
    """Return an error with three digits: -0.01234 -> '−0.0123'."""
    if not percent:
        return "0"
    text = f"{percent:.3g}" if abs(percent) >= 1e-4 else f"{percent:.1e}"
    return text.replace("-", "−")


def write_report(run: RunResult, bank: Mapping[str, Multiplier], folder: Path) -> Path:
    """Write `report.html` and `figures/` into `folder` and return the report's path."""
    path = Path(folder) / "report.html"
    figures = draw(run)
    write_text(path, render(run, bank, figures))
    for name, svg in figures.items():
        write_text(path.with_name(FIGURES) / f"{name}.svg", standalone(svg))
        write_text(path.with_name(FIGURES) / f"{name}.csv", SERIES[name](run))
    return path


def standalone(svg: str) -> str:
    """Return a figure as an SVG file, on white."""
    start = svg.index(">", svg.index("<svg")) + 1
    return (f'<?xml version="1.0" encoding="utf-8"?>\n{svg[:start]}'
            f'<rect width="100%" height="100%" fill="white"/>{svg[start:]}')
