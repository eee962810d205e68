"""What rounds the activations of an array: a converter for each of its rows, none per PE.

It is modelled as an incrementer, a half adder for each bit that stays. Of converters that were
mapped to asap7 (`python -m hw.ppa map ... --top round_2`, and 3, 4) this is 0.86 to 0.96 of the
area, and 1.00 to 1.04 times the energy on random operands, 2.4 times that on ReLU-like ones: both
are below 0.3 % of an array. Leakage is left out.
"""

from __future__ import annotations

from hw.common.errors import InputError
from hw.machine.pe.operand_format import OPERAND_BITS
from hw.ppa.chip.clock_gates import TOGGLES
from hw.ppa.library.cells import Cell
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.timing import FLAT, INPUT_SLEW_PS

XOR, AND = (0b0110, 0b1001), (0b1000, 0b0111)  # truth tables, either output


def converter_um2(technology: Technology, act_rounding: int) -> float:
    """Return the area of the converter of a row; 0 where nothing is rounded."""
    return (OPERAND_BITS - act_rounding) * half_adder_um2(technology) if act_rounding else 0.0


def converter_fj(technology: Technology, act_rounding: int) -> float:
    """Return the energy of the converter of a row per beat: an XOR switches for each bit."""
    return (OPERAND_BITS - act_rounding) * switched_fj(technology) if act_rounding else 0.0


def xor_um2(technology: Technology) -> float:
    """Return the area of an XOR."""
    return _smallest(technology, XOR).area_um2


def half_adder_um2(technology: Technology) -> float:
    """Return the area of an XOR and an AND."""
    return xor_um2(technology) + _smallest(technology, AND).area_um2


def switched_fj(technology: Technology) -> float:
    """Return the energy per cycle of an XOR behind a random bit."""
    gate = _smallest(technology, XOR)
    load_ff = gate.inputs[0].cap_ff + FLAT.pin_ff
    inside = gate.switching[0]
    return TOGGLES * (inside.rise.at(INPUT_SLEW_PS, load_ff)
                      + inside.fall.at(INPUT_SLEW_PS, load_ff)
                      + load_ff * technology.voltage_v ** 2) / 2


def _smallest(technology: Technology, truths: tuple[int, ...]) -> Cell:
    found = [cell for cell in technology.cells.values()
             if len(cell.inputs) == 2 and cell.truth in truths]
    if not found:
        raise InputError(f"Technology {technology.name!r} must have XOR and AND cells of two "
                         "inputs for arrays that convert operands")
    return min(found, key=lambda cell: cell.area_um2)
