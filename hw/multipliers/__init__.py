"""Multipliers: families that build netlists, a catalogue of named instances, and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from hw.common.errors import InputError, unknown_name
from hw.common.files import read_json
from hw.multipliers import files
from hw.multipliers.adder import LABEL, LOA, SEG, TRUNC, ApproximateAdder
from hw.multipliers.base import Multiplier
from hw.multipliers.catalog import ENTRIES, EXACT, ROUNDED_ENTRIES, SIGNED_ENTRIES
from hw.netlist import CONST0

__all__ = ["EXACT", "Multiplier", "catalogue", "default_bank", "get", "names", "resolve",
           "with_adder"]

FOLDER = Path(__file__).parent
EVOLVED = FOLDER / "evolved"


@cache
def names() -> tuple[str, ...]:
    """Return the names of the catalogue: unsigned instances of families, evolved, signed."""
    return (*ENTRIES, *sorted(path.stem for path in EVOLVED.glob("*.json")), *SIGNED_ENTRIES)


@cache
def get(name: str) -> Multiplier:
    """Return a catalogue entry, or one of `ROUNDED_ENTRIES`; `NAME+ADDER` has another adder.

    Raises InputError with the nearest name for an unknown one, and as `with_adder` does.
    """
    name, plus, adder = name.partition("+")
    if plus:
        return with_adder(get(name), adder)
    entry = ENTRIES.get(name) or SIGNED_ENTRIES.get(name) or ROUNDED_ENTRIES.get(name)
    if entry is None and name not in names():
        raise unknown_name("multiplier", name, (*names(), *ROUNDED_ENTRIES))
    if entry is None:
        return files.load(EVOLVED / f"{name}.json")
    return Multiplier(name=name, family=entry.family, source=entry.build(**entry.parameters),
                      parameters=entry.parameters, citation=entry.citation,
                      act_rounding=entry.act_rounding)


def resolve(name_or_file: str) -> Multiplier:
    """Return what `get` does, or the multiplier of a file (`.json`, `.json+ADDER`).

    Raises InputError for neither.
    """
    if name_or_file.endswith(".json"):
        return files.load(Path(name_or_file))
    file, _, adder = name_or_file.rpartition("+")
    return with_adder(resolve(file), adder) if file.endswith(".json") else get(name_or_file)


def with_adder(multiplier: Multiplier, label: str) -> Multiplier:
    """Return a multiplier with an approximate adder of partial sums, called `NAME+label`.

    label : `truncB`, `loaB` or `segBwW` (`hw.multipliers.adder`). Raises InputError for another
    one, and for one that the multiplier cannot have or that would be exact.
    """
    found = LABEL.fullmatch(label)
    named = replace(multiplier, name=f"{multiplier.name}+{label}",
                    parameters={**multiplier.parameters, "adder": label})
    if found is None or multiplier.adder is not None:
        raise InputError(f"{multiplier.subject} must be followed by one adder, +{TRUNC}B, +{LOA}B "
                         f"or +{SEG}BwW, not +{label:.40}")
    if found[1] == TRUNC:
        return _dropped(named, int(found[2]))
    try:
        named = replace(named, adder=ApproximateAdder.named(label))
    except ValueError as error:
        raise InputError(f"{multiplier.subject}: {error}") from None
    named.check_adder()
    return named


def _dropped(multiplier: Multiplier, bits: int) -> Multiplier:
    """Return a multiplier with the low bits of its products left out."""
    netlist = multiplier.netlist
    least, most = netlist.zero_bits + 1, len(netlist.outputs) - 1
    if not least <= bits <= most:
        raise InputError(f"{multiplier.subject} must drop from {least} to {most} low bits, not "
                         f"{bits}: of the {most + 1} bits of its products {least - 1} are always "
                         "0 as it is")
    outputs = (*[CONST0] * bits, *netlist.outputs[bits:])
    return replace(multiplier, source=replace(netlist, outputs=outputs).pruned())


@cache
def catalogue() -> Mapping[str, Multiplier]:
    """Return every entry by name, the exact multiplier first."""
    return MappingProxyType({name: get(name) for name in names()})


@cache
def default_bank() -> tuple[str, ...]:
    """Return the names that a search considers by default, the exact one first.

    They lie near the front of PE energy against error, evenly spread (`docs/multipliers.md`).
    """
    return tuple(read_json(FOLDER / "default_bank.json"))
