"""Logits of a whole image set, and how many labels are among the largest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hw.common.progress import task
from sim.accuracy.labels import largest
from sim.data import Images
from sim.tables import Table

if TYPE_CHECKING:
    from sim.network.quant_network import QuantNetwork


def top_k(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], k: int) -> int:
    """Return how many labels are among the `k` largest logits, ties won by the lower class."""
    return int((largest(logits, k) == labels[:, None]).any(axis=1).sum())


def evaluate(network: QuantNetwork, images: npt.NDArray[np.float32] | Images,
             tables: Mapping[str, Table], *, quiet: bool) -> npt.NDArray[np.float32]:
    """Return the logits, with progress; unread images are read batch by batch."""
    with task("evaluating", len(images), quiet=quiet) as progress:

        def logits(batch: npt.NDArray[np.float32] | Images) -> npt.NDArray[np.float32]:
            found = network.run(np.asarray(batch), tables)
            progress.advance(len(batch))
            return found

        return np.concatenate(network.each(list(network.batches(images)), logits))
