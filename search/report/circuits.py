"""The circuits a run chose from, as multiplier files in its folder.

The report is drawn from them and `run.json` alone, whatever becomes of the catalogue; each is
also a file that `--multipliers`, synthesis and Verilog emission take.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hw.common.errors import InputError
from hw.multipliers import Multiplier, files
from search.report.record import RunResult

FOLDER = "multipliers"


def save_bank(folder: Path, multipliers: Mapping[str, Multiplier]) -> None:
    """Write every multiplier into `multipliers/` of a run folder."""
    for name, multiplier in multipliers.items():
        files.save(multiplier, folder / FOLDER / f"{name}.json")


def load_bank(folder: Path, run: RunResult) -> dict[str, Multiplier]:
    """Return the multipliers of a run, in the order of `run.multipliers`.

    Raises InputError when a file is malformed or holds another circuit than the run had.
    """
    bank = {}
    for facts in run.multipliers:
        path = folder / FOLDER / f"{facts.name}.json"
        if path.parent != folder / FOLDER:
            raise InputError(f"{folder / 'run.json'}: multiplier must be the name of a file in "
                             f"{FOLDER}/, not {facts.name!r}")
        multiplier = bank[facts.name] = files.load(path)
        if multiplier.digest != facts.digest:
            raise InputError(f"{folder / 'run.json'}: {facts.name} must be the circuit of {path} "
                             f"({multiplier.digest[:12]}), not {facts.digest[:12]!r}")
        if multiplier.has_netlist and (
                multiplier.netlist.act_width, multiplier.netlist.weight_width) != (8, 8):
            raise InputError(f"{path}: circuit must take operands of 8 bits")
    return bank
