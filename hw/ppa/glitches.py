"""What gate delays add to the energy of a clock cycle: glitches.

A simulation with zero delay sees a net switch once per cycle at most. In a real circuit the
inputs of a gate arrive one after another and its output may switch several times. Here every
gate has an **inertial** delay, by arc and edge, at its own slew and load: an output that would
switch back before the delay has passed does not switch at all. (A transport delay would pass
such pulses on, and they would multiply from gate to gate.)

The circuit has no loops, so there is no event queue: the whole waveform of a net in one cycle is
known before the next gate is looked at. Lanes are simulated one by one, gates in order.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from hw.ppa.activity import LANES_PER_WORD, MAX_CELL_INPUTS, GateArrays, Words
from hw.ppa.energy import EnergyModel
from hw.ppa.mapped import MappedNetlist
from hw.ppa.technology import Technology
from hw.ppa.timing import NEVER, Timing

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TRANSITIONS_PER_NET = 16  # room at first; doubled until the waveforms of a lane fit
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
        self._arrays = GateArrays(netlist, technology)
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
        words = before.shape[1]
        arrays, energy = self._arrays, self._energy
        size = TRANSITIONS_PER_NET * self._net_count
        while True:
            total = np.zeros(words)
            transitions = np.zeros(self._net_count, np.int64)
            status = _simulate(
                (np.ascontiguousarray(before), np.ascontiguousarray(after)),
                (arrays.inputs, arrays.arity, arrays.truth, arrays.outputs),
                (self._source_nets, self._launch, self._delays),
                (energy.gate_fj, energy.net_fj, energy.data_pin_fj),
                np.empty(size), (total, transitions))
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
    for index, gate in enumerate(netlist.gates):
        load = timing.loads_ff[gate.output]
        for position, arcs in enumerate(technology.cells[gate.cell].arcs):
            slews = timing.slews_ps[gate.inputs[position]]
            slew = slews.fall, slews.rise
            for edge_in, edge_out in ((0, 0), (0, 1), (1, 0), (1, 1)):
                delays = [(arc.delay_rise if edge_out else arc.delay_fall).at(slew[edge_in], load)
                          for arc in arcs if arc.sense in SENSES[edge_in, edge_out]]
                if delays:
                    found[index, position, edge_in, edge_out] = max(*delays, 0.0)
    return found


# --- kernel ---------------------------------------------------------------------------

SETTLED, FULL = -1, -2


def _simulate_python(states: tuple[Words, Words], gates: tuple[Any, Any, Any, Any],
                     delays: tuple[Ints, Floats, Floats], costs: tuple[Floats, Floats, Floats],
                     times: Floats, results: tuple[Floats, Ints]) -> int:
    """Simulate every lane; return SETTLED, FULL (`times` is too short), or a net that differs.

    states : before, after. gates : inputs, arity, truth, outputs. delays : nets that registers
    and ports drive, when they switch (fall last), delay of gates. costs : of gates, of nets, of
    data pins. times : room for the waveforms of one lane. results : energy, transitions; added to.
    """
    before, after = states
    inputs, arity, truth, outputs = gates
    sources, launch, delay = delays
    gate_fj, net_fj, pin_fj = costs
    energy, transitions = results
    nets = before.shape[0]
    first = np.zeros(nets, np.int64)  # of a net's transitions, in `times`
    count = np.zeros(nets, np.int64)
    value = np.zeros(nets, np.uint8)  # before the clock edge
    following = np.zeros(MAX_CELL_INPUTS, np.int64)  # next transition of each input
    last = np.zeros(MAX_CELL_INPUTS, np.int64)
    one = np.uint64(1)
    for word in range(before.shape[1]):
        spent = 0.0
        for lane in range(LANES_PER_WORD):
            shift = np.uint64(lane)
            for net in range(nets):
                value[net] = np.uint8((before[net, word] >> shift) & one)
                count[net] = 0
            used = 0
            for source in sources:
                settled = np.uint8((after[source, word] >> shift) & one)
                if settled != value[source]:
                    first[source], count[source] = used, 1
                    times[used] = launch[source, 1 - settled]
                    transitions[source] += 1
                    used += 1
            for gate in range(outputs.size):
                width = arity[gate]
                waiting = 0
                for position in range(width):
                    waiting += count[inputs[gate, position]]
                output = outputs[gate]
                settled = np.uint8((after[output, word] >> shift) & one)
                if waiting == 0:
                    if settled != value[output]:
                        return int(output)
                    continue
                case, table = 0, int(truth[gate])
                for position in range(width):
                    net = inputs[gate, position]
                    following[position] = first[net]
                    last[position] = first[net] + count[net]
                    case |= int(value[net]) << position
                if used + waiting > times.size:
                    return FULL
                now = int(value[output])
                start = used
                due, cause = np.inf, -1  # the output's next edge and the input that makes it
                cause_edge = 0
                while waiting > 0:
                    time = np.inf
                    for position in range(width):
                        if following[position] < last[position]:
                            time = min(time, times[following[position]])
                    if due <= time:
                        now = 1 - now
                        spent += gate_fj[gate, cause, 1 - now]
                        times[used] = due
                        used += 1
                        due = np.inf
                    arriving = 0
                    for position in range(width):
                        if following[position] < last[position] \
                                and times[following[position]] == time:
                            following[position] += 1
                            waiting -= 1
                            case ^= 1 << position
                            arriving |= 1 << position
                    if (table >> case) & 1 == now:
                        if due < np.inf:  # switched back in time: the output stays
                            spent += gate_fj[gate, cause, 3 - cause_edge]
                            due = np.inf
                        for position in range(width):
                            if (arriving >> position) & 1:
                                spent += gate_fj[gate, position, 3 - ((case >> position) & 1)]
                        continue
                    pending = due < np.inf
                    for position in range(width):
                        if (arriving >> position) & 1:
                            edge = (case >> position) & 1
                            end = time + delay[gate, position, edge, 1 - now]
                            if end < due:
                                due, cause, cause_edge = end, position, edge
                    if pending:
                        for position in range(width):
                            if (arriving >> position) & 1 and position != cause:
                                spent += gate_fj[gate, position, 3 - ((case >> position) & 1)]
                if due < np.inf:
                    now = 1 - now
                    spent += gate_fj[gate, cause, 1 - now]
                    times[used] = due
                    used += 1
                if now != settled:
                    return int(output)
                switched = used - start
                first[output], count[output] = start, switched
                transitions[output] += switched
                rises = (switched + now) // 2
                spent += (switched * net_fj[output] + rises * pin_fj[output, 0]
                          + (switched - rises) * pin_fj[output, 1])
        energy[word] += spent
    return SETTLED


_simulate = numba.njit(cache=True, nogil=True)(_simulate_python)
