# amaranth: UnusedElaboratable=no
# Units are made here as far as Amaranth can see; one that an instance stands for is not elaborated.
"""Module hierarchy: the same description is simulated inline or emitted as instances.

Amaranth's simulator needs every part as a submodule. Verilog holds every kind of module once: a
16x16 array of submodules takes minutes to convert, 256 instances of one module a second.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, cast, dataclass_transform

from amaranth.hdl import ClockSignal, Instance, Module, ResetInserter, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member

Ports = dict[str, Member]


@dataclass_transform(kw_only_default=True)
class Unit(wiring.Component):
    """A component that is a Verilog module of its own; its parameters are fields of a dataclass.

    Units of one `identity` are one module, emitted once (`hw.rtl.emit`).
    """

    clock: ClassVar[bool] = True  # whether the Verilog module has a port `clk`, ...
    reset: ClassVar[bool] = False  # ... and `rst`
    if TYPE_CHECKING:
        @property
        def module(self) -> str:
            """Verilog name, unique within a design: a constant, a property or a parameter."""

    def __init_subclass__(cls) -> None:
        dataclass(kw_only=True, eq=False, repr=False)(cls)  # Amaranth wants each placed once

    def __new__(cls, **_parameters: Any) -> Any:
        """Return an instance that Amaranth takes to be made in this file."""
        return super().__new__(cls)

    def __post_init__(self) -> None:
        super().__init__(self.ports())

    @property
    def identity(self) -> tuple[Any, ...]:
        """What the module depends on: class and parameters."""
        return type(self), *(getattr(self, item.name) for item in fields(cast(Any, self)))

    @property
    def parameters(self) -> dict[str, int]:
        """Verilog parameters by name, of a module that one text serves for all their values."""
        return {}

    def ports(self) -> Ports:
        """Return the ports, as the module itself sees them."""
        raise NotImplementedError

    def verilog(self, name: str) -> str | None:
        """Return the module as Verilog called `name` where Amaranth or Yosys would write it at
        great length. It must do what `elaborate` does; the benches run it.
        """
        return None


class Emission:
    """The platform of units that are being emitted: keeps what they contain by module name."""

    def __init__(self, prefix: str = "") -> None:
        self.units: dict[str, Unit] = {}
        self._prefix = prefix

    def name_of(self, unit: Unit) -> str:
        """Return the name of the module of `unit`, which belongs to what is emitted from now on."""
        name = self._prefix + unit.module
        assert self.units.setdefault(name, unit).identity == unit.identity, f"two modules {name}"
        return name


def place(m: Module, name: str, unit: Unit, platform: object, *,
          clock: Value | None = None, reset: Value | None = None) -> Any:
    """Put `unit` into `m` as `name`; return what has its ports.

    platform : of `elaborate`. None is the simulator; elsewhere an instance stands for the unit.
    clock : of the instance, by default that of `m`. reset : besides that of `m`.
    """
    if platform is None:
        m.submodules[name] = unit if reset is None else ResetInserter(reset)(unit)
        return unit
    module = platform.name_of(unit) if isinstance(platform, Emission) else unit.module
    interface = unit.signature.create(path=(name,))
    ports = {port_name(path): ("i" if member.flow == In else "o", value)
             for path, member, value in unit.signature.flatten(interface)}
    if unit.clock:
        ports["clk"] = ("i", ClockSignal() if clock is None else clock)
    if unit.reset:
        ports["rst"] = ("i", ResetSignal() if reset is None else ResetSignal() | reset)
    m.submodules[name] = Instance(
        module, **{f"p_{parameter}": value for parameter, value in unit.parameters.items()},
        **{f"{direction}_{port}": value for port, (direction, value) in ports.items()})
    return interface


def port_name(path: tuple[str | int, ...]) -> str:
    """Return the Verilog port of a signature member: `("acts", "valid")` is `acts__valid`."""
    return "__".join(map(str, path))
