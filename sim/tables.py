"""Product tables: read from files, and re-indexed by the codes a network stores.

An unsigned multiplier's table is indexed by magnitudes, a signed one's by two's complement
patterns. Networks store codes: uint8 or int8 with a zero point. `code_table` folds zero point and
signs into the index once, so that kernels look up raw bytes. A `Product` is a table prepared to
compute a layer's sums, which every backend offers.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.machine.design import BankConfig
from hw.machine.pe import kind_for
from hw.machine.pe.kind import PeKind
from hw.multipliers import Multiplier
from hw.multipliers.adder import ApproximateAdder
from hw.multipliers.base import exact_products
from hw.multipliers.importing import conventions

Products = npt.NDArray[np.int32]
Int16 = npt.NDArray[np.int16]
BINARY_BYTES = 2 * 65536


@dataclass(frozen=True, eq=False)
class SignedTable:
    """What a signed multiplier computes of two's complement operands.

    Parameters
    ----------
    products : int32[256, 256]
        `[act, weight]` by operand pattern, that is value modulo 256, as `Multiplier.table`.
    """

    products: Products


@dataclass(frozen=True, eq=False)
class ApproximateSums:
    """What an array of an unsigned multiplier and an approximate adder computes.

    Terms are added in their order from 0, `rows` at a time; sums of so many are added exactly,
    outside the array.

    Parameters
    ----------
    products : int32[256, 256]
        Of magnitudes, `[act, weight]`.
    adder : ApproximateAdder
    rows : int
        Of the array: terms of a tile.
    """

    products: Products
    adder: ApproximateAdder
    rows: int


# Of an unsigned multiplier: products int32[256, 256] of magnitudes, `[act, weight]`.
Table = Products | SignedTable | ApproximateSums


@cache
def exact_table() -> Products:
    """Return the table of the exact multiplier, int32[256, 256], always the same array."""
    table = np.multiply.outer(np.arange(256, dtype=np.int32), np.arange(256, dtype=np.int32))
    table.setflags(write=False)
    return table


def pe_table(multiplier: Multiplier, rows: int = BankConfig.rows) -> Table:
    """Return what the PE of a multiplier computes; InputError for one that is not 8x8.

    rows : of its array; nothing but sums of approximate adders depends on it.
    """
    multiplier.require_8x8()
    if multiplier.adder is not None:
        return ApproximateSums(multiplier.table, multiplier.adder, rows)
    return SignedTable(multiplier.table) if multiplier.signed else multiplier.table


def magnitude_table(multiplier: Multiplier) -> Products:
    """Return an unsigned multiplier's products int32[256, 256] of magnitudes, `[act, weight]`.

    Raises InputError for a signed multiplier and for one that is not 8x8.
    """
    table = pe_table(multiplier)
    if isinstance(table, SignedTable):
        raise InputError(f"Multiplier {multiplier.name!r} must be unsigned: its table must be of "
                         "magnitudes")
    if isinstance(table, ApproximateSums):
        raise InputError(f"Multiplier {multiplier.name!r} must have an exact adder, not "
                         f"{table.adder}: its table does not tell its sums")
    return table


def patterns(table: Table) -> Products:
    """Return the products by operand pattern, int32[256, 256], as `Multiplier.table`."""
    return table.products if isinstance(table, SignedTable | ApproximateSums) else table


def adder_of(table: Table) -> ApproximateAdder | None:
    """Return what adds products where that is not exact."""
    return table.adder if isinstance(table, ApproximateSums) else None


def pe_kind(table: Table) -> PeKind:
    """Return the kind of the PE."""
    return kind_for(signed=isinstance(table, SignedTable))


def is_exact(table: Table) -> bool:
    """Whether every product of a table is right, and every sum."""
    return adder_of(table) is None and np.array_equal(
        patterns(table), exact_products(signed=isinstance(table, SignedTable)))


def table_key(table: Table) -> bytes:
    """Return bytes that are equal for equal tables only."""
    kind = (b"signed" if isinstance(table, SignedTable) else
            f"{table.adder} {table.rows}".encode() if isinstance(table, ApproximateSums) else b"")
    return kind + np.ascontiguousarray(patterns(table), np.int32).tobytes()


def pe_products(table: Table, acts: Int16, weights: Int16) -> Products:
    """Return the products of operands as the PE forms them, int32, elementwise.

    table : of the PE's multiplier. acts, weights : int16, broadcastable, in [-255, 255]. A signed
    multiplier takes them modulo 256: `hw.machine.operands.check_operands` says whether a layer
    stays within [-128, 127].
    """
    return pe_kind(table).products(patterns(table), acts, weights)


def code_values(zero_point: int, *, signed: bool) -> Int16:
    """Return the value that each stored byte stands for: int16[256], `code - zero_point`.

    signed : bytes are int8, so byte 255 is code -1.
    """
    codes = np.arange(256, dtype=np.int16)
    if signed:
        codes = codes.astype(np.uint8).view(np.int8).astype(np.int16)
    return (codes - np.int16(zero_point)).astype(np.int16)


def code_table(table: Table, act_values: Int16, weight_values: Int16) -> Products:
    """Return the products of stored bytes as the PE forms them, int32[256, 256].

    act_values, weight_values : int16[256] of `code_values`. Entry `[a, w]` is `pe_products` of
    `act_values[a]` and `weight_values[w]`.
    """
    return pe_products(table, act_values[:, None], weight_values).astype(np.int32)


def load_table(path: Path) -> Products:
    """Read a product table of magnitudes, int32[256, 256], `[activation, weight]`.

    `.npy` : integers of shape [256, 256]. `.bin` : 65,536 little-endian uint16, entry
    `256 * a + w`, as EvoApproxLib's tables are published.

    Warns on stderr where the products are those of another convention. Raises InputError naming
    the file for anything else.
    """
    table = _read_table(Path(path))
    if warning := conventions.suspicion(table, signed=False):
        print(f"warning: {path}: {warning}", file=sys.stderr)
    return table


def _read_table(path: Path) -> Products:
    if path.suffix == ".bin":
        raw = path.read_bytes()
        if len(raw) != BINARY_BYTES:
            raise InputError(f"{path}: product table must have {BINARY_BYTES} bytes, "
                             f"not {len(raw)}")
        return np.frombuffer(raw, "<u2").reshape(256, 256).astype(np.int32)
    if path.suffix != ".npy":
        raise InputError(f"{path}: product table must end in .npy or .bin, "
                         f"not {path.suffix or 'nothing'!r}")
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: not a NumPy array file ({error})") from None
    if not isinstance(values, np.ndarray) or values.shape != (256, 256):
        raise InputError(f"{path}: product table must have shape (256, 256), "
                         f"not {getattr(values, 'shape', None)}")
    if not np.issubdtype(values.dtype, np.integer):
        raise InputError(f"{path}: product table must hold integers, not {values.dtype}")
    if values.min() < 0 or values.max() >= 2**17:
        raise InputError(f"{path}: products must be 0 to {2**17 - 1}, "
                         f"not {values.min()} to {values.max()}"
                         + " (python -m hw.multipliers import reads signed tables)"
                         * bool(values.min() < 0))
    return values.astype(np.int32)


class Product(Protocol):
    """A product table prepared for many matrices of stored bytes.

    `sim.kernels.ChainProduct` is what sums of approximate adders take.
    `sim.kernels.TableProduct` (the default) and `sim.torch_backend.TorchProduct` give the same
    bits; `sim.lowrank.LowRankProduct` is the paper's approximation of them.
    """

    def matmul(self, acts: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8], *,
               threads: int = 1) -> npt.NDArray[np.int32]:
        """Return int32[m, n] for acts uint8[m, k] and weights uint8[k, n]."""
