"""Certificates for what methods found: the images that nothing else has touched.

The same rule for every method: of the designs it accepted on the search split, a sequence is
planned that saves most by what the search split lets expect (`search.forecast`), and judged up to
the first failure (`search.sequence`). The last one that passed is kept. The chosen method's
certificate holds at 95 %; those of the others stand beside it, each for itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from search.certify import SCORE_AT_ALPHA, certify_in_sequence, compare, identical, score
from search.evaluation import SplitRuns
from search.forecast import Paired, imagine
from search.oracle import Measured
from search.result import Candidate, Certificate, MethodResult
from search.sequence import plan_sequence

Measure = Callable[[Sequence[Candidate]], Sequence[Measured]]


class Certification:
    """The certify split, and the margin that was fixed before it was looked at."""

    def __init__(self, runs: SplitRuns, exact: Candidate, *, margin: float) -> None:
        self.margin, self._runs, self._exact = margin, runs, exact

    def of(self, result: MethodResult, needed: int, measure: Measure, *,
           chosen: bool) -> MethodResult:
        """Return the result with the cheapest design that passed, and its certificate.

        When nothing passes, the chosen method falls back on the exact array, the same network as
        before; another one keeps no design, and the certificate of the first that failed.

        measure : candidates -> what was measured of them on the search split.
        """
        designs = sequence(result.history, measure(result.history), self._exact, needed=needed,
                           images=len(self._runs.labels), margin=self.margin)
        right = self._runs.right({})
        fallback = identical(right, margin=self.margin)

        def judge(candidate: Candidate) -> Certificate:
            if candidate.mapping == self._exact.mapping:
                return fallback
            return compare(right, self._runs.right(candidate.mapping), margin=self.margin,
                           separate=not chosen)

        judged = certify_in_sequence(designs, judge)
        passed = [entry for entry in judged if entry[1].certified]
        if passed:
            best, certificate = passed[-1]
            return replace(result, best=best, certificate=certificate)
        if chosen:
            return replace(result, best=self._exact, certificate=fallback)
        return replace(result, best=None, certificate=judged[0][1] if judged else None)


def sequence(history: Sequence[Candidate], answers: Sequence[Measured], exact: Candidate, *,
             needed: int, images: int, margin: float) -> list[Candidate]:
    """Return the designs to judge, in order; nothing but the search split decides.

    Parameters
    ----------
    history, answers
        Every candidate that a method measured, and what was measured of it.
    exact : Candidate
        First where the method accepted it: it passes for certain.
    needed : int
        Images of the search split that a design must have right.
    images : int
        Of the certify split.
    margin : float
        Of the certificate, a fraction.
    """
    front = _front(history, answers, needed)
    first = [candidate for candidate, _ in front if candidate.mapping == exact.mapping]
    designs = [entry for entry in front if entry[0].energy < exact.energy]
    if not designs:
        return first or [candidate for candidate, _ in front[-1:]]
    told = [Paired(harm=answer.damage, lost=answer.lost,
                   gained=answer.right - exact.search_right + answer.lost) for answer in answers]
    counts = imagine(told, exact.search_n, [answer.damage for _, answer in designs], images)
    # Tango's score decides nearly as the exact test does, and at once.
    passes = score(counts.lost, counts.gained, images, -margin) >= SCORE_AT_ALPHA
    saved = [exact.energy - candidate.energy for candidate, _ in designs]
    return [*first, *(designs[index][0] for index in plan_sequence(passes, saved))]


def _front(history: Sequence[Candidate], answers: Sequence[Measured], needed: int
           ) -> list[tuple[Candidate, Measured]]:
    """Return the accepted designs that nothing cheaper is as harmless as, safest first."""
    front: list[tuple[Candidate, Measured]] = []
    least = math.inf
    for candidate, answer in sorted(zip(history, answers, strict=True),
                                    key=lambda entry: entry[0].energy):
        if candidate.search_right >= needed and answer.damage < least:
            front.append((candidate, answer))
            least = answer.damage
    return front[::-1]
