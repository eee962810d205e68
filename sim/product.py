"""What computes a layer's sums: the interface that every backend offers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt


class Product(Protocol):
    """A product table prepared for many matrices of stored bytes.

    `sim.kernels.TableProduct` (the default) and `sim.torch_backend.TorchProduct` give the same
    bits; `sim.lowrank.LowRankProduct` is the paper's approximation of them.
    """

    def matmul(self, acts: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8], *,
               threads: int = 1) -> npt.NDArray[np.int32]:
        """Return int32[m, n] for acts uint8[m, k] and weights uint8[k, n]."""
