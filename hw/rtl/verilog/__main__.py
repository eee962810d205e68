"""Command line: the Verilog-2001 of a design, or of single PEs for synthesis.

`python -m hw.rtl.verilog [DESIGN.json] [-o DIR]`
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from hw.common.errors import InputError, run_command_line
from hw.common.outputs import check_output
from hw.common.progress import task
from hw.common.wording import CommandParser, program
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.bus import STREAM_BITS, check_stream_bits
from hw.machine.design import Design
from hw.machine.pe import FORMS, PLAIN, form_named
from hw.machine.pe.kind import ClockGate
from hw.multipliers import names, resolve
from hw.multipliers.base import Multiplier
from hw.rtl.accelerator.handover import CLOCK_PS
from hw.rtl.verilog.preset import PSUM_WIDTH, preset

MEMORIES = {
    "act_rows": "rows of the activation buffer", "output_rows": "rows of the output buffer",
    "accumulator_rows": "rows of sums, in two banks",
    "requantise_lanes": "columns requantised per cycle",
    "weight_fifo_rows": "rows of weights that wait in front of the bank",
}
BATCH = 8  # PEs between two signs of progress


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("hw.rtl.verilog"),
        description="Write the Verilog-2001 of a design, or of single PEs for synthesis.")
    parser.add_argument("design", nargs="?", type=Path, metavar="DESIGN.json",
                        help="design file (default: a small preset)")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/rtl"), metavar="DIR",
                        help="folder for a design's files (default: %(default)s)")
    parser.add_argument("--prefix", default="", metavar="TEXT",
                        help="start of a design's module and file names (default: none)")
    parser.add_argument("--bank-only", action="store_true",
                        help="leave out the accelerator around the bank")
    parser.add_argument("--bus", choices=["axi"],
                        help="put the accelerator behind AXI4-Stream and AXI4-Lite, see "
                        "docs/integration.md (default: streams of its own, no registers)")
    parser.add_argument("--bus-bits", type=int, default=STREAM_BITS, metavar="N",
                        help="bits of a beat of the bus; rows of activations and of results must "
                        "be whole beats (default: %(default)s)")
    parser.add_argument("--clock-ps", type=float, default=CLOCK_PS, metavar="PS",
                        help="period of the constraints (default: %(default)g)")
    for memory in fields(AcceleratorConfig):
        parser.add_argument(f"--{memory.name.replace('_', '-')}", type=int,
                            default=memory.default, metavar="N",
                            help=MEMORIES[memory.name] + " (default: %(default)s)")
    single = parser.add_mutually_exclusive_group()
    single.add_argument("--pe", metavar="NAME",
                        help="print modules `pe` and `multiplier` of a catalogue entry or file")
    single.add_argument("--multiplier", metavar="NAME",
                        help="print module `multiplier` of a catalogue entry or file (.json)")
    single.add_argument("--pe-files", nargs="+", metavar=("DIR", "NAME"),
                        help="write what --pe prints to DIR/NAME.v, DIR/FILE.v for FILE.json "
                        "(default: all entries)")
    parser.add_argument("--psum-width", type=int, default=PSUM_WIDTH, metavar="BITS",
                        help="partial-sum bits of --pe and --pe-files (default: %(default)s)")
    parser.add_argument("--pe-form", metavar="TxO",
                        help=f"terms x outputs of PEs, one of {', '.join(FORMS)} (default: what "
                        f"the design says; {PLAIN.form} for --pe and --pe-files)")
    parser.add_argument("--clock-gating", default=ClockGate.CELL.value,
                        choices=[gate.value for gate in ClockGate],
                        help="cell: an integrated clock gate (module `clock_gate`) at the root of "
                        "each array; enable: of every register, for FPGAs (default: %(default)s)")
    return parser


def _for_pe(name_or_file: str, psum_width: int) -> Multiplier:
    """Return a multiplier; InputError where a PE of that width cannot hold it."""
    multiplier = resolve(name_or_file)
    multiplier.require_8x8("for a PE")
    widest = int(abs(multiplier.table).max()).bit_length() + 1  # with its sign
    if psum_width < widest:
        raise InputError(f"--psum-width must be at least {widest} bits, which a product of "
                         f"{multiplier.name} takes, not {psum_width}")
    return multiplier


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    single = options.pe or options.multiplier or options.pe_files
    if options.design and single:
        parser.error("DESIGN.json cannot be combined with --pe, --multiplier or --pe-files")
    if options.bus and (options.bank_only or single):
        parser.error("--bus needs an accelerator: it cannot be combined with --bank-only, --pe, "
                     "--multiplier or --pe-files")
    if not 0 < options.clock_ps < float("inf"):
        raise InputError(f"--clock-ps must be above 0, not {options.clock_ps:g}")
    if not 1 <= options.psum_width <= 32:
        raise InputError(f"--psum-width must be 1 to 32 bits, not {options.psum_width}")
    if not re.fullmatch(r"([A-Za-z]\w*)?", options.prefix, re.ASCII):
        raise InputError("--prefix must start with a letter and hold only letters, digits and _, "
                         f"not {options.prefix!r}")
    if not (options.pe or options.multiplier):
        check_output(Path(options.pe_files[0]) if options.pe_files else options.output, folder=True)
    from hw.rtl.verilog.emission import (
        emit_design,
        emit_multiplier,
        emit_pe,
        emit_pes,
        write_folder,
    )

    form = form_named(options.pe_form or PLAIN.form)
    clock_gate = ClockGate(options.clock_gating)
    if options.pe:
        sys.stdout.write(emit_pe(_for_pe(options.pe, options.psum_width), options.psum_width,
                                 form, clock_gate))
    elif options.multiplier:
        sys.stdout.write(emit_multiplier(resolve(options.multiplier)))
    elif options.pe_files:
        folder, named = Path(options.pe_files[0]), options.pe_files[1:] or names()
        files: dict[str, str] = {}
        with task("Verilog of PEs", len(named)) as progress:
            for start in range(0, len(named), BATCH):
                batch = named[start:start + BATCH]
                texts = emit_pes([_for_pe(name, options.psum_width) for name in batch],
                                 options.psum_width, form, clock_gate)
                files |= {f"{Path(name).stem if name.endswith('.json') else name}.v": text
                          for name, text in zip(batch, texts, strict=True)}
                progress.advance(len(batch))
            write_folder(folder, files)
        print(f"{len(files)} files in {folder}")
    else:
        design = Design.load(options.design) if options.design else preset()
        if options.pe_form is not None:
            design = design.with_pes(options.pe_form)
        stream_bits = options.bus_bits if options.bus else None
        if stream_bits is not None:
            check_stream_bits(design.bank, stream_bits)
        with task(f"Verilog of design {design.name}", 1):
            config = None if options.bank_only else AcceleratorConfig(
                **{memory.name: getattr(options, memory.name)
                   for memory in fields(AcceleratorConfig)})
            files = emit_design(design, prefix=options.prefix, config=config,
                                clock_gate=clock_gate, clock_ps=options.clock_ps,
                                stream_bits=stream_bits)
            write_folder(options.output, files)
        top = options.prefix + ("bank" if options.bank_only else
                                "accelerator_axi" if options.bus else "accelerator")
        print(f"{len(files)} files in {options.output}, top module `{top}`, "
              f"file list {options.output / (top + '.f')}")


if __name__ == "__main__":
    run_command_line(main)
