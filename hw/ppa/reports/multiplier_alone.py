"""A multiplier alone, mapped without a PE around it: area, delay, energy on uniform operands.

This is how libraries of approximate circuits publish their figures, so it is what a comparison
with them needs. It is no measure of an array; see `docs/ppa.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import unknown_name
from hw.multipliers.base import OPERANDS, Multiplier
from hw.ppa.energy.activity import LANES_PER_WORD, Simulator, Words, pack_lanes
from hw.ppa.energy.netlist_energy import EnergyModel
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import MappedNetlist
from hw.ppa.mapping.timing import analyse

DEFAULT_CLOCK_MHZ = 1000.0
SEED = 2022
FJ_MHZ_TO_MW = 1e-6  # 1 fJ in each of 1e6 cycles per second is 1 nW
NW_TO_MW = 1e-6


@dataclass(frozen=True, kw_only=True)
class AloneFigures:
    """What a mapped multiplier costs.

    Parameters
    ----------
    recipe : str
        Of the mapping.
    area_um2 : float
        Cells, without utilisation.
    delay_ps : float
        Longest path from operand to product.
    energy_fj : float
        Mean per operation, each with new and independent operands, both uniform. No glitches.
    leakage_nw : float
    """

    recipe: str
    area_um2: float
    delay_ps: float
    energy_fj: float
    leakage_nw: float

    def power_mw(self, clock_mhz: float = DEFAULT_CLOCK_MHZ) -> float:
        """Return the power at one operation per cycle, leakage included."""
        return self.energy_fj * clock_mhz * FJ_MHZ_TO_MW + self.leakage_nw * NW_TO_MW

    def power_delay_pj(self, clock_mhz: float = DEFAULT_CLOCK_MHZ) -> float:
        """Return power x delay, pJ: an index of merit, not the energy of an operation."""
        return self.power_mw(clock_mhz) * self.delay_ps * 1e-3


@dataclass(frozen=True, kw_only=True)
class MappedMultiplier:
    """One mapping of a multiplier: its gates and their figures."""

    figures: AloneFigures
    netlist: MappedNetlist


def _area(figures: AloneFigures) -> tuple[float, ...]:
    return figures.area_um2, figures.energy_fj * figures.delay_ps


def _power_delay(figures: AloneFigures) -> tuple[float, ...]:
    return figures.power_delay_pj(), figures.area_um2


def _product(figures: AloneFigures) -> tuple[float, ...]:
    return figures.area_um2 * figures.power_delay_pj(), figures.area_um2


# What the best of several mappings may be the smallest of.
AIMS: Mapping[str, Callable[[AloneFigures], tuple[float, ...]]] = {
    "area": _area, "power-delay": _power_delay, "product": _product}


def best(mappings: Sequence[MappedMultiplier], aim: str) -> MappedMultiplier:
    """Return the mapping that is best by `aim`, one of `AIMS`; InputError for another aim."""
    if aim not in AIMS:
        raise unknown_name("aim", aim, AIMS)
    return min(mappings, key=lambda mapping: AIMS[aim](mapping.figures))


def measure(multiplier: Multiplier, netlist: MappedNetlist, technology: Technology,
            recipe: str) -> AloneFigures:
    """Return the figures of a mapped multiplier.

    All 65,536 operand pairs are followed by a random permutation of them: 65,536 transitions,
    in which the operands before and the operands after have exactly the uniform distribution.

    Raises
    ------
    AssertionError
        The gates do not compute the multiplier's table.
    """
    timing = analyse(netlist, technology)
    simulator = Simulator(netlist, technology)
    states = []
    for act, weight in _transitions():
        state = simulator.reset(act.shape[1])
        simulator.apply(state, {"act": act, "weight": weight})
        states.append(state)
    found = simulator.output(states[0], "product", signed=multiplier.signed)
    wrong = np.flatnonzero(found != multiplier.table.reshape(-1))
    if wrong.size:
        act_pattern, weight_pattern = divmod(int(wrong[0]), OPERANDS)
        raise AssertionError(
            f"Mapped multiplier {multiplier.name!r} must compute its table: {found[wrong[0]]} for "
            f"operand patterns {act_pattern}, {weight_pattern}, not "
            f"{multiplier.table[act_pattern, weight_pattern]}")
    energy = EnergyModel(netlist, technology, timing).between(*states)
    return AloneFigures(recipe=recipe, area_um2=netlist.area_um2(technology),
                        delay_ps=timing.delay_ps, energy_fj=float(energy.total.mean()),
                        leakage_nw=netlist.leakage_nw(technology))


@lru_cache(maxsize=1)
def _transitions() -> tuple[tuple[Words, Words], ...]:
    """Return planes of (act, weight) before and after: all pairs, then the same permuted."""
    pairs = np.arange(OPERANDS * OPERANDS)
    assert pairs.size % LANES_PER_WORD == 0
    shuffled = np.random.default_rng(SEED).permutation(pairs)
    return _planes(pairs), _planes(shuffled)


def _planes(pairs: npt.NDArray[Any]) -> tuple[Words, Words]:
    act, weight = np.divmod(pairs, OPERANDS)
    return pack_lanes(act, 8), pack_lanes(weight, 8)
