"""A processing element mapped to a cell library, with its figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hw.machine.design import OPERAND_BITS
from hw.machine.operands import operand_limits
from hw.multipliers.base import OPERANDS, Multiplier
from hw.ppa.energy.activity import Simulator, Words, pack_lanes
from hw.ppa.energy.glitches import TimedModel
from hw.ppa.energy.netlist_energy import EnergyModel
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import MappedNetlist
from hw.ppa.mapping.timing import Timing, analyse

# In an array every PE is fed by an equal one: to the left and above.
NEIGHBOURS = {"act_in": "act_out", "swap_in": "swap_out", "load_in": "load_out",
              "weight_in": "weight_out", "psum_in": "psum_out"}


def operand_width(*, signed: bool) -> int:
    """Return the bits of an operand port: two's complement for a signed multiplier, else with sign.

    The sign of a magnitude is its highest bit.
    """
    return OPERAND_BITS + (not signed)


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedPe:
    """A PE and its multiplier after synthesis.

    Parameters
    ----------
    multiplier : Multiplier
        What was mapped; its table is what the gates must compute.
    psum_width : int
    technology : Technology
    netlist : MappedNetlist
        The whole PE: registers, clock gates, multiplier, sign logic (of an unsigned one), adder.
    multiplier_netlist : MappedNetlist
        The multiplier mapped alone, for the comparison of multiplier and array energy only.
    recipe : str
        Name and digest of the synthesis recipe.
    verilog_sha256 : str
        Of the Verilog that was mapped.
    """

    multiplier: Multiplier
    psum_width: int
    technology: Technology
    netlist: MappedNetlist
    multiplier_netlist: MappedNetlist
    recipe: str
    verilog_sha256: str

    @cached_property
    def area_um2(self) -> float:
        """Cell area of the PE."""
        return self.netlist.area_um2(self.technology)

    @cached_property
    def multiplier_area_um2(self) -> float:
        """Cell area of the multiplier alone."""
        return self.multiplier_netlist.area_um2(self.technology)

    @cached_property
    def delay_ps(self) -> float:
        """Shortest clock period: register to register across PEs, setup included."""
        return self.timing.delay_ps

    def recall_delay(self, delay_ps: float) -> None:
        """Take `delay_ps` from an earlier analysis of the same gates, which takes 15 ms."""
        vars(self).setdefault("delay_ps", delay_ps)

    @property
    def multiplier_delay_ps(self) -> float:
        """Longest path through the multiplier alone."""
        return self.multiplier_timing.delay_ps

    @cached_property
    def leakage_nw(self) -> float:
        """Leakage of the PE, the mean over cell states."""
        return self.netlist.leakage_nw(self.technology)

    @cached_property
    def timing(self) -> Timing:
        """Static timing of the PE among its neighbours."""
        return analyse(self.netlist, self.technology, neighbours=NEIGHBOURS)

    @cached_property
    def multiplier_timing(self) -> Timing:
        """Static timing of the multiplier alone."""
        return analyse(self.multiplier_netlist, self.technology)

    def products(self, acts: npt.NDArray[np.int16],
                 weights: npt.NDArray[np.int16]) -> npt.NDArray[np.int32]:
        """Return what the table adds for operands within `hw.machine.operands.operand_limits`."""
        low, _ = operand_limits(signed=self.multiplier.signed)
        return self._products[acts.astype(np.intp) - low, weights.astype(np.intp) - low]

    @cached_property
    def _products(self) -> npt.NDArray[np.int32]:
        """By operand values, both counted from the smallest one."""
        low, high = operand_limits(signed=self.multiplier.signed)
        operands = np.arange(low, high + 1)
        if self.multiplier.signed:
            patterns = operands % OPERANDS
            return self.multiplier.table[patterns[:, None], patterns]
        magnitudes = self.multiplier.table[np.abs(operands)[:, None], np.abs(operands)]
        negative = (operands < 0)[:, None] ^ (operands < 0)
        return np.where(negative, -magnitudes, magnitudes)

    def operand_planes(self, values: npt.NDArray[np.int16]) -> Words:
        """Return operands [lanes] as the bits of a port of the PE, low bit first.

        The lowest 8 planes are those of the multiplier's port.
        """
        wide = values.astype(np.int64)
        if not self.multiplier.signed:
            wide = np.abs(wide) | (wide < 0).astype(np.int64) << OPERAND_BITS
        return pack_lanes(wide, operand_width(signed=self.multiplier.signed))

    @cached_property
    def simulator(self) -> Simulator:
        """The PE's gates."""
        return Simulator(self.netlist, self.technology)

    @cached_property
    def multiplier_simulator(self) -> Simulator:
        """The multiplier's gates."""
        return Simulator(self.multiplier_netlist, self.technology)

    @cached_property
    def energy_model(self) -> EnergyModel:
        """Energies of the PE's nets, gates and registers."""
        return EnergyModel(self.netlist, self.technology, self.timing)

    @cached_property
    def multiplier_energy_model(self) -> EnergyModel:
        """Energies of the multiplier's nets and gates."""
        return EnergyModel(self.multiplier_netlist, self.technology, self.multiplier_timing)

    @cached_property
    def timed_model(self) -> TimedModel:
        """The PE's gates with their delays, its ports driven by its neighbours' registers."""
        return TimedModel(self.netlist, self.technology, self.timing, self.energy_model)

    @cached_property
    def multiplier_timed_model(self) -> TimedModel:
        """The multiplier's gates with their delays, all operands arriving at once."""
        return TimedModel(self.multiplier_netlist, self.technology, self.multiplier_timing,
                          self.multiplier_energy_model)
