"""Command line: the design of every method of a run, not only of the chosen one.

`python -m search.reproduce.designs RUN_FOLDER -o FOLDER`
"""

from __future__ import annotations

from pathlib import Path

from hw.common.errors import run_command_line
from hw.common.outputs import OutputFolder
from hw.common.wording import CommandParser, program
from hw.machine.design import BankConfig
from search.report.circuits import load_bank
from search.report.record import RunResult


def write_designs(run_folder: Path, folder: Path) -> list[Path]:
    """Write `METHOD.json` for every method that found a design; the run's own is handed over.

    The constants of compensation stay with the run: what uses these files is their hardware.
    """
    from search.report.outputs import make_design

    run = RunResult.load(run_folder / "run.json")
    bank = load_bank(run_folder, run)
    config = run.configuration
    written = []
    for method in run.methods:
        design = run.kept if method is run.winner else method.best
        if design is not None:
            written.append(folder / f"{method.method}.json")
            make_design(f"{run.name}-{method.method}", design, bank,
                        bank=BankConfig(rows=config["rows"], cols=config["cols"],
                                        form=config["pe_form"]),
                        exact_form=run.exact_form, kept=None, constants={},
                        provenance={"method": method.method, "run": run.name}
                        ).save(written[-1])
    return written


def main() -> int:
    """Command line of the module."""
    parser = CommandParser(
        prog=program("search.reproduce.designs"),
        description="Write the design of every method of a run.")
    parser.add_argument("run", type=Path, help="run folder, holding run.json")
    parser.add_argument("-o", "--output", type=Path, action=OutputFolder, required=True,
                        metavar="FOLDER",
                        help="folder for METHOD.json")
    arguments = parser.parse_args()
    print("\n".join(map(str, write_designs(arguments.run, arguments.output))))
    return 0


if __name__ == "__main__":
    run_command_line(main)
