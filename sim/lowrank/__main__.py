"""Command line: singular values of the error of multipliers, the paper's Figure 6.

`python -m sim.lowrank NAME... -o FILE.svg`
"""

from __future__ import annotations

from pathlib import Path

from hw.common.errors import InputError, run_command_line
from hw.common.outputs import OutputFile
from hw.common.progress import task
from hw.common.wording import CommandParser, program
from hw.multipliers import resolve
from sim.tables import Products, load_table, magnitude_table

TABLES = (".npy", ".bin")
SHARES = (0.99, 0.999)


def read_table(name_or_file: str) -> Products:
    """Return the table of a catalogue entry, a multiplier file or a product table's file."""
    if name_or_file.endswith(TABLES):
        return load_table(Path(name_or_file))
    return magnitude_table(resolve(name_or_file))


def main() -> int:
    """Command line of the module."""
    parser = CommandParser(
        prog=program("sim.lowrank"), description="Singular values of the error of multipliers "
        "(the paper's Figure 6): how many terms a low-rank emulation would need.")
    parser.add_argument("multipliers", nargs="+", metavar="NAME",
                        help="catalogue entry, multiplier file (.json) or product table "
                        "(.npy or .bin)")
    parser.add_argument("-o", "--output", type=Path, action=OutputFile, required=True,
                        metavar="FILE",
                        help="picture to write, .svg or .png; the values go beside it as .csv")
    arguments = parser.parse_args()
    from sim.lowrank.figure import Spectrum, check_suffix, spectrum, write

    check_suffix(arguments.output)
    tables = {Path(name).stem if name.endswith((*TABLES, ".json")) else name: read_table(name)
              for name in arguments.multipliers}
    if len(tables) != len(arguments.multipliers):
        raise InputError("Multipliers must have different names")
    spectra: dict[str, Spectrum] = {}
    with task("decomposing", len(tables)) as progress:
        for name, table in tables.items():
            spectra[name] = spectrum(table)
            progress.advance(note=name)
    values = write(spectra, arguments.output)
    width = max(len("multiplier"), *map(len, spectra))
    print(f"{'multiplier':{width}}  {'rank':>4}  "
          + "  ".join(f"{f'terms for {100 * share:g} %':>18}" for share in SHARES))
    for name, entry in spectra.items():
        print(f"{name:{width}}  {entry.rank:4}  "
              + "  ".join(f"{entry.terms(share):18}" for share in SHARES))
    print(f"{arguments.output} and {values} written")
    return 0


if __name__ == "__main__":
    run_command_line(main)
