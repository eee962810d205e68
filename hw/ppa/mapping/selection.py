"""Which multipliers a command is about: names of the catalogue, multiplier files, or all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hw.common.errors import InputError
from hw.multipliers import EXACT, catalogue, get, resolve
from hw.multipliers.base import Multiplier


def check_size(multiplier: Multiplier) -> None:
    """Raise InputError for a multiplier without a netlist, or with operands not of 8 bits."""
    netlist = multiplier.netlist
    if (netlist.act_width, netlist.weight_width) != (8, 8):
        raise InputError(f"{multiplier.subject} must have operands of 8 bits, not "
                         f"{netlist.act_width} and {netlist.weight_width}")


def check_unsigned(multiplier: Multiplier) -> None:
    """Raise InputError for a multiplier that is signed, or as `check_size` does."""
    if multiplier.signed:
        raise InputError(f"{multiplier.subject} must be unsigned, as those that it is "
                         "compared with")
    check_size(multiplier)


def for_mapping(names_or_files: Sequence[str]) -> list[Multiplier]:
    """Return the named multipliers, or all 8x8 netlists of the catalogue, signed ones too.

    Raises InputError for an unknown name, a malformed file, or another width.
    """
    return _named(names_or_files, check_size) or _all(check_size)


def for_pes(names_or_files: Sequence[str]) -> list[Multiplier]:
    """Return the named multipliers, signed or not, or all unsigned ones of the catalogue.

    Those run any layer, so their energies compare on any operands. Raises as `for_mapping` does.
    """
    return _named(names_or_files, check_size) or _all(check_unsigned)


def for_comparison(names_or_files: Sequence[str], *, everything: bool) -> list[Multiplier]:
    """Return unsigned multipliers to set against published ones.

    The exact multiplier comes first. One that always returns the same number is left out:
    published tables hold such a circuit, it costs nothing and is of no use.

    everything : all unsigned ones of the catalogue, besides those named.

    Raises InputError as `for_mapping` does, for a signed multiplier, or when there is nothing to
    compare.
    """
    if not (names_or_files or everything):
        raise InputError("Multipliers must be named, or all be asked for with --all")
    chosen = [get(EXACT), *(_all(check_unsigned) if everything else ()),
              *_named(names_or_files, check_unsigned)]
    unique: dict[str, Multiplier] = {}
    for multiplier in chosen:
        unique.setdefault(multiplier.digest, multiplier)
    return [multiplier for multiplier in unique.values()
            if (multiplier.table != multiplier.table[0, 0]).any()]


def _named(names_or_files: Sequence[str],
           check: Callable[[Multiplier], None]) -> list[Multiplier]:
    named = [resolve(name) for name in names_or_files]
    for multiplier in named:
        check(multiplier)
    return named


def _all(check: Callable[[Multiplier], None]) -> list[Multiplier]:
    return [multiplier for multiplier in catalogue().values() if _passes(check, multiplier)]


def _passes(check: Callable[[Multiplier], None], multiplier: Multiplier) -> bool:
    try:
        check(multiplier)
    except InputError:
        return False
    return True
