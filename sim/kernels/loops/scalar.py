"""One table look-up at a time, in plain numba: products of small, narrow and depthwise layers.

That is also the portable kernel: it runs on every CPU numba knows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep


@njit("void(uint8[:,::1], uint8[:,::1], int32[:,::1], int32[:,::1])", nogil=True, cache=keep())
def add_lookups(acts: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8],
                table: npt.NDArray[np.int32], out: npt.NDArray[np.int32]) -> None:
    """out[m, n] += sum over k of table[acts[m, k], weights[k, n]]: `sim.kernels.oracle`."""
    for m in range(out.shape[0]):
        for k in range(acts.shape[1]):
            row = acts[m, k]
            for n in range(out.shape[1]):
                out[m, n] += table[row, weights[k, n]]


@njit("void(uint8[::1], uint8[::1], uint8[::1])", nogil=True, cache=keep())
def map_bytes(codes: npt.NDArray[np.uint8], table: npt.NDArray[np.uint8],
              out: npt.NDArray[np.uint8]) -> None:
    """out[i] = table[codes[i]]."""
    for index in range(out.size):
        out[index] = table[codes[index]]


@njit("void(uint8[::1], uint8[::1], uint8[::1], uint8[::1])", nogil=True, cache=keep())
def map_pairs(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8],
              table: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> None:
    """out[i] = table[256 * first[i] + second[i]]."""
    for index in range(out.size):
        out[index] = table[256 * np.int64(first[index]) + second[index]]
