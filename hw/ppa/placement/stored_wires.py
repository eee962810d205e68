"""Stored placements: the lengths of wires of mapped PEs, so that nobody else needs the placer."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hw.common.cache import kept
from hw.common.errors import InputError, unknown_name
from hw.common.files import write_json_gz
from hw.common.records import Text, read_record
from hw.ppa.mapping.mapped import MappedNetlist
from hw.ppa.mapping.pe import MappedPe, PeWires
from hw.ppa.mapping.stored_pes import result_path, results_folder
from hw.ppa.mapping.timing import FLAT
from hw.ppa.placement.geometry import Geometry, geometry_of
from hw.ppa.placement.placed_netlist import PlacedNetlist, netlist_digest, place_netlist
from hw.ppa.placement.placer import placer_name

PLACED_FORMAT = "autoapprox-placed-pe/1"
FOLDER = "placed"  # beside the mapped PEs
FLAT_WIRES, PLACED_WIRES = WIRES = ("flat", "placed")


@dataclass(frozen=True, kw_only=True)
class PlacedPe:
    """What the file of a placed PE holds beside its format: of each netlist, its wires."""

    placer: Text
    technology_sha256: Text
    geometry: Geometry
    pe: PlacedNetlist
    multiplier_alone: PlacedNetlist
    start: PlacedNetlist | None = None

    @property
    def parts(self) -> dict[str, PlacedNetlist]:
        """The netlists by name."""
        return {"pe": self.pe, "multiplier_alone": self.multiplier_alone,
                **({"start": self.start} if self.start else {})}

    def check(self, pe: MappedPe) -> None:
        """Raise InputError where this is no placement of the netlists of a PE."""
        netlists = _netlists(pe)
        if (self.technology_sha256 != pe.technology.digest or self.parts.keys() != netlists.keys()):
            raise InputError(f"must be a placement of this PE in {pe.technology.name}")
        for place, part in self.parts.items():
            netlist = netlists[place]
            if (part.netlist_sha256 != netlist_digest(netlist)
                    or len(part.nets_nm) != netlist.net_count
                    or not len(part.clocks_nm) == len(part.clock_sinks)
                    == len(netlist.clock_gates) + 1):
                raise InputError(f"{place} must be of the netlist that is mapped")

    def wires(self) -> PeWires:
        """Return the capacitances."""
        return PeWires(pe=self.pe.wires(self.geometry),
                       multiplier=self.multiplier_alone.wires(self.geometry),
                       start=self.start.wires(self.geometry) if self.start else FLAT)


def add_wires_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add `--wires`."""
    parser.add_argument("--wires", default=FLAT_WIRES, choices=WIRES,
                        help="flat: 0.2 fF for every pin; placed: those of a placement "
                        "(default: %(default)s)")


def place_pe(pe: MappedPe, geometry: Geometry) -> PlacedPe:
    """Return a PE placed; raises ToolError where the placer is not installed."""
    parts = {name: place_netlist(netlist, pe.technology, geometry)
             for name, netlist in _netlists(pe).items()}
    return PlacedPe(placer=placer_name(), technology_sha256=pe.technology.digest,
                    geometry=geometry, **parts)


def placed_path(folder: Path, pe: MappedPe) -> Path:
    """Return where the placement of a PE belongs, below the folder that it is stored in."""
    return folder / FOLDER / result_path(folder, pe.multiplier, pe.psum_width,
                                         pe.kind.dataflow).name


def save_placed(placed: PlacedPe, path: Path) -> None:
    """Write a placement; equal ones give equal bytes."""
    write_json_gz(path, {"format": PLACED_FORMAT, **asdict(placed)})


def is_placed(path: Path, pe: MappedPe, geometry: Geometry) -> bool:
    """Return whether there is a placement of a PE by the placer that is installed."""
    try:
        stored = load_placed(path, pe)
    except (OSError, InputError):
        return False
    return (stored.placer, stored.geometry) == (placer_name(), geometry)


def load_placed(path: Path, pe: MappedPe) -> PlacedPe:
    """Return the stored placement of a PE; raises InputError where the file is of another one."""
    stored = read_record(path, PlacedPe, PLACED_FORMAT)
    try:
        stored.check(pe)
    except InputError as error:
        raise InputError(f"{path}: {error}; run: python -m hw.ppa place") from None
    return stored


def with_wires(pe: MappedPe, wires: str, folder: Path | None = None) -> MappedPe:
    """Return a PE with one of `WIRES`: flat ones, as it is, or those of its placement.

    That is stored, or it is placed now and kept in the cache.

    Parameters
    ----------
    pe : MappedPe
    wires : str
    folder : Path, optional
        That it is stored in; by default the one that comes with the project.

    Raises
    ------
    InputError
        There are no wires of this name, the stored placement is of another netlist, or there is
        none and the geometry of the technology is unknown.
    ToolError
        There is none, and the placer is not installed.
    """
    if wires not in WIRES:
        raise unknown_name("wires", wires, WIRES)
    if wires == FLAT_WIRES:
        return pe
    path = placed_path(folder or results_folder(pe.technology.name), pe)
    if path.exists():
        return replace(pe, wires=load_placed(path, pe).wires())
    try:
        geometry = geometry_of(pe.technology)
    except InputError as error:
        raise InputError(f"{error}, to: python -m hw.ppa place {pe.multiplier.name}") from None
    placed = kept((*_netlists(pe).values(), pe.technology.digest, geometry, placer_name()),
                  lambda: place_pe(pe, geometry), PlacedPe)
    return replace(pe, wires=placed.wires())


def _netlists(pe: MappedPe) -> dict[str, MappedNetlist]:
    return {"pe": pe.netlist, "multiplier_alone": pe.multiplier_netlist,
            **({"start": pe.start_netlist} if pe.start_netlist else {})}
