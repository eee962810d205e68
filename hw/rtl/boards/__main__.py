"""Bitstreams of self-tests: `python -m hw.rtl.boards build ulx3s`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hw.common.errors import InputError, run_command_line
from hw.common.outputs import OutputFolder
from hw.common.wording import CommandParser, program
from hw.machine.design import Design
from hw.rtl.boards.listen import read_run
from hw.rtl.boards.serial.report_text import differences
from hw.rtl.boards.stored_tiles import Plan
from hw.rtl.boards.targets import BOARDS, get_board, resized

if TYPE_CHECKING:
    from hw.rtl.boards.build import Build


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("hw.rtl.boards"),
        description="Put the bank of a design on an FPGA board, with a test of itself.")
    target = CommandParser(add_help=False)
    target.add_argument("board", help=" or ".join(BOARDS))
    target.add_argument("design", nargs="?", type=Path, metavar="DESIGN.json",
                        help="design file (default: one that fits the board)")
    target.add_argument("--rows", type=int, metavar="N",
                        help="rows of the arrays (default: those of the design)")
    target.add_argument("--cols", type=int, metavar="N",
                        help="columns of the arrays (default: those of the design)")
    commands = parser.add_subparsers(dest="command", required=True)
    text = "write a bitstream and a timing report"
    command = commands.add_parser("build", parents=[target], help=text, description=text)
    command.add_argument("-o", "--output", type=Path, action=OutputFolder, metavar="DIR",
                         help="folder for bitstream and report (default: build/boards/BOARD)")
    text = "read the report of a board and compare it with the prediction; status 1 if it differs"
    command = commands.add_parser("check", parents=[target], help=text, description=text)
    command.add_argument("--port", type=Path, required=True,
                         help="serial port, or a file that recorded one")
    command.add_argument("--timeout", type=float, default=10.0, metavar="S",
                         help="seconds to wait for a complete report (default: %(default)g)")
    return parser


def summary(result: Build) -> str:
    """Return what a person wants to know about a build."""
    from hw.rtl.boards.build import REPORT

    title = BOARDS[result.board].title
    bank = result.bank
    width = max(map(len, result.used))
    cells = [f"  {name:<{width}}  {used:>6} of {result.available[name]:>6}"
             for name, used in sorted(result.used.items())]
    return "\n".join([
        f"{title}: {len(bank['arrays'])} arrays of {bank['rows']}x{bank['cols']}, "
        f"{', '.join(bank['arrays'])}",
        f"  clock   {result.achieved_mhz:.1f} MHz, {result.constraint_mhz:g} MHz needed",
        *cells,
        "  CPU     " + ", ".join(f"{step} {seconds:.0f} s"
                                 for step, seconds in result.cpu_s.items()),
        f"{result.bitstream}, {result.bitstream.parent / REPORT}"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 if the report of a board is not the predicted one."""
    options = _parser().parse_args(arguments)
    board = get_board(options.board)
    for label, value in (("--rows", options.rows), ("--cols", options.cols)):
        if value is not None and value < 1:
            raise InputError(f"{label} must be a positive integer, not {value}")
    if options.command == "check" and not 0 < options.timeout < float("inf"):
        raise InputError(f"--timeout must be above 0, not {options.timeout:g}")
    design = Design.load(options.design) if options.design else board.default_design()
    design = resized(design, options.rows, options.cols)
    if options.command == "build":
        from hw.rtl.boards.build import build

        print(summary(build(board, design, options.output or Path("build/boards") / board.name)))
        return 0
    plan = Plan.random(design)
    found = differences(plan, read_run(options.port, timeout_s=options.timeout))
    print("\n".join(found) or f"{len(plan.cycles)} tiles on {plan.arrays} arrays: every sum equal, "
          f"{sum(plan.cycles)} cycles as predicted")
    return 1 if found else 0


if __name__ == "__main__":
    run_command_line(main)
