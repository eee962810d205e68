"""Module hierarchy: the same description is simulated inline or emitted as instances.

A component that contains others does not build them; it asks a `Place` for them by
`ModuleKind`. `inline` builds each one as a submodule, which Amaranth's simulator needs.
The Verilog emitter (`hw.rtl.verilog`) answers with an `Instance` and emits every kind once:
a 16x16 array of submodules takes minutes to convert, 256 instances of one module a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In


@dataclass(frozen=True, kw_only=True, eq=False)
class ModuleKind:
    """A module that may be placed many times.

    A kind equals itself alone. Functions that return one for the same arguments again and again
    are cached, so that it is the same kind and need be emitted once (`hw.rtl.emit`).

    Parameters
    ----------
    name : str
        Verilog module name, unique within a design.
    signature : wiring.Signature
        Its ports, as the module itself sees them.
    build : callable
        Given a `Place` for its own contents, returns a new component.
    clock, reset : bool
        Whether the Verilog module has `clk` and `rst` ports.
    verilog : callable, optional
        Given the module name, returns its Verilog: for what Amaranth or Yosys would write at
        great length. It must do what `build` does; the benches run it.
    """

    name: str
    signature: wiring.Signature
    build: Callable[[Place], wiring.Component]
    clock: bool = True
    reset: bool = False
    verilog: Callable[[str], str] | None = None


class Place(Protocol):
    """How to include one module in another."""

    def __call__(self, m: Module, name: str, kind: ModuleKind) -> Any:
        """Put a module of `kind` into `m` as `name`; return an object with its ports."""


def inline(m: Module, name: str, kind: ModuleKind) -> wiring.Component:
    """Place a module by building it as a submodule."""
    component = kind.build(inline)
    m.submodules[name] = component
    return component


def instantiate(m: Module, name: str, kind: ModuleKind) -> Any:
    """Place a module as an `Instance` of Verilog module `kind.name`."""
    interface = kind.signature.create(path=(name,))
    ports = {port_name(path): ("i" if member.flow == In else "o", value)
             for path, member, value in kind.signature.flatten(interface)}
    if kind.clock:
        ports["clk"] = ("i", ClockSignal())
    if kind.reset:
        ports["rst"] = ("i", ResetSignal())
    m.submodules[name] = Instance(
        kind.name, **{f"{direction}_{port}": value for port, (direction, value) in ports.items()})
    return interface


def port_name(path: tuple[str | int, ...]) -> str:
    """Return the Verilog port of a signature member: `("acts", "valid")` is `acts__valid`."""
    return "__".join(map(str, path))
