"""What a processing element (PE) is: RTL, cycles, area and energy are read from these records."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from hw.machine.pe.operand_format import Integers, OperandFormat, Range
from hw.netlist import Netlist


@dataclass(frozen=True, kw_only=True)
class Dataflow:
    """How operands and sums pass through a weight-stationary array.

    Activations go left to right, weights and partial sums top to bottom. The arrays of a bank
    share skew and deskew, so they have one dataflow.

    Parameters
    ----------
    macs : int
        Multiplications per PE: terms of one output, so an array has `rows / macs` rows of PEs.
    act_hop_cycles : int
        act_in to act_out.
    psum_cycles : int
        act_in to the psum_out that contains its product.
    psum_hop_cycles : int
        psum_in to psum_out.
    """

    macs: int = 1
    act_hop_cycles: int = 1
    psum_cycles: int = 2
    psum_hop_cycles: int = 1


class Adder(Enum):
    """What becomes of a product; both are one carry-propagate adder."""

    ADD = auto()  # two's complement, sign-extended
    ADD_SUBTRACT = auto()  # a magnitude; subtracted where the signs of the operands differ


class ClockGate(Enum):
    """Where the clock of an array stops."""

    ROOT = auto()  # one gate for all PEs: while it is open, `en` of every PE is 1


@dataclass(frozen=True, kw_only=True)
class PeKind:
    """A kind of PE; `hw.rtl.array.pe` has the component of each.

    Parameters
    ----------
    name : str
        By which a design chooses it (`hw.machine.pe.PE_KINDS`).
    operand : OperandFormat
        In which the PEs of an array pass operands on.
    adder : Adder
    dataflow : Dataflow
    clock_gate : ClockGate
    """

    name: str
    operand: OperandFormat
    adder: Adder
    dataflow: Dataflow = Dataflow()
    clock_gate: ClockGate = ClockGate.ROOT

    @property
    def signed(self) -> bool:
        """Whether its multiplier is signed."""
        return not self.operand.separate_sign

    @property
    def takes(self) -> str:
        """Which multipliers it takes, for messages."""
        return "signed" if self.signed else "unsigned"

    def products(self, table: npt.NDArray[np.int32], acts: Integers,
                 weights: Integers) -> npt.NDArray[np.int32]:
        """Return what is added to partial sums, elementwise, int32.

        table : int32[256, 256] of the multiplier, `[act, weight]` by what its ports see. acts,
        weights : integers, broadcastable. Zero counts as positive.
        """
        found: npt.NDArray[np.int32] = table[self.operand.at_port(acts),
                                             self.operand.at_port(weights)]
        if self.adder is Adder.ADD:
            return found
        return np.where((acts < 0) != (weights < 0), -found, found)

    def product_range(self, table: npt.NDArray[np.int32]) -> Range:
        """Return the smallest and the largest of `products`."""
        largest = int(table.max())
        return (int(table.min()) if self.adder is Adder.ADD else -largest), largest


@dataclass(frozen=True, kw_only=True)
class Pe:
    """A PE: its kind around a multiplier.

    Parameters
    ----------
    kind : PeKind
    netlist : Netlist
        Of the multiplier.
    psum_width : int
        Bits of the two's complement partial sum; wraps on overflow, which `Design` rules out.

    Raises ValueError for a netlist of another width or the other signedness.
    """

    kind: PeKind
    netlist: Netlist
    psum_width: int

    def __post_init__(self) -> None:
        bits = self.kind.operand.bits
        widths = self.netlist.act_width, self.netlist.weight_width
        if widths != (bits, bits):
            raise ValueError(f"PE multiplier must be {bits}x{bits}, not {widths[0]}x{widths[1]}")
        if self.netlist.signed != self.kind.signed:
            other = "signed" if self.netlist.signed else "unsigned"
            raise ValueError(f"Multiplier of a {self.kind.name} PE must be {self.kind.takes}, "
                             f"not {other}")

    @property
    def act_bits(self) -> tuple[int, ...]:
        """Bits of the activation that have a register: those the multiplier reads, the sign."""
        return self.netlist.act_bits + self._sign

    @property
    def weight_bits(self) -> tuple[int, ...]:
        """Bits of a weight that have a register."""
        return self.netlist.weight_bits + self._sign

    @property
    def _sign(self) -> tuple[int, ...]:
        return tuple(range(self.kind.operand.bits, self.kind.operand.width))
