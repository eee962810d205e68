"""Energy of a design by layer and part, as `run.json` holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hw.common.records import Amount, Positive
from hw.ppa.chip.parts import (
    ADDERS,
    ARRAY_PARTS,
    CLOCK,
    DRAM,
    IDLE,
    LEAKAGE,
    LOADING,
    MULTIPLIERS,
    OUTPUT_BUFFER,
    REGISTERS,
)

# What a reader asks for -> its parts; what is in none is "other", on the chip.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "multipliers": (MULTIPLIERS,), "adders": (ADDERS,), "registers": (REGISTERS,),
    "clock": (CLOCK,), "weight loading": (LOADING,), "idle, leakage": (
        IDLE, LEAKAGE),
    "buffers": ("activation buffer", "weight FIFO", "accumulators", OUTPUT_BUFFER),
    "requantiser": ("requantiser",), "other": (), "DRAM": (DRAM,)}


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """Energy of a design by part and layer, per inference or round of the workload.

    Parameters
    ----------
    energy_nj : mapping of str to tuple of float
        Part (`hw.ppa.chip.parts`) -> of each layer in execution order. DRAM is off the chip.
    half_width_nj : tuple of float
        Of each layer: 95 % half-width of the array's energy, from sampling operands.
    cycles : tuple of float
        Of each layer, on the accelerator.
    """

    energy_nj: Mapping[str, tuple[float, ...]]
    half_width_nj: tuple[Amount, ...]
    cycles: tuple[Positive, ...]

    def total_nj(self, parts: Iterable[str] | None = None) -> float:
        """Return the energy of all layers in some parts, by default of the chip."""
        chosen = self.on_chip if parts is None else tuple(parts)
        return sum(self.layer_nj(layer, chosen) for layer in range(len(self.cycles)))

    def layer_nj(self, layer: int, parts: Iterable[str] | None = None) -> float:
        """Return the energy of one layer in some parts, by default of the chip."""
        chosen = self.on_chip if parts is None else parts
        return sum(self.energy_nj[part][layer] for part in chosen)

    @property
    def on_chip(self) -> tuple[str, ...]:
        """All parts but DRAM."""
        return tuple(part for part in self.energy_nj if part != DRAM)

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """`GROUPS` with those parts that there are; groups without any are left out."""
        named = {part for parts in GROUPS.values() for part in parts}
        rest = tuple(part for part in self.energy_nj if part not in named)
        found = {group: tuple(part for part in (parts or rest) if part in self.energy_nj)
                 for group, parts in GROUPS.items()}
        return {group: parts for group, parts in found.items() if parts}

    @property
    def array_nj(self) -> float:
        """Of the arrays."""
        return self.total_nj(self.in_arrays)

    @property
    def in_arrays(self) -> tuple[str, ...]:
        """The parts of the arrays."""
        return tuple(part for part in ARRAY_PARTS if part in self.energy_nj)
