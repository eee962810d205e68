"""Depthwise layers computed a few planes at a time, so that sums are used while in the caches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from sim.kernels import TableProduct
from sim.kernels.jit.arena import this_arena
from sim.kernels.jit.workers import run_all
from sim.kernels.loops.depthwise import depthwise_sums
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
    image = codes[:, :, None] if codes.ndim == 3 else codes
    n, channels, height, width = image.shape
    top, left, bottom, right = window.padding(height, width)
    size = window.size(height, width)
    count = max(1, CHUNK // (size[0] * size[1]))
    taps = np.stack(np.meshgrid(np.arange(window.kernel[0]) * window.dilation[0],
                                np.arange(window.kernel[1]) * window.dilation[1],
                                indexing="ij"), axis=-1).reshape(-1, 2).astype(np.uint64)
    stride = np.uint64(window.stride[0]), np.uint64(window.stride[1])

    def compute(index: int, first: int) -> None:
        planes = image[index, first:first + count]
        with this_arena() as arena:
            padded = arena.take((len(planes), height + top + bottom, width + left + right),
                                np.uint8)
            padded[:] = layer.padding_code
            padded[:, top:top + height, left:left + width] = planes
            sums = arena.take((len(planes), *size), np.int32)
            depthwise_sums(padded, layer.depthwise_weights[first:first + count],
                           product.by_weight, taps, stride, sums)
            use(index, first, sums.reshape(len(planes), -1))

    run_all([partial(compute, index, first) for index in range(n)
             for first in range(0, channels, count)], threads)
