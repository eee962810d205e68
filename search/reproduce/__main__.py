"""Command line: run every step of the results page that has not been run, and write the page.

`python -m search.reproduce --data FOLDER`
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from hw.common.cache import add_cache_option
from hw.common.errors import InputError, ToolError, run_command_line
from hw.common.outputs import OutputFile
from hw.common.wording import CommandParser, HelpWithDefaults, program
from search.reproduce.all_steps import DEFAULT_BUDGET, all_steps
from search.reproduce.selection import select
from search.reproduce.steps import Record, Step, is_done, missing, writes

PAGE = Path("docs/results.md")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("search.reproduce"), formatter_class=HelpWithDefaults,
        description="Run every step of the results page that has not been run, each one command, "
        "and write the page. Hours; Ctrl-C and the same command again go on where it stopped.",
        epilog="A step counts as run while its command and the files it reads are the same. The "
        "project's own code is not among them: the page names its commits, and without the files "
        "under DIR/steps everything is run again.")
    parser.add_argument("--data", type=Path, metavar="FOLDER",
                        help="folder with nets/, images/ and multipliers/")
    parser.add_argument("-o", "--output", type=Path, action=OutputFile, default=PAGE,
                        metavar="PAGE.md",
                        help="page; its figures and results.json go into a folder of its name")
    parser.add_argument("--work", type=Path, default=Path("runs/reproduce"), metavar="DIR",
                        help="folder in which commands are run and their results are kept")
    parser.add_argument("--budget", type=int, default=DEFAULT_BUDGET, metavar="N",
                        help="evaluations per method and search")
    parser.add_argument("--networks", default="", metavar="NAME,...",
                        help="steps of these networks only, beside those of none")
    parser.add_argument("--steps", default="", metavar="NAME,...",
                        help="these steps or groups of them only, such as exact,search/resnet8, "
                        "and what they need")
    parser.add_argument("--add", type=Path, metavar="FILE.json",
                        help="results.json of another work folder or machine: the page shows its "
                        "steps where they are not finished in DIR")
    add_cache_option(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only-report", action="store_true",
                       help="run nothing, write the page from what has been run")
    which.add_argument("--from", dest="stored", type=Path, metavar="FILE.json",
                       help="write the page from stored results; needs no --data")
    which.add_argument("--dry-run", action="store_true", help="only say what would be run")
    return parser


def main() -> int:
    """Command line of the module."""
    arguments = _parser().parse_args()
    if arguments.stored:
        from search.reproduce.page import write_page
        from search.reproduce.results import Results

        write_page(Results.load(arguments.stored), arguments.output)
        print(arguments.output)
        return 0
    if arguments.data is None:
        raise InputError("--data must name a folder with nets/, images/ and multipliers/")
    if arguments.budget < 1:
        raise InputError(f"Budget must be at least 1, not {arguments.budget}")
    _interruptible()
    from search.reproduce.runner import open_work, run_all

    work = arguments.work
    open_work(work, arguments.data)
    steps = all_steps(arguments.data, arguments.budget)
    chosen = select(steps, _names(arguments.networks), _names(arguments.steps))
    if arguments.dry_run:
        print("\n".join(_plan(chosen, work)))
        return 0
    try:
        failed = [] if arguments.only_report else run_all(chosen, work)
    except KeyboardInterrupt:
        print(f"what was finished is kept in {work}; the same command goes on", file=sys.stderr)
        raise
    from search.reproduce.page import publish

    publish(steps, work, arguments.output, arguments.add)
    print(arguments.output)
    if failed:
        step = failed[0]
        raise ToolError(f"{len(failed)} of {len(chosen)} steps failed, the first with: "
                        f"{step.text()} ({step.file(work, '.err')})")
    return 0


def _interruptible() -> None:
    """Let what ends this process end the running command first, as Ctrl-C does.

    Ctrl-C itself is ignored in what a script starts in the background, and commands would inherit
    that. A hang-up that is ignored stays so (nohup).
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _names(text: str) -> list[str]:
    return list(filter(None, text.split(",")))


def _plan(steps: Sequence[Step], work: Path) -> list[str]:
    lines = []
    for step in steps:
        absent = [name for name in missing(step, work)
                  if not any(writes(other, name) for other in steps)]
        state = ("done" if is_done(step, work, Record.load(step.file(work, ".json"))) else
                 f"cannot run, {', '.join(absent)} missing" if absent else "to run")
        lines.append(f"{step.name}: {state}\n  {step.text()}")
    return lines


if __name__ == "__main__":
    run_command_line(main)
