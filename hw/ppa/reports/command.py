"""`python -m hw.ppa report`, `figure4`, `sensitivity`, `chip`: energies of PEs and of chips."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from hw.common.cache import add_cache_option
from hw.common.errors import InputError
from hw.common.files import write_bytes, write_text
from hw.common.outputs import OutputFolder
from hw.machine.compiler import BATCH
from hw.machine.design import Design
from hw.machine.layer_streams import LayerStream, load_layer_streams
from hw.machine.operands import check_operands
from hw.machine.pe import PLAIN, kind_for
from hw.machine.pe.kind import Dataflow
from hw.multipliers import EXACT
from hw.multipliers.base import Multiplier
from hw.ppa.chip.blocks import DEFAULT_PRESET, PRESETS, get_preset
from hw.ppa.chip.macros import NO_MACROS, read_macros
from hw.ppa.library.chosen import add_technology_options, chosen_technology
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.build import load_or_map
from hw.ppa.mapping.emitted import EmitPes
from hw.ppa.mapping.pe import MappedPe
from hw.ppa.mapping.selection import for_pes
from hw.ppa.mapping.stored_pes import load_pe
from hw.ppa.placement.stored_wires import FLAT_WIRES, add_wires_option, with_wires

MULTIPLIERS = ("multiplier of the catalogue or multiplier file (.json) "
               "(default: all unsigned ones of the catalogue)")
PICTURES = (".svg", ".png")
Commands = Any  # argparse's own type is private


def add_commands(commands: Commands) -> None:
    """Declare the commands."""
    report = commands.add_parser("report", help=f"print the figures of stored {PLAIN.form} PEs")
    report.add_argument("names", nargs="*", metavar="NAME_OR_FILE", help=MULTIPLIERS)
    report.add_argument("--layer-stats", type=Path, metavar="FILE",
                        help="layers and operands that python -m sim.layer_streams wrote "
                        "(default: two reference streams)")
    report.add_argument("--size", type=int, default=16, metavar="N",
                        help="rows and columns of the array (default: %(default)s)")
    report.add_argument("--csv", type=Path, metavar="FILE", help="also write a line per figure")
    report.add_argument("--plot", type=Path, metavar="FILE",
                        help="also draw the parts (.svg or .png)")

    figure = commands.add_parser("figure4", help="array energy against multiplier energy: "
                                 "picture and table")
    figure.add_argument("names", nargs="*", metavar="NAME_OR_FILE", help=MULTIPLIERS)
    figure.add_argument("--layer-stats", type=Path, metavar="FILE", help="as for report")
    figure.add_argument("--size", type=int, default=16, metavar="N", help="as for report")
    figure.add_argument("-o", "--output", type=Path, action=OutputFolder, required=True,
                        metavar="DIR",
                        help="folder for figure4.svg, .png and .csv")

    sensitivity = commands.add_parser(
        "sensitivity",
        help=f"energies of {PLAIN.form} PEs under other assumptions about wires and glitches")
    sensitivity.add_argument("names", nargs="+", metavar="NAME_OR_FILE",
                             help="multiplier of the catalogue or multiplier file (.json)")

    chip = commands.add_parser("chip", help="array energy and chip energy of a design")
    chip.add_argument("design", type=Path, metavar="DESIGN.json", help="design of a search")
    layers = chip.add_mutually_exclusive_group(required=True)
    layers.add_argument("--layer-stats", type=Path, metavar="FILE",
                        help="layers and operands that python -m sim.layer_streams wrote")
    layers.add_argument("--network", type=Path, metavar="MODEL.onnx",
                        help="network, with --data; runs python -m sim.layer_streams")
    chip.add_argument("--data", metavar="DATA", help="images of --network")
    chip.add_argument("--chip", default=DEFAULT_PRESET.name, metavar="NAME",
                      help=f"what surrounds the arrays: {', '.join(PRESETS)} "
                      "(default: %(default)s)")
    chip.add_argument("--sizes", nargs="+", type=int, metavar="N",
                      help="rows and columns of the arrays, 1 to 256 (default: the design's)")
    chip.add_argument("--batch", type=int, default=BATCH, metavar="N",
                      help="images per loading of weights (default: %(default)s)")
    chip.add_argument("--macros", type=Path, metavar="FILE",
                      help="area and energy of the SRAM macros of memories, docs/integration.md "
                      "(default: published figures)")
    chip.add_argument("--csv", type=Path, metavar="FILE", help="also write a line per size")
    for command in (report, figure, chip, sensitivity):
        command.add_argument("-i", "--input", type=Path, metavar="DIR",
                             help="folder of mapped PEs (default: the store of the project)")
        add_technology_options(command)
        add_wires_option(command)
        add_cache_option(command)
    for command in (report, chip):
        command.add_argument("--json", action="store_true", help="machine-readable")


def run_report(options: argparse.Namespace) -> None:
    """Print figures of PEs; write and draw them where asked."""
    from hw.ppa.reports.pe_report import correlations, table, to_csv, to_dict

    if options.plot is not None:
        _check_picture(options.plot)
    rows = _figures(options, for_pes(options.names), quiet=options.json)
    if options.csv is not None:
        write_text(options.csv, to_csv(rows))
    if options.plot is not None:
        from hw.ppa.reports.figures import draw_parts

        write_bytes(options.plot, draw_parts(rows, options.plot.suffix))
    if options.json:
        print(json.dumps(to_dict(rows), indent=2))
        return
    print(table(rows))
    _tell_wires(options)
    if found := correlations(rows):
        print("correlation of the multiplier alone with the PE: "
              + ", ".join(f"{value:.3f} ({stream})" for stream, value in found.items()))


def run_figure4(options: argparse.Namespace) -> None:
    """Draw array energy against multiplier energy and write the points."""
    from hw.ppa.reports.figures import draw_figure4, figure4_csv
    from hw.ppa.reports.pe_report import correlations

    multipliers = for_pes(options.names)
    if EXACT not in (multiplier.name for multiplier in multipliers):
        multipliers = [*for_pes([EXACT]), *multipliers]
    rows = _figures(options, multipliers, quiet=False)
    for suffix in PICTURES:
        write_bytes(options.output / f"figure4{suffix}", draw_figure4(rows, suffix))
    write_text(options.output / "figure4.csv", figure4_csv(rows))
    for stream, value in correlations(rows).items():
        print(f"{stream}: correlation {value:.3f} over {len(rows)} multipliers")
    print("\n".join(str(options.output / f"figure4{suffix}") for suffix in (*PICTURES, ".csv")))


def run_sensitivity(options: argparse.Namespace) -> None:
    """Print the figures of PEs on the reference streams, case by case."""
    from hw.ppa.reports.pe_report import reference_samples
    from hw.ppa.reports.sensitivity import CASES, outcome, table

    technology = _technology(options, quiet=False)
    for multiplier in for_pes(options.names):
        pe = with_wires(load_pe(multiplier, technology=technology, folder=options.input),
                        options.wires, options.input)
        samples = reference_samples(int8=multiplier.signed)
        print(table(multiplier.name, [outcome(pe, samples, case) for case in CASES]))


def _figures(options: argparse.Namespace, multipliers: Sequence[Multiplier], *,
             quiet: bool) -> list[Any]:
    from hw.ppa.reports.pe_report import figures, layer_samples

    if not 1 <= options.size <= 256:
        raise InputError(f"--size must be 1 to 256, not {options.size}")
    if options.layer_stats is None and options.size != 16:
        raise InputError("--size must be 16 for the reference streams; name --layer-stats")
    technology = _technology(options, quiet=quiet)
    samples = None
    if options.layer_stats is not None:
        layers = load_layer_streams(options.layer_stats)
        for layer, multiplier in product(layers, multipliers):
            check_operands(layer, kind_for(signed=multiplier.signed), multiplier=multiplier.name)
        samples = layer_samples(layers, rows=options.size, cols=options.size)
    pes = [with_wires(load_pe(multiplier, technology=technology, folder=options.input),
                      options.wires, options.input) for multiplier in multipliers]
    return figures(pes, samples, quiet=quiet)


def _tell_wires(options: argparse.Namespace) -> None:
    if options.wires != FLAT_WIRES:
        print(f"wires: {options.wires}")


def _technology(options: argparse.Namespace, *, quiet: bool) -> Technology:
    technology = chosen_technology(options, quiet=quiet)
    technology.require_energy()
    return technology


def _check_picture(path: Path) -> None:
    if path.suffix not in PICTURES:
        raise InputError(f"{path}: must end in {' or '.join(PICTURES)}")


def run_chip(options: argparse.Namespace, *,
             streams: Callable[[Path, str], tuple[LayerStream, ...]], emit: EmitPes) -> None:
    """Print array and chip energy of a design by size.

    streams : network file and images to the layers with their operands. emit : writes the Verilog
    of PEs that are stored nowhere, unless a folder of PEs is named.
    """
    from hw.ppa.chip.report import compare, resized, table, to_csv, to_dict

    preset, design = get_preset(options.chip), Design.load(options.design)
    if options.macros and preset.mxu_share is not None:
        raise InputError(f"--macros must come with a chip that is added up, not {preset.name!r}")
    sizes = options.sizes or [None]
    for size in sizes:
        if size is not None and not 1 <= size <= 256:
            raise InputError(f"--sizes must be 1 to 256, not {size}")
    designs = [design if size is None else resized(design, size) for size in sizes]
    macros = (read_macros(options.macros, [one.bank for one in designs]) if options.macros
              else NO_MACROS)
    technology = _technology(options, quiet=options.json)
    if options.layer_stats is not None:
        layers = load_layer_streams(options.layer_stats)
    elif options.data is None:
        raise InputError("--network must come with --data, the images that it sees")
    else:
        layers = streams(options.network, options.data)

    def load(multiplier: Multiplier, psum_width: int, dataflow: Dataflow) -> MappedPe:
        if options.input is None:
            pe = load_or_map({"": multiplier}, psum_width, technology, dataflow, emit,
                             quiet=options.json)[""]
        else:
            pe = load_pe(multiplier, psum_width, technology, dataflow=dataflow,
                         folder=options.input)
        return with_wires(pe, options.wires, options.input)

    pairs = [compare(one, layers, load, preset=preset, batch=options.batch, macros=macros,
                     quiet=options.json) for one in designs]
    rows, runs = zip(*pairs, strict=True)
    if options.csv is not None:
        write_text(options.csv, to_csv(rows))
    if options.json:
        print(json.dumps(to_dict(rows, runs, {
            "design": design.name, "preset": preset.name, "batch": options.batch,
            "macros": str(options.macros) if options.macros else None,
            "technology": technology.name, "wires": options.wires}), indent=2))
    else:
        print(table(rows, runs[-1], preset))
        _tell_wires(options)
