"""Mapping multipliers alone: what is kept, what is made again; and with Yosys, the gates."""

import gzip
import json

import pytest

from hw.common.errors import InputError, ToolError
from hw.multipliers import get
from hw.multipliers.base import Multiplier
from hw.ppa.energy.activity import combinational_table
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.portfolio import PORTFOLIO
from hw.ppa.mapping.synthesis import AREA, SPEED
from hw.ppa.reports import alone_cache
from hw.ppa.reports.alone_cache import map_alone
from hw.ppa.reports.multiplier_alone import best, measure
from tests.circuits import shift_and_add
from tests.hw.ppa.circuits import signed_multiplier

ASAP7 = load_technology()


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """Three multipliers mapped by two recipes, and the folder that keeps them."""
    folder = tmp_path_factory.mktemp("mapped")
    multipliers = [shift_and_add(4), signed_multiplier(5), get("mul8u_trunc_c9")]
    return folder, multipliers, map_alone(multipliers, ASAP7, [AREA, SPEED], folder, quiet=True)


@pytest.fixture
def no_yosys(monkeypatch):
    def fail(*_arguments):
        raise ToolError("mapping must not run")
    monkeypatch.setattr(alone_cache, "map_by_recipes", fail)


def content_of(path):
    return json.loads(gzip.decompress(path.read_bytes()))


def test_every_recipe_has_a_mapping_that_computes_the_table(mapped):
    _, multipliers, found = mapped
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
    for mappings in mapped[2]:
        assert best(mappings, "area").figures.area_um2 == min(
            mapping.figures.area_um2 for mapping in mappings)
        assert best(mappings, "power-delay").figures.power_delay_pj() == min(
            mapping.figures.power_delay_pj() for mapping in mappings)


@pytest.mark.usefixtures("no_yosys")
def test_second_time_nothing_is_mapped(mapped):
    folder, multipliers, found = mapped
    renamed = [Multiplier(name="mine", family="mine", source=multiplier.source)
               for multiplier in reversed(multipliers)]
    assert map_alone(renamed, ASAP7, [AREA, SPEED], folder, quiet=True) == found[::-1]


@pytest.mark.usefixtures("no_yosys")
@pytest.mark.parametrize("other", ["recipe", "technology", "netlist"])
def test_another_key_is_mapped_again(mapped, tiny, other):
    folder, multipliers, _ = mapped
    recipes = [AREA] if other == "recipe" else [AREA, SPEED]
    technology = tiny if other == "technology" else ASAP7
    multiplier = shift_and_add(5) if other == "netlist" else multipliers[0]
    with pytest.raises(ToolError, match=r"^mapping must not run$"):
        map_alone([multiplier], technology, recipes, folder, quiet=True)


@pytest.mark.usefixtures("no_yosys")
@pytest.mark.parametrize("damage", [
    lambda content: content | {"format": "autoapprox-mapped-multiplier/0"},
    lambda content: content | {"netlist_sha256": "0" * 64},
    lambda content: content | {"mappings": [{"figures": {}, "netlist": {}}]},
    lambda content: content | {"mappings": None},
    lambda content: [content]])
def test_damaged_file_is_made_again(mapped, tmp_path, damage):
    folder, multipliers, _ = mapped
    for path in folder.iterdir():
        changed = damage(content_of(path))
        (tmp_path / path.name).write_bytes(gzip.compress(json.dumps(changed).encode()))
    with pytest.raises(ToolError, match=r"^mapping must not run$"):
        map_alone(multipliers, ASAP7, [AREA, SPEED], tmp_path, quiet=True)


def test_file_says_what_it_is_of(mapped):
    folder, multipliers, found = mapped
    contents = {content["netlist_sha256"]: content
                for content in map(content_of, folder.iterdir())}
    for multiplier, mappings in zip(multipliers, found, strict=True):
        content = contents[multiplier.digest]
        assert content["multiplier"] == multiplier.name
        assert content["technology_sha256"] == ASAP7.digest
        assert content["recipes"] == [f"area {AREA.digest}", f"speed {SPEED.digest}"]
        assert content["mappings"][1]["figures"]["area_um2"] == mappings[1].figures.area_um2


def test_table_is_refused_before_anything_is_mapped(no_yosys, tmp_path):
    from tests.hw.ppa.reports.test_selection import TABLE_ONLY

    with pytest.raises(InputError, match=r"^Multiplier 'products' must have a netlist"):
        map_alone([shift_and_add(0), TABLE_ONLY], ASAP7, [AREA], tmp_path, quiet=True)


def test_interrupted_run_keeps_what_is_done(monkeypatch, tmp_path):
    multipliers = [get("mul8u_trunc_c9"), shift_and_add(0)]
    original = alone_cache.map_by_recipes

    def fail_on_the_second(verilog, *arguments):
        if verilog == alone_cache.netlist_verilog(multipliers[1].netlist):
            raise ToolError("stopped")
        return original(verilog, *arguments)

    monkeypatch.setattr(alone_cache, "map_by_recipes", fail_on_the_second)
    with pytest.raises(ToolError, match=r"^stopped$"):
        map_alone(multipliers, ASAP7, [AREA], tmp_path, jobs=1, quiet=True)
    assert [content_of(path)["multiplier"] for path in tmp_path.iterdir()] == ["mul8u_trunc_c9"]


def test_portfolio_is_not_worse_than_the_recipe_of_pes(mapped):
    """Of the exact multiplier, by area; every mapping computes the table."""
    folder, _, _ = mapped
    exact = [get("mul8u_exact")]
    many, = map_alone(exact, ASAP7, PORTFOLIO, folder, quiet=True)
    one, = map_alone(exact, ASAP7, [AREA], folder, quiet=True)
    assert len(many) == len(PORTFOLIO)
    assert best(many, "area").figures.area_um2 < best(one, "area").figures.area_um2
    assert best(many, "power-delay").figures.power_delay_pj() < best(
        one, "power-delay").figures.power_delay_pj()
