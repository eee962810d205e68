"""Multipliers: families that build netlists, a catalogue of named instances, and files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from hw.common.errors import unknown_name
from hw.common.files import read_json
from hw.multipliers import files
from hw.multipliers.base import Multiplier
from hw.multipliers.catalog import ENTRIES, EXACT, ROUNDED_ENTRIES, SIGNED_ENTRIES

__all__ = ["EXACT", "Multiplier", "catalogue", "default_bank", "get", "names", "resolve"]

FOLDER = Path(__file__).parent
EVOLVED = FOLDER / "evolved"


@cache
def names() -> tuple[str, ...]:
    """Return the names of the catalogue: unsigned instances of families, evolved, signed."""
    return (*ENTRIES, *sorted(path.stem for path in EVOLVED.glob("*.json")), *SIGNED_ENTRIES)


@cache
def get(name: str) -> Multiplier:
    """Return a catalogue entry, or one of `ROUNDED_ENTRIES`.

    Raises InputError with the nearest name for an unknown one.
    """
    entry = ENTRIES.get(name) or SIGNED_ENTRIES.get(name) or ROUNDED_ENTRIES.get(name)
    if entry is None and name not in names():
        raise unknown_name("multiplier", name, (*names(), *ROUNDED_ENTRIES))
    if entry is None:
        return files.load(EVOLVED / f"{name}.json")
    return Multiplier(name=name, family=entry.family, source=entry.build(**entry.parameters),
                      parameters=entry.parameters, citation=entry.citation,
                      act_rounding=entry.act_rounding)


def resolve(name_or_file: str) -> Multiplier:
    """Return a catalogue entry, or the multiplier of a `.json` file; InputError for neither."""
    if name_or_file.endswith(".json"):
        return files.load(Path(name_or_file))
    return get(name_or_file)


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
