"""The report of a run: one HTML file that needs nothing else.

`python -m search.report RUN_FOLDER` draws it again from `run.json` and `multipliers/`, with
every figure as SVG and its data as CSV in `figures/`; several folders are compared instead.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from hw.common.files import write_text
from hw.common.wording import energy
from hw.multipliers import Multiplier
from search.report import gallery, verdict
from search.report.figures import circuits, designs
from search.report.figures.circuits import anything_matters
from search.report.figures.drawing import Drawing
from search.report.figures.energy import parts
from search.report.figures.inline import inline
from search.report.figures.palette import DARK, LIGHT
from search.report.figures.series import SERIES
from search.report.layers import blocks, layer_rows
from search.report.measured import measured_rows
from search.report.paper import PAPER_ROWS
from search.report.record import Figures, RunResult, judged_networks

TEMPLATE = "report.html.j2"
FIGURES = "figures"


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


def array_cards(run: RunResult) -> list[ArrayCard]:
    """Return the arrays of the kept design in ROUTE order."""
    mapping, exact = run.kept.mapping, run.reference
    facts = {entry.name: entry for entry in run.multipliers}
    return [ArrayCard(index=index, multiplier=name, words=facts[name].words,
                      mae_percent=facts[name].mae_percent,
                      area=facts[name].pe_area_um2 / exact.pe_area_um2,
                      pe_energy=facts[name].pe_energy_fj / exact.pe_energy_fj,
                      layers=[layer for layer, used in mapping.items() if used == name])
            for index, name in enumerate(run.kept.arrays)]


def render(run: RunResult, bank: Mapping[str, Multiplier],
           figures: Mapping[str, Drawing] | None = None) -> str:
    """Return the report as HTML text.

    bank : the circuit of each of `run.multipliers`. figures : of `draw`, where they are drawn.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("search.report"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {
        "percent": lambda value, digits=1: f"{100 * value:.{digits}f} %",
        "signed_percent": _signed_percent, "energy": energy, "error": error_text,
        "correlation": lambda value: "–" if value is None else f"{value:.3f}",
        "damage": damage_text, "minus": lambda text: text.replace("-", "−")}
    rows = layer_rows(run)
    style = palette_css() + _text(environment, "page.css")
    script = _text(environment, "page.js")
    # Our own style, script and SVG, whose text matplotlib has escaped.
    return environment.get_template(TEMPLATE).render(
        run=run, best=run.kept, rows=rows, blocks=blocks(run, rows), cards=array_cards(run),
        tallest=max(max(row.energy_pj, row.exact_energy_pj) for row in rows),
        gallery=gallery.cards(run, bank, run.reference), paper_rows=PAPER_ROWS,
        macs=run.macs, judged=judged_networks(run), verdict=verdict, beside=beside(run),
        measured=list(measured_rows(run)), damaging=anything_matters(run),
        outlook=list(verdict.outlook(run)), area_reason=verdict.area_reason(run),
        one_array=verdict.one_array(run),
        style=Markup(style), script=Markup(script),  # noqa: S704
        policy=Markup(content_policy(style, script)),  # noqa: S704
        figures={name: Markup(inline(name, drawing))  # noqa: S704
                 for name, drawing in (figures or draw(run)).items() if name != "sensitivity"})


def _text(environment: jinja2.Environment, name: str) -> str:
    """Return a file beside the templates."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def palette_css() -> str:
    """Return the colours as variables of the stylesheet, and those of a dark page."""

    def variables(colours: Mapping[str, str]) -> str:
        return "".join(f"--{name}: {colour}; " for name, colour in colours.items())

    return (f":root {{ color-scheme: light dark; {variables(LIGHT)}}}\n"
            f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)}}} }}\n")


def content_policy(style: str, script: str) -> str:
    """Return the content security policy: this style, this script, embedded pictures, no more."""

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (f"default-src 'none'; img-src data:; style-src 'sha256-{digest(style)}'; "
            f"script-src 'sha256-{digest(script)}'; base-uri 'none'; form-action 'none'")


def beside(run: RunResult) -> list[tuple[str, Figures]]:
    """Return the design, every exact array that keeps up, and as much of the best as its area."""
    return [("design", run.kept_figures),
            *((f"exact, {form} PEs", one) for form, one in run.exact_forms.items()),
            (f"exact, {run.baseline_form} PEs, as large", run.equal_area)]


def draw(run: RunResult) -> dict[str, Drawing]:
    """Return every figure of a run by name; `sensitivity` is a table on the page."""
    found = {"pareto": designs.pareto(run), "convergence": designs.convergence(run),
             "front": circuits.front(run),
             "multiplier_against_array": circuits.multiplier_against_array(run)}
    if run.judged:
        found["judged"] = designs.judged(run)
    if anything_matters(run):
        found["sensitivity"] = circuits.sensitivity(run)
    if run.breakdown and run.baseline_breakdown:
        found["parts"] = parts(run)
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


def damage_text(value: float) -> str:
    """Return a damage with two digits: 0.000123 -> `1.2e−4`."""
    if not value:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def write_report(run: RunResult, bank: Mapping[str, Multiplier], folder: Path) -> Path:
    """Write `report.html` and `figures/` into `folder` and return the report's path."""
    path = Path(folder) / "report.html"
    figures = draw(run)
    write_text(path, render(run, bank, figures))
    for name, drawing in figures.items():
        write_text(path.with_name(FIGURES) / f"{name}.svg", standalone(drawing.svg))
        write_text(path.with_name(FIGURES) / f"{name}.csv", SERIES[name](run))
    return path


def standalone(svg: str) -> str:
    """Return a figure as an SVG file, on white."""
    start = svg.index(">", svg.index("<svg")) + 1
    return (f'<?xml version="1.0" encoding="utf-8"?>\n{svg[:start]}'
            f'<rect width="100%" height="100%" fill="white"/>{svg[start:]}')
