"""Command line: `python -m hw.multipliers list`, `show NAME`, `evolve` and `import FILE`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hw.common.errors import ToolError, run_command_line
from hw.common.outputs import OutputFile
from hw.common.wording import CommandParser, program
from hw.multipliers import catalogue, resolve
from hw.multipliers.base import Multiplier
from hw.multipliers.evolution import options as evolve_options
from hw.multipliers.importing import command as import_command
from hw.multipliers.metrics import FULL_SCALE, error_metrics

# Column heading -> (key in --json, how it is printed).
COLUMNS = {
    "name": ("name", "{}"), "family": ("family", "{}"), "MAE %": ("mae_percent", "{:.4f}"),
    "WCE %": ("wce_percent", "{:.3f}"), "EP %": ("ep_percent", "{:.1f}"),
    "MRE %": ("mre_percent", "{:.3f}"), "bias %": ("bias_percent", "{:+.4f}"),
    "gates": ("gates", "{}"), "depth": ("depth", "{}"), "facts": ("facts", "{}"),
}
TEXT_COLUMNS = 2  # name and family; the rest are numbers, aligned to the right


def facts(multiplier: Multiplier) -> dict[str, object]:
    """Return what `list` and `show` print; percentages are of the full scale 2**16 - 1.

    Gates and depth are None where only the products are known.
    """
    multiplier.require_8x8("for error figures")
    netlist = multiplier.netlist if multiplier.has_netlist else None
    metrics = error_metrics(multiplier.table, signed=multiplier.signed)
    return {
        "name": multiplier.name, "family": multiplier.family,
        "parameters": dict(multiplier.parameters), "citation": multiplier.citation,
        "mae_percent": metrics.mae_percent, "wce_percent": metrics.wce_percent,
        "ep_percent": metrics.ep_percent, "mre_percent": metrics.mre_percent,
        "bias_percent": metrics.bias_percent, "mse": metrics.mse,
        "commutative": metrics.commutative, "keeps_zero": metrics.keeps_zero,
        "facts": "0" * metrics.keeps_zero + "c" * metrics.commutative or "-",
        "gates": netlist and len(netlist.gates), "depth": netlist and netlist.depth,
        "digest": multiplier.digest,
    }


def catalogue_facts(sort: str) -> list[dict[str, object]]:
    """Return the facts of every entry, sorted by the fact `sort`."""
    return sorted((facts(multiplier) for multiplier in catalogue().values()),
                  key=lambda row: row[sort])  # type: ignore[arg-type, return-value]


def catalogue_cells(sort: str) -> list[list[str]]:
    """Return the text of every cell of the table, sorted by the fact `sort`."""
    return [[pattern.format(row[key]) for key, pattern in COLUMNS.values()]
            for row in catalogue_facts(sort)]


def list_command(sort: str, form: str) -> None:
    """Print the catalogue as `table`, `json` or `markdown`."""
    if form == "json":
        print(json.dumps(catalogue_facts(sort), indent=2))
        return
    cells = catalogue_cells(sort)
    if form == "markdown":
        print(markdown(cells))
        return
    caption = (f"{len(cells)} multipliers; percentages of the full scale {FULL_SCALE}, "
               "MRE over non-zero products; facts: 0 keeps zero, c is commutative")
    if sys.stdout.isatty():
        print_rich(cells, caption)
    else:
        print(plain(cells), caption, sep="\n")


def plain(cells: list[list[str]]) -> str:
    """Return an aligned table, one line per row."""
    table = [list(COLUMNS), *cells]
    widths = [max(len(row[column]) for row in table) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column < TEXT_COLUMNS else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in table)


def markdown(cells: list[list[str]]) -> str:
    """Return the table of `docs/multipliers.md`."""
    rule = ["---" if column < TEXT_COLUMNS else "--:" for column in range(len(COLUMNS))]
    quoted = [[f"`{name}`", *rest] for name, *rest in cells]
    return "\n".join(f"| {' | '.join(row)} |" for row in ([*COLUMNS], rule, *quoted))


def print_rich(cells: list[list[str]], caption: str) -> None:
    """Print the table for a terminal; a narrow one does without the family."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    widths = [max(map(len, column)) for column in zip(list(COLUMNS), *cells, strict=True)]
    wide = sum(widths) + 2 * len(widths) <= console.width
    shown = [column for column, heading in enumerate(COLUMNS) if wide or heading != "family"]
    # The box puts one space between columns; where there is room a second one is easier to read.
    table = Table(box=SIMPLE_HEAD, caption=caption, pad_edge=False, padding=(0, int(wide), 0, 0))
    for column in shown:
        heading = list(COLUMNS)[column]
        table.add_column(heading, justify="left" if column < TEXT_COLUMNS else "right",
                         no_wrap=True,
                         style="bold" if column == 0 else "dim" if heading == "family" else None)
    for row in cells:
        table.add_row(*(row[column] for column in shown))
    console.print(table)


def show_command(multiplier: Multiplier, output: Path | None, *, as_json: bool) -> None:
    """Print one multiplier and write its heat map.

    Of other widths than 8x8 what is known of the circuit is printed, then InputError raised.
    """
    if multiplier.width != "8x8":
        if not as_json:
            print_lines({**origin_lines(multiplier), "width": multiplier.width,
                         **circuit_lines(multiplier), "digest": multiplier.digest})
        multiplier.require_8x8("for error figures and a heat map")
    row = facts(multiplier)
    if output is not None:
        from hw.multipliers.heatmap import write_heatmap

        write_heatmap(multiplier, output)
    if as_json:
        print(json.dumps(row, indent=2))
        return
    lines = {
        **origin_lines(multiplier),
        "MAE": f"{row['mae_percent']:.5f} %", "WCE": f"{row['wce_percent']:.4f} %",
        "EP": f"{row['ep_percent']:.2f} %", "MRE": f"{row['mre_percent']:.4f} %",
        "bias": f"{row['bias_percent']:+.5f} %",
        "commutative": "yes" if row["commutative"] else "no",
        "keeps zero": "yes" if row["keeps_zero"] else "no",
        **circuit_lines(multiplier), "digest": multiplier.digest,
    }
    if output is not None:
        lines["heat map"] = str(output)
    print_lines(lines)


def print_lines(lines: dict[str, str]) -> None:
    """Print labels and values, aligned."""
    for label, value in lines.items():
        print(f"{label:12} {value}")


def origin_lines(multiplier: Multiplier) -> dict[str, str]:
    """Return what `show` prints about where a multiplier comes from."""
    parameters = ", ".join(f"{key}={value}" for key, value in multiplier.parameters.items())
    return {"name": multiplier.name, "family": f"{multiplier.family}({parameters})",
            "source": multiplier.citation}


def circuit_lines(multiplier: Multiplier) -> dict[str, str]:
    """Return what `show` prints about the circuit."""
    if not multiplier.has_netlist:
        return {"circuit": "unknown: only the products are"}
    netlist = multiplier.netlist
    gates = ", ".join(f"{count} {op}" for op, count in sorted(netlist.gate_counts().items()))
    return {"gates": f"{len(netlist.gates)} ({gates})", "depth": f"{netlist.depth} gates"}


def mapped_energies_fj(multipliers: Sequence[Multiplier]) -> dict[str, float]:
    """Return the energy per cycle of the PE of each, mapped now, as `hw.ppa report` gives it.

    On the stream like that after ReLU. Raises ToolError where they cannot be mapped.
    """
    from hw.ppa.library.technology import load_technology
    from hw.ppa.mapping.build import build
    from hw.ppa.mapping.stored_pes import load_pe
    from hw.ppa.reports.pe_report import figures, reference_samples
    from hw.rtl.process import emit_pes

    technology = load_technology("asap7")
    with tempfile.TemporaryDirectory(prefix="autoapprox-") as name:
        try:
            build(multipliers, technology, Path(name), emit_pes, quiet=True)
        except ToolError as error:
            raise ToolError(f"PEs cannot be mapped: {error} (or use --no-map)") from None
        pes = [load_pe(multiplier, folder=Path(name)) for multiplier in multipliers]
    samples = {"relu": reference_samples()["relu"]}
    return {row.name: row.streams["relu"].mean_fj for row in figures(pes, samples, quiet=True)}


def main() -> int:
    """Command line of the package."""
    parser = CommandParser(prog=program("hw.multipliers"),
                                     description="The catalogue of multipliers, and users' own.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="table of all multipliers")
    listing.add_argument("--sort", default="mae_percent",
                         choices=[key for key, _form in COLUMNS.values()],
                         help="column to sort by (default mae_percent)")
    showing = commands.add_parser("show", help="one multiplier, and its error heat map")
    showing.add_argument("name", help="name in the catalogue, or a multiplier file (.json)")
    showing.add_argument("-o", "--output", type=Path, action=OutputFile, default=None,
                         help="heat map to write, .png or .svg (default NAME.png here)")
    formats = listing.add_mutually_exclusive_group()
    formats.add_argument("--markdown", action="store_const", const="markdown", dest="form",
                         help="the table of docs/multipliers.md")
    formats.add_argument("--json", action="store_const", const="json", dest="form",
                         help="machine-readable output")
    showing.add_argument("--json", action="store_true", help="machine-readable output")
    evolving = commands.add_parser("evolve", help="a cheaper circuit within error limits")
    evolve_options.add_arguments(evolving)
    importing = commands.add_parser("import", help="a user's circuit or table to a multiplier file")
    import_command.add_arguments(importing)
    arguments = parser.parse_args()
    if arguments.command == "list":
        list_command(arguments.sort, arguments.form or "table")
    elif arguments.command == "evolve":
        from hw.multipliers.evolution import command as evolve_command

        evolve_command.run(arguments, mapped_energies_fj)
    elif arguments.command == "import":
        import_command.run(arguments)
    else:
        multiplier = resolve(arguments.name)  # refused before anything is written
        output = arguments.output or Path(f"{Path(arguments.name).stem}.png")
        show_command(multiplier, output, as_json=arguments.json)
    return 0


if __name__ == "__main__":
    run_command_line(main)
