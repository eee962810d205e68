"""A multiplier: a name, its origin, and the netlist or product table that defines it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.common.records import Limits
from hw.multipliers.adder import ApproximateAdder
from hw.netlist import Netlist

OPERANDS = 256
ActRounding = Annotated[int, Limits(0, 7)]  # in files
# What is behind + is an adder (`hw.multipliers.adder`).
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}(\+(trunc|loa|seg)[0-9w]{1,6})?")


def rounded(magnitudes: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """Return the nearest multiples of 2**bits, half-way cases up; the largest of 8 bits at most.

    magnitudes : integers from 0 to 255, of at least 16 bits.
    """
    kept: npt.NDArray[Any] = np.minimum(magnitudes + (1 << bits >> 1) >> bits, (1 << 8 - bits) - 1)
    return kept << bits


def check_name(name: str) -> None:
    """Raise InputError for a name that a user's multiplier must not have."""
    if not NAME.fullmatch(name):
        shown = repr(name if len(name) <= 40 else f"{name[:40]}...")
        raise InputError("Multiplier name must be a letter, then up to 63 letters, digits or _.-, "
                         f"not {shown}")


def operand_values(*, signed: bool) -> npt.NDArray[np.int64]:
    """Return the value of each 8-bit operand pattern, int64[256]: the index of a table axis."""
    patterns = np.arange(OPERANDS)
    return patterns - OPERANDS * (patterns >= OPERANDS // 2) if signed else patterns


def exact_products(*, signed: bool = False) -> npt.NDArray[np.int64]:
    """Return the exact products int64[256, 256], indexed by operand pattern."""
    operands = operand_values(signed=signed)
    return np.multiply.outer(operands, operands)


@dataclass(frozen=True, kw_only=True)
class ProductTable:
    """A multiplier given by its products alone: it can be simulated, but has no hardware.

    Parameters
    ----------
    values : bytes
        int32[256, 256], little-endian, indexed `[act, weight]` by operand pattern.
    signed : bool
        Operands and products are two's complement.
    """

    values: bytes
    signed: bool = False

    @classmethod
    def of(cls, table: npt.NDArray[np.integer], *, signed: bool = False) -> ProductTable:
        """Return the product table of an integer array [256, 256]; ValueError otherwise."""
        if table.shape != (OPERANDS, OPERANDS):
            raise ValueError(f"Product table must have shape (256, 256), not {table.shape}")
        return cls(values=table.astype("<i4").tobytes(), signed=signed)

    def table(self) -> npt.NDArray[np.int32]:
        """Return the products, int32[256, 256]."""
        return np.frombuffer(self.values, "<i4").reshape(OPERANDS, OPERANDS).astype(np.int32)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of signedness and products, 64 hexadecimal digits."""
        return hashlib.sha256(bytes([self.signed]) + self.values).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Multiplier:
    """A named multiplier circuit.

    Parameters
    ----------
    name : str
        `mul8u_...` for an unsigned 8x8 circuit, `mul8s_...` for a signed one, as EvoApproxLib
        names them.
    family : str
        The construction it is an instance of, e.g. `truncated`.
    source : Netlist or ProductTable
        What defines it; a product table only if it was read from a file of products.
    parameters : mapping of str to int, float or str
        What the family's builder was called with.
    citation : str
        The paper that published the construction.
    act_rounding : int
        Low bits of activations that are rounded away where they enter an array, by one converter
        for each row: `source` multiplies what is left.
    adder : ApproximateAdder, optional
        What adds its products to partial sums, if not an exact adder.
    file : Path, optional
        Where it was read from, for messages.
    """

    name: str
    family: str
    source: Netlist | ProductTable
    parameters: Mapping[str, int | float | str] = field(default_factory=dict)
    citation: str = ""
    act_rounding: int = 0
    adder: ApproximateAdder | None = None
    file: Path | None = field(default=None, compare=False, repr=False)

    @property
    def subject(self) -> str:
        """Its name in messages: the file of a user's multiplier."""
        place = f"{self.file}: multiplier" if self.file else "Multiplier"
        return f"{place} {self.name!r}"

    @property
    def netlist(self) -> Netlist:
        """The circuit; raises InputError where only a table is known."""
        if isinstance(self.source, ProductTable):
            raise InputError(
                f"{self.subject} must have a netlist for hardware and cost, not only a "
                "truth table; import its Verilog, BLIF, Yosys JSON or CGP file instead")
        return self.source

    @property
    def has_netlist(self) -> bool:
        """Whether the circuit is known, not only its products."""
        return isinstance(self.source, Netlist)

    @property
    def signed(self) -> bool:
        """Operands and product are two's complement."""
        return self.source.signed

    @property
    def width(self) -> str:
        """Bits of activation and weight: `8x8`."""
        if isinstance(self.source, ProductTable):
            return "8x8"
        return f"{self.source.act_width}x{self.source.weight_width}"

    def require_8x8(self, purpose: str = "") -> None:
        """Raise InputError for operands of other widths; purpose : `for` what needs 8 bits."""
        if self.width != "8x8":
            raise InputError(f"{self.subject} must be 8x8{purpose and ' '}{purpose}, "
                             f"not {self.width}")

    def check_adder(self) -> None:
        """Raise InputError for an adder that it cannot have, or that would be exact."""
        if self.adder is None:
            return
        if self.signed:
            raise InputError(f"{self.subject} must be unsigned to have the adder {self.adder}")
        if (zeros := self.netlist.zero_bits) > self.adder.reach:
            raise InputError(f"{self.subject} must have products of which at most "
                             f"{self.adder.reach} low bits are always 0, not {zeros}: with more "
                             f"the adder {self.adder} is exact")
        largest, limit = int(np.abs(self.table).max()), 1 << 15 + self.adder.bits
        if largest >= limit:  # its upper bits are simulated in 16 bits
            raise InputError(f"{self.subject} must have products below {limit} to have the adder "
                             f"{self.adder}, not up to {largest}")

    @property
    def digest(self) -> str:
        """Digest of what defines it: that of its PE where nothing is rounded."""
        if not self.act_rounding:
            return self.pe_digest
        return hashlib.sha256(f"{self.pe_digest} {self.act_rounding}".encode()).hexdigest()

    @property
    def pe_digest(self) -> str:
        """Digest of what its PE is made of: of the netlist (or table) if that adds exactly."""
        if self.adder is None:
            return self.source.digest
        return hashlib.sha256(f"{self.source.digest} {self.adder}".encode()).hexdigest()

    @cached_property
    def table(self) -> npt.NDArray[np.int32]:
        """Product table int32[256, 256] indexed `[act, weight]` by pattern, read-only.

        ValueError beyond 20 operand bits; `require_8x8` first where a width is not known.
        """
        table = self.source.table()
        if self.act_rounding:
            table = table[rounded(np.arange(len(table)), self.act_rounding)]
        table.setflags(write=False)
        return table

    @property
    def largest_term(self) -> int:
        """The most that one product adds to a sum, either way, the error of adding it included."""
        return int(np.abs(self.table).max()) + (self.adder.max_error if self.adder else 0)

    @property
    def is_exact(self) -> bool:
        """Whether every product is right, and every sum of them."""
        return self.adder is None and bool((self.table == exact_products(signed=self.signed)).all())
