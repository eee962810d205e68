"""The report of the self-test as text: what the board sends and how it is read back.

A run is a header, one line per tile and a closing line, each ending in CR LF:

    autoapprox 1f3a5c7e 8x8 arrays 3 tiles 4 beats 16
    tile 000 array 00 pass 00051 cycles
    ...
    all equal
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hw.rtl.boards.stored_tiles import Plan

HEADER_START = "autoapprox "
ALL_EQUAL = "all equal"
MISMATCH = "mismatch"
NO_ANSWER = "no answer"
TILE = re.compile(r"tile (\d{3}) array (\d{2}) (pass|FAIL) (\d{5}) cycles")


def header(plan: Plan) -> str:
    """Return the first line of a report, which names the design and the shape of the test."""
    bank = plan.design.bank
    return (f"{HEADER_START}{plan.digest} {bank.rows}x{bank.cols} arrays {plan.arrays} "
            f"tiles {plan.tiles} beats {plan.beats}")


@dataclass(frozen=True, kw_only=True)
class TileLine:
    """What the board says about one tile: its number in the run, the array that ran it."""

    tile: int
    array: int
    passed: bool
    cycles: int


def parse_tile(line: str) -> TileLine | None:
    """Return what a tile line says, or None for any other line."""
    match = TILE.fullmatch(line)
    if match is None:
        return None
    return TileLine(tile=int(match[1]), array=int(match[2]), passed=match[3] == "pass",
                    cycles=int(match[4]))


def expected_report(plan: Plan) -> list[str]:
    """Return the lines of a run in which nothing is wrong."""
    lines = [f"tile {number:03} array {number // plan.tiles:02} pass {cycles:05} cycles"
             for number, cycles in enumerate(plan.cycles)]
    return [header(plan), *lines, ALL_EQUAL]


def differences(plan: Plan, lines: Iterable[str]) -> list[str]:
    """Return what is wrong with the report of one run, a sentence each; empty if nothing is.

    Beyond what the board found itself, every tile must take exactly the predicted cycles.
    """
    lines = list(lines)
    wanted = expected_report(plan)
    if lines[:1] != wanted[:1]:
        return [f"Report must begin with {wanted[0]!r}, not {''.join(lines[:1])!r}"]
    found = []
    tiles = [parse_tile(line) for line in lines[1:]]
    for number, cycles in enumerate(plan.cycles):
        tile = tiles[number] if number < len(tiles) else None
        array = number // plan.tiles
        if tile is None or tile.tile != number:
            found.append(f"Tile {number} must be reported, not "
                         f"{lines[number + 1] if number + 1 < len(lines) else 'nothing'!r}")
            break
        if not tile.passed:
            found.append(f"Tile {number} on array {tile.array} gave a wrong sum")
        if tile.array != array:
            found.append(f"Tile {number} must run on array {array}, not {tile.array}")
        if tile.cycles != cycles:
            found.append(f"Tile {number} must take {cycles} cycles, not {tile.cycles}")
    if not found and lines != wanted:
        found.append(f"Report must end with {ALL_EQUAL!r}, not {lines[-1]!r}")
    return found
