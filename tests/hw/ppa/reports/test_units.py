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
from hw.ppa.reports.units import below, outline, table, to_dict, units_of

DESIGN = Design(name="one", multipliers={EXACT: get(EXACT)}, bank=BankConfig(arrays=(EXACT,)))
MEMORY = """module memory(clk, write,
    row, shown);
  input clk;
  input write;
  input [7:0] row;
  output [3:0] shown;
  reg [3:0] rows [0:255];
  reg [3:0] at;
  assign shown = at;
  always @(posedge clk) at <= rows[row];
endmodule
"""
ARRAY = "module array_x(clk, a, y);\n  input clk;\n  input a;\n  output y;\nendmodule\n"
TOP = """module accelerator(clk, row, y, z);
  input clk;
  input [7:0] row;
  output y, z;
  wire [3:0] shown;
  reg one, two;
  memory buffer (.clk(clk), .write(1'b0), .row(row + 8'd1), .shown(shown));
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
TEXTS = {"memory": MEMORY, "array_x": ARRAY, "accelerator": TOP, "part": PART}


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
    assert below("accelerator", TEXTS, {"memory", "array_x"}) == [
        "accelerator", "memory", "array_x", "part"]
    assert below("part", TEXTS, set()) == ["part"]


def test_outline_has_ports_alone():
    assert outline(MEMORY).splitlines() == [
        "(* blackbox *)", "module memory(clk, write,", "    row, shown);", "  input clk;",
        "  input write;", "  input [7:0] row;", "  output [3:0] shown;", "endmodule"]
