"""What stands at the edges of an array, once per row or column: converters, starts of sums.

Converters to two's complement are modelled as those that round (`hw.ppa.chip.rounding`): an XOR
with the sign and a half adder for each bit of a magnitude. Starts of sums are mapped with their PE.
"""

from __future__ import annotations

from hw.machine.pe.operand_format import OPERAND_BITS, STREAM
from hw.ppa.chip.rounding import converter_fj, converter_um2, half_adder_um2, switched_fj, xor_um2
from hw.ppa.mapping.pe import MappedPe


def edges_um2(pe: MappedPe, *, rows: int, cols: int) -> float:
    """Return the area at the edges of an array of `rows` terms x `cols`."""
    area = rows * converter_um2(pe.technology, pe.multiplier.act_rounding)
    if pe.kind.operand != STREAM:
        area += (rows + cols) * OPERAND_BITS * (
            xor_um2(pe.technology) + half_adder_um2(pe.technology))
    if pe.start_netlist is not None:
        area += _starts(pe, cols) * pe.start_netlist.area_um2(pe.technology)
    return area


def edges_leakage_nw(pe: MappedPe, *, cols: int) -> float:
    """Return the leakage of what the sums of `cols` columns start from; converters have little."""
    return 0.0 if pe.start_netlist is None else (
        _starts(pe, cols) * pe.start_netlist.leakage_nw(pe.technology))


def operand_fj(pe: MappedPe) -> float:
    """Return the energy of the converter of an activation or a weight, for each one."""
    spent = converter_fj(pe.technology, pe.multiplier.act_rounding)
    if pe.kind.operand != STREAM:
        spent += 2 * OPERAND_BITS * switched_fj(pe.technology)
    return spent


def _starts(pe: MappedPe, cols: int) -> int:
    return cols // pe.kind.dataflow.outputs
