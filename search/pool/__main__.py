"""`python -m search.pool`: certify designs of finished runs on images that nobody looked at."""

from __future__ import annotations

import argparse
from pathlib import Path

from hw.common.errors import run_command_line
from hw.common.memory import add_memory_option
from hw.common.wording import CommandParser, program
from search.pool.claim import TOP
from search.pool.labelling import FOLDER, TEMPLATE
from sim.options import DATA_HELP


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("search.pool"), description="Certify the designs of finished runs on images "
        "that nobody looked at: on a pool without labels, of which those alone are labelled on "
        "which a design and the exact network differ, or on those of a next look.")
    commands = parser.add_subparsers(dest="command", required=True)
    claim = commands.add_parser("claim", help="fix designs, order and margin, then run the pool "
                                "and write the images to label; what was interrupted goes on")
    claim.add_argument("runs", nargs="+", type=Path, metavar="RUN",
                       help="folders of python -m search.run, safest first: each design is judged "
                       "if those before it passed")
    claim.add_argument("--pool", required=True, metavar="DATA", help="images that were drawn as "
                       f"those in use will be, and that nobody looked at: {DATA_HELP}; labels are "
                       "not read")
    claim.add_argument("--limit", type=int, metavar="N", help="first N images of the pool")
    claim.add_argument("--margin", type=float, metavar="X", help="largest loss still called none, "
                       "a fraction (default: what the number of images supports)")
    claim.add_argument("--metric", choices=TOP, default="top1",
                       help="what must be kept (default: %(default)s)")
    claim.add_argument("--classes", type=Path, metavar="FILE", help="names of the classes, a line "
                       "each in the order of the network's outputs (default: their numbers)")
    claim.add_argument("-o", "--output", required=True, type=Path, metavar="FOLDER",
                       help="of this claim")
    add_memory_option(claim)
    ending = commands.add_parser("conclude", help="take the labels back, and judge")
    ending.add_argument("folder", type=Path, metavar="FOLDER", help="of the claim")
    ending.add_argument("labels", nargs="?", type=Path, metavar="LABELS.csv",
                        help=f"the filled list (default: FOLDER/{FOLDER}/{TEMPLATE})")
    more = commands.add_parser("continue", help="take the next look of a run with --looks, on "
                               "fresh images; one that was interrupted goes on")
    more.add_argument("run", type=Path, metavar="RUN",
                      help="folder of python -m search.run --looks N")
    more.add_argument("--data", required=True, metavar="DATA", help="images that neither the run "
                      f"nor an earlier look of it used: {DATA_HELP}")
    more.add_argument("--limit", type=int, metavar="N", help="first N of the images")
    add_memory_option(more)
    return parser


def main() -> int:
    """Command line of the package."""
    options = _parser().parse_args()
    from search.pool import next_look, steps

    {"claim": steps.claim, "conclude": steps.conclude,
     "continue": next_look.continue_run}[options.command](options)
    return 0


if __name__ == "__main__":
    run_command_line(main)
