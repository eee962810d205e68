"""Emitted multipliers as functions, gate for gate, so that Verilator compiles each one once.

Of a module it makes a copy per place, a hundred gates in each of thousands of PEs; a function of
a package is called. SystemVerilog, for simulation alone.
"""

from __future__ import annotations

import re
from graphlib import TopologicalSorter

ASSIGN = re.compile(r"^  assign (\w+) = (.*);$", re.MULTILINE)
PORT = re.compile(r"^  (?:in|out)put (\[\d+:0\]) (\w+);$", re.MULTILINE)


def as_function(name: str, verilog: str) -> str:
    """Return the emitted multiplier module `name` as a call of a function of the same gates."""
    gates = dict(ASSIGN.findall(verilog))
    width = {port: bits for bits, port in PORT.findall(verilog)}
    # Assignments of a module may stand in any order, those of a function may not.
    order = list(TopologicalSorter({net: [read for read in re.findall(r"\w+", value)
                                          if read in gates]
                                    for net, value in gates.items()}).static_order())
    operands = ", ".join(f"input {width[port]} {port}" for port in ("act", "weight"))
    return "\n".join([
        f"package {name}_gates;",
        f"function automatic {width['product']} product({operands});",
        "  /* verilator no_inline_task */",
        *(f"  logic {net};" for net in order if net != "product"),
        *(f"  {net} = {gates[net]};" for net in order),
        "endfunction",
        "endpackage",
        f"module {name}({operands}, output {width['product']} product);",
        f"  assign product = {name}_gates::product(act, weight);",
        "endmodule\n"])
