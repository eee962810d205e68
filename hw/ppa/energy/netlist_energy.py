"""Energy of a mapped netlist from the switching of its nets.

Per cycle, in fJ:

- **net**: C V^2 / 2 per transition, C being the pins and the wire that the net reaches;
- **gate output**: the internal energy of the arc, at the slew and load of that instance. When
  several inputs switch with the output it is the mean over them, weighted by how often each
  does within 64 lanes;
- **gate input**: the input-only internal energy when the output stays;
- **register**: when its output switches, internal energy of the output edge, less that of a
  clock edge without effect (which the clock part has), plus that of the data pin;
- **clock**: per clocked register C V^2 of the pin and its wire and the internal energy of both
  clock edges; the same for clock gates, open or closed; and a share of the clock tree.

Energy is spent twice per period of a net: half of C V^2 at each edge, as a convention. The sum
over a rise and a fall is what the supply delivers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.ppa.energy.activity import MAX_CELL_INPUTS, GateArrays, Words, gates_by_cell
from hw.ppa.energy.clock_tree import (
    both_edges,
    closed_gate_fj,
    opened_gate_fj,
    pin_fj,
    tree_share_fj,
)
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import ALWAYS, FIRST_NET, MappedNetlist
from hw.ppa.mapping.timing import CLOCK_SLEW_PS, FLAT, Timing, Wires, loads

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CycleEnergy:
    """Mean energy of the lanes of each word in one cycle, fJ; each float64[words].

    `logic`: gates and the nets they drive. `registers`: data side of registers, the nets they
    drive and those of input ports (driven by the registers next door). `clock`: clock pins,
    clock gates, clock tree.
    """

    logic: Floats
    registers: Floats
    clock: Floats

    @property
    def total(self) -> Floats:
        """Sum of the parts."""
        return self.logic + self.registers + self.clock


class EnergyModel:
    """Energy per transition of every net, gate and register of a circuit.

    Parameters
    ----------
    netlist : MappedNetlist
    technology : Technology
    timing : Timing
        Slews of this netlist, at which internal energies are read.
    wires : Wires
        The same as those of the timing.

    Attributes
    ----------
    net_fj : float64[net_count]
        C V^2 / 2.
    gate_fj : float64[gates, MAX_CELL_INPUTS, 4]
        Inside the cell, by input: output rises or falls because of it; it rises or falls and
        the output stays.
    data_pin_fj : float64[net_count, 2]
        Data pins of registers that the net reaches: it rises, falls.

    The load of a net is what it reaches inside the circuit. The pins of a neighbour behind an
    output port are counted at that neighbour's input port.
    """

    def __init__(self, netlist: MappedNetlist, technology: Technology, timing: Timing, *,
                 wires: Wires = FLAT) -> None:
        self._netlist, self._technology = netlist, technology
        inside = np.array(loads(netlist, technology, wires))
        self._square_v = technology.voltage_v ** 2
        self.net_fj = inside * self._square_v / 2
        self.net_fj[:FIRST_NET] = 0.0
        self.arrays = GateArrays(netlist, technology)
        self._ports = np.array([net for nets in netlist.inputs.values() for net in nets], np.int64)
        flops = np.array(netlist.flops, np.int64).reshape(-1, 3)
        self._flop_output, self._flop_domain = flops[:, 1], flops[:, 2]
        self._data_nets = np.intersect1d(self.arrays.outputs, flops[:, 0])
        self.gate_fj = self._gate_energies(timing)
        self.data_pin_fj = self._data_pin_energies(timing)
        self._flop_energies(timing)
        self._clock_energies(wires)

    # --- coefficients ---------------------------------------------------------------

    def _gate_energies(self, timing: Timing) -> Floats:
        """Return `gate_fj`."""
        energy = np.zeros((len(self._netlist.gates), MAX_CELL_INPUTS, 4))
        loads = np.array(timing.loads_ff)
        slews = np.array([(edges.rise + edges.fall) / 2 for edges in timing.slews_ps])
        for name, own in gates_by_cell(self._netlist).items():
            cell, load = self._technology.cells[name], loads[own.outputs]
            for position, (switching, pin) in enumerate(
                    zip(cell.switching, cell.inputs, strict=True)):
                slew, alone = slews[own.inputs[:, position]], np.zeros(len(load))
                for column, (table, at) in enumerate((
                        (switching.rise, load), (switching.fall, load),
                        (pin.quiet.rise, alone), (pin.quiet.fall, alone))):
                    energy[own.gates, position, column] = table.each(slew, at)
        return energy

    def _data_pin_energies(self, timing: Timing) -> Floats:
        """Return `data_pin_fj`."""
        quiet = self._technology.flop.data.quiet
        energy = np.zeros((self._netlist.net_count, 2))
        for flop in self._netlist.flops:
            slew = timing.slews_ps[flop.data]
            energy[flop.data] += quiet.rise.at(slew.rise), quiet.fall.at(slew.fall)
        return energy

    def _flop_energies(self, timing: Timing) -> None:
        flop = self._technology.flop
        rises, falls = [], []
        clock_rise = flop.clock.quiet.rise.at(CLOCK_SLEW_PS)
        for data, output, _ in self._netlist.flops:
            load = timing.loads_ff[output]
            slew = timing.slews_ps[data]
            data_rise = flop.data.quiet.rise.at(slew.rise)
            data_fall = flop.data.quiet.fall.at(slew.fall)
            if flop.inverted:
                data_rise, data_fall = data_fall, data_rise
            rises.append(flop.switching.rise.at(CLOCK_SLEW_PS, load) - clock_rise + data_rise)
            falls.append(flop.switching.fall.at(CLOCK_SLEW_PS, load) - clock_rise + data_fall)
        self._flop_rise, self._flop_fall = np.array(rises), np.array(falls)

    def _clock_energies(self, wires: Wires) -> None:
        technology, netlist = self._technology, self._netlist
        assert not netlist.gate_domains, "a gate above another one is no part of a PE"

        def flop_pulse(domain: int) -> float:
            return both_edges(technology.flop.clock.quiet) + pin_fj(
                technology, technology.flop.clock.cap_ff, wires.clock_pin_ff(domain))

        domains = [flop.domain for flop in netlist.flops]
        sinks = domains.count(ALWAYS) + len(netlist.clock_gates)
        self.clock_base_fj = (domains.count(ALWAYS) * flop_pulse(ALWAYS)
                              + sinks * tree_share_fj(technology, wires))
        gate_open: list[float] = []
        if (gate := technology.clock_gate) is not None:
            counts = [domains.count(index) for index in range(len(netlist.clock_gates))]
            self.clock_base_fj += len(counts) * closed_gate_fj(
                technology, gate, wires.clock_pin_ff())
            gate_open = [opened_gate_fj(technology, gate, count, wires.clock_pin_ff(index))
                         + count * flop_pulse(index) for index, count in enumerate(counts)]
        self._gate_open = np.array(gate_open)

    # --- energy -------------------------------------------------------------------

    def between(self, before: Words, after: Words, opened: Words | None = None) -> CycleEnergy:
        """Return the energy of the transition between two settled states.

        before, after : uint64[net_count, words]. opened : lanes whose clock gates were open at
        the edge in between, uint64[clock_gates, words]; None is all closed.
        """
        words = before.shape[1]
        registers = np.zeros(words)
        if self._ports.size:
            toggles = np.bitwise_count(before[self._ports] ^ after[self._ports])
            registers += self.net_fj[self._ports] @ toggles
        if self._flop_output.size:
            old, new = before[self._flop_output], after[self._flop_output]
            rises, falls = np.bitwise_count(new & ~old), np.bitwise_count(old & ~new)
            wire = self.net_fj[self._flop_output]
            registers += (self._flop_rise + wire) @ rises + (self._flop_fall + wire) @ falls
        clock = np.full(words, self.clock_base_fj)
        if opened is not None and self._gate_open.size:
            clock += self._gate_open @ np.bitwise_count(opened) / 64
        return CycleEnergy(logic=self.logic(before, after), registers=registers / 64, clock=clock)

    def logic(self, before: Words, after: Words) -> Floats:
        """Return the part of the gates and the nets that they drive, float64[words]."""
        from hw.ppa.energy.switching_energy import gate_energy  # numba takes long to import

        arrays = self.arrays
        total = np.zeros(before.shape[1])
        states = np.ascontiguousarray(before), np.ascontiguousarray(after)
        gate_energy(states, (arrays.inputs, arrays.arity, arrays.outputs),
                    (self.gate_fj, self.net_fj), total)
        return total / 64

    def data_pins(self, before: Words, after: Words) -> Floats:
        """Return the energy of registers' data pins when gates settle, float64[words].

        Not a part of its own: `between` counts it where the register's output follows.
        """
        nets = self._data_nets
        old, new = before[nets], after[nets]
        total: Floats = (self.data_pin_fj[nets, 0] @ np.bitwise_count(new & ~old)
                         + self.data_pin_fj[nets, 1] @ np.bitwise_count(old & ~new))
        return total / 64
