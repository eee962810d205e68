"""Places on the front, and cards: right numbers beside the right pictures."""

from dataclasses import replace

import numpy as np
import pytest

from hw.multipliers.base import exact_products
from search.report.figures.pictures import heat_map
from search.report.gallery import cards, places
from tests.search.runs import made_up_bank, made_up_run


def with_figures(*figures):
    """Return a made-up run with these (mean error, PE energy), exact first, and their names."""
    run = made_up_run()
    kept = [replace(facts, mae_percent=mae, pe_energy_fj=energy)
            for facts, (mae, energy) in zip(run.multipliers, figures, strict=False)]
    mapping = {layer.name: kept[-1].name for layer in run.layers}
    return replace(run, multipliers=kept, kept=replace(run.kept, mapping=mapping))


def test_front_by_hand():
    run = with_figures((0, 10), (3, 6), (1, 8), (2, 8.8), (4, 6.6), (5, 5))
    located = {place.facts.name: place for place in places(run)}
    names = [facts.name for facts in run.multipliers]
    assert [located[name].number for name in names] == [1, 4, 2, 3, 5, 6]
    assert [located[name].on_front for name in names] == [True, True, True, False, False, True]
    assert [located[name].above_front for name in names] == pytest.approx([0, 0, 0, 0.1, 0.1, 0])


def test_layers_are_those_of_the_kept_design():
    run = with_figures((0, 10), (3, 6), (1, 8))
    assert [list(place.layers) for place in places(run)] == [
        [], [layer.name for layer in run.layers], []]


@pytest.mark.parametrize(("energies", "damages", "said"), [
    ((5, 5), None, "but takes no less energy in these layers"),
    ((5, 4), (1, 2.5), "but does 2.5 times the damage in these layers"),
    ((5, 4), (2, 2), "and no more damage in these layers: banks are chosen for all layers at once"),
    ((5, 4), None, "; no method asked what damage either does")])
def test_a_circuit_that_is_not_on_the_front_says_why_it_was_taken(energies, damages, said):
    """The last is chosen, at more mean error and PE energy than the second."""
    run = with_figures((0, 10), (3, 6), (4, 6.6))
    exact, rival, own = (facts.name for facts in run.multipliers)
    layers = [layer.name for layer in run.layers]

    def of_each_layer(values):
        return {layer: {exact: 9.0, own: values[0], rival: values[1]} for layer in layers}

    run = replace(run, layer_energy_pj=of_each_layer(energies),
                  sensitivity=of_each_layer(damages) if damages else {})
    located = {place.facts.name: place for place in places(run)}
    assert located[own].why.startswith(f"{rival} has no more mean error over all operands")
    assert located[own].why.endswith(said)
    assert located[exact].why == located[rival].why == ""


def test_the_circuit_with_no_error_is_on_the_front_and_first():
    first = places(made_up_run())[0]
    assert (first.facts.name, first.on_front, first.above_front) == ("mul8u_exact", True, 0)


def test_each_card_shows_its_own_circuit():
    run, bank = made_up_run(), made_up_bank()
    shown = cards(run, bank, run.reference)
    assert [card.place.number for card in shown] == list(range(1, len(bank) + 1))
    for card in shown:
        errors = bank[card.place.facts.name].table - exact_products()
        assert card.heat_map == heat_map(errors)
        assert card.energy == card.place.facts.pe_energy_fj / 300
        assert card.area == card.place.facts.pe_area_um2 / 90
    assert len({card.heat_map for card in shown}) > len(bank) // 2
    assert np.isfinite([card.place.above_front for card in shown]).all()
