"""Sums of approximate adders: products of a table, added in the order in which an array does."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from hw.multipliers.adder import ApproximateAdder
from sim.kernels.jit.arena import this_arena
from sim.kernels.jit.cpu import Cpu, this_cpu
from sim.kernels.jit.handle import Handle
from sim.kernels.jit.script import Script
from sim.kernels.jit.signature import Argument
from sim.kernels.jit.workers import available, run_all, shares
from sim.kernels.loops.chain import (
    CLASSES,
    DEPTH,
    chain_tile,
    fill_tables,
    look_tables_up,
    split_products,
)
from sim.kernels.loops.lookup import can_hold
from sim.kernels.rows import Rows
from sim.kernels.sink import Matrix, Sink, put
from sim.kernels.table_product import INT32_MAX

ROWS = 2**14  # of a job at most
FEWEST_ROWS = 2**10  # of a thread: each fills tables of its own

Bytes = npt.NDArray[np.uint8]
Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


class ChainProduct:
    """`out[m, n]`: for each `rows` terms k, `table[acts[m, k], weights[k, n]]` added in order.

    Sums of so many terms, the partial sums of a tile, are added exactly.

    Parameters
    ----------
    table : int32[256, 256]
        Product of each pair of stored bytes, `[act, weight]`; see `sim.tables.code_table`.
    adder : ApproximateAdder
    rows : int
        Of the array.
    """

    def __init__(self, table: Int32, adder: ApproximateAdder, rows: int) -> None:
        if table.shape != (256, 256):
            raise ValueError(f"Product table must have shape (256, 256), not {table.shape}")
        self.adder, self.rows = adder, rows
        self._largest = int(np.abs(table.astype(np.int64)).max()) + adder.max_error
        if self._largest - adder.max_error >= 2**(15 + adder.bits):
            raise ValueError(f"Products must be below {2**(15 + adder.bits)}, not "
                             f"{self._largest - adder.max_error}")
        self._parts = split_products(table, adder)
        # Sums of upper bits and carries; none is larger between two terms.
        self._wide = rows * ((self._largest >> adder.bits) + 2) >= 2**15

    def matmul(self, acts: Bytes, weights: Bytes, *, threads: int = 1) -> Int32:
        """Return int32[m, n] for acts uint8[m, k] and weights uint8[k, n].

        threads : the result does not depend on it. Raises ValueError where shapes do not fit, or
        a sum may not fit in int32: the accumulators of the hardware would wrap too.
        """
        if acts.dtype != np.uint8 or weights.dtype != np.uint8:
            raise ValueError(f"Operands must be stored bytes, not {acts.dtype}, {weights.dtype}")
        if acts.ndim != 2 or weights.ndim != 2 or acts.shape[1] != len(weights):
            raise ValueError(f"Matrix shapes must fit, not {acts.shape} and {weights.shape}")
        sink = Matrix(np.empty((len(acts), weights.shape[1]), np.int32))
        self.multiply(Rows.of_matrix(acts), np.arange(len(weights)), weights, sink,
                      threads=threads)
        return sink.values

    def multiply(self, rows: Rows, offsets: Int64, weights: Bytes, sink: Sink, *,
                 threads: int = 1) -> None:
        """Put the sums of `matmul` into `sink`, for rows of a source.

        offsets : int64[k], where in the source each term lies, from the start of a row.
        """
        k, n = weights.shape
        if k * self._largest > INT32_MAX:
            raise ValueError(f"Accumulators must fit in int32, but {k} terms of up to "
                             f"{self._largest} may not")
        m, lanes, threads = rows.count, this_cpu().lanes, available(threads)
        if not (m and n):
            return
        if not k:
            put(sink, np.zeros((m, n), np.int32))
            return
        columns = np.zeros((k, -(-n // lanes) * lanes), np.uint8)
        columns[:, :n] = weights
        tiles = np.ascontiguousarray(columns.reshape(k, -1, lanes).swapaxes(0, 1))
        first, last = int(rows.source.min()), int(rows.source.max())
        threads = min(threads, max(1, m // FEWEST_ROWS))
        run_all([partial(self._put, rows, offsets, tiles, sink, range(*share), (first, last))
                 for share in shares(m, max(threads, -(-m // ROWS)), 1)], threads)

    def _put(self, rows: Rows, offsets: Int64, tiles: Bytes, sink: Sink, own: range,
             codes: tuple[int, int]) -> None:
        """Put the sums of some rows into `sink`.

        tiles : weights, [tiles, k, lanes]. codes : the smallest and the largest in the source.
        """
        cpu, lanes = this_cpu(), tiles.shape[2]
        with this_arena() as arena:
            tables = arena.take((2, DEPTH, CLASSES, lanes), np.int16)
            low, high = (arena.take((len(own) if self.rows > DEPTH else 0, lanes), kind)
                         for kind in (np.int16, np.int32 if self._wide else np.int16))
            total = arena.take((len(own), lanes), np.int32)
            given: dict[str, Argument] = {
                "source": Handle.of(rows.source), "tables": Handle.of(tables),
                "starts": Handle.of(rows.starts).skip(own.start), "rows": len(own),
                "low_sums": Handle.of(low), "high_sums": Handle.of(high), "out": Handle.of(total)}
            places = Handle.of(offsets)
            for tile, weights in enumerate(tiles):
                total[:] = 0
                for first, last in self._units(len(offsets)):
                    self._fill(cpu, weights[first:last], codes, tables)
                    chain_tile(cpu, self.adder, terms=last - first, wide=self._wide,
                               first=first % self.rows == 0,
                               last=last % self.rows == 0 or last == len(offsets))(
                        offsets=places.skip(first), **given)
                script = Script(arena)
                script.job()
                sink.tile(tile * lanes, np.zeros(lanes, np.int32))(
                    script, Handle.of(total), own.start, len(own))
                script.run(1)

    def _units(self, k: int) -> Iterator[tuple[int, int]]:
        """Yield the first and the last of terms that are added at a time."""
        for k0 in range(0, k, self.rows):
            end = min(k0 + self.rows, k)
            for first in range(k0, end, DEPTH):
                yield first, min(first + DEPTH, end)

    def _fill(self, cpu: Cpu, weights: Bytes, codes: tuple[int, int], tables: Int16) -> None:
        """Fill the tables of terms, weights uint8[terms, lanes], for codes of activations."""
        first, count = codes[0], codes[1] - codes[0] + 1
        if not can_hold(cpu):
            fill_tables(self._parts, weights, first, count, tables)
            return
        look_tables_up(cpu)(products=Handle.of(self._parts).skip(0, first),
                            weights=Handle.of(weights), acts=count, terms=len(weights),
                            tables=Handle.of(tables).skip(0, 0, first))
