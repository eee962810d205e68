"""Multipliers: families that build netlists, a catalogue of named instances, and files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from hw.common.errors import unknown_name
from hw.multipliers import files
from hw.multipliers.base import Multiplier
from hw.multipliers.catalog import ENTRIES, EXACT

__all__ = ["EXACT", "Multiplier", "catalogue", "get", "resolve"]


@cache
def get(name: str) -> Multiplier:
    """Return a catalogue entry; raises InputError with the nearest name for an unknown one."""
    if name not in ENTRIES:
        raise unknown_name("multiplier", name, ENTRIES)
    entry = ENTRIES[name]
    return Multiplier(name=name, family=entry.family, source=entry.build(**entry.parameters),
                      parameters=entry.parameters, citation=entry.citation)


def resolve(name_or_file: str) -> Multiplier:
    """Return a catalogue entry, or the multiplier of a `.json` file; InputError for neither."""
    if name_or_file.endswith(".json"):
        return files.load(Path(name_or_file))
    return get(name_or_file)


@cache
def catalogue() -> Mapping[str, Multiplier]:
    """Return every entry by name, the exact multiplier first."""
    return MappingProxyType({name: get(name) for name in ENTRIES})
