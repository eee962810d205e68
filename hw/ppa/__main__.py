"""`python -m hw.ppa`: characterise a cell library, map the catalogue, report figures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from hw.common.errors import InputError, run_command_line
from hw.multipliers.base import Multiplier
from hw.ppa.store import DEFAULT_PSUM_WIDTH, load_pe, results_folder
from hw.ppa.synthesis import AREA, RECIPES
from hw.ppa.technology import Technology, load_technology


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hw.ppa",
        description="Power, performance and area of processing elements (docs/ppa.md).")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    derive = commands.add_parser(
        "characterise", help="derive a technology file from Liberty libraries")
    derive.add_argument("libraries", nargs="+", type=Path, metavar="LIB",
                        help="Liberty file, plain or gzipped; several make one library")
    derive.add_argument("-o", "--output", type=Path, required=True, metavar="FILE",
                        help="technology file to write (.json.gz)")
    derive.add_argument("--name", metavar="NAME",
                        help="name of the technology (default: that of the output file)")
    derive.add_argument("--max-inputs", type=int, default=5, metavar="N",
                        help="leave out cells with more inputs, 2 to 5 (default: %(default)s)")
    derive.add_argument("--drives", type=int, default=2, metavar="N",
                        help="cells kept per function, smallest first (default: %(default)s)")
    derive.add_argument("--exclude", nargs="+", default=[], metavar="PATTERN",
                        help="cell names to leave out, e.g. 'HB*' (default: none)")

    mapping = commands.add_parser("build", help="map PEs and store them")
    mapping.add_argument("names", nargs="*", metavar="NAME",
                         help="multiplier of the catalogue (default: all)")
    mapping.add_argument("--force", action="store_true", help="map also what is up to date")
    mapping.add_argument("--psum-width", type=int, default=DEFAULT_PSUM_WIDTH, metavar="BITS",
                         help="partial-sum bits, 17 to 32 (default: %(default)s)")
    mapping.add_argument("--recipe", choices=sorted(RECIPES), default=AREA.name,
                         help="what mapping aims at (default: %(default)s)")
    mapping.add_argument("-o", "--output", type=Path, metavar="DIR",
                         help="folder for results (default: the store of the project)")

    report = commands.add_parser("report", help="print the figures of stored PEs")
    report.add_argument("names", nargs="*", metavar="NAME",
                        help="multiplier of the catalogue (default: all)")
    report.add_argument("--json", action="store_true", help="machine-readable")
    report.add_argument("-i", "--input", type=Path, metavar="DIR",
                        help="folder of results (default: the store of the project)")
    for command in (mapping, report):
        command.add_argument(
            "--technology", type=Path, metavar="FILE",
            help="technology file (default: asap7, which comes with the project)")
    return parser


def _chosen(names: Sequence[str]) -> list[Multiplier]:
    from hw.multipliers import catalogue, get

    return [get(name) for name in names] if names else list(catalogue().values())


def _technology(options: argparse.Namespace) -> Technology:
    return Technology.load(options.technology) if options.technology else load_technology()


def _characterise(options: argparse.Namespace) -> None:
    from hw.ppa.characterise import characterise

    if not 2 <= options.max_inputs <= 5:
        raise InputError(f"--max-inputs must be 2 to 5, not {options.max_inputs}")
    if options.drives < 1:
        raise InputError(f"--drives must be at least 1, not {options.drives}")
    name = options.name or options.output.name.split(".")[0]
    technology = characterise(options.libraries, name=name, max_inputs=options.max_inputs,
                              drives=options.drives, exclude=options.exclude, quiet=False)
    technology.save(options.output)
    print(f"{options.output}: {len(technology.cells)} cells, {technology.corner}, "
          f"{options.output.stat().st_size / 1024:.0f} KiB")


def _build(options: argparse.Namespace) -> None:
    from hw.ppa.build import build

    if not 17 <= options.psum_width <= 32:
        raise InputError(f"--psum-width must be 17 to 32, not {options.psum_width}")
    own = options.technology is not None or options.recipe != AREA.name
    if own and options.output is None:
        raise InputError("--output must name a folder when --technology or --recipe is not "
                         "that of the project's store")
    technology = _technology(options)
    folder = options.output or results_folder(technology.name)
    result = build(_chosen(options.names), technology, folder, psum_width=options.psum_width,
                   recipe=RECIPES[options.recipe], force=options.force)
    print(f"{folder}: {result.mapped} PEs mapped, {result.kept} up to date")


def _report(options: argparse.Namespace) -> None:
    from hw.ppa.report import correlations, figures, table

    technology = _technology(options)
    rows = figures([load_pe(multiplier, technology=technology, folder=options.input)
                    for multiplier in _chosen(options.names)], quiet=options.json)
    found = correlations(rows)
    if options.json:
        print(json.dumps({"pes": [row.to_dict() for row in rows], "correlation": found}, indent=2))
        return
    print(table(rows))
    if found:
        print("correlation of the multiplier alone with the PE: "
              + ", ".join(f"{value:.3f} ({stream})" for stream, value in found.items()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    {"characterise": _characterise, "build": _build, "report": _report}[options.command](options)


if __name__ == "__main__":
    run_command_line(main)
