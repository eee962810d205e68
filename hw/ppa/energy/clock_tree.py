"""What a clock period costs at the pins, buffers and gates of a clock tree, fJ."""

from __future__ import annotations

from hw.ppa.library.cells import ClockGate, EdgeEnergy
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.timing import CLOCK_SLEW_PS

CLOCK_FANOUT = 16  # sinks per buffer of the clock tree, at every level
CLOCK_WIRE_FF = 0.2  # per sink: a Steiner tree over a PE's 37 sinks and 55 um2 has 0.8 um each


def both_edges(energy: EdgeEnergy) -> float:
    """Return the energy inside a cell of a rise and a fall of the clock."""
    return energy.rise.at(CLOCK_SLEW_PS) + energy.fall.at(CLOCK_SLEW_PS)


def pin_fj(technology: Technology, cap_ff: float) -> float:
    """Return C V^2 of a clock pin and its wire."""
    return (cap_ff + CLOCK_WIRE_FF) * technology.voltage_v ** 2


def sinks_ff(technology: Technology, count: int) -> float:
    """Return the capacitance of registers' clock pins and their wires."""
    return count * (technology.flop.clock.cap_ff + CLOCK_WIRE_FF)


def tree_share_fj(technology: Technology) -> float:
    """Return the energy of the buffers above one sink: 1/f + 1/f^2 + ... = 1/(f - 1)."""
    buffer = technology.cells[technology.clock_buffer]
    load = sinks_ff(technology, CLOCK_FANOUT)
    switching = buffer.switching[0]
    pulse = (switching.rise.at(CLOCK_SLEW_PS, load) + switching.fall.at(CLOCK_SLEW_PS, load)
             + pin_fj(technology, buffer.inputs[0].cap_ff))
    return pulse / (CLOCK_FANOUT - 1)


def closed_gate_fj(technology: Technology, gate: ClockGate) -> float:
    """Return the energy of a clock gate that is closed, without the tree above it."""
    return both_edges(gate.clock.quiet) + pin_fj(technology, gate.clock.cap_ff)


def opened_gate_fj(technology: Technology, gate: ClockGate, sinks: int) -> float:
    """Return what a clock gate costs more while it is open, `sinks` registers behind it."""
    load = sinks_ff(technology, sinks)
    return (gate.switching.rise.at(CLOCK_SLEW_PS, load)
            + gate.switching.fall.at(CLOCK_SLEW_PS, load) - both_edges(gate.clock.quiet))
