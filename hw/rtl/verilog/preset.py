"""The small design that is emitted when none is named."""

from __future__ import annotations

from hw.machine.design import BankConfig, Design
from hw.multipliers import get

ROWS = COLS = 4
PSUM_WIDTH = 24
MULTIPLIERS = ("mul8u_exact", "mul8u_bam_h2v6", "mul8u_optrunc_a2w1")


def preset() -> Design:
    """Return it."""
    return Design(name="preset", multipliers={name: get(name) for name in MULTIPLIERS},
                  bank=BankConfig(rows=ROWS, cols=COLS, arrays=MULTIPLIERS, psum_width=PSUM_WIDTH))
