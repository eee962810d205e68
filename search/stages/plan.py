"""Plan: which designs to certify, and in which order, from the search split alone.

Every design that a run measured is in the pool, by whichever method. Of those that kept their
accuracy on the search split, and those that change the network no more, a sequence is planned that
saves most by what the search split lets expect (`search.certify.expected`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hw.common.pareto import pareto_front
from search.certify.expected import CertificateForecast
from search.certify.sequence import mean_saving, plan_sequence
from search.measure.designs import key
from search.report.record import Candidate, Judged
from search.stages.records import Plan, Pooled, Searched

# Designs whose energies differ by no more are a tie, which less area wins. A share of the exact
# energy: what sampling the operands leaves open of an energy is about as much (docs/ppa.md).
TIE = 0.01
# Of two damages on the same images, no more than this times the other is no more harm.
SAME_DAMAGE = 1.1
LESS_AREA = 0.1  # of the exact array; designs closer than that are of the same size
REFITTED = 1.25  # times the damage that a refit may take off a design, or nearly so


def pool(searched: Sequence[Searched]) -> list[Pooled]:
    """Return each design once, with the methods that asked for it, in the order of the methods."""
    found = dict[str, Pooled]()
    for one in searched:
        for design, answer in zip(one.result.history, one.answers, strict=True):
            name = key(design.mapping)
            earlier = found.get(name, Pooled(design, answer, ()))
            found[name] = earlier._replace(methods=(*earlier.methods, one.result.method))
    return list(found.values())


@dataclass(frozen=True, kw_only=True, eq=False)
class Prospects:
    """The designs of a pool that may be certified, on simulated certify splits.

    p_values : float64[splits, designs]. lost, gained : images on average, float64[claims, designs].
    level : of all tests together.
    """

    designs: Sequence[Pooled]
    p_values: npt.NDArray[np.float64]
    lost: npt.NDArray[np.float64]
    gained: npt.NDArray[np.float64]
    level: float

    def of(self, method: str) -> Prospects:
        """Return those that a method measured."""
        return self._only([index for index, one in enumerate(self.designs)
                           if method in one.methods])

    def single_arrays(self) -> Prospects:
        """Return those that run all layers on one array."""
        return self._only([index for index, one in enumerate(self.designs)
                           if len(one.design.arrays) == 1])

    def _only(self, own: Sequence[int]) -> Prospects:
        return replace(self, designs=[self.designs[index] for index in own],
                       p_values=self.p_values[:, own], lost=self.lost[:, own],
                       gained=self.gained[:, own])


def foresee(designs: Sequence[Pooled], forecast: CertificateForecast, *, needed: Sequence[float],
            measured: Sequence[Pooled] | None = None) -> Prospects:
    """Return what may be certified of a pool: no more harmful than a design that kept its accuracy.

    needed : of each claim, images of the search split that a design must have right. measured :
    what the forecast is fitted to and harm is compared with, where that is more than `designs`.
    """
    some = _counting(designs, needed, [*designs, *(measured or ())])
    # Beyond the cheapest of these, more harm buys nothing; the forecast is fitted up to there.
    cheapest = min(some, key=lambda one: (one.design.energy, one.answer.damage), default=None)
    if cheapest is not None:
        some = _as_harmless(cheapest, some)
    counts = forecast.counts([one.answer for one in measured or designs],
                             [one.answer for one in some])
    return Prospects(designs=some, p_values=forecast.p_values(counts), level=forecast.level,
                     lost=np.array([one.lost.mean(axis=0) for one in counts]),
                     gained=np.array([one.gained.mean(axis=0) for one in counts]))


def plan(prospects: Prospects, exact: Candidate) -> Plan:
    """Return the designs to judge; where none is worth it, still the one of best prospects."""
    front = _front(prospects.designs)
    saving = [index for index in front if prospects.designs[index].design.energy < exact.energy]
    if not saving:
        last = prospects.designs[front[-1]].design if front else None
        return Plan(sequence=(), expected=exact.energy, best=last,
                    chance=float(last is not None and last.mapping == exact.mapping))
    p_values = prospects.p_values[:, saving]
    saved = [exact.energy - prospects.designs[index].design.energy for index in saving]
    chances = (p_values <= prospects.level).mean(axis=0)
    best = int(np.argmax(chances * saved))
    order = plan_sequence(p_values, saved, prospects.level) or [best]
    return Plan(
        expected=exact.energy - mean_saving(
            p_values[:, order], [saved[index] for index in order], prospects.level),
        best=prospects.designs[saving[best]].design, chance=float(chances[best]),
        sequence=[_planned(prospects, saving[index]) for index in order])


def _planned(prospects: Prospects, index: int) -> Judged:
    one = prospects.designs[index]
    return Judged(
        design=one.design, found_by=one.methods, smaller=_smaller(one, prospects.designs),
        chance=float((prospects.p_values[:, index] <= prospects.level).mean()),
        lost=tuple(prospects.lost[:, index].tolist()),
        gained=tuple(prospects.gained[:, index].tolist()))


def finalists(designs: Sequence[Pooled], needed: Sequence[float]) -> list[Pooled]:
    """Return the designs that may be judged, and bolder ones that may once they are refitted."""
    some = _counting(designs, needed, designs, reach=REFITTED)
    return [some[index] for index in _front(some)]


class _Rank(NamedTuple):
    """What decides between designs that are a tie, from the first figure on; area in tenths."""

    area: int
    arrays: int
    energy: float

    @classmethod
    def of(cls, one: Pooled) -> _Rank:
        return cls(round(10 * one.design.area), len(one.design.arrays), one.design.energy)


def _counting(designs: Sequence[Pooled], needed: Sequence[float], measured: Sequence[Pooled], *,
              reach: float = 1.0) -> list[Pooled]:
    """Return the designs that are no more harmful than a measured one that kept its accuracy.

    Which of such designs lost an image or two on the search split is chance. Harm is that of all
    networks together: which designs are looked at, not what is said of them.
    """
    most = max((one.answer.damage for one in measured if one.design.keeps(needed)),
               default=-math.inf)
    return [one for one in designs if one.answer.damage <= reach * most]


def _front(designs: Sequence[Pooled]) -> list[int]:
    """Return the designs that nothing cheaper is as harmless as, safest first.

    In the place of each stands the one of least area that ties with it.
    """
    points = [(one.design.energy, one.answer.damage) for one in designs]
    best = [min((index for index, one in enumerate(designs)
                 if one.design.energy <= designs[place].design.energy + TIE
                 and one.answer.damage <= SAME_DAMAGE * designs[place].answer.damage),
                key=lambda index: _Rank.of(designs[index]))
            for place in reversed(pareto_front(points))]
    return list(dict.fromkeys(best))


def _smaller(chosen: Pooled, designs: Sequence[Pooled]) -> Candidate | None:
    """Return the cheapest design of less area that is as harmless: why it was not taken."""
    return min((one.design for one in _as_harmless(chosen, designs)
                if one.design.area <= chosen.design.area - LESS_AREA),
               key=lambda design: design.energy, default=None)


def _as_harmless(chosen: Pooled, designs: Sequence[Pooled]) -> list[Pooled]:
    most = SAME_DAMAGE * chosen.answer.damage
    return [one for one in designs if one.answer.damage <= most]

