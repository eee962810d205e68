"""More images later: a certificate that may go on, its looks fixed before the first image.

Whoever looks at more images only because the first ones failed, and tests again at 5 %, is wrong
more often than one time in twenty. So the number of looks, and what of the 5 % each may spend, are
fixed before the first image is judged. At each look all images so far are judged together, by the
fallback procedure (`search.certify.paired_test`) at the level of that look.

The level is exact whatever the tests of different looks have in common: take the first look at
which a design is falsely certified. All that was certified before is true, and hands its level on
rightly; so at look k this happens with at most the level of look k, and the levels add up to 5 %
(Bonferroni's inequality over looks). What the inequality gives away is little where one look
spends nearly all. The first one does: later ones have several times the images and need less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from hw.common.records import Count, Size
from search.certify.paired_test import (
    ALPHA,
    EXPECTED_DISCORDANCE,
    certificate_of,
    certify_in_order,
    holds,
    points_of,
)
from search.report.record import Certificate

FIRST_LOOK = 0.8  # of the 5 %; later looks have equal parts of the rest
POWER = 0.9


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Images of one look, or of several: n, and what is right of them.

    exact_right : by the exact network. lost, gained : by it alone, by the design alone.
    """

    n: Size
    exact_right: Count
    lost: Count
    gained: Count

    @classmethod
    def of(cls, certificate: Certificate) -> Counts:
        """Return those that a certificate rests on."""
        return cls(n=certificate.n, **{name: int(getattr(certificate, name))
                                       for name in ("exact_right", "lost", "gained")})

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of the images of both."""
        return Counts(n=self.n + other.n, exact_right=self.exact_right + other.exact_right,
                      lost=self.lost + other.lost, gained=self.gained + other.gained)


def levels_of(looks: int) -> list[float]:
    """Return what each look may spend: together 5 %, all of it where there is one look."""
    if looks == 1:
        return [ALPHA]
    return [FIRST_LOOK * ALPHA, *[(1 - FIRST_LOOK) * ALPHA / (looks - 1)] * (looks - 1)]


def judge(looks: Sequence[Mapping[int, Sequence[Counts]]], levels: Sequence[float],
          parts: Sequence[str], margin: float, designs: int
          ) -> Iterator[dict[int, Sequence[Certificate]]]:
    """Yield what each look says: design -> its certificates, of each part of the metric.

    looks : of each, the counts of its own images by design, 0 for the first of the planned order.
    A design that is certified stays so; it hands its level on, and needs no counts any more.
    """
    total = dict[int, Sequence[Counts]]()
    certified = set[int]()
    for counts, level in zip(looks, levels, strict=False):
        for design, own in counts.items():
            total[design] = own if design not in total else [
                one + more for one, more in zip(total[design], own, strict=True)]

        def judged(design: int, own: float) -> tuple[Certificate, ...]:
            return tuple(certificate_of(
                n=one.n, exact_right=one.exact_right, lost=one.lost, gained=one.gained,
                margin=margin, metric=part, level=own)
                for one, part in zip(total[design], parts, strict=True))

        found = dict(certify_in_order(range(designs), judged, level=level, certified=certified))
        certified |= {design for design, one in found.items() if holds(one)}
        yield found


def images_needed(level: float, margin: float) -> int:
    """Return the images with which a design without any loss passes nine times in ten.

    One image in a hundred changes sides, as for `supported_margin`.
    """
    distance = float(norm.isf(level) + norm.isf(1 - POWER))
    return int(np.ceil(distance ** 2 * EXPECTED_DISCORDANCE / margin ** 2))


def cost(looks: int, margin: float) -> str:
    """Say what looks cost beside a plain certificate at the same margin."""
    levels = levels_of(looks)
    return (f"{looks} looks spend {', '.join(f'{100 * level:.3g} %' for level in levels)} of the "
            f"5 %: at a margin of {points_of(margin)} points, to pass nine times in ten (normal "
            f"formula) a harmless design needs {images_needed(ALPHA, margin):,} images for a plain "
            "certificate, " + ", ".join(f"{images_needed(level, margin):,} in all at look {number}"
                        for number, level in enumerate(levels, 1)))
