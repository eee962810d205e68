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
    """`row m, term (t, c) = source[starts[m] + taps[t] + c]`, c below `terms`, source flat.

    Parameters
    ----------
    source : uint8[pixels, channels]
        Stored bytes, contiguous; `with_slack` where a tap may read beyond the last.
    starts : int64[m]
    taps : int64[taps]
        Both count elements of the source.
    span : int
        Elements that the loops read from a tap on, a multiple of 8: those beyond `terms` are
        neighbours or padding, and meet no weight.
    terms : int
        Elements of a tap that count.
    aligned : bool
        Taps begin at pixels: term c is channel c.
    """

    source: Bytes = field(repr=False)
    starts: Int64 = field(repr=False)
    taps: Int64 = field(repr=False)
    span: int
    terms: int
    aligned: bool = True

    def __post_init__(self) -> None:
        if self.span % UNIT or self.span < self.terms:
            raise ValueError(f"Rows must span a multiple of {UNIT} from {self.terms} on, "
                             f"not {self.span}")

    @classmethod
    def of_matrix(cls, acts: Bytes) -> Rows:
        """Return the rows of uint8[m, k], a copy only where k is no multiple of 8."""
        m, k = acts.shape
        span = -(-k // UNIT) * UNIT
        source = acts
        if k != span:
            source = np.zeros((m, span), np.uint8)
            source[:, :k] = acts
        # The compiled loops take plain arrays: contiguous, and not marked read-only.
        return cls(source=np.require(source, None, ["C", "W"]), starts=np.arange(m) * span,
                   taps=np.zeros(1, np.int64), span=span, terms=k)

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.starts)

    @cached_property
    def matrix(self) -> Bytes:
        """The rows written out, uint8[m, taps * terms]."""
        first = self.starts[:, None, None] + self.taps[:, None]
        rows = self.source.reshape(-1)[first + np.arange(self.terms)]
        return np.ascontiguousarray(rows.reshape(self.count, -1))


def with_slack(shape: tuple[int, ...]) -> Bytes:
    """Return uint8 memory for a source, followed by UNIT readable bytes."""
    size = int(np.prod(shape))
    return np.empty(size + UNIT, np.uint8)[:size].reshape(shape)
