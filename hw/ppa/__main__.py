"""`python -m hw.ppa`: characterise a cell library, map multipliers, report and compare figures."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hw.common.cache import add_cache_option
from hw.common.errors import InputError, ToolError, run_command_line
from hw.common.outputs import OutputFile, OutputFolder
from hw.common.wording import CommandParser, program
from hw.machine.design import BankConfig, Design
from hw.machine.layer_streams import LayerStream, load_layer_streams
from hw.machine.pe import DENSE, FORMS, PLAIN, form_named
from hw.multipliers import EXACT, get
from hw.ppa.library.chosen import add_technology_options, chosen_technology
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.portfolio import PORTFOLIO
from hw.ppa.mapping.stored_pes import (
    DEFAULT_PSUM_WIDTH,
    WIDE_PSUM_WIDTH,
    load_pe,
    results_folder,
    shipped,
)
from hw.ppa.mapping.synthesis import AREA, RECIPES, Recipe
from hw.ppa.mapping.yosys import choose_yosys
from hw.ppa.reports.command import add_commands as add_reports
from hw.ppa.reports.command import run_chip, run_figure4, run_report, run_sensitivity
from hw.ppa.reports.map_command import add_command as add_map
from hw.ppa.reports.map_command import run as run_map
from hw.ppa.reports.multiplier_alone import AIMS, DEFAULT_CLOCK_MHZ
from hw.ppa.reports.place_command import add_command as add_place
from hw.ppa.reports.place_command import run as run_place
from hw.ppa.reports.recipe_options import add_recipe_options, chosen_recipe


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("hw.ppa"),
        description="Power, performance and area of processing elements (docs/ppa.md).")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    derive = commands.add_parser(
        "characterise", help="derive a technology file from Liberty libraries")
    derive.add_argument("libraries", nargs="+", type=Path, metavar="LIB",
                        help="Liberty file, plain or gzipped; several make one library")
    derive.add_argument("-o", "--output", type=Path, action=OutputFile, required=True,
                        metavar="FILE",
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
    mapping.add_argument("names", nargs="*", metavar="NAME_OR_FILE",
                         help="multiplier of the catalogue or multiplier file (.json) "
                         "(default: the whole catalogue)")
    mapping.add_argument("--force", action="store_true", help="map also what is up to date")
    mapping.add_argument("--psum-width", type=int, metavar="BITS",
                         help=f"partial-sum bits, 17 to 32 (default: {DEFAULT_PSUM_WIDTH}, and "
                         f"without names also {WIDE_PSUM_WIDTH} for the default bank)")
    mapping.add_argument("--pe-form", metavar="TxO",
                         help=f"terms x outputs of a PE: {', '.join(FORMS)} (default: "
                         f"{PLAIN.form}; without names also the default bank and exact ones of "
                         f"lower precision as {DENSE.form}, the exact one in every form)")
    add_recipe_options(mapping)
    mapping.add_argument("-o", "--output", type=Path, action=OutputFolder, metavar="DIR",
                         help="folder for results (default: the store of the project)")

    add_reports(commands)
    alone = commands.add_parser(
        "multiplier", help="map multipliers alone, without a PE, signed ones too")
    alone.add_argument("names", nargs="*", metavar="NAME_OR_FILE",
                       help="multiplier of the catalogue or file (default: the whole catalogue)")
    alone.add_argument("--json", action="store_true", help="machine-readable")

    versus = commands.add_parser(
        "compare-published", help="compare unsigned multipliers with published figures")
    versus.add_argument("names", nargs="*", metavar="NAME_OR_FILE",
                        help="unsigned multiplier of the catalogue or file; the exact one is "
                        "always added")
    versus.add_argument("--all", action="store_true",
                        help="all unsigned multipliers of the catalogue, besides those named")
    versus.add_argument("--figures", type=Path, required=True, metavar="FILE",
                        help="table of published figures (.csv)")
    versus.add_argument("-o", "--output", type=Path, action=OutputFolder, required=True,
                        metavar="DIR",
                        help="folder for tables and pictures")
    versus.add_argument("--technology", type=Path, required=True, metavar="FILE",
                        help="technology file, of the node of the published figures")
    for command in (mapping, alone):
        add_technology_options(command)
    add_map(commands)
    add_place(commands)
    units = commands.add_parser(
        "units", help="area and delay of every unit of an accelerator, and its clock")
    units.add_argument("design", nargs="?", type=Path, metavar="DESIGN.json",
                       help="design file (default: one exact array of 16 x 16)")
    units.add_argument("--pe-form", metavar="TxO", help=f"terms x outputs of PEs, one of "
                       f"{', '.join(FORMS)} (default: what the design says, else {PLAIN.form})")
    add_recipe_options(units)
    add_cache_option(units)
    units.add_argument("-o", "--output", type=Path, action=OutputFile, metavar="FILE",
                       help="also write the figures as JSON")
    units.add_argument("--json", action="store_true", help="machine-readable")
    add_technology_options(units)
    for command in (alone, versus):
        command.add_argument("--recipe", choices=[*sorted(RECIPES), "best"], default="best",
                             help="how to map; best: several ways, keeping one "
                             "(default: %(default)s)")
        command.add_argument("--aim", choices=sorted(AIMS), default="product",
                             help="what the mapping that is kept is the smallest of; product: "
                             "area x power x delay (default: %(default)s)")
        command.add_argument("--clock-mhz", type=float, default=DEFAULT_CLOCK_MHZ, metavar="MHZ",
                             help="operations per microsecond for power (default: %(default)g)")
    for command in (mapping, alone, versus):
        add_cache_option(command)
    choice = commands.add_parser(
        "choose-bank", help="choose the multipliers that a search considers by default")
    choice.add_argument("-o", "--output", type=Path, action=OutputFile, metavar="FILE",
                        help="JSON list to write (default: print)")
    commands.add_parser("fit-proxy", help="fit the cost that evolution minimises to mapped PEs")
    return parser


def _characterise(options: argparse.Namespace) -> None:
    from hw.ppa.library.characterise import characterise

    if not 2 <= options.max_inputs <= 5:
        raise InputError(f"--max-inputs must be 2 to 5, not {options.max_inputs}")
    if options.drives < 1:
        raise InputError(f"--drives must be at least 1, not {options.drives}")
    name = options.name or options.output.name.split(".")[0]
    technology = characterise(options.libraries, name=name, max_inputs=options.max_inputs,
                              drives=options.drives, exclude=options.exclude, quiet=False)
    technology.save(options.output)
    print(f"{options.output}: {len(technology.cells)} cells, {technology.corner}, "
          f"{options.output.stat().st_size / 1024:.0f} KiB"
          + ("" if technology.has_energy else "; area and delay only, no usable internal power"))


def _build(options: argparse.Namespace) -> None:
    from hw.ppa.mapping.build import build
    from hw.ppa.mapping.selection import for_mapping
    from hw.rtl.process import emit_pes

    width = options.psum_width
    if width is not None and not 17 <= width <= 32:
        raise InputError(f"--psum-width must be 17 to 32, not {width}")
    recipe = chosen_recipe(options)
    own = options.technology is not None or options.liberty or recipe != AREA
    if own and options.output is None:
        raise InputError("--output must name a folder when library or recipe are not those of "
                         "the project's store")
    technology = chosen_technology(options)
    folder = options.output or results_folder(technology.name)
    form = form_named(options.pe_form or PLAIN.form)
    wanted = shipped() if width is None and options.pe_form is None and not options.names else {
        (width or DEFAULT_PSUM_WIDTH, form): for_mapping(options.names)}
    for (bits, dataflow), multipliers in wanted.items():
        result = build(multipliers, technology, folder, emit_pes, psum_width=bits,
                       dataflow=dataflow, recipe=recipe, force=options.force)
        print(f"{folder}: {result.mapped} {dataflow.form} PEs of {bits} bits mapped, "
              f"{result.kept} up to date")


def _multiplier(options: argparse.Namespace) -> None:
    from hw.ppa.mapping.selection import for_mapping
    from hw.ppa.reports.alone_mapping import map_alone
    from hw.ppa.reports.alone_report import table, to_dict
    from hw.ppa.reports.multiplier_alone import best

    _check_clock(options)
    multipliers = for_mapping(options.names)
    technology = chosen_technology(options, quiet=options.json)
    technology.require_energy()
    found = map_alone(multipliers, technology, _recipes(options), quiet=options.json)
    rows = [(multiplier.name, best(mappings, options.aim).figures)
            for multiplier, mappings in zip(multipliers, found, strict=True)]
    if options.json:
        print(json.dumps(to_dict(rows, technology, options.clock_mhz), indent=2))
        return
    print(f"{technology.name}, {technology.corner}")
    print(table(rows, options.clock_mhz))


def _compare_published(options: argparse.Namespace) -> None:
    from hw.ppa.mapping.selection import for_comparison
    from hw.ppa.reports.published import circuits_of, read_published
    from hw.ppa.reports.published_files import compare_all, text, write

    _check_clock(options)
    published, technology = read_published(options.figures), Technology.load(options.technology)
    ours = circuits_of(for_comparison(options.names, everything=options.all), technology,
                       _recipes(options), aim=options.aim, clock_mhz=options.clock_mhz)
    found = compare_all(ours, published)
    paths = write(options.output, found, ours, published, {
        "technology": technology.name, "corner": technology.corner,
        "technology_sha256": technology.digest, "clock_mhz": options.clock_mhz,
        "aim": options.aim, "figures": options.figures.name,
        "recipes": [f"{recipe.name} {recipe.digest}" for recipe in _recipes(options)]})
    print(text(found))
    print("\n" + "\n".join(map(str, paths)))


def _units(options: argparse.Namespace) -> None:
    from hw.common.files import write_json
    from hw.ppa.reports.units import table, to_dict, units_of
    from hw.rtl.process import emit_design

    design = Design.load(options.design) if options.design else Design(
        name=EXACT, multipliers={EXACT: get(EXACT)}, bank=BankConfig(arrays=(EXACT,)))
    if options.pe_form is not None:
        design = design.with_pes(options.pe_form)
    technology = chosen_technology(options, quiet=options.json)
    pes = [load_pe(array, design.bank.psum_width, technology, dataflow=dataflow)
           for array, dataflow in zip(design.arrays, design.bank.dataflows, strict=True)]
    recipe = chosen_recipe(options)
    figures = units_of(design, pes, technology, recipe, choose_yosys(), emit_design,
                       quiet=options.json)
    found = to_dict(figures, technology, recipe)
    if options.output is not None:
        write_json(options.output, found)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{technology.name}, {technology.corner}; recipe {recipe.name}")
    print(table(figures))
    print(f"clock {figures[0].delay_ps:.0f} ps, that of {figures[0].unit}")


def _chip(options: argparse.Namespace) -> None:
    from hw.rtl.process import emit_pes

    run_chip(options, streams=_streams, emit=emit_pes)


def _streams(network: Path, data: str) -> tuple[LayerStream, ...]:
    """Return the layers of a network: the simulator runs in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "layers.npz"
        process = subprocess.run(
            [sys.executable, "-m", "sim.layer_streams", str(network), "--data", data, "-o",
             str(path)], capture_output=True, text=True, check=False)
        if process.returncode:
            reason = (process.stderr.strip() or "no message").splitlines()[-1]
            kind = InputError if process.returncode == 2 else ToolError
            raise kind(reason.removeprefix("error: "))
        return load_layer_streams(path)


def _recipes(options: argparse.Namespace) -> Sequence[Recipe]:
    return PORTFOLIO if options.recipe == "best" else (RECIPES[options.recipe],)


def _check_clock(options: argparse.Namespace) -> None:
    if not 0 < options.clock_mhz < float("inf"):
        raise InputError(f"--clock-mhz must be above 0, not {options.clock_mhz:g}")


def _choose_bank(options: argparse.Namespace) -> None:
    from hw.common.files import write_json
    from hw.ppa.mapping.selection import for_pes
    from hw.ppa.reports.default_bank import candidates, choose_bank

    names = choose_bank(candidates(for_pes([])))
    if options.output is None:
        print("\n".join(names))
    else:
        write_json(options.output, names)
        print(f"{options.output}: {len(names)} multipliers")


def _fit_proxy(_options: argparse.Namespace) -> None:
    from hw.ppa.mapping.selection import for_pes
    from hw.ppa.reports.fit_proxy import fit_proxy

    families = [multiplier for multiplier in for_pes([]) if multiplier.family != "evolved"]
    fit = fit_proxy(families)
    for term, energy_fj in fit.terms_fj.items():
        print(f"{term:20} {energy_fj:7.3f} fJ")
    print(f"{fit.circuits} PEs, correlation {fit.correlation:.4f}, residue {fit.rms_fj:.2f} fJ rms")
    print(f"the proxy that evolution uses: correlation {fit.in_use_correlation:.4f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    run: Mapping[str, Callable[[argparse.Namespace], None]] = {
        "characterise": _characterise, "build": _build, "report": run_report,
        "figure4": run_figure4, "sensitivity": run_sensitivity,
        "chip": _chip, "multiplier": _multiplier, "map": run_map, "place": run_place,
        "units": _units, "compare-published": _compare_published, "choose-bank": _choose_bank,
        "fit-proxy": _fit_proxy}
    run[options.command](options)


if __name__ == "__main__":
    run_command_line(main)
