"""Functional Verilog models of a technology's cells, without delays: for simulating netlists."""

from __future__ import annotations

from collections.abc import Sequence

from hw.ppa.library.cells import Cell
from hw.ppa.library.technology import Technology


def cell_models(technology: Technology) -> str:
    """Return a module per combinational cell, for the register and for the clock gate.

    Registers start with their output pin at 0, as in `hw.ppa.energy.activity`.
    """
    grouped: dict[str, list[Cell]] = {}
    for cell in technology.cells.values():
        grouped.setdefault(cell.part_of or cell.name, []).append(cell)
    return "\n".join([*(_gate(name, parts) for name, parts in grouped.items()),
                      _flop(technology), _clock_gate(technology)])


def _gate(name: str, parts: Sequence[Cell]) -> str:
    """Return a cell; every output is looked up in its truth table."""
    pins = [pin.name for pin in parts[0].inputs]
    size = 1 << len(pins)
    lines = [f"module {name}({', '.join(f'input {pin}' for pin in pins)}, "
             f"{', '.join(f'output {part.output}' for part in parts)});"]
    for part in parts:
        lines.append(f"  wire [{size - 1}:0] truth_{part.output} = {size}'h{part.truth:x};")
        lines.append(f"  assign {part.output} = truth_{part.output}"
                     f"[{{{', '.join(reversed(pins))}}}];")
    return "\n".join([*lines, "endmodule", ""])


def _flop(technology: Technology) -> str:
    flop = technology.flop
    clock, data, output = flop.clock.name, flop.data.name, flop.output
    ties = "".join(f", input {pin}" for pin, _level in flop.tied)
    return (f"module {flop.name}(input {clock}, input {data}, output reg {output}{ties});\n"
            f"  initial {output} = 1'b0;\n"
            f"  always @(posedge {clock}) {output} <= {'~' * flop.inverted}{data};\nendmodule\n")


def _clock_gate(technology: Technology) -> str:
    gate = technology.clock_gate
    if gate is None:
        return ""
    clock, enable, ties = gate.clock.name, gate.enable.name, gate.tie_low
    return (f"module {gate.name}(input {clock}, input {enable}, output {gate.output}"
            f"{''.join(f', input {pin}' for pin in ties)});\n  reg open;\n"
            f"  always @* if (!{clock}) open = {enable};\n"
            f"  assign {gate.output} = {clock} & open;\nendmodule\n")
