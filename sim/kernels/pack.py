"""Weights prepared for the compiled loops: columns cut into tiles, codes looked up."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sim.kernels.jit.arena import Arena
from sim.kernels.jit.handle import Handle
from sim.kernels.loops.rowadd import lane_order

Bytes = npt.NDArray[np.uint8]
Value = TypeVar("Value", bound=np.integer[Any])
EIGHT = 8  # lanes: the least that row-add transposes at a time
NO_WEIGHT = 256  # the code of padding: tables are zero there


@lru_cache
def tiles_of(n: int, lanes: int) -> list[tuple[int, int]]:
    """Cut n columns into tiles of `lanes`, the last one perhaps half as wide, if not below EIGHT.

    Returns the first column and the width of each.
    """
    found, half = [(start, lanes) for start in range(0, n, lanes)], lanes // 2
    if half >= EIGHT and n - found[-1][0] <= half:
        found[-1] = found[-1][0], half
    return found


class PackedWeights:
    """Weights uint8[k, n] of one matrix product, packed once for many calls.

    codes : what was packed; rows in the order of the terms of `sim.kernels.rows.Rows`.
    """

    def __init__(self, codes: Bytes) -> None:
        if codes.ndim != 2 or codes.dtype != np.uint8:
            raise ValueError(f"Weights must be stored bytes [k, n], not {codes.dtype} of shape "
                             f"{codes.shape}")
        self.codes = np.require(codes, None, ["C", "W"])
        self._pairs: dict[tuple[int, int, bytes], list[Handle]] = {}
        self._sums: dict[bytes, npt.NDArray[np.int64]] = {}
        self._codes: dict[tuple[int, int, int], list[npt.NDArray[np.uint16]]] = {}

    @cached_property
    def transposed(self) -> Bytes:
        """The weights as activations of the transposed product, uint8[n, k]."""
        return np.ascontiguousarray(self.codes.T)

    def pairs(self, lanes: int, values: npt.NDArray[np.int8 | np.int16], taps: int,
              span: int) -> list[Handle]:
        """Return the layout of `sim.kernels.loops.gemm`, one array per tile.

        values : int16[256], of each code, or int8 for the GEMM of bytes. span : terms of each tap,
        0 beyond those of the weights.
        """
        key, together = (lanes, span, values.tobytes()), 4 // values.itemsize
        if key not in self._pairs:
            found = []  # kept when it is whole: other threads read it, too
            for tile in self._tiles(lanes, values[self.codes], taps, span, 0):
                packed = Arena().take((len(tile) // together, tile.shape[1], together),
                                      values.dtype)
                packed[:] = tile.reshape(-1, together, tile.shape[1]).transpose(0, 2, 1)
                found.append(Handle.of(packed))
            self._pairs[key] = found
        return self._pairs[key]

    def sums(self, values: npt.NDArray[np.int8 | np.int16]) -> npt.NDArray[np.int64]:
        """Return the sum of each column, int64[n]; values : [256], of each code."""
        key = values.tobytes()
        if key not in self._sums:
            self._sums[key] = values[self.codes].sum(axis=0, dtype=np.int64)
        return self._sums[key]

    def tile_codes(self, lanes: int, taps: int,
                   channels: int) -> list[npt.NDArray[np.uint16]]:
        """Return codes uint16[taps * channels, lanes] per tile, in the order of lanes.

        channels : of each tap, at least as many as the weights have; NO_WEIGHT beyond those, and
        beyond the last column.
        """
        key = lanes, taps, channels
        if key not in self._codes:
            codes = self.codes.astype(np.uint16)
            self._codes[key] = [
                np.ascontiguousarray(tile[:, lane_order(tile.shape[1])])
                for tile in self._tiles(lanes, codes, taps, channels, NO_WEIGHT)]
        return self._codes[key]

    def _tiles(self, lanes: int, values: npt.NDArray[Value], taps: int, span: int,
               padding: int) -> list[npt.NDArray[Value]]:
        """Return values [k, n] as tiles [taps * span, lanes]."""
        k, n = values.shape
        tiles = tiles_of(n, lanes)
        padded = np.full((taps, span, sum(tiles[-1])), padding, values.dtype)
        padded[:, :k // taps, :n] = values.reshape(taps, k // taps, n)
        flat = padded.reshape(taps * span, -1)
        return [flat[:, start:start + width] for start, width in tiles]
