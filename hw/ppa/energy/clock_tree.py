"""What a clock period costs at the pins, buffers and gates of a clock tree, fJ."""

from __future__ import annotations

from hw.ppa.library.cells import ClockGate, EdgeEnergy
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.timing import CLOCK_SLEW_PS, Wires

CLOCK_FANOUT = 16  # sinks per buffer of the clock tree, at every level


def both_edges(energy: EdgeEnergy) -> float:
    """Return the energy inside a cell of a rise and a fall of the clock."""
    return energy.rise.at(CLOCK_SLEW_PS) + energy.fall.at(CLOCK_SLEW_PS)


def pin_fj(technology: Technology, cap_ff: float, wire_ff: float) -> float:
    """Return C V^2 of a clock pin and its wire."""
    return (cap_ff + wire_ff) * technology.voltage_v ** 2


def sinks_ff(technology: Technology, count: int, wire_ff: float) -> float:
    """Return the capacitance of registers' clock pins and their wires."""
    return count * (technology.flop.clock.cap_ff + wire_ff)


def tree_share_fj(technology: Technology, wires: Wires) -> float:
    """Return the energy of the buffers above one sink: 1/f + 1/f^2 + ... = 1/(f - 1).

    Their wires are g, g^2, ... times as long as that of the sink: g/f + (g/f)^2 + ... = g/(f - g).
    """
    buffer = technology.cells[technology.clock_buffer]
    wire_ff, growth = wires.clock_pin_ff(), wires.clock_growth
    load = sinks_ff(technology, CLOCK_FANOUT, wire_ff)
    switching = buffer.switching[0]
    wire_per_buffer = wire_ff * growth * (CLOCK_FANOUT - 1) / (CLOCK_FANOUT - growth)
    pulse = (switching.rise.at(CLOCK_SLEW_PS, load) + switching.fall.at(CLOCK_SLEW_PS, load)
             + pin_fj(technology, buffer.inputs[0].cap_ff, wire_per_buffer))
    return pulse / (CLOCK_FANOUT - 1)


def closed_gate_fj(technology: Technology, gate: ClockGate, wire_ff: float) -> float:
    """Return the energy of a clock gate that is closed, without the tree above it."""
    return both_edges(gate.clock.quiet) + pin_fj(technology, gate.clock.cap_ff, wire_ff)


def opened_gate_fj(technology: Technology, gate: ClockGate, sinks: int, wire_ff: float) -> float:
    """Return what a clock gate costs more while it is open, `sinks` registers behind it."""
    load = sinks_ff(technology, sinks, wire_ff)
    return (gate.switching.rise.at(CLOCK_SLEW_PS, load)
            + gate.switching.fall.at(CLOCK_SLEW_PS, load) - both_edges(gate.clock.quiet))
