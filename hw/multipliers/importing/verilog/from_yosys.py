"""Yosys modules to a circuit: logic as it stands, arithmetic and hierarchy through Yosys.

What Yosys is given is rebuilt from checked cells alone: modules m0, m1, ..., ports i0, ..., o0,
..., cells c0, ...
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hw.multipliers.importing.circuit import Circuit, Port
from hw.multipliers.importing.source import shown
from hw.multipliers.importing.verilog import yosys
from hw.multipliers.importing.verilog.cells import (
    Cell,
    CellError,
    check_drivers,
    checked_cells,
    circuit_of,
    gates_of,
    is_logic,
    ports_of,
)

MAX_DEPTH = 50
# Two-input gates before any is shared; Yosys takes some seconds for as many.
MAX_MAPPED = 300_000
Modules = Mapping[str, Mapping[str, Any]]


def circuit_of_modules(modules: Modules, top: str) -> Circuit:
    """Return the circuit of module `top`; its gates are kept where all its cells are logic.

    Raises
    ------
    ValueError
        A cell is not allowed (`CellError` with its line), or Yosys refuses the circuit.
    """
    cells = checked_cells(modules[top], modules)
    if all(map(is_logic, cells)):
        return circuit_of(modules[top], cells)
    inputs, outputs = ports_of(modules[top])
    mapped = yosys.to_gates({"creator": "autoapprox", "modules": _rebuilt(modules, top)})
    circuit = circuit_of(mapped, checked_cells(mapped))
    nets = {port.name: port.nets for port in (*circuit.inputs, *circuit.outputs)}

    def renamed(ports: list[Port], letter: str) -> tuple[Port, ...]:
        return tuple(Port(name=port.name, signed=port.signed, nets=nets[f"{letter}{number}"])
                     for number, port in enumerate(ports))

    return Circuit(inputs=renamed(inputs, "i"), outputs=renamed(outputs, "o"), nodes=circuit.nodes,
                   names={})


def _rebuilt(modules: Modules, top: str) -> dict[str, Any]:
    """Return a Yosys netlist of what `top` needs, as module m0 and modules below it."""
    order = _depth_first(modules, top)
    _check_size(modules, order)
    numbers = {name: f"m{number}" for number, name in enumerate(reversed(order))}
    return {numbers[name]: _rebuilt_module(modules, name, numbers) for name in order}


def _check_size(modules: Modules, order: list[str]) -> None:
    """Raise CellError when the gates of the last module, all below it included, are too many.

    order : of `_depth_first`.
    """
    sizes: dict[str, int] = {}
    for name in order:
        cells = checked_cells(modules[name], modules)
        sizes[name] = 1 + sum(sizes[cell.type] if cell.type in sizes else gates_of(cell)
                              for cell in cells)
    if sizes[order[-1]] > MAX_MAPPED:
        raise CellError(f"circuit must map to at most {MAX_MAPPED:,} gates before they are shared, "
                        f"not about {sizes[order[-1]]:,}")


def _depth_first(modules: Modules, top: str) -> list[str]:
    """Return `top` and the modules it contains, containers after what they contain."""
    order: list[str] = []
    path: list[tuple[str, list[str]]] = [(top, _contained(modules, top))]
    while path:
        name, waiting = path[-1]
        if not waiting:
            order.append(name)
            path.pop()
            continue
        below = waiting.pop()
        if any(below == above for above, _ in path) or len(path) > MAX_DEPTH:
            raise CellError(f"modules must be at most {MAX_DEPTH} deep and contain no loop")
        if below not in order:
            path.append((below, _contained(modules, below)))
    return order


def _contained(modules: Modules, name: str) -> list[str]:
    kinds = {cell.type for cell in checked_cells(modules[name], modules)}
    return sorted(kind for kind in kinds if kind in modules)


def _port_names(module: Mapping[str, Any]) -> dict[str, str]:
    """Return our name of each port."""
    inputs, outputs = ports_of(module)
    return {port.name: f"{letter}{number}" for letter, ports in (("i", inputs), ("o", outputs))
            for number, port in enumerate(ports)}


def _rebuilt_module(modules: Modules, name: str, numbers: Mapping[str, str]) -> dict[str, Any]:
    """Return one module for Yosys."""
    module = modules[name]
    cells = checked_cells(module, modules)
    if not any(cell.type in modules for cell in cells):
        check_drivers(module, cells)
    names = _port_names(module)
    inputs, outputs = ports_of(module)
    ports = {names[port.name]: {"direction": direction, "bits": _bits(port.nets)}
             for direction, side in (("input", inputs), ("output", outputs)) for port in side}
    return {"ports": ports, "netnames": {},
            "attributes": {"top": 1} if numbers[name] == "m0" else {},
            "cells": {f"c{number}": _rebuilt_cell(cell, modules, numbers)
                      for number, cell in enumerate(cells)}}


def _rebuilt_cell(cell: Cell, modules: Modules, numbers: Mapping[str, str]) -> dict[str, Any]:
    if cell.type not in modules:
        return {"type": cell.type, "parameters": dict(cell.parameters), "attributes": {},
                "connections": {port: _bits(nets) for port, nets in cell.connections.items()}}
    names = _port_names(modules[cell.type])
    for port in cell.connections:
        if port not in names:
            raise CellError(f"module {shown(cell.type)} has no port {shown(port)}", cell.line)
    return {"type": numbers[cell.type], "parameters": {}, "attributes": {},
            "connections": {names[port]: _bits(nets) for port, nets in cell.connections.items()}}


def _bits(nets: tuple[str, ...]) -> list[int | str]:
    return [net if net in ("0", "1") else int(net) for net in nets]
