"""Depthwise convolution by look-up: too few products per output for tables to be worth building.

For a channel and a tap the weight is fixed, so its products are one row of the table by weight,
1 KiB that stays in L1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit


@njit("void(uint8[:,:,:,::1], uint8[:,::1], int32[:,::1], int64[:,::1], UniTuple(int64, 2), "
      "int32[:,:,:,::1], int64, int64)", nogil=True, cache=True)
def depthwise_sums(image: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8],
                   by_weight: npt.NDArray[np.int32], taps: npt.NDArray[np.int64],
                   stride: tuple[int, int], out: npt.NDArray[np.int32], first: int,
                   last: int) -> None:
    """out[n, c, y, x] = sum over taps t of by_weight[weights[c, t], image[n, c, ...]].

    image : uint8[n, c, h, w], padding included. taps : int64[t, 2], row and column of each.
    first, last : planes to compute, n * channels + c.
    """
    channels, out_h, out_w = out.shape[1:]
    for plane in range(first, last):
        n, c = plane // channels, plane % channels
        source, target = image[n, c], out[n, c]
        target[:] = 0
        for tap in range(taps.shape[0]):
            products = by_weight[weights[c, tap]]
            for y in range(out_h):
                row, sums = source[y * stride[0] + taps[tap, 0]], target[y]
                for x in range(out_w):
                    sums[x] += products[row[x * stride[1] + taps[tap, 1]]]
