"""A processing element mapped to a cell library, with its figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hw.machine.pe.kind import PeKind
from hw.multipliers.base import Multiplier
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import MappedNetlist
from hw.ppa.mapping.timing import FLAT, Timing, Wires, analyse

# In an array every PE is fed by an equal one: to the left and above.
NEIGHBOURS = {"act_in": "act_out", "swap_in": "swap_out", "load_in": "load_out",
              "weight_in": "weight_out", "psum_in": "psum_out"}


@dataclass(frozen=True, kw_only=True)
class PeWires:
    """Wires of a PE, of its multiplier mapped alone, and of what stands above a column."""

    pe: Wires = FLAT
    multiplier: Wires = FLAT
    start: Wires = FLAT


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedPe:
    """A PE and its multiplier after synthesis.

    Parameters
    ----------
    multiplier : Multiplier
        What was mapped; its table is what the gates must compute.
    kind : PeKind
        Of what is around it.
    psum_width : int
    technology : Technology
    netlist : MappedNetlist
        The whole PE: registers, clock gates, multiplier, sign logic where there is one, adder.
    multiplier_netlist : MappedNetlist
        The multiplier mapped alone, for the comparison of multiplier and array energy only.
    start_netlist : MappedNetlist, optional
        What stands above each column of PEs with a circuit of their own, of the longest column.
    recipe : str
        Name and digest of the synthesis recipe.
    verilog_sha256 : str
        Of the Verilog that was mapped.
    wires : PeWires
        Flat, or those of a placement (`hw.ppa.placement`).
    """

    multiplier: Multiplier
    kind: PeKind
    psum_width: int
    technology: Technology
    netlist: MappedNetlist
    multiplier_netlist: MappedNetlist
    recipe: str
    verilog_sha256: str
    start_netlist: MappedNetlist | None = None
    wires: PeWires = PeWires()

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
        return analyse(self.netlist, self.technology, neighbours=NEIGHBOURS,
                       wires=self.wires.pe)

    @cached_property
    def multiplier_timing(self) -> Timing:
        """Static timing of the multiplier alone."""
        return analyse(self.multiplier_netlist, self.technology, wires=self.wires.multiplier)

    def products(self, acts: npt.NDArray[np.int16],
                 weights: npt.NDArray[np.int16]) -> npt.NDArray[np.int32]:
        """Return what is added to sums, for operands within the limits of the format."""
        low, _ = self.kind.operand.limits
        return self._products[acts.astype(np.intp) - low, weights.astype(np.intp) - low]

    @cached_property
    def _products(self) -> npt.NDArray[np.int32]:
        """By operand values, both counted from the smallest one."""
        low, high = self.kind.operand.limits
        operands = np.arange(low, high + 1)
        if self.kind.circuit is not None:
            ports = self.kind.operand.at_port(operands)
            return self.kind.circuit.table()[ports[:, None], ports]
        return self.kind.products(self.multiplier.table, operands[:, None], operands)
