"""What is kept of a network: image by image, whether an answer still is what it should be.

    top1         the label has the largest logit
    top5         the label is among the five largest logits
    agreement    the largest logit is that of the exact network: no label is looked at

A metric is one of these, or `top1+top5`: both are claimed, so both must hold, each at the full
level on the same images (an intersection-union test, as for several networks on one bank).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from sim.accuracy.labels import largest

METRICS: Mapping[str, tuple[str, ...]] = {
    "top1": ("top1",), "top5": ("top5",), "top1+top5": ("top1", "top5"),
    "agreement": ("agreement",)}
AGREEMENT = "agreement"
FIRST = 5  # answers that count for top5


def check_classes(parts: Sequence[str], classes: int, name: str) -> None:
    """Refuse five answers where they are nearly all that there are; name : of the images."""
    if "top5" in parts and classes <= FIRST:
        raise InputError(f"{name}: metric top5 must have more than {FIRST} classes, not {classes}")


def kept(parts: Sequence[str], logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64],
         exact: npt.NDArray[np.float32]) -> list[npt.NDArray[np.bool_]]:
    """Return which answers are right, bool[n] for each part of a metric.

    logits, exact : float32[n, classes] of the network and of the exact one. labels : int64[n].
    """
    return [_right(part, logits, labels, exact) for part in parts]


def _right(part: str, logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64],
           exact: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    if part == "top5":
        return np.asarray((largest(logits, FIRST) == labels[:, None]).any(axis=1))
    wanted = exact.argmax(axis=1) if part == AGREEMENT else labels
    return np.asarray(logits.argmax(axis=1) == wanted)
