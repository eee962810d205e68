"""What energy is counted on: the gates of a PE and those of its multiplier alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hw.common.memory import KEPT
from hw.ppa.energy.activity import Simulator, Words, pack_lanes, unpack_lanes
from hw.ppa.energy.glitches import TimedModel
from hw.ppa.energy.netlist_energy import EnergyModel
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import MappedNetlist
from hw.ppa.mapping.pe import MappedPe
from hw.ppa.mapping.timing import FLAT, Timing, Wires


class Circuit(NamedTuple):
    """Mapped gates, and the energies and delays of their transitions."""

    simulator: Simulator
    energy: EnergyModel
    timed: TimedModel

    @classmethod
    def of(cls, netlist: MappedNetlist, technology: Technology, timing: Timing, *,
           wires: Wires = FLAT) -> Circuit:
        """Return the circuit of a netlist; `timing` says when its ports switch."""
        energy = EnergyModel(netlist, technology, timing, wires=wires)
        return cls(simulator=Simulator(netlist, technology), energy=energy,
                   timed=TimedModel(netlist, technology, timing, energy))


class PeCircuits(NamedTuple):
    """A PE among its equals, and its multiplier mapped alone, all operands arriving at once."""

    whole: Circuit
    alone: Circuit


NET_BYTES = 1000  # of a net with its gate, its energies and its delays


def circuits(pe: MappedPe) -> PeCircuits:
    """Return the circuits of a PE, the same as long as they are kept."""
    return KEPT.of(pe, lambda: PeCircuits(
        whole=Circuit.of(pe.netlist, pe.technology, pe.timing, wires=pe.wires.pe),
        alone=Circuit.of(pe.multiplier_netlist, pe.technology, pe.multiplier_timing,
                         wires=pe.wires.multiplier)),
        NET_BYTES * (pe.netlist.net_count + pe.multiplier_netlist.net_count))


def operand_planes(pe: MappedPe, values: npt.NDArray[np.int16]) -> Words:
    """Return operands [..., lanes] as the bits of a port of the PE, those of the first below.

    The lowest planes of each are those of the multiplier's port.
    """
    operand = pe.kind.operand
    return _side_by_side(operand.encode(values.astype(np.int64)), operand.width)


def psum_planes(pe: MappedPe, values: npt.NDArray[np.int64]) -> Words:
    """Return partial sums [outputs, lanes] as the bits of a port of the PE."""
    return _side_by_side(values, pe.psum_width)


def psums(pe: MappedPe, nets: Words) -> npt.NDArray[np.int64]:
    """Return the partial sums that leave the PE, int64[outputs, lanes]."""
    planes = nets[list(pe.netlist.outputs["psum_out"])]
    return np.stack([unpack_lanes(output, signed=True) for output
                     in planes.reshape(pe.kind.dataflow.outputs, pe.psum_width, -1)])


def _side_by_side(values: npt.NDArray[np.int64], width: int) -> Words:
    return np.concatenate([pack_lanes(one, width)
                           for one in values.reshape(-1, values.shape[-1])])
