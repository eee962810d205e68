"""Row-add: sixteen table products in one vector addition, exact by construction.

For sixteen output columns and one inner-product term the products of all 256 activation
codes fit in 8 KiB: T[a, 0:16] = E[a, weights[k, n0:n0+16]]. Eight such tables stay in L1, and
a row of activations adds eight of their rows. Sums are int16 for as long as they cannot
overflow: with |E| <= B, after floor((2**15 - 1) / (8 B)) blocks of eight terms they are added
to int32.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt

from sim.kernels.vector import DEPTH, LANES, column_tile

ROW_BLOCK = 8192  # rows whose int16 sums (32 bytes each) stay in L2
ZERO_WEIGHT = 256  # column of zeros: padding of the inner product and of the last tile
INT16_MAX = 2**15 - 1
MAX_ENTRY = INT16_MAX // DEPTH  # largest |E| that a single block of terms can add


def blocks_per_flush(bound: int) -> int:
    """Return how many blocks of DEPTH terms, each at most `bound`, fit in an int16 sum."""
    if not 0 <= bound <= MAX_ENTRY:
        raise ValueError(f"Row-add entries must be at most {MAX_ENTRY}, not {bound}")
    return INT16_MAX // (DEPTH * max(bound, 1))


def _aligned(shape: tuple[int, ...]) -> npt.NDArray[np.int16]:
    """Return int16 zeros that start at a multiple of 64 bytes."""
    size = int(np.prod(shape))
    raw = np.zeros(size + 32, np.int16)
    first = (-raw.ctypes.data % 64) // 2
    return raw[first:first + size].reshape(shape)


def _address(array: npt.NDArray[np.generic]) -> np.uint64:
    return np.uint64(array.ctypes.data)


class RowAddTable:
    """A table prepared for the kernel: entries int16, weight code major, one column of zeros."""

    def __init__(self, entries: npt.NDArray[np.int32]) -> None:
        bound = int(np.abs(entries).max())
        self.blocks_per_flush = blocks_per_flush(bound)
        self.columns = np.zeros((257, 256), np.int16)
        self.columns[:256] = entries.T


def add_rows(acts: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8], table: RowAddTable,
             out: npt.NDArray[np.int32], *, threads: int) -> None:
    """Add `sum over k of E[acts[m, k], weights[k, n]]` to out int32[m, n].

    Threads share nothing but the inputs: each adds whole column tiles of whole row blocks, so
    the result does not depend on their number.
    """
    (m, k), n = acts.shape, weights.shape[1]
    blocks, tiles = -(-k // DEPTH), -(-n // LANES)
    padded_weights = np.full((blocks * DEPTH, tiles * LANES), ZERO_WEIGHT, np.uint16)
    padded_weights[:k, :n] = weights
    padded_out = np.zeros((m, tiles * LANES), np.int32)

    codes = acts
    if k % DEPTH:
        codes = np.zeros((m, blocks * DEPTH), np.uint8)
        codes[:, :k] = acts

    def run(first: int, tile: int) -> None:
        rows = min(ROW_BLOCK, m - first)
        tables, sums = _aligned((DEPTH, 256, LANES)), _aligned((rows, LANES))
        part = padded_out[first:, tile * LANES:]
        column_tile(_address(table.columns), _address(padded_weights[:, tile * LANES:]),
                    _address(codes[first:]), _address(part), _address(tables), _address(sums),
                    rows, blocks, tiles * LANES, table.blocks_per_flush)

    jobs = [partial(run, first, tile) for first in range(0, m, ROW_BLOCK) for tile in range(tiles)]
    if threads == 1 or len(jobs) == 1:
        for job in jobs:
            job()
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda job: job(), jobs))
    out += padded_out[:, :n]
