"""Verilog of a design, of a PE or of a multiplier: `python -m hw.rtl.verilog`.

A design becomes a folder with one file per module, `accelerator.v` on top, the list
`accelerator.f` for a simulator or synthesiser, constraints (`.sdc`), a FuseSoC package (`.core`),
lint waivers (`lint.vlt`) and a C++ program that multiplies a tile (`tile.cpp`). The bytes depend on
the design and the sizes alone.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from hw.common.errors import InputError, run_command_line
from hw.common.files import staging_folder, write_text
from hw.common.outputs import check_output
from hw.common.progress import task
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.multipliers.base import Multiplier
from hw.rtl.accelerator.handover import companions
from hw.rtl.accelerator.top import accelerator_kind
from hw.rtl.array.bank import bank_kind
from hw.rtl.array.multiplier import multiplier_kind
from hw.rtl.array.pe import pe_kind
from hw.rtl.array.weight_loader import CONSTANT_BEATS
from hw.rtl.emit import modules_of, modules_together

PRESET_ROWS = PRESET_COLS = 4
PRESET_PSUM_WIDTH = 24
PRESET_MULTIPLIERS = ("mul8u_exact", "mul8u_bam_h2v6", "mul8u_optrunc_a2w1")
MEMORIES = {
    "act_rows": "rows of the activation buffer", "output_rows": "rows of the output buffer",
    "accumulator_rows": "rows of sums, in two banks",
    "requantise_lanes": "columns requantised per cycle",
    "weight_fifo_rows": "rows of weights that wait in front of the bank",
}
BATCH = 8  # PEs between two signs of progress


def preset() -> Design:
    """Return the small design that is emitted when none is named."""
    from hw.multipliers import get

    return Design(name="preset", multipliers={name: get(name) for name in PRESET_MULTIPLIERS},
                  bank=BankConfig(rows=PRESET_ROWS, cols=PRESET_COLS, arrays=PRESET_MULTIPLIERS,
                                  psum_width=PRESET_PSUM_WIDTH))


# --- text -----------------------------------------------------------------------------


def emit_design(design: Design, *, prefix: str = "",
                config: AcceleratorConfig | None = None) -> dict[str, str]:
    """Return the files of `design` by name, the top module first, companions last.

    prefix : start of every module and file name, to keep two designs apart. config : of the
    accelerator around the bank; None for the bank alone.
    """
    return emit_designs({prefix: design}, config)[prefix]


def emit_designs(designs: Mapping[str, Design],
                 config: AcceleratorConfig | None = None) -> dict[str, dict[str, str]]:
    """Return `emit_design` of each design by prefix."""
    suffixes = {prefix: module_suffixes([multiplier.name for multiplier in design.arrays])
                for prefix, design in designs.items()}
    tops = []
    for prefix, design in designs.items():
        netlists = [multiplier.netlist for multiplier in design.arrays]
        tops.append(bank_kind(design.bank, netlists, suffixes[prefix]) if config is None else
                    accelerator_kind(design.bank, config, netlists, suffixes[prefix]))
    modules = modules_of(tops, prefixes=list(designs))
    return {prefix: _design_files(design, prefix, suffixes[prefix], texts, config)
            for (prefix, design), texts in zip(designs.items(), modules, strict=True)}


def _design_files(design: Design, prefix: str, suffixes: Sequence[str],
                  modules: Mapping[str, str], config: AcceleratorConfig | None) -> dict[str, str]:
    comments = {name: [f"Design {design.name}"] for name in modules}
    comments[f"{prefix}bank"] = _bank_comment(design, suffixes)
    if config is not None:
        comments[f"{prefix}accelerator"] = _accelerator_comment(design, config)
    for multiplier, suffix in zip(design.arrays, suffixes, strict=True):
        lines = [f"Design {design.name}", _netlist_comment(multiplier)]
        comments |= {prefix + part + suffix: lines
                     for part in ("array", "row", "pe", "multiplier")}
    files = {f"{name}.v": _file(comments[name], text) for name, text in modules.items()}
    top = prefix + ("bank" if config is None else "accelerator")
    return files | companions(design, top, list(files), prefix=prefix)


def emit_pe(multiplier: Multiplier, psum_width: int) -> str:
    """Return Verilog of the standalone modules `pe` and `multiplier`."""
    return emit_pes([multiplier], psum_width)[0]


def emit_pes(multipliers: Sequence[Multiplier], psum_width: int) -> list[str]:
    """Return `emit_pe` of each multiplier, whatever the others are."""
    texts = modules_of([pe_kind(multiplier.netlist, psum_width) for multiplier in multipliers])
    files = []
    for multiplier, modules in zip(multipliers, texts, strict=True):
        operands = ", two's complement operands" if multiplier.signed else ""
        comment = [f"PE, {psum_width}-bit partial sum{operands}", _netlist_comment(multiplier)]
        files.append(_file(comment, "\n".join(modules.values())))
    return files


def emit_multiplier(multiplier: Multiplier) -> str:
    """Return Verilog of the standalone module `multiplier`."""
    modules, = modules_of([multiplier_kind(multiplier.netlist)])
    return _file([_netlist_comment(multiplier)], modules["multiplier"])


def emit_multipliers(multipliers: Sequence[Multiplier]) -> list[str]:
    """Return Verilog of modules `multiplier_0`, `multiplier_1`, ..., to be compiled together."""
    names, texts = modules_together([multiplier_kind(multiplier.netlist, name=f"multiplier_{index}")
                                     for index, multiplier in enumerate(multipliers)])
    return [_file([_netlist_comment(multiplier)], texts[name])
            for multiplier, name in zip(multipliers, names, strict=True)]


def module_suffixes(names: Sequence[str]) -> list[str]:
    """Return one ending per multiplier name that is safe in a Verilog identifier.

    Names that become equal are numbered: `["a-b", "a+b"]` gives `["_a_b", "_a_b_1"]`.
    """
    suffixes: list[str] = []
    for name in names:
        stem = "_" + (re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or "unnamed")
        candidate, number = stem, 0
        while candidate in suffixes:
            number += 1
            candidate = f"{stem}_{number}"
        suffixes.append(candidate)
    return suffixes


def _file(comment: Sequence[str], text: str) -> str:
    return "".join(f"// {line}".rstrip() + "\n" for line in comment) + "\n" + text


def _netlist_comment(multiplier: Multiplier) -> str:
    name = " ".join(multiplier.name.split())  # a design file may say anything
    return f"Multiplier {name}: netlist sha256 {multiplier.digest}"


def _bank_comment(design: Design, suffixes: Sequence[str]) -> list[str]:
    bank = design.bank
    lines = [f"Design {design.name}: {len(bank.arrays)} arrays of {bank.rows} rows x {bank.cols} "
             f"columns, {bank.psum_width}-bit partial sums",
             f"Latency {bank.latency_cycles} cycles; a tile of n act beats every "
             f"max(n, {bank.fill_cycles}) cycles", ""]
    for index, (multiplier, suffix) in enumerate(zip(design.arrays, suffixes, strict=True)):
        inside = ", two's complement inside: operands -128 to 127, others wrap"
        lines += [f"ROUTE {index}: array{suffix}{inside * multiplier.signed}",
                  f"    {_netlist_comment(multiplier)}"]
    operand = "9 bits each, magnitude [7:0] and sign [8], the first in the low bits"
    return [*lines, "",
            "All streams: a beat passes in a cycle with valid and ready high.",
            "route__payload    array index",
            f"weights__payload  {bank.cols} operands, {operand}; bottom row first, "
            f"{bank.rows} beats a tile",
            f"acts__payload     {bank.rows} operands as above; the top bit marks the first beat "
            "of a tile",
            f"results__payload  {bank.cols} partial sums, two's complement, the first in the low "
            "bits",
            "rst               synchronous, active high"]


def _accelerator_comment(design: Design, config: AcceleratorConfig) -> list[str]:
    bank = design.bank
    return [f"Design {design.name}: accelerator around `bank`, whose arrays it lists",
            f"Buffers: {config.act_rows} rows of {bank.rows} bytes in, {config.output_rows} rows "
            f"of {bank.cols} bytes out, {config.accumulator_rows} rows of {bank.cols} sums",
            "",
            "All streams: a beat passes in a cycle with valid and ready high.",
            "instructions__payload  64 bits, the fields of docs/isa.md",
            f"weights__payload       {bank.cols} operands, 9 bits each, magnitude [7:0] and sign "
            "[8], the first in the",
            f"                       low bits; per LOAD_WEIGHTS {bank.rows} beats, bottom row "
            "first; with its flag",
            f"                       {CONSTANT_BEATS} beats of bias[31:0], multiplier[30:0], "
            "shift[5:0] per column, low bits first",
            f"host_in__payload       {bank.rows} bytes, the first in the low bits; a beat per row "
            "of DMA_IN",
            f"host_out__payload      {bank.cols} bytes; a beat per row of DMA_OUT",
            "rst                    synchronous, active high"]


# --- files ----------------------------------------------------------------------------


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write `files` into `folder`: all of them or none.

    They are written beside their place and then moved. Other files of `folder` stay.
    """
    with staging_folder(folder, "verilog") as staging:
        for name, text in files.items():
            write_text(staging / name, text)
        for name in files:
            (staging / name).replace(folder / name)


# --- command line ---------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hw.rtl.verilog",
        description="Write the Verilog-2001 of a design, or of single PEs for synthesis.")
    parser.add_argument("design", nargs="?", type=Path, metavar="DESIGN.json",
                        help="design file (default: a small preset)")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/rtl"), metavar="DIR",
                        help="folder for a design's files (default: %(default)s)")
    parser.add_argument("--prefix", default="", metavar="TEXT",
                        help="start of a design's module and file names (default: none)")
    parser.add_argument("--bank-only", action="store_true",
                        help="leave out the accelerator around the bank")
    for memory in fields(AcceleratorConfig):
        parser.add_argument(f"--{memory.name.replace('_', '-')}", type=int,
                            default=memory.default, metavar="N",
                            help=MEMORIES[memory.name] + " (default: %(default)s)")
    single = parser.add_mutually_exclusive_group()
    single.add_argument("--pe", metavar="NAME",
                        help="print modules `pe` and `multiplier` of a catalogue entry or file")
    single.add_argument("--multiplier", metavar="NAME",
                        help="print module `multiplier` of a catalogue entry or file (.json)")
    single.add_argument("--all-pes", type=Path, metavar="DIR",
                        help="write what --pe prints to DIR/NAME.v for all entries")
    parser.add_argument("--psum-width", type=int, default=PRESET_PSUM_WIDTH, metavar="BITS",
                        help="partial-sum bits of --pe and --all-pes (default: %(default)s)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    from hw.multipliers import catalogue, resolve

    parser = _parser()
    options = parser.parse_args(arguments)
    if options.design and (options.pe or options.multiplier or options.all_pes):
        parser.error("DESIGN.json cannot be combined with --pe, --multiplier or --all-pes")
    if not 1 <= options.psum_width <= 32:
        raise InputError(f"--psum-width must be 1 to 32 bits, not {options.psum_width}")
    if not re.fullmatch(r"([A-Za-z]\w*)?", options.prefix, re.ASCII):
        raise InputError("--prefix must start with a letter and hold only letters, digits and _, "
                         f"not {options.prefix!r}")
    if not (options.pe or options.multiplier):
        check_output(options.all_pes or options.output, folder=True)
    if options.pe:
        multiplier = resolve(options.pe)
        multiplier.require_8x8("for a PE")
        widest = int(abs(multiplier.table).max()).bit_length() + 1  # with its sign
        if options.psum_width < widest:
            raise InputError(f"--psum-width must be at least {widest} bits, which a product of "
                             f"{multiplier.name} takes, not {options.psum_width}")
        sys.stdout.write(emit_pe(multiplier, options.psum_width))
    elif options.multiplier:
        sys.stdout.write(emit_multiplier(resolve(options.multiplier)))
    elif options.all_pes:
        files: dict[str, str] = {}
        multipliers = list(catalogue().values())
        with task("Verilog of PEs", len(multipliers)) as progress:
            for start in range(0, len(multipliers), BATCH):
                batch = multipliers[start:start + BATCH]
                texts = emit_pes(batch, options.psum_width)
                files |= {f"{multiplier.name}.v": text
                          for multiplier, text in zip(batch, texts, strict=True)}
                progress.advance(len(batch))
            write_folder(options.all_pes, files)
        print(f"{len(files)} files in {options.all_pes}")
    else:
        design = Design.load(options.design) if options.design else preset()
        with task(f"Verilog of design {design.name}", 1):
            config = None if options.bank_only else AcceleratorConfig(
                **{memory.name: getattr(options, memory.name)
                   for memory in fields(AcceleratorConfig)})
            files = emit_design(design, prefix=options.prefix, config=config)
            write_folder(options.output, files)
        top = options.prefix + ("bank" if options.bank_only else "accelerator")
        print(f"{len(files)} files in {options.output}, top module `{top}`, "
              f"file list {options.output / (top + '.f')}")


if __name__ == "__main__":
    run_command_line(main)
