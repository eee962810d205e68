"""`python -m hw.ppa map`: area, delay and cells of any Verilog module."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from hw.common.cache import add_cache_option
from hw.common.errors import InputError
from hw.common.files import write_text
from hw.common.outputs import OutputFile
from hw.ppa.library.chosen import add_technology_options, chosen_technology
from hw.ppa.library.write_liberty import cell_library
from hw.ppa.mapping.mapped_module import map_module
from hw.ppa.mapping.mapped_verilog import mapped_verilog
from hw.ppa.mapping.yosys import choose_yosys
from hw.ppa.reports.recipe_options import add_recipe_options, chosen_recipe


def add_command(commands: Any) -> None:
    """Add the command to the parsers of `python -m hw.ppa`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "map", help="map any Verilog module: array, router, requantiser, sequencer, ...")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.v",
                        help="Verilog-2001 that defines the module and all below it")
    parser.add_argument("--top", required=True, metavar="NAME",
                        help="module to map; its clock, if any, is called clk")
    add_recipe_options(parser)
    parser.add_argument("--flatten", action="store_true",
                        help="map as one circuit, slow beyond some PEs (default: each module "
                        "once, then put together)")
    parser.add_argument("--yosys", default="sandboxed", metavar="WHICH",
                        help="sandboxed, native (the one on PATH, not sandboxed), or its path "
                        "(default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, action=OutputFile, metavar="FILE.v",
                        help="mapped Verilog to write, with the cells as FILE.lib beside it")
    add_cache_option(parser)
    parser.add_argument("--json", action="store_true", help="machine-readable")
    add_technology_options(parser)


def run(options: argparse.Namespace) -> None:
    """Map, write and print."""
    if not re.fullmatch(r"[A-Za-z_]\w*", options.top, re.ASCII):
        raise InputError(f"--top must be the name of a module, not {options.top!r}")
    if options.output is not None:
        if options.output.suffix != ".v":
            raise InputError(f"--output must end in .v, not {options.output.name!r}")
        if any(options.output.absolute() == path.absolute() for path in options.files):
            raise InputError(f"{options.output}: --output must not replace a file that is mapped")
    verilog = "\n".join(_read(path) for path in options.files)
    technology = chosen_technology(options, quiet=options.json)
    module = map_module(verilog, options.top, technology, chosen_recipe(options),
                        choose_yosys(options.yosys), flatten=options.flatten, quiet=options.json)
    if options.output is not None:
        write_text(options.output, mapped_verilog(module.netlist, technology))
        write_text(options.output.with_suffix(".lib"),
                   cell_library(technology, complete=True))
    print(json.dumps(module.to_dict(), indent=2) if options.json else module.text())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: must be Verilog text in UTF-8") from None
