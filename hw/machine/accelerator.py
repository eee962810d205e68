"""The machine around a bank: sizes of its memories, and the numbers RTL and programs share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hw.common.errors import InputError
from hw.machine.design import BankConfig
from hw.machine.isa import FIELD_BITS
from hw.machine.pe.operand_format import STREAM

CODE_BITS = 8  # a stored activation
SUM_BITS = 32  # an accumulator; sums wrap beyond it
SUM_BYTES = SUM_BITS // CODE_BITS  # rows that ACTIVATE writes for one row of sums in raw mode
ACCUMULATOR_BANKS = 2  # one is requantised while the other is summed into
ROWS_PER_BANK = 2048  # TPU v1 has 4,096 rows of accumulators in all
LANDING_QUEUE = 4  # MATMULs whose sums are still under way
SUMS_READ_CYCLES = 1
LANE_CYCLES = 7  # of the requantiser: sum to code
# From the last step of a row to the write of its codes: read, lanes, output row.
DRAIN_CYCLES = SUMS_READ_CYCLES + LANE_CYCLES + 1

# What LOAD_WEIGHTS with the flag sends for a column, the first in the low bits.
BIAS_BITS = 32  # two's complement
MULTIPLIER_BITS = 31
SHIFT_BITS = 6
CONSTANT_BITS = BIAS_BITS + MULTIPLIER_BITS + SHIFT_BITS
CONSTANT_BEATS = -(-CONSTANT_BITS // STREAM.width)  # of the weight stream, per column tile


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """Memories of an accelerator and the width of its requantiser.

    Parameters
    ----------
    act_rows : int
        Rows of `bank.rows` stored activations that DMA_IN writes and MATMUL reads.
    accumulator_rows : int
        Rows of `bank.cols` sums, in two banks of half as many; a MATMUL stays within one bank.
    output_rows : int
        Rows of `bank.cols` bytes that ACTIVATE writes and DMA_OUT reads.
    requantise_lanes : int
        Columns that ACTIVATE requantises per cycle. A lane multiplies 32 by 31 bits, as much
        logic as fifteen 8x8 multipliers, and most layers sum a row many times before it is due.
    weight_fifo_rows : int
        Rows of weights that wait in front of the bank.
    """

    act_rows: int = 2 * ROWS_PER_BANK
    accumulator_rows: int = ACCUMULATOR_BANKS * ROWS_PER_BANK
    output_rows: int = 2 * ROWS_PER_BANK
    requantise_lanes: int = 4
    weight_fifo_rows: int = 32

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            low, high = (1, 256) if name == "requantise_lanes" else (4, 1 << FIELD_BITS[2])
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise InputError(f"Accelerator {name} must be an integer from {low} to {high}, "
                                 f"not {value!r}")
        for name in ("act_rows", "accumulator_rows", "output_rows"):
            if getattr(self, name) & (getattr(self, name) - 1):
                raise InputError(f"Accelerator {name} must be a power of two, "
                                 f"not {getattr(self, name)}")

    @property
    def bank_rows(self) -> int:
        """Rows of one bank of accumulators: the longest MATMUL."""
        return self.accumulator_rows // ACCUMULATOR_BANKS

    def requantise_steps(self, bank: BankConfig) -> int:
        """Cycles that ACTIVATE spends on a row."""
        return -(-bank.cols // self.requantise_lanes)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; `hw.common.records` restores an equal one."""
        return asdict(self)
