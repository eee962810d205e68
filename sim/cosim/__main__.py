"""Command line: a network on the RTL that this project emits for it, image by image.

`python -m sim.cosim [DESIGN.json] [--network MODEL.onnx] [--data DATA] [--limit N]`
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hw.common.cache import add_cache_option
from hw.common.errors import InputError, run_command_line, unknown_name
from hw.common.progress import task
from hw.common.wording import CommandParser, counted, program
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.machine.pe import FORMS
from hw.multipliers import get
from hw.rtl.process import emit_design
from models import ZOO
from sim.cosim.accelerator import RtlError, SimulatedAccelerator
from sim.data import load_data
from sim.options import DATA_HELP, add_options, load_network, preprocessing

if TYPE_CHECKING:
    from sim.cosim.network import LayerRun, NetworkOnRtl

DIGITS = ZOO / "digits.onnx"
DIGITS_DATA, DIGITS_CALIBRATION = "digits:search", "digits:calibrate"
PRESET = BankConfig(rows=8, cols=8, arrays=("mul8u_exact", "mul8u_bam_h2v6",
                                            "mul8u_optrunc_a2w1"))
MAX_BATCH = 4096  # images at a time
EXIT_DIFFERENT = 1


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("sim.cosim"), description="Run a network on its emitted accelerator under "
        "Verilator and compare every value and every cycle with the golden model.")
    parser.add_argument("design", nargs="?", type=Path, metavar="DESIGN.json",
                        help=f"design file (default: {PRESET.rows}x{PRESET.cols} with "
                        f"{', '.join(PRESET.arrays)}, layers on them in turn)")
    parser.add_argument("--pe-form", metavar="TxO",
                        help=f"terms x outputs of a PE, one of {', '.join(FORMS)} (default: what "
                        "the design says)")
    parser.add_argument("--network", type=Path, default=DIGITS, metavar="MODEL.onnx",
                        help="network (default: the embedded one)")
    parser.add_argument("--data", metavar="DATA",
                        help=f"{DATA_HELP} (default: {DIGITS_DATA}, for the embedded network)")
    parser.add_argument("--limit", type=int, default=100, metavar="N",
                        help="first N images (default %(default)s)")
    parser.add_argument("--batch", type=int, default=25, metavar="N",
                        help="images per pass of the program (default %(default)s)")
    parser.add_argument("--layers", nargs="+", metavar="NAME",
                        help="layers that run on the RTL (default: all)")
    parser.add_argument("--rtl", type=Path, metavar="DIR",
                        help="Verilog that python -m hw.rtl.verilog wrote for this design, with "
                        "the default memories (default: emitted for the run)")
    parser.add_argument("--sums", action="store_true",
                        help="compare 32-bit sums of the accumulators instead of stored codes")
    parser.add_argument("--stall", type=float, default=0.0, metavar="P",
                        help="probability per cycle that a stream of the host waits; cycles are "
                        "then not compared (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="of stalls, and of what registers hold at power-up (default "
                        "%(default)s)")
    add_options(parser, images="--data")
    add_cache_option(parser)
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    return parser


def _design(arguments: argparse.Namespace, network: Any) -> Design:
    from sim.cosim.network import round_robin

    if arguments.design is not None:
        design = Design.load(arguments.design)
    else:
        design = Design(name="cosim", bank=PRESET,
                        multipliers={name: get(name) for name in PRESET.arrays})
        design = replace(design, mapping=round_robin(network, design))
    if arguments.pe_form is not None:
        design = design.with_pes(arguments.pe_form)
    names = [layer.name for layer in network.layers]
    for name in (*design.mapping, *(arguments.layers or ())):
        if name not in names:
            raise unknown_name("layer", name, names)
    if arguments.layers:
        kept = {name: array for name, array in design.mapping.items() if name in arguments.layers}
        design = replace(design, mapping=kept, constants={
            name: values for name, values in design.constants.items() if name in kept})
    if not design.mapping:
        raise InputError(f"{arguments.design}: design must map a layer of {arguments.network}")
    return design


def main() -> int:
    """Command line of the module."""
    arguments = _parser().parse_args()
    for name in ("limit", "batch"):
        if getattr(arguments, name) < 1:
            raise InputError(f"--{name} must be at least 1, not {getattr(arguments, name)}")
    if arguments.batch > MAX_BATCH:
        raise InputError(f"--batch must be at most {MAX_BATCH}, not {arguments.batch}")
    if arguments.rtl is not None and not arguments.rtl.is_dir():
        raise InputError(f"{arguments.rtl}: --rtl must be a folder of Verilog")
    if arguments.seed < 0:
        raise InputError(f"--seed must not be negative, not {arguments.seed}")
    if not 0 <= arguments.stall < 1:
        raise InputError(f"--stall must be 0 to 1, without 1, not {arguments.stall}")
    if arguments.data is None:
        if arguments.network != DIGITS:
            raise InputError(f"{arguments.network}: a network of your own must come with --data")
        arguments.data = DIGITS_DATA
        arguments.calibrate = arguments.calibrate or DIGITS_CALIBRATION
    pixels = preprocessing(arguments, arguments.network)
    data = load_data(arguments.data, pixels, limit=arguments.limit)
    network = load_network(arguments, arguments.network, arguments.data, pixels)
    from sim.cosim.network import NetworkOnRtl

    design = _design(arguments, network)
    try:
        on_rtl = NetworkOnRtl(network, design, AcceleratorConfig(), sums=arguments.sums)
    except InputError as error:  # constants that do not fit
        raise InputError(f"{arguments.design}: {error}") from None
    result = _run(on_rtl, data.images, arguments)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        print("\n".join(_report(result)))
    return 0 if result["equal"] else EXIT_DIFFERENT


def _run(on_rtl: NetworkOnRtl, images: np.ndarray, arguments: argparse.Namespace
         ) -> dict[str, Any]:
    from sim.cosim.network import BatchRun, halt

    batches = [images[first:first + arguments.batch]
               for first in range(0, len(images), arguments.batch)]
    programs = [on_rtl.program(len(batch)) for batch in batches]  # refuses before anything long
    layers: dict[str, LayerRun] = {}
    logits = []
    with (task("compiling the RTL, a minute", 1, quiet=arguments.json, announce=True),
          tempfile.TemporaryDirectory() as folder):
        if arguments.rtl is None:
            emit_design(on_rtl.design, Path(folder), on_rtl.config)
        rtl = SimulatedAccelerator(arguments.rtl or Path(folder), seed=arguments.seed)
    started = time.monotonic()
    with rtl:
        rtl.stall(arguments.stall, seed=arguments.seed + 1)
        steps = len(batches) * len(on_rtl.design.mapping)
        with task("simulating", steps, quiet=arguments.json) as progress:
            for batch in batches:
                for run in on_rtl.run(batch, rtl, check_cycles=not arguments.stall):
                    if isinstance(run, BatchRun):
                        logits.append(run.logits)
                    else:
                        layers[run.name] = _added(layers.get(run.name), run)
                        progress.advance(note=f"{run.name}, cycle {rtl.cycle:,}")
        halt(rtl, programs[-1])
        cycles, seconds = rtl.cycle, time.monotonic() - started
    found = np.concatenate(logits)
    golden = on_rtl.network.run(images, on_rtl.tables)
    same = int((found == golden).all(axis=1).sum())
    right = all(run.differing == run.late == 0 for run in layers.values())
    bank = on_rtl.design.bank
    return {"design": on_rtl.design.name, "rows": bank.rows, "cols": bank.cols,
            "pe": bank.dataflow.form, "images": len(images), "logits_equal": same,
            "equal": right and same == len(images), "compared": "sums" if arguments.sums else
            "codes", "stall": arguments.stall, "cycles": cycles, "seconds": seconds,
            "layers": [asdict(run) for run in layers.values()]}


def _added(total: LayerRun | None, run: LayerRun) -> LayerRun:
    if total is None:
        return run
    numbers = {name: getattr(total, name) + value for name, value in asdict(run).items()
               if isinstance(value, int)}
    return replace(run, **numbers)


def _report(result: dict[str, Any]) -> Iterator[str]:
    layers: Sequence[dict[str, Any]] = result["layers"]
    width = max(len("layer"), *(len(run["name"]) for run in layers))
    arrays = max(len("array"), *(len(run["array"]) for run in layers))
    stalled = bool(result["stall"])
    yield (f"{'layer':{width}}  {'array':{arrays}}  {result['compared']:>12} differ     cycles  "
           f"predicted  busy")
    for run in layers:
        predicted = "stalled" if stalled else f"{run['predicted']:,}"
        late = f"  {run['late']} instructions not in their predicted cycle" * bool(run["late"])
        yield (f"{run['name']:{width}}  {run['array']:{arrays}}  {run['values']:12,} "
               f"{run['differing']:6,} {run['cycles']:10,} {predicted:>10} "
               f"{100 * run['multiplying'] / run['cycles']:4.0f} %{late}")
    yield (f"{counted(result['images'], 'image')} on {result['rows']}x{result['cols']} arrays, PEs "
           f"of {result['pe']}: "
           f"logits of {result['logits_equal']} equal the golden model's; "
           f"{result['cycles']:,} cycles, {result['cycles'] / result['images']:,.0f} per image")
    yield f"simulated in {result['seconds']:.1f} s, {result['cycles'] / result['seconds']:,.0f} " \
        "cycles per second"
    if not result["equal"]:
        yield "the RTL and the golden model DIFFER"


def _main() -> int:
    try:
        return main()
    except RtlError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_DIFFERENT


if __name__ == "__main__":
    run_command_line(_main)
