"""A split table applied to matrices by the compiled loops, tile by tile, on several threads.

Codes are looked up in the source where they must be. Then rows are taken in blocks that fit in
the caches: of a block, operands are gathered first; then each tile of columns is a job: its GEMM,
its row-add, and what the sink makes of sums that are still in L2. Jobs share nothing that they
write: threads change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from sim.kernels.cpu import Cpu
from sim.kernels.gather import Operand, gather_offsets, gather_panels
from sim.kernels.gemm import gemm_tile
from sim.kernels.pack import PackedWeights, Tiling, act_ranges, combine_classes, look_up
from sim.kernels.plan import group_size
from sim.kernels.rowadd import DEPTH, UNIT, rowadd_tile, table_bytes
from sim.kernels.rows import Rows
from sim.kernels.schedule import Ranges, Schedule, schedule
from sim.kernels.script import Script, address
from sim.kernels.sink import Sink
from sim.kernels.split import Split, sign_of
from sim.kernels.workers import run_all, shares, workspace

ROWS = 6400  # of a block: their sums stay in L2, tables are built once for them
TERMS = 2**25  # of a block at most, whatever its rows
FEWEST_ROWS = 1024
MANY_WIDENINGS = 8  # per block of terms: a product taken out is cheaper than that
SLACK = 64  # bytes that may be read beyond the sums

Int16 = npt.NDArray[np.int16]
Cut = tuple[int, int]  # first row and the one after the last


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """What is alike for all tiles of one width and all rows.

    pairs : weights for GEMM of each product, by tile. codes : weights for row-add, by tile.
    schedules : by tile, none without row-add.
    """

    tiling: Tiling
    width: int
    pairs: Sequence[Sequence[Int16]] = field(repr=False)
    codes: Sequence[npt.NDArray[np.uint16]] = field(repr=False)
    schedules: Sequence[Schedule] = field(repr=False)
    sink: Sink = field(repr=False)


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
        factors = [self._factor(rows, u, index, threads) for index, u in enumerate(self.split.u)]
        for width in sorted({width for _column, width in tiling.tiles}):
            task = _Task(
                tiling=tiling, width=width, schedules=schedules, sink=sink,
                pairs=[weights.pairs(tiling, v, len(rows.taps), rows.span) for v in self.split.v],
                codes=weights.tile_codes(tiling, len(rows.taps), self._terms(rows) * self.group)
                if schedules else ())
            self._run_tiles(task, rows, factors, threads)
        return True

    def _run_tiles(self, task: _Task, rows: Rows, factors: Sequence[Operand],
                   threads: int) -> None:
        """Compute all rows of the tiles of one width, block by block."""
        panel = self.cpu.panel_rows
        tiles = [tile for tile, (_column, wide) in enumerate(task.tiling.tiles)
                 if wide == task.width]
        # Offsets are bytes, and rows of a half tile's tables have half of them.
        classes = self._classes(rows, task.width, threads) if task.schedules else None
        parts = _parts(len(tiles), threads)
        wanted = max(FEWEST_ROWS, min(ROWS, TERMS // (rows.span * len(rows.taps))))
        script = Script()
        # Equal blocks: a short last one would pay for its tables all the same.
        for first, last in shares(rows.count, -(-rows.count // (wanted * parts // panel * panel)),
                                  panel):
            cuts = [(first + start, first + end)
                    for start, end in shares(last - first, parts, panel)]
            values = [[gather_panels(script, self.cpu, factor, rows.starts[slice(*cut)], u,
                                     name=f"{index} {part}", jobs=threads)
                       for part, cut in enumerate(cuts)]
                      for index, (u, factor) in enumerate(zip(self.split.u, factors,
                                                              strict=True))]
            offsets = [gather_offsets(
                script, self.cpu, classes, self._class_starts(rows, classes, cut),
                name=str(part), factor=2 * task.width, jobs=threads)
                for part, cut in enumerate(cuts)] if classes else []
            if threads > 1:  # what one thread gathers all threads read
                script.run(threads)
            self._add_tiles(script, task, tiles, cuts, values, offsets)
            script.run(threads)

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

    def _factor(self, rows: Rows, u: Int16, index: int, threads: int) -> Operand:
        """Return where the values of a product come from."""
        if sign_of(u) is not None:
            return Operand.of(rows.source, rows.taps, rows.span)
        size = rows.source.size
        # As many elements more as the loops may read beyond the last.
        out = workspace(f"values {index}", (size + rows.span,), np.int16)[:size].reshape(
            rows.source.shape)
        table = np.ascontiguousarray(u)
        run_all([partial(look_up, rows.source, table, out, *part)
                 for part in shares(len(out), threads, 1)], threads)
        return Operand.of(out, rows.taps, rows.span)

    def _classes(self, rows: Rows, width: int, threads: int) -> Operand:
        """Return where the offsets of row-add come from."""
        if self._plain:
            return Operand.of(rows.source, rows.taps, rows.span)
        terms, channels = self._terms(rows), rows.source.shape[1]
        out = workspace("classes", (len(rows.source), terms), np.uint16)
        by_code = self.split.classes.astype(np.uint16) * np.uint16(2 * width)
        run_all([partial(combine_classes, rows.source, by_code, self.split.class_count,
                         self.group, out, *part)
                 for part in shares(len(out), threads, 1)], threads)
        return Operand.of(out, rows.taps // channels * terms, terms)

    def _class_starts(self, rows: Rows, classes: Operand, cut: Cut) -> npt.NDArray[np.int64]:
        """Return where rows start in the source of row-add."""
        starts = rows.starts[slice(*cut)]
        if self.group > 1:  # pixels of combined terms
            starts = starts // rows.source.shape[1] * classes.source.shape[1]
        return starts

    # --- computing ----------------------------------------------------------------------

    def _add_tiles(self, script: Script, task: _Task, tiles: Sequence[int], cuts: Sequence[Cut],
                   values: Sequence[Sequence[Int16]],
                   offsets: Sequence[npt.NDArray[np.uint16]]) -> None:
        """Add a job per tile and range of rows: sums of the columns, put into the sink.

        values : of each product and range, gathered. offsets : of each range, for row-add.
        """
        width, cpu = task.width, self.cpu
        most = -(-max(last - first for first, last in cuts) // cpu.panel_rows) * cpu.panel_rows
        sums = script.scratch(4 * most * width + SLACK)
        if task.schedules:
            tables = script.scratch(DEPTH * table_bytes(width))
            scratch = script.scratch(2 * 256 * width)
            row_add = rowadd_tile(cpu, width, self.group)
        for tile in tiles:
            for part, (first, last) in enumerate(cuts):
                script.job()
                for index, (groups, packed) in enumerate(zip(values, task.pairs, strict=True)):
                    panels, units = groups[part].shape[:2]
                    script.call(gemm_tile(cpu, width, add=index > 0), address(groups[part]),
                                address(packed[tile]), sums, panels, units)
                columns = np.zeros(width, np.int32)
                if task.schedules:
                    plan = task.schedules[tile]
                    script.call(row_add, address(self._columns), self._columns.strides[0],
                                address(task.codes[tile]), address(plan.centres),
                                address(offsets[part]), sums, tables, scratch,
                                self.split.class_count, address(plan.occurring), last - first,
                                len(plan.centres) // self.group // UNIT, address(plan.steps),
                                int(bool(values)))
                    columns = plan.columns
                task.sink.write(script, sums, columns, first=first, count=last - first,
                                column=task.tiling.tiles[tile][0])


def _parts(tiles: int, threads: int) -> int:
    """Return into how many ranges of rows to cut blocks, so that all threads are busy."""
    parts = 1
    while parts < threads and (tiles * parts) % threads and tiles * parts < 4 * threads:
        parts += 1
    return parts
