"""A processing element mapped to a cell library, with its figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hw.multipliers.base import Multiplier
from hw.ppa.activity import Simulator
from hw.ppa.energy import EnergyModel
from hw.ppa.glitches import TimedModel
from hw.ppa.mapped import MappedNetlist
from hw.ppa.technology import Technology
from hw.ppa.timing import Timing, analyse

# In an array every PE is fed by an equal one: to the left and above.
NEIGHBOURS = {"act_in": "act_out", "swap_in": "swap_out", "load_in": "load_out",
              "weight_in": "weight_out", "psum_in": "psum_out"}

LARGEST = 255  # magnitude of an operand


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
        The whole PE: registers, clock gates, multiplier, sign logic and adder.
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

    @property
    def delay_ps(self) -> float:
        """Shortest clock period: register to register across PEs, setup included."""
        return self.timing.delay_ps

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

    @cached_property
    def signed_products(self) -> npt.NDArray[np.int32]:
        """Products of signed operands, int32[511, 511] indexed `[act + 255, weight + 255]`."""
        operands = np.arange(-LARGEST, LARGEST + 1)
        magnitudes = self.multiplier.table[np.abs(operands)[:, None], np.abs(operands)]
        negative = (operands < 0)[:, None] ^ (operands < 0)
        return np.where(negative, -magnitudes, magnitudes)

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
