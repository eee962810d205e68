"""Mapped netlists as Verilog."""

from dataclasses import replace

from hw.ppa.mapping.mapped import MappedGate, MappedNetlist
from hw.ppa.mapping.mapped_verilog import mapped_verilog
from tests.hw.ppa.circuits import gated, pipeline


def test_gates_and_registers_are_instances(tiny):
    text = mapped_verilog(pipeline(), tiny)
    assert text.startswith("module pipeline (clk, d, b, q);\n  input clk;\n")
    assert "  NAND g0 (.A(n4), .B(n3), .Y(n5));\n" in text
    assert "  DFF r1 (.D(n6), .QN(n7), .CK(clk));\n" in text
    assert "  assign q[0] = n7;\n" in text


def test_gated_register_has_the_clock_of_its_gate(tiny):
    text = mapped_verilog(gated(), tiny)
    assert "  GATE c0 (.E(n3), .CK(clk), .GCK(clk0));\n" in text
    assert "  DFF r0 (.D(n2), .QN(n4), .CK(clk0));\n" in text


def test_tied_pins_are_connected(tiny):
    tied = replace(tiny, flop=replace(tiny.flop, tied=(("R", 1),)))
    assert ".R(1'b1), .CK(clk)" in mapped_verilog(pipeline(), tied)


def test_two_parts_are_one_full_adder(adders):
    netlist = MappedNetlist(
        name="sum", net_count=7, inputs={"a": (2, 3, 4)}, outputs={"y": (5, 6)},
        gates=(MappedGate("FA/S", (2, 3, 4), 5), MappedGate("FA/CO", (2, 3, 4), 6)))
    text = mapped_verilog(netlist, adders)
    assert text.count(" FA ") == 1
    assert "  FA g0 (.A(n2), .B(n3), .C(n4), .S(n5), .CO(n6));\n" in text
    assert netlist.cell_counts(adders) == {"FA": 1}
    assert netlist.area_um2(adders) == 7
