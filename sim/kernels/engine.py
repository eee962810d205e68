"""A split table applied to matrices by the compiled loops, tile by tile, on several threads.

Codes are looked up in the source where they must be. Then rows are taken in blocks that fit in
the caches: of a block, operands are gathered first; then each tile of columns is a job: its GEMM,
its row-add, and what the sink makes of sums that are still in L2. Jobs share nothing that they
write: threads change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sim.kernels.cheapest import group_size
from sim.kernels.gather import Operand, gather_blocks, gather_panels
from sim.kernels.jit.arena import Arena, this_arena
from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.handle import Handle
from sim.kernels.jit.script import Script
from sim.kernels.jit.signature import Argument
from sim.kernels.jit.workers import run_all, shares
from sim.kernels.loops.codes import act_ranges, combine_classes
from sim.kernels.loops.gemm import gemm_tile
from sim.kernels.loops.lookup import look_up
from sim.kernels.loops.permuted import split_bytes
from sim.kernels.loops.rowadd import DEPTH, UNIT, permutes, rowadd_tile, table_bytes
from sim.kernels.pack import PackedWeights, tiles_of
from sim.kernels.rows import Rows
from sim.kernels.schedule import Ranges, Schedule, schedule
from sim.kernels.sink import Sink, Tile
from sim.kernels.split import Split, of_bytes, sign_of

ROWS = 6400  # of a block: their sums stay in L2, tables are built once for them
TERMS = 2**25  # of a block at most, whatever its rows
FEWEST_ROWS = 1024
MANY_WIDENINGS = 8  # per block of terms: a product taken out is cheaper than that
LONG_ROW = 512  # bytes

Int16 = npt.NDArray[np.int16]


class _Factor(NamedTuple):
    """A product that GEMM computes.

    u : int16[256], values of activation codes. v : of weight codes, int16[256], or int8 for the
    GEMM of bytes; then u is `least` and a byte. sign_bit : turns codes into u less `least`; None
    where they have to be looked up.
    """

    u: Int16
    v: npt.NDArray[np.int8 | np.int16]
    least: int
    sign_bit: int | None

    @property
    def kind(self) -> type[np.uint8 | np.int16]:
        """What is gathered."""
        return np.uint8 if self.v.dtype == np.int8 else np.int16


class _Task(NamedTuple):
    """A tile of columns: what is alike for all rows."""

    pairs: Sequence[Handle]  # weights of each product
    row_add: Mapping[str, Argument]  # arguments
    sink: Tile


@dataclass(frozen=True, eq=False)
class Engine:
    """A split of a table, run on a CPU.

    act_values : int16[256], value of each activation byte; see `sim.kernels.split`.
    """

    split: Split
    act_values: Int16
    cpu: Cpu

    @cached_property
    def _group(self) -> int:
        return group_size(self.split.class_count)

    @cached_property
    def _sign_bit(self) -> int:
        return sign_of(self.act_values) or 0

    @cached_property
    def _factors(self) -> list[_Factor]:
        """The products that GEMM computes."""
        return [_Factor(u=u, v=v.astype(np.int8) if self.cpu.vnni and of_bytes(u, v) else v,
                        least=int(u.min()), sign_bit=sign_of(u))
                for u, v in zip(self.split.u, self.split.v, strict=True)]

    @cached_property
    def _ranges(self) -> Ranges:
        """The entries of the rest by activation, where there is one."""
        ordered = np.arange(256) ^ self._sign_bit
        zero = int(np.abs(self.act_values[ordered]).argmin())
        return Ranges.of(self.split.rest[self.split.classes][ordered], zero)

    @cached_property
    def _columns(self) -> Handle:
        """The rest by weight code and class, int16[257, classes or more]."""
        columns = np.zeros((257, -(-self.split.class_count // 8) * 8), np.int16)
        # Modulo 2**16: less its centre, every entry that is used fits.
        columns[:256, :self.split.class_count] = self.split.rest.T.astype(np.int16)
        return Handle.of(columns)

    @cached_property
    def _by_class(self) -> Handle:
        """The rest by class, uint8[256, 2, 256]: of every entry the lower and the upper byte."""
        return Handle.of(split_bytes(self.split.rest.astype(np.int16)))

    def _source(self, width: int) -> dict[str, Argument]:
        """Return what row-add builds the tables of a tile from."""
        if permutes(self.cpu, width, self._group):
            return {"by_class": self._by_class}
        return {"columns": self._columns, "column_bytes": self._columns.strides[0]}

    def run(self, rows: Rows, weights: PackedWeights, sink: Sink, *, threads: int,
            last_resort: bool) -> bool:
        """Put the products of all rows into `sink`; return False, having done nothing, if slow.

        last_resort : only say no when it cannot be done.
        """
        if self.split.class_count and self._group > 1 and not rows.aligned:
            return False  # codes are combined pixel by pixel
        schedules = self._schedules(rows, weights, threads)
        if schedules is None:
            return False
        if not last_resort and schedules and sum(tile.widenings for tile in schedules) \
                > MANY_WIDENINGS * sum(tile.steps.size for tile in schedules):
            return False
        tiles = tiles_of(weights.codes.shape[1], self.cpu.lanes)
        tasks = self._tasks(rows, weights, tiles, schedules, sink)
        with this_arena() as arena:
            script = Script(arena)
            factors = [self._factor(script, rows, factor, threads) for factor in self._factors]
            classes = self._classes(arena, rows, threads) if schedules else None
            script.barrier()
            for width in sorted({width for _column, width in tiles}):
                with arena:
                    self._run_tiles(script, width, [task for task, (_column, wide) in zip(
                        tasks, tiles, strict=True) if wide == width], rows, factors,
                        classes, threads)
        return True

    def _run_tiles(self, script: Script, width: int, tasks: Sequence[_Task], rows: Rows,
                   factors: Sequence[Operand], classes: Operand | None, threads: int) -> None:
        """Compute all rows of the tiles of one width, block by block, after what `script` has."""
        panel, parts = self.cpu.panel_rows, _parts(len(tasks), threads)
        wanted = max(FEWEST_ROWS, min(ROWS, TERMS // (rows.span * len(rows.taps))))
        # Equal blocks: a short last one would pay for its tables all the same.
        count = -(-rows.count // (wanted * parts // panel * panel))
        blocks = [[(first + start, first + end)
                   for start, end in shares(last - first, parts, panel)]
                  for first, last in shares(rows.count, count, panel)]
        first, last = blocks[0][0]
        most = -(-(last - first) // panel) * panel
        # Every block is gathered to the same place.
        rooms = [[operand.room(script.arena, most, factor.kind)
                  for operand, factor in zip(factors, self._factors, strict=True)]
                 for _part in range(parts)]
        class_rooms = [classes.room(script.arena, most, np.uint8) if classes else None
                       for _part in range(parts)]
        sums = script.scratch(most, width, np.int32)
        own = {"out": sums, "tables": script.scratch(DEPTH, table_bytes(width) // 2, np.int16),
               "table": script.scratch(256, width, np.int16)}
        for cuts in blocks:
            gathered = []
            for cut, room, class_room in zip(cuts, rooms, class_rooms, strict=False):
                panels = [gather_panels(script, self.cpu, operand, cut, place, jobs=threads,
                                        sign_bit=factor.sign_bit or 0, zero_point=-factor.least)
                          for operand, place, factor in zip(
                              factors, room, self._factors, strict=True)]
                chosen = {} if classes is None or class_room is None else {
                    "chosen": gather_blocks(script, self.cpu, classes, cut, class_room,
                                            jobs=threads)}
                gathered.append((cut, panels, chosen))
            script.barrier()  # what one thread gathers all threads read
            for task in tasks:
                for (first, last), panels, chosen in gathered:
                    script.job()
                    for index, (values, pairs) in enumerate(
                            zip(panels, task.pairs, strict=True)):
                        script.call(gemm_tile(self.cpu, width, add=index > 0,
                                              narrow=values.dtype == np.uint8),
                                    values=values, weights=pairs, out=sums,
                                    panels=values.shape[0], blocks=values.shape[1])
                    if chosen:
                        script.call(rowadd_tile(self.cpu, width, self._group), **task.row_add,
                                    **chosen, **own, rows=last - first)
                    task.sink(script, sums, first, last - first)
            script.barrier()  # the next block is gathered to the same place
        script.run(threads)

    # --- preparing ----------------------------------------------------------------------

    def _terms(self, rows: Rows) -> int:
        """Return the terms of row-add per tap: groups of elements, in whole blocks."""
        return -(-rows.span // (UNIT * self._group)) * UNIT

    def _schedules(self, rows: Rows, weights: PackedWeights,
                   threads: int) -> list[Schedule] | None:
        """Return the schedule of each tile, none without row-add, None when one cannot be."""
        if not self.split.class_count:
            return []
        source = rows.source
        # Several pixels are looked at as one with many channels: long rows are quick.
        together = math.gcd(len(source), LONG_ROW // source.shape[1] or 1)
        source = source.reshape(len(source) // together, -1)
        parts = shares(len(source), threads, 1)
        channels = self._terms(rows) * self._group
        low, high = np.zeros((2, len(parts), source.shape[1]), np.uint8)
        run_all([partial(act_ranges, source[first:last], self._sign_bit, low[index], high[index])
                 for index, (first, last) in enumerate(parts)], threads)
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
        middles = self._ranges.middles(smallest, largest)
        codes = weights.tile_codes(self.cpu.lanes, len(rows.taps), channels)
        found: list[Schedule | None] = [None] * len(codes)
        # Codes in the order of values are codes as stored only where bytes are unsigned.
        occurring = (largest.astype(np.uint16) + np.uint16(1) if self._sign_bit == 0
                     else np.full(largest.shape, 256, np.uint16))

        def of(tile: int) -> None:
            found[tile] = schedule(codes[tile], middles, self._group, occurring)

        run_all([partial(of, tile) for tile in range(len(codes))], threads)
        done = [tile for tile in found if tile is not None]
        return done if all(tile.feasible for tile in done) else None

    def _operand(self, source: npt.NDArray[Any], starts: npt.NDArray[np.int64],
                 taps: npt.NDArray[np.int64], span: int) -> Operand:
        return Operand.of(source, starts, taps, span, more=self.cpu.panel_rows)

    def _factor(self, script: Script, rows: Rows, factor: _Factor, jobs: int) -> Operand:
        """Return where the values of a product come from, once `script` has looked them up."""
        if factor.sign_bit is not None:
            return self._operand(rows.source, rows.starts, rows.taps, rows.span)
        size, narrow = rows.source.size, factor.kind is np.uint8
        # As many elements more as the loops may read beyond the last.
        out = script.arena.take((size + rows.span,), factor.kind)[:size]
        codes, values = Handle.of(rows.source.reshape(-1)), Handle.of(out)
        table = Handle.of(factor.u - np.int16(factor.least) if narrow
                          else np.ascontiguousarray(factor.u))
        for first, last in shares(size, jobs, LONG_ROW):
            script.job()
            script.call(look_up(self.cpu, to_bytes=narrow), codes=codes.skip(first), table=table,
                        out=values.skip(first), count=last - first)
        return self._operand(out, rows.starts, rows.taps, rows.span)

    def _classes(self, arena: Arena, rows: Rows, threads: int) -> Operand:
        """Return where row-add finds which row of its table each term adds."""
        if self._group == 1:
            return self._operand(rows.source, rows.starts, rows.taps, rows.span)
        terms, channels = self._terms(rows), rows.source.shape[1]
        out = arena.take((len(rows.source), terms), np.uint8)
        run_all([partial(combine_classes, rows.source[first:last], self.split.classes,
                         self.split.class_count, self._group, out[first:last])
                 for first, last in shares(len(out), threads, 1)], threads)
        return self._operand(out, rows.starts // channels * terms, rows.taps // channels * terms,
                             terms)

    def _tasks(self, rows: Rows, weights: PackedWeights, tiles: Sequence[tuple[int, int]],
               schedules: Sequence[Schedule], sink: Sink) -> list[_Task]:
        """Return the task of each tile."""
        taps = len(rows.taps)
        pairs = [weights.pairs(self.cpu.lanes, factor.v, taps, rows.span)
                 for factor in self._factors]
        lacking = self._lacking(weights, sum(tiles[-1]))
        codes = weights.tile_codes(self.cpu.lanes, taps, self._terms(rows) * self._group) \
            if schedules else []
        tasks = []
        for tile, (column, width) in enumerate(tiles):
            offsets = np.zeros(width, np.int32)
            row_add: dict[str, Argument] = {}
            if schedules:
                plan = schedules[tile]
                offsets = plan.columns
                row_add = {
                    **self._source(width),
                    "codes": Handle.of(codes[tile]), "centres": Handle.of(plan.centres),
                    "classes": self.split.class_count, "occurring": Handle.of(plan.occurring),
                    "units": len(plan.centres) // self._group // UNIT,
                    "steps": Handle.of(plan.steps), "goes_on": int(bool(pairs))}
            tasks.append(_Task(
                pairs=[packed[tile] for packed in pairs], row_add=row_add,
                sink=sink.tile(column, offsets + lacking[column:column + width])))
        return tasks

    def _lacking(self, weights: PackedWeights, columns: int) -> npt.NDArray[np.int32]:
        """Return what sums of products of bytes lack, int32[columns], modulo 2**32."""
        found = np.zeros(columns, np.int64)
        for factor in self._factors:
            if factor.v.dtype == np.int8 and factor.least:
                found[:weights.codes.shape[1]] += factor.least * weights.sums(factor.v)
        return found.astype(np.int32)


def _parts(tiles: int, threads: int) -> int:
    """Return into how many ranges of rows to cut blocks, so that all threads are busy."""
    parts = 1
    while parts < threads and (tiles * parts) % threads and tiles * parts < 4 * threads:
        parts += 1
    return parts
