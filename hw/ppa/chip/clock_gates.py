"""What the clock gates at the roots of a bank's arrays spend, and whatever moves at idle arrays.

These stand at the edges of arrays and are not placed: their wires are `FLAT` whatever PEs have.
"""

from __future__ import annotations

from hw.common.errors import InputError
from hw.machine.design import BankConfig
from hw.machine.pe.operand_format import STREAM
from hw.ppa.energy.clock_tree import (
    CLOCK_FANOUT,
    closed_gate_fj,
    opened_gate_fj,
    tree_share_fj,
)
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.timing import FLAT

TOGGLES = 0.5  # of an operand bit per cycle, as random ones have; real streams have fewer


def running_array_fj(technology: Technology) -> float:
    """Return the energy per cycle of the gate of the array that runs, with the tree above it.

    0 for a library without a clock gate: a single array needs none.
    """
    gate = technology.clock_gate
    return 0.0 if gate is None else (
        closed_gate_fj(technology, gate, FLAT.clock_pin_ff())
        + opened_gate_fj(technology, gate, CLOCK_FANOUT, FLAT.clock_pin_ff())
        + tree_share_fj(technology, FLAT))


def idle_array_fj(technology: Technology, bank: BankConfig) -> float:
    """Return the energy per cycle at an array that does not run: 0 edges of its own clock.

    Its gate is closed, and each bit of the shared operands and tokens switches one pin of the
    gate that forces it to 0. Raises InputError for a library without a clock gate.
    """
    gate = technology.clock_gate
    if gate is None:
        raise InputError(f"Technology {technology.name!r} must have a clock gate for a bank of "
                         "several arrays, or idle ones are clocked; build one array alone "
                         "(search.run --max-arrays 1)")
    bits = (bank.rows + bank.cols) * STREAM.width + 2 * bank.pe_rows
    isolating = min((cell for cell in technology.cells.values() if len(cell.inputs) == 2),
                    key=lambda cell: cell.area_um2).inputs[0]
    pin = (isolating.cap_ff + FLAT.pin_ff) * technology.voltage_v ** 2 / 2
    return (closed_gate_fj(technology, gate, FLAT.clock_pin_ff())
            + tree_share_fj(technology, FLAT) + bits * TOGGLES * pin)
