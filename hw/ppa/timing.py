"""Static timing of a mapped netlist: the longest path, by edge, with real slews and loads.

Arrival and slew of the rising and of the falling edge are propagated through every arc of
every gate (non-linear delay model: two-dimensional tables over input slew and output load).
The slew that goes with an arrival is the worst one of its edge, as is usual. Clock edges are
ideal: no skew, `clock_slew_ps` at every register.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from hw.ppa.mapped import CONST0, CONST1, MappedGate, MappedNetlist
from hw.ppa.technology import ClockGate, Flop, Technology

# Wire of a short net per pin it reaches. PEs are placed side by side; 0.2 fF is about
# 1.2 um at the 0.166 fF/um that OpenROAD's asap7 platform assumes for its routing layers.
WIRE_FF_PER_FANOUT = 0.2
CLOCK_SLEW_PS = 20.0
INPUT_SLEW_PS = 20.0  # at ports that no register drives: the multiplier alone


@dataclass(frozen=True)
class Edges:
    """A figure of the rising and of the falling edge."""

    rise: float
    fall: float

    @property
    def worst(self) -> float:
        """The larger of the two."""
        return max(self.rise, self.fall)


NEVER = Edges(-math.inf, -math.inf)  # a constant does not switch


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Result of static timing.

    Parameters
    ----------
    delay_ps : float
        The longest path: from clock edge to clock edge including setup when the circuit has
        registers, from input to output port otherwise.
    loads_ff : tuple of float
        Capacitance of each net: pins and wire.
    slews_ps : tuple of Edges
        Slew of each net.
    path : tuple of str
        Cells along the longest path, from its start to its end.
    """

    delay_ps: float
    loads_ff: tuple[float, ...]
    slews_ps: tuple[Edges, ...]
    path: tuple[str, ...] = field(default=())


def loads(netlist: MappedNetlist, technology: Technology,
          wire_ff: float = WIRE_FF_PER_FANOUT) -> tuple[float, ...]:
    """Return the capacitance of each net inside the circuit, fF: pins and wire."""
    total = [0.0] * netlist.net_count
    for gate in netlist.gates:
        pins = technology.cells[gate.cell].inputs
        for net, pin in zip(gate.inputs, pins, strict=True):
            total[net] += pin.cap_ff + wire_ff
    for flop in netlist.flops:
        total[flop.data] += technology.flop.data.cap_ff + wire_ff
    if technology.clock_gate is not None:
        for net in netlist.clock_gates:
            total[net] += technology.clock_gate.enable.cap_ff + wire_ff
    return tuple(total)


def analyse(netlist: MappedNetlist, technology: Technology, *,
            neighbours: Mapping[str, str] | None = None,
            wire_ff: float = WIRE_FF_PER_FANOUT) -> Timing:
    """Return the timing of a circuit.

    Parameters
    ----------
    netlist : MappedNetlist
    technology : Technology
    neighbours : mapping of str to str, optional
        Input port to the output port of the equal neighbour that drives it, as in an array:
        `{"psum_in": "psum_out"}`. The pins behind the input load that output, and the path
        continues from the neighbour's register. Other inputs arrive at time 0.
    wire_ff : float
        Wire capacitance per pin that a net reaches, fF.
    """
    inside = loads(netlist, technology, wire_ff)
    load = list(inside)
    follows: dict[int, int] = {}  # net of an input port -> net that drives it next door
    for port, driver in (neighbours or {}).items():
        for net, source in zip(netlist.inputs[port], netlist.outputs[driver], strict=True):
            follows[net] = source
            load[source] += inside[net]
    # A net next door switches like the net here that stands for it: same load, same slew.
    for net, source in follows.items():
        load[net] = load[source]

    state = _Propagation(netlist, technology, load)
    for nets in netlist.inputs.values():
        for net in nets:
            if net not in follows:
                state.arrival[net] = Edges(0.0, 0.0)
    waiting = list(netlist.gates)
    while True:
        waiting = [gate for gate in waiting if not state.through(gate)]
        fresh = [net for net, source in follows.items()
                 if state.arrival[net] is None and state.arrival[source] is not None]
        for net in fresh:
            state.copy(follows[net], net)
        if not fresh:
            break
    assert not waiting, "outputs that neighbours read must not depend on what they drive"

    ends: list[tuple[float, int]] = []
    for flop in netlist.flops:
        ends += state.setup_ends(flop.data, technology.flop)
    for net in netlist.clock_gates:
        assert technology.clock_gate is not None
        ends += state.setup_ends(net, technology.clock_gate)
    if not netlist.flops:
        ends += [(edges.worst, net) for nets in netlist.outputs.values() for net in nets
                 if (edges := state.arrival[net]) is not None]
    delay, end = max(ends, default=(0.0, CONST0))
    return Timing(delay_ps=delay, loads_ff=tuple(load), slews_ps=tuple(state.slew),
                  path=state.path_to(end))


class _Propagation:
    """Arrival and slew of every net, from the registers on."""

    def __init__(self, netlist: MappedNetlist, technology: Technology, load: list[float]) -> None:
        self._cells, self._load = technology.cells, load
        self.arrival: list[Edges | None] = [None] * netlist.net_count
        self.slew = [Edges(INPUT_SLEW_PS, INPUT_SLEW_PS)] * netlist.net_count
        self._reached_from: list[tuple[str, int] | None] = [None] * netlist.net_count
        self.arrival[CONST0] = self.arrival[CONST1] = NEVER
        arc = technology.flop.arc
        for flop in netlist.flops:
            net = flop.output
            at = CLOCK_SLEW_PS, load[net]
            self.arrival[net] = Edges(arc.delay_rise.at(*at), arc.delay_fall.at(*at))
            self.slew[net] = Edges(arc.slew_rise.at(*at), arc.slew_fall.at(*at))
            self._reached_from[net] = (technology.flop.name, net)

    def copy(self, source: int, net: int) -> None:
        """Let `net` switch like `source`."""
        self.arrival[net], self.slew[net] = self.arrival[source], self.slew[source]
        self._reached_from[net] = self._reached_from[source]

    def through(self, gate: MappedGate) -> bool:
        """Compute the edges at a gate's output; return False when an input is not known yet."""
        at_inputs = [edges for net in gate.inputs if (edges := self.arrival[net]) is not None]
        if len(at_inputs) < len(gate.inputs):
            return False
        load = self._load[gate.output]
        rise = fall = -math.inf
        slew_rise = slew_fall = 0.0
        latest = (-math.inf, gate.inputs[0])
        for net, edges, arcs in zip(gate.inputs, at_inputs, self._cells[gate.cell].arcs,
                                    strict=True):
            if edges == NEVER:
                continue
            slew = self.slew[net]
            for arc in arcs:
                causes = []  # (arrival, slew, whether it makes the output rise)
                if arc.sense in ("positive", "both"):
                    causes += [(edges.rise, slew.rise, True), (edges.fall, slew.fall, False)]
                if arc.sense in ("negative", "both"):
                    causes += [(edges.fall, slew.fall, True), (edges.rise, slew.rise, False)]
                for start, edge_slew, rising in causes:
                    if rising:
                        end = start + arc.delay_rise.at(edge_slew, load)
                        rise = max(rise, end)
                        slew_rise = max(slew_rise, arc.slew_rise.at(edge_slew, load))
                    else:
                        end = start + arc.delay_fall.at(edge_slew, load)
                        fall = max(fall, end)
                        slew_fall = max(slew_fall, arc.slew_fall.at(edge_slew, load))
                    latest = max(latest, (end, net))
        self.arrival[gate.output] = Edges(rise, fall)
        self.slew[gate.output] = Edges(slew_rise, slew_fall)
        self._reached_from[gate.output] = (gate.cell, latest[1])
        return True

    def setup_ends(self, net: int, cell: Flop | ClockGate) -> list[tuple[float, int]]:
        """Return when the data at a register or clock gate is early enough, by edge."""
        edges, slew = self.arrival[net], self.slew[net]
        if edges is None or edges == NEVER:  # a constant has no path
            return []
        return [(edges.rise + cell.setup_rise.at(slew.rise, CLOCK_SLEW_PS), net),
                (edges.fall + cell.setup_fall.at(slew.fall, CLOCK_SLEW_PS), net)]

    def path_to(self, net: int) -> tuple[str, ...]:
        """Return the cells on the latest path to a net, first to last."""
        cells: list[str] = []
        while (step := self._reached_from[net]) is not None:
            cells.append(step[0])
            if step[1] == net:
                break
            net = step[1]
        return tuple(reversed(cells))
