"""Which multipliers a search chooses from: names, groups of the catalogue and files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from hw.common.errors import InputError, unknown_name
from hw.machine.design import BankConfig, Design
from hw.multipliers import EXACT, Multiplier, catalogue, default_bank, get, names, resolve
from hw.multipliers.catalog import ROUNDED_ENTRIES
from hw.multipliers.precision import lower_precision

NAME = re.compile(r"[A-Za-z_]\w{0,63}(\+\w{1,12})?", re.ASCII)


def choose_multipliers(wanted: Sequence[str], bank: BankConfig) -> dict[str, Multiplier]:
    """Return the searched multipliers, the exact one first and always among them.

    wanted : catalogue names, multiplier files (`*.json`), either with `+ADDER`, `default` for the
    default bank, `precision` for the exact ones of lower precision, `all` for every unsigned entry
    of the catalogue that a PE takes: 0 for 0 x 0. bank : the size of the arrays that each must be
    able to sit in.

    Raises InputError when a name is unknown, a file is malformed or carries another circuit's name,
    or hardware refuses it: it is not 8x8 or a table only, or its sums do not fit.
    """
    chosen = {EXACT: get(EXACT)}
    for choice in wanted:
        for multiplier in _resolved(choice):
            try:
                _check(multiplier, bank)
            except InputError as error:
                raise InputError(f"{choice}: {error}" if _is_file(choice) else str(error)
                                 ) from None
            same = chosen.setdefault(multiplier.name, multiplier)
            if same.digest != multiplier.digest:
                raise InputError(f"{choice}: multiplier must have a name of its own, not "
                                 f"{multiplier.name!r}, which is another circuit")
    return chosen


def _is_file(choice: str) -> bool:
    return choice.endswith(".json") or choice.rpartition("+")[0].endswith(".json")


def _resolved(choice: str) -> list[Multiplier]:
    """Return the multipliers that one word of `--multipliers` stands for."""
    if choice == "all":
        return [multiplier for multiplier in catalogue().values()
                if not multiplier.signed and multiplier.table[0, 0] == 0]
    if choice == "default":
        return [get(name) for name in default_bank()]
    if choice == "precision":
        return [_rounded(multiplier) for multiplier in catalogue().values()
                if not multiplier.signed and lower_precision(multiplier)]
    if not _is_file(choice) and choice.partition("+")[0] not in (*names(), *ROUNDED_ENTRIES):
        raise unknown_name("multiplier", choice, [
            *names(), *ROUNDED_ENTRIES, "all", "default", "precision"])
    return [resolve(choice)]


def _rounded(multiplier: Multiplier) -> Multiplier:
    """Return the multiplier that rounds activations instead of cutting them, if there is one."""
    name = multiplier.name.replace("optrunc", "opround")
    return get(name) if name in ROUNDED_ENTRIES else multiplier


def _check(multiplier: Multiplier, bank: BankConfig) -> None:
    """Refuse what hardware refuses: the search must not find it."""
    # It becomes the name of files and of a Verilog module.
    if not NAME.fullmatch(multiplier.name):
        raise InputError("Multiplier name must be made of letters, digits and '_', 64 at most, "
                         f"not {multiplier.name!r}")
    Design(name="check", multipliers={multiplier.name: multiplier}, bank=replace(
        bank, arrays=(multiplier.name,)))
