"""Whether a design can fit on a board: a bound before synthesis, the truth after placement."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hw.common.errors import InputError
from hw.machine.design import Design
from hw.machine.pe.kind import Pe

if TYPE_CHECKING:
    from hw.rtl.boards.targets import Board

# `Info:     ICESTORM_LC:  3512/   5280    66%`
UTILISATION = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)


def read_utilisation(log: str) -> dict[str, tuple[int, int]]:
    """Return (used, available) by cell out of the messages of nextpnr."""
    return {match[1]: (int(match[2]), int(match[3])) for match in UTILISATION.finditer(log)}


def check_fits(board: Board, design: Design) -> None:
    """Raise InputError if even the registers that cannot be saved are too many.

    A bound, so that an absurd shape is refused at once; placement has the last word.
    """
    bank = design.bank
    needed = bank.pes * sum(map(pe_registers, design.pes))
    if needed > board.flip_flops:
        raise InputError(f"Design {design.name} must fit in the {board.flip_flops} flip-flops of "
                         f"{board.name}, not need at least {needed} for "
                         f"{len(bank.arrays)} arrays of {bank.rows}x{bank.cols}")


def check_placed(board: Board, design: Design, log: str) -> None:
    """Raise InputError if the log of nextpnr shows more cells than there are."""
    over = [f"{used} {cell} of {available}"
            for cell, (used, available) in read_utilisation(log).items() if used > available]
    if over:
        raise InputError(f"Design {design.name} must fit on {board.name}, "
                         f"not need {', '.join(over)}")


def pe_registers(pe: Pe) -> int:
    """Return register bits that every such PE needs, whatever synthesis removes.

    Activation, weight and shadow weight, and as many of the partial sum as the product has.
    """
    low, high = pe.kind.product_range(pe.table)
    product = max(high, -low).bit_length() - pe.netlist.zero_bits
    return len(pe.act_bits) + 2 * len(pe.weight_bits) + product
