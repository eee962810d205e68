"""Command line: the runs in a folder, a line each. `python -m search.report.comparison runs`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from hw.common.errors import run_command_line, unknown_name
from hw.common.wording import CommandParser, HelpWithDefaults, program
from search.report.comparison.many_runs import (
    COLUMNS,
    NAMES,
    SHORT,
    by_column,
    find_runs,
    table,
    values,
)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("search.report.comparison"), formatter_class=HelpWithDefaults,
        description="List runs, a line each. Energies and area are relative to the exact array of "
        "each run.")
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER",
                        help="run folder, or a folder of such (default: runs)")
    parser.add_argument("--sort", default="written", metavar="COLUMN",
                        help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--reverse", action="store_true", help="largest, or latest, first")
    parser.add_argument("--long", action="store_true", help="all columns")
    parser.add_argument("--json", action="store_true",
                        help="all columns as JSON, with all digits; null where there is no result")
    return parser


def main() -> int:
    """Command line of the module."""
    arguments = _parser().parse_args()
    if arguments.sort not in NAMES:
        raise unknown_name("column", arguments.sort, NAMES)
    runs = by_column(find_runs(arguments.folders or [Path("runs")]), arguments.sort,
                     falling=arguments.reverse)
    for one in runs:
        if one.run is None and one.fault != "unfinished":
            print(f"notice: {one.fault}", file=sys.stderr)
    print(json.dumps([values(one) for one in runs], indent=2) if arguments.json else
          "\n".join(table(runs, list(COLUMNS) if arguments.long else SHORT)))
    return 0


if __name__ == "__main__":
    run_command_line(main)
