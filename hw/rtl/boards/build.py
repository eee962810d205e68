"""From a design to a bitstream: emit, synthesise, place and route, pack."""

from __future__ import annotations

import json
import resource
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.common.errors import InputError
from hw.common.files import read_json, write_bytes, write_json
from hw.common.progress import task
from hw.machine.design import Design
from hw.machine.pe.kind import ClockGate
from hw.rtl.boards.capacity import check_fits, check_placed
from hw.rtl.boards.serial.report_text import expected_report
from hw.rtl.boards.stored_tiles import Plan
from hw.rtl.boards.targets import Board
from hw.rtl.boards.tools import ToolRunError
from hw.rtl.boards.top import Top
from hw.rtl.verilog.emission import emit_design

REPORT = "build.json"
PLACE_LOG = "top.tim"
PLACE_SEED = 1
STEPS = ("synthesis", "place and route", "bitstream")


@dataclass(frozen=True, kw_only=True)
class Build:
    """A finished bitstream and what the tools say about it.

    Parameters
    ----------
    board : str
    design : str
    plan_digest : str
        Names design and self-test in the report that the board sends.
    bank : mapping
    bitstream : Path
    achieved_mhz, constraint_mhz : float
        Fastest clock by static timing analysis, and the clock of the board.
    used, available : mapping of str to int
        Cells by the FPGA's own names.
    cpu_s : mapping of str to float
        Processor time of each step, in seconds.
    tools : mapping of str to str
        Version of each tool.
    """

    board: str
    design: str
    plan_digest: str
    bank: Mapping[str, Any]
    bitstream: Path
    achieved_mhz: float
    constraint_mhz: float
    used: Mapping[str, int]
    available: Mapping[str, int]
    cpu_s: Mapping[str, float]
    tools: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {
            "board": self.board, "design": self.design, "self_test": self.plan_digest,
            "bank": dict(self.bank), "bitstream": self.bitstream.name,
            "achieved_mhz": self.achieved_mhz, "constraint_mhz": self.constraint_mhz,
            "cells": {name: {"used": self.used[name], "available": self.available[name]}
                      for name in sorted(self.used)},
            "place_seed": PLACE_SEED, "cpu_s": dict(self.cpu_s), "tools": dict(self.tools),
        }


def build(board: Board, design: Design, folder: Path) -> Build:
    """Write the bitstream of a self-test of `design` and REPORT to `folder`.

    `folder/work` keeps sources and logs. Equal designs give equal bitstreams.

    Raises
    ------
    InputError
        The design does not fit on the board or is slower than its clock, with the numbers.
    ToolError
        A tool is missing or failed.
    """
    check_fits(board, design)
    for tool in board.tools:
        tool.require()
    platform = board.platform()
    bitstream = folder / f"self_test{Path(board.bitstream).suffix}"
    for stale in (bitstream, folder / REPORT):
        stale.unlink(missing_ok=True)

    work = folder / "work"
    plan = Plan.random(design)
    with task(f"Bitstream for {board.name}", len(STEPS) + 1) as progress:
        commands = prepare(platform, board, plan, work)
        cpu_s = {}
        for step, tool, arguments in zip(STEPS, board.tools, commands, strict=True):
            progress.advance(note=f"{step}: {tool.name}")
            before = _child_seconds()
            try:
                tool.run(arguments, folder=work)
            except ToolRunError:
                if step == STEPS[1]:
                    check_placed(board, design, (work / PLACE_LOG).read_text())
                raise
            cpu_s[step] = round(_child_seconds() - before, 1)
        progress.advance()

    result = _result(board, plan, bitstream, work, cpu_s)
    if result.achieved_mhz < result.constraint_mhz:
        raise InputError(f"Design {design.name} must reach the {result.constraint_mhz:g} MHz of "
                         f"{board.name}, not {result.achieved_mhz:.1f} MHz")
    write_bytes(bitstream, (work / board.bitstream).read_bytes())
    write_json(folder / REPORT, result.to_dict() | {"expected_lines": expected_report(plan)})
    return result


def prepare(platform: Any, board: Board, plan: Plan, work: Path) -> list[list[str]]:
    """Write the sources to `work`; return the arguments of each tool."""
    for name, text in emit_design(plan.design, clock_gate=ClockGate.ENABLE).items():
        if name.endswith(".v"):
            platform.add_file(name, text)
    files = platform.prepare(
        Top(board=board, plan=plan), name="top", emit_src=False,  # no local paths in the text
        synth_opts=board.synth_options,
        # A clock that is too slow is reported by us; `seed` makes the placement repeatable.
        nextpnr_opts=f"--seed {PLACE_SEED} --report top.report.json --timing-allow-fail")
    files.extract(str(work))
    commands = json.loads(files.files["build_top.json"])["commands"]
    assert len(commands) == len(board.tools), [shlex.join(command) for command in commands]
    return [arguments for _, *arguments in commands]


def _result(board: Board, plan: Plan, bitstream: Path, work: Path,
            cpu_s: Mapping[str, float]) -> Build:
    report = read_json(work / "top.report.json")
    # The one clock of the design; nextpnr names it after the net.
    (clock,) = report["fmax"].values()
    cells = {name: count for name, count in report["utilization"].items() if count["used"]}
    return Build(
        board=board.name, design=plan.design.name, plan_digest=plan.digest,
        bank=plan.design.bank.to_dict(), bitstream=bitstream,
        achieved_mhz=round(clock["achieved"], 2), constraint_mhz=round(clock["constraint"], 2),
        used={name: count["used"] for name, count in cells.items()},
        available={name: count["available"] for name, count in cells.items()},
        cpu_s=cpu_s, tools={tool.name: tool.version for tool in board.tools})


def _child_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
