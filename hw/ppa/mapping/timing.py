"""Static timing of a mapped netlist: longest and shortest path, with real slews and loads.

Arrival and slew of the rising and of the falling edge are propagated through every arc of
every gate (non-linear delay model: two-dimensional tables over input slew and output load).
The slew that goes with an arrival is the worst one of its edge, as is usual. Clock edges are
ideal: no skew, `CLOCK_SLEW_PS` at every register.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hw.ppa.library.cells import ClockGate, Flop
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import ALWAYS, CONST0, CONST1, MappedGate, MappedNetlist

CLOCK_SLEW_PS = 20.0
INPUT_SLEW_PS = 20.0  # at ports that no register drives: the multiplier alone


@dataclass(frozen=True, kw_only=True)
class Wires:
    """Capacitance of wires, fF: by default so much for each pin, wherever it is.

    0.2 fF is about 1.2 um at the 0.173 fF/um that OpenROAD's asap7 platform assumes.

    Parameters
    ----------
    pin_ff : float
        Of a net per pin that it reaches, where nets have no figures of their own.
    nets_ff : tuple of float
        Of each net of a circuit that is placed; otherwise empty.
    clock_ff : tuple of float
        Of the clock per register or gate that it reaches: behind each clock gate, then on the
        ungated clock; a single figure holds for all.
    clock_growth : float
        How much longer a wire of the clock tree is with each level further up.
    """

    pin_ff: float = 0.2
    nets_ff: tuple[float, ...] = ()
    clock_ff: tuple[float, ...] = (0.2,)
    clock_growth: float = 1.0

    def clock_pin_ff(self, domain: int = ALWAYS) -> float:
        """Return the wire of the clock at each register of a domain."""
        return self.clock_ff[domain] if len(self.clock_ff) > 1 else self.clock_ff[0]


FLAT = Wires()


@dataclass(frozen=True)
class Edges:
    """A figure of the rising and of the falling edge."""

    rise: float
    fall: float

    @property
    def worst(self) -> float:
        """The larger of the two."""
        return max(self.rise, self.fall)


NEVER = Edges(-math.inf, -math.inf)  # latest edge of what does not switch, as a constant


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
    arrivals_ps : tuple of Edges
        Latest edge of each net after the clock edge (or the input's); `NEVER` of a constant.
    path : tuple of str
        Cells along the longest path, from its start to its end.
    """

    delay_ps: float
    loads_ff: tuple[float, ...]
    slews_ps: tuple[Edges, ...]
    arrivals_ps: tuple[Edges, ...]
    path: tuple[str, ...] = field(default=())


def loads(netlist: MappedNetlist, technology: Technology,
          wires: Wires = FLAT) -> tuple[float, ...]:
    """Return the capacitance of each net inside the circuit, fF: pins and wire."""
    total = list(wires.nets_ff) or [0.0] * netlist.net_count
    wire_ff = 0.0 if wires.nets_ff else wires.pin_ff
    for gate in netlist.gates:
        cell = technology.cells[gate.cell]
        if cell.shares_pins:  # the other part of the cell has counted them
            continue
        for net, pin in zip(gate.inputs, cell.inputs, strict=True):
            total[net] += pin.cap_ff + wire_ff
    for flop in netlist.flops:
        total[flop.data] += technology.flop.data.cap_ff + wire_ff
    if technology.clock_gate is not None:
        for net in netlist.clock_gates:
            total[net] += technology.clock_gate.enable.cap_ff + wire_ff
    return tuple(total)


def analyse(netlist: MappedNetlist, technology: Technology, *,
            neighbours: Mapping[str, str] | None = None,
            wires: Wires = FLAT) -> Timing:
    """Return the timing of a circuit.

    Parameters
    ----------
    netlist : MappedNetlist
    technology : Technology
    neighbours : mapping of str to str, optional
        Input port to the output port of the equal neighbour that drives it, as in an array:
        `{"psum_in": "psum_out"}`. The pins behind the input load that output, and the path
        continues from the neighbour's register. Other inputs arrive at time 0.
    wires : Wires
    """
    load, follows = _next_door(netlist, technology, neighbours or {}, wires)
    state = _Propagation(netlist, technology, load, latest=True)
    for nets in netlist.inputs.values():
        for net in nets:
            if net not in follows:
                state.arrival[net] = Edges(0.0, 0.0)
    state.run(follows)
    ends: list[tuple[float, int]] = []
    for net, cell in _captures(netlist, technology):
        edges, slew = state.arrival[net], state.slew[net]
        if edges not in (None, NEVER):  # a constant has no path
            ends += [(edges.rise + cell.setup_rise.at(slew.rise, CLOCK_SLEW_PS), net),
                     (edges.fall + cell.setup_fall.at(slew.fall, CLOCK_SLEW_PS), net)]
    if not netlist.flops:
        ends += [(edges.worst, net) for nets in netlist.outputs.values() for net in nets
                 if (edges := state.arrival[net]) is not None]
    delay, end = max(ends, default=(0.0, CONST0))
    return Timing(delay_ps=delay, loads_ff=tuple(load), slews_ps=tuple(state.slew),
                  arrivals_ps=tuple(edges or NEVER for edges in state.arrival),
                  path=state.path_to(end))


def hold_slack_ps(netlist: MappedNetlist, technology: Technology, *,
                  neighbours: Mapping[str, str] | None = None,
                  wires: Wires = FLAT) -> float:
    """Return how much later than allowed the earliest data change at a register comes, ps.

    Negative: data races through. Parameters are those of `analyse`; inputs that no neighbour
    drives do not count, and infinity means that there is no path between registers.
    """
    load, follows = _next_door(netlist, technology, neighbours or {}, wires)
    state = _Propagation(netlist, technology, load, latest=False)
    for nets in netlist.inputs.values():
        for net in nets:
            if net not in follows:
                state.arrival[net] = state.never
    state.run(follows)
    slack = math.inf
    for net, cell in _captures(netlist, technology):
        edges, slew = state.arrival[net], state.slew[net]
        if edges is not None and edges != state.never:
            slack = min(slack, edges.rise - cell.hold_rise.at(slew.rise, CLOCK_SLEW_PS),
                        edges.fall - cell.hold_fall.at(slew.fall, CLOCK_SLEW_PS))
    return slack


def _next_door(netlist: MappedNetlist, technology: Technology, neighbours: Mapping[str, str],
               wires: Wires) -> tuple[list[float], dict[int, int]]:
    """Return the load of each net, and for nets of input ports the net that drives them."""
    inside = loads(netlist, technology, wires)
    load = list(inside)
    follows: dict[int, int] = {}
    for port, driver in neighbours.items():
        for net, source in zip(netlist.inputs[port], netlist.outputs[driver], strict=True):
            follows[net] = source
            load[source] += inside[net]
    # A net next door switches like the net here that stands for it: same load, same slew.
    for net, source in follows.items():
        load[net] = load[source]
    return load, follows


def _captures(netlist: MappedNetlist,
              technology: Technology) -> list[tuple[int, Flop | ClockGate]]:
    """Return the nets that must be stable around a clock edge, with the cell that wants it."""
    found: list[tuple[int, Flop | ClockGate]] = [
        (flop.data, technology.flop) for flop in netlist.flops]
    if technology.clock_gate is not None:
        found += [(net, technology.clock_gate) for net in netlist.clock_gates]
    return found


class _Propagation:
    """Arrival and slew of every net, from the registers on: the latest or the earliest."""

    def __init__(self, netlist: MappedNetlist, technology: Technology, load: list[float], *,
                 latest: bool) -> None:
        self._netlist, self._cells, self._load = netlist, technology.cells, load
        self._worst: Callable[[float, float], float] = max if latest else min
        self._unset = -math.inf if latest else math.inf
        self.never = Edges(self._unset, self._unset)
        self.arrival: list[Edges | None] = [None] * netlist.net_count
        self.slew = [Edges(INPUT_SLEW_PS, INPUT_SLEW_PS)] * netlist.net_count
        self._reached_from: list[tuple[str, int] | None] = [None] * netlist.net_count
        self.arrival[CONST0] = self.arrival[CONST1] = self.never
        arc = technology.flop.arc
        for flop in netlist.flops:
            net = flop.output
            at = CLOCK_SLEW_PS, load[net]
            self.arrival[net] = Edges(arc.delay_rise.at(*at), arc.delay_fall.at(*at))
            self.slew[net] = Edges(arc.slew_rise.at(*at), arc.slew_fall.at(*at))
            self._reached_from[net] = (technology.flop.name, net)

    def run(self, follows: Mapping[int, int]) -> None:
        """Go through all gates; `follows` names the net that drives an input port's net."""
        waiting = list(self._netlist.gates)
        while True:
            waiting = [gate for gate in waiting if not self._through(gate)]
            fresh = [net for net, source in follows.items()
                     if self.arrival[net] is None and self.arrival[source] is not None]
            for net in fresh:
                source = follows[net]
                self.arrival[net], self.slew[net] = self.arrival[source], self.slew[source]
                self._reached_from[net] = self._reached_from[source]
            if not fresh:
                break
        assert not waiting, "outputs that neighbours read must not depend on what they drive"

    def _through(self, gate: MappedGate) -> bool:
        """Compute the edges at a gate's output; return False when an input is not known yet."""
        at_inputs = [edges for net in gate.inputs if (edges := self.arrival[net]) is not None]
        if len(at_inputs) < len(gate.inputs):
            return False
        load, worst = self._load[gate.output], self._worst
        rise = fall = slew_rise = slew_fall = self._unset
        reached = (self._unset, gate.inputs[0])
        for net, edges, arcs in zip(gate.inputs, at_inputs, self._cells[gate.cell].arcs,
                                    strict=True):
            if edges == self.never:
                continue
            slew = self.slew[net]
            for arc in arcs:
                causes = []  # (arrival, slew, whether it makes the output rise)
                if arc.sense in ("positive", "both"):
                    causes += [(edges.rise, slew.rise, True), (edges.fall, slew.fall, False)]
                if arc.sense in ("negative", "both"):
                    causes += [(edges.fall, slew.fall, True), (edges.rise, slew.rise, False)]
                for start, edge_slew, rising in causes:
                    delay, slew_out = arc.edge(rising, edge_slew, load)
                    end = start + delay
                    if rising:
                        rise, slew_rise = worst(rise, end), worst(slew_rise, slew_out)
                    else:
                        fall, slew_fall = worst(fall, end), worst(slew_fall, slew_out)
                    if worst(end, reached[0]) == end:
                        reached = (end, net)
        self.arrival[gate.output] = Edges(rise, fall)
        if self.arrival[gate.output] != self.never:
            self.slew[gate.output] = Edges(slew_rise, slew_fall)
        self._reached_from[gate.output] = (gate.cell, reached[1])
        return True

    def path_to(self, net: int) -> tuple[str, ...]:
        """Return the cells on the path that reaches a net, first to last."""
        cells: list[str] = []
        while (step := self._reached_from[net]) is not None:
            cells.append(step[0])
            if step[1] == net:
                break
            net = step[1]
        return tuple(reversed(cells))
