"""Depthwise layers computed a few planes at a time, so that sums are used while in the caches."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from sim.kernels import TableProduct
from sim.kernels.jit.arena import Arena, this_arena
from sim.kernels.jit.cpu import this_cpu
from sim.kernels.jit.handle import Handle
from sim.kernels.jit.workers import run_all
from sim.kernels.loops.depthwise import depthwise_sums, slide
from sim.kernels.loops.lookup import LANES, can_hold
from sim.network.layer import MappedLayer

CHUNK = 2**16  # sums

Bytes = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.int32]
# Of an image, from a channel on: int32[channels, positions], lent for the call.
Use = Callable[[int, int, Sums], None]


def each_sums(layer: MappedLayer, codes: Bytes, product: TableProduct, use: Use, *,
              threads: int) -> None:
    """Call `use` with the sums of all channels of all images, in no order and side by side.

    codes : uint8[n, c, h, w] or uint8[n, c, w].
    """
    window = layer.window
    assert window is not None, layer.name
    product.check_sums(layer.k)
    image = np.require(codes[:, :, None] if codes.ndim == 3 else codes, None, ["C", "W"])
    n, channels, height, width = image.shape
    top, left, bottom, right = window.padding(height, width)
    size = window.size(height, width)
    count = max(1, CHUNK // (size[0] * size[1]))
    taps = np.stack(np.meshgrid(np.arange(window.kernel[0]) * window.dilation[0],
                                np.arange(window.kernel[1]) * window.dilation[1],
                                indexing="ij"), axis=-1).reshape(-1, 2).astype(np.uint64)
    stride = np.uint64(window.stride[0]), np.uint64(window.stride[1])

    slides = can_hold(this_cpu()) and window.stride == (1, 1)  # else most sums would be for nothing
    narrow = product.narrow_by_weight if slides else None

    def compute(index: int, first: int) -> None:
        planes = image[index, first:first + count]
        weights = layer.depthwise_weights[first:first + count]
        with this_arena() as arena:
            shape = len(planes), height + top + bottom, width + left + right
            room = arena.take((math.prod(shape) + LANES,), np.uint8)  # more may be read
            padded = room[:-LANES].reshape(shape)
            padded[:] = layer.padding_code
            padded[:, top:top + height, left:left + width] = planes
            sums = arena.take((len(planes), *size), np.int32)
            if narrow is None:
                depthwise_sums(padded, weights, product.by_weight, taps, stride, sums)
            else:
                _slide(arena, padded, weights, narrow, taps.astype(np.int64), sums)
            use(index, first, sums.reshape(len(planes), -1))

    run_all([partial(compute, index, first) for index in range(n)
             for first in range(0, channels, count)], threads)


def _slide(arena: Arena, planes: Bytes, weights: Bytes,
           narrow: tuple[npt.NDArray[np.int16], Sums], taps: npt.NDArray[np.int64],
           out: Sums) -> None:
    """Do what `depthwise_sums` does with a stride of one: windows at every position of the planes.

    planes : followed by LANES readable bytes. narrow : see `TableProduct`.
    """
    tables, centres = narrow
    count, tall, wide = planes.shape
    last = (out.shape[1] - 1) * wide + out.shape[2] - 1
    length = (last // LANES + 1) * LANES
    every = arena.take((count, length), np.int32)
    slide(this_cpu())(
        planes=Handle.of(planes), plane_bytes=tall * wide, weights=Handle.of(weights),
        tables=Handle.of(tables), shifts=Handle.of(taps @ np.array([wide, 1])), taps=len(taps),
        starts=Handle.of(centres[weights].sum(axis=1, dtype=np.int32)), out=Handle.of(every),
        length=length, count=count)
    out[:] = as_strided(every, out.shape, (4 * length, 4 * wide, 4))
