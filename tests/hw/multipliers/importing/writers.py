"""Netlists in the formats that can be imported, written independently of the readers."""

import json

from hw.netlist import FIRST_INPUT, Op

VERILOG = {Op.NOT: "~{a}", Op.AND: "{a} & {b}", Op.OR: "{a} | {b}", Op.XOR: "{a} ^ {b}",
           Op.NAND: "~({a} & {b})", Op.NOR: "~({a} | {b})", Op.XNOR: "{a} ~^ {b}",
           Op.ANDNOT: "{a} & ~{b}", Op.ORNOT: "{a} | ~{b}"}
COVERS = {Op.NOT: "0 1", Op.AND: "11 1", Op.OR: "00 0", Op.XOR: "01 1\n10 1", Op.NAND: "11 0",
          Op.NOR: "00 1", Op.XNOR: "00 1\n11 1", Op.ANDNOT: "10 1", Op.ORNOT: "1- 1\n-0 1"}
CGP = {Op.NOT: 1, Op.AND: 2, Op.OR: 3, Op.XOR: 4, Op.NAND: 5, Op.NOR: 6, Op.XNOR: 7}
PDK = {Op.NOT: "INVX1", Op.AND: "AND2X1", Op.OR: "OR2X1", Op.XOR: "XOR2X1", Op.NAND: "NAND2X1",
       Op.NOR: "NOR2X1", Op.XNOR: "XNOR2X1", Op.ANDNOT: "ANDNOT2X1", Op.ORNOT: "ORNOT2X1"}


def _gates(netlist):
    return list(enumerate(netlist.gates, start=netlist.first_gate_net))


def _input_names(netlist, act, weight):
    names = {0: "1'b0", 1: "1'b1"}
    for port, nets in ((act, netlist.act_nets), (weight, netlist.weight_nets)):
        names |= {net: f"{port}[{bit}]" for bit, net in enumerate(nets)}
    return names


def assigns(netlist, *, name="mul", act="A", weight="B", product="O", first="act"):
    """Verilog with one assignment per gate; `first` says which operand is declared first."""
    names = _input_names(netlist, act, weight)
    names |= {net: f"n{net}" for net, _ in _gates(netlist)}
    ports = [f"input [{netlist.act_width - 1}:0] {act}", f"input [{netlist.weight_width - 1}:0] "
             f"{weight}"][::1 if first == "act" else -1]
    lines = [f"module {name}({', '.join(ports)}, output [{len(netlist.outputs) - 1}:0] {product});"]
    for net, gate in _gates(netlist):
        value = VERILOG[gate.op].format(a=names[gate.a], b=names[gate.b])
        lines += [f"  wire n{net};", f"  assign n{net} = {value};"]
    bits = ", ".join(names[net] for net in reversed(netlist.outputs))
    return "\n".join([*lines, f"  assign {product} = {{{bits}}};", "endmodule", ""])


def cell_instances(netlist):
    """Verilog as EvoApproxLib publishes it: cells defined in the file, one wide wire."""
    models = []
    for op, cell in PDK.items():
        ports = "input A, output Y" if op == Op.NOT else "input A, input B, output Y"
        value = VERILOG[op].format(a="A", b="B")
        models += [f"/* mod */\nmodule PDKGEN{cell}({ports} );\n    assign Y = {value};\nendmodule"]
    names = {net: f"N[{2 * net}]" for net in range(2, netlist.net_count)} | {0: "1'b0", 1: "1'b1"}
    lines = ["module mul8(A, B, O);", "  input [7:0] A;", "  input [7:0] B;",
             f"  output [{len(netlist.outputs) - 1}:0] O;",
             f"  wire [{2 * netlist.net_count}:0] N;", ""]
    for net, port in _input_names(netlist, "A", "B").items():
        if net > 1:
            lines.append(f"  assign {names[net]} = {port};")
    for net, gate in _gates(netlist):
        second = "" if gate.op == Op.NOT else f", .B({names[gate.b]})"
        lines.append(f"  PDKGEN{PDK[gate.op]} n{net}(.A({names[gate.a]}){second}, "
                     f".Y({names[net]}));")
    lines += [f"  assign O[{bit}] = {names[net]};" for bit, net in enumerate(netlist.outputs)]
    return "\n".join([*models, "", *lines, "endmodule", ""])


def blif(netlist, *, bit="{port}[{index}]"):
    """BLIF, a table per gate; `bit` is how the bit of a port is spelled."""
    names = {net: bit.format(port=port, index=index)
             for port, nets in (("a", netlist.act_nets), ("b", netlist.weight_nets))
             for index, net in enumerate(nets)}
    inputs = " ".join(names.values())
    names |= {net: f"n{net}" for net, _ in _gates(netlist)} | {0: "zero", 1: "one"}
    outputs = [bit.format(port="o", index=index) for index in range(len(netlist.outputs))]
    lines = ["# a comment", ".model mul", f".inputs {inputs}", f".outputs {' '.join(outputs)}",
             ".names zero", ".names one", "1"]
    for net, gate in reversed(_gates(netlist)):  # the order of tables is free
        inputs = names[gate.a] if gate.op == Op.NOT else f"{names[gate.a]} \\\n {names[gate.b]}"
        lines += [f".names {inputs} {names[net]}", COVERS[gate.op]]
    for output, net in zip(outputs, netlist.outputs, strict=True):
        lines += [f".names {names[net]} {output}", "1 1"]
    return "\n".join([*lines, ".end", ""])


def cgp(netlist, *, numbered, constants=True):
    """A chromosome: numbered and least significant output first, or plain and reversed.

    constants : nets 0 and 1 are constants and the inputs start at 2 (always so when numbered).
    """
    gates, number = [], {net: net for net in range(netlist.first_gate_net)}
    constants = constants or numbered
    shift = 0 if constants else FIRST_INPUT
    first = netlist.first_gate_net
    if not constants:  # two nodes make them
        number |= {0: first, 1: first + 1}
        gates += [(2, 2, 9), (2, 2, 8)]
    for net, gate in _gates(netlist):
        a, b, op = number[gate.a], number[gate.b], gate.op
        if op in (Op.ANDNOT, Op.ORNOT):
            gates.append((b, b, 1))
            b, op = first + len(gates) - 1, Op.AND if op == Op.ANDNOT else Op.OR
        gates.append((a, b, CGP[op]))
        number[net] = first + len(gates) - 1
    outputs = [number[net] - shift for net in netlist.outputs]
    text = "".join(f"([{first + place}]{a},{b},{op})" if numbered
                   else f"({a - shift},{b - shift},{op})"
                   for place, (a, b, op) in enumerate(gates))
    ends = ",".join(map(str, outputs if numbered else outputs[::-1]))
    return (f"{{{netlist.act_width + netlist.weight_width},{len(outputs)},1,{len(gates)},2,1,0}}"
            f"{text}({ends})")


def yosys_json(netlist):
    """A netlist of simple cells as `write_json` writes it."""
    def bit(net):
        return str(net) if net < 2 else net

    def port(direction, nets):
        return {"direction": direction, "bits": [bit(net) for net in nets]}

    cells = {f"g{net}": {
        "hide_name": 0, "type": f"$_{gate.op.name}_", "parameters": {}, "attributes": {},
        "port_directions": {"A": "input", "B": "input", "Y": "output"},
        "connections": {"A": [bit(gate.a)], "Y": [net],
                        **({} if gate.op == Op.NOT else {"B": [bit(gate.b)]})}}
        for net, gate in _gates(netlist)}
    module = {"attributes": {"top": "1"}, "cells": cells, "netnames": {}, "ports": {
        "A": port("input", netlist.act_nets), "B": port("input", netlist.weight_nets),
        "O": port("output", netlist.outputs)}}
    return json.dumps({"creator": "Yosys", "modules": {"mul": module}})
