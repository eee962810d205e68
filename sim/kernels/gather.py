"""Jobs that gather the rows of a product in the order in which GEMM and row-add read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.kernels.jit.arena import Arena
from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.handle import Handle
from sim.kernels.jit.script import Script
from sim.kernels.jit.workers import shares
from sim.kernels.loops.reorder import rows_to_blocks, rows_to_panels
from sim.kernels.loops.rowadd import DEPTH, UNIT

Int64 = npt.NDArray[np.int64]
Cut = tuple[int, int]  # first row and the one after the last


@dataclass(frozen=True, kw_only=True, eq=False)
class Operand:
    """A source to gather from: bytes, or 16 bits that were looked up.

    row_offsets : int64[rows + more], bytes from the start of the source to each row; more, so that
    whole panels may be read. unit_offsets : int64[units], bytes from there to each unit. in_pairs :
    units 2 i and 2 i + 1 are neighbours.
    """

    source: Handle
    row_offsets: Handle
    unit_offsets: Handle
    in_pairs: bool

    @classmethod
    def of(cls, source: npt.NDArray[Any], starts: Int64, taps: Int64, span: int, *,
           more: int) -> Operand:
        """Return the operand whose rows have `span` elements from each tap on."""
        rows = np.empty(len(starts) + more, np.int64)
        np.multiply(starts, source.itemsize, out=rows[:len(starts)])
        rows[len(starts):] = rows[len(starts) - 1]
        within = np.arange(0, span, UNIT)
        units = (taps[:, None] + within).reshape(-1) * source.itemsize
        return cls(source=Handle.of(source), row_offsets=Handle.of(rows),
                   unit_offsets=Handle.of(units), in_pairs=span % (2 * UNIT) == 0)

    def room(self, arena: Arena, rows: int, kind: type) -> npt.NDArray[Any]:
        """Return memory for so many gathered rows."""
        return arena.take((rows, -(-self.unit_offsets.shape[0] // 2) * DEPTH), kind)


def gather_panels(script: Script, cpu: Cpu, operand: Operand, cut: Cut,
                  room: npt.NDArray[Any], *, sign_bit: int, zero_point: int,
                  jobs: int) -> Handle:
    """Add jobs that gather rows for GEMM; return [panels, units, panel rows, 8].

    cut : first row and the one after the last. room : for them, in whole panels, int16, or uint8
    for the GEMM of bytes. Where the source has bytes, their values are (byte ^ sign_bit) -
    zero_point; as bytes, without the zero point.
    """
    units, panel = operand.unit_offsets.shape[0], cpu.panel_rows
    shape = -(-(cut[1] - cut[0]) // panel), units, panel, UNIT
    out = Handle.of(np.ndarray(shape, room.dtype, room))
    move = rows_to_panels(cpu, from_bytes=operand.source.dtype == np.uint8,
                          to_bytes=out.dtype == np.uint8, in_pairs=operand.in_pairs)
    for first, last in shares(out.shape[0], jobs, 1):
        script.job()
        script.call(move, source=operand.source,
                    row_offsets=operand.row_offsets.skip(cut[0] + first * panel),
                    block_offsets=operand.unit_offsets, out=out.skip(first), panels=last - first,
                    blocks=units, sign_bit=sign_bit, zero_point=zero_point)
    return out


def gather_blocks(script: Script, cpu: Cpu, operand: Operand, cut: Cut,
                  room: npt.NDArray[np.uint8], *, jobs: int) -> Handle:
    """Add jobs that gather rows of bytes for row-add; return uint8[blocks, rows, DEPTH].

    Otherwise as for `gather_panels`.
    """
    units, count = operand.unit_offsets.shape[0], cut[1] - cut[0]
    out = Handle.of(np.ndarray((-(-units // 2), count, DEPTH), np.uint8, room))
    for first, last in shares(count, jobs, 1):
        script.job()
        script.call(rows_to_blocks(cpu, in_pairs=operand.in_pairs), source=operand.source,
                    row_offsets=operand.row_offsets.skip(cut[0] + first),
                    unit_offsets=operand.unit_offsets, out=out.skip(0, first), rows=last - first,
                    units=units, block_bytes=out.strides[0])
    return out
