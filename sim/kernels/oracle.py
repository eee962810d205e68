"""The definition of a table product: slow, obvious, and what every kernel is held against."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def lut_matmul_oracle(acts: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8],
                      table: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return `out[m, n] = sum over k of table[acts[m, k], weights[k, n]]`."""
    total = np.zeros((acts.shape[0], weights.shape[1]), np.int64)
    for k in range(acts.shape[1]):
        total += table[acts[:, k][:, None], weights[k][None, :]]
    return total.astype(np.int32)
