"""Operands prepared for the compiled loops: columns cut into tiles, codes looked up.

Codes of activations are looked up in the source, before rows are gathered from it: a window
reads every pixel many times.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numba import njit

from sim.kernels.machine_code import aligned
from sim.kernels.rowadd import lane_order

Bytes = npt.NDArray[np.uint8]
NO_WEIGHT = 256  # the code of padding: tables are zero there


@njit("void(uint8[:,::1], uint16[::1], int64, int64, uint16[:,::1], int64, int64)", nogil=True,
      cache=True)
def combine_classes(codes: Bytes, classes: npt.NDArray[np.uint16], count: int, group: int,
                    out: npt.NDArray[np.uint16], first: int, last: int) -> None:
    """Number the combinations of the classes of `group` channels, for some pixels.

    classes : uint16[256], times the bytes of a table's row. count : of classes. Channels beyond
    the last count as class 0, and so do terms beyond the last.
    """
    channels = codes.shape[1]
    for pixel in range(first, last):
        source, target = codes[pixel], out[pixel]
        for term in range(target.size):
            total = 0
            for i in range(group):
                channel = term * group + i
                total = total * count + (classes[source[channel]] if channel < channels else 0)
            target[term] = total


@njit("void(uint8[:,::1], uint8, int64, int64, uint8[::1], uint8[::1])", nogil=True, cache=True)
def act_ranges(codes: Bytes, sign_bit: int, first: int, last: int, low: Bytes,
               high: Bytes) -> None:
    """low, high : smallest and largest code ^ sign_bit of each channel, for some pixels."""
    for channel in range(codes.shape[1]):
        low[channel] = high[channel] = codes[first, channel] ^ sign_bit
    for pixel in range(first, last):
        row = codes[pixel]
        for channel in range(row.size):
            value = row[channel] ^ sign_bit
            low[channel] = min(low[channel], value)
            high[channel] = max(high[channel], value)


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """Columns cut into tiles of `lanes`, the last one perhaps half as wide.

    n : columns. lanes : of a full tile.
    """

    n: int
    lanes: int

    @cached_property
    def tiles(self) -> tuple[tuple[int, int], ...]:
        """First column and width of each tile."""
        found = [(start, self.lanes) for start in range(0, self.n, self.lanes)]
        if 0 < self.n - found[-1][0] <= self.lanes // 2:
            found[-1] = found[-1][0], self.lanes // 2
        return tuple(found)

    @cached_property
    def columns(self) -> int:
        """Columns of all tiles, padding included."""
        start, width = self.tiles[-1]
        return start + width


class PackedWeights:
    """Weights uint8[k, n] of one matrix product, packed once for many calls.

    codes : what was packed; rows in the order of the terms of `sim.kernels.rows.Rows`.
    """

    def __init__(self, codes: Bytes) -> None:
        if codes.ndim != 2 or codes.dtype != np.uint8:
            raise ValueError(f"Weights must be stored bytes [k, n], not {codes.dtype} of shape "
                             f"{codes.shape}")
        self.codes = np.require(codes, None, ["C", "W"])
        self._pairs: dict[tuple[int, int, bytes], list[npt.NDArray[np.int16]]] = {}
        self._codes: dict[tuple[int, int, int], list[npt.NDArray[np.uint16]]] = {}

    @cached_property
    def transposed(self) -> Bytes:
        """The weights as activations of the transposed product, uint8[n, k]."""
        return np.ascontiguousarray(self.codes.T)

    def pairs(self, tiling: Tiling, values: npt.NDArray[np.int16], taps: int,
              span: int) -> list[npt.NDArray[np.int16]]:
        """Return the layout of `sim.kernels.gemm`, one array per tile.

        values : int16[256], of each code. span : terms of each tap, 0 beyond those of the weights.
        """
        key = tiling.lanes, span, values.tobytes()
        if key not in self._pairs:
            k, n = self.codes.shape
            padded = np.zeros((taps, span, tiling.columns), np.int16)
            padded[:, :k // taps, :n] = values[self.codes].reshape(taps, k // taps, n)
            flat = padded.reshape(taps * span, -1)
            tiles = []
            for start, width in tiling.tiles:
                tile = flat[:, start:start + width].reshape(-1, 2, width).transpose(0, 2, 1)
                packed = aligned(tile.shape, np.int16)
                packed[:] = tile
                tiles.append(packed)
            self._pairs[key] = tiles
        return self._pairs[key]

    def tile_codes(self, tiling: Tiling, taps: int,
                   channels: int) -> list[npt.NDArray[np.uint16]]:
        """Return codes uint16[taps * channels, lanes] per tile, in the order of lanes.

        channels : of each tap, at least as many as the weights have; NO_WEIGHT beyond those, and
        beyond the last column.
        """
        key = tiling.lanes, taps, channels
        if key not in self._codes:
            k, n = self.codes.shape
            padded = np.full((taps, channels, tiling.columns), NO_WEIGHT, np.uint16)
            padded[:, :k // taps, :n] = self.codes.reshape(taps, k // taps, n)
            flat = padded.reshape(taps * channels, -1)
            self._codes[key] = [
                np.ascontiguousarray(flat[:, start:start + width][:, lane_order(width)])
                for start, width in tiling.tiles]
        return self._codes[key]
