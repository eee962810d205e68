"""Jobs that gather the rows of a product in the order in which GEMM and row-add read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.kernels.cpu import Cpu
from sim.kernels.reorder import rows_to_offsets, rows_to_panels
from sim.kernels.rowadd import DEPTH, UNIT
from sim.kernels.script import Script, address
from sim.kernels.workers import shares, workspace

Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]
Cut = tuple[int, int]  # first row and the one after the last


@dataclass(frozen=True, kw_only=True, eq=False)
class Operand:
    """A source to gather from: bytes, or int16 that were looked up.

    row_offsets : int64[rows + more], bytes from the start of the source to each row; more, so that
    whole panels may be read. unit_offsets : int64[units], bytes from there to each unit.
    """

    source: npt.NDArray[Any] = field(repr=False)
    row_offsets: Int64 = field(repr=False)
    unit_offsets: Int64 = field(repr=False)

    @classmethod
    def of(cls, source: npt.NDArray[Any], starts: Int64, taps: Int64, span: int, *,
           more: int) -> Operand:
        """Return the operand whose rows have `span` elements from each tap on."""
        rows = np.empty(len(starts) + more, np.int64)
        np.multiply(starts, source.itemsize, out=rows[:len(starts)])
        rows[len(starts):] = rows[len(starts) - 1]
        within = np.arange(0, span, UNIT)
        units = (taps[:, None] + within).reshape(-1) * source.itemsize
        return cls(source=source, row_offsets=rows,
                   unit_offsets=np.ascontiguousarray(units, np.int64))

    @property
    def from_bytes(self) -> bool:
        """Whether the source has yet to be looked up."""
        return self.source.dtype == np.uint8

    @cached_property
    def places(self) -> tuple[int, int, int]:
        """Addresses of the source, the rows and the units."""
        return address(self.source), address(self.row_offsets), address(self.unit_offsets)


def gather_panels(script: Script, cpu: Cpu, operand: Operand, cut: Cut, *, sign_bit: int,
                  zero_point: int, name: str, jobs: int) -> Int16:
    """Add jobs that gather rows for `sim.kernels.gemm`; return int16[panels, units, rows, 8].

    cut : first row and the one after the last. Where the source has bytes, their values are
    (byte ^ sign_bit) - zero_point. name : of the memory, which is lent until the next call with it.
    """
    source, rows, unit_offsets = operand.places
    units, panel = len(operand.unit_offsets), cpu.panel_rows
    out: Int16 = workspace(f"panels {name}", (-(-(cut[1] - cut[0]) // panel), units, panel, UNIT),
                           np.int16)
    move, target = rows_to_panels(cpu, from_bytes=operand.from_bytes), address(out)
    script.keep(operand)
    for first, last in shares(len(out), jobs, 1):
        script.job()
        script.call(move, source, rows + 8 * (cut[0] + first * panel), unit_offsets,
                    target + first * out.strides[0], last - first, units, sign_bit,
                    zero_point)
    return out


def gather_offsets(script: Script, cpu: Cpu, operand: Operand, cut: Cut, *, name: str,
                   factor: int, jobs: int) -> npt.NDArray[np.uint16]:
    """Add jobs that gather rows for `sim.kernels.rowadd`; return uint16[blocks, rows, DEPTH].

    factor : of bytes; otherwise as for `gather_panels`.
    """
    source, rows, unit_offsets = operand.places
    units, count = len(operand.unit_offsets), cut[1] - cut[0]
    out: npt.NDArray[np.uint16] = workspace(f"offsets {name}", (-(-units // 2), count, DEPTH),
                                            np.uint16)
    move, target = rows_to_offsets(cpu, from_bytes=operand.from_bytes), address(out)
    script.keep(operand)
    for first, last in shares(count, jobs, 1):
        script.job()
        script.call(move, source, rows + 8 * (cut[0] + first), unit_offsets,
                    target + first * out.strides[1], last - first, units, out.strides[0], factor)
    return out
