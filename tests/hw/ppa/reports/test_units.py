"""Units of an accelerator: each with its modules, memories and arrays as ports."""

from __future__ import annotations

import json

import pytest

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.multipliers import EXACT, get
from hw.ppa import load_pe
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.synthesis import AREA
from hw.ppa.mapping.yosys import choose_yosys
from hw.ppa.reports.units import below, outline, table, to_dict, units_of, with_sized_memories

DESIGN = Design(name="one", multipliers={EXACT: get(EXACT)}, bank=BankConfig(arrays=(EXACT,)))
MEMORY = """module row_memory #(
  parameter WIDTH = 1,  // bits
  parameter DEPTH = 2
) (
  input wire clk,
  input wire [7:0] row,
  output wire [WIDTH-1:0] shown
);
  reg [WIDTH-1:0] rows [0:DEPTH-1];
  reg [WIDTH-1:0] at;
  assign shown = at;
  always @(posedge clk) at <= rows[row];
endmodule
"""
ARRAY = "module array_x (\n  input wire clk,\n  input wire a,\n  output wire y\n);\nendmodule\n"
TOP = """module accelerator(clk, row, y, z);
  input clk;
  input [7:0] row;
  output y, z;
  wire [3:0] shown;
  reg one, two;
  row_memory #(
    .DEPTH(32'd256),
    .WIDTH(32'd4)
  ) buffer (.clk(clk), .row(row + 8'd1), .shown(shown));
  array_x array (.clk(clk), .a(^shown), .y(z));
  part unit (.clk(clk), .a(shown), .y(y));
endmodule
"""
PART = """module part(clk, a, y);
  input clk;
  input [3:0] a;
  output y;
  reg sum;
  assign y = ~sum;
  always @(posedge clk) sum <= ^a;
endmodule
"""
TEXTS = {"row_memory": MEMORY, "array_x": ARRAY, "accelerator": TOP, "part": PART}


def emit(design, folder, config):
    assert (design, config) == (DESIGN, AcceleratorConfig())
    for name, text in TEXTS.items():
        (folder / f"{name}.v").write_text(text)


@pytest.fixture(scope="module")
def figures(module_cache):
    return units_of(DESIGN, [load_pe(get(EXACT))], load_technology(), AREA, choose_yosys(), emit,
                    quiet=True)


def test_every_unit_has_figures_and_the_slowest_is_first(figures):
    units = {figure.unit: figure for figure in figures}
    assert units.keys() == {f"pe {EXACT}", "accelerator", "part"}
    assert [one.delay_ps for one in figures] == sorted(
        (one.delay_ps for one in figures), reverse=True)
    assert units[f"pe {EXACT}"].delay_ps == load_pe(get(EXACT)).delay_ps
    assert (units["part"].registers, units["accelerator"].registers) == (1, 1)
    # The row of the memory and the operand of the array are paths of their own.
    assert units["accelerator"].delay_ps > units["part"].delay_ps > 0
    assert units["accelerator"].area_um2 > units["part"].area_um2 > 0


def test_the_clock_is_that_of_the_slowest(figures):
    content = json.loads(json.dumps(to_dict(figures, load_technology(), AREA)))
    assert content["clock_ps"] == content["units"][0]["delay_ps"]
    assert content["slowest"] == f"pe {EXACT}"
    assert table(figures).splitlines()[1].split()[:2] == ["pe", EXACT]


def test_what_is_below_a_module():
    assert below("accelerator", TEXTS, {"row_memory", "array_x"}) == [
        "accelerator", "row_memory", "array_x", "part"]
    assert below("part", TEXTS, set()) == ["part"]


def test_outline_has_ports_alone():
    assert outline(ARRAY) == f"(* blackbox *)\n{ARRAY.strip()}"


def test_memories_have_a_module_for_each_size():
    texts = with_sized_memories({**TEXTS, "part": PART.replace("  reg sum;", """  row_memory #(
    .DEPTH(32'd8),
    .WIDTH(32'd2)
  ) queue (.clk(clk));""")})
    assert texts.keys() == {"array_x", "accelerator", "part", "row_memory_4x256",
                            "row_memory_2x8"}
    assert "  row_memory_4x256 buffer (" in texts["accelerator"]
    assert "  row_memory_2x8 queue (" in texts["part"]
    assert texts["row_memory_2x8"].splitlines()[:5] == [
        "module row_memory_2x8 (", "  input wire clk,", "  input wire [7:0] row,",
        "  output wire [2-1:0] shown", ");"]
    assert "reg [2-1:0] rows [0:8-1];" in texts["row_memory_2x8"]
