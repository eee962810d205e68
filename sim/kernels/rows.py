"""The left operand of a product: rows gathered from a channels-last image, or a plain matrix.

A convolution is a matrix product whose rows are windows of an image. They need not be written
out: a row starts at a pixel, and its terms lie at the same distances from there in every row
(the indirect convolution of Dukhan, 2019, arXiv:1907.02129).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
UNIT = 8  # channels that the loops read at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """`row m, term (t, c) = source[starts[m] + taps[t], c]`.

    Parameters
    ----------
    source : uint8[pixels, channels]
        Stored bytes, contiguous; channels in a multiple of 8.
    starts : int64[m]
    taps : int64[taps]
    terms : int
        Channels that count: those beyond them pad a matrix, and are 0.
    """

    source: Bytes = field(repr=False)
    starts: Int64 = field(repr=False)
    taps: Int64 = field(repr=False)
    terms: int

    def __post_init__(self) -> None:
        if self.source.shape[1] % UNIT:
            raise ValueError(f"Rows must have channels in a multiple of {UNIT}, "
                             f"not {self.source.shape[1]}")

    @classmethod
    def of_matrix(cls, acts: Bytes) -> Rows:
        """Return the rows of uint8[m, k], a copy only where k is no multiple of 8."""
        m, k = acts.shape
        source = acts
        if k % UNIT:
            source = np.zeros((m, -(-k // UNIT) * UNIT), np.uint8)
            source[:, :k] = acts
        # The compiled loops take plain arrays: contiguous, and not marked read-only.
        return cls(source=np.require(source, None, ["C", "W"]), starts=np.arange(m),
                   taps=np.zeros(1, np.int64), terms=k)

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.starts)

    @property
    def channels(self) -> int:
        """Channels of the source, padding included."""
        return int(self.source.shape[1])

    @cached_property
    def matrix(self) -> Bytes:
        """The rows written out, uint8[m, taps * terms]."""
        rows = self.source[self.starts[:, None] + self.taps, :self.terms]
        return np.ascontiguousarray(rows.reshape(self.count, -1))
