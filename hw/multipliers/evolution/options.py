"""Options of `python -m hw.multipliers evolve`; what they ask for is in `command`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from hw.common.outputs import OutputFile
from hw.multipliers.evolution.operands import BUILT_IN
from hw.multipliers.evolution.schedule import Schedule

AUTO = "auto"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `evolve`."""
    defaults = Schedule()
    parser.add_argument("--name", help="name of the result, e.g. mul8u_mine")
    parser.add_argument("-o", "--output", type=Path, action=OutputFile, metavar="FILE",
                        help="multiplier file to write (default NAME.json here)")
    parser.add_argument("--start", default=AUTO, metavar="NAME",
                        help="circuit to start from: catalogue entry, multiplier file, or auto, "
                             "the cheapest family circuit within the limits (default auto)")
    parser.add_argument("--max-error", action="append", default=[], metavar="ERROR=PERCENT",
                        help="largest error allowed, as often as wanted: MAE, WCE, RMSE and BIAS "
                             "in percent of 65535, MRE of the exact product, EP of the pairs; or "
                             "RESIDUAL, the RMSE that remains after compensation, alone")
    stream = f"{', '.join(BUILT_IN)}, or an .npz file with act, next_act and weight"
    parser.add_argument("--errors", default="uniform", metavar="OPERANDS",
                        help=f"what errors are weighted by: {stream} (default uniform)")
    parser.add_argument("--energy", default="typical", metavar="OPERANDS",
                        help=f"what switching is counted on: {stream} (default typical)")
    parser.add_argument("--lose-zero", action="store_true",
                        help="allow products of 0 that are not 0 (default: refused)")
    parser.add_argument("--mutants", type=int, default=defaults.mutants,
                        help="mutants per seed (default %(default)s)")
    parser.add_argument("--temperature", type=float, default=defaults.temperature,
                        help="annealing at the start, in parts of the cost (default %(default)s)")
    parser.add_argument("--price", type=float, default=defaults.price,
                        help="cost of using all of the error limits at the start, in parts of the "
                             "cost (default %(default)s)")
    parser.add_argument("--spare", type=int, default=defaults.spare,
                        help="free nodes beyond the gates of the start (default %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1],
                        help="seeds; the best result is kept (default 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1,
                        help="seeds at a time (default %(default)s)")
    parser.add_argument("--no-map", action="store_true",
                        help="choose among seeds by the proxy, not by mapped PEs")
    parser.add_argument("--again", type=Path, metavar="FILE",
                        help="evolve a multiplier file again by its settings and compare")
    parser.add_argument("--catalogue", type=Path, metavar="DIR",
                        help="evolve the circuits of the catalogue that DIR does not hold (hours)")
