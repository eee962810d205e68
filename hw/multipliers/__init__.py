"""Multipliers: families that build netlists, and a catalogue of named instances."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from hw.common.errors import unknown_name
from hw.multipliers.base import Multiplier
from hw.multipliers.catalog import ENTRIES, EXACT

__all__ = ["EXACT", "Multiplier", "catalogue", "get"]


@cache
def get(name: str) -> Multiplier:
    """Return a catalogue entry; raises InputError with the nearest name for an unknown one."""
    if name not in ENTRIES:
        raise unknown_name("multiplier", name, ENTRIES)
    entry = ENTRIES[name]
    return Multiplier(name=name, family=entry.family, netlist=entry.build(**entry.parameters),
                      parameters=entry.parameters, citation=entry.citation)


@cache
def catalogue() -> Mapping[str, Multiplier]:
    """Return every entry by name, the exact multiplier first."""
    return MappingProxyType({name: get(name) for name in ENTRIES})
