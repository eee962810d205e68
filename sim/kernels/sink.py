"""Where finished sums go."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from numba import njit

Int32 = npt.NDArray[np.int32]


class Sink(Protocol):
    """Takes tiles of sums, from several threads, each element once."""

    def put(self, sums: Int32, columns: Int32, first: int, column: int) -> None:
        """Take `sums[m, n] + columns[n]` as rows from `first` and columns from `column` on.

        sums : int32[rows, lanes], contiguous; lanes beyond the last column are to be dropped.
        """


class Matrix:
    """Sums as a matrix int32[m, n]: `values`."""

    def __init__(self, m: int, n: int) -> None:
        self.values = np.empty((m, n), np.int32)

    def put(self, sums: Int32, columns: Int32, first: int, column: int) -> None:
        """See `Sink`."""
        _put(sums, columns, self.values, first, column)


@njit("void(int32[:,::1], int32[::1], int32[:,::1], int64, int64)", nogil=True, cache=True)
def _put(sums: Int32, columns: Int32, out: Int32, first: int, column: int) -> None:
    width = min(sums.shape[1], out.shape[1] - column)
    for m in range(sums.shape[0]):
        target, source = out[first + m, column:column + width], sums[m]
        for n in range(width):
            target[n] = source[n] + columns[n]
