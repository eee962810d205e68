"""Mapping: the stored results are those of the present Verilog, recipe and technology."""

from dataclasses import replace

import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from hw.ppa import load_pe, stream_energy
from hw.ppa.library.liberty import parse_liberty
from hw.ppa.library.technology import load_technology
from hw.ppa.library.write_liberty import cell_library
from hw.ppa.mapping import build as building
from hw.ppa.mapping.portfolio import PORTFOLIO
from hw.ppa.mapping.stored_pes import load_pe as load_from
from hw.ppa.mapping.stored_pes import result_path, results_folder, shipped
from hw.ppa.mapping.synthesis import AREA, RECIPES, SPEED, map_circuit
from hw.ppa.reports.pe_report import uniform_stream
from hw.rtl.process import emit_pes
from tests.hw.ppa.circuits import signed_multiplier
from tests.hw.ppa.mapping.test_stored_pes import psums_of_all_pairs

NAMES = ("mul8u_exact", "mul8u_drum_k4", "mul8s_trunc_c6")


@pytest.mark.parametrize("name", NAMES)
def test_stored_result_is_of_the_verilog_that_hw_rtl_emits(name):
    [verilog] = emit_pes([get(name)], 24)
    assert building._sha256(verilog) == load_pe(get(name)).verilog_sha256


@pytest.mark.parametrize(("width", "dataflow"), shipped())
def test_stored_results_are_of_the_present_recipe(width, dataflow):
    labels = {load_pe(multiplier, width, dataflow=dataflow).recipe
              for multiplier in shipped()[width, dataflow]}
    assert labels == {AREA.label}


def test_recipes_differ_in_digest():
    recipes = [*RECIPES.values(), *PORTFOLIO]
    recipes += [recipe.with_full_adders() for recipe in recipes]
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


def test_build_keeps_what_is_current(tmp_path):
    """A copy of the store: nothing is mapped, so Yosys never starts."""
    exact = get("mul8u_exact")
    path = result_path(results_folder(), exact, 24)
    (tmp_path / path.name).write_bytes(path.read_bytes())
    result = building.build([exact, exact], load_technology("asap7"), tmp_path, emit_pes,
                            quiet=True)
    assert (result.mapped, result.kept) == (0, 1)


# --- with Yosys: its first start on a machine compiles for two minutes ---


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_mapping_again_gives_the_stored_bytes(tmp_path, name):
    multiplier = get(name)
    result = building.build([multiplier], load_technology("asap7"), tmp_path, emit_pes,
                            quiet=True)
    assert (result.mapped, result.kept) == (1, 0)
    stored = result_path(results_folder(), multiplier, 24)
    assert (tmp_path / stored.name).read_bytes() == stored.read_bytes()


@pytest.mark.long
def test_signed_circuit_of_ones_own_gets_a_pe(tmp_path):
    """From its netlist to its energy, every pair of operands in between."""
    mine = signed_multiplier(2)
    building.build([mine], load_technology(), tmp_path, emit_pes, quiet=True)
    pe = load_from(mine, folder=tmp_path)
    found, expected = psums_of_all_pairs(pe, signs=0)
    assert (found == expected).all()
    assert stream_energy(pe, *uniform_stream(int8=True), rows=16, cols=16).mean_fj > 0


@pytest.mark.long
@pytest.mark.parametrize("adder", ["loa10", "seg12w2"])
def test_a_pe_with_an_approximate_adder_adds_as_its_gates_say(tmp_path, adder):
    """`stream_energy` compares sums, of the rows above a PE and of its own, in every lane."""
    multiplier = get(f"mul8u_optrunc_a4w4+{adder}")
    building.build([multiplier], load_technology(), tmp_path, emit_pes, quiet=True)
    pe = load_from(multiplier, folder=tmp_path)
    streams = uniform_stream()
    assert stream_energy(pe, *streams, rows=16, cols=16).mean_fj > 0
    with pytest.raises(AssertionError):
        stream_energy(replace(pe, multiplier=replace(multiplier, adder=None)), *streams, rows=16,
                      cols=16)


@pytest.mark.long
def test_speed_recipe_is_faster_and_larger(tmp_path):
    multiplier = get("mul8u_exact")
    building.build([multiplier], load_technology("asap7"), tmp_path, emit_pes, recipe=SPEED,
                   quiet=True)
    fast, small = load_from(multiplier, folder=tmp_path), load_pe(multiplier)
    assert fast.delay_ps < small.delay_ps
    assert fast.area_um2 > small.area_um2


@pytest.mark.long
@pytest.mark.parametrize("recipe", [AREA, SPEED], ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("name", NAMES)
def test_full_adders_are_smaller_and_compute_the_same(tmp_path, name, recipe):
    """All operand pairs through the gates, negative activations, with carries into every bit."""
    building.build([get(name)], load_technology(), tmp_path, emit_pes,
                   recipe=recipe.with_full_adders(), quiet=True)
    with_adders, plain = load_from(get(name), folder=tmp_path), load_pe(get(name))
    assert with_adders.netlist.cell_counts(plain.technology)["FAx1_ASAP7_75t_R"] > 20
    assert with_adders.area_um2 < plain.area_um2
    found, expected = psums_of_all_pairs(with_adders, signs=1)
    assert (found == expected).all()

@pytest.mark.long
def test_technology_without_full_adder_is_named(tiny):
    with pytest.raises(InputError, match=r"^Technology 'tiny' must have a full adder for recipe "):
        map_circuit("module m(input a, output y); assign y = a; endmodule", "m", tiny,
                    AREA.with_full_adders())


@pytest.mark.long
def test_deep_memory_is_refused():
    """It would become a register for every bit."""
    verilog = """module m(input clk, input [7:0] a, input [3:0] d, output reg [3:0] q);
      reg [3:0] rows [255:0];
      always @(posedge clk) begin rows[a] <= d; q <= rows[a]; end
    endmodule"""
    with pytest.raises(InputError, match=(r"^Module 'm' must have memories of 128 words at most; "
                                          r"deeper ones are macros, not registers$")):
        map_circuit(verilog, "m", load_technology())
    small = map_circuit(verilog.replace("[255:0]", "[15:0]").replace("[7:0]", "[3:0]"), "m",
                        load_technology())
    assert len(small.flops) == 16 * 4 + 4


@pytest.mark.long
@pytest.mark.parametrize("verilog", ["module m(; endmodule", "module other; endmodule"])
def test_bad_verilog_is_one_line(verilog):
    with pytest.raises(InputError, match=r"^Yosys cannot map module 'm': .*ERROR"):
        map_circuit(verilog, "m", load_technology("asap7"))


@pytest.mark.long
def test_psum_width_is_that_of_the_build(tmp_path):
    multiplier = get("mul8u_trunc_c8")
    building.build([multiplier], load_technology("asap7"), tmp_path, emit_pes, psum_width=32,
                   quiet=True)
    wide = load_from(multiplier, 32, folder=tmp_path)
    assert len(wide.netlist.outputs["psum_out"]) == 32
    assert wide.area_um2 > load_pe(multiplier).area_um2
