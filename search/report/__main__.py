"""`python -m search.report RUN_FOLDER`."""

from __future__ import annotations

from pathlib import Path

from hw.common.errors import InputError, run_command_line
from hw.common.outputs import check_output
from hw.common.progress import start
from hw.common.wording import CommandParser, program
from search.report.circuits import load_bank
from search.report.comparison.two_runs import compare_runs
from search.report.record import RunResult


def main() -> int:
    """Command line of the package."""
    parser = CommandParser(prog=program("search.report"),
                           description="Draw the report of a run again, or compare two runs.")
    parser.add_argument("folder", type=Path, help="run folder, holding run.json: it is drawn")
    parser.add_argument("other", type=Path, nargs="?",
                        help="the run that it is compared with instead (autoapprox ls lists more)")
    arguments = parser.parse_args()
    folders = list(filter(None, (arguments.folder, arguments.other)))
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: must be a run folder")
    runs = [RunResult.load(folder / "run.json") for folder in folders]
    if len(runs) == 2:
        print("\n".join(compare_runs(*runs)))
    else:
        (folder,), (run,) = folders, runs
        check_output(folder, folder=True)
        start(f"drawing the report of {folder}")
        from search.report.page import write_report

        print(write_report(run, load_bank(folder, run), folder))
    return 0


if __name__ == "__main__":
    run_command_line(main)
