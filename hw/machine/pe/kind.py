"""What a processing element (PE) is: RTL, cycles, area and energy are read from these records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from hw.machine.pe.operand_format import (
    OPERAND_BITS,
    TWOS_COMPLEMENT,
    Integers,
    OperandFormat,
    Range,
)
from hw.multipliers.adder import ApproximateAdder
from hw.multipliers.base import exact_products, rounded
from hw.netlist import Netlist


@dataclass(frozen=True, kw_only=True)
class Dataflow:
    """How operands and sums pass through a weight-stationary array.

    Activations go left to right, weights and partial sums top to bottom. The arrays of a bank
    share skew and deskew, so their dataflows are `shared`.

    Parameters
    ----------
    macs : int
        Terms that a PE adds to each of its sums: an array has `rows / macs` rows of PEs.
    outputs : int
        Sums of a PE, of as many columns of the array, that share its registers of activations:
        an array has `cols / outputs` columns of PEs.
    registered : bool
        The terms of a sum are added up a cycle before they are added to it (in `psum_cycles`).
    recoded : bool
        Exact products by recoded weights (`hw.machine.pe.folded_booth`).
    act_hop_cycles : int
        act_in to act_out.
    psum_cycles : int
        act_in to the psum_out that contains its product.
    psum_hop_cycles : int
        psum_in to psum_out.
    """

    macs: int = 1
    outputs: int = 1
    registered: bool = False
    recoded: bool = False
    act_hop_cycles: int = 1
    psum_cycles: int = 2
    psum_hop_cycles: int = 1

    @property
    def form(self) -> str:
        """Terms x outputs of a PE: `4x4`; `4x1r` if registered, `4x1rb` if recoded, too."""
        return f"{self.macs}x{self.outputs}{'r' * self.registered}{'b' * self.recoded}"

    @property
    def shared(self) -> Dataflow:
        """What arrays of one bank have in common: all but whether weights are recoded inside."""
        return replace(self, recoded=False)


class Adder(Enum):
    """What becomes of a product; both are one carry-propagate adder."""

    ADD = auto()  # two's complement, sign-extended
    ADD_SUBTRACT = auto()  # a magnitude; subtracted where the signs of the operands differ


class ClockGate(Enum):
    """How the clock of an array stops."""

    CELL = "cell"  # by one gate at its root: no register below has an enable
    ENABLE = "enable"  # the clock runs, every register has an enable: FPGAs, proofs


@dataclass(frozen=True, kw_only=True)
class PeKind:
    """A kind of PE; `hw.rtl.array.pe` has the component of each.

    Parameters
    ----------
    name : str
        How it multiplies and adds.
    operand : OperandFormat
        In which the PEs of an array pass operands on.
    adder : Adder
    dataflow : Dataflow
    clock_gate : ClockGate
    circuit : Netlist, optional
        What it has in the place of an exact multiplier. It gives f(act, weight) with
        f(a, w) - f(0, w) = a w: the sums of a column start from minus the sum of f(0, w) over its
        weights, so that they end as those of exact products.
    """

    name: str
    operand: OperandFormat
    adder: Adder
    dataflow: Dataflow = Dataflow()
    clock_gate: ClockGate = ClockGate.CELL
    circuit: Netlist | None = None

    @property
    def label(self) -> str:
        """By which a design chooses it (`hw.machine.pe.PE_KINDS`): name, and form if dense."""
        return self.name if self.multiplications == 1 else f"{self.name} {self.dataflow.form}"

    @property
    def multiplications(self) -> int:
        """Of a PE in each cycle."""
        return self.dataflow.macs * self.dataflow.outputs

    @property
    def signed(self) -> bool:
        """Whether its multiplier is signed."""
        return self.circuit is None and not self.operand.separate_sign

    @property
    def takes(self) -> str:
        """Which multipliers it takes, for messages."""
        return "signed" if self.signed else "unsigned" if self.circuit is None else "exact unsigned"

    @property
    def weight_limits(self) -> Range:
        """Smallest and largest weight; others wrap. Those of activations are the operand's."""
        return self.operand.limits if self.circuit is None else TWOS_COMPLEMENT.limits

    def products(self, table: npt.NDArray[np.int32], acts: Integers,
                 weights: Integers) -> npt.NDArray[np.int32]:
        """Return what is added to partial sums, elementwise, int32.

        table : int32[256, 256] of the multiplier, `[act, weight]` by what its ports see. acts,
        weights : integers, broadcastable. Zero counts as positive.
        """
        if self.circuit is not None:
            return np.multiply(acts, weights, dtype=np.int32)
        found: npt.NDArray[np.int32] = table[self.operand.at_port(acts),
                                             self.operand.at_port(weights)]
        if self.adder is Adder.ADD:
            return found
        return np.where((acts < 0) != (weights < 0), -found, found)

    def product_range(self, table: npt.NDArray[np.int32]) -> Range:
        """Return the smallest and the largest of `products`."""
        if self.circuit is not None:
            corners = np.multiply.outer(self.operand.limits, self.weight_limits)
            return int(corners.min()), int(corners.max())
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
    act_rounding : int
        Low bits of activations that are rounded away where they enter the array.
    adder : ApproximateAdder, optional
        What adds products to partial sums, if not an exact adder.

    Raises ValueError for a netlist of another width or the other signedness, for rounding of
    operands that are not sign and magnitude, and for an approximate adder of them or of a PE of
    more than one multiplication.
    """

    kind: PeKind
    netlist: Netlist
    psum_width: int
    act_rounding: int = 0
    adder: ApproximateAdder | None = None

    def __post_init__(self) -> None:
        bits = OPERAND_BITS
        widths = self.netlist.act_width, self.netlist.weight_width
        if widths != (bits, bits):
            raise ValueError(f"PE multiplier must be {bits}x{bits}, not {widths[0]}x{widths[1]}")
        if self.netlist.signed != self.kind.signed:
            other = "signed" if self.netlist.signed else "unsigned"
            raise ValueError(f"Multiplier of a {self.kind.label} PE must be {self.kind.takes}, "
                             f"not {other}")
        if self.kind.circuit and not (self.netlist.table() == exact_products()).all():
            raise ValueError(f"Multiplier of a {self.kind.label} PE must be exact")
        if self.act_rounding and not self.kind.operand.separate_sign:
            raise ValueError("Rounded activations must be sign and magnitude, not of a "
                             f"{self.kind.label} PE")

        if self.adder and not (self.kind.operand.separate_sign and self.kind.multiplications == 1):
            raise ValueError(f"Adder of a {self.kind.label} PE must be exact, not {self.adder}")

    def with_clock_gate(self, clock_gate: ClockGate) -> Pe:
        """Return the PE of an array whose clock stops in another way."""
        return replace(self, kind=replace(self.kind, clock_gate=clock_gate))

    @property
    def is_exact(self) -> bool:
        """Whether every sum is right."""
        return self.adder is None and bool(
            (self.table == exact_products(signed=self.netlist.signed)).all())

    @property
    def circuit(self) -> Netlist:
        """What multiplies: the kind's own circuit, or the multiplier's."""
        return self.kind.circuit or self.netlist

    @property
    def table(self) -> npt.NDArray[np.int32]:
        """What its array multiplies operands to, int32[256, 256], `[act, weight]` by pattern."""
        table: npt.NDArray[np.int32] = self.netlist.table()[rounded(
            np.arange(1 << self.netlist.act_width), self.act_rounding)]
        return table

    @property
    def act_bits(self) -> tuple[int, ...]:
        """Bits of the activation that have a register: those the multiplier reads, the sign."""
        return self.circuit.act_bits + self._sign

    @property
    def weight_bits(self) -> tuple[int, ...]:
        """Bits of a weight that have a register."""
        return self.circuit.weight_bits + self._sign

    @property
    def acts_width(self) -> int:
        """Bits of its activations, of all terms."""
        return self.kind.dataflow.macs * self.kind.operand.width

    @property
    def weights_width(self) -> int:
        """Bits of the weights that it passes on, one for each output."""
        return self.kind.dataflow.outputs * self.kind.operand.width

    @property
    def psums_width(self) -> int:
        """Bits of its partial sums, one for each output."""
        return self.kind.dataflow.outputs * self.psum_width

    @property
    def _sign(self) -> tuple[int, ...]:
        return tuple(range(self.kind.operand.bits, self.kind.operand.width))
