"""What the certify split will probably say of designs, told from the search split alone.

A design that kept its accuracy on the search images did so partly by luck, and its own counts say
little: images lost and gained are few, and those that were lucky are the ones looked at. The
change of its logits, its harm h, says more, for it hardly depends on luck. So the images that
*all* measured designs of a run lost and gained are fitted as a law of h, and the law, not the
design, is asked:

    images that change sides = n a h ** slope,    images lost - gained = n b h.

Logits moved at random by an amplitude sqrt(h) carry images over the boundary between two classes
in proportion to it, as many one way as the other: a slope of 1/2. What is lost beyond that is of
second order, for images crowd on the right side of the boundary, more of them the farther from it:
a net loss in proportion to h. Where a network is nearly always right there is nothing but that, and
what changes sides has a slope of 1, too.

All designs were measured on the same images, so together they are taken as one observation, that
of the most harmful: a is left gamma distributed, b normal but never negative, and both are the
same for all designs of one imagined certify split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import truncnorm

Float = npt.NDArray[np.float64]

IMAGINED = 2000  # certify splits
PRIOR_IMAGES = 0.5  # Jeffreys' prior of a rate
SLOPES = np.linspace(0.4, 1.1, 29)
PRIOR_SLOPE, SLOPE_SPREAD = 0.75, 0.2
# Before anything is measured, b is exponential: a tenth of the logits' variance costs 1.5 points.
PRIOR_NET_LOSS = 0.15
# Part of the images that a design changes which every more harmful one changes, too.
OVERLAP = 0.7
# Designs of so many times the largest harm asked for say nothing: there the law bends.
REACH = 4.0


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
    law = _fit([row for row in measured if 0 < row.harm <= REACH * top], images, top)
    changed, net = law.draw(generator, splits)
    share = asked / top
    changing = n * changed[:, None] * share ** law.slope
    # No more can be lost than changes at all.
    losing = np.minimum(n * net[:, None] * share, changing)
    return Imagined(lost=_nested(generator, (changing + losing) / 2, share),
                    gained=_nested(generator, (changing - losing) / 2, share))


class _Law(NamedTuple):
    """At the largest harm asked for, parts of the images: changing sides, with the shape of its
    spread; net loss, most likely and spread, and its prior mean.
    """

    changed: float
    slope: float
    shape: float
    net: float
    net_spread: float
    net_prior: float

    def draw(self, generator: np.random.Generator, splits: int) -> tuple[Float, Float]:
        """Return what changes sides and what is lost net on imagined splits, float64[splits]."""
        changed = self.changed * generator.gamma(self.shape, 1 / self.shape, splits)
        if np.isinf(self.net_spread):
            return changed, generator.exponential(self.net_prior, splits)
        # A normal times an exponential prior is a normal again, nearer to nothing.
        centre = self.net - self.net_spread ** 2 / self.net_prior
        net = truncnorm.ppf(generator.random(splits), -centre / self.net_spread, np.inf,
                            loc=centre, scale=self.net_spread)
        return changed, np.asarray(net)


def _fit(told: Sequence[Paired], images: int, top: float) -> _Law:
    """Return the law that designs on the same images tell together."""
    prior = PRIOR_NET_LOSS * top
    if not told:
        return _Law(changed=PRIOR_IMAGES / images, slope=PRIOR_SLOPE, shape=PRIOR_IMAGES, net=0.0,
                    net_spread=np.inf, net_prior=prior)
    harm = np.array([row.harm / top for row in told])
    lost, gained = (np.array([getattr(row, name) for row in told], np.float64)
                    for name in ("lost", "gained"))
    changes, largest = lost + gained, float(harm.max())

    # Together the designs are worth one of the largest harm.
    weight = largest / float(harm.sum())
    seen = PRIOR_IMAGES + weight * float(changes.sum())
    exposure = weight * (harm ** SLOPES[:, None]).sum(axis=1)
    # For every slope the rate that is best for it: seen / (images x exposure).
    unlikely = (seen * np.log(exposure) - SLOPES * weight * float((changes * np.log(harm)).sum())
                + ((SLOPES - PRIOR_SLOPE) / SLOPE_SPREAD) ** 2 / 2)
    best = int(np.argmin(unlikely))
    slope, changed = float(SLOPES[best]), seen / (images * float(exposure[best]))

    # Net losses vary as what changes sides: least squares with that as the variance.
    variance = harm ** slope
    net = float((harm * (lost - gained) / variance).sum() / (images * (harm ** 2 / variance).sum()))
    spread = float(np.sqrt(changed * largest ** slope / images) / largest)
    return _Law(changed=changed, slope=slope, shape=seen, net=net, net_spread=spread,
                net_prior=prior)


def _nested(generator: np.random.Generator, expected: Float, harm: Float
            ) -> npt.NDArray[np.int64]:
    """Return counts of which `OVERLAP` is shared: what a harmless design changes, others do too.

    expected : float64[splits, designs].
    """
    order = np.argsort(harm, kind="stable")
    growing = np.maximum.accumulate(expected[:, order], axis=1)
    shared = np.empty(expected.shape, np.int64)
    shared[:, order] = generator.poisson(
        OVERLAP * np.diff(growing, axis=1, prepend=0.0)).cumsum(axis=1)
    return shared + generator.poisson((1 - OVERLAP) * expected)
