"""Whether a network knows anything of the images: a wrong label or pixel shows here first."""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from sim.data.presets import PRESETS

SIGNIFICANCE = 0.01  # chance to have so many images right, below which it is not luck
MIN_IMAGES = 16  # images that say anything
ONE_CLASS_SHARE = 0.95  # of the answers, which are then called one and the same
REMEDY = ('check labels and preprocessing: {"input": {"preset": NAME}} in MODEL.json beside it, '
          f"NAME of {', '.join(PRESETS)} (docs/data.md)")


def doubt(answers: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], classes: int, *,
          what: str = "images") -> str:
    """Return why the answers may be worth nothing, in words; empty where they are not doubted.

    Parameters
    ----------
    answers, labels : int64[n]
        The class that the network says, and the right one.
    classes : int
        What the network chooses among.
    what : str
        The images, as readers know them.
    """
    n, right = len(labels), int((answers == labels).sum())
    if n < MIN_IMAGES:
        return ""
    has = f"has {right:,} of {n:,} {what} right"
    if is_chance_level(right, n, 1 / classes):
        return f"{has}, as guessing among {classes:,} classes would"
    of_labels, of_answers = (np.bincount(some) for some in (labels, answers))
    most = int(of_labels.max())
    if most == n:  # of one class: always saying it is all that can be asked
        return ""
    if is_chance_level(right, n, most / n):
        return f"{has}, as always answering the most frequent label would"
    said = int(of_answers.argmax())
    same = int(of_answers[said])
    if same >= ONE_CLASS_SHARE * n > 2 * int((labels == said).sum()):
        return f"{has} and answers class {said} to {same:,} of them"
    return ""


def is_chance_level(right: int, images: int, chance: float) -> bool:
    """Return whether answers that are right by `chance` each would be right as often as that."""
    from scipy.special import bdtrc

    return bool(bdtrc(right - 1, images, chance) > SIGNIFICANCE)


def warn_of_chance(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], *,
              approximate: bool) -> str:
    """Return why the network may know nothing of the images, and say it; empty where it does.

    approximate : whether multipliers may be why.
    """
    found = doubt(logits.argmax(axis=1), labels, logits.shape[1])
    if found:
        multipliers = "approximate multipliers may be too coarse, or " * approximate
        print(f"warning: the network {found}: {multipliers}{REMEDY}, or --preset NAME",
              file=sys.stderr)
    return found
