"""A split table applied to matrices by the compiled loops, tile by tile, on several threads.

Codes are looked up in the source where they must be. Then rows are taken in blocks that fit in
the caches: of a block, operands are gathered first; then each tile of columns is a job: its GEMM,
its row-add, and what the sink makes of sums that are still in L2. Jobs share nothing that they
write: threads change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.kernels.cheapest import group_size
from sim.kernels.cpu import Cpu
from sim.kernels.gather import Cut, Operand, gather_offsets, gather_panels
from sim.kernels.gemm import gemm_tile
from sim.kernels.lookup import look_up
from sim.kernels.pack import PackedWeights, Tiling, act_ranges, combine_classes
from sim.kernels.rowadd import DEPTH, UNIT, rowadd_tile, table_bytes
from sim.kernels.rows import Rows
from sim.kernels.schedule import Ranges, Schedule, schedule
from sim.kernels.script import Script, address
from sim.kernels.sink import Sink, Tile
from sim.kernels.split import Split, sign_of
from sim.kernels.workers import run_all, shares, workspace

ROWS = 6400  # of a block: their sums stay in L2, tables are built once for them
TERMS = 2**25  # of a block at most, whatever its rows
FEWEST_ROWS = 1024
MANY_WIDENINGS = 8  # per block of terms: a product taken out is cheaper than that
LONG_ROW = 512  # bytes
SLACK = 64  # bytes that may be read beyond the sums

Int16 = npt.NDArray[np.int16]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """A tile of columns: what is alike for all rows.

    pairs : address of the weights of each product. row_add : what its function is given before
    and after the rows. sink : takes the sums. kept : what addresses point to.
    """

    pairs: Sequence[int]
    row_add: tuple[tuple[int, ...], tuple[int, ...]] | None
    sink: Tile = field(repr=False)
    kept: Sequence[Any] = field(repr=False)


class Engine:
    """A split of a table, ready to run on a CPU.

    act_values : int16[256], value of each activation byte; see `sim.kernels.split`.
    """

    def __init__(self, split: Split, act_values: Int16, cpu: Cpu) -> None:
        self.split, self.cpu = split, cpu
        self.group = group_size(split.class_count)
        self._plain = self.group == 1
        self._sign_bit = sign_of(act_values) or 0
        # Of each product's operands: sign bit, None where they must be looked up, and zero point.
        signs = [sign_of(u) for u in split.u]
        self._signs = [(sign, -int(u[sign or 0])) for sign, u in zip(signs, split.u, strict=True)]
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
        tasks = self._tasks(rows, weights, tiling, schedules, sink)
        script = Script()
        factors = [self._factor(script, rows, u, index, threads)
                   for index, u in enumerate(self.split.u)]
        script.barrier()
        for width in sorted({width for _column, width in tiling.tiles}):
            # Offsets are bytes, and rows of a half tile's tables have half of them.
            classes = self._classes(rows, width, threads) if schedules else None
            self._run_tiles(width, [task for task, (_column, wide) in zip(
                tasks, tiling.tiles, strict=True) if wide == width], rows, factors, classes,
                script, threads)
        return True

    def _run_tiles(self, width: int, tasks: Sequence[_Task], rows: Rows,
                   factors: Sequence[Operand], classes: Operand | None, script: Script,
                   threads: int) -> None:
        """Compute all rows of the tiles of one width, block by block, after what `script` has."""
        panel, parts = self.cpu.panel_rows, _parts(len(tasks), threads)
        wanted = max(FEWEST_ROWS, min(ROWS, TERMS // (rows.span * len(rows.taps))))
        # Equal blocks: a short last one would pay for its tables all the same.
        blocks = shares(rows.count, -(-rows.count // (wanted * parts // panel * panel)), panel)
        most = -(-(blocks[0][1] - blocks[0][0]) // panel) * panel
        own = (script.scratch(4 * most * width + SLACK),
               script.scratch(DEPTH * table_bytes(width)), script.scratch(2 * 256 * width))
        for first, last in blocks:
            cuts = [(first + start, first + end)
                    for start, end in shares(last - first, parts, panel)]
            gathered = []
            for part, cut in enumerate(cuts):
                values = [gather_panels(script, self.cpu, factor, cut, sign_bit=sign_bit or 0,
                                        zero_point=zero, name=f"{index} {part}", jobs=threads)
                          for index, ((sign_bit, zero), factor) in enumerate(zip(
                              self._signs, factors, strict=True))]
                offsets = None if classes is None else gather_offsets(
                    script, self.cpu, classes, cut, name=str(part), factor=2 * width, jobs=threads)
                gathered.append(([(address(value), *value.shape[:2]) for value in values],
                                 0 if offsets is None else address(offsets)))
            script.barrier()  # what one thread gathers all threads read
            for task in tasks:
                for cut, (panels, place) in zip(cuts, gathered, strict=True):
                    script.job()
                    self._add_tile(script, task, width, cut, panels, place, own)
            script.barrier()  # the next block is gathered to the same place
        script.run(threads)

    def _add_tile(self, script: Script, task: _Task, width: int, cut: Cut,
                  values: Sequence[tuple[int, int, int]], offsets: int,
                  own: tuple[int, int, int]) -> None:
        """Add the calls that sum a tile of columns for a range of rows, and put it into the sink.

        values : address, panels and units of what was gathered for each product. offsets :
        address of what was gathered for row-add. own : scratch for sums, tables and one table.
        """
        first, last = cut
        sums, tables, scratch = own
        for index, ((place, panels, units), pairs) in enumerate(
                zip(values, task.pairs, strict=True)):
            script.call(gemm_tile(self.cpu, width, add=index > 0), place, pairs, sums, panels,
                        units)
        if task.row_add is not None:
            before, after = task.row_add
            script.call(rowadd_tile(self.cpu, width, self.group), *before, offsets, sums, tables,
                        scratch, self.split.class_count, last - first, *after)
        task.sink.write(script, sums, first=first, count=last - first)

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
        # Several pixels are looked at as one with many channels: long rows are quick.
        together = math.gcd(len(source), LONG_ROW // source.shape[1] or 1)
        source = source.reshape(len(source) // together, -1)
        parts = shares(len(source), threads, 1)
        channels = self._terms(rows) * self.group
        low, high = np.zeros((2, len(parts), source.shape[1]), np.uint8)
        run_all([partial(act_ranges, source, self._sign_bit, *part, low[index], high[index])
                 for index, part in enumerate(parts)], threads)
        each_pixel = len(parts) * together, rows.source.shape[1]
        ends = []
        for end, pick in ((low.reshape(each_pixel).min(axis=0), np.min),
                          (high.reshape(each_pixel).max(axis=0), np.max)):
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

    def _operand(self, source: npt.NDArray[Any], starts: npt.NDArray[np.int64],
                 taps: npt.NDArray[np.int64], span: int) -> Operand:
        return Operand.of(source, starts, taps, span, more=self.cpu.panel_rows)

    def _factor(self, script: Script, rows: Rows, u: Int16, index: int, jobs: int) -> Operand:
        """Return where the values of a product come from, once `script` has looked them up."""
        if self._signs[index][0] is not None:
            return self._operand(rows.source, rows.starts, rows.taps, rows.span)
        size = rows.source.size
        # As many elements more as the loops may read beyond the last.
        out = workspace(f"values {index}", (size + rows.span,), np.int16)[:size].reshape(
            rows.source.shape)
        table = np.ascontiguousarray(u)
        script.keep(table)
        for first, last in shares(size, jobs, LONG_ROW):
            script.job()
            script.call(look_up(self.cpu), address(rows.source) + first, address(table),
                        address(out) + first * out.itemsize, last - first)
        return self._operand(out, rows.starts, rows.taps, rows.span)

    def _classes(self, rows: Rows, width: int, threads: int) -> Operand:
        """Return where the offsets of row-add come from."""
        if self._plain:
            return self._operand(rows.source, rows.starts, rows.taps, rows.span)
        terms, channels = self._terms(rows), rows.source.shape[1]
        out = workspace("classes", (len(rows.source), terms), np.uint16)
        by_code = self.split.classes.astype(np.uint16) * np.uint16(2 * width)
        run_all([partial(combine_classes, rows.source, by_code, self.split.class_count,
                         self.group, out, *part)
                 for part in shares(len(out), threads, 1)], threads)
        return self._operand(out, rows.starts // channels * terms, rows.taps // channels * terms,
                             terms)

    def _tasks(self, rows: Rows, weights: PackedWeights, tiling: Tiling,
               schedules: Sequence[Schedule], sink: Sink) -> list[_Task]:
        """Return the task of each tile."""
        taps = len(rows.taps)
        pairs = [weights.pairs(tiling, v, taps, rows.span) for v in self.split.v]
        codes = weights.tile_codes(tiling, taps, self._terms(rows) * self.group) \
            if schedules else []
        tasks = []
        for tile, (column, width) in enumerate(tiling.tiles):
            columns, row_add, kept = np.zeros(width, np.int32), None, []
            if schedules:
                plan = schedules[tile]
                columns, kept = plan.columns, [plan, codes[tile]]
                row_add = ((address(self._columns), self._columns.strides[0],
                            address(codes[tile]), address(plan.centres)),
                           (address(plan.occurring), len(plan.centres) // self.group // UNIT,
                            address(plan.steps), int(bool(pairs))))
            tasks.append(_Task(pairs=[address(packed[tile]) for packed in pairs],
                               row_add=row_add, sink=sink.tile(column, columns),
                               kept=[*kept, *(packed[tile] for packed in pairs)]))
        return tasks


def _parts(tiles: int, threads: int) -> int:
    """Return into how many ranges of rows to cut blocks, so that all threads are busy."""
    parts = 1
    while parts < threads and (tiles * parts) % threads and tiles * parts < 4 * threads:
        parts += 1
    return parts
