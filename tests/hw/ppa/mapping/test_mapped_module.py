"""Modules that are mapped once."""

import re
from dataclasses import replace

import pytest

from hw.common.errors import InputError, ToolError
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.mapped import ALWAYS, MappedNetlist
from hw.ppa.mapping.mapped_module import map_module
from hw.ppa.mapping.mapped_verilog import mapped_verilog
from hw.ppa.mapping.synthesis import AREA, SPEED
from hw.ppa.mapping.yosys import Yosys, choose_yosys

VERILOG = """
module half(input clk, input en, input [3:0] d, output reg [3:0] q);
  always @(posedge clk) if (en) q <= d;
endmodule
module whole(input clk, input en, input [3:0] d, output [3:0] q);
  wire [3:0] between;
  half first(.clk(clk), .en(en), .d(d), .q(between));
  half second(.clk(clk), .en(en), .d(between + 4'd3), .q(q));
endmodule
"""
BROKEN = Yosys(name=choose_yosys().name, command=("/bin/false",))  # must not be started


@pytest.fixture(scope="module")
def whole(module_cache):
    return map_module(VERILOG, "whole", load_technology(), AREA, choose_yosys(), quiet=True)


def test_modules_are_mapped_and_put_together(whole):
    assert len(whole.netlist.flops) == 8
    assert len(whole.netlist.clock_gates) == 2  # one in each instance of `half`
    figures = whole.to_dict()
    assert figures["cells"]["DFFHQNx1_ASAP7_75t_R"] == figures["registers"] == 8
    assert figures["hold_slack_ps"] > 0
    assert figures["delay_ps"] > 0


def test_flat_module_shares_a_clock_gate(whole):
    flat = map_module(VERILOG, "whole", load_technology(), AREA, choose_yosys(), flatten=True,
                      quiet=True)
    assert len(flat.netlist.clock_gates) == 1
    assert flat.to_dict()["area_um2"] < whole.to_dict()["area_um2"]


ROOT = """
module npu_clock_gate(clk, en, gated);
  input clk;
  input en;
  output gated;
  reg open;
  always @* if (!clk) open = en;
  assign gated = clk & open;
endmodule
module rooted(input clk, input on, input en, input [3:0] d, output [3:0] q, output reg r);
  wire gated;
  npu_clock_gate gate(.clk(clk), .en(on), .gated(gated));
  half first(.clk(gated), .en(en), .d(d), .q(q));
  always @(posedge gated) r <= en;
endmodule
"""


@pytest.mark.parametrize("flatten", [False, True])
def test_a_gate_at_the_root_is_a_cell_above_the_others(module_cache, flatten):
    netlist = map_module(VERILOG + ROOT, "rooted", load_technology(), AREA, choose_yosys(),
                         flatten=flatten, quiet=True).netlist
    assert netlist.clock_gates == (*netlist.inputs["on"], *netlist.inputs["en"])
    assert netlist.gate_domains == (ALWAYS, 0)
    assert sorted(flop.domain for flop in netlist.flops) == [0, 1, 1, 1, 1]
    assert MappedNetlist.from_dict(netlist.to_dict()) == netlist
    text = mapped_verilog(netlist, load_technology())
    assert re.search(r"c0 .*\.CLK\(clk\).*GCLK\(clk0\)", text)
    assert re.search(r"c1 .*\.CLK\(clk0\).*GCLK\(clk1\)", text)


def test_a_library_without_a_clock_gate_is_refused():
    plain = replace(load_technology(), name="plain", clock_gate=None)
    with pytest.raises(InputError, match=(
            r"^Technology 'plain' must have a clock gate for module 'npu_clock_gate'; without one "
            r"emit the Verilog with --clock-gating enable$")):
        map_module(VERILOG + ROOT, "rooted", plain, AREA, BROKEN, quiet=True)


def test_nothing_is_mapped_twice(whole):
    again = map_module(VERILOG, "whole", load_technology(), AREA, BROKEN, quiet=True)
    assert again.netlist == whole.netlist
    assert again.to_dict() == whole.to_dict()


@pytest.mark.parametrize(("verilog", "top", "recipe", "yosys"), [
    (VERILOG + "// changed", "whole", AREA, BROKEN.name),
    (VERILOG, "half", AREA, BROKEN.name),
    (VERILOG, "whole", SPEED, BROKEN.name),
    (VERILOG, "whole", AREA, "another Yosys"),
])
def test_other_inputs_are_mapped_again(whole, verilog, top, recipe, yosys):
    tool = Yosys(name=yosys, command=("/no/such/program",))
    with pytest.raises(ToolError, match=r"^/no/such/program: cannot be run"):
        map_module(verilog, top, load_technology(), recipe, tool, quiet=True)


def test_text_says_what_ran(whole):
    assert "recipe area, mapped by sandboxed Yosys 0." in whole.text().splitlines()[0]
