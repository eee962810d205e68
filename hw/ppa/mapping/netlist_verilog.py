"""A netlist as Verilog text for mapping alone.

A PE is mapped from the Verilog that `hw.rtl` emits. For a multiplier alone that would mean one
start of Amaranth per circuit, longer than mapping it; what is mapped from this text is compared
with the multiplier's table for all operand pairs instead.
"""

from __future__ import annotations

from hw.netlist import CONST0, Netlist, Op

EXPRESSIONS = {
    Op.NOT: "~{a}", Op.AND: "{a} & {b}", Op.OR: "{a} | {b}", Op.XOR: "{a} ^ {b}",
    Op.NAND: "~({a} & {b})", Op.NOR: "~({a} | {b})", Op.XNOR: "~({a} ^ {b})",
    Op.ANDNOT: "{a} & ~{b}", Op.ORNOT: "{a} | ~{b}",
}


def netlist_verilog(netlist: Netlist) -> str:
    """Return module `multiplier` with ports `act`, `weight` and `product`, a wire per gate."""
    names = ["1'b0" if net == CONST0 else "1'b1" for net in range(netlist.act_nets.start)]
    names += [f"act[{bit}]" for bit in range(netlist.act_width)]
    names += [f"weight[{bit}]" for bit in range(netlist.weight_width)]
    lines = [f"module multiplier(input [{netlist.act_width - 1}:0] act, "
             f"input [{netlist.weight_width - 1}:0] weight, "
             f"output [{len(netlist.outputs) - 1}:0] product);"]
    for index, gate in enumerate(netlist.gates):
        expression = EXPRESSIONS[gate.op].format(a=names[gate.a], b=names[gate.b])
        lines.append(f"  wire n{index} = {expression};")
        names.append(f"n{index}")
    product = ", ".join(names[net] for net in reversed(netlist.outputs))
    return "\n".join([*lines, f"  assign product = {{{product}}};", "endmodule", ""])
