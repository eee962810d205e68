"""Whether labels are classes of a network, told from the shape of its output alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from sim.data.content import checked_labels

if TYPE_CHECKING:
    from sim.network.quant_network import OutputCheck


def largest(logits: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    """Return the classes of the k largest logits, int64[n, k]; of equal ones the lower class."""
    return np.argsort(-logits, axis=1, kind="stable")[:, :k]


def class_scores_check(model: Path, labels: Sequence[tuple[str, npt.NDArray[np.int64]]]
                       ) -> OutputCheck:
    """Return what refuses a network whose outputs are no scores of classes that labels name.

    labels : names of their sources, and int64[n]. For `QuantNetwork.load`, which asks before it
    quantises; raises InputError naming the network or the source.
    """
    def check_output(outputs: tuple[int, ...]) -> None:
        classes = math.prod(outputs)
        if classes != max(outputs, default=1):
            raise InputError(f"{model}: network output must be a score of each class, [n, classes]"
                             f", not {['n', *outputs]}")
        for name, own in labels:
            checked_labels(own, name=name, classes=classes)

    return check_output
