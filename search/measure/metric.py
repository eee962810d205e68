"""What is kept of a network: image by image, whether an answer still is what it should be.

    top1         the label has the largest logit
    top5         the label is among the five largest logits
    agreement    the largest logit is that of the exact network: no label is looked at

    score:FILE.py:FUNCTION   how good the outputs are, 0 to 1 (`search.measure.scores`)

A metric is one of these, or `top1+top5`: both are claimed, so both must hold, each at the full
level on the same images (an intersection-union test, as for several networks on one bank).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, unknown_name
from search.measure.scores import check_name, is_score, load, parts_of_score, scores
from sim.accuracy.labels import largest

METRICS: Mapping[str, tuple[str, ...]] = {
    "top1": ("top1",), "top5": ("top5",), "top1+top5": ("top1", "top5"),
    "agreement": ("agreement",)}
AGREEMENT = "agreement"
FIRST = 5  # answers that count for top5

Kept = npt.NDArray[Any]  # bool[n], or float64[n] of scores


def parts_of(metric: str) -> tuple[str, ...]:
    """Return the parts of a metric; a score is its only one."""
    return METRICS.get(metric, (metric,))


def check_metric(metric: str) -> None:
    """Refuse what is no metric, with the reason."""
    check_name(metric)
    if is_score(metric):
        load(*parts_of_score(metric))
    elif metric not in METRICS:
        raise unknown_name("metric", metric, [*METRICS, "score:FILE.py:FUNCTION"])


def needs_margin(metric: str) -> bool:
    """Return whether no number of images says what margin they support."""
    return metric == AGREEMENT or is_score(metric)


def total(kept: Kept) -> float:
    """Return the images that are right, or the sum of the scores."""
    return int(kept.sum()) if kept.dtype == bool else float(kept.sum())


def lost_of(exact: Kept, other: Kept) -> float:
    """Return the images that only the exact network has right, or by how much scores fell."""
    return total(exact & ~other if other.dtype == bool else np.maximum(exact - other, 0.0))


def check_classes(parts: Sequence[str], classes: int, name: str) -> None:
    """Refuse five answers where they are nearly all that there are; name : of the images."""
    if "top5" in parts and classes <= FIRST:
        raise InputError(f"{name}: metric top5 must have more than {FIRST} classes, not {classes}")


def kept(parts: Sequence[str], logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64],
         exact: npt.NDArray[np.float32], first: int = 0) -> list[Kept]:
    """Return which answers are right, bool[n] for each part of a metric; of scores, float64[n].

    logits, exact : float32[n, classes] of the network and of the exact one. labels : int64[n].
    first : what messages count images from.
    """
    return [_right(part, logits, labels, exact, first) for part in parts]


def _right(part: str, logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64],
           exact: npt.NDArray[np.float32], first: int) -> Kept:
    if is_score(part):
        return scores(part, logits, labels, first)
    if part == "top5":
        return np.asarray((largest(logits, FIRST) == labels[:, None]).any(axis=1))
    wanted = exact.argmax(axis=1) if part == AGREEMENT else labels
    return np.asarray(logits.argmax(axis=1) == wanted)
