"""What the certify split will probably say of designs, told from the search split alone.

A design that kept its accuracy on the search images did so partly by luck, and its own counts say
little: images lost and gained are few, and those that were lucky are the ones looked at. The
change of its logits says more, for it hardly depends on luck. So the images that *all* measured
designs of a run lost and gained are fitted as a power law of that harm,

    images lost = n rate (harm / largest harm) ** slope,    gained likewise,

and the law, not the design, is asked. All designs were measured on the same images, so together
they are taken as one observation of these images: the rate that is left uncertain is gamma
distributed, and is the same for all designs of one imagined certify split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

IMAGINED = 2000  # certify splits
# Jeffreys' prior of a rate, and a slope near proportional to harm.
PRIOR_IMAGES, PRIOR_SLOPE, SLOPE_SPREAD = 0.5, 1.0, 0.3
SLOPES = np.linspace(0.1, 3.0, 59)
# Part of the images that a design changes which every more harmful one changes, too.
OVERLAP = 0.7
# Designs of so many times the largest harm asked for say nothing: there the law bends.
REACH = 2.0


class Paired(NamedTuple):
    """A measured design: change of its logits, images it loses and gains against the exact one."""

    harm: float
    lost: int
    gained: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Imagined:
    """Counts on certify splits drawn from the forecast, int64[splits, designs]."""

    lost: npt.NDArray[np.int64]
    gained: npt.NDArray[np.int64]


def imagine(measured: Sequence[Paired], images: int, harms: Sequence[float], n: int, *,
            splits: int = IMAGINED, seed: int = 0) -> Imagined:
    """Return what designs of the given harms may lose and gain on other images.

    Parameters
    ----------
    measured : sequence of Paired
        All designs of a run, accepted or not, on the same `images` images of the search split.
    harms : sequence of float
        Of the designs asked for; 0 changes nothing.
    n : int
        Images of the certify split.
    """
    asked = np.asarray(harms, np.float64)
    top = float(asked.max(initial=0.0))
    if top <= 0:
        nothing = np.zeros((splits, len(asked)), np.int64)
        return Imagined(lost=nothing, gained=nothing)
    generator = np.random.default_rng(seed)
    told = [row for row in measured if 0 < row.harm <= REACH * top]
    relative = np.array([row.harm for row in told]) / top

    def draw(counts: list[int]) -> npt.NDArray[np.int64]:
        law = _fit(relative, np.array(counts, np.float64), images)
        expected = n * law.rate * np.where(asked > 0, asked / top, 0) ** law.slope
        scale = generator.gamma(law.shape, 1 / law.shape, splits)[:, None]
        return _nested(generator, expected, scale)

    return Imagined(lost=draw([row.lost for row in told]),
                    gained=draw([row.gained for row in told]))


class _Law(NamedTuple):
    """Rate at the largest harm, slope over the logarithm of harm, shape of the rate's spread."""

    rate: float
    slope: float
    shape: float


def _fit(relative: Float, counts: Float, images: int) -> _Law:
    """Return the most likely law; relative : harm as a fraction of the largest one asked for."""
    # Together the designs are worth one of the largest harm.
    weight = 1 / relative.sum() if relative.size else 0.0
    seen = PRIOR_IMAGES + weight * float(counts.sum())
    logs = np.log(relative)
    exposure = weight * np.exp(np.outer(SLOPES, logs)).sum(axis=1) if relative.size else np.ones(
        len(SLOPES))
    # For every slope the rate that is best for it: seen / (images exposure).
    unlikely = (seen * np.log(exposure) - SLOPES * weight * (counts * logs).sum()
                + ((SLOPES - PRIOR_SLOPE) / SLOPE_SPREAD) ** 2 / 2)
    best = int(np.argmin(unlikely))
    return _Law(rate=seen / (images * float(exposure[best])), slope=float(SLOPES[best]),
                shape=seen)


def _nested(generator: np.random.Generator, expected: Float, scale: Float
            ) -> npt.NDArray[np.int64]:
    """Return counts of which `OVERLAP` is shared: what a harmless design changes, others do too."""
    order = np.argsort(expected, kind="stable")
    steps = np.diff(expected[order], prepend=0.0)
    shared = np.empty((len(scale), len(expected)), np.int64)
    shared[:, order] = generator.poisson(OVERLAP * steps * scale).cumsum(axis=1)
    return shared + generator.poisson((1 - OVERLAP) * expected * scale)
