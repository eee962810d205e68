"""Command line: how fast the simulator is, beside others, in one interleaved run.

`python -m sim.bench [--shapes resnet50|quick|FILE.json] [--contenders NAME ...]`
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.common.cache import add_cache_option
from hw.common.errors import InputError, ToolError, run_command_line, unknown_name
from hw.common.files import write_json, write_text
from hw.common.outputs import OutputFile
from hw.common.progress import start, task
from hw.common.wording import CommandParser, program
from hw.rtl.process import emit_design
from sim.bench.contenders.all import BASELINE, HARD, TYPICAL, contenders

if TYPE_CHECKING:
    from sim.bench.results import Results

CONTENDERS = contenders(emit_design)
NETWORKS = ("resnet20", "resnet50")
PARTS = ("shapes", "resnet20", "mobilenetv2")
NETWORK_REPEATS, MAX_REPEATS = 3, 1000


def _parser() -> argparse.ArgumentParser:
    cores = os.cpu_count() or 1
    parser = CommandParser(
        prog=program("sim.bench"),
        description="Time this project's simulator beside ONNX Runtime's exact int8, gathers, a "
        "compiled look-up loop, bit-sliced netlists and the Verilated RTL: same layers, "
        "interleaved rounds, every result checked first.",
        epilog="contenders: " + ", ".join(CONTENDERS))
    parser.add_argument("--shapes", default="resnet50", metavar="SHAPES",
                        help="resnet50, quick, or a JSON file of shapes (default %(default)s)")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), metavar="NAME",
                        help="contenders to time (default: all)")
    parser.add_argument("--baseline", default=BASELINE, metavar="NAME",
                        help="contender whose time is 1 (default %(default)s)")
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, cores}), metavar="N",
                        help="numbers of threads to time (default: 1 and all cores)")
    parser.add_argument("--repeats", type=int, default=5, metavar="R",
                        help="rounds (default %(default)s)")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), metavar="NAME",
                        help=f"whole networks, of {' and '.join(NETWORKS)}; none after the bare "
                        "option (default: both)")
    parser.add_argument("--parts", nargs="*", default=list(PARTS), metavar="NAME",
                        help=f"layers whose time is told by part, of {', '.join(PARTS)}; none "
                        "after the bare option (default: all)")
    parser.add_argument("--from", dest="source", type=Path, nargs="+", metavar="FILE.json",
                        help="report earlier runs, of one machine or several, instead of measuring")
    parser.add_argument("-o", "--output", type=Path, action=OutputFile, metavar="FILE.json",
                        help="write all measurements")
    parser.add_argument("--plot", type=Path, action=OutputFile, metavar="FILE.svg",
                        help="draw time per multiplication, logarithmic")
    parser.add_argument("--markdown", type=Path, metavar="PAGE.md",
                        help="put the tables between the markers of a page")
    add_cache_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that cannot be run, before anything is."""
    for name in (*arguments.contenders, arguments.baseline):
        if name not in CONTENDERS:
            raise unknown_name("contender", name, CONTENDERS)
    for name in arguments.networks:
        if name not in NETWORKS:
            raise unknown_name("network", name, NETWORKS)
    for name in arguments.parts:
        if name not in PARTS:
            raise unknown_name("part", name, PARTS)
    if arguments.baseline not in arguments.contenders:
        raise InputError(f"--baseline must be one of --contenders, not {arguments.baseline!r}")
    for option, values in (("repeats", [arguments.repeats]), ("threads", arguments.threads)):
        if min(values) < 1:
            raise InputError(f"--{option} must be at least 1, not {min(values)}")
    if arguments.repeats > MAX_REPEATS:
        raise InputError(f"--repeats must be at most {MAX_REPEATS}, not {arguments.repeats}")
    if max(arguments.threads) > (os.cpu_count() or 1):
        raise InputError(f"--threads must be at most the {os.cpu_count()} cores, "
                         f"not {max(arguments.threads)}")


def run(arguments: argparse.Namespace) -> Results:
    """Measure what the options ask for."""
    from hw.multipliers import get
    from sim.bench import end_to_end
    from sim.bench import parts as parts_of
    from sim.bench.machine import describe
    from sim.bench.results import Results
    from sim.bench.shapes import load_shapes
    from sim.bench.stack import make, measure

    quiet, machine = arguments.json, describe()
    shapes = load_shapes(arguments.shapes)
    threads = sorted(set(arguments.threads))
    with task("preparing contenders", 1, quiet=quiet):
        entrants, missing = make(list(dict.fromkeys(arguments.contenders)), CONTENDERS)
    if arguments.baseline in missing:
        raise ToolError(f"Baseline {arguments.baseline}: {missing[arguments.baseline]}")
    with task("layers", len(shapes), quiet=quiet) as progress:
        rows = measure(shapes, entrants, threads, arguments.repeats, progress=progress)
    parts: list[dict[str, Any]] = []
    if arguments.parts:
        with task("parts", len(arguments.parts), quiet=quiet) as progress:
            for name in dict.fromkeys(arguments.parts):
                parts += parts_of.measure(name, shapes, get(HARD).table, threads[-1])
                progress.advance(note=name)
    networks = []
    if arguments.networks:
        with task("networks", len(arguments.networks), quiet=quiet) as progress:
            for name in dict.fromkeys(arguments.networks):
                networks += end_to_end.measure(name, (TYPICAL, HARD), run_network, threads[-1],
                                                NETWORK_REPEATS)
                progress.advance(note=name)
    return Results(machine=machine, title=Path(arguments.shapes).stem, repeats=arguments.repeats,
                   threads=threads, baseline=arguments.baseline, shapes=shapes, rows=rows,
                   missing=missing, networks=networks, parts=parts)


def run_network(**arguments: Any) -> dict[str, Any]:
    """Return what `end_to_end.run_file` does, from a process of its own."""
    done = subprocess.run([sys.executable, "-m", "sim.bench.network", json.dumps(arguments)],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise ToolError(f"{arguments['path']} with {arguments['circuit']} failed: {reason}")
    return dict(json.loads(done.stdout))


def main() -> int:
    """Command line of the module; status 1 when a result was not bit-exact."""
    arguments = _parser().parse_args()
    if arguments.plot and arguments.plot.suffix != ".svg":
        raise InputError(f"{arguments.plot}: --plot must end in .svg")
    if arguments.source:
        if len(arguments.source) > 1 and (arguments.output or arguments.plot or arguments.json):
            raise InputError("--from must be one file for --output, --plot and --json, "
                             f"not {len(arguments.source)}")
    else:
        _check(arguments)
        start("timing the simulator", quiet=arguments.json)
    from sim.bench.report import around, page, update_page
    from sim.bench.results import Results

    if arguments.markdown:
        around(arguments.markdown)  # before minutes of work
    runs = list(map(Results.load, arguments.source)) if arguments.source else [run(arguments)]
    results = runs[0]
    if arguments.output:
        write_json(arguments.output, results.to_dict(), indent=None)
    if arguments.plot:
        from sim.bench.figure import draw

        write_text(arguments.plot, draw(results))
    if arguments.markdown:
        update_page(arguments.markdown, page(runs))
    print(json.dumps(results.to_dict(), indent=2) if arguments.json else page(runs))
    return 0 if all(row.bit_exact for run in runs for row in run.rows) else 1


if __name__ == "__main__":
    run_command_line(main)
