"""A whole model run on images by ONNX Runtime, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import onnx

from sim.network.onnx.graph import network_input
from sim.network.onnx.runtime import new_session

if TYPE_CHECKING:
    from sim.data import Images

# All that is watched of a batch is held at once.
BATCH = 32  # images, and at most so many numbers, four images of 224x224:
NUMBERS = 4 * 3 * 224 * 224

Values = npt.NDArray[np.float32]


def float_logits(model: onnx.ModelProto, images: Values | Images, *, threads: int = 0) -> Values:
    """Return the logits float32[n, classes] of a model, run without optimisations.

    threads : 0 for all cores.
    """
    given, output = network_input(model)[0], model.graph.output[0].name
    session = new_session(model, threads=threads)
    logits = np.concatenate([session.run([output], {given: batch})[0]
                             for batch in batches(model, images)])[:len(images)]
    return logits.reshape(len(images), -1)


def batches(model: onnx.ModelProto, images: Values | Images) -> Iterator[Values]:
    """Cut images into batches, of the file's size where it fixes one, the last one filled up.

    model : of closed sizes but for the batch.
    """
    fixed, *sizes = network_input(model)[1]
    size = fixed or max(1, min(BATCH, NUMBERS // math.prod(side or 1 for side in sizes)))
    for first in range(0, len(images), size):
        batch = np.asarray(images[first:first + size])
        missing = fixed - len(batch) if fixed else 0
        yield np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
