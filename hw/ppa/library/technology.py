"""The figures of a cell library that synthesis, timing and energy need, in one small file.

Units everywhere in `hw.ppa`: ps, fF, fJ, nW, um2, V.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from hw.common.errors import InputError, unknown_name
from hw.common.files import write_json_gz
from hw.common.records import Limits, Positive, Text, read_as, record, without_format
from hw.ppa.library.cells import Arc, Cell, ClockGate, EdgeEnergy, Flop, FullAdder, Pin
from hw.ppa.library.table import Table

TECHNOLOGY_FORMAT = "autoapprox-technology/2"
UNITS = {"time": "ps", "capacitance": "fF", "energy": "fJ", "leakage": "nW", "area": "um2",
         "voltage": "V"}


@dataclass(frozen=True, kw_only=True)
class Technology:
    """What is known about a cell library.

    Parameters
    ----------
    name, corner : str
    source : tuple of str
        The Liberty libraries it was derived from.
    voltage_v : float
    cells : mapping of str to Cell
    flop : Flop
    clock_gate : ClockGate, optional
        Without one, clock enables become multiplexers.
    clock_buffer : str
        The cell that the clock tree is made of.
    full_adder : FullAdder, optional
        The smallest one of the library.
    """

    name: str
    corner: str
    source: tuple[str, ...]
    voltage_v: float
    cells: Mapping[str, Cell]
    flop: Flop
    clock_gate: ClockGate | None
    clock_buffer: str
    full_adder: FullAdder | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all figures: stored results name the technology they came from."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def has_energy(self) -> bool:
        """Whether cells spend energy of their own when their output switches.

        Looked at where it is the least, at the first slew and load: charging what is inside a
        cell takes energy there too. Some academic libraries have zeros, if not everywhere.
        """
        least = [energy.rise.values[0][0] + energy.fall.values[0][0]
                 for cell in self.cells.values() for energy in cell.switching]
        return sum(energy > 0 for energy in least) > 0.9 * len(least)

    def require_energy(self) -> None:
        """Raise InputError when the library gives area and delay only."""
        if not self.has_energy:
            raise InputError(f"Technology {self.name!r} must give energies, but gives area and "
                             "delay only: much of its internal power is zero")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_dict` restores an equal technology."""
        gate = self.clock_gate
        return {
            "format": TECHNOLOGY_FORMAT, "name": self.name, "corner": self.corner,
            "source": list(self.source), "units": UNITS, "voltage_v": self.voltage_v,
            "clock_buffer": self.clock_buffer,
            "flop": {
                **_common(self.flop), "data": _pin_dict(self.flop.data),
                "clock": _pin_dict(self.flop.clock), "output": self.flop.output,
                "inverted": self.flop.inverted, "arc": _arc_dict(self.flop.arc),
                "switching": _edges(self.flop.switching), **_constraints(self.flop),
                "tied": [list(pin) for pin in self.flop.tied]},
            "clock_gate": None if gate is None else {
                **_common(gate), "enable": _pin_dict(gate.enable), "clock": _pin_dict(gate.clock),
                "tie_low": list(gate.tie_low), "output": gate.output,
                "switching": _edges(gate.switching), **_constraints(gate)},
            "full_adder": None if self.full_adder is None else asdict(self.full_adder),
            "cells": [
                {**_common(cell), "part_of": cell.part_of, "shares_pins": cell.shares_pins,
                 "leakage_states_nw": list(cell.leakage_states_nw),
                 "output": cell.output, "function": cell.function,
                 "inputs": [_pin_dict(pin) for pin in cell.inputs],
                 "arcs": [[_arc_dict(arc) for arc in arcs] for arcs in cell.arcs],
                 "switching": [_edges(energy) for energy in cell.switching]}
                for _, cell in sorted(self.cells.items())],
        }

    @classmethod
    def from_dict(cls, content: Any) -> Technology:
        """Restore a technology; raises InputError when the description is malformed."""
        read = record(_TechnologyFile, without_format(content, TECHNOLOGY_FORMAT))
        try:
            return read.technology()
        except ValueError as error:
            raise InputError(f"Technology is malformed: {error}") from None

    @classmethod
    def load(cls, path: Path) -> Technology:
        """Read a technology file; every error names the file."""
        return read_as(path, cls.from_dict)

    def save(self, path: Path) -> None:
        """Write the technology file; equal figures give equal bytes."""
        write_json_gz(path, self.to_dict())


@lru_cache
def load_technology(name: str = "asap7") -> Technology:
    """Return one of the technologies that come with the project.

    Raises InputError, suggesting the nearest name, when there is none of this name.
    """
    folder = Path(str(resources.files("hw.ppa"))) / "technology"
    known = sorted(path.name.removesuffix(".json.gz") for path in folder.glob("*.json.gz"))
    if name not in known:
        raise unknown_name("technology", name, known)
    return Technology.load(folder / f"{name}.json.gz")


# --- JSON of the parts ----------------------------------------------------------------

def _common(cell: Cell | Flop | ClockGate) -> dict[str, Any]:
    return {"name": cell.name, "area_um2": cell.area_um2, "leakage_nw": cell.leakage_nw}


def _constraints(cell: Flop | ClockGate) -> dict[str, Any]:
    return {"setup": [cell.setup_rise.to_list(), cell.setup_fall.to_list()],
            "hold": [cell.hold_rise.to_list(), cell.hold_fall.to_list()]}


def _edges(energy: EdgeEnergy) -> list[Any]:
    return [energy.rise.to_list(), energy.fall.to_list()]


def _pin_dict(pin: Pin) -> dict[str, Any]:
    return {"name": pin.name, "cap_ff": pin.cap_ff, "quiet": _edges(pin.quiet)}


def _arc_dict(arc: Arc) -> dict[str, Any]:
    return {"sense": arc.sense, "delay": [arc.delay_rise.to_list(), arc.delay_fall.to_list()],
            "slew": [arc.slew_rise.to_list(), arc.slew_fall.to_list()]}


# --- and back ---------------------------------------------------------------------------

MAX_INPUTS = 12  # of a cell: its truth table has two to the power of that
_Floats = tuple[float, ...]
_Table = tuple[_Floats, _Floats, tuple[_Floats, ...]]
_Edges = tuple[_Table, _Table]


def _energy(edges: _Edges) -> EdgeEnergy:
    rise, fall = edges
    return EdgeEnergy(rise=Table.from_list(rise), fall=Table.from_list(fall))


@dataclass(frozen=True, kw_only=True)
class _PinFile:
    name: Text
    cap_ff: float
    quiet: _Edges

    def pin(self) -> Pin:
        return Pin(name=self.name, cap_ff=self.cap_ff, quiet=_energy(self.quiet))


@dataclass(frozen=True, kw_only=True)
class _ArcFile:
    sense: Literal["positive", "negative", "both"]
    delay: _Edges
    slew: _Edges

    def arc(self) -> Arc:
        delay_rise, delay_fall = map(Table.from_list, self.delay)
        slew_rise, slew_fall = map(Table.from_list, self.slew)
        return Arc(sense=self.sense, delay_rise=delay_rise, delay_fall=delay_fall,
                   slew_rise=slew_rise, slew_fall=slew_fall)


@dataclass(frozen=True, kw_only=True)
class _CellFile:
    name: Text
    area_um2: float
    leakage_nw: float
    output: Text
    switching: tuple[_Edges, ...]

    @property
    def common(self) -> dict[str, Any]:
        return {"name": self.name, "area_um2": self.area_um2, "leakage_nw": self.leakage_nw,
                "output": self.output}


@dataclass(frozen=True, kw_only=True)
class _GateFile(_CellFile):
    part_of: str
    shares_pins: bool
    leakage_states_nw: _Floats
    function: Text
    inputs: Annotated[tuple[_PinFile, ...], Limits(0, MAX_INPUTS)]
    arcs: tuple[tuple[_ArcFile, ...], ...]

    def cell(self) -> Cell:
        if not len(self.inputs) == len(self.arcs) == len(self.switching):
            raise ValueError(f"Cell {self.name!r} must have arcs and energies for every input")
        cell = Cell(**self.common, function=self.function, part_of=self.part_of,
                    shares_pins=self.shares_pins, leakage_states_nw=self.leakage_states_nw,
                    inputs=tuple(pin.pin() for pin in self.inputs),
                    arcs=tuple(tuple(arc.arc() for arc in arcs) for arcs in self.arcs),
                    switching=tuple(map(_energy, self.switching)))
        _ = cell.truth  # refuses a function that is none of the inputs
        return cell


@dataclass(frozen=True, kw_only=True)
class _ClockedFile(_CellFile):
    switching: _Edges  # type: ignore[assignment]
    clock: _PinFile
    setup: _Edges
    hold: _Edges

    @property
    def clocked(self) -> dict[str, Any]:
        return {**self.common, "clock": self.clock.pin(), "switching": _energy(self.switching),
                **{f"{kind}_{edge}": Table.from_list(table)
                   for kind, tables in (("setup", self.setup), ("hold", self.hold))
                   for edge, table in zip(("rise", "fall"), tables, strict=True)}}


@dataclass(frozen=True, kw_only=True)
class _FlopFile(_ClockedFile):
    data: _PinFile
    inverted: bool
    arc: _ArcFile
    tied: tuple[tuple[str, Literal[0, 1]], ...]

    def flop(self) -> Flop:
        return Flop(**self.clocked, data=self.data.pin(), inverted=self.inverted,
                    arc=self.arc.arc(), tied=self.tied)


@dataclass(frozen=True, kw_only=True)
class _ClockGateFile(_ClockedFile):
    enable: _PinFile
    tie_low: tuple[str, ...]

    def clock_gate(self) -> ClockGate:
        return ClockGate(**self.clocked, enable=self.enable.pin(), tie_low=self.tie_low)


@dataclass(frozen=True, kw_only=True)
class _TechnologyFile:
    """What a technology file holds beside its format."""

    name: Text
    corner: str
    source: tuple[str, ...]
    units: Mapping[str, str]
    voltage_v: Positive
    clock_buffer: str
    flop: _FlopFile
    clock_gate: _ClockGateFile | None
    full_adder: FullAdder | None
    cells: Annotated[tuple[_GateFile, ...], Limits(1)]

    def technology(self) -> Technology:
        cells = {entry.name: entry.cell() for entry in self.cells}
        if len(cells) != len(self.cells):
            raise ValueError("cells must have names of their own")
        if self.units != UNITS:
            raise ValueError(f"units must be {', '.join(UNITS.values())}")
        adder = self.full_adder
        for part in (self.clock_buffer, *(() if adder is None else (adder.sum, adder.carry))):
            if part not in cells or not cells[part].inputs:
                raise ValueError(f"clock_buffer and full_adder must be of the cells, not {part!r}")
        return Technology(
            name=self.name, corner=self.corner, source=self.source, voltage_v=self.voltage_v,
            cells=cells, flop=self.flop.flop(), clock_buffer=self.clock_buffer,
            full_adder=adder,
            clock_gate=None if self.clock_gate is None else self.clock_gate.clock_gate())
