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
# Before anything is measured, b is exponential: a tenth of the logits' variance costs 1.5 points.
PRIOR_NET_LOSS = 0.15
# Share of the images that a design changes and every more damaging design changes, too.
OVERLAP = 0.7
# Designs with more than this times the largest damage in question are left out of the fit.
REACH = 4.0


class Paired(NamedTuple):
    """A measured design: change of its logits, images it loses and gains against the exact one."""

    damage: float
    lost: int
    gained: int


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
    net, net_spread : mode and standard deviation of the net loss. net_prior : its prior mean.
    """

    changed: float
    slope: float
    shape: float
    net: float
    net_spread: float
    net_prior: float

    def draw(self, generator: np.random.Generator, splits: int) -> tuple[Float, Float]:
        """Return shares of images that change sides, and net losses, two of float64[splits]."""
        changed = self.changed * generator.gamma(self.shape, 1 / self.shape, splits)
        if np.isinf(self.net_spread):
            return changed, generator.exponential(self.net_prior, splits)
        # A normal likelihood times an exponential prior is a normal again, shifted towards 0.
        centre = self.net - self.net_spread ** 2 / self.net_prior
        net = truncnorm.ppf(generator.random(splits), -centre / self.net_spread, np.inf,
                            loc=centre, scale=self.net_spread)
        return changed, np.asarray(net)


def _fit(told: Sequence[Paired], images: int, top: float) -> _Law:
    """Return the law fitted to designs measured on the same images."""
    prior = PRIOR_NET_LOSS * top
    if not told:
        return _Law(changed=PRIOR_IMAGES / images, slope=PRIOR_SLOPE, shape=PRIOR_IMAGES, net=0.0,
                    net_spread=np.inf, net_prior=prior)
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
    return _Law(changed=changed, slope=slope, shape=seen, net=net, net_spread=spread,
                net_prior=prior)


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
