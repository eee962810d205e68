"""A product table taken apart, exactly, into what GEMM computes and what row-add computes.

    table[a, w] = sum over r of u[r, a] * v[r, w]  +  rest[class(a), w]

Nothing is rounded. Row-add alone takes the whole table as the rest. With a product taken out the
rest may vanish, have fewer classes, or smaller entries.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from sim.kernels.factor import factorise, rank_one

Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
MAX_FACTORS = 2  # more products of recoded operands than this never beat row-add
FEW_CLASSES = 16  # two of them make one table of 256 rows
INT16_MAX = 2**15 - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """One exact way to write a table.

    Parameters
    ----------
    how : str
        In words.
    u, v : int16[r, 256]
        Recoded operands of r matrix products, by activation and by weight code.
    classes : uint8[256]
        Class of each activation code.
    rest : int32[c, 256]
        By class and weight code; c is 0 when it vanishes.
    """

    how: str
    u: Int16 = field(repr=False)
    v: Int16 = field(repr=False)
    classes: npt.NDArray[np.uint8] = field(repr=False)
    rest: Int32 = field(repr=False)

    @property
    def class_count(self) -> int:
        """Number of classes of activations; 0 when the rest vanishes."""
        return len(self.rest)

    def table(self) -> Int32:
        """Return what was split, int32[256, 256]."""
        total = self.u.T.astype(np.int64) @ self.v
        if self.class_count:
            total += self.rest[self.classes]
        return total.astype(np.int32)


def exact_splits(table: Int32, act_values: Int16, weight_values: Int16) -> list[Split]:
    """Return ways to write a table of stored bytes, int32[256, 256]; at least one.

    act_values, weight_values : int16[256], the value that each byte stands for; a poor choice
    makes for slower splits, never for wrong ones.
    """
    error = table - np.multiply.outer(act_values.astype(np.int32), weight_values.astype(np.int32))
    exact = Split(how="exact product", u=act_values[None], v=weight_values[None],
                  classes=np.arange(256, dtype=np.uint8), rest=np.zeros((0, 256), np.int32))
    if not error.any():
        return [exact]
    factors = rank_one(table)
    if factors is not None and _fit(*factors):
        u, v = (vector[None].astype(np.int16) for vector in factors)
        return [replace(exact, how="one product of recoded operands", u=u, v=v)]
    rest, classes = _classes(error)
    alone, alone_classes = _classes(table)
    found = [replace(exact, how=f"row-add of {len(alone)} classes", u=exact.u[:0], v=exact.v[:0],
                     rest=alone, classes=alone_classes),
             replace(exact, how=f"exact product and row-add of {len(rest)} classes", rest=rest,
                     classes=classes)]
    several = factorise(table, limit=MAX_FACTORS)
    if several is not None and _fit(several.u, several.v):
        found.append(replace(exact, how=f"{several.rank} products of recoded operands",
                             u=several.u.T.astype(np.int16), v=several.v.astype(np.int16)))
    for split in found:
        assert np.array_equal(split.table(), table), split.how
    return found


def _fit(u: npt.NDArray[np.int64], v: npt.NDArray[np.int64]) -> bool:
    return int(max(np.abs(u).max(initial=0), np.abs(v).max(initial=0))) <= INT16_MAX


def sign_of(values: Int16) -> int | None:
    """Return the bit that turns bytes into unsigned ones in the order of their values, or None."""
    for sign_bit in (0, 128):
        ordered = values[np.arange(256) ^ sign_bit]
        if np.array_equal(np.diff(ordered), np.ones(255)):
            return sign_bit
    return None


def of_bytes(u: Int16, v: Int16) -> bool:
    """Return whether the operands of a product are bytes: u less its least value, and v."""
    return int(np.ptp(u.astype(np.int32))) <= 255 and v.min() >= -128 and v.max() <= 127


def _classes(table: Int32) -> tuple[Int32, npt.NDArray[np.uint8]]:
    """Return the different rows in order of appearance, and which of them each row is.

    Where they are too many to be combined, every row is a class: looking codes up would cost
    more than it saves.
    """
    kinds: dict[bytes, int] = {}
    index = np.array([kinds.setdefault(row.tobytes(), len(kinds)) for row in table])
    if len(kinds) > FEW_CLASSES:
        return table, np.arange(256, dtype=np.uint8)
    return table[np.unique(index, return_index=True)[1]], index.astype(np.uint8)
