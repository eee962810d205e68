"""A technology from Liberty libraries: the cells that are kept, and those that are missing.

- Cells with more inputs or drive than asked for are left out: mapping with few cells is faster,
  deterministic, and the file stays small.
- `when` conditions of one pin are merged: the mean for energies, the worst for delays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from hw.common.errors import InputError
from hw.common.progress import task
from hw.ppa.library.cells import Cell, FullAdder
from hw.ppa.library.liberty import Group
from hw.ppa.library.liberty_cells import Candidate, candidate, combinational
from hw.ppa.library.liberty_library import Library, open_library
from hw.ppa.library.liberty_registers import Cells, smallest_clock_gate, smallest_flop
from hw.ppa.library.technology import Technology

INVERT, FOLLOW = 0b01, 0b10
TWO_INPUT = {0b0111, 0b0001, 0b1000, 0b1110}  # NAND, NOR, AND, OR: any of them is enough
SUM, CARRY = 0b10010110, 0b11101000


def characterise(paths: Sequence[Path], *, name: str, max_inputs: int = 5, drives: int = 2,
                 exclude: Sequence[str] = (), quiet: bool = True) -> Technology:
    """Return the technology that Liberty files describe.

    Parameters
    ----------
    paths : sequence of Path
        One library, possibly cut into several files; plain or gzipped.
    name : str
        Of the technology.
    max_inputs : int
        Cells with more inputs are left out.
    drives : int
        Cells kept per function, smallest area first; inverters and buffers keep twice as many.
    exclude : sequence of str
        Patterns of cell names to leave out, e.g. `HB*` for buffers that are slow on purpose.
    quiet : bool
        Show no progress.

    Raises
    ------
    InputError
        A file is malformed or lacks a figure (named with its line), a cell is there twice, or
        the library lacks a kind of cell that no circuit can do without.
    """
    if max_inputs < 2 or drives < 1:
        raise InputError("Cells must be allowed 2 inputs and 1 drive strength at least, not "
                         f"{max_inputs} and {drives}")
    if not paths:
        raise InputError("Characterisation must be given a Liberty file")
    libraries: list[Library] = []
    with task("reading Liberty", len(paths), quiet=quiet) as progress:
        for path in paths:
            libraries.append(open_library(path))
            progress.advance(note=path.name)
    if len({library.voltage_v for library in libraries}) > 1:
        raise InputError("Liberty files must agree on nom_voltage, not "
                         + ", ".join(f"{lib.path}: {lib.voltage_v}" for lib in libraries))
    cells = [(library, cell) for library, cell in _distinct(libraries)
             if cell.attributes.get("dont_use", "false") != "true"
             and not any(fnmatchcase(cell.name, pattern) for pattern in exclude)]
    candidates = [found for library, cell in cells
                  if (found := candidate(library, cell, max(max_inputs, 3))) is not None]
    chosen = _smallest_per_function(candidates, max_inputs, drives)
    adder = _full_adder(candidates)
    flop = smallest_flop(cells)
    kept = [cell for found in chosen for cell in combinational(found)]
    buffers = [cell for cell in kept if len(cell.inputs) == 1 and cell.truth == FOLLOW]
    _check_complete(libraries, {
        "an inverter": any(len(cell.inputs) == 1 and cell.truth == INVERT for cell in kept),
        "a buffer": bool(buffers),
        "a NAND, NOR, AND or OR with two inputs":
            any(len(cell.inputs) == 2 and cell.truth in TWO_INPUT for cell in kept),
        "a rising-edge register without enable": flop is not None})
    assert flop is not None
    parts = combinational(adder) if adder is not None else []
    return Technology(
        name=name, corner=libraries[0].corner, voltage_v=libraries[0].voltage_v,
        source=tuple(library.group.name for library in libraries),
        cells={cell.name: cell for cell in [*kept, *parts]},
        flop=flop, clock_gate=smallest_clock_gate(cells),
        clock_buffer=max(buffers, key=lambda cell: (cell.area_um2, cell.name)).name,
        full_adder=_described(parts) if parts else None)


def _distinct(libraries: Iterable[Library]) -> Cells:
    """Return all cells; InputError when one is there twice."""
    found: dict[str, tuple[Library, Group]] = {}
    for library in libraries:
        for cell in library.group.children("cell"):
            if cell.name in found:
                first, other = found[cell.name]
                raise library.fail(cell, f"cell {cell.name!r} must be there once, not also at "
                                   f"{first.path}:{other.line}")
            found[cell.name] = library, cell
    return list(found.values())


def _check_complete(libraries: Sequence[Library], present: dict[str, bool]) -> None:
    missing = [what for what, found in present.items() if not found]
    if missing:
        raise InputError(f"{', '.join(library.path for library in libraries)}: library must have "
                         + " and ".join(missing))


def _smallest_per_function(candidates: Iterable[Candidate], max_inputs: int,
                           drives: int) -> list[Candidate]:
    """Return the cells with one output to keep, by their function."""
    found: dict[tuple[int, int], list[Candidate]] = defaultdict(list)
    for one in candidates:
        if len(one.outputs) == 1 and len(one.inputs) <= max_inputs:
            found[len(one.inputs), one.truths[0]].append(one)
    chosen = []
    for (inputs, _), alike in sorted(found.items()):
        keep = drives * 2 if inputs == 1 else drives
        chosen += sorted(alike, key=lambda one: one.rank)[:keep]
    return chosen


def _full_adder(candidates: Iterable[Candidate]) -> Candidate | None:
    """Return the smallest cell with sum and carry of three inputs, inverted or not."""
    mask = (1 << 8) - 1
    found = [one for one in candidates if len(one.inputs) == 3 and len(one.outputs) == 2
             and {truth if truth in (SUM, CARRY) else mask & ~truth
                  for truth in one.truths} == {SUM, CARRY}]
    return min(found, key=lambda one: one.rank) if found else None


def _described(parts: Sequence[Cell]) -> FullAdder:
    by_role = {cell.truth in (SUM, 255 & ~SUM): cell for cell in parts}
    total, carry = by_role[True], by_role[False]
    return FullAdder(name=total.part_of, sum=total.name, carry=carry.name,
                     sum_inverted=total.truth != SUM, carry_inverted=carry.truth != CARRY)
