"""What streams through the arrays in each layer, sampled.

A part of the activations is kept: whole runs of successive array rows, evenly spread over the
images, so that what follows what is as in the array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sim.network.quant_network import QuantNetwork

IMAGES = 32  # whose operands are looked at
ROWS = 4096
RUN = 256  # successive rows; where one run meets the next, three of them have wrong neighbours


def sampled_operands(network: QuantNetwork, images: npt.NDArray[np.float32], *,
                     rows: int = ROWS) -> dict[str, npt.NDArray[np.int16]]:
    """Return up to `rows` activation rows of every layer, int16[groups, m, k]."""
    return {name: spread(acts, rows) for name, acts in network.layer_operands(images).items()}


def spread(acts: npt.NDArray[np.int16], rows: int) -> npt.NDArray[np.int16]:
    """Return `rows` of the rows of int16[groups, m, k] in evenly spaced runs, or all of them."""
    beats = acts.shape[1]
    if beats <= rows:
        return acts
    runs = max(1, rows // RUN)
    starts = np.linspace(0, beats - rows // runs, runs).astype(int)
    return np.concatenate([acts[:, start:start + rows // runs] for start in starts], axis=1)
