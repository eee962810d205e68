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
from typing import Any

from hw.common.errors import InputError, unknown_name
from hw.common.files import read_json, write_json_gz
from hw.ppa.cells import Arc, Cell, ClockGate, EdgeEnergy, Flop, FullAdder, Pin
from hw.ppa.table import Table

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
        if not isinstance(content, dict) or content.get("format") != TECHNOLOGY_FORMAT:
            raise InputError("Technology must be a JSON object with "
                             f"\"format\": \"{TECHNOLOGY_FORMAT}\"")
        try:
            cells = [_cell_from(entry) for entry in content["cells"]]
            flop, gate = content["flop"], content["clock_gate"]
            return cls(
                name=content["name"], corner=content["corner"], source=tuple(content["source"]),
                voltage_v=float(content["voltage_v"]),
                cells={cell.name: cell for cell in cells},
                flop=Flop(**_common_from(flop), data=_pin_from(flop["data"]),
                          clock=_pin_from(flop["clock"]), output=flop["output"],
                          inverted=bool(flop["inverted"]), arc=_arc_from(flop["arc"]),
                          switching=_edges_from(flop["switching"]), **_constraints_from(flop),
                          tied=tuple((pin, int(level)) for pin, level in flop["tied"])),
                clock_gate=None if gate is None else ClockGate(
                    **_common_from(gate), enable=_pin_from(gate["enable"]),
                    clock=_pin_from(gate["clock"]), tie_low=tuple(gate["tie_low"]),
                    output=gate["output"], switching=_edges_from(gate["switching"]),
                    **_constraints_from(gate)),
                clock_buffer=content["clock_buffer"],
                full_adder=None if content["full_adder"] is None else FullAdder(
                    **content["full_adder"]))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(f"Technology is malformed: {error!r}") from None

    @classmethod
    def load(cls, path: Path) -> Technology:
        """Read a technology file; every error names the file."""
        content = read_json(path)
        try:
            return cls.from_dict(content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

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


def _common_from(content: dict[str, Any]) -> dict[str, Any]:
    return {"name": content["name"], "area_um2": float(content["area_um2"]),
            "leakage_nw": float(content["leakage_nw"])}


def _constraints(cell: Flop | ClockGate) -> dict[str, Any]:
    return {"setup": [cell.setup_rise.to_list(), cell.setup_fall.to_list()],
            "hold": [cell.hold_rise.to_list(), cell.hold_fall.to_list()]}


def _constraints_from(content: dict[str, Any]) -> dict[str, Any]:
    return {f"{kind}_{edge}": Table.from_list(table) for kind in ("setup", "hold")
            for edge, table in zip(("rise", "fall"), content[kind], strict=True)}


def _edges(energy: EdgeEnergy) -> list[Any]:
    return [energy.rise.to_list(), energy.fall.to_list()]


def _edges_from(content: Any) -> EdgeEnergy:
    rise, fall = content
    return EdgeEnergy(rise=Table.from_list(rise), fall=Table.from_list(fall))


def _pin_dict(pin: Pin) -> dict[str, Any]:
    return {"name": pin.name, "cap_ff": pin.cap_ff, "quiet": _edges(pin.quiet)}


def _pin_from(content: dict[str, Any]) -> Pin:
    return Pin(name=content["name"], cap_ff=float(content["cap_ff"]),
               quiet=_edges_from(content["quiet"]))


def _arc_dict(arc: Arc) -> dict[str, Any]:
    return {"sense": arc.sense, "delay": [arc.delay_rise.to_list(), arc.delay_fall.to_list()],
            "slew": [arc.slew_rise.to_list(), arc.slew_fall.to_list()]}


def _arc_from(content: dict[str, Any]) -> Arc:
    if content["sense"] not in ("positive", "negative", "both"):
        raise ValueError(f"Arc sense must be positive, negative or both, not {content['sense']!r}")
    delay_rise, delay_fall = map(Table.from_list, content["delay"])
    slew_rise, slew_fall = map(Table.from_list, content["slew"])
    return Arc(sense=content["sense"], delay_rise=delay_rise, delay_fall=delay_fall,
               slew_rise=slew_rise, slew_fall=slew_fall)


def _cell_from(content: dict[str, Any]) -> Cell:
    cell = Cell(**_common_from(content), output=content["output"], function=content["function"],
                inputs=tuple(_pin_from(pin) for pin in content["inputs"]),
                arcs=tuple(tuple(_arc_from(arc) for arc in arcs) for arcs in content["arcs"]),
                switching=tuple(_edges_from(energy) for energy in content["switching"]),
                part_of=content["part_of"], shares_pins=bool(content["shares_pins"]),
                leakage_states_nw=tuple(map(float, content["leakage_states_nw"])))
    if not len(cell.inputs) == len(cell.arcs) == len(cell.switching):
        raise ValueError(f"Cell {cell.name!r} must have arcs and energies for every input")
    return cell
