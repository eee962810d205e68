"""Where finished sums go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sim.kernels.jit.arena import this_arena
from sim.kernels.jit.cpu import this_cpu
from sim.kernels.jit.handle import Handle
from sim.kernels.jit.script import Script
from sim.kernels.loops.columns import add_columns

Int32 = npt.NDArray[np.int32]
WHOLE = 16  # sinks read so many columns at a time


# Adds the calls that take the sums of some columns to the job at hand: int32[count or more, lanes],
# their first row, count. Sixteen lanes may be read from any of the sums on.
Tile = Callable[[Script, Handle, int, int], None]


class Sink(Protocol):
    """Takes sums tile by tile, from several threads, each element once."""

    def tile(self, column: int, offsets: Int32) -> Tile:
        """Return what takes `sums[m, n] + offsets[n]` as the columns from `column` on.

        offsets : int32[lanes]; lanes beyond the last column are to be dropped.
        """


def put(sink: Sink, sums: Int32) -> None:
    """Give a sink all of its sums int32[m, n] at once."""
    m, n = sums.shape
    padded = np.zeros((m, -(-n // WHOLE) * WHOLE), np.int32)
    padded[:, :n] = sums
    tile = sink.tile(0, np.zeros(padded.shape[1], np.int32))
    script = Script(this_arena())
    script.job()
    tile(script, Handle.of(padded), 0, m)
    script.run(1)


@dataclass(frozen=True, eq=False)
class Matrix:
    """Sums put into a matrix int32[m, n]."""

    values: Int32 = field(repr=False)

    def tile(self, column: int, offsets: Int32) -> Tile:
        """See `Sink`."""
        out, added = Handle.of(self.values).skip(0, column), Handle.of(offsets)
        width = min(len(offsets), out.shape[1])

        def write(script: Script, sums: Handle, first: int, count: int) -> None:
            script.call(add_columns(this_cpu()), sums=sums, row_bytes=sums.strides[0],
                        columns=added, out=out.skip(first), out_row_bytes=out.strides[0],
                        rows=count, width=width)

        return write
