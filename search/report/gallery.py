"""The multipliers a run chose from, one card each: error, cost, place on the front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hw.common.pareto import pareto_front
from hw.multipliers import Multiplier
from hw.multipliers.base import exact_products
from search.report.figures.pictures import heat_map, histogram_svg
from search.report.record import MultiplierFacts, RunResult


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a multiplier sits among the others, in mean error and PE energy.

    Parameters
    ----------
    number : int
        Rank by mean error, from 1: its name in the figure.
    facts : MultiplierFacts
    on_front : bool
        No other has both less or equal mean error and less energy, or the reverse.
    above_front : float
        PE energy beyond that of the cheapest with no more error, as a fraction of the latter.
    layers : sequence of str
        Layers of the kept design that run on it.
    why : str
        Why it runs them though it is not on the front, in a sentence; else empty.
    """

    number: int
    facts: MultiplierFacts
    on_front: bool
    above_front: float
    layers: Sequence[str]
    why: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """A card of the gallery; cost relative to the exact PE. Pictures are ready for HTML."""

    place: Place
    energy: float
    area: float
    heat_map: str
    histogram: Markup


def places(run: RunResult) -> list[Place]:
    """Return the place of each multiplier, from least to most mean error."""
    mapping = run.kept.mapping
    ordered = sorted(run.multipliers, key=lambda facts: (facts.mae_percent, facts.pe_energy_fj))
    front = set(pareto_front([(facts.mae_percent, facts.pe_energy_fj) for facts in ordered]))
    result, cheapest = [], ordered[0]
    for index, facts in enumerate(ordered):
        cheapest = min(cheapest, facts, key=lambda one: one.pe_energy_fj)
        layers = [layer.name for layer in run.layers if mapping[layer.name] == facts.name]
        result.append(Place(
            number=index + 1, facts=facts, on_front=index in front,
            above_front=facts.pe_energy_fj / cheapest.pe_energy_fj - 1, layers=layers,
            why=_why(run, facts.name, cheapest.name, layers) if index not in front else ""))
    return result


def _why(run: RunResult, name: str, rival: str, layers: Sequence[str]) -> str:
    """Say why layers run on a circuit though a rival has less mean error and PE energy.

    The front knows neither what these layers multiply nor what an error does to the network.
    """
    if not layers:
        return ""
    energy, other_energy = (sum(run.layer_energy_pj[layer][one] for layer in layers)
                            for one in (name, rival))
    beside = f"{rival} has no more mean error over all operands and cheaper PEs"
    if other_energy >= energy:
        return f"{beside}, but takes no less energy in these layers"
    if not run.sensitivity:
        return f"{beside}; no method asked what damage either does"
    damage, other_damage = (sum(run.sensitivity[layer][one] for layer in layers)
                            for one in (name, rival))
    if other_damage > damage:
        times = f"{other_damage / damage:.3g} times the damage" if damage else "damage"
        return f"{beside}, but does {times} in these layers"
    return f"{beside}, and no more damage in these layers: banks are chosen for all layers at once"


def cards(run: RunResult, bank: Mapping[str, Multiplier], reference: MultiplierFacts
          ) -> list[Card]:
    """Return the cards of a run's bank, from least to most mean error.

    bank : the circuit of each of `run.multipliers`. reference : the exact one among them.
    """
    result = []
    for place in places(run):
        facts, multiplier = place.facts, bank[place.facts.name]
        errors = multiplier.table - exact_products(signed=multiplier.signed)
        result.append(Card(
            place=place, energy=facts.pe_energy_fj / reference.pe_energy_fj,
            area=facts.pe_area_um2 / reference.pe_area_um2, heat_map=heat_map(errors),
            # Our own SVG; its label is a number of ours.
            histogram=Markup(histogram_svg(  # noqa: S704
                errors, f"Histogram of the error, up to {facts.wce_percent:.3g} %"))))
    return result
