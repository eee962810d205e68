"""Forecast of the counts on the certify split, from the search split alone.

A design that kept its accuracy on the search images did so partly by chance: it was selected for
its counts, and images lost and gained are few. Its damage h, the change of its logits, hardly
depends on chance. So the images lost and gained by *all* measured designs of a run are fitted as
a law of h, and the forecast is that law's, not the design's own count:

    images that change sides = n a h ** slope,    images lost - gained = n b h.

Random changes of the logits by an amplitude sqrt(h) move images over the boundary between two
classes in proportion to the amplitude, as many one way as the other: a slope of 1/2. The net loss
is of second order, in proportion to h, because more images lie on the right side of the boundary.
Where a network is nearly always right, only the second effect is left, and the slope is 1.

All designs were measured on the same images, so together they count as one observation, that of the
most damaging. a is gamma distributed, b is normal and not negative, and both are the same for all
designs of one simulated certify split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import truncnorm

Float = npt.NDArray[np.float64]

SIMULATED_SPLITS = 2000  # certify splits
PRIOR_IMAGES = 0.5  # Jeffreys' prior of a rate
SLOPES = np.linspace(0.4, 1.1, 29)
PRIOR_SLOPE, SLOPE_SPREAD = 0.75, 0.2
# Before anything is measured, b is normal and not negative: a tenth of the logits' variance costs 4
# points. Measured on 8,000 to 10,000 images, damages of 0.01 to 0.1: 0.36 to 0.66 for two ResNet-8,
# 0.4 for ResNet-20; 0.1 to 0.2 for digits (1,100 images).
PRIOR_NET_LOSS, NET_LOSS_SPREAD = 0.4, 0.15
# Share of the images that a design changes and every more damaging design changes, too.
OVERLAP = 0.7
# Designs with more than this times the largest damage in question are left out of the fit.
REACH = 4.0


class Paired(NamedTuple):
    """A measured design: change of its logits, images it loses and gains against the exact one."""

    damage: float
    lost: float
    gained: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedCounts:
    """Counts on certify splits drawn from the forecast, int64[splits, designs]."""

    lost: npt.NDArray[np.int64]
    gained: npt.NDArray[np.int64]


def simulate(measured: Sequence[Paired], images: int, damages: Sequence[float], n: int, *,
            splits: int = SIMULATED_SPLITS, seed: int = 0) -> SimulatedCounts:
    """Return counts of lost and gained images on simulated splits, for designs of given damages.

    measured : all designs of a run, accepted or not, on the same `images` images of the search
    split. damages : of the designs asked for; 0 changes nothing. n : images of the certify split.
    """
    asked = np.asarray(damages, np.float64)
    top = float(asked.max(initial=0.0))
    if top <= 0:
        nothing = np.zeros((splits, len(asked)), np.int64)
        return SimulatedCounts(lost=nothing, gained=nothing)
    generator = np.random.default_rng(seed)
    law = _fit([row for row in measured if 0 < row.damage <= REACH * top], images, top)
    changed, net = law.draw(generator, splits)
    share = asked / top
    changing = n * changed[:, None] * share ** law.slope
    # No more can be lost than changes at all.
    losing = np.minimum(n * net[:, None] * share, changing)
    return SimulatedCounts(lost=_nested(generator, (changing + losing) / 2, share),
                    gained=_nested(generator, (changing - losing) / 2, share))


class _Law(NamedTuple):
    """The law at the largest damage in question; shares of the images.

    changed, slope : images that change sides. shape : of the gamma distribution of `changed`.
    net, net_spread : mode and standard deviation of the net loss.
    """

    changed: float
    slope: float
    shape: float
    net: float
    net_spread: float

    def draw(self, generator: np.random.Generator, splits: int) -> tuple[Float, Float]:
        """Return shares of images that change sides, and net losses, two of float64[splits]."""
        changed = self.changed * generator.gamma(self.shape, 1 / self.shape, splits)
        net = truncnorm.ppf(generator.random(splits), -self.net / self.net_spread, np.inf,
                            loc=self.net, scale=self.net_spread)
        return changed, np.asarray(net)


def _fit(told: Sequence[Paired], images: int, top: float) -> _Law:
    """Return the law fitted to designs measured on the same images."""
    prior, doubt = PRIOR_NET_LOSS * top, NET_LOSS_SPREAD * top
    if not told:
        return _Law(changed=PRIOR_IMAGES / images, slope=PRIOR_SLOPE, shape=PRIOR_IMAGES,
                    net=prior, net_spread=doubt)
    damage = np.array([row.damage / top for row in told])
    lost, gained = (np.array([getattr(row, name) for row in told], np.float64)
                    for name in ("lost", "gained"))
    changes, largest = lost + gained, float(damage.max())

    # Together the designs weigh as much as one of the largest damage.
    weight = largest / float(damage.sum())
    seen = PRIOR_IMAGES + weight * float(changes.sum())
    exposure = weight * (damage ** SLOPES[:, None]).sum(axis=1)
    # The best rate for each slope is seen / (images x exposure).
    unlikely = (seen * np.log(exposure) - SLOPES * weight * float((changes * np.log(damage)).sum())
                + ((SLOPES - PRIOR_SLOPE) / SLOPE_SPREAD) ** 2 / 2)
    best = int(np.argmin(unlikely))
    slope, changed = float(SLOPES[best]), seen / (images * float(exposure[best]))

    # The variance of net losses is in proportion to the images that change sides.
    variance = damage ** slope
    net = float((damage * (lost - gained) / variance).sum()
                / (images * (damage ** 2 / variance).sum()))
    spread = float(np.sqrt(changed * largest ** slope / images) / largest)
    trust = doubt ** 2 / (doubt ** 2 + spread ** 2)  # of the measurement, beside the prior
    return _Law(changed=changed, slope=slope, shape=seen, net=trust * net + (1 - trust) * prior,
                net_spread=spread * float(np.sqrt(trust)))


def _nested(generator: np.random.Generator, expected: Float, damage: Float
            ) -> npt.NDArray[np.int64]:
    """Return Poisson counts, a share `OVERLAP` of which more damaging designs have in common.

    expected : float64[splits, designs].
    """
    order = np.argsort(damage, kind="stable")
    growing = np.maximum.accumulate(expected[:, order], axis=1)
    shared = np.empty(expected.shape, np.int64)
    shared[:, order] = generator.poisson(
        OVERLAP * np.diff(growing, axis=1, prepend=0.0)).cumsum(axis=1)
    return shared + generator.poisson((1 - OVERLAP) * expected)
