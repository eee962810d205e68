"""Glitches: the energy that gate delays add to a clock cycle.

A simulation with zero delay sees a net switch once per cycle at most. In a real circuit the
inputs of a gate arrive one after another and its output may switch several times. Here every
gate has an **inertial** delay, by arc and edge, at its own slew and load: an output that would
switch back before the delay has passed does not switch at all. (A transport delay would pass
such pulses on, and they would multiply from gate to gate.)

The circuit has no loops, so there is no event queue: the whole waveform of a net in one cycle is
known before the next gate is simulated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hw.ppa.energy.activity import (
    LANES_PER_WORD,
    MAX_CELL_INPUTS,
    Words,
    gates_by_cell,
)
from hw.ppa.energy.netlist_energy import EnergyModel
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import MappedNetlist
from hw.ppa.mapping.timing import NEVER, Timing

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TRANSITIONS_PER_NET = 2  # of a lane: room at first, doubled until all fit
ENERGIES_PER_NET = 4
# Senses of the arcs from an edge at the input to one at the output; 0 falls, 1 rises.
SENSES = {(0, 0): ("positive", "both"), (0, 1): ("negative", "both"),
          (1, 0): ("negative", "both"), (1, 1): ("positive", "both")}


class TimedModel:
    """Switching and energy of a circuit whose gates have delays.

    Parameters
    ----------
    netlist : MappedNetlist
    technology : Technology
    timing : Timing
        Loads, slews and arrival times of this netlist. Registers and ports switch at their
        arrival times: a port that a neighbour's register drives does so after that register.
    energy : EnergyModel
        Of the same netlist; every transition costs what it costs there.
    """

    def __init__(self, netlist: MappedNetlist, technology: Technology, timing: Timing,
                 energy: EnergyModel) -> None:
        self._net_count = netlist.net_count
        self._energy = energy
        self._arrays = energy.arrays
        self._delays = _delays(netlist, technology, timing)
        self._launch = np.zeros((netlist.net_count, 2))
        for net in _sources(netlist):
            edges = timing.arrivals_ps[net]
            if edges != NEVER:
                self._launch[net] = edges.rise, edges.fall
        self._source_nets = np.array(_sources(netlist), np.int64)

    def switching(self, before: Words, after: Words) -> tuple[Floats, Ints]:
        """Return energy and transitions between two settled states.

        Parameters
        ----------
        before, after : uint64[net_count, words]
            As for `EnergyModel.between`.

        Returns
        -------
        energy_fj : float64[words]
            Mean over the lanes of each word: gates, the nets they drive and the data pins of
            registers behind them.
        transitions : int64[net_count]
            Of each net, over all lanes.

        Raises
        ------
        AssertionError
            A net does not settle at its value in `after`.
        """
        from hw.ppa.energy.inertial import FULL, SETTLED, simulate  # numba takes long to import

        words = before.shape[1]
        arrays, energy = self._arrays, self._energy
        size = 1
        while True:
            total = np.zeros(words)
            transitions = np.zeros(self._net_count, np.int64)
            status = simulate(
                (np.ascontiguousarray(before), np.ascontiguousarray(after)),
                (arrays.inputs, arrays.arity, arrays.truth, arrays.outputs),
                (self._source_nets, self._launch, self._delays),
                (energy.gate_fj, energy.net_fj, energy.data_pin_fj),
                (np.empty(int(size * TRANSITIONS_PER_NET * LANES_PER_WORD * self._net_count)),
                 np.empty((LANES_PER_WORD, int(size * ENERGIES_PER_NET * self._net_count)))),
                (total, transitions))
            if status == SETTLED:
                return total / LANES_PER_WORD, transitions
            assert status == FULL, f"net {status} must settle as without delays"
            size *= 2

    def glitches(self, before: Words, after: Words) -> Floats:
        """Return the energy that delays add to `EnergyModel.between`, fJ, float64[words].

        Nets that switch more than once, and inputs that arrive apart where they arrived
        together: the second may be negative, so single words may be, too.
        """
        energy, _ = self.switching(before, after)
        return energy - self._energy.logic(before, after) - self._energy.data_pins(before, after)


def _sources(netlist: MappedNetlist) -> list[int]:
    return ([net for nets in netlist.inputs.values() for net in nets]
            + [flop.output for flop in netlist.flops])


def _delays(netlist: MappedNetlist, technology: Technology, timing: Timing) -> Floats:
    """Return float64[gates, MAX_CELL_INPUTS, 2, 2]: ps by edge at the input and at the output.

    Edges: 0 falls, 1 rises. Infinite where no arc has them: when several inputs switch at once,
    the output follows one that can make it switch.
    """
    found = np.full((len(netlist.gates), MAX_CELL_INPUTS, 2, 2), np.inf)
    loads = np.array(timing.loads_ff)
    slews = np.array([(edges.fall, edges.rise) for edges in timing.slews_ps])
    for cell, own in gates_by_cell(netlist).items():
        load = loads[own.outputs]
        for position, arcs in enumerate(technology.cells[cell].arcs):
            for (edge_in, edge_out), senses in SENSES.items():
                delays = [(arc.delay_rise if edge_out else arc.delay_fall).each(
                    slews[own.inputs[:, position], edge_in], load)
                    for arc in arcs if arc.sense in senses]
                if delays:
                    found[own.gates, position, edge_in, edge_out] = np.maximum(
                        np.max(delays, axis=0), 0.0)
    return found
