"""`python -m hw.ppa place`: place mapped PEs and store the lengths of their wires."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hw.common.errors import InputError
from hw.common.progress import task
from hw.common.records import record
from hw.machine.pe import FORMS, PLAIN, form_named
from hw.ppa.library.chosen import add_technology_options, chosen_technology
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.selection import for_mapping
from hw.ppa.mapping.stored_pes import DEFAULT_PSUM_WIDTH, load_pe, results_folder, shipped
from hw.ppa.placement.geometry import Geometry, geometry_of
from hw.ppa.placement.placer import placer_name
from hw.ppa.placement.stored_wires import FOLDER, is_placed, place_pe, placed_path, save_placed

GEOMETRY = {"row_um": "height of all cells, um", "site_um": "what widths are multiples of, um",
            "wire_ff_um": "wires of signals, fF per um", "clock_ff_um": "of clocks, fF per um",
            "utilisation": "share of the rows that cells fill (default: 0.7)"}


def add_command(commands: Any) -> None:
    """Add the command to the parsers of `python -m hw.ppa`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "place", help="place mapped PEs and store the lengths of their wires")
    parser.add_argument("names", nargs="*", metavar="NAME_OR_FILE",
                        help="multiplier of the catalogue or multiplier file (.json) (default: "
                        "all PEs that come with the project)")
    parser.add_argument("--psum-width", type=int, default=DEFAULT_PSUM_WIDTH, metavar="BITS",
                        help="partial-sum bits (default: %(default)s)")
    parser.add_argument("--pe-form", default=PLAIN.form, metavar="TxO",
                        help=f"one of {', '.join(FORMS)} (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="place also what is up to date")
    parser.add_argument("-i", "--input", type=Path, metavar="DIR",
                        help="folder of mapped PEs, below which placements are written (default: "
                        "the store of the project)")
    for name, what in GEOMETRY.items():
        parser.add_argument("--" + name.replace("_", "-"), type=float, metavar="X",
                            help=f"{what}; known for asap7")
    add_technology_options(parser)


def run(options: argparse.Namespace) -> None:
    """Place what is missing or was made from other netlists."""
    technology = chosen_technology(options)
    geometry = _geometry(options, technology)
    placer_name()  # refused before any work
    folder = options.input or results_folder(technology.name)
    wanted = {(options.psum_width, form_named(options.pe_form)): for_mapping(options.names)
              } if options.names else shipped()
    for (bits, dataflow), multipliers in wanted.items():
        unique = list({one.digest: one for one in multipliers}.values())
        placed = 0
        with task(f"placing {dataflow.form} PEs of {bits} bits", len(unique)) as progress:
            for multiplier in unique:
                pe = load_pe(multiplier, bits, technology, dataflow=dataflow, folder=options.input)
                path = placed_path(folder, pe)
                if options.force or not is_placed(path, pe, geometry):
                    save_placed(place_pe(pe, geometry), path)
                    placed += 1
                progress.advance(note=multiplier.name)
        print(f"{folder / FOLDER}: {placed} {dataflow.form} PEs of {bits} bits placed, "
              f"{len(unique) - placed} up to date")


def _geometry(options: argparse.Namespace, technology: Technology) -> Geometry:
    """Return the geometry that the user tells, beside what is known."""
    told = {name: value for name in GEOMETRY if (value := getattr(options, name)) is not None}
    whole = told.keys() >= GEOMETRY.keys() - {"utilisation"}
    known = {} if whole else asdict(geometry_of(technology))
    try:
        return record(Geometry, {**known, **told})
    except InputError as error:
        name, problem = str(error).split(" ", 1)
        raise InputError(f"--{name.replace('_', '-')} {problem}") from None
