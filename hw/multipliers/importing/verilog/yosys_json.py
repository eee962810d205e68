"""Netlists as Yosys writes them: `write_json`.

Cells that are logic, bit by bit, are read as they stand. A file with arithmetic (`$add`, ...) or
with several modules is rebuilt from what is allowed, and mapped to gates by Yosys
(`hw.multipliers.importing.verilog.from_yosys`); attributes and everything else stay behind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hw.multipliers.importing.circuit import Circuit
from hw.multipliers.importing.source import Source, shown
from hw.multipliers.importing.verilog.from_yosys import circuit_of_modules

MAX_MODULES = 10_000


def read(source: Source, top: str | None = None) -> Circuit:
    """Return the circuit of the module `top`, or of the only one that no other contains.

    Raises
    ------
    InputError
        The file is no Yosys netlist, or holds something that is not allowed.
    """
    modules = _modules(source)
    name = _top(source, modules, top)
    try:
        return circuit_of_modules(modules, name)
    except ValueError as error:
        raise source.error(str(error)) from None


def _modules(source: Source) -> dict[str, dict[str, Any]]:
    """Return the modules of the file by name; their content is checked where it is used."""
    try:
        content = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        raise source.error(f"not valid JSON ({shown(error, 60)})") from None
    if isinstance(content, dict) and str(content.get("format", "")).startswith("autoapprox"):
        raise source.error("must be a netlist by Yosys write_json, not a multiplier file, which "
                           "needs no import")
    modules = content.get("modules") if isinstance(content, dict) else None
    if not isinstance(modules, dict) or not modules \
            or not all(isinstance(module, dict) for module in modules.values()):
        raise source.error("must be a netlist by Yosys write_json, with modules")
    if len(modules) > MAX_MODULES:
        raise source.error(f"must have at most {MAX_MODULES} modules, not {len(modules)}")
    return modules


def _top(source: Source, modules: Mapping[str, Mapping[str, Any]], top: str | None) -> str:
    """Return the name of the top module."""
    if top is not None:
        if top not in modules:
            raise source.error(f"top must be a module of the file, not {shown(top)}")
        return top
    kinds = {name: _kinds(module) for name, module in modules.items()}
    used = set().union(*kinds.values())
    roots = [name for name in modules if name not in used]
    if len(roots) > 1:  # leave out cell models that nothing uses
        roots = [name for name in roots if kinds[name] & modules.keys()]
    if len(roots) != 1:
        raise source.error("must have one top module, or --top must name it")
    return roots[0]


def _kinds(module: Mapping[str, Any]) -> set[str]:
    """Return the types of the cells in a module that may still be malformed."""
    cells = module.get("cells")
    if not isinstance(cells, dict):
        return set()
    return {cell["type"] for cell in cells.values()
            if isinstance(cell, dict) and isinstance(cell.get("type"), str)}
