"""Verilog of a netlist: every operation, constants and bare operand bits."""

import pytest

from hw.netlist import FIRST_INPUT, Gate, Netlist, Op
from hw.ppa.mapping.netlist_verilog import EXPRESSIONS, netlist_verilog

FUNCTIONS = {
    Op.NOT: lambda a, b: 1 - a, Op.AND: lambda a, b: a & b, Op.OR: lambda a, b: a | b,
    Op.XOR: lambda a, b: a ^ b, Op.NAND: lambda a, b: 1 - (a & b),
    Op.NOR: lambda a, b: 1 - (a | b), Op.XNOR: lambda a, b: 1 - (a ^ b),
    Op.ANDNOT: lambda a, b: a & (1 - b), Op.ORNOT: lambda a, b: a | (1 - b)}


def test_whole_module_by_hand():
    netlist = Netlist(act_width=2, weight_width=1, outputs=(6, 0, 3, 1),
                      gates=(Gate(Op.NOT, 3, 3), Gate(Op.ANDNOT, 4, 5)))
    assert netlist_verilog(netlist) == (
        "module multiplier(input [1:0] act, input [0:0] weight, output [3:0] product);\n"
        "  wire n0 = ~act[1];\n"
        "  wire n1 = weight[0] & ~n0;\n"
        "  assign product = {1'b1, act[1], 1'b0, n1};\n"
        "endmodule\n")


@pytest.mark.parametrize("op", Op)
@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_expression_is_the_operation(op, a, b):
    """Verilog's `~`, `&`, `|`, `^` and brackets mean the same in Python, on one bit."""
    value = eval(EXPRESSIONS[op].format(a=a, b=b)) & 1
    assert value == FUNCTIONS[op](a, b)
    nets = Netlist(act_width=1, weight_width=1, gates=(Gate(op, FIRST_INPUT, FIRST_INPUT + 1),),
                   outputs=(4,))
    assert value == nets.evaluate(a, b)
