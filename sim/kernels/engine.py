"""A split table applied to matrices by the compiled loops, tile by tile, on several threads.

Codes are looked up in the source where they must be. Then rows are taken in blocks that fit in
the caches: of a block, operands are gathered first; then each tile of columns is a job: its GEMM
and its row-add, into sums that stay in L2. Jobs share nothing that they write: threads
change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.kernels.cpu import Cpu
from sim.kernels.gemm import gemm_tile
from sim.kernels.pack import PackedWeights, Tiling, act_ranges, combine_classes, look_up
from sim.kernels.plan import group_size
from sim.kernels.reorder import rows_to_offsets, rows_to_panels
from sim.kernels.rowadd import DEPTH, UNIT, rowadd_tile, table_bytes
from sim.kernels.rows import Rows
from sim.kernels.schedule import Ranges, Schedule, schedule
from sim.kernels.sink import Sink
from sim.kernels.split import Split, sign_of
from sim.kernels.workers import run_all, shares, workspace

ROWS = 6400  # of a block: their sums stay in L2, tables are built once for them
TERMS = 2**25  # of a block at most, whatever its rows
FEWEST_ROWS = 1024
MANY_WIDENINGS = 8  # per block of terms: a product taken out is cheaper than that

Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]
Cut = tuple[int, int]  # first row and the one after the last


@dataclass(frozen=True, kw_only=True, eq=False)
class _Operand:
    """A source to gather from: bytes, or int16 that were looked up.

    block_offsets : int64[blocks], bytes from the start of a row.
    """

    source: npt.NDArray[Any] = field(repr=False)
    block_offsets: Int64 = field(repr=False)

    @classmethod
    def of(cls, source: npt.NDArray[Any], taps: Int64, span: int) -> _Operand:
        within = np.arange(0, span, UNIT)
        offsets = (taps[:, None] + within).reshape(-1) * source.itemsize
        return cls(source=source, block_offsets=np.ascontiguousarray(offsets, np.int64))

    @property
    def from_bytes(self) -> bool:
        return self.source.dtype == np.uint8

    def row_offsets(self, starts: Int64, unit: int) -> Int64:
        """Return bytes from the start of the source to each row, padded to whole units."""
        padded = np.empty(-(-len(starts) // unit) * unit, np.int64)
        padded[:len(starts)] = starts * self.source.itemsize
        padded[len(starts):] = padded[len(starts) - 1]
        return padded


class Engine:
    """A split of a table, ready to run on a CPU.

    act_values : int16[256], value of each activation byte; see `sim.kernels.split`.
    """

    def __init__(self, split: Split, act_values: Int16, cpu: Cpu) -> None:
        self.split, self.cpu = split, cpu
        self.group = group_size(split.class_count)
        self._plain = self.group == 1
        self._sign_bit = sign_of(act_values) or 0
        if split.class_count:
            ordered = np.arange(256) ^ self._sign_bit
            zero = int(np.abs(act_values[ordered]).argmin())
            self._ranges = Ranges.of(split.rest[split.classes][ordered], zero)
            self._columns = np.zeros((257, -(-split.class_count // 8) * 8), np.int16)
            # Modulo 2**16: less its centre, every entry that is used fits.
            self._columns[:256, :split.class_count] = split.rest.T.astype(np.int16)

    def run(self, rows: Rows, weights: PackedWeights, sink: Sink, *, threads: int,
            last_resort: bool) -> bool:
        """Put the products of all rows into `sink`; return False, having done nothing, if slow.

        last_resort : only say no when it cannot be done.
        """
        if self.split.class_count and self.group > 1 and not rows.aligned:
            return False  # codes are combined pixel by pixel
        tiling = Tiling(n=weights.codes.shape[1], lanes=self.cpu.lanes)
        schedules = self._schedules(rows, weights, tiling, threads)
        if schedules is None:
            return False
        if not last_resort and schedules and sum(tile.widenings for tile in schedules) \
                > MANY_WIDENINGS * sum(tile.steps.size for tile in schedules):
            return False
        panel = self.cpu.panel_rows
        pairs = [weights.pairs(tiling, v, len(rows.taps), rows.span) for v in self.split.v]
        factors = [self._factor(rows, u, index, threads) for index, u in enumerate(self.split.u)]
        wanted = max(FEWEST_ROWS, min(ROWS, TERMS // (rows.span * len(rows.taps))))
        # Offsets are bytes, and rows of a half tile's tables have half of them.
        for width in sorted({width for _column, width in tiling.tiles}):
            tiles = [tile for tile, (_column, wide) in enumerate(tiling.tiles) if wide == width]
            classes = self._classes(rows, width, threads) if schedules else None
            parts = _parts(len(tiles), threads)
            # Equal blocks: a short last one would pay for its tables all the same.
            blocks = shares(rows.count, -(-rows.count // (wanted * parts // panel * panel)), panel)
            for first, last in blocks:
                cuts = [(first + start, first + end)
                        for start, end in shares(last - first, parts, panel)]
                values = [[self._panels(rows, u, factor, f"{index} {part}", cut)
                           for part, cut in enumerate(cuts)]
                          for index, (u, factor) in enumerate(zip(self.split.u, factors,
                                                                  strict=True))]
                offsets = [self._offsets(rows, classes, part, cut, width)
                           for part, cut in enumerate(cuts)] if classes else None
                run_all([job for group in (*values, offsets or ()) for part in group
                         for job in part.jobs(threads)], threads)
                run_all([
                    partial(self._tile, weights, tiling, tile, cut,
                            [(group[part].out, packed[tile])
                             for group, packed in zip(values, pairs, strict=True)],
                            offsets[part].out if offsets else None,
                            schedules[tile] if schedules else None, len(rows.taps), sink)
                    for tile in tiles for part, cut in enumerate(cuts)], threads)
        return True

    # --- preparing ----------------------------------------------------------------------

    def _terms(self, rows: Rows) -> int:
        """Return the terms of row-add per tap: groups of elements, in whole blocks."""
        return -(-rows.span // (UNIT * self.group)) * UNIT

    def _schedules(self, rows: Rows, weights: PackedWeights, tiling: Tiling,
                   threads: int) -> list[Schedule] | None:
        """Return the schedule of each tile, none without row-add, None when one cannot be."""
        if not self.split.class_count:
            return []
        source = rows.source
        parts = shares(len(source), threads, 1)
        channels = self._terms(rows) * self.group
        low, high = np.zeros((2, len(parts), source.shape[1]), np.uint8)
        run_all([partial(act_ranges, source, self._sign_bit, *part, low[index], high[index])
                 for index, part in enumerate(parts)], threads)
        ends = []
        for end, pick in ((low.min(axis=0), np.min), (high.max(axis=0), np.max)):
            each = np.zeros(channels, np.uint8)
            if rows.aligned:
                each[:len(end)] = end
            else:  # any element may be any term
                each[:] = pick(end)
            ends.append(np.tile(each, len(rows.taps)))
        smallest, largest = ends
        codes = weights.tile_codes(tiling, len(rows.taps), channels)
        found: list[Schedule | None] = [None] * len(codes)
        # Codes in the order of values are codes as stored only where bytes are unsigned.
        occurring = (largest.astype(np.uint16) + np.uint16(1) if self._sign_bit == 0
                     else np.full(largest.shape, 256, np.uint16))

        def of(tile: int) -> None:
            found[tile] = schedule(codes[tile], smallest, largest, self._ranges, self.group,
                                   occurring)

        run_all([partial(of, tile) for tile in range(len(codes))], threads)
        done = [tile for tile in found if tile is not None]
        return done if all(tile.feasible for tile in done) else None

    def _factor(self, rows: Rows, u: Int16, index: int, threads: int) -> _Operand:
        """Return where the values of a product come from."""
        if sign_of(u) is not None:
            return _Operand.of(rows.source, rows.taps, rows.span)
        size = rows.source.size
        # As many elements more as the loops may read beyond the last.
        out = workspace(f"values {index}", (size + rows.span,), np.int16)[:size].reshape(
            rows.source.shape)
        table = np.ascontiguousarray(u)
        run_all([partial(look_up, rows.source, table, out, *part)
                 for part in shares(len(out), threads, 1)], threads)
        return _Operand.of(out, rows.taps, rows.span)

    def _classes(self, rows: Rows, width: int, threads: int) -> _Operand:
        """Return where the offsets of row-add come from."""
        if self._plain:
            return _Operand.of(rows.source, rows.taps, rows.span)
        terms, channels = self._terms(rows), rows.source.shape[1]
        out = workspace("classes", (len(rows.source), terms), np.uint16)
        by_code = self.split.classes.astype(np.uint16) * np.uint16(2 * width)
        run_all([partial(combine_classes, rows.source, by_code, self.split.class_count,
                         self.group, out, *part)
                 for part in shares(len(out), threads, 1)], threads)
        return _Operand.of(out, rows.taps // channels * terms, terms)

    def _panels(self, rows: Rows, u: Int16, operand: _Operand, name: str, cut: Cut) -> _Gathered:
        panel = self.cpu.panel_rows
        offsets = operand.row_offsets(rows.starts[slice(*cut)], panel)
        blocks = len(operand.block_offsets)
        out = workspace(f"panels {name}", (len(offsets) // panel, blocks, panel, UNIT), np.int16)
        move = rows_to_panels(self.cpu, from_bytes=operand.from_bytes)
        sign_bit = sign_of(u) or 0

        def gather(first: int, last: int) -> None:
            move(operand.source.ctypes.data, offsets[first * panel:].ctypes.data,
                 operand.block_offsets.ctypes.data, out[first:].ctypes.data, last - first,
                 blocks, sign_bit, -int(u[sign_bit]))

        return _Gathered(out=out, gather=gather, count=len(out))

    def _offsets(self, rows: Rows, operand: _Operand, part: int, cut: Cut,
                 width: int) -> _Gathered:
        starts = rows.starts[slice(*cut)]
        if self.group > 1:  # pixels of combined terms
            starts = starts // rows.source.shape[1] * operand.source.shape[1]
        offsets = operand.row_offsets(starts, 1)
        units = len(operand.block_offsets)
        out = workspace(f"offsets {part}", (-(-units // 2), len(offsets), DEPTH), np.uint16)
        move = rows_to_offsets(self.cpu, from_bytes=operand.from_bytes)

        def gather(first: int, last: int) -> None:
            move(operand.source.ctypes.data, offsets[first:].ctypes.data,
                 operand.block_offsets.ctypes.data, out[:, first:].ctypes.data, last - first,
                 units, out.strides[0], 2 * width)

        return _Gathered(out=out, gather=gather, count=len(offsets))

    # --- computing ----------------------------------------------------------------------

    def _tile(self, weights: PackedWeights, tiling: Tiling, tile: int, cut: Cut,
              products: Sequence[tuple[npt.NDArray[Any], Int16]],
              offsets: npt.NDArray[Any] | None, plan: Schedule | None, taps: int,
              sink: Sink) -> None:
        """Sum a tile of columns for a range of rows, and put it into the sink."""
        (first, last), (column, width) = cut, tiling.tiles[tile]
        rows, panel = last - first, self.cpu.panel_rows
        panels = -(-rows // panel)
        sums = workspace("sums32", (panels * panel, width), np.int32)
        for index, (values, pairs) in enumerate(products):
            gemm_tile(self.cpu, width, add=index > 0)(
                values.ctypes.data, pairs.ctypes.data, sums.ctypes.data, panels, values.shape[1])
        columns = np.zeros(width, np.int32)
        if plan is not None and offsets is not None:
            codes = weights.tile_codes(tiling, taps, len(plan.centres) // taps)[tile]
            tables = workspace("tables", (DEPTH * table_bytes(width),), np.uint8)
            scratch = workspace("scratch", (256, width), np.int16)
            rowadd_tile(self.cpu, width, self.group)(
                self._columns.ctypes.data, self._columns.strides[0], codes.ctypes.data,
                plan.centres.ctypes.data, offsets.ctypes.data, sums.ctypes.data,
                tables.ctypes.data, scratch.ctypes.data, self.split.class_count,
                plan.occurring.ctypes.data, rows, len(plan.occurring) // self.group // UNIT,
                plan.steps.ctypes.data, int(bool(products)))
            columns = plan.columns
        sink.put(sums[:rows], columns, first, column)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Gathered:
    """An array that `gather(first, last)` fills, `count` units in all."""

    out: npt.NDArray[Any] = field(repr=False)
    gather: Callable[[int, int], None]
    count: int

    def jobs(self, threads: int) -> list[Callable[[], None]]:
        return [partial(self.gather, *part) for part in shares(self.count, threads, 1)]


def _parts(tiles: int, threads: int) -> int:
    """Return into how many ranges of rows to cut blocks, so that all threads are busy."""
    parts = 1
    while parts < threads and (tiles * parts) % threads and tiles * parts < 4 * threads:
        parts += 1
    return parts
