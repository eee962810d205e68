"""The public kernel: a product table prepared once, then applied to many matrices."""

from __future__ import annotations

import os
from enum import Enum

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from sim.kernels.rowadd import MAX_ENTRY, RowAddTable, add_rows
from sim.kernels.scalar import add_lookups, row_sums

SMALL_ROWS = 192  # below this, building row-add tables costs more than it saves
NARROW_COLUMNS = 4  # likewise for few output columns (depthwise)
FEW_FLUSHES = 800  # an E this small is flushed every fifth block: offsets would not pay
FLOAT32_EXACT = 2**24  # integers up to here are exact in float32
INT32_MAX = 2**31 - 1


class Kernel(Enum):
    """How the error part is summed; all give the same bits."""

    AUTO = "auto"  # by shape: VECTOR where it pays, SCALAR otherwise
    VECTOR = "vector"  # row-add
    SCALAR = "scalar"  # one look-up per product; runs on every CPU


class TableProduct:
    """`out[m, n] = sum over k of table[acts[m, k], weights[k, n]]` on stored bytes.

    The table is split, exactly, as

        table[a, w] = act_values[a] * weight_values[w] + alpha[a] + beta[w] + E[a, w]

    The first term is an ordinary matrix product, done in float32 in slices of k that stay
    below 2**24; the offsets are sums over k alone; E is what row-add sums. Nothing is rounded.

    Parameters
    ----------
    table : int32[256, 256]
        Product of each pair of stored bytes, `[act, weight]`; see `sim.tables.code_table`.
    act_values, weight_values : int16[256]
        Value of each byte, in [-255, 255]. They only steer the split: a poor choice is slower,
        never wrong.
    """

    def __init__(self, table: npt.NDArray[np.int32], act_values: npt.NDArray[np.int16],
                 weight_values: npt.NDArray[np.int16]) -> None:
        if table.shape != (256, 256):
            raise ValueError(f"Product table must have shape (256, 256), not {table.shape}")
        self.table = np.ascontiguousarray(table, np.int32)
        self._largest = int(np.abs(self.table.astype(np.int64)).max())
        self._act_values = act_values.astype(np.float32)
        self._weight_values = weight_values.astype(np.float32)
        # Unsigned codes convert faster than they are looked up; the zero point is subtracted.
        zero_point = -int(act_values[0])
        self._zero_point = (zero_point if (act_values == np.arange(256) - zero_point).all()
                            else None)
        largest_act = max(int(np.abs(act_values).max()), 255 if self._zero_point else 0)
        largest_product = largest_act * int(np.abs(weight_values).max())
        self._slice = max(1, FLOAT32_EXACT // max(largest_product, 1) - 1)
        error = self.table - np.multiply.outer(act_values.astype(np.int32),
                                               weight_values.astype(np.int32))
        self.is_exact = not error.any()
        self._beta = (error.max(axis=0) + error.min(axis=0)) // 2
        error = error - self._beta
        self._alpha = np.zeros(256, np.int32)
        if int(np.abs(error).max()) > FEW_FLUSHES:
            self._alpha = np.ascontiguousarray((error.max(axis=1) + error.min(axis=1)) // 2,
                                               np.int32)
        self._error = np.ascontiguousarray(error - self._alpha[:, None], np.int32)
        self._parts = _int16_parts(self._error)

    def matmul(self, acts: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8], *,
               threads: int = 1, kernel: Kernel = Kernel.AUTO) -> npt.NDArray[np.int32]:
        """Return int32[m, n] for acts uint8[m, k] and weights uint8[k, n].

        threads : the result does not depend on it. kernel : nor on this; AUTO may be overridden
        by the environment variable AUTOAPPROX_KERNEL.

        Raises
        ------
        ValueError
            The shapes do not fit, or k times the largest product exceeds int32: the
            accumulators of the hardware would wrap too.
        """
        if acts.ndim != 2 or weights.ndim != 2 or acts.shape[1] != weights.shape[0]:
            raise ValueError(f"Matrix shapes must fit, not {acts.shape} and {weights.shape}")
        if acts.dtype != np.uint8 or weights.dtype != np.uint8:
            raise ValueError(f"Operands must be stored bytes, not {acts.dtype}, {weights.dtype}")
        (m, k), n = acts.shape, weights.shape[1]
        if k * self._largest > INT32_MAX:
            raise ValueError(f"Accumulators must fit in int32, but {k} products of up to "
                             f"{self._largest} may not")
        # The compiled loops take plain arrays: contiguous, and not marked read-only.
        acts, weights = (np.require(codes, None, ["C", "W"])
                         for codes in (acts, weights))
        out = np.zeros((m, n), np.int32)
        kernel = self._choose(kernel, m, n)
        if kernel is Kernel.SCALAR and not self.is_exact:
            add_lookups(acts, weights, self.table, out)
            return out
        self._add_exact_part(acts, weights, out)
        if not self.is_exact:
            if self._alpha.any():
                alpha = np.zeros(m, np.int32)
                row_sums(acts, self._alpha, alpha)
                out += alpha[:, None]
            out += self._beta[weights].sum(axis=0, dtype=np.int32)
            for scale, part in self._parts:
                if scale == 1:
                    add_rows(acts, weights, part, out, threads=threads)
                else:
                    high = np.zeros_like(out)
                    add_rows(acts, weights, part, high, threads=threads)
                    out += high * np.int32(scale)
        return out

    def _choose(self, kernel: Kernel, m: int, n: int) -> Kernel:
        if kernel is Kernel.AUTO:
            forced = os.environ.get("AUTOAPPROX_KERNEL", "auto")
            try:
                kernel = Kernel(forced)
            except ValueError:
                raise InputError("AUTOAPPROX_KERNEL must be auto, vector or scalar, "
                                 f"not {forced!r}") from None
        if kernel is Kernel.AUTO:
            small = m < SMALL_ROWS or n < NARROW_COLUMNS
            return Kernel.SCALAR if small else Kernel.VECTOR
        return kernel

    def _add_exact_part(self, acts: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8],
                        out: npt.NDArray[np.int32]) -> None:
        for first in range(0, acts.shape[1], self._slice):
            part = slice(first, first + self._slice)
            values = self._weight_values.take(weights[part])
            if self._zero_point is None:
                product = self._act_values.take(acts[:, part]) @ values
            else:
                product = acts[:, part].astype(np.float32) @ values
                product -= self._zero_point * values.sum(axis=0)
            out += product.astype(np.int32)


def _int16_parts(error: npt.NDArray[np.int32]) -> list[tuple[int, RowAddTable]]:
    """Split E into scale * entries with entries small enough for row-add."""
    if not error.any():
        return []
    if int(np.abs(error).max()) <= MAX_ENTRY:
        return [(1, RowAddTable(error))]
    low = (error + 128) % 256 - 128
    return [(1, RowAddTable(low)), (256, RowAddTable((error - low) // 256))]
