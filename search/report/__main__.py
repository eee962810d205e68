"""`python -m search.report RUN_FOLDER`."""

from __future__ import annotations

from pathlib import Path

from hw.common.errors import InputError, run_command_line
from hw.common.outputs import check_output
from hw.common.progress import start
from hw.common.wording import CommandParser, program
from search.report.circuits import load_bank
from search.report.record import RunResult


def main() -> int:
    """Command line of the package."""
    parser = CommandParser(prog=program("search.report"),
                                     description="Draw the report of a run again, or compare "
                                     "two runs.")
    parser.add_argument("folder", type=Path, help="run folder, holding run.json")
    parser.add_argument("other", type=Path, nargs="?", help="run folder to compare it with")
    arguments = parser.parse_args()
    for folder in filter(None, (arguments.folder, arguments.other)):
        if not folder.is_dir():
            raise InputError(f"{folder}: must be a run folder")
    run = RunResult.load(arguments.folder / "run.json")
    if arguments.other is not None:
        from search.report.two_runs import compare_runs

        print("\n".join(compare_runs(run, RunResult.load(arguments.other / "run.json"))))
    else:
        check_output(arguments.folder, folder=True)
        start(f"drawing the report of {arguments.folder}")
        from search.report.page import write_report

        print(write_report(run, load_bank(arguments.folder, run), arguments.folder))
    return 0


if __name__ == "__main__":
    run_command_line(main)
