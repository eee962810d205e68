"""`python -m hw.multipliers import FILE --name NAME`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hw.common.errors import InputError
from hw.common.outputs import check_output
from hw.multipliers import files
from hw.multipliers.base import check_name
from hw.multipliers.importing import FORMATS, ORDERS, Expectation, Imported, import_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `import`."""
    parser.add_argument("file", type=Path, help=f"circuit or table: {', '.join(FORMATS)}")
    parser.add_argument("--name", required=True, help="name of the multiplier, e.g. mul8u_mine")
    parser.add_argument("-o", "--output", type=Path, default=None,
                        help="multiplier file to write (default NAME.json here)")
    parser.add_argument("--operands", default=None, metavar="A,B",
                        help="input ports: first and second operand (default: order of the file)")
    parser.add_argument("--order", default=ORDERS[0], choices=ORDERS,
                        help=f"what the first and second operand are (default {ORDERS[0]})")
    parser.add_argument("--top", default=None, metavar="MODULE",
                        help="module to import (default: the one that no other contains)")
    signs = parser.add_mutually_exclusive_group()
    signs.add_argument("--signed", action="store_const", const=True, dest="signed",
                       help="operands and product are two's complement (default: detected)")
    signs.add_argument("--unsigned", action="store_const", const=False, dest="signed",
                       help="operands and product are unsigned (default: detected)")
    parser.add_argument("--expect", nargs="+", default=[], metavar="FIGURE",
                        help="published figures that must be met, e.g. MAE=0.43%% WCE=1408 "
                             "EP=87.31%% MRE=4.20%% MSE=139814")
    parser.add_argument("--allow-constant", action="store_true",
                        help="accept a product that does not depend on the operands")


def run(arguments: argparse.Namespace) -> None:
    """Import a file, write the multiplier file and say what was found."""
    expectations = [Expectation.parse(text) for text in arguments.expect]
    operands = None if arguments.operands is None else arguments.operands.split(",")
    output: Path = arguments.output or Path(f"{arguments.name}.json")
    check_name(arguments.name)
    if output.suffix != ".json":
        raise InputError(f"{output}: multiplier file must end in .json")
    check_output(output)
    imported = import_file(arguments.file, name=arguments.name, operands=operands,
                           order=arguments.order, signed=arguments.signed, expect=expectations,
                           allow_constant=arguments.allow_constant, top=arguments.top)
    if output.exists() and arguments.file.exists() and output.samefile(arguments.file):
        raise InputError(f"{output}: multiplier file must not replace the file that is imported")
    files.save(imported.multiplier, output)
    if imported.warning:
        print(f"warning: {arguments.file}: {imported.warning}", file=sys.stderr)
    print("\n".join(lines(imported, arguments.file, arguments.expect)), output, sep="\n")


def lines(imported: Imported, file: Path, expected: list[str]) -> list[str]:
    """Return what is printed about an import."""
    multiplier = imported.multiplier
    order = "commutative" if imported.commutative else "not commutative: the order matters"
    result = [
        f"{multiplier.name}: {imported.format} {file.name}, {imported.width}, "
        f"{'signed' if multiplier.signed else 'unsigned'}",
        f"act = {imported.act}, weight = {imported.weight}, product = {imported.product} ({order})",
        f"{len(multiplier.netlist.gates)} gates, depth {multiplier.netlist.depth}"
        if multiplier.has_netlist else "products only: simulates, has no hardware",
    ]
    if imported.metrics is not None:
        m = imported.metrics
        result.append(f"MAE {m.mae_percent:.5f} %, WCE {m.wce} ({m.wce_percent:.4f} %), "
                      f"EP {m.ep_percent:.2f} %, MRE {m.mre_percent:.4f} %"
                      + (", as published" if expected else ""))
    else:
        result.append("error figures are for 8x8 circuits; so are search and hardware")
    return result
