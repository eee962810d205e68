"""Options that say which multiplier runs which layer, for the command lines of this package."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hw.common.errors import InputError, unknown_name
from hw.common.records import read_record
from hw.machine.design import BankConfig
from hw.multipliers import get, resolve
from sim.tables import Table, load_table, pe_table

if TYPE_CHECKING:
    from sim.network.quant_network import QuantNetwork


def add_multiplier_options(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Declare `--multiplier`, `--mapping`, `--table`, `--exact` and `--rows`.

    required : one of the first three must be given.
    """
    default = "" if required else " (default: exact)"
    chosen = parser.add_mutually_exclusive_group(required=required)
    chosen.add_argument("--multiplier", metavar="NAME",
                        help=f"multiplier for every layer: catalogue entry or multiplier file"
                        f"{default}")
    chosen.add_argument("--mapping", type=Path, metavar="FILE",
                        help="JSON object, layer to multiplier name; other layers exact")
    chosen.add_argument("--table", type=Path, metavar="FILE",
                        help="product table for every layer, .npy or .bin, [activation, weight]")
    parser.add_argument("--exact", nargs="+", default=[], metavar="LAYER",
                        help="layers that stay exact all the same, such as the first and the last")
    parser.add_argument("--rows", type=int, default=BankConfig.rows, metavar="N",
                        help="rows of the array, on which sums of approximate adders depend "
                        "(default: %(default)s)")


def check_choice(arguments: argparse.Namespace) -> None:
    """Refuse what no network runs with, before one is read."""
    BankConfig(rows=arguments.rows)
    if arguments.mapping:
        _mapped(arguments.mapping, arguments.rows)
    elif arguments.table:
        load_table(arguments.table)
    elif arguments.multiplier is not None:
        multiplier_table(arguments.multiplier, arguments.rows)


def chosen_tables(arguments: argparse.Namespace, network: QuantNetwork) -> dict[str, Table]:
    """Return layer -> table of the options; layers that are missing run exactly."""
    names = [layer.name for layer in network.layers]
    for name in arguments.exact:
        if name not in names:
            raise unknown_name("layer", name, names)
    if arguments.mapping:
        tables = read_mapping(arguments.mapping, network, arguments.rows)
    elif arguments.table:
        tables = dict.fromkeys(names, load_table(arguments.table))
    elif arguments.multiplier:
        tables = dict.fromkeys(names, multiplier_table(arguments.multiplier, arguments.rows))
    else:
        tables = {}
    chosen = {name: table for name, table in tables.items() if name not in arguments.exact}
    try:
        network.check_tables(chosen)
    except InputError as error:
        raise InputError(f"{arguments.mapping}: {error}" if arguments.mapping else str(error)
                         ) from None
    return chosen


def read_mapping(path: Path, network: QuantNetwork, rows: int) -> dict[str, Table]:
    """Return layer -> table from a JSON object of layer name to multiplier name."""
    tables = _mapped(path, rows)
    try:
        network.check_tables(dict.fromkeys(tables, np.zeros((0,), np.int32)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return tables


def _mapped(path: Path, rows: int) -> dict[str, Table]:
    """Return layer -> table of a mapping, whatever the network is."""
    content = read_record(path, dict[str, str])
    try:
        return {layer: pe_table(get(name), rows) for layer, name in content.items()}
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def multiplier_table(name_or_file: str, rows: int) -> Table:
    """Return the table of a catalogue entry or of a multiplier file, by its ending `.json`."""
    multiplier = resolve(name_or_file)
    try:
        return pe_table(multiplier, rows)
    except InputError as error:
        subject = f"{name_or_file}: " if name_or_file.endswith(".json") else ""
        raise InputError(f"{subject}{error}") from None
