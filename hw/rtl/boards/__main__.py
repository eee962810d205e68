"""Bitstreams of self-tests: `python -m hw.rtl.boards build ulx3s`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hw.common.errors import InputError, run_command_line
from hw.config import Design
from hw.rtl.boards.build import REPORT, Build, build
from hw.rtl.boards.targets import BOARDS, get_board, resized


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hw.rtl.boards",
        description="Put the bank of a design on an FPGA board, with a test of itself.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("build", help="write a bitstream and a timing report",
                                  description="Write a bitstream and a timing report.")
    command.add_argument("board", help=" or ".join(BOARDS))
    command.add_argument("design", nargs="?", type=Path, metavar="DESIGN.json",
                         help="design file (default: one that fits the board)")
    command.add_argument("--rows", type=int, metavar="N",
                         help="rows of the arrays (default: those of the design)")
    command.add_argument("--cols", type=int, metavar="N",
                         help="columns of the arrays (default: those of the design)")
    command.add_argument("-o", "--output", type=Path, metavar="DIR",
                         help="folder for bitstream and report (default: build/boards/BOARD)")
    return parser


def summary(result: Build) -> str:
    """Return what a person wants to know about a build."""
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    board = get_board(options.board)
    for label, value in (("--rows", options.rows), ("--cols", options.cols)):
        if value is not None and value < 1:
            raise InputError(f"{label} must be a positive integer, not {value}")
    design = Design.load(options.design) if options.design else board.default_design()
    design = resized(design, options.rows, options.cols)
    print(summary(build(board, design, options.output or Path("build/boards") / board.name)))


if __name__ == "__main__":
    run_command_line(main)
