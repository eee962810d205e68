"""Mapping multipliers alone: what is kept, what is made again; and with Yosys, the gates."""

import pytest

from hw.common.errors import InputError, ToolError
from hw.multipliers import get
from hw.multipliers.base import Multiplier
from hw.ppa.energy.activity import combinational_table
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.portfolio import PORTFOLIO
from hw.ppa.mapping.synthesis import AREA, SPEED
from hw.ppa.reports import alone_mapping
from hw.ppa.reports.alone_mapping import map_alone
from hw.ppa.reports.multiplier_alone import best, measure
from tests.circuits import shift_and_add
from tests.hw.ppa.circuits import signed_multiplier

ASAP7 = load_technology()


@pytest.fixture(scope="module")
def mapped(module_cache):
    """Three multipliers mapped by two recipes."""
    multipliers = [shift_and_add(4), signed_multiplier(5), get("mul8u_trunc_c9")]
    return multipliers, map_alone(multipliers, ASAP7, [AREA, SPEED], quiet=True)


@pytest.fixture
def no_yosys(monkeypatch):
    def fail(*_arguments):
        raise ToolError("mapping must not run")
    monkeypatch.setattr(alone_mapping, "map_by_recipes", fail)


def test_every_recipe_has_a_mapping_that_computes_the_table(mapped):
    multipliers, found = mapped
    for multiplier, mappings in zip(multipliers, found, strict=True):
        assert [mapping.figures.recipe for mapping in mappings] == ["area", "speed"]
        for mapping in mappings:  # raises when the table differs
            assert measure(multiplier, mapping.netlist, ASAP7,
                           mapping.figures.recipe) == mapping.figures
            assert mapping.figures.area_um2 > 0
            assert mapping.figures.energy_fj > 0
    unsigned = found[0][0].netlist
    assert (combinational_table(unsigned, ASAP7) == multipliers[0].table).all()


def test_aims_choose_among_the_mappings(mapped):
    for mappings in mapped[1]:
        assert best(mappings, "area").figures.area_um2 == min(
            mapping.figures.area_um2 for mapping in mappings)
        assert best(mappings, "power-delay").figures.power_delay_pj() == min(
            mapping.figures.power_delay_pj() for mapping in mappings)


@pytest.mark.usefixtures("no_yosys")
def test_second_time_nothing_is_mapped(mapped):
    multipliers, found = mapped
    renamed = [Multiplier(name="mine", family="mine", source=multiplier.source)
               for multiplier in reversed(multipliers)]
    assert map_alone(renamed, ASAP7, [AREA, SPEED], quiet=True) == found[::-1]


@pytest.mark.usefixtures("no_yosys")
@pytest.mark.parametrize("other", ["recipe", "technology", "netlist"])
def test_another_key_is_mapped_again(mapped, tiny, other):
    multipliers, _ = mapped
    recipes = [AREA] if other == "recipe" else [AREA, SPEED]
    technology = tiny if other == "technology" else ASAP7
    multiplier = shift_and_add(5) if other == "netlist" else multipliers[0]
    with pytest.raises(ToolError, match=r"^mapping must not run$"):
        map_alone([multiplier], technology, recipes, quiet=True)


@pytest.mark.usefixtures("no_yosys")
def test_table_is_refused_before_anything_is_mapped():
    from tests.hw.ppa.mapping.test_selection import TABLE_ONLY

    with pytest.raises(InputError, match=r"^Multiplier 'products' must have a netlist"):
        map_alone([shift_and_add(0), TABLE_ONLY], ASAP7, [AREA], quiet=True)


def test_interrupted_run_keeps_what_is_done(monkeypatch, empty_cache):
    multipliers = [get("mul8u_trunc_c9"), shift_and_add(0)]
    original = alone_mapping.map_by_recipes

    def fail_on_the_second(verilog, *arguments):
        if verilog == alone_mapping.netlist_verilog(multipliers[1].netlist):
            raise ToolError("stopped")
        return original(verilog, *arguments)

    monkeypatch.setattr(alone_mapping, "map_by_recipes", fail_on_the_second)
    with pytest.raises(ToolError, match=r"^stopped$"):
        map_alone(multipliers, ASAP7, [AREA], jobs=1, quiet=True)
    assert len(list(empty_cache.glob("*/*"))) == 1
    monkeypatch.setattr(alone_mapping, "map_by_recipes", None)
    assert map_alone(multipliers[:1], ASAP7, [AREA], quiet=True)


@pytest.mark.usefixtures("module_cache")
def test_portfolio_is_not_worse_than_the_recipe_of_pes():
    """Of the exact multiplier, by area; every mapping computes the table."""
    exact = [get("mul8u_exact")]
    many, = map_alone(exact, ASAP7, PORTFOLIO, quiet=True)
    one, = map_alone(exact, ASAP7, [AREA], quiet=True)
    assert len(many) == len(PORTFOLIO)
    assert best(many, "area").figures.area_um2 < best(one, "area").figures.area_um2
    assert best(many, "power-delay").figures.power_delay_pj() < best(
        one, "power-delay").figures.power_delay_pj()
