"""Depthwise convolution by look-up: too few products per output for tables to be worth building.

For a channel and a tap the weight is fixed, so its products are one row of the table by weight,
1 KiB that stays in L1. Three taps are added at a time: a look-up is two loads, and what has been
added so far would be one more and a store.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep


@njit("void(uint8[:,:,::1], uint8[:,::1], int32[:,::1], uint64[:,::1], UniTuple(uint64, 2), "
      "int32[:,:,::1])", nogil=True, cache=keep())
def depthwise_sums(planes: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8],
                   by_weight: npt.NDArray[np.int32], taps: npt.NDArray[np.uint64],
                   stride: tuple[int, int], out: npt.NDArray[np.int32]) -> None:
    """out[p, y, x] = sum over taps t of by_weight[weights[p, t], planes[p, ...]].

    planes : uint8[p, h, w], padding included. taps : uint64[t, 2], row and column of each.
    """
    count, step = weights.shape[1], stride[1]
    triples = count // 3 * 3
    for plane in range(out.shape[0]):
        source, chosen = planes[plane], weights[plane]
        for y in range(out.shape[1]):
            sums, top = out[plane, y], np.uint64(y) * stride[0]
            for tap in range(0, triples, 3):
                p, q, r = (by_weight[chosen[tap]], by_weight[chosen[tap + 1]],
                           by_weight[chosen[tap + 2]])
                a, b, c = (source[top + taps[tap, 0]], source[top + taps[tap + 1, 0]],
                           source[top + taps[tap + 2, 0]])
                i, j, k = taps[tap, 1], taps[tap + 1, 1], taps[tap + 2, 1]
                if tap == 0:
                    for x in range(sums.size):
                        at = np.uint64(x) * step
                        sums[x] = p[a[at + i]] + q[b[at + j]] + r[c[at + k]]
                else:
                    for x in range(sums.size):
                        at = np.uint64(x) * step
                        sums[x] += p[a[at + i]] + q[b[at + j]] + r[c[at + k]]
            if not triples:
                sums[:] = 0
            for tap in range(triples, count):
                p, a, i = by_weight[chosen[tap]], source[top + taps[tap, 0]], taps[tap, 1]
                for x in range(sums.size):
                    sums[x] += p[a[np.uint64(x) * step + i]]


def depthwise_reference(planes: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8],
                        by_weight: npt.NDArray[np.int32], taps: npt.NDArray[np.uint64],
                        stride: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Return what `depthwise_sums` puts into `out`; size : of an output plane."""
    total = np.zeros((len(planes), *size), np.int32)
    y, x = (np.arange(count) * step for count, step in zip(size, map(int, stride), strict=True))
    for tap, (row, column) in enumerate(taps.astype(np.int64)):
        seen = planes[:, (y + row)[:, None], x + column]
        total += by_weight[weights[:, tap, None, None], seen]
    return total
