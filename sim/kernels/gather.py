"""Jobs that gather the rows of a product in the order in which GEMM and row-add read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.kernels.cpu import Cpu
from sim.kernels.reorder import rows_to_offsets, rows_to_panels
from sim.kernels.rowadd import DEPTH, UNIT
from sim.kernels.script import Script, address
from sim.kernels.split import sign_of
from sim.kernels.workers import shares, workspace

Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Operand:
    """A source to gather from: bytes, or int16 that were looked up.

    unit_offsets : int64[units], bytes from the start of a row.
    """

    source: npt.NDArray[Any] = field(repr=False)
    unit_offsets: Int64 = field(repr=False)

    @classmethod
    def of(cls, source: npt.NDArray[Any], taps: Int64, span: int) -> Operand:
        """Return the operand whose rows have `span` elements from each tap on."""
        within = np.arange(0, span, UNIT)
        offsets = (taps[:, None] + within).reshape(-1) * source.itemsize
        return cls(source=source, unit_offsets=np.ascontiguousarray(offsets, np.int64))

    @property
    def from_bytes(self) -> bool:
        """Whether the source has yet to be looked up."""
        return self.source.dtype == np.uint8

    def row_offsets(self, starts: Int64, unit: int) -> Int64:
        """Return bytes from the start of the source to each row, padded to whole units."""
        padded = np.empty(-(-len(starts) // unit) * unit, np.int64)
        padded[:len(starts)] = starts * self.source.itemsize
        padded[len(starts):] = padded[len(starts) - 1]
        return padded


def gather_panels(script: Script, cpu: Cpu, operand: Operand, starts: Int64, u: Int16, *,
                  name: str, jobs: int) -> Int16:
    """Add jobs that gather rows for `sim.kernels.gemm`; return int16[panels, units, rows, 8].

    starts : elements of the source before each row. u : value of each byte, where the source has
    bytes. name : of the memory, which is lent until the next call with it.
    """
    offsets = operand.row_offsets(starts, cpu.panel_rows)
    units = len(operand.unit_offsets)
    out: Int16 = workspace(
        f"panels {name}", (len(offsets) // cpu.panel_rows, units, cpu.panel_rows, UNIT), np.int16)
    move = rows_to_panels(cpu, from_bytes=operand.from_bytes)
    sign_bit = sign_of(u) or 0
    script.keep(operand, offsets)
    for first, last in shares(len(out), jobs, 1):
        script.job()
        script.call(move, address(operand.source),
                    address(offsets) + first * cpu.panel_rows * offsets.itemsize,
                    address(operand.unit_offsets), address(out) + first * out.strides[0],
                    last - first, units, sign_bit, -int(u[sign_bit]))
    return out


def gather_offsets(script: Script, cpu: Cpu, operand: Operand, starts: Int64, *, name: str,
                   factor: int, jobs: int) -> npt.NDArray[np.uint16]:
    """Add jobs that gather rows for `sim.kernels.rowadd`; return uint16[blocks, rows, DEPTH].

    factor : of bytes; otherwise as for `gather_panels`.
    """
    offsets = operand.row_offsets(starts, 1)
    units = len(operand.unit_offsets)
    out: npt.NDArray[np.uint16] = workspace(
        f"offsets {name}", (-(-units // 2), len(offsets), DEPTH), np.uint16)
    move = rows_to_offsets(cpu, from_bytes=operand.from_bytes)
    script.keep(operand, offsets)
    for first, last in shares(len(offsets), jobs, 1):
        script.job()
        script.call(move, address(operand.source), address(offsets) + first * offsets.itemsize,
                    address(operand.unit_offsets), address(out) + first * out.strides[1],
                    last - first, units, out.strides[0], factor)
    return out
